/* SPDX-License-Identifier: MIT */

/* Large frames: what they are cut into beside the same segments made one by one; where they go on whole,
 * and where they cannot. */

#include "fake_link.h"

#include <net/internal.h>
#include <base/checksum.h>
#include <wire/tcp.h>

#define PEER A4(10, 0, 0, 9)
#define FAR A4(10, 9, 0, 5)  /* behind if1, MTU 1500 */
#define NEAR A4(10, 2, 0, 2) /* on if2, MTU 296 */
#define SELF A4(10, 0, 0, 1)
#define LARGE 65535u

static struct node node;
static uint8_t text[LARGE];

/* A large frame, and what it is made of. */
struct large {
    struct weir_packet packet;
    uint8_t options[40];
    uint8_t bytes[LARGE];
    struct weir_frame frame;
};

/* The text's checksum is left unfinished, as the sender of such frames does. */
static void make_frame(struct large *large, uint16_t gso_size)
{
    long length = weir_packet_emit(&large->packet, large->bytes, sizeof(large->bytes));
    uint32_t sum = net_pseudo_sum(&large->packet.src, &large->packet.dst, large->packet.protocol);

    assert_true(length > 0);
    put_u16(large->bytes + 36, checksum_fold(sum + (uint32_t)length - 20));
    large->frame = (struct weir_frame){
        .data = large->bytes,
        .length = (uint32_t)length,
        .csum = WEIR_CSUM_PARTIAL,
        .csum_start = 20,
        .csum_offset = 16,
        .gso_size = gso_size,
        .gso_segments = (uint16_t)((large->packet.payload_length + gso_size - 1u) / gso_size),
    };
}

static void make_large(struct large *large, uint32_t dst, uint32_t length, uint16_t gso_size)
{
    memset(large, 0, sizeof(*large));
    large->packet = plain(PEER, dst);
    large->packet.protocol = 6;
    large->packet.flags = WEIR_TCP_ACK | WEIR_TCP_PSH | WEIR_TCP_FIN;
    large->packet.seq = 0xfffffff0u;
    large->packet.ack = 77;
    large->packet.window = 1234;
    large->packet.id = 0xfffe;
    large->packet.sport = 1;
    large->packet.dport = 2;
    large->packet.mss = -1;
    large->packet.payload = text;
    large->packet.payload_length = length;
    make_frame(large, gso_size);
}

static void fill_text(struct random *random)
{
    for (uint32_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)random_u32(random);
}

static struct net_arrival arrival_of(const struct large *large)
{
    struct net_arrival arrival = {.frame = &large->frame, .bytes = large->bytes};

    assert_int_equal(ip4_parse(large->bytes, large->frame.length, &arrival.ip), WEIR_DROP_NONE);
    return arrival;
}

/* The segment at `offset` as a sender would have made it by itself. */
static long emit_one(const struct large *large, uint32_t number, uint32_t gso_size, uint8_t *bytes)
{
    struct weir_packet one = large->packet;
    uint32_t offset = number * gso_size, left = one.payload_length - offset;

    one.payload += offset;
    one.payload_length = min_u32(left, gso_size);
    one.seq += offset;
    one.id = (uint16_t)(one.id + number);
    if (left > gso_size)
        one.flags &= (uint8_t) ~(WEIR_TCP_FIN | WEIR_TCP_PSH);
    if (number > 0)
        one.flags &= (uint8_t)~WEIR_TCP_CWR;
    if (one.flags & WEIR_TCP_URG && one.urgent <= offset)
        one.flags &= (uint8_t)~WEIR_TCP_URG;
    one.urgent = one.flags & WEIR_TCP_URG ? (uint16_t)(one.urgent - offset) : 0;
    return weir_packet_emit(&one, bytes, 65535);
}

static void draw(struct random *random, struct large *large, uint16_t *gso_size)
{
    uint32_t length = 1 + random_below(random, random_below(random, 2) ? 60000 : 4000);

    *gso_size = (uint16_t)(1 + random_below(random, random_below(random, 4) ? 1460 : 20));
    if (length / *gso_size > 2000)
        length = 2000u * *gso_size;
    make_large(large, FAR, length, 1);
    large->packet.seq = random_u32(random);
    large->packet.flags =
        (uint8_t)(WEIR_TCP_ACK | (random_u32(random) & ~(uint32_t)(WEIR_TCP_SYN | WEIR_TCP_RST)));
    large->packet.urgent =
        large->packet.flags & WEIR_TCP_URG ? (uint16_t)random_below(random, length + 9) : 0;
    large->packet.options = large->options;
    large->packet.options_length = (uint8_t)(4 * random_below(random, 11));
    for (unsigned i = 0; i < sizeof(large->options); i++)
        large->options[i] = (uint8_t)random_u32(random);
    make_frame(large, *gso_size);
}

/* Byte for byte, over random lengths, sizes, flags, options and urgent pointers. */
static void test_cut_is_what_a_sender_makes(void **state)
{
    static uint8_t got[LARGE], expected[LARGE];
    static struct large large;
    struct random random;

    (void)state;
    random_init_u64(&random, 11, 0);
    for (int round = 0; round < 300; round++) {
        struct net_segments segments;
        struct net_arrival arrival;
        uint32_t number = 0, length;
        uint16_t gso_size;

        fill_text(&random);
        draw(&random, &large, &gso_size);
        arrival = arrival_of(&large);
        assert_true(net_segments_start(&segments, &arrival));
        while ((length = net_segments_next(&segments, got)) > 0) {
            assert_true(length <= net_segments_room(&segments));
            assert_int_equal(emit_one(&large, number++, gso_size, expected), length);
            assert_memory_equal(got, expected, length);
        }
        assert_int_equal(number, large.frame.gso_segments);
    }
}

/* What is no run of segments is not cut. */
static void test_what_cannot_be_cut(void **state)
{
    static struct large large;
    struct net_segments segments;
    struct net_arrival arrival;

    (void)state;
    make_large(&large, FAR, 3000, 1000);
    arrival = arrival_of(&large);
    assert_true(net_segments_start(&segments, &arrival));
    large.frame.gso_size = 0;
    assert_false(net_segments_start(&segments, &arrival));
    large.frame.gso_size = 1000;
    large.bytes[32] = 0x40; /* data offset 4 */
    assert_false(net_segments_start(&segments, &arrival));
    large.bytes[32] = 0xf0;
    large.bytes[33] |= TCP_SYN;
    assert_false(net_segments_start(&segments, &arrival));
    large.bytes[33] ^= TCP_SYN;
    assert_true(net_segments_start(&segments, &arrival));
    arrival.ip.protocol = 17;
    assert_false(net_segments_start(&segments, &arrival));
    arrival.ip.protocol = 6;
    arrival.ip.fragment_offset = 8;
    assert_false(net_segments_start(&segments, &arrival));
    arrival.ip.fragment_offset = 0;
    arrival.ip.total_length = 39; /* no room for its header */
    assert_false(net_segments_start(&segments, &arrival));
}

static enum net_verdict input_large(const struct large *large)
{
    return net_input(node.net, 0, &large->frame, node.now, &node.packet, &node.error);
}

static void test_for_us_it_stays_whole(void **state)
{
    static struct large large;

    (void)state;
    node_init(&node);
    make_large(&large, SELF, 50000, 1460);
    assert_int_equal(input_large(&large), NET_DELIVER);
    assert_true(node.packet.csum_verified);
    assert_int_equal(node.packet.length, 50020);
    assert_int_equal(node.counters.counter[WEIR_COUNT_PACKETS_IN], 35);
    node_done(&node);
}

/* On a link without such frames each segment leaves alone, complete, its TTL one less. */
static void test_forwarded_in_segments(void **state)
{
    static uint8_t expected[LARGE];
    static struct large large;
    struct random random;

    (void)state;
    random_init_u64(&random, 12, 0);
    fill_text(&random);
    node_init(&node);
    make_large(&large, FAR, 9999, 1000);
    assert_int_equal(input_large(&large), NET_DONE);
    assert_int_equal(node.links[1].count, 10);
    large.packet.ttl--;
    for (unsigned i = 0; i < 10; i++) {
        const struct weir_frame *sent = &node.links[1].sent[i].frame;

        assert_int_equal(emit_one(&large, i, 1000, expected), sent->length);
        assert_memory_equal(sent->data, expected, sent->length);
        assert_int_equal(sent->gso_size, 0);
        assert_int_equal(sent->csum, WEIR_CSUM_NONE);
        assert_true(fake_packet(&node.links[1], i).transport_checksum_ok);
    }
    assert_int_equal(node.counters.counter[WEIR_COUNT_FORWARDED], 10);
    node_done(&node);
}

/* On one with them the frame goes on as it came, unless its segments are too large there. */
static void test_forwarded_whole(void **state)
{
    static struct large large;
    const struct weir_frame *sent;

    (void)state;
    node_init(&node);
    node.links[1].link.gso_max = LARGE;
    node.links[1].link.csum_partial = true;
    make_large(&large, FAR, 40000, 1460);
    assert_int_equal(input_large(&large), NET_DONE);
    assert_int_equal(node.links[1].count, 1);
    sent = &node.links[1].sent[0].frame;
    assert_int_equal(sent->length, 40040);
    assert_int_equal(sent->gso_size, 1460);
    assert_int_equal(sent->gso_segments, 28);
    assert_int_equal(sent->csum, WEIR_CSUM_PARTIAL);
    assert_int_equal(sent->data[8], large.packet.ttl - 1);
    assert_memory_equal(sent->data + 12, large.bytes + 12, 40028);
    assert_int_equal(node.counters.counter[WEIR_COUNT_FORWARDED], 28);
    node.links[1].link.gso_max = 30000; /* now it is too large: in segments */
    assert_int_equal(input_large(&large), NET_DONE);
    assert_int_equal(node.links[1].count, 1 + 28);
    node_done(&node);
}

/* Segments that are too large for the link are fragmented, or refused with DF, as any packet is. */
static void test_segments_too_large(void **state)
{
    static struct large large;

    (void)state;
    node_init(&node);
    node.links[2].link.gso_max = LARGE;
    node.links[2].link.csum_partial = true;
    make_large(&large, NEAR, 1000, 500);
    assert_int_equal(input_large(&large), NET_DONE);
    assert_int_equal(node.links[2].count, 4); /* two of each */
    assert_int_equal(node.counters.counter[WEIR_COUNT_FRAGMENTS_OUT], 4);
    large.packet.dont_fragment = true;
    make_frame(&large, 500);
    assert_int_equal(input_large(&large), NET_DONE);
    assert_int_equal(node.counters.drop[WEIR_DROP_TOO_BIG], 2);
    node_done(&node);
}

/* Each segment meets the dice of the drop command alone. */
static void test_each_segment_has_its_own_fate(void **state)
{
    static struct large large;

    (void)state;
    node_init(&node);
    assert_int_equal(net_set_drop_rate(node.net, 0.5, 5), 0);
    node.links[1].link.gso_max = LARGE;
    node.links[1].link.csum_partial = true;
    make_large(&large, FAR, 60000, 100);
    assert_int_equal(input_large(&large), NET_DONE);
    assert_in_range(node.links[1].count, 200, 400);
    assert_int_equal(node.counters.drop[WEIR_DROP_DROP_RATE], 600 - node.links[1].count);
    node_done(&node);
}

static void test_without_memory_it_is_lost(void **state)
{
    static struct large large;

    (void)state;
    node_init(&node);
    make_large(&large, FAR, 9999, 1000);
    node.alloc.budget = node.alloc.used;
    assert_int_equal(input_large(&large), NET_DONE);
    assert_int_equal(node.links[1].count, 0);
    expect_drop(&node, WEIR_DROP_NO_MEMORY);
    node.alloc.budget = 64u << 20;
    large.bytes[9] = 17; /* cannot be cut either */
    mend_header(large.bytes);
    node_clear(&node);
    assert_int_equal(input_large(&large), NET_DONE);
    expect_drop(&node, WEIR_DROP_TOO_BIG);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_is_what_a_sender_makes),
        cmocka_unit_test(test_what_cannot_be_cut),
        cmocka_unit_test(test_for_us_it_stays_whole),
        cmocka_unit_test(test_forwarded_in_segments),
        cmocka_unit_test(test_forwarded_whole),
        cmocka_unit_test(test_segments_too_large),
        cmocka_unit_test(test_each_segment_has_its_own_fate),
        cmocka_unit_test(test_without_memory_it_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
