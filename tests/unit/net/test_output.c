/* SPDX-License-Identifier: MIT */

/* Sending: headers, identifications, full links, flushes; payloads cut in fragments. */

#include "fake_link.h"

#include <base/bytes.h>

#define PEER A4(10, 0, 0, 9)

static struct node node;
static const struct net_out plain_out = {
    .protocol = 200, .ttl = 9, .tos = 0x48, .why = WEIR_WHY_RAW};
static const struct net_out df_out = {
    .protocol = 6, .ttl = 64, .dont_fragment = true, .why = WEIR_WHY_DATA};

static struct net_path path_to(uint32_t dst)
{
    struct weir_addr any = weir_addr_any4(), to = addr4(dst);
    struct net_path path;

    assert_int_equal(net_path_find(node.net, &any, &to, &path), 0);
    return path;
}

/* RFC 1122 3.2.1.7 [1122-9], RFC 1122 3.2.1.6 [1122-12], RFC 1122 3.4 [1122-33],
 * RFC 6864 4.1 [6864-1] */
static void test_header(void **state)
{
    struct net_path path;
    struct net_frame frame;
    struct weir_packet sent;

    (void)state;
    node_init(&node);
    path = path_to(A4(10, 9, 5, 5));
    for (uint32_t used = 0; used <= 40; used++) {
        assert_int_equal(net_begin(node.net, &path, used & 1 ? &df_out : &plain_out, 40, 0, &frame),
                         0);
        assert_int_equal(frame.room, 40);
        memset(frame.payload, 7, used);
        net_commit(node.net, &path, &frame, used, 0);
        if (used & 1)
            continue; /* of protocol 6, which this is not */
        sent = fake_packet(&node.links[1], used);
        assert_int_equal(weir_addr_to4(&sent.src), A4(10, 1, 0, 1));
        assert_int_equal(weir_addr_to4(&sent.dst), A4(10, 9, 5, 5));
        assert_int_equal(sent.payload_length, used);
        assert_int_equal(sent.ttl, 9);
        assert_int_equal(sent.tos, 0x48);
        assert_int_equal(sent.protocol, 200);
        assert_false(sent.dont_fragment);
    }
    assert_int_equal(get_u32(node.links[1].sent[1].frame.data + 4), 0x4000); /* id 0, DF */
    assert_int_equal(node.links[1].sent[1].frame.why, WEIR_WHY_DATA);
    assert_int_equal(node.links[1].sent[1].frame.tag, 12);
    assert_int_equal(node.counters.counter[WEIR_COUNT_PACKETS_OUT], 41);
    assert_int_equal(node.counters.counter[WEIR_COUNT_BYTES_OUT], 41 * 20 + 40 * 41 / 2);
    node_done(&node);
}

static void test_refusals(void **state)
{
    static uint8_t payload[70000];
    struct net_path path;
    struct net_frame frame;

    (void)state;
    node_init(&node);
    path = path_to(PEER);
    assert_int_equal(net_hop_mms(&path.hop), 1480); /* RFC 1122 3.3.3 [1122-28] */
    assert_int_equal(net_begin(node.net, &path, &df_out, 1481, 0, &frame), WEIR_EMSGSIZE);
    assert_int_equal(net_begin(node.net, &path, &df_out, 1480, 0, &frame), 0);
    net_abort(node.net, &path, &frame);
    assert_int_equal(node.links[0].aborts, 1);
    assert_int_equal(net_send(node.net, &path, &df_out, payload, 1481, 0), WEIR_EMSGSIZE);
    assert_int_equal(net_send(node.net, &path, &plain_out, payload, 65516, 0), WEIR_EMSGSIZE);
    node.links[0].room = 0;
    assert_int_equal(net_begin(node.net, &path, &df_out, 10, 0, &frame), WEIR_EAGAIN);
    expect_drop(&node, WEIR_DROP_NONE); /* nothing lost: the caller keeps its data */
    assert_int_equal(net_send(node.net, &path, &plain_out, payload, 10, 0), WEIR_EAGAIN);
    expect_drop(&node, WEIR_DROP_LINK_FULL);
    net_set_iface_up(node.net, 0, false);
    assert_int_equal(net_begin(node.net, &path, &df_out, 10, 0, &frame), WEIR_ENETDOWN);
    assert_false(net_hop_is_valid(node.net, &path.hop));
    assert_int_equal(node_sent(&node), 0);
    node_done(&node);
}

/* RFC 6864 4.3 [6864-2]: 65,536 in a row, all different, and no counter to be seen. */
static void test_ids(void **state)
{
    static uint8_t seen[65536];
    struct net_path path;
    unsigned steps = 0;
    uint16_t last = 0;

    (void)state;
    node_init(&node);
    path = path_to(PEER);
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t id;

        assert_int_equal(net_send(node.net, &path, &plain_out, some_bytes, 1, 0), 0);
        id = get_u16(node.links[0].sent[0].frame.data + 4);
        assert_int_equal(seen[id], 0);
        seen[id] = 1;
        steps += (uint16_t)(id - last) <= 16;
        last = id;
        fake_clear(&node.links[0]);
    }
    assert_true(steps < 200); /* 16 are expected by chance; a counter would make 65,536 */
    node_done(&node);
}

/* Each touched link once, and only those. */
static void test_flush(void **state)
{
    struct net_path a, b;

    (void)state;
    node_init(&node);
    a = path_to(PEER);
    b = path_to(A4(10, 9, 0, 1));
    net_flush(node.net, 0);
    for (int i = 0; i < 3; i++)
        net_send(node.net, &a, &plain_out, some_bytes, 1, 0);
    net_send(node.net, &b, &plain_out, some_bytes, 1, 0);
    net_flush(node.net, 0);
    net_flush(node.net, 0);
    assert_int_equal(node.links[0].flushes, 1);
    assert_int_equal(node.links[1].flushes, 1);
    assert_int_equal(node.links[2].flushes, 0);
    net_send(node.net, &a, &plain_out, some_bytes, 1, 0);
    net_flush(node.net, 0);
    assert_int_equal(node.links[0].flushes, 2);
    assert_int_equal(node.links[1].flushes, 1);
    node_done(&node);
}

/* RFC 1122 3.3.3 [1122-28], RFC 791 3.1, 3.2 [791-2]: what is cut here is whole again there. */
static void test_cut_and_join(void **state)
{
    static uint8_t payload[65515];
    static struct node peer;
    struct net_config config = node_config();
    struct weir_addr own = addr4(A4(10, 2, 0, 2));
    struct weir_prefix prefix = weir_prefix_from4(A4(10, 2, 0, 0), 30);
    static const uint32_t sizes[] = {277, 280, 1000, 20000, 65515};

    (void)state;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 17 + (i >> 9));
    node_init(&node);
    node_init_bare(&peer, &config);
    assert_int_equal(net_add_iface(peer.net, "if0", &peer.links[0].link, &own, &prefix, false), 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct net_path path = path_to(A4(10, 2, 0, 2));
        enum net_verdict verdict = NET_DONE;
        unsigned count;

        assert_int_equal(net_send(node.net, &path, &plain_out, payload, sizes[i], 0), 0);
        count = node.links[2].count;
        assert_int_equal(count, (sizes[i] + 271) / 272); /* the least that 296 bytes allow */
        for (unsigned at = 0; at < count; at++)
            verdict =
                net_input(peer.net, 0, &node.links[2].sent[at].frame, 0, &peer.packet, &peer.error);
        assert_int_equal(verdict, NET_DELIVER);
        assert_int_equal(peer.packet.length, sizes[i]);
        assert_memory_equal(peer.packet.payload, payload, sizes[i]);
        net_release(peer.net, &peer.packet);
        fake_clear(&node.links[2]);
    }
    node_done(&peer);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_ids),          cmocka_unit_test(test_flush),
        cmocka_unit_test(test_cut_and_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
