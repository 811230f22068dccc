/* SPDX-License-Identifier: MIT */

/* The applications of a world: connections between random hosts, each carrying a stream both ways.
 *
 * An end writes and reads in chunks of random size; some read slowly, by a timer, so that windows
 * close. A client ends its direction when it has sent everything; a server then or, if it closes
 * late, only after the client's end; both close when both directions have ended. Some ends abort in
 * mid-stream. Keep-alive is on, so that an end whose peer vanished finds out.
 *
 * Each byte is a function of connection, direction and offset, and is compared when it is read. A
 * connection is good if both ends got every byte, then the end of the stream, and their sockets are
 * gone. An end may have an error only if its connection includes an abort or a link of the world is
 * dead; whatever it read before must be right all the same. */

#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define START (2 * WEIR_SECOND) /* RIP has converged, if nothing was lost */
#define CHUNK_MAX 20000u

static void pump(struct end *end);

static uint8_t byte_at(const struct connection *connection, bool from_server, uint32_t offset)
{
    uint32_t x = (uint32_t)connection->id * 0x9e3779b1u + (from_server ? 0x85ebca6bu : 0) + offset;

    x ^= x >> 15;
    x *= 0x2c1b3c6du;
    return (uint8_t)(x >> 16);
}

static const char *side_name(const struct end *end)
{
    return end->is_server ? "server" : "client";
}

/* The largest sizes are rare: most bugs need few bytes, and time is short. */
static uint32_t draw_size(struct world *w)
{
    uint32_t shift = world_between(w, 0, 20);

    return world_between(w, 0, 1u << shift) * (world_between(w, 0, 9) > 0);
}

static void plan_end(struct world *w, struct end *end, struct connection *connection,
                     bool is_server)
{
    end->world = w;
    end->connection = connection;
    end->is_server = is_server;
    end->socket = -1;
    end->to_send = draw_size(w);
    end->abort_at = UINT32_MAX;
    end->write_max = 1u << world_between(w, 4, 14);
    end->read_max = 1u << world_between(w, 4, 14);
    if (world_between(w, 0, 4) == 0)
        end->pace = world_between(w, 1, 300) * WEIR_MS;
    if (end->pace > 0)
        end->read_max = 1u << world_between(w, 9, 14);
    end->closes_late = is_server && world_between(w, 0, 1);
    if (world_between(w, 0, 15) == 0) {
        end->abort_at = world_between(w, 0, end->to_send);
        connection->may_fail = true;
    }
}

/* ---- One end -------------------------------------------------------------------------------------- */

static void note_error(struct end *end, long error)
{
    if (end->error == 0)
        end->error = (int)error;
}

static void close_end(struct end *end)
{
    if (end->has_closed)
        return;
    end->has_closed = true;
    weir_socket_close(weir_sim_stack(end->world->sim, end->node), end->socket);
}

static void abort_end(struct end *end)
{
    note_error(end, WEIR_ECANCELED);
    end->has_closed = true;
    weir_socket_abort(weir_sim_stack(end->world->sim, end->node), end->socket);
}

static void write_some(struct end *end)
{
    struct weir_stack *stack = weir_sim_stack(end->world->sim, end->node);
    uint8_t bytes[CHUNK_MAX];

    while (end->sent < end->to_send && !end->has_closed) {
        uint32_t chunk = world_between(end->world, 1, end->write_max);
        long result;

        if (chunk > end->to_send - end->sent)
            chunk = end->to_send - end->sent;
        for (uint32_t i = 0; i < chunk; i++)
            bytes[i] = byte_at(end->connection, end->is_server, end->sent + i);
        result = weir_socket_send(stack, end->socket, bytes, chunk, 0);
        if (result == WEIR_EAGAIN || result == WEIR_ENOTCONN)
            return;
        if (result < 0) {
            note_error(end, result);
            return;
        }
        end->sent += (uint32_t)result;
        if (end->sent >= end->abort_at)
            abort_end(end);
    }
}

static void compare(struct end *end, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] == byte_at(end->connection, !end->is_server, end->received + i))
            continue;
        world_fail(end->world, "connection %d, %s: wrong byte at %u", end->connection->id,
                   side_name(end), end->received + i);
        return;
    }
}

/* Reads until there is no more, or, when paced, once. */
static void read_some(struct end *end)
{
    struct weir_stack *stack = weir_sim_stack(end->world->sim, end->node);
    uint8_t bytes[CHUNK_MAX];

    while (!end->has_eof && !end->has_closed && end->error == 0) {
        uint32_t chunk = world_between(end->world, 1, end->read_max);
        long result = weir_socket_recv(stack, end->socket, bytes, chunk);

        if (result == WEIR_EAGAIN || result == WEIR_ENOTCONN)
            return;
        if (result < 0) {
            note_error(end, result);
        } else if (result == 0) {
            end->has_eof = true;
        } else {
            compare(end, bytes, (uint32_t)result);
            end->received += (uint32_t)result;
        }
        if (end->pace > 0)
            return;
    }
}

static void finish_some(struct end *end)
{
    struct weir_stack *stack = weir_sim_stack(end->world->sim, end->node);

    if (end->error != 0) {
        close_end(end);
        return;
    }
    if (end->sent < end->to_send)
        return;
    if (!end->has_shut && (!end->closes_late || end->has_eof)) {
        int result = weir_socket_shutdown(stack, end->socket, WEIR_SHUT_WR);

        if (result == WEIR_ENOTCONN)
            return;
        if (result < 0)
            note_error(end, result);
        end->has_shut = true;
    }
    if (end->has_shut && end->has_eof)
        close_end(end);
}

static void pump(struct end *end)
{
    if (end->is_gone || end->has_closed)
        return;
    if (!end->is_open) {
        if (end->error != 0)
            close_end(end); /* the connection did not come about */
        return;
    }
    write_some(end);
    if (end->pace == 0)
        read_some(end);
    finish_some(end);
}

static void pace(void *context, struct weir_sim *sim, weir_time now)
{
    struct end *end = context;

    if (end->is_gone || end->has_closed)
        return;
    read_some(end);
    finish_some(end);
    weir_sim_touch(sim, end->node);
    if (!end->has_closed)
        weir_sim_at(sim, now + end->pace, pace, end);
}

/* Keep-alive after 20 s of silence, for 150 s; the tag leads from the event back to the end. */
static void dress(struct end *end)
{
    struct weir_stack *stack = weir_sim_stack(end->world->sim, end->node);

    end->exists = true;
    weir_socket_set_tag(stack, end->socket, (uint64_t)(uintptr_t)end);
    weir_socket_set(stack, end->socket, WEIR_SO_KEEPALIVE, 1);
    weir_socket_set(stack, end->socket, WEIR_TCP_KEEPIDLE, 20 * WEIR_SECOND);
    weir_socket_set(stack, end->socket, WEIR_TCP_KEEPINTVL, 5 * WEIR_SECOND);
    weir_socket_set(stack, end->socket, WEIR_TCP_KEEPCNT, 30);
}

/* Established: reading and writing may begin. */
static void start(struct end *end)
{
    end->is_open = true;
    if (end->pace > 0)
        weir_sim_at(end->world->sim, weir_sim_now(end->world->sim) + end->pace, pace, end);
}

/* ---- Opening -------------------------------------------------------------------------------------- */

static int host_index(const struct world *w, int node)
{
    for (int i = 0; i < w->host_count; i++)
        if (w->hosts[i] == node)
            return i;
    return -1;
}

static void open_client(void *context, struct weir_sim *sim, weir_time now)
{
    struct connection *connection = context;
    struct end *client = &connection->ends[0];
    struct world *w = client->world;
    struct weir_stack *stack = weir_sim_stack(sim, client->node);
    struct weir_endpoint local = {weir_addr_any4(), (uint16_t)(CLIENT_PORT + connection->id)};
    struct weir_endpoint remote = {.port = SERVER_PORT};
    int result;

    remote.addr = w->host_addr[host_index(w, connection->ends[1].node)];
    client->socket = weir_socket_open(stack, WEIR_TCP, 0);
    assert(client->socket >= 0);
    result = weir_socket_bind(stack, client->socket, &local);
    assert(result == 0);
    dress(client);
    result = weir_socket_connect(stack, client->socket, &remote, now);
    if (w->verbosity > 1)
        printf("%14.6f node %d socket %d connection %d: connect: %s\n", (double)now / 1e9,
               client->node, client->socket, connection->id, weir_error_name(result));
    if (result != WEIR_EINPROGRESS) {
        /* The interface is down at the moment: again later, with a new socket. */
        weir_socket_set_tag(stack, client->socket, 0);
        weir_socket_close(stack, client->socket);
        client->exists = false;
        weir_sim_at(sim, now + WEIR_SECOND, open_client, connection);
    }
    weir_sim_touch(sim, client->node);
}

static void accept_all(struct world *w, int node, int listener)
{
    struct weir_stack *stack = weir_sim_stack(w->sim, node);
    struct weir_endpoint remote;
    int socket;

    while ((socket = weir_socket_accept(stack, listener, &remote)) >= 0) {
        int id = remote.port - CLIENT_PORT;
        struct end *server;

        if (id < 0 || id >= w->connection_count || w->connections[id].ends[1].node != node ||
            w->connections[id].ends[1].exists) {
            world_fail(w, "node %d accepted port %u, which nobody opened", node, remote.port);
            return;
        }
        server = &w->connections[id].ends[1];
        server->socket = socket;
        dress(server);
        start(server);
        pump(server);
    }
}

static bool is_done(const struct world *w)
{
    for (int i = 0; i < w->connection_count; i++) {
        const struct end *client = &w->connections[i].ends[0];
        const struct end *server = &w->connections[i].ends[1];

        if (!client->is_gone || (server->exists && !server->is_gone))
            return false;
    }
    return true;
}

static void take_event(void *context, struct weir_sim *sim, int node,
                       const struct weir_event *event)
{
    struct world *w = context;
    struct weir_stack *stack = weir_sim_stack(sim, node);
    int host = host_index(w, node);
    struct end *end = (struct end *)(uintptr_t)event->tag;

    if (w->verbosity > 1)
        printf("%14.6f node %d socket %d events %02x connection %d\n",
               (double)weir_sim_now(sim) / 1e9, node, event->socket, event->events,
               end != NULL ? end->connection->id : -1);
    if (host >= 0 && event->socket == w->listeners[host])
        accept_all(w, node, event->socket);
    if (end == NULL || end->is_gone)
        return;
    if (event->events & WEIR_ERR && !end->has_closed)
        note_error(end, weir_socket_take_error(stack, event->socket));
    if (event->events & WEIR_CLOSED && end->has_closed)
        end->is_gone = true;
    if (event->events & WEIR_OUT && !end->is_open)
        start(end);
    pump(end);
    if (is_done(w))
        weir_sim_stop(sim);
}

static void listen_all(struct world *w)
{
    const struct weir_endpoint local = {.addr = weir_addr_any4(), .port = SERVER_PORT};

    for (int i = 0; i < w->host_count; i++) {
        struct weir_stack *stack = weir_sim_stack(w->sim, w->hosts[i]);
        int result;

        w->listeners[i] = weir_socket_open(stack, WEIR_TCP, 0);
        result = weir_socket_bind(stack, w->listeners[i], &local);
        assert(result == 0);
        result = weir_socket_listen(stack, w->listeners[i], 16);
        assert(result == 0);
    }
}

void transfers_plan(struct world *w)
{
    listen_all(w);
    weir_sim_on_event(w->sim, take_event, w);
    w->connection_count = (int)world_between(w, 1, CONNECTIONS_MAX);
    for (int i = 0; i < w->connection_count; i++) {
        struct connection *connection = &w->connections[i];
        uint32_t from = world_between(w, 0, (uint32_t)w->host_count - 1);
        uint32_t to = world_between(w, 0, (uint32_t)w->host_count - 2);

        connection->id = i;
        plan_end(w, &connection->ends[0], connection, false);
        plan_end(w, &connection->ends[1], connection, true);
        connection->ends[0].node = w->hosts[from];
        connection->ends[1].node = w->hosts[to >= from ? to + 1 : to];
        connection->ends[0].to_receive = connection->ends[1].to_send;
        connection->ends[1].to_receive = connection->ends[0].to_send;
        weir_sim_at(w->sim, START + world_between(w, 0, 3000) * WEIR_MS, open_client, connection);
    }
}

/* ---- The verdict ---------------------------------------------------------------------------------- */

static void judge_end(struct world *w, const struct end *end, struct verdict *verdict)
{
    bool may_fail = end->connection->may_fail || w->has_dead_link;

    verdict->bytes += end->received;
    if (!end->exists && may_fail)
        return;
    if (!end->exists || !end->is_gone) {
        world_fail(w, "connection %d, %s: stuck (sent %u of %u, received %u of %u, error %s)",
                   end->connection->id, side_name(end), end->sent, end->to_send, end->received,
                   end->to_receive, weir_strerror(end->error));
        return;
    }
    if (end->error != 0) {
        verdict->errors++;
        if (!may_fail)
            world_fail(w, "connection %d, %s: %s (sent %u of %u, received %u of %u)",
                       end->connection->id, side_name(end), weir_strerror(end->error), end->sent,
                       end->to_send, end->received, end->to_receive);
        return;
    }
    if (end->received != end->to_receive && !may_fail)
        world_fail(w, "connection %d, %s: end of stream after %u of %u bytes", end->connection->id,
                   side_name(end), end->received, end->to_receive);
}

void transfers_judge(struct world *w, struct verdict *verdict)
{
    for (int i = 0; i < w->connection_count; i++)
        for (int side = 0; side < 2; side++)
            judge_end(w, &w->connections[i].ends[side], verdict);
}
