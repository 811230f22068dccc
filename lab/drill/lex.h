/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_LEX_H
#define LAB_DRILL_LEX_H

/* Words, numbers and signs of a packet script. */

#include <lab/drill/script.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER, /* number; or, with is_decimal, nanoseconds of a decimal fraction in `number` */
    TOKEN_STRING,
    TOKEN_COMMAND,  /* `…` */
    TOKEN_CODE,     /* %{ … }% */
    TOKEN_ELLIPSIS, /* ... */
    TOKEN_SIGN,     /* one character, in `sign` */
};

struct token {
    enum token_kind kind;
    struct where where;
    size_t start, end; /* bytes of the source */
    size_t before;     /* where the blanks in front of it begin, and */
    struct where before_where;
    char sign;
    bool is_decimal;
    int64_t number;
    const char *text; /* WORD, STRING, COMMAND, CODE: 0-terminated copy */
    size_t length;
};

struct lexer {
    const char *path, *text;
    size_t length, at;
    struct where here;
    const struct define *defines;
    size_t define_count;
    struct arena *arena;
    char *error; /* SCRIPT_ERROR_TEXT bytes */
    bool failed; /* once set, every token is END */
};

/* The next token. After a failure, and at the end, END for ever. */
void lex_next(struct lexer *lexer, struct token *token);

/* Where the next token begins. */
struct where lex_where(struct lexer *lexer);

/* The next run of non-blank characters as a WORD, whatever they are; stops at a blank, at the end
 * and at any of `stops`. Length 0 if there is none. */
void lex_raw(struct lexer *lexer, const char *stops, struct token *token);

/* Goes back to before `token` and its blanks. */
void lex_rewind(struct lexer *lexer, const struct token *token);

/* Notes the first error, "path:line:column: …". */
void lex_fail(struct lexer *lexer, struct where where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "a number", "`foo`": how a token is called in an error; `text` takes 64 bytes. */
const char *lex_describe(const struct token *token, char *text);
#define LEX_DESCRIBE_TEXT 64

#endif
