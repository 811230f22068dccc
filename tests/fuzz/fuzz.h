/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

/* What the fuzz targets share: reading decisions from the input, an allocator that keeps books, and
 * packets whose checksums are right. A target aborts when something is broken, so libFuzzer and the
 * replay notice it alike. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/stack.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is broken and where, and aborts. */
#define FUZZ_CHECK(condition, ...)                                          \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
            abort();                                                        \
        }                                                                   \
    } while (0)

/* The input, taken off from its front. An empty one gives zeros. */
struct reader {
    const uint8_t *data;
    size_t left;
};

uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);

/* Takes up to `most` bytes; returns where they are and sets *length. */
const uint8_t *read_span(struct reader *reader, size_t most, size_t *length);

/* What is allocated. While `refuse` is not zero, each allocation takes one off it and fails. */
struct ledger {
    size_t blocks, bytes;
    uint32_t refuse;
};

/* An allocator that books in *ledger and checks that each block comes back with its size. */
struct weir_allocator ledger_allocator(struct ledger *ledger);

/* Makes the checksums of an IPv4 packet right, as far as its lengths make sense: the header's, and
 * that of TCP or ICMP unless it is a fragment. */
void fix_checksums(uint8_t *bytes, size_t length);

/* A block of exactly `length` bytes, so that a look beyond it is noticed. */
uint8_t *exact_copy(const void *bytes, size_t length);

/* One packet arrives on `iface`; its bytes are gone afterwards. */
void feed(struct weir_stack *stack, int iface, const uint8_t *bytes, size_t length, weir_time now);

#endif
