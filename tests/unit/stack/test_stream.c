/* SPDX-License-Identifier: MIT */

/* The application's bytes: lent spans and their misuse, buffers, and how the end is told. */

#include <string.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Ends ---------------------------------------------------------------------------------------- */

enum end { BY_RST, BY_TIMEOUT, BY_REFUSAL, BY_OUR_FIN, BY_PEERS_FIN };

/* The error is told once, by whoever asks first; then a writer finds EPIPE and a reader the end. */
static const struct {
    enum end end;
    int error;       /* 0: none */
    long send, recv; /* after it was told */
} ends[] = {
    {BY_RST, WEIR_ECONNRESET, WEIR_EPIPE, 0},
    {BY_TIMEOUT, WEIR_ETIMEDOUT, WEIR_EPIPE, 0},
    {BY_REFUSAL, WEIR_ECONNREFUSED, WEIR_EPIPE, 0},
    {BY_OUR_FIN, 0, WEIR_EPIPE, WEIR_EAGAIN},
    {BY_PEERS_FIN, 0, 1, 0},
};

static int make_end(struct talk *t, enum end end)
{
    int s = end == BY_REFUSAL ? talk_connect(t) : talk_establish_active(t);

    switch (end) {
    case BY_RST:
        talk_in(t, "R 1:1(0)");
        break;
    case BY_TIMEOUT:
        weir_socket_set(t->stack, s, WEIR_TCP_USER_TIMEOUT, 5 * WEIR_SECOND);
        talk_write(t, s, 10);
        talk_advance(t, 20 * WEIR_SECOND);
        break;
    case BY_REFUSAL:
        talk_in(t, "R. =0:=0(0) ack 1");
        break;
    case BY_OUR_FIN:
        talk_shutdown(t, s);
        break;
    case BY_PEERS_FIN:
        talk_in(t, "F. 1:1(0) ack 1");
        break;
    }
    return s;
}

static long ask(struct talk *t, int s, int how)
{
    struct weir_const_span read;
    struct weir_span span;
    char byte = 'x';

    switch (how) {
    case 0:
        return weir_socket_send(t->stack, s, &byte, 1, 0);
    case 1:
        return weir_send_begin(t->stack, s, 1, &span);
    case 2:
        return weir_socket_recv(t->stack, s, &byte, 1);
    case 3:
        return weir_recv_peek(t->stack, s, &read);
    default:
        return weir_socket_take_error(t->stack, s);
    }
}

static void errors_are_told_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (int first = 0; first < 5; first++) {
            struct talk *t = talk_create(NULL);
            int s = make_end(t, ends[i].end);

            if (ends[i].error)
                assert_int_equal(ask(t, s, first), ends[i].error);
            for (int round = 0; round < 2; round++) {
                for (int how = 0; how < 5; how++) {
                    long want = how < 2 ? ends[i].send : how < 4 ? ends[i].recv : 0;

                    if (ask(t, s, how) != want)
                        fail_msg("end %zu, first %d, then %d: not %ld", i, first, how, want);
                }
            }
            assert_int_equal(weir_socket_close(t->stack, s), 0);
            talk_destroy(t);
        }
    }
}

/* What arrived before the reset went with it; what arrived before a FIN is read to the end. */
static void data_before_the_end(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_in(t, "FP. 1:101(100) ack 1");
    assert_int_equal(talk_read(t, s, 60), 60);
    assert_int_equal(talk_read(t, s, 60), 40);
    assert_int_equal(talk_read(t, s, 60), 0);
    assert_int_equal(talk_read(t, s, 60), 0);
    assert_int_equal(talk_write(t, s, 10), 10); /* our half is open */
    talk_destroy(t);
}

static void nothing_is_read_after_shut_rd(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    talk_drain(t);
    assert_int_equal(weir_socket_shutdown(t->stack, s, WEIR_SHUT_RD), 0);
    assert_int_equal(talk_read(t, s, 60), 0);
    assert_int_equal(weir_socket_send(t->stack, s, "x", 1, 0), 1);
    talk_destroy(t);
}

/* ---- Lent spans ---------------------------------------------------------------------------------- */

static void no_more_is_taken_than_was_lent(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_const_span read;
    struct weir_span span;

    (void)state;
    assert_int_equal(weir_send_commit(t->stack, s, 1, 0), WEIR_EINVAL); /* nothing was lent */
    assert_int_equal(weir_send_begin(t->stack, s, 100, &span), 100);
    assert_int_equal(span.length, 100);
    assert_int_equal(weir_send_commit(t->stack, s, 101, 0), WEIR_EINVAL);
    memset(span.data, 'x', 100);
    assert_int_equal(weir_send_commit(t->stack, s, 40, 0), 0);
    assert_int_equal(weir_send_commit(t->stack, s, 40, 0), WEIR_EINVAL); /* begin again */
    assert_int_equal(talk_info(t, s).send_queued, 40);
    assert_int_equal(weir_recv_consume(t->stack, s, 1), WEIR_EINVAL);
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(weir_recv_peek(t->stack, s, &read), 100);
    assert_int_equal(weir_recv_consume(t->stack, s, 101), WEIR_EINVAL);
    assert_int_equal(weir_recv_consume(t->stack, s, 60), 0);
    assert_int_equal(weir_recv_consume(t->stack, s, 1), WEIR_EINVAL);
    assert_int_equal(weir_recv_peek(t->stack, s, &read), 40);
    assert_int_equal(weir_recv_consume(t->stack, s, 40), 0);
    assert_int_equal(weir_recv_peek(t->stack, s, &read), WEIR_EAGAIN);
    talk_destroy(t);
}

/* What was lent to write is not lent to read, nor the other way round. */
static void directions_are_not_confused(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_const_span read;
    struct weir_span span;

    (void)state;
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(weir_send_begin(t->stack, s, 1000, &span), 1000);
    assert_int_equal(weir_recv_consume(t->stack, s, 1000), WEIR_EINVAL);
    assert_int_equal(weir_recv_peek(t->stack, s, &read), 10);
    assert_int_equal(weir_send_begin(t->stack, s, 5, &span), 5);
    assert_int_equal(weir_send_commit(t->stack, s, 10, 0), WEIR_EINVAL);
    assert_int_equal(talk_info(t, s).send_queued, 0);
    talk_destroy(t);
}

/* A span that outlived its connection's end is worth nothing. */
static void what_was_lent_before_the_end_is_refused(void **state)
{
    static const int results[] = {WEIR_ECONNRESET, WEIR_EPIPE};

    (void)state;
    for (int shut = 0; shut < 2; shut++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_active(t);
        struct weir_span span;

        assert_int_equal(weir_send_begin(t->stack, s, 10, &span), 10);
        if (shut)
            weir_socket_shutdown(t->stack, s, WEIR_SHUT_WR);
        else
            talk_in(t, "R 1:1(0)");
        assert_int_equal(weir_send_commit(t->stack, s, 10, 0), results[shut]);
        talk_run(t);
        talk_destroy(t);
    }
}

static void what_was_peeked_before_shut_rd_is_gone(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_const_span read;

    (void)state;
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(weir_recv_peek(t->stack, s, &read), 10);
    assert_int_equal(weir_socket_shutdown(t->stack, s, WEIR_SHUT_RD), 0);
    assert_int_equal(weir_recv_consume(t->stack, s, 10), WEIR_EINVAL);
    talk_destroy(t);
}

/* ---- Room ---------------------------------------------------------------------------------------- */

/* A full buffer takes what fits, then nothing; an event says when there is room again, and writing
 * nothing meanwhile does not unsay it. */
static void a_full_buffer_says_when_there_is_room(void **state)
{
    (void)state;
    for (int idle_write = 0; idle_write < 2; idle_write++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_active(t);
        static uint8_t bytes[8192];

        assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1), 0);
        assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_SNDBUF, 4096), 0);
        assert_int_equal(weir_socket_send(t->stack, s, bytes, sizeof(bytes), 0), 4096);
        assert_int_equal(weir_socket_send(t->stack, s, bytes, 1, 0), WEIR_EAGAIN);
        assert_false(weir_socket_ready(t->stack, s) & WEIR_OUT);
        if (idle_write)
            assert_int_equal(weir_socket_send(t->stack, s, bytes, 0, 0), 0);
        talk_run(t);
        talk_events(t, s);
        talk_in(t, ". 1:1(0) ack 4097");
        assert_true(talk_events(t, s) & WEIR_OUT);
        assert_true(weir_socket_ready(t->stack, s) & WEIR_OUT);
        assert_int_equal(weir_socket_send(t->stack, s, bytes, sizeof(bytes), 0), 4096);
        talk_destroy(t);
    }
}

static void nothing_is_always_possible(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t), fresh = weir_socket_open(t->stack, WEIR_TCP, 0);

    (void)state;
    assert_int_equal(weir_socket_send(t->stack, s, NULL, 0, 0), 0);
    assert_int_equal(weir_socket_recv(t->stack, s, NULL, 0), 0);
    assert_int_equal(weir_socket_recv(t->stack, 1234, NULL, 0), WEIR_EBADF);
    assert_int_equal(weir_socket_send(t->stack, fresh, NULL, 0, 0), WEIR_EPIPE);
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.8.5 [MUST-33]: how much is left before the urgent mark. */
static void urgent_bytes_are_counted_down(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 0);
    talk_events(t, s);
    talk_in(t, "PU. 1:101(100) ack 1 urg 50");
    assert_true(talk_events(t, s) & WEIR_PRI);
    assert_true(weir_socket_ready(t->stack, s) & WEIR_PRI);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 50);
    assert_int_equal(talk_read(t, s, 49), 49);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 1);
    assert_int_equal(talk_read(t, s, 1), 1);
    assert_int_equal(weir_socket_urgent_left(t->stack, s), 0);
    assert_false(weir_socket_ready(t->stack, s) & WEIR_PRI);
    talk_destroy(t);
}

/* Memory is short: EAGAIN while queued data will free some, ENOMEM if nothing ever will. */
static void short_memory_is_told(void **state)
{
    static uint8_t bytes[65536];
    struct weir_stack_config config;
    struct weir_budget_row row;
    struct talk *t;
    long result;
    int s;

    (void)state;
    weir_stack_config_init(&config);
    config.memory_budget = 130000;
    t = talk_create(&config);
    s = talk_establish_active(t);
    while ((result = weir_socket_send(t->stack, s, bytes, sizeof(bytes), 0)) > 0)
        ;
    assert_int_equal(result, WEIR_EAGAIN);
    weir_inspect_budget(t->stack, &row);
    assert_in_range(row.used, 60000, 130000);
    talk_run(t);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_told_once),
        cmocka_unit_test(data_before_the_end),
        cmocka_unit_test(nothing_is_read_after_shut_rd),
        cmocka_unit_test(no_more_is_taken_than_was_lent),
        cmocka_unit_test(directions_are_not_confused),
        cmocka_unit_test(what_was_lent_before_the_end_is_refused),
        cmocka_unit_test(what_was_peeked_before_shut_rd_is_gone),
        cmocka_unit_test(a_full_buffer_says_when_there_is_room),
        cmocka_unit_test(nothing_is_always_possible),
        cmocka_unit_test(urgent_bytes_are_counted_down),
        cmocka_unit_test(short_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
