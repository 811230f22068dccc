/* SPDX-License-Identifier: MIT */

/* c: connects, and blocks the prompt until the connection stands, fails, or Ctrl-C gives it up. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

static struct sid *open_socket(struct repl *repl)
{
    int socket = weir_socket_open(weir_host_lock(repl->host), WEIR_TCP, 0);
    struct sid *sid;

    weir_host_unlock(repl->host);
    sid = socket < 0 ? NULL : repl_add_socket(repl, socket, SID_CONNECTION);
    if (!sid)
        repl_fail(repl, "VConnect error: %s", weir_strerror(socket < 0 ? socket : WEIR_ENOMEM));
    return sid;
}

/* Returns 0 when established, else why not. */
static int wait_connected(struct repl *repl, struct sid *sid)
{
    for (;;) {
        struct weir_stack *stack = weir_host_lock(repl->host);
        int ready = weir_socket_ready(stack, sid->socket);
        int error = ready & WEIR_ERR ? weir_socket_take_error(stack, sid->socket) : 0;

        weir_host_unlock(repl->host);
        if (ready < 0)
            return ready;
        if (error)
            return error;
        if (ready & WEIR_OUT)
            return 0;
        if (sid->dead)
            return WEIR_ECONNREFUSED;
        if (!repl_may_wait(repl))
            return WEIR_EINTR;
        repl_step(repl, false);
    }
}

static int do_connect(struct repl *repl, struct sid *sid, const struct weir_endpoint *to)
{
    int result = weir_socket_connect(weir_host_lock(repl->host), sid->socket, to, weir_host_now());

    weir_host_unlock(repl->host);
    return result == WEIR_EINPROGRESS ? wait_connected(repl, sid) : result;
}

void cmd_c(struct repl *repl, const struct args *args)
{
    struct weir_endpoint to;
    struct sid *sid;
    int result;

    if (!word_addr(repl, args->word[1], &to.addr) || !word_port(repl, args->word[2], &to.port))
        return;
    sid = open_socket(repl);
    if (!sid)
        return;
    sid->busy = true;
    result = do_connect(repl, sid, &to);
    if (result == 0) {
        repl_say(repl, "Created new socket with ID %d", sid->sid);
        repl_settle(repl, sid);
        return;
    }
    weir_socket_abort(weir_host_lock(repl->host), sid->socket);
    weir_host_unlock(repl->host);
    sid->closed = true;
    repl_forget(repl, sid, true);
    repl_fail(repl, "VConnect error: %s",
              result == WEIR_ECONNREFUSED || result == WEIR_ETIMEDOUT
                  ? "destination port does not exist"
                  : print_error(result));
}
