/* SPDX-License-Identifier: MIT */

/* Making and unmaking a stack, and the entrances of its six calls.
 *
 * A stack is one allocation tree: everything hangs on struct weir_stack, comes from its allocator and
 * is counted against its budget. The seed is the only secret; four keys are drawn from it (flow hash,
 * ISNs, ports, random numbers), so that learning one use tells nothing about another.
 *
 * Time enters with input, poll and connect and is kept as stack->now for what needs it inside. It is
 * never asked for. */

#include <assert.h>
#include <base/bytes.h>
#include <stack/stack.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BUDGET ((size_t)1 << 30)
#define DEFAULT_SOCKETS_MAX (1u << 20)
#define DEFAULT_HALF_OPEN_MAX 4096u
#define DEFAULT_TIME_WAIT_MAX 65536u
#define DEFAULT_REASSEMBLY ((size_t)256 * 1024)
#define POOL_KEEP 1024u
#define SPARES_KEPT 16u

void weir_stack_config_init(struct weir_stack_config *config)
{
    memset(config, 0, sizeof(*config));
    config->icmp_errors = true;
    weir_profile(WEIR_PROFILE_DEFAULT, &config->tcp);
}

static void fill_defaults(struct weir_stack_config *config)
{
    if (!config->memory_budget)
        config->memory_budget = DEFAULT_BUDGET;
    if (!config->sockets_max)
        config->sockets_max = DEFAULT_SOCKETS_MAX;
    if (!config->half_open_max)
        config->half_open_max = DEFAULT_HALF_OPEN_MAX;
    if (!config->time_wait_max)
        config->time_wait_max = DEFAULT_TIME_WAIT_MAX;
    if (!config->reassembly_budget)
        config->reassembly_budget = DEFAULT_REASSEMBLY;
}

static struct siphash_key draw_key(struct random *random)
{
    struct siphash_key key;

    key.k0 = random_u64(random);
    key.k1 = random_u64(random);
    return key;
}

static void init_parts(struct weir_stack *stack)
{
    struct alloc *alloc = &stack->alloc;

    alloc_init(alloc, stack->config.memory_budget);
    alloc_keep_spares(alloc, SPARES_KEPT);
    if (stack->config.allocator.acquire) {
        alloc->acquire = stack->config.allocator.acquire;
        alloc->release = stack->config.allocator.release;
        alloc->context = stack->config.allocator.context;
    }
    random_init(&stack->random, stack->config.seed, stack->config.node_id);
    stack->flow_key = draw_key(&stack->random);
    stack->isn_key = draw_key(&stack->random);
    stack->port_key = draw_key(&stack->random);
    stack->next_echo_id = (uint16_t)random_u32(&stack->random);
    ring_pool_init(&stack->rings, alloc);
    pool_init(&stack->conns, alloc, sizeof(struct conn), POOL_KEEP);
    pool_init(&stack->all_sockets, alloc, sizeof(struct socket), POOL_KEEP);
    pool_init(&stack->bindings, alloc, sizeof(struct binding), POOL_KEEP);
    pool_init(&stack->actives, alloc, sizeof(struct tcp_active), POOL_KEEP);
    pool_init(&stack->half_opens, alloc, sizeof(struct half_open), POOL_KEEP);
    pool_init(&stack->time_waits, alloc, sizeof(struct time_wait), POOL_KEEP);
    table_init(&stack->flows, alloc);
    table_init(&stack->ports, alloc);
    table_init(&stack->udp_ports, alloc);
    table_init(&stack->echo_ids, alloc);
    slots_init(&stack->sockets, alloc);
    list_init(&stack->dirty);
    list_init(&stack->events);
    list_init(&stack->interests);
    list_init(&stack->half_open_age);
    list_init(&stack->time_wait_queue);
    stack->tcp_context = (struct tcp_context){
        .alloc = alloc,
        .rings = &stack->rings,
        .actives = &stack->actives,
        .counters = &stack->counters,
        .skip_checksum = stack->config.skip_tcp_checksum,
    };
}

static bool create_parts(struct weir_stack *stack)
{
    const struct net_config config = {
        .forwarding = stack->config.forwarding,
        .icmp_errors = stack->config.icmp_errors,
        .skip_ip_checksum = stack->config.skip_ip_checksum,
        .ttl = stack->config.tcp.ttl,
        .reassembly_budget = stack->config.reassembly_budget,
    };

    stack->wheel = alloc_get(&stack->alloc, sizeof(*stack->wheel));
    if (!stack->wheel)
        return false;
    wheel_init(stack->wheel, 0);
    stack->net = net_create(&stack->alloc, &config, &stack->counters, &stack->random);
    stack->blocked = alloc_get(&stack->alloc, sizeof(*stack->blocked));
    if (!stack->blocked)
        return false;
    stack->blocked_count = 1;
    list_init(stack->blocked);
    return stack->net != NULL;
}

struct weir_stack *weir_stack_create(const struct weir_stack_config *config)
{
    struct weir_stack *stack =
        config->allocator.acquire
            ? config->allocator.acquire(config->allocator.context, sizeof(*stack))
            : malloc(sizeof(*stack));

    if (!stack)
        return NULL;
    memset(stack, 0, sizeof(*stack));
    stack->config = *config;
    fill_defaults(&stack->config);
    init_parts(stack);
    if (!create_parts(stack)) {
        weir_stack_destroy(stack);
        return NULL;
    }
    return stack;
}

static void free_flows(struct weir_stack *stack)
{
    struct table_cursor cursor = {0};
    struct table_node *node;

    while ((node = table_next(&stack->flows, &cursor))) {
        struct flow *flow = LIST_ENTRY(node, struct flow, node);

        switch ((enum flow_kind)flow->timer.owner) {
        case FLOW_CONN: {
            struct conn *conn = LIST_ENTRY(flow, struct conn, flow);

            if (!conn->socket) /* else its socket frees it */
                conn_free(stack, conn);
            break;
        }
        case FLOW_HALF_OPEN:
            half_open_free(stack, LIST_ENTRY(flow, struct half_open, flow));
            break;
        case FLOW_TIME_WAIT:
            time_wait_free(stack, LIST_ENTRY(flow, struct time_wait, flow));
            break;
        case FLOW_ENDED:
            break;
        }
    }
}

static void free_sockets(struct weir_stack *stack)
{
    uint32_t i;

    for (i = 0; i < stack->sockets.end; i++) {
        struct socket *socket = socket_at(stack, i);

        if (socket)
            socket_free(stack, socket);
    }
    slots_done(&stack->sockets);
}

void weir_stack_destroy(struct weir_stack *stack)
{
    struct weir_allocator allocator;

    if (!stack)
        return;
    interest_done(stack);
    free_sockets(stack);
    free_flows(stack);
    alloc_put(&stack->alloc, stack->blocked,
              (size_t)stack->blocked_count * sizeof(*stack->blocked));
    if (stack->rip)
        rip_destroy(stack->rip);
    if (stack->net)
        net_destroy(stack->net);
    flow_done(stack);
    table_done(&stack->ports);
    table_done(&stack->udp_ports);
    table_done(&stack->echo_ids);
    pool_done(&stack->conns);
    pool_done(&stack->all_sockets);
    pool_done(&stack->bindings);
    pool_done(&stack->actives);
    pool_done(&stack->half_opens);
    pool_done(&stack->time_waits);
    ring_pool_done(&stack->rings);
    if (stack->wheel)
        alloc_put(&stack->alloc, stack->wheel, sizeof(*stack->wheel));
    alloc_done(&stack->alloc);
    assert(stack->alloc.used == 0); /* whatever was acquired has been given back */
    allocator = stack->config.allocator;
    if (allocator.release)
        allocator.release(allocator.context, stack, sizeof(*stack));
    else
        free(stack);
}

void weir_stack_set_time(struct weir_stack *stack, weir_time now)
{
    stack->now = max_i64(stack->now, now);
}

void weir_stack_input(struct weir_stack *stack, int iface, const struct weir_frame *frames,
                      int count, weir_time now)
{
    int i;

    stack->now = now;
    for (i = 0; i < count; i++) {
        if (i + 1 < count)
            __builtin_prefetch(frames[i + 1].data);
        input_frame(stack, iface, &frames[i]);
    }
}

weir_time weir_stack_deadline(const struct weir_stack *stack)
{
    weir_time deadline = wheel_deadline(stack->wheel);

    if (!list_is_empty(&stack->dirty) || net_is_staged(stack->net))
        return stack->now;
    if (!net_loopback_is_idle(stack->net))
        return stack->now;
    deadline = min_i64(deadline, net_deadline(stack->net));
    if (stack->rip)
        deadline = min_i64(deadline, rip_deadline(stack->rip));
    return deadline;
}

bool weir_stack_next_event(struct weir_stack *stack, struct weir_event *event)
{
    struct list_node *node = list_pop(&stack->events);
    struct socket *socket;

    if (!node)
        return false;
    socket = LIST_ENTRY(node, struct socket, queue);
    event->tag = socket->tag;
    event->socket = socket->number;
    event->events = socket->events;
    socket->events = 0;
    if (event->events & WEIR_CLOSED)
        socket_free(stack, socket);
    return true;
}

void weir_stack_link_ready(struct weir_stack *stack, int iface)
{
    struct list_node *node;

    if (iface < NET_LOOPBACK || iface + 1 >= stack->blocked_count)
        return;
    while ((node = list_pop(&stack->blocked[iface + 1])))
        list_add_tail(&stack->dirty, node);
}
