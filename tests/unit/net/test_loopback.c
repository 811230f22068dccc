/* SPDX-License-Identifier: MIT */

/* The link to ourselves: order, limits, lifetime of frames; and whole rounds through net. */

#include "fake_link.h"

static struct node node;

static struct weir_link *loopback(void)
{
    return net_iface_link(node.net, NET_LOOPBACK);
}

static void put(uint8_t value, size_t length)
{
    struct weir_link *link = loopback();
    struct weir_frame frame;

    assert_int_equal(link->ops->begin(link, length, 0, &frame), 0);
    assert_int_equal(frame.length, length);
    memset(frame.data, value, length);
    link->ops->commit(link, &frame, 0);
}

static void test_order(void **state)
{
    struct weir_link *link;
    struct weir_frame frames[4];
    size_t idle;

    (void)state;
    node_init(&node);
    link = loopback();
    idle = node.alloc.used;
    for (uint8_t i = 0; i < 10; i++)
        put(i, 100u + i);
    assert_int_equal(link->ops->receive(link, frames, 4, 0), 0); /* staged is not sent */
    assert_int_equal(link->ops->deadline(link), WEIR_NEVER);
    link->ops->flush(link, 0);
    assert_true(link->ops->deadline(link) < 0);
    for (unsigned i = 0; i < 10; i++) {
        if (i % 4 == 0)
            assert_int_equal(link->ops->receive(link, frames, 4, 0), i == 8 ? 2 : 4);
        assert_int_equal(frames[i % 4].length, 100 + i);
        assert_int_equal(frames[i % 4].data[99], i);
    }
    assert_int_equal(link->ops->receive(link, frames, 4, 0), 0);
    assert_int_equal(node.alloc.used, idle);
    assert_int_equal(link->ops->fd(link), -1);
    node_done(&node);
}

static void test_limits(void **state)
{
    struct weir_link *link;
    struct weir_frame frame;
    size_t idle;
    int error;

    (void)state;
    node_init(&node);
    link = loopback();
    idle = node.alloc.used;
    assert_int_equal(link->ops->begin(link, 65536, 0, &frame), WEIR_EMSGSIZE);
    while ((error = link->ops->begin(link, 1000, 0, &frame)) == 0)
        link->ops->commit(link, &frame, 0);
    assert_int_equal(error, WEIR_EAGAIN);
    assert_false(link->ops->ready(link, 0));
    assert_in_range(node.alloc.used - idle, NET_LOOPBACK_QUEUE_BYTES - 1200,
                    NET_LOOPBACK_QUEUE_BYTES);
    link->ops->flush(link, 0);
    while (link->ops->receive(link, &frame, 1, 0) == 1)
        ;
    assert_true(link->ops->ready(link, 0));
    assert_int_equal(link->ops->begin(link, 1000, 0, &frame), 0);
    link->ops->abort(link, &frame);
    assert_int_equal(node.alloc.used, idle);
    node.alloc.budget = node.alloc.used;
    assert_int_equal(link->ops->begin(link, 1000, 0, &frame), WEIR_EAGAIN);
    node_done(&node);
}

static enum net_verdict drain(void)
{
    struct weir_frame frame;
    struct weir_link *link = loopback();

    net_flush(node.net, 0);
    assert_int_equal(link->ops->receive(link, &frame, 1, 0), 1);
    return net_input(node.net, NET_LOOPBACK, &frame, 0, &node.packet, &node.error);
}

/* To an address of ours, also of an interface that is down, and to 127/8: nothing leaves.
 * RFC 1122 3.2.1.3 [1122-6]; an echo to ourselves goes round twice; an unwanted packet brings an
 * error. */
static void test_round(void **state)
{
    static const uint32_t to[] = {A4(10, 1, 0, 1), A4(127, 0, 0, 1), A4(127, 9, 9, 9)};
    static const struct net_out out = {.protocol = 200, .ttl = 3};
    static const struct net_out echo_out = {.protocol = 1, .ttl = 3};
    static const uint8_t request[8] = {8, 0, 0xf7, 0xff};

    (void)state;
    node_init(&node);
    net_set_iface_up(node.net, 1, false);
    for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
        struct weir_addr any = weir_addr_any4(), dst = addr4(to[i]);
        struct net_path path;

        assert_int_equal(net_path_find(node.net, &any, &dst, &path), 0);
        assert_int_equal(net_send(node.net, &path, &out, some_bytes, 30, 0), 0);
        assert_int_equal(drain(), NET_DELIVER);
        assert_int_equal(node.packet.iface, NET_LOOPBACK);
        assert_int_equal(node.packet.ttl, 3);
        assert_memory_equal(node.packet.payload, some_bytes, 30);
        net_unreachable(node.net, &node.packet, 2, 0);
        assert_int_equal(drain(), NET_ICMP_ERROR);
        assert_int_equal(node.error.protocol, 200);
        assert_int_equal(net_send(node.net, &path, &echo_out, request, 8, 0), 0);
        assert_int_equal(drain(), NET_DONE);
        assert_int_equal(drain(), NET_DELIVER);
        assert_int_equal(node.packet.payload[0], 0);
        expect_drop(&node, WEIR_DROP_NONE);
    }
    put(1, 50); /* left behind */
    assert_int_equal(node_sent(&node), 0);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_round),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
