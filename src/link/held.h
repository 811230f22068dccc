/* SPDX-License-Identifier: MIT */
#ifndef LINK_HELD_H
#define LINK_HELD_H

/* What waits for its time: a queue ordered by (release time, order of arrival). */

#include <weir/types.h>

struct held_entry {
    weir_time release;
    uint64_t sequence;
    void *object;
};

/* All zero: empty. heap[0] is the first to go; the rest is in heap order. */
struct held {
    struct held_entry *heap;
    uint32_t count, size;
    uint64_t sequence;
};

/* Makes room for one more. False if memory is short. */
bool held_reserve(struct held *held);

/* Adds `object`; needs a held_reserve since the last push. */
void held_push(struct held *held, weir_time release, void *object);

/* When the first goes; WEIR_NEVER if there is none. */
weir_time held_first(const struct held *held);

/* Takes the first off and returns its object; there must be one. */
void *held_pop(struct held *held);

/* Frees the queue; the objects are the caller's. */
void held_done(struct held *held);

#endif
