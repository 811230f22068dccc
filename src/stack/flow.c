/* SPDX-License-Identifier: MIT */

/* The one flow table: connections, half-open records and TIME-WAIT records by their four-tuple.
 *
 * The key is hashed with SipHash under a secret of the stack, so that nobody outside can choose
 * tuples that meet in one bucket. Of two IPv4 addresses only the bytes that vary are hashed. A packet belongs to the flow with exactly its addresses and ports,
 * and to a listener only if there is none (RFC 9293 3.10.7). Successive segments mostly belong to the
 * same flow, and the first ones of a flow that is new follow at once: a cache of one saves them the
 * hash. What becomes of a flow (a connection of a half-open record, a record in TIME-WAIT of a
 * connection) takes its place in the table; that needs no hash and no memory.
 *
 * ISNs and ephemeral ports hang on the tuple too, each under a secret of its own: RFC 6528 for ISNs;
 * RFC 6056 algorithm 3 for ports (a hash of the tuple plus a counter), so that ports to one peer climb
 * and to others tell nothing. The port range is 32768..60999; ports that a listener or a bound socket
 * holds are left out.
 *
 * Whether a port is free for bind is a question about all flows. While there are few, somebody looks at
 * them all; from 4,096 on the flows of each local port are counted, in an array of 256 KiB. */

#include <base/addr.h>
#include <stack/stack.h>
#include <string.h>

enum { PACKED = 36, PACKED4 = 12 };

#define PORT_FLOWS_FROM 4096u
#define PORT_FLOWS_BYTES (65536 * sizeof(uint32_t))

static void pack(const struct flow_key *key, uint8_t bytes[PACKED])
{
    memcpy(bytes, key->local.bytes, 16);
    memcpy(bytes + 16, key->remote.bytes, 16);
    memcpy(bytes + 32, &key->lport, 2);
    memcpy(bytes + 34, &key->rport, 2);
}

uint64_t flow_hash(const struct weir_stack *stack, const struct flow_key *key)
{
    uint8_t bytes[PACKED];

    if (weir_addr_is4(&key->local) && weir_addr_is4(&key->remote)) {
        memcpy(bytes, key->local.bytes + 12, 4);
        memcpy(bytes + 4, key->remote.bytes + 12, 4);
        memcpy(bytes + 8, &key->lport, 2);
        memcpy(bytes + 10, &key->rport, 2);
        return siphash(&stack->flow_key, bytes, PACKED4);
    }
    pack(key, bytes);
    return siphash(&stack->flow_key, bytes, sizeof(bytes));
}

static bool is_equal(const struct flow_key *a, const struct flow_key *b)
{
    return a->lport == b->lport && a->rport == b->rport && addr_is_equal(&a->remote, &b->remote) &&
           addr_is_equal(&a->local, &b->local);
}

struct flow *flow_recall(const struct weir_stack *stack, const struct net_packet *packet,
                         const struct tcp_header *header)
{
    struct flow *flow = stack->last_flow;

    if (flow && flow->key.lport == header->dport && flow->key.rport == header->sport &&
        addr_is_equal(&flow->key.local, &packet->dst) &&
        addr_is_equal(&flow->key.remote, &packet->src))
        return flow;
    return NULL;
}

struct flow *flow_find(struct weir_stack *stack, const struct flow_key *key)
{
    struct table_node *node;

    if (stack->last_flow && is_equal(&stack->last_flow->key, key))
        return stack->last_flow;
    for (node = table_find(&stack->flows, flow_hash(stack, key)); node;
         node = table_find_next(node)) {
        struct flow *flow = LIST_ENTRY(node, struct flow, node);

        if (is_equal(&flow->key, key)) {
            stack->last_flow = flow;
            return flow;
        }
    }
    return NULL;
}

/* From now on, if there is memory; else it is tried again 4,096 flows later. */
static void count_ports(struct weir_stack *stack)
{
    struct table_cursor cursor = {0};
    struct table_node *node;

    stack->port_flows = alloc_get_zeroed(&stack->alloc, PORT_FLOWS_BYTES);
    while (stack->port_flows && (node = table_next(&stack->flows, &cursor)))
        stack->port_flows[LIST_ENTRY(node, struct flow, node)->key.lport]++;
}

enum flow_port_use flow_port_use(const struct weir_stack *stack, uint16_t port)
{
    if (!stack->port_flows)
        return FLOW_PORT_UNKNOWN;
    return stack->port_flows[port] ? FLOW_PORT_USED : FLOW_PORT_FREE;
}

bool flow_add(struct weir_stack *stack, struct flow *flow, enum flow_kind kind)
{
    wheel_timer_init(&flow->timer, (uint16_t)kind);
    if (!table_add(&stack->flows, &flow->node, flow_hash(stack, &flow->key)))
        return false;
    if (stack->port_flows)
        stack->port_flows[flow->key.lport]++;
    else if (stack->flows.count % PORT_FLOWS_FROM == 0)
        count_ports(stack);
    stack->last_flow = flow;
    return true;
}

void flow_replace(struct weir_stack *stack, struct flow *flow, struct flow *next,
                  enum flow_kind kind)
{
    wheel_stop(stack->wheel, &flow->timer);
    next->key = flow->key;
    next->pseudo_sum = flow->pseudo_sum;
    wheel_timer_init(&next->timer, (uint16_t)kind);
    table_replace(&stack->flows, &flow->node, &next->node);
    stack->last_flow = next;
}

void flow_remove(struct weir_stack *stack, struct flow *flow)
{
    if (stack->last_flow == flow)
        stack->last_flow = NULL;
    if (stack->port_flows)
        stack->port_flows[flow->key.lport]--;
    wheel_stop(stack->wheel, &flow->timer);
    table_remove(&stack->flows, &flow->node);
}

weir_seq flow_isn(const struct weir_stack *stack, const struct flow_key *key)
{
    uint8_t bytes[PACKED];

    pack(key, bytes);
    return tcp_isn(siphash(&stack->isn_key, bytes, sizeof(bytes)), stack->now);
}

uint16_t flow_choose_port(struct weir_stack *stack, struct flow_key *key)
{
    uint8_t bytes[PACKED];
    uint32_t offset, i;

    key->lport = 0;
    pack(key, bytes);
    offset = (uint32_t)siphash(&stack->port_key, bytes, sizeof(bytes));
    for (i = 0; i < EPHEMERAL_COUNT; i++) {
        key->lport =
            (uint16_t)(EPHEMERAL_FIRST + (offset + stack->port_counter++) % EPHEMERAL_COUNT);
        if (!table_find(&stack->ports, key->lport) && !flow_find(stack, key))
            return key->lport;
    }
    return 0;
}

void flow_done(struct weir_stack *stack)
{
    table_done(&stack->flows);
    alloc_put(&stack->alloc, stack->port_flows, PORT_FLOWS_BYTES);
}
