/* SPDX-License-Identifier: MIT */

/* What the fuzz targets share.
 *
 * The allocator puts the size in front of each block: a release with another size would corrupt the
 * stack's budget without a trace otherwise. Packets are handed over in blocks of exactly their
 * length and freed right after, so that AddressSanitizer sees both a look beyond the end and a
 * pointer that was kept.
 *
 * Checksums are computed by the plain loop of RFC 1071 here, not by the code under test.
 */

#include "fuzz.h"

#define BLOCK_HEAD 16u /* keeps what follows aligned */

uint8_t read_u8(struct reader *reader)
{
    if (!reader->left)
        return 0;
    reader->left--;
    return *reader->data++;
}

uint16_t read_u16(struct reader *reader)
{
    unsigned high = read_u8(reader);

    return (uint16_t)(high << 8 | read_u8(reader));
}

uint32_t read_u32(struct reader *reader)
{
    uint32_t high = read_u16(reader);

    return high << 16 | read_u16(reader);
}

const uint8_t *read_span(struct reader *reader, size_t most, size_t *length)
{
    const uint8_t *span = reader->data;

    *length = most < reader->left ? most : reader->left;
    reader->data += *length;
    reader->left -= *length;
    return span;
}

static void *acquire(void *context, size_t bytes)
{
    struct ledger *ledger = context;
    uint8_t *block;

    if (ledger->refuse) {
        ledger->refuse--;
        return NULL;
    }
    block = malloc(BLOCK_HEAD + bytes);
    if (!block)
        return NULL;
    memcpy(block, &bytes, sizeof bytes);
    ledger->blocks++;
    ledger->bytes += bytes;
    return block + BLOCK_HEAD;
}

static void release(void *context, void *memory, size_t bytes)
{
    struct ledger *ledger = context;
    uint8_t *block;
    size_t booked;

    if (!memory)
        return;
    block = (uint8_t *)memory - BLOCK_HEAD;
    memcpy(&booked, block, sizeof booked);
    FUZZ_CHECK(booked == bytes, "%zu bytes were acquired, %zu are released", booked, bytes);
    ledger->blocks--;
    ledger->bytes -= bytes;
    free(block);
}

struct weir_allocator ledger_allocator(struct ledger *ledger)
{
    return (struct weir_allocator){.acquire = acquire, .release = release, .context = ledger};
}

static uint32_t sum_words(uint32_t sum, const uint8_t *bytes, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    return sum;
}

static void put_sum(uint8_t *field, uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    field[0] = (uint8_t)(sum >> 8);
    field[1] = (uint8_t)sum;
}

void fix_checksums(uint8_t *bytes, size_t length)
{
    size_t head = length ? (bytes[0] & 15u) * 4u : 0;
    size_t total;
    uint8_t *body;
    uint32_t pseudo;

    if (head < 20 || head > length)
        return;
    bytes[10] = bytes[11] = 0;
    put_sum(bytes + 10, sum_words(0, bytes, head));
    total = (size_t)bytes[2] << 8 | bytes[3];
    if (total > length || total < head || (bytes[6] & 0x3f) || bytes[7])
        return;
    body = bytes + head;
    total -= head;
    if (bytes[9] == 1 && total >= 4) {
        body[2] = body[3] = 0;
        put_sum(body + 2, sum_words(0, body, total));
    } else if (bytes[9] == 6 && total >= 18) {
        body[16] = body[17] = 0;
        pseudo = sum_words(6u + (uint32_t)total, bytes + 12, 8);
        put_sum(body + 16, sum_words(pseudo, body, total));
    } else if (bytes[9] == 17 && total >= 8 && (body[6] || body[7])) {
        body[4] = (uint8_t)(total >> 8);
        body[5] = (uint8_t)total;
        body[6] = body[7] = 0;
        pseudo = sum_words(17u + (uint32_t)total, bytes + 12, 8);
        put_sum(body + 6, sum_words(pseudo, body, total));
    }
}

uint8_t *exact_copy(const void *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);

    FUZZ_CHECK(copy, "out of memory");
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

void feed(struct weir_stack *stack, int iface, const uint8_t *bytes, size_t length, weir_time now)
{
    struct weir_frame frame = {.length = (uint32_t)length, .l2 = WEIR_L2_IP};

    frame.data = exact_copy(bytes, length);
    weir_stack_input(stack, iface, &frame, 1, now);
    free(frame.data);
}
