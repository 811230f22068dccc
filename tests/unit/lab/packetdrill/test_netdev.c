/* SPDX-License-Identifier: MIT */

/* How the script's addresses are learnt, and what the wire does with packets. */

#include "driver.h"

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define PSH WEIR_TCP_PSH
#define STAND_IN 0xc0a80001u /* 192.168.0.1 */

static int bind_to(struct driver *d, uint32_t addr, uint16_t port)
{
    struct sockaddr_in local = driver_addr(addr, port);
    int fd = d->t.socket(d->u, AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    errno = 0;
    if (d->t.bind(d->u, fd, (const struct sockaddr *)&local, sizeof(local)) < 0)
        return -errno;
    return fd;
}

/* Answers as whoever the address says; the destination may be on the stack's own net or not. */
static void handshake(struct driver *d, uint32_t local)
{
    d->local = local;
    driver_in(d, SYN, 0, 0, 0, 65535);
    driver_out(d, SYN | ACK, 0, 1, 0);
    assert_int_equal(d->local, local);
}

static void learnt_from_bind(void **state)
{
    static const uint32_t addrs[] = {DRIVER_LOCAL, 0x0a000001, 0xc0a80001,
                                     0xc0a80002,   0xac100a03, 0xc0000202 /* beside the peer */};

    (void)state;
    for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
        struct driver d;
        int fd;

        driver_open(&d, NULL);
        fd = bind_to(&d, addrs[i], DRIVER_PORT);
        assert_true(fd >= 0);
        assert_int_equal(d.t.listen(d.u, fd, 5), 0);
        handshake(&d, addrs[i]);
        assert_true(bind_to(&d, addrs[i], 9999) >= 0);
        assert_int_equal(bind_to(&d, 0x08080808, 9998), -EADDRNOTAVAIL);
        driver_close(&d);
    }
}

static void learnt_from_a_packet(void **state)
{
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = bind_to(&d, 0, DRIVER_PORT); /* any address says nothing */
    assert_int_equal(d.t.listen(d.u, fd, 5), 0);
    handshake(&d, 0xc0a80505);
    assert_int_equal(bind_to(&d, DRIVER_LOCAL, 9999), -EADDRNOTAVAIL);
    driver_close(&d);
}

/* A connection needs a source before anything is known; the true address may come later. */
static void stand_in(void **state)
{
    struct sockaddr_in remote = driver_addr(DRIVER_REMOTE, DRIVER_PEER_PORT);
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = d.t.socket(d.u, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(d.t.connect(d.u, fd, (const struct sockaddr *)&remote, sizeof(remote)), -1);
    assert_int_equal(errno, EINPROGRESS);
    driver_out(&d, SYN, 0, 0, 0);
    assert_int_equal(d.local, STAND_IN);
    fd = bind_to(&d, DRIVER_LOCAL, DRIVER_PORT);
    assert_true(fd >= 0);
    assert_int_equal(d.t.listen(d.u, fd, 5), 0);
    driver_in(&d, SYN | ACK, 0, 1, 0, 65535); /* to the stand-in */
    driver_out(&d, ACK, 1, 1, 0);
    d.port = DRIVER_PORT;
    d.peer_port++;
    handshake(&d, DRIVER_LOCAL);
    driver_close(&d);
}

/* Datagrams need a source as well. */
static void datagrams(void **state)
{
    struct sockaddr_in remote = driver_addr(DRIVER_REMOTE, 53);
    struct weir_packet packet;
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = d.t.socket(d.u, AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(
        d.t.sendto(d.u, fd, "abc", 3, 0, (const struct sockaddr *)&remote, sizeof(remote)), 3);
    packet = driver_any(&d);
    assert_int_equal(packet.protocol, 17);
    assert_int_equal(packet.payload_length, 3);
    assert_int_equal(weir_addr_to4(&packet.src), STAND_IN);
    driver_close(&d);
}

/* Addresses that no host has are not learnt. */
static void strange_addresses(void **state)
{
    struct driver d;

    (void)state;
    driver_open(&d, NULL);
    assert_int_equal(bind_to(&d, 0xe0000001, 1), -EADDRNOTAVAIL);
    assert_int_equal(bind_to(&d, 0xffffffff, 1), -EADDRNOTAVAIL);
    assert_true(bind_to(&d, DRIVER_LOCAL, 1) >= 0);
    driver_close(&d);
}

/* What a script has from --mtu. */
static void another_mtu(void **state)
{
    static const char data[2000];
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, "mtu=1000");
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.write(d.u, fd, data, sizeof(data)), sizeof(data));
    driver_out(&d, ACK, 1, 1, 960);
    driver_close(&d);
}

/* A burst larger than the wire's queue comes out whole and in order. */
static void many_packets(void **state)
{
    static char data[3 << 20];
    int value = 4 << 20;
    uint32_t next;
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, "sysctl=0");
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.setsockopt(d.u, fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)), 0);
    next = d.our_isn + 1;
    for (int round = 0; round < 40; round++) {
        ssize_t written = d.t.send(d.u, fd, data, 60000, MSG_DONTWAIT);
        uint32_t end = next;

        if (written > 0)
            end += (uint32_t)written;
        while (next != end) {
            struct weir_packet packet = driver_any(&d);

            assert_int_equal(packet.seq, next);
            next += packet.payload_length;
            driver_in(&d, ACK, 1, (int64_t)(next - d.our_isn), 0, 65535);
        }
    }
    assert_true(next - d.our_isn > 2000000);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learnt_from_bind),  cmocka_unit_test(learnt_from_a_packet),
        cmocka_unit_test(stand_in),          cmocka_unit_test(datagrams),
        cmocka_unit_test(strange_addresses), cmocka_unit_test(many_packets),
        cmocka_unit_test(another_mtu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
