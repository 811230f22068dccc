/* SPDX-License-Identifier: MIT */

/* The simulator's speed: a network h1 - r1 - r2 - h2 in virtual time, bulk data from h1 to h2, one core.
 *
 *   bench_sim [--mib MEBIBYTES] [--checking]
 *
 * Links of 1 Gbit/s and 1 ms, MTU 1500, with queues of 1,000 packets; buffers of 1 MiB, of which the
 * window can use 65,535 bytes. Every segment is a real one: its data is copied from the sender's
 * application into the receiver's, its checksum is made and verified, its IP header checked and made
 * anew at each router. What the simulator adds: the queue of events, the links' delay, and a hash of
 * every packet's bytes and arrival a node (the trace). --checking adds the invariant checks after each
 * step, which tests have on.
 *
 * Prints the TCP segments with data that h2 receives, a second of wall time, however many hops each has
 * made (peers/peer_ns3.cc counts alike); of those that any host receives, ACKs too; steps of nodes; and
 * how long the transfer took in virtual time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/sim.h>
#include <weir/socket.h>

#define NODES 4
#define CHUNK 65536
#define PORT 5001
#define DATA_MIN 100 /* bytes of an IP packet that is more than an ACK */

struct bench {
    struct weir_sim *sim;
    uint64_t total, sent, received, data_segments;
    int sender, accepted;
};

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_sim: %s\n", what);
    exit(1);
}

/* Node i has 10.0.i-1.2 to the left and 10.0.i.1 to the right. */
static uint32_t address(int net, int end)
{
    return 0x0a000000u + ((uint32_t)net << 8) + (uint32_t)end;
}

static void join(struct weir_sim *sim, int node, int net, int end)
{
    const struct weir_impair impair = {.delay_ns = WEIR_MS, .rate_bps = 1e9, .queue_packets = 1000};
    const struct weir_addr addr = weir_addr_from4(address(net, end));
    const struct weir_prefix prefix = weir_prefix_from4(address(net, 0), 24);

    if (weir_sim_join(sim, node, net, end == 1 ? "right" : "left", &addr, &prefix, &impair) < 0)
        die("no interface");
}

static void route(struct weir_sim *sim, int node, int to, int net, int end)
{
    const struct weir_prefix prefix = weir_prefix_from4(address(to, 0), 24);
    const struct weir_addr next = weir_addr_from4(address(net, end));

    if (weir_stack_add_route(weir_sim_stack(sim, node), &prefix, &next) < 0)
        die("no route");
}

static struct weir_sim *build(void)
{
    struct weir_sim *sim = weir_sim_create(1);
    struct weir_stack_config config;
    int i, to;

    if (!sim)
        die("no simulator");
    weir_stack_config_init(&config);
    config.tcp.send_buffer = 1 << 20;
    config.tcp.receive_buffer = 1 << 20;
    for (i = 0; i < NODES; i++) {
        config.forwarding = i > 0 && i < NODES - 1;
        if (weir_sim_add_node(sim, &config) < 0)
            die("no node");
    }
    for (i = 0; i < NODES - 1; i++) {
        if (weir_sim_add_network(sim, 2, 1500) < 0)
            die("no network");
        join(sim, i, i, 1);
        join(sim, i + 1, i, 2);
        weir_sim_resolve(sim, i);
    }
    for (i = 0; i < NODES; i++) {
        for (to = i + 1; to < NODES - 1; to++)
            route(sim, i, to, i, 2);
        for (to = 0; to < i - 1; to++)
            route(sim, i, to, i - 1, 1);
    }
    return sim;
}

static void send_some(struct bench *bench)
{
    static const char text[CHUNK] = "what is sent";
    struct weir_stack *stack = weir_sim_stack(bench->sim, 0);
    long count;

    while (bench->sent < bench->total) {
        uint64_t left = bench->total - bench->sent;

        count =
            weir_socket_send(stack, bench->sender, text, left < CHUNK ? (size_t)left : CHUNK, 0);
        if (count <= 0)
            return;
        bench->sent += (uint64_t)count;
    }
}

static void receive_all(struct bench *bench, int socket)
{
    static char text[CHUNK];
    struct weir_stack *stack = weir_sim_stack(bench->sim, NODES - 1);
    long count;

    while ((count = weir_socket_recv(stack, socket, text, sizeof(text))) > 0)
        bench->received += (uint64_t)count;
    if (bench->received >= bench->total)
        weir_sim_stop(bench->sim);
    weir_sim_touch(bench->sim, NODES - 1);
}

static void on_event(void *context, struct weir_sim *sim, int node, const struct weir_event *event)
{
    struct bench *bench = context;

    if (node == 0 && (event->events & WEIR_OUT)) {
        send_some(bench);
        weir_sim_touch(sim, 0);
    } else if (event->events & WEIR_ACCEPT) {
        weir_socket_accept(weir_sim_stack(sim, node), event->socket, NULL);
    } else if (node == NODES - 1 && (event->events & WEIR_IN)) {
        receive_all(bench, event->socket);
    }
}

static void on_packet(void *context, struct weir_sim *sim, int node, int iface,
                      const struct weir_frame *frame)
{
    struct bench *bench = context;

    (void)sim;
    (void)iface;
    bench->data_segments += node == NODES - 1 && frame->length > DATA_MIN;
}

static void start(struct bench *bench)
{
    struct weir_stack *server = weir_sim_stack(bench->sim, NODES - 1);
    struct weir_endpoint endpoint = {.addr = weir_addr_any4(), .port = PORT};
    int listener = weir_socket_open(server, WEIR_TCP, 0);

    weir_sim_on_event(bench->sim, on_event, bench);
    weir_sim_on_packet(bench->sim, on_packet, bench);
    if (weir_socket_bind(server, listener, &endpoint) < 0 ||
        weir_socket_listen(server, listener, 1) < 0)
        die("no listener");
    bench->sender = weir_socket_open(weir_sim_stack(bench->sim, 0), WEIR_TCP, 0);
    endpoint.addr = weir_addr_from4(address(NODES - 2, 2));
    weir_socket_connect(weir_sim_stack(bench->sim, 0), bench->sender, &endpoint, 0);
    weir_sim_touch(bench->sim, 0);
}

static uint64_t all_segments(const struct bench *bench)
{
    const struct weir_stack *ends[] = {weir_sim_stack(bench->sim, 0),
                                       weir_sim_stack(bench->sim, NODES - 1)};

    return weir_inspect_counters(ends[0])->counter[WEIR_COUNT_SEGMENTS_IN] +
           weir_inspect_counters(ends[1])->counter[WEIR_COUNT_SEGMENTS_IN];
}

int main(int argc, char **argv)
{
    struct bench bench = {.total = (uint64_t)256 << 20};
    bool is_checking = false;
    const char *broken;
    double took;
    int i;

    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--checking"))
            is_checking = true;
        else if (!strcmp(argv[i], "--mib") && i + 1 < argc)
            bench.total = (uint64_t)strtoul(argv[++i], NULL, 10) << 20;
    }
    bench.sim = build();
    weir_sim_set_checking(bench.sim, is_checking);
    start(&bench);
    took = seconds();
    broken = weir_sim_run(bench.sim, 3600 * WEIR_SECOND);
    took = seconds() - took;
    if (broken || bench.received != bench.total)
        die(broken ? broken : "not all has arrived");
    printf("segments_per_s %.0f\n", (double)bench.data_segments / took);
    printf("with_acks_per_s %.0f\n", (double)all_segments(&bench) / took);
    printf("cpu_s_per_million_segments %.3f\n",
           (double)clock() / CLOCKS_PER_SEC * 1e6 / (double)bench.data_segments);
    printf("segments %llu\n", (unsigned long long)bench.data_segments);
    printf("seconds %.3f\n", took);
    printf("virtual_s %.3f\n", (double)weir_sim_now(bench.sim) / 1e9);
    weir_sim_destroy(bench.sim);
    return 0;
}
