/* SPDX-License-Identifier: MIT */

/* The registry of congestion controls, and what every row of it owes its callers: the tests walk
 * the list, so that a new one is tested by being there. RFC 9293 3.8.2 [MAY-18] */

#include "setup.h"

#include <stdlib.h>
#include <tcp/cc.h>
#include <tcp/tcp.h>

#define MSS 1000

static void test_registry(void **state)
{
    unsigned count = 0;

    (void)state;
    assert_ptr_equal(cc_find("newreno"), &cc_newreno);
    assert_null(cc_find("no such one"));
    assert_null(cc_find(""));
    for (; cc_at(count); count++) {
        assert_ptr_equal(cc_find(cc_at(count)->name), cc_at(count));
        assert_int_equal(cc_row_of(cc_at(count)), count);
    }
    assert_true(count > 0);
    assert_null(cc_at(count + 1));
}

static void start(const struct weir_cc_ops *ops, struct weir_cc *cc)
{
    *cc = (struct weir_cc){.mss = MSS, .ssthresh = UINT32_MAX};
    if (ops->private_size)
        cc->private_block = calloc(1, ops->private_size);
    ops->init(cc, 10 * MSS);
}

/* RFC 5681 3.1, 4.1 and RFC 6582: what each event may and may not do. */
static void test_contract(void **state)
{
    const struct weir_cc_ops *ops;

    (void)state;
    for (unsigned i = 0; (ops = cc_at(i)); i++) {
        const struct weir_cc_ack full = {MSS, 10 * MSS, true, 50 * WEIR_MS};
        const struct weir_cc_ack idle = {MSS, MSS, false, 50 * WEIR_MS};
        weir_time now = WEIR_SECOND;
        struct weir_cc cc;
        uint32_t before;

        start(ops, &cc);
        assert_int_equal(cc.cwnd, 10 * MSS);
        ops->acked(&cc, &idle, now);
        assert_int_equal(cc.cwnd, 10 * MSS); /* the window was not the limit */
        ops->acked(&cc, &full, now);
        assert_in_range(cc.cwnd, 10 * MSS + 1, 11 * MSS);
        ops->lost(&cc, 10 * MSS, now);
        assert_in_range(cc.ssthresh, 2 * MSS, 9 * MSS);
        ops->recovered(&cc, 8 * MSS, now);
        assert_in_range(cc.cwnd, MSS, cc.ssthresh);
        before = cc.cwnd;
        ops->idle(&cc, 10 * MSS, 10 * WEIR_SECOND, WEIR_SECOND);
        assert_true(cc.cwnd <= before); /* idling raises nothing */
        ops->idle(&cc, 2 * MSS, WEIR_MS, WEIR_SECOND);
        assert_int_equal(cc.cwnd, before); /* too short to count */
        ops->idle(&cc, 2 * MSS, 10 * WEIR_SECOND, WEIR_SECOND);
        assert_in_range(cc.cwnd, MSS, 2 * MSS);
        ops->timed_out(&cc, 6 * MSS, true, now);
        assert_int_equal(cc.cwnd, MSS);
        assert_in_range(cc.ssthresh, 2 * MSS, 6 * MSS);
        free(cc.private_block);
    }
}

/* Any order of events: cwnd is never less than a segment, ssthresh never less than two. */
static void test_any_order(void **state)
{
    const struct weir_cc_ops *ops;

    (void)state;
    for (unsigned i = 0; (ops = cc_at(i)); i++) {
        unsigned seed = 5681;
        struct weir_cc cc;

        start(ops, &cc);
        for (unsigned step = 0; step < 20000; step++) {
            weir_time now = WEIR_SECOND + step * WEIR_MS;
            uint32_t flight = (uint32_t)rand_r(&seed) % (100 * MSS);
            const struct weir_cc_ack ack = {1 + (uint32_t)rand_r(&seed) % (4 * MSS), flight,
                                            rand_r(&seed) % 2 == 0, 50 * WEIR_MS};

            switch (rand_r(&seed) % 16) {
            case 0:
                ops->lost(&cc, flight, now);
                break;
            case 1:
                ops->recovered(&cc, flight, now);
                break;
            case 2:
                ops->timed_out(&cc, flight, rand_r(&seed) % 2 == 0, now);
                break;
            case 3:
                ops->idle(&cc, 10 * MSS, (weir_time)flight * WEIR_MS, WEIR_SECOND);
                break;
            default:
                ops->acked(&cc, &ack, now);
                break;
            }
            assert_in_range(cc.cwnd, MSS, 1u << 30);
            assert_true(cc.ssthresh >= 2 * MSS);
        }
        free(cc.private_block);
    }
}

/* A path that suddenly takes larger segments than cwnd holds: one of them may leave. */
static void test_larger_segments(void **state)
{
    struct weir_tcp_settings settings;
    struct weir_counters counters = {0};
    struct tcp_active active = tcp_resting;
    struct tcp_context context = {.counters = &counters};
    struct tcp_conn conn;

    (void)state;
    weir_profile(WEIR_PROFILE_DEFAULT, &settings);
    tcp_init(&conn, &context, &settings);
    conn.active = &active;
    tcp_open(&conn, 1, 520, 0);
    conn.snd_mss = 1460;
    conn.cc.cwnd = 500; /* after a time-out */
    tcp_set_mms(&conn, 1480);
    assert_int_equal(conn.cc.mss, 1460);
    assert_int_equal(conn.cc.cwnd, 1460);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_larger_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
