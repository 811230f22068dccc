/* SPDX-License-Identifier: MIT */

/* The TIME-WAIT records of a stack: what is left of connections for twice the MSL (RFC 9293 3.6.1).
 *
 * A server that lives on short connections has more records than connections, tens of thousands of them,
 * and each is made, waits for a minute and goes without ever being looked at. In a timer wheel each would
 * be moved a few times on its way down, long after it has left the caches. But they wait equally long, so
 * they end in the order in which they came, and a queue does:
 *
 *     head ──► ending first, has a timer ── no timer ── no timer ── ... ◄── a new one
 *
 * Records that are ahead of another in the list end no later. One that would end before the last of
 * the queue (the MSL was lowered; the application kept the socket, and with it the connection, for a
 * while) gets a timer of its own at once, which leaves that true of all others. So
 *
 *   - the head has a timer in the wheel, and when it goes the next one gets its;
 *   - no record is looked at between its first day and its last; each costs O(1).
 *
 * A FIN that comes again starts a record's time anew [MUST-13]: it goes to the end. There are at most
 * time_wait_max records; then the first of the list goes, with a reason. */

#include <stack/stack.h>

static struct time_wait *first_record(struct weir_stack *stack)
{
    struct list_node *node = list_first(&stack->time_wait_queue);

    return node ? LIST_ENTRY(node, struct time_wait, queue) : NULL;
}

static void watch(struct weir_stack *stack, struct time_wait *record)
{
    if (record && !wheel_is_running(&record->flow.timer))
        wheel_start(stack->wheel, &record->flow.timer, record->record.deadline);
}

static void leave_queue(struct weir_stack *stack, struct time_wait *record)
{
    wheel_stop(stack->wheel, &record->flow.timer);
    list_remove(&record->queue);
    watch(stack, first_record(stack));
}

static void join_queue(struct weir_stack *stack, struct time_wait *record)
{
    bool is_first = list_is_empty(&stack->time_wait_queue);
    bool is_last = is_first || record->record.deadline >= stack->time_wait_latest;

    list_add_tail(&stack->time_wait_queue, &record->queue);
    if (is_last)
        stack->time_wait_latest = record->record.deadline;
    if (is_first || !is_last)
        watch(stack, record);
}

void time_wait_add(struct weir_stack *stack, struct time_wait *record)
{
    list_init(&record->queue);
    join_queue(stack, record);
    if (++stack->time_wait_count > stack->config.time_wait_max) {
        count_loss(stack, WEIR_DROP_TIME_WAIT_LIMIT);
        time_wait_free(stack, first_record(stack));
    }
}

void time_wait_restart(struct weir_stack *stack, struct time_wait *record)
{
    leave_queue(stack, record);
    join_queue(stack, record);
}

void time_wait_free(struct weir_stack *stack, struct time_wait *record)
{
    struct socket *socket = record->socket;

    leave_queue(stack, record);
    flow_remove(stack, &record->flow);
    stack->time_wait_count--;
    pool_put(&stack->time_waits, record);
    if (socket) {
        socket->time_wait = NULL;
        socket_ended(stack, socket);
    }
}
