/* SPDX-License-Identifier: MIT */
#ifndef LAB_PACKETDRILL_FLAGS_H
#define LAB_PACKETDRILL_FLAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/settings.h>

#define FLAGS_PATH_MAX 1024

/* --so_flags, taken apart. */
struct so_flags {
    bool is_real;     /* time=real */
    bool has_sysctls; /* sysctl=1 */
    enum weir_profile profile;
    uint64_t seed;
    uint32_t mtu;
    char pcap[FLAGS_PATH_MAX]; /* empty: no capture */
};

/* Reads NAME=VALUE,NAME=VALUE… into *flags, which begins with the defaults; text NULL or empty: the
 * defaults. Returns false, with a sentence in `error`, if a name or a value is wrong. */
bool so_flags_parse(struct so_flags *flags, const char *text, char *error, size_t error_size);

#endif
