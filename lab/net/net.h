/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_NET_H
#define LAB_NET_NET_H

/* A network's description (nets/NAME.json) as values: nodes, networks, who is where. See json.c for
 * what a description may say, and generate.h for the files that are made of it. */

#include <lab/lnx.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_NAME 64             /* bytes of a node's or network's name, with its NUL */
#define NET_IMPAIR 256          /* bytes of a network's impairments as text */
#define NET_FILE_MAX (4u << 20) /* bytes of a description */
#define NET_NODES_MAX 4096u     /* nodes, and networks */
#define NET_LINKS_MAX 60000u    /* interfaces of all nodes: each takes a UDP port */
#define NET_AUTOMATIC_MAX 256u  /* networks without a prefix: 10.0.0.0/24 to 10.255.0.0/24 */
#define NET_ERROR_TEXT 512

struct net_node {
    char name[NET_NAME]; /* letters, digits, `_`, `-`, `.`; a file's name, too */
    bool is_router;
    bool is_foreign; /* somebody else's program, which knows nothing of `# weir:` */
    unsigned iface_count;
};

/* One interface: a node's place on a network. */
struct net_link {
    size_t node; /* index into nodes */
    char iface[WEIR_IFACE_NAME];
    uint32_t addr;  /* host order */
    unsigned index; /* over all networks: its UDP port is the first one plus this */
};

struct net_network {
    char name[NET_NAME];
    struct net_link *links;
    size_t link_count;
    uint32_t prefix; /* host order */
    unsigned bits;
    char impair[NET_IMPAIR]; /* "loss=0.02 delay_ms=10", without a seed; empty: a good network */
    bool has_seed;           /* one was given */
    uint64_t seed;
};

struct net {
    struct net_node *nodes;
    size_t node_count;
    struct net_network *networks;
    size_t network_count;
    unsigned link_count; /* of all networks */
};

/* What was wrong: `loop.json:12: network "net3": unknown node "r9"`. */
struct net_error {
    unsigned line; /* 0: no line is to blame */
    char text[NET_ERROR_TEXT];
};

/* Reads a description. Returns 0 and fills *net, which net_done must release; or WEIR_EINVAL,
 * WEIR_EIO, WEIR_ENOENT, WEIR_ENOMEM with *error filled and *net empty. */
int net_read(const char *path, struct net *net, struct net_error *error);

/* The same for text in memory, `length` bytes with a NUL behind them; `name` stands in messages. */
int net_parse(const char *name, const char *text, size_t length, struct net *net,
              struct net_error *error);

/* Index of the node of this name, or -1. */
long net_find(const struct net *net, const char *name);

/* Whether a name may be a node's: a file name that needs no quoting, and no option. */
bool net_is_name(const char *name);

void net_done(struct net *net);

#endif
