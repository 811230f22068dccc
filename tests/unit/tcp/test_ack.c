/* SPDX-License-Identifier: MIT */

/* When the receiver acknowledges: delayed, every second segment, at once, counted over a batch. */

#include "setup.h"

/* RFC 9293 3.8.6.3 [MUST-40, SHLD-18]: one small segment waits, less than half a second. */
static void test_delayed(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_mark(t);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_out_none(t);
    talk_expect_at(t, 40, ". 1:1(0) ack 101 why delayed-ack");
    talk_advance(t, WEIR_SECOND);
    talk_out_none(t);
    talk_destroy(t);
}

/* The longest delay that can be set is shorter than 0.5 s; 0 means at once. */
static void test_delay_is_bounded(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_DELAYED_ACK, 500 * WEIR_MS),
                     WEIR_EINVAL);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_DELAYED_ACK, 499 * WEIR_MS), 0);
    talk_mark(t);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_expect_at(t, 499, ". 1:1(0) ack 101");
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_DELAYED_ACK, 0), 0);
    talk_mark(t);
    talk_in(t, "P. 101:102(1) ack 1");
    talk_expect_at(t, 0, ". 1:1(0) ack 102");
    talk_destroy(t);
}

/* Counted from the first byte that is not acknowledged, not from the last. */
static void test_delay_counts_from_the_first(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_mark(t);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_advance(t, 30 * WEIR_MS);
    talk_in(t, "P. 101:201(100) ack 1");
    talk_expect_at(t, 40, ". 1:1(0) ack 201");
    talk_destroy(t);
}

/* RFC 9293 3.8.6.3 [SHLD-19]: every second full segment at least. */
static void test_every_second(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    for (int64_t i = 0; i < 10; i++) {
        setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
        if (i % 2)
            talk_out(t, ". 1:1(0) why ack");
        else
            talk_out_none(t);
        talk_advance(t, WEIR_MS);
    }
    talk_destroy(t);
}

/* Data of ours carries the ACK. */
static void test_piggyback(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    talk_write(t, s, 50);
    talk_out(t, "P. 1:51(50) ack 101");
    talk_advance(t, 100 * WEIR_MS);
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [MAY-13]: out of order, at once. */
static void test_gap_at_once(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_mark(t);
    talk_in(t, "P. 101:201(100) ack 1");
    talk_expect_at(t, 0, ". 1:1(0) ack 1 why duplicate-ack");
    talk_in(t, "P. 1:51(50) ack 1"); /* fills a part of the gap */
    talk_expect_at(t, 0, ". 1:1(0) ack 51");
    talk_in(t, "P. 1:51(50) ack 1"); /* all of it known */
    talk_expect_at(t, 0, ". 1:1(0) ack 51 why duplicate-ack");
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [MUST-58]: eight in order in one batch are not eight ACKs. */
static void test_batch_in_order(void **state)
{
    struct talk *t = talk_create(NULL);
    unsigned count;

    (void)state;
    talk_establish_passive(t);
    talk_batch_begin(t);
    for (int64_t i = 0; i < 8; i++)
        setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
    talk_batch_end(t);
    count = t->packet_count;
    assert_in_range(count, 1, 4);
    while (count-- > 1)
        talk_out(t, ". 1:1(0)");
    talk_out(t, ". 1:1(0) ack 11681");
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [MUST-59]: the hole before four queued segments is filled, in one batch and
 * in single packets. */
static void test_hole_is_filled(void **state)
{
    for (unsigned batched = 0; batched < 2; batched++) {
        struct talk *t = talk_create(NULL);

        (void)state;
        talk_establish_passive(t);
        if (batched)
            talk_batch_begin(t);
        for (int64_t i = 1; i <= 4; i++)
            setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
        if (!batched)
            assert_int_equal(talk_drain(t), 4);
        setup_in(t, ".", 1, 1460, 1, 65535);
        if (batched)
            talk_batch_end(t);
        talk_out(t, ". 1:1(0) ack 7301");
        talk_out_none(t);
        talk_destroy(t);
    }
}

/* A loss at the head of a batch of 41: each of the 40 behind it is answered by an ACK of its
 * own, or the sender would never know. RFC 5681 3.2 [5681-12] */
static void test_batch_out_of_order(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_batch_begin(t);
    for (int64_t i = 1; i <= 40; i++)
        setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
    talk_batch_end(t);
    for (unsigned i = 0; i < 40; i++)
        talk_out(t, ". 1:1(0) ack 1 win 65535 why duplicate-ack");
    talk_out_none(t);
    talk_in(t, ". 1:1461(1460) ack 1");
    talk_out(t, ". 1:1(0) ack 59861");
    talk_out_none(t);
    talk_destroy(t);
}

/* Two stacks in one: what the receiver answers to such a batch makes our own sender send again at
 * once. */
static void test_batch_makes_a_fast_retransmit(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 14600);
    talk_drain(t);
    talk_mark(t);
    talk_batch_begin(t);
    for (unsigned i = 0; i < 9; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_batch_end(t);
    talk_expect_at(t, 0, ". 1:1461(1460) ack 1 why fast-retransmit");
    talk_destroy(t);
}

/* RFC 9293 3.8.6.1 [U-23], 3.10.7.4 RFC 9293 3.10.7.4 [U-5]: unacceptable data is answered, each
 * time. */
static void test_old_data_is_answered(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_advance(t, WEIR_SECOND);
    talk_out(t, ". 1:1(0) ack 101");
    for (unsigned i = 0; i < 30; i++) {
        talk_in(t, "P. 1:101(100) ack 1");
        talk_out(t, ". 1:1(0) ack 101 why duplicate-ack");
    }
    talk_in(t, "P. 70000:70100(100) ack 1"); /* beyond the window */
    talk_out(t, ". 1:1(0) ack 101");
    talk_destroy(t);
}

/* A PSH or the end of a burst changes nothing; a FIN is acknowledged at once. */
static void test_fin_at_once(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_establish_passive(t);
    talk_mark(t);
    talk_in(t, "FP. 1:101(100) ack 1");
    talk_expect_at(t, 0, ". 1:1(0) ack 102");
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delayed),
        cmocka_unit_test(test_delay_is_bounded),
        cmocka_unit_test(test_delay_counts_from_the_first),
        cmocka_unit_test(test_every_second),
        cmocka_unit_test(test_piggyback),
        cmocka_unit_test(test_gap_at_once),
        cmocka_unit_test(test_batch_in_order),
        cmocka_unit_test(test_hole_is_filled),
        cmocka_unit_test(test_batch_out_of_order),
        cmocka_unit_test(test_batch_makes_a_fast_retransmit),
        cmocka_unit_test(test_old_data_is_answered),
        cmocka_unit_test(test_fin_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
