/* SPDX-License-Identifier: MIT */

/* The window checker of the simulator.
 *
 * Problem: RFC 9293 3.8.6 [SHLD-14] says that a receiver does not shrink its window: the right edge
 * ACK + WND never moves to the left. It must hold for what was put on the wire, not only for
 * what a connection believes.
 *
 * Idea: one record per direction of a flow, found by addresses and ports, holds the furthest edge.
 * It is fed where a packet leaves the node that made it, before anything can reorder packets.
 *
 * A SYN starts the record anew (ports are used again). A RST says nothing about windows. Once the
 * peer's FIN is acknowledged the window means nothing: nothing more can come; therefore the record
 * also holds where its own FIN ends, and the check of one direction looks at the other's.
 *
 * Limits: 65,536 directions; flows beyond that are not watched. */

#include <sim/windows.h>

#include <base/seq.h>
#include <base/siphash.h>
#include <string.h>

#define DIRECTIONS_MAX 65536u
#define ARENA_BYTES ((size_t)64 << 20)

struct endpoints {
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
};

struct direction {
    struct table_node node; /* first: a table_node is cast to its record */
    struct endpoints ends;
    uint32_t edge;    /* furthest ACK + WND */
    uint32_t fin_end; /* the sequence number after its FIN */
    bool has_edge, has_fin;
};

void windows_init(struct windows *windows)
{
    alloc_init(&windows->alloc, ARENA_BYTES);
    table_init(&windows->table, &windows->alloc);
    windows->count = 0;
}

void windows_done(struct windows *windows)
{
    struct table_cursor cursor = {0};
    struct table_node *node;

    while ((node = table_next(&windows->table, &cursor)) != NULL) {
        table_remove(&windows->table, node);
        alloc_put(&windows->alloc, node, sizeof(struct direction));
    }
    table_done(&windows->table);
}

static uint64_t hash_of(const struct endpoints *ends)
{
    static const struct siphash_key key = {0x77696e646f777321, 0x6368656b65722e2e};

    return siphash(&key, ends, sizeof(*ends));
}

static struct direction *find(const struct windows *windows, const struct endpoints *ends)
{
    struct table_node *node = table_find(&windows->table, hash_of(ends));

    for (; node != NULL; node = table_find_next(node)) {
        struct direction *direction = (struct direction *)(void *)node;

        if (memcmp(&direction->ends, ends, sizeof(*ends)) == 0)
            return direction;
    }
    return NULL;
}

static struct direction *find_or_add(struct windows *windows, const struct endpoints *ends)
{
    struct direction *direction = find(windows, ends);

    if (direction != NULL || windows->count == DIRECTIONS_MAX)
        return direction;
    direction = alloc_get_zeroed(&windows->alloc, sizeof(*direction));
    if (direction == NULL)
        return NULL;
    direction->ends = *ends;
    if (!table_add(&windows->table, &direction->node, hash_of(ends))) {
        alloc_put(&windows->alloc, direction, sizeof(*direction));
        return NULL;
    }
    windows->count++;
    return direction;
}

static void ends_of(const struct weir_packet *packet, bool reverse, struct endpoints *ends)
{
    const struct weir_addr *src = reverse ? &packet->dst : &packet->src;
    const struct weir_addr *dst = reverse ? &packet->src : &packet->dst;

    memset(ends, 0, sizeof(*ends));
    memcpy(ends->src, src->bytes, sizeof(ends->src));
    memcpy(ends->dst, dst->bytes, sizeof(ends->dst));
    ends->sport = reverse ? packet->dport : packet->sport;
    ends->dport = reverse ? packet->sport : packet->dport;
}

/* Has the sender of `packet` acknowledged the other side's FIN? */
static bool has_acked_fin(const struct windows *windows, const struct weir_packet *packet)
{
    struct endpoints ends;
    const struct direction *other;

    ends_of(packet, true, &ends);
    other = find(windows, &ends);
    return other != NULL && other->has_fin && packet->ack == other->fin_end;
}

const char *windows_check(struct windows *windows, const struct weir_packet *packet)
{
    uint32_t edge = packet->ack + packet->window;
    struct direction *direction;
    struct endpoints ends;
    bool is_left;

    if (packet->flags & WEIR_TCP_RST)
        return NULL;
    ends_of(packet, false, &ends);
    direction = find_or_add(windows, &ends);
    if (direction == NULL)
        return NULL;
    if (packet->flags & WEIR_TCP_SYN) {
        direction->has_edge = false;
        direction->has_fin = false;
    }
    if (packet->flags & WEIR_TCP_FIN) {
        direction->has_fin = true;
        direction->fin_end = packet->seq + packet->payload_length + 1;
    }
    if (!(packet->flags & WEIR_TCP_ACK) || has_acked_fin(windows, packet))
        return NULL;
    is_left = direction->has_edge && seq_lt(edge, direction->edge);
    direction->has_edge = true;
    direction->edge = edge;
    return is_left ? "the offered window shrank" : NULL;
}
