/* SPDX-License-Identifier: MIT */

/* Cutting a large frame into the segments that it stands for.
 *
 * On links that take them a run of TCP segments is one frame: one IP and TCP header, then text of which
 * each `gso_size` bytes are a segment. Such a frame is only cut where it must go on by a link that
 * takes none, or none so large. What is made here is byte for byte what the sender would have sent
 * segment by segment:
 *
 *   IP     total length and checksum of each; identifications count up from the frame's
 *   TCP    sequence numbers count up by gso_size; FIN and PSH on the last segment only, CWR on the
 *          first; ACK, window, urgent pointer (less what lies before) and options on each; a checksum of
 *          its own, summed while the text is copied
 *
 * The urgent pointer counts from the segment's number (RFC 9293 3.8.5 [MUST-62]), so a segment beyond
 * the urgent text has none.
 *
 * Limits: IPv4 without fragments, TCP. What is anything else, or whose headers do not fit its length,
 * cannot be cut, and the caller drops it. */

#include <base/bytes.h>
#include <base/checksum.h>
#include <net/internal.h>
#include <wire/tcp.h>

bool net_segments_start(struct net_segments *segments, const struct net_arrival *arrival)
{
    const struct ip4_header *ip = &arrival->ip;
    const uint8_t *tcp = arrival->bytes + ip->header_length;
    uint32_t length = (uint32_t)ip->total_length - ip->header_length;
    struct tcp_header header;

    if (ip->protocol != IP_PROTOCOL_TCP || ip->more_fragments || ip->fragment_offset ||
        !arrival->frame->gso_size || tcp_header_parse(tcp, length, &header) != WEIR_DROP_NONE ||
        header.flags & (TCP_SYN | TCP_RST))
        return false;
    *segments = (struct net_segments){
        .arrival = arrival,
        .header_length = (uint32_t)ip->header_length + header.header_length,
        .text_length = length - header.header_length,
    };
    return true;
}

uint32_t net_segments_room(const struct net_segments *segments)
{
    return segments->header_length +
           min_u32(segments->arrival->frame->gso_size, segments->text_length);
}

/* The TCP header of the segment, its checksum summed with that of the text. */
static void finish_tcp(const struct net_segments *segments, uint8_t *tcp, uint32_t text,
                       uint32_t sum)
{
    const struct ip4_header *ip = &segments->arrival->ip;
    uint32_t header_length = segments->header_length - ip->header_length;
    bool is_last = segments->offset + text == segments->text_length;
    uint32_t urgent = get_u16(tcp + 18);

    put_u32(tcp + 4, get_u32(tcp + 4) + segments->offset);
    if (!is_last)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (segments->number > 0)
        tcp[13] &= (uint8_t)~TCP_CWR;
    if (tcp[13] & TCP_URG && urgent <= segments->offset)
        tcp[13] &= (uint8_t)~TCP_URG;
    put_u16(tcp + 18, tcp[13] & TCP_URG ? (uint16_t)(urgent - segments->offset) : 0);
    put_u16(tcp + TCP_CHECKSUM_OFFSET, 0);
    sum = checksum_join_u64(sum, (uint64_t)ip->src + ip->dst + ip->protocol + header_length + text);
    sum = checksum_add_header(sum, tcp, header_length);
    put_u16(tcp + TCP_CHECKSUM_OFFSET, checksum_finish(sum));
}

static void finish_ip(const struct net_segments *segments, uint8_t *bytes, uint32_t total)
{
    uint32_t header_length = segments->arrival->ip.header_length;

    put_u16(bytes + 2, (uint16_t)total);
    put_u16(bytes + 4, (uint16_t)(segments->arrival->ip.id + segments->number));
    put_u16(bytes + 10, 0);
    put_u16(bytes + 10, checksum_finish(checksum_add_header(0, bytes, header_length)));
}

uint32_t net_segments_next(struct net_segments *segments, uint8_t *bytes)
{
    const uint8_t *from = segments->arrival->bytes;
    uint32_t header_length = segments->header_length, sum;
    uint32_t text =
        min_u32(segments->arrival->frame->gso_size, segments->text_length - segments->offset);

    if (!text && segments->number)
        return 0;
    memcpy(bytes, from, header_length);
    sum = checksum_copy(0, bytes + header_length, from + header_length + segments->offset, text);
    finish_tcp(segments, bytes + segments->arrival->ip.header_length, text, sum);
    finish_ip(segments, bytes, header_length + text);
    segments->offset += text;
    segments->number++;
    return header_length + text;
}
