/* SPDX-License-Identifier: MIT */

/* Command-line flags, in the way the course's programs (written in Go) take them.
 *
 * Every flag may be written with one dash or two, its value as the next word or behind an equals
 * sign; a flag without a value may be given one of true and false behind an equals sign. The flags
 * are the rows of one table, which also makes the usage text. Hosts and routers take the same
 * flags, since the course's runner hands its extra words to every node. What is not a flag is
 * refused: there are no other arguments.
 *
 * A later flag replaces an earlier one of the same name. Numbers are checked here, once, against
 * the limits that the row's function names.
 */

#include <cmd/flags.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int flag_fn(struct flags *flags, const char *value);

struct flag {
    const char *name;
    flag_fn *fn;
    const char *value; /* what its value is called in the usage; NULL: true or false */
    const char *help;
};

/* Finite decimal number in [low, high]. */
static int parse_decimal(const char *text, double low, double high, double *number)
{
    char *end;
    double value;

    if ((*text < '0' || *text > '9') && *text != '.')
        return WEIR_EINVAL;
    errno = 0;
    value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= low && value <= high))
        return WEIR_EINVAL;
    *number = value;
    return 0;
}

static int parse_integer(const char *text, uint64_t high, uint64_t *number)
{
    char *end;
    unsigned long long value;

    if (*text < '0' || *text > '9')
        return WEIR_EINVAL;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (*end || errno || value > high)
        return WEIR_EINVAL;
    *number = value;
    return 0;
}

static int parse_bool(const char *text, bool *value)
{
    *value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0 ? 0 : WEIR_EINVAL;
}

static int flag_config(struct flags *flags, const char *value)
{
    flags->config = value;
    return *value ? 0 : WEIR_EINVAL;
}

static int flag_capture(struct flags *flags, const char *value)
{
    flags->node.capture = value;
    return *value ? 0 : WEIR_EINVAL;
}

static int flag_control(struct flags *flags, const char *value)
{
    flags->control = value;
    return *value ? 0 : WEIR_EINVAL;
}

static int flag_ip_checksum(struct flags *flags, const char *value)
{
    return parse_bool(value, &flags->node.skip_ip_checksum);
}

static int flag_tcp_checksum(struct flags *flags, const char *value)
{
    return parse_bool(value, &flags->node.skip_tcp_checksum);
}

static int flag_drop(struct flags *flags, const char *value)
{
    return parse_decimal(value, 0, 1, &flags->node.drop_rate);
}

static int flag_drop_seed(struct flags *flags, const char *value)
{
    return parse_integer(value, UINT64_MAX, &flags->node.drop_seed);
}

static int flag_log_level(struct flags *flags, const char *value)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    unsigned i;

    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], value) == 0) {
            flags->log_level = (enum log_level)i;
            return 0;
        }
    }
    return WEIR_EINVAL;
}

static int flag_profile(struct flags *flags, const char *value)
{
    return weir_profile_parse(value, &flags->node.profile);
}

static int flag_retries(struct flags *flags, const char *value)
{
    uint64_t number;

    if (parse_integer(value, 1000, &number))
        return WEIR_EINVAL;
    flags->node.retries = (int)number;
    return 0;
}

static int flag_time_wait(struct flags *flags, const char *value)
{
    return parse_decimal(value, 0, 3600, &flags->node.time_wait_seconds);
}

static int flag_help(struct flags *flags, const char *value)
{
    return parse_bool(value, &flags->help);
}

static const struct flag flag_table[] = {
    {"capture", flag_capture, "FILE", "write every packet to this file or FIFO (pcapng)"},
    {"config", flag_config, "FILE", "the node's lnx file (required)"},
    {"control", flag_control, "PATH", "take commands over a Unix socket there, too"},
    {"disable-ip-checksum", flag_ip_checksum, NULL, "do not verify IP header checksums"},
    {"disable-tcp-checksum", flag_tcp_checksum, NULL, "do not verify TCP checksums"},
    {"drop", flag_drop, "RATE", "drop forwarded packets with this probability, 0..1"},
    {"drop-rate-seed", flag_drop_seed, "N", "makes the choice of dropped packets repeatable"},
    {"log-level", flag_log_level, "LEVEL", "error, warn (as if not given), info or debug"},
    {"profile", flag_profile, "NAME", "brown (as if not given), default, strict or linux"},
    {"retries", flag_retries, "N", "give up after so many retransmissions of the same data"},
    {"time-wait", flag_time_wait, "SECONDS", "how long TIME_WAIT lasts"},
    {"help", flag_help, NULL, "print this"},
};

#define FLAG_COUNT (sizeof flag_table / sizeof flag_table[0])

/* The flag whose name is the first `length` bytes of `name`; NULL if there is none. */
static const struct flag *find(const char *name, size_t length)
{
    size_t i;

    for (i = 0; i < FLAG_COUNT; i++)
        if (strlen(flag_table[i].name) == length && memcmp(flag_table[i].name, name, length) == 0)
            return &flag_table[i];
    return NULL;
}

static int complain(char *error, const char *what, const char *word)
{
    snprintf(error, FLAGS_ERROR_TEXT, "%s: %.100s", what, word);
    return WEIR_EINVAL;
}

/* Takes the flag at argv[*at], and its value, which may be the next word. */
static int take(int argc, char *const *argv, int *at, struct flags *flags, char *error)
{
    const char *word = argv[*at];
    const char *name = word + (word[0] == '-' && word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    const char *value = equals ? equals + 1 : NULL;
    const struct flag *flag;

    if (word[0] != '-' || word[1] == '\0')
        return complain(error, "unexpected argument", word);
    flag = find(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!flag)
        return complain(error, "unknown flag", word);
    if (!value && !flag->value)
        value = "true";
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value)
        return complain(error, "flag needs a value", word);
    if (flag->fn(flags, value)) {
        snprintf(error, FLAGS_ERROR_TEXT, "bad value for -%s: \"%.100s\"", flag->name, value);
        return WEIR_EINVAL;
    }
    return 0;
}

int flags_parse(int argc, char *const *argv, struct flags *flags, char *error)
{
    int at, result;

    memset(flags, 0, sizeof *flags);
    node_options_init(&flags->node);
    flags->log_level = LOG_WARN;
    for (at = 1; at < argc; at++) {
        result = take(argc, argv, &at, flags, error);
        if (result)
            return result;
    }
    if (!flags->config && !flags->help)
        return complain(error, "flag is required", "--config");
    return 0;
}

const char *flags_usage(const char *program, char *text, size_t size)
{
    size_t used, i;
    char left[64];

    used = (size_t)snprintf(text, size, "Usage: %s --config FILE [flags]\n", program);
    for (i = 0; i < FLAG_COUNT && used < size; i++) {
        snprintf(left, sizeof left, "-%s%s%s", flag_table[i].name, flag_table[i].value ? " " : "",
                 flag_table[i].value ? flag_table[i].value : "");
        used +=
            (size_t)snprintf(text + used, size - used, "  %-24s %s\n", left, flag_table[i].help);
    }
    return text;
}
