/* SPDX-License-Identifier: MIT */

/* Time passes, and what is due goes out.
 *
 *   loopback  packets to ourselves come in       timers   of connections and records
 *   fragments and routes age                     dirty    each connection's plan, in turns
 *   RIP's messages                               flush    every link that was touched
 *
 * A connection on the dirty list is asked for its plan until it has none; at most one quantum is sent
 * in a turn, then it goes to the end of the list, so that a bulk transfer does not starve the rest. A
 * connection that its link cannot take waits on the interface's blocked list, where it costs nothing,
 * until the link is ready again. One that fills the link has had its turn: it queues behind those who
 * have not.
 *
 * Each connection has one timer in the wheel. It is only ever moved to an earlier time; when it fires
 * too early, the plan is made again and the timer set anew. That keeps the wheel out of the path of
 * each segment, whose ACK moves the retransmission time-out into the future.
 *
 * Without a way to the peer (no route, interface down) a run counts as sent and lost: the
 * retransmission timer brings it back, and gives up when its time has come. */

#include <base/bytes.h>
#include <base/rare.h>
#include <stack/stack.h>

#define LOOPBACK_BATCH 64
#define NO_MEMORY_PAUSE \
    (100 * WEIR_MS) /* before a connection that could not wake is served again */

enum outcome { SENT, BLOCKED, OUT_OF_BUDGET };

static void receive_loopback(struct weir_stack *stack)
{
    struct weir_link *link = net_iface_link(stack->net, NET_LOOPBACK);
    struct weir_frame frames[LOOPBACK_BATCH];
    int count, i;

    if (net_loopback_is_idle(stack->net))
        return;
    count = link->ops->receive(link, frames, LOOPBACK_BATCH, stack->now);
    for (i = 0; i < count; i++)
        input_frame(stack, NET_LOOPBACK, &frames[i]);
    link->ops->receive(link, frames, 0, stack->now); /* what was borrowed makes room */
}

/* The way out, found anew if anything has changed. False: there is none at the moment. */
static bool find_hop(struct weir_stack *stack, struct conn *conn)
{
    struct net_path path;
    int error;

    if (net_hop_is_valid(stack->net, &conn->hop))
        return true;
    error = net_path_find(stack->net, &conn->flow.key.local, &conn->flow.key.remote, &path);
    if (error < 0) {
        conn->hop.generation = 0;
        if (!conn->tcp.notice) {
            conn->tcp.notice = (int8_t)error;
            conn->tcp.events |= WEIR_NOTICE;
        }
        return false;
    }
    conn->hop = path.hop;
    tcp_set_mms(&conn->tcp, net_hop_mms(&conn->hop));
    return true;
}

/* A run on its way out. */
struct sending {
    const struct conn *conn;
    const struct tcp_run *run;
    struct net_path path;
    struct net_out out;
    struct tcp_ports ports;
    uint32_t offset, segments; /* of the run, so far */
};

static void start_sending(const struct weir_stack *stack, const struct conn *conn,
                          const struct tcp_run *run, struct sending *sending)
{
    const struct net_offload offload = net_hop_offload(stack->net, &conn->hop);
    uint32_t mss = conn->tcp.cc.mss;

    sending->conn = conn;
    sending->run = run;
    sending->path = (struct net_path){
        .src = conn->flow.key.local, .dst = conn->flow.key.remote, .hop = conn->hop};
    conn_net_out(conn->tcp.settings, run->why, &sending->out);
    sending->offset = 0;
    sending->segments = 0;
    conn_ports(conn, &sending->ports);
    sending->ports.is_partial = offload.is_partial;
    if (run->length > mss && offload.is_partial && offload.large >= TCP_HEADER + 2 * mss)
        sending->ports.piece = (offload.large - TCP_HEADER) / mss * mss;
}

/* What the frame leaves to others: its checksum, and cutting it. Returns how many segments it is. */
static uint32_t describe(const struct sending *sending, uint32_t payload, struct net_frame *frame)
{
    uint32_t mss = sending->conn->tcp.cc.mss;

    if (sending->ports.is_partial && payload) {
        frame->frame.csum = WEIR_CSUM_PARTIAL;
        frame->frame.csum_start = (uint16_t)(frame->payload - frame->frame.data);
        frame->frame.csum_offset = TCP_CHECKSUM_OFFSET;
    }
    if (payload <= mss)
        return 1;
    frame->frame.gso_size = (uint16_t)mss;
    frame->frame.gso_segments = (uint16_t)((payload + mss - 1) / mss);
    return frame->frame.gso_segments;
}

/* One frame of the run. Returns 0 or WEIR_EAGAIN; what cannot leave at all counts as sent and lost. */
static int send_part(struct weir_stack *stack, struct sending *sending)
{
    const struct tcp_conn *tcp = &sending->conn->tcp;
    uint32_t payload, segments = 1;
    uint32_t size = tcp_emit_size(tcp, sending->run, sending->offset, &sending->ports, &payload);
    struct net_frame frame;
    int error = net_begin(stack->net, &sending->path, &sending->out, size, stack->now, &frame);

    if (error == WEIR_EAGAIN)
        return error;
    if (error < 0) {
        count_loss(stack, error == WEIR_EMSGSIZE ? WEIR_DROP_TOO_BIG : WEIR_DROP_IFACE_DOWN);
    } else {
        size = tcp_emit(tcp, sending->run, sending->offset, &sending->ports, frame.payload);
        segments = describe(sending, payload, &frame);
        net_commit(stack->net, &sending->path, &frame, size, stack->now);
    }
    sending->segments += segments;
    sending->offset += payload;
    return 0;
}

/* Cuts the run into frames and commits them; tells the connection how much left. */
static enum outcome send_run(struct weir_stack *stack, struct conn *conn, const struct tcp_run *run)
{
    enum outcome outcome = SENT;
    struct sending sending;

    start_sending(stack, conn, run, &sending);
    do {
        if (stack->turn_budget <= 0) {
            outcome = OUT_OF_BUDGET;
            break;
        }
        if (send_part(stack, &sending) == WEIR_EAGAIN) {
            outcome = BLOCKED;
            break;
        }
        stack->turn_budget--;
    } while (sending.offset < run->length);
    if (sending.segments)
        tcp_sent(&conn->tcp, run, sending.offset, sending.segments, stack->now);
    return outcome;
}

RARE static void block(struct weir_stack *stack, struct conn *conn)
{
    list_add_tail(&stack->blocked[conn->hop.iface + 1], &conn->work);
}

static void arm(struct weir_stack *stack, struct conn *conn, weir_time deadline)
{
    struct wheel_timer *timer = &conn->flow.timer;

    if (deadline == WEIR_NEVER)
        wheel_stop(stack->wheel, timer);
    else if (!wheel_is_running(timer) || deadline < timer->at)
        wheel_start(stack->wheel, timer, deadline);
}

/* One turn of one connection, which is on no list meanwhile. */
static void serve(struct weir_stack *stack, struct conn *conn)
{
    const struct tcp_env env = {
        .quantum = STACK_QUANTUM,
        .memory_pressure = memory_pressure(stack),
    };
    const int32_t turn_start = stack->turn_budget;
    uint32_t sent = 0;

    if (!tcp_wake(&conn->tcp)) {
        arm(stack, conn, stack->now + NO_MEMORY_PAUSE);
        return;
    }
    tcp_resume(&conn->tcp, stack->now);
    while (sent < STACK_QUANTUM) {
        struct tcp_run run = tcp_plan(&conn->tcp, &env, stack->now);
        enum outcome outcome;

        if (run.kind == TCP_RUN_NONE) {
            if (env.memory_pressure && run.window < tcp_recv_offer(&conn->tcp, false))
                stack->counters.counter[WEIR_COUNT_WINDOW_HELD]++;
            arm(stack, conn, tcp_wait(&conn->tcp, run.why, stack->now));
            conn_rest(stack, conn);
            return;
        }
        if (!find_hop(stack, conn)) {
            count_loss(stack, WEIR_DROP_NO_ROUTE);
            tcp_sent(&conn->tcp, &run, run.length, 1, stack->now);
            continue;
        }
        outcome = send_run(stack, conn, &run);
        if (outcome == BLOCKED && stack->turn_budget == turn_start) {
            /* Time passes for who waits for a link, too. */
            arm(stack, conn, tcp_deadline(&conn->tcp));
            block(stack, conn);
            return;
        }
        if (outcome != SENT)
            break;
        sent += run.length + TCP_HEADER;
    }
    list_add_tail(&stack->dirty, &conn->work);
}

static void serve_dirty(struct weir_stack *stack)
{
    struct list_node *node;

    while (stack->turn_budget > 0 && (node = list_pop(&stack->dirty))) {
        struct conn *conn = LIST_ENTRY(node, struct conn, work);

        serve(stack, conn);
        if (conn->tcp.events || conn->tcp.state == WEIR_STATE_CLOSED ||
            conn->tcp.state == WEIR_STATE_TIME_WAIT)
            conn_settle(stack, conn);
    }
}

RARE static void expire_conn(struct weir_stack *stack, struct conn *conn)
{
    tcp_expire(&conn->tcp, stack->now);
    arm(stack, conn, tcp_deadline(&conn->tcp)); /* it may wait for its link, and not be served */
    conn_mark(stack, conn);
    conn_settle(stack, conn);
}

static void expire_timers(struct weir_stack *stack)
{
    struct wheel_timer *timer;

    while ((timer = wheel_expire(stack->wheel, stack->now))) {
        struct flow *flow = LIST_ENTRY(timer, struct flow, timer);

        switch ((enum flow_kind)timer->owner) {
        case FLOW_CONN:
            expire_conn(stack, LIST_ENTRY(flow, struct conn, flow));
            break;
        case FLOW_HALF_OPEN:
            half_open_expire(stack, LIST_ENTRY(flow, struct half_open, flow));
            break;
        case FLOW_TIME_WAIT:
            time_wait_free(stack, LIST_ENTRY(flow, struct time_wait, flow));
            break;
        case FLOW_ENDED:
            break;
        }
    }
}

bool weir_stack_poll(struct weir_stack *stack, weir_time now, uint32_t budget)
{
    stack->now = now;
    stack->turn_budget = budget && budget < INT32_MAX ? (int32_t)budget : INT32_MAX;
    receive_loopback(stack);
    weir_stack_link_ready(stack, NET_LOOPBACK);
    expire_timers(stack);
    if (net_deadline(stack->net) <= now)
        net_expire(stack->net, now);
    if (stack->rip)
        rip_poll(stack);
    serve_dirty(stack);
    net_flush(stack->net, now);
    return weir_stack_deadline(stack) <= now;
}
