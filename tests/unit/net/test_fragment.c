/* SPDX-License-Identifier: MIT */

/* Cutting on the way: offsets, flags, options, order; and again what is a fragment already. */

#include "fake_link.h"

#include <base/bytes.h>

#define PEER A4(10, 0, 0, 9)
#define NARROW A4(10, 2, 0, 2) /* behind an MTU of 296 */

static struct node node;
static uint8_t bytes[2000];

/* A packet with `options` (a multiple of 4) to NARROW. */
static uint32_t make(const uint8_t *options, uint32_t option_bytes, uint32_t payload,
                     uint16_t fragment_word)
{
    uint32_t header = 20 + option_bytes;

    memset(bytes, 0, sizeof(bytes));
    bytes[0] = (uint8_t)(0x40 | header / 4);
    put_u16(bytes + 2, (uint16_t)(header + payload));
    put_u16(bytes + 4, 0xbeef);
    put_u16(bytes + 6, fragment_word);
    bytes[8] = 33;
    bytes[9] = 200;
    put_u32(bytes + 12, PEER);
    put_u32(bytes + 16, NARROW);
    if (option_bytes > 0)
        memcpy(bytes + 20, options, option_bytes);
    for (uint32_t i = 0; i < payload; i++)
        bytes[header + i] = (uint8_t)(i * 7);
    mend_header(bytes);
    return header + payload;
}

/* RFC 791 3.2 [791-3], RFC 1812 4.2.2.7 [1812-7]: every size; each fragment as full as it can be,
 * in order, with the packet's own offset and flag carried on. */
static void run_size(uint32_t payload, uint16_t word)
{
    uint32_t length = make(NULL, 0, payload, word);
    uint32_t at = 0;

    assert_int_equal(node_input(&node, 0, bytes, length), NET_DONE);
    for (unsigned i = 0; i < node.links[2].count; i++) {
        const struct weir_frame *frame = &node.links[2].sent[i].frame;
        struct weir_packet sent = fake_packet(&node.links[2], i);
        bool is_last = i + 1 == node.links[2].count;

        assert_int_equal(sent.fragment_offset, (word & 0x1fffu) * 8u + at);
        assert_int_equal(sent.more_fragments, !is_last || word & 0x2000);
        assert_int_equal(sent.id, 0xbeef);
        assert_int_equal(sent.ttl, 32);
        assert_int_equal(frame->length, is_last ? 20 + payload - at : 20 + 272);
        assert_memory_equal(sent.payload, bytes + 20 + at, sent.payload_length);
        at += sent.payload_length;
    }
    assert_int_equal(at, payload);
    assert_int_equal(node.counters.counter[WEIR_COUNT_FORWARDED], 1);
    node_clear(&node);
}

static void test_sizes(void **state)
{
    (void)state;
    node_init(&node);
    for (uint32_t payload = 277; payload < 1480; payload++)
        run_size(payload, 0);
    for (uint32_t payload = 280; payload < 1400; payload += 8)
        run_size(payload, 0x2000 | 185);
    run_size(1000, 185);
    node_done(&node);
}

/* RFC 791 3.1, 3.2 [791-3]: the first fragment has all options, the others those with the copy
 * bit. */
static void test_options(void **state)
{
    static const uint8_t options[12] = {7, 3, 4, 1, 0x94, 4, 0, 0, 0xc1, 3, 9, 0};
    static const uint8_t copied[8] = {0x94, 4, 0, 0, 0xc1, 3, 9, 0};
    uint32_t length = make(options, sizeof(options), 600, 0);

    (void)state;
    node_init(&node);
    node_input(&node, 0, bytes, length);
    expect_drop(&node, WEIR_DROP_NONE);
    assert_int_equal(node.links[2].count, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct weir_frame *frame = &node.links[2].sent[i].frame;
        struct weir_packet sent = fake_packet(&node.links[2], i);

        assert_int_equal(frame->data[0], i == 0 ? 0x48 : 0x47);
        assert_memory_equal(frame->data + 20, i == 0 ? options : copied, i == 0 ? 12 : 8);
        assert_int_equal(sent.fragment_offset, i * 264);
    }
    node_done(&node);
}

/* RFC 791 3.1 [791-4], RFC 6864 4.3 [6864-3] */
static void test_dont_fragment(void **state)
{
    (void)state;
    node_init(&node);
    node_input(&node, 0, bytes, make(NULL, 0, 277, 0x4000));
    expect_drop(&node, WEIR_DROP_TOO_BIG);
    assert_int_equal(node.links[2].count, 0);
    assert_int_equal(node.links[0].count, 1);
    node_clear(&node);
    node_input(&node, 0, bytes, make(NULL, 0, 276, 0x4000));
    assert_int_equal(node.links[2].count, 1);
    assert_true(fake_packet(&node.links[2], 0).dont_fragment);
    node_done(&node);
}

/* A link that gets full: the rest is lost, and counted once. */
static void test_full(void **state)
{
    (void)state;
    node_init(&node);
    node.links[2].room = 2;
    node_input(&node, 0, bytes, make(NULL, 0, 1000, 0));
    expect_drop(&node, WEIR_DROP_LINK_FULL);
    assert_int_equal(node.links[2].count, 2);
    assert_int_equal(node.counters.counter[WEIR_COUNT_FORWARDED], 0);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_dont_fragment),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
