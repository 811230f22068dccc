/* SPDX-License-Identifier: MIT */

/* Messages in several parts: sendmsg and recvmsg.
 *
 * To a stream a message is nothing but its parts one after the other, each handed to the calls of
 * stream.c; what is said of the message's end (urgent, end of a record) goes with its last byte. A full
 * buffer ends the message early, as it ends a send.
 *
 * A datagram is one message. It is gathered into memory of its own before it is sent, unless it is one
 * part already, and scattered straight from the queue when it is received. Peeking leaves it there;
 * taking it is always recvfrom's work, so that there is one place that takes datagrams and tells their
 * socket's errors.
 *
 * Limits: a message is at most 65535 bytes on a datagram socket (what is larger is WEIR_EMSGSIZE before
 * any memory is taken), LONG_MAX on a stream. */

#include <base/bytes.h>
#include <limits.h>
#include <stack/stack.h>
#include <string.h>

#define DATAGRAM_MAX 65535u

/* The bytes of all parts, and the last part that has any; SIZE_MAX: more than can be told. */
static size_t measure(const struct weir_message *message, unsigned *last)
{
    size_t total = 0;
    unsigned i;

    *last = 0;
    for (i = 0; i < message->count; i++) {
        if (message->parts[i].length > (size_t)LONG_MAX - total)
            return SIZE_MAX;
        total += message->parts[i].length;
        if (message->parts[i].length)
            *last = i;
    }
    return total;
}

/* ---- Streams --------------------------------------------------------------------------------------- */

static long send_stream(struct weir_stack *stack, int number, const struct weir_message *message,
                        int flags)
{
    const int inner = flags & ~(int)(WEIR_MSG_OOB | WEIR_MSG_EOR);
    size_t sent = 0;
    unsigned i, last;

    if (measure(message, &last) == SIZE_MAX)
        return WEIR_EINVAL;
    if (!message->count)
        return weir_socket_send(stack, number, NULL, 0, flags);
    for (i = 0; i <= last; i++) {
        const struct weir_span *part = &message->parts[i];
        long result =
            weir_socket_send(stack, number, part->data, part->length, i == last ? flags : inner);

        if (result < 0)
            return sent ? (long)sent : result;
        sent += (size_t)result;
        if ((size_t)result < part->length)
            break;
    }
    return (long)sent;
}

static long recv_stream(struct weir_stack *stack, int number, const struct weir_message *message,
                        int flags)
{
    size_t got = 0;
    unsigned i;

    for (i = 0; i < message->count; i++) {
        long result = stream_recv(stack, number, &message->parts[i], got, flags);

        if (result < 0)
            return got ? (long)got : result;
        got += (size_t)result;
        if ((size_t)result < message->parts[i].length)
            break;
    }
    return (long)got;
}

/* Linux's way: a reader that goes on until nothing is left finds the end of the stream, too. */
static int64_t left_to_read(const struct socket *socket)
{
    uint32_t unread = stream_unread(socket);

    if (!unread && socket->conn && socket->conn->tcp.fin_received)
        return 1;
    return unread;
}

/* ---- Datagrams --------------------------------------------------------------------------------------- */

static long send_datagram(struct weir_stack *stack, int number, const struct weir_message *message)
{
    unsigned i, last;
    size_t total = measure(message, &last), used = 0;
    uint8_t *bytes;
    long result;

    if (total > DATAGRAM_MAX)
        return WEIR_EMSGSIZE;
    if (!total || message->parts[last].length == total)
        return weir_socket_sendto(stack, number, total ? message->parts[last].data : NULL, total,
                                  message->datagram);
    bytes = alloc_get(&stack->alloc, total);
    if (!bytes)
        return WEIR_ENOMEM;
    for (i = 0; i <= last; i++) {
        if (message->parts[i].length)
            memcpy(bytes + used, message->parts[i].data, message->parts[i].length);
        used += message->parts[i].length;
    }
    result = weir_socket_sendto(stack, number, bytes, total, message->datagram);
    alloc_put(&stack->alloc, bytes, total);
    return result;
}

/* Into the parts, as far as they reach. Returns the bytes copied. */
static size_t scatter(const struct weir_const_span *from, const struct weir_message *message)
{
    size_t used = 0;
    unsigned i;

    for (i = 0; i < message->count && used < from->length; i++) {
        size_t take = min_size(from->length - used, message->parts[i].length);

        if (take)
            memcpy(message->parts[i].data, from->data + used, take);
        used += take;
    }
    return used;
}

static long recv_datagram(struct weir_stack *stack, struct socket *socket,
                          struct weir_message *message, int flags)
{
    struct weir_const_span bytes;
    struct weir_datagram info;
    size_t copied = 0;
    bool is_there = dgram_first(&socket->binding->datagrams, &bytes, &info);
    long full = is_there ? (long)bytes.length : 0;
    int error = udp_take_error(socket);

    if (error < 0)
        return error;
    if (is_there)
        copied = scatter(&bytes, message);
    if (!is_there || !(flags & WEIR_MSG_PEEK))
        full = weir_socket_recvfrom(stack, socket->number, NULL, 0, &info);
    if (full < 0)
        return full;
    if (message->datagram)
        *message->datagram = info;
    if ((size_t)full > copied)
        message->flags |= WEIR_MSG_TRUNC;
    return flags & WEIR_MSG_TRUNC ? full : (long)copied;
}

/* ---- The calls --------------------------------------------------------------------------------------- */

long weir_socket_sendmsg(struct weir_stack *stack, int number, const struct weir_message *message,
                         int flags)
{
    const struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    return socket->kind == WEIR_TCP ? send_stream(stack, number, message, flags)
                                    : send_datagram(stack, number, message);
}

long weir_socket_recvmsg(struct weir_stack *stack, int number, struct weir_message *message,
                         int flags)
{
    struct socket *socket = socket_get(stack, number);
    unsigned last;
    long result;

    if (!socket)
        return WEIR_EBADF;
    message->flags = 0;
    message->queued = -1;
    if (measure(message, &last) == SIZE_MAX)
        return WEIR_EINVAL;
    if (socket->kind != WEIR_TCP)
        return recv_datagram(stack, socket, message, flags);
    result = recv_stream(stack, number, message, flags);
    if (socket->wants_queued && result >= 0)
        message->queued = left_to_read(socket);
    return result;
}
