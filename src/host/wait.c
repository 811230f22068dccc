/* SPDX-License-Identifier: MIT */

/* weir_host_wait and the events of watched sockets: for programs that are written around events.
 *
 * A watch merges the events of one socket until the program takes them, so that the list of events
 * is never longer than the number of watched sockets, and keeps their order of first arrival. The
 * CLOSED event ends a watch: the slot forgets it, and its memory goes when that last event is taken;
 * the number may be in use again by then, with a watch of its own.
 *
 * When a watch begins, what is ready at that moment is reported at once. So no event is lost between
 * the making of a socket and its watch.
 *
 * weir_host_wait always lets the loop run once, even if an event is pending or the timeout is 0: a
 * program that never runs out of events still takes part in the network. */

#include "host.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <weir/error.h>

#define FDS_MAX 64

/* ---- Watching ------------------------------------------------------------------------------------ */

static int watch(struct weir_host *host, int socket, uint64_t tag)
{
    int ready = weir_socket_ready(host->stack, socket);
    struct slot *slot;

    if (ready < 0)
        return ready;
    slot = slot_get(host, socket);
    if (!slot)
        return WEIR_ENOMEM;
    if (!slot->watch) {
        slot->watch = calloc(1, sizeof(*slot->watch));
        if (!slot->watch)
            return WEIR_ENOMEM;
        slot->watch->socket = socket;
        list_init(&slot->watch->node);
    }
    slot->watch->tag = tag;
    watch_note(host, slot->watch, (uint32_t)ready);
    return 0;
}

int weir_host_watch(struct weir_host *host, int socket, uint64_t tag)
{
    int result;

    weir_host_lock(host);
    host_dispatch(host); /* what is older than the watch is not its business */
    result = watch(host, socket, tag);
    weir_host_unlock(host);
    return result;
}

static void take(struct watch *watch, struct weir_event *event)
{
    list_remove(&watch->node);
    event->tag = watch->tag;
    event->socket = watch->socket;
    event->events = watch->pending;
    watch->pending = 0;
    if (event->events & WEIR_CLOSED)
        free(watch);
}

bool weir_host_next_event(struct weir_host *host, struct weir_event *event)
{
    struct list_node *node;

    weir_host_lock(host);
    node = list_first(&host->events);
    if (node)
        take(LIST_ENTRY(node, struct watch, node), event);
    pthread_mutex_unlock(&host->lock);
    return node != NULL;
}

/* ---- Waiting ------------------------------------------------------------------------------------- */

/* A waiter that polls descriptors, and is told of any event. NULL if memory or descriptors are
 * short. */
static struct waiter *begin_with_fds(struct weir_host *host)
{
    struct waiter *waiter = waiter_begin(host);

    if (!waiter)
        return NULL;
    if (waiter->event_fd < 0)
        waiter->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waiter->event_fd < 0) {
        waiter_end(host, waiter);
        return NULL;
    }
    waiter->uses_fd = true;
    list_add_tail(&host->eager, &waiter->eager);
    return waiter;
}

static int wait_locked(struct weir_host *host, struct pollfd *fds, unsigned count,
                       weir_time timeout)
{
    struct pollfd none;
    struct waiter *waiter;
    int result;

    if (host->is_stopping)
        return WEIR_ECANCELED;
    waiter = begin_with_fds(host);
    if (!waiter)
        return WEIR_ENOMEM;
    host_dispatch(host);
    if (!list_is_empty(&host->events)) {
        waiter->is_fired = false;
        timeout = 0;
    }
    result = host_wait_until(host, waiter, count > 0 ? fds : &none, count, host_deadline(timeout));
    waiter_end(host, waiter);
    if (result == 0 || (result != WEIR_ECANCELED && !list_is_empty(&host->events)))
        return 1;
    return result == WEIR_ETIMEDOUT ? 0 : result;
}

int weir_host_wait(struct weir_host *host, struct pollfd *fds, unsigned count, weir_time timeout)
{
    int result;

    if (count > FDS_MAX)
        return WEIR_EINVAL;
    for (unsigned index = 0; index < count; index++)
        fds[index].revents = 0;
    weir_host_lock(host);
    result = wait_locked(host, fds, count, timeout);
    weir_host_unlock(host);
    return result;
}
