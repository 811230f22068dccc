/* SPDX-License-Identifier: MIT */
#ifndef WEIR_STACK_H
#define WEIR_STACK_H

/* A stack is one host or router: interfaces, routes, sockets, timers, counters. It does no I/O and
 * reads no clock. Whoever runs it (weir/host.h in real time, weir/sim.h in virtual time, or your own
 * loop) feeds it packets and the time, and asks when to come back. A stack is used by one thread at
 * a time; any number of stacks can live in a process, and they share nothing. */

#include <weir/drop.h>
#include <weir/error.h>
#include <weir/link.h>
#include <weir/settings.h>
#include <weir/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_stack;

/* Memory comes from here. All may be NULL: malloc and free. `release` gets the size that was asked
 * for. */
struct weir_allocator {
    void *(*acquire)(void *context, size_t bytes);
    void (*release)(void *context, void *memory, size_t bytes);
    void *context;
};

struct weir_stack_config {
    struct weir_allocator allocator;
    size_t memory_budget; /* bytes for everything the stack holds; 0: 1 GiB */
    uint8_t seed[16];     /* secret: keys the flow hash, ISNs, ports. Real use: from getrandom */
    uint64_t node_id;     /* mixed into the seed, so that one seed serves many nodes */
    struct weir_tcp_settings tcp;
    bool forwarding;          /* a router: passes on what is not its own (off: RFC 1122 3.1) */
    bool icmp_errors;         /* send ICMP errors */
    bool skip_ip_checksum;    /* do not verify received IP header checksums */
    bool skip_tcp_checksum;   /* do not verify received TCP checksums */
    uint32_t sockets_max;     /* 0: 1 << 20 */
    uint32_t half_open_max;   /* half-open records of all listeners; 0: 4096 */
    uint32_t time_wait_max;   /* 0: 65536 */
    size_t reassembly_budget; /* bytes of fragments held; 0: 256 KiB */
};

/* Default values: profile `default`, ICMP errors on, forwarding off, seed zero. */
void weir_stack_config_init(struct weir_stack_config *config);

/* Returns NULL if memory is short. */
struct weir_stack *weir_stack_create(const struct weir_stack_config *config);

/* Sends nothing; connections just vanish. Links are not destroyed. NULL is allowed. */
void weir_stack_destroy(struct weir_stack *stack);

/* Other settings for connections to come and for those that live, but for sockets that have set
 * some of their own, which keep all of theirs; buffers that are there keep their size. Returns 0 or
 * WEIR_EINVAL (no such congestion control). */
int weir_stack_set_tcp(struct weir_stack *stack, const struct weir_tcp_settings *settings);

/* ---- The six calls --------------------------------------------------------------------------- */

/* `count` packets arrived on interface `iface`. Takes what it needs out of them before it returns.
 * May stage frames on links (forwarded packets, ICMP, RST, SYN-ACK); poll flushes them. */
void weir_stack_input(struct weir_stack *stack, int iface, const struct weir_frame *frames,
                      int count, weir_time now);

/* Time passes; sends what is due, at most `budget` frames (0: no limit), and flushes the links it
 * touched. Returns true if work is left over (call again soon). */
bool weir_stack_poll(struct weir_stack *stack, weir_time now, uint32_t budget);

/* When to call poll if nothing else happens; WEIR_NEVER: no need. A time not after `now` means at
 * once. O(1). Deadlines of the links are not in it. */
weir_time weir_stack_deadline(const struct weir_stack *stack);

/* What changed on a socket since it was last reported: a set of enum weir_event_bits. */
struct weir_event {
    uint64_t tag; /* set by weir_socket_set_tag */
    int socket;
    uint32_t events;
};

enum weir_event_bits {
    WEIR_IN = 1u << 0,        /* data, or end of stream, can be read */
    WEIR_OUT = 1u << 1,       /* connected, and the send buffer has room */
    WEIR_HUP = 1u << 2,       /* the peer has closed its direction, or the connection is gone */
    WEIR_ERR = 1u << 3,       /* an error is pending (weir_socket_take_error) */
    WEIR_ACCEPT = 1u << 4,    /* a connection can be accepted */
    WEIR_CLOSED = 1u << 5,    /* the state machine has ended; the last event of a socket */
    WEIR_PRI = 1u << 6,       /* urgent data is announced (RFC 9293 3.8.5) */
    WEIR_NOTICE = 1u << 7,    /* a soft error, or trouble past R1 (weir_socket_take_notice) */
    WEIR_DELIVERED = 1u << 8, /* the peer has acknowledged everything and our FIN; this one, HUP and
                                 CLOSED are reported of a closed socket too */
};

/* Takes the next event, oldest first; edge-triggered. Returns false if there is none. O(1). */
bool weir_stack_next_event(struct weir_stack *stack, struct weir_event *event);

/* It is `now`, for what the application's calls send before the next input or poll. Times that are
 * past change nothing. */
void weir_stack_set_time(struct weir_stack *stack, weir_time now);

/* The link of `iface`, which begin had called full, can take frames again. */
void weir_stack_link_ready(struct weir_stack *stack, int iface);

/* ---- Interfaces, neighbours, routes ----------------------------------------------------------- */

#define WEIR_IFACE_NAME 32
#define WEIR_IFACES_MAX 256

/* Adds an interface on `link` (borrowed; must outlive the stack) with one address in one prefix, up
 * from the start, and its connected route. With `only_neighbours`, a packet whose frame tag is no
 * neighbour's of this interface is dropped. Returns the interface's index (0, 1, …), or
 * WEIR_EINVAL, WEIR_EEXIST (name in use), WEIR_ENOMEM. */
int weir_stack_add_iface(struct weir_stack *stack, const char *name, struct weir_link *link,
                         const struct weir_addr *addr, const struct weir_prefix *prefix,
                         bool only_neighbours);

/* Says that `addr` is reached through `iface` by frames with `tag`. On an interface without any
 * neighbour every on-link address is taken to be at tag 0. Returns 0, WEIR_EINVAL or
 * WEIR_ENOMEM. */
int weir_stack_add_neighbour(struct weir_stack *stack, int iface, const struct weir_addr *addr,
                             uint64_t tag);

/* A static route. Returns 0, WEIR_EINVAL or WEIR_ENOMEM; an equal prefix replaces the former
 * static route. */
int weir_stack_add_route(struct weir_stack *stack, const struct weir_prefix *prefix,
                         const struct weir_addr *next_hop);

/* Takes the interface up or down. A down interface sends and delivers nothing. Returns 0 or
 * WEIR_EINVAL. */
int weir_stack_set_iface_up(struct weir_stack *stack, int iface, bool up);

/* Forwarded packets are dropped with probability `rate` (0..1), by a generator started from `seed`
 * (0: the stack's own). Returns 0 or WEIR_EINVAL. */
int weir_stack_set_drop_rate(struct weir_stack *stack, double rate, uint64_t seed);

/* ---- RIP (the Brown course's: IP protocol 200) ------------------------------------------------ */

struct weir_rip_config {
    weir_time update_interval; /* 0: 5 s */
    weir_time route_timeout;   /* 0: 12 s */
};

/* Starts RIP with `count` RIP neighbours (addresses of neighbours of some interface). Requests
 * leave at the next poll. Returns 0, WEIR_EINVAL, WEIR_EALREADY or WEIR_ENOMEM. */
int weir_stack_start_rip(struct weir_stack *stack, const struct weir_rip_config *config,
                         const struct weir_addr *neighbours, size_t count);

#ifdef __cplusplus
}
#endif
#endif
