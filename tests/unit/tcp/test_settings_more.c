/* SPDX-License-Identifier: MIT */

/* More of the settings in which Linux is another TCP (test_settings.c): each by itself, the profile
 * `default` with it against the same conversation without. */

#include "setup.h"

typedef void change_fn(struct weir_tcp_settings *settings);

static struct talk *with(change_fn *change)
{
    struct weir_stack_config config;

    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.idle_restart = true;
    if (change)
        change(&config.tcp);
    return talk_create(&config);
}

static void delay_fin_ack(struct weir_tcp_settings *settings)
{
    settings->delay_fin_ack = true;
}

/* RFC 9293 3.10.7.4, eighth: acknowledged at once; or like data, if some came before. */
static void test_delay_fin_ack(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? delay_fin_ack : NULL);
        int s = talk_establish_passive(t);

        talk_in(t, "P. 1:11(10) ack 1");
        assert_int_equal(talk_read(t, s, 100), 10);
        talk_advance(t, 40 * WEIR_MS);
        talk_out(t, ". 1:1(0) ack 11");
        talk_mark(t);
        talk_in(t, "F. 11:11(0) ack 1");
        talk_expect_at(t, on ? 40 : 0, ". 1:1(0) ack 12");
        talk_expect_state(t, s, CLOSE_WAIT);
        talk_destroy(t);
    }
}

/* Three times it does not wait: nothing came before it, a gap held it back, we have closed already. */
static void test_fin_ack_at_once(void **state)
{
    struct talk *t = with(delay_fin_ack);
    int s;

    (void)state;
    talk_establish_passive(t);
    talk_in(t, "F. 1:1(0) ack 1");
    talk_out(t, ". 1:1(0) ack 2");
    talk_destroy(t);

    t = with(delay_fin_ack);
    talk_establish_passive(t);
    talk_in(t, "F. 11:11(0) ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_in(t, "P. 1:11(10) ack 1");
    talk_out(t, ". 1:1(0) ack 12");
    talk_destroy(t);

    t = with(delay_fin_ack);
    s = talk_establish_passive(t);
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_read(t, s, 100), 10);
    talk_shutdown(t, s);
    talk_out(t, "F. 1:1(0) ack 11");
    talk_in(t, "F. 11:11(0) ack 1");
    talk_out(t, ". 2:2(0) ack 12");
    talk_destroy(t);
}

static void ack_on_read(struct weir_tcp_settings *settings)
{
    settings->ack_by_peer_segment = true;
    settings->ack_on_read = true;
}

/* All is read, and the segment was small. */
static void test_ack_on_read(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? ack_on_read : NULL);
        int s = talk_establish_passive(t);

        talk_mark(t);
        talk_in(t, "P. 1:101(100) ack 1");
        talk_advance(t, 10 * WEIR_MS);
        assert_int_equal(talk_read(t, s, 60), 60);
        talk_out_none(t); /* not all */
        assert_int_equal(talk_read(t, s, 60), 40);
        talk_expect_at(t, on ? 10 : 40, ". 1:1(0) ack 101");
        talk_destroy(t);
    }
}

/* A full segment says that it is the end by PSH only. */
static void test_ack_on_read_full(void **state)
{
    (void)state;
    for (int push = 0; push < 2; push++) {
        struct talk *t = with(ack_on_read);
        int s = talk_establish_passive(t);

        talk_mark(t);
        talk_in(t, push ? "P. 1:1001(1000) ack 1" : ". 1:1001(1000) ack 1");
        assert_int_equal(talk_read(t, s, 2000), 1000);
        talk_expect_at(t, push ? 0 : 40, ". 1:1(0) ack 1001");
        talk_destroy(t);
    }
}

static void dup_acks_deliver(struct weir_tcp_settings *settings)
{
    settings->slow_start_limit = 0;
    settings->dup_acks_deliver = true;
}

static void no_limit(struct weir_tcp_settings *settings)
{
    settings->slow_start_limit = 0;
}

/* Of three segments acknowledged two were known to have arrived. */
static void test_dup_acks_deliver(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? dup_acks_deliver : no_limit);
        int s = talk_establish_passive(t);

        talk_write(t, s, 20000);
        setup_in(t, ".", 1, 0, 1, 65535);
        setup_in(t, ".", 1, 0, 1, 65535);
        setup_in(t, ".", 1, 0, 1 + 3 * 1460, 65535);
        assert_int_equal(talk_info(t, s).cwnd, (on ? 11 : 13) * 1460);
        setup_in(t, ".", 1, 0, 1 + 5 * 1460, 65535);
        assert_int_equal(talk_info(t, s).cwnd, (on ? 13 : 15) * 1460);
        talk_destroy(t);
    }
}

static void idle_halves(struct weir_tcp_settings *settings)
{
    settings->slow_start_limit = 0;
    settings->idle_halves = true;
}

/* The RTO is 200 ms: pauses of up to 200, 400, 600 ms, and a long one. */
static void test_idle_halves(void **state)
{
    static const struct {
        unsigned pause_ms, segments;
    } rows[] = {{150, 80}, {250, 40}, {450, 20}, {650, 10}, {60000, 10}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = with(idle_halves);
        int s, round;

        s = talk_establish_passive(t);
        for (round = 0; round < 3; round++) {
            uint32_t all = (20u << round) * 1460u - 10u * 1460u;

            talk_write(t, s, (10u << round) * 1460u);
            setup_take_data(t, NULL);
            setup_in(t, ".", 1, 0, 1 + (int64_t)all, 65535);
            setup_in(t, ".", 1, 0, 1 + (int64_t)talk_info(t, s).bytes_sent, 65535);
        }
        assert_int_equal(talk_info(t, s).cwnd, 80 * 1460);
        talk_advance(t, rows[i].pause_ms * WEIR_MS);
        talk_write(t, s, 10);
        assert_int_equal(talk_info(t, s).cwnd, rows[i].segments * 1460);
        talk_destroy(t);
    }
}

static void keeps_segments(struct weir_tcp_settings *settings)
{
    settings->nagle = false;
    settings->keeps_segments = true;
}

static void no_nagle(struct weir_tcp_settings *settings)
{
    settings->nagle = false;
}

/* Two writes, and both lost: the first comes again as it was, or with what fits. */
static void test_keeps_segments(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? keeps_segments : no_nagle);
        int s = talk_establish_passive(t);

        talk_write(t, s, 1000);
        talk_out(t, "P. 1:1001(1000) ack 1");
        talk_write(t, s, 1000);
        talk_out(t, "P. 1001:2001(1000) ack 1");
        talk_write(t, s, 200);
        talk_out(t, "P. 2001:2201(200) ack 1");
        talk_mark(t);
        talk_expect_between(t, 200, 1000, on ? "P. 1:1001(1000) ack 1" : ". 1:1461(1460) ack 1");
        talk_in(t, ". 1:1(0) ack 1001 win 65535");
        talk_out(t, on ? "P. 1001:2201(1200) ack 1" : "P. 1461:2201(740) ack 1");
        talk_destroy(t);
    }
}

/* The parts of a run: PSH belongs to its end. FIN joins less than a segment, or comes alone. */
static void test_keeps_push_and_fin(void **state)
{
    struct talk *t = with(keeps_segments);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 2920);
    talk_write(t, s, 1460);
    assert_int_equal(setup_take_data(t, NULL), 3);
    talk_close(t, s);
    talk_out(t, "F. 4381:4381(0) ack 1");
    talk_mark(t);
    talk_expect_between(t, 200, 1000, ". 1:1461(1460) ack 1");
    talk_in(t, ". 1:1(0) ack 1461 win 65535");
    talk_out(t, "P. 1461:2921(1460) ack 1");
    talk_out(t, "P. 2921:4381(1460) ack 1");
    talk_in(t, ". 1:1(0) ack 4381 win 65535");
    talk_out(t, "F. 4381:4381(0) ack 1");
    talk_destroy(t);
}

/* What is written with more to come has no PSH, also if it fills segments. */
static void test_no_push_of_more(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? keeps_segments : no_nagle);
        int s = talk_establish_passive(t);

        talk_write_flags(t, s, 1460, WEIR_MSG_MORE);
        talk_out(t, on ? ". 1:1461(1460) ack 1" : "P. 1:1461(1460) ack 1");
        talk_in(t, ". 1:1(0) ack 1461 win 65535");
        talk_write_flags(t, s, 10, WEIR_MSG_MORE);
        talk_mark(t);
        talk_expect_at(t, 200, "P. 1461:1471(10) ack 1"); /* nobody waits for more now */
        talk_destroy(t);
    }
}

static void shut_keeps_data(struct weir_tcp_settings *settings)
{
    settings->shut_keeps_data = true;
}

static void test_shut_keeps_data(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? shut_keeps_data : NULL);
        int s = talk_establish_passive(t);

        assert_int_equal(weir_socket_shutdown(t->stack, s, WEIR_SHUT_RD), 0);
        assert_int_equal(talk_read(t, s, 100), 0);
        talk_in(t, "P. 1:11(10) ack 1");
        assert_int_equal(talk_read(t, s, 100), on ? 10 : 0);
        assert_int_equal(talk_read(t, s, 100), 0);
        talk_advance(t, 40 * WEIR_MS);
        talk_out(t, ". 1:1(0) ack 11");
        talk_destroy(t);
    }
}

static void empty_probes(struct weir_tcp_settings *settings)
{
    settings->probe_has_data = false;
}

/* With empty probes, as Linux has them, the interval counts from the answer. */
static void test_probe_after_answer(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? empty_probes : NULL);
        int s = talk_establish_passive(t);
        const char *probe = on ? ". 0:0(0) ack 1" : "P. 1:2(1) ack 1";

        talk_in(t, ". 1:1(0) ack 1 win 0");
        talk_write(t, s, 1);
        talk_mark(t);
        talk_expect_between(t, 200, 1000, probe);
        talk_mark(t);
        talk_advance(t, 100 * WEIR_MS);
        talk_in(t, ". 1:1(0) ack 1 win 0");
        talk_expect_at(t, on ? 500 : 400, probe);
        talk_destroy(t);
    }
}

static void frto(struct weir_tcp_settings *settings)
{
    settings->frto = true;
}

/* RFC 5682: an ACK of what was sent once takes the time-out back. */
static void test_frto_late(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? frto : NULL);
        int s = talk_establish_passive(t);

        talk_write(t, s, 14600);
        talk_advance(t, 300 * WEIR_MS);
        assert_int_equal(setup_take_data(t, NULL), 11);
        assert_int_equal(talk_info(t, s).cwnd, 1460);
        setup_in(t, ".", 1, 0, 1 + 2 * 1460, 65535);
        assert_int_equal(talk_info(t, s).cwnd >= 10 * 1460, on);
        assert_int_equal(talk_info(t, s).ssthresh > 1000000, on);
        assert_int_equal(talk_info(t, s).congestion_recovery, on ? 0 : 2);
        talk_destroy(t);
    }
}

/* One of only the segment that was sent again: new data asks; a duplicate says that the loss is real. */
static void test_frto_asks(void **state)
{
    (void)state;
    for (int is_lost = 0; is_lost < 2; is_lost++) {
        struct talk *t = with(frto);
        int s = talk_establish_passive(t);
        uint32_t highest = 0;

        talk_write(t, s, 20 * 1460);
        talk_advance(t, 300 * WEIR_MS);
        setup_take_data(t, NULL);
        setup_in(t, ".", 1, 0, 1 + 1460, 65535);
        assert_int_equal(setup_take_data(t, &highest), 2);
        assert_int_equal(highest, 1 + 12 * 1460);
        setup_in(t, ".", 1, 0, 1 + (is_lost ? 1 : 2) * 1460, 65535);
        highest = 0;
        assert_int_equal(setup_take_data(t, &highest), 1);
        assert_int_equal(highest, 1 + (is_lost ? 2 : 13) * 1460);
        assert_int_equal(talk_info(t, s).congestion_recovery, is_lost ? 2 : 0);
        talk_destroy(t);
    }
}

/* A second time-out, or a window that closes, leave nothing to take back. */
static void test_frto_ends(void **state)
{
    struct talk *t = with(frto);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 20 * 1460);
    talk_advance(t, 300 * WEIR_MS);
    setup_take_data(t, NULL);
    setup_in(t, ".", 1, 0, 1 + 1460, 9 * 1460); /* new data does not fit */
    talk_out(t, ". 1461:2921(1460) ack 1");
    talk_destroy(t);
}

/* Without a limit slow start ends at ssthresh all the same, and the rest of an ACK counts beyond. */
static void test_slow_start_ends(void **state)
{
    struct talk *t = with(no_limit);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 14600);
    talk_advance(t, 300 * WEIR_MS); /* ssthresh is 5 segments */
    setup_in(t, ".", 1, 0, 14601, 65535);
    assert_int_equal(talk_info(t, s).cwnd, 6 * 1460);
    talk_destroy(t);
}

static void syn_restarts_syn_ack(struct weir_tcp_settings *settings)
{
    settings->syn_restarts_syn_ack = true;
}

static void test_syn_restarts_syn_ack(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? syn_restarts_syn_ack : NULL);

        talk_listen(t, 5);
        talk_mark(t);
        talk_in(t, "S 0:0(0) <mss 1460>");
        talk_out(t, "S. 0:0(0) ack 1");
        talk_expect_at(t, 1000, "S. 0:0(0) ack 1");
        talk_advance(t, 500 * WEIR_MS);
        talk_in(t, "S 0:0(0) <mss 1460>");
        talk_out(t, "S. 0:0(0) ack 1");
        talk_expect_at(t, on ? 3500 : 3000, "S. 0:0(0) ack 1");
        talk_destroy(t);
    }
}

static void listener_ends_quietly(struct weir_tcp_settings *settings)
{
    settings->listener_ends_quietly = true;
}

static void test_listener_ends_quietly(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct talk *t = with(on ? listener_ends_quietly : NULL);
        int s = talk_listen(t, 5);

        talk_in(t, "S 0:0(0) <mss 1460>");
        talk_out(t, "S. 0:0(0) ack 1");
        talk_close(t, s);
        if (!on)
            talk_out(t, "R 1:1(0)");
        talk_out_none(t);
        talk_in(t, ". 1:1(0) ack 1");
        talk_out(t, "R 1:1(0)");
        talk_destroy(t);
    }
}

/* tcp(7): setting TCP_NODELAY pushes what a cork holds, once. In every profile. */
static void test_nodelay_pushes(void **state)
{
    struct talk *t = with(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_CORK, 1), 0);
    talk_write(t, s, 10);
    talk_out_none(t);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_NODELAY, 1), 0);
    talk_out(t, "P. 1:11(10) ack 1");
    talk_write(t, s, 10);
    talk_out_none(t);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delay_fin_ack),
        cmocka_unit_test(test_fin_ack_at_once),
        cmocka_unit_test(test_ack_on_read),
        cmocka_unit_test(test_ack_on_read_full),
        cmocka_unit_test(test_dup_acks_deliver),
        cmocka_unit_test(test_idle_halves),
        cmocka_unit_test(test_keeps_segments),
        cmocka_unit_test(test_keeps_push_and_fin),
        cmocka_unit_test(test_no_push_of_more),
        cmocka_unit_test(test_shut_keeps_data),
        cmocka_unit_test(test_probe_after_answer),
        cmocka_unit_test(test_nodelay_pushes),
        cmocka_unit_test(test_syn_restarts_syn_ack),
        cmocka_unit_test(test_listener_ends_quietly),
        cmocka_unit_test(test_frto_late),
        cmocka_unit_test(test_frto_asks),
        cmocka_unit_test(test_frto_ends),
        cmocka_unit_test(test_slow_start_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
