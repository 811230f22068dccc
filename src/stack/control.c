/* SPDX-License-Identifier: MIT */

/* The control side: interfaces, neighbours, routes. Thin: net does the work; what other layers must
 * know of a change (a blocked list for each interface, RIP's connected networks) is told here. A change
 * of paths sends everybody who waits for a full link back to poll, which may find another way. */

#include <stack/stack.h>
#include <tcp/cc.h>

/* The lists are circular: moving them in memory means linking their ends anew. */
static bool add_blocked_list(struct weir_stack *stack)
{
    size_t count = (size_t)stack->blocked_count;
    struct list_node *lists = alloc_get(&stack->alloc, (count + 1) * sizeof(*lists));
    size_t i;

    if (!lists)
        return false;
    for (i = 0; i <= count; i++)
        list_init(&lists[i]);
    for (i = 0; i < count; i++) {
        struct list_node *node;

        while ((node = list_pop(&stack->blocked[i])))
            list_add_tail(&lists[i], node);
    }
    alloc_put(&stack->alloc, stack->blocked, count * sizeof(*lists));
    stack->blocked = lists;
    stack->blocked_count++;
    return true;
}

void control_paths_changed(struct weir_stack *stack)
{
    int i;

    for (i = 0; i < stack->blocked_count; i++)
        weir_stack_link_ready(stack, i - 1);
}

int weir_stack_add_iface(struct weir_stack *stack, const char *name, struct weir_link *link,
                         const struct weir_addr *addr, const struct weir_prefix *prefix,
                         bool only_neighbours)
{
    int iface;

    if (net_iface_count(stack->net) + 1 >= stack->blocked_count && !add_blocked_list(stack))
        return WEIR_ENOMEM;
    iface = net_add_iface(stack->net, name, link, addr, prefix, only_neighbours);
    if (iface >= 0 && stack->rip)
        rip_set_local(stack->rip, prefix, true, stack->now);
    return iface;
}

int weir_stack_add_neighbour(struct weir_stack *stack, int iface, const struct weir_addr *addr,
                             uint64_t tag)
{
    control_paths_changed(stack);
    return net_add_neighbour(stack->net, iface, addr, tag);
}

int weir_stack_add_route(struct weir_stack *stack, const struct weir_prefix *prefix,
                         const struct weir_addr *next_hop)
{
    control_paths_changed(stack);
    return net_add_static_route(stack->net, prefix, next_hop);
}

int weir_stack_set_iface_up(struct weir_stack *stack, int iface, bool up)
{
    int result = net_set_iface_up(stack->net, iface, up);
    struct weir_iface_row row;

    if (result < 0)
        return result;
    if (stack->rip && net_iface_row(stack->net, iface, &row) == 0)
        rip_set_local(stack->rip, &row.prefix, up, stack->now);
    control_paths_changed(stack);
    return 0;
}

int weir_stack_set_drop_rate(struct weir_stack *stack, double rate, uint64_t seed)
{
    return net_set_drop_rate(stack->net, rate, seed);
}

void weir_stack_set_journal(struct weir_stack *stack, struct weir_journal *journal, uint32_t source)
{
    net_set_journal(stack->net, journal, source);
}

int weir_stack_set_tcp(struct weir_stack *stack, const struct weir_tcp_settings *settings)
{
    if (!settings->congestion_control || !cc_find(settings->congestion_control))
        return WEIR_EINVAL;
    stack->config.tcp = *settings;
    return 0;
}
