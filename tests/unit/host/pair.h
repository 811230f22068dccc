/* SPDX-License-Identifier: MIT */
#ifndef TESTS_HOST_PAIR_H
#define TESTS_HOST_PAIR_H

/* Two hosts in this process, 10.0.0.1 and 10.0.0.2, joined by UDP on the loopback interface. */

#include <pthread.h>
#include <weir/error.h>
#include <weir/host.h>

#define PORT 4000

struct pair {
    struct weir_host *host[2];
};

void pair_open(struct pair *pair);
void pair_close(struct pair *pair);

/* The endpoint of host `index` with this port. */
struct weir_endpoint pair_endpoint(int index, uint16_t port);

/* A listener on `port` of host `index`. */
int pair_listen(struct pair *pair, int index, uint16_t port);

/* A connection from host 0 to a listener on host 1, which must exist: the socket. */
int pair_connect(struct pair *pair, uint16_t port);

/* Starts a thread; ends the test if that fails. */
pthread_t pair_start(void *(*run)(void *), void *argument);

/* True as soon as `count` threads wait in the host; looks at the host from outside by letting it
 * settle. Gives up after some seconds. */
void pair_wait_for_waiters(struct weir_host *host, unsigned count);

#endif
