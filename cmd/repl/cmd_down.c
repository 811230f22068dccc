/* SPDX-License-Identifier: MIT */

/* down: takes an interface down. Silent if that works. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

void cmd_down(struct repl *repl, const struct args *args)
{
    int iface = word_iface(repl, args->word[1]);

    if (iface < 0)
        return;
    weir_stack_set_iface_up(weir_host_lock(repl->host), iface, false);
    weir_host_unlock(repl->host);
}
