/* SPDX-License-Identifier: MIT */

/* Lines of JSON values.
 *
 * Problem: the library that parses JSON tells the line of a fault in the syntax, but forgets where the
 * values of a good text stood; and most faults of a network are in its meaning ("unknown node r9").
 *
 * Idea: when there is a fault to tell, and only then, the text is walked once more along the path to
 * the value at fault: `networks`, 3, `links`, 1. The text is known to be valid, so the walk needs no
 * grammar: strings are skipped by their quotes, containers by counting brackets outside of strings.
 *
 * Limits: keys are compared as they are written, so one with an escape is not found, and the line is
 * then that of the object. O(bytes) a fault, and one fault ends the reading.
 */

#include <lab/net/where.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const char *at;
    unsigned line;
};

/* To the next character, or not beyond the end. */
static void advance(struct cursor *cursor)
{
    if (*cursor->at == '\n')
        cursor->line++;
    if (*cursor->at)
        cursor->at++;
}

/* Over blanks and what separates members. */
static void skip_blank(struct cursor *cursor)
{
    while (*cursor->at && strchr(" \t\r\n,:", *cursor->at))
        advance(cursor);
}

/* Over a string whose first quote is here. */
static void skip_string(struct cursor *cursor)
{
    advance(cursor);
    while (*cursor->at && *cursor->at != '"') {
        if (*cursor->at == '\\')
            advance(cursor);
        advance(cursor);
    }
    advance(cursor);
}

/* Over a value of any kind. */
static void skip_value(struct cursor *cursor)
{
    unsigned depth = 0;

    do {
        if (*cursor->at == '"') {
            skip_string(cursor);
            continue;
        }
        if (*cursor->at == '{' || *cursor->at == '[')
            depth++;
        if ((*cursor->at == '}' || *cursor->at == ']') && depth > 0)
            depth--;
        advance(cursor);
    } while (*cursor->at && (depth > 0 || !strchr(",]} \t\r\n", *cursor->at)));
}

/* True if the string here is `key`; goes behind it either way. */
static bool take_key(struct cursor *cursor, const char *key)
{
    size_t length = strlen(key);
    bool is_same = strncmp(cursor->at + 1, key, length) == 0 && cursor->at[1 + length] == '"';

    skip_string(cursor);
    return is_same;
}

/* From a container to the value that `step` names; false if it has none. */
static bool enter(struct cursor *cursor, const struct where_step *step)
{
    size_t index;

    if (*cursor->at != (step->key ? '{' : '['))
        return false;
    advance(cursor);
    for (index = 0;; index++) {
        skip_blank(cursor);
        if (!*cursor->at || *cursor->at == '}' || *cursor->at == ']')
            return false;
        if (step->key && take_key(cursor, step->key)) {
            skip_blank(cursor);
            return true;
        }
        skip_blank(cursor);
        if (!step->key && index == step->index)
            return true;
        skip_value(cursor);
    }
}

unsigned where_line(const char *text, const struct where_step *path, size_t depth)
{
    struct cursor cursor = {text, 1};
    unsigned line;
    size_t i;

    skip_blank(&cursor);
    line = cursor.line;
    for (i = 0; i < depth && enter(&cursor, &path[i]); i++)
        line = cursor.line;
    return line;
}

unsigned where_line_in_file(const char *name, const struct where_step *path, size_t depth)
{
    FILE *file = fopen(name, "re");
    char *text = NULL;
    size_t size = 0;
    unsigned line = 0;

    if (file && getdelim(&text, &size, '\0', file) > 0)
        line = where_line(text, path, depth);
    free(text);
    if (file)
        fclose(file);
    return line;
}
