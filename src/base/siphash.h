/* SPDX-License-Identifier: MIT */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash that an outsider can neither predict nor
 * steer. Keys of flow tables, ISNs (RFC 6528), ports (RFC 6056). */

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

struct siphash_digest {
    uint64_t low, high;
};

/* Key from 16 bytes, little-endian as in the paper. */
struct siphash_key siphash_key_from(const uint8_t bytes[16]);

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length);

/* The 128-bit variant of the reference. */
struct siphash_digest siphash128(const struct siphash_key *key, const void *bytes, size_t length);

#endif
