/* SPDX-License-Identifier: MIT */
#ifndef LAB_PERF_PERF_H
#define LAB_PERF_PERF_H

/* Measuring between two nodes: what `weir perf` is made of. The two ends are perf_client and
 * perf_server; what they say to each other is in plan.c, what they print in report.c. */

#include <stdio.h>
#include <weir/host.h>

#define PERF_PORT 5201
#define PERF_PARALLEL_MAX 128u
#define PERF_SIZE_MAX 65536u /* bytes of a ping-pong message */
#define PERF_TIME_MAX (86400 * WEIR_SECOND)
#define PERF_PATIENCE (30 * WEIR_SECOND) /* without any progress a test has failed */

/* X(NAME, "name"). BULK: the client sends; REVERSE: the server does; BIDIR: both, on streams of their
 * own; PING_PONG: messages there and back; CONNECT: connections, one after the other. */
#define PERF_MODES(X)         \
    X(BULK, "bulk")           \
    X(REVERSE, "reverse")     \
    X(BIDIR, "bidir")         \
    X(PING_PONG, "ping-pong") \
    X(CONNECT, "connect")

enum perf_mode {
#define X(name, text) PERF_##name,
    PERF_MODES(X)
#undef X
        PERF_MODE_COUNT
};

const char *perf_mode_name(enum perf_mode mode);
/* Returns 0, or WEIR_EINVAL with *mode untouched. */
int perf_mode_parse(const char *name, enum perf_mode *mode);

/* What is to be measured. */
struct perf_plan {
    enum perf_mode mode;
    unsigned parallel;  /* streams (a direction), 1..PERF_PARALLEL_MAX */
    uint32_t size;      /* ping-pong: bytes of a message, 1..PERF_SIZE_MAX */
    weir_time duration; /* 0: until `bytes` are sent; a whole number of milliseconds */
    uint64_t bytes;     /* of all streams of a direction together; 0: until `duration` is over */
};

/* Within the limits, and with exactly one end. */
bool perf_plan_is_valid(const struct perf_plan *plan);
/* Connections that carry the test. */
unsigned perf_plan_streams(const struct perf_plan *plan);
/* Whether the client (else the server) is the one that sends first on stream `index`; its FIN comes
 * first, too. */
bool perf_plan_sends(const struct perf_plan *plan, unsigned index, bool is_client);
/* What stream `index` has to send, at the client (else the server); UINT64_MAX: no limit. */
uint64_t perf_plan_budget(const struct perf_plan *plan, unsigned index, bool is_client);

/* What one end has seen of a test. */
struct perf_tally {
    weir_time time;           /* from the start to the last end of a stream */
    uint64_t sent, received;  /* bytes that the peer acknowledged; bytes that were read */
    uint64_t retransmissions; /* segments */
    uint64_t operations;      /* connections */
    weir_time rtt;            /* mean of the streams' smoothed ones; 0: none known */
};

/* ---- plan.c: the lines of the control connection ---------------------------------------------- */

#define PERF_LINE 256 /* bytes of the longest line, its newline included */
#define PERF_WHY 128

/* What begins a line; see plan.c for who says it, and when. */
enum perf_word { PERF_HELLO, PERF_GO, PERF_NO, PERF_JOIN, PERF_START, PERF_STOP, PERF_DONE };

struct perf_line {
    enum perf_word word;
    struct perf_plan plan;   /* HELLO */
    uint64_t id;             /* GO, JOIN */
    unsigned index;          /* JOIN: the stream */
    struct perf_tally tally; /* DONE */
    char why[PERF_WHY];      /* NO */
};

/* Takes a line without its newline. Returns 0; WEIR_EINVAL: it is none. Any bytes are allowed. */
int perf_line_parse(const char *text, size_t length, struct perf_line *line);
/* Writes the line with its newline and a 0. Returns its length. */
size_t perf_line_print(const struct perf_line *line, char text[PERF_LINE]);

/* Collects bytes until a line is whole. All zero: empty. */
struct perf_reader {
    char text[PERF_LINE];
    size_t length;
};

/* Where the next bytes go, and how many fit. */
size_t perf_reader_room(struct perf_reader *reader, char **at);
/* Takes the first line off. Returns 1; 0: it is not whole; WEIR_EINVAL: it is none, or too long. */
int perf_reader_take(struct perf_reader *reader, struct perf_line *line);

/* ---- figures.c: durations, counted ------------------------------------------------------------- */

#define PERF_BUCKETS 1184

/* Durations in buckets that are a thirty-second wide, relatively. All zero: none yet. */
struct perf_histogram {
    uint64_t count, counts[PERF_BUCKETS];
    weir_time least, most;
    double sum;
};

void perf_histogram_add(struct perf_histogram *histogram, weir_time duration);
/* The duration that a part `share` (0..1) of all do not exceed, up to 3 % too long; 0: there is none. */
weir_time perf_histogram_quantile(const struct perf_histogram *histogram, double share);
weir_time perf_histogram_mean(const struct perf_histogram *histogram);
/* Bits per second; 0 if no time has passed. */
double perf_rate(uint64_t bytes, weir_time time);

/* ---- report.c: what is printed ------------------------------------------------------------------ */

/* One direction in one stretch of time since the start. */
struct perf_row {
    weir_time from, to;
    const char *direction; /* "out", "in" */
    uint64_t bytes, retransmissions;
    weir_time rtt; /* 0: not known */
};

struct perf_result {
    const char *ended; /* "time", "bytes", "interrupt", "error" */
    const char *error; /* NULL: none */
    struct perf_row rows[2];
    unsigned row_count;
    const struct perf_histogram *latency; /* NULL: not this mode */
    weir_time time;
};

struct perf_report {
    FILE *out;
    bool is_json;
    unsigned rows; /* printed so far */
};

void perf_report_begin(struct perf_report *report, const struct perf_plan *plan,
                       const struct weir_endpoint *peer, const char *profile);
void perf_report_row(struct perf_report *report, const struct perf_row *row);
void perf_report_end(struct perf_report *report, const struct perf_plan *plan,
                     const struct perf_result *result);

/* ---- stream.c: one connection that carries data ------------------------------------------------- */

#define PERF_BUFFER ((size_t)256 * 1024) /* bytes that a program hands over or takes at once */

/* One connection of a test, at either end. */
struct perf_stream {
    int socket;       /* -1: none */
    bool is_echo;     /* each byte that comes is owed back */
    bool is_follower; /* our FIN comes after the peer's */
    bool keeps_open;  /* no FIN when the budget is used up */
    bool has_ended;   /* the peer's FIN has come */
    bool is_shut;     /* ours is queued */
    bool is_over;     /* both have, or the connection has failed */
    uint64_t budget;  /* bytes still to be sent; UINT64_MAX: no limit */
    uint64_t received;
    uint64_t overhead;               /* bytes sent that are no data: the line of the protocol */
    uint64_t acked, retransmissions; /* when perf_stream_sample was called last */
    weir_time rtt;
};

/* Larger buffers than the window, so that a window is on its way while another is being read. */
void perf_socket_tune(struct weir_stack *stack, int socket);

/* Sends and receives what can be, through `bytes` (PERF_BUFFER of them); closes the socket when both
 * directions have ended. Returns 0, or the error that ended the connection, which is aborted. */
int perf_stream_move(struct weir_stack *stack, struct perf_stream *stream, uint8_t *bytes);
/* Takes what is known of the connection, as long as there is one. */
void perf_stream_sample(struct weir_stack *stack, struct perf_stream *stream, weir_time now);
/* Sends nothing more than what is queued. */
void perf_stream_stop(struct perf_stream *stream);
void perf_stream_abort(struct weir_stack *stack, struct perf_stream *stream);

/* Sums of the streams; time and operations are left alone. */
void perf_tally_streams(const struct perf_stream *streams, unsigned count,
                        struct perf_tally *tally);

/* ---- The two ends ------------------------------------------------------------------------------- */

struct perf_options {
    struct perf_plan plan;       /* client */
    struct weir_endpoint server; /* client: where it is; server: its port */
    weir_time interval;          /* client: between rows; 0: only totals */
    const char *profile;         /* for the report */
    bool is_json;
    bool is_once;  /* server: ends after one test */
    int signal_fd; /* readable: the user wants it to end; -1: never */
    FILE *out, *errors;
};

/* Run until the test, or the user, ends it. Return the exit status: 0; 1: it failed, which was said
 * on `errors`. */
int perf_client(struct weir_host *host, const struct perf_options *options);
int perf_server(struct weir_host *host, const struct perf_options *options);

/* ---- shared.c: what both ends do the same way ------------------------------------------------------ */

/* Sends a line; it must fit the send buffer, which it does. Returns 0 or an error. */
int perf_line_send(struct weir_stack *stack, int socket, const struct perf_line *line);
/* The next line from a socket: 1; 0: not yet; WEIR_EINVAL: nonsense; WEIR_EPIPE: the peer has ended
 * it; or the connection's error. */
int perf_line_receive(struct weir_stack *stack, int socket, struct perf_reader *reader,
                      struct perf_line *line);
/* Lets a connection find out that its peer is gone. */
void perf_socket_keep_alive(struct weir_stack *stack, int socket);
/* Waits for events until `deadline`. Returns how many signals came meanwhile; WEIR_E… if the host
 * cannot wait. */
int perf_wait(struct weir_host *host, int signal_fd, weir_time deadline);

#endif
