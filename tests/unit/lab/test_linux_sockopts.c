/* SPDX-License-Identifier: MIT */

/* Options: ranges, lengths, what is read back, what weir gets to see. */

#include "linux_world.h"

#include <linux/tcp.h>

static struct world world;
static int tcp, udp;

static int setup(void **state)
{
    struct linux_config config = {.rmem_max = 100000, .wmem_max = 50000};

    (void)state;
    world_open(&world, NULL, &config);
    tcp = (int)linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    udp = (int)linux_socket(world.sides[0], AF_INET, SOCK_DGRAM, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static const struct {
    int level, name, value;
    long answer; /* of setting */
    long found;  /* of getting; when setting fails it is not looked at */
} rows[] = {
    {SOL_SOCKET, SO_REUSEADDR, 7, 0, 1},
    {SOL_SOCKET, SO_REUSEPORT, 1, 0, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1, 0, 1},
    {SOL_SOCKET, SO_PRIORITY, 6, 0, 6},
    {SOL_SOCKET, SO_MARK, -3, 0, -3},
    {SOL_SOCKET, SO_SNDBUF, 10000, 0, 20000},
    {SOL_SOCKET, SO_SNDBUF, 1, 0, 4608},
    {SOL_SOCKET, SO_SNDBUF, 60000, 0, 100000},
    {SOL_SOCKET, SO_SNDBUF, -1, 0, 100000},
    {SOL_SOCKET, SO_RCVBUF, 10000, 0, 20000},
    {SOL_SOCKET, SO_RCVBUF, 0, 0, 2304},
    {SOL_SOCKET, SO_RCVBUF, 200000, 0, 200000},
    {SOL_SOCKET, SO_TYPE, 1, -ENOPROTOOPT, 0},
    {SOL_SOCKET, SO_ERROR, 1, -ENOPROTOOPT, 0},
    {SOL_SOCKET, SO_PEEK_OFF, 1, -ENOPROTOOPT, 0},
    {SOL_SOCKET, 12345, 1, -ENOPROTOOPT, 0},
    {IPPROTO_IP, IP_TTL, 1, 0, 1},
    {IPPROTO_IP, IP_TTL, 255, 0, 255},
    {IPPROTO_IP, IP_TTL, -1, 0, 64},
    {IPPROTO_IP, IP_TTL, 0, -EINVAL, 0},
    {IPPROTO_IP, IP_TTL, 256, -EINVAL, 0},
    {IPPROTO_IP, IP_TOS, 0xff, 0, 0xfc},
    {IPPROTO_IP, IP_TOS, 0x110, 0, 0x10},
    {IPPROTO_IP, IP_RECVERR, 1, 0, 1},
    {IPPROTO_IP, IP_FREEBIND, 1, -ENOPROTOOPT, 0},
    {IPPROTO_TCP, TCP_NODELAY, 2, 0, 1},
    {IPPROTO_TCP, TCP_CORK, 1, 0, 1},
    {IPPROTO_TCP, TCP_MAXSEG, 87, -EINVAL, 0},
    {IPPROTO_TCP, TCP_MAXSEG, 88, 0, 88},
    {IPPROTO_TCP, TCP_MAXSEG, 32767, 0, 32767},
    {IPPROTO_TCP, TCP_MAXSEG, 32768, -EINVAL, 0},
    {IPPROTO_TCP, TCP_MAXSEG, 0, 0, 536},
    {IPPROTO_TCP, TCP_KEEPIDLE, 0, -EINVAL, 0},
    {IPPROTO_TCP, TCP_KEEPIDLE, 32767, 0, 32767},
    {IPPROTO_TCP, TCP_KEEPIDLE, 32768, -EINVAL, 0},
    {IPPROTO_TCP, TCP_KEEPINTVL, 1, 0, 1},
    {IPPROTO_TCP, TCP_KEEPINTVL, 32768, -EINVAL, 0},
    {IPPROTO_TCP, TCP_KEEPCNT, 127, 0, 127},
    {IPPROTO_TCP, TCP_KEEPCNT, 128, -EINVAL, 0},
    {IPPROTO_TCP, TCP_SYNCNT, 0, -EINVAL, 0},
    {IPPROTO_TCP, TCP_SYNCNT, 127, 0, 127},
    {IPPROTO_TCP, TCP_SYNCNT, 128, -EINVAL, 0},
    {IPPROTO_TCP, TCP_LINGER2, 9, 0, 9},
    {IPPROTO_TCP, TCP_LINGER2, -5, 0, -1},
    {IPPROTO_TCP, TCP_LINGER2, 500, 0, 120},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 0, 0},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 1, 0, 1},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, 0, 7},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 8, 0, 15},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 3000, 0, 3000},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, -1, -EINVAL, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096, 0, 4096},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, 0, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, 0, -1},
    {IPPROTO_TCP, TCP_QUICKACK, 0, 0, 0},
    {IPPROTO_TCP, TCP_INQ, 1, 0, 1},
    {IPPROTO_TCP, TCP_INQ, 2, -EINVAL, 0},
    {IPPROTO_TCP, TCP_MD5SIG, 2, -ENOPROTOOPT, 0},
    {IPPROTO_TCP, TCP_REPAIR, 1, -ENOPROTOOPT, 0},
    {IPPROTO_TCP, TCP_FASTOPEN, 1, -ENOPROTOOPT, 0},
    {IPPROTO_UDP, 1, 1, -ENOPROTOOPT, 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        long answer = world_set(&world, 0, tcp, rows[i].level, rows[i].name, rows[i].value), found;

        if (answer != rows[i].answer)
            fail_msg("row %zu: set answered %ld, expected %ld", i, answer, rows[i].answer);
        if (answer < 0)
            continue;
        found = world_get(&world, 0, tcp, rows[i].level, rows[i].name);
        if (found != rows[i].found)
            fail_msg("row %zu: found %ld, expected %ld", i, found, rows[i].found);
    }
    assert_int_equal(world_set(&world, 0, tcp, SOL_SOCKET, SO_SNDBUFFORCE, 60000), 0);
    assert_int_equal(world_get(&world, 0, tcp, SOL_SOCKET, SO_SNDBUF), 120000);
}

/* Each row is refused with too short a value and without one. */
static void test_lengths(void **state)
{
    int value = 1;
    socklen_t length;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].level != SOL_SOCKET && rows[i].level != IPPROTO_TCP)
            continue;
        assert_int_equal(
            linux_setsockopt(world.sides[0], tcp, rows[i].level, rows[i].name, &value, 3), -EINVAL);
        assert_int_equal(
            linux_setsockopt(world.sides[0], tcp, rows[i].level, rows[i].name, NULL, 4), -EFAULT);
    }
    assert_int_equal(linux_setsockopt(world.sides[0], 99, SOL_SOCKET, SO_MARK, &value, 4), -EBADF);
    assert_int_equal(linux_getsockopt(world.sides[0], tcp, SOL_SOCKET, SO_MARK, &value, NULL),
                     -EFAULT);
    length = 4;
    assert_int_equal(linux_getsockopt(world.sides[0], tcp, SOL_SOCKET, SO_MARK, NULL, &length),
                     -EFAULT);
    length = (socklen_t)-1;
    assert_int_equal(linux_getsockopt(world.sides[0], tcp, SOL_SOCKET, SO_MARK, &value, &length),
                     -EINVAL);
    length = 2; /* cut */
    value = -1;
    assert_int_equal(linux_getsockopt(world.sides[0], tcp, SOL_SOCKET, SO_TYPE, &value, &length),
                     0);
    assert_int_equal(length, 2);
    assert_int_equal(value, (int)0xffff0001);
}

/* IP_TOS and IP_TTL take and give a byte. */
static void test_bytes(void **state)
{
    uint8_t byte = 0x23;
    socklen_t length = 1;

    (void)state;
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_IP, IP_TOS, &byte, 1), 0);
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_IP, IP_TOS), 0x20);
    assert_int_equal(linux_setsockopt(world.sides[0], udp, IPPROTO_IP, IP_TOS, &byte, 1), 0);
    assert_int_equal(world_get(&world, 0, udp, IPPROTO_IP, IP_TOS), 0x23);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_IP, IP_TTL, &byte, 1), 0);
    assert_int_equal(linux_getsockopt(world.sides[0], tcp, IPPROTO_IP, IP_TTL, &byte, &length), 0);
    assert_int_equal(byte, 0x23);
    assert_int_equal(length, 1);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_IP, IP_TTL, &byte, 0), -EINVAL);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_IP, IP_TOS, NULL, 4), -EFAULT);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_IP, IP_RECVERR, &byte, 1), 0);
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_IP, IP_RECVERR), 1);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_IP, IP_RECVERR, NULL, 0), 0);
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_IP, IP_RECVERR), 0);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, NULL, 4),
                     -EFAULT);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, &length, 4),
                     -EINVAL);
}

static void test_read_only(void **state)
{
    (void)state;
    assert_int_equal(world_get(&world, 0, tcp, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(world_get(&world, 0, udp, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    assert_int_equal(world_get(&world, 0, tcp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(world_get(&world, 0, udp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
    assert_int_equal(world_get(&world, 0, tcp, SOL_SOCKET, SO_DOMAIN), AF_INET);
    assert_int_equal(world_get(&world, 0, tcp, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(world_get(&world, 0, tcp, SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_TCP, TCP_QUICKACK), 1);
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_TCP, TCP_MAXSEG), 536);
    assert_int_equal(world_get(&world, 0, udp, IPPROTO_TCP, TCP_MAXSEG), -EOPNOTSUPP);
    assert_int_equal(world_get(&world, 0, tcp, 77, 1), -EOPNOTSUPP);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, 77, 1, NULL, 0), -ENOPROTOOPT);
    assert_int_equal(linux_setsockopt(world.sides[0], udp, IPPROTO_TCP, TCP_NODELAY, NULL, 0),
                     -ENOPROTOOPT);
    assert_int_equal(world_get(&world, 0, udp, IPPROTO_UDP, 99), -ENOPROTOOPT);
    assert_int_equal(world_set(&world, 0, udp, SOL_SOCKET, SO_KEEPALIVE, 5), 0);
    assert_int_equal(world_get(&world, 0, udp, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(world_set(&world, 0, tcp, IPPROTO_TCP, TCP_DEFER_ACCEPT, 100000), 0);
    assert_int_equal(world_set(&world, 0, tcp, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0), 0);
    assert_int_equal(world_set(&world, 0, udp, IPPROTO_TCP, TCP_NODELAY, 1), -ENOPROTOOPT);
    assert_int_equal(world_get(&world, 0, udp, SOL_SOCKET, SO_SNDBUF), 212992);
    assert_int_equal(world_get(&world, 0, udp, SOL_SOCKET, SO_RCVBUF), 212992);
    assert_int_equal(world_set(&world, 0, udp, SOL_SOCKET, SO_BROADCAST, 1), 0);
    assert_int_equal(world_get(&world, 0, udp, SOL_SOCKET, SO_BROADCAST), 1);
}

static void test_linger(void **state)
{
    struct linger linger = {.l_onoff = 5, .l_linger = 3}, found;
    socklen_t length = sizeof(found);
    int64_t ours;

    (void)state;
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, &linger, 4),
                     -EINVAL);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, NULL, 8),
                     -EFAULT);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, &linger, 8), 0);
    assert_int_equal(linux_getsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, &found, &length),
                     0);
    assert_int_equal(length, sizeof(found));
    assert_int_equal(found.l_onoff, 1);
    assert_int_equal(found.l_linger, 3);
    weir_socket_get(world.stacks[0], linux_weir_socket(world.sides[0], tcp), WEIR_SO_LINGER, &ours);
    assert_true(ours == 3 * WEIR_SECOND);
    linger.l_onoff = 0;
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, SOL_SOCKET, SO_LINGER, &linger, 8), 0);
    weir_socket_get(world.stacks[0], linux_weir_socket(world.sides[0], tcp), WEIR_SO_LINGER, &ours);
    assert_true(ours == -1);
}

static void test_congestion_control(void **state)
{
    char name[20] = "xxxxxxxxxxxxxxxxxxx";
    socklen_t length = sizeof(name);

    (void)state;
    assert_int_equal(
        linux_getsockopt(world.sides[0], tcp, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    assert_int_equal(length, 16);
    assert_string_equal(name, "reno");
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4),
                     0);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5),
                     -ENOENT);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_TCP, TCP_CONGESTION, NULL, 5),
                     -EFAULT);
    assert_int_equal(linux_setsockopt(world.sides[0], tcp, IPPROTO_TCP, TCP_CONGESTION, "", 0),
                     -EINVAL);
}

/* What weir gets to see: bytes, not Linux's bookkeeping, and its own units. */
static void test_units(void **state)
{
    static const struct {
        int level, name, value;
        enum weir_option option;
        int64_t ours;
    } units[] = {
        {SOL_SOCKET, SO_SNDBUF, 10000, WEIR_SO_SNDBUF, 10000},
        {SOL_SOCKET, SO_RCVBUF, 10000, WEIR_SO_RCVBUF, 10000},
        {SOL_SOCKET, SO_RCVBUF, 1, WEIR_SO_RCVBUF, 2048},
        {IPPROTO_TCP, TCP_KEEPIDLE, 9, WEIR_TCP_KEEPIDLE, 9 * WEIR_SECOND},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 9, WEIR_TCP_USER_TIMEOUT, 9 * WEIR_MS},
        {IPPROTO_TCP, TCP_LINGER2, -1, WEIR_TCP_LINGER2, 0},
        {IPPROTO_TCP, TCP_LINGER2, 2, WEIR_TCP_LINGER2, 2 * WEIR_SECOND},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, 2, WEIR_TCP_DEFER_ACCEPT, 3 * WEIR_SECOND},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, WEIR_TCP_NOTSENT_LOWAT, UINT32_MAX},
        {IPPROTO_TCP, TCP_MAXSEG, 1000, WEIR_TCP_MAXSEG, 1000},
    };
    int64_t ours;

    (void)state;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        assert_int_equal(world_set(&world, 0, tcp, units[i].level, units[i].name, units[i].value),
                         0);
        weir_socket_get(world.stacks[0], linux_weir_socket(world.sides[0], tcp), units[i].option,
                        &ours);
        if (ours != units[i].ours)
            fail_msg("row %zu: %lld, expected %lld", i, (long long)ours, (long long)units[i].ours);
    }
}

static void test_inherited(void **state)
{
    struct sockaddr_in addr = world_addr(1, 80);
    int listener = (int)linux_socket(world.sides[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct linger linger = {.l_onoff = 1, .l_linger = 5}, got = {0};
    socklen_t length = sizeof(got);
    long child;

    (void)state;
    world_set(&world, 1, listener, SOL_SOCKET, SO_RCVBUF, 7000);
    world_set(&world, 1, listener, IPPROTO_TCP, TCP_MAXSEG, 1000);
    world_set(&world, 1, listener, SOL_SOCKET, SO_MARK, 77);
    world_set(&world, 1, listener, IPPROTO_TCP, TCP_LINGER2, -1);
    linux_setsockopt(world.sides[1], listener, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    linux_bind(world.sides[1], listener, (struct sockaddr *)&addr, sizeof(addr));
    linux_listen(world.sides[1], listener, 1);
    world_connect(&world, 0, tcp, 80);
    world_settle(&world);
    child = world_accept(&world, 1, listener);
    assert_true(child >= 0);
    assert_int_equal(world_get(&world, 1, (int)child, SOL_SOCKET, SO_RCVBUF), 14000);
    assert_int_equal(world_get(&world, 1, (int)child, SOL_SOCKET, SO_MARK), 77);
    assert_int_equal(world_get(&world, 1, (int)child, IPPROTO_TCP, TCP_LINGER2), -1);
    assert_int_equal(
        linux_getsockopt(world.sides[1], (int)child, SOL_SOCKET, SO_LINGER, &got, &length), 0);
    assert_int_equal(got.l_onoff, 1);
    assert_int_equal(got.l_linger, 5);
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_TCP, TCP_MAXSEG), 1000);
    assert_int_equal(world_set(&world, 0, tcp, IPPROTO_TCP, TCP_MAXSEG, 500), 0); /* too late */
    assert_int_equal(world_get(&world, 0, tcp, IPPROTO_TCP, TCP_MAXSEG), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_congestion_control, setup, teardown),
        cmocka_unit_test_setup_teardown(test_units, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inherited, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
