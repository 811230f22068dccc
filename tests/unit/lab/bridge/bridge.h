/* SPDX-License-Identifier: MIT */
#ifndef UNIT_LAB_BRIDGE_H
#define UNIT_LAB_BRIDGE_H

/* The executor of weir drill, with its world (world.c) and its socket calls (calls.c) put behind the
 * table of packetdrill's adapter. The linker's --wrap puts the functions here in front of those that
 * weir drill calls; while the bridge is off they hand on. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <lab/drill/run.h>
#include <lab/packetdrill/adapter.h>
#include <lab/packetdrill/packetdrill.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One call of the table, with its arguments, and how it ended. */
struct bridge_call {
    long (*make)(const struct call *call); /* NULL: none */
    struct call call;
    long result;   /* or -errno */
    long long end; /* gettimeofday's, read at once after it; 0: it was not a second thread's */
};

/* One script at a time. */
struct bridge {
    bool is_on;
    bool is_unsuited; /* the script needs what packetdrill could not ask of the table */
    struct packetdrill_interface t;
    struct adapter *adapter;
    long long start;              /* of the script, in the table's clock */
    const struct call_line *line; /* whose call is attempted */
    struct bridge_call second;    /* what the second thread makes */
    pthread_t thread;
    atomic_int tid;
    bool is_running;
};

extern struct bridge bridge;

/* What weir drill takes for its struct linux_sockets, so that its calls can be told from the adapter's. */
#define BRIDGE_SOCKETS ((struct linux_sockets *)&bridge)

/* wrapped(RESULT, NAME, PARAMETERS): begins the function that stands before NAME. */
#define wrapped(result, name, ...)     \
    result __real_##name(__VA_ARGS__); \
    result __wrap_##name(__VA_ARGS__); \
    result __wrap_##name(__VA_ARGS__)

/* world.c: microseconds. */
long long bridge_clock(void);
weir_time bridge_time(const struct run *run, long long usecs);

/* calls.c: whether the second thread has ended, after at most `seconds` of waiting for it. */
bool bridge_join(int seconds);
/* If the call that waits is over, has it judged by the time that its own thread has read. */
void bridge_try_pending(struct run *run);

#endif
