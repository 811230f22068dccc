/* SPDX-License-Identifier: MIT */

/* The life of an adapter, its lock, and who is inside.
 *
 * packetdrill has two threads: the main one runs the script, the other makes the calls that the script
 * marks as blocking. One mutex guards everything; whoever is inside holds it, but while it waits. All
 * waiting is for one condition variable, `moved`, which is signalled when a call is done, when a
 * thread is back with its result, when the next deadline has become earlier than what the sleepers
 * have set their alarm for, and at the end. There are at most a few sleepers, so that waking all of
 * them costs nothing, and a thread that waits sleeps in the kernel: packetdrill looks for the state S
 * in /proc to see that a call blocks.
 *
 * Commands of the script are run by packetdrill itself, between two calls of the main thread, and may
 * change settings. Nothing tells of them, but that a process was started and has ended takes longer than
 * COMMAND_TIME_MIN: after so much time outside the settings are read again.
 *
 * `users` counts the threads inside. The end ends their calls (ECANCELED) and waits for them to leave.
 *
 * Messages go to stderr and begin with weir-packetdrill:; they are about the adapter's own trouble. */

#include <errno.h>
#include <lab/packetdrill/adapter.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_TIME_MIN (200 * WEIR_US)

void adapter_complain(const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "weir-packetdrill: %s\n", text);
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* False, with errno set: the capture that the flags ask for cannot be written. */
static bool open_capture(struct adapter *adapter)
{
    const struct capture_options options = {.epoch = adapter->wall, .stop_fd = -1};

    if (adapter->flags.pcap[0])
        adapter->capture = capture_open(adapter->flags.pcap, &options);
    return !adapter->flags.pcap[0] || adapter->capture;
}

struct adapter *adapter_create(const struct so_flags *flags)
{
    struct adapter *adapter = calloc(1, sizeof(*adapter));

    if (!adapter) {
        adapter_complain("memory is short");
        return NULL;
    }
    adapter->flags = *flags;
    clock_init(adapter);
    if (!open_capture(adapter)) {
        adapter_complain("%s: %s", flags->pcap, strerror(errno));
        free(adapter);
        return NULL;
    }
    adapter->main = pthread_self();
    adapter->main_tid = (pid_t)syscall(SYS_gettid);
    adapter->queue_end = &adapter->queue;
    pthread_mutex_init(&adapter->lock, NULL);
    init_condition(&adapter->moved);
    return adapter;
}

void adapter_destroy(struct adapter *adapter)
{
    int error;

    pthread_mutex_lock(&adapter->lock);
    adapter->is_stopping = true;
    call_cancel(adapter);
    pthread_cond_broadcast(&adapter->moved);
    while (adapter->users > 0)
        pthread_cond_wait(&adapter->moved, &adapter->lock);
    pthread_mutex_unlock(&adapter->lock);
    netdev_close(adapter);
    error = capture_close(adapter->capture);
    if (error < 0)
        adapter_complain("%s: %s", adapter->flags.pcap, strerror(-error));
    pthread_cond_destroy(&adapter->moved);
    pthread_mutex_destroy(&adapter->lock);
    free(adapter);
}

/* The calling thread had a result to take home, and is back: time may go on. */
static void note_return(struct adapter *adapter)
{
    unsigned i;

    for (i = 0; i < adapter->returning_count; i++) {
        if (!pthread_equal(adapter->returning[i], pthread_self()))
            continue;
        adapter->returning[i] = adapter->returning[--adapter->returning_count];
        pthread_cond_broadcast(&adapter->moved);
        return;
    }
}

static void leave(struct adapter *adapter)
{
    adapter->users--;
    if (adapter->is_stopping)
        pthread_cond_broadcast(&adapter->moved);
    pthread_mutex_unlock(&adapter->lock);
}

bool adapter_enter(struct adapter *adapter)
{
    if (!adapter)
        return false;
    pthread_mutex_lock(&adapter->lock);
    adapter->users++;
    if (adapter->is_stopping) {
        leave(adapter);
        return false;
    }
    adapter->entries++;
    note_return(adapter);
    if (pthread_equal(adapter->main, pthread_self())) {
        adapter->main_is_inside = true;
        clock_wait_for_returning(adapter);
        if (clock_monotonic() - adapter->left_at >= COMMAND_TIME_MIN)
            netdev_refresh(adapter);
    }
    clock_catch_up(adapter);
    return true;
}

void adapter_leave(struct adapter *adapter)
{
    if (pthread_equal(adapter->main, pthread_self())) {
        adapter->main_is_inside = false;
        adapter->left_at = clock_monotonic();
    }
    if (adapter->flags.is_real && netdev_next(adapter) < adapter->armed)
        pthread_cond_broadcast(&adapter->moved);
    leave(adapter);
}

bool adapter_hold(struct adapter *adapter, int fd)
{
    bool is_ours;

    pthread_mutex_lock(&adapter->lock);
    is_ours = !adapter->is_stopping && numbers_has(adapter, fd);
    adapter->users += is_ours;
    pthread_mutex_unlock(&adapter->lock);
    return is_ours;
}

void adapter_drop(struct adapter *adapter)
{
    pthread_mutex_lock(&adapter->lock);
    leave(adapter);
}

void adapter_sleep(struct adapter *adapter, weir_time until)
{
    struct timespec spec = {.tv_sec = (time_t)(until / WEIR_SECOND),
                            .tv_nsec = (long)(until % WEIR_SECOND)};

    if (until == WEIR_NEVER)
        pthread_cond_wait(&adapter->moved, &adapter->lock);
    else
        pthread_cond_timedwait(&adapter->moved, &adapter->lock, &spec);
}
