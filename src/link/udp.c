/* SPDX-License-Identifier: MIT */

/* The UDP link: one socket per interface, one virtual packet a datagram.
 *
 * Problem: a system call a packet is what a tunnel spends its time on, and a socket may refuse, fail
 * for somebody else's reasons, or bring a datagram of any length from anybody.
 *
 * Idea: packets are staged in 64 buffers of our own and leave by one sendmmsg, and up to 64 come in
 * by one recvmmsg into slots that hold the largest datagram there is (the pages of a slot that never
 * sees one are never touched). The frame tag is the UDP peer, address << 16 | port.
 *
 *      begin/commit → staged[0..count) ─flush→ sendmmsg
 *      recvmmsg → slots[0..n) → frames, borrowed until the next receive
 *
 * What can go wrong. The socket buffer is full (EAGAIN): what is left stays staged, `wants_write`
 * asks to be flushed when the descriptor is writable, and begin refuses once all 64 are staged. Any
 * other error belongs to the datagram at the head of the batch, or to an earlier one whose ICMP
 * answer came in meanwhile: one is given up, counted, and the rest goes on. A tag without a port or
 * an address is nobody: counted as failed. Errors while receiving are taken off the socket, counted,
 * and mean nothing.
 *
 * Invariants: staged buffers are in order of commit; sending and receiving share nothing but the
 * descriptor, so that one thread may receive while another sends.
 *
 * Limits: 64 datagrams a batch; 4 MiB of socket buffer are asked for in each direction, and what the
 * system grants is used. Fragmentation is left to the outer IP layer. */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/links.h>

#define BATCH 64
#define HEADROOM 64u
#define RECEIVE_ROOM 65536u
#define SOCKET_BUFFER (4 << 20)
#define MTU_MAX 65507u
#define ERRORS_MAX 16 /* taken off the socket in one call */

/* One direction's batch. `bytes` are BATCH buffers of `stride` each; headers[i] points at one of
 * them, past its headroom. */
struct batch {
    struct mmsghdr headers[BATCH];
    struct iovec vectors[BATCH];
    struct sockaddr_in peers[BATCH];
    uint8_t *bytes;
    size_t stride;
};

struct udp {
    struct weir_link link;
    int fd;

    /* sending */
    struct batch out;
    uint8_t *order[BATCH]; /* the buffers: staged ones first, in order of commit */
    int staged;
    bool is_lent;
    uint64_t sent, failed;

    /* receiving */
    struct batch in;
    uint64_t received, errors;
};

static struct udp *udp_of(struct weir_link *link)
{
    return (struct udp *)(void *)link;
}

/* ---- Sending ------------------------------------------------------------------------------------- */

/* Takes the first `count` off the staged ones. */
static void unstage(struct udp *udp, int count)
{
    uint8_t *gone[BATCH];

    for (int index = 0; index < count; index++)
        gone[index] = udp->order[index];
    udp->staged -= count;
    for (int index = 0; index < udp->staged; index++) {
        udp->order[index] = udp->order[index + count];
        udp->out.vectors[index] = udp->out.vectors[index + count];
        udp->out.peers[index] = udp->out.peers[index + count];
    }
    for (int index = 0; index < count; index++)
        udp->order[udp->staged + index] = gone[index];
}

/* Sends what the socket takes. */
static void transmit(struct udp *udp)
{
    int done = 0;

    udp->link.wants_write = false;
    while (done < udp->staged) {
        int count = sendmmsg(udp->fd, &udp->out.headers[done], (unsigned)(udp->staged - done),
                             MSG_DONTWAIT | MSG_NOSIGNAL);

        if (count > 0) {
            udp->sent += (uint64_t)count;
            done += count;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            udp->link.wants_write = true;
            break;
        } else if (errno != EINTR) {
            udp->failed++;
            done++;
        }
    }
    if (done > 0)
        unstage(udp, done);
}

static bool udp_ready(struct weir_link *link, weir_time now)
{
    (void)now;
    return udp_of(link)->staged < BATCH || !link->wants_write;
}

static int udp_begin(struct weir_link *link, size_t bytes, weir_time now, struct weir_frame *frame)
{
    struct udp *udp = udp_of(link);

    (void)now;
    assert(!udp->is_lent);
    if (bytes > link->mtu)
        return WEIR_EMSGSIZE;
    if (udp->staged == BATCH)
        transmit(udp);
    if (udp->staged == BATCH) {
        link->refused = true;
        return WEIR_EAGAIN;
    }
    udp->is_lent = true;
    *frame = (struct weir_frame){.data = udp->order[udp->staged] + HEADROOM,
                                 .length = (uint32_t)bytes,
                                 .headroom = HEADROOM};
    return 0;
}

static void udp_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct udp *udp = udp_of(link);
    uint32_t ip = (uint32_t)(frame->tag >> 16);
    uint16_t port = (uint16_t)frame->tag;

    (void)now;
    assert(udp->is_lent);
    assert(frame->data >= udp->order[udp->staged]);
    assert(frame->data + frame->length <= udp->order[udp->staged] + HEADROOM + link->mtu);
    udp->is_lent = false;
    if (ip == 0 || port == 0 || frame->tag >> 48 != 0) {
        udp->failed++;
        return;
    }
    udp->out.vectors[udp->staged].iov_base = frame->data;
    udp->out.vectors[udp->staged].iov_len = frame->length;
    udp->out.peers[udp->staged].sin_addr.s_addr = htonl(ip);
    udp->out.peers[udp->staged].sin_port = htons(port);
    udp->staged++;
}

static void udp_abort(struct weir_link *link, const struct weir_frame *frame)
{
    (void)frame;
    assert(udp_of(link)->is_lent);
    udp_of(link)->is_lent = false;
}

static int udp_flush(struct weir_link *link, weir_time now)
{
    (void)now;
    transmit(udp_of(link));
    return 0;
}

/* ---- Receiving ------------------------------------------------------------------------------------ */

/* One recvmmsg; errors that the socket holds for us are swallowed. Returns the count, or 0. */
static int receive_batch(struct udp *udp, unsigned max)
{
    for (int tries = 0; tries < ERRORS_MAX; tries++) {
        int count = recvmmsg(udp->fd, udp->in.headers, max, MSG_DONTWAIT, NULL);

        if (count >= 0)
            return count;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        if (errno != EINTR)
            udp->errors++;
    }
    return 0;
}

static int udp_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    struct udp *udp = udp_of(link);
    struct batch *in = &udp->in;
    int count;

    (void)now;
    if (max <= 0)
        return 0;
    count = receive_batch(udp, max < BATCH ? (unsigned)max : BATCH);
    for (int index = 0; index < count; index++) {
        const struct sockaddr_in *peer = &in->peers[index];

        frames[index] = (struct weir_frame){
            .data = in->vectors[index].iov_base,
            .length = in->headers[index].msg_len,
            .headroom = HEADROOM,
            .tag = weir_udp_tag(ntohl(peer->sin_addr.s_addr), ntohs(peer->sin_port)),
        };
        in->headers[index].msg_hdr.msg_namelen = sizeof(*peer);
    }
    udp->received += (uint64_t)count;
    return count;
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
    free(udp->out.bytes);
    free(udp->in.bytes);
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

static bool batch_init(struct batch *batch, size_t room)
{
    batch->stride = (HEADROOM + room + 63) / 64 * 64;
    batch->bytes = malloc(batch->stride * BATCH);
    if (!batch->bytes)
        return false;
    for (int index = 0; index < BATCH; index++) {
        struct msghdr *header = &batch->headers[index].msg_hdr;

        batch->vectors[index].iov_base = batch->bytes + (size_t)index * batch->stride + HEADROOM;
        batch->vectors[index].iov_len = room;
        batch->peers[index].sin_family = AF_INET;
        header->msg_name = &batch->peers[index];
        header->msg_namelen = sizeof(batch->peers[index]);
        header->msg_iov = &batch->vectors[index];
        header->msg_iovlen = 1;
    }
    return true;
}

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

struct weir_link *weir_udp_create(uint32_t ip, uint16_t port, uint32_t mtu, int *error)
{
    struct udp *udp;

    *error = mtu == 0 || mtu > MTU_MAX ? WEIR_EINVAL : WEIR_ENOMEM;
    if (*error == WEIR_EINVAL)
        return NULL;
    udp = calloc(1, sizeof(*udp));
    if (!udp)
        return NULL;
    udp->link = (struct weir_link){.ops = &udp_ops, .mtu = mtu, .l2 = WEIR_L2_IP};
    udp->fd = -1;
    if (!batch_init(&udp->out, mtu) || !batch_init(&udp->in, RECEIVE_ROOM)) {
        udp_destroy(&udp->link);
        return NULL;
    }
    for (int index = 0; index < BATCH; index++)
        udp->order[index] = udp->out.bytes + (size_t)index * udp->out.stride;
    udp->fd = socket_open(ip, port);
    if (udp->fd < 0) {
        *error = udp->fd;
        udp_destroy(&udp->link);
        return NULL;
    }
    *error = 0;
    return &udp->link;
}

void weir_udp_counts(const struct weir_link *link, struct weir_udp_counts *counts)
{
    const struct udp *udp = (const struct udp *)(const void *)link;

    assert(link->ops == &udp_ops);
    counts->sent = udp->sent;
    counts->failed = udp->failed;
    counts->received = udp->received;
    counts->errors = udp->errors;
}
