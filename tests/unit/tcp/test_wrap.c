/* SPDX-License-Identifier: MIT */

/* Sequence numbers across 2^32 and 2^31, in both directions, with loss and reordering on the
 * way: every byte arrives as it was. RFC 9293 3.4 [U-3]
 *
 * Our own ISN is the keyed hash of the flow plus a clock of 4 µs (RFC 9293 3.4.1): a first
 * stack tells the hash, and a second one with the same seed is started at the time that makes
 * the number wanted. */

#include "setup.h"

#include <stdlib.h>

#define BYTES 150000u
#define SEGMENT 1000u

struct peer {
    struct talk *talk;
    unsigned seed;
    bool has[BYTES + 2]; /* of our stream, by position; [BYTES] is our FIN */
    uint32_t next;       /* first position that is missing */
    uint32_t acked;      /* of its own stream, as we said; BYTES + 1: with the FIN */
    uint32_t window;     /* that we offer */
};

static uint32_t isn_at(weir_time now)
{
    struct talk *t = talk_create(NULL);
    uint32_t isn;

    t->now = now;
    talk_listen(t, 1);
    talk_in(t, "S 0:0(0) win 65535");
    isn = t->flow->our_isn;
    talk_destroy(t);
    return isn;
}

static struct talk *create_with_isns(uint32_t ours, uint32_t peers)
{
    struct talk *t = talk_create(NULL);
    weir_time now = t->now;

    now += (weir_time)(uint32_t)(ours - isn_at(now)) * 4 * WEIR_US;
    t->now = now;
    t->peer_isn = peers;
    return t;
}

/* Takes what we sent, but for a tenth of it. */
static void take(struct peer *peer)
{
    struct talk *t = peer->talk;
    struct weir_packet packet;

    while (talk_take(t, &packet, NULL)) {
        uint32_t at = packet.seq - talk_our_seq(t, 1);
        uint32_t ack = packet.ack - talk_peer_seq(t, 1);

        if (rand_r(&peer->seed) % 10 == 0)
            continue;
        assert_true(ack <= BYTES + 1);
        if (ack >= peer->acked) {
            peer->acked = ack;
            peer->window = packet.window;
        }
        assert_true(at + packet.payload_length <= BYTES || !packet.payload_length);
        for (uint32_t i = 0; i < packet.payload_length; i++) {
            assert_int_equal(packet.payload[i], talk_byte(true, at + i));
            peer->has[at + i] = true;
        }
        if (packet.flags & WEIR_TCP_FIN)
            peer->has[at + packet.payload_length] = true;
        while (peer->next <= BYTES && peer->has[peer->next])
            peer->next++;
    }
}

/* Sends something out of its window, anywhere in it. */
static void give(struct peer *peer)
{
    uint32_t room = peer->acked + peer->window < BYTES ? peer->window : BYTES - peer->acked;
    uint32_t at, length;

    if (peer->acked >= BYTES || !room) {
        setup_in(peer->talk, peer->acked == BYTES ? "F." : ".", (int64_t)peer->acked + 1, 0,
                 (int64_t)peer->next + 1, 65535);
        return;
    }
    at = peer->acked + (rand_r(&peer->seed) % 3 ? 0 : (uint32_t)rand_r(&peer->seed) % room);
    length = BYTES - at < SEGMENT ? BYTES - at : SEGMENT;
    setup_in(peer->talk, ".", (int64_t)at + 1, length, (int64_t)peer->next + 1, 65535);
}

static void transfer(uint32_t ours, uint32_t peers)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    struct talk *t = create_with_isns(ours, peers);
    uint32_t written = 0, read = 0;
    int s = talk_establish_passive(t);
    unsigned rounds = 0;
    long got = 0;

    assert_int_equal(t->flow->our_isn, ours);
    peer->talk = t;
    peer->seed = ours ^ peers;
    peer->window = 65535;
    while (read < BYTES || peer->next <= BYTES || peer->acked <= BYTES) {
        if (written < BYTES && (got = talk_write(t, s, BYTES - written)) > 0)
            written += (uint32_t)got;
        if (written == BYTES && got >= 0)
            got = talk_shutdown(t, s) - 1;
        give(peer);
        if (rand_r(&peer->seed) % 4 == 0 && (got = talk_read(t, s, 50000)) > 0)
            read += (uint32_t)got;
        take(peer);
        talk_advance(t, 20 * WEIR_MS);
        assert_true(++rounds < 20000);
    }
    assert_int_equal(read, BYTES);
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
    free(peer);
}

static void test_transfers(void **state)
{
    static const uint32_t isns[][2] = {
        {0xfffffff0, 0xfffffff0}, {0xffffff00, 0x7fffffff}, {0x7ffffff0, 0x80000000},
        {0xffffffff, 0},          {0xfffe0000, 0xffff0000}, {0x80000000, 0xfffffffe},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(isns); i++)
        transfer(isns[i][0], isns[i][1]);
}

/* The edges one by one: fast retransmit and a time-out across the wrap. */
static void test_recovery_across(void **state)
{
    struct talk *t = create_with_isns(0xfffff000, 0xfffffff0);
    int s;

    (void)state;
    t->peer_mss = 1000;
    s = talk_establish_passive(t);
    talk_write(t, s, 10000);
    assert_int_equal(talk_drain(t), 10);
    talk_in(t, ". 1:1(0) ack 4001"); /* 4095 is the last before the wrap */
    for (unsigned i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 4001");
    talk_out(t, ". 4001:5001(1000) ack 1 why fast-retransmit");
    talk_in(t, ". 1:1(0) ack 5001");
    talk_out(t, ". 5001:6001(1000) ack 1 why partial-ack");
    talk_in(t, ". 1:1(0) ack 10001");
    talk_write(t, s, 1000);
    talk_mark(t);
    talk_out(t, "P. 10001:11001(1000) ack 1");
    talk_expect_between(t, 1, 1000, "P. 10001:11001(1000) ack 1 why rto");
    talk_in(t, ". 11:31(20) ack 11001"); /* out of order, beyond the peer's wrap */
    talk_out(t, ". 11001:11001(0) ack 1");
    talk_in(t, ". 1:11(10) ack 11001");
    talk_out(t, ". 11001:11001(0) ack 31");
    talk_destroy(t);
}

/* A reader that is far behind an ancient urgent mark hears of a new one: RCV.UP keeps up with
 * the stream. */
static void test_urgent_mark_keeps_up(void **state)
{
    struct talk *t = create_with_isns(5, 0x7fffff00);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "U. 1:101(100) ack 1 urg 10");
    talk_read(t, s, 100);
    for (int64_t i = 0; i < 10; i++) {
        setup_in(t, ".", 101 + i * 1000, 1000, 1, 65535);
        talk_read(t, s, 1000);
    }
    talk_events(t, s);
    talk_in(t, "U. 10101:10102(1) ack 1 urg 1");
    assert_true(talk_events(t, s) & WEIR_PRI);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 1);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_recovery_across),
        cmocka_unit_test(test_urgent_mark_keeps_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
