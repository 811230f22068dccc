/* SPDX-License-Identifier: MIT */

/* Bytes and datagrams, blocking: send, recv and their kin.
 *
 * As in socket.c each is the stack's own call, tried under the lock, and tried again after each event that
 * may have changed the answer. What is larger than the room or than what has come is done piece by
 * piece; while the thread waits, the lock is free and others may come in between.
 *
 * A message of several parts is sent part by part, so that a wait in the middle of it needs no copy of the
 * list of parts. What is said of its end (urgent, end of a record) goes with the last part that has any
 * bytes. WAITALL reads part by part in the same way.
 *
 * An error that comes after some bytes were moved is left for the next call: the bytes are told first. */

#include "host.h"

#include <weir/error.h>

static bool may_block(const struct weir_host *host, int socket, int flags)
{
    return !(flags & WEIR_MSG_DONTWAIT) && host_may_block(host, socket);
}

/* True if an error waits to be reported by the next call; it is left for that. */
static bool has_error(const struct weir_stack *stack, int socket)
{
    int ready = weir_socket_ready(stack, socket);

    return ready < 0 || (ready & WEIR_ERR);
}

/* ---- Sending --------------------------------------------------------------------------------------- */

static long send_all(struct weir_host *host, int socket, const struct weir_span *part, int flags)
{
    size_t done = 0;
    long result;

    for (;;) {
        result = weir_socket_send(host->stack, socket, part->data ? part->data + done : NULL,
                                  part->length - done, flags);
        if (result > 0)
            done += (size_t)result;
        if (result > 0 && done < part->length)
            continue; /* the next call says why it took no more */
        if (result != WEIR_EAGAIN || !may_block(host, socket, flags))
            break;
        result = host_block(host, socket, WEIR_OUT, WEIR_EPIPE);
        if (result != 0 || (done > 0 && has_error(host->stack, socket)))
            break;
    }
    return done > 0 ? (long)done : result;
}

long weir_send(struct weir_host *host, int socket, const void *data, size_t length, int flags)
{
    union {
        const void *from;
        uint8_t *bytes;
    } borrowed = {.from = data}; /* a span is not written to when sending */
    const struct weir_span part = {.data = borrowed.bytes, .length = length};
    long result;

    weir_host_lock(host);
    result = send_all(host, socket, &part, flags);
    weir_host_unlock(host);
    return result;
}

/* More than one part, some of them perhaps empty. */
static long send_parts(struct weir_host *host, int socket, const struct weir_message *message,
                       int flags)
{
    const int inner = flags & ~(int)(WEIR_MSG_OOB | WEIR_MSG_EOR);
    unsigned last = message->count - 1, i;
    size_t done = 0;

    while (last > 0 && !message->parts[last].length)
        last--;
    for (i = 0; i <= last; i++) {
        const struct weir_span *part = &message->parts[i];
        long result;

        if (!part->length && i < last)
            continue;
        if (done > 0 && has_error(host->stack, socket))
            break;
        result = send_all(host, socket, part, i == last ? flags : inner);
        if (result < 0)
            return done > 0 ? (long)done : result;
        done += (size_t)result;
        if ((size_t)result < part->length)
            break;
    }
    return (long)done;
}

static bool is_stream(const struct weir_stack *stack, int socket)
{
    int64_t value;

    return weir_socket_get(stack, socket, WEIR_TCP_NODELAY, &value) == 0;
}

long weir_sendmsg(struct weir_host *host, int socket, const struct weir_message *message, int flags)
{
    struct weir_stack *stack = weir_host_lock(host);
    long result;

    if (message->count > 0 && is_stream(stack, socket))
        result = send_parts(host, socket, message, flags);
    else
        result = weir_socket_sendmsg(stack, socket, message, flags);
    weir_host_unlock(host);
    return result;
}

long weir_sendto(struct weir_host *host, int socket, const void *data, size_t length,
                 const struct weir_datagram *to)
{
    long result = weir_socket_sendto(weir_host_lock(host), socket, data, length, to);

    weir_host_unlock(host);
    return result;
}

/* ---- Receiving ------------------------------------------------------------------------------------- */

static long recv_some(struct weir_host *host, int socket, struct weir_message *message, int flags)
{
    long result = weir_socket_recvmsg(host->stack, socket, message, flags);

    while (result == WEIR_EAGAIN && may_block(host, socket, flags)) {
        result = host_block(host, socket, WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = weir_socket_recvmsg(host->stack, socket, message, flags);
    }
    return result;
}

/* Fills one part; less at the end, or if it cannot go on. */
static long fill_part(struct weir_host *host, int socket, const struct weir_span *part,
                      struct weir_message *message, int flags)
{
    size_t used = 0;

    while (used < part->length) {
        const struct weir_span rest = {.data = part->data ? part->data + used : NULL,
                                       .length = part->length - used};
        struct weir_message one = {.parts = &rest, .count = 1};
        long result;

        if (used > 0 && has_error(host->stack, socket))
            break;
        result = recv_some(host, socket, &one, flags);
        if (result <= 0)
            return used > 0 ? (long)used : result;
        message->queued = one.queued;
        used += (size_t)result;
    }
    return (long)used;
}

static long fill_all(struct weir_host *host, int socket, struct weir_message *message, int flags)
{
    size_t got = 0;
    unsigned i;

    message->flags = 0;
    message->queued = -1;
    for (i = 0; i < message->count; i++) {
        const struct weir_span *part = &message->parts[i];
        long result;

        if (got > 0 && has_error(host->stack, socket))
            break;
        result = fill_part(host, socket, part, message, flags);
        if (result < 0)
            return got > 0 ? (long)got : result;
        got += (size_t)result;
        if ((size_t)result < part->length)
            break;
    }
    return (long)got;
}

long weir_recvmsg(struct weir_host *host, int socket, struct weir_message *message, int flags)
{
    struct weir_stack *stack = weir_host_lock(host);
    bool is_whole = (flags & WEIR_MSG_WAITALL) && !(flags & WEIR_MSG_PEEK) && message->count > 0;
    long result;

    if (is_whole && is_stream(stack, socket))
        result = fill_all(host, socket, message, flags);
    else
        result = recv_some(host, socket, message, flags);
    weir_host_unlock(host);
    return result;
}

long weir_recv(struct weir_host *host, int socket, void *data, size_t length)
{
    struct weir_stack *stack = weir_host_lock(host);
    long result = weir_socket_recv(stack, socket, data, length);

    while (result == WEIR_EAGAIN && host_may_block(host, socket)) {
        result = host_block(host, socket, WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = weir_socket_recv(stack, socket, data, length);
    }
    weir_host_unlock(host);
    return result;
}

long weir_recvfrom(struct weir_host *host, int socket, void *data, size_t length,
                   struct weir_datagram *from)
{
    struct weir_stack *stack = weir_host_lock(host);
    long result = weir_socket_recvfrom(stack, socket, data, length, from);

    while (result == WEIR_EAGAIN && host_may_block(host, socket)) {
        result = host_block(host, socket, WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = weir_socket_recvfrom(stack, socket, data, length, from);
    }
    weir_host_unlock(host);
    return result;
}
