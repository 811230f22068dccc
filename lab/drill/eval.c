/* SPDX-License-Identifier: MIT */

/* The evaluator of %{ }%: the part of Python that scripts use to look at tcp_info.
 *
 *   code    = (assert (newline | ";"))*
 *   assert  = "assert" or ["," or | "," string]
 *   or      = and ("or" and)*         and  = not ("and" not)*       not = "not" not | compare
 *   compare = bits (("=="|"!="|"<="|">="|"<"|">") bits)*            chained, as in Python
 *   bits    = sum (("&"|"|"|"^"|"<<"|">>") sum)*
 *   sum     = term (("+"|"-") term)*
 *   term    = unary (("*"|"/"|"//"|"%") unary)*
 *   unary   = ["-"|"+"|"~"] unary | atom
 *   atom    = integer | True | False | name | "(" or ")"
 *
 * Values are 64-bit integers; arithmetic wraps instead of trapping. `/` divides like `//` if it
 * leaves no remainder and is otherwise not read, since there are no fractions here. The bit
 * operators are of one rank, left to right (Python ranks them; scripts put parentheses). Everything
 * is evaluated, also behind `or`: names without a value make the script skipped, not right.
 *
 * One error ends the reading. Nesting is bounded by DEPTH_MAX. */

#include <ctype.h>
#include <lab/drill/eval.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64u
#define NAME_MAX_LENGTH 64u

struct reader {
    const char *at;
    eval_lookup_fn *lookup;
    void *context;
    enum eval_verdict verdict; /* HOLDS while all is well */
    char *text;
    unsigned depth;
    int64_t left, right; /* of the last comparison */
    bool compared;
};

static int64_t read_or(struct reader *reader);

static void stop(struct reader *reader, enum eval_verdict verdict, const char *text, size_t length)
{
    if (reader->verdict != EVAL_HOLDS)
        return;
    reader->verdict = verdict;
    snprintf(reader->text, EVAL_TEXT, "%.*s", (int)(length < 200 ? length : 200), text);
    reader->at += strlen(reader->at);
}

static void skip_blanks(struct reader *reader)
{
    for (;;) {
        if (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\r')
            reader->at++;
        else if (*reader->at == '#')
            reader->at += strcspn(reader->at, "\n");
        else if (*reader->at == '\\' && reader->at[1] == '\n')
            reader->at += 2;
        else if (*reader->at == '\n' && reader->depth > 0)
            reader->at++; /* inside parentheses a line goes on */
        else
            return;
    }
}

static bool accept(struct reader *reader, const char *sign)
{
    size_t length = strlen(sign);

    skip_blanks(reader);
    if (strncmp(reader->at, sign, length) != 0)
        return false;
    if (isalpha((unsigned char)*sign) &&
        (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '_'))
        return false;
    reader->at += length;
    return true;
}

static int64_t read_name(struct reader *reader)
{
    char name[NAME_MAX_LENGTH];
    int64_t value = 0;
    size_t length = 0;

    while (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '_')
        length++;
    if (length == 0 || length >= sizeof(name)) {
        stop(reader, EVAL_UNREAD, reader->at, strcspn(reader->at, "\n"));
        return 0;
    }
    memcpy(name, reader->at, length);
    name[length] = '\0';
    reader->at += length;
    if (!strcmp(name, "True"))
        return 1;
    if (!strcmp(name, "False"))
        return 0;
    if (!reader->lookup(reader->context, name, &value))
        stop(reader, EVAL_UNKNOWN, name, length);
    return value;
}

static int64_t read_atom(struct reader *reader)
{
    int64_t value;
    char *end;

    skip_blanks(reader);
    if (isdigit((unsigned char)*reader->at)) {
        value = (int64_t)strtoull(reader->at, &end, 0);
        if (*end == '.' || isalpha((unsigned char)*end))
            stop(reader, EVAL_UNREAD, reader->at, strcspn(reader->at, "\n"));
        else
            reader->at = end;
        return value;
    }
    if (!accept(reader, "("))
        return read_name(reader);
    if (reader->depth++ == DEPTH_MAX)
        stop(reader, EVAL_UNREAD, "nested too deeply", 17);
    value = read_or(reader);
    if (!accept(reader, ")"))
        stop(reader, EVAL_UNREAD, reader->at, strcspn(reader->at, "\n"));
    reader->depth--;
    return value;
}

static int64_t read_unary(struct reader *reader)
{
    int64_t value;
    bool negative = false;

    /* A run of signs is a loop, so that a long one needs no stack. */
    for (;;) {
        if (accept(reader, "-"))
            negative = !negative;
        else if (!accept(reader, "+"))
            break;
    }
    value = accept(reader, "~") ? ~read_atom(reader) : read_atom(reader);
    return negative ? (int64_t)(0 - (uint64_t)value) : value;
}

static int64_t divide(struct reader *reader, int64_t a, int64_t b, const char *sign)
{
    int64_t quotient, rest;

    if (b == 0 || (a == INT64_MIN && b == -1)) {
        stop(reader, EVAL_UNREAD, "a division without a result", 27);
        return 0;
    }
    quotient = a / b;
    rest = a % b;
    if (rest != 0 && (rest < 0) != (b < 0)) { /* Python rounds down */
        quotient--;
        rest += b;
    }
    if (!strcmp(sign, "%"))
        return rest;
    if (!strcmp(sign, "/") && rest != 0)
        stop(reader, EVAL_UNREAD, "a fraction", 10);
    return quotient;
}

static int64_t read_term(struct reader *reader)
{
    int64_t value = read_unary(reader);

    for (;;) {
        if (accept(reader, "*"))
            value = (int64_t)((uint64_t)value * (uint64_t)read_unary(reader));
        else if (accept(reader, "//"))
            value = divide(reader, value, read_unary(reader), "//");
        else if (accept(reader, "/"))
            value = divide(reader, value, read_unary(reader), "/");
        else if (accept(reader, "%"))
            value = divide(reader, value, read_unary(reader), "%");
        else
            return value;
    }
}

static int64_t read_sum(struct reader *reader)
{
    int64_t value = read_term(reader);

    for (;;) {
        if (accept(reader, "+"))
            value = (int64_t)((uint64_t)value + (uint64_t)read_term(reader));
        else if (accept(reader, "-"))
            value = (int64_t)((uint64_t)value - (uint64_t)read_term(reader));
        else
            return value;
    }
}

static int64_t read_bits(struct reader *reader)
{
    int64_t value = read_sum(reader);

    for (;;) {
        if (accept(reader, "&"))
            value &= read_sum(reader);
        else if (accept(reader, "|"))
            value |= read_sum(reader);
        else if (accept(reader, "^"))
            value ^= read_sum(reader);
        else if (accept(reader, "<<"))
            value = (int64_t)((uint64_t)value << ((uint64_t)read_sum(reader) & 63));
        else if (accept(reader, ">>"))
            value >>= (uint64_t)read_sum(reader) & 63;
        else
            return value;
    }
}

static const char *const comparisons[] = {"==", "!=", "<=", ">=", "<", ">"};

static bool compare(unsigned which, int64_t a, int64_t b)
{
    switch (which) {
    case 0:
        return a == b;
    case 1:
        return a != b;
    case 2:
        return a <= b;
    case 3:
        return a >= b;
    case 4:
        return a < b;
    default:
        return a > b;
    }
}

static int64_t read_compare(struct reader *reader)
{
    int64_t left = read_bits(reader), right;
    bool is_chain = false, holds = true;
    unsigned which;

    for (;;) {
        for (which = 0; which < 6; which++)
            if (accept(reader, comparisons[which]))
                break;
        if (which == 6)
            return is_chain ? holds : left;
        right = read_bits(reader);
        if (holds) {
            reader->left = left;
            reader->right = right;
            reader->compared = true;
        }
        holds = holds && compare(which, left, right);
        is_chain = true;
        left = right;
    }
}

static int64_t read_not(struct reader *reader)
{
    bool negated = false, any = false;
    int64_t value;

    while (accept(reader, "not")) {
        negated = !negated;
        any = true;
    }
    value = read_compare(reader);
    return any ? (value != 0) != negated : value;
}

static int64_t read_and(struct reader *reader)
{
    int64_t value = read_not(reader);

    while (accept(reader, "and")) {
        int64_t next = read_not(reader);

        value = value ? next : value;
    }
    return value;
}

static int64_t read_or(struct reader *reader)
{
    int64_t value = read_and(reader);

    while (accept(reader, "or")) {
        int64_t next = read_and(reader);

        value = value ? value : next;
    }
    return value;
}

/* The message after the comma: a string, or an expression whose value is shown. */
static void read_message(struct reader *reader, char *message, size_t size)
{
    char quote;
    size_t length;

    skip_blanks(reader);
    quote = *reader->at;
    if (quote != '"' && quote != '\'') {
        snprintf(message, size, "%lld", (long long)read_or(reader));
        return;
    }
    length = strcspn(reader->at + 1, quote == '"' ? "\"\n" : "'\n");
    if (reader->at[1 + length] != quote) {
        stop(reader, EVAL_UNREAD, reader->at, length + 1);
        return;
    }
    snprintf(message, size, "%.*s", (int)(length < 100 ? length : 100), reader->at + 1);
    reader->at += length + 2;
}

static void read_assert(struct reader *reader)
{
    const char *start = reader->at;
    char message[128] = "", sides[64] = "", whole[EVAL_TEXT];
    size_t length = strcspn(start, "\n;");
    int64_t left, right;
    bool holds, compared;

    if (!accept(reader, "assert")) {
        stop(reader, EVAL_UNREAD, reader->at, strcspn(reader->at, "\n"));
        return;
    }
    reader->compared = false;
    holds = read_or(reader) != 0;
    compared = reader->compared;
    left = reader->left;
    right = reader->right;
    if (accept(reader, ","))
        read_message(reader, message, sizeof(message));
    skip_blanks(reader);
    if (*reader->at != '\0' && *reader->at != '\n' && *reader->at != ';')
        stop(reader, EVAL_UNREAD, reader->at, strcspn(reader->at, "\n"));
    if (holds || reader->verdict != EVAL_HOLDS)
        return;
    if (compared)
        snprintf(sides, sizeof(sides), " (%lld, %lld)", (long long)left, (long long)right);
    snprintf(whole, sizeof(whole), "%.*s%s%s%s", (int)(length < 120 ? length : 120), start, sides,
             message[0] ? ": " : "", message);
    stop(reader, EVAL_FAILS, whole, strlen(whole));
}

enum eval_verdict eval_run(const char *code, eval_lookup_fn *lookup, void *context, char *text)
{
    struct reader reader = {.at = code, .lookup = lookup, .context = context, .text = text};

    text[0] = '\0';
    while (reader.verdict == EVAL_HOLDS) {
        skip_blanks(&reader);
        if (*reader.at == '\n' || *reader.at == ';')
            reader.at++;
        else if (*reader.at == '\0')
            break;
        else
            read_assert(&reader);
    }
    return reader.verdict;
}
