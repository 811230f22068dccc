/* SPDX-License-Identifier: MIT */

/* vrouter: a virtual router that is driven from its prompt. See node_main.c. */

#include <cmd/node_main.h>

int main(int argc, char **argv)
{
    return node_main(argc, argv, true);
}
