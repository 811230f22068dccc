/* SPDX-License-Identifier: MIT */

/* Many connections between two stacks in one thread over the memory link.
 *
 *   bench_connections idle    [--open N]               what an idle established connection holds
 *   bench_connections churn   [--open N] [--count M]   connect + 1 byte + close beside N open ones
 *   bench_connections segment [--open N] [--batch B] [--count M]
 *                                                      what a segment costs with N open
 *
 * Every segment is a real one, summed and verified. All clients live in one stack and all servers in
 * the other, so both ends of N connections are N flows, N sockets and N timers each. One address has
 * 28,232 ephemeral ports a server port, so the connections are spread over PORTS server ports.
 *
 * idle counts every byte that the server's stack acquires for connections that have carried a byte each
 * way, and what the C library's allocator adds to each block (its 8 bytes of head, and rounding); the
 * stack's own fixed parts were acquired before. It also prints the resident memory of the process a
 * connection's end, an independent measure.
 *
 * churn advances the clock by 2 MSL / 10,000 a connection, so that 10,000 TIME-WAIT records live at
 * any moment and none is evicted. Who connects closes first and keeps the record. It is checked that each
 * connection was accepted and its byte read.
 *
 * segment sends 64 bytes on B different connections, chosen at random among the active ones, lets the
 * server echo them, and divides the time by the segments that both stacks received: with one active
 * connection, with a thousand, and with all that are open. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/inspect.h>
#include <weir/links.h>
#include <weir/socket.h>

#define PORTS 64u
#define FIRST_PORT 5000u
#define FRAMES 64
#define TIME_WAITS 10000
#define OPEN_BATCH 32u
#define QUEUE 512u
#define BATCH_MAX 64u
#define TEXT 64
#define CHUNK_HEAD 8 /* what malloc keeps before each block */

struct end {
    struct weir_stack *stack;
    struct weir_link *link;
    size_t held;  /* by the stack's allocator, its own overhead included */
    uint64_t got; /* bytes read */
    uint32_t accepted, ended;
    int *sockets; /* in the order of opening; NULL: not wanted */
    bool is_echo, is_closer;
};

struct bench {
    struct weir_hub *hub;
    struct end client, server;
    weir_time now, step;
    uint64_t random;
    uint32_t open, active, batch, count;
    bool is_counting;
};

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_connections: %s\n", what);
    exit(1);
}

/* ---- Memory, counted with the allocator's own share ------------------------------------------------- */

static void *acquire(void *context, size_t bytes)
{
    struct end *end = context;
    void *memory = malloc(bytes);

    if (memory)
        end->held += malloc_usable_size(memory) + CHUNK_HEAD;
    return memory;
}

static void release(void *context, void *memory, size_t bytes)
{
    struct end *end = context;

    (void)bytes;
    end->held -= malloc_usable_size(memory) + CHUNK_HEAD;
    free(memory);
}

static size_t resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long all = 0, pages = 0;

    if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2)
        die("no /proc/self/statm");
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- Two stacks ---------------------------------------------------------------------------------------- */

static void make_end(struct bench *bench, struct end *end, unsigned port)
{
    const uint32_t ip = 0x0a000001u + port;
    const struct weir_addr addr = weir_addr_from4(ip);
    const struct weir_prefix prefix = weir_prefix_from4(ip, 24);
    struct weir_stack_config config;

    end->link = weir_hub_port(bench->hub, port);
    weir_stack_config_init(&config);
    config.node_id = port;
    config.memory_budget = (size_t)16 << 30;
    if (bench->is_counting)
        config.allocator =
            (struct weir_allocator){.acquire = acquire, .release = release, .context = end};
    end->stack = weir_stack_create(&config);
    if (!end->stack ||
        weir_stack_add_iface(end->stack, "if0", end->link, &addr, &prefix, false) < 0)
        die("no stack");
}

static void listen_all(struct end *server)
{
    struct weir_endpoint endpoint = {.addr = weir_addr_any4()};
    unsigned i;

    for (i = 0; i < PORTS; i++) {
        int number = weir_socket_open(server->stack, WEIR_TCP, 0);

        endpoint.port = (uint16_t)(FIRST_PORT + i);
        if (weir_socket_bind(server->stack, number, &endpoint) < 0 ||
            weir_socket_listen(server->stack, number, QUEUE) < 0)
            die("no listener");
    }
}

static void serve_readable(struct end *end, int number)
{
    char text[TEXT];
    long count;

    while ((count = weir_socket_recv(end->stack, number, text, sizeof(text))) > 0) {
        end->got += (uint64_t)count;
        if (end->is_echo && weir_socket_send(end->stack, number, text, (size_t)count, 0) != count)
            die("no room for an echo");
    }
    if (count == 0 && end->is_closer)
        weir_socket_close(end->stack, number);
}

static void take_events(struct end *end)
{
    struct weir_event event;

    while (weir_stack_next_event(end->stack, &event)) {
        if (event.events & WEIR_CLOSED) {
            end->ended++;
        } else if (event.events & WEIR_ACCEPT) {
            while (weir_socket_accept(end->stack, event.socket, NULL) >= 0)
                end->accepted++;
        } else if (event.events & WEIR_IN) {
            serve_readable(end, event.socket);
        }
    }
}

/* One turn of an end: what has come, what happened, what is due. */
static void run_end(struct end *end, weir_time now)
{
    struct weir_frame frames[FRAMES];
    int count;

    while ((count = end->link->ops->receive(end->link, frames, FRAMES, now)) > 0)
        weir_stack_input(end->stack, 0, frames, count, now);
    if (end->link->refused) { /* the other end has made room */
        end->link->refused = false;
        weir_stack_link_ready(end->stack, 0);
    }
    take_events(end);
    weir_stack_poll(end->stack, now, 0);
    take_events(end);
}

static bool is_due(const struct end *end, weir_time now)
{
    return end->link->refused || weir_stack_deadline(end->stack) <= now;
}

/* Until both are silent, at one moment of the clock. */
static void settle(struct bench *bench)
{
    unsigned rounds = 0;

    run_end(&bench->client, bench->now);
    for (;;) {
        if (weir_hub_pending(bench->hub, 1) || is_due(&bench->server, bench->now))
            run_end(&bench->server, bench->now);
        else if (weir_hub_pending(bench->hub, 0) || is_due(&bench->client, bench->now))
            run_end(&bench->client, bench->now);
        else
            return;
        if (++rounds > 100000)
            die("the ends do not fall silent");
    }
}

static int connect_one(struct bench *bench, uint32_t index)
{
    const struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002),
                                         .port = (uint16_t)(FIRST_PORT + index % PORTS)};
    int number = weir_socket_open(bench->client.stack, WEIR_TCP, 0);
    int error = weir_socket_connect(bench->client.stack, number, &remote, bench->now);

    if (error != WEIR_EINPROGRESS)
        die("connect failed");
    return number;
}

/* Opens `open` connections that carry a byte each way, and lets all timers of that end. */
static void open_all(struct bench *bench)
{
    int *sockets = calloc(bench->open ? bench->open : 1, sizeof(*sockets));
    uint32_t i, from = 0;

    if (!sockets)
        die("no memory");
    bench->client.sockets = sockets;
    bench->server.is_echo = true;
    while (from < bench->open) {
        uint32_t until = from + OPEN_BATCH < bench->open ? from + OPEN_BATCH : bench->open;

        bench->now += 100 * WEIR_US;
        for (i = from; i < until; i++)
            sockets[i] = connect_one(bench, i);
        settle(bench);
        for (i = from; i < until; i++)
            if (weir_socket_send(bench->client.stack, sockets[i], "w", 1, 0) != 1)
                die("no room for a byte");
        settle(bench);
        from = until;
    }
    for (i = 0; i < 100; i++) {
        bench->now += WEIR_MS;
        settle(bench);
    }
    if (bench->server.accepted != bench->open || bench->server.got != bench->open ||
        bench->client.got != bench->open)
        die("not all connections came up");
}

static void start(struct bench *bench)
{
    bench->hub = weir_hub_create(2, 1500, QUEUE);
    if (!bench->hub)
        die("no link");
    bench->random = 0x9e3779b97f4a7c15u;
    make_end(bench, &bench->client, 0);
    make_end(bench, &bench->server, 1);
    listen_all(&bench->server);
}

static void finish(struct bench *bench)
{
    weir_stack_destroy(bench->client.stack);
    weir_stack_destroy(bench->server.stack);
    weir_hub_destroy(bench->hub);
    free(bench->client.sockets);
}

/* ---- The three questions ------------------------------------------------------------------------------ */

static void idle(struct bench *bench)
{
    size_t held, before;
    double took = seconds(CLOCK_MONOTONIC);

    held = bench->server.held;
    before = resident();
    open_all(bench);
    took = seconds(CLOCK_MONOTONIC) - took;
    printf("bytes_per_connection %.1f\n", (double)(bench->server.held - held) / bench->open);
    printf("resident_per_connection %.1f\n", (double)(resident() - before) / 2 / bench->open);
    printf("open %u\n", bench->open);
    printf("opened_per_s %.0f\n", bench->open / took);
}

static uint64_t counter(const struct end *end, enum weir_counter which)
{
    return weir_inspect_counters(end->stack)->counter[which];
}

static void churn_one(struct bench *bench, uint32_t index)
{
    struct weir_stack *stack = bench->client.stack;
    int number = connect_one(bench, index);

    settle(bench);
    if (weir_socket_send(stack, number, "w", 1, 0) != 1)
        die("no connection");
    weir_socket_close(stack, number);
    settle(bench);
    bench->now += bench->step;
}

static void churn(struct bench *bench)
{
    struct weir_tcp_settings settings;
    uint32_t i, ended, accepted;
    uint64_t got;
    double took, cpu;

    open_all(bench);
    weir_profile(WEIR_PROFILE_DEFAULT, &settings);
    bench->step = 2 * settings.msl / TIME_WAITS;
    bench->server.is_echo = false;
    bench->server.is_closer = true;
    for (i = 0; i < TIME_WAITS; i++) /* until the records are there */
        churn_one(bench, i);
    ended = bench->client.ended;
    accepted = bench->server.accepted;
    got = bench->server.got;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    took = seconds(CLOCK_MONOTONIC);
    for (i = 0; i < bench->count; i++)
        churn_one(bench, i);
    took = seconds(CLOCK_MONOTONIC) - took;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    if (bench->server.accepted - accepted != bench->count ||
        bench->server.got - got != bench->count)
        die("connections were lost");
    printf("connections_per_s %.0f\n", bench->count / took);
    printf("connections_per_cpu_s %.0f\n", bench->count / cpu);
    printf("ns_per_connection %.0f\n", took * 1e9 / bench->count);
    printf("time_waits_ended %u\n", bench->client.ended - ended);
    printf("time_waits_evicted %llu\n",
           (unsigned long long)weir_inspect_counters(bench->client.stack)
               ->drop[WEIR_DROP_TIME_WAIT_LIMIT]);
    printf("open %u\n", bench->open);
}

static uint32_t next_random(struct bench *bench)
{
    bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(bench->random >> 33);
}

static void segment_round(struct bench *bench)
{
    static const char text[TEXT] = "what is sent";
    uint32_t i;

    bench->now += 10 * WEIR_US;
    for (i = 0; i < bench->batch; i++) {
        uint32_t index = next_random(bench) % bench->active;

        if (weir_socket_send(bench->client.stack, bench->client.sockets[index], text, TEXT, 0) !=
            TEXT)
            die("no room for a segment");
    }
    settle(bench);
}

static uint64_t segments_of(const struct bench *bench)
{
    return counter(&bench->client, WEIR_COUNT_SEGMENTS_IN) +
           counter(&bench->server, WEIR_COUNT_SEGMENTS_IN);
}

static void segment_among(struct bench *bench, const char *name)
{
    uint64_t segments;
    uint32_t i;
    double took, cpu;

    for (i = 0; i < bench->count / 4; i += bench->batch)
        segment_round(bench);
    segments = segments_of(bench);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    took = seconds(CLOCK_MONOTONIC);
    for (i = 0; i < bench->count; i += bench->batch)
        segment_round(bench);
    took = seconds(CLOCK_MONOTONIC) - took;
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    segments = segments_of(bench) - segments;
    printf("%s_ns %.1f\n", name, took * 1e9 / (double)segments);
    printf("%s_cpu_ns %.1f\n", name, cpu * 1e9 / (double)segments);
    printf("%s_segments %.2f\n", name, (double)segments / bench->count);
}

static void segment(struct bench *bench)
{
    open_all(bench);
    bench->active = 1;
    segment_among(bench, "one");
    if (bench->open >= 1000) {
        bench->active = 1000;
        segment_among(bench, "thousand");
    }
    if (bench->open > 1000) {
        bench->active = bench->open;
        segment_among(bench, "all");
    }
    printf("open %u\n", bench->open);
    printf("batch %u\n", bench->batch);
}

static void read_arguments(struct bench *bench, int argc, char **argv)
{
    int i;

    for (i = 2; i + 1 < argc; i += 2) {
        uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);

        if (!strcmp(argv[i], "--open"))
            bench->open = value;
        else if (!strcmp(argv[i], "--batch"))
            bench->batch = value;
        else if (!strcmp(argv[i], "--count"))
            bench->count = value;
    }
    if (bench->batch > BATCH_MAX || !bench->batch)
        bench->batch = BATCH_MAX;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    void (*run)(struct bench *) = NULL;

    if (argc > 1 && !strcmp(argv[1], "idle")) {
        bench = (struct bench){.open = 1000000, .is_counting = true};
        run = idle;
    } else if (argc > 1 && !strcmp(argv[1], "churn")) {
        bench = (struct bench){.open = 10000, .count = 300000};
        run = churn;
    } else if (argc > 1 && !strcmp(argv[1], "segment")) {
        bench = (struct bench){.open = 1000, .count = 1000000, .batch = 1};
        run = segment;
    }
    if (!run) {
        fprintf(stderr,
                "usage: bench_connections idle|churn|segment [--open N] [--batch B] [--count M]\n");
        return 2;
    }
    read_arguments(&bench, argc, argv);
    start(&bench);
    run(&bench);
    finish(&bench);
    return 0;
}
