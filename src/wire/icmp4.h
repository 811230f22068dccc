/* SPDX-License-Identifier: MIT */
#ifndef WIRE_ICMP4_H
#define WIRE_ICMP4_H

/* ICMP for IPv4 (RFC 792). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ICMP4_HEADER 8u

enum icmp4_type {
    ICMP4_ECHO_REPLY = 0,
    ICMP4_UNREACHABLE = 3,
    ICMP4_SOURCE_QUENCH = 4,
    ICMP4_REDIRECT = 5,
    ICMP4_ECHO = 8,
    ICMP4_TIME_EXCEEDED = 11,
    ICMP4_PARAMETER_PROBLEM = 12,
};

enum icmp4_unreachable {
    ICMP4_NET_UNREACHABLE = 0,
    ICMP4_HOST_UNREACHABLE = 1,
    ICMP4_PROTOCOL_UNREACHABLE = 2,
    ICMP4_PORT_UNREACHABLE = 3,
    ICMP4_FRAGMENTATION_NEEDED = 4,
};

enum icmp4_time_exceeded { ICMP4_TTL_EXCEEDED = 0, ICMP4_REASSEMBLY_EXCEEDED = 1 };

struct icmp4_message {
    uint8_t type, code;
    uint16_t checksum;
    uint32_t rest;       /* bytes 4..7 in host order: echo id << 16 | sequence, next-hop MTU, … */
    const uint8_t *body; /* what follows the 8 bytes; borrowed */
    size_t body_length;
};

/* Returns false if shorter than 8 bytes. */
bool icmp4_parse(const uint8_t *bytes, size_t length, struct icmp4_message *message);

/* Whether the checksum over the whole message is right. */
bool icmp4_checksum_ok(const uint8_t *bytes, size_t length);

/* Writes header and body (copied and summed in one pass) to `bytes`, which takes 8 + body_length. */
void icmp4_emit(const struct icmp4_message *message, uint8_t *bytes);

/* An error message: it quotes another packet (RFC 792, RFC 1122 3.2.2). */
bool icmp4_is_error(uint8_t type);

#endif
