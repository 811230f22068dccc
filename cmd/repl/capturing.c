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
 * Its end is told to who asked for it, over the control socket too, and always at the prompt, where
 * others may wait to hear of it (weir extcap does).
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
    repl->capturing.is_stopping = repl->capturing.has_ended = false;
    repl->capturing.path = args_printable(path, strlen(path));
}

bool capturing_is_to(const struct repl *repl, const char *path)
{
    char *shown = args_printable(path, strlen(path));
    bool is_same = shown && repl->capturing.recorder && repl->capturing.path &&
                   strcmp(shown, repl->capturing.path) == 0;

    free(shown);
    return is_same;
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
        repl_fail(repl, "error: capture: %s is being written", path_of(repl));
        return;
    }
    recorder = recorder_start(repl->host, path, error);
    if (!recorder) {
        repl_fail(repl, "error: %s", error);
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

static void say_end(struct repl *repl, int error, const struct capture_counts *counts)
{
    if (error)
        repl_fail(repl, "error: capture: %s: %s", path_of(repl), reason(error));
    say_counts(repl, counts);
}

/* At the prompt, whoever's command runs. */
static void say_end_there(struct repl *repl, int error, const struct capture_counts *counts)
{
    struct control_client *asker = repl->asker;
    bool failed = repl->failed;

    repl->asker = NULL;
    say_end(repl, error, counts);
    repl->asker = asker;
    repl->failed = failed;
}

static void finish(struct repl *repl, bool is_asked)
{
    struct capture_counts counts;
    int error = recorder_finish(repl->capturing.recorder, &counts);

    repl->capturing.recorder = NULL;
    if (is_asked)
        say_end(repl, error, &counts);
    if (!is_asked || repl->asker)
        say_end_there(repl, error, &counts);
    free(repl->capturing.path);
    repl->capturing.path = NULL;
}

void capturing_ended(struct repl *repl)
{
    repl->capturing.has_ended = true;
    if (repl->capturing.recorder && !repl->capturing.is_stopping)
        finish(repl, false);
}

void capturing_stop(struct repl *repl, bool with_steps)
{
    if (!repl->capturing.recorder)
        return;
    recorder_stop(repl->capturing.recorder);
    repl->capturing.is_stopping = true;
    while (with_steps && !repl->capturing.has_ended && !repl->quit)
        repl_step(repl, false);
    finish(repl, true);
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
