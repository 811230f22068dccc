/* SPDX-License-Identifier: MIT */

/* The application's calls. Each finds its socket in the table, holds a reference while it works, and
 * waits, where it has to, on the socket's condition. */

#include "mysock_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define PIECE_MAX 65536 /* of a large mywrite: what is queued at once */

const struct network *mysock_network = &network_tcp;

/* The socket that the application means; NULL with EBADF. One that mysocket is still making, or that
 * myclose is ending, is none of the application's. */
static struct mysock *get(mysocket_t sd)
{
    struct mysock *sock = table_get(sd);
    bool_t is_open;

    if (sock) {
        pthread_mutex_lock(&sock->lock);
        is_open = sock->channel && !sock->has_close;
        pthread_mutex_unlock(&sock->lock);
        if (is_open)
            return sock;
        table_release(sock);
    }
    errno = EBADF;
    return NULL;
}

static int fail(struct mysock *sock, int error)
{
    table_release(sock);
    errno = error;
    return -1;
}

/* The result of a call of the network's. */
static int finish(struct mysock *sock, int result)
{
    int error = errno;

    table_release(sock);
    errno = error;
    return result;
}

static int check_addr(const struct sockaddr *addr, int length)
{
    if (!addr || length < (int)sizeof(struct sockaddr_in))
        return EINVAL;
    return addr->sa_family == AF_INET ? 0 : EADDRNOTAVAIL;
}

static void give_addr(const struct sockaddr_in *from, struct sockaddr *to, socklen_t *length)
{
    if (!to || !length)
        return;
    memcpy(to, from, *length < sizeof(*from) ? *length : sizeof(*from));
    *length = sizeof(*from);
}

/* ---- Making and ending. */

#ifdef __cplusplus
mysocket_t mysocket(bool_t is_reliable)
#else
mysocket_t mysocket_open(bool_t is_reliable)
#endif
{
    struct mysock *sock = table_add(is_reliable);
    struct channel *channel;

    if (!sock)
        return -1;
    channel = mysock_network->open(sock, is_reliable);
    if (!channel) {
        int error = errno;

        table_remove(sock);
        errno = error;
        return finish(sock, -1);
    }
    pthread_mutex_lock(&sock->lock);
    sock->channel = channel;
    pthread_mutex_unlock(&sock->lock);
    return finish(sock, sock->sd);
}

void mysock_free(struct mysock *sock)
{
    table_remove(sock);
    table_release(sock);
}

void mysock_end(struct mysock *sock)
{
    bool_t has_thread, is_listener;

    transport_close(sock, FALSE);
    pthread_mutex_lock(&sock->lock);
    has_thread = sock->has_thread;
    is_listener = sock->is_listener;
    pthread_mutex_unlock(&sock->lock);
    if (is_listener)
        listener_close(sock);
    if (has_thread)
        pthread_join(sock->thread, NULL);
    mysock_free(sock);
}

int myclose(mysocket_t sd)
{
    struct mysock *sock = get(sd);
    bool_t is_closed;

    if (!sock)
        return -1;
    pthread_mutex_lock(&sock->lock);
    is_closed = sock->has_close;
    sock->has_close = TRUE;
    pthread_mutex_unlock(&sock->lock);
    if (is_closed)
        return fail(sock, EBADF);
    mysock_end(sock);
    return 0;
}

/* ---- Addresses and connections. */

/* A call of the network's has failed, after `flag` was set. */
static int take_back(struct mysock *sock, bool_t *flag)
{
    pthread_mutex_lock(&sock->lock);
    *flag = FALSE;
    pthread_mutex_unlock(&sock->lock);
    return finish(sock, -1);
}

int mybind(mysocket_t sd, struct sockaddr *addr, int addrlen)
{
    int error = check_addr(addr, addrlen);
    struct mysock *sock = get(sd);

    if (!sock)
        return -1;
    if (error)
        return fail(sock, error);
    pthread_mutex_lock(&sock->lock);
    error = sock->is_bound || sock->has_peer ? EINVAL : 0;
    sock->is_bound = TRUE;
    pthread_mutex_unlock(&sock->lock);
    if (error)
        return fail(sock, error);
    if (mysock_network->bind(sock->channel, (struct sockaddr_in *)addr) < 0)
        return take_back(sock, &sock->is_bound);
    return finish(sock, 0);
}

int mylisten(mysocket_t sd, int backlog)
{
    struct mysock *sock = get(sd);
    bool_t is_good, is_listener;

    if (!sock)
        return -1;
    pthread_mutex_lock(&sock->lock);
    is_good = sock->is_bound && !sock->has_peer;
    is_listener = sock->is_listener;
    sock->is_listener = is_good;
    pthread_mutex_unlock(&sock->lock);
    if (!is_good)
        return fail(sock, EINVAL);
    if (is_listener)
        return finish(sock, 0);
    listener_open(sock, backlog > 0 ? (unsigned)backlog : 0);
    if (mysock_network->listen(sock->channel) == 0)
        return finish(sock, 0);
    listener_close(sock);
    return take_back(sock, &sock->is_listener);
}

/* Waits for the outcome of the handshake: 0 or an errno. */
static int wait_unblocked(struct mysock *sock)
{
    int error;

    pthread_mutex_lock(&sock->lock);
    while (!sock->is_unblocked)
        pthread_cond_wait(&sock->changed, &sock->lock);
    error = sock->error;
    pthread_mutex_unlock(&sock->lock);
    return error;
}

int myconnect(mysocket_t sd, struct sockaddr *name, int namelen)
{
    int error = check_addr(name, namelen);
    struct mysock *sock = get(sd);

    if (!sock)
        errno = EINVAL;
    if (!sock)
        return -1;
    pthread_mutex_lock(&sock->lock);
    if (sock->has_peer)
        error = EISCONN;
    else if (sock->is_listener)
        error = EINVAL;
    if (!error) {
        memcpy(&sock->peer, name, sizeof(sock->peer));
        sock->has_peer = TRUE;
    }
    pthread_mutex_unlock(&sock->lock);
    if (error)
        return fail(sock, error);
    if (mysock_network->connect(sock->channel, (struct sockaddr_in *)name) < 0)
        return take_back(sock, &sock->has_peer);
    if (transport_start(sock, TRUE) < 0)
        return finish(sock, -1);
    error = wait_unblocked(sock);
    return error ? fail(sock, error) : finish(sock, 0);
}

int myaccept(mysocket_t sd, struct sockaddr *addr, int *addrlen)
{
    struct mysock *listener = get(sd), *sock;
    mysocket_t accepted;
    bool_t is_listener;

    if (!listener)
        return -1;
    pthread_mutex_lock(&listener->lock);
    is_listener = listener->is_listener;
    pthread_mutex_unlock(&listener->lock);
    if (!is_listener)
        return fail(listener, EINVAL);
    sock = listener_accept(listener);
    if (!sock)
        return fail(listener, EBADF);
    accepted = sock->sd;
    if (addrlen && *addrlen > 0)
        give_addr(&sock->peer, addr, (socklen_t *)addrlen);
    table_release(sock);
    return finish(listener, accepted);
}

int mygetsockname(mysocket_t sd, struct sockaddr *addr, socklen_t *addrlen)
{
    struct mysock *sock = get(sd);
    struct sockaddr_in local;

    if (!sock)
        return -1;
    if (mysock_network->local(sock->channel, &local) < 0)
        return finish(sock, -1);
    give_addr(&local, addr, addrlen);
    return finish(sock, 0);
}

int mygetpeername(mysocket_t sd, struct sockaddr *addr, socklen_t *addrlen)
{
    struct mysock *sock = get(sd);
    struct sockaddr_in peer;
    bool_t has_peer;

    if (!sock)
        return -1;
    pthread_mutex_lock(&sock->lock);
    has_peer = sock->has_peer;
    peer = sock->peer;
    pthread_mutex_unlock(&sock->lock);
    if (!has_peer)
        return fail(sock, ENOTCONN);
    give_addr(&peer, addr, addrlen);
    return finish(sock, 0);
}

uint32_t mylocalip(uint32_t peer_addr)
{
    struct sockaddr_in peer, local;
    socklen_t length = sizeof(local);
    uint32_t found = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    memset(&peer, 0, sizeof(peer));
    memset(&local, 0, sizeof(local));
    peer.sin_family = AF_INET;
    peer.sin_port = htons(9);
    peer.sin_addr.s_addr = peer_addr;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0 &&
        getsockname(fd, (struct sockaddr *)&local, &length) == 0)
        found = local.sin_addr.s_addr;
    if (fd >= 0)
        close(fd);
    return found;
}

/* ---- Bytes. */

/* Whether bytes can go through a socket, now or once: 0 or an errno; under the lock. */
static int check_stream(const struct mysock *sock)
{
    if (sock->is_listener)
        return EINVAL;
    if (!sock->has_peer)
        return ENOTCONN;
    return sock->has_close ? EBADF : 0;
}

static bool_t can_read(const struct mysock *sock)
{
    return sock->to_app.pieces > 0 || sock->has_end || sock->read_error || sock->has_close;
}

int myread(mysocket_t sd, void *buffer, size_t length)
{
    struct mysock *sock = get(sd);
    size_t got = 0;
    int error;

    if (!sock)
        return -1;
    pthread_mutex_lock(&sock->lock);
    error = check_stream(sock);
    while (!error && length > 0 && !can_read(sock))
        pthread_cond_wait(&sock->changed, &sock->lock);
    while (!error && got < length && sock->to_app.pieces > 0)
        got += queue_take(&sock->to_app, (char *)buffer + got, length - got);
    if (!error && got == 0 && length > 0)
        error = sock->has_close ? EBADF : sock->read_error;
    if (got > 0)
        pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    return error ? fail(sock, error) : finish(sock, (int)got);
}

static bool_t can_write(const struct mysock *sock)
{
    return (sock->from_app.bytes < FROM_APP_MAX && sock->from_app.pieces < FROM_APP_PIECES) ||
           sock->is_over || sock->has_close;
}

/* Queues a piece when there is room; 0 or an errno. */
static int write_piece(struct mysock *sock, const void *data, size_t length)
{
    int error;

    pthread_mutex_lock(&sock->lock);
    error = check_stream(sock);
    while (!error && !can_write(sock))
        pthread_cond_wait(&sock->changed, &sock->lock);
    if (!error && sock->has_close)
        error = EBADF;
    else if (!error && sock->is_over)
        error = EPIPE;
    else if (!error && !queue_add(&sock->from_app, data, length))
        error = ENOMEM;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    return error;
}

int mywrite(mysocket_t sd, const void *buffer, size_t length)
{
    struct mysock *sock = get(sd);
    size_t done = 0, piece;
    int error;

    if (!sock)
        return -1;
    length = length < INT_MAX ? length : INT_MAX;
    do {
        piece = length - done < PIECE_MAX ? length - done : PIECE_MAX;
        error = write_piece(sock, (const char *)buffer + done, piece);
        if (!error)
            done += piece;
    } while (!error && done < length);
    if (error && done == 0)
        return fail(sock, error);
    return finish(sock, (int)done);
}
