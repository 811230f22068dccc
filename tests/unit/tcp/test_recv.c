/* SPDX-License-Identifier: MIT */

/* The receiving half: reassembly against a naive model, FIN, delayed and counted ACKs, the
 * window. */

#include "setup.h"

#include <stdlib.h>

/* ---- Reassembly ------------------------------------------------------------------------------ */

#define STREAM 6000

/* A byte map beside the stack: segments of random place and length, trimmed to the window,
 * overlapping in every way. RCV.NXT, the bytes held out of order and the content must agree
 * after each one. RFC 9293 3.10.7.4 [SHLD-31, U-5, U-16] */
static void reassemble(unsigned seed, uint32_t buffer)
{
    static bool has[STREAM + 70000];
    struct weir_stack_config config;
    unsigned first = seed;
    uint32_t next = 0, read = 0;
    struct talk *t;
    int s;

    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.receive_buffer = buffer;
    t = talk_create(&config);
    s = talk_establish_passive(t);
    memset(has, 0, sizeof(has));
    while (next < STREAM) {
        uint32_t edge = next + talk_info(t, s).rcv_wnd;
        int32_t from = (int32_t)next - 300 + rand_r(&seed) % 1500;
        uint32_t length = (uint32_t)rand_r(&seed) % 700, beyond = 0;

        if (from < 0)
            from = 0;
        setup_in(t, ".", from + 1, length, 1, 65535);
        /* Only a segment that begins or ends inside the window counts. */
        if (length && (((uint32_t)from >= next && (uint32_t)from < edge) ||
                       ((uint32_t)from + length > next && (uint32_t)from + length <= edge)))
            for (uint32_t i = (uint32_t)from; i < (uint32_t)from + length && i < edge; i++)
                has[i] = true;
        while (has[next])
            next++;
        for (uint32_t i = next; i < edge; i++)
            beyond += has[i];
        if (talk_info(t, s).rcv_nxt != talk_peer_seq(t, next + 1) ||
            talk_info(t, s).out_of_order != beyond)
            talk_fail(t, __FILE__, __LINE__, "seed %u: RCV.NXT %u, should be %u; beyond %u, %u",
                      first, talk_info(t, s).rcv_nxt - talk_peer_seq(t, 1), next,
                      talk_info(t, s).out_of_order, beyond);
        if (rand_r(&seed) % 3 == 0 && next > read) {
            long got = talk_read(t, s, 1 + (size_t)rand_r(&seed) % 2000);

            assert_true(got > 0);
            read += (uint32_t)got;
        }
        talk_drain(t);
    }
    while (read < next)
        read += (uint32_t)talk_read(t, s, 100000);
    assert_int_equal(read, next);
    talk_destroy(t);
}

static void test_reassembly(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 12; seed++)
        reassemble(seed, seed % 2 ? 65535 : 2048);
}

/* The classical orders of three segments. RFC 9293 3.10.7.4 [SHLD-31, MUST-59, MAY-13] */
static void test_two_three_one(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, ". 1461:2921(1460) ack 1");
    talk_out(t, ". 1:1(0) ack 1 why duplicate-ack");
    talk_in(t, ". 2921:4381(1460) ack 1");
    talk_out(t, ". 1:1(0) ack 1 why duplicate-ack");
    assert_int_equal(talk_info(t, s).out_of_order, 2920);
    talk_mark(t);
    talk_in(t, ". 1:1461(1460) ack 1");
    talk_expect_at(t, 0, ". 1:1(0) ack 4381");
    talk_out_none(t);
    assert_int_equal(talk_read(t, s, 10000), 4380);
    talk_destroy(t);
}

/* A wall of one-byte islands: bounded, and what is refused comes again. */
static void test_islands_are_bounded(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    for (int64_t i = 0; i < 2000; i++) {
        setup_in(t, ".", 3 + 2 * i, 1, 1, 65535);
        talk_drain(t);
    }
    assert_int_equal(talk_info(t, s).out_of_order, 256);
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_OOO_LIMIT), 2000 - 256);
    for (int64_t i = 1; i < 4005; i += 1000)
        setup_in(t, ".", i, 1000, 1, 65535);
    assert_int_equal(talk_read(t, s, 10000), 5000);
    assert_int_equal(talk_info(t, s).out_of_order, 0);
    talk_destroy(t);
}

/* ---- FIN ------------------------------------------------------------------------------------- */

/* A FIN ahead of a gap counts when the gap is closed. RFC 9293 3.10.7.4 [U-17] */
static void test_fin_out_of_order(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "F. 101:201(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(talk_read(t, s, 1000), WEIR_EAGAIN);
    talk_in(t, ". 1:101(100) ack 1");
    talk_out(t, ". 1:1(0) ack 202");
    talk_expect_state(t, s, CLOSE_WAIT);
    assert_int_equal(talk_read(t, s, 1000), 200);
    assert_int_equal(talk_read(t, s, 1000), 0);
    talk_destroy(t);
}

static void test_bare_fin_out_of_order(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "F. 101:101(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "F. 101:101(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, ". 1:101(100) ack 1");
    talk_out(t, ". 1:1(0) ack 102");
    talk_expect_state(t, s, CLOSE_WAIT);
    talk_destroy(t);
}

/* Beyond the window the FIN is not there, whether its data reaches the edge or passes it. RFC
 * 9293 3.10.7.4 [U-16] */
static void test_fin_beyond_the_window(void **state)
{
    for (unsigned past = 0; past < 2; past++) {
        struct weir_stack_config config;
        struct talk *t;
        int s;

        (void)state;
        setup_config(&config, WEIR_PROFILE_DEFAULT);
        config.tcp.receive_buffer = 2048;
        t = talk_create(&config);
        s = talk_establish_passive(t);
        talk_in(t, ". 1:1001(1000) ack 1");
        setup_in(t, "F.", 1001, 1048 + past * 100, 1, 65535);
        talk_advance(t, WEIR_SECOND);
        talk_expect_state(t, s, ESTABLISHED);
        assert_int_equal(talk_read(t, s, 10000), 2048);
        talk_drain(t);
        talk_in(t, "F. 2049:2049(0) ack 1");
        talk_out(t, ". 1:1(0) ack 2050");
        talk_expect_state(t, s, CLOSE_WAIT);
        talk_destroy(t);
    }
}

/* Data behind a FIN is not there either. */
static void test_data_behind_the_fin(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "F. 101:101(0) ack 1");
    talk_in(t, ". 51:301(250) ack 1");
    talk_in(t, ". 1:51(50) ack 1");
    talk_expect_state(t, s, CLOSE_WAIT);
    assert_int_equal(talk_read(t, s, 1000), 100);
    talk_destroy(t);
}

/* ---- The window ------------------------------------------------------------------------------ */

/* RFC 9293 3.8.6.2.2 [MUST-39]: read byte by byte, the edge moves by whole segments. */
static void test_silly_window(void **state)
{
    struct weir_stack_config config;
    struct weir_packet packet;
    uint32_t edge = 4097;
    struct talk *t;
    int s;

    (void)state;
    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.receive_buffer = 4096;
    t = talk_create(&config);
    s = talk_establish_passive(t);
    talk_in(t, ". 1:1461(1460) ack 1");
    talk_in(t, ". 1461:2921(1460) ack 1");
    talk_in(t, ". 2921:4097(1176) ack 1");
    talk_drain(t);
    for (unsigned i = 0; i < 4096; i++) {
        assert_int_equal(talk_read(t, s, 1), 1);
        while (talk_take(t, &packet, NULL)) {
            uint32_t now = packet.ack + packet.window - t->flow->peer_isn;

            assert_true(now == edge || now >= edge + 1460);
            edge = now;
        }
    }
    assert_true(edge >= 4097 + 1460);
    talk_destroy(t);
}

/* A small buffer: half of it. */
static void test_silly_window_of_a_small_buffer(void **state)
{
    struct weir_stack_config config;
    struct talk *t;
    int s;

    (void)state;
    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.receive_buffer = 2048;
    t = talk_create(&config);
    s = talk_establish_passive(t);
    talk_in(t, ". 1:1461(1460) ack 1");
    talk_in(t, ". 1461:2049(588) ack 1");
    talk_advance(t, WEIR_SECOND);
    talk_drain(t);
    assert_int_equal(talk_read(t, s, 1023), 1023);
    talk_out_none(t);
    assert_int_equal(talk_read(t, s, 1), 1);
    talk_out(t, ". 1:1(0) ack 2049 win 1024 why window-update");
    talk_destroy(t);
}

/* RFC 9293 3.8.6 [SHLD-14]: over anything that happens, the right edge never moves left. */
static void test_right_edge_never_moves_left(void **state)
{
    struct talk *t = talk_create(NULL);
    unsigned seed = 77;
    uint32_t edge = 0, next = 1;
    struct weir_packet packet;
    int s = talk_establish_passive(t);

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t room = talk_info(t, s).rcv_wnd, length = (uint32_t)rand_r(&seed) % 2000;

        if (rand_r(&seed) % 8 == 0) {
            weir_socket_set(t->stack, s, WEIR_SO_RCVBUF, 2048 + rand_r(&seed) % 60000);
        } else if (rand_r(&seed) % 3 == 0) {
            talk_read(t, s, (size_t)rand_r(&seed) % 5000);
        } else if (length <= room) {
            setup_in(t, ".", next, length, 1, 65535);
            next += length;
        } else {
            setup_in(t, ".", next, 1, 1, 65535);
            next += room > 0;
        }
        talk_advance(t, 10 * WEIR_MS);
        while (talk_take(t, &packet, NULL)) {
            uint32_t now = packet.ack + packet.window - t->flow->peer_isn;

            assert_true(now >= edge);
            edge = now;
        }
    }
    assert_true(edge > 200000);
    talk_destroy(t);
}

/* RFC 9293 3.4 [U-6, U-23, MUST-66]: with the window closed, text is refused and answered, while
 * ACK, URG and RST count. */
static void test_closed_window(void **state)
{
    struct weir_stack_config config;
    struct talk *t;
    int s;

    (void)state;
    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.receive_buffer = 2048;
    t = talk_create(&config);
    s = talk_establish_passive(t);
    talk_write(t, s, 100);
    talk_in(t, ". 1:1461(1460) ack 1");
    talk_in(t, ". 1461:2049(588) ack 1");
    talk_advance(t, 150 * WEIR_MS);
    talk_drain(t);
    talk_in(t, "P. 2049:2050(1) ack 101 win 700");
    talk_out(t, ". 101:101(0) ack 2049 win 0");
    assert_int_equal(talk_info(t, s).snd_wnd, 700);
    assert_int_equal(talk_info(t, s).send_queued, 0);
    talk_events(t, s);
    talk_in(t, "U. 2049:2049(0) ack 101 urg 10");
    assert_true(talk_events(t, s) & WEIR_PRI);
    talk_drain(t);
    talk_in(t, "R 2049:2049(0)");
    talk_expect_state(t, s, CLOSED);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reassembly),
        cmocka_unit_test(test_two_three_one),
        cmocka_unit_test(test_islands_are_bounded),
        cmocka_unit_test(test_fin_out_of_order),
        cmocka_unit_test(test_bare_fin_out_of_order),
        cmocka_unit_test(test_fin_beyond_the_window),
        cmocka_unit_test(test_data_behind_the_fin),
        cmocka_unit_test(test_silly_window),
        cmocka_unit_test(test_silly_window_of_a_small_buffer),
        cmocka_unit_test(test_right_edge_never_moves_left),
        cmocka_unit_test(test_closed_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
