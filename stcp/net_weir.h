/* SPDX-License-Identifier: MIT */

/* The network over weir: this process is a node of a virtual network. C90 and C++98. */

#ifndef NET_WEIR_H
#define NET_WEIR_H

#include "network.h"
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NETWORK_WEIR_PROTOCOL 253 /* IP protocol of the segments (RFC 3692 4.1: for experiments) */
#define NETWORK_WEIR_PACKET 1400  /* bytes at most, IP header included */

#define NETWORK_WEIR_ERROR 400 /* bytes that hold any message of network_weir_start */

/* Segments that were not delivered, by reason. */
struct network_weir_drops {
    unsigned long wrong_length;   /* shorter than a header, or longer than any of ours */
    unsigned long wrong_checksum; /* over the addresses of its IP header and its bytes */
    unsigned long to_nobody;      /* neither connection nor listener, or the listener refused it */
    unsigned long no_room;        /* the socket or the listener can take no more now */
    unsigned long not_sent;       /* full or broken links of ours */
};

/* Makes this process the node that the lnx file describes, and the network of all its sockets
 * network_weir. To be called once, before any socket is made. Answers 0, or -1 with one line in
 * `error` (of `size` bytes): what is wrong with the file, an address in use, or no memory. */
extern int network_weir_start(const char *lnx, char *error, size_t size);

/* What was dropped since the start; all 0 before it. */
extern void network_weir_drops(struct network_weir_drops *drops);

/* The calls. A local address that is any is told as that of the node's first interface. */
extern const struct network network_weir;

#ifdef __cplusplus
}
#endif

#endif
