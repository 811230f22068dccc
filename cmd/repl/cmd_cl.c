/* SPDX-License-Identifier: MIT */

/* cl: closes. A connection stays in `ls` until its state machine has ended (`Socket N closed`); a
 * listener goes at once, and the connections it has brought stay. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

void cmd_cl(struct repl *repl, const struct args *args)
{
    struct sid *sid = word_sid(repl, args->word[1]);

    if (!sid)
        return;
    if (sid->closed) {
        repl_fail(repl, "error: connection closing");
        return;
    }
    if (sid->transfer) {
        repl_fail(repl, "error: the socket belongs to a file transfer");
        return;
    }
    if (sid->kind == SID_LISTENER) {
        repl_forget(repl, sid, false);
        return;
    }
    weir_socket_close(weir_host_lock(repl->host), sid->socket);
    weir_host_unlock(repl->host);
    sid->closed = true;
}
