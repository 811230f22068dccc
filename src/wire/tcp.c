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
 * reported and not interpreted [U-1]; options stay bytes, since src/tcp/opt knows them.
 *
 * Whoever emits a header has its fields at hand, so tcp_header_sum adds them up without reading back
 * what was just written: such a load would wait for the stores. */

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
    put_u32(bytes, (uint32_t)header->sport << 16 | header->dport);
    put_u32(bytes + 4, header->seq);
    put_u32(bytes + 8, header->ack);
    put_u32(bytes + 12, tcp_header_word(header));
    put_u32(bytes + TCP_CHECKSUM_OFFSET, (uint32_t)header->checksum << 16 | header->urgent);
}
