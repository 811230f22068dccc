/* SPDX-License-Identifier: MIT */

/* The transport over the network in memory: 500 seeds of losses, doubles and delays; each is a
 * connection with bytes in both directions, ended by either side first or by both at once. Every
 * byte must arrive, in order, and both ends must read the end. And simultaneous opens. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <stcp/net_memory.h>
#include <stcp/mysock_impl.h>

#define SEEDS 500
#define WORKERS 32
#define BYTES_MAX 12000
#define PORT 1000
#define CLIENT_PORT 20000

static struct sockaddr_in at_port(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static void fill(unsigned char *bytes, size_t length, unsigned seed)
{
    size_t i;

    for (i = 0; i < length; i++)
        bytes[i] = (unsigned char)rand_r(&seed);
}

/* Writes in pieces of odd lengths. */
static bool_t write_bytes(mysocket_t sd, size_t length, unsigned seed)
{
    unsigned char bytes[BYTES_MAX];
    size_t done = 0;

    fill(bytes, length, seed);
    while (done < length) {
        size_t piece = (size_t)rand_r(&seed) % 1500 + 1;

        piece = piece < length - done ? piece : length - done;
        if (mywrite(sd, bytes + done, piece) != (int)piece)
            return FALSE;
        done += piece;
    }
    return TRUE;
}

static bool_t read_bytes(mysocket_t sd, size_t length, unsigned seed)
{
    unsigned char bytes[BYTES_MAX], expected[BYTES_MAX];
    size_t done = 0;

    fill(expected, length, seed);
    while (done < length) {
        int count = myread(sd, bytes + done, length - done);

        if (count <= 0)
            return FALSE;
        done += (size_t)count;
    }
    return memcmp(bytes, expected, length) == 0;
}

static void *close_it(void *sd)
{
    myclose(*(mysocket_t *)sd);
    return NULL;
}

/* Both ends, in the order that the seed says. */
static bool_t close_both(mysocket_t one, mysocket_t two, unsigned seed)
{
    mysocket_t first = seed % 3 == 0 ? one : two, second = first == one ? two : one;
    pthread_t thread;
    bool_t has_end = TRUE;
    char byte;

    if (pthread_create(&thread, NULL, close_it, &first) != 0)
        return FALSE;
    if (seed % 3 != 2)
        has_end = myread(second, &byte, 1) == 0;
    myclose(second);
    pthread_join(thread, NULL);
    return has_end;
}

static mysocket_t bound_socket(int port)
{
    struct sockaddr_in addr = at_port(port);
    mysocket_t sd = mysocket(FALSE);

    if (sd < 0 || mybind(sd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return -1;
    return sd;
}

static const char *run_seed(unsigned seed)
{
    struct sockaddr_in addr = at_port(PORT + (int)seed);
    mysocket_t listener = bound_socket(PORT + (int)seed);
    mysocket_t client = bound_socket(CLIENT_PORT + (int)seed), server;
    size_t up = seed * 7919 % BYTES_MAX, down = seed * 104729 % BYTES_MAX;

    if (listener < 0 || client < 0 || mylisten(listener, 5) < 0)
        return "no sockets";
    if (myconnect(client, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return "no connection";
    server = myaccept(listener, NULL, NULL);
    if (server < 0)
        return "not accepted";
    if (!write_bytes(client, up, seed) || !write_bytes(server, down, ~seed))
        return "not written";
    if (!read_bytes(server, up, seed) || !read_bytes(client, down, ~seed))
        return "wrong bytes";
    if (!close_both(client, server, seed))
        return "no end";
    myclose(listener);
    return NULL;
}

static const char *results[SEEDS];

static void *work(void *first)
{
    unsigned seed;

    for (seed = *(unsigned *)first; seed < SEEDS; seed += WORKERS)
        results[seed] = run_seed(seed);
    return NULL;
}

static void run_all(void)
{
    unsigned firsts[WORKERS], i, failed = 0;
    pthread_t threads[WORKERS];

    for (i = 0; i < WORKERS; i++) {
        firsts[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &firsts[i]), 0);
    }
    for (i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < SEEDS; i++)
        if (results[i]) {
            print_error("seed %u: %s\n", i, results[i]);
            failed++;
        }
    assert_int_equal(failed, 0);
    assert_null(table_get(0)); /* and nothing is left */
}

static void five_hundred_seeds(void **state)
{
    static const struct memory_faults faults = {30, 30, 30};

    (void)state;
    memory_set(461, &faults);
    run_all();
    print_message("%lu segments were lost, doubled or delayed\n", memory_count());
    assert_true(memory_count() > 1000);
}

static void without_faults(void **state)
{
    static const struct memory_faults none = {0, 0, 0};

    (void)state;
    memory_set(1, &none);
    run_all();
    assert_int_equal(memory_count(), 0);
}

static void much_is_doubled_and_delayed(void **state)
{
    static const struct memory_faults faults = {0, 300, 300};

    (void)state;
    memory_set(2, &faults);
    run_all();
}

struct end {
    mysocket_t sd;
    int port, result;
};

static void *connect_end(void *argument)
{
    struct end *end = argument;
    struct sockaddr_in addr = at_port(end->port);

    end->result = myconnect(end->sd, (struct sockaddr *)&addr, sizeof(addr));
    return NULL;
}

/* Two that connect to each other make one connection (RFC 9293 3.5, figure 7). */
static void simultaneous_open(void **state)
{
    static const struct memory_faults faults = {30, 30, 30};
    unsigned seed;

    (void)state;
    for (seed = 0; seed < 40; seed++) {
        struct end ends[2] = {{bound_socket(40000), 40001, -1}, {bound_socket(40001), 40000, -1}};
        pthread_t thread;

        memory_set(seed, &faults);
        assert_int_equal(pthread_create(&thread, NULL, connect_end, &ends[1]), 0);
        connect_end(&ends[0]);
        pthread_join(thread, NULL);
        assert_int_equal(ends[0].result, 0);
        assert_int_equal(ends[1].result, 0);
        assert_true(write_bytes(ends[0].sd, 5000, seed));
        assert_true(write_bytes(ends[1].sd, 3000, ~seed));
        assert_true(read_bytes(ends[1].sd, 5000, seed));
        assert_true(read_bytes(ends[0].sd, 3000, ~seed));
        assert_true(close_both(ends[0].sd, ends[1].sd, seed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults),
        cmocka_unit_test(much_is_doubled_and_delayed),
        cmocka_unit_test(five_hundred_seeds),
        cmocka_unit_test(simultaneous_open),
    };

    mysock_network = &network_memory;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
