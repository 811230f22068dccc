/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_OPTIONS_H
#define LAB_DRILL_OPTIONS_H

/* TCP options between the script's form and bytes. */

#include <lab/drill/script.h>

/* Writes the options to 40 bytes. Returns their length, or WEIR_EINVAL if they are too long or no
 * multiple of four. */
int options_emit(const struct tcp_option *options, unsigned count, uint8_t *bytes);

/* Takes bytes apart into at most TCP_OPTIONS_MAX options; padding after EOL is one EOL a byte.
 * Returns their number; bytes that are no option become one OPTION_OTHER. */
unsigned options_parse(const uint8_t *bytes, unsigned length, struct tcp_option *options);

/* Never true of OPTION_OTHER and of OPTION_HEX; a line with `hex` is compared in bytes. */
bool options_equal(const struct tcp_option *a, const struct tcp_option *b);

/* Adds `isn` to the edges of SACK blocks. */
void options_move_sacks(struct tcp_option *options, unsigned count, uint32_t isn);

/* "mss 1460,nop". Returns `text`, terminated and cut to `size`. */
const char *options_print(const struct tcp_option *options, unsigned count, char *text,
                          size_t size);

#define OPTIONS_TEXT 320

#endif
