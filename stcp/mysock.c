/* SPDX-License-Identifier: MIT */

/* The application's calls. Each finds its socket in the table, holds a reference while it works, and
 * waits, where it has to, on the socket's condition. */

#include "mysock_impl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_MAX 65536 /* of a large mywrite: what is queued at once */

/* The socket that the application means; NULL with EBADF. */
static struct mysock *get(mysocket_t sd)
{
    struct mysock *sock = table_get(sd);

    if (sock && sock->has_close) {
        table_release(sock);
        sock = NULL;
    }
    if (!sock)
        errno = EBADF;
    return sock;
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
    mysocket_t sd;

    if (!sock)
        return -1;
    sd = sock->sd;
    sock->channel = mysock_network->open(sock, is_reliable);
    if (!sock->channel) {
        table_remove(sock);
        return finish(sock, -1);
    }
    table_release(sock);
    return sd;
}

void mysock_free(struct mysock *sock)
{
    if (sock->channel)
        mysock_network->close(sock->channel);
    table_remove(sock);
    table_release(sock);
}

void mysock_end(struct mysock *sock)
{
    if (sock->is_listening)
        listener_close(sock);
    transport_close(sock, FALSE);
    if (sock->has_thread)
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

int mybind(mysocket_t sd, struct sockaddr *addr, int addrlen)
{
    int error = check_addr(addr, addrlen);
    struct mysock *sock = get(sd);

    if (!sock)
        return -1;
    if (error)
        return fail(sock, error);
    if (sock->is_bound || sock->has_peer)
        return fail(sock, EINVAL);
    memcpy(&sock->bound, addr, sizeof(sock->bound));
    if (mysock_network->bind(sock->channel, &sock->bound) < 0)
        return finish(sock, -1);
    sock->is_bound = TRUE;
    return finish(sock, 0);
}

int mylisten(mysocket_t sd, int backlog)
{
    struct mysock *sock = get(sd);

    if (!sock)
        return -1;
    if (!sock->is_bound || sock->has_peer)
        return fail(sock, EINVAL);
    if (sock->is_listening)
        return finish(sock, 0);
    if (mysock_network->listen(sock->channel) < 0)
        return finish(sock, -1);
    return finish(sock, listener_open(sock, backlog > 0 ? (unsigned)backlog : 0));
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
        return -1;
    if (sock->has_peer)
        return fail(sock, EISCONN);
    if (error || sock->is_listening)
        return fail(sock, error ? error : EINVAL);
    memcpy(&sock->peer, name, sizeof(sock->peer));
    if (mysock_network->connect(sock->channel, &sock->peer) < 0)
        return finish(sock, -1);
    sock->has_peer = TRUE;
    if (transport_start(sock, TRUE) < 0)
        return finish(sock, -1);
    error = wait_unblocked(sock);
    return error ? fail(sock, error) : finish(sock, 0);
}

int myaccept(mysocket_t sd, struct sockaddr *addr, int *addrlen)
{
    struct mysock *listener = get(sd), *sock;
    mysocket_t accepted;

    if (!listener)
        return -1;
    if (!listener->is_listening)
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

    if (!sock)
        return -1;
    if (!sock->has_peer)
        return fail(sock, ENOTCONN);
    give_addr(&sock->peer, addr, addrlen);
    return finish(sock, 0);
}

uint32_t mylocalip(uint32_t peer_addr)
{
    struct sockaddr_in peer, local;
    socklen_t length = sizeof(local);
    uint32_t found = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    memset(&peer, 0, sizeof(peer));
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

int myread(mysocket_t sd, void *buffer, size_t length)
{
    struct mysock *sock = get(sd);
    size_t got = 0;
    int error;

    if (!sock)
        return -1;
    if (sock->is_listening || !sock->has_peer)
        return fail(sock, sock->is_listening ? EINVAL : ENOTCONN);
    pthread_mutex_lock(&sock->lock);
    while (length > 0 && sock->to_app.pieces == 0 && !sock->has_end && !sock->read_error)
        pthread_cond_wait(&sock->changed, &sock->lock);
    while (got < length && sock->to_app.pieces > 0)
        got += queue_take(&sock->to_app, (char *)buffer + got, length - got);
    error = got == 0 ? sock->read_error : 0;
    pthread_cond_broadcast(&sock->changed);
    pthread_mutex_unlock(&sock->lock);
    return error ? fail(sock, error) : finish(sock, (int)got);
}

/* Queues a piece when there is room; 0 or an errno. */
static int write_piece(struct mysock *sock, const void *data, size_t length)
{
    int error = 0;

    pthread_mutex_lock(&sock->lock);
    while (sock->from_app.bytes >= FROM_APP_MAX && !sock->is_over && !sock->has_close)
        pthread_cond_wait(&sock->changed, &sock->lock);
    if (sock->is_over || sock->has_close)
        error = EPIPE;
    else if (!queue_add(&sock->from_app, data, length))
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
    if (sock->is_listening || !sock->has_peer)
        return fail(sock, sock->is_listening ? EINVAL : ENOTCONN);
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
