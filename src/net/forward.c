/* SPDX-License-Identifier: MIT */

/* Forwarding: a packet that is not for us goes on to its next hop, or is dropped with a reason.
 *
 * What arrives here has passed the checks of input.c: a sound header, a possible source, a unicast
 * destination that is not ours. Broadcasts never come here (RFC 1812 5.3.5.1 [1812-14]), nor do
 * martians (RFC 1812 5.3.7 [1812-15]) or source routes (RFC 1812 5.3.13.4 [1812-22]). The order is
 *
 *   route      none: unreachable 3/0, or 3/1 if the next hop is no neighbour
 *   TTL        1 or less: time exceeded 11/0
 *   drop rate  the `drop` command's dice
 *   size       too big for the link: 3/4 with its MTU if DF is set, else cut; never reassembled
 *   copy       one copy into the outgoing link's frame, TTL and checksum changed there
 *
 * RFC 1812 4.3.3.1 [1812-5], RFC 1812 5.3.1 [1812-2], RFC 1812 5.2.7.1 [1812-6],
 * RFC 1812 4.2.2.7 [1812-7].
 *
 * The received bytes are never changed, so that an ICMP error quotes what came
 * (RFC 1122 3.2.2 [1122-14]). DF stays as it was: RFC 6864 4.3 [6864-3]. No redirects are sent:
 * RFC 1812 5.2.7.2 [1812-18] only says what one must look like; and no source quench:
 * RFC 1812 4.3.3.3 [1812-20].
 *
 * A large frame goes on in one piece where the outgoing link takes it; anywhere else it is cut first
 * (segment.c), and each segment forwarded by itself: so dice, errors and fragments concern packets as
 * they are on a wire.
 *
 * The last 16 next hops are remembered by destination; the generation of the routes is part of the
 * entry, so that a change forgets them all. */

#include <assert.h>
#include <base/checksum.h>
#include <net/internal.h>
#include <string.h>
#include <wire/icmp4.h>

static int find_hop(struct net *net, uint32_t dst, struct net_hop *hop)
{
    struct net_cached_hop *cached =
        &net->forward_cache[(dst ^ dst >> 8 ^ dst >> 16) % NET_FORWARD_CACHE];
    struct weir_addr addr;
    int error;

    if (cached->generation == net->generation && cached->dst == dst) {
        *hop = cached->hop;
        return 0;
    }
    addr = weir_addr_from4(dst);
    error = net_routes_resolve(net, &addr, hop);
    if (!error)
        *cached = (struct net_cached_hop){.dst = dst, .generation = net->generation, .hop = *hop};
    return error;
}

/* Drops the packet, and says so to its sender. */
static void refuse(struct net *net, const struct net_arrival *arrival, enum weir_drop drop,
                   const struct net_icmp_cause *cause)
{
    net_drop(net, drop);
    net_icmp_error_send(net, cause, arrival->bytes, arrival->ip.total_length, arrival->now);
}

static void refuse_route(struct net *net, const struct net_arrival *arrival, int error)
{
    struct net_icmp_cause cause = {.type = ICMP4_UNREACHABLE, .code = ICMP4_NET_UNREACHABLE};

    if (error == WEIR_EHOSTUNREACH)
        cause.code = ICMP4_HOST_UNREACHABLE;
    refuse(net, arrival, net_error_drop(error), &cause);
}

static bool check_ttl(struct net *net, const struct net_arrival *arrival)
{
    struct net_icmp_cause cause = {.type = ICMP4_TIME_EXCEEDED, .code = ICMP4_TTL_EXCEEDED};

    if (arrival->ip.ttl > 1)
        return true;
    refuse(net, arrival, WEIR_DROP_TTL, &cause);
    return false;
}

static bool check_drop_rate(struct net *net)
{
    if (net->drop_rate <= 0.0 || !random_chance(&net->drop_random, net->drop_rate))
        return true;
    net_drop(net, WEIR_DROP_DROP_RATE);
    return false;
}

/* The transport checksum that the frame left unfinished. */
static uint16_t finished_sum(const struct weir_frame *frame, uint32_t length)
{
    return checksum_finish(
        checksum_add(0, frame->data + frame->csum_start, length - frame->csum_start));
}

static bool is_partial(const struct net_arrival *arrival)
{
    const struct weir_frame *frame = arrival->frame;

    return frame->csum == WEIR_CSUM_PARTIAL && frame->csum_start >= arrival->ip.header_length &&
           frame->csum_start + frame->csum_offset + 2u <= arrival->ip.total_length;
}

static int forward_whole(struct net *net, const struct net_arrival *arrival,
                         const struct net_hop *hop)
{
    const struct weir_frame *in = arrival->frame;
    uint32_t length = arrival->ip.total_length;
    struct weir_frame out;
    int error = net_lend(net, hop, length, arrival->now, &out);

    if (error)
        return error;
    memcpy(out.data, arrival->bytes, length);
    ip4_decrement_ttl(out.data);
    if (is_partial(arrival)) {
        if (net_iface_at(net, hop->iface)->link->csum_partial) {
            out.csum = WEIR_CSUM_PARTIAL;
            out.csum_start = in->csum_start;
            out.csum_offset = in->csum_offset;
        } else {
            put_u16(out.data + in->csum_start + in->csum_offset, finished_sum(in, length));
        }
    }
    out.gso_size = in->gso_size;
    out.gso_segments = in->gso_segments;
    out.why = WEIR_WHY_FORWARD;
    net_stage(net, hop->iface, &out, arrival->now);
    return 0;
}

static int forward_cut(struct net *net, const struct net_arrival *arrival,
                       const struct net_hop *hop)
{
    const struct ip4_header *ip = &arrival->ip;
    struct net_cut cut = {.payload = arrival->bytes + ip->header_length,
                          .header_length = ip->header_length,
                          .length = (uint32_t)ip->total_length - ip->header_length,
                          .hop = *hop,
                          .why = WEIR_WHY_FORWARD};

    memcpy(cut.header, arrival->bytes, ip->header_length);
    cut.header[8]--;
    if (is_partial(arrival)) {
        const struct weir_frame *frame = arrival->frame;

        cut.has_patch = true;
        cut.patch = finished_sum(frame, ip->total_length);
        cut.patch_at = (uint32_t)frame->csum_start + frame->csum_offset - ip->header_length;
    }
    return net_cut_send(net, &cut, arrival->now);
}

static void refuse_size(struct net *net, const struct net_arrival *arrival, uint32_t mtu)
{
    struct net_icmp_cause cause = {
        .type = ICMP4_UNREACHABLE, .code = ICMP4_FRAGMENTATION_NEEDED, .rest = mtu};

    refuse(net, arrival, WEIR_DROP_TOO_BIG, &cause);
}

/* A large frame can go on as it is: the link takes such, and each of its segments fits. */
static bool takes_large(struct net *net, const struct net_arrival *arrival,
                        const struct net_hop *hop)
{
    const struct net_iface *iface = net_iface_of(net, hop->iface);
    struct net_segments segments;

    return net->drop_rate <= 0.0 && arrival->ip.ttl > 1 && iface->link->csum_partial &&
           arrival->ip.total_length <= iface->link->gso_max && is_partial(arrival) &&
           net_segments_start(&segments, arrival) && net_segments_room(&segments) <= iface->mtu;
}

/* Each segment goes its own way, as if it had come alone. */
static void forward_segments(struct net *net, const struct net_arrival *arrival)
{
    struct net_segments segments;
    uint32_t room, length;
    uint8_t *bytes;

    if (!net_segments_start(&segments, arrival)) {
        net_drop(net, WEIR_DROP_TOO_BIG);
        return;
    }
    room = net_segments_room(&segments);
    bytes = alloc_get(net->alloc, room);
    if (!bytes) {
        net_drop(net, WEIR_DROP_NO_MEMORY);
        return;
    }
    while ((length = net_segments_next(&segments, bytes)) > 0) {
        const struct weir_frame frame = {
            .data = bytes, .length = length, .l2 = WEIR_L2_IP, .tag = arrival->frame->tag};
        struct net_arrival one = {
            .frame = &frame, .bytes = bytes, .now = arrival->now, .iface = arrival->iface};

        if (ip4_parse(bytes, length, &one.ip) == WEIR_DROP_NONE)
            net_forward(net, &one);
    }
    alloc_put(net->alloc, bytes, room);
}

void net_forward(struct net *net, const struct net_arrival *arrival)
{
    struct net_hop hop;
    uint32_t mtu;
    int error = find_hop(net, arrival->ip.dst, &hop);

    if (arrival->frame->gso_size) {
        if (!error && takes_large(net, arrival, &hop) && !forward_whole(net, arrival, &hop))
            net->counters->counter[WEIR_COUNT_FORWARDED] += net_frame_packets(arrival->frame);
        else
            forward_segments(net, arrival);
        return;
    }
    if (error) {
        refuse_route(net, arrival, error);
        return;
    }
    if (!check_ttl(net, arrival) || !check_drop_rate(net))
        return;
    mtu = net_iface_at(net, hop.iface)->mtu;
    if (arrival->ip.total_length <= mtu) {
        error = forward_whole(net, arrival, &hop);
    } else if (arrival->ip.dont_fragment) {
        refuse_size(net, arrival, mtu);
        return;
    } else {
        error = forward_cut(net, arrival, &hop);
    }
    if (error)
        net_drop(net, net_error_drop(error));
    else
        net_count(net, WEIR_COUNT_FORWARDED);
}
