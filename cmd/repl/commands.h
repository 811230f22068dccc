/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_COMMANDS_H
#define CMD_REPL_COMMANDS_H

/* The commands of the prompt. One row here and one file cmd_NAME.c make a command: the list gives
 * the declarations, the table that look-up and completion walk, the help text, and the unit test. */

#include <cmd/repl/args.h>

struct repl;

#define WHO_HOST 1u
#define WHO_ROUTER 2u
#define WHO_BOTH 3u

/* C(name, least words after the name, most words, usage, help, who); the function is cmd_NAME.
 * Most words COMMAND_TEXT: the rest of the line is text. */
#define COMMAND_TEXT 99

/* clang-format off */
#define COMMANDS(C)                                                                            \
    C(li, 0, 0, "li", "list interfaces", WHO_BOTH)                                             \
    C(ln, 0, 0, "ln", "list neighbors of the interfaces that are up", WHO_BOTH)                \
    C(lr, 0, 0, "lr", "list routes", WHO_BOTH)                                                 \
    C(up, 1, 1, "up <interface>", "take an interface up", WHO_BOTH)                            \
    C(down, 1, 1, "down <interface>", "take an interface down", WHO_BOTH)                      \
    C(link, 1, COMMAND_TEXT, "link <interface> KEY=VALUE ... | off", "make what it sends bad, or show it", \
      WHO_BOTH)                                                                                \
    C(send, 2, COMMAND_TEXT, "send <addr> <message>", "send a test packet", WHO_BOTH)                    \
    C(drop, 1, 1, "drop <rate>, where rate is [0, 1]", "drop forwarded packets at random",     \
      WHO_BOTH)                                                                                \
    C(capture, 0, 2, "capture [on|off] [file]", "write every packet to a file (pcapng)",     \
      WHO_BOTH)                                                                                \
    C(ping, 1, 2, "ping <addr> [count]", "measure the way to an address and back", WHO_BOTH)   \
    C(traceroute, 1, 1, "traceroute <addr>", "show the routers on the way to an address",      \
      WHO_BOTH)                                                                                \
    C(a, 1, 1, "a <port>", "listen on a port and accept connections", WHO_HOST)                \
    C(c, 2, 2, "c <addr> <port>", "connect to a port", WHO_HOST)                               \
    C(ls, 0, 0, "ls", "list sockets", WHO_HOST)                                                \
    C(s, 2, COMMAND_TEXT, "s <socket ID> <data>", "send text over a socket", WHO_HOST)                   \
    C(r, 2, 3, "r <socket ID> <bytes> [y|n]", "receive up to (y: exactly) so many bytes",      \
      WHO_HOST)                                                                                \
    C(cl, 1, 1, "cl <socket ID>", "close a socket", WHO_HOST)                                  \
    C(sf, 3, 3, "sf <file> <addr> <port>", "send a file", WHO_HOST)                            \
    C(rf, 2, 2, "rf <file> <port>", "receive a file", WHO_HOST)                                \
    C(info, 1, 1, "info <socket ID>", "show all about a connection", WHO_HOST)                 \
    C(stats, 0, 0, "stats", "show the counters that are not zero", WHO_BOTH)                   \
    C(help, 0, 0, "help", "list the commands", WHO_BOTH)                                       \
    C(exit, 0, 0, "exit", "end the node at once", WHO_BOTH)
/* clang-format on */

typedef void command_fn(struct repl *repl, const struct args *args);

#define C(name, least, most, usage, help, who) command_fn cmd_##name;
COMMANDS(C)
#undef C

struct command {
    const char *name;
    command_fn *fn;
    unsigned least, most;
    const char *usage;
    const char *help;
    unsigned who;
};

/* The `index`-th command in the list's order; NULL beyond the last. */
const struct command *command_at(unsigned index);

/* The command of this name that a host (or router) has; NULL if there is none. */
const struct command *command_find(const char *name, bool is_router);

/* Runs one line of input. An empty line does nothing. */
void command_run(struct repl *repl, char *line);

#endif
