/* SPDX-License-Identifier: MIT */

/* Ends of records: no segment crosses one, sent for the first time or again; and the array of marks
 * against a naive one. */

#include "setup.h"

#include <base/random.h>
#include <tcp/tcp.h>

static void write_record(struct talk *t, int s, size_t length)
{
    assert_int_equal(talk_write_flags(t, s, length, WEIR_MSG_EOR), (long)length);
}

static void no_segment_crosses_the_end_of_a_record(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    write_record(t, s, 2000);
    talk_out(t, ". 1:1461(1460) ack 1");
    talk_out_none(t); /* the rest is small, and Nagle's */
    talk_write(t, s, 100);
    talk_out(t, "P. 1461:2001(540) ack 1"); /* it will never grow */
    talk_out_none(t);
    talk_in(t, ". 1:1(0) ack 2001");
    talk_out(t, "P. 2001:2101(100) ack 1");
    talk_destroy(t);
}

/* The same bytes written at once, with and without: what follows goes its own way. */
static void records_queued_together_leave_apart(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    uint8_t bytes[64] = {0};

    (void)state;
    weir_socket_send(t->stack, s, bytes, 10, WEIR_MSG_EOR);
    weir_socket_send(t->stack, s, bytes, 20, 0);
    weir_socket_send(t->stack, s, bytes, 0, WEIR_MSG_EOR); /* nothing ends nothing */
    weir_socket_send(t->stack, s, bytes, 5, 0);
    weir_socket_send(t->stack, s, bytes, 1, WEIR_MSG_EOR | WEIR_MSG_MORE);
    weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
    weir_socket_send(t->stack, s, bytes, 7, 0);
    t->written[s] = 0;
    for (int i = 0; i < 3; i++) {
        static const uint32_t lengths[] = {10, 26, 7};
        struct weir_packet packet;

        talk_run(t);
        assert_true(talk_take(t, &packet, NULL));
        assert_int_equal(packet.payload_length, lengths[i]);
        assert_true(packet.flags & WEIR_TCP_PSH);
    }
    talk_out_none(t);
    talk_destroy(t);
}

/* Retransmissions keep to it, after a time-out and in fast retransmit. */
static void what_is_sent_again_keeps_the_ends(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1);
    write_record(t, s, 100);
    write_record(t, s, 200);
    talk_write(t, s, 300);
    talk_out(t, "P. 1:101(100) ack 1");
    talk_out(t, "P. 101:301(200) ack 1");
    talk_out(t, "P. 301:601(300) ack 1");
    for (int i = 0; i < 3; i++)
        talk_in(t, ". 1:1(0) ack 1");
    talk_out(t, "P. 1:101(100) ack 1 why fast-retransmit");
    talk_advance(t, 300 * WEIR_MS);
    talk_out(t, "P. 1:101(100) ack 1 why rto");
    talk_out(t, "P. 101:301(200) ack 1");
    talk_out(t, "P. 301:601(300) ack 1");
    talk_in(t, ". 1:1(0) ack 601");
    talk_write(t, s, 10);
    talk_out(t, "P. 601:611(10) ack 1");
    talk_destroy(t);
}

static void the_fin_may_share_the_last_record(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    uint8_t bytes[100];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = talk_byte(true, i);
    weir_socket_send(t->stack, s, bytes, 100, WEIR_MSG_EOR);
    weir_socket_shutdown(t->stack, s, WEIR_SHUT_WR);
    talk_run(t);
    talk_out(t, "FP. 1:101(100) ack 1");
    talk_destroy(t);
}

/* Memory: none before the first mark, none after the last; a connection that ends gives it back. */
static void marks_come_and_go(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct tcp_active active = tcp_resting;
    struct tcp_conn conn = {.active = &active};
    struct weir_budget_row before, after;

    (void)state;
    assert_int_equal(tcp_marks_after(&conn, 0), 0);
    weir_inspect_budget(t->stack, &before);
    for (int i = 0; i < 500; i++)
        write_record(t, s, 1 + (size_t)i % 3);
    talk_drain(t);
    weir_inspect_budget(t->stack, &after);
    assert_true(after.used > before.used + 500 * sizeof(weir_seq));
    talk_in(t, "R 1:1(0)");
    weir_inspect_budget(t->stack, &after);
    assert_true(after.used <= before.used);
    talk_destroy(t);
}

/* Short of memory a mark is forgotten; those that are known stay. */
static void without_memory_a_mark_is_forgotten(void **state)
{
    struct alloc alloc;
    struct tcp_context context = {.alloc = &alloc};
    struct tcp_active active = tcp_resting;
    struct tcp_conn conn = {
        .context = &context, .active = &active, .state = WEIR_STATE_ESTABLISHED};

    (void)state;
    alloc_init(&alloc, 128);
    for (conn.snd_end = 1; conn.snd_end <= 40; conn.snd_end++)
        tcp_marks_add(&conn);
    assert_int_equal(tcp_marks_after(&conn, 0), 1);
    assert_int_equal(tcp_marks_after(&conn, 15), 16);
    assert_int_equal(tcp_marks_after(&conn, 16), 41); /* SND.END */
    tcp_marks_free(&conn);
    assert_int_equal(alloc.used, 0);
}

/* A naive list beside it, over additions and acknowledgements across the wrap of sequence numbers. */
static void the_array_agrees_with_a_list(void **state)
{
    enum { STEPS = 20000, MOST = 4096 };
    static weir_seq list[MOST];
    struct alloc alloc;
    struct tcp_context context = {.alloc = &alloc};
    struct tcp_active active = tcp_resting;
    struct tcp_conn conn = {
        .context = &context, .active = &active, .state = WEIR_STATE_ESTABLISHED};
    uint32_t count = 0, first = 0;
    struct random random;
    uint8_t seed[32] = {77};

    (void)state;
    print_message("seed 77\n");
    random_init(&random, seed, 0);
    alloc_init(&alloc, 1 << 20);
    conn.snd_una = conn.snd_nxt = conn.snd_end = UINT32_MAX - 5000;
    for (int step = 0; step < STEPS; step++) {
        uint32_t draw = random_u32(&random);
        weir_seq seq, want;

        if (draw % 3 && count < MOST) {
            conn.snd_end += (draw >> 8) % 3;
            tcp_marks_add(&conn);
            if (conn.snd_end != conn.snd_una && (!count || list[count - 1] != conn.snd_end))
                list[count++] = conn.snd_end;
        } else {
            conn.snd_una += (draw >> 8) % (conn.snd_end - conn.snd_una + 1);
            tcp_marks_acked(&conn, conn.snd_una);
            while (first < count && seq_leq(list[first], conn.snd_una))
                first++;
            memmove(list, list + first, (count - first) * sizeof(list[0]));
            count -= first;
            first = 0;
        }
        seq = conn.snd_una + (draw >> 4) % (conn.snd_end - conn.snd_una + 1);
        want = conn.snd_end;
        for (uint32_t i = count; i-- > 0;) {
            if (seq_gt(list[i], seq))
                want = list[i];
        }
        assert_int_equal(tcp_marks_after(&conn, seq), want);
        assert_true((conn.active->marks != NULL) == (count > 0));
    }
    tcp_marks_free(&conn);
    assert_int_equal(alloc.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_segment_crosses_the_end_of_a_record),
        cmocka_unit_test(records_queued_together_leave_apart),
        cmocka_unit_test(what_is_sent_again_keeps_the_ends),
        cmocka_unit_test(the_fin_may_share_the_last_record),
        cmocka_unit_test(marks_come_and_go),
        cmocka_unit_test(without_memory_a_mark_is_forgotten),
        cmocka_unit_test(the_array_agrees_with_a_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
