/* SPDX-License-Identifier: MIT */

/* Listeners: half-open records before the handshake is complete, a queue of connections after it.
 *
 * A SYN makes a record in the flow table and gets its SYN-ACK at once (staged by input: it is what
 * the packet itself demands). The ACK that completes the handshake inflates the record into a
 * connection with a socket of its own, which waits in the listener's queue until it is accepted; the
 * same segment is then input to it.
 *
 * Limits. `backlog` connections wait at most: at that number new SYNs are dropped, and so are ACKs
 * that would complete a handshake (the record stays, its SYN-ACK comes again). half_open_max records
 * exist at most in the stack: at that number a new SYN drives out the oldest, so that under a flood
 * whoever answers within a turn of the records still gets in, and nobody who is connected notices
 * anything. */

#include <base/bytes.h>
#include <stack/stack.h>

struct socket *listener_find(const struct weir_stack *stack, const struct weir_addr *local,
                             uint16_t port)
{
    struct socket *any = NULL;
    struct table_node *node;

    for (node = table_find(&stack->ports, port); node; node = table_find_next(node)) {
        struct socket *socket = LIST_ENTRY(node, struct binding, port)->socket;

        if (!socket->is_listening)
            continue;
        if (weir_addr_equal(&socket->binding->local.addr, local))
            return socket;
        if (weir_addr_is_any(&socket->binding->local.addr))
            any = socket;
    }
    return any;
}

/* The record, which is in no table. */
static void record_free(struct weir_stack *stack, struct half_open *half)
{
    list_remove(&half->age);
    stack->half_open_count--;
    pool_put(&stack->half_opens, half);
}

void half_open_free(struct weir_stack *stack, struct half_open *half)
{
    flow_remove(stack, &half->flow);
    record_free(stack, half);
}

static struct half_open *half_open_create(struct weir_stack *stack, struct socket *listener,
                                          const struct flow_key *key)
{
    struct half_open *half;

    if (stack->half_open_count >= stack->config.half_open_max) {
        count_loss(stack, WEIR_DROP_TCP_HALF_OPEN_LIMIT);
        half_open_free(stack, LIST_ENTRY(list_first(&stack->half_open_age), struct half_open, age));
    }
    half = pool_get(&stack->half_opens);
    if (!half)
        return NULL;
    half->flow.key = *key;
    if (!flow_add(stack, &half->flow, FLOW_HALF_OPEN)) {
        pool_put(&stack->half_opens, half);
        return NULL;
    }
    half->listener = listener;
    list_init(&half->age);
    list_add_tail(&stack->half_open_age, &half->age);
    stack->half_open_count++;
    return half;
}

/* The way back to the peer. If there is none: a hop that is not valid, and takes the smallest legal
 * segment. */
static struct net_path path_back(const struct weir_stack *stack, const struct flow_key *key)
{
    struct net_path path = {.hop = {.mtu = 576}};

    net_path_find(stack->net, &key->local, &key->remote, &path);
    return path;
}

static void fill_record(struct weir_stack *stack, struct half_open *half, uint32_t mms,
                        weir_seq iss_floor)
{
    const struct weir_tcp_settings *settings = socket_settings(stack, half->listener);
    uint32_t mss = min_u32(mms - TCP_HEADER, 65535);
    weir_seq iss = flow_isn(stack, &half->flow.key);

    if (settings->mss_max)
        mss = min_u32(mss, settings->mss_max);
    /* A connection that follows one in TIME-WAIT starts beyond it [MAY-2]. */
    half->record.iss = iss_floor ? seq_max(iss, iss_floor) : iss;
    half->record.our_mss = (uint16_t)mss;
    half->record.window = tcp_recv_first_window(settings, mss);
}

static bool is_plausible_peer(const struct weir_stack *stack, const struct flow_key *key)
{
    /* RFC 9293 3.9.2.3 [MUST-63]: from group addresses no SYN is heeded. */
    return !net_is_group(stack->net, &key->remote) && !weir_addr_is_any(&key->remote) && key->rport;
}

enum weir_drop listener_input(struct weir_stack *stack, struct socket *listener,
                              const struct flow_key *key, const struct tcp_segment *segment,
                              weir_seq iss_floor)
{
    const struct weir_tcp_settings *settings = socket_settings(stack, listener);
    struct tcp_halfopen record;
    struct net_path path;
    struct half_open *half;
    struct tcp_reply reply;
    enum weir_drop drop;

    if (!tcp_listen_input(segment, &record, &reply, &drop)) {
        conn_reply(stack, key, &reply, settings);
        return drop;
    }
    if (!is_plausible_peer(stack, key) || (settings->syn_refuses_fin && (segment->flags & TCP_FIN)))
        return WEIR_DROP_TCP_BAD_SYN;
    if (listener->binding->queued >= listener->binding->backlog)
        return WEIR_DROP_TCP_BACKLOG;
    half = half_open_create(stack, listener, key);
    if (!half)
        return WEIR_DROP_NO_MEMORY;
    half->record = record;
    path = path_back(stack, key);
    fill_record(stack, half, net_hop_mms(&path.hop), iss_floor);
    tcp_halfopen_start(&half->record, settings, stack->now, &reply);
    wheel_start(stack->wheel, &half->flow.timer, half->record.deadline);
    if (path.hop.generation)
        conn_reply_by(stack, &path, key, &reply, settings);
    else
        count_drop(stack, WEIR_DROP_NO_ROUTE);
    return WEIR_DROP_NONE;
}

/* The handshake is complete: a connection, a socket for it, and the segment again. */
static enum weir_drop inflate(struct weir_stack *stack, struct half_open *half,
                              struct tcp_segment *segment)
{
    struct socket *listener = half->listener;
    const struct flow_key key = half->flow.key;
    const struct tcp_halfopen record = half->record;
    const struct net_path path = path_back(stack, &key);
    struct socket *socket;
    struct conn *conn;
    int error;

    if (listener->binding->queued >= listener->binding->backlog)
        return WEIR_DROP_TCP_BACKLOG;
    socket = socket_create(stack, WEIR_TCP, &error);
    if (!socket)
        return WEIR_DROP_NO_MEMORY;
    settings_share(listener, socket);
    conn = conn_create(stack, &key, socket, &half->flow);
    if (!conn) {
        socket_free(stack, socket);
        return WEIR_DROP_NO_MEMORY;
    }
    record_free(stack, half);
    conn->hop = path.hop;
    socket->linger = listener->linger;
    socket->no_notices = listener->no_notices;
    socket->is_corked = conn->tcp.is_corked = listener->is_corked;
    socket->is_connected = true;
    socket->is_reusable = listener->is_reusable;
    socket->wants_queued = listener->wants_queued;
    socket->listener = listener;
    list_add_tail(&listener->binding->queue, &socket->queue);
    listener->binding->queued++;
    stack->counters.counter[WEIR_COUNT_PASSIVE_OPENS]++;
    tcp_inflate(&conn->tcp, &record, net_hop_mms(&path.hop), stack->now);
    socket_raise(stack, listener, WEIR_ACCEPT | WEIR_IN);
    return input_connection(stack, conn, segment);
}

enum weir_drop half_open_input(struct weir_stack *stack, struct half_open *half,
                               struct tcp_segment *segment)
{
    const struct weir_tcp_settings *settings = socket_settings(stack, half->listener);
    const struct flow_key key = half->flow.key;
    enum tcp_halfopen_verdict verdict;
    struct tcp_reply reply;
    enum weir_drop drop;

    if (!tcp_segment_verify(&stack->tcp_context, segment))
        return WEIR_DROP_TCP_CHECKSUM;
    verdict = tcp_halfopen_input(&half->record, settings, segment, &reply, &drop);
    if (verdict == TCP_HALFOPEN_INFLATE)
        return inflate(stack, half, segment);
    if (verdict == TCP_HALFOPEN_DEFER)
        tcp_halfopen_defer(&half->record, stack->now);
    if (verdict == TCP_HALFOPEN_FREE)
        half_open_free(stack, half);
    else if (tcp_halfopen_answered(&half->record, settings, &reply, stack->now))
        wheel_start(stack->wheel, &half->flow.timer, half->record.deadline);
    conn_reply(stack, &key, &reply, settings);
    return drop;
}

void half_open_expire(struct weir_stack *stack, struct half_open *half)
{
    const struct weir_tcp_settings *settings = socket_settings(stack, half->listener);
    struct tcp_reply reply;

    if (tcp_halfopen_expire(&half->record, settings, stack->now, &reply) == TCP_HALFOPEN_FREE) {
        stack->counters.counter[WEIR_COUNT_FAILED_OPENS]++;
        half_open_free(stack, half);
        return;
    }
    stack->counters.counter[WEIR_COUNT_RETRANSMISSIONS] += reply.flags != 0;
    conn_reply(stack, &half->flow.key, &reply, settings);
    wheel_start(stack->wheel, &half->flow.timer, half->record.deadline);
}

void listener_stop(struct weir_stack *stack, struct socket *listener)
{
    const struct weir_tcp_settings *settings = socket_settings(stack, listener);
    struct list_node *node = stack->half_open_age.next;
    struct tcp_reply reply;

    while (node != &stack->half_open_age) {
        struct half_open *half = LIST_ENTRY(node, struct half_open, age);

        node = node->next;
        if (half->listener != listener)
            continue;
        tcp_halfopen_reset(&half->record, &reply);
        if (!settings->listener_ends_quietly)
            conn_reply(stack, &half->flow.key, &reply, settings);
        half_open_free(stack, half);
    }
    while ((node = list_pop(&listener->binding->queue))) {
        struct socket *socket = LIST_ENTRY(node, struct socket, queue);

        socket->listener = NULL;
        weir_socket_abort(stack, socket->number);
    }
    listener->binding->queued = 0;
    listener->is_listening = false;
}
