/* SPDX-License-Identifier: MIT */

/* Rest: a connection on which nothing is under way is small.
 *
 * Of a million connections most are silent at any moment. What only a busy one needs (buffers,
 * transmission records, out-of-order ranges, running timers and what they count from, the challenges of
 * the present second) is a block of its own, struct tcp_active, from a pool that hands out the block
 * given back last, which is still warm. A connection wakes when a segment comes or the application
 * writes, and rests when nothing of that is left:
 *
 *     awake   conn ──► its own block       resting   conn ──┐
 *                                                     conn ──┼──► tcp_resting (constant)
 *                                                     conn ──┘
 *
 * Whoever only looks need not know the difference: tcp_resting has empty buffers and timers that do not
 * run, which is the truth. Whoever changes anything in it must wake the connection first; tcp_resting
 * is constant, so forgetting that ends the program at the spot. What can happen at rest without memory
 * (RST, ABORT, CLOSE, stopping a timer that does not run) therefore writes only what differs.
 *
 * Quiet means: all that was queued is acknowledged, all that came is read, no ACK is owed, no timer
 * runs, no loss is being mended, and no second is running in which challenge ACKs are rationed (RFC 5961
 * 10): resting must not make the ration anew. A connection with keep-alive on has a timer, and does
 * not rest.
 *
 * Waking can fail for want of memory. Input drops the segment then, a write is refused, and poll comes
 * back later to what it has to send.
 *
 * Costs: 232 bytes a connection awake; about 10 ns to wake and rest. */

#include <tcp/tcp.h>

const struct tcp_active tcp_resting = {
    .timers = {WEIR_NEVER, WEIR_NEVER, WEIR_NEVER, WEIR_NEVER, WEIR_NEVER, WEIR_NEVER, WEIR_NEVER},
};

_Static_assert(TCP_TIMER_COUNT == 7, "tcp_resting names each timer");
_Static_assert(sizeof(struct tcp_active) <= 232, "a connection awake is not large either");

/* Nobody writes through it: the type of conn->active is for those that are awake. */
void tcp_lie_down(struct tcp_conn *conn)
{
    union {
        const struct tcp_active *constant;
        struct tcp_active *active;
    } resting = {.constant = &tcp_resting};

    conn->active = resting.active;
}

bool tcp_wake_up(struct tcp_conn *conn)
{
    struct tcp_active *active = pool_get(conn->context->actives);

    if (!active)
        return false;
    *active = tcp_resting;
    active->rtx_nxt = conn->snd_una;
    active->snd_small = conn->snd_una;
    active->rcv_fin = conn->rcv_nxt - 1; /* if it came, it is the last that did */
    conn->active = active;
    return true;
}

static bool is_quiet(const struct tcp_conn *conn, weir_time now)
{
    const struct tcp_active *active = conn->active;

    /* This is asked after each segment and each call: the two timers that mostly run come first. */
    if (tcp_recv_readable(conn) || tcp_timer_is_running(conn, TCP_TIMER_RTO) ||
        tcp_timer_is_running(conn, TCP_TIMER_DELAYED_ACK) || tcp_deadline(conn) != WEIR_NEVER)
        return false;
    if (conn->state == WEIR_STATE_CLOSED)
        return true;
    if (conn->has_fin && !conn->fin_received) /* it is behind a gap */
        return false;
    return conn->snd_una == conn->snd_nxt && !tcp_send_queued(conn) && !active->ooo.count &&
           !active->acks_owed && conn->phase == TCP_OPEN && conn->business == TCP_IDLE &&
           (!active->challenges || now - active->challenge_from >= WEIR_SECOND);
}

void tcp_free_send_side(struct tcp_conn *conn)
{
    struct tcp_active *active = conn->active;

    if (active == &tcp_resting)
        return;
    ring_done(&active->snd_ring, conn->context->rings);
    ring_init(&active->snd_ring);
    records_done(&active->records, conn->context->alloc);
    records_init(&active->records);
    tcp_marks_free(conn);
}

void tcp_free_receive_side(struct tcp_conn *conn)
{
    struct tcp_active *active = conn->active;

    if (active == &tcp_resting)
        return;
    ring_done(&active->rcv_ring, conn->context->rings);
    ring_init(&active->rcv_ring);
    ranges_done(&active->ooo, conn->context->alloc);
    ranges_init(&active->ooo);
}

void tcp_free_active(struct tcp_conn *conn)
{
    if (conn->active == &tcp_resting)
        return;
    tcp_free_send_side(conn);
    tcp_free_receive_side(conn);
    pool_put(conn->context->actives, conn->active);
    tcp_lie_down(conn);
}

void tcp_rest(struct tcp_conn *conn, weir_time now)
{
    if (conn->active != &tcp_resting && is_quiet(conn, now))
        tcp_free_active(conn);
}
