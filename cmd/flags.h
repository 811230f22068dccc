/* SPDX-License-Identifier: MIT */
#ifndef CMD_FLAGS_H
#define CMD_FLAGS_H

/* The command line of vhost and vrouter. */

#include <lab/node.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

#define FLAGS_ERROR_TEXT 192

struct flags {
    const char *config;
    const char *control; /* path of the control socket; NULL: none */
    struct node_options node;
    enum log_level log_level;
    bool help;
};

/* Takes argv apart; argv[0] is skipped. Returns 0 and fills *flags (which point into argv), or
 * WEIR_EINVAL with one line of complaint in `error` (FLAGS_ERROR_TEXT bytes). Without --help, a
 * config is sure to be there. */
int flags_parse(int argc, char *const *argv, struct flags *flags, char *error);

/* The usage text, many lines; `program` is "vhost" or "vrouter". Written to `size` bytes at `text`;
 * returns `text`. */
#define FLAGS_USAGE_TEXT 2048
const char *flags_usage(const char *program, char *text, size_t size);

#endif
