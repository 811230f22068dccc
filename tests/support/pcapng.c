/* SPDX-License-Identifier: MIT */

/* See pcapng.h. Only what is written least byte first is understood. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <support/pcapng.h>

#define FILE_MAX ((size_t)1 << 24)

static uint32_t word(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint16_t half(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

void pcapng_begin(struct pcapng_reader *reader, const void *bytes, size_t length)
{
    memset(reader, 0, sizeof(*reader));
    reader->bytes = bytes;
    reader->length = length;
}

static bool broken(struct pcapng_reader *reader, const char *what)
{
    reader->broken = what;
    return false;
}

static void text(char to[256], const uint8_t *from, uint16_t length)
{
    size_t kept = length < 255 ? length : 255;

    memcpy(to, from, kept);
    to[kept] = '\0';
}

static bool interface_option(struct pcapng_block *block, uint16_t code, const uint8_t *value,
                             uint16_t length)
{
    if (code == 2)
        text(block->name, value, length);
    if (code == 4 && length == 8) {
        memcpy(block->addr, value, 8);
        block->has_addr = true;
    }
    return code != 9 || (length == 1 && value[0] == 9);
}

static bool packet_option(struct pcapng_block *block, uint16_t code, const uint8_t *value,
                          uint16_t length)
{
    if (code == 2 && length == 4)
        block->direction = word(value) & 3;
    if (code == 4 && length == 8)
        block->drop_count = word(value) | (uint64_t)word(value + 4) << 32;
    return code != 2 || length == 4;
}

static bool counts_option(struct pcapng_block *block, uint16_t code, const uint8_t *value,
                          uint16_t length)
{
    if (code == 4 && length == 8)
        block->received = word(value) | (uint64_t)word(value + 4) << 32;
    if (code == 5 && length == 8)
        block->dropped = word(value) | (uint64_t)word(value + 4) << 32;
    return length == 8;
}

/* One option of a block. False: it is not as the format says. */
static bool option(struct pcapng_block *block, uint16_t code, const uint8_t *value, uint16_t length)
{
    if (code == 1) {
        if (block->comment_count < PCAPNG_COMMENTS)
            text(block->comments[block->comment_count++], value, length);
        return true;
    }
    switch (block->type) {
    case PCAPNG_INTERFACE:
        return interface_option(block, code, value, length);
    case PCAPNG_PACKET:
        return packet_option(block, code, value, length);
    case PCAPNG_COUNTS:
        return counts_option(block, code, value, length);
    default:
        if (code == 4)
            text(block->name, value, length);
        return true;
    }
}

static bool options(struct pcapng_reader *reader, struct pcapng_block *block, const uint8_t *at,
                    const uint8_t *end)
{
    while (end - at >= 4) {
        uint16_t code = half(at), length = half(at + 2);
        size_t padded = ((size_t)length + 3) & ~(size_t)3;

        if (code == 0)
            return (length == 0 && at + 4 == end) || broken(reader, "the end of options");
        if ((size_t)(end - at) < 4 + padded)
            return broken(reader, "an option beyond its block");
        if (!option(block, code, at + 4, length))
            return broken(reader, "an option's length or value");
        at += 4 + padded;
    }
    return at == end || broken(reader, "bytes behind the options");
}

static bool packet(struct pcapng_reader *reader, struct pcapng_block *block, const uint8_t *at,
                   uint32_t length)
{
    uint32_t fixed;

    if (length < 20)
        return broken(reader, "a short packet block");
    block->data_length = word(at + 12);
    block->data = at + 20;
    fixed = 20 + ((block->data_length + 3) & ~3u);
    if (block->data_length > length || fixed > length || word(at + 16) < block->data_length)
        return broken(reader, "a packet beyond its block");
    return options(reader, block, at + fixed, at + length);
}

/* The body without the two lengths. */
static bool body(struct pcapng_reader *reader, struct pcapng_block *block, const uint8_t *at,
                 uint32_t length)
{
    if (length < (block->type == PCAPNG_SECTION ? 16 : block->type == PCAPNG_INTERFACE ? 8 : 12))
        return broken(reader, "a short block");
    if (block->type == PCAPNG_SECTION)
        return word(at) == 0x1a2b3c4d && half(at + 4) == 1 && half(at + 6) == 0
                   ? options(reader, block, at + 16, at + length)
                   : broken(reader, "magic or version");
    if (block->type == PCAPNG_INTERFACE) {
        block->link_type = half(at);
        block->interface = reader->interfaces++;
        return options(reader, block, at + 8, at + length);
    }
    block->interface = word(at);
    block->time = (uint64_t)word(at + 4) << 32 | word(at + 8);
    if (block->interface >= reader->interfaces)
        return broken(reader, "an interface that was not described");
    if (block->type == PCAPNG_PACKET)
        return packet(reader, block, at, length);
    return options(reader, block, at + 12, at + length);
}

bool pcapng_next(struct pcapng_reader *reader, struct pcapng_block *block)
{
    const uint8_t *at = reader->bytes + reader->at;
    size_t left = reader->length - reader->at;

    memset(block, 0, sizeof(*block));
    if (left == 0 || reader->broken)
        return false;
    if (left < 12)
        return broken(reader, "bytes at the end");
    block->type = word(at);
    block->length = word(at + 4);
    if (block->length % 4 || block->length < 12 || block->length > left ||
        word(at + block->length - 4) != block->length)
        return broken(reader, "a block's length");
    if ((reader->at == 0) != (block->type == PCAPNG_SECTION))
        return broken(reader, "a section's place");
    if (block->type != PCAPNG_SECTION && block->type != PCAPNG_INTERFACE &&
        block->type != PCAPNG_PACKET && block->type != PCAPNG_COUNTS)
        return broken(reader, "an unknown block");
    reader->at += block->length;
    return body(reader, block, at + 8, block->length - 12);
}

uint8_t *pcapng_load(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(FILE_MAX);

    if (!file || !bytes) {
        perror(path);
        exit(2);
    }
    *length = fread(bytes, 1, FILE_MAX, file);
    fclose(file);
    return bytes;
}
