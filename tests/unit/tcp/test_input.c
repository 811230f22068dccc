/* SPDX-License-Identifier: MIT */

/* What of a segment is taken: the acceptability test against a model of it, trimming, queueing and
 * gaps with FINs, the closed window, and the ration of challenge ACKs. */

#include "states.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An established connection whose window is `window` at RCV.NXT 1001. */
static struct talk *with_window(unsigned window, int *s)
{
    struct weir_stack_config config = states_config(WEIR_PROFILE_DEFAULT);
    struct talk *t;

    config.tcp.receive_buffer = 1000 + window;
    config.tcp.delayed_ack = 0;
    t = talk_create(&config);
    *s = talk_establish_passive(t);
    talk_in(t, "P. 1:1001(1000) ack 1");
    talk_out(t, ". 1:1(0) ack 1001");
    assert_int_equal(talk_info(t, *s).rcv_wnd, window);
    return t;
}

/* RFC 9293 3.10.7.4, table 6, in plain integers. */
static bool model_accepts(long seq, long length, long next, long window)
{
    long last = seq + length - 1;

    if (length == 0 && window == 0)
        return seq == next;
    if (window == 0)
        return false;
    if (seq >= next && seq < next + window)
        return true;
    return length > 0 && last >= next && last < next + window;
}

static void try_sequence(unsigned window, long seq, long length)
{
    int s;
    struct talk *t = with_window(window, &s);
    bool expected = model_accepts(seq, length, 1001, window), taken;
    struct weir_tcp_info info;
    char text[96];

    snprintf(text, sizeof(text), "P. %ld:%ld(%ld) ack 1", seq, seq + length, length);
    talk_in(t, text);
    info = talk_info(t, s);
    taken = info.rcv_nxt != talk_peer_seq(t, 1001) || info.out_of_order > 0;
    if (length == 0) { /* what is refused is answered, what is taken is not */
        taken = talk_drain(t) == 0;
    } else if (!expected) {
        talk_out(t, ". 1:1(0) ack 1001");
    }
    if (taken != expected)
        talk_fail(t, __FILE__, __LINE__, "window %u: %s is %s", window, text,
                  taken ? "taken" : "refused");
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [U-5]: the four cases, at every edge. */
static void the_four_cases_of_acceptability(void **state)
{
    static const unsigned windows[] = {0, 1, 2, 1000};
    static const long lengths[] = {0, 1, 2, 10, 1000, 1001};

    (void)state;
    for (size_t w = 0; w < COUNT(windows); w++) {
        for (size_t l = 0; l < COUNT(lengths); l++) {
            const long window = windows[w], length = lengths[l];
            const long edges[] = {
                1001 - length - 1, 1001 - length, 1001 - length + 1, 1000, 1001, 1002,
                1001 + window - 1, 1001 + window, 1001 + window + 1};

            for (size_t e = 0; e < COUNT(edges); e++)
                try_sequence(windows[w], edges[e], length);
        }
    }
}

/* RFC 9293 3.4 [U-3]: half the sequence space away nothing is near. */
static void far_away_is_outside(void **state)
{
    (void)state;
    for (long shift = 16; shift < 32; shift++) {
        try_sequence(1000, 1001 + (1L << shift), 10);
        if (shift < 31)
            try_sequence(1000, 1001 - (1L << shift), 10);
    }
}

/* RFC 9293 3.10.7.4 [U-16]: below RCV.NXT, beyond the right edge, and the FIN with it. */
static void a_segment_is_trimmed_to_the_window(void **state)
{
    int s;
    struct talk *t = with_window(500, &s);

    (void)state;
    talk_in(t, "FP. 901:1401(500) ack 1");
    talk_out(t, ". 1:1(0) ack 1402");
    talk_expect_state(t, s, CLOSE_WAIT);
    assert_int_equal(talk_read(t, s, 5000), 1400);
    assert_int_equal(talk_read(t, s, 5000), 0);
    talk_destroy(t);

    t = with_window(500, &s);
    talk_in(t, "FP. 1001:1601(600) ack 1");
    talk_out(t, ". 1:1(0) ack 1501");
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(talk_read(t, s, 5000), 1500);
    talk_drain(t); /* the window update */
    talk_in(t, "FP. 1501:1601(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1602");
    assert_int_equal(talk_read(t, s, 5000), 100);
    assert_int_equal(talk_read(t, s, 5000), 0);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [U-16]: the FIN's own number must lie inside the window too. */
static void a_fin_at_the_edge_is_outside(void **state)
{
    int s;
    struct talk *t = with_window(500, &s);

    (void)state;
    talk_in(t, "FP. 1001:1501(500) ack 1");
    talk_out(t, ". 1:1(0) ack 1501");
    talk_expect_state(t, s, ESTABLISHED);
    talk_in(t, "F. 1501:1501(0) ack 1"); /* the window is closed now */
    talk_out(t, ". 1:1(0) ack 1501 win 0");
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [U-17]: a FIN counts when everything before it is there. */
static void a_fin_behind_a_gap_waits(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "FP. 11:21(10) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "F. 21:21(0) ack 1"); /* and again */
    talk_out(t, ". 1:1(0) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_out(t, ". 1:1(0) ack 22");
    talk_expect_state(t, s, CLOSE_WAIT);
    assert_int_equal(talk_read(t, s, 100), 20);
    assert_int_equal(talk_read(t, s, 100), 0);
    talk_destroy(t);
}

/* The FIN alone came first, and nothing beyond it is ever read. */
static void nothing_follows_a_fin(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "F. 11:11(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "P. 6:31(25) ack 1");
    talk_drain(t);
    talk_in(t, "P. 1:31(30) ack 1");
    talk_out(t, ". 1:1(0) ack 12");
    talk_expect_state(t, s, CLOSE_WAIT);
    assert_int_equal(talk_read(t, s, 100), 10);
    assert_int_equal(talk_read(t, s, 100), 0);
    talk_destroy(t);
}

/* A FIN in front of data that came already contradicts it; the data stays. */
static void a_fin_before_known_data_is_not_believed(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "P. 11:21(10) ack 1");
    talk_drain(t);
    talk_in(t, "F. 5:5(0) ack 1");
    talk_drain(t);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_out(t, ". 1:1(0) ack 21");
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(talk_read(t, s, 100), 20);
    talk_destroy(t);
}

/* Every order of three pieces and a FIN, each sent twice: the same stream.
 * RFC 9293 3.10.7.4 [U-17, SHLD-31] */
static void any_order_gives_the_same_stream(void **state)
{
    static const char *const pieces[] = {"P. 1:11(10) ack 1", "P. 8:25(17) ack 1",
                                         "P. 25:31(6) ack 1", "F. 31:31(0) ack 1"};

    (void)state;
    for (unsigned order = 0; order < 256; order++) {
        struct talk *t;
        unsigned seen = 0;
        int s;

        for (unsigned i = 0; i < 4; i++)
            seen |= 1u << (order >> 2 * i & 3);
        if (seen != 15)
            continue;
        t = talk_create(NULL);
        s = states_enter(t, AT_ESTABLISHED);
        for (unsigned i = 0; i < 8; i++)
            talk_in(t, pieces[order >> i / 2 * 2 & 3]);
        talk_expect_state(t, s, CLOSE_WAIT);
        assert_int_equal(talk_info(t, s).rcv_nxt, talk_peer_seq(t, 32));
        assert_int_equal(talk_read(t, s, 100), 30);
        assert_int_equal(talk_read(t, s, 100), 0);
        talk_destroy(t);
    }
}

/* RFC 9293 3.10.7.4 [SHLD-31, MAY-13, MUST-59]: out-of-order segments are kept, each is answered by
 * a duplicate ACK at once, and one ACK covers all when the gap is filled. */
static void out_of_order_segments_are_queued(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "P. 101:201(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "P. 301:401(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "P. 201:301(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "P. 401:501(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "P. 1:101(100) ack 1");
    talk_out(t, ". 1:1(0) ack 501");
    talk_out_none(t);
    assert_int_equal(talk_read(t, s, 1000), 500);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [MUST-58, MUST-59]: what arrives together is acknowledged together. */
static void a_batch_is_acknowledged_as_a_whole(void **state)
{
    struct talk *t = talk_create(NULL);
    char text[64];
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_batch_begin(t);
    for (int i = 0; i < 8; i++) {
        snprintf(text, sizeof(text), "P. %d:%d(1460) ack 1", 1 + 1460 * i, 1461 + 1460 * i);
        talk_in(t, text);
    }
    talk_batch_end(t);
    talk_out(t, ". 1:1(0) ack 11681");
    talk_out_none(t);
    assert_int_equal(talk_read(t, s, 20000), 11680);
    talk_destroy(t);
}

/* RFC 9293 3.4 [MUST-66, U-6]: RST, URG and ACK count while the window is closed. */
static void a_closed_window_still_hears(void **state)
{
    int s;
    struct talk *t = with_window(0, &s);

    (void)state;
    talk_events(t, s);
    talk_in(t, "PU. 1001:1011(10) ack 1 urg 10");
    talk_out(t, ". 1:1(0) ack 1001 win 0");
    assert_true(talk_events(t, s) & WEIR_PRI);
    assert_int_equal(talk_write(t, s, 100), 100);
    talk_out(t, "P. 1:101(100)");
    talk_in(t, ". 1001:1001(0) ack 101"); /* an ACK that says no more */
    talk_out_none(t);
    assert_int_equal(talk_info(t, s).snd_una, talk_our_seq(t, 101));
    talk_in(t, "R 1001:1001(0)");
    talk_expect_state(t, s, CLOSED);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ECONNRESET);
    talk_destroy(t);
}

/* RFC 9293 3.5.3 [SHLD-2], 3.4 [MUST-66]: with data, with and without an ACK. */
static void a_closed_window_hears_a_rst_with_data(void **state)
{
    static const char *const rsts[] = {"R. 1001:1021(20) ack 1", "R 1001:1021(20)"};

    (void)state;
    for (size_t i = 0; i < COUNT(rsts); i++) {
        int s;
        struct talk *t = with_window(0, &s);

        talk_in(t, rsts[i]);
        talk_out_none(t);
        talk_expect_state(t, s, CLOSED);
        talk_destroy(t);
    }
}

/* RFC 9293 3.10.7.4 [U-14]: an old segment does not bring its old window back. */
static void an_old_segment_does_not_move_the_window(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "P. 1:11(10) ack 1 win 5000");
    assert_int_equal(talk_info(t, s).snd_wnd, 5000);
    talk_write(t, s, 100);
    talk_drain(t);
    talk_in(t, ". 11:11(0) ack 101 win 4000");
    assert_int_equal(talk_info(t, s).snd_wnd, 4000);
    talk_in(t, ". 11:11(0) ack 1 win 9000"); /* older ACK, same number */
    assert_int_equal(talk_info(t, s).snd_wnd, 4000);
    talk_in(t, "P. 21:31(10) ack 101 win 7000");
    assert_int_equal(talk_info(t, s).snd_wnd, 7000);
    talk_in(t, "P. 11:21(10) ack 101 win 60000"); /* older number */
    assert_int_equal(talk_info(t, s).snd_wnd, 7000);
    talk_in(t, ". 31:31(0) ack 101 win 8000"); /* a mere window update */
    assert_int_equal(talk_info(t, s).snd_wnd, 8000);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [U-13]: a FIN without ACK is dropped; the profile brown takes it. */
static void a_bare_fin_is_for_brown_only(void **state)
{
    static const struct states_step steps[] = {
        {AT_ESTABLISHED, "F $r:$r(0)", ". 1:1(0) ack 2", WEIR_STATE_CLOSE_WAIT, 0},
        {AT_ESTABLISHED, "F $r:$r+5(5)", ". 1:1(0) ack 7", WEIR_STATE_CLOSE_WAIT, 0},
        {AT_ESTABLISHED, "P $r:$r+5(5)", NULL, WEIR_STATE_ESTABLISHED, 0},
        {AT_FIN_WAIT_1, "F $r:$r(0)", ". 2:2(0) ack 2", WEIR_STATE_CLOSING, 0},
        {AT_FIN_WAIT_2, "F $r:$r(0)", ". 2:2(0) ack 2", WEIR_STATE_TIME_WAIT, 0},
        {AT_SYN_RECEIVED_ACTIVE, "F $r:$r(0)", NULL, WEIR_STATE_SYN_RECEIVED, 0},
    };
    struct weir_stack_config config = states_config(WEIR_PROFILE_BROWN);

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++)
        states_run_one(&config, &steps[i]);
}

/* RFC 5961 7 [5961-4]: at most challenge_acks_per_second, and more when the second is over. */
static void challenge_acks_are_rationed(void **state)
{
    static const char *const kinds[] = {"R 9:9(0)", "S 9:9(0)", ". 1:1(0) ack 9",
                                        ". -9:-9(0) ack 1"};

    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, AT_ESTABLISHED);

        for (int i = 0; i < 1000; i++)
            talk_in(t, kinds[kind]);
        assert_int_equal(talk_drain(t), 10);
        assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CHALLENGE_RATE), 990);
        talk_advance(t, WEIR_SECOND);
        for (int i = 0; i < 20; i++)
            talk_in(t, kinds[kind]);
        assert_int_equal(talk_drain(t), 10);
        talk_expect_state(t, s, ESTABLISHED);
        talk_destroy(t);
    }
}

/* RFC 5961 7 [5961-4]: a flood on one connection says nothing about another (CVE-2016-5696). */
static void the_ration_is_each_connections_own(void **state)
{
    struct talk *t = talk_create(NULL);
    int a, b;

    (void)state;
    a = talk_establish_passive(t);
    talk_use(t, 80, 40001, 7000);
    b = talk_establish_passive(t);
    for (int i = 0; i < 100; i++)
        talk_in(t, "R 9:9(0)");
    assert_int_equal(talk_drain(t), 10);
    talk_use(t, 80, 40000, 1000);
    for (int i = 0; i < 100; i++)
        talk_in(t, "R 9:9(0)");
    assert_int_equal(talk_drain(t), 10);
    talk_expect_state(t, a, ESTABLISHED);
    talk_expect_state(t, b, ESTABLISHED);
    talk_destroy(t);
}

/* The peer counts the ACKs of data it repeats: these are not rationed. */
static void acks_of_old_data_are_not_rationed(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    states_enter(t, AT_ESTABLISHED);
    for (int i = 0; i < 50; i++)
        talk_in(t, "P. -9:1(10) ack 1");
    assert_int_equal(talk_drain(t), 50);
    talk_destroy(t);
}

/* RFC 9293 3.5.2 [U-30]: an acceptable ACK without data is never answered, nor is a RST. */
static void pure_acks_and_rsts_are_not_answered(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    states_enter(t, AT_ESTABLISHED);
    for (int i = 0; i < 100; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_out_none(t);
    talk_use(t, 81, 40000, 5);
    for (int i = 0; i < 100; i++)
        talk_in(t, "R 1:1(0)");
    talk_out_none(t);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_four_cases_of_acceptability),
        cmocka_unit_test(far_away_is_outside),
        cmocka_unit_test(a_segment_is_trimmed_to_the_window),
        cmocka_unit_test(a_fin_at_the_edge_is_outside),
        cmocka_unit_test(a_fin_behind_a_gap_waits),
        cmocka_unit_test(nothing_follows_a_fin),
        cmocka_unit_test(a_fin_before_known_data_is_not_believed),
        cmocka_unit_test(any_order_gives_the_same_stream),
        cmocka_unit_test(out_of_order_segments_are_queued),
        cmocka_unit_test(a_batch_is_acknowledged_as_a_whole),
        cmocka_unit_test(a_closed_window_still_hears),
        cmocka_unit_test(a_closed_window_hears_a_rst_with_data),
        cmocka_unit_test(an_old_segment_does_not_move_the_window),
        cmocka_unit_test(a_bare_fin_is_for_brown_only),
        cmocka_unit_test(challenge_acks_are_rationed),
        cmocka_unit_test(the_ration_is_each_connections_own),
        cmocka_unit_test(acks_of_old_data_are_not_rationed),
        cmocka_unit_test(pure_acks_and_rsts_are_not_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
