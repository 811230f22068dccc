/* SPDX-License-Identifier: MIT */

/* Bounded queues of datagrams.
 *
 * Problem: raw and echo sockets receive whole datagrams at the network's pace and are read at the
 * application's. What is not read must neither be lost without a reason nor fill the memory.
 *
 * Idea: one allocation an entry, header and bytes together, in a singly linked list from oldest to
 * newest. A queue charges header and bytes against its limit, DGRAM_QUEUE_BYTES unless the socket
 * asks for another, so that a flood of empty datagrams is bounded like one of large ones: at most
 * 256 KiB / sizeof(struct dgram) entries. The
 * newest datagram is the one refused when the queue is full (as UDP sockets do everywhere: what was
 * queued stays in order).
 *
 * Invariants: count is the length of the list; bytes is the sum of the sizes of its allocations and
 * not pushed above the limit; last is NULL exactly if first is. */

#include <dgram/dgram.h>

#include <assert.h>
#include <string.h>

struct dgram {
    struct dgram *next;
    struct weir_datagram info;
    size_t length;
    uint8_t data[];
};

static size_t size_of(size_t length)
{
    return sizeof(struct dgram) + length;
}

void dgram_init(struct dgram_queue *queue)
{
    *queue = (struct dgram_queue){.limit = DGRAM_QUEUE_BYTES};
}

/* Unlinks the oldest. */
static struct dgram *take_first(struct dgram_queue *queue)
{
    struct dgram *dgram = queue->first;

    if (dgram == NULL)
        return NULL;
    queue->first = dgram->next;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->count--;
    queue->bytes -= (uint32_t)size_of(dgram->length);
    return dgram;
}

void dgram_done(struct dgram_queue *queue, struct alloc *alloc)
{
    struct dgram *dgram;

    while ((dgram = take_first(queue)) != NULL)
        alloc_put(alloc, dgram, size_of(dgram->length));
    assert(queue->count == 0 && queue->bytes == 0);
}

enum weir_drop dgram_push(struct dgram_queue *queue, struct alloc *alloc,
                          const struct weir_datagram *info, const void *data, size_t length)
{
    struct dgram *dgram;

    if (length > queue->limit || queue->bytes + size_of(length) > queue->limit)
        return WEIR_DROP_DGRAM_FULL;
    dgram = alloc_get(alloc, size_of(length));
    if (dgram == NULL)
        return WEIR_DROP_NO_MEMORY;
    dgram->next = NULL;
    dgram->info = *info;
    dgram->length = length;
    if (length > 0)
        memcpy(dgram->data, data, length);
    if (queue->last == NULL)
        queue->first = dgram;
    else
        queue->last->next = dgram;
    queue->last = dgram;
    queue->count++;
    queue->bytes += (uint32_t)size_of(length);
    return WEIR_DROP_NONE;
}

bool dgram_first(const struct dgram_queue *queue, struct weir_const_span *data,
                 struct weir_datagram *info)
{
    const struct dgram *dgram = queue->first;

    if (dgram == NULL)
        return false;
    *data = (struct weir_const_span){.data = dgram->data, .length = dgram->length};
    *info = dgram->info;
    return true;
}

long dgram_pop(struct dgram_queue *queue, struct alloc *alloc, void *data, size_t length,
               struct weir_datagram *info)
{
    struct dgram *dgram = take_first(queue);
    size_t full, copied;

    if (dgram == NULL)
        return WEIR_EAGAIN;
    full = dgram->length;
    copied = full < length ? full : length;
    if (copied > 0)
        memcpy(data, dgram->data, copied);
    if (info != NULL)
        *info = dgram->info;
    alloc_put(alloc, dgram, size_of(full));
    return (long)full;
}
