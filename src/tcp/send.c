/* SPDX-License-Identifier: MIT */

/* The sending half of a connection: the buffer of bytes that the application wrote and the peer has
 * not acknowledged, and what the peer's window allows.
 *
 * The ring's offset 0 is snd_base: the first unacknowledged byte of data, which is snd_una but for
 * the SYN (before it is acknowledged) and the FIN (after). Sequence numbers map to offsets by one
 * subtraction. Acknowledged bytes leave at the front, written bytes come at the end.
 *
 * The window belongs to the peer and may do anything (RFC 9293 3.8.6): it may shrink below what is
 * out already [MUST-34], so "usable" is computed as a signed distance and never below zero. It is
 * taken only from segments that are not older than the one it was last taken from (SND.WL1, SND.WL2
 * [U-14]). A window of zero starts probing (timer.c, plan.c); when it opens again, whatever is out
 * was thrown away by the peer and goes out again (loss.c). */

#include <assert.h>
#include <base/bytes.h>
#include <tcp/tcp.h>

uint32_t tcp_send_queued(const struct tcp_conn *conn)
{
    if (conn->state == WEIR_STATE_CLOSED)
        return 0;
    return conn->snd_end - tcp_send_base(conn);
}

uint32_t tcp_send_room(const struct tcp_conn *conn)
{
    uint32_t queued = tcp_send_queued(conn);

    return queued < conn->send_buffer ? conn->send_buffer - queued : 0;
}

uint32_t tcp_send_unsent(const struct tcp_conn *conn)
{
    int32_t unsent = seq_diff(conn->snd_end, conn->snd_nxt); /* -1 once our FIN is out */

    return unsent > 0 ? (uint32_t)unsent : 0;
}

/* Half of the limit: whoever fills up to it is not woken by each segment that leaves. */
static bool is_below_lowat(const struct tcp_conn *conn)
{
    uint32_t limit = conn->settings->notsent_lowat;

    return limit == UINT32_MAX || tcp_send_unsent(conn) < limit / 2 + (limit & 1);
}

bool tcp_send_is_writable(const struct tcp_conn *conn)
{
    return tcp_send_room(conn) > 0 && is_below_lowat(conn);
}

uint8_t *tcp_send_begin(struct tcp_conn *conn, uint32_t want, uint32_t *length)
{
    uint32_t offset = tcp_send_queued(conn);

    /* The last eighth of the memory is for data that comes in order (recv.c). */
    if (alloc_is_tight(conn->context->alloc) || !tcp_wake(conn))
        return NULL;
    want = min_u32(want, RING_CHUNK); /* more in one piece is not to be had */
    while (!ring_reserve(&conn->active->snd_ring, conn->context->rings, offset, want)) {
        if (want <= RING_BLOCK_MIN)
            return NULL;
        want /= 2;
    }
    return ring_span(&conn->active->snd_ring, offset, want, length);
}

void tcp_send_commit(struct tcp_conn *conn, uint32_t length, bool more, bool urgent)
{
    conn->snd_end += length;
    conn->more_coming = conn->more_holds = more;
    conn->want_out |= !is_below_lowat(conn);
    if (urgent && length) { /* RFC 9293 3.8.5 [MUST-62]: one past the last urgent byte */
        conn->active->snd_up = conn->snd_end;
        conn->is_urgent_out = true;
    }
}

/* RFC 6298 5.2, 5.3; RFC 9293 3.10.8 for the user timeout. */
static void restart_timers(struct tcp_conn *conn, weir_time now)
{
    bool is_waiting = conn->snd_una != conn->snd_nxt;

    conn->retries = 0;
    conn->past_r1 = false;
    conn->active->stalled_since = now;
    if (is_waiting && tcp_timer_is_running(conn, TCP_TIMER_RTO))
        tcp_rto_restart(conn, now);
    else if (!is_waiting)
        tcp_stop_timer(conn, TCP_TIMER_RTO);
    tcp_start_user_timer(conn);
}

/* The sample comes from the newest record that the ACK reaches into, unless anything up to it was
 * sent twice: Karn's rule, RFC 9293 3.8.1 [MUST-18]. Returns whether there was one. */
static bool sample_rtt(struct tcp_conn *conn, weir_seq ack, weir_time now)
{
    uint32_t newest = records_find(&conn->active->records, conn->snd_una, ack - 1);
    uint32_t i;

    if (newest >= conn->active->records.count)
        return false;
    for (i = 0; i <= newest; i++) {
        if (records_at(&conn->active->records, i)->flags & (RECORD_RETRANSMITTED | RECORD_MERGED))
            return false;
    }
    tcp_rtt_sample(conn, now - records_at(&conn->active->records, newest)->sent);
    return true;
}

/* Room for a quarter of the buffer, or for everything: less would wake the writer for crumbs. */
void tcp_send_wake(struct tcp_conn *conn)
{
    uint32_t room = tcp_send_room(conn);

    if (!conn->want_out || !tcp_is_synchronised(conn) || !is_below_lowat(conn) ||
        (room < conn->send_buffer / 4 && tcp_send_queued(conn)))
        return;
    conn->want_out = false;
    conn->events |= WEIR_OUT;
}

void tcp_send_acked(struct tcp_conn *conn, weir_seq ack, weir_time now)
{
    weir_seq base = tcp_send_base(conn);
    uint32_t data;

    /* Karn's other half: without a sample the timeout stays backed off (RFC 6298 5.5, and its note). */
    if (!sample_rtt(conn, ack, now) && conn->phase == TCP_LOSS)
        conn->rto = tcp_rto_backed_off(conn);
    tcp_loss_acked(conn, ack, now);
    tcp_meter_acked(conn, ack);
    records_acknowledge(&conn->active->records, conn->context->alloc, ack);
    conn->snd_una = ack;
    data = seq_min(ack, conn->snd_end) - base;
    ring_consume(&conn->active->snd_ring, conn->context->rings, data);
    conn->bytes_acked += data;
    if (conn->is_urgent_out && seq_leq(conn->active->snd_up, ack))
        conn->is_urgent_out = false;
    tcp_marks_acked(conn, ack);
    restart_timers(conn, now);
    tcp_send_wake(conn);
}

void tcp_send_window(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now)
{
    bool was_closed = conn->snd_wnd == 0;

    if (!seq_lt(conn->snd_wl1, segment->seq) &&
        !(conn->snd_wl1 == segment->seq && seq_leq(conn->snd_wl2, segment->ack)))
        return;
    conn->snd_wnd = segment->window;
    conn->snd_wl1 = segment->seq;
    conn->snd_wl2 = segment->ack;
    if (conn->snd_wnd > conn->max_snd_wnd) {
        conn->max_snd_wnd = conn->snd_wnd;
        tcp_bound_mss(conn);
    }
    if (was_closed && !conn->snd_wnd && !conn->settings->probe_has_data &&
        conn->snd_una == conn->snd_nxt)
        tcp_stop_timer(conn, TCP_TIMER_PERSIST); /* it begins anew with the answer */
    if (!was_closed || !conn->snd_wnd)
        return;
    tcp_stop_timer(conn, TCP_TIMER_PERSIST);
    conn->probe_due = false;
    conn->probes = 0;
    conn->retries = 0;
    if (conn->settings->r2_from_retransmission)
        tcp_stop_timer(conn, TCP_TIMER_USER);
    if (conn->snd_una != conn->snd_nxt) {
        tcp_loss_reopened(conn, now);
        tcp_rto_restart(conn, now);
    }
}
