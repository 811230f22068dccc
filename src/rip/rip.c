/* SPDX-License-Identifier: MIT */

/* RIP, as the Brown course defines it (RFC 2453 with a smaller message and fewer timers).
 *
 * Problem: tell the neighbouring routers which networks we reach and at what cost, learn theirs,
 * and notice failures, without counting to infinity for long.
 *
 * Idea: routes lie in one array sorted by (address, mask), so that every message and every change
 * comes out in the same order on every machine. Each change of what we would announce gives the
 * route the next number of a serial; each neighbour remembers up to which serial it has been told.
 * A triggered update for a neighbour is then "the routes newer than that", a full update is all of
 * them, and a change that comes while messages are being taken can neither be lost nor disturb the
 * scan: the scan remembers the key it goes on from, not an index. Changes of one call, and of
 * several before the caller takes the messages, thus coalesce by themselves.
 *
 * A route is local (a connected network: cost 0, or 16 while its interface is down; it never
 * expires and nothing learned replaces it) or learned (via one neighbour, expires exactly
 * route_timeout after its last refresh). A learned route that is lost gets cost 16 and stays until
 * every neighbour was told so and the caller has taken the change for its forwarding table; then it
 * is removed. There is no garbage timer: neighbours that miss the message use their own timeout.
 *
 * Split horizon with poisoned reverse is applied where an entry is written for a neighbour, in
 * every kind of update (RFC 2453 3.4.3, 3.10.1). A neighbour inside a connected network that is
 * down is told nothing until the network is up; then it is asked and told everything.
 *
 * Invariants: keys are strictly ascending; costs are 0..16; a learned route's neighbour exists;
 * `expiry` is the earliest expiry of all learned routes; the counts of dirty and dead routes are
 * those of the array.
 *
 * Limits: 4096 routes (more are not learned; 60 KiB of messages a neighbour), 256 neighbours. The
 * work of one message is 64 binary searches and one pass over the array. */

#include <rip/rip.h>

#include <assert.h>
#include <string.h>
#include <weir/error.h>

#define ROUTES_MAX 4096u
#define NEIGHBOURS_MAX 256u
#define FIRST_ROUTES 16u
#define FIRST_NEIGHBOURS 4u
#define LOCAL (-1)
#define IP4_BITS 96u /* of a v4-mapped prefix come before the IPv4 ones */

#define DEFAULT_INTERVAL (5 * WEIR_SECOND)
#define DEFAULT_TIMEOUT (12 * WEIR_SECOND)

struct route {
    uint64_t key; /* address and mask: see key_of */
    uint64_t serial;
    weir_time expires; /* WEIR_NEVER: local, or dead */
    uint32_t cost;
    int16_t via;   /* index of the neighbour, or LOCAL */
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

/* ---- Routes ---------------------------------------------------------------------------------- */

static uint64_t key_of(uint32_t address, uint32_t mask)
{
    return ((uint64_t)address << 32) | mask;
}

static uint32_t key_address(uint64_t key)
{
    return (uint32_t)(key >> 32);
}

static uint32_t key_mask(uint64_t key)
{
    return (uint32_t)key;
}

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

static bool is_dead(const struct route *route)
{
    return route->via != LOCAL && route->cost >= RIP_INFINITY;
}

/* Index of the first route whose key is at least `key`. */
static uint32_t lower_bound(const struct rip *rip, uint64_t key)
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

static struct route *find_route(const struct rip *rip, uint64_t key)
{
    uint32_t at = lower_bound(rip, key);

    if (at < rip->route_count && rip->routes[at].key == key)
        return &rip->routes[at];
    return NULL;
}

/* Makes room for one more element. */
static bool grow(struct alloc *alloc, void **array, uint32_t *room, size_t size, uint32_t first)
{
    uint32_t more = *room == 0 ? first : *room * 2;
    void *moved = alloc_resize(alloc, *array, *room * size, more * size);

    if (moved == NULL)
        return false;
    *array = moved;
    *room = more;
    return true;
}

/* Inserts a blank; the caller fills it with set_route. */
static struct route *insert_route(struct rip *rip, uint64_t key)
{
    uint32_t at = lower_bound(rip, key);
    struct route *route;
    void *array = rip->routes;

    if (rip->route_count == ROUTES_MAX)
        return NULL;
    if (rip->route_count == rip->route_room) {
        if (!grow(rip->alloc, &array, &rip->route_room, sizeof(*route), FIRST_ROUTES))
            return NULL;
        rip->routes = array;
    }
    route = &rip->routes[at];
    memmove(route + 1, route, (rip->route_count - at) * sizeof(*route));
    rip->route_count++;
    *route = (struct route){.key = key, .cost = RIP_INFINITY, .via = LOCAL, .expires = WEIR_NEVER};
    return route;
}

/* The one place where a route changes: counts, serial and flags follow. */
static void set_route(struct rip *rip, struct route *route, int via, uint32_t cost, weir_time now)
{
    bool concerns_forwarding = route->via != LOCAL || via != LOCAL;

    rip->dead_count -= is_dead(route);
    route->via = (int16_t)via;
    route->cost = cost;
    route->serial = ++rip->serial;
    rip->dead_count += is_dead(route);
    if (concerns_forwarding && !route->is_dirty) {
        route->is_dirty = true;
        rip->dirty_count++;
    }
    if (via == LOCAL || is_dead(route))
        route->expires = WEIR_NEVER;
    else
        route->expires = now + rip->config.route_timeout;
    rip->touched = now;
}

static void kill_route(struct rip *rip, struct route *route, weir_time now)
{
    set_route(rip, route, route->via, RIP_INFINITY, now);
}

static void find_expiry(struct rip *rip)
{
    rip->expiry = WEIR_NEVER;
    for (uint32_t i = 0; i < rip->route_count; i++)
        if (rip->routes[i].expires < rip->expiry)
            rip->expiry = rip->routes[i].expires;
}

static void expire_routes(struct rip *rip, weir_time now)
{
    if (now < rip->expiry)
        return;
    for (uint32_t i = 0; i < rip->route_count; i++)
        if (rip->routes[i].expires <= now)
            kill_route(rip, &rip->routes[i], now);
    find_expiry(rip);
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

/* Removes dead routes that nobody needs to hear of any more. */
static void collect(struct rip *rip)
{
    uint64_t told;
    uint32_t kept = 0;

    if (rip->dead_count == 0)
        return;
    told = told_to_all(rip);
    for (uint32_t i = 0; i < rip->route_count; i++) {
        const struct route *route = &rip->routes[i];

        if (is_dead(route) && !route->is_dirty && route->serial <= told)
            rip->dead_count--;
        else
            rip->routes[kept++] = *route;
    }
    rip->route_count = kept;
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
    return weir_addr_is4(addr) && (weir_addr_to4(addr) & key_mask(key)) == key_address(key);
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
        if (!grow(rip->alloc, &array, &rip->neighbour_room, sizeof(*neighbour), FIRST_NEIGHBOURS))
            return WEIR_ENOMEM;
        rip->neighbours = array;
    }
    neighbour = &rip->neighbours[rip->neighbour_count++];
    *neighbour = (struct neighbour){.addr = *addr};
    for (uint32_t i = 0; i < rip->route_count; i++) {
        const struct route *route = &rip->routes[i];

        if (route->via == LOCAL && route->cost >= RIP_INFINITY && is_inside(route->key, addr))
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

        if (route->via == via && !is_dead(route))
            kill_route(rip, route, now);
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
    uint64_t key = key_of(weir_addr_to4(&prefix->addr) & mask, mask);
    uint32_t cost = up ? 0 : RIP_INFINITY;
    struct route *route = find_route(rip, key);

    assert(prefix->bits >= IP4_BITS);
    if (route == NULL)
        route = insert_route(rip, key);
    if (route == NULL)
        return WEIR_ENOMEM;
    if (route->via != LOCAL || route->cost != cost)
        set_route(rip, route, LOCAL, cost, now);
    set_neighbours_up(rip, key, up, now);
    find_expiry(rip);
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
    uint64_t key = key_of(entry->address & entry->mask, entry->mask);
    uint32_t cost = entry->cost + 1 < RIP_INFINITY ? entry->cost + 1 : RIP_INFINITY;
    struct route *route = find_route(rip, key);

    if (route == NULL) {
        route = cost < RIP_INFINITY ? insert_route(rip, key) : NULL;
        if (route != NULL)
            set_route(rip, route, via, cost, now);
        return;
    }
    if (route->via == LOCAL)
        return;
    if (cost < route->cost || (route->via == via && cost != route->cost))
        set_route(rip, route, via, cost, now);
    else if (route->via == via && !is_dead(route))
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
    expire_routes(rip, now);
    if (message.command == RIP_REQUEST) {
        rip->neighbours[via].is_full_due = true;
        rip->touched = now;
        return RIP_OK;
    }
    for (uint32_t i = 0; i < message.count; i++)
        if (is_entry_sound(&message.entries[i]))
            take_entry(rip, via, &message.entries[i], now);
    find_expiry(rip);
    return RIP_OK;
}

/* ---- Time ------------------------------------------------------------------------------------- */

void rip_expire(struct rip *rip, weir_time now)
{
    expire_routes(rip, now);
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
    uint32_t at = lower_bound(rip, neighbour->from);

    for (; at < rip->route_count && message->count < RIP_ENTRIES_MAX; at++) {
        const struct route *route = &rip->routes[at];

        if (!neighbour->is_scan_full && route->serial <= neighbour->told)
            continue;
        message->entries[message->count++] = (struct rip_entry){
            .cost = route->via == index ? RIP_INFINITY : route->cost,
            .address = key_address(route->key),
            .mask = key_mask(route->key),
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
    collect(rip);
    return 0;
}

bool rip_next_change(struct rip *rip, struct rip_change *change)
{
    uint32_t at = 0;
    struct route *route;

    if (rip->dirty_count == 0) {
        collect(rip);
        return false;
    }
    while (!rip->routes[at].is_dirty)
        at++;
    route = &rip->routes[at];
    route->is_dirty = false;
    rip->dirty_count--;
    change->prefix = weir_prefix_from4(key_address(route->key), mask_bits(key_mask(route->key)));
    change->cost = route->via == LOCAL ? RIP_INFINITY : route->cost;
    change->next_hop = route->via == LOCAL ? weir_addr_any4() : rip->neighbours[route->via].addr;
    return true;
}
