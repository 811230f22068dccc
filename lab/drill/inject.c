/* SPDX-License-Identifier: MIT */

/* Inbound packet lines: from the script's numbers to those on the wire, to bytes, into the stack.
 *
 * Numbers of a script are relative, as tcpdump prints them: in segments without SYN, sequence
 * numbers count from the ISN of their sender, acknowledgments from that of the other side. The
 * script's own ISN is the peer's on the wire; the stack's is learnt from its first SYN. Segments
 * with SYN carry the script's absolute numbers, moved by the difference of the stack's ISN on the
 * wire and in the script.
 *
 * Which connection: the one with the line's ports if it has some; a new one from a fresh port if the
 * last call was listen (or if there is none at all); else the socket under test.
 *
 * An ICMP error quotes a packet of that connection as the stack would have sent it: an IP header and
 * eight bytes, the minimum of RFC 792. */

#include <lab/drill/craft.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define QUOTED_BYTES 28u

static const uint8_t zeros[SCRIPT_PAYLOAD_MAX];

static struct drill_conn *inbound_conn(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    struct drill_conn *conn;

    if (line->has_ports) {
        conn = conn_find(run, line->dport, line->sport);
        conn = conn ? conn : conn_add(run, line->dport, line->sport);
    } else if (run->fresh_listener || !run->current) {
        conn = conn_add(run, run->fresh_listener ? run->listen_port : run->bind_port,
                        run->next_port++);
    } else {
        return run->current;
    }
    run->fresh_listener = false;
    run->current = conn;
    if (!conn)
        run_fail(run, event, "a script has at most %d connections", RUN_CONNS_MAX);
    return conn;
}

static uint8_t tos_of(const struct packet_line *line)
{
    uint8_t tos = line->tos >= 0 ? (uint8_t)line->tos : 0;

    return line->ecn > ECN_NONE && line->ecn <= ECN_CE ? (uint8_t)(tos | (unsigned)line->ecn) : tos;
}

static void set_ip(struct run *run, const struct packet_line *line, struct weir_packet *packet)
{
    packet->src = line->ip.has_src ? line->ip.src : run->remote;
    packet->dst = line->ip.has_dst ? line->ip.dst : run->local;
    packet->ttl = line->ttl >= 0 ? (uint8_t)line->ttl : 255;
    packet->tos = tos_of(line);
    packet->mss = -1;
    packet->payload = line->data ? line->data : zeros;
    packet->payload_length = line->payload_length;
}

static void inject(struct run *run, const struct event *event, const struct weir_packet *packet)
{
    uint8_t *bytes = malloc(CRAFT_BYTES);
    long length = bytes ? craft_emit(packet, &event->packet->ip, bytes) : -1;

    if (length < 0)
        run_fail(run, event, "this packet is longer than 65535 bytes");
    else
        world_inject(run, bytes, (size_t)length);
    free(bytes);
}

static void inject_tcp(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    struct drill_conn *conn = inbound_conn(run, event);
    struct tcp_option options[TCP_OPTIONS_MAX];
    struct weir_packet packet = {.protocol = 6};
    uint8_t option_bytes[40];
    bool is_syn = (line->flags & WEIR_TCP_SYN) != 0;
    int length;

    if (!conn)
        return;
    if (line->option_count > 0)
        memcpy(options, line->options, line->option_count * sizeof(options[0]));
    options_move_sacks(options, line->option_count, conn->local_isn);
    length = options_emit(options, line->option_count, option_bytes);
    if (length < 0) {
        run_fail(run, event, "these options are no multiple of four bytes up to 40");
        return;
    }
    if (is_syn && !conn->has_remote_isn) {
        conn->has_remote_isn = true;
        conn->remote_isn = line->seq;
    }
    set_ip(run, line, &packet);
    packet.sport = conn->rport;
    packet.dport = conn->lport;
    packet.flags = line->flags;
    packet.reserved = line->ae ? 1 : 0;
    packet.seq = is_syn ? line->seq : conn->remote_isn + line->seq;
    if (line->flags & WEIR_TCP_ACK)
        packet.ack = conn->local_isn + line->ack - (is_syn ? conn->local_script_isn : 0);
    packet.window = (uint16_t)line->window;
    packet.urgent = line->urgent;
    packet.options = option_bytes;
    packet.options_length = (uint8_t)length;
    inject(run, event, &packet);
}

static void inject_udp(struct run *run, const struct event *event)
{
    struct drill_conn *conn = inbound_conn(run, event);
    struct weir_packet packet = {.protocol = 17};

    if (!conn)
        return;
    set_ip(run, event->packet, &packet);
    packet.sport = conn->rport;
    packet.dport = conn->lport;
    inject(run, event, &packet);
}

/* The packet of ours that an ICMP error quotes: IP header and the first eight bytes. */
static void quote(const struct run *run, const struct packet_line *line, uint8_t *bytes)
{
    bool is_tcp = line->quoted == PACKET_TCP;
    struct weir_packet packet = {.protocol = is_tcp ? 6 : 17, .ttl = 64, .dont_fragment = true};
    const struct drill_conn *conn = run->current;
    uint8_t whole[64];
    unsigned length;

    packet.src = run->local;
    packet.dst = run->remote;
    packet.sport = conn ? conn->lport : run->bind_port;
    packet.dport = conn ? conn->rport : run->connect_port;
    packet.seq = (conn ? conn->local_isn : 0) + line->quoted_seq;
    packet.flags = WEIR_TCP_ACK;
    craft_emit(&packet, NULL, whole);
    memcpy(bytes, whole, QUOTED_BYTES);
    length = (is_tcp ? 40u : 28u) + line->quoted_length;
    bytes[2] = (uint8_t)(length >> 8);
    bytes[3] = (uint8_t)length;
    if (!is_tcp) {
        bytes[24] = (uint8_t)((length - 20) >> 8);
        bytes[25] = (uint8_t)(length - 20);
    }
}

/* An error whose line says nothing of what it quotes, quotes the SYN, as in the original. */
static bool quotes_anyway(const struct packet_line *line)
{
    static const uint8_t errors[] = {3, 4, 5, 11, 12};

    return !line->has_quoted && !line->data && memchr(errors, line->icmp_type, sizeof(errors));
}

static void inject_icmp(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    struct weir_packet packet = {.protocol = 1};
    uint8_t quoted[QUOTED_BYTES];

    set_ip(run, line, &packet);
    if (!line->ip.has_src && line->icmp_type != 8 && line->icmp_type != 0)
        packet.src = run->gateway;
    packet.icmp_type = line->icmp_type;
    packet.icmp_code = line->icmp_code;
    if (line->icmp_rest >= 0)
        packet.icmp_rest = (uint32_t)line->icmp_rest;
    if (line->icmp_mtu >= 0)
        packet.icmp_rest = (uint32_t)line->icmp_mtu;
    if (line->icmp_id >= 0)
        packet.icmp_rest = (uint32_t)line->icmp_id << 16;
    if (line->icmp_seq >= 0)
        packet.icmp_rest |= (uint32_t)line->icmp_seq;
    if ((line->has_quoted && line->quoted != PACKET_ICMP) || quotes_anyway(line)) {
        quote(run, line, quoted);
        packet.payload = quoted;
        packet.payload_length = QUOTED_BYTES;
    } else if (line->has_quoted) {
        packet.payload_length = line->quoted_length;
    }
    inject(run, event, &packet);
}

void run_inbound(struct run *run, const struct event *event)
{
    switch (event->packet->kind) {
    case PACKET_TCP:
        inject_tcp(run, event);
        break;
    case PACKET_UDP:
        inject_udp(run, event);
        break;
    case PACKET_ICMP:
        inject_icmp(run, event);
        break;
    case PACKET_RAW:
    default:
        world_inject(run, event->packet->data, event->packet->payload_length);
        break;
    }
}
