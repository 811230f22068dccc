/* SPDX-License-Identifier: MIT */

/* Connecting step by step, as a program sees it that only calls connect; and dissolving what was made. */

#include <stack/stack.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int again(struct talk *t, int s)
{
    const struct weir_endpoint remote = {.addr = t->peers, .port = t->peer_port};
    int result = weir_socket_connect(t->stack, s, &remote, t->now);

    talk_run(t);
    return result;
}

static int64_t pending(struct talk *t, int s)
{
    int64_t value = -1;

    assert_int_equal(weir_socket_get(t->stack, s, WEIR_SO_ERROR, &value), 0);
    return value;
}

/* ---- connect --------------------------------------------------------------------------------------- */

static void success_is_told_once(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    assert_int_equal(again(t, s), WEIR_EALREADY);
    talk_drain(t);
    talk_in(t, "S. 0:0(0) ack 1");
    assert_int_equal(again(t, s), 0);
    assert_int_equal(again(t, s), WEIR_EISCONN);
    talk_in(t, "R 1:1(0)");
    assert_int_equal(again(t, s), WEIR_EISCONN); /* that is the business of others */
    talk_destroy(t);
}

/* Who was refused may try again: at once, or after SO_ERROR or a read has told of it. */
static void failure_is_told_once(void **state)
{
    (void)state;
    for (int teller = 0; teller < 3; teller++) {
        struct talk *t = talk_create(NULL);
        int s = talk_connect(t);
        char byte;

        talk_drain(t);
        talk_in(t, "R. =0:=0(0) ack 1");
        if (teller == 1)
            assert_int_equal(pending(t, s), -WEIR_ECONNREFUSED);
        if (teller == 2)
            assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), WEIR_ECONNREFUSED);
        assert_int_equal(again(t, s), teller ? WEIR_ECONNABORTED : WEIR_ECONNREFUSED);
        assert_int_equal(pending(t, s), 0);
        assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), WEIR_ENOTCONN);
        talk_use(t, 0, t->peer_port, 5000);
        assert_int_equal(again(t, s), WEIR_EINPROGRESS);
        talk_out(t, "S 0:0(0)");
        talk_in(t, "S. 0:0(0) ack 1");
        assert_int_equal(again(t, s), 0);
        talk_destroy(t);
    }
}

/* ---- disconnect -------------------------------------------------------------------------------------- */

/* From each state: what leaves, and what is pending. */
static const struct {
    const char *in[2];
    bool shuts;
    const char *out; /* NULL: nothing */
    int error;
} rows[] = {
    {{NULL}, false, "R 1:1(0)", WEIR_ECONNRESET},              /* ESTABLISHED */
    {{"F. 1:1(0) ack 1"}, false, "R 1:1(0)", WEIR_ECONNRESET}, /* CLOSE-WAIT */
    {{NULL}, true, "R 2:2(0)", WEIR_ECONNRESET},               /* FIN-WAIT-1 */
    {{". 1:1(0) ack 2"}, true, "R 2:2(0)", WEIR_ECONNRESET},   /* FIN-WAIT-2 */
    {{"F. 1:1(0) ack 1"}, true, NULL, 0},                      /* CLOSING */
    {{". 1:1(0) ack 2", "F. 1:1(0) ack 2"}, true, NULL, 0},    /* TIME-WAIT */
    {{"R 1:1(0)"}, false, NULL, 0},                            /* CLOSED */
};

static void each_state_is_dissolved(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_active(t);
        struct weir_endpoint endpoint;
        char byte;

        if (rows[i].shuts)
            talk_shutdown(t, s);
        for (int k = 0; k < 2 && rows[i].in[k]; k++)
            talk_in(t, rows[i].in[k]);
        talk_drain(t);
        assert_int_equal(weir_socket_disconnect(t->stack, s), 0);
        talk_run(t);
        if (rows[i].out)
            talk_out(t, rows[i].out);
        talk_out_none(t);
        assert_int_equal(pending(t, s), -rows[i].error);
        assert_int_equal(weir_socket_recv(t->stack, s, &byte, 1), WEIR_ENOTCONN);
        assert_int_equal(weir_socket_remote(t->stack, s, &endpoint), WEIR_ENOTCONN);
        assert_int_equal(weir_socket_local(t->stack, s, &endpoint), 0);
        assert_int_equal(endpoint.port, 0);
        assert_null(weir_inspect_check(t->stack, t->now));
        talk_use(t, 0, t->peer_port, 5000);
        assert_int_equal(again(t, s), WEIR_EINPROGRESS);
        talk_out(t, "S 0:0(0)");
        talk_destroy(t);
    }
}

static void a_syn_is_forgotten(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    talk_drain(t);
    assert_int_equal(weir_socket_shutdown(t->stack, s, WEIR_SHUT_WR), 0); /* the same thing */
    talk_out_none(t);
    assert_int_equal(pending(t, s), -WEIR_ECONNRESET);
    talk_in(t, "S. 0:0(0) ack 1");
    talk_out(t, "R 1:1(0)");
    assert_int_equal(weir_socket_disconnect(t->stack, s), 0); /* there is nothing any more */
    talk_destroy(t);
}

/* TIME-WAIT goes on without the socket, which may be closed meanwhile. */
static void time_wait_stays_behind(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    struct weir_budget_row budget;

    (void)state;
    talk_shutdown(t, s);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_drain(t);
    assert_int_equal(weir_socket_disconnect(t->stack, s), 0);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.time_wait, 1);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, ". 2:2(0) ack 2");
    talk_events(t, s);
    assert_int_equal(weir_socket_close(t->stack, s), 0);
    assert_int_equal(talk_events(t, s), WEIR_CLOSED);
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), s);
    talk_advance(t, 61 * WEIR_SECOND);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.time_wait, 0);
    talk_destroy(t);
}

/* What bind has said stays, and keeps others away; what connect has chosen goes. */
static void what_was_bound_stays_bound(void **state)
{
    (void)state;
    for (int row = 0; row < 4; row++) {
        struct talk *t = talk_create(NULL);
        struct weir_endpoint local = {.addr = row & 1 ? t->ours : weir_addr_any4(),
                                      .port = row & 2 ? 5000 : 0};
        struct weir_endpoint found;
        int s = weir_socket_open(t->stack, WEIR_TCP, 0), other;

        assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
        talk_use(t, local.port, t->peer_port, 1000);
        assert_int_equal(again(t, s), WEIR_EINPROGRESS);
        assert_int_equal(weir_socket_disconnect(t->stack, s), 0);
        assert_int_equal(weir_socket_local(t->stack, s, &found), 0);
        assert_int_equal(found.port, local.port);
        assert_true(weir_addr_equal(&found.addr, &local.addr));
        other = weir_socket_open(t->stack, WEIR_TCP, 0);
        local.addr = t->ours;
        local.port = 5000;
        assert_int_equal(weir_socket_bind(t->stack, other, &local), row & 2 ? WEIR_EADDRINUSE : 0);
        assert_int_equal(weir_socket_listen(t->stack, s, 4), 0);
        talk_destroy(t);
    }
}

/* A listener that is dissolved, or shut for reading, is bound and no more. */
static void a_listener_stops(void **state)
{
    (void)state;
    for (int row = 0; row < 3; row++) {
        struct talk *t = talk_create(NULL);
        int listener = talk_listen(t, 4);

        talk_use(t, 80, 40000, 1000);
        talk_in(t, "S 0:0(0)");
        talk_in(t, ". 1:1(0) ack 1");
        talk_drain(t);
        assert_int_equal(weir_socket_shutdown(t->stack, listener, WEIR_SHUT_WR), 0);
        talk_out_none(t); /* that changes nothing */
        if (row == 0)
            assert_int_equal(weir_socket_disconnect(t->stack, listener), 0);
        else
            assert_int_equal(
                weir_socket_shutdown(t->stack, listener, row == 1 ? WEIR_SHUT_RD : WEIR_SHUT_RDWR),
                0);
        talk_out(t, "R 1:1(0)"); /* nobody has accepted it */
        assert_int_equal(weir_socket_accept(t->stack, listener, NULL), WEIR_EINVAL);
        talk_use(t, 80, 40001, 1000);
        talk_in(t, "S 0:0(0)");
        talk_out(t, "R. =0:=0(0) ack 1");
        assert_int_equal(weir_socket_listen(t->stack, listener, 4), 0);
        talk_destroy(t);
    }
}

static void datagrams_lose_their_peer(void **state)
{
    static const enum weir_socket_kind kinds[] = {WEIR_UDP, WEIR_RAW, WEIR_ECHO};
    struct talk *t = talk_create(NULL);
    const struct weir_endpoint remote = {.addr = t->peers, .port = 7};

    (void)state;
    assert_int_equal(weir_socket_disconnect(t->stack, 99), WEIR_EBADF);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        int s = weir_socket_open(t->stack, kinds[i], kinds[i] == WEIR_RAW ? 99 : 0);
        struct weir_endpoint found;

        assert_int_equal(weir_socket_disconnect(t->stack, s), 0);
        assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), 0);
        assert_int_equal(weir_socket_remote(t->stack, s, &found), 0);
        assert_int_equal(weir_socket_disconnect(t->stack, s), 0);
        assert_int_equal(weir_socket_remote(t->stack, s, &found), WEIR_ENOTCONN);
    }
    talk_destroy(t);
}

/* Without memory nothing has happened. */
static void no_memory_changes_nothing(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);
    size_t budget = t->stack->alloc.budget;

    (void)state;
    pool_done(&t->stack->bindings); /* a spare one would do */
    t->stack->alloc.budget = t->stack->alloc.used;
    assert_int_equal(weir_socket_disconnect(t->stack, s), WEIR_ENOMEM);
    t->stack->alloc.budget = budget;
    talk_out_none(t);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_told_once),      cmocka_unit_test(failure_is_told_once),
        cmocka_unit_test(each_state_is_dissolved),   cmocka_unit_test(a_syn_is_forgotten),
        cmocka_unit_test(time_wait_stays_behind),    cmocka_unit_test(what_was_bound_stays_bound),
        cmocka_unit_test(a_listener_stops),          cmocka_unit_test(datagrams_lose_their_peer),
        cmocka_unit_test(no_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
