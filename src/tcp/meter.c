/* SPDX-License-Identifier: MIT */

/* Measures for whoever looks at a connection (weir_tcp_info): nothing here decides anything.
 *
 * Sequence space counts bytes; people, and Linux's struct tcp_info, count segments. A transmission
 * record is a run that was cut at multiples of the MSS, so a record of n bytes has taken n / MSS segments,
 * rounded up: exact while the MSS stays the same, and as long as records are not merged at their bound.
 *
 * Business is what the connection is doing about its queue, one of four kinds at any time. It can change
 * only when the connection was served, and every turn in which it is served ends with tcp_wait: so this
 * is where the clock of one kind stops and that of the next starts. Together the three kinds that are
 * not IDLE are the time in which something was queued or unacknowledged.
 *
 * On the packet path: a division for each record that an ACK reaches, and a few comparisons in each turn.
 * tcp_meter_flight walks at most RECORDS_MAX records, when somebody asks. */

#include <assert.h>
#include <base/bytes.h>
#include <tcp/tcp.h>

uint32_t tcp_meter_segments(const struct tcp_conn *conn, weir_seq seq, weir_seq end)
{
    uint32_t bytes;

    if (seq_geq(seq, end))
        return 0;
    if (seq_geq(seq, conn->snd_end)) /* the FIN alone */
        return 1;
    bytes = seq_min(end, conn->snd_end) - seq;
    return bytes <= conn->cc.mss ? 1 : (bytes + conn->cc.mss - 1) / conn->cc.mss;
}

void tcp_meter_acked(struct tcp_conn *conn, weir_seq ack)
{
    weir_seq start = conn->snd_una;
    uint32_t i;

    for (i = 0; i < conn->active->records.count && seq_lt(start, ack); i++) {
        weir_seq end = seq_min(records_at(&conn->active->records, i)->end, ack);

        conn->delivered += tcp_meter_segments(conn, start, end);
        start = seq_max(start, end);
    }
    conn->delivered += tcp_meter_segments(conn, start, ack); /* what has no record */
}

static enum tcp_business business_of(const struct tcp_conn *conn, enum weir_why why)
{
    uint32_t unsent = tcp_send_unsent(conn);

    if (!tcp_is_synchronised(conn) || (!unsent && conn->snd_una == conn->snd_nxt))
        return TCP_IDLE;
    if (unsent && (why == WEIR_WHY_WAIT_WINDOW || why == WEIR_WHY_WAIT_ZERO_WINDOW ||
                   why == WEIR_WHY_WAIT_SWS)) /* it takes less than a segment */
        return TCP_BUSY_WINDOW;
    return !unsent && conn->want_out ? TCP_BUSY_BUFFER : TCP_BUSY;
}

weir_time tcp_meter_time(const struct tcp_conn *conn, enum tcp_business business, weir_time now)
{
    weir_time time;

    assert(business > TCP_IDLE && business < TCP_BUSINESS_COUNT);
    time = conn->business_time[business - 1];
    if (conn->business == business && conn->state != WEIR_STATE_CLOSED)
        time += now - conn->active->business_from;
    return time;
}

void tcp_meter_wait(struct tcp_conn *conn, enum weir_why why, weir_time now)
{
    enum tcp_business next = business_of(conn, why);

    if (next == conn->business)
        return;
    if (conn->business != TCP_IDLE)
        conn->business_time[conn->business - 1] += now - conn->active->business_from;
    conn->business = next & 3;
    conn->active->business_from = now;
}

/* What the loss recovery takes for lost reaches up to here: after a time-out all that was out then, in
 * fast recovery the first segment. */
static weir_seq lost_end(const struct tcp_conn *conn)
{
    switch ((enum tcp_phase)conn->phase) {
    case TCP_LOSS:
        return conn->recover;
    case TCP_RECOVERY:
        return seq_min(conn->snd_una + conn->cc.mss, conn->snd_nxt);
    case TCP_OPEN:
        break;
    }
    return conn->snd_una;
}

void tcp_meter_flight(const struct tcp_conn *conn, struct tcp_meter *meter)
{
    weir_seq again_end = conn->phase == TCP_LOSS ? conn->active->rtx_nxt : conn->snd_nxt;
    weir_seq lost = lost_end(conn), start = conn->snd_una;
    uint32_t i;

    *meter = (struct tcp_meter){0};
    for (i = 0; i < conn->active->records.count; i++) {
        const struct record *record = records_at(&conn->active->records, i);

        meter->unacked += tcp_meter_segments(conn, start, record->end);
        meter->lost += tcp_meter_segments(conn, start, seq_min(record->end, lost));
        if (record->flags & RECORD_RETRANSMITTED)
            meter->retransmitted +=
                tcp_meter_segments(conn, start, seq_min(record->end, again_end));
        start = seq_max(start, record->end);
    }
    meter->unacked += tcp_meter_segments(conn, start, conn->snd_nxt);
}
