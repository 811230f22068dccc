/* SPDX-License-Identifier: MIT */

/* Sending: the fast path that TCP uses for each segment, and whole payloads.
 *
 * net_begin lends a frame from the path's link and writes the header but for total length and
 * checksum; the caller fills the payload in place; net_commit writes those two and stages the
 * frame. No look-up, no copy of the header: the path has all that is needed. The header's sum is taken
 * from the values that are written, not from the bytes: reading back what was just written in other
 * widths would wait for the stores.
 *
 * Interfaces on which something was staged are on the touched list, each once, so that net_flush
 * costs what was touched and not what exists.
 *
 * Identifications: RFC 6864 4.1 [6864-1], a packet that may not be fragmented is sent with 0.
 * RFC 6864 4.3 [6864-2], any other takes the next number of the counter that its source,
 * destination and protocol hash to (64 counters), sent through a permutation of 0..65535 that is
 * keyed per stack and counter: unique for 65,536 packets in a row and not to be guessed. A fast TCP
 * stream wraps that in less than the two minutes of the RFC; what reassembly might mix up its checksum
 * tells apart.
 *
 * Payloads that do not fit the link are cut (fragment.c) unless they must not be:
 * RFC 1122 3.3.3 [1122-28], RFC 791 3.1 [791-4]. The TTL is never 0: RFC 1122 3.2.1.7 [1122-9]. */

#include <assert.h>
#include <base/addr.h>
#include <base/checksum.h>
#include <net/internal.h>
#include <string.h>

/* ---- Identifications ------------------------------------------------------------------------ */

/* Four Feistel rounds over two bytes: a permutation, whatever the round function is. Here it is a
 * secret table a round. */
static uint16_t permute(const struct net_ids *ids, uint8_t bucket, uint16_t number)
{
    uint8_t left = (uint8_t)(number >> 8), right = (uint8_t)number;

    _Static_assert(NET_ID_ROUNDS == 4, "as many as stand here");
    left ^= ids->boxes[0][right ^ bucket];
    right ^= ids->boxes[1][left ^ bucket];
    left ^= ids->boxes[2][right ^ bucket];
    right ^= ids->boxes[3][left ^ bucket];
    return (uint16_t)((left << 8) | right);
}

static void find_bucket(struct net_ids *ids, uint32_t src, uint32_t dst, uint8_t protocol)
{
    uint8_t flow[9];

    put_u32(flow, src);
    put_u32(flow + 4, dst);
    flow[8] = protocol;
    ids->last_bucket = (uint8_t)(siphash(&ids->key, flow, sizeof(flow)) % NET_ID_BUCKETS);
    ids->last_src = src;
    ids->last_dst = dst;
    ids->last_protocol = protocol;
}

uint16_t net_next_id(struct net *net, uint32_t src, uint32_t dst, uint8_t protocol)
{
    struct net_ids *ids = &net->ids;

    if (src != ids->last_src || dst != ids->last_dst || protocol != ids->last_protocol)
        find_bucket(ids, src, dst, protocol);
    return permute(ids, ids->last_bucket, ids->next[ids->last_bucket]++);
}

/* ---- Frames --------------------------------------------------------------------------------- */

int net_lend(struct net *net, const struct net_hop *hop, uint32_t bytes, weir_time now,
             struct weir_frame *frame)
{
    struct net_iface *iface = net_iface_at(net, hop->iface);
    int error;

    if (!iface->up)
        return WEIR_ENETDOWN;
    if (bytes > max_u32(iface->mtu, iface->link->gso_max))
        return WEIR_EMSGSIZE;
    error = iface->link->ops->begin(iface->link, bytes, now, frame);
    if (error)
        return error;
    frame->l2 = WEIR_L2_IP;
    frame->tag = hop->tag;
    return 0;
}

void net_stage(struct net *net, int iface, const struct weir_frame *frame, weir_time now)
{
    struct net_iface *at = net_iface_at(net, iface);

    at->packets_out += net_frame_packets(frame);
    at->bytes_out += frame->length;
    net->counters->counter[WEIR_COUNT_PACKETS_OUT] += net_frame_packets(frame);
    net->counters->counter[WEIR_COUNT_BYTES_OUT] += frame->length;
    net_touch(net, iface);
    if (net->journal)
        net_journal_sent(net, iface, frame, now);
    at->link->ops->commit(at->link, frame, now);
}

/* Writes the 20 bytes but for total length and checksum, which are 0. Returns their sum. */
static uint32_t write_header(struct net *net, const struct net_path *path,
                             const struct net_out *out, uint8_t *bytes)
{
    uint32_t src = addr_get4(&path->src), dst = addr_get4(&path->dst);
    uint32_t id = out->dont_fragment ? 0 : net_next_id(net, src, dst, out->protocol);
    uint32_t words[3] = {
        0x45000000u | (uint32_t)out->tos << 16,
        id << 16 | (out->dont_fragment ? 0x4000u : 0),
        (uint32_t)out->ttl << 24 | (uint32_t)out->protocol << 16,
    };

    put_u32(bytes, words[0]);
    put_u32(bytes + 4, words[1]);
    put_u32(bytes + 8, words[2]);
    put_u32(bytes + 12, src);
    put_u32(bytes + 16, dst);
    return checksum_join_u64(0, (uint64_t)words[0] + words[1] + words[2] + src + dst);
}

int net_begin(struct net *net, const struct net_path *path, const struct net_out *out,
              uint32_t payload_bytes, weir_time now, struct net_frame *frame)
{
    int error;

    assert(out->ttl > 0);
    if (payload_bytes > IP4_LENGTH_MAX - IP4_HEADER)
        return WEIR_EMSGSIZE;
    error = net_lend(net, &path->hop, IP4_HEADER + payload_bytes, now, &frame->frame);
    if (error)
        return error;
    frame->header_sum = write_header(net, path, out, frame->frame.data);
    frame->frame.why = out->why;
    frame->payload = frame->frame.data + IP4_HEADER;
    frame->room = payload_bytes;
    return 0;
}

void net_commit(struct net *net, const struct net_path *path, struct net_frame *frame,
                uint32_t payload_bytes, weir_time now)
{
    uint8_t *bytes = frame->frame.data;
    uint32_t total = IP4_HEADER + payload_bytes;

    assert(payload_bytes <= frame->room);
    frame->frame.length = total;
    put_u16(bytes + 2, (uint16_t)total);
    put_u16(bytes + 10, checksum_finish(checksum_join(frame->header_sum, total)));
    net_stage(net, path->hop.iface, &frame->frame, now);
}

void net_abort(struct net *net, const struct net_path *path, struct net_frame *frame)
{
    struct weir_link *link = net_iface_at(net, path->hop.iface)->link;

    link->ops->abort(link, &frame->frame);
}

struct net_offload net_hop_offload(const struct net *net, const struct net_hop *hop)
{
    const struct weir_link *link = net_iface_of(net, hop->iface)->link;

    return (struct net_offload){.large =
                                    link->gso_max > IP4_HEADER ? link->gso_max - IP4_HEADER : 0,
                                .is_partial = link->csum_partial};
}

/* ---- Whole payloads ------------------------------------------------------------------------- */

static int send_whole(struct net *net, const struct net_path *path, const struct net_out *out,
                      const void *payload, uint32_t length, weir_time now)
{
    struct net_frame frame;
    int error = net_begin(net, path, out, length, now, &frame);

    if (error)
        return error;
    if (length > 0)
        memcpy(frame.payload, payload, length);
    net_commit(net, path, &frame, length, now);
    return 0;
}

static int send_cut(struct net *net, const struct net_path *path, const struct net_out *out,
                    const void *payload, uint32_t length, weir_time now)
{
    struct net_cut cut = {.payload = payload,
                          .header_length = IP4_HEADER,
                          .length = length,
                          .hop = {.tag = path->hop.tag, .iface = path->hop.iface},
                          .why = out->why};

    if (out->dont_fragment || length > IP4_LENGTH_MAX - IP4_HEADER)
        return WEIR_EMSGSIZE;
    (void)write_header(net, path, out, cut.header);
    return net_cut_send(net, &cut, now);
}

int net_send(struct net *net, const struct net_path *path, const struct net_out *out,
             const void *payload, uint32_t length, weir_time now)
{
    int error;

    assert(out->ttl > 0);
    if (length <= net_hop_mms(&path->hop))
        error = send_whole(net, path, out, payload, length, now);
    else
        error = send_cut(net, path, out, payload, length, now);
    if (error == WEIR_EAGAIN)
        net_lose(net, WEIR_DROP_LINK_FULL);
    if (!error && out->protocol == IP_PROTOCOL_ICMP)
        net_count(net, WEIR_COUNT_ICMP_OUT);
    return error;
}

bool net_loopback_is_idle(const struct net *net)
{
    return net->loopback.packets_in == net->loopback.packets_out;
}

bool net_is_staged(const struct net *net)
{
    return net->touched_count > 0;
}

void net_flush(struct net *net, weir_time now)
{
    for (uint32_t i = 0; i < net->touched_count; i++) {
        struct net_iface *iface = net_iface_at(net, net->touched[i]);

        iface->touched = false;
        (void)iface->link->ops->flush(iface->link, now); /* the link counts its own errors */
    }
    net->touched_count = 0;
}

enum weir_drop net_error_drop(int error)
{
    switch (error) {
    case WEIR_EAGAIN:
        return WEIR_DROP_LINK_FULL;
    case WEIR_EMSGSIZE:
        return WEIR_DROP_TOO_BIG;
    case WEIR_ENETDOWN:
        return WEIR_DROP_IFACE_DOWN;
    case WEIR_EHOSTUNREACH:
        return WEIR_DROP_NO_NEIGHBOUR;
    case WEIR_ENOMEM:
        return WEIR_DROP_NO_MEMORY;
    default:
        return WEIR_DROP_NO_ROUTE;
    }
}
