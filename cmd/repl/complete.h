/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_COMPLETE_H
#define CMD_REPL_COMPLETE_H

/* What could stand where the cursor is. */

#include <stddef.h>

struct repl;

#define COMPLETE_TEXT 256

struct completion {
    char **choices; /* whole words, sorted */
    size_t count;
    char insert[COMPLETE_TEXT]; /* what all choices have beyond what is typed */
    size_t typed;
};

/* Looks at the first `cursor` bytes of `line`. Returns 0 (complete_done releases) or
 * WEIR_ENOMEM. */
int complete_line(struct repl *repl, const char *line, size_t cursor,
                  struct completion *completion);
void complete_done(struct completion *completion);

#endif
