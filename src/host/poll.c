/* SPDX-License-Identifier: MIT */

/* weir_poll: waits for any of several sockets.
 *
 * The answer is always the level (weir_socket_ready of each socket), taken under the lock; events
 * only say when to look again. One waiter is tied to all the sockets by an interest each, on the
 * stack of the calling thread for up to 16 sockets and in allocated memory beyond. A number that is
 * no socket is answered with CLOSED | ERR, as poll(2) answers POLLNVAL; a negative one is passed
 * over, as there. */

#include "host.h"

#include <stdlib.h>
#include <weir/error.h>

#define INTERESTS_MIN 16
#define ALWAYS (WEIR_HUP | WEIR_ERR | WEIR_CLOSED)

/* Room in a full buffer is announced only to who was refused: asks for a byte of it, and is. */
static void want_room(const struct weir_host *host, const struct weir_pollfd *entry, int ready)
{
    struct weir_span span;

    if ((entry->events & WEIR_OUT) && !(ready & WEIR_OUT))
        (void)weir_send_begin(host->stack, entry->socket, 1, &span);
}

/* Fills all revents. Returns how many are not zero. */
static int look(const struct weir_host *host, struct weir_pollfd *sockets, unsigned count)
{
    int hits = 0;

    for (unsigned index = 0; index < count; index++) {
        struct weir_pollfd *entry = &sockets[index];
        int ready;

        entry->revents = 0;
        if (entry->socket < 0)
            continue;
        ready = weir_socket_ready(host->stack, entry->socket);
        if (ready < 0) {
            entry->revents = WEIR_CLOSED | WEIR_ERR;
        } else {
            entry->revents = (uint32_t)ready & (entry->events | ALWAYS);
            want_room(host, entry, ready);
        }
        hits += entry->revents != 0;
    }
    return hits;
}

/* Ties the waiter to all sockets. Returns how many interests were made; less than `count` if memory
 * is short. */
static unsigned tie(struct weir_host *host, struct waiter *waiter, struct interest *interests,
                    const struct weir_pollfd *sockets, unsigned count)
{
    unsigned index;

    for (index = 0; index < count; index++) {
        interests[index] = (struct interest){.waiter = waiter, .events = sockets[index].events};
        list_init(&interests[index].node);
        if (sockets[index].socket < 0)
            continue;
        if (!interest_add(host, &interests[index], sockets[index].socket))
            break;
    }
    return index;
}

/* Sleeps until one of the sockets has an event. Returns as host_wait_until. */
static int sleep_on(struct weir_host *host, struct weir_pollfd *sockets, unsigned count,
                    struct interest *interests, weir_time deadline)
{
    struct waiter *waiter = waiter_begin(host);
    unsigned tied;
    int result = WEIR_ENOMEM;

    if (!waiter)
        return WEIR_ENOMEM;
    tied = tie(host, waiter, interests, sockets, count);
    if (tied == count)
        result = host_wait_until(host, waiter, NULL, 0, deadline);
    for (unsigned index = 0; index < tied; index++)
        interest_remove(&interests[index]);
    waiter_end(host, waiter);
    return result == WEIR_EINTR ? 0 : result;
}

static int poll_locked(struct weir_host *host, struct weir_pollfd *sockets, unsigned count,
                       struct interest *interests, weir_time deadline)
{
    for (;;) {
        int hits = look(host, sockets, count);
        int result;

        if (hits > 0)
            return hits;
        if (host->is_stopping)
            return WEIR_ECANCELED;
        result = sleep_on(host, sockets, count, interests, deadline);
        if (result == WEIR_ETIMEDOUT)
            return look(host, sockets, count);
        if (result != 0)
            return result;
    }
}

int weir_poll(struct weir_host *host, struct weir_pollfd *sockets, unsigned count,
              weir_time timeout)
{
    struct interest few[INTERESTS_MIN];
    struct interest *interests = few;
    weir_time deadline = host_deadline(timeout);
    int result;

    if (count > INTERESTS_MIN) {
        interests = calloc(count, sizeof(*interests));
        if (!interests)
            return WEIR_ENOMEM;
    }
    weir_host_lock(host);
    result = poll_locked(host, sockets, count, interests, deadline);
    weir_host_unlock(host);
    if (interests != few)
        free(interests);
    return result;
}
