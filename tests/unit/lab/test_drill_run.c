/* SPDX-License-Identifier: MIT */

/* The executor of packet scripts: a judge that must be able to say no. Each script here is wrong in
 * one way, or needs something that is not there, and the verdict must say so. That right scripts
 * pass is what tests/script shows. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/drill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN                                      \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n" \
    "+0 bind(3, ..., ...) = 0\n"                    \
    "+0 listen(3, 1) = 0\n"
#define SYN "+0 < S 0:0(0) win 32792 <mss 1000>\n"
#define SYN_ACK "+0 > S. 0:0(0) ack 1 <mss 1460>\n"
#define ACK "+0.1 < . 1:1(0) ack 1 win 32792\n"
#define OPEN LISTEN SYN SYN_ACK ACK "+0 accept(3, ..., ...) = 4\n"

#define SCALED                                         \
    "+0 < S 0:0(0) win 9999 <mss 1000,nop,wscale 7>\n" \
    "+0 > S. 0:0(0) ack 1 <...>\n"
#define CONNECT                                                       \
    "0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3\n"     \
    "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation going on)\n" \
    "+0 > S 0:0(0) <...>\n"
#define STAMPED                                                  \
    "+0 < S 0:0(0) win 9999 <mss 1000,nop,nop,TS val 1 ecr 0>\n" \
    "+0 > S. 0:0(0) ack 1 <...>\n"
#define SACKED                                           \
    "+0 < S 0:0(0) win 9999 <mss 1000,nop,nop,sackOK>\n" \
    "+0 > S. 0:0(0) ack 1 <...>\n"
#define NODELAY "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n"
#define SMALL(from, to) "+0 write(4, ..., 9) = 9\n+0 > P. " #from ":" #to "(9) ack 1\n"
#define TEN                                                                                    \
    NODELAY SMALL(1, 10) SMALL(10, 19) SMALL(19, 28) SMALL(28, 37) SMALL(37, 46) SMALL(46, 55) \
        SMALL(55, 64) SMALL(64, 73) SMALL(73, 82) SMALL(82, 91)
#define LOSS /* of the first of ten segments; the threshold is 5000 now, and Linux's would be 7000 */ \
    OPEN "+0 write(4, ..., 20000) = 20000\n+0 > . 1:10001(10000) ack 1\n"                             \
         "+0.1 < . 1:1(0) ack 1 win 32792\n+0 > . 10001:11001(1000) ack 1\n"                          \
         "+0 < . 1:1(0) ack 1 win 32792\n+0 > . 11001:12001(1000) ack 1\n"                            \
         "+0 < . 1:1(0) ack 1 win 32792\n+0 > . 1:1001(1000) ack 1\n"
#define AFTER_LOSS "how Linux sends after a loss"
#define REFUSED "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0"

struct row {
    enum drill_verdict verdict;
    const char *script;
    const char *said; /* a part of the text */
};

static const struct row rows[] = {
    {DRILL_PASSED, OPEN, NULL},
    /* The script itself is late: a packet was within its tolerance, or a call had to be waited for. */
    {DRILL_FAILED,
     LISTEN SYN SYN_ACK "0.9 > S. 0:0(0) ack 1 <mss 1460>\n0.9 < . 1:1(0) ack 1 win 9",
     "it is 1.000000 already"},
    {DRILL_PASSED, LISTEN SYN SYN_ACK "0.9 > S. 0:0(0) ack 1 <mss 1460>\n1 < . 1:1(0) ack 1 win 9",
     NULL},
    {DRILL_FAILED,
     OPEN "+0...0.5 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n"
          "+0 close(4) = 0\n* > F. 1:1(0) ack 1",
     "it is 0.600000 already"},
    {DRILL_PASSED,
     OPEN "+0...0.5 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n"
          "+0.5 close(4) = 0\n* > F. 1:1(0) ack 1",
     NULL},
    /* A blocked call's end is within an eighth of its length, whatever happened shortly before. */
    {DRILL_PASSED,
     OPEN "+0...1 read(4, ..., 9) = 9\n+0.9 < . 1:1(0) ack 1 win 100\n"
          "+0.22 < P. 1:10(9) ack 1 win 100\n* > . 1:1(0) ack 10",
     NULL},
    {DRILL_FAILED,
     OPEN "+0...1 read(4, ..., 9) = 9\n+0.9 < . 1:1(0) ack 1 win 100\n"
          "+0.25 < P. 1:10(9) ack 1 win 100\n* > . 1:1(0) ack 10",
     "the call returned at"},
    {DRILL_BROKEN, "0 foo", "t:1:6: expected `(`"},
    /* What a packet says. */
    {DRILL_FAILED, LISTEN SYN "+0 > S 0:0(0) <mss 1460>", "* flags"},
    {DRILL_FAILED, LISTEN SYN "+0 > S. 0:0(0) ack 2 <mss 1460>", "* ack"},
    {DRILL_FAILED, LISTEN SYN "+0 > S. 0:0(0) ack 1", "* options"},
    {DRILL_FAILED, LISTEN SYN "+0 > S. 0:0(0) ack 1 <mss 1461>", "* options"},
    {DRILL_FAILED, LISTEN SYN "+0 > S. 0:0(0) ack 1 win 1 <mss 1460>", "* win"},
    {DRILL_FAILED, LISTEN SYN "+0 > (ttl 3) S. 0:0(0) ack 1 <mss 1460>", "* ttl"},
    {DRILL_PASSED, LISTEN SYN "+0 > S. 0:0(0) ack 1 <...>", NULL},
    {DRILL_PASSED, LISTEN SYN "* > S. 77:77(0) ack 1 <...>", NULL},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 9) = 9\n+0 > P. 2:11(9) ack 1", "* seq"},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 9) = 9\n+0 > P. 1:11(10) ack 1", "* length"},
    {DRILL_FAILED, OPEN "+0 write(4, \"x\", 1) = 1\n+0 > P. 1:2(1) ack 1", "* payload"},
    {DRILL_PASSED, OPEN "+0 write(4, \"xyz\", 3) = 3\n+0 > P. 1:4(3) ack 1 data \"xyz\"", NULL},
    {DRILL_FAILED, OPEN "+0 write(4, \"xyz\", 3) = 3\n+0 > P. 1:4(3) ack 1 data \"xyw\"",
     "* payload    0x77 at byte 2"},
    /* What is read. */
    {DRILL_PASSED,
     OPEN "+0 < F. 1:4(3) ack 1 win 9 data \"xyz\"\n+0 > . 1:1(0) ack 5\n"
          "+0 read(4, \"xyz\", 9) = 3\n+0 read(4, \"xyz\", 9) = 0",
     NULL},
    {DRILL_FAILED,
     OPEN "+0 < F. 1:4(3) ack 1 win 9 data \"xyz\"\n+0 > . 1:1(0) ack 5\n"
          "+0 read(4, \"xyw\", 9) = 3",
     "read 3 bytes other than expected"},
    {DRILL_FAILED, LISTEN SYN "+0 > [df] S. 0:0(0) ack 1 <mss 1460>", "* df"},
    {DRILL_PASSED, LISTEN SYN "+0 > [nodf, src 192.168.0.1] S. 0:0(0) ack 1 <mss 1460>", NULL},
    {DRILL_FAILED, LISTEN SYN "+0 > [src 192.168.0.9] S. 0:0(0) ack 1 <mss 1460>", "* src"},
    {DRILL_FAILED, LISTEN SYN "+0 > [dst 192.168.0.9] S. 0:0(0) ack 1 <mss 1460>", "* dst"},
    {DRILL_FAILED, LISTEN SYN "+0 > [frag 0:8+] S. 0:0(0) ack 1 <mss 1460>", "* more"},
    {DRILL_PASSED, LISTEN SYN "+0 > S. 0:0(0) ack 1 <hex 020405b4>", NULL},
    {DRILL_FAILED, LISTEN SYN "+0 > S. 0:0(0) ack 1 <hex 020405b5>", "* options"},
    /* Broken packets: the stack stays silent, and goes on. */
    {DRILL_PASSED, LISTEN "+0 < [sum bad] S 0:0(0) win 1\n" SYN SYN_ACK, NULL},
    {DRILL_PASSED, LISTEN "+0 < [ip-sum bad] S 0:0(0) win 1\n" SYN SYN_ACK, NULL},
    {DRILL_PASSED, LISTEN "+0 < [doff 4] S 0:0(0) win 1\n" SYN SYN_ACK, NULL},
    {DRILL_PASSED, LISTEN "+0 < [cut 39] S 0:0(0) win 1\n" SYN SYN_ACK, NULL},
    {DRILL_PASSED, LISTEN "+0 < [dst 9.9.9.9] S 0:0(0) win 1\n" SYN SYN_ACK, NULL},
    {DRILL_PASSED, LISTEN "+0 < raw \"00\"\n" SYN SYN_ACK, NULL},
    {DRILL_PASSED,
     LISTEN "+0 < [id 1, frag 16:24] S 0:0(0) win 9 <mss 1000>\n"
            "+0 < [id 1, frag 0:16+] S 0:0(0) win 9 <mss 1000>\n" SYN_ACK,
     NULL},
    /* Messages around TCP. */
    {DRILL_PASSED,
     "0 < icmp echo_request id 5 seq 6 data \"ping\"\n"
     "+0 > icmp echo_reply id 5 seq 6 data \"ping\"",
     NULL},
    {DRILL_FAILED,
     "0 < icmp echo_request id 5 seq 6 data \"ping\"\n"
     "+0 > icmp echo_reply id 5 seq 7 data \"pong\"",
     "* icmp seq"},
    {DRILL_PASSED,
     "--mtu=576\n0 < icmp echo_request id 5 [raw(600)]\n"
     "+0 > [frag 0:552+] icmp echo_reply id 5\n+0 > [frag 552:608] icmp echo_reply",
     NULL},
    {DRILL_FAILED,
     "--mtu=576\n0 < icmp echo_request id 5 [raw(600)]\n+0 > icmp echo_reply id 5 [raw(600)]",
     "* fragment"},
    /* A run of full segments where the script expects one large packet. */
    {DRILL_PASSED, OPEN "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1", NULL},
    {DRILL_PASSED,
     OPEN "+0 write(4, ..., 3000) = 3000\n+0 > . 1:2001(2000) ack 1\n+0 > P. 2001:3001(1000) ack 1",
     NULL},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:2001(2000) ack 1", "* flags"},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 3000) = 3000\n+0 > . 1:3001(3000) ack 1", "* flags"},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3101(3100) ack 1", "* length"},
    {DRILL_FAILED,
     "--strict_segments\n" OPEN "+0 write(4, ..., 3000) = 3000\n+0 > P. 1:3001(3000) ack 1",
     "* length"},
    {DRILL_FAILED,
     OPEN "+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0\n+0 write(4, ..., 10) = 10\n"
          "+0 write(4, ..., 10) = 10\n+0 > P. 1:21(20) ack 1",
     "* length"},
    /* Rules: ours, and the script's own. */
    {DRILL_FAILED, LISTEN SYN "+0 > S. 0:0(0) ack 1", "rule: RFC 9293 3.7.1 [MUST-14, SHLD-5]"},
    {DRILL_FAILED, OPEN "+0 < P. 1:8(7) ack 1 win 9\n+0 > R 1:1(0)\n", "rule: RFC 9293 3.6.1"},
    {DRILL_FAILED, OPEN "+0 < R 1:1(0) win 0\n+0 > . 1:1(0) ack 1\n", "5961 3.2"},
    {DRILL_FAILED, "// RFC 1 2.\n// RFC 793 3.4: no.\n" LISTEN SYN "+0 > S. 0:0(0) ack 1\n// RFC 7",
     "the script cites: RFC 793 3.4: no.\n"},
    /* When it comes, and whether. */
    {DRILL_FAILED, "0 close(3) = -1\n* > icmp echo_reply", "no packet came"},
    {DRILL_FAILED, LISTEN SYN "+0.1 > S. 0:0(0) ack 1 <mss 1460>", "came at 0.000000, expected"},
    {DRILL_PASSED, LISTEN SYN SYN_ACK "+1.1 > S. 0:0(0) ack 1 <mss 1460>", NULL}, /* 12.5 % */
    {DRILL_FAILED, "--tolerance_percent=1\n" LISTEN SYN SYN_ACK "+1.1 > S. 0:0(0) ack 1 <mss 1460>",
     "came at 1.000000"},
    {DRILL_PASSED, LISTEN SYN SYN_ACK "+0.5~+1.5 > S. 0:0(0) ack 1 <mss 1460>", NULL},
    {DRILL_FAILED, OPEN "+0 > . 1:1(0) ack 1", "no packet came"},
    {DRILL_FAILED, "0 > . 1:1(0) ack 1", "no connection"},
    {DRILL_FAILED, LISTEN SYN, "a packet left that no line expected"},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 9) = 9", "a packet left that no line expected"},
    /* Calls. */
    {DRILL_FAILED, "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = -1", "returned 3, expected -1"},
    {DRILL_FAILED, "0 close(3) = 0", "returned -1 EBADF, expected 0"},
    {DRILL_FAILED, "0 close(3) = -1 EINVAL (x)", "failed with EBADF, expected EINVAL"},
    {DRILL_PASSED, "0 close(3) = -1 EBADF (x)", NULL},
    {DRILL_FAILED, LISTEN "+0 listen(3, 1) = 0 EINVAL", "EINVAL"},
    {DRILL_PASSED, CONNECT "+0 < icmp unreachable port_unreachable\n" REFUSED, NULL},
    {DRILL_PASSED, CONNECT "+0 < [0:0(0)] icmp unreachable port_unreachable\n" REFUSED, NULL},
    {DRILL_FAILED, CONNECT "+0 < icmp unreachable port_unreachable [9:9(0)]\n" REFUSED, "SO_ERROR"},
    {DRILL_FAILED, LISTEN "+0 accept(3, ..., ...) = 4", "would block"},
    {DRILL_FAILED, LISTEN "+0...1 accept(3, ..., ...) = 4", "has not returned"},
    {DRILL_FAILED, OPEN "+0...1 close(4) = 0", "returned at once"},
    {DRILL_FAILED, LISTEN "+0...0.5 accept(3, ..., ...) = 4\n" SYN SYN_ACK ACK,
     "returned at 0.100000, expected at 0.500000"},
    {DRILL_FAILED, OPEN "+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0", "is 0, expected 1"},
    {DRILL_PASSED, OPEN "+0...0.5 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0", NULL},
    {DRILL_FAILED, OPEN "+0 poll([{fd=4, events=POLLOUT, revents=0}], 1, 0) = 1", "revents"},
    {DRILL_FAILED, OPEN "+0 < P. 1:8(7) ack 1 win 9\n+0 ioctl(4, SIOCINQ, [8]) = 0", "gave 7"},
    /* Asserts. */
    {DRILL_FAILED, OPEN "+0 %{ assert tcpi_state == TCP_LISTEN, 'no' }%", "(1, 10): no"},
    {DRILL_SKIPPED, OPEN "+0 %{ assert tcpi_pmtu == 0 }%", "tcpi_pmtu"},
    {DRILL_SKIPPED, OPEN "+0 %{ import os }%", "import os"},
    /* What is not there is named, before anything is run. */
    {DRILL_SKIPPED, "0 close(3) = 0\n+0 > S 0:0(0) <mss 1,sackOK,nop,nop>", "sackOK"},
    {DRILL_SKIPPED, "0 close(3) = 0\n+0 > S 0:0(0) <nop,wscale 7>", "wscale"},
    {DRILL_SKIPPED, "0 < . 1:1(0) ack 1 win 1 <dss dack8=1,nop>", "the TCP option dss"},
    {DRILL_SKIPPED, "0 < . 1:1(0) ack 1 win 1 <exp-tarr 3,nop>", "the TCP option exp"},
    {DRILL_SKIPPED, "0 < S 0:0(0) win 1 <FO TFO_COOKIE,nop,nop>", "the TCP option FO"},
    {DRILL_SKIPPED, "0 < icmp packet_too_big mtu 1280 [1:2(1)]", "IPv6"},
    {DRILL_SKIPPED, "0 < icmp unreachable address_unreachable [1:2(1)]", "IPv6"},
    {DRILL_SKIPPED, LISTEN SCALED "+0 < . 1:1(0) ack 1 win 257", "wscale"},
    {DRILL_SKIPPED, LISTEN SCALED "+0 < . 1:1(0) ack 1 win 65535\n* > . 1:1(0) ack 1 win 3",
     "wscale"},
    {DRILL_PASSED, LISTEN SCALED "+0 < . 1:1(0) ack 1 win 65535", NULL},
    {DRILL_SKIPPED,
     "--profile=linux\n" OPEN "+0 < icmp unreachable frag_needed mtu 900 [1:2(1)]\n"
     "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1",
     "path MTU discovery"},
    {DRILL_PASSED, "--profile=linux\n" OPEN "+0 < icmp unreachable frag_needed mtu 900 [1:2(1)]",
     NULL},
    {DRILL_SKIPPED, "0 close(3) = 0\n+0 > SEW 0:0(0)", "ECN"},
    {DRILL_SKIPPED, "0 close(3) = 0\n+0 > S 0:0(0) <nop,TS val 1 ecr 2,nop>", "TS"},
    {DRILL_SKIPPED, "0 socket(..., SOCK_RAW, IPPROTO_UDP) = 3", "SOCK_RAW"},
    {DRILL_SKIPPED, "0 sendto(3, ..., 1, MSG_FASTOPEN, ..., ...) = 1", "MSG_FASTOPEN"},
    {DRILL_SKIPPED, "0 sendfile(3, 4, [0], 9) = 3", "sendfile"},
    {DRILL_SKIPPED, "0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [1], 4) = 0", "TCP_FASTOPEN"},
    {DRILL_SKIPPED, "`sysctl -q x=1`\n0 close(3) = 0", "the sysctl x"},
    {DRILL_SKIPPED, "--ip_version=ipv4-mapped-ipv6\n0 close(3) = 0", "ipv4-mapped-ipv6"},
    {DRILL_PASSED, "--local_ip=\"192.168.0.1\"\n0 close(3) = -1 EBADF", NULL},
    {DRILL_SKIPPED, "--local_ip=fd3d::1\n0 close(3) = 0", "IPv6"},
    {DRILL_SKIPPED, "--dry_run\n0 close(3) = 0", "--dry_run"},
    {DRILL_SKIPPED, "--mss=100\n" LISTEN "+0 < S 0:101(101) win 9", "--mss=100"},
    {DRILL_PASSED, "--mss=101 --v\n--tcp_ts_tick_usecs=1000\n" LISTEN SYN SYN_ACK, NULL},
    {DRILL_SKIPPED,
     LISTEN "+0 < S 0:0(0) win 9 <mss 9,sackOK,nop,nop>\n+0 > S. 0:0(0) ack 1 <...>\n"
            "+0 < . 1:1(0) ack 1 win 9 <nop,nop,sack 3:4>",
     "the TCP option sack"},
    {DRILL_SKIPPED, "--ip_version=ipv6\n0 close(3) = 0", "--ip_version=ipv6"},
    {DRILL_FAILED, "--mtu=1\n0 close(3) = 0", "--mtu has a wrong value"},
    {DRILL_FAILED, "--profile=none\n0 close(3) = 0", "--profile has a wrong value"},
    {DRILL_PASSED, "--profile=strict\n" LISTEN SYN SYN_ACK "+1 > S. 0:0(0) ack 1 <...>", NULL},
};

/* Scripts that were written for Linux. */
static const struct row linux_rows[] = {
    /* After a loss Linux has another way to send; but what stands before the loss is judged. */
    {DRILL_PASSED, LOSS, NULL},
    {DRILL_SKIPPED, LOSS "+0 < . 1:1(0) ack 1 win 32792\n+0 > . 12001:13001(1000) ack 1",
     AFTER_LOSS},
    {DRILL_FAILED,
     "--profile=linux\n" LOSS "+0 < . 1:1(0) ack 1 win 32792\n+0 > . 12001:13001(1000) ack 1",
     "* seq"},
    {DRILL_SKIPPED, LOSS "+0 < . 1:1(0) ack 11001 win 32792\n+0 > . 12001:13001(1000) ack 1",
     AFTER_LOSS},
    {DRILL_SKIPPED, LOSS "+0 < . 1:1(0) ack 12001 win 32792", AFTER_LOSS},
    {DRILL_SKIPPED, LOSS "+0 %{ assert tcpi_snd_ssthresh == 7 }%", AFTER_LOSS},
    {DRILL_FAILED, LOSS "+0 %{ assert tcpi_state == 7 }%", "(1, 7)"},
    {DRILL_FAILED, LOSS "+0 < R 1:1(0) win 0\n+0 read(4, ..., 9) = 9", "ECONNRESET"},
    {DRILL_FAILED, OPEN "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n+0 > P. 10:19(9) ack 1",
     "* seq"}, /* the time-out came while the line waited */
    /* Ten small segments fill Linux's window, and not ours; nine do not. */
    {DRILL_SKIPPED,
     OPEN TEN "+0 write(4, ..., 9) = 9\n"
              "+0.1 < . 1:1(0) ack 91 win 999\n+0 > P. 91:100(9) ack 1",
     "counted in segments"},
    {DRILL_SKIPPED, OPEN TEN "+0.1 < . 1:1(0) ack 91 win 999\n+0 %{ assert tcpi_snd_cwnd == 20 }%",
     "counted in segments"},
    {DRILL_FAILED, OPEN NODELAY "+0 %{ assert tcpi_snd_cwnd == 11 }%", "(10, 11)"},
    {DRILL_FAILED, OPEN NODELAY SMALL(1, 10) SMALL(10, 19) "+0 > P. 20:29(9) ack 1", "* seq"},
    /* What `<...>` may hide. */
    {DRILL_SKIPPED, LISTEN STAMPED "+0.1 < . 1:1(0) ack 1 win 9\n* > P. 1:9(8) ack 1 <...>", "TS"},
    {DRILL_PASSED, LISTEN STAMPED "+0.1 < . 1:1(0) ack 1 win 9\n+0 accept(3, ..., ...) = 4", NULL},
    {DRILL_PASSED,
     "`sysctl -q net.ipv4.tcp_timestamps=0`\n" LISTEN STAMPED ACK "+0 accept(3, ..., ...) = 4\n"
     "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1",
     NULL},
    {DRILL_SKIPPED,
     LISTEN SACKED ACK "+0 accept(3, ..., ...) = 4\n"
                       "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n+0.2 > P. 1:10(9) ack 1",
     "the TCP option sackOK"},
    {DRILL_FAILED,
     "`sysctl -q net.ipv4.tcp_sack = 0`\n" LISTEN SACKED ACK "+0 accept(3, ..., ...) = 4\n"
     "+0 write(4, ..., 9) = 9\n+0 > P. 1:10(9) ack 1\n+0.2 > P. 1:10(9) ack 1",
     "came at"},
    /* Other congestion controls. */
    {DRILL_SKIPPED, OPEN "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"cubic\", [16]) = 0",
     "the congestion control cubic"},
    {DRILL_SKIPPED, OPEN "+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, \"bbr\", 3) = 0", "bbr"},
    {DRILL_PASSED, OPEN "+0 setsockopt(4, SOL_TCP, TCP_CONGESTION, \"bbq\", 3) = -1 ENOENT", NULL},
    {DRILL_PASSED, OPEN "+0 getsockopt(4, SOL_TCP, TCP_CONGESTION, \"reno\", [16]) = 0", NULL},
    {DRILL_FAILED, CONNECT "+0 < S. 0:0(0) ack 1 win 9 <mss 9>\n+0 > P. 1:2(1) ack 1", "* flags"},
    {DRILL_FAILED, LOSS "+0 < . 1:1(0) ack 10001 win 32792\n+0 > . 1:1001(1000) ack 1", "* seq"},
    /* Options and control messages that have no effect here, and names that nobody knows. */
    {DRILL_SKIPPED, OPEN "+0 setsockopt(4, SOL_TCP, TCP_QUICKACK, [0], 4) = 0", "TCP_QUICKACK"},
    {DRILL_SKIPPED,
     OPEN "+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 9}], msg_flags=0, "
          "msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_TOS, cmsg_data=4}]}, 0) = 9",
     "control messages"},
    {DRILL_PASSED,
     OPEN "+0 sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 9}], msg_flags=0}, 0) = 9\n"
          "+0 > P. 1:10(9) ack 1",
     NULL},
    {DRILL_SKIPPED, OPEN "+0 fcntl(4, F_GETFL) = O_RDWR|O_LARGEFILE", "O_LARGEFILE"},
    {DRILL_FAILED, OPEN "+0 fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK", "returned 2"},
    /* Linux reads around an urgent byte. */
    {DRILL_SKIPPED, OPEN "+0 < UP. 1:8(7) ack 1 win 9 urg 7\n+0 read(4, ..., 9) = 6", "urgent"},
    {DRILL_PASSED,
     OPEN "+0 setsockopt(4, SOL_SOCKET, SO_OOBINLINE, [1], 4) = 0\n"
          "+0 < UP. 1:8(7) ack 1 win 9 urg 7\n* > . 1:1(0) ack 8\n+0 read(4, ..., 9) = 7",
     NULL},
};

static void run(const char *script, bool lenient, uint64_t seed, struct drill_result *result)
{
    struct drill_options options = {.profile = WEIR_PROFILE_DEFAULT, .lenient = lenient};

    options.seed = seed;
    drill_text("t", script, strlen(script), &options, result);
}

static void check_row(const struct row *row, const struct drill_result *result)
{
    const char *text = result->text ? result->text : "";

    if (result->verdict != row->verdict || (row->said && !strstr(text, row->said)))
        print_error("script:\n%s\nsaid: %s\nexpected: %s\n", row->script, text,
                    row->said ? row->said : "nothing");
    assert_int_equal(result->verdict, row->verdict);
    assert_true(!row->said || strstr(text, row->said));
}

static void test_verdicts(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct drill_result result;

        run(rows[i].script, false, 1, &result);
        check_row(&rows[i], &result);
        free(result.text);
    }
}

static void test_linux(void **state)
{
    const struct drill_options options = {.profile = WEIR_PROFILE_LINUX};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(linux_rows) / sizeof(linux_rows[0]); i++) {
        struct drill_result result;

        drill_text("t", linux_rows[i].script, strlen(linux_rows[i].script), &options, &result);
        check_row(&linux_rows[i], &result);
        free(result.text);
    }
}

static void test_lenient(void **state)
{
    struct drill_result result;

    (void)state;
    run(LISTEN SYN, true, 1, &result);
    assert_int_equal(result.verdict, DRILL_PASSED);
    free(result.text);
}

/* The same script has the same hash; another seed has another ISN, hence another. */
static void test_hash(void **state)
{
    struct drill_result first, again, other;

    (void)state;
    run(OPEN, false, 1, &first);
    run(OPEN, false, 1, &again);
    run(OPEN, false, 2, &other);
    assert_true(first.trace_hash == again.trace_hash);
    assert_true(first.trace_hash != other.trace_hash);
    free(first.text);
    free(again.text);
    free(other.text);
}

/* A failure tells the conversation, the state and the plan. */
static void test_report(void **state)
{
    struct drill_result result;

    (void)state;
    run(OPEN "+0 read(4, ..., 9) = 9", false, 1, &result);
    assert_int_equal(result.verdict, DRILL_FAILED);
    assert_non_null(strstr(result.text, "t:8:1: the call would block"));
    assert_non_null(strstr(result.text, "    +0 read(4, ..., 9) = 9\n"));
    assert_non_null(strstr(result.text, "> 192.0.2.1:40001 S. 0:0(0) ack 1 win 65535"));
    assert_non_null(strstr(result.text, "state: ESTABLISHED"));
    assert_non_null(strstr(result.text, "plan: idle"));
    free(result.text);
}

static void test_no_file(void **state)
{
    struct drill_options options = {.profile = WEIR_PROFILE_DEFAULT};
    struct drill_result result;

    (void)state;
    drill_file("/nonexistent.pkt", &options, &result);
    assert_int_equal(result.verdict, DRILL_BROKEN);
    assert_non_null(strstr(result.text, "No such file"));
    free(result.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_linux),
        cmocka_unit_test(test_lenient),  cmocka_unit_test(test_hash),
        cmocka_unit_test(test_report),   cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
