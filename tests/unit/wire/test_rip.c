/* SPDX-License-Identifier: MIT */

/* RIP messages: counts against lengths, and emit against parse. */

/* clang-format off: cmocka.h wants this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <string.h>
#include <wire/rip.h>

static void test_judgement(void **state)
{
    static const struct {
        uint16_t command, count;
        size_t length;
        int result;
    } rows[] = {
        {1, 0, 4, 0},    {2, 0, 4, 0},     {2, 1, 16, 0},    {2, 1, 15, -1},      {2, 1, 28, 0},
        {1, 0, 3, -1},   {1, 0, 0, -1},    {0, 0, 4, -1},    {3, 0, 4, -1},       {0x102, 0, 4, -1},
        {2, 64, 772, 0}, {2, 64, 771, -1}, {2, 65, 784, -1}, {2, 65535, 800, -1}, {1, 2, 28, 0},
    };
    uint8_t bytes[800];
    struct rip_message message;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(bytes, 0, sizeof(bytes));
        bytes[0] = (uint8_t)(rows[i].command >> 8);
        bytes[1] = (uint8_t)rows[i].command;
        bytes[2] = (uint8_t)(rows[i].count >> 8);
        bytes[3] = (uint8_t)rows[i].count;
        assert_int_equal(rip_parse(bytes, rows[i].length, &message), rows[i].result);
    }
}

static void test_round_trip(void **state)
{
    uint8_t bytes[RIP_MESSAGE_MAX];
    struct rip_message in = {.command = RIP_RESPONSE}, out;

    (void)state;
    for (uint16_t count = 0; count <= RIP_ENTRIES_MAX; count++) {
        in.count = count;
        for (uint32_t i = 0; i < count; i++)
            in.entries[i] = (struct rip_entry){i % 17, 0x0a000000 + i, 0xffffff00};
        assert_int_equal(rip_emit(&in, bytes), 4 + 12 * count);
        assert_int_equal(rip_parse(bytes, 4u + 12u * count, &out), 0);
        assert_int_equal(out.command, RIP_RESPONSE);
        assert_int_equal(out.count, count);
        assert_memory_equal(out.entries, in.entries, count * sizeof(in.entries[0]));
    }
    in.count = 1;
    rip_emit(&in, bytes);
    assert_int_equal(bytes[8], 10); /* network order */
    assert_int_equal(bytes[12], 0xff);
    assert_int_equal(bytes[15], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judgement),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
