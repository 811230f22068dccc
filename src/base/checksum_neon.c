/* SPDX-License-Identifier: MIT */

/* The Internet checksum with 16-byte vectors, alone and fused with a copy, for 64-bit ARM.
 *
 * NEON has an addition made for this: vpadalq_u32 adds neighbouring 32-bit lanes to the 64-bit lanes of
 * an accumulator. A vector is taken as four native 32-bit words; their sum is the ones'-complement sum
 * of 16-bit words but for folding (checksum.c), and a 64-bit lane has room for 2^31 pairs. Two
 * accumulators hide the latency of the additions.
 *
 * Every 64-bit ARM processor has NEON, so nothing is chosen at run time: checksum.c calls these bodies
 * where the compiler says so (CHECKSUM_NEON), little endian only, since a vector of bytes taken as words
 * has another order else. On other machines the file is empty.
 *
 * Limits: lengths below 2^34 bytes. The rest of fewer than 16 bytes goes word by word. Nothing is read
 * or written outside the given bytes, whatever their alignment. The sums are those of
 * checksum_add_portable, bit by bit. */

#include <base/checksum_body.h>

#ifdef CHECKSUM_NEON

#include <arm_neon.h>

static inline uint64x2_t add_vector(uint64x2_t sum, uint8x16_t vector)
{
    return vpadalq_u32(sum, vreinterpretq_u32_u8(vector));
}

/* The ones'-complement sum of both accumulators as one 64-bit word. */
static inline uint64_t reduce(uint64x2_t a, uint64x2_t b)
{
    uint64_t words = checksum_add_word(vgetq_lane_u64(a, 0), vgetq_lane_u64(a, 1));

    words = checksum_add_word(words, vgetq_lane_u64(b, 0));
    return checksum_add_word(words, vgetq_lane_u64(b, 1));
}

uint32_t checksum_add_neon(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint64x2_t a = vdupq_n_u64(0), b = a;
    uint64_t words;

    for (; length >= 64; length -= 64, from += 64) {
        a = add_vector(a, vld1q_u8(from));
        b = add_vector(b, vld1q_u8(from + 16));
        a = add_vector(a, vld1q_u8(from + 32));
        b = add_vector(b, vld1q_u8(from + 48));
    }
    for (; length >= 16; length -= 16, from += 16)
        a = add_vector(a, vld1q_u8(from));
    words = reduce(a, b);
    if (length >= 8) {
        words = checksum_add_word(words, checksum_load(from));
        from += 8;
        length -= 8;
    }
    return checksum_close(sum, checksum_add_rest(words, from, length));
}

static inline uint64x2_t copy_vector(uint64x2_t sum, uint8_t *to, const uint8_t *from)
{
    uint8x16_t vector = vld1q_u8(from);

    vst1q_u8(to, vector);
    return add_vector(sum, vector);
}

uint32_t checksum_copy_neon(uint32_t sum, void *to, const void *from, size_t length)
{
    const uint8_t *source = from;
    uint8_t *target = to;
    uint64x2_t a = vdupq_n_u64(0), b = a;
    uint64_t words;

    for (; length >= 64; length -= 64, source += 64, target += 64) {
        a = copy_vector(a, target, source);
        b = copy_vector(b, target + 16, source + 16);
        a = copy_vector(a, target + 32, source + 32);
        b = copy_vector(b, target + 48, source + 48);
    }
    for (; length >= 16; length -= 16, source += 16, target += 16)
        a = copy_vector(a, target, source);
    words = reduce(a, b);
    if (length > 0)
        memcpy(target, source, length);
    if (length >= 8) {
        words = checksum_add_word(words, checksum_load(source));
        source += 8;
        length -= 8;
    }
    return checksum_close(sum, checksum_add_rest(words, source, length));
}

#else

typedef int checksum_neon_is_empty;

#endif
