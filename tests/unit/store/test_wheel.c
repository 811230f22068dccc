/* SPDX-License-Identifier: MIT */

/* The wheel against a plain array: at every step the deadline is the least time of the array, and
 * what expires is the array's due timers in the order of (time, start). Random times span from
 * within a tick to years, jumps likewise; timers are started in the midst of expiry, with times
 * that are due already and times that are not. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <store/wheel.h>

#define TIMERS 300

struct model {
    struct wheel wheel;
    struct wheel_timer timers[TIMERS];
    weir_time at[TIMERS]; /* WEIR_NEVER: not running */
    uint64_t order[TIMERS];
    uint64_t next_order;
    weir_time now;
    struct random random;
};

static void model_init(struct model *m, uint64_t seed, weir_time now)
{
    unsigned i;

    m->now = now;
    m->next_order = 0;
    random_init_u64(&m->random, seed, 1);
    wheel_init(&m->wheel, now);
    for (i = 0; i < TIMERS; i++) {
        wheel_timer_init(&m->timers[i], (uint16_t)i);
        m->at[i] = WEIR_NEVER;
    }
}

static int earliest_of(const struct model *m)
{
    int best = -1, i;

    for (i = 0; i < TIMERS; i++) {
        if (m->at[i] == WEIR_NEVER)
            continue;
        if (best < 0 || m->at[i] < m->at[best] ||
            (m->at[i] == m->at[best] && m->order[i] < m->order[best]))
            best = i;
    }
    return best;
}

static void check(struct model *m)
{
    int best = earliest_of(m);
    uint32_t count = 0;
    unsigned i;

    assert_int_equal(wheel_deadline(&m->wheel), best < 0 ? WEIR_NEVER : m->at[best]);
    for (i = 0; i < TIMERS; i++) {
        count += m->at[i] != WEIR_NEVER;
        assert_int_equal(wheel_is_running(&m->timers[i]), m->at[i] != WEIR_NEVER);
    }
    assert_int_equal(m->wheel.count, count);
}

static void start(struct model *m, unsigned i, weir_time at)
{
    wheel_start(&m->wheel, &m->timers[i], at);
    m->at[i] = at;
    m->order[i] = m->next_order++;
}

/* A duration of any magnitude from 0 to about 2^44 ns (5 hours), or rarely to 2^60. */
static weir_time any_duration(struct random *random)
{
    unsigned bits = random_below(random, 45);

    if (random_below(random, 50) == 0)
        bits = 60;
    return (weir_time)(random_u64(random) & ((UINT64_C(1) << bits) - 1));
}

/* Takes all that is due, starting others on the way. */
static void expire(struct model *m, bool with_starts)
{
    struct wheel_timer *timer;
    unsigned extra = with_starts ? random_below(&m->random, 6) : 0;
    int best;

    while ((timer = wheel_expire(&m->wheel, m->now))) {
        best = earliest_of(m);
        assert_true(best >= 0 && m->at[best] <= m->now);
        assert_int_equal(timer->owner, best);
        assert_ptr_equal(timer, &m->timers[best]);
        m->at[best] = WEIR_NEVER;
        if (extra > 0) {
            extra--;
            start(m, random_below(&m->random, TIMERS),
                  m->now - 1000 + (weir_time)random_below(&m->random, 3000));
        }
    }
    best = earliest_of(m);
    assert_true(best < 0 || m->at[best] > m->now);
}

static void step(struct model *m)
{
    unsigned i = random_below(&m->random, TIMERS);
    weir_time deadline;

    switch (random_below(&m->random, 8)) {
    case 0:
    case 1:
        start(m, i, m->now + any_duration(&m->random));
        break;
    case 2: /* few distinct times: ties */
        start(m, i, m->now + (weir_time)random_below(&m->random, 3) * 100000);
        break;
    case 3: /* later than it is */
        if (m->at[i] != WEIR_NEVER)
            start(m, i, m->at[i] + (any_duration(&m->random) & 0xffffffff));
        break;
    case 4:
        if (random_below(&m->random, 2)) {
            wheel_stop(&m->wheel, &m->timers[i]);
            m->at[i] = WEIR_NEVER;
        } else {
            start(m, i, WEIR_NEVER);
        }
        break;
    case 5: /* the earliest one is taken away or moved */
        if (earliest_of(m) >= 0)
            start(m, (unsigned)earliest_of(m), m->now + WEIR_SECOND);
        break;
    case 6: /* to the very deadline, or one before it */
        deadline = wheel_deadline(&m->wheel);
        if (deadline != WEIR_NEVER && deadline > m->now)
            m->now = deadline - (weir_time)random_below(&m->random, 2);
        expire(m, true);
        break;
    default:
        m->now += any_duration(&m->random) >> random_below(&m->random, 20);
        expire(m, true);
    }
}

static void run(uint64_t seed, weir_time now, unsigned steps)
{
    struct model *m = malloc(sizeof *m);

    assert_non_null(m);
    print_message("seed %llu\n", (unsigned long long)seed);
    model_init(m, seed, now);
    for (; steps > 0; steps--) {
        step(m);
        /* Not after each step, so that staleness piles up too. */
        if (random_below(&m->random, 3) == 0)
            check(m);
    }
    check(m);
    m->now = INT64_MAX - 1;
    expire(m, false);
    check(m);
    assert_int_equal(m->wheel.count, 0);
    free(m);
}

static void agrees_with_an_array(void **state)
{
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 6; seed++)
        run(seed, 0, 6000);
}

static void works_at_any_origin(void **state)
{
    static const weir_time origins[] = {
        -5 * WEIR_SECOND, INT64_MIN, -1, 1, (WEIR_SECOND * 86400) * 365 * 56, INT64_MAX / 4 * 3};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof origins / sizeof origins[0]; i++)
        run(100 + i, origins[i], 1500);
}

static void a_timer_never_fires_early_and_fires_in_time(void **state)
{
    static const weir_time delays[] = {0,
                                       1,
                                       16383,
                                       16384,
                                       16385,
                                       524287,
                                       524288,
                                       524289,
                                       WEIR_MS,
                                       WEIR_SECOND,
                                       1 << 24,
                                       1 << 29,
                                       1LL << 34,
                                       (1LL << 34) - 1,
                                       1LL << 60,
                                       1LL << 62,
                                       7200 * WEIR_SECOND};
    struct wheel wheel;
    struct wheel_timer timer;
    weir_time now = 123456789;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof delays / sizeof delays[0]; i++) {
        wheel_init(&wheel, now);
        wheel_timer_init(&timer, 7);
        wheel_start(&wheel, &timer, now + delays[i]);
        assert_int_equal(wheel_deadline(&wheel), now + delays[i]);
        if (delays[i] > 0)
            assert_null(wheel_expire(&wheel, now + delays[i] - 1));
        assert_int_equal(wheel_deadline(&wheel), now + delays[i]);
        assert_ptr_equal(wheel_expire(&wheel, now + delays[i]), &timer);
        assert_false(wheel_is_running(&timer));
        assert_null(wheel_expire(&wheel, now + delays[i]));
        assert_int_equal(wheel_deadline(&wheel), WEIR_NEVER);
    }
}

static void ties_come_in_order_of_start(void **state)
{
    struct wheel wheel;
    struct wheel_timer timers[40];
    unsigned i;

    (void)state;
    wheel_init(&wheel, 0);
    wheel.order = UINT32_MAX - 10; /* the count of starts wraps */
    for (i = 0; i < 40; i++)
        wheel_timer_init(&timers[i], (uint16_t)i);
    for (i = 0; i < 40; i++) {
        wheel_start(&wheel, &timers[i], WEIR_SECOND);
        if (i == 20) /* half of them wait elsewhere by now */
            assert_null(wheel_expire(&wheel, WEIR_SECOND - 1));
        if (i == 30)
            assert_int_equal(wheel_deadline(&wheel), WEIR_SECOND);
    }
    wheel_start(&wheel, &timers[3], WEIR_SECOND); /* a new start */
    for (i = 0; i < 40; i++)
        if (i != 3)
            assert_ptr_equal(wheel_expire(&wheel, WEIR_SECOND), &timers[i]);
    assert_ptr_equal(wheel_expire(&wheel, WEIR_SECOND), &timers[3]);
}

static void time_does_not_run_backwards(void **state)
{
    struct wheel wheel;
    struct wheel_timer timer;

    (void)state;
    wheel_init(&wheel, 1000);
    wheel_timer_init(&timer, 0);
    wheel_start(&wheel, &timer, 10); /* long past */
    assert_int_equal(wheel_deadline(&wheel), 10);
    assert_ptr_equal(wheel_expire(&wheel, 5), &timer);
    assert_int_equal(wheel.now, 1000);
}

static void stopping_twice_is_harmless(void **state)
{
    struct wheel wheel;
    struct wheel_timer timer;

    (void)state;
    wheel_init(&wheel, 0);
    wheel_timer_init(&timer, 0);
    wheel_stop(&wheel, &timer);
    wheel_start(&wheel, &timer, 5);
    wheel_stop(&wheel, &timer);
    wheel_stop(&wheel, &timer);
    assert_int_equal(wheel.count, 0);
    assert_null(wheel_expire(&wheel, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(works_at_any_origin),
        cmocka_unit_test(a_timer_never_fires_early_and_fires_in_time),
        cmocka_unit_test(ties_come_in_order_of_start),
        cmocka_unit_test(time_does_not_run_backwards),
        cmocka_unit_test(stopping_twice_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
