/* SPDX-License-Identifier: MIT */

/* The memory link: a hub of 2..256 ports inside one process.
 *
 * Problem: carry millions of frames a second between two stacks in one thread, without a copy and
 * with a working set that stays in the cache, and serve as the wire of the simulator as well.
 *
 * Idea: all slots lie in one block and go round through a stack of free slots, last in first out,
 * so that the slot lent next is the one read last. A slot is a header and behind it headroom and
 * room for one packet. begin lends a free slot, commit appends it to the sender's staged list,
 * flush moves staged slots to the queues of their receivers, receive moves them to the receiver's
 * list of borrowed slots, and the next receive puts those back on the free stack. Only pointers
 * move.
 *
 *      free ─begin→ port.lent ─commit→ port.staged ─flush→ peer.queue ─receive→ peer.borrowed
 *       ↑──abort──────┘                                                             │
 *       └───────────────────────────────next receive────────────────────────────────┘
 *
 * Invariants: a slot is in exactly one of these places. `held` of a port counts the slots that are
 * staged for it or in its queue and never exceeds queue_frames. One slot per port may be lent, and
 * RECEIVE_MAX (or queue_frames, if that is less) borrowed; hence a free slot always exists when
 * begin needs one. With two ports, begin refuses when the other port is full. With more, the
 * receiver is known only at commit, and a frame to a full port is lost, as on a switch.
 *
 * A hub of large frames has slots for those, and leaves it to the stacks at its ends to make and to cut
 * them: a frame is moved as it is, gso_size, unfinished checksum and all.
 *
 * Limits: memory of ports × (queue + min(queue, 256) + 1) slots is reserved, but the system gives
 * pages only to slots that were ever in use at the same time. */

#include <assert.h>
#include <stdlib.h>
#include <weir/error.h>
#include <weir/links.h>

#define HEADROOM 64u
#define SLOT_ALIGN 64u
#define RECEIVE_MAX 256u
#define MTU_MAX 65535u
#define QUEUE_MAX (1u << 20)

struct slot {
    struct slot *next;
    struct weir_frame frame;
    uint32_t target; /* index of the receiving port */
};

struct fifo {
    struct slot *head, *tail;
};

struct port {
    struct weir_link link;
    struct weir_hub *hub;
    struct slot *lent;
    struct fifo staged, queue, borrowed;
    uint32_t index;
    uint32_t held;    /* staged for this port, or in its queue */
    uint32_t pending; /* in its queue */
};

struct weir_hub {
    struct slot *free; /* last in, first out */
    uint8_t *block;
    size_t slot_bytes;
    uint32_t room;      /* bytes of the largest frame */
    size_t slots_fresh; /* slots of the block that were never used */
    size_t slots_count;
    uint32_t queue_frames;
    uint32_t ports_count;
    uint64_t lost;
    struct port ports[];
};

static struct port *port_of(struct weir_link *link)
{
    return (struct port *)(void *)link;
}

static uint8_t *slot_room(struct slot *slot)
{
    return (uint8_t *)slot + SLOT_ALIGN + HEADROOM;
}

static struct slot *slot_get(struct weir_hub *hub)
{
    struct slot *slot = hub->free;

    if (slot) {
        hub->free = slot->next;
        return slot;
    }
    assert(hub->slots_fresh < hub->slots_count);
    return (struct slot *)(void *)(hub->block + hub->slot_bytes * hub->slots_fresh++);
}

static void slot_put(struct weir_hub *hub, struct slot *slot)
{
    slot->next = hub->free;
    hub->free = slot;
}

static void fifo_add(struct fifo *fifo, struct slot *slot)
{
    slot->next = NULL;
    if (fifo->tail)
        fifo->tail->next = slot;
    else
        fifo->head = slot;
    fifo->tail = slot;
}

static struct slot *fifo_pop(struct fifo *fifo)
{
    struct slot *slot = fifo->head;

    if (!slot)
        return NULL;
    fifo->head = slot->next;
    if (!fifo->head)
        fifo->tail = NULL;
    return slot;
}

/* True if a frame to this port can be taken. */
static bool has_room(const struct port *port)
{
    return port->held < port->hub->queue_frames;
}

/* The peer on a hub of two. */
static struct port *other_of(struct port *port)
{
    return &port->hub->ports[1 - port->index];
}

static bool memory_ready(struct weir_link *link, weir_time now)
{
    struct port *port = port_of(link);

    (void)now;
    return port->hub->ports_count > 2 || has_room(other_of(port));
}

static int memory_begin(struct weir_link *link, size_t bytes, weir_time now,
                        struct weir_frame *frame)
{
    struct port *port = port_of(link);

    assert(!port->lent);
    if (bytes > port->hub->room)
        return WEIR_EMSGSIZE;
    if (!memory_ready(link, now)) {
        link->refused = true;
        return WEIR_EAGAIN;
    }
    port->lent = slot_get(port->hub);
    *frame = (struct weir_frame){
        .data = slot_room(port->lent), .length = (uint32_t)bytes, .headroom = HEADROOM};
    return 0;
}

/* The port that a tag names, or NULL. */
static struct port *target_of(struct port *port, uint64_t tag)
{
    struct weir_hub *hub = port->hub;

    if (tag == 0)
        return hub->ports_count == 2 ? other_of(port) : NULL;
    return tag <= hub->ports_count ? &hub->ports[tag - 1] : NULL;
}

static void memory_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct port *port = port_of(link);
    struct slot *slot = port->lent;
    struct port *target = target_of(port, frame->tag);

    (void)now;
    assert(slot);
    assert(frame->data >= slot_room(slot) - HEADROOM);
    assert(frame->data + frame->length <= slot_room(slot) + port->hub->room);
    assert(frame->length <= link->mtu || (frame->gso_size && frame->gso_size < link->mtu));
    port->lent = NULL;
    if (!target || !has_room(target)) {
        port->hub->lost++;
        slot_put(port->hub, slot);
        return;
    }
    slot->frame = *frame;
    slot->frame.headroom = (uint32_t)(frame->data - (slot_room(slot) - HEADROOM));
    slot->frame.tag = port->index + 1;
    slot->target = target->index;
    target->held++;
    fifo_add(&port->staged, slot);
}

static void memory_abort(struct weir_link *link, const struct weir_frame *frame)
{
    struct port *port = port_of(link);

    (void)frame;
    assert(port->lent);
    slot_put(port->hub, port->lent);
    port->lent = NULL;
}

static int memory_flush(struct weir_link *link, weir_time now)
{
    struct port *port = port_of(link);
    struct slot *slot;

    (void)now;
    while ((slot = fifo_pop(&port->staged)) != NULL) {
        struct port *target = &port->hub->ports[slot->target];

        fifo_add(&target->queue, slot);
        target->pending++;
    }
    return 0;
}

static int memory_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    struct port *port = port_of(link);
    struct slot *slot;
    int count = 0;

    (void)now;
    while ((slot = fifo_pop(&port->borrowed)) != NULL)
        slot_put(port->hub, slot);
    while (count < max && count < (int)RECEIVE_MAX && (slot = fifo_pop(&port->queue)) != NULL) {
        frames[count++] = slot->frame;
        fifo_add(&port->borrowed, slot);
    }
    port->pending -= (uint32_t)count;
    port->held -= (uint32_t)count;
    return count;
}

static weir_time memory_deadline(struct weir_link *link)
{
    (void)link;
    return WEIR_NEVER;
}

static int memory_fd(struct weir_link *link)
{
    (void)link;
    return -1;
}

static void memory_destroy(struct weir_link *link)
{
    (void)link; /* the hub owns its ports */
}

static const struct weir_link_ops memory_ops = {
    .name = "memory",
    .begin = memory_begin,
    .commit = memory_commit,
    .abort = memory_abort,
    .flush = memory_flush,
    .receive = memory_receive,
    .ready = memory_ready,
    .deadline = memory_deadline,
    .fd = memory_fd,
    .destroy = memory_destroy,
};

static void port_init(struct port *port, struct weir_hub *hub, uint32_t index,
                      const struct weir_link *limits)
{
    *port = (struct port){.link = *limits, .hub = hub, .index = index};
}

static bool is_fit(unsigned ports, uint32_t mtu, uint32_t gso_max, uint32_t queue_frames)
{
    return ports >= 2 && ports <= WEIR_HUB_PORTS_MAX && mtu > 0 && mtu <= MTU_MAX &&
           (!gso_max || (gso_max > mtu && gso_max <= MTU_MAX)) && queue_frames > 0 &&
           queue_frames <= QUEUE_MAX;
}

static struct weir_hub *create(unsigned ports, uint32_t mtu, uint32_t gso_max,
                               uint32_t queue_frames)
{
    const struct weir_link limits = {.ops = &memory_ops,
                                     .mtu = mtu,
                                     .gso_max = gso_max,
                                     .csum_partial = gso_max > 0,
                                     .l2 = WEIR_L2_IP};
    struct weir_hub *hub;
    size_t borrowed = queue_frames < RECEIVE_MAX ? queue_frames : RECEIVE_MAX;

    if (!is_fit(ports, mtu, gso_max, queue_frames))
        return NULL;
    hub = calloc(1, sizeof(*hub) + ports * sizeof(hub->ports[0]));
    if (!hub)
        return NULL;
    _Static_assert(sizeof(struct slot) <= SLOT_ALIGN, "a slot's header fits its place");
    hub->room = gso_max ? gso_max : mtu;
    hub->slot_bytes =
        (SLOT_ALIGN + HEADROOM + hub->room + SLOT_ALIGN - 1) / SLOT_ALIGN * SLOT_ALIGN;
    hub->slots_count = (size_t)ports * (queue_frames + borrowed + 1);
    hub->queue_frames = queue_frames;
    hub->ports_count = ports;
    hub->block = aligned_alloc(SLOT_ALIGN, hub->slot_bytes * hub->slots_count);
    if (!hub->block) {
        free(hub);
        return NULL;
    }
    for (uint32_t index = 0; index < ports; index++)
        port_init(&hub->ports[index], hub, index, &limits);
    return hub;
}

struct weir_hub *weir_hub_create(unsigned ports, uint32_t mtu, uint32_t queue_frames)
{
    return create(ports, mtu, 0, queue_frames);
}

struct weir_hub *weir_hub_create_large(unsigned ports, uint32_t mtu, uint32_t gso_max,
                                       uint32_t queue_frames)
{
    return gso_max ? create(ports, mtu, gso_max, queue_frames) : NULL;
}

struct weir_link *weir_hub_port(struct weir_hub *hub, unsigned port)
{
    assert(port < hub->ports_count);
    return &hub->ports[port].link;
}

unsigned weir_hub_pending(const struct weir_hub *hub, unsigned port)
{
    assert(port < hub->ports_count);
    return hub->ports[port].pending;
}

uint64_t weir_hub_lost(const struct weir_hub *hub)
{
    return hub->lost;
}

void weir_hub_destroy(struct weir_hub *hub)
{
    if (!hub)
        return;
    free(hub->block);
    free(hub);
}
