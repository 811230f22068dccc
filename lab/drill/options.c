/* SPDX-License-Identifier: MIT */

/* TCP options: emit, parse, compare, print.
 *
 * The stack's own parser lies below the public API, and rightly: what judges a stack must not read
 * packets with that stack's eyes. This one keeps order and padding, which a script may check. A
 * kind that the script language cannot name, or bytes whose length lies, become OPTION_OTHER with
 * the raw bytes, which equals nothing a script can write. */

#include <lab/drill/options.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>

/* Kind on the wire, and bytes of a number (0: the option has none). */
static const struct {
    uint8_t kind, width;
    const char *name;
} forms[] = {
    [OPTION_EOL] = {0, 0, "eol"},        [OPTION_NOP] = {1, 0, "nop"},
    [OPTION_MSS] = {2, 2, "mss"},        [OPTION_WSCALE] = {3, 1, "wscale"},
    [OPTION_SACK_OK] = {4, 0, "sackOK"}, [OPTION_SACK] = {5, 4, "sack"},
    [OPTION_TS] = {8, 4, "TS"},          [OPTION_MD5] = {19, 0, "md5"},
    [OPTION_FO] = {34, 0, "FO"},         [OPTION_FOEXP] = {254, 0, "FOEXP"},
    [OPTION_ECN0] = {172, 3, "ECN e0b"}, [OPTION_ECN1] = {174, 3, "ECN e1b"},
    [OPTION_HEX] = {255, 0, "hex"},      [OPTION_NAMED] = {255, 0, "unknown"},
    [OPTION_OTHER] = {255, 0, "other"},
};

static bool is_single(enum option_kind kind)
{
    return kind == OPTION_EOL || kind == OPTION_NOP;
}

static unsigned wire_length(const struct tcp_option *option)
{
    if (is_single(option->kind))
        return 1;
    if (option->kind == OPTION_HEX)
        return option->length;
    return 2 + option->count * forms[option->kind].width + option->length +
           (option->kind == OPTION_FOEXP ? 2 : 0);
}

static void put(uint8_t *bytes, uint32_t number, unsigned width)
{
    while (width-- > 0) {
        bytes[width] = (uint8_t)number;
        number >>= 8;
    }
}

static void emit_one(const struct tcp_option *option, uint8_t *bytes)
{
    unsigned i, width = forms[option->kind].width;

    if (option->kind == OPTION_HEX) {
        memcpy(bytes, option->bytes, option->length);
        return;
    }
    *bytes++ = forms[option->kind].kind;
    if (is_single(option->kind))
        return;
    *bytes++ = (uint8_t)wire_length(option);
    if (option->kind == OPTION_FOEXP) {
        put(bytes, 0xf989, 2);
        bytes += 2;
    }
    for (i = 0; i < option->count; i++)
        put(bytes + i * width, option->numbers[i], width);
    memcpy(bytes + option->count * width, option->bytes, option->length);
}

int options_emit(const struct tcp_option *options, unsigned count, uint8_t *bytes)
{
    unsigned total = 0, i;

    for (i = 0; i < count; i++) {
        unsigned length = wire_length(&options[i]);

        if (options[i].kind >= OPTION_NAMED || total + length > 40)
            return WEIR_EINVAL;
        emit_one(&options[i], bytes + total);
        total += length;
    }
    return total % 4 == 0 ? (int)total : WEIR_EINVAL;
}

static enum option_kind kind_of(uint8_t wire_kind)
{
    int kind;

    for (kind = 0; kind < OPTION_HEX; kind++)
        if (forms[kind].kind == wire_kind)
            return (enum option_kind)kind;
    return OPTION_OTHER;
}

static uint32_t read_number(const uint8_t *bytes, unsigned width)
{
    uint32_t number = 0;

    while (width-- > 0)
        number = number << 8 | *bytes++;
    return number;
}

static void parse_body(struct tcp_option *option, const uint8_t *body, unsigned length)
{
    unsigned width = forms[option->kind].width, i;

    if (width > 0 && length % width == 0 && length / width <= 8) {
        option->count = length / width;
        for (i = 0; i < option->count; i++)
            option->numbers[i] = read_number(body + i * width, width);
        return;
    }
    if (option->kind == OPTION_FOEXP && length >= 2 && read_number(body, 2) == 0xf989) {
        body += 2;
        length -= 2;
    }
    option->length = length;
    memcpy(option->bytes, body, length);
}

unsigned options_parse(const uint8_t *bytes, unsigned length, struct tcp_option *options)
{
    unsigned count = 0, at = 0;

    while (at < length && count < TCP_OPTIONS_MAX) {
        struct tcp_option *option = &options[count++];

        *option = (struct tcp_option){.kind = kind_of(bytes[at])};
        if (is_single(option->kind)) {
            at++;
            continue;
        }
        if (at + 2 > length || bytes[at + 1] < 2 || at + bytes[at + 1] > length) {
            option->kind = OPTION_OTHER;
            parse_body(option, bytes + at, length - at);
            return count;
        }
        parse_body(option, bytes + at + 2, bytes[at + 1] - 2u);
        at += bytes[at + 1];
    }
    return count;
}

bool options_equal(const struct tcp_option *a, const struct tcp_option *b)
{
    return a->kind == b->kind && a->kind < OPTION_HEX && a->count == b->count &&
           a->length == b->length && !memcmp(a->numbers, b->numbers, a->count * sizeof(uint32_t)) &&
           !memcmp(a->bytes, b->bytes, a->length);
}

void options_move_sacks(struct tcp_option *options, unsigned count, uint32_t isn)
{
    unsigned i, k;

    for (i = 0; i < count; i++)
        for (k = 0; options[i].kind == OPTION_SACK && k < options[i].count; k++)
            options[i].numbers[k] += isn;
}

static size_t print_one(const struct tcp_option *option, char *text, size_t size)
{
    static const char *const ts_words[] = {" val", " ecr"};
    static const char *const ecn_words[] = {"", " ceb", " …"};
    int used = snprintf(text, size, "%s", forms[option->kind].name);
    unsigned i;

    for (i = 0; i < option->count && used >= 0 && (size_t)used < size; i++) {
        const char *before = " ";

        if (option->kind == OPTION_TS && i < 2)
            used += snprintf(text + used, size - (size_t)used, "%s", ts_words[i]);
        else if ((option->kind == OPTION_ECN0 || option->kind == OPTION_ECN1) && i < 3)
            used += snprintf(text + used, size - (size_t)used, "%s", ecn_words[i]);
        else if (option->kind == OPTION_SACK && i % 2 == 1)
            before = ":";
        if ((size_t)used < size)
            used += snprintf(text + used, size - (size_t)used, "%s%u", before, option->numbers[i]);
    }
    for (i = 0; i < option->length && used >= 0 && (size_t)used < size; i++)
        used += snprintf(text + used, size - (size_t)used, i ? "%02x" : " %02x", option->bytes[i]);
    return used < 0 ? 0 : (size_t)used;
}

const char *options_print(const struct tcp_option *options, unsigned count, char *text, size_t size)
{
    size_t used = 0;
    unsigned i;

    text[0] = '\0';
    for (i = 0; i < count && used + 2 < size; i++) {
        if (i > 0)
            text[used++] = ',';
        used += print_one(&options[i], text + used, size - used);
    }
    return text;
}
