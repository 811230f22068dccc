/* SPDX-License-Identifier: MIT */

/* Words of command lines, numbers, and text made safe. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/repl/args.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

static const struct line {
    const char *line;
    unsigned count;
    const char *words[3];
    const char *rest[3];
} lines[] = {
    {"", 0, {NULL, NULL, NULL}, {NULL, NULL, NULL}},
    {"  \t \r\n", 0, {NULL, NULL, NULL}, {NULL, NULL, NULL}},
    {"li", 1, {"li", NULL, NULL}, {"", NULL, NULL}},
    {"  li  \r", 1, {"li", NULL, NULL}, {"", NULL, NULL}},
    {"up if0", 2, {"up", "if0", NULL}, {"if0", "", NULL}},
    {"s 1 hello world", 4, {"s", "1", "hello"}, {"1 hello world", "hello world", "world"}},
    {"s 1  two  blanks  ", 4, {"s", "1", "two"}, {"1  two  blanks", " two  blanks", " blanks"}},
    {"s\t1\tx", 3, {"s", "1", "x"}, {"1\tx", "x", ""}},
};

static void test_lines(void **state)
{
    struct args args;
    char copy[64];
    size_t i, j;

    (void)state;
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        strcpy(copy, lines[i].line);
        assert_int_equal(args_parse(copy, &args), 0);
        assert_int_equal(args.count, lines[i].count);
        for (j = 0; j < 3; j++) {
            if (!lines[i].words[j]) {
                assert_null(args.word[j]);
                continue;
            }
            assert_string_equal(args.word[j], lines[i].words[j]);
            assert_string_equal(args.rest[j], lines[i].rest[j]);
        }
        args_done(&args);
    }
}

static void test_many_words(void **state)
{
    char line[2 * 1000 + 1];
    struct args args;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof line - 1; i++)
        line[i] = i % 2 ? ' ' : 'w';
    line[i] = '\0';
    assert_int_equal(args_parse(line, &args), 0);
    assert_int_equal(args.count, 1000);
    assert_string_equal(args.word[ARGS_MAX - 1], "w");
    args_done(&args);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *word;
        int result;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"10", 0, 10},
        {"007", 0, 7},
        {"11", WEIR_EINVAL, 0},
        {"", WEIR_EINVAL, 0},
        {"-1", WEIR_EINVAL, 0},
        {"+1", WEIR_EINVAL, 0},
        {"1x", WEIR_EINVAL, 0},
        {" 1", WEIR_EINVAL, 0},
        {"0x1", WEIR_EINVAL, 0},
        {"99999999999999999999999999", WEIR_EINVAL, 0},
    };
    uint64_t number;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        number = 77;
        assert_int_equal(args_number(rows[i].word, 0, 10, &number), rows[i].result);
        assert_int_equal(number, rows[i].result ? 77 : rows[i].value);
    }
}

static void test_ports(void **state)
{
    uint16_t port = 0;

    (void)state;
    assert_int_equal(args_port("1", &port), 0);
    assert_int_equal(port, 1);
    assert_int_equal(args_port("65535", &port), 0);
    assert_int_equal(port, 65535);
    assert_int_equal(args_port("0", &port), WEIR_EINVAL);
    assert_int_equal(args_port("65536", &port), WEIR_EINVAL);
    assert_int_equal(args_port("70000", &port), WEIR_EINVAL);
    assert_int_equal(args_port("http", &port), WEIR_EINVAL);
}

static void test_rates(void **state)
{
    static const char *const good[] = {"0", "1", "0.5", ".5", "1.0", "0.", "00.25"};
    static const char *const bad[] = {"",  "-0.5", "1.1",   "1e-2", "nan", "inf",
                                      "x", ".",    "0.5.5", "0,5",  "0x1"};
    double rate;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof good / sizeof good[0]; i++) {
        rate = -1;
        assert_int_equal(args_rate(good[i], &rate), 0);
        assert_true(rate >= 0 && rate <= 1);
    }
    for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(args_rate(bad[i], &rate), WEIR_EINVAL);
}

static void test_printable(void **state)
{
    static const struct {
        const char *data;
        size_t length;
        const char *text;
    } rows[] = {
        {"", 0, ""},
        {"plain text", 10, "plain text"},
        {"a\nb\tc\rd", 7, "a\\nb\\tc\\rd"},
        {"\x1b[2J", 4, "\\x1b[2J"},
        {"a\0b", 3, "a\\x00b"},
        {"\x7f\x01", 2, "\\x7f\\x01"},
        {"gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = args_printable(rows[i].data, rows[i].length);

        assert_string_equal(text, rows[i].text);
        free(text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),   cmocka_unit_test(test_many_words),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_ports),
        cmocka_unit_test(test_rates),   cmocka_unit_test(test_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
