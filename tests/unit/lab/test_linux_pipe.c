/* SPDX-License-Identifier: MIT */

/* Pipes and splice: the ring against a stream that is known, the ends, and what waits. */

#include "linux_world.h"

#define PIPE_BYTES 65536

static struct world world;
static int fds[2], ends[2];

static int setup(void **state)
{
    (void)state;
    world_open(&world, NULL, NULL);
    world_pair(&world, fds);
    assert_int_equal(linux_pipe(world.sides[1], ends), 0);
    for (int i = 0; i < 2; i++)
        linux_fcntl(world.sides[1], ends[i], F_SETFL, O_NONBLOCK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&world);
    return 0;
}

/* Random reads and writes: what comes out is what went in. */
static void test_ring(void **state)
{
    static uint8_t bytes[PIPE_BYTES];
    uint64_t in = 0, out = 0;
    unsigned seed = 7;

    (void)state;
    printf("seed %u\n", seed);
    for (int step = 0; step < 3000; step++) {
        size_t size;
        long moved;

        seed = seed * 1103515245u + 12345u;
        size = (seed >> 8) % (step % 7 ? 9000 : PIPE_BYTES) + 1;
        if ((seed >> 4) & 1) {
            for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)((in + i) * 31);
            moved = world_send(&world, 1, ends[1], bytes, size, 0);
            assert_true(moved > 0 || moved == -EAGAIN);
            in += moved > 0 ? (uint64_t)moved : 0;
        } else {
            moved = world_recv(&world, 1, ends[0], bytes, size, 0);
            if (in == out)
                assert_int_equal(moved, -EAGAIN);
            else
                assert_int_equal(moved, in - out < size ? in - out : size);
            for (long i = 0; i < moved; i++)
                assert_int_equal(bytes[i], (uint8_t)((out + (uint64_t)i) * 31));
            out += moved > 0 ? (uint64_t)moved : 0;
        }
        assert_true(in - out <= PIPE_BYTES);
    }
    assert_true(out > 1000000);
}

static void test_small_writes_are_whole(void **state)
{
    static char bytes[PIPE_BYTES];

    (void)state;
    assert_int_equal(world_send(&world, 1, ends[1], bytes, PIPE_BYTES - 100, 0), PIPE_BYTES - 100);
    assert_int_equal(world_send(&world, 1, ends[1], bytes, 101, 0), -EAGAIN);
    assert_int_equal(world_send(&world, 1, ends[1], bytes, 5000, 0), 100);
    assert_int_equal(world_poll(&world, 1, ends[1]), 0);
}

static void test_ends(void **state)
{
    char byte = 0;
    int number;

    (void)state;
    assert_int_equal(linux_fcntl(world.sides[1], ends[0], F_GETFL, 0), O_RDONLY | O_NONBLOCK);
    assert_int_equal(linux_fcntl(world.sides[1], ends[1], F_GETFL, 0), O_WRONLY | O_NONBLOCK);
    assert_int_equal(world_recv(&world, 1, ends[1], &byte, 1, 0), -EBADF);
    assert_int_equal(world_send(&world, 1, ends[0], &byte, 1, 0), -EBADF);
    assert_int_equal(world_send(&world, 1, ends[1], &byte, 1, MSG_NOSIGNAL), -ENOTSOCK);
    assert_int_equal(world_send(&world, 1, ends[1], NULL, 1, 0), -EFAULT);
    assert_int_equal(world_send(&world, 1, ends[1], &byte, 1, 0), 1);
    assert_int_equal(world_recv(&world, 1, ends[0], NULL, 1, 0), -EFAULT);
    assert_int_equal(linux_ioctl(world.sides[1], ends[0], FIONREAD, &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(world_poll(&world, 1, ends[0]), POLLIN | POLLRDNORM);
    assert_int_equal(world_poll(&world, 1, ends[1]), POLLOUT | POLLWRNORM);
    assert_int_equal(world_close_fd(&world, 1, ends[1]), 0);
    assert_int_equal(world_poll(&world, 1, ends[0]), POLLIN | POLLRDNORM | POLLHUP);
    assert_int_equal(world_recv(&world, 1, ends[0], &byte, 1, 0), 1);
    assert_int_equal(world_recv(&world, 1, ends[0], &byte, 1, 0), 0);
    assert_int_equal(linux_pipe(world.sides[1], NULL), -EFAULT);
    assert_int_equal(linux_pipe(world.sides[1], ends), 0);
    assert_int_equal(world_close_fd(&world, 1, ends[0]), 0);
    assert_true(world_poll(&world, 1, ends[1]) & POLLERR);
    assert_int_equal(world_send(&world, 1, ends[1], &byte, 1, 0), -EPIPE);
}

static long splice_once(int from, int to, size_t size, unsigned flags)
{
    return linux_splice(world.sides[1], from, to, size, flags, &(struct linux_wait){0});
}

static void test_splice(void **state)
{
    static uint8_t bytes[30000], got[30000];
    size_t total = 0;
    long part;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(splice_once(fds[1], ends[1], 100, SPLICE_F_NONBLOCK), -EAGAIN);
    assert_int_equal(world_send(&world, 0, fds[0], bytes, sizeof(bytes), 0), sizeof(bytes));
    world_pass(&world, WEIR_SECOND);
    for (int i = 0; i < 100 && total < sizeof(bytes); i++) {
        part = splice_once(fds[1], ends[1], 7000, 0);
        assert_true(part > 0);
        assert_int_equal(splice_once(ends[0], fds[1], (size_t)part, 0), part); /* and back */
        world_pass(&world, WEIR_SECOND);
        part = world_recv(&world, 0, fds[0], got + total, sizeof(got) - total, 0);
        assert_true(part > 0);
        total += (size_t)part;
    }
    assert_int_equal(total, sizeof(bytes));
    assert_memory_equal(bytes, got, sizeof(bytes));
}

static void test_splice_nonsense_and_ends(void **state)
{
    struct linux_wait wait = {0};
    int others[2];

    (void)state;
    assert_int_equal(linux_pipe(world.sides[1], others), 0);
    assert_int_equal(splice_once(fds[1], fds[1], 1, 0), -EINVAL);
    assert_int_equal(splice_once(fds[1], 99, 1, 0), -EBADF);
    assert_int_equal(splice_once(fds[1], ends[0], 1, 0), -EBADF);
    assert_int_equal(splice_once(ends[0], ends[1], 1, 0), -EINVAL);
    assert_int_equal(splice_once(ends[0], others[1], 1, 0), -EINVAL);
    for (int i = 0; i < 2; i++)
        linux_fcntl(world.sides[1], ends[i], F_SETFL, 0);
    linux_fcntl(world.sides[1], fds[1], F_SETFL, 0);
    assert_int_equal(linux_splice(world.sides[1], fds[1], ends[1], 9, 0, &wait), LINUX_WAIT);
    world_send(&world, 0, fds[0], "abc", 3, 0);
    world_close_fd(&world, 0, fds[0]);
    world_settle(&world);
    assert_int_equal(linux_splice(world.sides[1], fds[1], ends[1], 9, 0, &wait), 3);
    assert_int_equal(splice_once(fds[1], ends[1], 9, 0), 0); /* the end */
    world_close_fd(&world, 1, ends[0]);
    assert_int_equal(splice_once(fds[1], ends[1], 9, 0), -EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
        cmocka_unit_test_setup_teardown(test_small_writes_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_splice_nonsense_and_ends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
