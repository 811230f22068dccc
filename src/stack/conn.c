/* SPDX-License-Identifier: MIT */

/* Life and death of connections.
 *
 * A connection is made by connect, or out of a half-open record. It is in the flow table while its
 * state machine runs; its socket holds it. It can end in two ways that need care:
 *
 *  - The application is still there. The connection leaves the table (nothing on the wire concerns it
 *    any more) but stays with its socket, which may have data to read and an error to report.
 *  - The application is gone. In TIME-WAIT what is left of it fits a small record, which takes its
 *    place in the table; the oldest record goes when there are time_wait_max. When all is over, the
 *    socket reports WEIR_CLOSED and its number becomes free.
 *
 * conn_settle is called after everything that touches a connection; it is the one place where this
 * is decided. */

#include <assert.h>
#include <stack/stack.h>

static bool enter_table(struct weir_stack *stack, struct conn *conn, struct flow *former)
{
    if (!former)
        return flow_add(stack, &conn->flow, FLOW_CONN);
    flow_replace(stack, former, &conn->flow, FLOW_CONN);
    return true;
}

struct conn *conn_create(struct weir_stack *stack, const struct flow_key *key,
                         struct socket *socket, struct flow *former)
{
    struct conn *conn = pool_get(&stack->conns);

    if (!conn)
        return NULL;
    conn->flow.key = *key;
    tcp_init(&conn->tcp, &stack->tcp_context, socket_settings(stack, socket));
    if (!tcp_wake(&conn->tcp) || !enter_table(stack, conn, former)) {
        tcp_done(&conn->tcp);
        pool_put(&stack->conns, conn);
        return NULL;
    }
    list_init(&conn->work);
    conn->socket = socket;
    conn->flow.pseudo_sum = net_pseudo_sum(&key->local, &key->remote, IP_PROTOCOL_TCP);
    conn->hop = (struct net_hop){0};
    socket->conn = conn;
    stack->conn_count++;
    return conn;
}

static bool is_in_table(const struct conn *conn)
{
    return conn->flow.timer.owner == FLOW_CONN;
}

/* It has left the table. */
static void left_table(struct weir_stack *stack, struct conn *conn)
{
    list_remove(&conn->work);
    conn->flow.timer.owner = FLOW_ENDED;
    stack->conn_count--;
}

static void leave_table(struct weir_stack *stack, struct conn *conn)
{
    if (!is_in_table(conn))
        return;
    flow_remove(stack, &conn->flow);
    left_table(stack, conn);
}

void conn_free(struct weir_stack *stack, struct conn *conn)
{
    leave_table(stack, conn);
    tcp_done(&conn->tcp);
    if (conn->socket)
        conn->socket->conn = NULL;
    pool_put(&stack->conns, conn);
}

void conn_rest(struct weir_stack *stack, struct conn *conn)
{
    if (!conn->socket->lent_out)
        tcp_rest(&conn->tcp, stack->now);
}

void conn_mark(struct weir_stack *stack, struct conn *conn)
{
    if (is_in_table(conn) && !list_is_linked(&conn->work))
        list_add_tail(&stack->dirty, &conn->work);
}

/* What is left of the connection takes its place, and `holder` (or nobody) waits for its end. Short of
 * memory, it just keeps its place: false. */
static bool become_time_wait(struct weir_stack *stack, struct conn *conn, struct socket *holder)
{
    struct time_wait *record = pool_get(&stack->time_waits);

    if (!record)
        return false;
    record->is_reusable = conn->socket->is_reusable;
    tcp_timewait_start(&record->record, &conn->tcp, stack->now);
    flow_replace(stack, &conn->flow, &record->flow, FLOW_TIME_WAIT);
    left_table(stack, conn);
    conn_free(stack, conn);
    record->socket = holder;
    if (holder)
        holder->time_wait = record;
    time_wait_add(stack, record);
    return true;
}

void conn_disconnect(struct weir_stack *stack, struct conn *conn)
{
    struct tcp_reply reply = {.seq = conn->tcp.snd_nxt, .flags = TCP_RST, .why = WEIR_WHY_RST};

    if (conn->tcp.settings->rst_has_ack) {
        reply.flags = TCP_RST | TCP_ACK;
        reply.ack = conn->tcp.rcv_nxt;
        reply.window = conn->tcp.rcv_adv - conn->tcp.rcv_nxt;
    }
    if (conn->tcp.state == WEIR_STATE_TIME_WAIT && become_time_wait(stack, conn, NULL))
        return;
    tcp_abort(&conn->tcp);
    if (conn->tcp.rst_due)
        conn_reply(stack, &conn->flow.key, &reply, conn->tcp.settings);
    conn_free(stack, conn);
}

void conn_settle(struct weir_stack *stack, struct conn *conn)
{
    struct socket *socket = conn->socket;
    uint32_t events = conn->tcp.events;

    conn->tcp.events = 0;
    if (socket->no_notices)
        events &= ~(uint32_t)WEIR_NOTICE;
    if (socket->is_closed)
        events &= WEIR_DELIVERED | WEIR_HUP;
    if (events)
        socket_raise(stack, socket, events);
    /* What it still owes (a RST, the last ACK) leaves first; poll settles again. */
    if (conn->tcp.rst_due || conn->tcp.ack_now || conn->tcp.active->acks_owed)
        return;
    if (conn->tcp.state == WEIR_STATE_CLOSED) {
        leave_table(stack, conn);
        if (socket->is_closed) {
            conn_free(stack, conn);
            socket_ended(stack, socket);
        } else {
            conn_rest(stack, conn);
        }
    } else if (conn->tcp.state == WEIR_STATE_TIME_WAIT && socket->is_closed) {
        become_time_wait(stack, conn, socket);
    }
}

void conn_ports(const struct conn *conn, struct tcp_ports *ports)
{
    *ports = (struct tcp_ports){.local = conn->flow.key.lport,
                                .remote = conn->flow.key.rport,
                                .pseudo_sum = conn->flow.pseudo_sum};
}

void conn_net_out(const struct weir_tcp_settings *settings, enum weir_why why, struct net_out *out)
{
    out->protocol = IP_PROTOCOL_TCP;
    out->ttl = settings->ttl;
    out->tos = settings->tos & 0xfc; /* the ECN bits are not the application's */
    out->dont_fragment = false;
    out->why = (uint16_t)why;
}

void conn_reply(struct weir_stack *stack, const struct flow_key *key, const struct tcp_reply *reply,
                const struct weir_tcp_settings *settings)
{
    struct net_path path;

    if (!reply->flags)
        return;
    if (net_path_find(stack->net, &key->local, &key->remote, &path) < 0)
        count_loss(stack, WEIR_DROP_NO_ROUTE);
    else
        conn_reply_by(stack, &path, key, reply, settings);
}

void conn_reply_by(struct weir_stack *stack, const struct net_path *path,
                   const struct flow_key *key, const struct tcp_reply *reply,
                   const struct weir_tcp_settings *settings)
{
    struct net_out out;
    struct tcp_ports ports = {
        .local = key->lport,
        .remote = key->rport,
        .pseudo_sum = net_pseudo_sum(&key->local, &key->remote, IP_PROTOCOL_TCP),
    };
    struct net_frame frame;
    int error;

    conn_net_out(settings, reply->why, &out);
    error = net_begin(stack->net, path, &out, TCP_HEADER + 4, stack->now, &frame);
    if (error < 0) {
        count_loss(stack, error == WEIR_ENETDOWN ? WEIR_DROP_IFACE_DOWN : WEIR_DROP_LINK_FULL);
        return;
    }
    net_commit(stack->net, path, &frame, tcp_emit_reply(reply, &ports, frame.payload), stack->now);
    stack->counters.counter[WEIR_COUNT_SEGMENTS_OUT]++;
    if (reply->flags & TCP_RST)
        stack->counters.counter[WEIR_COUNT_RSTS_OUT]++;
}
