/* SPDX-License-Identifier: MIT */

/* One connection of the network over kernel TCP: its checksums, and what is sent.
 *
 * A segment leaves as one write of its length, two bytes in network byte order, and its bytes. A rest
 * that the kernel does not take is kept, in order, and goes when epoll says that there is room; a
 * peer that does not read gets no more than REST_MAX bytes of it, and further segments are lost, whole
 * ones only. Everything sent is guarded by the channel's lock, because the transport's thread
 * sends and the network's thread writes the rest.
 *
 * The checksum is made as the original makes it: over the address of this machine's own name and the
 * peer's address as we know it. A peer need not see the same addresses. So if the first segment of a
 * connection does not fit them, it teaches what the pseudo-header adds up to on the other side; a later
 * one that fits neither is dropped. */

#include "checksum.h"
#include "net_tcp.h"
#include "transport.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define REST_MAX (256 * 1024)

/* Says anew what is waited for; under the channel's lock. What nothing is waited for is taken out of
 * the set, since a connection that was hung up would be told again and again. */
static void watch(struct channel *channel)
{
    struct epoll_event event;
    bool_t is_wanted = channel->reads || channel->rest_length > 0;

    memset(&event, 0, sizeof(event));
    event.events = (channel->reads ? (unsigned)EPOLLIN : 0) |
                   (channel->rest_length > 0 ? (unsigned)EPOLLOUT : 0);
    event.data.ptr = channel;
    if (is_wanted)
        epoll_ctl(channel->epoll_fd, channel->is_added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, channel->fd,
                  &event);
    else if (channel->is_added)
        epoll_ctl(channel->epoll_fd, EPOLL_CTL_DEL, channel->fd, NULL);
    channel->is_added = is_wanted;
}

void channel_set_reads(struct channel *channel, bool_t reads)
{
    pthread_mutex_lock(&channel->lock);
    channel->reads = reads;
    watch(channel);
    pthread_mutex_unlock(&channel->lock);
}

/* ---- Checksums. */

/* The addresses and ports of both ends, when the kernel knows them. */
void channel_learn_addresses(struct channel *channel)
{
    struct sockaddr_in local;
    socklen_t length = sizeof(local);

    memset(&local, 0, sizeof(local));
    getsockname(channel->fd, (struct sockaddr *)&local, &length);
    channel->port = local.sin_port;
    channel->peer_port = channel->peer.sin_port;
    channel->local_address = local.sin_addr.s_addr;
    channel->peer_address = channel->peer.sin_addr.s_addr;
}

/* Whether a segment that adds up to `sum` fits these addresses of the pseudo-header. */
static bool_t fits(uint16_t sum, uint32_t address, uint32_t peer_address)
{
    return checksum_add(sum, checksum_pseudo(address, peer_address, 0)) == 0xffff;
}

/* Whether the sum of a segment fits the addresses that we know, or agrees with that of the first. */
bool_t channel_check_sum(struct channel *channel, const unsigned char *segment, size_t length)
{
    uint16_t sum = checksum_add(checksum_of(segment, length), htons((uint16_t)length));
    bool_t is_known = fits(sum, channel->address, channel->peer_address) ||
                      fits(sum, channel->local_address, channel->peer_address);

    if (!channel->has_first) {
        channel->has_first = TRUE;
        channel->has_residue = !is_known;
        channel->residue = sum;
    }
    return is_known || (channel->has_residue && sum == channel->residue);
}

/* ---- Sending. */

/* Keeps what the kernel has not taken; whole segments that find no room are lost. */
static void keep_rest(struct channel *channel, const unsigned char *data, size_t length,
                      bool_t is_part)
{
    unsigned char *rest;

    if (!is_part && channel->rest_length + length > REST_MAX)
        return;
    rest = (unsigned char *)realloc(channel->rest, channel->rest_length + length);
    if (!rest) {
        channel->is_broken |= is_part; /* the rest of a frame must not be missing */
        return;
    }
    memcpy(rest + channel->rest_length, data, length);
    channel->rest = rest;
    channel->rest_length += length;
    watch(channel);
}

/* Writes a frame; under the channel's lock. */
static int write_frame(struct channel *channel, const unsigned char *segment, size_t length)
{
    unsigned char frame[FRAME_HEADER + SEGMENT_MAX];
    ssize_t sent = 0;

    if (channel->is_broken) {
        errno = ECONNRESET;
        return -1;
    }
    frame[0] = (unsigned char)(length >> 8);
    frame[1] = (unsigned char)length;
    memcpy(frame + FRAME_HEADER, segment, length);
    length += FRAME_HEADER;
    if (channel->rest_length == 0)
        sent = write(channel->fd, frame, length);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        channel->is_broken = TRUE;
        return -1;
    }
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < length)
        keep_rest(channel, frame + sent, length - (size_t)sent, sent > 0);
    return 0;
}

/* Puts the parts together, and fills in what is ours. */
size_t channel_make_segment(const struct channel *channel, const struct bytes *parts, int count,
                            unsigned char *segment)
{
    STCPHeader *header = (STCPHeader *)segment;
    size_t length = 0;
    int i;

    for (i = 0; i < count; i++) {
        if (parts[i].length > 0)
            memcpy(segment + length, parts[i].data, parts[i].length);
        length += parts[i].length;
    }
    header->th_sport = channel->port;
    header->th_dport = channel->peer_port;
    header->th_urp = 0;
    header->th_sum = 0;
    header->th_sum =
        (uint16_t)~checksum_add(checksum_pseudo(channel->address, channel->peer_address, length),
                                checksum_of(segment, length));
    return length;
}

int channel_send(struct channel *channel, const unsigned char *segment, size_t length)
{
    int times = 1, result = 0;

    pthread_mutex_lock(&channel->lock);
    if (!channel->is_reliable)
        times = unreliable_pass(&channel->unreliable, &segment, &length);
    while (times-- > 0 && result == 0)
        result = write_frame(channel, segment, length);
    pthread_mutex_unlock(&channel->lock);
    return result;
}

size_t channel_write_rest(struct channel *channel)
{
    size_t left;
    ssize_t sent = 0;

    pthread_mutex_lock(&channel->lock);
    if (channel->rest_length > 0)
        sent = write(channel->fd, channel->rest, channel->rest_length);
    if (sent > 0) {
        channel->rest_length -= (size_t)sent;
        memmove(channel->rest, channel->rest + sent, channel->rest_length);
    } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        channel->rest_length = 0;
        channel->is_broken = TRUE;
    }
    watch(channel);
    left = channel->rest_length;
    pthread_mutex_unlock(&channel->lock);
    return left;
}
