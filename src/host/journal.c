/* SPDX-License-Identifier: MIT */

/* The journal of a host's stack, carried to a thread that may take its time.
 *
 * Problem: a capture is written by a thread that waits for disks and pipes; the loop must not wait
 * for that thread, nor pay a system call a packet to wake it.
 *
 * Idea: two pieces of memory. The stack notes into one under the host's lock, the writer works on
 * the other without it; take exchanges them, which costs the loop a few pointers. The writer says
 * how many bytes it waits for: one when it has nothing to do, half of the memory when packets come
 * thick and it would rather be called once for many. Whoever settles signals it when there is that
 * much, and not before.
 *
 *     loop:    input, poll ── entries ──▶ host->journal ── settle: enough? ── signal
 *     writer:  take ── wait ── exchange memory ── encode, write ── take …
 *
 * What finds no room while the writer is away is counted in the journal and told with the entry that
 * comes next, or with the exchange.
 *
 * After stop, or when the host is destroyed, take gives out what is left and then says
 * WEIR_ECANCELED, after which the memory is the program's again and a new journal may be started.
 * Waiting threads are counted as users of the host, so that destroy waits for them. */

#include "host.h"

#include <time.h>
#include <weir/error.h>

int weir_host_journal_start(struct weir_host *host, void *bytes, size_t size)
{
    int result = WEIR_EALREADY;

    pthread_mutex_lock(&host->lock);
    if (!host->journal.bytes) {
        host->journal = (struct weir_journal){.bytes = bytes, .size = size};
        host->is_journal_stopped = false;
        weir_stack_set_journal(host->stack, &host->journal, 0);
        result = 0;
    }
    pthread_mutex_unlock(&host->lock);
    return result;
}

void weir_host_journal_stop(struct weir_host *host)
{
    pthread_mutex_lock(&host->lock);
    weir_stack_set_journal(host->stack, NULL, 0);
    host->is_journal_stopped = true;
    pthread_cond_broadcast(&host->journal_filled);
    pthread_mutex_unlock(&host->lock);
}

void host_journal_signal(struct weir_host *host)
{
    if (host->journal_least > 0 && host->journal.used >= host->journal_least)
        pthread_cond_signal(&host->journal_filled);
}

static bool is_over(const struct weir_host *host)
{
    return host->is_stopping || host->is_journal_stopped;
}

/* Returns when there are `least` bytes, the journal is over, or the time is. */
static void wait(struct weir_host *host, size_t least, weir_time deadline)
{
    struct timespec spec = {.tv_sec = deadline / WEIR_SECOND, .tv_nsec = deadline % WEIR_SECOND};
    bool is_late = false;

    host->journal_least = least;
    while (host->journal.used < least && !is_over(host) && !is_late) {
        if (deadline == WEIR_NEVER)
            pthread_cond_wait(&host->journal_filled, &host->lock);
        else
            is_late = pthread_cond_timedwait(&host->journal_filled, &host->lock, &spec) != 0;
    }
    host->journal_least = 0;
}

static int exchange(struct weir_host *host, struct weir_journal *spare)
{
    struct weir_journal full = host->journal;

    if (full.used > 0 || full.missed > 0) {
        host->journal = (struct weir_journal){.bytes = spare->bytes, .size = spare->size};
        *spare = full;
        return 1;
    }
    if (!is_over(host))
        return 0;
    host->journal = (struct weir_journal){0};
    return WEIR_ECANCELED;
}

int weir_host_journal_take(struct weir_host *host, struct weir_journal *spare, size_t least,
                           weir_time timeout)
{
    weir_time deadline = host_deadline(timeout);
    int result;

    pthread_mutex_lock(&host->lock);
    host->users++;
    wait(host, least > 0 ? least : 1, deadline);
    result = exchange(host, spare);
    host->users--;
    if (host->users == 0 && host->is_stopping)
        pthread_cond_broadcast(&host->gone);
    pthread_mutex_unlock(&host->lock);
    return result;
}
