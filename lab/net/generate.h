/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_GENERATE_H
#define LAB_NET_GENERATE_H

/* The files of a network: NODE.lnx for every node, nodes.json, binaries.example.json. */

#include <lab/net/net.h>

struct net_options {
    unsigned base_port; /* the first UDP port */
    bool no_timing;     /* leave out the rip and tcp timing lines, which older programs refuse */
    char impair[NET_IMPAIR]; /* for every interface, beside what the networks say, and without a
                              * seed; may be empty */
    bool has_seed;           /* of all networks, whatever they say */
    uint64_t seed;
    unsigned rip_update_ms, rip_timeout_ms;
    unsigned rto_min_us, rto_max_us;
};

/* Ports from 5000 and the times of the course's generator. */
void net_options_init(struct net_options *options);

/* Writes the files into the directory `dir`, which is made if it is not there; old files of these
 * names are replaced. The same input gives the same bytes. Returns 0, or WEIR_EINVAL (the ports do
 * not suffice, or an impaired network has no node of ours) or WEIR_EIO with *error filled. */
int net_generate(const struct net *net, const struct net_options *options, const char *dir,
                 struct net_error *error);

/* How many directions of impaired networks stay good, since both ends are somebody else's programs. */
unsigned net_count_unimpaired(const struct net *net, const struct net_options *options);

#endif
