/* SPDX-License-Identifier: MIT */

/* RIP fed by hand: one router, its neighbours played by the test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <rip/rip.h>
#include <string.h>
#include <weir/error.h>

#define BUDGET ((size_t)4 << 20)
#define NET(a, b) (0x0a000000u | (uint32_t)(a) << 16 | (uint32_t)(b) << 8)
#define MASK24 0xffffff00u
#define NEAR 0x0a010002u /* 10.1.0.2, inside 10.1.0.0/24 */
#define FAR 0x0a020002u  /* 10.2.0.2, inside 10.2.0.0/24 */
#define NOBODY 0x0a030009u

struct fixture {
    struct alloc alloc;
    struct rip *rip;
    weir_time now;
    uint8_t bytes[RIP_MESSAGE_MAX];
    struct weir_addr to;
    struct rip_message message; /* the last that was taken */
};

static void make(struct fixture *f)
{
    const struct rip_config config = {0};

    alloc_init(&f->alloc, BUDGET);
    f->rip = rip_create(&f->alloc, &config);
    f->now = WEIR_SECOND;
    assert_non_null(f->rip);
}

static void finish(struct fixture *f)
{
    rip_destroy(f->rip);
    assert_int_equal(f->alloc.used, 0);
}

static void add_neighbour(struct fixture *f, uint32_t address)
{
    struct weir_addr addr = weir_addr_from4(address);

    assert_int_equal(rip_add_neighbour(f->rip, &addr, f->now), 0);
}

static void set_local(struct fixture *f, uint32_t network, bool up)
{
    struct weir_prefix prefix = weir_prefix_from4(network, 24);

    assert_int_equal(rip_set_local(f->rip, &prefix, up, f->now), 0);
}

/* The next message into f->message; false: none. */
static bool take(struct fixture *f)
{
    size_t length = rip_next_message(f->rip, &f->to, f->bytes);

    if (length == 0)
        return false;
    assert_int_equal(rip_parse(f->bytes, length, &f->message), 0);
    return true;
}

static void drain(struct fixture *f)
{
    struct rip_change change;

    while (take(f))
        ;
    while (rip_next_change(f->rip, &change))
        ;
}

static void expect_message(struct fixture *f, uint32_t to, uint16_t command, unsigned count)
{
    assert_true(take(f));
    assert_int_equal(weir_addr_to4(&f->to), to);
    assert_int_equal(f->message.command, command);
    assert_int_equal(f->message.count, count);
}

static void expect_none(struct fixture *f)
{
    assert_false(take(f));
}

/* The cost of a /24 in the last message, or -1. */
static int cost_of(const struct fixture *f, uint32_t network)
{
    for (unsigned i = 0; i < f->message.count; i++)
        if (f->message.entries[i].address == network && f->message.entries[i].mask == MASK24)
            return (int)f->message.entries[i].cost;
    return -1;
}

static void expect_change(struct fixture *f, uint32_t network, uint32_t next_hop, uint32_t cost)
{
    struct rip_change change;

    assert_true(rip_next_change(f->rip, &change));
    assert_int_equal(weir_addr_to4(&change.prefix.addr), network);
    assert_int_equal(change.cost, cost);
    if (cost < RIP_INFINITY)
        assert_int_equal(weir_addr_to4(&change.next_hop), next_hop);
}

static void expect_no_change(struct fixture *f)
{
    struct rip_change change;

    assert_false(rip_next_change(f->rip, &change));
}

static enum rip_verdict give(struct fixture *f, uint32_t from, const struct rip_message *message)
{
    struct weir_addr addr = weir_addr_from4(from);
    uint8_t bytes[RIP_MESSAGE_MAX];
    size_t length = rip_emit(message, bytes);

    return rip_input(f->rip, &addr, bytes, length, f->now);
}

/* A response with one /24. */
static void offer(struct fixture *f, uint32_t from, uint32_t network, uint32_t cost)
{
    const struct rip_message message = {
        .command = RIP_RESPONSE, .count = 1, .entries = {{cost, network, MASK24}}};

    assert_int_equal(give(f, from, &message), RIP_OK);
}

/* A router between NEAR and FAR, both connected networks up and all said. */
static void make_router(struct fixture *f)
{
    make(f);
    set_local(f, NET(1, 0), true);
    set_local(f, NET(2, 0), true);
    add_neighbour(f, NEAR);
    add_neighbour(f, FAR);
    drain(f);
}

/* ---- Start, requests ---------------------------------------------------------------------------- */

static void test_start(void **state)
{
    struct fixture f;
    struct weir_addr near = weir_addr_from4(NEAR);

    (void)state;
    make(&f);
    assert_int_equal(rip_deadline(f.rip), WEIR_NEVER);
    expect_none(&f);
    expect_no_change(&f);
    set_local(&f, NET(1, 0), true);
    set_local(&f, NET(2, 0), true);
    expect_no_change(&f);
    add_neighbour(&f, NEAR);
    add_neighbour(&f, FAR);
    assert_int_equal(rip_add_neighbour(f.rip, &near, f.now), WEIR_EEXIST);
    assert_true(rip_deadline(f.rip) <= f.now);
    expect_message(&f, NEAR, RIP_REQUEST, 0);
    expect_message(&f, NEAR, RIP_RESPONSE, 2);
    assert_int_equal(cost_of(&f, NET(1, 0)), 0);
    assert_int_equal(cost_of(&f, NET(2, 0)), 0);
    expect_message(&f, FAR, RIP_REQUEST, 0);
    expect_message(&f, FAR, RIP_RESPONSE, 2);
    expect_none(&f);
    assert_int_equal(rip_deadline(f.rip), f.now + 5 * WEIR_SECOND);
    finish(&f);
}

/* RFC 2453 3.9.2 [2453-5]: strangers are not heard. */
static void test_request(void **state)
{
    const struct rip_message request = {.command = RIP_REQUEST};
    struct fixture f;

    (void)state;
    make_router(&f);
    assert_int_equal(give(&f, FAR, &request), RIP_OK);
    assert_int_equal(give(&f, FAR, &request), RIP_OK);
    assert_true(rip_deadline(f.rip) <= f.now);
    expect_message(&f, FAR, RIP_RESPONSE, 2); /* once */
    expect_none(&f);
    assert_int_equal(give(&f, NOBODY, &request), RIP_STRANGER);
    expect_none(&f);
    finish(&f);
}

static void test_hostile(void **state)
{
    static const struct {
        uint8_t bytes[16];
        size_t length;
        enum rip_verdict verdict;
    } rows[] = {
        {{0}, 0, RIP_MALFORMED},
        {{0, 2, 0}, 3, RIP_MALFORMED},
        {{0, 0, 0, 0}, 4, RIP_MALFORMED},
        {{0, 3, 0, 0}, 4, RIP_MALFORMED},
        {{0, 2, 0, 1}, 15, RIP_MALFORMED},
        {{0, 2, 0, 65}, 16, RIP_MALFORMED},
        {{0, 2, 0, 0}, 4, RIP_OK},
        {{0, 2, 0, 1, 0, 0, 0, 1, 10, 9, 0, 0, 255, 255, 255, 0}, 16, RIP_OK},
    };
    struct weir_addr near = weir_addr_from4(NEAR), nobody = weir_addr_from4(NOBODY);
    struct fixture f;

    (void)state;
    make_router(&f);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(rip_input(f.rip, &nobody, rows[i].bytes, rows[i].length, f.now),
                         RIP_STRANGER);
        expect_no_change(&f);
        assert_int_equal(rip_input(f.rip, &near, rows[i].bytes, rows[i].length, f.now),
                         rows[i].verdict);
    }
    expect_change(&f, NET(9, 0), NEAR, 2);
    finish(&f);
}

/* ---- Entries ------------------------------------------------------------------------------------ */

/* RFC 2453 3.9.2 [2453-6, 2453-7]: each entry alone between two good ones, which must be taken.
 * Cost 0 is good here: it is what the course's routers say of their own networks. */
static void test_entries(void **state)
{
    static const struct {
        struct rip_entry entry;
        uint32_t cost; /* 0: not taken */
    } rows[] = {
        {{0, NET(9, 0), MASK24}, 1},      {{14, NET(9, 0), MASK24}, 15},
        {{15, NET(9, 0), MASK24}, 0},     {{16, NET(9, 0), MASK24}, 0},
        {{17, NET(9, 0), MASK24}, 0},     {{UINT32_MAX, NET(9, 0), MASK24}, 0},
        {{1, NET(9, 1), 0xffffffff}, 2},  {{1, 0, 0}, 2},
        {{1, NET(9, 0), 0}, 0},           {{1, 0x00010000, 0xffff0000}, 0},
        {{1, NET(9, 0), 0xff00ff00}, 0},  {{1, NET(9, 0), 0x00ffffff}, 0},
        {{1, NET(9, 0), 0xfffffffd}, 0},  {{1, 0x7f000000, 0xff000000}, 0},
        {{1, 0x7f000100, MASK24}, 0},     {{1, 0xe0000900, MASK24}, 0},
        {{1, 0xf0000000, 0xff000000}, 0}, {{1, 0xffffffff, 0xffffffff}, 0},
        {{1, 0xdfffff00, MASK24}, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct rip_message message = {
            .command = RIP_RESPONSE,
            .count = 3,
            .entries = {{1, NET(7, 0), MASK24}, rows[i].entry, {1, NET(8, 0), MASK24}}};
        struct rip_change change;
        unsigned taken = 0;
        struct fixture f;

        make_router(&f);
        assert_int_equal(give(&f, NEAR, &message), RIP_OK);
        while (rip_next_change(f.rip, &change)) {
            if (weir_addr_to4(&change.prefix.addr) == rows[i].entry.address)
                assert_int_equal(change.cost, rows[i].cost);
            taken++;
        }
        assert_int_equal(taken, rows[i].cost > 0 ? 3 : 2);
        finish(&f);
    }
}

/* Host bits say nothing: the prefix counts. */
static void test_host_bits(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0) + 77, 1);
    expect_change(&f, NET(9, 0), NEAR, 2);
    finish(&f);
}

/* RFC 2453 3.9.2 [2453-8]: a route of cost 5 by NEAR, then one more offer. */
static void test_better_and_worse(void **state)
{
    static const struct {
        uint32_t from, offered;
        uint32_t next_hop, cost; /* 0: nothing changes */
    } rows[] = {
        {NEAR, 4, 0, 0},      {NEAR, 1, NEAR, 2}, {NEAR, 9, NEAR, 10}, {NEAR, 16, NEAR, 16},
        {NEAR, 15, NEAR, 16}, {FAR, 4, 0, 0},     {FAR, 9, 0, 0},      {FAR, 16, 0, 0},
        {FAR, 3, FAR, 4},     {FAR, 0, FAR, 1},   {NEAR, 17, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;

        make_router(&f);
        offer(&f, NEAR, NET(9, 0), 4);
        drain(&f);
        offer(&f, rows[i].from, NET(9, 0), rows[i].offered);
        if (rows[i].cost > 0)
            expect_change(&f, NET(9, 0), rows[i].next_hop, rows[i].cost);
        expect_no_change(&f);
        assert_int_equal(take(&f), rows[i].cost > 0);
        finish(&f);
    }
}

/* ---- Updates ------------------------------------------------------------------------------------ */

/* RFC 1812 F.2.2 [2453-11], RFC 2453 3.10.1 [2453-13]: triggered at once, only what changed, with 16
 * towards the neighbour it was learned from, and once. */
static void test_triggered(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    assert_true(rip_deadline(f.rip) <= f.now);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 5);
    expect_none(&f);
    offer(&f, NEAR, NET(9, 0), 4); /* a refresh is no change */
    expect_none(&f);
    finish(&f);
}

/* Changes that nobody has taken yet go out together. */
static void test_coalesced(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    offer(&f, FAR, NET(8, 0), 2);
    offer(&f, NEAR, NET(9, 0), 6);
    expect_message(&f, NEAR, RIP_RESPONSE, 2);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    assert_int_equal(cost_of(&f, NET(8, 0)), 3);
    expect_message(&f, FAR, RIP_RESPONSE, 2);
    assert_int_equal(cost_of(&f, NET(9, 0)), 7);
    assert_int_equal(cost_of(&f, NET(8, 0)), 16);
    expect_none(&f);
    expect_change(&f, NET(8, 0), FAR, 3);
    expect_change(&f, NET(9, 0), NEAR, 7);
    expect_no_change(&f);
    finish(&f);
}

/* Poisoned reverse in full updates as well. */
static void test_periodic(void **state)
{
    struct fixture f;
    weir_time start;

    (void)state;
    make_router(&f);
    start = f.now;
    for (int round = 1; round <= 100; round++) {
        offer(&f, NEAR, NET(9, 0), 4);
        drain(&f);
        assert_int_equal(rip_deadline(f.rip), start + round * 5 * WEIR_SECOND);
        f.now = rip_deadline(f.rip) - 1;
        rip_expire(f.rip, f.now);
        expect_none(&f);
        f.now++;
        rip_expire(f.rip, f.now);
        expect_message(&f, NEAR, RIP_RESPONSE, 3);
        assert_int_equal(cost_of(&f, NET(9, 0)), 16);
        expect_message(&f, FAR, RIP_RESPONSE, 3);
        assert_int_equal(cost_of(&f, NET(9, 0)), 5);
        assert_int_equal(cost_of(&f, NET(1, 0)), 0);
        expect_none(&f);
    }
    finish(&f);
}

/* A caller that slept does not send a burst of old updates. */
static void test_late(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    f.now += 23 * WEIR_SECOND;
    rip_expire(f.rip, f.now);
    expect_message(&f, NEAR, RIP_RESPONSE, 2);
    expect_message(&f, FAR, RIP_RESPONSE, 2);
    expect_none(&f);
    assert_true(rip_deadline(f.rip) > f.now);
    assert_true(rip_deadline(f.rip) <= f.now + 5 * WEIR_SECOND);
    finish(&f);
}

/* 64 entries a message; everything once; the routes of a table come in order. */
static void test_split(void **state)
{
    static const unsigned counts[] = {62, 63, 126, 127, 1000};
    struct fixture f;

    (void)state;
    for (size_t row = 0; row < sizeof(counts) / sizeof(counts[0]); row++) {
        unsigned left = counts[row] + 2;
        uint32_t last = 0;

        make_router(&f);
        for (unsigned i = 0; i < counts[row]; i++)
            offer(&f, NEAR, NET(100 + i / 250, i % 250), 1);
        drain(&f);
        f.now += 5 * WEIR_SECOND;
        rip_expire(f.rip, f.now);
        while (left > 0) {
            unsigned expected = left > 64 ? 64 : left;

            expect_message(&f, NEAR, RIP_RESPONSE, expected);
            for (unsigned i = 0; i < expected; i++) {
                assert_true(f.message.entries[i].address > last);
                last = f.message.entries[i].address;
            }
            left -= expected;
        }
        expect_message(&f, FAR, RIP_RESPONSE, counts[row] + 2 > 64 ? 64 : counts[row] + 2);
        finish(&f);
    }
}

/* Changes while messages are being taken: whatever is the order, each neighbour hears the newest. */
static void test_change_during_scan(void **state)
{
    struct fixture f;
    int near_cost = -1, far_cost = -1;

    (void)state;
    make_router(&f);
    for (unsigned i = 0; i < 100; i++)
        offer(&f, NEAR, NET(100, i), 1);
    expect_message(&f, NEAR, RIP_RESPONSE, 64);
    offer(&f, FAR, NET(99, 0), 1); /* before the scan's place */
    offer(&f, NEAR, NET(100, 3), 5);
    while (take(&f)) {
        if (weir_addr_to4(&f.to) == NEAR && cost_of(&f, NET(99, 0)) >= 0)
            near_cost = cost_of(&f, NET(99, 0));
        if (weir_addr_to4(&f.to) == FAR && cost_of(&f, NET(100, 3)) >= 0)
            far_cost = cost_of(&f, NET(100, 3));
    }
    assert_int_equal(near_cost, 2);
    assert_int_equal(far_cost, 6);
    finish(&f);
}

/* ---- Loss of routes ----------------------------------------------------------------------------- */

/* RFC 2453 3.10.2 [2453-15], as the course has it: announced with 16, once, then deleted. */
static void test_expiry(void **state)
{
    struct fixture f;
    weir_time learned;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    drain(&f);
    learned = f.now + 3 * WEIR_SECOND + 1;
    f.now = learned;
    offer(&f, NEAR, NET(9, 0), 4);
    f.now = learned + 12 * WEIR_SECOND - 1;
    rip_expire(f.rip, f.now);
    drain(&f);
    assert_int_equal(rip_deadline(f.rip), f.now + 1);
    f.now++;
    rip_expire(f.rip, f.now);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    expect_none(&f);
    expect_change(&f, NET(9, 0), 0, 16);
    expect_no_change(&f);
    f.now += 5 * WEIR_SECOND;
    rip_expire(f.rip, f.now);
    expect_message(&f, NEAR, RIP_RESPONSE, 2); /* it is gone */
    finish(&f);
}

/* RFC 2453 3.8 [2453-4]: an offer before the loss was announced takes the place of the lost route. */
static void test_revived(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    drain(&f);
    offer(&f, NEAR, NET(9, 0), 16);
    offer(&f, FAR, NET(9, 0), 9);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 10);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    expect_none(&f);
    expect_change(&f, NET(9, 0), FAR, 10);
    expect_no_change(&f);
    f.now += 12 * WEIR_SECOND - 1;
    rip_expire(f.rip, f.now);
    expect_no_change(&f);
    finish(&f);
}

/* Repeated news of the loss is no news. */
static void test_lost_twice(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    drain(&f);
    offer(&f, NEAR, NET(9, 0), 16);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    offer(&f, NEAR, NET(9, 0), 16);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    expect_none(&f);
    expect_change(&f, NET(9, 0), 0, 16);
    offer(&f, NEAR, NET(9, 0), 16);
    expect_none(&f);
    expect_no_change(&f);
    finish(&f);
}

/* A route is kept until both the neighbours and the forwarding table know of its end. */
static void test_deletion_waits(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    drain(&f);
    offer(&f, NEAR, NET(9, 0), 16);
    expect_change(&f, NET(9, 0), 0, 16);
    expect_no_change(&f);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    expect_none(&f);
    finish(&f);
}

/* ---- Connected networks --------------------------------------------------------------------------- */

/* RFC 2453 3.4 [2453-22]: a connected network is never replaced and never expires. */
static void test_local_stays(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, FAR, NET(1, 0), 0);
    offer(&f, FAR, NET(1, 0), 16);
    expect_no_change(&f);
    expect_none(&f);
    f.now += 3600 * WEIR_SECOND;
    rip_expire(f.rip, f.now);
    expect_message(&f, NEAR, RIP_RESPONSE, 2);
    assert_int_equal(cost_of(&f, NET(1, 0)), 0);
    finish(&f);
}

static void test_local_replaces_learned(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    drain(&f);
    set_local(&f, NET(9, 0), true);
    expect_change(&f, NET(9, 0), 0, 16); /* RIP's route goes; the connected one is not RIP's */
    expect_no_change(&f);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(9, 0)), 0);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    f.now += 60 * WEIR_SECOND;
    rip_expire(f.rip, f.now);
    expect_no_change(&f);
    finish(&f);
}

static void test_local_down_and_up(void **state)
{
    struct fixture f;

    (void)state;
    make_router(&f);
    offer(&f, NEAR, NET(9, 0), 4);
    offer(&f, FAR, NET(8, 0), 4);
    drain(&f);
    set_local(&f, NET(1, 0), false);
    expect_change(&f, NET(9, 0), 0, 16);
    expect_no_change(&f);
    expect_message(&f, FAR, RIP_RESPONSE, 2); /* nothing to NEAR: it cannot be reached */
    assert_int_equal(cost_of(&f, NET(1, 0)), 16);
    assert_int_equal(cost_of(&f, NET(9, 0)), 16);
    expect_none(&f);
    set_local(&f, NET(1, 0), false);
    expect_none(&f);
    f.now += 5 * WEIR_SECOND;
    rip_expire(f.rip, f.now);
    expect_message(&f, FAR, RIP_RESPONSE, 3);
    assert_int_equal(cost_of(&f, NET(1, 0)), 16);
    expect_none(&f);
    set_local(&f, NET(1, 0), true);
    expect_message(&f, NEAR, RIP_REQUEST, 0);
    expect_message(&f, NEAR, RIP_RESPONSE, 3);
    assert_int_equal(cost_of(&f, NET(8, 0)), 5);
    expect_message(&f, FAR, RIP_RESPONSE, 1);
    assert_int_equal(cost_of(&f, NET(1, 0)), 0);
    expect_none(&f);
    expect_no_change(&f);
    finish(&f);
}

static void test_neighbour_added_behind_down_network(void **state)
{
    struct fixture f;

    (void)state;
    make(&f);
    set_local(&f, NET(1, 0), false);
    add_neighbour(&f, NEAR);
    expect_none(&f);
    set_local(&f, NET(1, 0), true);
    expect_message(&f, NEAR, RIP_REQUEST, 0);
    expect_message(&f, NEAR, RIP_RESPONSE, 1);
    finish(&f);
}

/* ---- Limits --------------------------------------------------------------------------------------- */

static void test_route_limit(void **state)
{
    struct rip_change change;
    struct fixture f;
    unsigned count = 0;

    (void)state;
    make_router(&f);
    for (unsigned i = 0; i < 5000; i++)
        offer(&f, NEAR, NET(100 + i / 250, i % 250), 1);
    while (rip_next_change(f.rip, &change))
        count++;
    assert_int_equal(count, 4096 - 2);
    while (take(&f))
        ;
    f.now += 12 * WEIR_SECOND;
    rip_expire(f.rip, f.now);
    drain(&f);
    offer(&f, NEAR, NET(99, 0), 1); /* there is room again */
    expect_change(&f, NET(99, 0), NEAR, 2);
    finish(&f);
}

static void test_no_memory(void **state)
{
    struct fixture f;

    (void)state;
    for (size_t budget = 0; budget < 6000; budget += 64) {
        const struct rip_config config = {.update_interval = 1, .route_timeout = 3};

        alloc_init(&f.alloc, budget);
        f.now = 0;
        f.rip = rip_create(&f.alloc, &config);
        if (f.rip == NULL)
            continue;
        for (unsigned i = 0; i < 40; i++) {
            struct weir_prefix prefix = weir_prefix_from4(NET(50, i), 24);
            struct weir_addr addr = weir_addr_from4(NET(50, i) + 2);
            int made = rip_set_local(f.rip, &prefix, true, 0);

            assert_true(made == 0 || made == WEIR_ENOMEM);
            made = rip_add_neighbour(f.rip, &addr, 0);
            assert_true(made == 0 || made == WEIR_ENOMEM);
        }
        drain(&f);
        finish(&f);
    }
    rip_destroy(NULL);
}

static void test_neighbour_limit(void **state)
{
    struct fixture f;
    struct weir_addr addr;

    (void)state;
    make(&f);
    for (unsigned i = 0; i < 256; i++)
        add_neighbour(&f, NET(1, 0) + i);
    addr = weir_addr_from4(NET(2, 0));
    assert_int_equal(rip_add_neighbour(f.rip, &addr, f.now), WEIR_ENOMEM);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_host_bits),
        cmocka_unit_test(test_better_and_worse),
        cmocka_unit_test(test_triggered),
        cmocka_unit_test(test_coalesced),
        cmocka_unit_test(test_periodic),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_change_during_scan),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_revived),
        cmocka_unit_test(test_lost_twice),
        cmocka_unit_test(test_deletion_waits),
        cmocka_unit_test(test_local_stays),
        cmocka_unit_test(test_local_replaces_learned),
        cmocka_unit_test(test_local_down_and_up),
        cmocka_unit_test(test_neighbour_added_behind_down_network),
        cmocka_unit_test(test_route_limit),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_neighbour_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
