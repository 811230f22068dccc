/* SPDX-License-Identifier: MIT */

/* UDP headers: bytes, lengths that lie, and the two zeros of the checksum. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <base/bytes.h>
#include <string.h>
#include <wire/udp.h>

/* 10.0.0.1 to 10.1.0.2, protocol 17, as 16-bit words. */
#define PSEUDO (0x0a00u + 0x0001u + 0x0a01u + 0x0002u + 17u)

static const struct udp_header ports = {.sport = 0x1234, .dport = 0x5678};

/* The sum as the RFC has it, word by word. */
static uint16_t naive_sum(const uint8_t *bytes, uint32_t length)
{
    uint32_t sum = PSEUDO + length;

    for (uint32_t i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* RFC 768 Fields [768-1]: the length counts the header, the sum covers all. */
static void test_round_trip(void **state)
{
    uint8_t data[99], bytes[120];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 37 + 1);
    for (uint32_t length = 0; length <= sizeof(data); length++) {
        struct udp_header out;

        memset(bytes, 0xee, sizeof(bytes));
        udp_emit(&ports, PSEUDO, data, length, bytes);
        assert_int_equal(udp_parse(bytes, UDP_HEADER + length, &out), WEIR_DROP_NONE);
        assert_int_equal(out.sport, 0x1234);
        assert_int_equal(out.dport, 0x5678);
        assert_int_equal(out.length, UDP_HEADER + length);
        assert_int_equal(naive_sum(bytes, out.length), 0xffff);
        assert_memory_equal(bytes + UDP_HEADER, data, length);
        assert_int_equal(bytes[UDP_HEADER + length], 0xee);
        assert_true(udp_checksum_ok(bytes, out.length, PSEUDO));
        bytes[length % (UDP_HEADER + length)] ^= 0x40;
        assert_false(udp_checksum_ok(bytes, out.length, PSEUDO));
    }
}

/* RFC 1122 4.1.3.4 [768-2]: 0 means none, so a sum of 0 is sent as all ones. */
static void test_two_zeros(void **state)
{
    unsigned all_ones = 0;
    uint8_t bytes[UDP_HEADER + 2];

    (void)state;
    for (unsigned word = 0; word <= 0xffff; word++) {
        uint8_t data[2] = {(uint8_t)(word >> 8), (uint8_t)word};
        uint16_t checksum;

        udp_emit(&ports, PSEUDO, data, 2, bytes);
        checksum = get_u16(bytes + 6);
        assert_int_not_equal(checksum, 0);
        all_ones += checksum == 0xffff;
        assert_true(udp_checksum_ok(bytes, sizeof(bytes), PSEUDO));
    }
    assert_int_equal(all_ones, 1); /* 0 and 0xffff are two words of one value, 0 never comes out */
}

static void test_no_checksum(void **state)
{
    uint8_t bytes[UDP_HEADER + 4] = {1, 2, 3, 4, 0, UDP_HEADER + 4, 0, 0, 9, 9, 9, 9};

    (void)state;
    assert_true(udp_checksum_ok(bytes, sizeof(bytes), PSEUDO));
    bytes[7] = 1;
    assert_false(udp_checksum_ok(bytes, sizeof(bytes), PSEUDO));
}

static void test_lengths(void **state)
{
    static const struct {
        size_t bytes;
        uint16_t field;
        enum weir_drop drop;
    } rows[] = {
        {0, 8, WEIR_DROP_UDP_SHORT},
        {7, 7, WEIR_DROP_UDP_SHORT},
        {8, 8, WEIR_DROP_NONE},
        {8, 0, WEIR_DROP_UDP_LENGTH},
        {8, 7, WEIR_DROP_UDP_LENGTH},
        {8, 9, WEIR_DROP_UDP_LENGTH},
        {20, 8, WEIR_DROP_NONE},
        {20, 19, WEIR_DROP_NONE}, /* padding behind it */
        {20, 20, WEIR_DROP_NONE},
        {20, 21, WEIR_DROP_UDP_LENGTH},
        {20, 65535, WEIR_DROP_UDP_LENGTH},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct udp_header header = {.sport = 7};
        uint8_t bytes[20] = {0};
        bool is_good = rows[i].drop == WEIR_DROP_NONE;

        put_u16(bytes, 99);
        put_u16(bytes + 4, rows[i].field);
        assert_int_equal(udp_parse(bytes, rows[i].bytes, &header), rows[i].drop);
        assert_int_equal(header.sport, is_good ? 99 : 7); /* untouched on failure */
        assert_int_equal(header.length, is_good ? rows[i].field : 0);
    }
}

/* What is behind the length is not in the sum. */
static void test_padding(void **state)
{
    uint8_t bytes[UDP_HEADER + 6];

    (void)state;
    udp_emit(&ports, PSEUDO, "abc", 3, bytes);
    memset(bytes + UDP_HEADER + 3, 0x77, 3);
    assert_true(udp_checksum_ok(bytes, UDP_HEADER + 3, PSEUDO));
    assert_false(udp_checksum_ok(bytes, UDP_HEADER + 6, PSEUDO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_two_zeros),
        cmocka_unit_test(test_no_checksum), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_padding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
