/* SPDX-License-Identifier: MIT */

/* When in-order data is acknowledged: RFC 9293 3.8.6.3, RFC 5681 4.2, and what Linux makes of it.
 *
 * At once: when two segments' worth is not acknowledged yet, or when there is no delay at all; and
 * beside a gap, filled or still open, as recv.c sees to. Else the delayed-ACK timer starts, or goes on.
 *
 * The settings refine that; with their values of the RFC's profiles nothing below the first test runs.
 *
 *   ack_by_peer_segment   "two segments" is more than one of the size that the peer uses, measured;
 *                         with window_in_segments, what the application has not read must leave the
 *                         window as it was: an ACK that offers less is not worth its packet
 *   quick_acks            the first segments of a connection, and those after a pause longer than an
 *                         RTO or after one that was not acceptable, are acknowledged each, at most
 *                         half a window of them: the peer is in slow start, and counts
 *   delayed_ack_max       the delay follows the time between the peer's segments, between delayed_ack
 *                         and this; it doubles when the timer has expired, as nothing came in time
 *
 *   ack_on_read           a reader who has emptied the buffer, of data whose end was seen, gets the delayed
 *                         ACK sent at once; of an interactive connection, only after two such ends
 *
 *   delay_fin_ack         the ACK of a FIN waits too, where data came before: whoever closes then needs one
 *                         segment for both; no quick ACK hastens it, but what it ends may be enough
 *
 * A connection on which data goes out within that time of data coming in is interactive: its ACKs ride
 * on the answers, and it gets no quick ones. */

#include <base/bytes.h>
#include <tcp/tcp.h>

#define PEER_SEGMENT_FIRST 536u /* taken for the peer's segment before one was seen */
#define PEER_SEGMENT_MIN 88u

void tcp_ack_start(struct tcp_conn *conn, weir_time now)
{
    uint32_t segment = min_u32(conn->rcv_mss, PEER_SEGMENT_FIRST);

    segment = min_u32(segment, max_u32(tcp_recv_window(conn) / 2, 1));
    conn->peer_segment = (uint16_t)max_u32(segment, min_u32(PEER_SEGMENT_MIN, conn->rcv_mss));
    conn->rcv_ssthresh = tcp_recv_window(conn);
    conn->last_data = now;
}

void tcp_ack_quickly(struct tcp_conn *conn)
{
    uint32_t most = conn->settings->quick_acks;
    uint32_t half = tcp_recv_window(conn) / (2u * max_u32(conn->peer_segment, 1));

    if (!most)
        return;
    half = min_u32(max_u32(half, 2), most);
    conn->quick_acks = (uint8_t)max_u32(conn->quick_acks, min_u32(half, UINT8_MAX));
}

void tcp_ack_refused(struct tcp_conn *conn)
{
    tcp_ack_quickly(conn);
    conn->is_interactive = false;
    conn->ack_delay = conn->settings->delayed_ack;
}

/* The size of the peer's segments, and whether this one ends what it had to say: one that is smaller, or
 * has PSH. */
static void note_size(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    bool is_small = segment->length < conn->peer_segment;

    if (!is_small)
        conn->peer_segment = (uint16_t)min_u32(segment->length, conn->rcv_mss);
    if (is_small && conn->small_came)
        conn->small_came = 2;
    else if ((is_small || (segment->flags & TCP_PSH)) && !conn->small_came)
        conn->small_came = 1;
}

/* What the pace of the peer's data says. */
static void note_pace(struct tcp_conn *conn, weir_time now)
{
    const struct weir_tcp_settings *settings = conn->settings;
    weir_time pause = now - conn->last_data;

    if (!conn->ack_delay) { /* the first data */
        tcp_ack_quickly(conn);
        conn->ack_delay = settings->delayed_ack;
    } else if (pause <= settings->delayed_ack / 2) {
        conn->ack_delay = (conn->ack_delay + settings->delayed_ack) / 2;
    } else if (pause < conn->ack_delay) {
        conn->ack_delay = min_i64(conn->ack_delay / 2 + pause, conn->rto);
    } else if (pause > conn->rto) {
        tcp_ack_quickly(conn);
    }
    conn->last_data = now;
}

/* The present delay: RFC 9293 3.8.6.3 [MUST-40] bounds it by 0.5 s. */
static weir_time delay_of(const struct tcp_conn *conn)
{
    weir_time least = conn->settings->delayed_ack;
    weir_time most = max_i64(conn->settings->delayed_ack_max, least);

    if (conn->has_rtt)
        most = min_i64(most, max_i64(conn->srtt, least));
    return min_i64(max_i64(conn->ack_delay, least), most);
}

/* Is so much not acknowledged that it must be [SHLD-19]? */
static bool is_enough(const struct tcp_conn *conn)
{
    uint32_t unacknowledged = conn->rcv_nxt - conn->rcv_acked;

    if (!conn->settings->ack_by_peer_segment)
        return unacknowledged >= 2u * conn->rcv_mss;
    return unacknowledged > conn->peer_segment &&
           (!conn->settings->window_in_segments || !tcp_recv_readable(conn) ||
            tcp_recv_offer(conn, false) >= conn->rcv_adv - conn->rcv_acked);
}

static void start_delay(struct tcp_conn *conn, weir_time now)
{
    weir_time at = now + delay_of(conn);

    if (!tcp_timer_is_running(conn, TCP_TIMER_DELAYED_ACK) ||
        conn->active->timers[TCP_TIMER_DELAYED_ACK] > at)
        tcp_start_timer(conn, TCP_TIMER_DELAYED_ACK, at);
}

bool tcp_ack_data_came(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now)
{
    bool is_last = (segment->flags & TCP_FIN) && conn->settings->delay_fin_ack;

    note_size(conn, segment);
    note_pace(conn, now);
    if (conn->settings->delayed_ack == 0 || is_enough(conn) ||
        (conn->quick_acks && !conn->is_interactive && !is_last))
        return true;
    start_delay(conn, now);
    return false;
}

bool tcp_ack_fin_came(struct tcp_conn *conn, weir_time now)
{
    if (!conn->settings->delay_fin_ack || conn->state != WEIR_STATE_ESTABLISHED ||
        !conn->ack_delay || conn->ack_now || is_enough(conn))
        return true;
    conn->is_interactive = true;
    start_delay(conn, now);
    return false;
}

bool tcp_ack_wanted_by_reader(const struct tcp_conn *conn)
{
    if (!conn->settings->ack_on_read || !tcp_timer_is_running(conn, TCP_TIMER_DELAYED_ACK))
        return false;
    if (conn->rcv_nxt - conn->rcv_acked > conn->peer_segment)
        return true;
    return !tcp_recv_readable(conn) && !conn->active->ooo.count &&
           conn->small_came > (conn->is_interactive ? 1 : 0);
}

void tcp_ack_expired(struct tcp_conn *conn)
{
    if (conn->is_interactive) {
        conn->is_interactive = false;
        conn->ack_delay = conn->settings->delayed_ack;
    } else {
        conn->ack_delay = min_i64(2 * conn->ack_delay, conn->rto);
    }
}

void tcp_ack_sent(struct tcp_conn *conn, bool is_data, weir_time now)
{
    conn->small_came = 0;
    if (conn->quick_acks && conn->rcv_nxt != conn->rcv_acked && !--conn->quick_acks)
        conn->ack_delay = conn->settings->delayed_ack;
    if (is_data && now - conn->last_data < conn->ack_delay && conn->settings->quick_acks)
        conn->is_interactive = true;
}
