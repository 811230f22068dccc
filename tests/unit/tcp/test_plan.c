/* SPDX-License-Identifier: MIT */

/* The decision to send: Nagle, pushing, corking, the silly windows of the peer. */

#include "setup.h"

static struct talk *create_plain(int *socket)
{
    struct talk *t = talk_create(NULL);

    *socket = talk_establish_passive(t);
    return t;
}

/* RFC 9293 3.7.4 [SHLD-7]: ten single bytes make one segment and then one of nine. */
static void test_nagle(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        talk_write(t, s, 1);
    talk_out(t, "P. 1:2(1) ack 1 why data");
    talk_out_none(t);
    assert_int_equal(talk_info(t, s).plan_why, WEIR_WHY_WAIT_NAGLE);
    talk_in(t, ". 1:1(0) ack 2");
    talk_out(t, "P. 2:11(9) ack 1");
    talk_destroy(t);
}

/* RFC 9293 3.7.4 [MUST-17]: off for one socket only. */
static void test_nodelay(void **state)
{
    struct talk *t = talk_create(NULL);
    int a = talk_establish_passive(t), b;

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, a, WEIR_TCP_NODELAY, 1), 0);
    for (unsigned i = 0; i < 10; i++)
        talk_write(t, a, 1);
    talk_out(t, "P. 1:2(1) ack 1");
    for (unsigned i = 1; i < 9; i++)
        talk_out(t, "P. ack 1");
    talk_out(t, "P. 10:11(1) ack 1");
    t->our_port = 81;
    talk_use(t, 81, 40001, 7);
    b = talk_establish_passive(t);
    for (unsigned i = 0; i < 3; i++)
        talk_write(t, b, 1);
    talk_out(t, "P. 1:2(1) ack 1");
    talk_out_none(t);
    /* Switched off in the middle, what waited leaves. */
    assert_int_equal(weir_socket_set(t->stack, b, WEIR_TCP_NODELAY, 1), 0);
    talk_out(t, "P. 2:4(2) ack 1");
    talk_destroy(t);
}

/* Nagle holds a small rest, never a full segment. */
static void test_nagle_lets_full_segments_go(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    talk_write(t, s, 10);
    talk_out(t, "P. 1:11(10) ack 1");
    talk_write(t, s, 1000);
    talk_out_none(t);
    talk_write(t, s, 1000);
    talk_out(t, ". 11:1471(1460) ack 1");
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 11"); /* something is still out */
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 1471");
    talk_out(t, "P. 1471:2011(540) ack 1");
    talk_destroy(t);
}

/* RFC 9293 3.9.1.2 [MUST-60]: nothing is held for ever; an idle connection sends a byte at once. */
static void test_a_byte_leaves(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    talk_mark(t);
    talk_write(t, s, 1);
    talk_expect_at(t, 0, "P. 1:2(1) ack 1");
    talk_destroy(t);
}

/* RFC 9293 3.9.1.2 [SHLD-27, MUST-61, MAY-16]: what was pushed in pieces leaves in one, with one
 * PSH. */
static void test_pushes_collapse(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    talk_write(t, s, 10);
    talk_out(t, "P. 1:11(10) ack 1");
    for (unsigned i = 0; i < 3; i++)
        talk_write(t, s, 400);
    talk_in(t, ". 1:1(0) ack 11");
    talk_out(t, "P. 11:1211(1200) ack 1");
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.9.1.2 [MAY-15, MAY-16]: more is to come; a bounded wait. */
static void test_more(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    talk_write_flags(t, s, 100, WEIR_MSG_MORE);
    talk_out_none(t);
    assert_int_equal(talk_info(t, s).plan_why, WEIR_WHY_WAIT_CORK);
    talk_write_flags(t, s, 1400, WEIR_MSG_MORE);
    talk_out(t, ". 1:1461(1460) ack 1");
    talk_out_none(t);
    talk_write(t, s, 10);
    talk_in(t, ". 1:1(0) ack 1461");
    talk_out(t, "P. 1461:1511(50) ack 1");
    talk_in(t, ". 1:1(0) ack 1511");
    talk_mark(t);
    talk_write_flags(t, s, 5, WEIR_MSG_MORE); /* and the promise is broken */
    talk_expect_at(t, 200, "P. 1511:1516(5) ack 1 why sws-override");
    talk_destroy(t);
}

static void test_cork(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_CORK, 1), 0);
    for (unsigned i = 0; i < 4; i++)
        talk_write(t, s, 400);
    talk_out(t, ". 1:1461(1460) ack 1");
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 1461");
    talk_out_none(t);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_CORK, 0), 0);
    talk_out(t, "P. 1461:1601(140) ack 1");
    talk_in(t, ". 1:1(0) ack 1601");
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_CORK, 1), 0);
    talk_write(t, s, 7);
    talk_mark(t);
    talk_expect_at(t, 200, "P. 1601:1608(7) ack 1 why sws-override");
    talk_destroy(t);
}

/* Close sends what a cork held. */
static void test_close_uncorks(void **state)
{
    int s;
    struct talk *t = create_plain(&s);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_CORK, 1), 0);
    talk_write(t, s, 7);
    talk_out_none(t);
    talk_close(t, s);
    talk_out(t, "FP. 1:8(7) ack 1");
    talk_destroy(t);
}

/* RFC 9293 3.8.6.2.1 [MUST-38]: the peer's window opens in crumbs of 50 bytes. */
static void test_crumbs_are_not_taken(void **state)
{
    int s;
    struct talk *t = create_plain(&s);
    char text[64];

    (void)state;
    setup_in(t, ".", 1, 0, 1, 8760); /* six segments */
    talk_write(t, s, 60000);
    assert_int_equal(talk_drain(t), 6);
    for (unsigned i = 1; i <= 4; i++) {
        snprintf(text, sizeof(text), ". 1:1(0) ack 8761 win %u", 50 * i);
        talk_in(t, text);
        talk_out_none(t);
        talk_advance(t, 40 * WEIR_MS);
    }
    talk_out_none(t);
    assert_int_equal(talk_info(t, s).plan_why, WEIR_WHY_WAIT_SWS);
    talk_destroy(t);
}

/* ... until the override time-out of 0.1 to 1 s is over. */
static void test_override(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 10000;
    s = talk_establish_passive(t);
    talk_in(t, ". 1:1(0) ack 1 win 50"); /* the largest window ever was 10000 */
    talk_mark(t);
    talk_write(t, s, 1000);
    talk_out_none(t);
    talk_expect_between(t, 100, 1000, ". 1:51(50) ack 1 why sws-override");
    talk_in(t, ". 1:1(0) ack 51 win 50");
    talk_mark(t);
    talk_out_none(t);
    talk_expect_between(t, 100, 1000, ". 51:101(50) ack 1 why sws-override");
    talk_destroy(t);
}

/* Half the largest window is enough, when nothing is out. */
static void test_half_the_window(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 1000;
    s = talk_establish_passive(t);
    talk_mark(t);
    talk_write(t, s, 3000);
    talk_expect_at(t, 0, ". 1:1001(1000) ack 1");
    talk_in(t, ". 1:1(0) ack 1001 win 499");
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 1001 win 500");
    talk_expect_at(t, 0, ". 1001:1501(500) ack 1");
    talk_in(t, ". 1:1(0) ack 1501 win 1000");
    talk_out(t, ". 1501:2501(1000) ack 1");
    talk_in(t, ". 1:1(0) ack 2501 win 1000");
    talk_out(t, "P. 2501:3001(500) ack 1"); /* all there is */
    talk_destroy(t);
}

/* A window that is no multiple of the MSS: full segments, the rest when the peer has caught up. */
static void test_odd_window(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 4000;
    s = talk_establish_passive(t);
    talk_write(t, s, 20000);
    talk_out(t, ". 1:1461(1460) ack 1");
    talk_out(t, ". 1461:2921(1460) ack 1");
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 1461 win 4000");
    talk_out(t, ". 2921:4381(1460) ack 1");
    talk_out_none(t);
    talk_destroy(t);
}

/* The FIN counts against the window; it waits for room. */
static void test_fin_needs_window(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 100;
    s = talk_establish_passive(t);
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_shutdown(t, s);
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 101 win 1");
    talk_out(t, "F. 101:101(0) ack 1 why fin");
    talk_destroy(t);
}

/* The send buffer bounds what is taken; WEIR_OUT says when there is room again. */
static void test_buffer_is_bounded(void **state)
{
    int s;
    struct talk *t = create_plain(&s);
    uint32_t highest = 1;

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_SNDBUF, 8192), 0);
    talk_events(t, s);
    assert_int_equal(talk_write(t, s, 100000), 8192);
    assert_int_equal(talk_write(t, s, 1), WEIR_EAGAIN);
    setup_take_data(t, &highest);
    assert_int_equal(highest, 5 * 1460 + 1);
    talk_in(t, ". 1:1(0) ack 1461"); /* less than a quarter */
    assert_false(talk_events(t, s) & WEIR_OUT);
    talk_in(t, ". 1:1(0) ack 2921");
    assert_true(talk_events(t, s) & WEIR_OUT);
    assert_int_equal(talk_write(t, s, 100000), 2920);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nagle),
        cmocka_unit_test(test_nodelay),
        cmocka_unit_test(test_nagle_lets_full_segments_go),
        cmocka_unit_test(test_a_byte_leaves),
        cmocka_unit_test(test_pushes_collapse),
        cmocka_unit_test(test_more),
        cmocka_unit_test(test_cork),
        cmocka_unit_test(test_close_uncorks),
        cmocka_unit_test(test_crumbs_are_not_taken),
        cmocka_unit_test(test_override),
        cmocka_unit_test(test_half_the_window),
        cmocka_unit_test(test_odd_window),
        cmocka_unit_test(test_fin_needs_window),
        cmocka_unit_test(test_buffer_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
