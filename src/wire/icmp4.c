/* SPDX-License-Identifier: MIT */

/* ICMP for IPv4 messages (RFC 792).
 *
 *    0        8        16               31
 *   |  type  |  code  |     checksum     |
 *   |   rest: id and sequence, MTU, …    |
 *   |   body: echo data, or a quote      |
 *
 * The checksum covers the whole message, with no pseudo-header, and a body of odd length is summed
 * as if a zero byte followed: RFC 792 all [792-1]. A message is made in one pass: the body is
 * copied and summed together. The "rest" is one number here; what it means depends on the type and
 * is known to src/net/icmp.c and to the stack's echo sockets. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <wire/icmp4.h>

bool icmp4_parse(const uint8_t *bytes, size_t length, struct icmp4_message *message)
{
    if (length < ICMP4_HEADER)
        return false;
    message->type = bytes[0];
    message->code = bytes[1];
    message->checksum = get_u16(bytes + 2);
    message->rest = get_u32(bytes + 4);
    message->body = bytes + ICMP4_HEADER;
    message->body_length = length - ICMP4_HEADER;
    return true;
}

bool icmp4_checksum_ok(const uint8_t *bytes, size_t length)
{
    return checksum_finish(checksum_add(0, bytes, length)) == 0;
}

void icmp4_emit(const struct icmp4_message *message, uint8_t *bytes)
{
    uint32_t sum;

    bytes[0] = message->type;
    bytes[1] = message->code;
    put_u16(bytes + 2, 0);
    put_u32(bytes + 4, message->rest);
    sum = checksum_add(0, bytes, ICMP4_HEADER);
    if (message->body_length > 0)
        sum = checksum_copy(sum, bytes + ICMP4_HEADER, message->body, message->body_length);
    put_u16(bytes + 2, checksum_finish(sum));
}

bool icmp4_is_error(uint8_t type)
{
    switch (type) {
    case ICMP4_UNREACHABLE:
    case ICMP4_SOURCE_QUENCH:
    case ICMP4_REDIRECT:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAMETER_PROBLEM:
        return true;
    default:
        return false;
    }
}
