/* SPDX-License-Identifier: MIT */

/* rf: receives a file in the background, from the first that connects (transfer.c). */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/transfer.h>
#include <cmd/repl/words.h>

void cmd_rf(struct repl *repl, const struct args *args)
{
    uint16_t port;

    if (word_port(repl, args->word[2], &port))
        transfer_receive(repl, args->word[1], port);
}
