/* SPDX-License-Identifier: MIT */

/* The SID table against an array that says for each SID whether it is there. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/repl/sids.h>
#include <string.h>

#define COUNT 2000

static void test_numbers(void **state)
{
    struct sids sids;
    struct sid *first, *second, *third;

    (void)state;
    memset(&sids, 0, sizeof sids);
    assert_null(sids_find(&sids, 0));
    first = sids_add(&sids, 7, SID_LISTENER);
    second = sids_add(&sids, 8, SID_CONNECTION);
    assert_int_equal(first->sid, 0);
    assert_int_equal(second->sid, 1);
    assert_int_equal(second->socket, 8);
    assert_int_equal(first->kind, SID_LISTENER);
    sids_remove(&sids, second);
    assert_null(sids_find(&sids, 1));
    third = sids_add(&sids, 8, SID_CONNECTION);
    assert_int_equal(third->sid, 2); /* never used twice */
    assert_ptr_equal(sids_find(&sids, 0), first);
    assert_null(sids_find(&sids, UINT64_MAX));
    assert_null(sids_find(&sids, (uint64_t)1 << 32)); /* no SID, cut to 32 bits it would be 0 */
    sids_done(&sids);
}

static void test_model(void **state)
{
    struct sid *model[COUNT] = {NULL};
    struct sids sids;
    unsigned seed = 1;
    int next = 0, i;

    (void)state;
    memset(&sids, 0, sizeof sids);
    while (next < COUNT) {
        seed = seed * 1103515245u + 12345u;
        i = next ? (int)((seed >> 8) % (unsigned)next) : 0;
        if (seed >> 30 && model[i]) {
            sids_remove(&sids, model[i]);
            model[i] = NULL;
        } else {
            model[next] = sids_add(&sids, next, SID_CONNECTION);
            assert_int_equal(model[next]->sid, next);
            next++;
        }
        assert_ptr_equal(sids_find(&sids, (uint64_t)i), model[i]);
    }
    for (i = 0; i < COUNT; i++)
        assert_ptr_equal(sids_find(&sids, (uint64_t)i), model[i]);
    for (i = 1; i < (int)sids.count; i++)
        assert_true(sids.entries[i - 1]->sid < sids.entries[i]->sid);
    sids_done(&sids);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
