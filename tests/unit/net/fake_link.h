/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_NET_FAKE_LINK_H
#define TESTS_UNIT_NET_FAKE_LINK_H

/* A link that keeps what is sent, and a net with a few of them; shared by the tests of src/net. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <assert.h>
#include <net/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packet.h>

#define FAKE_FRAMES 2048
#define FAKE_BYTES 66000

struct fake_sent {
    struct weir_frame frame; /* data: a copy from malloc */
};

struct fake_link {
    struct weir_link link;
    struct fake_sent sent[FAKE_FRAMES];
    unsigned count, flushes, begins, aborts;
    unsigned room; /* frames it still takes */
    bool lent;
    uint8_t buffer[FAKE_BYTES];
};

static inline int fake_begin(struct weir_link *link, size_t bytes, weir_time now,
                             struct weir_frame *frame)
{
    struct fake_link *fake = (struct fake_link *)(void *)link;

    (void)now;
    assert(!fake->lent);
    if (bytes > link->mtu && bytes > link->gso_max)
        return WEIR_EMSGSIZE;
    if (fake->room == 0 || fake->count == FAKE_FRAMES)
        return WEIR_EAGAIN;
    fake->begins++;
    fake->lent = true;
    memset(fake->buffer, 0xa5, bytes);
    *frame = (struct weir_frame){.data = fake->buffer, .length = (uint32_t)bytes};
    return 0;
}

static inline void fake_commit(struct weir_link *link, const struct weir_frame *frame,
                               weir_time now)
{
    struct fake_link *fake = (struct fake_link *)(void *)link;
    struct fake_sent *sent = &fake->sent[fake->count++];

    (void)now;
    assert(fake->lent);
    fake->lent = false;
    fake->room--;
    sent->frame = *frame;
    sent->frame.data = malloc(frame->length);
    memcpy(sent->frame.data, frame->data, frame->length);
}

static inline void fake_abort(struct weir_link *link, const struct weir_frame *frame)
{
    struct fake_link *fake = (struct fake_link *)(void *)link;

    (void)frame;
    assert(fake->lent);
    fake->lent = false;
    fake->aborts++;
}

static inline int fake_flush(struct weir_link *link, weir_time now)
{
    (void)now;
    ((struct fake_link *)(void *)link)->flushes++;
    return 0;
}

static inline void fake_init(struct fake_link *fake, uint32_t mtu)
{
    static const struct weir_link_ops ops = {
        .name = "fake",
        .begin = fake_begin,
        .commit = fake_commit,
        .abort = fake_abort,
        .flush = fake_flush,
    };

    memset(fake, 0, sizeof(*fake));
    fake->link.ops = &ops;
    fake->link.mtu = mtu;
    fake->room = UINT32_MAX;
}

static inline void fake_clear(struct fake_link *fake)
{
    for (unsigned i = 0; i < fake->count; i++)
        free(fake->sent[i].frame.data);
    fake->count = 0;
}

/* The packet that was sent as the `index`-th, taken apart; its IP checksum must hold. */
static inline struct weir_packet fake_packet(const struct fake_link *fake, unsigned index)
{
    struct weir_packet packet;

    assert_in_range(index, 0, fake->count - 1);
    assert_int_equal(
        weir_packet_parse(fake->sent[index].frame.data, fake->sent[index].frame.length, &packet),
        0);
    assert_true(packet.ip_checksum_ok);
    return packet;
}

/* ---- A node with three interfaces ----------------------------------------------------------- */

#define A4(a, b, c, d) \
    ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

enum { NODE_IFACES = 3 };

/* if0 10.0.0.1/24 (any neighbour at tag 0), if1 10.1.0.1/24 (only neighbours: .2 at tag 12, .3 at
 * tag 13), if2 10.2.0.1/30 with a small MTU. */
struct node {
    struct alloc alloc;
    struct weir_counters counters;
    struct net *net;
    struct fake_link links[NODE_IFACES];
    struct net_packet packet;
    struct net_icmp_error error;
    weir_time now;
    uint8_t *kept; /* the frame that was delivered last */
};

static inline struct weir_addr addr4(uint32_t host)
{
    return weir_addr_from4(host);
}

static inline struct net_config node_config(void)
{
    return (struct net_config){
        .forwarding = true, .icmp_errors = true, .ttl = 64, .reassembly_budget = 256 * 1024};
}

static inline void node_add(struct node *node, int index, const char *name, uint32_t addr,
                            unsigned bits, bool only)
{
    struct weir_addr own = addr4(addr);
    struct weir_prefix prefix = weir_prefix_from4(addr, bits);

    assert_int_equal(net_add_iface(node->net, name, &node->links[index].link, &own, &prefix, only),
                     index);
}

static inline void node_neighbour(struct node *node, int iface, uint32_t addr, uint64_t tag)
{
    struct weir_addr at = addr4(addr);

    assert_int_equal(net_add_neighbour(node->net, iface, &at, tag), 0);
}

static inline void node_route(struct node *node, uint32_t net, unsigned bits, uint32_t hop)
{
    struct weir_addr next = addr4(hop);
    struct weir_prefix prefix = weir_prefix_from4(net, bits);

    assert_int_equal(net_add_static_route(node->net, &prefix, &next), 0);
}

static inline void node_init_bare(struct node *node, const struct net_config *config)
{
    struct random random;

    memset(&node->counters, 0, sizeof(node->counters));
    memset(&node->packet, 0, sizeof(node->packet));
    node->now = 0;
    node->kept = NULL;
    alloc_init(&node->alloc, 64u << 20);
    random_init_u64(&random, 42, 0);
    node->net = net_create(&node->alloc, config, &node->counters, &random);
    assert_non_null(node->net);
    fake_init(&node->links[0], 1500);
    fake_init(&node->links[1], 1500);
    fake_init(&node->links[2], 296);
}

static inline void node_init_with(struct node *node, const struct net_config *config)
{
    node_init_bare(node, config);
    node_add(node, 0, "if0", A4(10, 0, 0, 1), 24, false);
    node_add(node, 1, "if1", A4(10, 1, 0, 1), 24, true);
    node_add(node, 2, "if2", A4(10, 2, 0, 1), 30, false);
    node_neighbour(node, 1, A4(10, 1, 0, 2), 12);
    node_neighbour(node, 1, A4(10, 1, 0, 3), 13);
    node_route(node, A4(10, 9, 0, 0), 16, A4(10, 1, 0, 2));
}

static inline void node_init(struct node *node)
{
    struct net_config config = node_config();

    node_init_with(node, &config);
}

static inline void node_done(struct node *node)
{
    free(node->kept);
    net_destroy(node->net);
    assert_int_equal(node->alloc.used, 0);
    for (int i = 0; i < NODE_IFACES; i++)
        fake_clear(&node->links[i]);
}

static inline void node_clear(struct node *node)
{
    for (int i = 0; i < NODE_IFACES; i++)
        fake_clear(&node->links[i]);
    memset(&node->counters, 0, sizeof(node->counters));
}

static inline unsigned node_sent(const struct node *node)
{
    return node->links[0].count + node->links[1].count + node->links[2].count;
}

/* The bytes are copied to memory of exactly their size, so that a sanitizer sees each step
 * beyond. */
static inline enum net_verdict node_input_tagged(struct node *node, int iface, uint64_t tag,
                                                 const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length > 0 ? length : 1);
    struct weir_frame frame = {.data = copy, .length = (uint32_t)length, .tag = tag};
    enum net_verdict verdict;

    if (length > 0)
        memcpy(copy, bytes, length);
    verdict = net_input(node->net, iface, &frame, node->now, &node->packet, &node->error);
    free(node->kept);
    node->kept = copy;
    return verdict;
}

static inline enum net_verdict node_input(struct node *node, int iface, const uint8_t *bytes,
                                          size_t length)
{
    static const uint64_t tags[NODE_IFACES] = {0, 12, 0};

    return node_input_tagged(node, iface, tags[iface], bytes, length);
}

/* ---- Packets -------------------------------------------------------------------------------- */

static const uint8_t some_bytes[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* An IPv4 packet of the course's test protocol. */
static inline struct weir_packet plain(uint32_t src, uint32_t dst)
{
    return (struct weir_packet){.src = addr4(src),
                                .dst = addr4(dst),
                                .ttl = 16,
                                .protocol = 0,
                                .payload = some_bytes,
                                .payload_length = 20};
}

static inline struct weir_packet echo(uint32_t src, uint32_t dst, const uint8_t *data,
                                      uint32_t length)
{
    struct weir_packet packet = plain(src, dst);

    packet.protocol = 1;
    packet.icmp_type = 8;
    packet.icmp_rest = 0x12340007;
    packet.payload = data;
    packet.payload_length = length;
    return packet;
}

static inline enum net_verdict node_packet(struct node *node, int iface,
                                           const struct weir_packet *packet)
{
    static uint8_t bytes[70000];
    long length = weir_packet_emit(packet, bytes, sizeof(bytes));

    assert_true(length > 0);
    return node_input(node, iface, bytes, (size_t)length);
}

static inline void mend_header(uint8_t *bytes)
{
    uint32_t length = (bytes[0] & 15u) * 4u;
    uint32_t sum = 0;

    bytes[10] = bytes[11] = 0;
    for (uint32_t i = 0; i < length; i += 2)
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    bytes[10] = (uint8_t)(~sum >> 8);
    bytes[11] = (uint8_t)~sum;
}

/* Exactly these drops and no others, counted once each. */
static inline void expect_drop(const struct node *node, enum weir_drop drop)
{
    for (int i = 0; i < WEIR_DROP_COUNT; i++) {
        uint64_t expected = i == (int)drop && drop != WEIR_DROP_NONE ? 1 : 0;

        if (node->counters.drop[i] != expected)
            fail_msg("drop %s: %llu, expected %llu", weir_drop_name((enum weir_drop)i),
                     (unsigned long long)node->counters.drop[i], (unsigned long long)expected);
    }
}

#endif
