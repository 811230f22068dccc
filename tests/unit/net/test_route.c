/* SPDX-License-Identifier: MIT */

/* Routes: look-up against a linear model, order of the rows, preference, gateways, and down. */

#include "fake_link.h"

static struct node node;

/* ---- The model: an unsorted list, walked whole ---------------------------------------------- */

#define MODEL_MAX 400

struct model_route {
    uint32_t net, bits, hop;
    bool rip;
};

static struct model_route model[MODEL_MAX];
static unsigned model_count;

static bool model_matches(const struct model_route *route, uint32_t dst)
{
    return route->bits == 0 || (dst ^ route->net) >> (32 - route->bits) == 0;
}

static void model_set(const struct model_route *route)
{
    for (unsigned i = 0; i < model_count; i++) {
        if (model[i].net == route->net && model[i].bits == route->bits &&
            model[i].rip == route->rip) {
            model[i] = *route;
            return;
        }
    }
    model[model_count++] = *route;
}

static void model_remove(uint32_t net, uint32_t bits)
{
    for (unsigned i = 0; i < model_count; i++) {
        if (model[i].rip && model[i].net == net && model[i].bits == bits) {
            model[i] = model[--model_count];
            return;
        }
    }
}

static const struct model_route *model_find(uint32_t dst)
{
    const struct model_route *best = NULL;

    for (unsigned i = 0; i < model_count; i++) {
        if (!model_matches(&model[i], dst))
            continue;
        if (!best || model[i].bits > best->bits ||
            (model[i].bits == best->bits && best->rip && !model[i].rip))
            best = &model[i];
    }
    return best;
}

static void random_change(struct random *random)
{
    struct model_route route = {.bits = random_below(random, 33),
                                .rip = random_chance(random, 0.6)};
    struct weir_addr hop;
    struct weir_prefix prefix;

    /* few nets, so that prefixes nest and collide */
    route.net = A4(60, random_below(random, 3), random_below(random, 4), random_below(random, 8));
    route.net =
        route.bits == 0 ? 0 : route.net & ~(uint32_t)((UINT64_C(1) << (32 - route.bits)) - 1);
    route.hop = random_chance(random, 0.5) ? A4(10, 1, 0, 2) : A4(10, 1, 0, 3);
    prefix = weir_prefix_from4(route.net, route.bits);
    hop = addr4(route.hop);
    if (route.rip && random_chance(random, 0.4)) {
        net_remove_rip_route(node.net, &prefix);
        model_remove(route.net, route.bits);
    } else if (route.rip) {
        assert_int_equal(net_set_rip_route(node.net, &prefix, &hop, 3), 0);
        model_set(&route);
    } else {
        assert_int_equal(net_add_static_route(node.net, &prefix, &hop), 0);
        model_set(&route);
    }
}

/* RFC 1812 5.2.4.3 [1812-12] */
static void test_against_model(void **state)
{
    struct random random;

    (void)state;
    node_init(&node);
    model_count = 0;
    model_set(&(struct model_route){A4(10, 9, 0, 0), 16, A4(10, 1, 0, 2), false});
    random_init_u64(&random, 21, 0);
    for (int round = 0; round < 20000; round++) {
        uint32_t dst =
            A4(60, random_below(&random, 4), random_below(&random, 5), random_below(&random, 10));
        struct weir_addr any = weir_addr_any4(), to = addr4(dst);
        const struct model_route *expected;
        struct net_path path;
        int error;

        if (model_count < MODEL_MAX - 1)
            random_change(&random);
        expected = model_find(dst);
        error = net_path_find(node.net, &any, &to, &path);
        assert_int_equal(error, expected ? 0 : WEIR_ENETUNREACH);
        if (expected)
            assert_int_equal(path.hop.tag, expected->hop == A4(10, 1, 0, 2) ? 12 : 13);
    }
    node_done(&node);
}

/* Local, RIP, static, each in the order of prefixes; and each route once. */
static void test_rows(void **state)
{
    struct weir_route_row row, last = {0};
    struct random random;
    size_t count = 0;
    int rank[] = {[WEIR_ROUTE_LOCAL] = 0, [WEIR_ROUTE_RIP] = 1, [WEIR_ROUTE_STATIC] = 2};

    (void)state;
    node_init(&node);
    model_count = 0;
    model_set(&(struct model_route){A4(10, 9, 0, 0), 16, A4(10, 1, 0, 2), false});
    random_init_u64(&random, 22, 0);
    for (int i = 0; i < 300; i++)
        random_change(&random);
    for (; net_route_row(node.net, count, &row) == 0; count++) {
        int order = memcmp(last.prefix.addr.bytes, row.prefix.addr.bytes, 16);

        assert_int_equal(row.iface >= 0, row.kind == WEIR_ROUTE_LOCAL);
        assert_int_equal(row.cost, row.kind == WEIR_ROUTE_RIP ? 3 : 0);
        if (count > 0 && last.kind == row.kind)
            assert_true(order < 0 || (order == 0 && last.prefix.bits < row.prefix.bits));
        else
            assert_true(count == 0 || rank[last.kind] < rank[row.kind]);
        last = row;
    }
    assert_int_equal(count, model_count + NODE_IFACES);
    node_done(&node);
}

static int path_to(uint32_t dst, struct net_path *path)
{
    struct weir_addr any = weir_addr_any4(), to = addr4(dst);

    return net_path_find(node.net, &any, &to, path);
}

static void set_rip(uint32_t net, unsigned bits, uint32_t hop)
{
    struct weir_prefix prefix = weir_prefix_from4(net, bits);
    struct weir_addr next = addr4(hop);

    assert_int_equal(net_set_rip_route(node.net, &prefix, &next, 2), 0);
}

/* Equal prefixes: local, then static, then RIP. RFC 1122 3.3.1.2 [1122-26],
 * RFC 1122 3.3.1.1 [1122-25], RFC 1812 5.3.12.3 [1812-17]: down is passed over. */
static void test_preference(void **state)
{
    struct net_path path;

    (void)state;
    node_init(&node);
    set_rip(A4(50, 0, 0, 0), 8, A4(10, 1, 0, 2));
    assert_int_equal(path_to(A4(50, 1, 1, 1), &path), 0);
    assert_int_equal(path.hop.tag, 12);
    node_route(&node, A4(50, 0, 0, 0), 8, A4(10, 1, 0, 3));
    assert_int_equal(path_to(A4(50, 1, 1, 1), &path), 0);
    assert_int_equal(path.hop.tag, 13);
    node_route(&node, A4(50, 0, 0, 0), 8, A4(10, 0, 0, 7)); /* replaces the static one */
    assert_int_equal(path_to(A4(50, 1, 1, 1), &path), 0);
    assert_int_equal(path.hop.iface, 0);
    net_set_iface_up(node.net, 0, false);
    assert_int_equal(path_to(A4(50, 1, 1, 1), &path), 0);
    assert_int_equal(path.hop.tag, 12);
    set_rip(A4(10, 0, 0, 0), 24, A4(10, 1, 0, 2)); /* the way round to a connected net */
    assert_int_equal(path_to(A4(10, 0, 0, 7), &path), 0);
    assert_int_equal(path.hop.iface, 1);
    net_set_iface_up(node.net, 0, true);
    assert_int_equal(path_to(A4(10, 0, 0, 7), &path), 0);
    assert_int_equal(path.hop.iface, 0);
    net_set_iface_up(node.net, 0, false);
    net_set_iface_up(node.net, 1, false);
    assert_int_equal(path_to(A4(50, 1, 1, 1), &path), WEIR_ENETDOWN);
    assert_int_equal(path_to(A4(51, 1, 1, 1), &path), WEIR_ENETUNREACH);
    node_done(&node);
}

/* Gateways behind gateways, and loops of them, which end. */
static void test_gateways(void **state)
{
    struct net_path path;

    (void)state;
    node_init(&node);
    node_route(&node, A4(70, 0, 0, 0), 8, A4(10, 9, 1, 1)); /* behind 10.9/16, behind 10.1.0.2 */
    assert_int_equal(path_to(A4(70, 1, 1, 1), &path), 0);
    assert_int_equal(path.hop.tag, 12);
    assert_int_equal(path.hop.iface, 1);
    assert_int_equal(weir_addr_to4(&path.src), A4(10, 1, 0, 1));
    node_route(&node, A4(71, 0, 0, 0), 8, A4(72, 0, 0, 1));
    node_route(&node, A4(72, 0, 0, 0), 8, A4(71, 0, 0, 1));
    assert_int_equal(path_to(A4(71, 1, 1, 1), &path), WEIR_ENETUNREACH);
    node_route(&node, A4(73, 0, 0, 0), 8, A4(73, 0, 0, 1)); /* through itself */
    assert_int_equal(path_to(A4(73, 1, 1, 1), &path), WEIR_ENETUNREACH);
    node_route(&node, A4(74, 0, 0, 0), 8, A4(10, 1, 0, 99)); /* a gateway that is no neighbour */
    assert_int_equal(path_to(A4(74, 1, 1, 1), &path), WEIR_EHOSTUNREACH);
    node_done(&node);
}

static void test_unfit(void **state)
{
    struct weir_prefix good = weir_prefix_from4(A4(50, 0, 0, 0), 8), bad = good;
    struct weir_addr hop = addr4(A4(10, 1, 0, 2)), group = addr4(A4(224, 0, 0, 9));
    struct weir_addr six = {.bytes = {0x20, 1}};

    (void)state;
    node_init(&node);
    assert_int_equal(net_add_static_route(node.net, &good, &group), WEIR_EINVAL);
    assert_int_equal(net_add_static_route(node.net, &good, &six), WEIR_EINVAL);
    bad.bits = 95;
    assert_int_equal(net_set_rip_route(node.net, &bad, &hop, 1), WEIR_EINVAL);
    bad.bits = 129;
    assert_int_equal(net_add_static_route(node.net, &bad, &hop), WEIR_EINVAL);
    net_remove_rip_route(node.net, &bad);
    net_remove_rip_route(node.net, &good); /* none there */
    node.alloc.budget = node.alloc.used;
    for (unsigned i = 0; i < 20; i++) {
        good = weir_prefix_from4(A4(50, i, 0, 0), 16);
        assert_int_equal(net_add_static_route(node.net, &good, &hop), WEIR_ENOMEM);
    }
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_preference),    cmocka_unit_test(test_gateways),
        cmocka_unit_test(test_unfit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
