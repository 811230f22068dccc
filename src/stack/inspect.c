/* SPDX-License-Identifier: MIT */

/* The read-only view: rows of every table, and the check of what must always hold.
 *
 * weir_inspect_check is what the simulator asks after each step. It walks everything, so it is for
 * tests; what it finds is a defect of ours, whatever the peer did. */

#include <base/bytes.h>
#include <stack/stack.h>
#include <tcp/cc.h>
#include <string.h>

static const struct socket *socket_any(const struct weir_stack *stack, int number)
{
    return socket_at(stack, (uint32_t)number);
}

static enum weir_tcp_state state_of(const struct socket *socket)
{
    if (socket->is_listening)
        return WEIR_STATE_LISTEN;
    if (socket->time_wait)
        return WEIR_STATE_TIME_WAIT;
    return socket->conn ? (enum weir_tcp_state)socket->conn->tcp.state : WEIR_STATE_CLOSED;
}

static struct tcp_run plan_now(const struct weir_stack *stack, const struct conn *conn,
                               weir_time now)
{
    const struct tcp_env env = {
        .quantum = STACK_QUANTUM,
        .memory_pressure = memory_pressure(stack),
    };

    return tcp_plan(&conn->tcp, &env, now);
}

static void fill_sequence(const struct tcp_conn *tcp, struct weir_tcp_info *info)
{
    info->snd_una = tcp->snd_una;
    info->snd_nxt = tcp->snd_nxt;
    info->snd_wnd = tcp->snd_wnd;
    info->iss = tcp->iss;
    info->rcv_nxt = tcp->rcv_nxt;
    info->rcv_wnd = tcp_recv_window(tcp);
    info->irs = tcp->irs;
    info->mss = tcp->cc.mss;
    info->send_queued = tcp_send_queued(tcp);
    info->receive_queued = tcp_recv_readable(tcp);
    info->out_of_order = ranges_bytes(&tcp->active->ooo);
}

static void fill_congestion(const struct tcp_conn *tcp, struct weir_tcp_info *info)
{
    info->cwnd = tcp->cc.cwnd;
    info->ssthresh = tcp->cc.ssthresh;
    info->srtt = tcp->srtt;
    info->rttvar = tcp->rttvar;
    info->rto = tcp_rto_backed_off(tcp);
    info->backoffs = tcp->retries;
    info->congestion_recovery = tcp->phase;
    info->congestion_control = cc_at(tcp->cc_row)->name;
}

static void fill_counts(const struct tcp_conn *tcp, struct weir_tcp_info *info)
{
    info->segments_sent = tcp->segments_sent;
    info->segments_received = tcp->segments_received;
    info->bytes_sent = tcp->bytes_sent;
    info->bytes_received = tcp->bytes_received;
    info->bytes_acked = tcp->bytes_acked;
    info->retransmissions = tcp->retransmissions;
    info->bytes_retransmitted = tcp->bytes_retransmitted;
    info->timeouts = tcp->timeouts;
    info->fast_retransmits = tcp->fast_retransmits;
    info->duplicate_acks_received = tcp->dup_acks_received;
}

static void fill_flight(const struct tcp_conn *tcp, struct weir_tcp_info *info)
{
    struct tcp_meter meter;

    tcp_meter_flight(tcp, &meter);
    info->segments_unacked = meter.unacked;
    info->segments_retransmitted = meter.retransmitted;
    info->segments_lost = meter.lost;
    info->segments_delivered = tcp->delivered;
    info->duplicate_acks = tcp->active->dup_acks;
    info->reordering = TCP_DUP_ACK_THRESHOLD;
    info->unsent = tcp_send_unsent(tcp);
    info->probes = tcp->probes;
    info->advertised_mss = tcp->rcv_mss;
    info->rcv_mss = max_u32(tcp->rcv_max, min_u32(TCP_MSS_DEFAULT, tcp->rcv_mss));
}

static void fill_times(const struct tcp_conn *tcp, weir_time now, struct weir_tcp_info *info)
{
    info->min_rtt = tcp->min_rtt_us * WEIR_US;
    info->last_data_sent = tcp->last_sent;
    info->last_data_received = tcp->last_received;
    info->last_ack_received = tcp->last_heard;
    info->window_limited = tcp_meter_time(tcp, TCP_BUSY_WINDOW, now);
    info->buffer_limited = tcp_meter_time(tcp, TCP_BUSY_BUFFER, now);
    info->busy_time =
        tcp_meter_time(tcp, TCP_BUSY, now) + info->window_limited + info->buffer_limited;
}

static void fill_listener(const struct socket *socket, struct weir_tcp_info *info)
{
    info->accept_queued = socket->binding->queued;
    info->accept_backlog = socket->binding->backlog;
}

int weir_tcp_info_get(const struct weir_stack *stack, int number, weir_time now,
                      struct weir_tcp_info *info)
{
    const struct socket *socket = socket_any(stack, number);
    struct tcp_run run;

    if (!socket)
        return WEIR_EBADF;
    if (socket->kind != WEIR_TCP)
        return WEIR_EPROTOTYPE;
    memset(info, 0, sizeof(*info));
    info->state = state_of(socket);
    info->congestion_control = socket_settings(stack, socket)->congestion_control;
    info->plan_why = WEIR_WHY_WAIT_STATE;
    info->plan_deadline = WEIR_NEVER;
    if (socket->is_listening)
        fill_listener(socket, info);
    if (!socket->conn)
        return 0;
    fill_flight(&socket->conn->tcp, info);
    fill_times(&socket->conn->tcp, now, info);
    fill_sequence(&socket->conn->tcp, info);
    fill_congestion(&socket->conn->tcp, info);
    fill_counts(&socket->conn->tcp, info);
    run = plan_now(stack, socket->conn, now);
    info->plan_why = run.why;
    info->plan_bytes = run.kind == TCP_RUN_NONE ? 0 : run.length;
    info->plan_deadline = run.kind == TCP_RUN_NONE ? tcp_deadline(&socket->conn->tcp) : now;
    return 0;
}

int weir_inspect_socket(const struct weir_stack *stack, int from, struct weir_socket_row *row)
{
    uint32_t number = from < 0 ? 0 : (uint32_t)from;
    const struct flow_key *key = NULL;
    const struct socket *socket;

    while (number < stack->sockets.end && !socket_at(stack, number))
        number++;
    socket = socket_at(stack, number);
    if (!socket)
        return WEIR_ENOENT;
    memset(row, 0, sizeof(*row));
    row->socket = socket->number;
    row->kind = (enum weir_socket_kind)socket->kind;
    row->state = state_of(socket);
    row->closed = socket->is_closed;
    row->listener = socket->listener ? socket->listener->number : -1;
    row->tag = socket->tag;
    row->local.addr = weir_addr_any4();
    row->remote.addr = weir_addr_any4();
    if (socket->binding)
        row->local = socket->binding->local;
    if (socket->binding && socket->kind != WEIR_TCP && socket->is_connected)
        row->remote = (struct weir_endpoint){socket->binding->peer, socket->binding->peer_port};
    if (socket->conn)
        key = &socket->conn->flow.key;
    else if (socket->time_wait)
        key = &socket->time_wait->flow.key;
    if (key) {
        row->local = (struct weir_endpoint){.addr = key->local, .port = key->lport};
        row->remote = (struct weir_endpoint){.addr = key->remote, .port = key->rport};
    }
    return socket->number;
}

int weir_inspect_iface(const struct weir_stack *stack, int iface, struct weir_iface_row *row)
{
    return net_iface_row(stack->net, iface, row);
}

int weir_inspect_iface_named(const struct weir_stack *stack, const char *name)
{
    return net_iface_named(stack->net, name);
}

int weir_inspect_neighbour(const struct weir_stack *stack, size_t index,
                           struct weir_neighbour_row *row)
{
    return net_neighbour_row(stack->net, index, row);
}

int weir_inspect_route(const struct weir_stack *stack, size_t index, struct weir_route_row *row)
{
    return net_route_row(stack->net, index, row);
}

const struct weir_counters *weir_inspect_counters(const struct weir_stack *stack)
{
    return &stack->counters;
}

void weir_inspect_budget(const struct weir_stack *stack, struct weir_budget_row *row)
{
    uint32_t i;

    memset(row, 0, sizeof(*row));
    row->used = stack->alloc.used;
    row->budget = stack->alloc.budget;
    row->sockets = stack->sockets.count;
    row->connections = stack->conn_count;
    row->half_open = stack->half_open_count;
    row->time_wait = stack->time_wait_count;
    for (i = 0; i < stack->sockets.end; i++) {
        const struct socket *socket = socket_at(stack, i);

        if (socket && socket->binding)
            row->datagrams += socket->binding->datagrams.count;
    }
    row->fragments = net_fragments_held(stack->net);
}

bool weir_inspect_is_within_budget(const struct weir_stack *stack)
{
    return stack->alloc.used <= stack->alloc.budget;
}

/* ---- What must always hold --------------------------------------------------------------------------------- */

static const char *check_sequence(const struct tcp_conn *tcp)
{
    if (seq_gt(tcp->snd_una, tcp->snd_nxt))
        return "SND.UNA is beyond SND.NXT";
    if (tcp->state ==
        WEIR_STATE_CLOSED) /* what was queued is given up, a RST may wait for the link */
        return NULL;
    if (seq_gt(tcp->snd_nxt, tcp->snd_end + 1))
        return "SND.NXT is beyond what was queued";
    if (tcp_is_synchronised(tcp) && seq_gt(tcp->rcv_read, tcp->rcv_nxt))
        return "more was read than received";
    if (tcp_is_synchronised(tcp) && tcp_recv_window(tcp) > 65535)
        return "the offered window does not fit its field";
    if (tcp->phase == TCP_LOSS && seq_lt(tcp->active->rtx_nxt, tcp->snd_una))
        return "retransmission is behind SND.UNA";
    if (tcp_is_synchronised(tcp) && !tcp->cc.cwnd)
        return "the congestion window is zero";
    return NULL;
}

static const char *check_waiting(const struct weir_stack *stack, const struct conn *conn,
                                 weir_time now)
{
    const struct tcp_conn *tcp = &conn->tcp;
    struct tcp_run run;

    if (list_is_linked(&conn->work))
        return NULL;
    if (tcp->active == &tcp_resting && wheel_is_running(&conn->flow.timer))
        return NULL; /* it waits for memory to wake */
    run = plan_now(stack, conn, now);
    if (run.kind != TCP_RUN_NONE)
        return "a connection that could send is on no list";
    if (tcp->snd_una != tcp->snd_nxt && !tcp_timer_is_running(tcp, TCP_TIMER_RTO) &&
        !tcp_timer_is_running(tcp, TCP_TIMER_PERSIST))
        return "data is out and no timer runs";
    if (run.why == WEIR_WHY_WAIT_ZERO_WINDOW && !tcp_timer_is_running(tcp, TCP_TIMER_PERSIST))
        return "the window is closed and nobody probes";
    if (tcp_deadline(tcp) != WEIR_NEVER &&
        (!wheel_is_running(&conn->flow.timer) || conn->flow.timer.at > tcp_deadline(tcp)))
        return "a connection's timer is later than its deadline";
    return NULL;
}

static const char *check_conn(const struct weir_stack *stack, const struct conn *conn,
                              weir_time now)
{
    const char *broken = check_sequence(&conn->tcp);

    if (!broken)
        broken = check_waiting(stack, conn, now);
    if (!broken && conn->tcp.events)
        broken = "events were not passed on";
    return broken;
}

/* Of the records in TIME-WAIT the first has one, and those that will not end in their turn. */
static bool has_timer(const struct weir_stack *stack, struct flow *flow)
{
    const struct list_node *first = list_first(&stack->time_wait_queue);

    if (flow->timer.owner == FLOW_TIME_WAIT &&
        first != &LIST_ENTRY(flow, struct time_wait, flow)->queue)
        return true;
    return wheel_is_running(&flow->timer);
}

const char *weir_inspect_check(const struct weir_stack *stack, weir_time now)
{
    struct table_cursor cursor = {0};
    struct table_node *node;
    uint32_t counts[3] = {0};

    if (!weir_inspect_is_within_budget(stack))
        return "the memory budget is exceeded";
    while ((node = table_next(&stack->flows, &cursor))) {
        struct flow *flow = LIST_ENTRY(node, struct flow, node);
        const char *broken = NULL;

        counts[flow->timer.owner]++;
        if (flow->timer.owner == FLOW_CONN)
            broken = check_conn(stack, LIST_ENTRY(flow, struct conn, flow), now);
        else if (!has_timer(stack, flow))
            broken = "a record without a timer";
        if (broken)
            return broken;
    }
    if (counts[FLOW_CONN] != stack->conn_count ||
        counts[FLOW_HALF_OPEN] != stack->half_open_count ||
        counts[FLOW_TIME_WAIT] != stack->time_wait_count)
        return "the counts of flows are wrong";
    return NULL;
}
