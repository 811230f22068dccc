/* SPDX-License-Identifier: MIT */

/* Addresses and prefixes: text both ways, what is refused, and containment against a loop over
 * bits. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <string.h>
#include <weir/error.h>
#include <weir/types.h>

static void good_text(void **state)
{
    static const struct {
        const char *text;
        uint32_t value;
    } rows[] = {
        {"0.0.0.0", 0},
        {"10.0.0.1", 0x0a000001},
        {"255.255.255.255", 0xffffffff},
        {"192.168.100.9", 0xc0a86409},
    };
    struct weir_addr addr, again;
    char text[WEIR_ADDR_TEXT];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(weir_addr_parse(rows[i].text, &addr), 0);
        assert_true(weir_addr_is4(&addr));
        assert_int_equal(weir_addr_to4(&addr), rows[i].value);
        assert_ptr_equal(weir_addr_print(&addr, text), text);
        assert_string_equal(text, rows[i].text);
        again = weir_addr_from4(rows[i].value);
        assert_true(weir_addr_equal(&addr, &again));
        assert_int_equal(weir_addr_is_any(&addr), rows[i].value == 0);
    }
}

static void bad_text(void **state)
{
    static const char *const addrs[] = {
        "",          "1",         "1.2.3",    "1.2.3.4.5",        "1.2.3.",
        "1.2.3.256", "1.2.3.-4",  " 1.2.3.4", "1.2.3.4 ",         "1..3.4",
        ".1.2.3.4",  "1.2.3.4/8", "01.2.3.4", "1.2.3.00",         "1.2.3.+4",
        "1.2.3.0x4", "a.b.c.d",   "1.2.3.4x", "1.2.3.4294967300", "1,2,3,4",
        "::1",
    };
    static const char *const prefixes[] = {
        "10.0.0.0",    "10.0.0.0/",   "10.0.0.0/33",
        "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/08",
        "10.0.0/8",    "/8",          "",
        "10.0.0.0//8",
    };
    struct weir_addr addr = weir_addr_from4(77), host = addr;
    struct weir_prefix prefix = weir_prefix_from4(77, 32);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof addrs / sizeof addrs[0]; i++)
        assert_int_equal(weir_addr_parse(addrs[i], &addr), WEIR_EINVAL);
    for (i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        assert_int_equal(weir_prefix_parse(prefixes[i], &prefix, &host), WEIR_EINVAL);
    assert_int_equal(weir_addr_to4(&addr), 77);
    assert_int_equal(weir_addr_to4(&host), 77);
    assert_int_equal(weir_addr_to4(&prefix.addr), 77);
}

static void prefix_text(void **state)
{
    static const struct {
        const char *text;
        uint32_t network, host;
        uint8_t bits;
    } rows[] = {
        {"10.1.2.3/24", 0x0a010200, 0x0a010203, 120},
        {"10.1.2.3/0", 0, 0x0a010203, 96},
        {"10.1.2.3/32", 0x0a010203, 0x0a010203, 128},
        {"10.1.2.3/9", 0x0a000000, 0x0a010203, 105},
    };
    struct weir_prefix prefix;
    struct weir_addr host;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(weir_prefix_parse(rows[i].text, &prefix, &host), 0);
        assert_int_equal(weir_addr_to4(&prefix.addr), rows[i].network);
        assert_int_equal(weir_addr_to4(&host), rows[i].host);
        assert_int_equal(prefix.bits, rows[i].bits);
        assert_int_equal(weir_prefix_parse(rows[i].text, &prefix, NULL), 0);
    }
}

static void containment(void **state)
{
    struct random random;
    struct weir_prefix prefix;
    struct weir_addr addr;
    uint32_t a, b, mask;
    unsigned n, bits;

    (void)state;
    random_init_u64(&random, 1, 1);
    for (n = 0; n < 20000; n++) {
        bits = random_below(&random, 33);
        a = random_u32(&random);
        b = a ^ (uint32_t)((uint64_t)random_u32(&random) >> random_below(&random, 33));
        mask = (uint32_t)(UINT64_C(0xffffffff00000000) >> bits);
        prefix = weir_prefix_from4(a, bits);
        addr = weir_addr_from4(b);
        assert_int_equal(weir_prefix_contains(&prefix, &addr), ((a ^ b) & mask) == 0);
    }
    addr.bytes[0] = 0x20; /* an IPv6 address is in no IPv4 prefix */
    prefix = weir_prefix_from4(0, 0);
    assert_false(weir_prefix_contains(&prefix, &addr));
    prefix.bits = 0;
    assert_true(weir_prefix_contains(&prefix, &addr));
    prefix.addr.scope = 3;
    assert_false(weir_prefix_contains(&prefix, &addr));
    addr.scope = 3;
    assert_true(weir_prefix_contains(&prefix, &addr));
}

static void ipv6_text(void **state)
{
    static const struct {
        uint16_t groups[8];
        uint32_t scope;
        const char *text;
    } rows[] = {
        {{0}, 0, "::"},
        {{0, 0, 0, 0, 0, 0, 0, 1}, 0, "::1"},
        {{1, 0, 0, 0, 0, 0, 0, 0}, 0, "1::"},
        {{0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, 0, "2001:db8::1:0:0:1"},
        {{0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, 0, "2001:db8:0:1:1:1:1:1"},
        {{0xfe80, 0, 0, 0, 0, 0, 0, 0xab}, 2, "fe80::ab%2"},
        {{0, 0, 1, 0, 0, 0, 2, 3}, 0, "0:0:1::2:3"},
        {{0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff},
         4294967295,
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967"},
    };
    struct weir_addr addr;
    char text[WEIR_ADDR_TEXT];
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (k = 0; k < 8; k++) {
            addr.bytes[2 * k] = (uint8_t)(rows[i].groups[k] >> 8);
            addr.bytes[2 * k + 1] = (uint8_t)rows[i].groups[k];
        }
        addr.scope = rows[i].scope;
        assert_string_equal(weir_addr_print(&addr, text), rows[i].text);
        assert_false(weir_addr_is4(&addr));
        assert_int_equal(weir_addr_is_any(&addr), i == 0);
    }
}

static void scopes_tell_addresses_apart(void **state)
{
    struct weir_addr a = weir_addr_any4(), b = a;

    (void)state;
    assert_true(weir_addr_is_any(&a));
    b.scope = 1;
    assert_false(weir_addr_equal(&a, &b));
}

/* A difference in any one byte, or in the scope, is seen. */
static void any_byte_tells_addresses_apart(void **state)
{
    struct weir_addr a, b;
    struct random random;
    size_t i;

    (void)state;
    random_init_u64(&random, 4, 4);
    for (i = 0; i < sizeof a.bytes; i++)
        a.bytes[i] = (uint8_t)random_u32(&random);
    a.scope = 7;
    for (i = 0; i < sizeof a.bytes; i++) {
        b = a;
        assert_true(weir_addr_equal(&a, &b));
        b.bytes[i] ^= (uint8_t)(1u << random_below(&random, 8));
        assert_false(weir_addr_equal(&a, &b));
    }
}

/* RFC 4291 2.5.5.2: ten zeros, two times 0xff, the four bytes. */
static void mapped_bytes(void **state)
{
    static const uint8_t expected[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
    struct weir_addr addr = weir_addr_from4(0x0a010203);

    (void)state;
    assert_memory_equal(addr.bytes, expected, sizeof expected);
    assert_int_equal(addr.scope, 0);
    assert_int_equal(weir_addr_to4(&addr), 0x0a010203);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text),    cmocka_unit_test(bad_text),
        cmocka_unit_test(prefix_text),  cmocka_unit_test(containment),
        cmocka_unit_test(ipv6_text),    cmocka_unit_test(scopes_tell_addresses_apart),
        cmocka_unit_test(mapped_bytes), cmocka_unit_test(any_byte_tells_addresses_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
