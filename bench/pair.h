/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

/* Two stacks in one thread with the memory link between them, and one connection: what the benches
 * of the packet path have in common. */

#include <stdbool.h>
#include <stdint.h>
#include <weir/inspect.h>
#include <weir/links.h>

#define PAIR_PORT 5001

struct pair_end {
    struct weir_stack *stack;
    struct weir_link *link;
    int socket;
};

/* `near` has connected, `far` has accepted. `now` is the clock of both, and only moves by hand. */
struct pair {
    struct weir_hub *hub;
    struct pair_end near, far;
    weir_time now;
};

/* What the link between them is like. */
struct pair_link {
    uint32_t mtu;
    uint32_t gso_max; /* 0: real segments */
    uint32_t queue_frames;
};

/* Makes the pair and its connection. Ends the program with a message if it cannot. */
void pair_open(struct pair *pair, const char *program, const struct pair_link *link);
void pair_close(struct pair *pair);

/* Gives what has arrived to the stack, lets it send what is due, and takes its events. */
void pair_run(struct pair_end *end, weir_time now);

/* Seconds of real time, and seconds that this process has computed. */
double pair_seconds(void);
double pair_cpu_seconds(void);

/* Ends the program. */
void pair_die(const char *program, const char *what);

#endif
