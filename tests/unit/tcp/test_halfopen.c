/* SPDX-License-Identifier: MIT */

/* SYN-RECEIVED after a passive open: the record alone, and in conversation with its stack. */

#include "states.h"

#include <string.h>
#include <tcp/halfopen.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { IRS = 5000, ISS = 900 };

static struct tcp_halfopen record_of(void)
{
    return (struct tcp_halfopen){
        .irs = IRS, .iss = ISS, .window = 1000, .peer_mss = 1460, .our_mss = 1460};
}

struct verdict_row {
    uint8_t flags;
    int seq, length, ack; /* relative to IRS and ISS */
    enum tcp_halfopen_verdict verdict;
    uint8_t reply; /* flags; 0: none */
    int reply_seq, reply_ack;
};

#define KEEP TCP_HALFOPEN_KEEP
#define FREE TCP_HALFOPEN_FREE
#define INFLATE TCP_HALFOPEN_INFLATE
#define A TCP_ACK

/* clang-format off */
/* RFC 9293 3.10.7.4 [U-5, U-11, U-12, U-13, MUST-11]; RFC 5961 3.2 [5961-1] */
static const struct verdict_row rows[] = {
    {A,               1,    0, 1, INFLATE, 0,           0, 0},
    {A | TCP_FIN,     1,    0, 1, INFLATE, 0,           0, 0},
    {A | TCP_PSH,     1,   10, 1, INFLATE, 0,           0, 0},
    {A,               2,    0, 1, INFLATE, 0,           0, 0}, /* in the window */
    {A,            1000,    0, 1, INFLATE, 0,           0, 0}, /* its last number */
    {A,            1001,    0, 1, KEEP,    A,           1, 1}, /* beyond */
    {A,               0,    0, 1, KEEP,    A,           1, 1}, /* before */
    {A,               0,    2, 1, INFLATE, 0,           0, 0}, /* its end is inside */
    {A,               0,    1, 1, KEEP,    A,           1, 1},
    {A,               1,    0, 0, KEEP,    TCP_RST,     0, 0}, /* acknowledges nothing */
    {A,               1,    0, 2, KEEP,    TCP_RST,     2, 0}, /* too much */
    {A | TCP_FIN,     1,    5, 2, KEEP,    TCP_RST,     2, 0},
    {0,               1,    0, 0, KEEP,    0,           0, 0},
    {TCP_PSH,         1,   10, 0, KEEP,    0,           0, 0},
    {TCP_FIN,         1,    0, 0, KEEP,    0,           0, 0},
    {TCP_RST,         1,    0, 0, FREE,    0,           0, 0},
    {TCP_RST | A,     1,    0, 9, FREE,    0,           0, 0}, /* the ACK does not matter */
    {TCP_RST,         1,   20, 0, FREE,    0,           0, 0},
    {TCP_RST,         2,    0, 0, KEEP,    A,           1, 1}, /* challenged */
    {TCP_RST,      1000,    0, 0, KEEP,    A,           1, 1},
    {TCP_RST,      1001,    0, 0, KEEP,    0,           0, 0},
    {TCP_RST,         0,    0, 0, KEEP,    0,           0, 0},
    {TCP_SYN,         0,    0, 0, KEEP,    TCP_SYN | A, 0, 1}, /* the first SYN again */
    {TCP_SYN,         1,    0, 0, FREE,    0,           0, 0}, /* back to LISTEN */
    {TCP_SYN | A,     7,    0, 1, FREE,    0,           0, 0},
    {TCP_SYN,        -7,    0, 0, KEEP,    A,           1, 1},
    {TCP_SYN,      2000,    0, 0, KEEP,    A,           1, 1},
};
/* clang-format on */

static void each_segment_has_its_verdict(void **state)
{
    struct weir_tcp_settings settings;

    (void)state;
    weir_profile(WEIR_PROFILE_DEFAULT, &settings);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct verdict_row *row = &rows[i];
        struct tcp_halfopen record = record_of();
        struct tcp_segment segment = {.seq = IRS + (weir_seq)row->seq,
                                      .ack = ISS + (weir_seq)row->ack,
                                      .length = (uint32_t)row->length,
                                      .flags = row->flags};
        struct tcp_reply reply;
        enum weir_drop drop;
        enum tcp_halfopen_verdict verdict =
            tcp_halfopen_input(&record, &settings, &segment, &reply, &drop);

        if (verdict != row->verdict || reply.flags != row->reply)
            fail_msg("row %zu: verdict %d, reply %02x", i, (int)verdict, reply.flags);
        if (!reply.flags)
            continue;
        assert_int_equal(reply.seq, ISS + (weir_seq)row->reply_seq);
        if (reply.flags & TCP_ACK)
            assert_int_equal(reply.ack, IRS + (weir_seq)row->reply_ack);
    }
}

/* RFC 9293 3.8.3 [MUST-23]: a lost SYN-ACK comes again, ever more seldom, for three minutes. */
static void the_syn_ack_is_repeated_and_given_up(void **state)
{
    static const double at[] = {1000, 3000, 7000, 15000, 31000, 63000, 127000};
    struct talk *t = talk_create(NULL);
    struct weir_budget_row budget;
    unsigned count = 0;
    weir_time when, start;
    struct weir_packet packet;

    (void)state;
    states_enter(t, AT_SYN_RECEIVED);
    start = t->now;
    talk_advance(t, 600 * WEIR_SECOND);
    while (talk_take(t, &packet, &when)) {
        assert_true(count < COUNT(at));
        assert_int_equal(packet.flags, WEIR_TCP_SYN | WEIR_TCP_ACK);
        assert_int_equal(when - start, (weir_time)(at[count++] * 1e6));
    }
    assert_int_equal(count, COUNT(at));
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.half_open, 0);
    assert_int_equal(weir_inspect_counters(t->stack)->counter[WEIR_COUNT_FAILED_OPENS], 1);
    talk_destroy(t);
}

/* RFC 9293 3.5 [MUST-11]: after a RST the listener is back in LISTEN, and nobody hears of it. */
static void a_rst_returns_to_listen(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_SYN_RECEIVED);

    (void)state;
    talk_in(t, "R 1:1(0)");
    talk_out_none(t);
    assert_int_equal(talk_events(t, listener), 0);
    assert_int_equal(weir_socket_accept(t->stack, listener, NULL), WEIR_EAGAIN);
    talk_in(t, ". 1:1(0) ack 1"); /* there is no record any more */
    talk_out(t, "R 1:1(0)");
    talk_in(t, "S 0:0(0)");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.4 [U-11]: a wrong ACK is refused, a right one completes the handshake after. */
static void a_wrong_ack_does_not_spoil_the_handshake(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_SYN_RECEIVED);

    (void)state;
    talk_in(t, ". 1:1(0) ack 0");
    talk_out(t, "R 0:0(0)");
    talk_in(t, ". 1:1(0) ack 2");
    talk_out(t, "R 2:2(0)");
    talk_in(t, ". 1:1(0) ack 1");
    talk_out_none(t);
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_destroy(t);
}

/* What the completing segment carries is not lost: text, FIN, URG. */
static void the_last_ack_may_carry_more(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_SYN_RECEIVED), s;

    (void)state;
    talk_in(t, "FPU. 1:11(10) ack 1 urg 4");
    talk_out(t, ". 1:1(0) ack 12");
    s = weir_socket_accept(t->stack, listener, NULL);
    talk_expect_state(t, s, CLOSE_WAIT);
    assert_true(talk_events(t, s) & WEIR_PRI);
    assert_int_equal(talk_read(t, s, 100), 10);
    assert_int_equal(talk_read(t, s, 100), 0);
    talk_destroy(t);
}

/* The ACK was lost; the data behind it completes the handshake as well. */
static void data_in_order_or_not_completes_the_handshake(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_SYN_RECEIVED), s;

    (void)state;
    talk_in(t, "P. 11:21(10) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    talk_expect_state(t, s, ESTABLISHED);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_out(t, ". 1:1(0) ack 21");
    assert_int_equal(talk_read(t, s, 100), 20);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.2: text on a SYN is not acknowledged, and delivered once when it comes again. */
static void text_on_a_syn_is_delivered_once(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_LISTEN), s;

    (void)state;
    talk_in(t, "S 0:10(10) <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, "P. 1:11(10) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_int_equal(talk_info(t, s).receive_queued, 10);
    talk_destroy(t);
}

/* Two records of two hosts that refuse each other's ACKs must fall silent: what one sends in answer
 * to what it cannot accept is bounded. RFC 5961 7 [5961-4] */
static void refused_acks_are_answered_a_bounded_number_of_times(void **state)
{
    static const char *const kinds[] = {". 99999:99999(0) ack 1", "R 5:5(0)", ". 0:0(0) ack 1"};

    (void)state;
    for (size_t kind = 0; kind < COUNT(kinds); kind++) {
        struct talk *t = talk_create(NULL);
        int listener = states_enter(t, AT_SYN_RECEIVED);

        for (int i = 0; i < 1000; i++)
            talk_in(t, kinds[kind]);
        assert_in_range(talk_drain(t), 1, 20);
        talk_in(t, ". 1:1(0) ack 1"); /* and the handshake completes nevertheless */
        assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
        talk_destroy(t);
    }
}

/* RFC 9293 3.1 [MUST-3]: with a wrong checksum nothing is believed. */
static void a_wrong_checksum_changes_nothing(void **state)
{
    static const char *const kinds[] = {". 1:1(0) ack 1 badsum", "R 1:1(0) badsum",
                                        "S 1:1(0) badsum", ". 1:1(0) ack 5 badsum"};
    struct talk *t = talk_create(NULL);
    int listener = states_enter(t, AT_SYN_RECEIVED);

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        talk_in(t, kinds[i]);
        talk_out_none(t);
        assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CHECKSUM), i + 1);
    }
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, listener, NULL) >= 0);
    talk_destroy(t);
}

static int listen_deferring(struct talk *t, weir_time patience)
{
    int listener = states_enter(t, AT_LISTEN);

    assert_int_equal(weir_socket_set(t->stack, listener, WEIR_TCP_DEFER_ACCEPT, patience), 0);
    talk_mark(t);
    talk_in(t, "S 0:0(0) <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    return listener;
}

/* Deferred: the bare ACK is noted and no more; data makes the connection, with the round trip of the
 * first ACK. Meanwhile the SYN-ACK is not repeated. */
static void a_deferred_handshake_waits_for_data(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = listen_deferring(t, 10 * WEIR_SECOND), s;

    (void)state;
    talk_advance(t, 100 * WEIR_MS);
    for (int i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_advance(t, 8 * WEIR_SECOND);
    talk_out_none(t);
    assert_int_equal(weir_socket_accept(t->stack, listener, NULL), WEIR_EAGAIN);
    talk_in(t, "P. 1:11(10) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(talk_info(t, s).srtt, 100 * WEIR_MS);
    assert_int_equal(talk_read(t, s, 100), 10);
    talk_destroy(t);
}

/* The patience ends with the first time-out past it, not with an earlier one: the SYN-ACK comes again,
 * and its ACK makes a connection without data. */
static void the_patience_of_a_deferred_handshake_ends(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = listen_deferring(t, 3 * WEIR_SECOND), s;

    (void)state;
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_at(t, 3000, "S. 0:0(0) ack 1");
    assert_int_equal(weir_socket_accept(t->stack, listener, NULL), WEIR_EAGAIN);
    talk_in(t, ". 1:1(0) ack 1");
    talk_out_none(t);
    s = weir_socket_accept(t->stack, listener, NULL);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_segment_has_its_verdict),
        cmocka_unit_test(the_syn_ack_is_repeated_and_given_up),
        cmocka_unit_test(a_rst_returns_to_listen),
        cmocka_unit_test(a_wrong_ack_does_not_spoil_the_handshake),
        cmocka_unit_test(the_last_ack_may_carry_more),
        cmocka_unit_test(data_in_order_or_not_completes_the_handshake),
        cmocka_unit_test(text_on_a_syn_is_delivered_once),
        cmocka_unit_test(refused_acks_are_answered_a_bounded_number_of_times),
        cmocka_unit_test(a_wrong_checksum_changes_nothing),
        cmocka_unit_test(a_deferred_handshake_waits_for_data),
        cmocka_unit_test(the_patience_of_a_deferred_handshake_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
