/* SPDX-License-Identifier: MIT */

/* Forwarding: what leaves, by which link, and what is said when nothing can. */

#include "fake_link.h"

#include <math.h>
#include <wire/icmp4.h>

#define PEER A4(10, 0, 0, 9)
#define FAR A4(10, 1, 0, 2)

static struct node node;

/* Only TTL and checksum change: RFC 1812 5.3.1 [1812-2], RFC 6864 4.3 [6864-3]. */
static void test_bytes(void **state)
{
    (void)state;
    node_init(&node);
    for (int i = 0; i < 4; i++) {
        struct weir_packet packet = plain(PEER, FAR);
        uint8_t bytes[64];
        const struct weir_frame *sent;
        long length;

        packet.dont_fragment = i & 1;
        packet.id = (uint16_t)(i * 1000);
        packet.tos = 0x28;
        packet.more_fragments = (i & 2) != 0; /* never reassembled on the way: [1812-7] below */
        packet.payload_length = 16;
        length = weir_packet_emit(&packet, bytes, sizeof(bytes));
        assert_int_equal(node_input(&node, 0, bytes, (size_t)length), NET_DONE);
        assert_int_equal(node.links[1].count, 1);
        sent = &node.links[1].sent[0].frame;
        assert_int_equal(sent->tag, 12);
        assert_int_equal(sent->why, WEIR_WHY_FORWARD);
        assert_int_equal(sent->length, length);
        bytes[8]--;
        mend_header(bytes);
        assert_memory_equal(sent->data, bytes, (size_t)length);
        expect_drop(&node, WEIR_DROP_NONE);
        assert_int_equal(node.counters.counter[WEIR_COUNT_FORWARDED], 1);
        assert_int_equal(node.counters.counter[WEIR_COUNT_PACKETS_OUT], 1);
        node_clear(&node);
    }
    node_done(&node);
}

/* ---- Refusals ------------------------------------------------------------------------------- */

struct refusal {
    const char *what;
    uint32_t dst;
    uint8_t ttl;
    bool dont_fragment;
    uint32_t payload;
    enum weir_drop drop;
    int type, code; /* of the error; -1: none */
    uint32_t rest;
};

/* RFC 1812 5.3.1 [1812-2], RFC 1812 4.2.2.9 [1812-3], RFC 1812 4.3.3.1 [1812-5],
 * RFC 1812 5.2.7.1 [1812-6], RFC 1191 4 [1191-6], RFC 791 3.1 [791-4] */
static const struct refusal refusals[] = {
    {"passes", FAR, 2, true, 20, WEIR_DROP_NONE, -1, 0, 0},
    {"TTL 1", FAR, 1, true, 20, WEIR_DROP_TTL, 11, 0, 0},
    {"TTL 0", FAR, 0, true, 20, WEIR_DROP_TTL, -1, 0, 0},
    {"no route", A4(99, 0, 0, 1), 9, true, 20, WEIR_DROP_NO_ROUTE, 3, 0, 0},
    {"no neighbour", A4(10, 1, 0, 77), 9, true, 20, WEIR_DROP_NO_NEIGHBOUR, 3, 1, 0},
    {"fits just", A4(10, 2, 0, 2), 9, true, 276, WEIR_DROP_NONE, -1, 0, 0},
    {"too big", A4(10, 2, 0, 2), 9, true, 277, WEIR_DROP_TOO_BIG, 3, 4, 296},
};

static void run_refusal(const struct refusal *row)
{
    static uint8_t payload[2000];
    struct weir_packet packet = plain(PEER, row->dst);

    print_message("%s\n", row->what);
    node_init(&node);
    packet.ttl = row->ttl;
    packet.dont_fragment = row->dont_fragment;
    packet.payload = payload;
    packet.payload_length = row->payload;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    expect_drop(&node, row->drop);
    if (row->type >= 0) {
        struct weir_packet sent = fake_packet(&node.links[0], 0);

        assert_int_equal(node_sent(&node), 1);
        assert_int_equal(sent.icmp_type, row->type);
        assert_int_equal(sent.icmp_code, row->code);
        assert_int_equal(sent.icmp_rest, row->rest);
        assert_true(sent.transport_checksum_ok);
        /* RFC 1812 4.3.2.4 [1812-10]: from the interface it leaves by */
        assert_int_equal(weir_addr_to4(&sent.src), A4(10, 0, 0, 1));
        assert_int_equal(weir_addr_to4(&sent.dst), PEER);
    } else {
        assert_int_equal(node_sent(&node), row->drop == WEIR_DROP_NONE ? 1 : 0);
    }
    node_done(&node);
}

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        run_refusal(&refusals[i]);
}

static void test_link_trouble(void **state)
{
    struct weir_packet packet = plain(PEER, FAR);

    (void)state;
    node_init(&node);
    node.links[1].room = 0;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    expect_drop(&node, WEIR_DROP_LINK_FULL); /* and silence, no source quench: */
    assert_int_equal(node_sent(&node), 0);   /* RFC 1812 4.3.3.3 [1812-20] */
    node_clear(&node);
    net_set_iface_up(node.net, 1, false); /* RFC 1812 5.3.12.3 [1812-17] */
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    expect_drop(&node, WEIR_DROP_IFACE_DOWN);
    assert_int_equal(node.links[1].count, 0);
    node_clear(&node);
    net_set_iface_up(node.net, 1, true);
    node.links[1].room = 10;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    assert_int_equal(node.links[1].count, 1);
    node_done(&node);
}

/* Back out of the interface it came in by: forwarded, and no redirect (RFC 1812 5.2.7.2 [1812-18]);
 * by a spoofed source too, since there is no reverse-path filter: RFC 1812 5.3.8 [1812-16]. */
static void test_same_iface(void **state)
{
    struct weir_packet packet = plain(A4(10, 1, 0, 3), FAR);

    (void)state;
    node_init(&node);
    assert_int_equal(node_packet(&node, 1, &packet), NET_DONE);
    assert_int_equal(node.links[1].count, 1);
    packet.src = addr4(A4(10, 2, 0, 2));
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    assert_int_equal(node.links[1].count, 2);
    assert_int_equal(node_sent(&node), 2);
    node_done(&node);
}

static void test_drop_rate(void **state)
{
    struct weir_packet packet = plain(PEER, FAR);
    uint64_t first = 0;

    (void)state;
    node_init(&node);
    assert_int_equal(net_set_drop_rate(node.net, 1.5, 1), WEIR_EINVAL);
    assert_int_equal(net_set_drop_rate(node.net, -0.1, 1), WEIR_EINVAL);
    assert_int_equal(net_set_drop_rate(node.net, (double)NAN, 1), WEIR_EINVAL);
    for (int round = 0; round < 2; round++) { /* equal seeds, equal fates */
        assert_int_equal(net_set_drop_rate(node.net, 0.25, 99), 0);
        for (int i = 0; i < 2000; i++)
            node_packet(&node, 0, &packet);
        assert_in_range(node.links[1].count, 1400, 1600);
        assert_int_equal(node.links[1].count + node.counters.drop[WEIR_DROP_DROP_RATE], 2000);
        assert_true(round == 0 || first == node.links[1].count);
        first = node.links[1].count;
        node_clear(&node);
    }
    assert_int_equal(net_set_drop_rate(node.net, 1, 0), 0);
    node_packet(&node, 0, &packet);
    expect_drop(&node, WEIR_DROP_DROP_RATE);
    packet.dst = addr4(A4(10, 0, 0, 1)); /* what is for us is not forwarded */
    assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    assert_int_equal(net_set_drop_rate(node.net, 0, 0), 0);
    packet.dst = addr4(FAR);
    node_packet(&node, 0, &packet);
    assert_int_equal(node.links[1].count, 1);
    node_done(&node);
}

/* The remembered next hop is forgotten with each change. */
static void test_cache(void **state)
{
    struct weir_packet packet = plain(PEER, A4(10, 9, 3, 3));

    (void)state;
    node_init(&node);
    for (int i = 0; i < 3; i++)
        node_packet(&node, 0, &packet);
    assert_int_equal(node.links[1].sent[2].frame.tag, 12);
    node_route(&node, A4(10, 9, 3, 0), 24, A4(10, 1, 0, 3));
    node_packet(&node, 0, &packet);
    assert_int_equal(node.links[1].sent[3].frame.tag, 13);
    node_neighbour(&node, 1, A4(10, 1, 0, 3), 113);
    node_packet(&node, 0, &packet);
    assert_int_equal(node.links[1].sent[4].frame.tag, 113);
    node_done(&node);
}

/* ---- Unfinished checksums ------------------------------------------------------------------- */

static void make_partial(struct weir_packet *packet, uint8_t *bytes, struct weir_frame *frame)
{
    uint32_t sum;
    long length = weir_packet_emit(packet, bytes, 2000);

    sum = net_pseudo_sum(&packet->src, &packet->dst, 6) + (uint32_t)length - 20;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    bytes[36] = (uint8_t)(sum >> 8);
    bytes[37] = (uint8_t)sum;
    *frame = (struct weir_frame){.data = bytes,
                                 .length = (uint32_t)length,
                                 .csum = WEIR_CSUM_PARTIAL,
                                 .csum_start = 20,
                                 .csum_offset = 16};
}

static void test_partial(void **state)
{
    static uint8_t payload[1400];
    uint8_t bytes[2000], before[2000];
    struct weir_packet packet = plain(PEER, FAR), sent;
    struct weir_frame frame;

    (void)state;
    node_init(&node);
    packet.protocol = 6;
    packet.payload = payload;
    packet.payload_length = 1333;
    payload[1332] = 0x5a;
    make_partial(&packet, bytes, &frame);
    memcpy(before, bytes, sizeof(bytes));
    net_input(node.net, 0, &frame, 0, &node.packet, &node.error);
    sent = fake_packet(&node.links[1], 0);
    assert_true(sent.transport_checksum_ok);
    assert_int_equal(node.links[1].sent[0].frame.csum, WEIR_CSUM_NONE);
    node.links[1].link.csum_partial = true; /* handed on as it is */
    net_input(node.net, 0, &frame, 0, &node.packet, &node.error);
    assert_int_equal(node.links[1].sent[1].frame.csum, WEIR_CSUM_PARTIAL);
    assert_int_equal(node.links[1].sent[1].frame.csum_start, 20);
    assert_memory_equal(node.links[1].sent[1].frame.data + 20, bytes + 20, frame.length - 20);
    assert_memory_equal(before, bytes, sizeof(bytes)); /* the input is borrowed */
    packet.dst = addr4(A4(10, 0, 0, 1));
    make_partial(&packet, bytes, &frame);
    assert_int_equal(net_input(node.net, 0, &frame, 0, &node.packet, &node.error), NET_DELIVER);
    assert_true(node.packet.csum_verified);
    node_done(&node);
}

/* Cut on the way: the finished sum is in the first fragment. */
static void test_partial_cut(void **state)
{
    static uint8_t payload[1000], whole[2000];
    struct weir_packet packet = plain(PEER, A4(10, 2, 0, 2)), parsed;
    struct weir_frame frame;
    uint8_t bytes[2000];
    uint32_t at = 20;

    (void)state;
    node_init(&node);
    packet.protocol = 6;
    packet.payload = payload;
    packet.payload_length = 777;
    make_partial(&packet, bytes, &frame);
    net_input(node.net, 0, &frame, 0, &node.packet, &node.error);
    assert_int_equal(node.links[2].count, 3);
    memcpy(whole, bytes, 20);
    for (unsigned i = 0; i < 3; i++) {
        const struct weir_frame *sent = &node.links[2].sent[i].frame;

        memcpy(whole + at, sent->data + 20, sent->length - 20);
        at += sent->length - 20;
    }
    assert_int_equal(at, frame.length);
    assert_int_equal(weir_packet_parse(whole, at, &parsed), 0);
    assert_true(parsed.transport_checksum_ok);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_link_trouble), cmocka_unit_test(test_same_iface),
        cmocka_unit_test(test_drop_rate),    cmocka_unit_test(test_cache),
        cmocka_unit_test(test_partial),      cmocka_unit_test(test_partial_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
