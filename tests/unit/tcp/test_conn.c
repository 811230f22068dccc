/* SPDX-License-Identifier: MIT */

/* Whole lives of connections: ordinary ones, opens and closes from both ends at once, a connection
 * with itself, and a walk through every way of RFC 9293 figure 5. */

#include "states.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 9293 figure 6 and figure 12, from our end: opened and closed actively. */
static void an_active_life(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    assert_int_equal(talk_write(t, s, 500), 500);
    talk_out(t, "P. 1:501(500) ack 1");
    talk_in(t, "P. 1:301(300) ack 501");
    assert_int_equal(talk_read(t, s, 1000), 300);
    talk_close(t, s);
    talk_out(t, "F. 501:501(0) ack 301");
    talk_in(t, ". 301:301(0) ack 502");
    talk_expect_state(t, s, FIN_WAIT_2);
    talk_in(t, "F. 301:301(0) ack 502");
    talk_out(t, ". 502:502(0) ack 302");
    talk_expect_state(t, s, TIME_WAIT);
    talk_advance(t, 60 * WEIR_SECOND);
    talk_expect_state(t, s, CLOSED);
    talk_out_none(t);
    talk_destroy(t);
}

/* The other end of the same figures. */
static void a_passive_life(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "FP. 1:301(300) ack 1");
    talk_out(t, ". 1:1(0) ack 302");
    assert_int_equal(talk_read(t, s, 1000), 300);
    assert_int_equal(talk_write(t, s, 200), 200); /* CLOSE-WAIT may still send */
    talk_out(t, "P. 1:201(200) ack 302");
    talk_close(t, s);
    talk_out(t, "F. 201:201(0) ack 302");
    talk_in(t, ". 302:302(0) ack 201"); /* all but the FIN */
    talk_expect_state(t, s, LAST_ACK);
    talk_in(t, ". 302:302(0) ack 202");
    talk_expect_state(t, s, CLOSED);
    talk_in(t, ". 302:302(0) ack 202");
    talk_out(t, "R 202:202(0)");
    talk_destroy(t);
}

/* RFC 9293 3.5, figure 7 [MUST-10]: both SYNs cross; one connection comes of it, and it works. */
static void a_simultaneous_open(void **state)
{
    static const char *const last[] = {"S. 0:0(0) ack 1", ". 1:1(0) ack 1"};

    (void)state;
    for (size_t i = 0; i < COUNT(last); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, AT_SYN_RECEIVED_ACTIVE);

        talk_in(t, last[i]);
        talk_expect_state(t, s, ESTABLISHED);
        talk_out_none(t);
        talk_in(t, "S. 0:0(0) ack 1"); /* late: an ACK, and nothing else */
        talk_out(t, ". 1:1(0) ack 1");
        talk_write(t, s, 10);
        talk_out(t, "P. 1:11(10) ack 1");
        talk_in(t, "P. 1:11(10) ack 11");
        assert_int_equal(talk_read(t, s, 100), 10);
        talk_destroy(t);
    }
}

/* In a simultaneous open the SYN-ACK is lost: it comes again by the timer, at the same ISN. */
static void a_simultaneous_open_survives_loss(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_SYN_RECEIVED_ACTIVE);

    (void)state;
    talk_mark(t);
    talk_expect_at(t, 1000, "S. 0:0(0) ack 1");
    talk_expect_at(t, 3000, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.10.7.3 [U-10]: text on the crossing SYN arrives once, after ESTABLISHED. */
static void text_on_a_crossing_syn_arrives_once(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_SYN_SENT);

    (void)state;
    talk_in(t, "S 0:10(10)");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_expect_state(t, s, SYN_RECEIVED);
    assert_int_equal(talk_info(t, s).receive_queued, 0);
    talk_in(t, "S. 0:10(10) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_info(t, s).receive_queued, 10);
    talk_destroy(t);
}

/* RFC 9293 3.6, figure 13 [U-17, U-26]: both FINs cross. Text may ride on them. */
static void a_simultaneous_close(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_ESTABLISHED);

    (void)state;
    talk_write(t, s, 5);
    talk_shutdown(t, s);
    talk_out(t, "P. 1:6(5) ack 1");
    talk_out(t, "F. 6:6(0) ack 1");
    talk_in(t, "FP. 1:11(10) ack 1");
    talk_out(t, ". 7:7(0) ack 12");
    talk_expect_state(t, s, CLOSING);
    talk_in(t, ". 12:12(0) ack 6");
    talk_expect_state(t, s, CLOSING);
    talk_in(t, ". 12:12(0) ack 7");
    talk_expect_state(t, s, TIME_WAIT);
    assert_int_equal(talk_read(t, s, 100), 10);
    assert_int_equal(talk_read(t, s, 100), 0);
    talk_destroy(t);
}

/* RFC 9293 A.2 [U-26]: the crossing FINs' ACKs are lost; each FIN sent again is out of the other's
 * window, and carries the ACK that is missing. It must not go on for ever. */
static void a_simultaneous_close_with_lost_acks_ends(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_CLOSING);

    (void)state;
    talk_in(t, "F. 1:1(0) ack 2"); /* old number, new ACK */
    talk_out(t, ". 2:2(0) ack 2");
    talk_in(t, ". 2:2(0) ack 2"); /* what such a peer answers */
    talk_expect_state(t, s, TIME_WAIT);
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 A.2 [U-26]: one socket, connected to its own address and port. */
static void a_connection_with_itself(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint self = {.addr = weir_addr_from4(0x0a000001), .port = 5000};
    int s = weir_socket_open(t->stack, WEIR_TCP, 0);
    char text[16] = {0};

    (void)state;
    assert_int_equal(weir_socket_bind(t->stack, s, &self), 0);
    assert_int_equal(weir_socket_connect(t->stack, s, &self, t->now), WEIR_EINPROGRESS);
    talk_run(t);
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(weir_socket_send(t->stack, s, "to myself", 9, 0), 9);
    talk_advance(t, WEIR_SECOND);
    assert_int_equal(weir_socket_recv(t->stack, s, text, sizeof(text)), 9);
    assert_string_equal(text, "to myself");
    talk_shutdown(t, s);
    talk_advance(t, WEIR_SECOND);
    talk_expect_state(t, s, TIME_WAIT);
    talk_advance(t, 60 * WEIR_SECOND);
    talk_expect_state(t, s, CLOSED);
    talk_out_none(t); /* nothing of it was seen outside */
    talk_destroy(t);
}

/* RFC 9293 3.5, 3.6 [MUST-10, U-17]: two sockets of one stack call each other at once, and hang
 * up at once. */
static void two_sockets_call_each_other(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint ends[2] = {{.addr = weir_addr_from4(0x0a000001), .port = 5000},
                                    {.addr = weir_addr_from4(0x0a000001), .port = 5001}};
    int s[2];
    char byte;

    (void)state;
    for (int i = 0; i < 2; i++) {
        s[i] = weir_socket_open(t->stack, WEIR_TCP, 0);
        assert_int_equal(weir_socket_bind(t->stack, s[i], &ends[i]), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(weir_socket_connect(t->stack, s[i], &ends[1 - i], t->now),
                         WEIR_EINPROGRESS);
    talk_run(t);
    for (int i = 0; i < 2; i++) {
        talk_expect_state(t, s[i], ESTABLISHED);
        assert_int_equal(weir_socket_send(t->stack, s[i], i ? "b" : "a", 1, 0), 1);
    }
    talk_advance(t, WEIR_SECOND);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_socket_recv(t->stack, s[i], &byte, 1), 1);
        assert_int_equal(byte, i ? 'a' : 'b');
        assert_int_equal(weir_socket_close(t->stack, s[i]), 0);
    }
    talk_advance(t, WEIR_SECOND);
    for (int i = 0; i < 2; i++)
        talk_expect_state(t, s[i], TIME_WAIT);
    talk_destroy(t);
}

/* Of each state, its successors in RFC 9293 figure 5 and in the text. */
#define TO(state) (1u << WEIR_STATE_##state)
static const unsigned successors[WEIR_STATE_COUNT] = {
    [WEIR_STATE_CLOSED] = TO(SYN_SENT),
    [WEIR_STATE_SYN_SENT] = TO(SYN_RECEIVED) | TO(ESTABLISHED) | TO(CLOSE_WAIT) | TO(CLOSED),
    [WEIR_STATE_SYN_RECEIVED] = TO(ESTABLISHED) | TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED) |
                                TO(CLOSING) | TO(FIN_WAIT_2) | TO(TIME_WAIT),
    [WEIR_STATE_ESTABLISHED] = TO(FIN_WAIT_1) | TO(CLOSE_WAIT) | TO(CLOSED),
    [WEIR_STATE_FIN_WAIT_1] = TO(FIN_WAIT_2) | TO(CLOSING) | TO(TIME_WAIT) | TO(CLOSED),
    [WEIR_STATE_FIN_WAIT_2] = TO(TIME_WAIT) | TO(CLOSED),
    [WEIR_STATE_CLOSE_WAIT] = TO(LAST_ACK) | TO(CLOSED),
    [WEIR_STATE_CLOSING] = TO(TIME_WAIT) | TO(CLOSED),
    [WEIR_STATE_LAST_ACK] = TO(CLOSED),
    [WEIR_STATE_TIME_WAIT] = TO(CLOSED),
};

struct walker {
    struct talk *t;
    int s;
    uint64_t life; /* its seed, for the report */
    uint64_t seed;
    unsigned visited;
};

static uint32_t draw(struct walker *walker, uint32_t below)
{
    walker->seed = walker->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(walker->seed >> 33) % below;
}

/* A random segment, mostly near what is expected. */
static void random_segment(struct walker *walker)
{
    static const char *const flags[] = {".", "P.", "F.", "FP.", "S", "S.", "R", "-", "F", "PU."};
    struct weir_tcp_info info = talk_info(walker->t, walker->s);
    const char *kind = flags[draw(walker, 100) < 85 ? draw(walker, 4) : draw(walker, COUNT(flags))];
    long seq = (int32_t)(info.rcv_nxt - talk_peer_seq(walker->t, 0)) + (long)draw(walker, 5) - 2;
    long ack = (int32_t)(info.snd_nxt - talk_our_seq(walker->t, 0)) - (long)draw(walker, 3) + 1;
    long length = strchr(kind, 'P') ? 1 + (long)draw(walker, 4) : 0;
    char text[96];

    if (info.state == WEIR_STATE_SYN_SENT)
        seq = 0;
    snprintf(text, sizeof(text), "%s %ld:%ld(%ld) ack %ld win 65535", kind, seq, seq + length,
             length, draw(walker, 2) ? ack - 1 : ack);
    talk_in(walker->t, text);
}

static void check_step(struct walker *walker, enum weir_tcp_state before)
{
    enum weir_tcp_state after = talk_state(walker->t, walker->s);

    if (after != before && !(successors[before] & 1u << after))
        talk_fail(walker->t, __FILE__, __LINE__, "life %llu: %s became %s",
                  (unsigned long long)walker->life, weir_tcp_state_name(before),
                  weir_tcp_state_name(after));
    walker->visited |= 1u << after;
    talk_drain(walker->t);
}

/* A random life from SYN-SENT on: segments, calls, time. The stack checks its own invariants after
 * each step, and no step may leave figure 5. */
static unsigned random_life(uint64_t seed)
{
    struct walker walker = {.t = talk_create(NULL), .life = seed, .seed = seed};
    struct talk *t = walker.t;

    walker.s = talk_connect(t);
    for (int step = 0; step < 60 && talk_state(t, walker.s) != WEIR_STATE_CLOSED; step++) {
        enum weir_tcp_state before = talk_state(t, walker.s);
        uint32_t choice = draw(&walker, 100);

        if (choice < 80)
            random_segment(&walker);
        else if (choice < 86)
            talk_shutdown(t, walker.s);
        else if (choice < 88)
            talk_close(t, walker.s);
        else if (choice < 94)
            weir_socket_send(t->stack, walker.s, "abc", 3, 0);
        else
            talk_advance(t, (weir_time)draw(&walker, 3000) * WEIR_MS);
        check_step(&walker, before);
    }
    talk_destroy(t);
    return walker.visited;
}

static void random_lives_stay_within_figure_5(void **state)
{
    unsigned visited = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 5000; seed++) {
        visited |= random_life(seed);
    }
    for (int at = WEIR_STATE_SYN_SENT; at < WEIR_STATE_COUNT; at++)
        if (!(visited & 1u << at))
            fail_msg("%s was never reached", weir_tcp_state_name((enum weir_tcp_state)at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_active_life),
        cmocka_unit_test(a_passive_life),
        cmocka_unit_test(a_simultaneous_open),
        cmocka_unit_test(a_simultaneous_open_survives_loss),
        cmocka_unit_test(text_on_a_crossing_syn_arrives_once),
        cmocka_unit_test(a_simultaneous_close),
        cmocka_unit_test(a_simultaneous_close_with_lost_acks_ends),
        cmocka_unit_test(a_connection_with_itself),
        cmocka_unit_test(two_sockets_call_each_other),
        cmocka_unit_test(random_lives_stay_within_figure_5),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
