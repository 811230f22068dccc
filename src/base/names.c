/* SPDX-License-Identifier: MIT */

/* Names of TCP states and of counters.
 *
 * As in drop.c, the tables are made from the X-macros that make the enums, in <weir/inspect.h>, and
 * a number outside the enum gives "unknown". They live at the bottom, although their enums describe
 * a stack, because everybody prints them: the prompt, traces, metrics, the simulator and tests.
 *
 * The state names are those of RFC 9293 3.3.2 with underscores, since that is what the prompt's
 * `ls` prints; counters are lower case with dashes, as drops are, so that one table can list
 * both. */

#include <stddef.h>
#include <weir/inspect.h>

static const char *pick(const char *const *names, size_t count, unsigned index)
{
    return index < count ? names[index] : "unknown";
}

const char *weir_tcp_state_name(enum weir_tcp_state state)
{
#define X(name, text) text,
    static const char *const names[] = {WEIR_TCP_STATES(X)};
#undef X

    return pick(names, WEIR_STATE_COUNT, (unsigned)state);
}

const char *weir_counter_name(enum weir_counter counter)
{
#define X(name, text) text,
    static const char *const names[] = {WEIR_COUNTERS(X)};
#undef X

    return pick(names, WEIR_COUNTER_COUNT, (unsigned)counter);
}
