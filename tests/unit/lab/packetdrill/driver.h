/* SPDX-License-Identifier: MIT */
#ifndef UNIT_LAB_PACKETDRILL_DRIVER_H
#define UNIT_LAB_PACKETDRILL_DRIVER_H

/* Plays packetdrill: loads the library as it does, calls the table, builds the peer's packets, reads
 * the stack's, and makes blocking calls in a second thread. Everything that fails ends the test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <lab/packetdrill/packetdrill.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/packet.h>
#include <weir/types.h>

#define DRIVER_LOCAL 0xc0a8d207u  /* 192.168.210.7: what the scripts bind to */
#define DRIVER_REMOTE 0xc0000201u /* 192.0.2.1 */
#define DRIVER_PORT 8080
#define DRIVER_PEER_PORT 40000
#define DRIVER_ISN 1000u /* the peer's */

struct driver {
    void *library;
    struct packetdrill_interface t;
    void *u; /* t.userdata */

    /* The conversation: set by a SYN in either direction. */
    uint32_t local;           /* address of ours */
    uint16_t port, peer_port; /* ours, the peer's */
    uint32_t our_isn;
    uint8_t bytes[65536]; /* the packet received last, which driver_out's result points into */
    long long at;         /* when it left, microseconds */
};

/* `name`: of the file in build/lib. */
void driver_load(struct driver *driver, const char *name, const char *flags);
void driver_open(struct driver *driver, const char *flags); /* weir-packetdrill.so */
void driver_close(struct driver *driver);

/* Of the table's clock, microseconds. */
long long driver_now(struct driver *driver);

/* The peer sends: numbers as in a script, relative to the initial ones (a SYN is 0). */
void driver_in(struct driver *driver, uint8_t flags, int64_t seq, int64_t ack, size_t length,
               uint16_t window);

/* The next packet must be this one. Its payload must be `length` bytes. */
struct weir_packet driver_out(struct driver *driver, uint8_t flags, int64_t seq, int64_t ack,
                              size_t length);

/* The next packet, whatever it is. */
struct weir_packet driver_any(struct driver *driver);

struct sockaddr_in driver_addr(uint32_t host_order, uint16_t port);

int driver_listen(struct driver *driver);
/* A connection that was accepted; `listener` may be NULL. */
int driver_establish(struct driver *driver, int *listener);

/* ---- The second thread ------------------------------------------------------------------------- */

struct driver_call {
    struct driver *driver;
    long (*make)(struct driver *driver, void *context);
    void *context;
    pthread_t thread;
    atomic_int tid; /* 0 until it is about to call */
    long result;
    int error;     /* errno, if the result is -1 */
    long long end; /* the table's clock, read at once after the call, as packetdrill does */
};

/* Starts the call and waits until its thread sleeps in it: state S in /proc, as packetdrill looks. */
void driver_begin(struct driver_call *call);

/* Waits for the thread; returns the call's result. */
long driver_end(struct driver_call *call);

#endif
