/* SPDX-License-Identifier: MIT */

/* link: makes what an interface sends bad, from now on: `link if0 loss=0.1 delay_ms=10`. Keys that are
 * not named keep their values, `off` ends all of it, and without either the values and counts are
 * shown. All words are understood or nothing changes. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024

/* The interface's values; false after complaining: its link cannot be made bad. */
static bool get(struct repl *repl, int iface, struct weir_impair *set,
                struct weir_impair_counts *counts)
{
    struct weir_link *link;
    bool is_impair;

    weir_host_lock(repl->host);
    link = weir_host_link(repl->host, iface);
    is_impair = link && strcmp(link->ops->name, "impair") == 0;
    if (is_impair) {
        weir_impair_get(link, set);
        weir_impair_counts(link, counts);
    }
    weir_host_unlock(repl->host);
    if (!is_impair)
        repl_fail(repl, "error: this interface cannot be made bad");
    return is_impair;
}

static void append(char *text, const char *key, double value)
{
    size_t used = strlen(text);

    if (value > 0)
        snprintf(text + used, TEXT_MAX - used, " %s=%.9g", key, value);
}

static void show(struct repl *repl, const char *name, const struct weir_impair *set,
                 const struct weir_impair_counts *counts)
{
    char text[TEXT_MAX] = "";

    append(text, "loss", set->loss);
    append(text, "burst_loss", set->burst_loss);
    append(text, "burst_length", set->burst_length);
    append(text, "corrupt", set->corrupt);
    append(text, "duplicate", set->duplicate);
    append(text, "reorder", set->reorder);
    append(text, "reorder_ms", (double)set->reorder_ns / 1e6);
    append(text, "delay_ms", (double)set->delay_ns / 1e6);
    append(text, "jitter_ms", (double)set->jitter_ns / 1e6);
    append(text, "rate_mbit", set->rate_bps / 1e6);
    append(text, "queue_packets", (double)set->queue_packets);
    repl_say(repl, "%s:%s", name, text[0] ? text : " off");
    repl_say(repl,
             "  sent %llu lost %llu burst_lost %llu corrupted %llu duplicated %llu reordered %llu "
             "queue_drops %llu",
             (unsigned long long)counts->sent, (unsigned long long)counts->lost,
             (unsigned long long)counts->burst_lost, (unsigned long long)counts->corrupted,
             (unsigned long long)counts->duplicated, (unsigned long long)counts->reordered,
             (unsigned long long)counts->queue_drops);
}

/* Changes *set as the words say. False after complaining. */
static bool change(struct repl *repl, const char *words, struct weir_impair *set)
{
    char copy[TEXT_MAX];
    char *word, *rest;

    if (snprintf(copy, sizeof copy, "%s", words) >= (int)sizeof copy) {
        repl_fail(repl, "error: too many words");
        return false;
    }
    for (word = strtok_r(copy, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        if (strcmp(word, "off") == 0) {
            *set = (struct weir_impair){.seed = set->seed};
        } else if (weir_impair_parse(set, word)) {
            repl_fail(repl,
                      "error: \"%.64s\": expected a key and a value in its range: loss, "
                      "burst_loss, burst_length, corrupt, duplicate, reorder, reorder_ms, "
                      "delay_ms, jitter_ms, rate_mbit, queue_packets, seed",
                      word);
            return false;
        }
    }
    return true;
}

void cmd_link(struct repl *repl, const struct args *args)
{
    struct weir_impair_counts counts;
    struct weir_impair set;
    int iface = word_iface(repl, args->word[1]);

    if (iface < 0 || !get(repl, iface, &set, &counts))
        return;
    if (!args->word[2]) {
        show(repl, args->word[1], &set, &counts);
        return;
    }
    if (!change(repl, args->rest[1], &set))
        return;
    weir_host_lock(repl->host);
    weir_impair_set(weir_host_link(repl->host, iface), &set);
    weir_host_unlock(repl->host);
}
