/* SPDX-License-Identifier: MIT */

/* capture: writes every packet of this node to a file, or ends that, or says how far it has come. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <string.h>

void cmd_capture(struct repl *repl, const struct args *args)
{
    if (args->count == 1)
        capturing_tell(repl);
    else if (args->count == 3 && strcmp(args->word[1], "on") == 0)
        capturing_start(repl, args->word[2]);
    else if (args->count > 2 || strcmp(args->word[1], "off") != 0)
        repl_say(repl, "Usage: capture [on|off] [file]");
    else if (!repl->capturing.recorder)
        repl_say(repl, "No capture");
    else
        capturing_stop(repl, true);
}
