/* SPDX-License-Identifier: MIT */

/* Networks of routers that speak RIP, in virtual time: random graphs whose links lose messages and
 * fail, against shortest paths by breadth-first search.
 *
 * Link k joins two routers and is the network 10.k.0.0/24; its ends are .1 and .2. A message takes a
 * random time on its link, and none overtakes another. Each router's forwarding table is what its changes said. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <rip/rip.h>
#include <stdlib.h>
#include <string.h>

#define ROUTERS_MAX 20
#define LINKS_MAX 40
#define FLIGHT_MAX 4096
#define NONE (-1)
#define NETWORKS 60 /* random ones */

struct link {
    int end[2];
    bool is_cut;       /* nothing passes */
    bool is_down[2];   /* the end at this side knows */
    weir_time last[2]; /* when the last message arrives at this side: none overtakes it */
};

struct route {
    uint32_t cost; /* RIP_INFINITY: none */
    uint32_t next_hop;
};

struct flight {
    weir_time at;
    int to_router;
    uint32_t from;
    size_t length;
    uint8_t bytes[RIP_MESSAGE_MAX];
};

struct world {
    uint64_t seed;
    struct random random;
    struct alloc alloc;
    struct rip *rips[ROUTERS_MAX];
    struct route tables[ROUTERS_MAX][LINKS_MAX];
    struct link links[LINKS_MAX];
    int router_count, link_count, flight_count;
    struct flight *flights; /* in no order: the earliest is looked for */
    double loss;
    weir_time now;
    uint64_t messages;
};

static uint32_t end_address(int link, int side)
{
    return 0x0a000000u | (uint32_t)link << 16 | (uint32_t)(side + 1);
}

static int link_of(uint32_t address)
{
    return (int)(address >> 16 & 0xff);
}

static int side_of(uint32_t address)
{
    return (int)(address & 0xff) - 1;
}

static void check_costs(const uint8_t *bytes, size_t length)
{
    struct rip_message message;

    assert_int_equal(rip_parse(bytes, length, &message), 0);
    for (unsigned i = 0; i < message.count; i++)
        assert_true(message.entries[i].cost <= RIP_INFINITY);
}

/* Puts a message on its link, if the link is whole and does not lose it. */
static void launch(struct world *w, const struct weir_addr *to, const uint8_t *bytes, size_t length)
{
    uint32_t address = weir_addr_to4(to);
    struct link *link = &w->links[link_of(address)];
    int side = side_of(address);
    struct flight *flight;

    w->messages++;
    check_costs(bytes, length);
    assert_false(link->is_down[1 - side]); /* the sender knows that nobody is there */
    if (link->is_cut || random_chance(&w->random, w->loss))
        return;
    assert_true(w->flight_count < FLIGHT_MAX);
    flight = &w->flights[w->flight_count++];
    flight->at = w->now + WEIR_MS + random_below(&w->random, 20) * WEIR_MS;
    if (flight->at <= link->last[side])
        flight->at = link->last[side] + 1;
    link->last[side] = flight->at;
    flight->to_router = link->end[side];
    flight->from = end_address(link_of(address), 1 - side);
    flight->length = length;
    memcpy(flight->bytes, bytes, length);
}

static void settle(struct world *w, int router)
{
    uint8_t bytes[RIP_MESSAGE_MAX];
    struct rip_change change;
    struct weir_addr to;
    size_t length;

    while (rip_next_change(w->rips[router], &change)) {
        struct route *route = &w->tables[router][link_of(weir_addr_to4(&change.prefix.addr))];

        route->cost = change.cost < RIP_INFINITY ? change.cost : RIP_INFINITY;
        route->next_hop = weir_addr_to4(&change.next_hop);
    }
    while ((length = rip_next_message(w->rips[router], &to, bytes)) > 0)
        launch(w, &to, bytes, length);
    assert_true(rip_deadline(w->rips[router]) > w->now);
}

/* The earliest flight, or NONE. */
static int first_flight(const struct world *w)
{
    int first = NONE;

    for (int i = 0; i < w->flight_count; i++)
        if (first == NONE || w->flights[i].at < w->flights[first].at)
            first = i;
    return first;
}

static void land(struct world *w, int index)
{
    struct flight flight = w->flights[index];
    struct weir_addr from = weir_addr_from4(flight.from);
    const struct link *link = &w->links[link_of(flight.from)];

    w->flights[index] = w->flights[--w->flight_count];
    w->now = flight.at;
    if (link->is_cut || link->is_down[1 - side_of(flight.from)])
        return;
    assert_int_equal(
        rip_input(w->rips[flight.to_router], &from, flight.bytes, flight.length, w->now), RIP_OK);
    settle(w, flight.to_router);
}

static void run(struct world *w, weir_time duration)
{
    weir_time end = w->now + duration;

    for (;;) {
        int flight = first_flight(w), due = 0;

        for (int i = 1; i < w->router_count; i++)
            if (rip_deadline(w->rips[i]) < rip_deadline(w->rips[due]))
                due = i;
        if (flight != NONE && w->flights[flight].at < rip_deadline(w->rips[due])) {
            if (w->flights[flight].at > end)
                break;
            land(w, flight);
            continue;
        }
        if (rip_deadline(w->rips[due]) > end)
            break;
        w->now = rip_deadline(w->rips[due]);
        rip_expire(w->rips[due], w->now);
        settle(w, due);
    }
    w->now = end;
}

/* ---- The model ---------------------------------------------------------------------------------- */

static bool has_network(const struct world *w, int router, int network)
{
    const struct link *link = &w->links[network];

    return link->end[0] == router || link->end[1] == router;
}

/* Cost from each router to `network`: hops to the nearest end that has it up. A router whose own end
 * is down has no way there and offers none. */
static void search(const struct world *w, int network, uint32_t costs[ROUTERS_MAX])
{
    const struct link *target = &w->links[network];
    bool has_changed = true;

    for (int i = 0; i < w->router_count; i++)
        costs[i] = RIP_INFINITY;
    for (int side = 0; side < 2; side++)
        if (!target->is_down[side])
            costs[target->end[side]] = 0;
    while (has_changed) {
        has_changed = false;
        for (int i = 0; i < 2 * w->link_count; i++) {
            const struct link *link = &w->links[i / 2];
            int near = link->end[i % 2], far = link->end[1 - i % 2];

            if (link->is_cut || link->is_down[0] || link->is_down[1])
                continue;
            if (!has_network(w, far, network) && costs[near] + 1 < costs[far]) {
                costs[far] = costs[near] + 1;
                has_changed = true;
            }
        }
    }
}

static void fail_with_seed(const struct world *w, int router, int network, uint32_t expected)
{
    fail_msg("seed %llu: router %d, network 10.%d.0.0/24: cost %u, shortest is %u",
             (unsigned long long)w->seed, router, network, w->tables[router][network].cost,
             expected);
}

static void compare(const struct world *w)
{
    uint32_t costs[ROUTERS_MAX];

    for (int network = 0; network < w->link_count; network++) {
        search(w, network, costs);
        for (int router = 0; router < w->router_count; router++) {
            const struct route *route = &w->tables[router][network];
            uint32_t expected = has_network(w, router, network) ? RIP_INFINITY : costs[router];

            if (route->cost != expected)
                fail_with_seed(w, router, network, expected);
            if (expected < RIP_INFINITY) {
                const struct link *hop = &w->links[link_of(route->next_hop)];
                int next = hop->end[side_of(route->next_hop)];

                assert_int_equal(costs[next] + 1, expected);
            }
        }
    }
}

/* ---- Worlds ------------------------------------------------------------------------------------- */

static void make_world(struct world *w, uint64_t seed, int routers)
{
    const struct rip_config config = {0};

    memset(w, 0, sizeof(*w));
    w->seed = seed;
    random_init_u64(&w->random, seed, 0);
    alloc_init(&w->alloc, (size_t)64 << 20);
    w->flights = malloc(FLIGHT_MAX * sizeof(*w->flights));
    assert_non_null(w->flights);
    w->router_count = routers;
    for (int i = 0; i < routers; i++) {
        w->rips[i] = rip_create(&w->alloc, &config);
        assert_non_null(w->rips[i]);
        for (int j = 0; j < LINKS_MAX; j++)
            w->tables[i][j].cost = RIP_INFINITY;
    }
}

static void finish_world(struct world *w)
{
    for (int i = 0; i < w->router_count; i++)
        rip_destroy(w->rips[i]);
    assert_int_equal(w->alloc.used, 0);
    free(w->flights);
}

static void set_end(struct world *w, int link, int side, bool up)
{
    struct weir_prefix prefix = weir_prefix_from4(end_address(link, 0), 24);
    int router = w->links[link].end[side];

    w->links[link].is_down[side] = !up;
    assert_int_equal(rip_set_local(w->rips[router], &prefix, up, w->now), 0);
}

static void join(struct world *w, int a, int b)
{
    int link = w->link_count++;

    w->links[link] = (struct link){.end = {a, b}};
    for (int side = 0; side < 2; side++) {
        struct weir_addr other = weir_addr_from4(end_address(link, 1 - side));

        set_end(w, link, side, true);
        assert_int_equal(rip_add_neighbour(w->rips[w->links[link].end[side]], &other, w->now), 0);
    }
}

static void settle_all(struct world *w)
{
    for (int i = 0; i < w->router_count; i++)
        settle(w, i);
}

/* A random tree and some more links. */
static void make_random(struct world *w, uint64_t seed)
{
    make_world(w, seed, 2 + (int)(seed % 9));
    for (int i = 1; i < w->router_count; i++)
        join(w, (int)random_below(&w->random, (uint32_t)i), i);
    for (uint32_t extra = random_below(&w->random, 10); extra > 0; extra--) {
        int a = (int)random_below(&w->random, (uint32_t)w->router_count);
        int b = (int)random_below(&w->random, (uint32_t)w->router_count);

        if (a != b)
            join(w, a, b);
    }
    settle_all(w);
}

/* Cuts a link; each end notices or not. Or makes one whole again. */
static void disturb(struct world *w)
{
    int link = (int)random_below(&w->random, (uint32_t)w->link_count);
    bool cut = !w->links[link].is_cut;

    w->links[link].is_cut = cut;
    for (int side = 0; side < 2; side++)
        if (!cut || random_chance(&w->random, 0.5))
            set_end(w, link, side, !cut);
    settle_all(w);
}

/* ---- Tests -------------------------------------------------------------------------------------- */

/* RFC 2453 3.4, 3.6 [2453-22]: random networks with loss and failures are right again a minute after
 * the last of them, and no cost was ever above 16. */
static void test_random_networks(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        make_random(&w, seed);
        run(&w, 60 * WEIR_SECOND);
        compare(&w);
        for (int round = 0; round < 3; round++) {
            w.loss = 0.2 * random_unit(&w.random);
            for (uint32_t i = random_below(&w.random, 4); i > 0; i--) {
                disturb(&w);
                run(&w, random_below(&w.random, 20000) * WEIR_MS);
            }
            w.loss = 0;
            run(&w, 60 * WEIR_SECOND);
            compare(&w);
        }
        finish_world(&w);
    }
}

/* Without loss, triggered updates alone converge in the time that messages take. */
static void test_start_is_fast(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= NETWORKS; seed++) {
        make_random(&w, seed);
        run(&w, WEIR_SECOND);
        compare(&w);
        finish_world(&w);
    }
}

/* A failure that both ends notice is routed around, in a ring, with the next periodic updates. */
static void test_ring(void **state)
{
    static struct world w;

    (void)state;
    for (int count = 3; count <= 14; count++) {
        make_world(&w, 1, count);
        for (int i = 0; i < count; i++)
            join(&w, i, (i + 1) % count);
        settle_all(&w);
        run(&w, 8 * WEIR_SECOND);
        compare(&w);
        w.links[0].is_cut = true;
        set_end(&w, 0, 0, false);
        set_end(&w, 0, 1, false);
        settle_all(&w);
        run(&w, 6 * WEIR_SECOND);
        compare(&w);
        finish_world(&w);
    }
}

/* RFC 2453 3.4, 3.6 [2453-22]: what is 16 hops away cannot be reached; 15 is the furthest. */
static void test_infinity(void **state)
{
    static struct world w;

    (void)state;
    make_world(&w, 1, 19);
    for (int i = 0; i + 1 < 19; i++)
        join(&w, i, i + 1);
    settle_all(&w);
    run(&w, 30 * WEIR_SECOND);
    compare(&w);
    assert_int_equal(w.tables[0][15].cost, 15);
    assert_int_equal(w.tables[0][16].cost, RIP_INFINITY);
    finish_world(&w);
}

/* A silent cut of the only link to a network: the others forget it; they do not count it up one by
 * one in periodic updates. */
static void test_no_counting(void **state)
{
    static struct world w;
    uint64_t before;

    (void)state;
    make_world(&w, 1, 5);
    join(&w, 0, 1);
    join(&w, 1, 2);
    join(&w, 2, 3);
    join(&w, 3, 1);
    join(&w, 4, 0); /* network 4 is behind router 0 */
    settle_all(&w);
    run(&w, 8 * WEIR_SECOND);
    compare(&w);
    w.links[0].is_cut = true;
    before = w.messages;
    run(&w, 14 * WEIR_SECOND);
    for (int router = 1; router < 4; router++)
        assert_int_equal(w.tables[router][4].cost, RIP_INFINITY);
    assert_true(w.messages - before < 200);
    finish_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_networks),
        cmocka_unit_test(test_start_is_fast),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_infinity),
        cmocka_unit_test(test_no_counting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
