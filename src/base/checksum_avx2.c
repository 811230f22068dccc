/* SPDX-License-Identifier: MIT */

/* The Internet checksum with 32-byte vectors, alone and fused with a copy.
 *
 * AVX2 has no add with carry, so carries are kept by making room instead: a vector is taken as four
 * 64-bit lanes, each high * 2^32 + low. Two accumulators are enough: `all` adds the lanes as they
 * are (it may wrap), `high` adds the lanes shifted right by 32. Then the sum of the low halves is
 * all - high * 2^32 modulo 2^64, and it is exact, since fewer than 2^32 halves below 2^32 stay
 * below 2^64. So one vector costs one load, one shift and two additions (and one store for the
 * copy). Two pairs of accumulators hide the latency of the additions.
 *
 * Limits: lengths below 2^36 bytes. The rest of fewer than 32 bytes goes word by word. Nothing is
 * read or written outside the given bytes, whatever their alignment.
 *
 * The functions carry the target attribute, so that this file needs no compiler flag of its own,
 * and are only reached after the processor was asked (checksum.c). On other machines the file is
 * empty. The sums are those of checksum_add_portable, bit by bit. */

#include <base/checksum_body.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

struct vector_sum {
    __m256i all, high;
};

AVX2 static inline __m256i load(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

AVX2 static inline void store(uint8_t *to, __m256i vector)
{
    _mm256_storeu_si256((__m256i *)(void *)to, vector);
}

AVX2 static inline struct vector_sum add_vector(struct vector_sum sum, __m256i vector)
{
    sum.all = _mm256_add_epi64(sum.all, vector);
    sum.high = _mm256_add_epi64(sum.high, _mm256_srli_epi64(vector, 32));
    return sum;
}

/* The ones'-complement sum of both accumulators as one 64-bit word. */
AVX2 static inline uint64_t reduce(struct vector_sum a, struct vector_sum b)
{
    __m256i high = _mm256_add_epi64(a.high, b.high);
    __m256i all = _mm256_add_epi64(a.all, b.all);
    __m256i low = _mm256_sub_epi64(all, _mm256_slli_epi64(high, 32));
    __m256i both = _mm256_add_epi64(low, high);
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));

    return (uint64_t)_mm_cvtsi128_si64(half) +
           (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(half, half));
}

AVX2 static inline struct vector_sum nothing(void)
{
    return (struct vector_sum){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

AVX2 uint32_t checksum_add_avx2(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    struct vector_sum a = nothing(), b = nothing();
    uint64_t words;

    for (; length >= 128; length -= 128, from += 128) {
        a = add_vector(a, load(from));
        b = add_vector(b, load(from + 32));
        a = add_vector(a, load(from + 64));
        b = add_vector(b, load(from + 96));
    }
    for (; length >= 32; length -= 32, from += 32)
        a = add_vector(a, load(from));
    words = reduce(a, b);
    for (; length >= 8; length -= 8, from += 8)
        words = checksum_add_word(words, checksum_load(from));
    return checksum_close(sum, checksum_add_rest(words, from, length));
}

AVX2 static inline struct vector_sum copy_vector(struct vector_sum sum, uint8_t *to,
                                                 const uint8_t *from)
{
    __m256i vector = load(from);

    store(to, vector);
    return add_vector(sum, vector);
}

/* Fewer than 32 bytes. */
static inline uint32_t copy_rest(uint32_t sum, uint64_t words, uint8_t *to, const uint8_t *from,
                                 size_t length)
{
    uint64_t word;

    if (!length)
        return checksum_close(sum, words);
    for (; length >= 8; length -= 8, from += 8, to += 8) {
        word = checksum_load(from);
        memcpy(to, &word, sizeof word);
        words = checksum_add_word(words, word);
    }
    if (length & 4)
        memcpy(to, from, 4);
    if (length & 2)
        memcpy(to + (length & 4), from + (length & 4), 2);
    if (length & 1)
        to[length & 6] = from[length & 6];
    return checksum_close(sum, checksum_add_rest(words, from, length));
}

AVX2 uint32_t checksum_copy_avx2(uint32_t sum, void *to, const void *from, size_t length)
{
    const uint8_t *source = from;
    uint8_t *target = to;
    struct vector_sum a = nothing(), b = nothing();

    for (; length >= 128; length -= 128, source += 128, target += 128) {
        a = copy_vector(a, target, source);
        b = copy_vector(b, target + 32, source + 32);
        a = copy_vector(a, target + 64, source + 64);
        b = copy_vector(b, target + 96, source + 96);
    }
    for (; length >= 32; length -= 32, source += 32, target += 32)
        a = copy_vector(a, target, source);
    return copy_rest(sum, reduce(a, b), target, source, length);
}

#else

typedef int checksum_avx2_is_empty;

#endif
