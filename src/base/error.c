/* SPDX-License-Identifier: MIT */

/* Texts and names of the errors.
 *
 * Both are switches made from WEIR_ERRORS, the one list of <weir/error.h>: an error that is added
 * there has its number, name and text at once, and two errors with the same number do not compile.
 * The numbers are sparse (they are those of Linux), which is why these are switches and not arrays;
 * the compiler makes a table of them.
 *
 * Both answer for any int whatsoever: 0 reads "success", since callers print the result of a call
 * without looking first, and what is not ours, a positive count or a stranger's errno, reads
 * "unknown error". The strings are constants: nobody frees them, any thread may ask. */

#include <weir/error.h>

const char *weir_strerror(int error)
{
    switch (error) {
#define X(name, number, text) \
    case WEIR_E##name:        \
        return text;
        WEIR_ERRORS(X)
#undef X
    case 0:
        return "success";
    default:
        return "unknown error";
    }
}

const char *weir_error_name(int error)
{
    switch (error) {
#define X(name, number, text) \
    case WEIR_E##name:        \
        return "WEIR_E" #name;
        WEIR_ERRORS(X)
#undef X
    case 0:
        return "0";
    default:
        return "unknown error";
    }
}
