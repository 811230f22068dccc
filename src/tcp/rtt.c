/* SPDX-License-Identifier: MIT */

/* Round-trip time and retransmission timeout: RFC 6298.
 *
 *   first sample R:   SRTT = R, RTTVAR = R / 2
 *   after that:       RTTVAR = 3/4 RTTVAR + 1/4 |SRTT - R|;  SRTT = 7/8 SRTT + 1/8 R
 *   RTO = SRTT + max(G, 4 RTTVAR, rto_variance_min), within [rto_min, rto_max] of the settings
 *
 * in nanoseconds, where the clock granularity G is nothing; a floor of 1 µs stands in for it. While
 * time-outs come in a row the back-off is computed from their number. An acknowledgement ends the row;
 * if it brings a sample RTO starts from that, and if it does not (Karn's rule, decided in send.c) RTO
 * keeps the value it was backed off to (5.5, and the note after 5.7): a path that has become slower
 * than RTO would else never let a segment live long enough to be measured. */

#include <base/bytes.h>
#include <tcp/tcp.h>

#define GRANULARITY WEIR_US

/* For whoever looks: to the microsecond, at least one. */
static void note_least(struct tcp_conn *conn, weir_time rtt)
{
    uint32_t us = (uint32_t)min_i64(max_i64(rtt / WEIR_US, 1), UINT32_MAX);

    if (!conn->min_rtt_us || us < conn->min_rtt_us)
        conn->min_rtt_us = us;
}

void tcp_rtt_sample(struct tcp_conn *conn, weir_time rtt)
{
    const struct weir_tcp_settings *settings = conn->settings;

    rtt = max_i64(rtt, 0);
    note_least(conn, rtt);
    if (!conn->has_rtt) {
        conn->srtt = rtt;
        conn->rttvar = rtt / 2;
        conn->has_rtt = true;
    } else {
        weir_time error = conn->srtt > rtt ? conn->srtt - rtt : rtt - conn->srtt;

        conn->rttvar += (error - conn->rttvar) / 4;
        conn->srtt += (rtt - conn->srtt) / 8;
    }
    conn->rto =
        conn->srtt + max_i64(max_i64(GRANULARITY, settings->rto_variance_min), 4 * conn->rttvar);
    conn->rto = min_i64(max_i64(conn->rto, settings->rto_min), settings->rto_max);
}

/* RFC 6298 5.5, 5.6: doubled for each time-out in a row, up to the maximum. */
weir_time tcp_rto_backed_off(const struct tcp_conn *conn)
{
    weir_time rto = conn->rto;
    unsigned i = 0;

    if (conn->state == WEIR_STATE_SYN_SENT)
        i = conn->settings->syn_linear_retries; /* these do not double it */
    for (; i < conn->retries && rto < conn->settings->rto_max; i++)
        rto *= 2;
    return min_i64(rto, conn->settings->rto_max);
}

void tcp_rto_restart(struct tcp_conn *conn, weir_time now)
{
    tcp_start_timer(conn, TCP_TIMER_RTO, now + tcp_rto_backed_off(conn));
}
