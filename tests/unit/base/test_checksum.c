/* SPDX-License-Identifier: MIT */

/* All bodies of the checksum against a loop over bytes: every length up to some vectors, every
 * alignment, bytes that carry much. Results must be equal bit by bit, not only congruent. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/checksum_body.h>
#include <base/random.h>

#define LENGTH_MAX 700u
#define GUARD 0xc3

typedef uint32_t add_function(uint32_t, const void *, size_t);
typedef uint32_t copy_function(uint32_t, void *, const void *, size_t);

/* RFC 1071 1, word by word; folded. */
static uint16_t naive(uint32_t sum, const uint8_t *bytes, size_t length)
{
    uint64_t total = sum;
    size_t i;

    for (i = 0; i < length; i++)
        total += (uint64_t)bytes[i] << (i & 1 ? 0 : 8);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

static void fill(struct random *random, unsigned kind, uint8_t *bytes, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        bytes[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)random_u32(random);
}

static bool has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

static void check_add(add_function *add, const uint8_t *bytes, size_t length, uint32_t sum)
{
    uint32_t got = add(sum, bytes, length);

    assert_int_equal(checksum_fold(got), naive(sum, bytes, length));
    assert_int_equal(got, checksum_add_portable(sum, bytes, length));
}

static void check_copy(copy_function *copy, const uint8_t *bytes, size_t length, uint32_t sum)
{
    uint8_t target[LENGTH_MAX + 80];
    size_t shift = length % 33, i;

    memset(target, GUARD, sizeof target);
    assert_int_equal(copy(sum, target + shift, bytes, length),
                     checksum_add_portable(sum, bytes, length));
    assert_memory_equal(target + shift, bytes, length);
    for (i = 0; i < shift; i++)
        assert_int_equal(target[i], GUARD);
    for (i = shift + length; i < sizeof target; i++)
        assert_int_equal(target[i], GUARD);
}

static void every_body_is_the_naive_sum(void **state)
{
    static uint8_t bytes[LENGTH_MAX + 64];
    static const uint32_t sums[] = {0, 1, 0xffff, 0xffffffff, 0xfffe0001, 0x12345678};
    struct random random;
    size_t length;
    unsigned kind, shift;
    uint32_t sum;

    (void)state;
    random_init_u64(&random, 1, 1);
    for (length = 0; length < LENGTH_MAX; length++) {
        for (kind = 0; kind < 3; kind++) {
            fill(&random, kind, bytes, sizeof bytes);
            shift = random_below(&random, 64);
            sum = sums[random_below(&random, 6)];
            check_add(checksum_add_portable, bytes + shift, length, sum);
            check_add(checksum_add, bytes + shift, length, sum);
            check_copy(checksum_copy_portable, bytes + shift, length, sum);
            check_copy(checksum_copy, bytes + shift, length, sum);
#if defined(__x86_64__)
            if (has_avx2()) {
                check_add(checksum_add_avx2, bytes + shift, length, sum);
                check_copy(checksum_copy_avx2, bytes + shift, length, sum);
            }
#endif
        }
    }
    (void)has_avx2();
}

static void long_areas_do_not_overflow(void **state)
{
    static uint8_t bytes[1 << 20];

    (void)state;
    memset(bytes, 0xff, sizeof bytes);
    bytes[sizeof bytes - 1] = 0xfe;
    assert_int_equal(checksum_fold(checksum_add(0, bytes, sizeof bytes)),
                     naive(0, bytes, sizeof bytes));
    check_add(checksum_add, bytes, sizeof bytes, 0xffffffff);
}

static void pieces_join(void **state)
{
    uint8_t bytes[300];
    struct random random;
    size_t cut;
    uint32_t first, second;

    (void)state;
    random_init_u64(&random, 2, 2);
    fill(&random, 2, bytes, sizeof bytes);
    for (cut = 0; cut <= sizeof bytes; cut++) {
        first = checksum_add(0, bytes, cut);
        second = checksum_add(0, bytes + cut, sizeof bytes - cut);
        if (cut & 1)
            second = checksum_shift(second);
        assert_int_equal(checksum_fold(checksum_join(first, second)),
                         naive(0, bytes, sizeof bytes));
    }
}

static void known_sums(void **state)
{
    /* The example of RFC 1071 3, and a header whose checksum is in its place. */
    static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                     0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

    (void)state;
    assert_int_equal(checksum_fold(checksum_add(0, example, sizeof example)), 0xddf2);
    assert_int_equal(checksum_finish(checksum_add(0, header, sizeof header)), 0);
}

static void updates_are_what_a_new_sum_gives(void **state)
{
    uint8_t bytes[20];
    struct random random;
    uint16_t before, after, checksum;
    unsigned n;

    (void)state;
    random_init_u64(&random, 3, 3);
    for (n = 0; n < 2000; n++) {
        fill(&random, 2, bytes, sizeof bytes);
        checksum = checksum_finish(checksum_add(0, bytes, sizeof bytes));
        before = get_u16(bytes + 8);
        after = n % 3 ? (uint16_t)random_u32(&random) : (uint16_t)(before - 0x100);
        put_u16(bytes + 8, after);
        assert_int_equal(checksum_update(checksum, before, after),
                         checksum_finish(checksum_add(0, bytes, sizeof bytes)));
    }
}

static void words_are_added_like_bytes(void **state)
{
    static const uint32_t values[] = {0, 1, 0xffff, 0x10000, 0xffffffff, 0xfffe0001, 0x8000ffff};
    uint8_t bytes[4];
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (k = 0; k < sizeof values / sizeof values[0]; k++) {
            put_u32(bytes, values[k]);
            assert_int_equal(checksum_fold(checksum_add_u32(values[i], values[k])),
                             naive(values[i], bytes, 4));
            assert_int_equal(checksum_fold(checksum_add_u16(values[i], (uint16_t)values[k])),
                             naive(values[i], bytes + 2, 2));
        }
    }
}

/* The short way for headers against the sum of any bytes, all lengths of a header. */
static void headers_are_added_like_bytes(void **state)
{
    uint8_t bytes[60 + 3];
    struct random random;
    unsigned round, kind;
    size_t length;

    (void)state;
    random_init_u64(&random, 3, 3);
    for (round = 0; round < 200; round++) {
        for (length = 0; length <= 60; length += 4) {
            const uint8_t *from = bytes + random_below(&random, 4);
            uint32_t sum = random_u32(&random);

            for (kind = 0; kind < 3; kind++) {
                fill(&random, kind, bytes, sizeof bytes);
                assert_int_equal(checksum_fold(checksum_add_header(sum, from, length)),
                                 naive(sum, from, length));
            }
        }
    }
}

static void long_words_are_added_like_bytes(void **state)
{
    static const uint64_t values[] = {
        0, 1, 0xffff, 0xffffffff, 0x10000ull << 32, UINT64_MAX, 0xfffffffeffffffffull};
    uint8_t bytes[8];
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (k = 0; k < sizeof values / sizeof values[0]; k++) {
            put_u32(bytes, (uint32_t)(values[k] >> 32));
            put_u32(bytes + 4, (uint32_t)values[k]);
            assert_int_equal(checksum_fold(checksum_join_u64((uint32_t)values[i], values[k])),
                             naive((uint32_t)values[i], bytes, 8));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_is_the_naive_sum),
        cmocka_unit_test(long_areas_do_not_overflow),
        cmocka_unit_test(pieces_join),
        cmocka_unit_test(known_sums),
        cmocka_unit_test(updates_are_what_a_new_sum_gives),
        cmocka_unit_test(words_are_added_like_bytes),
        cmocka_unit_test(headers_are_added_like_bytes),
        cmocka_unit_test(long_words_are_added_like_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
