/* SPDX-License-Identifier: MIT */

/* The same sequence everywhere (a golden one), independent generators, and no gross bias. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>

static void the_sequence_is_golden(void **state)
{
    static const uint64_t golden[] = {0x9d5b7145c01c44ba, 0x8b207617380cf47d, 0x8e1eed0a213ebdba,
                                      0x0e2013a848bae233};
    struct random random;
    size_t i;

    (void)state;
    random_init_u64(&random, 42, 7);
    for (i = 0; i < sizeof golden / sizeof golden[0]; i++)
        assert_int_equal(random_u64(&random), golden[i]);
}

static void ids_and_seeds_give_other_sequences(void **state)
{
    struct random a, b, c, d;
    uint8_t seed[16] = {42};
    uint64_t first;

    (void)state;
    random_init_u64(&a, 42, 1);
    random_init_u64(&b, 42, 2);
    random_init_u64(&c, 43, 1);
    random_init(&d, seed, 1);
    first = random_u64(&a);
    assert_true(first != random_u64(&b));
    assert_true(first != random_u64(&c));
    assert_true(first == random_u64(&d));
    assert_true(first != random_u64(&a));
}

static void below_is_uniform(void **state)
{
    static const uint32_t bounds[] = {1, 2, 3, 7, 10, 16};
    uint32_t seen[16], value, i, n;
    struct random random;

    (void)state;
    random_init_u64(&random, 5, 5);
    for (i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        for (n = 0; n < 16; n++)
            seen[n] = 0;
        for (n = 0; n < bounds[i] * 2000; n++) {
            value = random_below(&random, bounds[i]);
            assert_true(value < bounds[i]);
            seen[value]++;
        }
        for (n = 0; n < bounds[i]; n++) /* about five standard deviations */
            assert_in_range(seen[n], 1776, 2224);
    }
    /* A bound for which plain modulo would give the lower third twice as often. */
    for (n = 0, value = 0; n < 6000; n++)
        value += random_below(&random, 0xc0000000) < 0x40000000;
    assert_in_range(value, 1800, 2200);
}

static void units_and_chances(void **state)
{
    struct random random;
    unsigned n, hits = 0;
    double unit, sum = 0;

    (void)state;
    random_init_u64(&random, 6, 6);
    for (n = 0; n < 10000; n++) {
        unit = random_unit(&random);
        assert_true(unit >= 0 && unit < 1);
        sum += unit;
        assert_false(random_chance(&random, 0));
        assert_true(random_chance(&random, 1));
        hits += random_chance(&random, 0.1);
    }
    assert_true(sum > 4850 && sum < 5150);
    assert_in_range(hits, 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_golden),
        cmocka_unit_test(ids_and_seeds_give_other_sequences),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(units_and_chances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
