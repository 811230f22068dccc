/* SPDX-License-Identifier: MIT */

/* capture: writes every packet of this node to a file, or ends that, or says how far it has come.
 * `off` with a file ends only the capture into that file: for programs that began one and cannot know
 * what has happened since. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <string.h>

static void turn_off(struct repl *repl, const char *path)
{
    if (!repl->capturing.recorder)
        repl_say(repl, "No capture");
    else if (path && !capturing_is_to(repl, path))
        repl_fail(repl, "error: capture: nothing is written to %s", path);
    else
        capturing_stop(repl, true);
}

void cmd_capture(struct repl *repl, const struct args *args)
{
    if (args->count == 1)
        capturing_tell(repl);
    else if (strcmp(args->word[1], "off") == 0)
        turn_off(repl, args->word[2]);
    else if (strcmp(args->word[1], "on") == 0 && args->count == 3)
        capturing_start(repl, args->word[2]);
    else
        repl_fail(repl, "Usage: capture [on|off] [file]");
}
