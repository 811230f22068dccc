/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_PLAN_H
#define LAB_NET_PLAN_H

/* What a lab will consist of: its nodes, whose programs run them, and which UDP ports they take. */

#include <lab/net/generate.h>
#include <lab/net/state.h>

/* Which programs run the nodes; NULL where nothing was said. */
struct lab_choice {
    const char *host, *router; /* a program for every host and every router; both or none */
    const char *bin_dir;       /* where vhost and vrouter lie */
    const char *bin_config;    /* a JSON file: {NODE: {"binary_path", …}} */
    char *const *extra;        /* words for every node, closed by NULL */
};

/* The nodes of a description, in its order; their files will lie in lab->dir. */
int plan_from_net(struct lab *lab, const struct net *net, struct net_error *error);

/* The nodes of a directory of lnx files: those of its nodes.json, or, without one, NODE.lnx in the order
 * of their names, where those with `routing rip` are routers. */
int plan_from_dir(struct lab *lab, const char *dir, struct net_error *error);

/* Fills in argv and is_ours of every node. All return 0, or WEIR_EINVAL, WEIR_ENOENT, WEIR_EIO,
 * WEIR_ENOMEM with *error filled. */
int plan_programs(struct lab *lab, const struct lab_choice *choice, struct net_error *error);

/* Whether a program knows --control: its file says so. */
bool plan_is_ours(const char *program);

/* Finds `count` free UDP ports on 127.0.0.1 in a row: from *base on, or, unless `is_fixed`, from a later
 * one. Returns 0, or WEIR_EADDRINUSE with *error naming the port. */
int plan_ports(unsigned *base, unsigned count, bool is_fixed, struct net_error *error);

/* Reads every node's lnx file and tries its UDP addresses. Also refuses impairments of what a program
 * sends that is not ours. */
int plan_check_files(const struct lab *lab, struct net_error *error);

#endif
