/* SPDX-License-Identifier: MIT */

/* The congestion window: RFC 5681, RFC 6928, byte counting (RFC 3465), attacks on it (Savage et
 * al.). The module alone first, then in conversation. RFC 9293 3.8.2 [MUST-19] */

#include "setup.h"

#include <tcp/cc.h>

#define MSS 1000

static struct weir_cc start(uint32_t cwnd, uint32_t ssthresh)
{
    struct weir_cc cc = {.mss = MSS, .slow_start_limit = 2};

    cc_newreno.init(&cc, cwnd);
    cc.ssthresh = ssthresh;
    return cc;
}

static void ack(struct weir_cc *cc, uint32_t bytes, bool limited)
{
    const struct weir_cc_ack event = {.acked = bytes, .cwnd_limited = limited};

    cc_newreno.acked(cc, &event, 0);
}

/* RFC 5681 3.1 [5681-7]: in slow start by what was acknowledged, bounded per ACK (RFC 3465: two
 * segments). */
static void test_slow_start(void **state)
{
    static const struct {
        uint32_t acked, grows;
    } rows[] = {
        {1, 1}, {10, 10}, {MSS, MSS}, {2 * MSS, 2 * MSS}, {3 * MSS, 2 * MSS}, {90 * MSS, 2 * MSS}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_cc cc = start(10 * MSS, UINT32_MAX);

        ack(&cc, rows[i].acked, true);
        assert_int_equal(cc.cwnd, 10 * MSS + rows[i].grows);
        ack(&cc, rows[i].acked, false); /* the application did not fill the window */
        assert_int_equal(cc.cwnd, 10 * MSS + rows[i].grows);
    }
}

/* RFC 5681 3.1 [5681-8]: one segment for each window of bytes, however the ACKs are cut. */
static void test_congestion_avoidance(void **state)
{
    static const uint32_t steps[] = {1, 10, 333, MSS, 2 * MSS, 5 * MSS};

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        struct weir_cc cc = start(10 * MSS, 10 * MSS);
        uint32_t acked = 0;

        while (acked < 10 * MSS - steps[i]) {
            ack(&cc, steps[i], true);
            acked += steps[i];
            assert_int_equal(cc.cwnd, 10 * MSS);
        }
        while (acked < 21 * MSS + steps[i]) {
            ack(&cc, steps[i], true);
            acked += steps[i];
        }
        assert_int_equal(cc.cwnd, 12 * MSS);
    }
}

/* RFC 5681 3.1 [5681-9, 5681-11]: half of the flight, two segments at least. */
static void test_loss(void **state)
{
    static const struct {
        uint32_t flight, ssthresh;
    } rows[] = {
        {20 * MSS, 10 * MSS}, {5 * MSS, 2500}, {4 * MSS, 2 * MSS}, {MSS, 2 * MSS}, {0, 2 * MSS}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_cc cc = start(50 * MSS, UINT32_MAX);

        cc_newreno.lost(&cc, rows[i].flight, 0);
        assert_int_equal(cc.ssthresh, rows[i].ssthresh);
        cc = start(50 * MSS, UINT32_MAX);
        cc_newreno.timed_out(&cc, rows[i].flight, true, 0);
        assert_int_equal(cc.ssthresh, rows[i].ssthresh);
        assert_int_equal(cc.cwnd, MSS);
        cc_newreno.timed_out(&cc, 40 * MSS, false, 0); /* the same segment again */
        assert_int_equal(cc.ssthresh, rows[i].ssthresh);
    }
}

/* RFC 6582 3.2 [6582-3] step 3. */
static void test_recovered(void **state)
{
    static const struct {
        uint32_t ssthresh, flight, cwnd;
    } rows[] = {{5 * MSS, 20 * MSS, 5 * MSS}, {5 * MSS, 2 * MSS, 3 * MSS}, {5 * MSS, 0, 2 * MSS}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct weir_cc cc = start(30 * MSS, rows[i].ssthresh);

        cc_newreno.recovered(&cc, rows[i].flight, 0);
        assert_int_equal(cc.cwnd, rows[i].cwnd);
    }
}

/* ---- In conversation ------------------------------------------------------------------------- */

/* RFC 6928 2 [6928-1]: min(10 MSS, max(2 MSS, 14600)). */
static void test_initial_window(void **state)
{
    static const struct {
        int mss;
        uint32_t cwnd;
    } rows[] = {{536, 5360}, {1460, 14600}, {2000, 14600}, {7300, 14600}, {8960, 17920}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create_mtu(NULL, 9000);
        uint32_t highest = 1;
        int s;

        t->peer_mss = rows[i].mss;
        s = talk_establish_active(t);
        assert_int_equal(talk_info(t, s).cwnd, rows[i].cwnd);
        talk_write(t, s, 200000);
        setup_take_data(t, &highest);
        assert_int_equal(highest - 1, rows[i].cwnd - rows[i].cwnd % (uint32_t)rows[i].mss);
        assert_int_equal(talk_info(t, s).plan_why, WEIR_WHY_WAIT_CWND);
        talk_destroy(t);
    }
}

/* RFC 5681 3.1 [5681-5], RFC 6928 2 [6928-2]: one segment after a lost SYN. */
static void test_initial_window_after_lost_syn(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    talk_advance(t, 1500 * WEIR_MS);
    talk_drain(t);
    talk_in(t, "S. 0:0(0) ack 1 win 65535 <mss 1000>");
    assert_int_equal(talk_info(t, s).cwnd, MSS);
    talk_destroy(t);
}

/* One ACK for each segment: doubling each round trip, until ssthresh; then one segment each. */
static void test_growth(void **state)
{
    struct talk *t = talk_create(NULL);
    uint32_t highest = 1, acked = 1, cwnd = 10 * MSS;
    int s;

    (void)state;
    t->peer_mss = MSS;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_write(t, s, 262144);
    for (unsigned round = 0; round < 2; round++) {
        talk_advance(t, 50 * WEIR_MS);
        setup_take_data(t, &highest);
        assert_int_equal(highest - acked, cwnd);
        for (; acked < highest; acked += MSS)
            setup_in(t, ".", 1, 0, acked + MSS, 65535);
        cwnd *= 2;
        assert_int_equal(talk_info(t, s).cwnd, cwnd);
    }
    talk_advance(t, 400 * WEIR_MS); /* all 40 are lost */
    setup_take_data(t, &highest);
    assert_int_equal(talk_info(t, s).ssthresh, 20 * MSS);
    for (; talk_info(t, s).cwnd < 20 * MSS; acked += MSS)
        setup_in(t, ".", 1, 0, acked + MSS, 65535);
    for (; talk_info(t, s).congestion_recovery; acked += MSS)
        setup_in(t, ".", 1, 0, acked + MSS, 65535);
    setup_take_data(t, &highest);
    cwnd = talk_info(t, s).cwnd;
    for (uint32_t end = acked + cwnd; acked < end; acked += MSS)
        setup_in(t, ".", 1, 0, acked + MSS, 65535);
    assert_int_equal(talk_info(t, s).cwnd, cwnd + MSS);
    talk_destroy(t);
}

/* An application that sends little earns no licence for a burst. */
static void test_application_limited(void **state)
{
    struct talk *t = talk_create(NULL);
    int64_t end = 1;
    int s;

    (void)state;
    t->peer_mss = MSS;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    for (unsigned i = 0; i < 200; i++) {
        talk_write(t, s, 500);
        talk_drain(t);
        end += 500;
        setup_in(t, ".", 1, 0, end, 65535);
    }
    assert_int_equal(talk_info(t, s).cwnd, 10 * MSS);
    talk_destroy(t);
}

/* RFC 5681 4.1 [5681-19]: after more than an RTO of silence, the restart window; not after less. */
static void test_restart_after_idle(void **state)
{
    for (unsigned is_long = 0; is_long < 2; is_long++) {
        struct talk *t = talk_create(NULL);
        uint32_t highest = 1, acked = 1;
        int s;

        (void)state;
        t->peer_mss = MSS;
        s = setup_with_rtt(t, 100 * WEIR_MS);
        talk_write(t, s, 30 * MSS);
        while (acked < 30 * MSS + 1) {
            setup_take_data(t, &highest);
            for (; acked < highest; acked += MSS)
                setup_in(t, ".", 1, 0, acked + MSS, 65535);
        }
        assert_in_range(talk_info(t, s).cwnd, 21 * MSS, 40 * MSS);
        talk_advance(t, is_long ? talk_info(t, s).rto + WEIR_MS : talk_info(t, s).rto / 2);
        talk_write(t, s, 100 * MSS);
        if (is_long)
            assert_int_equal(talk_drain(t), 10);
        else
            assert_true(talk_drain(t) > 20);
        talk_destroy(t);
    }
}

/* The restart window is no gift: a window that a loss has made small stays small. */
static void test_restart_does_not_raise(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_mss = MSS;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_write(t, s, 3 * MSS);
    talk_advance(t, 310 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 3001");
    assert_int_equal(talk_info(t, s).cwnd, 2 * MSS);
    talk_advance(t, 60 * WEIR_SECOND);
    talk_drain(t);
    talk_write(t, s, 20 * MSS);
    assert_int_equal(talk_drain(t), 2);
    talk_destroy(t);
}

/* ACK splitting: a thousand ACKs for one segment are worth one segment. */
static void test_ack_splitting(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_mss = MSS;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_write(t, s, 200 * MSS);
    talk_drain(t);
    for (int64_t i = 1; i <= 1000; i++) {
        setup_in(t, ".", 1, 0, 1 + i, 65535);
        talk_drain(t);
    }
    assert_int_equal(talk_info(t, s).cwnd, 11 * MSS);
    talk_destroy(t);
}

/* Optimistic ACKs of what was not sent yet: refused, and cwnd stays. */
static void test_optimistic_acks(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_mss = MSS;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_write(t, s, 200 * MSS);
    talk_drain(t);
    for (int64_t i = 1; i <= 20; i++)
        setup_in(t, ".", 1, 0, 10001 + i * MSS, 65535);
    assert_int_equal(talk_info(t, s).cwnd, 10 * MSS);
    assert_int_equal(talk_info(t, s).snd_una, talk_our_seq(t, 1));
    talk_destroy(t);
}

/* RFC 9293 3.8.2 [MAY-18]: what runs is told. */
static void test_name(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    assert_string_equal(talk_info(t, s).congestion_control, "newreno");
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_congestion_avoidance),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_recovered),
        cmocka_unit_test(test_initial_window),
        cmocka_unit_test(test_initial_window_after_lost_syn),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_application_limited),
        cmocka_unit_test(test_restart_after_idle),
        cmocka_unit_test(test_restart_does_not_raise),
        cmocka_unit_test(test_ack_splitting),
        cmocka_unit_test(test_optimistic_acks),
        cmocka_unit_test(test_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
