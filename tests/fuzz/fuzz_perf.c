/* SPDX-License-Identifier: MIT */

/* Lines of weir perf's control connection, as a server gets them from anybody.
 *
 * What is taken is within the limits, and printed it reads back as the same line; a reader gives the
 * same lines whatever the pieces in which the bytes come.
 */

#include "fuzz.h"
#include <lab/perf/perf.h>

static void check_line(const struct perf_line *line)
{
    struct perf_line back;
    char text[PERF_LINE], again[PERF_LINE];
    size_t length = perf_line_print(line, text);

    FUZZ_CHECK(length < PERF_LINE, "%zu bytes", length);
    FUZZ_CHECK(line->word != PERF_HELLO || perf_plan_is_valid(&line->plan), "%s", text);
    FUZZ_CHECK(perf_line_parse(text, length - 1, &back) == 0, "%s is no line", text);
    FUZZ_CHECK(perf_line_print(&back, again) == length && strcmp(text, again) == 0, "%s%s", text,
               again);
}

/* Feeds the bytes `step` at a time. Returns how many lines came before the end, or nonsense. */
static unsigned count_lines(const uint8_t *data, size_t size, size_t step)
{
    struct perf_reader reader = {.length = 0};
    struct perf_line line;
    unsigned lines = 0;
    size_t done = 0;

    for (;;) {
        int taken = perf_reader_take(&reader, &line);
        char *at;
        size_t room, piece;

        if (taken < 0)
            return lines;
        if (taken > 0) {
            check_line(&line);
            lines++;
            continue;
        }
        room = perf_reader_room(&reader, &at);
        piece = step < room ? step : room;
        piece = piece < size - done ? piece : size - done;
        if (piece == 0)
            return lines;
        memcpy(at, data + done, piece);
        reader.length += piece;
        done += piece;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = exact_copy(data, size);
    unsigned lines = count_lines(exact, size, 1000);
    struct perf_line line;

    FUZZ_CHECK(count_lines(exact, size, 1) == lines, "%u lines", lines);
    FUZZ_CHECK(count_lines(exact, size, 7) == lines, "%u lines", lines);
    if (perf_line_parse((const char *)exact, size, &line) == 0)
        check_line(&line);
    free(exact);
    return 0;
}
