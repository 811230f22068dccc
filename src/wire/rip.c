/* SPDX-License-Identifier: MIT */

/* RIP messages of the Brown course, bytes to struct and back.
 *
 *    0               16              31
 *   |    command      |    count       |
 *   |  cost  |  address  |  mask  |  12 bytes for each of `count` entries
 *
 * A message is refused as a whole if the command is neither request nor response, if it says more
 * than 64 entries, or if the entries it says are not all there; a count within the length with
 * bytes left over is fine. Costs, addresses and masks are for src/rip to judge. */

#include <assert.h>
#include <base/bytes.h>
#include <wire/rip.h>

int rip_parse(const uint8_t *bytes, size_t length, struct rip_message *message)
{
    uint16_t command, count;

    if (length < RIP_HEADER)
        return -1;
    command = get_u16(bytes);
    count = get_u16(bytes + 2);
    if (command != RIP_REQUEST && command != RIP_RESPONSE)
        return -1;
    if (count > RIP_ENTRIES_MAX || RIP_HEADER + count * RIP_ENTRY > length)
        return -1;
    message->command = command;
    message->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = bytes + RIP_HEADER + i * RIP_ENTRY;

        message->entries[i].cost = get_u32(entry);
        message->entries[i].address = get_u32(entry + 4);
        message->entries[i].mask = get_u32(entry + 8);
    }
    return 0;
}

size_t rip_emit(const struct rip_message *message, uint8_t *bytes)
{
    assert(message->count <= RIP_ENTRIES_MAX);
    put_u16(bytes, message->command);
    put_u16(bytes + 2, message->count);
    for (uint32_t i = 0; i < message->count; i++) {
        uint8_t *entry = bytes + RIP_HEADER + i * RIP_ENTRY;

        put_u32(entry, message->entries[i].cost);
        put_u32(entry + 4, message->entries[i].address);
        put_u32(entry + 8, message->entries[i].mask);
    }
    return RIP_HEADER + message->count * RIP_ENTRY;
}
