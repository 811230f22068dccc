/* SPDX-License-Identifier: MIT */

/* The budget is kept to the byte, and pools give what was freed last. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "failing.h"

static void the_budget_is_exact(void **state)
{
    struct alloc alloc;
    void *a, *b;

    (void)state;
    alloc_init(&alloc, 100);
    a = alloc_get(&alloc, 60);
    assert_non_null(a);
    assert_null(alloc_get(&alloc, 41));
    assert_null(alloc_get(&alloc, SIZE_MAX));
    assert_int_equal(alloc.refused, 2);
    b = alloc_get(&alloc, 40);
    assert_non_null(b);
    assert_int_equal(alloc.used, 100);
    alloc.budget = 50; /* lowered: refused until enough is back */
    alloc_put(&alloc, b, 40);
    assert_null(alloc_get(&alloc, 1));
    alloc_put(&alloc, a, 60);
    assert_int_equal(alloc.used, 0);
    a = alloc_get(&alloc, 50);
    assert_non_null(a);
    alloc_put(&alloc, a, 50);
    alloc_put(&alloc, NULL, 0);
    alloc_put(&alloc, NULL, 10);
    assert_int_equal(alloc.used, 0);
    assert_int_equal(alloc.refused, 3);
}

static void the_system_may_refuse_too(void **state)
{
    struct failing failing;
    uint8_t *memory;

    (void)state;
    failing_init(&failing);
    failing.left = 1;
    memory = alloc_get_zeroed(&failing.alloc, 8);
    assert_non_null(memory);
    assert_memory_equal(memory, "\0\0\0\0\0\0\0\0", 8);
    assert_null(alloc_get_zeroed(&failing.alloc, 8));
    assert_int_equal(failing.alloc.used, 8);
    assert_int_equal(failing.alloc.refused, 1);
    alloc_put(&failing.alloc, memory, 8);
    assert_int_equal(failing.live, 0);
}

static void resizing_keeps_the_contents(void **state)
{
    struct failing failing;
    char *memory, *moved;

    (void)state;
    failing_init(&failing);
    memory = alloc_resize(&failing.alloc, NULL, 0, 4);
    assert_non_null(memory);
    memcpy(memory, "abc", 4);
    memory = alloc_resize(&failing.alloc, memory, 4, 100);
    assert_string_equal(memory, "abc");
    assert_int_equal(failing.alloc.used, 100);
    memory = alloc_resize(&failing.alloc, memory, 100, 2);
    assert_memory_equal(memory, "ab", 2);
    failing.left = 0;
    moved = alloc_resize(&failing.alloc, memory, 2, 50);
    assert_null(moved);
    assert_memory_equal(memory, "ab", 2);
    assert_int_equal(failing.alloc.used, 2);
    alloc_put(&failing.alloc, memory, 2);
    assert_int_equal(failing.live, 0);
}

static void pools_are_last_in_first_out(void **state)
{
    struct failing failing;
    struct pool pool;
    void *objects[5];
    unsigned i;

    (void)state;
    failing_init(&failing);
    pool_init(&pool, &failing.alloc, 24, 3);
    for (i = 0; i < 5; i++) {
        objects[i] = pool_get(&pool);
        assert_non_null(objects[i]);
    }
    for (i = 0; i < 5; i++)
        pool_put(&pool, objects[i]);
    assert_int_equal(pool.free_count, 3);
    assert_int_equal(failing.alloc.used, 3 * 24);
    failing.left = 0;
    assert_ptr_equal(pool_get(&pool), objects[2]);
    assert_ptr_equal(pool_get(&pool), objects[1]);
    assert_ptr_equal(pool_get(&pool), objects[0]);
    assert_null(pool_get(&pool));
    assert_int_equal(failing.alloc.refused, 1);
    for (i = 0; i < 3; i++)
        pool_put(&pool, objects[i]);
    pool_done(&pool);
    assert_int_equal(failing.live, 0);
    assert_int_equal(failing.alloc.used, 0);
}

/* What pools keep counts as used: with half the budget in use they keep nothing more. */
static void pools_leave_room_in_a_small_budget(void **state)
{
    struct alloc alloc;
    struct pool pool;
    void *objects[10];
    unsigned i;

    (void)state;
    alloc_init(&alloc, 1000);
    pool_init(&pool, &alloc, 100, 1024);
    for (i = 0; i < 10; i++)
        assert_non_null(objects[i] = pool_get(&pool));
    for (i = 0; i < 10; i++)
        pool_put(&pool, objects[i]);
    assert_int_equal(alloc.used, 500);
    pool_done(&pool);
    assert_int_equal(alloc.used, 0);
}

/* Spares: the last one given back is the first one handed out, of each size its own, no more than were
 * asked for, and all of them count until alloc_done. */
static void spares_are_kept_by_size(void **state)
{
    struct failing failing;
    struct alloc *alloc = &failing.alloc;
    void *pieces[4], *other, *odd;

    (void)state;
    failing_init(&failing);
    alloc_keep_spares(alloc, 2);
    for (int i = 0; i < 4; i++)
        pieces[i] = alloc_get(alloc, 320);
    other = alloc_get(alloc, 512);
    odd = alloc_get(alloc, 100);
    for (int i = 0; i < 4; i++)
        alloc_put(alloc, pieces[i], 320);
    alloc_put(alloc, other, 512);
    alloc_put(alloc, odd, 100);
    assert_int_equal(failing.live, 2 * 320 + 512); /* 100 is no such size */
    assert_int_equal(alloc->spare_bytes, failing.live);
    assert_int_equal(alloc->used, 0);
    assert_ptr_equal(alloc_get(alloc, 320), pieces[1]);
    assert_ptr_equal(alloc_get(alloc, 320), pieces[0]);
    assert_ptr_equal(alloc_get(alloc, 512), other);
    failing.left = 0; /* none is left: the system is asked */
    assert_null(alloc_get(alloc, 320));
    alloc_put(alloc, pieces[0], 320);
    assert_ptr_equal(alloc_get(alloc, 320), pieces[0]);
    alloc_put(alloc, pieces[0], 320);
    alloc_put(alloc, pieces[1], 320);
    alloc_put(alloc, other, 512);
    alloc_done(alloc);
    assert_int_equal(failing.live, 0);
    assert_int_equal(alloc->used, 0);
}

/* What is kept makes room where the budget needs it; nothing is kept without being asked to. */
static void spares_are_part_of_the_budget(void **state)
{
    struct failing failing;
    struct alloc *alloc = &failing.alloc;
    void *a, *b;

    (void)state;
    failing_init(&failing);
    a = alloc_get(alloc, 64);
    alloc_put(alloc, a, 64);
    assert_int_equal(failing.live, 0);
    alloc->budget = 1000;
    alloc_keep_spares(alloc, 8);
    a = alloc_get(alloc, 512);
    b = alloc_get(alloc, 64);
    alloc_put(alloc, b, 64);
    alloc_put(alloc, a, 512);
    assert_int_equal(failing.live, 576);
    a = alloc_get(alloc, 424); /* fits beside them */
    assert_int_equal(failing.live, 1000);
    b = alloc_get(alloc, 576); /* only in their place */
    assert_non_null(b);
    assert_int_equal(failing.live, 1000);
    assert_int_equal(alloc->spare_bytes, 0);
    alloc_put(alloc, b, 576);
    b = alloc_get(alloc, 512);
    alloc_put(alloc, b, 512);
    alloc->budget = 500; /* a spare is no way around it */
    assert_null(alloc_get(alloc, 512));
    alloc_put(alloc, a, 424);
    alloc_done(alloc);
    assert_int_equal(failing.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_is_exact),
        cmocka_unit_test(the_system_may_refuse_too),
        cmocka_unit_test(resizing_keeps_the_contents),
        cmocka_unit_test(pools_are_last_in_first_out),
        cmocka_unit_test(pools_leave_room_in_a_small_budget),
        cmocka_unit_test(spares_are_kept_by_size),
        cmocka_unit_test(spares_are_part_of_the_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
