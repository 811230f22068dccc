/* SPDX-License-Identifier: MIT */
#ifndef LAB_PACKETDRILL_ADAPTER_H
#define LAB_PACKETDRILL_ADAPTER_H

/* The adapter inside: a stack, its wire, its clock, Linux's calls on it, and the threads that make
 * them. table.c is what packetdrill sees of it.
 *
 *     adapter.c   life, the lock, who is inside     clock.c     time goes on
 *     netdev.c     stack, wire, addresses            call.c      one call, which may wait
 *     sysctls.c   settings of this machine          numbers.c   real descriptors
 *
 * Unless said otherwise, functions are called between adapter_enter and adapter_leave. */

#include <lab/linux/linux.h>
#include <lab/packetdrill/flags.h>
#include <lab/capture.h>
#include <pthread.h>
#include <weir/links.h>

#define ADAPTER_FDS_MAX 4096
#define ADAPTER_IFACES_MAX 2
#define ADAPTER_PACKETS_MAX 100000u
#define ADAPTER_RETURNING_MAX 8

/* A packet that the stack has sent. */
struct sent {
    struct sent *next;
    weir_time at;
    size_t length;
    uint8_t bytes[];
};

/* An address of ours, on a wire of its own. */
struct adapter_iface {
    struct weir_hub *hub;
    uint32_t addr; /* host order */
    int index;     /* the stack's */
};

struct adapter;

/* One call of a thread, with its arguments; lives on that thread's stack. */
struct call {
    long (*attempt)(struct adapter *adapter, struct call *call);
    struct linux_wait wait;
    struct call *next; /* adapter->waiting */
    pthread_t thread;
    bool is_done;
    long result; /* or -errno */

    /* Arguments; each call uses those that it has. */
    int fd, other, level, flags, count, timeout_ms;
    unsigned long request;
    long argument;
    size_t size;
    const void *in;
    void *out;
    const struct sockaddr *to;
    struct sockaddr *from;
    socklen_t length;
    socklen_t *length_out;
};

struct adapter {
    pthread_mutex_t lock;
    pthread_cond_t
        moved;      /* a call is done, a thread is back, the next deadline is earlier, the end */
    pthread_t main; /* who made it: the thread that runs the script */
    pid_t main_tid;
    struct so_flags flags;
    bool is_stopping;
    bool main_is_inside;
    unsigned users;    /* threads inside */
    unsigned entries;  /* how often one came in; may wrap */
    weir_time left_at; /* CLOCK_MONOTONIC when the main thread went out last */

    /* The clock: nanoseconds of the stack; what gettimeofday adds to them. */
    weir_time now, wall;
    weir_time started; /* real time: CLOCK_MONOTONIC at now = CLOCK_START */
    weir_time armed;   /* real time: the earliest time that a sleeper will wake by itself */
    pthread_t returning[ADAPTER_RETURNING_MAX]; /* their calls are over; they will read the clock */
    unsigned returning_count;
    unsigned stuck; /* steps since virtual time went on */

    struct weir_stack *stack;        /* NULL: nobody has needed it yet */
    struct weir_stack_config config; /* what it was made with, and was told since */
    struct linux_sockets *sockets;
    struct adapter_iface ifaces[ADAPTER_IFACES_MAX];
    unsigned ifaces_count;
    bool knows_addr; /* the script's local address was seen */
    struct sent *queue, **queue_end;
    unsigned queued;
    struct capture *capture; /* NULL: none */
    struct call *waiting;

    uint32_t fds[ADAPTER_FDS_MAX / 32]; /* a bit for each descriptor that is ours */
};

/* ---- adapter.c ------------------------------------------------------------------------------------ */

/* NULL: memory is short. The capture file is opened; a failure is told on stderr and gives NULL. */
struct adapter *adapter_create(const struct so_flags *flags);

/* Ends all calls that wait (-ECANCELED), waits until their threads have left, closes what is open. */
void adapter_destroy(struct adapter *adapter);

/* Takes the lock and brings the clock up to date. False: it is being destroyed. */
bool adapter_enter(struct adapter *adapter);
void adapter_leave(struct adapter *adapter);

/* Keeps the adapter alive for a thread that is about to call, if `fd` is one of its descriptors, until
 * adapter_drop. Called outside. */
bool adapter_hold(struct adapter *adapter, int fd);
void adapter_drop(struct adapter *adapter);

/* Lets go of the lock and sleeps until `moved` or `until` (CLOCK_MONOTONIC; WEIR_NEVER). */
void adapter_sleep(struct adapter *adapter, weir_time until);

__attribute__((format(printf, 1, 2))) void adapter_complain(const char *format, ...);

/* ---- clock.c -------------------------------------------------------------------------------------- */

#define CLOCK_START WEIR_SECOND

void clock_init(struct adapter *adapter);

/* CLOCK_MONOTONIC, for adapter_sleep. */
weir_time clock_monotonic(void);

/* Real time: everything that is due by now happens. Virtual time: nothing. */
void clock_catch_up(struct adapter *adapter);

/* Waits until the threads whose calls have ended have read the virtual clock. */
void clock_wait_for_returning(struct adapter *adapter);

/* Lets time pass until `until`, with all that happens meanwhile. Any thread may: packetdrill's second
 * one waits for the begin of its call. */
void clock_advance(struct adapter *adapter, weir_time until);

/* Lets time pass until something has happened. False: nothing happens before `until`; virtual time then
 * stays where it is. */
bool clock_step(struct adapter *adapter, weir_time until);

/* ---- netdev.c -------------------------------------------------------------------------------------- */

/* Makes the stack, if there is none yet. Returns 0 or -ENOMEM. */
int netdev_open(struct adapter *adapter);

/* A command of the script may have changed settings: tells the stack. */
void netdev_refresh(struct adapter *adapter);

void netdev_close(struct adapter *adapter);

/* `addr` (host order) is the script's local address, if the first of its kind. */
void netdev_learn(struct adapter *adapter, uint32_t addr);

/* A connection is about to be opened: there must be an address. */
void netdev_need_addr(struct adapter *adapter);

/* A packet arrives. Returns 0, -EINVAL or -ENOMEM. */
int netdev_inject(struct adapter *adapter, const void *bytes, size_t length);

/* Everything that happens at adapter->now. */
void netdev_step(struct adapter *adapter);

/* When something happens next, by the stack or a waiting call. */
weir_time netdev_next(const struct adapter *adapter);

/* The oldest packet that was sent, taken off the queue; the caller frees it. NULL: none. */
struct sent *netdev_take(struct adapter *adapter);

/* ---- call.c --------------------------------------------------------------------------------------- */

/* Enters, makes the call, waits for it if it waits, leaves. Returns its result, or -1 with errno. */
long call_make(struct adapter *adapter, struct call *call);

/* Tries every call that waits. True: one is done. */
bool call_retry(struct adapter *adapter);

/* Ends every call that waits with -ECANCELED. */
void call_cancel(struct adapter *adapter);

/* The earliest time at which a waiting call wants to be tried again. */
weir_time call_wake(const struct adapter *adapter);

/* ---- numbers.c ------------------------------------------------------------------------------------ */

/* Descriptors for struct linux_numbers: an eventfd each, so that the process gives none out twice. */
int numbers_get(void *adapter);
void numbers_put(void *adapter, int fd);
bool numbers_has(const struct adapter *adapter, int fd);

/* ---- sysctls.c ------------------------------------------------------------------------------------ */

/* The settings of this network namespace, if it is one of its own. Needs no lock. */
void sysctls_apply(struct weir_stack_config *stack, struct linux_config *config);

#endif
