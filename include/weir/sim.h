/* SPDX-License-Identifier: MIT */
#ifndef WEIR_SIM_H
#define WEIR_SIM_H

/* Stacks in virtual time: any number of nodes on shared networks, driven from one seed. The same
 * seed gives the same packets at the same nanosecond, on any compiler. Single-threaded. */

#include <weir/inspect.h>
#include <weir/journal.h>
#include <weir/links.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_sim;

/* NULL if memory is short. Virtual time starts at 0. */
struct weir_sim *weir_sim_create(uint64_t seed);
void weir_sim_destroy(struct weir_sim *sim);

weir_time weir_sim_now(const struct weir_sim *sim);

/* A node with its own stack; seed and node_id of `config` are replaced by the simulator's own.
 * Returns the node's number (0, 1, …) or WEIR_ENOMEM. */
int weir_sim_add_node(struct weir_sim *sim, const struct weir_stack_config *config);

/* A network of `ports` ends with `mtu`. Returns its number (0, 1, …) or WEIR_ENOMEM, WEIR_EINVAL. */
int weir_sim_add_network(struct weir_sim *sim, unsigned ports, uint32_t mtu);

/* Puts an interface of `node` on the next free port of `network`, with `impair` (NULL: none) on its
 * sending side. Call weir_sim_join on all nodes of a network, then weir_sim_resolve, which makes all
 * of them neighbours of each other. Returns the interface's index or an error. */
int weir_sim_join(struct weir_sim *sim, int node, int network, const char *name,
                  const struct weir_addr *addr, const struct weir_prefix *prefix,
                  const struct weir_impair *impair);
int weir_sim_resolve(struct weir_sim *sim, int network);

int weir_sim_node_count(const struct weir_sim *sim);
struct weir_stack *weir_sim_stack(struct weir_sim *sim, int node);
struct weir_link *weir_sim_link(struct weir_sim *sim, int node, int iface);

/* Called for each event of any node, in virtual time; may use every call on the node's stack, and
 * weir_sim_at. */
typedef void weir_sim_event_fn(void *context, struct weir_sim *sim, int node,
                               const struct weir_event *event);
void weir_sim_on_event(struct weir_sim *sim, weir_sim_event_fn *fn, void *context);

/* Called for each packet that a node receives, before the node does. */
typedef void weir_sim_packet_fn(void *context, struct weir_sim *sim, int node, int iface,
                                const struct weir_frame *frame);
void weir_sim_on_packet(struct weir_sim *sim, weir_sim_packet_fn *fn, void *context);

/* All nodes, and those to come, note their packets in *journal, each as the source of its number
 * (NULL: none does any more). `fn` is called when half of the memory is used, and at the end of each
 * run, and must take the entries out; what a single step writes beyond the memory is missed. */
typedef void weir_sim_journal_fn(void *context, struct weir_sim *sim, struct weir_journal *journal);
void weir_sim_set_journal(struct weir_sim *sim, struct weir_journal *journal,
                          weir_sim_journal_fn *fn, void *context);

/* Calls fn at time `at` (or at once, if that is past), after all earlier events. Returns 0 or
 * WEIR_ENOMEM. */
typedef void weir_sim_timer_fn(void *context, struct weir_sim *sim, weir_time now);
int weir_sim_at(struct weir_sim *sim, weir_time at, weir_sim_timer_fn *fn, void *context);

/* Says that the application did something to the node's stack outside of a callback. */
void weir_sim_touch(struct weir_sim *sim, int node);

/* Runs until virtual time `until`, or until nothing is left to happen, or weir_sim_stop. Returns
 * NULL, or what an invariant checker found broken. */
const char *weir_sim_run(struct weir_sim *sim, weir_time until);
void weir_sim_stop(struct weir_sim *sim);

/* Check the invariants of a node after each of its steps (costly), or only at the end. On at
 * first. */
void weir_sim_set_checking(struct weir_sim *sim, bool every_step);

/* A hash of every packet that the node received, with its time; equal for equal runs. */
uint64_t weir_sim_trace_hash(const struct weir_sim *sim, int node);

#ifdef __cplusplus
}
#endif
#endif
