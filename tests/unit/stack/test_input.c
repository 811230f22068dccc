/* SPDX-License-Identifier: MIT */

/* Who gets a packet: each protocol's taker, nobody's, groups, and the one flow that an ICMP error is
 * about. */

#include "lan.h"

#include <string.h>
#include <talk/talk.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* An IP packet from the peer with a payload of zeros. */
static void send_ip(struct talk *t, uint8_t protocol, uint32_t dst, const uint8_t *payload,
                    uint32_t length)
{
    struct weir_packet packet = {.src = t->peers,
                                 .dst = weir_addr_from4(dst),
                                 .ttl = 64,
                                 .protocol = protocol,
                                 .payload = payload,
                                 .payload_length = length};
    uint8_t bytes[256];
    long total = weir_packet_emit(&packet, bytes, sizeof(bytes));

    assert_true(total > 0);
    talk_in_raw(t, bytes, (size_t)total);
}

/* ---- Takers -------------------------------------------------------------------------------------- */

static void each_protocol_has_its_taker(void **state)
{
    static const struct {
        uint8_t protocol;
        bool raw; /* a raw socket of that protocol is open */
        uint32_t dst;
        enum weir_drop drop;
        const char *out;
    } rows[] = {
        {99, true, 0x0a000001, WEIR_DROP_NONE, NULL},
        {99, false, 0x0a000001, WEIR_DROP_IP_PROTOCOL, "icmp 3 2"},
        {200, false, 0x0a000001, WEIR_DROP_IP_PROTOCOL, "icmp 3 2"}, /* RIP does not run */
        {200, true, 0x0a000001, WEIR_DROP_NONE, NULL},
        {17, false, 0x0a000001, WEIR_DROP_UDP_NO_PORT, "icmp 3 3"}, /* RFC 1122 4.1.3.1 [768-3] */
        {17, false, 0x0a0000ff, WEIR_DROP_UDP_NO_PORT, NULL},
        {99, true, 0x0a000003, WEIR_DROP_IP_NOT_OURS, NULL},
        {99, false, 0x0a0000ff, WEIR_DROP_IP_PROTOCOL, NULL}, /* no error about a broadcast */
        {99, false, 0xffffffff, WEIR_DROP_IP_PROTOCOL, NULL},
    };
    static const uint8_t payload[40];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);
        int s = rows[i].raw ? weir_socket_open(t->stack, WEIR_RAW, rows[i].protocol) : -1;
        uint8_t bytes[64];

        send_ip(t, rows[i].protocol, rows[i].dst, payload, sizeof(payload));
        if (rows[i].out)
            talk_out(t, rows[i].out);
        talk_out_none(t);
        for (int reason = 1; reason < WEIR_DROP_COUNT; reason++) {
            bool is_it = reason == (int)rows[i].drop;
            uint64_t count = talk_dropped(t, (enum weir_drop)reason);

            if (count != is_it && reason != WEIR_DROP_ICMP_FORBIDDEN)
                fail_msg("row %zu: %llu of %s", i, (unsigned long long)count,
                         weir_drop_name((enum weir_drop)reason));
        }
        if (rows[i].raw && rows[i].drop == WEIR_DROP_NONE)
            assert_int_equal(weir_socket_recvfrom(t->stack, s, bytes, sizeof(bytes), NULL), 40);
        talk_destroy(t);
    }
}

/* The flow first, then the listener, then nobody: RFC 9293 3.10.7. */
static void segments_find_flow_then_listener_then_nobody(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t), listener = talk_listen(t, 4);

    (void)state;
    talk_in(t, "P. 1:11(10) ack 1");
    assert_int_equal(talk_info(t, s).receive_queued, 10);
    talk_drain(t);
    talk_use(t, 80, 40001, 1000);
    talk_in(t, "S 0:0(0)");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_use(t, 81, 40001, 1000);
    talk_in(t, "S 0:0(0)");
    talk_out(t, "R. =0:=0(0) ack 1");
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_NO_CONNECTION), 1);
    talk_close(t, listener);
    talk_destroy(t);
}

static void broken_segments_are_dropped_by_reason(void **state)
{
    static const struct {
        uint8_t header[24];
        uint32_t length;
        enum weir_drop drop;
    } rows[] = {
        {{0}, 0, WEIR_DROP_TCP_SHORT},
        {{0}, 19, WEIR_DROP_TCP_SHORT},
        {{[12] = 0x40}, 20, WEIR_DROP_TCP_HEADER_LENGTH},
        {{[12] = 0x60}, 20, WEIR_DROP_TCP_HEADER_LENGTH},
        {{[12] = 0x50, [13] = 2}, 20, WEIR_DROP_TCP_CHECKSUM},
        {{[12] = 0x60, [13] = 2, [20] = 2, 0}, 24, WEIR_DROP_TCP_CHECKSUM},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);
        uint8_t bytes[44] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1};
        uint32_t sum = 0;

        memcpy(bytes + 20, rows[i].header, rows[i].length);
        bytes[3] = (uint8_t)(20 + rows[i].length);
        for (int k = 0; k < 20; k += 2)
            sum += (uint32_t)(bytes[k] << 8 | bytes[k + 1]);
        sum = ~((sum & 0xffff) + (sum >> 16));
        bytes[10] = (uint8_t)(sum >> 8);
        bytes[11] = (uint8_t)sum;
        talk_in_raw(t, bytes, 20 + rows[i].length);
        assert_int_equal(talk_dropped(t, rows[i].drop), 1);
        talk_out_none(t);
        talk_destroy(t);
    }
}

/* RFC 9293 3.9.2.3 [MUST-57]: no segment to a group is heeded. */
static void segments_to_groups_are_not_heeded(void **state)
{
    static const uint32_t groups[] = {0x0a0000ff, 0xffffffff, 0xe0000001};

    (void)state;
    for (size_t i = 0; i < COUNT(groups); i++) {
        struct talk *t = talk_create(NULL);
        struct weir_budget_row row;

        talk_listen(t, 4);
        t->ours = weir_addr_from4(groups[i]);
        talk_use(t, 80, 40001, 1000);
        talk_in(t, "S 0:0(0)");
        talk_out_none(t);
        weir_inspect_budget(t->stack, &row);
        assert_int_equal(row.half_open, 0);
        talk_destroy(t);
    }
}

/* ---- ICMP errors --------------------------------------------------------------------------------- */

static void errors_find_their_flow_only(void **state)
{
    static const struct {
        uint8_t type, code;
        int notice; /* RFC 1122 4.2.3.9; 0: means nothing */
    } rows[] = {
        {3, 0, WEIR_ENETUNREACH},
        {3, 1, WEIR_EHOSTUNREACH},
        {3, 2, WEIR_ECONNREFUSED},
        {3, 3, WEIR_ECONNREFUSED},
        {3, 4, 0},
        {3, 5, WEIR_EHOSTUNREACH},
        {3, 13, WEIR_EHOSTUNREACH},
        {11, 0, WEIR_EHOSTUNREACH},
        {12, 0, WEIR_EHOSTUNREACH},
        {4, 0, 0}, /* source quench: RFC 6633 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct talk *t = talk_create(NULL);
        int other, s;

        talk_use(t, 80, 40001, 1000);
        t->peer_port = 40001;
        other = talk_establish_passive(t);
        t->peer_port = 40000;
        t->our_port = 81;
        talk_use(t, 81, 40000, 1000);
        s = talk_establish_passive(t);
        talk_write(t, s, 10);
        talk_drain(t);
        talk_icmp(t, rows[i].type, rows[i].code, 0);
        if (weir_socket_take_notice(t->stack, s) != rows[i].notice)
            fail_msg("icmp %d %d", rows[i].type, rows[i].code);
        assert_int_equal(weir_socket_take_notice(t->stack, s), 0); /* told once */
        assert_int_equal(weir_socket_take_notice(t->stack, other), 0);
        talk_expect_state(t, s, ESTABLISHED);
        talk_destroy(t);
    }
}

/* Without a connection, or with a number that is not out, the quote is nobody's. */
static void strange_quotes_are_counted(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_active(t);

    (void)state;
    talk_write(t, s, 10);
    talk_drain(t);
    talk_icmp_seq(t, 3, 1, 0, 12);
    talk_icmp_seq(t, 3, 1, 0, -1);
    assert_int_equal(talk_dropped(t, WEIR_DROP_ICMP_QUOTE), 2);
    assert_int_equal(weir_socket_take_notice(t->stack, s), 0);
    weir_socket_abort(t->stack, s);
    talk_run(t);
    talk_drain(t);
    talk_icmp(t, 3, 1, 0);
    assert_int_equal(talk_dropped(t, WEIR_DROP_ICMP_QUOTE), 3);
    talk_destroy(t);
}

/* A batch is as good as single packets. */
static void a_batch_goes_to_many(void **state)
{
    struct talk *t = talk_create(NULL);
    int listener = talk_listen(t, 8);

    (void)state;
    talk_batch_begin(t);
    for (uint16_t port = 40000; port < 40005; port++) {
        talk_use(t, 80, port, 1000);
        talk_in(t, "S 0:0(0)");
    }
    talk_batch_end(t);
    assert_int_equal(talk_drain(t), 5);
    talk_close(t, listener);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_protocol_has_its_taker),
        cmocka_unit_test(segments_find_flow_then_listener_then_nobody),
        cmocka_unit_test(broken_segments_are_dropped_by_reason),
        cmocka_unit_test(segments_to_groups_are_not_heeded),
        cmocka_unit_test(errors_find_their_flow_only),
        cmocka_unit_test(strange_quotes_are_counted),
        cmocka_unit_test(a_batch_goes_to_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
