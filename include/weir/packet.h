/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

/* Packets as structs: parse, emit, print. Pure functions; what tests, captures and traces are made
 * with. */

#include <weir/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_tcp_flag {
    WEIR_TCP_FIN = 0x01,
    WEIR_TCP_SYN = 0x02,
    WEIR_TCP_RST = 0x04,
    WEIR_TCP_PSH = 0x08,
    WEIR_TCP_ACK = 0x10,
    WEIR_TCP_URG = 0x20,
    WEIR_TCP_ECE = 0x40,
    WEIR_TCP_CWR = 0x80,
};

/* An IPv4 packet with its TCP, UDP or ICMP header taken apart. For emit, lengths and checksums are
 * computed; for parse they are as found. A UDP datagram ends where its length field says (RFC 768);
 * one whose checksum field is 0 has none, and counts as right. */
struct weir_packet {
    struct weir_addr src, dst;
    uint8_t ttl, tos, protocol;
    uint16_t id;
    bool dont_fragment, more_fragments;
    uint16_t fragment_offset; /* bytes */
    /* TCP (protocol 6) and UDP (protocol 17) */
    uint16_t sport, dport;
    /* TCP */
    uint32_t seq, ack;
    uint16_t window, urgent;
    uint8_t flags, reserved; /* reserved: the four bits after data offset */
    const uint8_t *options;  /* TCP option bytes, borrowed */
    uint8_t options_length;  /* emit: must be a multiple of 4, at most 40 */
    int32_t mss;             /* parse: value of the MSS option, or -1; emit: > 0 adds one */
    /* ICMP (protocol 1) */
    uint8_t icmp_type, icmp_code;
    uint32_t icmp_rest; /* bytes 4..7, host order */
    /* What follows the last header that was taken apart; borrowed. */
    const uint8_t *payload;
    uint32_t payload_length;
    /* parse: did the sums hold? */
    bool ip_checksum_ok, transport_checksum_ok;
};

/* Takes `bytes` apart. Returns 0, or WEIR_EINVAL if the lengths do not fit together; wrong checksums
 * are only reported. */
int weir_packet_parse(const uint8_t *bytes, size_t length, struct weir_packet *packet);

/* Writes a packet. Returns its length, or WEIR_EMSGSIZE if `size` or 65,535 is too small. */
long weir_packet_emit(const struct weir_packet *packet, uint8_t *bytes, size_t size);

/* One line, as tcpdump would: "10.0.0.1:1024 > 10.1.0.2:80 S 100:100(0) win 65535 <mss 1460>",
 * "10.0.0.1:1024 > 10.1.0.2:53 udp (12)". Returns `text` (always terminated; cut if `size` is too small). */
const char *weir_packet_print(const struct weir_packet *packet, char *text, size_t size);
#define WEIR_PACKET_TEXT 256

#ifdef __cplusplus
}
#endif
#endif
