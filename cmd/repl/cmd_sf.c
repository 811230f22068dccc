/* SPDX-License-Identifier: MIT */

/* sf: sends a file in the background (transfer.c). */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/transfer.h>
#include <cmd/repl/words.h>

void cmd_sf(struct repl *repl, const struct args *args)
{
    struct weir_endpoint to;

    if (word_addr(repl, args->word[2], &to.addr) && word_port(repl, args->word[3], &to.port))
        transfer_send(repl, args->word[1], &to);
}
