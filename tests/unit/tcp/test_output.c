/* SPDX-License-Identifier: MIT */

/* What leaves: checksums, the sizes of segments, how runs are cut, header fields. And what must not
 * come in: wrong checksums. Every expectation of a conversation verifies the checksum of what was
 * sent; here all of it is swept. */

#include "setup.h"

static void sweep(struct talk *t)
{
    struct weir_packet packet;

    while (talk_take(t, &packet, NULL)) {
        assert_true(packet.ip_checksum_ok && packet.transport_checksum_ok);
        assert_int_equal(packet.reserved, 0);
        if (!(packet.flags & WEIR_TCP_SYN))
            assert_int_equal(packet.options_length, 0); /* RFC 9293 3.2 [MUST-65] */
        if (packet.flags & WEIR_TCP_ACK || packet.flags & WEIR_TCP_RST)
            continue;
        assert_int_equal(packet.flags, WEIR_TCP_SYN);
    }
}

/* RFC 9293 3.1 [MUST-2]: SYN, SYN-ACK, ACK, odd and even lengths, FIN, RST. */
static void test_checksums_sent(void **state)
{
    struct talk *t = talk_create(NULL);
    int s, port = 1;

    (void)state;
    for (uint32_t length = 1; length < 40; length += 3) {
        talk_use(t, 80, 40000, 1000);
        s = length == 1 ? talk_establish_passive(t) : s;
        talk_write(t, s, length);
        setup_in(t, ".", 1, 0, (int64_t)t->written[s] + 1, 65535);
        sweep(t);
    }
    setup_in(t, "P.", 1, 33, (int64_t)t->written[s] + 1, 65535);
    talk_advance(t, WEIR_SECOND);
    talk_abort(t, s); /* RST */
    sweep(t);
    talk_use(t, 81, (uint16_t)(40000 + port), 5);
    talk_in(t, "S 0:0(0) win 100"); /* nobody listens: RST */
    talk_out(t, "R. =0:0(0) ack 1 win 0");
    talk_in(t, "P. 1:18(17) ack =77");
    talk_out(t, "R =77:77(0) win 0");
    talk_destroy(t);
}

/* RFC 9293 3.1 [MUST-3]: no trace but the counter. */
static void test_bad_checksums_refused(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4), s;

    (void)state;
    talk_in(t, "S 0:0(0) win 65535 <mss 1460> badsum");
    talk_out_none(t);
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1 badsum");
    assert_int_equal(weir_socket_accept(t->stack, listener, NULL), WEIR_EAGAIN);
    talk_in(t, ". 1:1(0) ack 1");
    s = weir_socket_accept(t->stack, listener, NULL);
    assert_true(s >= 0);
    talk_in(t, "P. 1:101(100) ack 1 badsum");
    talk_in(t, "P. 201:301(100) ack 1 badsum");
    talk_in(t, "F. 1:1(0) ack 1 badsum");
    talk_in(t, "R 1:1(0) badsum");
    talk_in(t, "U. 1:2(1) ack 1 urg 1 badsum");
    talk_out_none(t);
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(talk_info(t, s).out_of_order, 0);
    assert_int_equal(talk_read(t, s, 10), WEIR_EAGAIN);
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_CHECKSUM), 7);
    talk_in(t, "P. 1:101(100) ack 1");
    assert_int_equal(talk_read(t, s, 1000), 100);
    talk_destroy(t);
}

/* A wrong sum over bytes that were there already leaves them as they are. */
static void test_bad_checksum_spares_what_is_there(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    struct weir_packet packet = {
        .src = t->peers,
        .dst = t->ours,
        .ttl = 64,
        .protocol = 6,
        .sport = 40000,
        .dport = 80,
        .seq = talk_peer_seq(t, 101),
        .ack = talk_our_seq(t, 1),
        .window = 65535,
        .flags = WEIR_TCP_ACK,
        .mss = -1,
        .payload_length = 200,
    };
    uint8_t junk[200], bytes[300];
    long length;

    (void)state;
    memset(junk, 0xee, sizeof(junk));
    packet.payload = junk;
    talk_in(t, ". 101:201(100) ack 1"); /* out of order */
    length = weir_packet_emit(&packet, bytes, sizeof(bytes));
    bytes[36] ^= 0x55;
    talk_in_raw(t, bytes, (size_t)length);
    talk_in(t, ". 1:101(100) ack 1");
    assert_int_equal(talk_read(t, s, 1000), 200);
    talk_destroy(t);
}

/* RFC 9293 3.7.1 [MUST-14, MUST-15, MUST-16, MUST-67, SHLD-5, MAY-3, U-25]: what is offered (536
 * too), what is used. */
static void test_mss(void **state)
{
    static const struct {
        uint32_t mtu;
        int peer, maxseg, offered, used;
    } rows[] = {
        {1500, 1460, 0, 1460, 1460}, {1500, 700, 0, 1460, 700},   {1500, 0, 0, 1460, 536},
        {1500, 9000, 0, 1460, 1460}, {9000, 9000, 0, 8960, 8960}, {9000, 65535, 0, 8960, 8960},
        {576, 1460, 0, 536, 536},    {900, 1460, 0, 860, 860},    {1500, 1, 0, 1460, 88},
        {1500, 48, 0, 1460, 88},     {1500, 88, 0, 1460, 88},     {1500, 89, 0, 1460, 89},
        {1500, 1460, 500, 500, 500}, {1500, 300, 500, 500, 300},  {400, 0, 0, 360, 360},
    };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        struct weir_stack_config config;
        size_t row = i / 2;
        struct talk *t;
        int s;

        setup_config(&config, WEIR_PROFILE_DEFAULT);
        config.tcp.mss_max = (uint16_t)rows[row].maxseg;
        config.tcp.nagle = false;
        t = talk_create_mtu(&config, rows[row].mtu);
        t->peer_mss = rows[row].peer;
        if (i % 2 == 0) {
            s = talk_establish_passive(t);
        } else {
            struct weir_packet packet;
            char text[64] = "S. 0:0(0) ack 1 win 65535";

            s = talk_connect(t);
            assert_true(talk_take(t, &packet, NULL));
            assert_int_equal(packet.mss, rows[row].offered);
            if (rows[row].peer)
                snprintf(text + 25, sizeof(text) - 25, " <mss %d>", rows[row].peer);
            talk_in(t, text);
            talk_out(t, ". 1:1(0) ack 1");
        }
        if (talk_info(t, s).mss != (uint32_t)rows[row].used)
            fail_msg("row %zu: mss %u", i, talk_info(t, s).mss);
        talk_write(t, s, (size_t)rows[row].used + 7);
        {
            struct weir_packet packet;

            assert_true(talk_take(t, &packet, NULL));
            assert_int_equal(packet.payload_length, rows[row].used);
            assert_true(talk_take(t, &packet, NULL));
            assert_int_equal(packet.payload_length, 7);
        }
        talk_destroy(t);
    }
}

/* RFC 9293 3.7.1 [MUST-14]: the option on a SYN-ACK too, with the bound of the interface. */
static void test_mss_on_syn_ack(void **state)
{
    struct talk *t = talk_create_mtu(NULL, 1000);

    (void)state;
    talk_listen(t, 4);
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>");
    talk_out(t, "S. 0:0(0) ack 1 <mss 960>");
    talk_destroy(t);
}

/* A MSS of zero counts as none. */
static void test_mss_zero(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 4);

    (void)state;
    talk_in(t, "S 0:0(0) win 65535 <mss 0>");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    assert_int_equal(talk_info(t, weir_socket_accept(t->stack, listener, NULL)).mss, 536);
    talk_destroy(t);
}

/* Profile brown: no options, 1360 both ways, TTL 16. */
static void test_brown(void **state)
{
    struct weir_stack_config config;
    struct talk *t;
    int s;

    (void)state;
    setup_config(&config, WEIR_PROFILE_BROWN);
    t = talk_create(&config);
    t->peer_mss = 0;
    talk_listen(t, 4);
    talk_in(t, "S 0:0(0) win 65535");
    talk_out(t, "S. 0:0(0) ack 1 win 65535 <> ttl 16");
    talk_destroy(t);

    t = talk_create(&config);
    t->peer_mss = 0;
    s = talk_connect(t);
    talk_out(t, "S 0:0(0) win 65535 <> ttl 16");
    talk_in(t, "S. 0:0(0) ack 1 win 65535");
    talk_out(t, ". 1:1(0) ack 1");
    assert_int_equal(talk_info(t, s).mss, 1360);
    talk_mark(t);
    talk_write(t, s, 1400); /* a moment's pause before the first data, and no Nagle */
    talk_expect_at(t, 2, ". 1:1361(1360) ack 1 ttl 16");
    talk_out(t, "P. 1361:1401(40) ack 1");
    talk_in(t, "P. 1:2(1) ack 1401"); /* acknowledged at once */
    talk_out(t, ". 1401:1401(0) ack 2");
    talk_destroy(t);
}

/* RFC 9293 3.1 [MUST-1, REC-1]: windows above 32767 are large ones; not a byte beyond them is
 * sent. */
static void test_window_is_unsigned(void **state)
{
    static const uint16_t windows[] = {1, 100, 32767, 32768, 40000, 65535};

    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++) {
        struct weir_stack_config config;
        uint32_t highest = 1;
        struct talk *t;
        int s;

        setup_config(&config, WEIR_PROFILE_STRICT);
        t = talk_create(&config);
        t->peer_window = windows[i];
        s = talk_establish_passive(t);
        talk_write(t, s, 262144);
        for (unsigned round = 0; round < 3; round++) {
            uint32_t acked = talk_info(t, s).snd_una - t->flow->our_isn;

            setup_take_data(t, &highest);
            assert_true(highest - acked <= windows[i]);
            while (acked < highest) {
                acked = acked + 1460 < highest ? acked + 1460 : highest;
                setup_in(t, ".", 1, 0, acked, windows[i]);
            }
        }
        /* With cwnd grown, the whole window is filled: but for what silly-window avoidance
         * holds. */
        talk_advance(t, 300 * WEIR_MS);
        setup_take_data(t, &highest);
        assert_int_equal(talk_info(t, s).snd_nxt - talk_info(t, s).snd_una, windows[i]);
        talk_destroy(t);
    }
}

/* RFC 9293 3.9.1.2 [MUST-61, SHLD-28]: a run is cut at the MSS; PSH on the last of what is
 * there. */
static void test_runs_are_cut(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write(t, s, 3 * 1460 + 10);
    talk_out(t, ". 1:1461(1460) ack 1");
    talk_out(t, ". 1461:2921(1460) ack 1");
    talk_out(t, ". 2921:4381(1460) ack 1");
    talk_out_none(t); /* Nagle */
    talk_in(t, ". 1:1(0) ack 4381");
    talk_out(t, "P. 4381:4391(10) ack 1");
    talk_in(t, ". 1:1(0) ack 4391");
    talk_write(t, s, 2 * 1460);
    talk_out(t, ". 4391:5851(1460) ack 1");
    talk_out(t, "P. 5851:7311(1460) ack 1");
    talk_destroy(t);
}

/* The FIN rides on the last segment. */
static void test_fin_rides(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);

    (void)state;
    talk_write_flags(t, s, 100, WEIR_MSG_MORE);
    talk_out_none(t);
    talk_shutdown(t, s);
    talk_out(t, "FP. 1:101(100) ack 1");
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums_sent),
        cmocka_unit_test(test_bad_checksums_refused),
        cmocka_unit_test(test_bad_checksum_spares_what_is_there),
        cmocka_unit_test(test_mss),
        cmocka_unit_test(test_mss_on_syn_ack),
        cmocka_unit_test(test_mss_zero),
        cmocka_unit_test(test_brown),
        cmocka_unit_test(test_window_is_unsigned),
        cmocka_unit_test(test_runs_are_cut),
        cmocka_unit_test(test_fin_rides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
