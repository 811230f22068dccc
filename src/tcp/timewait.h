/* SPDX-License-Identifier: MIT */
#ifndef TCP_TIMEWAIT_H
#define TCP_TIMEWAIT_H

/* What is left of a connection in TIME-WAIT (RFC 9293 3.6.1): enough to answer its peer. */

#include <tcp/tcp.h>

struct tcp_timewait {
    weir_seq snd_nxt, rcv_nxt;
    uint32_t window;
    weir_time deadline;
};

enum tcp_timewait_verdict {
    TCP_TIMEWAIT_KEEP,   /* nothing, or a reply */
    TCP_TIMEWAIT_FREE,   /* RFC 9293's text: a RST ends it */
    TCP_TIMEWAIT_REOPEN, /* a SYN that may open a new connection: free the record, then treat the
                            segment as if there had been none, with an ISS above snd_nxt [MAY-2] */
};

void tcp_timewait_start(struct tcp_timewait *record, const struct tcp_conn *conn, weir_time now);

enum tcp_timewait_verdict tcp_timewait_input(struct tcp_timewait *record,
                                             const struct weir_tcp_settings *settings,
                                             const struct tcp_segment *segment, weir_time now,
                                             struct tcp_reply *reply, enum weir_drop *drop);

/* The ACK that refuses a SYN which nobody can take: RFC 9293 3.10.7.4 [U-12]. */
void tcp_timewait_refuse(const struct tcp_timewait *record, struct tcp_reply *reply);

#endif
