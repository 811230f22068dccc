/* SPDX-License-Identifier: MIT */

/* ICMP: echo, errors received, errors sent, and when none may be. */

#include "fake_link.h"

#include <base/bytes.h>
#include <wire/icmp4.h>

#define PEER A4(10, 0, 0, 9)
#define SELF A4(10, 0, 0, 1)

static struct node node;

/* ---- Echo ----------------------------------------------------------------------------------- */

/* RFC 1122 3.2.2.6 [1122-21], RFC 792 all [792-1], RFC 1812 4.3.3.6 [1812-11] */
static void test_echo_sizes(void **state)
{
    static const uint32_t sizes[] = {0, 1, 56, 1472};
    static uint8_t data[1500];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 11);
    node_init(&node);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct weir_packet request = echo(PEER, A4(10, 1, 0, 1), data, sizes[i]), reply;

        request.ttl = 1;
        request.tos = 0x20;
        assert_int_equal(node_packet(&node, 0, &request), NET_DONE);
        assert_int_equal(node.links[0].count, 1);
        reply = fake_packet(&node.links[0], 0);
        assert_true(reply.transport_checksum_ok);
        assert_int_equal(reply.icmp_type, ICMP4_ECHO_REPLY);
        assert_int_equal(reply.icmp_code, 0);
        assert_int_equal(reply.icmp_rest, 0x12340007);
        assert_int_equal(weir_addr_to4(&reply.src), A4(10, 1, 0, 1)); /* the one that was asked */
        assert_int_equal(weir_addr_to4(&reply.dst), PEER);
        assert_int_equal(reply.ttl, 64);
        assert_int_equal(reply.tos, 0x20);
        assert_int_equal(reply.payload_length, sizes[i]);
        assert_memory_equal(reply.payload, data, sizes[i]);
        assert_int_equal(node.links[0].sent[0].frame.why, WEIR_WHY_ECHO_REPLY);
        assert_int_equal(node.counters.counter[WEIR_COUNT_ECHO_REPLIES], 1);
        assert_int_equal(node.counters.counter[WEIR_COUNT_ICMP_IN], 1);
        assert_int_equal(node.counters.counter[WEIR_COUNT_ICMP_OUT], 1);
        expect_drop(&node, WEIR_DROP_NONE);
        node_clear(&node);
    }
    node_done(&node);
}

/* A request that came whole and is larger than the link back: the reply leaves in fragments. */
static void test_echo_in_fragments(void **state)
{
    static uint8_t data[4000], joined[5000];
    struct weir_packet request = echo(A4(10, 2, 0, 2), SELF, data, sizeof(data));
    struct icmp4_message message;
    uint32_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 13);
    node_init(&node);
    assert_int_equal(node_packet(&node, 2, &request), NET_DONE);
    for (unsigned i = 0; i < node.links[2].count; i++) {
        const struct weir_frame *frame = &node.links[2].sent[i].frame;

        assert_true(frame->length <= 296);
        memcpy(joined + at, frame->data + 20, frame->length - 20);
        at += frame->length - 20;
    }
    assert_int_equal(at, sizeof(data) + 8);
    assert_true(icmp4_checksum_ok(joined, at));
    assert_true(icmp4_parse(joined, at, &message));
    assert_memory_equal(message.body, data, sizeof(data));
    assert_int_equal(node.counters.counter[WEIR_COUNT_ICMP_OUT], 1);
    assert_int_equal(node.counters.counter[WEIR_COUNT_FRAGMENTS_OUT], node.links[2].count);
    node_clear(&node);
    node.links[2].room = 3;
    node_packet(&node, 2, &request);
    expect_drop(&node, WEIR_DROP_LINK_FULL);
    node_done(&node);
}

/* ---- What is dropped ------------------------------------------------------------------------ */

struct drop_case {
    const char *what;
    uint8_t type, code;
    uint32_t dst, length;
    bool spoil; /* the checksum */
    enum weir_drop drop;
};

/* RFC 1122 3.2.2 [1122-13], RFC 1122 3.2.2.6 [1122-22], RFC 1122 3.2.2.8 [1122-24],
 * RFC 1122 3.2.2.2 [1122-18]; an error whose quote is no packet of ours (here: zeros) is dropped as
 * well. */
static const struct drop_case drop_cases[] = {
    {"bad checksum", 8, 0, SELF, 20, true, WEIR_DROP_ICMP_CHECKSUM},
    {"broadcast echo", 8, 0, A4(10, 0, 0, 255), 20, false, WEIR_DROP_IP_BROADCAST},
    {"multicast echo", 8, 0, A4(224, 0, 0, 1), 20, false, WEIR_DROP_IP_BROADCAST},
    {"unknown type", 77, 0, SELF, 20, false, WEIR_DROP_ICMP_TYPE},
    {"source quench", 4, 0, SELF, 40, false, WEIR_DROP_ICMP_TYPE},
    {"redirect", 5, 1, SELF, 40, false, WEIR_DROP_ICMP_TYPE},
    {"timestamp", 13, 0, SELF, 12, false, WEIR_DROP_ICMP_TYPE},
    {"information", 15, 0, SELF, 0, false, WEIR_DROP_ICMP_TYPE},
    {"mask request", 17, 0, SELF, 4, false, WEIR_DROP_ICMP_TYPE},
    {"unreachable, code 16", 3, 16, SELF, 40, false, WEIR_DROP_ICMP_TYPE},
    {"time exceeded, code 2", 11, 2, SELF, 40, false, WEIR_DROP_ICMP_TYPE},
    {"parameter problem, code 3", 12, 3, SELF, 40, false, WEIR_DROP_ICMP_TYPE},
    {"unreachable without a quote", 3, 1, SELF, 0, false, WEIR_DROP_ICMP_QUOTE},
    {"unreachable with zeros", 3, 1, SELF, 40, false, WEIR_DROP_ICMP_QUOTE},
    {"unreachable to a broadcast", 3, 1, A4(10, 0, 0, 255), 40, false, WEIR_DROP_IP_BROADCAST},
};

static void test_drops(void **state)
{
    static const uint8_t zeros[64];

    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(drop_cases) / sizeof(drop_cases[0]); i++) {
        const struct drop_case *row = &drop_cases[i];
        struct weir_packet packet = echo(PEER, row->dst, zeros, row->length);
        uint8_t bytes[128];
        long length;

        print_message("%s\n", row->what);
        packet.icmp_type = row->type;
        packet.icmp_code = row->code;
        length = weir_packet_emit(&packet, bytes, sizeof(bytes));
        bytes[22] ^= row->spoil;
        assert_int_equal(node_input(&node, 0, bytes, (size_t)length), NET_DONE);
        expect_drop(&node, row->drop);
        assert_int_equal(node_sent(&node), 0);
        node_clear(&node);
    }
    for (uint32_t length = 0; length < 8; length++) {
        struct weir_packet packet = plain(PEER, SELF);
        uint8_t bytes[64];

        packet.protocol = 0;
        packet.payload_length = length;
        weir_packet_emit(&packet, bytes, sizeof(bytes));
        bytes[9] = 1;
        mend_header(bytes);
        assert_int_equal(node_input(&node, 0, bytes, 20 + length), NET_DONE);
        expect_drop(&node, WEIR_DROP_ICMP_SHORT);
        node_clear(&node);
    }
    node_done(&node);
}

/* RFC 1122 3.2.2.6 [1122-23] */
static void test_echo_reply(void **state)
{
    struct weir_packet packet = echo(PEER, SELF, some_bytes, 9);

    (void)state;
    node_init(&node);
    packet.icmp_type = ICMP4_ECHO_REPLY;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    assert_int_equal(node.packet.protocol, 1);
    assert_int_equal(node.packet.length, 17);
    assert_true(node.packet.csum_verified);
    node_done(&node);
}

/* ---- Errors received ------------------------------------------------------------------------ */

struct quote_case {
    const char *what;
    uint8_t type, code;
    uint32_t rest, src, mtu;
    uint32_t cut; /* bytes of the quote */
    uint16_t offset;
    bool good;
};

/* RFC 1122 3.2.2 [1122-15], RFC 1122 3.2.2.1 [1122-17], RFC 1122 3.2.2.4 [1122-19],
 * RFC 1122 3.2.2.5 [1122-20] */
static const struct quote_case quote_cases[] = {
    {"net unreachable", 3, 0, 0, SELF, 0, 28, 0, true},
    {"port unreachable", 3, 3, 0, SELF, 0, 60, 0, true},
    {"unreachable 15", 3, 15, 0, SELF, 0, 28, 0, true},
    {"too big", 3, 4, 0xffff03e8, SELF, 1000, 28, 0, true},
    {"too big, no MTU", 3, 4, 0, SELF, 0, 28, 0, true},
    {"TTL", 11, 0, 77, SELF, 0, 28, 0, true},
    {"reassembly", 11, 1, 0, SELF, 0, 28, 0, true},
    {"parameter problem", 12, 0, 0x14000000, SELF, 0, 28, 0, true},
    {"about another address of ours", 3, 1, 0, A4(10, 1, 0, 1), 0, 28, 0, true},
    {"7 bytes of transport", 3, 1, 0, SELF, 0, 27, 0, false},
    {"no transport", 3, 1, 0, SELF, 0, 20, 0, false},
    {"half a header", 3, 1, 0, SELF, 0, 10, 0, false},
    {"about others' packet", 3, 1, 0, PEER, 0, 28, 0, false},
    {"about a later fragment", 3, 1, 0, SELF, 0, 28, 8, false},
};

static void run_quote_case(const struct quote_case *row)
{
    struct weir_packet inner = plain(row->src, A4(10, 9, 9, 9)), packet;
    uint8_t quote[64];

    print_message("%s\n", row->what);
    inner.payload_length = 36;
    inner.protocol = 200;
    inner.fragment_offset = row->offset;
    weir_packet_emit(&inner, quote, sizeof(quote));
    packet = echo(PEER, SELF, quote, min_u32(row->cut, 56));
    packet.icmp_type = row->type;
    packet.icmp_code = row->code;
    packet.icmp_rest = row->rest;
    assert_int_equal(node_packet(&node, 0, &packet), row->good ? NET_ICMP_ERROR : NET_DONE);
    expect_drop(&node, row->good ? WEIR_DROP_NONE : WEIR_DROP_ICMP_QUOTE);
    if (row->good) {
        assert_int_equal(weir_addr_to4(&node.error.reporter), PEER);
        assert_int_equal(weir_addr_to4(&node.error.src), row->src);
        assert_int_equal(weir_addr_to4(&node.error.dst), A4(10, 9, 9, 9));
        assert_int_equal(node.error.protocol, 200);
        assert_int_equal(node.error.type, row->type);
        assert_int_equal(node.error.code, row->code);
        assert_int_equal(node.error.mtu, row->mtu);
        assert_int_equal(node.error.quote_length, min_u32(row->cut, 56) - 20);
        assert_memory_equal(node.error.quote, some_bytes, node.error.quote_length);
    }
    node_clear(&node);
}

static void test_quotes(void **state)
{
    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(quote_cases) / sizeof(quote_cases[0]); i++)
        run_quote_case(&quote_cases[i]);
    node_done(&node);
}

/* ---- Errors sent ---------------------------------------------------------------------------- */

struct sent_case {
    const char *what;
    uint32_t src, dst;
    uint8_t protocol, icmp_type;
    uint16_t offset;
    bool allowed;
};

/* RFC 1122 3.2.2 [1122-16], RFC 1812 4.3.2.7 [1812-8]: nobody takes these; may we say so? Those
 * with a bad source, or to a broadcast of another net, never get that far (test_input.c). */
static const struct sent_case sent_cases[] = {
    {"protocol 200", PEER, SELF, 200, 0, 0, true},
    {"echo reply", PEER, SELF, 1, 0, 0, true},
    {"about broadcast", PEER, A4(10, 0, 0, 255), 200, 0, 0, false},
    {"about all ones", PEER, A4(255, 255, 255, 255), 200, 0, 0, false},
    {"about multicast", PEER, A4(224, 0, 0, 1), 200, 0, 0, false},
};

static void test_sent(void **state)
{
    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(sent_cases) / sizeof(sent_cases[0]); i++) {
        const struct sent_case *row = &sent_cases[i];
        struct weir_packet packet = plain(row->src, row->dst);

        print_message("%s\n", row->what);
        packet.protocol = row->protocol;
        packet.icmp_type = row->icmp_type;
        assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
        net_unreachable(node.net, &node.packet, ICMP4_PROTOCOL_UNREACHABLE, 0);
        expect_drop(&node, row->allowed ? WEIR_DROP_NONE : WEIR_DROP_ICMP_FORBIDDEN);
        assert_int_equal(node_sent(&node), row->allowed);
        node_clear(&node);
    }
    node_done(&node);
}

/* Transit packets that cannot go on, and of which nothing may be said. */
static void test_forbidden_transit(void **state)
{
    static const uint8_t error_types[] = {3, 4, 5, 11, 12};
    static const uint8_t zeros[40];
    struct weir_packet packet;

    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(error_types); i++) {
        packet = echo(PEER, A4(99, 0, 0, 1), zeros, sizeof(zeros));
        packet.icmp_type = error_types[i];
        node_packet(&node, 0, &packet);
        assert_int_equal(node.counters.drop[WEIR_DROP_ICMP_FORBIDDEN], i + 1);
    }
    packet = plain(PEER, A4(99, 0, 0, 1));
    packet.fragment_offset = 8;
    node_packet(&node, 0, &packet);
    assert_int_equal(node.counters.drop[WEIR_DROP_ICMP_FORBIDDEN], 6);
    assert_int_equal(node.counters.drop[WEIR_DROP_NO_ROUTE], 6);
    assert_int_equal(node_sent(&node), 0);
    packet = echo(PEER, A4(99, 0, 0, 1), zeros, sizeof(zeros)); /* an echo request is no error */
    node_packet(&node, 0, &packet);
    assert_int_equal(node_sent(&node), 1);
    node_done(&node);
}

/* RFC 1122 3.2.2 [1122-14], RFC 1812 4.3.2.3 [1812-9]: unchanged, and 576 bytes in all. */
static void test_quote_bytes(void **state)
{
    static const uint32_t sizes[] = {0, 1, 8, 100, 527, 528, 529, 1400};
    static uint8_t payload[1500], bytes[1600];

    (void)state;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 3);
    node_init(&node);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct weir_packet packet = plain(PEER, A4(99, 0, 0, 1)), sent;
        long length;

        packet.payload = payload;
        packet.payload_length = sizes[i];
        length = weir_packet_emit(&packet, bytes, sizeof(bytes));
        node_input(&node, 0, bytes, (size_t)length + 5); /* padding is not quoted */
        sent = fake_packet(&node.links[0], 0);
        assert_int_equal(sent.payload_length, min_u32(sizes[i] + 20, 548));
        assert_memory_equal(sent.payload, bytes, sent.payload_length);
        assert_true(node.links[0].sent[0].frame.length <= 576);
        node_clear(&node);
    }
    node_done(&node);
}

/* RFC 1812 4.3.2.8 [1812-9]: 50 at once, then 100 a second. */
static void test_rate(void **state)
{
    struct weir_packet packet = plain(PEER, A4(99, 0, 0, 1));

    (void)state;
    node_init(&node);
    node.now = -5 * WEIR_SECOND; /* the zero point is the caller's */
    for (int i = 0; i < 1000; i++)
        node_packet(&node, 0, &packet);
    assert_int_equal(node_sent(&node), 50);
    assert_int_equal(node.counters.drop[WEIR_DROP_ICMP_RATE], 950);
    assert_int_equal(node.counters.drop[WEIR_DROP_NO_ROUTE], 1000);
    node_clear(&node);
    for (int i = 0; i < 1000; i++) {
        node.now += WEIR_MS;
        node_packet(&node, 0, &packet);
    }
    assert_int_equal(node_sent(&node), 100);
    node_clear(&node);
    node.now += 100 * WEIR_SECOND;
    for (int i = 0; i < 1000; i++)
        node_packet(&node, 0, &packet);
    assert_int_equal(node_sent(&node), 50);
    node_done(&node);
}

static void test_switched_off(void **state)
{
    struct net_config config = node_config();
    struct weir_packet packet = plain(PEER, A4(99, 0, 0, 1));

    (void)state;
    config.icmp_errors = false;
    node_init_with(&node, &config);
    node_packet(&node, 0, &packet);
    expect_drop(&node, WEIR_DROP_NO_ROUTE);
    assert_int_equal(node_sent(&node), 0);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo_sizes),
        cmocka_unit_test(test_echo_in_fragments),
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_echo_reply),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_forbidden_transit),
        cmocka_unit_test(test_quote_bytes),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_switched_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
