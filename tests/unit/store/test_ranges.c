/* SPDX-License-Identifier: MIT */

/* The set against a map of flags, one for each sequence number of a stretch that crosses 2^32. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "failing.h"
#include <base/random.h>
#include <store/ranges.h>

#define STRETCH 600u

struct model {
    struct failing memory;
    struct ranges ranges;
    struct random random;
    weir_seq origin;
    bool is_there[STRETCH];
};

static void model_init(struct model *m, uint64_t seed, weir_seq origin)
{
    memset(m, 0, sizeof *m);
    failing_init(&m->memory);
    ranges_init(&m->ranges);
    random_init_u64(&m->random, seed, 3);
    m->origin = origin;
}

static uint32_t model_bytes(const struct model *m, uint32_t start, uint32_t end)
{
    uint32_t count = 0;

    for (; start < end; start++)
        count += m->is_there[start];
    return count;
}

static uint32_t model_ranges(const struct model *m)
{
    uint32_t count = 0, i;

    for (i = 0; i < STRETCH; i++)
        count += m->is_there[i] && (i == 0 || !m->is_there[i - 1]);
    return count;
}

/* Does [start, end) touch or overlap what is there? */
static bool model_touches(const struct model *m, uint32_t start, uint32_t end)
{
    uint32_t from = start > 0 ? start - 1 : 0, to = end < STRETCH ? end + 1 : STRETCH;

    return model_bytes(m, from, to) > 0;
}

static uint32_t model_end_at(const struct model *m, uint32_t seq)
{
    while (seq < STRETCH && m->is_there[seq])
        seq++;
    return seq;
}

static void check_questions(struct model *m)
{
    uint32_t a = random_below(&m->random, STRETCH), b = a + random_below(&m->random, STRETCH - a);
    uint32_t bytes = model_bytes(m, a, b);
    weir_seq start = m->origin + a, end = m->origin + b;

    assert_int_equal(ranges_overlap(&m->ranges, start, end), bytes > 0);
    assert_int_equal(ranges_contain(&m->ranges, start, end), bytes == b - a);
    assert_int_equal(ranges_end_at(&m->ranges, start), m->origin + model_end_at(m, a));
}

static void check(struct model *m)
{
    uint32_t i, last = STRETCH;

    assert_int_equal(m->ranges.count, model_ranges(m));
    assert_int_equal(ranges_bytes(&m->ranges), model_bytes(m, 0, STRETCH));
    for (i = 0; i < m->ranges.count; i++) {
        assert_true(seq_lt(m->ranges.items[i].start, m->ranges.items[i].end));
        if (i > 0)
            assert_true(seq_lt(m->ranges.items[i - 1].end, m->ranges.items[i].start));
    }
    for (i = 0; i < 10; i++)
        check_questions(m);
    while (last > 0 && !m->is_there[last - 1])
        last--;
    if (last > 0)
        assert_int_equal(ranges_last_end(&m->ranges), m->origin + last);
    assert_int_equal(m->memory.alloc.used, m->ranges.capacity * sizeof(struct range));
    if (m->ranges.count == 0)
        assert_int_equal(m->memory.alloc.used, 0);
}

static void add(struct model *m, uint16_t max)
{
    uint32_t a = random_below(&m->random, STRETCH), i;
    uint32_t b = a + random_below(&m->random, random_below(&m->random, 20) ? 6 : STRETCH - a + 1);
    bool is_new, is_full, is_short = m->memory.left == 0;

    if (b > STRETCH)
        b = STRETCH;
    is_new = a != b && !model_touches(m, a, b);
    is_full = is_new && model_ranges(m) >= max;
    assert_int_equal(ranges_is_full_for(&m->ranges, m->origin + a, m->origin + b, max), is_full);
    if (ranges_add(&m->ranges, &m->memory.alloc, m->origin + a, m->origin + b, max)) {
        assert_false(is_full);
        for (i = a; i < b; i++)
            m->is_there[i] = true;
    } else {
        assert_true(is_full || (is_new && is_short));
    }
}

static void step(struct model *m)
{
    uint32_t at = random_below(&m->random, STRETCH), bytes;

    switch (random_below(&m->random, 40)) {
    case 0:
        ranges_remove_before(&m->ranges, &m->memory.alloc, m->origin + at / 4);
        memset(m->is_there, 0, at / 4);
        break;
    case 1:
        at = STRETCH - at / 4;
        bytes = model_bytes(m, at, STRETCH);
        assert_int_equal(ranges_remove_from(&m->ranges, &m->memory.alloc, m->origin + at), bytes);
        memset(m->is_there + at, 0, STRETCH - at);
        break;
    case 2:
        m->memory.left = 0;
        add(m, 50);
        m->memory.left = -1;
        break;
    case 3:
        add(m, 10); /* a bound that was lowered */
        break;
    default:
        add(m, 50);
    }
}

static void agrees_with_a_map(void **state)
{
    static const weir_seq origins[] = {0, 1000, 0x7fffff00, 0xfffffed4, 0xffffffff, 0x80000000};
    struct model m;
    unsigned i, n;

    (void)state;
    for (i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        print_message("seed %u\n", i);
        model_init(&m, i, origins[i]);
        for (n = 0; n < 3000; n++) {
            step(&m);
            check(&m);
        }
        ranges_remove_before(&m.ranges, &m.memory.alloc, m.origin + STRETCH);
        assert_int_equal(m.memory.alloc.used, 0);
    }
}

static void edges(void **state)
{
    struct model m;

    (void)state;
    model_init(&m, 0, 0);
    assert_true(ranges_add(&m.ranges, &m.memory.alloc, 5, 5, 0)); /* nothing is always there */
    assert_int_equal(m.ranges.count, 0);
    assert_false(ranges_add(&m.ranges, &m.memory.alloc, 5, 6, 0));
    assert_false(ranges_overlap(&m.ranges, 0, 100));
    assert_false(ranges_contain(&m.ranges, 0, 1));
    assert_int_equal(ranges_end_at(&m.ranges, 17), 17);
    assert_int_equal(ranges_remove_from(&m.ranges, &m.memory.alloc, 0), 0);
    assert_true(ranges_add(&m.ranges, &m.memory.alloc, 0xfffffff0, 0x10, 1));
    assert_true(ranges_is_full_for(&m.ranges, 0x12, 0x13, 1));
    assert_false(ranges_is_full_for(&m.ranges, 0x10, 0x13, 1));
    assert_int_equal(ranges_remove_from(&m.ranges, &m.memory.alloc, 0xfffffff8), 0x18);
    assert_int_equal(ranges_last_end(&m.ranges), 0xfffffff8);
    ranges_done(&m.ranges, &m.memory.alloc);
    assert_int_equal(m.memory.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_map),
        cmocka_unit_test(edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
