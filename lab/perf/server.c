/* SPDX-License-Identifier: MIT */

/* The end that waits for tests, one at a time.
 *
 * Every connection begins as a guest, who has five seconds to say one line:
 *
 *   guest ──weir-perf ...──> control of a test, if there is none at present; else it is told `no`
 *     └────join ID INDEX──> stream of the test with that id; in a test of connections it is counted
 *                           and closed at once
 *
 * When all streams have joined, `start` is said and the test runs until each has ended both ways
 * (of connections: until `stop`); then the figures are told on the control connection, and printed.
 *
 *   IDLE ──hello──> JOINING ──all joined──> RUNNING ──all ended──> IDLE
 *
 * Strangers. At most 288 guests are kept, and no more streams than a test needs; what says nothing,
 * something else or too much is aborted, and harms no test. A test whose control connection ends, or
 * on which nothing moves for half a minute, is given up. So whoever reaches the port can keep others
 * waiting by measuring, but not otherwise. */

#include <lab/perf/perf.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

#define GUESTS_MAX (2 * PERF_PARALLEL_MAX + 32)
#define STREAMS_MAX (2 * PERF_PARALLEL_MAX)
#define CONNS_MAX (STREAMS_MAX + GUESTS_MAX + 1)
#define EVENTS_MAX 64
#define BACKLOG 512
#define GUEST_TIME (5 * WEIR_SECOND)
#define LAST_WORD_TIME (3 * WEIR_SECOND)
#define LISTENER_TAG CONNS_MAX

/* What a connection is; PARTING: its last word is said, and its end is waited for. */
enum role { FREE, GUEST, PARTING, CONTROL, STREAM };

struct conn {
    enum role role;
    int socket;
    unsigned stream;    /* STREAM: which */
    weir_time deadline; /* GUEST, PARTING */
    struct perf_reader reader;
};

enum phase { IDLE, JOINING, RUNNING };

struct server {
    struct weir_host *host;
    const struct perf_options *options;
    struct perf_report report;
    int listener;
    struct conn conns[CONNS_MAX];
    unsigned guests, parting;

    enum phase phase;
    struct perf_plan plan;
    struct weir_endpoint client;
    unsigned control; /* of conns */
    uint64_t id;
    struct perf_stream streams[STREAMS_MAX];
    unsigned joined, over;
    weir_time started, last_end, stop_at, progress;
    uint64_t operations;
    bool has_tested, has_failed, is_ending;
    uint8_t *bytes;
};

/* ---- Connections ----------------------------------------------------------------------------------- */

static void set_role(struct server *server, struct conn *conn, enum role role)
{
    bool is_timed = role == GUEST || role == PARTING;

    server->guests -= conn->role == GUEST;
    server->parting -= conn->role == PARTING;
    server->guests += role == GUEST;
    server->parting += role == PARTING;
    conn->role = role;
    conn->deadline = WEIR_NEVER;
    if (is_timed)
        conn->deadline = weir_host_now() + (role == GUEST ? GUEST_TIME : LAST_WORD_TIME);
}

static void drop(struct server *server, struct weir_stack *stack, struct conn *conn)
{
    (void)weir_socket_abort(stack, conn->socket);
    set_role(server, conn, FREE);
}

/* Says the last word; the peer's end, or a few seconds, are waited for. */
static void part(struct server *server, struct weir_stack *stack, struct conn *conn,
                 const struct perf_line *line)
{
    if (perf_line_send(stack, conn->socket, line) != 0 ||
        weir_socket_shutdown(stack, conn->socket, WEIR_SHUT_WR) != 0)
        drop(server, stack, conn);
    else
        set_role(server, conn, PARTING);
}

/* ---- The test ---------------------------------------------------------------------------------------- */

static void print_end(struct server *server, const struct perf_tally *tally, const char *error)
{
    enum perf_mode mode = server->plan.mode;
    const char *ended = server->plan.duration ? "time" : "bytes";
    struct perf_result result = {
        .ended = error ? "error" : ended, .error = error, .time = tally->time};

    if (mode != PERF_BULK && mode != PERF_CONNECT)
        result.rows[result.row_count++] =
            (struct perf_row){.to = tally->time,
                              .direction = "out",
                              .bytes = tally->sent,
                              .retransmissions = tally->retransmissions,
                              .rtt = tally->rtt};
    if (mode != PERF_REVERSE && mode != PERF_CONNECT)
        result.rows[result.row_count++] =
            (struct perf_row){.to = tally->time, .direction = "in", .bytes = tally->received};
    perf_report_end(&server->report, &server->plan, &result);
    if (!server->options->is_json && mode == PERF_CONNECT)
        fprintf(server->options->out, "%llu connections in %.3f s\n",
                (unsigned long long)tally->operations, (double)tally->time / 1e9);
    if (!server->options->is_json && error)
        fprintf(server->options->out, "%s\n", error);
    fflush(server->options->out);
}

/* `error`: what ended it too early, or NULL. */
static void end_test(struct server *server, struct weir_stack *stack, const char *error)
{
    struct perf_line line = {.word = PERF_DONE};
    unsigned streams = perf_plan_streams(&server->plan);

    for (unsigned index = 0; index < CONNS_MAX; index++) {
        struct conn *conn = &server->conns[index];

        if (conn->role == STREAM) {
            perf_stream_abort(stack, &server->streams[conn->stream]);
            set_role(server, conn, FREE);
        }
    }
    perf_tally_streams(server->streams, streams, &line.tally);
    line.tally.operations = server->operations;
    if (server->phase == RUNNING)
        line.tally.time =
            (streams > 0 && !error ? server->last_end : weir_host_now()) - server->started;
    print_end(server, &line.tally, error);
    if (error)
        drop(server, stack, &server->conns[server->control]);
    else
        part(server, stack, &server->conns[server->control], &line);
    server->phase = IDLE;
    server->stop_at = WEIR_NEVER;
    server->has_tested = true;
    server->has_failed = error && !server->is_ending; /* else it was wanted */
}

static void move(struct server *server, struct weir_stack *stack, struct conn *conn)
{
    struct perf_stream *stream = &server->streams[conn->stream];
    int error;

    if (server->phase != RUNNING)
        return;
    error = perf_stream_move(stack, stream, server->bytes);
    if (!stream->is_over)
        return;
    set_role(server, conn, FREE);
    server->last_end = weir_host_now();
    server->over++;
    if (error < 0)
        end_test(server, stack, "a connection has failed");
    else if (server->over == perf_plan_streams(&server->plan))
        end_test(server, stack, NULL);
}

static void move_all(struct server *server, struct weir_stack *stack)
{
    for (unsigned index = 0; index < CONNS_MAX && server->phase == RUNNING; index++)
        if (server->conns[index].role == STREAM)
            move(server, stack, &server->conns[index]);
}

static void start(struct server *server, struct weir_stack *stack)
{
    const struct perf_line line = {.word = PERF_START};
    const struct perf_plan *plan = &server->plan;

    server->phase = RUNNING;
    server->started = server->last_end = weir_host_now();
    server->stop_at = plan->duration && plan->mode != PERF_CONNECT && plan->mode != PERF_PING_PONG
                          ? server->started + plan->duration
                          : WEIR_NEVER;
    (void)perf_line_send(stack, server->conns[server->control].socket, &line);
    for (unsigned index = 0; index < perf_plan_streams(plan); index++) {
        struct perf_stream *stream = &server->streams[index];

        stream->budget = perf_plan_budget(plan, index, false);
        stream->is_echo = plan->mode == PERF_PING_PONG;
        stream->is_follower = !perf_plan_sends(plan, index, false);
    }
    move_all(server, stack);
}

static void stop(struct server *server, struct weir_stack *stack)
{
    server->stop_at = WEIR_NEVER;
    if (server->plan.mode == PERF_CONNECT) {
        end_test(server, stack, NULL);
        return;
    }
    for (unsigned index = 0; index < perf_plan_streams(&server->plan); index++)
        perf_stream_stop(&server->streams[index]);
    move_all(server, stack);
}

/* ---- What a guest says ------------------------------------------------------------------------------- */

/* A number that nobody guesses; 0 if there is no entropy. */
static uint64_t fresh_id(void)
{
    struct weir_stack_config config;
    uint64_t id = 0;

    if (weir_host_seed(&config) == 0)
        memcpy(&id, config.seed, sizeof(id));
    return id;
}

static void hello(struct server *server, struct weir_stack *stack, struct conn *conn,
                  const struct perf_line *said)
{
    struct perf_line line = {.word = PERF_NO, .why = "busy with another test"};

    if (server->phase != IDLE || server->is_ending) {
        part(server, stack, conn, &line);
        return;
    }
    server->id = fresh_id();
    line = (struct perf_line){.word = PERF_GO, .id = server->id};
    if (server->id == 0 || perf_line_send(stack, conn->socket, &line) != 0) {
        drop(server, stack, conn);
        return;
    }
    perf_socket_keep_alive(stack, conn->socket);
    set_role(server, conn, CONTROL);
    server->control = (unsigned)(conn - server->conns);
    server->plan = said->plan;
    server->phase = JOINING;
    server->joined = server->over = 0;
    server->operations = 0;
    for (unsigned index = 0; index < STREAMS_MAX; index++)
        server->streams[index] = (struct perf_stream){.socket = -1};
    (void)weir_socket_remote(stack, conn->socket, &server->client);
    perf_report_begin(&server->report, &server->plan, &server->client, server->options->profile);
    if (perf_plan_streams(&server->plan) == 0)
        start(server, stack);
}

static void join(struct server *server, struct weir_stack *stack, struct conn *conn,
                 const struct perf_line *line)
{
    bool is_ours = server->phase != IDLE && line->id == server->id && conn->reader.length == 0;

    if (is_ours && server->plan.mode == PERF_CONNECT) {
        server->operations++;
        (void)weir_socket_close(stack, conn->socket);
        set_role(server, conn, FREE);
        return;
    }
    if (!is_ours || line->index >= perf_plan_streams(&server->plan) ||
        server->streams[line->index].socket >= 0 || server->phase != JOINING) {
        drop(server, stack, conn);
        return;
    }
    set_role(server, conn, STREAM);
    conn->stream = line->index;
    server->streams[line->index].socket = conn->socket;
    if (++server->joined == perf_plan_streams(&server->plan))
        start(server, stack);
}

static void guest_event(struct server *server, struct weir_stack *stack, struct conn *conn)
{
    struct perf_line line;
    int result = perf_line_receive(stack, conn->socket, &conn->reader, &line);

    if (result == 0)
        return;
    if (result > 0 && line.word == PERF_HELLO)
        hello(server, stack, conn, &line);
    else if (result > 0 && line.word == PERF_JOIN)
        join(server, stack, conn, &line);
    else
        drop(server, stack, conn);
}

static void control_event(struct server *server, struct weir_stack *stack, struct conn *conn)
{
    struct perf_line line;
    int result = perf_line_receive(stack, conn->socket, &conn->reader, &line);

    if (result == 0)
        return;
    if (result > 0 && line.word == PERF_STOP && server->phase == RUNNING)
        stop(server, stack);
    else
        end_test(server, stack, "the client has gone");
}

/* Nothing counts any more but the end: a `stop` may still be on its way. */
static void parting_event(struct server *server, struct weir_stack *stack, struct conn *conn)
{
    long count = weir_socket_recv(stack, conn->socket, server->bytes, PERF_BUFFER);

    if (count == WEIR_EAGAIN || count > 0)
        return; /* what it goes on saying is bounded by its time */
    if (count == 0) {
        (void)weir_socket_close(stack, conn->socket);
        set_role(server, conn, FREE);
    } else {
        drop(server, stack, conn);
    }
}

static void conn_event(struct server *server, struct weir_stack *stack,
                       const struct weir_event *event)
{
    struct conn *conn = &server->conns[event->tag];

    if (conn->role == FREE || conn->socket != event->socket)
        return; /* the last event of one that is closed */
    switch (conn->role) {
    case GUEST:
        guest_event(server, stack, conn);
        break;
    case CONTROL:
        server->progress = weir_host_now();
        control_event(server, stack, conn);
        break;
    case STREAM:
        server->progress = weir_host_now();
        move(server, stack, conn);
        break;
    default:
        parting_event(server, stack, conn);
        break;
    }
}

/* ---- Listening ---------------------------------------------------------------------------------------- */

static struct conn *free_conn(struct server *server)
{
    for (unsigned index = 0; server->guests < GUESTS_MAX && index < CONNS_MAX; index++)
        if (server->conns[index].role == FREE)
            return &server->conns[index];
    return NULL;
}

/* Takes one connection in. False: there is none. */
static bool accept_one(struct server *server)
{
    struct weir_stack *stack = weir_host_lock(server->host);
    int socket = weir_socket_accept(stack, server->listener, NULL);
    struct conn *conn = socket < 0 ? NULL : free_conn(server);

    if (conn) {
        conn->socket = socket;
        conn->reader.length = 0;
        set_role(server, conn, GUEST);
        perf_socket_tune(stack, socket);
    } else if (socket >= 0) {
        (void)weir_socket_abort(stack, socket);
    }
    weir_host_unlock(server->host);
    if (!conn)
        return socket >= 0;
    if (weir_host_watch(server->host, socket, (uint64_t)(conn - server->conns)) != 0) {
        drop(server, weir_host_lock(server->host), conn);
        weir_host_unlock(server->host);
    }
    return true;
}

static int listen_on(struct server *server)
{
    struct weir_stack *stack = weir_host_lock(server->host);
    struct weir_endpoint local = {weir_addr_any4(), server->options->server.port};
    int socket = weir_socket_open(stack, WEIR_TCP, 0);
    int result = socket < 0 ? socket : weir_socket_set(stack, socket, WEIR_SO_REUSEADDR, 1);

    if (result == 0)
        result = weir_socket_bind(stack, socket, &local);
    if (result == 0) {
        perf_socket_tune(stack, socket);
        result = weir_socket_listen(stack, socket, BACKLOG);
    }
    weir_host_unlock(server->host);
    server->listener = socket;
    return result == 0 ? weir_host_watch(server->host, socket, LISTENER_TAG) : result;
}

/* ---- Running ------------------------------------------------------------------------------------------ */

static weir_time deadline(const struct server *server)
{
    weir_time first = server->stop_at;

    if (server->phase != IDLE && server->progress + PERF_PATIENCE < first)
        first = server->progress + PERF_PATIENCE;
    for (unsigned index = 0; server->guests + server->parting > 0 && index < CONNS_MAX; index++)
        if (server->conns[index].role != FREE && server->conns[index].deadline < first)
            first = server->conns[index].deadline;
    return first;
}

static void look_at_clock(struct server *server, struct weir_stack *stack, weir_time now)
{
    for (unsigned index = 0; server->guests + server->parting > 0 && index < CONNS_MAX; index++) {
        struct conn *conn = &server->conns[index];

        if (conn->role != FREE && now >= conn->deadline)
            drop(server, stack, conn);
    }
    if (now >= server->stop_at)
        stop(server, stack);
    if (server->phase != IDLE && now >= server->progress + PERF_PATIENCE)
        end_test(server, stack, "nothing has moved for half a minute");
}

/* One wait, and all that it brought. Returns 0, or the error that keeps the host from waiting. */
static int turn(struct server *server)
{
    int signals = perf_wait(server->host, server->options->signal_fd, deadline(server));
    struct weir_event events[EVENTS_MAX];
    struct weir_stack *stack;
    bool is_called = false;
    int count = 0;

    if (signals < 0)
        return signals;
    while (count < EVENTS_MAX && weir_host_next_event(server->host, &events[count]))
        count++;
    stack = weir_host_lock(server->host);
    if (server->phase == IDLE)
        server->progress = weir_host_now();
    for (int index = 0; index < count; index++) {
        if (events[index].tag == LISTENER_TAG)
            is_called = true;
        else
            conn_event(server, stack, &events[index]);
    }
    look_at_clock(server, stack, weir_host_now());
    server->is_ending |= signals > 0 || (server->options->is_once && server->has_tested);
    if (signals > 0 && server->phase != IDLE)
        end_test(server, stack, "interrupted");
    weir_host_unlock(server->host);
    while (is_called && accept_one(server))
        continue;
    return 0;
}

static int run(struct server *server)
{
    const struct perf_options *options = server->options;
    int error = listen_on(server);

    if (error == 0 && !options->is_json)
        fprintf(options->out, "listening on port %u\n", options->server.port);
    fflush(options->out);
    while (error == 0 && (!server->is_ending || server->parting > 0))
        error = turn(server);
    if (error < 0)
        fprintf(options->errors, "weir perf: port %u: %s\n", options->server.port,
                weir_strerror(error));
    return error < 0 || (options->is_once && server->has_failed) ? 1 : 0;
}

int perf_server(struct weir_host *host, const struct perf_options *options)
{
    struct server *server = calloc(1, sizeof(*server));
    int status;

    if (!server || !(server->bytes = calloc(1, PERF_BUFFER))) {
        free(server);
        fprintf(options->errors, "weir perf: out of memory\n");
        return 1;
    }
    server->host = host;
    server->options = options;
    server->report = (struct perf_report){.out = options->out, .is_json = options->is_json};
    server->stop_at = WEIR_NEVER;
    status = run(server);
    free(server->bytes);
    free(server);
    return status;
}
