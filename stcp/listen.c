/* SPDX-License-Identifier: MIT */

/* Listeners. A first segment, a SYN, becomes a connection with a transport of its own; when that has
 * made its handshake the connection is complete, and myaccept takes the oldest complete one.
 *
 * At most backlog + 1 complete connections wait; while there are that many, first segments wait in the
 * network. Clients that begin a handshake and never end it cannot keep others out: beyond HALF_OPEN_MAX
 * the oldest half-open connection is given up.
 *
 * A connection that nobody will ever accept, because its handshake has failed or because it was given up,
 * is off the list and `is_alone`: its transport's thread frees it. */

#include "mysock_impl.h"
#include "transport.h"

#define HALF_OPEN_MAX 128

static pthread_mutex_t lists = PTHREAD_MUTEX_INITIALIZER;

static void put_on(struct mysock *listener, struct mysock *sock)
{
    struct mysock **place = &listener->connections;

    while (*place)
        place = &(*place)->next;
    *place = sock;
    sock->listener = listener;
    listener->half_open++;
    table_hold(sock);
}

/* The list's reference goes to the caller. */
static void take_off(struct mysock *sock)
{
    struct mysock *listener = sock->listener;
    struct mysock **place = &listener->connections;

    while (*place != sock)
        place = &(*place)->next;
    *place = sock->next;
    if (sock->is_complete)
        listener->complete--;
    else
        listener->half_open--;
    sock->listener = NULL;
}

/* ---- The network's side. */

static void give_up_oldest(struct mysock *listener)
{
    struct mysock *sock = listener->connections;

    while (sock->is_complete)
        sock = sock->next;
    take_off(sock);
    sock->is_alone = TRUE;
    transport_close(sock, TRUE);
    table_release(sock);
}

static bool_t is_queued(const struct mysock *listener, const struct sockaddr_in *peer)
{
    const struct mysock *sock;

    for (sock = listener->connections; sock; sock = sock->next)
        if (sock->peer.sin_addr.s_addr == peer->sin_addr.s_addr &&
            sock->peer.sin_port == peer->sin_port)
            return TRUE;
    return FALSE;
}

static struct mysock *add(struct mysock *listener, struct channel *channel,
                          const struct sockaddr_in *peer, const void *segment, size_t length)
{
    struct mysock *sock = table_add(listener->is_reliable);

    if (!sock)
        return NULL;
    pthread_mutex_lock(&sock->lock);
    sock->channel = channel;
    sock->is_bound = sock->has_peer = TRUE;
    sock->peer = *peer;
    pthread_mutex_unlock(&sock->lock);
    put_on(listener, sock);
    if (queue_add(&sock->from_network, segment, length) && transport_start(sock, FALSE) == 0) {
        table_release(sock); /* its thread cannot free it as long as we have the lists' lock */
        return sock;
    }
    pthread_mutex_lock(&sock->lock);
    sock->channel = NULL; /* the network closes it */
    pthread_mutex_unlock(&sock->lock);
    take_off(sock);
    table_release(sock);
    table_remove(sock);
    table_release(sock);
    return NULL;
}

bool_t mysock_incoming(struct mysock *listener, struct channel *channel,
                       const struct sockaddr_in *peer, const void *segment, size_t length,
                       struct mysock **sock)
{
    bool_t has_room;

    *sock = NULL;
    if (length < sizeof(STCPHeader) || !(((const STCPHeader *)segment)->th_flags & TH_SYN))
        return TRUE;
    pthread_mutex_lock(&lists);
    has_room = !listener->is_listening || listener->complete <= listener->backlog;
    if (has_room && listener->is_listening && !is_queued(listener, peer)) {
        if (listener->half_open == HALF_OPEN_MAX)
            give_up_oldest(listener);
        *sock = add(listener, channel, peer, segment, length);
    }
    pthread_mutex_unlock(&lists);
    return has_room;
}

/* ---- The transport's side. */

void listener_outcome(struct mysock *sock, int error)
{
    pthread_mutex_lock(&lists);
    if (sock->listener && error == 0) {
        sock->is_complete = TRUE;
        sock->listener->half_open--;
        sock->listener->complete++;
        pthread_cond_broadcast(&sock->listener->changed);
    }
    pthread_mutex_unlock(&lists);
}

bool_t listener_forgets(struct mysock *sock)
{
    bool_t forgets;

    pthread_mutex_lock(&lists);
    if (sock->listener && !sock->is_complete) {
        take_off(sock);
        table_release(sock);
        sock->is_alone = TRUE;
    }
    forgets = sock->is_alone;
    pthread_mutex_unlock(&lists);
    return forgets;
}

/* ---- The application's side. */

void listener_open(struct mysock *sock, unsigned backlog)
{
    pthread_mutex_lock(&lists);
    sock->backlog = backlog;
    sock->is_listening = TRUE;
    pthread_mutex_unlock(&lists);
}

static struct mysock *oldest_complete(const struct mysock *listener)
{
    struct mysock *sock = listener->connections;

    while (sock && !sock->is_complete)
        sock = sock->next;
    return sock;
}

struct mysock *listener_accept(struct mysock *listener)
{
    struct mysock *sock;

    pthread_mutex_lock(&lists);
    while (!(sock = oldest_complete(listener)) && listener->is_listening)
        pthread_cond_wait(&listener->changed, &lists);
    if (sock)
        take_off(sock);
    pthread_mutex_unlock(&lists);
    if (sock)
        mysock_network->resume(listener->channel);
    return sock;
}

void listener_close(struct mysock *listener)
{
    struct mysock *sock;

    pthread_mutex_lock(&lists);
    listener->is_listening = FALSE; /* nothing is added from now on */
    pthread_cond_broadcast(&listener->changed);
    while ((sock = listener->connections) != NULL) {
        take_off(sock);
        pthread_mutex_unlock(&lists);
        mysock_end(sock);
        pthread_mutex_lock(&lists);
    }
    pthread_mutex_unlock(&lists);
}
