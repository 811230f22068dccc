/* SPDX-License-Identifier: MIT */

/* What poll does with its turns: budgets, full links, fairness, changing paths, and ourselves. */

#include "lan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONNS 3

static const int forth[2] = {0, 1};

/* Connections from node 0 to port 80 of node 1. */
static void connect_many(struct lan *lan, int count, int ours[], int theirs[])
{
    for (int i = 0; i < count; i++) {
        int sockets[2];

        lan_connect(lan, 0, 1, sockets);
        ours[i] = sockets[0];
        theirs[i] = sockets[1];
    }
    lan_advance(lan, WEIR_SECOND);
}

static void write_bytes(struct lan *lan, int socket, size_t length)
{
    static uint8_t bytes[65536];

    assert_int_equal(weir_socket_send(lan->stacks[0], socket, bytes, length, 0), length);
}

static uint16_t port_of(struct lan *lan, int socket)
{
    struct weir_endpoint local;

    assert_int_equal(weir_socket_local(lan->stacks[0], socket, &local), 0);
    return local.port;
}

/* Takes up to `max` frames off the wire at node 1, unheard; their source ports. */
static int take_ports(struct lan *lan, uint16_t ports[], int max)
{
    struct weir_link *link = weir_hub_port(lan->hubs[0], 1);
    struct weir_frame frames[64];
    int count = link->ops->receive(link, frames, max < 64 ? max : 64, lan->now);

    for (int i = 0; i < count; i++)
        ports[i] = (uint16_t)(frames[i].data[20] << 8 | frames[i].data[21]);
    return count;
}

/* ---- Budget ------------------------------------------------------------------------------------- */

static void the_budget_counts_frames(void **state)
{
    static const uint32_t budgets[] = {1, 3, 4, 9};
    struct lan lan;
    int s[1], t[1];

    (void)state;
    for (size_t i = 0; i < COUNT(budgets); i++) {
        unsigned seen = 0;

        lan_pair(&lan, 64);
        connect_many(&lan, 1, s, t);
        lan.is_held[0] = true;
        write_bytes(&lan, s[0], 1460 * 10); /* as many as the initial window has */
        while (weir_stack_poll(lan.stacks[0], lan.now, budgets[i])) {
            seen += budgets[i];
            assert_int_equal(weir_hub_pending(lan.hubs[0], 1), seen);
            assert_true(weir_stack_deadline(lan.stacks[0]) <= lan.now);
            assert_null(weir_inspect_check(lan.stacks[0], lan.now));
        }
        assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 10);
        assert_true(weir_stack_deadline(lan.stacks[0]) > lan.now);
        lan_done(&lan);
    }
}

/* With one frame a poll, connections take turns: nobody waits for another's bulk. */
static void turns_go_round(void **state)
{
    uint16_t ports[64];
    int s[CONNS], t[CONNS];
    struct lan lan;

    (void)state;
    lan_pair(&lan, 64);
    connect_many(&lan, CONNS, s, t);
    lan.is_held[0] = true;
    for (int i = 0; i < CONNS; i++)
        write_bytes(&lan, s[i], 1460 * 5);
    while (weir_stack_poll(lan.stacks[0], lan.now, 1))
        ;
    assert_int_equal(take_ports(&lan, ports, 64), CONNS * 5);
    for (int i = 0; i < CONNS * 5; i++)
        assert_int_equal(ports[i], port_of(&lan, s[i % CONNS]));
    lan_done(&lan);
}

static void a_small_flow_waits_one_turn_at_most(void **state)
{
    uint16_t ports[64];
    int s[2], t[2], count, at = -1;
    struct lan lan;

    (void)state;
    lan_pair(&lan, 64);
    connect_many(&lan, 2, s, t);
    lan.is_held[0] = true;
    write_bytes(&lan, s[0], 60000);
    weir_stack_poll(lan.stacks[0], lan.now, 2);
    write_bytes(&lan, s[1], 10);
    while (weir_stack_poll(lan.stacks[0], lan.now, 2))
        ;
    count = take_ports(&lan, ports, 64);
    for (int i = 0; i < count; i++)
        at = ports[i] == port_of(&lan, s[1]) ? i : at;
    assert_in_range(at, 2, 4);
    lan_done(&lan);
}

/* ---- Full links --------------------------------------------------------------------------------- */

static void a_full_link_is_waited_for(void **state)
{
    struct lan lan;
    int s[1], t[1];

    (void)state;
    lan_pair(&lan, 4);
    connect_many(&lan, 1, s, t);
    lan.is_held[0] = true;
    write_bytes(&lan, s[0], 1460 * 10);
    while (weir_stack_poll(lan.stacks[0], lan.now, 0))
        ;
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 4);
    assert_true(lan.ports[0][0].link->refused);
    for (int i = 0; i < 3; i++) /* nothing spins: the deadline is the retransmission's */
        assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    assert_true(weir_stack_deadline(lan.stacks[0]) >= lan.now + 200 * WEIR_MS);
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 4);
    assert_null(weir_inspect_check(lan.stacks[0], lan.now));
    weir_stack_link_ready(lan.stacks[0], 5); /* no such interface: nothing */
    weir_stack_link_ready(lan.stacks[0], -2);
    assert_true(weir_stack_deadline(lan.stacks[0]) > lan.now);
    lan.is_held[0] = false;
    lan_settle(&lan);
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_RETRANSMISSIONS), 0);
    lan_done(&lan);
}

/* Who waited longest goes first. */
static void waiters_come_back_in_order(void **state)
{
    static const int order[] = {2, 0, 1};
    uint16_t ports[64];
    int s[CONNS], t[CONNS];
    struct lan lan;

    (void)state;
    lan_pair(&lan, 4);
    connect_many(&lan, CONNS, s, t);
    lan.is_held[0] = true;
    write_bytes(&lan, s[1], 1460 * 4); /* fills it exactly */
    weir_stack_poll(lan.stacks[0], lan.now, 0);
    for (int i = 0; i < CONNS; i++) {
        write_bytes(&lan, s[order[i]], 1);
        assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    }
    assert_int_equal(take_ports(&lan, ports, 64), 4);
    weir_stack_link_ready(lan.stacks[0], 0);
    assert_true(weir_stack_deadline(lan.stacks[0]) <= lan.now);
    assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    /* Number 1 holds its byte back: Nagle. */
    assert_int_equal(take_ports(&lan, ports, 64), 2);
    assert_int_equal(ports[0], port_of(&lan, s[2]));
    assert_int_equal(ports[1], port_of(&lan, s[0]));
    lan_done(&lan);
}

/* A bulk flow that fills the link each time it is ready does not shut the others out. */
static void a_full_link_is_shared(void **state)
{
    uint16_t ports[64];
    int s[2], t[2], at = -1;
    struct lan lan;

    (void)state;
    lan_pair(&lan, 2);
    connect_many(&lan, 2, s, t);
    lan.is_held[0] = true;
    write_bytes(&lan, s[0], 1460 * 10);
    weir_stack_poll(lan.stacks[0], lan.now, 0);
    write_bytes(&lan, s[1], 10);
    for (int turn = 0; turn < 6; turn++) {
        int count;

        weir_stack_poll(lan.stacks[0], lan.now, 0);
        count = take_ports(&lan, ports, 64);
        for (int i = 0; i < count; i++)
            at = at < 0 && ports[i] == port_of(&lan, s[1]) ? turn : at;
        lan.ports[0][0].link->refused = false;
        weir_stack_link_ready(lan.stacks[0], 0);
    }
    assert_in_range(at, 1, 2);
    lan_done(&lan);
}

/* What node 1 sent arrives, although the way to it is full. */
static void hear(struct lan *lan)
{
    struct weir_link *link = lan->ports[0][0].link;
    struct weir_frame frames[8];
    int count = link->ops->receive(link, frames, 8, lan->now);

    assert_true(count > 0);
    weir_stack_input(lan->stacks[0], lan->ports[0][0].iface, frames, count, lan->now);
}

/* Time passes for who waits for a link: TIME-WAIT ends although its ACK never left. */
static void time_passes_for_who_waits(void **state)
{
    struct lan lan;
    int s[2], t[2];

    (void)state;
    lan_pair(&lan, 4);
    connect_many(&lan, 2, s, t);
    assert_int_equal(weir_socket_shutdown(lan.stacks[0], s[1], WEIR_SHUT_WR), 0);
    lan_advance(&lan, 30 * WEIR_SECOND); /* FIN-WAIT-2: no timer runs */
    lan.is_held[0] = true;
    write_bytes(&lan, s[0], 1460 * 4); /* fills it exactly */
    weir_stack_poll(lan.stacks[0], lan.now, 0);
    weir_socket_close(lan.stacks[1], t[1]);
    weir_stack_poll(lan.stacks[1], lan.now, 0);
    hear(&lan);
    assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 4);
    assert_int_equal(lan_budget(&lan, 0).connections, 2);
    lan.now += 600 * WEIR_SECOND;
    weir_stack_poll(lan.stacks[0], lan.now, 0);
    assert_int_equal(lan_budget(&lan, 0).connections, 1);
    lan_done(&lan);
}

/* ---- Paths -------------------------------------------------------------------------------------- */

static void an_interface_may_go_and_come(void **state)
{
    struct lan lan;
    int s[2];

    (void)state;
    for (int node = 0; node < 2; node++) {
        lan_pair(&lan, 64);
        lan_connect(&lan, 0, 1, s);
        assert_int_equal(lan_transfer(&lan, forth, s, 100000, WEIR_SECOND), 100000);
        weir_socket_send(lan.stacks[0], s[0], "x", 1, 0);
        assert_int_equal(weir_stack_set_iface_up(lan.stacks[node], 0, false), 0);
        lan_advance(&lan, 5 * WEIR_SECOND);
        assert_int_equal(lan_budget(&lan, 0).connections, 1);
        assert_true(lan_dropped(&lan, node, node ? WEIR_DROP_IFACE_DOWN : WEIR_DROP_NO_ROUTE) > 2);
        assert_int_equal(weir_stack_set_iface_up(lan.stacks[node], 0, true), 0);
        lan_advance(&lan, 10 * WEIR_SECOND);
        assert_int_equal(weir_socket_recv(lan.stacks[1], s[1], (uint8_t[2]){0}, 2), 1);
        assert_int_equal(lan_transfer(&lan, forth, s, 100000, 60 * WEIR_SECOND), 100000);
        lan_done(&lan);
    }
}

/* Two ways; the addresses lie behind neither. The connection moves with the route. */
static void a_transfer_moves_to_another_path(void **state)
{
    struct weir_prefix prefixes[2];
    struct weir_endpoint local = {.addr = lan_addr(2, 0)}, remote = {.addr = lan_addr(3, 0)};
    struct lan lan;
    int s[2], listener;

    (void)state;
    lan_pair(&lan, 64);
    lan_join(&lan, 0, 1, 64);
    lan_join(&lan, 0, -1, 64);
    lan_join(&lan, 1, -1, 64);
    remote.port = 80;
    prefixes[0] = weir_prefix_from4(0x0a000300, 24); /* node 0's way to 10.0.3.0 */
    prefixes[1] = weir_prefix_from4(0x0a000200, 24);
    for (int hub = 0; hub < 2; hub++) {
        struct weir_addr hops[2] = {lan_addr(hub, 1), lan_addr(hub, 0)};

        for (int node = 0; node < 2; node++)
            assert_int_equal(weir_stack_add_route(lan.stacks[node], &prefixes[node], &hops[node]),
                             0);
        if (hub == 0) {
            listener = lan_listen(&lan, 1, 80);
            s[0] = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);
            weir_socket_bind(lan.stacks[0], s[0], &local);
            weir_socket_connect(lan.stacks[0], s[0], &remote, lan.now);
            lan_settle(&lan);
            s[1] = weir_socket_accept(lan.stacks[1], listener, NULL);
        }
        assert_int_equal(lan_transfer(&lan, forth, s, 300000, 10 * WEIR_SECOND), 300000);
        if (hub == 0)
            weir_stack_set_iface_up(lan.stacks[0], 0, false);
    }
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_RETRANSMISSIONS), 0);
    lan_done(&lan);
}

/* One that waits for a full link goes another way when there is one: from the first link to the
 * second, and from the second to the first. */
static void follow_the_route(int from)
{
    struct weir_prefix far = weir_prefix_from4(0x0b000000, 24);
    struct weir_endpoint remote = {.addr = weir_addr_from4(0x0b000001), .port = 80};
    struct weir_addr hops[2] = {lan_addr(0, 1), lan_addr(1, 1)};
    struct lan lan;

    lan_pair(&lan, 2);
    lan_join(&lan, 0, 1, 2);
    lan.is_held[0] = lan.is_held[1] = true;
    assert_int_equal(weir_stack_add_route(lan.stacks[0], &far, &hops[from]), 0);
    for (int i = 0; i < 3; i++) {
        int s = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);

        assert_int_equal(weir_socket_connect(lan.stacks[0], s, &remote, lan.now), WEIR_EINPROGRESS);
    }
    lan_settle(&lan);
    assert_int_equal(weir_hub_pending(lan.hubs[from], 1), 2);
    assert_int_equal(weir_stack_add_route(lan.stacks[0], &far, &hops[!from]), 0);
    lan_settle(&lan);
    assert_int_equal(weir_hub_pending(lan.hubs[!from], 1), 1);
    lan_done(&lan);
}

static void who_waits_for_a_link_follows_the_route(void **state)
{
    (void)state;
    follow_the_route(0);
    follow_the_route(1);
}

/* Without a way, what is sent counts as lost, until R2 (RFC 9293 3.8.3). */
static void without_a_way_r2_ends_it(void **state)
{
    struct weir_event event;
    struct lan lan;
    weir_time start;
    int s[2];

    (void)state;
    lan_pair(&lan, 64);
    lan_connect(&lan, 0, 1, s);
    lan_advance(&lan, WEIR_SECOND);
    while (weir_stack_next_event(lan.stacks[0], &event))
        ;
    weir_stack_set_iface_up(lan.stacks[0], 0, false);
    start = lan.now;
    write_bytes(&lan, s[0], 10);
    lan_settle(&lan);
    assert_true(weir_stack_next_event(lan.stacks[0], &event));
    assert_true(event.events & WEIR_NOTICE);
    assert_true(weir_socket_ready(lan.stacks[0], s[0]) & WEIR_NOTICE);
    assert_int_equal(weir_socket_take_notice(lan.stacks[0], s[0]), WEIR_ENETDOWN);
    while (lan_budget(&lan, 0).connections && lan.now < start + 3600 * WEIR_SECOND)
        lan_advance(&lan, WEIR_SECOND);
    assert_in_range(lan.now - start, 100 * WEIR_SECOND, 1800 * WEIR_SECOND);
    assert_int_equal(lan_dropped(&lan, 0, WEIR_DROP_NO_ROUTE), 16); /* 15 retransmissions */
    assert_int_equal(weir_socket_take_error(lan.stacks[0], s[0]), WEIR_ENETDOWN); /* says why */
    lan_done(&lan);
}

/* ---- Ourselves ---------------------------------------------------------------------------------- */

static void we_can_talk_to_ourselves(void **state)
{
    static const int self[2] = {0, 0};
    struct lan lan;
    int s[2];

    (void)state;
    lan_init(&lan);
    lan_add(&lan, NULL);
    lan_join(&lan, 0, -1, 16);
    lan_connect(&lan, 0, 0, s);
    assert_int_equal(lan_transfer(&lan, self, s, 1000000, WEIR_SECOND), 1000000);
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_RETRANSMISSIONS), 0);
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 0);
    weir_stack_set_iface_up(lan.stacks[0], 0, false);
    weir_socket_close(lan.stacks[0], s[0]);
    weir_socket_close(lan.stacks[0], s[1]);
    lan_advance(&lan, 600 * WEIR_SECOND);
    assert_int_equal(lan_budget(&lan, 0).connections, 0);
    assert_int_equal(lan_budget(&lan, 0).time_wait, 0);
    lan_done(&lan);
}

/* Eight windows are more than the loopback's queue holds: they wait, and nothing is lost. */
static void more_than_the_loopback_holds(void **state)
{
    enum { PAIRS = 8, BYTES = 60000 };
    static uint8_t bytes[BYTES];
    struct lan lan;
    int s[PAIRS][2];

    (void)state;
    lan_init(&lan);
    lan_add(&lan, NULL);
    lan_join(&lan, 0, -1, 16);
    for (int i = 0; i < PAIRS; i++) {
        lan_connect(&lan, 0, 0, s[i]);
        /* so that the congestion window lets all of it go at once */
        socket_at(lan.stacks[0], (uint32_t)s[i][0])->conn->tcp.cc.cwnd = 200000;
    }
    assert_true(PAIRS * BYTES > NET_LOOPBACK_QUEUE_BYTES);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(weir_socket_send(lan.stacks[0], s[i][0], bytes, BYTES, 0), BYTES);
    lan_settle(&lan);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(weir_socket_recv(lan.stacks[0], s[i][1], bytes, BYTES), BYTES);
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_RETRANSMISSIONS), 0);
    lan_done(&lan);
}

/* ---- Large frames ------------------------------------------------------------------------------- */

#define LARGE_TOTAL (1u << 20)

/* A run leaves as few frames where the link takes large ones; segments are counted all the same. */
static void a_run_is_one_frame(void **state)
{
    static const int nodes[2] = {0, 1};
    struct lan lan;
    int sockets[2];
    uint64_t before;

    (void)state;
    lan_init(&lan);
    lan_add(&lan, NULL);
    lan_add(&lan, NULL);
    lan_join_large(&lan, 0, 1, 64);
    lan_connect(&lan, 0, 1, sockets);
    before = lan.delivered;
    assert_int_equal(lan_transfer(&lan, nodes, sockets, LARGE_TOTAL, 60 * WEIR_SECOND),
                     LARGE_TOTAL);
    assert_true(lan_counted(&lan, 0, WEIR_COUNT_SEGMENTS_OUT) >= LARGE_TOTAL / 1460);
    assert_true(lan.delivered - before < LARGE_TOTAL / 1460 / 4);
    assert_int_equal(lan_counted(&lan, 0, WEIR_COUNT_RETRANSMISSIONS), 0);
    assert_int_equal(lan_counted(&lan, 1, WEIR_COUNT_PACKETS_IN),
                     lan_counted(&lan, 0, WEIR_COUNT_PACKETS_OUT));
    lan_done(&lan);
}

static void add_route(struct lan *lan, int node, int to_hub, const struct weir_addr *next)
{
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000u + ((uint32_t)to_hub << 8), 24);

    assert_int_equal(weir_stack_add_route(lan->stacks[node], &prefix, next), 0);
}

/* Node 0 sends large frames to router 1, which cuts them for the plain link to node 2. What comes is
 * compared byte for byte, and its sums are verified there. */
static void a_router_cuts_for_a_plain_link(void **state)
{
    static const int nodes[2] = {0, 2};
    const struct weir_addr router[2] = {lan_addr(0, 1), lan_addr(1, 0)};
    struct weir_endpoint remote = {.addr = lan_addr(1, 1), .port = 80};
    struct weir_stack_config config;
    struct lan lan;
    int sockets[2], listener;

    (void)state;
    lan_init(&lan);
    lan_config(&config);
    config.forwarding = true;
    lan_add(&lan, NULL);
    lan_add(&lan, &config);
    lan_add(&lan, NULL);
    lan_join_large(&lan, 0, 1, 64);
    lan_join(&lan, 1, 2, 256);
    add_route(&lan, 0, 1, &router[0]);
    add_route(&lan, 2, 0, &router[1]);
    listener = lan_listen(&lan, 2, 80);
    sockets[0] = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);
    weir_socket_connect(lan.stacks[0], sockets[0], &remote, lan.now);
    lan_settle(&lan);
    sockets[1] = weir_socket_accept(lan.stacks[2], listener, NULL);
    assert_true(sockets[1] >= 0);
    assert_int_equal(lan_transfer(&lan, nodes, sockets, LARGE_TOTAL, 60 * WEIR_SECOND),
                     LARGE_TOTAL);
    assert_true(lan_counted(&lan, 1, WEIR_COUNT_FORWARDED) >= LARGE_TOTAL / 1460);
    assert_int_equal(lan_dropped(&lan, 2, WEIR_DROP_TCP_CHECKSUM), 0);
    assert_int_equal(lan_dropped(&lan, 1, WEIR_DROP_TOO_BIG), 0);
    lan_done(&lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_budget_counts_frames),
        cmocka_unit_test(turns_go_round),
        cmocka_unit_test(a_small_flow_waits_one_turn_at_most),
        cmocka_unit_test(a_full_link_is_waited_for),
        cmocka_unit_test(waiters_come_back_in_order),
        cmocka_unit_test(a_full_link_is_shared),
        cmocka_unit_test(time_passes_for_who_waits),
        cmocka_unit_test(an_interface_may_go_and_come),
        cmocka_unit_test(a_transfer_moves_to_another_path),
        cmocka_unit_test(who_waits_for_a_link_follows_the_route),
        cmocka_unit_test(without_a_way_r2_ends_it),
        cmocka_unit_test(we_can_talk_to_ourselves),
        cmocka_unit_test(more_than_the_loopback_holds),
        cmocka_unit_test(a_run_is_one_frame),
        cmocka_unit_test(a_router_cuts_for_a_plain_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
