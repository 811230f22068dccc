/* SPDX-License-Identifier: MIT */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

/* The TCP header (RFC 9293 3.1) as a struct. Options are left as bytes here: src/tcp/opt takes them
 * apart. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <base/seq.h>
#include <stddef.h>
#include <weir/drop.h>
#include <weir/packet.h>

#define TCP_HEADER 20u
#define TCP_HEADER_MAX 60u
#define TCP_CHECKSUM_OFFSET 16u

enum tcp_flag {
    TCP_FIN = WEIR_TCP_FIN,
    TCP_SYN = WEIR_TCP_SYN,
    TCP_RST = WEIR_TCP_RST,
    TCP_PSH = WEIR_TCP_PSH,
    TCP_ACK = WEIR_TCP_ACK,
    TCP_URG = WEIR_TCP_URG,
    TCP_ECE = WEIR_TCP_ECE,
    TCP_CWR = WEIR_TCP_CWR,
};

struct tcp_header {
    uint16_t sport, dport;
    weir_seq seq, ack;
    uint16_t window, checksum, urgent;
    uint8_t flags;         /* enum tcp_flag */
    uint8_t reserved;      /* the four bits behind the data offset [U-1] */
    uint8_t header_length; /* bytes, 20..60 */
};

/* Takes a header apart. Returns WEIR_DROP_NONE, TCP_SHORT or TCP_HEADER_LENGTH [U-2]. */
static inline enum weir_drop tcp_header_parse(const uint8_t *bytes, size_t length,
                                              struct tcp_header *header)
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

/* Writes the 20 fixed bytes; header_length (a multiple of 4) sets the data offset. */
void tcp_header_emit(const struct tcp_header *header, uint8_t *bytes);

/* Data offset, reserved bits, flags and window: bytes 12..15. */
static inline uint32_t tcp_header_word(const struct tcp_header *header)
{
    return (header->header_length / 4u) << 28 | (header->reserved & 0x0fu) << 24 |
           (uint32_t)header->flags << 16 | header->window;
}

/* Adds the 20 fixed bytes to a checksum as if the checksum field were 0. */
static inline uint32_t tcp_header_sum(uint32_t sum, const struct tcp_header *header)
{
    uint64_t values = (uint64_t)header->sport + header->dport + header->seq + header->ack +
                      tcp_header_word(header) + header->urgent;

    return checksum_join_u64(sum, values);
}

#endif
