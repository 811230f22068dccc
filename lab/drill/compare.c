/* SPDX-License-Identifier: MIT */

/* What a line says against what came, field by field.
 *
 * Everything the line says is compared, and besides the sums and that the payload is zeros, or the
 * line's data. What it does not say is not compared, but: no options written means none, an
 * acknowledgment not written means 0 in the field, a fragment only where one is expected. Numbers
 * on the wire are turned into the script's by the ISNs of the connection; the stack's ISN is learnt
 * from the first SYN that is compared. Timestamps of the stack are not compared in value.
 *
 * All fields are written down side by side as they are compared, and shown, the differing ones
 * marked, only if one of them differs. */

#include <lab/drill/craft.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t zeros[SCRIPT_PAYLOAD_MAX];

/* A comparison under way: the fields are written down, and printed only if one of them differs. */
struct compare {
    FILE *rows;
    char *text;
    size_t size;
    bool differs;
    const char *first; /* field that differs */
};

static void field_text(struct compare *compare, const char *name, const char *expected,
                       const char *actual)
{
    bool differs = strcmp(expected, actual) != 0;

    if (differs && !compare->first)
        compare->first = name;
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
    uint8_t bytes[40];
    bool equal = count == line->option_count;

    if (line->any_options)
        return;
    options_move_sacks(found, count, 0 - conn->remote_isn);
    for (i = 0; equal && i < count; i++)
        equal = options_equal(&found[i], &line->options[i]) ||
                (found[i].kind == OPTION_TS && line->options[i].kind == OPTION_TS);
    if (!equal)
        equal = options_emit(line->options, line->option_count, bytes) == packet->options_length &&
                !memcmp(bytes, packet->options, packet->options_length);
    options_print(line->options, line->option_count, expected, sizeof(expected));
    options_print(found, count, actual, sizeof(actual));
    field_text(compare, "options", expected, equal ? expected : actual);
}

/* The payload: the line's data, or zeros. Of a fragment, the part that lies in it. */
static void compare_payload(struct compare *compare, const struct packet_line *line,
                            const uint8_t *bytes, uint32_t length, uint32_t offset)
{
    const uint8_t *expected = line->data ? line->data : zeros;
    uint32_t known = line->data ? line->payload_length : SCRIPT_PAYLOAD_MAX, i = 0;
    char left[32], right[32];

    while (i < length && offset + i < known && bytes[i] == expected[offset + i])
        i++;
    if (i == length || offset + i >= known)
        return;
    snprintf(left, sizeof(left), "0x%02x at byte %u", expected[offset + i], offset + i);
    snprintf(right, sizeof(right), "0x%02x", bytes[i]);
    field_text(compare, "payload", left, right);
}

static void field_addr(struct compare *compare, const char *name, const struct weir_addr *expected,
                       const struct weir_addr *actual)
{
    char left[WEIR_ADDR_TEXT], right[WEIR_ADDR_TEXT];

    field_text(compare, name, weir_addr_print(expected, left), weir_addr_print(actual, right));
}

static void compare_fragment(struct compare *compare, const struct ip_line *ip,
                             const struct seen *seen)
{
    unsigned header = (seen->bytes[0] & 15u) * 4u;

    field(compare, "offset", ip->first, seen->packet.fragment_offset);
    field(compare, "more", ip->more, seen->packet.more_fragments);
    field(compare, "fragment", ip->end - ip->first, (int64_t)(seen->length - header));
}

static bool is_fragment(const struct weir_packet *packet)
{
    return packet->fragment_offset > 0 || packet->more_fragments;
}

static void compare_ip(struct compare *compare, const struct packet_line *line,
                       const struct seen *seen)
{
    const struct weir_packet *packet = &seen->packet;

    if (line->tos >= 0)
        field(compare, "tos", line->tos, packet->tos);
    if (line->ecn == ECN_ECT01)
        field(compare, "ect", 1, (packet->tos & 3) == 1 || (packet->tos & 3) == 2);
    else if (line->ecn != ECN_ANY)
        field(compare, "ecn", line->ecn, packet->tos & 3);
    if (line->ttl >= 0)
        field(compare, "ttl", line->ttl, packet->ttl);
    if (line->ip.id >= 0)
        field(compare, "id", line->ip.id, packet->id);
    if (line->ip.df || line->ip.no_df)
        field(compare, "df", line->ip.df, packet->dont_fragment);
    if (line->ip.has_src)
        field_addr(compare, "src", &line->ip.src, &packet->src);
    if (line->ip.has_dst)
        field_addr(compare, "dst", &line->ip.dst, &packet->dst);
    if (line->ip.has_fragment)
        compare_fragment(compare, &line->ip, seen);
    else
        field(compare, "fragment", 0, is_fragment(packet));
    field(compare, "ip sum", 1, packet->ip_checksum_ok);
    if (!is_fragment(packet))
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
    if (!line->ip.has_fragment)
        field(compare, "length", line->payload_length, packet->payload_length);
    if (line->flags & packet->flags & WEIR_TCP_ACK)
        field(compare, "ack", line->ack, packet->ack - remote);
    else
        field(compare, "ack", line->ack, packet->ack); /* no ACK bit: the field is 0 */
    if (line->window >= 0)
        field(compare, "win", line->window, packet->window);
    field(compare, "urg", line->urgent, packet->urgent);
    compare_payload(compare, line, packet->payload, packet->payload_length, 0);
    compare_options(compare, conn, line, packet);
}

static void compare_udp(struct compare *compare, const struct packet_line *line,
                        const struct seen *seen)
{
    bool whole = !line->ip.has_fragment;
    struct craft_udp udp;

    field(compare, "protocol", 17, seen->packet.protocol);
    if (!craft_parse_udp(seen->bytes, seen->length, &udp))
        return;
    if (line->has_ports) {
        field(compare, "sport", line->sport, udp.sport);
        field(compare, "dport", line->dport, udp.dport);
    }
    field(compare, "length", line->payload_length, (int64_t)udp.length - 8);
    if (whole)
        field(compare, "bytes", line->payload_length, udp.payload_length);
    if (whole)
        field(compare, "checksum", 1, udp.checksum_ok);
    compare_payload(compare, line, udp.payload, udp.payload_length, 0);
}

static void compare_icmp(struct compare *compare, const struct packet_line *line,
                         const struct weir_packet *packet)
{
    bool raw = line->has_quoted && line->quoted == PACKET_ICMP;

    field(compare, "protocol", 1, packet->protocol);
    field(compare, "type", line->icmp_type, packet->icmp_type);
    field(compare, "code", line->icmp_code, packet->icmp_code);
    if (line->icmp_rest >= 0)
        field(compare, "rest", line->icmp_rest, packet->icmp_rest);
    if (line->icmp_mtu >= 0)
        field(compare, "mtu", line->icmp_mtu, packet->icmp_rest & 0xffff);
    if (line->icmp_id >= 0)
        field(compare, "id", line->icmp_id, packet->icmp_rest >> 16);
    if (line->icmp_seq >= 0)
        field(compare, "icmp seq", line->icmp_seq, packet->icmp_rest & 0xffff);
    if ((raw || line->data) && !line->ip.has_fragment)
        field(compare, "length", raw ? line->quoted_length : line->payload_length,
              packet->payload_length);
    if (line->data)
        compare_payload(compare, line, packet->payload, packet->payload_length, 0);
}

/* What there is behind the IP header. */
static void compare_transport(struct compare *compare, struct drill_conn *conn,
                              const struct packet_line *line, const struct seen *seen)
{
    static const uint8_t protocols[] = {6, 17, 1}, headers[] = {20, 8, 8};
    const struct weir_packet *packet = &seen->packet;

    if (packet->fragment_offset > 0 || (line->kind == PACKET_TCP && !conn)) {
        field(compare, "protocol", protocols[line->kind], packet->protocol);
        compare_payload(compare, line, packet->payload, packet->payload_length,
                        packet->fragment_offset - headers[line->kind]);
    } else if (line->kind == PACKET_TCP) {
        compare_tcp(compare, conn, line, packet);
    } else if (line->kind == PACKET_UDP) {
        compare_udp(compare, line, seen);
    } else {
        compare_icmp(compare, line, packet);
    }
}

/* Is it other data that was sent, and all else right? */
static bool sends_other(const struct compare *compare)
{
    const char *first = compare->first;

    return !strcmp(first, "flags") || !strcmp(first, "seq") || !strcmp(first, "length");
}

void compare_packet(struct run *run, const struct event *event, struct drill_conn *conn,
                    const struct seen *seen)
{
    struct compare compare = {.rows = NULL};

    compare.rows = open_memstream(&compare.text, &compare.size);
    if (!compare.rows)
        return;
    compare_ip(&compare, event->packet, seen);
    compare_transport(&compare, conn, event->packet, seen);
    fclose(compare.rows);
    if (compare.differs &&
        !(sends_other(&compare) && losses_skip_data(run, event, &seen->packet))) {
        rule_note(run, event->packet, compare.first, &seen->packet);
        run_fail(run, event, "the packet differs");
        fprintf(run->report, "    %-10s %-28s %s\n%s", "field", "expected", "actual", compare.text);
    }
    free(compare.text);
}
