/* SPDX-License-Identifier: MIT */
#ifndef TALK_SPEC_H
#define TALK_SPEC_H

/* The language in which packets are written in conversations: see talk.h. */

#include <weir/packet.h>

struct spec {
    bool any_flags, has_seq, has_ack, has_window, has_urgent, has_options, has_ttl, has_tos;
    bool is_seq_absolute, is_ack_absolute;
    bool is_icmp, is_bad_sum;
    uint8_t flags, ttl, tos, reserved;
    uint8_t icmp_type, icmp_code;
    int64_t seq, end, ack;
    uint32_t length;
    uint16_t window, urgent;
    uint8_t options[44];
    uint8_t options_length; /* without padding */
    char why[32];           /* empty: not given */
};

/* Returns NULL, or the place in `text` that cannot be understood. */
const char *spec_parse(const char *text, struct spec *spec);

/* Writes a packet in the same language; the numbers are made relative to these. */
const char *spec_print(const struct weir_packet *packet, uint32_t seq_base, uint32_t ack_base,
                       char *text, size_t size);
#define SPEC_TEXT 320

#endif
