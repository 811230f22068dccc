/* SPDX-License-Identifier: MIT */
#ifndef WIRE_RIP_H
#define WIRE_RIP_H

/* RIP messages of the Brown course: command, count, then 12-byte entries; IP protocol 200. */

#include <stddef.h>
#include <stdint.h>

#define RIP_ENTRIES_MAX 64u
#define RIP_HEADER 4u
#define RIP_ENTRY 12u
#define RIP_MESSAGE_MAX (RIP_HEADER + RIP_ENTRIES_MAX * RIP_ENTRY)
#define RIP_INFINITY 16u

enum rip_command { RIP_REQUEST = 1, RIP_RESPONSE = 2 };

struct rip_entry {
    uint32_t cost, address, mask; /* host order */
};

struct rip_message {
    uint16_t command, count;
    struct rip_entry entries[RIP_ENTRIES_MAX];
};

/* Returns 0, or -1 if the command is unknown, the count is above 64 or does not fit `length` (longer
 * is accepted: the rest is ignored). Entries are not judged. */
int rip_parse(const uint8_t *bytes, size_t length, struct rip_message *message);

/* Returns the number of bytes written; `bytes` takes RIP_MESSAGE_MAX. */
size_t rip_emit(const struct rip_message *message, uint8_t *bytes);

#endif
