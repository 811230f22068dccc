/* SPDX-License-Identifier: MIT */

/* Bytes of TCP sockets through sendmsg and recvmsg: parts, flags, waiting, errors. */

#include "linux_world.h"

#include <linux/tcp.h>

static struct world world;
static int fds[2];

static int setup(void **state)
{
    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static void test_parts(void **state)
{
    char a[3] = "ab", b[4] = "cde", to[2][3];
    struct iovec from[] = {{a, 2}, {NULL, 0}, {b, 3}}, into[] = {{to[0], 3}, {to[1], 3}};
    struct msghdr out = {.msg_iov = from, .msg_iovlen = 3}, in = {.msg_iov = into, .msg_iovlen = 2};
    struct linux_wait wait = {0}, again = {0};

    (void)state;
    assert_int_equal(linux_sendmsg(world.sides[0], fds[0], &out, 0, &wait), 5);
    world_settle(&world);
    in.msg_flags = -1;
    assert_int_equal(linux_recvmsg(world.sides[1], fds[1], &in, 0, &again), 5);
    assert_memory_equal(to[0], "abc", 3);
    assert_memory_equal(to[1], "de", 2);
    assert_int_equal(in.msg_flags, 0);
    assert_int_equal(in.msg_controllen, 0);
}

static void test_peek_and_throw_away(void **state)
{
    char bytes[8] = "";

    (void)state;
    world_send(&world, 0, fds[0], "abcdef", 6, 0);
    world_settle(&world);
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 4, MSG_PEEK), 4);
    assert_memory_equal(bytes, "abcd", 4);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 2, MSG_TRUNC), 2);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 8, 0), 4);
    assert_memory_equal(bytes, "cdef", 4);
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 8, 0), -EAGAIN);
}

static void test_no_memory_is_efault(void **state)
{
    (void)state;
    assert_int_equal(world_recv(&world, 1, fds[1], NULL, 9, 0), -EAGAIN); /* nothing to copy */
    assert_int_equal(world_send(&world, 0, fds[0], NULL, 9, 0), -EFAULT);
    assert_int_equal(world_send(&world, 0, fds[0], NULL, 0, 0), 0);
    world_send(&world, 0, fds[0], "abc", 3, 0);
    world_settle(&world);
    assert_int_equal(world_recv(&world, 1, fds[1], NULL, 9, 0), -EFAULT);
    assert_int_equal(world_recv(&world, 1, fds[1], NULL, 3, MSG_TRUNC), 3);
    assert_int_equal(linux_sendmsg(world.sides[0], fds[0], NULL, 0, &(struct linux_wait){0}),
                     -EFAULT);
}

static void test_too_many_parts(void **state)
{
    static struct iovec parts[1025];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 1025};

    (void)state;
    assert_int_equal(linux_sendmsg(world.sides[0], fds[0], &message, 0, &(struct linux_wait){0}),
                     -EMSGSIZE);
    parts[0].iov_len = SIZE_MAX / 2;
    parts[1].iov_len = SIZE_MAX / 2;
    message.msg_iovlen = 2;
    assert_int_equal(linux_sendmsg(world.sides[0], fds[0], &message, 0, &(struct linux_wait){0}),
                     -EINVAL);
    message.msg_iov = NULL;
    assert_int_equal(linux_sendmsg(world.sides[0], fds[0], &message, 0, &(struct linux_wait){0}),
                     -EFAULT);
}

/* A blocking write returns when the last byte is queued; one that may not wait, what fitted. */
static void test_writing_waits(void **state)
{
    static uint8_t bytes[100000], got[100000];
    struct linux_wait wait = {0};
    size_t total = 0;
    long sent = LINUX_WAIT, part;

    (void)state;
    memset(bytes, 7, sizeof(bytes));
    assert_int_equal(world_set(&world, 0, fds[0], SOL_SOCKET, SO_SNDBUF, 10000), 0);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 1000, 0), 1000);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 50000, MSG_DONTWAIT), 9000);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 50000, MSG_DONTWAIT), -EAGAIN);
    linux_fcntl(world.sides[0], fds[0], F_SETFL, 0);
    for (int i = 0; i < 1000 && sent == LINUX_WAIT; i++) {
        sent = linux_sendto(world.sides[0], fds[0], bytes, 50000, 0, NULL, 0, &wait);
        world_settle(&world);
        while ((part = world_recv(&world, 1, fds[1], got, sizeof(got), 0)) > 0)
            total += (size_t)part;
    }
    assert_int_equal(sent, 50000);
    assert_int_equal(total, 60000);
}

/* A message of several parts goes on where it was, in whatever part that is. */
static void test_writing_parts_waits(void **state)
{
    static uint8_t bytes[20000], got[20000];
    struct iovec parts[] = {{bytes, 3000}, {NULL, 0}, {bytes + 3000, 9000}, {bytes + 12000, 8000}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 4};
    struct linux_wait wait = {0};
    size_t total = 0;
    long sent = LINUX_WAIT, part;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8));
    assert_int_equal(world_set(&world, 0, fds[0], SOL_SOCKET, SO_SNDBUF, 5000), 0);
    linux_fcntl(world.sides[0], fds[0], F_SETFL, 0);
    for (int i = 0; i < 100 && sent == LINUX_WAIT; i++) {
        sent = linux_sendmsg(world.sides[0], fds[0], &message, 0, &wait);
        world_settle(&world);
        while (total < sizeof(got) &&
               (part = world_recv(&world, 1, fds[1], got + total, sizeof(got) - total, 0)) > 0)
            total += (size_t)part;
    }
    assert_int_equal(sent, sizeof(bytes));
    assert_int_equal(total, sizeof(bytes));
    assert_memory_equal(got, bytes, sizeof(bytes));
}

static void test_reading_waits(void **state)
{
    struct linux_wait wait = {0};
    char bytes[8];

    (void)state;
    linux_fcntl(world.sides[1], fds[1], F_SETFL, 0);
    assert_int_equal(linux_recvfrom(world.sides[1], fds[1], bytes, 8, 0, NULL, NULL, &wait),
                     LINUX_WAIT);
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 8, MSG_DONTWAIT), -EAGAIN);
    world_send(&world, 0, fds[0], "abc", 3, 0);
    world_settle(&world);
    assert_int_equal(linux_recvfrom(world.sides[1], fds[1], bytes, 8, 0, NULL, NULL, &wait), 3);
}

static void test_waitall(void **state)
{
    struct linux_wait wait = {0}, peek = {0};
    char bytes[9] = "", peeked[9] = "";

    (void)state;
    linux_fcntl(world.sides[1], fds[1], F_SETFL, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            linux_recvfrom(world.sides[1], fds[1], bytes, 6, MSG_WAITALL, NULL, NULL, &wait),
            LINUX_WAIT);
        world_send(&world, 0, fds[0], &"abcdefghi"[2 * i], 2, 0);
        world_settle(&world);
    }
    assert_int_equal(
        linux_recvfrom(world.sides[1], fds[1], bytes, 6, MSG_WAITALL, NULL, NULL, &wait), 6);
    assert_string_equal(bytes, "abcdef");
    world_send(&world, 0, fds[0], "xy", 2, 0);
    world_settle(&world);
    assert_int_equal(linux_recvfrom(world.sides[1], fds[1], peeked, 3, MSG_WAITALL | MSG_PEEK, NULL,
                                    NULL, &peek),
                     LINUX_WAIT);
    linux_shutdown(world.sides[0], fds[0], SHUT_WR);
    world_settle(&world);
    wait = (struct linux_wait){0}; /* the end comes first */
    assert_int_equal(
        linux_recvfrom(world.sides[1], fds[1], bytes, 6, MSG_WAITALL, NULL, NULL, &wait),
        LINUX_WAIT);
    assert_int_equal(
        linux_recvfrom(world.sides[1], fds[1], bytes, 6, MSG_WAITALL, NULL, NULL, &wait), 2);
}

static int inq_of(long expected, size_t want)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int)) + 8];
    } control;
    char bytes[16];
    struct iovec part = {bytes, want};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    int left;

    assert_int_equal(linux_recvmsg(world.sides[1], fds[1], &message, 0, &(struct linux_wait){0}),
                     expected);
    assert_int_equal(message.msg_flags, 0);
    assert_int_equal(message.msg_controllen, CMSG_SPACE(sizeof(int)));
    assert_int_equal(control.header.cmsg_len, CMSG_LEN(sizeof(int)));
    assert_int_equal(control.header.cmsg_level, IPPROTO_TCP);
    assert_int_equal(control.header.cmsg_type, TCP_CM_INQ);
    memcpy(&left, CMSG_DATA(&control.header), sizeof(left));
    return left;
}

static void test_inq(void **state)
{
    char byte, small[4];
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = small, .msg_controllen = sizeof(small)};

    (void)state;
    assert_int_equal(world_set(&world, 1, fds[1], IPPROTO_TCP, TCP_INQ, 1), 0);
    world_send(&world, 0, fds[0], "0123456789", 10, 0);
    world_settle(&world);
    assert_int_equal(inq_of(4, 4), 6);
    assert_int_equal(inq_of(4, 4), 2);
    assert_int_equal(linux_recvmsg(world.sides[1], fds[1], &message, 0, &(struct linux_wait){0}),
                     1);
    assert_int_equal(message.msg_flags, MSG_CTRUNC);
    world_close_fd(&world, 0, fds[0]);
    world_settle(&world);
    assert_int_equal(inq_of(1, 4), 1); /* the FIN */
}

static void test_never_connected(void **state)
{
    long fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM, 0);
    char byte;

    (void)state;
    assert_int_equal(world_send(&world, 0, (int)fd, "x", 1, 0), -EPIPE);
    assert_int_equal(world_recv(&world, 0, (int)fd, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(world_send(&world, 0, 99, "x", 1, 0), -EBADF);
    assert_int_equal(world_recv(&world, 0, 99, &byte, 1, 0), -EBADF);
    world_listen(&world, 1, 90);
    assert_int_equal(world_recv(&world, 1, 3, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(world_send(&world, 1, 3, "x", 1, 0), -EPIPE);
}

static void test_flags_that_are_not_there(void **state)
{
    char byte;

    (void)state;
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, MSG_FASTOPEN), -EOPNOTSUPP);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, MSG_ERRQUEUE), -EAGAIN);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, MSG_OOB), -EINVAL);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, MSG_NOSIGNAL | MSG_ZEROCOPY), 1);
}

/* With a limit to what may be unsent, the next write waits for the network, not for the buffer. */
static void test_notsent_lowat(void **state)
{
    static char bytes[80000];

    (void)state;
    assert_int_equal(world_set(&world, 0, fds[0], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000), 0);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 600, 0), 600);
    assert_int_equal(world_poll(&world, 0, fds[0]) & POLLOUT, 0);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 600, 0), 600); /* 600 < 1000 */
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 600, 0), -EAGAIN);
    world_settle(&world);
    assert_int_equal(world_poll(&world, 0, fds[0]) & POLLOUT, POLLOUT);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 80000, 0), 65536); /* one piece */
}

/* Linux looks whether there is something even if nothing is asked for; and an error that waits is told
 * before EPIPE. */
static void test_nothing(void **state)
{
    const struct linger abort = {.l_onoff = 1};
    char byte;

    (void)state;
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 0, 0), -EAGAIN);
    assert_int_equal(world_recv(&world, 0, fds[0], NULL, 0, MSG_PEEK), -EAGAIN);
    world_send(&world, 1, fds[1], "x", 1, 0);
    world_settle(&world);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 0, 0), 0);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, 0), 1);
    linux_shutdown(world.sides[0], fds[0], SHUT_WR);
    world_send(&world, 1, fds[1], "x", 1, 0);
    world_settle(&world);
    linux_setsockopt(world.sides[1], fds[1], SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
    world_close_fd(&world, 1, fds[1]); /* a RST */
    world_settle(&world);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, 0), -ECONNRESET);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, 0), -EPIPE);
    assert_int_equal(world_recv(&world, 0, fds[0], NULL, 0, 0), 0);
}

/* While a connection is opened nothing is sent, not even nothing, and no memory looked at. */
static void test_opening(void **state)
{
    int fd = (int)linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    (void)state;
    world_listen(&world, 1, 81);
    world.is_cut = true;
    assert_int_equal(world_connect(&world, 0, fd, 81), -EINPROGRESS);
    world_settle(&world);
    assert_int_equal(world_send(&world, 0, fd, "", 0, 0), -EAGAIN);
    assert_int_equal(world_send(&world, 0, fd, NULL, 5, 0), -EAGAIN);
    world.is_cut = false;
    world_pass(&world, 5 * WEIR_SECOND);
    assert_int_equal(world_send(&world, 0, fd, "", 0, 0), 0);
    assert_int_equal(world_send(&world, 0, fd, NULL, 5, 0), -EFAULT);
}

/* A RST is told although we have shut our reading side. */
static void test_shut_and_reset(void **state)
{
    const struct linger abort = {.l_onoff = 1};
    char byte;

    (void)state;
    linux_shutdown(world.sides[0], fds[0], SHUT_RD);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, 0), 0);
    linux_setsockopt(world.sides[1], fds[1], SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
    world_close_fd(&world, 1, fds[1]);
    world_settle(&world);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, 0), -ECONNRESET);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peek_and_throw_away, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_is_efault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writing_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writing_parts_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reading_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waitall, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inq, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_connected, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flags_that_are_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notsent_lowat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shut_and_reset, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
