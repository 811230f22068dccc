/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_CAPTURING_H
#define CMD_REPL_CAPTURING_H

/* The capture of a node, as the prompt sees it: at most one runs. */

#include <stdbool.h>

struct recorder;
struct repl;

struct capturing {
    struct recorder *recorder; /* NULL: none runs */
    char *path;
    bool is_stopping; /* somebody waits for its end, and tells it */
    bool has_ended;
};

/* Takes over the one that --capture has begun. */
void capturing_adopt(struct repl *repl);

/* Begins one; says why if that fails. */
void capturing_start(struct repl *repl, const char *path);

/* Ends it and says what is in the file. With `with_steps` the node lives on until the file is closed.
 * Nothing is done if none runs. */
void capturing_stop(struct repl *repl, bool with_steps);

/* Whether one runs, into this file. */
bool capturing_is_to(const struct repl *repl, const char *path);

/* Says what runs, and how far it has come. */
void capturing_tell(struct repl *repl);

/* Readable when it has ended; -1: none runs. */
int capturing_fd(const struct repl *repl);

/* The descriptor is readable: it has ended. Says why at the prompt, unless somebody waits for it. */
void capturing_ended(struct repl *repl);

#endif
