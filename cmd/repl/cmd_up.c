/* SPDX-License-Identifier: MIT */

/* up: takes an interface up. Silent if that works. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

void cmd_up(struct repl *repl, const struct args *args)
{
    int iface = word_iface(repl, args->word[1]);

    if (iface < 0)
        return;
    weir_stack_set_iface_up(weir_host_lock(repl->host), iface, true);
    weir_host_unlock(repl->host);
}
