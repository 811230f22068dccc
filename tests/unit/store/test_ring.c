/* SPDX-License-Identifier: MIT */

/* The ring against a flat array of bytes and a flag for each: reserved and written, or not. Random
 * reservations, also far beyond a gap, writes, consumption and truncation; memory is refused at
 * random. At every step all that was written is still there, and in the end no memory is held. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "failing.h"
#include <base/checksum.h>
#include <base/random.h>
#include <store/ring.h>

#define FLAT (1u << 19)

struct model {
    struct failing memory;
    struct ring_pool pool;
    struct ring ring;
    struct random random;
    uint8_t bytes[FLAT];
    uint8_t known[FLAT];
    uint8_t scratch[FLAT];
};

static struct model *model_create(uint64_t seed)
{
    struct model *m = calloc(1, sizeof *m);

    assert_non_null(m);
    failing_init(&m->memory);
    random_init_u64(&m->random, seed, 2);
    ring_pool_init(&m->pool, &m->memory.alloc);
    ring_init(&m->ring);
    return m;
}

static void model_destroy(struct model *m)
{
    ring_done(&m->ring, &m->pool);
    ring_pool_done(&m->pool);
    assert_int_equal(m->memory.alloc.used, 0);
    assert_int_equal(m->memory.live, 0);
    free(m);
}

static void check(struct model *m)
{
    uint32_t start = 0, end;

    while (start < FLAT) {
        if (!m->known[start]) {
            start++;
            continue;
        }
        for (end = start; end < FLAT && m->known[end]; end++)
            continue;
        ring_read(&m->ring, start, m->scratch, end - start);
        assert_memory_equal(m->scratch, m->bytes + start, end - start);
        start = end;
    }
    /* Besides the pool's spare chunks, the ring's memory is all there is. */
    assert_int_equal(m->memory.alloc.used,
                     ring_memory(&m->ring) + m->pool.chunks.free_count * (size_t)RING_CHUNK);
    if (m->ring.extent == 0)
        assert_true(ring_memory(&m->ring) == 0 || ring_memory(&m->ring) == RING_BLOCK_MIN);
}

static void put(struct model *m, uint32_t offset, uint32_t length)
{
    uint32_t i, sum;

    if (!ring_reserve(&m->ring, &m->pool, offset, length))
        return;
    for (i = 0; i < length; i++)
        m->bytes[offset + i] = (uint8_t)random_u32(&m->random);
    memset(m->known + offset, 1, length);
    if (random_below(&m->random, 2)) {
        ring_write(&m->ring, offset, m->bytes + offset, length);
    } else {
        sum = ring_write_summed(&m->ring, offset, m->bytes + offset, length, 77);
        assert_int_equal(checksum_fold(sum),
                         checksum_fold(checksum_add(77, m->bytes + offset, length)));
    }
}

static void consume(struct model *m, uint32_t count)
{
    ring_consume(&m->ring, &m->pool, count);
    if (count > FLAT)
        count = FLAT;
    memmove(m->bytes, m->bytes + count, FLAT - count);
    memmove(m->known, m->known + count, FLAT - count);
    memset(m->known + FLAT - count, 0, count);
}

static uint32_t length_in(struct model *m, uint32_t limit)
{
    return random_below(&m->random, random_below(&m->random, limit) + 1);
}

static void step(struct model *m, uint32_t limit)
{
    uint32_t offset = length_in(m, limit), length = length_in(m, limit / 4);

    switch (random_below(&m->random, 10)) {
    case 0:
        ring_truncate(&m->ring, &m->pool, offset);
        memset(m->known + offset, 0, FLAT - offset);
        break;
    case 1:
    case 2:
    case 3:
        consume(m, random_below(&m->random, 3) ? length : offset);
        break;
    case 4: /* memory is short for a while */
        m->memory.left = random_below(&m->random, 3);
        put(m, offset, length);
        put(m, 0, length);
        m->memory.left = -1;
        break;
    case 5:
        put(m, m->ring.extent <= limit ? m->ring.extent : 0, length);
        break;
    default:
        put(m, offset, length);
    }
}

static void agrees_with_a_flat_array(void **state)
{
    static const uint32_t limits[] = {300, 5000, 20000, 70000, 350000};
    struct model *m;
    unsigned i, n;

    (void)state;
    for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        print_message("seed %u\n", i);
        m = model_create(i);
        for (n = 0; n < 400; n++) {
            step(m, limits[i]);
            check(m);
        }
        model_destroy(m);
    }
}

static void positions_wrap(void **state)
{
    struct model *m = model_create(9);
    uint32_t i;

    (void)state;
    put(m, 0, 100000);
    assert_true(m->ring.is_chunked);
    /* As if the front had come far: the same slots, 2^18 chunks on. */
    m->ring.front = (uint32_t)0 - m->ring.size * RING_CHUNK;
    for (i = 0; i < 60; i++) {
        put(m, m->ring.extent, 33333);
        check(m);
        consume(m, 33333);
        check(m);
    }
    assert_true(m->ring.front < 60u * 33333u);
    model_destroy(m);
}

static void holes_cost_nothing(void **state)
{
    struct model *m = model_create(1);

    (void)state;
    assert_true(ring_reserve(&m->ring, &m->pool, RING_CAPACITY_MAX - 10, 10));
    assert_int_equal(ring_memory(&m->ring), 65536 * sizeof(void *) + RING_CHUNK);
    assert_true(ring_reserve(&m->ring, &m->pool, RING_CHUNK * 5, 1));
    assert_int_equal(ring_memory(&m->ring), 65536 * sizeof(void *) + 2 * RING_CHUNK);
    ring_truncate(&m->ring, &m->pool, RING_CHUNK * 5 + 1);
    assert_int_equal(m->ring.chunk_count, 1);
    ring_truncate(&m->ring, &m->pool, RING_CHUNK * 5);
    assert_int_equal(m->ring.chunk_count, 0);
    model_destroy(m);
}

static void memory_follows_the_contents(void **state)
{
    struct model *m = model_create(1);

    (void)state;
    put(m, 0, 1);
    assert_int_equal(ring_memory(&m->ring), RING_BLOCK_MIN);
    put(m, 1, 512);
    assert_int_equal(ring_memory(&m->ring), 1024);
    put(m, 0, RING_CHUNK);
    assert_int_equal(ring_memory(&m->ring), RING_CHUNK);
    put(m, 0, 4 * RING_CHUNK);
    assert_int_equal(m->ring.chunk_count, 4);
    consume(m, RING_CHUNK - 1);
    assert_int_equal(m->ring.chunk_count, 4);
    consume(m, 1);
    assert_int_equal(m->ring.chunk_count, 3);
    consume(m, 1u << 31); /* past all that was reserved */
    assert_int_equal(ring_memory(&m->ring), 0);
    put(m, 0, 100);
    consume(m, 100); /* the smallest block stays, and takes the next */
    assert_int_equal(ring_memory(&m->ring), RING_BLOCK_MIN);
    m->memory.left = 0;
    put(m, 0, RING_BLOCK_MIN);
    m->memory.left = -1;
    put(m, 0, RING_BLOCK_MIN + 1);
    consume(m, RING_BLOCK_MIN + 1); /* a larger one does not */
    assert_int_equal(ring_memory(&m->ring), 0);
    model_destroy(m);
}

static void reading_sums_over_odd_edges(void **state)
{
    struct model *m = model_create(4);
    uint32_t odd, sum, length = 3 * RING_CHUNK;

    (void)state;
    put(m, 0, 5 * RING_CHUNK);
    for (odd = 0; odd < 40; odd++) {
        sum = ring_read_summed(&m->ring, odd, m->scratch, length - odd * 3, odd);
        assert_memory_equal(m->scratch, m->bytes + odd, length - odd * 3);
        assert_int_equal(checksum_fold(sum),
                         checksum_fold(checksum_add(odd, m->bytes + odd, length - odd * 3)));
    }
    model_destroy(m);
}

/* Refuses the n-th request of one fixed history, for every n. */
static void survives_every_refusal(void **state)
{
    struct model *m;
    long n;

    (void)state;
    for (n = 0; n < 40; n++) {
        m = model_create(5);
        m->memory.left = n;
        put(m, 0, 100);
        put(m, 50, 3000);
        put(m, 5000, 20000);
        check(m);
        put(m, 200000, 60000);
        put(m, 0, 90000);
        check(m);
        consume(m, 40000);
        put(m, 300000, 1000);
        check(m);
        model_destroy(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_flat_array),
        cmocka_unit_test(positions_wrap),
        cmocka_unit_test(holes_cost_nothing),
        cmocka_unit_test(memory_follows_the_contents),
        cmocka_unit_test(reading_sums_over_odd_edges),
        cmocka_unit_test(survives_every_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
