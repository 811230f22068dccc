/* SPDX-License-Identifier: MIT */
#ifndef WEIR_INTEREST_H
#define WEIR_INTEREST_H

/* Interest sets: "tell me which of these sockets are ready", as epoll does it. A set belongs to one
 * stack, any number of sets may watch one socket, and a socket leaves its sets by itself when the
 * application closes it. Nothing here blocks; weir_host_interest_wait (host.h) does.
 *
 * A level-triggered member is reported for as long as it is ready. An edge-triggered one is reported
 * once when it is added ready, and then once each time something new happens to it: new data, new
 * room, an error, the end. Room in a full send buffer is announced when a quarter of it is free, to
 * edge-triggered members only after a call that found none (WEIR_EAGAIN), as on Linux. A one-shot member is reported once and then sleeps until it is set
 * again. */

#include <weir/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_interest;

enum weir_interest_flags {
    WEIR_EDGE = 1,    /* edge-triggered; else level-triggered */
    WEIR_ONESHOT = 2, /* asleep after one report */
};

/* An empty set; NULL if memory is short. It is destroyed before its stack, or with it: the stack takes
 * what is left. */
struct weir_interest *weir_interest_create(struct weir_stack *stack);
void weir_interest_destroy(struct weir_interest *interest); /* NULL is allowed */

/* Adds a socket, or changes what is asked of one that is in the set: `events` is a set of enum
 * weir_event_bits (HUP, ERR and CLOSED are always reported), `flags` of enum weir_interest_flags,
 * `tag` comes back with each report. Returns 0, WEIR_EBADF, WEIR_EINVAL or WEIR_ENOMEM. */
int weir_interest_set(struct weir_interest *interest, int socket, uint32_t events, int flags,
                      uint64_t tag);

/* Whether the socket is a member. */
bool weir_interest_has(const struct weir_interest *interest, int socket);

/* Takes a socket out. Returns 0, WEIR_EBADF or WEIR_ENOENT. */
int weir_interest_remove(struct weir_interest *interest, int socket);

/* Fills up to `max` reports, each ready member at most once and in turns, so that a few busy ones do
 * not hide the rest. Returns how many; 0: nothing is ready. O(candidates), not O(members). */
int weir_interest_take(struct weir_interest *interest, struct weir_event *events, int max);

/* Whether weir_interest_take may find something. O(1). */
bool weir_interest_is_pending(const struct weir_interest *interest);

#ifdef __cplusplus
}
#endif
#endif
