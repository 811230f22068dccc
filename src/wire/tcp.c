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

#include <wire/tcp.h>

void tcp_header_emit(const struct tcp_header *header, uint8_t *bytes)
{
    put_u32(bytes, (uint32_t)header->sport << 16 | header->dport);
    put_u32(bytes + 4, header->seq);
    put_u32(bytes + 8, header->ack);
    put_u32(bytes + 12, tcp_header_word(header));
    put_u32(bytes + TCP_CHECKSUM_OFFSET, (uint32_t)header->checksum << 16 | header->urgent);
}
