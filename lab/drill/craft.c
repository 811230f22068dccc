/* SPDX-License-Identifier: MIT */

/* Packets in bytes, as a script wants them.
 *
 * What judges a stack must not build packets with that stack's hands, least of all broken ones. So
 * headers and sums are made here, byte by byte, in this order:
 *
 *   transport header and payload  ->  its sum  ->  the fragment cut out of it
 *     ->  IP header with options and lying fields  ->  its sum  ->  the frame cut short
 *
 * Each sum is that of the bytes as they are, also where fields lie: a wrong data offset is to be
 * refused for its own sake, not for the sum's. The IP sum covers as many words as the header says it
 * has, if there are so many; a receiver would look at just these. A fragment may reach beyond the
 * end of its packet, and gets zeros there: that is how a packet of more than 65,535 bytes is said.
 *
 * RFC 791 3.1, RFC 768, RFC 792, RFC 9293 3.1, RFC 1071. */

#include <lab/drill/craft.h>
#include <string.h>
#include <weir/error.h>

#define IP_HEADER 20u
#define PACKET_MAX 65535u

enum { ICMP = 1, TCP = 6, UDP = 17 };

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* The ones' complement sum of `length` bytes and `start`, folded, not complemented. */
static unsigned sum(uint64_t start, const uint8_t *bytes, size_t length)
{
    size_t i;

    for (i = 0; i + 1 < length; i += 2)
        start += get16(bytes + i);
    if (length % 2 == 1)
        start += (unsigned)bytes[length - 1] << 8;
    while (start > 0xffff)
        start = (start & 0xffff) + (start >> 16);
    return (unsigned)start;
}

static uint64_t pseudo_sum(uint32_t src, uint32_t dst, unsigned protocol, size_t length)
{
    return (uint64_t)(src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + protocol +
           length;
}

/* The same sum, made wrong; not 0, which UDP takes for "none". */
static unsigned spoil(unsigned right)
{
    return right == 1 ? 2 : right ^ 1;
}

static unsigned chosen(int32_t stated, unsigned otherwise)
{
    return stated >= 0 ? (unsigned)stated : otherwise;
}

static size_t put_tcp(const struct weir_packet *packet, const struct ip_line *ip, uint8_t *at)
{
    unsigned words = 5u + packet->options_length / 4u;

    put16(at, packet->sport);
    put16(at + 2, packet->dport);
    put32(at + 4, packet->seq);
    put32(at + 8, packet->ack);
    at[12] = (uint8_t)(chosen(ip->doff, words) << 4 | (chosen(ip->reserved, 0) | packet->reserved));
    at[13] = packet->flags;
    put16(at + 14, packet->window);
    put16(at + 16, 0);
    put16(at + 18, packet->urgent);
    memcpy(at + 20, packet->options ? packet->options : at, packet->options_length);
    return 20u + packet->options_length;
}

static size_t put_udp(const struct weir_packet *packet, uint8_t *at)
{
    put16(at, packet->sport);
    put16(at + 2, packet->dport);
    put16(at + 4, 8 + packet->payload_length);
    put16(at + 6, 0);
    return 8;
}

static size_t put_icmp(const struct weir_packet *packet, uint8_t *at)
{
    at[0] = packet->icmp_type;
    at[1] = packet->icmp_code;
    put16(at + 2, 0);
    put32(at + 4, packet->icmp_rest);
    return 8;
}

static size_t sum_offset(const struct weir_packet *packet)
{
    return packet->protocol == TCP ? 16 : packet->protocol == UDP ? 6 : 2;
}

static void set_sum(const struct weir_packet *packet, const struct ip_line *ip, uint8_t *at,
                    size_t length)
{
    uint64_t start = 0;
    unsigned value;

    if (packet->protocol != ICMP)
        start = pseudo_sum(weir_addr_to4(&packet->src), weir_addr_to4(&packet->dst),
                           packet->protocol, length);
    value = ~sum(start, at, length) & 0xffff;
    if (packet->protocol == UDP && value == 0)
        value = 0xffff;
    if (ip->sum_bad)
        value = spoil(value);
    put16(at + sum_offset(packet), ip->sum_zero ? 0 : value);
}

/* Header, payload and sum of the transport. Returns their length. */
static size_t put_transport(const struct weir_packet *packet, const struct ip_line *ip, uint8_t *at)
{
    size_t header = 0;

    if (packet->protocol == TCP)
        header = put_tcp(packet, ip, at);
    else if (packet->protocol == UDP)
        header = put_udp(packet, at);
    else if (packet->protocol == ICMP)
        header = put_icmp(packet, at);
    if (packet->payload_length > 0)
        memcpy(at + header, packet->payload, packet->payload_length);
    if (header > 0)
        set_sum(packet, ip, at, header + packet->payload_length);
    return header + packet->payload_length;
}

/* Moves the fragment's bytes to the front. Returns their number. */
static size_t cut_fragment(const struct ip_line *ip, uint8_t *at, size_t length)
{
    size_t from = ip->first < length ? ip->first : length;
    size_t until = ip->end < length ? ip->end : length;

    memmove(at, at + from, until - from);
    memset(at + (until - from), 0, (ip->end - ip->first) - (until - from));
    return ip->end - ip->first;
}

static void put_ip(const struct weir_packet *packet, const struct ip_line *ip, size_t total,
                   uint8_t *at)
{
    unsigned words = (unsigned)(IP_HEADER + ip->option_bytes) / 4u;
    unsigned ihl = chosen(ip->ihl, words), fragment = ip->has_fragment ? ip->first / 8 : 0;
    size_t covered = ihl >= 5 && ihl * 4 <= total ? ihl * 4 : words * 4;
    unsigned value;

    at[0] = (uint8_t)(4u << 4 | ihl);
    at[1] = packet->tos;
    put16(at + 2, chosen(ip->total, (unsigned)total));
    put16(at + 4, chosen(ip->id, packet->id));
    put16(at + 6,
          fragment | (ip->more ? 0x2000u : 0) | (ip->df || packet->dont_fragment ? 0x4000u : 0));
    at[8] = packet->ttl;
    at[9] = (uint8_t)chosen(ip->protocol, packet->protocol);
    put16(at + 10, 0);
    put32(at + 12, weir_addr_to4(&packet->src));
    put32(at + 16, weir_addr_to4(&packet->dst));
    memcpy(at + IP_HEADER, ip->options, ip->option_bytes);
    value = ~sum(0, at, covered) & 0xffff;
    put16(at + 10, ip->ip_sum_bad ? spoil(value) : value);
}

long craft_emit(const struct weir_packet *packet, const struct ip_line *ip, uint8_t *bytes)
{
    static const struct ip_line plain = {
        .id = -1, .protocol = -1, .ihl = -1, .total = -1, .doff = -1, .reserved = -1, .cut = -1};
    size_t header, length;

    ip = ip ? ip : &plain;
    header = IP_HEADER + ip->option_bytes;
    length = put_transport(packet, ip, bytes + header);
    if (ip->has_fragment)
        length = cut_fragment(ip, bytes + header, length);
    length += header;
    if (length > PACKET_MAX)
        return WEIR_EMSGSIZE;
    put_ip(packet, ip, length, bytes);
    return ip->cut >= 0 && (size_t)ip->cut < length ? ip->cut : (long)length;
}

bool craft_parse_udp(const uint8_t *bytes, size_t length, struct craft_udp *udp)
{
    size_t header = length >= IP_HEADER ? (size_t)(bytes[0] & 15) * 4 : length;
    const uint8_t *at = bytes + header;
    uint64_t start;

    if (length < header + 8 || header < IP_HEADER || bytes[9] != UDP)
        return false;
    udp->sport = (uint16_t)get16(at);
    udp->dport = (uint16_t)get16(at + 2);
    udp->length = (uint16_t)get16(at + 4);
    udp->payload = at + 8;
    udp->payload_length = (uint32_t)(length - header - 8);
    start = (uint64_t)UDP + (length - header) + sum(0, bytes + 12, 8);
    udp->checksum_ok = get16(at + 6) == 0 || sum(start, at, length - header) == 0xffff;
    return true;
}
