/* SPDX-License-Identifier: MIT */

/* The simulator: stacks in virtual time.
 *
 * Problem: run networks of many stacks so that one seed decides everything, fast enough for a
 * thousand seeds in a test, and notice by itself when something that must hold does not.
 *
 * Idea: each node is one entry of an agenda, at the earliest time at which it has something to do:
 * its stack's deadline, a link of its own that wants to be flushed, or at once when a frame waits at
 * one of its ports. The loop takes the least entry and lets that node make one step: flush links
 * that are due, take one batch of frames from each interface, poll, drain the events. No step looks
 * at other nodes; whom a step has sent something to is known from the networks it flushed into.
 * User timers are entries of the same agenda, of a rank behind all nodes.
 *
 *      stack ── tap ── impair ── port ) hub ( port ── impair ── tap ── stack
 *
 * The tap is our own link under each interface. It marks the network when something is flushed into
 * it and shows what the node itself sends to the window checker. On a full link the tap's `refused`
 * is set by whoever refused; it is cleared, and the stack told, after the step that made room.
 *
 * What is checked, and the trace, are described in run.c, the tap in tap.c, the window checker in
 * windows.c.
 *
 * Order of simultaneous events: nodes by number, then timers in the order they were set. Limits: a
 * batch is 64 frames; a port queues 512 frames (64 on networks with more than 16 ports). Memory
 * comes from malloc; that of the stacks from their own allocators. */

#include <base/random.h>
#include <sim/internal.h>
#include <stdlib.h>

#define QUEUE_FEW_PORTS 512u
#define QUEUE_MANY_PORTS 64u
#define FEW_PORTS 16u
#define NODE_SEEDS 0x6e6f6465u /* ids of the generators: nodes and link directions */
#define LINK_SEEDS 0x6c696e6bu

/* ---- Building --------------------------------------------------------------------------------- */

/* Appends to an array of pointers; false if memory is short. */
static bool append(void ***array, int count, void *element)
{
    void **longer;

    if ((count & (count - 1)) == 0) {
        longer = realloc(*array, (count == 0 ? 1 : 2 * (size_t)count) * sizeof(*longer));
        if (longer == NULL)
            return false;
        *array = longer;
    }
    (*array)[count] = element;
    return true;
}

struct weir_sim *weir_sim_create(uint64_t seed)
{
    struct weir_sim *sim = calloc(1, sizeof(*sim));

    if (sim == NULL)
        return NULL;
    sim->seed = seed;
    sim->is_checking = true;
    sim->instant = -1;
    agenda_init(&sim->agenda);
    windows_init(&sim->windows);
    return sim;
}

static void destroy_iface(struct iface *iface)
{
    iface->tap.ops->destroy(&iface->tap);
}

static void destroy_node(struct node *node)
{
    weir_stack_destroy(node->stack);
    for (int i = 0; i < node->iface_count; i++)
        destroy_iface(node->ifaces[i]);
    free(node->ifaces);
    free(node);
}

static void destroy_network(struct network *network)
{
    weir_hub_destroy(network->hub);
    free(network->ports);
    free(network);
}

void weir_sim_destroy(struct weir_sim *sim)
{
    struct agenda_entry *entry;

    if (sim == NULL)
        return;
    while ((entry = agenda_first(&sim->agenda)) != NULL) {
        agenda_put(&sim->agenda, entry, WEIR_NEVER);
        if (entry->rank == SIM_TIMER_RANK)
            free(entry);
    }
    for (int i = 0; i < sim->node_count; i++)
        destroy_node(sim->nodes[i]);
    for (int i = 0; i < sim->network_count; i++)
        destroy_network(sim->networks[i]);
    windows_done(&sim->windows);
    agenda_done(&sim->agenda);
    free(sim->nodes);
    free(sim->networks);
    free(sim);
}

weir_time weir_sim_now(const struct weir_sim *sim)
{
    return sim->now;
}

/* Sixteen bytes for node `id`, drawn from the one seed. */
static void draw_seed(uint64_t seed, uint64_t id, uint8_t bytes[16])
{
    struct random random;

    random_init_u64(&random, seed, id);
    for (int half = 0; half < 2; half++) {
        uint64_t word = random_u64(&random);

        for (int i = 0; i < 8; i++)
            bytes[8 * half + i] = (uint8_t)(word >> (8 * i));
    }
}

int weir_sim_add_node(struct weir_sim *sim, const struct weir_stack_config *config)
{
    struct weir_stack_config own = *config;
    struct node *node;
    void **array = (void **)sim->nodes;

    node = calloc(1, sizeof(*node));
    if (node == NULL ||
        !agenda_reserve(&sim->agenda, (uint32_t)sim->node_count + sim->timer_count + 1) ||
        !append(&array, sim->node_count, node)) {
        free(node);
        return WEIR_ENOMEM;
    }
    sim->nodes = (struct node **)array;
    draw_seed(sim->seed, ((uint64_t)NODE_SEEDS << 32) + (uint64_t)sim->node_count, own.seed);
    own.node_id = (uint64_t)sim->node_count;
    node->number = sim->node_count;
    node->stack = weir_stack_create(&own);
    if (node->stack == NULL) {
        free(node);
        return WEIR_ENOMEM;
    }
    weir_stack_set_journal(node->stack, sim->journal, (uint32_t)node->number);
    agenda_entry_init(&node->entry, (uint32_t)node->number, 0);
    agenda_put(&sim->agenda, &node->entry, sim->now);
    return sim->node_count++;
}

int weir_sim_add_network(struct weir_sim *sim, unsigned ports, uint32_t mtu)
{
    uint32_t queue = ports > FEW_PORTS ? QUEUE_MANY_PORTS : QUEUE_FEW_PORTS;
    struct network *network;
    void **array = (void **)sim->networks;

    if (ports < 2 || ports > WEIR_HUB_PORTS_MAX)
        return WEIR_EINVAL;
    network = calloc(1, sizeof(*network));
    if (network == NULL)
        return WEIR_ENOMEM;
    network->hub = weir_hub_create(ports, mtu, queue);
    network->ports = calloc(ports, sizeof(struct iface *));
    network->port_count = ports;
    network->mtu = mtu;
    if (network->hub == NULL || network->ports == NULL ||
        !append(&array, sim->network_count, network)) {
        destroy_network(network);
        return WEIR_ENOMEM;
    }
    sim->networks = (struct network **)array;
    return sim->network_count++;
}

/* The sending side of a new interface: impair over the port, or the port alone. */
static struct weir_link *make_inner(struct weir_sim *sim, struct network *network,
                                    const struct weir_impair *impair)
{
    struct weir_link *port = weir_hub_port(network->hub, network->joined);
    struct weir_impair own;
    struct random random;

    if (impair == NULL)
        return port;
    own = *impair;
    random_init_u64(&random, sim->seed, ((uint64_t)LINK_SEEDS << 32) + sim->direction_count);
    own.seed ^= random_u64(&random);
    return weir_impair_create(port, &own);
}

static struct iface *make_iface(struct weir_sim *sim, struct node *node, struct network *network,
                                const struct weir_impair *impair)
{
    struct iface *iface = calloc(1, sizeof(*iface));

    if (iface == NULL)
        return NULL;
    iface->inner = make_inner(sim, network, impair);
    if (iface->inner == NULL) {
        free(iface);
        return NULL;
    }
    iface->tap = *iface->inner;
    iface->tap.ops = sim_tap_ops();
    iface->sim = sim;
    iface->node = node;
    iface->network = network;
    iface->port = network->joined;
    return iface;
}

int weir_sim_join(struct weir_sim *sim, int node_number, int network_number, const char *name,
                  const struct weir_addr *addr, const struct weir_prefix *prefix,
                  const struct weir_impair *impair)
{
    struct node *node = sim->nodes[node_number];
    struct network *network = sim->networks[network_number];
    struct iface *iface;
    void **array = (void **)node->ifaces;

    if (network->joined == network->port_count)
        return WEIR_EINVAL;
    iface = make_iface(sim, node, network, impair);
    if (iface == NULL)
        return WEIR_ENOMEM;
    iface->addr = *addr;
    if (!append(&array, node->iface_count, iface)) {
        destroy_iface(iface);
        return WEIR_ENOMEM;
    }
    node->ifaces = (struct iface **)array;
    iface->index = weir_stack_add_iface(node->stack, name, &iface->tap, addr, prefix, false);
    if (iface->index < 0) {
        int error = iface->index;

        destroy_iface(iface);
        return error;
    }
    node->iface_count++;
    network->ports[network->joined++] = iface;
    sim->direction_count++;
    return iface->index;
}

static int introduce(const struct iface *to, const struct iface *other)
{
    return weir_stack_add_neighbour(to->node->stack, to->index, &other->addr,
                                    (uint64_t)other->port + 1);
}

int weir_sim_resolve(struct weir_sim *sim, int network_number)
{
    struct network *network = sim->networks[network_number];
    int error = 0;

    for (unsigned i = network->resolved; i < network->joined; i++) {
        for (unsigned j = 0; j < i && error == 0; j++) {
            error = introduce(network->ports[i], network->ports[j]);
            if (error == 0)
                error = introduce(network->ports[j], network->ports[i]);
        }
    }
    network->resolved = network->joined;
    return error;
}

int weir_sim_node_count(const struct weir_sim *sim)
{
    return sim->node_count;
}

struct weir_stack *weir_sim_stack(struct weir_sim *sim, int node)
{
    struct weir_stack *stack = sim->nodes[node]->stack;

    weir_stack_set_time(stack, sim->now);
    return stack;
}

struct weir_link *weir_sim_link(struct weir_sim *sim, int node, int iface)
{
    return sim->nodes[node]->ifaces[iface]->inner;
}

void weir_sim_on_event(struct weir_sim *sim, weir_sim_event_fn *fn, void *context)
{
    sim->on_event = fn;
    sim->event_context = context;
}

void weir_sim_on_packet(struct weir_sim *sim, weir_sim_packet_fn *fn, void *context)
{
    sim->on_packet = fn;
    sim->packet_context = context;
}

void weir_sim_set_journal(struct weir_sim *sim, struct weir_journal *journal,
                          weir_sim_journal_fn *fn, void *context)
{
    sim->journal = journal;
    sim->on_journal = fn;
    sim->journal_context = context;
    for (int i = 0; i < sim->node_count; i++)
        weir_stack_set_journal(sim->nodes[i]->stack, journal, (uint32_t)i);
}

void weir_sim_set_checking(struct weir_sim *sim, bool every_step)
{
    sim->is_checking = every_step;
}

uint64_t weir_sim_trace_hash(const struct weir_sim *sim, int node)
{
    return sim->nodes[node]->trace;
}
