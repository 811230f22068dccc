/* SPDX-License-Identifier: MIT */

/* The socket table, and the application's calls that open, name, close and ask.
 *
 * Numbers are slots (store/slots.h), lowest free first. A socket that the application has closed keeps its
 * number, without being reachable, until its state machine has ended and WEIR_CLOSED was reported.
 *
 * No call sends: each changes the connection and puts it on the dirty list. No call blocks: what would
 * have to wait is WEIR_EAGAIN, and an event says when to come back. Events are edges: bits gather in
 * the socket until they are taken, and the socket stands in the event queue once. */

#include <assert.h>
#include <base/bytes.h>
#include <stack/stack.h>
#include <string.h>

#define BACKLOG_MAX 65535

/* ---- The table --------------------------------------------------------------------------------------- */

struct socket *socket_get(const struct weir_stack *stack, int number)
{
    struct socket *socket;

    socket = socket_at(stack, (uint32_t)number);
    return socket && !socket->is_closed && !socket->listener ? socket : NULL;
}

struct socket *socket_create(struct weir_stack *stack, enum weir_socket_kind kind, int *error)
{
    struct socket *socket;
    uint32_t number;

    *error = WEIR_EMFILE;
    if (stack->sockets.count >= stack->config.sockets_max)
        return NULL;
    *error = WEIR_ENOMEM;
    socket = pool_get(&stack->all_sockets);
    if (!socket)
        return NULL;
    *socket = (struct socket){0};
    if (!slots_add(&stack->sockets, socket, &number)) {
        pool_put(&stack->all_sockets, socket);
        return NULL;
    }
    socket->number = (int32_t)number;
    socket->kind = (uint8_t)kind;
    socket->linger = -1;
    list_init(&socket->queue);
    list_init(&socket->interests);
    return socket;
}

bool binding_create(struct weir_stack *stack, struct socket *socket)
{
    struct binding *binding = pool_get(&stack->bindings);

    if (!binding)
        return false;
    *binding = (struct binding){0};
    binding->socket = socket;
    binding->local.addr = weir_addr_any4();
    list_init(&binding->queue);
    dgram_init(&binding->datagrams);
    socket->binding = binding;
    return true;
}

static void leave_port(struct weir_stack *stack, struct socket *socket)
{
    if (socket->binding && socket->binding->is_bound) {
        table_remove(socket->kind == WEIR_UDP ? &stack->udp_ports : &stack->ports,
                     &socket->binding->port);
        socket->binding->is_bound = false;
    }
}

void binding_free(struct weir_stack *stack, struct socket *socket)
{
    struct binding *binding = socket->binding;
    struct list_node *node;

    if (!binding)
        return;
    leave_port(stack, socket);
    if (binding->echo_id)
        table_remove(&stack->echo_ids, &binding->port);
    while ((node = list_pop(&binding->queue)))
        LIST_ENTRY(node, struct socket, queue)->listener = NULL;
    dgram_done(&binding->datagrams, &stack->alloc);
    pool_put(&stack->bindings, binding);
    socket->binding = NULL;
}

void socket_free(struct weir_stack *stack, struct socket *socket)
{
    list_remove(&socket->queue);
    interest_leave(socket);
    binding_free(stack, socket);
    if (socket->conn)
        conn_free(stack, socket->conn);
    if (socket->time_wait)
        socket->time_wait->socket = NULL;
    settings_release(stack, socket);
    slots_remove(&stack->sockets, (uint32_t)socket->number);
    pool_put(&stack->all_sockets, socket);
}

void socket_raise(struct weir_stack *stack, struct socket *socket, uint32_t events)
{
    socket->events |= events;
    /* One that nobody has accepted yet keeps its events until somebody does. */
    if (socket->events && !socket->listener && !list_is_linked(&socket->queue))
        list_add_tail(&stack->events, &socket->queue);
    interest_note(socket, events);
}

void socket_ended(struct weir_stack *stack, struct socket *socket)
{
    socket->events &= WEIR_DELIVERED | WEIR_HUP; /* nobody has heard of them yet */
    socket_raise(stack, socket, WEIR_CLOSED);
}

int weir_socket_open(struct weir_stack *stack, enum weir_socket_kind kind, int protocol)
{
    struct socket *socket;
    int error;

    if (kind != WEIR_TCP && kind != WEIR_RAW && kind != WEIR_ECHO && kind != WEIR_UDP)
        return WEIR_EINVAL;
    if (kind != WEIR_RAW && protocol != 0)
        return WEIR_EINVAL;
    socket = socket_create(stack, kind, &error);
    if (!socket)
        return error;
    error = binding_create(stack, socket) ? 0 : WEIR_ENOMEM;
    if (error == 0 && kind != WEIR_TCP)
        error = dgram_open(stack, socket, protocol);
    if (error < 0) {
        socket_free(stack, socket);
        return error;
    }
    return socket->number;
}

int weir_socket_set_tag(struct weir_stack *stack, int number, uint64_t tag)
{
    struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    socket->tag = tag;
    return 0;
}

/* ---- Naming -------------------------------------------------------------------------------------------- */

/* Two that stand on the same port meet if either stands on all addresses, or both on the same. */
static bool do_meet(const struct weir_addr *a, const struct weir_addr *b)
{
    return weir_addr_is_any(a) || weir_addr_is_any(b) || weir_addr_equal(a, b);
}

/* Somebody is bound there, and they may not share: only if both may be reused, and it is no listener. */
static bool is_port_bound(const struct weir_stack *stack, const struct socket *self,
                          const struct weir_endpoint *local)
{
    struct table_node *node;

    for (node = table_find(&stack->ports, local->port); node; node = table_find_next(node)) {
        const struct binding *other = LIST_ENTRY(node, struct binding, port);
        bool may_share =
            self->is_reusable && other->socket->is_reusable && !other->socket->is_listening;

        if (other->socket != self && !may_share && do_meet(&other->local.addr, &local->addr))
            return true;
    }
    return false;
}

static bool is_flow_reusable(struct flow *flow)
{
    switch ((enum flow_kind)flow->timer.owner) {
    case FLOW_CONN:
        return LIST_ENTRY(flow, struct conn, flow)->socket->is_reusable;
    case FLOW_TIME_WAIT:
        return LIST_ENTRY(flow, struct time_wait, flow)->is_reusable;
    default: /* goes with its listener, which is bound */
        return true;
    }
}

/* A connection lives there, or is remembered, and does not share the port. Only where flows have the port
 * and an address or SO_REUSEADDR may tell them apart are they all looked at. */
static bool is_port_alive(const struct weir_stack *stack, const struct socket *self,
                          const struct weir_endpoint *local)
{
    enum flow_port_use use = flow_port_use(stack, local->port);
    struct table_cursor cursor = {0};
    struct table_node *node;

    if (use == FLOW_PORT_FREE)
        return false;
    if (use == FLOW_PORT_USED && !self->is_reusable && weir_addr_is_any(&local->addr))
        return true;
    while ((node = table_next(&stack->flows, &cursor))) {
        struct flow *flow = LIST_ENTRY(node, struct flow, node);

        if (flow->key.lport == local->port && do_meet(&flow->key.local, &local->addr) &&
            !(self->is_reusable && is_flow_reusable(flow)))
            return true;
    }
    return false;
}

int weir_socket_bind(struct weir_stack *stack, int number, const struct weir_endpoint *local)
{
    struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    if (socket->is_connected || socket->conn || socket->binding->is_bound)
        return WEIR_EINVAL;
    if (!weir_addr_is_any(&local->addr) && net_is_own(stack->net, &local->addr) == WEIR_ENOENT)
        return WEIR_EADDRNOTAVAIL;
    if (socket->kind == WEIR_UDP)
        return udp_bind(stack, socket, local);
    if (socket->kind == WEIR_TCP && local->port) {
        if (is_port_bound(stack, socket, local) || is_port_alive(stack, socket, local))
            return WEIR_EADDRINUSE;
        if (!table_add(&stack->ports, &socket->binding->port, local->port))
            return WEIR_ENOMEM;
        socket->binding->is_bound = true;
    }
    socket->binding->local = *local;
    return 0;
}

/* A listener without a port gets one. */
static int bind_any_port(struct weir_stack *stack, struct socket *socket)
{
    struct flow_key key = {.local = socket->binding->local.addr, .remote = weir_addr_any4()};
    struct weir_endpoint local = socket->binding->local;

    local.port = flow_choose_port(stack, &key);
    if (!local.port)
        return WEIR_EADDRNOTAVAIL;
    return weir_socket_bind(stack, socket->number, &local);
}

static void set_backlog(struct socket *socket, int backlog)
{
    socket->binding->backlog = backlog < 1 ? 1 : (uint32_t)min_i64(backlog, BACKLOG_MAX);
}

int weir_socket_listen(struct weir_stack *stack, int number, int backlog)
{
    struct socket *socket = socket_get(stack, number);
    int error;

    if (!socket)
        return WEIR_EBADF;
    if (socket->kind != WEIR_TCP)
        return WEIR_EPROTOTYPE;
    if (socket->conn || socket->is_connected)
        return WEIR_EINVAL;
    if (socket->is_listening) {
        set_backlog(socket, backlog);
        return 0;
    }
    if (!socket->binding->is_bound) {
        error = bind_any_port(stack, socket);
        if (error < 0)
            return error;
    }
    /* Of several who share the port one may listen [MUST-41]. */
    if (is_port_bound(stack, socket, &socket->binding->local))
        return WEIR_EADDRINUSE;
    set_backlog(socket, backlog);
    socket->is_listening = true;
    return 0;
}

int weir_socket_accept(struct weir_stack *stack, int number, struct weir_endpoint *remote)
{
    struct socket *listener = socket_get(stack, number);
    struct list_node *node;
    struct socket *socket;

    if (!listener)
        return WEIR_EBADF;
    if (!listener->is_listening)
        return WEIR_EINVAL;
    node = list_pop(&listener->binding->queue);
    if (!node)
        return WEIR_EAGAIN;
    socket = LIST_ENTRY(node, struct socket, queue);
    listener->binding->queued--;
    socket->listener = NULL;
    socket_raise(stack, socket, 0);
    if (remote)
        *remote = (struct weir_endpoint){.addr = socket->conn->flow.key.remote,
                                         .port = socket->conn->flow.key.rport};
    return socket->number;
}

/* ---- Closing ------------------------------------------------------------------------------------------------ */

/* The application lets go; what the connection still has to do it does alone. */
static int let_go(struct weir_stack *stack, struct socket *socket, bool is_abort)
{
    struct conn *conn = socket->conn;

    list_remove(&socket->queue);
    interest_leave(socket);
    socket->events = 0;
    if (socket->is_listening)
        listener_stop(stack, socket);
    if (socket->kind != WEIR_TCP)
        dgram_close(stack, socket);
    leave_port(stack, socket);
    socket->is_closed = true;
    if (!conn) {
        socket_ended(stack, socket);
        return 0;
    }
    if (is_abort || socket->linger == 0)
        tcp_abort(&conn->tcp);
    else
        tcp_close(&conn->tcp, stack->now);
    conn_mark(stack, conn);
    conn_settle(stack, conn);
    return 0;
}

int weir_socket_close(struct weir_stack *stack, int number)
{
    struct socket *socket = socket_get(stack, number);

    return socket ? let_go(stack, socket, false) : WEIR_EBADF;
}

int weir_socket_abort(struct weir_stack *stack, int number)
{
    struct socket *socket = socket_get(stack, number);

    return socket ? let_go(stack, socket, true) : WEIR_EBADF;
}

/* ---- Questions ------------------------------------------------------------------------------------------------ */

static uint32_t stream_ready(const struct tcp_conn *tcp)
{
    bool has_ended = tcp->state == WEIR_STATE_CLOSED;
    uint32_t ready = 0;

    if (tcp_recv_readable(tcp) || tcp->fin_received || tcp->rcv_shut || has_ended)
        ready |= WEIR_IN;
    if (has_ended || tcp->fin_queued || (tcp_is_synchronised(tcp) && tcp_send_is_writable(tcp)))
        ready |= WEIR_OUT;
    if (tcp->fin_received || has_ended)
        ready |= WEIR_HUP;
    if (tcp->error)
        ready |= WEIR_ERR;
    if (tcp->is_urgent_in)
        ready |= WEIR_PRI;
    if (tcp->notice)
        ready |= WEIR_NOTICE;
    return ready;
}

int weir_socket_ready(const struct weir_stack *stack, int number)
{
    const struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    if (socket->is_listening)
        return socket->binding->queued ? WEIR_ACCEPT | WEIR_IN : 0;
    if (socket->kind != WEIR_TCP)
        return WEIR_OUT | (socket->binding->datagrams.count ? WEIR_IN : 0) |
               (socket->error ? WEIR_ERR : 0);
    return socket->conn ? (int)stream_ready(&socket->conn->tcp) : 0;
}

int weir_socket_take_error(struct weir_stack *stack, int number)
{
    struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    return socket->kind == WEIR_TCP || socket->kind == WEIR_UDP ? stream_take_error(socket, 0)
                                                                : WEIR_EPROTOTYPE;
}

int weir_socket_take_notice(struct weir_stack *stack, int number)
{
    int error;
    struct conn *conn = stream_get(stack, number, &error);

    if (!conn)
        return error == WEIR_ENOTCONN ? 0 : error;
    error = conn->tcp.notice;
    conn->tcp.notice = 0;
    return error;
}

int weir_socket_local(const struct weir_stack *stack, int number, struct weir_endpoint *local)
{
    const struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    if (socket->binding)
        *local = socket->binding->local;
    else
        *local = (struct weir_endpoint){.addr = socket->conn->flow.key.local,
                                        .port = socket->conn->flow.key.lport};
    return 0;
}

int weir_socket_remote(const struct weir_stack *stack, int number, struct weir_endpoint *remote)
{
    const struct socket *socket = socket_get(stack, number);

    if (!socket)
        return WEIR_EBADF;
    if (socket->conn)
        *remote = (struct weir_endpoint){.addr = socket->conn->flow.key.remote,
                                         .port = socket->conn->flow.key.rport};
    else if (socket->kind != WEIR_TCP && socket->is_connected)
        *remote = (struct weir_endpoint){.addr = socket->binding->peer,
                                         .port = socket->binding->peer_port};
    else
        return WEIR_ENOTCONN;
    return 0;
}
