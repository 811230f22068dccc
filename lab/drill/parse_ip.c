/* SPDX-License-Identifier: MIT */

/* The parser of what stands in brackets behind the direction of a packet line, `[item, item…]` or
 * `(item, item…)`: fields of the IP header, and lies.
 *
 * From packetdrill, and in both directions:
 *   noecn ect0 ect1 ce ect01       the ECN bits (ect01: one of the two, outbound only)
 *   tos N    ttl N                 these fields
 *   flowlabel N                    of IPv6
 * weir's, in both directions (inbound it is sent so, outbound it is compared):
 *   id N                           the identification; inbound it is 0 if nothing is said
 *   df  nodf                       "don't fragment"; nodf is for outbound lines
 *   src A.B.C.D   dst A.B.C.D      the addresses
 *   frag A:B   frag A:B+           bytes A to B-1 of the IP payload of the packet that the line
 *                                  describes, as a fragment; with `+` more fragments follow. Inbound,
 *                                  bytes behind the packet's end are zeros. A is a multiple of 8
 * weir's, inbound only:
 *   proto N                        another protocol number
 *   ihl N    total N               these fields of the IP header, true or not
 *   ipopt HEX                      IP options; zeros pad them to a multiple of four
 *   doff N   reserved N            these fields of the TCP header, true or not
 *   ip-sum bad                     the IP header checksum is wrong
 *   sum bad                        the checksum of TCP, UDP or ICMP is wrong
 *   sum 0                          that checksum field is 0 (UDP: none)
 *   cut N                          the frame ends after N bytes
 *
 * All sums are right if nothing is said, also over lying fields. What is unstated is not compared. */

#include <ctype.h>
#include <lab/drill/parse.h>
#include <string.h>

long parse_hex_bytes(const char *text, size_t length, uint8_t *bytes, size_t max)
{
    static const char digits[] = "0123456789abcdef";
    unsigned value = 0, half = 0;
    size_t count = 0, i;

    for (i = 0; i < length; i++) {
        const char *found = text[i] ? strchr(digits, tolower((unsigned char)text[i])) : NULL;

        if (half == 0 && isspace((unsigned char)text[i]))
            continue;
        if (!found || count == max)
            return -1;
        value = value * 16 + (unsigned)(found - digits);
        half ^= 1;
        if (half == 0) {
            bytes[count++] = (uint8_t)value;
            value = 0;
        }
    }
    return half ? -1 : (long)count;
}

static enum ecn_want ecn_named(const char *word)
{
    static const char *const names[] = {"noecn", "ect1", "ect0", "ce", "ect01"};
    int i;

    for (i = 0; i < 5; i++)
        if (!strcmp(word, names[i]))
            return (enum ecn_want)i;
    return ECN_ANY;
}

static void parse_address(struct lexer *lexer, struct weir_addr *addr)
{
    struct token token;

    lex_raw(lexer, ",])", &token);
    if (!lexer->failed && weir_addr_parse(token.text, addr) < 0)
        fail_expected(lexer, &token, "an IPv4 address");
}

static void parse_fragment(struct lexer *lexer, struct ip_line *ip)
{
    struct where where = lex_where(lexer);

    ip->has_fragment = true;
    ip->first = (uint32_t)expect_number(lexer, "the first byte of a fragment", 0, 65528);
    expect_sign(lexer, ':', "between the first byte of a fragment and its end");
    ip->end = (uint32_t)expect_number(lexer, "the end of a fragment", 0, 131000);
    ip->more = accept_sign(lexer, '+');
    if (ip->first % 8 != 0 || ip->end < ip->first)
        lex_fail(lexer, where, "a fragment begins at a multiple of 8 and ends behind that");
}

static void parse_ip_options(struct lexer *lexer, struct ip_line *ip)
{
    struct token token;
    long length;

    lex_raw(lexer, ",])", &token);
    if (lexer->failed)
        return;
    length = parse_hex_bytes(token.text, token.length, ip->options, sizeof(ip->options));
    if (length < 0)
        fail_expected(lexer, &token, "up to 40 bytes of IP options in hexadecimal");
    ip->option_bytes = (uint8_t)(length < 0 ? 0 : (length + 3) / 4 * 4);
}

static void parse_sum(struct lexer *lexer, struct ip_line *ip)
{
    if (accept_word(lexer, "bad"))
        ip->sum_bad = true;
    else if (expect_number(lexer, "`bad` or 0 after sum", 0, 0) == 0)
        ip->sum_zero = true;
}

/* Items that are a word and a number. */
static bool parse_numbered(struct lexer *lexer, struct packet_line *packet, const char *word)
{
    struct ip_line *ip = &packet->ip;
    const struct {
        const char *name;
        int32_t *field;
        int32_t highest;
        bool inbound_only;
    } fields[] = {
        {"tos", &packet->tos, 255, false},     {"ttl", &packet->ttl, 255, false},
        {"id", &ip->id, 65535, false},         {"proto", &ip->protocol, 255, true},
        {"ihl", &ip->ihl, 15, true},           {"total", &ip->total, 65535, true},
        {"cut", &ip->cut, 65535, true},        {"doff", &ip->doff, 15, true},
        {"reserved", &ip->reserved, 15, true},
    };
    size_t i;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, word) != 0)
            continue;
        if (fields[i].inbound_only && !packet->inbound)
            lex_fail(lexer, lexer->here, "%s is for inbound packets only", word);
        *fields[i].field = (int32_t)expect_number(lexer, word, 0, fields[i].highest);
        return true;
    }
    return false;
}

/* Items that are weir's and no number; false: `word` begins none. */
static bool parse_own(struct lexer *lexer, struct packet_line *packet, const char *word)
{
    struct ip_line *ip = &packet->ip;

    if (!strcmp(word, "df") || !strcmp(word, "nodf")) {
        ip->df = word[0] == 'd';
        ip->no_df = !ip->df;
    } else if (!strcmp(word, "src")) {
        ip->has_src = true;
        parse_address(lexer, &ip->src);
    } else if (!strcmp(word, "dst")) {
        ip->has_dst = true;
        parse_address(lexer, &ip->dst);
    } else if (!strcmp(word, "frag")) {
        parse_fragment(lexer, ip);
    } else if (!strcmp(word, "ipopt") && packet->inbound) {
        parse_ip_options(lexer, ip);
    } else if (!strcmp(word, "sum") && packet->inbound) {
        parse_sum(lexer, ip);
    } else if (!strcmp(word, "ip") && packet->inbound) {
        expect_sign(lexer, '-', "in `ip-sum bad`");
        ip->ip_sum_bad = accept_word(lexer, "sum") && accept_word(lexer, "bad");
        if (!ip->ip_sum_bad)
            lex_fail(lexer, lexer->here, "expected `ip-sum bad`");
    } else {
        return false;
    }
    return true;
}

static void parse_ip_item(struct lexer *lexer, struct packet_line *packet)
{
    struct token token;
    const char *word;

    lex_next(lexer, &token);
    word = token.kind == TOKEN_WORD ? token.text : "";
    if (ecn_named(word) != ECN_ANY) {
        packet->ecn = ecn_named(word);
    } else if (!strcmp(word, "flowlabel")) {
        expect_number(lexer, "a flow label", 0, 0xfffff);
        packet->is_ip6 = true;
    } else if (!parse_numbered(lexer, packet, word) && !parse_own(lexer, packet, word)) {
        fail_expected(lexer, &token,
                      packet->inbound
                          ? "noecn, ect0, ect1, ce, tos, ttl, id, df, src, dst, frag, proto, ihl, "
                            "total, ipopt, doff, reserved, ip-sum, sum, cut or flowlabel"
                          : "noecn, ect0, ect1, ce, ect01, tos, ttl, id, df, nodf, src, dst, frag "
                            "or flowlabel");
    }
}

void parse_ip_info(struct lexer *lexer, struct packet_line *packet)
{
    struct ip_line *ip = &packet->ip;
    char close = ')';

    ip->id = ip->protocol = ip->ihl = ip->total = ip->doff = ip->reserved = ip->cut = -1;
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
