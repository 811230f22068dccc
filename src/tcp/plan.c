/* SPDX-License-Identifier: MIT */

/* The one decision to send.
 *
 * tcp_plan looks at a connection and answers with the next run: bytes of one kind, from one sequence
 * number, for one reason; or with the reason why nothing may leave. It changes nothing, so it can be
 * asked at any time, and what `info`, the traces and the tests show is the decision itself. The order
 * is the order of urgency:
 *
 *   RST  ·  SYN  ·  ACKs that the peer counts  ·  retransmission  ·  probes  ·  new data and FIN  ·
 *   ACK or window update
 *
 * New data is bounded by the peer's window, the congestion window and the quantum, and is sent in
 * full-sized segments. A smaller one leaves only if it is all there is and Nagle lets it (RFC 9293
 * 3.7.4), if it is half the largest window ever seen, or when the override timer has expired
 * (3.8.6.2.1 [MUST-38]). The FIN needs window too, as the one number that it is.
 *
 * tcp_sent is the other half: it alone makes true that something was sent. tcp_wait notes why nothing
 * could be, so that the timer that ends that wait runs: that closes the circle with timer.c. */

#include <assert.h>
#include <base/bytes.h>
#include <base/rare.h>
#include <tcp/tcp.h>

#define CORK_MAX (200 * WEIR_MS)

static struct tcp_run run_of(const struct tcp_conn *conn, enum tcp_run_kind kind, weir_seq seq,
                             uint32_t length, enum weir_why why)
{
    struct tcp_run run = {.kind = kind, .seq = seq, .length = length, .why = why};

    if (kind != TCP_RUN_DATA)
        return run;
    if (length && tcp_marks_after(conn, seq + length - 1) == seq + length)
        run.flags |= TCP_PSH; /* the end, or that of a record: RFC 9293 3.9.1.2 [MUST-61] */
    if (conn->settings->keeps_segments && conn->more_coming && seq + length == conn->snd_end)
        run.flags = 0;
    return run;
}

static struct tcp_run nothing(const struct tcp_conn *conn, enum weir_why why)
{
    return run_of(conn, TCP_RUN_NONE, conn->snd_nxt, 0, why);
}

RARE static struct tcp_run plan_opening(const struct tcp_conn *conn)
{
    enum weir_why why = conn->state == WEIR_STATE_SYN_SENT ? WEIR_WHY_SYN : WEIR_WHY_SYN_ACK;

    if (conn->snd_nxt == conn->iss)
        return run_of(conn, TCP_RUN_SYN, conn->iss, 0, why);
    if (conn->rtx_once)
        return run_of(conn, TCP_RUN_SYN, conn->iss, 0, (enum weir_why)conn->rtx_why);
    if (conn->state == WEIR_STATE_SYN_RECEIVED && (conn->active->acks_owed || conn->ack_now))
        return run_of(conn, TCP_RUN_ACK, conn->snd_nxt, 0, (enum weir_why)conn->ack_why);
    return nothing(conn, WEIR_WHY_WAIT_STATE);
}

/* Of `length` bytes from `seq` on that were sent: the rest of the run they left in, and the runs behind
 * it that fit as wholes. At most a segment's worth of runs is looked at. */
static uint32_t whole_runs(const struct tcp_conn *conn, weir_seq seq, uint32_t length)
{
    const struct records *records = &conn->active->records;
    uint32_t i, fits = 0;

    for (i = records_find(records, conn->snd_una, seq); i < records->count && fits < length; i++) {
        uint32_t end = seq_min(records_at(records, i)->end, conn->snd_end) - seq;

        if (fits && end > length)
            break;
        fits = min_u32(end, length);
    }
    return fits ? fits : length;
}

/* keeps_segments: what `run` sends again has the flags that its last byte had. FIN joins what is less
 * than a segment. */
static void flag_again(const struct tcp_conn *conn, struct tcp_run *run)
{
    weir_seq end = run->seq + run->length;
    uint32_t last = records_find(&conn->active->records, conn->snd_una, end - 1);
    const struct record *record;

    if (!run->length || last >= conn->active->records.count)
        return;
    record = records_at(&conn->active->records, last);
    run->flags &= TCP_FIN;
    if (run->length == conn->cc.mss && record->end == end)
        run->flags = 0;
    if ((record->flags & RECORD_PUSHED) && record->end - end <= (end == conn->snd_end ? 1 : 0))
        run->flags |= TCP_PSH;
}

/* What was sent from `seq` on, again, at most one segment, inside the peer's window. */
RARE static struct tcp_run retransmission(const struct tcp_conn *conn, weir_seq seq,
                                          enum weir_why why)
{
    uint32_t edge = conn->snd_una + conn->snd_wnd - seq;
    uint32_t length = min_u32(tcp_marks_after(conn, seq) - seq, min_u32(conn->cc.mss, edge));
    struct tcp_run run;

    if (seq_gt(seq, conn->snd_end)) /* the FIN alone is out */
        length = 0;
    if (conn->phase != TCP_LOSS)
        length = min_u32(length, conn->snd_nxt - seq);
    if (conn->settings->keeps_segments && length)
        length = whole_runs(conn, seq, length);
    run = run_of(conn, TCP_RUN_DATA, seq, length, why);
    if (conn->fin_queued && seq + length == conn->snd_end && length < edge)
        run.flags |= TCP_FIN;
    if (conn->settings->keeps_segments)
        flag_again(conn, &run);
    return run;
}

/* LOSS: the range that is to be sent again, as far as cwnd and the window allow. */
RARE static struct tcp_run plan_loss(const struct tcp_conn *conn)
{
    uint32_t in_flight = tcp_loss_in_flight(conn);
    uint32_t left = conn->recover - conn->active->rtx_nxt;
    enum weir_why why = conn->active->rtx_nxt == conn->snd_una && conn->retries
                            ? WEIR_WHY_RETRANSMIT_TIMEOUT
                            : WEIR_WHY_RETRANSMIT_LOSS;

    if (!seq_lt(conn->active->rtx_nxt, conn->snd_una + conn->snd_wnd))
        return nothing(conn, WEIR_WHY_WAIT_WINDOW);
    if (in_flight && in_flight + min_u32(conn->cc.mss, left) > conn->cc.cwnd)
        return nothing(conn, WEIR_WHY_WAIT_CWND);
    return retransmission(conn, conn->active->rtx_nxt, why);
}

/* RFC 9293 3.8.6.1: one octet, new or already out, or the FIN. Without data in it: what is out goes
 * again, whatever the window; or an ACK whose number asks for an answer. */
RARE static struct tcp_run plan_probe(const struct tcp_conn *conn)
{
    weir_seq seq = conn->snd_una;
    uint32_t length = min_u32(conn->snd_nxt - seq, min_u32(conn->cc.mss, conn->snd_end - seq));
    struct tcp_run run;

    if (!conn->settings->probe_has_data) {
        if (seq == conn->snd_nxt || !length)
            return run_of(conn, TCP_RUN_ACK, seq - 1, 0, WEIR_WHY_PROBE);
        return run_of(conn, TCP_RUN_DATA, seq, length, WEIR_WHY_PROBE);
    }
    if (seq == conn->snd_end) {
        run = run_of(conn, TCP_RUN_DATA, seq, 0, WEIR_WHY_PROBE);
        run.flags |= TCP_FIN;
        return run;
    }
    return run_of(conn, TCP_RUN_DATA, seq, 1, WEIR_WHY_PROBE);
}

/* RFC 5681 3.1 and RFC 3042: how far the congestion window reaches beyond snd_nxt. */
static uint32_t cwnd_room(const struct tcp_conn *conn)
{
    uint32_t in_flight = tcp_loss_in_flight(conn);
    uint32_t allowed = conn->cc.cwnd;

    if (conn->phase == TCP_OPEN && conn->active->dup_acks)
        allowed += min_u32(conn->active->dup_acks, 2) * conn->cc.mss;
    return allowed > in_flight ? allowed - in_flight : 0;
}

/* May the last, small segment of a run leave? `length` is what window and cwnd allow of it, `ahead`
 * what is out before it. The conditions of RFC 9293 3.8.6.2.1, the bracketed ones being Nagle's. */
static bool nagle_holds(const struct tcp_conn *conn, uint32_t ahead)
{
    if (!conn->settings->nagle || !ahead)
        return false;
    return !conn->settings->minshall || (seq_gt(conn->active->snd_small, conn->snd_una) &&
                                         seq_leq(conn->active->snd_small, conn->snd_nxt));
}

static enum weir_why judge_small(const struct tcp_conn *conn, uint32_t length, uint32_t available,
                                 uint32_t ahead)
{
    bool is_all = length == available;

    if (conn->sws_override || (is_all && conn->fin_queued))
        return WEIR_WHY_DATA;
    if (is_all && (conn->is_corked || conn->more_holds))
        return WEIR_WHY_WAIT_CORK;
    if (nagle_holds(conn, ahead))
        return is_all ? WEIR_WHY_WAIT_NAGLE : WEIR_WHY_WAIT_SWS;
    if (is_all || length >= max_u32(conn->max_snd_wnd / 2, 1))
        return WEIR_WHY_DATA;
    return WEIR_WHY_WAIT_SWS;
}

static struct tcp_run new_data(const struct tcp_conn *conn, uint32_t length, enum weir_why why)
{
    struct tcp_run run = run_of(conn, TCP_RUN_DATA, conn->snd_nxt, length, why);

    if (conn->phase == TCP_OPEN && conn->active->dup_acks &&
        tcp_loss_in_flight(conn) + length > conn->cc.cwnd)
        run.why = WEIR_WHY_LIMITED_TRANSMIT;
    if (conn->fin_queued && run.seq + length == conn->snd_end && length < tcp_usable_window(conn)) {
        run.flags |= TCP_FIN;
        if (!length)
            run.why = WEIR_WHY_FIN;
    }
    return run;
}

/* What of `length` fills segments. Short messages are spared the division. */
static uint32_t whole_segments(uint32_t length, uint32_t mss)
{
    return length < mss ? 0 : length - length % mss;
}

static struct tcp_run plan_new_data(const struct tcp_conn *conn, const struct tcp_env *env)
{
    uint32_t mss = conn->cc.mss;
    weir_seq end = tcp_marks_after(conn, conn->snd_nxt);
    uint32_t available = end - conn->snd_nxt;
    uint32_t usable = tcp_usable_window(conn);
    uint32_t room = cwnd_room(conn);
    uint32_t length, full;
    enum weir_why why;

    if (!available) /* nothing but our FIN */
        return usable ? new_data(conn, 0, WEIR_WHY_FIN) : nothing(conn, WEIR_WHY_WAIT_WINDOW);
    if (!usable)
        return nothing(conn, WEIR_WHY_WAIT_WINDOW);
    length = min_u32(available, usable);
    if (room < min_u32(mss, length))
        return nothing(conn, WEIR_WHY_WAIT_CWND);
    assert(mss > 0);
    /* Neither cwnd nor the quantum makes a small segment. */
    if (length > room)
        length = whole_segments(room, mss);
    if (length > env->quantum && env->quantum >= mss)
        length = whole_segments(env->quantum, mss);
    full = whole_segments(length, mss);
    if (full == length || (length == available && end != conn->snd_end)) /* it never grows */
        return new_data(conn, length, WEIR_WHY_DATA);
    why = judge_small(conn, length - full, available - full, tcp_flight(conn) + full);
    if (why == WEIR_WHY_DATA)
        return new_data(conn, length, conn->sws_override ? WEIR_WHY_SWS_OVERRIDE : why);
    return full ? new_data(conn, full, WEIR_WHY_DATA) : nothing(conn, why);
}

/* RFC 5682: new data goes first, or has gone; unless the window has no room for it. */
static bool is_asking(const struct tcp_conn *conn)
{
    return conn->asks_first && (seq_gt(conn->snd_nxt, conn->recover) ||
                                (tcp_send_unsent(conn) > 0 && tcp_usable_window(conn) > 0));
}

static struct tcp_run plan_data(const struct tcp_conn *conn, const struct tcp_env *env)
{
    bool has_new = conn->snd_nxt != conn->snd_end || conn->fin_queued;

    if (tcp_fin_sent(conn))
        has_new = false;
    if (!conn->snd_wnd && (has_new || conn->snd_una != conn->snd_nxt))
        return conn->probe_due ? plan_probe(conn) : nothing(conn, WEIR_WHY_WAIT_ZERO_WINDOW);
    if (conn->rtx_once && conn->snd_una != conn->snd_nxt)
        return retransmission(conn, conn->snd_una, (enum weir_why)conn->rtx_why);
    if (conn->phase == TCP_LOSS && seq_lt(conn->active->rtx_nxt, conn->recover) && !is_asking(conn))
        return plan_loss(conn);
    if (!has_new)
        return nothing(conn, WEIR_WHY_IDLE);
    if (conn->is_holding)
        return nothing(conn, WEIR_WHY_WAIT_HOLD);
    return plan_new_data(conn, env);
}

static struct tcp_run plan_synchronised(const struct tcp_conn *conn, const struct tcp_env *env,
                                        uint32_t offer)
{
    struct tcp_run run;

    if (conn->active->acks_owed)
        return run_of(conn, TCP_RUN_ACK, conn->snd_nxt, 0, (enum weir_why)conn->ack_why);
    run = plan_data(conn, env);
    if (run.kind != TCP_RUN_NONE)
        return run;
    if (conn->ack_now)
        return run_of(conn, TCP_RUN_ACK, conn->snd_nxt, 0, (enum weir_why)conn->ack_why);
    if (tcp_recv_is_update(conn, offer))
        return run_of(conn, TCP_RUN_ACK, conn->snd_nxt, 0, WEIR_WHY_WINDOW_UPDATE);
    if (conn->keepalive_due) /* RFC 9293 3.8.4 [SHLD-12] */
        return run_of(conn, TCP_RUN_ACK, conn->snd_nxt - 1, 0, WEIR_WHY_KEEPALIVE);
    if (run.why == WEIR_WHY_IDLE && tcp_timer_is_running(conn, TCP_TIMER_DELAYED_ACK))
        run.why = WEIR_WHY_WAIT_ACK;
    return run;
}

struct tcp_run tcp_plan(const struct tcp_conn *conn, const struct tcp_env *env, weir_time now)
{
    uint32_t offer = tcp_recv_offer(conn, env->memory_pressure);
    struct tcp_run run;

    (void)now;
    if (conn->rst_due)
        run = run_of(conn, TCP_RUN_RST, conn->snd_nxt, 0, WEIR_WHY_RST);
    else if (conn->state == WEIR_STATE_CLOSED)
        run = nothing(conn, WEIR_WHY_WAIT_STATE);
    else if (!tcp_is_synchronised(conn))
        run = plan_opening(conn);
    else
        run = plan_synchronised(conn, env, offer);
    run.window = offer;
    if (run.kind == TCP_RUN_RST && !conn->settings->rst_has_ack)
        run.window = 0;
    return run;
}

/* What lies below snd_nxt was sent again: its records say so from now on (Karn). */
RARE static void record_again(struct tcp_conn *conn, weir_seq seq, weir_seq end, weir_time now)
{
    struct records *records = &conn->active->records;
    uint32_t i;

    records_split(records, conn->context->alloc, conn->snd_una, seq);
    records_split(records, conn->context->alloc, conn->snd_una, end);
    for (i = records_find(records, conn->snd_una, seq); i < records->count; i++) {
        struct record *record = records_at(records, i);

        record->flags |= RECORD_RETRANSMITTED;
        record->sent = now;
        if (seq_geq(record->end, end))
            break;
    }
}

static void record_new(struct tcp_conn *conn, weir_seq end, bool is_pushed, weir_time now)
{
    struct record record = {
        .end = end,
        .flags = is_pushed ? RECORD_PUSHED : 0,
        .sent = now,
        .delivered = conn->bytes_acked,
        .delivered_at = conn->active->stalled_since,
    };

    records_append(&conn->active->records, conn->context->alloc, &record);
}

/* Returns how many bytes of data had been sent before. */
RARE static uint32_t sent_again(struct tcp_conn *conn, const struct tcp_run *run, weir_seq end,
                                weir_time now)
{
    weir_seq again = seq_min(end, conn->snd_nxt);
    uint32_t bytes = seq_min(again, conn->snd_end) - seq_min(run->seq, conn->snd_end);

    record_again(conn, run->seq, again, now);
    conn->retransmissions++;
    conn->context->counters->counter[WEIR_COUNT_RETRANSMISSIONS]++;
    conn->bytes_retransmitted += bytes;
    if (conn->phase == TCP_LOSS)
        conn->active->rtx_nxt = seq_max(conn->active->rtx_nxt, end);
    return bytes;
}

RARE static void sent_probe(struct tcp_conn *conn, weir_time now)
{
    if (!conn->retries)
        conn->active->retried_since = now;
    tcp_probe_user_timer(conn, now);
    conn->probe_due = false;
    if (conn->probes < UINT8_MAX)
        conn->probes++;
    if (conn->retries < UINT8_MAX)
        conn->retries++;
}

static void sent_data(struct tcp_conn *conn, const struct tcp_run *run, uint32_t length,
                      weir_time now)
{
    bool has_fin = (run->flags & TCP_FIN) && length == run->length;
    bool is_first = conn->snd_una == conn->snd_nxt; /* from now on somebody is waited for */
    weir_seq end = run->seq + length + (has_fin ? 1 : 0);

    if (is_first)
        conn->active->stalled_since = now;
    conn->bytes_sent += length;
    if (seq_lt(run->seq, conn->snd_nxt))
        conn->bytes_sent -= sent_again(conn, run, end, now);
    if (seq_gt(end, conn->snd_nxt)) {
        record_new(conn, end, (run->flags & TCP_PSH) && length == run->length, now);
        if (whole_segments(length, conn->cc.mss) != length)
            conn->active->snd_small = run->seq + length;
        conn->snd_nxt = end;
        if (conn->settings->sent_fills_window)
            tcp_loss_sent(conn);
        if (conn->settings->notsent_lowat != UINT32_MAX)
            tcp_send_wake(conn);
        if (is_first)
            tcp_start_user_timer(conn);
    }
    conn->last_sent = now;
    if (run->why == WEIR_WHY_PROBE) {
        sent_probe(conn, now);
        return;
    }
    if (run->seq == conn->snd_una)
        conn->rtx_once = false;
    conn->sws_override = false;
    if (!tcp_timer_is_running(conn, TCP_TIMER_RTO))
        tcp_rto_restart(conn, now);
}

RARE static void sent_syn(struct tcp_conn *conn, weir_time now)
{
    if (conn->snd_nxt == conn->iss) {
        conn->snd_nxt = conn->iss + 1;
        conn->active->stalled_since = now;
        tcp_start_user_timer(conn);
    } else if (conn->rtx_once) {
        conn->retransmissions++;
        conn->context->counters->counter[WEIR_COUNT_RETRANSMISSIONS]++;
    }
    conn->rtx_once = false;
    conn->last_sent = now;
    if (!tcp_timer_is_running(conn, TCP_TIMER_RTO))
        tcp_rto_restart(conn, now);
}

/* The segment carried an ACK and a window. */
static void acknowledged(struct tcp_conn *conn, const struct tcp_run *run, weir_time now)
{
    tcp_ack_sent(conn, run->kind == TCP_RUN_DATA && run->length > 0, now);
    if (run->kind == TCP_RUN_ACK && conn->active->acks_owed)
        conn->active->acks_owed--;
    conn->ack_now = false;
    tcp_stop_timer(conn, TCP_TIMER_DELAYED_ACK);
    conn->rcv_acked = conn->rcv_nxt;
    conn->rcv_adv = seq_max(conn->rcv_adv, conn->rcv_nxt + run->window);
}

void tcp_sent(struct tcp_conn *conn, const struct tcp_run *run, uint32_t length, uint32_t segments,
              weir_time now)
{
    conn->segments_sent += segments;
    conn->context->counters->counter[WEIR_COUNT_SEGMENTS_OUT] += segments;
    switch (run->kind) {
    case TCP_RUN_SYN:
        sent_syn(conn, now);
        break;
    case TCP_RUN_DATA:
        sent_data(conn, run, length, now);
        break;
    case TCP_RUN_ACK:
        if (run->why == WEIR_WHY_PROBE) {
            sent_probe(conn, now);
        } else if (run->why == WEIR_WHY_KEEPALIVE) {
            conn->keepalive_due = false;
            conn->probes++;
        }
        break;
    case TCP_RUN_RST:
        conn->rst_due = false;
        conn->context->counters->counter[WEIR_COUNT_RSTS_OUT]++;
        return;
    case TCP_RUN_NONE:
        return;
    }
    if (conn->state == WEIR_STATE_SYN_SENT)
        conn->rcv_adv = conn->rcv_nxt + run->window;
    else
        acknowledged(conn, run, now);
}

/* The interval between probes doubles like the RTO (RFC 9293 3.8.6.1 [SHLD-29, SHLD-30]). */
static weir_time probe_interval(const struct tcp_conn *conn)
{
    weir_time interval = conn->rto;
    unsigned i;

    for (i = 0; i < conn->probes && interval < conn->settings->rto_max; i++)
        interval *= 2;
    return min_i64(interval, conn->settings->rto_max);
}

static weir_time override_delay(const struct tcp_conn *conn, enum weir_why why)
{
    if (!conn->settings->sws_override)
        return conn->rto;
    return why == WEIR_WHY_WAIT_CORK ? CORK_MAX : conn->settings->sws_override;
}

weir_time tcp_wait(struct tcp_conn *conn, enum weir_why why, weir_time now)
{
    bool is_small = why == WEIR_WHY_WAIT_SWS || why == WEIR_WHY_WAIT_CORK;

    tcp_meter_wait(conn, why, now);
    if (why == WEIR_WHY_WAIT_ZERO_WINDOW) {
        tcp_stop_timer(conn, TCP_TIMER_RTO);
        if (!tcp_timer_is_running(conn, TCP_TIMER_PERSIST))
            tcp_start_timer(conn, TCP_TIMER_PERSIST, now + probe_interval(conn));
    } else {
        tcp_stop_timer(conn, TCP_TIMER_PERSIST);
        conn->probe_due = false;
    }
    if (!is_small)
        tcp_stop_timer(conn, TCP_TIMER_SWS);
    else if (!tcp_timer_is_running(conn, TCP_TIMER_SWS))
        tcp_start_timer(conn, TCP_TIMER_SWS, now + override_delay(conn, why));
    return tcp_deadline(conn);
}
