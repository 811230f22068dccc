/* SPDX-License-Identifier: MIT */

/* Interfaces and neighbours: what is refused, rows, whose address it is, memory that runs out. */

#include "fake_link.h"

static struct node node;

static int try_iface(const char *name, uint32_t addr, uint32_t net, unsigned bits, uint32_t mtu)
{
    struct weir_addr own = addr4(addr);
    struct weir_prefix prefix = weir_prefix_from4(net, bits);
    static struct fake_link link;

    fake_init(&link, mtu);
    return net_add_iface(node.net, name, &link.link, &own, &prefix, false);
}

static void test_refused(void **state)
{
    struct weir_addr addr = addr4(A4(10, 0, 0, 2));

    (void)state;
    node_init(&node);
    assert_int_equal(try_iface("if0", A4(10, 5, 0, 1), A4(10, 5, 0, 0), 24, 1500), WEIR_EEXIST);
    assert_int_equal(try_iface("", A4(10, 5, 0, 1), A4(10, 5, 0, 0), 24, 1500), WEIR_EINVAL);
    assert_int_equal(
        try_iface("a-name-that-is-32-characters-lon", A4(10, 5, 0, 1), A4(10, 5, 0, 0), 24, 1500),
        WEIR_EINVAL);
    assert_int_equal(try_iface("x", A4(10, 5, 1, 1), A4(10, 5, 0, 0), 24, 1500), WEIR_EINVAL);
    assert_int_equal(try_iface("x", A4(127, 0, 0, 1), A4(127, 0, 0, 0), 8, 1500), WEIR_EINVAL);
    assert_int_equal(try_iface("x", A4(224, 0, 0, 1), A4(224, 0, 0, 0), 8, 1500), WEIR_EINVAL);
    assert_int_equal(try_iface("x", A4(10, 5, 0, 1), A4(10, 5, 0, 0), 24, 67), WEIR_EINVAL);
    assert_int_equal(net_iface_count(node.net), NODE_IFACES);
    assert_int_equal(try_iface("x", A4(10, 5, 0, 1), A4(10, 5, 0, 0), 24, 68), NODE_IFACES);
    assert_int_equal(net_add_neighbour(node.net, 9, &addr, 1), WEIR_EINVAL);
    assert_int_equal(net_add_neighbour(node.net, -1, &addr, 1), WEIR_EINVAL);
    assert_int_equal(net_set_iface_up(node.net, 9, false), WEIR_EINVAL);
    assert_int_equal(net_set_iface_up(node.net, NET_LOOPBACK, false), WEIR_EINVAL);
    node_done(&node);
}

static void test_rows(void **state)
{
    struct weir_iface_row row;
    struct weir_neighbour_row neighbour;

    (void)state;
    node_init(&node);
    assert_int_equal(net_iface_row(node.net, 2, &row), 0);
    assert_string_equal(row.name, "if2");
    assert_int_equal(weir_addr_to4(&row.addr), A4(10, 2, 0, 1));
    assert_int_equal(weir_addr_to4(&row.prefix.addr), A4(10, 2, 0, 0));
    assert_int_equal(row.prefix.bits, 126);
    assert_int_equal(row.mtu, 296);
    assert_true(row.up);
    assert_int_equal(net_iface_row(node.net, 3, &row), WEIR_ENOENT);
    assert_int_equal(net_iface_row(node.net, -1, &row), WEIR_ENOENT);
    assert_int_equal(net_iface_named(node.net, "if1"), 1);
    assert_int_equal(net_iface_named(node.net, "if"), WEIR_ENOENT);
    node_neighbour(&node, 0, A4(10, 0, 0, 9), 5);
    node_neighbour(&node, 1, A4(10, 1, 0, 2), 77); /* changed in its place */
    assert_int_equal(net_neighbour_row(node.net, 0, &neighbour), 0);
    assert_int_equal(neighbour.tag, 77);
    assert_int_equal(net_neighbour_row(node.net, 2, &neighbour), 0);
    assert_int_equal(neighbour.iface, 0);
    assert_int_equal(weir_addr_to4(&neighbour.addr), A4(10, 0, 0, 9));
    assert_int_equal(net_neighbour_row(node.net, 3, &neighbour), WEIR_ENOENT);
    assert_int_equal(net_neighbour_iface(node.net, &neighbour.addr), 0);
    neighbour.addr = addr4(A4(10, 0, 0, 8));
    assert_int_equal(net_neighbour_iface(node.net, &neighbour.addr), WEIR_ENOENT);
    node_done(&node);
}

/* RFC 1122 3.3.6 [1122-30] */
static void test_whose(void **state)
{
    static const struct {
        uint32_t addr;
        int own;
        bool group;
    } rows[] = {
        {A4(10, 0, 0, 1), 0, false},        {A4(10, 2, 0, 1), 2, false},
        {A4(10, 0, 0, 2), -2, false},       {A4(10, 0, 0, 255), -2, true},
        {A4(10, 0, 0, 0), -2, true},        {A4(10, 2, 0, 3), -2, true},
        {A4(10, 2, 0, 2), -2, false},       {A4(10, 2, 0, 255), -2, false},
        {A4(255, 255, 255, 255), -2, true}, {A4(224, 0, 0, 1), -2, true},
        {A4(239, 255, 0, 1), -2, true},     {A4(240, 0, 0, 1), -2, false},
        {A4(10, 6, 0, 0), 3, false},        {A4(10, 6, 0, 1), -2, false}, /* a /31 has none */
    };

    (void)state;
    node_init(&node);
    assert_int_equal(try_iface("p2p", A4(10, 6, 0, 0), A4(10, 6, 0, 0), 31, 1500), 3);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_addr addr = addr4(rows[i].addr);

        assert_int_equal(net_is_own(node.net, &addr), rows[i].own);
        assert_int_equal(net_is_group(node.net, &addr), rows[i].group);
    }
    node_done(&node);
}

/* At every possible point memory runs out once; nothing is lost, and nothing leaks. */
static void test_no_memory(void **state)
{
    struct weir_counters counters = {0};
    struct net_config config = node_config();
    struct random random;
    size_t budget;

    (void)state;
    random_init_u64(&random, 1, 0);
    for (budget = 0; budget < 40000; budget += 50) {
        struct alloc alloc;
        struct weir_addr addr = addr4(A4(10, 0, 0, 1)), peer = addr4(A4(10, 0, 0, 2));
        struct weir_prefix prefix = weir_prefix_from4(A4(10, 0, 0, 0), 24);
        static struct fake_link link;
        struct net *net;

        alloc_init(&alloc, budget);
        fake_init(&link, 1500);
        net = net_create(&alloc, &config, &counters, &random);
        if (net) {
            int made = net_add_iface(net, "if0", &link.link, &addr, &prefix, false);

            assert_true(made == 0 || made == WEIR_ENOMEM);
            if (made == 0)
                made = net_add_neighbour(net, 0, &peer, 1);
            assert_true(made == 0 || made == WEIR_ENOMEM);
        }
        net_destroy(net);
        assert_int_equal(alloc.used, 0);
    }
    net_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
