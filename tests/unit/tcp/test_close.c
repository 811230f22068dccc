/* SPDX-License-Identifier: MIT */

/* CLOSE and ABORT in every state, the half-close, the close of a socket with data on either side,
 * and the FIN that nobody acknowledges. */

#include "states.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct call_row {
    enum place place;
    const char *out; /* what the call sends; NULL: nothing */
    enum weir_tcp_state then;
};

/* clang-format off */

/* RFC 9293 3.10.4 [U-28] */
static const struct call_row closes[] = {
    {AT_LISTEN,              NULL,             WEIR_STATE_CLOSED},
    {AT_SYN_SENT,            NULL,             WEIR_STATE_CLOSED},
    {AT_SYN_RECEIVED,        "R 1:1(0)",       WEIR_STATE_CLOSED},
    {AT_SYN_RECEIVED_ACTIVE, NULL,             WEIR_STATE_SYN_RECEIVED}, /* queued */
    {AT_ESTABLISHED,         "F. 1:1(0) ack 1", WEIR_STATE_FIN_WAIT_1},
    {AT_FIN_WAIT_1,          NULL,             WEIR_STATE_FIN_WAIT_1},
    {AT_FIN_WAIT_2,          NULL,             WEIR_STATE_FIN_WAIT_2},
    {AT_CLOSE_WAIT,          "F. 1:1(0) ack 2", WEIR_STATE_LAST_ACK},
    {AT_CLOSING,             NULL,             WEIR_STATE_CLOSING},
    {AT_LAST_ACK,            NULL,             WEIR_STATE_LAST_ACK},
    {AT_TIME_WAIT,           NULL,             WEIR_STATE_TIME_WAIT},
};

/* RFC 9293 3.10.5 [U-29]: the RST is at SND.NXT. */
static const struct call_row aborts[] = {
    {AT_LISTEN,              NULL,        WEIR_STATE_CLOSED},
    {AT_SYN_SENT,            NULL,        WEIR_STATE_CLOSED},
    {AT_SYN_RECEIVED,        "R 1:1(0)",  WEIR_STATE_CLOSED},
    {AT_SYN_RECEIVED_ACTIVE, "R 1:1(0)",  WEIR_STATE_CLOSED},
    {AT_ESTABLISHED,         "R 1:1(0)",  WEIR_STATE_CLOSED},
    {AT_FIN_WAIT_1,          "R 2:2(0)",  WEIR_STATE_CLOSED},
    {AT_FIN_WAIT_2,          "R 2:2(0)",  WEIR_STATE_CLOSED},
    {AT_CLOSE_WAIT,          "R 1:1(0)",  WEIR_STATE_CLOSED},
    {AT_CLOSING,             NULL,        WEIR_STATE_CLOSED},
    {AT_LAST_ACK,            NULL,        WEIR_STATE_CLOSED},
    {AT_TIME_WAIT,           NULL,        WEIR_STATE_CLOSED},
};

/* clang-format on */

enum call { BY_CLOSE, BY_ABORT, BY_LINGER };

static int make_call(struct talk *t, int s, int call)
{
    if (call == BY_ABORT)
        return talk_abort(t, s);
    if (call == BY_LINGER)
        assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_LINGER, 0), 0);
    return talk_close(t, s);
}

static void try_call(const struct call_row *row, int call)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, row->place);
    const char *name = states_facts[row->place].name;

    assert_int_equal(make_call(t, s, call), 0);
    if (row->out)
        talk_out_at(t, row->out, name, call);
    talk_out_none_at(t, name, call);
    talk_expect_state_at(t, s, row->then, name, call);
    assert_int_equal(weir_socket_close(t->stack, s), WEIR_EBADF); /* a second CLOSE is an error */
    assert_int_equal(weir_socket_abort(t->stack, s), WEIR_EBADF);
    if (row->then == WEIR_STATE_CLOSED && row->place > AT_SYN_RECEIVED) {
        talk_in_at(t, states_text(row->place, "P. $r:$r+10(10) ack $s"), name, call);
        talk_out_at(t, states_text(row->place, "R $s:$s(0)"), name, call);
    }
    talk_destroy(t);
}

static void close_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(closes); i++)
        try_call(&closes[i], BY_CLOSE);
}

static void abort_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(aborts); i++) {
        try_call(&aborts[i], BY_ABORT);
        try_call(&aborts[i], BY_LINGER);
    }
}

/* RFC 9293 3.10.4: shutting down twice sends one FIN. */
static void shutdown_in_every_state(void **state)
{
    (void)state;
    for (int place = AT_SYN_SENT; place < AT_TIME_WAIT_ALONE; place++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, (enum place)place);
        bool sends = place == AT_ESTABLISHED || place == AT_CLOSE_WAIT;

        talk_shutdown(t, s);
        assert_int_equal(talk_drain(t), sends ? 1 : 0);
        talk_shutdown(t, s);
        talk_out_none(t);
        talk_destroy(t);
    }
}

/* RFC 9293 3.10.4 [U-28]: in SYN-RECEIVED the CLOSE waits for the handshake. */
static void close_in_syn_received_sends_the_fin_later(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_SYN_RECEIVED_ACTIVE);

    (void)state;
    assert_int_equal(talk_close(t, s), 0);
    talk_out_none(t);
    talk_in(t, "S. 0:0(0) ack 1");
    talk_out(t, "F. 1:1(0) ack 1");
    talk_expect_state(t, s, FIN_WAIT_1);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, ". 2:2(0) ack 2");
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
}

/* A SYN-ACK that comes after the CLOSE in SYN-SENT finds nobody. */
static void a_late_syn_ack_is_reset(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_SYN_SENT);

    (void)state;
    talk_close(t, s);
    talk_in(t, "S. 0:0(0) ack 1");
    talk_out(t, "R 1:1(0)");
    talk_destroy(t);
}

/* RFC 9293 3.6 [U-21]: all queued data leaves before the FIN, and the peer's is still read. */
static void a_half_close_drains_and_goes_on_reading(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_packet packet;
    int s = states_enter(t, AT_ESTABLISHED);
    uint32_t next = 1;
    bool has_fin = false;
    char text[64];

    (void)state;
    assert_int_equal(talk_write(t, s, 100000), 100000);
    assert_int_equal(talk_shutdown(t, s), 0);
    assert_int_equal(talk_write(t, s, 1), WEIR_EPIPE);
    while (talk_take(t, &packet, NULL)) {
        assert_int_equal(packet.seq, talk_our_seq(t, next));
        assert_false(has_fin);
        next += packet.payload_length;
        has_fin = (packet.flags & WEIR_TCP_FIN) != 0;
        snprintf(text, sizeof(text), ". 1:1(0) ack %u", next + has_fin);
        talk_in(t, text);
    }
    assert_true(has_fin);
    assert_int_equal(next, 100001);
    talk_expect_state(t, s, FIN_WAIT_2);
    talk_in(t, "P. 1:1001(1000) ack 100002");
    assert_int_equal(talk_read(t, s, 5000), 1000);
    talk_advance(t, 3600 * WEIR_SECOND); /* a half-open direction may last */
    talk_drain(t);
    talk_in(t, "FP. 1001:1011(10) ack 100002");
    talk_out(t, ". 100002:100002(0) ack 1012");
    assert_int_equal(talk_read(t, s, 5000), 10);
    assert_int_equal(talk_read(t, s, 5000), 0);
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
}

/* RFC 9293 3.10.4: what was written before the CLOSE is delivered after it, at the peer's pace. */
static void a_close_delivers_what_is_queued(void **state)
{
    struct talk *t = talk_create(NULL);
    int s;

    (void)state;
    t->peer_window = 1460;
    s = states_enter(t, AT_CLOSE_WAIT);
    talk_in(t, ". 2:2(0) ack 1 win 1460");
    assert_int_equal(talk_write(t, s, 3000), 3000);
    talk_out(t, ". 1:1461(1460) ack 2");
    talk_close(t, s);
    talk_out_none(t);
    talk_expect_state(t, s, LAST_ACK);
    talk_in(t, ". 2:2(0) ack 1461 win 1460");
    talk_out(t, ". 1461:2921(1460) ack 2");
    talk_in(t, ". 2:2(0) ack 2921 win 1460");
    talk_out(t, "FP. 2921:3001(80) ack 2");
    talk_in(t, ". 2:2(0) ack 3002 win 1460");
    talk_expect_state(t, s, CLOSED);
    talk_destroy(t);
}

/* RFC 9293 3.10.2, 3.10.3: in SYN-SENT nothing can be sent or read yet; an event tells when, or
 * that it never will be. */
static void a_writer_in_syn_sent_is_told(void **state)
{
    static const char *const answers[] = {"S. 0:0(0) ack 1", "R. 0:0(0) ack 1"};

    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, AT_SYN_SENT);
        uint32_t events;

        assert_int_equal(talk_write(t, s, 10), WEIR_EAGAIN);
        assert_int_equal(talk_read(t, s, 10), WEIR_EAGAIN);
        talk_events(t, s);
        talk_in(t, answers[i]);
        events = talk_events(t, s);
        assert_true(events & WEIR_OUT);
        assert_int_equal((events & WEIR_ERR) != 0, i == 1);
        assert_int_equal(talk_write(t, s, 10), i == 1 ? WEIR_ECONNREFUSED : 10);
        talk_destroy(t);
    }
}

/* RFC 9293 3.6 [MUST-12]: an orderly end and an abort look different to the application. */
static void the_application_can_tell_fin_from_rst(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);
    uint8_t byte;

    (void)state;
    talk_events(t, s);
    talk_in(t, "F. 1:1(0) ack 1");
    assert_int_equal(talk_events(t, s) & (WEIR_IN | WEIR_HUP | WEIR_ERR), WEIR_IN | WEIR_HUP);
    assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), 0);
    assert_int_equal(weir_socket_send(t->stack, s, "x", 1, 0), 1);
    talk_destroy(t);

    t = talk_create(NULL);
    s = states_enter(t, AT_ESTABLISHED);
    talk_events(t, s);
    talk_in(t, "R 1:1(0)");
    assert_true(talk_events(t, s) & WEIR_ERR);
    assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), WEIR_ECONNRESET);
    assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), 0);
    assert_int_equal(weir_socket_send(t->stack, s, "x", 1, 0), WEIR_EPIPE);
    talk_destroy(t);
}

/* RFC 9293 3.6.1 [SHLD-3, MAY-1]: bytes that nobody will read end in a RST. */
static void closing_with_unread_data_resets(void **state)
{
    static const struct {
        enum place place;
        const char *in, *out;
    } rows[] = {
        {AT_ESTABLISHED, "P. 1:101(100) ack 1", "R 1:1(0)"},
        {AT_ESTABLISHED, "FP. 1:101(100) ack 1", "R 1:1(0)"},
        {AT_FIN_WAIT_1, "P. 1:101(100) ack 1", "R 2:2(0)"},
        {AT_FIN_WAIT_2, "P. 1:101(100) ack 2", "R 2:2(0)"},
        {AT_FIN_WAIT_1, "FP. 1:101(100) ack 1", "R 2:2(0)"}, /* CLOSING */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, rows[i].place);

        talk_in(t, rows[i].in);
        talk_drain(t);
        talk_close(t, s);
        talk_out(t, rows[i].out);
        talk_out_none(t);
        talk_expect_state(t, s, CLOSED);
        talk_destroy(t);
    }
}

/* Read to the end, the close is an orderly one. */
static void closing_after_reading_all_is_orderly(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(talk_read(t, s, 200), 100);
    talk_close(t, s);
    talk_out(t, "F. 1:1(0) ack 101");
    talk_destroy(t);
}

/* RFC 9293 3.6.1 [SHLD-3]: data that comes after the CLOSE is reset; a mere ACK or FIN is not. */
static void data_after_the_close_resets(void **state)
{
    static const char *const late[] = {"P. 1:11(10) ack 1", "P. 1:11(10) ack 2",
                                       "P. 5:15(10) ack 2", "FP. 1:11(10) ack 2"};

    (void)state;
    for (size_t i = 0; i < COUNT(late); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, AT_ESTABLISHED);

        talk_close(t, s);
        talk_out(t, "F. 1:1(0) ack 1");
        talk_in(t, late[i]);
        talk_out(t, "R 2:2(0)");
        talk_out_none(t);
        talk_expect_state(t, s, CLOSED);
        assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CLOSED_DATA), 1);
        talk_destroy(t);
    }
}

/* Behind the peer's FIN there is no data, so none comes late. */
static void text_behind_the_fin_is_not_late(void **state)
{
    static const enum place places[] = {AT_CLOSING, AT_LAST_ACK};

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, places[i]);

        talk_close(t, s);
        talk_in(t, states_text(places[i], "P. $r:$r+10(10) ack $u"));
        talk_out_none(t);
        talk_expect_state_at(t, s, states_facts[places[i]].state, __FILE__, __LINE__);
        talk_destroy(t);
    }
}

/* What the peer repeats of what was read before the CLOSE is old, not late. */
static void old_data_after_the_close_is_acknowledged(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    talk_read(t, s, 100);
    talk_close(t, s);
    talk_drain(t);
    talk_in(t, "P. 1:101(100) ack 1");
    talk_out(t, ". 2:2(0) ack 101");
    talk_expect_state(t, s, FIN_WAIT_1);
    talk_in(t, "FP. 1:101(100) ack 2");
    talk_out(t, ". 2:2(0) ack 102");
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
}

/* An orphan's FIN-WAIT-2 ends by itself; a held one, and strict's, do not. */
static void an_orphaned_fin_wait_2_ends(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);
    struct weir_stack_config config = states_config(WEIR_PROFILE_STRICT);

    (void)state;
    talk_close(t, s);
    talk_out(t, "F. 1:1(0) ack 1");
    talk_in(t, ". 1:1(0) ack 2");
    talk_advance(t, 60 * WEIR_SECOND - 1);
    talk_expect_state(t, s, FIN_WAIT_2);
    talk_advance(t, 1);
    talk_expect_state(t, s, CLOSED);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, "R 2:2(0)");
    talk_destroy(t);

    t = talk_create(&config);
    s = states_enter(t, AT_ESTABLISHED);
    talk_close(t, s);
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 2");
    talk_advance(t, 7200 * WEIR_SECOND);
    talk_expect_state(t, s, FIN_WAIT_2);
    talk_destroy(t);
}

/* RFC 9293 3.10.8 [U-27]: in each state that waits for our FIN's ACK, it is sent again. */
static void the_fin_is_retransmitted(void **state)
{
    static const enum place places[] = {AT_FIN_WAIT_1, AT_CLOSING, AT_LAST_ACK};

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, places[i]);

        talk_mark(t);
        talk_expect_between(t, 100, 1500, states_text(places[i], "F. 1:1(0) ack $r why rto"));
        talk_expect_between(t, 300, 4500, states_text(places[i], "F. 1:1(0) ack $r why rto"));
        talk_in(t, states_text(places[i], ". $r:$r(0) ack 2"));
        talk_out_none(t);
        talk_advance(t, 30 * WEIR_SECOND);
        talk_out_none(t);
        (void)s;
        talk_destroy(t);
    }
}

/* RFC 9293 3.8.3 [MUST-20]: a peer that never answers the FIN is given up in the end. */
static void a_fin_without_answer_is_given_up(void **state)
{
    static const enum place places[] = {AT_FIN_WAIT_1, AT_CLOSING, AT_LAST_ACK};

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, places[i]);

        talk_close(t, s);
        talk_events(t, s);
        talk_advance(t, 7200 * WEIR_SECOND);
        talk_expect_state(t, s, CLOSED);
        assert_int_equal(talk_events(t, s), WEIR_HUP | WEIR_CLOSED);
        talk_destroy(t);
    }
}

/* The number of a closed socket is not given out while its connection ends. */
static void the_number_lives_until_the_end(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED), other;

    (void)state;
    talk_events(t, s);
    talk_close(t, s);
    other = weir_socket_open(t->stack, WEIR_TCP, 0);
    assert_int_not_equal(other, s);
    talk_in(t, "R 1:1(0)");
    assert_int_equal(talk_events(t, s), WEIR_HUP | WEIR_CLOSED);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_in_every_state),
        cmocka_unit_test(abort_in_every_state),
        cmocka_unit_test(shutdown_in_every_state),
        cmocka_unit_test(close_in_syn_received_sends_the_fin_later),
        cmocka_unit_test(a_late_syn_ack_is_reset),
        cmocka_unit_test(a_half_close_drains_and_goes_on_reading),
        cmocka_unit_test(a_close_delivers_what_is_queued),
        cmocka_unit_test(a_writer_in_syn_sent_is_told),
        cmocka_unit_test(the_application_can_tell_fin_from_rst),
        cmocka_unit_test(closing_with_unread_data_resets),
        cmocka_unit_test(closing_after_reading_all_is_orderly),
        cmocka_unit_test(data_after_the_close_resets),
        cmocka_unit_test(text_behind_the_fin_is_not_late),
        cmocka_unit_test(old_data_after_the_close_is_acknowledged),
        cmocka_unit_test(an_orphaned_fin_wait_2_ends),
        cmocka_unit_test(the_fin_is_retransmitted),
        cmocka_unit_test(a_fin_without_answer_is_given_up),
        cmocka_unit_test(the_number_lives_until_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
