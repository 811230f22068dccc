/* SPDX-License-Identifier: MIT */

/* UDP sockets between real stacks, and against datagrams made by hand: ports, names, who gets what,
 * errors, bounds. */

#include "lan.h"

#include <base/bytes.h>
#include <string.h>
#include <weir/packet.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST 65507u
#define ANY 0u
#define OURS 0x0a000001u
#define PEER 0x0a000002u
#define OUR_SECOND 0x0a000101u
#define BROADCAST 0x0a0000ffu

static uint8_t sent[MOST + 1], got[MOST + 1];

static struct weir_endpoint at(uint32_t addr, uint16_t port)
{
    return (struct weir_endpoint){.addr = weir_addr_from4(addr), .port = port};
}

static struct weir_datagram to(uint32_t addr, uint16_t port)
{
    return (struct weir_datagram){.peer = weir_addr_from4(addr), .peer_port = port};
}

static int open_at(struct weir_stack *stack, uint32_t addr, uint16_t port)
{
    struct weir_endpoint local = at(addr, port);
    int s = weir_socket_open(stack, WEIR_UDP, 0);

    assert_true(s >= 0);
    assert_int_equal(weir_socket_bind(stack, s, &local), 0);
    return s;
}

static int connect_to(struct weir_stack *stack, int s, uint32_t addr, uint16_t port)
{
    struct weir_endpoint remote = at(addr, port);

    return weir_socket_connect(stack, s, &remote, WEIR_SECOND);
}

static struct weir_endpoint local_of(const struct weir_stack *stack, int s)
{
    struct weir_endpoint local;

    assert_int_equal(weir_socket_local(stack, s, &local), 0);
    return local;
}

static void expect_local(const struct weir_stack *stack, int s, uint32_t addr, uint16_t port)
{
    struct weir_endpoint local = local_of(stack, s);

    assert_int_equal(weir_addr_to4(&local.addr), addr);
    assert_int_equal(local.port, port);
}

/* ---- Datagrams by hand -------------------------------------------------------------------------- */

struct hand {
    uint32_t src, dst;
    uint16_t sport, dport;
    const char *data;
};

/* A datagram as if from the wire of node 0's first interface; `bytes` of it are its UDP part. */
static size_t make(const struct hand *hand, uint8_t bytes[200])
{
    struct weir_packet packet = {.src = weir_addr_from4(hand->src),
                                 .dst = weir_addr_from4(hand->dst),
                                 .ttl = 9,
                                 .tos = 4,
                                 .protocol = 17,
                                 .sport = hand->sport,
                                 .dport = hand->dport,
                                 .payload = (const uint8_t *)hand->data,
                                 .payload_length = (uint32_t)strlen(hand->data)};
    long length = weir_packet_emit(&packet, bytes, 200);

    assert_true(length > 0);
    return (size_t)length;
}

static void feed(struct lan *lan, uint8_t *bytes, size_t length)
{
    struct weir_frame frame = {.data = bytes, .length = (uint32_t)length, .l2 = WEIR_L2_IP};

    weir_stack_input(lan->stacks[0], 0, &frame, 1, lan->now);
    lan_settle(lan);
}

static void arrive(struct lan *lan, const struct hand *hand)
{
    uint8_t bytes[200];
    size_t length = make(hand, bytes);

    feed(lan, bytes, length);
}

static long take(struct lan *lan, int node, int s, struct weir_datagram *from)
{
    memset(got, 0, 64);
    return weir_socket_recvfrom(lan->stacks[node], s, got, sizeof(got), from);
}

/* ---- There and back ----------------------------------------------------------------------------- */

/* RFC 768 Fields [768-1], RFC 1122 4.1.3.4 [768-2], RFC 1122 3.3.3 [1122-28]. */
static void sizes_arrive_whole_and_are_answered(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 1471, 1472, 1473, 2952, 2953, 9000, MOST - 1, MOST};
    struct weir_datagram target = to(PEER, 53), from, back;
    struct lan lan;
    int client, server;

    (void)state;
    for (size_t i = 0; i < sizeof(sent); i++)
        sent[i] = (uint8_t)(i * 7 + (i >> 8));
    lan_pair(&lan, 256);
    client = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    server = open_at(lan.stacks[1], ANY, 53);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        long size = (long)sizes[i];

        assert_int_equal(weir_socket_sendto(lan.stacks[0], client, sent, sizes[i], &target), size);
        lan_settle(&lan);
        memset(got, 0, sizeof(got));
        assert_int_equal(weir_socket_recvfrom(lan.stacks[1], server, got, sizeof(got), &from),
                         size);
        assert_memory_equal(got, sent, sizes[i]);
        assert_int_equal(weir_addr_to4(&from.peer), OURS);
        assert_int_equal(weir_addr_to4(&from.local), PEER);
        assert_int_equal(from.local_port, 53);
        assert_int_equal(from.peer_port, local_of(lan.stacks[0], client).port);
        assert_int_equal(from.icmp_type, 0);
        assert_int_equal(weir_socket_sendto(lan.stacks[1], server, sent, sizes[i], &from), size);
        lan_settle(&lan);
        assert_int_equal(take(&lan, 0, client, &back), size);
        assert_memory_equal(got, sent, sizes[i]);
        assert_int_equal(back.peer_port, 53);
    }
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_UDP_OUT), COUNT(sizes));
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_UDP_IN), COUNT(sizes));
    lan_done(&lan);
}

static void to_ourselves(void **state)
{
    static const uint32_t addrs[] = {OURS, 0x7f000001};
    struct weir_datagram from;
    struct lan lan;
    int a, b;

    (void)state;
    lan_pair(&lan, 16);
    a = open_at(lan.stacks[0], ANY, 1000);
    b = open_at(lan.stacks[0], ANY, 2000);
    for (size_t i = 0; i < COUNT(addrs); i++) {
        struct weir_datagram target = to(addrs[i], 2000);

        assert_int_equal(weir_socket_sendto(lan.stacks[0], a, "self", 4, &target), 4);
        lan_settle(&lan);
        assert_int_equal(take(&lan, 0, b, &from), 4);
        assert_int_equal(weir_addr_to4(&from.peer), addrs[i]);
        assert_int_equal(from.peer_port, 1000);
    }
    lan_done(&lan);
}

/* RFC 1122 4.1.4 [768-7]: for this datagram only; what arrived is told. */
static void ttl_and_tos_of_one_datagram(void **state)
{
    static const uint8_t rows[][4] = {{0, 0, 64, 0}, {3, 184, 3, 184}, {0, 0, 64, 0}};
    struct weir_datagram target = to(PEER, 53), from;
    struct lan lan;
    int client, server;

    (void)state;
    lan_pair(&lan, 16);
    client = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    server = open_at(lan.stacks[1], ANY, 53);
    for (size_t i = 0; i < COUNT(rows); i++) {
        target.ttl = rows[i][0];
        target.tos = rows[i][1];
        weir_socket_sendto(lan.stacks[0], client, "x", 1, &target);
        lan_settle(&lan);
        assert_int_equal(take(&lan, 1, server, &from), 1);
        assert_int_equal(from.ttl, rows[i][2]);
        assert_int_equal(from.tos, rows[i][3]);
    }
    assert_int_equal(weir_socket_set(lan.stacks[0], client, WEIR_IP_TTL, 7), 0);
    weir_socket_sendto(lan.stacks[0], client, "x", 1, &target);
    target.ttl = 0;
    weir_socket_sendto(lan.stacks[0], client, "x", 1, &target);
    lan_settle(&lan);
    take(&lan, 1, server, &from);
    assert_int_equal(take(&lan, 1, server, &from), 1);
    assert_int_equal(from.ttl, 7);
    lan_done(&lan);
}

/* ---- Names -------------------------------------------------------------------------------------- */

static void ports_clash_where_addresses_meet(void **state)
{
    static const struct {
        uint32_t first, second;
        uint16_t port;
        int result;
    } rows[] = {
        {ANY, ANY, 80, WEIR_EADDRINUSE},     {ANY, OURS, 80, WEIR_EADDRINUSE},
        {OURS, ANY, 80, WEIR_EADDRINUSE},    {OURS, OURS, 80, WEIR_EADDRINUSE},
        {OURS, OUR_SECOND, 80, 0},           {ANY, ANY, 81, 0},
        {ANY, PEER, 81, WEIR_EADDRNOTAVAIL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_endpoint local = at(rows[i].second, rows[i].port);
        struct lan lan;
        int a, b, tcp;

        lan_pair(&lan, 16);
        lan_join(&lan, 0, 1, 16);
        a = open_at(lan.stacks[0], rows[i].first, 80);
        b = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
        assert_int_equal(weir_socket_bind(lan.stacks[0], b, &local), rows[i].result);
        tcp = weir_socket_open(lan.stacks[0], WEIR_TCP, 0); /* TCP's ports are others */
        local.addr = weir_addr_any4();
        assert_int_equal(weir_socket_bind(lan.stacks[0], tcp, &local), 0);
        weir_socket_close(lan.stacks[0], a);
        local.addr = weir_addr_from4(rows[i].first);
        if (rows[i].result == WEIR_EADDRINUSE)
            assert_int_equal(weir_socket_bind(lan.stacks[0], b, &local), 0);
        lan_done(&lan);
    }
}

static void a_name_is_given_once(void **state)
{
    struct weir_endpoint local = at(ANY, 0);
    struct weir_datagram target = to(PEER, 9);
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    expect_local(lan.stacks[0], s, ANY, 0);
    assert_int_equal(weir_socket_bind(lan.stacks[0], s, &local), 0);
    local = local_of(lan.stacks[0], s);
    assert_in_range(local.port, 32768, 60999); /* chosen at once */
    assert_int_equal(weir_socket_bind(lan.stacks[0], s, &local), WEIR_EINVAL);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "x", 1, &target), 1);
    assert_in_range(local_of(lan.stacks[0], s).port, 32768, 60999);
    assert_int_equal(weir_socket_bind(lan.stacks[0], s, &local), WEIR_EINVAL);
    lan_done(&lan);
}

/* RFC 6056 3.3.1: at random, all different, and all of them before there are none. */
static void every_ephemeral_port_is_found(void **state)
{
    static uint8_t seen[65536];
    struct weir_endpoint any = at(ANY, 0);
    uint32_t steps_of_one = 0;
    uint16_t last = 0;
    struct lan lan;
    int s;

    (void)state;
    memset(seen, 0, sizeof(seen));
    lan_pair(&lan, 16);
    open_at(lan.stacks[0], OURS, 40000); /* taken */
    for (uint32_t i = 0; i < EPHEMERAL_COUNT - 1; i++) {
        uint16_t port = local_of(lan.stacks[0], open_at(lan.stacks[0], ANY, 0)).port;

        assert_in_range(port, EPHEMERAL_FIRST, EPHEMERAL_FIRST + EPHEMERAL_COUNT - 1);
        assert_false(seen[port]++);
        if (i < 1000)
            steps_of_one += port == last + 1;
        last = port;
    }
    assert_false(seen[40000]);
    assert_true(steps_of_one < 20);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    assert_int_equal(weir_socket_bind(lan.stacks[0], s, &any), WEIR_EADDRNOTAVAIL);
    assert_int_equal(connect_to(lan.stacks[0], s, PEER, 1), WEIR_EADDRNOTAVAIL);
    lan_done(&lan);
}

/* RFC 1122 4.1.3.5 [768-5]: a wildcard socket learns which address was asked, and answers from it;
 * RFC 1122 3.3.4.2 [1122-29]. */
static void the_local_address_is_learnt_and_chosen(void **state)
{
    struct weir_datagram target = to(OUR_SECOND, 53), from;
    struct lan lan;
    int client, server;

    (void)state;
    lan_pair(&lan, 16);
    lan_join(&lan, 0, 1, 16);
    server = open_at(lan.stacks[0], ANY, 53);
    client = open_at(lan.stacks[1], PEER, 1000);
    assert_int_equal(weir_socket_sendto(lan.stacks[1], client, "x", 1, &target), 1);
    lan_settle(&lan);
    assert_int_equal(take(&lan, 0, server, &from), 1);
    assert_int_equal(weir_addr_to4(&from.local), OUR_SECOND);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], server, "y", 1, &from), 1);
    lan_settle(&lan);
    assert_int_equal(take(&lan, 1, client, &from), 1);
    assert_int_equal(weir_addr_to4(&from.peer), OUR_SECOND);
    target = to(PEER, 1000);
    target.local = weir_addr_from4(PEER); /* not ours */
    assert_int_equal(weir_socket_sendto(lan.stacks[0], server, "y", 1, &target),
                     WEIR_EADDRNOTAVAIL);
    lan_done(&lan);
}

/* ---- Connecting --------------------------------------------------------------------------------- */

static void connect_names_both_ends(void **state)
{
    struct weir_socket_row row;
    struct weir_endpoint remote;
    struct lan lan;
    uint16_t port;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    lan_join(&lan, 0, 1, 16);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    assert_int_equal(weir_socket_remote(lan.stacks[0], s, &remote), WEIR_ENOTCONN);
    assert_int_equal(connect_to(lan.stacks[0], s, PEER, 53), 0);
    port = local_of(lan.stacks[0], s).port;
    assert_in_range(port, 32768, 60999);
    expect_local(lan.stacks[0], s, OURS, port);
    assert_int_equal(weir_socket_remote(lan.stacks[0], s, &remote), 0);
    assert_int_equal(weir_addr_to4(&remote.addr), PEER);
    assert_int_equal(remote.port, 53);
    assert_int_equal(weir_inspect_socket(lan.stacks[0], s, &row), s);
    assert_int_equal(row.kind, WEIR_UDP);
    assert_int_equal(row.remote.port, 53);
    assert_int_equal(row.local.port, port);
    assert_int_equal(connect_to(lan.stacks[0], s, 0x0a000102, 54), 0); /* again, another way */
    expect_local(lan.stacks[0], s, OUR_SECOND, port);
    s = open_at(lan.stacks[0], OURS, 99);
    assert_int_equal(connect_to(lan.stacks[0], s, 0x0a000102, 54), 0);
    expect_local(lan.stacks[0], s, OURS, 99); /* bind's word stands */
    lan_done(&lan);
}

static void what_connect_refuses(void **state)
{
    static const struct {
        uint32_t addr;
        uint16_t port;
        int result;
    } rows[] = {
        {PEER, 0, WEIR_EADDRNOTAVAIL},       {ANY, 53, WEIR_EADDRNOTAVAIL},
        {BROADCAST, 53, WEIR_EADDRNOTAVAIL}, {0xe0000001, 53, WEIR_EADDRNOTAVAIL},
        {0x0b000001, 53, WEIR_ENETUNREACH},  {0x0a000009, 53, WEIR_EHOSTUNREACH},
    };
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(connect_to(lan.stacks[0], s, rows[i].addr, rows[i].port), rows[i].result);
        expect_local(lan.stacks[0], s, ANY, 0);
    }
    lan_done(&lan);
}

/* Disconnecting gives back what connect chose, and only that. */
static void disconnect_gives_back(void **state)
{
    static const struct {
        uint32_t addr;
        uint16_t port;
    } rows[] = {{ANY, 0}, {ANY, 99}, {OURS, 99}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct hand stranger = {0x0a000007, OURS, 7, 99, "x"};
        struct weir_endpoint local = at(rows[i].addr, rows[i].port), remote;
        struct lan lan;
        int s;

        lan_pair(&lan, 16);
        s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
        if (rows[i].port)
            assert_int_equal(weir_socket_bind(lan.stacks[0], s, &local), 0);
        assert_int_equal(connect_to(lan.stacks[0], s, PEER, 53), 0);
        udp_disconnect(lan.stacks[0], socket_get(lan.stacks[0], s));
        expect_local(lan.stacks[0], s, rows[i].addr, rows[i].port);
        assert_int_equal(weir_socket_remote(lan.stacks[0], s, &remote), WEIR_ENOTCONN);
        assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "x", 1, NULL), WEIR_ENOTCONN);
        arrive(&lan, &stranger);
        assert_int_equal(take(&lan, 0, s, NULL), rows[i].port ? 1 : WEIR_EAGAIN);
        lan_done(&lan);
    }
}

static void a_connected_socket_sends_elsewhere_too(void **state)
{
    struct weir_datagram other = to(PEER, 54), unnamed = {.ttl = 5}, from;
    struct lan lan;
    int s, servers[2];

    (void)state;
    lan_pair(&lan, 16);
    servers[0] = open_at(lan.stacks[1], ANY, 53);
    servers[1] = open_at(lan.stacks[1], ANY, 54);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    connect_to(lan.stacks[0], s, PEER, 53);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "a", 1, NULL), 1);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "b", 1, &other), 1);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "c", 1, &unnamed), 1);
    lan_settle(&lan);
    assert_int_equal(take(&lan, 1, servers[0], NULL), 1);
    assert_int_equal(got[0], 'a');
    assert_int_equal(take(&lan, 1, servers[0], &from), 1);
    assert_int_equal(got[0], 'c');
    assert_int_equal(from.ttl, 5);
    assert_int_equal(take(&lan, 1, servers[1], NULL), 1);
    assert_int_equal(got[0], 'b');
    lan_done(&lan);
}

static void what_sendto_refuses(void **state)
{
    static const struct {
        uint32_t addr;
        uint16_t port;
        size_t length;
        int result;
    } rows[] = {
        {PEER, 53, MOST + 1, WEIR_EMSGSIZE},
        {PEER, 0, 1, WEIR_EINVAL},
        {ANY, 53, 1, WEIR_ENOTCONN},
        {BROADCAST, 53, 1, WEIR_ENETUNREACH},
        {0xe0000001, 53, 1, WEIR_ENETUNREACH},
        {0x0b000001, 53, 1, WEIR_ENETUNREACH},
        {0x0a000009, 53, 1, WEIR_EHOSTUNREACH},
    };
    struct weir_datagram target = to(PEER, 53);
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 2);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    assert_int_equal(weir_socket_open(lan.stacks[0], WEIR_UDP, 17), WEIR_EINVAL);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "x", 1, NULL), WEIR_ENOTCONN);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_datagram bad = to(rows[i].addr, rows[i].port);

        assert_int_equal(weir_socket_sendto(lan.stacks[0], s, sent, rows[i].length, &bad),
                         rows[i].result);
    }
    expect_local(lan.stacks[0], s, ANY, 0); /* none of these has taken a port */
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "x", 1, &target),
                         i < 2 ? 1 : WEIR_ENOBUFS);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_LINK_FULL), 1);
    lan_settle(&lan);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, sent, 9000, &target), WEIR_ENOBUFS);
    lan_settle(&lan);
    lan.stacks[0]->alloc.budget = lan.stacks[0]->alloc.used;
    assert_int_equal(weir_socket_sendto(lan.stacks[0], s, sent, 2000, &target), WEIR_ENOMEM);
    lan.stacks[0]->alloc.budget = (size_t)1 << 20;
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_UDP_OUT), 2);
    lan_done(&lan);
}

/* ---- Who gets it -------------------------------------------------------------------------------- */

/* The connected one before the one on the address, that one before the one on any. Only sockets that
 * were bound when their names did not meet can stand on one port: a disconnected one is back on any. */
static void the_closest_name_wins(void **state)
{
    static const struct {
        struct hand hand;
        int winner; /* of `s`; -1: nobody */
    } rows[] = {
        {{PEER, OURS, 53, 99, "x"}, 0},        {{PEER, OURS, 54, 99, "x"}, -1},
        {{0x0a000007, OURS, 53, 99, "x"}, -1}, {{PEER, OUR_SECOND, 53, 99, "x"}, 1},
        {{PEER, OUR_SECOND, 53, 98, "x"}, 2},  {{PEER, OURS, 0, 98, "x"}, 2},
        {{PEER, OURS, 53, 97, "x"}, -1},       {{PEER, OURS, 53, 0, "x"}, -1},
    };
    struct lan lan;
    int s[3];

    (void)state;
    lan_pair(&lan, 16);
    lan_join(&lan, 0, 1, 16);
    s[0] = open_at(lan.stacks[0], OURS, 99);
    connect_to(lan.stacks[0], s[0], PEER, 53);
    s[1] = open_at(lan.stacks[0], OUR_SECOND, 99);
    s[2] = open_at(lan.stacks[0], ANY, 98);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t strays = lan_dropped(&lan, 0, WEIR_DROP_UDP_NO_PORT);

        arrive(&lan, &rows[i].hand);
        for (int k = 0; k < 3; k++)
            assert_int_equal(take(&lan, 0, s[k], NULL), k == rows[i].winner ? 1 : WEIR_EAGAIN);
        assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_UDP_NO_PORT) - strays, rows[i].winner < 0);
    }
    lan_done(&lan);
}

/* connect leaves the any-address, another takes the port on its own address, disconnect comes back. */
static void three_on_one_port(void **state)
{
    struct hand hand = {PEER, OUR_SECOND, 53, 99, "x"};
    struct lan lan;
    int any, addr, peer;

    (void)state;
    lan_pair(&lan, 16);
    lan_join(&lan, 0, 1, 16);
    any = open_at(lan.stacks[0], ANY, 99);
    connect_to(lan.stacks[0], any, PEER, 53); /* on 10.0.0.1 now */
    addr = open_at(lan.stacks[0], OUR_SECOND, 99);
    udp_disconnect(lan.stacks[0], socket_get(lan.stacks[0], any));
    arrive(&lan, &hand);
    assert_int_equal(take(&lan, 0, any, NULL), WEIR_EAGAIN);
    assert_int_equal(take(&lan, 0, addr, NULL), 1);
    hand.dst = OURS;
    arrive(&lan, &hand);
    assert_int_equal(take(&lan, 0, any, NULL), 1);
    peer = addr;
    connect_to(lan.stacks[0], peer, 0x0a000102, 53);
    hand.dst = OUR_SECOND;
    arrive(&lan, &hand); /* not from its peer: the one on any has it */
    assert_int_equal(take(&lan, 0, any, NULL), 1);
    hand.src = 0x0a000102;
    arrive(&lan, &hand);
    assert_int_equal(take(&lan, 0, any, NULL), WEIR_EAGAIN);
    assert_int_equal(take(&lan, 0, peer, NULL), 1);
    lan_done(&lan);
}

/* SO_REUSEADDR on both sides: the same name many times, the one bound last has it, however the port
 * table has grown meanwhile; when that one closes, the one before. Group datagrams go to all. */
static void reused_names_go_to_the_last(void **state)
{
    enum { SOCKETS = 6 };
    struct hand hand = {PEER, OURS, 53, 99, "x"};
    struct weir_endpoint local = at(ANY, 99);
    struct lan lan;
    int s[SOCKETS], single;

    (void)state;
    lan_pair(&lan, 16);
    for (int i = 0; i < SOCKETS; i++) {
        s[i] = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
        assert_int_equal(weir_socket_set(lan.stacks[0], s[i], WEIR_SO_REUSEADDR, 1), 0);
        assert_int_equal(weir_socket_bind(lan.stacks[0], s[i], &local), 0);
        for (int k = 0; k < 40; k++)
            open_at(lan.stacks[0], ANY, 0);
        arrive(&lan, &hand);
        for (int k = 0; k <= i; k++)
            assert_int_equal(take(&lan, 0, s[k], NULL), k == i ? 1 : WEIR_EAGAIN);
    }
    single = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    assert_int_equal(weir_socket_bind(lan.stacks[0], single, &local), WEIR_EADDRINUSE);
    hand.dst = BROADCAST;
    arrive(&lan, &hand);
    for (int i = 0; i < SOCKETS; i++)
        assert_int_equal(take(&lan, 0, s[i], NULL), 1);
    hand.dst = OURS;
    for (int i = SOCKETS - 1; i > 0; i--) {
        weir_socket_close(lan.stacks[0], s[i]);
        arrive(&lan, &hand);
        assert_int_equal(take(&lan, 0, s[i - 1], NULL), 1);
    }
    lan_done(&lan);
}

/* Being close counts before being late. */
static void a_closer_name_beats_a_later_one(void **state)
{
    struct hand hand = {PEER, OURS, 53, 99, "x"};
    struct weir_endpoint names[3] = {at(OURS, 99), at(OURS, 99), at(ANY, 99)};
    struct lan lan;
    int s[3];

    (void)state;
    lan_pair(&lan, 16);
    for (int i = 0; i < 3; i++) { /* on the peer, on the address, on any */
        s[i] = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
        assert_int_equal(weir_socket_set(lan.stacks[0], s[i], WEIR_SO_REUSEADDR, 1), 0);
        assert_int_equal(weir_socket_bind(lan.stacks[0], s[i], &names[i]), 0);
    }
    assert_int_equal(connect_to(lan.stacks[0], s[0], PEER, 53), 0);
    for (int winner = 0; winner < 3; winner++) {
        arrive(&lan, &hand);
        for (int i = winner; i < 3; i++)
            assert_int_equal(take(&lan, 0, s[i], NULL), i == winner ? 1 : WEIR_EAGAIN);
        weir_socket_close(lan.stacks[0], s[winner]);
    }
    lan_done(&lan);
}

/* Groups: whoever is on any address; nobody on one address, and never an ICMP error. */
static void groups_reach_the_wildcards(void **state)
{
    static const uint32_t groups[] = {BROADCAST, 0xffffffff, 0x0a000000, 0xe0000001};
    struct lan lan;
    int any, addr;

    (void)state;
    lan_pair(&lan, 16);
    any = open_at(lan.stacks[0], ANY, 99);
    addr = open_at(lan.stacks[0], OURS, 98);
    for (size_t i = 0; i < COUNT(groups); i++) {
        struct hand hand = {PEER, groups[i], 53, 99, "x"};
        struct weir_datagram from;

        arrive(&lan, &hand);
        assert_int_equal(take(&lan, 0, any, &from), 1);
        assert_int_equal(weir_addr_to4(&from.local), groups[i]);
        hand.dport = 98;
        arrive(&lan, &hand);
        assert_int_equal(take(&lan, 0, addr, NULL), WEIR_EAGAIN);
    }
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_UDP_NO_PORT), COUNT(groups));
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_ICMP_OUT), 0);
    lan_done(&lan);
}

/* RFC 1122 4.1.3.6 [768-6]: nobody can be there, so nobody gets it and nobody is told. */
static void impossible_sources_are_dropped(void **state)
{
    static const uint32_t sources[] = {0xffffffff, 0xe0010101, 0x7f000001, ANY,
                                       BROADCAST,  0xf0000001, OURS};
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = open_at(lan.stacks[0], ANY, 99);
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct hand hand = {sources[i], OURS, 53, 99, "x"};

        arrive(&lan, &hand);
        hand.dport = 98;
        arrive(&lan, &hand);
    }
    assert_int_equal(take(&lan, 0, s, NULL), WEIR_EAGAIN);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_IP_SOURCE), 2 * COUNT(sources));
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_ICMP_OUT), 0);
    lan_done(&lan);
}

/* ---- Broken ones -------------------------------------------------------------------------------- */

/* RFC 1122 4.1.3.4 [768-2]: wrong sums are dropped in silence; no sum is no fault. */
static void sums_and_lengths_are_checked(void **state)
{
    static const struct {
        uint16_t length, checksum; /* what is written there; 1: left as it is */
        uint8_t flip;              /* byte of the UDP part that is damaged; 255: none */
        uint16_t cut;              /* bytes of the UDP part that IP carries */
        enum weir_drop drop;
    } rows[] = {
        {1, 1, 255, 14, WEIR_DROP_NONE},
        {1, 1, 13, 14, WEIR_DROP_UDP_CHECKSUM},
        {1, 1, 1, 14, WEIR_DROP_UDP_CHECKSUM},
        {1, 0, 13, 14, WEIR_DROP_NONE},
        {1, 0xffff, 255, 14, WEIR_DROP_UDP_CHECKSUM},
        {15, 1, 255, 14, WEIR_DROP_UDP_LENGTH},
        {7, 0, 255, 14, WEIR_DROP_UDP_LENGTH},
        {0, 0, 255, 14, WEIR_DROP_UDP_LENGTH},
        {1, 1, 255, 7, WEIR_DROP_UDP_SHORT},
        {1, 1, 255, 0, WEIR_DROP_UDP_SHORT},
        {13, 1, 255, 14, WEIR_DROP_UDP_CHECKSUM},
        {13, 0, 255, 14, WEIR_DROP_NONE},
        {8, 0, 255, 14, WEIR_DROP_NONE},
    };
    struct hand hand = {PEER, OURS, 53, 99, "sixsix"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lan lan;
        uint8_t bytes[200];
        bool is_good = rows[i].drop == WEIR_DROP_NONE;
        int s;

        lan_pair(&lan, 16);
        lan.stacks[0]->config.skip_tcp_checksum = true; /* that is another's */
        s = open_at(lan.stacks[0], ANY, 99);
        assert_int_equal(make(&hand, bytes), 34);
        if (rows[i].flip != 255)
            bytes[20 + rows[i].flip] ^= 0x20;
        if (rows[i].length != 1)
            put_u16(bytes + 24, rows[i].length);
        if (rows[i].checksum != 1)
            put_u16(bytes + 26, rows[i].checksum);
        if (rows[i].cut < 14) {
            put_u16(bytes + 2, (uint16_t)(20 + rows[i].cut));
            put_u16(bytes + 10, (uint16_t)(get_u16(bytes + 10) + 14 - rows[i].cut));
        }
        feed(&lan, bytes, 20u + rows[i].cut);
        if (lan_dropped(&lan, 0, rows[i].drop) != !is_good)
            fail_msg("row %zu", i);
        if (is_good)
            assert_int_equal(take(&lan, 0, s, NULL), rows[i].length == 1 ? 6 : rows[i].length - 8);
        assert_int_equal(take(&lan, 0, s, NULL), WEIR_EAGAIN);
        assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_ICMP_OUT), 0);
        assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_UDP_IN), 1);
        lan_done(&lan);
    }
}

/* What IP carries behind the datagram is in neither its data nor its sum. */
static void padding_is_left_off(void **state)
{
    struct hand hand = {PEER, OURS, 53, 99, "sixsix"};
    uint8_t bytes[200];
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = open_at(lan.stacks[0], ANY, 99);
    assert_int_equal(make(&hand, bytes), 34);
    memset(bytes + 34, 0x77, 5);
    put_u16(bytes + 2, 39);
    put_u16(bytes + 10, (uint16_t)(get_u16(bytes + 10) - 5));
    feed(&lan, bytes, 39);
    assert_int_equal(take(&lan, 0, s, NULL), 6);
    assert_memory_equal(got, "sixsix\0", 7);
    lan_done(&lan);
}

/* A frame whose sum somebody has checked is believed. */
static void a_verified_frame_is_not_summed_again(void **state)
{
    struct hand hand = {PEER, OURS, 53, 99, "x"};
    struct weir_frame frame = {.l2 = WEIR_L2_IP, .csum = WEIR_CSUM_VERIFIED};
    uint8_t bytes[200];
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = open_at(lan.stacks[0], ANY, 99);
    frame.length = (uint32_t)make(&hand, bytes);
    frame.data = bytes;
    bytes[28] ^= 1;
    weir_stack_input(lan.stacks[0], 0, &frame, 1, lan.now);
    assert_int_equal(take(&lan, 0, s, NULL), 1);
    lan_done(&lan);
}

/* ---- Bounds ------------------------------------------------------------------------------------- */

static void the_queue_is_bounded(void **state)
{
    static const int64_t limits[] = {2048, 16384, 1 << 20};
    struct hand hand = {PEER, OURS, 53, 99, "hundreds of small datagrams"};
    struct lan lan;
    int64_t value;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = open_at(lan.stacks[0], ANY, 99);
    assert_int_equal(weir_socket_get(lan.stacks[0], s, WEIR_SO_RCVBUF, &value), 0);
    assert_int_equal(value, DGRAM_QUEUE_BYTES);
    assert_int_equal(weir_socket_set(lan.stacks[0], s, WEIR_SO_RCVBUF, 100), WEIR_EINVAL);
    for (size_t i = 0; i < COUNT(limits); i++) {
        uint64_t before = lan_dropped(&lan, 0, WEIR_DROP_DGRAM_FULL);
        uint32_t held;

        assert_int_equal(weir_socket_set(lan.stacks[0], s, WEIR_SO_RCVBUF, limits[i]), 0);
        assert_int_equal(weir_socket_get(lan.stacks[0], s, WEIR_SO_RCVBUF, &value), 0);
        assert_int_equal(value, limits[i]);
        while (lan_dropped(&lan, 0, WEIR_DROP_DGRAM_FULL) == before)
            arrive(&lan, &hand);
        held = lan_budget(&lan, 0).datagrams;
        assert_in_range(held, limits[i] / 300, limits[i] / (27 + 32));
    }
    while (take(&lan, 0, s, NULL) == 27)
        ;
    assert_int_equal(lan_budget(&lan, 0).datagrams, 0);
    lan_done(&lan);
}

static void memory_is_the_budgets(void **state)
{
    struct hand hand = {PEER, OURS, 53, 99, "x"};
    struct weir_endpoint local = at(ANY, 98);
    struct weir_stack_config config;
    struct lan lan;
    int s, other;

    (void)state;
    lan_init(&lan);
    lan_config(&config);
    lan_add(&lan, &config);
    lan_join(&lan, 0, -1, 16);
    other = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    lan.stacks[0]->alloc.budget = lan.stacks[0]->alloc.used;
    assert_int_equal(weir_socket_bind(lan.stacks[0], other, &local), WEIR_ENOMEM);
    assert_int_equal(connect_to(lan.stacks[0], other, PEER, 1), WEIR_ENOMEM);
    expect_local(lan.stacks[0], other, ANY, 0);
    lan.stacks[0]->alloc.budget = (size_t)1 << 20;
    s = open_at(lan.stacks[0], ANY, 99);
    lan.stacks[0]->alloc.budget = lan.stacks[0]->alloc.used;
    arrive(&lan, &hand);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_NO_MEMORY), 1);
    assert_int_equal(take(&lan, 0, s, NULL), WEIR_EAGAIN);
    lan.stacks[0]->alloc.budget = (size_t)1 << 20;
    lan_done(&lan);
}

static void readiness(void **state)
{
    struct hand hand = {PEER, OURS, 53, 99, "x"};
    struct weir_event event;
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = open_at(lan.stacks[0], ANY, 99);
    weir_socket_set_tag(lan.stacks[0], s, 7);
    assert_int_equal(weir_socket_ready(lan.stacks[0], s), WEIR_OUT);
    arrive(&lan, &hand);
    assert_int_equal(weir_socket_ready(lan.stacks[0], s), WEIR_OUT | WEIR_IN);
    assert_true(weir_stack_next_event(lan.stacks[0], &event));
    assert_int_equal(event.events, WEIR_IN);
    assert_int_equal(event.tag, 7);
    assert_int_equal(weir_socket_close(lan.stacks[0], s), 0);
    assert_true(weir_stack_next_event(lan.stacks[0], &event));
    assert_int_equal(event.events, WEIR_CLOSED);
    arrive(&lan, &hand);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_UDP_NO_PORT), 1);
    lan_done(&lan);
}

/* ---- Errors ------------------------------------------------------------------------------------- */

/* RFC 1122 4.1.3.1 [768-3], RFC 1122 4.1.3.3 [768-4]: refused, told once, by whatever call is next. */
static void a_closed_port_refuses(void **state)
{
    struct weir_event event;
    struct lan lan;
    int s;

    (void)state;
    lan_pair(&lan, 16);
    s = weir_socket_open(lan.stacks[0], WEIR_UDP, 0);
    connect_to(lan.stacks[0], s, PEER, 53);
    for (int way = 0; way < 3; way++) {
        assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "x", 1, NULL), 1);
        lan_settle(&lan);
        assert_int_equal(lan_dropped(&lan, 1, WEIR_DROP_UDP_NO_PORT), way + 1);
        assert_true(weir_stack_next_event(lan.stacks[0], &event));
        assert_int_equal(event.events, WEIR_ERR);
        assert_int_equal(weir_socket_ready(lan.stacks[0], s), WEIR_OUT | WEIR_ERR);
        if (way == 0)
            assert_int_equal(weir_socket_sendto(lan.stacks[0], s, "x", 1, NULL), WEIR_ECONNREFUSED);
        else if (way == 1)
            assert_int_equal(take(&lan, 0, s, NULL), WEIR_ECONNREFUSED);
        else
            assert_int_equal(weir_socket_take_error(lan.stacks[0], s), WEIR_ECONNREFUSED);
        assert_int_equal(weir_socket_ready(lan.stacks[0], s), WEIR_OUT);
        assert_int_equal(weir_socket_take_error(lan.stacks[0], s), 0);
        assert_int_equal(take(&lan, 0, s, NULL), WEIR_EAGAIN);
    }
    lan_done(&lan);
}

/* An ICMP error from 10.0.0.9 about a datagram that 10.0.0.1:99 sent to 10.0.0.2:53. */
static void tell(struct lan *lan, uint8_t type, uint8_t code, uint16_t sport, uint16_t dport)
{
    const struct hand hand = {OURS, PEER, sport, dport, "told"};
    uint8_t quote[200], bytes[300];
    struct weir_packet packet = {.src = weir_addr_from4(0x0a000009),
                                 .dst = weir_addr_from4(OURS),
                                 .ttl = 9,
                                 .protocol = 1,
                                 .icmp_type = type,
                                 .icmp_code = code,
                                 .payload = quote,
                                 .payload_length = (uint32_t)make(&hand, quote)};

    feed(lan, bytes, (size_t)weir_packet_emit(&packet, bytes, sizeof(bytes)));
}

/* What a connected socket makes of each error, and an unconnected one of all. */
static void hard_errors_are_pending_others_are_not(void **state)
{
    static const struct {
        uint8_t type, code;
        int error;
    } rows[] = {
        {3, 0, 0},
        {3, 1, 0},
        {3, 2, WEIR_ENOPROTOOPT},
        {3, 3, WEIR_ECONNREFUSED},
        {3, 4, WEIR_EMSGSIZE},
        {3, 5, 0},
        {3, 6, WEIR_ENETUNREACH},
        {3, 7, WEIR_EHOSTDOWN},
        {3, 8, WEIR_ENONET},
        {3, 9, WEIR_ENETUNREACH},
        {3, 10, WEIR_EHOSTUNREACH},
        {3, 11, 0},
        {3, 12, 0},
        {3, 13, WEIR_EHOSTUNREACH},
        {3, 14, WEIR_EHOSTUNREACH},
        {3, 15, WEIR_EHOSTUNREACH},
        {3, 16, 0},
        {11, 0, 0},
        {11, 1, 0},
        {12, 0, WEIR_EPROTO},
        {4, 0, 0},
        {5, 1, 0},
    };
    struct lan lan;
    int s[2];

    (void)state;
    lan_pair(&lan, 16);
    s[0] = open_at(lan.stacks[0], OURS, 99);
    connect_to(lan.stacks[0], s[0], PEER, 53);
    s[1] = open_at(lan.stacks[0], ANY, 98);
    for (size_t i = 0; i < COUNT(rows); i++) {
        tell(&lan, rows[i].type, rows[i].code, 99, 53);
        tell(&lan, rows[i].type, rows[i].code, 98, 53);
        tell(&lan, rows[i].type, rows[i].code, 99, 54); /* not the peer */
        for (int k = 0; k < 2; k++) {
            int expected = k == 0 ? rows[i].error : 0;

            assert_int_equal(weir_socket_take_error(lan.stacks[0], s[k]), expected);
            assert_int_equal(take(&lan, 0, s[k], NULL), WEIR_EAGAIN);
        }
    }
    lan_done(&lan);
}

/* RFC 1122 4.1.3.3 [768-4], RFC 1122 3.2.2 [1122-15], RFC 1122 3.2.2.4 [1122-19]: with IP_RECVERR
 * every error, hard or not, comes to who sent the datagram, connected or not, with what it quotes. */
static void errors_as_datagrams(void **state)
{
    static const uint8_t rows[][2] = {{3, 0}, {3, 3}, {3, 4}, {11, 0}, {12, 0}};
    struct weir_datagram from;
    struct lan lan;
    int64_t value = 7;
    int s[2];

    (void)state;
    lan_pair(&lan, 16);
    s[0] = open_at(lan.stacks[0], OURS, 99);
    connect_to(lan.stacks[0], s[0], PEER, 53);
    s[1] = open_at(lan.stacks[0], ANY, 98);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(weir_socket_get(lan.stacks[0], s[k], WEIR_IP_RECVERR, &value), 0);
        assert_int_equal(value, 0);
        assert_int_equal(weir_socket_set(lan.stacks[0], s[k], WEIR_IP_RECVERR, 2), WEIR_EINVAL);
        assert_int_equal(weir_socket_set(lan.stacks[0], s[k], WEIR_IP_RECVERR, 1), 0);
        for (size_t i = 0; i < COUNT(rows); i++) {
            tell(&lan, rows[i][0], rows[i][1], k == 0 ? 99 : 98, 53);
            assert_int_equal(weir_socket_ready(lan.stacks[0], s[k]), WEIR_OUT | WEIR_IN);
            assert_int_equal(take(&lan, 0, s[k], &from), 4);
            assert_memory_equal(got, "told", 4);
            assert_int_equal(from.icmp_type, rows[i][0]);
            assert_int_equal(from.icmp_code, rows[i][1]);
            assert_int_equal(weir_addr_to4(&from.peer), 0x0a000009);
            assert_int_equal(weir_addr_to4(&from.about), PEER);
            assert_int_equal(from.about_port, 53);
            assert_int_equal(from.local_port, k == 0 ? 99 : 98);
            assert_int_equal(from.peer_port, 0);
        }
    }
    tell(&lan, 3, 3, 97, 53);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_ICMP_QUOTE), 1);
    lan_done(&lan);
}

/* Many strays: the answers are bounded by net's bucket, the strays all counted. */
static void refusals_are_rate_limited(void **state)
{
    struct hand hand = {PEER, OURS, 53, 97, "x"};
    struct lan lan;

    (void)state;
    lan_pair(&lan, 256);
    for (int i = 0; i < 200; i++)
        arrive(&lan, &hand);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_UDP_NO_PORT), 200);
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_ICMP_OUT), 50);
    lan_done(&lan);
}

/* A raw socket sees what UDP gets; what it has taken is not refused. */
static void a_raw_socket_gets_copies(void **state)
{
    struct hand hand = {PEER, OURS, 53, 99, "copy"};
    struct lan lan;
    int s, raw;

    (void)state;
    lan_pair(&lan, 16);
    raw = weir_socket_open(lan.stacks[0], WEIR_RAW, 17);
    s = open_at(lan.stacks[0], ANY, 99);
    arrive(&lan, &hand);
    assert_int_equal(take(&lan, 0, s, NULL), 4);
    assert_int_equal(take(&lan, 0, raw, NULL), 12);
    hand.dport = 98;
    arrive(&lan, &hand);
    assert_int_equal(take(&lan, 0, raw, NULL), 12);
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_ICMP_OUT), 0);
    tell(&lan, 3, 3, 97, 53);
    assert_int_equal(take(&lan, 0, raw, NULL), 12); /* the whole quote */
    lan_done(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_arrive_whole_and_are_answered),
        cmocka_unit_test(to_ourselves),
        cmocka_unit_test(ttl_and_tos_of_one_datagram),
        cmocka_unit_test(ports_clash_where_addresses_meet),
        cmocka_unit_test(a_name_is_given_once),
        cmocka_unit_test(every_ephemeral_port_is_found),
        cmocka_unit_test(the_local_address_is_learnt_and_chosen),
        cmocka_unit_test(connect_names_both_ends),
        cmocka_unit_test(what_connect_refuses),
        cmocka_unit_test(disconnect_gives_back),
        cmocka_unit_test(a_connected_socket_sends_elsewhere_too),
        cmocka_unit_test(what_sendto_refuses),
        cmocka_unit_test(the_closest_name_wins),
        cmocka_unit_test(three_on_one_port),
        cmocka_unit_test(reused_names_go_to_the_last),
        cmocka_unit_test(a_closer_name_beats_a_later_one),
        cmocka_unit_test(groups_reach_the_wildcards),
        cmocka_unit_test(impossible_sources_are_dropped),
        cmocka_unit_test(sums_and_lengths_are_checked),
        cmocka_unit_test(padding_is_left_off),
        cmocka_unit_test(a_verified_frame_is_not_summed_again),
        cmocka_unit_test(the_queue_is_bounded),
        cmocka_unit_test(memory_is_the_budgets),
        cmocka_unit_test(readiness),
        cmocka_unit_test(a_closed_port_refuses),
        cmocka_unit_test(hard_errors_are_pending_others_are_not),
        cmocka_unit_test(errors_as_datagrams),
        cmocka_unit_test(refusals_are_rate_limited),
        cmocka_unit_test(a_raw_socket_gets_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
