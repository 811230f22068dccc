/* SPDX-License-Identifier: MIT */

/* RIP between stacks: routes come, vanish and come back in weir_inspect_route, however they left.
 *
 *     stub 2 - node 0 - hub 0 - node 1 - hub 1 - node 2 - stub 3 */

#include "lan.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void line_of_three(struct lan *lan)
{
    struct weir_addr left[] = {lan_addr(0, 1)}, right[] = {lan_addr(1, 0)};
    struct weir_addr middle[] = {lan_addr(0, 0), lan_addr(1, 1)};
    struct weir_stack_config config;

    lan_init(lan);
    lan_config(&config);
    config.forwarding = true;
    for (int i = 0; i < 3; i++)
        lan_add(lan, &config);
    lan_join(lan, 0, 1, 256);
    lan_join(lan, 1, 2, 256);
    lan_join(lan, 0, -1, 4);
    lan_join(lan, 2, -1, 4);
    assert_int_equal(weir_stack_start_rip(lan->stacks[0], NULL, left, 1), 0);
    assert_int_equal(weir_stack_start_rip(lan->stacks[1], NULL, middle, 2), 0);
    assert_int_equal(weir_stack_start_rip(lan->stacks[2], NULL, right, 1), 0);
}

/* Cost of node `node`'s RIP route to 10.0.`net`.0/24; -1: it has none. */
static int cost_of(const struct lan *lan, int node, uint32_t net, struct weir_addr *next_hop)
{
    struct weir_addr inside = weir_addr_from4(0x0a000001 + (net << 8));
    struct weir_route_row row;

    for (size_t i = 0; weir_inspect_route(lan->stacks[node], i, &row) == 0; i++) {
        if (row.kind != WEIR_ROUTE_RIP || !weir_prefix_contains(&row.prefix, &inside))
            continue;
        if (next_hop)
            *next_hop = row.next_hop;
        return (int)row.cost;
    }
    return -1;
}

static void expect_all(const struct lan *lan)
{
    static const struct {
        int node;
        uint32_t net;
        int cost;
        uint32_t hop;
    } rows[] = {
        {0, 1, 1, 0x0a000002}, {0, 3, 2, 0x0a000002}, {1, 2, 1, 0x0a000001},
        {1, 3, 1, 0x0a000102}, {2, 0, 1, 0x0a000101}, {2, 2, 2, 0x0a000101},
        {0, 0, -1, 0},         {1, 0, -1, 0},         {2, 3, -1, 0}, /* connected: no RIP route */
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_addr hop = weir_addr_any4();
        int cost = cost_of(lan, rows[i].node, rows[i].net, &hop);

        if (cost != rows[i].cost || weir_addr_to4(&hop) != rows[i].hop)
            fail_msg("node %d, net %u: cost %d by %08x", rows[i].node, rows[i].net, cost,
                     weir_addr_to4(&hop));
    }
}

/* Requests and triggered updates: no timer has to run. */
static void routes_appear_at_once(void **state)
{
    struct lan lan;

    (void)state;
    line_of_three(&lan);
    assert_true(weir_stack_deadline(lan.stacks[0]) <= lan.now);
    lan_settle(&lan);
    expect_all(&lan);
    assert_true(lan_counted(&lan, 1, WEIR_COUNT_RIP_REQUESTS_IN) >= 2);
    assert_int_equal(weir_stack_start_rip(lan.stacks[0], NULL, NULL, 0), WEIR_EALREADY);
    lan_advance(&lan, 60 * WEIR_SECOND);
    expect_all(&lan);
    assert_in_range(lan_counted(&lan, 0, WEIR_COUNT_RIP_RESPONSES_IN), 12, 20); /* every 5 s */
    lan_done(&lan);
}

static void packets_follow(void **state)
{
    struct weir_datagram to = {.peer = lan_addr(3, 0), .local = lan_addr(2, 0)};
    struct lan lan;
    uint8_t byte;
    int echo;

    (void)state;
    line_of_three(&lan);
    lan_settle(&lan);
    echo = weir_socket_open(lan.stacks[0], WEIR_ECHO, 0);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], echo, "x", 1, &to), 1);
    lan_settle(&lan);
    assert_int_equal(weir_socket_recvfrom(lan.stacks[0], echo, &byte, 1, NULL), 1);
    lan_done(&lan);
}

static void down_and_up_are_heard_at_once(void **state)
{
    struct lan lan;

    (void)state;
    line_of_three(&lan);
    lan_settle(&lan);
    for (int round = 0; round < 3; round++) {
        weir_stack_set_iface_up(lan.stacks[2], 1, false); /* stub 3 */
        lan_settle(&lan);
        assert_int_equal(cost_of(&lan, 0, 3, NULL), -1);
        assert_int_equal(cost_of(&lan, 1, 3, NULL), -1);
        weir_stack_set_iface_up(lan.stacks[2], 1, true);
        lan_settle(&lan);
        expect_all(&lan);
    }
    weir_stack_set_iface_up(lan.stacks[1], 1, false); /* the way to node 2 */
    lan_settle(&lan);
    assert_int_equal(cost_of(&lan, 1, 3, NULL), -1);
    assert_int_equal(cost_of(&lan, 0, 3, NULL), -1);
    assert_int_equal(cost_of(&lan, 0, 1, NULL), -1);
    assert_int_equal(cost_of(&lan, 2, 2, NULL), 2); /* node 2 has heard nothing yet */
    lan_advance(&lan, 13 * WEIR_SECOND);
    assert_int_equal(cost_of(&lan, 2, 2, NULL), -1);
    weir_stack_set_iface_up(lan.stacks[1], 1, true);
    lan_advance(&lan, 6 * WEIR_SECOND);
    expect_all(&lan);
    lan_done(&lan);
}

/* 12 s without an update and the route is gone; the next update brings it back. */
static void silence_ends_routes(void **state)
{
    struct lan lan;
    weir_time start;

    (void)state;
    line_of_three(&lan);
    lan_advance(&lan, 11 * WEIR_SECOND);
    lan.is_held[1] = true;
    start = lan.now;
    while (cost_of(&lan, 0, 3, NULL) >= 0 && lan.now < start + 60 * WEIR_SECOND)
        lan_advance(&lan, 100 * WEIR_MS);
    assert_in_range(lan.now - start, 7 * WEIR_SECOND, 12 * WEIR_SECOND + 200 * WEIR_MS);
    assert_int_equal(cost_of(&lan, 1, 3, NULL), -1);
    assert_int_equal(cost_of(&lan, 0, 1, NULL), 1); /* node 1's own net stays */
    lan.is_held[1] = false;
    lan_advance(&lan, 6 * WEIR_SECOND);
    expect_all(&lan);
    lan_done(&lan);
}

/* A message has 64 entries at most: more networks are told in several. */
static void many_routes_take_many_messages(void **state)
{
    enum { STUBS = 150 };
    struct weir_hub *hub = weir_hub_create(2, 1500, 4);
    uint64_t before;
    struct lan lan;

    (void)state;
    line_of_three(&lan);
    lan_settle(&lan);
    for (uint32_t i = 0; i < STUBS; i++) {
        struct weir_addr addr = weir_addr_from4(0x0a010001 + (i << 8));
        struct weir_prefix prefix = weir_prefix_from4(0x0a010000 + (i << 8), 24);
        char name[WEIR_IFACE_NAME];

        snprintf(name, sizeof(name), "stub%u", i);
        assert_true(weir_stack_add_iface(lan.stacks[2], name, weir_hub_port(hub, 0), &addr, &prefix,
                                         false) > 0);
    }
    lan_settle(&lan);
    for (uint32_t i = 0; i < STUBS; i++)
        assert_int_equal(cost_of(&lan, 0, 256 + i, NULL), 2);
    lan_advance(&lan, 20 * WEIR_SECOND);
    before = lan_counted(&lan, 2, WEIR_COUNT_RIP_MESSAGES_OUT);
    lan_advance(&lan, 5 * WEIR_SECOND);
    assert_int_equal(lan_counted(&lan, 2, WEIR_COUNT_RIP_MESSAGES_OUT) - before, 3);
    for (uint32_t i = 0; i < STUBS; i++)
        assert_int_equal(cost_of(&lan, 0, 256 + i, NULL), 2);
    lan_done(&lan);
    weir_hub_destroy(hub);
}

/* Garbage and strangers are counted, and change nothing. */
static void strangers_are_not_heard(void **state)
{
    static const uint8_t garbage[] = {9, 9, 9},
                         response[] = {0, 2, 0, 1, 0, 0, 0, 1, 11, 0, 0, 0, 255, 0, 0, 0};
    struct weir_datagram to = {.peer = lan_addr(0, 1), .local = weir_addr_any4()};
    struct lan lan;
    int raw;

    (void)state;
    line_of_three(&lan);
    lan_settle(&lan);
    raw = weir_socket_open(lan.stacks[0], WEIR_RAW, 200);
    weir_socket_sendto(lan.stacks[0], raw, garbage, sizeof(garbage), &to);
    lan_settle(&lan);
    assert_int_equal(lan_dropped(&lan, 1, WEIR_DROP_RIP_BAD), 1);
    to.local = lan_addr(2, 0); /* ours, but no RIP neighbour's */
    weir_socket_sendto(lan.stacks[0], raw, response, sizeof(response), &to);
    lan_settle(&lan);
    assert_int_equal(lan_dropped(&lan, 1, WEIR_DROP_RIP_NOT_NEIGHBOUR), 1);
    expect_all(&lan);
    lan_done(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_appear_at_once),          cmocka_unit_test(packets_follow),
        cmocka_unit_test(down_and_up_are_heard_at_once),  cmocka_unit_test(silence_ends_routes),
        cmocka_unit_test(many_routes_take_many_messages), cmocka_unit_test(strangers_are_not_heard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
