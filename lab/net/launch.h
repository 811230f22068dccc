/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_LAUNCH_H
#define LAB_NET_LAUNCH_H

/* Starting a lab's nodes. */

#include <lab/net/state.h>

/* Starts every node and waits until those of ours answer: in panes of tmux if the lab has a session,
 * else without a terminal. `program` is the path of weir. lab.json must be written, and the lock held.
 * Returns 0, or WEIR_EIO, WEIR_ETIMEDOUT with *error filled: what has been started then runs. */
int lab_launch(const struct lab *lab, const char *program, bool verbose, struct net_error *error);

/* What a pane of tmux runs: the node, and, when it has ended, a shell. Returns only if neither can be
 * run. */
int lab_run_pane(const struct lab *lab, const struct lab_node *node);

#endif
