/* SPDX-License-Identifier: MIT */

/* Packet scripts: parsed, and run against a stack.
 *
 * The input is a script. Whatever it is, it must end with a verdict and a text that says why, within
 * bounds; and the same once more, with the same verdict, text and packets, since a script whose
 * outcome changed from run to run would prove nothing. Shell and python3 stay shut. */

#include "fuzz.h"
#include <lab/drill/drill.h>

#define SCRIPT_MAX 8192u
#define STEPS_MAX 20000u

static void run(const char *text, size_t size, struct drill_result *result)
{
    struct drill_options options = {.profile = WEIR_PROFILE_LINUX, .steps_max = STEPS_MAX};

    drill_text("script", text, size, &options, result);
    FUZZ_CHECK(result->verdict == DRILL_PASSED || result->verdict == DRILL_FAILED ||
                   result->verdict == DRILL_SKIPPED || result->verdict == DRILL_BROKEN,
               "%d", (int)result->verdict);
    FUZZ_CHECK(result->verdict == DRILL_PASSED || (result->text && *result->text), "no reason");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct drill_result first, again;
    char *text;

    if (size == 0 || size > SCRIPT_MAX)
        return 0;
    text = (char *)exact_copy(data, size);
    run(text, size, &first);
    run(text, size, &again);
    FUZZ_CHECK(first.verdict == again.verdict, "%d, then %d", (int)first.verdict,
               (int)again.verdict);
    FUZZ_CHECK(first.trace_hash == again.trace_hash, "other packets");
    FUZZ_CHECK(!strcmp(first.text ? first.text : "", again.text ? again.text : ""), "%s",
               first.text);
    free(first.text);
    free(again.text);
    free(text);
    return 0;
}
