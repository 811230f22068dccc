/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SETTINGS_H
#define WEIR_SETTINGS_H

/* Everything about a TCP that may be set. A profile fills the whole struct; protocol code reads the
 * fields and never asks which profile it was. */

#include <weir/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_tcp_settings {
    /* RFC 6298 */
    weir_time rto_initial; /* before the first sample */
    weir_time rto_min;
    weir_time rto_max;
    weir_time rto_variance_min; /* least of what is added to SRTT; 0: the clock's granularity */

    /* RFC 9293 3.8.3. A connection is given up when both are reached: `retries` retransmissions of
     * the same data and `time` since it was first sent. r1: retransmissions before the application
     * is told of trouble. */
    uint32_t r1_retries;
    uint32_t r2_retries;
    weir_time r2_time;
    uint32_t syn_r2_retries;
    weir_time syn_r2_time;
    uint32_t syn_ack_r2_retries; /* of a half-open record, with the time of a SYN */
    uint32_t syn_linear_retries; /* so many SYNs are repeated before the timeout doubles */
    bool syn_restarts_syn_ack;   /* a SYN that comes again is answered, and the timer starts anew */
    bool r2_from_retransmission; /* r2_time and user_timeout count from the first retransmission,
                                     not from the first transmission */
    weir_time user_timeout;      /* RFC 9293 3.10.8; 0: by R2 alone; WEIR_NEVER: never give up */

    weir_time msl;                /* TIME-WAIT lasts twice this */
    weir_time fin_wait_2_timeout; /* of a socket that the application has closed; 0: RST at once */
    weir_time delayed_ack;        /* RFC 9293 3.8.6.3; 0: acknowledge every data segment at once */
    weir_time delayed_ack_max; /* > delayed_ack: the delay adapts to the peer's pace, up to this */
    uint32_t quick_acks;       /* so many data segments at most are acknowledged at once when a
                                     connection or, after a pause, its peer starts to send; 0: off */
    bool ack_by_peer_segment;  /* an ACK is due beyond one segment of the size that the peer uses,
                                     else from two of our MSS on */
    bool delay_fin_ack;     /* the ACK of a FIN waits as that of data does, if data came before */
    bool ack_on_read;       /* a delayed ACK leaves when all is read and a small segment, or one
                                     with PSH, was among it; needs ack_by_peer_segment */
    weir_time sws_override; /* RFC 9293 3.8.6.2.1: 0.1..1 s (brown: 10 ms); 0: the RTO */
    weir_time first_data_delay; /* pause of an active opener before its first data; 0: none */

    weir_time keepalive_idle;
    weir_time keepalive_interval;
    uint32_t keepalive_probes;

    uint32_t send_buffer;    /* bytes */
    uint32_t receive_buffer; /* bytes */
    uint32_t window_max;     /* largest window offered and used, bytes */
    uint32_t ooo_ranges_max; /* out-of-order ranges kept per connection */
    uint32_t notsent_lowat;  /* writable while fewer than half as many bytes wait to be sent for the
                                first time; UINT32_MAX: however many */

    weir_time defer_accept; /* a listener's handshakes that bring no data wait so long; 0: off */

    uint16_t mss_default; /* send MSS when the peer names none (536; brown: 1360) */
    uint16_t mss_max;     /* never larger than this in either direction; 0: as the MTU allows */
    uint16_t mss_min;     /* a peer that names less is taken at this */
    bool send_mss_option;

    uint16_t initial_window_segments; /* RFC 6928: 10 */
    uint32_t initial_window_bytes;    /* and no more than this, or 2 MSS; 0: no bound */
    uint32_t syn_losses_max;   /* SYNs or SYN-ACKs repeated before the first window is one MSS */
    uint32_t slow_start_limit; /* MSS that one ACK adds in slow start (RFC 3465 L); 0: all that
                                         it acknowledges */
    bool dup_acks_deliver;     /* segments that duplicate ACKs told of do not open cwnd again when
                                    they are acknowledged */
    bool sent_fills_window; /* cwnd grows if it was full when data was sent last, or more than half
                                    full in slow start; else, if it is as the ACK comes */
    bool frto;         /* RFC 5682: a time-out that was none is taken back, and new data asks */
    bool idle_restart; /* RFC 5681 4.1 */
    bool idle_halves;  /* and by half for each RTO, instead of at once */
    const char *congestion_control; /* name of a row of tcp/cc.h: "newreno" */

    uint8_t ttl;
    uint8_t tos;
    bool nagle;
    bool keepalive;
    bool accept_bare_fin;  /* a FIN without ACK counts as if it acknowledged SND.UNA */
    bool rst_on_lost_data; /* bytes that nobody will read are answered by a RST (RFC 9293 3.6.1
                                  [SHLD-3]); else they are acknowledged and thrown away */
    bool
        error_keeps_data; /* what arrived in order before a RST or a time-out can still be read, and
                              then comes the error; else it is flushed (RFC 9293 3.10.7.4) */
    bool rst_closes_time_wait; /* RFC 9293's text; else RFC 1337 F1: ignored */
    bool rst_has_ack;   /* the RST of an ABORT acknowledges RCV.NXT (RFC 9293 3.10.5: bare) */
    bool rst_takes_ack; /* late data is answered by a RST at SEG.ACK, else at SND.NXT */
    bool rst_on_keepalive_end; /* a RST when keep-alive gives up */
    bool minshall;             /* Nagle holds a small segment back only while another one is out
                                  (RFC 9293 A.3) */
    bool half_window_mss;      /* segments of no more than half the largest window seen */
    bool keeps_segments; /* what is sent again has the edges and the PSH it had; bytes written with
                            WEIR_MSG_MORE get none, and wait for the peer's next segment at most */
    bool probe_has_data; /* RFC 9293 3.8.6.1: a zero-window probe has one octet; else none, and
                                  a number below SND.UNA */
    bool window_in_segments; /* windows are offered in whole segments of the peer's, and updated
                                  when they can be doubled */
    bool shut_keeps_data;    /* what comes after a shutdown of reading can still be read, else it is
                                  acknowledged and thrown away */
    bool syn_refuses_fin;    /* a SYN with FIN opens nothing, else its SYN counts */
    bool listener_ends_quietly; /* a listener that is closed forgets its half-open peers, else they
                                   get a RST */
    bool icmp_ends_opening;     /* any ICMP error ends an opening connection, else hard ones only */
    bool ack_unsent_acks; /* an ACK of what was never sent is answered (RFC 9293 3.10.7.4), else
                                  dropped */
    uint32_t challenge_acks_per_second; /* RFC 5961 10, per connection */
    weir_time invalid_ratelimit;        /* and so much time at least between two of them */
};

enum weir_profile {
    WEIR_PROFILE_DEFAULT,
    WEIR_PROFILE_STRICT,
    WEIR_PROFILE_BROWN,
    WEIR_PROFILE_LINUX
};

/* Fills *settings with a profile's values. */
void weir_profile(enum weir_profile profile, struct weir_tcp_settings *settings);

/* "default", "strict", "brown", "linux". Returns 0 or WEIR_EINVAL. */
int weir_profile_parse(const char *name, enum weir_profile *profile);

#ifdef __cplusplus
}
#endif
#endif
