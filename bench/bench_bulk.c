/* SPDX-License-Identifier: MIT */

/* Bulk data between two stacks in one thread over the memory link.
 *
 *   bench_bulk [--mtu BYTES] [--mib MEBIBYTES]
 *
 * Every segment is a real one: cut at the MSS, its checksum made by the sender and verified by the
 * receiver. The application writes and reads 64 KiB at a time through weir_socket_send and recv, so
 * all four movements of each byte count: application to send buffer, buffer to frame (summed), frame
 * to receive buffer (summed), buffer to application. Each of them is then timed alone, on segments of
 * the same size with data in the cache, which tells how much of a segment's time they take.
 *
 * Prints: Gbit/s of payload; nanoseconds a data segment, both ends and its share of the ACKs; of
 * these, in plain copies, in copies with sums, and in the rest. */

#include <base/checksum.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/inspect.h>
#include <weir/links.h>

#define CHUNK 65536
#define BATCH 64
#define ROUNDS 400000

struct end {
    struct weir_stack *stack;
    struct weir_link *link;
    int socket;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_bulk: %s\n", what);
    exit(1);
}

static struct end make_end(struct weir_hub *hub, unsigned port)
{
    const uint32_t ip = 0x0a000001u + port;
    const struct weir_addr addr = weir_addr_from4(ip);
    const struct weir_prefix prefix = weir_prefix_from4(ip, 24);
    struct weir_stack_config config;
    struct end end = {.link = weir_hub_port(hub, port)};

    weir_stack_config_init(&config);
    config.node_id = port;
    end.stack = weir_stack_create(&config);
    if (!end.stack || weir_stack_add_iface(end.stack, "if0", end.link, &addr, &prefix, false) < 0)
        die("no stack");
    end.socket = weir_socket_open(end.stack, WEIR_TCP, 0);
    return end;
}

static void run_end(struct end *end, weir_time now)
{
    struct weir_frame frames[BATCH];
    struct weir_event event;
    int count;

    while ((count = end->link->ops->receive(end->link, frames, BATCH, now)) > 0)
        weir_stack_input(end->stack, 0, frames, count, now);
    weir_stack_link_ready(end->stack, 0);
    weir_stack_poll(end->stack, now, 0);
    while (weir_stack_next_event(end->stack, &event))
        ;
}

static void connect_ends(struct end *sender, struct end *receiver, weir_time *now)
{
    struct weir_endpoint endpoint = {.addr = weir_addr_any4(), .port = 5001};
    int accepted = WEIR_EAGAIN;
    int tries;

    weir_socket_bind(receiver->stack, receiver->socket, &endpoint);
    weir_socket_listen(receiver->stack, receiver->socket, 1);
    endpoint.addr = weir_addr_from4(0x0a000002);
    weir_socket_connect(sender->stack, sender->socket, &endpoint, *now);
    for (tries = 0; tries < 10 && accepted < 0; tries++) {
        *now += 10 * WEIR_US;
        run_end(sender, *now);
        run_end(receiver, *now);
        accepted = weir_socket_accept(receiver->stack, receiver->socket, NULL);
    }
    if (accepted < 0)
        die("no connection");
    receiver->socket = accepted;
}

/* Moves `total` bytes; returns the seconds it took. */
static double transfer(struct end *sender, struct end *receiver, uint64_t total, weir_time *now)
{
    static char out[CHUNK], in[CHUNK];
    uint64_t sent = 0, received = 0, idle = 0;
    double start = seconds();

    memset(out, 'w', sizeof(out));
    while (received < total) {
        uint64_t before = received;
        long count;

        *now += 10 * WEIR_US;
        while (sent < total &&
               (count = weir_socket_send(sender->stack, sender->socket, out, sizeof(out), 0)) > 0)
            sent += (uint64_t)count;
        run_end(sender, *now);
        run_end(receiver, *now);
        while ((count = weir_socket_recv(receiver->stack, receiver->socket, in, sizeof(in))) > 0)
            received += (uint64_t)count;
        weir_stack_poll(receiver->stack, *now, 0); /* window updates */
        idle = received == before ? idle + 1 : 0;
        if (idle > 100000)
            die("the transfer is stuck");
    }
    return seconds() - start;
}

/* Nanoseconds to move one segment's bytes once, from a working set like the transfer's. */
static double time_copies(uint32_t bytes, bool is_summed)
{
    static uint8_t from[CHUNK + 16384], to[CHUNK + 16384];
    volatile uint32_t sink = 0;
    double start = seconds();
    int i;

    for (i = 0; i < ROUNDS; i++) {
        size_t at = (size_t)i * bytes % CHUNK;

        if (is_summed)
            sink += checksum_copy(0, to + at, from + at, bytes);
        else
            memcpy(to + at, from + at, bytes);
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    (void)sink;
    return (seconds() - start) * 1e9 / ROUNDS;
}

int main(int argc, char **argv)
{
    uint32_t mtu = 1500;
    uint64_t total = (uint64_t)2048 << 20;
    struct weir_tcp_info info;
    struct end sender, receiver;
    struct weir_hub *hub;
    weir_time now = 0;
    double took, segment, copies, sums;
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--mtu"))
            mtu = (uint32_t)strtoul(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--mib"))
            total = (uint64_t)strtoul(argv[i + 1], NULL, 10) << 20;
    }
    hub = weir_hub_create(2, mtu, 256);
    if (!hub)
        die("no link");
    sender = make_end(hub, 0);
    receiver = make_end(hub, 1);
    connect_ends(&sender, &receiver, &now);
    took = transfer(&sender, &receiver, total, &now);
    weir_tcp_info_get(sender.stack, sender.socket, now, &info);
    segment = took * 1e9 / ((double)total / info.mss);
    copies = 2 * time_copies(info.mss, false);
    sums = 2 * time_copies(info.mss, true);
    printf("gbit_per_s %.2f\n", (double)total * 8 / took / 1e9);
    printf("ns_per_segment %.0f\n", segment);
    printf("ns_copies %.0f\n", copies);
    printf("ns_copies_with_sums %.0f\n", sums);
    printf("ns_rest %.0f\n", segment - copies - sums);
    printf("retransmissions %llu\n", (unsigned long long)info.retransmissions);
    weir_stack_destroy(sender.stack);
    weir_stack_destroy(receiver.stack);
    weir_hub_destroy(hub);
    return 0;
}
