/* SPDX-License-Identifier: MIT */
#ifndef TCP_HALFOPEN_H
#define TCP_HALFOPEN_H

/* A passive open before its handshake is complete: what RFC 9293 calls SYN-RECEIVED, in 40 bytes. */

#include <tcp/tcp.h>

struct tcp_halfopen {
    weir_seq irs, iss;
    uint32_t window;        /* what our SYN-ACK offers */
    uint16_t peer_mss;      /* 0: the peer named none */
    uint16_t our_mss;       /* what our SYN-ACK names, whether or not the option is sent */
    uint8_t retries;        /* SYN-ACKs sent again */
    uint8_t refusals;       /* ACKs in answer to the unacceptable, since the last SYN-ACK */
    bool is_repeated : 1;   /* the SYN-ACK has left more than once: its answer is no RTT sample */
    bool is_timed_out : 1;  /* because nobody answered in time */
    bool is_acked : 1;      /* it was answered; the listener wants data first */
    bool is_defer_over : 1; /* and has waited long enough for that */
    uint32_t rtt_us;        /* with is_acked: the sample; 0: none */
    weir_time started;
    weir_time deadline; /* next SYN-ACK, or the end */
};

enum tcp_halfopen_verdict {
    TCP_HALFOPEN_KEEP,    /* nothing, or a reply */
    TCP_HALFOPEN_INFLATE, /* the handshake is complete */
    TCP_HALFOPEN_DEFER,   /* it is, but no data came: tcp_halfopen_defer comes next */
    TCP_HALFOPEN_FREE,    /* reset, or given up */
};

/* RFC 9293 3.10.7.2: a segment for a listener. Returns true if it opens a connection: *record is
 * then filled but for the iss, window and our_mss, and tcp_halfopen_start comes next. Else *reply or nothing, and *drop. */
bool tcp_listen_input(const struct tcp_segment *segment, struct tcp_halfopen *record,
                      struct tcp_reply *reply, enum weir_drop *drop);

/* Starts the record; *reply is the SYN-ACK. */
void tcp_halfopen_start(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                        weir_time now, struct tcp_reply *reply);

/* RFC 9293 3.10.7.4 in SYN-RECEIVED after a passive open. */
enum tcp_halfopen_verdict tcp_halfopen_input(struct tcp_halfopen *record,
                                             const struct weir_tcp_settings *settings,
                                             const struct tcp_segment *segment,
                                             struct tcp_reply *reply, enum weir_drop *drop);

/* The peer's bare ACK waits in the record until data comes (settings' defer_accept). */
void tcp_halfopen_defer(struct tcp_halfopen *record, weir_time now);

/* After input: true if `reply` is the SYN-ACK again, and the deadline has moved for it (settings'
 * syn_restarts_syn_ack). */
bool tcp_halfopen_answered(struct tcp_halfopen *record, const struct weir_tcp_settings *settings,
                           const struct tcp_reply *reply, weir_time now);

/* At record->deadline: the SYN-ACK again, or FREE, or nothing while a bare ACK waits for data. */
enum tcp_halfopen_verdict tcp_halfopen_expire(struct tcp_halfopen *record,
                                              const struct weir_tcp_settings *settings,
                                              weir_time now, struct tcp_reply *reply);

/* The RST that ends a record whose listener has gone. */
void tcp_halfopen_reset(const struct tcp_halfopen *record, struct tcp_reply *reply);

#endif
