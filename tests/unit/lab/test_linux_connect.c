/* SPDX-License-Identifier: MIT */

/* accept, connect and close: what is answered at once, what waits, and for what. */

#include "linux_world.h"

static struct linux_wait fresh(void)
{
    return (struct linux_wait){0};
}

static long try_connect(struct world *world, int fd, struct linux_wait *wait)
{
    struct sockaddr_in addr = world_addr(1, 80);

    return linux_connect(world->sides[0], fd, (struct sockaddr *)&addr, sizeof(addr), wait);
}

static void test_connect_in_steps(void **state)
{
    struct world world;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    world_listen(&world, 1, 80);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), -EINPROGRESS);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), -EALREADY);
    world_settle(&world);
    assert_int_equal(world_get(&world, 0, (int)fd, SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), 0);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), -EISCONN);
    world_close(&world);
}

static void test_connect_waits(void **state)
{
    struct linux_wait wait = fresh();
    struct world world;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    world_listen(&world, 1, 80);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM, 0);
    assert_int_equal(try_connect(&world, (int)fd, &wait), LINUX_WAIT);
    assert_true(wait.wake == WEIR_NEVER);
    assert_int_equal(try_connect(&world, (int)fd, &wait), LINUX_WAIT);
    world_settle(&world);
    assert_int_equal(try_connect(&world, (int)fd, &wait), 0);
    world_close(&world);
}

/* The failure is told once, and the socket can be used again. */
static void test_connect_refused(void **state)
{
    struct linux_wait wait = fresh();
    struct world world;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM, 0);
    assert_int_equal(try_connect(&world, (int)fd, &wait), LINUX_WAIT);
    world_settle(&world);
    assert_int_equal(try_connect(&world, (int)fd, &wait), -ECONNREFUSED);
    assert_int_equal(world_get(&world, 0, (int)fd, SOL_SOCKET, SO_ERROR), 0);
    world_listen(&world, 1, 80);
    wait = fresh();
    assert_int_equal(try_connect(&world, (int)fd, &wait), LINUX_WAIT);
    world_settle(&world);
    assert_int_equal(try_connect(&world, (int)fd, &wait), 0);
    world_close(&world);
}

/* Whoever has heard of the error by SO_ERROR finds ECONNABORTED in connect. */
static void test_error_is_told_once(void **state)
{
    struct world world;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), -EINPROGRESS);
    world_settle(&world);
    assert_int_equal(world_get(&world, 0, (int)fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(world_get(&world, 0, (int)fd, SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), -ECONNABORTED);
    assert_int_equal(world_connect(&world, 0, (int)fd, 80), -EINPROGRESS);
    world_close(&world);
}

static void test_connect_nonsense(void **state)
{
    struct sockaddr_in addr = world_addr(1, 80);
    struct linux_wait wait = fresh();
    struct linux_sockets *side;
    struct world world;

    (void)state;
    world_open(&world, NULL, NULL);
    side = world.sides[0];
    assert_int_equal(linux_connect(side, 3, (struct sockaddr *)&addr, sizeof(addr), &wait), -EBADF);
    world_listen(&world, 0, 81);
    assert_int_equal(linux_connect(side, 3, NULL, sizeof(addr), &wait), -EFAULT);
    assert_int_equal(linux_connect(side, 3, (struct sockaddr *)&addr, 1, &wait), -EINVAL);
    /* The state is looked at before the address. */
    assert_int_equal(linux_connect(side, 3, (struct sockaddr *)&addr, 8, &wait), -EISCONN);
    assert_int_equal(linux_connect(side, 3, (struct sockaddr *)&addr, sizeof(addr), &wait),
                     -EISCONN);
    assert_int_equal(linux_socket(side, AF_INET, SOCK_STREAM, 0), 4);
    assert_int_equal(linux_connect(side, 4, (struct sockaddr *)&addr, 8, &wait), -EINVAL);
    addr.sin_family = AF_INET6;
    assert_int_equal(linux_connect(side, 4, (struct sockaddr *)&addr, sizeof(addr), &wait),
                     -EAFNOSUPPORT);
    world_close(&world);
}

static void test_disconnect(void **state)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct linux_wait wait = fresh();
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    assert_int_equal(linux_connect(world.sides[0], fds[0], &nobody, sizeof(nobody), &wait), 0);
    world_settle(&world);
    assert_int_equal(world_get(&world, 1, fds[1], SOL_SOCKET, SO_ERROR), ECONNRESET);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, 0), -ECONNRESET);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, 0), -EPIPE);
    assert_int_equal(world_recv(&world, 0, fds[0], (char[1]){0}, 1, 0), -ENOTCONN);
    world_listen(&world, 1, 82);
    assert_int_equal(world_connect(&world, 0, fds[0], 82), -EINPROGRESS);
    world_settle(&world);
    assert_int_equal(world_connect(&world, 0, fds[0], 82), 0);
    world_close(&world);
}

static void test_accept(void **state)
{
    struct sockaddr_in peer = {0};
    socklen_t length = sizeof(peer);
    struct linux_wait wait = fresh();
    struct linux_sockets *side;
    struct world world;
    long fd;
    int listener;

    (void)state;
    world_open(&world, NULL, NULL);
    side = world.sides[1];
    listener = world_listen(&world, 1, 80);
    assert_int_equal(world_accept(&world, 1, 99), -EBADF);
    assert_int_equal(world_accept(&world, 1, listener), -EAGAIN);
    fd = linux_socket(side, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(world_accept(&world, 1, (int)fd), -EINVAL);
    fd = linux_socket(side, AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(world_accept(&world, 1, (int)fd), -EOPNOTSUPP);
    linux_fcntl(side, listener, F_SETFL, 0);
    assert_int_equal(linux_accept(side, listener, NULL, NULL, &wait), LINUX_WAIT);
    fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    world_connect(&world, 0, (int)fd, 80);
    world_settle(&world);
    assert_int_equal(linux_accept(side, listener, (struct sockaddr *)&peer, NULL, &wait), -EFAULT);
    fd = linux_accept(side, listener, (struct sockaddr *)&peer, &length, &wait);
    assert_true(fd > listener);
    assert_int_equal(length, sizeof(peer));
    assert_int_equal(ntohl(peer.sin_addr.s_addr), 0x0a000001);
    assert_int_not_equal(peer.sin_port, 0);
    assert_int_equal(linux_fcntl(side, (int)fd, F_GETFL, 0), O_RDWR); /* not inherited */
    world_close(&world);
}

/* One more than the backlog says. */
static void test_backlog(void **state)
{
    struct world world;
    int listener;
    long fd;

    (void)state;
    world_open(&world, NULL, NULL);
    listener = world_listen(&world, 1, 80);
    assert_int_equal(linux_listen(world.sides[1], listener, 5), 0);
    for (int i = 0; i < 7; i++) {
        fd = linux_socket(world.sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        world_connect(&world, 0, (int)fd, 80);
        world_settle(&world);
    }
    for (int i = 0; i < 6; i++)
        assert_true(world_accept(&world, 1, listener) >= 0);
    assert_int_equal(world_accept(&world, 1, listener), -EAGAIN);
    world_close(&world);
}

static void set_linger(struct world *world, int fd, int on, int seconds)
{
    struct linger linger = {.l_onoff = on, .l_linger = seconds};

    assert_int_equal(
        linux_setsockopt(world->sides[0], fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
}

static void test_close_lingers(void **state)
{
    struct linux_wait wait = fresh();
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    set_linger(&world, fds[0], 1, 5);
    world_send(&world, 0, fds[0], "bye", 3, 0);
    assert_int_equal(linux_close(world.sides[0], fds[0], &wait), LINUX_WAIT);
    assert_true(wait.wake == world.now + 5 * WEIR_SECOND);
    assert_int_equal(world_send(&world, 0, fds[0], "x", 1, 0), -EBADF); /* gone for others */
    world_settle(&world);
    assert_int_equal(linux_close(world.sides[0], fds[0], &wait), 0);
    assert_int_equal(world_close_fd(&world, 0, fds[0]), -EBADF);
    world_close(&world);
}

static void test_close_lingers_in_vain(void **state)
{
    struct linux_wait wait = fresh();
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    set_linger(&world, fds[0], 1, 5);
    world.is_cut = true;
    world_send(&world, 0, fds[0], "bye", 3, 0);
    assert_int_equal(linux_close(world.sides[0], fds[0], &wait), LINUX_WAIT);
    world_pass(&world, 4 * WEIR_SECOND);
    assert_int_equal(linux_close(world.sides[0], fds[0], &wait), LINUX_WAIT);
    world_pass(&world, WEIR_SECOND);
    assert_int_equal(linux_close(world.sides[0], fds[0], &wait), 0);
    /* The number is given again, and the old connection's last words are not the new socket's. */
    assert_int_equal(linux_socket(world.sides[0], AF_INET, SOCK_STREAM, 0), fds[0]);
    world.is_cut = false;
    world_pass(&world, 200 * WEIR_SECOND);
    assert_int_equal(world_poll(&world, 0, fds[0]), POLLOUT | POLLWRNORM | POLLHUP);
    world_close(&world);
}

static void test_close_aborts(void **state)
{
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    set_linger(&world, fds[0], 1, 0);
    assert_int_equal(world_close_fd(&world, 0, fds[0]), 0);
    world_settle(&world);
    assert_int_equal(world_recv(&world, 1, fds[1], (char[1]){0}, 1, 0), -ECONNRESET);
    assert_int_equal(world_recv(&world, 1, fds[1], (char[1]){0}, 1, 0), 0);
    world_close(&world);
}

/* A RST after a FIN is EPIPE to a writer, and the end to a reader. */
static void test_reset_after_fin(void **state)
{
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    assert_int_equal(world_close_fd(&world, 0, fds[0]), 0);
    world_settle(&world);
    assert_int_equal(world_send(&world, 1, fds[1], "x", 1, 0), 1); /* nobody will read it */
    world_settle(&world);
    assert_true(world_poll(&world, 1, fds[1]) & POLLERR);
    assert_int_equal(world_recv(&world, 1, fds[1], (char[1]){0}, 1, 0), 0);
    assert_int_equal(world_get(&world, 1, fds[1], SOL_SOCKET, SO_ERROR), EPIPE);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connect_in_steps), cmocka_unit_test(test_connect_waits),
        cmocka_unit_test(test_connect_refused),  cmocka_unit_test(test_error_is_told_once),
        cmocka_unit_test(test_connect_nonsense), cmocka_unit_test(test_disconnect),
        cmocka_unit_test(test_accept),           cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_close_lingers),    cmocka_unit_test(test_close_lingers_in_vain),
        cmocka_unit_test(test_close_aborts),     cmocka_unit_test(test_reset_after_fin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
