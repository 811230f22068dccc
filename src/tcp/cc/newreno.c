/* SPDX-License-Identifier: MIT */

/* Reno congestion control with NewReno's end of recovery: RFC 5681, RFC 6582, RFC 6928.
 *
 *   slow start            cwnd += min(acked, MSS) for each ACK       while cwnd < ssthresh
 *   congestion avoidance  cwnd += MSS for each cwnd of acked bytes   (RFC 3465: bytes, not ACKs)
 *   loss                  ssthresh = max(flight / 2, 2 MSS)
 *   time-out              the same the first time, and cwnd = MSS
 *   idle for an RTO       cwnd = min(cwnd, restart window)           (RFC 5681 4.1)
 *
 * Nothing grows unless the flight was filling cwnd: an application that sends little would otherwise
 * collect a licence for a burst. Counting bytes makes splitting ACKs worthless (Savage et al. 1999).
 * A batch of acknowledgements that arrives as one counts up to 2 MSS in slow start (RFC 3465 L = 2). */

#include <base/bytes.h>
#include <tcp/cc.h>

#define CWND_MAX (1u << 30)

static void init(struct weir_cc *cc, uint32_t initial_window)
{
    cc->cwnd = initial_window;
    cc->bytes_acked = 0;
}

static void acked(struct weir_cc *cc, const struct weir_cc_ack *ack, weir_time now)
{
    uint32_t beyond = ack->acked;

    (void)now;
    if (!ack->cwnd_limited || cc->cwnd >= CWND_MAX)
        return;
    if (cc->cwnd < cc->ssthresh && cc->slow_start_limit) {
        cc->cwnd += min_u32(ack->acked, cc->slow_start_limit * cc->mss);
        return;
    }
    if (cc->cwnd < cc->ssthresh) { /* without a limit: up to ssthresh, and the rest counts beyond */
        uint32_t part = min_u32(ack->acked, cc->ssthresh - cc->cwnd);

        cc->cwnd += part;
        beyond -= part;
    }
    cc->bytes_acked += beyond;
    if (beyond && cc->bytes_acked >= cc->cwnd) {
        cc->bytes_acked -= cc->cwnd;
        cc->cwnd += cc->mss;
    }
}

static uint32_t half_of(const struct weir_cc *cc, uint32_t flight)
{
    return max_u32(flight / 2, 2 * cc->mss);
}

static void lost(struct weir_cc *cc, uint32_t flight, weir_time now)
{
    (void)now;
    cc->ssthresh = half_of(cc, flight);
    cc->bytes_acked = 0;
}

/* RFC 6582 3.2 step 3, the first of its two ways: no burst when little is in flight. */
static void recovered(struct weir_cc *cc, uint32_t flight, weir_time now)
{
    (void)now;
    cc->cwnd = min_u32(cc->ssthresh, max_u32(flight, cc->mss) + cc->mss);
}

static void timed_out(struct weir_cc *cc, uint32_t flight, bool first, weir_time now)
{
    (void)now;
    if (first)
        cc->ssthresh = half_of(cc, flight);
    cc->cwnd = cc->mss;
    cc->bytes_acked = 0;
}

static void idle(struct weir_cc *cc, uint32_t restart_window, weir_time idle_time, weir_time rto)
{
    if (idle_time > rto)
        cc->cwnd = min_u32(cc->cwnd, restart_window);
}

const struct weir_cc_ops cc_newreno = {
    .name = "newreno",
    .private_size = 0,
    .init = init,
    .acked = acked,
    .lost = lost,
    .recovered = recovered,
    .timed_out = timed_out,
    .idle = idle,
};
