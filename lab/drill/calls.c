/* SPDX-License-Identifier: MIT */

/* Call lines: begin, wait, and compare with what the script says.
 *
 * A line with an end time is a call that blocks: it must not return at once, but at its end, within
 * the tolerance. It is tried again after every step of the stack (world.c), while the script goes
 * on; one at a time, so the next call line first waits for it. A line without an end time must
 * return at once. */

#include <lab/drill/names.h>
#include <lab/drill/run.h>
#include <string.h>

#define LATE_MAX (2 * WEIR_SECOND)

static void check_error(struct run *run, const struct event *event, const struct outcome *outcome)
{
    const char *wanted = event->call->error;
    char text[32];

    if (wanted && !strcmp(wanted, "EWOULDBLOCK"))
        wanted = "EAGAIN";
    if (wanted && !outcome->error)
        run_fail(run, event, "the call did not fail with %s", wanted);
    else if (wanted && strcmp(error_name(outcome->error, text), wanted) != 0)
        run_fail(run, event, "the call failed with %s, expected %s",
                 error_name(outcome->error, text), wanted);
}

static void check_outcome(struct run *run, const struct event *event, const struct outcome *outcome)
{
    int64_t wanted = 0;
    bool is_number = value_int(event->call->result, &wanted);
    char text[32];

    if (outcome->text[0]) {
        run_fail(run, event, "%s", outcome->text);
        return;
    }
    if (is_number && !(outcome->makes_fd && wanted >= 0 && outcome->result >= 0) &&
        outcome->result != wanted)
        run_fail(run, event, "the call returned %lld%s%s, expected %lld",
                 (long long)outcome->result, outcome->error ? " " : "",
                 outcome->error ? error_name(outcome->error, text) : "", (long long)wanted);
    check_error(run, event, outcome);
}

/* As much as for any event, but the share is of how long the call should take. */
static weir_time end_tolerance(const struct run *run)
{
    double length = (double)(run->pending.end - run->pending.started);
    weir_time share = (weir_time)(length * run->tolerance_percent / 100.0);

    return share > run->tolerance ? share : run->tolerance;
}

static void check_end(struct run *run)
{
    const struct attempt *pending = &run->pending;
    weir_time tolerance = end_tolerance(run);

    if (run->now < pending->end - tolerance || run->now > pending->end + tolerance)
        run_fail(run, pending->event, "the call returned at %.6f, expected at %.6f",
                 (double)(run->now - run->origin) / (double)WEIR_SECOND,
                 (double)(pending->end - run->origin) / (double)WEIR_SECOND);
}

void run_try_pending(struct run *run)
{
    const struct event *event = run->pending.event;
    struct outcome outcome;

    if (!event || run->ended)
        return;
    socket_call(run, &run->pending, &outcome);
    if (outcome.would_block)
        return;
    check_outcome(run, event, &outcome);
    check_end(run);
    run->pending.event = NULL;
    world_step(run);
}

void run_finish_pending(struct run *run)
{
    const struct event *event = run->pending.event;

    if (!event || run->ended)
        return;
    world_advance(run, run->pending.end + LATE_MAX > run->now ? run->pending.end : run->now);
    if (run->pending.event)
        world_advance(run, run->pending.end + end_tolerance(run));
    if (run->pending.event)
        run_fail(run, event, "the call has not returned");
}

void run_call(struct run *run, const struct event *event, weir_time end)
{
    struct attempt attempt = {.event = event, .started = run->now, .end = end, .wake = WEIR_NEVER};
    struct outcome outcome;

    report_call(run, event->source);
    if (!socket_call(run, &attempt, &outcome)) {
        run_skip(run, event, "the call %s", event->call->name);
        return;
    }
    if (outcome.would_block && !event->call->blocking) {
        run_fail(run, event, "the call would block, and the line gives no time for its end");
        socket_call_done(&attempt);
    } else if (outcome.would_block) {
        run->pending = attempt;
    } else {
        check_outcome(run, event, &outcome);
        if (event->call->blocking && end > run->now + run_tolerance(run, end))
            run_fail(run, event, "the call returned at once");
    }
    world_step(run);
}
