/* SPDX-License-Identifier: MIT */

/* An arena: blocks in a list, memory taken from the newest block by moving an offset.
 *
 * A parsed script consists of thousands of small nodes that live and die together; nobody wants to
 * free them one by one, least of all on the paths where parsing failed half-way. Blocks are 64 KiB,
 * or as large as one request needs. A request that would take the arena beyond ARENA_BYTES_MAX gets
 * NULL, so that a hostile script meets a bound. */

#include <lab/drill/arena.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    max_align_t data[];
};

static struct arena_block *block_with(struct arena *arena, size_t bytes)
{
    struct arena_block *block = arena->blocks;
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

    if (block && block->size - block->used >= bytes)
        return block;
    block = calloc(1, sizeof(*block) + size);
    if (!block)
        return NULL;
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *arena_get(struct arena *arena, size_t bytes)
{
    const size_t unit = sizeof(max_align_t);
    struct arena_block *block;
    void *memory;

    if (bytes > ARENA_BYTES_MAX - arena->used)
        return NULL;
    bytes = (bytes + unit - 1) / unit * unit;
    block = block_with(arena, bytes);
    if (!block)
        return NULL;
    memory = (char *)block->data + block->used;
    block->used += bytes;
    arena->used = arena->used + bytes < ARENA_BYTES_MAX ? arena->used + bytes : ARENA_BYTES_MAX;
    return memory;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_get(arena, length + 1);

    if (copy && length > 0)
        memcpy(copy, text, length);
    return copy;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *block = arena->blocks;

        arena->blocks = block->next;
        free(block);
    }
    arena->used = 0;
}
