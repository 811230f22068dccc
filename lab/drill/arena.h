/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_ARENA_H
#define LAB_DRILL_ARENA_H

/* Memory that is freed all at once: what a parsed script is made of. */

#include <stdbool.h>
#include <stddef.h>

#define ARENA_BYTES_MAX ((size_t)256 << 20) /* of one arena; more is refused */

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* bytes handed out */
};

/* Zeroed bytes, aligned for anything; NULL beyond ARENA_BYTES_MAX or if memory is short. */
void *arena_get(struct arena *arena, size_t bytes);

/* A copy of `length` bytes with a 0 behind them; NULL as above. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

void arena_done(struct arena *arena);

#endif
