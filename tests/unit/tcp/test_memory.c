/* SPDX-License-Identifier: MIT */

/* The memory budget is used up: nothing breaks, each refusal has a name, and data that comes in
 * order finds its reserve. */

#include "setup.h"

#include <stdlib.h>

/* What one established connection takes, without its buffers. */
static size_t base_use(void)
{
    struct talk *t = talk_create(NULL);
    struct weir_budget_row row;

    talk_establish_passive(t);
    weir_inspect_budget(t->stack, &row);
    talk_destroy(t);
    return row.used;
}

static struct talk *create_poor(size_t beyond, int *socket)
{
    struct weir_stack_config config;
    struct talk *t;

    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.memory_budget = (base_use() + beyond) * 8 / 7; /* an eighth is the reserve */
    t = talk_create(&config);
    *socket = talk_establish_passive(t);
    return t;
}

/* The writer is told to wait, and can go on when memory is free again. */
static void test_writer_waits(void **state)
{
    int s;
    struct talk *t = create_poor(40000, &s);
    long first = talk_write(t, s, 200000);

    (void)state;
    assert_in_range(first, 1000, 80000);
    assert_int_equal(talk_write(t, s, 1000), WEIR_EAGAIN);
    talk_drain(t);
    talk_events(t, s);
    while (talk_info(t, s).send_queued) {
        setup_in(t, ".", 1, 0, talk_info(t, s).snd_nxt - talk_our_seq(t, 0), 65535);
        talk_advance(t, 10 * WEIR_MS);
        talk_drain(t);
    }
    assert_true(talk_events(t, s) & WEIR_OUT);
    assert_true(talk_write(t, s, 1000) == 1000);
    talk_destroy(t);
}

/* One segment in order is always taken, whatever the writer has used up. (An eighth of a budget
 * must be more than a chunk or two for that.) */
static void test_reserve_beside_a_writer(void **state)
{
    (void)state;
    for (size_t beyond = 270000; beyond < 310000; beyond += 1000) {
        int s;
        struct talk *t = create_poor(beyond, &s);

        assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_SNDBUF, 1 << 20), 0);
        while (talk_write(t, s, 100000) > 0)
            continue;
        while (talk_write(t, s, 100) > 0)
            continue;
        talk_drain(t);
        for (int64_t i = 0; i < 4; i++) {
            setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
            if (talk_read(t, s, 1460) != 1460)
                talk_fail(t, __FILE__, __LINE__, "budget %zu beyond the base", beyond);
        }
        talk_destroy(t);
    }
}

/* ... and whatever lies there out of order. */
static void test_reserve_beside_islands(void **state)
{
    int s;
    struct talk *t = create_poor(4000, &s);

    (void)state;
    for (int64_t i = 43; i > 0; i--)
        setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
    assert_true(talk_dropped(t, WEIR_DROP_TCP_NO_MEMORY) > 0);
    for (int64_t i = 0; i < 43; i++) {
        setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
        assert_true(talk_info(t, s).receive_queued >= 1460);
        assert_true(talk_read(t, s, 100000) >= 1460);
        if (talk_info(t, s).rcv_nxt == talk_peer_seq(t, 1 + 1460 * 44))
            break;
        while (talk_info(t, s).rcv_nxt != talk_peer_seq(t, 1 + 1460 * (i + 1)))
            i++;
    }
    talk_destroy(t);
}

/* Under pressure windows do not grow, and do not shrink. */
static void test_windows_hold(void **state)
{
    struct weir_packet packet;
    uint32_t edge = 65536;
    int s;
    struct talk *t = create_poor(40000, &s);

    (void)state;
    while (talk_write(t, s, 1000) > 0)
        continue;
    talk_drain(t);
    for (int64_t i = 0; i < 20; i++) {
        setup_in(t, ".", 1 + 1460 * i, 1460, 1, 65535);
        talk_read(t, s, 1460);
        talk_advance(t, 50 * WEIR_MS);
        while (talk_take(t, &packet, NULL)) {
            uint32_t now = packet.ack + packet.window - t->flow->peer_isn;

            assert_true(now >= edge);
            edge = now;
        }
    }
    talk_destroy(t);
}

/* Any budget at all: whatever the peer and the application try, nothing breaks; and after the
 * storm, with memory there again, an ordinary exchange works. */
static void test_any_budget(void **state)
{
    size_t base = base_use();

    (void)state;
    for (size_t beyond = 0; beyond < 120000; beyond += 1700) {
        struct weir_stack_config config;
        unsigned seed = (unsigned)beyond + 1;
        struct talk *t;
        int listener, sockets = 0;

        setup_config(&config, WEIR_PROFILE_DEFAULT);
        config.memory_budget = base + 600 + beyond;
        t = talk_create(&config);
        listener = talk_listen(t, 16);
        for (uint16_t i = 0; i < 12; i++) {
            int s;

            talk_use(t, 80, (uint16_t)(40000 + i), 1000u * i);
            talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
            if (!talk_drain(t))
                continue;
            talk_in(t, ". 1:1(0) ack 1");
            s = weir_socket_accept(t->stack, listener, NULL);
            if (s < 0)
                continue;
            sockets++;
            for (unsigned k = 0; k < 30; k++) {
                uint8_t bytes[3000] = {0};

                setup_in(t, ".", 1 + rand_r(&seed) % 60000, (uint32_t)rand_r(&seed) % 1460, 1,
                         65535);
                weir_socket_send(t->stack, s, bytes, (size_t)rand_r(&seed) % sizeof(bytes), 0);
                weir_socket_recv(t->stack, s, bytes, (size_t)rand_r(&seed) % sizeof(bytes));
                talk_advance(t, (weir_time)(rand_r(&seed) % 300) * WEIR_MS);
                talk_drain(t);
            }
            if (rand_r(&seed) % 2)
                talk_abort(t, s);
        }
        if (beyond > 20000)
            assert_true(sockets > 0);
        talk_destroy(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer_waits),
        cmocka_unit_test(test_reserve_beside_a_writer),
        cmocka_unit_test(test_reserve_beside_islands),
        cmocka_unit_test(test_windows_hold),
        cmocka_unit_test(test_any_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
