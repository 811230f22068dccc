/* SPDX-License-Identifier: MIT */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H

/* The scalars and small values that every weir header speaks in. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A point in time or a duration, in nanoseconds. The zero point is the caller's; it must never run
 * backwards. All of weir is told the time, none of its core asks for it. */
typedef int64_t weir_time;

#define WEIR_NEVER INT64_MAX /* "no deadline" */
#define WEIR_US ((weir_time)1000)
#define WEIR_MS (1000 * WEIR_US)
#define WEIR_SECOND (1000 * WEIR_MS)

/* An Internet address, 16 bytes in network order. An IPv4 address is held v4-mapped
 * (::ffff:a.b.c.d, RFC 4291 2.5.5.2) with scope 0. Compare with weir_addr_equal. */
struct weir_addr {
    uint8_t bytes[16];
    uint32_t scope;
};

/* A transport endpoint; the port is in host order. */
struct weir_endpoint {
    struct weir_addr addr;
    uint16_t port;
};

/* A prefix of a v4-mapped or IPv6 address; `bits` counts from the top of the 128 (an IPv4 /24 is
 * 120). */
struct weir_prefix {
    struct weir_addr addr;
    uint8_t bits;
};

/* Writable and read-only runs of bytes that somebody else owns. */
struct weir_span {
    uint8_t *data;
    size_t length;
};

struct weir_const_span {
    const uint8_t *data;
    size_t length;
};

/* The unspecified IPv4 address 0.0.0.0. */
struct weir_addr weir_addr_any4(void);

/* The v4-mapped address of `host_order` (0x0a000001 is 10.0.0.1), and back. weir_addr_to4 is for
 * v4-mapped addresses only. */
struct weir_addr weir_addr_from4(uint32_t host_order);
uint32_t weir_addr_to4(const struct weir_addr *addr);
bool weir_addr_is4(const struct weir_addr *addr);
bool weir_addr_is_any(const struct weir_addr *addr); /* 0.0.0.0 or :: */
bool weir_addr_equal(const struct weir_addr *a, const struct weir_addr *b);

/* The prefix of an IPv4 network; `bits4` is 0..32, host bits are cleared. */
struct weir_prefix weir_prefix_from4(uint32_t host_order, unsigned bits4);
bool weir_prefix_contains(const struct weir_prefix *prefix, const struct weir_addr *addr);

/* Dotted-quad text to address. Takes exactly four decimal parts 0..255 and nothing else. Returns 0,
 * or WEIR_EINVAL with *addr untouched. */
int weir_addr_parse(const char *text, struct weir_addr *addr);

/* "10.0.0.0/24" to prefix; host bits are kept in *host (may be NULL) and cleared in *prefix. Returns
 * 0 or WEIR_EINVAL. */
int weir_prefix_parse(const char *text, struct weir_prefix *prefix, struct weir_addr *host);

/* Text of an address; `text` takes WEIR_ADDR_TEXT bytes. Returns `text`. */
#define WEIR_ADDR_TEXT 48
const char *weir_addr_print(const struct weir_addr *addr, char *text);

#ifdef __cplusplus
}
#endif
#endif
