/* SPDX-License-Identifier: MIT */

/* The IPv4 header: emit and parse undo each other, lengths are judged, and the TTL is mended right
 * for every TTL and every checksum. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <base/bytes.h>
#include <base/checksum.h>
#include <base/random.h>
#include <string.h>
#include <wire/ip4.h>

static const struct ip4_header sample = {.src = 0x0a000001,
                                         .dst = 0x0a010002,
                                         .total_length = 40,
                                         .id = 0x1234,
                                         .fragment_offset = 1480,
                                         .tos = 0xb8,
                                         .ttl = 16,
                                         .protocol = 6,
                                         .more_fragments = true};

static void test_bytes(void **state)
{
    static const uint8_t expected[] = {0x45, 0xb8, 0,  40, 0x12, 0x34, 0x20, 185, 16, 6,
                                       0,    0,    10, 0,  0,    1,    10,   1,   0,  2};
    uint8_t bytes[IP4_HEADER];

    (void)state;
    ip4_emit(&sample, bytes);
    assert_memory_equal(bytes, expected, 10);
    assert_memory_equal(bytes + 12, expected + 12, 8);
    assert_true(ip4_checksum_ok(bytes, IP4_HEADER));
    bytes[13] ^= 4;
    assert_false(ip4_checksum_ok(bytes, IP4_HEADER)); /* RFC 1122 3.2.1.2 [1122-2] */
}

static void test_round_trip(void **state)
{
    struct random random;

    (void)state;
    random_init_u64(&random, 1, 0);
    for (int i = 0; i < 20000; i++) {
        struct ip4_header in = {.src = random_u32(&random),
                                .dst = random_u32(&random),
                                .total_length = (uint16_t)(20 + random_below(&random, 65516)),
                                .id = (uint16_t)random_u32(&random),
                                .fragment_offset = (uint16_t)(random_below(&random, 8192) * 8),
                                .tos = (uint8_t)random_u32(&random),
                                .ttl = (uint8_t)random_u32(&random),
                                .protocol = (uint8_t)random_u32(&random),
                                .dont_fragment = random_chance(&random, 0.5),
                                .more_fragments = random_chance(&random, 0.5)};
        struct ip4_header out;
        uint8_t bytes[IP4_HEADER];

        ip4_emit(&in, bytes);
        assert_int_equal(ip4_parse_quote(bytes, sizeof(bytes), &out), WEIR_DROP_NONE);
        assert_int_equal(out.src, in.src);
        assert_int_equal(out.dst, in.dst);
        assert_int_equal(out.total_length, in.total_length);
        assert_int_equal(out.id, in.id);
        assert_int_equal(out.fragment_offset, in.fragment_offset);
        assert_int_equal(out.tos, in.tos);
        assert_int_equal(out.ttl, in.ttl);
        assert_int_equal(out.protocol, in.protocol);
        assert_int_equal(out.dont_fragment, in.dont_fragment);
        assert_int_equal(out.more_fragments, in.more_fragments);
        assert_int_equal(out.header_length, 20);
    }
}

/* RFC 791 3.1 [791-1], RFC 1812 5.2.2 [1812-1], RFC 1122 3.2.1.1 [1122-1] */
static void test_judgement(void **state)
{
    static const struct {
        uint8_t first;
        uint16_t total;
        size_t length;
        enum weir_drop whole, quote;
    } rows[] = {
        {0x45, 40, 40, WEIR_DROP_NONE, WEIR_DROP_NONE},
        {0x45, 20, 20, WEIR_DROP_NONE, WEIR_DROP_NONE},
        {0x45, 40, 60, WEIR_DROP_NONE, WEIR_DROP_NONE},
        {0x4f, 60, 60, WEIR_DROP_NONE, WEIR_DROP_NONE},
        {0x45, 40, 19, WEIR_DROP_IP_SHORT, WEIR_DROP_IP_SHORT},
        {0x45, 40, 0, WEIR_DROP_IP_SHORT, WEIR_DROP_IP_SHORT},
        {0x55, 40, 40, WEIR_DROP_IP_VERSION, WEIR_DROP_IP_VERSION},
        {0x44, 40, 40, WEIR_DROP_IP_HEADER_LENGTH, WEIR_DROP_IP_HEADER_LENGTH},
        {0x4f, 59, 59, WEIR_DROP_IP_HEADER_LENGTH, WEIR_DROP_IP_HEADER_LENGTH},
        {0x45, 19, 40, WEIR_DROP_IP_LENGTH, WEIR_DROP_IP_LENGTH},
        {0x46, 23, 40, WEIR_DROP_IP_LENGTH, WEIR_DROP_IP_LENGTH},
        {0x45, 41, 40, WEIR_DROP_IP_LENGTH, WEIR_DROP_NONE},
        {0x45, 65535, 28, WEIR_DROP_IP_LENGTH, WEIR_DROP_NONE},
    };
    uint8_t bytes[64];
    struct ip4_header header;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[0] = rows[i].first;
        put_u16(bytes + 2, rows[i].total);
        assert_int_equal(ip4_parse(bytes, rows[i].length, &header), rows[i].whole);
        assert_int_equal(ip4_parse_quote(bytes, rows[i].length, &header), rows[i].quote);
    }
}

/* RFC 1812 4.2.2.5 [1812-4]: every TTL with every header checksum, against a full computation. The
 * protocol, which shares the TTL's word, and the id, which steers the checksum, run through all. */
static void test_ttl(void **state)
{
    struct ip4_header header = sample;
    uint8_t bytes[IP4_HEADER], again[IP4_HEADER];

    (void)state;
    for (uint32_t ttl = 1; ttl < 256; ttl++) {
        for (uint32_t id = 0; id < 65536; id++) {
            header.ttl = (uint8_t)ttl;
            header.id = (uint16_t)id;
            header.protocol = (uint8_t)(id * 7);
            ip4_emit(&header, bytes);
            header.ttl--;
            ip4_emit(&header, again);
            ip4_decrement_ttl(bytes);
            if (memcmp(bytes, again, IP4_HEADER) != 0)
                fail_msg("ttl %u id %u", (unsigned)ttl, (unsigned)id);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_judgement),
        cmocka_unit_test(test_ttl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
