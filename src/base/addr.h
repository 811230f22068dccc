/* SPDX-License-Identifier: MIT */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

/* Addresses on the packet path: what weir_addr_from4, to4 and equal do, without a call. The bytes are
 * read and written as two words, so that a load never waits for several narrower stores. */

#include <base/bytes.h>
#include <string.h>
#include <weir/types.h>

static inline uint64_t addr_word(const struct weir_addr *addr, unsigned index)
{
    uint64_t word;

    memcpy(&word, addr->bytes + index * sizeof(word), sizeof(word));
    return word;
}

/* The v4-mapped address of `host_order`. */
static inline void addr_set4(struct weir_addr *addr, uint32_t host_order)
{
    const uint64_t words[2] = {0, swap_u64(0xffff00000000u | host_order)};

    memcpy(addr->bytes, words, sizeof(words));
    addr->scope = 0;
}

static inline uint32_t addr_get4(const struct weir_addr *addr)
{
    return get_u32(addr->bytes + 12);
}

static inline bool addr_is_equal(const struct weir_addr *a, const struct weir_addr *b)
{
    return addr_word(a, 0) == addr_word(b, 0) && addr_word(a, 1) == addr_word(b, 1) &&
           a->scope == b->scope;
}

#endif
