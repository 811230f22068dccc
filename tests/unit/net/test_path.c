/* SPDX-License-Identifier: MIT */

/* Paths: sources, destinations that have none, and when a path is no longer one. */

#include "fake_link.h"

static struct node node;

struct path_case {
    const char *what;
    uint32_t src, dst;
    int error;
    uint32_t path_src;
    int iface;
    uint64_t tag;
};

/* RFC 1122 3.2.1.3 [1122-5], RFC 1122 3.2.1.3 [1122-6], RFC 1122 3.3.1.1 [1122-25] */
static const struct path_case path_cases[] = {
    {"on-link, at tag 0", 0, A4(10, 0, 0, 9), 0, A4(10, 0, 0, 1), 0, 0},
    {"a neighbour", 0, A4(10, 1, 0, 3), 0, A4(10, 1, 0, 1), 1, 13},
    {"no neighbour", 0, A4(10, 1, 0, 4), WEIR_EHOSTUNREACH, 0, 0, 0},
    {"by a gateway", 0, A4(10, 9, 7, 7), 0, A4(10, 1, 0, 1), 1, 12},
    {"nowhere", 0, A4(11, 0, 0, 1), WEIR_ENETUNREACH, 0, 0, 0},
    {"from another of ours", A4(10, 0, 0, 1), A4(10, 9, 7, 7), 0, A4(10, 0, 0, 1), 1, 12},
    {"from a stranger's", A4(10, 0, 0, 9), A4(10, 9, 7, 7), WEIR_EADDRNOTAVAIL, 0, 0, 0},
    {"from a broadcast", A4(10, 0, 0, 255), A4(10, 9, 7, 7), WEIR_EADDRNOTAVAIL, 0, 0, 0},
    {"from 127 to a wire", A4(127, 0, 0, 1), A4(10, 0, 0, 9), WEIR_ENETUNREACH, 0, 0, 0},
    {"to ourselves", 0, A4(10, 1, 0, 1), 0, A4(10, 1, 0, 1), NET_LOOPBACK, 0},
    {"to ourselves from another", A4(10, 0, 0, 1), A4(10, 1, 0, 1), 0, A4(10, 0, 0, 1),
     NET_LOOPBACK, 0},
    {"to 127.0.0.2", 0, A4(127, 0, 0, 2), 0, A4(127, 0, 0, 2), NET_LOOPBACK, 0},
    {"to all ones", 0, A4(255, 255, 255, 255), WEIR_ENETUNREACH, 0, 0, 0},
    {"to a subnet broadcast", 0, A4(10, 0, 0, 255), WEIR_ENETUNREACH, 0, 0, 0},
    {"to multicast", 0, A4(224, 0, 0, 1), WEIR_ENETUNREACH, 0, 0, 0},
    {"to class E", 0, A4(240, 0, 0, 1), WEIR_ENETUNREACH, 0, 0, 0},
    {"to 0/8", 0, A4(0, 0, 0, 1), WEIR_ENETUNREACH, 0, 0, 0},
};

static void test_table(void **state)
{
    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(path_cases) / sizeof(path_cases[0]); i++) {
        const struct path_case *row = &path_cases[i];
        struct weir_addr src = addr4(row->src), dst = addr4(row->dst);
        struct net_path path = {.hop.generation = 12345};

        print_message("%s\n", row->what);
        assert_int_equal(net_path_find(node.net, &src, &dst, &path), row->error);
        if (row->error) {
            assert_int_equal(path.hop.generation, 12345); /* untouched */
            continue;
        }
        assert_true(net_hop_is_valid(node.net, &path.hop));
        assert_int_equal(weir_addr_to4(&path.src), row->path_src);
        assert_int_equal(weir_addr_to4(&path.dst), row->dst);
        assert_int_equal(path.hop.iface, row->iface);
        assert_int_equal(path.hop.tag, row->tag);
        assert_int_equal(path.hop.mtu, row->iface == NET_LOOPBACK ? 65535 : 1500);
    }
    node_done(&node);
}

/* A default route leads no broadcast and no 127/8 out: RFC 1122 3.2.1.3 [1122-6]. */
static void test_default_route(void **state)
{
    static const uint32_t never[] = {A4(10, 0, 0, 255), A4(255, 255, 255, 255), A4(224, 1, 1, 1),
                                     A4(241, 0, 0, 1), A4(0, 0, 0, 7)};
    struct weir_addr any = weir_addr_any4(), dst;
    struct net_path path;

    (void)state;
    node_init(&node);
    node_route(&node, 0, 0, A4(10, 1, 0, 2));
    dst = addr4(A4(8, 8, 8, 8));
    assert_int_equal(net_path_find(node.net, &any, &dst, &path), 0);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        dst = addr4(never[i]);
        assert_int_equal(net_path_find(node.net, &any, &dst, &path), WEIR_ENETUNREACH);
    }
    node_done(&node);
}

static void test_generation(void **state)
{
    struct weir_addr any = weir_addr_any4(), dst = addr4(A4(10, 9, 1, 1));
    struct weir_prefix prefix = weir_prefix_from4(A4(99, 0, 0, 0), 8);
    struct weir_addr hop = addr4(A4(10, 1, 0, 2));
    struct net_path path;

    (void)state;
    node_init(&node);
#define FRESH() assert_int_equal(net_path_find(node.net, &any, &dst, &path), 0)
#define STALE() assert_false(net_hop_is_valid(node.net, &path.hop))
    FRESH();
    net_set_iface_up(node.net, 0, true); /* no change */
    assert_true(net_hop_is_valid(node.net, &path.hop));
    net_set_iface_up(node.net, 0, false);
    STALE();
    FRESH();
    net_set_rip_route(node.net, &prefix, &hop, 4);
    STALE();
    FRESH();
    net_remove_rip_route(node.net, &prefix);
    STALE();
    FRESH();
    net_add_static_route(node.net, &prefix, &hop);
    STALE();
    FRESH();
    net_add_neighbour(node.net, 1, &hop, 99);
    STALE();
    FRESH();
    assert_int_equal(path.hop.tag, 99);
    node_done(&node);
}

static void test_pseudo_sum(void **state)
{
    struct weir_addr src = addr4(0x01020304), dst = addr4(0xfffefdfc);
    uint32_t sum = net_pseudo_sum(&src, &dst, 6);

    (void)state;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    assert_int_equal(sum, (0x0102 + 0x0304 + 0xfffe + 0xfdfc + 6) % 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_default_route),
        cmocka_unit_test(test_generation),
        cmocka_unit_test(test_pseudo_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
