/* SPDX-License-Identifier: MIT */

/* Connecting a socket, and taking that back.
 *
 *   fresh ──connect──► connecting ──told 0──► connected        listening
 *     ▲                    │ told why not         │                │
 *     └────────────────────┴──── disconnect ──────┴────────────────┘
 *
 * connect names the four-tuple (the path gives the source, the hash the port: RFC 9293 3.9.1.1), makes
 * the connection and returns at once. The outcome is told once, by the next connect, so that a program
 * that only ever calls connect hears of it; a failure makes the socket fresh.
 *
 * While a socket has a connection it has no binding: the four-tuple stands for it, and others may listen
 * on its port [MUST-42]. What the application itself had bound is remembered by two bits, and is bound again
 * when the connection is dissolved.
 *
 * Dissolving is an ABORT (RFC 9293 3.10.5) of the connection only: the RST is staged at once, like every
 * segment that no connection remembers; TIME-WAIT stays behind as a record, which nobody waits for. */

#include <stack/stack.h>

static int connect_datagrams(struct socket *socket, const struct weir_endpoint *remote)
{
    socket->binding->peer = remote->addr;
    socket->is_connected = true;
    return 0;
}

/* RFC 9293 3.9.1.1: the path gives the source [MUST-44], the hash the port. */
static int name_connection(struct weir_stack *stack, const struct socket *socket,
                           const struct weir_endpoint *remote, struct flow_key *key,
                           struct net_path *path)
{
    int error = net_path_find(stack->net, &socket->binding->local.addr, &remote->addr, path);

    if (error < 0)
        return error;
    key->local = path->src;
    key->remote = remote->addr;
    key->rport = remote->port;
    key->lport = socket->binding->local.port;
    if (!key->lport)
        return flow_choose_port(stack, key) ? 0 : WEIR_EADDRNOTAVAIL;
    return flow_find(stack, key) ? WEIR_EADDRNOTAVAIL : 0;
}

/* A connection's socket is fresh again, bound to what the application had bound it to. False: there is no
 * memory for that, and nothing has changed. */
static bool unconnect(struct weir_stack *stack, struct socket *socket)
{
    struct conn *conn = socket->conn;
    struct weir_endpoint local = {.addr = weir_addr_any4()};

    if (socket->keeps_addr)
        local.addr = conn->flow.key.local;
    if (socket->keeps_port)
        local.port = conn->flow.key.lport;
    if (!binding_create(stack, socket))
        return false;
    socket->binding->local = local;
    if (local.port)
        socket->binding->is_bound = table_add(&stack->ports, &socket->binding->port, local.port);
    conn_disconnect(stack, conn);
    socket->is_connected = false;
    socket->is_connecting = false;
    socket->lent_in = socket->lent_out = 0;
    return true;
}

/* Connections that had something to lose are reset, and that is an error, too. */
static int disconnect_stream(struct weir_stack *stack, struct socket *socket)
{
    enum weir_tcp_state state = (enum weir_tcp_state)socket->conn->tcp.state;

    if (!unconnect(stack, socket))
        return WEIR_ENOMEM;
    if (state != WEIR_STATE_CLOSED && state != WEIR_STATE_TIME_WAIT &&
        state != WEIR_STATE_CLOSING && state != WEIR_STATE_LAST_ACK) {
        socket->error = WEIR_ECONNRESET;
        socket_raise(stack, socket, WEIR_ERR);
    }
    return 0;
}

int weir_socket_disconnect(struct weir_stack *stack, int number)
{
    struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    if (socket->is_listening)
        listener_stop(stack, socket);
    else if (socket->kind == WEIR_UDP)
        udp_disconnect(stack, socket);
    else if (socket->kind != WEIR_TCP)
        socket->is_connected = false;
    else if (socket->conn)
        return disconnect_stream(stack, socket);
    return 0;
}

/* What has become of the attempt, told once; after a failure another may be made. */
static int connect_outcome(struct weir_stack *stack, struct socket *socket)
{
    int error;

    if (socket->conn->tcp.state != WEIR_STATE_CLOSED) {
        socket->is_connecting = false;
        return 0;
    }
    error = stream_take_error(socket, WEIR_ECONNABORTED);
    socket->conn->tcp.error = 0;
    unconnect(stack, socket);
    return error;
}

/* Whether a stream may be connected now: 0, or what connect answers instead; EALREADY and so on. */
static int check_connect(struct weir_stack *stack, struct socket *socket, bool *is_told)
{
    *is_told = true;
    if (socket->conn && (socket->conn->tcp.state == WEIR_STATE_SYN_SENT ||
                         socket->conn->tcp.state == WEIR_STATE_SYN_RECEIVED))
        return WEIR_EALREADY;
    if (socket->conn && socket->is_connecting)
        return connect_outcome(stack, socket);
    if (socket->conn || socket->is_connected || socket->is_listening)
        return WEIR_EISCONN;
    *is_told = false;
    return 0;
}

static int open_stream(struct weir_stack *stack, struct socket *socket,
                       const struct weir_endpoint *remote)
{
    struct net_path path;
    struct flow_key key;
    struct conn *conn;
    int error = name_connection(stack, socket, remote, &key, &path);

    if (error < 0)
        return error;
    conn = conn_create(stack, &key, socket, NULL);
    if (!conn)
        return WEIR_ENOMEM;
    socket->keeps_port = socket->binding->local.port != 0;
    socket->keeps_addr = !weir_addr_is_any(&socket->binding->local.addr);
    /* The four-tuple stands for it from now on; others may listen on the port [MUST-42]. */
    binding_free(stack, socket);
    socket->error = 0;
    socket->is_connected = true;
    socket->is_connecting = true;
    conn->hop = path.hop;
    conn->tcp.is_corked = socket->is_corked;
    tcp_open(&conn->tcp, flow_isn(stack, &key), net_hop_mms(&path.hop), stack->now);
    stack->counters.counter[WEIR_COUNT_ACTIVE_OPENS]++;
    conn_mark(stack, conn);
    return WEIR_EINPROGRESS;
}

int weir_socket_connect(struct weir_stack *stack, int number, const struct weir_endpoint *remote,
                        weir_time now)
{
    struct socket *socket = socket_get(stack, number);
    bool is_told;
    int error;

    if (!socket)
        return WEIR_EBADF;
    if (socket->kind == WEIR_TCP) {
        error = check_connect(stack, socket, &is_told);
        if (is_told)
            return error;
    }
    if (net_is_group(stack->net, &remote->addr) || weir_addr_is_any(&remote->addr)) /* [MUST-46] */
        return WEIR_EADDRNOTAVAIL;
    if (socket->kind == WEIR_UDP)
        return udp_connect(stack, socket, remote);
    if (socket->kind != WEIR_TCP)
        return connect_datagrams(socket, remote);
    if (!remote->port)
        return WEIR_EADDRNOTAVAIL;
    stack->now = now;
    return open_stream(stack, socket, remote);
}

int weir_socket_shutdown(struct weir_stack *stack, int number, enum weir_shutdown_how how)
{
    const struct socket *socket = socket_get(stack, number);
    int error;
    struct conn *conn = stream_get(stack, number, &error);

    /* Who only waits for a connection waits no more. */
    if (socket && socket->is_listening)
        return how == WEIR_SHUT_WR ? 0 : weir_socket_disconnect(stack, number);
    if (conn && conn->tcp.state == WEIR_STATE_SYN_SENT)
        return weir_socket_disconnect(stack, number);
    if (!conn)
        return error;
    if (conn->tcp.state == WEIR_STATE_CLOSED)
        return WEIR_ENOTCONN;
    if (how != WEIR_SHUT_WR)
        tcp_recv_shut(&conn->tcp);
    if (how != WEIR_SHUT_RD)
        tcp_close_send(&conn->tcp, stack->now);
    conn_mark(stack, conn);
    interest_note(socket_get(stack, number), WEIR_IN | WEIR_OUT); /* neither blocks any more */
    conn_settle(stack, conn);
    return 0;
}
