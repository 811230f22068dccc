/* SPDX-License-Identifier: MIT */

/* What goes wrong in a world: each direction of each link has its own loss, corruption, duplication,
 * reordering, delay, jitter, rate and queue; some links are cut for a while, silently (everything is
 * lost) or with an interface going down; and in one world of eight one link stays cut for ever.
 *
 * Only one direction corrupts: two bits flipped on two links can cancel out in the Internet checksum,
 * and no TCP could notice.
 *
 * The loss is bounded so that a path of five links still lets a connection of 15 retries through:
 * an error is then the stack's fault, not the weather's. Cuts last at most 20 s and the last of them
 * ends within a minute and a half. */

#include "world.h"

#include <assert.h>
#include <stdio.h>

#define CUT_MAX_MS 20000
#define CUT_START_MAX_MS 60000

static double up_to(struct world *w, double max)
{
    return max * random_unit(&w->random);
}

void faults_draw(struct world *w, struct weir_impair *impair)
{
    *impair = (struct weir_impair){0};
    if (world_between(w, 0, 3) == 0)
        return; /* a perfect link */
    if (world_between(w, 0, 1))
        impair->loss = up_to(w, 0.04);
    if (world_between(w, 0, 3) == 0) {
        impair->burst_loss = up_to(w, 0.005);
        impair->burst_length = 2; /* counted in packets: a long one outlives all retries of a SYN */
    }
    if (!w->has_corruption && world_between(w, 0, 3) == 0) {
        impair->corrupt = up_to(w, 0.02);
        w->has_corruption = true;
    }
    if (world_between(w, 0, 3) == 0)
        impair->duplicate = up_to(w, 0.1);
    if (world_between(w, 0, 3) == 0) {
        impair->reorder = up_to(w, 0.2);
        impair->reorder_ns = world_between(w, 1, 20) * WEIR_MS;
    }
    impair->delay_ns = world_between(w, 0, 40) * WEIR_MS;
    if (world_between(w, 0, 1))
        impair->jitter_ns = world_between(w, 0, 10000) * WEIR_US;
    if (world_between(w, 0, 1)) {
        impair->rate_bps = 1e6 * world_between(w, 1, 100);
        impair->queue_packets = world_between(w, 20, 300);
    }
}

static void set_cut(const struct cut *cut, bool is_cut)
{
    struct world *w = cut->world;

    if (w->verbosity > 1)
        printf("%14.6f network %d, place %d: %s\n", (double)weir_sim_now(w->sim) / 1e9,
               cut->network->number, cut->place, is_cut ? "cut" : "whole");
    if (cut->place >= 0) {
        const struct place *place = &cut->network->places[cut->place];

        weir_stack_set_iface_up(weir_sim_stack(w->sim, place->node), place->iface, !is_cut);
        weir_sim_touch(w->sim, place->node);
        return;
    }
    for (int i = 0; i < cut->network->place_count; i++) {
        const struct place *place = &cut->network->places[i];
        struct weir_impair impair = cut->network->impair[i];
        int result;

        if (is_cut)
            impair.loss = 1;
        result = weir_impair_set(weir_sim_link(w->sim, place->node, place->iface), &impair);
        assert(result == 0);
        weir_sim_touch(w->sim, place->node);
    }
}

static void end_cut(void *context, struct weir_sim *sim, weir_time now)
{
    (void)sim;
    (void)now;
    set_cut(context, false);
}

static void begin_cut(void *context, struct weir_sim *sim, weir_time now)
{
    struct cut *cut = context;

    (void)now;
    set_cut(cut, true);
    if (cut->until != WEIR_NEVER)
        weir_sim_at(sim, cut->until, end_cut, cut);
}

static void schedule(struct world *w, bool for_ever)
{
    struct cut *cut = &w->cuts[w->cut_count++];
    weir_time start = world_between(w, 500, CUT_START_MAX_MS) * WEIR_MS;

    if (world_between(w, 0, 1))
        start /= 16; /* early, where most of the data is */
    cut->world = w;
    cut->network = &w->networks[world_between(w, 0, (uint32_t)w->network_count - 1)];
    cut->place = -1;
    if (world_between(w, 0, 1))
        cut->place = (int)world_between(w, 0, (uint32_t)cut->network->place_count - 1);
    cut->until = for_ever ? WEIR_NEVER : start + world_between(w, 50, CUT_MAX_MS) * WEIR_MS;
    weir_sim_at(w->sim, start, begin_cut, cut);
}

void faults_schedule(struct world *w)
{
    w->has_dead_link = world_between(w, 0, 7) == 0;
    if (w->has_dead_link) {
        schedule(w, true); /* alone: the end of another cut would heal it */
        return;
    }
    if (world_between(w, 0, 1))
        for (uint32_t i = world_between(w, 1, CUTS_MAX); i > 0; i--)
            schedule(w, false);
}
