/* SPDX-License-Identifier: MIT */

/* Lines from a pipe: the same text must give the same lines, however it is cut into reads. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/repl/input.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes `text` in pieces of `piece` bytes, reads after each, and joins the lines with '|'; a line
 * that was refused is "!". */
static void read_lines(const char *text, size_t length, size_t piece, char *joined)
{
    struct input input;
    enum input_result result;
    char *line;
    int fds[2];

    joined[0] = '\0';
    assert_int_equal(pipe(fds), 0);
    input_init(&input, fds[0]);
    while (1) {
        size_t count = length < piece ? length : piece;

        if (count)
            assert_int_equal(write(fds[1], text, count), count);
        else if (fds[1] >= 0)
            fds[1] = close(fds[1]) ? -2 : -1;
        text += count;
        length -= count;
        assert_int_equal(input_fill(&input), 0);
        while ((result = input_next(&input, &line)) == INPUT_LINE || result == INPUT_TOO_LONG) {
            strcat(joined, result == INPUT_LINE ? line : "!");
            strcat(joined, "|");
        }
        if (result == INPUT_END)
            break;
    }
    input_done(&input);
    close(fds[0]);
}

static void test_lines(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *joined;
    } rows[] = {
        {"", 0, ""},
        {"\n", 1, "|"},
        {"one", 3, "one|"},
        {"one\ntwo\n", 8, "one|two|"},
        {"one\n\ntwo", 8, "one||two|"},
        {"a\0b\nc\n", 6, "!|c|"},
        {"c\na\0b", 5, "c|!|"},
        {"with \t blanks \r\nx\n", 18, "with \t blanks \r|x|"},
    };
    char joined[128];
    size_t i, piece;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (piece = 1; piece < 20; piece++) {
            read_lines(rows[i].text, rows[i].length, piece, joined);
            assert_string_equal(joined, rows[i].joined);
        }
    }
}

/* A line over the limit goes, in one report, and the next one is read. */
static void test_too_long(void **state)
{
    size_t length = INPUT_LINE_MAX + 300000;
    char *text = malloc(length + 8);
    char *joined = malloc(length + 8);

    (void)state;
    assert_non_null(text);
    assert_non_null(joined);
    memset(text, 'x', length);
    strcpy(text + length, "\nnext\n");
    read_lines(text, length + 6, 50000, joined);
    assert_string_equal(joined, "!|next|");
    read_lines(text, length, 50000, joined);
    assert_string_equal(joined, "!|");
    text[INPUT_LINE_MAX] = '\n';
    read_lines(text, INPUT_LINE_MAX + 1, 50000, joined);
    assert_int_equal(strlen(joined), INPUT_LINE_MAX + 1);
    free(text);
    free(joined);
}

/* A descriptor that cannot be read is an input that has ended. */
static void test_bad_fd(void **state)
{
    struct input input;
    char *line;

    (void)state;
    input_init(&input, -1);
    assert_int_equal(input_next(&input, &line), INPUT_MORE);
    assert_int_equal(input_fill(&input), 0);
    assert_int_equal(input_next(&input, &line), INPUT_END);
    input_done(&input);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_bad_fd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
