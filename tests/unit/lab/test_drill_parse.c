/* SPDX-License-Identifier: MIT */

/* The parser of packet scripts: everything in the language parses into what it says, and everything
 * else is refused with a place and what was expected there. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/script.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

static struct script script;
static char error_text[SCRIPT_ERROR_TEXT];

static int parse(const char *text)
{
    error_text[0] = '\0';
    return script_parse("t", text, strlen(text), NULL, 0, &script, error_text);
}

/* One event each; all must parse. */
static const char *const good[] = {
    "0 > S 0:0(0) <...>",
    "* > . 1:1(0) ack 1",
    "+0~+0.1 > . 1:1(0) ack 1 win 5",
    "0~0.1 > . 1:1(0) ack 1",
    "0 < [ect0] SEW 0:0(0) win 1 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
    "0 < (tos 0x10, ttl 3) 1000 > 80 P. 1:11(10) ack 1 win 1 urg 5",
    "0 > S.5 0:0(0) ack 1",
    "0 > - 0:0(0)",
    "0 < . 1:1(0) ack 1 win 1 <nop,nop,sack 1:2 3:4 5:6>",
    "0 > . 4294967295:4(5) ack 1",
    "0 < S 0:0(0) win 1 <FO,FOEXP 01020304,nop,eol>",
    "0 < S 0:0(0) win 1 <md5 00112233445566778899aabbccddeeff,nop,nop>",
    "0 < . 1:1(0) ack 1 win 1 <ECN e0b 1 ceb 2 e1b 3,ECN e1b 1>",
    "0 < udp (1000)",
    "0 < icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
    "0 > icmp echo_reply id 7 [raw(56)]",
    "0 < icmp type_13 code_2 [udp(64)]",
    "0 < [1:1461(1460)] icmp unreachable frag_needed mtu 1200",
    "0 < icmp address_mask_request",
    "0 < icmp packet_too_big mtu 65536 [1:1001(1000)]",
    "0 < udp 53 > 8080 (100)",
    "0 < . 1:1(0) ack 1 win 1 <mpcapable v1 flags[flag_h] key[ckey=2, skey],dss dack8=1 ssn=f(1,2)>",
    "0 read(3, \"ab\"..., 100) = 100",
    "0 `echo \\`date\\``",
    "--define=NAME=3\n--define=TEXT=\"a b\"\n--define=LAST=`c d`\n0 f(NAME, TEXT) = 0 LAST",
    "0 < ipv4 1.2.3.4 > 5.6.7.8: gre: . 1:1(0) ack 1 win 1",
    "0 < ipv6 ::1 > ::2: mpls (label 1, tc 0, [S], ttl 2): . 1:1(0) ack 1 win 1",
    "0 < [id 7, df, frag 0:16+, proto 99] . 1:1(0) ack 1 win 1",
    "0 < [src 10.0.0.1, dst 10.0.0.2, ip-sum bad, sum bad] . 1:1(0) ack 1 win 1",
    "0 < [sum 0, ihl 4, total 9, cut 3, ipopt 0107, doff 4, reserved 9, tos 1] - 1:1(0) win 1",
    "0 > [id 7, nodf, frag 8:16, src 10.0.0.1, dst 10.0.0.2] . 1:1(0) ack 1",
    "0 < P. 1:4(3) ack 1 win 1 urg 2 <hex 1e, hex ff00,nop> data \"a\" \"\\x00c\"",
    "0 > 5 > 6 udp (3) data \"abc\"",
    "0 < icmp echo_request id 5 seq 6 rest 7 data \"ping\"",
    "0 < icmp echo_request [raw(4)] data \"ping\"",
    "0 < raw \"45 00\" \"0014\"",
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    "0...0.2 accept(3, ..., ...) = 4",
    "+0...+0.2 read(3, ..., 10) = -1 EAGAIN (Resource (temporarily) unavailable) (note)",
    "0 write(3, \"ab\" \"cd\\x00\", 5) = 5",
    "0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
    "0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
    "0 poll([{fd=3, events=POLLIN|POLLOUT, revents=0}], 1, -1) = 0",
    "0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 5",
    "0 recvmsg(3, {msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_INQ, cmsg_data=5}]}, 0) = 5",
    "0 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"1.2.3.4\")}, 16) = 0",
    "0 %{ assert tcpi_state == 1 }%",
    "0 `true`",
    "--tolerance_usecs=5 --v\n`./init.sh`\n0 `a` // note\n/* b */ `./cleanup`",
};

static void test_good(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int status = parse(good[i]);

        if (status < 0)
            print_error("%s\n%s\n", good[i], error_text);
        assert_int_equal(status, 0);
        assert_int_equal(script.event_count, 1);
        script_done(&script);
    }
}

static const struct {
    const char *text, *error;
} bad[] = {
    {"", "t:1:1: expected an event, which begins with a time, found the end of the script"},
    {"1 `a`", "t:1:1: the first event must be at time 0"},
    {"0 `a`\n2 `b`\n1 `c`", "t:3:1: absolute times may not go backwards"},
    {"* `a`", "t:1:1: only an outbound packet can have a range or `*` as its time"},
    {"0~1 `a`", "t:1:1: only an outbound packet can have a range or `*` as its time"},
    {"0 > . 0:0(0) ack 1\n+2~+1 > . 1:1(0)", "t:2:1: this range of times ends before it begins"},
    {"0 > X 0:0(0)", "t:1:5: expected TCP flags (F S R P E W A U . or -), found `X`"},
    {"0 > S 0:1(0)", "t:1:7: expected end = begin + length in 0:1(0)"},
    {"0 > S 0:70000(70000)", "t:1:15: a length is from 0 to 65535"},
    {"0 < S 0:0(0)", "t:1:5: expected win: an inbound segment must say its window"},
    {"0 < S 0:0(0) win 1 <...>", "t:1:21: <...> is for outbound packets only"},
    {"0 > S 0:0(0) <mss>", "t:1:18: expected the option's value, found `>`"},
    {"0 > S 0:0(0) <foo>", "t:1:15: expected a TCP option, found `foo`"},
    {"0 > S 0:0(0) <nop;>", "t:1:18: expected `>` or `,` after a TCP option, found `;`"},
    {"0 > S 0:0(0) <FO 123>", "t:1:18: expected up to 18 bytes as pairs of hexadecimal digits"},
    {"0 > icmp foo", "t:1:10: expected the type of an ICMP message, found `foo`"},
    {"0 > (foo 1) . 1:1(0)",
     "t:1:6: expected noecn, ect0, ect1, ce, ect01, tos, ttl, id, df, nodf, "
     "src, dst, frag or flowlabel, found `foo`"},
    {"0 > [doff 1] . 1:1(0)", "t:1:10: doff is for inbound packets only"},
    {"0 < [id 65536] - 1:1(0) win 1", "t:1:9: id is from 0 to 65535"},
    {"0 < [src 1.2.3] - 1:1(0) win 1", "t:1:10: expected an IPv4 address, found `1.2.3`"},
    {"0 < [frag 4:8] - 1:1(0) win 1",
     "t:1:11: a fragment begins at a multiple of 8 and ends behind that"},
    {"0 < [sum 1] - 1:1(0) win 1", "t:1:10: `bad` or 0 after sum is from 0 to 0"},
    {"0 < [ip-sum 1] - 1:1(0) win 1", "t:1:12: expected `ip-sum bad`"},
    {"0 < [ipopt 1] - 1:1(0) win 1",
     "t:1:12: expected up to 40 bytes of IP options in hexadecimal, found `1`"},
    {"0 > udp (3) data \"ab\"", "t:1:18: this data has 2 bytes, and the line says 3"},
    {"0 > udp (3) data 5", "t:1:18: expected a string, found a number"},
    {"0 > raw \"45\"", "t:1:9: a raw packet is for inbound lines only"},
    {"0 < raw \"4\"", "t:1:9: expected 1 to 65535 bytes as pairs of hexadecimal digits"},
    {"0 < icmp unreachable [udp(3)] data \"abc\"",
     "t:1:36: what an ICMP error quotes has no data of its own"},
    {"0 read(3, 1, 2)", "t:1:16: expected `=` and the call's result, found the end of the script"},
    {"0 read(3 1) = 0", "t:1:10: expected `)` or `,` after a value, found a number"},
    {"0 read(3, ;) = 0", "t:1:11: expected a value, found `;`"},
    {"0 read() = 0 (open", "t:1:19: expected `)` after a note, found the end of the script"},
    {"0 ! = 0", "t:1:3: expected a packet, a call, a command or %{, found `!`"},
    {"0 < [1:2(1)] . 1:1(0) ack 1 win 1", "t:1:14: expected `icmp` after what it quotes"},
    {"0 < [1:2(1)] icmp redirect [1:2(1)]",
     "t:1:28: expected an event, which begins with a time, found `[`"},
    {"0 > S 0:0(0) <dss [,>",
     "t:1:22: expected `>` or `,` after a TCP option, found the end of the "
     "script"},
    {"--define=NAME 0 `a`",
     "t:1:15: expected `=` between a name and what it means, found a number"},
    {"--define=NAME=", "t:1:15: expected NAME=VALUE after --define=, found the end of the script"},
    {"99999999 `a`", "t:1:1: a time is at most 10000000 seconds"},
};

static void test_bad(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i].text), WEIR_EINVAL);
        assert_string_equal(error_text, bad[i].error);
    }
}

static void test_packet_fields(void **state)
{
    const struct packet_line *line;

    (void)state;
    assert_int_equal(parse("0 < (ect1) 5 > 6 SP.6 7:9(2) ack 3 win 4 urg 1 <mss 9,sack 1:2>"), 0);
    line = script.events->packet;
    assert_true(line->inbound && line->has_ports && line->ae);
    assert_int_equal(line->ecn, ECN_ECT1);
    assert_int_equal(line->sport, 5);
    assert_int_equal(line->dport, 6);
    assert_int_equal(line->flags, WEIR_TCP_SYN | WEIR_TCP_PSH | WEIR_TCP_ACK | WEIR_TCP_CWR);
    assert_int_equal(line->seq, 7);
    assert_int_equal(line->payload_length, 2);
    assert_int_equal(line->ack, 3);
    assert_int_equal(line->window, 4);
    assert_int_equal(line->urgent, 1);
    assert_int_equal(line->option_count, 2);
    assert_int_equal(line->options[0].numbers[0], 9);
    assert_int_equal(line->options[1].count, 2);
    script_done(&script);
}

static void test_ip_fields(void **state)
{
    const struct packet_line *line;

    (void)state;
    assert_int_equal(parse("0 < [id 7, df, frag 8:13+, src 10.0.0.1, ipopt 0102030405, ip-sum bad] "
                           "P. 1:4(3) ack 1 win 1 data \"abc\""),
                     0);
    line = script.events->packet;
    assert_int_equal(line->ip.id, 7);
    assert_true(line->ip.df && line->ip.has_fragment && line->ip.more && line->ip.ip_sum_bad);
    assert_false(line->ip.sum_bad || line->ip.sum_zero || line->ip.has_dst || line->ip.no_df);
    assert_int_equal(line->ip.first, 8);
    assert_int_equal(line->ip.end, 13);
    assert_int_equal(weir_addr_to4(&line->ip.src), 0x0a000001);
    assert_int_equal(line->ip.option_bytes, 8);
    assert_memory_equal(line->ip.options, "\1\2\3\4\5\0\0\0", 8);
    assert_int_equal(line->ip.ihl, -1);
    assert_int_equal(line->ip.doff, -1);
    assert_memory_equal(line->data, "abc", 3);
    script_done(&script);
}

static void test_times_and_calls(void **state)
{
    const struct event *event;

    (void)state;
    assert_int_equal(parse("0.0000004 `a`\n+1.5...2 read(3, [7], A|4) = -1 EBADF (x)\n"), 0);
    event = script.events;
    assert_int_equal(event->at, 0); /* microseconds, rounded */
    event = event->next;
    assert_int_equal(event->time, TIME_RELATIVE);
    assert_int_equal(event->at, 1500 * WEIR_MS);
    assert_true(event->call->blocking);
    assert_int_equal(event->call->end, 2 * WEIR_SECOND);
    assert_int_equal(event->call->arg_count, 3);
    assert_int_equal(event->call->args->next->items->number, 7);
    assert_int_equal(event->call->args->next->next->kind, VALUE_OR);
    assert_int_equal(event->call->result->number, -1);
    assert_string_equal(event->call->error, "EBADF");
    assert_string_equal(event->source, "+1.5...2 read(3, [7], A|4) = -1 EBADF (x)");
    script_done(&script);
}

/* What the file defines is a word, a number, a string; what the command line defined comes first. */
static void test_define(void **state)
{
    static const char text[] = "--define=A=7\n--define=B=\"x y\"\n--define=C=1\n0 A(B, C) = 0";
    static const struct define mine[] = {{"C", "2"}, {"A", "call"}};
    const struct call_line *call;

    (void)state;
    assert_int_equal(script_parse("t", text, strlen(text), mine, 2, &script, error_text), 0);
    call = script.events->call;
    assert_string_equal(call->name, "call");
    assert_string_equal(call->args->text, "x y");
    assert_int_equal(call->args->next->number, 2);
    assert_null(script.options);
    script_done(&script);
}

/* In an option a name stands for its digits. */
static void test_define_bytes(void **state)
{
    static const char text[] = "0 < S 0:0(0) win 1 <FO MY_COOKIE,FOEXP \"\",md5 KEY>";
    static const struct define mine[] = {{"MY_COOKIE", "01020304"}, {"KEY", "\"ff\""}};
    const struct tcp_option *options;

    (void)state;
    assert_int_equal(script_parse("t", text, strlen(text), mine, 2, &script, error_text), 0);
    options = script.events->packet->options;
    assert_int_equal(options[0].length, 4);
    assert_memory_equal(options[0].bytes, "\1\2\3\4", 4);
    assert_int_equal(options[1].length, 0);
    assert_int_equal(options[2].length, 1);
    assert_int_equal(options[2].bytes[0], 0xff);
    script_done(&script);
    assert_int_equal(script_parse("t", text, strlen(text), mine, 1, &script, error_text),
                     WEIR_EINVAL); /* KEY might be digits with a fault in them */
}

static void test_bounds(void **state)
{
    static char text[4000];

    (void)state;
    memset(text, '[', sizeof(text) - 1);
    memcpy(text, "0 f(", 4);
    assert_int_equal(parse(text), WEIR_EINVAL);
    assert_non_null(strstr(error_text, "nested at most 32 deep"));
}

/* Any cut and any changed byte of a good script parses or is refused; nothing worse. */
static void test_mangled(void **state)
{
    unsigned seed = 1, i;
    char text[512];

    (void)state;
    for (i = 0; i < 4000; i++) {
        const char *from = good[i % (sizeof(good) / sizeof(good[0]))];
        size_t length = strlen(from);

        memcpy(text, from, length + 1);
        seed = seed * 1103515245u + 12345u;
        text[(seed >> 8) % length] = (char)(seed >> 24);
        if (i % 3 == 0)
            text[(seed >> 4) % length] = '\0';
        if (parse(text) == 0)
            script_done(&script);
        else
            assert_int_equal(strncmp(error_text, "t:", 2), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),          cmocka_unit_test(test_bad),
        cmocka_unit_test(test_packet_fields), cmocka_unit_test(test_times_and_calls),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_mangled),
        cmocka_unit_test(test_ip_fields),     cmocka_unit_test(test_define),
        cmocka_unit_test(test_define_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
