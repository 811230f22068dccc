/* SPDX-License-Identifier: MIT */
#ifndef STORE_ALLOC_H
#define STORE_ALLOC_H

/* Memory with a budget. Everything a stack holds is acquired here, so that `used` is the truth and
 * at the budget the request is refused, counted, and the caller carries on without. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALLOC_SPARE_UNIT 64u
#define ALLOC_SPARE_SIZES 8u

struct alloc {
    void *(*acquire)(void *context, size_t bytes);
    void (*release)(void *context, void *memory, size_t bytes);
    void *context;
    size_t used;
    size_t budget;
    uint64_t refused;                /* requests that the budget or the system refused */
    void *spares[ALLOC_SPARE_SIZES]; /* of (i + 1) * ALLOC_SPARE_UNIT bytes; last in, first out */
    size_t spare_bytes;              /* in all of them; not part of `used` */
    uint8_t spare_counts[ALLOC_SPARE_SIZES];
    uint8_t spares_max; /* of each size */
};

/* acquire, release NULL: malloc and free. */
void alloc_init(struct alloc *alloc, size_t budget);

/* From now on up to `max` freed pieces of each small size (64, 128 … 512 bytes) are kept for the next
 * request of that size: buffers and records come and go with each message. They are not used, but are
 * part of the budget: a request that finds no room beside them has them given back. */
void alloc_keep_spares(struct alloc *alloc, uint8_t max);

/* Gives the kept pieces back; those in use are the owner's. */
void alloc_done(struct alloc *alloc);

/* Uninitialised / zeroed memory, or NULL (counted in `refused`). `bytes` > 0. */
void *alloc_get(struct alloc *alloc, size_t bytes);
void *alloc_get_zeroed(struct alloc *alloc, size_t bytes);

/* `bytes` as given to alloc_get. NULL is allowed. */
void alloc_put(struct alloc *alloc, void *memory, size_t bytes);

/* Moves to a new size; on failure returns NULL and the old memory is untouched. memory may be NULL
 * with old_bytes 0. */
void *alloc_resize(struct alloc *alloc, void *memory, size_t old_bytes, size_t new_bytes);

/* Seven eighths of the budget are in use: what can wait has to, so that what cannot finds room. */
static inline bool alloc_is_tight(const struct alloc *alloc)
{
    return alloc->used > alloc->budget - alloc->budget / 8;
}

/* Fixed-size objects and chunks, last in first out: what was freed last is the warmest. At most
 * `keep_max` free ones are kept, the rest goes back to the allocator. */
struct pool {
    struct alloc *alloc;
    void *free_list;
    size_t object_bytes;
    uint32_t free_count, keep_max;
};

void pool_init(struct pool *pool, struct alloc *alloc, size_t object_bytes, uint32_t keep_max);
void pool_done(struct pool *pool); /* gives the kept ones back; those in use are the owner's */
void *pool_get(struct pool *pool); /* uninitialised, or NULL */
void pool_put(struct pool *pool, void *object);

#endif
