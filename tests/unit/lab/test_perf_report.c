/* SPDX-License-Identifier: MIT */

/* What weir perf prints, to the letter. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lab/perf/perf.h>
#include <stdlib.h>
#include <string.h>

static const struct perf_row out_row = {.from = WEIR_SECOND,
                                        .to = 3 * WEIR_SECOND,
                                        .direction = "out",
                                        .bytes = 1000000000,
                                        .retransmissions = 12,
                                        .rtt = 250 * WEIR_US};
static const struct perf_row in_row = {.to = 500 * WEIR_MS, .direction = "in", .bytes = 62500000};

/* All that a test with two rows prints. */
static char *printed(bool is_json, const struct perf_plan *plan, const struct perf_result *result)
{
    struct weir_endpoint peer = {.port = 5201};
    struct perf_report report = {.is_json = is_json};
    char *text = NULL;
    size_t length;

    assert_int_equal(weir_addr_parse("10.1.0.2", &peer.addr), 0);
    report.out = open_memstream(&text, &length);
    assert_non_null(report.out);
    perf_report_begin(&report, plan, &peer, "brown");
    perf_report_row(&report, &out_row);
    perf_report_row(&report, &in_row);
    perf_report_end(&report, plan, result);
    fclose(report.out);
    return text;
}

static void test_table(void **state)
{
    const struct perf_plan plan = {PERF_BIDIR, 2, 64, 3500 * WEIR_MS, 0};
    const struct perf_result result = {.ended = "time", .rows = {out_row}, .row_count = 1};
    char *text = printed(false, &plan, &result);

    (void)state;
    assert_string_equal(text,
                        "10.1.0.2 port 5201: bidir, 2 streams each way, 3.5 s, profile brown\n"
                        "   from s      to s  dir          bytes    Gbit/s   retr    rtt ms\n"
                        "    1.000     3.000  out     1000000000     4.000     12     0.250\n"
                        "    0.000     0.500  in        62500000     1.000\n"
                        "in all\n"
                        "    1.000     3.000  out     1000000000     4.000     12     0.250\n");
    free(text);
}

static void test_latency_table(void **state)
{
    const struct perf_plan plan = {PERF_PING_PONG, 1, 1024, 0, 4096};
    static struct perf_histogram latency;
    const struct perf_result result = {
        .ended = "bytes", .latency = &latency, .time = 2 * WEIR_SECOND};
    char *text;

    (void)state;
    memset(&latency, 0, sizeof(latency));
    for (int index = 0; index < 4; index++)
        perf_histogram_add(&latency, 500 * WEIR_MS);
    text = printed(false, &plan, &result);
    assert_non_null(
        strstr(text, "10.1.0.2 port 5201: ping-pong, 1 stream, 1024 bytes, 4096 bytes in all"));
    assert_non_null(strstr(text, "4 round trips in 2.000 s, 2.0 a second\n"
                                 "ms: least 500.000, mean 500.000, p50 500.000, p99 500.000, "
                                 "most 500.000\n"));
    free(text);
}

static void test_json(void **state)
{
    const struct perf_plan plan = {PERF_BULK, 1, 64, WEIR_SECOND, 0};
    static struct perf_histogram latency;
    const struct perf_result result = {.ended = "error",
                                       .error = "a \"bad\" \\ \nend",
                                       .rows = {in_row, out_row},
                                       .row_count = 2,
                                       .latency = &latency,
                                       .time = WEIR_SECOND};
    char *text = printed(true, &plan, &result);

    (void)state;
    assert_string_equal(
        text,
        "{\"peer\": \"10.1.0.2\", \"port\": 5201, \"mode\": \"bulk\", \"parallel\": 1, \"size\": 64, "
        "\"duration\": 1, \"bytes\": 0, \"profile\": \"brown\", \"intervals\": ["
        "{\"from\": 1.000000, \"to\": 3.000000, \"direction\": \"out\", \"bytes\": 1000000000, "
        "\"bits_per_second\": 4000000000, \"retransmissions\": 12, \"rtt\": 0.000250000}, "
        "{\"from\": 0.000000, \"to\": 0.500000, \"direction\": \"in\", \"bytes\": 62500000, "
        "\"bits_per_second\": 1000000000, \"retransmissions\": 0, \"rtt\": 0.000000000}"
        "], \"ended\": \"error\", \"seconds\": 1.000000, "
        "\"error\": \"a \\\"bad\\\" \\\\ ?end\", \"totals\": ["
        "{\"from\": 0.000000, \"to\": 0.500000, \"direction\": \"in\", \"bytes\": 62500000, "
        "\"bits_per_second\": 1000000000, \"retransmissions\": 0, \"rtt\": 0.000000000}, "
        "{\"from\": 1.000000, \"to\": 3.000000, \"direction\": \"out\", \"bytes\": 1000000000, "
        "\"bits_per_second\": 4000000000, \"retransmissions\": 12, \"rtt\": 0.000250000}], "
        "\"operations\": 0, \"per_second\": 0.000, \"latency\": {\"min\": 0.000000000, "
        "\"mean\": 0.000000000, \"p50\": 0.000000000, \"p99\": 0.000000000, "
        "\"max\": 0.000000000}}\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_latency_table),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
