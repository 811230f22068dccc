/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_LINK_UDP_ENDS_H
#define TESTS_UNIT_LINK_UDP_ENDS_H

/* What the tests of the UDP link share: links and plain sockets on free ports of the loopback
 * interface. */

#include <stdint.h>
#include <weir/links.h>

#define ENDS_LOCALHOST 0x7f000001u
#define ENDS_PATIENCE_MS 5000

/* A link on a port that the system has free, and its tag. */
struct weir_link *ends_open_link(uint32_t mtu, uint64_t *tag);

/* A plain UDP socket, as any other program would have it; its tag. */
int ends_open_socket(uint64_t *tag);

/* Waits for a datagram. Returns its length. */
long ends_read(int fd, void *bytes, size_t room);

/* Stages a packet of `length` bytes that begins with `number`, as far as it fits, and is filled with
 * its last byte. */
void ends_stage(struct weir_link *link, uint64_t tag, uint32_t number, uint32_t length);
/* What ends_stage would make of it. */
void ends_fill(uint8_t *bytes, uint32_t number, uint32_t length);

/* What the link holds, or else the next that comes. */
int ends_receive(struct weir_link *link, struct weir_frame *frames, int max);

#endif
