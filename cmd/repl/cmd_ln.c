/* SPDX-License-Identifier: MIT */

/* ln: the neighbors of interfaces that are up. The tag of a neighbor on a UDP link is its UDP
 * address (weir_udp_tag), which is what the last column shows. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <stdio.h>

static void print_udp(uint64_t tag, char *text, size_t size)
{
    struct weir_addr addr = weir_addr_from4((uint32_t)(tag >> 16));
    char ip[WEIR_ADDR_TEXT];

    snprintf(text, size, "%s:%u", weir_addr_print(&addr, ip), (unsigned)(tag & 0xffff));
}

void cmd_ln(struct repl *repl, const struct args *args)
{
    char addr[WEIR_ADDR_TEXT], udp[WEIR_ADDR_TEXT + 8];
    struct weir_neighbour_row row;
    struct weir_iface_row iface;
    struct weir_stack *stack;
    size_t i;
    bool more = true;

    (void)args;
    repl_say(repl, "%4s %12s %16s", "Iface", "VIP", "UDPAddr");
    for (i = 0; more; i++) {
        stack = weir_host_lock(repl->host);
        more = weir_inspect_neighbour(stack, i, &row) == 0 &&
               weir_inspect_iface(stack, row.iface, &iface) == 0;
        weir_host_unlock(repl->host);
        if (!more || !iface.up)
            continue;
        print_udp(row.tag, udp, sizeof udp);
        repl_say(repl, "%4s %12s %16s", iface.name, weir_addr_print(&row.addr, addr), udp);
    }
}
