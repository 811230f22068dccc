/* SPDX-License-Identifier: MIT */

/* Look-up, arity and help of the prompt's commands, all out of the list in commands.h.
 *
 * A command function can rely on the number of words being within its row's limits; everything
 * else about its words it checks itself. What a command prints goes to stdout, errors too, so that
 * a program that drives a node reads everything in one order. Router-only and host-only commands
 * do not exist for the other kind of node.
 */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <stdlib.h>
#include <string.h>

static const struct command table[] = {
#define C(name, least, most, usage, help, who) {#name, cmd_##name, least, most, usage, help, who},
    COMMANDS(C)
#undef C
};

#define COMMAND_COUNT (sizeof table / sizeof table[0])

const struct command *command_at(unsigned index)
{
    return index < COMMAND_COUNT ? &table[index] : NULL;
}

const struct command *command_find(const char *name, bool is_router)
{
    unsigned i;

    for (i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(table[i].name, name) == 0 && table[i].who & (is_router ? WHO_ROUTER : WHO_HOST))
            return &table[i];
    return NULL;
}

static void run(struct repl *repl, const struct args *args)
{
    const struct command *command = command_find(args->word[0], repl->options.is_router);
    char *shown;

    if (!command) {
        shown = args_printable(args->word[0], strnlen(args->word[0], 64));
        repl_fail(repl, "Invalid command: %s", shown ? shown : "");
        free(shown);
        cmd_help(repl, args);
        return;
    }
    if (args->count - 1 < command->least ||
        (args->count - 1 > command->most && command->most < COMMAND_TEXT)) {
        repl_fail(repl, "Usage: %s", command->usage);
        return;
    }
    command->fn(repl, args);
}

void command_run(struct repl *repl, char *line)
{
    struct args args;

    if (args_parse(line, &args)) {
        repl_fail(repl, "error: out of memory");
        return;
    }
    repl->interrupted = false;
    if (args.count)
        run(repl, &args);
    args_done(&args);
}
