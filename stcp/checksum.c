/* SPDX-License-Identifier: MIT */

/* The Internet checksum, on words in the machine's own byte order: the sum of swapped words is the
 * swapped sum (RFC 1071), so nothing is ever swapped. */

#include "checksum.h"
#include <arpa/inet.h>
#include <string.h>

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t checksum_of(const void *data, size_t length)
{
    const unsigned char *at = (const unsigned char *)data;
    uint64_t sum = 0;
    uint16_t word;
    size_t i;

    for (i = 0; i + 1 < length; i += 2) {
        memcpy(&word, at + i, 2);
        sum += word;
    }
    if (length & 1) {
        word = 0;
        memcpy(&word, at + length - 1, 1);
        sum += word;
    }
    return fold(sum);
}

uint16_t checksum_add(uint16_t left, uint16_t right)
{
    return fold((uint64_t)left + right);
}

uint16_t checksum_pseudo(uint32_t source, uint32_t destination, size_t length)
{
    return fold((uint64_t)source + destination + htons(6) + htons((uint16_t)length));
}
