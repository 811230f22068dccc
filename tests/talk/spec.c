/* SPDX-License-Identifier: MIT */

/* The language of conversations: a packet in one line, close to what tcpdump prints.
 *
 * The parser is a cursor over the text and one function per word; each word moves the cursor or
 * leaves it where it does not understand, and that place is reported. Printing gives the same
 * language back, so that the "got" line of a failure can be copied into the test. */

#include "spec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char flag_letters[] = "FSRP.UEC"; /* by bit */

static const char *skip_blanks(const char *p)
{
    while (*p == ' ')
        p++;
    return p;
}

static bool is_word_end(char c)
{
    return c == '\0' || c == ' ' || c == ',' || c == '>';
}

/* Takes `word` off the text. */
static bool take(const char **p, const char *word)
{
    size_t length = strlen(word);

    if (strncmp(*p, word, length) != 0 || !is_word_end((*p)[length]))
        return false;
    *p = skip_blanks(*p + length);
    return true;
}

static bool take_number(const char **p, int64_t *value)
{
    char *end;

    *value = strtoll(*p, &end, 10);
    if (end == *p)
        return false;
    *p = skip_blanks(end);
    return true;
}

static bool take_sequence(const char **p, int64_t *value, bool *is_absolute)
{
    *is_absolute = **p == '=';
    if (*is_absolute)
        ++*p;
    return take_number(p, value);
}

static bool parse_flags(const char **p, struct spec *spec)
{
    const char *start = *p;

    if (take(p, "*")) {
        spec->any_flags = true;
        return true;
    }
    if (take(p, "-"))
        return true;
    for (; !is_word_end(**p); ++*p) {
        const char *letter = strchr(flag_letters, **p);

        if (letter == NULL)
            return false;
        spec->flags |= (uint8_t)(1u << (letter - flag_letters));
    }
    if (*p == start)
        return false;
    *p = skip_blanks(*p);
    return true;
}

/* SEQ:END(LENGTH) */
static bool parse_range(const char **p, struct spec *spec)
{
    const char *start = *p;
    bool ignored;
    int64_t length;

    if (!take_sequence(p, &spec->seq, &spec->is_seq_absolute) || **p != ':') {
        *p = start;
        return true; /* there is none */
    }
    ++*p;
    if (!take_sequence(p, &spec->end, &ignored) || **p != '(')
        return false;
    ++*p;
    if (!take_number(p, &length) || **p != ')')
        return false;
    *p = skip_blanks(*p + 1);
    spec->length = (uint32_t)length;
    spec->has_seq = true;
    return spec->end - spec->seq == length;
}

static bool add_option(struct spec *spec, const uint8_t *bytes, unsigned count)
{
    if (spec->options_length + count > 40)
        return false;
    memcpy(spec->options + spec->options_length, bytes, count);
    spec->options_length = (uint8_t)(spec->options_length + count);
    return true;
}

static bool parse_hex(const char **p, struct spec *spec)
{
    unsigned value;
    int used = 0;

    while (sscanf(*p, "%2x%n", &value, &used) == 1 && used == 2) {
        uint8_t byte = (uint8_t)value;

        if (!add_option(spec, &byte, 1))
            return false;
        *p += 2;
    }
    *p = skip_blanks(*p);
    return used == 2;
}

static bool parse_option(const char **p, struct spec *spec)
{
    int64_t value;

    if (take(p, "nop"))
        return add_option(spec, (const uint8_t[]){1}, 1);
    if (take(p, "eol"))
        return add_option(spec, (const uint8_t[]){0}, 1);
    if (!take(p, "mss"))
        return parse_hex(p, spec);
    if (!take_number(p, &value))
        return false;
    return add_option(spec, (const uint8_t[]){2, 4, (uint8_t)(value >> 8), (uint8_t)value}, 4);
}

static bool parse_options(const char **p, struct spec *spec)
{
    spec->has_options = true;
    *p = skip_blanks(*p + 1);
    while (**p != '>') {
        if (!parse_option(p, spec))
            return false;
        if (**p == ',')
            *p = skip_blanks(*p + 1);
        else if (**p != '>')
            return false;
    }
    *p = skip_blanks(*p + 1);
    return true;
}

static bool parse_why(const char **p, struct spec *spec)
{
    size_t length = 0;

    while (!is_word_end((*p)[length]))
        length++;
    if (length == 0 || length >= sizeof(spec->why))
        return false;
    memcpy(spec->why, *p, length);
    *p = skip_blanks(*p + length);
    return true;
}

/* `word N` with N up to `max`. */
static bool parse_value(const char **p, int64_t max, int64_t *value)
{
    return take_number(p, value) && *value >= 0 && *value <= max;
}

static bool parse_field(const char **p, struct spec *spec)
{
    int64_t value = 0;
    bool is_good = true;

    if (take(p, "ack")) {
        spec->has_ack = true;
        return take_sequence(p, &spec->ack, &spec->is_ack_absolute);
    }
    if (take(p, "win")) {
        is_good = parse_value(p, 65535, &value);
        spec->has_window = true;
        spec->window = (uint16_t)value;
    } else if (take(p, "urg")) {
        is_good = parse_value(p, 65535, &value);
        spec->has_urgent = true;
        spec->urgent = (uint16_t)value;
    } else if (take(p, "ttl")) {
        is_good = parse_value(p, 255, &value);
        spec->has_ttl = true;
        spec->ttl = (uint8_t)value;
    } else if (take(p, "tos")) {
        is_good = parse_value(p, 255, &value);
        spec->has_tos = true;
        spec->tos = (uint8_t)value;
    } else if (take(p, "reserved")) {
        is_good = parse_value(p, 15, &value);
        spec->reserved = (uint8_t)value;
    } else {
        return false;
    }
    return is_good;
}

static bool parse_word(const char **p, struct spec *spec)
{
    if (**p == '<')
        return parse_options(p, spec);
    if (take(p, "badsum")) {
        spec->is_bad_sum = true;
        return true;
    }
    if (take(p, "why"))
        return parse_why(p, spec);
    return parse_field(p, spec);
}

static bool parse_icmp(const char **p, struct spec *spec)
{
    int64_t type, code;

    spec->is_icmp = true;
    if (!parse_value(p, 255, &type) || !parse_value(p, 255, &code))
        return false;
    spec->icmp_type = (uint8_t)type;
    spec->icmp_code = (uint8_t)code;
    return **p == '\0';
}

const char *spec_parse(const char *text, struct spec *spec)
{
    const char *p = skip_blanks(text);

    memset(spec, 0, sizeof(*spec));
    if (take(&p, "icmp"))
        return parse_icmp(&p, spec) ? NULL : p;
    if (!parse_flags(&p, spec) || !parse_range(&p, spec))
        return p;
    while (*p != '\0')
        if (!parse_word(&p, spec))
            return p;
    return NULL;
}

/* ---- Printing --------------------------------------------------------------------------------- */

struct text {
    char *bytes;
    size_t size, used;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    int wanted;

    va_start(arguments, format);
    wanted = vsnprintf(text->bytes + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    if (wanted > 0)
        text->used += (size_t)wanted;
    if (text->used >= text->size)
        text->used = text->size - 1;
}

static void print_options(const struct weir_packet *packet, struct text *text)
{
    const uint8_t *options = packet->options;
    unsigned at = 0;

    add(text, " <");
    while (at < packet->options_length) {
        if (options[at] == 2 && at + 4 <= packet->options_length && options[at + 1] == 4) {
            add(text, "mss %d", options[at + 2] << 8 | options[at + 3]);
            at += 4;
        } else if (options[at] == 1) {
            add(text, "nop");
            at++;
        } else {
            add(text, "%02x", options[at]);
            at++;
        }
        if (at < packet->options_length)
            add(text, ",");
    }
    add(text, ">");
}

const char *spec_print(const struct weir_packet *packet, uint32_t seq_base, uint32_t ack_base,
                       char *bytes, size_t size)
{
    struct text text = {.bytes = bytes, .size = size};
    int32_t seq = (int32_t)(packet->seq - seq_base);

    bytes[0] = '\0';
    if (packet->protocol == 1) {
        add(&text, "icmp %d %d", packet->icmp_type, packet->icmp_code);
        return bytes;
    }
    if (packet->flags == 0)
        add(&text, "-");
    for (unsigned bit = 0; bit < 8; bit++)
        if (bit != 4 && packet->flags & 1u << bit)
            add(&text, "%c", flag_letters[bit]);
    if (packet->flags & WEIR_TCP_ACK)
        add(&text, ".");
    add(&text, " %d:%lld(%u)", seq, (long long)seq + packet->payload_length,
        packet->payload_length);
    if (packet->flags & WEIR_TCP_ACK)
        add(&text, " ack %d", (int32_t)(packet->ack - ack_base));
    add(&text, " win %u", packet->window);
    if (packet->flags & WEIR_TCP_URG)
        add(&text, " urg %u", packet->urgent);
    if (packet->options_length > 0)
        print_options(packet, &text);
    return bytes;
}
