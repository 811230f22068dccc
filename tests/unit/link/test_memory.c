/* SPDX-License-Identifier: MIT */

/* The memory hub: order, visibility at flush, tags, room, borrowed frames, and a random walk beside
 * a naive model that keeps every queue as an array of numbers. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <string.h>
#include <weir/error.h>
#include <weir/links.h>

#define MTU 1500u

/* Sends `number` in a frame of `bytes`; returns what begin said. */
static int send_number(struct weir_link *link, uint64_t tag, uint32_t number, uint32_t bytes)
{
    struct weir_frame frame;
    int error = link->ops->begin(link, bytes, 0, &frame);

    if (error != 0)
        return error;
    assert_int_equal(frame.length, bytes);
    assert_true(frame.headroom >= 64);
    assert_int_equal(frame.tag, 0);
    assert_int_equal(frame.csum, 0);
    memset(frame.data - frame.headroom, 0xaa, frame.headroom + bytes);
    memcpy(frame.data, &number, sizeof(number));
    frame.tag = tag;
    link->ops->commit(link, &frame, 0);
    return 0;
}

static uint32_t number_of(const struct weir_frame *frame)
{
    uint32_t number;

    memcpy(&number, frame->data, sizeof(number));
    return number;
}

/* Receives one frame and returns its number, or -1. */
static int64_t receive_number(struct weir_link *link)
{
    struct weir_frame frame;

    return link->ops->receive(link, &frame, 1, 0) == 1 ? (int64_t)number_of(&frame) : -1;
}

static void test_create_checks_its_arguments(void **state)
{
    static const struct {
        unsigned ports;
        uint32_t mtu, queue;
    } bad[] = {{0, MTU, 8},   {1, MTU, 8}, {257, MTU, 8},       {2, 0, 8},
               {2, 65536, 8}, {2, MTU, 0}, {2, MTU, UINT32_MAX}};

    (void)state;
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++)
        assert_null(weir_hub_create(bad[index].ports, bad[index].mtu, bad[index].queue));
    weir_hub_destroy(NULL);
}

static void test_head_of_the_link(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, MTU, 8);
    struct weir_link *link = weir_hub_port(hub, 0);
    struct weir_frame frame;

    (void)state;
    assert_int_equal(link->mtu, MTU);
    assert_int_equal(link->gso_max, 0);
    assert_int_equal(link->l2, WEIR_L2_IP);
    assert_int_equal(link->ops->fd(link), -1);
    assert_true(link->ops->deadline(link) == WEIR_NEVER);
    assert_int_equal(link->ops->begin(link, MTU + 1, 0, &frame), WEIR_EMSGSIZE);
    assert_false(link->refused);
    link->ops->destroy(link); /* the hub owns it */
    assert_int_equal(link->ops->begin(link, MTU, 0, &frame), 0);
    link->ops->abort(link, &frame);
    weir_hub_destroy(hub);
}

static void test_visible_at_flush_and_in_order(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, MTU, 8);
    struct weir_link *a = weir_hub_port(hub, 0), *b = weir_hub_port(hub, 1);
    struct weir_frame frames[8];

    (void)state;
    for (uint32_t number = 0; number < 3; number++)
        assert_int_equal(send_number(a, number == 1 ? 2 : 0, number, 100 + number), 0);
    assert_int_equal(weir_hub_pending(hub, 1), 0);
    assert_int_equal(b->ops->receive(b, frames, 8, 0), 0);
    assert_int_equal(a->ops->flush(a, 0), 0);
    assert_int_equal(weir_hub_pending(hub, 1), 3);
    assert_int_equal(b->ops->receive(b, frames, 8, 0), 3);
    for (uint32_t number = 0; number < 3; number++) {
        assert_int_equal(number_of(&frames[number]), number);
        assert_int_equal(frames[number].length, 100 + number);
        assert_int_equal(frames[number].tag, 1);
    }
    assert_int_equal(weir_hub_pending(hub, 1), 0);
    weir_hub_destroy(hub);
}

static void test_no_copy_and_headroom(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, MTU, 8);
    struct weir_link *a = weir_hub_port(hub, 0), *b = weir_hub_port(hub, 1);
    struct weir_frame lent, got;

    (void)state;
    assert_int_equal(a->ops->begin(a, 100, 0, &lent), 0);
    memset(lent.data - 14, 0x55, 114);
    lent.data -= 14; /* a header in front */
    lent.length = 50;
    lent.why = 7;
    a->ops->commit(a, &lent, 0);
    a->ops->flush(a, 0);
    assert_int_equal(b->ops->receive(b, &got, 1, 0), 1);
    assert_ptr_equal(got.data, lent.data);
    assert_int_equal(got.length, 50);
    assert_int_equal(got.headroom, lent.headroom - 14);
    assert_int_equal(got.why, 7);
    weir_hub_destroy(hub);
}

static void test_full_of_two(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, MTU, 4);
    struct weir_link *a = weir_hub_port(hub, 0), *b = weir_hub_port(hub, 1);
    struct weir_frame frames[4];

    (void)state;
    for (uint32_t number = 0; number < 4; number++) {
        assert_true(a->ops->ready(a, 0));
        assert_int_equal(send_number(a, 0, number, 40), 0);
    }
    assert_false(a->ops->ready(a, 0));
    assert_false(a->refused);
    assert_int_equal(send_number(a, 0, 9, 40), WEIR_EAGAIN);
    assert_true(a->refused);
    assert_true(b->ops->ready(b, 0)); /* the other direction is free */
    a->ops->flush(a, 0);
    assert_int_equal(b->ops->receive(b, frames, 1, 0), 1);
    assert_true(a->ops->ready(a, 0)); /* borrowed frames take no room */
    assert_int_equal(send_number(a, 0, 4, 40), 0);
    assert_false(a->ops->ready(a, 0));
    assert_int_equal(number_of(&frames[0]), 0);
    assert_int_equal(weir_hub_lost(hub), 0);
    weir_hub_destroy(hub);
}

/* What was received stays as it was until the next receive, whatever is sent meanwhile. */
static void test_borrowed_until_next_receive(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, MTU, 4);
    struct weir_link *a = weir_hub_port(hub, 0), *b = weir_hub_port(hub, 1);
    struct weir_frame frames[4];

    (void)state;
    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t number = 0; number < 4; number++)
            assert_int_equal(send_number(a, 0, round * 4 + number, MTU), 0);
        if (round > 0) {
            for (uint32_t number = 0; number < 4; number++)
                assert_int_equal(number_of(&frames[number]), (round - 1) * 4 + number);
        }
        a->ops->flush(a, 0);
        assert_int_equal(b->ops->receive(b, frames, 4, 0), 4);
    }
    weir_hub_destroy(hub);
}

static void test_tags_of_many(void **state)
{
    struct weir_hub *hub = weir_hub_create(3, MTU, 2);
    struct weir_link *ports[3];
    struct weir_frame frame;

    (void)state;
    for (unsigned index = 0; index < 3; index++)
        ports[index] = weir_hub_port(hub, index);
    send_number(ports[0], 3, 7, 40);
    send_number(ports[1], 3, 8, 40);
    send_number(ports[2], 1, 9, 40);
    send_number(ports[0], 0, 1, 40);          /* nobody on a hub of three */
    send_number(ports[0], 4, 1, 40);          /* no such port */
    send_number(ports[0], UINT64_MAX, 1, 40); /* nor this */
    send_number(ports[0], 3, 1, 40);          /* full: two are staged for it */
    assert_int_equal(weir_hub_lost(hub), 4);
    for (unsigned index = 0; index < 3; index++)
        ports[index]->ops->flush(ports[index], 0);
    assert_int_equal(ports[2]->ops->receive(ports[2], &frame, 1, 0), 1);
    assert_int_equal(number_of(&frame), 7);
    assert_int_equal(frame.tag, 1);
    assert_int_equal(ports[2]->ops->receive(ports[2], &frame, 1, 0), 1);
    assert_int_equal(number_of(&frame), 8);
    assert_int_equal(frame.tag, 2);
    assert_int_equal(receive_number(ports[0]), 9);
    assert_int_equal(receive_number(ports[1]), -1);
    assert_true(ports[0]->ops->ready(ports[0], 0));
    weir_hub_destroy(hub);
}

/* A hub of large frames moves them as they are; what has no gso_size keeps to the MTU. */
static void test_large_frames(void **state)
{
    static const struct {
        uint32_t mtu, gso_max;
    } bad[] = {{MTU, 0}, {MTU, MTU}, {MTU, MTU - 1}, {MTU, 65536}};
    struct weir_hub *hub = weir_hub_create_large(2, MTU, 65535, 4);
    struct weir_link *a = weir_hub_port(hub, 0), *b = weir_hub_port(hub, 1);
    struct weir_frame frame, got;

    (void)state;
    assert_int_equal(a->mtu, MTU);
    assert_int_equal(a->gso_max, 65535);
    assert_true(a->csum_partial);
    assert_int_equal(a->ops->begin(a, 65536, 0, &frame), WEIR_EMSGSIZE);
    assert_int_equal(a->ops->begin(a, 65535, 0, &frame), 0);
    memset(frame.data, 0x77, 65535);
    frame.gso_size = 1460;
    frame.gso_segments = 45;
    frame.csum = WEIR_CSUM_PARTIAL;
    frame.csum_start = 20;
    frame.csum_offset = 16;
    a->ops->commit(a, &frame, 0);
    a->ops->flush(a, 0);
    assert_int_equal(b->ops->receive(b, &got, 1, 0), 1);
    assert_ptr_equal(got.data, frame.data);
    assert_int_equal(got.length, 65535);
    assert_int_equal(got.gso_size, 1460);
    assert_int_equal(got.gso_segments, 45);
    assert_int_equal(got.csum, WEIR_CSUM_PARTIAL);
    assert_int_equal(got.csum_start, 20);
    assert_int_equal(got.csum_offset, 16);
    weir_hub_destroy(hub);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_null(weir_hub_create_large(2, bad[i].mtu, bad[i].gso_max, 4));
}

/* ---- Random walk beside a model --------------------------------------------------------------- */

#define PORTS_MAX 5
#define QUEUE_MAX 7
#define STEPS 40000

struct model {
    uint32_t staged[PORTS_MAX][PORTS_MAX * QUEUE_MAX], target[PORTS_MAX][PORTS_MAX * QUEUE_MAX];
    uint32_t queue[PORTS_MAX][QUEUE_MAX];
    uint32_t staged_count[PORTS_MAX], queue_count[PORTS_MAX], held[PORTS_MAX];
    uint64_t lost;
};

static void model_send(struct model *model, unsigned from, uint64_t to, uint32_t number,
                       uint32_t room)
{
    if (to >= PORTS_MAX || model->held[to] == room) {
        model->lost++;
        return;
    }
    model->staged[from][model->staged_count[from]] = number;
    model->target[from][model->staged_count[from]++] = (uint32_t)to;
    model->held[to]++;
}

static void model_flush(struct model *model, unsigned from)
{
    for (uint32_t index = 0; index < model->staged_count[from]; index++) {
        uint32_t to = model->target[from][index];

        model->queue[to][model->queue_count[to]++] = model->staged[from][index];
    }
    model->staged_count[from] = 0;
}

static void check_receive(struct model *model, struct weir_link *link, unsigned port, int max)
{
    struct weir_frame frames[QUEUE_MAX];
    int count = link->ops->receive(link, frames, max, 0);
    uint32_t queued = model->queue_count[port];

    assert_int_equal(count, queued < (uint32_t)max ? queued : (uint32_t)max);
    for (int index = 0; index < count; index++)
        assert_int_equal(number_of(&frames[index]), model->queue[port][index]);
    memmove(model->queue[port], model->queue[port] + count,
            (queued - (uint32_t)count) * sizeof(uint32_t));
    model->queue_count[port] -= (uint32_t)count;
    model->held[port] -= (uint32_t)count;
}

static void walk(uint64_t seed, unsigned ports, uint32_t room)
{
    struct weir_hub *hub = weir_hub_create(ports, MTU, room);
    struct model model = {0};
    struct random random;

    random_init_u64(&random, seed, 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        unsigned port = random_below(&random, ports);
        struct weir_link *link = weir_hub_port(hub, port);
        uint64_t to = random_below(&random, ports + 1);
        int error;

        switch (random_below(&random, 4)) {
        case 0:
            link->ops->flush(link, 0);
            model_flush(&model, port);
            break;
        case 1:
            check_receive(&model, link, port, 1 + (int)random_below(&random, QUEUE_MAX));
            break;
        default:
            error = send_number(link, ports == 2 ? 0 : to + 1, step,
                                4 + random_below(&random, MTU - 3));
            if (ports == 2 && model.held[1 - port] == room)
                assert_int_equal(error, WEIR_EAGAIN);
            else
                assert_int_equal(error, 0);
            if (error == 0)
                model_send(&model, port,
                           ports == 2   ? 1 - port
                           : to < ports ? to
                                        : PORTS_MAX,
                           step, room);
        }
        assert_int_equal(weir_hub_pending(hub, port), model.queue_count[port]);
    }
    assert_int_equal(weir_hub_lost(hub), model.lost);
    weir_hub_destroy(hub);
}

static void test_walk_beside_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        print_message("seed %llu\n", (unsigned long long)seed);
        walk(seed, 2, QUEUE_MAX);
        walk(seed, 2, 1);
        walk(seed, PORTS_MAX, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_checks_its_arguments),
        cmocka_unit_test(test_head_of_the_link),
        cmocka_unit_test(test_visible_at_flush_and_in_order),
        cmocka_unit_test(test_no_copy_and_headroom),
        cmocka_unit_test(test_full_of_two),
        cmocka_unit_test(test_borrowed_until_next_receive),
        cmocka_unit_test(test_tags_of_many),
        cmocka_unit_test(test_walk_beside_a_model),
        cmocka_unit_test(test_large_frames),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
