/* SPDX-License-Identifier: MIT */

/* send: one packet of the test protocol (IP protocol 0) with the rest of the line as its payload.
 * The count that is printed holds the 20 bytes of the IP header, as the reference's does. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <string.h>

#define IP_HEADER 20

void cmd_send(struct repl *repl, const struct args *args)
{
    struct weir_datagram to;
    long result;

    memset(&to, 0, sizeof to);
    if (!word_addr(repl, args->word[1], &to.peer))
        return;
    to.local = weir_addr_any4();
    result = weir_socket_sendto(weir_host_lock(repl->host), repl->test_socket, args->rest[1],
                                strlen(args->rest[1]), &to);
    weir_host_unlock(repl->host);
    if (result >= 0) {
        repl_say(repl, "Sent %ld bytes", result + IP_HEADER);
        return;
    }
    repl_say(repl, "Sent 0 bytes");
    repl_fail(repl, "Error during send:   %s", print_error((int)result));
}
