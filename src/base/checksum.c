/* SPDX-License-Identifier: MIT */

/* The Internet checksum (RFC 1071), the portable body and the choice of the body.
 *
 * The ones'-complement sum of 16-bit words does not care about word size: a sum of wider words,
 * with every carry out of the top added back at the bottom, folds to the same 16 bits, because
 * 2^16, 2^32 and 2^64 are all 1 modulo 65535. Nor does it care about byte order: a sum of native
 * words, swapped once at the end, is the sum of swapped words (RFC 1071 2(B)). So the loops below
 * load native 64-bit words, and only checksum_close knows about network order.
 *
 * A sum of bytes that are not all zero is never 0 but may be 0xffff, and every body gives the very
 * same 32 bits for the same input: a run does not depend on the processor.
 *
 * On x86-64 with the GNU loader, checksum_add and checksum_copy are indirect functions: the loader
 * calls the resolvers once, before main, and binds the name to the AVX2 body if the processor has
 * it. Resolvers run before the loader is done, so they must not be instrumented and may only name
 * static or hidden functions. On 64-bit ARM, which always has NEON, the names call that body, and
 * elsewhere the portable one.
 *
 * Cost for 1460 bytes: about 20 ns with AVX2, with or without the copy; portable about 50 ns. */

#include <base/checksum_body.h>
#include <stdlib.h>

static uint32_t add_portable(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    uint64_t even = 0, odd = 0;

    for (; length >= 16; length -= 16, from += 16) {
        even = checksum_add_word(even, checksum_load(from));
        odd = checksum_add_word(odd, checksum_load(from + 8));
    }
    if (length >= 8) {
        even = checksum_add_word(even, checksum_load(from));
        from += 8;
        length -= 8;
    }
    even = checksum_add_word(even, odd);
    return checksum_close(sum, checksum_add_rest(even, from, length));
}

static uint32_t copy_portable(uint32_t sum, void *to, const void *from, size_t length)
{
    const uint8_t *source = from;
    uint8_t *target = to;
    uint64_t even = 0, odd = 0, words[2];

    for (; length >= 16; length -= 16, source += 16, target += 16) {
        memcpy(words, source, sizeof words);
        memcpy(target, words, sizeof words);
        even = checksum_add_word(even, words[0]);
        odd = checksum_add_word(odd, words[1]);
    }
    if (length > 0)
        memcpy(target, source, length);
    if (length >= 8) {
        even = checksum_add_word(even, checksum_load(source));
        source += 8;
        length -= 8;
    }
    even = checksum_add_word(even, odd);
    return checksum_close(sum, checksum_add_rest(even, source, length));
}

uint32_t checksum_add_portable(uint32_t sum, const void *bytes, size_t length)
{
    return add_portable(sum, bytes, length);
}

uint32_t checksum_copy_portable(uint32_t sum, void *to, const void *from, size_t length)
{
    return copy_portable(sum, to, from, length);
}

#if defined(__x86_64__) && defined(__ELF__) && defined(__GLIBC__)

#ifdef __clang__
#define RESOLVER __attribute__((used, no_sanitize("address", "undefined", "thread", "coverage")))
#else
#define RESOLVER                                                                              \
    __attribute__((used, no_sanitize("address", "undefined", "thread"), no_sanitize_coverage, \
                   no_profile_instrument_function))
#endif

typedef uint32_t add_function(uint32_t, const void *, size_t);
typedef uint32_t copy_function(uint32_t, void *, const void *, size_t);

RESOLVER static add_function *choose_add(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? checksum_add_avx2 : add_portable;
}

RESOLVER static copy_function *choose_copy(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") ? checksum_copy_avx2 : copy_portable;
}

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length)
    __attribute__((ifunc("choose_add")));
uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length)
    __attribute__((ifunc("choose_copy")));

#elif defined(CHECKSUM_NEON)

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length)
{
    return checksum_add_neon(sum, bytes, length);
}

uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length)
{
    return checksum_copy_neon(sum, to, from, length);
}

#else

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t length)
{
    return add_portable(sum, bytes, length);
}

uint32_t checksum_copy(uint32_t sum, void *to, const void *from, size_t length)
{
    return copy_portable(sum, to, from, length);
}

#endif
