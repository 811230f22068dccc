/* SPDX-License-Identifier: MIT */

/* Two stacks on one wire under Linux's calls: see linux_world.h. */

#include "linux_world.h"

#include <linux/tcp.h>

#define STEPS_MAX 100000
#define BATCH 32

void world_open(struct world *world, const struct weir_stack_config *stack,
                const struct linux_config *config)
{
    struct weir_prefix lan = weir_prefix_from4(0x0a000000, 24);
    struct weir_stack_config fallback;

    memset(world, 0, sizeof(*world));
    world->now = WEIR_SECOND;
    world->hub = weir_hub_create(2, 1500, 1024);
    assert_non_null(world->hub);
    for (int side = 0; side < 2; side++) {
        struct weir_addr own = weir_addr_from4(0x0a000001u + (uint32_t)side);

        weir_stack_config_init(&fallback);
        if (stack)
            fallback = *stack;
        fallback.node_id = (uint64_t)side;
        world->stacks[side] = weir_stack_create(&fallback);
        assert_non_null(world->stacks[side]);
        assert_true(weir_stack_add_iface(world->stacks[side], "wire",
                                         weir_hub_port(world->hub, (unsigned)side), &own, &lan,
                                         false) >= 0);
        world->sides[side] = linux_create(world->stacks[side], config);
        assert_non_null(world->sides[side]);
        linux_set_now(world->sides[side], world->now);
    }
}

void world_close(struct world *world)
{
    for (int side = 0; side < 2; side++) {
        const char *broken = weir_inspect_check(world->stacks[side], world->now);

        if (broken)
            fail_msg("side %d: %s", side, broken);
        linux_destroy(world->sides[side]);
        weir_stack_destroy(world->stacks[side]);
    }
    weir_hub_destroy(world->hub);
}

static bool step(struct world *world)
{
    struct weir_frame frames[BATCH];
    bool has_work = false;

    for (int side = 0; side < 2; side++) {
        struct weir_link *link = weir_hub_port(world->hub, (unsigned)side);
        int count = link->ops->receive(link, frames, BATCH, world->now);

        if (count > 0 && !world->is_cut)
            weir_stack_input(world->stacks[side], 0, frames, count, world->now);
        has_work = has_work || count > 0;
        if (link->refused) {
            link->refused = false;
            weir_stack_link_ready(world->stacks[side], 0);
        }
        has_work = weir_stack_poll(world->stacks[side], world->now, 0) || has_work;
        linux_step(world->sides[side]);
    }
    return has_work || weir_hub_pending(world->hub, 0) || weir_hub_pending(world->hub, 1);
}

void world_settle(struct world *world)
{
    int steps = 0;

    while (step(world))
        assert_true(++steps < STEPS_MAX);
}

static weir_time deadline(const struct world *world)
{
    weir_time a = weir_stack_deadline(world->stacks[0]), b = weir_stack_deadline(world->stacks[1]);

    return a < b ? a : b;
}

static void set_now(struct world *world, weir_time now)
{
    world->now = now > world->now ? now : world->now;
    for (int side = 0; side < 2; side++)
        linux_set_now(world->sides[side], world->now);
}

void world_pass(struct world *world, weir_time time)
{
    weir_time end = world->now + time;
    int steps = 0;

    world_settle(world);
    while (deadline(world) <= end) {
        set_now(world, deadline(world));
        world_settle(world);
        assert_true(++steps < STEPS_MAX);
    }
    set_now(world, end);
}

struct sockaddr_in world_addr(int side, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(0x0a000001u + (uint32_t)side),
    };
}

int world_listen(struct world *world, int side, uint16_t port)
{
    struct sockaddr_in addr = world_addr(side, port);
    long fd = linux_socket(world->sides[side], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        linux_bind(world->sides[side], (int)fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(linux_listen(world->sides[side], (int)fd, 5), 0);
    return (int)fd;
}

long world_connect(struct world *world, int side, int fd, uint16_t port)
{
    struct sockaddr_in addr = world_addr(!side, port);
    struct linux_wait wait = {0};

    return linux_connect(world->sides[side], fd, (struct sockaddr *)&addr, sizeof(addr), &wait);
}

long world_accept(struct world *world, int side, int fd)
{
    struct linux_wait wait = {0};

    return linux_accept(world->sides[side], fd, NULL, NULL, &wait);
}

long world_close_fd(struct world *world, int side, int fd)
{
    struct linux_wait wait = {0};

    return linux_close(world->sides[side], fd, &wait);
}

long world_send(struct world *world, int side, int fd, const void *data, size_t size, int flags)
{
    struct linux_wait wait = {0};

    return linux_sendto(world->sides[side], fd, data, size, flags, NULL, 0, &wait);
}

long world_recv(struct world *world, int side, int fd, void *data, size_t size, int flags)
{
    struct linux_wait wait = {0};

    return linux_recvfrom(world->sides[side], fd, data, size, flags, NULL, NULL, &wait);
}

long world_set(struct world *world, int side, int fd, int level, int name, int value)
{
    return linux_setsockopt(world->sides[side], fd, level, name, &value, sizeof(value));
}

long world_get(struct world *world, int side, int fd, int level, int name)
{
    int value = 0x55555555;
    socklen_t length = sizeof(value);
    long error = linux_getsockopt(world->sides[side], fd, level, name, &value, &length);

    if (error == 0)
        assert_int_equal(length, sizeof(value));
    return error < 0 ? error : value;
}

int world_poll(struct world *world, int side, int fd)
{
    struct pollfd one = {.fd = fd, .events = 0x3fff};
    struct linux_wait wait = {0};
    long count = linux_poll(world->sides[side], &one, 1, 0, &wait);

    assert_int_equal(count, one.revents != 0);
    return one.revents;
}

void world_pair(struct world *world, int fds[2])
{
    int listener = world_listen(world, 1, 80);
    long fd = linux_socket(world->sides[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);

    assert_true(fd >= 0);
    fds[0] = (int)fd;
    assert_int_equal(world_connect(world, 0, fds[0], 80), -EINPROGRESS);
    world_settle(world);
    assert_int_equal(world_connect(world, 0, fds[0], 80), 0);
    fds[1] = (int)world_accept(world, 1, listener);
    assert_true(fds[1] >= 0);
    assert_int_equal(linux_fcntl(world->sides[1], fds[1], F_SETFL, O_NONBLOCK), 0);
    for (int side = 0; side < 2; side++)
        assert_int_equal(world_set(world, side, fds[side], IPPROTO_TCP, TCP_NODELAY, 1), 0);
    assert_int_equal(world_close_fd(world, 1, listener), 0);
    world_settle(world);
}
