/* SPDX-License-Identifier: MIT */

/* The wrapper that makes a good link bad: rate, delay, jitter, a bounded queue, loss, burst loss,
 * corruption, duplication, reordering, on the sending side; receive passes through.
 *
 * Problem: the fate of every packet must follow from the seed and the times of the calls alone, and
 * what is held back must cost nothing while it waits.
 *
 * Idea: begin lends a packet of our own; commit throws the dice and pushes what survives on a heap
 * ordered by (release time, sequence). Whatever is due moves on to the inner link, staged at commit
 * and transmitted at flush. deadline() is the earliest release. There is one generator per effect,
 * so that switching one effect on does not change what another does.
 *
 *   commit: queue limit → loss → burst → corrupt → duplicate → [rate → delay → jitter → reorder]
 *                                                                  for each copy
 *
 * The rate is a clock, not a bucket: `busy_until` is when the last packet has left the wire;
 * fractions of a nanosecond are carried over, so that the rate is exact in the long run. Jitter
 * keeps the order: nothing is released before what was sent earlier (`last_release`), unless
 * `reorder` picks it out. A burst of losses has a geometric length of the given mean.
 *
 * Invariants: held ≤ queue_packets when a packet is admitted (a packet that is due at once passes
 * through the heap too). There is always a packet to lend (`spare`), so that want of memory at
 * commit loses a packet and nothing else. If the inner link is full when something falls due, it
 * stays on the heap (`blocked`): begin then refuses, ready() and deadline() ask the inner link, and
 * nobody spins. With all values zero and nothing held, begin lends the inner link's own frame.
 *
 * Limits: packets are impaired whole, so the wrapper takes no gso frames and no partial checksums
 * (a bit flipped under a partial sum would be summed over, and never be found). */

#include <assert.h>
#include <base/random.h>
#include <link/held.h>
#include <link/impair.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

#define HEADROOM 64u
#define ETHERNET_EXTRA 18u
#define QUEUE_DEFAULT 1000u
#define BURST_LENGTH_DEFAULT 5.0
#define POOL_MAX 64u

/* Numbers of the generators, fixed: they are part of what a seed means. */
enum effect { LOSS, BURST, CORRUPT, DUPLICATE, JITTER, REORDER, EFFECT_COUNT };

/* A packet that we lend or hold; `room` bytes follow. */
struct packet {
    struct packet *next; /* in the pool */
    struct weir_frame frame;
    uint8_t bytes[];
};

struct impair {
    struct weir_link link;
    struct weir_link *inner;
    struct weir_impair set, given; /* with defaults in place of zeros; as it was given */
    struct weir_impair_counts counts;
    struct random random[EFFECT_COUNT];

    struct held held;

    struct packet *spare; /* lent next; never NULL */
    struct packet *pool;
    uint32_t pool_count;
    uint32_t room; /* bytes of a packet behind its headroom */

    weir_time now; /* of the last call on the sending side */
    weir_time busy_until;
    double busy_fraction; /* of a nanosecond, 0..1 */
    weir_time last_release;
    bool in_burst;
    bool is_lent;
    bool is_inner_lent;
    bool is_blocked; /* the inner link was full for something due */
};

static struct impair *impair_of(struct weir_link *link)
{
    return (struct impair *)(void *)link;
}

/* ---- Packets ---------------------------------------------------------------------------------- */

static struct packet *packet_get(struct impair *impair)
{
    struct packet *packet = impair->pool;

    if (!packet)
        return malloc(sizeof(*packet) + HEADROOM + impair->room);
    impair->pool = packet->next;
    impair->pool_count--;
    return packet;
}

static void packet_put(struct impair *impair, struct packet *packet)
{
    if (impair->pool_count == POOL_MAX) {
        free(packet);
        return;
    }
    packet->next = impair->pool;
    impair->pool = packet;
    impair->pool_count++;
}

/* ---- Release: from the heap to the inner link ---------------------------------------------------- */

/* Stages one packet on the inner link. Returns false if that is full. */
static bool release_one(struct impair *impair, const struct weir_frame *source, weir_time now)
{
    struct weir_link *inner = impair->inner;
    struct weir_frame frame, lent;
    int error = inner->ops->begin(inner, source->length, now, &lent);

    if (error == WEIR_EAGAIN)
        return false;
    if (error != 0)
        return true; /* never sendable: lost */
    memcpy(lent.data, source->data, source->length);
    frame = *source;
    frame.data = lent.data;
    frame.headroom = lent.headroom;
    inner->ops->commit(inner, &frame, now);
    impair->counts.sent++;
    impair->counts.bytes += source->length;
    return true;
}

/* Stages whatever is due. */
static void release_due(struct impair *impair, weir_time now)
{
    impair->is_blocked = false;
    while (held_first(&impair->held) <= now) {
        struct packet *packet = impair->held.heap[0].object;

        if (!release_one(impair, &packet->frame, now)) {
            impair->is_blocked = true;
            break;
        }
        held_pop(&impair->held);
        packet_put(impair, packet);
    }
    impair->link.wants_write = impair->inner->wants_write;
}

/* ---- Fate --------------------------------------------------------------------------------------- */

static bool chance(struct impair *impair, enum effect effect, double probability)
{
    return probability > 0 && random_chance(&impair->random[effect], probability);
}

/* True if the burst process takes this packet. */
static bool is_burst_lost(struct impair *impair)
{
    double length = impair->set.burst_length;

    if (!impair->in_burst)
        impair->in_burst = chance(impair, BURST, impair->set.burst_loss);
    if (!impair->in_burst)
        return false;
    impair->in_burst = chance(impair, BURST, 1.0 - 1.0 / length);
    return true;
}

/* When the last bit of a packet of `length` bytes has left, if it is handed over now. */
static weir_time serialise(struct impair *impair, uint32_t length, weir_time now)
{
    double duration;
    weir_time whole;

    if (impair->set.rate_bps <= 0)
        return now;
    if (impair->busy_until < now) {
        impair->busy_until = now;
        impair->busy_fraction = 0;
    }
    duration = (double)length * 8e9 / impair->set.rate_bps + impair->busy_fraction;
    whole = (weir_time)duration;
    impair->busy_fraction = duration - (double)whole;
    impair->busy_until += whole;
    return impair->busy_until;
}

static weir_time release_time(struct impair *impair, uint32_t length, weir_time now)
{
    const struct weir_impair *set = &impair->set;
    weir_time release = serialise(impair, length, now) + set->delay_ns;

    if (set->jitter_ns > 0) {
        double unit = random_unit(&impair->random[JITTER]);

        release += (weir_time)(unit * (double)(set->jitter_ns + 1));
    }
    if (chance(impair, REORDER, set->reorder)) {
        impair->counts.reordered++;
        return release + set->reorder_ns;
    }
    if (release < impair->last_release)
        release = impair->last_release;
    impair->last_release = release;
    return release;
}

/* Puts `packet` on the heap; it is ours from now on. Returns false if it had to be dropped. */
static bool hold(struct impair *impair, struct packet *packet, weir_time now)
{
    if (impair->held.count >= impair->set.queue_packets || !held_reserve(&impair->held)) {
        impair->counts.queue_drops++;
        packet_put(impair, packet);
        return false;
    }
    held_push(&impair->held, release_time(impair, packet->frame.length, now), packet);
    return true;
}

static void flip_bit(struct impair *impair, struct weir_frame *frame)
{
    uint32_t bit;

    if (frame->length == 0)
        return;
    bit = random_below(&impair->random[CORRUPT], frame->length * 8);
    frame->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    impair->counts.corrupted++;
}

/* A second packet with the same bytes, or NULL. */
static struct packet *copy_of(struct impair *impair, const struct packet *packet)
{
    struct packet *copy = packet_get(impair);

    if (!copy)
        return NULL;
    copy->frame = packet->frame;
    copy->frame.data = copy->bytes + (packet->frame.data - packet->bytes);
    memcpy(copy->frame.data, packet->frame.data, packet->frame.length);
    return copy;
}

/* Decides what becomes of the spare packet, which holds what was committed. Returns true if the
 * packet was kept, and a new spare is in place. */
static bool admit(struct impair *impair, weir_time now)
{
    struct packet *packet = impair->spare, *next, *copy = NULL;

    if (impair->held.count >= impair->set.queue_packets) {
        impair->counts.queue_drops++;
        return false;
    }
    if (chance(impair, LOSS, impair->set.loss)) {
        impair->counts.lost++;
        return false;
    }
    if (is_burst_lost(impair)) {
        impair->counts.burst_lost++;
        return false;
    }
    next = packet_get(impair);
    if (!next) {
        impair->counts.queue_drops++;
        return false;
    }
    impair->spare = next;
    if (chance(impair, CORRUPT, impair->set.corrupt))
        flip_bit(impair, &packet->frame);
    if (chance(impair, DUPLICATE, impair->set.duplicate))
        copy = copy_of(impair, packet);
    if (hold(impair, packet, now) && copy && hold(impair, copy, now))
        impair->counts.duplicated++;
    return true;
}

/* ---- The contract ------------------------------------------------------------------------------ */

static bool is_idle(const struct weir_impair *set)
{
    return set->loss <= 0 && set->burst_loss <= 0 && set->corrupt <= 0 && set->duplicate <= 0 &&
           set->reorder <= 0 && set->delay_ns == 0 && set->jitter_ns == 0 && set->rate_bps <= 0;
}

static bool impair_ready(struct weir_link *link, weir_time now)
{
    struct impair *impair = impair_of(link);

    impair->now = now;
    if (impair->is_blocked)
        release_due(impair, now);
    if (impair->is_blocked)
        return false;
    return impair->held.count > 0 || !is_idle(&impair->set) ||
           impair->inner->ops->ready(impair->inner, now);
}

static int begin_through(struct impair *impair, size_t bytes, weir_time now,
                         struct weir_frame *frame)
{
    int error = impair->inner->ops->begin(impair->inner, bytes, now, frame);

    if (error == WEIR_EAGAIN) {
        impair->link.refused = true;
        impair->link.wants_write = impair->inner->wants_write;
    }
    impair->is_lent = impair->is_inner_lent = error == 0;
    return error;
}

static int impair_begin(struct weir_link *link, size_t bytes, weir_time now,
                        struct weir_frame *frame)
{
    struct impair *impair = impair_of(link);

    assert(!impair->is_lent);
    impair->now = now;
    if (bytes > impair->room)
        return WEIR_EMSGSIZE;
    if (impair->is_blocked)
        release_due(impair, now);
    if (impair->is_blocked) {
        link->refused = true;
        return WEIR_EAGAIN;
    }
    if (impair->held.count == 0 && is_idle(&impair->set))
        return begin_through(impair, bytes, now, frame);
    impair->is_lent = true;
    impair->is_inner_lent = false;
    *frame = (struct weir_frame){
        .data = impair->spare->bytes + HEADROOM, .length = (uint32_t)bytes, .headroom = HEADROOM};
    return 0;
}

static void impair_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    struct impair *impair = impair_of(link);

    assert(impair->is_lent);
    impair->is_lent = false;
    impair->now = now;
    if (impair->is_inner_lent) {
        impair->inner->ops->commit(impair->inner, frame, now);
        impair->counts.sent++;
        impair->counts.bytes += frame->length;
        return;
    }
    assert(frame->data >= impair->spare->bytes);
    assert(frame->data + frame->length <= impair->spare->bytes + HEADROOM + impair->room);
    impair->spare->frame = *frame;
    if (admit(impair, now))
        release_due(impair, now);
}

static void impair_abort(struct weir_link *link, const struct weir_frame *frame)
{
    struct impair *impair = impair_of(link);

    assert(impair->is_lent);
    impair->is_lent = false;
    if (impair->is_inner_lent)
        impair->inner->ops->abort(impair->inner, frame);
}

static int impair_flush(struct weir_link *link, weir_time now)
{
    struct impair *impair = impair_of(link);
    int error;

    impair->now = now;
    release_due(impair, now);
    error = impair->inner->ops->flush(impair->inner, now);
    if (impair->is_blocked) { /* the flush may have made room */
        release_due(impair, now);
        if (!impair->is_blocked && error == 0)
            error = impair->inner->ops->flush(impair->inner, now);
    }
    link->wants_write = impair->inner->wants_write;
    return error;
}

static int impair_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    struct weir_link *inner = impair_of(link)->inner;

    return inner->ops->receive(inner, frames, max, now);
}

static weir_time impair_deadline(struct weir_link *link)
{
    struct impair *impair = impair_of(link);
    struct weir_link *inner = impair->inner;
    weir_time deadline = inner->ops->deadline(inner);

    if (impair->is_blocked && !inner->ops->ready(inner, impair->now))
        return deadline;
    return held_first(&impair->held) < deadline ? held_first(&impair->held) : deadline;
}

static int impair_fd(struct weir_link *link)
{
    struct weir_link *inner = impair_of(link)->inner;

    return inner->ops->fd(inner);
}

/* Frees everything but the inner link. */
static void impair_free(struct impair *impair)
{
    struct packet *packet;

    while ((packet = impair->pool) != NULL) {
        impair->pool = packet->next;
        free(packet);
    }
    for (uint32_t index = 0; index < impair->held.count; index++)
        free(impair->held.heap[index].object);
    held_done(&impair->held);
    free(impair->spare);
    free(impair);
}

static void impair_destroy(struct weir_link *link)
{
    struct weir_link *inner = impair_of(link)->inner;

    impair_free(impair_of(link));
    inner->ops->destroy(inner);
}

static const struct weir_link_ops impair_ops = {
    .name = "impair",
    .begin = impair_begin,
    .commit = impair_commit,
    .abort = impair_abort,
    .flush = impair_flush,
    .receive = impair_receive,
    .ready = impair_ready,
    .deadline = impair_deadline,
    .fd = impair_fd,
    .destroy = impair_destroy,
};

/* ---- Values ------------------------------------------------------------------------------------- */

/* Takes the values over, with the defaults in place of zeros. */
static void take(struct impair *impair, const struct weir_impair *set)
{
    impair->set = impair->given = *set;
    if (set->burst_length == 0)
        impair->set.burst_length = BURST_LENGTH_DEFAULT;
    if (set->queue_packets == 0)
        impair->set.queue_packets = QUEUE_DEFAULT;
    if (set->reorder_ns == 0)
        impair->set.reorder_ns = set->delay_ns / 2 > WEIR_MS ? set->delay_ns / 2 : WEIR_MS;
    if (set->burst_loss <= 0)
        impair->in_burst = false;
}

static void seed(struct impair *impair)
{
    for (uint64_t effect = 0; effect < EFFECT_COUNT; effect++)
        random_init_u64(&impair->random[effect], impair->set.seed, effect);
}

struct weir_link *weir_impair_create(struct weir_link *inner, const struct weir_impair *set)
{
    struct impair *impair;

    if (!impair_is_valid(set))
        return NULL;
    impair = calloc(1, sizeof(*impair));
    if (!impair)
        return NULL;
    impair->link = (struct weir_link){.ops = &impair_ops, .mtu = inner->mtu, .l2 = inner->l2};
    impair->inner = inner;
    impair->room = inner->mtu + (inner->l2 == WEIR_L2_ETHERNET ? ETHERNET_EXTRA : 0);
    impair->last_release = INT64_MIN;
    impair->busy_until = INT64_MIN;
    impair->spare = packet_get(impair);
    if (!impair->spare) {
        impair_free(impair);
        return NULL;
    }
    take(impair, set);
    seed(impair);
    return &impair->link;
}

int weir_impair_set(struct weir_link *link, const struct weir_impair *set)
{
    struct impair *impair = impair_of(link);
    uint64_t old_seed = impair->set.seed;

    assert(link->ops == &impair_ops);
    if (!impair_is_valid(set))
        return WEIR_EINVAL;
    take(impair, set);
    if (set->seed != old_seed)
        seed(impair);
    return 0;
}

void weir_impair_get(const struct weir_link *link, struct weir_impair *set)
{
    assert(link->ops == &impair_ops);
    *set = ((const struct impair *)(const void *)link)->given;
}

void weir_impair_counts(const struct weir_link *link, struct weir_impair_counts *counts)
{
    assert(link->ops == &impair_ops);
    *counts = ((const struct impair *)(const void *)link)->counts;
}
