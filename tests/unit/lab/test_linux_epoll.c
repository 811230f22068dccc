/* SPDX-License-Identifier: MIT */

/* epoll: level, edge and one-shot watches, their edges, turns, and nonsense. */

#include "linux_world.h"

#include <linux/tcp.h>

static struct world world;
static int fds[2], epfd;

static int setup(void **state)
{
    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    epfd = (int)linux_epoll_create(world.sides[1], 1);
    assert_true(epfd >= 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

static long control(int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    return linux_epoll_ctl(world.sides[1], epfd, operation, fd, &event);
}

/* What is reported of one descriptor; 0: nothing. */
static uint32_t report(void)
{
    struct epoll_event event = {0};
    struct linux_wait wait = {0};
    long count = linux_epoll_wait(world.sides[1], epfd, &event, 1, 0, &wait);

    assert_int_equal(count, event.events != 0);
    if (count)
        assert_int_equal(event.data.fd, fds[1]);
    return event.events;
}

static void say(const char *text)
{
    assert_int_equal(world_send(&world, 0, fds[0], text, strlen(text), 0), strlen(text));
    world_settle(&world);
}

static void test_level(void **state)
{
    char bytes[8];

    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLIN), 0);
    assert_int_equal(report(), 0);
    say("ab");
    assert_int_equal(report(), EPOLLIN);
    assert_int_equal(report(), EPOLLIN);
    world_recv(&world, 1, fds[1], bytes, 8, 0);
    assert_int_equal(report(), 0);
    say("c");
    assert_int_equal(report(), EPOLLIN);
}

/* Each arrival is an edge, read or not. */
static void test_edge(void **state)
{
    char bytes[8];

    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLIN | EPOLLOUT | EPOLLET), 0);
    assert_int_equal(report(), EPOLLOUT);
    assert_int_equal(report(), 0);
    say("ab");
    assert_int_equal(report(), EPOLLIN | EPOLLOUT);
    assert_int_equal(report(), 0);
    say("c");
    assert_int_equal(report(), EPOLLIN | EPOLLOUT);
    say("d");
    world_recv(&world, 1, fds[1], bytes, 8, 0);
    assert_int_equal(control(EPOLL_CTL_MOD, fds[1], EPOLLIN | EPOLLET), 0);
    assert_int_equal(report(), 0); /* the edge has passed */
    linux_shutdown(world.sides[0], fds[0], SHUT_WR);
    world_settle(&world);
    assert_int_equal(report(), EPOLLIN);
    assert_int_equal(report(), 0);
}

/* Who asks for room only is not woken by data. */
static void test_edge_of_another(void **state)
{
    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET), 0);
    assert_int_equal(report(), EPOLLOUT);
    say("ab");
    assert_int_equal(report(), 0);
}

/* Room is an edge when somebody was refused and a third of the buffer is free. */
static void test_edge_of_room(void **state)
{
    static char bytes[20000];

    (void)state;
    world_set(&world, 1, fds[1], SOL_SOCKET, SO_SNDBUF, 9000);
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET), 0);
    assert_int_equal(report(), EPOLLOUT);
    world_send(&world, 1, fds[1], bytes, 100, 0);
    world_pass(&world, WEIR_SECOND);
    assert_int_equal(report(), 0); /* nobody was refused */
    world.is_cut = true;
    assert_int_equal(world_send(&world, 1, fds[1], bytes, 20000, 0), 9000);
    world_settle(&world);
    assert_int_equal(report(), 0);
    world.is_cut = false;
    world_pass(&world, 10 * WEIR_SECOND);
    assert_int_equal(report(), EPOLLOUT);
    assert_int_equal(report(), 0);
}

static void test_oneshot(void **state)
{
    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLIN | EPOLLONESHOT), 0);
    say("a");
    assert_int_equal(report(), EPOLLIN);
    say("b");
    assert_int_equal(report(), 0);
    world_close_fd(&world, 0, fds[0]);
    world_settle(&world);
    assert_int_equal(report(), 0); /* not even errors */
    assert_int_equal(control(EPOLL_CTL_MOD, fds[1], EPOLLIN | EPOLLRDHUP), 0);
    assert_int_equal(report(), EPOLLIN | EPOLLRDHUP);
}

/* Errors and hang-ups need not be asked for. */
static void test_always(void **state)
{
    struct linger abort = {.l_onoff = 1};

    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLPRI | EPOLLET), 0);
    assert_int_equal(report(), 0);
    linux_setsockopt(world.sides[0], fds[0], SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
    world_close_fd(&world, 0, fds[0]);
    world_settle(&world);
    assert_int_equal(report(), EPOLLERR | EPOLLHUP);
}

static void test_control_nonsense(void **state)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct linux_wait wait = {0};
    struct linux_sockets *side = world.sides[1];

    (void)state;
    assert_int_equal(linux_epoll_create(side, 0), -EINVAL);
    assert_int_equal(control(EPOLL_CTL_MOD, fds[1], EPOLLIN), -ENOENT);
    assert_int_equal(control(EPOLL_CTL_DEL, fds[1], EPOLLIN), -ENOENT);
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLIN), 0);
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLIN), -EEXIST);
    assert_int_equal(control(EPOLL_CTL_ADD, 99, EPOLLIN), -EBADF);
    assert_int_equal(control(EPOLL_CTL_ADD, epfd, EPOLLIN), -EINVAL);
    assert_int_equal(control(7, fds[1], EPOLLIN), -EINVAL);
    assert_int_equal(linux_epoll_ctl(side, epfd, EPOLL_CTL_ADD, fds[1], NULL), -EFAULT);
    assert_int_equal(linux_epoll_ctl(side, fds[1], EPOLL_CTL_ADD, epfd, &event), -EINVAL);
    assert_int_equal(linux_epoll_ctl(side, 99, EPOLL_CTL_ADD, fds[1], &event), -EBADF);
    assert_int_equal(linux_epoll_wait(side, epfd, &event, 0, 0, &wait), -EINVAL);
    assert_int_equal(linux_epoll_wait(side, epfd, NULL, 1, 0, &wait), -EFAULT);
    assert_int_equal(linux_epoll_wait(side, 99, &event, 1, 0, &wait), -EBADF);
    assert_int_equal(linux_epoll_wait(side, fds[1], &event, 1, 0, &wait), -EINVAL);
    assert_int_equal(world_recv(&world, 1, epfd, &event, 1, 0), -ENOTSOCK);
    assert_int_equal(linux_epoll_ctl(side, epfd, EPOLL_CTL_DEL, fds[1], NULL), 0);
}

static void test_waiting(void **state)
{
    struct linux_wait wait = {0};
    struct epoll_event event;

    (void)state;
    control(EPOLL_CTL_ADD, fds[1], EPOLLIN);
    assert_int_equal(linux_epoll_wait(world.sides[1], epfd, &event, 1, 50, &wait), LINUX_WAIT);
    world_pass(&world, 50 * WEIR_MS);
    assert_int_equal(linux_epoll_wait(world.sides[1], epfd, &event, 1, 50, &wait), 0);
    wait = (struct linux_wait){0};
    assert_int_equal(linux_epoll_wait(world.sides[1], epfd, &event, 1, -1, &wait), LINUX_WAIT);
    say("x");
    assert_int_equal(linux_epoll_wait(world.sides[1], epfd, &event, 1, -1, &wait), 1);
}

/* With room for one report, every ready member has its turn. A member that is closed is gone. */
static void test_turns(void **state)
{
    struct epoll_event event;
    struct linux_wait wait = {0};
    int seen[16] = {0}, sockets[8];

    (void)state;
    for (int i = 0; i < 8; i++) {
        sockets[i] = (int)linux_socket(world.sides[1], AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(control(EPOLL_CTL_ADD, sockets[i], EPOLLOUT), 0);
    }
    for (int i = 0; i < 16; i++) {
        assert_int_equal(linux_epoll_wait(world.sides[1], epfd, &event, 1, 0, &wait), 1);
        seen[event.data.fd]++;
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(seen[sockets[i]], 2);
        world_close_fd(&world, 1, sockets[i]);
    }
    assert_int_equal(linux_epoll_wait(world.sides[1], epfd, &event, 1, 0, &wait), 0);
}

static void test_set_in_a_set(void **state)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 1234};
    struct linux_wait wait = {0};
    int outer = (int)linux_epoll_create(world.sides[1], 1);

    (void)state;
    assert_int_equal(linux_epoll_ctl(world.sides[1], outer, EPOLL_CTL_ADD, epfd, &event), 0);
    control(EPOLL_CTL_ADD, fds[1], EPOLLIN);
    assert_int_equal(world_poll(&world, 1, epfd), 0);
    assert_int_equal(linux_epoll_wait(world.sides[1], outer, &event, 1, 0, &wait), 0);
    say("x");
    assert_int_equal(world_poll(&world, 1, epfd), POLLIN | POLLRDNORM);
    assert_int_equal(linux_epoll_wait(world.sides[1], outer, &event, 1, 0, &wait), 1);
    assert_int_equal(event.data.fd, 1234);
    assert_int_equal(control(EPOLL_CTL_ADD, outer, EPOLLIN), -ELOOP);
    assert_int_equal(world_close_fd(&world, 1, epfd), 0);
    assert_int_equal(linux_epoll_wait(world.sides[1], outer, &event, 1, 0, &wait), 0);
}

/* Watches of several sets, added and closed in any order, seen against a list of who is a member. */
static void test_against_a_model(void **state)
{
    bool member[4][8] = {{false}};
    int sets[4], files[8];
    unsigned seed = 1;

    (void)state;
    printf("seed %u\n", seed);
    for (int i = 0; i < 4; i++)
        sets[i] = (int)linux_epoll_create(world.sides[1], 1);
    for (int i = 0; i < 8; i++)
        files[i] = (int)linux_socket(world.sides[1], AF_INET, SOCK_DGRAM, 0);
    for (int step = 0; step < 5000; step++) {
        struct epoll_event event = {.events = EPOLLOUT}, events[8];
        struct linux_wait wait = {0};
        int set, file, expected = 0;

        seed = seed * 1103515245u + 12345u;
        set = (int)(seed >> 16) % 4;
        file = (int)(seed >> 20) % 8;
        if ((seed >> 24) % 8 == 0) {
            world_close_fd(&world, 1, files[file]);
            files[file] = (int)linux_socket(world.sides[1], AF_INET, SOCK_DGRAM, 0);
            for (int i = 0; i < 4; i++)
                member[i][file] = false;
        } else {
            int operation = member[set][file] ? EPOLL_CTL_DEL : EPOLL_CTL_ADD;

            assert_int_equal(
                linux_epoll_ctl(world.sides[1], sets[set], operation, files[file], &event), 0);
            member[set][file] = !member[set][file];
        }
        for (int i = 0; i < 8; i++)
            expected += member[set][i];
        assert_int_equal(linux_epoll_wait(world.sides[1], sets[set], events, 8, 0, &wait),
                         expected);
    }
}

/* Errors and hang-ups are reported even if nothing was asked for. */
static void test_nothing_asked(void **state)
{
    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], 0), 0);
    assert_int_equal(report(), 0);
    say("ab");
    assert_int_equal(report(), 0);
    linux_shutdown(world.sides[1], fds[1], SHUT_RDWR);
    linux_shutdown(world.sides[0], fds[0], SHUT_RDWR);
    world_settle(&world);
    assert_int_equal(report(), EPOLLHUP);
    assert_int_equal(control(EPOLL_CTL_MOD, fds[1], EPOLLONESHOT), 0);
    assert_int_equal(report(), EPOLLHUP);
    assert_int_equal(report(), 0); /* asleep */
}

/* Edges that a call of one's own makes: another limit of unsent bytes, and the end of a connection. */
static void test_edges_of_calls(void **state)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct linux_wait wait = {0};

    (void)state;
    assert_int_equal(control(EPOLL_CTL_ADD, fds[1], EPOLLOUT | EPOLLET), 0);
    assert_int_equal(report(), EPOLLOUT);
    assert_int_equal(report(), 0);
    world_set(&world, 1, fds[1], IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000);
    assert_int_equal(report(), EPOLLOUT);
    assert_int_equal(report(), 0);
    assert_int_equal(linux_connect(world.sides[1], fds[1], &nobody, sizeof(nobody), &wait), 0);
    assert_true(report() & EPOLLHUP);
    assert_int_equal(report(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edge_of_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edge_of_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_oneshot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_always, setup, teardown),
        cmocka_unit_test_setup_teardown(test_control_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_in_a_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_against_a_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edges_of_calls, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
