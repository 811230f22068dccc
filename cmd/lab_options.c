/* SPDX-License-Identifier: MIT */

/* The options of the generator, which `weir lab generate` and `weir lab up` share.
 *
 * Numbers are whole, decimal, and checked against what an lnx file takes. Impairments are checked as
 * the lnx parser would, so that a wrong word is told here and not by each node. The constants file is
 * the course's: an object with rip_periodic_update_rate_ms, rip_timeout_threshold_ms, tcp_rto_min_us
 * and tcp_rto_max_us, each of which may be missing; and if there is no such file it is made.
 */

#include <cmd/lab.h>
#include <errno.h>
#include <lab/net/constants.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIME_MAX 86400000ul /* a day in milliseconds; microseconds get as much again */

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "weir lab: \"%.100s\": %s\n", value, what);
    return 2;
}

static int take_number(unsigned *number, const char *value, unsigned long most, const char *what)
{
    char *end;
    unsigned long parsed;

    errno = 0;
    parsed = *value >= '0' && *value <= '9' ? strtoul(value, &end, 10) : 0;
    if (parsed == 0 || *end || errno || parsed > most)
        return complain(what, value);
    *number = (unsigned)parsed;
    return 0;
}

/* Adds words KEY=VALUE to the impairment of every interface; the seed is kept apart, since each gets one
 * of its own. */
static int take_impair(struct net_options *options, const char *words)
{
    struct weir_impair impair;
    char copy[NET_IMPAIR];
    size_t used = strlen(options->impair);
    char *word, *rest;

    memset(&impair, 0, sizeof impair);
    if (snprintf(copy, sizeof copy, "%s", words) >= (int)sizeof copy)
        return complain("too long", words);
    for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (weir_impair_parse(&impair, word))
            return complain("no impairment, expected a word like loss=0.02", word);
        if (strncmp(word, "seed=", 5) == 0) {
            options->has_seed = true;
            options->seed = impair.seed;
            continue;
        }
        used += (size_t)snprintf(options->impair + used, sizeof options->impair - used, "%s%s",
                                 used ? " " : "", word);
        if (used >= sizeof options->impair)
            return complain("too many impairments", words);
    }
    return 0;
}

static int take_loss(struct net_options *options, const char *value)
{
    char word[64];

    snprintf(word, sizeof word, "loss=%.50s", value);
    return take_impair(options, word);
}

static int take_constants(struct net_options *options, const char *path)
{
    struct net_error error;
    bool is_new = access(path, F_OK) && errno == ENOENT;
    int result =
        is_new ? net_write_constants(path, &error) : net_read_constants(path, options, &error);

    if (result) {
        fprintf(stderr, "weir lab: %s\n", error.text);
        return 2;
    }
    if (is_new)
        fprintf(stderr, "weir lab: %s: made, with the course's times\n", path);
    return 0;
}

int lab_net_option(struct net_options *options, int option, const char *value)
{
    static const char milliseconds[] = "expected milliseconds, from 1 to a day";
    static const char microseconds[] = "expected microseconds, from 1 to 4000000000";

    switch (option) {
    case LAB_BASE_PORT:
        return take_number(&options->base_port, value, 65535, "expected a port from 1 to 65535");
    case LAB_NO_TIMING:
        options->no_timing = true;
        return 0;
    case LAB_IMPAIR:
        return take_impair(options, value);
    case LAB_LOSS:
        return take_loss(options, value);
    case LAB_RIP_UPDATE:
        return take_number(&options->rip_update_ms, value, TIME_MAX, milliseconds);
    case LAB_RIP_TIMEOUT:
        return take_number(&options->rip_timeout_ms, value, TIME_MAX, milliseconds);
    case LAB_RTO_MIN:
        return take_number(&options->rto_min_us, value, 4000000000ul, microseconds);
    case LAB_RTO_MAX:
        return take_number(&options->rto_max_us, value, 4000000000ul, microseconds);
    case LAB_CONSTANTS:
        return take_constants(options, value);
    default:
        return 2;
    }
}
