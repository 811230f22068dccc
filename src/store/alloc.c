/* SPDX-License-Identifier: MIT */

/* Memory with a budget, and pools of equal objects.
 *
 * Every byte a stack holds is acquired here, with its size, and returned with its size: so `used`
 * is exact without any header in front of the memory, and a leak shows as used > 0 at the end. A
 * request that would pass the budget is refused before the system is asked; both kinds of refusal
 * are counted and look alike to the caller, who carries on without the memory.
 *
 * Invariant: used is the sum of the sizes handed out and not yet returned, pools' spare objects
 * included. used ≤ budget unless the budget was lowered meanwhile; then everything is refused until
 * enough has been returned.
 *
 * A pool keeps up to keep_max freed objects of one size on a stack linked through the objects
 * themselves: the object freed last is handed out first, being the one that is still in the caches.
 * Spare objects count as used: they are held. Cost of get and put: a handful of instructions. Where
 * the owner asks for it, small pieces of eight sizes are kept in the same way, but not as used: at most
 * 2304 bytes times the number that it names. used + spare_bytes never passes the budget.
 *
 * alloc_resize moves: while it runs, old and new memory both exist and both count. The bytes of the
 * budget are what the stack asked for, without the overhead of the allocator below. */

#include <assert.h>
#include <stdlib.h>
#include <store/alloc.h>
#include <string.h>

void alloc_init(struct alloc *alloc, size_t budget)
{
    memset(alloc, 0, sizeof *alloc);
    alloc->budget = budget;
}

void alloc_keep_spares(struct alloc *alloc, uint8_t max)
{
    alloc->spares_max = max;
}

/* The index of a size of which spares are kept; ALLOC_SPARE_SIZES or more for the others. */
static size_t spare_index(size_t bytes)
{
    return bytes % ALLOC_SPARE_UNIT ? ALLOC_SPARE_SIZES : bytes / ALLOC_SPARE_UNIT - 1;
}

static void *take_spare(struct alloc *alloc, size_t index)
{
    void *memory = alloc->spares[index];

    memcpy(&alloc->spares[index], memory, sizeof(void *));
    alloc->spare_counts[index]--;
    alloc->spare_bytes -= (index + 1) * ALLOC_SPARE_UNIT;
    return memory;
}

static bool keep_spare(struct alloc *alloc, void *memory, size_t index)
{
    if (index >= ALLOC_SPARE_SIZES || alloc->spare_counts[index] >= alloc->spares_max)
        return false;
    memcpy(memory, &alloc->spares[index], sizeof(void *));
    alloc->spares[index] = memory;
    alloc->spare_counts[index]++;
    alloc->spare_bytes += (index + 1) * ALLOC_SPARE_UNIT;
    return true;
}

static void give_back(struct alloc *alloc, void *memory, size_t bytes)
{
    if (alloc->release)
        alloc->release(alloc->context, memory, bytes);
    else
        free(memory);
}

void alloc_done(struct alloc *alloc)
{
    size_t index;

    for (index = 0; index < ALLOC_SPARE_SIZES; index++)
        while (alloc->spares[index])
            give_back(alloc, take_spare(alloc, index), (index + 1) * ALLOC_SPARE_UNIT);
}

static bool is_within(const struct alloc *alloc, size_t held, size_t bytes)
{
    return held <= alloc->budget && bytes <= alloc->budget - held;
}

/* From the system, if the budget allows. */
static void *acquire(struct alloc *alloc, size_t bytes)
{
    if (!is_within(alloc, alloc->used, bytes))
        return NULL;
    if (alloc->spare_bytes && !is_within(alloc, alloc->used + alloc->spare_bytes, bytes))
        alloc_done(alloc);
    return alloc->acquire ? alloc->acquire(alloc->context, bytes) : malloc(bytes);
}

void *alloc_get(struct alloc *alloc, size_t bytes)
{
    size_t index = spare_index(bytes);
    void *memory;

    assert(bytes > 0);
    if (index < ALLOC_SPARE_SIZES && alloc->spares[index] && is_within(alloc, alloc->used, bytes))
        memory = take_spare(alloc, index);
    else
        memory = acquire(alloc, bytes);
    if (!memory) {
        alloc->refused++;
        return NULL;
    }
    alloc->used += bytes;
    return memory;
}

void *alloc_get_zeroed(struct alloc *alloc, size_t bytes)
{
    void *memory = alloc_get(alloc, bytes);

    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

void alloc_put(struct alloc *alloc, void *memory, size_t bytes)
{
    if (!memory)
        return;
    assert(bytes > 0 && bytes <= alloc->used);
    alloc->used -= bytes;
    if (!keep_spare(alloc, memory, spare_index(bytes)))
        give_back(alloc, memory, bytes);
}

void *alloc_resize(struct alloc *alloc, void *memory, size_t old_bytes, size_t new_bytes)
{
    void *moved = alloc_get(alloc, new_bytes);

    if (!moved)
        return NULL;
    if (memory) {
        memcpy(moved, memory, old_bytes < new_bytes ? old_bytes : new_bytes);
        alloc_put(alloc, memory, old_bytes);
    }
    return moved;
}

void pool_init(struct pool *pool, struct alloc *alloc, size_t object_bytes, uint32_t keep_max)
{
    assert(object_bytes >= sizeof(void *));
    *pool = (struct pool){.alloc = alloc, .object_bytes = object_bytes, .keep_max = keep_max};
}

/* Takes the top of the stack of spare objects, which must not be empty. */
static void *take(struct pool *pool)
{
    void *object = pool->free_list;

    memcpy(&pool->free_list, object, sizeof pool->free_list);
    pool->free_count--;
    return object;
}

void pool_done(struct pool *pool)
{
    while (pool->free_list)
        alloc_put(pool->alloc, take(pool), pool->object_bytes);
}

void *pool_get(struct pool *pool)
{
    return pool->free_list ? take(pool) : alloc_get(pool->alloc, pool->object_bytes);
}

void pool_put(struct pool *pool, void *object)
{
    /* Kept objects count as used: they must not eat up a small budget. */
    if (pool->free_count >= pool->keep_max || pool->alloc->used > pool->alloc->budget / 2) {
        alloc_put(pool->alloc, object, pool->object_bytes);
        return;
    }
    memcpy(object, &pool->free_list, sizeof pool->free_list);
    pool->free_list = object;
    pool->free_count++;
}
