/* SPDX-License-Identifier: MIT */

/* The values of the wrapper impair: their ranges, and their form as text ("delay_ms=10").
 *
 * Problem: the text comes from files and prompts; whatever is not exactly a number in range must be
 * refused, and the same text must give the same value on every machine and in every locale. So
 * nothing of strtod: a value is digits with at most one point, no sign, exponent or space.
 *
 * Idea: a table with a row a key: where the value goes, how it is read, what one unit of it is. The
 * digits are collected in an integer and divided once by a power of ten, which gives the double
 * nearest to what was written as long as both are below 2^53.
 *
 * Limits: probabilities 0..1; times up to one hour; rate 1 bit/s to 1 Pbit/s, or 0 for none; burst
 * length 1 to 1e9 packets, or 0 for the default; queue up to 2^24 packets; at most 17 digits or so
 * (more than 2^64 / 100 before the last digit is refused). */

#include <link/impair.h>
#include <string.h>
#include <weir/error.h>

#define QUEUE_MAX (1u << 24)
#define TIME_MAX (3600 * WEIR_SECOND)

static bool is_probability(double value)
{
    return value >= 0 && value <= 1; /* false for NaN */
}

static bool is_duration(weir_time value)
{
    return value >= 0 && value <= TIME_MAX;
}

bool impair_is_valid(const struct weir_impair *set)
{
    return is_probability(set->loss) && is_probability(set->burst_loss) &&
           is_probability(set->corrupt) && is_probability(set->duplicate) &&
           is_probability(set->reorder) &&
           (set->burst_length == 0 || (set->burst_length >= 1 && set->burst_length <= 1e9)) &&
           is_duration(set->reorder_ns) && is_duration(set->delay_ns) &&
           is_duration(set->jitter_ns) &&
           (set->rate_bps == 0 || (set->rate_bps >= 1 && set->rate_bps <= 1e15)) &&
           set->queue_packets <= QUEUE_MAX;
}

/* A row a key; exactly one of the three offsets is used, by kind. */
enum kind { REAL, TIME_MS, COUNT32, COUNT64 };

struct key {
    const char *name;
    enum kind kind;
    size_t offset;
    double scale;
};

/* clang-format off */
static const struct key keys[] = {
    {"loss",          REAL,    offsetof(struct weir_impair, loss),          1},
    {"burst_loss",    REAL,    offsetof(struct weir_impair, burst_loss),    1},
    {"burst_length",  REAL,    offsetof(struct weir_impair, burst_length),  1},
    {"corrupt",       REAL,    offsetof(struct weir_impair, corrupt),       1},
    {"duplicate",     REAL,    offsetof(struct weir_impair, duplicate),     1},
    {"reorder",       REAL,    offsetof(struct weir_impair, reorder),       1},
    {"reorder_ms",    TIME_MS, offsetof(struct weir_impair, reorder_ns),    1e6},
    {"delay_ms",      TIME_MS, offsetof(struct weir_impair, delay_ns),      1e6},
    {"jitter_ms",     TIME_MS, offsetof(struct weir_impair, jitter_ns),     1e6},
    {"rate_mbit",     REAL,    offsetof(struct weir_impair, rate_bps),      1e6},
    {"queue_packets", COUNT32, offsetof(struct weir_impair, queue_packets), 1},
    {"seed",          COUNT64, offsetof(struct weir_impair, seed),          1},
};
/* clang-format on */

/* Digits only, the whole text, no overflow. */
static bool parse_count(const char *text, uint64_t *count)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text; text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *count = value;
    return true;
}

/* Digits with at most one point and at least one digit: no sign, exponent, space or locale. The
 * digits are collected in an integer, so that 0.02 is the double nearest to 2/100. */
static bool parse_decimal(const char *text, double *number)
{
    uint64_t digits = 0;
    double divisor = 1;
    bool has_point = false, has_digit = false;

    for (; *text; text++) {
        if (*text == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (*text < '0' || *text > '9' || digits > UINT64_MAX / 100)
            return false;
        has_digit = true;
        digits = digits * 10 + (uint64_t)(*text - '0');
        if (has_point)
            divisor *= 10;
    }
    *number = (double)digits / divisor;
    return has_digit;
}

static bool parse_value(const struct key *key, const char *text, struct weir_impair *set)
{
    char *field = (char *)set + key->offset;
    uint64_t count = 0;
    double number = 0;

    if (key->kind == COUNT32 || key->kind == COUNT64) {
        if (!parse_count(text, &count) || (key->kind == COUNT32 && count > UINT32_MAX))
            return false;
    } else if (!parse_decimal(text, &number) || number * key->scale > 1e18) {
        return false;
    }
    switch (key->kind) {
    case REAL:
        *(double *)(void *)field = number * key->scale;
        break;
    case TIME_MS:
        *(weir_time *)(void *)field = (weir_time)(number * key->scale + 0.5);
        break;
    case COUNT32:
        *(uint32_t *)(void *)field = (uint32_t)count;
        break;
    case COUNT64:
        *(uint64_t *)(void *)field = count;
        break;
    }
    return impair_is_valid(set);
}

int weir_impair_parse(struct weir_impair *impair, const char *key_value)
{
    const char *equals = strchr(key_value, '=');
    struct weir_impair changed = *impair;

    if (!equals)
        return WEIR_EINVAL;
    for (size_t index = 0; index < sizeof(keys) / sizeof(keys[0]); index++) {
        const struct key *key = &keys[index];
        size_t length = strlen(key->name);

        if (length != (size_t)(equals - key_value) || memcmp(key->name, key_value, length) != 0)
            continue;
        if (!parse_value(key, equals + 1, &changed))
            return WEIR_EINVAL;
        *impair = changed;
        return 0;
    }
    return WEIR_EINVAL;
}
