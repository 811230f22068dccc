/* SPDX-License-Identifier: MIT */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

/* Sequence numbers: 32 bits, compared modulo 2^32 (RFC 9293 3.4 [U-3]). a is before b if the way from
 * a forward to b is shorter than half the circle. */

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t weir_seq;

static inline int32_t seq_diff(weir_seq a, weir_seq b)
{
    return (int32_t)(a - b);
}

static inline bool seq_lt(weir_seq a, weir_seq b)
{
    return seq_diff(a, b) < 0;
}

static inline bool seq_leq(weir_seq a, weir_seq b)
{
    return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(weir_seq a, weir_seq b)
{
    return seq_diff(a, b) > 0;
}

static inline bool seq_geq(weir_seq a, weir_seq b)
{
    return seq_diff(a, b) >= 0;
}

static inline weir_seq seq_max(weir_seq a, weir_seq b)
{
    return seq_gt(a, b) ? a : b;
}

static inline weir_seq seq_min(weir_seq a, weir_seq b)
{
    return seq_lt(a, b) ? a : b;
}

#endif
