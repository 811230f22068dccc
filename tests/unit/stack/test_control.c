/* SPDX-License-Identifier: MIT */

/* Interfaces, neighbours, routes: what is refused, and what other layers learn of a change. */

#include "lan.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void what_is_refused(void **state)
{
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);
    struct weir_addr addr = lan_addr(0, 0), other = lan_addr(0, 1);
    struct weir_stack *stack;
    struct weir_link *link;
    struct lan lan;

    (void)state;
    lan_init(&lan);
    lan_add(&lan, NULL);
    lan_join(&lan, 0, -1, 16);
    stack = lan.stacks[0];
    link = lan.ports[0][0].link;
    assert_int_equal(weir_stack_add_iface(stack, "if0", link, &addr, &prefix, false), WEIR_EEXIST);
    assert_int_equal(weir_stack_add_iface(stack, "", link, &addr, &prefix, false), WEIR_EINVAL);
    assert_int_equal(weir_stack_add_neighbour(stack, 1, &other, 0), WEIR_EINVAL);
    assert_int_equal(weir_stack_add_neighbour(stack, -1, &other, 0), WEIR_EINVAL);
    assert_int_equal(weir_stack_set_iface_up(stack, 1, true), WEIR_EINVAL);
    assert_int_equal(weir_stack_set_iface_up(stack, NET_LOOPBACK, false), WEIR_EINVAL);
    assert_int_equal(weir_stack_set_drop_rate(stack, -0.1, 0), WEIR_EINVAL);
    assert_int_equal(weir_stack_set_drop_rate(stack, 1.1, 0), WEIR_EINVAL);
    assert_int_equal(weir_stack_set_drop_rate(stack, 0.5, 7), 0);
    assert_int_equal(weir_stack_start_rip(stack, NULL, &addr, 1), WEIR_EINVAL); /* no neighbour */
    lan_done(&lan);
}

/* Lists of waiting connections move when interfaces are added, with everybody on them. */
static void waiters_survive_new_interfaces(void **state)
{
    enum { CONNS = 5 };
    struct weir_endpoint remote = {.addr = lan_addr(0, 1), .port = 80};
    struct lan lan;

    (void)state;
    lan_pair(&lan, 1);
    lan.is_held[0] = true;
    for (int i = 0; i < CONNS; i++) {
        int s = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);

        weir_socket_connect(lan.stacks[0], s, &remote, lan.now);
    }
    lan_settle(&lan);
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 1);
    for (int i = 0; i < 4; i++)
        lan_join(&lan, 0, -1, 4);
    assert_null(weir_inspect_check(lan.stacks[0], lan.now));
    lan.is_held[0] = false;
    lan_settle(&lan);
    assert_int_equal(lan_counted(&lan, 1, WEIR_COUNT_SEGMENTS_IN), CONNS);
    lan_done(&lan);
}

static void there_may_be_256_interfaces(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, 1500, 4);
    struct weir_stack_config config;
    struct weir_stack *stack;
    char name[WEIR_IFACE_NAME];
    int i, result = 0;

    (void)state;
    lan_config(&config);
    stack = weir_stack_create(&config);
    for (i = 0; i <= WEIR_IFACES_MAX && result >= 0; i++) {
        struct weir_addr addr = weir_addr_from4(0x0a000001 + ((uint32_t)i << 8));
        struct weir_prefix prefix = weir_prefix_from4(0x0a000000 + ((uint32_t)i << 8), 24);

        snprintf(name, sizeof(name), "if%d", i);
        result = weir_stack_add_iface(stack, name, weir_hub_port(hub, 0), &addr, &prefix, false);
        if (i < WEIR_IFACES_MAX)
            assert_int_equal(result, i);
    }
    assert_int_equal(i, WEIR_IFACES_MAX + 1);
    assert_true(result < 0);
    assert_int_equal(weir_inspect_iface_named(stack, "if255"), 255);
    weir_stack_destroy(stack);
    weir_hub_destroy(hub);
}

/* An equal prefix replaces the former route; connections notice by themselves. */
static void a_route_replaces_its_equal(void **state)
{
    struct weir_prefix far = weir_prefix_from4(0x0b000000, 8);
    struct weir_addr hops[2] = {lan_addr(0, 1), lan_addr(1, 1)};
    struct weir_route_row row;
    struct lan lan;
    size_t count;

    (void)state;
    lan_pair(&lan, 4);
    lan_join(&lan, 0, 1, 4);
    for (size_t i = 0; i < COUNT(hops); i++) {
        assert_int_equal(weir_stack_add_route(lan.stacks[0], &far, &hops[i]), 0);
        for (count = 0; weir_inspect_route(lan.stacks[0], count, &row) == 0; count++)
            ;
        assert_int_equal(count, 3);
        assert_int_equal(weir_inspect_route(lan.stacks[0], 2, &row), 0);
        assert_int_equal(row.kind, WEIR_ROUTE_STATIC);
        assert_true(weir_addr_equal(&row.next_hop, &hops[i]));
    }
    lan_done(&lan);
}

/* Short of memory, an interface is not half there. */
static void no_memory_adds_nothing(void **state)
{
    struct weir_prefix prefix = weir_prefix_from4(0x0a000900, 24);
    struct weir_addr addr = weir_addr_from4(0x0a000901);
    struct weir_iface_row row;
    struct lan lan;

    (void)state;
    lan_pair(&lan, 4);
    lan.stacks[0]->alloc.budget = lan.stacks[0]->alloc.used;
    assert_int_equal(
        weir_stack_add_iface(lan.stacks[0], "if9", lan.ports[0][0].link, &addr, &prefix, false),
        WEIR_ENOMEM);
    assert_int_equal(weir_inspect_iface(lan.stacks[0], 1, &row), WEIR_ENOENT);
    lan.stacks[0]->alloc.budget = 1 << 20;
    assert_int_equal(
        weir_stack_add_iface(lan.stacks[0], "if9", lan.ports[0][0].link, &addr, &prefix, false), 1);
    lan_done(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(waiters_survive_new_interfaces),
        cmocka_unit_test(there_may_be_256_interfaces),
        cmocka_unit_test(a_route_replaces_its_equal),
        cmocka_unit_test(no_memory_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
