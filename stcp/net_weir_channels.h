/* SPDX-License-Identifier: MIT */

/* The channels of the network over weir, by port and by connection. No locks here: the network has one. */

#ifndef NET_WEIR_CHANNELS_H
#define NET_WEIR_CHANNELS_H

#include "unreliable.h"
#include <stdatomic.h>
#include <stdbool.h>

#define CHANNELS_PORTS 65536u
#define CHANNELS_PORT_FIRST 49152u /* of those that nobody asks for */
#define CHANNELS_BUCKETS 4096u

/* All addresses and ports in network byte order, as MYSOCK has them. */
struct channel {
    struct mysock *sock;
    bool_t is_reliable;
    bool is_listening, is_connected, owns_port;
    uint32_t address; /* 0: any */
    uint16_t port;    /* 0: none yet */
    uint32_t peer_address;
    uint16_t peer_port;
    struct channel *next; /* in its bucket */
    atomic_bool is_heard; /* something has come from the peer */
    unsigned soft_errors;
    struct unreliable unreliable;
};

/* What tells a connection from all others. */
struct flow {
    uint32_t address, peer_address;
    uint16_t port, peer_port;
};

/* Zeroed at first, but for `salt` and `next_port`, which are random. */
struct channels {
    uint32_t salt;                          /* of the hash */
    uint32_t next_port;                     /* where to look for a free port */
    struct channel *owners[CHANNELS_PORTS]; /* by ntohs(port) */
    struct channel *buckets[CHANNELS_BUCKETS];
};

/* Binds the channel to `port`, in host order, or with 0 to any that is free. Answers 0, EADDRINUSE or
 * EADDRNOTAVAIL (none is free). */
int channels_bind(struct channels *channels, struct channel *channel, uint32_t port);

/* The channel that is bound to the port, or NULL. */
struct channel *channels_owner(const struct channels *channels, uint16_t port);

/* The channel's addresses are all known, and no other has the same: it can be found from now on. */
void channels_connect(struct channels *channels, struct channel *channel);

/* The connection of this flow, or NULL. */
struct channel *channels_find(const struct channels *channels, const struct flow *flow);

/* Undoes both. */
void channels_remove(struct channels *channels, struct channel *channel);

#endif
