/* SPDX-License-Identifier: MIT */

/* Time never runs backwards; two seeds differ. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>
#include <weir/host.h>

static void test_time(void **state)
{
    struct timespec now;
    weir_time last = weir_host_now();

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_true(last <= now.tv_sec * WEIR_SECOND + now.tv_nsec);
    for (int index = 0; index < 10000; index++) {
        weir_time next = weir_host_now();

        assert_true(next >= last);
        last = next;
    }
    assert_true(last >= now.tv_sec * WEIR_SECOND + now.tv_nsec);
}

static void test_seed(void **state)
{
    struct weir_stack_config a = {.node_id = 5}, b = {.node_id = 6};

    (void)state;
    assert_int_equal(weir_host_seed(&a), 0);
    assert_int_equal(weir_host_seed(&b), 0);
    assert_memory_not_equal(a.seed, b.seed, sizeof(a.seed));
    assert_int_equal(a.node_id, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
