/* SPDX-License-Identifier: MIT */

/* The values of a description that have a meaning of their own: prefixes and impairments; and how a
 * fault is told.
 *
 * A fault names file, line and what was expected. The library that parses forgets the lines, so
 * whoever reads keeps the path to the value at hand (reader_down_key, reader_down_index, reader_up),
 * and only when there is a fault the text is walked along it (where.h). After a fault nothing more is
 * read, so nobody need go up again.
 *
 * Addresses: a network without a prefix gets the next of 10.0.0.0/24, 10.1.0.0/24, …; its nodes get
 * 1, 2, … and the last address is left for broadcasts, so that a network of 2^k addresses has room for
 * 2^k - 2 nodes. Networks that overlap would make two nodes' routes contradict each other.
 *
 * Impairments are checked by the parser that the nodes use, and kept as its text: KEY=VALUE with a
 * decimal number of at most nine places, which is what lnx files hold. The seed is kept apart, since
 * each place of the network gets one of its own (generate.c).
 */

#include <assert.h>
#include <lab/net/reader.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>

/* ---- Faults ------------------------------------------------------------------------------------ */

/* A fault is one line, and does nothing to a terminal, whatever the file says. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

int reader_fail_at(struct net_error *error, const char *name, unsigned line, const char *what)
{
    error->line = line;
    snprintf(error->text, sizeof error->text, "%.200s:%u: %s", name, line, what);
    make_printable(error->text);
    return WEIR_EINVAL;
}

int reader_fail(struct reader *reader, const char *format, ...)
{
    char what[NET_ERROR_TEXT / 2];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return reader_fail_at(reader->error, reader->name,
                          where_line(reader->text, reader->path, reader->depth), what);
}

int reader_fail_file(struct net_error *error, const char *name, int code, const char *what)
{
    error->line = 0;
    snprintf(error->text, sizeof error->text, "%.200s: %s", name, what);
    return code;
}

int reader_fail_memory(struct reader *reader)
{
    return reader_fail_file(reader->error, reader->name, WEIR_ENOMEM, "out of memory");
}

void reader_down_key(struct reader *reader, const char *key)
{
    assert(reader->depth < READER_DEPTH_MAX);
    reader->path[reader->depth++] = (struct where_step){key, 0};
}

void reader_down_index(struct reader *reader, size_t index)
{
    assert(reader->depth < READER_DEPTH_MAX);
    reader->path[reader->depth++] = (struct where_step){NULL, index};
}

void reader_up(struct reader *reader)
{
    assert(reader->depth > 0);
    reader->depth--;
}

/* ---- Addresses --------------------------------------------------------------------------------- */

static uint32_t mask_of(unsigned bits)
{
    return bits ? UINT32_MAX << (32 - bits) : 0;
}

static const char *prefix_text(const struct net_network *network, char *text, size_t size)
{
    snprintf(text, size, "%u.%u.%u.%u/%u", network->prefix >> 24, network->prefix >> 16 & 255,
             network->prefix >> 8 & 255, network->prefix & 255, network->bits);
    return text;
}

int reader_prefix(struct reader *reader, json_t *value, struct net_network *network)
{
    const char *text = json_string_value(value);
    struct weir_prefix prefix;
    struct weir_addr addr;

    if (!value) {
        if (reader->automatic == NET_AUTOMATIC_MAX)
            return reader_fail(reader,
                               "more than %u networks have no \"prefix\", expected one here",
                               NET_AUTOMATIC_MAX);
        network->prefix = 10u << 24 | reader->automatic++ << 16;
        network->bits = 24;
        return 0;
    }
    reader_down_key(reader, "prefix");
    if (!text || weir_prefix_parse(text, &prefix, &addr))
        return reader_fail(reader,
                           "\"%.40s\" is no prefix, expected an IPv4 network like 10.1.0.0/24",
                           text ? text : "");
    network->bits = prefix.bits >= 96 ? prefix.bits - 96u : prefix.bits;
    network->prefix = weir_addr_to4(&addr);
    if (network->prefix & ~mask_of(network->bits))
        return reader_fail(reader,
                           "\"%.40s\" has bits beyond its prefix length, expected a network", text);
    reader_up(reader);
    return 0;
}

int reader_check_room(struct reader *reader, const struct net_network *network)
{
    uint64_t size = (uint64_t)1 << (32 - network->bits);
    char text[32];

    if (network->link_count + 2 <= size)
        return 0;
    return reader_fail(reader, "network \"%s\": %zu nodes on %s, expected at most %u",
                       network->name, network->link_count, prefix_text(network, text, sizeof text),
                       size > 2 ? (unsigned)(size - 2) : 0);
}

int reader_check_overlap(struct reader *reader, const struct net_network *network)
{
    const struct net *net = reader->net;
    char here[32], there[32];
    size_t i;

    for (i = 0; i < net->network_count; i++) {
        const struct net_network *other = &net->networks[i];
        uint32_t mask = mask_of(network->bits < other->bits ? network->bits : other->bits);

        if (strcmp(other->name, network->name) == 0)
            return reader_fail(reader, "there are two networks \"%s\", expected a name once",
                               network->name);
        if ((network->prefix & mask) == (other->prefix & mask))
            return reader_fail(reader,
                               "network \"%s\" (%s) overlaps network \"%s\" (%s), expected "
                               "addresses of its own",
                               network->name, prefix_text(network, here, sizeof here), other->name,
                               prefix_text(other, there, sizeof there));
    }
    return 0;
}

/* ---- Impairments ------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    const char *expected;
} impair_keys[] = {
    {"loss", "a probability from 0 to 1"},
    {"burst_loss", "a probability from 0 to 1"},
    {"burst_length", "a number of packets from 1 up"},
    {"corrupt", "a probability from 0 to 1"},
    {"duplicate", "a probability from 0 to 1"},
    {"reorder", "a probability from 0 to 1"},
    {"reorder_ms", "milliseconds from 0 to an hour"},
    {"delay_ms", "milliseconds from 0 to an hour"},
    {"jitter_ms", "milliseconds from 0 to an hour"},
    {"rate_mbit", "megabits per second from 0.000001 up, or 0"},
    {"queue_packets", "a number of packets from 1 to 16777216"},
};

/* A JSON number as the parser of impairments wants it: no sign, no exponent. */
static void decimal(double value, char *text, size_t size)
{
    char *end;

    snprintf(text, size, value == floor(value) ? "%.0f" : "%.9f", value);
    if (!strchr(text, '.'))
        return;
    for (end = text + strlen(text); end[-1] == '0'; end--)
        end[-1] = '\0';
    if (end[-1] == '.')
        end[-1] = '\0';
}

static int read_impair(struct reader *reader, json_t *value, unsigned row,
                       struct net_network *network)
{
    size_t used = strlen(network->impair);
    struct weir_impair checked;
    char number[400]; /* %.0f of the largest double has 309 digits */
    char word[64];

    memset(&checked, 0, sizeof checked);
    decimal(json_is_number(value) ? json_number_value(value) : -1, number, sizeof number);
    snprintf(word, sizeof word, "%s=%.40s", impair_keys[row].key, number);
    if (weir_impair_parse(&checked, word) ||
        (!strcmp(impair_keys[row].key, "queue_packets") && checked.queue_packets == 0)) {
        reader_down_key(reader, impair_keys[row].key);
        return reader_fail(reader, "network \"%s\": bad \"%s\", expected %s", network->name,
                           impair_keys[row].key, impair_keys[row].expected);
    }
    snprintf(network->impair + used, sizeof network->impair - used, "%s%s", used ? " " : "", word);
    return 0;
}

int reader_impairs(struct reader *reader, json_t *object, struct net_network *network)
{
    json_t *seed = json_object_get(object, "seed");
    unsigned row;
    int result = 0;

    for (row = 0; row < sizeof impair_keys / sizeof impair_keys[0] && !result; row++) {
        json_t *value = json_object_get(object, impair_keys[row].key);

        if (value)
            result = read_impair(reader, value, row, network);
    }
    if (result || !seed)
        return result;
    if (!json_is_integer(seed) || json_integer_value(seed) < 0) {
        reader_down_key(reader, "seed");
        return reader_fail(reader,
                           "network \"%s\": bad \"seed\", expected a whole number from 0 up",
                           network->name);
    }
    network->has_seed = true;
    network->seed = (uint64_t)json_integer_value(seed);
    return 0;
}
