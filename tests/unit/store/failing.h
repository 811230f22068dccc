/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_STORE_FAILING_H
#define TESTS_UNIT_STORE_FAILING_H

/* An allocator for tests: it refuses the request that a countdown hits (and all that follow, until
 * it is set anew), and fills what it gives and what it takes back with rubbish. */

#include <stdlib.h>
#include <store/alloc.h>
#include <string.h>

struct failing {
    struct alloc alloc;
    long left; /* requests still granted; negative: all */
    size_t live;
};

static inline void *failing_acquire(void *context, size_t bytes)
{
    struct failing *failing = context;
    void *memory;

    if (failing->left == 0)
        return NULL;
    if (failing->left > 0)
        failing->left--;
    memory = malloc(bytes);
    if (!memory)
        abort();
    memset(memory, 0xa5, bytes);
    failing->live += bytes;
    return memory;
}

static inline void failing_release(void *context, void *memory, size_t bytes)
{
    struct failing *failing = context;

    memset(memory, 0x5a, bytes);
    failing->live -= bytes;
    free(memory);
}

static inline void failing_init(struct failing *failing)
{
    failing->left = -1;
    failing->live = 0;
    alloc_init(&failing->alloc, SIZE_MAX);
    failing->alloc.acquire = failing_acquire;
    failing->alloc.release = failing_release;
    failing->alloc.context = failing;
}

#endif
