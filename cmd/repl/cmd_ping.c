/* SPDX-License-Identifier: MIT */

/* ping: echo requests, one a second, and what comes back. Blocks the prompt until the last answer,
 * or Ctrl-C; then sums up. */

#include <cmd/repl/commands.h>
#include <cmd/repl/probe.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

#define PING_COUNT 4
#define PING_COUNT_MAX 100000
#define PING_INTERVAL WEIR_SECOND
#define PING_TIMEOUT WEIR_SECOND

struct sums {
    unsigned sent, received;
    weir_time least, most, total;
};

static double in_ms(weir_time time)
{
    return (double)time / 1e6;
}

static void print_answer(struct repl *repl, const struct probe *probe, struct sums *sums)
{
    const struct probe_answer *answer = &probe->answer;
    char from[WEIR_ADDR_TEXT];

    weir_addr_print(&answer->from, from);
    if (!answer->came) {
        repl_say(repl, "no answer: seq=%u", probe->sequence);
        return;
    }
    if (answer->icmp_type) {
        repl_say(repl, "%s from %s: seq=%u",
                 answer->icmp_type == 11 ? "TTL ran out" : "unreachable", from, probe->sequence);
        return;
    }
    repl_say(repl, "%ld bytes from %s: seq=%u ttl=%u time=%.3f ms", answer->length, from,
             probe->sequence, answer->ttl, in_ms(answer->rtt));
    if (sums->received == 0 || answer->rtt < sums->least)
        sums->least = answer->rtt;
    if (answer->rtt > sums->most)
        sums->most = answer->rtt;
    sums->total += answer->rtt;
    sums->received++;
}

static void print_sums(struct repl *repl, const struct sums *sums)
{
    repl_say(repl, "%u sent, %u received, %.0f%% lost", sums->sent, sums->received,
             sums->sent ? 100.0 * (sums->sent - sums->received) / sums->sent : 0);
    repl->failed = repl->failed || !sums->received;
    if (sums->received)
        repl_say(repl, "round trip min/avg/max = %.3f/%.3f/%.3f ms", in_ms(sums->least),
                 in_ms(sums->total / sums->received), in_ms(sums->most));
}

static void run(struct repl *repl, struct probe *probe, uint64_t count)
{
    struct sums sums = {0, 0, 0, 0, 0};
    int result;

    while (sums.sent < count && repl_may_wait(repl)) {
        if (sums.sent)
            probe_pause(repl, probe, probe->sent + PING_INTERVAL);
        if (!repl_may_wait(repl))
            break;
        result = probe_run(repl, probe, 0, PING_TIMEOUT);
        if (result) {
            repl_fail(repl, "Error during ping: %s", print_error(result));
            return;
        }
        sums.sent++;
        if (probe->answer.came || repl_may_wait(repl))
            print_answer(repl, probe, &sums);
    }
    print_sums(repl, &sums);
}

void cmd_ping(struct repl *repl, const struct args *args)
{
    struct weir_addr to;
    struct probe probe;
    uint64_t count = PING_COUNT;
    int result;

    if (!word_addr(repl, args->word[1], &to))
        return;
    if (args->word[2] && args_number(args->word[2], 1, PING_COUNT_MAX, &count)) {
        repl_fail(repl, "error: \"%s\": not a count from 1 to %d", args->word[2], PING_COUNT_MAX);
        return;
    }
    result = probe_open(repl, &probe, &to);
    if (result) {
        repl_fail(repl, "Error during ping: %s", print_error(result));
        return;
    }
    run(repl, &probe, count);
    probe_close(repl, &probe);
}
