/* SPDX-License-Identifier: MIT */
#ifndef TCP_TCP_H
#define TCP_TCP_H

/* One TCP connection (RFC 9293), pure: segments and the time go in, decisions come out.
 *
 * Theory of operation. Three verbs move a connection on:
 *
 *   tcp_input    what a segment says becomes true (3.10.7, in the RFC's order). Input never sends:
 *                it marks what is owed (ACKs are counted) and which retransmission is due.
 *   tcp_expire   what the passing of time did becomes true: one absolute time per timer.
 *   tcp_plan     looks, and changes nothing: the next run of bytes that may leave and why, or why
 *                nothing may. The caller sends the run (tcp_emit cuts it into segments) and says
 *                with tcp_sent how much of it really left. When nothing may leave, tcp_wait arms the
 *                timer that ends that kind of waiting, and answers when to come back.
 *
 * So there is one place that decides to send (plan.c), and one that reads timers (timer.c).
 *
 * What it needs only while something is under way is a block of its own, `active`, which a silent
 * connection does not have (rest.c). Reading from it is always right; whoever writes wakes first.
 *
 * A connection knows no IP, no ports, no socket and no clock. Its owner gives it memory (struct
 * tcp_context), sends its runs, reads `events`, and deletes it once its state is CLOSED and no RST
 * is due. A passive open is a half-open record (halfopen.h) until its handshake is complete.
 *
 * Sequence space. The SYN is at iss, data from iss + 1 to snd_end, the FIN at snd_end once the
 * application has closed. snd_nxt is one past the highest number ever sent; it never moves back.
 *
 *        snd_base          snd_una     rtx_nxt     snd_nxt          snd_end
 *   ─────┼─────────────────┼───────────┼───────────┼────────────────┼──────
 *         (= snd_una, without SYN, FIN)  sent again  sent, not acked   queued
 */

#include <base/seq.h>
#include <store/records.h>
#include <store/ranges.h>
#include <store/ring.h>
#include <weir/cc.h>
#include <weir/inspect.h>
#include <wire/tcp.h>

/* What all connections of a stack share. */
struct tcp_context {
    struct alloc *alloc;
    struct ring_pool *rings;
    struct pool *actives; /* of struct tcp_active */
    struct weir_counters *counters;
    bool skip_checksum; /* received checksums are not looked at */
};

/* Options of one received segment. More fields come with more rows in opt.h. */
struct tcp_options {
    uint16_t mss; /* 0: none */
};

/* A received segment. Trimming moves seq, data and length together. */
struct tcp_segment {
    weir_seq seq, ack;
    const uint8_t *data;
    uint32_t length; /* bytes of data */
    uint32_t window;
    uint32_t sum; /* pseudo-header and TCP header, checksum field included; the data is not in it */
    uint16_t urgent;
    uint8_t flags;    /* enum tcp_flag */
    bool is_verified; /* the checksum is known to be right */
    bool is_landed;   /* the data is in its place in the receive ring already */
    struct tcp_options options;
};

/* RFC 9293 3.10.7: SEG.LEN, SYN and FIN counted. */
uint32_t tcp_segment_length(const struct tcp_segment *segment);

/* True if the checksum is right; remembers it. Costs a pass over the data the first time. */
bool tcp_segment_verify(const struct tcp_context *context, struct tcp_segment *segment);

/* A segment that no connection remembers: RST, SYN-ACK, the ACK of a TIME-WAIT record. */
struct tcp_reply {
    weir_seq seq, ack;
    uint32_t window;
    uint16_t mss;  /* 0: no option */
    uint8_t flags; /* 0: there is no reply */
    enum weir_why why;
};

enum tcp_timer {
    TCP_TIMER_RTO,     /* RFC 6298: the oldest outstanding byte waits for its ACK */
    TCP_TIMER_PERSIST, /* RFC 9293 3.8.6.1: next zero-window probe */
    TCP_TIMER_SWS,     /* RFC 9293 3.8.6.2.1: send a small segment after all */
    TCP_TIMER_DELAYED_ACK,
    TCP_TIMER_KEEPALIVE,
    TCP_TIMER_USER,  /* RFC 9293 3.10.8: user timeout */
    TCP_TIMER_STATE, /* end of TIME-WAIT or of an orphaned FIN-WAIT-2; end of the pause before
                            the first data */
    TCP_TIMER_COUNT
};

/* Ends of records in the send buffer (MSG_EOR), oldest first: a circular array. */
struct tcp_marks {
    uint32_t first, count, capacity; /* capacity: a power of two */
    weir_seq at[];
};

/* How loss recovery stands (RFC 5681, RFC 6582). */
enum tcp_phase {
    TCP_OPEN,     /* nothing is known to be lost */
    TCP_RECOVERY, /* fast recovery, until `recover` is acknowledged */
    TCP_LOSS,     /* the timer expired: [rtx_nxt, recover) is sent again, as cwnd allows */
};

/* Why it is not done yet, for whoever looks (meter.c). */
enum tcp_business {
    TCP_IDLE,        /* nothing is queued or out */
    TCP_BUSY,        /* with what the network takes */
    TCP_BUSY_WINDOW, /* the peer's window is full */
    TCP_BUSY_BUFFER, /* the send buffer is full, and all of it is out */
    TCP_BUSINESS_COUNT
};

#define TCP_MSS_DEFAULT 536u    /* RFC 9293 3.7.1 [MUST-15] */
#define TCP_DUP_ACK_THRESHOLD 3 /* RFC 5681 3.2 */

/* What a connection needs only while something is under way: rest.c. */
struct tcp_active {
    struct ring snd_ring; /* offset 0 is snd_base */
    struct ring rcv_ring; /* offset 0 is rcv_read */
    struct ranges ooo;    /* received beyond rcv_nxt */
    struct records records;
    struct tcp_marks *marks; /* NULL: none */

    weir_time timers[TCP_TIMER_COUNT]; /* absolute; WEIR_NEVER: not running */
    weir_time stalled_since;           /* since when the oldest outstanding byte waits */
    weir_time retried_since;           /* with retries: the first retransmission in a row */
    weir_time challenge_from;          /* RFC 5961 10: start of the present second */
    weir_time challenged;              /* the last challenge ACK */
    uint32_t challenges;               /* challenge ACKs in the present second */
    uint16_t acks_owed;                /* pure ACKs to send at once, beyond ack_now */
    uint16_t dup_acks;                 /* duplicate ACKs in a row */
    weir_seq snd_up;                   /* with is_urgent_out */
    weir_seq rcv_fin;                  /* with has_fin: sequence number of the peer's FIN */
    uint16_t used_max;                 /* most segments out in the window up to used_end; 0: none */
    weir_seq used_end;                 /* sent_fills_window: SND.NXT as of used_max */
    weir_seq snd_small;                /* end of the last small segment sent (Minshall) */
    weir_seq rtx_nxt;                  /* in LOSS: next to be sent again */
    uint32_t undo_cwnd, undo_ssthresh; /* with may_undo */
    weir_time business_from;           /* since when it is busy so */
};

/* The one of all connections at rest: empty buffers, no timer. It is never written to. */
extern const struct tcp_active tcp_resting;

struct tcp_conn {
    const struct tcp_context *context;
    const struct weir_tcp_settings *settings; /* the stack's, or the socket's own */
    struct tcp_active *active;                /* its own, or tcp_resting */

    /* RFC 9293 3.3.1 */
    weir_seq snd_una, snd_nxt, snd_wl1, snd_wl2, iss;
    weir_seq rcv_nxt, rcv_up, irs;
    uint32_t snd_wnd;
    uint32_t max_snd_wnd; /* largest snd_wnd seen */
    weir_seq snd_end;     /* one past the last byte the application queued */
    weir_seq rcv_adv;     /* right edge that was offered; never moves left. Before the peer's ISN is
                             known RCV.NXT is 0, and this the window of our SYN */
    weir_seq rcv_acked;   /* rcv_nxt as of the last ACK sent */
    weir_seq rcv_read;    /* first byte the application has not taken */

    uint8_t state;   /* enum weir_tcp_state */
    uint8_t phase;   /* enum tcp_phase */
    uint8_t retries; /* time-outs (or unanswered probes) in a row */
    uint8_t probes;  /* zero-window or keep-alive probes sent in a row: their back-off */
    uint8_t ack_why; /* enum weir_why of the ACKs owed */
    uint8_t rtx_why; /* enum weir_why of rtx_once */
    int8_t error;    /* WEIR_E… that ended it, not taken yet */
    int8_t notice;   /* soft error, not taken yet */
    uint32_t events; /* enum weir_event_bits since the owner last looked */

    bool is_active : 1;    /* opened by us [MUST-11] */
    bool fin_queued : 1;   /* the application has closed its direction */
    bool has_fin : 1;      /* the peer's FIN was seen, in order or not */
    bool fin_received : 1; /* and everything before it */
    bool rcv_shut : 1;     /* the application reads no more */
    bool is_orphan : 1;    /* the application has closed the socket */
    bool ack_now : 1;      /* an ACK is due at once; data may carry it */
    bool rtx_once : 1;     /* send the segment at snd_una again, whatever cwnd says */
    bool probe_due : 1;    /* persist timer expired */
    bool keepalive_due : 1;
    bool sws_override : 1; /* a small segment may leave */
    bool rst_due : 1;      /* only a RST is left to send */
    bool is_holding : 1;   /* pausing before the first data */
    bool want_out : 1;     /* the application found the send buffer full, or filled it so far that
                                  it is not writable */
    bool is_corked : 1;
    bool more_coming : 1;   /* the last write said so */
    bool more_holds : 1;    /* and what it left of a segment waits for the rest */
    bool is_urgent_out : 1; /* snd_up is ahead of snd_una */
    bool is_urgent_in : 1;  /* rcv_up is ahead of rcv_read */
    bool past_r1 : 1;
    bool has_rtt : 1;        /* srtt is a measurement */
    bool syn_timed_out : 1;  /* RFC 6298 5.7, RFC 6928 */
    bool is_interactive : 1; /* data goes out soon after data comes in */
    bool used_up : 1;        /* cwnd was full in the window up to used_end */
    bool may_undo : 1;       /* the time-out may be taken back: undo_cwnd, undo_ssthresh */
    bool
        asks_first : 1; /* in LOSS: new data goes out, and its ACKs tell whether there was a loss */
    uint8_t small_came : 2; /* segments that ended a write, since the last ACK: none, one, more */
    uint8_t business : 2;   /* enum tcp_business */
    uint8_t cc_row;         /* of its congestion control: cc_at */

    weir_seq recover;      /* RFC 6582 */
    uint16_t snd_mss;      /* what the peer takes, and our bound */
    uint16_t path_mss;     /* what the path takes, and our bound */
    uint16_t rcv_mss;      /* what we offered */
    uint16_t peer_segment; /* size of the largest segments that come (ack.c) */
    uint16_t rcv_max;      /* largest text that came */
    uint8_t quick_acks;    /* so many segments more are acknowledged at once */
    uint8_t syn_losses;    /* SYNs, or SYN-ACKs, that a time-out repeated */
    uint32_t min_rtt_us;   /* 0: none yet */
    uint32_t delivered;    /* segments of ours that were acknowledged */
    uint32_t rcv_ssthresh; /* window_in_segments: no more than this is offered */
    uint32_t send_buffer, receive_buffer;

    struct weir_cc cc;
    weir_time srtt, rttvar, rto;
    weir_time last_sent;     /* data, for the restart after idling */
    weir_time last_heard;    /* any acceptable segment, for keep-alive */
    weir_time ack_delay;     /* of delayed ACKs, at present; 0: no data came yet */
    weir_time last_received; /* text */
    weir_time last_data;     /* when in-order data came */

    uint64_t segments_sent, segments_received, bytes_sent, bytes_received, bytes_acked;
    uint64_t bytes_retransmitted;
    uint32_t retransmissions, timeouts, fast_retransmits, dup_acks_received;
    weir_time business_time[TCP_BUSINESS_COUNT - 1]; /* of all but IDLE, up to business_from */
};

/* ---- conn.c -------------------------------------------------------------------------------------- */

struct tcp_halfopen;

/* A connection in CLOSED, at rest. The context and the settings outlive it. */
void tcp_init(struct tcp_conn *conn, const struct tcp_context *context,
              const struct weir_tcp_settings *settings);

/* Frees all memory. */
void tcp_done(struct tcp_conn *conn);

/* Active OPEN of a connection that is awake: SYN-SENT, with a SYN due. `mms`: largest TCP segment the path takes. */
void tcp_open(struct tcp_conn *conn, weir_seq iss, uint32_t mms, weir_time now);

/* A half-open record whose handshake is complete: SYN-RECEIVED. The segment that completed it is to
 * be given to tcp_input next. */
void tcp_inflate(struct tcp_conn *conn, const struct tcp_halfopen *record, uint32_t mms,
                 weir_time now);

/* cc.mss anew: of what the peer takes, what the path takes, and what half its window takes. */
void tcp_bound_mss(struct tcp_conn *conn);

/* The path's largest segment has changed. */
void tcp_set_mms(struct tcp_conn *conn, uint32_t mms);

/* CLOSE of our direction: the FIN follows what is queued (RFC 9293 3.10.4). In SYN-SENT the
 * connection is just gone. */
void tcp_close_send(struct tcp_conn *conn, weir_time now);

/* The application is gone: CLOSE, or ABORT if data is unread [SHLD-3]. */
void tcp_close(struct tcp_conn *conn, weir_time now);

/* ABORT (RFC 9293 3.10.5): CLOSED, with a RST due where the state calls for one [U-29]. */
void tcp_abort(struct tcp_conn *conn);

/* CLOSED because of `error` (0: in good order). No RST. */
void tcp_fail(struct tcp_conn *conn, int error);

/* TIME-WAIT, for twice the MSL from now (RFC 9293 3.6.1). */
void tcp_enter_time_wait(struct tcp_conn *conn, weir_time now);

/* ESTABLISHED, or FIN-WAIT-1 if the application has closed already: the first window and MSS are
 * known, congestion control starts. */
void tcp_enter_established(struct tcp_conn *conn, weir_time now);

/* To be called before tcp_plan when sending may resume: after idling for longer than an RTO the
 * congestion window falls back to the restart window (RFC 5681 4.1). */
void tcp_resume(struct tcp_conn *conn, weir_time now);

/* FIN-WAIT-2 of a socket that nobody holds any more does not last for ever; with a time of 0 it ends
 * at once, by a RST. */
void tcp_start_orphan_timer(struct tcp_conn *conn, weir_time now);

/* Asserts that RFC 9293 figure 5 knows the transition. */
void tcp_set_state(struct tcp_conn *conn, enum weir_tcp_state state);

/* States in which the peer's ISN is known and acknowledged. */
static inline bool tcp_is_synchronised(const struct tcp_conn *conn)
{
    return conn->state >= WEIR_STATE_ESTABLISHED;
}

/* ---- rest.c -------------------------------------------------------------------------------------- */

/* Needed before tcp_sent, tcp_wait, and whatever starts a timer or lends memory; input and
 * tcp_send_begin do it themselves. False: no memory, and nothing has changed. */
bool tcp_wake_up(struct tcp_conn *conn);

static inline bool tcp_wake(struct tcp_conn *conn)
{
    return conn->active != &tcp_resting || tcp_wake_up(conn);
}

/* Gives up what nothing needs at the moment, if that is so. No span of the send ring may be lent. */
void tcp_rest(struct tcp_conn *conn, weir_time now);

/* To begin with; without looking; the buffers of one direction. No memory is needed, at rest either. */
void tcp_lie_down(struct tcp_conn *conn);
void tcp_free_active(struct tcp_conn *conn);
void tcp_free_send_side(struct tcp_conn *conn);
void tcp_free_receive_side(struct tcp_conn *conn);

/* ---- input.c ------------------------------------------------------------------------------------- */

/* A segment for this connection. The segment may be changed (trimmed). Returns WEIR_DROP_NONE or why
 * it, or part of it, was not taken. If reply->flags != 0 it is to be sent. */
enum weir_drop tcp_input(struct tcp_conn *conn, struct tcp_segment *segment, weir_time now,
                         struct tcp_reply *reply);

/* RFC 9293 3.10.7.1: there is no connection. */
enum weir_drop tcp_closed_input(const struct tcp_segment *segment, struct tcp_reply *reply);

/* An ICMP error whose quoted sequence number is `seq` (RFC 9293 3.9.2.2, RFC 5927). `error`: the
 * WEIR_E… it means; is_hard: it may end an opening connection. */
enum weir_drop tcp_icmp(struct tcp_conn *conn, weir_seq seq, int error, bool is_hard);

/* ---- plan.c, output.c ---------------------------------------------------------------------------- */

enum tcp_run_kind { TCP_RUN_NONE, TCP_RUN_SYN, TCP_RUN_DATA, TCP_RUN_ACK, TCP_RUN_RST };

/* What the path and the stack allow at the moment. */
struct tcp_env {
    uint32_t quantum;     /* bytes at most in one run */
    bool memory_pressure; /* windows do not grow */
};

/* What may be sent next. A FIN rides on the run's last segment if flags says so; it has no byte in
 * `length`. */
struct tcp_run {
    enum tcp_run_kind kind;
    weir_seq seq;
    uint32_t length;
    uint32_t window;   /* to offer with it */
    uint8_t flags;     /* of the last segment: FIN, PSH; the others come by themselves */
    enum weir_why why; /* also with TCP_RUN_NONE */
};

/* Pure and O(1). Call again after tcp_sent, until TCP_RUN_NONE. */
struct tcp_run tcp_plan(const struct tcp_conn *conn, const struct tcp_env *env, weir_time now);

/* Header and payload of the part of `run` that starts at `offset`, written to `bytes`, which takes
 * tcp_emit_size. */
struct tcp_ports {
    uint16_t local, remote;
    uint32_t pseudo_sum; /* without the length */
    uint32_t piece;      /* text in one part at most, a multiple of the MSS; 0: the MSS */
    bool is_partial; /* of text the checksum is not made: its field gets the pseudo-header's sum */
};
uint32_t tcp_emit(const struct tcp_conn *conn, const struct tcp_run *run, uint32_t offset,
                  const struct tcp_ports *ports, uint8_t *bytes);

/* Bytes that tcp_emit will write for the part at `offset`, and how many of them are payload. */
uint32_t tcp_emit_size(const struct tcp_conn *conn, const struct tcp_run *run, uint32_t offset,
                       const struct tcp_ports *ports, uint32_t *payload);

/* Writes a segment that belongs to no connection. Returns its size (at most TCP_HEADER + 4). */
uint32_t tcp_emit_reply(const struct tcp_reply *reply, const struct tcp_ports *ports,
                        uint8_t *bytes);

/* The first `length` bytes of `run` have left in `segments` ≥ 1 segments (with its SYN, FIN, if it is
 * the whole run). */
void tcp_sent(struct tcp_conn *conn, const struct tcp_run *run, uint32_t length, uint32_t segments,
              weir_time now);

/* Takes note that the plan was TCP_RUN_NONE because of `why`: arms or stops the persist and
 * override timers. Returns when to expire and plan again; WEIR_NEVER. */
weir_time tcp_wait(struct tcp_conn *conn, enum weir_why why, weir_time now);

/* ---- timer.c, rtt.c, isn.c ------------------------------------------------------------------------ */

void tcp_expire(struct tcp_conn *conn, weir_time now);
weir_time tcp_deadline(const struct tcp_conn *conn);

static inline void tcp_start_timer(struct tcp_conn *conn, enum tcp_timer timer, weir_time at)
{
    conn->active->timers[timer] = at;
}

static inline void tcp_stop_timer(struct tcp_conn *conn, enum tcp_timer timer)
{
    if (conn->active->timers[timer] != WEIR_NEVER)
        conn->active->timers[timer] = WEIR_NEVER;
}

static inline bool tcp_timer_is_running(const struct tcp_conn *conn, enum tcp_timer timer)
{
    return conn->active->timers[timer] != WEIR_NEVER;
}

/* RFC 9293 3.10.8: from when the oldest outstanding byte was sent, or sent again, as the settings say. */
void tcp_start_user_timer(struct tcp_conn *conn);

/* With r2_from_retransmission it covers a closed window too, answered or not: from the first probe. */
void tcp_probe_user_timer(struct tcp_conn *conn, weir_time now);

/* RFC 6298: a sample; the timeout with its present back-off; the timer restarted from now. */
void tcp_rtt_sample(struct tcp_conn *conn, weir_time rtt);
weir_time tcp_rto_backed_off(const struct tcp_conn *conn);
void tcp_rto_restart(struct tcp_conn *conn, weir_time now);

/* RFC 6528: M + F, where F is the flow's keyed digest and M the 4 µs clock [MUST-8, SHLD-1]. */
weir_seq tcp_isn(uint64_t digest, weir_time now);

/* ---- meter.c ---------------------------------------------------------------------------------------- */

/* Segments that [seq, end) of what is out has taken. */
uint32_t tcp_meter_segments(const struct tcp_conn *conn, weir_seq seq, weir_seq end);

/* `ack` acknowledges new data (before snd_una moves). */
void tcp_meter_acked(struct tcp_conn *conn, weir_seq ack);

/* Nothing more may be sent now, because of `why`. */
void tcp_meter_wait(struct tcp_conn *conn, enum weir_why why, weir_time now);

/* Time spent so, up to `now`. */
weir_time tcp_meter_time(const struct tcp_conn *conn, enum tcp_business business, weir_time now);

/* Segments that are out; of these sent again and not taken for lost since; taken for lost. Walks all
 * transmission records. */
struct tcp_meter {
    uint32_t unacked, retransmitted, lost;
};
void tcp_meter_flight(const struct tcp_conn *conn, struct tcp_meter *meter);

/* ---- send.c ---------------------------------------------------------------------------------------- */

/* First sequence number in the send ring. */
static inline weir_seq tcp_send_base(const struct tcp_conn *conn)
{
    if (!tcp_is_synchronised(conn))
        return conn->iss + 1;
    return seq_min(conn->snd_una, conn->snd_end);
}

/* Bytes queued (sent or not), room for more, and bytes never sent yet. */
uint32_t tcp_send_queued(const struct tcp_conn *conn);
uint32_t tcp_send_room(const struct tcp_conn *conn);
uint32_t tcp_send_unsent(const struct tcp_conn *conn);

/* There is room, and not too much is unsent (settings' notsent_lowat). */
bool tcp_send_is_writable(const struct tcp_conn *conn);

/* Room or limits have changed: WEIR_OUT, if a writer waits for that and it is worth it. */
void tcp_send_wake(struct tcp_conn *conn);

/* Bytes (SYN and FIN counted) that are out and not acknowledged: RFC 5681's FlightSize. */
static inline uint32_t tcp_flight(const struct tcp_conn *conn)
{
    return conn->snd_nxt - conn->snd_una;
}

/* The FIN has been sent at least once. */
static inline bool tcp_fin_sent(const struct tcp_conn *conn)
{
    return conn->fin_queued && seq_gt(conn->snd_nxt, conn->snd_end);
}

/* Lends up to `want` contiguous bytes of room / queues the first `length` of them. Memory may be
 * short: returns NULL then. Closed directions are the caller's check. */
uint8_t *tcp_send_begin(struct tcp_conn *conn, uint32_t want, uint32_t *length);
void tcp_send_commit(struct tcp_conn *conn, uint32_t length, bool more, bool urgent);

/* From input: SEG.ACK = ack acknowledges new data / everything a segment says of the window. */
void tcp_send_acked(struct tcp_conn *conn, weir_seq ack, weir_time now);
void tcp_send_window(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now);

/* ---- marks.c --------------------------------------------------------------------------------------- */

/* What is queued ends a record: no segment crosses this point. Without memory it is forgotten. */
void tcp_marks_add(struct tcp_conn *conn);

/* Where a segment that starts at `seq` must end at the latest: the first mark beyond it, or snd_end. */
weir_seq tcp_marks_after(const struct tcp_conn *conn, weir_seq seq);

/* Forgets those up to `ack`; all. */
void tcp_marks_acked(struct tcp_conn *conn, weir_seq ack);
void tcp_marks_free(struct tcp_conn *conn);

/* Right edge minus snd_nxt, never negative [MUST-34]. */
static inline uint32_t tcp_usable_window(const struct tcp_conn *conn)
{
    int32_t usable = seq_diff(conn->snd_una + conn->snd_wnd, conn->snd_nxt);

    return usable > 0 ? (uint32_t)usable : 0;
}

/* ---- recv.c ---------------------------------------------------------------------------------------- */

/* RCV.WND: what was offered and not used yet. */
static inline uint32_t tcp_recv_window(const struct tcp_conn *conn)
{
    int32_t window = seq_diff(conn->rcv_adv, conn->rcv_nxt);

    return window > 0 ? (uint32_t)window : 0;
}

/* The first window, for a SYN or SYN-ACK that names `mss`. */
uint32_t tcp_recv_first_window(const struct weir_tcp_settings *settings, uint32_t mss);

/* The window that a segment sent now would offer (silly-window avoidance, never shrinking). */
uint32_t tcp_recv_offer(const struct tcp_conn *conn, bool memory_pressure);

/* Is a window update worth a segment of its own? */
bool tcp_recv_update_due(const struct tcp_conn *conn, bool memory_pressure);

/* The same, if it offers `offer`. */
bool tcp_recv_is_update(const struct tcp_conn *conn, uint32_t offer);

/* Tries to copy and verify in one pass. Returns false if the checksum is wrong. */
bool tcp_recv_land(struct tcp_conn *conn, struct tcp_segment *segment);

/* Step seven and eight of 3.10.7.4: text and FIN of an acceptable, trimmed segment. */
enum weir_drop tcp_recv_text(struct tcp_conn *conn, struct tcp_segment *segment, weir_time now);
void tcp_recv_fin(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now);

/* Bytes that can be read; a span of them, `offset` bytes on (NULL: there are not so many); taking
 * them off. */
static inline uint32_t tcp_recv_readable(const struct tcp_conn *conn)
{
    return conn->rcv_nxt - conn->rcv_read - (conn->fin_received ? 1 : 0);
}
const uint8_t *tcp_recv_peek(const struct tcp_conn *conn, uint32_t offset, uint32_t *length);
void tcp_recv_consume(struct tcp_conn *conn, uint32_t length);

/* Gives up out-of-order data, to make room under memory pressure. Returns the bytes. */
uint32_t tcp_recv_shed(struct tcp_conn *conn);

/* The application reads no more: what is and comes in is acknowledged and thrown away. */
void tcp_recv_shut(struct tcp_conn *conn);

/* Owes an ACK of its own for a segment / notes a challenge ACK, if the throttle allows. */
void tcp_owe_ack(struct tcp_conn *conn, enum weir_why why);
enum weir_drop tcp_owe_challenge(struct tcp_conn *conn, enum weir_drop reason, weir_time now);

/* ---- ack.c: when in-order data is acknowledged ------------------------------------------------------ */

/* The windows are known. */
void tcp_ack_start(struct tcp_conn *conn, weir_time now);

/* In-order data came. True: its ACK is due at once, gap or not; else the delayed-ACK timer runs. */
bool tcp_ack_data_came(struct tcp_conn *conn, const struct tcp_segment *segment, weir_time now);

/* The FIN came, in order, and the state is still the old one. As above. */
bool tcp_ack_fin_came(struct tcp_conn *conn, weir_time now);

/* Something was read: is the delayed ACK worth sending now (settings' ack_on_read)? */
bool tcp_ack_wanted_by_reader(const struct tcp_conn *conn);

/* The next segments are to be acknowledged each / because one was refused. */
void tcp_ack_quickly(struct tcp_conn *conn);
void tcp_ack_refused(struct tcp_conn *conn);

/* The delayed-ACK timer has expired / a segment with an ACK is leaving (before rcv_acked moves). */
void tcp_ack_expired(struct tcp_conn *conn);
void tcp_ack_sent(struct tcp_conn *conn, bool is_data, weir_time now);

/* ---- loss.c ----------------------------------------------------------------------------------------- */

/* From input: a duplicate ACK (RFC 5681 2); new data acknowledged up to `ack` (before snd_una
 * moves). From timer.c: the RTO expired. */
void tcp_loss_dup_ack(struct tcp_conn *conn, weir_time now);
void tcp_loss_acked(struct tcp_conn *conn, weir_seq ack, weir_time now);
void tcp_loss_timeout(struct tcp_conn *conn, weir_time now);

/* The window has opened again after probing: what is out beyond snd_una was thrown away. */
void tcp_loss_reopened(struct tcp_conn *conn, weir_time now);

/* New data was sent: notes how full cwnd is, for sent_fills_window. */
void tcp_loss_sent(struct tcp_conn *conn);

/* Bytes taken to be in the network. */
uint32_t tcp_loss_in_flight(const struct tcp_conn *conn);

#endif
