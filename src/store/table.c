/* SPDX-License-Identifier: MIT */

/* A hash table of chains that grows a little at a time.
 *
 * Entries bring their node and a keyed 64-bit hash; the low bits choose the bucket. When half as many
 * entries as buckets are there, an array of twice the size is acquired and each insertion moves four of
 * the old buckets, so that the move is over long before the next doubling. Half, because every entry
 * that a search passes by is likely to cost a miss of the caches; from 2^19 buckets on memory matters
 * more, and the array is doubled when there is an entry for each.
 *
 * Old bucket i splits into new buckets i and i + old_count. While growing, buckets below `moved`
 * are in the new array and the others in the old one: a hash has exactly one bucket at any time,
 * look-up is one comparison more, and a new bucket is first written when it is filled. So the new
 * array is never cleared as a whole: no insertion does work that depends on the size of the table.
 *
 *     old  [ - - - - m | . . . . . ]           m = moved
 *     new  [ x x x x   ?  ?  ? ? ? ? x x x x   ?  ?  ...]      ? not yet written
 *
 * A new node goes to the head of its chain. If the larger array is refused, chains get longer and
 * the next attempt is made when the count is the next multiple of that number. Memory: 16
 * buckets first; arrays above 64 buckets go back when the table becomes empty; at most 2^30
 * buckets. */

#include <assert.h>
#include <store/table.h>
#include <string.h>

#define BUCKETS_MIN 16u
#define BUCKETS_KEPT 64u
#define BUCKETS_MAX (1u << 30)
#define BUCKETS_SPARSE (1u << 19)
#define MOVES 4u

void table_init(struct table *table, struct alloc *alloc)
{
    memset(table, 0, sizeof *table);
    table->alloc = alloc;
}

static size_t array_bytes(uint32_t count)
{
    return count * sizeof(struct table_node *);
}

void table_done(struct table *table)
{
    alloc_put(table->alloc, table->buckets, array_bytes(table->bucket_count));
    alloc_put(table->alloc, table->old_buckets, array_bytes(table->old_count));
    table_init(table, table->alloc);
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
    uint32_t old;

    if (table->old_buckets) {
        old = (uint32_t)hash & (table->old_count - 1);
        if (old >= table->moved)
            return &table->old_buckets[old];
    }
    return &table->buckets[(uint32_t)hash & (table->bucket_count - 1)];
}

/* Splits the next old bucket. */
static void move_one(struct table *table)
{
    uint32_t low = table->moved, high = low + table->old_count;
    struct table_node *node, *next, **bucket;

    table->buckets[low] = NULL;
    table->buckets[high] = NULL;
    for (node = table->old_buckets[low]; node; node = next) {
        next = node->next;
        bucket = &table->buckets[node->hash & table->old_count ? high : low];
        node->next = *bucket;
        *bucket = node;
    }
    table->moved++;
}

static void move_some(struct table *table)
{
    uint32_t i;

    for (i = 0; i < MOVES && table->moved < table->old_count; i++)
        move_one(table);
    if (table->moved == table->old_count) {
        alloc_put(table->alloc, table->old_buckets, array_bytes(table->old_count));
        table->old_buckets = NULL;
        table->old_count = 0;
        table->moved = 0;
    }
}

/* So many entries, or a multiple, and it grows. */
static uint32_t entries_max(const struct table *table)
{
    return table->bucket_count < BUCKETS_SPARSE ? table->bucket_count / 2 : table->bucket_count;
}

static void start_growth(struct table *table)
{
    struct table_node **larger;

    if (table->bucket_count >= BUCKETS_MAX)
        return;
    larger = alloc_get(table->alloc, array_bytes(table->bucket_count * 2));
    if (!larger)
        return;
    table->old_buckets = table->buckets;
    table->old_count = table->bucket_count;
    table->buckets = larger;
    table->bucket_count *= 2;
    table->moved = 0;
}

bool table_add(struct table *table, struct table_node *node, uint64_t hash)
{
    struct table_node **bucket;

    if (!table->buckets) {
        table->buckets = alloc_get_zeroed(table->alloc, array_bytes(BUCKETS_MIN));
        if (!table->buckets)
            return false;
        table->bucket_count = BUCKETS_MIN;
    }
    if (table->old_buckets)
        move_some(table);
    bucket = bucket_of(table, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    table->count++;
    if (!table->old_buckets && (table->count & (entries_max(table) - 1)) == 0)
        start_growth(table);
    return true;
}

/* What points at the node. */
static struct table_node **link_to(const struct table *table, const struct table_node *node)
{
    struct table_node **link = bucket_of(table, node->hash);

    while (*link != node) {
        assert(*link);
        link = &(*link)->next;
    }
    return link;
}

void table_replace(struct table *table, struct table_node *node, struct table_node *other)
{
    *link_to(table, node) = other;
    *other = *node;
    node->next = NULL;
}

void table_remove(struct table *table, struct table_node *node)
{
    *link_to(table, node) = node->next;
    node->next = NULL;
    table->count--;
    if (table->count == 0 && table->bucket_count > BUCKETS_KEPT)
        table_done(table);
}

static struct table_node *with_hash(struct table_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct table_node *table_find(const struct table *table, uint64_t hash)
{
    return table->buckets ? with_hash(*bucket_of(table, hash), hash) : NULL;
}

struct table_node *table_find_next(const struct table_node *node)
{
    return with_hash(node->next, node->hash);
}

/* The chain of bucket `index` of all: the old array's come first, and a new bucket that nothing has
 * been moved into yet has none. */
static struct table_node *chain_at(const struct table *table, uint32_t index)
{
    if (index < table->old_count)
        return index < table->moved ? NULL : table->old_buckets[index];
    index -= table->old_count;
    if (table->old_count && (index & (table->old_count - 1)) >= table->moved)
        return NULL;
    return table->buckets[index];
}

struct table_node *table_next(const struct table *table, struct table_cursor *cursor)
{
    struct table_node *node = cursor->next;

    while (!node && cursor->bucket < table->old_count + table->bucket_count)
        node = chain_at(table, cursor->bucket++);
    cursor->next = node ? node->next : NULL;
    return node;
}
