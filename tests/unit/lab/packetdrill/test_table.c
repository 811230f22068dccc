/* SPDX-License-Identifier: MIT */

/* Every call of the table, as packetdrill makes them, in virtual time: results, errno, structs of
 * Linux's layout, packets and their times. */

#include "driver.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define FIN WEIR_TCP_FIN
#define RST WEIR_TCP_RST
#define PSH WEIR_TCP_PSH

#define FAILS(call, number)              \
    do {                                 \
        errno = 0;                       \
        assert_int_equal((call), -1);    \
        assert_int_equal(errno, number); \
    } while (0)

/* ---- Data both ways ------------------------------------------------------------------------------- */

static void passive_open_and_bytes(void **state)
{
    struct driver d;
    char data[4000] = {0};
    struct iovec parts[2] = {{data, 300}, {data + 300, 700}};
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.write(d.u, fd, data, 1000), 1000);
    driver_out(&d, PSH | ACK, 1, 1, 1000);
    driver_in(&d, ACK, 1, 1001, 0, 65535);
    assert_int_equal(d.t.send(d.u, fd, data, 500, 0), 500);
    driver_out(&d, PSH | ACK, 1001, 1, 500);
    driver_in(&d, ACK, 1, 1501, 0, 65535);
    assert_int_equal(d.t.writev(d.u, fd, parts, 2), 1000);
    driver_out(&d, PSH | ACK, 1501, 1, 1000);
    driver_in(&d, PSH | ACK, 1, 2501, 1000, 65535);
    memset(data, 'x', sizeof(data));
    assert_int_equal(d.t.read(d.u, fd, data, 100), 100);
    assert_int_equal(data[99], 0);
    assert_int_equal(data[100], 'x');
    assert_int_equal(d.t.recv(d.u, fd, data, 100, MSG_PEEK), 100);
    assert_int_equal(d.t.recv(d.u, fd, data, 100, 0), 100);
    assert_int_equal(d.t.readv(d.u, fd, parts, 2), 800);
    FAILS(d.t.recv(d.u, fd, data, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(d.t.readv(d.u, fd, parts, -1), EINVAL);
    FAILS(d.t.writev(d.u, fd, parts, 2000), EINVAL);
    driver_close(&d);
}

static void messages(void **state)
{
    char data[100] = {0};
    struct iovec part = {data, sizeof(data)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, "profile=default");
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.sendmsg(d.u, fd, &message, 0), 100);
    driver_out(&d, PSH | ACK, 1, 1, 100);
    driver_in(&d, PSH | ACK, 1, 101, 60, 65535);
    assert_int_equal(d.t.recvmsg(d.u, fd, &message, 0), 60);
    assert_int_equal(message.msg_flags, 0);
    assert_int_equal(d.t.sendto(d.u, fd, data, 10, 0, NULL, 0), 10);
    driver_out(&d, PSH | ACK, 101, 61, 10);
    driver_in(&d, PSH | ACK, 61, 111, 7, 65535);
    assert_int_equal(d.t.recvfrom(d.u, fd, data, sizeof(data), 0, NULL, NULL), 7);
    FAILS(d.t.recvmsg(d.u, fd, &message, MSG_DONTWAIT), EAGAIN);
    driver_close(&d);
}

/* The peer's FIN, then ours; the last packet has no timer left behind it. */
static void shutdown_and_close(void **state)
{
    struct driver d;
    char byte;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    driver_in(&d, FIN | ACK, 1, 1, 0, 65535);
    driver_out(&d, ACK, 1, 2, 0);
    assert_int_equal(d.t.read(d.u, fd, &byte, 1), 0);
    assert_int_equal(d.t.shutdown(d.u, fd, SHUT_WR), 0);
    driver_out(&d, FIN | ACK, 1, 2, 0);
    FAILS(d.t.send(d.u, fd, &byte, 1, MSG_NOSIGNAL), EPIPE);
    driver_in(&d, ACK, 2, 2, 0, 65535);
    assert_int_equal(d.t.close(d.u, fd), 0);
    FAILS(d.t.close(d.u, fd), EBADF);
    FAILS(d.t.read(d.u, fd, &byte, 1), EBADF);
    driver_close(&d);
}

static void active_open(void **state)
{
    struct sockaddr_in remote = driver_addr(DRIVER_REMOTE, DRIVER_PEER_PORT);
    struct driver d;
    int fd, error = -1;
    socklen_t length = sizeof(error);

    (void)state;
    driver_open(&d, NULL);
    fd = d.t.socket(d.u, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_int_equal(d.t.fcntl(d.u, fd, F_GETFL), O_RDWR);
    assert_int_equal(d.t.fcntl(d.u, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    FAILS(d.t.connect(d.u, fd, (const struct sockaddr *)&remote, sizeof(remote)), EINPROGRESS);
    driver_out(&d, SYN, 0, 0, 0);
    FAILS(d.t.connect(d.u, fd, (const struct sockaddr *)&remote, sizeof(remote)), EALREADY);
    driver_in(&d, SYN | ACK, 0, 1, 0, 5840);
    driver_out(&d, ACK, 1, 1, 0);
    assert_int_equal(d.t.getsockopt(d.u, fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    assert_int_equal(error, 0);
    assert_int_equal(length, sizeof(error));
    assert_int_equal(d.t.write(d.u, fd, "abc", 3), 3);
    driver_out(&d, PSH | ACK, 1, 1, 3);
    driver_in(&d, RST, 1, 0, 0, 0);
    FAILS(d.t.write(d.u, fd, "abc", 3), ECONNRESET);
    driver_close(&d);
}

/* ---- Options -------------------------------------------------------------------------------------- */

static void options(void **state)
{
    uint8_t longest[512];
    struct tcp_info info;
    uint32_t meminfo[9];
    struct driver d;
    socklen_t length;
    int fd, value = 1;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.setsockopt(d.u, fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)), 0);
    assert_int_equal(d.t.setsockopt(d.u, fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)), 0);
    length = sizeof(value);
    value = 0;
    assert_int_equal(d.t.getsockopt(d.u, fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
    assert_int_equal(value, 1);
    FAILS(d.t.setsockopt(d.u, fd, IPPROTO_TCP, 9999, &value, sizeof(value)), ENOPROTOOPT);
    FAILS(d.t.setsockopt(d.u, fd, IPPROTO_TCP, TCP_NODELAY, &value, 1), EINVAL);

    length = sizeof(info);
    memset(&info, 0xff, sizeof(info));
    assert_int_equal(d.t.getsockopt(d.u, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_in_range(length, 100, sizeof(info));
    assert_int_equal(info.tcpi_state, 1 /* TCP_ESTABLISHED */);
    assert_int_equal(info.tcpi_ca_state, TCP_CA_Open);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_snd_mss, 1460);
    assert_int_equal(info.tcpi_unacked, 0);
    length = sizeof(longest); /* packetdrill's own struct is longer than that of our headers */
    assert_int_equal(d.t.getsockopt(d.u, fd, IPPROTO_TCP, TCP_INFO, longest, &length), 0);
    assert_in_range(length, 280, sizeof(longest));

    length = sizeof(info);
    assert_int_equal(d.t.getsockopt(d.u, fd, IPPROTO_TCP, TCP_CC_INFO, &info, &length), 0);
    length = sizeof(meminfo);
    assert_int_equal(d.t.getsockopt(d.u, fd, SOL_SOCKET, SO_MEMINFO, meminfo, &length), 0);
    assert_int_equal(length, sizeof(meminfo));
    driver_close(&d);
}

static void ioctls(void **state)
{
    struct driver d;
    int fd, value = -1;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    driver_in(&d, PSH | ACK, 1, 1, 321, 65535);
    assert_int_equal(d.t.ioctl(d.u, fd, SIOCINQ, &value), 0);
    assert_int_equal(value, 321);
    assert_int_equal(d.t.write(d.u, fd, "abcde", 5), 5);
    assert_int_equal(d.t.ioctl(d.u, fd, SIOCOUTQ, &value), 0);
    assert_int_equal(value, 5);
    driver_close(&d);
}

/* ---- Waiting for several --------------------------------------------------------------------------- */

static void polls(void **state)
{
    struct pollfd entry = {.events = POLLIN | POLLOUT};
    struct driver d;
    long long before;

    (void)state;
    driver_open(&d, NULL);
    entry.fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.poll(d.u, &entry, 1, 0), 1);
    assert_int_equal(entry.revents, POLLOUT);
    driver_in(&d, PSH | ACK, 1, 1, 10, 65535);
    assert_int_equal(d.t.poll(d.u, &entry, 1, 1000), 1);
    assert_int_equal(entry.revents, POLLIN | POLLOUT);
    entry.events = POLLPRI;
    before = driver_now(&d);
    assert_int_equal(d.t.poll(d.u, &entry, 1, 250), 0); /* the main thread lets time pass itself */
    assert_int_equal(driver_now(&d) - before, 250001);
    driver_close(&d);
}

static void epolls(void **state)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.u64 = 77}}, reports[3];
    struct driver d;
    int fd, epfd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    epfd = d.t.epoll_create(d.u, 1);
    assert_true(epfd >= 0);
    FAILS(d.t.epoll_create(d.u, 0), EINVAL);
    assert_int_equal(d.t.epoll_ctl(d.u, epfd, EPOLL_CTL_ADD, fd, &event), 0);
    FAILS(d.t.epoll_ctl(d.u, epfd, EPOLL_CTL_ADD, fd, &event), EEXIST);
    assert_int_equal(d.t.epoll_wait(d.u, epfd, reports, 3, 0), 0);
    driver_in(&d, PSH | ACK, 1, 1, 10, 65535);
    assert_int_equal(d.t.epoll_wait(d.u, epfd, reports, 3, 0), 1);
    assert_int_equal(reports[0].events, EPOLLIN);
    assert_int_equal(reports[0].data.u64, 77);
    assert_int_equal(d.t.epoll_wait(d.u, epfd, reports, 3, 0), 0);
    driver_in(&d, PSH | ACK, 11, 1, 10, 65535); /* readable already: an edge all the same */
    assert_int_equal(d.t.epoll_wait(d.u, epfd, reports, 3, 0), 1);
    assert_int_equal(d.t.epoll_ctl(d.u, epfd, EPOLL_CTL_DEL, fd, NULL), 0);
    assert_int_equal(d.t.epoll_wait(d.u, epfd, reports, 3, 10), 0);
    assert_int_equal(d.t.close(d.u, epfd), 0);
    driver_close(&d);
}

static void pipes(void **state)
{
    struct driver d;
    loff_t offset = 1, none = 0, none_either = 0;
    char data[64] = {0};
    int fd, fds[2];

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.pipe(d.u, fds), 0);
    assert_true(fds[0] != fds[1] && fds[0] != fd && fds[1] != fd);
    assert_int_equal(d.t.write(d.u, fds[1], data, 40), 40);
    FAILS(d.t.splice(d.u, fds[0], &offset, fd, NULL, 40, 0), ESPIPE);
    FAILS(d.t.splice(d.u, fds[0], NULL, fd, &offset, 40, 0), ESPIPE);
    /* packetdrill gives both places, and in them what the script says: NULL. */
    assert_int_equal(d.t.splice(d.u, fds[0], &none, fd, &none_either, 40, 0), 40);
    driver_out(&d, PSH | ACK, 1, 1, 40);
    driver_in(&d, PSH | ACK, 1, 41, 30, 65535);
    assert_int_equal(d.t.splice(d.u, fd, NULL, fds[1], NULL, 100, SPLICE_F_NONBLOCK), 30);
    assert_int_equal(d.t.read(d.u, fds[0], data, sizeof(data)), 30);
    assert_int_equal(d.t.close(d.u, fds[0]), 0);
    assert_int_equal(d.t.close(d.u, fds[1]), 0);
    driver_close(&d);
}

/* ---- Packets and the clock --------------------------------------------------------------------------- */

/* RFC 6298 5.4, 5.5: the retransmission comes one RTO after the data, to the microsecond, and the next
 * twice as late. The packet's time is in the clock of gettimeofday. */
static void retransmission_times(void **state)
{
    long long sent, first, second, third;
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    sent = driver_now(&d);
    assert_int_equal(d.t.write(d.u, fd, "abcde", 5), 5);
    driver_out(&d, PSH | ACK, 1, 1, 5);
    assert_int_equal(d.at, sent);
    driver_out(&d, PSH | ACK, 1, 1, 5);
    first = d.at - sent;
    driver_out(&d, PSH | ACK, 1, 1, 5);
    second = d.at - sent - first;
    driver_out(&d, PSH | ACK, 1, 1, 5);
    third = d.at - sent - first - second;
    assert_in_range(first, 200000, 1000000);
    assert_in_range(second, 2 * first - 1, 2 * first + 1);
    assert_in_range(third, 2 * second - 1, 2 * second + 1);
    assert_int_equal(driver_now(&d), d.at + 1);
    driver_close(&d);
}

static void clock_of_the_table(void **state)
{
    struct timeval at_once;
    struct driver d;
    long long before;

    (void)state;
    driver_open(&d, NULL);
    before = driver_now(&d);
    assert_int_equal(driver_now(&d), before + 1); /* each look costs a microsecond */
    assert_int_equal(d.t.usleep(d.u, 1234567), 0);
    assert_int_equal(driver_now(&d), before + 1 + 1234567 + 1);
    assert_int_equal(d.t.usleep(d.u, 0), 0);
    assert_int_equal(d.t.gettimeofday(d.u, &at_once, NULL), 0);
    assert_int_equal(d.t.gettimeofday(d.u, NULL, NULL), 0);
    driver_close(&d);
}

/* Time that usleep lets pass is time in which the stack sends; the packet has its own time. */
static void packets_during_usleep(void **state)
{
    struct driver d;
    long long sent;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    assert_int_equal(d.t.write(d.u, fd, "abcde", 5), 5);
    driver_out(&d, PSH | ACK, 1, 1, 5);
    sent = d.at;
    assert_int_equal(d.t.usleep(d.u, 30000000), 0);
    driver_out(&d, PSH | ACK, 1, 1, 5);
    assert_in_range(d.at - sent, 200000, 1000000);
    assert_true(driver_now(&d) >= sent + 30000000);
    driver_close(&d);
}

/* Nothing will ever be sent: a packet of length 0, at once. */
static void no_packet(void **state)
{
    uint8_t bytes[100];
    size_t length = sizeof(bytes);
    long long at = -1, before;
    struct driver d;

    (void)state;
    driver_open(&d, NULL);
    driver_listen(&d);
    before = driver_now(&d);
    assert_int_equal(d.t.netdev_receive(d.u, bytes, &length, &at), 0);
    assert_int_equal(length, 0);
    assert_int_equal(at, before);
    driver_close(&d);
}

static void short_buffer(void **state)
{
    uint8_t bytes[30] = {0};
    size_t length = 25;
    struct driver d;
    long long at;

    (void)state;
    driver_open(&d, NULL);
    driver_listen(&d);
    driver_in(&d, SYN, 0, 0, 0, 65535);
    assert_int_equal(d.t.netdev_receive(d.u, bytes, &length, &at), 0);
    assert_int_equal(length, 25);
    assert_int_equal(bytes[0], 0x45);
    assert_int_equal(bytes[25], 0);
    driver_close(&d);
}

static void hostile_packets(void **state)
{
    uint8_t bytes[70000];
    struct driver d;

    (void)state;
    driver_open(&d, NULL);
    memset(bytes, 0x45, sizeof(bytes));
    FAILS(d.t.netdev_send(d.u, NULL, 40), EINVAL);
    FAILS(d.t.netdev_send(d.u, bytes, 0), EINVAL);
    FAILS(d.t.netdev_send(d.u, bytes, 19), EINVAL);
    FAILS(d.t.netdev_send(d.u, bytes, 65536), EINVAL);
    for (size_t length = 20; length < 2000; length += 7)
        assert_int_equal(d.t.netdev_send(d.u, bytes, length), 0);
    memset(bytes, 0xff, sizeof(bytes));
    bytes[0] = 0x4f;
    assert_int_equal(d.t.netdev_send(d.u, bytes, 2000), 0);
    bytes[0] = 0x60;
    FAILS(d.t.netdev_send(d.u, bytes, 40), EINVAL);
    driver_close(&d);
}

/* Wrong flags: every call fails, and the table can still be freed. */
static void wrong_flags(void **state)
{
    size_t length = 100;
    struct driver d;
    uint8_t bytes[100];
    long long at;
    int fds[2];

    (void)state;
    driver_load(&d, "weir-packetdrill.so", "time=virtual,colour=red");
    assert_null(d.u);
    FAILS(d.t.socket(d.u, AF_INET, SOCK_STREAM, 0), EINVAL);
    FAILS(d.t.bind(d.u, 3, NULL, 0), EINVAL);
    FAILS(d.t.listen(d.u, 3, 1), EINVAL);
    FAILS(d.t.accept(d.u, 3, NULL, NULL), EINVAL);
    FAILS(d.t.connect(d.u, 3, NULL, 0), EINVAL);
    FAILS(d.t.read(d.u, 3, bytes, 1), EINVAL);
    FAILS(d.t.readv(d.u, 3, NULL, 0), EINVAL);
    FAILS(d.t.recv(d.u, 3, bytes, 1, 0), EINVAL);
    FAILS(d.t.recvfrom(d.u, 3, bytes, 1, 0, NULL, NULL), EINVAL);
    FAILS(d.t.recvmsg(d.u, 3, NULL, 0), EINVAL);
    FAILS(d.t.write(d.u, 3, bytes, 1), EINVAL);
    FAILS(d.t.writev(d.u, 3, NULL, 0), EINVAL);
    FAILS(d.t.send(d.u, 3, bytes, 1, 0), EINVAL);
    FAILS(d.t.sendto(d.u, 3, bytes, 1, 0, NULL, 0), EINVAL);
    FAILS(d.t.sendmsg(d.u, 3, NULL, 0), EINVAL);
    FAILS(d.t.fcntl(d.u, 3, F_GETFL, 0), EINVAL);
    FAILS(d.t.ioctl(d.u, 3, SIOCINQ, NULL), EINVAL);
    FAILS(d.t.close(d.u, 3), EINVAL);
    FAILS(d.t.shutdown(d.u, 3, SHUT_RD), EINVAL);
    FAILS(d.t.getsockopt(d.u, 3, IPPROTO_TCP, TCP_INFO, NULL, NULL), EINVAL);
    FAILS(d.t.setsockopt(d.u, 3, IPPROTO_TCP, TCP_NODELAY, NULL, 0), EINVAL);
    FAILS(d.t.poll(d.u, NULL, 0, 0), EINVAL);
    FAILS(d.t.netdev_send(d.u, bytes, 40), EINVAL);
    FAILS(d.t.netdev_receive(d.u, bytes, &length, &at), EINVAL);
    FAILS(d.t.usleep(d.u, 1), EINVAL);
    FAILS(d.t.gettimeofday(d.u, NULL, NULL), EINVAL);
    FAILS(d.t.epoll_create(d.u, 1), EINVAL);
    FAILS(d.t.epoll_ctl(d.u, 3, EPOLL_CTL_DEL, 4, NULL), EINVAL);
    FAILS(d.t.epoll_wait(d.u, 3, NULL, 1, 0), EINVAL);
    FAILS(d.t.pipe(d.u, fds), EINVAL);
    FAILS(d.t.splice(d.u, 3, NULL, 4, NULL, 1, 0), EINVAL);
    driver_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passive_open_and_bytes),
        cmocka_unit_test(messages),
        cmocka_unit_test(shutdown_and_close),
        cmocka_unit_test(active_open),
        cmocka_unit_test(options),
        cmocka_unit_test(ioctls),
        cmocka_unit_test(polls),
        cmocka_unit_test(epolls),
        cmocka_unit_test(pipes),
        cmocka_unit_test(retransmission_times),
        cmocka_unit_test(clock_of_the_table),
        cmocka_unit_test(packets_during_usleep),
        cmocka_unit_test(no_packet),
        cmocka_unit_test(short_buffer),
        cmocka_unit_test(hostile_packets),
        cmocka_unit_test(wrong_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
