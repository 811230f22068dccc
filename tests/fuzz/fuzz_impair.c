/* SPDX-License-Identifier: MIT */

/* Values of an impaired link as text: each line of the input is one "key=value".
 *
 * A line that is taken leaves values that a link accepts; one that is refused changes nothing.
 */

#include "fuzz.h"
#include <link/impair.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_impair impair, before;
    char *text = malloc(size + 1);
    char *line, *next;

    memcpy(text, data, size);
    text[size] = '\0';
    memset(&impair, 0, sizeof impair);
    for (line = text; line; line = next) {
        char *exact;

        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        exact = (char *)exact_copy(line, strlen(line) + 1);
        before = impair;
        if (weir_impair_parse(&impair, exact) == 0)
            FUZZ_CHECK(impair_is_valid(&impair), "\"%s\" is out of range", exact);
        else
            FUZZ_CHECK(memcmp((const char *)&before, (const char *)&impair, sizeof impair) == 0,
                       "\"%s\" left traces", exact);
        free(exact);
    }
    free(text);
    return 0;
}
