/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_WORDS_H
#define LAB_DRILL_WORDS_H

/* The small part of sh(1) that scripts need to set things: simple commands, one after the other. */

#include <stdbool.h>
#include <stddef.h>

#define WORDS_MAX 64u
#define WORDS_BYTES 2048u

/* One simple command. */
struct words {
    const char *word[WORDS_MAX];
    unsigned count;
    const char *output; /* > FILE; NULL: none */
    bool skipped;       /* it follows a ||: runs only if the one before it fails */
    bool or_follows;    /* the next one does; zero before the first call */
    char bytes[WORDS_BYTES];
};

/* Reads the next command that is not empty from *text and moves *text behind it. Returns 1; 0 at the
 * end; -1: something that is not in our part of sh, at *text. */
int words_next(const char **text, struct words *words);

#endif
