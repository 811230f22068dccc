/* SPDX-License-Identifier: MIT */

/* Interest sets. By hand: level, edge, one-shot, several sets, closing, turns, room. Then against a
 * naive model: connections of a stack with itself are written to, read, shut and closed at random,
 * and every set must report what the model, which looks at every member and at the stack's events,
 * thinks ready. And the cost: ten thousand members, one of them ready. */

#include <base/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talk/talk.h>
#include <weir/interest.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One report and no more: of this socket, with this tag and these events. 0: none. */
static void expect_report(struct weir_interest *set, int socket, uint64_t tag, uint32_t events)
{
    struct weir_event reports[4] = {0};

    assert_int_equal(weir_interest_take(set, reports, 4), events ? 1 : 0);
    if (!events)
        return;
    assert_int_equal(reports[0].socket, socket);
    assert_int_equal(reports[0].tag, tag);
    assert_int_equal(reports[0].events, events);
}

/* ---- By hand ------------------------------------------------------------------------------------- */

static void arguments(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int s = talk_establish_passive(t);
    struct weir_event report;

    (void)state;
    assert_non_null(set);
    assert_int_equal(weir_interest_take(set, &report, 1), 0);
    assert_false(weir_interest_is_pending(set));
    assert_int_equal(weir_interest_set(set, 999, WEIR_IN, 0, 0), WEIR_EBADF);
    assert_int_equal(weir_interest_set(set, -1, WEIR_IN, 0, 0), WEIR_EBADF);
    assert_int_equal(weir_interest_set(set, s, 1u << 9, 0, 0), WEIR_EINVAL);
    assert_int_equal(weir_interest_set(set, s, WEIR_IN, 4, 0), WEIR_EINVAL);
    assert_false(weir_interest_has(set, s));
    assert_int_equal(weir_interest_remove(set, s), WEIR_ENOENT);
    assert_int_equal(weir_interest_remove(set, 999), WEIR_EBADF);
    assert_int_equal(weir_interest_set(set, s, WEIR_OUT, 0, 7), 0);
    assert_true(weir_interest_has(set, s));
    assert_true(weir_interest_is_pending(set));
    assert_int_equal(weir_interest_take(set, &report, 0), 0);
    expect_report(set, s, 7, WEIR_OUT);
    assert_int_equal(weir_interest_remove(set, s), 0);
    assert_false(weir_interest_has(set, s));
    expect_report(set, s, 7, 0);
    weir_interest_destroy(set);
    weir_interest_destroy(NULL);
    talk_destroy(t);
}

static void level_lasts(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int s = talk_establish_passive(t);

    (void)state;
    assert_int_equal(weir_interest_set(set, s, WEIR_IN, 0, 1), 0);
    expect_report(set, s, 1, 0);
    talk_in(t, "P. 1:101(100) ack 1");
    expect_report(set, s, 1, WEIR_IN);
    assert_int_equal(talk_read(t, s, 60), 60);
    expect_report(set, s, 1, WEIR_IN);
    assert_int_equal(talk_read(t, s, 60), 40);
    expect_report(set, s, 1, 0);
    assert_false(weir_interest_is_pending(set));
    talk_in(t, "F. 101:101(0) ack 1");
    expect_report(set, s, 1, WEIR_IN | WEIR_HUP);
    expect_report(set, s, 1, WEIR_IN | WEIR_HUP);
    assert_int_equal(weir_interest_set(set, s, 0, 0, 2), 0); /* HUP is always reported */
    expect_report(set, s, 2, WEIR_HUP);
    talk_in(t, "R 102:102(0)");
    expect_report(set, s, 2, WEIR_HUP | WEIR_ERR);
    weir_interest_destroy(set);
    talk_destroy(t);
}

/* As with Linux's epoll, new data on a socket that is readable already is an edge; data that was
 * read before anybody looked is none. */
static void edges(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(weir_interest_set(set, s, WEIR_IN, WEIR_EDGE, 1), 0);
    expect_report(set, s, 1, WEIR_IN); /* added ready */
    expect_report(set, s, 1, 0);
    talk_in(t, "P. 101:201(100) ack 1");
    expect_report(set, s, 1, WEIR_IN);
    expect_report(set, s, 1, 0);
    talk_in(t, ". 201:201(0) ack 1"); /* nothing new */
    expect_report(set, s, 1, 0);
    talk_in(t, "P. 301:401(100) ack 1"); /* behind a gap */
    expect_report(set, s, 1, 0);
    talk_in(t, "P. 201:301(100) ack 1");
    expect_report(set, s, 1, WEIR_IN);
    talk_in(t, "P. 401:501(100) ack 1");
    assert_int_equal(talk_read(t, s, 1000), 500);
    expect_report(set, s, 1, 0);
    assert_int_equal(weir_interest_set(set, s, WEIR_IN | WEIR_OUT, WEIR_EDGE, 2), 0);
    expect_report(set, s, 2, WEIR_OUT); /* set again: told again */
    expect_report(set, s, 2, 0);
    talk_in(t, "P. 501:601(100) ack 1");
    expect_report(set, s, 2, WEIR_IN | WEIR_OUT);
    talk_in(t, "F. 601:601(0) ack 1");
    expect_report(set, s, 2, WEIR_IN | WEIR_OUT | WEIR_HUP);
    expect_report(set, s, 2, 0);
    weir_interest_destroy(set);
    talk_destroy(t);
}

static void one_shot(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int s = talk_establish_passive(t);

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1");
    for (int flags = WEIR_ONESHOT; flags <= (int)(WEIR_ONESHOT | WEIR_EDGE); flags++) {
        assert_int_equal(weir_interest_set(set, s, WEIR_IN, flags, 5), 0);
        expect_report(set, s, 5, WEIR_IN);
        expect_report(set, s, 5, 0);
        talk_in(t, flags & WEIR_EDGE ? "P. 201:301(100) ack 1" : "P. 101:201(100) ack 1");
        expect_report(set, s, 5, 0); /* asleep */
        assert_true(weir_interest_has(set, s));
        assert_int_equal(weir_interest_set(set, s, WEIR_IN, flags, 6), 0);
        expect_report(set, s, 6, WEIR_IN);
        expect_report(set, s, 6, 0);
    }
    weir_interest_destroy(set);
    talk_destroy(t);
}

/* Fills the send buffer to the last byte, without asking for more than fits. */
static void fill(struct talk *t, int s)
{
    struct weir_span span;
    long lent;

    while (weir_socket_ready(t->stack, s) & WEIR_OUT) {
        lent = weir_send_begin(t->stack, s, 1 << 20, &span);
        assert_true(lent > 0);
        memset(span.data, 'x', (size_t)lent);
        assert_int_equal(weir_send_commit(t->stack, s, (size_t)lent, 0), 0);
    }
}

static void acknowledge(struct talk *t, uint32_t upto)
{
    char text[64];

    snprintf(text, sizeof(text), ". 1:1(0) ack %u", upto);
    talk_in(t, text);
    talk_drain(t);
}

/* Nobody has heard EAGAIN: the buffer was filled to the last byte. Who asks a set for room waits for
 * it nevertheless, with either trigger. */
static void room_is_announced(void **state)
{
    (void)state;
    for (int flags = 0; flags <= WEIR_EDGE; flags++) {
        struct weir_stack_config config;
        struct talk *t;
        struct weir_interest *set;
        int s;

        weir_stack_config_init(&config);
        config.tcp.send_buffer = 8000;
        t = talk_create(&config);
        set = weir_interest_create(t->stack);
        s = talk_establish_passive(t);
        assert_int_equal(weir_interest_set(set, s, WEIR_OUT, flags, 1), 0);
        expect_report(set, s, 1, WEIR_OUT);
        fill(t, s);
        talk_drain(t);
        if (flags & WEIR_EDGE) /* as on Linux, an edge needs somebody who was refused */
            assert_int_equal(weir_socket_send(t->stack, s, "x", 1, 0), WEIR_EAGAIN);
        expect_report(set, s, 1, 0);
        expect_report(set, s, 1, 0);
        acknowledge(t, 7301);
        expect_report(set, s, 1, WEIR_OUT);
        expect_report(set, s, 1, flags & WEIR_EDGE ? 0 : WEIR_OUT);
        weir_interest_destroy(set);
        talk_destroy(t);
    }
}

/* Neither half blocks after shutdown, and no packet says so. */
static void shutdown_is_told(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int s = talk_establish_passive(t);

    (void)state;
    assert_int_equal(weir_interest_set(set, s, WEIR_IN | WEIR_DELIVERED, 0, 1), 0);
    expect_report(set, s, 1, 0);
    assert_int_equal(weir_socket_shutdown(t->stack, s, WEIR_SHUT_RD), 0);
    expect_report(set, s, 1, WEIR_IN);
    assert_int_equal(weir_interest_set(set, s, WEIR_DELIVERED, 0, 1), 0);
    assert_int_equal(talk_shutdown(t, s), 0);
    expect_report(set, s, 1, 0);
    talk_in(t, ". 1:1(0) ack 2");
    expect_report(set, s, 1, WEIR_DELIVERED); /* not a level: told once */
    expect_report(set, s, 1, 0);
    weir_interest_destroy(set);
    talk_destroy(t);
}

static void several_sets(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    struct weir_interest *sets[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        sets[i] = weir_interest_create(t->stack);
        assert_int_equal(weir_interest_set(sets[i], s, WEIR_IN, i & 1 ? WEIR_EDGE : 0, i), 0);
    }
    talk_in(t, "P. 1:101(100) ack 1");
    for (unsigned i = 0; i < 4; i++)
        expect_report(sets[i], s, i, WEIR_IN);
    for (unsigned i = 0; i < 4; i++)
        expect_report(sets[i], s, i, i & 1 ? 0 : WEIR_IN);
    weir_interest_destroy(sets[0]);
    talk_in(t, "P. 101:201(100) ack 1");
    for (unsigned i = 1; i < 4; i++)
        expect_report(sets[i], s, i, WEIR_IN);
    assert_int_equal(talk_close(t, s), 0); /* leaves them all */
    for (unsigned i = 1; i < 4; i++) {
        assert_false(weir_interest_has(sets[i], s));
        assert_false(weir_interest_is_pending(sets[i]));
        assert_int_equal(weir_interest_set(sets[i], s, WEIR_IN, 0, 0), WEIR_EBADF);
        weir_interest_destroy(sets[i]);
    }
    talk_destroy(t);
}

/* A number that is given out again is not a member of the old socket's sets. */
static void numbers_come_back(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int s = weir_socket_open(t->stack, WEIR_TCP, 0);

    (void)state;
    assert_int_equal(weir_interest_set(set, s, WEIR_IN, 0, 0), 0);
    assert_int_equal(weir_socket_close(t->stack, s), 0);
    talk_run(t);
    assert_int_equal(weir_socket_open(t->stack, WEIR_TCP, 0), s);
    assert_false(weir_interest_has(set, s));
    weir_interest_destroy(set);
    talk_destroy(t);
}

static void listeners_and_datagrams(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_interest *set = weir_interest_create(t->stack);
    int listener = talk_listen(t, 4), raw = weir_socket_open(t->stack, WEIR_RAW, 99);

    (void)state;
    assert_int_equal(weir_interest_set(set, listener, WEIR_ACCEPT, WEIR_EDGE, 1), 0);
    assert_int_equal(weir_interest_set(set, raw, WEIR_OUT, WEIR_EDGE, 2), 0);
    expect_report(set, raw, 2, WEIR_OUT);
    talk_in(t, "S 0:0(0) win 1000");
    talk_drain(t);
    expect_report(set, listener, 1, 0);
    talk_in(t, ". 1:1(0) ack 1 win 1000");
    expect_report(set, listener, 1, WEIR_ACCEPT);
    expect_report(set, listener, 1, 0);
    weir_interest_destroy(set);
    talk_destroy(t);
}

/* ---- A stack that talks to itself ----------------------------------------------------------------- */

#define SELF 0x0a000001u

struct self {
    struct weir_stack *stack;
    struct weir_hub *hub;
    weir_time now;
    int listener;
    uint32_t *happened; /* events of each socket since they were looked at */
    int happened_count;
};

static void self_run(struct self *self)
{
    struct weir_event event;
    int polls = 0;

    while (weir_stack_poll(self->stack, self->now, 0))
        assert_true(++polls < 100000);
    while (weir_stack_next_event(self->stack, &event))
        if (event.socket < self->happened_count)
            self->happened[event.socket] |= event.events;
}

static void self_init(struct self *self, uint32_t buffer, int sockets)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 80};
    struct weir_prefix lan = weir_prefix_from4(SELF, 24);
    struct weir_addr own = weir_addr_from4(SELF);
    struct weir_stack_config config;

    weir_stack_config_init(&config);
    config.tcp.send_buffer = config.tcp.receive_buffer = buffer;
    self->now = WEIR_SECOND;
    self->stack = weir_stack_create(&config);
    self->hub = weir_hub_create(2, 1500, 16);
    self->happened = calloc((size_t)sockets, sizeof(*self->happened));
    self->happened_count = sockets;
    assert_int_equal(
        weir_stack_add_iface(self->stack, "if0", weir_hub_port(self->hub, 0), &own, &lan, false),
        0);
    self->listener = weir_socket_open(self->stack, WEIR_TCP, 0);
    assert_int_equal(weir_socket_bind(self->stack, self->listener, &local), 0);
    assert_int_equal(weir_socket_listen(self->stack, self->listener, 64), 0);
}

static void self_done(struct self *self)
{
    weir_stack_destroy(self->stack);
    weir_hub_destroy(self->hub);
    free(self->happened);
}

static void self_connect(struct self *self, int pair[2])
{
    struct weir_endpoint remote = {.addr = weir_addr_from4(SELF), .port = 80};

    pair[0] = weir_socket_open(self->stack, WEIR_TCP, 0);
    assert_true(pair[0] >= 0);
    assert_int_equal(weir_socket_connect(self->stack, pair[0], &remote, self->now),
                     WEIR_EINPROGRESS);
    self_run(self);
    pair[1] = weir_socket_accept(self->stack, self->listener, NULL);
    assert_true(pair[1] >= 0);
    self_run(self);
}

/* ---- Turns and costs ------------------------------------------------------------------------------- */

/* With room for 3 reports and 16 that are always ready, each has its turn within 6 calls. */
static void everybody_has_a_turn(void **state)
{
    struct weir_interest *set;
    uint32_t seen = 0;
    struct self self;

    (void)state;
    self_init(&self, 16000, 64);
    set = weir_interest_create(self.stack);
    for (unsigned i = 0; i < 8; i++) {
        int pair[2];

        self_connect(&self, pair);
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(weir_interest_set(set, pair[k], WEIR_OUT, 0, 2 * i + k), 0);
    }
    for (int call = 0; call < 6; call++) {
        struct weir_event reports[3];

        assert_int_equal(weir_interest_take(set, reports, 3), 3);
        for (int i = 0; i < 3; i++)
            seen |= 1u << reports[i].tag;
    }
    assert_int_equal(seen, 0xffff);
    weir_interest_destroy(set);
    self_done(&self);
}

#define MANY 10000

struct counted {
    uint64_t used, refuse_after;
};

static void *counted_acquire(void *context, size_t bytes)
{
    struct counted *counted = context;

    return counted->used++ < counted->refuse_after ? malloc(bytes) : NULL;
}

static void counted_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

/* Ten thousand members, one ready: only the one is looked at. What is counted is not time: the list
 * of candidates is empty again as soon as the one has been taken. */
static void many_members(void **state)
{
    struct weir_interest *set;
    struct self self;
    int pair[2];

    (void)state;
    self_init(&self, 16000, MANY + 64);
    set = weir_interest_create(self.stack);
    self_connect(&self, pair);
    for (int i = 0; i < MANY; i++) {
        int s = weir_socket_open(self.stack, WEIR_TCP, 0);

        assert_int_equal(weir_interest_set(set, s, WEIR_IN, i % 3 ? 0 : WEIR_EDGE, 0), 0);
    }
    assert_int_equal(weir_interest_set(set, pair[1], WEIR_IN, 0, 9), 0);
    assert_int_equal(weir_socket_set(self.stack, pair[0], WEIR_TCP_NODELAY, 1), 0);
    assert_false(weir_interest_is_pending(set));
    for (int round = 0; round < 1000; round++) {
        char byte = 'x';

        assert_int_equal(weir_socket_send(self.stack, pair[0], &byte, 1, 0), 1);
        self_run(&self);
        expect_report(set, pair[1], 9, WEIR_IN);
        assert_int_equal(weir_socket_recv(self.stack, pair[1], &byte, 1), 1);
        expect_report(set, pair[1], 9, 0);
        assert_false(weir_interest_is_pending(set));
    }
    weir_interest_destroy(set);
    self_done(&self);
}

/* Sets that are left, with members, go with the stack; its budget must come out even. */
static void left_with_the_stack(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            weir_interest_set(weir_interest_create(t->stack), s, WEIR_IN | WEIR_OUT, 0, 0), 0);
    talk_destroy(t);
}

static void no_memory(void **state)
{
    struct counted counted = {.refuse_after = UINT64_MAX};
    struct weir_stack_config config;
    struct weir_interest *set;
    struct weir_stack *stack;
    int s;

    (void)state;
    weir_stack_config_init(&config);
    config.allocator = (struct weir_allocator){counted_acquire, counted_release, &counted};
    stack = weir_stack_create(&config);
    s = weir_socket_open(stack, WEIR_TCP, 0);
    set = weir_interest_create(stack);
    counted.refuse_after = counted.used;
    assert_int_equal(weir_interest_set(set, s, WEIR_IN, 0, 0), WEIR_ENOMEM);
    assert_false(weir_interest_has(set, s));
    assert_null(weir_interest_create(stack));
    weir_interest_destroy(set);
    weir_stack_destroy(stack);
}

/* ---- The model ---------------------------------------------------------------------------------------- */

#define SETS 3
#define PAIRS 5
#define SOCKETS (2 * PAIRS)
#define STEPS 4000
#define BUFFER 6000u
#define QUARTER (BUFFER / 4)
#define ALWAYS ((uint32_t)(WEIR_HUP | WEIR_ERR | WEIR_CLOSED))

enum fresh { NO, MAYBE, YES };

struct model_member {
    bool is_in, is_deaf;
    enum fresh fresh; /* edge: something has happened since it was reported */
    uint32_t events, once;
    int flags;
};

struct model {
    struct self self;
    struct random random;
    struct weir_interest *sets[SETS];
    int sockets[SOCKETS]; /* -1: closed */
    struct model_member members[SETS][SOCKETS];
};

static void model_happened(struct model *m, int index, uint32_t events)
{
    for (int set = 0; set < SETS; set++) {
        struct model_member *member = &m->members[set][index];

        if (!member->is_in || member->is_deaf || !(events & (member->events | ALWAYS)))
            continue;
        member->fresh = YES;
        member->once |= events & member->events & (uint32_t)WEIR_DELIVERED;
    }
}

static void model_run(struct model *m)
{
    self_run(&m->self);
    for (int i = 0; i < SOCKETS; i++) {
        if (m->sockets[i] >= 0 && m->self.happened[m->sockets[i]])
            model_happened(m, i, m->self.happened[m->sockets[i]]);
    }
    memset(m->self.happened, 0, (size_t)m->self.happened_count * sizeof(*m->self.happened));
}

static void model_connect(struct model *m, int pair)
{
    /* Only when both ends are gone; their numbers may come back. */
    if (m->sockets[2 * pair] < 0 && m->sockets[2 * pair + 1] < 0)
        self_connect(&m->self, &m->sockets[2 * pair]);
    memset(m->self.happened, 0, (size_t)m->self.happened_count * sizeof(*m->self.happened));
}

static uint32_t model_ready(const struct model *m, int set, int index)
{
    const struct model_member *member = &m->members[set][index];
    int ready;

    if (!member->is_in || member->is_deaf || m->sockets[index] < 0)
        return 0;
    ready = weir_socket_ready(m->self.stack, m->sockets[index]);
    assert_true(ready >= 0);
    return ((uint32_t)ready & (member->events | ALWAYS)) | member->once;
}

/* Room is announced by the quarter of the buffer: below, a member may be told of it or not. */
static bool is_little_room(const struct model *m, int index, uint32_t ready)
{
    struct weir_tcp_info info;

    return ready == WEIR_OUT &&
           weir_tcp_info_get(m->self.stack, m->sockets[index], m->self.now, &info) == 0 &&
           info.send_queued > BUFFER - QUARTER - 1;
}

static bool must_report(const struct model *m, int set, int index)
{
    const struct model_member *member = &m->members[set][index];
    uint32_t ready = model_ready(m, set, index);

    if (!ready || is_little_room(m, index, ready))
        return false;
    return !(member->flags & WEIR_EDGE) || member->fresh == YES;
}

static bool may_report(const struct model *m, int set, int index)
{
    const struct model_member *member = &m->members[set][index];

    return model_ready(m, set, index) && (!(member->flags & WEIR_EDGE) || member->fresh != NO);
}

static void model_reported(struct model_member *member)
{
    member->fresh = NO;
    member->once = 0;
    member->is_deaf = (member->flags & WEIR_ONESHOT) != 0;
}

/* Edges of members that were looked at and not ready are gone. */
static void model_forget(struct model *m, int set, bool saw_all)
{
    for (int i = 0; i < SOCKETS; i++) {
        struct model_member *member = &m->members[set][i];

        if (member->fresh != NO && !model_ready(m, set, i))
            member->fresh = saw_all ? NO : MAYBE;
    }
}

static void model_take(struct model *m, int set)
{
    int max = random_chance(&m->random, 0.5) ? 2 * SOCKETS : 1 + (int)random_below(&m->random, 3);
    struct weir_event reports[2 * SOCKETS];
    bool is_reported[SOCKETS] = {false};
    int count, least = 0;

    for (int i = 0; i < SOCKETS; i++)
        least += must_report(m, set, i);
    count = weir_interest_take(m->sets[set], reports, max);
    assert_true(count <= max && count >= (least < max ? least : max));
    for (int k = 0; k < count; k++) {
        int index = (int)reports[k].tag;

        assert_in_range(index, 0, SOCKETS - 1);
        assert_int_equal(reports[k].socket, m->sockets[index]);
        assert_false(is_reported[index]);
        assert_true(may_report(m, set, index));
        assert_int_equal(reports[k].events, model_ready(m, set, index));
        is_reported[index] = true;
    }
    for (int i = 0; i < SOCKETS; i++) {
        if (count < max && must_report(m, set, i))
            assert_true(is_reported[i]);
        if (is_reported[i])
            model_reported(&m->members[set][i]);
    }
    model_forget(m, set, count < max);
}

static void model_set(struct model *m, int set, int index)
{
    static const uint32_t events[] = {WEIR_IN, WEIR_OUT, WEIR_IN | WEIR_OUT, 0,
                                      WEIR_IN | WEIR_DELIVERED};
    struct model_member *member = &m->members[set][index];
    uint32_t once = member->is_in ? member->once : 0;

    *member = (struct model_member){
        .is_in = true,
        .fresh = YES,
        .events = events[random_below(&m->random, COUNT(events))],
        .flags = (int)random_below(&m->random, 4),
    };
    member->once = once & member->events;
    assert_int_equal(weir_interest_set(m->sets[set], m->sockets[index], member->events,
                                       member->flags, (uint64_t)index),
                     0);
    if (!model_ready(m, set, index))
        member->fresh = NO;
}

static void model_membership(struct model *m, int set, int index)
{
    struct model_member *member = &m->members[set][index];

    assert_int_equal(weir_interest_has(m->sets[set], m->sockets[index]), member->is_in);
    if (random_chance(&m->random, 0.6)) {
        model_set(m, set, index);
    } else {
        assert_int_equal(weir_interest_remove(m->sets[set], m->sockets[index]),
                         member->is_in ? 0 : WEIR_ENOENT);
        member->is_in = false;
    }
}

static void model_bytes(struct model *m, int index)
{
    uint8_t bytes[8000] = {0};
    size_t length = 1 + random_below(&m->random, sizeof(bytes));

    if (random_chance(&m->random, 0.5))
        weir_socket_send(m->self.stack, m->sockets[index], bytes, length, 0);
    else
        weir_socket_recv(m->self.stack, m->sockets[index], bytes, length);
}

static void model_end(struct model *m, int index)
{
    int how = (int)random_below(&m->random, 5);

    if (how < 3) {
        if (weir_socket_shutdown(m->self.stack, m->sockets[index], (enum weir_shutdown_how)how) ==
            0)
            model_happened(m, index, WEIR_IN | WEIR_OUT);
        return;
    }
    assert_int_equal(how == 3 ? weir_socket_close(m->self.stack, m->sockets[index])
                              : weir_socket_abort(m->self.stack, m->sockets[index]),
                     0);
    m->self.happened[m->sockets[index]] = 0;
    m->sockets[index] = -1;
    for (int set = 0; set < SETS; set++)
        m->members[set][index].is_in = false;
}

static void model_step(struct model *m)
{
    int set = (int)random_below(&m->random, SETS);
    int index = (int)random_below(&m->random, SOCKETS);
    uint32_t what = random_below(&m->random, 100);

    if (what < 30) {
        model_take(m, set);
    } else if (m->sockets[index] < 0) {
        model_connect(m, index / 2);
    } else if (what < 45) {
        model_membership(m, set, index);
    } else if (what < 95) {
        model_bytes(m, index);
    } else {
        model_end(m, index);
    }
    m->self.now += (weir_time)random_below(&m->random, 300) * WEIR_MS;
    model_run(m);
}

static void against_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct model m = {0};

        print_message("seed %llu\n", (unsigned long long)seed);
        random_init_u64(&m.random, seed, 7);
        self_init(&m.self, BUFFER, 4096);
        for (int i = 0; i < SETS; i++)
            m.sets[i] = weir_interest_create(m.self.stack);
        memset(m.sockets, 0xff, sizeof(m.sockets));
        for (int step = 0; step < STEPS; step++)
            model_step(&m);
        for (int i = 0; i < SETS; i++)
            weir_interest_destroy(m.sets[i]);
        self_done(&m.self);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments),
        cmocka_unit_test(level_lasts),
        cmocka_unit_test(edges),
        cmocka_unit_test(one_shot),
        cmocka_unit_test(room_is_announced),
        cmocka_unit_test(shutdown_is_told),
        cmocka_unit_test(several_sets),
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(listeners_and_datagrams),
        cmocka_unit_test(everybody_has_a_turn),
        cmocka_unit_test(many_members),
        cmocka_unit_test(left_with_the_stack),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(against_the_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
