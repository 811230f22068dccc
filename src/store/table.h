/* SPDX-License-Identifier: MIT */
#ifndef STORE_TABLE_H
#define STORE_TABLE_H

/* Intrusive hash table: entries carry their node and their 64-bit keyed hash; the caller compares
 * keys. Chained buckets, a power of two of them, doubled step by step (a few buckets moved at each
 * insertion), so that no single insertion pays for a million entries. Iteration order depends on the
 * hash key: never emit anything from an iteration. */

#include <stdbool.h>
#include <stdint.h>
#include <store/alloc.h>

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

struct table {
    struct table_node **buckets;
    struct table_node **old_buckets; /* while growing */
    uint32_t bucket_count, old_count, moved;
    uint32_t count;
    struct alloc *alloc;
};

void table_init(struct table *table, struct alloc *alloc);
void table_done(struct table *table); /* the entries are the owner's */

/* Returns false only if there is no memory for even the first buckets. A table that cannot grow gets
 * slower, not wrong. */
bool table_add(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);

/* `other`, which is in no table, takes the place and the hash of `node`. Cannot fail. */
void table_replace(struct table *table, struct table_node *node, struct table_node *other);

/* First node with this hash, and the next with the same hash after `node`; NULL: no more. */
struct table_node *table_find(const struct table *table, uint64_t hash);
struct table_node *table_find_next(const struct table_node *node);

/* Visits all: start with cursor 0; NULL at the end. No insertion or removal meanwhile but of the
 * node just returned. */
struct table_cursor {
    uint32_t bucket;
    struct table_node *next;
};
struct table_node *table_next(const struct table *table, struct table_cursor *cursor);

#endif
