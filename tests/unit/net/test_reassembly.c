/* SPDX-License-Identifier: MIT */

/* Reassembly: any order gives the same datagram; overlaps, lies and floods give none, and no
 * memory. */

#include "fake_link.h"

#include <base/bytes.h>
#include <wire/icmp4.h>

#define PEER A4(10, 0, 0, 9)
#define SELF A4(10, 0, 0, 1)

static struct node node;
static uint8_t data[70000];

struct cut_case {
    uint32_t from, to;
    bool more;
};

static enum net_verdict feed_from(uint32_t src, uint16_t id, uint8_t protocol,
                                  const struct cut_case *cut, const uint8_t *bytes)
{
    static uint8_t packet[70000];
    struct weir_packet fragment = plain(src, SELF);
    long length;

    fragment.protocol = 0; /* so that emit makes no transport header */
    fragment.id = id;
    fragment.fragment_offset = (uint16_t)cut->from;
    fragment.more_fragments = cut->more;
    fragment.payload = bytes + cut->from;
    fragment.payload_length = cut->to - cut->from;
    length = weir_packet_emit(&fragment, packet, sizeof(packet));
    assert_true(length > 0);
    packet[9] = protocol;
    mend_header(packet);
    return node_input(&node, 0, packet, (size_t)length);
}

static enum net_verdict feed(uint16_t id, uint32_t from, uint32_t to, bool more)
{
    struct cut_case cut = {from, to, more};

    return feed_from(PEER, id, 200, &cut, data);
}

static void expect_whole(uint32_t length)
{
    assert_int_equal(node.packet.length, length);
    assert_memory_equal(node.packet.payload, data, length);
    assert_int_equal(get_u16(node.packet.header + 2), length + 20);
    assert_non_null(node.packet.reassembly);
    assert_false(node.packet.csum_verified); /* RFC 6864 5.2 [6864-4]: transports look themselves */
    net_release(node.net, &node.packet);
    assert_null(node.packet.reassembly);
    assert_int_equal(net_fragments_held(node.net), 0);
    assert_int_equal(net_deadline(node.net), WEIR_NEVER);
}

static void setup_data(void)
{
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31 + (i >> 8));
}

/* RFC 815 3 [815-1], RFC 1122 3.2.1.4 [1122-7], RFC 791 3.2 [791-2]: random cuts in random order,
 * some of them twice; the reference is the payload itself, due exactly when the last byte came. */
static void test_permutations(void **state)
{
    struct random random;

    (void)state;
    setup_data();
    node_init(&node);
    random_init_u64(&random, 11, 0);
    for (int round = 0; round < 3000; round++) {
        struct cut_case cuts[40];
        uint32_t count = 0, at = 0, total = 1 + random_below(&random, 4000);

        while (at < total) {
            uint32_t step = 8 * (1 + random_below(&random, 60));

            if (count == 39 || step >= total - at)
                step = total - at;
            cuts[count++] = (struct cut_case){at, at + step, at + step < total};
            at += step;
        }
        for (uint32_t i = count - 1; i > 0; i--) {
            uint32_t j = random_below(&random, i + 1);
            struct cut_case swap = cuts[i];

            cuts[i] = cuts[j];
            cuts[j] = swap;
        }
        if (count == 1)
            continue; /* no fragment at all */
        for (uint32_t i = 0; i < count; i++) {
            enum net_verdict verdict = feed_from(PEER, (uint16_t)round, 200, &cuts[i], data);

            assert_int_equal(verdict, i + 1 == count ? NET_DELIVER : NET_DONE);
            if (i + 1 < count && random_chance(&random, 0.2))
                assert_int_equal(feed_from(PEER, (uint16_t)round, 200, &cuts[i], data), NET_DONE);
        }
        expect_whole(total);
    }
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_OVERLAP], 0);
    assert_true(node.counters.drop[WEIR_DROP_FRAGMENT_DUPLICATE] > 0);
    node_done(&node);
}

/* The four parts of the key; datagrams side by side. */
static void test_keys(void **state)
{
    static const struct {
        uint32_t src;
        uint16_t id;
        uint8_t protocol;
    } keys[] = {{PEER, 1, 200}, {PEER + 1, 1, 200}, {PEER, 2, 200}, {PEER, 1, 0}};
    struct cut_case first = {0, 16, true}, last = {16, 20, false};

    (void)state;
    setup_data();
    node_init(&node);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(feed_from(keys[i].src, keys[i].id, keys[i].protocol, &first, data), 0);
    assert_int_equal(net_fragments_held(node.net), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(feed_from(keys[i].src, keys[i].id, keys[i].protocol, &last, data),
                         NET_DELIVER);
        assert_int_equal(weir_addr_to4(&node.packet.src), keys[i].src);
        assert_int_equal(node.packet.protocol, keys[i].protocol);
        net_release(node.net, &node.packet);
    }
    expect_drop(&node, WEIR_DROP_NONE);
    node_done(&node);
}

/* RFC 815 - [815-2]: what can be no fragment of anything. */
static void test_impossible(void **state)
{
    static const struct {
        uint32_t from, to;
        bool more;
        uint8_t protocol;
    } rows[] = {
        {0, 0, true, 200},          {8, 8, false, 200},         {0, 9, true, 200},
        {8, 15, true, 200},         {65528, 65535, false, 200}, {65512, 65528, true, 200},
        {65512, 65516, false, 200}, {8, 28, false, 6}, /* RFC 1858 */
    };

    (void)state;
    node_init(&node);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cut_case cut = {rows[i].from, rows[i].to, rows[i].more};

        assert_int_equal(feed_from(PEER, 1, rows[i].protocol, &cut, data), NET_DONE);
        expect_drop(&node, WEIR_DROP_FRAGMENT_BAD);
        assert_int_equal(net_fragments_held(node.net), 0);
        node_clear(&node);
    }
    node_done(&node);
}

/* RFC 5722 [815-3], RFC 5722 4 [8200-8], RFC 815 - [815-2]: [16,32) is there, and then comes this.
 * The datagram is ruined, and whatever comes later cannot heal it. */
static void test_overlaps(void **state)
{
    static const struct {
        const char *what;
        uint32_t from, to;
        bool more, other_bytes;
        enum weir_drop drop;
    } rows[] = {
        {"before", 8, 24, true, false, WEIR_DROP_FRAGMENT_OVERLAP},
        {"after", 24, 40, true, false, WEIR_DROP_FRAGMENT_OVERLAP},
        {"inside", 16, 24, true, false, WEIR_DROP_FRAGMENT_OVERLAP},
        {"around", 8, 40, true, false, WEIR_DROP_FRAGMENT_OVERLAP},
        {"same place, other bytes", 16, 32, true, true, WEIR_DROP_FRAGMENT_OVERLAP},
        {"an end before it", 8, 12, false, false, WEIR_DROP_FRAGMENT_BAD},
        {"an end inside it", 24, 30, false, false, WEIR_DROP_FRAGMENT_BAD},
    };
    static uint8_t other[64];

    (void)state;
    setup_data();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cut_case cut = {rows[i].from, rows[i].to, rows[i].more};

        print_message("%s\n", rows[i].what);
        node_init(&node);
        feed(7, 16, 32, true);
        assert_int_equal(feed_from(PEER, 7, 200, &cut, rows[i].other_bytes ? other : data),
                         NET_DONE);
        assert_int_equal(node.counters.drop[rows[i].drop], 2);
        assert_int_equal(feed(7, 0, 16, true), NET_DONE);
        assert_int_equal(feed(7, 16, 32, true), NET_DONE);
        assert_int_equal(feed(7, 32, 40, false), NET_DONE);
        assert_int_equal(node.counters.drop[rows[i].drop], 5);
        assert_int_equal(net_fragments_held(node.net), 0);
        node.now += 60 * WEIR_SECOND; /* no ICMP for the ruined; then the id is free again */
        net_expire(node.net, node.now);
        assert_int_equal(node_sent(&node), 0);
        feed(7, 0, 32, true);
        assert_int_equal(feed(7, 32, 40, false), NET_DELIVER);
        expect_whole(40);
        node_done(&node);
    }
}

static void test_two_ends(void **state)
{
    (void)state;
    node_init(&node);
    feed(7, 32, 40, false);
    assert_int_equal(feed(7, 40, 48, true), NET_DONE); /* beyond the end */
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_BAD], 2);
    feed(8, 32, 40, false);
    assert_int_equal(feed(8, 48, 50, false), NET_DONE); /* another end */
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_BAD], 4);
    node_done(&node);
}

/* RFC 1122 3.3.2 [1122-8]: 60 s from the first fragment, to the nanosecond. */
static void test_timeout(void **state)
{
    (void)state;
    setup_data();
    node_init(&node);
    node.now = 5;
    feed(1, 0, 16, true);
    node.now = 30 * WEIR_SECOND;
    feed(1, 32, 40, false);
    feed(2, 16, 24, false); /* without its first fragment */
    assert_int_equal(net_deadline(node.net), 60 * WEIR_SECOND + 5);
    net_expire(node.net, 60 * WEIR_SECOND + 4);
    assert_int_equal(net_fragments_held(node.net), 3);
    net_expire(node.net, 60 * WEIR_SECOND + 5);
    assert_int_equal(net_fragments_held(node.net), 1);
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_TIMEOUT], 2);
    assert_int_equal(node_sent(&node), 1);
    {
        struct weir_packet sent = fake_packet(&node.links[0], 0), quoted;

        assert_int_equal(sent.icmp_type, ICMP4_TIME_EXCEEDED);
        assert_int_equal(sent.icmp_code, ICMP4_REASSEMBLY_EXCEEDED);
        assert_int_equal(sent.payload_length, 36);
        assert_int_equal(weir_packet_parse(sent.payload, 36, &quoted), 0);
        assert_true(quoted.ip_checksum_ok && quoted.more_fragments);
        assert_memory_equal(quoted.payload, data, 16);
    }
    assert_int_equal(net_deadline(node.net), 90 * WEIR_SECOND);
    net_expire(node.net, 90 * WEIR_SECOND);
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_TIMEOUT], 3);
    assert_int_equal(node_sent(&node), 1);
    assert_int_equal(net_deadline(node.net), WEIR_NEVER);
    node_done(&node);
}

/* RFC 1122 3.3.2 [1122-8]: without the first fragment nobody is told, even if what came in its stead
 * looks like a packet of somebody, who would get the error. */
static void test_silent_timeout(void **state)
{
    struct weir_packet bait = plain(PEER + 1, SELF);
    static uint8_t bytes[128];
    long length = weir_packet_emit(&bait, bytes + 16, sizeof(bytes) - 16);
    struct cut_case cut = {16, 16 + (uint32_t)length, false};

    (void)state;
    assert_true(length > 28);
    node_init(&node);
    feed_from(PEER, 1, 200, &cut, bytes);
    assert_int_equal(net_fragments_held(node.net), 1);
    net_expire(node.net, node.now + 60 * WEIR_SECOND);
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_TIMEOUT], 1);
    assert_int_equal(node_sent(&node), 0);
    node_done(&node);
}

/* Limits of RFC 815 - [815-2]: floods of halves; the books balance and the oldest go first. */
static void test_flood(void **state)
{
    struct net_config config = node_config();
    size_t idle;

    (void)state;
    config.reassembly_budget = 20000;
    node_init_with(&node, &config);
    idle = node.alloc.used;
    for (uint32_t i = 0; i < 100000; i++) {
        struct cut_case cut = {8 * (i % 50), 8 * (i % 50) + 8, true};

        feed_from(PEER + i % 3, (uint16_t)(i / 7), 200, &cut, data);
        assert_true(node.alloc.used - idle <= 20000);
    }
    assert_int_equal(net_fragments_held(node.net) + node.counters.drop[WEIR_DROP_FRAGMENT_LIMIT] +
                         node.counters.drop[WEIR_DROP_FRAGMENT_OVERLAP] +
                         node.counters.drop[WEIR_DROP_FRAGMENT_DUPLICATE],
                     100000);
    node_done(&node);
    node_init(&node);
    for (uint16_t id = 0; id < 65; id++) /* one more than 64 */
        feed(id, 0, 16, true);
    expect_drop(&node, WEIR_DROP_FRAGMENT_LIMIT);
    assert_int_equal(feed(64, 16, 20, false), NET_DELIVER);
    net_release(node.net, &node.packet);
    assert_int_equal(feed(1, 16, 20, false), NET_DELIVER); /* the second oldest is still there */
    net_release(node.net, &node.packet);
    assert_int_equal(feed(0, 16, 20, false), NET_DONE); /* the oldest is not */
    node_done(&node);
}

static void test_one_datagram_too_dear(void **state)
{
    (void)state;
    node_init(&node);
    for (uint32_t i = 0; i < 600; i++) /* more than 512 pieces */
        assert_int_equal(feed(1, 16 * i, 16 * i + 8, true), NET_DONE);
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_LIMIT], 600);
    assert_int_equal(net_fragments_held(node.net), 0);
    node_done(&node);
}

/* One datagram alone may not have more than the budget either, whichever piece goes past it. */
static void test_one_datagram_beyond_the_budget(void **state)
{
    static const uint32_t sizes[] = {64, 3000, 8000, 19000};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct net_config config = node_config();
        size_t idle;

        config.reassembly_budget = 20000;
        node_init_with(&node, &config);
        idle = node.alloc.used;
        for (uint32_t at = 0; at + sizes[i] <= 64000; at += sizes[i]) {
            feed(1, at, at + sizes[i], true);
            assert_true(node.alloc.used - idle <= 20000);
        }
        assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_LIMIT], 64000 / sizes[i]);
        assert_int_equal(net_fragments_held(node.net), 0);
        node_done(&node);
    }
}

/* Echo of 20,000 bytes in fragments: RFC 1122 3.2.2.6 [1122-21]; the largest datagram of all; and
 * an error about a datagram that was put together quotes it as one. */
static void test_large(void **state)
{
    static uint8_t message[70000];
    struct icmp4_message echo_request = {.type = 8, .rest = 5, .body = data, .body_length = 20000};
    struct weir_packet sent, quoted;

    (void)state;
    setup_data();
    node_init(&node);
    icmp4_emit(&echo_request, message);
    for (uint32_t at = 0; at < 20008; at += 1480) {
        struct cut_case cut = {at, min_u32(at + 1480, 20008), at + 1480 < 20008};

        feed_from(PEER, 3, 1, &cut, message);
    }
    assert_int_equal(node.links[0].count, 14);
    assert_int_equal(node.counters.counter[WEIR_COUNT_ECHO_REPLIES], 1);
    assert_int_equal(node.counters.counter[WEIR_COUNT_REASSEMBLED], 1);
    node_clear(&node);
    feed(4, 0, 32768, true);
    assert_int_equal(feed(4, 32768, 65515, false), NET_DELIVER);
    net_unreachable(node.net, &node.packet, ICMP4_PROTOCOL_UNREACHABLE, node.now);
    sent = fake_packet(&node.links[0], 0);
    assert_int_equal(sent.payload_length, 548);
    memcpy(message, sent.payload, 548);
    assert_int_equal(get_u16(message + 2), 65535);
    assert_int_equal(weir_packet_parse(node.packet.header, 65535, &quoted), 0);
    assert_true(quoted.ip_checksum_ok && !quoted.more_fragments);
    expect_whole(65515);
    node_done(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_permutations),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_impossible),
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_two_ends),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_silent_timeout),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_one_datagram_too_dear),
        cmocka_unit_test(test_one_datagram_beyond_the_budget),
        cmocka_unit_test(test_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
