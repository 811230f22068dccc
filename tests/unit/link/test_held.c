/* SPDX-License-Identifier: MIT */

/* The queue of held packets beside a naive model: an array searched for its least entry. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <link/held.h>
#include <stdlib.h>

#define STEPS 20000
#define MODEL_MAX 400

struct model {
    weir_time release[MODEL_MAX];
    uintptr_t object[MODEL_MAX]; /* also the order of arrival */
    unsigned count;
};

static unsigned model_first(const struct model *model)
{
    unsigned best = 0;

    for (unsigned index = 1; index < model->count; index++) {
        if (model->release[index] < model->release[best] ||
            (model->release[index] == model->release[best] &&
             model->object[index] < model->object[best]))
            best = index;
    }
    return best;
}

static void push(struct held *held, struct model *model, weir_time release, uintptr_t object)
{
    assert_true(held_reserve(held));
    held_push(held, release, (void *)object);
    model->release[model->count] = release;
    model->object[model->count++] = object;
}

static void pop(struct held *held, struct model *model)
{
    unsigned best = model_first(model);

    assert_true(held_first(held) == model->release[best]);
    assert_int_equal((uintptr_t)held_pop(held), model->object[best]);
    model->count--;
    model->release[best] = model->release[model->count];
    model->object[best] = model->object[model->count];
}

static void test_empty(void **state)
{
    struct held held = {0};

    (void)state;
    assert_true(held_first(&held) == WEIR_NEVER);
    held_done(&held);
    assert_true(held_reserve(&held));
    held_push(&held, 5, &held);
    assert_true(held_first(&held) == 5);
    assert_ptr_equal(held_pop(&held), &held);
    assert_true(held_first(&held) == WEIR_NEVER);
    held_done(&held);
    assert_null(held.heap);
}

static void test_equal_times_keep_their_order(void **state)
{
    struct held held = {0};

    (void)state;
    for (uintptr_t object = 1; object <= 1000; object++) {
        assert_true(held_reserve(&held));
        held_push(&held, 7, (void *)object);
    }
    for (uintptr_t object = 1; object <= 1000; object++)
        assert_int_equal((uintptr_t)held_pop(&held), object);
    held_done(&held);
}

static void test_beside_a_model(void **state)
{
    struct model *model = calloc(1, sizeof(*model));
    struct held held = {0};
    struct random random;

    (void)state;
    print_message("seed 11\n");
    random_init_u64(&random, 11, 0);
    for (uintptr_t step = 1; step <= STEPS; step++) {
        bool grow = random_chance(&random, (step / 1000) % 2 ? 0.4 : 0.6);

        if (model->count == 0 || (grow && model->count < MODEL_MAX))
            push(&held, model, (weir_time)random_below(&random, 50) - 25, step);
        else
            pop(&held, model);
        assert_int_equal(held.count, model->count);
    }
    while (model->count > 0)
        pop(&held, model);
    held_done(&held);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_equal_times_keep_their_order),
        cmocka_unit_test(test_beside_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
