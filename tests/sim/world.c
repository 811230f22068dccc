/* SPDX-License-Identifier: MIT */

/* A world from its seed to its verdict: settings, topology, faults and transfers are drawn from one
 * generator, in this order; then virtual time runs until all transfers have ended, something is
 * found broken, or the budget of virtual time is used up. */

#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/packet.h>

#define BUDGET (2 * 3600 * WEIR_SECOND)

void world_fail(struct world *w, const char *format, ...)
{
    va_list arguments;

    if (w->reason[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(w->reason, sizeof(w->reason), format, arguments);
    va_end(arguments);
    weir_sim_stop(w->sim);
}

uint32_t world_between(struct world *w, uint32_t from, uint32_t to)
{
    return from + random_below(&w->random, to - from + 1);
}

/* Any profile, with enough retries that the weather alone ends no connection. */
static void draw_settings(struct world *w)
{
    static const enum weir_profile profiles[] = {WEIR_PROFILE_DEFAULT, WEIR_PROFILE_STRICT,
                                                 WEIR_PROFILE_BROWN};

    weir_profile(profiles[world_between(w, 0, 2)], &w->tcp);
    w->tcp.r2_retries = 15;
    w->tcp.syn_r2_retries = 15;
    w->tcp.r2_time = 200 * WEIR_SECOND;
    w->tcp.syn_r2_time = 200 * WEIR_SECOND;
    w->tcp.nagle = world_between(w, 0, 1) == 1;
    if (world_between(w, 0, 2) == 0) {
        w->tcp.receive_buffer = world_between(w, 2048, 30000);
        w->tcp.send_buffer = world_between(w, 2048, 30000);
    }
    if (world_between(w, 0, 3) == 0)
        w->tcp.ooo_ranges_max = world_between(w, 1, 4);
}

static void print(const struct world *w)
{
    printf("seed %llu: %d hosts, %d routers (%s), %d networks, %d connections%s\n",
           (unsigned long long)w->seed, w->host_count, w->router_count,
           w->uses_rip ? "RIP" : "static", w->network_count, w->connection_count,
           w->has_dead_link ? ", a dead link" : "");
    for (int i = 0; i < w->connection_count; i++)
        for (int side = 0; side < 2; side++) {
            const struct end *end = &w->connections[i].ends[side];

            printf("  %d %s node %d: sent %u/%u received %u/%u %s%s%s%s%s\n", i,
                   side ? "server" : "client", end->node, end->sent, end->to_send, end->received,
                   end->to_receive, end->exists ? "" : "never opened ", end->has_eof ? "eof " : "",
                   end->has_closed ? "closed " : "", end->is_gone ? "gone " : "",
                   end->error ? weir_error_name(end->error) : "");
        }
}

/* What each node dropped, and why. */
static void print_drops(struct world *w)
{
    for (int node = 0; node < w->node_count; node++) {
        const struct weir_counters *counters = weir_inspect_counters(weir_sim_stack(w->sim, node));

        for (int i = 1; i < WEIR_DROP_COUNT; i++)
            if (counters->drop[i] > 0)
                printf("  node %d dropped %llu: %s\n", node, (unsigned long long)counters->drop[i],
                       weir_drop_name((enum weir_drop)i));
    }
}

static void sum_up(struct world *w, struct verdict *verdict)
{
    for (int node = 0; node < w->node_count; node++) {
        const struct weir_counters *counters = weir_inspect_counters(weir_sim_stack(w->sim, node));

        verdict->hash = verdict->hash * 0x9e3779b97f4a7c15u + weir_sim_trace_hash(w->sim, node);
        verdict->packets += counters->counter[WEIR_COUNT_PACKETS_IN];
    }
    verdict->duration = weir_sim_now(w->sim);
}

/* One line for each packet that arrives anywhere. */
static void trace(void *context, struct weir_sim *sim, int node, int iface,
                  const struct weir_frame *frame)
{
    char text[WEIR_PACKET_TEXT];
    struct weir_packet packet;

    (void)context;
    if (weir_packet_parse(frame->data, frame->length, &packet) != 0)
        snprintf(text, sizeof(text), "no packet");
    else
        weir_packet_print(&packet, text, sizeof(text));
    printf("%14.6f node %d if%d %s\n", (double)weir_sim_now(sim) / 1e9, node, iface, text);
}

void world_run(uint64_t seed, int verbosity, struct verdict *verdict)
{
    struct world *w = calloc(1, sizeof(*w));
    const char *broken;

    assert(w != NULL);
    memset(verdict, 0, sizeof(*verdict));
    w->seed = seed;
    w->verbosity = verbosity;
    random_init_u64(&w->random, seed, 0x776f726c64);
    w->sim = weir_sim_create(seed);
    assert(w->sim != NULL);
    draw_settings(w);
    topology_build(w);
    transfers_plan(w);
    faults_schedule(w);
    if (verbosity > 1)
        weir_sim_on_packet(w->sim, trace, NULL);
    broken = weir_sim_run(w->sim, BUDGET);
    if (broken != NULL)
        world_fail(w, "%s", broken);
    sum_up(w, verdict);
    transfers_judge(w, verdict);
    if (verbosity > 0) {
        print(w);
        print_drops(w);
    }
    verdict->is_good = w->reason[0] == '\0';
    memcpy(verdict->reason, w->reason, sizeof(verdict->reason));
    weir_sim_destroy(w->sim);
    free(w);
}
