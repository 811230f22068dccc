/* SPDX-License-Identifier: MIT */
#ifndef LAB_PERF_CLIENT_H
#define LAB_PERF_CLIENT_H

/* What the files of the client share: client.c is the course of a test, client_streams.c what its
 * connections do. */

#include <lab/perf/perf.h>

#define CLIENT_STREAMS_MAX (2 * PERF_PARALLEL_MAX)

enum phase { CONNECTING, ASKING, JOINING, RUNNING, OVER };

struct client {
    struct weir_host *host;
    const struct perf_options *options;
    struct perf_report report;
    enum phase phase;
    int control;
    struct perf_reader reader;
    uint64_t id;
    struct perf_stream streams[CLIENT_STREAMS_MAX];
    bool is_joined[CLIENT_STREAMS_MAX];
    weir_time asked[CLIENT_STREAMS_MAX]; /* when the message, or the connection, was begun */
    uint64_t answer[CLIENT_STREAMS_MAX]; /* ping-pong: bytes received when it will be whole */
    unsigned count;
    bool is_stopping, has_said_stop;
    weir_time started, last_end, stop_at, next_row, progress, give_up_at;
    struct perf_tally rows_until, own, peer; /* at the last row; in the end */
    weir_time last_row;
    bool has_peer; /* the server has said its last word */
    struct perf_histogram latency;
    const char *ended;
    char error[PERF_WHY + 64];
    uint8_t *bytes;
};

static inline bool client_is_connect(const struct client *client)
{
    return client->options->plan.mode == PERF_CONNECT;
}

/* Ends the test, with why; the first reason counts. `error`: a WEIR_E…, or 0. */
void client_fail(struct client *client, const char *what, int error);

/* A socket that connects to the server, watched under `tag`; or an error. Called without the lock. */
int client_open_socket(struct client *client, uint64_t tag);

/* The outcome of that: 1: it stands; 0: not known yet; or why it does not. */
int client_connected(struct client *client, struct weir_stack *stack, int socket);

/* Opens the streams that are missing at present. Called without the lock. */
void client_open_streams(struct client *client);

/* Gives the ping-pong's stream `index` its next message to send, if there is one. */
void client_ask(struct client *client, unsigned index);

/* Lets the stream go on, whatever it waited for. */
void client_move(struct client *client, struct weir_stack *stack, unsigned index);

void client_stream_event(struct client *client, struct weir_stack *stack,
                         const struct weir_event *event);

/* Whether any stream has a socket. */
bool client_has_sockets(const struct client *client);

#endif
