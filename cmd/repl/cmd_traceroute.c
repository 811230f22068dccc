/* SPDX-License-Identifier: MIT */

/* traceroute: echo requests with rising TTL; each router on the way reports the one that ran out at
 * it. TRIES requests a hop, at most HOPS_MAX hops; a silent hop is shown as `*`. */

#include <cmd/repl/commands.h>
#include <cmd/repl/probe.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <stdio.h>

#define HOPS_MAX 30
#define TRIES 3
#define HOP_TIMEOUT WEIR_SECOND
#define ICMP_UNREACHABLE 3
#define ICMP_TIME_EXCEEDED 11

struct hop {
    char text[256];
    size_t used;
    bool named; /* the address is in the text */
    struct weir_addr from;
    bool last;
};

static void append(struct hop *hop, const char *text)
{
    int length = snprintf(hop->text + hop->used, sizeof hop->text - hop->used, "%s", text);

    if (length > 0 && hop->used + (size_t)length < sizeof hop->text)
        hop->used += (size_t)length;
}

static void add_answer(struct hop *hop, const struct probe_answer *answer)
{
    char text[WEIR_ADDR_TEXT + 32], from[WEIR_ADDR_TEXT];

    if (!answer->came) {
        append(hop, "  *");
        return;
    }
    if (!hop->named || !weir_addr_equal(&hop->from, &answer->from)) {
        snprintf(text, sizeof text, "  %s", weir_addr_print(&answer->from, from));
        append(hop, text);
    }
    hop->named = true;
    hop->from = answer->from;
    snprintf(text, sizeof text, "  %.3f ms%s", (double)answer->rtt / 1e6,
             answer->icmp_type == ICMP_UNREACHABLE ? " !" : "");
    append(hop, text);
    hop->last = hop->last || answer->icmp_type != ICMP_TIME_EXCEEDED;
}

/* Returns false when the way ends here. */
static bool trace_hop(struct repl *repl, struct probe *probe, uint8_t ttl)
{
    struct hop hop = {"", 0, false, {{0}, 0}, false};
    unsigned i;
    int result;

    snprintf(hop.text, sizeof hop.text, "%2u", ttl);
    hop.used = 2;
    for (i = 0; i < TRIES && repl_may_wait(repl); i++) {
        result = probe_run(repl, probe, ttl, HOP_TIMEOUT);
        if (result) {
            repl_fail(repl, "Error during traceroute: %s", print_error(result));
            return false;
        }
        add_answer(&hop, &probe->answer);
    }
    repl_say(repl, "%s", hop.text);
    return !hop.last && repl_may_wait(repl);
}

void cmd_traceroute(struct repl *repl, const struct args *args)
{
    struct weir_addr to;
    struct probe probe;
    uint8_t ttl = 1;
    int result;

    if (!word_addr(repl, args->word[1], &to))
        return;
    result = probe_open(repl, &probe, &to);
    if (result) {
        repl_fail(repl, "Error during traceroute: %s", print_error(result));
        return;
    }
    while (trace_hop(repl, &probe, ttl) && ttl < HOPS_MAX)
        ttl++;
    probe_close(repl, &probe);
}
