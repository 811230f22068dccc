/* SPDX-License-Identifier: MIT */

/* Cutting a packet into fragments, for what we send and for what we forward.
 *
 * The packet is a header (options included) and a payload. Each fragment carries as many payload
 * bytes as the link takes, in multiples of 8 but for the last, in order; so their number is the
 * least possible (RFC 1812 4.2.2.7 [1812-7]). A packet that is a fragment itself keeps its offset,
 * and its last piece keeps its "more fragments" bit. The first fragment carries all options, later
 * ones only those with the copy bit (RFC 791 3.1, 3.2 [791-3]), padded with zero bytes to a
 * multiple of 4.
 *
 * The transport checksum of a frame that came with it unfinished must be right before the packet is
 * cut; the input is borrowed and stays untouched, so the finished word is patched into the copies.
 *
 * If the link gets full on the way the rest is not sent: the receiver times the datagram out, as on
 * any wire that loses one fragment. */

#include <assert.h>
#include <base/checksum.h>
#include <net/internal.h>
#include <string.h>

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_COPIED 0x80u

struct cutter {
    const struct net_cut *cut;
    uint8_t later[IP4_HEADER_MAX]; /* header of all fragments but the first */
    uint32_t later_length;
    uint32_t mtu;
    uint16_t base; /* fragment word of the packet: its own offset in units of 8, and flags */
};

/* The options were found well-formed on input, or are none. */
static uint32_t copy_later_header(const struct net_cut *cut, uint8_t *later)
{
    uint32_t from = IP4_HEADER, to = IP4_HEADER;

    memset(later, 0, IP4_HEADER_MAX);
    memcpy(later, cut->header, IP4_HEADER);
    while (from < cut->header_length && cut->header[from] != OPTION_END) {
        uint32_t length = cut->header[from] == OPTION_NOP ? 1 : cut->header[from + 1];

        if (cut->header[from] & OPTION_COPIED) {
            memcpy(later + to, cut->header + from, length);
            to += length;
        }
        from += length;
    }
    to = (to + 3u) & ~3u;
    later[0] = (uint8_t)(0x40u | to / 4u);
    return to;
}

static void finish_fragment(const struct cutter *cutter, uint8_t *bytes, uint32_t header_length,
                            uint32_t offset, uint32_t length)
{
    bool is_last = offset + length == cutter->cut->length;
    uint32_t word = (cutter->base & 0x1fffu) + offset / 8u;

    if (!is_last || cutter->base & 0x2000u)
        word |= 0x2000u;
    put_u16(bytes + 2, (uint16_t)(header_length + length));
    put_u16(bytes + 6, (uint16_t)word);
    put_u16(bytes + 10, 0);
    put_u16(bytes + 10, checksum_finish(checksum_add(0, bytes, header_length)));
}

static void patch_payload(const struct net_cut *cut, uint8_t *payload, uint32_t offset,
                          uint32_t length)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t at = cut->patch_at + i;

        if (at >= offset && at - offset < length)
            payload[at - offset] = (uint8_t)(i == 0 ? cut->patch >> 8 : cut->patch);
    }
}

static int send_piece(struct net *net, const struct cutter *cutter, uint32_t offset,
                      uint32_t *length, weir_time now)
{
    const struct net_cut *cut = cutter->cut;
    const uint8_t *header = offset == 0 ? cut->header : cutter->later;
    uint32_t header_length = offset == 0 ? cut->header_length : cutter->later_length;
    uint32_t most = (cutter->mtu - header_length) & ~7u;
    struct weir_frame frame;
    int error;

    *length = cut->length - offset;
    if (*length > cutter->mtu - header_length)
        *length = most;
    error = net_lend(net, &cut->hop, header_length + *length, now, &frame);
    if (error)
        return error;
    memcpy(frame.data, header, header_length);
    memcpy(frame.data + header_length, cut->payload + offset, *length);
    if (cut->has_patch)
        patch_payload(cut, frame.data + header_length, offset, *length);
    finish_fragment(cutter, frame.data, header_length, offset, *length);
    frame.why = cut->why;
    net_stage(net, cut->hop.iface, &frame, now);
    net_count(net, WEIR_COUNT_FRAGMENTS_OUT);
    return 0;
}

int net_cut_send(struct net *net, const struct net_cut *cut, weir_time now)
{
    struct cutter cutter = {.cut = cut,
                            .mtu = net_iface_at(net, cut->hop.iface)->mtu,
                            .base = get_u16(cut->header + 6)};
    uint32_t offset = 0, length;

    assert(cut->length > 0 && cutter.mtu >= NET_LINK_MTU_MIN);
    cutter.later_length = copy_later_header(cut, cutter.later);
    while (offset < cut->length) {
        int error = send_piece(net, &cutter, offset, &length, now);

        if (error)
            return error;
        offset += length;
    }
    return 0;
}
