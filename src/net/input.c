/* SPDX-License-Identifier: MIT */

/* A frame arrives: is it sound, is it for us, and who shall have it?
 *
 *   interface up?  sender a neighbour?  ->  header sound?  checksum?  TTL not 0?
 *     ->  source possible?  ->  destination  ->  options sound, no source route?
 *           ours, our broadcast, 224.0.0.1   ->  reassembly  ->  ICMP, or the caller
 *           somebody else's                  ->  forward; a host drops it before its options
 *           nobody's, others' broadcast      ->  drop, also before
 *
 * One function a check, in this order; each returns the drop reason, and the first that is not NONE
 * ends the walk. A frame is counted as received before anything is looked at, and if dropped, once.
 * Every failure is silent but a malformed option, which its sender is told of
 * (RFC 1122 3.2.2.5 [1122-20]). RFC 1812 5.2.2 [1812-1], RFC 1122 3.2.1.1 [1122-1],
 * RFC 1122 3.2.1.2 [1122-2].
 *
 * TTL: only forwarding looks at it (RFC 1812 4.2.2.9 [1812-3], RFC 1122 3.2.1.7 [1122-9]), except
 * that a packet which arrives with 0 should not have been sent and is dropped. Sources: not 0/8,
 * 127/8 from a wire, multicast, class E or a broadcast address of ours (RFC 1122 3.2.1.3 [1122-4]),
 * nor one of ours with a destination of ours, which comes by the loopback only. Options: unknown
 * ones are ignored (RFC 1122 3.2.1.8 [1122-10]), malformed ones drop the packet, and so do source
 * routes, by policy (RFC 1122 3.2.1.8c [1122-11], RFC 1812 5.3.13.4 [1812-22], RFC 7126).
 * Destinations: any own address whichever interface the packet came in on, that is the weak host
 * model (RFC 1812 5.2.3 [1812-19], RFC 1122 3.3.4.2 [1122-29]); broadcasts in all forms of the
 * interface they came in on (RFC 1122 3.3.6 [1122-30]); of multicast 224.0.0.1 alone
 * (RFC 1122 3.3.7 [1122-31]). A host drops the rest (RFC 1122 3.2.1.3 [1122-3]); forwarding is a
 * setting, off by default and never guessed (RFC 1122 3.1 [1122-32]). */

#include <assert.h>
#include <base/addr.h>
#include <base/checksum.h>
#include <base/rare.h>
#include <net/internal.h>
#include <string.h>
#include <wire/icmp4.h>

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LSRR 131
#define OPTION_SSRR 137
#define ALL_HOSTS 0xe0000001u /* 224.0.0.1 */

enum destination { TO_US, TO_GROUP, TO_OTHERS };

/* ---- The checks, in order ------------------------------------------------------------------- */

static enum weir_drop check_iface(struct net *net, const struct net_arrival *arrival)
{
    const struct net_iface *iface = net_iface_of(net, arrival->iface);

    if (!iface->up)
        return WEIR_DROP_IFACE_DOWN;
    if (iface->only_neighbours && !net_tag_is_neighbour(net, arrival->iface, arrival->frame->tag))
        return WEIR_DROP_NOT_NEIGHBOUR;
    return WEIR_DROP_NONE;
}

static enum weir_drop check_header(struct net *net, struct net_arrival *arrival)
{
    enum weir_drop drop = ip4_parse(arrival->bytes, arrival->frame->length, &arrival->ip);

    if (drop != WEIR_DROP_NONE)
        return drop;
    if (!net->config.skip_ip_checksum &&
        !ip4_checksum_ok(arrival->bytes, arrival->ip.header_length))
        return WEIR_DROP_IP_CHECKSUM;
    return arrival->ip.ttl == 0 ? WEIR_DROP_TTL : WEIR_DROP_NONE;
}

static enum weir_drop check_source(const struct net *net, const struct net_arrival *arrival)
{
    uint32_t src = arrival->ip.src;

    if (arrival->iface == NET_LOOPBACK)
        return WEIR_DROP_NONE;
    if (!net_is_wire4(src) || net_is_broadcast4(net, src))
        return WEIR_DROP_IP_SOURCE;
    if (net_own4(net, src) >= 0 && net_own4(net, arrival->ip.dst) >= 0)
        return WEIR_DROP_IP_SOURCE;
    return WEIR_DROP_NONE;
}

/* Walks the options. With IP_OPTIONS, *pointer is the offset of the faulty byte in the header. */
RARE static enum weir_drop walk_options(const uint8_t *bytes, uint32_t end, uint32_t *pointer)
{
    uint32_t at = IP4_HEADER;

    while (at < end && bytes[at] != OPTION_END) {
        if (bytes[at] == OPTION_NOP) {
            at++;
            continue;
        }
        *pointer = at + 1;
        if (at + 1 >= end || bytes[at + 1] < 2 || bytes[at + 1] > end - at)
            return WEIR_DROP_IP_OPTIONS;
        if (bytes[at] == OPTION_LSRR || bytes[at] == OPTION_SSRR)
            return WEIR_DROP_IP_SOURCE_ROUTE;
        at += bytes[at + 1];
    }
    return WEIR_DROP_NONE;
}

static enum weir_drop check_options(struct net *net, const struct net_arrival *arrival)
{
    struct net_icmp_cause cause = {.type = ICMP4_PARAMETER_PROBLEM};
    enum weir_drop drop;
    uint32_t pointer = 0;

    if (arrival->ip.header_length == IP4_HEADER)
        return WEIR_DROP_NONE;
    drop = walk_options(arrival->bytes, arrival->ip.header_length, &pointer);
    if (drop == WEIR_DROP_IP_OPTIONS) {
        cause.rest = pointer << 24;
        net_icmp_error_send(net, &cause, arrival->bytes, arrival->ip.total_length, arrival->now);
    }
    return drop;
}

RARE static enum weir_drop check_group(const struct net *net, const struct net_arrival *arrival)
{
    uint32_t dst = arrival->ip.dst;

    if (dst == UINT32_MAX || dst == ALL_HOSTS ||
        (arrival->iface != NET_LOOPBACK &&
         net_iface_broadcast4(net_iface_of(net, arrival->iface), dst)))
        return WEIR_DROP_NONE;
    return WEIR_DROP_IP_BROADCAST;
}

static enum weir_drop check_destination(const struct net *net, const struct net_arrival *arrival,
                                        enum destination *destination)
{
    uint32_t dst = arrival->ip.dst;

    *destination = TO_US;
    if (net_own4(net, dst) >= 0)
        return WEIR_DROP_NONE;
    if (net_is_loopback4(dst))
        return arrival->iface == NET_LOOPBACK ? WEIR_DROP_NONE : WEIR_DROP_IP_DESTINATION;
    *destination = TO_GROUP;
    if (net_is_multicast4(dst) || net_is_broadcast4(net, dst))
        return check_group(net, arrival);
    *destination = TO_OTHERS;
    if (!net_is_wire4(dst))
        return WEIR_DROP_IP_DESTINATION;
    if (!net->config.forwarding || arrival->iface == NET_LOOPBACK)
        return WEIR_DROP_IP_NOT_OURS;
    return WEIR_DROP_NONE;
}

/* ---- Delivery ------------------------------------------------------------------------------- */

static void fill_packet(const struct net_arrival *arrival, const struct ip4_header *ip,
                        const uint8_t *bytes, struct net_packet *packet)
{
    addr_set4(&packet->src, ip->src);
    addr_set4(&packet->dst, ip->dst);
    packet->header = bytes;
    packet->payload = bytes + ip->header_length;
    packet->header_length = ip->header_length;
    packet->length = (uint32_t)ip->total_length - ip->header_length;
    packet->pseudo_sum =
        checksum_join_u64(0, (uint64_t)ip->protocol + packet->length + ip->src + ip->dst);
    packet->iface = arrival->iface;
    packet->protocol = ip->protocol;
    packet->ttl = ip->ttl;
    packet->tos = ip->tos;
    packet->is_group = arrival->is_group;
    packet->csum_verified = false;
    packet->reassembly = NULL;
}

static enum net_verdict deliver(struct net *net, const struct net_arrival *arrival,
                                struct net_packet *packet, struct net_icmp_error *error)
{
    if (packet->protocol == IP_PROTOCOL_ICMP)
        return net_icmp_input(net, packet, arrival->now, error);
    net_count(net, WEIR_COUNT_DELIVERED);
    return NET_DELIVER;
}

RARE static enum net_verdict deliver_fragment(struct net *net, const struct net_arrival *arrival,
                                              struct net_packet *packet,
                                              struct net_icmp_error *error)
{
    struct net_whole *whole = net_reassemble(net, arrival);
    enum net_verdict verdict;
    enum weir_drop drop;
    struct ip4_header ip;

    if (!whole)
        return NET_DONE;
    drop = ip4_parse(whole->data, whole->bytes - sizeof(*whole), &ip);
    assert(drop == WEIR_DROP_NONE);
    fill_packet(arrival, &ip, whole->data, packet);
    packet->reassembly = whole;
    verdict = deliver(net, arrival, packet, error);
    if (verdict == NET_DONE)
        net_release(net, packet);
    return verdict;
}

static enum net_verdict deliver_local(struct net *net, const struct net_arrival *arrival,
                                      struct net_packet *packet, struct net_icmp_error *error)
{
    if (arrival->ip.more_fragments || arrival->ip.fragment_offset > 0)
        return deliver_fragment(net, arrival, packet, error);
    fill_packet(arrival, &arrival->ip, arrival->bytes, packet);
    packet->csum_verified = arrival->frame->csum != WEIR_CSUM_NONE;
    return deliver(net, arrival, packet, error);
}

void net_count_drop(struct net *net, enum weir_drop drop)
{
    net_drop(net, drop);
}

void net_release(struct net *net, struct net_packet *packet)
{
    struct net_whole *whole = packet->reassembly;

    if (net->journal)
        net_journal_fate(net);
    if (!whole)
        return;
    alloc_put(net->alloc, whole, whole->bytes);
    packet->reassembly = NULL;
}

/* ---- The walk ------------------------------------------------------------------------------- */

static void count_arrival(struct net *net, const struct net_arrival *arrival)
{
    struct net_iface *iface = net_iface_at(net, arrival->iface);

    iface->packets_in += net_frame_packets(arrival->frame);
    iface->bytes_in += arrival->frame->length;
    net->counters->counter[WEIR_COUNT_PACKETS_IN] += net_frame_packets(arrival->frame);
    net->counters->counter[WEIR_COUNT_BYTES_IN] += arrival->frame->length;
}

/* Source and destination. What they say about a pair of addresses stays true on an interface until
 * routes, neighbours or interfaces change, so the last pair that was for us is remembered. */
static enum weir_drop check_addresses(struct net *net, const struct net_arrival *arrival,
                                      enum destination *destination)
{
    struct net_iface *iface = net_iface_at(net, arrival->iface);
    const struct ip4_header *ip = &arrival->ip;
    enum weir_drop drop;

    *destination = TO_US;
    if (iface->good_src == ip->src && iface->good_dst == ip->dst &&
        iface->good_generation == net->generation)
        return WEIR_DROP_NONE;
    drop = check_source(net, arrival);
    if (drop == WEIR_DROP_NONE)
        drop = check_destination(net, arrival, destination);
    if (drop == WEIR_DROP_NONE && *destination == TO_US) {
        iface->good_src = ip->src;
        iface->good_dst = ip->dst;
        iface->good_generation = net->generation;
    }
    return drop;
}

static enum weir_drop check(struct net *net, struct net_arrival *arrival,
                            enum destination *destination)
{
    enum weir_drop drop = check_iface(net, arrival);

    if (drop == WEIR_DROP_NONE)
        drop = check_header(net, arrival);
    if (drop == WEIR_DROP_NONE)
        drop = check_addresses(net, arrival, destination);
    if (drop == WEIR_DROP_NONE)
        drop = check_options(net, arrival);
    return drop;
}

static enum net_verdict walk(struct net *net, struct net_arrival *arrival,
                             struct net_packet *packet, struct net_icmp_error *error)
{
    enum destination destination;
    enum weir_drop drop = check(net, arrival, &destination);

    if (drop != WEIR_DROP_NONE) {
        net_drop(net, drop);
        return NET_DONE;
    }
    if (destination == TO_OTHERS) {
        net_forward(net, arrival);
        return NET_DONE;
    }
    arrival->is_group = destination == TO_GROUP;
    return deliver_local(net, arrival, packet, error);
}

enum net_verdict net_input(struct net *net, int iface, const struct weir_frame *frame,
                           weir_time now, struct net_packet *packet, struct net_icmp_error *error)
{
    struct net_arrival arrival = {.frame = frame, .bytes = frame->data, .now = now, .iface = iface};
    enum net_verdict verdict;

    assert(iface == NET_LOOPBACK || net_iface_exists(net, iface));
    assert(frame->l2 == WEIR_L2_IP);
    count_arrival(net, &arrival);
    if (net->journal)
        net_journal_arrived(net, iface, frame, now);
    verdict = walk(net, &arrival, packet, error);
    if (net->journal && verdict == NET_DONE)
        net_journal_fate(net);
    return verdict;
}
