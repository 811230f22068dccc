/* SPDX-License-Identifier: MIT */
#ifndef LAB_LINUX_OPTIONS_H
#define LAB_LINUX_OPTIONS_H

/* The table of options that are an int, which setting and getting share. */

#include <lab/linux/internal.h>

#define NO_OPTION (-1)
#define CC_NAME_MAX 16

enum row_kind {
    ROW_INT,  /* out of range: EINVAL */
    ROW_BOOL, /* anything but 0 is 1 */
};

struct row {
    int level, name;
    enum row_kind kind;
    int option;          /* enum weir_option; NO_OPTION: remembered */
    weir_time unit;      /* of Linux's number */
    int32_t least, most; /* of Linux's number */
    int32_t initial;     /* remembered ones */
    bool is_udp_too;     /* remembered there, unless weir's UDP has it */
};

/* NULL: this kind of socket has no such row. */
const struct row *linux_find_row(const struct linux_file *file, int level, int name);

/* Where a row's number is remembered, as the difference from its initial one, so that zeros are
 * right. */
int32_t *linux_row_place(struct linux_file *file, const struct row *row);

/* The number is just kept, and nothing of weir's is set. */
bool linux_row_is_remembered(const struct linux_file *file, const struct row *row);

/* The name that Linux has for the congestion control of a socket. */
const char *linux_cc_name(const struct linux_sockets *sockets, const struct linux_file *file);

#endif
