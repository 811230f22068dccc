/* SPDX-License-Identifier: MIT */

/* TCP's checksum over the pseudo-header (source, destination, 0, 6, length) and a segment. C90, C++98. */

#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The one's complement sum of bytes that begin at an even place, 0..65535, byte order of the wire. */
extern uint16_t checksum_of(const void *data, size_t length);
/* The sum of two sums. */
extern uint16_t checksum_add(uint16_t left, uint16_t right);
/* The sum of a pseudo-header; addresses in network byte order. */
extern uint16_t checksum_pseudo(uint32_t source, uint32_t destination, size_t length);

#ifdef __cplusplus
}
#endif

#endif
