/* SPDX-License-Identifier: MIT */

/* What was lost, and how much may be sent while that is being mended: RFC 5681 fast retransmit, RFC
 * 6582 (NewReno) fast recovery, RFC 3042 limited transmit, and slow start after a time-out.
 *
 *   OPEN ──third duplicate ACK──► RECOVERY ──`recover` acknowledged──► OPEN
 *     │                              │
 *     └────────── time-out ──────────┴──────► LOSS ──`recover` acknowledged──► OPEN
 *
 * RECOVERY sends the first unacknowledged segment again at once (rtx_once), then one more for each
 * partial ACK. Each duplicate ACK says that a segment has left the network, so cwnd is inflated by
 * one MSS and new data keeps the ACK clock going; at the end cwnd is deflated.
 *
 * LOSS sends [rtx_nxt, recover) again in slow start. What is in flight then is what was sent since
 * the time-out: [snd_una, rtx_nxt) and whatever lies beyond `recover`. An ACK that jumps past rtx_nxt
 * moves it along, so data that did arrive is not sent again.
 *
 * With the setting `frto` (RFC 5682, as Linux has it) a time-out is doubted. If the first ACK covers data
 * that was sent once only, it came late and nothing was lost: cwnd and ssthresh are what they were. If it
 * covers only what was sent again, two new segments go out instead of old ones, and the ACKs of those
 * decide: one that moves on takes the time-out back, a duplicate makes the loss real.
 *
 * The bytes that may be in flight are the congestion control's (cc.h); this file tells it what
 * happened. The inflation is bounded by what can have left: a peer that invents duplicate ACKs gains
 * nothing beyond the data that is out (Savage et al. 1999). */

#include <base/bytes.h>
#include <base/rare.h>
#include <tcp/cc.h>
#include <tcp/tcp.h>

#define DUP_ACK_THRESHOLD TCP_DUP_ACK_THRESHOLD
#define LIMITED_TRANSMIT (DUP_ACK_THRESHOLD - 1) /* segments, RFC 3042 */

uint32_t tcp_loss_in_flight(const struct tcp_conn *conn)
{
    uint32_t in_flight;

    if (conn->phase != TCP_LOSS)
        return tcp_flight(conn);
    in_flight = conn->active->rtx_nxt - conn->snd_una;
    if (seq_gt(conn->snd_nxt, conn->recover))
        in_flight += conn->snd_nxt - seq_max(conn->recover, conn->active->rtx_nxt);
    if (conn->settings->frto) /* the new data that asked has arrived */
        in_flight -= min_u32(in_flight, conn->active->dup_acks * (uint32_t)conn->cc.mss);
    return in_flight;
}

/* RFC 5681 3.2 step 2: what limited transmit sent beyond cwnd does not count. */
static uint32_t flight_without_limited(const struct tcp_conn *conn)
{
    uint32_t flight = tcp_flight(conn);
    uint32_t beyond = flight > conn->cc.cwnd ? flight - conn->cc.cwnd : 0;

    return flight - min_u32(beyond, LIMITED_TRANSMIT * conn->cc.mss);
}

RARE static void enter_recovery(struct tcp_conn *conn, weir_time now)
{
    conn->phase = TCP_RECOVERY;
    conn->recover = conn->snd_nxt;
    cc_at(conn->cc_row)->lost(&conn->cc, flight_without_limited(conn), now);
    conn->cc.cwnd = conn->cc.ssthresh + DUP_ACK_THRESHOLD * conn->cc.mss;
    conn->rtx_once = true;
    conn->rtx_why = WEIR_WHY_RETRANSMIT_FAST;
    conn->fast_retransmits++;
}

/* How many can be honest before the next ACK of new data: one for each segment that is out of the flight
 * that is being mended, and for what is sent beyond it meanwhile. */
static uint32_t plausible_dup_acks(const struct tcp_conn *conn)
{
    uint32_t bytes = conn->recover - conn->snd_una + conn->cc.ssthresh;

    return bytes / conn->cc.mss + DUP_ACK_THRESHOLD;
}

RARE void tcp_loss_dup_ack(struct tcp_conn *conn, weir_time now)
{
    conn->dup_acks_received++;
    if (conn->asks_first) /* RFC 5682 2.1 step 3a: the loss is real */
        conn->may_undo = conn->asks_first = false;
    if (conn->active->dup_acks < UINT16_MAX)
        conn->active->dup_acks++;
    /* RFC 6582 3.2 step 2: not again for losses of a window that is mended already, nor for the echo of
     * what was sent twice after a time-out: the ACK must cover more than `recover`. */
    if (conn->phase == TCP_OPEN && conn->active->dup_acks == DUP_ACK_THRESHOLD &&
        seq_gt(conn->snd_una, conn->recover))
        enter_recovery(conn, now);
    else if (conn->phase == TCP_RECOVERY && conn->active->dup_acks <= plausible_dup_acks(conn))
        conn->cc.cwnd += conn->cc.mss;
}

/* RFC 6582 3.2 step 3. */
RARE static void acked_in_recovery(struct tcp_conn *conn, weir_seq ack, weir_time now)
{
    uint32_t acked = ack - conn->snd_una;

    if (seq_geq(ack, conn->recover)) {
        conn->phase = TCP_OPEN;
        conn->rtx_once = false;
        cc_at(conn->cc_row)->recovered(&conn->cc, conn->snd_nxt - ack, now);
        return;
    }
    conn->rtx_once = true;
    conn->rtx_why = WEIR_WHY_RETRANSMIT_PARTIAL;
    conn->cc.cwnd -= min_u32(acked, conn->cc.cwnd - min_u32(conn->cc.cwnd, conn->cc.mss));
    if (acked >= conn->cc.mss)
        conn->cc.cwnd += conn->cc.mss;
}

/* What is acknowledged and was not known to have arrived: dup_acks_deliver. */
static uint32_t newly_delivered(const struct tcp_conn *conn, uint32_t acked, uint32_t dup_acks)
{
    uint32_t known = min_u32(dup_acks, TCP_DUP_ACK_THRESHOLD) * conn->cc.mss;

    if (!conn->settings->dup_acks_deliver || conn->phase != TCP_OPEN)
        return acked;
    return max_u32(acked - min_u32(known, acked), min_u32(conn->cc.mss, acked));
}

void tcp_loss_sent(struct tcp_conn *conn)
{
    struct tcp_active *active = conn->active;
    uint32_t in_flight = tcp_loss_in_flight(conn);
    bool is_full = in_flight + conn->cc.mss > conn->cc.cwnd;
    uint32_t segments = min_u32((in_flight + conn->cc.mss - 1) / conn->cc.mss, UINT16_MAX);

    if (active->used_max && seq_lt(conn->snd_una, active->used_end) && !is_full &&
        (conn->used_up || segments <= active->used_max))
        return;
    conn->used_up = is_full;
    active->used_max = (uint16_t)segments;
    active->used_end = conn->snd_nxt;
}

/* Is cwnd what bounds us, or in slow start less than twice what was out? What was never filled does not
 * grow. */
static bool is_limited(const struct tcp_conn *conn, uint32_t in_flight)
{
    bool is_slow_start = conn->cc.cwnd < conn->cc.ssthresh;
    uint32_t out = in_flight;
    bool is_full = in_flight + conn->cc.mss > conn->cc.cwnd;

    if (conn->settings->sent_fills_window) {
        is_full = conn->used_up;
        out = conn->active->used_max * (uint32_t)conn->cc.mss;
    }
    return conn->phase == TCP_LOSS || is_full || (is_slow_start && conn->cc.cwnd < 2 * out);
}

static void grow_window(struct tcp_conn *conn, weir_seq ack, uint32_t dup_acks, weir_time now)
{
    uint32_t in_flight = tcp_loss_in_flight(conn);
    bool is_restarting = conn->phase == TCP_LOSS && conn->cc.cwnd < conn->cc.ssthresh;
    struct weir_cc_ack acked = {
        .acked = newly_delivered(conn, ack - conn->snd_una, dup_acks),
        .in_flight = in_flight,
        .cwnd_limited = is_limited(conn, in_flight),
    };

    /* RFC 3465 2.3: after a time-out one ACK may cover much that was long there. */
    if (is_restarting && conn->cc.slow_start_limit)
        acked.acked = min_u32(acked.acked, conn->cc.mss);
    cc_at(conn->cc_row)->acked(&conn->cc, &acked, now);
}

/* RFC 5682 2.1 step 2, and 3b. */
static void doubt_loss(struct tcp_conn *conn, weir_seq ack)
{
    if (conn->phase != TCP_LOSS || !conn->may_undo)
        return;
    if (seq_gt(ack, conn->active->rtx_nxt)) { /* what was sent once only has arrived */
        conn->cc.cwnd = max_u32(conn->cc.cwnd, conn->active->undo_cwnd);
        conn->cc.ssthresh = max_u32(conn->cc.ssthresh, conn->active->undo_ssthresh);
        conn->may_undo = conn->asks_first = false;
        conn->phase = TCP_OPEN;
    } else if (!conn->asks_first) {
        conn->asks_first = seq_lt(ack, conn->recover) && tcp_send_unsent(conn);
        conn->may_undo = conn->asks_first;
    }
}

void tcp_loss_acked(struct tcp_conn *conn, weir_seq ack, weir_time now)
{
    uint32_t dup_acks = conn->active->dup_acks;

    conn->active->dup_acks = 0;
    if (conn->phase == TCP_RECOVERY) {
        acked_in_recovery(conn, ack, now);
        return;
    }
    doubt_loss(conn, ack);
    grow_window(conn, ack, dup_acks, now);
    if (conn->phase != TCP_LOSS) {
        conn->recover = seq_max(conn->recover, ack - 1); /* never falls 2^31 behind */
        return;
    }
    conn->active->rtx_nxt = seq_max(conn->active->rtx_nxt, ack);
    if (seq_geq(ack, conn->recover))
        conn->phase = TCP_OPEN;
}

void tcp_loss_timeout(struct tcp_conn *conn, weir_time now)
{
    bool is_first = conn->retries == 0;

    if (conn->phase != TCP_LOSS) {
        conn->active->undo_cwnd = conn->cc.cwnd;
        conn->active->undo_ssthresh = conn->cc.ssthresh;
        conn->may_undo = conn->settings->frto && conn->phase == TCP_OPEN;
    }
    conn->asks_first = false;
    cc_at(conn->cc_row)->timed_out(&conn->cc, tcp_flight(conn), is_first, now);
    conn->phase = TCP_LOSS;
    conn->recover = conn->snd_nxt;
    conn->active->rtx_nxt = conn->snd_una;
    conn->rtx_once = false;
    conn->active->dup_acks = 0;
    conn->timeouts++;
}

void tcp_loss_reopened(struct tcp_conn *conn, weir_time now)
{
    if (conn->phase == TCP_RECOVERY) /* what duplicate ACKs have inflated ends with it */
        cc_at(conn->cc_row)->recovered(&conn->cc, tcp_flight(conn), now);
    conn->phase = TCP_LOSS;
    conn->recover = conn->snd_nxt;
    conn->active->rtx_nxt = conn->snd_una;
    conn->rtx_once = false;
    conn->active->dup_acks = 0;
    conn->may_undo = conn->asks_first = false;
}
