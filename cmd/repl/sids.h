/* SPDX-License-Identifier: MIT */
#ifndef CMD_REPL_SIDS_H
#define CMD_REPL_SIDS_H

/* The numbers under which the prompt knows sockets: from 0 up, never used twice. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sid_kind { SID_LISTENER, SID_CONNECTION };

struct transfer;

struct sid {
    int sid;
    int socket; /* the stack's */
    enum sid_kind kind;
    bool closed;               /* `cl` or a transfer's end: the application's side is over */
    bool busy;                 /* a blocked command uses it; dispatch only notes events */
    bool implicit;             /* closed by the end of input, not by the user */
    bool dead;                 /* noted while busy: the connection is over */
    struct transfer *transfer; /* whose it is; NULL: the user's */
};

/* Entries in the order of their SIDs; pointers to entries stay valid until they are removed. */
struct sids {
    struct sid **entries;
    size_t count, room;
    int next;
};

/* A new entry with the next SID; NULL if memory is short. */
struct sid *sids_add(struct sids *sids, int socket, enum sid_kind kind);

/* NULL if there is none. */
struct sid *sids_find(const struct sids *sids, uint64_t sid);

void sids_remove(struct sids *sids, struct sid *entry);
void sids_done(struct sids *sids);

#endif
