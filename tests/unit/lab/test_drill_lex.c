/* SPDX-License-Identifier: MIT */

/* The lexer of packet scripts: what the tokens of a text are, where they stand, and what is refused. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/lex.h>
#include <stdio.h>
#include <string.h>

static struct arena arena;
static char error_text[SCRIPT_ERROR_TEXT];

static struct lexer lexer_of(const char *text)
{
    struct lexer lexer = {.path = "t.pkt", .text = text, .length = strlen(text), .here = {1, 1}};

    error_text[0] = '\0';
    lexer.arena = &arena;
    lexer.error = error_text;
    return lexer;
}

/* All tokens, one after the other, as "w:foo n:12 d:100000000 s:( …". */
static void print_all(struct lexer *lexer, char *text, size_t size)
{
    size_t used = 0;
    struct token token;

    text[0] = '\0';
    for (lex_next(lexer, &token); token.kind != TOKEN_END; lex_next(lexer, &token)) {
        char one[128] = "...";

        if (token.kind == TOKEN_NUMBER)
            snprintf(one, sizeof(one), "%c:%lld", token.is_decimal ? 'd' : 'n',
                     (long long)token.number);
        else if (token.kind == TOKEN_SIGN)
            snprintf(one, sizeof(one), "s:%c", token.sign);
        else if (token.kind != TOKEN_ELLIPSIS)
            snprintf(one, sizeof(one), "%c:%.60s", "?w?\"`%"[token.kind], token.text);
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", one);
    }
}

static const struct {
    const char *text, *tokens;
} texts[] = {
    {"", ""},
    {"foo _b1 12 0x1F", "w:foo w:_b1 n:12 n:31"},
    {"0.1...0.2", "d:100000000 ... d:200000000"},
    {"0...0.2", "n:0 ... d:200000000"},
    {"+.001", "s:+ d:1000000"},
    {"0.000001", "d:1000"},
    {"1.9999999999999", "d:1999999999"},
    {"1:1001(1000)", "n:1 s:: n:1001 s:( n:1000 s:)"},
    {"a// b\nc /* d\n */ e", "w:a w:c w:e"},
    {"\"a\\x41\\n\" `ls -l` %{ x }%", "\":aA\n `:ls -l %: x "},
    {"[{fd=3}]", "s:[ s:{ w:fd s:= n:3 s:} s:]"},
    {"a|b", "w:a s:| w:b"},
};

static void test_tokens(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct lexer lexer = lexer_of(texts[i].text);
        char found[256];

        print_all(&lexer, found, sizeof(found));
        assert_string_equal(found, texts[i].tokens);
        assert_false(lexer.failed);
    }
}

static const struct {
    const char *text, *error;
} wrong[] = {
    {"a\n  \"b", "t.pkt:2:3: this string has no end (expected \")"},
    {"`b", "t.pkt:1:1: this has no end (expected `)"},
    {" %{ b }", "t.pkt:1:2: this has no end (expected }%)"},
    {"/* b", "t.pkt:1:1: this comment has no end (expected */)"},
    {"0x", "t.pkt:1:1: expected up to 15 hexadecimal digits after 0x"},
    {"0x1234567890abcdef", "t.pkt:1:1: expected up to 15 hexadecimal digits after 0x"},
    {"1234567890123456789", "t.pkt:1:1: a number has at most 18 digits"},
    {"99999999999.5", "t.pkt:1:1: a number with a fraction is at most 10000000"},
};

static void test_errors(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct lexer lexer = lexer_of(wrong[i].text);
        struct token token;
        char found[256];

        print_all(&lexer, found, sizeof(found));
        assert_true(lexer.failed);
        assert_string_equal(error_text, wrong[i].error);
        lex_next(&lexer, &token);
        assert_int_equal(token.kind, TOKEN_END);
    }
}

static void test_rewind_and_places(void **state)
{
    struct lexer lexer = lexer_of("ab\n  cd // note\n ef");
    struct token token;

    (void)state;
    lex_next(&lexer, &token);
    lex_next(&lexer, &token);
    assert_int_equal(token.where.line, 2);
    assert_int_equal(token.where.column, 3);
    lex_next(&lexer, &token);
    lex_rewind(&lexer, &token);
    assert_int_equal(lexer.at, 7); /* right behind cd: the comment belongs to nobody */
    lex_next(&lexer, &token);
    assert_string_equal(token.text, "ef");
    assert_int_equal(token.where.line, 3);
    assert_int_equal(token.where.column, 2);
}

static void test_raw(void **state)
{
    struct lexer lexer = lexer_of(" S.5 0a1b> \"\",");
    struct token token;

    (void)state;
    lex_raw(&lexer, "", &token);
    assert_string_equal(token.text, "S.5");
    lex_raw(&lexer, ",>", &token);
    assert_string_equal(token.text, "0a1b");
    lex_next(&lexer, &token);
    assert_int_equal(token.sign, '>');
    lex_raw(&lexer, ",>", &token);
    assert_string_equal(token.text, "\"\"");
}

static void test_defines(void **state)
{
    static const struct define defines[] = {
        {"N", "0x10"}, {"S", "\"text\""}, {"C", "`ls`"}, {"W", "word"}};
    struct lexer lexer = lexer_of("N S C W NN");
    char found[128];

    (void)state;
    lexer.defines = defines;
    lexer.define_count = 4;
    print_all(&lexer, found, sizeof(found));
    assert_string_equal(found, "n:16 \":text `:ls w:word w:NN");
}

static int done(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_rewind_and_places),
        cmocka_unit_test(test_raw),
        cmocka_unit_test(test_defines),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
