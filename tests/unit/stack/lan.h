/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STACK_LAN_H
#define UNIT_STACK_LAN_H

/* A few stacks joined by hubs of two ports, in virtual time: node `a` has 10.0.H.1 and node `b`
 * 10.0.H.2 on hub H. Links can be kept from draining, so that they fill up. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stack/stack.h>
#include <weir/links.h>

#define LAN_NODES 4
#define LAN_HUBS 6

struct lan_port {
    int node, iface; /* node -1: nobody */
    struct weir_link *link;
};

struct lan {
    struct weir_stack *stacks[LAN_NODES];
    int node_count;
    struct weir_hub *hubs[LAN_HUBS];
    struct lan_port ports[LAN_HUBS][2];
    bool is_held[LAN_HUBS]; /* nothing is received from this hub */
    int hub_count;
    weir_time now;
    uint64_t delivered; /* frames so far */
};

/* The default configuration with a fixed seed. */
void lan_config(struct weir_stack_config *config);

void lan_init(struct lan *lan);
void lan_done(struct lan *lan); /* after weir_inspect_check of every stack */

/* NULL: lan_config's. Returns the node's number. */
int lan_add(struct lan *lan, const struct weir_stack_config *config);

/* Joins two nodes by a new hub; returns its number, which is the third byte of its /24. */
int lan_join(struct lan *lan, int a, int b, uint32_t queue_frames);

/* The same with large frames (links.h). */
int lan_join_large(struct lan *lan, int a, int b, uint32_t queue_frames);

struct weir_addr lan_addr(int hub, int side); /* side 0: a, 1: b */

/* Two nodes on hub 0. */
void lan_pair(struct lan *lan, uint32_t queue_frames);

/* Moves frames and polls until nothing is left to do at this instant. Fails if that never ends. */
void lan_settle(struct lan *lan);
void lan_advance(struct lan *lan, weir_time ns);

/* A connection from `a` to a listener of `b` on port 80 of hub 0, accepted. */
void lan_connect(struct lan *lan, int a, int b, int sockets[2]);
int lan_listen(struct lan *lan, int node, uint16_t port);

/* Sends `total` bytes from one socket to the other, content compared. Virtual time passes, at most
 * `limit`. Returns how many arrived. */
size_t lan_transfer(struct lan *lan, const int nodes[2], const int sockets[2], size_t total,
                    weir_time limit);

uint64_t lan_dropped(const struct lan *lan, int node, enum weir_drop reason);
uint64_t lan_counted(const struct lan *lan, int node, enum weir_counter counter);
struct weir_budget_row lan_budget(const struct lan *lan, int node);

#endif
