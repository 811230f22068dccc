/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_REPL_H
#define CMD_REPL_REPL_H

/* The prompt of a node, as its parts see it. See repl.c for how it runs. */

#include <cmd/flags.h>
#include <cmd/repl/args.h>
#include <cmd/repl/capturing.h>
#include <cmd/repl/input.h>
#include <cmd/repl/sids.h>
#include <weir/host.h>

/* Event tags that are no SID. */
#define TAG_TEST (UINT64_MAX - 1)  /* the raw socket of the test protocol */
#define TAG_PROBE (UINT64_MAX - 2) /* the echo socket of ping and traceroute */

#define TEST_PROTOCOL 0

struct repl_options {
    bool is_router;
    enum log_level log_level;
    const char *program;
    struct control *control;   /* takes commands from other processes; NULL: nobody does */
    const char *capture;       /* what --capture has begun; NULL: nothing */
    struct recorder *recorder; /* and who writes it; the prompt finishes it */
};

struct control;
struct control_client;
struct terminal;
struct transfer;
struct probe;

struct repl {
    struct weir_host *host;
    struct repl_options options;
    struct sids sids;
    struct transfer *transfers; /* list of all that run */
    struct probe *probe;        /* the ping or traceroute that runs; or NULL */
    struct terminal *terminal;  /* NULL: stdin is no terminal */
    struct input input;         /* of stdin that is no terminal */
    struct control_client
        *asker; /* whose command runs, and gets what it prints; NULL: the prompt's */
    struct capturing capturing; /* the capture that runs (capturing.c) */
    int test_socket;
    int signal_fd;
    bool failed;      /* the command that runs has said why it did not work */
    bool quit;        /* leave the loop now, aborting what lives */
    bool interrupted; /* Ctrl-C: leave the blocked command */
    bool is_mute;     /* standard output takes nothing any more */
};

/* Runs the prompt until it ends; returns the exit status of the program. The host stays the
 * caller's. */
int repl_run(struct weir_host *host, const struct repl_options *options);

/* Waits until something happens and deals with it: events, signals, timers. With `with_input` also
 * returns when a line may be read from stdin; says whether that is so. */
bool repl_step(struct repl *repl, bool with_input);

/* Like repl_step without input, but waits no longer than until `deadline`. */
void repl_step_until(struct repl *repl, weir_time deadline);

/* Like repl_step, but does not wait. */
bool repl_look(struct repl *repl, bool with_input);

/* True as long as a command that blocks may go on waiting. */
static inline bool repl_may_wait(const struct repl *repl)
{
    return !repl->quit && !repl->interrupted;
}

/* Prints one line on stdout, at once; the newline is added. While a line is being edited it is
 * redrawn below. */
void repl_say(struct repl *repl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a line that says why a command did not work: its status is 1. */
void repl_fail(struct repl *repl, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line on stderr if `level` is wanted. */
void repl_log(struct repl *repl, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds a socket to the SID table and watches it. Returns the entry; NULL (and the socket is
 * aborted) if memory is short. */
struct sid *repl_add_socket(struct repl *repl, int socket, enum sid_kind kind);

/* The state that `ls` shows; CLOSED if the stack does not know the socket any more. */
enum weir_tcp_state repl_state(struct repl *repl, const struct sid *sid);

/* Ends what a command had reserved with sid->busy: events that came meanwhile are dealt with. The
 * entry may be gone afterwards. */
void repl_settle(struct repl *repl, struct sid *sid);

/* The connection is over: closes the socket if the application has not, says `Socket N closed`,
 * removes the entry. */
void repl_forget(struct repl *repl, struct sid *sid, bool silent);

/* Deals with one event of the host (dispatch.c). */
void repl_dispatch(struct repl *repl, const struct weir_event *event);

/* Takes all connections of a listener. */
void repl_accept(struct repl *repl, struct sid *listener);

/* Prints the test packets that have arrived. */
void repl_receive_test(struct repl *repl);

/* End of input: finishes what is on its way (finish.c). */
void repl_finish(struct repl *repl);

/* Aborts every connection that lives (finish.c). */
void repl_abort_all(struct repl *repl);

#endif
