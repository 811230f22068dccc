/* SPDX-License-Identifier: MIT */

/* The executor: the events of a script, one after the other, in virtual time.
 *
 * An inbound packet, a call and an assert wait until their time, and all that the stack does until
 * then happens first. An outbound line waits for a packet. A relative time counts from when the
 * event before it was finished; for an outbound packet that is when it came, or now if it lay in the
 * queue. What the script does itself must not be late by more than the tolerance either, as in the
 * original. After the last event nothing may be left over: no call that still waits and, unless
 * `lenient`, no packet that no line expected.
 *
 * Everything a run holds hangs on struct run; the script, the options and the path are borrowed. */

#include <errno.h>
#include <fcntl.h>
#include <lab/drill/run.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#define READ_SECONDS 10 /* a file that is no file may take so long to come */

/* What the script does itself is late if it had to wait for something: for a packet that came late, or
 * for a call that blocked longer. */
static void check_late(struct run *run, const struct event *event, weir_time at)
{
    weir_time share = (weir_time)((double)(at - run->scheduled) * run->tolerance_percent / 100.0);
    weir_time tolerance = share > run->tolerance ? share : run->tolerance;

    if (run->now > at + tolerance)
        run_fail(run, event, "it is %.6f already, and this should have been at %.6f",
                 (double)(run->now - run->origin) / (double)WEIR_SECOND,
                 (double)(at - run->origin) / (double)WEIR_SECOND);
}

static void do_event(struct run *run, const struct event *event)
{
    weir_time from = event->time == TIME_ABSOLUTE ? run->origin : run->base;
    weir_time at, until;

    if (from - run->origin > RUN_SECONDS_MAX * WEIR_SECOND) {
        run_fail(run, NULL, "more than %d s have passed", RUN_SECONDS_MAX);
        return;
    }
    at = from + event->at;
    until = from + event->until;
    if (event->kind == EVENT_CALL)
        run_finish_pending(run);
    if (event->kind == EVENT_PACKET && !event->packet->inbound) {
        run_outbound(run, event, at, until);
        return;
    }
    world_advance(run, at);
    check_late(run, event, at);
    if (run->ended)
        return;
    if (event->kind == EVENT_PACKET)
        run_inbound(run, event);
    else if (event->kind == EVENT_COMMAND)
        run_command(run, event);
    else if (event->kind == EVENT_CALL)
        run_call(run, event, from + event->call->end);
    else
        run_code(run, event);
}

static void run_event(struct run *run, const struct event *event)
{
    weir_time from = event->time == TIME_ABSOLUTE ? run->origin : run->base;

    losses_note(run);
    do_event(run, event);
    run->scheduled = from + event->at;
}

static void check_leftovers(struct run *run)
{
    char text[WEIR_PACKET_TEXT];

    run_finish_pending(run);
    if (!run->queue || run->options->lenient)
        return;
    if (losses_skip_data(run, NULL, &run->queue->packet))
        return;
    rule_note(run, NULL, "extra", &run->queue->packet);
    run_fail(run, NULL, "at %.6f a packet left that no line expected: %s",
             (double)(run->queue->at - run->origin) / (double)WEIR_SECOND,
             weir_packet_print(&run->queue->packet, text, sizeof(text)));
}

static void execute(struct run *run)
{
    const struct event *event;

    for (event = run->script->events; event && !run->ended; event = event->next) {
        run_event(run, event);
        run->base = run->now;
    }
    if (!run->ended)
        check_leftovers(run);
    run_python(run);
    if (run->verdict == DRILL_FAILED)
        report_state(run);
}

static void set_defaults(struct run *run)
{
    run->origin = run->now = run->base = run->scheduled = WEIR_SECOND;
    run->tolerance = 4000 * WEIR_US;
    run->tolerance_percent = 12.5;
    run->mtu = 1500;
    run->local = weir_addr_from4(0xc0a80001);   /* 192.168.0.1 */
    run->gateway = weir_addr_from4(0xc0a80002); /* 192.168.0.2 */
    run->remote = weir_addr_from4(0xc0000201);  /* 192.0.2.1 */
    run->bind_port = run->connect_port = 8080;
    run->next_port = 40001;
    run->code_socket = -1;
    run->profile = run->options->profile;
}

/* The capture of a script: its path with `_` for `/`, and .pcapng for .pkt. */
static void open_capture(struct run *run)
{
    const struct capture_options options = {.epoch = -run->origin, .stop_fd = -1};
    struct weir_journal *journal;
    const char *path = run->script->path;
    size_t length, i;
    char *name;

    path += strspn(path, "./");
    length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, ".pkt"))
        length -= 4;
    if (asprintf(&name, "%s/%.*s.pcapng", run->options->pcap, (int)length, path) < 0)
        return;
    for (i = strlen(run->options->pcap) + 1; name[i]; i++)
        name[i] = name[i] == '/' ? '_' : name[i];
    run->capture = capture_open(name, &options);
    journal = run->capture ? capture_journal(run->capture) : NULL;
    if (!journal)
        run_fail(run, NULL, "the capture %s: %s", name, strerror(errno));
    else
        capture_name_all(run->capture, 0, run->stack, "");
    weir_stack_set_journal(run->stack, journal, 0);
    free(name);
}

static void close_capture(struct run *run)
{
    int error = capture_close(run->capture);

    if (error < 0)
        run_fail(run, NULL, "the capture: %s", strerror(-error));
}

static void run_script(struct run *run, struct drill_result *result)
{
    set_defaults(run);
    run->report = open_memstream(&run->report_text, &run->report_size);
    run->talk = open_memstream(&run->talk_text, &run->talk_size);
    if (run->report && run->talk) {
        scan_script(run);
        if (!run->ended && !world_create(run))
            run_fail(run, NULL, "no stack could be made with these options");
        if (!run->ended && run->options->pcap)
            open_capture(run);
        if (!run->ended)
            execute(run);
        commands_end(run);
        world_destroy(run);
        close_capture(run);
        code_done(run);
    }
    if (run->talk)
        fclose(run->talk);
    if (run->report)
        fclose(run->report);
    free(run->talk_text);
    result->verdict = run->verdict;
    result->text = run->report_text;
    result->trace_hash = run->hash;
}

void drill_text(const char *path, const char *text, size_t length,
                const struct drill_options *options, struct drill_result *result)
{
    char error[SCRIPT_ERROR_TEXT];
    struct script script;
    struct run *run;

    *result = (struct drill_result){.verdict = DRILL_BROKEN};
    if (script_parse(path, text, length, options->defines, options->define_count, &script, error) <
        0) {
        result->text = strdup(error);
        return;
    }
    run = calloc(1, sizeof(*run));
    if (run) {
        run->script = &script;
        run->options = options;
        run_script(run, result);
    }
    free(run);
    script_done(&script);
}

/* Waits for bytes of what may give none, a FIFO or a terminal, up to the deadline; false: too late. */
static bool wait_for_bytes(int fd, const struct timespec *deadline)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    struct timespec now;
    long long left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left = (deadline->tv_sec - now.tv_sec) * 1000ll + (deadline->tv_nsec - now.tv_nsec) / 1000000;
    if (left > 0 && poll(&poll_fd, 1, (int)left) > 0)
        return true;
    errno = ETIMEDOUT;
    return false;
}

/* All bytes of `fd`, at most SCRIPT_BYTES_MAX + 1 or so, within READ_SECONDS; NULL with errno set. */
static char *read_bytes(int fd, size_t *length)
{
    struct timespec deadline;
    size_t size = 16384;
    char *text = malloc(size), *grown;
    ssize_t got;

    *length = 0;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += READ_SECONDS;
    while (text && wait_for_bytes(fd, &deadline)) {
        got = read(fd, text + *length, size - *length);
        if (got == 0 || *length > SCRIPT_BYTES_MAX)
            return text;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            break;
        *length += got > 0 ? (size_t)got : 0;
        if (*length < size)
            continue;
        size *= 2;
        grown = realloc(text, size);
        if (!grown)
            break;
        text = grown;
    }
    free(text);
    return NULL;
}

/* The whole file; NULL with errno set. Opening does not wait for whoever is to write. */
static char *read_file(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;
    char *text;

    if (fd < 0)
        return NULL;
    text = read_bytes(fd, length);
    error = errno;
    close(fd);
    errno = error;
    return text;
}

void drill_file(const char *path, const struct drill_options *options, struct drill_result *result)
{
    size_t length;
    char *text = read_file(path, &length);

    if (text) {
        drill_text(path, text, length, options, result);
        free(text);
        return;
    }
    *result = (struct drill_result){.verdict = DRILL_BROKEN};
    if (asprintf(&result->text, "%s: %s", path, strerror(errno)) < 0)
        result->text = NULL;
}
