/* SPDX-License-Identifier: MIT */

/* The peer's window, and what its acknowledgements are worth. */

#include "setup.h"

#include <stdlib.h>

/* RFC 9293 3.10.7.4: taken only from segments that are not older RFC 9293 3.10.7.4 [U-14]. */
static void test_window_update_rule(void **state)
{
    static const struct {
        const char *segment;
        uint32_t window;
    } steps[] = {
        {". 1:1(0) ack 1 win 5000", 5000},     /* same SEQ and ACK: a pure update */
        {". 101:101(0) ack 1 win 6000", 6000}, /* newer SEQ */
        {". 1:1(0) ack 1 win 7000", 6000},     /* older SEQ: not taken */
        {". 101:101(0) ack 501 win 4000", 4000},
        {". 101:101(0) ack 301 win 9000", 4000}, /* older ACK */
        {". 201:201(0) ack 301 win 9000", 4000}, /* newer SEQ with an old ACK (below SND.UNA) */
        {". 101:101(0) ack 501 win 3000", 3000},
        {". 101:101(0) ack 801 win 2000", 2000},
    };
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 1000);
    for (size_t i = 0; i < COUNT(steps); i++) {
        talk_in(t, steps[i].segment);
        if (talk_info(t, s).snd_wnd != steps[i].window)
            talk_fail(t, __FILE__, __LINE__, "step %zu: window %u", i, talk_info(t, s).snd_wnd);
    }
    talk_destroy(t);
}

/* RFC 9293 3.8.6 [MUST-34, SHLD-15, SHLD-16]: out 8760, and the window shrinks to 2000. */
static void test_shrunken_window(void **state)
{
    struct talk *t = talk_create(NULL);
    uint32_t highest = 1;
    int s;

    (void)state;
    t->peer_window = 10000;
    s = setup_with_rtt(t, 100 * WEIR_MS);
    talk_write(t, s, 60000);
    assert_int_equal(setup_take_data(t, &highest), 6);
    assert_int_equal(highest, 8761);
    talk_mark(t);
    talk_in(t, ". 1:1(0) ack 1 win 2000");
    talk_out_none(t);
    /* What lies inside is sent again, what lies beyond is not, and nothing new leaves. */
    talk_expect_at(t, 300, ". 1:1461(1460) ack 1 why rto");
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 1461 win 540");
    talk_advance(t, 5 * WEIR_SECOND);
    setup_take_data(t, &highest);
    assert_int_equal(highest, 8761);
    talk_in(t, ". 1:1(0) ack 2001 win 10000");
    talk_out(t, ". 2001:3461(1460) ack 1");
    talk_destroy(t);
}

/* A window of any size at any time, in both directions, and never a byte beyond the edge that
 * has not been sent before RFC 9293 3.8.6 [MUST-34, SHLD-15]. */
static void test_random_windows(void **state)
{
    unsigned seed = 20260;
    struct talk *t = talk_create(NULL);
    uint32_t highest = 1, una = 1;
    int s = talk_establish_passive(t);

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        uint32_t window = (uint32_t)rand_r(&seed) % (i % 3 ? 3000 : 30000);
        uint32_t before = highest;

        talk_write(t, s, 5000);
        una += highest > una ? (uint32_t)rand_r(&seed) % (highest - una + 1) : 0;
        setup_in(t, ".", 1, 0, una, window);
        talk_advance(t, (weir_time)(rand_r(&seed) % 700) * WEIR_MS);
        setup_take_data(t, &highest);
        /* A probe of one byte may look over the edge of a closed window. */
        if (highest > before && highest > una + (window ? window : 1))
            talk_fail(t, __FILE__, __LINE__, "step %u: sent up to %u", i, highest);
        talk_expect_state(t, s, ESTABLISHED);
    }
    talk_destroy(t);
}

/* RFC 9293 3.8.6 [SHLD-17]: bytes behind the edge do not time out while the peer answers. */
static void test_beyond_the_edge_is_patient(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_packet packet;
    int s;

    (void)state;
    t->peer_window = 10000;
    s = talk_establish_passive(t);
    talk_write(t, s, 8760);
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 1461 win 0"); /* 5 segments are out, and the window is gone */
    for (unsigned i = 0; i < 60; i++) {    /* an hour, R2 many times over */
        talk_advance(t, 60 * WEIR_SECOND);
        while (talk_take(t, &packet, NULL)) {
            assert_true(packet.payload_length <= 1);
            talk_in(t, ". 1:1(0) ack 1461 win 0");
        }
        talk_expect_state(t, s, ESTABLISHED);
    }
    talk_in(t, ". 1:1(0) ack 1461 win 10000");
    talk_out(t, ". 1461:2921(1460) ack 1");
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4: an ACK of what was never sent is answered and drops the segment RFC 9293
 * 3.10.7.4 [U-15]; RFC 5961 5.2 [5961-3]: one older than the largest window, too RFC 9293 3.10.7.4
 * [MAY-12]. */
static void test_impossible_acks(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 1000;
    s = talk_establish_passive(t);
    talk_write(t, s, 500);
    talk_out(t, "P. 1:501(500) ack 1");
    talk_in(t, "P. 1:101(100) ack 502");
    talk_out(t, ". 501:501(0) ack 1 why challenge-ack");
    assert_int_equal(talk_read(t, s, 100), WEIR_EAGAIN);
    talk_in(t, ". 1:1(0) ack 501");
    talk_write(t, s, 500);
    talk_drain(t);
    talk_in(t, "P. 1:101(100) ack -500"); /* SND.UNA - MAX.SND.WND - 1 */
    talk_out(t, ". 1001:1001(0) ack 1 why challenge-ack");
    assert_int_equal(talk_read(t, s, 100), WEIR_EAGAIN);
    talk_in(t, "P. 1:101(100) ack -499"); /* the oldest that is believed */
    assert_int_equal(talk_read(t, s, 100), 100);
    talk_destroy(t);
}

/* RFC 5961 7 [5961-4]: challenges are rationed. */
static void test_challenges_are_rationed(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        talk_in(t, ". 1:1(0) ack 5000");
    assert_int_equal(talk_drain(t), 10);
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CHALLENGE_RATE), 90);
    talk_advance(t, WEIR_SECOND);
    talk_in(t, ". 1:1(0) ack 5000");
    talk_out(t, ". 1:1(0) ack 1 why challenge-ack");
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.5.2: an ACK without data is never acknowledged RFC 9293 3.5.2 [U-30]. */
static void test_acks_are_not_acknowledged(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    for (unsigned i = 0; i < 50; i++)
        setup_in(t, ".", (int64_t)i * 1000 + 1, 0, 1, 1000 + i);
    talk_advance(t, WEIR_SECOND);
    talk_out_none(t);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* A partial ACK in the middle of a segment leaves the rest to be sent again from there. */
static void test_ack_inside_a_segment(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write(t, s, 1000);
    talk_out(t, "P. 1:1001(1000) ack 1");
    talk_in(t, ". 1:1(0) ack 334");
    talk_advance(t, 2 * WEIR_SECOND);
    talk_out(t, "P. 334:1001(667) ack 1 why rto");
    talk_destroy(t);
}

/* Small writes that went out one by one come again in one segment (RFC 9293 3.8.1 allows it). */
static void test_retransmission_is_repacked(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
    for (unsigned i = 0; i < 5; i++)
        talk_write(t, s, 100);
    for (unsigned i = 0; i < 5; i++)
        talk_out(t, "P. ack 1");
    talk_mark(t);
    talk_expect_between(t, 200, 300, "P. 1:501(500) ack 1 why rto");
    talk_destroy(t);
}

/* The number of our FIN is acknowledged as one, and is no byte. */
static void test_acked_fin_is_no_byte(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 100);
    talk_shutdown(t, s);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_out(t, "F. 101:101(0) ack 1");
    talk_in(t, ". 1:1(0) ack 102");
    talk_expect_state(t, s, FIN_WAIT_2);
    assert_int_equal(talk_info(t, s).bytes_acked, 100);
    assert_int_equal(talk_info(t, s).send_queued, 0);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_update_rule),
        cmocka_unit_test(test_shrunken_window),
        cmocka_unit_test(test_random_windows),
        cmocka_unit_test(test_beyond_the_edge_is_patient),
        cmocka_unit_test(test_impossible_acks),
        cmocka_unit_test(test_challenges_are_rationed),
        cmocka_unit_test(test_acks_are_not_acknowledged),
        cmocka_unit_test(test_ack_inside_a_segment),
        cmocka_unit_test(test_retransmission_is_repacked),
        cmocka_unit_test(test_acked_fin_is_no_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
