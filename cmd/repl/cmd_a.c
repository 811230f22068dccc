/* SPDX-License-Identifier: MIT */

/* a: listens, and from then on takes every connection in the background (dispatch.c). */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

#define BACKLOG 1024

static int open_listener(struct repl *repl, uint16_t port)
{
    struct weir_endpoint local = {weir_addr_any4(), port};
    struct weir_stack *stack = weir_host_lock(repl->host);
    int socket = weir_socket_open(stack, WEIR_TCP, 0);
    int result = socket < 0 ? socket : weir_socket_set(stack, socket, WEIR_SO_REUSEADDR, 1);

    if (!result)
        result = weir_socket_bind(stack, socket, &local);
    if (!result)
        result = weir_socket_listen(stack, socket, BACKLOG);
    if (result && socket >= 0)
        weir_socket_close(stack, socket);
    weir_host_unlock(repl->host);
    return result ? result : socket;
}

void cmd_a(struct repl *repl, const struct args *args)
{
    struct sid *sid;
    uint16_t port;
    int socket;

    if (!word_port(repl, args->word[1], &port))
        return;
    socket = open_listener(repl, port);
    if (socket < 0) {
        repl_fail(repl, "VAccept error: %s",
                  socket == WEIR_EADDRINUSE ? "port already in use" : weir_strerror(socket));
        return;
    }
    sid = repl_add_socket(repl, socket, SID_LISTENER);
    if (!sid) {
        repl_fail(repl, "VAccept error: %s", weir_strerror(WEIR_ENOMEM));
        return;
    }
    repl_say(repl, "Created listen socket with ID %d", sid->sid);
    repl_accept(repl, sid);
}
