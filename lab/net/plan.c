/* SPDX-License-Identifier: MIT */

/* What is settled before anything is started: the nodes and their ports.
 *
 * Nodes come from a description, or from a directory of files that somebody has made. Ports are tried by
 * binding them: for a description the first row of free ones is taken (unless the user has named the
 * first), for files the ports are what they are, and a taken one is named with its file. The lock that
 * `up` holds (state.h) keeps two labs from choosing the same ports; against other programs nothing
 * does, and then the node says so.
 *
 * A node's file is read here with the nodes' own parser, so that a bad one is told before anything runs. A
 * file of somebody else's program that impairs what it sends is refused, since nobody would obey it.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <lab/lnx.h>
#include <lab/net/plan.h>
#include <lab/net/where.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/error.h>

#define LOOPBACK 0x7f000001u

static int fail(struct net_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct net_error *error, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error->line = 0;
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

/* Adds a node whose file is DIR/NAME.lnx. */
static int add_node(struct lab *lab, const char *dir, const char *name, bool is_router)
{
    struct lab_node *bigger = realloc(lab->nodes, (lab->node_count + 1) * sizeof *bigger);
    struct lab_node *node;
    char path[PATH_MAX];

    if (!bigger)
        return WEIR_ENOMEM;
    lab->nodes = bigger;
    node = &lab->nodes[lab->node_count];
    memset(node, 0, sizeof *node);
    snprintf(node->name, sizeof node->name, "%s", name);
    node->is_router = is_router;
    if (snprintf(path, sizeof path, "%s/%s.lnx", dir, name) < (int)sizeof path)
        node->lnx = strdup(path);
    lab->node_count++;
    return node->lnx ? 0 : WEIR_ENOMEM;
}

int plan_from_net(struct lab *lab, const struct net *net, struct net_error *error)
{
    size_t i;

    for (i = 0; i < net->node_count; i++)
        if (add_node(lab, lab->dir, net->nodes[i].name, net->nodes[i].is_router))
            return fail(error, WEIR_ENOMEM, "out of memory");
    return 0;
}

static int take_types(struct lab *lab, const char *dir, json_t *root, struct net_error *error)
{
    char path[PATH_MAX];
    const char *name;
    json_t *value;

    if (snprintf(path, sizeof path, "%s/nodes.json", dir) >= (int)sizeof path)
        return fail(error, WEIR_EINVAL, "%.300s: the name is too long", dir);
    json_object_foreach(root, name, value)
    {
        const char *type = json_string_value(value);

        if (!net_is_name(name) || !type ||
            (strcmp(type, "host") != 0 && strcmp(type, "router") != 0))
            return fail(error, WEIR_EINVAL,
                        "%.200s:%u: \"%.60s\": expected a name with \"host\" or \"router\"", path,
                        where_line_in_file(path, &(struct where_step){name, 0}, 1), name);
        if (add_node(lab, dir, name, strcmp(type, "router") == 0))
            return fail(error, WEIR_ENOMEM, "out of memory");
    }
    if (lab->node_count == 0 || lab->node_count > NET_NODES_MAX)
        return fail(error, WEIR_EINVAL, "%.200s/nodes.json: expected 1 to %u nodes", dir,
                    NET_NODES_MAX);
    return 0;
}

/* From nodes.json: {NAME: "host" or "router"}. */
static int from_types(struct lab *lab, const char *dir, const char *path, struct net_error *error)
{
    json_error_t fault;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &fault);
    int result;

    if (!root)
        return fail(error, WEIR_EINVAL, "%.200s:%d: %s", path, fault.line, fault.text);
    if (json_is_object(root))
        result = take_types(lab, dir, root, error);
    else
        result = fail(error, WEIR_EINVAL, "%.200s: expected an object", path);
    json_decref(root);
    return result;
}

/* A file without a type beside it: who speaks RIP is a router. */
static int from_file(struct lab *lab, const char *dir, const char *file, struct net_error *error)
{
    size_t length = strlen(file);
    struct lnx_error lnx_error;
    char path[PATH_MAX], name[NET_NAME];
    struct lnx lnx;
    bool is_router;

    if (length < 5 || strcmp(file + length - 4, ".lnx") != 0 || length - 4 >= sizeof name)
        return 0;
    snprintf(name, sizeof name, "%.*s", (int)(length - 4), file);
    if (!net_is_name(name) || snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path)
        return 0;
    if (lnx_parse_file(path, &lnx, &lnx_error))
        return fail(error, WEIR_EINVAL, "%s", lnx_error.text);
    is_router = lnx.routing == LNX_ROUTING_RIP;
    lnx_done(&lnx);
    return add_node(lab, dir, name, is_router) ? fail(error, WEIR_ENOMEM, "out of memory") : 0;
}

static int from_files(struct lab *lab, const char *dir, struct net_error *error)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort);
    int i, result = 0;

    if (count < 0)
        return fail(error, WEIR_EIO, "%.300s: %s", dir, strerror(errno));
    for (i = 0; i < count; i++) {
        if (!result)
            result = from_file(lab, dir, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    if (!result && lab->node_count == 0)
        return fail(error, WEIR_ENOENT, "%.300s: no NODE.lnx is there", dir);
    return result;
}

int plan_from_dir(struct lab *lab, const char *dir, struct net_error *error)
{
    char path[PATH_MAX], whole[PATH_MAX];

    if (!realpath(dir, whole))
        return fail(error, WEIR_ENOENT, "%.300s: %s", dir, strerror(errno));
    if (snprintf(path, sizeof path, "%s/nodes.json", whole) >= (int)sizeof path)
        return fail(error, WEIR_EINVAL, "%.300s: the name is too long", dir);
    if (access(path, F_OK) == 0)
        return from_types(lab, whole, path, error);
    return from_files(lab, whole, error);
}

/* ---- Ports --------------------------------------------------------------------------------------- */

/* Returns 0 if the UDP address can be bound, else an errno. */
static int try_port(uint32_t ip, unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr = {htonl(ip)}, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = 0;

    if (fd < 0)
        return errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof address))
        result = errno;
    close(fd);
    return result;
}

/* The first port of the row that is taken; 0: all are free. */
static unsigned first_taken(unsigned base, unsigned count, int *why)
{
    unsigned port;

    for (port = base; port < base + count; port++) {
        *why = try_port(LOOPBACK, port);
        if (*why)
            return port;
    }
    return 0;
}

int plan_ports(unsigned *base, unsigned count, bool is_fixed, struct net_error *error)
{
    unsigned from = *base, taken = 0;
    int why = EADDRINUSE;

    while (from + count <= 65536) {
        taken = first_taken(from, count, &why);
        if (!taken) {
            *base = from;
            return 0;
        }
        if (is_fixed)
            break;
        from = taken + 1;
    }
    return fail(error, WEIR_EADDRINUSE,
                "UDP port %u on 127.0.0.1: %s; choose others with --base-port",
                taken ? taken : from, strerror(why));
}

/* ---- Files --------------------------------------------------------------------------------------- */

static int check_file(const struct lab_node *node, struct net_error *error)
{
    struct lnx_error lnx_error;
    struct lnx lnx;
    int result = 0, why;
    size_t i;

    if (lnx_parse_file(node->lnx, &lnx, &lnx_error))
        return fail(error, WEIR_EINVAL, "%s", lnx_error.text);
    for (i = 0; i < lnx.iface_count && !result; i++) {
        const struct lnx_iface *iface = &lnx.ifaces[i];

        why = try_port(iface->udp_ip, iface->udp_port);
        if (why)
            result = fail(error, WEIR_EADDRINUSE, "%.250s:%u: UDP port %u: %s", node->lnx,
                          iface->line, iface->udp_port, strerror(why));
        else if (iface->is_impaired && !node->is_ours)
            result = fail(error, WEIR_EINVAL,
                          "%.250s: %s is somebody else's program, which does not impair what it "
                          "sends; bring the lab up from its JSON, or generate without impairments",
                          node->lnx, node->name);
    }
    lnx_done(&lnx);
    return result;
}

int plan_check_files(const struct lab *lab, struct net_error *error)
{
    size_t i;
    int result = 0;

    for (i = 0; i < lab->node_count && !result; i++)
        result = check_file(&lab->nodes[i], error);
    return result;
}
