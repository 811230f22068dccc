/* SPDX-License-Identifier: MIT */

/* ls: all sockets that the prompt knows, until their state machines have ended. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <stdio.h>
#include <string.h>

static void print_row(struct repl *repl, const struct sid *sid)
{
    char local[WEIR_ADDR_TEXT], remote[WEIR_ADDR_TEXT];
    char local_port[8], remote_port[8];
    struct weir_socket_row row;
    int found = weir_inspect_socket(weir_host_lock(repl->host), sid->socket, &row);

    weir_host_unlock(repl->host);
    if (found != sid->socket) {
        memset(&row, 0, sizeof row);
        row.local.addr = row.remote.addr = weir_addr_any4();
        row.state = WEIR_STATE_CLOSED;
    }
    if (sid->kind == SID_LISTENER)
        row.remote = (struct weir_endpoint){weir_addr_any4(), 0};
    snprintf(local_port, sizeof local_port, "%u", row.local.port);
    snprintf(remote_port, sizeof remote_port, "%u", row.remote.port);
    repl_say(repl, "%3d %10s %5s %10s %5s %12s", sid->sid, weir_addr_print(&row.local.addr, local),
             local_port, weir_addr_print(&row.remote.addr, remote), remote_port,
             weir_tcp_state_name(row.state));
}

void cmd_ls(struct repl *repl, const struct args *args)
{
    size_t i;

    (void)args;
    repl_say(repl, "%3s %10s %5s %10s %5s %12s", "SID", "LAddr", "LPort", "RAddr", "RPort",
             "Status");
    for (i = 0; i < repl->sids.count; i++)
        print_row(repl, repl->sids.entries[i]);
}
