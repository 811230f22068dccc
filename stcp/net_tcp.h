/* SPDX-License-Identifier: MIT */

/* What the two files of the network over kernel TCP share: net_tcp.c, the thread and its lists, and
 * net_tcp_channel.c, what is done with one connection. C90 and C++98. */

#ifndef NET_TCP_H
#define NET_TCP_H

#include "network.h"
#include "unreliable.h"
#include <pthread.h>

#define FRAME_HEADER 2
/* <netinet/tcp.h> cannot be included beside transport.h. */
#define OPTION_TCP_NODELAY 1

enum stage { FRESH, LISTENING, PENDING, OPEN, LINGERING, DEAD };

struct channel {
    enum stage stage;
    int fd;
    int epoll_fd; /* the set that it is in, or may be in */
    bool_t is_reliable;
    bool_t
        is_lazy; /* the kernel's connect is still to be made; only its transport's thread looks */
    struct mysock *sock;      /* NULL: nobody's, or not anybody's any more */
    struct channel *listener; /* of a pending one */
    struct sockaddr_in peer;
    uint16_t port, peer_port;       /* network byte order */
    uint32_t address, peer_address; /* of the pseudo-header of what we send */
    uint32_t local_address;         /* as the kernel says */
    bool_t waits_for_room;          /* not read until `resume` */
    bool_t has_complained;
    bool_t has_first; /* a segment has come */
    bool_t has_residue;
    uint16_t residue;    /* what the peer's addresses add to its sums */
    unsigned char *held; /* read, not used yet */
    size_t held_length;

    pthread_mutex_t lock;
    bool_t is_added;     /* to the epoll set */
    bool_t reads;        /* waits for something to read */
    unsigned char *rest; /* to be written */
    size_t rest_length;
    bool_t is_broken; /* nothing can be written any more */
    struct unreliable unreliable;

    int64_t deadline; /* of a pending or lingering one */
    struct channel *next, *previous;
};

/* Sets whether something to read is waited for. */
extern void channel_set_reads(struct channel *channel, bool_t reads);
/* Learns the addresses and ports of both ends from the kernel. */
extern void channel_learn_addresses(struct channel *channel);
/* Whether a segment's checksum is right, as far as can be known. To be called for each, in order. */
extern bool_t channel_check_sum(struct channel *channel, const unsigned char *segment,
                                size_t length);
/* Puts the parts of a segment together at `segment`, and fills in what is the network's. */
extern size_t channel_make_segment(const struct channel *channel, const struct bytes *parts,
                                   int count, unsigned char *segment);
/* Sends a segment, or what the unreliable mode makes of it; 0, or -1 with errno. */
extern int channel_send(struct channel *channel, const unsigned char *segment, size_t length);
/* Goes on with what the kernel has not taken; answers how much is left. */
extern size_t channel_write_rest(struct channel *channel);

#endif
