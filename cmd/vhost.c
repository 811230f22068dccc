/* SPDX-License-Identifier: MIT */

/* vhost: a virtual host that is driven from its prompt. See node_main.c. */

#include <cmd/node_main.h>

int main(int argc, char **argv)
{
    return node_main(argc, argv, false);
}
