/* SPDX-License-Identifier: MIT */

/* The checksum against a naive sum in the wire's order, and one segment worked out by hand. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>

#include <stcp/checksum.h>

#define LENGTH_MAX 1500

/* RFC 1071 1, in host order; folded. */
static uint32_t naive(uint32_t sum, const unsigned char *bytes, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        sum += (uint32_t)bytes[i] << (i & 1 ? 0 : 8);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void all_lengths(void **state)
{
    unsigned char bytes[LENGTH_MAX];
    unsigned seed = 7;
    size_t length;

    (void)state;
    for (length = 0; length < LENGTH_MAX; length++)
        bytes[length] = (unsigned char)(rand_r(&seed) % 3 ? 0xff : rand_r(&seed));
    for (length = 0; length <= LENGTH_MAX; length++)
        assert_int_equal(ntohs(checksum_of(bytes, length)), naive(0, bytes, length));
}

static void the_pseudo_header(void **state)
{
    static const unsigned char pseudo[12] = {192, 0, 2, 1, 198, 51, 100, 77, 0, 6, 0x05, 0xdc};
    uint32_t from, to;

    (void)state;
    from = inet_addr("192.0.2.1");
    to = inet_addr("198.51.100.77");
    assert_int_equal(ntohs(checksum_pseudo(from, to, 1500)), naive(0, pseudo, sizeof(pseudo)));
    assert_int_equal(checksum_pseudo(from, to, 1500), checksum_pseudo(to, from, 1500));
}

/* A SYN from 127.0.0.1:1 to 127.0.0.1:2, sequence number 5, window 3072. */
static void a_segment_by_hand(void **state)
{
    static const unsigned char syn[20] = {0, 1, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0x50, 2, 0x0c};
    /* 1 + 2 + 5 + 5002 + 0c00 = 5c0a; 7f00 + 1 + 7f00 + 1 + 6 + 14 = fe1c; together 15a26, 5a27. */
    uint16_t sum = checksum_add(checksum_of(syn, 20),
                                checksum_pseudo(htonl(0x7f000001), htonl(0x7f000001), 20));

    (void)state;
    assert_int_equal(ntohs(sum), 0x5a27);
}

static void sums_wrap_around(void **state)
{
    (void)state;
    assert_int_equal(checksum_add(0xffff, 1), 1);
    assert_int_equal(checksum_add(0x8000, 0x8000), 1);
    assert_int_equal(checksum_add(0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_lengths),
        cmocka_unit_test(the_pseudo_header),
        cmocka_unit_test(a_segment_by_hand),
        cmocka_unit_test(sums_wrap_around),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
