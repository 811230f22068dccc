/* SPDX-License-Identifier: MIT */

/* Packet lines: what is injected, and what must come out.
 *
 * Numbers of a script are relative, as tcpdump prints them: in segments without SYN, sequence
 * numbers count from the ISN of their sender, acknowledgments from that of the other side. The
 * script's own ISN is the peer's on the wire; the stack's is learnt from its first SYN. Segments
 * with SYN carry the script's absolute numbers, moved by the difference of the stack's ISN on the
 * wire and in the script.
 *
 * An outbound line takes the oldest packet of its connection that nobody has taken, waits for one
 * if there is none (2 s past its time), and compares everything the line says, and besides the
 * checksums and that the payload is zeros. The time must be right within the script's tolerance.
 * Timestamps of the stack are not compared in value. */

#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MAX (2 * WEIR_SECOND)
#define FIELD_TEXT OPTIONS_TEXT
#define QUOTED_BYTES 28u

static const uint8_t zeros[SCRIPT_PAYLOAD_MAX];

static struct drill_conn *inbound_conn(struct run *run, const struct packet_line *line)
{
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
    return conn;
}

static struct drill_conn *outbound_conn(struct run *run, const struct packet_line *line)
{
    struct drill_conn *conn;

    if (!line->has_ports)
        return run->current;
    conn = conn_find(run, line->sport, line->dport);
    return conn ? conn : conn_add(run, line->sport, line->dport);
}

static uint8_t tos_of(const struct packet_line *line)
{
    uint8_t tos = line->tos >= 0 ? (uint8_t)line->tos : 0;

    return line->ecn > ECN_NONE && line->ecn <= ECN_CE ? (uint8_t)(tos | (unsigned)line->ecn) : tos;
}

/* Moves numbers of SACK blocks in `options` by `isn`. */
static void move_sacks(struct tcp_option *options, unsigned count, uint32_t isn)
{
    unsigned i, k;

    for (i = 0; i < count; i++)
        for (k = 0; options[i].kind == OPTION_SACK && k < options[i].count; k++)
            options[i].numbers[k] += isn;
}

static void inject_tcp(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    struct drill_conn *conn = inbound_conn(run, line);
    struct tcp_option options[TCP_OPTIONS_MAX];
    struct weir_packet packet = {.protocol = 6, .mss = -1};
    uint8_t option_bytes[40];
    bool is_syn = (line->flags & WEIR_TCP_SYN) != 0;
    int length;

    if (!conn) {
        run_fail(run, event, "a script has at most %d connections", RUN_CONNS_MAX);
        return;
    }
    memcpy(options, line->options ? line->options : options,
           line->option_count * sizeof(options[0]));
    move_sacks(options, line->option_count, conn->local_isn);
    length = options_emit(options, line->option_count, option_bytes);
    if (length < 0) {
        run_fail(run, event, "these options are no multiple of four bytes up to 40");
        return;
    }
    if (is_syn && !conn->has_remote_isn) {
        conn->has_remote_isn = true;
        conn->remote_isn = line->seq;
    }
    packet.src = run->remote;
    packet.dst = run->local;
    packet.ttl = line->ttl >= 0 ? (uint8_t)line->ttl : 255;
    packet.tos = tos_of(line);
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
    packet.payload = zeros;
    packet.payload_length = line->payload_length;
    world_inject(run, &packet);
}

/* The segment of ours that an ICMP error quotes: IP header and the first eight bytes. */
static void quote(struct run *run, const struct packet_line *line, uint8_t *bytes)
{
    struct weir_packet packet = {.protocol = 6, .ttl = 64, .dont_fragment = true, .mss = -1};
    struct drill_conn *conn = run->current;
    uint8_t whole[64];

    packet.src = run->local;
    packet.dst = run->remote;
    packet.sport = conn ? conn->lport : run->bind_port;
    packet.dport = conn ? conn->rport : run->connect_port;
    packet.seq = (conn ? conn->local_isn : 0) + line->quoted_seq;
    packet.flags = WEIR_TCP_ACK;
    weir_packet_emit(&packet, whole, sizeof(whole));
    memcpy(bytes, whole, QUOTED_BYTES);
    bytes[2] = (uint8_t)((40 + line->quoted_length) >> 8);
    bytes[3] = (uint8_t)(40 + line->quoted_length);
}

static void inject_icmp(struct run *run, const struct event *event)
{
    const struct packet_line *line = event->packet;
    struct weir_packet packet = {.protocol = 1, .ttl = 255};
    uint8_t quoted[QUOTED_BYTES];

    packet.src = line->icmp_type == 8 || line->icmp_type == 0 ? run->remote : run->gateway;
    packet.dst = run->local;
    packet.ttl = line->ttl >= 0 ? (uint8_t)line->ttl : 255;
    packet.tos = tos_of(line);
    packet.icmp_type = line->icmp_type;
    packet.icmp_code = line->icmp_code;
    if (line->icmp_mtu >= 0)
        packet.icmp_rest = (uint32_t)line->icmp_mtu;
    if (line->icmp_id >= 0)
        packet.icmp_rest = (uint32_t)line->icmp_id << 16;
    if (line->has_quoted && line->quoted == PACKET_TCP) {
        quote(run, line, quoted);
        packet.payload = quoted;
        packet.payload_length = QUOTED_BYTES;
    } else if (line->has_quoted) {
        packet.payload = zeros;
        packet.payload_length = line->quoted_length;
    }
    world_inject(run, &packet);
}

void run_inbound(struct run *run, const struct event *event)
{
    if (event->packet->kind == PACKET_TCP)
        inject_tcp(run, event);
    else
        inject_icmp(run, event);
}

/* ---- Outbound ---- */

/* A comparison under way: the fields are written down, and printed only if one of them differs. */
struct compare {
    FILE *rows;
    char *text;
    size_t size;
    bool differs;
};

static void field_text(struct compare *compare, const char *name, const char *expected,
                       const char *actual)
{
    bool differs = strcmp(expected, actual) != 0;

    compare->differs = compare->differs || differs;
    fprintf(compare->rows, "  %c %-10s %-28s %s\n", differs ? '*' : ' ', name, expected, actual);
}

static void field(struct compare *compare, const char *name, int64_t expected, int64_t actual)
{
    char left[24], right[24];

    snprintf(left, sizeof(left), "%lld", (long long)expected);
    snprintf(right, sizeof(right), "%lld", (long long)actual);
    field_text(compare, name, left, right);
}

static void flags_text(uint8_t flags, uint8_t reserved, char *text)
{
    static const char letters[] = "FSRP.UEW";
    unsigned i;

    for (i = 0; i < 8; i++)
        if (flags & (1u << i))
            *text++ = letters[i];
    if (reserved & 1)
        *text++ = 'A';
    if (reserved & 14)
        *text++ = '!';
    *text = '\0';
}

static void compare_options(struct compare *compare, const struct drill_conn *conn,
                            const struct packet_line *line, const struct weir_packet *packet)
{
    struct tcp_option found[TCP_OPTIONS_MAX];
    unsigned count = options_parse(packet->options, packet->options_length, found), i;
    char expected[OPTIONS_TEXT], actual[OPTIONS_TEXT];
    bool equal = count == line->option_count;

    if (line->any_options)
        return;
    move_sacks(found, count, 0 - conn->remote_isn);
    for (i = 0; equal && i < count; i++)
        equal = options_equal(&found[i], &line->options[i]) ||
                (found[i].kind == OPTION_TS && line->options[i].kind == OPTION_TS);
    options_print(line->options, line->option_count, expected, sizeof(expected));
    options_print(found, count, actual, sizeof(actual));
    field_text(compare, "options", expected, equal ? expected : actual);
}

static bool all_zeros(const struct weir_packet *packet)
{
    return packet->payload_length <= SCRIPT_PAYLOAD_MAX &&
           !memcmp(packet->payload, zeros, packet->payload_length);
}

static void compare_ip(struct compare *compare, const struct packet_line *line,
                       const struct weir_packet *packet)
{
    if (line->tos >= 0)
        field(compare, "tos", line->tos, packet->tos);
    if (line->ecn == ECN_ECT01)
        field(compare, "ect", 1, (packet->tos & 3) == 1 || (packet->tos & 3) == 2);
    else if (line->ecn != ECN_ANY)
        field(compare, "ecn", line->ecn, packet->tos & 3);
    if (line->ttl >= 0)
        field(compare, "ttl", line->ttl, packet->ttl);
    field(compare, "ip sum", 1, packet->ip_checksum_ok);
    field(compare, "checksum", 1, packet->transport_checksum_ok);
}

static void compare_tcp(struct compare *compare, struct drill_conn *conn,
                        const struct packet_line *line, const struct weir_packet *packet)
{
    bool is_syn = (line->flags & WEIR_TCP_SYN) != 0;
    char expected[16], actual[16];
    uint32_t local, remote;

    if (is_syn && !conn->has_local_isn && (packet->flags & WEIR_TCP_SYN)) {
        conn->has_local_isn = true;
        conn->local_isn = packet->seq;
        conn->local_script_isn = line->seq;
    }
    local = conn->local_isn - (is_syn ? conn->local_script_isn : 0);
    remote = is_syn ? 0 : conn->remote_isn;
    flags_text(line->flags, line->ae, expected);
    flags_text(packet->flags, packet->reserved, actual);
    field_text(compare, "flags", expected, actual);
    field(compare, "seq", line->seq, packet->seq - local);
    field(compare, "length", line->payload_length, packet->payload_length);
    if (line->flags & packet->flags & WEIR_TCP_ACK)
        field(compare, "ack", line->ack, packet->ack - remote);
    else
        field(compare, "ack", line->ack, packet->ack);
    if (line->window >= 0)
        field(compare, "win", line->window, packet->window);
    field(compare, "urg", line->urgent, packet->urgent);
    field(compare, "zeros", 1, all_zeros(packet));
    compare_options(compare, conn, line, packet);
}

static void compare_icmp(struct compare *compare, const struct packet_line *line,
                         const struct weir_packet *packet)
{
    field(compare, "protocol", 1, packet->protocol);
    field(compare, "type", line->icmp_type, packet->icmp_type);
    field(compare, "code", line->icmp_code, packet->icmp_code);
    if (line->icmp_mtu >= 0)
        field(compare, "mtu", line->icmp_mtu, packet->icmp_rest & 0xffff);
    if (line->icmp_id >= 0)
        field(compare, "id", line->icmp_id, packet->icmp_rest >> 16);
    if (line->has_quoted && line->quoted == PACKET_ICMP)
        field(compare, "length", line->quoted_length, packet->payload_length);
}

weir_time run_tolerance(const struct run *run, weir_time expected)
{
    weir_time share = (weir_time)((double)(expected - run->base) * run->tolerance_percent / 100.0);

    return share > run->tolerance ? share : run->tolerance;
}

static void check_when(struct run *run, const struct event *event, weir_time actual, weir_time at,
                       weir_time until)
{
    double second = (double)WEIR_SECOND;
    weir_time tolerance = run_tolerance(run, at);

    if (event->time == TIME_ANY || (actual >= at - tolerance && actual <= until + tolerance))
        return;
    run_fail(run, event, "this packet came at %.6f, expected at %.6f (tolerance %.6f)",
             (double)(actual - run->origin) / second, (double)(at - run->origin) / second,
             (double)tolerance / second);
}

static void check_packet(struct run *run, const struct event *event, struct drill_conn *conn,
                         const struct seen *seen)
{
    struct compare compare = {.rows = NULL};

    compare.rows = open_memstream(&compare.text, &compare.size);
    if (!compare.rows)
        return;
    compare_ip(&compare, event->packet, &seen->packet);
    if (conn)
        compare_tcp(&compare, conn, event->packet, &seen->packet);
    else
        compare_icmp(&compare, event->packet, &seen->packet);
    fclose(compare.rows);
    if (compare.differs) {
        run_fail(run, event, "the packet differs");
        fprintf(run->report, "    %-10s %-28s %s\n%s", "field", "expected", "actual", compare.text);
    }
    free(compare.text);
}

void run_outbound(struct run *run, const struct event *event, weir_time at, weir_time until)
{
    bool is_tcp = event->packet->kind == PACKET_TCP;
    struct drill_conn *conn = is_tcp ? outbound_conn(run, event->packet) : NULL;
    weir_time limit = event->time == TIME_ANY ? WEIR_NEVER : until + LATE_MAX;
    struct seen *seen;

    if (is_tcp && !conn) {
        run_fail(run, event, "no connection to expect a packet of");
        return;
    }
    if (!world_wait_packet(run, limit, conn)) {
        run_fail(run, event, "no packet came");
        return;
    }
    seen = world_packet(run, conn, true);
    check_packet(run, event, conn, seen);
    check_when(run, event, seen->at, at, until);
    free(seen);
}
