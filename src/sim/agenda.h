/* SPDX-License-Identifier: MIT */
#ifndef SIM_AGENDA_H
#define SIM_AGENDA_H

/* What happens next: a heap of entries ordered by (time, rank, sequence). An entry is the caller's
 * and can be moved to another time while it is queued. */

#include <weir/types.h>

#define AGENDA_NOWHERE UINT32_MAX

struct agenda_entry {
    weir_time at;
    uint32_t rank;     /* order of entries of the same time */
    uint32_t position; /* in the heap, or AGENDA_NOWHERE */
    uint64_t sequence; /* order of entries of the same time and rank */
};

struct agenda {
    struct agenda_entry **entries;
    uint32_t count, room;
};

void agenda_init(struct agenda *agenda);
void agenda_done(struct agenda *agenda); /* the entries are the owner's */

/* Makes room for `count` entries in all, so that agenda_put cannot fail. */
bool agenda_reserve(struct agenda *agenda, uint32_t count);

void agenda_entry_init(struct agenda_entry *entry, uint32_t rank, uint64_t sequence);

/* Queues the entry at this time, or moves it there; WEIR_NEVER takes it out. */
void agenda_put(struct agenda *agenda, struct agenda_entry *entry, weir_time at);

/* The least entry, or NULL. */
struct agenda_entry *agenda_first(const struct agenda *agenda);

#endif
