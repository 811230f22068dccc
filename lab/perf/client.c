/* SPDX-License-Identifier: MIT */

/* The end that asks for a test, and tells its outcome.
 *
 *   CONNECTING ──control stands──> ASKING ──go──> JOINING ──start──> RUNNING ──all over, done──> OVER
 *                                                                      │
 *                                          time, bytes or Ctrl-C ──────┘ stops the streams
 *
 * One thread does all: it waits in the host, takes the events, and moves what they are about under
 * one hold of the lock, so that what all of it makes due leaves in one go. Sockets are opened after
 * that, since watching them takes the lock.
 *
 * Our own streams stop by our clock, the server's by its own; a direction ends with its FIN, and what
 * counts is what the receiver of a direction has read by then, and when: of what we send, the server
 * tells it in its last line. A first Ctrl-C stops the test as if its time were over, and waits for
 * that line for at most three seconds; a second ends at once.
 *
 * What the streams do in the meantime is in client_streams.c. */

#include <lab/perf/client.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

#define EVENTS_MAX 64
#define LAST_WORD_TIME (3 * WEIR_SECOND)

void client_fail(struct client *client, const char *what, int error)
{
    if (client->phase == OVER)
        return;
    snprintf(client->error, sizeof(client->error), "%s%s%s", what, error ? ": " : "",
             error ? weir_strerror(error) : "");
    client->ended = "error";
    client->phase = OVER;
}

/* ---- The test's course ------------------------------------------------------------------------------ */

static void start(struct client *client, struct weir_stack *stack)
{
    const struct perf_plan *plan = &client->options->plan;
    weir_time now = weir_host_now();

    client->phase = RUNNING;
    client->started = client->last_row = client->last_end = now;
    client->stop_at = plan->duration ? now + plan->duration : WEIR_NEVER;
    client->next_row = client->options->interval ? now + client->options->interval : WEIR_NEVER;
    for (unsigned index = 0; index < client->count; index++) {
        struct perf_stream *stream = &client->streams[index];

        if (plan->mode == PERF_PING_PONG) {
            client_ask(client, index);
        } else {
            stream->budget = perf_plan_budget(plan, index, true);
            stream->is_follower = !perf_plan_sends(plan, index, true);
            stream->keeps_open = false;
        }
        client_move(client, stack, index);
    }
}

/* Tells the server to stop, if it does not know by itself: connections that are under way end first. */
static void say_stop(struct client *client, struct weir_stack *stack)
{
    const struct perf_line line = {.word = PERF_STOP};
    bool is_due = client_is_connect(client) ? !client_has_sockets(client)
                                            : strcmp(client->ended, "interrupt") == 0;

    if (!client->is_stopping || client->has_said_stop || !is_due)
        return;
    client->has_said_stop = true;
    (void)perf_line_send(stack, client->control, &line);
}

/* Nothing new is begun. */
static void stop(struct client *client, struct weir_stack *stack, const char *why)
{
    client->ended = why;
    client->is_stopping = true;
    client->stop_at = WEIR_NEVER;
    for (unsigned index = 0; index < client->count && !client_is_connect(client); index++) {
        perf_stream_stop(&client->streams[index]);
        client_move(client, stack, index);
    }
}

static void take_line(struct client *client, struct weir_stack *stack, const struct perf_line *line)
{
    char text[sizeof(client->error)];

    if (line->word == PERF_NO) {
        snprintf(text, sizeof(text), "the server refuses: %s", line->why);
        client_fail(client, text, 0);
    } else if (line->word == PERF_GO && client->phase == ASKING) {
        client->id = line->id;
        client->phase = JOINING;
        perf_report_begin(&client->report, &client->options->plan, &client->options->server,
                          client->options->profile);
    } else if (line->word == PERF_START && client->phase == JOINING) {
        start(client, stack);
    } else if (line->word == PERF_DONE && client->phase == RUNNING) {
        client->peer = line->tally;
        client->has_peer = true;
    } else {
        client_fail(client, "the server does not keep to the protocol", 0);
    }
}

static void control_event(struct client *client, struct weir_stack *stack)
{
    const struct perf_line hello = {.word = PERF_HELLO, .plan = client->options->plan};
    struct perf_line line;
    int result;

    if (client->phase == CONNECTING) {
        result = client_connected(client, stack, client->control);
        if (result == 0)
            return;
        if (result < 0) {
            client_fail(client, "cannot connect", result);
            return;
        }
        client->phase = ASKING;
        perf_socket_keep_alive(stack, client->control);
        result = perf_line_send(stack, client->control, &hello);
        if (result < 0)
            client_fail(client, "cannot ask", result);
    }
    while (client->phase != OVER && !client->has_peer) {
        result = perf_line_receive(stack, client->control, &client->reader, &line);
        if (result == 0)
            return;
        if (result < 0)
            client_fail(client, "the server has gone", result == WEIR_EPIPE ? 0 : result);
        else
            take_line(client, stack, &line);
    }
}

/* ---- Rows ------------------------------------------------------------------------------------------ */

static void sample(struct client *client, struct weir_stack *stack, struct perf_tally *tally)
{
    for (unsigned index = 0; index < client->count; index++)
        perf_stream_sample(stack, &client->streams[index], weir_host_now());
    perf_tally_streams(client->streams, client->count, tally);
}

static bool is_out(const struct client *client)
{
    return client->options->plan.mode == PERF_BULK || client->options->plan.mode == PERF_BIDIR;
}

static bool is_in(const struct client *client)
{
    return client->options->plan.mode == PERF_REVERSE || client->options->plan.mode == PERF_BIDIR;
}

static void print_rows(struct client *client, struct weir_stack *stack, weir_time now)
{
    struct perf_row row = {.from = client->last_row - client->started, .to = now - client->started};
    const struct perf_tally *before = &client->rows_until;
    struct perf_tally tally = {0};

    sample(client, stack, &tally);
    if (is_out(client)) {
        row.direction = "out";
        row.bytes = tally.sent - before->sent;
        row.retransmissions = tally.retransmissions - before->retransmissions;
        row.rtt = tally.rtt;
        perf_report_row(&client->report, &row);
    }
    if (is_in(client)) {
        row.direction = "in";
        row.bytes = tally.received - before->received;
        row.retransmissions = 0;
        row.rtt = 0;
        perf_report_row(&client->report, &row);
    }
    client->rows_until = tally;
    client->last_row = now;
}

static void print_end(struct client *client)
{
    const struct perf_tally *own = &client->own, *peer = &client->peer;
    struct perf_result result = {
        .ended = client->ended,
        .error = client->error[0] ? client->error : NULL,
        .time = client->last_end - client->started,
    };

    if (is_out(client))
        result.rows[result.row_count++] =
            (struct perf_row){.to = client->has_peer ? peer->time : result.time,
                              .direction = "out",
                              .bytes = client->has_peer ? peer->received : own->sent,
                              .retransmissions = own->retransmissions,
                              .rtt = own->rtt};
    if (is_in(client))
        result.rows[result.row_count++] =
            (struct perf_row){.to = result.time,
                              .direction = "in",
                              .bytes = own->received,
                              .retransmissions = peer->retransmissions,
                              .rtt = peer->rtt};
    if (client->options->plan.mode == PERF_PING_PONG || client_is_connect(client))
        result.latency = &client->latency;
    perf_report_end(&client->report, &client->options->plan, &result);
}

/* ---- Running ---------------------------------------------------------------------------------------- */

static bool is_over(const struct client *client)
{
    return client->has_peer && !client_has_sockets(client) &&
           (client->is_stopping || !client_is_connect(client));
}

static void interrupt(struct client *client, struct weir_stack *stack, int signals, weir_time now)
{
    if (signals == 0)
        return;
    if (client->phase != RUNNING) {
        client_fail(client, "interrupted", 0);
    } else if (signals > 1 || client->give_up_at != WEIR_NEVER) {
        client->phase = OVER;
    } else {
        stop(client, stack, "interrupt");
        client->give_up_at = now + LAST_WORD_TIME;
    }
}

/* What the time demands. */
static void look_at_clock(struct client *client, struct weir_stack *stack, weir_time now)
{
    if (client->phase == RUNNING && now >= client->next_row && !client->is_stopping) {
        print_rows(client, stack, now);
        client->next_row += client->options->interval;
    }
    if (client->phase == RUNNING && now >= client->stop_at)
        stop(client, stack, "time");
    if (now >= client->give_up_at)
        client->phase = OVER;
    if (now >= client->progress + PERF_PATIENCE)
        client_fail(client, "no answer for half a minute", 0);
}

static weir_time deadline(const struct client *client)
{
    weir_time first = client->progress + PERF_PATIENCE;

    if (client->phase == RUNNING && !client->is_stopping && client->next_row < first)
        first = client->next_row;
    if (client->stop_at < first)
        first = client->stop_at;
    return client->give_up_at < first ? client->give_up_at : first;
}

/* One wait, and all that it brought. */
static void turn(struct client *client)
{
    int signals = perf_wait(client->host, client->options->signal_fd, deadline(client));
    struct weir_event events[EVENTS_MAX];
    struct weir_stack *stack;
    int count = 0;
    weir_time now;

    if (signals < 0) {
        client_fail(client, "cannot wait", signals);
        return;
    }
    while (count < EVENTS_MAX && weir_host_next_event(client->host, &events[count]))
        count++;
    stack = weir_host_lock(client->host);
    now = weir_host_now();
    if (count > 0)
        client->progress = now;
    for (int index = 0; index < count && client->phase != OVER; index++) {
        if (events[index].tag == 0)
            control_event(client, stack);
        else
            client_stream_event(client, stack, &events[index]);
    }
    interrupt(client, stack, signals, now);
    look_at_clock(client, stack, now);
    if (client->phase == RUNNING)
        say_stop(client, stack);
    if (client->phase == RUNNING && is_over(client))
        client->phase = OVER;
    weir_host_unlock(client->host);
    client_open_streams(client);
}

static void run(struct client *client)
{
    client->control = client_open_socket(client, 0);
    if (client->control < 0)
        client_fail(client, "cannot connect", client->control);
    while (client->phase != OVER)
        turn(client);
}

/* Closes what is left, and remembers the figures. */
static void finish(struct client *client)
{
    struct weir_stack *stack = weir_host_lock(client->host);

    sample(client, stack, &client->own);
    if (client->last_end == client->started)
        client->last_end = weir_host_now();
    for (unsigned index = 0; index < client->count; index++)
        perf_stream_abort(stack, &client->streams[index]);
    if (client->control >= 0)
        (void)weir_socket_close(stack, client->control);
    weir_host_unlock(client->host);
}

int perf_client(struct weir_host *host, const struct perf_options *options)
{
    struct client *client = calloc(1, sizeof(*client));
    int status;

    if (!client || !(client->bytes = calloc(1, PERF_BUFFER))) {
        free(client);
        fprintf(options->errors, "weir perf: out of memory\n");
        return 1;
    }
    client->host = host;
    client->options = options;
    client->report = (struct perf_report){.out = options->out, .is_json = options->is_json};
    client->progress = weir_host_now();
    client->stop_at = client->next_row = client->give_up_at = WEIR_NEVER;
    client->ended = options->plan.duration ? "time" : "bytes";
    run(client);
    finish(client);
    if (client->id)
        print_end(client);
    if (client->error[0])
        fprintf(options->errors, "weir perf: %s\n", client->error);
    status = client->error[0] ? 1 : 0;
    free(client->bytes);
    free(client);
    return status;
}
