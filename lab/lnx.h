/* SPDX-License-Identifier: MIT */
#ifndef LAB_LNX_H
#define LAB_LNX_H

/* The lnx file: one node of a virtual network, as text. See lnx.c for the grammar. */

#include <weir/links.h>
#include <weir/stack.h>

#define LNX_FILE_MAX (4u << 20) /* bytes of a file */
#define LNX_LINE_MAX 1024u      /* bytes of a line, without its end */
#define LNX_IFACES_MAX WEIR_IFACES_MAX
#define LNX_NEIGHBOURS_MAX 16384u /* also the limit of routes, and of advertise-to lines */
#define LNX_ERROR_TEXT 384

enum lnx_routing { LNX_ROUTING_STATIC, LNX_ROUTING_RIP };

struct lnx_iface {
    char name[WEIR_IFACE_NAME];
    struct weir_addr addr;
    struct weir_prefix prefix;
    uint32_t udp_ip; /* host order */
    uint16_t udp_port;
    bool is_impaired;
    struct weir_impair impair; /* only if is_impaired */
    unsigned line;
};

struct lnx_neighbour {
    struct weir_addr addr;
    uint32_t udp_ip;
    uint16_t udp_port;
    unsigned iface; /* index into ifaces */
    bool is_impaired;
    struct weir_impair impair; /* of what it sends to us; only if is_impaired */
};

struct lnx_route {
    struct weir_prefix prefix;
    struct weir_addr next_hop;
};

struct lnx_advertise {
    struct weir_addr addr;
    unsigned line;
};

/* A parsed file. Times are nanoseconds and hold the format's defaults where a line is absent. */
struct lnx {
    struct lnx_iface *ifaces;
    size_t iface_count;
    struct lnx_neighbour *neighbours;
    size_t neighbour_count;
    struct lnx_route *routes;
    size_t route_count;
    struct lnx_advertise *advertise_to; /* RIP neighbours */
    size_t advertise_count;
    enum lnx_routing routing;
    weir_time rip_update_interval; /* 5 s */
    weir_time rip_route_timeout;   /* 12 s */
    weir_time rto_min;             /* 1 ms */
    weir_time rto_max;             /* 5 s */
};

/* What was wrong: `h1.lnx:7: "foo": unknown directive`. `line` is 0 if no line is to blame. */
struct lnx_error {
    unsigned line;
    int code; /* WEIR_EINVAL, WEIR_ENOENT, WEIR_EIO, WEIR_ENOMEM */
    char text[LNX_ERROR_TEXT];
};

/* Reads and parses a file. Returns 0 and fills *lnx, which lnx_done must release; or error->code,
 * with *error filled and *lnx empty. */
int lnx_parse_file(const char *path, struct lnx *lnx, struct lnx_error *error);

/* The same for text in memory; `name` stands in the messages. The text need not be terminated. */
int lnx_parse_text(const char *name, const char *text, size_t length, struct lnx *lnx,
                   struct lnx_error *error);

/* Releases what a parse has filled. A zeroed struct is allowed. */
void lnx_done(struct lnx *lnx);

#endif
