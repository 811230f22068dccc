/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

/* One random world: hosts, routers and bad links from a seed, transfers over it, and a verdict. */

#include <base/random.h>
#include <weir/sim.h>

#define NODES_MAX 8
#define NETWORKS_MAX 16
#define CONNECTIONS_MAX 8
#define PORTS_MAX 4
#define CUTS_MAX 3
#define REASON_MAX 320
#define SERVER_PORT 80
#define CLIENT_PORT 2000 /* plus the number of the connection */

/* Where an interface is. */
struct place {
    int node, iface;
    struct weir_addr addr;
};

struct network {
    int number; /* the simulator's */
    struct weir_prefix prefix;
    struct place places[PORTS_MAX];
    struct weir_impair impair[PORTS_MAX]; /* when nothing is cut */
    int place_count;
};

/* One side of a connection, as its application sees it. */
struct end {
    struct world *world;
    struct connection *connection;
    int node, socket;
    bool is_server, exists, is_open, has_shut, has_eof, has_closed, is_gone;
    int error;              /* what ended it, or 0 */
    uint32_t to_send, sent; /* bytes */
    uint32_t to_receive, received;
    uint32_t abort_at; /* aborts once it has sent so much; UINT32_MAX: never */
    weir_time pace;    /* reads at this interval; 0: as data comes */
    uint32_t write_max, read_max;
    bool closes_late; /* its FIN follows the other's */
};

/* A link that stops working. */
struct cut {
    struct world *world;
    struct network *network;
    int place;       /* whose interface goes down; -1: silently */
    weir_time until; /* WEIR_NEVER: for ever */
};

struct connection {
    int id;
    bool may_fail;      /* an abort is part of it */
    struct end ends[2]; /* client, server */
};

struct world {
    uint64_t seed;
    struct random random;
    struct weir_sim *sim;
    struct weir_tcp_settings tcp;
    struct network networks[NETWORKS_MAX];
    struct connection connections[CONNECTIONS_MAX];
    int hosts[NODES_MAX], routers[NODES_MAX];
    struct weir_addr host_addr[NODES_MAX]; /* by place in hosts */
    int listeners[NODES_MAX];              /* sockets, by place in hosts */
    int host_count, router_count, node_count, network_count, connection_count;
    struct cut cuts[CUTS_MAX];
    int cut_count;
    bool uses_rip, has_dead_link, has_corruption;
    int verbosity;
    char reason[REASON_MAX]; /* why it failed; empty: it did not */
};

struct verdict {
    bool is_good;
    char reason[REASON_MAX];
    uint64_t hash; /* of everything that every node received */
    uint64_t packets, bytes;
    int errors; /* ends that ended with a legitimate error */
    weir_time duration;
};

/* `verbosity` 1: what became of each connection; 2: every packet too. */
void world_run(uint64_t seed, int verbosity, struct verdict *verdict);

/* topology.c */
void topology_build(struct world *world);

/* faults.c */
void faults_draw(struct world *world, struct weir_impair *impair);
void faults_schedule(struct world *world);

/* transfers.c */
void transfers_plan(struct world *world);
void transfers_judge(struct world *world, struct verdict *verdict);

/* Notes the first thing that is wrong and ends the run. */
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Uniform in from..to. */
uint32_t world_between(struct world *world, uint32_t from, uint32_t to);

#endif
