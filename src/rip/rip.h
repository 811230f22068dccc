/* SPDX-License-Identifier: MIT */
#ifndef RIP_RIP_H
#define RIP_RIP_H

/* RIP as the Brown course defines it: distance vector with request/response, split horizon with
 * poisoned reverse, triggered updates, expiry. It is fed messages and asked for messages, changed
 * routes and a deadline; it knows no IP layer and no clock. */

#include <store/alloc.h>
#include <weir/types.h>
#include <wire/rip.h>

struct rip_config {
    weir_time update_interval;
    weir_time route_timeout;
};

struct rip; /* internal.h's */

struct rip *rip_create(struct alloc *alloc, const struct rip_config *config);
void rip_destroy(struct rip *rip);

/* A router to talk to. Returns 0, WEIR_EEXIST or WEIR_ENOMEM. A request and the full table are due to
 * it at once. */
int rip_add_neighbour(struct rip *rip, const struct weir_addr *addr, weir_time now);

/* A connected network, advertised with cost 0 while `up`; down: with 16, and routes learned from
 * neighbours inside the prefix are given up. Changes are triggered. Returns 0 or WEIR_ENOMEM. */
int rip_set_local(struct rip *rip, const struct weir_prefix *prefix, bool up, weir_time now);

enum rip_verdict { RIP_OK, RIP_MALFORMED, RIP_STRANGER };

/* A message from `from`. */
enum rip_verdict rip_input(struct rip *rip, const struct weir_addr *from, const uint8_t *bytes,
                           size_t length, weir_time now);

/* What time did: expiry, periodic updates. Call at rip_deadline. */
void rip_expire(struct rip *rip, weir_time now);
weir_time rip_deadline(const struct rip *rip);

/* Next message to send, if any: *to and up to RIP_MESSAGE_MAX bytes. Returns its length, 0: none.
 * Messages come neighbour by neighbour in the order these were added. */
size_t rip_next_message(struct rip *rip, struct weir_addr *to, uint8_t *bytes);

/* Next change for the forwarding table, if any. cost ≥ 16: the route is gone. */
struct rip_change {
    struct weir_prefix prefix;
    struct weir_addr next_hop;
    uint32_t cost;
};
bool rip_next_change(struct rip *rip, struct rip_change *change);

#endif
