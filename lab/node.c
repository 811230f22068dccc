/* SPDX-License-Identifier: MIT */

/* From an lnx file to a running node.
 *
 * Every interface is a UDP socket, wrapped in `impair`, which does nothing unless the file or, later,
 * the prompt asks for it, and in a wrapper of the receiving side if the file impairs a neighbour; the
 * frame tag of a neighbour is its UDP address, so the stack itself refuses datagrams from strangers
 * (only_neighbours). The stack's settings come from a profile, and with profile `brown` the file's
 * bounds for the retransmission timeout replace the profile's.
 *
 * A node is either up as a whole or not at all: the first step that fails destroys the host, which
 * closes the links that it already owns. A link that is not yet the host's is closed here.
 *
 * Limits: WEIR_IFACES_MAX interfaces; packets of NODE_MTU bytes are sent, larger ones received.
 */

#include <lab/node.h>
#include <stdio.h>
#include <string.h>

struct builder {
    const struct lnx *lnx;
    const struct node_options *options;
    struct weir_host *host;
    char *error;
    size_t error_size;
    uint64_t seed; /* of impair wrappers without a seed of their own */
};

void node_options_init(struct node_options *options)
{
    memset(options, 0, sizeof *options);
    options->profile = WEIR_PROFILE_BROWN;
    options->retries = -1;
    options->time_wait_seconds = -1;
}

static int fail(struct builder *builder, const char *what, int error)
{
    snprintf(builder->error, builder->error_size, "%s: %s", what, weir_strerror(error));
    return error;
}

static void apply_settings(const struct lnx *lnx, const struct node_options *options,
                           struct weir_tcp_settings *tcp)
{
    weir_profile(options->profile, tcp);
    if (options->profile == WEIR_PROFILE_BROWN) {
        tcp->rto_min = lnx->rto_min;
        tcp->rto_max = lnx->rto_max;
        if (tcp->rto_initial > lnx->rto_max)
            tcp->rto_initial = lnx->rto_max;
        if (tcp->rto_initial < lnx->rto_min)
            tcp->rto_initial = lnx->rto_min;
    }
    if (options->retries >= 0) {
        tcp->r2_retries = (uint32_t)options->retries;
        tcp->syn_r2_retries = (uint32_t)options->retries;
        tcp->r2_time = 0;
        tcp->syn_r2_time = 0;
        if (tcp->r1_retries > tcp->r2_retries)
            tcp->r1_retries = tcp->r2_retries;
    }
    if (options->time_wait_seconds >= 0)
        tcp->msl = (weir_time)(options->time_wait_seconds * 1e9 / 2);
}

static int create_host(struct builder *builder)
{
    struct weir_stack_config config;
    int result;

    weir_stack_config_init(&config);
    result = weir_host_seed(&config);
    if (result)
        return fail(builder, "no random seed", result);
    memcpy(&builder->seed, config.seed, sizeof builder->seed);
    config.node_id = builder->lnx->iface_count ? weir_addr_to4(&builder->lnx->ifaces[0].addr) : 0;
    config.forwarding = builder->options->is_router;
    config.skip_ip_checksum = builder->options->skip_ip_checksum;
    config.skip_tcp_checksum = builder->options->skip_tcp_checksum;
    apply_settings(builder->lnx, builder->options, &config.tcp);
    builder->host = weir_host_create(&config);
    return builder->host ? 0 : fail(builder, "cannot create the stack", WEIR_ENOMEM);
}

/* A seed of its own for whoever was given none; `salt` tells them apart. */
static void choose_seed(const struct builder *builder, struct weir_impair *impair, uint64_t salt)
{
    if (impair->seed == 0)
        impair->seed = builder->seed + salt;
}

/* Impairs what comes from those neighbours of the interface that the file names. */
static int impair_received(struct builder *builder, const struct lnx_iface *iface,
                           struct weir_link **link)
{
    const struct lnx *lnx = builder->lnx;
    struct weir_link *wrapper = NULL;
    int result = 0;
    size_t i;

    for (i = 0; i < lnx->neighbour_count && !result; i++) {
        const struct lnx_neighbour *neighbour = &lnx->neighbours[i];
        struct weir_impair impair = neighbour->impair;

        if (!neighbour->is_impaired || &lnx->ifaces[neighbour->iface] != iface)
            continue;
        if (!wrapper)
            wrapper = weir_impair_received_create(*link);
        if (!wrapper)
            return fail(builder, iface->name, WEIR_ENOMEM);
        *link = wrapper;
        choose_seed(builder, &impair, ((uint64_t)i + 1) << 32);
        result = weir_impair_received_add(
            wrapper, weir_udp_tag(neighbour->udp_ip, neighbour->udp_port), &impair);
    }
    return result ? fail(builder, iface->name, result) : 0;
}

/* Replaces *link by one that can be impaired. */
static int impair_link(struct builder *builder, const struct lnx_iface *iface,
                       struct weir_link **link)
{
    struct weir_impair impair = iface->impair;
    struct weir_link *wrapper;
    int result = impair_received(builder, iface, link);

    if (result)
        return result;
    choose_seed(builder, &impair, iface->line);
    wrapper = weir_impair_create(*link, &impair);
    if (!wrapper)
        return fail(builder, iface->name, WEIR_ENOMEM);
    *link = wrapper;
    return 0;
}

static int add_iface(struct builder *builder, const struct lnx_iface *iface)
{
    struct weir_link *link;
    char what[128];
    int result;

    link = weir_udp_create(iface->udp_ip, iface->udp_port, NODE_MTU, &result);
    if (!link) {
        snprintf(what, sizeof what, "%s: cannot bind UDP address %u.%u.%u.%u:%u", iface->name,
                 iface->udp_ip >> 24, iface->udp_ip >> 16 & 255, iface->udp_ip >> 8 & 255,
                 iface->udp_ip & 255, iface->udp_port);
        return fail(builder, what, result);
    }
    result = impair_link(builder, iface, &link);
    if (!result) {
        result = weir_host_add_iface(builder->host, iface->name, link, &iface->addr, &iface->prefix,
                                     true);
        if (result >= 0)
            return 0;
        fail(builder, iface->name, result);
    }
    link->ops->destroy(link);
    return result;
}

static int add_ifaces(struct builder *builder)
{
    size_t i;
    int result;

    for (i = 0; i < builder->lnx->iface_count; i++) {
        result = add_iface(builder, &builder->lnx->ifaces[i]);
        if (result)
            return result;
    }
    return 0;
}

static int start_rip(struct builder *builder, struct weir_stack *stack)
{
    const struct lnx *lnx = builder->lnx;
    struct weir_rip_config config = {lnx->rip_update_interval, lnx->rip_route_timeout};
    struct weir_addr neighbours[256];
    size_t i, count = lnx->advertise_count;

    if (count > sizeof neighbours / sizeof neighbours[0])
        return fail(builder, "too many RIP neighbours", WEIR_EINVAL);
    for (i = 0; i < count; i++)
        neighbours[i] = lnx->advertise_to[i].addr;
    return weir_stack_start_rip(stack, &config, neighbours, count);
}

/* Neighbours, routes, RIP and the drop rate: all that the stack itself is told. */
static int configure(struct builder *builder, struct weir_stack *stack)
{
    const struct lnx *lnx = builder->lnx;
    size_t i;
    int result = 0;

    for (i = 0; i < lnx->neighbour_count && !result; i++)
        result = weir_stack_add_neighbour(
            stack, (int)lnx->neighbours[i].iface, &lnx->neighbours[i].addr,
            weir_udp_tag(lnx->neighbours[i].udp_ip, lnx->neighbours[i].udp_port));
    if (result)
        return fail(builder, "cannot add a neighbor", result);
    for (i = 0; i < lnx->route_count && !result; i++)
        result = weir_stack_add_route(stack, &lnx->routes[i].prefix, &lnx->routes[i].next_hop);
    if (result)
        return fail(builder, "cannot add a route", result);
    result =
        weir_stack_set_drop_rate(stack, builder->options->drop_rate, builder->options->drop_seed);
    if (result)
        return fail(builder, "cannot set the drop rate", result);
    if (lnx->routing == LNX_ROUTING_RIP)
        result = start_rip(builder, stack);
    return result ? fail(builder, "cannot start RIP", result) : 0;
}

static int start_capture(struct builder *builder)
{
    const struct node_options *options = builder->options;
    char what[RECORDER_ERROR_TEXT];

    if (!options->capture)
        return 0;
    *options->recorder = recorder_start(builder->host, options->capture, what);
    if (*options->recorder)
        return 0;
    snprintf(builder->error, builder->error_size, "%s", what);
    return WEIR_EIO;
}

struct weir_host *node_open(const struct lnx *lnx, const struct node_options *options, char *error,
                            size_t error_size)
{
    struct builder builder = {lnx, options, NULL, error, error_size, 0};
    int result = create_host(&builder);

    if (options->capture)
        *options->recorder = NULL;
    if (!result)
        result = add_ifaces(&builder);
    if (!result)
        result = start_capture(&builder);
    if (!result) {
        result = configure(&builder, weir_host_lock(builder.host));
        weir_host_unlock(builder.host);
    }
    if (result) {
        if (options->capture)
            recorder_finish(*options->recorder, NULL);
        weir_host_destroy(builder.host);
        return NULL;
    }
    return builder.host;
}
