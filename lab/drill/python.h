/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_PYTHON_H
#define LAB_DRILL_PYTHON_H

/* The snippets of a script as one file for python3. */

#include <lab/drill/eval.h>
#include <stdio.h>

/* Writes the values that `lookup` gives for the names of tcp_info and its constants as assignments,
 * then the snippet, from line `line` of the script, with the indentation it has in common removed. */
void python_write(FILE *file, unsigned line, const char *code, eval_lookup_fn *lookup,
                  void *context);

#define PYTHON_SAID 2000

/* Runs the file in a python3 and waits for it, at most `timeout_ms` milliseconds, then kills it.
 * Returns its exit status (0: all held); -1: it could not be run, or was killed. What it wrote to
 * stderr, or what went wrong, stands in `said` (PYTHON_SAID bytes, the last ones). */
int python_run(const char *text, size_t length, int timeout_ms, char *said);

#endif
