/* SPDX-License-Identifier: MIT */

/* li: the interfaces, up or down, in the order of the lnx file. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

void cmd_li(struct repl *repl, const struct args *args)
{
    char prefix[WEIR_ADDR_TEXT];
    struct weir_iface_row row;
    int i, result;

    (void)args;
    repl_say(repl, "%4s %12s %4s", "Name", "Addr/Prefix", "State");
    for (i = 0;; i++) {
        result = weir_inspect_iface(weir_host_lock(repl->host), i, &row);
        weir_host_unlock(repl->host);
        if (result)
            return;
        repl_say(repl, "%4s %12s %4s", row.name, print_prefix(&row.addr, row.prefix.bits, prefix),
                 row.up ? "up" : "down");
    }
}
