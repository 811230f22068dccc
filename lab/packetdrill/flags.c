/* SPDX-License-Identifier: MIT */

/* --so_flags of the packetdrill adapter: `time=virtual,profile=linux,seed=1,pcap=FILE,sysctl=1,
 * mtu=1500`.
 *
 * A table from names to parsers. Items are divided by commas, so that a file name cannot hold one. An
 * item that is not NAME=VALUE, a name that nobody knows and a value out of range are errors that name
 * the item; of two items with the same name the later one counts. Defaults: virtual time, the profile
 * `linux`, seed 1, no capture, sysctl=1, mtu=1500. Limits: ITEM_MAX bytes an item. */

#include <lab/packetdrill/flags.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTU_MIN 68 /* RFC 791: every link has so much */
#define ITEM_MAX (FLAGS_PATH_MAX + 16)

static bool parse_time(struct so_flags *flags, const char *value)
{
    flags->is_real = strcmp(value, "real") == 0;
    return flags->is_real || strcmp(value, "virtual") == 0;
}

static bool parse_profile(struct so_flags *flags, const char *value)
{
    return weir_profile_parse(value, &flags->profile) == 0;
}

static bool parse_seed(struct so_flags *flags, const char *value)
{
    unsigned long long seed;
    char *end;

    if (*value < '0' || *value > '9')
        return false;
    errno = 0;
    seed = strtoull(value, &end, 0);
    flags->seed = seed;
    return !*end && errno == 0;
}

static bool parse_pcap(struct so_flags *flags, const char *value)
{
    if (!*value || strlen(value) >= sizeof(flags->pcap))
        return false;
    strcpy(flags->pcap, value);
    return true;
}

static bool parse_sysctl(struct so_flags *flags, const char *value)
{
    flags->has_sysctls = *value == '1';
    return (*value == '0' || *value == '1') && !value[1];
}

/* packetdrill's --mtu is for a device that is not there with --so_filename; this one is for the wire. */
static bool parse_mtu(struct so_flags *flags, const char *value)
{
    unsigned long mtu;
    char *end;

    if (*value < '0' || *value > '9')
        return false;
    mtu = strtoul(value, &end, 10);
    flags->mtu = (uint32_t)mtu;
    return !*end && mtu >= MTU_MIN && mtu <= UINT16_MAX;
}

static const struct {
    const char *name;
    bool (*parse)(struct so_flags *flags, const char *value);
} table[] = {
    {"time", parse_time}, {"profile", parse_profile}, {"seed", parse_seed},
    {"pcap", parse_pcap}, {"sysctl", parse_sysctl},   {"mtu", parse_mtu},
};

static bool parse_item(struct so_flags *flags, char *item, char *error, size_t error_size)
{
    char *value = strchr(item, '=');
    size_t i;

    if (value)
        *value++ = '\0';
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(item, table[i].name) != 0)
            continue;
        if (value && table[i].parse(flags, value))
            return true;
        snprintf(error, error_size, "wrong value for the flag `%s'%s%s", item, value ? ": " : "",
                 value ? value : "");
        return false;
    }
    snprintf(error, error_size, "unknown flag `%s' (time, profile, seed, pcap, sysctl, mtu)", item);
    return false;
}

bool so_flags_parse(struct so_flags *flags, const char *text, char *error, size_t error_size)
{
    char item[ITEM_MAX];

    *flags = (struct so_flags){
        .has_sysctls = true, .profile = WEIR_PROFILE_LINUX, .seed = 1, .mtu = 1500};
    if (!text)
        return true;
    while (*text) {
        size_t length = strcspn(text, ",");

        if (length >= sizeof(item)) {
            snprintf(error, error_size, "a flag is longer than %zu bytes", sizeof(item));
            return false;
        }
        memcpy(item, text, length);
        item[length] = '\0';
        if (!parse_item(flags, item, error, error_size))
            return false;
        text += length;
        if (*text == ',' && !*++text) {
            snprintf(error, error_size, "a comma at the end of the flags");
            return false;
        }
    }
    return true;
}
