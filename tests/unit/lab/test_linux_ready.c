/* SPDX-License-Identifier: MIT */

/* poll's bits in each state of a socket, and how long it waits. */

#include "linux_world.h"

#define IN (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

static void test_states(void **state)
{
    struct world world;
    char byte;
    int fds[2];
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(world_poll(&world, 0, (int)fd), OUT | POLLHUP); /* never connected */
    world_connect(&world, 0, (int)fd, 80);
    assert_int_equal(world_poll(&world, 0, (int)fd), 0); /* being opened */
    world_settle(&world);
    assert_int_equal(world_poll(&world, 0, (int)fd), IN | OUT | POLLHUP | POLLRDHUP | POLLERR);
    assert_int_equal(world_get(&world, 0, (int)fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(world_poll(&world, 0, (int)fd), IN | OUT | POLLHUP | POLLRDHUP);
    world_pair(&world, fds);
    assert_int_equal(world_poll(&world, 0, fds[0]), OUT);
    world_send(&world, 1, fds[1], "x", 1, 0);
    world_settle(&world);
    assert_int_equal(world_poll(&world, 0, fds[0]), IN | OUT);
    world_recv(&world, 0, fds[0], &byte, 1, 0);
    linux_shutdown(world.sides[1], fds[1], SHUT_WR);
    assert_int_equal(world_poll(&world, 1, fds[1]), OUT); /* half closed */
    world_settle(&world);
    assert_int_equal(world_poll(&world, 0, fds[0]), IN | OUT | POLLRDHUP);
    linux_shutdown(world.sides[0], fds[0], SHUT_WR);
    assert_int_equal(world_poll(&world, 0, fds[0]), IN | OUT | POLLRDHUP | POLLHUP);
    world_settle(&world);
    assert_int_equal(world_poll(&world, 0, fds[0]), IN | OUT | POLLRDHUP | POLLHUP);
    assert_int_equal(world_poll(&world, 1, fds[1]), IN | OUT | POLLRDHUP | POLLHUP);
    assert_int_equal(world_poll(&world, 1, 99), POLLNVAL);
    world_close(&world);
}

static void test_listener(void **state)
{
    struct world world;
    int listener;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    listener = world_listen(&world, 1, 80);
    assert_int_equal(world_poll(&world, 1, listener), 0);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    world_connect(&world, 0, (int)fd, 80);
    world_settle(&world);
    assert_int_equal(world_poll(&world, 1, listener), IN);
    assert_true(world_accept(&world, 1, listener) >= 0);
    assert_int_equal(world_poll(&world, 1, listener), 0);
    world_close(&world);
}

static void test_shut_for_reading(void **state)
{
    struct world world;
    char byte;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    linux_shutdown(world.sides[0], fds[0], SHUT_RD);
    assert_int_equal(world_poll(&world, 0, fds[0]), IN | OUT | POLLRDHUP);
    assert_int_equal(world_recv(&world, 0, fds[0], &byte, 1, 0), 0);
    world_close(&world);
}

/* Room is told when a third of the buffer is free. */
static void test_room(void **state)
{
    static char bytes[20000];
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    world_set(&world, 0, fds[0], SOL_SOCKET, SO_SNDBUF, 9000);
    world_send(&world, 0, fds[0], bytes, 5000, 0);
    assert_int_equal(world_poll(&world, 0, fds[0]), OUT);
    world_send(&world, 0, fds[0], bytes, 1001, 0);
    assert_int_equal(world_poll(&world, 0, fds[0]), 0); /* 2999 free, 6001 used */
    world_settle(&world);
    assert_int_equal(world_poll(&world, 0, fds[0]), OUT);
    world_close(&world);
}

static void test_waiting(void **state)
{
    struct pollfd one = {.events = POLLIN}, none = {.fd = -1, .events = POLLIN};
    struct linux_wait wait = {0}, endless = {0};
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    one.fd = fds[1];
    assert_int_equal(linux_poll(world.sides[1], &one, 1, 100, &wait), LINUX_WAIT);
    assert_true(wait.wake == world.now + 100 * WEIR_MS);
    world_pass(&world, 99 * WEIR_MS);
    assert_int_equal(linux_poll(world.sides[1], &one, 1, 100, &wait), LINUX_WAIT);
    world_pass(&world, WEIR_MS);
    assert_int_equal(linux_poll(world.sides[1], &one, 1, 100, &wait), 0);
    assert_int_equal(one.revents, 0);
    assert_int_equal(linux_poll(world.sides[1], &one, 1, -1, &endless), LINUX_WAIT);
    assert_true(endless.wake == WEIR_NEVER);
    world_send(&world, 0, fds[0], "x", 1, 0);
    world_settle(&world);
    assert_int_equal(linux_poll(world.sides[1], &one, 1, -1, &endless), 1);
    assert_int_equal(one.revents, POLLIN);
    assert_int_equal(linux_poll(world.sides[1], NULL, 1, 0, &wait), -EFAULT);
    assert_int_equal(linux_poll(world.sides[1], NULL, 0, 0, &wait), 0);
    assert_int_equal(linux_poll(world.sides[1], &one, 1 << 20, 0, &wait), -EINVAL);
    assert_int_equal(linux_poll(world.sides[1], &none, 1, 0, &wait), 0);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),           cmocka_unit_test(test_listener),
        cmocka_unit_test(test_shut_for_reading), cmocka_unit_test(test_room),
        cmocka_unit_test(test_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
