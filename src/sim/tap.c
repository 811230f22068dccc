/* SPDX-License-Identifier: MIT */

/* The tap of the simulator: the link that a stack sees, in front of the one that carries.
 *
 * It passes everything on. On the way it marks the network when something is flushed into it, so
 * that the loop knows where frames may have arrived; sets `refused` when the inner link is full, so
 * that the loop knows whom to tell when there is room; and shows each TCP segment to the window
 * checker in the order in which the node sent them. Only segments from an address of the node
 * itself are shown: those that a router passes on may have been reordered on their way to it.
 *
 * Invariant: the limits in the tap's head are those of the inner link; they are fixed. The tap owns
 * the inner link. */

#include <sim/internal.h>
#include <stdlib.h>
#include <weir/packet.h>

#define PROTOCOL_TCP 6

static struct iface *iface_of(struct weir_link *link)
{
    return (struct iface *)(void *)link;
}

static bool is_own(const struct node *node, const struct weir_addr *addr)
{
    for (int i = 0; i < node->iface_count; i++)
        if (weir_addr_equal(&node->ifaces[i]->addr, addr))
            return true;
    return false;
}

static void check_sent(const struct iface *iface, const struct weir_frame *frame)
{
    struct weir_packet packet;
    const char *what;

    if (weir_packet_parse(frame->data, frame->length, &packet) != 0)
        return;
    if (packet.protocol != PROTOCOL_TCP || packet.fragment_offset != 0 ||
        !is_own(iface->node, &packet.src))
        return;
    what = windows_check(&iface->sim->windows, &packet);
    if (what != NULL)
        sim_complain(iface->sim, iface->node->number, what);
}

static int tap_begin(struct weir_link *link, size_t bytes, weir_time now, struct weir_frame *frame)
{
    struct weir_link *inner = iface_of(link)->inner;
    int result = inner->ops->begin(inner, bytes, now, frame);

    if (result == WEIR_EAGAIN)
        link->refused = true;
    return result;
}

static void tap_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct iface *iface = iface_of(link);

    if (iface->sim->is_checking)
        check_sent(iface, frame);
    iface->inner->ops->commit(iface->inner, frame, now);
}

static void tap_abort(struct weir_link *link, const struct weir_frame *frame)
{
    struct weir_link *inner = iface_of(link)->inner;

    inner->ops->abort(inner, frame);
}

static int tap_flush(struct weir_link *link, weir_time now)
{
    struct iface *iface = iface_of(link);

    sim_mark(iface->sim, iface->network);
    return iface->inner->ops->flush(iface->inner, now);
}

static int tap_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    struct weir_link *inner = iface_of(link)->inner;

    return inner->ops->receive(inner, frames, max, now);
}

static bool tap_ready(struct weir_link *link, weir_time now)
{
    struct weir_link *inner = iface_of(link)->inner;

    return inner->ops->ready(inner, now);
}

static weir_time tap_deadline(struct weir_link *link)
{
    struct weir_link *inner = iface_of(link)->inner;

    return inner->ops->deadline(inner);
}

static int tap_fd(struct weir_link *link)
{
    (void)link;
    return -1;
}

static void tap_destroy(struct weir_link *link)
{
    struct iface *iface = iface_of(link);

    iface->inner->ops->destroy(iface->inner);
    free(iface);
}

static const struct weir_link_ops tap_ops = {
    .name = "tap",
    .begin = tap_begin,
    .commit = tap_commit,
    .abort = tap_abort,
    .flush = tap_flush,
    .receive = tap_receive,
    .ready = tap_ready,
    .deadline = tap_deadline,
    .fd = tap_fd,
    .destroy = tap_destroy,
};

const struct weir_link_ops *sim_tap_ops(void)
{
    return &tap_ops;
}
