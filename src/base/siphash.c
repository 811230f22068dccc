/* SPDX-License-Identifier: MIT */

/* SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), 64 and 128 bits.
 *
 * Four 64-bit words of state are filled from the key; each 8-byte little-endian word of the message
 * is xored in before and after two rounds; the last word carries the message's length modulo 256 in
 * its top byte; four more rounds finish. The 128-bit variant differs by three constants and four
 * rounds for the second half.
 *
 * Without the key the results look random, and an outsider who chooses the messages cannot make two
 * of them collide: that is what the flow table (hash flooding), the ISN (RFC 6528 3) and the choice
 * of ports (RFC 6056 3.3.3) need. About 20 ns for a flow's 36 bytes. */

#include <base/siphash.h>
#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return (word << bits) | (word >> (64 - bits));
}

static uint64_t load_little(const uint8_t *p, size_t count)
{
    uint64_t word = 0;
    size_t i;

    for (i = 0; i < count; i++)
        word |= (uint64_t)p[i] << (8 * i);
    return word;
}

/* Eight bytes, written out so that compilers see one load. */
static uint64_t load_word(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static inline void rounds(struct state *s, int count)
{
    for (; count > 0; count--) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline void absorb(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

static inline struct state absorb_all(const struct siphash_key *key, uint64_t variant,
                                      const uint8_t *bytes, size_t length)
{
    /* "somepseudorandomlygeneratedbytes", the paper's constants. */
    struct state s = {
        key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
        key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573)};
    size_t left = length;

    s.v1 ^= variant;
    for (; left >= 8; left -= 8, bytes += 8)
        absorb(&s, load_word(bytes));
    absorb(&s, load_little(bytes, left) | (uint64_t)length << 56);
    return s;
}

static inline uint64_t finish(struct state *s)
{
    rounds(s, 4);
    return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

struct siphash_key siphash_key_from(const uint8_t bytes[16])
{
    return (struct siphash_key){load_word(bytes), load_word(bytes + 8)};
}

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length)
{
    struct state s = absorb_all(key, 0, bytes, length);

    s.v2 ^= 0xff;
    return finish(&s);
}

struct siphash_digest siphash128(const struct siphash_key *key, const void *bytes, size_t length)
{
    struct state s = absorb_all(key, 0xee, bytes, length);
    struct siphash_digest digest;

    s.v2 ^= 0xee;
    digest.low = finish(&s);
    s.v1 ^= 0xdd;
    digest.high = finish(&s);
    return digest;
}
