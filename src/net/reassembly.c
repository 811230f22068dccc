/* SPDX-License-Identifier: MIT */

/* Putting fragments together again (RFC 791 3.2, RFC 815, RFC 1122 3.3.2).
 *
 * A datagram is known by source, destination, protocol and identification: RFC 815 3 [815-1]. Its
 * pieces lie on a list in order of offset and never overlap; what is between them are the holes.
 * RFC 815 keeps the holes and this keeps the pieces, which say the same, and more: that a fragment
 * came twice. The datagram is done when its last piece is known and the bytes held are as many as
 * its length says, which is when there is no hole; then the pieces are copied into one run of
 * memory, behind the header of the first. Memory is held for bytes that came, never for bytes that
 * were promised.
 *
 * Refused: pieces of no bytes, of no multiple of 8 in the middle, past 65,535 in all:
 * RFC 815 - [815-2]; of TCP at offset 8, since its flags would hide there:
 * RFC 5722 [815-3]. A piece equal in place to one that is held is a duplicate and ignored if its
 * bytes are equal too; any other overlap, and ends that contradict each other, ruin the datagram:
 * RFC 5722 4 [8200-8]. What is held is given up and counted, and the ruined datagram keeps its
 * place, empty, until its time is over, so that its later fragments are refused too and not taken
 * for a new datagram.
 *
 * Limits: 60 s from the first fragment, whatever the TTL: RFC 1122 3.3.2 [1122-8], answered with
 * time exceeded 11/1 if the first fragment is there; 64 datagrams; 512 pieces each; config's
 * reassembly_budget bytes. At the limits the oldest datagram goes, each of its pieces counted. The
 * longest datagram is 65,535 bytes: RFC 1122 3.3.2 [1122-7], RFC 791 3.2 [791-2]. Cost: a look
 * through 64 datagrams at most, and the list from its end, so in-order arrival is one step.
 *
 * Time is exact: datagrams are in order of arrival, and the head has the next deadline. */

#include <assert.h>
#include <base/checksum.h>
#include <net/internal.h>
#include <string.h>
#include <wire/icmp4.h>

struct piece {
    struct list_node node;
    uint32_t from, to; /* payload bytes [from, to) of the datagram */
    uint8_t data[];
};

struct datagram {
    struct list_node node;
    struct list_node pieces; /* by offset */
    weir_time deadline;
    uint32_t src, dst;
    uint32_t held;       /* payload bytes at hand */
    uint32_t total;      /* payload bytes of the whole; 0: not known yet */
    uint32_t count;      /* pieces */
    enum weir_drop ruin; /* NONE, or why it is ruined */
    uint16_t id;
    uint8_t protocol;
    uint8_t header_length; /* 0: the first fragment has not come */
    uint8_t header[IP4_HEADER_MAX];
};

/* What an arrival brings. */
struct part {
    uint32_t from, to;
    const uint8_t *data;
    bool is_last;
};

static struct piece *piece_of(struct list_node *node)
{
    return LIST_ENTRY(node, struct piece, node);
}

static struct datagram *datagram_of(struct list_node *node)
{
    return LIST_ENTRY(node, struct datagram, node);
}

void net_reassembly_init(struct net_reassembly *reassembly)
{
    list_init(&reassembly->datagrams);
}

/* ---- Giving up ------------------------------------------------------------------------------ */

static void piece_free(struct net *net, struct datagram *datagram, struct piece *piece)
{
    size_t bytes = sizeof(*piece) + (piece->to - piece->from);

    list_remove(&piece->node);
    datagram->count--;
    datagram->held -= piece->to - piece->from;
    net->reassembly.pieces--;
    net->reassembly.bytes -= bytes;
    alloc_put(net->alloc, piece, bytes);
}

/* Frees the pieces, each counted as dropped for `drop` (NONE: they made it). */
static void free_pieces(struct net *net, struct datagram *datagram, enum weir_drop drop)
{
    while (!list_is_empty(&datagram->pieces)) {
        if (drop != WEIR_DROP_NONE)
            net_lose(net, drop);
        piece_free(net, datagram, piece_of(list_first(&datagram->pieces)));
    }
}

static void remove_datagram(struct net *net, struct datagram *datagram, enum weir_drop drop)
{
    free_pieces(net, datagram, drop);
    list_remove(&datagram->node);
    net->reassembly.count--;
    net->reassembly.bytes -= sizeof(*datagram);
    alloc_put(net->alloc, datagram, sizeof(*datagram));
}

void net_reassembly_done(struct net *net)
{
    struct list_node *node;

    while ((node = list_first(&net->reassembly.datagrams)) != NULL)
        remove_datagram(net, datagram_of(node), WEIR_DROP_NONE);
}

/* The piece in hand is dropped, and with it the datagram for ever. */
static void ruin(struct net *net, struct datagram *datagram, enum weir_drop drop)
{
    datagram->ruin = drop;
    free_pieces(net, datagram, drop);
    net_drop(net, drop);
}

/* Makes room for `bytes`, from the oldest on; `spared` stays. */
static bool make_room(struct net *net, size_t bytes, const struct datagram *spared)
{
    struct net_reassembly *all = &net->reassembly;
    struct list_node *node = all->datagrams.next;

    while (all->bytes + bytes > net->config.reassembly_budget && node != &all->datagrams) {
        struct datagram *oldest = datagram_of(node);

        node = node->next;
        if (oldest != spared)
            remove_datagram(net, oldest, WEIR_DROP_FRAGMENT_LIMIT);
    }
    return all->bytes + bytes <= net->config.reassembly_budget;
}

/* ---- Finding and making --------------------------------------------------------------------- */

static struct datagram *find_datagram(struct net *net, const struct ip4_header *ip)
{
    struct list_node *node = net->reassembly.datagrams.next;

    for (; node != &net->reassembly.datagrams; node = node->next) {
        struct datagram *datagram = datagram_of(node);

        if (datagram->id == ip->id && datagram->src == ip->src && datagram->dst == ip->dst &&
            datagram->protocol == ip->protocol)
            return datagram;
    }
    return NULL;
}

static struct datagram *make_datagram(struct net *net, const struct net_arrival *arrival)
{
    struct net_reassembly *all = &net->reassembly;
    struct datagram *datagram;

    if (all->count >= NET_DATAGRAMS_MAX)
        remove_datagram(net, datagram_of(list_first(&all->datagrams)), WEIR_DROP_FRAGMENT_LIMIT);
    if (!make_room(net, sizeof(*datagram), NULL)) {
        net_drop(net, WEIR_DROP_FRAGMENT_LIMIT);
        return NULL;
    }
    datagram = alloc_get_zeroed(net->alloc, sizeof(*datagram));
    if (!datagram) {
        net_drop(net, WEIR_DROP_NO_MEMORY);
        return NULL;
    }
    list_init(&datagram->pieces);
    datagram->src = arrival->ip.src;
    datagram->dst = arrival->ip.dst;
    datagram->id = arrival->ip.id;
    datagram->protocol = arrival->ip.protocol;
    datagram->deadline = arrival->now + NET_FRAGMENT_TIMEOUT;
    list_add_tail(&all->datagrams, &datagram->node);
    all->count++;
    all->bytes += sizeof(*datagram);
    return datagram;
}

/* ---- One fragment --------------------------------------------------------------------------- */

static enum weir_drop check_part(const struct ip4_header *ip, const struct part *part)
{
    uint32_t length = part->to - part->from;

    if (length == 0 || (!part->is_last && length % 8 != 0))
        return WEIR_DROP_FRAGMENT_BAD;
    if (part->to + ip->header_length > IP4_LENGTH_MAX)
        return WEIR_DROP_FRAGMENT_BAD;
    if (ip->protocol == IP_PROTOCOL_TCP && part->from == 8)
        return WEIR_DROP_FRAGMENT_BAD;
    return WEIR_DROP_NONE;
}

/* The end that a last fragment gives, and all that is held, must agree. */
static bool ends_agree(const struct datagram *datagram, const struct part *part)
{
    uint32_t end = 0;

    if (!list_is_empty(&datagram->pieces))
        end = piece_of(datagram->pieces.prev)->to;
    if (datagram->total > 0)
        return part->is_last ? part->to == datagram->total : part->to <= datagram->total;
    return !part->is_last || part->to >= end;
}

static bool is_duplicate(const struct piece *piece, const struct part *part)
{
    return piece->from == part->from && piece->to == part->to &&
           memcmp(piece->data, part->data, part->to - part->from) == 0;
}

/* The node behind which the part belongs. *drop: NONE, or FRAGMENT_OVERLAP. A duplicate gives
 * NULL. */
static struct list_node *find_place(struct datagram *datagram, const struct part *part,
                                    enum weir_drop *drop)
{
    struct list_node *node = datagram->pieces.prev;

    *drop = WEIR_DROP_NONE;
    while (node != &datagram->pieces && piece_of(node)->from >= part->to)
        node = node->prev;
    if (node == &datagram->pieces || piece_of(node)->to <= part->from)
        return node;
    if (!is_duplicate(piece_of(node), part))
        *drop = WEIR_DROP_FRAGMENT_OVERLAP;
    return NULL;
}

static enum weir_drop add_piece(struct net *net, struct datagram *datagram, struct list_node *after,
                                const struct part *part)
{
    uint32_t length = part->to - part->from;
    size_t bytes = sizeof(struct piece) + length;
    struct piece *piece;

    if (datagram->count >= NET_PIECES_MAX || !make_room(net, bytes, datagram))
        return WEIR_DROP_FRAGMENT_LIMIT;
    piece = alloc_get(net->alloc, bytes);
    if (!piece)
        return WEIR_DROP_NO_MEMORY;
    piece->from = part->from;
    piece->to = part->to;
    memcpy(piece->data, part->data, length);
    list_add_head(after, &piece->node);
    datagram->count++;
    datagram->held += length;
    net->reassembly.pieces++;
    net->reassembly.bytes += bytes;
    return WEIR_DROP_NONE;
}

static void note_part(struct datagram *datagram, const struct net_arrival *arrival,
                      const struct part *part)
{
    if (part->is_last)
        datagram->total = part->to;
    if (part->from > 0)
        return;
    datagram->header_length = arrival->ip.header_length;
    memcpy(datagram->header, arrival->bytes, datagram->header_length);
}

/* Returns whether the datagram has grown. */
static bool take_part(struct net *net, struct datagram *datagram, const struct net_arrival *arrival,
                      const struct part *part)
{
    struct list_node *after;
    enum weir_drop drop;

    if (datagram->ruin != WEIR_DROP_NONE) {
        net_drop(net, datagram->ruin);
        return false;
    }
    if (!ends_agree(datagram, part)) {
        ruin(net, datagram, WEIR_DROP_FRAGMENT_BAD);
        return false;
    }
    after = find_place(datagram, part, &drop);
    if (after)
        drop = add_piece(net, datagram, after, part);
    if (drop != WEIR_DROP_NONE) {
        ruin(net, datagram, drop);
        return false;
    }
    if (!after) {
        net_drop(net, WEIR_DROP_FRAGMENT_DUPLICATE);
        return false;
    }
    note_part(datagram, arrival, part);
    return true;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void write_whole(struct datagram *datagram, uint8_t *bytes)
{
    uint32_t header_length = datagram->header_length;
    struct list_node *node = datagram->pieces.next;

    memcpy(bytes, datagram->header, header_length);
    put_u16(bytes + 2, (uint16_t)(header_length + datagram->total));
    put_u16(bytes + 6, 0);
    put_u16(bytes + 10, 0);
    put_u16(bytes + 10, checksum_finish(checksum_add(0, bytes, header_length)));
    for (; node != &datagram->pieces; node = node->next) {
        const struct piece *piece = piece_of(node);

        memcpy(bytes + header_length + piece->from, piece->data, piece->to - piece->from);
    }
}

static struct net_whole *finish(struct net *net, struct datagram *datagram)
{
    uint32_t length = datagram->header_length + datagram->total;
    struct net_whole *whole = NULL;
    enum weir_drop drop = WEIR_DROP_NONE;

    if (length > IP4_LENGTH_MAX) /* a longer header in the first fragment than in the last */
        drop = WEIR_DROP_FRAGMENT_BAD;
    else
        whole = alloc_get(net->alloc, sizeof(*whole) + length);
    if (whole) {
        whole->bytes = sizeof(*whole) + length;
        write_whole(datagram, whole->data);
        net_count(net, WEIR_COUNT_REASSEMBLED);
    } else if (drop == WEIR_DROP_NONE) {
        drop = WEIR_DROP_NO_MEMORY;
    }
    remove_datagram(net, datagram, drop);
    if (drop != WEIR_DROP_NONE)
        net->fate = drop; /* the last piece was counted with the others */
    return whole;
}

struct net_whole *net_reassemble(struct net *net, const struct net_arrival *arrival)
{
    const struct ip4_header *ip = &arrival->ip;
    struct part part = {.from = ip->fragment_offset,
                        .to = (uint32_t)ip->fragment_offset + ip->total_length - ip->header_length,
                        .data = arrival->bytes + ip->header_length,
                        .is_last = !ip->more_fragments};
    enum weir_drop drop = check_part(ip, &part);
    struct datagram *datagram;

    net_count(net, WEIR_COUNT_FRAGMENTS_IN);
    if (drop != WEIR_DROP_NONE) {
        net_drop(net, drop);
        return NULL;
    }
    net_expire(net, arrival->now);
    datagram = find_datagram(net, ip);
    if (!datagram)
        datagram = make_datagram(net, arrival);
    if (!datagram || !take_part(net, datagram, arrival, &part))
        return NULL;
    if (datagram->total == 0 || datagram->held < datagram->total)
        return NULL;
    return finish(net, datagram);
}

/* ---- Time ----------------------------------------------------------------------------------- */

static void report_timeout(struct net *net, struct datagram *datagram, weir_time now)
{
    struct net_icmp_cause cause = {.type = ICMP4_TIME_EXCEEDED, .code = ICMP4_REASSEMBLY_EXCEEDED};
    const struct piece *first;
    uint8_t quote[NET_ICMP_PACKET_MAX];
    size_t length;

    if (datagram->header_length == 0 || datagram->ruin != WEIR_DROP_NONE)
        return;
    first = piece_of(list_first(&datagram->pieces));
    length = min_size(first->to, sizeof(quote) - datagram->header_length);
    memcpy(quote, datagram->header, datagram->header_length);
    memcpy(quote + datagram->header_length, first->data, length);
    net_icmp_error_send(net, &cause, quote, datagram->header_length + length, now);
}

void net_expire(struct net *net, weir_time now)
{
    struct list_node *node;

    while ((node = list_first(&net->reassembly.datagrams)) != NULL) {
        struct datagram *datagram = datagram_of(node);

        if (datagram->deadline > now)
            return;
        report_timeout(net, datagram, now);
        remove_datagram(net, datagram, WEIR_DROP_FRAGMENT_TIMEOUT);
    }
}

weir_time net_deadline(const struct net *net)
{
    struct list_node *node = list_first(&net->reassembly.datagrams);

    return node ? datagram_of(node)->deadline : WEIR_NEVER;
}

uint32_t net_fragments_held(const struct net *net)
{
    return net->reassembly.pieces;
}
