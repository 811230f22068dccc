/* SPDX-License-Identifier: MIT */

/* Transmission records in a circular array.
 *
 * Records are appended at the newest end and dropped at the oldest, in sequence order, so a
 * circular array of a power of two is all it takes: record i lies at (first + i) % capacity, and
 * looking one up by sequence number is a binary search over the ends.
 *
 *     una        end[0]     end[1]              end[n-1] = snd_nxt
 *      |---------|----------|--- ... ---|-------|
 *
 * Invariants: ends increase strictly, modulo 2^32 within half the circle; record i starts where i -
 * 1 ends; the oldest starts at una, which only the connection knows and passes in.
 *
 * A split moves the shorter side of the array by one place. Limits: 4096 records (160 KiB) a
 * connection. At the bound, or out of memory, what is appended joins the newest record, which gives
 * no RTT sample from then on (RFC 6298 3) and keeps the time of its oldest byte; a split is
 * refused, and the caller treats the record as a whole. Memory: none before the first, 8 records
 * (256 bytes) then, doubled when full; when all are acknowledged only the first 8 stay. */

#include <assert.h>
#include <store/records.h>
#include <string.h>

#define CAPACITY_MIN 8u

void records_init(struct records *records)
{
    memset(records, 0, sizeof *records);
}

void records_done(struct records *records, struct alloc *alloc)
{
    alloc_put(alloc, records->items, records->capacity * sizeof *records->items);
    records_init(records);
}

static struct record *item(const struct records *records, uint32_t i)
{
    return &records->items[(records->first + i) & (records->capacity - 1)];
}

struct record *records_at(const struct records *records, uint32_t i)
{
    assert(i < records->count);
    return item(records, i);
}

/* Makes room for one more; false at the bound or if memory is short. */
static bool make_room(struct records *records, struct alloc *alloc)
{
    uint32_t capacity = records->capacity ? records->capacity * 2 : CAPACITY_MIN, i;
    struct record *items;

    if (records->count < records->capacity)
        return true;
    if (capacity > RECORDS_MAX)
        return false;
    items = alloc_get(alloc, capacity * sizeof *items);
    if (!items)
        return false;
    for (i = 0; i < records->count; i++)
        items[i] = *item(records, i);
    alloc_put(alloc, records->items, records->capacity * sizeof *items);
    records->items = items;
    records->capacity = capacity;
    records->first = 0;
    return true;
}

bool records_append(struct records *records, struct alloc *alloc, const struct record *record)
{
    struct record *last = records->count ? item(records, records->count - 1) : NULL;

    assert(!last || seq_lt(last->end, record->end));
    if (make_room(records, alloc)) {
        *item(records, records->count++) = *record;
        return true;
    }
    if (!last)
        return false;
    last->end = record->end;
    last->flags &= ~(uint32_t)RECORD_PUSHED;
    last->flags |= RECORD_MERGED | (record->flags & (RECORD_RETRANSMITTED | RECORD_PUSHED));
    return true;
}

/* Index of the first record that ends after `seq`; count if none does. */
static uint32_t first_ending_after(const struct records *records, weir_seq seq)
{
    uint32_t low = 0, high = records->count, middle;

    while (low < high) {
        middle = low + (high - low) / 2;
        if (seq_leq(item(records, middle)->end, seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t records_find(const struct records *records, weir_seq una, weir_seq seq)
{
    return seq_lt(seq, una) ? records->count : first_ending_after(records, seq);
}

/* Doubles record `at`, for which there is room. */
static void duplicate(struct records *records, uint32_t at)
{
    uint32_t i;

    records->count++;
    if (at < records->count / 2) {
        records->first = (records->first - 1) & (records->capacity - 1);
        for (i = 0; i <= at; i++)
            *item(records, i) = *item(records, i + 1);
        return;
    }
    for (i = records->count - 1; i > at; i--)
        *item(records, i) = *item(records, i - 1);
}

bool records_split(struct records *records, struct alloc *alloc, weir_seq una, weir_seq seq)
{
    uint32_t at = records_find(records, una, seq);
    weir_seq start;

    if (at == records->count)
        return at > 0 && item(records, at - 1)->end == seq;
    start = at > 0 ? item(records, at - 1)->end : una;
    if (start == seq)
        return true;
    if (!make_room(records, alloc))
        return false;
    duplicate(records, at);
    item(records, at)->end = seq;
    item(records, at)->flags &= ~(uint32_t)RECORD_PUSHED;
    return true;
}

void records_acknowledge(struct records *records, struct alloc *alloc, weir_seq una)
{
    while (records->count > 0 && seq_leq(item(records, 0)->end, una)) {
        records->first = (records->first + 1) & (records->capacity - 1);
        records->count--;
    }
    if (records->count == 0 && records->capacity > CAPACITY_MIN)
        records_done(records, alloc);
}
