/* SPDX-License-Identifier: MIT */

/* time=real: the clock is the system's, waits are waits for a point in time, the stack keeps its
 * timers while anybody waits, and blocked calls end by packets and by time. The delays are short; each
 * has a generous upper bound, for machines that are busy. */

#include "driver.h"

#include <sys/resource.h>
#include <time.h>

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define PSH WEIR_TCP_PSH
#define MUCH 10000000ll /* microseconds */

static long long system_now(void)
{
    struct timespec spec;

    clock_gettime(CLOCK_REALTIME, &spec);
    return (long long)spec.tv_sec * 1000000 + spec.tv_nsec / 1000;
}

static long long cpu_time(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (long long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void the_systems_clock(void **state)
{
    long long before, after, shown;
    struct driver d;

    (void)state;
    driver_open(&d, "time=real");
    before = system_now();
    shown = driver_now(&d);
    after = system_now();
    assert_in_range(shown, before - 1000, after + 1000);
    driver_close(&d);
}

/* usleep takes its time, and no processor. */
static void a_wait(void **state)
{
    long long before, spent;
    struct driver d;

    (void)state;
    driver_open(&d, "time=real");
    driver_listen(&d);
    spent = cpu_time();
    before = driver_now(&d);
    assert_int_equal(d.t.usleep(d.u, 200000), 0);
    assert_in_range(driver_now(&d) - before, 200000, MUCH);
    assert_in_range(cpu_time() - spent, 0, 100000);
    driver_close(&d);
}

/* While the main thread waits for a packet, the retransmission timer fires when it should. */
static void a_retransmission(void **state)
{
    long long first;
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, "time=real,sysctl=0");
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.write(d.u, fd, "abcde", 5), 5);
    driver_out(&d, PSH | ACK, 1, 1, 5);
    first = d.at;
    driver_out(&d, PSH | ACK, 1, 1, 5);
    assert_in_range(d.at - first, 190000, MUCH);
    assert_in_range(driver_now(&d), d.at, d.at + MUCH);
    driver_close(&d);
}

static long make_read(struct driver *d, void *context)
{
    char data[100];

    return d->t.read(d->u, *(int *)context, data, sizeof(data));
}

static long make_poll(struct driver *d, void *context)
{
    struct pollfd entry = {.fd = *(int *)context, .events = POLLIN};

    return d->t.poll(d->u, &entry, 1, 50);
}

/* The thread that is blocked keeps the stack's timers, too, while the main thread is elsewhere. */
static void blocked_calls(void **state)
{
    struct driver d;
    int fd;
    struct driver_call read = {.driver = &d, .make = make_read, .context = &fd};
    struct driver_call poll = {.driver = &d, .make = make_poll, .context = &fd};
    long long before, sent;

    (void)state;
    driver_open(&d, "time=real,sysctl=0");
    fd = driver_establish(&d, NULL);
    driver_begin(&read);
    assert_int_equal(d.t.usleep(d.u, 20000), 0);
    driver_in(&d, PSH | ACK, 1, 1, 9, 65535);
    assert_int_equal(driver_end(&read), 9);

    assert_int_equal(d.t.write(d.u, fd, "abcde", 5), 5);
    do {
        sent = driver_any(&d).payload_length;
    } while (sent != 5); /* an ACK may come first */
    sent = d.at;
    driver_begin(&read);
    d.t.usleep(d.u, 400000);
    driver_out(&d, PSH | ACK, 1, 10, 5);
    assert_in_range(d.at - sent, 190000, MUCH);
    driver_in(&d, PSH | ACK, 10, 6, 1, 65535);
    assert_int_equal(driver_end(&read), 1);

    before = driver_now(&d);
    driver_begin(&poll);
    assert_int_equal(driver_end(&poll), 0); /* nobody else is inside: its own time ends it */
    assert_in_range(poll.end - before, 50000, MUCH);
    driver_close(&d);
}

/* The main thread's own waiting. */
static void main_thread_waits(void **state)
{
    struct driver d;
    long long before;
    int fd;

    (void)state;
    driver_open(&d, "time=real");
    fd = driver_establish(&d, NULL);
    before = driver_now(&d);
    assert_int_equal(make_poll(&d, &fd), 0);
    assert_in_range(driver_now(&d) - before, 50000, MUCH);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_systems_clock), cmocka_unit_test(a_wait),
        cmocka_unit_test(a_retransmission),  cmocka_unit_test(blocked_calls),
        cmocka_unit_test(main_thread_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
