/* SPDX-License-Identifier: MIT */

/* TCP_INFO in Linux's layout and numbers, fields by name, SO_MEMINFO. */

#include "linux_world.h"

#include <lab/linux/info.h>
#include <linux/tcp.h>

static struct tcp_info info_of(struct world *world, int side, int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    assert_int_equal(
        linux_getsockopt(world->sides[side], fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(length, sizeof(info));
    return info;
}

/* The struct of a newer kernel than our headers': as long, tcpi_rcv_wnd in its place, the rest 0. */
static void test_longest(void **state)
{
    uint8_t bytes[LINUX_TCP_INFO_BYTES + 8];
    socklen_t length = sizeof(bytes);
    struct world world;
    uint32_t rcv_wnd;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(
        linux_getsockopt(world.sides[0], fds[0], IPPROTO_TCP, TCP_INFO, bytes, &length), 0);
    assert_int_equal(length, LINUX_TCP_INFO_BYTES);
    assert_int_equal(offsetof(struct tcp_info, tcpi_snd_wnd), 228);
    memcpy(&rcv_wnd, bytes + 232, sizeof(rcv_wnd));
    assert_in_range(rcv_wnd, 1, 65535);
    for (size_t i = 236; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], i < LINUX_TCP_INFO_BYTES ? 0 : 0xff);
    world_close(&world);
}

static void test_states(void **state)
{
    struct world world;
    int fds[2], listener;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(info_of(&world, 0, (int)fd).tcpi_state, 7);
    world_connect(&world, 0, (int)fd, 80);
    assert_int_equal(info_of(&world, 0, (int)fd).tcpi_state, 2);
    listener = world_listen(&world, 1, 81);
    assert_int_equal(info_of(&world, 1, listener).tcpi_state, 10);
    world_settle(&world);
    world_pair(&world, fds);
    assert_int_equal(info_of(&world, 0, fds[0]).tcpi_state, 1);
    linux_shutdown(world.sides[0], fds[0], SHUT_WR);
    assert_int_equal(info_of(&world, 0, fds[0]).tcpi_state, 4);
    world_settle(&world);
    assert_int_equal(info_of(&world, 0, fds[0]).tcpi_state, 5);
    assert_int_equal(info_of(&world, 1, fds[1]).tcpi_state, 8);
    world_close(&world);
}

static void test_numbers(void **state)
{
    static char bytes[20000];
    struct tcp_info info;
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    info = info_of(&world, 0, fds[0]);
    assert_int_equal(info.tcpi_snd_mss, 1460);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_snd_ssthresh, 0x7fffffff);
    assert_int_equal(info.tcpi_ca_state, 0);
    assert_int_equal(info.tcpi_unacked, 0);
    world.is_cut = true;
    assert_int_equal(world_send(&world, 0, fds[0], bytes, 20000, 0), 20000);
    world_settle(&world);
    info = info_of(&world, 0, fds[0]);
    assert_int_equal(info.tcpi_unacked, 10);
    assert_int_equal(info.tcpi_delivered, 1); /* the SYN */
    assert_int_equal(info.tcpi_advmss, 1460);
    assert_int_equal(info.tcpi_rcv_mss, 536);
    assert_int_equal(info.tcpi_reordering, 3);
    assert_int_equal(info.tcpi_lost + info.tcpi_retrans + info.tcpi_sacked, 0);
    assert_int_equal(info.tcpi_notsent_bytes, 20000 - 14600);
    world_pass(&world, 2 * WEIR_SECOND);
    info = info_of(&world, 0, fds[0]);
    assert_int_equal(info.tcpi_ca_state, 4);
    assert_true(info.tcpi_retransmits >= 1);
    assert_int_equal(info.tcpi_total_retrans, info.tcpi_retransmits);
    assert_int_equal(info.tcpi_snd_cwnd, 1);
    assert_int_equal(info.tcpi_lost, 10);
    assert_int_equal(info.tcpi_retrans, 1);
    assert_in_range(info.tcpi_busy_time, 2000000, 2100000);
    assert_in_range(info.tcpi_last_data_recv, 2000, 2100);
    assert_in_range(info.tcpi_last_ack_recv, 2000, 2100);
    assert_true(info.tcpi_last_data_sent < 2000);
    world_close(&world);
}

/* Names come in the struct's order, and each is what stands in the struct. */
static void test_names(void **state)
{
    struct tcp_info info;
    int64_t value;
    size_t count;

    (void)state;
    memset(&info, 0, sizeof(info));
    info.tcpi_state = 3;
    info.tcpi_rtt = 0x80000001u;
    info.tcpi_bytes_acked = 1ull << 40;
    info.tcpi_snd_wscale = 7;
    assert_true(linux_tcp_info_field(&info, "tcpi_state", &value));
    assert_int_equal(value, 3);
    assert_true(linux_tcp_info_field(&info, "tcpi_rtt", &value));
    assert_int_equal(value, 0x80000001u);
    assert_true(linux_tcp_info_field(&info, "tcpi_bytes_acked", &value));
    assert_int_equal(value, 1ll << 40);
    assert_true(linux_tcp_info_field(&info, "tcpi_snd_wscale", &value));
    assert_int_equal(value, 7);
    assert_false(linux_tcp_info_field(&info, "tcpi_nonsense", &value));
    assert_false(linux_tcp_info_field(&info, "tcpi_rcv_space", &value)); /* not known */
    for (count = 0; linux_tcp_info_name(count); count++)
        assert_memory_equal(linux_tcp_info_name(count), "tcpi_", 5);
    assert_true(count > 50);
    for (count = 0; linux_meminfo_name(count); count++)
        assert_memory_equal(linux_meminfo_name(count), "SK_MEMINFO_", 11);
    assert_int_equal(count, LINUX_MEMINFO_WORDS);
}

static void test_lengths(void **state)
{
    uint32_t words[LINUX_MEMINFO_WORDS];
    uint8_t bytes[8] = {0, 99, 99, 99, 99, 99, 99, 99};
    socklen_t length = 1;
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    assert_int_equal(
        linux_getsockopt(world.sides[0], fds[0], IPPROTO_TCP, TCP_INFO, bytes, &length), 0);
    assert_int_equal(length, 1);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[1], 99);
    length = 8;
    assert_int_equal(
        linux_getsockopt(world.sides[0], fds[0], IPPROTO_TCP, TCP_CC_INFO, bytes, &length), 0);
    assert_int_equal(length, 0);
    world_set(&world, 0, fds[0], SOL_SOCKET, SO_SNDBUF, 5000);
    world_send(&world, 0, fds[0], "abc", 3, 0);
    length = sizeof(words);
    assert_int_equal(
        linux_getsockopt(world.sides[0], fds[0], SOL_SOCKET, SO_MEMINFO, words, &length), 0);
    assert_int_equal(length, sizeof(words));
    assert_int_equal(words[3], 10000); /* SNDBUF */
    assert_int_equal(words[5], 3);     /* WMEM_QUEUED */
    world_close(&world);
}

/* Each duplicate ACK stands for a segment, but one that is out is what they wait for. */
static void test_sacked(void **state)
{
    static const struct {
        uint32_t unacked, duplicates, sacked;
    } rows[] = {{0, 0, 0}, {0, 3, 0}, {1, 1, 0}, {4, 0, 0}, {4, 2, 2}, {4, 3, 3}, {4, 9, 3}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_tcp_info from = {.state = WEIR_STATE_ESTABLISHED,
                                     .mss = 1000,
                                     .segments_unacked = rows[i].unacked,
                                     .duplicate_acks = rows[i].duplicates};
        struct tcp_info to;

        linux_tcp_info_from(&from, 0, &to);
        assert_int_equal(to.tcpi_sacked, rows[i].sacked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_longest), cmocka_unit_test(test_states),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_names),
        cmocka_unit_test(test_sacked),  cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
