/* SPDX-License-Identifier: MIT */

/* Bytes of TCP sockets: one attempt at sendmsg or recvmsg.
 *
 * Sending. A call that may block goes on until the last byte is queued; one that may not takes what
 * there is room for. Either returns what it has moved, if anything, rather than an error that came
 * later: that is kept for the next call. Where Linux says EPIPE weir says "not connected" or "cannot
 * send after shutdown". With TCP_NOTSENT_LOWAT Linux takes the next piece only while fewer bytes than
 * the limit are unsent; a piece is the largest segment it would hand to a device, PIECE bytes here.
 *
 * The send buffer. Linux counts each buffer it allocates with its overhead, so a limit of 2N (twice what
 * SO_SNDBUF was set to) holds something between N and 2N bytes, depending on how they were written,
 * and the last piece may exceed it. weir counts bytes: its buffer is N, and nothing exceeds it.
 *
 * Receiving. A stream without bytes ends (0) after the peer's FIN or our own shutdown, and once its
 * error has been told; a FIN hides the error of a later RST. MSG_WAITALL gathers over several
 * attempts. MSG_PEEK leaves the bytes, MSG_TRUNC throws them away uncopied. MSG_OOB finds nothing:
 * urgent bytes stay in their place in the stream, as with SO_OOBINLINE, RFC 9293 3.8.5 being read so
 * (RFC 6093 5). With TCP_INQ a control message says how many bytes are left; the FIN counts as one,
 * so that a reader goes on to find the end.
 *
 * Limits: those of transfer.c. */

#include <lab/linux/internal.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 65536u

/* ---- Sending ------------------------------------------------------------------------------------------- */

static int weir_send_flags(int flags)
{
    return (flags & MSG_MORE ? WEIR_MSG_MORE : 0) | (flags & MSG_OOB ? WEIR_MSG_OOB : 0) |
           (flags & MSG_EOR ? WEIR_MSG_EOR : 0);
}

static long send_error(const struct linux_file *file, long error)
{
    return error == WEIR_ENOTCONN ? -EPIPE : linux_error_of(file, error);
}

static bool has_much_unsent(const struct linux_sockets *sockets, const struct linux_file *file)
{
    struct linux_stream stream;

    if (!file->options.notsent_lowat)
        return false;
    linux_stream_state(sockets, file, &stream);
    return stream.unsent >= file->options.notsent_lowat;
}

/* Bytes taken, or an error; at most one piece if there is a limit to what may be unsent. */
static long send_piece(struct linux_sockets *sockets, struct linux_file *file,
                       const struct msghdr *message, int flags, size_t progress)
{
    size_t limit = file->options.notsent_lowat ? PIECE : SIZE_MAX;
    struct weir_message parts = {0};
    struct weir_span *spans;
    long taken;

    if (has_much_unsent(sockets, file))
        return -EAGAIN;
    spans = linux_parts_from(message, progress, limit, &parts.count);
    if (!spans)
        return -ENOMEM;
    parts.parts = spans;
    taken = weir_socket_sendmsg(sockets->stack, file->socket, &parts, weir_send_flags(flags));
    free(spans);
    return taken;
}

/* An error that waits while some bytes were taken is the next call's. */
static bool has_error(const struct linux_sockets *sockets, const struct linux_file *file)
{
    int ready = weir_socket_ready(sockets->stack, file->socket);

    return ready < 0 || (ready & WEIR_ERR);
}

static long send_parts(struct linux_sockets *sockets, struct linux_file *file,
                       const struct msghdr *message, int flags, struct linux_wait *wait)
{
    size_t total = (size_t)linux_parts_length(message);
    long taken = 0;

    while (wait->progress < total && taken >= 0) {
        if (wait->progress > 0 && has_error(sockets, file))
            return 0;
        taken = send_piece(sockets, file, message, flags, wait->progress);
        wait->progress += taken > 0 ? (size_t)taken : 0;
        if (taken == 0)
            taken = -EAGAIN;
    }
    return taken < 0 ? taken : 0;
}

static bool is_opening(const struct linux_sockets *sockets, const struct linux_file *file)
{
    struct linux_stream stream;

    linux_stream_state(sockets, file, &stream);
    return stream.state == WEIR_STATE_SYN_SENT || stream.state == WEIR_STATE_SYN_RECEIVED;
}

long linux_stream_send(struct linux_sockets *sockets, struct linux_file *file,
                       const struct msghdr *message, int flags, struct linux_wait *wait)
{
    bool dont_wait = file->nonblocking || (flags & MSG_DONTWAIT);
    size_t total = (size_t)linux_parts_length(message);
    long error = 0;

    if (file->shut_write && !wait->progress) {
        error = linux_take_error(sockets, file);
        return error < 0 ? error : -EPIPE;
    }
    if (is_opening(sockets, file))
        return linux_wait_for(wait, dont_wait);
    if (!wait->progress) {
        error = weir_socket_send(sockets->stack, file->socket, "", 0, 0);
        if (error < 0 && error != WEIR_EAGAIN)
            return send_error(file, error);
        if (linux_parts_lack_memory(message))
            return -EFAULT;
    }
    if (error == 0)
        error = send_parts(sockets, file, message, flags, wait);
    if (wait->progress < total && error == WEIR_EAGAIN) {
        linux_set_no_space(sockets, file, true);
        if (!dont_wait)
            return linux_wait_for(wait, false);
    }
    if (wait->progress > 0 || total == 0)
        return (long)wait->progress;
    return send_error(file, error);
}

/* ---- Receiving ----------------------------------------------------------------------------------------- */

static void put_inq(const struct linux_file *file, const struct linux_stream *stream,
                    struct msghdr *message, size_t room)
{
    struct cmsghdr header = {
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = IPPROTO_TCP, .cmsg_type = TCP_CM_INQ};
    int left = (int)stream->readable + (stream->peer_closed ? 1 : 0);

    if (!file->options.inq)
        return;
    if (!message->msg_control || room < sizeof(header)) {
        message->msg_flags |= MSG_CTRUNC;
        return;
    }
    if (room < CMSG_LEN(sizeof(int))) {
        message->msg_flags |= MSG_CTRUNC;
        header.cmsg_len = room;
    }
    memcpy(message->msg_control, &header, sizeof(header));
    memcpy((uint8_t *)message->msg_control + sizeof(header), &left,
           header.cmsg_len - sizeof(header));
    message->msg_controllen = room < CMSG_SPACE(sizeof(int)) ? room : CMSG_SPACE(sizeof(int));
}

/* Takes what is there, beyond what earlier attempts have taken. */
static long recv_parts(struct linux_sockets *sockets, struct linux_file *file,
                       const struct msghdr *message, int flags, size_t progress)
{
    int how = (flags & MSG_PEEK ? WEIR_MSG_PEEK : 0) | (flags & MSG_TRUNC ? WEIR_MSG_TRUNC : 0);
    struct weir_message parts = {0};
    struct weir_span *spans = linux_parts_from(message, progress, SIZE_MAX, &parts.count);
    long taken;

    if (!spans)
        return -ENOMEM;
    parts.parts = spans;
    taken = weir_socket_recvmsg(sockets->stack, file->socket, &parts, how);
    free(spans);
    return taken;
}

static bool is_at_end(const struct linux_file *file, const struct linux_stream *stream)
{
    return stream->readable == 0 && (file->shut_read || stream->peer_closed);
}

/* What a message without bytes is answered; 1: there may be some. An error is told before our own
 * shutdown, and after the peer's. */
static long recv_refusal(struct linux_sockets *sockets, struct linux_file *file,
                         const struct linux_stream *stream, int flags)
{
    bool is_idle = stream->state == WEIR_STATE_CLOSED && file->phase == LINUX_UNCONNECTED;

    if (file->is_listening || (is_idle && !file->shut_read))
        return -ENOTCONN;
    if (flags & MSG_OOB)
        return -EINVAL;
    if (!is_at_end(file, stream))
        return 1;
    return stream->peer_closed ? 0 : linux_take_error(sockets, file);
}

/* Nothing is asked for. Linux finds out first whether there would be something. */
static long recv_nothing(struct linux_sockets *sockets, struct linux_file *file,
                         const struct linux_stream *stream, bool dont_wait, struct linux_wait *wait)
{
    long error = stream->readable > 0 ? 0 : linux_take_error(sockets, file);

    if (error < 0 || stream->readable > 0 || stream->is_dead)
        return error;
    return linux_wait_for(wait, dont_wait);
}

/* One attempt without a header's other fields. */
static long recv_bytes(struct linux_sockets *sockets, struct linux_file *file,
                       const struct msghdr *message, int flags, struct linux_wait *wait)
{
    bool dont_wait = file->nonblocking || (flags & MSG_DONTWAIT);
    size_t total = (size_t)linux_parts_length(message);
    bool wants_all = (flags & MSG_WAITALL) && !dont_wait;
    struct linux_stream stream;
    long got = 0;

    linux_stream_state(sockets, file, &stream);
    got = recv_refusal(sockets, file, &stream, flags);
    if (got <= 0)
        return wait->progress ? (long)wait->progress : got;
    if (total == 0)
        return recv_nothing(sockets, file, &stream, dont_wait, wait);
    if (stream.readable > 0 && linux_parts_lack_memory(message) && !(flags & MSG_TRUNC))
        return -EFAULT;
    if (wants_all && (flags & MSG_PEEK) && stream.readable < total && !stream.is_dead)
        return linux_wait_for(wait, false);
    if (wait->progress > 0 && stream.is_dead && stream.readable == 0)
        return (long)wait->progress;
    got = recv_parts(sockets, file, message, flags, wait->progress);
    if (got == WEIR_EAGAIN)
        return linux_wait_for(wait, dont_wait);
    if (got < 0)
        return linux_error_of(file, got);
    wait->progress += (size_t)got;
    if (wants_all && got > 0 && wait->progress < total && !(flags & MSG_PEEK))
        return linux_wait_for(wait, false);
    return (long)wait->progress;
}

long linux_stream_recv(struct linux_sockets *sockets, struct linux_file *file,
                       struct msghdr *message, int flags, struct linux_wait *wait)
{
    size_t room = message->msg_controllen;
    long got = recv_bytes(sockets, file, message, flags, wait);
    struct linux_stream stream;

    if (got < 0)
        return got;
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
    linux_stream_state(sockets, file, &stream);
    put_inq(file, &stream, message, room);
    return got;
}
