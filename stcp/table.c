/* SPDX-License-Identifier: MIT */

/* Descriptors: numbers for sockets, the lowest free one first, and counted references, so that one
 * thread may close a socket while others are in calls about it. The table begins with
 * MAX_NUM_CONNECTIONS places and doubles. It has one of the references; removing takes it. Whoever gives the last one back closes the channel: so
 * nobody in a call ever meets a closed one. */

#include "mysock_impl.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mysock **places;
static size_t size;
static size_t lowest; /* no place before it is free */

static bool_t grow(void)
{
    size_t larger = size ? 2 * size : MAX_NUM_CONNECTIONS;
    struct mysock **moved = (struct mysock **)realloc(places, larger * sizeof(*places));

    if (!moved)
        return FALSE;
    memset(moved + size, 0, (larger - size) * sizeof(*moved));
    places = moved;
    size = larger;
    return TRUE;
}

static struct mysock *create(bool_t is_reliable)
{
    struct mysock *sock = (struct mysock *)calloc(1, sizeof(*sock));

    if (!sock)
        return NULL;
    pthread_mutex_init(&sock->lock, NULL);
    pthread_cond_init(&sock->changed, NULL);
    sock->is_reliable = is_reliable;
    sock->references = 2;
    return sock;
}

static void destroy(struct mysock *sock)
{
    queue_clear(&sock->from_network);
    queue_clear(&sock->from_app);
    queue_clear(&sock->to_app);
    if (sock->channel)
        mysock_network->close(sock->channel);
    pthread_cond_destroy(&sock->changed);
    pthread_mutex_destroy(&sock->lock);
    free(sock);
}

struct mysock *table_add(bool_t is_reliable)
{
    struct mysock *sock = create(is_reliable);

    if (!sock) {
        errno = EMFILE;
        return NULL;
    }
    pthread_mutex_lock(&lock);
    while (lowest < size && places[lowest])
        lowest++;
    if (lowest == size && !grow()) {
        pthread_mutex_unlock(&lock);
        destroy(sock);
        errno = EMFILE;
        return NULL;
    }
    places[lowest] = sock;
    sock->sd = (mysocket_t)lowest;
    pthread_mutex_unlock(&lock);
    return sock;
}

struct mysock *table_get(mysocket_t sd)
{
    struct mysock *sock = NULL;

    pthread_mutex_lock(&lock);
    if (sd >= 0 && (size_t)sd < size)
        sock = places[sd];
    if (sock)
        sock->references++;
    pthread_mutex_unlock(&lock);
    return sock;
}

void table_hold(struct mysock *sock)
{
    pthread_mutex_lock(&lock);
    sock->references++;
    pthread_mutex_unlock(&lock);
}

void table_release(struct mysock *sock)
{
    bool_t is_last;

    pthread_mutex_lock(&lock);
    is_last = --sock->references == 0;
    pthread_mutex_unlock(&lock);
    if (is_last)
        destroy(sock);
}

void table_remove(struct mysock *sock)
{
    size_t place = (size_t)sock->sd;

    pthread_mutex_lock(&lock);
    places[place] = NULL;
    if (place < lowest)
        lowest = place;
    pthread_mutex_unlock(&lock);
    table_release(sock);
}
