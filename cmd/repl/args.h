/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_ARGS_H
#define CMD_REPL_ARGS_H

/* The words of a command line. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/types.h>

#define ARGS_MAX 8 /* words that are told apart; more are only counted */

struct args {
    const char *line;           /* the whole line, trimmed */
    char *word[ARGS_MAX];       /* terminated copies; NULL beyond count */
    const char *rest[ARGS_MAX]; /* of `line`: what follows the word and one blank */
    unsigned count;             /* all words, the command's name included */
    char *copy;                 /* memory of the words */
};

/* Cuts `line` up. The line is trimmed in place and must outlive *args. Returns 0 or WEIR_ENOMEM;
 * args_done releases. */
int args_parse(char *line, struct args *args);
void args_done(struct args *args);

/* Decimal digits and nothing else, low..high. Returns 0 or WEIR_EINVAL with *number untouched. */
int args_number(const char *word, uint64_t low, uint64_t high, uint64_t *number);

/* A port, 1..65535. */
int args_port(const char *word, uint16_t *port);

/* A decimal number 0..1. */
int args_rate(const char *word, double *rate);

/* Text that is safe on a terminal and stays on its line: control characters become \n, \r, \t or
 * \xNN. Returns memory that the caller frees; NULL if there is none. */
char *args_printable(const void *data, size_t length);

#endif
