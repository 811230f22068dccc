/* SPDX-License-Identifier: MIT */

/* The IPv4 header, taken apart and put together.
 *
 *    0        4        8                16                      31
 *   | version|  IHL   |  type of service|      total length       |
 *   |          identification           |0|DF|MF| fragment offset |
 *   |  time to live   |    protocol     |        checksum         |
 *   |                      source address                         |
 *   |                    destination address                      |
 *   |            options, up to 40 bytes, padded to 4             |
 *
 * ip4_parse looks only at what decides whether the rest can be read at all: the frame holds 20
 * bytes, the version is 4, 20 <= header length <= total length <= frame length. Anything beyond the
 * total length is padding of the link and ignored. ip4_parse_quote does the same for a packet
 * quoted by an ICMP error, of which only the beginning is at hand. Whether addresses, options and
 * TTL make sense is policy and lives in src/net.
 *
 * RFC 791 3.1 [791-1], RFC 1812 5.2.2 [1812-1], RFC 1122 3.2.1.1 [1122-1],
 * RFC 1122 3.2.1.2 [1122-2], RFC 1812 4.2.2.5 [1812-4] (the checksum is mended, not computed anew,
 * with equation 3 of RFC 1624). */

#include <base/bytes.h>
#include <base/checksum.h>
#include <wire/ip4.h>

#define FLAG_DF 0x4000u
#define FLAG_MF 0x2000u
#define OFFSET_MASK 0x1fffu

static void read_fields(const uint8_t *bytes, struct ip4_header *header)
{
    uint16_t fragment = get_u16(bytes + 6);

    header->tos = bytes[1];
    header->total_length = get_u16(bytes + 2);
    header->id = get_u16(bytes + 4);
    header->dont_fragment = (fragment & FLAG_DF) != 0;
    header->more_fragments = (fragment & FLAG_MF) != 0;
    header->fragment_offset = (uint16_t)((fragment & OFFSET_MASK) * 8u);
    header->ttl = bytes[8];
    header->protocol = bytes[9];
    header->checksum = get_u16(bytes + 10);
    header->src = get_u32(bytes + 12);
    header->dst = get_u32(bytes + 16);
}

enum weir_drop ip4_parse_quote(const uint8_t *bytes, size_t length, struct ip4_header *header)
{
    if (length < IP4_HEADER)
        return WEIR_DROP_IP_SHORT;
    if (bytes[0] >> 4 != 4)
        return WEIR_DROP_IP_VERSION;
    header->header_length = (uint8_t)((bytes[0] & 0x0fu) * 4u);
    if (header->header_length < IP4_HEADER || header->header_length > length)
        return WEIR_DROP_IP_HEADER_LENGTH;
    read_fields(bytes, header);
    if (header->total_length < header->header_length)
        return WEIR_DROP_IP_LENGTH;
    return WEIR_DROP_NONE;
}

enum weir_drop ip4_parse(const uint8_t *bytes, size_t length, struct ip4_header *header)
{
    enum weir_drop drop = ip4_parse_quote(bytes, length, header);

    if (drop == WEIR_DROP_NONE && header->total_length > length)
        return WEIR_DROP_IP_LENGTH;
    return drop;
}

bool ip4_checksum_ok(const uint8_t *bytes, uint8_t header_length)
{
    return checksum_finish(checksum_add_header(0, bytes, header_length)) == 0;
}

void ip4_emit(const struct ip4_header *header, uint8_t bytes[IP4_HEADER])
{
    uint32_t fragment = header->fragment_offset / 8u;

    if (header->dont_fragment)
        fragment |= FLAG_DF;
    if (header->more_fragments)
        fragment |= FLAG_MF;
    bytes[0] = 0x45;
    bytes[1] = header->tos;
    put_u16(bytes + 2, header->total_length);
    put_u16(bytes + 4, header->id);
    put_u16(bytes + 6, (uint16_t)fragment);
    bytes[8] = header->ttl;
    bytes[9] = header->protocol;
    put_u16(bytes + 10, 0);
    put_u32(bytes + 12, header->src);
    put_u32(bytes + 16, header->dst);
    put_u16(bytes + 10, checksum_finish(checksum_add(0, bytes, IP4_HEADER)));
}

void ip4_decrement_ttl(uint8_t *bytes)
{
    uint16_t before = get_u16(bytes + 8);
    uint16_t after = (uint16_t)(before - 0x100u);

    put_u16(bytes + 8, after);
    put_u16(bytes + 10, checksum_update(get_u16(bytes + 10), before, after));
}
