/* SPDX-License-Identifier: MIT */

/* The prompt: one thread, one loop.
 *
 * repl_step is the only place that waits. It hands the host the descriptors of the prompt (stdin,
 * signals) and the earliest timer of the parts that have one (transfers, ping, the terminal's
 * progress), and afterwards deals with whatever came: socket events go to dispatch.c, a signal sets
 * a flag, a timer calls its owner. Everything else is built from steps:
 *
 *   - the main loop takes a line (steps until one is there) and runs its command;
 *   - a command that blocks (`c`, `s`, `r`, `ping`) steps without input until it is done, so the
 *     node lives on while it waits;
 *   - accepting, `sf` and `rf` never wait: they are moved by the events of their sockets.
 *
 * Commands also come over the control socket (control.c), if there is one: the loop takes them when it
 * waits at its prompt, one at a time, and what they print goes to who has asked. Events that are dealt
 * with while such a command blocks are still the prompt's. With a control socket the end of an input
 * that is no terminal does not end the node.
 *
 * Signals come through a descriptor. On a terminal SIGINT sets `interrupted`, which ends a blocked
 * command, or, at an empty prompt, the node; otherwise, and for SIGTERM and SIGHUP always, it means
 * `exit`. SIGPIPE is ignored: a node whose output nobody reads any more ends.
 *
 * stdout is written with one write a line and no buffer between, so that a reader sees each event
 * when it happens.
 */

#include <cmd/repl/commands.h>
#include <cmd/repl/control.h>
#include <cmd/repl/probe.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/terminal.h>
#include <cmd/repl/transfer.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* ---- Output ------------------------------------------------------------------------------------ */

/* Writes all of it; false if nobody reads. */
static bool write_all(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t count = write(fd, text, length);

        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            text += count;
            length -= (size_t)count;
        }
    }
    return true;
}

static void write_line(struct repl *repl, char *line, size_t length)
{
    line[length] = '\n'; /* in place of the terminator */
    if (repl->asker) {
        control_print(repl->asker, line, length + 1);
        return;
    }
    if (repl->options.control)
        control_event(repl->options.control, line, length + 1);
    if (repl->terminal)
        terminal_hide(repl->terminal);
    if (!write_all(STDOUT_FILENO, line, length + 1)) {
        repl->quit = true;
        repl->is_mute = true;
    }
    if (repl->terminal)
        terminal_show(repl->terminal);
}

static void say(struct repl *repl, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void say(struct repl *repl, const char *format, va_list args)
{
    char small[512];
    char *line = small;
    va_list again;
    int length;

    va_copy(again, args);
    length = vsnprintf(small, sizeof small, format, args);
    if (length >= (int)sizeof small) {
        line = malloc((size_t)length + 1);
        if (line)
            vsnprintf(line, (size_t)length + 1, format, again);
    }
    va_end(again);
    if (line && length >= 0)
        write_line(repl, line, (size_t)length);
    if (line != small)
        free(line);
}

void repl_say(struct repl *repl, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(repl, format, args);
    va_end(args);
}

void repl_fail(struct repl *repl, const char *format, ...)
{
    va_list args;

    repl->failed = true;
    va_start(args, format);
    say(repl, format, args);
    va_end(args);
}

void repl_log(struct repl *repl, enum log_level level, const char *format, ...)
{
    va_list args;

    if (level > repl->options.log_level)
        return;
    fprintf(stderr, "%s: ", repl->options.program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- The loop ---------------------------------------------------------------------------------- */

static void take_signal(struct repl *repl)
{
    struct signalfd_siginfo info;

    if (read(repl->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGINT && repl->terminal)
        repl->interrupted = true;
    else
        repl->quit = true;
}

static weir_time next_alarm(struct repl *repl)
{
    weir_time probe = probe_deadline(repl);
    weir_time terminal = repl->terminal ? terminal_deadline(repl->terminal) : WEIR_NEVER;

    return probe < terminal ? probe : terminal;
}

static void run_alarms(struct repl *repl)
{
    weir_time now = weir_host_now();

    if (probe_deadline(repl) <= now)
        probe_expire(repl, now);
    if (repl->terminal && terminal_deadline(repl->terminal) <= now)
        terminal_expire(repl->terminal, now);
}

/* What happened meanwhile is told at the prompt, whoever's command runs. */
static void take_events(struct repl *repl)
{
    struct control_client *asker = repl->asker;
    bool failed = repl->failed;
    struct weir_event event;

    repl->asker = NULL;
    while (weir_host_next_event(repl->host, &event))
        repl_dispatch(repl, &event);
    run_alarms(repl);
    repl->asker = asker;
    repl->failed = failed;
}

static bool step(struct repl *repl, bool with_input, weir_time timeout)
{
    struct control *control = repl->options.control;
    struct pollfd fds[4] = {{repl->signal_fd, POLLIN, 0},
                            {control ? control_fd(control) : -1, POLLIN, 0},
                            {capturing_fd(repl), POLLIN, 0},
                            {STDIN_FILENO, POLLIN, 0}};

    weir_host_wait(repl->host, fds, with_input ? 4 : 3, timeout);
    take_events(repl);
    if (fds[0].revents)
        take_signal(repl);
    if (fds[1].revents && control_serve(control) && repl->asker)
        repl->interrupted = true;
    if (fds[2].revents)
        capturing_ended(repl);
    return with_input && fds[3].revents;
}

/* How long until `deadline`; 0: it is past. */
static weir_time time_left(weir_time deadline)
{
    weir_time now = weir_host_now();

    if (deadline == WEIR_NEVER)
        return WEIR_NEVER;
    return deadline > now ? deadline - now : 0;
}

/* Runs one command of a control client, if one waits. */
static void run_controlled(struct repl *repl)
{
    char *line;

    if (!repl->options.control || repl->quit || repl->interrupted)
        return;
    repl->asker = control_next(repl->options.control, &line);
    if (!repl->asker)
        return;
    repl->failed = false;
    if (*line == '.')
        repl->failed = control_request(repl->asker, line) != 0;
    else
        command_run(repl, line);
    control_finish(repl->asker, repl->failed ? 1 : 0);
    repl->asker = NULL;
    repl->interrupted = false; /* that was for this command */
}

/* At the prompt: waits, and serves the control socket. Says whether stdin, if that is asked for, can
 * be read. */
static bool idle(struct repl *repl, bool with_stdin)
{
    bool has_line = repl->options.control && control_has_line(repl->options.control);
    bool result = step(repl, with_stdin, has_line ? 0 : time_left(next_alarm(repl)));

    run_controlled(repl);
    return result;
}

bool repl_step(struct repl *repl, bool with_input)
{
    if (with_input)
        return idle(repl, true);
    return step(repl, false, time_left(next_alarm(repl)));
}

void repl_step_until(struct repl *repl, weir_time deadline)
{
    weir_time alarm = next_alarm(repl);

    step(repl, false, time_left(alarm < deadline ? alarm : deadline));
}

bool repl_look(struct repl *repl, bool with_input)
{
    return step(repl, with_input, 0);
}

/* ---- Lines ------------------------------------------------------------------------------------- */

/* Regular files (and /dev/null) cannot be waited for: they are always ready. */
static bool can_wait_for(int fd)
{
    struct epoll_event event = {EPOLLIN, {0}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    bool yes = epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;

    if (epoll >= 0)
        close(epoll);
    return yes;
}

/* The next line of stdin that is no terminal; NULL: end of input, or the node shall quit. */
static char *plain_line(struct repl *repl, bool waitable)
{
    char *line;

    while (!repl->quit) {
        switch (input_next(&repl->input, &line)) {
        case INPUT_LINE:
            repl_look(repl, false);
            return line;
        case INPUT_END:
            return NULL;
        case INPUT_TOO_LONG:
            repl_fail(repl, "error: line too long, or not text");
            break;
        case INPUT_MORE:
            if (!waitable || repl_step(repl, true)) {
                if (input_fill(&repl->input))
                    return NULL;
            }
            break;
        }
    }
    return NULL;
}

static void run_plain(struct repl *repl)
{
    bool waitable = can_wait_for(STDIN_FILENO);
    char *line;

    while ((line = plain_line(repl, waitable)))
        command_run(repl, line);
    while (repl->options.control && !repl->quit)
        idle(repl, false);
}

static void run_terminal(struct repl *repl)
{
    char *line;

    while (!repl->quit && (line = terminal_line(repl->terminal)))
        command_run(repl, line);
}

/* ---- Beginning and end ------------------------------------------------------------------------- */

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -1;
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The socket of the test protocol. */
static void open_test_socket(struct repl *repl)
{
    struct weir_stack *stack = weir_host_lock(repl->host);

    repl->test_socket = weir_socket_open(stack, WEIR_RAW, TEST_PROTOCOL);
    weir_host_unlock(repl->host);
    if (repl->test_socket >= 0)
        weir_host_watch(repl->host, repl->test_socket, TAG_TEST);
    else
        repl_log(repl, LOG_ERROR, "test protocol: %s", weir_strerror(repl->test_socket));
}

int repl_run(struct weir_host *host, const struct repl_options *options)
{
    struct repl repl;

    memset(&repl, 0, sizeof repl);
    repl.host = host;
    repl.options = *options;
    repl.signal_fd = open_signals();
    input_init(&repl.input, STDIN_FILENO);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        repl.terminal = terminal_create(&repl);
    open_test_socket(&repl);
    capturing_adopt(&repl);
    if (repl.terminal)
        run_terminal(&repl);
    else
        run_plain(&repl);
    if (!repl.quit)
        repl_finish(&repl);
    repl_abort_all(&repl);
    capturing_stop(&repl, false);
    terminal_destroy(repl.terminal);
    transfers_done(&repl);
    sids_done(&repl.sids);
    input_done(&repl.input);
    if (repl.signal_fd >= 0)
        close(repl.signal_fd);
    return repl.is_mute ? 1 : 0;
}
