/* SPDX-License-Identifier: MIT */

/* A few stacks joined by hubs: see lan.h. Everything that can happen at one instant happens before
 * time moves to the earliest deadline of all stacks; each instant is bounded, so that a stack which
 * spins fails the test. The stacks are asked for broken invariants whenever an instant has ended. */

#include "lan.h"

#include <string.h>

#define STEPS_MAX 200000
#define BATCH 32

void lan_config(struct weir_stack_config *config)
{
    weir_stack_config_init(config);
    memset(config->seed, 0x5a, sizeof(config->seed));
}

void lan_init(struct lan *lan)
{
    memset(lan, 0, sizeof(*lan));
    lan->now = WEIR_SECOND;
}

static void check(const struct lan *lan)
{
    for (int i = 0; i < lan->node_count; i++) {
        const char *broken = weir_inspect_check(lan->stacks[i], lan->now);

        if (broken)
            fail_msg("node %d: %s", i, broken);
    }
}

void lan_done(struct lan *lan)
{
    check(lan);
    for (int i = 0; i < lan->node_count; i++)
        weir_stack_destroy(lan->stacks[i]);
    for (int i = 0; i < lan->hub_count; i++)
        weir_hub_destroy(lan->hubs[i]);
}

int lan_add(struct lan *lan, const struct weir_stack_config *config)
{
    struct weir_stack_config fallback;

    lan_config(&fallback);
    if (config)
        fallback = *config;
    fallback.node_id = (uint64_t)lan->node_count;
    lan->stacks[lan->node_count] = weir_stack_create(&fallback);
    assert_non_null(lan->stacks[lan->node_count]);
    return lan->node_count++;
}

struct weir_addr lan_addr(int hub, int side)
{
    return weir_addr_from4(0x0a000001u + ((uint32_t)hub << 8) + (uint32_t)side);
}

static int join(struct lan *lan, int a, int b, struct weir_hub *made)
{
    int hub = lan->hub_count++;
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000u + ((uint32_t)hub << 8), 24);
    char name[WEIR_IFACE_NAME] = "if0";

    name[2] = (char)('0' + hub);
    lan->hubs[hub] = made;
    assert_non_null(made);
    for (int side = 0; side < 2; side++) {
        struct lan_port *port = &lan->ports[hub][side];
        struct weir_addr own = lan_addr(hub, side), other = lan_addr(hub, !side);

        port->node = side == 0 ? a : b;
        port->link = weir_hub_port(lan->hubs[hub], (unsigned)side);
        if (port->node < 0)
            continue;
        port->iface =
            weir_stack_add_iface(lan->stacks[port->node], name, port->link, &own, &prefix, false);
        assert_true(port->iface >= 0);
        assert_int_equal(weir_stack_add_neighbour(lan->stacks[port->node], port->iface, &other, 0),
                         0);
    }
    return hub;
}

int lan_join(struct lan *lan, int a, int b, uint32_t queue_frames)
{
    return join(lan, a, b, weir_hub_create(2, 1500, queue_frames));
}

int lan_join_large(struct lan *lan, int a, int b, uint32_t queue_frames)
{
    return join(lan, a, b, weir_hub_create_large(2, 1500, 65535, queue_frames));
}

void lan_pair(struct lan *lan, uint32_t queue_frames)
{
    lan_init(lan);
    lan_add(lan, NULL);
    lan_add(lan, NULL);
    lan_join(lan, 0, 1, queue_frames);
}

static bool drain(struct lan *lan, const struct lan_port *port)
{
    struct weir_frame frames[BATCH];
    int count;

    if (port->node < 0)
        return false;
    count = port->link->ops->receive(port->link, frames, BATCH, lan->now);
    if (count > 0)
        weir_stack_input(lan->stacks[port->node], port->iface, frames, count, lan->now);
    lan->delivered += (uint64_t)count;
    return count > 0;
}

static void tell_ready(struct lan *lan, const struct lan_port *port)
{
    if (port->node < 0 || !port->link->refused || !port->link->ops->ready(port->link, lan->now))
        return;
    port->link->refused = false;
    weir_stack_link_ready(lan->stacks[port->node], port->iface);
}

static bool step(struct lan *lan)
{
    bool has_work = false;

    for (int hub = 0; hub < lan->hub_count; hub++) {
        for (int side = 0; side < 2 && !lan->is_held[hub]; side++) {
            has_work |= drain(lan, &lan->ports[hub][side]);
            tell_ready(lan, &lan->ports[hub][!side]);
        }
    }
    for (int i = 0; i < lan->node_count; i++)
        has_work |= weir_stack_poll(lan->stacks[i], lan->now, 0);
    for (int hub = 0; hub < lan->hub_count; hub++) {
        for (unsigned side = 0; side < 2 && !lan->is_held[hub]; side++)
            has_work |= lan->ports[hub][side].node >= 0 && weir_hub_pending(lan->hubs[hub], side);
    }
    return has_work;
}

void lan_settle(struct lan *lan)
{
    int steps = 0;

    while (step(lan)) {
        if (++steps > STEPS_MAX)
            fail_msg("a stack has work at one instant for ever");
    }
    check(lan);
}

static weir_time next_deadline(const struct lan *lan)
{
    weir_time next = WEIR_NEVER;

    for (int i = 0; i < lan->node_count; i++) {
        weir_time deadline = weir_stack_deadline(lan->stacks[i]);

        next = deadline < next ? deadline : next;
    }
    return next;
}

void lan_advance(struct lan *lan, weir_time ns)
{
    weir_time end = lan->now + ns;
    int instants = 0;

    lan_settle(lan);
    while (next_deadline(lan) <= end) {
        lan->now = next_deadline(lan) > lan->now ? next_deadline(lan) : lan->now;
        lan_settle(lan);
        assert_true(++instants < STEPS_MAX);
    }
    lan->now = end;
}

int lan_listen(struct lan *lan, int node, uint16_t port)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = port};
    int socket = weir_socket_open(lan->stacks[node], WEIR_TCP, 0);

    assert_true(socket >= 0);
    assert_int_equal(weir_socket_set(lan->stacks[node], socket, WEIR_SO_REUSEADDR, 1), 0);
    assert_int_equal(weir_socket_bind(lan->stacks[node], socket, &local), 0);
    assert_int_equal(weir_socket_listen(lan->stacks[node], socket, 64), 0);
    return socket;
}

void lan_connect(struct lan *lan, int a, int b, int sockets[2])
{
    struct weir_endpoint remote = {.addr = lan_addr(0, lan->ports[0][1].node == b), .port = 80};
    int listener = lan_listen(lan, b, 80);

    sockets[0] = weir_socket_open(lan->stacks[a], WEIR_TCP, 0);
    assert_int_equal(weir_socket_connect(lan->stacks[a], sockets[0], &remote, lan->now),
                     WEIR_EINPROGRESS);
    lan_settle(lan);
    sockets[1] = weir_socket_accept(lan->stacks[b], listener, NULL);
    assert_true(sockets[1] >= 0);
    weir_socket_close(lan->stacks[b], listener);
}

static uint8_t byte_at(size_t position)
{
    return (uint8_t)(position * 31 + (position >> 8) * 7);
}

static size_t feed(struct lan *lan, int node, int socket, size_t sent, size_t total)
{
    struct weir_span span;
    long lent;

    while (sent < total &&
           (lent = weir_send_begin(lan->stacks[node], socket, total - sent, &span)) > 0) {
        for (long i = 0; i < lent; i++)
            span.data[i] = byte_at(sent + (size_t)i);
        assert_int_equal(weir_send_commit(lan->stacks[node], socket, (size_t)lent, 0), 0);
        sent += (size_t)lent;
    }
    return sent;
}

static size_t take(struct lan *lan, int node, int socket, size_t got)
{
    struct weir_const_span span;
    long lent;

    while ((lent = weir_recv_peek(lan->stacks[node], socket, &span)) > 0) {
        for (long i = 0; i < lent; i++) {
            if (span.data[i] != byte_at(got + (size_t)i))
                fail_msg("byte %zu of the stream is wrong", got + (size_t)i);
        }
        assert_int_equal(weir_recv_consume(lan->stacks[node], socket, (size_t)lent), 0);
        got += (size_t)lent;
    }
    return got;
}

size_t lan_transfer(struct lan *lan, const int nodes[2], const int sockets[2], size_t total,
                    weir_time limit)
{
    weir_time end = lan->now + limit;
    size_t sent = 0, got = 0;

    while (got < total && lan->now < end) {
        size_t before = got + sent;

        sent = feed(lan, nodes[0], sockets[0], sent, total);
        lan_settle(lan);
        got = take(lan, nodes[1], sockets[1], got);
        lan_settle(lan);
        if (got + sent != before)
            continue;
        if (next_deadline(lan) >= end)
            break;
        lan->now = next_deadline(lan);
    }
    return got;
}

uint64_t lan_dropped(const struct lan *lan, int node, enum weir_drop reason)
{
    return weir_inspect_counters(lan->stacks[node])->drop[reason];
}

uint64_t lan_counted(const struct lan *lan, int node, enum weir_counter counter)
{
    return weir_inspect_counters(lan->stacks[node])->counter[counter];
}

struct weir_budget_row lan_budget(const struct lan *lan, int node)
{
    struct weir_budget_row row;

    weir_inspect_budget(lan->stacks[node], &row);
    return row;
}
