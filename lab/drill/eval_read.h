/* SPDX-License-Identifier: MIT */
#ifndef LAB_DRILL_EVAL_READ_H
#define LAB_DRILL_EVAL_READ_H

/* What the two files of the evaluator share. */

#include <lab/drill/eval.h>

struct reader {
    const char *at;
    eval_lookup_fn *lookup;
    void *context;
    struct eval_variables *variables;
    enum eval_verdict verdict; /* HOLDS while all is well */
    char *text;
    unsigned depth;
    int64_t left, right; /* of the last comparison */
    bool compared;
};

/* Ends the reading; the first verdict counts. */
void eval_stop(struct reader *reader, enum eval_verdict verdict, const char *text, size_t length);

/* "what stands here cannot be read". */
void eval_unread(struct reader *reader);

/* Blanks, comments, joined lines, and inside parentheses the ends of lines. */
void eval_skip_blanks(struct reader *reader);

/* Takes `sign` if it comes next; a word must end there. */
bool eval_accept(struct reader *reader, const char *sign);

/* The bytes of the name that comes next; 0: none does. */
size_t eval_name_length(const char *text);

/* An expression; eval_value.c. */
int64_t eval_value(struct reader *reader);

#endif
