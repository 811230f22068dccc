/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_CONTROL_H
#define CMD_REPL_CONTROL_H

/* The node's end of its control socket: clients, their lines, and what they are told. The language is
 * in lab/control.h; who runs the commands is repl.c. */

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_CLIENTS_MAX 16u
#define CONTROL_OUTPUT_MAX ((size_t)8 << 20) /* bytes that a client has not read yet */
#define CONTROL_ERROR_TEXT 256

struct control;
struct control_client;

/* Listens at `path`, which must stay valid. NULL, and why in `error` (CONTROL_ERROR_TEXT bytes). */
struct control *control_create(const char *path, char *error);

/* Lets the clients go and removes the socket. NULL is allowed. */
void control_destroy(struct control *control);

/* Polls readable when control_serve has something to do. */
int control_fd(const struct control *control);

/* Takes connections, lines and departures; sends on what clients had no room for. Never blocks.
 * Returns true if the client whose command runs has gone. */
bool control_serve(struct control *control);

/* Whether control_next may find a line. */
bool control_has_line(const struct control *control);

/* The next command of a client, in turns. It runs from now on: `line` is valid and its client is kept
 * until control_finish. NULL: there is none. */
struct control_client *control_next(struct control *control, char **line);

/* Answers a line that begins with a dot. Returns the status. */
int control_request(struct control_client *client, const char *line);

/* One line that the command prints; `line` has `length` bytes, the last one a newline. */
void control_print(struct control_client *client, const char *line, size_t length);

/* The command is over. */
void control_finish(struct control_client *client, int status);

/* A line of the node's own prompt, for clients that want them. */
void control_event(struct control *control, const char *line, size_t length);

#endif
