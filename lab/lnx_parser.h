/* SPDX-License-Identifier: MIT */
#ifndef LAB_LNX_PARSER_H
#define LAB_LNX_PARSER_H

/* What lnx.c, which walks the file, and lnx_directives.c, which knows the lines, have in common. */

#include <lab/lnx.h>

#define LNX_WORDS_MAX 64 /* a line with more is refused; the longest directive has 6 */

struct lnx_impair_line {
    char name[WEIR_IFACE_NAME];
    bool has_from;
    struct weir_addr from;
    struct weir_impair impair;
    unsigned line;
};

struct lnx_parser {
    struct lnx *lnx;
    struct lnx_error *error;
    const char *name;
    unsigned line;
    char buffer[LNX_LINE_MAX + 1];
    char *word[LNX_WORDS_MAX + 1]; /* NULL after the last */
    unsigned words;
    struct lnx_impair_line *impairs; /* applied at the end of the file */
    size_t impair_count;
};

/* ---- lnx.c --------------------------------------------------------------------------------------- */

/* Fill the error for `line`, or the present one; `word` may be NULL. Return WEIR_EINVAL. */
int lnx_fail_at(struct lnx_parser *parser, unsigned line, const char *word, const char *what);
int lnx_fail(struct lnx_parser *parser, const char *word, const char *what);

/* A fault of the file as a whole. Returns `code`. */
int lnx_fail_file(struct lnx_error *error, const char *name, int code, const char *what);

/* Index of the interface of this name, or -1. */
int lnx_find_iface(const struct lnx *lnx, const char *name);

/* ---- lnx_directives.c ---------------------------------------------------------------------------- */

/* Run the line that parser->word holds, of at least one word; in a comment it stood behind `weir:`.
 * Return 0 or an error that has been told. */
int lnx_directive(struct lnx_parser *parser);
int lnx_comment(struct lnx_parser *parser);

#endif
