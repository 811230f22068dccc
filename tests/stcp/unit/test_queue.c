/* SPDX-License-Identifier: MIT */

/* Queues of bytes against a naive model: one array of bytes and one of pieces' lengths. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <stcp/mysock_impl.h>

#define STEPS 20000
#define PIECES 64

struct model {
    unsigned char bytes[PIECES * 64];
    size_t lengths[PIECES];
    size_t size, pieces;
};

static void model_drop(struct model *model, size_t length)
{
    memmove(model->bytes, model->bytes + length, model->size - length);
    model->size -= length;
    model->lengths[0] -= length;
}

static void model_drop_piece(struct model *model)
{
    model_drop(model, model->lengths[0]);
    model->pieces--;
    memmove(model->lengths, model->lengths + 1, model->pieces * sizeof(*model->lengths));
}

static void add(struct queue *queue, struct model *model, unsigned *seed)
{
    unsigned char data[64];
    size_t length = (size_t)rand_r(seed) % 64, i;

    if (model->pieces == PIECES)
        return;
    for (i = 0; i < length; i++)
        data[i] = (unsigned char)rand_r(seed);
    assert_true(queue_add(queue, data, length));
    memcpy(model->bytes + model->size, data, length);
    model->size += length;
    model->lengths[model->pieces++] = length;
}

static void take(struct queue *queue, struct model *model, size_t max)
{
    unsigned char data[64];
    size_t expected = model->pieces == 0 ? 0 : model->lengths[0] < max ? model->lengths[0] : max;

    assert_int_equal(queue_take(queue, data, max), expected);
    assert_memory_equal(data, model->bytes, expected);
    if (model->pieces == 0)
        return;
    model_drop(model, expected);
    if (model->lengths[0] == 0)
        model_drop_piece(model);
}

static void take_piece(struct queue *queue, struct model *model, size_t max)
{
    unsigned char data[65];
    size_t length = model->pieces ? model->lengths[0] : 0, copied = length < max ? length : max;

    memset(data, 0xa5, sizeof(data));
    assert_int_equal(queue_take_piece(queue, data, max), length);
    assert_memory_equal(data, model->bytes, copied);
    assert_int_equal(data[copied], 0xa5);
    if (model->pieces)
        model_drop_piece(model);
}

static void same_as_a_model(void **state)
{
    struct queue queue = {0};
    struct model *model = calloc(1, sizeof(*model));
    unsigned seed = 20260101;
    int i;

    (void)state;
    print_message("seed %u\n", seed);
    for (i = 0; i < STEPS; i++) {
        int what = rand_r(&seed) % 5;

        if (what < 2)
            add(&queue, model, &seed);
        else if (what < 4)
            take(&queue, model, (size_t)rand_r(&seed) % 65);
        else
            take_piece(&queue, model, (size_t)rand_r(&seed) % 65);
        assert_int_equal(queue.bytes, model->size);
        assert_int_equal(queue.pieces, model->pieces);
    }
    queue_clear(&queue);
    assert_int_equal(queue.bytes, 0);
    assert_int_equal(queue.pieces, 0);
    assert_null(queue.head);
    assert_null(queue.tail);
    free(model);
}

/* An empty piece is a piece: an application may write nothing, and its transport is told. */
static void an_empty_piece_counts(void **state)
{
    struct queue queue = {0};
    char byte;

    (void)state;
    assert_true(queue_add(&queue, NULL, 0));
    assert_int_equal(queue.pieces, 1);
    assert_int_equal(queue_take(&queue, &byte, 1), 0);
    assert_int_equal(queue.pieces, 0);
    assert_int_equal(queue_take(&queue, &byte, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_a_model),
        cmocka_unit_test(an_empty_piece_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
