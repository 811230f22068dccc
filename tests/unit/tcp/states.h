/* SPDX-License-Identifier: MIT */
#ifndef UNIT_TCP_STATES_H
#define UNIT_TCP_STATES_H

/* Conversations that start in a state of RFC 9293 3.3.2, and packets written relative to it. */

#include <talk/talk.h>

/* Where a conversation can begin. The sequence numbers of each are in states_facts. */
enum place {
    AT_LISTEN,
    AT_SYN_SENT,
    AT_SYN_RECEIVED,        /* after a passive open: a half-open record */
    AT_SYN_RECEIVED_ACTIVE, /* after a simultaneous open */
    AT_ESTABLISHED,
    AT_FIN_WAIT_1,
    AT_FIN_WAIT_2,
    AT_CLOSE_WAIT,
    AT_CLOSING,
    AT_LAST_ACK,
    AT_TIME_WAIT,       /* the application still holds the socket */
    AT_TIME_WAIT_ALONE, /* it does not: a record is left */
    PLACES
};

struct place_facts {
    const char *name;
    enum weir_tcp_state state;
    int una, nxt; /* ours, relative: SND.UNA, SND.NXT */
    int rcv;      /* the peer's, relative: RCV.NXT */
};

extern const struct place_facts states_facts[PLACES];

/* Brings a fresh talk there; returns the socket (the listener's in LISTEN and SYN_RECEIVED).
 * Nothing that was sent on the way is left. */
int states_enter(struct talk *t, enum place place);

/* Replaces $u, $s and $r by SND.UNA, SND.NXT and RCV.NXT of the place, with +N or -N added:
 * "R $r+1:$r+1(0)". The text lives until the fourth next call. */
const char *states_text(enum place place, const char *text);

/* One segment and what must come of it. */
struct states_step {
    enum place place;
    const char *in;  /* with $ */
    const char *out; /* with $; NULL: nothing; a second one after '|' */
    enum weir_tcp_state then;
    int error; /* what the application finds pending */
};

/* A fresh stack for each step. Names the step if it fails. */
void states_run(const struct states_step *steps, size_t count);
void states_run_one(const struct weir_stack_config *config, const struct states_step *step);

/* The default configuration with a fixed seed and one profile. */
struct weir_stack_config states_config(enum weir_profile profile);

#endif
