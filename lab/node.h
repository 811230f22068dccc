/* SPDX-License-Identifier: MIT */
#ifndef LAB_NODE_H
#define LAB_NODE_H

/* An lnx file made real: a host or router with its interfaces on UDP links. */

#include <lab/lnx.h>
#include <lab/recorder.h>
#include <weir/host.h>

#define NODE_MTU 1400 /* largest virtual packet, IP header included */
#define NODE_ERROR_TEXT 256

struct node_options {
    bool is_router;            /* forwards what is not its own */
    enum weir_profile profile; /* brown; the RTO bounds of the lnx file count with brown only */
    double drop_rate;          /* of forwarded packets, 0..1 */
    uint64_t drop_seed;        /* 0: random */
    bool skip_ip_checksum;
    bool skip_tcp_checksum;
    int retries;                /* give up after so many retransmissions; -1: as the profile says */
    double time_wait_seconds;   /* length of TIME-WAIT; negative: as the profile says */
    const char *capture;        /* file for every packet from the first on; NULL: none */
    struct recorder **recorder; /* with capture: what writes it, the caller's to finish first */
};

/* Profile brown, everything else as the profile says. */
void node_options_init(struct node_options *options);

/* Brings the node up: sockets bound, neighbours and routes set, RIP started. Returns NULL, and why
 * in *error (one line without a newline), if that fails. The caller ends it with
 * weir_host_destroy. `lnx` is not needed afterwards. */
struct weir_host *node_open(const struct lnx *lnx, const struct node_options *options, char *error,
                            size_t error_size);

#endif
