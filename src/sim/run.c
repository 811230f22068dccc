/* SPDX-License-Identifier: MIT */

/* The loop of the simulator: steps of nodes and timers in their order, and what is checked.
 *
 * A step of a node: flush its links that are due, take one batch of frames from each interface, poll
 * if a frame came or the stack has something to do, drain the events; then look at the networks that
 * were touched, wake the nodes at whose ports frames wait, and tell those that a full link has room
 * again.
 *
 * The next time of a node is read afresh after each of its steps: at once if frames wait or poll
 * left work over, else the least of its stack's and its links' deadlines. Other nodes are only ever
 * moved to "now".
 *
 * Checked always: budgets; that poll leaves no deadline that is not in the future unless it says so
 * or a link is full; that no instant takes more than a million steps, for a livelock would hang in
 * virtual time. Checked after each step if asked, else at the end of a run: weir_inspect_check.
 *
 * The trace of a node chains, for each packet it receives, time, interface, length and a 64-bit mix
 * of all bytes under siphash. The mix is no secret hash: it has to be fast, to depend on every bit,
 * and to be the same on every machine. */

#include <base/siphash.h>
#include <sim/internal.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 64
#define STEPS_MAX 1000000u /* in one instant */

/* ---- What is checked --------------------------------------------------------------------------- */

void sim_complain(struct weir_sim *sim, int node, const char *what)
{
    if (sim->broken[0] != '\0')
        return;
    snprintf(sim->broken, sizeof(sim->broken), "node %d at %lld.%09lld s: %s", node,
             (long long)(sim->now / WEIR_SECOND), (long long)(sim->now % WEIR_SECOND), what);
}

static void check_node(struct weir_sim *sim, const struct node *node)
{
    const char *what = weir_inspect_check(node->stack, sim->now);

    if (what != NULL)
        sim_complain(sim, node->number, what);
}

static void check_budget(struct weir_sim *sim, const struct node *node)
{
    if (!weir_inspect_is_within_budget(node->stack))
        sim_complain(sim, node->number, "more memory in use than the budget allows");
}

static bool has_refused(const struct node *node)
{
    for (int i = 0; i < node->iface_count; i++)
        if (node->ifaces[i]->tap.refused)
            return true;
    return false;
}

static void check_deadline(struct weir_sim *sim, const struct node *node)
{
    if (weir_stack_deadline(node->stack) <= sim->now && !has_refused(node))
        sim_complain(sim, node->number, "poll left a deadline that is not in the future");
}

static void count_step(struct weir_sim *sim, int node)
{
    if (sim->instant != sim->now) {
        sim->instant = sim->now;
        sim->steps = 0;
    }
    if (++sim->steps > STEPS_MAX)
        sim_complain(sim, node, "stuck: a million steps in the same instant");
}

/* ---- The trace ---------------------------------------------------------------------------------- */

/* Fewer than eight bytes. */
static uint64_t load_rest(const uint8_t *bytes, uint32_t length)
{
    uint64_t word = 0;

    for (uint32_t i = 0; i < length; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

/* Eight bytes, written out so that compilers see one load. */
static inline uint64_t load(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

static uint64_t stir(uint64_t lane, uint64_t word)
{
    lane = (lane ^ word) * 0x9e3779b97f4a7c15u;
    return lane ^ (lane >> 29);
}

/* Four lanes, so that the multiplications overlap. */
static uint64_t mix(const uint8_t *bytes, uint32_t length)
{
    uint64_t a = 1, b = 2, c = 3, d = 4;

    for (; length >= 32; bytes += 32, length -= 32) {
        a = stir(a, load(bytes));
        b = stir(b, load(bytes + 8));
        c = stir(c, load(bytes + 16));
        d = stir(d, load(bytes + 24));
    }
    for (; length >= 8; bytes += 8, length -= 8)
        a = stir(a, load(bytes));
    b = stir(b, load_rest(bytes, length));
    return stir(stir(a, b), stir(c, d));
}

static void trace(struct node *node, int iface, const struct weir_frame *frame, weir_time now)
{
    static const struct siphash_key key = {0x7765697220736974, 0x7472616365206f66};
    uint64_t words[4] = {node->trace, (uint64_t)now, ((uint64_t)iface << 32) | frame->length,
                         mix(frame->data, frame->length)};
    uint8_t bytes[sizeof(words)];

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(words[i / 8] >> (8 * (i % 8)));
    node->trace = siphash(&key, bytes, sizeof(bytes));
}

/* ---- A step ------------------------------------------------------------------------------------- */

static weir_time link_deadline(const struct iface *iface)
{
    return iface->inner->ops->deadline(iface->inner);
}

static void flush_due(struct weir_sim *sim, struct node *node)
{
    for (int i = 0; i < node->iface_count; i++) {
        struct iface *iface = node->ifaces[i];

        if (link_deadline(iface) <= sim->now) {
            iface->inner->ops->flush(iface->inner, sim->now);
            sim_mark(sim, iface->network);
        }
    }
}

/* Returns whether anything came. */
static bool receive(struct weir_sim *sim, struct node *node, struct iface *iface)
{
    struct weir_frame frames[BATCH];
    int count;

    if (weir_hub_pending(iface->network->hub, iface->port) == 0)
        return false;
    count = iface->inner->ops->receive(iface->inner, frames, BATCH, sim->now);
    for (int i = 0; i < count; i++) {
        trace(node, iface->index, &frames[i], sim->now);
        if (sim->on_packet != NULL)
            sim->on_packet(sim->packet_context, sim, node->number, iface->index, &frames[i]);
    }
    if (count <= 0)
        return false;
    weir_stack_input(node->stack, iface->index, frames, count, sim->now);
    sim_mark(sim, iface->network);
    return true;
}

static void drain_events(struct weir_sim *sim, struct node *node)
{
    struct weir_event event;

    while (sim->broken[0] == '\0' && weir_stack_next_event(node->stack, &event)) {
        count_step(sim, node->number);
        if (sim->on_event != NULL)
            sim->on_event(sim->event_context, sim, node->number, &event);
    }
}

void sim_mark(struct weir_sim *sim, struct network *network)
{
    if (network->is_marked)
        return;
    network->is_marked = true;
    network->next_marked = sim->marked;
    sim->marked = network;
}

static void look_at_port(struct weir_sim *sim, struct iface *iface)
{
    struct weir_link *tap = &iface->tap;
    bool is_wanted =
        weir_hub_pending(iface->network->hub, iface->port) > 0 || link_deadline(iface) <= sim->now;

    if (tap->refused && tap->ops->ready(tap, sim->now)) {
        tap->refused = false;
        iface->inner->refused = false;
        weir_stack_link_ready(iface->node->stack, iface->index);
        is_wanted = true;
    }
    if (is_wanted)
        agenda_put(&sim->agenda, &iface->node->entry, sim->now);
}

static void look_at_marked(struct weir_sim *sim)
{
    struct network *network;

    while ((network = sim->marked) != NULL) {
        sim->marked = network->next_marked;
        network->is_marked = false;
        for (unsigned i = 0; i < network->joined; i++)
            look_at_port(sim, network->ports[i]);
    }
}

static weir_time next_time(const struct weir_sim *sim, const struct node *node)
{
    weir_time next = weir_stack_deadline(node->stack);

    for (int i = 0; i < node->iface_count; i++) {
        const struct iface *iface = node->ifaces[i];
        weir_time deadline = link_deadline(iface);

        if (weir_hub_pending(iface->network->hub, iface->port) > 0)
            return sim->now;
        if (deadline < next)
            next = deadline;
    }
    return next > sim->now ? next : sim->now;
}

/* Lets the stack send what is due. Returns whether it has more to send at once. */
static bool poll_stack(struct weir_sim *sim, struct node *node)
{
    bool has_left = weir_stack_poll(node->stack, sim->now, 0);

    if (!has_left)
        check_deadline(sim, node);
    check_budget(sim, node);
    return has_left;
}

static void step(struct weir_sim *sim, struct node *node)
{
    bool is_concerned = false, has_left = false;

    count_step(sim, node->number);
    flush_due(sim, node);
    for (int i = 0; i < node->iface_count; i++)
        is_concerned |= receive(sim, node, node->ifaces[i]);
    /* Most steps only move what a link has held back: the stack need not hear of that. */
    if (is_concerned || weir_stack_deadline(node->stack) <= sim->now)
        has_left = poll_stack(sim, node);
    if (sim->is_checking)
        check_node(sim, node);
    drain_events(sim, node);
    look_at_marked(sim);
    agenda_put(&sim->agenda, &node->entry, has_left ? sim->now : next_time(sim, node));
}

/* ---- The loop ----------------------------------------------------------------------------------- */

static void fire(struct weir_sim *sim, struct timer *timer)
{
    agenda_put(&sim->agenda, &timer->entry, WEIR_NEVER);
    sim->timer_count--;
    count_step(sim, -1);
    timer->fn(timer->context, sim, sim->now);
    free(timer);
}

int weir_sim_at(struct weir_sim *sim, weir_time at, weir_sim_timer_fn *fn, void *context)
{
    struct timer *timer;

    if (at == WEIR_NEVER)
        return 0;
    timer = malloc(sizeof(*timer));
    if (timer == NULL ||
        !agenda_reserve(&sim->agenda, (uint32_t)sim->node_count + sim->timer_count + 1)) {
        free(timer);
        return WEIR_ENOMEM;
    }
    agenda_entry_init(&timer->entry, SIM_TIMER_RANK, sim->timer_sequence++);
    timer->fn = fn;
    timer->context = context;
    sim->timer_count++;
    agenda_put(&sim->agenda, &timer->entry, at > sim->now ? at : sim->now);
    return 0;
}

void weir_sim_touch(struct weir_sim *sim, int node)
{
    agenda_put(&sim->agenda, &sim->nodes[node]->entry, sim->now);
}

void weir_sim_stop(struct weir_sim *sim)
{
    sim->is_stopped = true;
}

static void hand_out_journal(struct weir_sim *sim, size_t least)
{
    if (sim->journal != NULL && sim->journal->used > least)
        sim->on_journal(sim->journal_context, sim, sim->journal);
}

static void run_first(struct weir_sim *sim, struct agenda_entry *entry)
{
    if (entry->at > sim->now)
        sim->now = entry->at;
    if (entry->rank == SIM_TIMER_RANK)
        fire(sim, (struct timer *)(void *)entry);
    else
        step(sim, sim->nodes[entry->rank]);
}

const char *weir_sim_run(struct weir_sim *sim, weir_time until)
{
    struct agenda_entry *entry = agenda_first(&sim->agenda);

    sim->is_stopped = false;
    while (entry != NULL && entry->at <= until && !sim->is_stopped && sim->broken[0] == '\0') {
        run_first(sim, entry);
        if (sim->journal != NULL)
            hand_out_journal(sim, sim->journal->size / 2);
        entry = agenda_first(&sim->agenda);
    }
    if (!sim->is_stopped && sim->broken[0] == '\0' && until != WEIR_NEVER && until > sim->now)
        sim->now = until;
    hand_out_journal(sim, 0);
    for (int i = 0; i < sim->node_count && sim->broken[0] == '\0'; i++)
        check_node(sim, sim->nodes[i]);
    return sim->broken[0] == '\0' ? NULL : sim->broken;
}
