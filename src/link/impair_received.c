/* SPDX-License-Identifier: MIT */

/* The wrapper that makes bad what a link receives, peer by peer.
 *
 * Problem: a direction is impaired where it is sent (impair.c), but what somebody else's program sends
 * can only be impaired where it arrives; and what is held back on arrival must come out later, though
 * whoever runs the link reads it only when its descriptor is readable.
 *
 * Idea: for each chosen peer one wrapper of impair.c stands between the real link and a sink of our own.
 * What the peer's tag comes with is copied into that wrapper; what it lets go lands in the sink, and
 * the sink's packets are what receive returns. Packets of other peers pass as they are. The descriptor
 * is an epoll descriptor over the link's and a timer, so a held packet makes it readable when it falls
 * due.
 *
 *      inner.receive ─┬─ other tags ──────────────────────────────────┬→ receive
 *                     └─ peer's tag → impair (loss, delay, …) → sink ─┘
 *                                         └ first release → timer ──→ fd
 *
 * Invariants: all of this belongs to the receiving side, which one thread may run while another
 * sends; the sending side hands through and mirrors the inner link's two flags. Packets that receive
 * has returned live until the next call. The order of one peer's packets is what impair makes of it.
 *
 * Limits: real time only (the timer is CLOCK_MONOTONIC's, as weir_host_now); a link with a descriptor;
 * PEERS_MAX peers; packets of up to 64 KiB; what waits is bounded by each peer's queue_packets. Where
 * memory is short a packet is lost, and counted as such by nobody.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/links.h>

#define PEERS_MAX 1024u
#define PACKET_MAX 65536u

struct packet {
    struct packet *next;
    struct weir_frame frame;
    uint8_t bytes[];
};

/* First in, first out. */
struct queue {
    struct packet *first;
    struct packet **last;
};

struct received;

/* One peer: the end of its wrapper is the sink. */
struct peer {
    struct weir_link sink; /* owned by `impair`, whose destruction leaves the peer itself alone */
    struct weir_link *impair;
    struct received *owner;
    struct packet *lent;
    uint64_t tag;
};

struct received {
    struct weir_link link;
    struct weir_link *inner;
    int epoll_fd, timer_fd;
    struct peer **peers;
    unsigned peer_count;
    struct queue ready;   /* to be returned */
    struct packet *shown; /* returned last time */
};

static struct received *received_of(struct weir_link *link)
{
    return (struct received *)(void *)link;
}

static void free_packets(struct packet *packet)
{
    while (packet) {
        struct packet *next = packet->next;

        free(packet);
        packet = next;
    }
}

/* ---- The sink: where a peer's wrapper puts what it lets go ---------------------------------------- */

static struct peer *peer_of(struct weir_link *link)
{
    return (struct peer *)(void *)link;
}

static int sink_begin(struct weir_link *link, size_t bytes, weir_time now, struct weir_frame *frame)
{
    struct peer *peer = peer_of(link);

    (void)now;
    if (bytes > PACKET_MAX)
        return WEIR_EMSGSIZE;
    peer->lent = malloc(sizeof(*peer->lent) + bytes);
    if (!peer->lent)
        return WEIR_EMSGSIZE; /* lost: there is nothing to wait for */
    *frame = (struct weir_frame){.data = peer->lent->bytes, .length = (uint32_t)bytes};
    return 0;
}

static void sink_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct peer *peer = peer_of(link);
    struct packet *packet = peer->lent;

    (void)now;
    peer->lent = NULL;
    packet->frame = *frame;
    packet->frame.tag = peer->tag;
    packet->next = NULL;
    *peer->owner->ready.last = packet;
    peer->owner->ready.last = &packet->next;
}

static void sink_abort(struct weir_link *link, const struct weir_frame *frame)
{
    (void)frame;
    free(peer_of(link)->lent);
    peer_of(link)->lent = NULL;
}

static int sink_flush(struct weir_link *link, weir_time now)
{
    (void)link;
    (void)now;
    return 0;
}

static int sink_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    (void)link;
    (void)frames;
    (void)max;
    (void)now;
    return 0;
}

static bool sink_ready(struct weir_link *link, weir_time now)
{
    (void)link;
    (void)now;
    return true;
}

static weir_time sink_deadline(struct weir_link *link)
{
    (void)link;
    return WEIR_NEVER;
}

static int sink_fd(struct weir_link *link)
{
    (void)link;
    return -1;
}

static void sink_destroy(struct weir_link *link)
{
    (void)link;
}

static const struct weir_link_ops sink_ops = {
    .name = "sink",
    .begin = sink_begin,
    .commit = sink_commit,
    .abort = sink_abort,
    .flush = sink_flush,
    .receive = sink_receive,
    .ready = sink_ready,
    .deadline = sink_deadline,
    .fd = sink_fd,
    .destroy = sink_destroy,
};

/* ---- Sending: handed through ---------------------------------------------------------------------- */

static void mirror(struct received *received)
{
    received->link.wants_write = received->inner->wants_write;
}

static int received_begin(struct weir_link *link, size_t bytes, weir_time now,
                          struct weir_frame *frame)
{
    struct received *received = received_of(link);
    int error = received->inner->ops->begin(received->inner, bytes, now, frame);

    if (error == WEIR_EAGAIN)
        link->refused = true;
    mirror(received);
    return error;
}

static void received_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct received *received = received_of(link);

    received->inner->ops->commit(received->inner, frame, now);
    mirror(received);
}

static void received_abort(struct weir_link *link, const struct weir_frame *frame)
{
    struct weir_link *inner = received_of(link)->inner;

    inner->ops->abort(inner, frame);
}

static int received_flush(struct weir_link *link, weir_time now)
{
    struct received *received = received_of(link);
    int error = received->inner->ops->flush(received->inner, now);

    mirror(received);
    return error;
}

static bool received_ready(struct weir_link *link, weir_time now)
{
    struct weir_link *inner = received_of(link)->inner;

    return inner->ops->ready(inner, now);
}

static weir_time received_deadline(struct weir_link *link)
{
    struct weir_link *inner = received_of(link)->inner;

    return inner->ops->deadline(inner);
}

/* ---- Receiving ------------------------------------------------------------------------------------ */

static struct peer *find(const struct received *received, uint64_t tag)
{
    for (unsigned index = 0; index < received->peer_count; index++)
        if (received->peers[index]->tag == tag)
            return received->peers[index];
    return NULL;
}

/* Gives a packet to the peer's wrapper. */
static void impair_one(struct peer *peer, const struct weir_frame *source, weir_time now)
{
    const struct weir_link_ops *ops = peer->impair->ops;
    struct weir_frame frame, lent;

    if (ops->begin(peer->impair, source->length, now, &lent) != 0)
        return;
    memcpy(lent.data, source->data, source->length);
    frame = *source;
    frame.data = lent.data;
    frame.headroom = lent.headroom;
    ops->commit(peer->impair, &frame, now);
}

/* Lets go what is due, and sets the timer for what is not. */
static void release(struct received *received, weir_time now)
{
    struct itimerspec timer = {{0, 0}, {0, 0}};
    weir_time first = WEIR_NEVER;

    for (unsigned index = 0; index < received->peer_count; index++) {
        struct weir_link *impair = received->peers[index]->impair;
        weir_time deadline;

        (void)impair->ops->flush(impair, now);
        deadline = impair->ops->deadline(impair);
        if (deadline < first)
            first = deadline;
    }
    if (first == WEIR_NEVER)
        first = 0; /* stops the timer */
    timer.it_value.tv_sec = first / WEIR_SECOND;
    timer.it_value.tv_nsec = first % WEIR_SECOND;
    (void)timerfd_settime(received->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* More is ready than was asked for: the descriptor must stay readable. */
static void ring_at_once(struct received *received)
{
    static const struct itimerspec at_once = {{0, 0}, {0, 1}};

    (void)timerfd_settime(received->timer_fd, 0, &at_once, NULL);
}

/* Appends up to `room` ready packets; they are shown until the next receive. */
static int show_ready(struct received *received, struct weir_frame *frames, int room)
{
    int count = 0;

    while (count < room && received->ready.first) {
        struct packet *packet = received->ready.first;

        received->ready.first = packet->next;
        if (!received->ready.first)
            received->ready.last = &received->ready.first;
        packet->next = received->shown;
        received->shown = packet;
        frames[count++] = packet->frame;
    }
    return count;
}

static int received_receive(struct weir_link *link, struct weir_frame *frames, int max,
                            weir_time now)
{
    struct received *received = received_of(link);
    uint64_t rings;
    int count, kept = 0;

    (void)!read(received->timer_fd, &rings, sizeof(rings));
    free_packets(received->shown);
    received->shown = NULL;
    count = received->inner->ops->receive(received->inner, frames, max, now);
    for (int index = 0; index < count; index++) {
        struct peer *peer = find(received, frames[index].tag);

        if (peer)
            impair_one(peer, &frames[index], now);
        else
            frames[kept++] = frames[index];
    }
    release(received, now);
    kept += show_ready(received, frames + kept, max - kept);
    if (received->ready.first)
        ring_at_once(received);
    return kept;
}

static int received_fd(struct weir_link *link)
{
    return received_of(link)->epoll_fd;
}

/* ---- Life ----------------------------------------------------------------------------------------- */

/* Frees everything but the inner link. */
static void received_free(struct received *received)
{
    for (unsigned index = 0; index < received->peer_count; index++) {
        struct peer *peer = received->peers[index];

        peer->impair->ops->destroy(peer->impair);
        free(peer->lent);
        free(peer);
    }
    free(received->peers);
    free_packets(received->ready.first);
    free_packets(received->shown);
    if (received->timer_fd >= 0)
        close(received->timer_fd);
    if (received->epoll_fd >= 0)
        close(received->epoll_fd);
    free(received);
}

static void received_destroy(struct weir_link *link)
{
    struct weir_link *inner = received_of(link)->inner;

    received_free(received_of(link));
    inner->ops->destroy(inner);
}

static const struct weir_link_ops received_ops = {
    .name = "impair-received",
    .begin = received_begin,
    .commit = received_commit,
    .abort = received_abort,
    .flush = received_flush,
    .receive = received_receive,
    .ready = received_ready,
    .deadline = received_deadline,
    .fd = received_fd,
    .destroy = received_destroy,
};

static bool open_descriptors(struct received *received)
{
    struct epoll_event event = {.events = EPOLLIN};
    int inner_fd = received->inner->ops->fd(received->inner);

    received->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    received->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (received->epoll_fd < 0 || received->timer_fd < 0 || inner_fd < 0)
        return false;
    return epoll_ctl(received->epoll_fd, EPOLL_CTL_ADD, inner_fd, &event) == 0 &&
           epoll_ctl(received->epoll_fd, EPOLL_CTL_ADD, received->timer_fd, &event) == 0;
}

struct weir_link *weir_impair_received_create(struct weir_link *inner)
{
    struct received *received = calloc(1, sizeof(*received));

    if (!received)
        return NULL;
    received->link = *inner;
    received->link.ops = &received_ops;
    received->inner = inner;
    received->ready.last = &received->ready.first;
    received->epoll_fd = received->timer_fd = -1;
    if (!open_descriptors(received)) {
        received_free(received);
        return NULL;
    }
    return &received->link;
}

int weir_impair_received_add(struct weir_link *link, uint64_t tag, const struct weir_impair *set)
{
    struct received *received = received_of(link);
    struct peer *peer;
    void *bigger;

    assert(link->ops == &received_ops);
    if (received->peer_count == PEERS_MAX || find(received, tag))
        return WEIR_EINVAL;
    bigger = realloc(received->peers, (received->peer_count + 1) * sizeof(struct peer *));
    peer = calloc(1, sizeof(*peer));
    if (bigger)
        received->peers = bigger;
    if (!bigger || !peer) {
        free(peer);
        return WEIR_ENOMEM;
    }
    peer->sink = (struct weir_link){.ops = &sink_ops, .mtu = PACKET_MAX, .l2 = link->l2};
    peer->owner = received;
    peer->tag = tag;
    peer->impair = weir_impair_create(&peer->sink, set);
    if (!peer->impair) {
        free(peer);
        return WEIR_EINVAL;
    }
    received->peers[received->peer_count++] = peer;
    return 0;
}
