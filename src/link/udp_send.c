/* SPDX-License-Identifier: MIT */

/* The sending half of the UDP link: packets are staged, and leave in as few system calls as can be.
 *
 * Problem: a datagram's way through the system costs about a microsecond, twenty times what its
 * bytes cost. One call for many (sendmmsg) saves only the entry; what costs is that each walks
 * through the layers by itself.
 *
 * Idea: a run of staged datagrams of equal size to one peer is handed over as one message with
 * UDP_SEGMENT. It walks as one, and the system cuts it at the very end: at the device, or at a socket
 * that has not asked for UDP_GRO. On the wire and to any receiver there is still one virtual packet a
 * datagram. No bytes are moved for that: a message is a list of buffers.
 *
 *      staged   1400a 1400b 1400a 1400b 1400a 900a 1400a 40a 40a 40b
 *      together 1400a 1400a 1400a 900a │ 1400a 40a │ 40a │ 1400b 1400b 40b
 *      messages one                    │ one       │ one │ one
 *
 * A run ends with its first shorter datagram, which is its last; with another peer or a longer one;
 * at 64 datagrams, or where it would pass 65,507 bytes. Before runs are looked for, what is staged is
 * put together by peers, so that the streams of several neighbours which pass through a router in
 * turns are runs all the same. What goes to one peer keeps its order; peers come in the order of
 * their first packets. All that is done when sending; staging costs what it did.
 *
 * What can go wrong. The socket buffer is full (EAGAIN): what is left stays staged, and the caller
 * wants to write. The system refuses to cut (EINVAL, EMSGSIZE, EIO, …: the packets are larger than the
 * device takes in one piece, or the device makes no checksums): that is counted, and from then on each
 * datagram is a message, as on systems without UDP_SEGMENT; nothing is lost. Any other error belongs
 * to the message at the head, or to an earlier one whose ICMP answer came in meanwhile: one message
 * is given up, counted, and the rest goes on. A tag without a port or an address is nobody: counted
 * as failed.
 *
 * Invariant: staged buffers to one peer are in order of commit. */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <link/udp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

/* ---- Staging ------------------------------------------------------------------------------------- */

bool udp_sender_lend(struct udp_sender *out, uint32_t bytes, bool *wants_write,
                     struct weir_frame *frame)
{
    assert(!out->is_lent && bytes <= out->room);
    if (out->staged == UDP_BATCH)
        udp_sender_flush(out, wants_write);
    if (out->staged == UDP_BATCH)
        return false;
    out->is_lent = true;
    *frame = (struct weir_frame){
        .data = out->order[out->staged] + UDP_HEADROOM, .length = bytes, .headroom = UDP_HEADROOM};
    return true;
}

void udp_sender_stage(struct udp_sender *out, const struct weir_frame *frame)
{
    uint32_t ip = (uint32_t)(frame->tag >> 16);
    uint16_t port = (uint16_t)frame->tag;

    assert(out->is_lent);
    assert(frame->data >= out->order[out->staged]);
    assert(frame->data + frame->length <= out->order[out->staged] + UDP_HEADROOM + out->room);
    out->is_lent = false;
    if (ip == 0 || port == 0 || frame->tag >> 48 != 0) {
        out->failed++;
        return;
    }
    out->vectors[out->staged].iov_base = frame->data;
    out->vectors[out->staged].iov_len = frame->length;
    out->peers[out->staged].sin_addr.s_addr = htonl(ip);
    out->peers[out->staged].sin_port = htons(port);
    out->staged++;
}

/* Takes the first `count` off the staged ones. */
static void unstage(struct udp_sender *out, int count)
{
    uint8_t *gone[UDP_BATCH];

    out->staged -= count;
    if (out->staged == 0)
        return;
    memcpy(gone, out->order, (size_t)count * sizeof(gone[0]));
    for (int index = 0; index < out->staged; index++) {
        out->order[index] = out->order[index + count];
        out->vectors[index] = out->vectors[index + count];
        out->peers[index] = out->peers[index + count];
    }
    memcpy(out->order + out->staged, gone, (size_t)count * sizeof(gone[0]));
}

/* ---- Runs ---------------------------------------------------------------------------------------- */

static bool is_same_peer(const struct udp_sender *out, int one, int other)
{
    return out->peers[one].sin_addr.s_addr == out->peers[other].sin_addr.s_addr &&
           out->peers[one].sin_port == out->peers[other].sin_port;
}

/* Takes the staged one at `from` to the earlier place `to`; those between make room. */
static void move_forward(struct udp_sender *out, int from, int to)
{
    uint8_t *buffer = out->order[from];
    struct iovec vector = out->vectors[from];
    struct sockaddr_in peer = out->peers[from];
    size_t count = (size_t)(from - to);

    memmove(&out->order[to + 1], &out->order[to], count * sizeof(out->order[0]));
    memmove(&out->vectors[to + 1], &out->vectors[to], count * sizeof(out->vectors[0]));
    memmove(&out->peers[to + 1], &out->peers[to], count * sizeof(out->peers[0]));
    out->order[to] = buffer;
    out->vectors[to] = vector;
    out->peers[to] = peer;
}

/* Puts the staged ones together by peers. */
static void gather_peers(struct udp_sender *out)
{
    int place = 1; /* where the next of the present peer belongs */

    for (int first = 0; first < out->staged; first = place, place++) {
        for (int index = first + 1; index < out->staged; index++) {
            if (!is_same_peer(out, first, index))
                continue;
            if (index > place)
                move_forward(out, index, place);
            place++;
        }
    }
}

/* How many of the staged ones, from `first` on, are one message. */
static int run_count(const struct udp_sender *out, int first)
{
    const size_t size = out->vectors[first].iov_len;
    size_t bytes = size;
    int next = first + 1;

    if (!out->can_segment)
        return 1;
    while (next < out->staged && out->vectors[next - 1].iov_len == size) {
        size_t length = out->vectors[next].iov_len;

        if (length == 0 || length > size || bytes + length > UDP_PAYLOAD_MAX ||
            !is_same_peer(out, first, next))
            break;
        bytes += length;
        next++;
    }
    return next - first;
}

/* Asks for the message to be cut into datagrams of `size` bytes. */
static void ask_to_cut(struct msghdr *message, struct udp_control *control, size_t size)
{
    uint16_t value = (uint16_t)size;
    struct cmsghdr *head;

    message->msg_control = control->bytes;
    message->msg_controllen = CMSG_SPACE(sizeof(value));
    head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_UDP;
    head->cmsg_type = UDP_SEGMENT;
    head->cmsg_len = CMSG_LEN(sizeof(value));
    memcpy(CMSG_DATA(head), &value, sizeof(value));
}

/* Makes messages of the staged ones from `first` on. Returns how many. */
static unsigned make_messages(struct udp_sender *out, int first)
{
    unsigned messages = 0;

    while (first < out->staged) {
        struct msghdr *message = &out->headers[messages].msg_hdr;
        int count = run_count(out, first);

        *message = (struct msghdr){.msg_name = &out->peers[first],
                                   .msg_namelen = sizeof(out->peers[first]),
                                   .msg_iov = &out->vectors[first],
                                   .msg_iovlen = (size_t)count};
        if (count > 1)
            ask_to_cut(message, &out->controls[messages], out->vectors[first].iov_len);
        messages++;
        first += count;
    }
    return messages;
}

/* ---- Sending ------------------------------------------------------------------------------------- */

/* Counts the first `count` messages as sent. Returns how many datagrams they are. */
static int count_sent(struct udp_sender *out, int count)
{
    int datagrams = 0;

    for (int index = 0; index < count; index++) {
        int length = (int)out->headers[index].msg_hdr.msg_iovlen;

        datagrams += length;
        out->runs_sent += length > 1;
    }
    out->sent += (uint64_t)datagrams;
    return datagrams;
}

static bool is_refusal_to_cut(int error)
{
    return error == EINVAL || error == EMSGSIZE || error == EIO || error == EOPNOTSUPP;
}

/* The system did not take the first message. Returns how many datagrams are given up. */
static int refused(struct udp_sender *out, int error)
{
    int length = (int)out->headers[0].msg_hdr.msg_iovlen;

    if (length > 1 && is_refusal_to_cut(error)) {
        out->can_segment = false;
        out->runs_refused++;
        return 0;
    }
    out->failed += (uint64_t)length;
    return length;
}

void udp_sender_flush(struct udp_sender *out, bool *wants_write)
{
    int done = 0;

    *wants_write = false;
    if (out->can_segment)
        gather_peers(out);
    while (done < out->staged) {
        unsigned messages = make_messages(out, done);
        int count = sendmmsg(out->fd, out->headers, messages, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (count > 0) {
            done += count_sent(out, count);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            *wants_write = true;
            break;
        } else if (errno != EINTR) {
            done += refused(out, errno);
        }
    }
    if (done > 0)
        unstage(out, done);
}

/* ---- Making and ending ----------------------------------------------------------------------------- */

bool udp_sender_init(struct udp_sender *out, int fd, uint32_t mtu, bool can_segment)
{
    const size_t stride = (UDP_HEADROOM + mtu + 63u) / 64 * 64;

    *out = (struct udp_sender){.fd = fd, .room = mtu, .can_segment = can_segment};
    out->bytes = malloc(stride * UDP_BATCH);
    if (!out->bytes)
        return false;
    for (int index = 0; index < UDP_BATCH; index++) {
        out->order[index] = out->bytes + (size_t)index * stride;
        out->peers[index].sin_family = AF_INET;
    }
    return true;
}

void udp_sender_done(struct udp_sender *out)
{
    free(out->bytes);
}
