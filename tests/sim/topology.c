/* SPDX-License-Identifier: MIT */

/* Random networks: 2 to 4 hosts and 0 to 4 routers.
 *
 * Without routers all hosts share one network. Else the routers form a tree of links, with one more
 * link (a loop) in some worlds, and each host hangs on a random router, on a link of its own or on
 * one shared with the host before. Network k is 10.k.0.0/24. Routers use RIP or static routes along
 * shortest paths; hosts have a default route. */

#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static int add_node(struct world *w, bool is_router)
{
    struct weir_stack_config config;
    int node;

    weir_stack_config_init(&config);
    config.tcp = w->tcp;
    config.forwarding = is_router;
    config.memory_budget = (size_t)16 << 20;
    node = weir_sim_add_node(w->sim, &config);
    assert(node == w->node_count);
    w->node_count++;
    return node;
}

static struct network *add_network(struct world *w, unsigned ports)
{
    struct network *network = &w->networks[w->network_count];

    assert(w->network_count < NETWORKS_MAX);
    network->number = weir_sim_add_network(w->sim, ports, world_between(w, 0, 3) ? 1500 : 600);
    assert(network->number == w->network_count);
    network->prefix = weir_prefix_from4(0x0a000000u + ((uint32_t)w->network_count << 16), 24);
    w->network_count++;
    return network;
}

static void join(struct world *w, struct network *network, int node)
{
    struct place *place = &network->places[network->place_count];
    struct weir_impair *impair = &network->impair[network->place_count];
    char name[WEIR_IFACE_NAME];

    place->node = node;
    place->addr =
        weir_addr_from4(weir_addr_to4(&network->prefix.addr) + (uint32_t)network->place_count + 1);
    network->place_count++;
    faults_draw(w, impair);
    snprintf(name, sizeof(name), "if%d", network->number);
    place->iface =
        weir_sim_join(w->sim, node, network->number, name, &place->addr, &network->prefix, impair);
    assert(place->iface >= 0);
}

static const struct place *place_of(const struct network *network, int node)
{
    for (int i = 0; i < network->place_count; i++)
        if (network->places[i].node == node)
            return &network->places[i];
    return NULL;
}

static bool is_router(const struct world *w, int node)
{
    for (int i = 0; i < w->router_count; i++)
        if (w->routers[i] == node)
            return true;
    return false;
}

static void add_route(struct world *w, int node, struct weir_prefix prefix, struct weir_addr hop)
{
    int result = weir_stack_add_route(weir_sim_stack(w->sim, node), &prefix, &hop);

    assert(result == 0);
}

/* Distances of all nodes from `target`, over routers. */
static void search(const struct world *w, const struct network *target, int distance[NODES_MAX])
{
    bool has_changed = true;

    for (int i = 0; i < NODES_MAX; i++)
        distance[i] = 1000;
    for (int i = 0; i < target->place_count; i++)
        distance[target->places[i].node] = 0;
    while (has_changed) {
        has_changed = false;
        for (int k = 0; k < w->network_count; k++) {
            const struct network *network = &w->networks[k];

            for (int i = 0; i < network->place_count * network->place_count; i++) {
                int a = network->places[i / network->place_count].node;
                int b = network->places[i % network->place_count].node;

                if (is_router(w, a) && distance[a] + 1 < distance[b]) {
                    distance[b] = distance[a] + 1;
                    has_changed = true;
                }
            }
        }
    }
}

/* The next hop of a router towards a network: the first neighbour router that is nearer. */
static void route_to(struct world *w, int router, const struct network *target)
{
    int distance[NODES_MAX];

    search(w, target, distance);
    if (distance[router] == 0)
        return;
    for (int k = 0; k < w->network_count; k++) {
        const struct network *network = &w->networks[k];

        if (place_of(network, router) == NULL)
            continue;
        for (int i = 0; i < network->place_count; i++) {
            const struct place *other = &network->places[i];

            if (is_router(w, other->node) && distance[other->node] < distance[router]) {
                add_route(w, router, target->prefix, other->addr);
                return;
            }
        }
    }
}

static void start_rip(struct world *w, int router)
{
    struct weir_addr neighbours[NETWORKS_MAX];
    const struct weir_rip_config config = {0};
    size_t count = 0;
    int result;

    for (int k = 0; k < w->network_count; k++) {
        const struct network *network = &w->networks[k];

        for (int i = 0; i < network->place_count; i++) {
            const struct place *other = &network->places[i];

            if (other->node != router && place_of(network, router) && is_router(w, other->node))
                neighbours[count++] = other->addr;
        }
    }
    result = weir_stack_start_rip(weir_sim_stack(w->sim, router), &config, neighbours, count);
    assert(result == 0);
}

static void join_routers(struct world *w)
{
    int extra = w->router_count > 2 ? (int)world_between(w, 0, 1) : 0;

    for (int i = 1; i < w->router_count + extra; i++) {
        int a = i < w->router_count ? i : 0, b = i < w->router_count ? 0 : w->router_count - 1;
        struct network *network = add_network(w, 2);

        if (i < w->router_count)
            b = (int)world_between(w, 0, (uint32_t)i - 1);
        join(w, network, w->routers[a]);
        join(w, network, w->routers[b]);
    }
}

static void attach_host(struct world *w, int index)
{
    struct network *network = w->network_count > 0 ? &w->networks[w->network_count - 1] : NULL;
    bool shares = index > 0 && network != NULL && network->place_count == 2 &&
                  place_of(network, w->hosts[index - 1]) != NULL && w->router_count > 0;
    struct weir_prefix all = weir_prefix_from4(0, 0);
    int router = w->routers[world_between(w, 0, (uint32_t)w->router_count - 1)];

    if (!shares || world_between(w, 0, 1)) {
        network = add_network(w, 3);
        join(w, network, router);
    }
    join(w, network, w->hosts[index]);
    w->host_addr[index] = network->places[network->place_count - 1].addr;
    add_route(w, w->hosts[index], all, network->places[0].addr);
}

static void route(struct world *w)
{
    for (int i = 0; i < w->router_count; i++) {
        if (w->uses_rip)
            start_rip(w, w->routers[i]);
        else
            for (int k = 0; k < w->network_count; k++)
                route_to(w, w->routers[i], &w->networks[k]);
    }
}

void topology_build(struct world *w)
{
    w->host_count = (int)world_between(w, 2, 4);
    w->router_count = (int)world_between(w, 0, 4);
    w->uses_rip = world_between(w, 0, 1) == 1;
    for (int i = 0; i < w->host_count; i++)
        w->hosts[i] = add_node(w, false);
    for (int i = 0; i < w->router_count; i++)
        w->routers[i] = add_node(w, true);
    join_routers(w);
    if (w->router_count == 0) {
        struct network *network = add_network(w, (unsigned)w->host_count);

        for (int i = 0; i < w->host_count; i++) {
            join(w, network, w->hosts[i]);
            w->host_addr[i] = network->places[i].addr;
        }
    }
    for (int i = 0; i < w->host_count && w->router_count > 0; i++)
        attach_host(w, i);
    for (int k = 0; k < w->network_count; k++) {
        int result = weir_sim_resolve(w->sim, w->networks[k].number);

        assert(result == 0);
    }
    route(w);
}
