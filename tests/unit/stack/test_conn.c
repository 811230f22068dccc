/* SPDX-License-Identifier: MIT */

/* Life and death of connections: who keeps what after the end, and TIME-WAIT in numbers. */

#include <stack/stack.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct weir_budget_row budget(const struct talk *t)
{
    struct weir_budget_row row;

    weir_inspect_budget(t->stack, &row);
    return row;
}

/* One connection that we closed first; only its TIME-WAIT record is left. */
static int leave_time_wait(struct talk *t, uint16_t port)
{
    int s;

    t->peer_port = port;
    talk_use(t, 80, port, 1000);
    s = talk_establish_passive(t);
    talk_close(t, s);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_drain(t);
    return s;
}

/* After the end the connection leaves the table at once, and the socket when it is closed. */
static void an_ended_connection_stays_with_its_socket(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    struct weir_endpoint remote;

    (void)state;
    talk_in(t, "R 1:1(0)");
    assert_int_equal(budget(t).connections, 0);
    assert_int_equal(budget(t).sockets, 1);
    talk_in(t, "P. 1:11(10) ack 1"); /* nobody's any more */
    talk_out(t, "R 1:1(0)");
    assert_int_equal(weir_socket_remote(t->stack, s, &remote), 0);
    assert_int_equal(remote.port, 40000);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_ECONNRESET);
    talk_events(t, s);
    assert_int_equal(talk_close(t, s), 0);
    assert_true(talk_events(t, s) & WEIR_CLOSED);
    assert_int_equal(budget(t).sockets, 0);
    talk_destroy(t);
}

/* The application gone, a small record takes the connection's place, for 2 MSL. */
static void time_wait_costs_little(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = leave_time_wait(t, 40000);

    (void)state;
    assert_int_equal(budget(t).connections, 0);
    assert_int_equal(budget(t).time_wait, 1);
    talk_advance(t, 59 * WEIR_SECOND);
    assert_int_equal(budget(t).time_wait, 1);
    assert_int_equal(budget(t).sockets, 1);
    talk_advance(t, 2 * WEIR_SECOND);
    assert_int_equal(budget(t).time_wait, 0);
    assert_int_equal(budget(t).sockets, 0);
    assert_true(talk_events(t, s) & WEIR_CLOSED);
    talk_destroy(t);
}

/* As long as the application holds the socket, it is the connection that waits. */
static void a_held_socket_waits_itself(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_shutdown(t, s);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_expect_state(t, s, TIME_WAIT);
    assert_int_equal(budget(t).time_wait, 0);
    assert_int_equal(budget(t).connections, 1);
    talk_close(t, s);
    assert_int_equal(budget(t).time_wait, 1);
    assert_int_equal(budget(t).connections, 0);
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
}

/* At time_wait_max the oldest goes, and its socket with it. */
static void the_oldest_time_wait_gives_way(void **state)
{
    struct weir_stack_config config;
    struct talk *t;

    (void)state;
    weir_stack_config_init(&config);
    config.time_wait_max = 4;
    t = talk_create(&config);
    for (int i = 0; i < 6; i++) {
        leave_time_wait(t, (uint16_t)(40000 + i));
        assert_int_equal(budget(t).time_wait, i < 4 ? i + 1 : 4);
    }
    assert_int_equal(talk_dropped(t, WEIR_DROP_TIME_WAIT_LIMIT), 2);
    talk_use(t, 80, 40005, 0);
    talk_in(t, "F. 1:1(0) ack 2"); /* the youngest still answers */
    talk_out(t, ". 2:2(0) ack 2");
    talk_use(t, 80, 40000, 0);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, "R 2:2(0)");
    talk_destroy(t);
}

/* Short of memory for the record, the connection keeps its place, for as long. */
static void without_memory_the_connection_waits_itself(void **state)
{
    struct talk *t = talk_create(NULL);
    struct alloc none;
    int s = talk_establish_passive(t);

    (void)state;
    talk_close(t, s);
    alloc_init(&none, 1);
    t->stack->time_waits.alloc = &none;
    talk_in(t, "F. 1:1(0) ack 2");
    t->stack->time_waits.alloc = &t->stack->alloc;
    assert_int_equal(none.refused, 1);
    assert_int_equal(budget(t).time_wait, 0);
    assert_int_equal(budget(t).connections, 1);
    talk_expect_state(t, s, TIME_WAIT);
    talk_advance(t, 61 * WEIR_SECOND);
    assert_int_equal(budget(t).connections, 0);
    assert_true(talk_events(t, s) & WEIR_CLOSED);
    assert_int_equal(budget(t).sockets, 0);
    talk_destroy(t);
}

/* A thousand connections come and go: what they used comes back. */
static void nothing_is_left_of_a_thousand(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_budget_row before = {0}, after;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        int s;

        t->flow_count = 0;
        s = talk_establish_passive(t);
        talk_write(t, s, 3000);
        talk_in(t, "P. 1:3001(3000) ack 1");
        if (i % 2)
            talk_in(t, "R 3001:3001(0)");
        talk_abort(t, s);
        talk_drain(t);
        talk_events(t, s);
        if (i == 10)
            before = budget(t);
    }
    after = budget(t);
    assert_int_equal(after.used, before.used);
    assert_int_equal(after.connections, 0);
    talk_destroy(t);
}

/* A reply without a way back is a drop with a reason. */
static void a_reply_without_a_way_is_counted(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    t->peers = weir_addr_from4(0x0b000001); /* no route */
    talk_use(t, 81, 40000, 1000);
    talk_in(t, "S 0:0(0)");
    talk_out_none(t);
    assert_int_equal(talk_dropped(t, WEIR_DROP_NO_ROUTE), 1);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ended_connection_stays_with_its_socket),
        cmocka_unit_test(time_wait_costs_little),
        cmocka_unit_test(a_held_socket_waits_itself),
        cmocka_unit_test(the_oldest_time_wait_gives_way),
        cmocka_unit_test(without_memory_the_connection_waits_itself),
        cmocka_unit_test(nothing_is_left_of_a_thousand),
        cmocka_unit_test(a_reply_without_a_way_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
