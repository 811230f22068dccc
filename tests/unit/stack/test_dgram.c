/* SPDX-License-Identifier: MIT */

/* Raw and echo sockets between real stacks: sizes and fragments, TTL and TOS, ICMP errors, the
 * pattern of traceroute, bounded queues. */

#include "lan.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PROTOCOL 99
#define MOST 65507u

static uint8_t sent[MOST + 1], got[MOST + 1];

static void fill(size_t length)
{
    for (size_t i = 0; i < length; i++)
        sent[i] = (uint8_t)(i * 7 + (i >> 8));
}

static struct weir_datagram to_peer(void)
{
    return (struct weir_datagram){.peer = lan_addr(0, 1), .local = weir_addr_any4()};
}

static void sizes_arrive_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 1472, 1480, 1481, 2960, 9000, 65506, MOST};
    struct weir_datagram to = to_peer(), from;
    struct lan lan;
    int raw[2], echo;

    (void)state;
    fill(sizeof(sent));
    lan_pair(&lan, 256);
    for (int i = 0; i < 2; i++)
        raw[i] = weir_socket_open(lan.stacks[i], WEIR_RAW, PROTOCOL);
    echo = weir_socket_open(lan.stacks[0], WEIR_ECHO, 0);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        long size = (long)sizes[i];

        to.echo_sequence = (uint16_t)i;
        assert_int_equal(weir_socket_sendto(lan.stacks[0], raw[0], sent, sizes[i], &to), size);
        lan_settle(&lan);
        memset(got, 0, sizeof(got));
        assert_int_equal(weir_socket_recvfrom(lan.stacks[1], raw[1], got, sizeof(got), &from),
                         size);
        assert_memory_equal(got, sent, sizes[i]);
        assert_int_equal(weir_addr_to4(&from.peer), 0x0a000001);
        assert_int_equal(weir_addr_to4(&from.local), 0x0a000002);
        assert_int_equal(weir_socket_sendto(lan.stacks[0], echo, sent, sizes[i], &to), size);
        lan_settle(&lan);
        assert_int_equal(weir_socket_recvfrom(lan.stacks[0], echo, got, sizeof(got), &from), size);
        assert_memory_equal(got, sent, sizes[i]);
        assert_int_equal(from.echo_sequence, i);
        assert_int_equal(from.icmp_type, 0);
    }
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw[0], sent, MOST + 1, &to), WEIR_EMSGSIZE);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], echo, sent, MOST + 1, &to), WEIR_EMSGSIZE);
    assert_int_equal(weir_socket_recvfrom(lan.stacks[0], echo, got, 10, NULL), WEIR_EAGAIN);
    lan_done(&lan);
}

static void excess_is_cut_off_and_order_kept(void **state)
{
    struct weir_datagram to = to_peer();
    struct lan lan;
    int raw[2];

    (void)state;
    fill(100);
    lan_pair(&lan, 64);
    for (int i = 0; i < 2; i++)
        raw[i] = weir_socket_open(lan.stacks[i], WEIR_RAW, PROTOCOL);
    for (size_t size = 50; size < 60; size++)
        weir_socket_sendto(lan.stacks[0], raw[0], sent, size, &to);
    lan_settle(&lan);
    assert_true(weir_socket_ready(lan.stacks[1], raw[1]) & WEIR_IN);
    for (int size = 50; size < 60; size++) {
        memset(got, 0xee, 100);
        assert_int_equal(weir_socket_recvfrom(lan.stacks[1], raw[1], got, 8, NULL), size);
        assert_memory_equal(got, sent, 8);
        assert_int_equal(got[8], 0xee);
    }
    assert_false(weir_socket_ready(lan.stacks[1], raw[1]) & WEIR_IN);
    lan_done(&lan);
}

/* The datagram's own, else the socket's, else the profile's. */
static void ttl_and_tos_travel(void **state)
{
    static const struct {
        int socket_ttl, socket_tos;
        uint8_t ttl, tos, ttl_seen, tos_seen;
    } rows[] = {
        {0, -1, 0, 0, 64, 0}, {0, -1, 5, 8, 5, 8},        {33, 16, 0, 0, 33, 16},
        {33, 16, 5, 8, 5, 8}, {255, 255, 0, 0, 255, 255}, {1, 0, 0, 0, 1, 0},
    };
    struct weir_datagram from;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_datagram to = to_peer();
        struct lan lan;
        int raw[2];

        lan_pair(&lan, 64);
        for (int k = 0; k < 2; k++)
            raw[k] = weir_socket_open(lan.stacks[k], WEIR_RAW, PROTOCOL);
        if (rows[i].socket_ttl)
            weir_socket_set(lan.stacks[0], raw[0], WEIR_IP_TTL, rows[i].socket_ttl);
        if (rows[i].socket_tos >= 0)
            weir_socket_set(lan.stacks[0], raw[0], WEIR_IP_TOS, rows[i].socket_tos);
        to.ttl = rows[i].ttl;
        to.tos = rows[i].tos;
        assert_int_equal(weir_socket_sendto(lan.stacks[0], raw[0], "x", 1, &to), 1);
        lan_settle(&lan);
        assert_int_equal(weir_socket_recvfrom(lan.stacks[1], raw[1], got, 1, &from), 1);
        assert_int_equal(from.ttl, rows[i].ttl_seen);
        assert_int_equal(from.tos, rows[i].tos_seen);
        lan_done(&lan);
    }
}

static void what_sendto_refuses(void **state)
{
    struct weir_endpoint peer = {.addr = lan_addr(0, 1)};
    struct weir_datagram to = to_peer();
    struct lan lan;
    int raw;

    (void)state;
    lan_pair(&lan, 2);
    raw = weir_socket_open(lan.stacks[0], WEIR_RAW, PROTOCOL);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, NULL), WEIR_ENOTCONN);
    to.peer = weir_addr_from4(0x0b000001);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, &to), WEIR_ENETUNREACH);
    to.peer = lan_addr(0, 9);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, &to), WEIR_EHOSTUNREACH);
    to = to_peer();
    to.local = lan_addr(0, 9);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, &to), WEIR_EADDRNOTAVAIL);
    to = to_peer();
    assert_int_equal(weir_socket_connect(lan.stacks[0], raw, &peer, lan.now), 0);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, NULL), 1);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, &to), 1);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], raw, "x", 1, &to), WEIR_ENOBUFS); /* full */
    lan_settle(&lan);
    lan.stacks[0]->alloc.budget = lan.stacks[0]->alloc.used;
    weir_socket_close(lan.stacks[0], raw);
    lan.stacks[0]->alloc.budget = 1 << 20;
    raw = weir_socket_open(lan.stacks[0], WEIR_RAW, PROTOCOL); /* the protocol is free again */
    assert_true(raw >= 0);
    weir_stack_set_iface_up(lan.stacks[0], 0, false);
    assert_true(weir_socket_sendto(lan.stacks[0], raw, "x", 1, &to) < 0);
    lan_done(&lan);
}

/* ---- Errors --------------------------------------------------------------------------------------- */

/* Node 0 - router 1 - node 2: one hop more each time, until the far end answers itself. */
static void the_pattern_of_traceroute(void **state)
{
    struct weir_stack_config config;
    struct weir_addr hops[2] = {lan_addr(0, 1), lan_addr(1, 0)};
    struct weir_prefix nets[2] = {weir_prefix_from4(0x0a000100, 24),
                                  weir_prefix_from4(0x0a000000, 24)};
    struct weir_datagram to = {.peer = lan_addr(1, 1), .local = weir_addr_any4()}, from;
    struct lan lan;
    int echo, raw;

    (void)state;
    lan_init(&lan);
    lan_config(&config);
    lan_add(&lan, NULL);
    config.forwarding = true;
    lan_add(&lan, &config);
    lan_add(&lan, NULL);
    lan_join(&lan, 0, 1, 64);
    lan_join(&lan, 1, 2, 64);
    weir_stack_add_route(lan.stacks[0], &nets[0], &hops[0]);
    weir_stack_add_route(lan.stacks[2], &nets[1], &hops[1]);
    echo = weir_socket_open(lan.stacks[0], WEIR_ECHO, 0);
    raw = weir_socket_open(lan.stacks[0], WEIR_RAW, PROTOCOL);
    fill(20);
    for (uint8_t ttl = 1; ttl <= 2; ttl++) {
        to.ttl = ttl;
        to.echo_sequence = (uint16_t)(500 + ttl);
        weir_socket_sendto(lan.stacks[0], echo, sent, 20, &to);
        lan_settle(&lan);
        assert_true(weir_socket_recvfrom(lan.stacks[0], echo, got, 64, &from) >= 0);
        assert_int_equal(from.icmp_type, ttl == 1 ? 11 : 0);
        assert_int_equal(from.echo_sequence, 500 + ttl);
        assert_int_equal(weir_addr_to4(&from.peer), ttl == 1 ? 0x0a000002 : 0x0a000102);
        if (ttl == 1)
            assert_int_equal(weir_addr_to4(&from.about), 0x0a000102);
    }
    lan_advance(&lan, WEIR_SECOND);
    to.ttl = 0;
    weir_socket_sendto(lan.stacks[0], raw, sent, 20, &to); /* nobody takes it there */
    lan_settle(&lan);
    assert_true(weir_socket_recvfrom(lan.stacks[0], raw, got, 64, &from) >= 8);
    assert_int_equal(from.icmp_type, 3);
    assert_int_equal(from.icmp_code, 2);
    assert_memory_equal(got, sent, 8); /* what it quotes of our payload */
    assert_int_equal(weir_socket_recvfrom(lan.stacks[0], echo, got, 64, &from), WEIR_EAGAIN);
    lan_done(&lan);
}

static void echoes_go_to_who_asked(void **state)
{
    enum { SOCKETS = 50 };
    struct weir_datagram to = to_peer(), from;
    uint16_t ids[SOCKETS];
    struct lan lan;
    int s[SOCKETS];

    (void)state;
    lan_pair(&lan, 256);
    for (int i = 0; i < SOCKETS; i++) {
        uint8_t byte = (uint8_t)i;

        s[i] = weir_socket_open(lan.stacks[0], WEIR_ECHO, 0);
        assert_int_equal(weir_socket_sendto(lan.stacks[0], s[i], &byte, 1, &to), 1);
    }
    weir_socket_close(lan.stacks[0], s[7]); /* its answer is nobody's */
    lan_settle(&lan);
    for (int i = 0; i < SOCKETS; i++) {
        if (i == 7)
            continue;
        assert_int_equal(weir_socket_recvfrom(lan.stacks[0], s[i], got, 9, &from), 1);
        assert_int_equal(got[0], i);
        ids[i] = from.echo_id;
        for (int k = 0; k < i; k++)
            assert_true(k == 7 || ids[k] != ids[i]);
    }
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_ICMP_TYPE), 1);
    lan_done(&lan);
}

/* A queue takes 256 KiB, the rest is dropped and counted; what is there stays whole. */
static void queues_are_bounded(void **state)
{
    struct weir_datagram to = to_peer();
    uint32_t held;
    struct lan lan;
    int raw[2];

    (void)state;
    lan_pair(&lan, 64);
    for (int i = 0; i < 2; i++)
        raw[i] = weir_socket_open(lan.stacks[i], WEIR_RAW, PROTOCOL);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(weir_socket_sendto(lan.stacks[0], raw[0], sent, 1400, &to), 1400);
        lan_settle(&lan);
    }
    held = lan_budget(&lan, 1).datagrams;
    assert_in_range(held, 150, DGRAM_QUEUE_BYTES / 1400);
    assert_int_equal(lan_dropped(&lan, 1, WEIR_DROP_DGRAM_FULL), 300 - held);
    for (uint32_t i = 0; i < held; i++)
        assert_int_equal(weir_socket_recvfrom(lan.stacks[1], raw[1], got, 2000, NULL), 1400);
    assert_int_equal(weir_socket_recvfrom(lan.stacks[1], raw[1], got, 2000, NULL), WEIR_EAGAIN);
    lan_done(&lan);
}

/* A connected socket hears its peer alone. */
static void connected_sockets_hear_their_peer(void **state)
{
    struct weir_endpoint peer = {.addr = lan_addr(1, 1)}, remote;
    struct weir_datagram to = to_peer();
    struct lan lan;
    int raw[2];

    (void)state;
    lan_pair(&lan, 64);
    for (int i = 0; i < 2; i++)
        raw[i] = weir_socket_open(lan.stacks[i], WEIR_RAW, PROTOCOL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_socket_connect(lan.stacks[1], raw[1], &peer, lan.now), 0);
        assert_int_equal(weir_socket_remote(lan.stacks[1], raw[1], &remote), 0);
        assert_true(weir_addr_equal(&remote.addr, &peer.addr));
        weir_socket_sendto(lan.stacks[0], raw[0], "x", 1, &to);
        lan_settle(&lan);
        assert_int_equal(weir_socket_recvfrom(lan.stacks[1], raw[1], got, 9, NULL),
                         i ? 1 : WEIR_EAGAIN);
        peer.addr = lan_addr(0, 0);
    }
    lan_done(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_arrive_whole),
        cmocka_unit_test(excess_is_cut_off_and_order_kept),
        cmocka_unit_test(ttl_and_tos_travel),
        cmocka_unit_test(what_sendto_refuses),
        cmocka_unit_test(the_pattern_of_traceroute),
        cmocka_unit_test(echoes_go_to_who_asked),
        cmocka_unit_test(queues_are_bounded),
        cmocka_unit_test(connected_sockets_hear_their_peer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
