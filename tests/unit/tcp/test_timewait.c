/* SPDX-License-Identifier: MIT */

/* TIME-WAIT: how long it lasts, what it answers, who may end it, and what may follow. */

#include "states.h"

#include <string.h>
#include <tcp/timewait.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { SND = 300, RCV = 7000 };

struct verdict_row {
    uint8_t flags;
    int seq, length; /* relative to RCV.NXT */
    enum tcp_timewait_verdict verdict;
    bool is_answered, is_restarted;
    bool obeys_rst; /* the setting */
};

#define KEEP TCP_TIMEWAIT_KEEP
#define A TCP_ACK

/* clang-format off */
/* RFC 9293 3.10.7.4 [U-13, U-18, U-20, U-30], 3.6.1 [MAY-2]; RFC 1337 3 [1337-1] */
static const struct verdict_row rows[] = {
    {TCP_FIN | A,  -1, 0, KEEP, true, true, false},
    {TCP_FIN | A,  -5, 4, KEEP, true, true, false},
    {A,             0, 0, KEEP, false, false, false},
    {A,           -99, 0, KEEP, false, false, false},
    {A,         70000, 0, KEEP, false, false, false},
    {0,             0, 0, KEEP, false, false, false},
    {TCP_PSH | A,  -9, 9, KEEP, true, false, false},
    {TCP_PSH | A,   0, 9, KEEP, true, false, false},
    {TCP_PSH,       0, 9, KEEP, false, false, false},
    {TCP_FIN,       0, 0, KEEP, false, false, false},
    {TCP_PSH,      76, 9, KEEP, false, false, false},
    {TCP_PSH,      77, 9, KEEP, true, false, false},
    {TCP_PSH,      -9, 9, KEEP, true, false, false},
    {TCP_RST,       0, 0, KEEP, false, false, false},
    {TCP_RST | A,   0, 0, KEEP, false, false, false},
    {TCP_RST,       5, 0, KEEP, false, false, false},
    {TCP_RST,      -1, 0, KEEP, false, false, false},
    {TCP_RST,       0, 0, TCP_TIMEWAIT_FREE, false, false, true},
    {TCP_RST | A,   0, 9, TCP_TIMEWAIT_FREE, false, false, true},
    {TCP_RST,       1, 0, KEEP, false, false, true},
    {TCP_RST,      -1, 0, KEEP, false, false, true},
    {TCP_SYN,       1, 0, TCP_TIMEWAIT_REOPEN, false, false, false},
    {TCP_SYN,  999999, 0, TCP_TIMEWAIT_REOPEN, false, false, false},
    {TCP_SYN,       0, 0, KEEP, true, false, false},
    {TCP_SYN,      -1, 0, KEEP, true, false, false},
    {TCP_SYN, -999999, 0, KEEP, true, false, false},
    {TCP_SYN | A,   5, 0, KEEP, true, false, false},
    {TCP_SYN | TCP_RST, 5, 0, KEEP, false, false, false},
};
/* clang-format on */

static void try_row(const struct verdict_row *row, size_t number)
{
    struct tcp_timewait record = {.snd_nxt = SND, .rcv_nxt = RCV, .window = 77, .deadline = 1};
    struct weir_tcp_settings settings;
    struct tcp_segment segment = {.seq = RCV + (weir_seq)row->seq,
                                  .ack = SND,
                                  .length = (uint32_t)row->length,
                                  .flags = row->flags};
    struct tcp_reply reply;
    enum weir_drop drop;
    enum tcp_timewait_verdict verdict;

    weir_profile(WEIR_PROFILE_DEFAULT, &settings);
    settings.rst_closes_time_wait = row->obeys_rst;
    verdict = tcp_timewait_input(&record, &settings, &segment, 5, &reply, &drop);
    if (verdict != row->verdict || (reply.flags != 0) != row->is_answered ||
        (record.deadline != 1) != row->is_restarted)
        fail_msg("row %zu: verdict %d, reply %02x, deadline %lld", number, (int)verdict,
                 reply.flags, (long long)record.deadline);
    if (row->is_restarted)
        assert_int_equal(record.deadline, 5 + 2 * settings.msl);
    if (!row->is_answered)
        return;
    assert_int_equal(reply.flags, TCP_ACK);
    assert_int_equal(reply.seq, SND);
    assert_int_equal(reply.ack, RCV);
    assert_int_equal(reply.window, 77);
}

static void each_segment_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        try_row(&rows[i], i);
}

/* RFC 9293 3.6.1 [MUST-13]: twice the MSL, for a held socket and for a record. */
static void try_duration(enum weir_profile profile, enum place place, weir_time expected)
{
    struct weir_stack_config config = states_config(profile);
    struct talk *t = talk_create(&config);
    int s = states_enter(t, place);

    talk_events(t, s);
    talk_advance(t, expected - 1);
    talk_expect_state(t, s, TIME_WAIT);
    talk_in(t, "F. 1:1(0) ack 2"); /* seen again: acknowledged, and the clock restarts [U-18] */
    talk_out(t, ". 2:2(0) ack 2");
    talk_advance(t, expected - 1);
    talk_expect_state(t, s, TIME_WAIT);
    talk_advance(t, 1);
    talk_expect_state(t, s, CLOSED);
    talk_in(t, "F. 1:1(0) ack 2"); /* nobody is there any more */
    talk_out(t, "R 2:2(0)");
    talk_destroy(t);
}

static void it_lasts_twice_the_msl(void **state)
{
    (void)state;
    try_duration(WEIR_PROFILE_DEFAULT, AT_TIME_WAIT, 60 * WEIR_SECOND);
    try_duration(WEIR_PROFILE_DEFAULT, AT_TIME_WAIT_ALONE, 60 * WEIR_SECOND);
    try_duration(WEIR_PROFILE_STRICT, AT_TIME_WAIT, 240 * WEIR_SECOND);
    try_duration(WEIR_PROFILE_STRICT, AT_TIME_WAIT_ALONE, 240 * WEIR_SECOND);
    try_duration(WEIR_PROFILE_BROWN, AT_TIME_WAIT_ALONE, 10 * WEIR_SECOND);
}

/* RFC 9293 3.10.8 [U-27]: the time-out deletes everything; the socket's last event says so. */
static void its_end_frees_everything(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_TIME_WAIT_ALONE);
    struct weir_budget_row budget;

    (void)state;
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.time_wait, 1);
    assert_int_equal(budget.connections, 0);
    talk_events(t, s);
    talk_advance(t, 60 * WEIR_SECOND);
    assert_int_equal(talk_events(t, s), WEIR_CLOSED);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.time_wait, 0);
    assert_int_equal(budget.sockets, 0);
    talk_destroy(t);
}

/* A socket that is closed in TIME-WAIT leaves a record, and the clock goes on. */
static void closing_does_not_restart_the_clock(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_TIME_WAIT);

    (void)state;
    talk_advance(t, 20 * WEIR_SECOND);
    assert_int_equal(talk_close(t, s), 0);
    talk_expect_state(t, s, TIME_WAIT);
    talk_advance(t, 40 * WEIR_SECOND - 1);
    talk_expect_state(t, s, TIME_WAIT);
    talk_advance(t, 1);
    talk_expect_state(t, s, CLOSED);
    talk_out_none(t);
    talk_destroy(t);
}

/* RFC 9293 3.10.4: CLOSE in TIME-WAIT does not end it, read or not. */
static void closing_with_unread_data_keeps_time_wait(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_FIN_WAIT_2);

    (void)state;
    talk_in(t, "FP. 1:11(10) ack 2");
    talk_out(t, ". 2:2(0) ack 12");
    talk_expect_state(t, s, TIME_WAIT);
    assert_int_equal(talk_close(t, s), 0);
    talk_expect_state(t, s, TIME_WAIT);
    talk_in(t, "F. 11:11(0) ack 2");
    talk_out(t, ". 2:2(0) ack 12");
    talk_destroy(t);
}

/* RFC 1337 3 [1337-1, 1337-2]: a RST does not open the door to old segments. */
static void a_rst_does_not_assassinate_it(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = states_enter(t, AT_TIME_WAIT_ALONE);

    (void)state;
    talk_in(t, "R 2:2(0)");
    talk_in(t, "P. 1:1(0) ack 2");
    talk_out_none(t);
    talk_in(t, "P. -9:1(10) ack 1"); /* old data, still acknowledged by the record */
    talk_out(t, ". 2:2(0) ack 2");
    talk_expect_state(t, s, TIME_WAIT);
    talk_destroy(t);
}

/* The profile strict follows RFC 9293's text: an exact RST ends it, another is challenged or not
 * believed. */
static void strict_obeys_an_exact_rst(void **state)
{
    static const struct states_step steps[] = {
        {AT_TIME_WAIT, "R $r:$r(0)", NULL, WEIR_STATE_CLOSED, 0},
        {AT_TIME_WAIT, "R $r+1:$r+1(0)", ". 2:2(0) ack 2", WEIR_STATE_TIME_WAIT, 0},
        {AT_TIME_WAIT, "R $r-1:$r-1(0)", NULL, WEIR_STATE_TIME_WAIT, 0},
        {AT_TIME_WAIT_ALONE, "R $r:$r(0)", NULL, WEIR_STATE_CLOSED, 0},
        {AT_TIME_WAIT_ALONE, "R $r-1:$r-1(0)", NULL, WEIR_STATE_TIME_WAIT, 0},
    };
    struct weir_stack_config config = states_config(WEIR_PROFILE_STRICT);

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++)
        states_run_one(&config, &steps[i]);
}

/* TIME-WAIT of a connection that was accepted on a port that is still listened on. */
static struct talk *time_wait_beside_a_listener(int *listener)
{
    struct talk *t = talk_create(NULL);
    int s;

    *listener = states_enter(t, AT_SYN_RECEIVED);
    talk_in(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, *listener, NULL);
    assert_true(s >= 0);
    talk_close(t, s);
    talk_out(t, "F. 1:1(0) ack 1");
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, ". 2:2(0) ack 2");
    talk_expect_state(t, s, TIME_WAIT);
    return t;
}

/* RFC 9293 3.6.1 [MAY-2]: a SYN beyond the old numbers opens anew, with an ISS beyond ours. */
static void a_new_syn_may_reuse_it(void **state)
{
    int listener, s;
    struct talk *t = time_wait_beside_a_listener(&listener);
    uint32_t old_nxt = talk_our_seq(t, 2);
    struct weir_packet packet;

    (void)state;
    talk_in(t, "S 3:3(0)");
    assert_true(talk_take(t, &packet, NULL));
    assert_int_equal(packet.flags, WEIR_TCP_SYN | WEIR_TCP_ACK);
    assert_true((int32_t)(packet.seq - old_nxt) > 0);
    assert_int_equal(packet.ack, talk_peer_seq(t, 4));
    talk_in(t, ". 4:4(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    talk_expect_state(t, s, ESTABLISHED);
    talk_destroy(t);
}

/* RFC 9293 3.6.1 [MAY-2]: an old one gets an ACK, and TIME-WAIT stays. */
static void an_old_syn_does_not_reuse_it(void **state)
{
    static const char *const old[] = {"S 0:0(0)", "S 2:2(0)", "S -1000:-1000(0)"};

    (void)state;
    for (size_t i = 0; i < COUNT(old); i++) {
        int listener;
        struct talk *t = time_wait_beside_a_listener(&listener);

        talk_in(t, old[i]);
        talk_out(t, ". 2:2(0) ack 2");
        talk_in(t, "F. 1:1(0) ack 2"); /* still there */
        talk_out(t, ". 2:2(0) ack 2");
        talk_destroy(t);
    }
}

/* RFC 9293 3.10.7.4 [U-12], RFC 5961 4.2: without a listener, any SYN is answered by an
 * ACK. */
static void without_a_listener_a_syn_is_acknowledged(void **state)
{
    static const char *const syns[] = {"S 3:3(0)", "S 99999:99999(0)", "S 0:0(0)"};

    (void)state;
    for (size_t i = 0; i < COUNT(syns); i++) {
        struct talk *t = talk_create(NULL);
        int s = states_enter(t, AT_TIME_WAIT_ALONE);

        talk_in(t, syns[i]);
        talk_out(t, ". 2:2(0) ack 2");
        talk_expect_state(t, s, TIME_WAIT);
        talk_destroy(t);
    }
}

/* A backlog without room does not cost the record. */
static void a_full_backlog_keeps_the_record(void **state)
{
    int listener;
    struct talk *t = time_wait_beside_a_listener(&listener);
    struct weir_budget_row budget;

    (void)state;
    for (uint16_t port = 50000; port < 50016; port++) {
        talk_use(t, 80, (uint16_t)(50000 + port % 2), 9);
        t->flow->peer_port = port;
        t->flow->knows_isn = false;
        talk_in(t, "S 0:0(0)");
        talk_drain(t);
        talk_in(t, ". 1:1(0) ack 1");
    }
    talk_drain(t);
    talk_use(t, 80, 40000, 1000);
    talk_in(t, "S 3:3(0)");
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_BACKLOG), 1);
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.time_wait, 1);
    talk_destroy(t);
}

/* RFC 9293 3.6.1 [MUST-13]: as long as it lasts, we do not use its addresses and ports anew. */
static void an_active_open_must_wait(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint local = {.addr = t->ours, .port = 80};
    struct weir_endpoint remote = {.addr = t->peers, .port = 40000};

    int s;

    (void)state;
    states_enter(t, AT_TIME_WAIT_ALONE);
    s = weir_socket_open(t->stack, WEIR_TCP, 0);
    assert_int_equal(weir_socket_bind(t->stack, s, &local), WEIR_EADDRINUSE);
    weir_socket_set(t->stack, s, WEIR_SO_REUSEADDR, 1);
    assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
    assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EADDRNOTAVAIL);
    talk_advance(t, 60 * WEIR_SECOND);
    assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
    talk_out(t, "S 0:0(0)");
    talk_destroy(t);
}

/* The oldest record goes when there are too many; the rest stay. */
static void records_are_bounded(void **state)
{
    struct weir_stack_config config = states_config(WEIR_PROFILE_DEFAULT);
    struct weir_budget_row budget;
    struct talk *t;

    (void)state;
    config.time_wait_max = 4;
    t = talk_create(&config);
    for (uint16_t i = 0; i < 10; i++) {
        int s;

        talk_use(t, 80, (uint16_t)(40000 + i), 1000);
        s = talk_establish_passive(t);
        talk_close(t, s);
        talk_in(t, "F. 1:1(0) ack 2");
        talk_drain(t);
    }
    weir_inspect_budget(t->stack, &budget);
    assert_int_equal(budget.time_wait, 4);
    assert_int_equal(talk_dropped(t, WEIR_DROP_TIME_WAIT_LIMIT), 6);
    talk_use(t, 80, 40009, 1000);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, ". 2:2(0) ack 2");
    talk_use(t, 80, 40000, 1000);
    talk_in(t, "F. 1:1(0) ack 2");
    talk_out(t, "R 2:2(0)");
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_segment_has_its_verdict),
        cmocka_unit_test(it_lasts_twice_the_msl),
        cmocka_unit_test(its_end_frees_everything),
        cmocka_unit_test(closing_does_not_restart_the_clock),
        cmocka_unit_test(closing_with_unread_data_keeps_time_wait),
        cmocka_unit_test(a_rst_does_not_assassinate_it),
        cmocka_unit_test(strict_obeys_an_exact_rst),
        cmocka_unit_test(a_new_syn_may_reuse_it),
        cmocka_unit_test(an_old_syn_does_not_reuse_it),
        cmocka_unit_test(without_a_listener_a_syn_is_acknowledged),
        cmocka_unit_test(a_full_backlog_keeps_the_record),
        cmocka_unit_test(an_active_open_must_wait),
        cmocka_unit_test(records_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
