/* SPDX-License-Identifier: MIT */

/* The TCP header: every data offset, and emit against parse. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <base/random.h>
#include <string.h>
#include <base/bytes.h>
#include <wire/tcp.h>

static void test_bytes(void **state)
{
    static const uint8_t expected[TCP_HEADER] = {0x04, 0x00, 0x00, 0x50, 1,    2,    3, 4,  5, 6,
                                                 7,    8,    0x65, 0x12, 0xff, 0xfe, 0, 77, 0, 9};
    struct tcp_header header = {.sport = 1024,
                                .dport = 80,
                                .seq = 0x01020304,
                                .ack = 0x05060708,
                                .window = 65534,
                                .checksum = 77,
                                .urgent = 9,
                                .flags = TCP_SYN | TCP_ACK,
                                .reserved = 5,
                                .header_length = 24};
    uint8_t bytes[TCP_HEADER];

    (void)state;
    tcp_header_emit(&header, bytes);
    assert_memory_equal(bytes, expected, TCP_HEADER);
}

/* RFC 9293 3.1 [U-2]: offset below 5 or beyond the segment; RFC 9293 3.1 [U-1]: reserved bits
 * pass. */
static void test_offsets(void **state)
{
    uint8_t bytes[64] = {0};
    struct tcp_header header;

    (void)state;
    for (unsigned offset = 0; offset < 16; offset++) {
        bytes[12] = (uint8_t)(offset << 4 | 0x0a);
        for (size_t length = 0; length <= 60; length++) {
            enum weir_drop drop = tcp_header_parse(bytes, length, &header);

            if (length < 20)
                assert_int_equal(drop, WEIR_DROP_TCP_SHORT);
            else if (offset < 5 || offset * 4 > length)
                assert_int_equal(drop, WEIR_DROP_TCP_HEADER_LENGTH);
            else
                assert_int_equal(drop, WEIR_DROP_NONE);
            if (drop == WEIR_DROP_NONE) {
                assert_int_equal(header.header_length, offset * 4);
                assert_int_equal(header.reserved, 0x0a);
            }
        }
    }
}

static void test_round_trip(void **state)
{
    struct random random;

    (void)state;
    random_init_u64(&random, 3, 0);
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[60] = {0};
        struct tcp_header in = {.sport = (uint16_t)random_u32(&random),
                                .dport = (uint16_t)random_u32(&random),
                                .seq = random_u32(&random),
                                .ack = random_u32(&random),
                                .window = (uint16_t)random_u32(&random),
                                .checksum = (uint16_t)random_u32(&random),
                                .urgent = (uint16_t)random_u32(&random),
                                .flags = (uint8_t)random_u32(&random),
                                .reserved = (uint8_t)random_below(&random, 16),
                                .header_length = (uint8_t)(20 + 4 * random_below(&random, 11))};
        struct tcp_header out = {0};

        tcp_header_emit(&in, bytes);
        assert_int_equal(tcp_header_parse(bytes, sizeof(bytes), &out), WEIR_DROP_NONE);
        assert_int_equal(out.sport, in.sport);
        assert_int_equal(out.dport, in.dport);
        assert_int_equal(out.seq, in.seq);
        assert_int_equal(out.ack, in.ack);
        assert_int_equal(out.window, in.window);
        assert_int_equal(out.urgent, in.urgent);
        assert_int_equal(out.flags, in.flags);
        assert_int_equal(out.reserved, in.reserved);
        assert_int_equal(out.header_length, in.header_length);
        assert_int_equal(out.checksum, in.checksum);
        /* The sum of the fields is that of the bytes without the checksum. */
        put_u16(bytes + TCP_CHECKSUM_OFFSET, 0);
        assert_int_equal(checksum_fold(tcp_header_sum(in.seq, &in)),
                         checksum_fold(checksum_add(in.seq, bytes, TCP_HEADER)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
