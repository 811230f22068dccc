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

#include <assert.h>
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

int stream_take_error(struct socket *socket, int otherwise)
{
    int8_t *pending = socket->conn ? &socket->conn->tcp.error : &socket->error;
    int error = *pending;

    *pending = 0;
    return error ? error : otherwise;
}

uint32_t stream_unread(const struct socket *socket)
{
    return socket->conn ? tcp_recv_readable(&socket->conn->tcp) : 0;
}

uint32_t stream_unacknowledged(const struct socket *socket)
{
    return socket->conn ? tcp_send_queued(&socket->conn->tcp) : 0;
}

static int check_send(struct socket *socket)
{
    struct tcp_conn *tcp = &socket->conn->tcp;

    if (tcp->state == WEIR_STATE_CLOSED)
        return stream_take_error(socket, WEIR_EPIPE);
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

    if (!conn) /* never connected is like no longer connected */
        return error == WEIR_ENOTCONN ? stream_take_error(socket_get(stack, number), WEIR_EPIPE)
                                      : error;
    error = check_send(conn->socket);
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
    error = check_send(conn->socket); /* it may have been closed since the span was lent */
    if (error < 0)
        return error;
    tcp_send_commit(&conn->tcp, (uint32_t)length, (flags & WEIR_MSG_MORE) != 0,
                    (flags & WEIR_MSG_OOB) != 0);
    if (flags & WEIR_MSG_EOR)
        tcp_marks_add(&conn->tcp);
    conn_mark(stack, conn);
    return 0;
}

long weir_socket_send(struct weir_stack *stack, int number, const void *data, size_t length,
                      int flags)
{
    const uint8_t *from = data;
    size_t sent = 0;
    struct weir_span span = {0};
    long lent = 0;

    do {
        lent = weir_send_begin(stack, number, length - sent, &span);
        if (lent <= 0)
            break;
        assert(span.data);
        memcpy(span.data, from + sent, (size_t)lent);
        sent += (size_t)lent;
        /* Only the last byte is urgent, or ends a record. */
        weir_send_commit(stack, number, (size_t)lent,
                         sent == length ? flags : flags & ~(int)(WEIR_MSG_OOB | WEIR_MSG_EOR));
    } while (sent < length);
    if (sent && sent < length && lent == WEIR_EAGAIN)
        return (long)sent;
    return sent ? (long)sent : lent;
}

/* What can be read, `offset` bytes on. */
static long peek(struct weir_stack *stack, int number, size_t offset, struct weir_const_span *span)
{
    int error;
    struct conn *conn = stream_get(stack, number, &error);
    uint32_t length;

    if (!conn)
        return error == WEIR_ENOTCONN ? stream_take_error(socket_get(stack, number), error) : error;
    span->data = tcp_recv_peek(&conn->tcp, (uint32_t)min_size(offset, UINT32_MAX), &length);
    span->length = length;
    if (length)
        return (long)length;
    if (conn->tcp.state == WEIR_STATE_CLOSED)
        return stream_take_error(conn->socket, 0);
    return conn->tcp.fin_received || conn->tcp.rcv_shut ? 0 : WEIR_EAGAIN;
}

long weir_recv_peek(struct weir_stack *stack, int number, struct weir_const_span *span)
{
    long lent = peek(stack, number, 0, span);
    struct socket *socket = socket_get(stack, number);

    if (socket)
        socket->lent_in = lent > 0 ? (uint32_t)lent : 0;
    return lent;
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
    if (conn->tcp.ack_now || tcp_recv_update_due(&conn->tcp, memory_pressure(stack)))
        conn_mark(stack, conn);
    return 0;
}

long stream_recv(struct weir_stack *stack, int number, const struct weir_span *to, size_t offset,
                 int flags)
{
    bool is_peek = (flags & WEIR_MSG_PEEK) != 0;
    struct weir_const_span span = {0};
    size_t got = 0;
    long lent = 0;

    if (!to->length)
        return socket_get(stack, number) ? 0 : WEIR_EBADF;
    while (got < to->length) {
        size_t take;

        lent = is_peek ? peek(stack, number, offset + got, &span)
                       : weir_recv_peek(stack, number, &span);
        if (lent <= 0)
            break;
        assert(span.data);
        take = min_size((size_t)lent, to->length - got);
        if (!(flags & WEIR_MSG_TRUNC))
            memcpy(to->data + got, span.data, take);
        if (!is_peek)
            weir_recv_consume(stack, number, take);
        got += take;
    }
    return got ? (long)got : lent;
}

long weir_socket_recv(struct weir_stack *stack, int number, void *data, size_t length)
{
    const struct weir_span to = {.data = data, .length = length};

    return stream_recv(stack, number, &to, 0, 0);
}

long weir_socket_urgent_left(const struct weir_stack *stack, int number)
{
    int error;
    const struct conn *conn = stream_get(stack, number, &error);

    if (!conn)
        return error;
    return conn->tcp.is_urgent_in ? (long)(conn->tcp.rcv_up - conn->tcp.rcv_read) : 0;
}
