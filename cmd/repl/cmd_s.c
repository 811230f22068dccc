/* SPDX-License-Identifier: MIT */

/* s: queues the rest of the line for sending; blocks the prompt while the send buffer is full. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <string.h>

/* Returns the bytes queued (less than `length` if interrupted), or why the connection takes no
 * more. */
static long write_all(struct repl *repl, struct sid *sid, const char *data, size_t length)
{
    size_t sent = 0;

    for (;;) {
        long result = weir_socket_send(weir_host_lock(repl->host), sid->socket, data + sent,
                                       length - sent, 0);

        weir_host_unlock(repl->host);
        if (result < 0 && result != WEIR_EAGAIN)
            return result;
        if (result > 0)
            sent += (size_t)result;
        if (sent == length || !repl_may_wait(repl))
            return (long)sent;
        if (result == WEIR_EAGAIN) /* events are edges: ask until there is no room */
            repl_step(repl, false);
    }
}

void cmd_s(struct repl *repl, const struct args *args)
{
    struct sid *sid = word_sid(repl, args->word[1]);
    long result;

    if (!sid)
        return;
    if (sid->kind == SID_LISTENER || sid->transfer) {
        repl_fail(repl, "VWrite error: Operation not permitted");
        return;
    }
    if (sid->closed) {
        repl_fail(repl, "VWrite error: %s", print_error(WEIR_EPIPE));
        return;
    }
    sid->busy = true;
    result = write_all(repl, sid, args->rest[1], strlen(args->rest[1]));
    if (result >= 0)
        repl_say(repl, "Wrote %ld bytes", result);
    else
        repl_fail(repl, "VWrite error: %s", print_error((int)result));
    repl_settle(repl, sid);
}
