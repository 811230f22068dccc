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

/* Waits once for an event of `socket`. Returns 0: try again; `closed` if the program has closed it;
 * WEIR_ECANCELED, WEIR_ENOMEM. */
static int block(struct weir_host *host, int socket, uint32_t events, int closed)
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

    while (result == WEIR_EAGAIN) {
        result = block(host, socket, WEIR_ACCEPT, WEIR_EINVAL);
        if (result == 0)
            result = weir_socket_accept(stack, socket, remote);
    }
    weir_host_unlock(host);
    return result == WEIR_EBADF ? WEIR_EINVAL : result;
}

/* What became of an active open: 0, an error, or WEIR_EAGAIN while it is under way. */
static int connect_outcome(struct weir_stack *stack, int socket)
{
    int ready = weir_socket_ready(stack, socket);
    int error;

    if (ready < 0)
        return ready;
    if (ready & WEIR_ERR) {
        error = weir_socket_take_error(stack, socket);
        return error != 0 ? error : WEIR_ECONNABORTED;
    }
    if (ready & (WEIR_OUT | WEIR_IN))
        return 0;
    return ready & (WEIR_HUP | WEIR_CLOSED) ? WEIR_ECONNABORTED : WEIR_EAGAIN;
}

int weir_connect(struct weir_host *host, int socket, const struct weir_endpoint *remote)
{
    struct weir_stack *stack = weir_host_lock(host);
    int result = weir_socket_connect(stack, socket, remote, weir_host_now());

    if (result == WEIR_EINPROGRESS)
        result = connect_outcome(stack, socket);
    while (result == WEIR_EAGAIN) {
        result = block(host, socket, WEIR_OUT | WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = connect_outcome(stack, socket);
    }
    weir_host_unlock(host);
    return result;
}

/* ---- Data -------------------------------------------------------------------------------------------- */

/* True if an error waits to be reported by the next call; it is left for that. */
static bool has_error(const struct weir_stack *stack, int socket)
{
    int ready = weir_socket_ready(stack, socket);

    return ready < 0 || (ready & WEIR_ERR);
}

long weir_send(struct weir_host *host, int socket, const void *data, size_t length, int flags)
{
    struct weir_stack *stack = weir_host_lock(host);
    const uint8_t *bytes = data;
    size_t done = 0;
    long result;

    for (;;) {
        result = weir_socket_send(stack, socket, bytes + done, length - done, flags);
        if (result > 0)
            done += (size_t)result;
        if (result > 0 && done < length)
            continue; /* the next call says why it took no more */
        if (result != WEIR_EAGAIN)
            break;
        result = block(host, socket, WEIR_OUT, WEIR_EPIPE);
        if (result != 0 || (done > 0 && has_error(stack, socket)))
            break;
    }
    weir_host_unlock(host);
    return done > 0 ? (long)done : result;
}

long weir_recv(struct weir_host *host, int socket, void *data, size_t length)
{
    struct weir_stack *stack = weir_host_lock(host);
    long result = weir_socket_recv(stack, socket, data, length);

    while (result == WEIR_EAGAIN) {
        result = block(host, socket, WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = weir_socket_recv(stack, socket, data, length);
    }
    weir_host_unlock(host);
    return result;
}

long weir_sendto(struct weir_host *host, int socket, const void *data, size_t length,
                 const struct weir_datagram *to)
{
    long result = weir_socket_sendto(weir_host_lock(host), socket, data, length, to);

    weir_host_unlock(host);
    return result;
}

long weir_recvfrom(struct weir_host *host, int socket, void *data, size_t length,
                   struct weir_datagram *from)
{
    struct weir_stack *stack = weir_host_lock(host);
    long result = weir_socket_recvfrom(stack, socket, data, length, from);

    while (result == WEIR_EAGAIN) {
        result = block(host, socket, WEIR_IN, WEIR_EBADF);
        if (result == 0)
            result = weir_socket_recvfrom(stack, socket, data, length, from);
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
