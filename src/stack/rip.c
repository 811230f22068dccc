/* SPDX-License-Identifier: MIT */

/* Joins RIP to IP protocol 200 and to the forwarding table: messages in, messages out, changed routes
 * over to net. */

#include <stack/stack.h>

#define DEFAULT_INTERVAL (5 * WEIR_SECOND)
#define DEFAULT_TIMEOUT (12 * WEIR_SECOND)
#define RIP_TTL 16

static void carry_changes(struct weir_stack *stack)
{
    struct rip_change change;

    while (rip_next_change(stack->rip, &change)) {
        control_paths_changed(stack);
        if (change.cost < RIP_INFINITY)
            net_set_rip_route(stack->net, &change.prefix, &change.next_hop, change.cost);
        else
            net_remove_rip_route(stack->net, &change.prefix);
    }
}

static void send_message(struct weir_stack *stack, const struct weir_addr *to, const uint8_t *bytes,
                         size_t length)
{
    const struct net_out out = {.protocol = IP_PROTOCOL_RIP, .ttl = RIP_TTL, .why = WEIR_WHY_RIP};
    const struct weir_addr any = weir_addr_any4();
    struct net_path path;

    if (net_path_find(stack->net, &any, to, &path) < 0)
        return; /* the interface is down: the neighbour will miss us */
    stack->counters.counter[WEIR_COUNT_RIP_MESSAGES_OUT]++;
    net_send(stack->net, &path, &out, bytes, (uint32_t)length, stack->now);
}

void rip_poll(struct weir_stack *stack)
{
    uint8_t bytes[RIP_MESSAGE_MAX];
    struct weir_addr to;
    size_t length;

    if (rip_deadline(stack->rip) <= stack->now)
        rip_expire(stack->rip, stack->now);
    carry_changes(stack);
    while ((length = rip_next_message(stack->rip, &to, bytes)))
        send_message(stack, &to, bytes, length);
}

void rip_deliver(struct weir_stack *stack, const struct net_packet *packet)
{
    enum weir_counter counter = packet->length >= 2 && packet->payload[1] == RIP_REQUEST
                                    ? WEIR_COUNT_RIP_REQUESTS_IN
                                    : WEIR_COUNT_RIP_RESPONSES_IN;

    switch (rip_input(stack->rip, &packet->src, packet->payload, packet->length, stack->now)) {
    case RIP_OK:
        stack->counters.counter[counter]++;
        break;
    case RIP_MALFORMED:
        count_drop(stack, WEIR_DROP_RIP_BAD);
        break;
    case RIP_STRANGER:
        count_drop(stack, WEIR_DROP_RIP_NOT_NEIGHBOUR);
        break;
    }
}

static int add_networks(struct weir_stack *stack)
{
    struct weir_iface_row row;
    int i, error;

    for (i = 0; net_iface_row(stack->net, i, &row) == 0; i++) {
        error = rip_set_local(stack->rip, &row.prefix, row.up, stack->now);
        if (error < 0)
            return error;
    }
    return 0;
}

int weir_stack_start_rip(struct weir_stack *stack, const struct weir_rip_config *config,
                         const struct weir_addr *neighbours, size_t count)
{
    const struct rip_config settings = {
        .update_interval =
            config && config->update_interval ? config->update_interval : DEFAULT_INTERVAL,
        .route_timeout = config && config->route_timeout ? config->route_timeout : DEFAULT_TIMEOUT,
    };
    int error = 0;
    size_t i;

    if (stack->rip)
        return WEIR_EALREADY;
    for (i = 0; i < count; i++) {
        if (net_neighbour_iface(stack->net, &neighbours[i]) < 0)
            return WEIR_EINVAL;
    }
    stack->rip = rip_create(&stack->alloc, &settings);
    if (!stack->rip)
        return WEIR_ENOMEM;
    error = add_networks(stack);
    for (i = 0; i < count && error >= 0; i++)
        error = rip_add_neighbour(stack->rip, &neighbours[i], stack->now);
    if (error < 0) {
        rip_destroy(stack->rip);
        stack->rip = NULL;
    }
    return error;
}
