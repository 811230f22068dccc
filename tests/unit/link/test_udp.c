/* SPDX-License-Identifier: MIT */

/* The UDP link on the loopback interface: batches, tags, sizes, refusals, a full socket,
 * errors that wait. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <tests/unit/link/udp_ends.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/links.h>

#define LOCALHOST ENDS_LOCALHOST
#define MTU 1400u

/* Datagrams that the socket still takes. */
static int allowance = INT_MAX;

/* Stands in for the system's, so that a full socket can be had. */
int sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    int done = 0;

    for (; (unsigned)done < count && allowance > 0; done++, allowance--) {
        if (sendmsg(fd, &headers[done].msg_hdr, flags) < 0)
            return done > 0 ? done : -1;
    }
    if (done == 0)
        errno = EAGAIN;
    return done > 0 ? done : -1;
}

/* Errors that wait on the socket, each told instead of what it holds. */
static int errors_waiting;

int recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *timeout)
{
    int done = 0;

    (void)timeout;
    if (errors_waiting > 0) {
        errors_waiting--;
        errno = ECONNREFUSED;
        return -1;
    }
    for (; (unsigned)done < count; done++) {
        ssize_t length = recvmsg(fd, &headers[done].msg_hdr, flags);

        if (length < 0)
            return done > 0 ? done : -1;
        headers[done].msg_len = (unsigned)length;
    }
    return done;
}

static uint32_t number_of(const struct weir_frame *frame)
{
    uint32_t number;

    memcpy(&number, frame->data, 4);
    return number;
}

static void test_create_fails_with_a_reason(void **state)
{
    uint64_t tag;
    struct weir_link *link = ends_open_link(MTU, &tag);
    int error = 0;

    (void)state;
    assert_null(weir_udp_create(LOCALHOST, (uint16_t)tag, MTU, &error));
    assert_int_equal(error, WEIR_EADDRINUSE);
    assert_null(weir_udp_create(0x08080808, 5000, MTU, &error));
    assert_int_equal(error, WEIR_EADDRNOTAVAIL);
    assert_null(weir_udp_create(LOCALHOST, 5000, 0, &error));
    assert_int_equal(error, WEIR_EINVAL);
    assert_null(weir_udp_create(LOCALHOST, 5000, 65508, &error));
    assert_int_equal(error, WEIR_EINVAL);
    link->ops->destroy(link);
}

static void test_batch_in_order_with_tags(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_udp_counts counts;
    struct weir_frame frames[64];
    uint32_t got = 0;

    (void)state;
    assert_int_equal(a->mtu, MTU);
    assert_true(a->ops->deadline(a) == WEIR_NEVER);
    for (uint32_t number = 0; number < 50; number++)
        ends_stage(a, tag_b, number, 20 + number);
    assert_int_equal(b->ops->receive(b, frames, 64, 0), 0); /* only staged */
    assert_int_equal(a->ops->flush(a, 0), 0);
    while (got < 50) {
        int count = ends_receive(b, frames, 64);

        for (int index = 0; index < count; index++, got++) {
            assert_int_equal(number_of(&frames[index]), got);
            assert_int_equal(frames[index].length, 20 + got);
            assert_true(frames[index].tag == tag_a);
            assert_true(frames[index].headroom >= 64);
        }
    }
    assert_int_equal(b->ops->receive(b, frames, 64, 0), 0);
    assert_int_equal(b->ops->receive(b, frames, 0, 0), 0);
    weir_udp_counts(a, &counts);
    assert_int_equal(counts.sent, 50);
    assert_int_equal(counts.failed, 0);
    weir_udp_counts(b, &counts);
    assert_int_equal(counts.received, 50);
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* More than a batch: begin sends what is staged by itself. */
static void test_more_than_a_batch(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_frame frames[64];
    uint32_t got = 0;

    (void)state;
    for (uint32_t number = 0; number < 100; number++) {
        assert_true(a->ops->ready(a, 0));
        ends_stage(a, tag_b, number, 100);
    }
    a->ops->flush(a, 0);
    while (got < 100) {
        int count = ends_receive(b, frames, 7);

        assert_true(count <= 7);
        for (int index = 0; index < count; index++)
            assert_int_equal(number_of(&frames[index]), got++);
    }
    a->ops->destroy(a);
    b->ops->destroy(b);
}

static void test_sizes(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_frame frame;

    (void)state;
    assert_int_equal(a->ops->begin(a, MTU + 1, 0, &frame), WEIR_EMSGSIZE);
    assert_false(a->refused);
    assert_int_equal(a->ops->begin(a, MTU, 0, &frame), 0);
    a->ops->abort(a, &frame);
    ends_stage(a, tag_b, 1, MTU);
    ends_stage(a, tag_b, 2, 0);
    a->ops->flush(a, 0);
    assert_int_equal(ends_receive(b, &frame, 1), 1);
    assert_int_equal(frame.length, MTU);
    assert_int_equal(ends_receive(b, &frame, 1), 1);
    assert_int_equal(frame.length, 0);
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* A header put in front by moving data into the headroom is sent too. */
static void test_headroom_is_usable(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_frame frame;

    (void)state;
    assert_int_equal(a->ops->begin(a, 10, 0, &frame), 0);
    memset(frame.data - 6, 0x42, 16);
    frame.data -= 6;
    frame.length = 16;
    frame.tag = tag_b;
    a->ops->commit(a, &frame, 0);
    a->ops->flush(a, 0);
    assert_int_equal(ends_receive(b, &frame, 1), 1);
    assert_int_equal(frame.length, 16);
    assert_int_equal(frame.data[0], 0x42);
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* The largest datagram there is, from a stranger, arrives whole. */
static void test_largest_datagram(void **state)
{
    static uint8_t bytes[65507];
    uint64_t tag;
    struct weir_link *link = ends_open_link(MTU, &tag);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)tag),
                             .sin_addr = {.s_addr = htonl(LOCALHOST)}};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct weir_frame frame;

    (void)state;
    memset(bytes, 0x77, sizeof(bytes));
    assert_int_equal(sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to)),
                     sizeof(bytes));
    assert_int_equal(ends_receive(link, &frame, 1), 1);
    assert_int_equal(frame.length, sizeof(bytes));
    assert_memory_equal(frame.data, bytes, sizeof(bytes));
    close(fd);
    link->ops->destroy(link);
}

/* Nobody listens, no such peer, a route that is refused: all counted, and the rest goes on. */
static void test_refusals_are_swallowed(void **state)
{
    uint64_t tag_a, tag_b, tag_gone;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b),
                     *gone = ends_open_link(MTU, &tag_gone);
    struct weir_udp_counts counts;
    struct weir_frame frame;

    (void)state;
    gone->ops->destroy(gone);
    for (uint32_t round = 0; round < 3; round++) {
        ends_stage(a, tag_gone, 1, 40);
        ends_stage(a, 0, 2, 40);                            /* nobody */
        ends_stage(a, weir_udp_tag(LOCALHOST, 0), 3, 40);   /* no port */
        ends_stage(a, UINT64_MAX, 4, 40);                   /* no address */
        ends_stage(a, weir_udp_tag(0xffffffffu, 9), 5, 40); /* broadcast: EACCES */
        ends_stage(a, tag_b, 100 + round, 40);
        assert_int_equal(a->ops->flush(a, 0), 0);
        assert_false(a->wants_write);
        assert_int_equal(ends_receive(b, &frame, 1), 1);
        assert_int_equal(number_of(&frame), 100 + round);
        assert_int_equal(a->ops->receive(a, &frame, 1, 0), 0);
    }
    weir_udp_counts(a, &counts);
    assert_int_equal(counts.failed, 12);
    assert_int_equal(counts.sent, 6);
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* The system cuts runs and leaves them uncut, if it can; nothing of that shows. */
static void test_runs_arrive_as_packets(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_udp_counts sent, received;
    struct weir_frame frames[64];
    uint32_t got = 0;

    (void)state;
    for (uint32_t number = 0; number < 64; number++)
        ends_stage(a, tag_b, number, number % 16 < 15 ? MTU : 33);
    assert_int_equal(a->ops->flush(a, 0), 0);
    while (got < 64) {
        int count = ends_receive(b, frames, 9);

        for (int index = 0; index < count; index++, got++) {
            assert_int_equal(number_of(&frames[index]), got);
            assert_int_equal(frames[index].length, got % 16 < 15 ? MTU : 33);
            assert_true(frames[index].tag == tag_a);
        }
    }
    weir_udp_counts(a, &sent);
    weir_udp_counts(b, &received);
    assert_int_equal(sent.sent, 64);
    assert_int_equal(received.received, 64);
    print_message("runs: %d sent, %d received\n", (int)sent.runs_sent, (int)received.runs_received);
    assert_true(sent.runs_sent <= 4 && received.runs_received <= sent.runs_sent);
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* The socket takes 10, refuses, and takes the rest when it is writable again: nothing is lost or out
 * of order, and begin refuses only when all buffers are staged. */
static void test_full_socket(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_frame frames[64], frame;
    uint32_t got = 0;

    (void)state;
    for (uint32_t number = 0; number < 64; number++)
        ends_stage(a, tag_b, number, 40 + number); /* each longer than the last: no runs */
    allowance = 10;
    assert_int_equal(a->ops->flush(a, 0), 0);
    assert_true(a->wants_write);
    assert_true(a->ops->deadline(a) == WEIR_NEVER);
    for (uint32_t number = 64; number < 74; number++)
        ends_stage(a, tag_b, number, 40 + number);
    assert_false(a->ops->ready(a, 0));
    assert_int_equal(a->ops->begin(a, 40, 0, &frame), WEIR_EAGAIN);
    assert_true(a->refused);
    allowance = INT_MAX;
    assert_int_equal(a->ops->flush(a, 0), 0);
    assert_false(a->wants_write);
    assert_true(a->ops->ready(a, 0));
    while (got < 74) {
        int count = ends_receive(b, frames, 64);

        for (int index = 0; index < count; index++)
            assert_int_equal(number_of(&frames[index]), got++);
    }
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* What was left of a batch goes where it was to go. */
static void test_full_socket_with_many_peers(void **state)
{
    enum { PEERS = 3, EACH = 7 };
    uint64_t tag_a, tags[PEERS];
    struct weir_link *a = ends_open_link(MTU, &tag_a), *peers[PEERS];
    struct weir_frame frames[64];

    (void)state;
    for (int i = 0; i < PEERS; i++)
        peers[i] = ends_open_link(MTU, &tags[i]);
    for (uint32_t number = 0; number < PEERS * EACH; number++)
        ends_stage(a, tags[number % PEERS], number, 40);
    for (int granted = 0; granted < PEERS * EACH; granted += 5) {
        allowance = 5;
        assert_int_equal(a->ops->flush(a, 0), 0);
    }
    allowance = INT_MAX;
    assert_false(a->wants_write);
    for (uint32_t i = 0; i < PEERS; i++) {
        int got = 0;

        while (got < EACH) {
            int count = ends_receive(peers[i], frames, 64);

            for (int index = 0; index < count; index++, got++)
                assert_int_equal(number_of(&frames[index]), (uint32_t)got * PEERS + i);
        }
        peers[i]->ops->destroy(peers[i]);
    }
    a->ops->destroy(a);
}

/* An error of the past hides no datagram, and many of them do not hold the caller up for ever. */
static void test_errors_are_swallowed(void **state)
{
    uint64_t tag_a, tag_b;
    struct weir_link *a = ends_open_link(MTU, &tag_a), *b = ends_open_link(MTU, &tag_b);
    struct weir_udp_counts counts;
    struct weir_frame frame;

    (void)state;
    ends_stage(a, tag_b, 77, 40);
    assert_int_equal(a->ops->flush(a, 0), 0);
    errors_waiting = 3;
    assert_int_equal(ends_receive(b, &frame, 1), 1);
    assert_int_equal(number_of(&frame), 77);
    weir_udp_counts(b, &counts);
    assert_int_equal(counts.errors, 3);
    errors_waiting = INT_MAX;
    assert_int_equal(b->ops->receive(b, &frame, 1, 0), 0);
    assert_true(INT_MAX - errors_waiting < 100);
    errors_waiting = 0;
    a->ops->destroy(a);
    b->ops->destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_fails_with_a_reason),
        cmocka_unit_test(test_batch_in_order_with_tags),
        cmocka_unit_test(test_more_than_a_batch),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_headroom_is_usable),
        cmocka_unit_test(test_largest_datagram),
        cmocka_unit_test(test_refusals_are_swallowed),
        cmocka_unit_test(test_runs_arrive_as_packets),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_full_socket_with_many_peers),
        cmocka_unit_test(test_errors_are_swallowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
