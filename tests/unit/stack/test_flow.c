/* SPDX-License-Identifier: MIT */

/* The flow table beside a plain array, its cache of one, and the choice of ports to exhaustion. */

#include "lan.h"

#include <stdlib.h>
#include <string.h>

#define FLOWS 50000u
#define PORT_FIRST 32768
#define PORT_LAST 60999
#define PORTS (PORT_LAST - PORT_FIRST + 1)

static struct weir_stack *create(void)
{
    struct weir_stack_config config;

    lan_config(&config);
    return weir_stack_create(&config);
}

/* Key number i: they differ in each field in turn, so that every field has to count. */
static struct flow_key key_of(uint32_t i)
{
    struct flow_key key = {
        .local = weir_addr_from4(0x0a000001 + i % 3),
        .remote = weir_addr_from4(0x0b000000 + i / 3 % 101),
        .lport = (uint16_t)(1 + i / 303 % 13),
        .rport = (uint16_t)(1 + i / 3939),
    };

    return key;
}

/* A packet of flow number i is recalled only as the last flow, and only if it is of that one. */
static void check_recall(const struct weir_stack *stack, uint32_t i, struct flow *last)
{
    const struct flow_key key = key_of(i);
    const struct net_packet packet = {.dst = key.local, .src = key.remote};
    const struct tcp_header header = {.dport = key.lport, .sport = key.rport};
    struct flow *recalled = flow_recall(stack, &packet, &header);

    if (last && last->key.lport == key.lport && last->key.rport == key.rport &&
        !memcmp(&last->key.local, &key.local, sizeof(key.local)) &&
        !memcmp(&last->key.remote, &key.remote, sizeof(key.remote)))
        assert_ptr_equal(recalled, last);
    else
        assert_null(recalled);
}

/* Half of the flows come and go at random; the array knows who is there. */
static void the_table_agrees_with_an_array(void **state)
{
    struct weir_stack *stack = create();
    struct flow *flows = calloc(FLOWS, sizeof(*flows));
    bool *is_in = calloc(FLOWS, sizeof(*is_in));
    struct random random;
    static const uint8_t seed[16] = {7};

    (void)state;
    random_init(&random, seed, 0);
    for (uint32_t i = 0; i < FLOWS; i++) {
        flows[i].key = key_of(i);
        assert_null(flow_find(stack, &flows[i].key));
        assert_true(flow_add(stack, &flows[i], (enum flow_kind)(i % 3)));
        is_in[i] = true;
    }
    for (uint32_t turn = 0; turn < 4 * FLOWS; turn++) {
        uint32_t i = random_u32(&random) % FLOWS;
        const struct flow_key key = key_of(i); /* equal, not the same */
        struct flow *found = flow_find(stack, &key);

        if (found != (is_in[i] ? &flows[i] : NULL))
            fail_msg("turn %u, flow %u: found %p", turn, i, (void *)found);
        check_recall(stack, i, found);
        check_recall(stack, (i + turn) % FLOWS, stack->last_flow);
        if (turn % 3 == 0 && is_in[i]) {
            assert_int_equal(found->timer.owner, i % 3);
            flow_remove(stack, found);
            is_in[i] = false;
        } else if (turn % 3 == 1 && !is_in[i]) {
            assert_true(flow_add(stack, &flows[i], (enum flow_kind)(i % 3)));
            is_in[i] = true;
        }
    }
    for (uint32_t i = 0; i < FLOWS; i++) {
        if (is_in[i])
            flow_remove(stack, &flows[i]);
    }
    weir_stack_destroy(stack);
    free(flows);
    free(is_in);
}

/* The cache answers for the last flow only, and for nobody once that has gone. */
static void the_cache_is_never_stale(void **state)
{
    struct weir_stack *stack = create();
    struct flow a = {.key = key_of(1)}, b = {.key = key_of(2)};
    struct flow again = {.key = key_of(1)};

    (void)state;
    assert_true(flow_add(stack, &a, FLOW_CONN));
    assert_true(flow_add(stack, &b, FLOW_CONN));
    assert_ptr_equal(flow_find(stack, &a.key), &a);
    assert_ptr_equal(stack->last_flow, &a);
    assert_ptr_equal(flow_find(stack, &b.key), &b);
    assert_ptr_equal(stack->last_flow, &b);
    flow_remove(stack, &a); /* not the cached one */
    assert_ptr_equal(stack->last_flow, &b);
    assert_null(flow_find(stack, &a.key));
    flow_remove(stack, &b);
    assert_null(stack->last_flow);
    assert_null(flow_find(stack, &b.key));
    assert_true(flow_add(stack, &again, FLOW_TIME_WAIT));
    assert_ptr_equal(flow_find(stack, &a.key), &again);
    flow_remove(stack, &again);
    weir_stack_destroy(stack);
}

/* What takes the place of a flow is found under its key; its timer is a new one. */
static void one_takes_the_place_of_another(void **state)
{
    struct weir_stack *stack = create();
    struct flow first = {.key = key_of(1), .pseudo_sum = 77}, other = {.key = key_of(2)};
    struct flow next;

    (void)state;
    memset(&next, 0x5a, sizeof(next));
    assert_true(flow_add(stack, &first, FLOW_HALF_OPEN));
    assert_true(flow_add(stack, &other, FLOW_CONN));
    wheel_start(stack->wheel, &first.timer, 5 * WEIR_SECOND);
    flow_replace(stack, &first, &next, FLOW_CONN);
    assert_ptr_equal(flow_find(stack, &first.key), &next);
    assert_ptr_equal(flow_find(stack, &other.key), &other);
    assert_int_equal(next.timer.owner, FLOW_CONN);
    assert_int_equal(next.pseudo_sum, 77);
    assert_false(wheel_is_running(&first.timer));
    assert_false(wheel_is_running(&next.timer));
    assert_int_equal(stack->flows.count, 2);
    flow_remove(stack, &next);
    flow_remove(stack, &other);
    assert_null(flow_find(stack, &first.key));
    weir_stack_destroy(stack);
}

/* From 4,096 flows on, and not before, ports are counted; then the answer is always right. */
static void ports_are_counted_when_there_are_many(void **state)
{
    enum { MANY = 6000 };
    struct weir_stack *stack = create();
    struct flow *flows = calloc(MANY, sizeof(*flows));

    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        flows[i].key = key_of(i);
        flows[i].key.lport = (uint16_t)(i % 300);
        assert_true(flow_add(stack, &flows[i], FLOW_CONN));
        assert_int_equal(flow_port_use(stack, 0), i < 4095 ? FLOW_PORT_UNKNOWN : FLOW_PORT_USED);
    }
    assert_int_equal(flow_port_use(stack, 300), FLOW_PORT_FREE);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(flow_port_use(stack, (uint16_t)(i % 300)), FLOW_PORT_USED);
        flow_remove(stack, &flows[i]);
    }
    for (uint16_t port = 0; port < 300; port++)
        assert_int_equal(flow_port_use(stack, port), FLOW_PORT_FREE);
    free(flows);
    weir_stack_destroy(stack);
}

/* Every field of the tuple counts. */
static void neighbours_of_a_tuple_are_others(void **state)
{
    struct weir_stack *stack = create();
    struct flow flow = {
        .key = {.local = weir_addr_from4(1), .remote = weir_addr_from4(2), .lport = 3, .rport = 4}};
    struct flow_key keys[5];

    (void)state;
    assert_true(flow_add(stack, &flow, FLOW_CONN));
    for (int i = 0; i < 5; i++)
        keys[i] = flow.key;
    keys[0].local = weir_addr_from4(5);
    keys[1].remote = weir_addr_from4(5);
    keys[2].lport = 5;
    keys[3].rport = 5;
    keys[4] = (struct flow_key){flow.key.remote, flow.key.local, 4, 3};
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(flow_find(stack, &flow.key), &flow); /* it is in the cache */
        assert_null(flow_find(stack, &keys[i]));
        assert_int_not_equal(flow_isn(stack, &keys[i]), flow_isn(stack, &flow.key));
    }
    flow_remove(stack, &flow);
    weir_stack_destroy(stack);
}

/* ---- Ports -------------------------------------------------------------------------------------- */

static int connect_to(struct lan *lan, uint16_t port, int *socket)
{
    struct weir_endpoint remote = {.addr = lan_addr(0, 1), .port = port};

    *socket = weir_socket_open(lan->stacks[0], WEIR_TCP, 0);
    assert_true(*socket >= 0);
    return weir_socket_connect(lan->stacks[0], *socket, &remote, lan->now);
}

static uint16_t local_port(struct lan *lan, int socket)
{
    struct weir_endpoint local;

    assert_int_equal(weir_socket_local(lan->stacks[0], socket, &local), 0);
    return local.port;
}

/* To one peer there are as many connections as ports; each port once; then EADDRNOTAVAIL. */
static void ports_never_collide_and_run_out(void **state)
{
    static bool is_used[65536];
    struct weir_endpoint held = {.addr = weir_addr_any4(), .port = 40000};
    struct lan lan;
    int s, some = -1;

    (void)state;
    lan_init(&lan);
    lan_add(&lan, NULL);
    lan_join(&lan, 0, -1, 16);
    s = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);
    assert_int_equal(weir_socket_bind(lan.stacks[0], s, &held), 0);
    is_used[held.port] = true; /* bound: left out */
    for (int i = 0; i < PORTS - 1; i++) {
        assert_int_equal(connect_to(&lan, 80, &s), WEIR_EINPROGRESS);
        assert_in_range(local_port(&lan, s), PORT_FIRST, PORT_LAST);
        assert_false(is_used[local_port(&lan, s)]);
        is_used[local_port(&lan, s)] = true;
        some = i == 1000 ? s : some;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(connect_to(&lan, 80, &s), WEIR_EADDRNOTAVAIL);
        assert_int_equal(weir_socket_close(lan.stacks[0], s), 0);
    }
    assert_int_equal(connect_to(&lan, 81, &s), WEIR_EINPROGRESS); /* another peer's are all free */
    held.port = local_port(&lan, some);
    assert_int_equal(weir_socket_abort(lan.stacks[0], some), 0);
    assert_int_equal(connect_to(&lan, 80, &s), WEIR_EINPROGRESS);
    assert_int_equal(local_port(&lan, s), held.port); /* the only one */
    lan_settle(&lan); /* a link of 16 frames and all of them want it */
    lan_done(&lan);
}

/* RFC 6056 3.3.3 [6056-1, 6056-4]: to one peer ports climb, between peers they tell nothing. */
static void ports_climb_from_hidden_places(void **state)
{
    struct weir_stack *stack = create();
    uint32_t near = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        struct flow_key key = key_of(i);
        struct flow_key next = key_of(i + 1);
        int first = flow_choose_port(stack, &key), second = flow_choose_port(stack, &key);
        int other = flow_choose_port(stack, &next);

        assert_int_equal((second - first + PORTS) % PORTS, 1);
        near += abs(other - second) < PORTS / 100;
    }
    assert_in_range(near, 0, 60); /* about 20 by chance */
    weir_stack_destroy(stack);
}

/* A bound port meets the same peer only once at a time. */
static void a_tuple_is_used_once(void **state)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 5000};
    struct weir_endpoint remote = {.addr = lan_addr(0, 1), .port = 80};
    struct lan lan;
    int s[3];

    (void)state;
    lan_init(&lan);
    lan_add(&lan, NULL);
    lan_join(&lan, 0, -1, 16);
    for (int i = 0; i < 3; i++) {
        s[i] = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);
        weir_socket_set(lan.stacks[0], s[i], WEIR_SO_REUSEADDR, 1);
        assert_int_equal(weir_socket_bind(lan.stacks[0], s[i], &local), 0);
        if (i == 2)
            remote.port = 81;
        assert_int_equal(weir_socket_connect(lan.stacks[0], s[i], &remote, lan.now),
                         i == 1 ? WEIR_EADDRNOTAVAIL : WEIR_EINPROGRESS);
        if (i == 1)
            assert_int_equal(weir_socket_close(lan.stacks[0], s[i]), 0);
    }
    lan_settle(&lan);
    lan_done(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_agrees_with_an_array),
        cmocka_unit_test(the_cache_is_never_stale),
        cmocka_unit_test(one_takes_the_place_of_another),
        cmocka_unit_test(ports_are_counted_when_there_are_many),
        cmocka_unit_test(neighbours_of_a_tuple_are_others),
        cmocka_unit_test(ports_never_collide_and_run_out),
        cmocka_unit_test(ports_climb_from_hidden_places),
        cmocka_unit_test(a_tuple_is_used_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
