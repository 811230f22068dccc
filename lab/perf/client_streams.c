/* SPDX-License-Identifier: MIT */

/* The client's connections: how they are opened, and what moves on them in each mode.
 *
 * A stream is opened when the test has an id, says its `join` line as soon as it stands, and moves from
 * the server's `start` on; until then its events only open it. Bulk streams are stream.c's matter. Two
 * modes need more:
 *
 *   ping-pong    one message is under way on each stream. `answer` is the count of received bytes with
 *                which its answer is whole; then the time is noted, and the next one asked.
 *   connections  each place of the table holds one connection: open, join, the server's FIN, close.
 *                The place is then free, and is filled anew until the test stops.
 *
 * Sockets are opened without the lock, as watching them takes it: events leave gaps, and
 * client_open_streams fills them after each turn. */

#include <lab/perf/client.h>
#include <weir/error.h>

/* ---- Opening ------------------------------------------------------------------------------------ */

int client_open_socket(struct client *client, uint64_t tag)
{
    struct weir_stack *stack = weir_host_lock(client->host);
    int socket = weir_socket_open(stack, WEIR_TCP, 0), result = socket;

    if (socket >= 0) {
        perf_socket_tune(stack, socket);
        result = weir_socket_connect(stack, socket, &client->options->server, weir_host_now());
        if (result == WEIR_EINPROGRESS)
            result = 0;
    }
    weir_host_unlock(client->host);
    if (result == 0)
        result = weir_host_watch(client->host, socket, tag);
    if (result < 0 && socket >= 0) {
        weir_socket_abort(weir_host_lock(client->host), socket);
        weir_host_unlock(client->host);
    }
    return result < 0 ? result : socket;
}

static unsigned wanted_streams(const struct client *client)
{
    if (client_is_connect(client))
        return client->phase == RUNNING && !client->is_stopping ? client->options->plan.parallel
                                                                : 0;
    return client->phase == JOINING ? perf_plan_streams(&client->options->plan) : 0;
}

void client_open_streams(struct client *client)
{
    unsigned wanted = wanted_streams(client);

    for (unsigned index = 0; index < wanted; index++) {
        struct perf_stream *stream = &client->streams[index];

        if (index < client->count && (stream->socket >= 0 || !client_is_connect(client)))
            continue;
        *stream = (struct perf_stream){.keeps_open = true};
        client->is_joined[index] = false;
        client->asked[index] = weir_host_now();
        stream->socket = client_open_socket(client, index + 1);
        if (index >= client->count)
            client->count = index + 1;
        if (stream->socket < 0) {
            client_fail(client, "cannot open a connection", stream->socket);
            return;
        }
    }
}

/* ---- Streams ------------------------------------------------------------------------------------- */

void client_ask(struct client *client, unsigned index)
{
    struct perf_stream *stream = &client->streams[index];
    const struct perf_plan *plan = &client->options->plan;
    uint64_t left = perf_plan_budget(plan, index, true);

    if (left != UINT64_MAX) {
        uint64_t asked = client->answer[index];

        left = left > asked ? left - asked : 0;
    }
    stream->budget = left < plan->size ? left : plan->size;
    stream->keeps_open = left > 0;
    client->answer[index] += stream->budget;
    client->asked[index] = weir_host_now();
}

static void move_ping_pong(struct client *client, struct weir_stack *stack, unsigned index)
{
    struct perf_stream *stream = &client->streams[index];
    int error = perf_stream_move(stack, stream, client->bytes);

    while (error == 0 && stream->keeps_open && stream->received >= client->answer[index]) {
        perf_histogram_add(&client->latency, weir_host_now() - client->asked[index]);
        client_ask(client, index);
        error = perf_stream_move(stack, stream, client->bytes);
    }
    if (error < 0)
        client_fail(client, "a connection has failed", error);
}

/* A connection that has said its line ends by the server's FIN. */
static void move_connect(struct client *client, struct weir_stack *stack, unsigned index)
{
    struct perf_stream *stream = &client->streams[index];
    uint8_t byte;
    long count = weir_socket_recv(stack, stream->socket, &byte, 1);

    if (count == WEIR_EAGAIN)
        return;
    if (count != 0) {
        client_fail(client, "a connection has failed", count < 0 ? (int)count : WEIR_EINVAL);
        return;
    }
    perf_histogram_add(&client->latency, weir_host_now() - client->asked[index]);
    (void)weir_socket_close(stack, stream->socket);
    stream->socket = -1;
    client->last_end = weir_host_now();
}

void client_move(struct client *client, struct weir_stack *stack, unsigned index)
{
    struct perf_stream *stream = &client->streams[index];
    int error;

    if (stream->socket < 0 || client->phase != RUNNING || !client->is_joined[index])
        return;
    if (client_is_connect(client)) {
        move_connect(client, stack, index);
    } else if (client->options->plan.mode == PERF_PING_PONG) {
        move_ping_pong(client, stack, index);
    } else {
        error = perf_stream_move(stack, stream, client->bytes);
        if (error < 0)
            client_fail(client, "a connection has failed", error);
    }
    if (stream->is_over)
        client->last_end = weir_host_now();
}

int client_connected(struct client *client, struct weir_stack *stack, int socket)
{
    int result = weir_socket_connect(stack, socket, &client->options->server, weir_host_now());

    if (result == WEIR_EALREADY || result == WEIR_EINPROGRESS)
        return 0;
    return result == 0 || result == WEIR_EISCONN ? 1 : result;
}

static void join(struct client *client, struct weir_stack *stack, unsigned index)
{
    const struct perf_line line = {.word = PERF_JOIN, .id = client->id, .index = index};
    struct perf_stream *stream = &client->streams[index];
    char text[PERF_LINE];
    int result = client_connected(client, stack, stream->socket);

    if (result == 0)
        return;
    if (result > 0)
        result = perf_line_send(stack, stream->socket, &line);
    if (result < 0) {
        client_fail(client, "cannot open a connection", result);
        return;
    }
    stream->overhead = perf_line_print(&line, text);
    client->is_joined[index] = true;
}

void client_stream_event(struct client *client, struct weir_stack *stack,
                         const struct weir_event *event)
{
    unsigned index = (unsigned)event->tag - 1;

    if (index >= client->count || client->streams[index].socket != event->socket)
        return; /* the last event of one that is closed */
    if (!client->is_joined[index])
        join(client, stack, index);
    client_move(client, stack, index);
}

bool client_has_sockets(const struct client *client)
{
    for (unsigned index = 0; index < client->count; index++)
        if (client->streams[index].socket >= 0)
            return true;
    return false;
}
