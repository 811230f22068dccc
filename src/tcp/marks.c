/* SPDX-License-Identifier: MIT */

/* Ends of records: points of the send buffer that no segment crosses (MSG_EOR).
 *
 * TCP knows no records (RFC 9293 3.9.1.2), but an application may ask that what it writes later does
 * not share a segment with what it has written: it measures each of its messages by itself, or the
 * far end reads a segment at a time. The point is remembered as a sequence number until it is
 * acknowledged, so that retransmissions keep to it as well; the segment that ends there carries PSH.
 *
 * The numbers are kept in order in a circular array that is made with the first of them, doubles when
 * it is full and goes when the last is acknowledged. A connection that never asks pays one pointer. The
 * next mark is found by halving: plan.c asks once for each run.
 *
 * Invariants: strictly ascending, all within (SND.UNA, SND.END]. So there are never more of them than
 * bytes in the send buffer, whose size bounds the memory (4 bytes each, from the stack's budget). If
 * the budget is used up a mark is forgotten, never data. */

#include <tcp/tcp.h>

#define CAPACITY_MIN 16u

static size_t size_of(uint32_t capacity)
{
    return sizeof(struct tcp_marks) + capacity * sizeof(weir_seq);
}

static weir_seq mark_at(const struct tcp_marks *marks, uint32_t i)
{
    return marks->at[(marks->first + i) & (marks->capacity - 1)];
}

/* Room for one more. */
static bool grow(struct tcp_conn *conn)
{
    struct tcp_marks *old = conn->active->marks;
    uint32_t capacity = old ? old->capacity * 2 : CAPACITY_MIN;
    struct tcp_marks *marks;
    uint32_t i;

    if (old && old->count < old->capacity)
        return true;
    marks = alloc_get(conn->context->alloc, size_of(capacity));
    if (!marks)
        return false;
    *marks = (struct tcp_marks){.count = old ? old->count : 0, .capacity = capacity};
    for (i = 0; i < marks->count; i++)
        marks->at[i] = mark_at(old, i);
    tcp_marks_free(conn);
    conn->active->marks = marks;
    return true;
}

void tcp_marks_add(struct tcp_conn *conn)
{
    struct tcp_marks *marks = conn->active->marks;

    if (marks && marks->count && mark_at(marks, marks->count - 1) == conn->snd_end)
        return;
    if (!tcp_send_queued(conn) || !grow(conn))
        return;
    marks = conn->active->marks;
    marks->at[(marks->first + marks->count) & (marks->capacity - 1)] = conn->snd_end;
    marks->count++;
}

weir_seq tcp_marks_after(const struct tcp_conn *conn, weir_seq seq)
{
    const struct tcp_marks *marks = conn->active->marks;
    uint32_t low = 0, high;

    if (!marks)
        return conn->snd_end;
    high = marks->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (seq_gt(mark_at(marks, middle), seq))
            high = middle;
        else
            low = middle + 1;
    }
    return low < marks->count ? mark_at(marks, low) : conn->snd_end;
}

void tcp_marks_acked(struct tcp_conn *conn, weir_seq ack)
{
    struct tcp_marks *marks = conn->active->marks;

    if (!marks)
        return;
    while (marks->count && seq_leq(mark_at(marks, 0), ack)) {
        marks->first = (marks->first + 1) & (marks->capacity - 1);
        marks->count--;
    }
    if (!marks->count)
        tcp_marks_free(conn);
}

void tcp_marks_free(struct tcp_conn *conn)
{
    struct tcp_marks *marks = conn->active->marks;

    if (!marks)
        return;
    alloc_put(conn->context->alloc, marks, size_of(marks->capacity));
    conn->active->marks = NULL;
}
