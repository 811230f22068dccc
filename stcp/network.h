/* SPDX-License-Identifier: MIT */

/* The contract between MYSOCK and the emulated network below it: something that carries datagrams of
 * at most 1500 bytes between two sockets, in both directions, perhaps with losses. C90 and C++98.
 *
 * A channel is one socket's end of the network. The calls of the table come from any thread, one at a
 * time for a channel, and block for no peer. What arrives is told by the network's own thread with
 * the calls at the end, which block for nobody; they are C, because a network may be written in it. */

#ifndef NETWORK_H
#define NETWORK_H

#include "mysock.h"

#define SEGMENT_MAX 1500 /* bytes of a datagram */
#define SEGMENT_MIN 20   /* a header without options */

struct mysock;
struct channel; /* the network's */

struct bytes {
    const void *data;
    size_t length;
};

struct network {
    /* A channel for `sock`, with losses unless is_reliable. NULL with errno. */
    struct channel *(*open)(struct mysock *sock, bool_t is_reliable);
    /* To `local`; port 0: any that is free. */
    int (*bind)(struct channel *channel, const struct sockaddr_in *local);
    /* From now on first segments are told with mysock_incoming. */
    int (*listen)(struct channel *channel);
    /* The peer that segments go to. It may be reached for only when the first one is sent. */
    int (*connect)(struct channel *channel, const struct sockaddr_in *peer);
    /* One segment, in `count` parts, with everything but ports, checksum and urgent pointer in its
     * header. Answers its length, or -1 with errno if the peer cannot be reached. */
    ssize_t (*send)(struct channel *channel, const struct bytes *parts, int count);
    /* More may be delivered again, after mysock_deliver or mysock_incoming has answered FALSE. */
    void (*resume)(struct channel *channel);
    /* The local address, as far as it is known. */
    int (*local)(struct channel *channel, struct sockaddr_in *addr);
    /* Nothing is told any more when this has returned. */
    void (*close)(struct channel *channel);
};

#ifdef __cplusplus
extern "C" {
#endif

/* A segment has arrived, with a right checksum; 0 bytes: the peer is lost, nothing will come. FALSE:
 * there is no room now, it was not taken. */
extern bool_t mysock_deliver(struct mysock *sock, const void *segment, size_t length);

/* A first segment, from `peer`, has come to a listener, and `channel` is to be the socket's that is
 * made for it, told in *sock. FALSE: there is no room in the queue now. TRUE with *sock NULL: it is
 * not wanted (the same peer is queued, or it is no SYN), and the channel is to be closed. */
extern bool_t mysock_incoming(struct mysock *listener, struct channel *channel,
                              const struct sockaddr_in *peer, const void *segment, size_t length,
                              struct mysock **sock);

#ifdef __cplusplus
}
#endif

/* The networks that there are. */
extern const struct network network_tcp;

#endif
