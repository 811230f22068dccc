/* SPDX-License-Identifier: MIT */

/* Whole packets: emit against parse, printed lines, and cut buffers. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <base/random.h>
#include <string.h>
#include <weir/error.h>
#include <weir/packet.h>

static struct weir_packet tcp_packet(void)
{
    return (struct weir_packet){.src = weir_addr_from4(0x0a000001),
                                .dst = weir_addr_from4(0x0a010002),
                                .ttl = 16,
                                .protocol = 6,
                                .sport = 1024,
                                .dport = 80,
                                .seq = 100,
                                .window = 65535,
                                .flags = WEIR_TCP_SYN,
                                .mss = 1460};
}

static void test_tcp(void **state)
{
    static const uint8_t options[4] = {1, 1, 1, 0};
    struct weir_packet in = tcp_packet(), out;
    uint8_t bytes[100];
    long length;

    (void)state;
    in.options = options;
    in.options_length = 4;
    in.payload = (const uint8_t *)"odd";
    in.payload_length = 3;
    length = weir_packet_emit(&in, bytes, sizeof(bytes));
    assert_int_equal(length, 20 + 20 + 4 + 4 + 3);
    assert_int_equal(weir_packet_parse(bytes, (size_t)length, &out), 0);
    assert_true(out.ip_checksum_ok && out.transport_checksum_ok);
    assert_int_equal(out.sport, 1024);
    assert_int_equal(out.dport, 80);
    assert_int_equal(out.seq, 100);
    assert_int_equal(out.flags, WEIR_TCP_SYN);
    assert_int_equal(out.mss, 1460);
    assert_int_equal(out.options_length, 8);
    assert_int_equal(out.payload_length, 3);
    assert_memory_equal(out.payload, "odd", 3);
    bytes[length - 1] ^= 1;
    assert_int_equal(weir_packet_parse(bytes, (size_t)length, &out), 0);
    assert_false(out.transport_checksum_ok);
    assert_true(out.ip_checksum_ok);
    bytes[8]--;
    assert_int_equal(weir_packet_parse(bytes, (size_t)length, &out), 0);
    assert_false(out.ip_checksum_ok);
}

static void test_sizes(void **state)
{
    static uint8_t bytes[70000], zeros[70000];
    struct weir_packet packet = tcp_packet();

    (void)state;
    packet.payload = zeros;
    assert_int_equal(weir_packet_emit(&packet, bytes, 43), WEIR_EMSGSIZE);
    assert_int_equal(weir_packet_emit(&packet, bytes, 44), 44);
    packet.payload_length = 65535 - 44;
    assert_int_equal(weir_packet_emit(&packet, bytes, sizeof(bytes)), 65535);
    packet.payload_length++;
    assert_int_equal(weir_packet_emit(&packet, bytes, sizeof(bytes)), WEIR_EMSGSIZE);
    packet.payload_length = 0;
    packet.options = zeros;
    packet.options_length = 3;
    assert_int_equal(weir_packet_emit(&packet, bytes, 100), WEIR_EMSGSIZE);
    packet.options_length = 40; /* and the MSS: 44 */
    assert_int_equal(weir_packet_emit(&packet, bytes, 200), WEIR_EMSGSIZE);
}

static void test_print(void **state)
{
    struct weir_packet packet = tcp_packet();
    char text[WEIR_PACKET_TEXT];

    (void)state;
    assert_string_equal(weir_packet_print(&packet, text, sizeof(text)),
                        "10.0.0.1:1024 > 10.1.0.2:80 S 100:100(0) win 65535 <mss 1460>");
    packet.mss = -1;
    packet.flags = WEIR_TCP_FIN | WEIR_TCP_PSH | WEIR_TCP_ACK | WEIR_TCP_URG;
    packet.ack = 7;
    packet.urgent = 2;
    packet.seq = 0xffffffff;
    packet.payload_length = 2;
    assert_string_equal(weir_packet_print(&packet, text, sizeof(text)),
                        "10.0.0.1:1024 > 10.1.0.2:80 FPU. 4294967295:1(2) ack 7 win 65535 urg 2");
    packet.protocol = 1;
    packet.icmp_type = 8;
    packet.icmp_rest = 0x00030001;
    assert_string_equal(weir_packet_print(&packet, text, sizeof(text)),
                        "10.0.0.1 > 10.1.0.2 icmp echo 3 1, 2 bytes");
    packet.icmp_type = 3;
    packet.icmp_code = 4;
    assert_string_equal(weir_packet_print(&packet, text, sizeof(text)),
                        "10.0.0.1 > 10.1.0.2 icmp unreachable code 4, 2 bytes");
    packet.icmp_type = 77;
    assert_string_equal(weir_packet_print(&packet, text, sizeof(text)),
                        "10.0.0.1 > 10.1.0.2 icmp type 77 code 4, 2 bytes");
    packet.protocol = 200;
    packet.fragment_offset = 8;
    packet.more_fragments = true;
    assert_string_equal(weir_packet_print(&packet, text, sizeof(text)),
                        "10.0.0.1 > 10.1.0.2 proto 200, 2 bytes, frag 8+");
}

/* RFC 768 Fields [768-1]: the length field ends the payload, a checksum of 0 is none. */
static void test_udp(void **state)
{
    struct weir_packet in = tcp_packet(), out;
    char text[WEIR_PACKET_TEXT];
    uint8_t bytes[100];

    (void)state;
    in.protocol = 17;
    in.payload = (const uint8_t *)"odd";
    in.payload_length = 3;
    assert_int_equal(weir_packet_emit(&in, bytes, 30), WEIR_EMSGSIZE);
    assert_int_equal(weir_packet_emit(&in, bytes, 31), 31);
    assert_int_equal(weir_packet_parse(bytes, 31, &out), 0);
    assert_true(out.ip_checksum_ok && out.transport_checksum_ok);
    assert_int_equal(out.sport, 1024);
    assert_int_equal(out.dport, 80);
    assert_int_equal(out.payload_length, 3);
    assert_memory_equal(out.payload, "odd", 3);
    assert_string_equal(weir_packet_print(&out, text, sizeof(text)),
                        "10.0.0.1:1024 > 10.1.0.2:80 udp (3)");
    bytes[30] ^= 1;
    assert_int_equal(weir_packet_parse(bytes, 31, &out), 0);
    assert_false(out.transport_checksum_ok);
    bytes[26] = bytes[27] = 0;
    assert_int_equal(weir_packet_parse(bytes, 31, &out), 0);
    assert_true(out.transport_checksum_ok);
    bytes[25] = 9; /* padding behind it */
    assert_int_equal(weir_packet_parse(bytes, 31, &out), 0);
    assert_int_equal(out.payload_length, 1);
    bytes[25] = 12; /* beyond the packet: no datagram, but it may be the first part of one */
    assert_int_equal(weir_packet_parse(bytes, 31, &out), WEIR_EINVAL);
    bytes[6] |= 0x20;
    assert_int_equal(weir_packet_parse(bytes, 31, &out), 0);
    assert_int_equal(out.payload_length, 3);
    bytes[25] = 7;
    assert_int_equal(weir_packet_parse(bytes, 31, &out), WEIR_EINVAL);
    bytes[7] = 1; /* a later part has no header */
    assert_int_equal(weir_packet_parse(bytes, 31, &out), 0);
    assert_int_equal(out.payload_length, 11);
    assert_string_equal(weir_packet_print(&out, text, sizeof(text)),
                        "10.0.0.1 > 10.1.0.2 proto 17, 11 bytes, frag 8+");
}

/* Every size of the buffer gives a terminated beginning of the full line. */
static void test_print_cut(void **state)
{
    struct weir_packet packet = tcp_packet();
    char whole[WEIR_PACKET_TEXT], text[WEIR_PACKET_TEXT];

    (void)state;
    weir_packet_print(&packet, whole, sizeof(whole));
    for (size_t size = 1; size <= strlen(whole); size++) {
        memset(text, 'x', sizeof(text));
        weir_packet_print(&packet, text, size);
        assert_int_equal(strlen(text), size - 1);
        assert_memory_equal(text, whole, size - 1);
        assert_int_equal(text[size], 'x');
    }
}

/* Random and damaged bytes: no crash, and what parses prints. */
static void test_noise(void **state)
{
    struct weir_packet packet = tcp_packet();
    struct random random;
    char text[WEIR_PACKET_TEXT];

    (void)state;
    random_init_u64(&random, 5, 0);
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[44];
        size_t length = random_below(&random, 45);

        weir_packet_emit(&packet, bytes, sizeof(bytes));
        for (int n = 0; n < 3; n++)
            bytes[random_below(&random, 44)] = (uint8_t)random_u32(&random);
        if (random_chance(&random, 0.5))
            length = 44;
        if (weir_packet_parse(bytes, length, &packet) == 0) {
            assert_true(packet.payload + packet.payload_length <= bytes + length);
            weir_packet_print(&packet, text, sizeof(text));
        }
        packet = tcp_packet();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_udp),       cmocka_unit_test(test_print),
        cmocka_unit_test(test_print_cut), cmocka_unit_test(test_noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
