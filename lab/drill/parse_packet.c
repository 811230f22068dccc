/* SPDX-License-Identifier: MIT */

/* The parser of packet lines:
 *
 *   packet = [encap ":"]… ["(" ip ")"] (tcp | "udp" "(" len ")" | "icmp" …)
 *   tcp    = [sport ">" dport] flags seq ":" end "(" len ")" ["ack" n] ["win" n] ["urg" n]
 *            ["<" options ">"]
 *   icmp   = type [code] ["mtu" n] ["id" n] ["[" (seq:end(len) | udp(len) | raw(len)) "]"]
 *
 * Flags are a run of letters without a blank, so they are read raw. An encapsulation is only noted
 * by its name: nothing here can execute one. TCP options are in parse_options.c. */

#include <lab/drill/parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ecn_want ecn_named(const char *word)
{
    static const char *const names[] = {"noecn", "ect1", "ect0", "ce", "ect01"};
    int i;

    for (i = 0; i < 5; i++)
        if (!strcmp(word, names[i]))
            return (enum ecn_want)i;
    return ECN_ANY;
}

static void parse_ip_item(struct lexer *lexer, struct packet_line *packet)
{
    struct token token;

    lex_next(lexer, &token);
    if (token.kind == TOKEN_WORD && ecn_named(token.text) != ECN_ANY) {
        packet->ecn = ecn_named(token.text);
    } else if (token.kind == TOKEN_WORD && !strcmp(token.text, "tos")) {
        packet->tos = (int)expect_number(lexer, "a type of service", 0, 255);
    } else if (token.kind == TOKEN_WORD && !strcmp(token.text, "ttl")) {
        packet->ttl = (int)expect_number(lexer, "a time to live", 0, 255);
    } else if (token.kind == TOKEN_WORD && !strcmp(token.text, "flowlabel")) {
        expect_number(lexer, "a flow label", 0, 0xfffff);
        packet->has_flow_label = true;
    } else {
        fail_expected(lexer, &token, "noecn, ect0, ect1, ce, ect01, tos, ttl or flowlabel");
    }
}

static void parse_ip_info(struct lexer *lexer, struct packet_line *packet)
{
    char close = ')';

    if (!accept_sign(lexer, '(')) {
        if (!accept_sign(lexer, '['))
            return;
        close = ']';
    }
    do {
        parse_ip_item(lexer, packet);
    } while (accept_sign(lexer, ','));
    expect_sign(lexer, close, "after the fields of the IP header");
}

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

    parse_ports(lexer, packet);
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
    {"echo_reply", 0},     {"unreachable", 3},        {"source_quench", 4},
    {"redirect", 5},       {"echo_request", 8},       {"time_exceeded", 11},
    {"packet_too_big", 2}, {"parameter_problem", 12}, {NULL, 0},
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
    lex_next(lexer, &token);
    number = token.kind == TOKEN_WORD ? icmp_number(icmp_codes, "code_", token.text) : -1;
    if (number >= 0)
        packet->icmp_code = (uint8_t)number;
    else
        lex_rewind(lexer, &token);
    if (accept_word(lexer, "mtu"))
        packet->icmp_mtu = expect_number(lexer, "an MTU", 0, 65535);
    if (accept_word(lexer, "id"))
        packet->icmp_id = expect_number(lexer, "an ICMP identifier", 0, 65535);
    if (accept_sign(lexer, '['))
        parse_quoted(lexer, packet);
}

struct packet_line *parse_packet(struct lexer *lexer, bool inbound)
{
    struct packet_line *packet = get(lexer, sizeof(*packet));

    if (!packet)
        return NULL;
    *packet = (struct packet_line){.inbound = inbound, .ecn = ECN_ANY, .tos = -1, .ttl = -1};
    packet->window = -1;
    packet->icmp_mtu = packet->icmp_id = -1;
    while (skip_encap(lexer, packet))
        continue;
    parse_ip_info(lexer, packet);
    if (accept_word(lexer, "udp")) {
        packet->kind = PACKET_UDP;
        packet->payload_length = parse_length(lexer);
    } else if (accept_word(lexer, "icmp")) {
        parse_icmp(lexer, packet);
    } else {
        parse_tcp(lexer, packet);
    }
    return packet;
}
