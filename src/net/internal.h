/* SPDX-License-Identifier: MIT */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

/* What the files of src/net know of each other, and nobody else does. */

#include <base/bytes.h>
#include <base/list.h>
#include <net/net.h>
#include <wire/ip4.h>

#define NET_TABLE_FIRST 8u    /* first capacity of a growing table */
#define NET_RESOLVE_TRIES 16u /* routes tried for one destination, gateways included */
#define NET_FORWARD_CACHE 16u /* destinations whose next hop forwarding remembers */
#define NET_ID_ROUNDS 4u
#define NET_ID_BUCKETS 64u   /* counters of IP identifications */
#define NET_LINK_MTU_MIN 68u /* RFC 791 3.2 */
#define NET_FRAGMENT_TIMEOUT (60 * WEIR_SECOND)
#define NET_DATAGRAMS_MAX 64u            /* datagrams being put together */
#define NET_PIECES_MAX 512u              /* fragments of one datagram */
#define NET_ICMP_INTERVAL (10 * WEIR_MS) /* one ICMP error each: 100/s */
#define NET_ICMP_BURST 50
#define NET_ICMP_PACKET_MAX 576u /* RFC 1812 4.3.2.3 */
#define NET_ICMP_TOS 0xc0u       /* internetwork control: RFC 1812 4.3.2.5 */

struct net_iface {
    char name[WEIR_IFACE_NAME];
    struct weir_link *link;
    struct weir_addr addr;
    struct weir_prefix prefix;
    uint32_t addr4, first4, last4; /* address; network and broadcast address of the prefix */
    uint32_t mtu;                  /* of the link, at most IP4_LENGTH_MAX */
    uint32_t neighbours;
    uint64_t good_tag; /* with has_good_tag: the last tag that proved to be a neighbour's */
    uint32_t good_src, good_dst; /* the last pair of addresses that was good and for us, */
    uint32_t good_generation;    /* as of this generation of the net */
    bool up, only_neighbours, touched, has_good_tag;
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
};

struct net_route {
    struct weir_route_row row; /* row.iface is -1 but for LOCAL */
};

/* Routes, each on two sorted arrays of pointers: as `lr` lists them, and as look-up wants them. */
struct net_routes {
    struct net_route **by_row, **by_match;
    size_t count, room;
};

/* Next hops that forwarding found lately; an entry of another generation is no entry. */
struct net_cached_hop {
    uint32_t dst, generation;
    struct net_hop hop;
};

struct net_reassembly {
    struct list_node datagrams; /* oldest first, so the head has the earliest deadline */
    size_t bytes;               /* of the fragments held, with their heads */
    uint32_t count, pieces;
};

/* Identifications that are sent (output.c). */
struct net_ids {
    struct siphash_key key;
    uint16_t next[NET_ID_BUCKETS];
    uint8_t boxes[NET_ID_ROUNDS][256];
    uint32_t last_src, last_dst; /* a cache of one */
    uint8_t last_protocol, last_bucket;
};

struct net {
    struct alloc *alloc;
    struct weir_counters *counters;
    struct net_config config;
    struct random random, drop_random;
    double drop_rate;
    uint32_t generation; /* of paths; never 0 */
    struct net_iface *ifaces;
    int iface_count, iface_room;
    struct net_iface loopback;
    struct weir_neighbour_row *neighbours; /* in the order they were added */
    size_t neighbour_count, neighbour_room;
    struct net_routes routes;
    struct net_cached_hop forward_cache[NET_FORWARD_CACHE];
    struct net_reassembly reassembly;
    weir_time icmp_credit; /* when the bucket of ICMP errors is full again */
    struct net_ids ids;
    uint32_t touched_count;
    int16_t touched[WEIR_IFACES_MAX + 1]; /* interfaces with staged frames */
    struct weir_journal *journal;         /* NULL: none is kept */
    uint32_t journal_source;
    enum weir_drop fate; /* why the packet in hand was dropped */
    size_t entry;        /* its offset in the journal, plus 1; 0: it has no entry */
};

/* One arrival on its way through the checks of input.c. */
struct net_arrival {
    const struct weir_frame *frame;
    const uint8_t *bytes; /* the IP header */
    struct ip4_header ip;
    weir_time now;
    int iface;
    bool is_group;
};

static inline void net_count(struct net *net, enum weir_counter counter)
{
    net->counters->counter[counter]++;
}

/* Counts the loss of something that is not the packet in hand: a reply, an older fragment. */
static inline void net_lose(struct net *net, enum weir_drop drop)
{
    net->counters->drop[drop]++;
}

/* Counts the drop of the packet that is being input. */
static inline void net_drop(struct net *net, enum weir_drop drop)
{
    net_lose(net, drop);
    net->fate = drop;
}

static inline struct net_iface *net_iface_at(struct net *net, int iface)
{
    return iface == NET_LOOPBACK ? &net->loopback : &net->ifaces[iface];
}

static inline const struct net_iface *net_iface_of(const struct net *net, int iface)
{
    return iface == NET_LOOPBACK ? &net->loopback : &net->ifaces[iface];
}

/* Kinds of addresses, host order. */
static inline bool net_is_loopback4(uint32_t addr)
{
    return addr >> 24 == 127;
}

static inline bool net_is_multicast4(uint32_t addr)
{
    return addr >> 28 == 0xe;
}

/* A unicast address that a packet on a wire may carry: not 0/8, 127/8, class D or E. */
static inline bool net_is_wire4(uint32_t addr)
{
    return addr >> 24 != 0 && addr >> 24 != 127 && addr >> 29 != 7;
}

/* Packets that a frame stands for. */
static inline uint32_t net_frame_packets(const struct weir_frame *frame)
{
    return frame->gso_segments > 1 ? frame->gso_segments : 1;
}

/* iface.c */
bool net_iface_exists(const struct net *net, int iface);
int net_own4(const struct net *net, uint32_t addr); /* as net_is_own */
bool net_is_broadcast4(const struct net *net, uint32_t addr);
bool net_iface_broadcast4(const struct net_iface *iface, uint32_t addr);
bool net_tag_is_neighbour(struct net *net, int iface, uint64_t tag);
/* The tag of on-link address `addr`: 0, or WEIR_EHOSTUNREACH. */
int net_neighbour_tag(const struct net *net, int iface, const struct weir_addr *addr,
                      uint64_t *tag);
void net_touch(struct net *net, int iface);
void net_changed(struct net *net); /* all paths become invalid */
/* Grows a table of `item` bytes each so that one more fits: the (new) table, or NULL. */
void *net_table_grow(struct alloc *alloc, void *table, size_t count, size_t *room, size_t item);

/* route.c */
int net_routes_add_local(struct net *net, int iface);
void net_routes_done(struct net *net);
/* The next hop towards `dst`; errors as net_path_find. */
int net_routes_resolve(const struct net *net, const struct weir_addr *dst, struct net_hop *hop);

/* output.c */
uint16_t net_next_id(struct net *net, uint32_t src, uint32_t dst, uint8_t protocol);
/* A frame of `bytes` on the link of `hop`, which may be large if that takes such; errors of begin. */
int net_lend(struct net *net, const struct net_hop *hop, uint32_t bytes, weir_time now,
             struct weir_frame *frame);
void net_stage(struct net *net, int iface, const struct weir_frame *frame, weir_time now);

/* The drop that an error of path, begin or send stands for. */
enum weir_drop net_error_drop(int error);

/* fragment.c: a packet to be cut. */
struct net_cut {
    uint8_t header[IP4_HEADER_MAX]; /* of the whole; options included */
    const uint8_t *payload;
    uint32_t header_length, length; /* length: of the payload */
    struct net_hop hop;
    uint32_t patch_at; /* payload offset of a 16-bit word to be replaced; with has_patch */
    uint16_t patch, why;
    bool has_patch;
};

int net_cut_send(struct net *net, const struct net_cut *cut, weir_time now);

/* forward.c */
void net_forward(struct net *net, const struct net_arrival *arrival);

/* segment.c: the segments that a large frame stands for, one after the other. */
struct net_segments {
    const struct net_arrival *arrival; /* with gso_size */
    uint32_t header_length;            /* of IP and TCP */
    uint32_t text_length;
    uint32_t offset; /* of the next in the text */
    uint32_t number; /* and its number */
};

/* False: this is no TCP packet whose headers and text are sound, and cannot be cut. */
bool net_segments_start(struct net_segments *segments, const struct net_arrival *arrival);
/* Bytes that the largest of them takes. */
uint32_t net_segments_room(const struct net_segments *segments);
/* Writes the next to `bytes`, complete with its checksums; its length, 0: there is none left. */
uint32_t net_segments_next(struct net_segments *segments, uint8_t *bytes);

/* icmp.c */
struct net_icmp_cause {
    uint8_t type, code;
    uint32_t rest;
};

/* Sends an error about the packet at `packet`, of which `length` bytes are at hand, if all rules
 * allow. */
void net_icmp_error_send(struct net *net, const struct net_icmp_cause *cause, const uint8_t *packet,
                         size_t length, weir_time now);
enum net_verdict net_icmp_input(struct net *net, struct net_packet *packet, weir_time now,
                                struct net_icmp_error *error);

/* reassembly.c */
void net_reassembly_init(struct net_reassembly *reassembly);
void net_reassembly_done(struct net *net);

/* A whole datagram made of its fragments: header and payload, one run of memory. */
struct net_whole {
    size_t bytes; /* of this allocation */
    uint8_t data[];
};

/* Takes a fragment; the whole datagram if it was the last one missing, else NULL. */
struct net_whole *net_reassemble(struct net *net, const struct net_arrival *arrival);

/* journal.c; the first three only with net->journal set */
void net_journal_sent(struct net *net, int iface, const struct weir_frame *frame, weir_time now);
void net_journal_arrived(struct net *net, int iface, const struct weir_frame *frame, weir_time now);
void net_journal_fate(struct net *net);

/* loopback.c */
struct weir_link *net_loopback_create(struct alloc *alloc);

#endif
