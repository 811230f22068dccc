/* SPDX-License-Identifier: MIT */

/* weir_host_interest_wait: time-outs, wake-ups from packets and from other threads, several threads
 * on one set, the loop that goes on under a set that is always ready, the end of the host. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#define LONG (20 * WEIR_SECOND)

static struct weir_interest *make_set(struct weir_host *host)
{
    struct weir_interest *set = weir_interest_create(weir_host_lock(host));

    weir_host_unlock(host);
    assert_non_null(set);
    return set;
}

static void drop_set(struct weir_host *host, struct weir_interest *set)
{
    weir_host_lock(host);
    weir_interest_destroy(set);
    weir_host_unlock(host);
}

static void watch(struct weir_host *host, struct weir_interest *set, int socket, uint32_t events,
                  int flags)
{
    weir_host_lock(host);
    assert_int_equal(weir_interest_set(set, socket, events, flags, (uint64_t)socket), 0);
    weir_host_unlock(host);
}

struct accepting {
    struct weir_host *host;
    int listener, result;
};

static void *accept_one(void *argument)
{
    struct accepting *accepting = argument;

    accepting->result = weir_accept(accepting->host, accepting->listener, NULL);
    return NULL;
}

/* A connection from host 0 to the listener of host 1: the near socket; *far the other. */
static int join(struct pair *pair, int listener, int *far)
{
    struct accepting accepting = {.host = pair->host[1], .listener = listener};
    pthread_t thread = pair_start(accept_one, &accepting);
    int near = pair_connect(pair, PORT);

    pthread_join(thread, NULL);
    assert_true(accepting.result >= 0);
    *far = accepting.result;
    return near;
}

static void test_timeouts(void **state)
{
    struct weir_interest *set;
    struct weir_event event;
    struct pair pair;
    weir_time before;

    (void)state;
    pair_open(&pair);
    set = make_set(pair.host[0]);
    watch(pair.host[0], set, pair_listen(&pair, 0, PORT), WEIR_ACCEPT, 0);
    assert_int_equal(weir_host_interest_wait(pair.host[0], set, &event, 0, 0), WEIR_EINVAL);
    assert_int_equal(weir_host_interest_wait(pair.host[0], set, &event, -1, 0), WEIR_EINVAL);
    assert_int_equal(weir_host_interest_wait(pair.host[0], set, &event, 1, 0), 0);
    assert_int_equal(weir_host_interest_wait(pair.host[0], set, &event, 1, -5), 0);
    before = weir_host_now();
    assert_int_equal(weir_host_interest_wait(pair.host[0], set, &event, 1, 15 * WEIR_MS), 0);
    assert_true(weir_host_now() - before >= 15 * WEIR_MS);
    drop_set(pair.host[0], set);
    pair_close(&pair);
}

static void *connect_and_send(void *argument)
{
    struct pair *pair = argument;
    int socket;

    pair_wait_for_waiters(pair->host[1], 1);
    socket = pair_connect(pair, PORT);
    weir_send(pair->host[0], socket, "x", 1, 0);
    return NULL;
}

/* A listener and what it accepts, by events alone. */
static void test_packets_wake(void **state)
{
    struct weir_event event = {0};
    struct weir_interest *set;
    int listener, socket;
    struct pair pair;
    pthread_t thread;

    (void)state;
    pair_open(&pair);
    set = make_set(pair.host[1]);
    listener = pair_listen(&pair, 1, PORT);
    watch(pair.host[1], set, listener, WEIR_ACCEPT, WEIR_EDGE);
    thread = pair_start(connect_and_send, &pair);
    assert_int_equal(weir_host_interest_wait(pair.host[1], set, &event, 1, LONG), 1);
    assert_int_equal(event.tag, listener);
    assert_int_equal(event.events, WEIR_ACCEPT);
    socket = weir_accept(pair.host[1], listener, NULL);
    watch(pair.host[1], set, socket, WEIR_IN, 0);
    assert_int_equal(weir_host_interest_wait(pair.host[1], set, &event, 1, LONG), 1);
    assert_int_equal(event.tag, socket);
    assert_int_equal(event.events, WEIR_IN);
    pthread_join(thread, NULL);
    drop_set(pair.host[1], set);
    pair_close(&pair);
}

struct waiting {
    struct weir_host *host;
    struct weir_interest *set;
    struct weir_event event;
    int result;
};

static void *wait_for_ever(void *argument)
{
    struct waiting *waiting = argument;

    waiting->result =
        weir_host_interest_wait(waiting->host, waiting->set, &waiting->event, 1, WEIR_NEVER);
    return NULL;
}

/* What another thread does to the set or the socket wakes too: a member that is added ready, and a
 * shutdown, which no event announces. Two wait for the same set; each gets one of two one-shots. */
static void test_threads_wake(void **state)
{
    struct waiting waiting[2];
    struct weir_interest *set;
    pthread_t threads[2];
    struct pair pair;
    int sockets[2], listener, far;

    (void)state;
    pair_open(&pair);
    listener = pair_listen(&pair, 1, PORT);
    for (int i = 0; i < 2; i++)
        sockets[i] = join(&pair, listener, &far);
    set = make_set(pair.host[0]);
    watch(pair.host[0], set, sockets[0], WEIR_IN, WEIR_ONESHOT);
    for (int i = 0; i < 2; i++) {
        waiting[i] = (struct waiting){.host = pair.host[0], .set = set};
        threads[i] = pair_start(wait_for_ever, &waiting[i]);
    }
    pair_wait_for_waiters(pair.host[0], 2);
    assert_int_equal(weir_shutdown(pair.host[0], sockets[0], WEIR_SHUT_RD), 0);
    watch(pair.host[0], set, sockets[1], WEIR_OUT, WEIR_ONESHOT);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(waiting[i].result, 1);
    }
    assert_int_equal(waiting[0].event.events + waiting[1].event.events, WEIR_IN + WEIR_OUT);
    assert_int_equal(waiting[0].event.socket + waiting[1].event.socket, sockets[0] + sockets[1]);
    drop_set(pair.host[0], set);
    pair_close(&pair);
}

/* One thread, one socket that is always writable: the packets are read all the same, or the byte
 * would never come. */
static void test_always_ready(void **state)
{
    weir_time limit = weir_host_now() + LONG;
    struct weir_event events[2];
    struct weir_interest *set;
    struct pair pair;
    bool has_come = false;
    int socket, far;

    (void)state;
    pair_open(&pair);
    socket = join(&pair, pair_listen(&pair, 1, PORT), &far);
    set = make_set(pair.host[0]);
    watch(pair.host[0], set, socket, WEIR_OUT | WEIR_IN, 0);
    assert_int_equal(weir_send(pair.host[1], far, "x", 1, 0), 1);
    while (!has_come) {
        assert_int_equal(weir_host_interest_wait(pair.host[0], set, events, 2, WEIR_NEVER), 1);
        assert_true(events[0].events & WEIR_OUT);
        has_come = (events[0].events & WEIR_IN) != 0;
        assert_true(weir_host_now() < limit);
    }
    drop_set(pair.host[0], set);
    pair_close(&pair);
}

/* What looks ready and is not (read by somebody else meanwhile) ends no wait. */
static void test_false_candidates(void **state)
{
    struct weir_interest *set;
    struct weir_event event;
    struct pair pair;
    int socket, far;
    char byte;

    (void)state;
    pair_open(&pair);
    socket = join(&pair, pair_listen(&pair, 1, PORT), &far);
    set = make_set(pair.host[0]);
    watch(pair.host[0], set, socket, WEIR_IN, 0);
    assert_int_equal(weir_send(pair.host[1], far, "x", 1, 0), 1);
    assert_int_equal(weir_recv(pair.host[0], socket, &byte, 1), 1);
    assert_true(weir_interest_is_pending(set));
    assert_int_equal(weir_host_interest_wait(pair.host[0], set, &event, 1, 5 * WEIR_MS), 0);
    assert_false(weir_interest_is_pending(set));
    drop_set(pair.host[0], set);
    pair_close(&pair);
}

/* The wait ends with its host, and the set with the stack. */
static void test_destroy(void **state)
{
    struct waiting waiting;
    struct pair pair;
    pthread_t thread;

    (void)state;
    pair_open(&pair);
    waiting = (struct waiting){.host = pair.host[0], .set = make_set(pair.host[0])};
    thread = pair_start(wait_for_ever, &waiting);
    pair_wait_for_waiters(pair.host[0], 1);
    pair_close(&pair);
    pthread_join(thread, NULL);
    assert_int_equal(waiting.result, WEIR_ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeouts),         cmocka_unit_test(test_packets_wake),
        cmocka_unit_test(test_threads_wake),     cmocka_unit_test(test_always_ready),
        cmocka_unit_test(test_false_candidates), cmocka_unit_test(test_destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
