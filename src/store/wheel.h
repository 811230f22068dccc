/* SPDX-License-Identifier: MIT */
#ifndef STORE_WHEEL_H
#define STORE_WHEEL_H

/* Hierarchical timer wheel: O(1) start and stop, earliest time amortised O(1). A timer never fires
 * before its time; it fires at the first wheel_expire whose now is at or after it. Timers are
 * exact: the wheel's granularity decides only which slot a timer waits in. wheel_deadline is exact
 * too. Timers due at the same wheel_expire come out ordered by (time, order of start). A wheel must
 * not be moved in memory while timers run. */

#include <base/list.h>
#include <weir/types.h>

struct wheel_timer {
    struct list_node node;
    weir_time at;   /* meaningful while running */
    uint32_t order; /* of its start, modulo 2^32; internal */
    uint16_t owner; /* free for the user: what kind of object this timer is in */
};

#define WHEEL_LEVELS 10
#define WHEEL_SLOTS 32

struct wheel_slot {
    struct list_node timers; /* in no order */
    weir_time bound;         /* none of them is earlier */
};

struct wheel {
    weir_time now;
    weir_time earliest; /* the deadline, unless `is_stale` */
    bool is_stale;
    uint32_t count;
    uint32_t order;                  /* given to the next timer started */
    uint32_t occupied[WHEEL_LEVELS]; /* slots that may hold timers; the others hold none */
    struct wheel_slot slots[WHEEL_LEVELS][WHEEL_SLOTS];
    struct list_node front; /* timers taken out of their slots, in the order they are due */
};

void wheel_init(struct wheel *wheel, weir_time now);

void wheel_timer_init(struct wheel_timer *timer, uint16_t owner);

/* Starts or moves the timer; `at` in the past means at the next expire. WEIR_NEVER stops it. */
void wheel_start(struct wheel *wheel, struct wheel_timer *timer, weir_time at);
void wheel_stop(struct wheel *wheel, struct wheel_timer *timer);
bool wheel_is_running(const struct wheel_timer *timer);

/* The time of the earliest timer, or WEIR_NEVER. Amortised O(1). */
weir_time wheel_deadline(struct wheel *wheel);

/* Advances to `now` and takes the next timer that is due (it is stopped then), or NULL when none is
 * left. Call until NULL. Timers that are started meanwhile and already due come too. */
struct wheel_timer *wheel_expire(struct wheel *wheel, weir_time now);

#endif
