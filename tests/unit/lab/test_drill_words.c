/* SPDX-License-Identifier: MIT */

/* Command text into words, against what sh(1) makes of the same text. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/words.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Words in brackets, `>file` for an output, `?` before what follows ||, `!` for unread, `/` between
 * commands. */
static const struct {
    const char *text, *want;
} rows[] = {
    {"", ""},
    {" \n\t ; ;; \n", ""},
    {"# a comment", ""},
    {"true", "[true]"},
    {"a b  c", "[a][b][c]"},
    {"a;b&&c\nd", "[a]/[b]/[c]/[d]"},
    {"a # b\nc", "[a]/[c]"},
    {"a#b", "[a#b]"},
    {"a || b; c", "[a]/?[b]/[c]"},
    {"a 'b c' \"d e\"", "[a][b c][d e]"},
    {"n=\"4096 1 2\"", "[n=4096 1 2]"},
    {"a 'it\"s' \"it's\"", "[a][it\"s][it's]"},
    {"a \\ b \\\n c", "[a][ b][c]"},
    {"\"a\\\"b\\c\"", "[a\"b\\c]"},
    {"a ''", "[a][]"},
    {"x=$((32*1024*1024))", "[x=33554432]"},
    {"x=\"4 5 $((15*1024*1024))\"", "[x=4 5 15728640]"},
    {"$((1+2*3)) $(( (1 + 2) * 3 )) $((7/2)) $((7%4)) $((2-5)) $((0x10))", "[7][9][3][3][-3][16]"},
    {"/tmp/r_${PPID}.sh", "[/tmp/r_${PPID}.sh]"},
    {"a > /dev/null 2>&1", "[a]"},
    {"a >/dev/null b", "[a][b]"},
    {"a &> /dev/null", "[a]"},
    {"a 2>/dev/null; b", "[a]/[b]"},
    {"echo 1 > /proc/sys/x", "[echo][1]>/proc/sys/x"},
    {"echo 1 >> f", "[echo][1]>f"},
    {"echo 2>f", "[echo]!"},
    {"a | b", "[a]!"},
    {"a & b", "[a]!"},
    {"a < b", "[a]!"},
    {"(a)", "!"},
    {"a `b`", "[a]!"},
    {"a $(b)", "[a]!"},
    {"a \"$(b)\"", "[a]!"},
    {"a \"`b`\"", "[a]!"},
    {"a 'b", "[a]!"},
    {"a \"b", "[a]!"},
    {"a b\\", "[a]!"},
    {"a >", "[a]!"},
    {"a > b > c", "[a]!"},
    {"a >&3", "[a]!"},
    {"$((1/0))", "!"},
    {"$((1+))", "!"},
    {"$((1)", "!"},
    {"$((((1))", "!"},
    {"$((9223372036854775807+1))", "!"},
    {"$((9223372036854775807*2))", "!"},
    {"if true; then b; fi", "[if][true]/[then][b]/[fi]"}, /* names that no table knows */
};

/* The words read so far, whole or not, are of no interest after an error: only the command's first. */
static void describe(const char *text, char *out, size_t size)
{
    struct words words = {.count = 0};
    const char *at = text;
    size_t used = 0;
    int more;

    out[0] = '\0';
    for (unsigned n = 0; (more = words_next(&at, &words)) != 0 && n < 1000; n++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", n ? "/" : "",
                                 words.skipped ? "?" : "");
        for (unsigned i = 0; i < words.count && (more > 0 || i < 1); i++)
            used += (size_t)snprintf(out + used, size - used, "[%s]", words.word[i]);
        if (words.output && more > 0)
            used += (size_t)snprintf(out + used, size - used, ">%s", words.output);
        if (more < 0) {
            snprintf(out + used, size - used, "!");
            return;
        }
    }
}

static void texts_become_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char got[512];
        bool ends_wrong = rows[i].want[0] && rows[i].want[strlen(rows[i].want) - 1] == '!';

        describe(rows[i].text, got, sizeof(got));
        if (ends_wrong && got[0] && got[strlen(got) - 1] == '!')
            continue; /* that it stopped is what counts */
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("`%s` became %s, not %s", rows[i].text, got, rows[i].want);
    }
}

static void too_much_is_refused(void **state)
{
    static char text[3 * WORDS_BYTES];
    struct words words = {.count = 0};
    const char *at = text;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(words_next(&at, &words), -1);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = i % 2 ? ' ' : 'x';
    at = text;
    memset(&words, 0, sizeof(words));
    assert_int_equal(words_next(&at, &words), -1);
    assert_int_equal(words.count, WORDS_MAX);
    memset(text, '(', sizeof(text) - 1);
    memcpy(text, "$((", 3);
    at = text;
    memset(&words, 0, sizeof(words));
    assert_int_equal(words_next(&at, &words), -1);
}

/* Any bytes: it ends, and never reads past the end. */
static void any_text_ends(void **state)
{
    static const char alphabet[] = "ab '\"\\\n;&|<>()`$#12*+-";
    uint32_t seed = 12345;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct words words = {.count = 0};
        size_t length = round % 40;
        char *text = malloc(length + 1);
        const char *at = text;
        unsigned commands = 0;

        assert_non_null(text);
        for (size_t i = 0; i < length; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }
        text[length] = '\0';
        while (words_next(&at, &words) > 0)
            assert_true(++commands <= length);
        assert_in_range(at - text, 0, length);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_words),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(any_text_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
