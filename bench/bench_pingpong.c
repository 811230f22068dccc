/* SPDX-License-Identifier: MIT */

/* Requests and answers of 64 bytes between two stacks in one thread over the memory link.
 *
 *   bench_pingpong [--size BYTES] [--trips COUNT] [--mtu BYTES]
 *
 * One side writes a request, the other reads it and writes an answer of the same size, the first
 * reads that: through weir_socket_send and recv, every segment a real one with its checksum made and
 * verified. An answer is written before the stack was polled, so the ACK of the request rides on it,
 * as with any server that answers at once. One request is out at a time.
 *
 * Prints: round trips a second of real time, and of CPU time; nanoseconds (CPU) a round trip. */

#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "bench_pingpong"
#define SIZE_MAX_BYTES 1024u

static void write_one(struct pair_end *end, const char *bytes, size_t size)
{
    if (weir_socket_send(end->stack, end->socket, bytes, size, 0) != (long)size)
        pair_die(PROGRAM, "a message was not taken");
}

static void read_one(struct pair_end *end, char *bytes, size_t size)
{
    if (weir_socket_recv(end->stack, end->socket, bytes, size) != (long)size)
        pair_die(PROGRAM, "a message did not arrive");
}

/* What has arrived goes up; the application has its say before anything leaves. */
static void take(struct pair_end *end, weir_time now)
{
    struct weir_frame frames[8];
    struct weir_event event;
    int count;

    while ((count = end->link->ops->receive(end->link, frames, 8, now)) > 0)
        weir_stack_input(end->stack, 0, frames, count, now);
    while (weir_stack_next_event(end->stack, &event))
        ;
}

static void round_trip(struct pair *pair, char *bytes, size_t size)
{
    pair->now += WEIR_US;
    write_one(&pair->near, bytes, size);
    weir_stack_poll(pair->near.stack, pair->now, 0);
    take(&pair->far, pair->now);
    read_one(&pair->far, bytes, size);
    write_one(&pair->far, bytes, size);
    weir_stack_poll(pair->far.stack, pair->now, 0);
    take(&pair->near, pair->now);
    read_one(&pair->near, bytes, size);
}

int main(int argc, char **argv)
{
    struct pair_link link = {.mtu = 1500, .queue_frames = 64};
    uint64_t trips = 1000000, size = 64, done;
    char bytes[SIZE_MAX_BYTES];
    double start, cpu_start, took, cpu_took;
    struct pair pair;
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);

        if (!strcmp(argv[i], "--size"))
            size = value;
        else if (!strcmp(argv[i], "--trips"))
            trips = value;
        else if (!strcmp(argv[i], "--mtu"))
            link.mtu = (uint32_t)value;
    }
    if (!size || size > SIZE_MAX_BYTES || !trips)
        pair_die(PROGRAM, "--size is 1..1024, --trips at least 1");
    pair_open(&pair, PROGRAM, &link);
    memset(bytes, 'p', sizeof(bytes));
    start = pair_seconds();
    cpu_start = pair_cpu_seconds();
    for (done = 0; done < trips; done++)
        round_trip(&pair, bytes, size);
    took = pair_seconds() - start;
    cpu_took = pair_cpu_seconds() - cpu_start;
    printf("trips_per_s %.0f\n", (double)trips / took);
    printf("trips_per_cpu_s %.0f\n", (double)trips / cpu_took);
    printf("ns_per_trip %.0f\n", cpu_took * 1e9 / (double)trips);
    pair_close(&pair);
    return 0;
}
