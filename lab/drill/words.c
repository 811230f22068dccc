/* SPDX-License-Identifier: MIT */

/* Command text into words, as sh(1) would: quotes, backslashes, comments, $((arithmetic)), and
 * redirections of output, which are remembered if they go to a file that means something and ignored
 * if they go to /dev/null or another descriptor.
 *
 * Nothing is executed here or found out about the system: other expansions ($NAME, globs) stay as
 * they are written, and whatever would need a real shell (pipes, substitution, background, compound
 * commands, input) stops the reading. Commands are divided by newlines, `;` and `&&`; what follows
 * `||` is marked, since what we understand does not fail.
 *
 * Limits: WORDS_MAX words of WORDS_BYTES together in a command, ARITHMETIC_DEPTH parentheses. */

#include <lab/drill/words.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARITHMETIC_DEPTH 16u

struct reader {
    const char *at;
    struct words *words;
    size_t used;
    bool is_wrong;
};

static void put(struct reader *reader, char byte)
{
    if (reader->used + 1 >= WORDS_BYTES)
        reader->is_wrong = true;
    else
        reader->words->bytes[reader->used++] = byte;
}

/* ---- $((1 + 2 * 3)) ---- */

static long long sum(struct reader *reader, unsigned depth);

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\n");
}

static long long factor(struct reader *reader, unsigned depth)
{
    long long value;
    char *end;

    skip_blanks(reader);
    if (*reader->at == '(' && depth < ARITHMETIC_DEPTH) {
        reader->at++;
        value = sum(reader, depth + 1);
        skip_blanks(reader);
        reader->is_wrong = reader->is_wrong || *reader->at != ')';
        reader->at += *reader->at == ')';
        return value;
    }
    value = strtoll(reader->at, &end, 0);
    reader->is_wrong = reader->is_wrong || end == reader->at;
    reader->at = end;
    return value;
}

static long long product(struct reader *reader, unsigned depth)
{
    long long value = factor(reader, depth), other;

    for (skip_blanks(reader); *reader->at && strchr("*/%", *reader->at) && !reader->is_wrong;
         skip_blanks(reader)) {
        char sign = *reader->at++;

        other = factor(reader, depth);
        if (sign == '*')
            reader->is_wrong = reader->is_wrong || __builtin_mul_overflow(value, other, &value);
        else if (other <= 0) /* no script divides by what is not positive */
            reader->is_wrong = true;
        else
            value = sign == '/' ? value / other : value % other;
    }
    return value;
}

static long long sum(struct reader *reader, unsigned depth)
{
    long long value = product(reader, depth), other;

    for (skip_blanks(reader); (*reader->at == '+' || *reader->at == '-') && !reader->is_wrong;
         skip_blanks(reader)) {
        bool is_minus = *reader->at++ == '-';
        bool overflows;

        other = product(reader, depth);
        overflows = is_minus ? __builtin_sub_overflow(value, other, &value)
                             : __builtin_add_overflow(value, other, &value);
        reader->is_wrong = reader->is_wrong || overflows;
    }
    return value;
}

static void expand_arithmetic(struct reader *reader)
{
    char text[32];
    const char *byte;
    long long value;

    reader->at += 3;
    value = sum(reader, 0);
    skip_blanks(reader);
    if (reader->is_wrong || strncmp(reader->at, "))", 2) != 0) {
        reader->is_wrong = true;
        return;
    }
    reader->at += 2;
    snprintf(text, sizeof(text), "%lld", value);
    for (byte = text; *byte; byte++)
        put(reader, *byte);
}

/* ---- Words ---- */

/* A dollar: arithmetic, or as it is written; `$(command)` is not ours. */
static void take_dollar(struct reader *reader)
{
    if (!strncmp(reader->at, "$((", 3))
        expand_arithmetic(reader);
    else if (reader->at[1] == '(')
        reader->is_wrong = true;
    else
        put(reader, *reader->at++);
}

static void take_quoted(struct reader *reader)
{
    char quote = *reader->at++;

    while (*reader->at && *reader->at != quote && !reader->is_wrong) {
        if (quote == '"' && *reader->at == '$') {
            take_dollar(reader);
        } else if (quote == '"' && *reader->at == '`') {
            reader->is_wrong = true;
        } else {
            if (quote == '"' && *reader->at == '\\' && reader->at[1] &&
                strchr("$`\"\\", reader->at[1]))
                reader->at++;
            put(reader, *reader->at++);
        }
    }
    if (*reader->at == quote)
        reader->at++;
    else
        reader->is_wrong = true;
}

static void take_escaped(struct reader *reader)
{
    if (!reader->at[1]) {
        reader->is_wrong = true;
        return;
    }
    if (reader->at[1] != '\n')
        put(reader, reader->at[1]);
    reader->at += 2;
}

static const char *take_word(struct reader *reader)
{
    const char *word = reader->words->bytes + reader->used;

    while (!reader->is_wrong && *reader->at && !strchr(" \t\n;&|<>()`", *reader->at)) {
        if (*reader->at == '\'' || *reader->at == '"')
            take_quoted(reader);
        else if (*reader->at == '$')
            take_dollar(reader);
        else if (*reader->at != '\\')
            put(reader, *reader->at++);
        else
            take_escaped(reader);
    }
    put(reader, '\0');
    return word;
}

/* "> FILE", ">> FILE", "2> FILE", "&> FILE", "2>&1". False: it is none. */
static bool take_redirection(struct reader *reader)
{
    const char *at = reader->at;
    bool is_error = *at == '2';
    const char *file;

    at += *at == '1' || *at == '2' || *at == '&';
    if (*at != '>')
        return false;
    at += at[1] == '>' ? 2 : 1;
    if (*at == '&') { /* another descriptor */
        at++;
        reader->is_wrong = *at != '1' && *at != '2';
        reader->at = at + !reader->is_wrong;
        return true;
    }
    reader->at = at + strspn(at, " \t");
    file = take_word(reader);
    if (!strcmp(file, "/dev/null"))
        return true;
    reader->is_wrong = reader->is_wrong || is_error || reader->words->output || !*file;
    reader->words->output = file;
    return true;
}

/* The end of a command, or false: there is more of it. */
static bool take_end(struct reader *reader)
{
    if (*reader->at == '#')
        reader->at += strcspn(reader->at, "\n");
    reader->words->or_follows = !strncmp(reader->at, "||", 2);
    if (!*reader->at)
        return true;
    if (*reader->at == '\n' || *reader->at == ';') {
        reader->at++;
        return true;
    }
    if (!reader->words->or_follows && strncmp(reader->at, "&&", 2) != 0)
        return false;
    reader->at += 2;
    return true;
}

static void take_command(struct reader *reader)
{
    for (;;) {
        reader->at += strspn(reader->at, " \t\r");
        if (!strncmp(reader->at, "\\\n", 2)) {
            reader->at += 2;
            continue;
        }
        if (reader->is_wrong || take_end(reader))
            return;
        if (take_redirection(reader))
            continue;
        if (strchr("&|<()`", *reader->at) || reader->words->count == WORDS_MAX) {
            reader->is_wrong = true;
            return;
        }
        reader->words->word[reader->words->count] = take_word(reader);
        reader->words->count++;
    }
}

int words_next(const char **text, struct words *words)
{
    struct reader reader = {.at = *text, .words = words};

    do {
        words->skipped = words->or_follows;
        words->count = 0;
        words->output = NULL;
        reader.used = 0;
        take_command(&reader);
    } while (!words->count && !words->output && *reader.at && !reader.is_wrong);
    *text = reader.at;
    if (reader.is_wrong)
        return -1;
    return words->count || words->output ? 1 : 0;
}
