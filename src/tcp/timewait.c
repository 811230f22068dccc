/* SPDX-License-Identifier: MIT */

/* TIME-WAIT without a connection: RFC 9293 3.6.1, 3.10.7.4.
 *
 * For twice the MSL after its end a connection's addresses and ports are kept, so that an old
 * duplicate finds somebody who refuses it and a peer whose last ACK was lost can have another. The
 * record holds just what such an answer needs. Pure functions: record, segment, time in; a reply and
 * a verdict out.
 *
 *   RST     ignored (RFC 1337 F1), unless the settings follow RFC 9293's text
 *   SYN     with a number beyond RCV.NXT may open the connection again [MAY-2]; else an ACK
 *   FIN     acknowledged, and the clock starts again [MUST-13, U-18]
 *   data    acknowledged
 *   no ACK  dropped if it lies in the window [U-13]
 *   an ACK  falls silent: two ends in TIME-WAIT must not talk for ever [U-30] */

#include <tcp/timewait.h>

void tcp_timewait_start(struct tcp_timewait *record, const struct tcp_conn *conn, weir_time now)
{
    record->snd_nxt = conn->snd_nxt;
    record->rcv_nxt = conn->rcv_nxt;
    record->window = tcp_recv_window(conn);
    record->deadline = conn->active->timers[TCP_TIMER_STATE];
    if (record->deadline == WEIR_NEVER)
        record->deadline = now + 2 * conn->settings->msl;
}

void tcp_timewait_refuse(const struct tcp_timewait *record, struct tcp_reply *reply)
{
    *reply = (struct tcp_reply){
        .seq = record->snd_nxt,
        .ack = record->rcv_nxt,
        .window = record->window,
        .flags = TCP_ACK,
        .why = WEIR_WHY_DUPLICATE_ACK,
    };
}

/* RFC 9293 3.10.7.4 [U-13]: the ACK is asked for only where the sequence number is acceptable. */
static bool lacks_ack(const struct tcp_timewait *record, const struct weir_tcp_settings *settings,
                      const struct tcp_segment *segment)
{
    if (segment->flags & (TCP_ACK | TCP_SYN) || segment->seq - record->rcv_nxt >= record->window)
        return false;
    return !(segment->flags & TCP_FIN) || !settings->accept_bare_fin;
}

enum tcp_timewait_verdict tcp_timewait_input(struct tcp_timewait *record,
                                             const struct weir_tcp_settings *settings,
                                             const struct tcp_segment *segment, weir_time now,
                                             struct tcp_reply *reply, enum weir_drop *drop)
{
    const uint8_t kind = segment->flags & (TCP_SYN | TCP_ACK | TCP_RST);

    reply->flags = 0;
    *drop = WEIR_DROP_TCP_TIME_WAIT;
    if (segment->flags & TCP_RST) {
        if (!settings->rst_closes_time_wait || segment->seq != record->rcv_nxt)
            return TCP_TIMEWAIT_KEEP;
        *drop = WEIR_DROP_NONE;
        return TCP_TIMEWAIT_FREE;
    }
    if (kind == TCP_SYN && seq_gt(segment->seq, record->rcv_nxt)) {
        *drop = WEIR_DROP_NONE;
        return TCP_TIMEWAIT_REOPEN;
    }
    if (!tcp_segment_length(segment) || lacks_ack(record, settings, segment))
        return TCP_TIMEWAIT_KEEP;
    if ((segment->flags & TCP_FIN) && segment->seq + tcp_segment_length(segment) == record->rcv_nxt)
        record->deadline = now + 2 * settings->msl;
    tcp_timewait_refuse(record, reply);
    return TCP_TIMEWAIT_KEEP;
}
