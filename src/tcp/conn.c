/* SPDX-License-Identifier: MIT */

/* Opening and closing a connection, and the one place where its state changes.
 *
 * The states are RFC 9293's (3.3.2). Which may follow which is a table, asserted at each step, so
 * that a wrong step stops at its cause and not three segments later:
 *
 *   CLOSED ──open──► SYN-SENT ──SYN-ACK──► ESTABLISHED ──close──► FIN-WAIT-1 ──► FIN-WAIT-2
 *      │                │ SYN                  │ FIN                   │ FIN          │ FIN
 *      └─inflate─► SYN-RECEIVED                ▼                       ▼              ▼
 *                                         CLOSE-WAIT ─close─► LAST-ACK CLOSING ─► TIME-WAIT
 *
 * LISTEN is no connection here but an entry of the stack's listener table, and SYN-RECEIVED after a
 * passive open is a half-open record until the moment its handshake is complete.
 *
 * A CLOSE changes the state at once; the FIN itself leaves when everything queued before it has
 * (3.10.4). ABORT and failures empty the connection: what remains is an error for the application and
 * perhaps a RST to send. */

#include <assert.h>
#include <base/bytes.h>
#include <string.h>
#include <tcp/cc.h>
#include <tcp/halfopen.h>

#define BIT(state) (1u << WEIR_STATE_##state)

#define HALF_WINDOW_FROM 536u /* half_window_mss: a smaller window is not halved */

static bool is_legal(enum weir_tcp_state from, enum weir_tcp_state to)
{
    static const uint16_t legal[WEIR_STATE_COUNT] = {
        [WEIR_STATE_CLOSED] = BIT(SYN_SENT) | BIT(SYN_RECEIVED),
        [WEIR_STATE_SYN_SENT] = BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(CLOSED),
        [WEIR_STATE_SYN_RECEIVED] = BIT(ESTABLISHED) | BIT(FIN_WAIT_1) | BIT(CLOSED),
        [WEIR_STATE_ESTABLISHED] = BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(CLOSED),
        [WEIR_STATE_FIN_WAIT_1] = BIT(FIN_WAIT_2) | BIT(CLOSING) | BIT(TIME_WAIT) | BIT(CLOSED),
        [WEIR_STATE_FIN_WAIT_2] = BIT(TIME_WAIT) | BIT(CLOSED),
        [WEIR_STATE_CLOSE_WAIT] = BIT(LAST_ACK) | BIT(CLOSED),
        [WEIR_STATE_CLOSING] = BIT(TIME_WAIT) | BIT(CLOSED),
        [WEIR_STATE_LAST_ACK] = BIT(CLOSED),
        [WEIR_STATE_TIME_WAIT] = BIT(CLOSED),
    };

    return (legal[from] & (1u << to)) != 0;
}

void tcp_set_state(struct tcp_conn *conn, enum weir_tcp_state state)
{
    assert(is_legal((enum weir_tcp_state)conn->state, state));
    conn->state = (uint8_t)state;
}

static void stop_all_timers(struct tcp_conn *conn)
{
    int i;

    for (i = 0; i < TCP_TIMER_COUNT; i++)
        tcp_stop_timer(conn, (enum tcp_timer)i);
}

void tcp_init(struct tcp_conn *conn, const struct tcp_context *context,
              const struct weir_tcp_settings *settings)
{
    memset(conn, 0, sizeof(*conn));
    conn->context = context;
    conn->settings = settings;
    conn->state = WEIR_STATE_CLOSED;
    conn->rto = settings->rto_initial;
    conn->send_buffer = settings->send_buffer;
    conn->receive_buffer = settings->receive_buffer;
    conn->cc_row = cc_row_of(cc_find(settings->congestion_control));
    tcp_lie_down(conn);
}

void tcp_done(struct tcp_conn *conn)
{
    tcp_free_active(conn);
    if (conn->cc.private_block)
        alloc_put(conn->context->alloc, conn->cc.private_block, cc_at(conn->cc_row)->private_size);
    conn->cc.private_block = NULL;
}

/* What we offer in our MSS option: RFC 9293 3.7.1 [MUST-67]. */
static uint16_t own_mss(const struct weir_tcp_settings *settings, uint32_t mms)
{
    uint32_t mss = mms > TCP_HEADER ? mms - TCP_HEADER : 1;

    if (settings->mss_max)
        mss = min_u32(mss, settings->mss_max);
    return (uint16_t)min_u32(mss, 65535);
}

/* half_window_mss: two segments fit into the largest window seen, so that it can be kept filled. */
void tcp_bound_mss(struct tcp_conn *conn)
{
    uint32_t mss = min_u32(conn->snd_mss, conn->path_mss);
    uint32_t most =
        conn->max_snd_wnd > HALF_WINDOW_FROM ? conn->max_snd_wnd / 2 : conn->max_snd_wnd;

    if (conn->settings->half_window_mss && most)
        mss = min_u32(mss, max_u32(most, conn->settings->mss_min));
    conn->cc.mss = mss;
}

/* RFC 9293 3.7.1 [MUST-16]: what the peer takes, what the path takes, what we were told to use. */
void tcp_set_mms(struct tcp_conn *conn, uint32_t mms)
{
    conn->path_mss = own_mss(conn->settings, mms);
    tcp_bound_mss(conn);
    if (conn->cc.cwnd) /* less than a segment would let nothing leave, with no ACK to change that */
        conn->cc.cwnd = max_u32(conn->cc.cwnd, conn->cc.mss);
}

static void start_sequence(struct tcp_conn *conn, weir_seq iss)
{
    conn->iss = iss;
    conn->snd_una = iss;
    conn->snd_nxt = iss;
    conn->snd_end = iss + 1;
    conn->active->snd_up = iss;
    conn->recover = iss;
    conn->active->snd_small = iss;
}

void tcp_open(struct tcp_conn *conn, weir_seq iss, uint32_t mms, weir_time now)
{
    start_sequence(conn, iss);
    conn->is_active = true;
    conn->snd_mss = conn->settings->mss_default;
    conn->rcv_mss = own_mss(conn->settings, mms);
    tcp_set_mms(conn, mms);
    conn->active->stalled_since = now;
    conn->last_heard = now;
    tcp_set_state(conn, WEIR_STATE_SYN_SENT);
}

void tcp_inflate(struct tcp_conn *conn, const struct tcp_halfopen *record, uint32_t mms,
                 weir_time now)
{
    start_sequence(conn, record->iss);
    conn->snd_nxt = record->iss + 1;
    conn->irs = record->irs;
    conn->rcv_nxt = record->irs + 1;
    conn->rcv_acked = conn->rcv_nxt;
    conn->rcv_read = conn->rcv_nxt;
    conn->rcv_up = conn->rcv_nxt;
    conn->rcv_adv = conn->rcv_nxt + record->window;
    conn->snd_mss = record->peer_mss ? record->peer_mss : conn->settings->mss_default;
    conn->rcv_mss = record->our_mss;
    tcp_set_mms(conn, mms);
    conn->active->stalled_since = record->started;
    conn->last_heard = now;
    conn->syn_timed_out = record->is_timed_out;
    conn->syn_losses = record->retries;
    tcp_set_state(conn, WEIR_STATE_SYN_RECEIVED);
    if (record->rtt_us)
        tcp_rtt_sample(conn, record->rtt_us * WEIR_US);
    else if (!record->is_repeated)
        tcp_rtt_sample(conn, now - record->started);
}

/* RFC 6928, and RFC 5681 3.1 after a lost SYN. */
static uint32_t initial_window(const struct tcp_conn *conn)
{
    const struct weir_tcp_settings *settings = conn->settings;
    uint32_t mss = conn->cc.mss, window;

    if (conn->syn_losses > settings->syn_losses_max)
        return mss;
    window = settings->initial_window_segments * mss;
    if (settings->initial_window_bytes)
        window = min_u32(window, max_u32(2 * mss, settings->initial_window_bytes));
    return window;
}

static void start_congestion_control(struct tcp_conn *conn)
{
    size_t size = cc_at(conn->cc_row)->private_size;

    conn->cc.ssthresh = UINT32_MAX;
    conn->cc.slow_start_limit = conn->settings->slow_start_limit;
    if (size && !conn->cc.private_block)
        conn->cc.private_block = alloc_get_zeroed(conn->context->alloc, size);
    if (size && !conn->cc.private_block)
        conn->cc_row = cc_row_of(&cc_newreno); /* needs no memory */
    cc_at(conn->cc_row)->init(&conn->cc, initial_window(conn));
}

void tcp_enter_established(struct tcp_conn *conn, weir_time now)
{
    const struct weir_tcp_settings *settings = conn->settings;

    /* RFC 6298 5.7: after a lost SYN, data starts with at least 3 s unless a sample says else. */
    if (conn->syn_timed_out && !conn->has_rtt)
        conn->rto = min_i64(max_i64(conn->rto, 3 * WEIR_SECOND), settings->rto_max);
    conn->retries = 0;
    conn->rtx_once = false;
    tcp_stop_timer(conn, TCP_TIMER_RTO);
    tcp_stop_timer(conn, TCP_TIMER_USER);
    start_congestion_control(conn);
    tcp_ack_start(conn, now);
    tcp_set_state(conn, conn->fin_queued ? WEIR_STATE_FIN_WAIT_1 : WEIR_STATE_ESTABLISHED);
    if (settings->keepalive)
        tcp_start_timer(conn, TCP_TIMER_KEEPALIVE, now + settings->keepalive_idle);
    if (conn->is_active && settings->first_data_delay > 0) {
        conn->is_holding = true;
        tcp_start_timer(conn, TCP_TIMER_STATE, now + settings->first_data_delay);
    }
    conn->last_sent = now;
    conn->last_received = now;
    conn->delivered++;
    conn->events |= WEIR_OUT;
}

/* idle_halves: half of cwnd for each RTO that has passed, not below the first window. */
static uint32_t restart_window(const struct tcp_conn *conn, weir_time idle)
{
    uint32_t window = min_u32(initial_window(conn), conn->cc.cwnd), halved = conn->cc.cwnd;

    if (!conn->settings->idle_halves)
        return window;
    while ((idle -= conn->rto) > 0 && halved > window)
        halved /= 2;
    return max_u32(halved, window);
}

void tcp_resume(struct tcp_conn *conn, weir_time now)
{
    const struct weir_cc_ops *cc;

    if (!tcp_is_synchronised(conn) || !conn->settings->idle_restart ||
        conn->snd_una != conn->snd_nxt || conn->snd_nxt == conn->snd_end ||
        now - conn->last_sent <= conn->rto)
        return;
    cc = cc_at(conn->cc_row);
    cc->idle(&conn->cc, restart_window(conn, now - conn->last_sent), now - conn->last_sent,
             conn->rto);
}

void tcp_enter_time_wait(struct tcp_conn *conn, weir_time now)
{
    tcp_set_state(conn, WEIR_STATE_TIME_WAIT);
    stop_all_timers(conn);
    tcp_free_send_side(conn);
    conn->context->counters->counter[WEIR_COUNT_TIME_WAITS]++;
    tcp_start_timer(conn, TCP_TIMER_STATE, now + 2 * conn->settings->msl);
}

void tcp_start_orphan_timer(struct tcp_conn *conn, weir_time now)
{
    weir_time timeout = conn->settings->fin_wait_2_timeout;

    if (conn->state != WEIR_STATE_FIN_WAIT_2 || !conn->is_orphan || timeout == WEIR_NEVER)
        return;
    if (timeout > 0 && tcp_wake(conn))
        tcp_start_timer(conn, TCP_TIMER_STATE, now + timeout);
    else
        tcp_abort(conn);
}

void tcp_close_send(struct tcp_conn *conn, weir_time now)
{
    (void)now;
    if (conn->fin_queued)
        return;
    conn->more_coming = conn->more_holds = false;
    switch ((enum weir_tcp_state)conn->state) {
    case WEIR_STATE_SYN_SENT:
        tcp_fail(conn, 0);
        return;
    case WEIR_STATE_ESTABLISHED:
        tcp_set_state(conn, WEIR_STATE_FIN_WAIT_1);
        break;
    case WEIR_STATE_CLOSE_WAIT:
        tcp_set_state(conn, WEIR_STATE_LAST_ACK);
        break;
    case WEIR_STATE_SYN_RECEIVED: /* FIN-WAIT-1 when the handshake is complete [U-28] */
        break;
    default:
        return;
    }
    conn->fin_queued = true;
}

void tcp_close(struct tcp_conn *conn, weir_time now)
{
    if (conn->state == WEIR_STATE_CLOSED)
        return;
    /* RFC 9293 3.6.1 [SHLD-3]: bytes that nobody will read were acknowledged; the peer must know,
     * unless both directions have ended in good order. */
    if (conn->settings->rst_on_lost_data && tcp_recv_readable(conn) > 0 &&
        conn->state != WEIR_STATE_TIME_WAIT) {
        tcp_abort(conn);
        conn->rst_due = true; /* in CLOSING and LAST-ACK too */
        return;
    }
    conn->is_orphan = true;
    tcp_recv_shut(conn);
    conn->is_corked = false;
    tcp_close_send(conn, now);
    tcp_start_orphan_timer(conn, now);
}

/* Nothing is left to read; a FIN that was received has no byte. */
static void flush_receive_side(struct tcp_conn *conn)
{
    conn->rcv_read += tcp_recv_readable(conn);
    tcp_free_receive_side(conn);
}

void tcp_fail(struct tcp_conn *conn, int error)
{
    if (conn->state == WEIR_STATE_CLOSED)
        return;
    tcp_set_state(conn, WEIR_STATE_CLOSED);
    stop_all_timers(conn);
    tcp_free_send_side(conn);
    if (conn->active->acks_owed)
        conn->active->acks_owed = 0;
    conn->ack_now = false;
    conn->rtx_once = false;
    conn->probe_due = false;
    conn->keepalive_due = false;
    conn->snd_end = conn->snd_una;
    conn->events |= WEIR_HUP | WEIR_IN | WEIR_OUT;
    if (!error)
        return;
    conn->error = (int8_t)error;
    conn->events |= WEIR_ERR;
    if (!conn->settings->error_keeps_data)
        flush_receive_side(conn); /* RFC 9293 3.10.7.4 */
}

void tcp_abort(struct tcp_conn *conn)
{
    const uint16_t sends_rst =
        BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(FIN_WAIT_1) | BIT(FIN_WAIT_2) | BIT(CLOSE_WAIT);
    bool needs_rst = (sends_rst >> conn->state) & 1; /* [U-29] */

    if (conn->state == WEIR_STATE_CLOSED)
        return;
    tcp_fail(conn, 0);
    flush_receive_side(conn);
    conn->rst_due = needs_rst;
}
