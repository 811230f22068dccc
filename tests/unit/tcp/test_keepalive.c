/* SPDX-License-Identifier: MIT */

/* Keep-alive: RFC 9293 3.8.4 [MAY-5]. */

#include "setup.h"

static void enable(struct talk *t, int s, weir_time idle, weir_time interval, int count)
{
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_KEEPIDLE, idle), 0);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_KEEPINTVL, interval), 0);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_KEEPCNT, count), 0);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_KEEPALIVE, 1), 0);
}

/* RFC 9293 3.8.4 [MUST-25]: off unless asked for. */
static void test_off_by_default(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    int64_t value = 1;

    (void)state;
    assert_int_equal(weir_socket_get(t->stack, s, WEIR_SO_KEEPALIVE, &value), 0);
    assert_int_equal(value, 0);
    talk_advance(t, 100 * 3600 * WEIR_SECOND);
    talk_out_none(t);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.8.4 [MUST-24, MUST-28]: on for one socket; after two hours by default. */
static void test_one_socket(void **state)
{
    struct talk *t = talk_create(NULL);
    int a = talk_establish_passive(t), b;

    (void)state;
    t->our_port = 81;
    talk_use(t, 81, 40001, 7);
    b = talk_establish_passive(t);
    talk_use(t, 80, 40000, 1000);
    talk_mark(t);
    assert_int_equal(weir_socket_set(t->stack, a, WEIR_SO_KEEPALIVE, 1), 0);
    talk_expect_at(t, 7200e3, ". 0:0(0) ack 1 why keep-alive");
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_at(t, 14400e3, ". 0:0(0) ack 1");
    assert_int_equal(weir_socket_set(t->stack, a, WEIR_SO_KEEPALIVE, 0), 0);
    talk_drain(t);
    talk_advance(t, 20000 * WEIR_SECOND);
    talk_out_none(t);
    talk_expect_state(t, a, ESTABLISHED);
    talk_expect_state(t, b, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.8.4 [MUST-27, SHLD-12]: ten seconds, if that is what the application wants; no
 * data, at SND.NXT - 1. */
static void test_interval(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    enable(t, s, 10 * WEIR_SECOND, 2 * WEIR_SECOND, 3);
    talk_mark(t);
    talk_expect_at(t, 10e3, ". 0:0(0) ack 1 why keep-alive");
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_at(t, 20e3, ". 0:0(0) ack 1 why keep-alive");
    talk_in(t, ". 1:1(0) ack 1");
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_in(t, ". 1:1(0) ack 101");
    talk_expect_at(t, 30e3, ". 100:100(0) ack 1 why keep-alive");
    talk_destroy(t);
}

/* RFC 9293 3.8.4 [MUST-26]: idle is who was not heard, not who was not asked to look. */
static void test_switched_on_late(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_mark(t);
    talk_advance(t, 6 * WEIR_SECOND);
    enable(t, s, 10 * WEIR_SECOND, 2 * WEIR_SECOND, 3);
    talk_expect_at(t, 10e3, ". 0:0(0) ack 1 why keep-alive");
    talk_in(t, ". 1:1(0) ack 1");
    talk_advance(t, 8 * WEIR_SECOND);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_KEEPIDLE, 9 * WEIR_SECOND), 0);
    talk_expect_at(t, 19e3, ". 0:0(0) ack 1 why keep-alive");
    talk_destroy(t);
}

/* RFC 9293 3.8.4 [MUST-27]: an answer starts the idle time anew, also where the probes' interval is
 * the longer one. */
static void test_idle_less_than_interval(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    enable(t, s, 10 * WEIR_SECOND, 75 * WEIR_SECOND, 3);
    talk_mark(t);
    talk_expect_at(t, 10e3, ". 0:0(0) ack 1 why keep-alive");
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_at(t, 20e3, ". 0:0(0) ack 1 why keep-alive");
    talk_expect_at(t, 95e3, ". 0:0(0) ack 1 why keep-alive");
    talk_destroy(t);
}

/* RFC 9293 3.8.4 [MUST-26]: not while data is out; what is heard starts the interval anew. */
static void test_only_when_idle(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_packet packet;
    int s = talk_establish_passive(t);

    (void)state;
    enable(t, s, 10 * WEIR_SECOND, 2 * WEIR_SECOND, 3);
    talk_mark(t);
    talk_advance(t, 6 * WEIR_SECOND);
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_at(t, 16e3, ". 0:0(0) ack 1 why keep-alive");
    talk_in(t, "P. 1:11(10) ack 1");
    talk_advance(t, WEIR_SECOND);
    talk_drain(t);
    talk_write(t, s, 100);
    talk_advance(t, 25 * WEIR_SECOND);
    while (talk_take(t, &packet, NULL))
        assert_int_equal(packet.payload_length, 100); /* retransmissions only */
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.8.4 [MUST-29]: one probe without answer is not death; three in a row are. */
static void test_one_is_not_death(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    enable(t, s, 10 * WEIR_SECOND, 2 * WEIR_SECOND, 3);
    talk_mark(t);
    talk_expect_at(t, 10e3, ". 0:0(0) ack 1");
    talk_expect_at(t, 12e3, ". 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_at(t, 22e3, ". 0:0(0) ack 1");
    talk_expect_at(t, 24e3, ". 0:0(0) ack 1");
    talk_expect_at(t, 26e3, ". 0:0(0) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    talk_advance(t, 2 * WEIR_SECOND);
    talk_expect_state(t, s, CLOSED);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
    talk_out_none(t);
    talk_destroy(t);
}

/* The other side's probe, with and without its garbage byte, gets an ACK and leaves no data RFC
 * 9293 3.8.4 [MAY-6]. */
static void test_answer(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, ". 0:0(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, ". 0:1(1) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    assert_int_equal(talk_read(t, s, 10), WEIR_EAGAIN);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* TIME-WAIT waits for nobody: no probe, and no error at the end. */
static void test_not_in_time_wait(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    enable(t, s, 10 * WEIR_SECOND, 2 * WEIR_SECOND, 3);
    assert_int_equal(weir_socket_shutdown(t->stack, s, WEIR_SHUT_WR), 0);
    talk_out(t, "F. 1:1(0) ack 1");
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, ". 2:2(0) ack 2");
    talk_in(t, ". 2:2(0) ack 2");
    talk_advance(t, 59 * WEIR_SECOND);
    talk_out_none(t);
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
}

/* A half-closed connection is kept alive as well. */
static void test_in_close_wait(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    enable(t, s, 10 * WEIR_SECOND, 2 * WEIR_SECOND, 3);
    talk_in(t, "F. 1:1(0) ack 1");
    talk_out(t, ". 1:1(0) ack 2");
    talk_mark(t);
    talk_expect_at(t, 10e3, ". 0:0(0) ack 2 why keep-alive");
    talk_in(t, ". 2:2(0) ack 1");
    talk_expect_state(t, s, CLOSE_WAIT);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_by_default),
        cmocka_unit_test(test_one_socket),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_only_when_idle),
        cmocka_unit_test(test_one_is_not_death),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_switched_on_late),
        cmocka_unit_test(test_in_close_wait),
        cmocka_unit_test(test_idle_less_than_interval),
        cmocka_unit_test(test_not_in_time_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
