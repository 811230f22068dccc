/* SPDX-License-Identifier: MIT */

/* Recorders of a running host: files, devices that are full, FIFOs with and without a reader, and that
 * the host can be captured again afterwards. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <lab/recorder.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <support/pcapng.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct weir_host *host;
static struct weir_hub *hub;

static void host_open(void)
{
    const struct weir_addr addr = weir_addr_from4(0x0a000001);
    const struct weir_prefix lan = weir_prefix_from4(0x0a000000, 24);
    struct weir_stack_config config;

    weir_stack_config_init(&config);
    host = weir_host_create(&config);
    hub = weir_hub_create(2, 1500, 100000);
    assert_non_null(host);
    assert_int_equal(weir_host_add_iface(host, "wire", weir_hub_port(hub, 0), &addr, &lan, false),
                     0);
}

static void host_close(void)
{
    weir_host_destroy(host);
    weir_hub_destroy(hub);
}

static void send_packets(unsigned count, size_t length)
{
    static const uint8_t data[1400];
    struct weir_datagram to = {.peer = weir_addr_from4(0x0a000002), .ttl = 9};
    struct weir_stack *stack = weir_host_lock(host);
    int s = weir_socket_open(stack, WEIR_RAW, 77);

    assert_true(s >= 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(weir_socket_sendto(stack, s, data, length, &to), length);
    weir_socket_close(stack, s);
    weir_host_unlock(host);
}

static void temporary(char path[40])
{
    int fd;

    strcpy(path, "/tmp/test_recorder_XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void make_fifo(char path[40])
{
    temporary(path);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static struct recorder *start(const char *path)
{
    char error[RECORDER_ERROR_TEXT] = "";
    struct recorder *recorder = recorder_start(host, path, error);

    if (!recorder)
        fail_msg("%s", error);
    return recorder;
}

static void wait_for_end(struct recorder *recorder)
{
    struct pollfd fd = {.fd = recorder_fd(recorder), .events = POLLIN};

    assert_int_equal(poll(&fd, 1, 20000), 1);
}

static bool has_ended(struct recorder *recorder)
{
    struct pollfd fd = {.fd = recorder_fd(recorder), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static unsigned count_packets(const char *path)
{
    struct pcapng_reader reader;
    struct pcapng_block block;
    unsigned count = 0;
    size_t length;
    uint8_t *bytes = pcapng_load(path, &length);

    pcapng_begin(&reader, bytes, length);
    while (pcapng_next(&reader, &block)) {
        if (block.type == PCAPNG_INTERFACE)
            assert_string_equal(block.name, "wire");
        count += block.type == PCAPNG_PACKET;
    }
    if (reader.broken)
        fail_msg("broken: %s", reader.broken);
    free(bytes);
    return count;
}

static void test_file(void **state)
{
    struct capture_counts counts;
    struct recorder *recorder;
    char path[40], error[RECORDER_ERROR_TEXT];

    (void)state;
    host_open();
    temporary(path);
    for (unsigned round = 1; round < 4; round++) {
        recorder = start(path);
        assert_null(recorder_start(host, path, error));
        assert_non_null(strstr(error, "captured already"));
        for (unsigned i = 0; i < 100 * round; i++)
            send_packets(1, i);
        assert_false(has_ended(recorder));
        recorder_stop(recorder);
        send_packets(1, 9);
        wait_for_end(recorder);
        recorder_counts(recorder, &counts);
        assert_int_equal(counts.packets, 100 * round);
        assert_int_equal(recorder_finish(recorder, &counts), 0);
        assert_int_equal(counts.packets, 100 * round);
        assert_int_equal(counts.missed, 0);
        assert_int_equal(count_packets(path), 100 * round);
    }
    assert_int_equal(recorder_finish(NULL, NULL), 0);
    unlink(path);
    host_close();
}

static void test_times_are_the_worlds(void **state)
{
    time_t before = time(NULL);
    struct pcapng_reader reader;
    struct pcapng_block block;
    char path[40];
    struct recorder *recorder;
    uint8_t *bytes;
    size_t length;

    (void)state;
    host_open();
    temporary(path);
    recorder = start(path);
    send_packets(1, 1);
    assert_int_equal(recorder_finish(recorder, NULL), 0);
    bytes = pcapng_load(path, &length);
    pcapng_begin(&reader, bytes, length);
    while (pcapng_next(&reader, &block) && block.type != PCAPNG_PACKET)
        continue;
    assert_in_range(block.time / 1000000000, before - 1, time(NULL) + 1);
    free(bytes);
    unlink(path);
    host_close();
}

static void test_bad_path(void **state)
{
    char error[RECORDER_ERROR_TEXT], path[40];

    (void)state;
    host_open();
    assert_null(recorder_start(host, "/no/such/folder/x", error));
    assert_string_equal(error, "capture: /no/such/folder/x: No such file or directory");
    temporary(path);
    assert_int_equal(recorder_finish(start(path), NULL), 0); /* nothing is left of that */
    unlink(path);
    host_close();
}

static void test_full(void **state)
{
    struct capture_counts counts;
    struct recorder *recorder;

    (void)state;
    host_open();
    recorder = start("/dev/full");
    send_packets(1, 100);
    wait_for_end(recorder);
    send_packets(1, 100);
    assert_int_equal(recorder_finish(recorder, &counts), -ENOSPC);
    assert_int_equal(counts.bytes, 0);
    host_close();
}

/* ---- FIFOs ----------------------------------------------------------------------------------------- */

static void test_reader_comes_later(void **state)
{
    struct recorder *recorder;
    static uint8_t bytes[1 << 16];
    struct pcapng_reader reader;
    struct pcapng_block block;
    size_t total = 0;
    unsigned packets = 0;
    ssize_t count;
    char path[40];
    int fd;

    (void)state;
    host_open();
    make_fifo(path);
    recorder = start(path);
    send_packets(5, 100);
    fd = open(path, O_RDONLY);
    send_packets(5, 100);
    while (packets < 10) { /* at once: nobody has stopped anything */
        count = read(fd, bytes + total, sizeof(bytes) - total);
        assert_true(count > 0);
        total += (size_t)count;
        packets = 0;
        pcapng_begin(&reader, bytes, total);
        while (pcapng_next(&reader, &block))
            packets += block.type == PCAPNG_PACKET;
    }
    assert_int_equal(recorder_finish(recorder, NULL), 0);
    close(fd);
    unlink(path);
    host_close();
}

static void test_no_reader(void **state)
{
    struct recorder *recorder;
    char path[40];

    (void)state;
    host_open();
    make_fifo(path);
    for (int i = 0; i < 50; i++) { /* with the thread before, in and behind its open */
        recorder = start(path);
        if (i % 2)
            send_packets(3, 100);
        assert_int_equal(recorder_finish(recorder, NULL), -ECANCELED);
    }
    unlink(path);
    host_close();
}

static void test_reader_goes(void **state)
{
    struct recorder *recorder;
    uint8_t bytes[8];
    char path[40];
    int fd;

    (void)state;
    host_open();
    make_fifo(path);
    recorder = start(path);
    fd = open(path, O_RDONLY);
    send_packets(1, 100);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
    close(fd);
    send_packets(1, 100);
    wait_for_end(recorder);
    assert_int_equal(recorder_finish(recorder, NULL), -EPIPE);
    unlink(path);
    host_close();
}

/* The host goes on; what the reader does not take is missing, and told. */
static void test_reader_sleeps(void **state)
{
    struct capture_counts counts;
    struct recorder *recorder;
    char path[40];
    int fd;

    (void)state;
    host_open();
    make_fifo(path);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    recorder = start(path);
    for (int i = 0; i < 200; i++)
        send_packets(100, 1400);
    recorder_counts(recorder, &counts);
    assert_int_equal(recorder_finish(recorder, &counts), -ETIMEDOUT);
    assert_true(counts.missed > 1000);
    assert_int_equal(counts.packets + counts.missed, 20000);
    close(fd);
    unlink(path);
    host_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_times_are_the_worlds),
        cmocka_unit_test(test_bad_path),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_reader_comes_later),
        cmocka_unit_test(test_no_reader),
        cmocka_unit_test(test_reader_goes),
        cmocka_unit_test(test_reader_sleeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
