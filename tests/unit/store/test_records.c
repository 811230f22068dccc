/* SPDX-License-Identifier: MIT */

/* The records against a plain list that is copied and shifted as a whole. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "failing.h"
#include <base/random.h>
#include <store/records.h>

#define LIST_MAX 5000u

struct model {
    struct failing memory;
    struct records records;
    struct random random;
    weir_seq una, next;
    weir_time now;
    uint32_t count;
    struct record list[LIST_MAX];
};

static struct model *model_create(uint64_t seed, weir_seq una)
{
    struct model *m = calloc(1, sizeof *m);

    assert_non_null(m);
    failing_init(&m->memory);
    records_init(&m->records);
    random_init_u64(&m->random, seed, 5);
    m->una = una;
    m->next = una;
    return m;
}

static void model_destroy(struct model *m)
{
    records_done(&m->records, &m->memory.alloc);
    assert_int_equal(m->memory.live, 0);
    assert_int_equal(m->memory.alloc.used, 0);
    free(m);
}

static uint32_t model_find(const struct model *m, weir_seq seq)
{
    uint32_t i;

    if (seq_lt(seq, m->una))
        return m->count;
    for (i = 0; i < m->count; i++)
        if (seq_lt(seq, m->list[i].end))
            return i;
    return m->count;
}

static void check(struct model *m)
{
    weir_seq seq;
    uint32_t i;

    assert_int_equal(m->records.count, m->count);
    for (i = 0; i < m->count; i++) {
        assert_int_equal(records_at(&m->records, i)->end, m->list[i].end);
        assert_int_equal(records_at(&m->records, i)->flags, m->list[i].flags);
        assert_int_equal(records_at(&m->records, i)->sent, m->list[i].sent);
        assert_int_equal(records_at(&m->records, i)->delivered, m->list[i].delivered);
    }
    for (i = 0; i < 5; i++) {
        seq = m->una - 10 + random_below(&m->random, m->next - m->una + 20);
        assert_int_equal(records_find(&m->records, m->una, seq), model_find(m, seq));
    }
    assert_int_equal(m->memory.live, m->records.capacity * sizeof(struct record));
    if (m->count == 0)
        assert_true(m->records.capacity <= 8);
}

static bool has_room(const struct model *m)
{
    if (m->count >= RECORDS_MAX)
        return false;
    return m->memory.left != 0 || m->count < m->records.capacity;
}

static void append(struct model *m)
{
    struct record record = {.flags = random_below(&m->random, 2), .sent = m->now++};
    bool had_room = has_room(m);

    m->next += 1 + random_below(&m->random, 3000);
    record.end = m->next;
    record.delivered = random_u64(&m->random);
    record.delivered_at = m->now;
    assert_int_equal(records_append(&m->records, &m->memory.alloc, &record),
                     had_room || m->count > 0);
    if (had_room) {
        m->list[m->count++] = record;
    } else if (m->count > 0) {
        m->list[m->count - 1].end = record.end;
        m->list[m->count - 1].flags |= RECORD_MERGED | record.flags;
    } else {
        m->una = m->next; /* no record at all: the rest begins after it */
    }
}

static void split(struct model *m)
{
    weir_seq seq = m->una + random_below(&m->random, m->next - m->una + 1);
    uint32_t at = model_find(m, seq), i;
    bool is_edge = seq == m->una || (m->count > 0 && seq == m->next), had_room = has_room(m);

    for (i = 0; i < m->count; i++)
        is_edge |= m->list[i].end == seq;
    if (m->count == 0)
        return;
    assert_int_equal(records_split(&m->records, &m->memory.alloc, m->una, seq),
                     is_edge || had_room);
    if (is_edge || !had_room)
        return;
    memmove(m->list + at + 1, m->list + at, (m->count - at) * sizeof m->list[0]);
    m->list[at].end = seq;
    m->count++;
}

static void acknowledge(struct model *m, weir_seq una)
{
    uint32_t gone = 0;

    while (gone < m->count && seq_leq(m->list[gone].end, una))
        gone++;
    memmove(m->list, m->list + gone, (m->count - gone) * sizeof m->list[0]);
    m->count -= gone;
    m->una = una;
    records_acknowledge(&m->records, &m->memory.alloc, una);
}

static void step(struct model *m)
{
    uint32_t flight = m->next - m->una;

    m->memory.left = random_below(&m->random, 10) ? -1 : 0;
    switch (random_below(&m->random, 12)) {
    case 0:
        acknowledge(m, m->una + random_below(&m->random, flight + 1));
        break;
    case 1:
    case 2:
    case 3:
    case 4:
        acknowledge(m, m->una + random_below(&m->random, flight / 16 + 1));
        break;
    case 5:
    case 6:
        split(m);
        break;
    default:
        append(m);
    }
}

static void agrees_with_a_list(void **state)
{
    static const weir_seq unas[] = {0, 0xffffff00, 0x7fffff00};
    struct model *m;
    unsigned i, n;

    (void)state;
    for (i = 0; i < sizeof unas / sizeof unas[0]; i++) {
        print_message("seed %u\n", i);
        m = model_create(i, unas[i]);
        for (n = 0; n < 5000; n++) {
            step(m);
            check(m);
        }
        model_destroy(m);
    }
}

static void the_bound_holds(void **state)
{
    struct model *m = model_create(7, 0xfff00000);
    unsigned n;

    (void)state;
    for (n = 0; n < RECORDS_MAX + 50; n++)
        append(m);
    check(m);
    assert_int_equal(m->records.count, RECORDS_MAX);
    assert_true(records_at(&m->records, RECORDS_MAX - 1)->flags & RECORD_MERGED);
    assert_int_equal(records_at(&m->records, RECORDS_MAX - 1)->sent, RECORDS_MAX - 1);
    for (n = 0; n < 50; n++)
        split(m);
    check(m);
    for (n = 0; n < 200; n++) {
        acknowledge(m, m->list[20].end);
        split(m);
        split(m);
        append(m);
    }
    check(m);
    acknowledge(m, m->next);
    check(m);
    model_destroy(m);
}

/* Of the parts of a split the last has what the last segment had. */
static void pushed_is_the_end(void **state)
{
    const struct record pushed = {.end = 100, .flags = RECORD_PUSHED};
    struct model *m = model_create(8, 0);

    (void)state;
    assert_true(records_append(&m->records, &m->memory.alloc, &pushed));
    assert_true(records_split(&m->records, &m->memory.alloc, 0, 40));
    assert_int_equal(records_at(&m->records, 0)->flags, 0);
    assert_int_equal(records_at(&m->records, 1)->flags, RECORD_PUSHED);
    model_destroy(m);
}

static void without_memory_there_is_no_record(void **state)
{
    struct model *m = model_create(8, 5);

    (void)state;
    m->memory.left = 0;
    append(m);
    assert_int_equal(m->records.count, 0);
    assert_false(records_split(&m->records, &m->memory.alloc, 5, 6));
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(pushed_is_the_end),
        cmocka_unit_test(without_memory_there_is_no_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
