/* SPDX-License-Identifier: MIT */

/* TCP options of packet scripts: to bytes, back, and as text; and what must be refused. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/options.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

static const struct {
    const char *written, *bytes, *printed;
} rows[] = {
    {"<mss 1460>", "\x02\x04\x05\xb4", "mss 1460"},
    {"<nop,nop,sackOK>", "\x01\x01\x04\x02", "nop,nop,sackOK"},
    {"<nop,wscale 7>", "\x01\x03\x03\x07", "nop,wscale 7"},
    {"<nop,nop,TS val 1 ecr 258>", "\x01\x01\x08\x0a\0\0\0\x01\0\0\x01\x02",
     "nop,nop,TS val 1 ecr 258"},
    {"<nop,nop,sack 1:2>", "\x01\x01\x05\x0a\0\0\0\x01\0\0\0\x02", "nop,nop,sack 1:2"},
    {"<FO 0a0b>", "\x22\x04\x0a\x0b", "FO 0a0b"},
    {"<FOEXP>", "\xfe\x04\xf9\x89", "FOEXP"},
    {"<ECN e0b 1,nop,nop,nop>", "\xac\x05\0\0\x01\x01\x01\x01", "ECN e0b 1,nop,nop,nop"},
    {"<eol,eol,eol,eol>", "\0\0\0\0", "eol,eol,eol,eol"},
};

static void parse(const char *written, struct script *script)
{
    char text[128] = "0 > . 0:0(0) ", error[SCRIPT_ERROR_TEXT];

    strcat(text, written);
    assert_int_equal(script_parse("t", text, strlen(text), NULL, 0, script, error), 0);
}

static void test_both_ways(void **state)
{
    size_t i;
    unsigned k;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tcp_option found[TCP_OPTIONS_MAX];
        struct script script;
        const struct packet_line *line;
        char text[OPTIONS_TEXT];
        uint8_t bytes[40];
        int length;

        parse(rows[i].written, &script);
        line = script.events->packet;
        length = options_emit(line->options, line->option_count, bytes);
        assert_true(length > 0);
        assert_memory_equal(bytes, rows[i].bytes, (size_t)length);
        assert_int_equal(options_parse(bytes, (unsigned)length, found), line->option_count);
        for (k = 0; k < line->option_count; k++)
            assert_true(options_equal(&found[k], &line->options[k]));
        assert_string_equal(options_print(found, k, text, sizeof(text)), rows[i].printed);
        script_done(&script);
    }
}

/* Options are equal if kind and content are, and only then. */
static void test_equal(void **state)
{
    static const char *const written[] = {
        "<nop,nop,nop,nop>",
        "<eol,eol,eol,eol>",
        "<sackOK,nop,nop>",
        "<mss 1460>",
        "<mss 1461>",
        "<wscale 7,nop>",
        "<sack 1:2,nop,nop>",
        "<TS val 1 ecr 2,nop,nop>",
        "<FO 0a0b>",
        "<FO 0a0c>",
        "<FOEXP>",
    };
    struct script scripts[sizeof(written) / sizeof(written[0])];
    size_t count = sizeof(written) / sizeof(written[0]), i, k;

    (void)state;
    for (i = 0; i < count; i++)
        parse(written[i], &scripts[i]);
    for (i = 0; i < count; i++) {
        for (k = 0; k < count; k++) {
            const struct tcp_option *a = scripts[i].events->packet->options;
            const struct tcp_option *b = scripts[k].events->packet->options;

            if (options_equal(a, b) != (i == k))
                fail_msg("%s and %s", written[i], written[k]);
        }
    }
    for (i = 0; i < count; i++)
        script_done(&scripts[i]);
}

static void test_refused(void **state)
{
    static const char *const wrong[] = {"<nop>", "<mss 1,nop>",
                                        "<sack 1:2 3:4 5:6 7:8,TS val 1 ecr 2,eol,eol,eol,eol>"};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        struct script script;
        uint8_t bytes[40];

        parse(wrong[i], &script);
        assert_int_equal(options_emit(script.events->packet->options,
                                      script.events->packet->option_count, bytes),
                         WEIR_EINVAL);
        script_done(&script);
    }
}

/* Lengths that lie become an option that equals none; random bytes never do harm. */
static void test_bad_bytes(void **state)
{
    static const uint8_t bad[][4] = {{2, 0, 0, 0}, {2, 1, 0, 0}, {8, 10, 0, 0}, {1, 1, 1, 2}};
    struct tcp_option found[TCP_OPTIONS_MAX];
    unsigned seed = 7, i, k;
    char text[OPTIONS_TEXT];

    (void)state;
    for (i = 0; i < 4; i++) {
        unsigned count = options_parse(bad[i], 4, found);

        assert_int_equal(found[count - 1].kind, OPTION_OTHER);
        assert_false(options_equal(&found[count - 1], &found[count - 1]));
    }
    for (i = 0; i < 20000; i++) {
        uint8_t bytes[40];

        for (k = 0; k < 40; k++) {
            seed = seed * 1103515245u + 12345u;
            bytes[k] = (uint8_t)(seed >> 20) & (k % 3 ? 0xff : 0x0f);
        }
        k = options_parse(bytes, i % 41, found);
        assert_true(k <= TCP_OPTIONS_MAX);
        assert_true(strlen(options_print(found, k, text, sizeof(text))) < sizeof(text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_ways),
                                       cmocka_unit_test(test_equal), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_bad_bytes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
