/* SPDX-License-Identifier: MIT */

/* The UDP link: one socket per interface, one virtual packet a datagram.
 *
 * Problem: a system call a packet is what a tunnel spends its time on, and a socket may refuse, fail
 * for somebody else's reasons, or bring a datagram of any length from anybody.
 *
 * Idea: two halves that know nothing of each other. udp_send.c stages packets in 64 buffers of our
 * own and hands them over in runs; udp_receive.c takes messages apart into the packets that they are.
 * This file makes the socket, and joins the halves to the contract of weir/link.h. The frame tag is
 * the UDP peer, address << 16 | port.
 *
 *      begin/commit → staged[0..64) ─flush→ sendmmsg, with UDP_SEGMENT for runs
 *      recvmmsg, with UDP_GRO → messages → frames, borrowed until the next receive
 *
 * Whether the system knows the two options is asked when the socket is made; on a system that does
 * not, every message is one datagram. What the other end sees is the same in any case.
 *
 * Invariant: sending and receiving share nothing but the descriptor, so that one thread may receive
 * while another sends.
 *
 * Limits: 64 messages a batch; 4 MiB of socket buffer are asked for in each direction, and what the
 * system grants is used. Fragmentation is left to the outer IP layer. */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <link/udp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/links.h>

#define SOCKET_BUFFER (4 << 20)

struct udp {
    struct weir_link link;
    int fd;
    struct udp_sender out;
    struct udp_receiver in;
};

static struct udp *udp_of(struct weir_link *link)
{
    return (struct udp *)(void *)link;
}

/* ---- The contract -------------------------------------------------------------------------------- */

static bool udp_ready(struct weir_link *link, weir_time now)
{
    (void)now;
    return udp_of(link)->out.staged < UDP_BATCH || !link->wants_write;
}

static int udp_begin(struct weir_link *link, size_t bytes, weir_time now, struct weir_frame *frame)
{
    (void)now;
    if (bytes > link->mtu)
        return WEIR_EMSGSIZE;
    if (udp_sender_lend(&udp_of(link)->out, (uint32_t)bytes, &link->wants_write, frame))
        return 0;
    link->refused = true;
    return WEIR_EAGAIN;
}

static void udp_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    (void)now;
    udp_sender_stage(&udp_of(link)->out, frame);
}

static void udp_abort(struct weir_link *link, const struct weir_frame *frame)
{
    (void)frame;
    assert(udp_of(link)->out.is_lent);
    udp_of(link)->out.is_lent = false;
}

static int udp_flush(struct weir_link *link, weir_time now)
{
    (void)now;
    udp_sender_flush(&udp_of(link)->out, &link->wants_write);
    return 0;
}

static int udp_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    (void)now;
    return udp_receiver_take(&udp_of(link)->in, frames, max);
}

static weir_time udp_deadline(struct weir_link *link)
{
    (void)link;
    return WEIR_NEVER;
}

static int udp_fd(struct weir_link *link)
{
    return udp_of(link)->fd;
}

/* ---- Making and ending ----------------------------------------------------------------------------- */

static void udp_destroy(struct weir_link *link)
{
    struct udp *udp = udp_of(link);

    if (udp->fd >= 0)
        close(udp->fd);
    udp_sender_done(&udp->out);
    udp_receiver_done(&udp->in);
    free(udp);
}

static const struct weir_link_ops udp_ops = {
    .name = "udp",
    .begin = udp_begin,
    .commit = udp_commit,
    .abort = udp_abort,
    .flush = udp_flush,
    .receive = udp_receive,
    .ready = udp_ready,
    .deadline = udp_deadline,
    .fd = udp_fd,
    .destroy = udp_destroy,
};

static int error_from(int number)
{
    switch (number) {
    case EADDRINUSE:
        return WEIR_EADDRINUSE;
    case EADDRNOTAVAIL:
        return WEIR_EADDRNOTAVAIL;
    case EACCES:
    case EPERM:
        return WEIR_EPERM;
    case EMFILE:
    case ENFILE:
        return WEIR_EMFILE;
    case ENOMEM:
    case ENOBUFS:
        return WEIR_ENOMEM;
    default:
        return WEIR_EIO;
    }
}

/* As much as the system grants: with the privilege, past its limit. */
static void grow_buffers(int fd)
{
    int bytes = SOCKET_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* A bound socket, or a negative WEIR_E…. */
static int socket_open(uint32_t ip, uint16_t port)
{
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(ip)}};
    int fragment = IP_PMTUDISC_DONT;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return error_from(errno);
    grow_buffers(fd);
    (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &fragment, sizeof(fragment));
    if (bind(fd, (const struct sockaddr *)&local, sizeof(local)) == 0)
        return fd;
    error = error_from(errno);
    close(fd);
    return error;
}

/* Asks the system to cut runs and to leave them uncut. Returns whether it will cut. */
static bool use_runs(int fd)
{
    socklen_t length = sizeof(int);
    int on = 1, size;

    (void)setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
    return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &length) == 0;
}

struct weir_link *weir_udp_create(uint32_t ip, uint16_t port, uint32_t mtu, int *error)
{
    struct udp *udp;

    *error = mtu == 0 || mtu > UDP_PAYLOAD_MAX ? WEIR_EINVAL : WEIR_ENOMEM;
    if (*error == WEIR_EINVAL)
        return NULL;
    udp = calloc(1, sizeof(*udp));
    if (!udp)
        return NULL;
    udp->link = (struct weir_link){.ops = &udp_ops, .mtu = mtu, .l2 = WEIR_L2_IP};
    udp->fd = socket_open(ip, port);
    if (udp->fd < 0)
        *error = udp->fd;
    else if (udp_sender_init(&udp->out, udp->fd, mtu, use_runs(udp->fd)) &&
             udp_receiver_init(&udp->in, udp->fd))
        *error = 0;
    if (*error == 0)
        return &udp->link;
    udp_destroy(&udp->link);
    return NULL;
}

void weir_udp_counts(const struct weir_link *link, struct weir_udp_counts *counts)
{
    const struct udp *udp = (const struct udp *)(const void *)link;

    assert(link->ops == &udp_ops);
    counts->sent = udp->out.sent;
    counts->failed = udp->out.failed;
    counts->runs_sent = udp->out.runs_sent;
    counts->runs_refused = udp->out.runs_refused;
    counts->received = udp->in.received;
    counts->errors = udp->in.errors;
    counts->runs_received = udp->in.runs_received;
}
