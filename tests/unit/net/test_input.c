/* SPDX-License-Identifier: MIT */

/* What becomes of a frame that arrives: each check of input.c by a table of packets, and random
 * bytes. */

#include "fake_link.h"

#include <wire/icmp4.h>

#define PEER A4(10, 0, 0, 9)
#define SELF A4(10, 0, 0, 1)

static struct node node;

/* ---- Headers -------------------------------------------------------------------------------- */

/* One byte of a good packet is changed (and the header checksum mended unless told not to). */
struct header_case {
    const char *what;
    uint8_t at, value;
    bool mend;
    enum weir_drop drop;
};

/* RFC 791 3.1 [791-1], RFC 1122 3.2.1.1 [1122-1], RFC 1122 3.2.1.2 [1122-2],
 * RFC 1812 5.2.2 [1812-1] */
static const struct header_case header_cases[] = {
    {"good", 1, 0, true, WEIR_DROP_NONE},
    {"version 5", 0, 0x55, true, WEIR_DROP_IP_VERSION},
    {"version 6", 0, 0x65, true, WEIR_DROP_IP_VERSION},
    {"version 0", 0, 0x05, true, WEIR_DROP_IP_VERSION},
    {"IHL 4", 0, 0x44, true, WEIR_DROP_IP_HEADER_LENGTH},
    {"IHL 0", 0, 0x40, true, WEIR_DROP_IP_HEADER_LENGTH},
    {"IHL beyond the packet", 0, 0x4f, false, WEIR_DROP_IP_HEADER_LENGTH},
    {"total length 19", 3, 19, true, WEIR_DROP_IP_LENGTH},
    {"total length beyond", 3, 41, true, WEIR_DROP_IP_LENGTH},
    {"total length less", 3, 30, true, WEIR_DROP_NONE},
    {"bad checksum", 10, 0x77, false, WEIR_DROP_IP_CHECKSUM},
    {"TTL 0", 8, 0, true, WEIR_DROP_TTL},
    {"TTL 1", 8, 1, true,
     WEIR_DROP_NONE}, /* RFC 1122 3.2.1.7 [1122-9], RFC 1812 4.2.2.9 [1812-3] */
    {"evil bit", 6, 0x80, true, WEIR_DROP_NONE},
};

static void run_header_case(const struct header_case *row)
{
    struct weir_packet packet = plain(PEER, SELF);
    uint8_t bytes[64];
    long length = weir_packet_emit(&packet, bytes, sizeof(bytes));
    enum net_verdict verdict;

    print_message("%s\n", row->what);
    bytes[row->at] = row->value;
    if (row->mend)
        mend_header(bytes);
    verdict = node_input(&node, 0, bytes, (size_t)length);
    assert_int_equal(verdict, row->drop == WEIR_DROP_NONE ? NET_DELIVER : NET_DONE);
    expect_drop(&node, row->drop);
    assert_int_equal(node_sent(&node), 0);
    node_clear(&node);
}

static void test_headers(void **state)
{
    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(header_cases) / sizeof(header_cases[0]); i++)
        run_header_case(&header_cases[i]);
    node_done(&node);
}

static void test_every_length(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);
    uint8_t bytes[64];
    long length = weir_packet_emit(&packet, bytes, sizeof(bytes));

    (void)state;
    node_init(&node);
    for (long cut = 0; cut < length; cut++) {
        assert_int_equal(node_input(&node, 0, bytes, (size_t)cut), NET_DONE);
        expect_drop(&node, cut < 20 ? WEIR_DROP_IP_SHORT : WEIR_DROP_IP_LENGTH);
        node_clear(&node);
    }
    node_done(&node);
}

/* Padding of the link beyond the total length is no payload: RFC 791 3.1 [791-1]. */
static void test_padding(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);
    uint8_t bytes[64] = {0};

    (void)state;
    node_init(&node);
    packet.payload_length = 3;
    weir_packet_emit(&packet, bytes, sizeof(bytes));
    assert_int_equal(node_input(&node, 0, bytes, 46), NET_DELIVER);
    assert_int_equal(node.packet.length, 3);
    assert_memory_equal(node.packet.payload, "012", 3);
    assert_int_equal(node.counters.counter[WEIR_COUNT_BYTES_IN], 46);
    node_done(&node);
}

static void test_skip_checksum(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);
    struct net_config config = node_config();
    uint8_t bytes[64];
    long length = weir_packet_emit(&packet, bytes, sizeof(bytes));

    (void)state;
    config.skip_ip_checksum = true;
    node_init_with(&node, &config);
    bytes[11] ^= 1;
    assert_int_equal(node_input(&node, 0, bytes, (size_t)length), NET_DELIVER);
    node_done(&node);
}

/* ---- Addresses ------------------------------------------------------------------------------ */

struct address_case {
    const char *what;
    uint32_t src, dst;
    int iface;
    bool forwarding;
    enum weir_drop drop;
    bool is_group; /* delivered so */
    bool passes_on;
};

static const struct address_case address_cases[] = {
    {"ours", PEER, SELF, 0, false, WEIR_DROP_NONE, false, false},
    /* RFC 1812 5.2.3 [1812-19], RFC 1122 3.3.4.2 [1122-29]: weak host model */
    {"ours on another interface", PEER, A4(10, 1, 0, 1), 0, false, WEIR_DROP_NONE, false, false},
    /* RFC 1122 3.2.1.3 [1122-4], RFC 1812 5.3.7 [1812-15] */
    {"source 0", 0, SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source 0/8", A4(0, 1, 2, 3), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source 127/8", A4(127, 0, 0, 1), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source multicast", A4(224, 0, 0, 5), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source class E", A4(240, 0, 0, 1), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source all ones", A4(255, 255, 255, 255), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source subnet broadcast", A4(10, 0, 0, 255), SELF, 0, false, WEIR_DROP_IP_SOURCE, false,
     false},
    {"source network", A4(10, 1, 0, 0), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source ours (LAND)", SELF, SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"source another of ours", A4(10, 1, 0, 1), SELF, 0, false, WEIR_DROP_IP_SOURCE, false, false},
    {"martian transit", A4(127, 0, 0, 1), A4(10, 1, 0, 2), 0, true, WEIR_DROP_IP_SOURCE, false,
     false},
    {"transit to 0/8", PEER, A4(0, 0, 0, 1), 0, true, WEIR_DROP_IP_DESTINATION, false, false},
    {"transit to 127/8", PEER, A4(127, 0, 0, 1), 0, true, WEIR_DROP_IP_DESTINATION, false, false},
    {"transit to class E", PEER, A4(250, 0, 0, 1), 0, true, WEIR_DROP_IP_DESTINATION, false, false},
    /* RFC 1122 3.2.1.3 [1122-3], RFC 1122 3.1 [1122-32]: three interfaces do not make a router */
    {"others' on a host", PEER, A4(10, 1, 0, 2), 0, false, WEIR_DROP_IP_NOT_OURS, false, false},
    {"others' on a router", PEER, A4(10, 1, 0, 2), 0, true, WEIR_DROP_NONE, false, true},
    /* RFC 1122 3.3.6 [1122-30] */
    {"limited broadcast", PEER, A4(255, 255, 255, 255), 0, false, WEIR_DROP_NONE, true, false},
    {"subnet broadcast", PEER, A4(10, 0, 0, 255), 0, false, WEIR_DROP_NONE, true, false},
    {"old subnet broadcast", PEER, A4(10, 0, 0, 0), 0, false, WEIR_DROP_NONE, true, false},
    /* RFC 1812 5.3.5.1 [1812-14], RFC 1812 5.3.4 [1812-13] */
    {"limited broadcast on a router", PEER, A4(255, 255, 255, 255), 0, true, WEIR_DROP_NONE, true,
     false},
    {"directed broadcast to the far side", PEER, A4(10, 1, 0, 255), 0, true, WEIR_DROP_IP_BROADCAST,
     false, false},
    /* RFC 1122 3.3.7 [1122-31] */
    {"all hosts", PEER, A4(224, 0, 0, 1), 0, false, WEIR_DROP_NONE, true, false},
    {"a group not joined", PEER, A4(239, 1, 2, 3), 0, true, WEIR_DROP_IP_BROADCAST, false, false},
};

static void run_address_case(const struct address_case *row)
{
    struct weir_packet packet = plain(row->src, row->dst);
    struct net_config config = node_config();
    bool delivers = row->drop == WEIR_DROP_NONE && !row->passes_on;

    print_message("%s\n", row->what);
    config.forwarding = row->forwarding;
    node_init_with(&node, &config);
    assert_int_equal(node_packet(&node, row->iface, &packet), delivers ? NET_DELIVER : NET_DONE);
    if (delivers)
        assert_int_equal(node.packet.is_group, row->is_group);
    expect_drop(&node, row->drop);
    assert_int_equal(node_sent(&node), row->passes_on ? 1 : 0);
    assert_int_equal(node.counters.counter[WEIR_COUNT_PACKETS_IN], 1);
    assert_int_equal(node.counters.counter[WEIR_COUNT_DELIVERED], delivers);
    assert_int_equal(node.counters.counter[WEIR_COUNT_FORWARDED], row->passes_on);
    node_done(&node);
}

static void test_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(address_cases) / sizeof(address_cases[0]); i++)
        run_address_case(&address_cases[i]);
}

/* What a transport is told: RFC 1122 3.4 [1122-33], RFC 1122 3.2.1.6 [1122-12]. */
static void test_packet_fields(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);

    (void)state;
    node_init(&node);
    packet.tos = 0xb8;
    packet.ttl = 1;
    packet.protocol = 200;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    assert_int_equal(weir_addr_to4(&node.packet.src), PEER);
    assert_int_equal(weir_addr_to4(&node.packet.dst), SELF);
    assert_int_equal(node.packet.tos, 0xb8);
    assert_int_equal(node.packet.ttl, 1);
    assert_int_equal(node.packet.protocol, 200);
    assert_int_equal(node.packet.iface, 0);
    assert_int_equal(node.packet.length, 20);
    assert_int_equal(node.packet.header_length, 20);
    assert_memory_equal(node.packet.payload, some_bytes, 20);
    assert_false(node.packet.csum_verified);
    assert_null(node.packet.reassembly);
    assert_int_equal((node.packet.pseudo_sum & 0xffff) + (node.packet.pseudo_sum >> 16),
                     (PEER >> 16) + (PEER & 0xffff) + (SELF >> 16) + (SELF & 0xffff) + 200 + 20);
    node_done(&node);
}

/* ---- Interfaces and neighbours -------------------------------------------------------------- */

static void test_iface_down(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);
    struct weir_iface_row row;

    (void)state;
    node_init(&node);
    assert_int_equal(net_set_iface_up(node.net, 0, false), 0);
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    expect_drop(&node, WEIR_DROP_IFACE_DOWN);
    assert_int_equal(net_set_iface_up(node.net, 0, true), 0);
    assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    assert_int_equal(net_iface_row(node.net, 0, &row), 0);
    assert_int_equal(row.packets_in, 2);
    assert_int_equal(row.bytes_in, 80);
    node_done(&node);
}

static void test_only_neighbours(void **state)
{
    static const struct {
        int iface;
        uint64_t tag;
        bool passes;
    } rows[] = {{1, 12, true}, {1, 13, true},  {1, 12, true},
                {1, 0, false}, {1, 14, false}, {0, 99, true}};
    uint8_t bytes[64];

    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_packet packet = plain(A4(10, 1, 0, 2), A4(10, 1, 0, 1));
        long length = weir_packet_emit(&packet, bytes, sizeof(bytes));

        assert_int_equal(
            node_input_tagged(&node, rows[i].iface, rows[i].tag, bytes, (size_t)length),
            rows[i].passes ? NET_DELIVER : NET_DONE);
        expect_drop(&node, rows[i].passes ? WEIR_DROP_NONE : WEIR_DROP_NOT_NEIGHBOUR);
        node_clear(&node);
    }
    node_done(&node);
}

/* A neighbour that has moved is heard from its new place only, whoever was heard last. */
static void test_neighbour_moves(void **state)
{
    static const uint64_t tags[] = {12, 22, 32};
    struct weir_addr neighbour = weir_addr_from4(A4(10, 1, 0, 2));
    struct weir_packet packet = plain(A4(10, 1, 0, 2), A4(10, 1, 0, 1));
    uint8_t bytes[64];
    size_t length = (size_t)weir_packet_emit(&packet, bytes, sizeof(bytes));

    (void)state;
    node_init(&node);
    for (size_t now = 0; now < 3; now++) {
        assert_int_equal(net_add_neighbour(node.net, 1, &neighbour, tags[now]), 0);
        for (size_t from = 0; from < 3; from++)
            assert_int_equal(node_input_tagged(&node, 1, tags[from], bytes, length),
                             from == now ? NET_DELIVER : NET_DONE);
    }
    assert_int_equal(node.counters.drop[WEIR_DROP_NOT_NEIGHBOUR], 6);
    node_done(&node);
}

/* ---- Options -------------------------------------------------------------------------------- */

struct option_case {
    const char *what;
    uint8_t options[8];
    enum weir_drop drop;
    int pointer; /* of the parameter problem; -1: none */
};

/* RFC 1122 3.2.1.8 [1122-10], RFC 1122 3.2.1.8c [1122-11], RFC 1812 5.3.13.4 [1812-22],
 * RFC 1122 3.2.2.5 [1122-20] */
static const struct option_case option_cases[] = {
    {"end", {0}, WEIR_DROP_NONE, -1},
    {"no-ops", {1, 1, 1, 1, 1, 1, 1, 1}, WEIR_DROP_NONE, -1},
    {"unknown kind 77", {77, 4, 9, 9, 1, 1, 0, 0}, WEIR_DROP_NONE, -1},
    {"end, then junk", {0, 131, 1, 255, 77, 0, 0, 1}, WEIR_DROP_NONE, -1},
    {"unknown to the end", {77, 8, 9, 9, 9, 9, 9, 9}, WEIR_DROP_NONE, -1},
    {"length 0", {77, 0, 1, 1, 1, 1, 1, 1}, WEIR_DROP_IP_OPTIONS, 21},
    {"length 1", {1, 77, 1, 1, 1, 1, 1, 1}, WEIR_DROP_IP_OPTIONS, 22},
    {"length beyond", {77, 9, 1, 1, 1, 1, 1, 1}, WEIR_DROP_IP_OPTIONS, 21},
    {"length 255", {7, 255, 1, 1, 1, 1, 1, 1}, WEIR_DROP_IP_OPTIONS, 21},
    {"no length byte", {1, 1, 1, 1, 1, 1, 1, 77}, WEIR_DROP_IP_OPTIONS, 28},
    {"loose source route", {131, 7, 4, 10, 1, 0, 2, 0}, WEIR_DROP_IP_SOURCE_ROUTE, -1},
    {"strict source route", {1, 137, 7, 4, 10, 1, 0, 2}, WEIR_DROP_IP_SOURCE_ROUTE, -1},
};

static void run_option_case(const struct option_case *row, uint32_t dst)
{
    uint8_t bytes[48] = {0x47, 0, 0, 40, 0, 1, 0, 0, 9, 0};
    uint32_t src = PEER;
    enum net_verdict verdict;

    print_message("%s to %08x\n", row->what, (unsigned)dst);
    for (int i = 0; i < 4; i++) {
        bytes[12 + i] = (uint8_t)(src >> (24 - 8 * i));
        bytes[16 + i] = (uint8_t)(dst >> (24 - 8 * i));
    }
    memcpy(bytes + 20, row->options, 8);
    mend_header(bytes);
    node_init(&node);
    verdict = node_input(&node, 0, bytes, 40);
    expect_drop(&node, row->drop);
    if (row->drop == WEIR_DROP_NONE && dst == SELF) {
        assert_int_equal(verdict, NET_DELIVER);
        assert_int_equal(node.packet.header_length, 28);
        assert_int_equal(node.packet.length, 12);
    } else if (row->drop == WEIR_DROP_NONE) {
        assert_int_equal(node.links[1].count, 1);
        assert_memory_equal(node.links[1].sent[0].frame.data + 20, row->options, 8);
    } else {
        assert_int_equal(node_sent(&node), row->pointer >= 0 ? 1 : 0);
    }
    if (row->pointer >= 0) {
        struct weir_packet sent = fake_packet(&node.links[0], 0);

        assert_int_equal(sent.icmp_type, ICMP4_PARAMETER_PROBLEM);
        assert_int_equal(sent.icmp_code, 0);
        assert_int_equal(sent.icmp_rest, (uint32_t)row->pointer << 24);
    }
    node_done(&node);
}

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(option_cases) / sizeof(option_cases[0]); i++) {
        run_option_case(&option_cases[i], SELF);
        run_option_case(&option_cases[i], A4(10, 1, 0, 2));
    }
}

/* Equal identifications of atomic packets mean nothing: RFC 6864 4.1 [6864-1]. */
static void test_equal_ids(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);

    (void)state;
    node_init(&node);
    packet.dont_fragment = true;
    packet.id = 77;
    for (int i = 0; i < 5; i++)
        assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    expect_drop(&node, WEIR_DROP_NONE);
    node_done(&node);
}

/* ---- Random bytes --------------------------------------------------------------------------- */

#define ROUNDS 1000000
#define FUZZ_BYTES 128

/* Mostly plausible headers, so that each branch behind them is met. */
static size_t make_noise(struct random *random, uint8_t *bytes)
{
    static const uint32_t addrs[] = {SELF,
                                     PEER,
                                     A4(10, 1, 0, 2),
                                     A4(10, 9, 1, 1),
                                     A4(10, 2, 0, 2),
                                     A4(10, 0, 0, 255),
                                     A4(127, 0, 0, 1),
                                     A4(77, 7, 7, 7)};
    static const uint8_t protocols[] = {0, 1, 1, 1, 6, 17, 200};
    size_t length = random_below(random, FUZZ_BYTES + 1);
    uint32_t src = addrs[random_below(random, 8)], dst = addrs[random_below(random, 8)];

    for (size_t i = 0; i < FUZZ_BYTES; i += 8) {
        uint64_t word = random_u64(random);

        memcpy(bytes + i, &word, 8);
    }
    if (length < 20 || random_below(random, 16) == 0)
        return length;
    bytes[0] = (uint8_t)(0x45 + (random_below(random, 4) == 0 ? random_below(random, 3) : 0));
    bytes[2] = 0;
    bytes[3] = (uint8_t)length;
    bytes[4] = 0;
    bytes[5] &= 3;
    bytes[6] &= random_below(random, 2) ? 0x40 : 0x20;
    bytes[7] &= random_below(random, 2) ? 0 : 7;
    bytes[9] = protocols[random_below(random, sizeof(protocols))];
    for (unsigned i = 0; i < 4; i++) {
        bytes[12 + i] = (uint8_t)(src >> (24 - 8 * i));
        bytes[16 + i] = (uint8_t)(dst >> (24 - 8 * i));
    }
    if (length > 24 && bytes[9] == 1) {
        bytes[20] &= 15;
        bytes[21] &= 3;
    }
    if ((bytes[0] & 15u) * 4u <= length)
        mend_header(bytes);
    return length;
}

static uint64_t accounted(const struct node *at)
{
    const uint64_t *counter = at->counters.counter;
    uint64_t sum = counter[WEIR_COUNT_DELIVERED] + counter[WEIR_COUNT_FORWARDED] +
                   counter[WEIR_COUNT_ECHO_REPLIES];

    for (int i = 0; i < WEIR_DROP_COUNT; i++) {
        if (i != WEIR_DROP_ICMP_RATE && i != WEIR_DROP_ICMP_FORBIDDEN)
            sum += at->counters.drop[i];
    }
    return sum;
}

static void finish_verdict(enum net_verdict verdict)
{
    if (verdict == NET_DONE)
        return;
    net_unreachable(node.net, &node.packet, 2, node.now);
    net_release(node.net, &node.packet);
}

/* What we said to ourselves arrives. */
static void drain_loopback(void)
{
    struct weir_link *link = net_iface_link(node.net, NET_LOOPBACK);
    struct weir_frame frames[4];
    int count;

    net_flush(node.net, node.now);
    while ((count = link->ops->receive(link, frames, 4, node.now)) > 0) {
        for (int i = 0; i < count; i++)
            finish_verdict(
                net_input(node.net, NET_LOOPBACK, &frames[i], node.now, &node.packet, &node.error));
    }
}

/* No crash, and no packet lost from the books: each is delivered, answered, forwarded or dropped,
 * once. Fragments are held, or joined into fewer packets. */
static void test_random_bytes(void **state)
{
    struct random random;
    uint8_t bytes[FUZZ_BYTES];
    uint64_t in, seen;

    (void)state;
    node_init(&node);
    node_route(&node, 0, 0, A4(10, 1, 0, 2));
    random_init_u64(&random, 7, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        size_t length = make_noise(&random, bytes);

        finish_verdict(node_input(&node, (int)(i % NODE_IFACES), bytes, length));
        drain_loopback();
        for (int link = 0; link < NODE_IFACES; link++)
            fake_clear(&node.links[link]);
        node.now += WEIR_MS;
    }
    in = node.counters.counter[WEIR_COUNT_PACKETS_IN];
    seen = accounted(&node) + net_fragments_held(node.net);
    assert_in_range(in, ROUNDS, 2 * ROUNDS);
    assert_true(seen <= in);
    assert_true(in - seen <= node.counters.counter[WEIR_COUNT_REASSEMBLED] * 15);
    assert_true(node.counters.counter[WEIR_COUNT_REASSEMBLED] > 0);
    assert_true(node.counters.counter[WEIR_COUNT_DELIVERED] > ROUNDS / 100);
    assert_true(node.counters.counter[WEIR_COUNT_FORWARDED] > ROUNDS / 100);
    assert_true(node.alloc.used < 1u << 20);
    node_done(&node);
}

/* ---- What is remembered of addresses -------------------------------------------------------- */

static const uint32_t pair_addresses[] = {
    PEER,
    SELF,
    A4(10, 0, 0, 255),
    A4(10, 0, 0, 0),
    A4(10, 1, 0, 1),
    A4(10, 1, 0, 2),
    A4(10, 2, 0, 1),
    A4(10, 2, 0, 3),
    A4(10, 9, 0, 1),
    A4(127, 0, 0, 1),
    A4(224, 0, 0, 1),
    A4(224, 0, 0, 9),
    A4(240, 0, 0, 1),
    UINT32_MAX,
    0,
};

static uint32_t draw_address(struct random *random)
{
    return pair_addresses[random_below(random, sizeof(pair_addresses) / sizeof(uint32_t))];
}

/* Changes the generation and nothing else. */
static void forget(struct node *which)
{
    assert_int_equal(net_set_iface_up(which->net, 2, false), 0);
    assert_int_equal(net_set_iface_up(which->net, 2, true), 0);
}

/* One node remembers the last good pair of addresses; its twin is made to forget before each packet.
 * Pairs come several times, on all interfaces. */
static void test_remembered_pair(void **state)
{
    static struct node twin;
    struct weir_packet packet = plain(PEER, SELF);
    struct random random;
    uint8_t bytes[64];

    (void)state;
    node_init(&node);
    node_init(&twin);
    random_init_u64(&random, 9, 0);
    for (int i = 0; i < 20000; i++) {
        int iface = (int)random_below(&random, NODE_IFACES);
        enum net_verdict verdict;
        long length;

        if (random_below(&random, 3) == 0) {
            packet.src = addr4(draw_address(&random));
            packet.dst = addr4(draw_address(&random));
        }
        length = weir_packet_emit(&packet, bytes, sizeof(bytes));
        forget(&twin);
        verdict = node_input(&node, iface, bytes, (size_t)length);
        assert_int_equal(node_input(&twin, iface, bytes, (size_t)length), verdict);
        assert_memory_equal(node.counters.drop, twin.counters.drop, sizeof(twin.counters.drop));
        if (verdict == NET_DELIVER)
            assert_int_equal(node.packet.is_group, twin.packet.is_group);
        node.now = twin.now += WEIR_MS;
        for (int link = 0; link < NODE_IFACES; link++) {
            fake_clear(&node.links[link]);
            fake_clear(&twin.links[link]);
        }
    }
    assert_true(node.counters.counter[WEIR_COUNT_DELIVERED] > 1000);
    node_done(&node);
    node_done(&twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),         cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_padding),         cmocka_unit_test(test_skip_checksum),
        cmocka_unit_test(test_addresses),       cmocka_unit_test(test_packet_fields),
        cmocka_unit_test(test_iface_down),      cmocka_unit_test(test_only_neighbours),
        cmocka_unit_test(test_neighbour_moves), cmocka_unit_test(test_options),
        cmocka_unit_test(test_equal_ids),       cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_remembered_pair),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
