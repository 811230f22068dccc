/* SPDX-License-Identifier: MIT */
#ifndef STORE_RECORDS_H
#define STORE_RECORDS_H

/* Transmission records: what was sent when. One per committed run, in sequence order, covering
 * [snd_una, snd_nxt) without a gap; split only at edges of acknowledgement or loss; bounded (when the
 * bound is reached, new data joins the last record, whose send time then is that of its oldest byte:
 * RTT samples from it are too long, never too short, so it is flagged and gives none). */

#include <base/seq.h>
#include <store/alloc.h>
#include <weir/types.h>

enum record_flag {
    RECORD_RETRANSMITTED = 1, /* Karn: gives no RTT sample */
    RECORD_MERGED = 2,        /* more than one run: gives no RTT sample */
    RECORD_LOST = 4,          /* taken for lost, not yet sent again */
    RECORD_PUSHED = 8,        /* its last segment had PSH; of the parts of a split, the last */
};

struct record {
    weir_seq end;           /* one past the last sequence number; it starts where the former ends */
    uint32_t flags;         /* enum record_flag */
    weir_time sent;         /* when it was last sent */
    uint64_t delivered;     /* connection's count of acknowledged bytes at that time */
    weir_time delivered_at; /* when that count last changed before then */
};

/* A circular array, oldest first. */
struct records {
    struct record *items;
    uint32_t first, count, capacity;
};

#define RECORDS_MAX 4096u

void records_init(struct records *records);
void records_done(struct records *records, struct alloc *alloc);

/* Appends what was just sent; `record->end` is after the present last end. Merges into the last one
 * at the bound or if memory is short; only with no memory for even the first does it return false,
 * and the data simply has no record. */
bool records_append(struct records *records, struct alloc *alloc, const struct record *record);

/* The i-th oldest; i < count. */
struct record *records_at(const struct records *records, uint32_t i);

/* Index of the record that holds `seq` (start ≤ seq < end), where `una` is the start of the oldest;
 * count if there is none. Binary search. */
uint32_t records_find(const struct records *records, weir_seq una, weir_seq seq);

/* Makes `seq` an edge: the record that straddles it becomes two, alike but for `end`. Returns false
 * (nothing is split) at the bound or if memory is short. */
bool records_split(struct records *records, struct alloc *alloc, weir_seq una, weir_seq seq);

/* Drops every record that ends at or before `una`. When nothing is left, so does memory for
 * more than a few; records_done gives back the rest. A record
 * that straddles `una` stays whole. */
void records_acknowledge(struct records *records, struct alloc *alloc, weir_seq una);

#endif
