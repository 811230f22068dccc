/* SPDX-License-Identifier: MIT */

/* BSD-style calls that block.
 *
 * Each is the non-blocking call of socket.h, tried under the lock; if that says WEIR_EAGAIN the
 * thread waits for the event that would change its answer, and tries again. Trying and beginning to
 * wait happen under one hold of the lock, so nothing can slip in between. A wake-up is a hint only.
 *
 *      try ──not EAGAIN→ result
 *       ↑ └─EAGAIN→ block(socket, events) ──fired─┐
 *       └─────────────────────────────────────────┘
 *
 * A socket that the program closes while another thread waits for it ends that wait: accept gives
 * WEIR_EINVAL, send WEIR_EPIPE, others WEIR_EBADF. Signals do not end these calls (weir_host_wait
 * reports them).
 *
 * A linger close waits for DELIVERED or CLOSED, the two events that a closed socket still has. */

#include "host.h"

#include <weir/error.h>

/* ---- Waiting for one socket ------------------------------------------------------------------------ */

int host_block(struct weir_host *host, int socket, uint32_t events, int closed)
{
    struct interest interest = {.waiter = waiter_begin(host), .events = events};
    int result = WEIR_ENOMEM;

    if (!interest.waiter)
        return WEIR_ENOMEM;
    if (interest_add(host, &interest, socket)) {
        result = host_wait_until(host, interest.waiter, NULL, 0, WEIR_NEVER);
        interest_remove(&interest);
    }
    if (result == WEIR_EINTR)
        result = 0;
    if (interest.waiter->is_closed && result != WEIR_ECANCELED)
        result = closed;
    waiter_end(host, interest.waiter);
    return result;
}

bool host_may_block(const struct weir_host *host, int socket)
{
    const struct slot *slot = slot_find(host, socket);

    return !slot || !slot->is_nonblocking;
}

int weir_set_nonblocking(struct weir_host *host, int socket, bool on)
{
    struct weir_stack *stack = weir_host_lock(host);
    int result = weir_socket_ready(stack, socket);
    struct slot *slot = result < 0 ? NULL : slot_get(host, socket);

    if (slot)
        slot->is_nonblocking = on;
    else if (result >= 0)
        result = WEIR_ENOMEM;
    weir_host_unlock(host);
    return result < 0 ? result : 0;
}

/* ---- Opening ----------------------------------------------------------------------------------------- */

int weir_socket(struct weir_host *host, enum weir_socket_kind kind, int protocol)
{
    int result = weir_socket_open(weir_host_lock(host), kind, protocol);

    weir_host_unlock(host);
    return result;
}

int weir_bind(struct weir_host *host, int socket, const struct weir_endpoint *local)
{
    int result = weir_socket_bind(weir_host_lock(host), socket, local);

    weir_host_unlock(host);
    return result;
}

int weir_listen(struct weir_host *host, int socket, int backlog)
{
    int result = weir_socket_listen(weir_host_lock(host), socket, backlog);

    weir_host_unlock(host);
    return result;
}

int weir_accept(struct weir_host *host, int socket, struct weir_endpoint *remote)
{
    struct weir_stack *stack = weir_host_lock(host);
    int result = weir_socket_accept(stack, socket, remote);

    while (result == WEIR_EAGAIN && host_may_block(host, socket)) {
        result = host_block(host, socket, WEIR_ACCEPT, WEIR_EINVAL);
        if (result == 0)
            result = weir_socket_accept(stack, socket, remote);
    }
    weir_host_unlock(host);
    return result == WEIR_EBADF ? WEIR_EINVAL : result;
}

/* One that another call began is waited for as well. */
int weir_connect(struct weir_host *host, int socket, const struct weir_endpoint *remote)
{
    struct weir_stack *stack = weir_host_lock(host);
    int result = weir_socket_connect(stack, socket, remote, weir_host_now());

    /* The same call tells the outcome. */
    if (result == WEIR_EINPROGRESS && host_may_block(host, socket))
        result = weir_socket_connect(stack, socket, remote, weir_host_now());
    while (result == WEIR_EALREADY && host_may_block(host, socket)) {
        result = host_block(host, socket, WEIR_OUT | WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = weir_socket_connect(stack, socket, remote, weir_host_now());
    }
    weir_host_unlock(host);
    return result;
}

/* ---- Closing ------------------------------------------------------------------------------------------ */

int weir_shutdown(struct weir_host *host, int socket, enum weir_shutdown_how how)
{
    int result = weir_socket_shutdown(weir_host_lock(host), socket, how);

    weir_host_unlock(host);
    return result;
}

/* Nothing of the closed socket is still to be acknowledged. */
static bool is_delivered(const struct weir_host *host, int socket)
{
    struct weir_tcp_info info;

    if (weir_tcp_info_get(host->stack, socket, weir_host_now(), &info) != 0)
        return true;
    return info.state == WEIR_STATE_FIN_WAIT_2 || info.state == WEIR_STATE_TIME_WAIT ||
           info.state == WEIR_STATE_CLOSED;
}

/* Waits until the peer has acknowledged all, or the connection is gone, or the time is over. */
static int linger(struct weir_host *host, int socket, weir_time timeout)
{
    struct interest interest = {.waiter = waiter_begin(host),
                                .events = WEIR_DELIVERED | WEIR_CLOSED};
    weir_time deadline = host_deadline(timeout);
    int result = WEIR_ENOMEM;

    if (!interest.waiter)
        return WEIR_ENOMEM;
    if (interest_add(host, &interest, socket)) {
        do {
            result = host_wait_until(host, interest.waiter, NULL, 0, deadline);
        } while (result == WEIR_EINTR);
        interest_remove(&interest);
    }
    waiter_end(host, interest.waiter);
    return result;
}

int weir_close(struct weir_host *host, int socket)
{
    struct weir_stack *stack = weir_host_lock(host);
    int64_t timeout = 0;
    int result;

    if (weir_socket_get(stack, socket, WEIR_SO_LINGER, &timeout) != 0)
        timeout = -1;
    result = weir_socket_close(stack, socket);
    if (result == 0) {
        host_closing(host, socket);
        if (timeout > 0 && !is_delivered(host, socket))
            result = linger(host, socket, timeout);
    }
    weir_host_unlock(host);
    return result;
}

/* ---- Questions ------------------------------------------------------------------------------------------ */

int weir_getsockname(struct weir_host *host, int socket, struct weir_endpoint *local)
{
    int result = weir_socket_local(weir_host_lock(host), socket, local);

    pthread_mutex_unlock(&host->lock);
    return result;
}

int weir_getpeername(struct weir_host *host, int socket, struct weir_endpoint *remote)
{
    int result = weir_socket_remote(weir_host_lock(host), socket, remote);

    pthread_mutex_unlock(&host->lock);
    return result;
}

int weir_setsockopt(struct weir_host *host, int socket, enum weir_option option, int64_t value)
{
    int result = weir_socket_set(weir_host_lock(host), socket, option, value);

    weir_host_unlock(host);
    return result;
}

int weir_getsockopt(struct weir_host *host, int socket, enum weir_option option, int64_t *value)
{
    int result = weir_socket_get(weir_host_lock(host), socket, option, value);

    pthread_mutex_unlock(&host->lock);
    return result;
}

int weir_tcp_info(struct weir_host *host, int socket, struct weir_tcp_info *info)
{
    int result = weir_tcp_info_get(weir_host_lock(host), socket, weir_host_now(), info);

    pthread_mutex_unlock(&host->lock);
    return result;
}
