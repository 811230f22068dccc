/* SPDX-License-Identifier: MIT */

/* Blocks byte for byte, read back by a reader of its own; checksums that are mended and those that
 * are not; sizes that are too small by one. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/bytes.h>
#include <base/checksum.h>
#include <base/random.h>
#include <stdio.h>
#include <string.h>
#include <support/pcapng.h>
#include <weir/error.h>
#include <weir/packet.h>
#include <weir/pcapng.h>

#define ROOM 70000u

static uint8_t bytes[ROOM];

/* An entry with its packet behind it. */
static union {
    struct weir_journal_entry entry;
    uint64_t words[ROOM / 8];
} note;

static struct weir_journal_entry *entry_of(const void *packet, uint32_t length)
{
    note.entry = (struct weir_journal_entry){.length = length};
    if (length > 0)
        memcpy(&note.entry + 1, packet, length);
    return &note.entry;
}

/* ---- Bytes -------------------------------------------------------------------------------------- */

static void test_section(void **state)
{
    static const uint8_t expected[] = {0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0,    0,    0x4d, 0x3c,
                                       0x2b, 0x1a, 1,    0,    0,  0, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 4,  0, 4,    0,    'w',  'e',
                                       'i',  'r',  0,    0,    0,  0, 40,   0,    0,    0};

    (void)state;
    assert_int_equal(weir_pcapng_section(bytes, ROOM, "weir"), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void test_interface(void **state)
{
    static const uint8_t expected[] = {1, 0, 0,  0, 52, 0,   0,   0,   101, 0,   0, 0, 0,
                                       0, 0, 0,  2, 0,  3,   0,   'i', 'f', '0', 0, 4, 0,
                                       8, 0, 10, 1, 0,  200, 255, 255, 255, 128, 9, 0, 1,
                                       0, 9, 0,  0, 0,  0,   0,   0,   0,   52,  0, 0, 0};
    struct weir_pcapng_interface iface = {
        .name = "if0", .addr = weir_addr_from4(0x0a0100c8), .prefix_bits = 25};

    (void)state;
    assert_int_equal(weir_pcapng_interface(bytes, ROOM, &iface), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

static void test_packet(void **state)
{
    /* clang-format off */
    static const uint8_t expected[] = {
        6, 0, 0, 0, 96, 0, 0, 0, 3, 0, 0, 0,
        2, 0, 0, 0, 5, 0, 0, 0,                         /* 2^33 + 5 ns */
        5, 0, 0, 0, 5, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 0, 0, 0,
        2, 0, 4, 0, 1, 0, 0, 0,                         /* inbound */
        4, 0, 8, 0, 7, 0, 0, 0, 1, 0, 0, 0,             /* 2^32 + 7 missing before it */
        1, 0, 26, 0, 'd', 'r', 'o', 'p', 'p', 'e', 'd', ':', ' ', 't', 't', 'l', ' ', '(', 'T',
        'T', 'L', ' ', 'r', 'a', 'n', ' ', 'o', 'u', 't', ')', 0, 0,
        0, 0, 0, 0, 96, 0, 0, 0,
    };
    /* clang-format on */
    struct weir_journal_entry *entry = entry_of("abcde", 5);

    (void)state;
    entry->at = 5;
    entry->drop = WEIR_DROP_TTL;
    entry->missed = ((uint64_t)1 << 32) + 7;
    entry->why = WEIR_WHY_DATA; /* of no meaning on what comes in */
    assert_int_equal(weir_pcapng_packet(bytes, ROOM, 3, (weir_time)1 << 33, entry),
                     sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
}

/* ---- Read back ------------------------------------------------------------------------------------ */

static void read_one(long length, struct pcapng_block *block)
{
    static uint8_t whole[2 * ROOM];
    struct weir_pcapng_interface iface = {.name = "x", .addr = weir_addr_any4()};
    struct pcapng_reader reader;
    long at;

    assert_true(length > 0);
    assert_true(length % 4 == 0);
    at = weir_pcapng_section(whole, sizeof(whole), "");
    at += weir_pcapng_interface(whole + at, sizeof(whole) - (size_t)at, &iface);
    memcpy(whole + at, bytes, (size_t)length);
    pcapng_begin(&reader, whole, (size_t)(at + length));
    assert_true(pcapng_next(&reader, block));
    assert_true(pcapng_next(&reader, block));
    assert_string_equal(block->name, "x");
    assert_false(block->has_addr);
    if (!pcapng_next(&reader, block))
        fail_msg("broken: %s", reader.broken);
    assert_false(pcapng_next(&reader, &(struct pcapng_block){0}));
    assert_null(reader.broken);
}

static void test_comments(void **state)
{
    struct pcapng_block block;
    char expected[300];

    (void)state;
    for (unsigned i = 0; i < WEIR_WHY_COUNT; i++) {
        struct weir_journal_entry *entry = entry_of("x", 1);

        entry->direction = WEIR_JOURNAL_OUT;
        entry->why = (uint16_t)i;
        read_one(weir_pcapng_packet(bytes, ROOM, 0, 0, entry), &block);
        assert_int_equal(block.comment_count, 1);
        assert_int_equal(block.direction, 2);
        snprintf(expected, sizeof(expected), "sent: %s (%s)", weir_why_name((enum weir_why)i),
                 weir_why_meaning((enum weir_why)i));
        assert_string_equal(block.comments[0], expected);
    }
    for (unsigned i = 0; i < WEIR_DROP_COUNT; i++) {
        struct weir_journal_entry *entry = entry_of("x", 1);

        entry->drop = (uint16_t)i;
        read_one(weir_pcapng_packet(bytes, ROOM, 0, 0, entry), &block);
        assert_int_equal(block.direction, 1);
        assert_int_equal(block.comment_count, i == WEIR_DROP_NONE ? 0 : 1);
        snprintf(expected, sizeof(expected), "dropped: %s (%s)", weir_drop_name((enum weir_drop)i),
                 weir_drop_meaning((enum weir_drop)i));
        if (i != WEIR_DROP_NONE)
            assert_string_equal(block.comments[0], expected);
    }
}

/* What a stack says to itself and drops has both. */
static void test_two_comments(void **state)
{
    struct weir_journal_entry *entry = entry_of("x", 1);
    struct pcapng_block block;

    (void)state;
    entry->direction = WEIR_JOURNAL_OUT;
    entry->why = WEIR_WHY_SYN;
    entry->drop = WEIR_DROP_TCP_NO_CONNECTION;
    read_one(weir_pcapng_packet(bytes, ROOM, 0, 0, entry), &block);
    assert_int_equal(block.comment_count, 2);
    assert_memory_equal(block.comments[0], "sent: syn (", 11);
    assert_memory_equal(block.comments[1], "dropped: tcp-no-connection (", 28);
}

static void test_counts(void **state)
{
    struct weir_pcapng_counts counts = {.number = 0, .at = 99, .noted = 12, .missed = 5};
    struct pcapng_block block;

    (void)state;
    read_one(weir_pcapng_counts(bytes, ROOM, &counts), &block);
    assert_int_equal(block.type, PCAPNG_COUNTS);
    assert_int_equal(block.received, 12);
    assert_int_equal(block.dropped, 5);
    assert_int_equal(block.time, 99);
    assert_string_equal(block.comments[0], "5 packets found no room and are missing");
    counts.missed = 0;
    read_one(weir_pcapng_counts(bytes, ROOM, &counts), &block);
    assert_int_equal(block.comment_count, 0);
}

/* Every length of packet and of name; times before the beginning are the beginning. */
static void test_lengths(void **state)
{
    struct pcapng_block block;
    uint8_t data[300];
    char name[400] = "";

    (void)state;
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (uint32_t length = 0; length < sizeof(data); length++) {
        struct weir_journal_entry *entry = entry_of(data, length);
        struct weir_pcapng_interface iface = {.name = name};
        struct pcapng_reader reader;
        long at;

        entry->at = -5;
        read_one(weir_pcapng_packet(bytes, ROOM, 0, 0, entry), &block);
        assert_int_equal(block.time, 0);
        assert_int_equal(block.data_length, length);
        assert_memory_equal(block.data, data, length);
        at = weir_pcapng_section(bytes, ROOM, name);
        at += weir_pcapng_interface(bytes + at, ROOM - (size_t)at, &iface);
        pcapng_begin(&reader, bytes, (size_t)at);
        for (int i = 0; i < 2; i++) {
            assert_true(pcapng_next(&reader, &block));
            assert_int_equal(strlen(block.name), min_u32(length, WEIR_PCAPNG_TEXT_MAX));
        }
        name[length] = 'n';
    }
}

static long write_any(int what, size_t size)
{
    static const uint8_t data[21] = {0x45};
    struct weir_pcapng_interface iface = {
        .name = "wire", .addr = weir_addr_from4(0x0a000001), .prefix_bits = 0};
    struct weir_pcapng_counts counts = {.missed = UINT64_MAX, .noted = UINT64_MAX};
    struct weir_journal_entry *entry = entry_of(data, sizeof(data));

    if (what == 0)
        return weir_pcapng_section(bytes, size, "somebody");
    if (what == 1)
        return weir_pcapng_interface(bytes, size, &iface);
    if (what == 2)
        return weir_pcapng_counts(bytes, size, &counts);
    entry->direction = WEIR_JOURNAL_OUT;
    entry->missed = 1;
    entry->drop = WEIR_DROP_TTL;
    entry->gso_size = what == 4 ? 1000 : 0;
    entry->csum = WEIR_CSUM_PARTIAL;
    return weir_pcapng_packet(bytes, size, 0, 0, entry);
}

/* With one byte too few nothing is written behind the room; and no block has more than it may. */
static void test_room(void **state)
{
    (void)state;
    for (int what = 0; what < 5; what++) {
        long full = write_any(what, ROOM);

        assert_true(full > 0 && full <= WEIR_PCAPNG_BLOCK_MAX);
        assert_int_equal(write_any(what, (size_t)full), full);
        for (long size = 0; size < full; size++) {
            memset(bytes, 0xa5, (size_t)full + 8);
            assert_int_equal(write_any(what, (size_t)size), WEIR_EMSGSIZE);
            for (long at = size; at < full + 8; at++)
                assert_int_equal(bytes[at], 0xa5);
        }
    }
}

/* ---- Checksums ------------------------------------------------------------------------------------ */

static uint8_t original[ROOM];

static uint32_t make_packet(uint8_t protocol, uint32_t length)
{
    static uint8_t data[ROOM];
    struct weir_packet packet = {.src = weir_addr_from4(0x0a000001),
                                 .dst = weir_addr_from4(0x0a000002),
                                 .ttl = 64,
                                 .protocol = protocol,
                                 .sport = 1234,
                                 .dport = 80,
                                 .flags = WEIR_TCP_ACK,
                                 .mss = -1,
                                 .payload = data,
                                 .payload_length = length};

    for (uint32_t i = 0; i < length; i++)
        data[i] = (uint8_t)(i * 31 + length);
    return (uint32_t)weir_packet_emit(&packet, original, sizeof(original));
}

/* The packet of the block is what was sent in full. */
static void expect_original(const struct weir_journal_entry *entry)
{
    struct pcapng_block block;

    read_one(weir_pcapng_packet(bytes, ROOM, 0, 0, entry), &block);
    assert_int_equal(block.data_length, entry->length);
    assert_memory_equal(block.data, original, entry->length);
}

static void test_partial_sum(void **state)
{
    static const uint8_t protocols[] = {6, 17};

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (uint32_t length = 0; length < 70; length++) {
            uint32_t total = make_packet(protocols[i], length);
            uint16_t field = protocols[i] == 6 ? 16 : 6;
            struct weir_journal_entry *entry = entry_of(original, total);
            uint8_t *packet = (uint8_t *)(entry + 1);
            uint32_t sum = checksum_add(0, packet + 12, 8);

            sum = checksum_add_u32(sum, (uint32_t)protocols[i] + total - 20);
            put_u16(packet + 20 + field, checksum_fold(sum));
            entry->csum = WEIR_CSUM_PARTIAL;
            entry->csum_start = 20;
            entry->csum_offset = field;
            expect_original(entry);
        }
    }
}

/* A run under one header, as a link gets it: lengths and sums of its template. */
static void test_run_of_segments(void **state)
{
    static const uint8_t protocols[] = {6, 17};

    (void)state;
    for (int i = 0; i < 2; i++) {
        for (uint32_t length = 1; length < 65000; length = length * 3 + 2) {
            uint32_t total = make_packet(protocols[i], length);
            struct weir_journal_entry *entry = entry_of(original, total);
            uint8_t *packet = (uint8_t *)(entry + 1);

            put_u16(packet + 2, 1400);
            put_u16(packet + 10, 0x1234);
            put_u16(packet + 20 + (protocols[i] == 6 ? 16 : 6), 0x4321);
            if (protocols[i] == 17)
                put_u16(packet + 24, 77);
            entry->gso_size = 1360;
            entry->gso_segments = 0;
            expect_original(entry);
        }
    }
}

/* What came wrong over the wire is shown wrong. */
static void test_wrong_sums_stay(void **state)
{
    uint32_t total = make_packet(6, 20);

    (void)state;
    original[36] ^= 0x55;
    original[10] ^= 0x55;
    expect_original(entry_of(original, total));
}

/* Entries of any kind with any bytes: never a fault, always a block that can be read. */
static void test_anything(void **state)
{
    struct random random;
    struct pcapng_block block;
    uint8_t data[120];

    (void)state;
    random_init_u64(&random, 4711, 0);
    for (int round = 0; round < 20000; round++) {
        uint32_t length = random_u32(&random) % sizeof(data);
        struct weir_journal_entry *entry;

        for (uint32_t i = 0; i < length; i++)
            data[i] = (uint8_t)random_u32(&random);
        if (length > 0 && round % 2)
            data[0] = 0x45;
        entry = entry_of(data, length);
        entry->csum = (uint8_t)(random_u32(&random) % 4);
        entry->csum_start = (uint16_t)(random_u32(&random) % 130);
        entry->csum_offset = (uint16_t)(random_u32(&random) % 130);
        entry->gso_size = (uint16_t)(random_u32(&random) % 3);
        entry->gso_segments = (uint16_t)(random_u32(&random) % 3);
        entry->direction = (uint8_t)(random_u32(&random) % 3);
        entry->why = (uint16_t)random_u32(&random);
        entry->drop = (uint16_t)random_u32(&random);
        read_one(weir_pcapng_packet(bytes, ROOM, 0, 0, entry), &block);
        assert_int_equal(block.data_length, length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section),         cmocka_unit_test(test_interface),
        cmocka_unit_test(test_packet),          cmocka_unit_test(test_comments),
        cmocka_unit_test(test_two_comments),    cmocka_unit_test(test_counts),
        cmocka_unit_test(test_lengths),         cmocka_unit_test(test_room),
        cmocka_unit_test(test_partial_sum),     cmocka_unit_test(test_run_of_segments),
        cmocka_unit_test(test_wrong_sums_stay), cmocka_unit_test(test_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
