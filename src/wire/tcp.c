/* SPDX-License-Identifier: MIT */

/* The TCP header, taken apart and put together (RFC 9293 3.1).
 *
 *    0               16                     31
 *   |  source port    |   destination port    |
 *   |            sequence number              |
 *   |         acknowledgment number           |
 *   | off |rsv| flags |        window         |
 *   |    checksum     |    urgent pointer     |
 *   |         options, up to 40 bytes         |
 *
 * Only the lengths are judged: 20 <= header length <= segment length [U-2]. The reserved bits are
 * reported and not interpreted [U-1]; options stay bytes, since src/tcp/opt knows them. The
 * checksum is emitted as 0, because it is made in the pass that copies the payload. */

#include <base/bytes.h>
#include <wire/tcp.h>

enum weir_drop tcp_header_parse(const uint8_t *bytes, size_t length, struct tcp_header *header)
{
    uint8_t header_length;

    if (length < TCP_HEADER)
        return WEIR_DROP_TCP_SHORT;
    header_length = (uint8_t)((bytes[12] >> 4) * 4);
    if (header_length < TCP_HEADER || header_length > length)
        return WEIR_DROP_TCP_HEADER_LENGTH;
    header->sport = get_u16(bytes);
    header->dport = get_u16(bytes + 2);
    header->seq = get_u32(bytes + 4);
    header->ack = get_u32(bytes + 8);
    header->header_length = header_length;
    header->reserved = bytes[12] & 0x0f;
    header->flags = bytes[13];
    header->window = get_u16(bytes + 14);
    header->checksum = get_u16(bytes + TCP_CHECKSUM_OFFSET);
    header->urgent = get_u16(bytes + 18);
    return WEIR_DROP_NONE;
}

void tcp_header_emit(const struct tcp_header *header, uint8_t *bytes)
{
    put_u16(bytes, header->sport);
    put_u16(bytes + 2, header->dport);
    put_u32(bytes + 4, header->seq);
    put_u32(bytes + 8, header->ack);
    bytes[12] = (uint8_t)(((header->header_length / 4u) << 4) | (header->reserved & 0x0fu));
    bytes[13] = header->flags;
    put_u16(bytes + 14, header->window);
    put_u16(bytes + TCP_CHECKSUM_OFFSET, 0);
    put_u16(bytes + 18, header->urgent);
}
