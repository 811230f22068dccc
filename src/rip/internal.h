/* SPDX-License-Identifier: MIT */
#ifndef RIP_INTERNAL_H
#define RIP_INTERNAL_H

/* What the files of src/rip know of each other, and nobody else does. */

#include <rip/rip.h>

#define RIP_LOCAL (-1) /* a route of our own */

struct route {
    uint64_t key; /* address and mask: see rip_key */
    uint64_t serial;
    weir_time expires; /* WEIR_NEVER: local, or dead */
    uint32_t cost;
    int16_t via;   /* index of the neighbour, or RIP_LOCAL */
    bool is_dirty; /* the forwarding table has not been told */
};

struct neighbour {
    struct weir_addr addr;
    uint64_t told;   /* knows all changes up to this serial */
    uint64_t target; /* will know these once the present scan is over */
    uint64_t from;   /* first key that the scan has not looked at */
    bool is_scanning, is_scan_full;
    bool is_full_due, is_request_due;
    bool is_down;
};

struct rip {
    struct alloc *alloc;
    struct rip_config config;
    struct route *routes;
    struct neighbour *neighbours;
    uint32_t route_count, route_room;
    uint32_t neighbour_count, neighbour_room;
    uint32_t dirty_count; /* routes with is_dirty */
    uint32_t dead_count;  /* learned routes with cost 16 */
    uint64_t serial;
    weir_time expiry;      /* earliest, or WEIR_NEVER */
    weir_time next_update; /* periodic, or WEIR_NEVER */
    weir_time touched;     /* when something was last due at once */
};

/* ---- routes.c --------------------------------------------------------------------------------- */

static inline uint64_t rip_key(uint32_t address, uint32_t mask)
{
    return ((uint64_t)address << 32) | mask;
}

static inline uint32_t rip_key_address(uint64_t key)
{
    return (uint32_t)(key >> 32);
}

static inline uint32_t rip_key_mask(uint64_t key)
{
    return (uint32_t)key;
}

/* Learned, and lost. */
static inline bool rip_is_dead(const struct route *route)
{
    return route->via != RIP_LOCAL && route->cost >= RIP_INFINITY;
}

/* Makes room for one more element of an array, `first` at the beginning. */
bool rip_grow(struct alloc *alloc, void **array, uint32_t *room, size_t size, uint32_t first);

/* Index of the first route whose key is at least `key`. */
uint32_t rip_lower_bound(const struct rip *rip, uint64_t key);

/* The route with this key, or NULL. */
struct route *rip_find(const struct rip *rip, uint64_t key);

/* Inserts a blank, which the caller fills with rip_set. NULL: the table is full, or no memory. */
struct route *rip_insert(struct rip *rip, uint64_t key);

/* The one place where a route changes: counts, serial and flags follow. */
void rip_set(struct rip *rip, struct route *route, int via, uint32_t cost, weir_time now);
void rip_kill(struct rip *rip, struct route *route, weir_time now);

/* After routes have been refreshed or changed: when the first of them expires. */
void rip_find_expiry(struct rip *rip);

/* Kills what has expired. */
void rip_expire_routes(struct rip *rip, weir_time now);

/* Removes dead routes that nobody needs to hear of any more. */
void rip_collect(struct rip *rip);

#endif
