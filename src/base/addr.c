/* SPDX-License-Identifier: MIT */

/* Internet addresses and prefixes as values.
 *
 * An address is 16 bytes and a scope. IPv4 lives in ::ffff:0:0/96 (RFC 4291 2.5.5.2), so that keys,
 * routes and the API have one kind of address, and an IPv4 prefix of n bits is one of 96 + n.
 *
 * Text is strict on the way in: four decimal parts of one to three digits, 0..255, dots between, no
 * sign, no space, nothing behind. A leading zero is refused, because half of the world reads it as
 * octal. Only IPv4 text is parsed so far. On the way out a v4-mapped address is a dotted quad and
 * any other is written as RFC 5952 4 has it: lower case, no leading zeros, the longest run of at
 * least two zero groups as "::", the first one if there are several; a scope follows as "%number".
 * The longest text is 39 + 1 + 10 characters only for a full address with a huge scope; a scope
 * above seven digits is cut to what fits into WEIR_ADDR_TEXT.
 *
 * A prefix contains an address if the first `bits` bits agree; scopes are compared only when the
 * prefix has one. Out-parameters are untouched on failure. */

#include <base/addr.h>
#include <weir/error.h>
#include <weir/types.h>

#define V4_BITS 96u
#define GROUPS 8

static const uint8_t v4_mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct weir_addr weir_addr_from4(uint32_t host_order)
{
    struct weir_addr addr;

    addr_set4(&addr, host_order);
    return addr;
}

struct weir_addr weir_addr_any4(void)
{
    return weir_addr_from4(0);
}

uint32_t weir_addr_to4(const struct weir_addr *addr)
{
    return addr_get4(addr);
}

bool weir_addr_is4(const struct weir_addr *addr)
{
    return memcmp(addr->bytes, v4_mapped, sizeof v4_mapped) == 0;
}

bool weir_addr_is_any(const struct weir_addr *addr)
{
    static const uint8_t zeros[16] = {0};

    if (weir_addr_is4(addr))
        return weir_addr_to4(addr) == 0;
    return memcmp(addr->bytes, zeros, sizeof zeros) == 0;
}

bool weir_addr_equal(const struct weir_addr *a, const struct weir_addr *b)
{
    return addr_is_equal(a, b);
}

struct weir_prefix weir_prefix_from4(uint32_t host_order, unsigned bits4)
{
    uint32_t mask = bits4 == 0 ? 0 : UINT32_MAX << (32 - bits4);

    return (struct weir_prefix){weir_addr_from4(host_order & mask), (uint8_t)(V4_BITS + bits4)};
}

bool weir_prefix_contains(const struct weir_prefix *prefix, const struct weir_addr *addr)
{
    size_t whole = prefix->bits / 8u;
    unsigned rest = prefix->bits % 8u;

    if (prefix->addr.scope != 0 && prefix->addr.scope != addr->scope)
        return false;
    if (memcmp(prefix->addr.bytes, addr->bytes, whole) != 0)
        return false;
    return rest == 0 || (prefix->addr.bytes[whole] ^ addr->bytes[whole]) >> (8 - rest) == 0;
}

/* Reads a decimal number of at most three digits, without leading zeros, up to `max`. Returns what
 * follows, or NULL. */
static const char *parse_number(const char *text, unsigned max, unsigned *number)
{
    unsigned value = 0, digits = 0;

    for (; *text >= '0' && *text <= '9'; text++, digits++) {
        if (digits == 3 || (digits > 0 && value == 0))
            return NULL;
        value = value * 10 + (unsigned)(*text - '0');
    }
    if (digits == 0 || value > max)
        return NULL;
    *number = value;
    return text;
}

/* Reads a dotted quad. Returns what follows, or NULL. */
static const char *parse_quad(const char *text, uint32_t *host_order)
{
    uint32_t value = 0;
    unsigned part, i;

    for (i = 0; i < 4; i++) {
        if (i > 0 && *text++ != '.')
            return NULL;
        text = parse_number(text, 255, &part);
        if (!text)
            return NULL;
        value = value << 8 | part;
    }
    *host_order = value;
    return text;
}

int weir_addr_parse(const char *text, struct weir_addr *addr)
{
    uint32_t value;
    const char *rest = parse_quad(text, &value);

    if (!rest || *rest != '\0')
        return WEIR_EINVAL;
    *addr = weir_addr_from4(value);
    return 0;
}

int weir_prefix_parse(const char *text, struct weir_prefix *prefix, struct weir_addr *host)
{
    uint32_t value;
    unsigned bits;
    const char *rest = parse_quad(text, &value);

    if (!rest || *rest != '/')
        return WEIR_EINVAL;
    rest = parse_number(rest + 1, 32, &bits);
    if (!rest || *rest != '\0')
        return WEIR_EINVAL;
    *prefix = weir_prefix_from4(value, bits);
    if (host)
        *host = weir_addr_from4(value);
    return 0;
}

/* Writes a number; returns the end. */
static char *print_number(char *text, uint32_t value, unsigned base)
{
    char digits[10];
    int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    while (count > 0)
        *text++ = digits[--count];
    return text;
}

static char *print_quad(char *text, const uint8_t *bytes)
{
    int i;

    for (i = 0; i < 4; i++) {
        if (i > 0)
            *text++ = '.';
        text = print_number(text, bytes[i], 10);
    }
    return text;
}

static uint16_t group_at(const struct weir_addr *addr, int index)
{
    return get_u16(addr->bytes + (size_t)index * 2);
}

/* The first of the longest runs of zero groups; *length is below 2 if there is none to shorten. */
static int longest_zeros(const struct weir_addr *addr, int *length)
{
    int start, end, best = 0;

    *length = 0;
    for (start = 0; start < GROUPS; start = end + 1) {
        for (end = start; end < GROUPS && group_at(addr, end) == 0; end++)
            continue;
        if (end - start > *length) {
            best = start;
            *length = end - start;
        }
    }
    return best;
}

static char *print_groups(char *text, const struct weir_addr *addr)
{
    int length, zeros = longest_zeros(addr, &length), i;

    for (i = 0; i < GROUPS; i++) {
        if (length >= 2 && i == zeros) {
            *text++ = ':';
            if (zeros + length == GROUPS)
                *text++ = ':';
            i += length - 1;
            continue;
        }
        if (i > 0)
            *text++ = ':';
        text = print_number(text, group_at(addr, i), 16);
    }
    return text;
}

const char *weir_addr_print(const struct weir_addr *addr, char *text)
{
    char *end, scope[12];
    size_t room, length;

    end = weir_addr_is4(addr) ? print_quad(text, addr->bytes + 12) : print_groups(text, addr);
    if (addr->scope != 0) {
        scope[0] = '%';
        length = (size_t)(print_number(scope + 1, addr->scope, 10) - scope);
        room = WEIR_ADDR_TEXT - 1 - (size_t)(end - text);
        length = min_size(length, room);
        memcpy(end, scope, length);
        end += length;
    }
    *end = '\0';
    return text;
}
