/* SPDX-License-Identifier: MIT */

/* The evaluator of %{ }%: the part of Python that scripts use to look at tcp_info.
 *
 *   code      = statement*
 *   statement = "assert" value ["," message] | name "=" value | "print" … | "pass"
 *             | "if" value ":" body ("elif" value ":" body)* ["else" ":" body]
 *   body      = statement (";" statement)* on the same line, or lines that are indented deeper
 *
 * Expressions are in eval_value.c. What stands behind the comma of an assert is shown if it fails,
 * and else not looked at; what is printed is not looked at either. A body that is not run is passed
 * over by its indentation alone.
 *
 * One error ends the reading: anything that is not in this grammar is EVAL_UNREAD, never guessed.
 * Assigned names outlive the snippet, as all snippets of a script are one file for Python; at most
 * EVAL_VARIABLES_MAX of them. Bodies nest at most BODIES_MAX deep. */

#include <ctype.h>
#include <lab/drill/eval_read.h>
#include <stdio.h>
#include <string.h>

#define BODIES_MAX 16u

static void run_lines(struct reader *reader, size_t indent, unsigned depth);

void eval_stop(struct reader *reader, enum eval_verdict verdict, const char *text, size_t length)
{
    if (reader->verdict != EVAL_HOLDS)
        return;
    reader->verdict = verdict;
    snprintf(reader->text, EVAL_TEXT, "%.*s", (int)(length < 200 ? length : 200), text);
    reader->at += strlen(reader->at);
}

void eval_unread(struct reader *reader)
{
    eval_stop(reader, EVAL_UNREAD, reader->at, strcspn(reader->at, "\n"));
}

void eval_skip_blanks(struct reader *reader)
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

size_t eval_name_length(const char *text)
{
    size_t length = 0;

    if (isdigit((unsigned char)*text))
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    return length;
}

bool eval_accept(struct reader *reader, const char *sign)
{
    size_t length = strlen(sign);

    eval_skip_blanks(reader);
    if (strncmp(reader->at, sign, length) != 0)
        return false;
    if (isalpha((unsigned char)*sign) &&
        (isalnum((unsigned char)reader->at[length]) || reader->at[length] == '_'))
        return false;
    reader->at += length;
    return true;
}

/* Where the statement at `text` ends: a `;`, the end of a line, or of the code, outside of strings,
 * comments and parentheses. NULL: a string has no end. */
static const char *statement_end(const char *text)
{
    unsigned open = 0;

    for (; *text; text++) {
        if (*text == '"' || *text == '\'') {
            size_t length = strcspn(text + 1, *text == '"' ? "\"\n" : "'\n");

            if (text[1 + length] != *text)
                return NULL;
            text += length + 1;
        } else if (*text == '#') {
            text += strcspn(text, "\n") - 1;
        } else if (strchr("([{", *text)) {
            open++;
        } else if (strchr(")]}", *text) && open > 0) {
            open--;
        } else if ((*text == '\n' || *text == ';') && open == 0) {
            return text;
        }
    }
    return text;
}

static void skip_statement(struct reader *reader)
{
    const char *end;

    eval_skip_blanks(reader);
    end = statement_end(reader->at);
    if (end)
        reader->at = end;
    else
        eval_unread(reader);
}

/* The message after the comma: a string, or an expression whose value is shown. */
static void read_message(struct reader *reader, char *message, size_t size)
{
    struct reader probe = *reader;
    char quote, text[EVAL_TEXT];
    size_t length;
    int64_t value;

    eval_skip_blanks(reader);
    quote = *reader->at;
    if (quote == '"' || quote == '\'') {
        length = strcspn(reader->at + 1, quote == '"' ? "\"\n" : "'\n");
        snprintf(message, size, "%.*s", (int)(length < 100 ? length : 100), reader->at + 1);
        return;
    }
    probe.text = text;
    value = eval_value(&probe);
    if (probe.verdict == EVAL_HOLDS)
        snprintf(message, size, "%lld", (long long)value);
}

/* The end of a statement must come next. */
static void expect_end(struct reader *reader)
{
    eval_skip_blanks(reader);
    if (*reader->at != '\0' && *reader->at != '\n' && *reader->at != ';')
        eval_unread(reader);
}

/* After the word assert. */
static void run_assert(struct reader *reader, const char *start)
{
    char message[128] = "", sides[64] = "", whole[EVAL_TEXT];
    size_t length = strcspn(start, "\n;");
    bool holds;

    while (length > 0 && isspace((unsigned char)start[length - 1]))
        length--;
    reader->compared = false;
    holds = eval_value(reader) != 0;
    if (eval_accept(reader, ",")) {
        if (!holds)
            read_message(reader, message, sizeof(message));
        skip_statement(reader);
    }
    expect_end(reader);
    if (holds || reader->verdict != EVAL_HOLDS)
        return;
    if (reader->compared)
        snprintf(sides, sizeof(sides), " (%lld, %lld)", (long long)reader->left,
                 (long long)reader->right);
    snprintf(whole, sizeof(whole), "%.*s%s%s%s", (int)(length < 120 ? length : 120), start, sides,
             message[0] ? ": " : "", message);
    eval_stop(reader, EVAL_FAILS, whole, strlen(whole));
}

static void assign(struct reader *reader, const char *name, size_t length, int64_t value)
{
    struct eval_variables *all = reader->variables;
    struct eval_variable *variable = all->variables;

    while (variable < all->variables + all->count &&
           (strncmp(variable->name, name, length) != 0 || variable->name[length]))
        variable++;
    if (variable == all->variables + EVAL_VARIABLES_MAX) {
        eval_stop(reader, EVAL_UNREAD, "too many variables", 18);
        return;
    }
    if (variable == all->variables + all->count) {
        all->count++;
        memcpy(variable->name, name, length);
        variable->name[length] = '\0';
    }
    variable->value = value;
}

static void run_assignment(struct reader *reader)
{
    const char *name = reader->at;
    size_t length = eval_name_length(name);
    int64_t value;

    reader->at += length;
    if (length == 0 || length >= EVAL_NAME || !eval_accept(reader, "=") || *reader->at == '=') {
        reader->at = name;
        eval_unread(reader);
        return;
    }
    value = eval_value(reader);
    expect_end(reader);
    if (reader->verdict == EVAL_HOLDS)
        assign(reader, name, length, value);
}

/* One statement that is no `if`. */
static void run_simple(struct reader *reader)
{
    const char *start;

    eval_skip_blanks(reader);
    start = reader->at;
    if (eval_accept(reader, "assert"))
        run_assert(reader, start);
    else if (eval_accept(reader, "print"))
        skip_statement(reader);
    else if (eval_accept(reader, "pass"))
        expect_end(reader);
    else
        run_assignment(reader);
}

/* Statements up to the end of the line. */
static void run_line(struct reader *reader)
{
    for (;;) {
        eval_skip_blanks(reader);
        if (*reader->at == '\0' || *reader->at == '\n')
            return;
        if (*reader->at == ';')
            reader->at++;
        else
            run_simple(reader);
    }
}

/* Goes to the first line with something in it. Returns its indentation, and leaves the reader at
 * its beginning. */
static size_t next_line(struct reader *reader)
{
    for (;;) {
        size_t indent = strspn(reader->at, " \t\r");

        if (reader->at[indent] != '\n' && reader->at[indent] != '#')
            return indent;
        reader->at += strcspn(reader->at, "\n");
        reader->at += *reader->at == '\n';
    }
}

static void skip_lines(struct reader *reader, size_t indent)
{
    while (next_line(reader) > indent && *reader->at) {
        reader->at += strcspn(reader->at, "\n");
        reader->at += *reader->at == '\n';
    }
}

/* What stands behind `if value`, `elif value` or `else`, from the colon on. */
static void run_body(struct reader *reader, size_t indent, unsigned depth, bool is_taken)
{
    if (!eval_accept(reader, ":")) {
        eval_unread(reader);
        return;
    }
    eval_skip_blanks(reader);
    if (*reader->at == '\n') {
        reader->at++;
        if (next_line(reader) <= indent)
            eval_unread(reader);
        else if (is_taken)
            run_lines(reader, next_line(reader), depth + 1);
        else
            skip_lines(reader, indent);
        return;
    }
    if (is_taken)
        run_line(reader);
    else
        reader->at += strcspn(reader->at, "\n");
    reader->at += *reader->at == '\n';
}

/* After the word if, on a line with this indentation. */
static void run_if(struct reader *reader, size_t indent, unsigned depth)
{
    bool holds = eval_value(reader) != 0, done = holds;

    run_body(reader, indent, depth, holds);
    while (reader->verdict == EVAL_HOLDS && next_line(reader) == indent) {
        const char *start = reader->at;
        bool is_else = false;

        if (!eval_accept(reader, "elif") && !(is_else = eval_accept(reader, "else"))) {
            reader->at = start;
            return;
        }
        holds = !done && (is_else || eval_value(reader) != 0);
        if (done && !is_else)
            reader->at += strcspn(reader->at, ":\n");
        run_body(reader, indent, depth, holds);
        done = done || holds;
    }
}

/* Lines with this indentation, up to one with less. */
static void run_lines(struct reader *reader, size_t indent, unsigned depth)
{
    if (depth > BODIES_MAX)
        eval_stop(reader, EVAL_UNREAD, "nested too deeply", 17);
    while (reader->verdict == EVAL_HOLDS) {
        size_t here = next_line(reader);

        if (reader->at[here] == '\0' || here < indent)
            return;
        if (here > indent) {
            eval_unread(reader);
        } else if (eval_accept(reader, "if")) {
            run_if(reader, indent, depth);
        } else {
            run_line(reader);
            reader->at += *reader->at == '\n';
        }
    }
}

enum eval_verdict eval_run(const char *code, eval_lookup_fn *lookup, void *context,
                           struct eval_variables *variables, char *text)
{
    struct reader reader = {.at = code, .lookup = lookup, .context = context, .text = text};

    text[0] = '\0';
    reader.variables = variables;
    /* What stands on the line of %{ has an indentation of its own. */
    reader.at += strspn(reader.at, " \t\r");
    if (*reader.at && *reader.at != '\n' && *reader.at != '#') {
        if (eval_accept(&reader, "if"))
            run_if(&reader, 0, 0);
        else
            run_line(&reader);
    }
    while (reader.verdict == EVAL_HOLDS && reader.at[next_line(&reader)])
        run_lines(&reader, next_line(&reader), 0);
    return reader.verdict;
}
