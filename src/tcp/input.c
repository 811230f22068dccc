/* SPDX-License-Identifier: MIT */

/* SEGMENT ARRIVES: RFC 9293 3.10.7, in the RFC's own order, one function per check.
 *
 *   CLOSED        3.10.7.1   tcp_closed_input
 *   LISTEN        3.10.7.2   halfopen.c, as is SYN-RECEIVED after a passive open
 *   SYN-SENT      3.10.7.3   ACK, RST, (security), SYN, neither
 *   the others    3.10.7.4   sequence number, RST, (security), SYN, ACK, URG, text, FIN
 *
 * Input changes the connection and says what is owed; it sends nothing but for *reply, the RST that
 * answers a segment no connection can answer. Each check returns WEIR_DROP_NONE to go on, or the
 * reason why the segment ends there. Blind attacks are met as RFC 5961 says: only an exact RST is
 * believed, a SYN or an impossible ACK earns a challenge ACK, and these are rationed.
 *
 * Two departures from the letter, both noted in docs/rfc/deviations.md: in SYN-RECEIVED the peer's
 * SYN-ACK of a simultaneous open is not refused for its old sequence number (appendix A.2 [U-26]),
 * and data that arrives at RCV.NXT while the window is zero loses its text but keeps its ACK [U-6]. */

#include <assert.h>
#include <base/bytes.h>
#include <base/checksum.h>
#include <base/rare.h>
#include <tcp/tcp.h>

uint32_t tcp_segment_length(const struct tcp_segment *segment)
{
    return segment->length + ((segment->flags & TCP_SYN) ? 1 : 0) +
           ((segment->flags & TCP_FIN) ? 1 : 0);
}

bool tcp_segment_verify(const struct tcp_context *context, struct tcp_segment *segment)
{
    if (context->skip_checksum)
        segment->is_verified = true;
    if (!segment->is_verified) {
        uint32_t sum = checksum_add(segment->sum, segment->data, segment->length);

        segment->is_verified = checksum_fold(sum) == 0xffff;
    }
    return segment->is_verified;
}

/* RFC 9293 3.10.7.1: a RST in answer to anything but a RST [U-7]. */
RARE enum weir_drop tcp_closed_input(const struct tcp_segment *segment, struct tcp_reply *reply)
{
    reply->flags = 0;
    if (segment->flags & TCP_RST)
        return WEIR_DROP_TCP_NO_CONNECTION;
    reply->why = WEIR_WHY_REFUSE;
    reply->window = 0;
    reply->mss = 0;
    reply->ack = 0;
    if (segment->flags & TCP_ACK) {
        reply->flags = TCP_RST;
        reply->seq = segment->ack;
    } else {
        reply->flags = TCP_RST | TCP_ACK;
        reply->seq = 0;
        reply->ack = segment->seq + tcp_segment_length(segment);
    }
    return WEIR_DROP_TCP_NO_CONNECTION;
}

RARE static void reply_rst(struct tcp_reply *reply, weir_seq seq)
{
    *reply = (struct tcp_reply){.seq = seq, .flags = TCP_RST, .why = WEIR_WHY_REFUSE};
}

static void take_mss(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    uint32_t mss = segment->options.mss;

    if (!mss)
        return;
    mss = max_u32(mss, conn->settings->mss_min);
    conn->snd_mss = (uint16_t)mss;
    tcp_bound_mss(conn);
}

static void take_window(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    conn->snd_wnd = segment->window;
    conn->snd_wl1 = segment->seq;
    conn->snd_wl2 = segment->ack;
    conn->max_snd_wnd = max_u32(conn->max_snd_wnd, conn->snd_wnd);
    tcp_bound_mss(conn);
}

/* ---- 3.10.7.3 SYN-SENT ----------------------------------------------------------------------------- */

/* First, the ACK [U-9]. */
static enum weir_drop syn_sent_ack(const struct tcp_conn *conn, const struct tcp_segment *segment,
                                   struct tcp_reply *reply)
{
    if (!(segment->flags & TCP_ACK))
        return WEIR_DROP_NONE;
    if (seq_gt(segment->ack, conn->snd_una) && seq_leq(segment->ack, conn->snd_nxt))
        return WEIR_DROP_NONE;
    if (!(segment->flags & TCP_RST))
        reply_rst(reply, segment->ack);
    return WEIR_DROP_TCP_BAD_ACK;
}

/* Second, the RST: only one that acknowledges our SYN is believed [U-20]. */
static enum weir_drop syn_sent_rst(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    if (!(segment->flags & TCP_RST))
        return WEIR_DROP_NONE;
    if (!(segment->flags & TCP_ACK))
        return WEIR_DROP_TCP_BAD_RST;
    conn->context->counters->counter[WEIR_COUNT_FAILED_OPENS]++;
    tcp_fail(conn, WEIR_ECONNREFUSED);
    return WEIR_DROP_NONE;
}

static void start_receiving(struct tcp_conn *conn, const struct tcp_segment *segment)
{
    uint32_t offered = tcp_recv_window(conn); /* by our SYN */

    conn->irs = segment->seq;
    conn->rcv_nxt = segment->seq + 1;
    conn->rcv_read = conn->rcv_nxt;
    conn->rcv_up = conn->rcv_nxt;
    conn->rcv_acked = conn->irs;
    conn->rcv_adv = conn->rcv_nxt + offered;
}

/* Fourth, the SYN: ESTABLISHED if it acknowledges ours, else a simultaneous open [MUST-10, U-10].
 * Data that rides on it is not taken: it is not acknowledged, and comes again. */
static void syn_sent_syn(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now)
{
    start_receiving(conn, segment);
    take_mss(conn, segment);
    if (!(segment->flags & TCP_ACK)) {
        take_window(conn, segment);
        tcp_set_state(conn, WEIR_STATE_SYN_RECEIVED);
        conn->rtx_once = true;
        conn->rtx_why = WEIR_WHY_SYN_ACK;
        tcp_stop_timer(conn, TCP_TIMER_RTO);
        return;
    }
    if (!conn->syn_timed_out) /* Karn */
        tcp_rtt_sample(conn, now - conn->last_sent);
    conn->snd_una = segment->ack;
    take_window(conn, segment);
    tcp_enter_established(conn, now);
    conn->ack_now = true;
    conn->ack_why = WEIR_WHY_ACK;
}

RARE static enum weir_drop input_syn_sent(struct tcp_conn *conn, struct tcp_segment *segment,
                                          weir_time now, struct tcp_reply *reply)
{
    enum weir_drop drop = syn_sent_ack(conn, segment, reply);

    if (drop == WEIR_DROP_NONE)
        drop = syn_sent_rst(conn, segment);
    if (drop != WEIR_DROP_NONE || conn->state == WEIR_STATE_CLOSED)
        return drop;
    if (!(segment->flags & TCP_SYN))
        return WEIR_DROP_TCP_STATE;
    syn_sent_syn(conn, segment, now);
    if (conn->state == WEIR_STATE_SYN_RECEIVED)
        return WEIR_DROP_NONE;
    /* "continue processing at the sixth step": URG, text and FIN of the SYN-ACK. */
    segment->seq++;
    segment->flags &= (uint8_t)~TCP_SYN;
    return WEIR_DROP_NONE;
}

/* ---- 3.10.7.4, first: sequence number ---------------------------------------------------------------- */

/* The four cases of RFC 9293 3.10.7.4 [U-5]. */
static bool is_acceptable(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    uint32_t length = tcp_segment_length(segment);
    uint32_t window = tcp_recv_window(conn);
    weir_seq edge = conn->rcv_nxt + window;
    weir_seq last = segment->seq + length - 1;

    if (!length && !window)
        return segment->seq == conn->rcv_nxt;
    if (!window)
        return false;
    if (seq_leq(conn->rcv_nxt, segment->seq) && seq_lt(segment->seq, edge))
        return true;
    return length && seq_leq(conn->rcv_nxt, last) && seq_lt(last, edge);
}

/* With a closed window the control information at RCV.NXT still counts [U-6, MUST-66]. */
RARE static bool admit_to_closed_window(struct tcp_conn *conn, struct tcp_segment *segment)
{
    if (tcp_recv_window(conn) || segment->seq != conn->rcv_nxt ||
        !(segment->flags & (TCP_ACK | TCP_RST)) || (segment->flags & TCP_SYN))
        return false;
    segment->length = 0;
    segment->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    tcp_owe_ack(conn, WEIR_WHY_DUPLICATE_ACK); /* [U-23] */
    return true;
}

/* A FIN that comes again in TIME-WAIT restarts the clock [U-18]. */
static void refresh_time_wait(struct tcp_conn *conn, const struct tcp_segment *segment,
                              weir_time now)
{
    if (conn->state == WEIR_STATE_TIME_WAIT && (segment->flags & TCP_FIN))
        tcp_start_timer(conn, TCP_TIMER_STATE, now + 2 * conn->settings->msl);
}

static void heard(struct tcp_conn *conn, weir_time now)
{
    conn->last_heard = now;
    conn->keepalive_due = false;
    if (conn->settings->keeps_segments) /* any segment ends that wait, as in Linux */
        conn->more_holds = false;
    if (conn->snd_wnd || (conn->snd_una == conn->snd_nxt &&
                          (conn->settings->probe_has_data || conn->snd_una == conn->snd_end)))
        conn->probes = 0;
    if (conn->settings->keepalive) /* anew: after a probe it ran on the probes' interval */
        tcp_start_timer(conn, TCP_TIMER_KEEPALIVE, now + conn->settings->keepalive_idle);
}

/* A peer whose whole window of data was lost speaks from just past our right edge until it sends that
 * again. What it says must be refused, but it is alive, and it acknowledges (appendix A.2 [U-26]). */
RARE static void note_sign_of_life(struct tcp_conn *conn, const struct tcp_segment *segment,
                                   weir_time now)
{
    if (!tcp_is_synchronised(conn) || segment->seq != conn->rcv_adv || segment->length ||
        (segment->flags & (TCP_ACK | TCP_SYN | TCP_FIN)) != TCP_ACK ||
        seq_lt(segment->ack, conn->snd_una) || seq_gt(segment->ack, conn->snd_nxt))
        return;
    heard(conn, now);
    if (segment->ack != conn->snd_una && !tcp_fin_sent(conn))
        tcp_send_acked(conn, segment->ack, now);
}

RARE static enum weir_drop refuse_unacceptable(struct tcp_conn *conn,
                                               const struct tcp_segment *segment, weir_time now)
{
    weir_seq end = segment->seq + tcp_segment_length(segment);
    enum weir_drop drop = seq_leq(end, conn->rcv_nxt) && seq_lt(segment->seq, conn->rcv_nxt)
                              ? WEIR_DROP_TCP_OLD_DATA
                              : WEIR_DROP_TCP_UNACCEPTABLE;

    if (segment->flags & TCP_RST)
        return WEIR_DROP_TCP_BAD_RST;
    refresh_time_wait(conn, segment, now);
    note_sign_of_life(conn, segment, now);
    /* Bare ACKs and SYNs are rationed: two ends that refuse each other's must fall silent. */
    if (!segment->length && !(segment->flags & TCP_FIN))
        return tcp_owe_challenge(conn, drop, now);
    tcp_ack_refused(conn);
    tcp_owe_ack(conn, WEIR_WHY_DUPLICATE_ACK);
    return drop;
}

static enum weir_drop check_sequence(struct tcp_conn *conn, struct tcp_segment *segment,
                                     weir_time now)
{
    const uint8_t syn_ack = TCP_SYN | TCP_ACK;

    /* The peer's half of a simultaneous open: its SYN was taken before. */
    if (conn->state == WEIR_STATE_SYN_RECEIVED &&
        (segment->flags & (syn_ack | TCP_RST)) == syn_ack && segment->seq == conn->irs) {
        segment->flags &= (uint8_t)~TCP_SYN;
        segment->seq++;
    }
    if (is_acceptable(conn, segment) || admit_to_closed_window(conn, segment))
        return WEIR_DROP_NONE;
    return refuse_unacceptable(conn, segment, now);
}

/* ---- second: RST ---------------------------------------------------------------------------------------- */

/* RFC 5961 3: exactly at RCV.NXT it is believed, elsewhere in the window it is challenged. */
static enum weir_drop check_rst(struct tcp_conn *conn, const struct tcp_segment *segment,
                                weir_time now)
{
    if (!(segment->flags & TCP_RST))
        return WEIR_DROP_NONE;
    if (segment->seq != conn->rcv_nxt)
        return tcp_owe_challenge(conn, WEIR_DROP_TCP_BAD_RST, now);
    switch ((enum weir_tcp_state)conn->state) {
    case WEIR_STATE_TIME_WAIT: /* RFC 1337 */
        if (!conn->settings->rst_closes_time_wait)
            return WEIR_DROP_TCP_TIME_WAIT;
        tcp_fail(conn, 0);
        break;
    case WEIR_STATE_CLOSING:
    case WEIR_STATE_LAST_ACK:
        tcp_fail(conn, 0);
        break;
    case WEIR_STATE_SYN_RECEIVED: /* of an active open [MUST-11] */
        conn->context->counters->counter[WEIR_COUNT_FAILED_OPENS]++;
        tcp_fail(conn, WEIR_ECONNREFUSED);
        break;
    default:
        tcp_fail(conn, WEIR_ECONNRESET);
        break;
    }
    conn->context->counters->counter[WEIR_COUNT_RESETS]++;
    return WEIR_DROP_NONE;
}

/* ---- fourth: SYN ---------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 [U-12]: challenged, whatever its sequence number. */
static enum weir_drop check_syn(struct tcp_conn *conn, const struct tcp_segment *segment,
                                weir_time now)
{
    if (!(segment->flags & TCP_SYN))
        return WEIR_DROP_NONE;
    return tcp_owe_challenge(conn, WEIR_DROP_TCP_BAD_SYN, now);
}

/* [U-16]: what lies outside the window is not there. The SYN bit is gone by now. */
static void trim(const struct tcp_conn *conn, struct tcp_segment *segment)
{
    weir_seq edge = conn->rcv_nxt + tcp_recv_window(conn);
    weir_seq end;

    if (seq_lt(segment->seq, conn->rcv_nxt)) {
        uint32_t cut = min_u32(conn->rcv_nxt - segment->seq, segment->length);

        segment->data += cut;
        segment->length -= cut;
        segment->seq += cut;
    }
    if (conn->has_fin)
        edge = seq_min(edge, conn->active->rcv_fin);
    end = segment->seq + segment->length;
    if (seq_gt(end, edge)) {
        segment->length -= min_u32(end - edge, segment->length);
        segment->flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    } else if (end == edge && !conn->has_fin) {
        segment->flags &= (uint8_t)~TCP_FIN; /* the FIN's own number is past the edge */
    }
}

/* ---- fifth: ACK ------------------------------------------------------------------------------------------ */

RARE static enum weir_drop ack_in_syn_received(struct tcp_conn *conn,
                                               const struct tcp_segment *segment, weir_time now,
                                               struct tcp_reply *reply)
{
    if (!seq_gt(segment->ack, conn->snd_una) || !seq_leq(segment->ack, conn->snd_nxt)) {
        reply_rst(reply, segment->ack); /* [U-11] */
        return WEIR_DROP_TCP_BAD_ACK;
    }
    conn->snd_una = segment->ack;
    take_window(conn, segment);
    tcp_enter_established(conn, now);
    return WEIR_DROP_NONE;
}

/* RFC 5681 2: what makes an ACK a duplicate that counts. */
static bool is_duplicate_ack(const struct tcp_conn *conn, const struct tcp_segment *segment)
{
    return segment->ack == conn->snd_una && conn->snd_una != conn->snd_nxt && !segment->length &&
           !(segment->flags & TCP_FIN) && segment->window == conn->snd_wnd && conn->snd_wnd;
}

/* What our FIN's acknowledgement does: RFC 9293 3.10.7.4, fifth. */
RARE static void fin_acked(struct tcp_conn *conn, weir_time now)
{
    switch ((enum weir_tcp_state)conn->state) {
    case WEIR_STATE_FIN_WAIT_1:
        tcp_set_state(conn, WEIR_STATE_FIN_WAIT_2);
        tcp_start_orphan_timer(conn, now);
        break;
    case WEIR_STATE_CLOSING:
        tcp_enter_time_wait(conn, now);
        break;
    case WEIR_STATE_LAST_ACK:
        tcp_fail(conn, 0);
        break;
    default: /* known before */
        return;
    }
    conn->events |= WEIR_DELIVERED;
}

static enum weir_drop check_ack(struct tcp_conn *conn, struct tcp_segment *segment, weir_time now,
                                struct tcp_reply *reply)
{
    if (!(segment->flags & TCP_ACK)) {
        if (!(segment->flags & TCP_FIN) || !conn->settings->accept_bare_fin ||
            !tcp_is_synchronised(conn))
            return WEIR_DROP_TCP_NO_ACK; /* [U-13] */
        return WEIR_DROP_NONE;
    }
    if (conn->state == WEIR_STATE_SYN_RECEIVED)
        return ack_in_syn_received(conn, segment, now, reply);
    if (seq_gt(segment->ack, conn->snd_nxt) && conn->state == WEIR_STATE_ESTABLISHED &&
        !conn->settings->ack_unsent_acks)
        return WEIR_DROP_TCP_BAD_ACK;
    /* RFC 9293 3.10.7.4 [MAY-12, U-15] */
    if (seq_gt(segment->ack, conn->snd_nxt) ||
        seq_lt(segment->ack, conn->snd_una - conn->max_snd_wnd))
        return tcp_owe_challenge(conn, WEIR_DROP_TCP_BAD_ACK, now);
    if (is_duplicate_ack(conn, segment))
        tcp_loss_dup_ack(conn, now);
    if (seq_gt(segment->ack, conn->snd_una))
        tcp_send_acked(conn, segment->ack, now);
    if (seq_geq(segment->ack, conn->snd_una))
        tcp_send_window(conn, segment, now);
    if (!conn->snd_wnd)
        conn->retries = 0; /* the peer is there, however closed [MUST-37] */
    if (tcp_fin_sent(conn) && conn->snd_una == conn->snd_nxt)
        fin_acked(conn, now);
    return WEIR_DROP_NONE;
}

/* ---- sixth, seventh, eighth: URG, text, FIN --------------------------------------------------------------- */

/* RFC 9293 3.8.5 [MUST-30..MUST-33]: the data stays inline; the application learns of the mark. */
static void check_urg(struct tcp_conn *conn, const struct tcp_segment *segment, weir_seq seq)
{
    weir_seq mark = seq + segment->urgent;

    if (!(segment->flags & TCP_URG) || conn->fin_received || conn->rcv_shut ||
        !seq_gt(mark, conn->rcv_up))
        return;
    conn->rcv_up = mark;
    if (seq_gt(mark, conn->rcv_read)) {
        conn->is_urgent_in = true;
        conn->events |= WEIR_PRI;
    }
}

/* Data for an application that is gone [SHLD-3]: the peer must learn that it is lost. */
RARE static enum weir_drop refuse_late_data(struct tcp_conn *conn,
                                            const struct tcp_segment *segment,
                                            struct tcp_reply *reply)
{
    reply_rst(reply, conn->settings->rst_takes_ack ? segment->ack : conn->snd_nxt);
    tcp_fail(conn, WEIR_ECONNRESET);
    return WEIR_DROP_TCP_CLOSED_DATA;
}

static enum weir_drop input_synchronised(struct tcp_conn *conn, struct tcp_segment *segment,
                                         weir_time now, struct tcp_reply *reply)
{
    weir_seq untrimmed = segment->seq;
    enum weir_drop drop = check_sequence(conn, segment, now);

    if (drop == WEIR_DROP_NONE)
        drop = check_rst(conn, segment, now);
    if (drop == WEIR_DROP_NONE && conn->state != WEIR_STATE_CLOSED)
        drop = check_syn(conn, segment, now);
    if (drop != WEIR_DROP_NONE || conn->state == WEIR_STATE_CLOSED)
        return drop;
    trim(conn, segment);
    drop = check_ack(conn, segment, now, reply);
    if (drop != WEIR_DROP_NONE || conn->state == WEIR_STATE_CLOSED)
        return drop;
    heard(conn, now);
    check_urg(conn, segment, untrimmed);
    if (conn->is_orphan && segment->length && conn->settings->rst_on_lost_data)
        return refuse_late_data(conn, segment, reply);
    drop = tcp_recv_text(conn, segment, now);
    tcp_recv_fin(conn, segment, now);
    return drop;
}

enum weir_drop tcp_input(struct tcp_conn *conn, struct tcp_segment *segment, weir_time now,
                         struct tcp_reply *reply)
{
    bool is_right;

    reply->flags = 0;
    if (!tcp_wake(conn))
        return WEIR_DROP_TCP_NO_MEMORY;
    is_right = tcp_is_synchronised(conn) ? tcp_recv_land(conn, segment)
                                         : tcp_segment_verify(conn->context, segment);
    if (!is_right)
        return WEIR_DROP_TCP_CHECKSUM; /* [MUST-3] */
    conn->segments_received++;
    if (segment->flags & TCP_RST)
        conn->context->counters->counter[WEIR_COUNT_RSTS_IN]++;
    if (conn->state == WEIR_STATE_CLOSED)
        return tcp_closed_input(segment, reply);
    if (conn->state == WEIR_STATE_SYN_SENT) {
        enum weir_drop drop = input_syn_sent(conn, segment, now, reply);

        if (drop != WEIR_DROP_NONE || !tcp_is_synchronised(conn))
            return drop;
        heard(conn, now);
        check_urg(conn, segment, segment->seq);
        trim(conn, segment);
        drop = tcp_recv_text(conn, segment, now);
        tcp_recv_fin(conn, segment, now);
        return drop;
    }
    return input_synchronised(conn, segment, now, reply);
}

/* RFC 5927 4: believed only if it quotes what is in flight; hard only while opening [SHLD-26,
 * MUST-56]. */
enum weir_drop tcp_icmp(struct tcp_conn *conn, weir_seq seq, int error, bool is_hard)
{
    if (conn->state == WEIR_STATE_CLOSED || seq_lt(seq, conn->snd_una) ||
        !seq_lt(seq, conn->snd_nxt))
        return WEIR_DROP_ICMP_QUOTE;
    if ((is_hard || conn->settings->icmp_ends_opening) && !tcp_is_synchronised(conn)) {
        conn->context->counters->counter[WEIR_COUNT_FAILED_OPENS]++;
        tcp_fail(conn, error);
        return WEIR_DROP_NONE;
    }
    conn->notice = (int8_t)error;
    conn->events |= WEIR_NOTICE;
    return WEIR_DROP_NONE;
}
