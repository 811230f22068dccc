/* SPDX-License-Identifier: MIT */

/* stats: what the node has counted, the reasons why it has dropped packets, and what it holds. Only
 * what is not zero. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>

static void say(struct repl *repl, const char *name, uint64_t value, const char *meaning)
{
    if (value)
        repl_say(repl, "  %-22s %12llu%s%s", name, (unsigned long long)value, *meaning ? "  " : "",
                 meaning);
}

static void print_budget(struct repl *repl)
{
    struct weir_budget_row row;

    weir_inspect_budget(weir_host_lock(repl->host), &row);
    weir_host_unlock(repl->host);
    repl_say(repl, "Held:");
    say(repl, "memory-bytes", row.used, "");
    say(repl, "sockets", row.sockets, "");
    say(repl, "connections", row.connections, "");
    say(repl, "half-open", row.half_open, "");
    say(repl, "time-wait", row.time_wait, "");
    say(repl, "datagrams", row.datagrams, "");
    say(repl, "fragments", row.fragments, "");
}

void cmd_stats(struct repl *repl, const struct args *args)
{
    struct weir_counters counters = *weir_inspect_counters(weir_host_lock(repl->host));
    int i;

    weir_host_unlock(repl->host);
    (void)args;
    repl_say(repl, "Counted:");
    for (i = 0; i < WEIR_COUNTER_COUNT; i++)
        say(repl, weir_counter_name((enum weir_counter)i), counters.counter[i], "");
    repl_say(repl, "Dropped:");
    for (i = 1; i < WEIR_DROP_COUNT; i++)
        say(repl, weir_drop_name((enum weir_drop)i), counters.drop[i],
            weir_drop_meaning((enum weir_drop)i));
    print_budget(repl);
}
