/* SPDX-License-Identifier: MIT */

/* The agenda against an array in which the least entry is searched for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <sim/agenda.h>

#define ENTRIES 200

static bool is_before(const struct agenda_entry *a, const struct agenda_entry *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    if (a->rank != b->rank)
        return a->rank < b->rank;
    return a->sequence < b->sequence;
}

static struct agenda_entry *naive_first(struct agenda_entry entries[ENTRIES])
{
    struct agenda_entry *first = NULL;

    for (int i = 0; i < ENTRIES; i++)
        if (entries[i].at != WEIR_NEVER && (first == NULL || is_before(&entries[i], first)))
            first = &entries[i];
    return first;
}

static void test_empty(void **state)
{
    struct agenda agenda;
    struct agenda_entry entry;

    (void)state;
    agenda_init(&agenda);
    assert_null(agenda_first(&agenda));
    assert_true(agenda_reserve(&agenda, 1));
    agenda_entry_init(&entry, 0, 0);
    agenda_put(&agenda, &entry, WEIR_NEVER);
    assert_null(agenda_first(&agenda));
    agenda_put(&agenda, &entry, 5);
    agenda_put(&agenda, &entry, 5);
    assert_int_equal(agenda.count, 1);
    assert_ptr_equal(agenda_first(&agenda), &entry);
    agenda_put(&agenda, &entry, WEIR_NEVER);
    agenda_put(&agenda, &entry, WEIR_NEVER);
    assert_null(agenda_first(&agenda));
    agenda_done(&agenda);
}

/* Time first, then rank, then sequence; whatever the order of insertion. */
static void test_order(void **state)
{
    static const struct {
        weir_time at;
        uint32_t rank;
        uint64_t sequence;
    } rows[] = {{-1, 9, 9}, {0, 0, 1}, {0, 0, 2}, {0, 1, 0}, {0, UINT32_MAX, 0}, {7, 0, 0}};
    const int count = (int)(sizeof(rows) / sizeof(rows[0]));
    struct agenda_entry entries[sizeof(rows) / sizeof(rows[0])];

    (void)state;
    for (int shift = 0; shift < count; shift++) {
        struct agenda agenda;

        agenda_init(&agenda);
        assert_true(agenda_reserve(&agenda, (uint32_t)count));
        for (int i = 0; i < count; i++) {
            int row = (i * 5 + shift) % count;

            agenda_entry_init(&entries[row], rows[row].rank, rows[row].sequence);
            agenda_put(&agenda, &entries[row], rows[row].at);
        }
        for (int i = 0; i < count; i++) {
            assert_ptr_equal(agenda_first(&agenda), &entries[i]);
            agenda_put(&agenda, &entries[i], WEIR_NEVER);
        }
        assert_null(agenda_first(&agenda));
        agenda_done(&agenda);
    }
}

static void test_model(void **state)
{
    struct agenda_entry entries[ENTRIES];
    struct agenda agenda;
    struct random random;

    (void)state;
    agenda_init(&agenda);
    random_init_u64(&random, 3, 0);
    for (uint32_t i = 0; i < ENTRIES; i++)
        agenda_entry_init(&entries[i], i % 7, i);
    for (int step = 0; step < 50000; step++) {
        struct agenda_entry *entry = &entries[random_below(&random, ENTRIES)];
        weir_time at = random_below(&random, 50);

        assert_true(agenda_reserve(&agenda, agenda.count + 1));
        agenda_put(&agenda, entry, random_chance(&random, 0.3) ? WEIR_NEVER : at);
        assert_ptr_equal(agenda_first(&agenda), naive_first(entries));
        for (uint32_t i = 0; i < agenda.count; i++)
            assert_int_equal(agenda.entries[i]->position, i);
    }
    agenda_done(&agenda);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
