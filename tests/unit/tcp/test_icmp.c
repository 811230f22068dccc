/* SPDX-License-Identifier: MIT */

/* ICMP errors about a connection: RFC 9293 3.9.2.2, RFC 5927. */

#include "setup.h"

static const struct {
    uint8_t type, code;
    int error; /* 0: means nothing */
    bool is_hard;
} errors[] = {
    {3, 0, WEIR_ENETUNREACH, false},
    {3, 1, WEIR_EHOSTUNREACH, false},
    {3, 2, WEIR_ECONNREFUSED, true},
    {3, 3, WEIR_ECONNREFUSED, true},
    {3, 4, 0, false},
    {3, 5, WEIR_EHOSTUNREACH, false},
    {3, 13, WEIR_EHOSTUNREACH, false},
    {11, 0, WEIR_EHOSTUNREACH, false},
    {12, 0, WEIR_EHOSTUNREACH, false},
    {4, 0, 0, false},
};

/* RFC 9293 3.9.1.8 [MUST-47, MUST-54, MUST-55, MUST-56, SHLD-25, SHLD-26]: in ESTABLISHED all of
 * them are soft (RFC 5927); source quench is nothing. */
static void test_established(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_passive(t);
        struct weir_tcp_info before;

        talk_write(t, s, 3000);
        talk_drain(t);
        talk_events(t, s);
        before = talk_info(t, s);
        talk_icmp_seq(t, errors[i].type, errors[i].code, 0, 1);
        talk_expect_state(t, s, ESTABLISHED);
        assert_int_equal((talk_events(t, s) & WEIR_NOTICE) != 0, errors[i].error != 0);
        assert_int_equal(weir_socket_take_notice(t->stack, s), errors[i].error);
        assert_int_equal(weir_socket_take_error(t->stack, s), 0);
        assert_int_equal(talk_info(t, s).cwnd, before.cwnd);
        assert_int_equal(talk_info(t, s).mss, before.mss);
        talk_in(t, ". 1:1(0) ack 2921");
        talk_out(t, "P. 2921:3001(80) ack 1");
        talk_destroy(t);
    }
}

/* RFC 9293 3.9.2.2 [MUST-56, SHLD-26]: while opening, the hard ones end it at once, the soft
 * ones do not. */
static void test_syn_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(errors); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_connect(t);

        talk_drain(t);
        talk_icmp(t, errors[i].type, errors[i].code, 0);
        if (errors[i].is_hard) {
            talk_expect_state(t, s, CLOSED);
            assert_int_equal(weir_socket_take_error(t->stack, s), errors[i].error);
        } else {
            talk_expect_state(t, s, SYN_SENT);
            assert_int_equal(weir_socket_take_notice(t->stack, s), errors[i].error);
            talk_in(t, "S. 0:0(0) ack 1 win 1000");
            talk_expect_state(t, s, ESTABLISHED);
        }
        talk_destroy(t);
    }
}

/* RFC 9293 3.9.2.2 [MUST-54]: only what quotes bytes that are out is about this connection. */
static void test_quoted_sequence(void **state)
{
    static const struct {
        int64_t seq;
        bool counts;
    } rows[] = {{-1000, false}, {100, false},  {101, true},     {500, true},
                {1100, true},   {1101, false}, {1000000, false}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_passive(t);

        talk_write(t, s, 100);
        talk_in(t, ". 1:1(0) ack 101");
        talk_write(t, s, 1000);
        talk_drain(t);
        talk_icmp_seq(t, 3, 1, 0, rows[i].seq);
        assert_int_equal(weir_socket_take_notice(t->stack, s),
                         rows[i].counts ? WEIR_EHOSTUNREACH : 0);
        assert_int_equal(talk_dropped(t, WEIR_DROP_ICMP_QUOTE), !rows[i].counts);
        talk_destroy(t);
    }
}

/* RFC 9293 3.9.2.2 [MUST-54]: it finds the one it is about. */
static void test_the_right_one(void **state)
{
    struct talk *t = talk_create(NULL);
    int a = talk_establish_passive(t), b;

    (void)state;
    t->our_port = 81;
    talk_use(t, 81, 40001, 7);
    b = talk_establish_passive(t);
    talk_write(t, b, 10);
    talk_use(t, 80, 40000, 1000);
    talk_write(t, a, 10);
    talk_icmp_seq(t, 3, 1, 0, 1);
    assert_int_equal(weir_socket_take_notice(t->stack, b), 0);
    assert_int_equal(weir_socket_take_notice(t->stack, a), WEIR_EHOSTUNREACH);
    talk_destroy(t);
}

/* RFC 9293 3.9.2.2 [SHLD-25]: when the connection times out later, the reason that ICMP gave is
 * what is reported. */
static void test_reason_of_a_timeout(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_connect(t);

    (void)state;
    talk_drain(t);
    talk_icmp(t, 3, 1, 0);
    talk_advance(t, 600 * WEIR_SECOND);
    talk_expect_state(t, s, CLOSED);
    assert_int_equal(weir_socket_take_error(t->stack, s), WEIR_EHOSTUNREACH);
    talk_destroy(t);
}

/* RFC 9293 3.9.1.8 [SHLD-20]: not told, if it does not want to be. */
static void test_notices_off(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    weir_socket_set(t->stack, s, WEIR_TCP_NOTICES, 0);
    talk_write(t, s, 10);
    talk_events(t, s);
    talk_icmp_seq(t, 3, 1, 0, 1);
    assert_false(talk_events(t, s) & WEIR_NOTICE);
    talk_destroy(t);
}

/* ---- Fields of the IP header ----------------------------------------------------------------- */

/* RFC 9293 3.9.2, 3.9.1.9 RFC 9293 3.9.1.9 [MUST-48, MUST-49, SHLD-21, SHLD-22]: TTL and
 * Diffserv, from the start, changed on the way, and on retransmissions. The ECN bits are not the
 * application's. */
static void test_ttl_and_tos(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = setup_with_rtt(t, 100 * WEIR_MS);

    (void)state;
    talk_write(t, s, 10);
    talk_out(t, "P. 1:11(10) ack 1 ttl 64 tos 0"); /* [SHLD-23]: nothing unless asked */
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TOS, 0xb8), 0);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TTL, 5), 0);
    talk_mark(t);
    talk_expect_at(t, 300, "P. 1:11(10) ack 1 ttl 5 tos 184");
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TOS, 0x2b), 0);
    talk_in(t, "P. 1:3000(2999) ack 11");
    talk_out(t, ". 11:11(0) ack 3000 tos 40");
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TTL, 0), WEIR_EINVAL);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TTL, 256), WEIR_EINVAL);
    assert_int_equal(weir_socket_set(t->stack, s, WEIR_IP_TOS, 256), WEIR_EINVAL);
    talk_abort(t, s);
    talk_out(t, "R 11:11(0) ttl 5 tos 40");
    talk_destroy(t);
}

/* The listener's values are its children's, from the SYN-ACK on; the stack's are everybody's. */
static void test_ttl_and_tos_inherited(void **state)
{
    struct weir_stack_config config;
    struct talk *t;
    int listener;

    (void)state;
    setup_config(&config, WEIR_PROFILE_DEFAULT);
    config.tcp.ttl = 77;
    t = talk_create(&config);
    listener = talk_listen(t, 4);
    weir_socket_set(t->stack, listener, WEIR_IP_TOS, 0x48);
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1 ttl 77 tos 72");
    talk_in(t, ". 1:1(0) ack 1");
    talk_write(t, weir_socket_accept(t->stack, listener, NULL), 1);
    talk_out(t, "P. 1:2(1) ack 1 ttl 77 tos 72");
    talk_destroy(t);
}

/* RFC 9293 3.9.2 [MUST-50, MAY-10, MAY-11]: IP options that nobody knows, a timestamp, a
 * recorded route. */
static void test_ip_options(void **state)
{
    static const uint8_t options[][8] = {
        {0x9e, 8, 1, 2, 3, 4, 5, 6}, {68, 8, 5, 0, 0, 0, 0, 0}, {7, 7, 4, 0, 0, 0, 0, 0}};
    struct weir_packet packet = {.ttl = 64,
                                 .protocol = 6,
                                 .sport = 40000,
                                 .dport = 80,
                                 .mss = -1,
                                 .window = 65535,
                                 .flags = WEIR_TCP_ACK | WEIR_TCP_PSH};
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    uint8_t data[10], bytes[128];

    (void)state;
    for (size_t i = 0; i < COUNT(options); i++) {
        uint32_t sum = 0;
        long length;

        for (unsigned j = 0; j < sizeof(data); j++)
            data[j] = talk_byte(false, 10 * i + j);
        packet.src = t->peers;
        packet.dst = t->ours;
        packet.seq = talk_peer_seq(t, (int64_t)(10 * i + 1));
        packet.ack = talk_our_seq(t, 1);
        packet.payload = data;
        packet.payload_length = sizeof(data);
        length = weir_packet_emit(&packet, bytes, 100);
        memmove(bytes + 28, bytes + 20, (size_t)length - 20);
        memcpy(bytes + 20, options[i], 8);
        bytes[0] = 0x47;
        bytes[3] = (uint8_t)(bytes[3] + 8);
        bytes[10] = bytes[11] = 0;
        for (unsigned j = 0; j < 28; j += 2)
            sum += (uint32_t)(bytes[j] << 8 | bytes[j + 1]);
        sum = (sum & 0xffff) + (sum >> 16);
        bytes[10] = (uint8_t)(~sum >> 8);
        bytes[11] = (uint8_t)~sum;
        talk_in_raw(t, bytes, (size_t)length + 8);
        assert_int_equal(talk_read(t, s, 100), 10);
    }
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_established),         cmocka_unit_test(test_syn_sent),
        cmocka_unit_test(test_quoted_sequence),     cmocka_unit_test(test_the_right_one),
        cmocka_unit_test(test_reason_of_a_timeout), cmocka_unit_test(test_notices_off),
        cmocka_unit_test(test_ttl_and_tos),         cmocka_unit_test(test_ttl_and_tos_inherited),
        cmocka_unit_test(test_ip_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
