/* SPDX-License-Identifier: MIT */

/* The lexer of packet scripts.
 *
 * The language has no keywords and no line structure, and a few places where blanks alone separate
 * things that look like anything (TCP flags, hexadecimal cookies, `--options`). So tokens are pulled
 * one at a time by a parser that knows what may come: lex_next gives ordinary tokens, lex_raw a run
 * of characters, and lex_rewind takes one back.
 *
 * A number is decimal, 0x…, or a decimal fraction. Fractions occur only as times; they are kept as
 * nanoseconds, exactly. "0.1...0.2" is a number, an ellipsis and a number: a dot belongs to a number
 * only if a digit follows it.
 *
 * A word that was defined (-D NAME=VALUE) is replaced where it is read: by a string if the value
 * stands in double quotes, by a command if in backticks, by a number if it is one, else by a word.
 *
 * Bounds: numbers have at most 18 digits; text goes to the script's arena, which has a bound. After
 * the first error every token is END, so that no loop of the parser needs to look for failure. */

#include <ctype.h>
#include <lab/drill/lex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 18u
#define FRACTION_DIGITS 9u

void lex_fail(struct lexer *lexer, struct where where, const char *format, ...)
{
    va_list args;
    int used;

    if (lexer->failed)
        return;
    lexer->failed = true;
    used = snprintf(lexer->error, SCRIPT_ERROR_TEXT, "%s:%u:%u: ", lexer->path, where.line,
                    where.column);
    if (used < 0 || used >= SCRIPT_ERROR_TEXT)
        return;
    va_start(args, format);
    vsnprintf(lexer->error + used, (size_t)(SCRIPT_ERROR_TEXT - used), format, args);
    va_end(args);
}

static int peek(const struct lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;

    return at < lexer->length ? (unsigned char)lexer->text[at] : -1;
}

static void step(struct lexer *lexer)
{
    if (lexer->text[lexer->at++] == '\n') {
        lexer->here.line++;
        lexer->here.column = 1;
    } else {
        lexer->here.column++;
    }
}

static void steps(struct lexer *lexer, size_t count)
{
    while (count-- > 0 && lexer->at < lexer->length)
        step(lexer);
}

static void skip_block_comment(struct lexer *lexer)
{
    struct where opened = lexer->here;

    steps(lexer, 2);
    while (peek(lexer, 0) >= 0 && !(peek(lexer, 0) == '*' && peek(lexer, 1) == '/'))
        step(lexer);
    if (peek(lexer, 0) < 0)
        lex_fail(lexer, opened, "this comment has no end (expected */)");
    steps(lexer, 2);
}

static void skip_blanks(struct lexer *lexer)
{
    for (;;) {
        int c = peek(lexer, 0);

        if (c >= 0 && isspace(c)) {
            step(lexer);
        } else if (c == '/' && peek(lexer, 1) == '/') {
            while (peek(lexer, 0) >= 0 && peek(lexer, 0) != '\n')
                step(lexer);
        } else if (c == '/' && peek(lexer, 1) == '*') {
            skip_block_comment(lexer);
        } else {
            return;
        }
    }
}

static const char *keep(struct lexer *lexer, const char *text, size_t length)
{
    const char *copy = arena_copy(lexer->arena, text, length);

    if (!copy)
        lex_fail(lexer, lexer->here, "the script needs too much memory");
    return copy;
}

static void take_hex(struct lexer *lexer, struct token *token)
{
    unsigned digits = 0;

    steps(lexer, 2);
    while (isxdigit(peek(lexer, 0)) && digits++ < 15) {
        int c = tolower(peek(lexer, 0));

        token->number = token->number * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
        step(lexer);
    }
    if (digits == 0 || isxdigit(peek(lexer, 0)))
        lex_fail(lexer, token->where, "expected up to 15 hexadecimal digits after 0x");
}

static void take_fraction(struct lexer *lexer, struct token *token)
{
    int64_t unit = WEIR_SECOND;

    if (token->number > SCRIPT_SECONDS_MAX)
        lex_fail(lexer, token->where, "a number with a fraction is at most %d", SCRIPT_SECONDS_MAX);
    if (lexer->failed)
        return;
    token->is_decimal = true;
    token->number *= WEIR_SECOND;
    step(lexer);
    while (isdigit(peek(lexer, 0))) {
        unit /= 10;
        token->number += (peek(lexer, 0) - '0') * unit;
        step(lexer);
    }
}

static void take_number(struct lexer *lexer, struct token *token)
{
    unsigned digits = 0;

    token->kind = TOKEN_NUMBER;
    if (peek(lexer, 0) == '0' && (peek(lexer, 1) == 'x' || peek(lexer, 1) == 'X')) {
        take_hex(lexer, token);
        return;
    }
    while (isdigit(peek(lexer, 0))) {
        if (digits++ == DIGITS_MAX) {
            lex_fail(lexer, token->where, "a number has at most %u digits", DIGITS_MAX);
            return;
        }
        token->number = token->number * 10 + (peek(lexer, 0) - '0');
        step(lexer);
    }
    if (peek(lexer, 0) == '.' && isdigit(peek(lexer, 1)))
        take_fraction(lexer, token);
}

/* One character of a string, after a backslash; C's escapes. */
static char take_escape(struct lexer *lexer)
{
    static const char names[] = "ntrabfv0";
    static const char values[] = "\n\t\r\a\b\f\v";
    int c = peek(lexer, 0);
    const char *found = c > 0 ? strchr(names, c) : NULL;
    unsigned value = 0, digits = 0;

    if (c < 0)
        return 0;
    step(lexer);
    if (found)
        return values[found - names];
    if (c != 'x')
        return (char)c;
    while (isxdigit(peek(lexer, 0)) && digits++ < 2) {
        c = tolower(peek(lexer, 0));
        value = value * 16 + (unsigned)(isdigit(c) ? c - '0' : c - 'a' + 10);
        step(lexer);
    }
    return (char)value;
}

static void take_string(struct lexer *lexer, struct token *token)
{
    size_t room = 1;
    char *text;

    token->kind = TOKEN_STRING;
    step(lexer);
    while (peek(lexer, room - 1) >= 0 && peek(lexer, room - 1) != '"')
        room += peek(lexer, room - 1) == '\\' ? 2 : 1;
    text = arena_get(lexer->arena, room + 1);
    if (!text) {
        lex_fail(lexer, token->where, "the script needs too much memory");
        return;
    }
    token->text = text;
    while (peek(lexer, 0) >= 0 && peek(lexer, 0) != '"') {
        int c = peek(lexer, 0);

        step(lexer);
        text[token->length++] = c == '\\' ? take_escape(lexer) : (char)c;
    }
    if (peek(lexer, 0) < 0)
        lex_fail(lexer, token->where, "this string has no end (expected \")");
    steps(lexer, 1);
}

/* Text up to `close`; the opening is `open_length` bytes. In a command a backslash hides the byte behind
 * it from us; both stay, for the shell's eyes. */
static void take_until(struct lexer *lexer, struct token *token, size_t open_length,
                       const char *close)
{
    size_t close_length = strlen(close), start;

    steps(lexer, open_length);
    start = lexer->at;
    while (peek(lexer, close_length - 1) >= 0 &&
           strncmp(lexer->text + lexer->at, close, close_length) != 0)
        steps(lexer, *close == '`' && peek(lexer, 0) == '\\' ? 2 : 1);
    if (peek(lexer, close_length - 1) < 0) {
        lex_fail(lexer, token->where, "this has no end (expected %s)", close);
        return;
    }
    token->length = lexer->at - start;
    token->text = keep(lexer, lexer->text + start, token->length);
    steps(lexer, close_length);
}

/* The value of a definition, as the token it stands for. */
static void substitute(const struct define *define, struct token *token)
{
    const char *value = define->value;
    size_t length = strlen(value);
    char *end;

    if (length >= 2 && (value[0] == '"' || value[0] == '`') && value[length - 1] == value[0]) {
        token->kind = value[0] == '"' ? TOKEN_STRING : TOKEN_COMMAND;
        /* The token's copy has room: it was made as long as the value. */
        token->text = value + 1;
        token->length = length - 2;
        return;
    }
    token->number = (int64_t)strtoll(value, &end, 0);
    token->kind = length > 0 && *end == '\0' ? TOKEN_NUMBER : TOKEN_WORD;
    token->text = value;
    token->length = length;
}

static void take_word(struct lexer *lexer, struct token *token)
{
    size_t start = lexer->at, i;

    token->kind = TOKEN_WORD;
    while (isalnum(peek(lexer, 0)) || peek(lexer, 0) == '_')
        step(lexer);
    token->length = lexer->at - start;
    token->text = keep(lexer, lexer->text + start, token->length);
    for (i = 0; token->text && i < lexer->define_count; i++) {
        if (!strcmp(lexer->defines[i].name, token->text)) {
            substitute(&lexer->defines[i], token);
            token->text = keep(lexer, token->text, token->length);
            return;
        }
    }
}

static void take(struct lexer *lexer, struct token *token)
{
    int c = peek(lexer, 0);

    if (c < 0) {
        token->kind = TOKEN_END;
    } else if (isdigit(c) || (c == '.' && isdigit(peek(lexer, 1)))) {
        take_number(lexer, token);
    } else if (isalpha(c) || c == '_') {
        take_word(lexer, token);
    } else if (c == '"') {
        take_string(lexer, token);
    } else if (c == '`') {
        token->kind = TOKEN_COMMAND;
        take_until(lexer, token, 1, "`");
    } else if (c == '%' && peek(lexer, 1) == '{') {
        token->kind = TOKEN_CODE;
        take_until(lexer, token, 2, "}%");
    } else if (c == '.' && peek(lexer, 1) == '.' && peek(lexer, 2) == '.') {
        token->kind = TOKEN_ELLIPSIS;
        steps(lexer, 3);
    } else {
        token->kind = TOKEN_SIGN;
        token->sign = (char)c;
        step(lexer);
    }
}

static void open_token(struct lexer *lexer, struct token *token)
{
    *token = (struct token){.kind = TOKEN_END, .before = lexer->at, .before_where = lexer->here};
    if (!lexer->failed)
        skip_blanks(lexer);
    token->where = lexer->here;
    token->start = lexer->at;
}

void lex_next(struct lexer *lexer, struct token *token)
{
    open_token(lexer, token);
    if (!lexer->failed)
        take(lexer, token);
    if (lexer->failed)
        token->kind = TOKEN_END;
    token->end = lexer->at;
}

void lex_raw(struct lexer *lexer, const char *stops, struct token *token)
{
    open_token(lexer, token);
    if (lexer->failed)
        return;
    while (peek(lexer, 0) > 0 && !isspace(peek(lexer, 0)) && !strchr(stops, peek(lexer, 0)))
        step(lexer);
    token->kind = TOKEN_WORD;
    token->end = lexer->at;
    token->length = token->end - token->start;
    token->text = keep(lexer, lexer->text + token->start, token->length);
    if (lexer->failed)
        token->kind = TOKEN_END;
}

struct where lex_where(struct lexer *lexer)
{
    struct token token;

    open_token(lexer, &token);
    lex_rewind(lexer, &token);
    return token.where;
}

void lex_rewind(struct lexer *lexer, const struct token *token)
{
    lexer->at = token->before;
    lexer->here = token->before_where;
}

const char *lex_describe(const struct token *token, char *text)
{
    switch (token->kind) {
    case TOKEN_WORD:
        snprintf(text, LEX_DESCRIBE_TEXT, "`%.40s`", token->text ? token->text : "");
        break;
    case TOKEN_NUMBER:
        snprintf(text, LEX_DESCRIBE_TEXT, "a number");
        break;
    case TOKEN_STRING:
        snprintf(text, LEX_DESCRIBE_TEXT, "a string");
        break;
    case TOKEN_COMMAND:
        snprintf(text, LEX_DESCRIBE_TEXT, "a command");
        break;
    case TOKEN_CODE:
        snprintf(text, LEX_DESCRIBE_TEXT, "code");
        break;
    case TOKEN_ELLIPSIS:
        snprintf(text, LEX_DESCRIBE_TEXT, "`...`");
        break;
    case TOKEN_SIGN:
        snprintf(text, LEX_DESCRIBE_TEXT, isprint((unsigned char)token->sign) ? "`%c`" : "byte %d",
                 token->sign);
        break;
    case TOKEN_END:
    default:
        snprintf(text, LEX_DESCRIBE_TEXT, "the end of the script");
        break;
    }
    return text;
}
