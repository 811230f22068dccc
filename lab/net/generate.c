/* SPDX-License-Identifier: MIT */

/* From a network to its files, as the course's generator makes them.
 *
 *     # h1 (host)                                        # r1 (router)
 *     interface if0 10.0.0.1/24 127.0.0.1:5000           interface if0 10.0.0.2/24 127.0.0.1:5001
 *     neighbor 10.0.0.2 at 127.0.0.1:5001 via if0        interface …, neighbor …
 *     routing static                                     routing rip
 *     route 0.0.0.0/0 via 10.0.0.2                       rip advertise-to 10.1.0.2
 *     tcp rto-min 1000                                   rip periodic-update-rate 5000
 *     tcp rto-max 5000000                                rip route-timeout-threshold 12000
 *
 * A host routes through the first router beside it, in the order of its interfaces; without one it has
 * no route but its own network. A router speaks RIP with every router that shares a network with it.
 * Who is where was decided when the description was read (json.c): here it is only told.
 *
 * Impairments are comments, so that programs which know nothing of them can read the file. Each
 * direction of a bad network is impaired once: where it is sent (`# weir: impair if0 loss=0.1`), or, if
 * somebody else's program sends it, where one of ours receives it (`# weir: impair if0 from 10.0.0.2
 * loss=0.1`). With a seed each place has its own: the network's plus the sending interface's number,
 * and 2^32 for each receiving one, so that no two places lose the same packets. In the files 0 means
 * none, so the place that would get it has 2^64 - 1.
 *
 * Writing goes to the file's own name: a generator that is killed leaves files that the next run
 * replaces. The order of everything is that of the description, so the output is a function of it.
 */

#include <errno.h>
#include <inttypes.h>
#include <lab/net/generate.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/error.h>

#define PATH_TEXT 4096

struct writer {
    const struct net *net;
    const struct net_options *options;
    const char *dir;
    struct net_error *error;
    FILE *file;
    size_t node; /* whose file it is */
};

/* A pair of interfaces on one network. */
typedef void pair_fn(struct writer *writer, const struct net_network *network,
                     const struct net_link *own, const struct net_link *other);

void net_options_init(struct net_options *options)
{
    memset(options, 0, sizeof *options);
    options->base_port = 5000;
    options->rip_update_ms = 5000;
    options->rip_timeout_ms = 12000;
    options->rto_min_us = 1000;
    options->rto_max_us = 5000000;
}

static int fail(struct writer *writer, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct writer *writer, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    writer->error->line = 0;
    vsnprintf(writer->error->text, sizeof writer->error->text, format, args);
    va_end(args);
    return code;
}

static int open_file(struct writer *writer, const char *name, const char *suffix)
{
    char path[PATH_TEXT];

    if (snprintf(path, sizeof path, "%s/%s%s", writer->dir, name, suffix) >= (int)sizeof path)
        return fail(writer, WEIR_EINVAL, "%.200s: the name is too long", writer->dir);
    writer->file = fopen(path, "we");
    return writer->file ? 0 : fail(writer, WEIR_EIO, "%.300s: %s", path, strerror(errno));
}

static int close_file(struct writer *writer, const char *name)
{
    bool is_bad = ferror(writer->file);

    if (fclose(writer->file) || is_bad)
        return fail(writer, WEIR_EIO, "%.200s/%.80s: %s", writer->dir, name, strerror(errno));
    return 0;
}

/* ---- Parts of an lnx file ------------------------------------------------------------------------ */

static void put_addr(struct writer *writer, uint32_t addr)
{
    fprintf(writer->file, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
}

static unsigned port_of(const struct writer *writer, const struct net_link *link)
{
    return writer->options->base_port + link->index;
}

/* The values of an impairment, behind what says where it is. */
static void put_impair(struct writer *writer, const struct net_network *network, uint64_t seed)
{
    const struct net_options *all = writer->options;

    if (network->impair[0])
        fprintf(writer->file, " %s", network->impair);
    if (all->impair[0])
        fprintf(writer->file, " %s", all->impair);
    seed += all->has_seed ? all->seed : network->seed;
    if (all->has_seed || network->has_seed)
        fprintf(writer->file, " seed=%" PRIu64, seed ? seed : UINT64_MAX);
    fputc('\n', writer->file);
}

static bool is_impaired(const struct writer *writer, const struct net_network *network)
{
    return network->impair[0] || writer->options->impair[0];
}

static void put_iface(struct writer *writer, const struct net_network *network,
                      const struct net_link *link)
{
    fprintf(writer->file, "interface %s ", link->iface);
    put_addr(writer, link->addr);
    fprintf(writer->file, "/%u 127.0.0.1:%u\n", network->bits, port_of(writer, link));
    if (!is_impaired(writer, network) || writer->net->nodes[link->node].is_foreign)
        return;
    fprintf(writer->file, "# weir: impair %s", link->iface);
    put_impair(writer, network, link->index);
}

static void put_neighbour(struct writer *writer, const struct net_network *network,
                          const struct net_link *own, const struct net_link *other)
{
    const struct net_node *nodes = writer->net->nodes;

    fputs("neighbor ", writer->file);
    put_addr(writer, other->addr);
    fprintf(writer->file, " at 127.0.0.1:%u via %s # %s\n", port_of(writer, other), own->iface,
            nodes[other->node].name);
    if (!is_impaired(writer, network) || !nodes[other->node].is_foreign ||
        nodes[own->node].is_foreign)
        return;
    fprintf(writer->file, "# weir: impair %s from ", own->iface);
    put_addr(writer, other->addr);
    put_impair(writer, network, other->index + (((uint64_t)own->index + 1) << 32));
}

static void put_advertise(struct writer *writer, const struct net_network *network,
                          const struct net_link *own, const struct net_link *other)
{
    (void)network;
    (void)own;
    if (!writer->net->nodes[other->node].is_router)
        return;
    fputs("rip advertise-to ", writer->file);
    put_addr(writer, other->addr);
    fprintf(writer->file, " # %s\n", writer->net->nodes[other->node].name);
}

/* Calls `fn` for each interface of the node with each other one on its network. */
static void each_pair(struct writer *writer, pair_fn *fn)
{
    const struct net *net = writer->net;
    size_t n, i, j;

    for (n = 0; n < net->network_count; n++) {
        const struct net_network *network = &net->networks[n];

        for (i = 0; i < network->link_count; i++) {
            if (network->links[i].node != writer->node)
                continue;
            for (j = 0; j < network->link_count; j++)
                if (j != i)
                    fn(writer, network, &network->links[i], &network->links[j]);
        }
    }
}

/* The first router beside the node; NULL: none. */
static const struct net_link *first_router(const struct net *net, size_t node)
{
    size_t n, i;

    for (n = 0; n < net->network_count; n++) {
        const struct net_network *network = &net->networks[n];
        const struct net_link *router = NULL;
        bool is_here = false;

        for (i = 0; i < network->link_count; i++) {
            const struct net_link *link = &network->links[i];

            is_here = is_here || link->node == node;
            if (!router && link->node != node && net->nodes[link->node].is_router)
                router = link;
        }
        if (is_here && router)
            return router;
    }
    return NULL;
}

/* ---- Files ------------------------------------------------------------------------------------- */

static void put_host(struct writer *writer)
{
    const struct net_options *options = writer->options;
    const struct net_link *router = first_router(writer->net, writer->node);

    fputs("routing static\n", writer->file);
    if (router) {
        fputs("route 0.0.0.0/0 via ", writer->file);
        put_addr(writer, router->addr);
        fputc('\n', writer->file);
    }
    if (!options->no_timing)
        fprintf(writer->file,
                "tcp rto-min %u # in microseconds\ntcp rto-max %u # in microseconds\n",
                options->rto_min_us, options->rto_max_us);
}

static void put_router(struct writer *writer)
{
    const struct net_options *options = writer->options;

    fputs("routing rip\n", writer->file);
    each_pair(writer, put_advertise);
    if (!options->no_timing)
        fprintf(writer->file,
                "rip periodic-update-rate %u # in milliseconds\n"
                "rip route-timeout-threshold %u # in milliseconds\n",
                options->rip_update_ms, options->rip_timeout_ms);
}

static int write_lnx(struct writer *writer)
{
    const struct net *net = writer->net;
    const struct net_node *node = &net->nodes[writer->node];
    size_t n, i;
    int result = open_file(writer, node->name, ".lnx");

    if (result)
        return result;
    fprintf(writer->file, "# %s (%s)\n", node->name, node->is_router ? "router" : "host");
    for (n = 0; n < net->network_count; n++)
        for (i = 0; i < net->networks[n].link_count; i++)
            if (net->networks[n].links[i].node == writer->node)
                put_iface(writer, &net->networks[n], &net->networks[n].links[i]);
    each_pair(writer, put_neighbour);
    if (node->is_router)
        put_router(writer);
    else
        put_host(writer);
    return close_file(writer, node->name);
}

/* {NODE: type}, the names need no quoting. */
static int write_types(struct writer *writer)
{
    const struct net *net = writer->net;
    size_t i;
    int result = open_file(writer, "nodes", ".json");

    if (result)
        return result;
    fputs("{\n", writer->file);
    for (i = 0; i < net->node_count; i++)
        fprintf(writer->file, "  \"%s\": \"%s\"%s\n", net->nodes[i].name,
                net->nodes[i].is_router ? "router" : "host", i + 1 < net->node_count ? "," : "");
    fputs("}\n", writer->file);
    return close_file(writer, "nodes.json");
}

/* {NODE: {"binary_path": …}} */
static int write_binaries(struct writer *writer)
{
    const struct net *net = writer->net;
    size_t i;
    int result = open_file(writer, "binaries.example", ".json");

    if (result)
        return result;
    fputs("{\n", writer->file);
    for (i = 0; i < net->node_count; i++)
        fprintf(writer->file, "  \"%s\": {\n    \"binary_path\": \"%s\"\n  }%s\n",
                net->nodes[i].name, net->nodes[i].is_router ? "vrouter" : "vhost",
                i + 1 < net->node_count ? "," : "");
    fputs("}\n", writer->file);
    return close_file(writer, "binaries.example.json");
}

/* ---- The whole --------------------------------------------------------------------------------- */

/* Directions of a network whose both ends are somebody else's programs. */
static unsigned foreign_pairs(const struct net *net, const struct net_network *network)
{
    unsigned count = 0;
    size_t i;

    for (i = 0; i < network->link_count; i++)
        count += net->nodes[network->links[i].node].is_foreign;
    return count * (count - (count > 0));
}

unsigned net_count_unimpaired(const struct net *net, const struct net_options *options)
{
    unsigned count = 0;
    size_t n;

    for (n = 0; n < net->network_count; n++)
        if (net->networks[n].impair[0] || options->impair[0])
            count += foreign_pairs(net, &net->networks[n]);
    return count;
}

/* What the description alone could not know. */
static int check(struct writer *writer)
{
    const struct net *net = writer->net;
    size_t n, i;

    if (writer->options->base_port == 0 || writer->options->base_port + net->link_count > 65536)
        return fail(writer, WEIR_EINVAL, "%u UDP ports from %u on: there are only 65535",
                    net->link_count, writer->options->base_port);
    for (n = 0; n < net->network_count; n++) {
        const struct net_network *network = &net->networks[n];
        bool has_ours = !is_impaired(writer, network);

        for (i = 0; i < network->link_count; i++)
            has_ours = has_ours || !net->nodes[network->links[i].node].is_foreign;
        if (!has_ours)
            return fail(writer, WEIR_EINVAL,
                        "network \"%s\" cannot be impaired: none of its nodes is one of ours",
                        network->name);
    }
    return 0;
}

/* The directory and those above it. Returns 0, or -1 with errno set. */
static int make_folders(const char *dir)
{
    char path[PATH_TEXT];
    char *slash;

    if (snprintf(path, sizeof path, "%s", dir) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (slash = strchr(path + 1, '/'); path[0] && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(path, 0777) && errno != EEXIST ? -1 : 0;
}

int net_generate(const struct net *net, const struct net_options *options, const char *dir,
                 struct net_error *error)
{
    struct writer writer = {net, options, dir, error, NULL, 0};
    int result = check(&writer);

    if (!result && make_folders(dir))
        result = fail(&writer, WEIR_EIO, "%.300s: %s", dir, strerror(errno));
    for (; writer.node < net->node_count && !result; writer.node++)
        result = write_lnx(&writer);
    if (!result)
        result = write_types(&writer);
    return result ? result : write_binaries(&writer);
}
