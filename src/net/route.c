/* SPDX-License-Identifier: MIT */

/* The routing table: local, static and RIP routes, and the next hop of a destination.
 *
 * Problem: the longest matching prefix, fast, over 128-bit prefixes; a listing in a fixed order;
 * and changes that RIP makes one by one. Idea: each route is one object on two sorted arrays of
 * pointers.
 *
 *   by_row    kind (local, RIP, static), prefix, length           what `lr` shows
 *   by_match  length (longest first), prefix, preference, iface   what look-up walks
 *
 * In by_match all routes of one length are neighbours, sorted by prefix, so a look-up takes each
 * length in turn: a binary search in its run for the destination cut to that length, then the equal
 * prefixes in order of preference: local, static, RIP. Cost: lengths in use x log(routes); a change
 * moves pointers, O(routes). RFC 1812 5.2.4.3 [1812-12], RFC 1122 3.3.1.1 [1122-25] (on-link is
 * what a connected prefix holds, and needs no router).
 *
 * Resolution: a local route gives the interface, and the destination must be a neighbour there. A
 * static or RIP route gives a gateway, which is looked up in the same table again. Routes that end
 * in a down interface are passed over, so that a less good route takes their place
 * (RFC 1122 3.3.1.2 [1122-26], RFC 1812 5.3.12.3 [1812-17]); if nothing is left the answer is
 * "down" rather than "no route". Gateways behind gateways, and loops among them, are bounded by
 * NET_RESOLVE_TRIES route attempts for one destination. */

#include <assert.h>
#include <net/internal.h>
#include <string.h>

/* ---- Order ---------------------------------------------------------------------------------- */

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_prefix(const struct weir_prefix *a, const struct weir_prefix *b)
{
    int order = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));

    return order ? order : compare_numbers(a->addr.scope, b->addr.scope);
}

static uint32_t row_rank(enum weir_route_kind kind)
{
    static const uint8_t rank[] = {
        [WEIR_ROUTE_LOCAL] = 0, [WEIR_ROUTE_RIP] = 1, [WEIR_ROUTE_STATIC] = 2};

    return rank[kind];
}

static int compare_rows(const struct net_route *a, const struct net_route *b)
{
    int order = compare_numbers(row_rank(a->row.kind), row_rank(b->row.kind));

    if (!order)
        order = compare_prefix(&a->row.prefix, &b->row.prefix);
    if (!order)
        order = compare_numbers(a->row.prefix.bits, b->row.prefix.bits);
    return order ? order : compare_numbers((uint32_t)a->row.iface, (uint32_t)b->row.iface);
}

/* The kinds are numbered in order of preference. */
static int compare_match(const struct net_route *a, const struct net_route *b)
{
    int order = compare_numbers(b->row.prefix.bits, a->row.prefix.bits);

    if (!order)
        order = compare_prefix(&a->row.prefix, &b->row.prefix);
    if (!order)
        order = compare_numbers(a->row.kind, b->row.kind);
    return order ? order : compare_numbers((uint32_t)a->row.iface, (uint32_t)b->row.iface);
}

typedef int compare_fn(const struct net_route *a, const struct net_route *b);

/* The first position whose route is not before `route`. */
static size_t lower_bound(struct net_route *const *array, size_t count,
                          const struct net_route *route, compare_fn *compare)
{
    size_t low = 0;

    while (count > 0) {
        size_t half = count / 2;

        if (compare(array[low + half], route) < 0) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

/* ---- Change --------------------------------------------------------------------------------- */

static void array_insert(struct net_route **array, size_t count, struct net_route *route,
                         compare_fn *compare)
{
    size_t at = lower_bound(array, count, route, compare);

    memmove(array + at + 1, array + at, (count - at) * sizeof(*array));
    array[at] = route;
}

static void array_remove(struct net_route **array, size_t count, const struct net_route *route,
                         compare_fn *compare)
{
    size_t at = lower_bound(array, count, route, compare);

    assert(at < count && array[at] == route);
    memmove(array + at, array + at + 1, (count - at - 1) * sizeof(*array));
}

static bool grow_arrays(struct net *net)
{
    struct net_routes *routes = &net->routes;
    size_t room = routes->room > 0 ? routes->room * 2 : NET_TABLE_FIRST;
    size_t bytes = room * sizeof(*routes->by_row), old = routes->room * sizeof(*routes->by_row);
    struct net_route **by_row = alloc_get(net->alloc, bytes);
    struct net_route **by_match = alloc_get(net->alloc, bytes);

    if (!by_row || !by_match) {
        alloc_put(net->alloc, by_row, bytes);
        alloc_put(net->alloc, by_match, bytes);
        return false;
    }
    if (old > 0) {
        memcpy(by_row, routes->by_row, old);
        memcpy(by_match, routes->by_match, old);
    }
    alloc_put(net->alloc, routes->by_row, old);
    alloc_put(net->alloc, routes->by_match, old);
    routes->by_row = by_row;
    routes->by_match = by_match;
    routes->room = room;
    return true;
}

/* The route with the key (kind, prefix, iface) of `like`, or NULL. */
static struct net_route *find_route(const struct net_routes *routes, const struct net_route *like)
{
    size_t at = lower_bound(routes->by_row, routes->count, like, compare_rows);

    if (at == routes->count || compare_rows(routes->by_row[at], like) != 0)
        return NULL;
    return routes->by_row[at];
}

/* Adds *row, or changes the route of the same key. */
static int set_route(struct net *net, const struct weir_route_row *row)
{
    struct net_routes *routes = &net->routes;
    struct net_route like = {.row = *row};
    struct net_route *route = find_route(routes, &like);

    if (!route) {
        if (routes->count == routes->room && !grow_arrays(net))
            return WEIR_ENOMEM;
        route = alloc_get(net->alloc, sizeof(*route));
        if (!route)
            return WEIR_ENOMEM;
        *route = like;
        array_insert(routes->by_row, routes->count, route, compare_rows);
        array_insert(routes->by_match, routes->count, route, compare_match);
        routes->count++;
    }
    route->row = *row;
    net_changed(net);
    return 0;
}

/* The prefix with its host bits cleared: equal networks must compare equal. */
static struct weir_prefix clean_prefix(const struct weir_prefix *prefix)
{
    return weir_prefix_from4(weir_addr_to4(&prefix->addr), prefix->bits - 96u);
}

static bool is_fit_route(const struct weir_prefix *prefix, const struct weir_addr *next_hop)
{
    return weir_addr_is4(&prefix->addr) && prefix->bits >= 96 && prefix->bits <= 128 &&
           weir_addr_is4(next_hop) && net_is_wire4(weir_addr_to4(next_hop));
}

static int set_gateway_route(struct net *net, const struct weir_route_row *row)
{
    struct weir_route_row clean = *row;

    if (!is_fit_route(&row->prefix, &row->next_hop))
        return WEIR_EINVAL;
    clean.prefix = clean_prefix(&row->prefix);
    clean.iface = -1;
    return set_route(net, &clean);
}

int net_add_static_route(struct net *net, const struct weir_prefix *prefix,
                         const struct weir_addr *next_hop)
{
    struct weir_route_row row = {
        .kind = WEIR_ROUTE_STATIC, .prefix = *prefix, .next_hop = *next_hop};

    return set_gateway_route(net, &row);
}

int net_set_rip_route(struct net *net, const struct weir_prefix *prefix,
                      const struct weir_addr *next_hop, uint32_t cost)
{
    struct weir_route_row row = {
        .kind = WEIR_ROUTE_RIP, .prefix = *prefix, .next_hop = *next_hop, .cost = cost};

    return set_gateway_route(net, &row);
}

int net_routes_add_local(struct net *net, int iface)
{
    struct weir_route_row row = {.kind = WEIR_ROUTE_LOCAL,
                                 .prefix = net->ifaces[iface].prefix,
                                 .next_hop = weir_addr_any4(),
                                 .iface = iface};

    return set_route(net, &row);
}

void net_remove_rip_route(struct net *net, const struct weir_prefix *prefix)
{
    struct net_routes *routes = &net->routes;
    struct net_route like = {.row = {.kind = WEIR_ROUTE_RIP, .iface = -1}};
    struct net_route *route;

    if (!weir_addr_is4(&prefix->addr) || prefix->bits < 96 || prefix->bits > 128)
        return;
    like.row.prefix = clean_prefix(prefix);
    route = find_route(routes, &like);
    if (!route)
        return;
    array_remove(routes->by_row, routes->count, route, compare_rows);
    array_remove(routes->by_match, routes->count, route, compare_match);
    routes->count--;
    alloc_put(net->alloc, route, sizeof(*route));
    net_changed(net);
}

void net_routes_done(struct net *net)
{
    struct net_routes *routes = &net->routes;

    for (size_t i = 0; i < routes->count; i++)
        alloc_put(net->alloc, routes->by_row[i], sizeof(*routes->by_row[i]));
    alloc_put(net->alloc, routes->by_row, routes->room * sizeof(*routes->by_row));
    alloc_put(net->alloc, routes->by_match, routes->room * sizeof(*routes->by_match));
}

int net_route_row(const struct net *net, size_t index, struct weir_route_row *row)
{
    if (index >= net->routes.count)
        return WEIR_ENOENT;
    *row = net->routes.by_row[index]->row;
    return 0;
}

/* ---- Look-up -------------------------------------------------------------------------------- */

struct resolution {
    unsigned tries;
    bool met_down;
};

static int resolve(const struct net *net, const struct weir_addr *dst, struct net_hop *hop,
                   struct resolution *state);

static int take_local(const struct net *net, const struct weir_route_row *row,
                      const struct weir_addr *dst, struct net_hop *hop, struct resolution *state)
{
    if (!net->ifaces[row->iface].up) {
        state->met_down = true;
        return WEIR_ENETUNREACH;
    }
    hop->iface = (int16_t)row->iface;
    return net_neighbour_tag(net, row->iface, dst, &hop->tag);
}

/* 0, EHOSTUNREACH: the answer; ENETUNREACH: this route leads nowhere, try the next. */
static int take_route(const struct net *net, const struct weir_route_row *row,
                      const struct weir_addr *dst, struct net_hop *hop, struct resolution *state)
{
    if (state->tries >= NET_RESOLVE_TRIES)
        return WEIR_ENETUNREACH;
    state->tries++;
    if (row->kind == WEIR_ROUTE_LOCAL)
        return take_local(net, row, dst, hop, state);
    return resolve(net, &row->next_hop, hop, state);
}

/* The end of the run of routes of one length that begins at `from`. */
static size_t run_end(const struct net_routes *routes, size_t from)
{
    uint8_t bits = routes->by_match[from]->row.prefix.bits;
    size_t low = from + 1, high = routes->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (routes->by_match[middle]->row.prefix.bits == bits)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The first route of the run that is not before the destination cut to the run's length. */
static size_t run_search(const struct net_routes *routes, size_t from, size_t to,
                         const struct weir_addr *dst)
{
    uint8_t bits = routes->by_match[from]->row.prefix.bits;
    struct net_route like = {.row = {.kind = WEIR_ROUTE_LOCAL}};

    like.row.prefix = weir_prefix_from4(weir_addr_to4(dst), bits - 96u);
    return from + lower_bound(routes->by_match + from, to - from, &like, compare_match);
}

static int resolve(const struct net *net, const struct weir_addr *dst, struct net_hop *hop,
                   struct resolution *state)
{
    const struct net_routes *routes = &net->routes;
    size_t from = 0;

    while (from < routes->count) {
        size_t end = run_end(routes, from);
        size_t at = run_search(routes, from, end, dst);

        for (; at < end; at++) {
            const struct weir_route_row *row = &routes->by_match[at]->row;
            int error;

            if (!weir_prefix_contains(&row->prefix, dst))
                break;
            error = take_route(net, row, dst, hop, state);
            if (error != WEIR_ENETUNREACH)
                return error;
        }
        from = end;
    }
    return WEIR_ENETUNREACH;
}

int net_routes_resolve(const struct net *net, const struct weir_addr *dst, struct net_hop *hop)
{
    struct resolution state = {0};
    int error = resolve(net, dst, hop, &state);

    return error == WEIR_ENETUNREACH && state.met_down ? WEIR_ENETDOWN : error;
}
