/* SPDX-License-Identifier: MIT */

/* The parser of TCP options in a packet line: `mss N`, `nop`, `eol`, `wscale N`, `sackOK`,
 * `sack l:r …`, `TS val N ecr N`, `md5 HEX|""`, `FO [HEX]`, `FOEXP [HEX]`, `ECN e0b N [ceb N [e1b
 * N]]` or `ECN e1b …`, separated by commas; or `...` alone for any options, outbound only. weir's
 * own is `hex HEX`: these bytes, be they an option, several, or nonsense. Options of multipath TCP and the
 * like are known by name, so that their scripts can be skipped with it.
 *
 * A segment has at most 40 bytes of options, so at most TCP_OPTIONS_MAX of them. That their lengths
 * add up to a multiple of four is checked where they are emitted (options.c). */

#include <lab/drill/parse.h>
#include <string.h>

static void parse_sack(struct lexer *lexer, struct tcp_option *option)
{
    struct token token;

    option->kind = OPTION_SACK;
    for (;;) {
        lex_next(lexer, &token);
        lex_rewind(lexer, &token);
        if (token.kind != TOKEN_NUMBER)
            return;
        if (option->count >= 8) {
            lex_fail(lexer, token.where, "a segment has at most four SACK blocks");
            return;
        }
        option->numbers[option->count++] =
            (uint32_t)expect_number(lexer, "the left edge of a SACK block", 0, UINT32_MAX);
        expect_sign(lexer, ':', "between the edges of a SACK block");
        option->numbers[option->count++] =
            (uint32_t)expect_number(lexer, "the right edge of a SACK block", 0, UINT32_MAX);
    }
}

/* What a definition says the word is, without its quotes; NULL: there is none. */
static const char *defined(const struct lexer *lexer, const char *word)
{
    size_t i;

    for (i = 0; i < lexer->define_count; i++)
        if (!strcmp(lexer->defines[i].name, word))
            return lexer->defines[i].value;
    return NULL;
}

/* A name that the runner of the scripts was to define (FO TFO_COOKIE). */
static bool is_undefined(const char *word)
{
    return strchr(word, '_') && word[0] >= 'A' && word[0] <= 'Z';
}

/* Hexadecimal bytes up to the next `,` or `>`, or a name for them; at most `max` of them. */
static void parse_hex(struct lexer *lexer, struct tcp_option *option, unsigned max)
{
    const char *text;
    struct token token;
    size_t quotes;
    long length;

    lex_raw(lexer, ",>", &token);
    if (lexer->failed || !strcmp(token.text, "\"\""))
        return;
    text = defined(lexer, token.text);
    if (!text && is_undefined(token.text)) {
        option->name = option->kind == OPTION_MD5 ? "md5" : "FO";
        option->kind = OPTION_NAMED;
        return;
    }
    text = text ? text : token.text;
    quotes = text[0] == '"' && strlen(text) > 1;
    length = parse_hex_bytes(text + quotes, strlen(text) - 2 * quotes, option->bytes, max);
    if (length < 0)
        lex_fail(lexer, token.where, "expected up to %u bytes as pairs of hexadecimal digits", max);
    else
        option->length = (unsigned)length;
}

static void parse_ts(struct lexer *lexer, struct tcp_option *option)
{
    option->kind = OPTION_TS;
    option->count = 2;
    if (!accept_word(lexer, "val"))
        lex_fail(lexer, lex_where(lexer), "expected `val` after TS");
    option->numbers[0] = (uint32_t)expect_number(lexer, "a timestamp", 0, UINT32_MAX);
    if (!accept_word(lexer, "ecr"))
        lex_fail(lexer, lex_where(lexer), "expected `ecr` after the timestamp");
    option->numbers[1] = (uint32_t)expect_number(lexer, "a timestamp", 0, UINT32_MAX);
}

static void parse_ecn(struct lexer *lexer, struct tcp_option *option)
{
    static const char *const orders[2][3] = {{"e0b", "ceb", "e1b"}, {"e1b", "ceb", "e0b"}};
    unsigned order = 0, i;

    if (accept_word(lexer, "e1b"))
        order = 1;
    else if (!accept_word(lexer, "e0b"))
        lex_fail(lexer, lex_where(lexer), "expected `e0b` or `e1b` after ECN");
    option->kind = order ? OPTION_ECN1 : OPTION_ECN0;
    for (i = 0; i < 3; i++) {
        if (i > 0 && !accept_word(lexer, orders[order][i]))
            return;
        option->numbers[option->count++] =
            (uint32_t)expect_number(lexer, "a counter of 24 bits", 0, 0xffffff);
    }
}

/* Options that other packetdrills know: of multipath TCP, of TCP-AO, of larger headers. Their values are
 * passed over, up to the next `,` or `>` outside brackets. */
static bool skip_named(struct lexer *lexer, const struct token *name, struct tcp_option *option)
{
    static const char *const beginnings[] = {"mp_",       "mpc",     "mpj",     "dss",
                                             "add_addr",  "rm_addr", "remove_", "ao",
                                             "fastclose", "EDO",     "exp",     "tarr"};
    struct token token;
    unsigned open = 0;
    size_t i;

    for (i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (!strncmp(name->text, beginnings[i], strlen(beginnings[i])))
            break;
    if (i == sizeof(beginnings) / sizeof(beginnings[0]))
        return false;
    option->kind = OPTION_NAMED;
    option->name = name->text;
    do {
        lex_next(lexer, &token);
        if (token.kind == TOKEN_SIGN && strchr(",>", token.sign) && open == 0)
            break;
        if (token.kind == TOKEN_SIGN && strchr("[(", token.sign))
            open++;
        else if (token.kind == TOKEN_SIGN && strchr("])", token.sign) && open > 0)
            open--;
    } while (token.kind != TOKEN_END);
    lex_rewind(lexer, &token);
    return true;
}

static void parse_one(struct lexer *lexer, struct tcp_option *option)
{
    static const char *const simple[] = {"eol", "nop", "mss", "wscale", "sackOK"};
    static const int64_t highest[] = {0, 0, 65535, 255, 0};
    struct token token;
    unsigned i;

    lex_next(lexer, &token);
    if (token.kind != TOKEN_WORD) {
        fail_expected(lexer, &token, "a TCP option");
        return;
    }
    for (i = 0; i < 5; i++) {
        if (strcmp(token.text, simple[i]) != 0)
            continue;
        option->kind = (enum option_kind)i;
        if (highest[i]) {
            option->count = 1;
            option->numbers[0] =
                (uint32_t)expect_number(lexer, "the option's value", 0, highest[i]);
        }
        return;
    }
    option->kind = OPTION_MD5;
    if (!strcmp(token.text, "sack")) {
        parse_sack(lexer, option);
    } else if (!strcmp(token.text, "TS")) {
        parse_ts(lexer, option);
    } else if (!strcmp(token.text, "ECN")) {
        parse_ecn(lexer, option);
    } else if (!strcmp(token.text, "md5")) {
        parse_hex(lexer, option, 16);
    } else if (!strcmp(token.text, "FO") || !strcmp(token.text, "FOEXP")) {
        option->kind = token.length == 2 ? OPTION_FO : OPTION_FOEXP;
        parse_hex(lexer, option, 18);
    } else if (!strcmp(token.text, "hex")) {
        option->kind = OPTION_HEX;
        parse_hex(lexer, option, 40);
    } else if (!skip_named(lexer, &token, option)) {
        fail_expected(lexer, &token, "a TCP option");
    }
}

/* Options are gathered here, and only as many as there are kept. */
static void keep_options(struct lexer *lexer, struct packet_line *packet,
                         const struct tcp_option *options)
{
    struct tcp_option *kept = get(lexer, packet->option_count * sizeof(*kept));

    if (kept)
        memcpy(kept, options, packet->option_count * sizeof(*kept));
    packet->options = kept;
}

void parse_tcp_options(struct lexer *lexer, struct packet_line *packet)
{
    struct tcp_option options[TCP_OPTIONS_MAX] = {{.kind = OPTION_EOL}};
    struct token token;

    lex_next(lexer, &token);
    if (token.kind == TOKEN_ELLIPSIS) {
        if (packet->inbound)
            lex_fail(lexer, token.where, "<...> is for outbound packets only");
        packet->any_options = true;
        expect_sign(lexer, '>', "after the options");
        return;
    }
    lex_rewind(lexer, &token);
    if (accept_sign(lexer, '>'))
        return;
    do {
        if (packet->option_count == TCP_OPTIONS_MAX)
            lex_fail(lexer, lexer->here, "a segment has at most %u options", TCP_OPTIONS_MAX);
        if (lexer->failed)
            return;
        parse_one(lexer, &options[packet->option_count++]);
    } while (accept_sign(lexer, ','));
    expect_sign(lexer, '>', "or `,` after a TCP option");
    keep_options(lexer, packet, options);
}
