/* SPDX-License-Identifier: MIT */

/* Expressions of %{ }%, with Python's ranks:
 *
 *   value   = or ["if" or "else" value]
 *   or      = and ("or" and)*         and  = not ("and" not)*       not = "not" not | compare
 *   compare = bitor (("=="|"!="|"<="|">="|"<"|">") bitor | ["not"] "in" list)*      chained
 *   bitor   = bitxor ("|" bitxor)*    bitxor = bitand ("^" bitand)*
 *   bitand  = shift ("&" shift)*      shift  = sum (("<<"|">>") sum)*
 *   sum     = term (("+"|"-") term)*  term   = unary (("*"|"//"|"/"|"%") unary)*
 *   unary   = ("-"|"+"|"~") unary | atom
 *   atom    = integer | True | False | name | "(" value ")" | function "(" value ("," value)* ")"
 *   list    = ("("|"[") value ("," value)* [","] (")"|"]")
 *   function = abs min max int bool
 *
 * Values are 64-bit integers. What would not fit, and a division with a remainder (a fraction in
 * Python), is not read, so that no answer differs from Python's. Everything is evaluated, also
 * behind `or`: names without a value make the script skipped, not right. Nesting is at most
 * DEPTH_MAX, and long runs of signs are loops: the reader's stack is bounded. */

#include <ctype.h>
#include <lab/drill/eval_read.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64u

static int64_t beyond(struct reader *reader)
{
    eval_stop(reader, EVAL_UNREAD, "a number beyond 64 bits", 23);
    return 0;
}

static bool enter(struct reader *reader)
{
    if (reader->depth++ < DEPTH_MAX)
        return true;
    eval_stop(reader, EVAL_UNREAD, "nested too deeply", 17);
    return false;
}

static void leave(struct reader *reader, const char *sign)
{
    if (!eval_accept(reader, sign))
        eval_unread(reader);
    reader->depth--;
}

static int64_t fold(const char *function, int64_t a, int64_t b)
{
    if (!strcmp(function, "min"))
        return a < b ? a : b;
    return a > b ? a : b;
}

/* After the name of a function and `(`. */
static int64_t read_call(struct reader *reader, const char *function)
{
    bool takes_many = function[0] == 'm';
    int64_t value = enter(reader) ? eval_value(reader) : 0;

    if (takes_many)
        while (eval_accept(reader, ","))
            value = fold(function, value, eval_value(reader));
    leave(reader, ")");
    if (!strcmp(function, "abs") && value < 0)
        return value == INT64_MIN ? beyond(reader) : -value;
    return strcmp(function, "bool") != 0 ? value : value != 0;
}

static bool is_function(const char *name)
{
    static const char *const names[] = {"abs", "min", "max", "int", "bool"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static bool find_variable(const struct reader *reader, const char *name, int64_t *value)
{
    unsigned i;

    for (i = 0; i < reader->variables->count; i++) {
        if (!strcmp(reader->variables->variables[i].name, name)) {
            *value = reader->variables->variables[i].value;
            return true;
        }
    }
    return false;
}

static int64_t read_name(struct reader *reader)
{
    size_t length = eval_name_length(reader->at);
    char name[EVAL_NAME];
    int64_t value = 0;

    if (length == 0 || length >= sizeof(name)) {
        eval_unread(reader);
        return 0;
    }
    memcpy(name, reader->at, length);
    name[length] = '\0';
    if (is_function(name) && reader->at[length] == '(') {
        reader->at += length + 1;
        return read_call(reader, name);
    }
    if (reader->at[length] && strchr("(.[", reader->at[length])) {
        eval_unread(reader); /* a call, a member, an item of what we do not have */
        return 0;
    }
    reader->at += length;
    if (!strcmp(name, "True"))
        return 1;
    if (!strcmp(name, "False"))
        return 0;
    if (!find_variable(reader, name, &value) && !reader->lookup(reader->context, name, &value))
        eval_stop(reader, EVAL_UNKNOWN, name, length);
    return value;
}

static int64_t read_number(struct reader *reader)
{
    char *end;
    unsigned long long value = strtoull(reader->at, &end, 0);

    if (*end == '.' || isalnum((unsigned char)*end) || *end == '_') {
        eval_unread(reader);
        return 0;
    }
    if (value > INT64_MAX)
        return beyond(reader);
    reader->at = end;
    return (int64_t)value;
}

static int64_t read_atom(struct reader *reader)
{
    int64_t value;

    eval_skip_blanks(reader);
    if (isdigit((unsigned char)*reader->at))
        return read_number(reader);
    if (!eval_accept(reader, "("))
        return read_name(reader);
    value = enter(reader) ? eval_value(reader) : 0;
    leave(reader, ")");
    return value;
}

/* The signs stand for a run of `-` and `~`, applied from the right; the run is a loop. */
static int64_t read_unary(struct reader *reader)
{
    const char *start;
    size_t count = 0;
    int64_t value;

    eval_skip_blanks(reader);
    start = reader->at;
    while (eval_accept(reader, "-") || eval_accept(reader, "+") || eval_accept(reader, "~"))
        continue;
    count = (size_t)(reader->at - start);
    value = read_atom(reader);
    while (count-- > 0) {
        if (start[count] == '~')
            value = ~value;
        else if (start[count] == '-')
            value = value == INT64_MIN ? beyond(reader) : -value;
    }
    return value;
}

static int64_t divide(struct reader *reader, int64_t a, int64_t b, const char *sign)
{
    int64_t quotient, rest;

    if (b == 0 || (a == INT64_MIN && b == -1)) {
        eval_stop(reader, EVAL_UNREAD, "a division without a result", 27);
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
        eval_stop(reader, EVAL_UNREAD, "a fraction", 10);
    return quotient;
}

static int64_t shift(struct reader *reader, int64_t a, int64_t b, const char *sign)
{
    if (b < 0)
        return divide(reader, a, 0, sign);
    if (sign[0] == '>')
        return b > 62 ? (a < 0 ? -1 : 0) : a >> b;
    if (b > 62 || a > (INT64_MAX >> b) || a < -(INT64_MAX >> b))
        return a == 0 ? 0 : beyond(reader);
    return a * ((int64_t)1 << b);
}

static int64_t apply(struct reader *reader, const char *sign, int64_t a, int64_t b)
{
    int64_t result = 0;
    bool overflows = false;

    switch (sign[0]) {
    case '|':
        return a | b;
    case '^':
        return a ^ b;
    case '&':
        return a & b;
    case '<':
    case '>':
        return shift(reader, a, b, sign);
    case '+':
        overflows = __builtin_add_overflow(a, b, &result);
        break;
    case '-':
        overflows = __builtin_sub_overflow(a, b, &result);
        break;
    case '*':
        overflows = __builtin_mul_overflow(a, b, &result);
        break;
    default:
        return divide(reader, a, b, sign);
    }
    return overflows ? beyond(reader) : result;
}

/* Signs of each rank, the weakest first. */
#define RANKS 6u
static const char *const ranks[RANKS][5] = {
    {"|"}, {"^"}, {"&"}, {"<<", ">>"}, {"+", "-"}, {"*", "//", "/", "%"},
};

static const char *accept_rank(struct reader *reader, unsigned rank)
{
    unsigned i;

    for (i = 0; ranks[rank][i]; i++)
        if (eval_accept(reader, ranks[rank][i]))
            return ranks[rank][i];
    return NULL;
}

static int64_t read_binary(struct reader *reader, unsigned rank)
{
    int64_t value = rank == RANKS ? read_unary(reader) : read_binary(reader, rank + 1);
    const char *sign;

    while (rank < RANKS && (sign = accept_rank(reader, rank))) {
        int64_t right = rank + 1 == RANKS ? read_unary(reader) : read_binary(reader, rank + 1);

        value = apply(reader, sign, value, right);
    }
    return value;
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

/* After `in`: is `value` in the list? */
static bool read_list(struct reader *reader, int64_t value)
{
    bool found = false, is_square = eval_accept(reader, "[");
    const char *close = is_square ? "]" : ")";

    if (!is_square && !eval_accept(reader, "("))
        eval_unread(reader);
    if (!enter(reader))
        return false;
    do {
        eval_skip_blanks(reader);
        if (*reader->at == *close)
            break;
        if (eval_value(reader) == value)
            found = true;
    } while (eval_accept(reader, ","));
    leave(reader, close);
    return found;
}

static bool accept_not_in(struct reader *reader)
{
    const char *start = reader->at;

    if (eval_accept(reader, "not") && eval_accept(reader, "in"))
        return true;
    reader->at = start;
    return false;
}

static int64_t read_compare(struct reader *reader)
{
    int64_t left = read_binary(reader, 0), right;
    bool is_chain = false, holds = true;
    unsigned which;

    if (eval_accept(reader, "in"))
        return read_list(reader, left);
    if (reader->verdict == EVAL_HOLDS && accept_not_in(reader))
        return !read_list(reader, left);
    for (;;) {
        for (which = 0; which < 6; which++)
            if (eval_accept(reader, comparisons[which]))
                break;
        if (which == 6)
            return is_chain ? holds : left;
        right = read_binary(reader, 0);
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

    while (eval_accept(reader, "not")) {
        negated = !negated;
        any = true;
    }
    value = read_compare(reader);
    return any ? (value != 0) != negated : value;
}

static int64_t read_and(struct reader *reader)
{
    int64_t value = read_not(reader);

    while (eval_accept(reader, "and")) {
        int64_t next = read_not(reader);

        value = value ? next : value;
    }
    return value;
}

static int64_t read_or(struct reader *reader)
{
    int64_t value = read_and(reader);

    while (eval_accept(reader, "or")) {
        int64_t next = read_and(reader);

        value = value ? value : next;
    }
    return value;
}

/* A chain of `a if b else c if d else e` is a loop, so that a long one needs no stack. */
int64_t eval_value(struct reader *reader)
{
    int64_t value = read_or(reader), chosen = 0;
    bool is_chosen = false;

    while (eval_accept(reader, "if")) {
        bool holds = read_or(reader) != 0;

        if (holds && !is_chosen) {
            chosen = value;
            is_chosen = true;
        }
        if (!eval_accept(reader, "else"))
            eval_unread(reader);
        value = read_or(reader);
    }
    return is_chosen ? chosen : value;
}
