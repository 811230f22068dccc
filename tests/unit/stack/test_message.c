/* SPDX-License-Identifier: MIT */

/* sendmsg and recvmsg: parts, peeking, throwing away, what is left, and datagrams. */

#include "lan.h"

#include <stdio.h>
#include <string.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct weir_span no_part = {.data = NULL, .length = 0};

static struct weir_message message_of(const struct weir_span *parts, unsigned count)
{
    return (struct weir_message){.parts = parts, .count = count};
}

/* ---- Streams ------------------------------------------------------------------------------------- */

static void parts_are_sent_one_after_the_other(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    uint8_t bytes[600];
    const struct weir_span parts[] = {{bytes, 0},       {bytes, 100}, {bytes + 100, 0},
                                      {bytes + 100, 1}, {NULL, 0},    {bytes + 101, 499},
                                      {NULL, 0}};
    struct weir_message message = message_of(parts, COUNT(parts));

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = talk_byte(true, i);
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, 0), 600);
    talk_run(t);
    talk_out(t, "P. 1:601(600) ack 1");
    message = message_of(&no_part, 1);
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, 0), 0);
    message = message_of(NULL, 0);
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, 0), 0);
    talk_out_none(t);
    talk_destroy(t);
}

/* The last byte of all is the urgent one, and ends the record: also if empty parts follow it. */
static void the_end_of_the_message_is_marked(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    uint8_t bytes[20] = {0};
    const struct weir_span parts[] = {{bytes, 5}, {bytes, 5}, {bytes, 0}};
    struct weir_message message = message_of(parts, COUNT(parts));
    struct weir_packet packet;

    (void)state;
    weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, WEIR_MSG_EOR | WEIR_MSG_OOB), 10);
    weir_socket_send(t->stack, s, bytes, 3, 0);
    talk_run(t);
    assert_true(talk_take(t, &packet, NULL));
    assert_int_equal(packet.payload_length, 10);
    assert_int_equal(packet.urgent, 10);
    assert_true(talk_take(t, &packet, NULL));
    assert_int_equal(packet.payload_length, 3);
    talk_destroy(t);
}

static void a_full_buffer_cuts_the_message(void **state)
{
    static uint8_t bytes[4000];
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    const struct weir_span parts[] = {{bytes, 1000}, {bytes, 1500}, {bytes, 1000}};
    struct weir_message message = message_of(parts, COUNT(parts));

    (void)state;
    weir_socket_set(t->stack, s, WEIR_SO_SNDBUF, 2048);
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, 0), 2048);
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, 0), WEIR_EAGAIN);
    talk_destroy(t);
}

/* Neither is what was taken of it urgent, nor the end of a record: its last byte did not fit. */
static void a_message_that_is_cut_has_no_end(void **state)
{
    static const size_t firsts[] = {1000, 2048, 2500};
    static uint8_t bytes[4000];

    (void)state;
    for (size_t i = 0; i < COUNT(firsts); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_active(t);
        const struct weir_span parts[] = {{bytes, firsts[i]}, {bytes, 1500}};
        struct weir_message message = message_of(parts, COUNT(parts));
        struct weir_packet packet;

        weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
        weir_socket_set(t->stack, s, WEIR_SO_SNDBUF, 2048);
        assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, WEIR_MSG_OOB | WEIR_MSG_EOR),
                         2048);
        talk_run(t);
        assert_true(talk_take(t, &packet, NULL));
        assert_false(packet.flags & WEIR_TCP_URG);
        assert_int_equal(packet.payload_length, 1460);
        assert_true(talk_take(t, &packet, NULL));
        assert_false(packet.flags & WEIR_TCP_URG);
        assert_int_equal(packet.payload_length, 588);
        talk_destroy(t);
    }
}

static void parts_are_filled_in_their_order(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    uint8_t a[3], b[4], c[100];
    const struct weir_span parts[] = {{a, 3}, {NULL, 0}, {b, 4}, {c, 100}};
    struct weir_message message = message_of(parts, COUNT(parts));

    (void)state;
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), WEIR_EAGAIN);
    talk_in(t, "P. 1:21(20) ack 1");
    message.count = 1;
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), 3);
    message.count = 4;
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), 17);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(a[i], talk_byte(false, 3 + i));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(b[i], talk_byte(false, 6 + i));
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(c[i], talk_byte(false, 10 + i));
    assert_int_equal(message.flags, 0);
    assert_int_equal(message.queued, -1);
    message.count = 0;
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), 0);
    talk_destroy(t);
}

/* More than one span of the ring (16 KiB each), peeked at into odd parts and taken afterwards. */
static void peeking_takes_nothing(void **state)
{
    enum { TOTAL = 40000 };
    static uint8_t bytes[TOTAL];
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    const struct weir_span parts[] = {{bytes, 7}, {bytes + 7, 20001}, {bytes + 20008, 19992}};
    struct weir_message message = message_of(parts, COUNT(parts));

    (void)state;
    for (int i = 0; i < TOTAL / 1000; i++) {
        char text[64];

        snprintf(text, sizeof(text), ". %d:%d(1000) ack 1", 1 + i * 1000, 1001 + i * 1000);
        talk_in(t, text);
    }
    for (int twice = 0; twice < 2; twice++) {
        memset(bytes, 0, sizeof(bytes));
        assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, WEIR_MSG_PEEK), TOTAL);
        for (size_t i = 0; i < TOTAL; i++)
            assert_int_equal(bytes[i], talk_byte(false, i));
    }
    talk_drain(t);
    assert_int_equal(talk_read(t, s, TOTAL), TOTAL);
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, WEIR_MSG_PEEK), WEIR_EAGAIN);
    talk_in(t, "F. 40001:40001(0) ack 1");
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, WEIR_MSG_PEEK), 0);
    talk_destroy(t);
}

/* MSG_TRUNC on a stream: the bytes go, and nobody's memory is touched; with PEEK they only count. */
static void bytes_can_be_thrown_away(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    const struct weir_span part = {.data = NULL, .length = 30};
    struct weir_message message = message_of(&part, 1);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, WEIR_MSG_TRUNC | WEIR_MSG_PEEK),
                     30);
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, WEIR_MSG_TRUNC), 30);
    t->read[s] = 30;
    assert_int_equal(talk_read(t, s, 100), 70);
    talk_destroy(t);
}

/* TCP_INQ: what is left after the call; the end of the stream counts as one. */
static void what_is_left_is_told(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    uint8_t bytes[60];
    const struct weir_span part = {.data = bytes, .length = 60};
    struct weir_message message = message_of(&part, 1);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_INQ, 1), 0);
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), 60);
    assert_int_equal(message.queued, 40);
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, WEIR_MSG_PEEK), 40);
    assert_int_equal(message.queued, 40);
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), 40);
    assert_int_equal(message.queued, 0);
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), WEIR_EAGAIN);
    assert_int_equal(message.queued, -1);
    talk_in(t, "F. 101:101(0) ack 1");
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), 0);
    assert_int_equal(message.queued, 1);
    talk_destroy(t);
}

static void impossible_messages_are_refused(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t), raw = weir_socket_open(t->stack, WEIR_RAW, 99);
    uint8_t byte = 0;
    const struct weir_span parts[] = {{&byte, 1}, {&byte, SIZE_MAX - 1}, {&byte, 1}};
    struct weir_message message = message_of(parts, COUNT(parts));
    struct weir_datagram to = {.peer = t->peers, .local = weir_addr_any4()};

    (void)state;
    assert_int_equal(weir_socket_sendmsg(t->stack, s, &message, 0), WEIR_EINVAL);
    assert_int_equal(weir_socket_recvmsg(t->stack, s, &message, 0), WEIR_EINVAL);
    assert_int_equal(weir_socket_recvmsg(t->stack, raw, &message, 0), WEIR_EINVAL);
    message.datagram = &to;
    assert_int_equal(weir_socket_sendmsg(t->stack, raw, &message, 0), WEIR_EMSGSIZE);
    assert_int_equal(weir_socket_sendmsg(t->stack, 99, &message, 0), WEIR_EBADF);
    assert_int_equal(weir_socket_recvmsg(t->stack, 99, &message, 0), WEIR_EBADF);
    talk_destroy(t);
}

/* ---- Datagrams ----------------------------------------------------------------------------------- */

struct two {
    struct lan lan;
    int s[2];
    struct weir_datagram to;
};

static void two_init(struct two *two)
{
    lan_init(&two->lan);
    lan_pair(&two->lan, 64);
    for (int i = 0; i < 2; i++)
        two->s[i] = weir_socket_open(two->lan.stacks[i], WEIR_RAW, 99);
    two->to = (struct weir_datagram){.peer = lan_addr(0, 1), .local = weir_addr_any4()};
}

static void two_send(struct two *two, const struct weir_span *parts, unsigned count, long want)
{
    struct weir_message message = {.parts = parts, .count = count, .datagram = &two->to};

    assert_int_equal(weir_socket_sendmsg(two->lan.stacks[0], two->s[0], &message, 0), want);
    lan_settle(&two->lan);
}

static void datagrams_are_gathered_and_scattered(void **state)
{
    uint8_t text[] = "the parts of one datagram", a[4], b[64];
    const struct weir_span out[] = {{text, 9}, {NULL, 0}, {text + 9, 16}, {text, 0}};
    const struct weir_span in[] = {{a, 4}, {b, 64}};
    struct weir_datagram from;
    struct weir_message message = {.parts = in, .count = 2, .datagram = &from};
    const struct weir_addr sender = lan_addr(0, 0);
    struct two two;

    (void)state;
    two_init(&two);
    two_send(&two, out, COUNT(out), 25);
    two_send(&two, &no_part, 1, 0); /* an empty one is one */
    assert_int_equal(weir_socket_recvmsg(two.lan.stacks[1], two.s[1], &message, 0), 25);
    assert_memory_equal(a, text, 4);
    assert_memory_equal(b, text + 4, 21);
    assert_true(weir_addr_equal(&from.peer, &sender));
    assert_int_equal(message.flags, 0);
    assert_int_equal(message.queued, -1);
    assert_int_equal(weir_socket_recvmsg(two.lan.stacks[1], two.s[1], &message, 0), 0);
    assert_int_equal(weir_socket_recvmsg(two.lan.stacks[1], two.s[1], &message, 0), WEIR_EAGAIN);
    lan_done(&two.lan);
}

/* Room, flags, what is returned, and what the message says; the peeked one is still there. */
static void datagrams_are_cut_and_peeked_at(void **state)
{
    static const struct {
        size_t room;
        int flags;
        long result;
        int said;
    } rows[] = {
        {20, WEIR_MSG_PEEK, 20, 0},
        {5, WEIR_MSG_PEEK, 5, WEIR_MSG_TRUNC},
        {5, WEIR_MSG_PEEK | WEIR_MSG_TRUNC, 20, WEIR_MSG_TRUNC},
        {5, WEIR_MSG_TRUNC, 20, WEIR_MSG_TRUNC},
        {5, 0, 5, WEIR_MSG_TRUNC},
        {20, WEIR_MSG_TRUNC, 20, 0},
        {0, 0, 0, WEIR_MSG_TRUNC},
        {40, 0, 20, 0},
    };
    uint8_t text[20] = "twenty bytes of text", got[64];
    const struct weir_span out = {text, 20};
    struct two two;

    (void)state;
    two_init(&two);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct weir_span in = {got, rows[i].room};
        struct weir_message message = {.parts = &in, .count = 1};
        int64_t queued;

        two_send(&two, &out, 1, 20);
        memset(got, 0, sizeof(got));
        assert_int_equal(weir_socket_recvmsg(two.lan.stacks[1], two.s[1], &message, rows[i].flags),
                         rows[i].result);
        assert_int_equal(message.flags, rows[i].said);
        assert_memory_equal(got, text, rows[i].room < 20 ? rows[i].room : 20);
        assert_int_equal(got[rows[i].room < 20 ? rows[i].room : 20], 0);
        weir_socket_get(two.lan.stacks[1], two.s[1], WEIR_SIOCINQ, &queued);
        assert_int_equal(queued, rows[i].flags & WEIR_MSG_PEEK ? 20 : 0);
        if (rows[i].flags & WEIR_MSG_PEEK)
            assert_int_equal(
                weir_socket_recvfrom(two.lan.stacks[1], two.s[1], got, sizeof(got), NULL), 20);
    }
    lan_done(&two.lan);
}

static void gathering_needs_memory(void **state)
{
    uint8_t bytes[2000] = {0};
    const struct weir_span parts[] = {{bytes, 1000}, {bytes, 1000}};
    size_t budget;
    struct two two;

    (void)state;
    two_init(&two);
    budget = two.lan.stacks[0]->alloc.budget;
    two.lan.stacks[0]->alloc.budget = two.lan.stacks[0]->alloc.used;
    two_send(&two, parts, 2, WEIR_ENOMEM);
    two.lan.stacks[0]->alloc.budget = budget;
    two_send(&two, parts, 2, 2000);
    lan_done(&two.lan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_sent_one_after_the_other),
        cmocka_unit_test(the_end_of_the_message_is_marked),
        cmocka_unit_test(a_full_buffer_cuts_the_message),
        cmocka_unit_test(a_message_that_is_cut_has_no_end),
        cmocka_unit_test(parts_are_filled_in_their_order),
        cmocka_unit_test(peeking_takes_nothing),
        cmocka_unit_test(bytes_can_be_thrown_away),
        cmocka_unit_test(what_is_left_is_told),
        cmocka_unit_test(impossible_messages_are_refused),
        cmocka_unit_test(datagrams_are_gathered_and_scattered),
        cmocka_unit_test(datagrams_are_cut_and_peeked_at),
        cmocka_unit_test(gathering_needs_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
