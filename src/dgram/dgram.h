/* SPDX-License-Identifier: MIT */
#ifndef DGRAM_DGRAM_H
#define DGRAM_DGRAM_H

/* Bounded queues of received datagrams, for sockets that are not streams: raw by IP protocol, and
 * ICMP echo. Each entry is one allocation: what is known of the datagram, then its bytes. */

#include <store/alloc.h>
#include <weir/socket.h>

#define DGRAM_QUEUE_BYTES (256u * 1024u) /* per queue at first, headers included */

struct dgram_queue {
    struct dgram *first, *last;
    uint32_t count, bytes;
    uint32_t limit; /* of bytes; what is there stays if it is lowered */
};

void dgram_init(struct dgram_queue *queue);
void dgram_done(struct dgram_queue *queue, struct alloc *alloc);

/* Appends a copy. Returns WEIR_DROP_NONE, DGRAM_FULL or NO_MEMORY. */
enum weir_drop dgram_push(struct dgram_queue *queue, struct alloc *alloc,
                          const struct weir_datagram *info, const void *data, size_t length);

/* The oldest, where it lies: its bytes stay valid until the queue changes. False if there is none. */
bool dgram_first(const struct dgram_queue *queue, struct weir_const_span *data,
                 struct weir_datagram *info);

/* Takes the oldest: copies at most `length` bytes, frees it. Returns its full length, or
 * WEIR_EAGAIN. *info may be NULL. */
long dgram_pop(struct dgram_queue *queue, struct alloc *alloc, void *data, size_t length,
               struct weir_datagram *info);

#endif
