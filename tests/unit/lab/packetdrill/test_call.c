/* SPDX-License-Identifier: MIT */

/* Calls that block, in a second thread: each is seen asleep as packetdrill sees it, ends at the very
 * instant at which it can, in virtual time to the microsecond, and with the right errno in its own
 * thread. And what a call of the main thread does that would wait for ever. */

#include "driver.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define FIN WEIR_TCP_FIN
#define RST WEIR_TCP_RST
#define PSH WEIR_TCP_PSH

struct arguments {
    int fd, timeout_ms;
    size_t size;
    void *data;
    struct pollfd poll;
};

static long make_accept(struct driver *d, void *context)
{
    const struct arguments *a = context;

    return d->t.accept(d->u, a->fd, NULL, NULL);
}

static long make_read(struct driver *d, void *context)
{
    struct arguments *a = context;

    return d->t.read(d->u, a->fd, a->data, a->size);
}

static long make_write(struct driver *d, void *context)
{
    const struct arguments *a = context;

    return d->t.write(d->u, a->fd, a->data, a->size);
}

static long make_connect(struct driver *d, void *context)
{
    struct sockaddr_in remote = driver_addr(DRIVER_REMOTE, DRIVER_PEER_PORT);
    const struct arguments *a = context;

    return d->t.connect(d->u, a->fd, (const struct sockaddr *)&remote, sizeof(remote));
}

static long make_poll(struct driver *d, void *context)
{
    struct arguments *a = context;

    return d->t.poll(d->u, &a->poll, 1, a->timeout_ms);
}

static long make_epoll_wait(struct driver *d, void *context)
{
    struct arguments *a = context;
    struct epoll_event events[2];

    return d->t.epoll_wait(d->u, a->fd, events, 2, a->timeout_ms);
}

static long make_close(struct driver *d, void *context)
{
    const struct arguments *a = context;

    return d->t.close(d->u, a->fd);
}

/* ---- One of each ---------------------------------------------------------------------------------- */

/* 100 ms later the handshake is over, and that instant is what the thread finds on the clock, although
 * the main thread goes on and waits for another second. */
static void blocked_accept(void **state)
{
    struct arguments a;
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_accept, .context = &a};
    long long before;

    (void)state;
    driver_open(&d, NULL);
    a.fd = driver_listen(&d);
    before = driver_now(&d);
    driver_begin(&call);
    d.t.usleep(d.u, 100000);
    driver_in(&d, SYN, 0, 0, 0, 65535);
    driver_out(&d, SYN | ACK, 0, 1, 0);
    driver_in(&d, ACK, 1, 1, 0, 65535);
    d.t.usleep(d.u, 1000000);
    assert_true(driver_end(&call) > a.fd);
    assert_int_equal(call.end - before, 100001);
    assert_int_equal(driver_now(&d) - before, 1100002); /* the thread has looked once */
    driver_close(&d);
}

static void blocked_read(void **state)
{
    char data[100] = "xxxxx";
    struct arguments a = {.data = data, .size = sizeof(data)};
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_read, .context = &a};

    (void)state;
    driver_open(&d, NULL);
    a.fd = driver_establish(&d, NULL);
    driver_begin(&call);
    d.t.usleep(d.u, 50000);
    driver_in(&d, ACK, 1, 1, 0, 65535); /* nothing for the reader: it sleeps on */
    driver_in(&d, PSH | ACK, 1, 1, 4, 65535);
    assert_int_equal(driver_end(&call), 4);
    assert_memory_equal(data, "\0\0\0\0x", 5);
    driver_begin(&call);
    driver_in(&d, RST, 5, 0, 0, 0);
    assert_int_equal(driver_end(&call), -1);
    assert_int_equal(call.error, ECONNRESET);
    driver_close(&d);
}

/* More than the buffer holds: the write ends when the last byte is in it. */
static void blocked_write(void **state)
{
    static char data[400000];
    struct arguments a = {.data = data, .size = sizeof(data)};
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_write, .context = &a};
    int value = 20000;
    size_t sent = 0;

    (void)state;
    driver_open(&d, NULL);
    a.fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.setsockopt(d.u, a.fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)), 0);
    driver_begin(&call);
    while (sent < sizeof(data)) {
        struct weir_packet packet = driver_any(&d);

        assert_int_equal(packet.seq, d.our_isn + 1 + (uint32_t)sent);
        sent += packet.payload_length;
        driver_in(&d, ACK, 1, 1 + (int64_t)sent, 0, 65535);
    }
    assert_int_equal(driver_end(&call), sizeof(data));
    driver_close(&d);
}

static void blocked_connect(void **state)
{
    struct arguments a;
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_connect, .context = &a};

    (void)state;
    driver_open(&d, NULL);
    a.fd = d.t.socket(d.u, AF_INET, SOCK_STREAM, 0);
    driver_begin(&call);
    driver_out(&d, SYN, 0, 0, 0);
    driver_in(&d, SYN | ACK, 0, 1, 0, 65535);
    assert_int_equal(driver_end(&call), 0);
    driver_out(&d, ACK, 1, 1, 0);

    a.fd = d.t.socket(d.u, AF_INET, SOCK_STREAM, 0);
    driver_begin(&call);
    driver_out(&d, SYN, 0, 0, 0);
    driver_in(&d, RST | ACK, 0, 1, 0, 0);
    assert_int_equal(driver_end(&call), -1);
    assert_int_equal(call.error, ECONNREFUSED);
    driver_close(&d);
}

/* Nobody answers the SYN: the call ends when the connection gives up, and the clock of the main
 * thread, which waits for packets, goes there by itself. */
static void connect_gives_up(void **state)
{
    struct arguments a;
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_connect, .context = &a};
    long long before;

    (void)state;
    driver_open(&d, NULL);
    a.fd = d.t.socket(d.u, AF_INET, SOCK_STREAM, 0);
    before = driver_now(&d);
    driver_begin(&call);
    d.t.usleep(d.u, 600 * 1000000u);
    assert_int_equal(driver_end(&call), -1);
    assert_int_equal(call.error, ETIMEDOUT);
    assert_in_range(call.end - before, 60 * 1000000ll, 300 * 1000000ll);
    driver_close(&d);
}

/* Time-outs of calls are points in time like any other: the clock stops there, and the call ends
 * exactly then. */
static void blocked_poll(void **state)
{
    struct arguments a = {.timeout_ms = 250};
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_poll, .context = &a};
    struct driver_call epoll = {.driver = &d, .make = make_epoll_wait, .context = &a};
    struct epoll_event event = {.events = EPOLLIN};
    long long before;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    a.poll = (struct pollfd){.fd = fd, .events = POLLIN};
    before = driver_now(&d);
    driver_begin(&call);
    d.t.usleep(d.u, 1000000);
    assert_int_equal(driver_end(&call), 0);
    assert_int_equal(call.end - before, 250001);
    driver_begin(&call);
    driver_in(&d, PSH | ACK, 1, 1, 4, 65535);
    assert_int_equal(driver_end(&call), 1);
    assert_int_equal(a.poll.revents, POLLIN);

    a.fd = d.t.epoll_create(d.u, 1);
    event.events |= EPOLLET;
    assert_int_equal(d.t.epoll_ctl(d.u, a.fd, EPOLL_CTL_ADD, fd, &event), 0);
    assert_int_equal(make_epoll_wait(&d, &a), 1);
    before = driver_now(&d);
    driver_begin(&epoll);
    d.t.usleep(d.u, 1000000);
    assert_int_equal(driver_end(&epoll), 0);
    assert_int_equal(epoll.end - before, 250001);
    a.timeout_ms = -1;
    driver_begin(&epoll);
    driver_in(&d, PSH | ACK, 5, 1, 4, 65535);
    assert_int_equal(driver_end(&epoll), 1);
    driver_close(&d);
}

/* SO_LINGER: close waits until the peer has acknowledged everything. */
static void lingering_close(void **state)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 5};
    struct arguments a;
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_close, .context = &a};
    long long before;

    (void)state;
    driver_open(&d, NULL);
    a.fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.setsockopt(d.u, a.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    before = driver_now(&d);
    driver_begin(&call);
    driver_out(&d, FIN | ACK, 1, 1, 0);
    d.t.usleep(d.u, 100000);
    driver_in(&d, ACK, 1, 2, 0, 65535);
    assert_int_equal(driver_end(&call), 0);
    assert_in_range(call.end - before, 100000, 100010);
    driver_close(&d);
}

/* ---- The main thread ------------------------------------------------------------------------------- */

/* What time alone can end, time ends; what nobody can end is an error, not a hang. */
static void main_thread_waits(void **state)
{
    char byte;
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    errno = 0;
    assert_int_equal(d.t.read(d.u, fd, &byte, 1), -1);
    assert_int_equal(errno, EDEADLK);
    fd = d.t.socket(d.u, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(make_connect(&d, &(struct arguments){.fd = fd}), -1);
    assert_int_equal(errno, ETIMEDOUT);
    driver_close(&d);
}

/* ---- packetdrill's ways ------------------------------------------------------------------------------ */

/* It waits for the begin of a blocking call in the second thread, while the main one sleeps on a
 * condition of its own: usleep up to 20 us before, then it looks at the clock over and over. */
static long make_late_accept(struct driver *d, void *context)
{
    const struct arguments *a = context;
    long long until = driver_now(d) + a->timeout_ms * 1000, left;

    while ((left = until - driver_now(d)) > 0) {
        if (left > 20)
            d->t.usleep(d->u, (useconds_t)(left - 20));
    }
    return d->t.accept(d->u, a->fd, NULL, NULL);
}

static void second_thread_waits_to_begin(void **state)
{
    struct arguments a = {.timeout_ms = 300};
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_late_accept, .context = &a};
    long long before;

    (void)state;
    driver_open(&d, NULL);
    a.fd = driver_listen(&d);
    driver_in(&d, SYN, 0, 0, 0, 65535);
    before = driver_now(&d);
    driver_begin(&call);
    assert_in_range(driver_now(&d) - before, 300000, 300010);
    driver_out(&d, SYN | ACK, 0, 1, 0);
    assert_true(d.at <= before); /* it lay there when time went on */
    driver_in(&d, ACK, 1, 1, 0, 65535);
    assert_true(driver_end(&call) > a.fd);
    assert_in_range(call.end - before, 300000, 300010);
    driver_close(&d);
}

/* After the last event, and before the next call, it waits up to a second outside until the blocked
 * call has returned. With a kernel time goes on meanwhile; so it must here. */
static void main_thread_waits_outside(void **state)
{
    struct arguments a = {.timeout_ms = 500, .poll = {.events = POLLIN}};
    struct linger linger = {.l_onoff = 1, .l_linger = 1};
    struct driver d;
    struct driver_call poll = {.driver = &d, .make = make_poll, .context = &a};
    struct driver_call close = {.driver = &d, .make = make_close, .context = &a};
    long long before;

    (void)state;
    driver_open(&d, NULL);
    a.fd = a.poll.fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.setsockopt(d.u, a.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    before = driver_now(&d);
    driver_begin(&poll);
    assert_int_equal(driver_end(&poll), 0);
    assert_int_equal(poll.end - before, 500001);
    before = driver_now(&d);
    driver_begin(&close);
    assert_int_equal(driver_end(&close), 0);
    assert_int_equal(close.end - before, 1000001);
    driver_out(&d, FIN | ACK, 1, 1, 0);
    assert_in_range(d.at - before, 0, 1);
    driver_close(&d);
}

/* ... but no longer than packetdrill would wait, and only once nothing else is left to wait for. */
static void time_stands_still_outside(void **state)
{
    struct arguments a = {.timeout_ms = 1500, .poll = {.events = POLLIN}};
    struct driver d;
    struct driver_call poll = {.driver = &d, .make = make_poll, .context = &a};
    struct timespec limit;
    long long before;

    (void)state;
    driver_open(&d, NULL);
    a.poll.fd = driver_establish(&d, NULL);
    before = driver_now(&d);
    driver_begin(&poll);
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 1;
    assert_int_equal(pthread_timedjoin_np(poll.thread, NULL, &limit), ETIMEDOUT);
    assert_int_equal(driver_now(&d) - before, 1);
    d.t.usleep(d.u, 600000); /* 0.9 s are left */
    assert_int_equal(driver_end(&poll), 0);
    assert_int_equal(poll.end - before, 1500001);
    driver_close(&d);
}

/* ---- Both at once ----------------------------------------------------------------------------------- */

/* The two threads keep their own errno, and one call may give what another waits for. */
static void two_threads(void **state)
{
    char data[10] = {0};
    struct arguments a = {.data = data, .size = sizeof(data)};
    struct driver d;
    struct driver_call call = {.driver = &d, .make = make_read, .context = &a};
    int fds[2];

    (void)state;
    driver_open(&d, NULL);
    assert_int_equal(d.t.pipe(d.u, fds), 0);
    a.fd = fds[0];
    driver_begin(&call);
    errno = 0;
    assert_int_equal(d.t.close(d.u, 4000), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(d.t.write(d.u, fds[1], "abc", 3), 3);
    assert_int_equal(driver_end(&call), 3);
    assert_int_equal(call.error, 0);
    assert_memory_equal(data, "abc", 3);
    driver_close(&d);
}

/* The same conversation, many times: the same packets at the same times, however the threads run. */
static void same_every_time(void **state)
{
    uint32_t isn = 0;
    long long at = 0, end = 0;

    (void)state;
    for (int round = 0; round < 50; round++) {
        struct arguments a;
        struct driver d;
        struct driver_call call = {.driver = &d, .make = make_accept, .context = &a};

        driver_open(&d, "seed=77,sysctl=0");
        a.fd = driver_listen(&d);
        driver_begin(&call);
        d.t.usleep(d.u, 1000);
        driver_in(&d, SYN, 0, 0, 0, 65535);
        driver_out(&d, SYN | ACK, 0, 1, 0);
        driver_out(&d, SYN | ACK, 0, 1, 0);
        driver_in(&d, ACK, 1, 1, 0, 65535);
        d.t.usleep(d.u, 1000000);
        assert_true(driver_end(&call) >= 0);
        if (round == 0) {
            isn = d.our_isn;
            at = d.at;
            end = call.end;
        }
        assert_int_equal(d.our_isn, isn);
        assert_int_equal(d.at, at);
        assert_int_equal(call.end, end);
        driver_close(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocked_accept),
        cmocka_unit_test(blocked_read),
        cmocka_unit_test(blocked_write),
        cmocka_unit_test(blocked_connect),
        cmocka_unit_test(connect_gives_up),
        cmocka_unit_test(blocked_poll),
        cmocka_unit_test(lingering_close),
        cmocka_unit_test(main_thread_waits),
        cmocka_unit_test(second_thread_waits_to_begin),
        cmocka_unit_test(main_thread_waits_outside),
        cmocka_unit_test(time_stands_still_outside),
        cmocka_unit_test(two_threads),
        cmocka_unit_test(same_every_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
