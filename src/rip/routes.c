/* SPDX-License-Identifier: MIT */

/* RIP's table: what is reached through whom, at what cost, and who has not heard of it yet.
 *
 * Routes lie in one array sorted by (address, mask), so that every message and every change comes out
 * in the same order on every machine. Each change of what we would announce gives the route the next
 * number of a serial; who has been told up to which serial stands in the neighbours (rip.c).
 *
 * A learned route that is lost gets cost 16 and stays until every neighbour was told so and the caller
 * has taken the change for its forwarding table; then it is removed. There is no garbage timer:
 * neighbours that miss the message use their own timeout.
 *
 * Invariants: keys are strictly ascending; costs are 0..16; `expiry` is the earliest expiry of all
 * learned routes; the counts of dirty and dead routes are those of the array.
 *
 * Limits: 4096 routes (more are not learned; 60 KiB of messages a neighbour). Finding one is a binary
 * search, adding one moves those behind it. */

#include <rip/internal.h>

#include <string.h>

#define ROUTES_MAX 4096u
#define FIRST_ROUTES 16u

bool rip_grow(struct alloc *alloc, void **array, uint32_t *room, size_t size, uint32_t first)
{
    uint32_t more = *room == 0 ? first : *room * 2;
    void *moved = alloc_resize(alloc, *array, *room * size, more * size);

    if (moved == NULL)
        return false;
    *array = moved;
    *room = more;
    return true;
}

uint32_t rip_lower_bound(const struct rip *rip, uint64_t key)
{
    uint32_t low = 0, high = rip->route_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (rip->routes[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct route *rip_find(const struct rip *rip, uint64_t key)
{
    uint32_t at = rip_lower_bound(rip, key);

    if (at < rip->route_count && rip->routes[at].key == key)
        return &rip->routes[at];
    return NULL;
}

struct route *rip_insert(struct rip *rip, uint64_t key)
{
    uint32_t at = rip_lower_bound(rip, key);
    struct route *route;
    void *array = rip->routes;

    if (rip->route_count == ROUTES_MAX)
        return NULL;
    if (rip->route_count == rip->route_room) {
        if (!rip_grow(rip->alloc, &array, &rip->route_room, sizeof(*route), FIRST_ROUTES))
            return NULL;
        rip->routes = array;
    }
    route = &rip->routes[at];
    memmove(route + 1, route, (rip->route_count - at) * sizeof(*route));
    rip->route_count++;
    *route =
        (struct route){.key = key, .cost = RIP_INFINITY, .via = RIP_LOCAL, .expires = WEIR_NEVER};
    return route;
}

void rip_set(struct rip *rip, struct route *route, int via, uint32_t cost, weir_time now)
{
    bool concerns_forwarding = route->via != RIP_LOCAL || via != RIP_LOCAL;

    rip->dead_count -= rip_is_dead(route);
    route->via = (int16_t)via;
    route->cost = cost;
    route->serial = ++rip->serial;
    rip->dead_count += rip_is_dead(route);
    if (concerns_forwarding && !route->is_dirty) {
        route->is_dirty = true;
        rip->dirty_count++;
    }
    if (via == RIP_LOCAL || rip_is_dead(route))
        route->expires = WEIR_NEVER;
    else
        route->expires = now + rip->config.route_timeout;
    rip->touched = now;
}

void rip_kill(struct rip *rip, struct route *route, weir_time now)
{
    rip_set(rip, route, route->via, RIP_INFINITY, now);
}

void rip_find_expiry(struct rip *rip)
{
    rip->expiry = WEIR_NEVER;
    for (uint32_t i = 0; i < rip->route_count; i++)
        if (rip->routes[i].expires < rip->expiry)
            rip->expiry = rip->routes[i].expires;
}

void rip_expire_routes(struct rip *rip, weir_time now)
{
    if (now < rip->expiry)
        return;
    for (uint32_t i = 0; i < rip->route_count; i++)
        if (rip->routes[i].expires <= now)
            rip_kill(rip, &rip->routes[i], now);
    rip_find_expiry(rip);
}

/* Up to which serial every neighbour that can be reached has been told. */
static uint64_t told_to_all(const struct rip *rip)
{
    uint64_t told = rip->serial;

    for (uint32_t i = 0; i < rip->neighbour_count; i++) {
        const struct neighbour *neighbour = &rip->neighbours[i];

        if (!neighbour->is_down && neighbour->told < told)
            told = neighbour->told;
    }
    return told;
}

void rip_collect(struct rip *rip)
{
    uint64_t told;
    uint32_t kept = 0;

    if (rip->dead_count == 0)
        return;
    told = told_to_all(rip);
    for (uint32_t i = 0; i < rip->route_count; i++) {
        const struct route *route = &rip->routes[i];

        if (rip_is_dead(route) && !route->is_dirty && route->serial <= told)
            rip->dead_count--;
        else
            rip->routes[kept++] = *route;
    }
    rip->route_count = kept;
}
