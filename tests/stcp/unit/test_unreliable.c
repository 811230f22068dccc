/* SPDX-License-Identifier: MIT */

/* The unreliable mode: the pattern of the course's library, which is that of glibc's rand_r, and what
 * each of its four events does. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <stcp/unreliable.h>

/* Which of the first 120 segments, counted from 0, meet which event. */
static const struct {
    int index, event;
} pattern[] = {{10, 3}, {14, 1}, {17, 1}, {18, 0}, {24, 3},  {52, 1},  {70, 3}, {80, 2},
               {81, 3}, {86, 2}, {97, 2}, {98, 0}, {100, 0}, {107, 0}, {118, 0}};

#define EVENTS (sizeof(pattern) / sizeof(*pattern))

static void number(unsigned char *segment, int index)
{
    memset(segment, index, SEGMENT_MIN + (size_t)index);
}

static void the_pattern(void **state)
{
    struct unreliable unreliable = {.seed = UNRELIABLE_SEED};
    unsigned char own[SEGMENT_MAX];
    size_t at = 0;
    int i, kept = -1;

    (void)state;
    for (i = 0; i < 120; i++) {
        const unsigned char *segment = own;
        size_t length = SEGMENT_MIN + (size_t)i;
        int event = at < EVENTS && pattern[at].index == i ? pattern[at++].event : -1, times;
        int expected = event == 3 && kept >= 0 ? kept : i;

        number(own, i);
        times = unreliable_pass(&unreliable, &segment, &length);
        assert_int_equal(times, event == 0 || event == 2 ? 0 : event == 1 ? 2 : 1);
        if (times > 0) {
            assert_int_equal(segment[0], expected);
            assert_int_equal(length, SEGMENT_MIN + (size_t)expected);
        }
        if (event == 2)
            kept = i;
    }
    assert_int_equal(at, EVENTS);
    assert_int_equal(kept, 97);
}

/* Each socket begins anew. */
static void the_same_again(void **state)
{
    (void)state;
    the_pattern(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pattern),
        cmocka_unit_test(the_same_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
