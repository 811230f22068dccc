/* SPDX-License-Identifier: MIT */

/* The registry of congestion controls: rows of the list in cc.h, found by name. */

#include <assert.h>
#include <string.h>
#include <tcp/cc.h>

static const struct weir_cc_ops *const all[] = {
#define X(symbol) &symbol,
    TCP_CCS(X)
#undef X
};

const struct weir_cc_ops *cc_at(unsigned index)
{
    return index < sizeof(all) / sizeof(all[0]) ? all[index] : NULL;
}

uint8_t cc_row_of(const struct weir_cc_ops *ops)
{
    uint8_t i;

    for (i = 0; cc_at(i) != ops; i++)
        assert(cc_at(i));
    return i;
}

const struct weir_cc_ops *cc_find(const char *name)
{
    unsigned i;

    for (i = 0; cc_at(i); i++) {
        if (!strcmp(cc_at(i)->name, name))
            return cc_at(i);
    }
    return NULL;
}
