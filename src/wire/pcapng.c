/* SPDX-License-Identifier: MIT */

/* Blocks of a pcapng file (draft-ietf-opsawg-pcapng).
 *
 *     type 4 │ length 4 │ body, a multiple of 4 │ options │ length again 4
 *
 *     section    0x0a0d0d0a  magic 4 │ version 2+2 │ length of the section 8 (not said)
 *     interface  1           link type 2 │ 0 2 │ snapshot length 4 (0: whole packets)
 *     packet     6           interface 4 │ time 4+4, high half first │ kept 4 │ length 4 │ bytes
 *     counts     5           interface 4 │ time 4+4
 *
 * An option is a code 2, a length 2, and so many bytes, padded to a multiple of 4; code 0 ends them.
 * All numbers are written least byte first, as the magic tells the reader, so that equal runs give
 * equal files everywhere. The link type is LINKTYPE_RAW (101): packets begin with their IP header.
 *
 * Sums. A frame may reach its link with the transport checksum unfinished, or as a run of segments
 * under one header; a reader would call that bad. The copy in the block is mended: an unfinished sum
 * is finished, and a run becomes the one large packet that it is, with the length and both checksums
 * it would have. Everything else stays as it was on the wire, wrong checksums first of all: they are
 * what one looks for.
 *
 * Invariant: `used` never exceeds `size`; what does not fit sets is_full, and the block is refused. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>
#include <weir/pcapng.h>
#include <wire/ip4.h>
#include <wire/protocol.h>
#include <wire/tcp.h>
#include <wire/udp.h>

#define SECTION 0x0a0d0d0au
#define INTERFACE 1u
#define PACKET 6u
#define COUNTS 5u
#define MAGIC 0x1a2b3c4du
#define VERSION 1u /* 1, then 0: two numbers of 16 bits */
#define LINKTYPE_RAW 101u
#define NANOSECONDS 9 /* if_tsresol: 10^-9 */

#define OPT_END 0
#define OPT_COMMENT 1
#define SHB_USERAPPL 4
#define IF_NAME 2
#define IF_IPV4ADDR 4
#define IF_TSRESOL 9
#define EPB_FLAGS 2
#define EPB_DROPCOUNT 4
#define ISB_ENDTIME 3
#define ISB_IFRECV 4
#define ISB_IFDROP 5
#define INBOUND 1u
#define OUTBOUND 2u

struct out {
    uint8_t *bytes;
    size_t size, used;
    bool is_full;
};

/* ---- Pieces ------------------------------------------------------------------------------------ */

static void put_bytes(struct out *out, const void *bytes, size_t length)
{
    static const uint8_t zeros[4];
    size_t padding = (4 - length % 4) % 4;

    if (out->is_full || length + padding > out->size - out->used) {
        out->is_full = true;
        return;
    }
    if (length > 0)
        memcpy(out->bytes + out->used, bytes, length);
    memcpy(out->bytes + out->used + length, zeros, padding);
    out->used += length + padding;
}

static void put_word(struct out *out, uint32_t word)
{
    uint8_t bytes[4];

    for (unsigned i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(word >> (8 * i));
    put_bytes(out, bytes, sizeof(bytes));
}

static void put_pair(struct out *out, uint16_t first, uint16_t second)
{
    put_word(out, first | (uint32_t)second << 16);
}

static void put_time(struct out *out, weir_time at)
{
    uint64_t ns = at > 0 ? (uint64_t)at : 0;

    put_word(out, (uint32_t)(ns >> 32));
    put_word(out, (uint32_t)ns);
}

static void put_option(struct out *out, uint16_t code, const void *bytes, size_t length)
{
    put_pair(out, code, (uint16_t)length);
    put_bytes(out, bytes, length);
}

static void put_text(struct out *out, uint16_t code, const char *text)
{
    put_option(out, code, text, min_size(strlen(text), WEIR_PCAPNG_TEXT_MAX));
}

static void put_number(struct out *out, uint16_t code, uint64_t number)
{
    put_pair(out, code, 8);
    put_word(out, (uint32_t)number);
    put_word(out, (uint32_t)(number >> 32));
}

static struct out begin(uint8_t *bytes, size_t size, uint32_t type)
{
    struct out out = {.bytes = bytes, .size = size};

    put_word(&out, type);
    put_word(&out, 0);
    return out;
}

/* Ends the options, and writes the length at both ends. */
static long end(struct out *out)
{
    uint32_t length;

    put_pair(out, OPT_END, 0);
    length = (uint32_t)out->used + 4;
    put_word(out, length);
    if (out->is_full)
        return WEIR_EMSGSIZE;
    memcpy(out->bytes + 4, out->bytes + out->used - 4, 4);
    return (long)out->used;
}

/* ---- Section and interfaces --------------------------------------------------------------------- */

long weir_pcapng_section(uint8_t *bytes, size_t size, const char *application)
{
    struct out out = begin(bytes, size, SECTION);

    put_word(&out, MAGIC);
    put_pair(&out, VERSION, 0);
    put_word(&out, UINT32_MAX);
    put_word(&out, UINT32_MAX);
    put_text(&out, SHB_USERAPPL, application);
    return end(&out);
}

long weir_pcapng_interface(uint8_t *bytes, size_t size, const struct weir_pcapng_interface *iface)
{
    struct out out = begin(bytes, size, INTERFACE);
    const uint8_t resolution = NANOSECONDS;
    uint8_t addr[8];

    put_pair(&out, LINKTYPE_RAW, 0);
    put_word(&out, 0);
    put_text(&out, IF_NAME, iface->name);
    if (weir_addr_is4(&iface->addr) && weir_addr_to4(&iface->addr) != 0) {
        put_u32(addr, weir_addr_to4(&iface->addr));
        put_u32(addr + 4, iface->prefix_bits ? UINT32_MAX << (32 - iface->prefix_bits) : 0);
        put_option(&out, IF_IPV4ADDR, addr, sizeof(addr));
    }
    put_option(&out, IF_TSRESOL, &resolution, 1);
    return end(&out);
}

/* ---- Packets ------------------------------------------------------------------------------------ */

/* The transport checksum of a whole IPv4 packet, made anew. */
static void sum_transport(uint8_t *packet, const struct ip4_header *ip)
{
    uint8_t *transport = packet + ip->header_length;
    uint32_t length = (uint32_t)ip->total_length - ip->header_length;
    bool is_tcp = ip->protocol == IP_PROTOCOL_TCP && length >= TCP_HEADER;
    bool is_udp = ip->protocol == IP_PROTOCOL_UDP && length >= UDP_HEADER;
    uint8_t *field = transport + (is_tcp ? TCP_CHECKSUM_OFFSET : 6);
    uint32_t sum = checksum_add_u32(checksum_add_u32(ip->protocol + length, ip->src), ip->dst);

    if (!is_tcp && !is_udp)
        return;
    if (is_udp)
        put_u16(transport + 4, (uint16_t)length);
    put_u16(field, 0);
    put_u16(field, checksum_finish(checksum_add(sum, transport, length)));
    if (is_udp && get_u16(field) == 0)
        put_u16(field, 0xffff);
}

/* One header over several segments: the packet that they would be if it could be sent. */
static void mend_run(uint8_t *packet, uint32_t length)
{
    struct ip4_header ip;

    if (length < IP4_HEADER || length > UINT16_MAX || packet[0] >> 4 != 4)
        return;
    put_u16(packet + 2, (uint16_t)length);
    if (ip4_parse(packet, length, &ip) != WEIR_DROP_NONE)
        return;
    put_u16(packet + 10, 0);
    put_u16(packet + 10, checksum_finish(checksum_add(0, packet, ip.header_length)));
    if (!ip.more_fragments && ip.fragment_offset == 0)
        sum_transport(packet, &ip);
}

static void finish_sum(uint8_t *packet, const struct weir_journal_entry *entry)
{
    uint32_t start = entry->csum_start, field = start + entry->csum_offset;

    if (field + 2 > entry->length || start >= entry->length)
        return;
    put_u16(packet + field,
            checksum_finish(checksum_add(0, packet + start, entry->length - start)));
}

static void mend(uint8_t *packet, const struct weir_journal_entry *entry)
{
    if (entry->gso_size > 0 && entry->gso_segments != 1)
        mend_run(packet, entry->length);
    else if (entry->csum == WEIR_CSUM_PARTIAL)
        finish_sum(packet, entry);
}

static void put_comment(struct out *out, const char *what, const char *name, const char *meaning)
{
    char text[WEIR_PCAPNG_TEXT_MAX + 1];

    snprintf(text, sizeof(text), "%s: %s (%s)", what, name, meaning);
    put_text(out, OPT_COMMENT, text);
}

static void put_comments(struct out *out, const struct weir_journal_entry *entry)
{
    enum weir_why why = (enum weir_why)entry->why;
    enum weir_drop drop = (enum weir_drop)entry->drop;

    if (entry->direction == WEIR_JOURNAL_OUT)
        put_comment(out, "sent", weir_why_name(why), weir_why_meaning(why));
    if (drop != WEIR_DROP_NONE)
        put_comment(out, "dropped", weir_drop_name(drop), weir_drop_meaning(drop));
}

long weir_pcapng_packet(uint8_t *bytes, size_t size, uint32_t number, weir_time epoch,
                        const struct weir_journal_entry *entry)
{
    struct out out = begin(bytes, size, PACKET);
    size_t at;

    put_word(&out, number);
    put_time(&out, entry->at + epoch);
    put_word(&out, entry->length);
    put_word(&out, entry->length);
    at = out.used;
    put_bytes(&out, weir_journal_packet(entry), entry->length);
    if (!out.is_full)
        mend(bytes + at, entry);
    put_pair(&out, EPB_FLAGS, 4);
    put_word(&out, entry->direction == WEIR_JOURNAL_OUT ? OUTBOUND : INBOUND);
    if (entry->missed > 0)
        put_number(&out, EPB_DROPCOUNT, entry->missed);
    put_comments(&out, entry);
    return end(&out);
}

/* ---- Counts -------------------------------------------------------------------------------------- */

long weir_pcapng_counts(uint8_t *bytes, size_t size, const struct weir_pcapng_counts *counts)
{
    struct out out = begin(bytes, size, COUNTS);
    char text[100];

    put_word(&out, counts->number);
    put_time(&out, counts->at);
    put_pair(&out, ISB_ENDTIME, 8);
    put_time(&out, counts->at);
    put_number(&out, ISB_IFRECV, counts->noted);
    put_number(&out, ISB_IFDROP, counts->missed);
    if (counts->missed > 0) {
        snprintf(text, sizeof(text), "%llu packets found no room and are missing",
                 (unsigned long long)counts->missed);
        put_text(&out, OPT_COMMENT, text);
    }
    return end(&out);
}
