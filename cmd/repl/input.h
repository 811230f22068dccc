/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_INPUT_H
#define CMD_REPL_INPUT_H

/* Lines from a descriptor that is no terminal. */

#include <stdbool.h>
#include <stddef.h>

#define INPUT_LINE_MAX (1u << 20) /* bytes; longer lines are refused whole */

enum input_result {
    INPUT_LINE,     /* *line is one line without its end, valid until the next call */
    INPUT_MORE,     /* no whole line yet: fill again */
    INPUT_END,      /* no more lines will come */
    INPUT_TOO_LONG, /* a line was too long (or held a NUL byte) and is gone */
};

struct input {
    int fd;
    char *buffer;
    size_t start, end, room; /* what is read and not yet handed out: buffer[start..end) */
    bool at_end;
    bool skipping; /* inside a line that was too long */
};

void input_init(struct input *input, int fd);
void input_done(struct input *input);

/* Reads once (may block: call it when fd is readable). Returns 0 or WEIR_ENOMEM. An error of the
 * descriptor counts as its end. */
int input_fill(struct input *input);

/* The next line of what was read. */
enum input_result input_next(struct input *input, char **line);

#endif
