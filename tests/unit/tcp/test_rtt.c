/* SPDX-License-Identifier: MIT */

/* RFC 6298: the estimator against its formulas in floating point, and when the timer runs. */

#include "setup.h"

#include <stdlib.h>
#include <tcp/tcp.h>

/* ---- The estimator --------------------------------------------------------------------------- */

struct bench {
    struct weir_tcp_settings settings;
    struct weir_counters counters;
    struct tcp_context context;
    struct tcp_conn conn;
};

static void start(struct bench *bench, weir_time rto_min)
{
    memset(bench, 0, sizeof(*bench));
    weir_profile(WEIR_PROFILE_DEFAULT, &bench->settings);
    bench->settings.rto_min = rto_min;
    bench->context.counters = &bench->counters;
    tcp_init(&bench->conn, &bench->context, &bench->settings);
}

/* RFC 9293 3.8.1 [MUST-18]; RFC 6298 2.1 [6298-1]: before any sample, one second. */
static void test_initial(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, WEIR_SECOND);
    assert_int_equal(bench.conn.rto, WEIR_SECOND);
    assert_false(bench.conn.has_rtt);
}

/* RFC 6298 2.2, 2.3 [6298-2, 6298-3]. */
static void test_formulas(void **state)
{
    unsigned seed = 6298;
    struct bench bench;
    double srtt = 0, rttvar = 0;

    (void)state;
    start(&bench, WEIR_MS);
    for (unsigned i = 0; i < 2000; i++) {
        weir_time rtt = 1 + (weir_time)rand_r(&seed) % (i % 100 ? 400 * WEIR_MS : 9 * WEIR_SECOND);
        double r = (double)rtt, rto;

        rttvar = i ? 0.75 * rttvar + 0.25 * (srtt > r ? srtt - r : r - srtt) : r / 2;
        srtt = i ? 0.875 * srtt + 0.125 * r : r;
        tcp_rtt_sample(&bench.conn, rtt);
        rto = srtt + (4 * rttvar > 1000 ? 4 * rttvar : 1000);
        rto = rto < 1e6 ? 1e6 : rto > 120e9 ? 120e9 : rto;
        assert_true(llabs(bench.conn.srtt - (weir_time)srtt) < 100);
        assert_true(llabs(bench.conn.rttvar - (weir_time)rttvar) < 100);
        assert_true(llabs(bench.conn.rto - (weir_time)rto) < 1000);
    }
}

/* RFC 6298 2.3, 2.4 [6298-4, 6298-5, 6298-8]: a steady path, where 4 RTTVAR sinks to nothing; the
 * floor and the ceiling. */
static void test_bounds(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, WEIR_MS);
    for (unsigned i = 0; i < 200; i++)
        tcp_rtt_sample(&bench.conn, 50 * WEIR_MS);
    assert_true(bench.conn.rto > 50 * WEIR_MS);
    assert_true(bench.conn.rto < 51 * WEIR_MS);
    start(&bench, WEIR_SECOND);
    tcp_rtt_sample(&bench.conn, WEIR_MS);
    assert_int_equal(bench.conn.rto, WEIR_SECOND);
    tcp_rtt_sample(&bench.conn, 500 * WEIR_SECOND);
    assert_int_equal(bench.conn.rto, 120 * WEIR_SECOND);
    tcp_rtt_sample(&bench.conn, -5); /* a clock that stood still */
    assert_true(bench.conn.srtt > 0);
}

/* RFC 6298 5.5 [6298-5, 6298-11]: the back-off, and its cap. */
static void test_back_off(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench, WEIR_SECOND);
    for (unsigned i = 0; i < 255; i++) {
        bench.conn.retries = (uint8_t)i;
        assert_int_equal(tcp_rto_backed_off(&bench.conn),
                         i < 7 ? WEIR_SECOND << i : 120 * WEIR_SECOND);
    }
}

/* ---- In conversation ------------------------------------------------------------------------- */

/* The SYN is the first sample, in both roles. */
static void test_sample_of_the_handshake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 80 * WEIR_MS), listener;

    (void)state;
    assert_int_equal(talk_info(t, s).srtt, 80 * WEIR_MS);
    assert_int_equal(talk_info(t, s).rto, 240 * WEIR_MS);
    talk_destroy(t);
    t = talk_create(NULL);
    listener = talk_listen(t, 1);
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_advance(t, 100 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(talk_info(t, s).srtt, 100 * WEIR_MS);
    talk_destroy(t);
}

/* RFC 6298 5.1-5.3 [6298-10]: an ACK of new data restarts the timer; nothing is out, nothing runs. */
static void test_timer_restarts(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write(t, s, 2920);
    talk_drain(t);
    talk_advance(t, 100 * WEIR_MS);
    talk_mark(t);
    talk_in(t, ". 1:1(0) ack 1461");
    talk_expect_at(t, (double)talk_info(t, s).rto / 1e6, "P. 1461:2921(1460) ack 1 why rto");
    talk_in(t, ". 1:1(0) ack 2921");
    talk_advance(t, 100 * WEIR_SECOND);
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.8.1 [MUST-18], RFC 6298 3 [6298-6]: Karn. An ACK of what was sent twice says nothing:
 * the timeout stays as it was backed off, as the next interval shows; new data is a sample again,
 * and ends that. */
static void test_karn(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_mark(t);
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_expect_at(t, 300, "P. 1:101(100) ack 1 why rto");
    talk_expect_at(t, 900, "P. 1:101(100) ack 1 why rto");
    talk_advance(t, 900 * WEIR_MS);
    assert_int_equal(talk_info(t, s).rto, 1200 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 101");
    assert_int_equal(talk_info(t, s).srtt, 100 * WEIR_MS);
    assert_int_equal(talk_info(t, s).rto, 1200 * WEIR_MS);
    talk_mark(t);
    talk_write(t, s, 100);
    talk_out(t, "P. 101:201(100) ack 1");
    talk_expect_at(t, 1200, "P. 101:201(100) ack 1 why rto");
    talk_in(t, ". 1:1(0) ack 201");
    assert_int_equal(talk_info(t, s).rto, 2400 * WEIR_MS);
    talk_write(t, s, 100);
    talk_out(t, "P. 201:301(100) ack 1");
    talk_advance(t, 100 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 301");
    assert_int_equal(talk_info(t, s).srtt, 100 * WEIR_MS);
    assert_int_equal(talk_info(t, s).rttvar, 37500 * WEIR_US);
    assert_int_equal(talk_info(t, s).rto, 250 * WEIR_MS);
    talk_destroy(t);
}

/* A path that has become slower than the timeout: the back-off that stays is what lets a segment
 * live until it can be measured. */
static void test_slower_path_is_learned(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);
    uint32_t written = 0;

    (void)state;
    for (unsigned i = 0; i < 20; i++) { /* one segment at a time, answered after 2 s */
        talk_write(t, s, 100);
        written += 100;
        talk_advance(t, 2 * WEIR_SECOND);
        talk_drain(t);
        setup_in(t, ".", 1, 0, 1 + written, 65535);
    }
    assert_true(talk_info(t, s).srtt > WEIR_SECOND);
    assert_true(talk_info(t, s).rto > 2 * WEIR_SECOND);
    talk_destroy(t);
}

/* Karn again: an ACK that covers new and repeated bytes is no sample. */
static void test_karn_mixed(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write(t, s, 1460);
    talk_advance(t, 310 * WEIR_MS);
    talk_write(t, s, 1460);
    talk_advance(t, 5 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 1461"); /* the first, sent twice */
    assert_int_equal(talk_info(t, s).srtt, 100 * WEIR_MS);
    talk_destroy(t);
}

/* RFC 6298 5.7 [6298-12]: a lost SYN; data starts with three seconds, for a sample it never had. */
static void test_lost_syn(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    talk_mark(t);
    talk_out(t, "S 0:0(0)");
    talk_expect_at(t, 1000, "S 0:0(0)");
    talk_in(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    talk_out(t, ". 1:1(0) ack 1");
    assert_int_equal(talk_info(t, s).srtt, 0); /* Karn */
    talk_mark(t);
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_expect_at(t, 3000, "P. 1:101(100) ack 1 why rto");
    talk_expect_at(t, 9000, "P. 1:101(100) ack 1 why rto");
    talk_destroy(t);
}

static void test_lost_syn_ack(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 1), s;

    (void)state;
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_mark(t);
    talk_out(t, "S. 0:0(0) ack 1");
    talk_expect_at(t, 1000, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(talk_info(t, s).srtt, 0);
    talk_mark(t);
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_expect_at(t, 3000, "P. 1:101(100) ack 1 why rto");
    talk_destroy(t);
}

/* Karn in the handshake: the peer's SYN came twice, so did our SYN-ACK. */
static void test_repeated_syn_ack(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 1), s;

    (void)state;
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_advance(t, 900 * WEIR_MS);
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_advance(t, 20 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(talk_info(t, s).srtt, 0);
    assert_int_equal(talk_info(t, s).rto, WEIR_SECOND);
    talk_destroy(t);
}

/* RFC 6298 5 [6298-9]: never sooner than one RTO after the last time the segment was sent. */
static void test_never_early(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);
    weir_time last = t->now, at;
    struct weir_packet packet;

    (void)state;
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_advance(t, 60 * WEIR_SECOND);
    for (weir_time least = 300 * WEIR_MS; talk_take(t, &packet, &at); least *= 2) {
        assert_int_equal(at - last, least);
        last = at;
    }
    assert_true(t->now - last < 60 * WEIR_SECOND);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initial),
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_sample_of_the_handshake),
        cmocka_unit_test(test_timer_restarts),
        cmocka_unit_test(test_karn),
        cmocka_unit_test(test_slower_path_is_learned),
        cmocka_unit_test(test_karn_mixed),
        cmocka_unit_test(test_lost_syn),
        cmocka_unit_test(test_lost_syn_ack),
        cmocka_unit_test(test_repeated_syn_ack),
        cmocka_unit_test(test_never_early),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
