/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_CRAFT_H
#define LAB_DRILL_CRAFT_H

/* Packets in bytes, right or wrong on purpose. */

#include <lab/drill/script.h>

#define CRAFT_BYTES (160u << 10) /* room for any packet, before a fragment is cut out of it */

/* Writes `packet` (protocols 1, 6 and 17 get their headers, others are all payload) with what `ip`
 * says otherwise (NULL: nothing) to `bytes` (CRAFT_BYTES). Lengths and sums are right unless `ip`
 * forbids it. Returns the number of bytes, or WEIR_EMSGSIZE: longer than 65,535. */
long craft_emit(const struct weir_packet *packet, const struct ip_line *ip, uint8_t *bytes);

/* A UDP header as it is on the wire. */
struct craft_udp {
    uint16_t sport, dport, length;
    bool checksum_ok; /* or there is none */
    const uint8_t *payload;
    uint32_t payload_length;
};

/* Takes the whole IP packet in `bytes` apart; false: that is no UDP datagram. */
bool craft_parse_udp(const uint8_t *bytes, size_t length, struct craft_udp *udp);

#endif
