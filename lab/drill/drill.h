/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_DRILL_H
#define LAB_DRILL_DRILL_H

/* Packet scripts run against a stack of our own in virtual time. */

#include <lab/drill/script.h>
#include <weir/settings.h>

enum drill_verdict {
    DRILL_PASSED,
    DRILL_FAILED,
    DRILL_SKIPPED, /* it needs something that weir or this interpreter does not have: `text` says what */
    DRILL_BROKEN, /* it cannot be read or parsed */
};

struct drill_options {
    enum weir_profile profile;
    uint64_t seed;
    bool lenient;       /* packets after the last outbound line are nobody's business */
    bool allow_shell;   /* commands that are not understood are handed to sh(1) */
    bool allow_code;    /* code that the evaluator cannot read is handed to python3 */
    unsigned steps_max; /* of the stack in one script, then it fails; 0: RUN_STEPS_MAX */
    const char *pcap;   /* folder for a capture of each script; NULL: none */
    const struct define *defines;
    size_t define_count;
};

struct drill_result {
    enum drill_verdict verdict;
    char *text;          /* why; several lines for a failure; NULL if passed. free() it */
    uint64_t trace_hash; /* of every packet with its time; equal for equal runs */
};

/* Runs one script. Any number of threads may do so at once. */
void drill_text(const char *path, const char *text, size_t length,
                const struct drill_options *options, struct drill_result *result);
void drill_file(const char *path, const struct drill_options *options, struct drill_result *result);

#endif
