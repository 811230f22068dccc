/* SPDX-License-Identifier: MIT */

/* Queues of datagrams against an array that holds the same, and at their limits. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <dgram/dgram.h>
#include <string.h>

#define BUDGET ((size_t)8 << 20)

static uint8_t byte_of(uint32_t id, size_t at)
{
    return (uint8_t)(id * 31u + at * 7u + (at >> 8));
}

static enum weir_drop push(struct dgram_queue *queue, struct alloc *alloc, uint32_t id,
                           size_t length)
{
    static uint8_t data[DGRAM_QUEUE_BYTES + 16];
    struct weir_datagram info = {.peer = weir_addr_from4(id), .ttl = (uint8_t)id, .tos = 3};

    for (size_t i = 0; i < length; i++)
        data[i] = byte_of(id, i);
    return dgram_push(queue, alloc, &info, data, length);
}

/* Takes the oldest with room for `room` bytes, and compares. */
static void pop_and_compare(struct dgram_queue *queue, struct alloc *alloc, uint32_t id,
                            size_t length, size_t room)
{
    static uint8_t data[DGRAM_QUEUE_BYTES];
    struct weir_const_span first;
    struct weir_datagram info;
    size_t got = length < room ? length : room;

    memset(data, 0xee, sizeof(data));
    assert_true(dgram_first(queue, &first, &info));
    assert_int_equal(weir_addr_to4(&info.peer), id);
    assert_int_equal(first.length, length);
    for (size_t i = 0; i < length; i += 997)
        assert_int_equal(first.data[i], byte_of(id, i));
    assert_int_equal(dgram_pop(queue, alloc, data, room, &info), (long)length);
    assert_int_equal(weir_addr_to4(&info.peer), id);
    assert_int_equal(info.ttl, (uint8_t)id);
    assert_int_equal(info.tos, 3);
    for (size_t i = 0; i < got; i++)
        assert_int_equal(data[i], byte_of(id, i));
    if (got < sizeof(data))
        assert_int_equal(data[got], 0xee);
}

static void test_empty(void **state)
{
    struct alloc alloc;
    struct dgram_queue queue;
    uint8_t byte;

    (void)state;
    alloc_init(&alloc, BUDGET);
    dgram_init(&queue);
    assert_int_equal(dgram_pop(&queue, &alloc, &byte, 1, NULL), WEIR_EAGAIN);
    assert_int_equal(queue.count, 0);
    dgram_done(&queue, &alloc);
    assert_int_equal(alloc.used, 0);
}

/* Length of the datagram, room of the reader. */
static void test_cut(void **state)
{
    static const struct {
        size_t length, room;
    } rows[] = {{0, 0}, {0, 10}, {1, 0}, {1, 1}, {100, 99}, {100, 100}, {100, 101}, {65515, 3}};
    struct alloc alloc;
    struct dgram_queue queue;

    (void)state;
    alloc_init(&alloc, BUDGET);
    dgram_init(&queue);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(push(&queue, &alloc, i + 1, rows[i].length), WEIR_DROP_NONE);
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        pop_and_compare(&queue, &alloc, i + 1, rows[i].length, rows[i].room);
    assert_int_equal(queue.count, 0);
    assert_int_equal(queue.bytes, 0);
    assert_int_equal(alloc.used, 0);
}

static void test_info_may_be_null(void **state)
{
    struct alloc alloc;
    struct dgram_queue queue;
    uint8_t byte = 0;

    (void)state;
    alloc_init(&alloc, BUDGET);
    dgram_init(&queue);
    push(&queue, &alloc, 5, 1);
    assert_int_equal(dgram_pop(&queue, &alloc, &byte, 1, NULL), 1);
    assert_int_equal(byte, byte_of(5, 0));
    dgram_done(&queue, &alloc);
}

/* A flood of any size ends at the queue's limit, and what was queued before is kept. */
static void test_full(void **state)
{
    static const size_t lengths[] = {0, 1, 100, 1400, 65515};
    struct alloc alloc;
    struct dgram_queue queue;

    (void)state;
    alloc_init(&alloc, BUDGET);
    for (size_t row = 0; row < sizeof(lengths) / sizeof(lengths[0]); row++) {
        uint32_t count = 0;

        dgram_init(&queue);
        while (push(&queue, &alloc, count + 1, lengths[row]) == WEIR_DROP_NONE)
            count++;
        assert_int_equal(push(&queue, &alloc, 0, lengths[row]), WEIR_DROP_DGRAM_FULL);
        assert_int_equal(queue.count, count);
        assert_true(queue.bytes <= DGRAM_QUEUE_BYTES);
        assert_true(queue.bytes + 2 * (lengths[row] + 256) > DGRAM_QUEUE_BYTES);
        assert_true(alloc.used >= queue.bytes);
        pop_and_compare(&queue, &alloc, 1, lengths[row], lengths[row]);
        assert_int_equal(push(&queue, &alloc, count + 1, lengths[row]), WEIR_DROP_NONE);
        dgram_done(&queue, &alloc);
        assert_int_equal(alloc.used, 0);
    }
}

/* A lower limit keeps what is there and takes nothing until there is room below it. */
static void test_limit(void **state)
{
    struct alloc alloc;
    struct dgram_queue queue;
    uint32_t count = 0;

    (void)state;
    alloc_init(&alloc, BUDGET);
    dgram_init(&queue);
    queue.limit = 8192;
    while (push(&queue, &alloc, count + 1, 1000) == WEIR_DROP_NONE)
        count++;
    assert_in_range(count, 6, 8);
    queue.limit = 2048;
    assert_int_equal(push(&queue, &alloc, 9, 0), WEIR_DROP_DGRAM_FULL);
    for (uint32_t id = 1; id <= count; id++)
        pop_and_compare(&queue, &alloc, id, 1000, 1000);
    assert_int_equal(push(&queue, &alloc, 9, 2049), WEIR_DROP_DGRAM_FULL);
    assert_int_equal(push(&queue, &alloc, 9, 1800), WEIR_DROP_NONE);
    dgram_done(&queue, &alloc);
}

static void test_too_long(void **state)
{
    struct alloc alloc;
    struct dgram_queue queue;

    (void)state;
    alloc_init(&alloc, BUDGET);
    dgram_init(&queue);
    assert_int_equal(push(&queue, &alloc, 1, DGRAM_QUEUE_BYTES), WEIR_DROP_DGRAM_FULL);
    assert_int_equal(push(&queue, &alloc, 1, DGRAM_QUEUE_BYTES + 1), WEIR_DROP_DGRAM_FULL);
    assert_int_equal(dgram_push(&queue, &alloc, &(struct weir_datagram){0}, "", SIZE_MAX),
                     WEIR_DROP_DGRAM_FULL);
    assert_int_equal(queue.count, 0);
}

static void test_no_memory(void **state)
{
    struct alloc alloc;
    struct dgram_queue queue;

    (void)state;
    alloc_init(&alloc, 2000);
    dgram_init(&queue);
    assert_int_equal(push(&queue, &alloc, 1, 1000), WEIR_DROP_NONE);
    assert_int_equal(push(&queue, &alloc, 2, 1000), WEIR_DROP_NO_MEMORY);
    assert_int_equal(queue.count, 1);
    pop_and_compare(&queue, &alloc, 1, 1000, 1000);
    assert_int_equal(push(&queue, &alloc, 3, 1000), WEIR_DROP_NONE);
    dgram_done(&queue, &alloc);
    assert_int_equal(alloc.used, 0);
}

/* Random pushes and pops against an array of (id, length). */
static void test_model(void **state)
{
    const uint64_t seed = 20;
    struct {
        uint32_t id;
        size_t length;
    } model[4096];
    uint32_t first = 0, count = 0, id = 0;
    struct alloc alloc;
    struct dgram_queue queue;
    struct random random;

    (void)state;
    alloc_init(&alloc, BUDGET);
    dgram_init(&queue);
    random_init_u64(&random, seed, 0);
    for (int step = 0; step < 20000; step++) {
        size_t length = random_below(&random, 2000);

        if (random_chance(&random, 0.52)) {
            if (push(&queue, &alloc, ++id, length) == WEIR_DROP_NONE) {
                model[(first + count) % 4096].id = id;
                model[(first + count++) % 4096].length = length;
            }
        } else if (count > 0) {
            pop_and_compare(&queue, &alloc, model[first].id, model[first].length, length);
            first = (first + 1) % 4096;
            count--;
        }
        assert_int_equal(queue.count, count);
    }
    dgram_done(&queue, &alloc);
    assert_int_equal(alloc.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_info_may_be_null),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_model),    cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
