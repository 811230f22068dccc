/* SPDX-License-Identifier: MIT */

/* What is measured for the observer: segments of a flight, what became of them, and how the time was
 * spent. */

#include "setup.h"

#define MS WEIR_MS

struct flight {
    uint32_t unacked, retransmitted, lost, delivered;
};

static void expect_flight(struct talk *t, int s, struct flight want)
{
    struct weir_tcp_info info = talk_info(t, s);

    assert_int_equal(info.segments_unacked, want.unacked);
    assert_int_equal(info.segments_retransmitted, want.retransmitted);
    assert_int_equal(info.segments_lost, want.lost);
    assert_int_equal(info.segments_delivered, want.delivered);
}

/* SYN, whole segments, small ones, the FIN: each is one. */
static void segments_are_counted(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    talk_out(t, "S 0:0(0)");
    expect_flight(t, s, (struct flight){.unacked = 1});
    talk_in(t, "S. 0:0(0) ack 1 <mss 1460>");
    expect_flight(t, s, (struct flight){.delivered = 1});
    weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
    talk_write(t, s, 3000);
    expect_flight(t, s, (struct flight){.unacked = 3, .delivered = 1});
    talk_write(t, s, 10);
    expect_flight(t, s, (struct flight){.unacked = 4, .delivered = 1});
    talk_in(t, ". 1:1(0) ack 2921");
    expect_flight(t, s, (struct flight){.unacked = 2, .delivered = 3});
    talk_shutdown(t, s);
    expect_flight(t, s, (struct flight){.unacked = 3, .delivered = 3});
    talk_in(t, ". 1:1(0) ack 3012");
    expect_flight(t, s, (struct flight){.delivered = 6});
    talk_destroy(t);
}

/* The FIN that rides on a segment is none of its own. */
static void a_riding_fin_is_no_segment(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    uint8_t bytes[1460] = {0};

    (void)state;
    weir_socket_send(t->stack, s, bytes, 1460, 0);
    weir_socket_shutdown(t->stack, s, WEIR_SHUT_WR);
    talk_run(t);
    expect_flight(t, s, (struct flight){.unacked = 1, .delivered = 1});
    talk_in(t, ". 1:1(0) ack 1462");
    expect_flight(t, s, (struct flight){.delivered = 2});
    talk_destroy(t);
}

static void fast_recovery_takes_one_for_lost(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_write(t, s, 14600);
    for (uint32_t i = 1; i <= 3; i++) {
        expect_flight(t, s, (struct flight){.unacked = 10, .delivered = 1});
        talk_in(t, ". 1:1(0) ack 1");
        assert_int_equal(talk_info(t, s).duplicate_acks, i);
    }
    assert_int_equal(talk_info(t, s).reordering, 3);
    expect_flight(t, s, (struct flight){10, 1, 1, 1});
    talk_in(t, ". 1:1(0) ack 4381"); /* partial: the fourth is the next */
    expect_flight(t, s, (struct flight){7, 1, 1, 4});
    talk_in(t, ". 1:1(0) ack 14601");
    expect_flight(t, s, (struct flight){0, 0, 0, 11});
    talk_destroy(t);
}

/* After a time-out all that was out is lost, and some of it on its way again. */
static void a_time_out_takes_all_for_lost(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_write(t, s, 7300);
    talk_advance(t, 200 * MS);
    expect_flight(t, s, (struct flight){5, 1, 5, 1});
    talk_in(t, ". 1:1(0) ack 1461");
    expect_flight(t, s, (struct flight){4, 2, 4, 2});
    talk_advance(t, 400 * MS); /* again: those sent before are lost, too */
    expect_flight(t, s, (struct flight){4, 1, 4, 2});
    talk_in(t, ". 1:1(0) ack 7301");
    expect_flight(t, s, (struct flight){0, 0, 0, 6});
    talk_destroy(t);
}

static void sizes_and_samples(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 30 * MS);
    struct weir_tcp_info info = talk_info(t, s);

    (void)state;
    assert_int_equal(info.min_rtt, 30 * MS);
    assert_int_equal(info.advertised_mss, 1460);
    assert_int_equal(info.rcv_mss, 536);
    talk_in(t, "P. 1:701(700) ack 1");
    talk_in(t, "P. 701:711(10) ack 1");
    assert_int_equal(talk_info(t, s).rcv_mss, 700);
    talk_write(t, s, 10);
    talk_advance(t, 10 * MS + 999);
    talk_in(t, ". 711:711(0) ack 11");
    assert_int_equal(talk_info(t, s).min_rtt, 10 * MS);
    talk_write(t, s, 10);
    talk_advance(t, 40 * MS);
    talk_in(t, ". 711:711(0) ack 21");
    assert_int_equal(talk_info(t, s).min_rtt, 10 * MS);
    talk_destroy(t);
}

static void the_last_of_each_kind(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 30 * MS);
    weir_time start = t->now;
    struct weir_tcp_info info = talk_info(t, s);

    (void)state;
    assert_int_equal(info.last_data_sent, start);
    assert_int_equal(info.last_data_received, start);
    assert_int_equal(info.last_ack_received, start);
    talk_advance(t, 5 * MS);
    talk_write(t, s, 10);
    talk_advance(t, 5 * MS);
    talk_in(t, ". 1:1(0) ack 11");
    talk_advance(t, 5 * MS);
    talk_in(t, "P. 11:21(10) ack 11"); /* out of order counts */
    talk_advance(t, 5 * MS);
    talk_in(t, ". 1:1(0) ack 11");
    info = talk_info(t, s);
    assert_int_equal(info.last_data_sent, start + 5 * MS);
    assert_int_equal(info.last_data_received, start + 15 * MS);
    assert_int_equal(info.last_ack_received, start + 20 * MS);
    talk_destroy(t);
}

static void expect_times(struct talk *t, int s, int busy, int window, int buffer)
{
    struct weir_tcp_info info = talk_info(t, s);

    assert_int_equal(info.busy_time, busy * MS);
    assert_int_equal(info.window_limited, window * MS);
    assert_int_equal(info.buffer_limited, buffer * MS);
}

/* Idle, waiting for an ACK, for the peer's window, for room in our own buffer, and idle again. */
static void time_is_spent(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 30 * MS);
    uint8_t bytes[8192] = {0};

    (void)state;
    talk_advance(t, 10 * MS);
    expect_times(t, s, 0, 0, 0);
    weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
    weir_socket_send(t->stack, s, bytes, 1000, 0);
    talk_run(t);
    talk_advance(t, 10 * MS);
    expect_times(t, s, 10, 0, 0);
    talk_in(t, ". 1:1(0) ack 1001 win 2000");
    talk_advance(t, 10 * MS);
    expect_times(t, s, 10, 0, 0);
    weir_socket_send(t->stack, s, bytes, 3000, 0);
    talk_run(t); /* a window of 2000 takes one segment and less than another */
    talk_advance(t, 10 * MS);
    expect_times(t, s, 20, 10, 0);
    talk_in(t, ". 1:1(0) ack 2461 win 20000");
    talk_advance(t, 10 * MS);
    expect_times(t, s, 30, 10, 0);
    weir_socket_set(t->stack, s, WEIR_SO_SNDBUF, 2048);
    weir_socket_send(t->stack, s, bytes, sizeof(bytes), 0);
    assert_int_equal(weir_socket_send(t->stack, s, bytes, 1, 0), WEIR_EAGAIN);
    talk_run(t); /* all is sent, and the writer waits */
    talk_advance(t, 10 * MS);
    expect_times(t, s, 40, 10, 10);
    talk_in(t, ". 1:1(0) ack 4000 win 20000");
    talk_advance(t, 10 * MS);
    expect_times(t, s, 50, 10, 10);
    talk_in(t, ". 1:1(0) ack 4509 win 20000");
    talk_advance(t, 10 * MS);
    expect_times(t, s, 50, 10, 10);
    talk_write(t, s, 10);
    talk_advance(t, 5 * MS);
    talk_in(t, "R 1:1(0)"); /* a clock that runs stops with the connection */
    talk_advance(t, 10 * MS);
    assert_true(talk_info(t, s).busy_time <= 55 * MS);
    talk_destroy(t);
}

/* A closed window is the peer's, too, and so is what is unsent then. */
static void a_closed_window_is_the_peers(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_in(t, "P. 1:11(10) ack 1 win 0");
    talk_write(t, s, 100);
    assert_int_equal(talk_info(t, s).unsent, 100);
    talk_advance(t, 100 * MS);
    expect_times(t, s, 100, 100, 0);
    talk_advance(t, 200 * MS); /* a probe is a byte that is out */
    assert_int_equal(talk_info(t, s).probes, 1);
    assert_int_equal(talk_info(t, s).unsent, 99);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_counted),
        cmocka_unit_test(a_riding_fin_is_no_segment),
        cmocka_unit_test(fast_recovery_takes_one_for_lost),
        cmocka_unit_test(a_time_out_takes_all_for_lost),
        cmocka_unit_test(sizes_and_samples),
        cmocka_unit_test(the_last_of_each_kind),
        cmocka_unit_test(time_is_spent),
        cmocka_unit_test(a_closed_window_is_the_peers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
