/* SPDX-License-Identifier: MIT */

/* The names of drops and reasons are complete, distinct, in step, and safe to ask for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <weir/drop.h>

typedef const char *name_function(unsigned);

#define NAMER(function, type)                         \
    static const char *ask_##function(unsigned index) \
    {                                                 \
        return function((enum type)index);            \
    }

NAMER(weir_drop_name, weir_drop)
NAMER(weir_drop_meaning, weir_drop)
NAMER(weir_why_name, weir_why)
NAMER(weir_why_meaning, weir_why)

struct row {
    name_function *ask;
    unsigned count;
    unsigned probe;
    const char *answer;
};

static const struct row rows[] = {
    {ask_weir_drop_name, WEIR_DROP_COUNT, WEIR_DROP_TTL, "ttl"},
    {ask_weir_drop_name, WEIR_DROP_COUNT, WEIR_DROP_NO_MEMORY, "no-memory"},
    {ask_weir_drop_meaning, WEIR_DROP_COUNT, WEIR_DROP_TTL, "TTL ran out"},
    {ask_weir_why_name, WEIR_WHY_COUNT, WEIR_WHY_RETRANSMIT_TIMEOUT, "rto"},
    {ask_weir_why_meaning, WEIR_WHY_COUNT, WEIR_WHY_DATA, "new data"},
};

static void names_are_complete_and_distinct(void **state)
{
    const struct row *row;
    unsigned i, k;

    (void)state;
    for (row = rows; row < rows + sizeof rows / sizeof rows[0]; row++) {
        assert_string_equal(row->ask(row->probe), row->answer);
        for (i = 0; i < row->count; i++) {
            assert_true(strlen(row->ask(i)) > 0);
            assert_string_not_equal(row->ask(i), "unknown");
            for (k = 0; k < i; k++)
                assert_string_not_equal(row->ask(i), row->ask(k));
        }
    }
}

static void strangers_are_unknown(void **state)
{
    const struct row *row;

    (void)state;
    for (row = rows; row < rows + sizeof rows / sizeof rows[0]; row++) {
        assert_string_equal(row->ask(row->count), "unknown");
        assert_string_equal(row->ask(0x7fffffff), "unknown");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_complete_and_distinct),
        cmocka_unit_test(strangers_are_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
