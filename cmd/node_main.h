/* SPDX-License-Identifier: MIT */
#ifndef CMD_NODE_MAIN_H
#define CMD_NODE_MAIN_H

#include <stdbool.h>

/* The whole of vhost and vrouter: flags, lnx file, node, prompt. Returns the exit status: 0, 1 for a
 * config that cannot be used, 2 for wrong usage. */
int node_main(int argc, char **argv, bool is_router);

#endif
