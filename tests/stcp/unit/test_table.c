/* SPDX-License-Identifier: MIT */

/* Descriptors: the lowest free one, growth beyond 64, references. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include <stcp/mysock_impl.h>

#define MANY 1000
#define THREADS 4
#define ROUNDS 2000

static void drop(mysocket_t sd)
{
    struct mysock *sock = table_get(sd);

    assert_non_null(sock);
    table_remove(sock);
    table_release(sock);
}

static mysocket_t make(void)
{
    struct mysock *sock = table_add(TRUE);
    mysocket_t sd;

    assert_non_null(sock);
    sd = sock->sd;
    table_release(sock);
    return sd;
}

static void the_lowest_free_first(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < MANY; i++)
        assert_int_equal(make(), i);
    drop(700);
    drop(3);
    drop(64);
    assert_null(table_get(64));
    assert_int_equal(make(), 3);
    assert_int_equal(make(), 64);
    assert_int_equal(make(), 700);
    assert_int_equal(make(), MANY);
    for (i = 0; i <= MANY; i++)
        drop(i);
    assert_int_equal(make(), 0);
    drop(0);
}

static void numbers_of_nobody(void **state)
{
    (void)state;
    assert_null(table_get(-1));
    assert_null(table_get(0));
    assert_null(table_get(1 << 30));
}

/* What was taken out lives until the last reference goes. */
static void references(void **state)
{
    mysocket_t sd = make();
    struct mysock *sock = table_get(sd), *second;

    (void)state;
    table_hold(sock);
    table_remove(sock);
    assert_null(table_get(sd));
    assert_int_equal(sock->references, 2);
    second = table_add(FALSE);
    assert_int_equal(second->sd, sd);
    assert_ptr_not_equal(second, sock);
    table_release(sock);
    assert_int_equal(sock->sd, sd);
    table_release(sock);
    table_remove(second);
    table_release(second);
}

static void *add_and_remove(void *unused)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        struct mysock *sock = table_add(TRUE), *again = table_get(sock->sd);

        if (again != sock)
            return unused;
        table_release(again);
        table_remove(sock);
        table_release(sock);
    }
    return NULL;
}

static void many_threads(void **state)
{
    pthread_t threads[THREADS];
    void *result;
    int i;

    (void)state;
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_remove, threads), 0);
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    assert_int_equal(make(), 0);
    drop(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_free_first),
        cmocka_unit_test(numbers_of_nobody),
        cmocka_unit_test(references),
        cmocka_unit_test(many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
