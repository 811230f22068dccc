/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_WHERE_H
#define LAB_NET_WHERE_H

/* Where in a JSON text a value stands. */

#include <stddef.h>

/* One step down: a member by its key, or (key NULL) an element by its index. */
struct where_step {
    const char *key;
    size_t index;
};

/* The line, from 1, of the value that `depth` steps lead to. `text` is valid JSON and ends with a
 * NUL. If a step leads nowhere it is the line of the value that lacks it. */
unsigned where_line(const char *text, const struct where_step *path, size_t depth);

/* The same for a text that lies in a file; 0 if that cannot be read. */
unsigned where_line_in_file(const char *name, const struct where_step *path, size_t depth);

#endif
