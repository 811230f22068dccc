/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_EVAL_H
#define LAB_DRILL_EVAL_H

/* What stands in %{ }%: asserts about numbers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum eval_verdict {
    EVAL_HOLDS,
    EVAL_FAILS,   /* an assert does not hold: `text` says which, with both sides and its message */
    EVAL_UNKNOWN, /* a name has no value: `text` is the name */
    EVAL_UNREAD,  /* not in our part of Python: `text` says where reading stopped */
};

#define EVAL_VARIABLES_MAX 32
#define EVAL_NAME 64

/* What the snippets of a script have assigned; zeroed to begin with. */
struct eval_variables {
    unsigned count;
    struct eval_variable {
        char name[EVAL_NAME];
        int64_t value;
    } variables[EVAL_VARIABLES_MAX];
};

/* Gives the value of a name; false if it has none. */
typedef bool eval_lookup_fn(void *context, const char *name, int64_t *value);

#define EVAL_TEXT 320

/* Runs the statements in `code`, in order, up to the first assert that does not hold. `variables`
 * keeps what is assigned, for the next snippet. `text` takes EVAL_TEXT bytes. */
enum eval_verdict eval_run(const char *code, eval_lookup_fn *lookup, void *context,
                           struct eval_variables *variables, char *text);

#endif
