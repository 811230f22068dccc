/* SPDX-License-Identifier: MIT */

/* ICMP messages: bytes, checksums over odd and even lengths, what is an error. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>
#include <wire/icmp4.h>

/* RFC 792 all [792-1]: every length, odd ones too; one flipped bit shows. */
static void test_round_trip(void **state)
{
    uint8_t body[99], bytes[120];

    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 37 + 1);
    for (size_t length = 0; length <= sizeof(body); length++) {
        struct icmp4_message in = {
            .type = 8, .code = 3, .rest = 0x12345678, .body = body, .body_length = length};
        struct icmp4_message out;

        icmp4_emit(&in, bytes);
        assert_true(icmp4_checksum_ok(bytes, ICMP4_HEADER + length));
        assert_true(icmp4_parse(bytes, ICMP4_HEADER + length, &out));
        assert_int_equal(out.type, 8);
        assert_int_equal(out.code, 3);
        assert_int_equal(out.rest, 0x12345678);
        assert_int_equal(out.body_length, length);
        assert_memory_equal(out.body, body, length);
        bytes[ICMP4_HEADER + length - 1] ^= 0x10;
        assert_false(icmp4_checksum_ok(bytes, ICMP4_HEADER + length));
    }
}

static void test_short(void **state)
{
    uint8_t bytes[ICMP4_HEADER] = {0};
    struct icmp4_message message;

    (void)state;
    for (size_t length = 0; length < ICMP4_HEADER; length++)
        assert_false(icmp4_parse(bytes, length, &message));
    assert_true(icmp4_parse(bytes, ICMP4_HEADER, &message));
}

static void test_errors(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool expected = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;

        assert_int_equal(icmp4_is_error((uint8_t)type), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
