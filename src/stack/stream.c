/* SPDX-License-Identifier: MIT */

/* The application's bytes: into the send buffer, out of the receive buffer.
 *
 * The lending calls are the real ones: weir_send_begin lends free bytes of the send ring and commit
 * queues them, weir_recv_peek lends received bytes and consume takes them off. weir_socket_send and
 * recv are loops around them that copy. A lent span is valid until the next call; the socket
 * remembers its length, so that no more is taken than was given.
 *
 * The error that ended a connection is told once, by whichever call comes first. After that a reader
 * finds the end of the stream and a writer a broken pipe. */

#include <base/bytes.h>
#include <stack/stack.h>
#include <string.h>

struct conn *stream_get(const struct weir_stack *stack, int number, int *error)
{
    struct socket *socket = socket_get(stack, number);

    *error = WEIR_EBADF;
    if (!socket)
        return NULL;
    *error = socket->kind == WEIR_TCP ? WEIR_ENOTCONN : WEIR_EPROTOTYPE;
    return socket->conn;
}

int stream_take_error(struct tcp_conn *tcp, int otherwise)
{
    int error = tcp->error;

    tcp->error = 0;
    return error ? error : otherwise;
}

static int check_send(struct tcp_conn *tcp)
{
    if (tcp->state == WEIR_STATE_CLOSED)
        return stream_take_error(tcp, WEIR_EPIPE);
    if (tcp->fin_queued)
        return WEIR_EPIPE;
    if (!tcp_is_synchronised(tcp)) {
        tcp->want_out = true;
        return WEIR_EAGAIN;
    }
    return 0;
}

long weir_send_begin(struct weir_stack *stack, int number, size_t want, struct weir_span *span)
{
    int error;
    struct conn *conn = stream_get(stack, number, &error);
    uint32_t room, length;

    if (!conn)
        return error;
    error = check_send(&conn->tcp);
    if (error < 0)
        return error;
    room = (uint32_t)min_size(tcp_send_room(&conn->tcp), want);
    if (!room) {
        conn->tcp.want_out |= want > 0;
        return want ? WEIR_EAGAIN : 0;
    }
    span->data = tcp_send_begin(&conn->tcp, room, &length);
    if (!span->data) {
        conn->tcp.want_out = true;
        return tcp_send_queued(&conn->tcp) ? WEIR_EAGAIN : WEIR_ENOMEM;
    }
    span->length = length;
    conn->socket->lent_out = length;
    return (long)length;
}

int weir_send_commit(struct weir_stack *stack, int number, size_t length, int flags)
{
    int error;
    struct conn *conn = stream_get(stack, number, &error);

    if (!conn)
        return error;
    if (length > conn->socket->lent_out)
        return WEIR_EINVAL;
    conn->socket->lent_out = 0;
    if (!length)
        return 0;
    error = check_send(&conn->tcp); /* it may have been closed since the span was lent */
    if (error < 0)
        return error;
    tcp_send_commit(&conn->tcp, (uint32_t)length, (flags & WEIR_MSG_MORE) != 0,
                    (flags & WEIR_MSG_OOB) != 0);
    conn_mark(stack, conn);
    return 0;
}

long weir_socket_send(struct weir_stack *stack, int number, const void *data, size_t length,
                      int flags)
{
    const uint8_t *from = data;
    size_t sent = 0;
    struct weir_span span;
    long lent = 0;

    do {
        lent = weir_send_begin(stack, number, length - sent, &span);
        if (lent <= 0)
            break;
        memcpy(span.data, from + sent, (size_t)lent);
        sent += (size_t)lent;
        /* Only the end of what was asked for is urgent, and only its last byte ends the message. */
        weir_send_commit(stack, number, (size_t)lent,
                         sent == length ? flags : flags & ~(int)WEIR_MSG_OOB);
    } while (sent < length);
    if (sent && sent < length && lent == WEIR_EAGAIN)
        return (long)sent;
    return sent ? (long)sent : lent;
}

long weir_recv_peek(struct weir_stack *stack, int number, struct weir_const_span *span)
{
    int error;
    struct conn *conn = stream_get(stack, number, &error);
    uint32_t length;

    if (!conn)
        return error;
    span->data = tcp_recv_peek(&conn->tcp, &length);
    span->length = length;
    conn->socket->lent_in = length;
    if (length)
        return (long)length;
    if (conn->tcp.state == WEIR_STATE_CLOSED)
        return stream_take_error(&conn->tcp, 0);
    return conn->tcp.fin_received || conn->tcp.rcv_shut ? 0 : WEIR_EAGAIN;
}

int weir_recv_consume(struct weir_stack *stack, int number, size_t length)
{
    int error;
    struct conn *conn = stream_get(stack, number, &error);

    if (!conn)
        return error;
    if (length > conn->socket->lent_in || length > tcp_recv_readable(&conn->tcp))
        return WEIR_EINVAL;
    conn->socket->lent_in = 0;
    tcp_recv_consume(&conn->tcp, (uint32_t)length);
    if (tcp_recv_update_due(&conn->tcp, memory_pressure(stack)))
        conn_mark(stack, conn);
    return 0;
}

long weir_socket_recv(struct weir_stack *stack, int number, void *data, size_t length)
{
    uint8_t *to = data;
    size_t got = 0;
    struct weir_const_span span;
    long lent = 0;

    if (!length)
        return socket_get(stack, number) ? 0 : WEIR_EBADF;
    while (got < length) {
        size_t take;

        lent = weir_recv_peek(stack, number, &span);
        if (lent <= 0)
            break;
        take = min_size((size_t)lent, length - got);
        memcpy(to + got, span.data, take);
        weir_recv_consume(stack, number, take);
        got += take;
    }
    return got ? (long)got : lent;
}

long weir_socket_urgent_left(const struct weir_stack *stack, int number)
{
    int error;
    const struct conn *conn = stream_get(stack, number, &error);

    if (!conn)
        return error;
    return conn->tcp.is_urgent_in ? (long)(conn->tcp.rcv_up - conn->tcp.rcv_read) : 0;
}
