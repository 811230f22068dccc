/* SPDX-License-Identifier: MIT */

/* Connections at rest: who is, who is not, what wakes them, and what happens when there is no memory to
 * wake. */

#include "setup.h"

#include <stack/stack.h>
#include <weir/socket.h>

#define IDLE_BYTES 600u /* of connection, socket, and their places in tables */

static struct conn *conn_of(struct talk *t, int s)
{
    return socket_at(t->stack, (uint32_t)s)->conn;
}

static bool is_resting(struct talk *t, int s)
{
    return conn_of(t, s)->tcp.active == &tcp_resting;
}

/* No new memory from now on; what the pool kept is gone too. */
static void take_memory_away(struct talk *t)
{
    pool_done(&t->stack->actives);
    t->stack->alloc.budget = t->stack->alloc.used;
}

static void give_memory_back(struct talk *t)
{
    t->stack->alloc.budget = (size_t)1 << 30;
}

static void an_opening_connection_is_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    assert_false(is_resting(t, s)); /* its SYN is out */
    talk_out(t, "S 0:0(0)");
    talk_in(t, "S. 0:0(0) ack 1 win 65535 <mss 1460>");
    assert_true(is_resting(t, s));
    talk_out(t, ". 1:1(0) ack 1");
    talk_destroy(t);
}

static void an_accepted_connection_rests(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    assert_true(is_resting(t, s));
    assert_null(weir_inspect_check(t->stack, t->now));
    talk_destroy(t);
}

/* Data of ours: until all of it is acknowledged. */
static void sending_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_write(t, s, 2920);
    assert_false(is_resting(t, s));
    talk_drain(t);
    talk_in(t, ". 1:1(0) ack 1461");
    assert_false(is_resting(t, s));
    talk_in(t, ". 1:1(0) ack 2921");
    assert_true(is_resting(t, s));
    talk_write(t, s, 1);
    talk_out(t, "P. 2921:2922(1) ack 1");
    talk_in(t, ". 1:1(0) ack 2922");
    assert_true(is_resting(t, s));
    talk_destroy(t);
}

/* Data of the peer's: until it is read and acknowledged, whichever comes last. */
static void receiving_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_read(t, s, 100), 10);
    assert_false(is_resting(t, s)); /* the ACK is delayed */
    talk_advance(t, 40 * WEIR_MS);
    talk_out(t, ". 1:1(0) ack 11");
    assert_true(is_resting(t, s));
    talk_in(t, "P. 11:21(10) ack 1");
    talk_advance(t, 40 * WEIR_MS);
    talk_out(t, ". 1:1(0) ack 21");
    assert_false(is_resting(t, s)); /* nobody has read it */
    assert_int_equal(talk_read(t, s, 100), 10);
    assert_true(is_resting(t, s));
    talk_destroy(t);
}

static void a_gap_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    talk_in(t, ". 101:201(100) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_advance(t, WEIR_SECOND);
    assert_false(is_resting(t, s));
    talk_in(t, ". 1:101(100) ack 1");
    talk_out(t, ". 1:1(0) ack 201");
    talk_read(t, s, 1000);
    assert_true(is_resting(t, s));
    talk_destroy(t);
}

/* A FIN ahead of its turn is no data, but must not be forgotten. */
static void a_fin_behind_a_gap_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    talk_in(t, "F. 101:101(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_advance(t, WEIR_SECOND);
    assert_false(is_resting(t, s));
    talk_in(t, ". 1:101(100) ack 1");
    talk_out(t, ". 1:1(0) ack 102");
    assert_int_equal(talk_read(t, s, 1000), 100);
    assert_true(is_resting(t, s));
    talk_in(t, "F. 101:101(0) ack 1"); /* the peer has not heard of its end */
    talk_out(t, ". 1:1(0) ack 102");
    talk_expect_state(t, s, CLOSE_WAIT);
    talk_destroy(t);
}

/* A segment whose checksum is wrong wakes, and may have taken memory for its bytes. */
static void a_bad_segment_leaves_nothing(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    size_t used = t->stack->alloc.used;

    (void)state;
    talk_in(t, "P. 1:1001(1000) ack 1 badsum");
    assert_true(is_resting(t, s));
    assert_int_equal(t->stack->alloc.used, used);
    talk_destroy(t);
}

/* RFC 5961 10: resting does not make the ration of challenge ACKs anew. */
static void a_ration_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    unsigned i;

    (void)state;
    talk_drain(t);
    for (i = 0; i < 50; i++)
        talk_in(t, "S 100:100(0)");
    assert_int_equal(talk_drain(t), 10);
    assert_false(is_resting(t, s));
    talk_advance(t, WEIR_SECOND);
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(is_resting(t, s));
    talk_destroy(t);
}

/* A lent span stays where it is, however long its owner takes. */
static void a_lent_span_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_span span;

    (void)state;
    talk_drain(t);
    assert_int_equal(weir_send_begin(t->stack, s, 100, &span), 100);
    memset(span.data, 'x', 100);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_read(t, s, 100);
    talk_advance(t, WEIR_SECOND);
    assert_false(is_resting(t, s));
    assert_int_equal(weir_send_commit(t->stack, s, 100, 0), 0);
    talk_run(t);
    talk_out(t, ". 1:1(0) ack 11");
    talk_in(t, ". 11:11(0) ack 101");
    assert_true(is_resting(t, s));
    talk_destroy(t);
}

static void keep_alive_keeps_awake(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_KEEPALIVE, 1), 0);
    talk_run(t);
    assert_false(is_resting(t, s));
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_KEEPALIVE, 0), 0);
    talk_run(t);
    assert_true(is_resting(t, s));
    talk_destroy(t);
}

/* Of a connection that was reset only its socket is left, and what was not read. */
static void an_ended_connection_rests(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_write(t, s, 5000);
    talk_in(t, "R 1:1(0)");
    assert_true(is_resting(t, s));
    assert_int_equal(talk_read(t, s, 1), WEIR_ECONNRESET);
    talk_destroy(t);
}

/* The whole way from rest to the end. */
static void closing_at_rest(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    assert_true(is_resting(t, s));
    talk_shutdown(t, s);
    talk_out(t, "F. 1:1(0) ack 1");
    talk_in(t, ". 1:1(0) ack 2");
    assert_true(is_resting(t, s)); /* FIN-WAIT-2 lasts as long as the peer likes */
    talk_close(t, s);
    assert_false(is_resting(t, s)); /* not any more: nobody holds it */
    talk_advance(t, 60 * WEIR_SECOND);
    assert_int_equal(talk_state(t, s), WEIR_STATE_CLOSED);
    talk_destroy(t);
}

/* ---- Without memory ------------------------------------------------------------------------------- */

static void a_segment_is_dropped(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    take_memory_away(t);
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_NO_MEMORY), 1);
    talk_out_none(t);
    give_memory_back(t);
    talk_advance(t, 200 * WEIR_MS);
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_read(t, s, 100), 10);
    talk_destroy(t);
}

static void a_write_is_refused(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    take_memory_away(t);
    assert_int_equal(talk_write(t, s, 10), WEIR_ENOMEM);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_KEEPALIVE, 1), WEIR_ENOMEM);
    give_memory_back(t);
    assert_int_equal(talk_write(t, s, 10), 10);
    talk_destroy(t);
}

/* What has to be sent is sent when there is memory again, without anybody asking. */
static void a_fin_is_sent_later(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    take_memory_away(t);
    talk_shutdown(t, s);
    talk_out_none(t);
    talk_advance(t, 250 * WEIR_MS);
    assert_int_equal(talk_drain(t), 0);
    give_memory_back(t);
    talk_advance(t, 100 * WEIR_MS);
    talk_out(t, "F. 1:1(0) ack 1");
    talk_destroy(t);
}

/* Nobody holds it, and it cannot be waited for: it is reset (as with a timeout of 0). */
static void an_orphan_is_reset(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_drain(t);
    talk_shutdown(t, s);
    talk_out(t, "F. 1:1(0) ack 1");
    talk_in(t, ". 1:1(0) ack 2");
    take_memory_away(t);
    talk_close(t, s);
    give_memory_back(t);
    talk_advance(t, 200 * WEIR_MS);
    talk_out(t, "R 2:2(0)");
    assert_int_equal(talk_state(t, s), WEIR_STATE_CLOSED);
    talk_destroy(t);
}

/* ---- What it is for --------------------------------------------------------------------------------- */

/* By the stack's own count, tables that grow included. */
static void idle_connections_are_small(void **state)
{
    enum { MANY = 3500 }; /* tables are as full as they get */
    struct weir_stack_config config;
    struct talk *t;
    size_t used;
    int i;

    (void)state;
    setup_config(&config, WEIR_PROFILE_DEFAULT);
    t = talk_create(&config);
    assert_int_equal(talk_listen(t, MANY), 0);
    used = t->stack->alloc.used;
    for (i = 0; i < MANY; i++) {
        if (i % 8 == 0)
            t->flow_count = 0; /* only the present one is spoken of */
        talk_use(t, 80, (uint16_t)(1024 + i), (uint32_t)i * 1000);
        talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
        talk_in(t, ". 1:1(0) ack 1 win 65535");
        talk_drain(t);
    }
    assert_int_equal(t->stack->conn_count, MANY);
    assert_true((t->stack->alloc.used - used) / MANY <= IDLE_BYTES);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_opening_connection_is_awake),
        cmocka_unit_test(an_accepted_connection_rests),
        cmocka_unit_test(sending_keeps_awake),
        cmocka_unit_test(receiving_keeps_awake),
        cmocka_unit_test(a_gap_keeps_awake),
        cmocka_unit_test(a_fin_behind_a_gap_keeps_awake),
        cmocka_unit_test(a_bad_segment_leaves_nothing),
        cmocka_unit_test(a_ration_keeps_awake),
        cmocka_unit_test(a_lent_span_keeps_awake),
        cmocka_unit_test(keep_alive_keeps_awake),
        cmocka_unit_test(an_ended_connection_rests),
        cmocka_unit_test(closing_at_rest),
        cmocka_unit_test(a_segment_is_dropped),
        cmocka_unit_test(a_write_is_refused),
        cmocka_unit_test(a_fin_is_sent_later),
        cmocka_unit_test(an_orphan_is_reset),
        cmocka_unit_test(idle_connections_are_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
