/* SPDX-License-Identifier: MIT */
#ifndef BASE_CHECKSUM_BODY_H
#define BASE_CHECKSUM_BODY_H

/* What the bodies of checksum_add and checksum_copy share; see checksum.c. `words` is a ones'-
 * complement sum of native 64-bit words, kept below 2^64 by adding the carry back. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <string.h>

static inline uint64_t checksum_add_word(uint64_t words, uint64_t word)
{
    words += word;
    return words + (words < word);
}

static inline uint64_t checksum_load(const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

/* Adds the last bytes, fewer than eight, as if zeros followed. */
static inline uint64_t checksum_add_rest(uint64_t words, const uint8_t *from, size_t length)
{
    uint64_t word = 0;
    size_t done = 0;

    if (length & 4) {
        memcpy(&word, from, 4);
        words = checksum_add_word(words, word);
        done = 4;
    }
    word = 0;
    if (length & 2) {
        memcpy(&word, from + done, 2);
        words = checksum_add_word(words, word);
        done += 2;
    }
    word = 0;
    if (length & 1) {
        memcpy(&word, from + done, 1);
        words = checksum_add_word(words, word);
    }
    return words;
}

/* Folds to 16 bits, brings them into network order and joins them to `sum`. */
static inline uint32_t checksum_close(uint32_t sum, uint64_t words)
{
    uint64_t folded = (words & 0xffffffffu) + (words >> 32);

    folded = (folded & 0xffffu) + (folded >> 16);
    folded = (folded & 0xffffu) + (folded >> 16);
    folded = (folded & 0xffffu) + (folded >> 16);
    return checksum_join(sum, checksum_from_native((uint16_t)folded));
}

/* The AVX2 bodies, in checksum_avx2.c, only for processors that have it. They are hidden: the
 * resolvers take their addresses before the loader has filled in those of visible symbols. */
#if defined(__ELF__)
#pragma GCC visibility push(hidden)
#endif
uint32_t checksum_add_avx2(uint32_t sum, const void *bytes, size_t length);
uint32_t checksum_copy_avx2(uint32_t sum, void *to, const void *from, size_t length);

/* The NEON bodies, in checksum_neon.c. */
#if defined(__aarch64__) && defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CHECKSUM_NEON 1
#endif
uint32_t checksum_add_neon(uint32_t sum, const void *bytes, size_t length);
uint32_t checksum_copy_neon(uint32_t sum, void *to, const void *from, size_t length);
#if defined(__ELF__)
#pragma GCC visibility pop
#endif

#endif
