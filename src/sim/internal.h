/* SPDX-License-Identifier: MIT */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

/* What the files of the simulator share: see sim.c for how it works. */

#include <sim/agenda.h>
#include <sim/windows.h>
#include <weir/sim.h>

#define SIM_TIMER_RANK UINT32_MAX
#define SIM_BROKEN_TEXT 256

struct iface {
    struct weir_link tap; /* first: a link is cast to its iface */
    struct weir_sim *sim;
    struct weir_link *inner; /* impair, or the port itself */
    struct node *node;
    struct network *network;
    struct weir_addr addr;
    unsigned port;
    int index; /* of the stack's interface */
};

struct node {
    struct agenda_entry entry; /* first */
    struct weir_stack *stack;
    struct iface **ifaces;
    int iface_count;
    int number;
    uint64_t trace;
};

struct network {
    struct weir_hub *hub;
    struct iface **ports; /* by port; NULL: free */
    struct network *next_marked;
    unsigned port_count, joined, resolved;
    uint32_t mtu;
    bool is_marked;
};

struct timer {
    struct agenda_entry entry; /* first */
    weir_sim_timer_fn *fn;
    void *context;
};

struct weir_sim {
    struct agenda agenda;
    struct node **nodes;
    struct network **networks;
    struct network *marked; /* something was flushed into these, or taken out */
    int node_count, network_count;
    uint64_t seed, timer_sequence, direction_count;
    weir_time now;
    weir_time instant; /* of the steps counted in `steps` */
    uint32_t steps, timer_count;
    bool is_stopped, is_checking;
    struct windows windows;
    weir_sim_event_fn *on_event;
    weir_sim_packet_fn *on_packet;
    weir_sim_journal_fn *on_journal;
    struct weir_journal *journal; /* NULL: none is kept */
    void *event_context, *packet_context, *journal_context;
    char broken[SIM_BROKEN_TEXT]; /* empty: nothing */
};

/* Notes what is broken; only the first complaint is kept: what follows from it would mislead. */
void sim_complain(struct weir_sim *sim, int node, const char *what);

/* The network has to be looked at after this step: frames or room may have appeared. */
void sim_mark(struct weir_sim *sim, struct network *network);

/* The operations of the link between a stack and its wire. */
const struct weir_link_ops *sim_tap_ops(void);

#endif
