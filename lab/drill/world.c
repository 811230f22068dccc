/* SPDX-License-Identifier: MIT */

/* The world of a script: one stack on a wire of memory, a peer that is the script, and a clock that
 * jumps.
 *
 *     stack ── hub port 0 ══ hub port 1 ── queue of what was sent, with its time
 *
 * Nothing happens between two deadlines of the stack, so time goes from one to the next; after each
 * step everything that the stack sent is moved to the queue, stamped, and a call that waits is tried
 * again. Each inbound packet is one input, followed by a poll, as on a slow wire.
 *
 * Limits: RUN_STEPS_MAX polls and RUN_PACKETS_MAX packets unread; beyond, the script fails. */

#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define HUB_QUEUE 1024u
#define PROTOCOL_TCP 6

static void hash_bytes(struct run *run, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    while (length-- > 0)
        run->hash = (run->hash ^ *at++) * 0x100000001b3u;
}

static void hash_packet(struct run *run, const uint8_t *bytes, size_t length)
{
    uint8_t stamp[8];
    unsigned i;

    for (i = 0; i < 8; i++)
        stamp[i] = (uint8_t)((uint64_t)run->now >> (8 * i));
    hash_bytes(run, stamp, sizeof(stamp));
    hash_bytes(run, bytes, length);
}

static bool add_iface(struct run *run)
{
    struct weir_prefix lan = weir_prefix_from4(weir_addr_to4(&run->local), 16);
    struct weir_prefix any = weir_prefix_from4(0, 0);

    return weir_stack_add_iface(run->stack, "wire", weir_hub_port(run->hub, 0), &run->local, &lan,
                                false) == 0 &&
           weir_stack_add_route(run->stack, &any, &run->gateway) == 0;
}

bool world_create(struct run *run)
{
    unsigned i;

    for (i = 0; i < 8; i++)
        run->config.seed[i] = (uint8_t)(run->options->seed >> (8 * i));
    run->hub = weir_hub_create(2, run->mtu, HUB_QUEUE);
    run->stack = run->hub ? weir_stack_create(&run->config) : NULL;
    run->sockets = run->stack ? linux_create(run->stack, &run->linux_config) : NULL;
    run->queue_end = &run->queue;
    run->hash = 0xcbf29ce484222325u;
    return run->sockets && add_iface(run);
}

void world_destroy(struct run *run)
{
    socket_call_done(&run->pending);
    linux_destroy(run->sockets);
    weir_stack_destroy(run->stack);
    if (run->hub)
        weir_hub_destroy(run->hub);
    while (run->queue) {
        struct seen *seen = run->queue;

        run->queue = seen->next;
        free(seen);
    }
}

static void queue_frame(struct run *run, const struct weir_frame *frame)
{
    struct seen *seen = malloc(sizeof(*seen) + frame->length);

    if (!seen || run->queued++ == RUN_PACKETS_MAX) {
        free(seen);
        run_fail(run, NULL, "more than %u packets that nobody expected", RUN_PACKETS_MAX);
        return;
    }
    *seen = (struct seen){.at = run->now, .length = frame->length};
    memcpy(seen->bytes, frame->data, frame->length);
    hash_packet(run, seen->bytes, seen->length);
    if (weir_packet_parse(seen->bytes, seen->length, &seen->packet) < 0) {
        free(seen);
        run_fail(run, NULL, "the stack sent a packet whose lengths do not fit together");
        return;
    }
    report_packet(run, '>', &seen->packet, seen->bytes, seen->length);
    *run->queue_end = seen;
    run->queue_end = &seen->next;
}

/* Moves what was sent to the queue; true if the stack was waiting for room. */
static bool collect(struct run *run)
{
    struct weir_link *stack_end = weir_hub_port(run->hub, 0), *peer = weir_hub_port(run->hub, 1);
    struct weir_frame frames[32];
    int count, i;

    while ((count = peer->ops->receive(peer, frames, 32, run->now)) > 0)
        for (i = 0; i < count; i++)
            queue_frame(run, &frames[i]);
    if (!stack_end->refused)
        return false;
    stack_end->refused = false;
    weir_stack_link_ready(run->stack, 0);
    return true;
}

void world_step(struct run *run)
{
    unsigned steps_max = run->options->steps_max ? run->options->steps_max : RUN_STEPS_MAX;
    bool more;

    do {
        more = weir_stack_poll(run->stack, run->now, 0);
        more = collect(run) || more;
        capture_take(run->capture, NULL);
        if (run->steps++ == steps_max)
            run_fail(run, NULL, "more than %u steps of the stack", steps_max);
        linux_set_now(run->sockets, run->now);
        linux_step(run->sockets);
    } while (more && !run->ended);
    run_try_pending(run);
}

/* The next time at which something happens by itself, not later than `until`. */
static weir_time next_time(const struct run *run, weir_time until)
{
    weir_time at = weir_stack_deadline(run->stack);

    if (run->pending.event && run->pending.wake < at)
        at = run->pending.wake;
    if (at < run->now)
        at = run->now;
    return at < until ? at : until;
}

/* Will anything happen by itself until then? At WEIR_NEVER, nothing does. */
static bool is_due(const struct run *run, weir_time until)
{
    weir_time at = weir_stack_deadline(run->stack);

    if (run->pending.event && run->pending.wake < at)
        at = run->pending.wake;
    return !run->ended && at <= until && at != WEIR_NEVER;
}

void world_advance(struct run *run, weir_time until)
{
    while (is_due(run, until)) {
        run->now = next_time(run, until);
        world_step(run);
    }
    if (until > run->now)
        run->now = until;
}

bool world_wait_packet(struct run *run, weir_time limit, struct drill_conn *conn)
{
    while (!world_packet(run, conn, false)) {
        if (!is_due(run, limit)) {
            if (limit != WEIR_NEVER && limit > run->now)
                run->now = limit;
            return false;
        }
        run->now = next_time(run, limit);
        world_step(run);
    }
    return true;
}

void world_inject(struct run *run, const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length + 1);
    struct weir_frame frame = {.data = copy, .length = (uint32_t)length};
    struct weir_packet packet;
    bool is_packet = weir_packet_parse(bytes, length, &packet) == 0;

    if (!copy) {
        run_fail(run, NULL, "no memory for a packet");
        return;
    }
    memcpy(copy, bytes, length);
    report_packet(run, '<', is_packet ? &packet : NULL, bytes, length);
    hash_packet(run, bytes, length);
    if (is_packet)
        run->last_inbound = packet;
    weir_stack_input(run->stack, 0, &frame, 1, run->now);
    free(copy);
    world_step(run);
}

static bool is_of(const struct seen *seen, const struct drill_conn *conn)
{
    bool is_tcp = seen->packet.protocol == PROTOCOL_TCP && seen->packet.fragment_offset == 0;

    if (!conn)
        return !is_tcp;
    return is_tcp && seen->packet.sport == conn->lport && seen->packet.dport == conn->rport;
}

struct seen *world_packet(struct run *run, const struct drill_conn *conn, bool take)
{
    struct seen **link = &run->queue;
    struct seen *seen;

    while (*link && !is_of(*link, conn))
        link = &(*link)->next;
    seen = *link;
    if (!seen || !take)
        return seen;
    *link = seen->next;
    if (!*link)
        run->queue_end = link;
    run->queued--;
    return seen;
}
