/* SPDX-License-Identifier: MIT */
#ifndef LAB_CONTROL_H
#define LAB_CONTROL_H

/* The control socket of a node: a Unix stream socket that takes the prompt's commands.
 *
 * A client writes one command a line. The node answers each, in order, with lines that begin with a
 * letter for what they are, and then the line that ends the answer:
 *
 *     -TEXT     a line that the command has printed
 *     =N        the end; N is the command's status: 0, or 1 if it has failed
 *     *TEXT     at any time, to clients that have asked for it: a line that the node has printed at its
 *               own prompt, events among them
 *
 * Lines that begin with a dot are requests to the socket itself: `.events` asks for the lines with a
 * star, `.hello` is answered with CONTROL_MARK, `.pid` with the node's process. Commands of several
 * clients run one after another; one whose client has gone is interrupted. */

#include <stddef.h>

#define CONTROL_LINE '-'
#define CONTROL_END '='
#define CONTROL_EVENT '*'

/* What a node answers to `.hello`. Programs that know `--control` have these bytes in their file. */
#define CONTROL_MARK "weir-node-control-1"

/* Makes a socket at `path` that nobody but this user may connect to, and listens. What a node that was
 * killed has left there is replaced; a socket that somebody listens on, or a file that is no socket, is
 * not. Returns the descriptor (non-blocking, close-on-exec), or a negative errno: -EADDRINUSE, … */
int control_listen(const char *path);

/* Closes `fd`, and removes the socket at `path` unless somebody else listens there now. */
void control_unlisten(const char *path, int fd);

/* Connects. Returns the descriptor (blocking, close-on-exec), or a negative errno. */
int control_connect(const char *path);

/* One line of an answer, without its letter and its newline; `line` ends with a NUL. */
typedef void control_line_fn(void *argument, const char *line, size_t length);

/* Connects, runs one command and calls `fn` (or NULL) for each line that it prints. Blocks until the
 * command is over. Returns its status, 0 or 1; or a negative errno: -EINVAL (the command is more than
 * a line), -ECONNREFUSED or -ENOENT (nobody is there), -ECONNRESET (the node ended before the
 * command did; the lines so far were told). */
int control_ask(const char *path, const char *command, control_line_fn *fn, void *argument);

#endif
