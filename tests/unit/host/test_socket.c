/* SPDX-License-Identifier: MIT */

/* Blocking calls between two hosts in one process, each with threads of its own. A server thread
 * must wait for host 1, because nobody else would let its time pass. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 10
#define BYTES 200000u

struct server {
    struct pair *pair;
    int listener;
    int connections;
    int result; /* of the last call */
};

/* Sends back whatever comes, until the peer closes. */
static void *echo(void *argument)
{
    struct server *server = argument;
    struct weir_host *host = server->pair->host[1];
    uint8_t buffer[5000];
    long count;

    while ((count = weir_recv(host, server->result, buffer, sizeof(buffer))) > 0) {
        if (weir_send(host, server->result, buffer, (size_t)count, 0) != count)
            break;
    }
    weir_close(host, server->result);
    return NULL;
}

/* Accepts `connections` and gives each a thread. */
static void *serve(void *argument)
{
    struct server *server = argument;
    struct server each[CLIENTS];
    pthread_t threads[CLIENTS];

    for (int index = 0; index < server->connections; index++) {
        struct weir_endpoint remote;

        each[index] = *server;
        each[index].result = weir_accept(server->pair->host[1], server->listener, &remote);
        if (each[index].result < 0)
            abort();
        threads[index] = pair_start(echo, &each[index]);
    }
    for (int index = 0; index < server->connections; index++)
        pthread_join(threads[index], NULL);
    return NULL;
}

struct client {
    struct pair *pair;
    int socket;
    uint8_t key;
    bool is_right;
};

static void *send_pattern(void *argument)
{
    struct client *client = argument;
    uint8_t *bytes = malloc(BYTES);

    for (uint32_t index = 0; index < BYTES; index++)
        bytes[index] = (uint8_t)(index * 7 + (index >> 8) + client->key);
    if (weir_send(client->pair->host[0], client->socket, bytes, BYTES, 0) != (long)BYTES)
        abort();
    if (weir_shutdown(client->pair->host[0], client->socket, WEIR_SHUT_WR) != 0)
        abort();
    free(bytes);
    return NULL;
}

/* Sends BYTES, receives them back at the same time, and compares. */
static void *converse(void *argument)
{
    struct client *client = argument;
    struct weir_endpoint remote = pair_endpoint(1, PORT);
    struct weir_host *host = client->pair->host[0];
    uint8_t buffer[3000];
    uint32_t offset = 0;
    pthread_t sender;
    long count;

    client->is_right = true;
    client->socket = weir_socket(host, WEIR_TCP, 0);
    if (weir_connect(host, client->socket, &remote) != 0)
        abort();
    sender = pair_start(send_pattern, client);
    while ((count = weir_recv(host, client->socket, buffer, sizeof(buffer))) > 0) {
        for (long index = 0; index < count; index++, offset++)
            client->is_right &=
                buffer[index] == (uint8_t)(offset * 7 + (offset >> 8) + client->key);
    }
    client->is_right &= count == 0 && offset == BYTES;
    pthread_join(sender, NULL);
    weir_close(host, client->socket);
    return NULL;
}

/* Runs host 1 until told to stop: what a call has left queued must go on after it. */
struct runner {
    struct weir_host *host;
    atomic_bool is_done;
};

static void *run_host(void *argument)
{
    struct runner *runner = argument;

    while (!atomic_load(&runner->is_done))
        (void)weir_host_wait(runner->host, NULL, 0, 10 * WEIR_MS);
    return NULL;
}

static void run_clients(int count)
{
    struct pair pair;
    struct server server = {.pair = &pair, .connections = count};
    struct client clients[CLIENTS];
    struct runner runner;
    pthread_t threads[CLIENTS], serving, running;

    pair_open(&pair);
    runner.host = pair.host[1];
    atomic_init(&runner.is_done, false);
    running = pair_start(run_host, &runner);
    server.listener = pair_listen(&pair, 1, PORT);
    serving = pair_start(serve, &server);
    for (int index = 0; index < count; index++) {
        clients[index] = (struct client){.pair = &pair, .key = (uint8_t)(index * 31)};
        threads[index] = pair_start(converse, &clients[index]);
    }
    for (int index = 0; index < count; index++) {
        pthread_join(threads[index], NULL);
        assert_true(clients[index].is_right);
    }
    pthread_join(serving, NULL);
    atomic_store(&runner.is_done, true);
    pthread_join(running, NULL);
    pair_close(&pair);
}

static void test_echo(void **state)
{
    (void)state;
    run_clients(1);
}

static void test_ten_at_once(void **state)
{
    (void)state;
    run_clients(CLIENTS);
}

/* ---- Endings ---------------------------------------------------------------------------------- */

static void *accept_one(void *argument)
{
    struct server *server = argument;

    server->result = weir_accept(server->pair->host[1], server->listener, NULL);
    return NULL;
}

static void test_close_wakes_accept(void **state)
{
    struct pair pair;
    struct server servers[3];
    pthread_t threads[3];

    (void)state;
    pair_open(&pair);
    for (int index = 0; index < 3; index++)
        servers[index] = (struct server){.pair = &pair};
    servers[0].listener = pair_listen(&pair, 1, PORT);
    servers[1].listener = servers[0].listener;
    servers[2].listener = servers[0].listener;
    for (int index = 0; index < 3; index++)
        threads[index] = pair_start(accept_one, &servers[index]);
    pair_wait_for_waiters(pair.host[1], 3);
    assert_int_equal(weir_close(pair.host[1], servers[0].listener), 0);
    for (int index = 0; index < 3; index++) {
        pthread_join(threads[index], NULL);
        assert_int_equal(servers[index].result, WEIR_EINVAL);
    }
    assert_int_equal(weir_accept(pair.host[1], servers[0].listener, NULL), WEIR_EINVAL);
    pair_close(&pair);
}

static void test_connection_refused(void **state)
{
    struct pair pair;
    struct weir_endpoint remote = pair_endpoint(1, PORT);
    struct runner runner;
    pthread_t thread;
    int socket;

    (void)state;
    pair_open(&pair);
    runner.host = pair.host[1];
    atomic_init(&runner.is_done, false);
    thread = pair_start(run_host, &runner);
    socket = weir_socket(pair.host[0], WEIR_TCP, 0);
    assert_int_equal(weir_connect(pair.host[0], socket, &remote), WEIR_ECONNREFUSED);
    assert_int_equal(weir_close(pair.host[0], socket), 0);
    atomic_store(&runner.is_done, true);
    pthread_join(thread, NULL);
    pair_close(&pair);
}

static void test_errors_of_no_socket(void **state)
{
    struct pair pair;
    struct weir_endpoint endpoint = pair_endpoint(1, PORT);
    uint8_t byte = 0;
    int64_t value;

    (void)state;
    pair_open(&pair);
    assert_int_equal(weir_send(pair.host[0], 77, &byte, 1, 0), WEIR_EBADF);
    assert_int_equal(weir_recv(pair.host[0], 77, &byte, 1), WEIR_EBADF);
    assert_int_equal(weir_connect(pair.host[0], 77, &endpoint), WEIR_EBADF);
    assert_int_equal(weir_close(pair.host[0], 77), WEIR_EBADF);
    assert_int_equal(weir_shutdown(pair.host[0], 77, WEIR_SHUT_WR), WEIR_EBADF);
    assert_int_equal(weir_getsockname(pair.host[0], 77, &endpoint), WEIR_EBADF);
    assert_int_equal(weir_getpeername(pair.host[0], -1, &endpoint), WEIR_EBADF);
    assert_int_equal(weir_getsockopt(pair.host[0], 77, WEIR_SO_SNDBUF, &value), WEIR_EBADF);
    pair_close(&pair);
}

/* A linger close returns when the peer has acknowledged, not when the connection is gone. */
static void test_linger_waits_for_the_acknowledgement(void **state)
{
    struct pair pair;
    struct server server = {.pair = &pair, .connections = 1};
    pthread_t serving;
    uint8_t bytes[1000] = {0};
    int socket;

    (void)state;
    pair_open(&pair);
    server.listener = pair_listen(&pair, 1, PORT);
    serving = pair_start(accept_one, &server);
    socket = pair_connect(&pair, PORT);
    pthread_join(serving, NULL);
    assert_true(server.result >= 0);
    serving = pair_start(echo, &server);
    assert_int_equal(weir_setsockopt(pair.host[0], socket, WEIR_SO_LINGER, 20 * WEIR_SECOND), 0);
    assert_int_equal(weir_send(pair.host[0], socket, bytes, sizeof(bytes), 0), sizeof(bytes));
    assert_int_equal(weir_close(pair.host[0], socket), 0);
    pthread_join(serving, NULL);
    pair_close(&pair);
}

/* Nobody lets host 1's time pass, so nothing is acknowledged. */
static void test_linger_times_out(void **state)
{
    struct pair pair;
    struct server server = {.pair = &pair};
    pthread_t serving;
    uint8_t byte = 1;
    int socket;

    (void)state;
    pair_open(&pair);
    server.listener = pair_listen(&pair, 1, PORT);
    serving = pair_start(accept_one, &server);
    socket = pair_connect(&pair, PORT);
    pthread_join(serving, NULL);
    assert_int_equal(weir_setsockopt(pair.host[0], socket, WEIR_SO_LINGER, 20 * WEIR_MS), 0);
    assert_int_equal(weir_send(pair.host[0], socket, &byte, 1, 0), 1);
    assert_int_equal(weir_close(pair.host[0], socket), WEIR_ETIMEDOUT);
    pair_close(&pair);
}

/* ---- Datagrams ----------------------------------------------------------------------------------- */

#define DATAGRAMS 50
#define DATAGRAM_MOST 20000u

/* Sends each datagram back to where it came from. */
static void *echo_datagrams(void *argument)
{
    struct server *server = argument;
    struct weir_host *host = server->pair->host[1];
    struct weir_datagram from;
    uint8_t *bytes = malloc(DATAGRAM_MOST);

    for (int count = 0; count < DATAGRAMS; count++) {
        long length = weir_recvfrom(host, server->listener, bytes, DATAGRAM_MOST, &from);

        if (length < 0 ||
            weir_sendto(host, server->listener, bytes, (size_t)length, &from) != length)
            abort();
    }
    free(bytes);
    return NULL;
}

static void test_udp_echo(void **state)
{
    struct weir_endpoint remote = pair_endpoint(1, PORT), local = {.port = PORT};
    struct pair pair;
    struct server server = {.pair = &pair};
    uint8_t *sent = malloc(DATAGRAM_MOST), *got = malloc(DATAGRAM_MOST);
    pthread_t serving;
    int socket;

    (void)state;
    pair_open(&pair);
    server.listener = weir_socket(pair.host[1], WEIR_UDP, 0);
    local.addr = weir_addr_any4();
    assert_int_equal(weir_bind(pair.host[1], server.listener, &local), 0);
    serving = pair_start(echo_datagrams, &server);
    socket = weir_socket(pair.host[0], WEIR_UDP, 0);
    assert_int_equal(weir_connect(pair.host[0], socket, &remote), 0);
    for (unsigned count = 0; count < DATAGRAMS; count++) {
        size_t length = count * 397 % DATAGRAM_MOST; /* some in fragments */

        memset(sent, (int)count, length);
        assert_int_equal(weir_sendto(pair.host[0], socket, sent, length, NULL), length);
        assert_int_equal(weir_recvfrom(pair.host[0], socket, got, DATAGRAM_MOST, NULL), length);
        assert_memory_equal(got, sent, length);
    }
    pthread_join(serving, NULL);
    assert_int_equal(weir_getpeername(pair.host[0], socket, &local), 0);
    assert_int_equal(local.port, PORT);
    assert_int_equal(weir_close(pair.host[0], socket), 0);
    pair_close(&pair);
    free(sent);
    free(got);
}

static void *wait_on_host(void *argument)
{
    while (weir_host_wait(argument, NULL, 0, WEIR_NEVER) != WEIR_ECANCELED)
        continue;
    return NULL;
}

/* A reader that waits is told that nobody is there. */
static void test_udp_refused(void **state)
{
    struct weir_endpoint remote = pair_endpoint(1, PORT);
    struct pair pair;
    pthread_t waiting;
    uint8_t byte = 1;
    int socket;

    (void)state;
    pair_open(&pair);
    waiting = pair_start(wait_on_host, pair.host[1]);
    socket = weir_socket(pair.host[0], WEIR_UDP, 0);
    assert_int_equal(weir_connect(pair.host[0], socket, &remote), 0);
    assert_int_equal(weir_sendto(pair.host[0], socket, &byte, 1, NULL), 1);
    assert_int_equal(weir_recvfrom(pair.host[0], socket, &byte, 1, NULL), WEIR_ECONNREFUSED);
    pair_close(&pair);
    pthread_join(waiting, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_ten_at_once),
        cmocka_unit_test(test_close_wakes_accept),
        cmocka_unit_test(test_connection_refused),
        cmocka_unit_test(test_errors_of_no_socket),
        cmocka_unit_test(test_linger_waits_for_the_acknowledgement),
        cmocka_unit_test(test_linger_times_out),
        cmocka_unit_test(test_udp_echo),
        cmocka_unit_test(test_udp_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
