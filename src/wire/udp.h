/* SPDX-License-Identifier: MIT */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

/* The UDP header (RFC 768) as a struct. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/drop.h>

#define UDP_HEADER 8u
#define UDP_LENGTH_MAX 65515u /* header and data, in the largest IPv4 packet */

struct udp_header {
    uint16_t sport, dport;
    uint16_t length; /* header and data, bytes */
    uint16_t checksum;
};

/* Reads the 8 bytes at `bytes` as they are. */
void udp_read(const uint8_t *bytes, struct udp_header *header);

/* Takes the header of a datagram in `length` bytes of IP payload apart. Returns WEIR_DROP_NONE,
 * UDP_SHORT, or UDP_LENGTH if the length field is below 8 or beyond `length`; bytes behind it are
 * padding. *header is untouched on failure. */
enum weir_drop udp_parse(const uint8_t *bytes, size_t length, struct udp_header *header);

/* Whether the checksum over `length` bytes (the header's length field) holds, or there is none.
 * `pseudo_sum`: the partial sum of addresses and protocol, without the length. */
bool udp_checksum_ok(const uint8_t *bytes, uint32_t length, uint32_t pseudo_sum);

/* Writes header, data and checksum in one pass; `length` bytes of data, at most UDP_LENGTH_MAX -
 * UDP_HEADER, may be none. The length and checksum of *header are not looked at. */
void udp_emit(const struct udp_header *header, uint32_t pseudo_sum, const void *data,
              uint32_t length, uint8_t *bytes);

#endif
