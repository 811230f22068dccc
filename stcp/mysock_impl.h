/* SPDX-License-Identifier: MIT */

/* The inside of MYSOCK: what its files share. C90 and C++98.
 *
 *   table.c   descriptors           mysock.c   the application's calls
 *   queue.c   queues of bytes       glue.c     stcp_api.h, and the thread that runs the transport
 *   listen.c  listeners and the connections that wait in them
 *
 * A socket is shared by the application's threads, its transport's thread and the network's. Threads
 * of the first two kinds hold a reference while they work with it; the network has none, but nothing of
 * its calls is under way when its channel has been closed. Everybody holds the socket's lock while he
 * looks at or changes what stands below. The lists of all listeners have one lock, in listen.c. Locks
 * are taken in this order: the network's own, the lists', a socket's, the table's; so nobody holds one
 * of the last three while calling the network. A descriptor stays taken until the transport has ended,
 * because the transport knows its connection by no other name. */

#ifndef MYSOCK_IMPL_H
#define MYSOCK_IMPL_H

#include "network.h"
#include <pthread.h>
#include <stddef.h>

#define FROM_NETWORK_MAX 1000         /* segments */
#define FROM_APP_MAX (1024 * 1024)    /* bytes; then mywrite blocks */
#define FROM_APP_PIECES (1024 * 1024) /* writes, which may be empty; the same */
#define TO_APP_MAX (16 * 1024 * 1024) /* bytes; then segments wait until the application reads */

/* Pieces of bytes, in order; a piece keeps its limits until it is used up. */
struct piece {
    struct piece *next;
    size_t start, length; /* what is left of `data` */
    unsigned char data[1];
};

struct queue {
    struct piece *head, *tail;
    size_t bytes;  /* of all pieces */
    size_t pieces; /* empty ones count, too */
};

/* FALSE: no memory. */
extern bool_t queue_add(struct queue *queue, const void *data, size_t length);
/* Takes up to `max` bytes of the first piece, which goes when it is empty; answers how many. */
extern size_t queue_take(struct queue *queue, void *to, size_t max);
/* Takes the first piece whole: copies up to `max` bytes, answers its length. */
extern size_t queue_take_piece(struct queue *queue, void *to, size_t max);
extern void queue_clear(struct queue *queue);

struct mysock {
    mysocket_t sd;
    unsigned references; /* under the table's lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct channel *channel;
    bool_t is_reliable;
    bool_t is_listener; /* mylisten was called */
    bool_t is_bound;
    bool_t has_peer;
    struct sockaddr_in peer;

    /* The transport. */
    pthread_t thread;
    bool_t has_thread; /* to be joined */
    bool_t is_active;
    bool_t is_unblocked; /* the outcome of the handshake is known: `error`, an errno */
    bool_t is_over;      /* transport_init has returned */
    int error;
    const void *context;

    struct queue from_network, from_app, to_app;
    bool_t network_waits; /* it was told that there is no room */
    bool_t is_lost;       /* the network has lost the peer */
    bool_t lost_told;     /* and the transport knows */
    bool_t has_end;       /* to_app has its last byte */
    int read_error;       /* an errno: bytes were lost between transport and application */
    bool_t has_close;     /* myclose was called: no call of the application's finds it any more */
    bool_t close_told;    /* and the transport knows */

    /* A listener's; under the lists' lock. */
    bool_t is_listening; /* connections may still come */
    unsigned backlog;
    unsigned complete, half_open; /* how many */
    struct mysock *connections;   /* in the order in which they came */

    /* A connection that nobody has accepted yet; under the lists' lock. */
    struct mysock *listener;
    struct mysock *next;
    bool_t is_complete;
    bool_t is_alone; /* nobody will close it: its thread does */
};

extern const struct network *mysock_network; /* the one in use; set before the first socket */

/* A socket without channel, in the table; NULL with errno. The caller holds a reference. */
extern struct mysock *table_add(bool_t is_reliable);
/* A reference to the socket, or NULL. */
extern struct mysock *table_get(mysocket_t sd);
extern void table_hold(struct mysock *sock);
/* Gives a reference back; the last one frees the socket. */
extern void table_release(struct mysock *sock);
/* Takes a socket out of the table, and gives the table's reference back. */
extern void table_remove(struct mysock *sock);

/* Begins the transport's thread; -1 with errno (EBADF: the socket is closed). */
extern int transport_start(struct mysock *sock, bool_t is_active);
/* Tells the transport that the application has closed (is_lost: also that the network is gone). */
extern void transport_close(struct mysock *sock, bool_t is_lost);

/* From now on connections are made of first segments. */
extern void listener_open(struct mysock *sock, unsigned backlog);
/* Takes the oldest complete connection, with a reference to it; waits for one. NULL: the listener is
 * closed. */
extern struct mysock *listener_accept(struct mysock *listener);
/* The transport's thread: the handshake of a connection is over, well or not. */
extern void listener_outcome(struct mysock *sock, int error);
/* The transport's thread, at its very end: whether it has to free the connection itself. */
extern bool_t listener_forgets(struct mysock *sock);
/* Closes all connections that were never accepted. */
extern void listener_close(struct mysock *listener);

/* Closes a socket: waits for the end of its transport, and frees it. The caller's reference goes. */
extern void mysock_end(struct mysock *sock);
/* Frees a socket whose transport has ended. The caller's reference goes. */
extern void mysock_free(struct mysock *sock);

#endif
