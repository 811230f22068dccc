/* SPDX-License-Identifier: MIT */

/* The life of a host: a stack, its links, an epoll set, and the lock around them.
 *
 * A host owns its stack from creation and each link from the moment it is added. An interface's entry
 * is allocated by itself, so that epoll can point at it while the table grows. A link without a
 * descriptor has an entry too (its deadline counts), but is never read.
 *
 * Destroy may come while threads wait inside: it marks the host as stopping, fires every waiter, and
 * waits until the last user (a waiter, or a thread that is sending wake-ups) has left. `users` is
 * counted under the lock, and a user touches nothing of the host after it has released the lock for
 * the last time; so the memory may go. Calls that begin after destroy has begun are the program's
 * mistake.
 *
 * Limits: 256 interfaces; 2 descriptors a host, 1 a link, 1 for each thread that waits in
 * weir_host_wait at the same time. */

#include "host.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

/* Makes the descriptors. */
static bool open_fds(struct weir_host *host)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};

    host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    host->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return host->epoll_fd >= 0 && host->wake_fd >= 0 &&
           epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, host->wake_fd, &event) == 0;
}

static void lists_init(struct weir_host *host)
{
    list_init(&host->waiters);
    list_init(&host->pool);
    list_init(&host->wakes);
    list_init(&host->eager);
    list_init(&host->events);
    list_init(&host->set_waiters);
}

static void pool_free(struct weir_host *host)
{
    struct list_node *node;

    while ((node = list_pop(&host->pool)) != NULL) {
        struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);

        if (waiter->event_fd >= 0)
            close(waiter->event_fd);
        pthread_cond_destroy(&waiter->cond);
        free(waiter);
    }
}

/* Watches stand in a slot, in the list of events, or in both. */
static void watches_free(struct weir_host *host)
{
    struct list_node *node;

    for (uint32_t index = 0; index < host->slots_count; index++) {
        struct slot *slot = host->slots[index];

        if (slot && slot->watch) {
            list_remove(&slot->watch->node);
            free(slot->watch);
        }
        free(slot);
    }
    free(host->slots);
    while ((node = list_pop(&host->events)) != NULL)
        free(LIST_ENTRY(node, struct watch, node));
}

/* Frees a host that nobody uses, even a half-built one. */
static void host_free(struct weir_host *host)
{
    assert(host->users == 0);
    weir_stack_destroy(host->stack);
    for (int index = 0; index < host->ifaces_count; index++) {
        struct weir_link *link = host->ifaces[index]->link;

        link->ops->destroy(link);
        free(host->ifaces[index]);
    }
    pool_free(host);
    watches_free(host);
    if (host->epoll_fd >= 0)
        close(host->epoll_fd);
    if (host->wake_fd >= 0)
        close(host->wake_fd);
    pthread_cond_destroy(&host->journal_filled);
    pthread_cond_destroy(&host->gone);
    pthread_mutex_destroy(&host->lock);
    free(host);
}

static void init_monotonic(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct weir_host *weir_host_create(const struct weir_stack_config *config)
{
    struct weir_host *host = calloc(1, sizeof(*host));

    if (!host)
        return NULL;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->gone, NULL);
    init_monotonic(&host->journal_filled);
    lists_init(host);
    host->wake_fd = -1;
    host->epoll_fd = -1;
    host->next = WEIR_NEVER;
    host->stack = weir_stack_create(config);
    if (!host->stack || !open_fds(host)) {
        host_free(host);
        return NULL;
    }
    return host;
}

void weir_host_destroy(struct weir_host *host)
{
    struct list_node *node;

    if (!host)
        return;
    pthread_mutex_lock(&host->lock);
    host->is_stopping = true;
    for (node = host->waiters.next; node != &host->waiters; node = node->next)
        waiter_fire(host, LIST_ENTRY(node, struct waiter, node));
    pthread_cond_broadcast(&host->journal_filled);
    host_unlock_and_wake(host);
    pthread_mutex_lock(&host->lock);
    while (host->users > 0)
        pthread_cond_wait(&host->gone, &host->lock);
    pthread_mutex_unlock(&host->lock);
    host_free(host);
}

/* Puts a link into the epoll set. */
static int watch_link(struct weir_host *host, struct host_iface *iface)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = iface}};

    iface->fd = iface->link->ops->fd(iface->link);
    if (iface->fd < 0)
        return 0;
    return epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, iface->fd, &event) == 0 ? 0 : WEIR_ENOMEM;
}

static void unwatch_link(struct weir_host *host, const struct host_iface *iface)
{
    if (iface->fd >= 0)
        (void)epoll_ctl(host->epoll_fd, EPOLL_CTL_DEL, iface->fd, NULL);
}

int weir_host_add_iface(struct weir_host *host, const char *name, struct weir_link *link,
                        const struct weir_addr *addr, const struct weir_prefix *prefix,
                        bool only_neighbours)
{
    struct host_iface *iface = calloc(1, sizeof(*iface));
    int result;

    if (!iface)
        return WEIR_ENOMEM;
    iface->link = link;
    pthread_mutex_lock(&host->lock);
    result = host->ifaces_count < WEIR_IFACES_MAX ? watch_link(host, iface) : WEIR_EINVAL;
    if (result == 0) {
        result = weir_stack_add_iface(host->stack, name, link, addr, prefix, only_neighbours);
        if (result < 0)
            unwatch_link(host, iface);
    }
    if (result >= 0) {
        iface->index = result;
        host->ifaces[host->ifaces_count++] = iface;
    } else {
        free(iface);
    }
    weir_host_unlock(host);
    return result;
}

struct weir_link *weir_host_link(struct weir_host *host, int iface)
{
    for (int index = 0; index < host->ifaces_count; index++)
        if (host->ifaces[index]->index == iface)
            return host->ifaces[index]->link;
    return NULL;
}

struct weir_stack *weir_host_lock(struct weir_host *host)
{
    pthread_mutex_lock(&host->lock);
    weir_stack_set_time(host->stack, weir_host_now());
    return host->stack;
}

void weir_host_unlock(struct weir_host *host)
{
    host_settle(host, weir_host_now());
    host_unlock_and_wake(host);
}
