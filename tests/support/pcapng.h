/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_PCAPNG_H
#define TESTS_SUPPORT_PCAPNG_H

/* A reader of pcapng files for tests, written from the format's description and not from the writer:
 * it checks what every block must fulfil, and hands out what stands in it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PCAPNG_SECTION = 0x0a0d0d0a, PCAPNG_INTERFACE = 1, PCAPNG_PACKET = 6, PCAPNG_COUNTS = 5 };

#define PCAPNG_COMMENTS 4

struct pcapng_block {
    uint32_t type, length;
    uint32_t interface; /* packet, counts; of an interface block: its own number */
    uint64_t time;      /* packet, counts: nanoseconds */
    uint32_t link_type; /* interface */
    const uint8_t *data;
    uint32_t data_length;
    unsigned direction; /* packet: 1 in, 2 out */
    uint64_t drop_count;
    uint64_t received, dropped; /* counts */
    uint8_t addr[8];            /* interface: address and mask */
    bool has_addr;
    char name[256]; /* interface: its name; section: the application */
    unsigned comment_count;
    char comments[PCAPNG_COMMENTS][256];
};

struct pcapng_reader {
    const uint8_t *bytes;
    size_t length, at;
    uint32_t interfaces;
    const char *broken; /* what offends the format; NULL: nothing */
};

void pcapng_begin(struct pcapng_reader *reader, const void *bytes, size_t length);

/* The next block; false at the end, or if `broken` is set. */
bool pcapng_next(struct pcapng_reader *reader, struct pcapng_block *block);

/* A whole file in memory of malloc; ends the test program if it cannot be read. */
uint8_t *pcapng_load(const char *path, size_t *length);

#endif
