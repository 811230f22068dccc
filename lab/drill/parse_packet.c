/* SPDX-License-Identifier: MIT */

/* The parser of packet lines:
 *
 *   packet = [encap ":"]… ["(" ip ")"] (tcp | [ports] "udp" [ports] "(" len ")" | "icmp" icmp) [data]
 *          | "[" seq:end(len) "]" "icmp" icmp | "raw" string+
 *   tcp    = [ports] flags seq ":" end "(" len ")" ["ack" n] ["win" n] ["urg" n] ["<" options ">"]
 *   ports  = sport ">" dport
 *   icmp   = type [code] ["mtu" n] ["id" n] ["seq" n] ["rest" n]
 *            ["[" (seq:end(len) | udp(len) | raw(len)) "]"]
 *   data   = "data" string+
 *
 * `data`, `raw`, ports before udp, and `seq` and `rest` of ICMP are weir's, as is most of what may
 * stand in the brackets (parse_ip.c). `data "text"` is the payload, which else is zeros: that many
 * bytes as the line's length says; inbound it is sent, outbound compared. With ICMP it is what
 * stands behind the header, instead of `[…]`. `raw "45 00 …"` is a whole packet, inbound only:
 * exactly these bytes are the frame. `rest` is the second word of an ICMP header.
 *
 *   < [id 7, frag 0:24+] . 1:101(100) ack 1 win 1000      a fragment of this segment
 *   < P. 1:4(3) ack 1 win 1000 <hex 1d02,nop,nop> data "abc"
 *   > udp (5) data "hello"
 *   < icmp echo_request id 5 seq 1 data "ping"
 *
 * Flags are a run of letters without a blank, so they are read raw. An encapsulation is only noted
 * by its name: nothing here can execute one. TCP options are in parse_options.c. */

#include <lab/drill/parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Skips "ipv4 A > B:", "mpls (…):" and the like; true if there was one. */
static bool skip_encap(struct lexer *lexer, struct packet_line *packet)
{
    static const char *const names[] = {"ipv4", "ipv6", "gre", "mpls", "encap"};
    struct token name, token;
    size_t i;

    lex_next(lexer, &name);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (name.kind == TOKEN_WORD && !strcmp(name.text, names[i]))
            break;
    if (i == sizeof(names) / sizeof(names[0])) {
        lex_rewind(lexer, &name);
        return false;
    }
    packet->encap = names[i];
    /* An IPv6 address has colons of its own: the one that ends this part stands before a blank. */
    do {
        lex_raw(lexer, "", &token);
        if (token.kind == TOKEN_END || token.length == 0)
            fail_expected(lexer, &token, "`:` after an encapsulation");
    } while (!lexer->failed && token.text[token.length - 1] != ':');
    return !lexer->failed;
}

static void set_ace(struct packet_line *packet, unsigned ace)
{
    packet->ae = (ace & 4) != 0;
    packet->flags =
        (uint8_t)(packet->flags | ((ace & 2) ? WEIR_TCP_CWR : 0) | ((ace & 1) ? WEIR_TCP_ECE : 0));
}

static bool set_flag(struct packet_line *packet, char letter)
{
    static const char letters[] = "FSRP.UEW";
    const char *found = strchr(letters, letter);

    if (letter == 'A')
        packet->ae = true;
    else if (letter >= '0' && letter <= '7')
        set_ace(packet, (unsigned)(letter - '0'));
    else if (found)
        packet->flags = (uint8_t)(packet->flags | 1u << (found - letters));
    else
        return false;
    return true;
}

static void parse_flags(struct lexer *lexer, struct packet_line *packet)
{
    struct token token;
    size_t i;

    lex_raw(lexer, "", &token);
    if (lexer->failed || !strcmp(token.text, "-"))
        return;
    for (i = 0; i < token.length; i++)
        if (!set_flag(packet, token.text[i]))
            break;
    if (i < token.length || token.length == 0)
        fail_expected(lexer, &token, "TCP flags (F S R P E W A U . or -)");
}

/* "seq:end(len)". */
static void parse_range(struct lexer *lexer, uint32_t *seq, uint32_t *length)
{
    struct where where = lex_where(lexer);
    int64_t first = expect_number(lexer, "a sequence number", 0, UINT32_MAX), end, size;

    expect_sign(lexer, ':', "after a sequence number");
    end = expect_number(lexer, "a sequence number", 0, UINT32_MAX);
    expect_sign(lexer, '(', "and a length");
    size = expect_number(lexer, "a length", 0, SCRIPT_PAYLOAD_MAX);
    expect_sign(lexer, ')', "after a length");
    if ((uint32_t)(first + size) != (uint32_t)end)
        lex_fail(lexer, where, "expected end = begin + length in %lld:%lld(%lld)", (long long)first,
                 (long long)end, (long long)size);
    *seq = (uint32_t)first;
    *length = (uint32_t)size;
}

static void parse_ports(struct lexer *lexer, struct packet_line *packet)
{
    struct token first;
    int64_t sport;

    lex_next(lexer, &first);
    sport = first.number;
    if (first.kind != TOKEN_NUMBER || !accept_sign(lexer, '>')) {
        lex_rewind(lexer, &first);
        return;
    }
    if (sport > 65535 || first.is_decimal)
        lex_fail(lexer, first.where, "a port is from 0 to 65535");
    packet->has_ports = true;
    packet->sport = (uint16_t)sport;
    packet->dport = (uint16_t)expect_number(lexer, "a port", 0, 65535);
}

static void parse_tcp(struct lexer *lexer, struct packet_line *packet)
{
    struct where where = lex_where(lexer);

    parse_flags(lexer, packet);
    parse_range(lexer, &packet->seq, &packet->payload_length);
    if (accept_word(lexer, "ack"))
        packet->ack = (uint32_t)expect_number(lexer, "an acknowledgment number", 0, UINT32_MAX);
    if (accept_word(lexer, "win"))
        packet->window = (int32_t)expect_number(lexer, "a window", 0, 65535);
    else if (packet->inbound)
        lex_fail(lexer, where, "expected win: an inbound segment must say its window");
    if (accept_word(lexer, "urg"))
        packet->urgent = (uint16_t)expect_number(lexer, "an urgent pointer", 0, 65535);
    if (accept_sign(lexer, '<'))
        parse_tcp_options(lexer, packet);
}

static uint32_t parse_length(struct lexer *lexer)
{
    int64_t length;

    expect_sign(lexer, '(', "and a length");
    length = expect_number(lexer, "a length", 0, SCRIPT_PAYLOAD_MAX);
    expect_sign(lexer, ')', "after a length");
    return (uint32_t)length;
}

static void parse_quoted(struct lexer *lexer, struct packet_line *packet)
{
    packet->has_quoted = true;
    packet->quoted = PACKET_TCP;
    if (accept_word(lexer, "udp")) {
        packet->quoted = PACKET_UDP;
        packet->quoted_length = parse_length(lexer);
    } else if (accept_word(lexer, "raw")) {
        packet->quoted = PACKET_ICMP;
        packet->quoted_length = parse_length(lexer);
    } else {
        parse_range(lexer, &packet->quoted_seq, &packet->quoted_length);
    }
    expect_sign(lexer, ']', "after what is quoted");
}

struct icmp_name {
    const char *name;
    int number;
};

/* The number of a name in a table that ends with NULL, or of "PREFIX_N"; -1: none. */
static int icmp_number(const struct icmp_name *names, const char *prefix, const char *word)
{
    size_t length = strlen(prefix);

    for (; names->name; names++)
        if (!strcmp(names->name, word))
            return names->number;
    if (!strncmp(word, prefix, length) && word[length] >= '0' && word[length] <= '9') {
        long number = strtol(word + length, NULL, 10);

        return number <= 255 ? (int)number : -1;
    }
    return -1;
}

static const struct icmp_name icmp_types[] = {
    {"echo_reply", 0},
    {"unreachable", 3},
    {"source_quench", 4},
    {"redirect", 5},
    {"echo_request", 8},
    {"time_exceeded", 11},
    {"parameter_problem", 12},
    {"timestamp_request", 13},
    {"timestamp_reply", 14},
    {"information_request", 15},
    {"information_reply", 16},
    {"address_mask_request", 17},
    {"address_mask_reply", 18},
    {"packet_too_big", 2},
    {NULL, 0},
};

static const struct icmp_name icmp_codes[] = {
    {"net_unreachable", 0},
    {"host_unreachable", 1},
    {"protocol_unreachable", 2},
    {"port_unreachable", 3},
    {"frag_needed", 4},
    {"source_route_failed", 5},
    {"net_unknown", 6},
    {"host_unknown", 7},
    {"source_host_isolated", 8},
    {"net_prohibited", 9},
    {"host_prohibited", 10},
    {"net_unreachable_for_tos", 11},
    {"host_unreachable_for_tos", 12},
    {"packet_filtered", 13},
    {"precedence_violation", 14},
    {"precedence_cutoff", 15},
    {"ttl_exceeded", 0},
    {"reassembly_time_exceeded", 1},
    {NULL, 0},
};

/* Of ICMPv6 alone: who writes them means IPv6. */
static const struct icmp_name icmp6_codes[] = {
    {"no_route", 0},           {"admin_prohibited", 1},
    {"not_neighbour", 2},      {"address_unreachable", 3},
    {"exceeded_hop_limit", 0}, {"exceeded_frag_time", 1},
    {"header_field", 0},       {"unknown_next_header", 1},
    {"unknown_option", 2},     {NULL, 0},
};

/* The code, if there is one. */
static void parse_icmp_code(struct lexer *lexer, struct packet_line *packet)
{
    struct token token;
    int number = -1;

    lex_next(lexer, &token);
    if (token.kind == TOKEN_WORD) {
        number = icmp_number(icmp_codes, "code_", token.text);
        if (number < 0) {
            number = icmp_number(icmp6_codes, "code_", token.text);
            packet->is_ip6 |= number >= 0;
        }
    }
    if (number >= 0)
        packet->icmp_code = (uint8_t)number;
    else
        lex_rewind(lexer, &token);
}

void parse_icmp(struct lexer *lexer, struct packet_line *packet)
{
    struct token token;
    int number;

    packet->kind = PACKET_ICMP;
    lex_next(lexer, &token);
    number = token.kind == TOKEN_WORD ? icmp_number(icmp_types, "type_", token.text) : -1;
    if (number < 0) {
        fail_expected(lexer, &token, "the type of an ICMP message");
        return;
    }
    packet->icmp_type = (uint8_t)number;
    packet->is_ip6 |= !strcmp(token.text, "packet_too_big");
    parse_icmp_code(lexer, packet);
    if (accept_word(lexer, "mtu"))
        packet->icmp_mtu = expect_number(lexer, "an MTU", 0, packet->is_ip6 ? UINT32_MAX : 65535);
    if (accept_word(lexer, "id"))
        packet->icmp_id = expect_number(lexer, "an ICMP identifier", 0, 65535);
    if (accept_word(lexer, "seq"))
        packet->icmp_seq = expect_number(lexer, "an ICMP sequence number", 0, 65535);
    if (accept_word(lexer, "rest"))
        packet->icmp_rest = expect_number(lexer, "the rest of an ICMP header", 0, UINT32_MAX);
    if (!packet->has_quoted && accept_sign(lexer, '['))
        parse_quoted(lexer, packet);
}

/* Strings side by side, as one. */
static struct token parse_strings(struct lexer *lexer)
{
    struct token whole, next;
    char *joined;

    lex_next(lexer, &whole);
    if (whole.kind != TOKEN_STRING)
        fail_expected(lexer, &whole, "a string");
    for (;;) {
        lex_next(lexer, &next);
        if (next.kind != TOKEN_STRING || lexer->failed)
            break;
        joined = get(lexer, whole.length + next.length + 1);
        if (!joined)
            break;
        memcpy(joined, whole.text, whole.length);
        memcpy(joined + whole.length, next.text, next.length);
        whole.text = joined;
        whole.length += next.length;
    }
    lex_rewind(lexer, &next);
    return whole;
}

static void parse_data(struct lexer *lexer, struct packet_line *packet)
{
    bool sets_length = packet->kind == PACKET_ICMP && !packet->has_quoted;
    struct token text;

    if (!accept_word(lexer, "data"))
        return;
    text = parse_strings(lexer);
    if (lexer->failed)
        return;
    if (packet->kind == PACKET_ICMP && packet->has_quoted && packet->quoted != PACKET_ICMP)
        lex_fail(lexer, text.where, "what an ICMP error quotes has no data of its own");
    if (text.length > SCRIPT_PAYLOAD_MAX)
        lex_fail(lexer, text.where, "data has at most %u bytes", SCRIPT_PAYLOAD_MAX);
    packet->data = (const uint8_t *)text.text;
    if (packet->kind == PACKET_ICMP && !sets_length)
        packet->payload_length = packet->quoted_length;
    if (!sets_length && text.length != packet->payload_length)
        lex_fail(lexer, text.where, "this data has %zu bytes, and the line says %u", text.length,
                 packet->payload_length);
    packet->payload_length = (uint32_t)text.length;
}

static void parse_raw(struct lexer *lexer, struct packet_line *packet)
{
    struct token text = parse_strings(lexer);
    uint8_t *bytes;
    long length;

    packet->kind = PACKET_RAW;
    if (lexer->failed)
        return;
    bytes = get(lexer, text.length / 2 + 1);
    length = bytes ? parse_hex_bytes(text.text, text.length, bytes, SCRIPT_PAYLOAD_MAX) : -1;
    if (length <= 0)
        lex_fail(lexer, text.where, "expected 1 to %u bytes as pairs of hexadecimal digits",
                 SCRIPT_PAYLOAD_MAX);
    if (!packet->inbound)
        lex_fail(lexer, text.where, "a raw packet is for inbound lines only");
    packet->data = bytes;
    packet->payload_length = length > 0 ? (uint32_t)length : 0;
}

/* `[seq:end(len)] icmp …`: the quotation in front, as the first scripts had it. */
static void parse_early_quoted(struct lexer *lexer, struct packet_line *packet)
{
    struct token bracket, inner;

    lex_next(lexer, &bracket);
    lex_next(lexer, &inner);
    if (bracket.kind != TOKEN_SIGN || bracket.sign != '[' || inner.kind != TOKEN_NUMBER) {
        lex_rewind(lexer, &bracket);
        return;
    }
    lex_rewind(lexer, &inner);
    parse_quoted(lexer, packet);
}

static void parse_udp(struct lexer *lexer, struct packet_line *packet)
{
    packet->kind = PACKET_UDP;
    if (!packet->has_ports)
        parse_ports(lexer, packet);
    packet->payload_length = parse_length(lexer);
}

static void parse_transport(struct lexer *lexer, struct packet_line *packet)
{
    if (packet->has_quoted) {
        if (!accept_word(lexer, "icmp"))
            lex_fail(lexer, lex_where(lexer), "expected `icmp` after what it quotes");
        parse_icmp(lexer, packet);
        return;
    }
    if (accept_word(lexer, "icmp")) {
        parse_icmp(lexer, packet);
        return;
    }
    if (accept_word(lexer, "raw")) {
        parse_raw(lexer, packet);
        return;
    }
    parse_ports(lexer, packet);
    if (accept_word(lexer, "udp") || accept_word(lexer, "UDP"))
        parse_udp(lexer, packet);
    else
        parse_tcp(lexer, packet);
}

struct packet_line *parse_packet(struct lexer *lexer, bool inbound)
{
    struct packet_line *packet = get(lexer, sizeof(*packet));

    if (!packet)
        return NULL;
    *packet = (struct packet_line){.inbound = inbound, .ecn = ECN_ANY, .tos = -1, .ttl = -1};
    packet->window = -1;
    packet->icmp_mtu = packet->icmp_id = packet->icmp_seq = packet->icmp_rest = -1;
    while (skip_encap(lexer, packet))
        continue;
    parse_early_quoted(lexer, packet);
    parse_ip_info(lexer, packet);
    parse_transport(lexer, packet);
    if (packet->kind != PACKET_RAW)
        parse_data(lexer, packet);
    return packet;
}
