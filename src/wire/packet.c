/* SPDX-License-Identifier: MIT */

/* Whole packets as one struct, for tests, captures and traces: parse, emit, print.
 *
 * A packet is taken apart as far as this library speaks: IPv4, then TCP, UDP or ICMP if the packet
 * is not a later fragment; everything behind is the payload. Parsing judges only whether the lengths
 * fit together, and says of checksums whether they held; of IP options it knows the length.
 * Emitting makes lengths and sums; a fragment's transport header is emitted as told, with the sum
 * over what is there.
 *
 * Printed lines look like tcpdump's, since that is what readers of traces have in their eyes:
 *
 *   10.0.0.1:1024 > 10.1.0.2:80 S. 100:100(0) ack 7 win 65535 <mss 1460>
 *   10.0.0.1:1024 > 10.1.0.2:53 udp (12)
 *   10.0.0.1 > 10.1.0.2 icmp echo 3 1, 56 bytes
 *   10.0.0.1 > 10.1.0.2 proto 200, 28 bytes, frag 8+
 *
 * The text is cut where the caller's buffer ends, never in an undefined state. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>
#include <weir/packet.h>
#include <wire/icmp4.h>
#include <wire/ip4.h>
#include <wire/tcp.h>
#include <wire/udp.h>

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_MSS 2
#define OPTION_MSS_BYTES 4u

/* ---- Parse ---------------------------------------------------------------------------------- */

static int32_t find_mss(const uint8_t *options, uint32_t length)
{
    uint32_t at = 0;

    while (at < length && options[at] != OPTION_END) {
        if (options[at] == OPTION_NOP) {
            at++;
            continue;
        }
        if (at + 1 >= length || options[at + 1] < 2 || options[at + 1] > length - at)
            break;
        if (options[at] == OPTION_MSS && options[at + 1] == OPTION_MSS_BYTES)
            return get_u16(options + at + 2);
        at += options[at + 1];
    }
    return -1;
}

static uint32_t pseudo_sum(const struct ip4_header *ip, uint32_t length)
{
    uint32_t sum = checksum_add_u32((uint32_t)ip->protocol + length, ip->src);

    return checksum_add_u32(sum, ip->dst);
}

static int parse_tcp(const struct ip4_header *ip, const uint8_t *bytes, uint32_t length,
                     struct weir_packet *packet)
{
    struct tcp_header tcp;

    if (tcp_header_parse(bytes, length, &tcp) != WEIR_DROP_NONE)
        return WEIR_EINVAL;
    packet->sport = tcp.sport;
    packet->dport = tcp.dport;
    packet->seq = tcp.seq;
    packet->ack = tcp.ack;
    packet->window = tcp.window;
    packet->urgent = tcp.urgent;
    packet->flags = tcp.flags;
    packet->reserved = tcp.reserved;
    packet->options = bytes + TCP_HEADER;
    packet->options_length = (uint8_t)(tcp.header_length - TCP_HEADER);
    packet->mss = find_mss(packet->options, packet->options_length);
    packet->payload = bytes + tcp.header_length;
    packet->payload_length = length - tcp.header_length;
    packet->transport_checksum_ok =
        checksum_finish(checksum_add(pseudo_sum(ip, length), bytes, length)) == 0;
    return 0;
}

/* The first fragment of a datagram says how long the whole is: there its length may be beyond what
 * is here. */
static int parse_udp(const struct ip4_header *ip, const uint8_t *bytes, uint32_t length,
                     struct weir_packet *packet)
{
    struct udp_header udp;

    if (length < UDP_HEADER)
        return WEIR_EINVAL;
    udp_read(bytes, &udp);
    if (udp.length < UDP_HEADER || (udp.length > length && !ip->more_fragments))
        return WEIR_EINVAL;
    length = min_u32(udp.length, length);
    packet->sport = udp.sport;
    packet->dport = udp.dport;
    packet->payload = bytes + UDP_HEADER;
    packet->payload_length = length - UDP_HEADER;
    packet->transport_checksum_ok = udp_checksum_ok(bytes, length, pseudo_sum(ip, 0));
    return 0;
}

static int parse_icmp(const uint8_t *bytes, uint32_t length, struct weir_packet *packet)
{
    struct icmp4_message message;

    if (!icmp4_parse(bytes, length, &message))
        return WEIR_EINVAL;
    packet->icmp_type = message.type;
    packet->icmp_code = message.code;
    packet->icmp_rest = message.rest;
    packet->payload = message.body;
    packet->payload_length = (uint32_t)message.body_length;
    packet->transport_checksum_ok = icmp4_checksum_ok(bytes, length);
    return 0;
}

static void fill_ip(const struct ip4_header *ip, struct weir_packet *packet)
{
    memset(packet, 0, sizeof(*packet));
    packet->src = weir_addr_from4(ip->src);
    packet->dst = weir_addr_from4(ip->dst);
    packet->ttl = ip->ttl;
    packet->tos = ip->tos;
    packet->protocol = ip->protocol;
    packet->id = ip->id;
    packet->dont_fragment = ip->dont_fragment;
    packet->more_fragments = ip->more_fragments;
    packet->fragment_offset = ip->fragment_offset;
    packet->mss = -1;
}

int weir_packet_parse(const uint8_t *bytes, size_t length, struct weir_packet *packet)
{
    struct ip4_header ip;
    struct weir_packet found;
    const uint8_t *body;
    uint32_t body_length;
    int error = 0;

    if (ip4_parse(bytes, length, &ip) != WEIR_DROP_NONE)
        return WEIR_EINVAL;
    fill_ip(&ip, &found);
    found.ip_checksum_ok = ip4_checksum_ok(bytes, ip.header_length);
    found.transport_checksum_ok = true;
    body = bytes + ip.header_length;
    body_length = (uint32_t)ip.total_length - ip.header_length;
    found.payload = body;
    found.payload_length = body_length;
    if (ip.fragment_offset == 0 && ip.protocol == IP_PROTOCOL_TCP)
        error = parse_tcp(&ip, body, body_length, &found);
    else if (ip.fragment_offset == 0 && ip.protocol == IP_PROTOCOL_UDP)
        error = parse_udp(&ip, body, body_length, &found);
    else if (ip.fragment_offset == 0 && ip.protocol == IP_PROTOCOL_ICMP)
        error = parse_icmp(body, body_length, &found);
    if (!error)
        *packet = found;
    return error;
}

/* ---- Emit ----------------------------------------------------------------------------------- */

static uint32_t transport_header(const struct weir_packet *packet)
{
    if (packet->fragment_offset > 0)
        return 0;
    if (packet->protocol == IP_PROTOCOL_TCP)
        return TCP_HEADER + packet->options_length + (packet->mss > 0 ? OPTION_MSS_BYTES : 0);
    if (packet->protocol == IP_PROTOCOL_UDP)
        return UDP_HEADER;
    return packet->protocol == IP_PROTOCOL_ICMP ? ICMP4_HEADER : 0;
}

static void emit_tcp(const struct weir_packet *packet, const struct ip4_header *ip, uint8_t *bytes)
{
    uint32_t length = (uint32_t)ip->total_length - IP4_HEADER;
    struct tcp_header tcp = {.sport = packet->sport,
                             .dport = packet->dport,
                             .seq = packet->seq,
                             .ack = packet->ack,
                             .window = packet->window,
                             .urgent = packet->urgent,
                             .flags = packet->flags,
                             .reserved = packet->reserved,
                             .header_length = (uint8_t)transport_header(packet)};
    uint8_t *at = bytes + TCP_HEADER;

    tcp_header_emit(&tcp, bytes);
    if (packet->mss > 0) {
        at[0] = OPTION_MSS;
        at[1] = OPTION_MSS_BYTES;
        put_u16(at + 2, (uint16_t)packet->mss);
        at += OPTION_MSS_BYTES;
    }
    if (packet->options_length > 0)
        memcpy(at, packet->options, packet->options_length);
    if (packet->payload_length > 0)
        memcpy(at + packet->options_length, packet->payload, packet->payload_length);
    put_u16(bytes + TCP_CHECKSUM_OFFSET,
            checksum_finish(checksum_add(pseudo_sum(ip, length), bytes, length)));
}

static void emit_udp(const struct weir_packet *packet, const struct ip4_header *ip, uint8_t *bytes)
{
    struct udp_header udp = {.sport = packet->sport, .dport = packet->dport};

    udp_emit(&udp, pseudo_sum(ip, 0), packet->payload, packet->payload_length, bytes);
}

static void emit_icmp(const struct weir_packet *packet, uint8_t *bytes)
{
    struct icmp4_message message = {.type = packet->icmp_type,
                                    .code = packet->icmp_code,
                                    .rest = packet->icmp_rest,
                                    .body = packet->payload,
                                    .body_length = packet->payload_length};

    icmp4_emit(&message, bytes);
}

static void fill_header(const struct weir_packet *packet, size_t total, struct ip4_header *ip)
{
    memset(ip, 0, sizeof(*ip));
    ip->src = weir_addr_to4(&packet->src);
    ip->dst = weir_addr_to4(&packet->dst);
    ip->total_length = (uint16_t)total;
    ip->id = packet->id;
    ip->fragment_offset = packet->fragment_offset;
    ip->tos = packet->tos;
    ip->ttl = packet->ttl;
    ip->protocol = packet->protocol;
    ip->dont_fragment = packet->dont_fragment;
    ip->more_fragments = packet->more_fragments;
}

long weir_packet_emit(const struct weir_packet *packet, uint8_t *bytes, size_t size)
{
    uint32_t header = transport_header(packet);
    size_t total = (size_t)IP4_HEADER + header + packet->payload_length;
    struct ip4_header ip;

    if (total > size || total > IP4_LENGTH_MAX || header > TCP_HEADER_MAX || header % 4 != 0)
        return WEIR_EMSGSIZE;
    fill_header(packet, total, &ip);
    ip4_emit(&ip, bytes);
    if (header > 0 && packet->protocol == IP_PROTOCOL_TCP)
        emit_tcp(packet, &ip, bytes + IP4_HEADER);
    else if (header > 0 && packet->protocol == IP_PROTOCOL_UDP)
        emit_udp(packet, &ip, bytes + IP4_HEADER);
    else if (header > 0)
        emit_icmp(packet, bytes + IP4_HEADER);
    else if (packet->payload_length > 0)
        memcpy(bytes + IP4_HEADER, packet->payload, packet->payload_length);
    return (long)total;
}

/* ---- Print ---------------------------------------------------------------------------------- */

struct text {
    char *at;
    size_t left; /* with the terminator */
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    va_list args;
    int written;

    va_start(args, format);
    written = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    if (written < 0)
        return;
    if ((size_t)written >= text->left)
        written = (int)text->left - 1;
    text->at += written;
    text->left -= (size_t)written;
}

static void print_flags(const struct weir_packet *packet, struct text *text)
{
    static const struct {
        uint8_t flag;
        char letter;
    } letters[] = {{WEIR_TCP_SYN, 'S'}, {WEIR_TCP_FIN, 'F'}, {WEIR_TCP_RST, 'R'},
                   {WEIR_TCP_PSH, 'P'}, {WEIR_TCP_URG, 'U'}, {WEIR_TCP_ECE, 'E'},
                   {WEIR_TCP_CWR, 'W'}, {WEIR_TCP_ACK, '.'}};

    add(text, " ");
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (packet->flags & letters[i].flag)
            add(text, "%c", letters[i].letter);
    }
    if (packet->flags == 0)
        add(text, "-");
}

static void print_tcp(const struct weir_packet *packet, struct text *text)
{
    char src[WEIR_ADDR_TEXT], dst[WEIR_ADDR_TEXT];

    add(text, "%s:%u > %s:%u", weir_addr_print(&packet->src, src), packet->sport,
        weir_addr_print(&packet->dst, dst), packet->dport);
    print_flags(packet, text);
    add(text, " %lu:%lu(%lu)", (unsigned long)packet->seq,
        (unsigned long)(uint32_t)(packet->seq + packet->payload_length),
        (unsigned long)packet->payload_length);
    if (packet->flags & WEIR_TCP_ACK)
        add(text, " ack %lu", (unsigned long)packet->ack);
    add(text, " win %u", packet->window);
    if (packet->flags & WEIR_TCP_URG)
        add(text, " urg %u", packet->urgent);
    if (packet->mss >= 0)
        add(text, " <mss %ld>", (long)packet->mss);
}

static void print_udp(const struct weir_packet *packet, struct text *text)
{
    char src[WEIR_ADDR_TEXT], dst[WEIR_ADDR_TEXT];

    add(text, "%s:%u > %s:%u udp (%lu)", weir_addr_print(&packet->src, src), packet->sport,
        weir_addr_print(&packet->dst, dst), packet->dport, (unsigned long)packet->payload_length);
}

static const char *icmp_name(uint8_t type)
{
    switch (type) {
    case ICMP4_ECHO_REPLY:
        return "echo-reply";
    case ICMP4_ECHO:
        return "echo";
    case ICMP4_UNREACHABLE:
        return "unreachable";
    case ICMP4_TIME_EXCEEDED:
        return "time-exceeded";
    case ICMP4_PARAMETER_PROBLEM:
        return "parameter-problem";
    default:
        return NULL;
    }
}

static void print_icmp(const struct weir_packet *packet, struct text *text)
{
    const char *name = icmp_name(packet->icmp_type);

    if (name)
        add(text, " icmp %s", name);
    else
        add(text, " icmp type %u", packet->icmp_type);
    if (packet->icmp_type == ICMP4_ECHO || packet->icmp_type == ICMP4_ECHO_REPLY)
        add(text, " %lu %lu", (unsigned long)(packet->icmp_rest >> 16),
            (unsigned long)(packet->icmp_rest & 0xffffu));
    else
        add(text, " code %u", packet->icmp_code);
}

static void print_other(const struct weir_packet *packet, struct text *text)
{
    char src[WEIR_ADDR_TEXT], dst[WEIR_ADDR_TEXT];

    add(text, "%s > %s", weir_addr_print(&packet->src, src), weir_addr_print(&packet->dst, dst));
    if (packet->protocol == IP_PROTOCOL_ICMP && packet->fragment_offset == 0)
        print_icmp(packet, text);
    else
        add(text, " proto %u", packet->protocol);
    add(text, ", %lu bytes", (unsigned long)packet->payload_length);
}

const char *weir_packet_print(const struct weir_packet *packet, char *text, size_t size)
{
    struct text out = {.at = text, .left = size};

    if (size == 0)
        return text;
    text[0] = '\0';
    if (packet->protocol == IP_PROTOCOL_TCP && packet->fragment_offset == 0)
        print_tcp(packet, &out);
    else if (packet->protocol == IP_PROTOCOL_UDP && packet->fragment_offset == 0)
        print_udp(packet, &out);
    else
        print_other(packet, &out);
    if (packet->fragment_offset > 0 || packet->more_fragments)
        add(&out, ", frag %u%s", packet->fragment_offset, packet->more_fragments ? "+" : "");
    return text;
}
