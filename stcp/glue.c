/* SPDX-License-Identifier: MIT */

/* The calls of stcp_api.h, and the thread that runs a connection's transport.
 *
 * A transport is somebody else's code, perhaps a student's: it knows its connection by the descriptor
 * alone, waits for events, and is trusted with nothing else. What it should have said when it returns
 * is said here in its place: that the handshake is over, and that the stream has ended. */

#include "mysock_impl.h"
#include "stcp_api.h"
#include "transport.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>

#define PARTS_MAX 16 /* of a segment, in stcp_network_send */
#define SECOND_NS 1000000000L

/* The connection of a transport that makes a call; never NULL. */
static struct mysock *get(mysocket_t sd)
{
    struct mysock *sock = table_get(sd);

    assert(sock);
    return sock;
}

/* ---- The thread. */

static void unblock(struct mysock *sock, int error)
{
    pthread_mutex_lock(&sock->lock);
    sock->is_unblocked = TRUE;
    sock->error = error;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    if (!sock->is_active)
        listener_outcome(sock, error);
}

static void *run_transport(void *argument)
{
    struct mysock *sock = (struct mysock *)argument;
    int error;

    errno = 0;
    transport_init(sock->sd, sock->is_active);
    error = errno;
    if (error == 0 || error == EINTR)
        error = sock->is_active ? ECONNREFUSED : ECONNABORTED;
    if (!sock->is_unblocked) /* which no other thread changes */
        unblock(sock, error);
    pthread_mutex_lock(&sock->lock);
    sock->is_over = TRUE;
    sock->has_end = TRUE;
    queue_clear(&sock->from_app);
    queue_clear(&sock->from_network);
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    if (!sock->is_active && listener_forgets(sock)) {
        pthread_detach(pthread_self());
        mysock_free(sock);
    } else {
        table_release(sock);
    }
    return NULL;
}

int transport_start(struct mysock *sock, bool_t is_active)
{
    int error = EBADF;

    table_hold(sock);
    pthread_mutex_lock(&sock->lock);
    if (!sock->has_close) {
        sock->is_active = is_active;
        error = pthread_create(&sock->thread, NULL, run_transport, sock);
        sock->has_thread = error == 0;
    }
    pthread_mutex_unlock(&sock->lock);
    if (!error)
        return 0;
    table_release(sock);
    errno = error;
    return -1;
}

void transport_close(struct mysock *sock, bool_t is_lost)
{
    pthread_mutex_lock(&sock->lock);
    sock->has_close = TRUE;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    if (is_lost)
        mysock_deliver(sock, NULL, 0);
}

/* ---- Events. */

/* A segment, or the news, not yet told, that there will be none. */
static bool_t has_network_data(const struct mysock *sock)
{
    return sock->from_network.pieces > 0 || (sock->is_lost && !sock->lost_told);
}

/* What is there of what is waited for; under the lock. */
static unsigned int events(struct mysock *sock, unsigned int wait_flags)
{
    unsigned int found = 0;

    if ((wait_flags & APP_DATA) && sock->from_app.pieces > 0)
        found |= APP_DATA;
    if ((wait_flags & NETWORK_DATA) && has_network_data(sock) &&
        (sock->to_app.bytes < TO_APP_MAX || sock->has_close))
        found |= NETWORK_DATA;
    if (sock->has_close && !sock->close_told && sock->from_app.pieces == 0) {
        sock->close_told = TRUE;
        found |= APP_CLOSE_REQUESTED;
    }
    return found;
}

/* Who adds to a time forgets now and then that a second has only 10^9 nanoseconds. */
static struct timespec normalize(const struct timespec *time)
{
    struct timespec result = *time;

    result.tv_sec += result.tv_nsec / SECOND_NS;
    result.tv_nsec %= SECOND_NS;
    if (result.tv_nsec < 0) {
        result.tv_nsec += SECOND_NS;
        result.tv_sec--;
    }
    if (result.tv_sec < 0)
        result.tv_sec = result.tv_nsec = 0;
    return result;
}

unsigned int stcp_wait_for_event(mysocket_t sd, unsigned int wait_flags,
                                 const struct timespec *abstime)
{
    struct mysock *sock = get(sd);
    struct timespec until;
    unsigned int found;
    int error = 0;

    if (abstime)
        until = normalize(abstime);
    pthread_mutex_lock(&sock->lock);
    while (!(found = events(sock, wait_flags)) && !error) {
        if (abstime)
            error = pthread_cond_timedwait(&sock->changed, &sock->lock, &until);
        else
            pthread_cond_wait(&sock->changed, &sock->lock);
    }
    if (!found && error)
        found = events(sock, wait_flags);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
    return found;
}

/* ---- The network. */

bool_t mysock_deliver(struct mysock *sock, const void *segment, size_t length)
{
    bool_t is_taken = FALSE;

    pthread_mutex_lock(&sock->lock);
    if (length == 0)
        sock->is_lost = TRUE;
    if (length == 0 || sock->is_over || sock->is_lost)
        is_taken = TRUE;
    else if (sock->from_network.pieces < FROM_NETWORK_MAX)
        is_taken = queue_add(&sock->from_network, segment, length);
    sock->network_waits |= !is_taken;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    return is_taken;
}

ssize_t stcp_network_recv(mysocket_t sd, void *dst, size_t max_len)
{
    struct mysock *sock = get(sd);
    bool_t resumes;
    size_t length;

    pthread_mutex_lock(&sock->lock);
    while (sock->from_network.pieces == 0 && !sock->is_lost)
        pthread_cond_wait(&sock->changed, &sock->lock);
    sock->lost_told = sock->from_network.pieces == 0;
    length = queue_take_piece(&sock->from_network, dst, max_len);
    resumes = sock->network_waits && sock->from_network.pieces < FROM_NETWORK_MAX / 2;
    if (resumes)
        sock->network_waits = FALSE;
    pthread_mutex_unlock(&sock->lock);
    if (resumes)
        mysock_network->resume(sock->channel);
    table_release(sock);
    return (ssize_t)length;
}

ssize_t stcp_network_send(mysocket_t sd, const void *src, size_t src_len, ...)
{
    struct mysock *sock = get(sd);
    struct bytes parts[PARTS_MAX];
    size_t total = src_len;
    const void *next;
    int count = 1;
    va_list pairs;
    ssize_t sent;

    parts[0].data = src;
    parts[0].length = src_len;
    va_start(pairs, src_len);
    while ((next = va_arg(pairs, const void *)) != NULL) {
        /* Of an int in place of a size_t only the lower half is sure. */
        size_t length = va_arg(pairs, size_t) & 0xffffffffu;

        assert(count < PARTS_MAX && "a list of pairs ends with NULL");
        assert(length <= SEGMENT_MAX - total && "a segment has at most 1500 bytes");
        parts[count].data = next;
        parts[count++].length = length;
        total += length;
    }
    va_end(pairs);
    assert(total >= SEGMENT_MIN && total <= SEGMENT_MAX);
    sent = mysock_network->send(sock->channel, parts, count);
    table_release(sock);
    return sent;
}

/* ---- The application. */

size_t stcp_app_recv(mysocket_t sd, void *dst, size_t max_len)
{
    struct mysock *sock = get(sd);
    size_t length;

    pthread_mutex_lock(&sock->lock);
    while (sock->from_app.pieces == 0)
        pthread_cond_wait(&sock->changed, &sock->lock);
    length = queue_take(&sock->from_app, dst, max_len);
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
    return length;
}

void stcp_app_send(mysocket_t sd, const void *src, size_t src_len)
{
    struct mysock *sock = get(sd);

    pthread_mutex_lock(&sock->lock);
    if (src_len > 0 && !sock->has_end && !sock->has_close && !sock->read_error &&
        !queue_add(&sock->to_app, src, src_len))
        sock->read_error = ENOMEM;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
}

void stcp_fin_received(mysocket_t sd)
{
    struct mysock *sock = get(sd);

    pthread_mutex_lock(&sock->lock);
    sock->has_end = TRUE;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
}

void stcp_unblock_application(mysocket_t sd)
{
    int error = errno;
    struct mysock *sock = get(sd);

    assert(!sock->is_unblocked && "to be called once"); /* which no other thread changes */
    unblock(sock, error == EINTR ? 0 : error);
    table_release(sock);
}

void stcp_set_context(mysocket_t sd, const void *context)
{
    struct mysock *sock = get(sd);

    sock->context = context;
    table_release(sock);
}

void *stcp_get_context(mysocket_t sd)
{
    struct mysock *sock = get(sd);
    const void *context = sock->context;

    table_release(sock);
    return (void *)context;
}
