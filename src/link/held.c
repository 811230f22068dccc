/* SPDX-License-Identifier: MIT */

/* A queue ordered by (release time, order of arrival).
 *
 * Problem: packets with random delays leave in another order than they came, yet those with equal
 * times must leave in the order they came, on every machine alike.
 *
 * Idea: a binary heap in an array whose order is made total by a sequence number, so that the heap's
 * own freedom (it is not stable) cannot show. The array doubles and is kept.
 *
 * Invariants: every entry is after its parent at (index - 1) / 2; sequence numbers are never reused.
 * Costs: push and pop O(log n), first O(1); 24 bytes an entry. */

#include <assert.h>
#include <link/held.h>
#include <stdlib.h>

#define SIZE_MIN 16u

static bool is_before(const struct held_entry *a, const struct held_entry *b)
{
    return a->release != b->release ? a->release < b->release : a->sequence < b->sequence;
}

bool held_reserve(struct held *held)
{
    uint32_t size = held->size ? held->size * 2 : SIZE_MIN;
    struct held_entry *heap;

    if (held->count < held->size)
        return true;
    heap = realloc(held->heap, size * sizeof(*heap));
    if (!heap)
        return false;
    held->heap = heap;
    held->size = size;
    return true;
}

void held_push(struct held *held, weir_time release, void *object)
{
    struct held_entry entry = {.release = release, .sequence = held->sequence++, .object = object};
    uint32_t at = held->count++;

    assert(held->count <= held->size);
    while (at > 0 && is_before(&entry, &held->heap[(at - 1) / 2])) {
        held->heap[at] = held->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    held->heap[at] = entry;
}

weir_time held_first(const struct held *held)
{
    return held->count > 0 ? held->heap[0].release : WEIR_NEVER;
}

void *held_pop(struct held *held)
{
    void *object;
    struct held_entry last;
    uint32_t at = 0, child;

    assert(held->count > 0);
    object = held->heap[0].object;
    last = held->heap[--held->count];
    while ((child = 2 * at + 1) < held->count) {
        if (child + 1 < held->count && is_before(&held->heap[child + 1], &held->heap[child]))
            child++;
        if (!is_before(&held->heap[child], &last))
            break;
        held->heap[at] = held->heap[child];
        at = child;
    }
    held->heap[at] = last;
    return object;
}

void held_done(struct held *held)
{
    free(held->heap);
    *held = (struct held){0};
}
