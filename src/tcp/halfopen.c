/* SPDX-License-Identifier: MIT */

/* Passive opens: LISTEN (RFC 9293 3.10.7.2) and SYN-RECEIVED (3.10.7.4) without a connection.
 *
 * A SYN costs its receiver a record of a few dozen bytes: no buffers, no timers of its own beyond one
 * deadline. The functions are pure: record, segment and time in; a reply and a verdict out. When the
 * ACK of our SYN-ACK comes, the verdict is INFLATE: the stack makes a connection in SYN-RECEIVED out
 * of the record and gives it the very same segment, so that whatever else the segment carries is
 * treated by the one code for synchronised states.
 *
 * RST returns the listener to LISTEN by freeing the record, without a word to the application
 * [MUST-11]; it must be exactly at RCV.NXT (RFC 5961 3). A SYN that repeats the first one gets the
 * SYN-ACK again. Data on a SYN is not taken; its sender will repeat it. The SYN-ACK is repeated with
 * the back-off and the limits of an active SYN (RFC 9293 3.8.3).
 *
 * With defer_accept the bare ACK that completes the handshake only leaves a note: no connection is made
 * and no SYN-ACK repeated until data comes. The first time-out past defer_accept ends the patience: the
 * SYN-ACK is repeated, and its ACK makes a connection without data.
 *
 * The ACKs that answer what cannot be accepted are rationed (challenge_acks_per_second of them between
 * two SYN-ACKs): two spoofed SYNs can make records of two listeners face each other, and each would
 * refuse the other's refusals until both records die. */

#include <base/bytes.h>
#include <tcp/halfopen.h>

static void reply_syn_ack(const struct tcp_halfopen *record,
                          const struct weir_tcp_settings *settings, struct tcp_reply *reply)
{
    *reply = (struct tcp_reply){
        .seq = record->iss,
        .ack = record->irs + 1,
        .window = record->window,
        .mss = settings->send_mss_option ? record->our_mss : 0,
        .flags = TCP_SYN | TCP_ACK,
        .why = WEIR_WHY_SYN_ACK,
    };
}

static void reply_ack(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                      enum weir_why why, struct tcp_reply *reply, enum weir_drop *drop)
{
    if (record->refusals >= min_u32(settings->challenge_acks_per_second, UINT8_MAX)) {
        *drop = WEIR_DROP_TCP_CHALLENGE_RATE;
        return;
    }
    record->refusals++;
    *reply = (struct tcp_reply){
        .seq = record->iss + 1,
        .ack = record->irs + 1,
        .window = record->window,
        .flags = TCP_ACK,
        .why = why,
    };
}

bool tcp_listen_input(const struct tcp_segment *segment, struct tcp_halfopen *record,
                      struct tcp_reply *reply, enum weir_drop *drop)
{
    reply->flags = 0;
    *drop = WEIR_DROP_TCP_STATE;
    if (segment->flags & TCP_RST) /* [U-8] */
        return false;
    if (segment->flags & TCP_ACK) {
        *drop = tcp_closed_input(segment, reply);
        return false;
    }
    if (!(segment->flags & TCP_SYN))
        return false;
    *drop = WEIR_DROP_NONE;
    *record = (struct tcp_halfopen){.irs = segment->seq, .peer_mss = segment->options.mss};
    return true;
}

void tcp_halfopen_start(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                        weir_time now, struct tcp_reply *reply)
{
    if (record->peer_mss)
        record->peer_mss = (uint16_t)max_u32(record->peer_mss, settings->mss_min);
    record->retries = 0;
    record->started = now;
    record->deadline = now + settings->rto_initial;
    reply_syn_ack(record, settings, reply);
}

/* First check: the sequence number, against the window that our SYN-ACK offered [U-5]. */
static bool is_acceptable(const struct tcp_halfopen *record, const struct tcp_segment *segment)
{
    weir_seq next = record->irs + 1;
    uint32_t length = tcp_segment_length(segment);

    if (segment->seq - next < record->window || segment->seq == next)
        return true;
    return length && segment->seq + length - 1 - next < record->window;
}

static void repeat_syn_ack(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                           struct tcp_reply *reply)
{
    record->is_repeated = true; /* Karn, RFC 9293 3.8.1 [MUST-18] */
    reply_syn_ack(record, settings, reply);
}

static void refuse_unacceptable(struct tcp_halfopen *record,
                                const struct weir_tcp_settings *settings,
                                const struct tcp_segment *segment, struct tcp_reply *reply,
                                enum weir_drop *drop)
{
    *drop = WEIR_DROP_TCP_UNACCEPTABLE;
    if (segment->flags & TCP_RST)
        *drop = WEIR_DROP_TCP_BAD_RST;
    else if ((segment->flags & TCP_SYN) && segment->seq == record->irs)
        repeat_syn_ack(record, settings, reply);
    else
        reply_ack(record, settings, WEIR_WHY_DUPLICATE_ACK, reply, drop);
}

static bool is_bare_ack(const struct tcp_halfopen *record, const struct tcp_segment *segment)
{
    return segment->seq + tcp_segment_length(segment) == record->irs + 1;
}

enum tcp_halfopen_verdict tcp_halfopen_input(struct tcp_halfopen *record,
                                             const struct weir_tcp_settings *settings,
                                             const struct tcp_segment *segment,
                                             struct tcp_reply *reply, enum weir_drop *drop)
{
    reply->flags = 0;
    *drop = WEIR_DROP_NONE;
    if (!is_acceptable(record, segment)) {
        refuse_unacceptable(record, settings, segment, reply, drop);
        return TCP_HALFOPEN_KEEP;
    }
    if (segment->flags & TCP_RST) {
        if (segment->seq == record->irs + 1)
            return TCP_HALFOPEN_FREE;
        *drop = WEIR_DROP_TCP_BAD_RST;
        reply_ack(record, settings, WEIR_WHY_CHALLENGE_ACK, reply, drop);
        return TCP_HALFOPEN_KEEP;
    }
    if (segment->flags & TCP_SYN) { /* back to LISTEN [U-12] */
        *drop = WEIR_DROP_TCP_BAD_SYN;
        return TCP_HALFOPEN_FREE;
    }
    if (!(segment->flags & TCP_ACK)) {
        *drop = WEIR_DROP_TCP_NO_ACK;
        return TCP_HALFOPEN_KEEP;
    }
    if (segment->ack == record->iss + 1)
        return settings->defer_accept > 0 && !record->is_defer_over && is_bare_ack(record, segment)
                   ? TCP_HALFOPEN_DEFER
                   : TCP_HALFOPEN_INFLATE;
    *drop = WEIR_DROP_TCP_BAD_ACK; /* [U-11] */
    *reply = (struct tcp_reply){.seq = segment->ack, .flags = TCP_RST, .why = WEIR_WHY_REFUSE};
    return TCP_HALFOPEN_KEEP;
}

void tcp_halfopen_defer(struct tcp_halfopen *record, weir_time now)
{
    if (!record->is_acked && !record->is_repeated)
        record->rtt_us =
            (uint32_t)min_i64(max_i64((now - record->started) / WEIR_US, 1), UINT32_MAX);
    record->is_acked = true;
}

/* From now on, after as many repetitions as there were: RFC 6298 5.5. */
static void restart(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                    weir_time now)
{
    weir_time rto = settings->rto_initial;
    unsigned i;

    for (i = 0; i < record->retries && rto < settings->rto_max; i++)
        rto *= 2;
    record->deadline = now + min_i64(rto, settings->rto_max);
}

bool tcp_halfopen_answered(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                           const struct tcp_reply *reply, weir_time now)
{
    if (!settings->syn_restarts_syn_ack || !(reply->flags & TCP_SYN))
        return false;
    restart(record, settings, now);
    return true;
}

enum tcp_halfopen_verdict tcp_halfopen_expire(struct tcp_halfopen *record,
                                              const struct weir_tcp_settings *settings,
                                              weir_time now, struct tcp_reply *reply)
{
    bool is_patient = record->is_acked && !record->is_defer_over;

    reply->flags = 0;
    if (record->retries >= settings->syn_ack_r2_retries && !is_patient &&
        now - record->started >= settings->syn_r2_time)
        return TCP_HALFOPEN_FREE;
    if (record->retries < UINT8_MAX)
        record->retries++;
    record->refusals = 0;
    restart(record, settings, now);
    if (now - record->started >= settings->defer_accept)
        record->is_defer_over = true;
    if (record->is_acked && !record->is_defer_over)
        return TCP_HALFOPEN_KEEP;
    record->is_timed_out |= !record->is_acked;
    repeat_syn_ack(record, settings, reply);
    reply->why = WEIR_WHY_RETRANSMIT_TIMEOUT;
    return TCP_HALFOPEN_KEEP;
}

void tcp_halfopen_reset(const struct tcp_halfopen *record, struct tcp_reply *reply)
{
    *reply = (struct tcp_reply){.seq = record->iss + 1, .flags = TCP_RST, .why = WEIR_WHY_RST};
}
