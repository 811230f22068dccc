/* SPDX-License-Identifier: MIT */

/* The harness itself, on the plainest conversations in both roles. */

#include "talk.h"

static void test_passive(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(talk_read(t, s, 1000), 100);
    talk_advance(t, WEIR_SECOND);
    talk_out(t, ". 1:1(0) ack 101");
    assert_int_equal(talk_write(t, s, 10), 10);
    talk_out(t, "P. 1:11(10) ack 101");
    talk_in(t, ". 101:101(0) ack 11");
    talk_in(t, "F. 101:101(0) ack 11");
    talk_expect_state(t, s, CLOSE_WAIT);
    talk_drain(t);
    assert_int_equal(talk_read(t, s, 10), 0);
    assert_int_equal(talk_close(t, s), 0);
    talk_out(t, "F. 11:11(0) ack 102");
    talk_in(t, ". 102:102(0) ack 12");
    talk_out_none(t);
    talk_destroy(t);
}

static void test_active(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    assert_true(talk_events(t, s) & WEIR_OUT);
    talk_mark(t);
    assert_int_equal(talk_write(t, s, 1000), 1000);
    talk_out(t, "P. 1:1001(1000) ack 1");
    talk_expect_between(t, 200, 3000, "P. 1:1001(1000) ack 1 why rto");
    talk_in(t, ". 1:1(0) ack 1001 badsum");
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CHECKSUM), 1);
    talk_in(t, ". 1:1(0) ack 1001");
    assert_int_equal(talk_info(t, s).snd_una, talk_our_seq(t, 1001));
    talk_in(t, "R 1:1(0)");
    assert_int_equal(talk_read(t, s, 1), WEIR_ECONNRESET);
    talk_out_none(t);
    talk_destroy(t);
}

/* A batch arrives in one call: each segment out of order has its own duplicate ACK. */
static void test_batch(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_batch_begin(t);
    talk_in(t, ". 101:201(100) ack 1");
    talk_in(t, ". 201:301(100) ack 1");
    talk_in(t, ". 301:401(100) ack 1");
    talk_batch_end(t);
    for (int i = 0; i < 3; i++)
        talk_out(t, ". 1:1(0) ack 1");
    talk_out_none(t);
    talk_destroy(t);
}

/* Port unreachable ends a connection that is being opened. RFC 1122 4.2.3.9. */
static void test_icmp(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    talk_out(t, "S 0:0(0) <mss 1460>");
    talk_icmp_seq(t, 3, 3, 0, 77); /* about nothing that was sent */
    talk_expect_state(t, s, SYN_SENT);
    talk_icmp(t, 3, 3, 0);
    assert_true(talk_events(t, s) & WEIR_ERR);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ECONNREFUSED);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passive),
        cmocka_unit_test(test_active),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_icmp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
