/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_WORDS_H
#define CMD_REPL_WORDS_H

/* Words of a command that mean something; each of these says what is wrong with a bad one. */

#include <cmd/repl/sids.h>
#include <weir/types.h>

struct repl;

/* The entry of a SID; NULL: "socket not found" was printed. */
struct sid *word_sid(struct repl *repl, const char *word);

/* Return false after complaining. */
bool word_addr(struct repl *repl, const char *word, struct weir_addr *addr);
bool word_port(struct repl *repl, const char *word, uint16_t *port);

/* Index of the interface; negative after complaining. */
int word_iface(struct repl *repl, const char *word);

/* "10.0.0.0/24". `text` takes WEIR_ADDR_TEXT bytes; returns `text`. */
const char *print_prefix(const struct weir_addr *addr, uint8_t bits, char *text);

/* A result of the stack as the prompt words it. */
const char *print_error(int error);

#endif
