/* SPDX-License-Identifier: MIT */

/* The settings in which Linux is another TCP, each by itself: the profile `default` with one of them
 * changed, against the same conversation without. That all of them together make a Linux is what
 * tests/script/linux-* shows. */

#include "setup.h"

typedef void change_fn(struct weir_tcp_settings *settings);

static struct talk *with(change_fn *change)
{
    struct weir_stack_config config;

    setup_config(&config, WEIR_PROFILE_DEFAULT);
    if (change)
        change(&config.tcp);
    return talk_create(&config);
}

static void rto_variance_min(struct weir_tcp_settings *settings)
{
    settings->rto_variance_min = 300 * WEIR_MS;
}

/* RFC 6298 2.3: RTO = SRTT + 4 RTTVAR; a first sample of 100 ms makes 300 ms, with the floor 400. */
static void test_rto_variance_min(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? rto_variance_min : NULL);
        int s = setup_with_rtt(t, 100 * WEIR_MS);

        talk_write(t, s, 10);
        talk_out(t, "P. 1:11(10) ack 1");
        talk_mark(t);
        talk_expect_at(t, on ? 400 : 300, "P. 1:11(10) ack 1 why rto");
        talk_destroy(t);
    }
}

static void linear_syns(struct weir_tcp_settings *settings)
{
    settings->syn_linear_retries = 2;
    settings->syn_r2_retries = 2;
    settings->syn_r2_time = 0;
}

/* The linear ones come on top of the others: at 1, 2, 3 and 5 s; 9 s is the end. */
static void test_linear_syns(void **state)
{
    struct talk *t = with(linear_syns);
    int s = talk_connect(t);

    (void)state;
    talk_out(t, "S 0:0(0)");
    talk_mark(t);
    talk_expect_at(t, 1000, "S 0:0(0)");
    talk_expect_at(t, 2000, "S 0:0(0)");
    talk_expect_at(t, 3000, "S 0:0(0)");
    talk_expect_at(t, 5000, "S 0:0(0)");
    talk_advance(t, 3999 * WEIR_MS);
    talk_expect_state(t, s, SYN_SENT);
    talk_advance(t, 1 * WEIR_MS);
    talk_expect_state(t, s, CLOSED);
    talk_out_none(t);
    talk_destroy(t);
}

static void few_syn_acks(struct weir_tcp_settings *settings)
{
    settings->syn_ack_r2_retries = 1;
    settings->syn_r2_time = 0;
}

/* SYN-ACKs have a number of their own. */
static void test_syn_acks(void **state)
{
    struct talk *t = with(few_syn_acks);

    (void)state;
    talk_listen(t, 5);
    talk_mark(t);
    talk_in(t, "S 0:0(0) win 1000 <mss 1000>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_expect_at(t, 1000, "S. 0:0(0) ack 1");
    talk_advance(t, 100 * WEIR_SECOND);
    talk_out_none(t);
    talk_destroy(t);
}

static void r2_from_retransmission(struct weir_tcp_settings *settings)
{
    settings->r2_from_retransmission = true;
    settings->r2_retries = 1;
    settings->r2_time = 1 * WEIR_SECOND;
}

/* Sent at 0, again at 0.2, 0.6, 1.4 s: with 1.2 s passed since 0.2 the end is at 1.4, or 3.0 s. */
static void test_r2_from_retransmission(void **state)
{
    struct talk *t = with(r2_from_retransmission);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 10);
    talk_out(t, "P. 1:11(10)");
    talk_mark(t);
    talk_expect_at(t, 200, "P. 1:11(10)");
    talk_expect_at(t, 600, "P. 1:11(10)");
    talk_advance(t, 799 * WEIR_MS);
    talk_expect_state(t, s, ESTABLISHED);
    talk_advance(t, 1 * WEIR_MS);
    talk_out_none(t);
    talk_expect_state(t, s, CLOSED);
    talk_destroy(t);
}

/* Progress ends the row: the time counts anew. */
static void test_user_timeout_from_retransmission(void **state)
{
    struct talk *t = with(r2_from_retransmission);
    int s = talk_establish_passive(t);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, 500 * WEIR_MS), 0);
    talk_write(t, s, 2920);
    talk_out(t, ". 1:1461(1460)");
    talk_out(t, "P. 1461:2921(1460)");
    talk_mark(t);
    talk_expect_at(t, 200, ". 1:1461(1460)");
    talk_in(t, ". 1:1(0) ack 1461");
    talk_drain(t);
    talk_advance(t, 550 * WEIR_MS);
    talk_expect_state(t, s, ESTABLISHED);
    talk_advance(t, 2 * WEIR_SECOND);
    talk_expect_state(t, s, CLOSED);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
    talk_destroy(t);
}

static void quick_acks(struct weir_tcp_settings *settings)
{
    settings->quick_acks = 3;
}

/* Three at once, then as ever; a pause longer than the RTO gives three more. */
static void test_quick_acks(void **state)
{
    struct talk *t = with(quick_acks);
    int at = 1;

    (void)state;
    talk_establish_passive(t);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++, at += 100) {
            setup_in(t, "P.", at, 100, 1, 65535);
            talk_out(t, ". 1:1(0)");
        }
        talk_mark(t);
        setup_in(t, "P.", at, 100, 1, 65535);
        at += 100;
        talk_out_none(t);
        talk_expect_at(t, 40, ". 1:1(0) why delayed-ack");
        talk_advance(t, 5 * WEIR_SECOND);
    }
    talk_destroy(t);
}

/* An answer makes it interactive: no more quick ones, though two are left. */
static void test_interactive(void **state)
{
    struct talk *t = with(quick_acks);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    talk_out(t, ". 1:1(0) ack 101");
    talk_write(t, s, 10);
    talk_out(t, "P. 1:11(10) ack 101");
    talk_mark(t);
    talk_in(t, "P. 101:201(100) ack 11");
    talk_out_none(t);
    talk_expect_at(t, 40, ". 11:11(0) ack 201");
    /* One that is not acceptable ends that. */
    talk_in(t, "P. 101:201(100) ack 11");
    talk_out(t, ". 11:11(0) ack 201");
    talk_in(t, "P. 201:301(100) ack 11");
    talk_out(t, ". 11:11(0) ack 301");
    talk_destroy(t);
}

static void adaptive_delay(struct weir_tcp_settings *settings)
{
    settings->delayed_ack_max = 200 * WEIR_MS;
}

/* A timer that expires doubles the delay, up to the path's round trip. */
static void test_adaptive_delay(void **state)
{
    struct talk *t = with(adaptive_delay);

    (void)state;
    setup_with_rtt(t, 150 * WEIR_MS);
    talk_mark(t);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_expect_at(t, 40, ". 1:1(0) ack 101");
    talk_advance(t, WEIR_SECOND);
    talk_mark(t);
    talk_in(t, "P. 101:201(100) ack 1");
    talk_expect_at(t, 80, ". 1:1(0) ack 201");
    talk_advance(t, WEIR_SECOND);
    talk_mark(t);
    talk_in(t, "P. 201:301(100) ack 1");
    talk_expect_at(t, 150, ". 1:1(0) ack 301"); /* not 160 */
    talk_destroy(t);
}

static void ack_by_peer_segment(struct weir_tcp_settings *settings)
{
    settings->ack_by_peer_segment = true;
}

/* Two segments of 600 bytes are two of what the peer sends, and less than one MSS of ours. */
static void test_ack_by_peer_segment(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? ack_by_peer_segment : NULL);
        int s = talk_establish_passive(t);

        talk_mark(t);
        talk_in(t, ". 1:601(600) ack 1");
        talk_out_none(t);
        assert_int_equal(talk_read(t, s, 1000), 600);
        talk_in(t, ". 601:1201(600) ack 1");
        talk_expect_at(t, on ? 0 : 40, ". 1:1(0) ack 1201");
        talk_destroy(t);
    }
}

static void no_limits(struct weir_tcp_settings *settings)
{
    settings->slow_start_limit = 0;
}

/* RFC 3465 2.3: an ACK of five segments adds two of them, or all five. */
static void test_slow_start_limit(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? no_limits : NULL);
        int s = talk_establish_passive(t);

        talk_write(t, s, 14600);
        assert_int_equal(setup_take_data(t, NULL), 10);
        setup_in(t, ".", 1, 0, 1 + 5 * 1460, 65535);
        assert_int_equal(talk_info(t, s).cwnd, (on ? 15 : 12) * 1460);
        talk_destroy(t);
    }
}

static void no_idle_restart(struct weir_tcp_settings *settings)
{
    settings->idle_restart = false;
}

static void test_idle_restart(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? no_idle_restart : NULL);
        int s = talk_establish_passive(t);

        talk_write(t, s, 14600);
        setup_take_data(t, NULL);
        setup_in(t, ".", 1, 0, 14601, 65535);
        talk_advance(t, 60 * WEIR_SECOND);
        talk_write(t, s, 14600);
        assert_int_equal(talk_info(t, s).cwnd, (on ? 12 : 10) * 1460);
        talk_destroy(t);
    }
}

static void rst_has_ack(struct weir_tcp_settings *settings)
{
    settings->rst_has_ack = true;
}

static void test_rst_has_ack(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? rst_has_ack : NULL);
        int s = talk_establish_passive(t);

        talk_abort(t, s);
        talk_out(t, on ? "R. 1:1(0) ack 1" : "R 1:1(0) win 0");
        talk_destroy(t);
    }
}

static void rst_takes_ack(struct weir_tcp_settings *settings)
{
    settings->rst_takes_ack = true;
}

/* The FIN is out and not acknowledged: SND.NXT is 2, SEG.ACK 1. */
static void test_rst_takes_ack(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? rst_takes_ack : NULL);
        int s = talk_establish_passive(t);

        talk_close(t, s);
        talk_out(t, "F. 1:1(0) ack 1");
        talk_in(t, "P. 1:11(10) ack 1");
        talk_out(t, on ? "R 1:1(0)" : "R 2:2(0)");
        talk_destroy(t);
    }
}

static void minshall(struct weir_tcp_settings *settings)
{
    settings->minshall = true;
}

/* RFC 9293 A.3: full segments before it do not hold a small one back, a small one does. */
static void test_minshall(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? minshall : NULL);
        int s = talk_establish_passive(t);

        talk_write(t, s, 1560);
        talk_out(t, ". 1:1461(1460)");
        if (on)
            talk_out(t, "P. 1461:1561(100)");
        talk_out_none(t);
        talk_write(t, s, 10);
        talk_out_none(t);
        talk_in(t, ". 1:1(0) ack 1461");
        if (on)
            talk_in(t, ". 1:1(0) ack 1561");
        talk_out(t, on ? "P. 1561:1571(10)" : "P. 1461:1571(110)");
        talk_destroy(t);
    }
}

static void invalid_ratelimit(struct weir_tcp_settings *settings)
{
    settings->invalid_ratelimit = 500 * WEIR_MS;
}

static void test_invalid_ratelimit(void **state)
{
    struct talk *t = with(invalid_ratelimit);

    (void)state;
    talk_establish_passive(t);
    for (int i = 0; i < 12; i++) { /* at 0, 100, …, 1100 ms */
        talk_in(t, "S 5:5(0) win 1000");
        if (i % 5 == 0)
            talk_out(t, ". 1:1(0) ack 1 why challenge-ack");
        talk_out_none(t);
        talk_advance(t, 100 * WEIR_MS);
    }
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CHALLENGE_RATE), 9);
    talk_destroy(t);
}

static void no_ack_of_unsent(struct weir_tcp_settings *settings)
{
    settings->ack_unsent_acks = false;
}

static void test_ack_of_unsent(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? no_ack_of_unsent : NULL);

        talk_establish_passive(t);
        talk_in(t, ". 1:1(0) ack 2");
        if (!on)
            talk_out(t, ". 1:1(0) ack 1");
        talk_out_none(t);
        assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_BAD_ACK), 1);
        talk_destroy(t);
    }
}

static void icmp_ends_opening(struct weir_tcp_settings *settings)
{
    settings->icmp_ends_opening = true;
}

static void test_icmp_ends_opening(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? icmp_ends_opening : NULL);
        int s = talk_connect(t);

        talk_out(t, "S 0:0(0)");
        talk_icmp(t, 3, 1, 0);
        if (on)
            assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_EHOSTUNREACH);
        assert_int_equal(talk_state(t, s), on ? WEIR_STATE_CLOSED : WEIR_STATE_SYN_SENT);
        talk_destroy(t);
    }
}

static void whole_segments(struct weir_tcp_settings *settings)
{
    settings->window_in_segments = true;
    settings->receive_buffer = 10000;
}

/* The first window is whole segments of ours; it never shrinks whatever the peer sends. */
static void test_window_in_segments(void **state)
{
    struct talk *t = with(whole_segments);
    uint32_t edge = 1 + 8760, got = 0, seed = 7;
    struct weir_packet packet;
    int s;

    (void)state;
    s = talk_establish_passive(t);
    assert_int_equal(talk_info(t, s).rcv_wnd, 8760); /* 6 * 1460 */
    for (int i = 0; i < 2000; i++) {
        uint32_t length;

        seed = seed * 1664525u + 1013904223u;
        length = 1 + (seed >> 16) % 1400;
        if (1 + got + length <= edge) {
            setup_in(t, "P.", 1 + got, length, 1, 65535);
            got += length;
        }
        if (seed >> 31)
            talk_read(t, s, (seed >> 8) % 5000);
        talk_advance(t, 50 * WEIR_MS);
        while (talk_take(t, &packet, NULL)) {
            uint32_t offered = packet.ack - talk_peer_seq(t, 0) + packet.window;

            assert_true(offered >= edge);
            edge = offered;
        }
        if (1 + got + 1400 > edge) /* full: all of it is read, and that is told */
            while (talk_read(t, s, 10000) > 0)
                continue;
        while (talk_take(t, &packet, NULL))
            edge = packet.ack - talk_peer_seq(t, 0) + packet.window;
        assert_true(edge <= 1 + t->read[s] + 10000);
    }
    assert_true(got > 100000); /* and never stands still */
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rto_variance_min),
        cmocka_unit_test(test_linear_syns),
        cmocka_unit_test(test_syn_acks),
        cmocka_unit_test(test_r2_from_retransmission),
        cmocka_unit_test(test_user_timeout_from_retransmission),
        cmocka_unit_test(test_quick_acks),
        cmocka_unit_test(test_interactive),
        cmocka_unit_test(test_adaptive_delay),
        cmocka_unit_test(test_ack_by_peer_segment),
        cmocka_unit_test(test_slow_start_limit),
        cmocka_unit_test(test_idle_restart),
        cmocka_unit_test(test_rst_has_ack),
        cmocka_unit_test(test_rst_takes_ack),
        cmocka_unit_test(test_minshall),
        cmocka_unit_test(test_invalid_ratelimit),
        cmocka_unit_test(test_ack_of_unsent),
        cmocka_unit_test(test_icmp_ends_opening),
        cmocka_unit_test(test_window_in_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
