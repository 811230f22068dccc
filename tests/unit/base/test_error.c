/* SPDX-License-Identifier: MIT */

/* Every error has its name; strangers get an answer too. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <weir/error.h>

static void errors(void **state)
{
    static const int known[] = {
#define X(name, number, text) WEIR_E##name,
        WEIR_ERRORS(X)
#undef X
    };
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert_int_equal(strncmp(weir_error_name(known[i]), "WEIR_E", 6), 0);
        assert_string_not_equal(weir_strerror(known[i]), "unknown error");
        for (k = 0; k < i; k++)
            assert_string_not_equal(weir_error_name(known[i]), weir_error_name(known[k]));
    }
    assert_string_equal(weir_strerror(WEIR_ECONNREFUSED), "connection refused");
    assert_string_equal(weir_error_name(WEIR_ECONNREFUSED), "WEIR_ECONNREFUSED");
    assert_int_equal(WEIR_EAGAIN, -11);
    assert_string_equal(weir_strerror(0), "success");
    assert_string_equal(weir_strerror(17), "unknown error");
    assert_string_equal(weir_error_name(INT32_MIN), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(errors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
