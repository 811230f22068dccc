/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_TRANSFER_H
#define CMD_REPL_TRANSFER_H

/* Files that travel in the background: `sf` and `rf`. */

#include <weir/types.h>

struct repl;
struct sid;

/* Opens the file, then connects. Says what goes wrong. */
void transfer_send(struct repl *repl, const char *path, const struct weir_endpoint *to);

/* Opens the file, then listens for one connection. Says what goes wrong. */
void transfer_receive(struct repl *repl, const char *path, uint16_t port);

/* An event of a socket that belongs to a transfer. The entry may be gone afterwards. */
void transfer_event(struct repl *repl, struct sid *sid, uint32_t events);

/* True if a transfer is connected, or connecting. */
bool transfers_busy(const struct repl *repl);

/* Ends those that wait for a connection. */
void transfers_drop_waiting(struct repl *repl);

/* One short text about the transfers that run ("sf big 45% 3.1 MB/s"), or "". Written to `size`
 * bytes at `text`. */
const char *transfers_progress(const struct repl *repl, char *text, size_t size);

/* Forgets all without a word. */
void transfers_done(struct repl *repl);

#endif
