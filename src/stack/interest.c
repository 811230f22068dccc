/* SPDX-License-Identifier: MIT */

/* Interest sets: which of many sockets are ready, without looking at all of them.
 *
 * A member ties one socket to one set. It is on three lists: its set's, its socket's, and, while it
 * may have something to report, its set's list of candidates:
 *
 *     set ── members     ●───●───●───●           a socket that something happens to (socket_raise)
 *         └─ candidates      ●───●               makes candidates of its members that asked for it
 *
 * take works through the candidates, oldest first, and asks each for its level. One that is not ready
 * after all (somebody has read the data meanwhile) leaves the list, and comes back when something
 * happens to it. One that is reported goes to the end of the list if it is level-triggered, so that
 * it is asked again next time, but after all others; an edge-triggered one leaves; a one-shot one
 * leaves and is deaf from then on. So an edge is anything that happens, also new data on a socket
 * that was readable already, as with Linux's epoll.
 *
 * What must hold: a member that is ready and not a candidate is edge-triggered or deaf. Readiness
 * that no event announces would break that. There are two such cases: shutdown, which tells its
 * members itself; and room in a full send buffer, which a connection announces only if somebody
 * waits for it (tcp.want_out). So whoever asks for WEIR_OUT and does not find it is somebody who
 * waits. As for every writer, the room is announced when a quarter of the buffer is free.
 *
 * WEIR_DELIVERED is no level. It is kept in the member and reported once, whatever the trigger.
 *
 * Costs: 16 bytes a socket, 104 bytes a member, from the stack's budget; set, remove and has walk the
 * sets of one socket, take the candidates, an event the members of its socket. */

#include <stack/stack.h>

#define ALWAYS ((uint32_t)(WEIR_HUP | WEIR_ERR | WEIR_CLOSED))
#define NO_LEVELS ((uint32_t)WEIR_DELIVERED)
#define ALL_EVENTS (((uint32_t)WEIR_DELIVERED << 1) - 1)

struct weir_interest {
    struct weir_stack *stack;
    struct list_node in_stack;
    struct list_node members, candidates;
};

struct member {
    struct list_node in_set, in_socket, candidate;
    struct weir_interest *set;
    struct socket *socket;
    uint64_t tag;
    uint32_t events; /* asked for */
    uint32_t once;   /* of NO_LEVELS: happened, and not reported yet */
    bool is_edge, is_oneshot, is_deaf;
};

struct weir_interest *weir_interest_create(struct weir_stack *stack)
{
    struct weir_interest *set = alloc_get(&stack->alloc, sizeof(*set));

    if (!set)
        return NULL;
    set->stack = stack;
    list_init(&set->in_stack);
    list_add_tail(&stack->interests, &set->in_stack);
    list_init(&set->members);
    list_init(&set->candidates);
    return set;
}

static void member_free(struct member *member)
{
    list_remove(&member->in_set);
    list_remove(&member->in_socket);
    list_remove(&member->candidate);
    alloc_put(&member->set->stack->alloc, member, sizeof(*member));
}

void weir_interest_destroy(struct weir_interest *interest)
{
    struct list_node *node;

    if (!interest)
        return;
    while ((node = list_first(&interest->members)))
        member_free(LIST_ENTRY(node, struct member, in_set));
    list_remove(&interest->in_stack);
    alloc_put(&interest->stack->alloc, interest, sizeof(*interest));
}

void interest_done(struct weir_stack *stack)
{
    struct list_node *node;

    while ((node = list_first(&stack->interests)))
        weir_interest_destroy(LIST_ENTRY(node, struct weir_interest, in_stack));
}

void interest_leave(struct socket *socket)
{
    struct list_node *node;

    while ((node = list_first(&socket->interests)))
        member_free(LIST_ENTRY(node, struct member, in_socket));
}

/* ---- Members ------------------------------------------------------------------------------------- */

static struct member *member_find(const struct weir_interest *set, const struct socket *socket)
{
    struct list_node *node;

    for (node = socket->interests.next; node != &socket->interests; node = node->next) {
        struct member *member = LIST_ENTRY(node, struct member, in_socket);

        if (member->set == set)
            return member;
    }
    return NULL;
}

static struct member *member_create(struct weir_interest *set, struct socket *socket)
{
    struct member *member = alloc_get_zeroed(&set->stack->alloc, sizeof(*member));

    if (!member)
        return NULL;
    member->set = set;
    member->socket = socket;
    list_init(&member->in_set);
    list_init(&member->in_socket);
    list_init(&member->candidate);
    list_add_tail(&set->members, &member->in_set);
    list_add_tail(&socket->interests, &member->in_socket);
    return member;
}

/* What there is to report now. Whoever wants room and finds none is told when there is some. */
static uint32_t member_check(const struct member *member)
{
    int ready = weir_socket_ready(member->set->stack, member->socket->number);
    struct conn *conn = member->socket->conn;

    if ((member->events & WEIR_OUT) && !(ready & WEIR_OUT) && conn)
        conn->tcp.want_out = true;
    return ((uint32_t)ready & (member->events | ALWAYS)) | (member->once & member->events);
}

int weir_interest_set(struct weir_interest *interest, int number, uint32_t events, int flags,
                      uint64_t tag)
{
    struct socket *socket = socket_get(interest->stack, number);
    struct member *member;

    if (!socket)
        return WEIR_EBADF;
    if ((events & ~ALL_EVENTS) || (flags & ~(int)(WEIR_EDGE | WEIR_ONESHOT)))
        return WEIR_EINVAL;
    member = member_find(interest, socket);
    if (!member)
        member = member_create(interest, socket);
    if (!member)
        return WEIR_ENOMEM;
    member->tag = tag;
    member->events = events;
    member->is_edge = (flags & WEIR_EDGE) != 0;
    member->is_oneshot = (flags & WEIR_ONESHOT) != 0;
    member->is_deaf = false;
    list_remove(&member->candidate);
    if (member_check(member))
        list_add_tail(&interest->candidates, &member->candidate);
    return 0;
}

bool weir_interest_has(const struct weir_interest *interest, int number)
{
    const struct socket *socket = socket_get(interest->stack, number);

    return socket && member_find(interest, socket);
}

int weir_interest_remove(struct weir_interest *interest, int number)
{
    struct socket *socket = socket_get(interest->stack, number);
    struct member *member;

    if (!socket)
        return WEIR_EBADF;
    member = member_find(interest, socket);
    if (!member)
        return WEIR_ENOENT;
    member_free(member);
    return 0;
}

/* ---- Reports --------------------------------------------------------------------------------------- */

void interest_note(struct socket *socket, uint32_t events)
{
    struct list_node *node;

    for (node = socket->interests.next; node != &socket->interests; node = node->next) {
        struct member *member = LIST_ENTRY(node, struct member, in_socket);

        if (member->is_deaf || !(events & (member->events | ALWAYS)))
            continue;
        member->once |= events & NO_LEVELS;
        if (!list_is_linked(&member->candidate))
            list_add_tail(&member->set->candidates, &member->candidate);
    }
}

static void report(struct member *member, uint32_t ready, struct weir_event *event)
{
    event->tag = member->tag;
    event->socket = member->socket->number;
    event->events = ready;
    member->once = 0;
    member->is_deaf = member->is_oneshot;
}

int weir_interest_take(struct weir_interest *interest, struct weir_event *events, int max)
{
    struct list_node *node, again;
    int count = 0;

    list_init(&again);
    while (count < max && (node = list_pop(&interest->candidates))) {
        struct member *member = LIST_ENTRY(node, struct member, candidate);
        uint32_t ready = member_check(member);

        if (!ready)
            continue;
        report(member, ready, &events[count++]);
        if (!member->is_edge && !member->is_oneshot)
            list_add_tail(&again, &member->candidate);
    }
    while ((node = list_pop(&again)))
        list_add_tail(&interest->candidates, node);
    return count;
}

bool weir_interest_is_pending(const struct weir_interest *interest)
{
    return !list_is_empty(&interest->candidates);
}
