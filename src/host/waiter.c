/* SPDX-License-Identifier: MIT */

/* Who waits for what, and how they are woken.
 *
 * Problem: many threads wait for many sockets; an event must wake exactly those whose condition may
 * hold, without a search over all threads, and never while the lock is held (the woken thread would
 * run straight into it).
 *
 * Idea: each socket number that somebody waits for or watches has a slot; an interest ties a waiter
 * to a slot. An event walks the interests of its slot and fires their waiters: a fired waiter is
 * marked and put on the list of wakes. Whoever releases the lock takes the list with it and sends
 * the wake-ups afterwards: a write to the leader's eventfd, a write to the eventfd of a follower
 * that polls descriptors, a signal to the condition of any other.
 *
 * Late wake-ups: between the release of the lock and the signal the waiter may have left. Waiters
 * are therefore pooled and live as long as the host, and every wake-up is taken for a hint: the
 * woken thread looks at `is_fired` and tries its call again. A thread that sends wake-ups counts as
 * a user of the host, so that destroy waits for it too.
 *
 * Handing on: a waiter that leaves while nobody is the leader wakes one that is not fired, which
 * then becomes the leader; fired ones are about to leave and do the same.
 *
 * Limits: slots are kept until the host ends: one pointer per number, 24 bytes per number ever
 * waited for; at most 32 wake-ups are sent between two looks at the list. */

#include "host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#define WAKES_AT_ONCE 32
#define SLOTS_MIN 16u

/* Events that everybody is told of. */
#define ALWAYS (WEIR_HUP | WEIR_ERR | WEIR_CLOSED)

/* ---- Slots --------------------------------------------------------------------------------------- */

struct slot *slot_find(const struct weir_host *host, int socket)
{
    return socket >= 0 && (uint32_t)socket < host->slots_count ? host->slots[socket] : NULL;
}

static bool slots_grow(struct weir_host *host, uint32_t least)
{
    uint32_t count = host->slots_count ? host->slots_count : SLOTS_MIN;
    struct slot **slots;

    while (count < least)
        count *= 2;
    slots = realloc(host->slots, count * sizeof(struct slot *));
    if (!slots)
        return false;
    for (uint32_t index = host->slots_count; index < count; index++)
        slots[index] = NULL;
    host->slots = slots;
    host->slots_count = count;
    return true;
}

struct slot *slot_get(struct weir_host *host, int socket)
{
    struct slot *slot = slot_find(host, socket);

    assert(socket >= 0 && socket < 1 << 30);
    if (slot)
        return slot;
    if ((uint32_t)socket >= host->slots_count && !slots_grow(host, (uint32_t)socket + 1))
        return NULL;
    slot = calloc(1, sizeof(*slot));
    if (!slot)
        return NULL;
    list_init(&slot->interests);
    host->slots[socket] = slot;
    return slot;
}

bool interest_add(struct weir_host *host, struct interest *interest, int socket)
{
    struct slot *slot = slot_get(host, socket);

    list_init(&interest->node);
    if (!slot)
        return false;
    list_add_tail(&slot->interests, &interest->node);
    return true;
}

void interest_remove(struct interest *interest)
{
    list_remove(&interest->node);
}

/* ---- Waiters -------------------------------------------------------------------------------------- */

static struct waiter *waiter_create(void)
{
    struct waiter *waiter = calloc(1, sizeof(*waiter));
    pthread_condattr_t attributes;

    if (!waiter)
        return NULL;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiter->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    list_init(&waiter->node);
    list_init(&waiter->wake);
    list_init(&waiter->eager);
    list_init(&waiter->in_set);
    waiter->event_fd = -1;
    return waiter;
}

struct waiter *waiter_begin(struct weir_host *host)
{
    struct list_node *node = list_pop(&host->pool);
    struct waiter *waiter = node ? LIST_ENTRY(node, struct waiter, node) : waiter_create();

    if (!waiter)
        return NULL;
    waiter->uses_fd = false;
    waiter->is_fired = false;
    waiter->is_closed = false;
    list_add_tail(&host->waiters, &waiter->node);
    host->users++;
    return waiter;
}

/* Puts a waiter on the list of those to be woken. */
static void call_up(struct weir_host *host, struct waiter *waiter)
{
    if (waiter == host->leader)
        host->is_leader_called |= host->is_leader_sleeping;
    else if (!list_is_linked(&waiter->wake))
        list_add_tail(&host->wakes, &waiter->wake);
}

void waiter_fire(struct weir_host *host, struct waiter *waiter)
{
    if (waiter->is_fired)
        return;
    waiter->is_fired = true;
    call_up(host, waiter);
}

/* Wakes one waiter that can become the loop. */
static void hand_on(struct weir_host *host)
{
    struct list_node *node;

    for (node = host->waiters.next; node != &host->waiters; node = node->next) {
        struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);

        if (waiter->is_fired)
            continue;
        call_up(host, waiter);
        return;
    }
}

static void user_leaves(struct weir_host *host)
{
    assert(host->users > 0);
    if (--host->users == 0 && host->is_stopping)
        pthread_cond_broadcast(&host->gone);
}

void waiter_end(struct weir_host *host, struct waiter *waiter)
{
    if (host->leader == waiter) {
        host->leader = NULL;
        host->is_leader_called = false;
    }
    list_remove(&waiter->node);
    list_remove(&waiter->wake);
    list_remove(&waiter->eager);
    list_remove(&waiter->in_set);
    list_add_head(&host->pool, &waiter->node);
    if (!host->leader)
        hand_on(host);
    user_leaves(host);
}

/* ---- Wake-ups -------------------------------------------------------------------------------------- */

bool host_has_wakes(const struct weir_host *host)
{
    return !list_is_empty(&host->wakes) || host->is_leader_called;
}

static void ring(int event_fd)
{
    uint64_t one = 1;

    /* Fails only if 2^64 - 2 rings are pending, and then it is ringing already. */
    (void)!write(event_fd, &one, sizeof(one));
}

/* Takes up to WAKES_AT_ONCE waiters off the list. */
static unsigned take_wakes(struct weir_host *host, struct waiter **waiters)
{
    unsigned count = 0;
    struct list_node *node;

    while (count < WAKES_AT_ONCE && (node = list_pop(&host->wakes)) != NULL)
        waiters[count++] = LIST_ENTRY(node, struct waiter, wake);
    return count;
}

void host_unlock_and_wake(struct weir_host *host)
{
    struct waiter *waiters[WAKES_AT_ONCE];
    bool polls[WAKES_AT_ONCE];

    while (host_has_wakes(host)) {
        unsigned count = take_wakes(host, waiters);
        bool is_leader_called = host->is_leader_called;

        for (unsigned index = 0; index < count; index++)
            polls[index] = waiters[index]->uses_fd;
        host->is_leader_called = false;
        host->users++;
        pthread_mutex_unlock(&host->lock);
        if (is_leader_called)
            ring(host->wake_fd);
        for (unsigned index = 0; index < count; index++) {
            if (polls[index])
                ring(waiters[index]->event_fd);
            else
                pthread_cond_signal(&waiters[index]->cond);
        }
        pthread_mutex_lock(&host->lock);
        user_leaves(host);
    }
    pthread_mutex_unlock(&host->lock);
}

/* ---- Events ------------------------------------------------------------------------------------------ */

void watch_note(struct weir_host *host, struct watch *watch, uint32_t events)
{
    struct list_node *node;

    if (events == 0)
        return;
    if (watch->pending == 0)
        list_add_tail(&host->events, &watch->node);
    watch->pending |= events;
    for (node = host->eager.next; node != &host->eager; node = node->next)
        waiter_fire(host, LIST_ENTRY(node, struct waiter, eager));
}

static void dispatch_one(struct weir_host *host, const struct weir_event *event)
{
    struct slot *slot = slot_find(host, event->socket);
    struct list_node *node;

    if (!slot)
        return;
    for (node = slot->interests.next; node != &slot->interests; node = node->next) {
        struct interest *interest = LIST_ENTRY(node, struct interest, node);

        if (event->events & (interest->events | ALWAYS))
            waiter_fire(host, interest->waiter);
    }
    if (event->events & WEIR_CLOSED)
        slot->is_nonblocking = false; /* the number's next socket blocks */
    if (!slot->watch)
        return;
    watch_note(host, slot->watch, event->events);
    if (event->events & WEIR_CLOSED)
        slot->watch = NULL; /* freed when its last event is taken */
}

/* Interest sets keep their own books; who waits for one needs to be told only that it has something.
 * O(threads that wait for a set). */
static void dispatch_sets(struct weir_host *host)
{
    struct list_node *node;

    for (node = host->set_waiters.next; node != &host->set_waiters; node = node->next) {
        struct waiter *waiter = LIST_ENTRY(node, struct waiter, in_set);

        if (weir_interest_is_pending(waiter->set))
            waiter_fire(host, waiter);
    }
}

void host_dispatch(struct weir_host *host)
{
    struct weir_event event;

    while (weir_stack_next_event(host->stack, &event))
        dispatch_one(host, &event);
    dispatch_sets(host);
}

void host_closing(struct weir_host *host, int socket)
{
    struct slot *slot = slot_find(host, socket);
    struct list_node *node;

    if (!slot)
        return;
    for (node = slot->interests.next; node != &slot->interests; node = node->next) {
        struct waiter *waiter = LIST_ENTRY(node, struct interest, node)->waiter;

        waiter->is_closed = true;
        waiter_fire(host, waiter);
    }
}
