/* SPDX-License-Identifier: MIT */

/* The evaluator of %{ }%: Python's answers, for the part of Python that it reads. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/eval.h>
#include <stdio.h>
#include <string.h>

static bool look_up(void *context, const char *name, int64_t *value)
{
    (void)context;
    if (!strcmp(name, "ten"))
        *value = 10;
    else if (!strcmp(name, "negative"))
        *value = -7;
    else
        return false;
    return true;
}

static const struct {
    enum eval_verdict verdict;
    const char *code, *text;
} rows[] = {
    {EVAL_HOLDS, "", ""},
    {EVAL_HOLDS, "\n # nothing\n", ""},
    {EVAL_HOLDS, "assert ten == 10, ten", ""},
    {EVAL_HOLDS, "assert ten == 10 and not ten < 3 or 0", ""},
    {EVAL_HOLDS, "assert 1 < 5 <= 5 < ten", ""},
    {EVAL_HOLDS, "assert 2 + 3 * 4 == 14\nassert (2 + 3) * 4 == 20", ""},
    {EVAL_HOLDS, "assert negative // 2 == -4; assert negative % 4 == 1", ""},
    {EVAL_HOLDS, "assert ten / 5 == 2", ""},
    {EVAL_HOLDS, "assert (ten & 2) == 2 and (1 << 4) == 16 and ~0 == -1", ""},
    {EVAL_HOLDS, "assert (ten ==\n 10), \"over lines\"", ""},
    {EVAL_HOLDS, "assert True and not False", ""},
    {EVAL_HOLDS, "assert - -ten == 0xa", ""},
    {EVAL_HOLDS, "assert 9223372036854775807 + 1 < 0", ""},
    {EVAL_FAILS, "assert ten == 11, 'why'", "assert ten == 11, 'why' (10, 11): why"},
    {EVAL_FAILS, "assert ten == 10\nassert ten != 10, ten", "assert ten != 10, ten (10, 10): 10"},
    {EVAL_FAILS, "assert 0", "assert 0"},
    {EVAL_FAILS, "assert 1 < 2 < 2", "assert 1 < 2 < 2 (2, 2)"},
    {EVAL_FAILS, "assert not ten", "assert not ten"},
    {EVAL_UNKNOWN, "assert nobody == 1", "nobody"},
    {EVAL_UNKNOWN, "assert 1 or nobody", "nobody"},
    {EVAL_UNREAD, "x = 3", "x = 3"},
    {EVAL_UNREAD, "assert ten == 1.5", "1.5"},
    {EVAL_UNREAD, "assert (ten == 10", ""},
    {EVAL_UNREAD, "assert ten == 10 ten", "ten"},
    {EVAL_UNREAD, "assert ten / 0", "a division without a result"},
    {EVAL_UNREAD, "assert ten / 3", "a fraction"},
    {EVAL_UNREAD, "assert ten, \"open", "\"open"},
    {EVAL_UNREAD, "assert", ""},
    {EVAL_UNREAD, "assertion == 1", "assertion == 1"},
};

static void test_rows(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[EVAL_TEXT];
        enum eval_verdict verdict = eval_run(rows[i].code, look_up, NULL, text);

        if (verdict != rows[i].verdict)
            print_error("code: %s, said: %s\n", rows[i].code, text);
        assert_int_equal(verdict, rows[i].verdict);
        if (rows[i].text[0])
            assert_string_equal(strncmp(text, rows[i].text, strlen(rows[i].text)) ? text : "", "");
    }
}

/* Depth is bounded, and a long run of signs costs no stack. */
static void test_bounds(void **state)
{
    static char code[100000];
    char text[EVAL_TEXT];

    (void)state;
    memset(code, '(', sizeof(code) - 1);
    memcpy(code, "assert ", 7);
    assert_int_equal(eval_run(code, look_up, NULL, text), EVAL_UNREAD);
    memset(code + 7, '-', sizeof(code) - 8);
    code[sizeof(code) - 2] = '1';
    assert_int_equal(eval_run(code, look_up, NULL, text), EVAL_HOLDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_bounds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
