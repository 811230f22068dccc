/* SPDX-License-Identifier: MIT */

/* Packets in bytes: a plain one is what weir's own emitter makes of it, and each item in the brackets
 * changes just what it says. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/craft.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

static uint8_t bytes[CRAFT_BYTES], other[65536];

static const struct ip_line plain = {
    .id = -1, .protocol = -1, .ihl = -1, .total = -1, .doff = -1, .reserved = -1, .cut = -1};

static struct weir_packet sample(uint8_t protocol)
{
    static const uint8_t options[] = {2, 4, 5, 180};
    struct weir_packet packet = {.protocol = protocol, .ttl = 64, .tos = 3, .mss = -1, .id = 9};

    packet.src = weir_addr_from4(0xc0000201);
    packet.dst = weir_addr_from4(0xc0a80001);
    if (protocol == 6) {
        packet.sport = 1000;
        packet.dport = 80;
        packet.seq = 0xfffffff0;
        packet.ack = 77;
        packet.flags = 0x18;
        packet.window = 65535;
        packet.options = options;
        packet.options_length = 4;
    } else {
        packet.icmp_type = 8;
        packet.icmp_rest = 0x00050001;
    }
    packet.payload = (const uint8_t *)"hello, world";
    packet.payload_length = 11;
    return packet;
}

static void test_like_the_library(void **state)
{
    static const uint8_t protocols[] = {1, 6, 200};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        struct weir_packet packet = sample(protocols[i]);
        long length = weir_packet_emit(&packet, other, sizeof(other));

        assert_int_equal(craft_emit(&packet, NULL, bytes), length);
        assert_memory_equal(bytes, other, (size_t)length);
    }
}

static void test_sums(void **state)
{
    static const uint8_t protocols[] = {1, 6};
    struct ip_line ip = plain;
    struct weir_packet found;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        struct weir_packet packet = sample(protocols[i % 2]);
        long length;

        ip.sum_bad = i < 2;
        ip.ip_sum_bad = i >= 2;
        length = craft_emit(&packet, &ip, bytes);
        assert_int_equal(weir_packet_parse(bytes, (size_t)length, &found), 0);
        assert_int_equal(found.transport_checksum_ok, i >= 2);
        assert_int_equal(found.ip_checksum_ok, i < 2);
    }
}

/* Every single fragment of every packet, put together again, is the packet. */
static void test_fragments(void **state)
{
    struct weir_packet packet = sample(6), found;
    struct ip_line ip = plain;
    uint8_t whole[64];
    uint32_t at;

    (void)state;
    assert_int_equal(craft_emit(&packet, NULL, bytes), 55);
    memcpy(whole, bytes + 20, 35);
    ip.has_fragment = true;
    for (at = 0; at < 40; at += 8) {
        ip.first = at;
        ip.end = at + 8;
        ip.more = at < 32;
        assert_int_equal(craft_emit(&packet, &ip, bytes), 28);
        assert_int_equal((bytes[6] << 8 | bytes[7]) & 0x1fff, at / 8);
        assert_int_equal(bytes[6] >> 5, at < 32);
        assert_memory_equal(bytes + 20, whole + at, at < 32 ? 8 : 3);
        if (at >= 8) {
            assert_int_equal(weir_packet_parse(bytes, 28, &found), 0);
            assert_true(found.ip_checksum_ok);
        }
    }
    assert_int_equal(bytes[20 + 3], 0); /* behind the end: zeros */
    ip.first = 65528;
    ip.end = 131000;
    assert_int_equal(craft_emit(&packet, &ip, bytes), 20 + 131000 - 65528);
    ip.first = 0;
    assert_int_equal(craft_emit(&packet, &ip, bytes), WEIR_EMSGSIZE);
}

static void test_lies(void **state)
{
    static const struct {
        size_t offset;
        uint8_t value;
    } rows[] = {{0, 0x43}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {9, 99}, {32, 0xf5}};
    struct weir_packet packet = sample(6);
    struct ip_line ip = {.ihl = 3, .total = 0x102, .id = 0x304, .protocol = 99, .doff = 15};
    size_t i;

    (void)state;
    ip.reserved = 5;
    ip.cut = -1;
    assert_int_equal(craft_emit(&packet, &ip, bytes), 55);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(bytes[rows[i].offset], rows[i].value);
    ip.cut = 30;
    assert_int_equal(craft_emit(&packet, &ip, bytes), 30);
    ip.cut = 56;
    assert_int_equal(craft_emit(&packet, &ip, bytes), 55);
}

static void test_ip_options(void **state)
{
    struct weir_packet packet = sample(6), found;
    struct ip_line ip = plain;

    (void)state;
    ip.option_bytes = 4;
    memcpy(ip.options, "\1\1\1\0", 4);
    ip.df = true;
    assert_int_equal(craft_emit(&packet, &ip, bytes), 59);
    assert_int_equal(bytes[0], 0x46);
    assert_memory_equal(bytes + 20, "\1\1\1\0", 4);
    assert_int_equal(weir_packet_parse(bytes, 59, &found), 0);
    assert_true(found.ip_checksum_ok && found.transport_checksum_ok && found.dont_fragment);
    assert_int_equal(found.payload_length, 11);
}

static void test_udp(void **state)
{
    struct weir_packet packet = sample(17);
    struct ip_line ip = plain;
    struct craft_udp udp;
    long length;

    (void)state;
    packet.sport = 53;
    packet.dport = 4000;
    length = craft_emit(&packet, NULL, bytes);
    assert_int_equal(length, 39);
    assert_true(craft_parse_udp(bytes, (size_t)length, &udp));
    assert_int_equal(udp.sport, 53);
    assert_int_equal(udp.dport, 4000);
    assert_int_equal(udp.length, 19);
    assert_int_equal(udp.payload_length, 11);
    assert_memory_equal(udp.payload, "hello, worl", 11);
    assert_true(udp.checksum_ok);
    bytes[38] ^= 1;
    assert_true(craft_parse_udp(bytes, (size_t)length, &udp) && !udp.checksum_ok);
    ip.sum_zero = true;
    length = craft_emit(&packet, &ip, bytes);
    assert_int_equal(bytes[26] | bytes[27], 0);
    assert_true(craft_parse_udp(bytes, (size_t)length, &udp) && udp.checksum_ok);
    ip.sum_zero = false;
    ip.sum_bad = true;
    length = craft_emit(&packet, &ip, bytes);
    assert_true(craft_parse_udp(bytes, (size_t)length, &udp) && !udp.checksum_ok);
    assert_false(craft_parse_udp(bytes, 27, &udp));
    bytes[0] = 0x44;
    assert_false(craft_parse_udp(bytes, 39, &udp));
}

/* A sum that comes out as 0 is sent as 0xffff (RFC 768), and spoiling never makes 0 of it. */
static void test_udp_sum_never_zero(void **state)
{
    struct weir_packet packet = sample(17);
    struct ip_line ip = plain;
    struct craft_udp udp;
    unsigned port;

    (void)state;
    for (port = 0; port < 65536; port++) {
        packet.sport = (uint16_t)port;
        ip.sum_bad = (port & 1) != 0;
        craft_emit(&packet, &ip, bytes);
        assert_true(bytes[26] | bytes[27]);
        assert_true(craft_parse_udp(bytes, 39, &udp));
        assert_int_equal(udp.checksum_ok, !ip.sum_bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_the_library),   cmocka_unit_test(test_sums),
        cmocka_unit_test(test_fragments),          cmocka_unit_test(test_lies),
        cmocka_unit_test(test_ip_options),         cmocka_unit_test(test_udp),
        cmocka_unit_test(test_udp_sum_never_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
