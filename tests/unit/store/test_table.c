/* SPDX-License-Identifier: MIT */

/* The table against an array of flags: entries with few distinct hashes and with many, added and
 * removed while the table grows, with larger arrays refused now and then. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "failing.h"
#include <base/list.h>
#include <base/random.h>
#include <store/table.h>

#define ENTRIES 3000u

struct entry {
    struct table_node node;
    uint64_t hash;
    bool is_in;
    unsigned seen;
};

struct model {
    struct failing memory;
    struct table table;
    struct random random;
    uint32_t count;
    struct entry entries[ENTRIES];
};

static struct model *model_create(uint64_t seed, uint64_t hash_mask)
{
    struct model *m = calloc(1, sizeof *m);
    unsigned i;

    assert_non_null(m);
    failing_init(&m->memory);
    table_init(&m->table, &m->memory.alloc);
    random_init_u64(&m->random, seed, 4);
    for (i = 0; i < ENTRIES; i++)
        m->entries[i].hash = random_u64(&m->random) & hash_mask;
    return m;
}

static void model_destroy(struct model *m)
{
    table_done(&m->table);
    assert_int_equal(m->memory.live, 0);
    assert_int_equal(m->memory.alloc.used, 0);
    free(m);
}

static bool can_find(struct model *m, const struct entry *entry)
{
    struct table_node *node = table_find(&m->table, entry->hash);

    for (; node; node = table_find_next(node)) {
        assert_int_equal(node->hash, entry->hash);
        if (node == &entry->node)
            return true;
    }
    return false;
}

static void visit_all(struct model *m)
{
    struct table_cursor cursor = {0, NULL};
    struct table_node *node;
    unsigned i;

    for (i = 0; i < ENTRIES; i++)
        m->entries[i].seen = 0;
    while ((node = table_next(&m->table, &cursor)))
        LIST_ENTRY(node, struct entry, node)->seen++;
    for (i = 0; i < ENTRIES; i++)
        assert_int_equal(m->entries[i].seen, m->entries[i].is_in);
}

static void toggle(struct model *m, struct entry *entry)
{
    if (entry->is_in) {
        table_remove(&m->table, &entry->node);
        entry->is_in = false;
        m->count--;
    } else if (table_add(&m->table, &entry->node, entry->hash)) {
        entry->is_in = true;
        m->count++;
    } else {
        assert_null(m->table.buckets);
    }
}

/* An entry that is not in takes the place of one that is. */
static void swap(struct model *m, struct entry *in, struct entry *out)
{
    uint64_t hash = out->hash;

    if (!in->is_in || out->is_in)
        return;
    table_replace(&m->table, &in->node, &out->node);
    out->hash = in->hash;
    in->hash = hash;
    in->is_in = false;
    out->is_in = true;
    assert_true(can_find(m, out));
    assert_false(can_find(m, in));
}

static void run(uint64_t seed, uint64_t hash_mask, bool is_memory_short)
{
    struct model *m = model_create(seed, hash_mask);
    struct entry *entry;
    unsigned n;

    print_message("seed %llu\n", (unsigned long long)seed);
    for (n = 0; n < 20000; n++) {
        if (is_memory_short)
            m->memory.left = random_below(&m->random, 3) ? 0 : -1;
        entry = &m->entries[random_below(&m->random, n % 7000 < 3500 ? ENTRIES : 300)];
        /* Up to n = 10000 the table mostly grows, then it mostly shrinks. */
        if (entry->is_in == (n > 10000) || random_below(&m->random, 4) == 0)
            toggle(m, entry);
        assert_int_equal(m->table.count, m->count);
        assert_int_equal(can_find(m, entry), entry->is_in);
        entry = &m->entries[random_below(&m->random, ENTRIES)];
        assert_int_equal(can_find(m, entry), entry->is_in);
        swap(m, entry, &m->entries[random_below(&m->random, ENTRIES)]);
        if (n % 97 == 0)
            visit_all(m);
    }
    model_destroy(m);
}

static void agrees_with_flags(void **state)
{
    (void)state;
    run(1, UINT64_MAX, false);
    run(2, 0x3f, false); /* long chains of equal hashes */
    run(3, UINT64_MAX, true);
}

static void grows_in_small_steps(void **state)
{
    struct model *m = model_create(5, UINT64_MAX);
    uint32_t before, moved_max = 0;
    unsigned i;

    (void)state;
    for (i = 0; i < ENTRIES; i++) {
        before = m->table.moved;
        toggle(m, &m->entries[i]);
        if (m->table.moved > before && m->table.moved - before > moved_max)
            moved_max = m->table.moved - before;
    }
    assert_true(moved_max > 0 && moved_max <= 4);
    assert_true(m->table.bucket_count >= ENTRIES);
    model_destroy(m);
}

static void visitors_may_remove_what_they_are_shown(void **state)
{
    struct model *m;
    struct table_cursor cursor;
    struct table_node *node;
    unsigned i, filled, count;

    (void)state;
    for (filled = 1; filled < ENTRIES; filled += 61) { /* some of them amid growth */
        m = model_create(filled, UINT64_MAX);
        cursor = (struct table_cursor){0, NULL};
        count = 0;
        for (i = 0; i < filled; i++)
            toggle(m, &m->entries[i]);
        while ((node = table_next(&m->table, &cursor))) {
            table_remove(&m->table, node);
            count++;
        }
        assert_int_equal(count, filled);
        assert_int_equal(m->table.count, 0);
        model_destroy(m);
    }
}

static void an_empty_table_answers(void **state)
{
    struct model *m = model_create(1, UINT64_MAX);
    struct table_cursor cursor = {0, NULL};

    (void)state;
    assert_null(table_find(&m->table, 5));
    assert_null(table_next(&m->table, &cursor));
    m->memory.left = 0;
    assert_false(table_add(&m->table, &m->entries[0].node, 1));
    assert_int_equal(m->memory.alloc.refused, 1);
    assert_int_equal(m->table.count, 0);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_flags),
        cmocka_unit_test(grows_in_small_steps),
        cmocka_unit_test(visitors_may_remove_what_they_are_shown),
        cmocka_unit_test(an_empty_table_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
