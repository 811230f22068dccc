/* SPDX-License-Identifier: MIT */
#ifndef WEIR_PCAPNG_H
#define WEIR_PCAPNG_H

/* The journal of a stack as a capture file that Wireshark and tshark read: pcapng blocks, raw IP,
 * nanoseconds. Pure functions: each writes one block to memory, and the same input gives the same
 * bytes on every machine. A file is one section, the interfaces, packets, and at the end what was
 * counted; further interfaces may come between packets, before their first one. */

#include <weir/journal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* No block takes more than this beside the packet in it. Names and comments that are longer than
 * WEIR_PCAPNG_TEXT_MAX bytes are cut. */
#define WEIR_PCAPNG_BLOCK_MAX 2048
#define WEIR_PCAPNG_TEXT_MAX 255

/* Each returns the bytes written, or WEIR_EMSGSIZE, with `bytes` in no particular state, if `size`
 * is too small. */

/* The beginning; `application` names who writes. */
long weir_pcapng_section(uint8_t *bytes, size_t size, const char *application);

struct weir_pcapng_interface {
    const char *name;
    struct weir_addr addr; /* the any-address: not said */
    uint8_t prefix_bits;   /* of its IPv4 prefix, 0..32 */
};

/* An interface; they count from 0 in the order in which they are written. */
long weir_pcapng_interface(uint8_t *bytes, size_t size, const struct weir_pcapng_interface *iface);

/* A packet of interface number `number`. `epoch`: what to add to entry->at to have nanoseconds since
 * 1970. The block says the direction, how many packets are missing before it, and in comments why it
 * was sent ("sent: fast-retransmit (…)") and why it was dropped ("dropped: tcp-checksum (…)").
 * A checksum that the link was to complete is completed; a run of segments stands as one packet,
 * whose lengths and checksums are made right. */
long weir_pcapng_packet(uint8_t *bytes, size_t size, uint32_t number, weir_time epoch,
                        const struct weir_journal_entry *entry);

struct weir_pcapng_counts {
    uint32_t number; /* of the interface */
    weir_time at;    /* nanoseconds since 1970 */
    uint64_t noted;  /* its packets in the file and missing from it */
    uint64_t missed; /* packets missing from the file */
};

/* What was counted, at the end. */
long weir_pcapng_counts(uint8_t *bytes, size_t size, const struct weir_pcapng_counts *counts);

#ifdef __cplusplus
}
#endif
#endif
