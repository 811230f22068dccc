/* SPDX-License-Identifier: MIT */
#ifndef STORE_RING_H
#define STORE_RING_H

/* A stream buffer: the bytes between a moving front and a moving end, at offsets 0.. from the front.
 * The receive side also writes beyond the end (out-of-order data goes straight to its place), so the
 * ring itself does not know which bytes are meaningful: it only knows where the front is, and gives
 * memory to what is touched. Nothing is allocated while nothing is held.
 *
 * Small contents live in one circular block of 512 B..16 KiB, doubled when needed (the only copying
 * growth); beyond 16 KiB the ring is a directory of 16 KiB chunks from a pool: growth copies
 * nothing, chunks never touched cost nothing, chunks that the front has passed go back to the pool.
 * A buffer that grows past 16 KiB moves its small block into the first chunks once. */

#include <assert.h>
#include <base/bytes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <store/alloc.h>

#define RING_CHUNK_SHIFT 14
#define RING_CHUNK (1u << RING_CHUNK_SHIFT)
#define RING_BLOCK_MIN 512u
#define RING_CAPACITY_MAX (1u << 30)

struct ring {
    void *memory;    /* block, or directory of chunks; NULL: nothing held */
    uint32_t size;   /* bytes of the block, or slots of the directory (powers of two) */
    uint32_t front;  /* position of offset 0, modulo 2^32; position p lies at p % block, or in
                             slot (p / RING_CHUNK) % slots */
    uint32_t extent; /* offsets below this have been reserved since they were last released */
    bool is_chunked;
    uint32_t chunk_count : 24; /* chunks held */
};

/* Memory for rings of one stack. */
struct ring_pool {
    struct pool chunks;
    struct alloc *alloc;
};

void ring_pool_init(struct ring_pool *pool, struct alloc *alloc);
void ring_pool_done(struct ring_pool *pool);

void ring_init(struct ring *ring);
void ring_done(struct ring *ring, struct ring_pool *pool);

/* ring_reserve beyond the block, or in chunks; length > 0. */
bool ring_extend(struct ring *ring, struct ring_pool *pool, uint32_t offset, uint32_t length);

/* Makes offsets [offset, offset + length) writable. Returns false if memory is short (nothing is
 * changed then but possibly the amount reserved). offset + length ≤ RING_CAPACITY_MAX. */
static inline bool ring_reserve(struct ring *ring, struct ring_pool *pool, uint32_t offset,
                                uint32_t length)
{
    if (length == 0)
        return true;
    if (ring->is_chunked || (uint64_t)offset + length > ring->size)
        return ring_extend(ring, pool, offset, length);
    ring->extent = max_u32(ring->extent, offset + length);
    return true;
}

/* The longest contiguous run that starts at `offset`, at most `want` bytes; it must lie within what
 * was reserved. *length ≥ 1 for want ≥ 1. Writable: the same memory serves reading. */
static inline uint8_t *ring_span(const struct ring *ring, uint32_t offset, uint32_t want,
                                 uint32_t *length)
{
    uint32_t position = ring->front + offset;
    uint8_t **slots = ring->memory;
    uint8_t *block = ring->memory, *chunk;

    assert(offset <= ring->extent && want <= ring->extent - offset);
    if (!ring->is_chunked) {
        position &= ring->size - 1;
        *length = min_u32(want, ring->size - position);
        return block ? block + position : NULL;
    }
    chunk = slots[(position >> RING_CHUNK_SHIFT) & (ring->size - 1)];
    position &= (RING_CHUNK - 1);
    *length = min_u32(want, RING_CHUNK - position);
    assert(chunk || want == 0);
    return chunk ? chunk + position : NULL;
}

/* Moves the front forward by `count` (may pass what was reserved); memory that is no longer between
 * front and extent is given back. When nothing is left that is all but the smallest block, which stays
 * for the next message: ring_done when none is expected. */
void ring_consume(struct ring *ring, struct ring_pool *pool, uint32_t count);

/* Gives back memory at and beyond `offset`: those bytes need to be reserved again. Frees everything
 * for offset 0. */
void ring_truncate(struct ring *ring, struct ring_pool *pool, uint32_t offset);

/* Bytes of memory held. */
size_t ring_memory(const struct ring *ring);

/* Copies into / out of what was reserved. */
void ring_write(struct ring *ring, uint32_t offset, const void *bytes, uint32_t length);
void ring_read(const struct ring *ring, uint32_t offset, void *bytes, uint32_t length);

/* The same with the Internet checksum of the bytes added to `sum` in the same pass; pieces of odd
 * length are joined rightly. */
uint32_t ring_write_summed(struct ring *ring, uint32_t offset, const void *bytes, uint32_t length,
                           uint32_t sum);
uint32_t ring_read_summed(const struct ring *ring, uint32_t offset, void *bytes, uint32_t length,
                          uint32_t sum);

#endif
