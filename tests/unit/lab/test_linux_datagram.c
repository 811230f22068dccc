/* SPDX-License-Identifier: MIT */

/* Datagrams: whom to, whence, cut, refused. */

#include "linux_world.h"

static long send_to(struct world *world, int fd, const char *text, size_t size, uint16_t port,
                    int flags)
{
    struct sockaddr_in to = world_addr(1, port);
    struct linux_wait wait = {0};

    return linux_sendto(world->sides[0], fd, text, size, flags, (struct sockaddr *)&to, sizeof(to),
                        &wait);
}

static int bound(struct world *world, int side, uint16_t port)
{
    struct sockaddr_in local = world_addr(side, port);
    long fd = linux_socket(world->sides[side], AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        linux_bind(world->sides[side], (int)fd, (struct sockaddr *)&local, sizeof(local)), 0);
    return (int)fd;
}

static void test_there_and_back(void **state)
{
    struct sockaddr_in from = {0}, expected = world_addr(0, 1000);
    socklen_t length = sizeof(from);
    struct linux_wait wait = {0};
    struct world world;
    char bytes[8];
    int a, b, number;

    (void)state;
    world_open(&world, NULL, NULL);
    a = bound(&world, 0, 1000);
    b = bound(&world, 1, 53);
    assert_int_equal(world_poll(&world, 1, b), POLLOUT | POLLWRNORM | POLLWRBAND);
    assert_int_equal(world_recv(&world, 1, b, bytes, 8, 0), -EAGAIN);
    assert_int_equal(send_to(&world, a, "hello", 5, 53, 0), 5);
    world_settle(&world);
    assert_int_equal(world_poll(&world, 1, b),
                     POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLWRBAND);
    assert_int_equal(linux_ioctl(world.sides[1], b, FIONREAD, &number), 0);
    assert_int_equal(number, 5);
    assert_int_equal(world_recv(&world, 1, b, NULL, 8, 0), -EFAULT);
    assert_int_equal(linux_recvfrom(world.sides[1], b, bytes, 8, MSG_PEEK, (struct sockaddr *)&from,
                                    &length, &wait),
                     5);
    assert_int_equal(length, sizeof(from));
    assert_memory_equal(&from, &expected, sizeof(from));
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(world_recv(&world, 1, b, bytes, 8, 0), 5);
    assert_int_equal(world_recv(&world, 1, b, bytes, 8, 0), -EAGAIN);
    world_close(&world);
}

static void test_cut(void **state)
{
    char bytes[3];
    struct iovec part = {bytes, 3};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct world world;
    int a, b;

    (void)state;
    world_open(&world, NULL, NULL);
    a = bound(&world, 0, 1000);
    b = bound(&world, 1, 53);
    send_to(&world, a, "hello", 5, 53, 0);
    send_to(&world, a, "world", 5, 53, 0);
    world_settle(&world);
    assert_int_equal(linux_recvmsg(world.sides[1], b, &message, 0, &(struct linux_wait){0}), 3);
    assert_int_equal(message.msg_flags, MSG_TRUNC);
    assert_memory_equal(bytes, "hel", 3);
    assert_int_equal(linux_recvmsg(world.sides[1], b, &message, MSG_TRUNC, &(struct linux_wait){0}),
                     5);
    assert_memory_equal(bytes, "wor", 3);
    world_close(&world);
}

static void test_refusals(void **state)
{
    static char big[65508];
    struct sockaddr_in to = world_addr(1, 53);
    struct linux_wait wait = {0};
    struct world world;
    int a;

    (void)state;
    world_open(&world, NULL, NULL);
    a = bound(&world, 0, 1000);
    assert_int_equal(world_send(&world, 0, a, "x", 1, 0), -EDESTADDRREQ);
    assert_int_equal(send_to(&world, a, big, sizeof(big), 53, 0), -EMSGSIZE);
    assert_int_equal(send_to(&world, a, "x", 1, 0, 0), -EINVAL);
    assert_int_equal(send_to(&world, a, "x", 1, 53, MSG_OOB), -EOPNOTSUPP);
    assert_int_equal(send_to(&world, a, "x", 1, 53, MSG_MORE), -EOPNOTSUPP);
    assert_int_equal(send_to(&world, a, NULL, 1, 53, 0), -EFAULT);
    assert_int_equal(linux_sendto(world.sides[0], a, "x", 1, 0, (struct sockaddr *)&to, 4, &wait),
                     -EINVAL);
    to.sin_family = AF_INET6;
    assert_int_equal(
        linux_sendto(world.sides[0], a, "x", 1, 0, (struct sockaddr *)&to, sizeof(to), &wait),
        -EAFNOSUPPORT);
    to.sin_family = AF_UNSPEC; /* counts as AF_INET */
    assert_int_equal(
        linux_sendto(world.sides[0], a, "x", 1, 0, (struct sockaddr *)&to, sizeof(to), &wait), 1);
    world_close(&world);
}

static void test_connected(void **state)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct linux_wait wait = {0};
    struct world world;
    char bytes[8];
    int a;

    (void)state;
    world_open(&world, NULL, NULL);
    a = bound(&world, 0, 1000);
    assert_int_equal(world_connect(&world, 0, a, 53), 0);
    assert_int_equal(world_send(&world, 0, a, "x", 1, 0), 1);
    world_settle(&world); /* nobody is there */
    assert_true(world_poll(&world, 0, a) & POLLERR);
    assert_int_equal(world_recv(&world, 0, a, bytes, 8, 0), -ECONNREFUSED);
    assert_int_equal(world_recv(&world, 0, a, bytes, 8, 0), -EAGAIN);
    assert_int_equal(linux_shutdown(world.sides[0], a, SHUT_RDWR), 0);
    assert_true(world_poll(&world, 0, a) & POLLHUP);
    assert_int_equal(world_recv(&world, 0, a, bytes, 8, MSG_DONTWAIT), -EAGAIN);
    linux_fcntl(world.sides[0], a, F_SETFL, 0);
    assert_int_equal(world_recv(&world, 0, a, bytes, 8, 0), 0); /* who would wait is told */
    linux_fcntl(world.sides[0], a, F_SETFL, O_NONBLOCK);
    assert_int_equal(world_send(&world, 0, a, "x", 1, 0), -EPIPE);
    assert_int_equal(linux_connect(world.sides[0], a, &nobody, sizeof(nobody), &wait), 0);
    assert_int_equal(world_send(&world, 0, a, "x", 1, 0), -EDESTADDRREQ);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_connected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
