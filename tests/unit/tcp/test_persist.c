/* SPDX-License-Identifier: MIT */

/* Probing a closed window: RFC 9293 3.8.6.1. */

#include "setup.h"

/* A connection whose peer has answered after 100 ms (RTO 300 ms) and has closed its window. */
static struct talk *create_closed(int *socket)
{
    struct talk *t = talk_create(NULL);

    *socket = setup_with_rtt(t, 100 * WEIR_MS);
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_mark(t);
    return t;
}

/* RFC 9293 3.8.6.1 [MUST-36, SHLD-29, SHLD-30]: the first after one RTO, then doubling up to the
 * cap of 120 s; one byte, always the same. */
static void test_back_off(void **state)
{
    int s;
    struct talk *t = create_closed(&s);
    double at = 0, interval = 300;

    (void)state;
    talk_write(t, s, 5000);
    talk_out_none(t);
    for (unsigned i = 0; i < 15; i++) {
        at += interval;
        interval = interval * 2 < 120000 ? interval * 2 : 120000;
        talk_expect_at(t, at, "* 1:2(1) ack 1 why probe");
        talk_in(t, ". 1:1(0) ack 1 win 0");
        talk_out_none(t);
    }
    talk_destroy(t);
}

/* RFC 9293 3.8.6.1 [MUST-37, MAY-8]: a day of it; then all flows. */
static void test_hours(void **state)
{
    int s;
    struct talk *t = create_closed(&s);
    weir_time end = t->now + 24 * 3600 * WEIR_SECOND;
    struct weir_packet packet;
    unsigned probes = 0;

    (void)state;
    talk_write(t, s, 5000);
    while (t->now < end) {
        talk_advance(t, 30 * WEIR_SECOND);
        while (talk_take(t, &packet, NULL)) {
            assert_int_equal(packet.payload_length, 1);
            probes++;
            talk_in(t, ". 1:1(0) ack 1 win 0");
        }
        talk_expect_state(t, s, ESTABLISHED);
    }
    assert_in_range(probes, 24 * 30 - 1, 24 * 30 + 20);
    talk_in(t, ". 1:1(0) ack 1 win 65535");
    talk_out(t, ". 1:1461(1460) ack 1");
    talk_out(t, ". 1461:2921(1460) ack 1");
    talk_out(t, ". 2921:4381(1460) ack 1");
    talk_in(t, ". 1:1(0) ack 4381");
    talk_out(t, "P. 4381:5001(620) ack 1");
    talk_destroy(t);
}

/* Closed from the handshake on. */
static void test_closed_from_the_start(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 0;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_mark(t);
    talk_write(t, s, 3000);
    talk_expect_at(t, 300, "* 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_expect_at(t, 900, "* 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 2 win 4000");
    talk_out(t, ". 2:1462(1460) ack 1");
    talk_destroy(t);
}

/* The peer takes the byte, and still has no room. */
static void test_byte_is_taken(void **state)
{
    int s;
    struct talk *t = create_closed(&s);

    (void)state;
    talk_write(t, s, 5000);
    talk_expect_at(t, 300, "* 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 2 win 0");
    talk_mark(t);
    talk_expect_between(t, 300, 600, "* 2:3(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 3 win 5000");
    talk_out(t, ". 3:1463(1460) ack 1 why data");
    talk_destroy(t);
}

/* Nobody answers: given up like unanswered data, after R2 and 100 s RFC 9293 3.8.3 [SHLD-11]. */
static void test_unanswered(void **state)
{
    int s;
    struct talk *t = create_closed(&s);
    weir_time start = t->now;

    (void)state;
    talk_write(t, s, 5000);
    while (talk_state(t, s) == WEIR_STATE_ESTABLISHED && t->now < start + 7200 * WEIR_SECOND)
        talk_advance(t, WEIR_SECOND);
    assert_true(t->now - start >= 100 * WEIR_SECOND);
    assert_true(t->now - start < 3600 * WEIR_SECOND);
    assert_true(talk_drain(t) >= 15);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
    talk_destroy(t);
}

/* RFC 9293 3.8.6 [MUST-35]: the window shrinks to nothing over data that is out. */
static void test_shrunken_to_zero(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write(t, s, 4380);
    assert_int_equal(talk_drain(t), 3);
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_mark(t);
    talk_expect_at(t, 300, ". 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_expect_at(t, 900, ". 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 2 win 0");
    talk_in(t, ". 1:1(0) ack 2 win 65535");
    talk_out(t, ". 2:1462(1460) ack 1");
    talk_destroy(t);
}

/* The peer acknowledges everything and opens: nothing is sent twice. */
static void test_reopened_and_acknowledged(void **state)
{
    int s;
    struct talk *t = create_closed(&s);

    (void)state;
    talk_write(t, s, 2000);
    talk_expect_at(t, 300, "* 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 2 win 65535");
    talk_out(t, ". 2:1462(1460) ack 1 why data");
    talk_in(t, ". 1:1(0) ack 1462");
    talk_out(t, "P. 1462:2001(539) ack 1 why data");
    assert_int_equal(talk_info(t, s).bytes_retransmitted, 0);
    talk_destroy(t);
}

/* A window update that is lost does no harm: that is what probes are for. */
static void test_lost_update(void **state)
{
    int s;
    struct talk *t = create_closed(&s);

    (void)state;
    talk_write(t, s, 100);
    talk_expect_at(t, 300, "* 1:2(1) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 1 win 1000"); /* answers the probe: there was no room for the byte */
    talk_out(t, "P. 1:101(100) ack 1");
    talk_destroy(t);
}

/* A FIN alone probes as well. */
static void test_fin_as_probe(void **state)
{
    int s;
    struct talk *t = create_closed(&s);

    (void)state;
    talk_shutdown(t, s);
    talk_out_none(t);
    talk_expect_at(t, 300, "F. 1:1(0) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_expect_at(t, 900, "F. 1:1(0) ack 1 why probe");
    talk_in(t, ". 1:1(0) ack 2 win 0");
    talk_expect_state(t, s, FIN_WAIT_2);
    talk_destroy(t);
}

/* RFC 9293 3.10.8 [U-27]: the user timeout ends an unanswered probing, too. */
static void test_user_timeout(void **state)
{
    int s;
    struct talk *t = create_closed(&s);

    (void)state;
    weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, 10 * WEIR_SECOND);
    talk_write(t, s, 100);
    talk_advance(t, 9 * WEIR_SECOND);
    talk_expect_state(t, s, ESTABLISHED);
    talk_advance(t, 3 * WEIR_SECOND);
    talk_expect_state(t, s, CLOSED);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ETIMEDOUT);
    talk_destroy(t);
}

/* Keep-alive and probing do not disturb each other: the back-off goes on. */
static void test_with_keepalive(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);
    weir_time before = 0, last = 0, at;
    struct weir_packet packet;

    (void)state;
    weir_socket_set(t->stack, s, WEIR_TCP_KEEPIDLE, 10 * WEIR_SECOND);
    weir_socket_set(t->stack, s, WEIR_TCP_KEEPINTVL, 5 * WEIR_SECOND);
    weir_socket_set(t->stack, s, WEIR_SO_KEEPALIVE, 1);
    talk_in(t, ". 1:1(0) ack 1 win 0");
    talk_write(t, s, 100);
    for (unsigned i = 0; i < 2000; i++) {
        talk_advance(t, WEIR_SECOND);
        while (talk_take(t, &packet, &at)) {
            before = last;
            last = at;
            talk_in(t, ". 1:1(0) ack 1 win 0");
        }
    }
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(last - before, 120 * WEIR_SECOND);
    talk_destroy(t);
}

/* RFC 9293 A.2 [U-26]: both sides probe at once; each probe is answered, nobody starves or
 * storms. */
static void test_both_sides_probe(void **state)
{
    struct weir_stack_config config;
    struct talk *t;
    unsigned answers = 0, probes = 0;
    struct weir_packet packet;
    int s;

    (void)state;
    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.receive_buffer = 2920;
    t = talk_create(&config);
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_in(t, ". 1:1461(1460) ack 1 win 0");
    talk_in(t, ". 1461:2921(1460) ack 1 win 0"); /* our buffer is full, and so is the peer's */
    talk_write(t, s, 5000);
    talk_out(t, ". 1:1(0) ack 2921 win 0");
    for (unsigned i = 0; i < 600; i++) {
        talk_in(t, ". 2921:2922(1) ack 1 win 0"); /* its probe */
        talk_advance(t, WEIR_SECOND);
        while (talk_take(t, &packet, NULL)) {
            assert_int_equal(packet.ack, talk_peer_seq(t, 2921));
            assert_int_equal(packet.window, 0);
            if (packet.payload_length) {
                probes++;
                talk_in(t, ". 2921:2921(0) ack 1 win 0");
            } else {
                answers++;
            }
        }
    }
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(answers, 600); /* RFC 9293 3.8.6.1 [U-23] */
    assert_in_range(probes, 10, 20);
    assert_int_equal(talk_read(t, s, 10000), 2920);
    talk_out(t, ". ack 2921 win 2920 why window-update");
    talk_in(t, ". 2921:2922(1) ack 1 win 65535");
    talk_out(t, ". 1:1461(1460) ack 2922");
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back_off),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_closed_from_the_start),
        cmocka_unit_test(test_byte_is_taken),
        cmocka_unit_test(test_unanswered),
        cmocka_unit_test(test_shrunken_to_zero),
        cmocka_unit_test(test_reopened_and_acknowledged),
        cmocka_unit_test(test_lost_update),
        cmocka_unit_test(test_fin_as_probe),
        cmocka_unit_test(test_user_timeout),
        cmocka_unit_test(test_with_keepalive),
        cmocka_unit_test(test_both_sides_probe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
