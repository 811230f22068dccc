/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_TERMINAL_H
#define CMD_REPL_TERMINAL_H

/* The prompt on a terminal: line editing, history, completion, progress. */

#include <weir/types.h>

struct repl;
struct terminal;

/* NULL if the terminal cannot be used for editing. */
struct terminal *terminal_create(struct repl *repl);

/* Puts the terminal back as it was. NULL is allowed. */
void terminal_destroy(struct terminal *terminal);

/* Edits one line, while the node lives on. Valid until the next call. NULL: Ctrl-D, Ctrl-C at an
 * empty prompt, or the node shall quit. */
char *terminal_line(struct terminal *terminal);

/* Around output that comes while a line is edited: clears it away, draws it again below. */
void terminal_hide(struct terminal *terminal);
void terminal_show(struct terminal *terminal);

/* Redraws the progress of transfers, which stands in the prompt. */
weir_time terminal_deadline(const struct terminal *terminal);
void terminal_expire(struct terminal *terminal, weir_time now);

#endif
