/* SPDX-License-Identifier: MIT */

/* The event queue of the simulator.
 *
 * Problem: of thousands of nodes and timers find the one that acts next, and move a node each time
 * its deadline changes, which is after every packet.
 *
 * Idea: a binary heap of pointers in which each entry knows its position, so that moving an entry is
 * one sift from where it is, and a node is never queued twice. Equal times are ordered by rank and
 * sequence: the order is total, hence the run does not depend on how the heap was built.
 *
 * Invariants: entries[e->position] == e for every queued entry; no entry is less than its parent.
 *
 * Limits: 2^32 - 1 entries. Memory comes from malloc: the simulator belongs to no stack's budget. */

#include <sim/agenda.h>

#include <assert.h>
#include <stdlib.h>

#define FIRST_ROOM 64u

void agenda_init(struct agenda *agenda)
{
    *agenda = (struct agenda){0};
}

void agenda_done(struct agenda *agenda)
{
    free(agenda->entries);
    *agenda = (struct agenda){0};
}

bool agenda_reserve(struct agenda *agenda, uint32_t count)
{
    uint32_t room = agenda->room > 0 ? agenda->room : FIRST_ROOM;
    struct agenda_entry **entries;

    if (count <= agenda->room)
        return true;
    while (room < count)
        room *= 2;
    entries = realloc(agenda->entries, room * sizeof(*entries));
    if (entries == NULL)
        return false;
    agenda->entries = entries;
    agenda->room = room;
    return true;
}

void agenda_entry_init(struct agenda_entry *entry, uint32_t rank, uint64_t sequence)
{
    *entry = (struct agenda_entry){
        .at = WEIR_NEVER, .rank = rank, .position = AGENDA_NOWHERE, .sequence = sequence};
}

static bool is_less(const struct agenda_entry *a, const struct agenda_entry *b)
{
    if (a->at != b->at)
        return a->at < b->at;
    if (a->rank != b->rank)
        return a->rank < b->rank;
    return a->sequence < b->sequence;
}

static void set(struct agenda *agenda, uint32_t position, struct agenda_entry *entry)
{
    agenda->entries[position] = entry;
    entry->position = position;
}

static void sift_up(struct agenda *agenda, struct agenda_entry *entry)
{
    uint32_t at = entry->position;

    while (at > 0 && is_less(entry, agenda->entries[(at - 1) / 2])) {
        set(agenda, at, agenda->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    set(agenda, at, entry);
}

static void sift_down(struct agenda *agenda, struct agenda_entry *entry)
{
    uint32_t at = entry->position;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= agenda->count)
            break;
        if (child + 1 < agenda->count &&
            is_less(agenda->entries[child + 1], agenda->entries[child]))
            child++;
        if (!is_less(agenda->entries[child], entry))
            break;
        set(agenda, at, agenda->entries[child]);
        at = child;
    }
    set(agenda, at, entry);
}

static void take_out(struct agenda *agenda, struct agenda_entry *entry)
{
    uint32_t at = entry->position;
    struct agenda_entry *last = agenda->entries[--agenda->count];

    entry->position = AGENDA_NOWHERE;
    if (last == entry)
        return;
    set(agenda, at, last);
    sift_up(agenda, last);
    sift_down(agenda, last);
}

void agenda_put(struct agenda *agenda, struct agenda_entry *entry, weir_time at)
{
    bool is_queued = entry->position != AGENDA_NOWHERE;

    if (at == entry->at && is_queued == (at != WEIR_NEVER))
        return;
    entry->at = at;
    if (at == WEIR_NEVER) {
        if (is_queued)
            take_out(agenda, entry);
        return;
    }
    if (!is_queued) {
        assert(agenda->count < agenda->room);
        set(agenda, agenda->count++, entry);
    }
    sift_up(agenda, entry);
    sift_down(agenda, entry);
}

struct agenda_entry *agenda_first(const struct agenda *agenda)
{
    return agenda->count > 0 ? agenda->entries[0] : NULL;
}
