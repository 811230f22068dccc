/* SPDX-License-Identifier: MIT */

/* RIP, as the Brown course defines it (RFC 2453 with a smaller message and fewer timers).
 *
 * Problem: tell the neighbouring routers which networks we reach and at what cost, learn theirs,
 * and notice failures, without counting to infinity for long.
 *
 * Idea: each change of a route has a serial number (routes.c); each neighbour remembers up to which
 * serial it has been told. A triggered update for a neighbour is then "the routes newer than that", a
 * full update is all of them, and a change that comes while messages are being taken can neither be
 * lost nor disturb the scan: the scan remembers the key it goes on from, not an index. Changes of one
 * call, and of several before the caller takes the messages, thus coalesce by themselves.
 *
 * A route is local (a connected network: cost 0, or 16 while its interface is down; it never
 * expires and nothing learned replaces it) or learned (via one neighbour, expires exactly
 * route_timeout after its last refresh).
 *
 * Split horizon with poisoned reverse is applied where an entry is written for a neighbour, in
 * every kind of update (RFC 2453 3.4.3, 3.10.1). A neighbour inside a connected network that is
 * down is told nothing until the network is up; then it is asked and told everything.
 *
 * Invariant: a learned route's neighbour exists.
 *
 * Limits: 256 neighbours. The work of one message is 64 binary searches and one pass over the table. */

#include <rip/internal.h>

#include <assert.h>
#include <string.h>
#include <weir/error.h>

#define NEIGHBOURS_MAX 256u
#define FIRST_NEIGHBOURS 4u
#define IP4_BITS 96u /* of a v4-mapped prefix come before the IPv4 ones */

#define DEFAULT_INTERVAL (5 * WEIR_SECOND)
#define DEFAULT_TIMEOUT (12 * WEIR_SECOND)

static unsigned mask_bits(uint32_t mask)
{
    unsigned bits = 0;

    while (mask & 0x80000000u) {
        bits++;
        mask <<= 1;
    }
    return bits;
}

static uint32_t mask_of(unsigned bits4)
{
    return bits4 == 0 ? 0 : ~(uint32_t)0 << (32 - bits4);
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct rip *rip_create(struct alloc *alloc, const struct rip_config *config)
{
    struct rip *rip = alloc_get_zeroed(alloc, sizeof(*rip));

    if (rip == NULL)
        return NULL;
    rip->alloc = alloc;
    rip->config = *config;
    if (rip->config.update_interval <= 0)
        rip->config.update_interval = DEFAULT_INTERVAL;
    if (rip->config.route_timeout <= 0)
        rip->config.route_timeout = DEFAULT_TIMEOUT;
    rip->expiry = WEIR_NEVER;
    rip->next_update = WEIR_NEVER;
    return rip;
}

void rip_destroy(struct rip *rip)
{
    if (rip == NULL)
        return;
    alloc_put(rip->alloc, rip->routes, rip->route_room * sizeof(*rip->routes));
    alloc_put(rip->alloc, rip->neighbours, rip->neighbour_room * sizeof(*rip->neighbours));
    alloc_put(rip->alloc, rip, sizeof(*rip));
}

/* ---- Neighbours and connected networks -------------------------------------------------------- */

static int find_neighbour(const struct rip *rip, const struct weir_addr *addr)
{
    for (uint32_t i = 0; i < rip->neighbour_count; i++)
        if (weir_addr_equal(&rip->neighbours[i].addr, addr))
            return (int)i;
    return -1;
}

static bool is_inside(uint64_t key, const struct weir_addr *addr)
{
    return weir_addr_is4(addr) && (weir_addr_to4(addr) & rip_key_mask(key)) == rip_key_address(key);
}

/* The neighbour can be reached again: everything starts afresh with it. */
static void greet(struct rip *rip, struct neighbour *neighbour, weir_time now)
{
    neighbour->is_request_due = true;
    neighbour->is_full_due = true;
    neighbour->is_scanning = false;
    rip->touched = now;
}

int rip_add_neighbour(struct rip *rip, const struct weir_addr *addr, weir_time now)
{
    struct neighbour *neighbour;
    void *array = rip->neighbours;

    if (find_neighbour(rip, addr) >= 0)
        return WEIR_EEXIST;
    if (rip->neighbour_count == NEIGHBOURS_MAX)
        return WEIR_ENOMEM;
    if (rip->neighbour_count == rip->neighbour_room) {
        if (!rip_grow(rip->alloc, &array, &rip->neighbour_room, sizeof(*neighbour),
                      FIRST_NEIGHBOURS))
            return WEIR_ENOMEM;
        rip->neighbours = array;
    }
    neighbour = &rip->neighbours[rip->neighbour_count++];
    *neighbour = (struct neighbour){.addr = *addr};
    for (uint32_t i = 0; i < rip->route_count; i++) {
        const struct route *route = &rip->routes[i];

        if (route->via == RIP_LOCAL && route->cost >= RIP_INFINITY && is_inside(route->key, addr))
            neighbour->is_down = true;
    }
    greet(rip, neighbour, now);
    if (rip->next_update == WEIR_NEVER)
        rip->next_update = now + rip->config.update_interval;
    return 0;
}

/* Gives up what was learned from a neighbour. */
static void forsake(struct rip *rip, int via, weir_time now)
{
    for (uint32_t i = 0; i < rip->route_count; i++) {
        struct route *route = &rip->routes[i];

        if (route->via == via && !rip_is_dead(route))
            rip_kill(rip, route, now);
    }
}

static void set_neighbours_up(struct rip *rip, uint64_t key, bool up, weir_time now)
{
    for (uint32_t i = 0; i < rip->neighbour_count; i++) {
        struct neighbour *neighbour = &rip->neighbours[i];

        if (!is_inside(key, &neighbour->addr) || neighbour->is_down == !up)
            continue;
        neighbour->is_down = !up;
        if (up)
            greet(rip, neighbour, now);
        else
            forsake(rip, (int)i, now);
    }
}

int rip_set_local(struct rip *rip, const struct weir_prefix *prefix, bool up, weir_time now)
{
    uint32_t mask = mask_of(prefix->bits - IP4_BITS);
    uint64_t key = rip_key(weir_addr_to4(&prefix->addr) & mask, mask);
    uint32_t cost = up ? 0 : RIP_INFINITY;
    struct route *route = rip_find(rip, key);

    assert(prefix->bits >= IP4_BITS);
    if (route == NULL)
        route = rip_insert(rip, key);
    if (route == NULL)
        return WEIR_ENOMEM;
    if (route->via != RIP_LOCAL || route->cost != cost)
        rip_set(rip, route, RIP_LOCAL, cost, now);
    set_neighbours_up(rip, key, up, now);
    rip_find_expiry(rip);
    return 0;
}

/* ---- Input ------------------------------------------------------------------------------------ */

/* RFC 2453 3.9.2, with 0.0.0.0/0 as the one prefix of network 0. */
static bool is_entry_sound(const struct rip_entry *entry)
{
    uint32_t address = entry->address & entry->mask;
    uint32_t top = address >> 24;

    if (entry->cost > RIP_INFINITY)
        return false;
    if (entry->mask != mask_of(mask_bits(entry->mask)))
        return false;
    if (entry->mask == 0)
        return entry->address == 0;
    return top != 0 && top != 127 && top < 224;
}

static void take_entry(struct rip *rip, int via, const struct rip_entry *entry, weir_time now)
{
    uint64_t key = rip_key(entry->address & entry->mask, entry->mask);
    uint32_t cost = entry->cost + 1 < RIP_INFINITY ? entry->cost + 1 : RIP_INFINITY;
    struct route *route = rip_find(rip, key);

    if (route == NULL) {
        route = cost < RIP_INFINITY ? rip_insert(rip, key) : NULL;
        if (route != NULL)
            rip_set(rip, route, via, cost, now);
        return;
    }
    if (route->via == RIP_LOCAL)
        return;
    if (cost < route->cost || (route->via == via && cost != route->cost))
        rip_set(rip, route, via, cost, now);
    else if (route->via == via && !rip_is_dead(route))
        route->expires = now + rip->config.route_timeout;
}

enum rip_verdict rip_input(struct rip *rip, const struct weir_addr *from, const uint8_t *bytes,
                           size_t length, weir_time now)
{
    int via = find_neighbour(rip, from);
    struct rip_message message;

    if (via < 0)
        return RIP_STRANGER;
    if (rip_parse(bytes, length, &message) != 0)
        return RIP_MALFORMED;
    rip_expire_routes(rip, now);
    if (message.command == RIP_REQUEST) {
        rip->neighbours[via].is_full_due = true;
        rip->touched = now;
        return RIP_OK;
    }
    for (uint32_t i = 0; i < message.count; i++)
        if (is_entry_sound(&message.entries[i]))
            take_entry(rip, via, &message.entries[i], now);
    rip_find_expiry(rip);
    return RIP_OK;
}

/* ---- Time ------------------------------------------------------------------------------------- */

void rip_expire(struct rip *rip, weir_time now)
{
    rip_expire_routes(rip, now);
    if (now < rip->next_update)
        return;
    for (uint32_t i = 0; i < rip->neighbour_count; i++)
        rip->neighbours[i].is_full_due = true;
    rip->next_update += rip->config.update_interval;
    if (rip->next_update <= now)
        rip->next_update = now + rip->config.update_interval;
    rip->touched = now;
}

static bool has_message(const struct rip *rip, const struct neighbour *neighbour)
{
    return !neighbour->is_down && (neighbour->is_request_due || neighbour->is_full_due ||
                                   neighbour->is_scanning || neighbour->told < rip->serial);
}

weir_time rip_deadline(const struct rip *rip)
{
    weir_time deadline = rip->expiry < rip->next_update ? rip->expiry : rip->next_update;

    if (rip->dirty_count > 0 && rip->touched < deadline)
        deadline = rip->touched;
    for (uint32_t i = 0; i < rip->neighbour_count; i++)
        if (has_message(rip, &rip->neighbours[i]) && rip->touched < deadline)
            deadline = rip->touched;
    return deadline;
}

/* ---- Output ----------------------------------------------------------------------------------- */

static void start_scan(const struct rip *rip, struct neighbour *neighbour)
{
    neighbour->is_scanning = true;
    neighbour->is_scan_full = neighbour->is_full_due;
    neighbour->is_full_due = false;
    neighbour->target = rip->serial;
    neighbour->from = 0;
}

/* Goes on with the scan until the message is full or the table is at its end. */
static void scan(const struct rip *rip, int index, struct rip_message *message)
{
    struct neighbour *neighbour = &rip->neighbours[index];
    uint32_t at = rip_lower_bound(rip, neighbour->from);

    for (; at < rip->route_count && message->count < RIP_ENTRIES_MAX; at++) {
        const struct route *route = &rip->routes[at];

        if (!neighbour->is_scan_full && route->serial <= neighbour->told)
            continue;
        message->entries[message->count++] = (struct rip_entry){
            .cost = route->via == index ? RIP_INFINITY : route->cost,
            .address = rip_key_address(route->key),
            .mask = rip_key_mask(route->key),
        };
    }
    if (at < rip->route_count) {
        neighbour->from = rip->routes[at].key;
        return;
    }
    neighbour->is_scanning = false;
    neighbour->told = neighbour->target;
}

/* The next message for one neighbour; false: it knows everything. */
static bool next_for(struct rip *rip, int index, struct rip_message *message)
{
    struct neighbour *neighbour = &rip->neighbours[index];

    message->count = 0;
    if (has_message(rip, neighbour) && neighbour->is_request_due) {
        neighbour->is_request_due = false;
        message->command = RIP_REQUEST;
        return true;
    }
    message->command = RIP_RESPONSE;
    while (message->count == 0 && has_message(rip, neighbour)) {
        if (!neighbour->is_scanning)
            start_scan(rip, neighbour);
        scan(rip, index, message);
    }
    return message->count > 0;
}

size_t rip_next_message(struct rip *rip, struct weir_addr *to, uint8_t *bytes)
{
    struct rip_message message;

    for (uint32_t i = 0; i < rip->neighbour_count; i++) {
        if (next_for(rip, (int)i, &message)) {
            *to = rip->neighbours[i].addr;
            return rip_emit(&message, bytes);
        }
    }
    rip_collect(rip);
    return 0;
}

bool rip_next_change(struct rip *rip, struct rip_change *change)
{
    uint32_t at = 0;
    struct route *route;

    if (rip->dirty_count == 0) {
        rip_collect(rip);
        return false;
    }
    while (!rip->routes[at].is_dirty)
        at++;
    route = &rip->routes[at];
    route->is_dirty = false;
    rip->dirty_count--;
    change->prefix =
        weir_prefix_from4(rip_key_address(route->key), mask_bits(rip_key_mask(route->key)));
    change->cost = route->via == RIP_LOCAL ? RIP_INFINITY : route->cost;
    change->next_hop =
        route->via == RIP_LOCAL ? weir_addr_any4() : rip->neighbours[route->via].addr;
    return true;
}
