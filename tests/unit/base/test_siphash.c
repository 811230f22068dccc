/* SPDX-License-Identifier: MIT */

/* The published vectors of SipHash-2-4: key 00 01 .. 0f, message 00 01 .. of the given length. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <base/siphash.h>

struct vector {
    size_t length;
    uint64_t hash;
    uint64_t low, high;
};

static const struct vector vectors[] = {
    {0, 0x726fdb47dd0e0e31, 0xe6a825ba047f81a3, 0x930255c71472f66d},
    {1, 0x74f839c593dc67fd, 0x44af996bd8c187da, 0x45fc229b11597634},
    {7, 0xab0200f58b01d137, 0x53c1dbd8beebf1a1, 0x3982f01fa64ab8c0},
    {8, 0x93f5f5799a932462, 0x61f55862baa9623b, 0xb49714f364e2830f},
    {15, 0xa129ca6149be45e5, 0x11a8b03399e99354, 0xd9c3cf970fec087e},
    {16, 0x3f2acc7f57c29bdb, 0xbb54b067caa4e26e, 0x77052385bf1533fd},
    {63, 0x958a324ceb064572, 0x4a83502f77d15051, 0x7cbd3f979a063e50},
};

static void agrees_with_the_reference(void **state)
{
    uint8_t bytes[64 + 1];
    struct siphash_key key;
    struct siphash_digest digest;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    key = siphash_key_from(bytes);
    for (i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        assert_int_equal(siphash(&key, bytes, vectors[i].length), vectors[i].hash);
        digest = siphash128(&key, bytes, vectors[i].length);
        assert_int_equal(digest.low, vectors[i].low);
        assert_int_equal(digest.high, vectors[i].high);
    }
}

static void depends_on_the_key_and_not_on_alignment(void **state)
{
    uint8_t bytes[40] = {1, 2, 3}, shifted[41] = {0, 1, 2, 3};
    struct siphash_key a = {1, 2}, b = {1, 3};

    (void)state;
    assert_int_equal(siphash(&a, bytes, 40), siphash(&a, shifted + 1, 40));
    assert_true(siphash(&a, bytes, 40) != siphash(&b, bytes, 40));
    assert_true(siphash(&a, bytes, 39) != siphash(&a, bytes, 40));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference),
        cmocka_unit_test(depends_on_the_key_and_not_on_alignment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
