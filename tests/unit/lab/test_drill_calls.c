/* SPDX-License-Identifier: MIT */

/* Call lines of scripts: what is compared, in each kind of call. Rows that must fail are wrong in one
 * way, and the text says in which. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/drill.h>
#include <stdlib.h>
#include <string.h>

#define OPEN                                        \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" \
    "+0 bind(3, ..., ...) = 0\n"                    \
    "+0 listen(3, 1) = 0\n"                         \
    "+0 < S 0:0(0) win 32792 <mss 1000>\n"          \
    "+0 > S. 0:0(0) ack 1 <mss 1460>\n"             \
    "+0.1 < . 1:1(0) ack 1 win 32792\n"             \
    "+0 accept(3, ..., ...) = 4\n"                  \
    "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"
#define DATA "+0 < P. 1:6(5) ack 1 win 999 data \"hello\"\n"
#define ACKED "+0.04~+0.2 > . 1:1(0) ack 6\n"
#define SENT "+0 > P. 1:6(5) ack 1 data \"abcde\"\n"
#define UDP "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 bind(3, ..., ...) = 0\n"

static const struct {
    enum drill_verdict verdict;
    const char *script;
    const char *said; /* a part of the text */
} rows[] = {
    /* Buffers to read into: strings are compared. */
    {DRILL_PASSED, OPEN DATA "+0 read(4, \"hello\", 100) = 5\n" ACKED, NULL},
    {DRILL_FAILED, OPEN DATA "+0 read(4, \"hallo\", 100) = 5\n" ACKED, "bytes other than expected"},
    {DRILL_FAILED, OPEN DATA "+0 read(4, \"hell\", 100) = 5\n" ACKED, "bytes other than expected"},
    {DRILL_PASSED, OPEN DATA "+0 recv(4, \"hel\", 3, MSG_PEEK) = 3\n" ACKED, NULL},
    {DRILL_PASSED, OPEN DATA "+0 recvfrom(4, ..., 9, MSG_TRUNC, ..., ...) = 5\n" ACKED, NULL},
    {DRILL_PASSED, OPEN DATA "+0 readv(4, [{\"he\", 2}, {\"llo\", 9}], 2) = 5\n" ACKED, NULL},
    {DRILL_FAILED, OPEN DATA "+0 readv(4, [{\"he\", 2}, {\"lXo\", 9}], 2) = 5\n" ACKED,
     "bytes other than expected"},
    {DRILL_FAILED, OPEN DATA "+0 read(4, ..., 100) = 6\n" ACKED, "returned 5, expected 6"},
    {DRILL_PASSED, OPEN DATA "+0 read(4, NULL, 9) = -1 EFAULT (Bad address)\n" ACKED, NULL},
    {DRILL_PASSED, OPEN DATA "+0 recv(4, 0, 9, 0) = -1 EFAULT (Bad address)\n" ACKED, NULL},
    {DRILL_FAILED, OPEN "+0 write(4, NULL, 9) = -1 EINVAL (x)\n", "failed with EFAULT"},
    {DRILL_FAILED, OPEN DATA "+0 read(4, ...) = 5\n", "read takes 3 arguments"},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 99999999999) = 5\n", "a buffer has 0.."},
    /* Buffers to write. */
    {DRILL_PASSED, OPEN "+0 write(4, \"abcde\", 5) = 5\n" SENT, NULL},
    {DRILL_PASSED, OPEN "+0 send(4, \"abcdef\", 5, MSG_NOSIGNAL) = 5\n" SENT, NULL},
    {DRILL_PASSED, OPEN "+0 writev(4, [{\"ab\", 2}, {\"cde\", 3}], 2) = 5\n" SENT, NULL},
    {DRILL_PASSED,
     OPEN
     "+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{\"abcde\", 5}], msg_flags=0}, 0) = 5\n" SENT,
     NULL},
    {DRILL_FAILED, OPEN "+0 write(4, \"ab\", 5) = 5\n", "shorter than 5"},
    {DRILL_FAILED, OPEN "+0 writev(4, [5], 1) = 5\n", "a part is {buffer, size}"},
    /* Messages. */
    {DRILL_PASSED,
     OPEN "+0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0\n" DATA
          "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 3}], msg_flags=0, "
          "msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=2}]}, 0) = 3\n" ACKED,
     NULL},
    {DRILL_FAILED,
     OPEN "+0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0\n" DATA
          "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 3}], msg_flags=0, "
          "msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=3}]}, 0) = 3\n" ACKED,
     "type 36 data 2"},
    {DRILL_FAILED,
     OPEN "+0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0\n" DATA
          "+0 recvmsg(4, {msg_iov(1)=[{..., 3}], msg_control=[]}, 0) = 3\n" ACKED,
     "another control message"},
    {DRILL_FAILED,
     OPEN DATA "+0 recvmsg(4, {msg_iov(1)=[{..., 3}], msg_control=[{cmsg_level=SOL_TCP, "
               "cmsg_type=TCP_CM_INQ, cmsg_data=3}]}, 0) = 3\n" ACKED,
     "fewer control messages"},
    {DRILL_FAILED,
     OPEN DATA "+0 recvmsg(4, {msg_iov(1)=[{..., 3}], msg_flags=MSG_TRUNC}, 0) = 3\n" ACKED,
     "msg_flags is 0x0, expected 0x20"},
    {DRILL_FAILED, OPEN DATA "+0 recvmsg(4, 7, 0) = 3\n" ACKED, "a message is {"},
    /* poll and epoll. */
    {DRILL_PASSED,
     OPEN DATA "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN|POLLOUT}, "
               "{fd=3, events=POLLIN, revents=0}], 2, 0) = 1\n" ACKED,
     NULL},
    {DRILL_FAILED,
     OPEN DATA "+0 poll([{fd=4, events=POLLIN, revents=POLLIN}, {fd=9, events=POLLIN, "
               "revents=0}], 2, 0) = 2\n" ACKED,
     "revents is 0x20, expected 0x0"},
    {DRILL_FAILED, OPEN "+0 poll([{fd=4, events=POLLIN, revents=0}], 2, 0) = 0\n", "fewer"},
    {DRILL_PASSED,
     OPEN "+0 epoll_create(1) = 5\n"
          "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0\n"
          "+0 epoll_wait(5, {events=0, fd=4}, 1, 0) = 0\n" DATA
          "+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1\n"
          "+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 0\n" ACKED,
     NULL},
    {DRILL_FAILED,
     OPEN "+0 epoll_create(1) = 5\n"
          "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, ptr=77}) = 0\n"
          "+0 epoll_wait(5, {events=EPOLLIN, ptr=77}, 1, 0) = 1\n",
     "the event is 0x4 of 77, expected 0x1 of 77"},
    {DRILL_FAILED,
     OPEN "+0 epoll_create(1) = 5\n"
          "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, u32=7}) = 0\n"
          "+0 epoll_wait(5, {events=EPOLLOUT, u64=8}, 1, 0) = 1\n",
     "of 7, expected 0x4 of 8"},
    {DRILL_PASSED,
     OPEN "+0 epoll_create(1) = 5\n"
          "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0\n"
          "+0...0.2 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, -1) = 1\n"
          "+0.2 < P. 1:6(5) ack 1 win 999\n" ACKED,
     NULL},
    {DRILL_PASSED,
     "0 epoll_create(0) = -1 EINVAL (x)\n+0 epoll_ctl(9, EPOLL_CTL_ADD, 3, NULL) = -1 EFAULT (x)",
     NULL},
    /* Options. */
    {DRILL_PASSED,
     OPEN "+0 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [5000], 4) = 0\n"
          "+0 getsockopt(4, SOL_SOCKET, SO_SNDBUF, [10000], [4]) = 0\n"
          "+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=2}, 8) = 0\n"
          "+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=2}, [8]) = 0\n"
          "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", [16]) = 0\n"
          "+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [4]) = 0\n"
          "+0 getsockopt(4, SOL_TCP, TCP_INFO, ..., ...) = 0\n",
     NULL},
    {DRILL_FAILED, OPEN "+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [999], [4]) = 0",
     "is 1000, expected 999"},
    {DRILL_FAILED, OPEN "+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [1000], [8]) = 0",
     "the length is 4"},
    {DRILL_FAILED, OPEN "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"bbr\", [16]) = 0", "\"reno\""},
    {DRILL_FAILED, OPEN "+0 getsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, [8]) = 0",
     "{onoff=0, linger=0}"},
    {DRILL_PASSED, OPEN "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 3) = -1 EINVAL (x)", NULL},
    {DRILL_PASSED, OPEN "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, NULL, 4) = -1 EFAULT (x)", NULL},
    /* fcntl, ioctl, pipe, splice. */
    {DRILL_PASSED,
     OPEN "+0 fcntl(4, F_GETFL) = 0x2 (flags O_RDWR)\n+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
          "+0 fcntl(4, F_GETFL) = 0x802\n+0 ioctl(4, FIONBIO, [0]) = 0\n+0 fcntl(4, F_GETFL) = 2\n",
     NULL},
    {DRILL_FAILED, OPEN DATA "+0 ioctl(4, SIOCINQ, [4]) = 0\n" ACKED, "gave 5, expected 4"},
    {DRILL_PASSED,
     OPEN DATA "+0 pipe([5, 6]) = 0\n+0 splice(4, NULL, 6, NULL, 9, 0) = 5\n"
               "+0 read(5, \"hello\", 9) = 5\n+0 write(6, \"abcde\", 5) = 5\n"
               "+0 splice(5, NULL, 4, NULL, 9, 0) = 5\n+0 > P. 1:6(5) ack 6 data \"abcde\"\n",
     NULL},
    {DRILL_FAILED, "0 pipe([5]) = 0", "pipe takes [N, N]"},
    /* Descriptors. */
    {DRILL_FAILED, "0 socket(..., SOCK_STREAM, 0) = 3\n+0 socket(..., SOCK_STREAM, 0) = 3",
     "in use"},
    {DRILL_PASSED,
     "0 socket(..., SOCK_STREAM, 0) = 7\n+0 close(7) = 0\n+0 close(7) = -1 EBADF (x)\n"
     "+0 socket(..., SOCK_STREAM, 0) = 7\n+0 close(7) = 0",
     NULL},
    {DRILL_PASSED, "0 pipe([4, 5]) = 0\n+0 listen(4, 1) = -1 ENOTSOCK (x)", NULL},
    /* Addresses. */
    {DRILL_PASSED,
     "0 socket(..., SOCK_STREAM, 0) = 3\n"
     "+0 bind(3, {sa_family = AF_INET, sin_port = htons(99), sin_addr = inet_addr(\"0.0.0.0\")}, "
     "...) = 0\n+0 listen(3, 1) = 0\n+0 < 5 > 99 S 0:0(0) win 9 <mss 1000>\n"
     "+0 > 99 > 5 S. 0:0(0) ack 1 <mss 1460>\n",
     NULL},
    {DRILL_PASSED,
     "0 socket(..., SOCK_STREAM, 0) = 3\n+0 bind(3, {sa_family = AF_INET, sin_port = htons(9), "
     "sin_addr = inet_addr(\"9.9.9.9\")}, ...) = -1 EADDRNOTAVAIL (x)",
     NULL},
    {DRILL_FAILED, "0 socket(..., SOCK_STREAM, 0) = 3\n+0 bind(3, 5, ...) = 0",
     "this is no address"},
    /* A blocking connect, refused; datagrams. */
    {DRILL_PASSED,
     "0 socket(..., SOCK_STREAM, 0) = 3\n+0...0.1 connect(3, ..., ...) = -1 ECONNREFUSED (x)\n"
     "+0 > S 0:0(0) <mss 1460>\n+0.1 < R. 0:0(0) ack 1 win 0\n",
     NULL},
    {DRILL_PASSED,
     UDP "+0 sendto(3, \"abcde\", 5, 0, ..., ...) = 5\n+0 > udp (5) data \"abcde\"\n"
         "+0 < udp (5) data \"hello\"\n+0 recvfrom(3, \"hello\", 9, 0, ..., ...) = 5\n",
     NULL},
    {DRILL_FAILED,
     UDP "+0 sendto(3, ..., 5, 0, ..., ...) = 5\n+0 > udp (5)\n+0 < udp (5)\n"
         "+0 recvfrom(3, ..., 9, 0, {sa_family=AF_INET, sin_port=htons(1), "
         "sin_addr=inet_addr(\"192.0.2.1\")}, ...) = 5\n",
     "the address is 192.0.2.1 port 8080"},
    {DRILL_PASSED,
     UDP "+0 connect(3, ..., ...) = 0\n+0 write(3, ..., 5) = 5\n+0 > udp (5)\n"
         "+0 < icmp unreachable port_unreachable [udp(5)]\n"
         "+0 read(3, ..., 9) = -1 ECONNREFUSED (x)\n",
     NULL},
    /* Calls that wait at the end of the script are no leak, and names that mean nothing are said. */
    {DRILL_FAILED, OPEN "+0...9 read(4, ..., 9) = 5\n", "has not returned"},
    {DRILL_FAILED, OPEN "+0 read(4, ..., 9) = 5\n", "would block"},
    {DRILL_SKIPPED, OPEN "+0 setsockopt(4, SOL_IP, IP_FREEBIND, [1], 4) = 0\n", "IP_FREEBIND"},
    {DRILL_SKIPPED, OPEN "+0 setsockopt(4, SOL_TCP, TCP_NOVELTY, [1], 4) = 0\n", "TCP_NOVELTY"},
    {DRILL_SKIPPED, OPEN "+0 bind(3, inet_novelty(5), 4) = 0\n", "inet_novelty()"},
};

static void test_rows(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct drill_options options = {.profile = WEIR_PROFILE_DEFAULT, .seed = 1};
        struct drill_result result;
        const char *text;

        options.lenient = rows[i].verdict == DRILL_PASSED && strstr(rows[i].script, "splice");
        drill_text("t", rows[i].script, strlen(rows[i].script), &options, &result);
        text = result.text ? result.text : "";
        if (result.verdict != rows[i].verdict || (rows[i].said && !strstr(text, rows[i].said)))
            print_error("row %zu:\n%s\nsaid: %s\nexpected: %s\n", i, rows[i].script, text,
                        rows[i].said ? rows[i].said : "nothing");
        assert_int_equal(result.verdict, rows[i].verdict);
        assert_true(!rows[i].said || strstr(text, rows[i].said));
        free(result.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
