/* SPDX-License-Identifier: MIT */

/* The parser of packet scripts: a recursive descent, a function a rule.
 *
 *   file    = option* [command] event+ [command]
 *   option  = "--" name ["=" value]
 *   event   = time (packet | call | code | command)
 *   time    = "*" | ["+"] seconds ["~" ["+"] seconds]
 *   packet  = ("<" | ">") …                                      parse_packet.c
 *   call    = ["..." ["+"] seconds] name "(" … ")" "=" …         parse_call.c
 *
 * Events have no end of their own: the next one begins at a number, a `+` or a `*`, and nothing else
 * in the grammar can stand there. The text of each event is kept for reports.
 *
 * An error is noted once, with file, line and column and what was expected; from then on the lexer
 * gives only END, which every loop here ends at. Limits: SCRIPT_BYTES_MAX, SCRIPT_EVENTS_MAX,
 * SCRIPT_DEPTH_MAX, and the arena's. */

#include <lab/drill/parse.h>
#include <stdio.h>
#include <string.h>
#include <weir/error.h>

void fail_expected(struct lexer *lexer, const struct token *token, const char *what)
{
    char text[LEX_DESCRIBE_TEXT];

    lex_fail(lexer, token->where, "expected %s, found %s", what, lex_describe(token, text));
}

void *get(struct lexer *lexer, size_t bytes)
{
    void *memory = arena_get(lexer->arena, bytes);

    if (!memory)
        lex_fail(lexer, lexer->here, "the script needs too much memory");
    return memory;
}

bool accept_sign(struct lexer *lexer, char sign)
{
    struct token token;

    lex_next(lexer, &token);
    if (token.kind == TOKEN_SIGN && token.sign == sign)
        return true;
    lex_rewind(lexer, &token);
    return false;
}

bool accept_word(struct lexer *lexer, const char *word)
{
    struct token token;

    lex_next(lexer, &token);
    if (token.kind == TOKEN_WORD && !strcmp(token.text, word))
        return true;
    lex_rewind(lexer, &token);
    return false;
}

void expect_sign(struct lexer *lexer, char sign, const char *where)
{
    struct token token;
    char what[96];

    lex_next(lexer, &token);
    if (token.kind == TOKEN_SIGN && token.sign == sign)
        return;
    snprintf(what, sizeof(what), "`%c` %s", sign, where);
    fail_expected(lexer, &token, what);
}

int64_t expect_number(struct lexer *lexer, const char *what, int64_t low, int64_t high)
{
    struct token token;

    lex_next(lexer, &token);
    if (token.kind != TOKEN_NUMBER || token.is_decimal) {
        fail_expected(lexer, &token, what);
        return low;
    }
    if (token.number < low || token.number > high) {
        lex_fail(lexer, token.where, "%s is from %lld to %lld", what, (long long)low,
                 (long long)high);
        return low;
    }
    return token.number;
}

weir_time parse_seconds(struct lexer *lexer)
{
    struct token token;
    weir_time time;

    lex_next(lexer, &token);
    if (token.kind != TOKEN_NUMBER) {
        fail_expected(lexer, &token, "a time in seconds");
        return 0;
    }
    if (!token.is_decimal && token.number > SCRIPT_SECONDS_MAX) {
        lex_fail(lexer, token.where, "a time is at most %d seconds", SCRIPT_SECONDS_MAX);
        return 0;
    }
    time = token.is_decimal ? token.number : token.number * WEIR_SECOND;
    return (time + WEIR_US / 2) / WEIR_US * WEIR_US;
}

/* The time of an event; false at the end of the events. */
static bool parse_time(struct lexer *lexer, struct event *event)
{
    struct token token;

    lex_next(lexer, &token);
    event->where = token.where;
    if (token.kind == TOKEN_SIGN && token.sign == '*') {
        event->time = TIME_ANY;
        return true;
    }
    if (token.kind == TOKEN_SIGN && token.sign == '+') {
        event->time = TIME_RELATIVE;
    } else if (token.kind == TOKEN_NUMBER) {
        event->time = TIME_ABSOLUTE;
        lex_rewind(lexer, &token);
    } else {
        lex_rewind(lexer, &token);
        return false;
    }
    event->at = event->until = parse_seconds(lexer);
    if (accept_sign(lexer, '~')) {
        event->is_range = true;
        if (accept_sign(lexer, '+') && event->time != TIME_RELATIVE)
            lex_fail(lexer, event->where, "a range is relative at both ends or at neither");
        event->until = parse_seconds(lexer);
        if (event->until < event->at)
            lex_fail(lexer, event->where, "this range of times ends before it begins");
    }
    return true;
}

static void parse_blocking_call(struct lexer *lexer, struct event *event)
{
    weir_time end;

    accept_sign(lexer, '+');
    end = parse_seconds(lexer);
    if (end < event->at)
        lex_fail(lexer, event->where, "this call would end before it begins");
    event->kind = EVENT_CALL;
    event->call = parse_call(lexer);
    if (event->call) {
        event->call->blocking = true;
        event->call->end = end;
    }
}

static void check_time(struct lexer *lexer, const struct event *event)
{
    bool outbound = event->kind == EVENT_PACKET && event->packet && !event->packet->inbound;

    if ((event->time == TIME_ANY || event->is_range) && !outbound)
        lex_fail(lexer, event->where,
                 "only an outbound packet can have a range or `*` as its time");
}

static void parse_action(struct lexer *lexer, struct event *event)
{
    struct token token;

    lex_next(lexer, &token);
    event->kind = EVENT_CODE;
    event->text = token.text;
    if (token.kind == TOKEN_SIGN && (token.sign == '<' || token.sign == '>')) {
        event->kind = EVENT_PACKET;
        event->packet = parse_packet(lexer, token.sign == '<');
    } else if (token.kind == TOKEN_ELLIPSIS) {
        parse_blocking_call(lexer, event);
    } else if (token.kind == TOKEN_WORD) {
        lex_rewind(lexer, &token);
        event->kind = EVENT_CALL;
        event->call = parse_call(lexer);
    } else if (token.kind == TOKEN_COMMAND) {
        event->kind = EVENT_COMMAND;
    } else if (token.kind != TOKEN_CODE) {
        fail_expected(lexer, &token, "a packet, a call, a command or %{");
    }
    check_time(lexer, event);
}

/* The text from `start` to `end` without the blanks behind it. */
static const char *keep_source(struct lexer *lexer, size_t start, size_t end)
{
    while (end > start && strchr(" \t\r\n", lexer->text[end - 1]))
        end--;
    return arena_copy(lexer->arena, lexer->text + start, end - start);
}

/* One event; NULL at the end of the events, or after an error. */
static struct event *parse_event(struct lexer *lexer)
{
    struct event probe = {.next = NULL};
    struct event *event;
    struct token start;

    lex_next(lexer, &start);
    lex_rewind(lexer, &start);
    if (lexer->failed || !parse_time(lexer, &probe))
        return NULL;
    parse_action(lexer, &probe);
    event = get(lexer, sizeof(*event));
    if (lexer->failed || !event)
        return NULL;
    *event = probe;
    event->source = keep_source(lexer, start.start, lexer->at);
    if (!event->source)
        lex_fail(lexer, start.where, "the script needs too much memory");
    return event;
}

static void check_first(struct lexer *lexer, const struct event *event)
{
    if (event->time != TIME_ANY && event->at != 0)
        lex_fail(lexer, event->where, "the first event must be at time 0");
}

static void parse_events(struct lexer *lexer, struct script *script)
{
    struct event **link = &script->events;
    struct event *event;
    weir_time absolute = 0;

    while ((event = parse_event(lexer))) {
        if (script->event_count++ == SCRIPT_EVENTS_MAX)
            lex_fail(lexer, event->where, "a script has at most %u events", SCRIPT_EVENTS_MAX);
        if (script->event_count == 1)
            check_first(lexer, event);
        if (event->time == TIME_ABSOLUTE) {
            if (event->at < absolute)
                lex_fail(lexer, event->where, "absolute times may not go backwards");
            absolute = event->at;
        }
        *link = event;
        link = &event->next;
    }
}

/* --define=NAME=VALUE: what -D says, in the file; the command line's comes first and wins. The value is
 * kept as it is written, with its quotes. */
static void parse_define(struct lexer *lexer)
{
    struct define *defines = get(lexer, (lexer->define_count + 1) * sizeof(*defines));
    struct token name, value;

    lex_raw(lexer, "=", &name);
    if (lexer->define_count >= SCRIPT_DEFINES_MAX)
        lex_fail(lexer, name.where, "a script has at most %u definitions", SCRIPT_DEFINES_MAX);
    expect_sign(lexer, '=', "between a name and what it means");
    lex_next(lexer, &value);
    if (lexer->failed || !defines)
        return;
    if (name.length == 0 || value.kind == TOKEN_END)
        fail_expected(lexer, &value, "NAME=VALUE after --define=");
    if (lexer->define_count)
        memcpy(defines, lexer->defines, lexer->define_count * sizeof(*defines));
    defines[lexer->define_count].name = name.text;
    defines[lexer->define_count].value =
        arena_copy(lexer->arena, lexer->text + value.start, value.end - value.start);
    if (!defines[lexer->define_count].value)
        lex_fail(lexer, value.where, "the script needs too much memory");
    lexer->defines = defines;
    lexer->define_count++;
}

static void parse_option(struct lexer *lexer, struct script_option ***link)
{
    struct script_option *option = get(lexer, sizeof(*option));
    struct token name, value;

    lex_raw(lexer, "=", &name);
    if (!option || lexer->failed)
        return;
    if (name.length == 0)
        fail_expected(lexer, &name, "the name of an option after `--`");
    option->where = name.where;
    option->name = name.text;
    if (accept_sign(lexer, '=')) {
        if (!strcmp(name.text, "define")) {
            parse_define(lexer);
            return;
        }
        lex_raw(lexer, "", &value);
        if (value.length > 0 && value.text[0] == '"') { /* and may have blanks */
            lex_rewind(lexer, &value);
            lex_next(lexer, &value);
        }
        option->value = value.text;
    }
    **link = option;
    *link = &option->next;
}

static void parse_options(struct lexer *lexer, struct script *script)
{
    struct script_option **link = &script->options;
    struct token token;

    for (;;) {
        lex_next(lexer, &token);
        if (token.kind != TOKEN_SIGN || token.sign != '-')
            break;
        expect_sign(lexer, '-', "(an option begins with --)");
        parse_option(lexer, &link);
    }
    lex_rewind(lexer, &token);
}

static const char *parse_command(struct lexer *lexer)
{
    struct token token;

    lex_next(lexer, &token);
    if (token.kind == TOKEN_COMMAND)
        return token.text;
    lex_rewind(lexer, &token);
    return NULL;
}

static void parse_file(struct lexer *lexer, struct script *script)
{
    struct token token;

    parse_options(lexer, script);
    script->init = parse_command(lexer);
    parse_events(lexer, script);
    script->cleanup = parse_command(lexer);
    lex_next(lexer, &token);
    if (token.kind != TOKEN_END || (script->event_count == 0 && !lexer->failed))
        fail_expected(lexer, &token, "an event, which begins with a time");
}

int script_parse(const char *path, const char *text, size_t length, const struct define *defines,
                 size_t define_count, struct script *script, char *error)
{
    struct script parsed = {.path = path, .text = text, .length = length};
    struct lexer lexer = {.path = path, .text = text, .length = length, .here = {1, 1}};

    lexer.defines = defines;
    lexer.define_count = define_count;
    lexer.arena = &parsed.arena;
    lexer.error = error;
    if (length > SCRIPT_BYTES_MAX)
        lex_fail(&lexer, lexer.here, "a script has at most %zu bytes", SCRIPT_BYTES_MAX);
    parse_file(&lexer, &parsed);
    if (lexer.failed) {
        arena_done(&parsed.arena);
        return WEIR_EINVAL;
    }
    *script = parsed;
    return 0;
}

void script_done(struct script *script)
{
    arena_done(&script->arena);
}
