/* SPDX-License-Identifier: MIT */

/* Queues of bytes: a list of pieces, each a copy of what one call has added. Limits of pieces are kept,
 * because a segment is one, and because a transport sees what one mywrite has written. */

#include "mysock_impl.h"
#include <stdlib.h>
#include <string.h>

bool_t queue_add(struct queue *queue, const void *data, size_t length)
{
    struct piece *piece = (struct piece *)malloc(offsetof(struct piece, data) + length + 1);

    if (!piece)
        return FALSE;
    piece->next = NULL;
    piece->start = 0;
    piece->length = length;
    if (length > 0)
        memcpy(piece->data, data, length);
    if (queue->tail)
        queue->tail->next = piece;
    else
        queue->head = piece;
    queue->tail = piece;
    queue->bytes += length;
    queue->pieces++;
    return TRUE;
}

static void drop_head(struct queue *queue)
{
    struct piece *piece = queue->head;

    queue->head = piece->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->bytes -= piece->length;
    queue->pieces--;
    free(piece);
}

size_t queue_take(struct queue *queue, void *to, size_t max)
{
    struct piece *piece = queue->head;
    size_t length;

    if (!piece)
        return 0;
    length = piece->length < max ? piece->length : max;
    if (length > 0)
        memcpy(to, piece->data + piece->start, length);
    piece->start += length;
    piece->length -= length;
    queue->bytes -= length;
    if (piece->length == 0)
        drop_head(queue);
    return length;
}

size_t queue_take_piece(struct queue *queue, void *to, size_t max)
{
    struct piece *piece = queue->head;
    size_t length;

    if (!piece)
        return 0;
    length = piece->length;
    if (length > 0)
        memcpy(to, piece->data + piece->start, length < max ? length : max);
    drop_head(queue);
    return length;
}

void queue_clear(struct queue *queue)
{
    while (queue->head)
        drop_head(queue);
}
