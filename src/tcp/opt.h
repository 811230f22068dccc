/* SPDX-License-Identifier: MIT */
#ifndef TCP_OPT_H
#define TCP_OPT_H

/* The TCP options: one file in opt/ and one line here each. The list expands to direct calls, since
 * it is walked for each segment that has options. */

#include <tcp/tcp.h>

/* X(name, kind, length): opt_<name>_parse is called for an option of that kind and exact length; a
 * wrong length is an illegal option. opt_<name>_emit writes the option if this segment should carry
 * it. */
#define TCP_OPTS(X) X(mss, 2, 4)

#define TCP_OPTIONS_MAX 40u

/* What an option is decided by when a segment is made. */
struct opt_out {
    uint8_t flags; /* of the segment */
    uint16_t mss;  /* to announce; 0: none */
};

#define X(name, kind, length)                                                   \
    void opt_##name##_parse(const uint8_t *value, struct tcp_options *options); \
    uint32_t opt_##name##_emit(const struct opt_out *out, uint8_t *bytes);
TCP_OPTS(X)
#undef X

/* Takes the option bytes of a header apart (RFC 9293 3.1). Unknown kinds are skipped, what follows an
 * end-of-list is not looked at. Returns false at an illegal length [MUST-7]; what came before it has
 * been taken. */
bool opt_parse(const uint8_t *bytes, uint32_t length, bool is_syn, struct tcp_options *options);

/* Writes the options of a segment, padded with zeros to a multiple of 4 [MUST-69]. Returns the
 * length; `bytes` takes TCP_OPTIONS_MAX. */
uint32_t opt_emit(const struct opt_out *out, uint8_t *bytes);

#endif
