/* SPDX-License-Identifier: MIT */

/* Snippets as a file for python3, and python3 as something that fails, complains and hangs. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/drill.h>
#include <lab/drill/python.h>
#include <stdlib.h>
#include <string.h>

static bool look_up(void *context, const char *name, int64_t *value)
{
    *value = *(const int64_t *)context;
    return !strcmp(name, "tcpi_state") || !strcmp(name, "TCP_LISTEN");
}

/* The snippet without its indentation, or with the first line's removed. */
static void test_write(void **state)
{
    static const struct {
        const char *code, *written;
    } rows[] = {
        {" assert 1 ", "assert 1 \n"},
        {"\n    if 1:\n      a = 1\n\n    b = 2\n  ", "\nif 1:\n  a = 1\n\nb = 2\n"},
        {"a = 1\nb = 2", "a = 1\nb = 2\n"},
        {" a = 1\n   b = 2", "a = 1\nb = 2\n"},
    };
    int64_t value = -5;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static const char head[] = "tcpi_state = -5\nTCP_LISTEN = -5\n# line 7 of the script\n";
        char *text;
        size_t size;
        FILE *file = open_memstream(&text, &size);

        assert_non_null(file);
        python_write(file, 7, rows[i].code, look_up, &value);
        fclose(file);
        assert_int_equal(strncmp(text, head, sizeof(head) - 1), 0);
        assert_int_equal(strncmp(text + sizeof(head) - 1, rows[i].written, strlen(rows[i].written)),
                         0);
        free(text);
    }
}

static int run(const char *code, int timeout_ms, char *said)
{
    return python_run(code, strlen(code), timeout_ms, said);
}

static void test_run(void **state)
{
    char said[PYTHON_SAID];

    (void)state;
    assert_int_equal(run("x = 1\nassert x / 2 == 0.5\nprint('hello')", 60000, said), 0);
    assert_string_equal(said, "");
    assert_int_equal(run("assert 1 == 2, 'why'", 60000, said), 1);
    assert_non_null(strstr(said, "AssertionError: why"));
    assert_int_equal(
        run("import sys\nsys.stderr.write('x' * 100000 + 'end')\nsys.exit(7)", 60000, said), 7);
    assert_int_equal(strlen(said), PYTHON_SAID - 1);
    assert_string_equal(said + PYTHON_SAID - 4, "end");
    assert_int_equal(run("import os\nos.kill(os.getpid(), 9)", 60000, said), -1);
    assert_string_equal(said, "python3 was killed by signal 9");
}

/* What never ends is ended, also if it has closed its stderr. */
static void test_endless(void **state)
{
    char said[PYTHON_SAID];

    (void)state;
    assert_int_equal(run("while True: pass", 300, said), -1);
    assert_string_equal(said, "python3 did not end within 300 ms");
    assert_int_equal(run("import os\nos.close(2)\nwhile True: pass", 300, said), -1);
    assert_string_equal(said, "python3 did not end within 300 ms");
}

#define START "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 "

static const struct {
    bool allowed;
    enum drill_verdict verdict;
    const char *script, *said;
} rows[] = {
    {false, DRILL_SKIPPED, START "%{ assert tcpi_state / 2.0 == 3.5 }%", "no plain assert"},
    {true, DRILL_PASSED, START "%{ assert tcpi_state / 2.0 == 3.5 }%", NULL},
    {true, DRILL_FAILED, START "%{ assert tcpi_state / 2.0 == 3.0, 'no' }%", "AssertionError: no"},
    {true, DRILL_PASSED, START "%{ x = 1 }%\n+1 %{ assert x / 4.0 == 0.25; y = 2 }%", NULL},
    {true, DRILL_FAILED, START "%{ assert 0.0 }%\n+1 %{ assert 1 == 2 }%", "assert 1 == 2 (1, 2)"},
    {true, DRILL_SKIPPED, START "%{ assert tcpi_rcv_space / 2.0 }%", "the variable tcpi_rcv_space"},
    {true, DRILL_FAILED, START "%{ assert nobody.x }%", "NameError: name 'nobody'"},
};

static void test_scripts(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct drill_options options = {.allow_code = rows[i].allowed};
        struct drill_result result;

        drill_text("t", rows[i].script, strlen(rows[i].script), &options, &result);
        if (result.verdict != rows[i].verdict ||
            (rows[i].said && (!result.text || !strstr(result.text, rows[i].said))))
            print_error("%s\n%s\n", rows[i].script, result.text ? result.text : "");
        assert_int_equal(result.verdict, rows[i].verdict);
        assert_true(!rows[i].said || (result.text && strstr(result.text, rows[i].said)));
        free(result.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_write), cmocka_unit_test(test_run),
                                       cmocka_unit_test(test_endless),
                                       cmocka_unit_test(test_scripts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
