/* SPDX-License-Identifier: MIT */

/* Urgent data: RFC 9293 3.8.5. A mark in the stream, never a hole in it. */

#include "setup.h"

#include <stack/stack.h>

/* RFC 9293 3.8.5 [MUST-30, MUST-62]: the pointer names the byte behind the last urgent one. */
static void test_send(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write_flags(t, s, 1, WEIR_MSG_OOB);
    talk_out(t, "UP. 1:2(1) ack 1 urg 1");
    talk_in(t, ". 1:1(0) ack 2");
    talk_write(t, s, 10);
    talk_out(t, "P. 2:12(10) ack 1"); /* over */
    talk_in(t, ". 1:1(0) ack 12");
    talk_destroy(t);
}

/* Once acknowledged the mark is forgotten; else it would be ahead again 2 GiB later. */
static void test_sent_mark_is_forgotten(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    weir_socket_set(t->stack, s, WEIR_SO_KEEPALIVE, 1); /* so that it does not rest */
    talk_write_flags(t, s, 1, WEIR_MSG_OOB);
    talk_out(t, "UP. 1:2(1) ack 1 urg 1");
    talk_in(t, ". 1:1(0) ack 2");
    socket_at(t->stack, (uint32_t)s)->conn->tcp.active->snd_up -=
        0x80000001u; /* as it is after so many bytes */
    talk_write(t, s, 10);
    talk_out(t, "P. 2:12(10) ack 1 urg 0");
    talk_destroy(t);
}

/* RFC 9293 3.8.5 [MUST-31]: of any length; every segment before the mark says how far it is. */
static void test_send_long(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_mss = 1000;
    s = talk_establish_passive(t);
    talk_write_flags(t, s, 5000, WEIR_MSG_OOB);
    talk_out(t, "U. 1:1001(1000) ack 1 urg 5000");
    talk_out(t, "U. 1001:2001(1000) ack 1 urg 4000");
    talk_out(t, "U. 2001:3001(1000) ack 1 urg 3000");
    talk_out(t, "U. 3001:4001(1000) ack 1 urg 2000");
    talk_out(t, "UP. 4001:5001(1000) ack 1 urg 1000");
    talk_write(t, s, 1000);
    talk_out(t, "P. 5001:6001(1000) ack 1");
    talk_destroy(t);
}

/* Farther than the field can say: as far as it can. */
static void test_send_far(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    assert_int_equal(talk_write_flags(t, s, 100000, WEIR_MSG_OOB), 100000);
    talk_out(t, "U. 1:1461(1460) ack 1 urg 65535");
    talk_destroy(t);
}

/* The mark is announced again with the retransmission. */
static void test_retransmitted(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write_flags(t, s, 10, WEIR_MSG_OOB);
    talk_out(t, "UP. 1:11(10) ack 1 urg 10");
    talk_mark(t);
    talk_expect_at(t, 300, "UP. 1:11(10) ack 1 urg 10 why rto");
    talk_destroy(t);
}

/* RFC 9293 3.8.5 [MUST-30, MUST-32, MUST-33]: told when it first appears and when it moves on;
 * how much is left. */
static void test_receive(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_events(t, s);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 0);
    talk_in(t, "U. 1:1(0) ack 1 urg 100"); /* before any data */
    assert_true(talk_events(t, s) & WEIR_PRI);
    talk_in(t, "U. 1:1(0) ack 1 urg 100"); /* the same again */
    assert_false(talk_events(t, s) & WEIR_PRI);
    talk_in(t, "U. 1:1(0) ack 1 urg 50"); /* back: no */
    assert_false(talk_events(t, s) & WEIR_PRI);
    talk_in(t, "U. 1:51(50) ack 1 urg 120");
    assert_true(talk_events(t, s) & WEIR_PRI);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 119 + 1);
    assert_int_equal(talk_read(t, s, 20), 20);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 100);
    talk_in(t, ". 51:201(150) ack 1");
    assert_int_equal(talk_read(t, s, 99), 99);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 1);
    assert_int_equal(talk_read(t, s, 1), 1);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 0);
    assert_int_equal(talk_read(t, s, 1000), 80);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 0);
    talk_destroy(t);
}

/* RFC 9293 3.8.5 [MUST-31]: five segments inside one urgent range, in order, every byte there. */
static void test_receive_long(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    char text[96];

    (void)state;
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "U. %d:%d(1000) ack 1 urg %d", 1 + i * 1000, 1001 + i * 1000,
                 5000 - i * 1000);
        talk_in(t, text);
        assert_int_equal(weir_socket_urgent_left(t->stack, s), 5000 - i * 1000);
        assert_int_equal(talk_read(t, s, 10000), 1000);
    }
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 0);
    talk_destroy(t);
}

/* Pointers of every kind on segments of every kind: bounded, and the stream is whole. */
static void test_wild_pointers(void **state)
{
    static const unsigned pointers[] = {0, 1, 2, 99, 100, 101, 32767, 65535};
    static const char *const flags[] = {"U.", "UP.", "UF.", "USRP."};

    (void)state;
    for (size_t i = 0; i < COUNT(pointers); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_passive(t);
        char text[96];

        snprintf(text, sizeof(text), "U. 101:201(100) ack 1 urg %u", pointers[i]);
        talk_in(t, text);
        talk_in(t, text);
        snprintf(text, sizeof(text), "U. 51:151(100) ack 1 urg %u", pointers[i]);
        talk_in(t, text);
        snprintf(text, sizeof(text), "U. 1:101(100) ack 1 urg %u", pointers[i]);
        talk_in(t, text);
        assert_true(weir_socket_urgent_left(t->stack, s) >= 0);
        assert_true(weir_socket_urgent_left(t->stack, s) <= 65535 + 200);
        assert_int_equal(talk_read(t, s, 1000), 200);
        for (size_t j = 0; j < COUNT(flags); j++) {
            snprintf(text, sizeof(text), "%s 70000:70000(0) ack 1 urg %u", flags[j], pointers[i]);
            talk_in(t, text);
        }
        talk_expect_state(t, s, ESTABLISHED);
        snprintf(text, sizeof(text), "UF. 201:201(0) ack 1 urg %u", pointers[i]);
        talk_in(t, text);
        talk_expect_state(t, s, CLOSE_WAIT);
        assert_int_equal(talk_read(t, s, 1000), 0);
        talk_destroy(t);
    }
}

/* On a SYN it is nothing. */
static void test_on_syn(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_listen(t, 4);
    talk_in(t, "SU 0:0(0) win 65535 urg 500 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    talk_out_none(t);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send),          cmocka_unit_test(test_sent_mark_is_forgotten),
        cmocka_unit_test(test_send_long),     cmocka_unit_test(test_send_far),
        cmocka_unit_test(test_retransmitted), cmocka_unit_test(test_receive),
        cmocka_unit_test(test_receive_long),  cmocka_unit_test(test_wild_pointers),
        cmocka_unit_test(test_on_syn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
