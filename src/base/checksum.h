/* SPDX-License-Identifier: MIT */
#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

/* The Internet checksum (RFC 1071). A running sum is a uint32_t that holds any value congruent to
 * the ones'-complement sum of 16-bit big-endian words; fold it at the end. A sum over several pieces
 * is right if every piece but the last has even length; checksum_shift mends the others. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Adds `length` bytes (an odd last byte counts as the high half of a word). `sum` may be the result
 * of an earlier call. Never overflows: the result is partly folded. */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length);

/* Copies and adds in one pass; same result as memcpy then checksum_add(sum, from, length). The areas
 * must not overlap. */
uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length);

/* The portable twins of the two above, which choose a faster body when the program is loaded. */
uint32_t checksum_add_portable(uint32_t sum, const void *bytes, size_t length);
uint32_t checksum_copy_portable(uint32_t sum, void *to, const void *from, size_t length);

/* Adds one 16-bit word / one 32-bit value, in host order. */
static inline uint32_t checksum_add_u16(uint32_t sum, uint16_t word)
{
    uint64_t wide = (uint64_t)sum + word;

    return (uint32_t)(wide & 0xffffffffu) + (uint32_t)(wide >> 32);
}

static inline uint32_t checksum_add_u32(uint32_t sum, uint32_t value)
{
    return checksum_add_u16(checksum_add_u16(sum, (uint16_t)(value >> 16)), (uint16_t)value);
}

/* A folded sum of native words, in network order (RFC 1071 2(B)). */
static inline uint16_t checksum_from_native(uint16_t folded)
{
    uint8_t bytes[2];

    memcpy(bytes, &folded, sizeof(bytes));
    return (uint16_t)((bytes[0] << 8) | bytes[1]);
}

/* Joins the sums of two pieces that both begin at even offsets. */
static inline uint32_t checksum_join(uint32_t a, uint32_t b)
{
    uint64_t wide = (uint64_t)a + b;

    return (uint32_t)(wide & 0xffffffffu) + (uint32_t)(wide >> 32);
}

/* Joins a sum of 32-bit values, in host order: each is the sum of its two words, since 2^16 is 1 modulo
 * 65535. */
static inline uint32_t checksum_join_u64(uint32_t sum, uint64_t values)
{
    return checksum_join(sum, checksum_join((uint32_t)values, (uint32_t)(values >> 32)));
}

/* The folded 16-bit sum, uncomplemented. */
static inline uint16_t checksum_fold(uint32_t sum)
{
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

/* The sum of a piece that begins at an odd offset of the whole, made from its sum as if at an even
 * one (RFC 1071 2(B)). */
static inline uint32_t checksum_shift(uint32_t sum)
{
    uint16_t folded = checksum_fold(sum);

    return (uint16_t)((folded << 8) | (folded >> 8));
}

/* checksum_add for a header: `length` is a multiple of 4, at most 60. So few bytes are not worth a call
 * and vectors. The result is congruent to that of checksum_add. */
static inline uint32_t checksum_add_header(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint64_t words = 0;
    size_t at;

    for (at = 0; at < length; at += 4) {
        uint32_t word;

        memcpy(&word, from + at, sizeof(word));
        words += word; /* in native order, as in checksum.c */
    }
    words = (words & 0xffffffffu) + (words >> 32);
    words = (words & 0xffffu) + (words >> 16);
    words = (words & 0xffffu) + (words >> 16);
    words = (words & 0xffffu) + (words >> 16);
    return checksum_join(sum, checksum_from_native((uint16_t)words));
}

/* What goes into the checksum field. */
static inline uint16_t checksum_finish(uint32_t sum)
{
    return (uint16_t)~checksum_fold(sum);
}

/* RFC 1624 eqn 3: the checksum field after a 16-bit word of the data changed from `before` to
 * `after`. */
static inline uint16_t checksum_update(uint16_t checksum, uint16_t before, uint16_t after)
{
    uint32_t sum = (uint16_t)~checksum + (uint32_t)(uint16_t)~before + after;

    return checksum_finish(sum);
}

#endif
