/* SPDX-License-Identifier: MIT */

/* Lines of JSON values: a text in which each value stands on a line of its own is asked for every path;
 * strings that look like structure must not mislead; paths that lead nowhere give the last value that
 * is there. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lab/net/where.h>
#include <stdlib.h>
#include <unistd.h>

static const char text[] = "\n"
                           "{ \"a\" :\n"        /* 2 */
                           "  [1,\n"            /* 3 */
                           "   \"]},\\\"[\",\n" /* 4 */
                           "   {\"x\": null,\n" /* 5 */
                           "    \"y\":\n"       /* 6 */
                           "      -2.5e3},\n"   /* 7 */
                           "   [], {}, [[\n"    /* 8 */
                           "     true]]\n"      /* 9 */
                           "  ],\n"             /* 10 */
                           "  \"ab\": false,\n" /* 11 */
                           "  \"b\": {\"a\": {\"a\":\n"
                           "     \"deep\"}}\n" /* 13 */
                           "}\n";

#define KEY(name) \
    {             \
        name, 0   \
    }
#define AT(index)   \
    {               \
        NULL, index \
    }

static void test_paths(void **state)
{
    static const struct {
        struct where_step path[4];
        size_t depth;
        unsigned line;
    } rows[] = {
        {{{NULL, 0}}, 0, 2},
        {{KEY("a")}, 1, 3},
        {{KEY("a"), AT(0)}, 2, 3},
        {{KEY("a"), AT(1)}, 2, 4},
        {{KEY("a"), AT(2)}, 2, 5},
        {{KEY("a"), AT(2), KEY("x")}, 3, 5},
        {{KEY("a"), AT(2), KEY("y")}, 3, 7},
        {{KEY("a"), AT(3)}, 2, 8},
        {{KEY("a"), AT(4)}, 2, 8},
        {{KEY("a"), AT(5), AT(0), AT(0)}, 4, 9},
        {{KEY("ab")}, 1, 11},
        {{KEY("b"), KEY("a"), KEY("a")}, 3, 13},
        /* What is not there. */
        {{KEY("c")}, 1, 2},
        {{AT(0)}, 1, 2},
        {{KEY("a"), KEY("x")}, 2, 3},
        {{KEY("a"), AT(6)}, 2, 3},
        {{KEY("a"), AT(2), KEY("z")}, 3, 5},
        {{KEY("ab"), KEY("z")}, 2, 11},
        {{KEY("a"), AT(3), AT(0)}, 3, 8},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(where_line(text, rows[i].path, rows[i].depth), rows[i].line);
}

/* Cut anywhere, the walk must end and stay inside the text (ASan watches). */
static void test_cut(void **state)
{
    static const struct where_step path[] = {KEY("b"), KEY("a"), KEY("a")};
    char part[sizeof text];
    size_t length, i;

    (void)state;
    for (length = 0; length < sizeof text; length++) {
        for (i = 0; i < length; i++)
            part[i] = text[i];
        part[length] = '\0';
        assert_in_range(where_line(part, path, 3), 1, 14);
    }
}

static void test_file(void **state)
{
    char name[] = "/tmp/weir-where-XXXXXX";
    const struct where_step path[] = {KEY("a"), AT(1)};
    int fd = mkstemp(name);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(where_line_in_file(name, path, 2), 0); /* empty */
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(where_line_in_file(name, path, 2), 4);
    close(fd);
    unlink(name);
    assert_int_equal(where_line_in_file(name, path, 2), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
