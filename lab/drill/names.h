/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_NAMES_H
#define LAB_DRILL_NAMES_H

/* Names that scripts use for numbers: Linux's, whatever the system we run on. */

#include <stdbool.h>
#include <stdint.h>

/* The value of a constant of the socket API or of tcp_info; false if the name is unknown. */
bool name_value(const char *name, int64_t *value);

/* "ECONNRESET" for an errno or its negation; "errno N" in `text` (32 bytes) for a number without a
 * name. */
const char *error_name(int error, char *text);

#endif
