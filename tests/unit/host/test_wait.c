/* SPDX-License-Identifier: MIT */

/* weir_host_wait: timeouts, descriptors, signals, watched events; as the loop and as a follower. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void test_timeouts(void **state)
{
    struct pair pair;
    weir_time before;

    (void)state;
    pair_open(&pair);
    assert_int_equal(weir_host_wait(pair.host[0], NULL, 0, 0), 0);
    assert_int_equal(weir_host_wait(pair.host[0], NULL, 0, -5), 0);
    before = weir_host_now();
    assert_int_equal(weir_host_wait(pair.host[0], NULL, 0, 20 * WEIR_MS), 0);
    assert_true(weir_host_now() - before >= 20 * WEIR_MS);
    pair_close(&pair);
}

static void test_descriptors(void **state)
{
    struct pair pair;
    struct pollfd fds[65];
    int pipe_fds[2];

    (void)state;
    pair_open(&pair);
    assert_int_equal(pipe(pipe_fds), 0);
    memset(fds, 0, sizeof(fds));
    fds[0] = (struct pollfd){.fd = pipe_fds[0], .events = POLLIN, .revents = 99};
    fds[1] = (struct pollfd){.fd = pipe_fds[1], .events = POLLIN, .revents = 99};
    assert_int_equal(weir_host_wait(pair.host[0], fds, 2, WEIR_MS), 0);
    assert_int_equal(fds[0].revents, 0);
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    assert_int_equal(weir_host_wait(pair.host[0], fds, 2, WEIR_NEVER), 1);
    assert_int_equal(fds[0].revents, POLLIN);
    assert_int_equal(fds[1].revents, 0);
    assert_int_equal(weir_host_wait(pair.host[0], fds, 2, 0), 1);
    assert_int_equal(weir_host_wait(pair.host[0], fds, 65, 0), WEIR_EINVAL);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    pair_close(&pair);
}

struct waiting {
    struct weir_host *host;
    struct pollfd fd;
    unsigned count;
    int result;
};

static void *wait_for_ever(void *argument)
{
    struct waiting *waiting = argument;

    waiting->result = weir_host_wait(waiting->host, &waiting->fd, waiting->count, WEIR_NEVER);
    return NULL;
}

/* Two threads wait for a pipe each; whoever is the loop, each wakes by its own. */
static void test_descriptors_of_a_follower(void **state)
{
    struct pair pair;
    struct waiting waiting[2];
    pthread_t threads[2];
    int pipes[2][2];

    (void)state;
    pair_open(&pair);
    for (int index = 0; index < 2; index++) {
        assert_int_equal(pipe(pipes[index]), 0);
        waiting[index] = (struct waiting){.host = pair.host[0], .count = 1};
        waiting[index].fd = (struct pollfd){.fd = pipes[index][0], .events = POLLIN};
        threads[index] = pair_start(wait_for_ever, &waiting[index]);
    }
    pair_wait_for_waiters(pair.host[0], 2);
    for (int index = 0; index < 2; index++) {
        assert_int_equal(write(pipes[index][1], "x", 1), 1);
        pthread_join(threads[index], NULL);
        assert_int_equal(waiting[index].result, 1);
        assert_int_equal(waiting[index].fd.revents, POLLIN);
        close(pipes[index][0]);
        close(pipes[index][1]);
    }
    pair_close(&pair);
}

static void on_signal(int number)
{
    (void)number;
}

/* A signal may arrive just before the thread sleeps, and is then lost to it; so it is sent until the
 * wait is over. */
static void test_a_signal_ends_the_wait(void **state)
{
    struct sigaction action = {.sa_handler = on_signal}, former;
    struct pair pair;
    struct waiting waiting;
    pthread_t thread;
    struct timespec none = {0};

    (void)state;
    pair_open(&pair);
    sigaction(SIGUSR1, &action, &former);
    waiting = (struct waiting){.host = pair.host[0]};
    thread = pair_start(wait_for_ever, &waiting);
    pair_wait_for_waiters(pair.host[0], 1);
    do
        pthread_kill(thread, SIGUSR1);
    while (pthread_timedjoin_np(thread, NULL, &none) == ETIMEDOUT);
    assert_int_equal(waiting.result, WEIR_EINTR);
    sigaction(SIGUSR1, &former, NULL);
    pair_close(&pair);
}

/* Lets both hosts run in this thread until the first has an event. */
static void expect_event(struct pair *pair, int index, struct weir_event *event)
{
    for (int tries = 0; tries < 2000; tries++) {
        (void)weir_host_wait(pair->host[1 - index], NULL, 0, 0);
        if (weir_host_wait(pair->host[index], NULL, 0, 5 * WEIR_MS) == 1) {
            assert_true(weir_host_next_event(pair->host[index], event));
            return;
        }
    }
    fail_msg("no event");
}

static void expect_bits(struct pair *pair, int index, uint64_t tag, uint32_t bits)
{
    struct weir_event event = {0};
    uint32_t seen = 0;

    while ((seen & bits) != bits) {
        expect_event(pair, index, &event);
        assert_int_equal(event.tag, tag);
        seen |= event.events;
    }
}

/* One thread, two hosts, no blocking call: connect, accept, data, close, all by events. */
static void test_watched_events(void **state)
{
    struct pair pair;
    struct weir_endpoint remote = pair_endpoint(1, PORT);
    struct weir_event event;
    int listener, client, server;
    uint8_t byte = 7;

    (void)state;
    pair_open(&pair);
    listener = pair_listen(&pair, 1, PORT);
    assert_int_equal(weir_host_watch(pair.host[1], 99, 1), WEIR_EBADF);
    assert_int_equal(weir_host_watch(pair.host[1], listener, 11), 0);
    client = weir_socket(pair.host[0], WEIR_TCP, 0);
    assert_int_equal(
        weir_socket_connect(weir_host_lock(pair.host[0]), client, &remote, weir_host_now()),
        WEIR_EINPROGRESS);
    weir_host_unlock(pair.host[0]);
    assert_int_equal(weir_host_watch(pair.host[0], client, 22), 0);
    expect_bits(&pair, 0, 22, WEIR_OUT);
    expect_bits(&pair, 1, 11, WEIR_ACCEPT);
    server = weir_accept(pair.host[1], listener, NULL);
    assert_true(server >= 0);
    assert_int_equal(weir_send(pair.host[1], server, &byte, 1, 0), 1);
    expect_bits(&pair, 0, 22, WEIR_IN);
    assert_int_equal(weir_close(pair.host[1], server), 0);
    assert_int_equal(weir_recv(pair.host[0], client, &byte, 1), 1);
    expect_bits(&pair, 0, 22, WEIR_HUP);
    assert_int_equal(weir_close(pair.host[0], client), 0);
    expect_bits(&pair, 0, 22, WEIR_CLOSED);
    assert_false(weir_host_next_event(pair.host[0], &event));
    pair_close(&pair);
}

/* The same on a kernel without epoll_pwait2: a filter that cannot be taken off, so this runs last. */
static void test_without_epoll_pwait2(void **state)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
        skip();
    test_timeouts(state);
    test_descriptors(state);
    test_watched_events(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_descriptors_of_a_follower),
        cmocka_unit_test(test_a_signal_ends_the_wait),
        cmocka_unit_test(test_watched_events),
        cmocka_unit_test(test_without_epoll_pwait2),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
