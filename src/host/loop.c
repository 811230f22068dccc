/* SPDX-License-Identifier: MIT */

/* The loop: leader and followers.
 *
 * Problem: a stack needs somebody who waits for packets and for its deadlines, but a thread of its
 * own would cost each packet a hop between cores (tens of microseconds), and a periodic tick would
 * keep an idle machine awake.
 *
 * Idea: a thread that must wait becomes the loop if nobody is it. It sleeps in epoll itself, until
 * the least of the stack's, the links' and its own deadline, to the nanosecond; without any it
 * sleeps for ever. Others that must wait sleep on something of their own and are woken when their
 * condition may hold, or to take over the role from a leader that leaves.
 *
 *      wait_until:  settle → fired? → leader? ──yes→ epoll → receive → input ─┐
 *                     ↑                  └──no──→ sleep until woken ──────────┤
 *                     └───────────────────────────────────────────────────────┘
 *
 * settle serves what is due: links that hold packets, links that were full and are ready again, the
 * stack's poll, and the events. Everybody who lets go of the lock settles first, so that what a
 * program writes leaves at once and in its own thread. If the leader sleeps past the new deadline,
 * and only then, it is called by an eventfd.
 *
 * Locking: one mutex guards the stack. A link is read by the leader, before the lock is taken, and
 * only while no leader is away by somebody else, under the lock;
 * its sending side (begin, commit, flush, ready, deadline) is used under the lock, because poll
 * commits and flushes; so a flush is a system call under the lock, once a batch. No user code runs
 * under it but between weir_host_lock and unlock.
 *
 * A link may have read more than it was asked for, which its descriptor does not show; one that
 * filled every batch of its turn is therefore read again without a sleep in between.
 *
 * A time-out is believed only when the links have been read: a program that computes, or a thread that
 * had to wait for a processor, finds its timers expired and the packets that would have stopped them
 * still unread. So whoever settles first reads the links, unless that was done a moment ago or a
 * leader is about it.
 *
 * Limits: 16 descriptors and 8 batches of 64 frames a descriptor between two polls, 256 frames a poll; 64
 * descriptors of the program in one wait. These the program's own poll(2) set watches beside the
 * epoll descriptor, so that anything poll(2) takes will do (regular files too). */

#include "host.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#define FRAMES_AT_ONCE 64
#define BATCHES_MAX 8
#define LATE (200 * WEIR_US) /* since the links were read: too long ago to believe in a time-out */
#define EVENTS_AT_ONCE 16
#define POLL_BUDGET 256
#define ROUNDS_MAX 8
#define FDS_MAX 64

/* ---- Reading --------------------------------------------------------------------------------------- */

static void take_in(struct weir_host *host, const struct host_iface *iface,
                    const struct weir_frame *frames, int count, weir_time now)
{
    host->is_leader_sleeping = false;
    weir_stack_input(host->stack, iface->index, frames, count, now);
    host->is_more = true; /* what input staged must be flushed */
}

/* Remembers whether the link filled its last batch: what it then still holds, its descriptor need not
 * show. */
static void note_unread(struct weir_host *host, struct host_iface *iface, bool is_unread)
{
    host->unread += (int)is_unread - (int)iface->is_unread;
    iface->is_unread = is_unread;
}

/* Reads the link and gives its frames to the stack, a batch at a time, until it has no more or has had
 * its turn. Called without the lock. */
static void read_link(struct weir_host *host, struct host_iface *iface, weir_time now)
{
    struct weir_frame frames[FRAMES_AT_ONCE];
    struct weir_link *link = iface->link;
    int count = FRAMES_AT_ONCE;

    for (int batch = 0; batch < BATCHES_MAX && count == FRAMES_AT_ONCE; batch++) {
        count = link->ops->receive(link, frames, FRAMES_AT_ONCE, now);
        if (count <= 0)
            break;
        pthread_mutex_lock(&host->lock);
        take_in(host, iface, frames, count, now);
        pthread_mutex_unlock(&host->lock);
    }
    note_unread(host, iface, count == FRAMES_AT_ONCE);
}

/* Reads all links under the lock, if that has not been done for a while and nobody else is at it. */
static void catch_up(struct weir_host *host, weir_time now)
{
    struct weir_frame frames[FRAMES_AT_ONCE];

    if (host->is_leader_away || now - host->read_at <= LATE)
        return;
    host->read_at = now;
    for (int index = 0; index < host->ifaces_count; index++) {
        struct host_iface *iface = host->ifaces[index];
        int count = iface->fd >= 0 ? FRAMES_AT_ONCE : 0;

        for (int batch = 0; batch < BATCHES_MAX && count == FRAMES_AT_ONCE; batch++) {
            count = iface->link->ops->receive(iface->link, frames, FRAMES_AT_ONCE, now);
            if (count > 0)
                take_in(host, iface, frames, count, now);
        }
        note_unread(host, iface, count == FRAMES_AT_ONCE);
    }
}

/* ---- Settling ------------------------------------------------------------------------------------ */

/* Gives held packets their chance and tells the stack of links that were full. */
static void serve_link(struct weir_host *host, struct host_iface *iface, weir_time now)
{
    struct weir_link *link = iface->link;

    if (link->ops->deadline(link) <= now)
        (void)link->ops->flush(link, now);
    if (link->refused && link->ops->ready(link, now)) {
        link->refused = false;
        weir_stack_link_ready(host->stack, iface->index);
    }
}

/* Makes epoll watch for writability exactly while the link wants it. */
static void sync_write_watch(struct weir_host *host, struct host_iface *iface)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = iface}};

    if (iface->fd < 0 || iface->link->wants_write == iface->is_write_watched)
        return;
    if (iface->link->wants_write)
        event.events |= EPOLLOUT;
    if (epoll_ctl(host->epoll_fd, EPOLL_CTL_MOD, iface->fd, &event) == 0)
        iface->is_write_watched = iface->link->wants_write;
}

static weir_time links_deadline(const struct weir_host *host)
{
    weir_time first = WEIR_NEVER;

    for (int index = 0; index < host->ifaces_count; index++) {
        struct weir_link *link = host->ifaces[index]->link;
        weir_time deadline = link->ops->deadline(link);

        if (deadline < first)
            first = deadline;
    }
    return first;
}

static weir_time next_deadline(const struct weir_host *host, weir_time now)
{
    weir_time stack = host->is_more ? now : weir_stack_deadline(host->stack);
    weir_time links = links_deadline(host);

    return links < stack ? links : stack;
}

weir_time weir_host_links_deadline(struct weir_host *host)
{
    weir_time deadline;

    pthread_mutex_lock(&host->lock);
    deadline = links_deadline(host);
    pthread_mutex_unlock(&host->lock);
    return deadline;
}

void host_settle(struct weir_host *host, weir_time now)
{
    if (host->is_stopping)
        return;
    if (weir_stack_deadline(host->stack) <= now)
        catch_up(host, now);
    for (int round = 0; round < ROUNDS_MAX; round++) {
        for (int index = 0; index < host->ifaces_count; index++)
            serve_link(host, host->ifaces[index], now);
        if (!host->is_more && weir_stack_deadline(host->stack) > now)
            break;
        host->is_more = weir_stack_poll(host->stack, now, POLL_BUDGET);
    }
    for (int index = 0; index < host->ifaces_count; index++)
        sync_write_watch(host, host->ifaces[index]);
    host_dispatch(host);
    host_journal_signal(host);
    host->next = next_deadline(host, now);
    if (host->is_leader_sleeping && host->next < host->armed) {
        host->armed = host->next;
        host->is_leader_called = true;
    }
}

/* ---- The leader ------------------------------------------------------------------------------------ */

static struct timespec *timespec_from(weir_time duration, struct timespec *spec)
{
    if (duration == WEIR_NEVER)
        return NULL;
    spec->tv_sec = duration / WEIR_SECOND;
    spec->tv_nsec = duration % WEIR_SECOND;
    return spec;
}

/* From now until `time`; 0 if that is past. */
static weir_time until(weir_time time)
{
    weir_time now;

    if (time == WEIR_NEVER)
        return WEIR_NEVER;
    now = weir_host_now();
    return time > now ? time - now : 0;
}

/* poll(2) on `first` and the program's descriptors, whose revents are set. Returns 1 if one of those
 * is ready, WEIR_EINTR, or 0; *is_first_ready as it says. */
static int poll_fds(int first, struct pollfd *fds, unsigned count, weir_time deadline,
                    bool *is_first_ready)
{
    struct pollfd all[FDS_MAX + 1];
    struct timespec spec;
    int ready;

    assert(count <= FDS_MAX);
    all[0] = (struct pollfd){.fd = first, .events = POLLIN};
    if (count > 0)
        memcpy(all + 1, fds, count * sizeof(*fds));
    ready = ppoll(all, count + 1, timespec_from(until(deadline), &spec), NULL);
    *is_first_ready = ready > 0 && all[0].revents != 0;
    if (ready < 0)
        return errno == EINTR ? WEIR_EINTR : 0;
    for (unsigned index = 0; index < count; index++)
        fds[index].revents = all[index + 1].revents;
    return ready > (*is_first_ready ? 1 : 0) ? 1 : 0;
}

static void drain(int event_fd)
{
    uint64_t rings;

    (void)!read(event_fd, &rings, sizeof(rings));
}

/* Called without the lock. */
static void serve_ready(struct weir_host *host, const struct epoll_event *event, weir_time now)
{
    struct host_iface *iface = event->data.ptr;

    if (!iface) {
        drain(host->wake_fd);
        return;
    }
    if (event->events & EPOLLOUT) {
        pthread_mutex_lock(&host->lock);
        host->is_leader_sleeping = false;
        (void)iface->link->ops->flush(iface->link, now);
        pthread_mutex_unlock(&host->lock);
    }
    if (event->events & ~(uint32_t)EPOLLOUT)
        read_link(host, iface, now);
}

/* Links that may hold frames, whether epoll has named them or not. Called without the lock. */
static void serve_unread(struct weir_host *host, weir_time now)
{
    int count;

    if (host->unread == 0)
        return;
    pthread_mutex_lock(&host->lock);
    count = host->ifaces_count;
    pthread_mutex_unlock(&host->lock);
    for (int index = 0; index < count; index++)
        if (host->ifaces[index]->is_unread)
            read_link(host, host->ifaces[index], now);
}

/* epoll_wait to the nanosecond, also on kernels before 5.11, which lack the call for it. */
static int wait_epoll(int epoll_fd, struct epoll_event *events, const struct timespec *timeout)
{
    struct pollfd fd = {.fd = epoll_fd, .events = POLLIN};
    int ready = epoll_pwait2(epoll_fd, events, EVENTS_AT_ONCE, timeout, NULL);

    if (ready >= 0 || errno != ENOSYS)
        return ready;
    ready = ppoll(&fd, 1, timeout, NULL);
    return ready > 0 ? epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, 0) : ready;
}

/* Sleeps until something is ready or `deadline`. Called without the lock. Returns as poll_fds. */
static int sleep_in_epoll(struct weir_host *host, struct pollfd *fds, unsigned count,
                          weir_time deadline)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    struct timespec spec = {0};
    struct timespec *timeout = &spec;
    bool is_ready = true;
    int result = 0, ready = 0;
    weir_time now;

    if (host->unread > 0)
        deadline = 0;
    if (fds)
        result = poll_fds(host->epoll_fd, fds, count, deadline, &is_ready);
    else
        timeout = timespec_from(until(deadline), &spec);
    if (is_ready)
        ready = wait_epoll(host->epoll_fd, events, timeout);
    if (ready < 0 && errno == EINTR)
        result = WEIR_EINTR;
    now = weir_host_now();
    host->read_at = now;
    serve_unread(host, now);
    for (int index = 0; index < ready; index++)
        serve_ready(host, &events[index], now);
    return result;
}

static int lead(struct weir_host *host, struct pollfd *fds, unsigned count, weir_time deadline)
{
    weir_time time = host->next < deadline ? host->next : deadline;
    int result;

    host->armed = time;
    host->is_leader_sleeping = true;
    host->is_leader_away = true;
    pthread_mutex_unlock(&host->lock);
    result = sleep_in_epoll(host, fds, count, time);
    pthread_mutex_lock(&host->lock);
    host->is_leader_sleeping = false;
    host->is_leader_away = false;
    return result;
}

/* ---- Followers -------------------------------------------------------------------------------------- */

static int follow_with_fds(struct weir_host *host, struct waiter *waiter, struct pollfd *fds,
                           unsigned count, weir_time deadline)
{
    bool is_rung;
    int result;

    pthread_mutex_unlock(&host->lock);
    result = poll_fds(waiter->event_fd, fds, count, deadline, &is_rung);
    if (is_rung)
        drain(waiter->event_fd);
    pthread_mutex_lock(&host->lock);
    return result;
}

static void follow(struct weir_host *host, struct waiter *waiter, weir_time deadline)
{
    struct timespec spec;

    if (deadline == WEIR_NEVER)
        pthread_cond_wait(&waiter->cond, &host->lock);
    else
        pthread_cond_timedwait(&waiter->cond, &host->lock, timespec_from(deadline, &spec));
}

/* ---- Waiting ----------------------------------------------------------------------------------------- */

weir_time host_deadline(weir_time timeout)
{
    weir_time now;

    if (timeout == WEIR_NEVER)
        return WEIR_NEVER;
    now = weir_host_now();
    if (timeout < 0)
        timeout = 0;
    return timeout > WEIR_NEVER - now ? WEIR_NEVER : now + timeout;
}

/* One sleep, as the leader or as a follower. */
static int sleep_once(struct weir_host *host, struct waiter *waiter, struct pollfd *fds,
                      unsigned count, weir_time deadline)
{
    if (!host->leader)
        host->leader = waiter;
    if (host->leader == waiter)
        return lead(host, fds, count, deadline);
    if (waiter->uses_fd)
        return follow_with_fds(host, waiter, fds, count, deadline);
    follow(host, waiter, deadline);
    return 0;
}

int host_wait_until(struct weir_host *host, struct waiter *waiter, struct pollfd *fds,
                    unsigned count, weir_time deadline)
{
    for (;;) {
        weir_time now = weir_host_now();
        int result;

        host_settle(host, now);
        if (host->is_stopping)
            return WEIR_ECANCELED;
        if (waiter->is_fired)
            return 0;
        if (host_has_wakes(host)) {
            host_unlock_and_wake(host);
            pthread_mutex_lock(&host->lock);
            continue;
        }
        result = sleep_once(host, waiter, fds, count, deadline);
        if (result != 0 || now >= deadline) {
            host_settle(host, weir_host_now());
            if (host->is_stopping)
                return WEIR_ECANCELED;
            if (result == 0)
                result = waiter->is_fired ? 0 : WEIR_ETIMEDOUT;
            return result;
        }
    }
}
