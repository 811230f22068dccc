/* SPDX-License-Identifier: MIT */

/* Passive opens in numbers: the backlog, the limit of half-open records, what becomes of both when
 * the listener goes, and which listener a SYN is for. */

#include <stack/stack.h>
#include <stdio.h>
#include <string.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct weir_stack_config config_of(uint32_t half_open_max)
{
    struct weir_stack_config config;

    weir_stack_config_init(&config);
    memset(config.seed, 0x5a, sizeof(config.seed));
    config.half_open_max = half_open_max;
    return config;
}

/* A peer on this port; its SYN, and the SYN-ACK if there is one. */
static bool open_from(struct talk *t, uint16_t port)
{
    talk_use(t, t->our_port, port, 1000);
    talk_in(t, "S 0:0(0) <mss 1460>");
    if (talk_drain(t) == 0)
        return false;
    return true;
}

static uint32_t half_open(const struct talk *t)
{
    struct weir_budget_row row;

    weir_inspect_budget(t->stack, &row);
    return row.half_open;
}

/* At `backlog` complete connections SYNs are dropped without a word; an accept makes room. */
static void a_full_backlog_drops_syns(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 2);

    (void)state;
    for (uint16_t port = 40000; port < 40002; port++) {
        assert_true(open_from(t, port));
        talk_in(t, ". 1:1(0) ack 1");
    }
    assert_false(open_from(t, 40002));
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_BACKLOG), 1);
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    assert_true(open_from(t, 40002));
    talk_destroy(t);
}

/* More handshakes are under way than fit: the record waits, and completes once there is room. */
static void a_handshake_waits_for_room(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 1), s;

    (void)state;
    assert_true(open_from(t, 40000));
    assert_true(open_from(t, 40001));
    talk_use(t, 80, 40000, 0);
    talk_in(t, ". 1:1(0) ack 1");
    talk_use(t, 80, 40001, 0);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_out_none(t);
    assert_int_equal(half_open(t), 1);
    talk_mark(t);
    talk_expect_at(t, 1000, "S. 0:0(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_in(t, "P. 1:11(10) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_true(s >= 0);
    assert_int_equal(talk_info(t, s).receive_queued, 10);
    talk_destroy(t);
}

/* At half_open_max the oldest record makes room: who answers in time still gets in. RFC 4987 3.4
 * [4987-3] */
static void the_oldest_half_open_record_gives_way(void **state)
{
    struct weir_stack_config config = config_of(4);
    struct talk *t = talk_create(&config);
    int listener = talk_listen(t, 16);

    (void)state;
    for (uint16_t port = 40000; port < 40006; port++)
        assert_true(open_from(t, port));
    assert_int_equal(half_open(t), 4);
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_HALF_OPEN_LIMIT), 2);
    talk_use(t, 80, 40001, 0); /* driven out */
    talk_in(t, ". 1:1(0) ack 1");
    talk_out(t, "R 1:1(0)");
    talk_use(t, 80, 40002, 0); /* the oldest that is left */
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_destroy(t);
}

/* A flood of SYNs costs a bounded amount of memory and no connection. RFC 4987 3.5 [4987-1] */
static void a_syn_flood_is_borne(void **state)
{
    struct weir_stack_config config = config_of(64);
    struct talk *t = talk_create(&config);
    struct weir_budget_row before, after;
    int s = talk_establish_passive(t), listener = talk_listen(t, 8);

    (void)state;
    for (uint32_t i = 0; i < 10000; i++) {
        if (i == 1000)
            weir_inspect_budget(t->stack, &before);
        talk_use(t, 80, 50000, 1);
        t->flow->peers = weir_addr_from4(0x0b000000 + i);
        talk_in(t, "S 0:0(0)");
    }
    weir_inspect_budget(t->stack, &after);
    assert_int_equal(after.half_open, 64);
    assert_int_equal(after.used, before.used);
    talk_drain(t);
    talk_use(t, 80, 40000, 0);
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(talk_read(t, s, 200), 100);
    talk_drain(t);
    assert_true(open_from(t, 40007));
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_destroy(t);
}

/* Closing a listener resets who is half-open and who was not accepted, and nobody else. */
static void closing_resets_who_was_not_accepted(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 8), accepted;
    struct weir_budget_row row;

    (void)state;
    open_from(t, 40000);
    talk_in(t, ". 1:1(0) ack 1");
    accepted = weir_socket_accept(t->stack, listener, NULL);
    open_from(t, 40001);
    talk_in(t, ". 1:1(0) ack 1");
    open_from(t, 40002);
    talk_in(t, "FP. 1:11(10) ack 1"); /* CLOSE-WAIT, unread, unaccepted */
    talk_drain(t);
    open_from(t, 40003);
    talk_close(t, listener);
    talk_use(t, 80, 40003, 0);
    talk_out(t, "R 1:1(0)"); /* the record's is staged first */
    talk_use(t, 80, 40001, 0);
    talk_out(t, "R 1:1(0)");
    talk_use(t, 80, 40002, 0);
    talk_out(t, "R 1:1(0)");
    talk_out_none(t);
    talk_expect_state(t, accepted, ESTABLISHED);
    weir_inspect_budget(t->stack, &row);
    assert_int_equal(row.connections, 1);
    assert_int_equal(row.half_open, 0);
    assert_int_equal(row.sockets, 1);
    open_from(t, 40004);
    assert_int_equal(weir_inspect_counters(t->stack)->counter[WEIR_COUNT_PASSIVE_OPENS], 3);
    talk_destroy(t);
}

/* A peer that came and went before anybody accepted it is still told of. */
static void who_left_before_accept_is_still_accepted(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 8), s;
    uint8_t bytes[32];

    (void)state;
    open_from(t, 40000);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_in(t, "R 11:11(0)");
    open_from(t, 40001);
    talk_in(t, "FP. 1:11(10) ack 1");
    talk_drain(t);
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(weir_socket_recv(t->stack, s, bytes, sizeof(bytes)), WEIR_ECONNRESET);
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(weir_socket_recv(t->stack, s, bytes, sizeof(bytes)), 10);
    assert_int_equal(weir_socket_recv(t->stack, s, bytes, sizeof(bytes)), 0);
    talk_destroy(t);
}

/* Connections are accepted in the order in which their handshakes ended, each announced. */
static void connections_are_accepted_in_order(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 8);
    static const uint16_t order[] = {40002, 40000, 40001};

    (void)state;
    for (uint16_t port = 40000; port < 40003; port++)
        open_from(t, port);
    for (size_t i = 0; i < COUNT(order); i++) {
        talk_events(t, listener);
        talk_use(t, 80, order[i], 0);
        talk_in(t, ". 1:1(0) ack 1");
        assert_true(talk_events(t, listener) & WEIR_ACCEPT);
    }
    for (size_t i = 0; i < COUNT(order); i++) {
        struct weir_endpoint remote;

        assert_true(weir_socket_accept(t->stack, listener, &remote) >= 0);
        assert_int_equal(remote.port, order[i]);
    }
    assert_int_equal(weir_socket_accept(t->stack, listener, NULL), WEIR_EAGAIN);
    talk_destroy(t);
}

/* RFC 9293 3.9.1.1 [MUST-41]: a second passive open fails and touches nothing. */
static void a_second_listener_changes_nothing(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    int listener = talk_listen(t, 8), other = weir_socket_open(t->stack, WEIR_TCP, 0), s;

    (void)state;
    open_from(t, 40000);
    talk_in(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(weir_socket_bind(t->stack, other, &local), WEIR_EADDRINUSE);
    weir_socket_set(t->stack, other, WEIR_SO_REUSEADDR, 1);
    assert_int_equal(weir_socket_bind(t->stack, other, &local), WEIR_EADDRINUSE);
    assert_int_equal(weir_socket_listen(t->stack, listener, 3), 0);
    assert_int_equal(talk_info(t, listener).accept_backlog, 3);
    assert_int_equal(weir_socket_listen(t->stack, s, 3), WEIR_EINVAL);
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_info(t, s).receive_queued, 10);
    talk_close(t, listener);
    assert_int_equal(weir_socket_bind(t->stack, other, &local), 0);
    assert_int_equal(weir_socket_listen(t->stack, other, 3), 0);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.9.1.1 [MUST-42]: one may listen on the port of a half-open connection. */
static void one_may_listen_beside_a_half_open_connection(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002), .port = 40000};
    int s = weir_socket_open(t->stack, WEIR_TCP, 0), listener;

    (void)state;
    weir_socket_set(t->stack, s, WEIR_SO_REUSEADDR, 1);
    assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
    talk_use(t, 80, 40000, 1000);
    assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
    talk_out(t, "S 0:0(0)");
    listener = talk_listen(t, 4);
    assert_true(open_from(t, 40001));
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_use(t, 80, 40000, 0);
    talk_in(t, "S. 0:0(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* A second address, on an interface of its own. */
static struct weir_hub *add_second_address(struct talk *t)
{
    struct weir_hub *hub = weir_hub_create(2, 1500, 64);
    struct weir_addr addr = weir_addr_from4(0x0a000101);
    struct weir_prefix prefix = weir_prefix_from4(0x0a000100, 24);

    assert_int_equal(
        weir_stack_add_iface(t->stack, "if1", weir_hub_port(hub, 0), &addr, &prefix, false), 1);
    return hub;
}

/* RFC 9293 3.9.1.1 [MUST-43]: a listener may stand on one address alone. */
static void a_listener_may_stand_on_one_address(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_hub *hub = add_second_address(t);
    struct weir_endpoint local = {.addr = weir_addr_from4(0x0a000101), .port = 80};
    int listener = weir_socket_open(t->stack, WEIR_TCP, 0);

    (void)state;
    assert_int_equal(weir_socket_bind(t->stack, listener, &local), 0);
    assert_int_equal(weir_socket_listen(t->stack, listener, 4), 0);
    talk_use(t, 80, 40000, 1000);
    talk_in(t, "S 0:0(0)");
    talk_out(t, "R. =0:=0(0) ack 1");
    t->ours = local.addr;
    talk_use(t, 80, 40001, 1000);
    talk_in(t, "S 0:0(0)");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_destroy(t);
    weir_hub_destroy(hub);
}

/* RFC 9293 3.9.1.1 [MUST-44, MUST-45]: unbound, the way to the peer gives the source, for good. */
static void the_path_gives_the_source(void **state)
{
    static const uint32_t peers[] = {0x0a000002, 0x0a000102};
    static const uint32_t sources[] = {0x0a000001, 0x0a000101};
    struct talk *t = talk_create(NULL);
    struct weir_hub *hub = add_second_address(t);

    (void)state;
    for (size_t i = 0; i < COUNT(peers); i++) {
        struct weir_endpoint remote = {.addr = weir_addr_from4(peers[i]), .port = 80}, local;
        int s = weir_socket_open(t->stack, WEIR_TCP, 0);

        assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
        assert_int_equal(weir_socket_local(t->stack, s, &local), 0);
        assert_int_equal(weir_addr_to4(&local.addr), sources[i]);
    }
    talk_destroy(t);
    weir_hub_destroy(hub);
}

/* RFC 9293 3.9.1.1 [MUST-43, MUST-45]: a bound source stays, whatever way the packets take. */
static void a_bound_source_stays(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_hub *hub = add_second_address(t);
    struct weir_endpoint local = {.addr = weir_addr_from4(0x0a000101)};
    struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002), .port = 40000};
    struct weir_prefix all = weir_prefix_from4(0, 0);
    struct weir_packet packet;
    int s = weir_socket_open(t->stack, WEIR_TCP, 0), seen = 0;

    (void)state;
    assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
    t->ours = local.addr;
    talk_use(t, 0, 40000, 1000);
    assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
    talk_run(t);
    talk_in(t, "S. 0:0(0) ack 1");
    weir_stack_add_route(t->stack, &all, &remote.addr); /* paths are found anew */
    talk_write(t, s, 10);
    talk_advance(t, 2 * WEIR_SECOND);
    for (; talk_take(t, &packet, NULL); seen++)
        assert_int_equal(weir_addr_to4(&packet.src), 0x0a000101);
    assert_true(seen >= 4);
    talk_destroy(t);
    weir_hub_destroy(hub);
}

/* RFC 9293 3.9.1.1 [MUST-46]: to no group is a connection opened. */
static void nobody_connects_to_a_group(void **state)
{
    static const uint32_t groups[] = {0xffffffff, 0x0a0000ff, 0xe0000001, 0xefffffff, 0};
    struct talk *t = talk_create(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(groups); i++) {
        struct weir_endpoint remote = {.addr = weir_addr_from4(groups[i]), .port = 80};
        int s = weir_socket_open(t->stack, WEIR_TCP, 0);

        assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EADDRNOTAVAIL);
    }
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.9.2.3 [MUST-63]: a SYN from a group, or from nobody, is not heeded, whatever the layer
 * below lets through. */
static void no_group_connects_to_us(void **state)
{
    static const struct {
        uint32_t peer;
        uint16_t port;
        enum weir_drop drop;
    } rows[] = {
        {0xffffffff, 40000, WEIR_DROP_TCP_BAD_SYN}, {0x0a0000ff, 40000, WEIR_DROP_TCP_BAD_SYN},
        {0x0a000000, 40000, WEIR_DROP_TCP_BAD_SYN}, {0xe0000001, 40000, WEIR_DROP_TCP_BAD_SYN},
        {0, 40000, WEIR_DROP_TCP_BAD_SYN},          {0x0a000002, 0, WEIR_DROP_TCP_BAD_SYN},
        {0x0a000002, 40000, WEIR_DROP_NONE},
    };
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct flow_key key = {
            .local = t->ours,
            .remote = weir_addr_from4(rows[i].peer),
            .lport = 80,
            .rport = rows[i].port,
        };
        struct tcp_segment segment = {.flags = TCP_SYN, .seq = 7, .is_verified = true};

        assert_int_equal(
            listener_input(t->stack, socket_at(t->stack, (uint32_t)listener), &key, &segment, 0),
            rows[i].drop);
        talk_run(t);
        assert_int_equal(talk_drain(t), rows[i].drop == WEIR_DROP_NONE);
    }
    talk_destroy(t);
}

/* Two stacks' listeners, each holding a record of the other that spoofed SYNs have made, refuse
 * each other's refusals a bounded number of times. */
static void two_listeners_do_not_go_to_war(void **state)
{
    struct talk *a = talk_create(NULL);
    struct talk *b;
    struct weir_packet packet;
    struct talk *sides[2];
    int exchanged = 0;

    (void)state;
    b = talk_create(NULL);
    a->our_port = b->our_port = 80;
    talk_listen(a, 4);
    talk_listen(b, 4);
    talk_use(a, 80, 80, 1111);
    talk_use(b, 80, 80, 2222);
    talk_in(a, "S 0:0(0)");
    talk_in(b, "S 0:0(0)");
    sides[0] = a;
    sides[1] = b;
    for (int turn = 0; turn < 2000; turn++) {
        struct talk *to = sides[(turn + 1) % 2];
        char text[96];

        if (!talk_take(sides[turn % 2], &packet, NULL))
            continue;
        exchanged++;
        snprintf(text, sizeof(text), "%s =%u:=%u(0) ack =%u",
                 packet.flags & WEIR_TCP_SYN ? "S." : ".", packet.seq, packet.seq, packet.ack);
        if (!(packet.flags & WEIR_TCP_RST))
            talk_in(to, text);
    }
    assert_in_range(exchanged, 2, 60);
    talk_destroy(a);
    talk_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_backlog_drops_syns),
        cmocka_unit_test(a_handshake_waits_for_room),
        cmocka_unit_test(the_oldest_half_open_record_gives_way),
        cmocka_unit_test(a_syn_flood_is_borne),
        cmocka_unit_test(closing_resets_who_was_not_accepted),
        cmocka_unit_test(who_left_before_accept_is_still_accepted),
        cmocka_unit_test(connections_are_accepted_in_order),
        cmocka_unit_test(a_second_listener_changes_nothing),
        cmocka_unit_test(one_may_listen_beside_a_half_open_connection),
        cmocka_unit_test(a_listener_may_stand_on_one_address),
        cmocka_unit_test(the_path_gives_the_source),
        cmocka_unit_test(a_bound_source_stays),
        cmocka_unit_test(nobody_connects_to_a_group),
        cmocka_unit_test(no_group_connects_to_us),
        cmocka_unit_test(two_listeners_do_not_go_to_war),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
