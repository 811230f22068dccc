/* SPDX-License-Identifier: MIT */
#ifndef STORE_SLOTS_H
#define STORE_SLOTS_H

/* Numbers for objects: each gets the lowest number that is free, and is found by it. Nothing takes time
 * that depends on how many there are, and nothing that is there is moved when more come. */

#include <stdbool.h>
#include <stdint.h>
#include <store/alloc.h>

#define SLOTS_PAGE 64u
#define SLOTS_LEVELS 4u
#define SLOTS_MAX (1u << 24) /* SLOTS_PAGE to the power of SLOTS_LEVELS */

struct slots_page;

struct slots {
    struct alloc *alloc;
    struct slots_page *root; /* NULL: none yet */
    uint32_t depth;          /* levels of pages below and with the root */
    uint32_t end;            /* no number from here on was ever given */
    uint32_t count;
};

void slots_init(struct slots *slots, struct alloc *alloc);
void slots_done(struct slots *slots); /* the objects are the owner's */

/* The lowest free number for `object`, which is not NULL. False: no memory, or SLOTS_MAX are there. */
bool slots_add(struct slots *slots, void *object, uint32_t *number);

/* Frees the number, which is in use. */
void slots_remove(struct slots *slots, uint32_t number);

/* The object with this number; NULL: none. */
void *slots_at(const struct slots *slots, uint32_t number);

#endif
