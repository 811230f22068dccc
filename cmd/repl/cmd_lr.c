/* SPDX-License-Identifier: MIT */

/* lr: the routes. L (local) and R (RIP) rows have a cost, S (static) rows a dash. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <stdio.h>

static void print_route(struct repl *repl, const struct weir_route_row *row, const char *iface)
{
    char prefix[WEIR_ADDR_TEXT], hop[WEIR_IFACE_NAME + 16], cost[16];
    char addr[WEIR_ADDR_TEXT];
    const char *type = row->kind == WEIR_ROUTE_LOCAL ? "L"
                       : row->kind == WEIR_ROUTE_RIP ? "R"
                                                     : "S";

    if (row->kind == WEIR_ROUTE_LOCAL)
        snprintf(hop, sizeof hop, "LOCAL:%s", iface);
    else
        snprintf(hop, sizeof hop, "%s", weir_addr_print(&row->next_hop, addr));
    snprintf(cost, sizeof cost, "%u", row->cost);
    repl_say(repl, "%1s %12s %10s %4s", type,
             print_prefix(&row->prefix.addr, row->prefix.bits, prefix), hop,
             row->kind == WEIR_ROUTE_STATIC ? "-" : cost);
}

void cmd_lr(struct repl *repl, const struct args *args)
{
    struct weir_route_row row;
    struct weir_iface_row iface;
    struct weir_stack *stack;
    bool more = true;
    size_t i;

    (void)args;
    repl_say(repl, "%1s %12s %10s %4s", "T", "Prefix", "Next hop", "Cost");
    for (i = 0; more; i++) {
        iface.name = "";
        stack = weir_host_lock(repl->host);
        more = weir_inspect_route(stack, i, &row) == 0;
        if (more && row.kind == WEIR_ROUTE_LOCAL)
            weir_inspect_iface(stack, row.iface, &iface);
        weir_host_unlock(repl->host);
        if (more)
            print_route(repl, &row, iface.name);
    }
}
