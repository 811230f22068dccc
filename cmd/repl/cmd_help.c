/* SPDX-License-Identifier: MIT */

/* help: the commands of this kind of node. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>

void cmd_help(struct repl *repl, const struct args *args)
{
    const struct command *command;
    unsigned i;

    (void)args;
    repl_say(repl, "Commands:");
    for (i = 0; (command = command_at(i)); i++)
        if (command_find(command->name, repl->options.is_router))
            repl_say(repl, "  %-36s %s", command->usage, command->help);
}
