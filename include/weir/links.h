/* SPDX-License-Identifier: MIT */
#ifndef WEIR_LINKS_H
#define WEIR_LINKS_H

/* The links that weir brings along, each behind the contract of link.h. */

#include <weir/link.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Memory: a segment of wire inside one process ------------------------------------------- */

/* A hub with `ports` ends (2..WEIR_HUB_PORTS_MAX), each a link. A frame sent at one end with tag t
 * arrives at port t - 1, with tag = the sender's port + 1; tag 0 means "the other end" and is valid
 * on a hub of two. A tag that names no port is lost and counted. Each port queues at most
 * `queue_frames` received frames of mtu (or `gso_max`, if that is larger) bytes; a sender to a full
 * port is told so by begin when the hub has two ports, and loses the frame otherwise. Frames become
 * visible to the receiver at the sender's flush. Single-threaded. */
#define WEIR_HUB_PORTS_MAX 256

struct weir_hub;

struct weir_hub *weir_hub_create(unsigned ports, uint32_t mtu, uint32_t queue_frames);

/* The same with links that take and give runs of segments as one frame of up to `gso_max` bytes (more
 * than mtu, at most 65535), and frames whose checksum is not made: nothing damages them here. Every
 * stack on the hub gets such frames, and cuts them where they are to go on by a lesser link. */
struct weir_hub *weir_hub_create_large(unsigned ports, uint32_t mtu, uint32_t gso_max,
                                       uint32_t queue_frames);

/* The link at a port; owned by the hub: its destroy op does nothing. */
struct weir_link *weir_hub_port(struct weir_hub *hub, unsigned port);

/* Frames waiting to be received at a port. */
unsigned weir_hub_pending(const struct weir_hub *hub, unsigned port);

/* Frames lost since creation: their tag named no port, or the port was full. */
uint64_t weir_hub_lost(const struct weir_hub *hub);

void weir_hub_destroy(struct weir_hub *hub);

/* ---- UDP: one socket, one virtual packet a datagram ------------------------------------------ */

/* A UDP socket bound to `ip:port` (host order). `mtu` bounds what we send; datagrams up to 64 KiB
 * are received. The frame tag is the UDP peer: weir_udp_tag(ip, port). Sent and received in batches
 * (sendmmsg, recvmmsg), and equal packets to one peer as one run where the system can cut it
 * (UDP_SEGMENT, UDP_GRO); the other end cannot tell. Returns NULL with *error set to a WEIR_E… (ADDRINUSE, ADDRNOTAVAIL, PERM,
 * …) if the socket cannot be made. */
struct weir_link *weir_udp_create(uint32_t ip, uint16_t port, uint32_t mtu, int *error);

/* Counts since creation. `failed`: the system refused to send it, or the tag named no peer.
 * `errors`: errors that the socket reported while receiving (ICMP); they concern nobody.
 * `runs_sent`, `runs_received`: messages of several packets, each of which is counted as sent or
 * received too. `runs_refused`: times that the system would not cut a run: at most once, since
 * from then on packets leave one by one. */
struct weir_udp_counts {
    uint64_t sent, failed, received, errors;
    uint64_t runs_sent, runs_refused, runs_received;
};

/* Only for links made by weir_udp_create; as exact as the threads that use the link allow. */
void weir_udp_counts(const struct weir_link *link, struct weir_udp_counts *counts);

static inline uint64_t weir_udp_tag(uint32_t ip, uint16_t port)
{
    return ((uint64_t)ip << 16) | port;
}

/* ---- Impair: makes a good link bad ------------------------------------------------------------ */

/* What the wrapper does to packets that are sent. Probabilities are 0..1. Order of effects: queue
 * limit, loss, burst loss, corruption, duplication, then delay, jitter and reordering. */
struct weir_impair {
    double loss;            /* each packet is lost with this probability */
    double burst_loss;      /* probability that a packet starts a burst of losses */
    double burst_length;    /* mean packets in a burst; 0: 5 */
    double corrupt;         /* one random bit of the packet is flipped */
    double duplicate;       /* the packet is sent twice */
    double reorder;         /* the packet is held back by an extra reorder_ns */
    weir_time reorder_ns;   /* 0: 1 ms, or half the delay if that is more */
    weir_time delay_ns;     /* constant one-way delay */
    weir_time jitter_ns;    /* plus a uniform 0..jitter; order is kept unless reorder says else */
    double rate_bps;        /* bits per second of IP packets; 0: unlimited */
    uint32_t queue_packets; /* packets held at most (waiting for rate or delay); 0: 1000 */
    uint64_t seed;          /* same seed, same fate of every packet */
};

/* Counts since creation. */
struct weir_impair_counts {
    uint64_t sent, lost, burst_lost, corrupted, duplicated, reordered, queue_drops, bytes;
};

/* Wraps `inner` (owned from now on). NULL if memory is short or the values are out of range; inner
 * is then still the caller's. */
struct weir_link *weir_impair_create(struct weir_link *inner, const struct weir_impair *impair);

/* Changes the values while in use; packets already held keep their time. Returns 0 or
 * WEIR_EINVAL. */
int weir_impair_set(struct weir_link *link, const struct weir_impair *impair);

/* Sets one value from text: "loss=0.02", "delay_ms=10", "rate_mbit=5", … The keys are loss
 * burst_loss burst_length corrupt duplicate reorder reorder_ms delay_ms jitter_ms rate_mbit
 * queue_packets seed. Returns 0; WEIR_EINVAL: unknown key, or a value that is no number or out of
 * range. */
int weir_impair_parse(struct weir_impair *impair, const char *key_value);

/* The values in use, as they were given. */
void weir_impair_get(const struct weir_link *link, struct weir_impair *impair);

void weir_impair_counts(const struct weir_link *link, struct weir_impair_counts *counts);

/* Wraps `inner` (owned from now on), a link with a descriptor, so that what it receives from chosen peers
 * is impaired: for peers that cannot be made to impair what they send. Everything else, and sending,
 * passes. Real time only: `now` must be CLOCK_MONOTONIC's. NULL if memory or descriptors are short;
 * inner is then still the caller's. */
struct weir_link *weir_impair_received_create(struct weir_link *inner);

/* Impairs what comes with this tag; before the link is used. Returns 0, WEIR_ENOMEM, or WEIR_EINVAL:
 * values out of range, the tag is there already, or over 1024 peers. */
int weir_impair_received_add(struct weir_link *link, uint64_t tag,
                             const struct weir_impair *impair);

#ifdef __cplusplus
}
#endif
#endif
