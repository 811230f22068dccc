/* SPDX-License-Identifier: MIT */

/* The receiving half of a connection: reassembly, the window that is offered, what is acknowledged.
 *
 *   rcv_read          rcv_nxt                       rcv_adv
 *   ┼─────────────────┼──────────▒▒▒▒▒────▒▒────────┼
 *     can be read       gap       ooo ranges          right edge that was offered
 *
 * Received bytes go straight to their place in the ring (offset 0 is rcv_read), in order or not; a
 * set of ranges remembers what lies beyond a gap. When the copy can be trusted to hit free bytes
 * only, it is made before the checksum is known and the sum is taken in the same pass; the bytes
 * count as received only when rcv_nxt moves or the range is added, after the sum was found right.
 *
 * The right edge is a promise: it never moves left [SHLD-14]. It moves right by min(buffer / 2, MSS)
 * or more at a time (RFC 9293 3.8.6.2.2 [MUST-39]).
 *
 * ACKs are counted, not sent: one pure ACK for each out-of-order, duplicate or unacceptable segment,
 * since the peer counts them (RFC 5681); in-order data wants at most one per batch, at once or
 * delayed (RFC 9293 3.8.6.3, RFC 5681 4.2). When a gap is filled, what was owed for it is void: the
 * one ACK that covers all is due at once [MUST-59].
 *
 * When memory is tight windows stop growing, and neither out-of-order data nor the writer gets any
 * more: the last eighth of the budget is the reserve of data that comes in order. If that is gone too,
 * the connection's own out-of-order bytes are given up for it.
 *
 * Bounds: ACKS_OWED_MAX pure ACKs in one batch; ooo_ranges_max ranges; the ring never holds more than
 * the window that was offered. */

#include <assert.h>
#include <base/bytes.h>
#include <base/checksum.h>
#include <base/rare.h>
#include <tcp/tcp.h>

#define ACKS_OWED_MAX 64
#define PAYING_SEGMENT 128u /* segments from here on are worth their memory: the window may grow */

/* Room that the buffer has beyond what is offered now. */
static uint32_t free_window(const struct tcp_conn *conn)
{
    uint32_t unread = tcp_recv_readable(conn);
    uint32_t room = conn->receive_buffer > unread ? conn->receive_buffer - unread : 0;

    return min_u32(room, min_u32(conn->settings->window_max, 65535));
}

uint32_t tcp_recv_first_window(const struct weir_tcp_settings *settings, uint32_t mss)
{
    uint32_t window = settings->receive_buffer;

    if (settings->window_in_segments && window > mss)
        window -= window % mss;
    return min_u32(window, min_u32(settings->window_max, 65535));
}

static uint32_t offer_room(const struct tcp_conn *conn, bool memory_pressure)
{
    uint32_t offered = tcp_recv_window(conn);
    uint32_t room = free_window(conn);
    uint32_t step = min_u32(conn->receive_buffer / 2, conn->rcv_mss);

    if (memory_pressure || conn->fin_received || room < offered || room - offered < step)
        return offered;
    return room;
}

/* window_in_segments: whole segments of the peer's, none while that would be less than one or a
 * sixteenth of the buffer, and as it is as long as that is near enough. */
RARE static uint32_t offer_segments(const struct tcp_conn *conn)
{
    uint32_t room = free_window(conn);
    uint32_t full = min_u32(conn->receive_buffer, min_u32(conn->settings->window_max, 65535));
    uint32_t mss = min_u32(conn->peer_segment, full);
    uint32_t last = conn->rcv_adv - conn->rcv_acked;

    if (!mss || (room < full / 2 && (room < conn->receive_buffer / 16 || room < mss)))
        return 0;
    room = min_u32(room, conn->rcv_ssthresh);
    if (last + mss <= room || last > room)
        return room - room % mss;
    return mss == full && room > last + full / 2 ? room : last;
}

uint32_t tcp_recv_offer(const struct tcp_conn *conn, bool memory_pressure)
{
    uint32_t offered = tcp_recv_window(conn);

    if (!conn->settings->window_in_segments)
        return offer_room(conn, memory_pressure);
    if (conn->state == WEIR_STATE_SYN_SENT)
        return tcp_recv_first_window(conn->settings, conn->rcv_mss);
    if (memory_pressure || !tcp_is_synchronised(conn))
        return offered;
    return max_u32(offered, offer_segments(conn));
}

bool tcp_recv_is_update(const struct tcp_conn *conn, uint32_t offer)
{
    uint32_t offered = tcp_recv_window(conn);

    if (offer == offered || conn->has_fin)
        return false;
    if (conn->settings->window_in_segments) /* when it can be doubled */
        return offer >= 2 * offered;
    return offer - offered >= min_u32(conn->receive_buffer / 2, 2u * conn->rcv_mss) ||
           offered < conn->rcv_mss;
}

bool tcp_recv_update_due(const struct tcp_conn *conn, bool memory_pressure)
{
    return tcp_recv_is_update(conn, tcp_recv_offer(conn, memory_pressure));
}

void tcp_owe_ack(struct tcp_conn *conn, enum weir_why why)
{
    if (conn->active->acks_owed < ACKS_OWED_MAX)
        conn->active->acks_owed++;
    conn->ack_why = (uint8_t)why;
}

/* RFC 5961 10: a bounded number each second, so that neither a flood nor a mirror gets more out than
 * it puts in. */
enum weir_drop tcp_owe_challenge(struct tcp_conn *conn, enum weir_drop reason, weir_time now)
{
    if (conn->active->challenges &&
        now - conn->active->challenged < conn->settings->invalid_ratelimit)
        return WEIR_DROP_TCP_CHALLENGE_RATE;
    if (!conn->active->challenges || now - conn->active->challenge_from >= WEIR_SECOND) {
        conn->active->challenge_from = now;
        conn->active->challenges = 0;
    }
    if (conn->active->challenges >= conn->settings->challenge_acks_per_second)
        return WEIR_DROP_TCP_CHALLENGE_RATE;
    conn->active->challenges++;
    conn->active->challenged = now;
    conn->context->counters->counter[WEIR_COUNT_CHALLENGE_ACKS]++;
    tcp_owe_ack(conn, WEIR_WHY_CHALLENGE_ACK);
    return reason;
}

static void ack_at_once(struct tcp_conn *conn, enum weir_why why)
{
    conn->ack_now = true;
    if (!conn->active->acks_owed)
        conn->ack_why = (uint8_t)why;
}

/* In-order data came: RFC 9293 3.8.6.3 [SHLD-18, SHLD-19, MUST-40]. */
static void note_in_order(struct tcp_conn *conn, const struct tcp_segment *segment, bool filled_gap,
                          weir_time now)
{
    bool is_due = tcp_ack_data_came(conn, segment, now);

    if (conn->active->acks_owed) {
        conn->active->acks_owed = 0;
        filled_gap = true;
    }
    if (filled_gap || is_due)
        ack_at_once(conn, WEIR_WHY_ACK);
}

static bool can_receive(const struct tcp_conn *conn)
{
    return conn->state == WEIR_STATE_ESTABLISHED || conn->state == WEIR_STATE_FIN_WAIT_1 ||
           conn->state == WEIR_STATE_FIN_WAIT_2;
}

/* All of the data falls on free bytes inside the window, and may have memory. */
static bool hits_free_bytes(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    weir_seq end = segment->seq + segment->length;

    if (segment->seq != conn->rcv_nxt && alloc_is_tight(conn->context->alloc))
        return false; /* out-of-order bytes get none of the reserve */
    return segment->length > 0 && can_receive(conn) && !conn->rcv_shut && !conn->has_fin &&
           !(segment->flags & (TCP_SYN | TCP_RST)) && seq_geq(segment->seq, conn->rcv_nxt) &&
           seq_leq(end, conn->rcv_adv) &&
           (!conn->active->ooo.count || !ranges_overlap(&conn->active->ooo, segment->seq, end));
}

bool tcp_recv_land(struct tcp_conn *conn, struct tcp_segment *segment)
{
    uint32_t offset = segment->seq - conn->rcv_read;
    uint32_t sum;

    if (segment->is_verified || !hits_free_bytes(conn, segment) ||
        !ring_reserve(&conn->active->rcv_ring, conn->context->rings, offset, segment->length))
        return tcp_segment_verify(conn->context, segment);
    sum = ring_write_summed(&conn->active->rcv_ring, offset, segment->data, segment->length,
                            segment->sum);
    segment->is_verified = checksum_fold(sum) == 0xffff;
    segment->is_landed = segment->is_verified;
    return segment->is_verified;
}

/* Puts the bytes in their place, unless they are there already. */
static bool place(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    uint32_t offset = segment->seq - conn->rcv_read;

    if (segment->is_landed)
        return true;
    if (!ring_reserve(&conn->active->rcv_ring, conn->context->rings, offset, segment->length)) {
        /* Out-of-order bytes are the first to go: they will come again. */
        if (!tcp_recv_shed(conn) ||
            !ring_reserve(&conn->active->rcv_ring, conn->context->rings, offset, segment->length))
            return false;
    }
    ring_write(&conn->active->rcv_ring, offset, segment->data, segment->length);
    return true;
}

RARE static enum weir_drop take_out_of_order(struct tcp_conn *conn,
                                             const struct tcp_segment *segment)
{
    weir_seq end = segment->seq + segment->length;
    uint16_t max = (uint16_t)min_u32(conn->settings->ooo_ranges_max, UINT16_MAX);

    tcp_owe_ack(conn, WEIR_WHY_DUPLICATE_ACK);
    if (ranges_is_full_for(&conn->active->ooo, segment->seq, end, max))
        return WEIR_DROP_TCP_OOO_LIMIT;
    if (alloc_is_tight(conn->context->alloc) || !place(conn, segment) ||
        !ranges_add(&conn->active->ooo, conn->context->alloc, segment->seq, end, max))
        return WEIR_DROP_TCP_NO_MEMORY;
    return WEIR_DROP_NONE;
}

/* The application has shut this direction: received is as good as read, unless somebody may still look. */
static void discard_unwanted(struct tcp_conn *conn)
{
    if (conn->rcv_shut && (conn->is_orphan || !conn->settings->shut_keeps_data))
        tcp_recv_consume(conn, tcp_recv_readable(conn));
}

enum weir_drop tcp_recv_text(struct tcp_conn *conn, struct tcp_segment *segment, weir_time now)
{
    bool had_gap = conn->active->ooo.count > 0;
    weir_seq end = segment->seq + segment->length;

    if (!segment->length)
        return WEIR_DROP_NONE;
    if (!can_receive(conn))
        return WEIR_DROP_TCP_STATE;
    conn->last_received = now;
    conn->rcv_max = (uint16_t)max_u32(conn->rcv_max, segment->length);
    if (segment->seq != conn->rcv_nxt)
        return take_out_of_order(conn, segment);
    if (!place(conn, segment)) {
        tcp_owe_ack(conn, WEIR_WHY_DUPLICATE_ACK);
        return WEIR_DROP_TCP_NO_MEMORY;
    }
    if (had_gap) {
        end = ranges_end_at(&conn->active->ooo, end);
        ranges_remove_before(&conn->active->ooo, conn->context->alloc, end);
    }
    conn->bytes_received += end - conn->rcv_nxt;
    if (segment->length >= PAYING_SEGMENT)
        conn->rcv_ssthresh = UINT32_MAX;
    conn->rcv_nxt = end;
    note_in_order(conn, segment, had_gap, now);
    discard_unwanted(conn);
    conn->events |= WEIR_IN;
    return WEIR_DROP_NONE;
}

/* RFC 9293 3.10.7.4, eighth: the FIN counts once everything before it is there. */
RARE static void take_fin(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now)
{
    bool was_waiting = !(segment->flags & TCP_FIN); /* behind a gap, now filled */

    conn->fin_received = true;
    conn->rcv_nxt++;
    ranges_remove_before(&conn->active->ooo, conn->context->alloc, conn->rcv_nxt);
    if (seq_lt(conn->rcv_adv, conn->rcv_nxt))
        conn->rcv_adv = conn->rcv_nxt;
    if (conn->active->acks_owed || was_waiting || tcp_ack_fin_came(conn, now))
        ack_at_once(conn, WEIR_WHY_ACK);
    conn->active->acks_owed = 0;
    conn->events |= WEIR_IN | WEIR_HUP;
    switch ((enum weir_tcp_state)conn->state) {
    case WEIR_STATE_ESTABLISHED:
        tcp_set_state(conn, WEIR_STATE_CLOSE_WAIT);
        break;
    case WEIR_STATE_FIN_WAIT_1: /* our own FIN is not acknowledged, or this were FIN-WAIT-2 */
        tcp_set_state(conn, WEIR_STATE_CLOSING);
        break;
    case WEIR_STATE_FIN_WAIT_2:
        tcp_enter_time_wait(conn, now);
        break;
    default:
        break;
    }
}

void tcp_recv_fin(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now)
{
    weir_seq fin = segment->seq + segment->length;

    if (!can_receive(conn))
        return;
    if ((segment->flags & TCP_FIN) && !conn->has_fin) {
        /* A FIN before data that came already is a lie: the data stays. */
        if (conn->active->ooo.count && seq_lt(fin, ranges_last_end(&conn->active->ooo)))
            return;
        conn->has_fin = true;
        conn->active->rcv_fin = fin;
    }
    /* Behind a gap it is answered each time, as text is. */
    if ((segment->flags & TCP_FIN) && fin != conn->rcv_nxt && !segment->length)
        tcp_owe_ack(conn, WEIR_WHY_DUPLICATE_ACK);
    if (conn->has_fin && conn->rcv_nxt == conn->active->rcv_fin)
        take_fin(conn, segment, now);
}

const uint8_t *tcp_recv_peek(const struct tcp_conn *conn, uint32_t offset, uint32_t *length)
{
    uint32_t readable = tcp_recv_readable(conn);

    *length = 0;
    if (offset >= readable)
        return NULL;
    return ring_span(&conn->active->rcv_ring, offset, readable - offset, length);
}

void tcp_recv_consume(struct tcp_conn *conn, uint32_t length)
{
    assert(length <= tcp_recv_readable(conn));
    if (!length)
        return;
    conn->rcv_read += length;
    ring_consume(&conn->active->rcv_ring, conn->context->rings, length);
    if (seq_geq(conn->rcv_read, conn->rcv_up)) {
        conn->is_urgent_in = false;
        conn->rcv_up = conn->rcv_read; /* never falls 2^31 behind */
    }
    if (length && tcp_ack_wanted_by_reader(conn))
        ack_at_once(conn, WEIR_WHY_ACK);
}

uint32_t tcp_recv_shed(struct tcp_conn *conn)
{
    uint32_t bytes;

    if (!conn->active->ooo.count)
        return 0;
    bytes = ranges_remove_from(&conn->active->ooo, conn->context->alloc, conn->rcv_nxt);

    if (bytes)
        ring_truncate(&conn->active->rcv_ring, conn->context->rings, tcp_recv_readable(conn));
    return bytes;
}

void tcp_recv_shut(struct tcp_conn *conn)
{
    conn->rcv_shut = true;
    discard_unwanted(conn);
}
