/* SPDX-License-Identifier: MIT */

/* The link to ourselves: a bounded first-in, first-out queue under the contract of link.h.
 *
 *   begin -> lent -> commit -> staged -> flush -> ready -> receive -> taken -> (next receive) freed
 *
 * Each frame is one allocation of the stack's, its head followed by its bytes. Frames lie on three
 * lists: staged (committed, not flushed), ready (visible to receive) and taken (handed out by the
 * last receive, and valid until the next). All of them count against NET_LOOPBACK_QUEUE_BYTES,
 * heads included; begin says WEIR_EAGAIN at the limit or when memory is short. Traffic to an own
 * address is so never a call into input from output, and a stack that talks to itself is bounded
 * like any other.
 *
 * Unfinished transport checksums are taken and given as they are: nothing can be damaged here. */

#include <assert.h>
#include <base/list.h>
#include <net/internal.h>
#include <string.h>

struct item {
    struct list_node node;
    struct weir_frame frame;
    size_t bytes;     /* of this allocation */
    uint64_t words[]; /* the packet */
};

struct loopback {
    struct weir_link link; /* first: the link is the loopback */
    struct alloc *alloc;
    struct item *lent;
    struct list_node staged, ready, taken;
    size_t bytes;
};

static struct loopback *loopback_of(struct weir_link *link)
{
    return (struct loopback *)(void *)link;
}

static void item_free(struct loopback *loopback, struct item *item)
{
    loopback->bytes -= item->bytes;
    alloc_put(loopback->alloc, item, item->bytes);
}

static void list_free(struct loopback *loopback, struct list_node *list)
{
    struct list_node *node;

    while ((node = list_pop(list)) != NULL)
        item_free(loopback, LIST_ENTRY(node, struct item, node));
}

static int loopback_begin(struct weir_link *link, size_t bytes, weir_time now,
                          struct weir_frame *frame)
{
    struct loopback *loopback = loopback_of(link);
    size_t size = sizeof(struct item) + bytes;
    struct item *item;

    (void)now;
    assert(!loopback->lent);
    if (bytes > NET_LOOPBACK_MTU)
        return WEIR_EMSGSIZE;
    if (loopback->bytes + size > NET_LOOPBACK_QUEUE_BYTES)
        return WEIR_EAGAIN;
    item = alloc_get(loopback->alloc, size);
    if (!item)
        return WEIR_EAGAIN;
    item->bytes = size;
    loopback->bytes += size;
    loopback->lent = item;
    *frame = (struct weir_frame){.data = (uint8_t *)item->words, .length = (uint32_t)bytes};
    return 0;
}

static void loopback_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct loopback *loopback = loopback_of(link);

    (void)now;
    assert(loopback->lent && (uint8_t *)loopback->lent->words == frame->data);
    loopback->lent->frame = *frame;
    loopback->lent->frame.tag = 0;
    list_add_tail(&loopback->staged, &loopback->lent->node);
    loopback->lent = NULL;
}

static void loopback_abort(struct weir_link *link, const struct weir_frame *frame)
{
    struct loopback *loopback = loopback_of(link);

    (void)frame;
    assert(loopback->lent);
    item_free(loopback, loopback->lent);
    loopback->lent = NULL;
}

static int loopback_flush(struct weir_link *link, weir_time now)
{
    struct loopback *loopback = loopback_of(link);
    struct list_node *node;

    (void)now;
    while ((node = list_pop(&loopback->staged)) != NULL)
        list_add_tail(&loopback->ready, node);
    return 0;
}

static int loopback_receive(struct weir_link *link, struct weir_frame *frames, int max,
                            weir_time now)
{
    struct loopback *loopback = loopback_of(link);
    int count = 0;

    (void)now;
    list_free(loopback, &loopback->taken);
    while (count < max && !list_is_empty(&loopback->ready)) {
        struct list_node *node = list_pop(&loopback->ready);

        frames[count++] = LIST_ENTRY(node, struct item, node)->frame;
        list_add_tail(&loopback->taken, node);
    }
    return count;
}

static bool loopback_ready(struct weir_link *link, weir_time now)
{
    struct loopback *loopback = loopback_of(link);

    (void)now;
    return loopback->bytes + sizeof(struct item) + NET_LOOPBACK_MTU <= NET_LOOPBACK_QUEUE_BYTES;
}

/* Long past while frames wait to be received, that is: at once. */
static weir_time loopback_deadline(struct weir_link *link)
{
    return list_is_empty(&loopback_of(link)->ready) ? WEIR_NEVER : INT64_MIN;
}

static int loopback_fd(struct weir_link *link)
{
    (void)link;
    return -1;
}

static void loopback_destroy(struct weir_link *link)
{
    struct loopback *loopback = loopback_of(link);

    if (loopback->lent)
        item_free(loopback, loopback->lent);
    list_free(loopback, &loopback->staged);
    list_free(loopback, &loopback->ready);
    list_free(loopback, &loopback->taken);
    alloc_put(loopback->alloc, loopback, sizeof(*loopback));
}

struct weir_link *net_loopback_create(struct alloc *alloc)
{
    static const struct weir_link_ops ops = {
        .name = "loopback",
        .begin = loopback_begin,
        .commit = loopback_commit,
        .abort = loopback_abort,
        .flush = loopback_flush,
        .receive = loopback_receive,
        .ready = loopback_ready,
        .deadline = loopback_deadline,
        .fd = loopback_fd,
        .destroy = loopback_destroy,
    };
    struct loopback *loopback = alloc_get_zeroed(alloc, sizeof(*loopback));

    if (!loopback)
        return NULL;
    loopback->link.ops = &ops;
    loopback->link.mtu = NET_LOOPBACK_MTU;
    loopback->link.l2 = WEIR_L2_IP;
    loopback->link.csum_partial = true;
    loopback->alloc = alloc;
    list_init(&loopback->staged);
    list_init(&loopback->ready);
    list_init(&loopback->taken);
    return &loopback->link;
}
