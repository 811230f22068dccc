/* SPDX-License-Identifier: MIT */
#ifndef WIRE_IP4_H
#define WIRE_IP4_H

/* The IPv4 header (RFC 791 3.1) as a struct. Only src/net and this file know its layout. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/drop.h>
#include <wire/protocol.h>

#define IP4_HEADER 20u
#define IP4_HEADER_MAX 60u
#define IP4_LENGTH_MAX 65535u

struct ip4_header {
    uint32_t src, dst; /* host order */
    uint16_t total_length, id;
    uint16_t fragment_offset; /* bytes, a multiple of 8 */
    uint16_t checksum;
    uint8_t header_length; /* bytes */
    uint8_t tos, ttl, protocol;
    bool dont_fragment, more_fragments;
};

/* Takes the header of a packet of `length` bytes apart, checking lengths and version (RFC 1812
 * 5.2.2). Returns WEIR_DROP_NONE, or IP_SHORT, IP_VERSION, IP_HEADER_LENGTH, IP_LENGTH with *header
 * unspecified. The checksum is not looked at. */
enum weir_drop ip4_parse(const uint8_t *bytes, size_t length, struct ip4_header *header);

/* The same for the beginning of a packet as an ICMP error quotes it: total_length may be more than
 * the `length` bytes at hand. */
enum weir_drop ip4_parse_quote(const uint8_t *bytes, size_t length, struct ip4_header *header);

/* Whether the header's checksum is right (header_length bytes at `bytes`). */
bool ip4_checksum_ok(const uint8_t *bytes, uint8_t header_length);

/* Writes a 20-byte header with its checksum; header_length and checksum of *header are ignored. */
void ip4_emit(const struct ip4_header *header, uint8_t bytes[IP4_HEADER]);

/* Decrements the TTL in place and mends the checksum (RFC 1624). */
void ip4_decrement_ttl(uint8_t *bytes);

#endif
