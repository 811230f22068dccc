/* SPDX-License-Identifier: MIT */

/* STCP: the transport layer of a MYSOCK connection.
 *
 * transport_init runs one connection in a thread of its own: it makes the connection, then goes round a
 * loop that waits for a segment, for bytes of the application, for its close, or for a time. All
 * state is in one struct, which nobody else sees, so there is nothing to lock.
 *
 * Sequence numbers are compared modulo 2^32 (`before`). `snd_una` is the oldest number not
 * acknowledged, `snd_nxt` the next to send, `snd_max` the end of all that was ever sent: after a loss
 * snd_nxt goes back (go-back-N), snd_max does not. The sender's window begins at snd_una and has
 * min(what the peer has offered last, STCP_WINDOW) bytes; nothing leaves beyond it, not even a FIN, but
 * for one exception: see has_room_for_fin.
 * Bytes are fetched from the application only when they can be sent at once, and go out at once.
 *
 * Of an arriving segment only what lies in the window of STCP_WINDOW bytes from rcv_nxt counts: old
 * bytes at its left are cut off and acknowledged again, those at its right are cut off and forgotten,
 * with the FIN behind them. A segment wholly beyond the window is not answered.
 *
 * There are two editions. With -DSTCP_RELIABLE the network loses nothing: no timer, no segment is sent
 * twice. By default it may lose, double and reorder:
 *   - Sent bytes are kept in `sent` until acknowledged, received ones beyond a gap in `kept`; both are
 *     indexed by sequence number modulo RING, a power of two, which is continuous at the wrap.
 *   - One timer runs while anything is unacknowledged, for the oldest of it. Its time (RTO) is a second,
 *     and after the first sample SRTT + 4 RTTVAR (RFC 6298); it doubles when it expires. Round trips of
 *     what was sent twice are no samples (Karn). Three ACKs in a row that say the same mean a loss as
 *     well, unless our own repetitions may have caused them. What was sent SENDS_MAX times in vain ends
 *     the connection.
 *   - The course's network writes a segment in two pieces, which the kernel's Nagle algorithm and delayed
 *     ACKs part by 40 ms in each direction, and its programs die of a segment that comes when the peer has
 *     gone. So the RTO is at least RTO_CAREFUL until a gap or three ACKs have shown that this network
 *     does lose segments, and RTO_MIN from then on, but never for the FIN.
 *   - A window of 0 is probed, lest its update be lost: with the byte before the window, which the peer
 *     has, and which makes it acknowledge. So nothing is ever sent beyond the window.
 *
 * Only stcp_api.h and libc are used; C90 and C++98. MSS, window and range of initial sequence numbers
 * are settings of the compilation. */

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "mysock.h"
#include "stcp_api.h"
#include "transport.h"

#ifndef STCP_WINDOW
#define STCP_WINDOW 3072 /* bytes that we take, and that we send ahead at most; up to 65535 */
#endif
#ifndef STCP_ISN_MAX
#define STCP_ISN_MAX 255 /* initial sequence numbers are random, from 0 to this, 2^n - 1 */
#endif

#define SEGMENT_MAX 1500 /* header, options and payload of any segment that can arrive */
#define OFFSET (sizeof(STCPHeader) / 4)

#if STCP_WINDOW <= 4096
#define RING 4096u
#else
#define RING 65536u
#endif

/* Times are in microseconds. */
#define SECOND 1000000L
#ifndef RTO_FIRST
#define RTO_FIRST SECOND
#endif
#ifndef RTO_MIN
#define RTO_MIN 20000L /* where segments are known to be lost */
#endif
#ifndef RTO_CAREFUL
#define RTO_CAREFUL 200000L /* where none is known to be, and for the FIN */
#endif
#define RTO_MAX (60 * SECOND)
#define PROBE_FIRST (5 * SECOND)
#define SENDS_MAX 6 /* the first time included */
#define DUPLICATE_ACKS 3

enum state {
    STATE_SYN_SENT,
    STATE_SYN_RECEIVED,
    STATE_ESTABLISHED,
    STATE_FIN_WAIT_1,
    STATE_FIN_WAIT_2,
    STATE_CLOSING, /* from here on the peer's FIN has come */
    STATE_CLOSE_WAIT,
    STATE_LAST_ACK,
    STATE_CLOSED
};

typedef struct {
    mysocket_t sd;
    enum state state;
    bool_t is_blocked; /* the application waits for the outcome of the handshake */
    bool_t has_close;  /* the application has closed */
    bool_t has_fin;    /* our FIN has a sequence number, fin_seq */
    tcp_seq initial_sequence_num;
    tcp_seq snd_una, snd_nxt, snd_max, fin_seq;
    uint32_t snd_wnd; /* as the peer has offered last */
    tcp_seq rcv_nxt;
#ifndef STCP_RELIABLE
    unsigned char sent[RING];
    unsigned char kept[RING];
    unsigned char is_kept[RING];
    bool_t has_peer_fin; /* a FIN has arrived, at peer_fin */
    tcp_seq peer_fin;
    int64_t deadline; /* of the timer; 0: it does not run */
    int64_t rto, srtt, rttvar;
    int64_t timed_at; /* when the byte before timed_end was sent; 0: none is timed */
    tcp_seq timed_end;
    tcp_seq recover; /* end of what had been sent when something was last sent again */
    int duplicate_acks;
    int sends;       /* of the oldest unacknowledged segment, or probes in vain */
    bool_t is_lossy; /* segments are known to be lost here */
#endif
} context_t;

/* A segment as it has arrived. */
typedef struct {
    tcp_seq seq, ack;
    uint32_t win;
    uint8_t flags;
    const unsigned char *data;
    uint32_t length;
} segment_t;

void our_dprintf(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

/* For whoever looks for a bug: nothing unless compiled with -DDEBUG. The macros of transport.h would do
 * the same, but not every edition of it has them alike. */
static void trace(const char *way, uint8_t flags, tcp_seq seq, size_t length)
{
#ifdef DEBUG
    our_dprintf("%s: flags %02x seq %u length %u\n", way, flags, (unsigned)seq, (unsigned)length);
#else
    (void)way, (void)flags, (void)seq, (void)length;
#endif
}

/* Whether `a` comes before `b`. */
static bool_t before(tcp_seq a, tcp_seq b)
{
    return (int32_t)(a - b) < 0;
}

/* Whether the application's side of the connection is open. */
static bool_t may_send_data(const context_t *ctx)
{
    return ctx->state == STATE_ESTABLISHED || ctx->state == STATE_CLOSE_WAIT;
}

static void generate_initial_seq_num(context_t *ctx)
{
    assert(ctx);

#ifdef FIXED_INITNUM
    /* please don't change this! */
    ctx->initial_sequence_num = 1;
#else
    {
        tcp_seq random;

        if (getentropy(&random, sizeof(random)) != 0)
            random = (tcp_seq)time(NULL) ^ (tcp_seq)getpid();
        ctx->initial_sequence_num = random & STCP_ISN_MAX;
    }
#endif
}

/* ---- The timer. */

#ifndef STCP_RELIABLE

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec / 1000;
}

/* Never 0, and never set back. */
static int64_t now_us(void)
{
    return read_clock(CLOCK_MONOTONIC) + 1;
}

static int64_t rto(const context_t *ctx)
{
    return MAX(ctx->rto, ctx->is_lossy && !ctx->has_fin ? RTO_MIN : RTO_CAREFUL);
}

/* Runs for what is unacknowledged, or to probe a closed window; else not at all. */
static void set_timer(context_t *ctx)
{
    if (ctx->snd_una != ctx->snd_max)
        ctx->deadline = now_us() + rto(ctx);
    else if (ctx->snd_wnd == 0 && may_send_data(ctx))
        ctx->deadline = now_us() + MIN(PROBE_FIRST << ctx->sends, RTO_MAX);
    else
        ctx->deadline = 0;
}

static void take_sample(context_t *ctx, int64_t rtt)
{
    int64_t off = rtt > ctx->srtt ? rtt - ctx->srtt : ctx->srtt - rtt;

    if (ctx->srtt == 0) {
        ctx->srtt = rtt;
        ctx->rttvar = rtt / 2;
    } else {
        ctx->rttvar += (off - ctx->rttvar) / 4;
        ctx->srtt += (rtt - ctx->srtt) / 8;
    }
    ctx->rto = MIN(ctx->srtt + 4 * ctx->rttvar, RTO_MAX);
}

#endif

/* ---- Sending. */

/* One segment; `length` bytes of payload at `data`. */
static bool_t send_segment(context_t *ctx, uint8_t flags, tcp_seq seq, const void *data,
                           size_t length)
{
    STCPHeader header;

    memset(&header, 0, sizeof(header));
    header.th_seq = htonl(seq);
    header.th_ack = flags & TH_ACK ? htonl(ctx->rcv_nxt) : 0;
    header.th_off = OFFSET;
    header.th_flags = flags;
    header.th_win = htons(STCP_WINDOW);
    trace("out", flags, seq, length);
    if (length == 0)
        return stcp_network_send(ctx->sd, &header, sizeof(header), NULL) >= 0;
    return stcp_network_send(ctx->sd, &header, sizeof(header), data, length, NULL) >= 0;
}

static void send_ack(context_t *ctx)
{
    send_segment(ctx, TH_ACK, ctx->snd_nxt, NULL, 0);
}

/* What takes sequence numbers has left: `length` of them, from snd_nxt on. */
static void was_sent(context_t *ctx, uint32_t length)
{
    bool_t is_new = ctx->snd_nxt == ctx->snd_max;

    ctx->snd_nxt += length;
#ifdef STCP_RELIABLE
    ctx->snd_max = ctx->snd_nxt;
    (void)is_new;
#else
    if (is_new && ctx->timed_at == 0) {
        ctx->timed_at = now_us();
        ctx->timed_end = ctx->snd_nxt;
    }
    if (ctx->snd_una == ctx->snd_max)
        ctx->sends = 1;
    if (before(ctx->snd_max, ctx->snd_nxt))
        ctx->snd_max = ctx->snd_nxt;
    if (ctx->deadline == 0 || ctx->sends == 1)
        if (ctx->snd_nxt - length == ctx->snd_una)
            set_timer(ctx);
#endif
}

/* Bytes that may be sent from snd_nxt on. */
static uint32_t room(const context_t *ctx)
{
    uint32_t window = MIN(ctx->snd_wnd, (uint32_t)STCP_WINDOW);
    uint32_t flight = ctx->snd_nxt - ctx->snd_una;

    return flight < window ? window - flight : 0;
}

static bool_t can_send_data(const context_t *ctx)
{
    return may_send_data(ctx) && ctx->snd_nxt == ctx->snd_max && room(ctx) > 0;
}

/* A FIN goes into the window like a byte; but a window of 0 does not hold it when all else is
 * acknowledged and the peer has sent its own, where many a peer leaves th_win out. */
static bool_t has_room_for_fin(const context_t *ctx)
{
    return room(ctx) > 0 ||
           (ctx->snd_wnd == 0 && ctx->snd_nxt == ctx->snd_una && ctx->state >= STATE_CLOSING);
}

static void send_data(context_t *ctx)
{
    unsigned char data[STCP_MSS];
    size_t length = stcp_app_recv(ctx->sd, data, MIN((uint32_t)STCP_MSS, room(ctx)));
#ifndef STCP_RELIABLE
    size_t i;

    for (i = 0; i < length; i++)
        ctx->sent[(ctx->snd_nxt + i) % RING] = data[i];
#endif
    if (length == 0)
        return;
    send_segment(ctx, TH_ACK, ctx->snd_nxt, data, length);
    was_sent(ctx, (uint32_t)length);
}

/* The FIN, when it is wanted and everything before it is out. */
static void send_fin(context_t *ctx)
{
    if (!ctx->has_close || !may_send_data(ctx) || ctx->snd_nxt != ctx->snd_max ||
        !has_room_for_fin(ctx))
        return;
    ctx->state = ctx->state == STATE_ESTABLISHED ? STATE_FIN_WAIT_1 : STATE_LAST_ACK;
    ctx->has_fin = TRUE;
    ctx->fin_seq = ctx->snd_nxt;
    send_segment(ctx, TH_FIN | TH_ACK, ctx->fin_seq, NULL, 0);
    was_sent(ctx, 1);
}

static bool_t send_syn(context_t *ctx)
{
    uint8_t flags = ctx->state == STATE_SYN_SENT ? TH_SYN : TH_SYN | TH_ACK;
    bool_t done = send_segment(ctx, flags, ctx->initial_sequence_num, NULL, 0);

    if (ctx->snd_nxt == ctx->initial_sequence_num)
        was_sent(ctx, 1);
    return done;
}

#ifndef STCP_RELIABLE

/* Sends again, from snd_nxt to snd_max, what the window lets out. */
static void resend(context_t *ctx)
{
    unsigned char data[STCP_MSS];
    tcp_seq end = ctx->has_fin ? ctx->fin_seq : ctx->snd_max;

    while (before(ctx->snd_nxt, end) && room(ctx) > 0) {
        uint32_t length = MIN(MIN((uint32_t)STCP_MSS, room(ctx)), end - ctx->snd_nxt), i;

        for (i = 0; i < length; i++)
            data[i] = ctx->sent[(ctx->snd_nxt + i) % RING];
        send_segment(ctx, TH_ACK, ctx->snd_nxt, data, length);
        was_sent(ctx, length);
    }
    if (ctx->has_fin && ctx->snd_nxt == ctx->fin_seq && has_room_for_fin(ctx)) {
        send_segment(ctx, TH_FIN | TH_ACK, ctx->fin_seq, NULL, 0);
        was_sent(ctx, 1);
    }
}

/* Something from snd_una on is lost: everything from there on is sent again. */
static void go_back(context_t *ctx)
{
    ctx->timed_at = 0;
    ctx->duplicate_acks = 0;
    ctx->recover = ctx->snd_max;
    ctx->sends++;
    if (ctx->state <= STATE_SYN_RECEIVED) {
        send_syn(ctx);
    } else {
        ctx->snd_nxt = ctx->snd_una;
        resend(ctx);
    }
}

static void probe_window(context_t *ctx)
{
    unsigned char byte = ctx->sent[(ctx->snd_una - 1) % RING];

    ctx->sends++;
    send_segment(ctx, TH_ACK, ctx->snd_una - 1, &byte, 1);
}

/* Ends the connection: nobody answers. */
static void give_up(context_t *ctx)
{
    errno = ETIMEDOUT;
    ctx->state = STATE_CLOSED;
}

static void expire(context_t *ctx)
{
    if (ctx->sends >= SENDS_MAX) {
        give_up(ctx);
        return;
    }
    if (ctx->snd_una == ctx->snd_max) {
        probe_window(ctx);
    } else {
        ctx->rto = MIN(2 * rto(ctx), RTO_MAX);
        go_back(ctx);
    }
    set_timer(ctx);
}

#endif

/* ---- Receiving. */

/* False: it is no segment. */
static bool_t parse(const unsigned char *packet, size_t length, segment_t *segment)
{
    const STCPHeader *header = (const STCPHeader *)packet;
    size_t start;

    if (length < sizeof(STCPHeader) || length > SEGMENT_MAX)
        return FALSE;
    start = TCP_DATA_START(packet);
    if (start < sizeof(STCPHeader) || start > length)
        return FALSE;
    segment->seq = ntohl(header->th_seq);
    segment->ack = ntohl(header->th_ack);
    segment->win = ntohs(header->th_win);
    segment->flags = header->th_flags;
    segment->data = packet + start;
    segment->length = (uint32_t)(length - start);
    trace("in", segment->flags, segment->seq, segment->length);
    return TRUE;
}

/* The peer's newest offer. An old segment that comes late has none, and a bare FIN of somebody who
 * fills in th_win only beside an ACK has none either. */
static void take_window(context_t *ctx, const segment_t *segment)
{
    if (segment->flags & TH_ACK ? !before(segment->ack, ctx->snd_una)
                                : (segment->flags & TH_SYN) || segment->length > 0)
        ctx->snd_wnd = segment->win;
}

/* Everything up to segment->ack has arrived. */
static void take_new_ack(context_t *ctx, const segment_t *segment)
{
    ctx->snd_una = segment->ack;
    if (before(ctx->snd_nxt, ctx->snd_una))
        ctx->snd_nxt = ctx->snd_una;
#ifndef STCP_RELIABLE
    if (ctx->timed_at != 0 && !before(ctx->snd_una, ctx->timed_end)) {
        take_sample(ctx, now_us() - ctx->timed_at);
        ctx->timed_at = 0;
    }
    ctx->duplicate_acks = 0;
    ctx->sends = ctx->snd_una == ctx->snd_max ? 0 : 1;
    set_timer(ctx);
#endif
    if (!ctx->has_fin || ctx->snd_una != ctx->fin_seq + 1)
        return;
    if (ctx->state == STATE_FIN_WAIT_1)
        ctx->state = STATE_FIN_WAIT_2;
    else if (ctx->state == STATE_CLOSING || ctx->state == STATE_LAST_ACK)
        ctx->state = STATE_CLOSED;
}

static void take_ack(context_t *ctx, const segment_t *segment)
{
    uint32_t window = ctx->snd_wnd;

    take_window(ctx, segment);
    if (!(segment->flags & TH_ACK) || before(ctx->snd_max, segment->ack))
        return;
    if (before(ctx->snd_una, segment->ack)) {
        take_new_ack(ctx, segment);
    } else if (segment->ack == ctx->snd_una && segment->length == 0 &&
               !(segment->flags & (TH_SYN | TH_FIN))) {
#ifndef STCP_RELIABLE
        if (ctx->snd_una == ctx->snd_max) {
            ctx->sends = 0; /* a probe was answered */
        } else if (window == ctx->snd_wnd && ++ctx->duplicate_acks == DUPLICATE_ACKS &&
                   before(ctx->recover, ctx->snd_una) && ctx->sends < SENDS_MAX) {
            ctx->is_lossy = TRUE;
            go_back(ctx);
            set_timer(ctx);
        }
#endif
    }
#ifndef STCP_RELIABLE
    if (ctx->snd_una == ctx->snd_max && (window == 0) != (ctx->snd_wnd == 0))
        set_timer(ctx);
    if (ctx->state < STATE_CLOSED)
        resend(ctx);
#else
    (void)window;
#endif
}

/* The peer's FIN is the next in order. */
static void take_fin(context_t *ctx)
{
    ctx->rcv_nxt++;
    stcp_fin_received(ctx->sd);
    if (ctx->state == STATE_ESTABLISHED)
        ctx->state = STATE_CLOSE_WAIT;
    else if (ctx->state == STATE_FIN_WAIT_1)
        ctx->state = STATE_CLOSING;
    else if (ctx->state == STATE_FIN_WAIT_2)
        ctx->state = STATE_CLOSED;
}

/* Whether the peer may still send. */
static bool_t is_receiving(const context_t *ctx)
{
    return ctx->state == STATE_ESTABLISHED || ctx->state == STATE_FIN_WAIT_1 ||
           ctx->state == STATE_FIN_WAIT_2;
}

#ifdef STCP_RELIABLE

static void take_data(context_t *ctx, const segment_t *segment)
{
    if (segment->seq != ctx->rcv_nxt)
        return;
    if (segment->length > 0)
        stcp_app_send(ctx->sd, segment->data, segment->length);
    ctx->rcv_nxt += segment->length;
    if (segment->flags & TH_FIN)
        take_fin(ctx);
}

#else

/* Hands up what is in order now. */
static void deliver(context_t *ctx)
{
    unsigned char data[STCP_WINDOW];
    size_t length = 0;

    while (ctx->is_kept[ctx->rcv_nxt % RING] &&
           !(ctx->has_peer_fin && ctx->peer_fin == ctx->rcv_nxt)) {
        ctx->is_kept[ctx->rcv_nxt % RING] = 0;
        data[length++] = ctx->kept[ctx->rcv_nxt++ % RING];
    }
    if (length > 0)
        stcp_app_send(ctx->sd, data, length);
    if (ctx->has_peer_fin && ctx->peer_fin == ctx->rcv_nxt)
        take_fin(ctx);
}

static void take_data(context_t *ctx, const segment_t *segment)
{
    uint32_t i;

    if (segment->seq != ctx->rcv_nxt)
        ctx->is_lossy = TRUE;
    for (i = 0; i < segment->length; i++) {
        ctx->kept[(segment->seq + i) % RING] = segment->data[i];
        ctx->is_kept[(segment->seq + i) % RING] = 1;
    }
    if (segment->flags & TH_FIN) {
        ctx->has_peer_fin = TRUE;
        ctx->peer_fin = segment->seq + segment->length;
    }
    deliver(ctx);
}

#endif

/* Cuts off what lies outside the window. False: that is all of it. */
static bool_t trim(const context_t *ctx, segment_t *segment)
{
    tcp_seq end = ctx->rcv_nxt + STCP_WINDOW;
    uint32_t old;

    if (before(segment->seq, ctx->rcv_nxt)) {
        old = ctx->rcv_nxt - segment->seq;
        if (old > segment->length || (old == segment->length && !(segment->flags & TH_FIN)))
            return FALSE;
        segment->seq += old;
        segment->data += old;
        segment->length -= old;
    }
    if (!before(segment->seq, end))
        return FALSE;
    if (end - segment->seq < segment->length) {
        segment->length = end - segment->seq;
        segment->flags &= (uint8_t)~TH_FIN;
    }
    return segment->length > 0 || (segment->flags & TH_FIN);
}

/* In any state after the handshake. */
static void take_segment(context_t *ctx, segment_t *segment)
{
    bool_t counts = segment->length > 0 || (segment->flags & (TH_SYN | TH_FIN)) != 0;

    if (segment->flags & TH_SYN)
        segment->seq++; /* of the first byte of payload */
    take_ack(ctx, segment);
    if (!counts || ctx->state == STATE_CLOSED)
        return;
    if (!before(segment->seq, ctx->rcv_nxt + STCP_WINDOW))
        return;
    if (is_receiving(ctx) && trim(ctx, segment))
        take_data(ctx, segment);
    send_ack(ctx);
}

/* ---- The handshake. */

static void establish(context_t *ctx)
{
    ctx->state = STATE_ESTABLISHED;
    ctx->is_blocked = FALSE;
    errno = 0;
    stcp_unblock_application(ctx->sd);
}

static void take_syn(context_t *ctx, const segment_t *segment)
{
    ctx->rcv_nxt = segment->seq + 1;
    ctx->snd_wnd = segment->win;
}

static bool_t acks_syn(const context_t *ctx, const segment_t *segment)
{
    return (segment->flags & TH_ACK) && segment->ack == ctx->initial_sequence_num + 1;
}

/* What comes in answer to our SYN. A SYN without ACK has crossed ours: both are answered. */
static void take_in_syn_sent(context_t *ctx, segment_t *segment)
{
    if (!(segment->flags & TH_SYN) || ((segment->flags & TH_ACK) && !acks_syn(ctx, segment)))
        return;
    take_syn(ctx, segment);
    if (segment->flags & TH_ACK) {
        establish(ctx);
        take_segment(ctx, segment);
    } else {
        ctx->state = STATE_SYN_RECEIVED;
        send_syn(ctx);
    }
}

static void take_in_syn_received(context_t *ctx, segment_t *segment)
{
    if (acks_syn(ctx, segment)) {
        establish(ctx);
        take_segment(ctx, segment);
        return;
    }
#ifndef STCP_RELIABLE
    if ((segment->flags & TH_SYN) && segment->seq + 1 == ctx->rcv_nxt && ctx->sends < SENDS_MAX) {
        ctx->sends++;
        send_syn(ctx);
    }
#endif
}

/* The passive side begins with the SYN that has made it. */
static void take_first(context_t *ctx, const segment_t *segment)
{
    if (!(segment->flags & TH_SYN))
        return;
    take_syn(ctx, segment);
    send_syn(ctx);
}

/* ---- The loop. */

/* False: the network is gone. */
static bool_t receive(context_t *ctx, bool_t is_first)
{
    unsigned char packet[SEGMENT_MAX];
    ssize_t length = stcp_network_recv(ctx->sd, packet, sizeof(packet));
    segment_t segment;

    if (length <= 0)
        return FALSE;
    if (!parse(packet, (size_t)length, &segment))
        return TRUE;
    if (is_first)
        take_first(ctx, &segment);
    else if (ctx->state == STATE_SYN_SENT)
        take_in_syn_sent(ctx, &segment);
    else if (ctx->state == STATE_SYN_RECEIVED)
        take_in_syn_received(ctx, &segment);
    else
        take_segment(ctx, &segment);
    return TRUE;
}

static unsigned int wait_for_event(context_t *ctx)
{
    unsigned int flags = NETWORK_DATA | (can_send_data(ctx) ? APP_DATA : 0);
#ifdef STCP_RELIABLE

    return stcp_wait_for_event(ctx->sd, flags, NULL);
#else
    struct timespec until;
    int64_t at;

    if (ctx->deadline == 0)
        return stcp_wait_for_event(ctx->sd, flags, NULL);
    at = read_clock(CLOCK_REALTIME) + MAX(ctx->deadline - now_us(), 0);
    until.tv_sec = (time_t)(at / SECOND);
    until.tv_nsec = (long)(at % SECOND) * 1000;
    return stcp_wait_for_event(ctx->sd, flags, &until);
#endif
}

static void control_loop(context_t *ctx)
{
    while (ctx->state != STATE_CLOSED) {
        unsigned int event = wait_for_event(ctx);

        if ((event & NETWORK_DATA) && !receive(ctx, FALSE)) {
            errno = ctx->state == STATE_SYN_SENT ? ECONNREFUSED : ECONNRESET;
            return;
        }
        if ((event & APP_DATA) && can_send_data(ctx))
            send_data(ctx);
        if (event & APP_CLOSE_REQUESTED)
            ctx->has_close = TRUE;
        send_fin(ctx);
#ifndef STCP_RELIABLE
        if (ctx->deadline != 0 && now_us() >= ctx->deadline)
            expire(ctx);
#endif
    }
}

static void run(context_t *ctx, bool_t is_active)
{
    if (is_active) {
        ctx->state = STATE_SYN_SENT;
        if (!send_syn(ctx))
            return;
    } else {
        ctx->state = STATE_SYN_RECEIVED;
        while (ctx->snd_max == ctx->initial_sequence_num)
            if (!receive(ctx, TRUE)) {
                errno = ECONNABORTED;
                return;
            }
    }
    control_loop(ctx);
}

void transport_init(mysocket_t sd, bool_t is_active)
{
    context_t *ctx = (context_t *)calloc(1, sizeof(context_t));

    if (!ctx) {
        errno = ENOMEM;
        stcp_unblock_application(sd);
        return;
    }
    ctx->sd = sd;
    ctx->is_blocked = TRUE;
    generate_initial_seq_num(ctx);
    ctx->snd_una = ctx->snd_nxt = ctx->snd_max = ctx->initial_sequence_num;
#ifndef STCP_RELIABLE
    ctx->recover = ctx->snd_una;
    ctx->rto = RTO_FIRST;
#endif
    stcp_set_context(sd, ctx);
    errno = 0;
    run(ctx, is_active);
    if (ctx->is_blocked) {
        if (errno == 0)
            errno = ECONNABORTED;
        stcp_unblock_application(sd);
    }
    free(ctx);
}
