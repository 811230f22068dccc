/* SPDX-License-Identifier: MIT */

/* Seeded random numbers: siphash of a counter.
 *
 * The sequence is siphash(key, 0), siphash(key, 1), …: a pseudorandom function in counter mode. It
 * has a period of 2^64, any number of independent generators come from one secret by deriving each
 * key from the secret and an id, and it is the same on every machine, because counters and keys are
 * turned into bytes in little-endian order by hand. Whoever has seen any part of it but not the key
 * cannot go on.
 *
 * random_below rejects the lowest (2^32 mod bound) of 2^32 values, so that what remains divides
 * evenly: no bias, and fewer than two draws on average for any bound. random_unit uses the top 53
 * bits, which a double holds exactly. About 10 ns a number. */

#include <assert.h>
#include <base/random.h>
#include <string.h>

static void put_little(uint8_t *p, uint64_t word)
{
    unsigned i;

    for (i = 0; i < 8; i++)
        p[i] = (uint8_t)(word >> (8 * i));
}

void random_init(struct random *random, const uint8_t seed[16], uint64_t id)
{
    struct siphash_key secret = siphash_key_from(seed);
    struct siphash_digest derived;
    uint8_t bytes[8];

    put_little(bytes, id);
    derived = siphash128(&secret, bytes, sizeof bytes);
    random->key.k0 = derived.low;
    random->key.k1 = derived.high;
    random->counter = 0;
}

void random_init_u64(struct random *random, uint64_t seed, uint64_t id)
{
    uint8_t bytes[16] = {0};

    put_little(bytes, seed);
    random_init(random, bytes, id);
}

uint64_t random_u64(struct random *random)
{
    uint8_t bytes[8];

    put_little(bytes, random->counter++);
    return siphash(&random->key, bytes, sizeof bytes);
}

uint32_t random_u32(struct random *random)
{
    return (uint32_t)(random_u64(random) >> 32);
}

uint32_t random_below(struct random *random, uint32_t bound)
{
    uint32_t reject, value;

    assert(bound > 0);
    reject = (0u - bound) % bound;
    do
        value = random_u32(random);
    while (value < reject);
    return value % bound;
}

double random_unit(struct random *random)
{
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

bool random_chance(struct random *random, double p)
{
    return random_unit(random) < p;
}
