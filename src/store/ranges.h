/* SPDX-License-Identifier: MIT */
#ifndef STORE_RANGES_H
#define STORE_RANGES_H

/* A set of sequence-number ranges [start, end), disjoint, not touching, sorted, bounded in number:
 * which out-of-order data is there. All of it lies within 2^31 of each other, so that modular order
 * is an order. Nothing is allocated while the set is empty. Look-up is a binary search; an insertion
 * moves at most `max` entries (16 bytes a pair, so 4 KiB at 256). */

#include <base/seq.h>
#include <store/alloc.h>

struct range {
    weir_seq start, end;
};

struct ranges {
    struct range *items;
    uint16_t count, capacity;
};

void ranges_init(struct ranges *ranges);
void ranges_done(struct ranges *ranges, struct alloc *alloc);

/* Would ranges_add need a new entry (rather than extend or merge) while `max` are in use? */
bool ranges_is_full_for(const struct ranges *ranges, weir_seq start, weir_seq end, uint16_t max);

/* Adds [start, end), merging what it overlaps or touches. Returns false (unchanged) if that needs
 * an entry beyond `max` or memory is short. Adding what is there is success. */
bool ranges_add(struct ranges *ranges, struct alloc *alloc, weir_seq start, weir_seq end,
                uint16_t max);

/* Takes everything before `seq` out; a range that straddles it loses its front. */
void ranges_remove_before(struct ranges *ranges, struct alloc *alloc, weir_seq seq);

/* Takes everything at or after `seq` out. Returns how many bytes that was. */
uint32_t ranges_remove_from(struct ranges *ranges, struct alloc *alloc, weir_seq seq);

/* Is any / all of [start, end) in the set? */
bool ranges_overlap(const struct ranges *ranges, weir_seq start, weir_seq end);
bool ranges_contain(const struct ranges *ranges, weir_seq start, weir_seq end);

/* If a range starts at or before `seq` and ends after it: its end; else `seq`. */
weir_seq ranges_end_at(const struct ranges *ranges, weir_seq seq);

/* Bytes in all ranges; the end of the last range (only for a set that is not empty). */
uint32_t ranges_bytes(const struct ranges *ranges);
weir_seq ranges_last_end(const struct ranges *ranges);

#endif
