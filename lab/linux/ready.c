/* SPDX-License-Identifier: MIT */

/* What is ready, as Linux's poll says it, and poll itself.
 *
 * Linux has three facts about a connection where weir has its state: whether either side has shut
 * its direction, and the state. They are derived here, once, and every bit follows:
 *
 *   POLLIN, POLLRDNORM    bytes, or the peer's direction (or our reading) is shut; a connection waits
 *   POLLRDHUP             the peer's direction (or our reading) is shut
 *   POLLOUT, POLLWRNORM   a third of the send buffer is free and fewer bytes than half of
 *                         TCP_NOTSENT_LOWAT are unsent; or our direction is shut
 *   POLLHUP               both are shut, or there is no connection (so also: not connected yet)
 *   POLLERR               an error waits to be taken
 *   POLLPRI               urgent data
 *
 * A connection that is being opened is none of these; a listener has POLLIN and nothing else. A
 * connection that has ended after having been one is shut both ways.
 *
 * poll and epoll_wait answer at once if anything is ready or the time is up, and otherwise wait:
 * the first attempt notes in `wake` when the time will be up. */

#include <lab/linux/internal.h>

static bool peer_has_closed(enum weir_tcp_state state)
{
    return state == WEIR_STATE_CLOSE_WAIT || state == WEIR_STATE_LAST_ACK ||
           state == WEIR_STATE_CLOSING || state == WEIR_STATE_TIME_WAIT;
}

uint32_t linux_unsent(const struct weir_tcp_info *info)
{
    uint32_t flight = info->snd_nxt - info->snd_una;

    if (info->state == WEIR_STATE_SYN_SENT || info->state == WEIR_STATE_SYN_RECEIVED)
        return info->send_queued;
    return info->send_queued > flight ? info->send_queued - flight : 0;
}

void linux_stream_state(const struct linux_sockets *sockets, const struct linux_file *file,
                        struct linux_stream *stream)
{
    struct weir_tcp_info info;
    int64_t buffer = 0;

    *stream = (struct linux_stream){.state = WEIR_STATE_CLOSED};
    if (weir_tcp_info_get(sockets->stack, file->socket, sockets->now, &info) < 0)
        return;
    weir_socket_get(sockets->stack, file->socket, WEIR_SO_SNDBUF, &buffer);
    stream->state = info.state;
    stream->is_dead = info.state == WEIR_STATE_CLOSED && file->phase != LINUX_UNCONNECTED;
    stream->peer_closed = file->fin_seen || peer_has_closed(info.state);
    stream->readable = info.receive_queued;
    stream->queued = info.send_queued;
    stream->unsent = linux_unsent(&info);
    stream->room = (uint64_t)buffer > info.send_queued ? (uint32_t)buffer - info.send_queued : 0;
}

bool linux_has_room(const struct linux_file *file, const struct linux_stream *stream)
{
    uint32_t lowat = file->options.notsent_lowat;

    return stream->room > 0 && stream->room >= stream->queued / 2 &&
           (!lowat || 2 * (uint64_t)stream->unsent < lowat);
}

static uint32_t open_bits(struct linux_sockets *sockets, struct linux_file *file,
                          const struct linux_stream *stream, bool no_more_out)
{
    uint32_t bits = 0;

    if (stream->readable > 0)
        bits |= POLLIN | POLLRDNORM;
    if (no_more_out || stream->state == WEIR_STATE_CLOSED || linux_has_room(file, stream))
        bits |= POLLOUT | POLLWRNORM;
    else
        linux_set_no_space(sockets, file, true);
    return bits;
}

static uint32_t stream_bits(struct linux_sockets *sockets, struct linux_file *file)
{
    int ready = weir_socket_ready(sockets->stack, file->socket);
    struct linux_stream stream;
    bool no_more_in, no_more_out;
    uint32_t bits = 0;

    if (ready < 0)
        return POLLHUP | POLLERR;
    if (file->is_listening)
        return ready & WEIR_ACCEPT ? POLLIN | POLLRDNORM : 0;
    linux_stream_state(sockets, file, &stream);
    no_more_in = file->shut_read || stream.peer_closed || stream.is_dead;
    no_more_out = file->shut_write || stream.is_dead;
    if ((no_more_in && no_more_out) || stream.state == WEIR_STATE_CLOSED)
        bits |= POLLHUP;
    if (no_more_in)
        bits |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (stream.state != WEIR_STATE_SYN_SENT && stream.state != WEIR_STATE_SYN_RECEIVED)
        bits |= open_bits(sockets, file, &stream, no_more_out);
    if (ready & WEIR_PRI)
        bits |= POLLPRI;
    if (ready & WEIR_ERR)
        bits |= POLLERR;
    return bits;
}

static uint32_t datagram_bits(const struct linux_sockets *sockets, const struct linux_file *file)
{
    int ready = weir_socket_ready(sockets->stack, file->socket);
    uint32_t bits = POLLOUT | POLLWRNORM | POLLWRBAND;

    if (ready < 0)
        return POLLERR | POLLHUP;
    if (ready & WEIR_IN)
        bits |= POLLIN | POLLRDNORM;
    if (ready & WEIR_ERR)
        bits |= POLLERR;
    if (file->shut_read)
        bits |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (file->shut_read && file->shut_write)
        bits |= POLLHUP;
    return bits;
}

uint32_t linux_ready_bits(struct linux_sockets *sockets, struct linux_file *file)
{
    switch (file->kind) {
    case LINUX_TCP:
        return stream_bits(sockets, file);
    case LINUX_UDP:
        return datagram_bits(sockets, file);
    case LINUX_EPOLL:
        return linux_epoll_is_ready(sockets, file->epoll) ? POLLIN | POLLRDNORM : 0;
    case LINUX_PIPE_READ:
    case LINUX_PIPE_WRITE:
    default:
        return linux_pipe_bits(file);
    }
}

/* ---- poll -------------------------------------------------------------------------------------------- */

static short bits_for(struct linux_sockets *sockets, const struct pollfd *one)
{
    struct linux_file *file = linux_find(sockets, one->fd);

    if (one->fd < 0)
        return 0;
    if (!file)
        return POLLNVAL;
    return (short)(linux_ready_bits(sockets, file) &
                   ((uint32_t)(uint16_t)one->events | POLLERR | POLLHUP));
}

long linux_poll(struct linux_sockets *sockets, struct pollfd *fds, nfds_t count, int timeout_ms,
                struct linux_wait *wait)
{
    long ready = 0;
    nfds_t i;

    if (count > LINUX_FDS_MAX)
        return -EINVAL;
    if (!fds && count > 0)
        return -EFAULT;
    for (i = 0; i < count; i++) {
        fds[i].revents = bits_for(sockets, &fds[i]);
        ready += fds[i].revents != 0;
    }
    return ready ? ready : linux_wait_until(sockets, wait, timeout_ms);
}

long linux_wait_until(const struct linux_sockets *sockets, struct linux_wait *wait, int timeout_ms)
{
    if (!wait->begun)
        wait->wake = timeout_ms < 0 ? WEIR_NEVER : sockets->now + timeout_ms * WEIR_MS;
    wait->begun = true;
    return sockets->now < wait->wake ? LINUX_WAIT : 0;
}
