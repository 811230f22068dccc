/* SPDX-License-Identifier: MIT */

/* weir_poll: timeouts, levels, many sockets, bad numbers, a full buffer. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#include <string.h>

#define MANY 40

static void test_timeout(void **state)
{
    struct pair pair;
    struct weir_pollfd entry = {.events = WEIR_ACCEPT, .revents = 99};
    weir_time before;

    (void)state;
    pair_open(&pair);
    entry.socket = pair_listen(&pair, 0, PORT);
    assert_int_equal(weir_poll(pair.host[0], &entry, 1, 0), 0);
    assert_int_equal(entry.revents, 0);
    before = weir_host_now();
    assert_int_equal(weir_poll(pair.host[0], &entry, 1, 15 * WEIR_MS), 0);
    assert_true(weir_host_now() - before >= 15 * WEIR_MS);
    assert_int_equal(weir_poll(pair.host[0], NULL, 0, WEIR_MS), 0);
    pair_close(&pair);
}

static void test_bad_numbers(void **state)
{
    struct pair pair;
    struct weir_pollfd entries[2] = {{.socket = -1, .events = WEIR_IN, .revents = 1},
                                     {.socket = 77, .events = WEIR_IN}};

    (void)state;
    pair_open(&pair);
    assert_int_equal(weir_poll(pair.host[0], entries, 1, 0), 0);
    assert_int_equal(weir_poll(pair.host[0], entries, 2, WEIR_NEVER), 1);
    assert_int_equal(entries[0].revents, 0);
    assert_int_equal(entries[1].revents, WEIR_CLOSED | WEIR_ERR);
    pair_close(&pair);
}

static void *connect_one(void *argument)
{
    struct pair *pair = argument;
    int socket = pair_connect(pair, PORT + MANY / 2);

    weir_send(pair->host[0], socket, "x", 1, 0);
    weir_close(pair->host[0], socket);
    return NULL;
}

/* One of many listeners gets a connection: that one is named, and no other. */
static void test_one_of_many(void **state)
{
    struct weir_pollfd entries[MANY];
    struct weir_pollfd data = {.events = WEIR_IN};
    struct pair pair;
    pthread_t thread;

    (void)state;
    pair_open(&pair);
    for (int index = 0; index < MANY; index++)
        entries[index] = (struct weir_pollfd){
            .socket = pair_listen(&pair, 1, (uint16_t)(PORT + index)), .events = WEIR_ACCEPT};
    thread = pair_start(connect_one, &pair);
    assert_int_equal(weir_poll(pair.host[1], entries, MANY, 20 * WEIR_SECOND), 1);
    for (int index = 0; index < MANY; index++)
        assert_int_equal(entries[index].revents, index == MANY / 2 ? WEIR_ACCEPT : 0);
    data.socket = weir_accept(pair.host[1], entries[MANY / 2].socket, NULL);
    assert_true(data.socket >= 0);
    assert_int_equal(weir_poll(pair.host[1], &data, 1, 20 * WEIR_SECOND), 1);
    assert_true(data.revents & WEIR_IN);
    pthread_join(thread, NULL);
    pair_close(&pair);
}

struct reading {
    struct pair *pair;
    int socket;
};

static void *accept_one(void *argument)
{
    struct reading *reading = argument;

    reading->socket = weir_accept(reading->pair->host[1], 0, NULL);
    return NULL;
}

static void *read_all(void *argument)
{
    const struct reading *reading = argument;
    char bytes[4096];

    pair_wait_for_waiters(reading->pair->host[0], 1); /* nothing is acknowledged before */
    while (weir_recv(reading->pair->host[1], reading->socket, bytes, sizeof(bytes)) > 0)
        continue;
    return NULL;
}

/* The buffer is filled to its last byte, so that no call was ever refused: poll is told of room
 * nevertheless. */
static void test_full_buffer(void **state)
{
    struct weir_pollfd entry = {.events = WEIR_OUT};
    struct weir_stack *stack;
    struct reading reading;
    struct weir_span span;
    struct pair pair;
    pthread_t thread;
    weir_time before;

    (void)state;
    pair_open(&pair);
    reading.pair = &pair;
    assert_int_equal(pair_listen(&pair, 1, PORT), 0);
    thread = pair_start(accept_one, &reading);
    entry.socket = pair_connect(&pair, PORT);
    pthread_join(thread, NULL);
    stack = weir_host_lock(pair.host[0]);
    while (weir_socket_ready(stack, entry.socket) & WEIR_OUT) {
        long lent = weir_send_begin(stack, entry.socket, 1 << 20, &span);

        assert_true(lent > 0);
        memset(span.data, 'x', (size_t)lent);
        assert_int_equal(weir_send_commit(stack, entry.socket, (size_t)lent, 0), 0);
    }
    weir_host_unlock(pair.host[0]);
    thread = pair_start(read_all, &reading);
    before = weir_host_now();
    assert_int_equal(weir_poll(pair.host[0], &entry, 1, 20 * WEIR_SECOND), 1);
    assert_true(weir_host_now() - before < 20 * WEIR_SECOND); /* the last look finds it anyway */
    assert_int_equal(weir_setsockopt(pair.host[0], entry.socket, WEIR_SO_LINGER, 20 * WEIR_SECOND),
                     0);
    assert_int_equal(weir_close(pair.host[0], entry.socket), 0);
    pthread_join(thread, NULL);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_bad_numbers),
        cmocka_unit_test(test_one_of_many),
        cmocka_unit_test(test_full_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
