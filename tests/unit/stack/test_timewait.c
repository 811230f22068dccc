/* SPDX-License-Identifier: MIT */

/* The queue of TIME-WAIT records against a list of deadlines: whatever their order, each record ends at
 * its own time, to the nanosecond, and only the first of those in order has a timer. */

#include <base/random.h>
#include <stack/stack.h>
#include <stdlib.h>
#include <string.h>
#include <talk/talk.h>

enum { RECORDS = 400, STEPS = 6000 };

struct model {
    struct weir_stack *stack;
    struct time_wait *records[RECORDS]; /* NULL: none */
    struct random random;
    weir_time now;
};

static struct model *model_create(uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));
    struct weir_stack_config config;

    assert_non_null(m);
    weir_stack_config_init(&config);
    m->stack = weir_stack_create(&config);
    assert_non_null(m->stack);
    random_init_u64(&m->random, seed, 0);
    print_message("seed %llu\n", (unsigned long long)seed);
    return m;
}

static void add(struct model *m, unsigned i, weir_time deadline)
{
    struct time_wait *record = pool_get(&m->stack->time_waits);

    assert_non_null(record);
    memset(record, 0, sizeof(*record));
    record->flow.key = (struct flow_key){.local = weir_addr_from4(1), .lport = (uint16_t)i};
    record->flow.key.remote = weir_addr_from4(2);
    record->record.deadline = deadline;
    assert_true(flow_add(m->stack, &record->flow, FLOW_TIME_WAIT));
    time_wait_add(m->stack, record);
    m->records[i] = record;
}

/* Mostly in order; now and then before others. */
static weir_time choose_deadline(struct model *m, uint32_t disorder)
{
    weir_time least = disorder && random_below(&m->random, disorder) == 0 ? 1 : 1000;

    return m->now + least * 1000 + random_below(&m->random, 3);
}

/* The naive way: look at all. */
static weir_time earliest(const struct model *m)
{
    weir_time least = WEIR_NEVER;
    unsigned i;

    for (i = 0; i < RECORDS; i++) {
        if (m->records[i] && m->records[i]->record.deadline < least)
            least = m->records[i]->record.deadline;
    }
    return least;
}

static unsigned running(const struct model *m)
{
    unsigned count = 0, i;

    for (i = 0; i < RECORDS; i++)
        count += m->records[i] && wheel_is_running(&m->records[i]->flow.timer);
    return count;
}

static void pass_time(struct model *m, weir_time to)
{
    unsigned i;

    m->now = to;
    for (i = 0; i < RECORDS; i++) {
        if (m->records[i] && m->records[i]->record.deadline <= to)
            m->records[i] = NULL; /* it ends in poll */
    }
    weir_stack_poll(m->stack, to, 0);
}

static void one_step(struct model *m, uint32_t disorder)
{
    unsigned i = random_below(&m->random, RECORDS);
    uint32_t choice = random_below(&m->random, 10);

    if (!m->records[i]) {
        add(m, i, choose_deadline(m, disorder));
    } else if (choice < 2) { /* its peer's FIN comes again */
        m->records[i]->record.deadline = choose_deadline(m, disorder);
        time_wait_restart(m->stack, m->records[i]);
    } else if (choice < 4) { /* a new connection takes its four-tuple */
        time_wait_free(m->stack, m->records[i]);
        m->records[i] = NULL;
    } else if (choice < 9) {
        pass_time(m, m->now + random_below(&m->random, 8000));
    } else if (earliest(m) != WEIR_NEVER) {
        pass_time(m, earliest(m));
    }
}

static void run(uint64_t seed, uint32_t disorder)
{
    struct model *m = model_create(seed);
    unsigned n, i, count;

    for (n = 0; n < STEPS; n++) {
        one_step(m, disorder);
        for (count = 0, i = 0; i < RECORDS; i++)
            count += m->records[i] != NULL;
        assert_int_equal(m->stack->time_wait_count, count);
        assert_true(weir_stack_deadline(m->stack) == earliest(m));
        assert_null(weir_inspect_check(m->stack, m->now));
        assert_true(running(m) > 0 || count == 0);
    }
    weir_stack_destroy(m->stack);
    free(m);
}

static void each_ends_at_its_time(void **state)
{
    (void)state;
    run(1, 4);
    run(2, 30);
}

/* In order, one timer serves all. */
static void in_order_one_has_a_timer(void **state)
{
    struct model *m = model_create(3);
    unsigned i;

    (void)state;
    for (i = 0; i < RECORDS; i++)
        add(m, i, 1000 + 10 * (weir_time)i);
    assert_int_equal(running(m), 1);
    for (i = 0; i < RECORDS; i++) {
        assert_true(weir_stack_deadline(m->stack) == 1000 + 10 * (weir_time)i);
        assert_int_equal(running(m), 1);
        pass_time(m, 1000 + 10 * (weir_time)i);
    }
    assert_int_equal(m->stack->time_wait_count, 0);
    assert_true(weir_stack_deadline(m->stack) == WEIR_NEVER);
    weir_stack_destroy(m->stack);
    free(m);
}

/* At the limit the first of the list goes, which is the one that ends next when all are in order. */
static void the_first_gives_way(void **state)
{
    struct model *m = model_create(4);
    unsigned i;

    (void)state;
    m->stack->config.time_wait_max = 10;
    for (i = 0; i < 12; i++)
        add(m, i, 1000 + (weir_time)i);
    assert_int_equal(m->stack->time_wait_count, 10);
    assert_true(weir_stack_deadline(m->stack) == 1002);
    assert_int_equal(weir_inspect_counters(m->stack)->drop[WEIR_DROP_TIME_WAIT_LIMIT], 2);
    weir_stack_destroy(m->stack);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ends_at_its_time),
        cmocka_unit_test(in_order_one_has_a_timer),
        cmocka_unit_test(the_first_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
