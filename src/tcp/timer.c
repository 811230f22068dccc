/* SPDX-License-Identifier: MIT */

/* What the passing of time does to a connection.
 *
 * A connection has one absolute time per kind of timer and no timer object of its own: its owner
 * waits for tcp_deadline, the least of them, and calls tcp_expire, which makes true what is due and
 * sends nothing. The plan that follows finds a retransmission, a probe or an ACK due.
 *
 *   RTO          RFC 6298 5.4..5.7; gives up by R2 (RFC 9293 3.8.3 [MUST-20..MUST-23])
 *   PERSIST      a probe each time, doubling (RFC 9293 3.8.6.1); never gives up while they are
 *                answered [MUST-37]
 *   SWS          a small segment leaves after all
 *   DELAYED_ACK  the ACK leaves
 *   KEEPALIVE    a probe after idling (3.8.4); gives up after keepalive_probes unanswered ones
 *   USER         gives up (3.10.8)
 *   STATE        ends TIME-WAIT, an orphaned FIN-WAIT-2, or the pause before the first data
 *
 * A timer may be stopped or moved at any time by just setting its field. */

#include <base/bytes.h>
#include <tcp/tcp.h>

static void give_up(struct tcp_conn *conn)
{
    /* RFC 9293 3.9.2.2 [SHLD-25]: if the network has said why, that is the reason to report. */
    int error = conn->notice && conn->notice != WEIR_ETIMEDOUT ? conn->notice : WEIR_ETIMEDOUT;

    conn->context->counters->counter[WEIR_COUNT_TIMED_OUT]++;
    tcp_fail(conn, error);
}

/* RFC 9293 3.8.3: R2 is both a number of retransmissions and a time. */
static bool is_past_r2(const struct tcp_conn *conn, weir_time since, weir_time now)
{
    const struct weir_tcp_settings *settings = conn->settings;
    bool is_opening = !tcp_is_synchronised(conn);
    uint32_t retries = is_opening ? settings->syn_r2_retries : settings->r2_retries;
    weir_time time = is_opening ? settings->syn_r2_time : settings->r2_time;

    if (conn->state == WEIR_STATE_SYN_SENT)
        retries += settings->syn_linear_retries;
    /* The application has set R2 itself [MUST-21]: by the time, or that of the SYN by a number. */
    if (settings->user_timeout && !(is_opening && time == 0))
        return false;
    return conn->retries >= retries && now - since >= time;
}

/* What R2's time counts from. */
static weir_time r2_start(const struct tcp_conn *conn)
{
    return conn->settings->r2_from_retransmission && conn->retries ? conn->active->retried_since
                                                                   : conn->active->stalled_since;
}

void tcp_start_user_timer(struct tcp_conn *conn)
{
    weir_time user = conn->settings->user_timeout;
    bool is_waiting = conn->snd_una != conn->snd_nxt &&
                      (conn->retries || !conn->settings->r2_from_retransmission);

    if (is_waiting && user > 0 && user != WEIR_NEVER)
        tcp_start_timer(conn, TCP_TIMER_USER, r2_start(conn) + user);
    else
        tcp_stop_timer(conn, TCP_TIMER_USER);
}

void tcp_probe_user_timer(struct tcp_conn *conn, weir_time now)
{
    weir_time user = conn->settings->user_timeout;

    if (conn->settings->r2_from_retransmission && user > 0 && user != WEIR_NEVER &&
        !tcp_timer_is_running(conn, TCP_TIMER_USER))
        tcp_start_timer(conn, TCP_TIMER_USER, now + user);
}

static void count_retry(struct tcp_conn *conn, weir_time now)
{
    bool is_first = !conn->retries;

    if (is_first)
        conn->active->retried_since = now;
    if (conn->retries < UINT8_MAX)
        conn->retries++;
    if (conn->retries >= conn->settings->r1_retries && !conn->past_r1) {
        conn->past_r1 = true; /* [SHLD-9] */
        if (!conn->notice)
            conn->notice = WEIR_ETIMEDOUT;
        conn->events |= WEIR_NOTICE;
    }
    if (is_first && conn->settings->r2_from_retransmission)
        tcp_start_user_timer(conn);
}

static void expire_rto(struct tcp_conn *conn, weir_time now)
{
    if (conn->snd_una == conn->snd_nxt)
        return;
    if (is_past_r2(conn, r2_start(conn), now)) {
        give_up(conn);
        return;
    }
    if (tcp_is_synchronised(conn)) {
        tcp_loss_timeout(conn, now);
    } else {
        conn->rtx_once = true;
        conn->rtx_why = WEIR_WHY_RETRANSMIT_TIMEOUT;
        conn->syn_timed_out = true;
        if (conn->syn_losses < UINT8_MAX)
            conn->syn_losses++;
        conn->timeouts++;
    }
    count_retry(conn, now);
    tcp_rto_restart(conn, now);
}

static void expire_persist(struct tcp_conn *conn, weir_time now)
{
    /* retries counts the probes that nobody answered: an ACK clears it. */
    if (is_past_r2(conn, conn->last_heard, now)) {
        give_up(conn);
        return;
    }
    conn->probe_due = true;
}

static void expire_keepalive(struct tcp_conn *conn, weir_time now)
{
    const struct weir_tcp_settings *settings = conn->settings;
    weir_time idle_end = conn->last_heard + settings->keepalive_idle;

    if (!settings->keepalive || conn->state == WEIR_STATE_TIME_WAIT) /* nobody is waited for */
        return;
    if (conn->snd_una != conn->snd_nxt || now < idle_end) { /* [MUST-26] */
        tcp_start_timer(conn, TCP_TIMER_KEEPALIVE,
                        max_i64(idle_end, now + settings->keepalive_interval));
        if (conn->snd_wnd) /* else they count the probes of a closed window */
            conn->probes = 0;
        return;
    }
    if (conn->probes >= settings->keepalive_probes) {
        give_up(conn);
        conn->rst_due = settings->rst_on_keepalive_end;
        return;
    }
    conn->keepalive_due = true;
    tcp_start_timer(conn, TCP_TIMER_KEEPALIVE, now + settings->keepalive_interval);
}

static void expire_state(struct tcp_conn *conn)
{
    conn->is_holding = false;
    if (conn->state == WEIR_STATE_TIME_WAIT ||
        (conn->state == WEIR_STATE_FIN_WAIT_2 && conn->is_orphan))
        tcp_fail(conn, 0);
}

static void expire_one(struct tcp_conn *conn, enum tcp_timer timer, weir_time now)
{
    switch (timer) {
    case TCP_TIMER_RTO:
        expire_rto(conn, now);
        break;
    case TCP_TIMER_PERSIST:
        expire_persist(conn, now);
        break;
    case TCP_TIMER_SWS:
        conn->sws_override = true;
        if (conn->settings->keeps_segments) /* nobody waits for it any longer: PSH */
            conn->more_coming = false;
        break;
    case TCP_TIMER_DELAYED_ACK:
        conn->ack_now = true;
        conn->ack_why = WEIR_WHY_DELAYED_ACK;
        tcp_ack_expired(conn);
        break;
    case TCP_TIMER_KEEPALIVE:
        expire_keepalive(conn, now);
        break;
    case TCP_TIMER_USER:
        give_up(conn);
        break;
    case TCP_TIMER_STATE:
        expire_state(conn);
        break;
    case TCP_TIMER_COUNT:
        break;
    }
}

void tcp_expire(struct tcp_conn *conn, weir_time now)
{
    int i;

    for (i = 0; i < TCP_TIMER_COUNT; i++) {
        if (conn->active->timers[i] > now)
            continue;
        conn->active->timers[i] = WEIR_NEVER;
        expire_one(conn, (enum tcp_timer)i, now);
    }
}

weir_time tcp_deadline(const struct tcp_conn *conn)
{
    weir_time deadline = WEIR_NEVER;
    int i;

    for (i = 0; i < TCP_TIMER_COUNT; i++)
        deadline = min_i64(deadline, conn->active->timers[i]);
    return deadline;
}
