/* SPDX-License-Identifier: MIT */

/* Scripts without measure: each ends with a verdict, in bounded time and memory. The test's own limit
 * of time is the check that none goes on for ever; rows say what stops them. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/drill.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN                                      \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" \
    "+0 bind(3, ..., ...) = 0\n"                    \
    "+0 listen(3, 1) = 0\n"
#define OPEN                               \
    LISTEN                                 \
    "+0 < S 0:0(0) win 32792 <mss 1000>\n" \
    "+0 > S. 0:0(0) ack 1 <mss 1460>\n"    \
    "+0.1 < . 1:1(0) ack 1 win 32792\n"    \
    "+0 accept(3, ..., ...) = 4\n"
#define KEEP                                                   \
    "+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0\n" \
    "+0 setsockopt(4, SOL_TCP, TCP_KEEPIDLE, [1], 4) = 0\n"    \
    "+0 setsockopt(4, SOL_TCP, TCP_KEEPINTVL, [1], 4) = 0\n"   \
    "+0 setsockopt(4, SOL_TCP, TCP_KEEPCNT, [127], 4) = 0\n"
#define BIG "9999999999999999"

/* `body` stands `count` times between head and tail. */
static const struct {
    enum drill_verdict verdict;
    const char *head, *body, *tail, *said;
    size_t count;
} rows[] = {
    /* Much time. */
    {DRILL_FAILED, OPEN KEEP, "", "+9999999 close(4) = 0\n", "no line expected", 1},
    {DRILL_FAILED, OPEN KEEP, "", "* > R 1:1(0)\n", "differs", 1},
    {DRILL_FAILED, OPEN "+0 < . 1:1(0) ack 1 win 0\n+0 write(4, ..., 9) = 9\n", "",
     "+9999999 close(4) = 0\n", "no line expected", 1},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n", "",
     "+9999999 close(4) = -1\n", "", 1},
    {DRILL_FAILED, OPEN, "", "+0...9999999 read(4, ..., 5) = 5\n", "has not returned", 1},
    {DRILL_FAILED, OPEN, "+9999999 close(9) = -1\n", "* > . 1:1(0)\n", "s have passed", 9000},
    {DRILL_BROKEN, "0 close(3) = 0\n+", "9", " close(3) = 0", "at most", 1000},
    /* Much of everything. */
    {DRILL_PASSED, OPEN, "+0 < . 1:1(0) ack 1 win 32792\n", "", NULL, 99000},
    {DRILL_PASSED, LISTEN, "+0 < [sum bad] S 0:0(0) win 9 <mss 9>\n", "", NULL, 99000},
    {DRILL_BROKEN, OPEN, "+0 close(9) = -1\n", "", "at most 100000 events", 100000},
    {DRILL_FAILED, LISTEN "+0 < 9 > 9 S 0:0(0) win 9\n", "+0 < 9 > 9 S 0:0(0) win 9\n", "",
     "no line expected", 90000},
    {DRILL_PASSED, "0 < [frag 8:16+] udp (100)\n", "+0.001 < [id 3, frag 16:24+] udp (100)\n", "",
     NULL, 90000},
    {DRILL_BROKEN, "", "--define=A=1\n", "0 close(3) = -1", "at most 256 definitions", 300000},
    {DRILL_BROKEN, "0 < S 0:0(0) win 9 <dss ", "[", "nop>", "", 1000000},
    {DRILL_FAILED, "0 close(3) = -1\n+0 %{ assert ", "not ", "0 }%", "not not", 1000000},
    {DRILL_BROKEN, "0 f(", "[", ")", "nested at most 32 deep", 1000000},
    {DRILL_BROKEN, "0 f(", "{a=", ")", "nested at most 32 deep", 1000000},
    {DRILL_BROKEN, "0 f(", "g(", ")", "nested at most 32 deep", 1000000},
    {DRILL_BROKEN, "0 f(", "\"a\" ", ") = 0", "too much memory", 1000000},
    {DRILL_BROKEN, "0 < raw ", "\"00\" ", "", "", 1000000},
    {DRILL_BROKEN, "0 < S 0:0(0) win 9 <", "nop,", "nop>", "at most 40 options", 1000000},
    {DRILL_FAILED, "0 < S 0:0(0) win 9 <", "nop,", "nop>", "no multiple of four", 32},
    {DRILL_FAILED, "0 < . 0:65535(65535) win 9", "", "", "longer than 65535", 1},
    {DRILL_PASSED, "0 close(3) = -1\n+0 %{ assert ", "1 + ", "1 }%", NULL, 1000000},
    {DRILL_SKIPPED, "0 close(3) = -1\n+0 %{ assert ", "(", "1 }%", "nested", 1000000},
    {DRILL_BROKEN, "", "// nothing at all, but long\n", "0 close(3) = 0", "at most 16777216 bytes",
     700000},
    {DRILL_BROKEN, "/*", "a", "", "no end", 1000000},
    {DRILL_BROKEN, "0 `", "a", "", "no end", 1000000},
    {DRILL_FAILED, OPEN "+0 write(4, ..., " BIG ") = 1", "", "", "0..67108864 bytes", 1},
    {DRILL_FAILED, OPEN "+0 read(4, ..., " BIG ") = 1", "", "", "0..67108864 bytes", 1},
};

static char *build(size_t i, size_t *length)
{
    size_t head = strlen(rows[i].head), body = strlen(rows[i].body), tail = strlen(rows[i].tail), k;
    char *text = malloc(head + body * rows[i].count + tail + 1), *at = text;

    assert_non_null(text);
    memcpy(at, rows[i].head, head);
    at += head;
    for (k = 0; k < rows[i].count; k++, at += body)
        memcpy(at, rows[i].body, body);
    memcpy(at, rows[i].tail, tail + 1);
    *length = (size_t)(at - text) + tail;
    return text;
}

static void test_rows(void **state)
{
    size_t i, length;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct drill_options options = {.profile = WEIR_PROFILE_DEFAULT};
        struct drill_result result;
        char *text = build(i, &length);

        drill_text("t", text, length, &options, &result);
        if (result.verdict != rows[i].verdict ||
            (rows[i].said && (!result.text || !strstr(result.text, rows[i].said))))
            print_error("row %zu: %.2000s\n", i, result.text ? result.text : "");
        assert_int_equal(result.verdict, rows[i].verdict);
        assert_true(!rows[i].said || (result.text && strstr(result.text, rows[i].said)));
        assert_true(!result.text || strlen(result.text) < 200000);
        free(result.text);
        free(text);
    }
}

/* The caller's own bound on the stack's steps. */
static void test_steps(void **state)
{
    static const char script[] = OPEN KEEP "+100 close(4) = 0\n";
    struct drill_options options = {.profile = WEIR_PROFILE_DEFAULT, .steps_max = 50};
    struct drill_result result;

    (void)state;
    drill_text("t", script, sizeof(script) - 1, &options, &result);
    assert_int_equal(result.verdict, DRILL_FAILED);
    assert_non_null(strstr(result.text, "more than 50 steps"));
    free(result.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_steps)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
