/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_TMUX_H
#define LAB_NET_TMUX_H

/* A lab's session of tmux: one pane a node. */

#include <lab/net/state.h>

/* A free name for the lab's session: vnet-NAME, or with a number. Returns 0, or WEIR_ENOENT with *error
 * filled: there is no tmux. `session` takes LAB_SESSION bytes. */
int tmux_choose(const char *name, char *session, struct net_error *error);

/* Makes the session, detached: in each pane runs `program` lab pane DIR NODE. With `verbose` tells what
 * it runs. Returns 0 or WEIR_EIO. */
int tmux_start(const struct lab *lab, const char *program, bool verbose, struct net_error *error);

/* Ends the session if it is the one of the lab in `dir`. */
void tmux_kill(const char *session, const char *dir);

/* Ends every session whose name begins with vnet-. */
void tmux_kill_all(void);

/* Becomes a client of the session, with the pane of `node` (or NULL) chosen. Returns only if that fails. */
int tmux_attach(const struct lab *lab, const char *node);

/* What stands at the top of a node's pane: why it has ended, if it has ended at once. Empty if there is no
 * such pane, or nothing in it yet. */
void tmux_first_line(const struct lab *lab, const char *node, char *text, size_t size);

#endif
