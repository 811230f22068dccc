/* SPDX-License-Identifier: MIT */

/* Giving up: R1, R2, the user timeout; for data, for the SYN, in each profile. */

#include "setup.h"

#include <tcp/tcp.h>

/* Lets a silent peer be, until the connection is gone. Counts what was sent. */
static weir_time until_gone(struct talk *t, int s, weir_time limit, unsigned *sent)
{
    weir_time start = t->now, last = t->now;

    *sent = talk_drain(t);
    while (talk_state(t, s) != WEIR_STATE_CLOSED && t->now - start < limit) {
        weir_time deadline = weir_stack_deadline(t->stack);

        if (deadline == WEIR_NEVER)
            break;
        talk_advance(t, deadline > t->now ? deadline - t->now : 0);
        last = t->now;
        *sent += talk_drain(t);
    }
    return last - start;
}

/* RFC 9293 3.8.3 [MUST-20, SHLD-11], 3.8.2 RFC 9293 3.8.2 [MUST-19]: doubling intervals, R2 of
 * at least 100 s. */
static void test_data_r2(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);
    double at = 0, interval = 300;
    unsigned sent;

    (void)state;
    talk_write(t, s, 100);
    talk_mark(t);
    talk_out(t, "P. 1:101(100) ack 1");
    for (unsigned i = 0; i < 15; i++) {
        at += interval;
        interval = interval * 2 < 120000 ? interval * 2 : 120000;
        talk_expect_at(t, at, "P. 1:101(100) ack 1 why rto");
    }
    until_gone(t, s, 7200 * WEIR_SECOND, &sent);
    assert_int_equal(sent, 0);
    assert_true(t->now - t->mark >= 100 * WEIR_SECOND);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
    assert_true(talk_events(t, s) & WEIR_ERR);
    talk_destroy(t);
}

/* RFC 9293 3.8.3 [SHLD-9, SHLD-10]: after three retransmissions the application hears of it. */
static void test_data_r1(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write(t, s, 100);
    talk_events(t, s);
    talk_advance(t, 1 * WEIR_SECOND); /* two */
    assert_false(talk_events(t, s) & WEIR_NOTICE);
    assert_int_equal(weir_socket_take_notice(t->stack, s), 0);
    talk_advance(t, 1200 * WEIR_MS); /* three */
    assert_true(talk_events(t, s) & WEIR_NOTICE);
    assert_int_equal(weir_socket_take_notice(t->stack, s), WEIR_ETIMEDOUT);
    assert_int_equal(weir_socket_take_notice(t->stack, s), 0);
    talk_advance(t, 30 * WEIR_SECOND); /* once */
    assert_false(talk_events(t, s) & WEIR_NOTICE);
    talk_in(t, ". 1:1(0) ack 101"); /* over; the next trouble is told again */
    talk_write(t, s, 100);
    talk_advance(t, 300 * WEIR_SECOND);
    assert_true(talk_events(t, s) & WEIR_NOTICE);
    talk_destroy(t);
}

/* RFC 9293 3.9.1.8 [SHLD-20]: or does not want to. */
static void test_no_notices(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_NOTICES, 0), 0);
    talk_write(t, s, 100);
    talk_advance(t, 20 * WEIR_SECOND);
    assert_false(talk_events(t, s) & WEIR_NOTICE);
    talk_destroy(t);
}

/* RFC 9293 3.8.3 [MUST-21], 3.10.8 RFC 9293 3.10.8 [U-27]: set by the application, per
 * connection. */
static void test_user_timeout(void **state)
{
    static const weir_time timeouts[] = {WEIR_SECOND, 5 * WEIR_SECOND, 60 * WEIR_SECOND,
                                         7200 * WEIR_SECOND};

    (void)state;
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        struct talk *t = talk_create(NULL);
        int s = setup_with_rtt(t, 100 * WEIR_MS);
        weir_time took;
        unsigned sent;

        assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, timeouts[i]), 0);
        talk_advance(t, 10000 * WEIR_SECOND); /* it counts from the data, not from here */
        talk_expect_state(t, s, ESTABLISHED);
        talk_write(t, s, 100);
        took = until_gone(t, s, 100000 * WEIR_SECOND, &sent);
        if (took != timeouts[i])
            fail_msg("timeout %lld: gave up after %lld", (long long)timeouts[i], (long long)took);
        assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
        talk_destroy(t);
    }
}

/* Progress starts it anew; set while data waits, it counts from when that began. */
static void test_user_timeout_restarts(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);
    unsigned sent;

    (void)state;
    talk_write(t, s, 1000);
    talk_advance(t, 2 * WEIR_SECOND);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, 5 * WEIR_SECOND), 0);
    talk_in(t, ". 1:1(0) ack 501");
    talk_advance(t, 4900 * WEIR_MS);
    talk_expect_state(t, s, ESTABLISHED);
    talk_in(t, ". 1:1(0) ack 601");
    assert_int_equal(until_gone(t, s, 100 * WEIR_SECOND, &sent), 5 * WEIR_SECOND);
    talk_destroy(t);
}

/* RFC 9293 3.8.3 [MUST-21]: infinity. */
static void test_never(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, WEIR_NEVER), 0);
    talk_write(t, s, 100);
    for (unsigned i = 0; i < 600; i++) { /* ten hours */
        talk_advance(t, 60 * WEIR_SECOND);
        talk_drain(t);
    }
    talk_expect_state(t, s, ESTABLISHED);
    talk_in(t, ". 1:1(0) ack 101");
    assert_int_equal(talk_info(t, s).send_queued, 0);
    talk_destroy(t);
}

/* RFC 9293 3.8.3 [MUST-22, MUST-23]: the SYN for three minutes at least. */
static void test_syn(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);
    double at = 0, interval = 1000;
    unsigned sent;

    (void)state;
    talk_mark(t);
    talk_out(t, "S 0:0(0) <mss 1460>");
    for (unsigned i = 0; i < 7; i++) {
        at += interval;
        interval *= 2;
        talk_expect_at(t, at, "S 0:0(0) <mss 1460>");
    }
    assert_true(talk_events(t, s) & WEIR_NOTICE);
    until_gone(t, s, 7200 * WEIR_SECOND, &sent);
    assert_true(t->now - t->mark >= 180 * WEIR_SECOND);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
    talk_destroy(t);
}

/* The SYN-ACK as long, and then the half-open record is gone without a word. */
static void test_syn_ack(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_budget_row budget;

    (void)state;
    talk_listen(t, 4);
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_advance(t, 179 * WEIR_SECOND);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.half_open, 1);
    talk_advance(t, 300 * WEIR_SECOND);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.half_open, 0);
    assert_int_equal(talk_drain(t), 8);
    talk_destroy(t);
}

/* An application's patience with a connect. */
static void test_syn_user_timeout(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint remote = {.addr = t->peers, .port = 7};
    int s = weir_socket_open(t->stack, WEIR_TCP, 0);
    unsigned sent;

    (void)state;
    talk_use(t, 0, 7, 1);
    weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, 4 * WEIR_SECOND);
    assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
    talk_run(t);
    assert_int_equal(until_gone(t, s, 600 * WEIR_SECOND, &sent), 4 * WEIR_SECOND);
    assert_int_equal(sent, 3); /* 0, 1, 3 s */
    talk_destroy(t);
}

/* Profile brown: the same data twelve times again, and ten seconds at least. */
static void test_brown(void **state)
{
    static const weir_time floors[] = {WEIR_MS, 100 * WEIR_MS, 2 * WEIR_SECOND};

    (void)state;
    for (size_t i = 0; i < COUNT(floors); i++) {
        struct weir_stack_config config;
        struct talk *t;
        unsigned sent;
        weir_time took;
        int s;

        setup_config(&config, WEIR_PROFILE_BROWN);
        config.tcp.rto_min = floors[i];
        t = talk_create(&config);
        t->peer_mss = 0;
        s = setup_with_rtt(t, WEIR_MS);
        talk_advance(t, WEIR_SECOND);
        talk_write(t, s, 100);
        took = until_gone(t, s, 600 * WEIR_SECOND, &sent);
        assert_true(sent >= 13);
        assert_true(took >= 10 * WEIR_SECOND);
        assert_true(took <= 70 * WEIR_SECOND);
        assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
        talk_destroy(t);
    }
}

/* A FIN that nobody acknowledges gives up like data. */
static void test_fin(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_budget_row budget;
    int s = setup_with_rtt(t, 100 * WEIR_MS);
    unsigned sent;

    (void)state;
    talk_close(t, s);
    until_gone(t, s, 7200 * WEIR_SECOND, &sent);
    assert_int_equal(sent, 16);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.connections, 0);
    talk_destroy(t);
}

/* tcp_expire touches only what is due, and stops it; tcp_deadline is the least. */
static void test_expire_and_deadline(void **state)
{
    struct weir_tcp_settings settings;
    struct weir_counters counters = {0};
    struct tcp_context context = {.counters = &counters};
    struct tcp_active active = tcp_resting;
    struct tcp_conn conn;

    (void)state;
    weir_profile(WEIR_PROFILE_DEFAULT, &settings);
    tcp_init(&conn, &context, &settings);
    assert_true(tcp_deadline(&conn) == WEIR_NEVER); /* at rest */
    conn.active = &active;
    assert_true(tcp_deadline(&conn) == WEIR_NEVER);
    tcp_start_timer(&conn, TCP_TIMER_SWS, 500);
    tcp_start_timer(&conn, TCP_TIMER_DELAYED_ACK, 300);
    assert_int_equal(tcp_deadline(&conn), 300);
    tcp_expire(&conn, 299);
    assert_false(conn.ack_now);
    tcp_expire(&conn, 300);
    assert_true(conn.ack_now);
    assert_false(conn.sws_override);
    assert_int_equal(tcp_deadline(&conn), 500);
    tcp_expire(&conn, 100000);
    assert_true(conn.sws_override);
    assert_true(tcp_deadline(&conn) == WEIR_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_r2),
        cmocka_unit_test(test_data_r1),
        cmocka_unit_test(test_no_notices),
        cmocka_unit_test(test_user_timeout),
        cmocka_unit_test(test_user_timeout_restarts),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_syn),
        cmocka_unit_test(test_syn_ack),
        cmocka_unit_test(test_syn_user_timeout),
        cmocka_unit_test(test_brown),
        cmocka_unit_test(test_fin),
        cmocka_unit_test(test_expire_and_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
