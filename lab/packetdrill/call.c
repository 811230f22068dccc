/* SPDX-License-Identifier: MIT */

/* One call of the script, from any thread, and how it waits.
 *
 * lab/linux never blocks: an attempt gives a result or LINUX_WAIT. A call that must wait is put on the
 * list of waiting calls, and its thread sleeps. It is not that thread which tries again: whoever has
 * moved the world (a packet came, a deadline passed) tries all waiting calls itself, under the lock,
 * and leaves the result in the struct call, which lies on the sleeping thread's stack, as do the
 * buffers that the call fills. So a call ends at the very instant at which it can, and in virtual time
 * the same script gives the same packets however the threads are scheduled.
 *
 * The main thread must not wait for what only it could bring about. If a call of its own waits, it
 * lets time pass until that is over, at most MAIN_PATIENCE of the clock; then the call fails with
 * EDEADLK, and a message says so. In real time any waiting thread lets the time pass.
 *
 * And the main thread may wait for the call without being here: packetdrill waits up to a second on
 * a condition of its own until the call has returned, before the next call and when the script is
 * over. Where a kernel runs on meanwhile, virtual time would stand still, and packetdrill would say
 * that the call is still blocked. So a thread whose call ends by itself within OUTSIDE_MAX of the
 * clock (poll, epoll_wait, a lingering close) looks every OUTSIDE_PATIENCE of real time whether the
 * main thread sleeps somewhere else and has not been here since, and then lets the time pass, to the
 * end of its own call and no further. */

#include <errno.h>
#include <lab/packetdrill/adapter.h>
#include <stdio.h>
#include <string.h>

#define MAIN_PATIENCE (150 * WEIR_SECOND)
#define OUTSIDE_PATIENCE (200 * WEIR_MS)
#define OUTSIDE_MAX WEIR_SECOND

/* ---- Waiting calls ------------------------------------------------------------------------------- */

static void finish(struct adapter *adapter, struct call *call, long result)
{
    call->result = result;
    call->is_done = true;
    if (!pthread_equal(call->thread, adapter->main) &&
        adapter->returning_count < ADAPTER_RETURNING_MAX)
        adapter->returning[adapter->returning_count++] = call->thread;
    pthread_cond_broadcast(&adapter->moved);
}

bool call_retry(struct adapter *adapter)
{
    struct call **link = &adapter->waiting;
    bool is_any_done = false;

    while (*link) {
        struct call *call = *link;
        long result = call->attempt(adapter, call);

        if (result == LINUX_WAIT) {
            link = &call->next;
            continue;
        }
        *link = call->next;
        finish(adapter, call, result);
        is_any_done = true;
    }
    return is_any_done;
}

static void remove_waiting(struct adapter *adapter, const struct call *call)
{
    struct call **link = &adapter->waiting;

    while (*link && *link != call)
        link = &(*link)->next;
    if (*link)
        *link = call->next;
}

void call_cancel(struct adapter *adapter)
{
    struct call *call;

    while ((call = adapter->waiting)) {
        adapter->waiting = call->next;
        finish(adapter, call, -ECANCELED);
    }
}

weir_time call_wake(const struct adapter *adapter)
{
    weir_time wake = WEIR_NEVER;
    const struct call *call;

    for (call = adapter->waiting; call; call = call->next) {
        if (call->wait.wake < wake)
            wake = call->wait.wake;
    }
    return wake;
}

/* ---- Making one ---------------------------------------------------------------------------------- */

/* Whether the thread that runs the script sleeps: state S in /proc. */
static bool is_main_asleep(const struct adapter *adapter)
{
    char path[64], line[256] = {0};
    const char *state = NULL;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)adapter->main_tid);
    file = fopen(path, "re");
    if (!file)
        return false;
    if (fgets(line, sizeof(line), file))
        state = strrchr(line, ')');
    fclose(file);
    return state && state[1] == ' ' && state[2] == 'S';
}

/* Virtual time, not the main thread: others move the world, unless the main one waits for us. */
static void wait_for_others(struct adapter *adapter, const struct call *call)
{
    weir_time end = call->wait.wake;
    unsigned entries = adapter->entries;

    adapter_sleep(adapter, end == WEIR_NEVER ? end : clock_monotonic() + OUTSIDE_PATIENCE);
    if (call->is_done || adapter->main_is_inside || adapter->entries != entries ||
        end == WEIR_NEVER || end - adapter->now > OUTSIDE_MAX || !is_main_asleep(adapter))
        return;
    while (!call->is_done && clock_step(adapter, end))
        continue;
}

static void wait_for_result(struct adapter *adapter, struct call *call)
{
    bool is_main = pthread_equal(call->thread, adapter->main);
    weir_time limit = is_main ? adapter->now + MAIN_PATIENCE : WEIR_NEVER;

    while (!call->is_done) {
        if (!is_main && !adapter->flags.is_real) {
            wait_for_others(adapter, call);
        } else if (!clock_step(adapter, limit) && !call->is_done) {
            remove_waiting(adapter, call);
            call->result = -EDEADLK;
            adapter_complain("a call of the script's main thread waits for ever");
            return;
        }
    }
}

static long make(struct adapter *adapter, struct call *call)
{
    struct call **last = &adapter->waiting;
    long result = netdev_open(adapter);

    if (result < 0)
        return result;
    call->thread = pthread_self();
    linux_set_now(adapter->sockets, adapter->now);
    result = call->attempt(adapter, call);
    if (result == LINUX_WAIT) {
        while (*last)
            last = &(*last)->next;
        *last = call;
    }
    netdev_step(adapter);
    if (result == LINUX_WAIT) {
        wait_for_result(adapter, call);
        result = call->result;
    }
    return result;
}

long call_make(struct adapter *adapter, struct call *call)
{
    long result = -EINVAL;

    if (adapter_enter(adapter)) {
        result = make(adapter, call);
        adapter_leave(adapter);
    }
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}
