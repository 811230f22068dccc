/* SPDX-License-Identifier: MIT */
#ifndef BASE_LIST_H
#define BASE_LIST_H

/* Intrusive, circular, doubly linked list. A node that is on no list points at itself, so that
 * "is it queued?" needs no flag and removal is always safe. */

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next, *prev;
};

/* The struct that `node` is the member `member` of. */
#define LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != node;
}

/* Appends `node`, which must be on no list. */
static inline void list_add_tail(struct list_node *head, struct list_node *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_add_head(struct list_node *head, struct list_node *node)
{
    node->prev = head;
    node->next = head->next;
    head->next->prev = node;
    head->next = node;
}

/* Takes `node` off whatever list it is on. */
static inline void list_remove(struct list_node *node)
{
    node->next->prev = node->prev;
    node->prev->next = node->next;
    list_init(node);
}

/* The first node, or NULL. */
static inline struct list_node *list_first(const struct list_node *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

static inline struct list_node *list_pop(struct list_node *head)
{
    struct list_node *node = list_first(head);

    if (node)
        list_remove(node);
    return node;
}

#endif
