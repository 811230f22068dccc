/* SPDX-License-Identifier: MIT */

/* UDP datagrams, taken apart and put together (RFC 768).
 *
 *    0               16                31
 *   |  source port    | destination port |
 *   |     length      |     checksum     |
 *   |  data                              |
 *
 * The length counts header and data: RFC 768 Fields [768-1]. It may be less than what IP carries,
 * and what is behind it is not looked at; more than that is a fault. The checksum covers a pseudo
 * header with that same length, not with the packet's. Two of its values are special. A field of 0
 * says that the sender made none, and such a datagram is taken as it is; a sum that comes out as 0
 * is therefore sent as 0xffff, which means the same in ones' complement: RFC 1122 4.1.3.4 [768-2].
 * We always make one. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <wire/udp.h>

#define CHECKSUM_OFFSET 6u

void udp_read(const uint8_t *bytes, struct udp_header *header)
{
    header->sport = get_u16(bytes);
    header->dport = get_u16(bytes + 2);
    header->length = get_u16(bytes + 4);
    header->checksum = get_u16(bytes + CHECKSUM_OFFSET);
}

enum weir_drop udp_parse(const uint8_t *bytes, size_t length, struct udp_header *header)
{
    struct udp_header found;

    if (length < UDP_HEADER)
        return WEIR_DROP_UDP_SHORT;
    udp_read(bytes, &found);
    if (found.length < UDP_HEADER || found.length > length)
        return WEIR_DROP_UDP_LENGTH;
    *header = found;
    return WEIR_DROP_NONE;
}

bool udp_checksum_ok(const uint8_t *bytes, uint32_t length, uint32_t pseudo_sum)
{
    if (get_u16(bytes + CHECKSUM_OFFSET) == 0)
        return true;
    pseudo_sum = checksum_add_u32(pseudo_sum, length);
    return checksum_finish(checksum_add(pseudo_sum, bytes, length)) == 0;
}

void udp_emit(const struct udp_header *header, uint32_t pseudo_sum, const void *data,
              uint32_t length, uint8_t *bytes)
{
    uint32_t sum = checksum_add_u32(pseudo_sum, UDP_HEADER + length);
    uint16_t checksum;

    put_u16(bytes, header->sport);
    put_u16(bytes + 2, header->dport);
    put_u16(bytes + 4, (uint16_t)(UDP_HEADER + length));
    put_u16(bytes + CHECKSUM_OFFSET, 0);
    sum = checksum_add(sum, bytes, UDP_HEADER);
    if (length > 0)
        sum = checksum_copy(sum, bytes + UDP_HEADER, data, length);
    checksum = checksum_finish(sum);
    put_u16(bytes + CHECKSUM_OFFSET, checksum ? checksum : 0xffff);
}
