/* SPDX-License-Identifier: MIT */

/* Walks the list of commands: every row must be complete, and look-up must find exactly what a kind
 * of node has. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/repl/commands.h>
#include <string.h>

/* Words of a usage text that stand for something: required, and all. */
static void count_words(const char *usage, unsigned *required, unsigned *all)
{
    *required = *all = 0;
    for (; *usage && *usage != ','; usage++) {
        *required += *usage == '<';
        *all += *usage == '<' || *usage == '[';
    }
}

static void test_rows(void **state)
{
    const struct command *command;
    unsigned i, j, required, all;

    (void)state;
    for (i = 0; (command = command_at(i)); i++) {
        size_t length = strlen(command->name);

        assert_non_null(command->fn);
        assert_true(strlen(command->help) > 0);
        assert_int_equal(strncmp(command->usage, command->name, length), 0);
        assert_true(command->usage[length] == ' ' || command->usage[length] == '\0');
        assert_true(command->most == COMMAND_TEXT || command->most < ARGS_MAX);
        assert_true(command->who && !(command->who & ~WHO_BOTH));
        count_words(command->usage, &required, &all);
        assert_int_equal(command->least, required);
        assert_int_equal(command->most == COMMAND_TEXT ? command->least : command->most, all);
        for (j = 0; j < i; j++)
            assert_string_not_equal(command_at(j)->name, command->name);
    }
    assert_true(i >= 21);
    assert_null(command_at(i + 1));
}

static void test_find(void **state)
{
    static const char *const both[] = {"li",         "ln",    "lr",   "up",     "down",
                                       "send",       "drop",  "help", "exit",   "ping",
                                       "traceroute", "stats", "link", "capture"};
    static const char *const host[] = {"a", "c", "ls", "s", "r", "cl", "sf", "rf", "info"};
    static const char *const none[] = {"", "L", "lis", "LI", "foo", "li "};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof both / sizeof both[0]; i++) {
        assert_string_equal(command_find(both[i], false)->name, both[i]);
        assert_string_equal(command_find(both[i], true)->name, both[i]);
    }
    for (i = 0; i < sizeof host / sizeof host[0]; i++) {
        assert_string_equal(command_find(host[i], false)->name, host[i]);
        assert_null(command_find(host[i], true));
    }
    for (i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_null(command_find(none[i], false));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_find),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
