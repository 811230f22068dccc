/* SPDX-License-Identifier: MIT */

/* Calls about one descriptor: what Linux answers, also to nonsense. */

#include "linux_world.h"

#include <linux/sockios.h>

static const struct {
    int domain, type, protocol;
    long answer; /* 3: made */
} kinds[] = {
    {AF_INET, SOCK_STREAM, 0, 3},
    {AF_INET, SOCK_STREAM, IPPROTO_TCP, 3},
    {AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 3},
    {AF_INET, SOCK_DGRAM, IPPROTO_UDP, 3},
    {AF_INET, SOCK_STREAM, IPPROTO_UDP, -EPROTONOSUPPORT},
    {AF_INET, SOCK_DGRAM, IPPROTO_TCP, -EPROTONOSUPPORT},
    {AF_INET, SOCK_RAW, IPPROTO_UDP, -EPROTONOSUPPORT},
    {AF_INET, SOCK_SEQPACKET, 0, -ESOCKTNOSUPPORT},
    {AF_INET, SOCK_STREAM, -1, -EINVAL},
    {AF_INET, SOCK_STREAM, 256, -EINVAL},
    {AF_INET, SOCK_STREAM | 0x40000000, 0, -EINVAL},
    {AF_INET6, SOCK_STREAM, 0, -EAFNOSUPPORT},
    {AF_UNSPEC, SOCK_STREAM, 0, -EAFNOSUPPORT},
};

static void test_socket(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, NULL, NULL);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        long fd = linux_socket(world.sides[0], kinds[i].domain, kinds[i].type, kinds[i].protocol);

        if (fd != kinds[i].answer)
            fail_msg("row %zu: %ld, expected %ld", i, fd, kinds[i].answer);
        if (fd >= 0)
            assert_int_equal(world_close_fd(&world, 0, (int)fd), 0);
    }
    world_close(&world);
}

/* The lowest number is given again. */
static void test_numbers(void **state)
{
    struct world world;

    (void)state;
    world_open(&world, NULL, NULL);
    for (int fd = 3; fd < 200; fd++)
        assert_int_equal(linux_socket(world.sides[0], AF_INET, SOCK_STREAM, 0), fd);
    assert_int_equal(world_close_fd(&world, 0, 7), 0);
    assert_int_equal(world_close_fd(&world, 0, 7), -EBADF);
    assert_int_equal(linux_weir_socket(world.sides[0], 7), -1);
    assert_int_equal(linux_socket(world.sides[0], AF_INET, SOCK_STREAM, 0), 7);
    assert_true(linux_weir_socket(world.sides[0], 7) >= 0);
    assert_int_equal(world_close_fd(&world, 0, -1), -EBADF);
    assert_int_equal(world_close_fd(&world, 0, 1 << 30), -EBADF);
    world_close(&world);
}

struct numbers {
    int next, given, taken;
};

static int get_number(void *context)
{
    struct numbers *numbers = context;

    if (numbers->next > 102)
        return -EMFILE;
    numbers->given++;
    return numbers->next++;
}

static void put_number(void *context, int fd)
{
    struct numbers *numbers = context;

    assert_true(fd >= 100 && fd <= 102);
    numbers->taken++;
}

static void test_numbers_of_the_caller(void **state)
{
    struct numbers numbers = {.next = 100};
    struct linux_config config = {.numbers = {get_number, put_number, &numbers}};
    struct linux_sockets *sockets;
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    sockets = linux_create(world.stacks[0], &config);
    assert_int_equal(linux_socket(sockets, AF_INET, SOCK_STREAM, 0), 100);
    assert_int_equal(linux_socket(sockets, AF_INET, SOCK_STREAM, 0), 101);
    assert_int_equal(linux_pipe(sockets, fds), -EMFILE); /* and the first end is given back */
    assert_int_equal(numbers.taken, 1);
    linux_destroy(sockets);
    assert_int_equal(numbers.given, 3);
    assert_int_equal(numbers.taken, 3);
    world_close(&world);
}

static void test_bind(void **state)
{
    struct sockaddr_in addr = world_addr(0, 80), other = world_addr(1, 80), named;
    socklen_t length = sizeof(named);
    struct linux_sockets *side;
    struct world world;

    (void)state;
    world_open(&world, NULL, NULL);
    side = world.sides[0];
    assert_int_equal(linux_bind(side, 3, (struct sockaddr *)&addr, sizeof(addr)), -EBADF);
    linux_socket(side, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(linux_bind(side, 3, NULL, sizeof(addr)), -EFAULT);
    assert_int_equal(linux_bind(side, 3, (struct sockaddr *)&addr, 8), -EINVAL);
    assert_int_equal(linux_bind(side, 3, (struct sockaddr *)&other, sizeof(other)), -EADDRNOTAVAIL);
    addr.sin_family = AF_INET6;
    assert_int_equal(linux_bind(side, 3, (struct sockaddr *)&addr, sizeof(addr)), -EAFNOSUPPORT);
    addr.sin_family = AF_INET;
    assert_int_equal(linux_bind(side, 3, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(linux_bind(side, 3, (struct sockaddr *)&addr, sizeof(addr)), -EINVAL);
    assert_int_equal(linux_getsockname(side, 3, (struct sockaddr *)&named, &length), 0);
    assert_int_equal(length, sizeof(named));
    assert_memory_equal(&named, &addr, sizeof(addr));
    length = 4; /* cut, and the full length told */
    memset(&named, 0, sizeof(named));
    assert_int_equal(linux_getsockname(side, 3, (struct sockaddr *)&named, &length), 0);
    assert_int_equal(length, sizeof(named));
    assert_int_equal(named.sin_port, htons(80));
    assert_int_equal(named.sin_addr.s_addr, 0);
    assert_int_equal(linux_getsockname(side, 3, NULL, &length), -EFAULT);
    assert_int_equal(linux_getpeername(side, 3, (struct sockaddr *)&named, &length), -ENOTCONN);
    linux_socket(side, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(linux_bind(side, 4, (struct sockaddr *)&addr, sizeof(addr)), -EADDRINUSE);
    world_close(&world);
}

static void test_listen_and_shutdown(void **state)
{
    struct linux_sockets *side;
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    side = world.sides[1];
    world_listen(&world, 1, 81);
    assert_int_equal(linux_listen(side, 3, -1), 0); /* again: the backlog */
    assert_int_equal(world_get(&world, 1, 3, SOL_SOCKET, SO_ACCEPTCONN), 1);
    assert_int_equal(linux_shutdown(side, 3, 3), -EINVAL);
    assert_int_equal(linux_shutdown(side, 9, SHUT_WR), -EBADF);
    assert_int_equal(linux_socket(side, AF_INET, SOCK_STREAM, 0), 4);
    assert_int_equal(linux_shutdown(side, 4, SHUT_WR), -ENOTCONN);
    assert_int_equal(linux_socket(side, AF_INET, SOCK_DGRAM, 0), 5);
    assert_int_equal(linux_listen(side, 5, 1), -EOPNOTSUPP);
    assert_int_equal(linux_shutdown(side, 5, SHUT_WR), -ENOTCONN);
    world_pair(&world, fds);
    assert_int_equal(linux_listen(world.sides[0], fds[0], 1), -EINVAL);
    assert_int_equal(linux_listen(side, fds[1], 1), -EINVAL);
    assert_int_equal(linux_shutdown(world.sides[0], fds[0], SHUT_WR), 0);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, 0), -EPIPE);
    world_settle(&world);
    assert_int_equal(world_recv(&world, 1, fds[1], (char[1]){0}, 1, 0), 0);
    world_close(&world);
}

static void test_fcntl_and_ioctl(void **state)
{
    struct linux_sockets *side;
    struct world world;
    int fds[2], number = 1;

    (void)state;
    world_open(&world, NULL, NULL);
    side = world.sides[0];
    assert_int_equal(linux_fcntl(side, 3, F_GETFL, 0), -EBADF);
    world_pair(&world, fds);
    assert_int_equal(linux_fcntl(side, fds[0], F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(linux_fcntl(side, fds[0], F_SETFL, O_RDWR), 0);
    assert_int_equal(linux_fcntl(side, fds[0], F_GETFL, 0), O_RDWR);
    assert_int_equal(linux_ioctl(side, fds[0], FIONBIO, &number), 0);
    assert_int_equal(linux_fcntl(side, fds[0], F_GETFL, 0), O_RDWR | O_NONBLOCK);
    assert_int_equal(linux_fcntl(side, fds[0], F_SETFD, FD_CLOEXEC), 0);
    assert_int_equal(linux_fcntl(side, fds[0], F_GETFD, 0), FD_CLOEXEC);
    assert_int_equal(linux_fcntl(side, fds[0], F_SETLK, 0), -EINVAL);
    assert_int_equal(linux_ioctl(side, fds[0], SIOCOUTQ, NULL), -EFAULT);
    assert_int_equal(linux_ioctl(side, fds[0], 0x1234, &number), -ENOTTY);
    assert_int_equal(linux_ioctl(side, 77, SIOCOUTQ, &number), -EBADF);
    world.is_cut = true;
    assert_int_equal(world_send(&world, 0, fds[0], "12345", 5, 0), 5);
    assert_int_equal(linux_ioctl(side, fds[0], SIOCOUTQNSD, &number), 0);
    assert_int_equal(number, 5);
    world_settle(&world);
    assert_int_equal(linux_ioctl(side, fds[0], SIOCOUTQNSD, &number), 0);
    assert_int_equal(number, 0);
    assert_int_equal(linux_ioctl(side, fds[0], SIOCOUTQ, &number), 0);
    assert_int_equal(number, 5);
    assert_int_equal(linux_shutdown(side, fds[0], SHUT_WR), 0);
    assert_int_equal(linux_ioctl(side, fds[0], SIOCOUTQ, &number), 0);
    assert_int_equal(number, 6); /* the FIN counts */
    world.is_cut = false;
    world_pass(&world, 10 * WEIR_SECOND);
    assert_int_equal(linux_ioctl(world.sides[1], fds[1], FIONREAD, &number), 0);
    assert_int_equal(number, 5);
    assert_int_equal(linux_ioctl(side, fds[0], SIOCOUTQ, &number), 0);
    assert_int_equal(number, 0);
    world_listen(&world, 1, 81);
    assert_int_equal(linux_ioctl(world.sides[1], 3, FIONREAD, &number), -EINVAL);
    world_close(&world);
}

/* A socket that is not connected has its directions shut, although the call fails. */
static void test_shutdown_unconnected(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    struct world world;
    char byte;

    (void)state;
    world_open(&world, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        int fd = (int)linux_socket(world.sides[0], AF_INET, types[i], 0);

        assert_int_equal(linux_shutdown(world.sides[0], fd, SHUT_RD), -ENOTCONN);
        assert_int_equal(world_poll(&world, 0, fd) & (POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
        assert_int_equal(world_recv(&world, 0, fd, &byte, 1, 0), 0);
        assert_int_equal(linux_shutdown(world.sides[0], fd, SHUT_WR), -ENOTCONN);
        world_listen(&world, 1, (uint16_t)(80 + i));
        linux_fcntl(world.sides[0], fd, F_SETFL, O_NONBLOCK);
        assert_int_equal(world_connect(&world, 0, fd, (uint16_t)(80 + i)),
                         types[i] == SOCK_STREAM ? -EINPROGRESS : 0);
        world_settle(&world);
        assert_int_equal(world_send(&world, 0, fd, "x", 1, 0), -EPIPE);
    }
    world_close(&world);
}

/* Once an attempt has failed, and that was not asked for, a shutdown is the socket's end. */
static void test_shutdown_failed(void **state)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct linux_wait wait = {0};
    struct world world;
    int fd;

    (void)state;
    world_open(&world, NULL, NULL);
    fd = (int)linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(world_connect(&world, 0, fd, 80), -EINPROGRESS);
    world_settle(&world);
    assert_int_equal(linux_shutdown(world.sides[0], fd, SHUT_RDWR), -ENOTCONN);
    assert_int_equal(world_connect(&world, 0, fd, 80), -EINVAL);
    assert_int_equal(linux_listen(world.sides[0], fd, 1), -EINVAL);
    assert_int_equal(linux_connect(world.sides[0], fd, &nobody, sizeof(nobody), &wait), 0);
    assert_int_equal(world_connect(&world, 0, fd, 80), -EINPROGRESS);
    world_close(&world);
}

/* SIOCATMARK: the urgent byte is the next one. */
static void test_mark(void **state)
{
    struct world world;
    int fds[2], value = -1;
    char bytes[8];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    assert_int_equal(linux_ioctl(world.sides[1], fds[1], SIOCATMARK, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(world_send(&world, 0, fds[0], "abc", 3, MSG_OOB), 3);
    world_settle(&world);
    assert_int_equal(linux_ioctl(world.sides[1], fds[1], SIOCATMARK, &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 2, 0), 2);
    assert_int_equal(linux_ioctl(world.sides[1], fds[1], SIOCATMARK, &value), 0);
    assert_int_equal(value, 1);
    assert_int_equal(world_recv(&world, 1, fds[1], bytes, 2, 0), 1);
    assert_int_equal(linux_ioctl(world.sides[1], fds[1], SIOCATMARK, &value), 0);
    assert_int_equal(value, 0);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_socket),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_numbers_of_the_caller),
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_listen_and_shutdown),
        cmocka_unit_test(test_fcntl_and_ioctl),
        cmocka_unit_test(test_shutdown_unconnected),
        cmocka_unit_test(test_shutdown_failed),
        cmocka_unit_test(test_mark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
