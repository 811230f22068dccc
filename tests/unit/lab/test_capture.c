/* SPDX-License-Identifier: MIT */

/* Capture files: what stands in them, interfaces that are named and those that are not, and every
 * way in which they cannot be written. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <lab/capture.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/sim.h>
#include <weir/socket.h>
#include <weir/stack.h>
#include <support/pcapng.h>

#define ROOM (1u << 20)

static uint64_t memory[ROOM / 8];
static struct weir_journal journal = {.bytes = (uint8_t *)memory, .size = ROOM};

static void temporary(char path[40])
{
    int fd;

    strcpy(path, "/tmp/test_capture_XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

/* Notes a packet of `length` bytes. */
static struct weir_journal_entry *note(uint32_t source, int iface, uint32_t length)
{
    struct weir_journal_entry *entry = (void *)(journal.bytes + journal.used);

    assert_true(journal.used + weir_journal_entry_size(length) <= ROOM);
    *entry =
        (struct weir_journal_entry){.source = source, .iface = (int16_t)iface, .length = length};
    memset(entry + 1, 0x5a, length);
    journal.used += weir_journal_entry_size(length);
    return entry;
}

static struct pcapng_reader reader;
static struct pcapng_block block;

static void load(const char *path)
{
    size_t length;
    uint8_t *bytes = pcapng_load(path, &length);

    pcapng_begin(&reader, bytes, length);
    assert_true(pcapng_next(&reader, &block));
    assert_int_equal(block.type, PCAPNG_SECTION);
    assert_string_equal(block.name, "weir");
}

static void unload(const char *path)
{
    if (pcapng_next(&reader, &block))
        fail_msg("block %u more than expected", block.type);
    if (reader.broken)
        fail_msg("broken: %s", reader.broken);
    free((void *)(uintptr_t)reader.bytes);
    unlink(path);
}

static void expect_interface(const char *name)
{
    assert_true(pcapng_next(&reader, &block));
    assert_int_equal(block.type, PCAPNG_INTERFACE);
    assert_int_equal(block.link_type, 101);
    assert_string_equal(block.name, name);
}

static void expect_packet(uint32_t interface, uint64_t time)
{
    assert_true(pcapng_next(&reader, &block));
    assert_int_equal(block.type, PCAPNG_PACKET);
    assert_int_equal(block.interface, interface);
    assert_int_equal(block.time, time);
}

static void expect_counts(uint32_t interface, uint64_t received, uint64_t dropped)
{
    assert_true(pcapng_next(&reader, &block));
    assert_int_equal(block.type, PCAPNG_COUNTS);
    assert_int_equal(block.interface, interface);
    assert_int_equal(block.received, received);
    assert_int_equal(block.dropped, dropped);
}

/* ---- Contents ------------------------------------------------------------------------------------- */

static void test_file(void **state)
{
    const struct capture_options options = {.epoch = 1000, .stop_fd = -1};
    const struct weir_pcapng_interface wire = {
        .name = "wire", .addr = weir_addr_from4(0x0a000007), .prefix_bits = 24};
    const struct weir_pcapng_interface again = {.name = "again"};
    struct capture_counts counts;
    struct capture *capture;
    char path[40];

    (void)state;
    temporary(path);
    capture = capture_open(path, &options);
    assert_non_null(capture);
    capture_name(capture, 0, 0, &wire);
    capture_name(capture, 0, 0, &again);
    note(0, 0, 5)->at = 1;
    note(0, WEIR_JOURNAL_LOOPBACK, 9)->at = 2;
    note(0, 3, 0)->at = 3;
    note(2, 0, 5)->at = 4;
    note(2, WEIR_JOURNAL_LOOPBACK, 5)->at = 5;
    note(0, 0, 5)->missed = 2;
    capture_take(capture, &journal);
    assert_int_equal(journal.used, 0);
    note(0, WEIR_IFACES_MAX, 5);
    note(1u << 20, 0, 5);
    note(0, -2, 5);
    capture_take(capture, &journal);
    assert_int_equal(capture_flush(capture), 0);
    capture_counts(capture, &counts);
    assert_int_equal(counts.packets, 6);
    assert_int_equal(counts.missed, 5); /* two were missing, three are beyond the limits */
    assert_int_equal(capture_close(capture), 0);
    load(path);
    expect_interface("wire");
    assert_memory_equal(block.addr, "\x0a\x00\x00\x07\xff\xff\xff\x00", 8);
    expect_packet(0, 1001);
    expect_interface("lo");
    expect_packet(1, 1002);
    expect_interface("if3");
    expect_packet(2, 1003);
    expect_interface("n2.if0");
    expect_packet(3, 1004);
    expect_interface("n2.lo");
    expect_packet(4, 1005);
    expect_packet(0, 1000);
    assert_int_equal(block.drop_count, 2);
    expect_counts(1, 6, 5); /* lo has the first place */
    expect_counts(0, 2, 0);
    expect_counts(2, 1, 0);
    expect_counts(4, 1, 0);
    expect_counts(3, 1, 0);
    unload(path);
}

/* More than fits the buffer, in packets of all sizes up to the largest. */
static void test_large(void **state)
{
    struct capture *capture;
    char path[40];
    uint64_t packets = 0, read = 0;

    (void)state;
    temporary(path);
    capture = capture_open(path, NULL);
    for (uint32_t length = 0; length < 65536; length += 997) {
        note(0, 0, length);
        packets++;
        if (journal.used > ROOM - 70000)
            capture_take(capture, &journal);
    }
    capture_take(capture, &journal);
    assert_int_equal(capture_close(capture), 0);
    load(path);
    expect_interface("if0");
    while (read < packets) {
        expect_packet(0, 0);
        assert_int_equal(block.data_length, 997 * read++);
    }
    expect_counts(0, packets, 0);
    unload(path);
}

static void test_own_journal(void **state)
{
    struct weir_stack_config config;
    struct weir_journal *own;
    struct weir_stack *stack;
    struct capture *capture;
    char path[40];

    (void)state;
    temporary(path);
    weir_stack_config_init(&config);
    stack = weir_stack_create(&config);
    capture = capture_open(path, NULL);
    own = capture_journal(capture);
    assert_ptr_equal(own, capture_journal(capture));
    weir_stack_set_journal(stack, own, 0);
    capture_name_all(capture, 0, stack, "");
    weir_stack_set_journal(stack, NULL, 0);
    own->missed = 3;
    weir_stack_destroy(stack);
    assert_int_equal(capture_close(capture), 0);
    load(path);
    unload(path);
    capture_take(NULL, NULL);
    assert_int_equal(capture_close(NULL), 0);
}

/* ---- Simulations -------------------------------------------------------------------------------------- */

static int sim_join(struct weir_sim *sim, int network, uint32_t addr)
{
    const struct weir_addr own = weir_addr_from4(addr);
    const struct weir_prefix lan = weir_prefix_from4(addr, 24);
    struct weir_stack_config config;
    int node;

    weir_stack_config_init(&config);
    node = weir_sim_add_node(sim, &config);
    assert_int_equal(weir_sim_join(sim, node, network, "if0", &own, &lan, NULL), 0);
    return node;
}

/* Two nodes, one file: what one sends the other receives, and equal seeds give equal files. */
static void simulate(const char *path, int node)
{
    const struct weir_endpoint nobody = {.addr = weir_addr_from4(0x0a000002), .port = 9};
    struct weir_sim *sim = weir_sim_create(42);
    struct capture *capture = capture_open(path, NULL);
    int network = weir_sim_add_network(sim, 2, 1500);
    struct weir_stack *stack;
    int s;

    sim_join(sim, network, 0x0a000001);
    sim_join(sim, network, 0x0a000002);
    assert_int_equal(weir_sim_resolve(sim, network), 0);
    assert_int_equal(weir_sim_node_count(sim), 2);
    assert_true(capture_sim(capture, sim, node));
    assert_null(weir_sim_run(sim, 3 * WEIR_SECOND));
    stack = weir_sim_stack(sim, 0);
    s = weir_socket_open(stack, WEIR_TCP, 0);
    weir_socket_connect(stack, s, &nobody, weir_sim_now(sim));
    weir_sim_touch(sim, 0);
    assert_null(weir_sim_run(sim, 4 * WEIR_SECOND));
    capture_sim_stop(capture, sim);
    weir_sim_destroy(sim);
    assert_int_equal(capture_close(capture), 0);
}

static void test_sim(void **state)
{
    char path[40], again[40];
    uint8_t *one, *two;
    size_t length, other;

    (void)state;
    temporary(path);
    temporary(again);
    simulate(path, CAPTURE_ALL);
    simulate(again, CAPTURE_ALL);
    one = pcapng_load(path, &length);
    two = pcapng_load(again, &other);
    assert_int_equal(length, other);
    assert_memory_equal(one, two, length);
    free(one);
    free(two);
    unlink(again);
    load(path);
    expect_interface("n0.if0");
    expect_interface("n1.if0");
    expect_packet(0, 3000000000u);
    assert_memory_equal(block.comments[0], "sent: syn (", 11);
    expect_packet(1, 3000000000u);
    assert_memory_equal(block.comments[0], "dropped: tcp-no-connection (", 28);
    expect_packet(1, 3000000000u);
    assert_memory_equal(block.comments[0], "sent: refuse (", 14);
    expect_packet(0, 3000000000u);
    assert_int_equal(block.comment_count, 0);
    expect_counts(0, 2, 0);
    expect_counts(1, 2, 0);
    unload(path);
    simulate(path, 1);
    load(path);
    expect_interface("n1.if0");
    expect_packet(0, 3000000000u);
    expect_packet(0, 3000000000u);
    expect_counts(0, 2, 0);
    unload(path);
}

/* The memory is handed out before it is full, and no packet is missing. */
static void count_journal(void *context, struct weir_sim *sim, struct weir_journal *full)
{
    size_t at = 0;

    (void)sim;
    assert_int_equal(full->missed, 0);
    while (weir_journal_next(full, &at))
        ++*(unsigned *)context;
    full->used = 0;
}

static void test_sim_journal(void **state)
{
    static uint64_t small[4096];
    struct weir_journal own = {.bytes = (uint8_t *)small, .size = sizeof(small)};
    struct weir_sim *sim = weir_sim_create(1);
    int network = weir_sim_add_network(sim, 2, 1500);
    struct weir_datagram to = {.peer = weir_addr_from4(0x0a000002), .ttl = 9};
    struct weir_stack *stack;
    unsigned count = 0;
    int s;

    (void)state;
    weir_sim_set_journal(sim, &own, count_journal, &count);
    sim_join(sim, network, 0x0a000001); /* later than the journal */
    sim_join(sim, network, 0x0a000002);
    assert_int_equal(weir_sim_resolve(sim, network), 0);
    stack = weir_sim_stack(sim, 0);
    s = weir_socket_open(stack, WEIR_RAW, 77);
    for (weir_time i = 1; i <= 200; i++) {
        assert_int_equal(weir_socket_sendto(stack, s, "hello", 5, &to), 5);
        weir_sim_touch(sim, 0);
        assert_null(weir_sim_run(sim, i * WEIR_SECOND));
    }
    assert_int_equal(count, 200 * 4); /* there, and an ICMP error back: each sent and received */
    weir_sim_set_journal(sim, NULL, NULL, NULL);
    assert_int_equal(weir_socket_sendto(stack, s, "hello", 5, &to), 5);
    weir_sim_touch(sim, 0);
    assert_null(weir_sim_run(sim, 300 * WEIR_SECOND));
    assert_int_equal(count, 200 * 4);
    weir_sim_destroy(sim);
}

/* ---- What goes wrong -------------------------------------------------------------------------------- */

static void test_no_file(void **state)
{
    (void)state;
    errno = 0;
    assert_null(capture_open("/no/such/folder/file", NULL));
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_null(capture_open("/tmp", NULL));
    assert_int_equal(errno, EISDIR);
}

/* The first error stays, and everything afterwards is thrown away. */
static void test_full_device(void **state)
{
    struct capture *capture = capture_open("/dev/full", NULL);
    struct capture_counts counts;

    (void)state;
    assert_non_null(capture);
    note(0, 0, 100);
    capture_take(capture, &journal);
    assert_int_equal(capture_flush(capture), -ENOSPC);
    note(0, 0, 100);
    capture_take(capture, &journal);
    assert_int_equal(journal.used, 0);
    capture_counts(capture, &counts);
    assert_int_equal(counts.packets, 0);
    assert_int_equal(counts.missed, 2);
    assert_int_equal(counts.bytes, 0);
    assert_int_equal(capture_close(capture), -ENOSPC);
}

/* A limit in the middle of a block: the file ends with the block before. */
static void test_limited_file(void **state)
{
    struct capture_counts counts;
    struct rlimit old, limit;
    struct stat status;
    char path[40];

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t size = 1000; size < 1300; size += 37) {
        struct capture *capture;

        temporary(path);
        limit = old;
        limit.rlim_cur = size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        capture = capture_open(path, NULL);
        for (int i = 0; i < 20; i++)
            note(0, 0, 60);
        capture_take(capture, &journal);
        assert_int_equal(capture_flush(capture), -EFBIG);
        capture_counts(capture, &counts);
        assert_int_equal(counts.packets + counts.missed, 20);
        assert_int_equal(capture_close(capture), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(stat(path, &status), 0);
        assert_in_range(status.st_size, size - 120, size);
        load(path);
        expect_interface("if0");
        for (int i = 0; i < 8; i++, counts.packets--)
            expect_packet(0, 0);
        for (; pcapng_next(&reader, &block); counts.packets--)
            assert_int_equal(block.type, PCAPNG_PACKET);
        assert_int_equal(counts.packets, 0);
        assert_int_equal(counts.bytes, status.st_size);
        unload(path);
    }
}

/* ---- FIFOs ----------------------------------------------------------------------------------------- */

static void make_fifo(char path[40])
{
    temporary(path);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void *read_all(void *argument)
{
    const char *path = argument;
    static uint8_t bytes[4096];
    int fd = open(path, O_RDONLY);
    size_t *total = calloc(1, sizeof(*total));
    ssize_t count;

    while ((count = read(fd, bytes, sizeof(bytes))) > 0)
        *total += (size_t)count;
    close(fd);
    return total;
}

static void test_fifo(void **state)
{
    struct capture_counts counts;
    struct capture *capture;
    pthread_t thread;
    char path[40];
    void *total;

    (void)state;
    make_fifo(path);
    assert_int_equal(pthread_create(&thread, NULL, read_all, path), 0);
    capture = capture_open(path, NULL); /* waits for the reader */
    for (int i = 0; i < 300; i++) {
        note(0, 0, 1400);
        capture_take(capture, &journal);
    }
    assert_int_equal(capture_flush(capture), 0);
    capture_counts(capture, &counts);
    assert_int_equal(capture_close(capture), 0);
    pthread_join(thread, &total);
    assert_true(*(size_t *)total > counts.bytes);
    assert_true(counts.bytes > 300 * 1400);
    free(total);
    unlink(path);
}

static void test_reader_goes(void **state)
{
    struct capture *capture;
    char path[40];
    int fd;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    make_fifo(path);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    capture = capture_open(path, NULL);
    assert_non_null(capture);
    close(fd);
    note(0, 0, 100);
    capture_take(capture, &journal);
    assert_int_equal(capture_flush(capture), -EPIPE);
    assert_int_equal(capture_close(capture), -EPIPE);
    unlink(path);
}

/* Who does not read has its grace, and no more. */
static void test_reader_sleeps(void **state)
{
    struct capture_options options = {.stop_fd = eventfd(1, 0)};
    struct timespec before, after;
    struct capture *capture;
    char path[40];
    int fd;

    (void)state;
    make_fifo(path);
    fd = open(path, O_RDONLY | O_NONBLOCK);
    capture = capture_open(path, &options);
    for (int i = 0; i < 100; i++)
        note(0, 0, 1400);
    clock_gettime(CLOCK_MONOTONIC, &before);
    capture_take(capture, &journal);
    assert_int_equal(capture_flush(capture), -ETIMEDOUT);
    assert_int_equal(capture_close(capture), -ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_in_range((after.tv_sec - before.tv_sec) * 1000 +
                        (after.tv_nsec - before.tv_nsec) / 1000000,
                    990, 10000);
    close(fd);
    close(options.stop_fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),          cmocka_unit_test(test_large),
        cmocka_unit_test(test_own_journal),   cmocka_unit_test(test_sim),
        cmocka_unit_test(test_sim_journal),   cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_full_device),   cmocka_unit_test(test_limited_file),
        cmocka_unit_test(test_fifo),          cmocka_unit_test(test_reader_goes),
        cmocka_unit_test(test_reader_sleeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
