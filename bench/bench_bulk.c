/* SPDX-License-Identifier: MIT */

/* Bulk data between two stacks in one thread over the memory link.
 *
 *   bench_bulk [--mtu BYTES] [--gso BYTES] [--mib MEBIBYTES] [--chunk BYTES]
 *
 * Every segment is a real one: cut at the MSS, its checksum made by the sender and verified by the
 * receiver. The application writes and reads `chunk` bytes (64 KiB) at a time through
 * weir_socket_send and recv, so all four movements of each byte count: application to send buffer,
 * buffer to frame (summed), frame to receive buffer (summed), buffer to application. Each of them is
 * then timed alone, on segments of the same size with data in the cache, which tells how much of a
 * segment's time they take. With --gso the link takes frames of many segments, up to so many bytes,
 * which are then neither cut nor summed, as with Linux's large segments: the four movements remain,
 * none of them with a sum.
 *
 * Prints: Gbit/s of payload in real time, and by CPU time; nanoseconds (CPU) a data segment, both
 * ends and its share of the ACKs; of these, in plain copies, in copies with sums, and in the rest. */

#include "pair.h"

#include <base/checksum.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "bench_bulk"
#define CHUNK_MAX (1u << 20)
#define QUEUE 256
#define ROUNDS 400000
#define STUCK 100000

struct work {
    uint32_t mtu;
    uint32_t chunk; /* bytes in one call of the application */
    uint64_t total;
};

struct result {
    double seconds, cpu_seconds;
};

static uint64_t write_all(struct pair *pair, const struct work *work, const char *out,
                          uint64_t sent)
{
    long count;

    while (sent < work->total &&
           (count = weir_socket_send(pair->near.stack, pair->near.socket, out, work->chunk, 0)) > 0)
        sent += (uint64_t)count;
    return sent;
}

static uint64_t read_all(struct pair *pair, const struct work *work, char *in)
{
    uint64_t received = 0;
    long count;

    while ((count = weir_socket_recv(pair->far.stack, pair->far.socket, in, work->chunk)) > 0)
        received += (uint64_t)count;
    return received;
}

static struct result transfer(struct pair *pair, const struct work *work)
{
    static char out[CHUNK_MAX], in[CHUNK_MAX];
    uint64_t sent = 0, received = 0, idle = 0;
    double start = pair_seconds(), cpu_start = pair_cpu_seconds();

    memset(out, 'w', work->chunk);
    while (received < work->total) {
        uint64_t count;

        pair->now += 10 * WEIR_US;
        sent = write_all(pair, work, out, sent);
        pair_run(&pair->near, pair->now);
        pair_run(&pair->far, pair->now);
        count = read_all(pair, work, in);
        received += count;
        weir_stack_poll(pair->far.stack, pair->now, 0); /* window updates */
        idle = count ? 0 : idle + 1;
        if (idle > STUCK)
            pair_die(PROGRAM, "the transfer is stuck");
    }
    return (struct result){.seconds = pair_seconds() - start,
                           .cpu_seconds = pair_cpu_seconds() - cpu_start};
}

/* Nanoseconds to move one segment's bytes once, from a working set like the transfer's. */
static double time_copies(uint32_t bytes, bool is_summed)
{
    static uint8_t from[65536 + 16384], to[65536 + 16384];
    volatile uint32_t sink = 0;
    double start = pair_cpu_seconds();
    int i;

    bytes = bytes < 16384 ? bytes : 16384;
    for (i = 0; i < ROUNDS; i++) {
        size_t at = (size_t)i * bytes % 65536;

        if (is_summed)
            sink += checksum_copy(0, to + at, from + at, bytes);
        else
            memcpy(to + at, from + at, bytes);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    (void)sink;
    return (pair_cpu_seconds() - start) * 1e9 / ROUNDS;
}

static void report(const struct pair *pair, const struct work *work, const struct result *result,
                   bool is_summed)
{
    struct weir_tcp_info info;
    double segment, copies, sums;

    weir_tcp_info_get(pair->near.stack, pair->near.socket, pair->now, &info);
    segment = result->cpu_seconds * 1e9 / ((double)work->total / info.mss);
    copies = (is_summed ? 2 : 4) * time_copies(info.mss, false);
    sums = is_summed ? 2 * time_copies(info.mss, true) : 0;
    printf("gbit_per_s %.2f\n", (double)work->total * 8 / result->seconds / 1e9);
    printf("gbit_per_cpu_s %.2f\n", (double)work->total * 8 / result->cpu_seconds / 1e9);
    printf("ns_per_segment %.0f\n", segment);
    printf("ns_copies %.0f\n", copies);
    printf("ns_copies_with_sums %.0f\n", sums);
    printf("ns_rest %.0f\n", segment - copies - sums);
    printf("retransmissions %llu\n", (unsigned long long)info.retransmissions);
}

int main(int argc, char **argv)
{
    struct work work = {.mtu = 1500, .chunk = 65536, .total = (uint64_t)2048 << 20};
    struct pair_link link = {.queue_frames = QUEUE};
    struct result result;
    struct pair pair;
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);

        if (!strcmp(argv[i], "--mtu"))
            work.mtu = (uint32_t)value;
        else if (!strcmp(argv[i], "--mib"))
            work.total = value << 20;
        else if (!strcmp(argv[i], "--gso"))
            link.gso_max = (uint32_t)value;
        else if (!strcmp(argv[i], "--chunk"))
            work.chunk = (uint32_t)value;
    }
    if (!work.chunk || work.chunk > CHUNK_MAX)
        pair_die(PROGRAM, "--chunk is 1..1048576");
    link.mtu = work.mtu;
    pair_open(&pair, PROGRAM, &link);
    result = transfer(&pair, &work);
    report(&pair, &work, &result, !link.gso_max);
    pair_close(&pair);
    return 0;
}
