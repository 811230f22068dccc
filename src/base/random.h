/* SPDX-License-Identifier: MIT */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

/* Seeded random numbers: siphash of a counter under a secret key. Equal seeds give equal sequences
 * on every machine; who has no key cannot guess the next number. */

#include <base/siphash.h>
#include <stdbool.h>

struct random {
    struct siphash_key key;
    uint64_t counter;
};

/* From a 16-byte secret and an id, so that one secret serves many independent generators. */
void random_init(struct random *random, const uint8_t seed[16], uint64_t id);

/* From 64 bits alone, for simulators and tests. */
void random_init_u64(struct random *random, uint64_t seed, uint64_t id);

uint64_t random_u64(struct random *random);
uint32_t random_u32(struct random *random);

/* Uniform in 0..bound-1 without bias; bound > 0. */
uint32_t random_below(struct random *random, uint32_t bound);

/* Uniform in [0, 1). */
double random_unit(struct random *random);

/* True with probability p (0 never, 1 always). */
bool random_chance(struct random *random, double p);

#endif
