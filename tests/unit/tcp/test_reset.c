/* SPDX-License-Identifier: MIT */

/* RSTs: the fields of those we send, whom they are sent to, and how they find connections of which
 * only one end is left (RFC 9293 3.5.1, figures 8 to 11). */

#include "states.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 9293 3.10.7.1 [U-7]: no connection and no listener. */
static void in_closed_everything_but_a_rst_is_reset(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"S 0:0(0) <mss 1460>", "R. 0:0(0) ack 1 win 0 <>"},
        {"SF 0:0(0)", "R. 0:0(0) ack 2"},
        {"SF 0:10(10)", "R. 0:0(0) ack 12"},
        {"F 1:1(0)", "R. 0:0(0) ack 2"},
        {"P 1:11(10)", "R. 0:0(0) ack 11"},
        {"FP 1:11(10)", "R. 0:0(0) ack 12"},
        {"- 1:1(0)", "R. 0:0(0) ack 1"},
        {"U 1:1(0) urg 9", "R. 0:0(0) ack 1"},
        {". 1:1(0) ack 77", "R 77:77(0) win 0 <>"},
        {". 1:1(0) ack 0", "R 0:0(0)"},
        {"S. 0:0(0) ack 77", "R 77:77(0)"},
        {"F. 1:1(0) ack 77", "R 77:77(0)"},
        {"P. 1:11(10) ack 77", "R 77:77(0)"},
        {"R 1:1(0)", NULL},
        {"R. 1:1(0) ack 77", NULL},
        {"SR 0:0(0)", NULL},
        {"FR. 1:11(10) ack 5", NULL},
        {"S 0:0(0) badsum", NULL},
        {". 1:1(0) ack 77 badsum", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);

        talk_in_at(t, rows[i].in, rows[i].in, 0);
        if (rows[i].out)
            talk_out_at(t, rows[i].out, rows[i].in, 0);
        talk_out_none_at(t, rows[i].in, 0);
        talk_destroy(t);
    }
}

/* RFC 9293 3.9.2.3 [MUST-57]: what went to a group is answered by nobody. */
static void group_destinations_are_ignored(void **state)
{
    static const uint32_t groups[] = {0xffffffff, 0x0a0000ff, 0xe0000001, 0xefffffff};
    static const char *const kinds[] = {"S 0:0(0)", ". 1:1(0) ack 1", "P. 1:11(10) ack 1",
                                        "R 1:1(0)", "F 1:1(0)"};

    (void)state;
    for (size_t g = 0; g < COUNT(groups); g++) {
        for (uint16_t port = 80; port < 82; port++) { /* listened on, and not */
            struct talk *t = talk_create(NULL);

            talk_listen(t, 5);
            t->ours = weir_addr_from4(groups[g]);
            talk_use(t, port, 40000, 1000);
            for (size_t k = 0; k < COUNT(kinds); k++)
                talk_in(t, kinds[k]);
            talk_out_none(t);
            talk_destroy(t);
        }
    }
}

/* RFC 9293 3.9.2.3 [MUST-63]: from no such source a connection can come. */
static void invalid_sources_are_ignored(void **state)
{
    static const uint32_t sources[] = {0xffffffff, 0x0a0000ff, 0xe0000001,
                                       0x7f000001, 0x0a000001, 0};

    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct talk *t = talk_create(NULL);
        struct weir_budget_row budget;

        talk_listen(t, 5);
        t->peers = weir_addr_from4(sources[i]);
        talk_use(t, 80, sources[i] == 0x0a000001 ? 80 : 40000, 1000); /* the attack called LAND */
        talk_in(t, "S 0:0(0)");
        talk_in(t, ". 1:1(0) ack 1");
        talk_advance(t, 5 * WEIR_SECOND);
        talk_out_none(t);
        weir_inspect_budget(t->stack, &budget);
        assert_int_equal(budget.half_open, 0);
        talk_destroy(t);
    }
}

/* RFC 9293 figure 8: an old duplicate SYN, found out by the peer's RST. */
static void an_old_duplicate_syn_is_recovered_from(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_LISTEN);

    (void)state;
    talk_in(t, "S -90:-90(0)");
    talk_out(t, "S. 0:0(0) ack -89");
    talk_in(t, "R -89:-89(0)");
    talk_out_none(t);
    talk_in(t, "S 0:0(0)");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_destroy(t);
}

/* RFC 9293 3.5.1, figure 9 [U-19]: the peer has crashed and opens anew; ours is the old end. */
static void a_restarted_peer_is_told_and_tells(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_SYN_RECEIVED), old, new;

    (void)state;
    talk_in(t, ". 1:1(0) ack 1");
    old = weir_socket_accept(t->stack, listener, NULL);
    talk_in(t, "S 400:400(0)");
    talk_out(t, ". 1:1(0) ack 1 why challenge-ack");
    talk_expect_state(t, old, ESTABLISHED);
    talk_in(t, "R 1:1(0)"); /* it names the number that our ACK asked for */
    talk_expect_state(t, old, CLOSED);
    assert_int_equal(weir_socket_take_error(t->stack, old), WEIR_ECONNRESET);
    talk_in(t, "S 400:400(0)"); /* repeated by its timer */
    talk_out(t, "S. 0:0(0) ack 401");
    talk_in(t, ". 401:401(0) ack 1");
    new = weir_socket_accept(t->stack, listener, NULL);
    talk_expect_state(t, new, ESTABLISHED);
    talk_destroy(t);
}

/* The same figure, ours being the end that has lost its memory [U-19]. */
static void after_our_restart_the_old_end_is_reset(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_SYN_SENT);

    (void)state;
    talk_mark(t);
    talk_in(t, ". 300:300(0) ack -500");
    talk_out(t, "R -500:-500(0)");
    talk_expect_state(t, s, SYN_SENT);
    talk_expect_at(t, 1000, "S 0:0(0)");
    talk_in(t, "S. 0:0(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.5.1, figure 10 [U-19]: data for a connection that is not there. */
static void data_without_a_connection_is_reset(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_in(t, "P. 100:110(10) ack 300");
    talk_out(t, "R 300:300(0)");
    talk_destroy(t);
}

/* RFC 9293 3.5.1, figure 11 [U-19]: an old SYN meets two passive ends. */
static void an_old_syn_between_listeners_dies_out(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_LISTEN);
    struct weir_budget_row budget;

    (void)state;
    talk_in(t, "S. 50:50(0) ack 9"); /* the other listener's answer to the old SYN */
    talk_out(t, "R 9:9(0)");
    talk_in(t, "S 0:0(0)");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, "R 1:1(0)"); /* the other listener's answer to our SYN-ACK */
    talk_out_none(t);
    talk_expect_state(t, listener, LISTEN);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.half_open, 0);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4: a RST flushes the queues, on both sides and beyond a gap. */
static void a_rst_discards_what_is_queued(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);
    struct weir_tcp_info info;

    (void)state;
    talk_write(t, s, 50000);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_in(t, "P. 201:301(100) ack 1");
    talk_drain(t);
    talk_in(t, "R 101:101(0)");
    info = talk_info(t, s);
    assert_int_equal(info.state, WEIR_STATE_CLOSED);
    assert_int_equal(info.send_queued, 0);
    assert_int_equal(info.receive_queued, 0);
    assert_int_equal(info.out_of_order, 0);
    assert_int_equal(talk_read(t, s, 10), WEIR_ECONNRESET);
    talk_advance(t, 300 * WEIR_SECOND); /* and no timer is left */
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.10.5 [U-29]: the RST of an ABORT follows everything that was sent. */
static void an_abort_resets_behind_what_was_sent(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_write(t, s, 100);
    talk_out(t, "P. 1:101(100)");
    talk_abort(t, s);
    talk_out(t, "R 101:101(0) why rst");
    talk_advance(t, 300 * WEIR_SECOND);
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.5.3 [U-20]: at any other number, far or near, in every synchronised state, it is not
 * believed; the exact one is, at the wrap of the sequence space too [U-3]. */
static void an_exact_rst_at_the_wrap(void **state)
{
    static const uint32_t isns[] = {0xfffffffe, 0xffffffff, 0, 0x7fffffff, 0x80000000};

    (void)state;
    for (size_t i = 0; i < COUNT(isns); i++) {
        struct talk *t = talk_create(NULL);
        int s;

        t->peer_isn = isns[i];
        s = talk_establish_passive(t);
        for (int shift = 0; shift < 32; shift++) {
            struct weir_tcp_info info;
            char text[64];

            snprintf(text, sizeof(text), "R %lld:%lld(0)", 1 + (1LL << shift), 1 + (1LL << shift));
            talk_in(t, text);
            info = talk_info(t, s);
            assert_int_equal(info.state, WEIR_STATE_ESTABLISHED);
        }
        talk_drain(t);
        talk_in(t, "R 1:1(0)");
        talk_expect_state(t, s, CLOSED);
        talk_destroy(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_closed_everything_but_a_rst_is_reset),
        cmocka_unit_test(group_destinations_are_ignored),
        cmocka_unit_test(invalid_sources_are_ignored),
        cmocka_unit_test(an_old_duplicate_syn_is_recovered_from),
        cmocka_unit_test(a_restarted_peer_is_told_and_tells),
        cmocka_unit_test(after_our_restart_the_old_end_is_reset),
        cmocka_unit_test(data_without_a_connection_is_reset),
        cmocka_unit_test(an_old_syn_between_listeners_dies_out),
        cmocka_unit_test(a_rst_discards_what_is_queued),
        cmocka_unit_test(an_abort_resets_behind_what_was_sent),
        cmocka_unit_test(an_exact_rst_at_the_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
