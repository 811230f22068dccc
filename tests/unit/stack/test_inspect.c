/* SPDX-License-Identifier: MIT */

/* The read-only view: rows, budget numbers, a connection's fields during a transfer, and defects
 * planted by hand that the check must find. */

#include <stack/stack.h>
#include <string.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void sockets_are_rows_in_order(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t), listener = talk_listen(t, 4);
    int raw = weir_socket_open(t->stack, WEIR_RAW, 99);
    int fresh = weir_socket_open(t->stack, WEIR_TCP, 0), last = -1, rows = 0;
    struct weir_socket_row row;

    (void)state;
    weir_socket_set_tag(t->stack, s, 42);
    talk_use(t, 80, 40001, 1000);
    talk_in(t, "S 0:0(0)");
    talk_in(t, ". 1:1(0) ack 1"); /* complete, not accepted */
    for (int at = -5; (at = weir_inspect_socket(t->stack, at, &row)) >= 0; at++, rows++) {
        assert_true(at > last);
        last = at;
        assert_int_equal(row.socket, at);
        assert_false(row.closed);
        if (at == s) {
            assert_int_equal(row.state, WEIR_STATE_ESTABLISHED);
            assert_int_equal(row.local.port, 80);
            assert_int_equal(row.remote.port, 40000);
            assert_int_equal(weir_addr_to4(&row.remote.addr), 0x0a000002);
            assert_int_equal(row.tag, 42);
            assert_int_equal(row.listener, -1);
        } else if (at == listener) {
            assert_int_equal(row.state, WEIR_STATE_LISTEN);
            assert_true(weir_addr_is_any(&row.local.addr));
            assert_int_equal(row.local.port, 80);
        } else if (at == raw) {
            assert_int_equal(row.kind, WEIR_RAW);
        } else if (at == fresh) {
            assert_int_equal(row.state, WEIR_STATE_CLOSED);
            assert_int_equal(row.remote.port, 0);
        } else {
            assert_int_equal(row.listener, listener);
            assert_int_equal(row.remote.port, 40001);
        }
    }
    assert_int_equal(rows, 5);
    assert_int_equal(weir_inspect_socket(t->stack, 1000, &row), WEIR_ENOENT);
    talk_destroy(t);
}

static void interfaces_have_rows(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_neighbour_row neighbour;
    struct weir_iface_row row;
    struct weir_route_row route;

    (void)state;
    talk_establish_passive(t);
    assert_int_equal(weir_inspect_iface(t->stack, 0, &row), 0);
    assert_string_equal(row.name, "if0");
    assert_int_equal(row.mtu, 1500);
    assert_int_equal(row.packets_in, 2);
    assert_int_equal(row.packets_out, 1);
    assert_true(row.bytes_in >= 80 && row.bytes_out >= 44);
    assert_true(row.up);
    assert_int_equal(weir_inspect_iface(t->stack, 1, &row), WEIR_ENOENT);
    assert_int_equal(weir_inspect_iface_named(t->stack, "if0"), 0);
    assert_int_equal(weir_inspect_iface_named(t->stack, "if"), WEIR_ENOENT);
    assert_int_equal(weir_inspect_neighbour(t->stack, 0, &neighbour), WEIR_ENOENT);
    assert_int_equal(weir_stack_add_neighbour(t->stack, 0, &t->peers, 7), 0);
    assert_int_equal(weir_inspect_neighbour(t->stack, 0, &neighbour), 0);
    assert_int_equal(neighbour.tag, 7);
    assert_int_equal(weir_inspect_route(t->stack, 0, &route), 0);
    assert_int_equal(route.kind, WEIR_ROUTE_LOCAL);
    assert_int_equal(route.iface, 0);
    assert_int_equal(weir_inspect_route(t->stack, 1, &route), WEIR_ENOENT);
    talk_destroy(t);
}

static void the_budget_counts_what_lives(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_budget_row row;
    int s = talk_establish_active(t);

    (void)state;
    talk_listen(t, 4);
    talk_use(t, 80, 40001, 1000);
    talk_in(t, "S 0:0(0)");
    talk_drain(t);
    weir_inspect_budget(t->stack, &row);
    assert_int_equal(row.sockets, 2);
    assert_int_equal(row.connections, 1);
    assert_int_equal(row.half_open, 1);
    assert_int_equal(row.time_wait, 0);
    assert_int_equal(row.budget, (size_t)1 << 30);
    assert_int_equal(row.used, t->stack->alloc.used);
    talk_use(t, t->flows[0].our_port, t->flows[0].peer_port, 0);
    talk_close(t, s);
    talk_in(t, "F. 1:1(0) ack 2");
    weir_inspect_budget(t->stack, &row);
    assert_int_equal(row.connections, 0);
    assert_int_equal(row.time_wait, 1);
    assert_int_equal(talk_info(t, s).state, WEIR_STATE_TIME_WAIT);
    talk_destroy(t);
}

/* ---- One connection ------------------------------------------------------------------------------ */

static void a_transfer_shows(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_tcp_info info = talk_info(t, s);
    uint32_t iss = info.iss;

    (void)state;
    assert_int_equal(info.state, WEIR_STATE_ESTABLISHED);
    assert_int_equal(info.irs, 1000);
    assert_int_equal(info.mss, 1460);
    assert_int_equal(info.snd_wnd, 65535);
    assert_int_equal(info.rcv_wnd, 65535);
    assert_int_equal(info.plan_why, WEIR_WHY_IDLE);
    assert_true(info.plan_deadline == WEIR_NEVER);
    assert_string_equal(info.congestion_control, "newreno");
    talk_write(t, s, 40000); /* ten segments leave, the window of congestion is full */
    info = talk_info(t, s);
    assert_int_equal(info.snd_una, iss + 1);
    assert_int_equal(info.snd_nxt, iss + 1 + 14600);
    assert_int_equal(info.send_queued, 40000);
    assert_int_equal(info.bytes_sent, 14600);
    assert_int_equal(info.cwnd, 14600);
    assert_int_equal(info.plan_why, WEIR_WHY_WAIT_CWND);
    assert_int_equal(info.plan_bytes, 0);
    assert_true(info.plan_deadline > t->now && info.plan_deadline < WEIR_NEVER);
    talk_advance(t, 50 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 2921");
    info = talk_info(t, s);
    assert_int_equal(info.bytes_acked, 2920);
    assert_int_equal(info.send_queued, 37080);
    assert_true(info.srtt > 0 && info.rto >= 200 * WEIR_MS);
    talk_in(t, "P. 11:21(10) ack 2921");
    info = talk_info(t, s);
    assert_int_equal(info.out_of_order, 10);
    assert_int_equal(info.receive_queued, 0);
    talk_in(t, "P. 1:11(10) ack 2921");
    info = talk_info(t, s);
    assert_int_equal(info.out_of_order, 0);
    assert_int_equal(info.receive_queued, 20);
    assert_int_equal(info.rcv_nxt, 1021);
    assert_int_equal(info.bytes_received, 20);
    talk_advance(t, 2 * WEIR_SECOND);
    info = talk_info(t, s);
    assert_true(info.timeouts > 0 && info.retransmissions > 0 && info.backoffs > 0);
    assert_int_equal(info.congestion_recovery, 2);
    assert_true(info.ssthresh < 65535);
    talk_destroy(t);
}

/* What would be sent is told without sending it. */
static void the_plan_is_told(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_tcp_info info;
    uint8_t bytes[5];

    (void)state;
    talk_drain(t);
    for (uint64_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = talk_byte(true, i);
    assert_int_equal(weir_socket_send(t->stack, s, bytes, 5, 0), 5);
    for (int i = 0; i < 3; i++) {
        info = talk_info(t, s);
        assert_int_equal(info.plan_why, WEIR_WHY_DATA);
        assert_int_equal(info.plan_bytes, 5);
        assert_true(info.plan_deadline == t->now);
    }
    talk_out(t, "P. 1:6(5) ack 1");
    talk_destroy(t);
}

/* ---- Planted defects ------------------------------------------------------------------------------ */

static void una_too_far(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    conn->tcp.snd_una = conn->tcp.snd_nxt + 1;
}

static void nxt_too_far(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    conn->tcp.snd_nxt = conn->tcp.snd_end + 2;
}

static void read_too_far(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    conn->tcp.rcv_read = conn->tcp.rcv_nxt + 1;
}

static void no_cwnd(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    conn->tcp.cc.cwnd = 0;
}

static void no_rto(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    tcp_stop_timer(&conn->tcp, TCP_TIMER_RTO);
}

static void event_kept(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    conn->tcp.events = WEIR_IN;
}

static void off_the_wheel(struct weir_stack *stack, struct conn *conn)
{
    wheel_stop(stack->wheel, &conn->flow.timer);
}

static void off_the_list(struct weir_stack *stack, struct conn *conn)
{
    (void)stack;
    conn->tcp.ack_now = true;
}

static void miscounted(struct weir_stack *stack, struct conn *conn)
{
    (void)conn;
    stack->conn_count++;
}

static void over_budget(struct weir_stack *stack, struct conn *conn)
{
    (void)conn;
    stack->alloc.budget = stack->alloc.used - 1;
}

static const struct {
    void (*plant)(struct weir_stack *stack, struct conn *conn);
    const char *found;
} defects[] = {
    {una_too_far, "SND.UNA is beyond SND.NXT"},
    {nxt_too_far, "SND.NXT is beyond what was queued"},
    {read_too_far, "more was read than received"},
    {no_cwnd, "the congestion window is zero"},
    {no_rto, "data is out and no timer runs"},
    {event_kept, "events were not passed on"},
    {off_the_wheel, "a connection's timer is later than its deadline"},
    {off_the_list, "a connection that could send is on no list"},
    {miscounted, "the counts of flows are wrong"},
    {over_budget, "the memory budget is exceeded"},
};

static void planted_defects_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(defects); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_active(t);
        struct conn *conn = socket_at(t->stack, (uint32_t)s)->conn;
        uint32_t conn_count = t->stack->conn_count;
        size_t budget = t->stack->alloc.budget;
        struct tcp_conn tcp;
        const char *found;

        talk_write(t, s, 10);
        assert_null(weir_inspect_check(t->stack, t->now));
        tcp = conn->tcp;
        defects[i].plant(t->stack, conn);
        found = weir_inspect_check(t->stack, t->now);
        conn->tcp = tcp; /* so that it can be taken apart */
        t->stack->conn_count = conn_count;
        t->stack->alloc.budget = budget;
        if (!found || strcmp(found, defects[i].found) != 0)
            fail_msg("defect %zu: %s", i, found ? found : "not found");
        talk_destroy(t);
    }
}

static void a_record_without_a_timer_is_found(void **state)
{
    struct talk *t = talk_create(NULL);
    struct half_open *half;

    (void)state;
    talk_listen(t, 4);
    talk_use(t, 80, 40000, 1000);
    talk_in(t, "S 0:0(0)");
    half = LIST_ENTRY(list_first(&t->stack->half_open_age), struct half_open, age);
    wheel_stop(t->stack->wheel, &half->flow.timer);
    assert_string_equal(weir_inspect_check(t->stack, t->now), "a record without a timer");
    talk_destroy(t);
}

/* A listener shows its queue. */
static void a_listener_shows_its_queue(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4);

    (void)state;
    assert_int_equal(talk_info(t, listener).accept_backlog, 4);
    assert_int_equal(talk_info(t, listener).accept_queued, 0);
    for (uint16_t port = 40000; port < 40003; port++) {
        talk_use(t, 80, port, 1000);
        talk_in(t, "S 0:0(0)");
        talk_in(t, ". 1:1(0) ack 1");
    }
    assert_int_equal(talk_info(t, listener).accept_queued, 3);
    weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(talk_info(t, listener).accept_queued, 2);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_are_rows_in_order),
        cmocka_unit_test(interfaces_have_rows),
        cmocka_unit_test(the_budget_counts_what_lives),
        cmocka_unit_test(a_transfer_shows),
        cmocka_unit_test(the_plan_is_told),
        cmocka_unit_test(a_listener_shows_its_queue),
        cmocka_unit_test(planted_defects_are_found),
        cmocka_unit_test(a_record_without_a_timer_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
