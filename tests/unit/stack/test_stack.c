/* SPDX-License-Identifier: MIT */

/* The life of stacks: memory that fails at any request, budgets, deadlines, thousands of them. */

#include "lan.h"

#include "../store/failing.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Memory ----------------------------------------------------------------------------------- */

static void hand_over(struct weir_hub *hub, unsigned to, struct weir_stack *stack, weir_time now)
{
    struct weir_link *link = weir_hub_port(hub, to);
    struct weir_frame frames[32];
    int count = link->ops->receive(link, frames, 32, now);

    if (count > 0)
        weir_stack_input(stack, 0, frames, count, now);
}

static void exchange(struct weir_hub *hub, struct weir_stack *stacks[2], weir_time *now, int turns)
{
    for (int turn = 0; turn < turns; turn++) {
        *now += 50 * WEIR_MS;
        for (unsigned i = 0; i < 2; i++) {
            weir_stack_poll(stacks[i], *now, 0);
            hand_over(hub, !i, stacks[!i], *now);
        }
    }
}

static void drain_events(struct weir_stack *stack)
{
    struct weir_event event;

    while (weir_stack_next_event(stack, &event))
        ;
}

/* Whatever an application might do, with results ignored as only memory may be short. */
static void live(struct weir_hub *hub, struct weir_stack *stacks[2])
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002), .port = 80};
    struct weir_addr other = weir_addr_from4(0x0a000002);
    struct weir_prefix far = weir_prefix_from4(0x0b000000, 8);
    static uint8_t bytes[20000];
    struct weir_datagram to = {.peer = remote.addr, .local = weir_addr_any4()};
    weir_time now = WEIR_SECOND;
    int listener, s, accepted, echo;

    weir_stack_add_neighbour(stacks[0], 0, &other, 0);
    weir_stack_add_route(stacks[0], &far, &other);
    weir_stack_start_rip(stacks[0], NULL, &other, 1);
    listener = weir_socket_open(stacks[1], WEIR_TCP, 0);
    weir_socket_bind(stacks[1], listener, &local);
    weir_socket_set(stacks[1], listener, WEIR_TCP_NODELAY, 1);
    weir_socket_listen(stacks[1], listener, 8);
    s = weir_socket_open(stacks[0], WEIR_TCP, 0);
    weir_socket_set(stacks[0], s, WEIR_SO_SNDBUF, 65536);
    weir_socket_connect(stacks[0], s, &remote, now);
    exchange(hub, stacks, &now, 4);
    echo = weir_socket_open(stacks[0], WEIR_ECHO, 0);
    weir_socket_sendto(stacks[0], echo, bytes, 4000, &to);
    accepted = weir_socket_accept(stacks[1], listener, NULL);
    for (int turn = 0; turn < 6; turn++) {
        weir_socket_send(stacks[0], s, bytes, sizeof(bytes), 0);
        exchange(hub, stacks, &now, 4);
        weir_socket_recv(stacks[1], accepted, bytes, sizeof(bytes));
    }
    weir_socket_recvfrom(stacks[0], echo, bytes, sizeof(bytes), NULL);
    weir_socket_close(stacks[0], s);
    weir_socket_close(stacks[0], echo);
    exchange(hub, stacks, &now, 4);
    weir_socket_close(stacks[1], accepted);
    exchange(hub, stacks, &now, 4);
    for (int i = 0; i < 2; i++) {
        const char *broken = weir_inspect_check(stacks[i], now);

        if (broken)
            fail_msg("%s", broken);
        drain_events(stacks[i]);
    }
}

/* Refuses request number `nth`, and all later ones if `for_good`. */
struct refusing {
    struct failing failing;
    long nth, seen;
    bool for_good;
};

static void *refusing_acquire(void *context, size_t bytes)
{
    struct refusing *refusing = context;
    long number = refusing->seen++;

    if (refusing->nth >= 0 &&
        (number == refusing->nth || (refusing->for_good && number > refusing->nth)))
        return NULL;
    return failing_acquire(&refusing->failing, bytes);
}

static void refusing_release(void *context, void *memory, size_t bytes)
{
    struct refusing *refusing = context;

    failing_release(&refusing->failing, memory, bytes);
}

/* Two stacks share an allocator that fails. Returns how many requests were made. */
static long live_with_failure(long nth, bool for_good)
{
    struct refusing refusing = {.nth = nth, .for_good = for_good};
    struct weir_hub *hub = weir_hub_create(2, 1500, 64);
    struct weir_stack *stacks[2] = {NULL, NULL};
    struct weir_stack_config config;
    bool is_whole = true;

    failing_init(&refusing.failing);
    lan_config(&config);
    config.allocator = (struct weir_allocator){refusing_acquire, refusing_release, &refusing};
    for (uint32_t i = 0; i < 2; i++) {
        struct weir_addr addr = weir_addr_from4(0x0a000001 + i);
        struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);

        stacks[i] = weir_stack_create(&config);
        is_whole = is_whole && stacks[i] &&
                   weir_stack_add_iface(stacks[i], "if0", weir_hub_port(hub, i), &addr, &prefix,
                                        false) == 0;
    }
    if (is_whole)
        live(hub, stacks);
    for (int i = 0; i < 2; i++)
        weir_stack_destroy(stacks[i]); /* which asserts that `used` is 0 */
    weir_hub_destroy(hub);
    if (refusing.failing.live)
        fail_msg("%zu bytes leaked when request %ld failed", refusing.failing.live, nth);
    return refusing.seen;
}

static void no_failure_leaks_or_crashes(void **state)
{
    long requests = live_with_failure(-1, true);

    (void)state;
    assert_in_range(requests, 40, 4000); /* else the test has lost its point */
    for (long nth = 0; nth < requests; nth++) {
        live_with_failure(nth, false);
        live_with_failure(nth, true);
    }
}

static void a_failure_at_creation_is_told(void **state)
{
    struct failing failing;
    struct weir_stack_config config;
    struct weir_stack *stack = NULL;
    long nth;

    (void)state;
    lan_config(&config);
    failing_init(&failing);
    config.allocator.acquire = failing_acquire;
    config.allocator.release = failing_release;
    config.allocator.context = &failing;
    for (nth = 0; !stack; nth++) {
        assert_true(nth < 50);
        failing.left = nth;
        stack = weir_stack_create(&config);
        if (!stack)
            assert_int_equal(failing.live, 0);
    }
    assert_true(nth > 3);
    weir_stack_destroy(stack);
    assert_int_equal(failing.live, 0);
    weir_stack_destroy(NULL);
}

/* At the budget requests are refused; what stands goes on. */
static void the_budget_holds(void **state)
{
    static const size_t budgets[] = {40000, 60000, 100000, 200000, 400000};

    (void)state;
    for (size_t i = 0; i < COUNT(budgets); i++) {
        struct weir_stack_config config;
        struct weir_budget_row row;
        struct weir_stack *stack;
        int opened = 0, result;

        lan_config(&config);
        config.memory_budget = budgets[i];
        stack = weir_stack_create(&config);
        if (!stack)
            continue; /* too little even for that */
        while ((result = weir_socket_open(stack, WEIR_TCP, 0)) >= 0) {
            assert_int_equal(result, opened++);
            assert_true(opened < 100000);
        }
        assert_int_equal(result, WEIR_ENOMEM);
        weir_inspect_budget(stack, &row);
        assert_int_equal(row.budget, budgets[i]);
        assert_in_range(row.used, 1, budgets[i]);
        assert_int_equal(row.sockets, opened);
        assert_null(weir_inspect_check(stack, 0));
        weir_stack_destroy(stack);
    }
}

static void sockets_max_holds(void **state)
{
    struct weir_stack_config config;
    struct weir_stack *stack;
    struct weir_event event;

    (void)state;
    lan_config(&config);
    config.sockets_max = 20;
    stack = weir_stack_create(&config);
    for (int i = 0; i < 20; i++)
        assert_int_equal(weir_socket_open(stack, WEIR_TCP, 0), i);
    assert_int_equal(weir_socket_open(stack, WEIR_TCP, 0), WEIR_EMFILE);
    assert_int_equal(weir_socket_close(stack, 7), 0);
    assert_int_equal(weir_socket_open(stack, WEIR_TCP, 0), WEIR_EMFILE);
    assert_true(weir_stack_next_event(stack, &event));
    assert_int_equal(weir_socket_open(stack, WEIR_TCP, 0), 7);
    weir_stack_destroy(stack);
}

/* ---- Defaults ---------------------------------------------------------------------------------- */

static void zeroes_are_defaults(void **state)
{
    struct weir_stack_config config;
    struct weir_stack *stack;

    (void)state;
    memset(&config, 0xff, sizeof(config));
    weir_stack_config_init(&config);
    assert_true(config.icmp_errors);
    assert_false(config.forwarding || config.skip_ip_checksum || config.skip_tcp_checksum);
    assert_null(config.allocator.acquire);
    assert_int_equal(config.node_id, 0);
    stack = weir_stack_create(&config);
    assert_int_equal(stack->config.memory_budget, (size_t)1 << 30);
    assert_int_equal(stack->config.sockets_max, 1 << 20);
    assert_int_equal(stack->config.half_open_max, 4096);
    assert_int_equal(stack->config.time_wait_max, 65536);
    assert_int_equal(stack->config.reassembly_budget, 256 * 1024);
    weir_stack_destroy(stack);
}

/* ---- Deadlines --------------------------------------------------------------------------------- */

static void an_idle_stack_wants_no_call(void **state)
{
    struct lan lan;
    int sockets[2];

    (void)state;
    lan_pair(&lan, 64);
    assert_true(weir_stack_deadline(lan.stacks[0]) == WEIR_NEVER);
    assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    lan_connect(&lan, 0, 1, sockets);
    lan_advance(&lan, WEIR_SECOND); /* the delayed ACK and timers that have lost their point */
    assert_true(weir_stack_deadline(lan.stacks[0]) == WEIR_NEVER);
    assert_true(weir_stack_deadline(lan.stacks[1]) == WEIR_NEVER);
    lan_done(&lan);
}

static void work_is_due_at_once(void **state)
{
    struct weir_endpoint remote = {.addr = lan_addr(0, 1), .port = 80};
    struct weir_datagram to = {.peer = lan_addr(0, 1), .local = weir_addr_any4()};
    struct lan lan;
    int s, echo;

    (void)state;
    lan_pair(&lan, 64);
    /* Dirty: a connection has something to say. */
    s = weir_socket_open(lan.stacks[0], WEIR_TCP, 0);
    assert_int_equal(weir_socket_connect(lan.stacks[0], s, &remote, lan.now), WEIR_EINPROGRESS);
    assert_true(weir_stack_deadline(lan.stacks[0]) <= lan.now);
    assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    assert_true(weir_stack_deadline(lan.stacks[0]) == lan.now + WEIR_SECOND); /* the RTO */
    weir_socket_abort(lan.stacks[0], s);
    lan_settle(&lan);
    assert_true(weir_stack_deadline(lan.stacks[0]) == WEIR_NEVER);
    /* Staged: a frame waits for its flush. */
    echo = weir_socket_open(lan.stacks[0], WEIR_ECHO, 0);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], echo, "x", 1, &to), 1);
    assert_true(weir_stack_deadline(lan.stacks[0]) <= lan.now);
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 0);
    assert_false(weir_stack_poll(lan.stacks[0], lan.now, 0));
    assert_int_equal(weir_hub_pending(lan.hubs[0], 1), 1);
    assert_true(weir_stack_deadline(lan.stacks[0]) == WEIR_NEVER);
    lan_settle(&lan);
    /* Loopback: a packet to ourselves comes in with the next poll. */
    to.peer = lan_addr(0, 0);
    assert_int_equal(weir_socket_sendto(lan.stacks[0], echo, "x", 1, &to), 1);
    assert_true(weir_stack_deadline(lan.stacks[0]) <= lan.now);
    lan_settle(&lan);
    assert_true(weir_stack_deadline(lan.stacks[0]) == WEIR_NEVER);
    assert_int_equal(lan_budget(&lan, 0).datagrams, 2); /* both replies */
    lan_done(&lan);
}

/* ---- Many -------------------------------------------------------------------------------------- */

static void thousands_live_in_one_process(void **state)
{
    enum { STACKS = 3000 };
    static struct weir_stack *stacks[STACKS];
    struct flow_key key = {.local = lan_addr(0, 0), .remote = lan_addr(0, 1), .rport = 80};
    struct weir_stack_config config;
    uint16_t first = 0;
    int differ = 0;

    (void)state;
    lan_config(&config);
    for (int i = 0; i < STACKS; i++) {
        config.node_id = (uint64_t)i;
        stacks[i] = weir_stack_create(&config);
        assert_non_null(stacks[i]);
        assert_int_equal(weir_socket_open(stacks[i], WEIR_TCP, 0), 0);
    }
    for (int i = 0; i < STACKS; i++) { /* one seed serves them all: their secrets differ */
        uint16_t port = flow_choose_port(stacks[i], &key);

        first = i ? first : port;
        differ += port != first;
        weir_stack_destroy(stacks[i]);
    }
    assert_true(differ > STACKS * 9 / 10);
}

static void equal_seeds_are_equal_stacks(void **state)
{
    struct flow_key key = {.local = lan_addr(0, 0), .remote = lan_addr(0, 1), .rport = 80};
    struct weir_stack_config config;
    struct weir_stack *a, *b;

    (void)state;
    lan_config(&config);
    a = weir_stack_create(&config);
    b = weir_stack_create(&config);
    for (int i = 0; i < 100; i++)
        assert_int_equal(flow_choose_port(a, &key), flow_choose_port(b, &key));
    assert_int_equal(flow_isn(a, &key), flow_isn(b, &key));
    assert_int_equal(flow_hash(a, &key), flow_hash(b, &key));
    weir_stack_destroy(a);
    weir_stack_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failure_leaks_or_crashes),
        cmocka_unit_test(a_failure_at_creation_is_told),
        cmocka_unit_test(the_budget_holds),
        cmocka_unit_test(sockets_max_holds),
        cmocka_unit_test(zeroes_are_defaults),
        cmocka_unit_test(an_idle_stack_wants_no_call),
        cmocka_unit_test(work_is_due_at_once),
        cmocka_unit_test(thousands_live_in_one_process),
        cmocka_unit_test(equal_seeds_are_equal_stacks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
