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
    {EVAL_HOLDS, "assert 7 // -2 == -4 and 7 % -2 == -1", ""},
    {EVAL_HOLDS, "assert negative // -2 == 3 and negative % -2 == -1", ""},
    {EVAL_HOLDS, "assert ten / 5 == 2 and ten // -5 == -2 and ten % -5 == 0", ""},
    {EVAL_HOLDS, "assert (ten & 2) == 2 and (1 << 4) == 16 and ~0 == -1", ""},
    {EVAL_HOLDS, "assert (ten ==\n 10), \"over lines\"", ""},
    {EVAL_HOLDS, "assert True and not False", ""},
    {EVAL_HOLDS, "assert - -ten == 0xa", ""},
    {EVAL_HOLDS, "assert 1 | 2 ^ 3 & 4 == 1 | (2 ^ (3 & 4))", ""},
    {EVAL_HOLDS, "assert 1 + 1 << 3 == 16 and 6 & 3 << 1 == 6 and 5 | 3 ^ 1 == 7", ""},
    {EVAL_HOLDS, "assert -1 >> 70 == -1 and 1 >> 70 == 0 and 0 << 100 == 0 and -1 << 62 < 0", ""},
    {EVAL_HOLDS, "assert ~-ten == 9 and -~ten == 11 and - ~ - 3 == -2", ""},
    {EVAL_HOLDS, "assert abs(negative) == 7 and min(3, ten, 5) == 3 and max(3, ten) == ten", ""},
    {EVAL_HOLDS, "assert int(ten) == 10 and bool(ten) == True and abs(\n-5\n) == 5", ""},
    {EVAL_HOLDS, "assert ten in (1, 10) and ten not in [1, 2,] and not (ten in ())", ""},
    {EVAL_HOLDS, "assert (1 if ten > 5 else 0) and (2 if ten < 5 else 3 if ten < 7 else 4) == 4",
     ""},
    {EVAL_HOLDS, "x = 3\nassert x == 3; x = x + 1; assert x == 4, x", ""},
    {EVAL_HOLDS, "print 'a; b', ten\nprint(nobody,\n nobody); pass\nassert ten", ""},
    {EVAL_HOLDS, "assert ten, 'a %d' % nobody\nassert ten, f\"{nobody}\" + \"x;y\"", ""},
    {EVAL_HOLDS, "  assert ten\n    assert ten\n\n    # c\n    assert ten # d", ""},
    {EVAL_HOLDS, "if ten == 3: assert 0; assert nobody\nassert ten", ""},
    {EVAL_HOLDS,
     "if ten == 3:\n  assert 0\n  if 1:\n    assert 0\n\n  oops(\nelse:\n  x = 1\nassert x", ""},
    {EVAL_HOLDS, "if 0: x = 1\nelif ten: x = 2\nelif 1 + nobody: x = 3\nelse: x = 4\nassert x == 2",
     ""},
    {EVAL_HOLDS, "if 1:\n  if 0:\n    x = 1\n  else:\n    x = 2\n  x = x + 1\nassert x == 3", ""},
    {EVAL_FAILS, "assert ten == 11, 'why'", "assert ten == 11, 'why' (10, 11): why"},
    {EVAL_FAILS, "assert ten == 10\nassert ten != 10, ten", "assert ten != 10, ten (10, 10): 10"},
    {EVAL_FAILS, "assert 0", "assert 0"},
    {EVAL_FAILS, "assert 1 < 2 < 2", "assert 1 < 2 < 2 (2, 2)"},
    {EVAL_FAILS, "assert not ten", "assert not ten"},
    {EVAL_UNKNOWN, "assert nobody == 1", "nobody"},
    {EVAL_UNKNOWN, "assert 1 or nobody", "nobody"},
    {EVAL_FAILS, "x = 3\nassert x == 4", "assert x == 4 (3, 4)"},
    {EVAL_FAILS, "if ten:\n  assert 0\nelse:\n  assert 1", "assert 0"},
    {EVAL_FAILS, "if 0:\n  assert 1\nassert 0", "assert 0"},
    {EVAL_FAILS, "assert ten in (1, 2)", "assert ten in (1, 2)"},
    {EVAL_FAILS, "assert 0, nobody", "assert 0, nobody"},
    {EVAL_FAILS, "assert 0 if ten else 1", "assert 0 if ten"},
    {EVAL_UNKNOWN, "x = nobody", "nobody"},
    {EVAL_UNREAD, "assert 9223372036854775807 + 1 < 0", "a number beyond 64 bits"},
    {EVAL_UNREAD, "assert 9223372036854775808", "a number beyond 64 bits"},
    {EVAL_UNREAD, "assert 4611686018427387904 * 2", "a number beyond 64 bits"},
    {EVAL_UNREAD, "assert 1 << 63", "a number beyond 64 bits"},
    {EVAL_UNREAD, "assert 1 << -1", "a division without"},
    {EVAL_UNREAD, "assert ten in 3", "3"},
    {EVAL_UNREAD, "assert len(ten)", "len(ten)"},
    {EVAL_UNREAD, "x == 3", "x == 3"},
    {EVAL_UNREAD, "x += 3", "x += 3"},
    {EVAL_UNREAD, "import os", "import os"},
    {EVAL_UNREAD, "for i in x:\n  assert 1", "for i in x:"},
    {EVAL_UNREAD, "if ten:\nassert 1", "assert 1"},
    {EVAL_UNREAD, "if ten\n  assert 1", ""},
    {EVAL_UNREAD, "assert 1\n  assert 2\n    assert 3", "    assert 3"},
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
        struct eval_variables variables = {0};
        enum eval_verdict verdict = eval_run(rows[i].code, look_up, NULL, &variables, text);

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
    struct eval_variables variables = {0};
    char text[EVAL_TEXT];
    unsigned i;

    (void)state;
    memset(code, '(', sizeof(code) - 1);
    memcpy(code, "assert ", 7);
    assert_int_equal(eval_run(code, look_up, NULL, &variables, text), EVAL_UNREAD);
    memset(code + 7, '-', sizeof(code) - 8);
    code[sizeof(code) - 2] = '1';
    assert_int_equal(eval_run(code, look_up, NULL, &variables, text), EVAL_HOLDS);
    code[0] = '\0';
    for (i = 0; i < 8000; i++)
        memcpy(code + i * 12, "1 if 0 else ", 13);
    memcpy(code + 96000, "1", 2);
    memmove(code + 7, code, 96002);
    memcpy(code, "assert ", 7);
    assert_int_equal(eval_run(code, look_up, NULL, &variables, text), EVAL_HOLDS);
    for (i = 0; i < 5000; i++)
        memcpy(code + i * 6, "if 1:\n", 6);
    assert_int_equal(eval_run(code, look_up, NULL, &variables, text), EVAL_UNREAD);
}

/* Assigned names outlive the snippet; there are not more than so many. */
static void test_variables(void **state)
{
    struct eval_variables variables = {0};
    char text[EVAL_TEXT], code[32];
    int i;

    (void)state;
    assert_int_equal(eval_run("x = 5", look_up, NULL, &variables, text), EVAL_HOLDS);
    assert_int_equal(
        eval_run("assert x == 5; ten = 11; assert ten == 11", look_up, NULL, &variables, text),
        EVAL_HOLDS);
    for (i = 0; i < EVAL_VARIABLES_MAX - 1; i++) {
        snprintf(code, sizeof(code), "y%d = %d", i, i);
        assert_int_equal(eval_run(code, look_up, NULL, &variables, text),
                         i < EVAL_VARIABLES_MAX - 2 ? EVAL_HOLDS : EVAL_UNREAD);
    }
    assert_int_equal(eval_run("x = 6", look_up, NULL, &variables, text), EVAL_HOLDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_variables)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
