/* SPDX-License-Identifier: MIT */

/* Slots against an array: every number is the lowest free one, and finds what it was given for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "failing.h"
#include <base/random.h>
#include <stdlib.h>
#include <store/slots.h>

#define NUMBERS 5000u

struct model {
    struct failing memory;
    struct slots slots;
    struct random random;
    uint32_t count;
    void *objects[NUMBERS]; /* NULL: free */
};

static struct model *model_create(uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    print_message("seed %llu\n", (unsigned long long)seed);
    failing_init(&m->memory);
    slots_init(&m->slots, &m->memory.alloc);
    random_init_u64(&m->random, seed, 0);
    return m;
}

static void model_destroy(struct model *m)
{
    slots_done(&m->slots);
    assert_int_equal(m->memory.live, 0);
    assert_int_equal(m->memory.alloc.used, 0);
    free(m);
}

static uint32_t lowest_free(const struct model *m)
{
    uint32_t i;

    for (i = 0; i < NUMBERS && m->objects[i]; i++)
        ;
    return i;
}

static void *some_object(struct model *m)
{
    return (char *)m + random_below(&m->random, 1000);
}

static void add(struct model *m, bool may_fail)
{
    uint32_t number = UINT32_MAX, expected = lowest_free(m);
    void *object = some_object(m);

    if (expected == NUMBERS)
        return;
    if (!slots_add(&m->slots, object, &number)) {
        assert_true(may_fail);
        assert_int_equal(number, UINT32_MAX);
        return;
    }
    assert_int_equal(number, expected);
    m->objects[number] = object;
    m->count++;
}

static void check(struct model *m)
{
    uint32_t i;

    assert_int_equal(m->slots.count, m->count);
    for (i = 0; i < NUMBERS; i++) {
        assert_ptr_equal(slots_at(&m->slots, i), m->objects[i]);
        assert_true(!m->objects[i] || i < m->slots.end);
    }
    assert_null(slots_at(&m->slots, NUMBERS));
    assert_null(slots_at(&m->slots, SLOTS_MAX));
    assert_null(slots_at(&m->slots, UINT32_MAX));
}

static void run(uint64_t seed, bool is_memory_short)
{
    struct model *m = model_create(seed);
    uint32_t n, i;

    for (n = 0; n < 60000; n++) {
        uint32_t wanted = n % 20000 < 10000 ? 10 : 3; /* of 13: it fills, then it empties */

        if (is_memory_short)
            m->memory.left = random_below(&m->random, 3) ? 0 : -1;
        i = random_below(&m->random, m->slots.end + 1);
        if (random_below(&m->random, 13) < wanted) {
            add(m, is_memory_short);
        } else if (i < NUMBERS && m->objects[i]) {
            slots_remove(&m->slots, i);
            m->objects[i] = NULL;
            m->count--;
        }
        if (n % 997 == 0)
            check(m);
    }
    check(m);
    model_destroy(m);
}

static void agrees_with_an_array(void **state)
{
    (void)state;
    run(1, false);
    run(2, true);
}

static void an_empty_one_answers(void **state)
{
    struct model *m = model_create(3);

    (void)state;
    check(m);
    model_destroy(m);
}

/* The edges of the levels: 64 and 4096 in use, and one more. */
static void each_level_fills(void **state)
{
    struct model *m = model_create(4);
    uint32_t i, number;

    (void)state;
    for (i = 0; i < 4097; i++) {
        add(m, false);
        if (i == 62 || i == 63 || i == 64 || i == 4095 || i == 4096)
            check(m);
    }
    assert_int_equal(m->slots.depth, 3);
    slots_remove(&m->slots, 0);
    assert_true(slots_add(&m->slots, m, &number));
    assert_int_equal(number, 0);
    assert_true(slots_add(&m->slots, m, &number));
    assert_int_equal(number, 4097);
    assert_true(m->memory.alloc.used < 4098 * 9);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(an_empty_one_answers),
        cmocka_unit_test(each_level_fills),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
