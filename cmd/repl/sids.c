/* SPDX-License-Identifier: MIT */

/* The SID table.
 *
 * SIDs are given out in rising order and never again, so the array of entries is sorted by being
 * appended to; look-up is a binary search and removal closes the gap. Entries are allocated one by
 * one: events, transfers and blocked commands hold pointers across additions. A SID also is the
 * event tag of its socket, which makes late events of a removed entry harmless: they are not found.
 *
 * Limits: 2^31 SIDs in the life of a process; the stack refuses sockets long before.
 */

#include <cmd/repl/sids.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct sid *sids_add(struct sids *sids, int socket, enum sid_kind kind)
{
    struct sid *entry;

    if (sids->next == INT_MAX)
        return NULL;
    if (sids->count == sids->room) {
        size_t room = sids->room ? 2 * sids->room : 16;
        struct sid **bigger = realloc(sids->entries, room * sizeof(struct sid *));

        if (!bigger)
            return NULL;
        sids->entries = bigger;
        sids->room = room;
    }
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->sid = sids->next++;
    entry->socket = socket;
    entry->kind = kind;
    sids->entries[sids->count++] = entry;
    return entry;
}

/* Index of the first entry whose SID is not below `sid`. */
static size_t lower_bound(const struct sids *sids, uint64_t sid)
{
    size_t low = 0, high = sids->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((uint64_t)sids->entries[middle]->sid < sid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sid *sids_find(const struct sids *sids, uint64_t sid)
{
    size_t at = lower_bound(sids, sid);

    return at < sids->count && (uint64_t)sids->entries[at]->sid == sid ? sids->entries[at] : NULL;
}

void sids_remove(struct sids *sids, struct sid *entry)
{
    size_t at = lower_bound(sids, (uint64_t)entry->sid);

    memmove(&sids->entries[at], &sids->entries[at + 1],
            (sids->count - at - 1) * sizeof(struct sid *));
    sids->count--;
    free(entry);
}

void sids_done(struct sids *sids)
{
    size_t i;

    for (i = 0; i < sids->count; i++)
        free(sids->entries[i]);
    free(sids->entries);
    memset(sids, 0, sizeof *sids);
}
