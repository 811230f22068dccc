/* SPDX-License-Identifier: MIT */

/* The lines of weir perf's control connection: what is one, what is none, and that each is read back
 * as it was printed; shares of the streams; lines in pieces. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/random.h>
#include <lab/perf/perf.h>
#include <string.h>
#include <weir/error.h>

static void test_modes(void **state)
{
    enum perf_mode mode = PERF_CONNECT;

    (void)state;
    for (unsigned index = 0; index < PERF_MODE_COUNT; index++) {
        assert_int_equal(perf_mode_parse(perf_mode_name((enum perf_mode)index), &mode), 0);
        assert_int_equal(mode, index);
    }
    mode = PERF_BIDIR;
    assert_int_equal(perf_mode_parse("Bulk", &mode), WEIR_EINVAL);
    assert_int_equal(perf_mode_parse("", &mode), WEIR_EINVAL);
    assert_int_equal(mode, PERF_BIDIR);
}

static void test_valid_plans(void **state)
{
    static const struct {
        struct perf_plan plan;
        bool is_valid;
    } cases[] = {
        {{PERF_BULK, 1, 64, WEIR_SECOND, 0}, true},
        {{PERF_BULK, 1, 64, 0, 1}, true},
        {{PERF_BULK, 1, 64, 0, 0}, false},           /* without an end */
        {{PERF_BULK, 1, 64, WEIR_SECOND, 1}, false}, /* with two */
        {{PERF_BULK, 0, 64, WEIR_SECOND, 0}, false},
        {{PERF_BULK, 128, 64, WEIR_SECOND, 0}, true},
        {{PERF_BULK, 129, 64, WEIR_SECOND, 0}, false},
        {{PERF_PING_PONG, 1, 0, WEIR_SECOND, 0}, false},
        {{PERF_PING_PONG, 1, 65536, WEIR_SECOND, 0}, true},
        {{PERF_PING_PONG, 1, 65537, WEIR_SECOND, 0}, false},
        {{PERF_BULK, 1, 64, 1, 0}, false}, /* less than a millisecond */
        {{PERF_BULK, 1, 64, -WEIR_SECOND, 0}, false},
        {{PERF_BULK, 1, 64, 86400 * WEIR_SECOND, 0}, true},
        {{PERF_BULK, 1, 64, 86401 * WEIR_SECOND, 0}, false},
        {{PERF_CONNECT, 1, 64, WEIR_SECOND, 0}, true},
        {{PERF_CONNECT, 1, 64, 0, 1}, false},
        {{PERF_MODE_COUNT, 1, 64, WEIR_SECOND, 0}, false},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_int_equal(perf_plan_is_valid(&cases[index].plan), cases[index].is_valid);
}

/* Who sends how much: the shares of each direction make the whole, and differ by one at most. */
static void test_budgets(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < PERF_CONNECT; mode++) {
        for (unsigned parallel = 1; parallel <= 7; parallel++) {
            struct perf_plan plan = {(enum perf_mode)mode, parallel, 64, 0, 1000};
            uint64_t sums[2] = {0, 0};

            for (unsigned index = 0; index < perf_plan_streams(&plan); index++) {
                for (unsigned end = 0; end < 2; end++) {
                    uint64_t share = perf_plan_budget(&plan, index, end == 1);

                    sums[end] += share;
                    assert_true(share == 0 || share == 1000 / parallel ||
                                share == 1000 / parallel + 1);
                }
            }
            assert_int_equal(sums[1], mode == PERF_REVERSE ? 0 : 1000);
            assert_int_equal(sums[0], mode == PERF_REVERSE || mode == PERF_BIDIR ? 1000 : 0);
            plan.bytes = 0;
            plan.duration = WEIR_SECOND;
            assert_true(perf_plan_budget(&plan, 0, mode != PERF_REVERSE) == UINT64_MAX);
        }
    }
}

static void test_streams(void **state)
{
    struct perf_plan plan = {PERF_BULK, 3, 64, WEIR_SECOND, 0};

    (void)state;
    assert_int_equal(perf_plan_streams(&plan), 3);
    plan.mode = PERF_BIDIR;
    assert_int_equal(perf_plan_streams(&plan), 6);
    plan.mode = PERF_CONNECT;
    assert_int_equal(perf_plan_streams(&plan), 0);
}

static void check_same(const struct perf_line *line)
{
    struct perf_line back;
    char text[PERF_LINE];
    size_t length = perf_line_print(line, text);

    assert_true(length < PERF_LINE);
    assert_int_equal(strlen(text), length);
    assert_int_equal(text[length - 1], '\n');
    assert_int_equal(perf_line_parse(text, length - 1, &back), 0);
    assert_int_equal(back.word, line->word);
    assert_int_equal(back.plan.mode, line->plan.mode);
    assert_int_equal(back.plan.parallel, line->plan.parallel);
    assert_int_equal(back.plan.size, line->plan.size);
    assert_true(back.plan.duration == line->plan.duration && back.plan.bytes == line->plan.bytes);
    assert_true(back.id == line->id && back.index == line->index);
    assert_true(back.tally.time == line->tally.time && back.tally.sent == line->tally.sent &&
                back.tally.received == line->tally.received &&
                back.tally.retransmissions == line->tally.retransmissions &&
                back.tally.operations == line->tally.operations &&
                back.tally.rtt == line->tally.rtt);
    assert_string_equal(back.why, line->why);
}

static void test_printed_lines_are_read_back(void **state)
{
    static const struct perf_line lines[] = {
        {.word = PERF_HELLO, .plan = {PERF_PING_PONG, 128, 65536, 86400 * WEIR_SECOND, 0}},
        {.word = PERF_HELLO, .plan = {PERF_BULK, 1, 1, 0, INT64_MAX}},
        {.word = PERF_GO, .id = 1},
        {.word = PERF_GO, .id = UINT64_MAX},
        {.word = PERF_NO, .why = "busy with another test"},
        {.word = PERF_JOIN, .id = 0x123456789abcdef0, .index = 255},
        {.word = PERF_START},
        {.word = PERF_STOP},
        {.word = PERF_DONE,
         .tally = {INT64_MAX / 1000000 * 1000, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
                   INT64_MAX}},
        {.word = PERF_DONE},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(lines) / sizeof(lines[0]); index++)
        check_same(&lines[index]);
}

static void test_what_is_no_line(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "start ",
        " start",
        "start now",
        "starts",
        "star",
        "go",
        "go ",
        "go x",
        "go 1 ",
        "go 1 2",
        "go 10000000000000000", /* 17 digits */
        "go A",                 /* capitals */
        "go -1",
        "go +1",
        "no",
        "no ",
        "join 1",
        "join 1 256",
        "join 1 1 1",
        "join  1 1",
        "weir-perf 1 bulk 1 64 1000",
        "weir-perf 1 bulk 1 64 1000 0 0",
        "weir-perf 2 bulk 1 64 1000 0",
        "weir-perf 0 bulk 1 64 1000 0",
        "weir-perf 1 bulks 1 64 1000 0",
        "weir-perf 1 bulkbulkbulkbulkbulk 1 64 1000 0",
        "weir-perf 1 bulk 0 64 1000 0",
        "weir-perf 1 bulk 129 64 1000 0",
        "weir-perf 1 bulk 1 0 1000 0",
        "weir-perf 1 bulk 1 65537 1000 0",
        "weir-perf 1 bulk 1 64 0 0",
        "weir-perf 1 bulk 1 64 1 1",
        "weir-perf 1 bulk 1 64 86400001 0",
        "weir-perf 1 bulk 1 64 0 9223372036854775808",
        "weir-perf 1 bulk 1 64 0 18446744073709551616",
        "weir-perf 1 bulk 1 64 0 99999999999999999999999999",
        "weir-perf 1 connect 1 64 0 5",
        "weir-perf 1 bulk 1e1 64 1000 0",
        "weir-perf 1 bulk 1 64 1000 0\r",
        "done 1 2 3 4 5",
        "done 1 2 3 4 5 6 7",
        "done 9223372036854776 0 0 0 0 0", /* more time than there is */
        "DONE 1 2 3 4 5 6",
    };
    struct perf_line line;

    (void)state;
    for (size_t index = 0; index < sizeof(texts) / sizeof(texts[0]); index++) {
        if (perf_line_parse(texts[index], strlen(texts[index]), &line) == 0)
            fail_msg("\"%s\" is a line", texts[index]);
    }
    assert_int_equal(perf_line_parse("go 1\0", 5, &line), WEIR_EINVAL);
}

/* What a server says goes to a terminal: nothing but printable ASCII, and not too much of it. */
static void test_reasons_are_harmless(void **state)
{
    char text[600] = "no ";
    struct perf_line line;

    (void)state;
    assert_int_equal(perf_line_parse("no \033[2J\x80 \"x\"", 12, &line), 0);
    assert_string_equal(line.why, "?[2J? \"x\"");
    memset(text + 3, 'y', sizeof(text) - 3);
    assert_int_equal(perf_line_parse(text, sizeof(text), &line), 0);
    assert_int_equal(strlen(line.why), PERF_WHY - 1);
}

/* Bytes at random, and lines with a byte changed, are lines or none, and never anything worse. */
static void test_noise(void **state)
{
    const struct perf_line good = {.word = PERF_HELLO,
                                   .plan = {PERF_BIDIR, 12, 64, 12 * WEIR_SECOND, 0}};
    struct perf_line line;
    struct random random;
    char text[PERF_LINE];
    unsigned taken = 0;

    (void)state;
    print_message("seed 77\n");
    random_init_u64(&random, 77, 0);
    for (int round = 0; round < 200000; round++) {
        size_t length = perf_line_print(&good, text) - 1;

        text[random_below(&random, (uint32_t)length)] = (char)random_u32(&random);
        if (round % 4 == 0)
            length = random_below(&random, (uint32_t)length + 1);
        if (perf_line_parse(text, length, &line) == 0) {
            taken++;
            assert_true(line.word != PERF_HELLO || perf_plan_is_valid(&line.plan));
        }
    }
    assert_true(taken > 0 && taken < 100000);
}

static int feed(struct perf_reader *reader, const char *text)
{
    char *at;
    size_t length = strlen(text), room = perf_reader_room(reader, &at);

    assert_true(length <= room);
    memcpy(at, text, length);
    reader->length += length;
    return 0;
}

static void test_reader(void **state)
{
    static const char both[] = "go 12\nstart\n";
    struct perf_reader reader = {.length = 0};
    struct perf_line line;
    char *at;

    (void)state;
    assert_int_equal(perf_reader_take(&reader, &line), 0);
    for (const char *byte = both; *byte; byte++) {
        char one[2] = {*byte, '\0'};

        feed(&reader, one);
        assert_int_equal(perf_reader_take(&reader, &line), *byte == '\n');
    }
    assert_int_equal(line.word, PERF_START);
    feed(&reader, "go 12\nstart\nsto");
    assert_int_equal(perf_reader_take(&reader, &line), 1);
    assert_int_equal(line.id, 0x12);
    assert_int_equal(perf_reader_take(&reader, &line), 1);
    assert_int_equal(line.word, PERF_START);
    assert_int_equal(perf_reader_take(&reader, &line), 0);
    feed(&reader, "p\n");
    assert_int_equal(perf_reader_take(&reader, &line), 1);
    assert_int_equal(line.word, PERF_STOP);
    feed(&reader, "nonsense\n");
    assert_int_equal(perf_reader_take(&reader, &line), WEIR_EINVAL);
    while (perf_reader_room(&reader, &at) > 0) {
        assert_int_equal(perf_reader_take(&reader, &line), 0);
        feed(&reader, "x");
    }
    assert_int_equal(perf_reader_take(&reader, &line), WEIR_EINVAL); /* too long */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_valid_plans),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_printed_lines_are_read_back),
        cmocka_unit_test(test_what_is_no_line),
        cmocka_unit_test(test_reasons_are_harmless),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
