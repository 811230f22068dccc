/* SPDX-License-Identifier: MIT */

/* Helper of the host tests: makes the pair of hosts. Failures end the test through cmocka. */

#include "pair.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <host/host.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOCALHOST 0x7f000001u
#define NET 0x0a000000u
#define MTU 1400u
#define PATIENCE (20 * WEIR_SECOND)

static struct weir_link *open_link(uint64_t *tag)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(LOCALHOST)}};
    socklen_t length = sizeof(local);
    struct weir_link *link = NULL;

    for (int tries = 0; tries < 20 && !link; tries++) {
        int fd = socket(AF_INET, SOCK_DGRAM, 0), error;

        local.sin_port = 0;
        assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&local, &length), 0);
        close(fd);
        *tag = weir_udp_tag(LOCALHOST, ntohs(local.sin_port));
        link = weir_udp_create(LOCALHOST, ntohs(local.sin_port), MTU, &error);
    }
    assert_non_null(link);
    return link;
}

void pair_open(struct pair *pair)
{
    struct weir_prefix prefix = weir_prefix_from4(NET, 24);
    struct weir_stack_config config;
    struct weir_link *links[2];
    uint64_t tags[2];

    for (int index = 0; index < 2; index++)
        links[index] = open_link(&tags[index]);
    for (int index = 0; index < 2; index++) {
        struct weir_addr own = weir_addr_from4(NET + 1 + (uint32_t)index);
        struct weir_addr other = weir_addr_from4(NET + 2 - (uint32_t)index);
        struct weir_stack *stack;

        weir_stack_config_init(&config);
        assert_int_equal(weir_host_seed(&config), 0);
        pair->host[index] = weir_host_create(&config);
        assert_non_null(pair->host[index]);
        assert_int_equal(
            weir_host_add_iface(pair->host[index], "if0", links[index], &own, &prefix, true), 0);
        stack = weir_host_lock(pair->host[index]);
        assert_int_equal(weir_stack_add_neighbour(stack, 0, &other, tags[1 - index]), 0);
        weir_host_unlock(pair->host[index]);
    }
}

void pair_close(struct pair *pair)
{
    weir_host_destroy(pair->host[0]);
    weir_host_destroy(pair->host[1]);
}

struct weir_endpoint pair_endpoint(int index, uint16_t port)
{
    struct weir_endpoint endpoint = {.addr = weir_addr_from4(NET + 1 + (uint32_t)index),
                                     .port = port};

    return endpoint;
}

int pair_listen(struct pair *pair, int index, uint16_t port)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = port};
    int socket = weir_socket(pair->host[index], WEIR_TCP, 0);

    assert_true(socket >= 0);
    assert_int_equal(weir_setsockopt(pair->host[index], socket, WEIR_SO_REUSEADDR, 1), 0);
    assert_int_equal(weir_bind(pair->host[index], socket, &local), 0);
    assert_int_equal(weir_listen(pair->host[index], socket, 64), 0);
    return socket;
}

int pair_connect(struct pair *pair, uint16_t port)
{
    struct weir_endpoint remote = pair_endpoint(1, port);
    int socket = weir_socket(pair->host[0], WEIR_TCP, 0);

    assert_true(socket >= 0);
    assert_int_equal(weir_connect(pair->host[0], socket, &remote), 0);
    return socket;
}

pthread_t pair_start(void *(*run)(void *), void *argument)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    return thread;
}

/* Waiters only: `users` counts a thread that is just waking others, too. */
static unsigned count_waiters(const struct weir_host *host)
{
    unsigned count = 0;

    for (const struct list_node *node = host->waiters.next; node != &host->waiters;
         node = node->next)
        count++;
    return count;
}

void pair_wait_for_waiters(struct weir_host *host, unsigned count)
{
    weir_time deadline = weir_host_now() + PATIENCE;
    unsigned seen = 0;

    while (seen < count) {
        assert_true(weir_host_now() < deadline);
        sched_yield();
        weir_host_lock(host);
        seen = count_waiters(host);
        weir_host_unlock(host);
    }
}
