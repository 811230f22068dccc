/* SPDX-License-Identifier: MIT */

/* Names and meanings of drops and of reasons to send or not to send.
 *
 * Both enums are made from X-macros in <weir/drop.h>, and so are the tables here: they cannot
 * differ in length or order. The enums are dense from 0, so a name is one array access. A number
 * outside the enum, say from a damaged capture, gives "unknown", never NULL and never a read beyond
 * the table.
 *
 * The tables are constant data and the only place of these strings: captures, traces, `stats`,
 * `info` and tests print the same ones. The names are part of the interface, since golden traces
 * hold them: an entry may be added to the lists, but none is renamed in passing. */

#include <stddef.h>
#include <weir/drop.h>

static const char *pick(const char *const *names, size_t count, unsigned index)
{
    return index < count ? names[index] : "unknown";
}

const char *weir_drop_name(enum weir_drop reason)
{
#define X(name, text, meaning) text,
    static const char *const names[] = {WEIR_DROPS(X)};
#undef X

    return pick(names, WEIR_DROP_COUNT, (unsigned)reason);
}

const char *weir_drop_meaning(enum weir_drop reason)
{
#define X(name, text, meaning) meaning,
    static const char *const meanings[] = {WEIR_DROPS(X)};
#undef X

    return pick(meanings, WEIR_DROP_COUNT, (unsigned)reason);
}

const char *weir_why_name(enum weir_why why)
{
#define X(name, text, meaning) text,
    static const char *const names[] = {WEIR_WHYS(X)};
#undef X

    return pick(names, WEIR_WHY_COUNT, (unsigned)why);
}

const char *weir_why_meaning(enum weir_why why)
{
#define X(name, text, meaning) meaning,
    static const char *const meanings[] = {WEIR_WHYS(X)};
#undef X

    return pick(meanings, WEIR_WHY_COUNT, (unsigned)why);
}
