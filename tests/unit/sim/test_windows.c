/* SPDX-License-Identifier: MIT */

/* The window checker: sequences of segments that are right, and such that are not. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sim/windows.h>
#include <string.h>

#define A 0x0a000001u
#define B 0x0a000002u
#define SYN WEIR_TCP_SYN
#define ACK WEIR_TCP_ACK
#define FIN WEIR_TCP_FIN
#define RST WEIR_TCP_RST

struct row {
    uint32_t from;
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t window;
    uint32_t length;
    bool is_broken;
};

static const char *check(struct windows *windows, const struct row *row, uint16_t port)
{
    static const uint8_t payload[2000];
    struct weir_packet packet = {
        .src = weir_addr_from4(row->from),
        .dst = weir_addr_from4(row->from == A ? B : A),
        .sport = row->from == A ? port : 80,
        .dport = row->from == A ? 80 : port,
        .protocol = 6,
        .seq = row->seq,
        .ack = row->ack,
        .window = row->window,
        .flags = row->flags,
        .payload = payload,
        .payload_length = row->length,
    };

    return windows_check(windows, &packet);
}

static void run(const struct row *rows, size_t count)
{
    struct windows windows;

    windows_init(&windows);
    for (size_t i = 0; i < count; i++)
        if ((check(&windows, &rows[i], 1024) != NULL) != rows[i].is_broken)
            fail_msg("row %zu", i);
    windows_done(&windows);
}

#define RUN(rows) run(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_right(void **state)
{
    static const struct row rows[] = {
        {A, SYN, 100, 0, 1000, 0, false},    {B, SYN | ACK, 500, 101, 2000, 0, false},
        {A, ACK, 101, 501, 1000, 0, false},  {A, ACK, 101, 501, 1000, 300, false},
        {B, ACK, 501, 401, 1700, 0, false}, /* the edge stays */
        {B, ACK, 501, 401, 1900, 0, false}, /* and grows */
        {B, ACK, 501, 2301, 0, 0, false},   /* the window closes without moving the edge */
        {A, ACK, 2301, 501, 1000, 0, false},
    };

    (void)state;
    RUN(rows);
}

/* RFC 9293 3.8.6 [SHLD-14] */
static void test_shrunk(void **state)
{
    static const struct row rows[] = {
        {B, SYN | ACK, 500, 101, 2000, 0, false},
        {B, ACK, 501, 101, 1999, 0, true},
        {B, ACK, 501, 201, 1898, 0, true},
        {B, ACK, 501, 201, 1898, 0, false}, /* said once */
    };

    (void)state;
    RUN(rows);
}

static void test_wrap(void **state)
{
    static const struct row rows[] = {
        {B, ACK, 1, 0xfffff000u, 0x0fff, 0, false},
        {B, ACK, 1, 0xfffff000u, 0x1100, 0, false},
        {B, ACK, 1, 0x00000080u, 0x0080, 0, false},
        {B, ACK, 1, 0x00000080u, 0x007f, 0, true},
    };

    (void)state;
    RUN(rows);
}

/* A RST says nothing, a SYN begins anew, and after the peer's FIN windows mean nothing. */
static void test_exceptions(void **state)
{
    static const struct row rows[] = {
        {A, ACK, 101, 501, 1000, 0, false}, {A, RST | ACK, 101, 501, 0, 0, false},
        {A, SYN, 900, 0, 10, 0, false},     {A, ACK, 901, 501, 10, 0, false},
        {A, ACK, 901, 501, 1000, 0, false}, {B, FIN | ACK, 501, 901, 100, 99, false},
        {A, ACK, 901, 500, 1000, 0, true},  {A, ACK, 901, 601, 0, 0, false},
        {A, ACK, 901, 601, 5, 0, false},
    };

    (void)state;
    RUN(rows);
}

/* Flows are kept apart, and there is an end to how many. */
static void test_many(void **state)
{
    const struct row open = {A, ACK, 101, 501, 1000, 0, false};
    const struct row less = {A, ACK, 101, 501, 999, 0, true};
    struct windows windows;

    (void)state;
    windows_init(&windows);
    for (uint32_t port = 1; port <= 60000; port++)
        assert_null(check(&windows, &open, (uint16_t)port));
    for (uint32_t port = 1; port <= 60000; port++)
        assert_non_null(check(&windows, &less, (uint16_t)port));
    windows_done(&windows);
    assert_int_equal(windows.alloc.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right), cmocka_unit_test(test_shrunk),
        cmocka_unit_test(test_wrap),  cmocka_unit_test(test_exceptions),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
