/* SPDX-License-Identifier: MIT */

/* Cutting a run into segments and writing them.
 *
 * A run is cut at multiples of the effective MSS; its flags (FIN, PSH) belong to the last segment.
 * Header, options and payload are written to memory that a link has lent, the payload straight from
 * the send ring with its checksum taken in the same pass: between the ring and the wire each byte is
 * touched once (RFC 9293 3.1 [MUST-2]). Where the link takes large frames, several MSS go into one, and
 * where it carries unfinished checksums, that of text is left to whoever needs it.
 *
 * Segments that belong to no connection (struct tcp_reply: RST, SYN-ACK of a half-open record, ACK of
 * a TIME-WAIT record) are written here too, so that there is one place that makes TCP headers. */

#include <assert.h>
#include <base/bytes.h>
#include <base/checksum.h>
#include <base/rare.h>
#include <tcp/opt.h>

/* Writes the header in front of `length` bytes in all, options among them, of which `sum` is the sum but
 * for the header's fixed part and the length. */
static void write_header(struct tcp_header *header, uint32_t length, uint32_t sum, uint8_t *bytes)
{
    sum = checksum_join_u64(tcp_header_sum(sum, header), length);
    header->checksum = checksum_finish(sum);
    tcp_header_emit(header, bytes);
}

/* Writes the options and adds them to *sum. Returns the length of the whole header. */
RARE static uint32_t write_options(const struct opt_out *out, struct tcp_header *header,
                                   uint8_t *bytes, uint32_t *sum)
{
    uint32_t length = opt_emit(out, bytes + TCP_HEADER);

    header->header_length = (uint8_t)(TCP_HEADER + length);
    *sum = checksum_add_header(*sum, bytes + TCP_HEADER, length);
    return TCP_HEADER + length;
}

static uint8_t flags_of(const struct tcp_conn *conn, const struct tcp_run *run, bool is_last)
{
    switch (run->kind) {
    case TCP_RUN_SYN:
        return conn->state == WEIR_STATE_SYN_SENT ? TCP_SYN : TCP_SYN | TCP_ACK;
    case TCP_RUN_RST: /* RFC 9293 3.10.5 */
        return conn->settings->rst_has_ack ? TCP_RST | TCP_ACK : TCP_RST;
    default:
        return (uint8_t)(TCP_ACK | (is_last ? run->flags : 0));
    }
}

static uint16_t mss_to_offer(const struct tcp_conn *conn, const struct tcp_run *run)
{
    if (run->kind != TCP_RUN_SYN || !conn->settings->send_mss_option)
        return 0;
    return conn->rcv_mss;
}

/* RFC 9293 3.8.5 [MUST-62]: the pointer counts from this segment's number to one past the last urgent
 * byte. */
static void mark_urgent(const struct tcp_conn *conn, struct tcp_header *header)
{
    uint32_t ahead = conn->active->snd_up - header->seq;

    if (!conn->is_urgent_out || seq_leq(conn->active->snd_up, header->seq) ||
        (header->flags & TCP_SYN))
        return;
    header->flags |= TCP_URG;
    header->urgent = (uint16_t)min_u32(ahead, 65535);
}

static uint32_t piece_of(const struct tcp_conn *conn, const struct tcp_run *run, uint32_t offset,
                         const struct tcp_ports *ports)
{
    return min_u32(run->length - offset, ports->piece ? ports->piece : conn->cc.mss);
}

uint32_t tcp_emit_size(const struct tcp_conn *conn, const struct tcp_run *run, uint32_t offset,
                       const struct tcp_ports *ports, uint32_t *payload)
{
    struct opt_out out = {.flags = 0, .mss = mss_to_offer(conn, run)};
    uint8_t options[TCP_OPTIONS_MAX];

    *payload = piece_of(conn, run, offset, ports);
    if (!out.mss)
        return TCP_HEADER + *payload;
    out.flags = TCP_SYN;
    return TCP_HEADER + opt_emit(&out, options) + *payload;
}

/* Text and, in front of it, the header, with a checksum that whoever needs it will complete. */
static void write_unsummed(const struct tcp_conn *conn, struct tcp_header *header, uint32_t payload,
                           uint32_t sum, uint8_t *bytes)
{
    uint32_t length = header->header_length + payload;

    ring_read(&conn->active->snd_ring, header->seq - tcp_send_base(conn),
              bytes + header->header_length, payload);
    header->checksum = checksum_fold(checksum_join_u64(sum, length));
    tcp_header_emit(header, bytes);
}

uint32_t tcp_emit(const struct tcp_conn *conn, const struct tcp_run *run, uint32_t offset,
                  const struct tcp_ports *ports, uint8_t *bytes)
{
    uint32_t payload = piece_of(conn, run, offset, ports);
    struct tcp_header header = {
        .sport = ports->local,
        .dport = ports->remote,
        .seq = run->seq + offset,
        .window = (uint16_t)run->window,
        .flags = flags_of(conn, run, offset + payload == run->length),
        .header_length = TCP_HEADER,
    };
    struct opt_out out = {.flags = header.flags, .mss = mss_to_offer(conn, run)};
    uint32_t sum = ports->pseudo_sum;

    if (header.flags & TCP_ACK)
        header.ack = conn->rcv_nxt;
    if (run->kind != TCP_RUN_RST)
        mark_urgent(conn, &header);
    if (out.mss)
        (void)write_options(&out, &header, bytes, &sum);
    if (payload && ports->is_partial) {
        write_unsummed(conn, &header, payload, ports->pseudo_sum, bytes);
        return header.header_length + payload;
    }
    if (payload)
        sum = ring_read_summed(&conn->active->snd_ring, header.seq - tcp_send_base(conn),
                               bytes + header.header_length, payload, sum);
    write_header(&header, header.header_length + payload, sum, bytes);
    return header.header_length + payload;
}

uint32_t tcp_emit_reply(const struct tcp_reply *reply, const struct tcp_ports *ports,
                        uint8_t *bytes)
{
    struct tcp_header header = {
        .sport = ports->local,
        .dport = ports->remote,
        .seq = reply->seq,
        .ack = reply->ack,
        .window = (uint16_t)min_u32(reply->window, 65535),
        .flags = reply->flags,
        .header_length = TCP_HEADER,
    };
    struct opt_out out = {.flags = reply->flags, .mss = reply->mss};
    uint32_t sum = ports->pseudo_sum;
    uint32_t length = write_options(&out, &header, bytes, &sum);

    write_header(&header, length, sum, bytes);
    return length;
}
