/* SPDX-License-Identifier: MIT */
#ifndef WEIR_CC_H
#define WEIR_CC_H

/* The contract of a congestion control (RFC 5681 and what succeeds it). The loss detector in
 * tcp/loss.c says what happened, the congestion control says how much may be in flight. One file in
 * src/tcp/cc and one line in src/tcp/cc.h make a new one. All sizes are bytes. */

#include <weir/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What every congestion control works on. `cwnd` and `ssthresh` are its results. */
struct weir_cc {
    uint32_t cwnd;
    uint32_t ssthresh;
    uint32_t mss;              /* effective send MSS */
    uint32_t slow_start_limit; /* MSS that one ACK may add in slow start (RFC 3465 L); 0: any */
    uint32_t bytes_acked;      /* scratch of appropriate byte counting (RFC 3465) */
    void *private_block;       /* private_size zeroed bytes, or NULL */
};

struct weir_cc_ack {
    uint32_t acked;     /* bytes newly acknowledged */
    uint32_t in_flight; /* bytes outstanding before this ACK */
    bool cwnd_limited;  /* the flight had been filling cwnd */
    weir_time rtt;      /* sample of this ACK; 0: none */
};

struct weir_cc_ops {
    const char *name;
    size_t private_size;
    void (*init)(struct weir_cc *cc, uint32_t initial_window);
    /* New data acknowledged, not in recovery. */
    void (*acked)(struct weir_cc *cc, const struct weir_cc_ack *ack, weir_time now);
    /* Loss was detected with `flight` bytes outstanding: sets ssthresh (cwnd is the recovery's until
     * it ends). */
    void (*lost)(struct weir_cc *cc, uint32_t flight, weir_time now);
    /* Recovery is over with `flight` bytes outstanding: sets cwnd. */
    void (*recovered)(struct weir_cc *cc, uint32_t flight, weir_time now);
    /* The retransmission timer expired; `first` for the first time on this data. */
    void (*timed_out)(struct weir_cc *cc, uint32_t flight, bool first, weir_time now);
    /* Sending resumes after `idle` without a packet; rto is the present timeout. */
    void (*idle)(struct weir_cc *cc, uint32_t restart_window, weir_time idle, weir_time rto);
};

#ifdef __cplusplus
}
#endif
#endif
