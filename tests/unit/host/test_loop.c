/* SPDX-License-Identifier: MIT */

/* A link that has read more than it was asked for: its descriptor falls silent at the first receive,
 * and the loop must go on until the link says that nothing is left. A program that comes late: what
 * has arrived counts before what has timed out. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "pair.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/host.h>

#define NET 0x0a000000u

/* A link that carries nothing away, and brings `left` copies of a packet of no use. */
struct hoard {
    struct weir_link link;
    int fd, left, receives, most; /* most: frames between two flushes, that is, polls */
    int since_flush;
    uint8_t packet[20];
};

static struct hoard *hoard_of(struct weir_link *link)
{
    return (struct hoard *)(void *)link;
}

static int hoard_begin(struct weir_link *link, size_t bytes, weir_time now,
                       struct weir_frame *frame)
{
    (void)bytes, (void)now, (void)frame;
    link->refused = true;
    return WEIR_EAGAIN;
}

static void hoard_commit(struct weir_link *link, const struct weir_frame *frame, weir_time now)
{
    (void)link, (void)frame, (void)now;
}

static void hoard_abort(struct weir_link *link, const struct weir_frame *frame)
{
    (void)link, (void)frame;
}

static int hoard_flush(struct weir_link *link, weir_time now)
{
    (void)now;
    hoard_of(link)->since_flush = 0;
    return 0;
}

static int hoard_receive(struct weir_link *link, struct weir_frame *frames, int max, weir_time now)
{
    struct hoard *hoard = hoard_of(link);
    int count = hoard->left < max ? hoard->left : max;
    uint64_t rings;

    (void)now;
    (void)!read(hoard->fd, &rings, sizeof(rings)); /* the descriptor shows nothing from now on */
    for (int index = 0; index < count; index++)
        frames[index] = (struct weir_frame){.data = hoard->packet, .length = 20, .tag = 1};
    hoard->left -= count;
    hoard->receives++;
    hoard->since_flush += count;
    if (hoard->since_flush > hoard->most)
        hoard->most = hoard->since_flush;
    return count;
}

static bool hoard_ready(struct weir_link *link, weir_time now)
{
    (void)link, (void)now;
    return true;
}

/* Due at each settling, so that the flush of each shows when the loop came by. */
static weir_time hoard_deadline(struct weir_link *link)
{
    return hoard_of(link)->since_flush > 0 ? 0 : WEIR_NEVER;
}

static int hoard_fd(struct weir_link *link)
{
    return hoard_of(link)->fd;
}

static void hoard_destroy(struct weir_link *link)
{
    close(hoard_of(link)->fd);
}

static const struct weir_link_ops hoard_ops = {
    .name = "hoard",
    .begin = hoard_begin,
    .commit = hoard_commit,
    .abort = hoard_abort,
    .flush = hoard_flush,
    .receive = hoard_receive,
    .ready = hoard_ready,
    .deadline = hoard_deadline,
    .fd = hoard_fd,
    .destroy = hoard_destroy,
};

static struct weir_host *open_host(struct hoard *hoard, int frames)
{
    struct weir_prefix prefix = weir_prefix_from4(NET, 24);
    struct weir_addr own = weir_addr_from4(NET + 1);
    struct weir_stack_config config;
    struct weir_host *host;

    memset(hoard, 0, sizeof(*hoard));
    hoard->link = (struct weir_link){.ops = &hoard_ops, .mtu = 1400};
    hoard->fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
    hoard->left = frames;
    weir_stack_config_init(&config);
    assert_int_equal(weir_host_seed(&config), 0);
    host = weir_host_create(&config);
    assert_non_null(host);
    assert_int_equal(weir_host_add_iface(host, "if0", &hoard->link, &own, &prefix, false), 0);
    return host;
}

static uint64_t packets_in(struct weir_host *host)
{
    uint64_t count = weir_inspect_counters(weir_host_lock(host))->counter[WEIR_COUNT_PACKETS_IN];

    weir_host_unlock(host);
    return count;
}

static void test_link_that_holds_frames(void **state)
{
    static const int amounts[] = {0, 1, 63, 64, 65, 511, 512, 513, 5000};

    (void)state;
    for (size_t index = 0; index < sizeof(amounts) / sizeof(amounts[0]); index++) {
        struct hoard hoard;
        struct weir_host *host = open_host(&hoard, amounts[index]);

        assert_int_equal(weir_host_wait(host, NULL, 0, 20 * WEIR_MS), 0);
        assert_int_equal(hoard.left, 0);
        assert_int_equal(packets_in(host), amounts[index]);
        assert_int_equal(hoard.receives, amounts[index] / 64 + 1); /* no call too many */
        assert_true(hoard.most <= 512); /* then the rest of the host had its turn */
        weir_host_destroy(host);
    }
}

/* Whoever only looks reads one turn's worth, and the next look goes on. */
static void test_one_turn_a_look(void **state)
{
    struct hoard hoard;
    struct weir_host *host = open_host(&hoard, 1200);

    (void)state;
    assert_int_equal(weir_host_wait(host, NULL, 0, 0), 0);
    assert_int_equal(packets_in(host), 512);
    assert_int_equal(weir_host_wait(host, NULL, 0, 0), 0);
    assert_int_equal(packets_in(host), 1024);
    assert_int_equal(weir_host_wait(host, NULL, 0, 0), 0);
    assert_int_equal(packets_in(host), 1200);
    assert_int_equal(weir_host_wait(host, NULL, 0, 0), 0);
    assert_int_equal(hoard.receives, 19);
    weir_host_destroy(host);
}

/* The same with descriptors of the program in the wait. */
static void test_held_frames_beside_descriptors(void **state)
{
    struct hoard hoard;
    struct weir_host *host = open_host(&hoard, 3000);
    int pipe_fds[2];
    struct pollfd fd;

    (void)state;
    assert_int_equal(pipe(pipe_fds), 0);
    fd = (struct pollfd){.fd = pipe_fds[0], .events = POLLIN};
    assert_int_equal(weir_host_wait(host, &fd, 1, 20 * WEIR_MS), 0);
    assert_int_equal(packets_in(host), 3000);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    weir_host_destroy(host);
}

/* The acknowledgement had come long before the program came back to its socket: the expired timer is no
 * reason to send the data again. */
static void test_late_program_reads_before_it_times_out(void **state)
{
    struct weir_endpoint remote = pair_endpoint(1, PORT);
    struct weir_tcp_info info;
    struct pair pair;
    int socket;

    (void)state;
    pair_open(&pair);
    pair_listen(&pair, 1, PORT);
    socket = weir_socket(pair.host[0], WEIR_TCP, 0);
    assert_int_equal(weir_set_nonblocking(pair.host[0], socket, true), 0);
    assert_int_equal(weir_connect(pair.host[0], socket, &remote), WEIR_EINPROGRESS);
    for (int tries = 0; tries < 5000; tries++) {
        weir_host_wait(pair.host[1], NULL, 0, WEIR_MS);
        weir_host_wait(pair.host[0], NULL, 0, WEIR_MS);
        assert_int_equal(weir_tcp_info(pair.host[0], socket, &info), 0);
        if (info.state == WEIR_STATE_ESTABLISHED)
            break;
    }
    assert_int_equal(info.state, WEIR_STATE_ESTABLISHED);
    assert_int_equal(weir_send(pair.host[0], socket, "0123456789", 10, 0), 10);
    assert_int_equal(weir_tcp_info(pair.host[0], socket, &info), 0);
    weir_host_wait(pair.host[1], NULL, 0, info.rto + 50 * WEIR_MS); /* answers, and time passes */
    weir_host_lock(pair.host[0]);
    weir_host_unlock(pair.host[0]);
    assert_int_equal(weir_tcp_info(pair.host[0], socket, &info), 0);
    assert_int_equal(info.bytes_acked, 10);
    assert_int_equal(info.retransmissions, 0);
    assert_int_equal(info.timeouts, 0);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_that_holds_frames),
        cmocka_unit_test(test_one_turn_a_look),
        cmocka_unit_test(test_held_frames_beside_descriptors),
        cmocka_unit_test(test_late_program_reads_before_it_times_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
