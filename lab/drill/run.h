/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_RUN_H
#define LAB_DRILL_RUN_H

/* One script being executed: what the files of the executor share. */

#include <lab/drill/drill.h>
#include <lab/drill/eval.h>
#include <lab/drill/options.h>
#include <lab/linux/linux.h>
#include <lab/capture.h>
#include <stdio.h>
#include <weir/inspect.h>
#include <weir/links.h>

#define RUN_FDS_MAX 256
#define RUN_CONNS_MAX 256
#define RUN_SECONDS_MAX 100000000 /* a script lasts at most this long, in virtual time */
#define RUN_STEPS_MAX 1000000u    /* polls of the stack in one script */
#define RUN_PACKETS_MAX 200000u   /* packets that nobody has looked at yet */

/* A packet that the stack sent. */
struct seen {
    struct seen *next;
    weir_time at;
    struct weir_packet packet; /* its pointers lead into bytes */
    size_t length;
    uint8_t bytes[];
};

/* One 4-tuple, and what translates the script's numbers into those on the wire. */
struct drill_conn {
    uint16_t lport, rport;
    bool has_local_isn, has_remote_isn;
    uint32_t local_isn, local_script_isn, remote_isn;
    bool talk_has_isn; /* the same for the report, known as soon as the stack sent it */
    uint32_t talk_isn;
    int socket; /* the stack's; -1: not known yet */
};

struct drill_fd {
    bool used;
    int number; /* the script's */
    int fd;     /* lab/linux's */
};

struct marshal;

/* A call that has begun. */
struct attempt {
    const struct event *event; /* NULL: none is pending */
    weir_time started, end;    /* `end`: when it must return */
    weir_time wake;            /* try again at this time at the latest */
    struct marshal *call;      /* its arguments; NULL: not made yet */
};

/* What a call did. */
struct outcome {
    bool would_block;
    int64_t result; /* -1: see `error` */
    int error;      /* -errno or 0 */
    bool makes_fd;
    char text[160]; /* what else is wrong; empty: nothing */
};

struct run {
    const struct script *script;
    const struct drill_options *options;
    struct weir_hub *hub;
    struct weir_stack *stack;
    struct linux_sockets *sockets;
    weir_time origin, now, base; /* start of the script; now; when the last event finished */
    weir_time scheduled;         /* when the last event should have been */
    weir_time tolerance;
    double tolerance_percent;
    uint32_t mtu;
    struct weir_addr local, remote, gateway;
    uint16_t bind_port, connect_port, next_port;
    struct seen *queue, **queue_end;
    unsigned queued, steps;
    struct drill_fd fds[RUN_FDS_MAX];
    struct drill_conn conns[RUN_CONNS_MAX];
    unsigned conn_count;
    struct drill_conn *current; /* "the socket under test"; NULL: none yet */
    bool fresh_listener;        /* the next inbound segment makes a new connection */
    uint16_t listen_port;
    int code_socket;
    struct attempt pending;
    struct eval_variables variables;
    FILE *code; /* for python3; NULL: nothing yet */
    char *code_text;
    size_t code_size;
    bool needs_python;
    struct capture *capture; /* NULL: none */
    enum weir_profile profile;
    bool strict_segments;
    struct weir_packet last_inbound; /* protocol 0: none; its pointers are void */
    const char *rule;                /* of an RFC that a failure offends; NULL: none is known */
    const struct event *failed;
    struct weir_stack_config config;    /* what the stack is or will be made with */
    struct linux_config linux_config;   /* and the calls on top of it */
    const char *init_scripts;           /* --init_scripts; NULL: none */
    uint32_t sent_end;                  /* of what lines have taken so far, on the wire */
    bool has_lost, may_sack, has_small; /* see losses.c */
    bool has_initialised;               /* init commands have had their turn */
    enum drill_verdict verdict;
    bool ended; /* the verdict is final */
    FILE *report, *talk;
    char *report_text, *talk_text;
    size_t report_size, talk_size;
    uint64_t hash;
};

/* report.c: both end the run; the first one counts. */
void run_fail(struct run *run, const struct event *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void run_skip(struct run *run, const struct event *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* `packet` NULL: the bytes cannot be taken apart. */
void report_packet(struct run *run, char direction, const struct weir_packet *packet,
                   const uint8_t *bytes, size_t length);
void report_call(struct run *run, const char *text);
/* After run_fail: the rule, the conversation, the state and the plan. */
void report_state(struct run *run);

/* rules.c: notes the rule that applies when `field` of a packet differs, or it is "missing", "time"
 * or "extra" (`line` NULL). Before run_fail; the first note counts. */
void rule_note(struct run *run, const struct packet_line *line, const char *field,
               const struct weir_packet *packet);

/* world.c */
bool world_create(struct run *run);
void world_destroy(struct run *run);
/* Lets time pass up to `until`, with all that happens on the way. */
void world_advance(struct run *run, weir_time until);
/* Lets time pass until the stack has sent something or `limit`; true if a packet is there. */
bool world_wait_packet(struct run *run, weir_time limit, struct drill_conn *conn);
/* What is due now. */
void world_step(struct run *run);
void world_inject(struct run *run, const uint8_t *bytes, size_t length);
/* The oldest packet of `conn` (NULL: that is not TCP; a later fragment is not), taken off the queue if `take`. */
struct seen *world_packet(struct run *run, const struct drill_conn *conn, bool take);

/* scan.c: skips scripts that need what is not there. */
void scan_script(struct run *run);

/* commands.c: what stands in back-quotes. The first fills run->config, with the init command, and
 * skips the run if any command of the script is not understood; the last does the cleanup. */
void commands_begin(struct run *run);
void run_command(struct run *run, const struct event *event);
void commands_end(struct run *run);

/* conns.c */
struct drill_conn *conn_add(struct run *run, uint16_t lport, uint16_t rport);
struct drill_conn *conn_find(struct run *run, uint16_t lport, uint16_t rport);
int conn_socket(struct run *run, struct drill_conn *conn);

/* inject.c */
void run_inbound(struct run *run, const struct event *event);
/* compare.c: fails the run if they differ. */
void compare_packet(struct run *run, const struct event *event, struct drill_conn *conn,
                    const struct seen *seen);
/* packets.c */
void run_outbound(struct run *run, const struct event *event, weir_time at, weir_time until);
weir_time run_tolerance(const struct run *run, weir_time expected);

/* calls.c */
void run_call(struct run *run, const struct event *event, weir_time end);
void run_try_pending(struct run *run);
void run_finish_pending(struct run *run);
/* sockets.c: one attempt at the call of `attempt`. False: nobody knows this call. */
bool socket_call(struct run *run, struct attempt *attempt, struct outcome *outcome);
bool socket_call_known(const char *name);
/* Forgets a call that waits. */
void socket_call_done(struct attempt *attempt);
/* marshal.c: the number that a value means. */
bool value_int(const struct value *value, int64_t *number);
struct drill_fd *fd_find(struct run *run, int64_t number);
struct drill_fd *fd_add(struct run *run, int64_t number, int fd);

/* losses.c. Before each event: has the connection under test lost anything? */
void losses_note(struct run *run);
/* Skips the run if what `event` (NULL: the end) found wrong hangs on how Linux sends after a
 * loss. */
bool losses_skip(struct run *run, const struct event *event);
/* An outbound line has taken this segment. */
void losses_taken(struct run *run, const struct weir_packet *packet);
/* The same as losses_skip if new data is in question, by the line or by `packet`, which came (NULL: none). */
bool losses_skip_data(struct run *run, const struct event *event, const struct weir_packet *packet);

/* code.c */
void run_code(struct run *run, const struct event *event);
/* After the last event: what only python3 can read. */
void run_python(struct run *run);
void code_done(struct run *run);

#endif
