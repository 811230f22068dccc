/* SPDX-License-Identifier: MIT */

/* The capture that runs on this node.
 *
 * A recorder (lab/recorder.h) does the work in a thread of its own; here it is begun, ended and
 * spoken of. It may end by itself: the disk is full, the reader of a FIFO has gone. Its descriptor is
 * one that repl_step waits for, so that is told at once, and the node goes on without it.
 *
 * `capture off` must not stop the node while the rest is written: it steps until the descriptor says
 * that the file is closed, as commands that block do. At the end of the node there is nothing left to
 * step for, and finishing simply waits; its grace bounds that.
 *
 * Invariant: recorder and path are both there or both NULL. */

#include <cmd/repl/repl.h>
#include <errno.h>
#include <lab/recorder.h>
#include <stdlib.h>
#include <string.h>

static void take(struct repl *repl, struct recorder *recorder, const char *path)
{
    repl->capturing.recorder = recorder;
    repl->capturing.path = args_printable(path, strlen(path));
}

static const char *path_of(const struct repl *repl)
{
    return repl->capturing.path ? repl->capturing.path : "";
}

void capturing_adopt(struct repl *repl)
{
    if (repl->options.recorder)
        take(repl, repl->options.recorder, repl->options.capture);
}

void capturing_start(struct repl *repl, const char *path)
{
    char error[RECORDER_ERROR_TEXT];
    struct recorder *recorder;

    if (repl->capturing.recorder) {
        repl_say(repl, "error: capture: %s is being written", path_of(repl));
        return;
    }
    recorder = recorder_start(repl->host, path, error);
    if (!recorder) {
        repl_say(repl, "error: %s", error);
        return;
    }
    take(repl, recorder, path);
    repl_say(repl, "Capturing to %s", path_of(repl));
}

static void say_counts(struct repl *repl, const struct capture_counts *counts)
{
    if (counts->missed)
        repl_say(repl, "Captured %llu packets, %llu bytes, in %s; %llu packets missing",
                 (unsigned long long)counts->packets, (unsigned long long)counts->bytes,
                 path_of(repl), (unsigned long long)counts->missed);
    else
        repl_say(repl, "Captured %llu packets, %llu bytes, in %s",
                 (unsigned long long)counts->packets, (unsigned long long)counts->bytes,
                 path_of(repl));
}

static const char *reason(int error)
{
    switch (error) {
    case -EPIPE:
        return "nobody reads any more";
    case -ETIMEDOUT:
        return "the rest was not read in time";
    case -ECANCELED:
        return "nobody came to read";
    default:
        return strerror(-error);
    }
}

static void finish(struct repl *repl)
{
    struct capture_counts counts;
    int error = recorder_finish(repl->capturing.recorder, &counts);

    repl->capturing.recorder = NULL;
    if (error)
        repl_say(repl, "error: capture: %s: %s", path_of(repl), reason(error));
    say_counts(repl, &counts);
    free(repl->capturing.path);
    repl->capturing.path = NULL;
}

void capturing_ended(struct repl *repl)
{
    if (repl->capturing.recorder)
        finish(repl);
}

void capturing_stop(struct repl *repl, bool with_steps)
{
    if (!repl->capturing.recorder)
        return;
    recorder_stop(repl->capturing.recorder);
    while (with_steps && repl->capturing.recorder && !repl->quit)
        repl_step(repl, false);
    capturing_ended(repl);
}

void capturing_tell(struct repl *repl)
{
    struct capture_counts counts;

    if (!repl->capturing.recorder) {
        repl_say(repl, "No capture");
        return;
    }
    recorder_counts(repl->capturing.recorder, &counts);
    say_counts(repl, &counts);
}

int capturing_fd(const struct repl *repl)
{
    return repl->capturing.recorder ? recorder_fd(repl->capturing.recorder) : -1;
}
