/* SPDX-License-Identifier: MIT */

/* The application's bytes: into the send buffer, out of the receive buffer.
 *
 * The lending calls are the real ones: weir_send_begin lends free bytes of the send ring and commit
 * queues them, weir_recv_peek lends received bytes and consume takes them off. weir_socket_send and
 * recv are loops around the same that copy. A lent span is valid until the next call; the socket
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

/* Free bytes of the send ring, at most `want`. */
static long lend_room(struct conn *conn, size_t want, struct weir_span *span)
{
    uint32_t room, length;
    int error = check_send(conn->socket);

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
    return (long)length;
}

/* Queues what was written to the lent room. */
static void queue(struct weir_stack *stack, struct conn *conn, size_t length, int flags)
{
    tcp_send_commit(&conn->tcp, (uint32_t)length, (flags & WEIR_MSG_MORE) != 0,
                    (flags & WEIR_MSG_OOB) != 0);
    if (flags & WEIR_MSG_EOR)
        tcp_marks_add(&conn->tcp);
    conn_mark(stack, conn);
}

/* The connection to write to; NULL: *error says why there is none. */
static struct conn *writable(struct weir_stack *stack, int number, int *error)
{
    struct conn *conn = stream_get(stack, number, error);

    if (!conn && *error == WEIR_ENOTCONN) /* never connected is like no longer connected */
        *error = stream_take_error(socket_get(stack, number), WEIR_EPIPE);
    return conn;
}

long weir_send_begin(struct weir_stack *stack, int number, size_t want, struct weir_span *span)
{
    int error;
    struct conn *conn = writable(stack, number, &error);
    long lent;

    if (!conn)
        return error;
    lent = lend_room(conn, want, span);
    if (lent > 0)
        conn->socket->lent_out = (uint32_t)lent;
    return lent;
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
    queue(stack, conn, length, flags);
    return 0;
}

long weir_socket_send(struct weir_stack *stack, int number, const void *data, size_t length,
                      int flags)
{
    int error;
    struct conn *conn = writable(stack, number, &error);
    const uint8_t *from = data;
    size_t sent = 0;
    struct weir_span span = {0};
    long lent;

    if (!conn)
        return error;
    conn->socket->lent_out = 0; /* what was lent before is no longer free */
    do {
        lent = lend_room(conn, length - sent, &span);
        if (lent <= 0)
            break;
        assert(span.data);
        memcpy(span.data, from + sent, (size_t)lent);
        sent += (size_t)lent;
        /* Only the last byte is urgent, or ends a record. */
        queue(stack, conn, (size_t)lent,
              sent == length ? flags : flags & ~(int)(WEIR_MSG_OOB | WEIR_MSG_EOR));
    } while (sent < length);
    return sent ? (long)sent : lent;
}

/* What a reader gets from a connection that has nothing for it: the end, an error, or WEIR_EAGAIN. */
static long nothing_to_read(struct conn *conn)
{
    if (conn->tcp.state == WEIR_STATE_CLOSED)
        return stream_take_error(conn->socket, 0);
    return conn->tcp.fin_received || conn->tcp.rcv_shut ? 0 : WEIR_EAGAIN;
}

/* The connection to read from; NULL: *error says why there is none. */
static struct conn *readable(struct weir_stack *stack, int number, int *error)
{
    struct conn *conn = stream_get(stack, number, error);

    if (!conn && *error == WEIR_ENOTCONN)
        *error = stream_take_error(socket_get(stack, number), *error);
    return conn;
}

/* Bytes have left the receive ring: is the larger window worth telling? */
static void consumed(struct weir_stack *stack, struct conn *conn)
{
    if (conn->tcp.ack_now || tcp_recv_update_due(&conn->tcp, memory_pressure(stack)))
        conn_mark(stack, conn);
    conn_rest(stack, conn);
}

long weir_recv_peek(struct weir_stack *stack, int number, struct weir_const_span *span)
{
    int error;
    struct conn *conn = readable(stack, number, &error);
    uint32_t length;

    if (!conn)
        return error;
    span->data = tcp_recv_peek(&conn->tcp, 0, &length);
    span->length = length;
    conn->socket->lent_in = length;
    return length ? (long)length : nothing_to_read(conn);
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
    consumed(stack, conn);
    return 0;
}

/* Copies what can be read from `offset` on, unless `to` is only to be counted. */
static size_t copy_out(const struct conn *conn, const struct weir_span *to, size_t offset,
                       int flags)
{
    size_t got = 0;

    while (got < to->length) {
        uint32_t length;
        const uint8_t *from =
            tcp_recv_peek(&conn->tcp, (uint32_t)min_size(offset + got, UINT32_MAX), &length);
        size_t take = min_size(length, to->length - got);

        if (!length)
            break;
        assert(from);
        if (!(flags & WEIR_MSG_TRUNC))
            memcpy(to->data + got, from, take);
        got += take;
    }
    return got;
}

long stream_recv(struct weir_stack *stack, int number, const struct weir_span *to, size_t offset,
                 int flags)
{
    bool is_peek = (flags & WEIR_MSG_PEEK) != 0;
    struct conn *conn;
    size_t got;
    int error;

    if (!to->length)
        return socket_get(stack, number) ? 0 : WEIR_EBADF;
    conn = readable(stack, number, &error);
    if (!conn)
        return error;
    got = copy_out(conn, to, is_peek ? offset : 0, flags);
    if (!got) /* behind bytes of the same call an error waits for the next one */
        return offset ? 0 : nothing_to_read(conn);
    if (!is_peek) {
        conn->socket->lent_in = 0;
        tcp_recv_consume(&conn->tcp, (uint32_t)got);
        consumed(stack, conn);
    }
    return (long)got;
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
