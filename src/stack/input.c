/* SPDX-License-Identifier: MIT */

/* A packet comes up: from net to the flow, listener or socket it is for.
 *
 *   net_input ── forwarded, answered, kept or dropped: nothing is left to do here
 *      │
 *      ├─ TCP   the flow with this four-tuple; else a listener on the port; else CLOSED
 *      ├─ 200   RIP, if this stack runs it
 *      ├─ ICMP  an echo reply, or an error about a packet of ours: to whom the quote belongs
 *      ├─ UDP   the socket on this port that fits best; else ICMP port unreachable
 *      └─ other the raw socket of that protocol; else ICMP protocol unreachable
 *
 * Input never sends data. What a packet itself demands and no connection remembers (RST, SYN-ACK) is
 * staged on the outgoing link; a connection is only marked for poll.
 *
 * The TCP checksum of a data segment is verified while its bytes are copied into the receive buffer
 * (tcp/recv.c); everything else is verified before it is believed. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <base/rare.h>
#include <stack/stack.h>
#include <tcp/opt.h>
#include <wire/icmp4.h>

enum weir_drop input_connection(struct weir_stack *stack, struct conn *conn,
                                struct tcp_segment *segment)
{
    struct tcp_reply reply;
    enum weir_drop drop = tcp_input(&conn->tcp, segment, stack->now, &reply);

    if (reply.flags)
        conn_reply(stack, &conn->flow.key, &reply, conn->tcp.settings);
    conn_mark(stack, conn);
    conn_settle(stack, conn);
    return drop;
}

/* No flow has this four-tuple: LISTEN or CLOSED. */
static enum weir_drop input_stray(struct weir_stack *stack, const struct flow_key *key,
                                  struct tcp_segment *segment, weir_seq iss_floor)
{
    struct socket *listener;
    struct tcp_reply reply;
    enum weir_drop drop;

    if (!tcp_segment_verify(&stack->tcp_context, segment))
        return WEIR_DROP_TCP_CHECKSUM;
    listener = listener_find(stack, &key->local, key->lport);
    if (listener)
        return listener_input(stack, listener, key, segment, iss_floor);
    drop = tcp_closed_input(segment, &reply);
    conn_reply(stack, key, &reply, &stack->config.tcp);
    return drop;
}

/* A SYN that may open anew [MAY-2]. Only if somebody can take it does the record give way. */
RARE static enum weir_drop reopen(struct weir_stack *stack, struct time_wait *record,
                                  struct tcp_segment *segment)
{
    const struct flow_key key = record->flow.key;
    const struct socket *listener = listener_find(stack, &key.local, key.lport);
    weir_seq iss_floor = record->record.snd_nxt + 1;
    struct tcp_reply reply;

    if (!listener) {
        tcp_timewait_refuse(&record->record, &reply);
        conn_reply(stack, &key, &reply, &stack->config.tcp);
        return WEIR_DROP_TCP_TIME_WAIT;
    }
    if (listener->binding->queued >= listener->binding->backlog)
        return WEIR_DROP_TCP_BACKLOG;
    time_wait_free(stack, record);
    return input_stray(stack, &key, segment, iss_floor);
}

RARE static enum weir_drop input_time_wait(struct weir_stack *stack, struct time_wait *record,
                                           struct tcp_segment *segment)
{
    const weir_time deadline = record->record.deadline;
    struct tcp_reply reply;
    enum weir_drop drop;

    if (!tcp_segment_verify(&stack->tcp_context, segment))
        return WEIR_DROP_TCP_CHECKSUM;
    switch (tcp_timewait_input(&record->record, &stack->config.tcp, segment, stack->now, &reply,
                               &drop)) {
    case TCP_TIMEWAIT_KEEP:
        conn_reply(stack, &record->flow.key, &reply, &stack->config.tcp);
        if (record->record.deadline != deadline)
            time_wait_restart(stack, record);
        break;
    case TCP_TIMEWAIT_FREE:
        time_wait_free(stack, record);
        break;
    case TCP_TIMEWAIT_REOPEN:
        return reopen(stack, record, segment);
    }
    return drop;
}

static enum weir_drop input_flow(struct weir_stack *stack, struct flow *flow,
                                 struct tcp_segment *segment)
{
    switch ((enum flow_kind)flow->timer.owner) {
    case FLOW_CONN:
        return input_connection(stack, LIST_ENTRY(flow, struct conn, flow), segment);
    case FLOW_HALF_OPEN:
        return half_open_input(stack, LIST_ENTRY(flow, struct half_open, flow), segment);
    case FLOW_TIME_WAIT:
        return input_time_wait(stack, LIST_ENTRY(flow, struct time_wait, flow), segment);
    case FLOW_ENDED:
        break;
    }
    return WEIR_DROP_NONE;
}

static enum weir_drop input_segment(struct weir_stack *stack, const struct net_packet *packet,
                                    const struct tcp_header *header, struct tcp_segment *segment)
{
    struct flow *flow = flow_recall(stack, packet, header);
    struct flow_key key;

    if (!flow) {
        key.local = packet->dst;
        key.remote = packet->src;
        key.lport = header->dport;
        key.rport = header->sport;
        flow = flow_find(stack, &key);
        if (!flow)
            return input_stray(stack, &key, segment, 0);
    }
    return input_flow(stack, flow, segment);
}

static enum weir_drop input_tcp(struct weir_stack *stack, const struct net_packet *packet)
{
    struct tcp_header header;
    enum weir_drop drop = tcp_header_parse(packet->payload, packet->length, &header);
    struct tcp_segment segment;

    if (drop != WEIR_DROP_NONE)
        return drop;
    if (packet->is_group) /* RFC 9293 3.9.2.3 [MUST-57] */
        return WEIR_DROP_IP_BROADCAST;
    segment = (struct tcp_segment){
        .seq = header.seq,
        .ack = header.ack,
        .window = header.window,
        .urgent = header.urgent,
        .flags = header.flags,
        .data = packet->payload + header.header_length,
        .length = packet->length - header.header_length,
        .sum = checksum_add_header(packet->pseudo_sum, packet->payload, header.header_length),
        .is_verified = packet->csum_verified,
    };
    if (header.header_length > TCP_HEADER &&
        !opt_parse(packet->payload + TCP_HEADER, header.header_length - TCP_HEADER,
                   (header.flags & TCP_SYN) != 0, &segment.options))
        return tcp_segment_verify(&stack->tcp_context, &segment) ? WEIR_DROP_TCP_OPTIONS
                                                                 : WEIR_DROP_TCP_CHECKSUM;
    return input_segment(stack, packet, &header, &segment);
}

/* ---- ICMP errors ------------------------------------------------------------------------------------- */

/* RFC 1122 3.2.2.1: what an error means to a socket. Returns 0 for what means nothing here. */
static int meaning(const struct net_icmp_error *error, bool *is_hard)
{
    *is_hard = false;
    if (error->type == ICMP4_TIME_EXCEEDED || error->type == ICMP4_PARAMETER_PROBLEM)
        return WEIR_EHOSTUNREACH;
    if (error->type != ICMP4_UNREACHABLE)
        return 0;
    switch (error->code) {
    case ICMP4_NET_UNREACHABLE:
        return WEIR_ENETUNREACH;
    case ICMP4_PROTOCOL_UNREACHABLE:
    case ICMP4_PORT_UNREACHABLE:
        *is_hard = true;
        return WEIR_ECONNREFUSED;
    case ICMP4_FRAGMENTATION_NEEDED: /* packets may be fragmented: DF is never set */
        return 0;
    default:
        return WEIR_EHOSTUNREACH;
    }
}

RARE static enum weir_drop input_icmp_error(struct weir_stack *stack,
                                            const struct net_icmp_error *error)
{
    struct flow_key key = {.local = error->src, .remote = error->dst};
    enum weir_drop drop = WEIR_DROP_ICMP_QUOTE;
    struct flow *flow;
    bool is_hard;
    int code = meaning(error, &is_hard);
    struct conn *conn;

    key.lport = get_u16(error->quote);
    key.rport = get_u16(error->quote + 2);
    flow = flow_find(stack, &key);
    if (!code || !flow || flow->timer.owner != FLOW_CONN)
        return drop;
    conn = LIST_ENTRY(flow, struct conn, flow);
    if (conn->tcp.settings->icmp_ends_opening) { /* and tells why */
        bool is_hard_to_datagrams;

        code = icmp_meaning(error, &is_hard_to_datagrams);
        if (!code)
            return drop;
    }
    drop = tcp_icmp(&conn->tcp, get_u32(error->quote + 4), code, is_hard);
    conn_mark(stack, conn);
    conn_settle(stack, conn);
    return drop;
}

/* ---- Dispatch ------------------------------------------------------------------------------------------ */

static void deliver(struct weir_stack *stack, const struct net_packet *packet)
{
    if (packet->protocol == IP_PROTOCOL_TCP) {
        stack->counters.counter[WEIR_COUNT_SEGMENTS_IN]++;
        count_drop(stack, input_tcp(stack, packet));
    } else if (packet->protocol == IP_PROTOCOL_RIP && stack->rip) {
        rip_deliver(stack, packet);
    } else if (packet->protocol == IP_PROTOCOL_UDP) {
        udp_deliver(stack, packet);
    } else {
        dgram_deliver(stack, packet);
    }
}

void input_frame(struct weir_stack *stack, int iface, const struct weir_frame *frame)
{
    struct net_icmp_error error;
    struct net_packet packet;

    switch (net_input(stack->net, iface, frame, stack->now, &packet, &error)) {
    case NET_DONE:
        return;
    case NET_DELIVER:
        deliver(stack, &packet);
        break;
    case NET_ICMP_ERROR:
        if (error.protocol == IP_PROTOCOL_TCP)
            count_drop(stack, input_icmp_error(stack, &error));
        else if (error.protocol == IP_PROTOCOL_UDP)
            udp_icmp_error(stack, &packet, &error);
        else
            dgram_icmp_error(stack, &packet, &error);
        break;
    }
    net_release(stack->net, &packet);
}
