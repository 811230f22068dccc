/* SPDX-License-Identifier: MIT */

/* The setting of the packet path's benches: two stacks, one thread, one hub of two ports.
 *
 * Nothing is taken away from the path that a program's packets go: real headers, real checksums,
 * connection and sockets through the public calls. Only the clock is ours: it moves by hand, some
 * microseconds a round, so that no timer is ever due and none is read from the system.
 *
 * Two clocks measure. Real time is what a user sees, on a machine that does nothing else. CPU time is
 * what remains true on a machine that others use as well. */

#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 64
#define TRIES 10

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double pair_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double pair_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

void pair_die(const char *program, const char *what)
{
    fprintf(stderr, "%s: %s\n", program, what);
    exit(1);
}

static struct pair_end make_end(struct weir_hub *hub, unsigned port)
{
    const uint32_t ip = 0x0a000001u + port;
    const struct weir_addr addr = weir_addr_from4(ip);
    const struct weir_prefix prefix = weir_prefix_from4(ip, 24);
    struct weir_stack_config config;
    struct pair_end end = {.link = weir_hub_port(hub, port), .socket = -1};

    weir_stack_config_init(&config);
    config.node_id = port;
    end.stack = weir_stack_create(&config);
    if (end.stack && weir_stack_add_iface(end.stack, "if0", end.link, &addr, &prefix, false) >= 0)
        end.socket = weir_socket_open(end.stack, WEIR_TCP, 0);
    return end;
}

void pair_run(struct pair_end *end, weir_time now)
{
    struct weir_frame frames[BATCH];
    struct weir_event event;
    int count;

    while ((count = end->link->ops->receive(end->link, frames, BATCH, now)) > 0)
        weir_stack_input(end->stack, 0, frames, count, now);
    weir_stack_link_ready(end->stack, 0);
    weir_stack_poll(end->stack, now, 0);
    while (weir_stack_next_event(end->stack, &event))
        ;
}

/* Returns the accepted socket, or an error. */
static int connect_ends(struct pair *pair)
{
    struct weir_endpoint endpoint = {.addr = weir_addr_any4(), .port = PAIR_PORT};
    int accepted = -1, tries;

    weir_socket_bind(pair->far.stack, pair->far.socket, &endpoint);
    weir_socket_listen(pair->far.stack, pair->far.socket, 1);
    endpoint.addr = weir_addr_from4(0x0a000002);
    weir_socket_connect(pair->near.stack, pair->near.socket, &endpoint, pair->now);
    for (tries = 0; tries < TRIES && accepted < 0; tries++) {
        pair->now += 10 * WEIR_US;
        pair_run(&pair->near, pair->now);
        pair_run(&pair->far, pair->now);
        accepted = weir_socket_accept(pair->far.stack, pair->far.socket, NULL);
    }
    return accepted;
}

void pair_open(struct pair *pair, const char *program, const struct pair_link *link)
{
    *pair = (struct pair){.hub = NULL};
    if (link->gso_max)
        pair->hub = weir_hub_create_large(2, link->mtu, link->gso_max, link->queue_frames);
    else
        pair->hub = weir_hub_create(2, link->mtu, link->queue_frames);
    if (!pair->hub)
        pair_die(program, "no link");
    pair->near = make_end(pair->hub, 0);
    pair->far = make_end(pair->hub, 1);
    if (pair->near.socket < 0 || pair->far.socket < 0)
        pair_die(program, "no stack");
    pair->far.socket = connect_ends(pair);
    if (pair->far.socket < 0)
        pair_die(program, "no connection");
}

void pair_close(struct pair *pair)
{
    weir_stack_destroy(pair->near.stack);
    weir_stack_destroy(pair->far.stack);
    weir_hub_destroy(pair->hub);
}
