/* SPDX-License-Identifier: MIT */

/* drop: the probability with which forwarded packets are dropped; 0 ends it. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>

void cmd_drop(struct repl *repl, const struct args *args)
{
    double rate;

    if (args_rate(args->word[1], &rate)) {
        repl_fail(repl, "Drop rate must be a decimal number in the range [0,1] (eg. 0.5), "
                        "0 to disable");
        return;
    }
    weir_stack_set_drop_rate(weir_host_lock(repl->host), rate, 0);
    weir_host_unlock(repl->host);
}
