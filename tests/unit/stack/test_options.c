/* SPDX-License-Identifier: MIT */

/* Socket options: ranges, kinds, what accepted sockets inherit, and whose settings are whose. */

#include <stack/stack.h>
#include <string.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define S WEIR_SECOND
#define MS WEIR_MS
#define NOT_SET INT64_MIN /* for the greatest value: can only be got */

/* ---- Ranges -------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct row {
    enum weir_option option;
    int64_t at_first;      /* profile default */
    int64_t least, most;
    bool for_datagrams;
} rows[] = {
    {WEIR_SO_SNDBUF,        262144,   2048,    64 << 20,           false},
    {WEIR_SO_RCVBUF,        65535,    2048,    64 << 20,           true},
    {WEIR_SO_KEEPALIVE,     0,        0,       1,                  false},
    {WEIR_SO_LINGER,        -1,       -1,      INT32_MAX * MS,     false},
    {WEIR_TCP_NODELAY,      0,        0,       1,                  false},
    {WEIR_TCP_CORK,         0,        0,       1,                  false},
    {WEIR_TCP_MAXSEG,       65495,    88,      65495,              false},
    {WEIR_TCP_KEEPIDLE,     7200 * S, 1,       32767 * S,          false},
    {WEIR_TCP_KEEPINTVL,    75 * S,   1,       32767 * S,          false},
    {WEIR_TCP_KEEPCNT,      9,        1,       127,                false},
    {WEIR_TCP_USER_TIMEOUT, 0,        0,       WEIR_NEVER,         false},
    {WEIR_TCP_DELAYED_ACK,  40 * MS,  0,       500 * MS - 1,       false},
    {WEIR_TCP_NOTICES,      1,        0,       1,                  false},
    {WEIR_TCP_SYNCNT,       7,        1,       127,                false},
    {WEIR_TCP_LINGER2,      60 * S,   0,       WEIR_NEVER,         false},
    {WEIR_TCP_DEFER_ACCEPT, 0,        0,       65535 * S,          false},
    {WEIR_TCP_NOTSENT_LOWAT, UINT32_MAX, 1,    UINT32_MAX,         false},
    {WEIR_TCP_INQ,          0,        0,       1,                  false},
    {WEIR_SO_REUSEADDR,     0,        0,       1,                  true},
    {WEIR_SO_ERROR,         0,        0,       NOT_SET,            true},
    {WEIR_SIOCINQ,          0,        0,       NOT_SET,            true},
    {WEIR_SIOCOUTQ,         0,        0,       NOT_SET,            true},
    {WEIR_IP_RECVERR,       0,        0,       1,                  false},
    {WEIR_IP_TTL,           64,       1,       255,                true},
    {WEIR_IP_TOS,           0,        0,       255,                true},
};
/* clang-format on */

static int64_t get(struct weir_stack *stack, int s, enum weir_option option)
{
    int64_t value = INT64_MIN;

    assert_int_equal(weir_socket_get(stack, s, option, &value), 0);
    return value;
}

static void expect_set(struct weir_stack *stack, int s, const struct row *row, int64_t value)
{
    bool is_good = value >= row->least && value <= row->most;
    int64_t before = get(stack, s, row->option);
    int result = weir_socket_set(stack, s, row->option, value);

    if (result != (is_good ? 0 : WEIR_EINVAL) ||
        get(stack, s, row->option) != (is_good ? value : before))
        fail_msg("option %d to %lld: %d, and is %lld", (int)row->option, (long long)value, result,
                 (long long)get(stack, s, row->option));
}

static void ranges_are_kept_to_the_edge(void **state)
{
    struct weir_stack_config config;
    struct weir_stack *stack;
    int s;

    (void)state;
    assert_int_equal(COUNT(rows), WEIR_OPTION_COUNT);
    weir_stack_config_init(&config);
    stack = weir_stack_create(&config);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(rows[i].option, i);
        s = weir_socket_open(stack, rows[i].option == WEIR_IP_RECVERR ? WEIR_UDP : WEIR_TCP, 0);
        assert_true(get(stack, s, rows[i].option) == rows[i].at_first);
        if (rows[i].most == NOT_SET) {
            assert_int_equal(weir_socket_set(stack, s, rows[i].option, 0), WEIR_ENOPROTOOPT);
            continue;
        }
        expect_set(stack, s, &rows[i], rows[i].least);
        expect_set(stack, s, &rows[i], rows[i].least - 1);
        expect_set(stack, s, &rows[i], INT64_MIN);
        expect_set(stack, s, &rows[i], rows[i].most);
        if (rows[i].most < INT64_MAX)
            expect_set(stack, s, &rows[i], rows[i].most + 1);
        if (rows[i].most != WEIR_NEVER)
            expect_set(stack, s, &rows[i], INT64_MAX);
    }
    weir_stack_destroy(stack);
}

static void kinds_have_their_options(void **state)
{
    struct weir_stack_config config;
    struct weir_stack *stack;
    int s[2];

    (void)state;
    weir_stack_config_init(&config);
    stack = weir_stack_create(&config);
    s[0] = weir_socket_open(stack, WEIR_RAW, 99);
    s[1] = weir_socket_open(stack, WEIR_ECHO, 0);
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            bool can_be_set = rows[i].for_datagrams && rows[i].most != NOT_SET;
            int64_t value = 5;

            assert_int_equal(weir_socket_set(stack, s[k], rows[i].option, rows[i].least),
                             can_be_set ? 0 : WEIR_ENOPROTOOPT);
            assert_int_equal(weir_socket_get(stack, s[k], rows[i].option, &value),
                             rows[i].for_datagrams ? 0 : WEIR_ENOPROTOOPT);
            assert_int_equal(value, rows[i].for_datagrams ? rows[i].least : 5); /* untouched */
        }
        assert_int_equal(weir_socket_set(stack, s[k], WEIR_OPTION_COUNT, 0), WEIR_ENOPROTOOPT);
    }
    weir_stack_destroy(stack);
}

/* A blocking close waits in whole milliseconds: what is asked for is rounded up, never to 0. */
static void linger_is_rounded_up(void **state)
{
    static const int64_t asked[] = {1, MS - 1, MS, MS + 1, 5 * S};
    static const int64_t given[] = {MS, MS, MS, 2 * MS, 5 * S};
    struct talk *t = talk_create(NULL);
    int s = weir_socket_open(t->stack, WEIR_TCP, 0);

    (void)state;
    for (size_t i = 0; i < COUNT(asked); i++) {
        assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_LINGER, asked[i]), 0);
        assert_true(get(t->stack, s, WEIR_SO_LINGER) == given[i]);
    }
    talk_destroy(t);
}

/* ---- Inheritance --------------------------------------------------------------------------------- */

static int accept_from(struct talk *t, int listener, uint16_t port)
{
    talk_use(t, 80, port, 1000);
    talk_in(t, "S 0:0(0) <mss 1460>");
    talk_drain(t);
    talk_in(t, "P. 1:2(1) ack 1"); /* data: else DEFER_ACCEPT would wait */
    talk_drain(t);
    return weir_socket_accept(t->stack, listener, NULL);
}

/* clang-format off */
static const struct {
    enum weir_option option;
    int64_t value;
} inherited[] = {
    {WEIR_SO_SNDBUF, 5000},         {WEIR_SO_RCVBUF, 6000},       {WEIR_SO_KEEPALIVE, 1},
    {WEIR_SO_LINGER, 3 * S},        {WEIR_TCP_NODELAY, 1},        {WEIR_TCP_CORK, 1},
    {WEIR_TCP_MAXSEG, 700},         {WEIR_TCP_KEEPIDLE, 9 * S},   {WEIR_TCP_KEEPINTVL, 2 * S},
    {WEIR_TCP_KEEPCNT, 3},          {WEIR_TCP_USER_TIMEOUT, S},   {WEIR_TCP_DELAYED_ACK, 7 * MS},
    {WEIR_TCP_NOTICES, 0},          {WEIR_TCP_SYNCNT, 3},         {WEIR_TCP_LINGER2, 5 * S},
    {WEIR_TCP_NOTSENT_LOWAT, 9000}, {WEIR_TCP_INQ, 1},            {WEIR_SO_REUSEADDR, 1},
    {WEIR_TCP_DEFER_ACCEPT, S},     {WEIR_IP_TTL, 9},             {WEIR_IP_TOS, 16},
};
/* clang-format on */

static void accepted_sockets_inherit_everything(void **state)
{
    (void)state;
    assert_int_equal(COUNT(inherited),
                     WEIR_OPTION_COUNT - 4); /* not what can only be got, or is UDP's */
    for (size_t i = 0; i < COUNT(inherited); i++) {
        struct talk *t = talk_create(NULL);
        int listener = weir_socket_open(t->stack, WEIR_TCP, 0), s;
        struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};

        assert_int_equal(
            weir_socket_set(t->stack, listener, inherited[i].option, inherited[i].value), 0);
        weir_socket_bind(t->stack, listener, &local);
        weir_socket_listen(t->stack, listener, 4);
        s = accept_from(t, listener, 40000);
        if (get(t->stack, s, inherited[i].option) != inherited[i].value)
            fail_msg("option %d is not inherited", (int)inherited[i].option);
        talk_destroy(t);
    }
}

/* Set before connect, an option holds after it. */
static void options_outlive_connect(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(inherited); i++) {
        struct talk *t = talk_create(NULL);
        struct weir_endpoint remote = {.addr = t->peers, .port = 40000};
        int s = weir_socket_open(t->stack, WEIR_TCP, 0);

        assert_int_equal(weir_socket_set(t->stack, s, inherited[i].option, inherited[i].value), 0);
        weir_socket_connect(t->stack, s, &remote, t->now);
        talk_use(t, 0, 40000, 1000);
        talk_run(t);
        talk_drain(t);
        talk_in(t, "S. 0:0(0) ack 1 <mss 1460>");
        if (get(t->stack, s, inherited[i].option) != inherited[i].value)
            fail_msg("option %d is forgotten", (int)inherited[i].option);
        talk_destroy(t);
    }
}

/* The cork that was set before holds the bytes back; taken off, it lets them go. */
static void a_cork_set_before_works(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4), s;

    (void)state;
    weir_socket_set(t->stack, listener, WEIR_TCP_CORK, 1);
    s = accept_from(t, listener, 40000);
    weir_socket_send(t->stack, s, "corked", 6, 0);
    talk_out_none(t);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_CORK, 0), 0);
    talk_run(t);
    assert_int_equal(talk_drain(t), 1);
    talk_destroy(t);
}

static void maxseg_is_too_late_after_listen_and_connect(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4), s = talk_connect(t);

    (void)state;
    assert_int_equal(weir_socket_set(t->stack, listener, WEIR_TCP_MAXSEG, 700), WEIR_EISCONN);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_MAXSEG, 700), WEIR_EISCONN);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_TCP_MAXSEG, 7), WEIR_EINVAL);
    talk_destroy(t);
}

/* ---- Copy on write ------------------------------------------------------------------------------- */

static const struct socket *inside(const struct talk *t, int s)
{
    return socket_at(t->stack, (uint32_t)s);
}

/* Listener and children share one copy until somebody writes; a connection always reads what is its
 * socket's. */
static void settings_are_copied_when_written(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4), a, b;

    (void)state;
    a = accept_from(t, listener, 40000);
    assert_null(inside(t, a)->own); /* the stack's */
    assert_ptr_equal(inside(t, a)->conn->tcp.settings, &t->stack->config.tcp);
    weir_socket_set(t->stack, listener, WEIR_IP_TTL, 33);
    assert_int_equal(get(t->stack, a, WEIR_IP_TTL), 64);
    b = accept_from(t, listener, 40001);
    assert_ptr_equal(inside(t, b)->own, inside(t, listener)->own);
    assert_int_equal(inside(t, b)->own->references, 2);
    weir_socket_set(t->stack, b, WEIR_IP_TTL, 44);
    assert_ptr_not_equal(inside(t, b)->own, inside(t, listener)->own);
    assert_int_equal(inside(t, b)->own->references, 1);
    assert_int_equal(inside(t, listener)->own->references, 1);
    assert_ptr_equal(inside(t, b)->conn->tcp.settings, &inside(t, b)->own->tcp);
    assert_int_equal(get(t->stack, listener, WEIR_IP_TTL), 33);
    talk_close(t, listener); /* what it shared lives on without it */
    assert_int_equal(get(t->stack, b, WEIR_IP_TTL), 44);
    talk_use(t, 80, 40001, 0);
    talk_write(t, b, 10);
    talk_out(t, "P. 1:11(10) ack 2 ttl 44");
    talk_destroy(t);
}

static void a_listener_may_change_or_go_before_its_children(void **state)
{
    struct weir_event event;
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4), s;

    (void)state;
    weir_socket_set(t->stack, listener, WEIR_IP_TTL, 33);
    s = accept_from(t, listener, 40000);
    weir_socket_set(t->stack, listener, WEIR_IP_TTL, 55); /* its copy, not the child's */
    weir_socket_close(t->stack, listener);
    while (weir_stack_next_event(t->stack, &event))
        ;
    assert_int_equal(inside(t, s)->own->references, 1);
    talk_write(t, s, 10);
    talk_out(t, "P. 1:11(10) ack 2 ttl 33");
    talk_destroy(t);
}

static void no_memory_changes_nothing(void **state)
{
    struct weir_stack_config config;
    struct talk *t;
    int s;

    (void)state;
    weir_stack_config_init(&config);
    t = talk_create(&config);
    s = weir_socket_open(t->stack, WEIR_TCP, 0);
    t->stack->alloc.budget = t->stack->alloc.used;
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TTL, 33), WEIR_ENOMEM);
    assert_int_equal(get(t->stack, s, WEIR_IP_TTL), 64);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_SO_LINGER, 0), 0); /* needs none */
    t->stack->alloc.budget = config.memory_budget ? config.memory_budget : 1 << 30;
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_kept_to_the_edge),
        cmocka_unit_test(kinds_have_their_options),
        cmocka_unit_test(linger_is_rounded_up),
        cmocka_unit_test(accepted_sockets_inherit_everything),
        cmocka_unit_test(options_outlive_connect),
        cmocka_unit_test(a_cork_set_before_works),
        cmocka_unit_test(maxseg_is_too_late_after_listen_and_connect),
        cmocka_unit_test(settings_are_copied_when_written),
        cmocka_unit_test(a_listener_may_change_or_go_before_its_children),
        cmocka_unit_test(no_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
