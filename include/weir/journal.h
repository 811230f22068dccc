/* SPDX-License-Identifier: MIT */
#ifndef WEIR_JOURNAL_H
#define WEIR_JOURNAL_H

/* The journal of a stack: every packet it sends, with the reason, and every packet that comes in,
 * with the reason if it is dropped.
 *
 * The stack calls nobody and writes no file. Whoever runs it lends memory (weir_stack_set_journal);
 * the stack appends entries, and the runner takes them away between two calls, setting `used` to 0.
 * What finds no room is counted and otherwise forgotten: a journal never slows a stack down by more
 * than the copy. One journal may serve several stacks of the same thread.
 *
 * Packets that are sent stand where they were handed to the link, and those that came in where they
 * were given to the stack, so that the order is the stack's own. A packet of the stack to itself
 * stands once, when it arrives, as OUT, with its reason to be sent and, if it was dropped, that too. */

#include <stddef.h>
#include <weir/drop.h>
#include <weir/link.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_JOURNAL_LOOPBACK (-1) /* the interface of packets of the stack to itself */

struct weir_journal {
    uint8_t *bytes;  /* entries, one after the other; aligned to 8 */
    size_t size;     /* bytes lent */
    size_t used;     /* bytes of them that hold entries */
    uint64_t missed; /* packets that found no room, and of which no entry tells yet */
};

enum weir_journal_direction { WEIR_JOURNAL_IN, WEIR_JOURNAL_OUT };

/* An entry: this, the packet's bytes, and padding up to a multiple of 8 bytes. */
struct weir_journal_entry {
    weir_time at;
    uint64_t missed;   /* packets just before this one that found no room */
    uint32_t source;   /* which stack: the number given to weir_stack_set_journal */
    uint32_t length;   /* of the packet, which is here as a whole */
    int16_t iface;     /* index, or WEIR_JOURNAL_LOOPBACK */
    uint8_t direction; /* enum weir_journal_direction */
    uint8_t csum;      /* these five as in struct weir_frame */
    uint16_t csum_start, csum_offset;
    uint16_t gso_size, gso_segments;
    uint16_t why;  /* enum weir_why: OUT only */
    uint16_t drop; /* enum weir_drop: what became of it; NONE: it was not dropped at once */
};

/* Bytes that the entry of a packet of `length` bytes takes. */
static inline size_t weir_journal_entry_size(uint32_t length)
{
    return sizeof(struct weir_journal_entry) + (((size_t)length + 7) & ~(size_t)7);
}

/* The entry at *at (0: the first), and moves *at behind it; NULL after the last. */
static inline const struct weir_journal_entry *weir_journal_next(const struct weir_journal *journal,
                                                                 size_t *at)
{
    const struct weir_journal_entry *entry;

    if (*at >= journal->used)
        return NULL;
    entry = (const struct weir_journal_entry *)(const void *)(journal->bytes + *at);
    *at += weir_journal_entry_size(entry->length);
    return entry;
}

/* The packet of an entry. */
static inline const uint8_t *weir_journal_packet(const struct weir_journal_entry *entry)
{
    return (const uint8_t *)(entry + 1);
}

struct weir_stack;

/* From now on the stack notes its packets in *journal, under the number `source`. Both the struct
 * and its memory stay the caller's and must live until another journal, or NULL, is set. */
void weir_stack_set_journal(struct weir_stack *stack, struct weir_journal *journal,
                            uint32_t source);

#ifdef __cplusplus
}
#endif
#endif
