/* SPDX-License-Identifier: MIT */

/* A tree of pages, 64 entries each.
 *
 * A page of the lowest level points at objects, the others at pages. `full` of a page has a bit for each
 * entry below which nothing is free; the lowest free number is found by taking the first bit that is
 * clear, level by level:
 *
 *     root   full 110..0 ──► page   full 1101..  ──► entry 2 of it: number 64 * i + 2
 *
 * The tree grows at its root: when it is full, a new root gets the old one as its first entry, so that a
 * table of a million grows in the same few steps as one of a hundred, and nothing is ever copied. Pages
 * stay until the end: who had many sockets once will have many again.
 *
 * With up to four levels 2^24 numbers can be given. A look-up in a table of a million is four loads, of
 * which the upper ones are of pages that are always warm. Memory: 8.3 bytes an object in a full table;
 * 520 bytes for the first 64. */

#include <assert.h>
#include <store/slots.h>
#include <string.h>

#define PAGE_BITS 6u

struct slots_page {
    uint64_t full;
    void *entries[SLOTS_PAGE];
};

_Static_assert(SLOTS_PAGE == 1u << PAGE_BITS, "a number is read in digits of six bits");
_Static_assert(SLOTS_MAX == 1u << (PAGE_BITS * SLOTS_LEVELS), "four digits");

void slots_init(struct slots *slots, struct alloc *alloc)
{
    *slots = (struct slots){.alloc = alloc};
}

static void page_done(struct slots *slots, struct slots_page *page, uint32_t depth)
{
    uint32_t i;

    if (!page)
        return;
    for (i = 0; depth > 1 && i < SLOTS_PAGE; i++)
        page_done(slots, page->entries[i], depth - 1);
    alloc_put(slots->alloc, page, sizeof(*page));
}

void slots_done(struct slots *slots)
{
    page_done(slots, slots->root, slots->depth);
    slots_init(slots, slots->alloc);
}

/* The entry that `number` has in a page whose pages are `depth` levels high. */
static uint32_t digit(uint32_t number, uint32_t depth)
{
    return (number >> (PAGE_BITS * (depth - 1))) & (SLOTS_PAGE - 1);
}

static bool has_room(const struct slots *slots)
{
    return slots->root && ~slots->root->full;
}

/* A root above the root. */
static bool grow(struct slots *slots)
{
    struct slots_page *root;

    if (slots->depth == SLOTS_LEVELS)
        return false;
    root = alloc_get_zeroed(slots->alloc, sizeof(*root));
    if (!root)
        return false;
    root->entries[0] = slots->root;
    root->full = slots->root != NULL;
    slots->root = root;
    slots->depth++;
    return true;
}

/* Goes down to where the lowest free number is, making the pages that are missing. */
static struct slots_page *lowest_page(struct slots *slots, struct slots_page **path,
                                      uint32_t *number)
{
    struct slots_page *page = slots->root;
    uint32_t depth, i;

    *number = 0;
    for (depth = slots->depth; page; depth--) {
        path[depth - 1] = page;
        i = (uint32_t)__builtin_ctzll(~page->full);
        *number = *number << PAGE_BITS | i;
        if (depth == 1)
            return page;
        if (!page->entries[i])
            page->entries[i] = alloc_get_zeroed(slots->alloc, sizeof(*page));
        page = page->entries[i];
    }
    return NULL;
}

bool slots_add(struct slots *slots, void *object, uint32_t *number)
{
    struct slots_page *path[SLOTS_LEVELS], *page;
    uint32_t found, level;

    assert(object);
    if (!has_room(slots) && !grow(slots))
        return false;
    page = lowest_page(slots, path, &found);
    if (!page)
        return false;
    page->entries[digit(found, 1)] = object;
    for (level = 1; level <= slots->depth; level++) {
        path[level - 1]->full |= UINT64_C(1) << digit(found, level);
        if (~path[level - 1]->full)
            break;
    }
    slots->count++;
    if (found >= slots->end)
        slots->end = found + 1;
    *number = found;
    return true;
}

void *slots_at(const struct slots *slots, uint32_t number)
{
    const struct slots_page *page = slots->root;
    uint32_t depth;

    if (number >= slots->end)
        return NULL;
    for (depth = slots->depth; depth > 1 && page; depth--)
        page = page->entries[digit(number, depth)];
    return page ? page->entries[digit(number, 1)] : NULL;
}

void slots_remove(struct slots *slots, uint32_t number)
{
    struct slots_page *page = slots->root;
    uint32_t depth;

    assert(slots_at(slots, number));
    for (depth = slots->depth; depth > 0; depth--) {
        page->full &= ~(UINT64_C(1) << digit(number, depth));
        if (depth > 1)
            page = page->entries[digit(number, depth)];
    }
    page->entries[digit(number, 1)] = NULL;
    slots->count--;
}
