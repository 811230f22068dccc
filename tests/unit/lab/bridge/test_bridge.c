/* SPDX-License-Identifier: MIT */

/* packetdrill with the adapter and weir drill say the same of every script of tests/script.
 *
 * Each script is run twice by the same executor: as it is, and across the bridge (bridge.h), where the
 * stack is the adapter's and everything goes through its table, by the threads, the clock and the
 * waits that packetdrill has. Parser, comparison and tolerances are the same, so a verdict that
 * differs is the adapter's doing. Not to be had by the table are packets without an IPv4 header, and a
 * first packet for somebody else; such scripts, and those of `exact`, are counted. */

#include "bridge.h"

#include <ftw.h>
#include <lab/drill/drill.h>

#define COMPARED_MIN 500 /* or the corpus was not found */

/* Each look at the clock takes a microsecond of virtual time, and here a microsecond counts: round trips
 * and the clock of initial sequence numbers are asserted exactly, or a call is made at the very end of a
 * time. With packetdrill such scripts pass nowhere. */
static const char *const exact[] = {
    "handshake/isn-clock",
    "linux-give-up/retries2",
    "linux-info/times",
    "linux-segments/runs",
    "retransmission/timeout",
    "rto/first-sample",
    "rto/karn",
    "rto/karn-mixed",
    "rto/sample-each-round-trip",
    "rto/second-sample",
    "syn-received/old-duplicate-syn",
    "time-wait/reopened",
    "time-wait/syn-new",
    "wrap/time-wait",
};

static struct {
    enum weir_profile profile;
    unsigned compared, unsuited, skipped, different;
} counts;

static bool is_exact(const char *path)
{
    char end[100];
    size_t i, length;

    for (i = 0; i < sizeof(exact) / sizeof(exact[0]); i++) {
        length = (size_t)snprintf(end, sizeof(end), "/%s.pkt", exact[i]);
        if (!strcmp(path + strlen(path) - length, end))
            return true;
    }
    return false;
}

static void compare(const char *path)
{
    struct drill_options options = {.profile = counts.profile, .seed = 1};
    struct drill_result alone, across;

    bridge.is_on = false;
    drill_file(path, &options, &alone);
    bridge.is_on = true;
    drill_file(path, &options, &across);
    if (alone.verdict == DRILL_SKIPPED && across.verdict == DRILL_SKIPPED) {
        counts.skipped++;
    } else if (bridge.is_unsuited || is_exact(path)) {
        counts.unsuited++;
    } else if (alone.verdict != across.verdict) {
        counts.different++;
        print_error("%s: %d alone, %d across the bridge\n%s%s\n", path, alone.verdict,
                    across.verdict, alone.text ? alone.text : "", across.text ? across.text : "");
    }
    counts.compared++;
    free(alone.text);
    free(across.text);
}

static int visit(const char *path, const struct stat *info, int type, struct FTW *at)
{
    size_t length = strlen(path);

    (void)info;
    (void)at;
    if (type == FTW_F && length > 4 && !strcmp(path + length - 4, ".pkt"))
        compare(path);
    return 0;
}

static void compare_all(enum weir_profile profile)
{
    memset(&counts, 0, sizeof(counts));
    counts.profile = profile;
    assert_int_equal(nftw(WEIR_SOURCE_DIR "/tests/script", visit, 16, FTW_PHYS), 0);
    print_message("%u scripts: %u skipped by both, %u unsuited, %u different\n", counts.compared,
                  counts.skipped, counts.unsuited, counts.different);
    assert_in_range(counts.compared, COMPARED_MIN, 100000);
    assert_in_range(counts.unsuited, 0, counts.compared / 10);
    assert_int_equal(counts.different, 0);
}

static void profile_default(void **state)
{
    (void)state;
    compare_all(WEIR_PROFILE_DEFAULT);
}

/* Many scripts fail in this profile: so must they across the bridge. */
static void profile_linux(void **state)
{
    (void)state;
    compare_all(WEIR_PROFILE_LINUX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profile_default),
        cmocka_unit_test(profile_linux),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
