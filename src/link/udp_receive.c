/* SPDX-License-Identifier: MIT */

/* The receiving half of the UDP link: datagrams, and runs of them that the system did not cut.
 *
 * Up to 64 messages come in by one recvmmsg, into buffers that hold the largest datagram there is
 * (the pages of a buffer that never sees one are never touched). A socket that has asked for UDP_GRO
 * gets equal datagrams of one sender as one message, with their size beside it; each becomes a frame
 * again, where it lies.
 *
 *      recvmmsg → messages[0..n) → frames, borrowed until the next call
 *                     └ 1400 1400 1400 900: four frames, one message
 *
 * One call may so bring more frames than the caller has room for. The rest is held and handed out by
 * the next calls, before the system is asked again: a call that returns fewer than `max` holds
 * nothing back, and what the socket itself has, its descriptor shows. At most 64 messages of
 * 64 KiB are held.
 *
 * The tag of a frame is its sender, address << 16 | port; only the first frame of a message has
 * headroom. Errors that the socket holds for us (ICMP's answers to what was sent) are taken off it,
 * counted, and mean nothing. */

#include <arpa/inet.h>
#include <errno.h>
#include <link/udp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <weir/links.h>

#define STRIDE ((size_t)UDP_HEADROOM + UDP_ROOM)
#define ERRORS_MAX 16 /* taken off the socket in one call */

/* One recvmmsg; errors that the socket holds for us are swallowed. Returns the count, or 0. */
static int read_messages(struct udp_receiver *in, unsigned max)
{
    for (int tries = 0; tries < ERRORS_MAX; tries++) {
        int count = recvmmsg(in->fd, in->headers, max, MSG_DONTWAIT, NULL);

        if (count >= 0)
            return count;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return 0;
        if (errno != EINTR)
            in->errors++;
    }
    return 0;
}

static void refill(struct udp_receiver *in, unsigned max)
{
    for (int index = 0; index < in->messages; index++) {
        in->headers[index].msg_hdr.msg_namelen = sizeof(in->peers[index]);
        in->headers[index].msg_hdr.msg_controllen = sizeof(in->controls[index]);
    }
    in->messages = read_messages(in, max);
    in->message = 0;
    in->offset = 0;
}

/* Bytes of each datagram in the message, but for the last; its length, if it is only one. */
static size_t datagram_size(const struct mmsghdr *header)
{
    const struct cmsghdr *head = CMSG_FIRSTHDR(&header->msg_hdr);
    int size = 0;

    if (head && head->cmsg_level == SOL_UDP && head->cmsg_type == UDP_GRO &&
        head->cmsg_len >= CMSG_LEN(sizeof(size)))
        memcpy(&size, CMSG_DATA(head), sizeof(size));
    return size > 0 ? (size_t)size : header->msg_len;
}

/* Makes frames of the present message, as many as there is room for, and goes on to the next one if
 * it is used up. Returns their number. */
static int take_message(struct udp_receiver *in, struct weir_frame *frames, int max)
{
    const struct mmsghdr *header = &in->headers[in->message];
    const struct sockaddr_in *peer = &in->peers[in->message];
    const uint64_t tag = weir_udp_tag(ntohl(peer->sin_addr.s_addr), ntohs(peer->sin_port));
    const size_t length = header->msg_len, size = datagram_size(header);
    uint8_t *bytes = in->vectors[in->message].iov_base;
    int count = 0;

    if (in->offset == 0)
        in->runs_received += size < length;
    do {
        size_t left = length - in->offset;
        size_t piece = left < size ? left : size;

        frames[count++] = (struct weir_frame){.data = bytes + in->offset,
                                              .length = (uint32_t)piece,
                                              .headroom = in->offset ? 0 : UDP_HEADROOM,
                                              .tag = tag};
        in->offset += piece;
    } while (in->offset < length && count < max);
    if (in->offset == length) {
        in->message++;
        in->offset = 0;
    }
    return count;
}

int udp_receiver_take(struct udp_receiver *in, struct weir_frame *frames, int max)
{
    int count = 0;

    if (max <= 0)
        return 0;
    if (in->message == in->messages)
        refill(in, max < UDP_BATCH ? (unsigned)max : UDP_BATCH);
    while (count < max && in->message < in->messages)
        count += take_message(in, frames + count, max - count);
    in->received += (uint64_t)count;
    return count;
}

bool udp_receiver_init(struct udp_receiver *in, int fd)
{
    *in = (struct udp_receiver){.fd = fd};
    in->bytes = malloc(STRIDE * UDP_BATCH);
    if (!in->bytes)
        return false;
    for (int index = 0; index < UDP_BATCH; index++) {
        in->vectors[index].iov_base = in->bytes + (size_t)index * STRIDE + UDP_HEADROOM;
        in->vectors[index].iov_len = UDP_ROOM;
        in->headers[index].msg_hdr = (struct msghdr){
            .msg_name = &in->peers[index],
            .msg_namelen = sizeof(in->peers[index]),
            .msg_iov = &in->vectors[index],
            .msg_iovlen = 1,
            .msg_control = in->controls[index].bytes,
            .msg_controllen = sizeof(in->controls[index]),
        };
    }
    return true;
}

void udp_receiver_done(struct udp_receiver *in)
{
    free(in->bytes);
}
