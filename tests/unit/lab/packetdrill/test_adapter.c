/* SPDX-License-Identifier: MIT */

/* The life of the adapter: what is left over at the end, threads that are inside then, captures. */

#include "driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <support/pcapng.h>
#include <sys/stat.h>

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define FIN WEIR_TCP_FIN
#define PSH WEIR_TCP_PSH

static int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Sockets in every state, a pipe and an epoll are left open; nothing of them is left behind. */
static void leftovers(void **state)
{
    int before = count_descriptors();

    (void)state;
    for (int round = 0; round < 3; round++) {
        struct driver d;
        int fds[2], fd;

        driver_open(&d, NULL);
        fd = driver_establish(&d, NULL);
        assert_int_equal(d.t.write(d.u, fd, "abc", 3), 3);
        driver_in(&d, PSH | ACK, 1, 1, 10, 65535);
        assert_true(d.t.socket(d.u, AF_INET, SOCK_STREAM, 0) >= 0);
        assert_true(d.t.socket(d.u, AF_INET, SOCK_DGRAM, 0) >= 0);
        assert_int_equal(d.t.pipe(d.u, fds), 0);
        assert_true(d.t.epoll_create(d.u, 1) >= 0);
        driver_close(&d);
        assert_int_equal(count_descriptors(), before);
    }
}

static void nothing_happened(void **state)
{
    struct driver d;

    (void)state;
    driver_open(&d, NULL);
    driver_close(&d);
    driver_load(&d, "weir-packetdrill.so", "wrong=1");
    driver_close(&d);
}

/* A script ends with its last close made past the table: the number is free in the process, and the
 * process may have taken it again. That one must survive. */
static void closed_past_the_table(void **state)
{
    struct driver d;
    struct stat info;
    int fd, ours, second;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    assert_int_equal(close(fd), 0);
    ours = open("/dev/null", 0);
    assert_int_equal(ours, fd);
    driver_close(&d);
    assert_int_equal(fstat(ours, &info), 0);
    assert_int_equal(close(ours), 0);

    driver_open(&d, NULL); /* or the next socket would take the number */
    fd = driver_establish(&d, NULL);
    assert_int_equal(close(fd), 0);
    second = d.t.socket(d.u, AF_INET, SOCK_STREAM, 0);
    assert_true(second >= 0 && second != fd);
    assert_int_equal(d.t.write(d.u, fd, "abc", 3), 3);
    driver_out(&d, PSH | ACK, 1, 1, 3);
    driver_close(&d);
}

/* Two that live side by side share nothing. */
static void two_adapters(void **state)
{
    struct driver a, b;
    int fds[2];

    (void)state;
    driver_open(&a, "seed=1");
    driver_open(&b, "seed=2");
    fds[0] = driver_establish(&a, NULL);
    fds[1] = driver_establish(&b, NULL);
    assert_true(fds[0] != fds[1]);
    assert_true(a.our_isn != b.our_isn);
    errno = 0;
    assert_int_equal(a.t.write(a.u, fds[1], "x", 1), -1);
    assert_int_equal(errno, EBADF);
    driver_close(&a);
    assert_int_equal(b.t.write(b.u, fds[1], "x", 1), 1);
    driver_close(&b);
}

static long make_accept(struct driver *d, void *context)
{
    return d->t.accept(d->u, *(int *)context, NULL, NULL);
}

/* The script failed while a call was blocked: the end ends the call. */
static void free_ends_calls(void **state)
{
    static const char *const flags[] = {"time=virtual", "time=real"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct driver d;
        int fd;
        struct driver_call call = {.driver = &d, .make = make_accept, .context = &fd};

        driver_open(&d, flags[i]);
        fd = driver_listen(&d);
        driver_begin(&call);
        d.t.free(d.u);
        d.u = NULL;
        assert_int_equal(driver_end(&call), -1);
        assert_int_equal(call.error, ECANCELED);
        driver_close(&d);
    }
}

/* The capture has every packet in both directions, at the times of the clock. */
static void capture(void **state)
{
    char path[] = "/tmp/test_packetdrill_XXXXXX", flags[100];
    struct pcapng_reader reader;
    struct pcapng_block block;
    struct driver d;
    uint64_t seconds;
    uint8_t *bytes;
    size_t length;
    unsigned packets = 0;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    snprintf(flags, sizeof(flags), "pcap=%s", path);
    driver_open(&d, flags);
    driver_establish(&d, NULL);
    seconds = (uint64_t)d.at / 1000000;
    driver_close(&d);
    bytes = pcapng_load(path, &length);
    unlink(path);
    pcapng_begin(&reader, bytes, length);
    while (pcapng_next(&reader, &block)) {
        if (block.type != PCAPNG_PACKET)
            continue;
        assert_int_equal(block.data[0], 0x45);
        assert_int_equal(block.direction, packets == 1 ? 2 : 1); /* SYN, SYN-ACK, ACK */
        assert_int_equal(block.time / 1000000000, seconds);
        if (++packets == 3)
            break;
    }
    assert_null(reader.broken);
    assert_int_equal(packets, 3);
    free(bytes);
}

static void capture_fails(void **state)
{
    struct driver d;

    (void)state;
    driver_load(&d, "weir-packetdrill.so", "pcap=/no/such/folder/file");
    assert_null(d.u);
    errno = 0;
    assert_int_equal(d.t.socket(d.u, AF_INET, SOCK_STREAM, 0), -1);
    assert_int_equal(errno, EINVAL);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leftovers),
        cmocka_unit_test(nothing_happened),
        cmocka_unit_test(closed_past_the_table),
        cmocka_unit_test(two_adapters),
        cmocka_unit_test(free_ends_calls),
        cmocka_unit_test(capture),
        cmocka_unit_test(capture_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
