/* SPDX-License-Identifier: MIT */

/* The language of conversations: what is understood, where it stops, and printing it back. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "spec.h"

static void test_flags(void **state)
{
    static const struct {
        const char *text;
        uint8_t flags;
    } rows[] = {
        {"S", WEIR_TCP_SYN},
        {"S.", WEIR_TCP_SYN | WEIR_TCP_ACK},
        {".", WEIR_TCP_ACK},
        {"FP.", WEIR_TCP_FIN | WEIR_TCP_PSH | WEIR_TCP_ACK},
        {"R", WEIR_TCP_RST},
        {"U.", WEIR_TCP_URG | WEIR_TCP_ACK},
        {"SEC", WEIR_TCP_SYN | WEIR_TCP_ECE | WEIR_TCP_CWR},
        {"-", 0},
    };
    struct spec spec;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_null(spec_parse(rows[i].text, &spec));
        assert_int_equal(spec.flags, rows[i].flags);
        assert_false(spec.any_flags || spec.has_seq || spec.has_ack || spec.has_window);
        assert_false(spec.has_options || spec.is_icmp || spec.is_bad_sum);
    }
    assert_null(spec_parse("*", &spec));
    assert_true(spec.any_flags);
}

static void test_whole(void **state)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 0x08, 0x0a};
    struct spec spec;

    (void)state;
    assert_null(spec_parse("P. -5:95(100) ack =4000000000 win 65535 urg 7 <mss 1460,nop,080a> "
                           "badsum ttl 3 tos 9 reserved 15 why fast-retransmit",
                           &spec));
    assert_true(spec.has_seq && spec.has_ack && spec.has_window && spec.has_urgent);
    assert_true(spec.seq == -5 && spec.end == 95 && spec.length == 100 && !spec.is_seq_absolute);
    assert_true(spec.ack == 4000000000 && spec.is_ack_absolute);
    assert_int_equal(spec.window, 65535);
    assert_int_equal(spec.urgent, 7);
    assert_int_equal(spec.options_length, sizeof(options));
    assert_memory_equal(spec.options, options, sizeof(options));
    assert_true(spec.is_bad_sum && spec.has_ttl && spec.has_tos);
    assert_int_equal(spec.ttl, 3);
    assert_int_equal(spec.tos, 9);
    assert_int_equal(spec.reserved, 15);
    assert_string_equal(spec.why, "fast-retransmit");
    assert_null(spec_parse("S 0:0(0) <>", &spec));
    assert_true(spec.has_options && spec.options_length == 0);
    assert_null(spec_parse("icmp 3 4", &spec));
    assert_true(spec.is_icmp && spec.icmp_type == 3 && spec.icmp_code == 4);
}

static void test_not_understood(void **state)
{
    static const char *const rows[] = {
        "",
        "X",
        "S 0:1(0)",
        "S 0:0",
        "S 0:0(0",
        ". ack",
        ". win 65536",
        ". win -1",
        ". <mss>",
        ". <foo>",
        ". <0>",
        ". <nop",
        "icmp",
        "icmp 3",
        "icmp 3 4 5",
        ". sideways",
        ". reserved 16",
        ". ttl 256",
        ". <0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728,nop>",
    };
    struct spec spec;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (spec_parse(rows[i], &spec) == NULL)
            fail_msg("`%s` was understood", rows[i]);
}

/* What is printed is understood as the same. */
static void test_printed(void **state)
{
    static const char *const rows[] = {
        "S 0:0(0) win 100 <mss 1460>",
        "S. 0:0(0) ack 1 win 65535 <mss 536,nop,nop,nop,00>",
        "P. 1:101(100) ack 1 win 0",
        "F. -3:-3(0) ack -7 win 9",
        "PU. 1:11(10) ack 1 win 9 urg 10",
        "R 5:5(0) win 0",
        "- 5:5(0) win 0",
    };
    struct spec spec;
    char text[SPEC_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_null(spec_parse(rows[i], &spec));
        struct weir_packet packet = {.protocol = 6,
                                     .flags = spec.flags,
                                     .seq = 1000 + (uint32_t)spec.seq,
                                     .ack = 0xfffffff0u + (uint32_t)spec.ack,
                                     .window = spec.window,
                                     .urgent = spec.urgent,
                                     .options = spec.options,
                                     .options_length = spec.options_length,
                                     .payload_length = spec.length};
        assert_string_equal(spec_print(&packet, 1000, 0xfffffff0u, text, sizeof(text)), rows[i]);
    }
}

/* A text that is too small is cut, not overrun. */
static void test_cut(void **state)
{
    const struct weir_packet packet = {.protocol = 6, .flags = WEIR_TCP_ACK};
    char text[SPEC_TEXT];

    (void)state;
    for (size_t size = 1; size < 30; size++) {
        memset(text, 'x', sizeof(text));
        spec_print(&packet, 0, 0, text, size);
        assert_true(strlen(text) < size);
        assert_int_equal(text[size], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_not_understood),
        cmocka_unit_test(test_printed),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
