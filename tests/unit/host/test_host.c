/* SPDX-License-Identifier: MIT */

/* Making hosts and ending them, with threads inside. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#define WAITERS 6

static void test_create_and_destroy(void **state)
{
    struct weir_stack_config config;
    struct weir_host *host;

    (void)state;
    weir_host_destroy(NULL);
    weir_stack_config_init(&config);
    host = weir_host_create(&config);
    assert_non_null(host);
    assert_non_null(weir_host_lock(host));
    weir_host_unlock(host);
    weir_host_destroy(host);
}

/* A link without a descriptor is taken; one that the stack refuses is still ours. */
static void test_add_iface(void **state)
{
    struct weir_stack_config config;
    struct weir_addr addr = weir_addr_from4(0x0a000001);
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);
    struct weir_hub *hub = weir_hub_create(3, 1400, 8);
    struct weir_host *host;

    (void)state;
    weir_stack_config_init(&config);
    host = weir_host_create(&config);
    assert_int_equal(weir_host_add_iface(host, "if0", weir_hub_port(hub, 0), &addr, &prefix, false),
                     0);
    addr = weir_addr_from4(0x0a000102);
    prefix = weir_prefix_from4(0x0a000100, 24);
    assert_int_equal(weir_host_add_iface(host, "if0", weir_hub_port(hub, 1), &addr, &prefix, false),
                     WEIR_EEXIST);
    assert_int_equal(weir_host_add_iface(host, "if1", weir_hub_port(hub, 1), &addr, &prefix, false),
                     1);
    weir_host_destroy(host);
    weir_hub_destroy(hub);
}

/* What a link holds back is seen from outside, and let go in time. */
static void test_links_deadline(void **state)
{
    struct weir_impair impair = {.delay_ns = 5 * WEIR_MS};
    struct weir_stack_config config;
    struct weir_addr addr = weir_addr_from4(0x0a000001), other = weir_addr_from4(0x0a000002);
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);
    struct weir_endpoint remote = {other, PORT};
    struct weir_hub *hub = weir_hub_create(2, 1400, 8);
    struct weir_host *host;
    int socket;

    (void)state;
    weir_stack_config_init(&config);
    host = weir_host_create(&config);
    assert_int_equal(weir_host_add_iface(host, "if0",
                                         weir_impair_create(weir_hub_port(hub, 0), &impair), &addr,
                                         &prefix, false),
                     0);
    assert_int_equal(weir_host_links_deadline(host), WEIR_NEVER);
    socket = weir_socket(host, WEIR_TCP, 0);
    assert_int_equal(weir_socket_connect(weir_host_lock(host), socket, &remote, weir_host_now()),
                     WEIR_EINPROGRESS);
    weir_host_unlock(host);
    assert_true(weir_host_links_deadline(host) <= weir_host_now() + 5 * WEIR_MS);
    assert_int_equal(weir_host_wait(host, NULL, 0, 50 * WEIR_MS), 0);
    assert_int_equal(weir_host_links_deadline(host), WEIR_NEVER);
    weir_host_destroy(host);
    weir_hub_destroy(hub);
}

/* Six threads, each in another call; the sockets were made before. */
struct inside {
    struct weir_host *host;
    int kind;
    int listener, connected;
    long result;
};

static void *enter(void *argument)
{
    struct inside *inside = argument;
    struct weir_pollfd entry = {.socket = inside->listener, .events = WEIR_ACCEPT};
    static uint8_t bytes[1 << 20];
    uint8_t byte;

    switch (inside->kind) {
    case 0:
        inside->result = weir_accept(inside->host, inside->listener, NULL);
        break;
    case 1:
        inside->result = weir_recv(inside->host, inside->connected, &byte, 1);
        break;
    case 2:
        inside->result = weir_poll(inside->host, &entry, 1, WEIR_NEVER);
        break;
    case 3:
        inside->result = weir_host_wait(inside->host, NULL, 0, WEIR_NEVER);
        break;
    case 4:
        inside->result = weir_poll(inside->host, &entry, 1, 1000 * WEIR_SECOND);
        break;
    default: /* until the peer's buffer and ours are full, then for ever */
        do
            inside->result = weir_send(inside->host, inside->connected, bytes, sizeof(bytes), 0);
        while (inside->result == (long)sizeof(bytes));
        inside->result = WEIR_ECANCELED; /* a count came first */
    }
    return NULL;
}

static void *accept_one(void *argument)
{
    struct inside *inside = argument;

    inside->result = weir_accept(inside->host, inside->listener, NULL);
    return NULL;
}

static void test_destroy_with_waiters(void **state)
{
    struct inside inside[WAITERS], server;
    pthread_t threads[WAITERS], accepting;
    struct pair pair;

    (void)state;
    pair_open(&pair);
    server = (struct inside){.host = pair.host[1], .listener = pair_listen(&pair, 1, PORT)};
    accepting = pair_start(accept_one, &server);
    for (int index = 0; index < WAITERS; index++)
        inside[index] = (struct inside){.host = pair.host[0], .kind = index};
    inside[0].listener = pair_listen(&pair, 0, PORT);
    inside[0].connected = pair_connect(&pair, PORT);
    pthread_join(accepting, NULL);
    for (int index = 0; index < WAITERS; index++) {
        inside[index].listener = inside[0].listener;
        inside[index].connected = inside[0].connected;
        threads[index] = pair_start(enter, &inside[index]);
    }
    pair_wait_for_waiters(pair.host[0], WAITERS);
    weir_host_destroy(pair.host[0]);
    for (int index = 0; index < WAITERS; index++) {
        pthread_join(threads[index], NULL);
        assert_int_equal(inside[index].result, WEIR_ECANCELED);
    }
    weir_host_destroy(pair.host[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_and_destroy),
        cmocka_unit_test(test_add_iface),
        cmocka_unit_test(test_links_deadline),
        cmocka_unit_test(test_destroy_with_waiters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
