/* SPDX-License-Identifier: MIT */

/* Every public call on a socket of every kind and state; numbers, events, and the way sockets end. */

#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Every call in every situation -------------------------------------------------------------- */

/* clang-format off */
enum situation { NONE, GONE, FRESH, BOUND, LISTEN, SYN_SENT, ESTAB, PEER_FIN, SHUT, RESET, RAW, ECHO,
                 SITUATIONS };

static const char *const situations[SITUATIONS] = {
    "no such number", "closed", "fresh", "bound", "listening", "SYN-SENT", "established",
    "the peer has closed", "shut down", "reset", "raw", "echo"};
/* clang-format on */

static int enter_tcp(struct talk *t, enum situation situation)
{
    int s = talk_establish_passive(t);

    if (situation == PEER_FIN)
        talk_in(t, "F. 1:1(0) ack 1");
    if (situation == SHUT)
        talk_shutdown(t, s);
    if (situation == RESET)
        talk_in(t, "R 1:1(0)");
    talk_drain(t);
    return s;
}

static int enter(struct talk *t, enum situation situation)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 81};
    int s = -1;

    switch (situation) {
    case NONE:
        return 12345;
    case LISTEN:
        return talk_listen(t, 4);
    case SYN_SENT:
        return talk_connect(t);
    case RAW:
        return weir_socket_open(t->stack, WEIR_RAW, 99);
    case ECHO:
        return weir_socket_open(t->stack, WEIR_ECHO, 0);
    case GONE:
    case FRESH:
    case BOUND:
        s = weir_socket_open(t->stack, WEIR_TCP, 0);
        break;
    default:
        return enter_tcp(t, situation);
    }
    if (situation == BOUND)
        assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
    if (situation == GONE)
        assert_int_equal(weir_socket_close(t->stack, s), 0);
    return s;
}

/* clang-format off */
enum call { SET_TAG, BIND, LISTENS, ACCEPT, CONNECT, SEND, RECV, SEND_BEGIN, COMMIT_0, COMMIT_1, PEEK,
            CONSUME_0, CONSUME_1, SHUTDOWN, CLOSE, ABORT, READY, TAKE_ERROR, TAKE_NOTICE, LOCAL, REMOTE,
            SET, GET, INFO, URGENT_LEFT, SENDTO, RECVFROM, CALLS };
/* clang-format on */

static long call_naming(struct weir_stack *stack, enum call call, int s)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 99}, endpoint;
    struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002), .port = 7};

    switch (call) {
    case SET_TAG:
        return weir_socket_set_tag(stack, s, 5);
    case BIND:
        return weir_socket_bind(stack, s, &local);
    case LISTENS:
        return weir_socket_listen(stack, s, 5);
    case ACCEPT:
        return weir_socket_accept(stack, s, &endpoint);
    case CONNECT:
        return weir_socket_connect(stack, s, &remote, WEIR_SECOND);
    case SHUTDOWN:
        return weir_socket_shutdown(stack, s, WEIR_SHUT_WR);
    case CLOSE:
        return weir_socket_close(stack, s);
    case ABORT:
        return weir_socket_abort(stack, s);
    case LOCAL:
        return weir_socket_local(stack, s, &endpoint);
    default:
        return weir_socket_remote(stack, s, &endpoint);
    }
}

static long call_bytes(struct weir_stack *stack, enum call call, int s)
{
    struct weir_datagram to = {.peer = weir_addr_from4(0x0a000002), .local = weir_addr_any4()};
    struct weir_const_span read;
    struct weir_span span;
    char byte = 'x';

    switch (call) {
    case SEND:
        return weir_socket_send(stack, s, &byte, 1, 0);
    case RECV:
        return weir_socket_recv(stack, s, &byte, 1);
    case SEND_BEGIN:
        return weir_send_begin(stack, s, 1, &span);
    case COMMIT_0:
    case COMMIT_1:
        return weir_send_commit(stack, s, call == COMMIT_1, 0);
    case PEEK:
        return weir_recv_peek(stack, s, &read);
    case CONSUME_0:
    case CONSUME_1:
        return weir_recv_consume(stack, s, call == CONSUME_1);
    case SENDTO:
        return weir_socket_sendto(stack, s, &byte, 1, &to);
    default:
        return weir_socket_recvfrom(stack, s, &byte, 1, &to);
    }
}

static long call_one(struct weir_stack *stack, enum call call, int s)
{
    struct weir_tcp_info info;
    int64_t value;

    switch (call) {
    case READY:
        return weir_socket_ready(stack, s);
    case TAKE_ERROR:
        return weir_socket_take_error(stack, s);
    case TAKE_NOTICE:
        return weir_socket_take_notice(stack, s);
    case SET:
        return weir_socket_set(stack, s, WEIR_TCP_NODELAY, 1);
    case GET:
        return weir_socket_get(stack, s, WEIR_TCP_NODELAY, &value);
    case INFO:
        return weir_tcp_info_get(stack, s, WEIR_SECOND, &info);
    case URGENT_LEFT:
        return weir_socket_urgent_left(stack, s);
    case SEND:
    case RECV:
    case SEND_BEGIN:
    case COMMIT_0:
    case COMMIT_1:
    case PEEK:
    case CONSUME_0:
    case CONSUME_1:
    case SENDTO:
    case RECVFROM:
        return call_bytes(stack, call, s);
    default:
        return call_naming(stack, call, s);
    }
}

/* clang-format off */
#define BADF WEIR_EBADF
#define INV  WEIR_EINVAL
#define NCON WEIR_ENOTCONN
#define ISC  WEIR_EISCONN
#define PROT WEIR_EPROTOTYPE
#define AGN  WEIR_EAGAIN
#define RST  WEIR_ECONNRESET
#define PIPE WEIR_EPIPE
#define NOPR WEIR_ENOPROTOOPT
#define PRG  WEIR_EINPROGRESS
#define ALR  WEIR_EALREADY
#define IOH  (WEIR_IN | WEIR_OUT | WEIR_HUP)

static const int results[CALLS][SITUATIONS] = {
    /*                 none  gone  fresh bound listen synsent estab peerfin shut  reset raw   echo */
    [SET_TAG]     = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0 },
    [BIND]        = { BADF, BADF, 0,    INV,  INV,  INV,  INV,  INV,  INV,  INV,  0,    0 },
    [LISTENS]     = { BADF, BADF, 0,    0,    0,    INV,  INV,  INV,  INV,  INV,  PROT, PROT },
    [ACCEPT]      = { BADF, BADF, INV,  INV,  AGN,  INV,  INV,  INV,  INV,  INV,  INV,  INV },
    [CONNECT]     = { BADF, BADF, PRG,  PRG,  ISC,  ALR,  ISC,  ISC,  ISC,  ISC,  0,    0 },
    [SEND]        = { BADF, BADF, PIPE, PIPE, PIPE, AGN,  1,    1,    PIPE, RST,  PROT, PROT },
    [RECV]        = { BADF, BADF, NCON, NCON, NCON, AGN,  AGN,  0,    AGN,  RST,  PROT, PROT },
    [SEND_BEGIN]  = { BADF, BADF, PIPE, PIPE, PIPE, AGN,  1,    1,    PIPE, RST,  PROT, PROT },
    [COMMIT_0]    = { BADF, BADF, NCON, NCON, NCON, 0,    0,    0,    0,    0,    PROT, PROT },
    [COMMIT_1]    = { BADF, BADF, NCON, NCON, NCON, INV,  INV,  INV,  INV,  INV,  PROT, PROT },
    [PEEK]        = { BADF, BADF, NCON, NCON, NCON, AGN,  AGN,  0,    AGN,  RST,  PROT, PROT },
    [CONSUME_0]   = { BADF, BADF, NCON, NCON, NCON, 0,    0,    0,    0,    0,    PROT, PROT },
    [CONSUME_1]   = { BADF, BADF, NCON, NCON, NCON, INV,  INV,  INV,  INV,  INV,  PROT, PROT },
    [SHUTDOWN]    = { BADF, BADF, NCON, NCON, 0,    0,    0,    0,    0,    NCON, PROT, PROT },
    [CLOSE]       = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0 },
    [ABORT]       = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0 },
    [READY]       = { BADF, BADF, 0,    0,    0,    0,    WEIR_OUT, IOH, WEIR_OUT, IOH | WEIR_ERR,
                                                                              WEIR_OUT, WEIR_OUT },
    [TAKE_ERROR]  = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    RST,  PROT, PROT },
    [TAKE_NOTICE] = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    PROT, PROT },
    [LOCAL]       = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    0,    0 },
    [REMOTE]      = { BADF, BADF, NCON, NCON, NCON, 0,    0,    0,    0,    0,    NCON, NCON },
    [SET]         = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    NOPR, NOPR },
    [GET]         = { BADF, BADF, 0,    0,    0,    0,    0,    0,    0,    0,    NOPR, NOPR },
    [INFO]        = { BADF, 0,    0,    0,    0,    0,    0,    0,    0,    0,    PROT, PROT },
    [URGENT_LEFT] = { BADF, BADF, NCON, NCON, NCON, 0,    0,    0,    0,    0,    PROT, PROT },
    [SENDTO]      = { BADF, BADF, PROT, PROT, PROT, PROT, PROT, PROT, PROT, PROT, 1,    1 },
    [RECVFROM]    = { BADF, BADF, PROT, PROT, PROT, PROT, PROT, PROT, PROT, PROT, AGN,  AGN },
};
/* clang-format on */

static void every_call_in_every_situation(void **state)
{
    (void)state;
    for (int call = 0; call < CALLS; call++) {
        for (int situation = 0; situation < SITUATIONS; situation++) {
            struct talk *t = talk_create(NULL);
            int s = enter(t, (enum situation)situation);
            long result = call_one(t->stack, (enum call)call, s);

            if (result != results[call][situation])
                fail_msg("call %d, %s: %ld (%s), not %d", call, situations[situation], result,
                         weir_error_name((int)result), results[call][situation]);
            talk_run(t); /* and nothing is broken by it */
            talk_destroy(t);
        }
    }
}

static void negative_numbers_are_no_sockets(void **state)
{
    static const int numbers[] = {-1, INT32_MIN, INT32_MAX, 16};
    struct talk *t = talk_create(NULL);

    (void)state;
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), 0);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        for (int call = 0; call < CALLS; call++)
            assert_int_equal(call_one(t->stack, (enum call)call, numbers[i]), WEIR_EBADF);
    }
    talk_destroy(t);
}

/* ---- Opening and naming ------------------------------------------------------------------------- */

static void what_can_be_opened(void **state)
{
    static const struct {
        int kind, protocol, result;
    } rows[] = {
        {WEIR_TCP, 0, 0},   {WEIR_TCP, 6, INV},   {WEIR_RAW, 0, 1},
        {WEIR_RAW, 255, 2}, {WEIR_RAW, 256, INV}, {WEIR_RAW, -1, INV},
        {WEIR_RAW, 6, INV}, {WEIR_RAW, 1, INV},   {WEIR_RAW, 255, WEIR_EADDRINUSE},
        {WEIR_ECHO, 0, 3},  {WEIR_ECHO, 1, INV},  {4, 0, INV},
        {WEIR_RAW, 200, 4}, {WEIR_UDP, 0, 5},     {WEIR_UDP, 17, INV},
    };
    struct talk *t = talk_create(NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int s = weir_socket_open(t->stack, (enum weir_socket_kind)rows[i].kind, rows[i].protocol);

        if (s != rows[i].result)
            fail_msg("row %zu: %d, not %d", i, s, rows[i].result);
    }
    talk_destroy(t);
}

static void ports_clash_where_addresses_meet(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint any = {.addr = weir_addr_any4(), .port = 80};
    struct weir_endpoint own = {.addr = t->ours, .port = 80},
                         other = {.addr = t->peers, .port = 80};
    struct weir_endpoint local;
    int s[4];

    (void)state;
    for (int i = 0; i < 4; i++)
        s[i] = weir_socket_open(t->stack, WEIR_TCP, 0);
    assert_int_equal(weir_socket_bind(t->stack, s[0], &other), WEIR_EADDRNOTAVAIL);
    assert_int_equal(weir_socket_bind(t->stack, s[0], &own), 0);
    assert_int_equal(weir_socket_bind(t->stack, s[1], &own), WEIR_EADDRINUSE);
    assert_int_equal(weir_socket_bind(t->stack, s[1], &any), WEIR_EADDRINUSE);
    assert_int_equal(weir_socket_close(t->stack, s[0]), 0);
    assert_int_equal(weir_socket_bind(t->stack, s[1], &any), 0);
    assert_int_equal(weir_socket_bind(t->stack, s[2], &own), WEIR_EADDRINUSE);
    assert_int_equal(weir_socket_listen(t->stack, s[2], 1), 0); /* a port is found */
    assert_int_equal(weir_socket_local(t->stack, s[2], &local), 0);
    assert_in_range(local.port, 32768, 60999);
    assert_int_equal(weir_socket_bind(t->stack, s[3], &local), WEIR_EADDRINUSE);
    talk_destroy(t);
}

/* Who may bind to port 80 beside whom: the older one, whether each may be reused, and the answer. */
enum older { BOUND_ONLY, LISTENING, CONNECTED, IN_TIME_WAIT, OLDER };

static struct talk *older_one(enum older older, bool is_reusable)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    int s = weir_socket_open(t->stack, WEIR_TCP, 0), child;

    weir_socket_set(t->stack, s, WEIR_SO_REUSEADDR, is_reusable);
    assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
    if (older == BOUND_ONLY)
        return t;
    weir_socket_listen(t->stack, s, 4);
    if (older == LISTENING)
        return t;
    talk_use(t, 80, 40000, 1000);
    talk_in(t, "S 0:0(0)");
    talk_in(t, ". 1:1(0) ack 1");
    child = weir_socket_accept(t->stack, s, NULL);
    weir_socket_close(t->stack, s);
    if (older == IN_TIME_WAIT) {
        talk_close(t, child);
        talk_in(t, "F. 1:1(0) ack 2");
        assert_int_equal(talk_state(t, child), WEIR_STATE_TIME_WAIT);
    }
    talk_drain(t);
    return t;
}

static void ports_are_reused_if_both_agree(void **state)
{
    (void)state;
    for (int row = 0; row < OLDER * 4; row++) {
        bool old_agrees = row & 1, new_agrees = row & 2;
        enum older older = (enum older)(row / 4);
        struct talk *t = older_one(older, old_agrees);
        struct weir_endpoint local = {.addr = t->ours, .port = 80};
        int s = weir_socket_open(t->stack, WEIR_TCP, 0);
        bool is_good = old_agrees && new_agrees && older != LISTENING;

        weir_socket_set(t->stack, s, WEIR_SO_REUSEADDR, new_agrees);
        if (weir_socket_bind(t->stack, s, &local) != (is_good ? 0 : WEIR_EADDRINUSE))
            fail_msg("row %d", row);
        local.port = 81; /* is free */
        if (!is_good)
            assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
        assert_int_equal(weir_socket_listen(t->stack, s, 4), 0);
        talk_destroy(t);
    }
}

/* Two may share a port, one of them may listen; the other finds out when it tries. */
static void of_those_who_share_one_listens(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    int s[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        s[i] = weir_socket_open(t->stack, WEIR_TCP, 0);
        weir_socket_set(t->stack, s[i], WEIR_SO_REUSEADDR, 1);
        assert_int_equal(weir_socket_bind(t->stack, s[i], &local), 0);
    }
    assert_int_equal(weir_socket_listen(t->stack, s[1], 4), 0);
    assert_int_equal(weir_socket_listen(t->stack, s[0], 4), WEIR_EADDRINUSE);
    talk_use(t, 80, 40000, 1000);
    talk_in(t, "S 0:0(0)");
    talk_in(t, ". 1:1(0) ack 1");
    assert_true(weir_socket_accept(t->stack, s[1], NULL) >= 0);
    assert_int_equal(weir_socket_close(t->stack, s[1]), 0);
    assert_int_equal(weir_socket_listen(t->stack, s[0], 4), 0);
    talk_destroy(t);
}

/* ---- Numbers and events ------------------------------------------------------------------------- */

static void numbers_are_lowest_free_first(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_event event;

    (void)state;
    for (int i = 0; i < 40; i++)
        assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), i);
    weir_socket_set_tag(t->stack, 30, 77);
    weir_socket_close(t->stack, 30);
    weir_socket_close(t->stack, 3);
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), 40); /* until CLOSED is reported */
    assert_true(weir_stack_next_event(t->stack, &event));
    assert_int_equal(event.socket, 30);
    assert_int_equal(event.tag, 77);
    assert_int_equal(event.events, WEIR_CLOSED);
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), 30);
    assert_true(weir_stack_next_event(t->stack, &event));
    assert_int_equal(event.socket, 3);
    assert_false(weir_stack_next_event(t->stack, &event));
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), 3);
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), 41);
    talk_destroy(t);
}

/* What happened once is told once, however much of it there was. */
static void events_are_edges(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    assert_true(talk_events(t, s) & WEIR_OUT);
    assert_int_equal(talk_events(t, s), 0);
    talk_in(t, "P. 1:11(10) ack 1");
    talk_in(t, "P. 11:21(10) ack 1");
    assert_int_equal(talk_events(t, s), WEIR_IN);
    assert_int_equal(talk_events(t, s), 0); /* though it is not read */
    assert_true(weir_socket_ready(t->stack, s) & WEIR_IN);
    talk_in(t, "F. 21:21(0) ack 1");
    assert_int_equal(talk_events(t, s), WEIR_IN | WEIR_HUP);
    assert_int_equal(talk_read(t, s, 100), 20);
    talk_in(t, "R 22:22(0)");
    assert_true(talk_events(t, s) & WEIR_ERR);
    talk_destroy(t);
}

/* Of a closed socket DELIVERED, HUP and CLOSED are told, and nothing else; CLOSED is the last. */
static void what_a_closed_socket_still_tells(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_events(t, s);
    talk_write(t, s, 10);
    talk_close(t, s);
    assert_int_equal(talk_events(t, s), 0);
    talk_in(t, ". 1:1(0) ack 11");
    assert_int_equal(talk_events(t, s), 0);
    talk_in(t, ". 1:1(0) ack 12");
    assert_int_equal(talk_events(t, s), WEIR_DELIVERED);
    talk_in(t, "F. 1:1(0) ack 12");
    assert_int_equal(talk_events(t, s), WEIR_HUP);
    talk_advance(t, 59 * WEIR_SECOND);
    assert_int_equal(talk_events(t, s), 0);
    talk_advance(t, 2 * WEIR_SECOND);
    assert_int_equal(talk_events(t, s), WEIR_CLOSED);
    assert_int_equal(talk_events(t, s), 0);
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), s);
    talk_destroy(t);
}

/* The end does not swallow that everything was delivered. */
static void the_last_event_says_that_all_was_delivered(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_in(t, "F. 1:1(0) ack 1");
    talk_events(t, s);
    talk_close(t, s);
    talk_in(t, ". 2:2(0) ack 2");
    assert_int_equal(talk_events(t, s), WEIR_DELIVERED | WEIR_HUP | WEIR_CLOSED);
    assert_int_equal(talk_events(t, s), 0);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_in_every_situation),
        cmocka_unit_test(negative_numbers_are_no_sockets),
        cmocka_unit_test(what_can_be_opened),
        cmocka_unit_test(ports_clash_where_addresses_meet),
        cmocka_unit_test(ports_are_reused_if_both_agree),
        cmocka_unit_test(of_those_who_share_one_listens),
        cmocka_unit_test(numbers_are_lowest_free_first),
        cmocka_unit_test(events_are_edges),
        cmocka_unit_test(what_a_closed_socket_still_tells),
        cmocka_unit_test(the_last_event_says_that_all_was_delivered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
