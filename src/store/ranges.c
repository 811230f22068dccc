/* SPDX-License-Identifier: MIT */

/* A set of sequence-number ranges in a sorted array.
 *
 * Out-of-order data comes in few pieces, mostly at the end of one of them, so an array beats any
 * tree: 8 bytes a range, one cache line for eight of them, and binary search for the rest.
 *
 * Invariant: for all i, start[i] < end[i] < start[i + 1], modulo 2^32 with all of it inside half
 * the circle (RFC 9293 3.4). Strictly less: ranges that touch are merged at once, so that the
 * answer to "is all of [a, b) there?" is in one range.
 *
 * Adding [start, end) asks two questions: `low`, the first range that ends at or after start, and
 * `high`, the first that starts after end. If low = high nothing is touched and a new entry goes in
 * at low; else the ranges low..high-1 become one.
 *
 *      |---|    |-----|   |--|        |----|
 *                  [============]               low = 1, high = 3
 *      |---|    |---------------|     |----|
 *
 * Limits: up to 65535 ranges, in practice a setting of some hundreds; a set at its bound still
 * takes what extends or joins. Memory: none while empty, then 4 entries, doubled up to the bound;
 * it goes when the set is empty again. Out of memory is answered as if the bound were reached. */

#include <assert.h>
#include <store/ranges.h>
#include <string.h>

#define CAPACITY_MIN 4u

void ranges_init(struct ranges *ranges)
{
    memset(ranges, 0, sizeof *ranges);
}

void ranges_done(struct ranges *ranges, struct alloc *alloc)
{
    alloc_put(alloc, ranges->items, ranges->capacity * sizeof *ranges->items);
    ranges_init(ranges);
}

/* Index of the first range whose end is at or after `seq`. */
static uint16_t first_ending_from(const struct ranges *ranges, weir_seq seq)
{
    uint32_t low = 0, high = ranges->count, middle;

    while (low < high) {
        middle = (low + high) / 2;
        if (seq_lt(ranges->items[middle].end, seq))
            low = middle + 1;
        else
            high = middle;
    }
    return (uint16_t)low;
}

/* Index of the first range, from `low` on, that starts after `seq`. */
static uint16_t first_starting_after(const struct ranges *ranges, uint16_t low, weir_seq seq)
{
    while (low < ranges->count && seq_leq(ranges->items[low].start, seq))
        low++;
    return low;
}

static void remove_items(struct ranges *ranges, uint16_t from, uint16_t to)
{
    memmove(ranges->items + from, ranges->items + to,
            (size_t)(ranges->count - to) * sizeof *ranges->items);
    ranges->count = (uint16_t)(ranges->count - (to - from));
}

static bool make_room(struct ranges *ranges, struct alloc *alloc, uint16_t max)
{
    uint32_t capacity = ranges->capacity ? ranges->capacity * 2u : CAPACITY_MIN;
    struct range *items;

    if (ranges->count < ranges->capacity)
        return true;
    if (capacity > max)
        capacity = max;
    items = alloc_resize(alloc, ranges->items, ranges->capacity * sizeof *items,
                         capacity * sizeof *items);
    if (!items)
        return false;
    ranges->items = items;
    ranges->capacity = (uint16_t)capacity;
    return true;
}

static bool insert(struct ranges *ranges, struct alloc *alloc, uint16_t at, struct range range,
                   uint16_t max)
{
    if (ranges->count >= max || !make_room(ranges, alloc, max))
        return false;
    memmove(ranges->items + at + 1, ranges->items + at,
            (size_t)(ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = range;
    ranges->count++;
    return true;
}

bool ranges_is_full_for(const struct ranges *ranges, weir_seq start, weir_seq end, uint16_t max)
{
    uint16_t low = first_ending_from(ranges, start);

    if (start == end || ranges->count < max)
        return false;
    return first_starting_after(ranges, low, end) == low;
}

bool ranges_add(struct ranges *ranges, struct alloc *alloc, weir_seq start, weir_seq end,
                uint16_t max)
{
    uint16_t low = first_ending_from(ranges, start), high;
    struct range *joined;

    assert(seq_leq(start, end));
    if (start == end)
        return true;
    high = first_starting_after(ranges, low, end);
    if (low == high)
        return insert(ranges, alloc, low, (struct range){start, end}, max);
    joined = &ranges->items[low];
    joined->start = seq_min(joined->start, start);
    joined->end = seq_max(ranges->items[high - 1].end, end);
    remove_items(ranges, (uint16_t)(low + 1), high);
    return true;
}

void ranges_remove_before(struct ranges *ranges, struct alloc *alloc, weir_seq seq)
{
    uint16_t keep = first_ending_from(ranges, seq);

    if (keep < ranges->count && ranges->items[keep].end == seq)
        keep++;
    if (keep == ranges->count) {
        ranges_done(ranges, alloc);
        return;
    }
    if (keep > 0)
        remove_items(ranges, 0, keep);
    ranges->items[0].start = seq_max(ranges->items[0].start, seq);
}

uint32_t ranges_remove_from(struct ranges *ranges, struct alloc *alloc, weir_seq seq)
{
    struct range *last;
    uint32_t bytes = 0;

    while (ranges->count > 0) {
        last = &ranges->items[ranges->count - 1];
        if (seq_leq(last->end, seq))
            return bytes;
        if (seq_lt(last->start, seq)) {
            bytes += last->end - seq;
            last->end = seq;
            return bytes;
        }
        bytes += last->end - last->start;
        ranges->count--;
    }
    ranges_done(ranges, alloc);
    return bytes;
}

/* The range that holds `seq`, or else the first one after it; NULL if there is none. */
static const struct range *range_after(const struct ranges *ranges, weir_seq seq)
{
    uint16_t at = first_ending_from(ranges, seq);

    if (at < ranges->count && ranges->items[at].end == seq)
        at++;
    return at < ranges->count ? &ranges->items[at] : NULL;
}

bool ranges_overlap(const struct ranges *ranges, weir_seq start, weir_seq end)
{
    const struct range *range = range_after(ranges, start);

    return range && start != end && seq_lt(range->start, end);
}

bool ranges_contain(const struct ranges *ranges, weir_seq start, weir_seq end)
{
    const struct range *range = range_after(ranges, start);

    if (start == end)
        return true;
    return range && seq_leq(range->start, start) && seq_geq(range->end, end);
}

weir_seq ranges_end_at(const struct ranges *ranges, weir_seq seq)
{
    const struct range *range = range_after(ranges, seq);

    return range && seq_leq(range->start, seq) ? range->end : seq;
}

uint32_t ranges_bytes(const struct ranges *ranges)
{
    uint32_t bytes = 0;
    uint16_t i;

    for (i = 0; i < ranges->count; i++)
        bytes += ranges->items[i].end - ranges->items[i].start;
    return bytes;
}

weir_seq ranges_last_end(const struct ranges *ranges)
{
    assert(ranges->count > 0);
    return ranges->items[ranges->count - 1].end;
}
