/* SPDX-License-Identifier: MIT */
#ifndef CMD_LAB_H
#define CMD_LAB_H

/* The verbs of `weir lab`, and the options that several of them take. A verb gets the words after
 * `lab` (argv[0] is its name) and returns the program's exit status: 0; 1 for what went wrong, with a
 * line on stderr; 2 for wrong usage. */

#include <lab/net/generate.h>
#include <lab/net/state.h>

int lab_generate(int argc, char **argv);
int lab_up(int argc, char **argv);
int lab_attach(int argc, char **argv);
int lab_exec(int argc, char **argv);
int lab_status(int argc, char **argv);
int lab_down(int argc, char **argv);
int lab_pane(int argc, char **argv); /* what `up` has tmux run */

/* ---- What attach, exec, status and down share (lab_use.c) ----------------------------------------- */

struct lab_use {
    const char *dir; /* NULL: the only lab */
    bool is_json, is_all;
    char **words;
    int word_count;
};

/* Takes the options. Returns the status to end with, or -1: go on. */
int lab_use_options(int argc, char **argv, const char *usage, struct lab_use *use);

/* Both return what they find, 0 for the lab, or complain on stderr and return -1 or NULL. */
int lab_use_find(const struct lab_use *use, struct lab *lab);
const struct lab_node *lab_use_node(const struct lab *lab, const char *name);

/* ---- Options of generate and up (lab_options.c) ------------------------------------------------- */

/* Long options of the generator, for getopt_long: rows of the caller's table. */
enum lab_option {
    LAB_BASE_PORT = 1000,
    LAB_NO_TIMING,
    LAB_IMPAIR,
    LAB_LOSS,
    LAB_RIP_UPDATE,
    LAB_RIP_TIMEOUT,
    LAB_RTO_MIN,
    LAB_RTO_MAX,
    LAB_CONSTANTS,
};

/* clang-format off */
#define LAB_NET_OPTIONS                                       \
    {"base-port", required_argument, NULL, LAB_BASE_PORT},    \
    {"no-timing", no_argument, NULL, LAB_NO_TIMING},          \
    {"impair", required_argument, NULL, LAB_IMPAIR},          \
    {"loss", required_argument, NULL, LAB_LOSS},              \
    {"rip-update-ms", required_argument, NULL, LAB_RIP_UPDATE},   \
    {"rip-timeout-ms", required_argument, NULL, LAB_RIP_TIMEOUT}, \
    {"rto-min-us", required_argument, NULL, LAB_RTO_MIN},     \
    {"rto-max-us", required_argument, NULL, LAB_RTO_MAX},     \
    {"constants-file", required_argument, NULL, LAB_CONSTANTS}
/* clang-format on */

#define LAB_NET_USAGE                                                                   \
    "  --base-port N         the first UDP port (5000)\n"                               \
    "  --no-timing           leave out the timing lines, which older programs refuse\n" \
    "  --impair 'KEY=VALUE…' make every interface bad in this way\n"                  \
    "  --loss P              the same as --impair loss=P\n"                             \
    "  --rip-update-ms N     time between RIP updates (5000)\n"                         \
    "  --rip-timeout-ms N    life of a RIP route (12000)\n"                             \
    "  --rto-min-us N        least retransmission timeout (1000)\n"                     \
    "  --rto-max-us N        largest retransmission timeout (5000000)\n"                \
    "  --constants-file F    these four from a file of JSON, as the course's generator\n"

/* Takes one of these options. Returns 0, or 2 after a line of complaint on stderr. */
int lab_net_option(struct net_options *options, int option, const char *value);

#endif
