/* SPDX-License-Identifier: MIT */
#ifndef HOST_HOST_H
#define HOST_HOST_H

/* What the files of host share. Unless said otherwise a function is called with host->lock held and
 * returns with it held. */

#include <base/list.h>
#include <pthread.h>
#include <weir/host.h>

/* A link and what epoll knows of it. */
struct host_iface {
    struct weir_link *link;
    int index;
    int fd;                /* -1: nothing to wait for */
    bool is_write_watched; /* registered for EPOLLOUT */
    bool is_unread;        /* the leader's: it may hold frames that the descriptor does not show */
};

/* A thread that waits. Waiters come from a pool and are freed with the host only, so that a wake-up
 * that comes late finds a waiter, if perhaps the wrong one: every wake-up may be spurious. */
struct waiter {
    struct list_node node; /* host->waiters, or host->pool */
    pthread_cond_t cond;   /* a follower without descriptors sleeps here */
    int event_fd;          /* one with descriptors also polls this; -1 until needed */
    bool uses_fd;
    bool is_fired;           /* what it waits for may hold */
    bool is_closed;          /* its socket was closed by this program */
    bool is_waking;          /* on host->wakes */
    struct list_node wake;   /* host->wakes */
    struct list_node eager;  /* host->eager: waits for any event of a watched socket */
    struct list_node in_set; /* host->set_waiters: waits for `set` */
    struct weir_interest *set;
};

/* One socket that a waiter waits for. */
struct interest {
    struct list_node node; /* slot->interests */
    struct waiter *waiter;
    uint32_t events;
};

/* Events of one socket for weir_host_next_event, merged. */
struct watch {
    struct list_node node; /* host->events while pending != 0 */
    uint64_t tag;
    int socket;
    uint32_t pending;
};

/* What is known of a socket number. */
struct slot {
    struct list_node interests;
    struct watch *watch;
    bool is_nonblocking;
};

struct weir_host {
    pthread_mutex_t lock; /* guards all below, the stack, and the sending side of the links */
    struct weir_stack *stack;
    int epoll_fd;
    int wake_fd; /* takes the leader out of epoll */

    struct host_iface *ifaces[WEIR_IFACES_MAX];
    int ifaces_count;
    int unread; /* the leader's: how many have is_unread */

    struct waiter *leader;   /* the thread that is the loop, or NULL */
    bool is_leader_sleeping; /* in epoll, until `armed` */
    bool is_leader_away;     /* asleep or reading, without the lock */
    bool is_leader_called;   /* wake_fd is to be written */
    bool is_more;            /* the last poll left work over */
    weir_time armed;
    weir_time read_at; /* when the links were read last; the leader's while it is away */
    weir_time next;    /* when the stack or a link wants to be served */

    struct list_node waiters, pool, wakes, eager, events, set_waiters;
    struct slot **slots;
    uint32_t slots_count;

    struct weir_journal journal; /* bytes NULL: none */
    bool is_journal_stopped;
    size_t journal_least; /* bytes that somebody waits for; 0: nobody does */
    pthread_cond_t journal_filled;

    bool is_stopping;
    uint32_t users; /* threads that wait or wake */
    pthread_cond_t gone;
};

/* ---- waiter.c ---------------------------------------------------------------------------------- */

struct slot *slot_find(const struct weir_host *host, int socket); /* or NULL */
struct slot *slot_get(struct weir_host *host, int socket);        /* NULL: no memory */

/* A waiter for the calling thread; NULL if memory is short. */
struct waiter *waiter_begin(struct weir_host *host);

/* Ends it and hands the role of the loop on. */
void waiter_end(struct weir_host *host, struct waiter *waiter);

/* Returns false if memory is short. */
bool interest_add(struct weir_host *host, struct interest *interest, int socket);
void interest_remove(struct interest *interest);

/* Marks the waiter; it wakes up after the lock is released. */
void waiter_fire(struct weir_host *host, struct waiter *waiter);

/* Gives the stack's events to waiters and watches. */
void host_dispatch(struct weir_host *host);
void watch_note(struct weir_host *host, struct watch *watch, uint32_t events);

/* The program closes `socket`: whoever waits for it must stop. */
void host_closing(struct weir_host *host, int socket);

bool host_has_wakes(const struct weir_host *host);

/* Releases the lock, then sends all wake-ups. The host may be gone when it returns, unless the
 * caller has a waiter. */
void host_unlock_and_wake(struct weir_host *host);

/* ---- socket.c ---------------------------------------------------------------------------------- */

/* Waits once for an event of `socket`. Returns 0: try again; `closed` if the program has closed it;
 * WEIR_ECANCELED, WEIR_ENOMEM. */
int host_block(struct weir_host *host, int socket, uint32_t events, int closed);

/* Calls on this socket wait. */
bool host_may_block(const struct weir_host *host, int socket);

/* ---- journal.c ---------------------------------------------------------------------------------- */

/* Wakes who waits for entries, if there are as many as it waits for. */
void host_journal_signal(struct weir_host *host);

/* ---- loop.c ------------------------------------------------------------------------------------ */

/* Serves whatever is due at `now`: links, stack, events. */
void host_settle(struct weir_host *host, weir_time now);

/* Waits until the waiter is fired (returns 0), one of `fds` is ready (1), or the time has come
 * (WEIR_ETIMEDOUT); or WEIR_ECANCELED, WEIR_EINTR. Lets go of the lock meanwhile. Even with a time
 * that is past, whatever has arrived is read if nobody else is the loop. */
int host_wait_until(struct weir_host *host, struct waiter *waiter, struct pollfd *fds,
                    unsigned count, weir_time deadline);

/* `timeout` from now, without overflow. */
weir_time host_deadline(weir_time timeout);

#endif
