/* SPDX-License-Identifier: MIT */

/* Loss recovery: fast retransmit, NewReno, limited transmit, slow start after a time-out (RFC
 * 5681, 6582, 3042). Segments have 1000 bytes, the first window ten of them. */

#include "setup.h"

#define MSS 1000

static struct talk *create(int *socket)
{
    struct talk *t = talk_create(NULL);

    t->peer_mss = MSS;
    *socket = setup_with_rtt(t, 100 * WEIR_MS);
    return t;
}

/* Ten segments are out, and more is waiting. */
static struct talk *create_with_flight(int *socket)
{
    struct talk *t = create(socket);

    talk_write(t, *socket, 100000);
    assert_int_equal(talk_drain(t), 10);
    assert_int_equal(talk_info(t, *socket).cwnd, 10 * MSS);
    return t;
}

/* RFC 5681 3.2 [5681-13, 5681-15, 5681-17], RFC 3042 2 [3042-1, 3042-2]: two duplicate ACKs let a
 * new segment go each, the third makes the first go again; ssthresh is half of what was out before
 * the limited transmit. */
static void test_third_duplicate(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);
    struct weir_tcp_info info;

    (void)state;
    talk_in(t, ". 1:1(0) ack 1");
    talk_out(t, ". 10001:11001(1000) ack 1 why limited-transmit");
    talk_in(t, ". 1:1(0) ack 1");
    talk_out(t, ". 11001:12001(1000) ack 1 why limited-transmit");
    assert_int_equal(talk_info(t, s).cwnd, 10 * MSS);
    talk_in(t, ". 1:1(0) ack 1");
    talk_out(t, ". 1:1001(1000) ack 1 why fast-retransmit");
    talk_out_none(t);
    info = talk_info(t, s);
    assert_int_equal(info.ssthresh, 5 * MSS);
    assert_int_equal(info.cwnd, 8 * MSS);
    assert_int_equal(info.congestion_recovery, 1);
    assert_int_equal(info.fast_retransmits, 1);
    talk_destroy(t);
}

/* Each further duplicate inflates cwnd by one segment, and new data flows when it reaches beyond
 * what is out; the full ACK deflates it. RFC 5681 3.2 [5681-17] steps 4 to 6. */
static void test_inflation(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    assert_int_equal(talk_drain(t), 3);
    for (unsigned i = 1; i <= 8; i++) { /* the nine others of the flight and the two limited ones */
        talk_in(t, ". 1:1(0) ack 1");
        assert_int_equal(talk_info(t, s).cwnd, (8 + i) * MSS);
        assert_int_equal(talk_drain(t), 8 + i > 12 ? 1 : 0);
    }
    talk_in(t, ". 1:1(0) ack 12001");
    assert_int_equal(talk_info(t, s).congestion_recovery, 0);
    /* RFC 6582 3.2 step 3: min(ssthresh, max(flight, MSS) + MSS) */
    assert_in_range(talk_info(t, s).cwnd, 2 * MSS, 5 * MSS);
    assert_int_equal(talk_info(t, s).ssthresh, 5 * MSS);
    talk_destroy(t);
}

/* RFC 6582 3.2 [6582-2]: three holes in a flight take three round trips; cwnd is deflated by each
 * partial ACK. */
static void test_partial_acks(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);
    uint32_t before;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_drain(t);
    before = talk_info(t, s).cwnd;
    talk_in(t, ". 1:1(0) ack 4001"); /* the second hole */
    talk_out(t, ". 4001:5001(1000) ack 1 why partial-ack");
    assert_int_equal(talk_info(t, s).cwnd, before - 4 * MSS + MSS);
    assert_int_equal(talk_info(t, s).congestion_recovery, 1);
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 7001"); /* the third */
    talk_out(t, ". 7001:8001(1000) ack 1 why partial-ack");
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 12001");
    assert_int_equal(talk_info(t, s).congestion_recovery, 0);
    assert_int_equal(talk_info(t, s).ssthresh, 5 * MSS);
    assert_int_equal(talk_info(t, s).fast_retransmits, 1);
    talk_destroy(t);
}

/* RFC 6582 3.2 [6582-3] step 3: with little left in flight there is no burst afterwards. */
static void test_no_burst_after_recovery(void **state)
{
    struct talk *t;
    int s;

    (void)state;
    t = create(&s);
    talk_write(t, s, 10 * MSS);
    talk_drain(t);
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 10001");
    assert_int_equal(talk_info(t, s).cwnd, 2 * MSS);
    talk_destroy(t);
}

/* RFC 5681 2 [5681-14]: what is no duplicate ACK. */
static void test_what_does_not_count(void **state)
{
    static const char *const segments[] = {
        ". 1:1(0) ack 1 win 65534", /* a window update */
        "P. 1:11(10) ack 1",        /* carries data */
        ". 1:1(0) ack -10",         /* older */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(segments); i++) {
        int s;
        struct talk *t = create_with_flight(&s);

        talk_in(t, segments[i]);
        talk_in(t, i == 0 ? ". 1:1(0) ack 1 win 65533" : segments[i]);
        talk_in(t, segments[i]);
        talk_in(t, i == 0 ? ". 1:1(0) ack 1 win 65532" : segments[i]);
        assert_int_equal(talk_info(t, s).duplicate_acks_received, 0);
        assert_int_equal(talk_info(t, s).fast_retransmits, 0);
        talk_destroy(t);
    }
}

/* Nothing is out: nothing is a duplicate. */
static void test_idle_duplicates(void **state)
{
    int s;
    struct talk *t = create(&s);

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_out_none(t);
    assert_int_equal(talk_info(t, s).duplicate_acks_received, 0);
    talk_destroy(t);
}

/* RFC 3042 2 [3042-1]: within the peer's window, and only what is there. */
static void test_limited_transmit_is_limited(void **state)
{
    int s;
    struct talk *t = create(&s);

    (void)state;
    setup_in(t, ".", 1, 0, 1, 10000);
    talk_write(t, s, 100000);
    assert_int_equal(talk_drain(t), 10);
    for (unsigned i = 0; i < 2; i++)
        setup_in(t, ".", 1, 0, 1, 10000);
    talk_out_none(t);
    setup_in(t, ".", 1, 0, 1, 10000);
    talk_out(t, ". 1:1001(1000) ack 1 why fast-retransmit");
    talk_destroy(t);
}

/* RFC 5681 3.1 [5681-9, 5681-10, 5681-11]: a time-out sets ssthresh to half of the flight once,
 * cwnd to one segment; what follows is slow start over what was out, jumping where the peer has it
 * already. */
static void test_timeout(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);

    (void)state;
    talk_mark(t);
    talk_expect_at(t, 300, ". 1:1001(1000) ack 1 why rto");
    assert_int_equal(talk_info(t, s).ssthresh, 5 * MSS);
    assert_int_equal(talk_info(t, s).cwnd, MSS);
    assert_int_equal(talk_info(t, s).congestion_recovery, 2);
    talk_expect_at(t, 900, ". 1:1001(1000) ack 1 why rto");
    assert_int_equal(talk_info(t, s).ssthresh, 5 * MSS);
    talk_in(t, ". 1:1(0) ack 1001");
    talk_out(t, ". 1001:2001(1000) ack 1 why loss-recovery");
    talk_out(t, ". 2001:3001(1000) ack 1 why loss-recovery");
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 7001"); /* 4 to 7 had arrived: one segment more, not four */
    assert_int_equal(talk_info(t, s).cwnd, 3 * MSS);
    talk_out(t, ". 7001:8001(1000) ack 1 why loss-recovery");
    talk_out(t, ". 8001:9001(1000) ack 1 why loss-recovery");
    talk_out(t, ". 9001:10001(1000) ack 1 why loss-recovery");
    talk_in(t, ". 1:1(0) ack 10001");
    assert_int_equal(talk_info(t, s).congestion_recovery, 0);
    talk_out(t, ". 10001:11001(1000) ack 1 why data");
    talk_destroy(t);
}

/* RFC 6582 3.2 [6582-1, 6582-5] step 2: after a time-out, duplicates of what was sent twice start
 * no fast retransmit, as long as the ACK does not cover more than what was out then. */
static void test_no_fast_retransmit_after_timeout(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);

    (void)state;
    talk_advance(t, 300 * WEIR_MS);
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 1001"); /* the originals were only late */
    talk_in(t, ". 1:1(0) ack 10001");
    assert_true(talk_drain(t) > 2);
    for (unsigned i = 0; i < 5; i++)
        talk_in(t, ". 1:1(0) ack 10001"); /* the echo of the second copies */
    assert_int_equal(talk_info(t, s).fast_retransmits, 0);
    assert_int_equal(talk_info(t, s).congestion_recovery, 0);
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 11001"); /* beyond it they count again */
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 11001");
    assert_int_equal(talk_info(t, s).fast_retransmits, 1);
    talk_destroy(t);
}

/* The retransmission is lost as well: the timer brings it back, and recovery ends (RFC 6582
 * 3.2). */
static void test_timeout_in_recovery(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_drain(t);
    talk_advance(t, 300 * WEIR_MS);
    talk_out(t, ". 1:1001(1000) ack 1 why rto");
    assert_int_equal(talk_info(t, s).congestion_recovery, 2);
    assert_int_equal(talk_info(t, s).cwnd, MSS);
    talk_in(t, ". 1:1(0) ack 12001");
    assert_int_equal(talk_info(t, s).congestion_recovery, 0);
    talk_destroy(t);
}

/* An attacker's duplicates do not inflate beyond what can have left the network. */
static void test_invented_duplicates(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        talk_in(t, ". 1:1(0) ack 1");
        talk_drain(t);
    }
    assert_true(talk_info(t, s).snd_nxt - talk_info(t, s).snd_una <= 32 * MSS);
    talk_destroy(t);
}

/* The first flight's very first segment can be mended too (recover starts at the ISS). */
static void test_loss_in_the_first_flight(void **state)
{
    int s;
    struct talk *t = create(&s);

    (void)state;
    talk_write(t, s, 4 * MSS);
    talk_drain(t);
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_out(t, ". 1:1001(1000) ack 1 why fast-retransmit");
    talk_in(t, ". 1:1(0) ack 4001");
    /* And the next flight's, at once. */
    talk_write(t, s, 2 * MSS);
    assert_int_equal(talk_drain(t), 2);
    talk_in(t, ". 1:1(0) ack 5001");
    talk_write(t, s, 10 * MSS);
    talk_drain(t);
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 5001");
    assert_int_equal(talk_info(t, s).fast_retransmits, 2);
    talk_destroy(t);
}

/* The window closes in the middle of recovery: what was inflated does not outlive it. */
static void test_window_closes_in_recovery(void **state)
{
    int s;
    struct talk *t = create_with_flight(&s);

    (void)state;
    for (unsigned i = 0; i < 11; i++)
        talk_in(t, ". 1:1(0) ack 1");
    assert_int_equal(talk_info(t, s).cwnd, 16 * MSS);
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_advance(t, 50 * WEIR_MS);
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 1 win 65535");
    assert_true(talk_info(t, s).cwnd <= 5 * MSS);
    assert_in_range(talk_drain(t), 1, 5);
    talk_destroy(t);
}

/* A lost FIN: sent again, with the data before it if that is lost too. */
static void test_lost_fin(void **state)
{
    int s;
    struct talk *t = create(&s);

    (void)state;
    talk_write(t, s, 500);
    talk_shutdown(t, s);
    talk_out(t, "P. 1:501(500) ack 1");
    talk_out(t, "F. 501:501(0) ack 1");
    talk_mark(t);
    talk_expect_at(t, 300, "FP. 1:501(500) ack 1 why rto");
    talk_in(t, ". 1:1(0) ack 501");
    talk_mark(t);
    talk_expect_between(t, 0, 700, "F. 501:501(0) ack 1");
    talk_in(t, ". 1:1(0) ack 502");
    talk_expect_state(t, s, FIN_WAIT_2);
    talk_advance(t, 10 * WEIR_SECOND);
    talk_out_none(t);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_third_duplicate),
        cmocka_unit_test(test_inflation),
        cmocka_unit_test(test_partial_acks),
        cmocka_unit_test(test_no_burst_after_recovery),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_idle_duplicates),
        cmocka_unit_test(test_limited_transmit_is_limited),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_no_fast_retransmit_after_timeout),
        cmocka_unit_test(test_timeout_in_recovery),
        cmocka_unit_test(test_invented_duplicates),
        cmocka_unit_test(test_loss_in_the_first_flight),
        cmocka_unit_test(test_window_closes_in_recovery),
        cmocka_unit_test(test_lost_fin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
