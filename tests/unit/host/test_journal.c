/* SPDX-License-Identifier: MIT */

/* The journal of a host: what take waits for, the exchange of memory, and every way in which it ends. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#include <host/host.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096u

struct writer {
    struct weir_host *host;
    struct weir_journal spare;
    size_t least;
    weir_time timeout;
    int result;
};

static void writer_init(struct writer *writer, struct weir_host *host)
{
    *writer = (struct writer){.host = host, .least = 1, .timeout = WEIR_NEVER};
    assert_int_equal(weir_host_journal_start(host, malloc(ROOM), ROOM), 0);
    writer->spare = (struct weir_journal){.bytes = malloc(ROOM), .size = ROOM};
}

static void *run(void *argument)
{
    struct writer *writer = argument;

    writer->result =
        weir_host_journal_take(writer->host, &writer->spare, writer->least, writer->timeout);
    return NULL;
}

/* True as soon as somebody waits for the journal: whoever can have the lock looks. */
static void wait_for_writer(struct weir_host *host)
{
    bool is_waiting = false;

    while (!is_waiting) {
        weir_host_lock(host);
        is_waiting = host->journal_least > 0;
        weir_host_unlock(host);
    }
}

/* Host 0 sends a datagram to nobody in particular. */
static void send_one(struct pair *pair)
{
    static int number;
    struct weir_stack *stack = weir_host_lock(pair->host[0]);
    struct weir_datagram to = {.peer = weir_addr_from4(0x0a000002), .ttl = 9};
    int s = weir_socket_open(stack, WEIR_RAW, 77 + number++ % 50);

    assert_true(s >= 0);
    assert_int_equal(weir_socket_sendto(stack, s, "x", 1, &to), 1);
    weir_socket_close(stack, s);
    weir_host_unlock(pair->host[0]);
}

static unsigned count_entries(const struct weir_journal *journal)
{
    unsigned count = 0;
    size_t at = 0;

    while (weir_journal_next(journal, &at))
        count++;
    return count;
}

static void test_take(void **state)
{
    struct writer writer;
    struct pair pair;
    pthread_t thread;
    void *first, *second;

    (void)state;
    pair_open(&pair);
    writer_init(&writer, pair.host[0]);
    second = writer.spare.bytes;
    assert_int_equal(weir_host_journal_start(pair.host[0], NULL, 0), WEIR_EALREADY);
    first = pair.host[0]->journal.bytes;
    thread = pair_start(run, &writer);
    wait_for_writer(pair.host[0]);
    send_one(&pair);
    pthread_join(thread, NULL);
    assert_int_equal(writer.result, 1);
    assert_ptr_equal(writer.spare.bytes, first);
    assert_int_equal(count_entries(&writer.spare), 1);
    assert_int_equal(pair.host[0]->journal.used, 0);
    assert_ptr_equal(pair.host[0]->journal.bytes, second);
    weir_host_journal_stop(pair.host[0]);
    run(&writer);
    assert_int_equal(writer.result, WEIR_ECANCELED);
    free(first);
    free(second);
    pair_close(&pair);
}

/* It is called for the bytes that it asked for, not for fewer, unless time is over. */
static void test_least(void **state)
{
    const size_t one = weir_journal_entry_size(21);
    struct writer writer;
    struct pair pair;
    pthread_t thread;
    weir_time before;

    (void)state;
    pair_open(&pair);
    writer_init(&writer, pair.host[0]);
    writer.least = 3 * one;
    thread = pair_start(run, &writer);
    for (unsigned i = 0; i < 3; i++) {
        wait_for_writer(pair.host[0]);
        send_one(&pair);
    }
    pthread_join(thread, NULL);
    assert_int_equal(writer.result, 1);
    assert_int_equal(count_entries(&writer.spare), 3);
    writer.timeout = 5 * WEIR_MS;
    writer.spare.used = 0;
    run(&writer);
    assert_int_equal(writer.result, 0);
    send_one(&pair);
    before = weir_host_now();
    run(&writer);
    assert_true(weir_host_now() - before >= 5 * WEIR_MS);
    assert_int_equal(writer.result, 1);
    assert_int_equal(count_entries(&writer.spare), 1);
    free(writer.spare.bytes);
    weir_host_journal_stop(pair.host[0]);
    free(pair.host[0]->journal.bytes);
    pair_close(&pair);
}

static void test_missed(void **state)
{
    const size_t one = weir_journal_entry_size(21);
    struct writer writer;
    struct pair pair;

    (void)state;
    pair_open(&pair);
    writer_init(&writer, pair.host[0]);
    for (size_t i = 0; i < ROOM / one + 5; i++)
        send_one(&pair);
    run(&writer);
    assert_int_equal(writer.result, 1);
    assert_int_equal(count_entries(&writer.spare), ROOM / one);
    assert_int_equal(writer.spare.missed, 5);
    writer.spare.used = 0;
    send_one(&pair);
    run(&writer);
    assert_int_equal(count_entries(&writer.spare), 1);
    assert_int_equal(writer.spare.missed, 0);
    weir_host_journal_stop(pair.host[0]);
    free(writer.spare.bytes);
    free(pair.host[0]->journal.bytes);
    pair_close(&pair);
}

/* After stop what is left is given out first; then the next journal may start. */
static void test_stop(void **state)
{
    struct writer writer;
    struct pair pair;
    pthread_t thread;
    void *memory;

    (void)state;
    pair_open(&pair);
    writer_init(&writer, pair.host[0]);
    memory = writer.spare.bytes;
    send_one(&pair);
    weir_host_journal_stop(pair.host[0]);
    send_one(&pair);
    assert_int_equal(weir_host_journal_start(pair.host[0], memory, ROOM), WEIR_EALREADY);
    run(&writer);
    assert_int_equal(writer.result, 1);
    assert_int_equal(count_entries(&writer.spare), 1);
    free(writer.spare.bytes);
    writer.spare.bytes = NULL;
    run(&writer);
    assert_int_equal(writer.result, WEIR_ECANCELED);
    free(memory);
    writer_init(&writer, pair.host[0]);
    thread = pair_start(run, &writer);
    wait_for_writer(pair.host[0]);
    memory = pair.host[0]->journal.bytes;
    weir_host_journal_stop(pair.host[0]);
    pthread_join(thread, NULL);
    assert_int_equal(writer.result, WEIR_ECANCELED);
    free(memory);
    free(writer.spare.bytes);
    pair_close(&pair);
}

static void test_destroy(void **state)
{
    struct writer writer;
    struct pair pair;
    pthread_t thread;
    void *memory;

    (void)state;
    pair_open(&pair);
    writer_init(&writer, pair.host[0]);
    memory = pair.host[0]->journal.bytes;
    thread = pair_start(run, &writer);
    wait_for_writer(pair.host[0]);
    weir_host_destroy(pair.host[0]);
    pthread_join(thread, NULL);
    assert_int_equal(writer.result, WEIR_ECANCELED);
    free(memory);
    free(writer.spare.bytes);
    weir_host_destroy(pair.host[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take), cmocka_unit_test(test_least),   cmocka_unit_test(test_missed),
        cmocka_unit_test(test_stop), cmocka_unit_test(test_destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
