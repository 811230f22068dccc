/* SPDX-License-Identifier: MIT */
#ifndef NET_NET_H
#define NET_NET_H

/* The IP layer of one stack: interfaces, neighbours, routes, forwarding, ICMP, fragments. It knows no
 * socket and no transport: net_input returns what has to be delivered, and the stack delivers it.
 * Addresses above this layer are struct weir_addr; only the files of this folder know that they are
 * IPv4 on the wire. */

#include <base/random.h>
#include <store/alloc.h>
#include <weir/inspect.h>
#include <weir/journal.h>
#include <weir/link.h>
#include <wire/protocol.h>

#define NET_LOOPBACK (-1) /* the iface of packets from and to ourselves */
#define NET_LOOPBACK_MTU 65535u
#define NET_LOOPBACK_QUEUE_BYTES (256u * 1024u)

struct net_config {
    bool forwarding;
    bool icmp_errors;
    bool skip_ip_checksum;
    uint8_t ttl; /* of what net itself sends: ICMP */
    size_t reassembly_budget;
};

struct net; /* the fields are net's own: see internal.h of this folder */

/* NULL if memory is short. The counters and the allocator belong to the stack; the generator is
 * seeded from the stack's. */
struct net *net_create(struct alloc *alloc, const struct net_config *config,
                       struct weir_counters *counters, const struct random *random);
void net_destroy(struct net *net);

/* ---- Control: contracts as the calls of stack.h ---------------------------------------------- */

int net_add_iface(struct net *net, const char *name, struct weir_link *link,
                  const struct weir_addr *addr, const struct weir_prefix *prefix,
                  bool only_neighbours);
int net_add_neighbour(struct net *net, int iface, const struct weir_addr *addr, uint64_t tag);
int net_add_static_route(struct net *net, const struct weir_prefix *prefix,
                         const struct weir_addr *next_hop);
/* RIP's routes: added or changed, and removed. An equal prefix of kind LOCAL is never overridden. */
int net_set_rip_route(struct net *net, const struct weir_prefix *prefix,
                      const struct weir_addr *next_hop, uint32_t cost);
void net_remove_rip_route(struct net *net, const struct weir_prefix *prefix);
int net_set_iface_up(struct net *net, int iface, bool up);
int net_set_drop_rate(struct net *net, double rate, uint64_t seed);

int net_iface_row(const struct net *net, int iface, struct weir_iface_row *row);
int net_iface_named(const struct net *net, const char *name);
int net_neighbour_row(const struct net *net, size_t index, struct weir_neighbour_row *row);
int net_route_row(const struct net *net, size_t index, struct weir_route_row *row);
int net_iface_count(const struct net *net);
struct weir_link *net_iface_link(const struct net *net, int iface); /* NET_LOOPBACK too */

/* The address of one of our interfaces? Index of that interface, or WEIR_ENOENT. */
int net_is_own(const struct net *net, const struct weir_addr *addr);

/* Broadcast (limited or of a connected prefix) or multicast? RFC 9293 3.9.1.1 [MUST-46]. */
bool net_is_group(const struct net *net, const struct weir_addr *addr);

/* The own address on the interface through which neighbour `addr` is reached, for RIP: index of the
 * interface or WEIR_ENOENT. */
int net_neighbour_iface(const struct net *net, const struct weir_addr *addr);

/* ---- Input ------------------------------------------------------------------------------------- */

/* A packet for this node. Everything is borrowed: from the frame, or from reassembly until
 * net_release. */
struct net_packet {
    struct weir_addr src, dst;
    const uint8_t *header; /* the IP header as received */
    const uint8_t *payload;
    uint32_t header_length, length; /* length: of the payload */
    uint32_t pseudo_sum;            /* addresses, protocol, length: RFC 9293 3.1 */
    int iface;                      /* it came in on this one, or NET_LOOPBACK */
    uint8_t protocol, ttl, tos;
    bool is_group;      /* dst is a broadcast or multicast address */
    bool csum_verified; /* the transport checksum need not be looked at */
    void *reassembly;   /* net's; NULL if it came whole */
};

/* An ICMP error about a packet of ours (RFC 1122 3.2.2). */
struct net_icmp_error {
    struct weir_addr reporter; /* who sent it */
    struct weir_addr src, dst; /* of the quoted packet: src is ours */
    const uint8_t *quote;      /* the quoted transport header and what follows, ≥ 8 bytes */
    uint32_t quote_length;
    uint32_t mtu;                 /* with fragmentation needed; 0: not said */
    uint8_t type, code, protocol; /* protocol: of the quoted packet */
};

enum net_verdict {
    NET_DONE,       /* dropped and counted, forwarded, answered, or kept for reassembly */
    NET_DELIVER,    /* *packet is for a transport or socket; echo replies too */
    NET_ICMP_ERROR, /* *packet and *error are for a transport or socket */
};

/* One frame that arrived on `iface`. Echo requests are answered, transit packets forwarded (both
 * staged on the outgoing link), fragments collected. */
enum net_verdict net_input(struct net *net, int iface, const struct weir_frame *frame,
                           weir_time now, struct net_packet *packet, struct net_icmp_error *error);

/* Counts a drop of the packet that net_input has returned; the journal shows it as its fate. */
void net_count_drop(struct net *net, enum weir_drop drop);

/* Call after the delivery of each packet that was returned. */
void net_release(struct net *net, struct net_packet *packet);

/* Nobody took *packet: sends ICMP unreachable with `code` if RFC 1122 3.2.2 allows (rate-limited).
 * The drop itself (IP_PROTOCOL, …) is the caller's to count; call before net_release. */
void net_unreachable(struct net *net, const struct net_packet *packet, uint8_t code, weir_time now);

/* Fragments time out (RFC 791, 60 s): call at net_deadline. */
void net_expire(struct net *net, weir_time now);
weir_time net_deadline(const struct net *net);

/* Fragments held at the moment, for the budget's row. */
uint32_t net_fragments_held(const struct net *net);

/* Contract as weir_stack_set_journal. */
void net_set_journal(struct net *net, struct weir_journal *journal, uint32_t source);

/* ---- Output ------------------------------------------------------------------------------------ */

/* Where packets to a peer leave. Valid while the generation is the net's: routes, neighbours and
 * interface states have not changed since. A plain value: copy it as you like. */
struct net_hop {
    uint64_t tag;        /* of the next hop */
    uint32_t generation; /* 0: never valid */
    uint16_t mtu;        /* of the outgoing link; no more than IP allows */
    int16_t iface;       /* or NET_LOOPBACK */
};

/* How to reach a peer. */
struct net_path {
    struct weir_addr src, dst;
    struct net_hop hop;
};

/* Finds the path to `dst`. `src` is kept if it is not the any-address, else it becomes the outgoing
 * interface's (own addresses: dst itself). Returns 0; WEIR_ENETUNREACH: no route;
 * WEIR_EHOSTUNREACH: the next hop is no neighbour; WEIR_ENETDOWN: the interface is down;
 * WEIR_EADDRNOTAVAIL: `src` is not ours (RFC 1122 3.2.1.3 [1122-5]). */
int net_path_find(const struct net *net, const struct weir_addr *src, const struct weir_addr *dst,
                  struct net_path *path);
bool net_hop_is_valid(const struct net *net, const struct net_hop *hop);

/* The largest transport segment (header included) the path takes in one packet: RFC 9293's MMS_S. */
uint32_t net_hop_mms(const struct net_hop *hop);

/* Partial sum of the pseudo-header without the length: addresses and protocol. */
uint32_t net_pseudo_sum(const struct weir_addr *src, const struct weir_addr *dst, uint8_t protocol);

/* What varies between the packets on one path. */
struct net_out {
    uint8_t protocol, ttl, tos;
    bool dont_fragment;
    uint16_t why; /* enum weir_why */
};

/* What the link of a hop spares us. */
struct net_offload {
    uint32_t
        large; /* largest transport segment, header included, of a frame with gso_size; 0: none */
    bool is_partial; /* checksums need not be complete */
};
struct net_offload net_hop_offload(const struct net *net, const struct net_hop *hop);

/* A packet being made: the lent frame and where its payload goes. */
struct net_frame {
    struct weir_frame frame;
    uint8_t *payload;
    uint32_t room;       /* bytes at payload, as asked for */
    uint32_t header_sum; /* net's: of the header without total length and checksum */
};

/* Lends a frame on the path's link with the IP header in place (lengths and checksum come with
 * commit). More than net_hop_mms bytes may be asked for as far as the link takes large frames; the
 * caller then sets the frame's gso_size, gso_segments and checksum state before commit. Returns 0;
 * WEIR_EAGAIN: the link is full; WEIR_EMSGSIZE; WEIR_ENETDOWN. */
int net_begin(struct net *net, const struct net_path *path, const struct net_out *out,
              uint32_t payload_bytes, weir_time now, struct net_frame *frame);

/* Completes the header for `payload_bytes` ≤ room and stages the packet. */
void net_commit(struct net *net, const struct net_path *path, struct net_frame *frame,
                uint32_t payload_bytes, weir_time now);
void net_abort(struct net *net, const struct net_path *path, struct net_frame *frame);

/* Sends one whole payload, in fragments where it must and may. Returns 0 or the error of net_begin;
 * with WEIR_EAGAIN nothing, or not all fragments, were staged (counted as LINK_FULL). */
int net_send(struct net *net, const struct net_path *path, const struct net_out *out,
             const void *payload, uint32_t length, weir_time now);

/* Flushes every link on which something was staged since the last flush. */
void net_flush(struct net *net, weir_time now);

/* Nothing that we sent to ourselves waits to come in. */
bool net_loopback_is_idle(const struct net *net);

/* Is anything waiting for that? */
bool net_is_staged(const struct net *net);

#endif
