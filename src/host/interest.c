/* SPDX-License-Identifier: MIT */

/* weir_host_interest_wait: epoll_wait for interest sets.
 *
 * The set belongs to the stack and knows what is ready; the host only has to sleep until it may know
 * something. Whoever waits stands on host->set_waiters, and is fired by the dispatch that follows
 * every step of the stack and every call of a program (waiter.c) if its set has candidates then. A
 * candidate need not be ready, so the woken thread takes, and waits again if that gave nothing;
 * taking empties the list of false candidates, so it cannot spin.
 *
 *      pending? ──yes→ run the loop once, do not sleep ──→ take ──> 0 → done
 *         └─────no→ sleep until fired ───────────────────→ take ──= 0 → again
 *
 * With reports at hand the loop runs once all the same, as in weir_host_wait: a set with a
 * level-triggered member that is always ready would keep a program of one thread from its packets.
 *
 * Signals do not end the wait. Of several threads that wait for one set each is fired, and the first
 * takes; who comes too late goes on waiting. */

#include "host.h"

#include <weir/error.h>

/* Returns as host_wait_until, or WEIR_ENOMEM. */
static int wait_once(struct weir_host *host, struct weir_interest *set, weir_time deadline)
{
    struct waiter *waiter = waiter_begin(host);
    int result;

    if (!waiter)
        return WEIR_ENOMEM;
    waiter->set = set;
    if (weir_interest_is_pending(set))
        deadline = 0;
    else
        list_add_tail(&host->set_waiters, &waiter->in_set);
    result = host_wait_until(host, waiter, NULL, 0, deadline);
    waiter_end(host, waiter);
    return result;
}

int weir_host_interest_wait(struct weir_host *host, struct weir_interest *interest,
                            struct weir_event *events, int max, weir_time timeout)
{
    weir_time deadline = host_deadline(timeout);
    int result;

    if (max <= 0)
        return WEIR_EINVAL;
    weir_host_lock(host);
    do {
        result = wait_once(host, interest, deadline);
        if (result == WEIR_ENOMEM || result == WEIR_ECANCELED)
            break;
        result = weir_interest_take(interest, events, max);
    } while (result == 0 && weir_host_now() < deadline);
    weir_host_unlock(host);
    return result;
}
