/* SPDX-License-Identifier: MIT */

/* exit: ends the node at once; connections that live are aborted on the way out (finish.c). */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>

void cmd_exit(struct repl *repl, const struct args *args)
{
    (void)args;
    repl_say(repl, "Exiting...");
    repl->quit = true;
}
