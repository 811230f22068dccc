/* SPDX-License-Identifier: MIT */

/* Stream buffers that hold memory only for what lies in them.
 *
 * A ring is one of three things:
 *
 *   nothing    memory NULL, size, front, extent 0
 *   a block    512 B..16 KiB, circular; offset o lies at (front + o) % size
 *   chunks     a directory of pointers to 16 KiB chunks, circular as well:
 *
 *      position p = front + o (modulo 2^32)
 *      slot       = (p / 16 KiB) % slots         directory  [ . | A | B | . | D | . | . | . ]
 *      byte       = p % 16 KiB                                    ^front        ^extent
 *
 * A NULL slot is a hole: nothing was reserved there. The directory is a power of two of at most
 * 2^17 slots and positions have 2^18 chunks, so slots keep their meaning when positions wrap at
 * 2^32.
 *
 * extent is the end of the furthest reservation. Invariants: a block has extent ≤ size; chunks lie
 * only in slots between the chunk of the front and that of extent - 1; no memory without extent but
 * for a block of the smallest size: what empties the ring frees anything larger. So consuming frees the slots it walks over, and
 * nobody ever searches the directory but truncate and a growth of the directory itself.
 *
 * Growth of a block copies at most 8 KiB into the next one; the first reservation beyond 16 KiB
 * copies the block into the first chunk; from then on nothing but the directory (8 bytes per 16
 * KiB) moves. A failed reservation gives back what it took beyond extent; a hole it filled below
 * stays filled.
 *
 * Sums over several pieces: a piece that begins at an odd distance from the first byte has its sum
 * shifted (RFC 1071 2(B)). Limit: offset + length ≤ 2^30. The pool keeps up to 64 spare chunks. */

#include <assert.h>
#include <base/bytes.h>
#include <base/checksum.h>
#include <store/ring.h>
#include <string.h>

#define CHUNK_SHIFT RING_CHUNK_SHIFT
#define CHUNK_MASK (RING_CHUNK - 1)
#define CHUNKS_KEPT 64
#define SLOTS_MIN 8u /* 64 bytes: a size of which the allocator keeps spares */

void ring_pool_init(struct ring_pool *pool, struct alloc *alloc)
{
    pool->alloc = alloc;
    pool_init(&pool->chunks, alloc, RING_CHUNK, CHUNKS_KEPT);
}

void ring_pool_done(struct ring_pool *pool)
{
    pool_done(&pool->chunks);
}

void ring_init(struct ring *ring)
{
    memset(ring, 0, sizeof *ring);
}

/* The slot of the `index`-th chunk, counted from that of the front. */
static uint8_t **slot_at(const struct ring *ring, uint32_t index)
{
    uint8_t **slots = ring->memory;

    return &slots[((ring->front >> CHUNK_SHIFT) + index) & (ring->size - 1)];
}

/* How many chunks [front, front + offset) touches, or the index of the first chunk that lies wholly
 * at or beyond offset. */
static uint32_t chunks_before(const struct ring *ring, uint32_t offset)
{
    return ((ring->front & CHUNK_MASK) + offset + CHUNK_MASK) >> CHUNK_SHIFT;
}

static void free_chunks(struct ring *ring, struct ring_pool *pool, uint32_t from, uint32_t to)
{
    uint8_t **slot;

    for (; from < to; from++) {
        slot = slot_at(ring, from);
        if (*slot) {
            pool_put(&pool->chunks, *slot);
            *slot = NULL;
            ring->chunk_count--;
        }
    }
}

void ring_done(struct ring *ring, struct ring_pool *pool)
{
    if (ring->is_chunked) {
        free_chunks(ring, pool, 0, min_u32(chunks_before(ring, ring->extent), ring->size));
        assert(ring->chunk_count == 0);
        alloc_put(pool->alloc, ring->memory, ring->size * sizeof(uint8_t *));
    } else {
        alloc_put(pool->alloc, ring->memory, ring->size);
    }
    ring_init(ring);
}

/* The smallest power of two ≥ need, at least `least`. */
static uint32_t power_of_two(uint32_t need, uint32_t least)
{
    while (least < need)
        least *= 2;
    return least;
}

static bool grow_block(struct ring *ring, struct ring_pool *pool, uint32_t need)
{
    uint32_t size = power_of_two(need, RING_BLOCK_MIN);
    uint8_t *block = alloc_get(pool->alloc, size);

    if (!block)
        return false;
    if (ring->extent > 0)
        ring_read(ring, 0, block, ring->extent);
    alloc_put(pool->alloc, ring->memory, ring->size);
    ring->memory = block;
    ring->size = size;
    ring->front = 0;
    return true;
}

/* Makes a ring that is nothing or a block into chunks with room for `need` bytes. */
static bool convert(struct ring *ring, struct ring_pool *pool, uint32_t need)
{
    uint32_t count = power_of_two((need + CHUNK_MASK) >> CHUNK_SHIFT, SLOTS_MIN);
    uint8_t **slots = alloc_get_zeroed(pool->alloc, count * sizeof *slots);

    if (!slots)
        return false;
    if (ring->extent > 0) {
        slots[0] = pool_get(&pool->chunks);
        if (!slots[0]) {
            alloc_put(pool->alloc, slots, count * sizeof *slots);
            return false;
        }
        ring_read(ring, 0, slots[0], ring->extent);
    }
    alloc_put(pool->alloc, ring->memory, ring->size);
    ring->chunk_count = slots[0] ? 1 : 0;
    ring->memory = slots;
    ring->size = count;
    ring->front = 0;
    ring->is_chunked = true;
    return true;
}

static bool grow_directory(struct ring *ring, struct ring_pool *pool, uint32_t chunks)
{
    uint32_t count = power_of_two(chunks, ring->size), first = ring->front >> CHUNK_SHIFT, i;
    uint8_t **slots = alloc_get_zeroed(pool->alloc, count * sizeof *slots);

    if (!slots)
        return false;
    for (i = 0; i < ring->size; i++)
        slots[(first + i) & (count - 1)] = *slot_at(ring, i);
    alloc_put(pool->alloc, ring->memory, ring->size * sizeof *slots);
    ring->memory = slots;
    ring->size = count;
    return true;
}

static bool fill_chunks(struct ring *ring, struct ring_pool *pool, uint32_t from, uint32_t to)
{
    uint8_t **slot;

    for (; from < to; from++) {
        slot = slot_at(ring, from);
        if (*slot)
            continue;
        *slot = pool_get(&pool->chunks);
        if (!*slot)
            return false;
        ring->chunk_count++;
    }
    return true;
}

static bool reserve_chunks(struct ring *ring, struct ring_pool *pool, uint32_t offset, uint32_t end)
{
    uint32_t from = ((ring->front & CHUNK_MASK) + offset) >> CHUNK_SHIFT;
    uint32_t to = chunks_before(ring, end);

    if (to > ring->size && !grow_directory(ring, pool, to))
        return false;
    if (fill_chunks(ring, pool, from, to)) {
        ring->extent = max_u32(ring->extent, end);
        return true;
    }
    free_chunks(ring, pool, max_u32(from, chunks_before(ring, ring->extent)), to);
    if (ring->extent == 0)
        ring_done(ring, pool);
    return false;
}

bool ring_extend(struct ring *ring, struct ring_pool *pool, uint32_t offset, uint32_t length)
{
    uint32_t end = offset + length;

    assert(offset <= RING_CAPACITY_MAX && length <= RING_CAPACITY_MAX - offset);
    if (!ring->is_chunked) {
        if (end > ring->size && end <= RING_CHUNK && !grow_block(ring, pool, end))
            return false;
        if (end <= ring->size) {
            ring->extent = max_u32(ring->extent, end);
            return true;
        }
        if (!convert(ring, pool, end))
            return false;
    }
    return reserve_chunks(ring, pool, offset, end);
}

void ring_consume(struct ring *ring, struct ring_pool *pool, uint32_t count)
{
    if (count >= ring->extent) {
        if (ring->is_chunked || ring->size > RING_BLOCK_MIN)
            ring_done(ring, pool);
        ring->front = 0;
        ring->extent = 0;
        return;
    }
    if (ring->is_chunked)
        free_chunks(ring, pool, 0, ((ring->front & CHUNK_MASK) + count) >> CHUNK_SHIFT);
    ring->front += count;
    ring->extent -= count;
}

void ring_truncate(struct ring *ring, struct ring_pool *pool, uint32_t offset)
{
    if (offset >= ring->extent)
        return;
    if (offset == 0) {
        ring_done(ring, pool);
        return;
    }
    if (ring->is_chunked)
        free_chunks(ring, pool, chunks_before(ring, offset), chunks_before(ring, ring->extent));
    ring->extent = offset;
}

size_t ring_memory(const struct ring *ring)
{
    if (!ring->is_chunked)
        return ring->size;
    return ring->size * sizeof(uint8_t *) + (size_t)ring->chunk_count * RING_CHUNK;
}

void ring_write(struct ring *ring, uint32_t offset, const void *bytes, uint32_t length)
{
    const uint8_t *from = bytes;
    uint32_t run;
    uint8_t *to;

    for (; length > 0; offset += run, from += run, length -= run) {
        to = ring_span(ring, offset, length, &run);
        memcpy(to, from, run);
    }
}

void ring_read(const struct ring *ring, uint32_t offset, void *bytes, uint32_t length)
{
    uint8_t *to = bytes;
    const uint8_t *from;
    uint32_t run;

    for (; length > 0; offset += run, to += run, length -= run) {
        from = ring_span(ring, offset, length, &run);
        memcpy(to, from, run);
    }
}

/* Joins the sum of a piece that begins `before` bytes after the first. */
static uint32_t join_piece(uint32_t sum, uint32_t piece, uint32_t before)
{
    return checksum_join(sum, before & 1 ? checksum_shift(piece) : piece);
}

uint32_t ring_write_summed(struct ring *ring, uint32_t offset, const void *bytes, uint32_t length,
                           uint32_t sum)
{
    const uint8_t *from = bytes;
    uint32_t done, run;
    uint8_t *to;

    for (done = 0; done < length; done += run) {
        to = ring_span(ring, offset + done, length - done, &run);
        sum = join_piece(sum, checksum_copy(0, to, from + done, run), done);
    }
    return sum;
}

uint32_t ring_read_summed(const struct ring *ring, uint32_t offset, void *bytes, uint32_t length,
                          uint32_t sum)
{
    uint8_t *to = bytes;
    const uint8_t *from;
    uint32_t done, run;

    for (done = 0; done < length; done += run) {
        from = ring_span(ring, offset + done, length - done, &run);
        sum = join_piece(sum, checksum_copy(0, to + done, from, run), done);
    }
    return sum;
}
