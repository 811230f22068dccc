/* SPDX-License-Identifier: MIT */

/* The parser of call lines:
 *
 *   call   = name "(" [values] ")" "=" result [errno] ["(" text ")"]…
 *   value  = atom ("|" atom)*
 *   atom   = number | "-" number | string+ ["..."] | "..." | word [ "(" [values] ")" ]
 *          | "[" [values] "]" | "{" [field ("," field)*] "}"
 *   field  = value | name [ "(" [values] ")" ] "=" value
 *
 * Nothing here knows what a call means: names stay words, and the executor says which it can do. The
 * texts behind a result ("Operation now in progress", notes) are read and forgotten; parentheses
 * in them must balance. */

#include <lab/drill/parse.h>
#include <string.h>

static struct value *parse_value(struct lexer *lexer, unsigned depth);

static struct value *new_value(struct lexer *lexer, enum value_kind kind)
{
    struct value *value = get(lexer, sizeof(*value));

    if (value)
        value->kind = kind;
    return value;
}

/* Values up to `close`, which is taken. */
static unsigned parse_values(struct lexer *lexer, char close, unsigned depth, struct value **items)
{
    unsigned count = 0;

    if (accept_sign(lexer, close))
        return 0;
    do {
        struct value *value = parse_value(lexer, depth + 1);

        if (!value)
            return count;
        *items = value;
        items = &value->next;
        count++;
    } while (accept_sign(lexer, ','));
    expect_sign(lexer, close, "or `,` after a value");
    return count;
}

/* Adjacent strings are one. */
static struct value *parse_string(struct lexer *lexer, const struct token *first)
{
    struct value *value = new_value(lexer, VALUE_STRING);
    struct token token;

    if (!value)
        return NULL;
    value->text = first->text;
    value->length = first->length;
    for (;;) {
        char *joined;

        lex_next(lexer, &token);
        if (token.kind != TOKEN_STRING)
            break;
        joined = get(lexer, value->length + token.length + 1);
        if (!joined)
            return NULL;
        memcpy(joined, value->text, value->length);
        memcpy(joined + value->length, token.text, token.length);
        value->text = joined;
        value->length += token.length;
    }
    if (token.kind != TOKEN_ELLIPSIS) /* "beginning"... is what strace prints */
        lex_rewind(lexer, &token);
    return value;
}

static struct value *parse_word(struct lexer *lexer, const struct token *token, unsigned depth)
{
    struct value *value = new_value(lexer, VALUE_WORD);

    if (!value)
        return NULL;
    value->text = token->text;
    if (accept_sign(lexer, '(')) {
        value->kind = VALUE_CALL;
        parse_values(lexer, ')', depth, &value->items);
    }
    return value;
}

/* After a word in a record: `name = value` or `name(size) = value` give the value its name. */
static struct value *parse_field(struct lexer *lexer, unsigned depth)
{
    struct value *value = parse_value(lexer, depth + 1);
    struct value *content;

    if (!value || (value->kind != VALUE_WORD && value->kind != VALUE_CALL))
        return value;
    if (!accept_sign(lexer, '='))
        return value;
    content = parse_value(lexer, depth + 1);
    if (content)
        content->name = value->text;
    return content;
}

static struct value *parse_record(struct lexer *lexer, unsigned depth)
{
    struct value *record = new_value(lexer, VALUE_RECORD);
    struct value **link = record ? &record->items : NULL;

    if (!record || accept_sign(lexer, '}'))
        return record;
    do {
        struct value *field = parse_field(lexer, depth);

        if (!field)
            return NULL;
        *link = field;
        link = &field->next;
    } while (accept_sign(lexer, ','));
    expect_sign(lexer, '}', "or `,` after a field");
    return record;
}

static struct value *parse_int(struct lexer *lexer, int64_t number)
{
    struct value *value = new_value(lexer, VALUE_INT);

    if (value)
        value->number = number;
    return value;
}

static struct value *parse_signed(struct lexer *lexer, const struct token *token, unsigned depth)
{
    struct value *list;

    switch (token->sign) {
    case '-':
        return parse_int(lexer, -expect_number(lexer, "a number after `-`", 0, INT64_MAX));
    case '[':
        list = new_value(lexer, VALUE_LIST);
        if (list)
            parse_values(lexer, ']', depth, &list->items);
        return list;
    case '{':
        return parse_record(lexer, depth);
    default:
        fail_expected(lexer, token, "a value");
        return NULL;
    }
}

static struct value *parse_atom(struct lexer *lexer, unsigned depth)
{
    struct token token;

    lex_next(lexer, &token);
    switch (token.kind) {
    case TOKEN_NUMBER:
        if (token.is_decimal)
            break;
        return parse_int(lexer, token.number);
    case TOKEN_STRING:
        return parse_string(lexer, &token);
    case TOKEN_ELLIPSIS:
        return new_value(lexer, VALUE_ELLIPSIS);
    case TOKEN_WORD:
        return parse_word(lexer, &token, depth);
    case TOKEN_SIGN:
        return parse_signed(lexer, &token, depth);
    case TOKEN_COMMAND:
    case TOKEN_CODE:
    case TOKEN_END:
    default:
        break;
    }
    fail_expected(lexer, &token, "a value");
    return NULL;
}

static struct value *parse_value(struct lexer *lexer, unsigned depth)
{
    struct value *first, *all;
    struct value **link;

    if (depth > SCRIPT_DEPTH_MAX)
        lex_fail(lexer, lexer->here, "values are nested at most %u deep", SCRIPT_DEPTH_MAX);
    first = lexer->failed ? NULL : parse_atom(lexer, depth);
    if (!first || !accept_sign(lexer, '|'))
        return lexer->failed ? NULL : first;
    all = new_value(lexer, VALUE_OR);
    if (!all)
        return NULL;
    all->items = first;
    link = &first->next;
    do {
        struct value *atom = parse_atom(lexer, depth);

        if (!atom)
            return NULL;
        *link = atom;
        link = &atom->next;
    } while (accept_sign(lexer, '|'));
    return all;
}

/* "(free text)", any number of them. */
static void skip_notes(struct lexer *lexer)
{
    struct token token;
    unsigned open = 0;

    for (;;) {
        lex_next(lexer, &token);
        if (token.kind == TOKEN_SIGN && token.sign == '(')
            open++;
        else if (open == 0)
            break;
        else if (token.kind == TOKEN_SIGN && token.sign == ')')
            open--;
        else if (token.kind == TOKEN_END)
            lex_fail(lexer, token.where, "expected `)` after a note, found the end of the script");
        if (lexer->failed)
            return;
    }
    lex_rewind(lexer, &token);
}

struct call_line *parse_call(struct lexer *lexer)
{
    struct call_line *call = get(lexer, sizeof(*call));
    struct token token;

    lex_next(lexer, &token);
    if (token.kind != TOKEN_WORD || !call) {
        fail_expected(lexer, &token, "the name of a call");
        return NULL;
    }
    call->name = token.text;
    expect_sign(lexer, '(', "after the name of a call");
    call->arg_count = parse_values(lexer, ')', 0, &call->args);
    expect_sign(lexer, '=', "and the call's result");
    call->result = parse_value(lexer, 0);
    if (lexer->failed)
        return NULL;
    lex_next(lexer, &token);
    if (token.kind == TOKEN_WORD)
        call->error = token.text;
    else
        lex_rewind(lexer, &token);
    skip_notes(lexer);
    return lexer->failed ? NULL : call;
}
