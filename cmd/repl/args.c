/* SPDX-License-Identifier: MIT */

/* Words of a command line.
 *
 * A line is trimmed at both ends and cut at blanks and tabs. Commands that take free text (`s`,
 * `send`) need the line as it was typed from some word on, so for each of the first ARGS_MAX words
 * we also keep where the rest begins: behind the word and exactly one blank, so that further
 * blanks belong to the text. Later words are counted (a command that takes two words must refuse
 * three) but not kept.
 */

#include <cmd/repl/args.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char *trim(char *line)
{
    size_t length;

    while (is_blank(*line))
        line++;
    length = strlen(line);
    while (length && is_blank(line[length - 1]))
        length--;
    line[length] = '\0';
    return line;
}

int args_parse(char *line, struct args *args)
{
    char *at;

    memset(args, 0, sizeof *args);
    line = trim(line);
    args->line = line;
    args->copy = strdup(line);
    if (!args->copy)
        return WEIR_ENOMEM;
    for (at = args->copy; *at; args->count++) {
        char *end = at;

        while (*end && !is_blank(*end))
            end++;
        if (args->count < ARGS_MAX) {
            args->word[args->count] = at;
            args->rest[args->count] = line + (end - args->copy) + (*end ? 1 : 0);
        }
        at = end;
        while (is_blank(*at))
            at++;
        *end = '\0';
    }
    return 0;
}

void args_done(struct args *args)
{
    free(args->copy);
    args->copy = NULL;
}

int args_number(const char *word, uint64_t low, uint64_t high, uint64_t *number)
{
    uint64_t value = 0;
    const char *at;

    for (at = word; *at >= '0' && *at <= '9' && at - word < 19; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    if (*at || at == word || value < low || value > high)
        return WEIR_EINVAL;
    *number = value;
    return 0;
}

int args_port(const char *word, uint16_t *port)
{
    uint64_t number;

    if (args_number(word, 1, 65535, &number))
        return WEIR_EINVAL;
    *port = (uint16_t)number;
    return 0;
}

int args_rate(const char *word, double *rate)
{
    char *end;
    double value;

    if (strspn(word, "0123456789.") != strlen(word) || !*word)
        return WEIR_EINVAL;
    value = strtod(word, &end);
    if (*end || end == word || !(value >= 0 && value <= 1))
        return WEIR_EINVAL;
    *rate = value;
    return 0;
}

/* One character of printable text at `out`; returns its length. */
static size_t print_char(unsigned char c, char *out)
{
    static const char names[] = "abtnvfr"; /* of 7..13 */

    if (c >= ' ' && c != 0x7f) {
        out[0] = (char)c;
        return 1;
    }
    if (c == '\t' || c == '\n' || c == '\r') {
        out[0] = '\\';
        out[1] = names[c - 7];
        return 2;
    }
    snprintf(out, 5, "\\x%02x", c);
    return 4;
}

char *args_printable(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    char *text = malloc(4 * length + 5);
    size_t i, used = 0;

    if (!text)
        return NULL;
    for (i = 0; i < length; i++)
        used += print_char(bytes[i], text + used);
    text[used] = '\0';
    return text;
}
