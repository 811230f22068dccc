/* SPDX-License-Identifier: MIT */

/* The wrapper of the receiving side, over a UDP socket: what comes from the chosen peer is lost,
 * doubled or held until its time, with the numbers that impair.c promises; the other peers are left
 * alone; what is held makes the descriptor readable when it falls due. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/host.h>
#include <weir/links.h>

#define MTU 1400u
#define LOOPBACK 0x7f000001u

/* A wrapped UDP link and two sockets that send to it. */
struct ends {
    struct weir_link *link;
    int socket[2];
    uint64_t tag[2];
    struct sockaddr_in to;
};

static uint16_t open_socket(int *fd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(LOOPBACK)}};
    socklen_t length = sizeof(addr);

    *fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(*fd >= 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&addr, &length), 0);
    return ntohs(addr.sin_port);
}

static void ends_open(struct ends *ends)
{
    struct weir_link *udp;
    uint16_t port;
    int error, fd;

    port = open_socket(&fd);
    close(fd);
    udp = weir_udp_create(LOOPBACK, port, MTU, &error);
    assert_non_null(udp);
    ends->link = weir_impair_received_create(udp);
    assert_non_null(ends->link);
    assert_int_equal(ends->link->mtu, MTU);
    ends->to = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr = {htonl(LOOPBACK)}, .sin_port = htons(port)};
    for (int index = 0; index < 2; index++)
        ends->tag[index] = weir_udp_tag(LOOPBACK, open_socket(&ends->socket[index]));
}

static void ends_close(struct ends *ends)
{
    ends->link->ops->destroy(ends->link);
    close(ends->socket[0]);
    close(ends->socket[1]);
}

static void send_number(struct ends *ends, int from, uint32_t number)
{
    assert_int_equal(sendto(ends->socket[from], &number, sizeof(number), 0,
                            (struct sockaddr *)&ends->to, sizeof(ends->to)),
                     sizeof(number));
}

/* Receives until the descriptor is silent for `patience` ms. Counts packets by peer; the sum of their
 * numbers goes to *sum. */
static void receive_all(struct ends *ends, int patience, unsigned count[2], uint64_t *sum)
{
    struct pollfd fd = {.fd = ends->link->ops->fd(ends->link), .events = POLLIN};
    struct weir_frame frames[7]; /* fewer than are ready: it must stay readable */

    while (poll(&fd, 1, patience) > 0) {
        int got = ends->link->ops->receive(ends->link, frames, 7, weir_host_now());

        for (int index = 0; index < got; index++) {
            uint32_t number;

            assert_int_equal(frames[index].length, sizeof(number));
            memcpy(&number, frames[index].data, sizeof(number));
            assert_true(frames[index].tag == ends->tag[0] || frames[index].tag == ends->tag[1]);
            count[frames[index].tag == ends->tag[1]]++;
            *sum += number;
        }
    }
}

static void add(struct ends *ends, const char *word)
{
    struct weir_impair set = {.seed = 7};

    assert_int_equal(weir_impair_parse(&set, word), 0);
    assert_int_equal(weir_impair_received_add(ends->link, ends->tag[0], &set), 0);
}

/* 2000 packets from each peer, a hundred at a time. */
static void exchange(struct ends *ends, unsigned count[2], uint64_t *sum)
{
    for (uint32_t number = 0; number < 2000; number++) {
        send_number(ends, 0, 1);
        send_number(ends, 1, 1);
        if (number % 100 == 99)
            receive_all(ends, 0, count, sum);
    }
    receive_all(ends, 100, count, sum);
}

static void test_loss(void **state)
{
    unsigned count[2] = {0, 0};
    struct ends ends;
    uint64_t sum = 0;

    (void)state;
    ends_open(&ends);
    add(&ends, "loss=0.25");
    exchange(&ends, count, &sum);
    assert_in_range(count[0], 1500 - 116, 1500 + 116); /* six standard deviations */
    assert_int_equal(count[1], 2000);
    assert_int_equal(sum, count[0] + count[1]);
    ends_close(&ends);
}

static void test_duplicates(void **state)
{
    unsigned count[2] = {0, 0};
    struct ends ends;
    uint64_t sum = 0;

    (void)state;
    ends_open(&ends);
    add(&ends, "duplicate=1");
    exchange(&ends, count, &sum);
    assert_int_equal(count[0], 4000);
    assert_int_equal(count[1], 2000);
    ends_close(&ends);
}

/* Held packets come out at their time, not before, with nobody sending any more. */
static void test_delay(void **state)
{
    unsigned count[2] = {0, 0};
    struct pollfd fd;
    struct weir_frame frames[64];
    weir_time started;
    struct ends ends;
    uint64_t sum = 0;

    (void)state;
    ends_open(&ends);
    add(&ends, "delay_ms=60");
    fd = (struct pollfd){.fd = ends.link->ops->fd(ends.link), .events = POLLIN};
    started = weir_host_now();
    for (uint32_t number = 0; number < 20; number++)
        send_number(&ends, 0, number);
    assert_int_equal(poll(&fd, 1, 1000), 1);
    assert_int_equal(ends.link->ops->receive(ends.link, frames, 64, weir_host_now()), 0);
    receive_all(&ends, 1000, count, &sum);
    assert_int_equal(count[0], 20);
    assert_int_equal(sum, 190);
    assert_true(weir_host_now() - started >= 60 * WEIR_MS);
    ends_close(&ends);
}

/* The sending side is the inner link's. */
static void test_sending(void **state)
{
    struct weir_frame frame;
    struct ends ends;
    uint32_t number = 0;

    (void)state;
    ends_open(&ends);
    add(&ends, "loss=1");
    assert_true(ends.link->ops->ready(ends.link, 0));
    assert_int_equal(ends.link->ops->deadline(ends.link), WEIR_NEVER);
    assert_int_equal(ends.link->ops->begin(ends.link, MTU + 1, 0, &frame), WEIR_EMSGSIZE);
    assert_int_equal(ends.link->ops->begin(ends.link, 4, 0, &frame), 0);
    ends.link->ops->abort(ends.link, &frame);
    assert_int_equal(ends.link->ops->begin(ends.link, 4, 0, &frame), 0);
    memcpy(frame.data, "abcd", 4);
    frame.tag = ends.tag[0];
    ends.link->ops->commit(ends.link, &frame, 0);
    assert_int_equal(ends.link->ops->flush(ends.link, 0), 0);
    assert_int_equal(recv(ends.socket[0], &number, sizeof(number), 0), 4);
    assert_memory_equal(&number, "abcd", 4);
    ends_close(&ends);
}

static void test_refusals(void **state)
{
    struct weir_hub *hub = weir_hub_create(2, MTU, 4);
    struct weir_impair set = {.loss = 2};
    struct ends ends;

    (void)state;
    assert_null(weir_impair_received_create(weir_hub_port(hub, 0))); /* no descriptor */
    weir_hub_destroy(hub);
    ends_open(&ends);
    assert_int_equal(weir_impair_received_add(ends.link, ends.tag[0], &set), WEIR_EINVAL);
    add(&ends, "delay_ms=3600000");
    set.loss = 0;
    assert_int_equal(weir_impair_received_add(ends.link, ends.tag[0], &set), WEIR_EINVAL);
    for (unsigned index = 0; index < 1023; index++)
        assert_int_equal(weir_impair_received_add(ends.link, 1 + index, &set), 0);
    assert_int_equal(weir_impair_received_add(ends.link, 5000, &set), WEIR_EINVAL);
    send_number(&ends, 0, 1); /* is held when the link goes */
    ends_close(&ends);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss),     cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_delay),    cmocka_unit_test(test_sending),
        cmocka_unit_test(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
