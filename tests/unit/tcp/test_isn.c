/* SPDX-License-Identifier: MIT */

/* Numbers that nobody must guess: initial sequence numbers and ephemeral ports. What can be tested
 * is their shape (the clock in them, the range, no repetition) and that neither the next one nor
 * another stack's follows from what was seen; a generator of mere appearance would pass, so the
 * key's influence is tested apart. */

#include "states.h"

#include <string.h>
#include <tcp/tcp.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { TUPLES = 2000 };

/* The ISN of the SYN-ACK to a peer's port, and the record gone again. */
static uint32_t isn_for(struct talk *t, uint16_t port)
{
    struct weir_packet packet;

    talk_use(t, 80, 1, 1000);
    t->flow->peer_port = port;
    talk_in(t, "S 0:0(0)");
    assert_true(talk_take(t, &packet, NULL));
    talk_in(t, "R 1:1(0)");
    t->flow->peer_port = 1;
    return packet.seq;
}

static struct talk *talk_with_seed(uint8_t seed, uint64_t node)
{
    struct weir_stack_config config = states_config(WEIR_PROFILE_DEFAULT);
    struct talk *t;

    memset(config.seed, seed, sizeof(config.seed));
    config.node_id = node;
    t = talk_create(&config);
    talk_listen(t, 16);
    return t;
}

/* RFC 9293 3.4.1 [MUST-8, SHLD-1]: a clock of 4 µs, around 2^32 too. */
static void the_clock_ticks_every_four_microseconds(void **state)
{
    static const weir_time times[] = {0,
                                      3999,
                                      4000,
                                      WEIR_MS,
                                      WEIR_SECOND,
                                      17179 * WEIR_SECOND,
                                      17180 * WEIR_SECOND,
                                      1000000 * WEIR_SECOND};

    (void)state;
    for (size_t i = 0; i < COUNT(times); i++)
        for (uint64_t digest = 1; digest != 0; digest <<= 7)
            assert_int_equal(tcp_isn(digest, times[i]) - tcp_isn(digest, 0),
                             (uint32_t)(times[i] / 4000));
}

/* Every bit of the digest reaches the ISN. */
static void all_of_the_digest_counts(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++)
        assert_int_not_equal(tcp_isn((uint64_t)1 << bit, 0), tcp_isn(0, 0));
}

/* The same, asked of a stack: one tuple's ISNs climb by the time that has passed [MUST-8]. */
static void one_tuples_numbers_climb(void **state)
{
    struct talk *t = talk_with_seed(1, 0);
    uint32_t last = isn_for(t, 40000);

    (void)state;
    for (int i = 1; i < 200; i++) {
        uint32_t next;

        talk_advance(t, i * WEIR_MS);
        next = isn_for(t, 40000);
        assert_int_equal(next - last, (uint32_t)i * 250);
        last = next;
    }
    talk_destroy(t);
}

/* An active open has the same clock. */
static void an_active_open_has_the_clock_too(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = 5000};
    struct weir_endpoint remote = {.addr = weir_addr_from4(0x0a000002), .port = 80};
    uint32_t isns[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        int s = weir_socket_open(t->stack, WEIR_TCP, 0);

        assert_int_equal(weir_socket_bind(t->stack, s, &local), 0);
        assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
        isns[i] = talk_info(t, s).iss;
        talk_abort(t, s);
        talk_advance(t, WEIR_SECOND);
    }
    assert_int_equal(isns[1] - isns[0], 250000);
    talk_destroy(t);
}

/* A count of bytes against a uniform one: 255 degrees of freedom, 400 is far out in the tail. */
static void assert_uniform(const unsigned counts[256], unsigned total)
{
    double expected = total / 256.0, chi2 = 0;

    for (unsigned i = 0; i < 256; i++)
        chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
    if (chi2 > 400)
        fail_msg("chi-square %.1f", chi2);
}

/* RFC 9293 3.4.1 [MUST-9], RFC 6528 3 [6528-1, 6528-2]: neighbours' numbers say nothing about each
 * other, and another key's nothing at all. */
static void neighbours_are_unrelated(void **state)
{
    struct talk *a = talk_with_seed(1, 0), *b = talk_with_seed(2, 0), *c = talk_with_seed(1, 7);
    unsigned steps[256] = {0}, keys[256] = {0}, nodes[256] = {0};
    uint32_t last = 0;

    (void)state;
    for (unsigned i = 0; i < TUPLES; i++) {
        uint16_t port = (uint16_t)(10000 + i);
        uint32_t isn = isn_for(a, port);

        steps[(isn - last) >> 24]++;
        keys[(isn - isn_for(b, port)) >> 24]++;
        nodes[(isn - isn_for(c, port)) >> 24]++;
        last = isn;
    }
    assert_uniform(steps, TUPLES);
    assert_uniform(keys, TUPLES);
    assert_uniform(nodes, TUPLES);
    talk_destroy(a);
    talk_destroy(b);
    talk_destroy(c);
}

static uint16_t port_chosen(struct talk *t, uint32_t remote_addr, uint16_t remote_port)
{
    struct weir_endpoint remote = {.addr = weir_addr_from4(remote_addr), .port = remote_port};
    struct weir_endpoint local;
    int s = weir_socket_open(t->stack, WEIR_TCP, 0);

    assert_int_equal(weir_socket_connect(t->stack, s, &remote, t->now), WEIR_EINPROGRESS);
    assert_int_equal(weir_socket_local(t->stack, s, &local), 0);
    talk_abort(t, s);
    talk_drain(t);
    return local.port;
}

/* RFC 6056 3.2 [6056-2, 6056-3]: inside the range, never a port that is listened on, not soon
 * again. */
static void ports_stay_in_their_range(void **state)
{
    static uint8_t used[65536];
    struct talk *t = talk_with_seed(1, 0);

    (void)state;
    memset(used, 0, sizeof(used));
    t->our_port = 40000;
    talk_listen(t, 4);
    for (int i = 0; i < 5000; i++) {
        uint16_t port = port_chosen(t, 0x0a000002, 7);

        assert_in_range(port, 32768, 60999);
        assert_int_not_equal(port, 40000);
        assert_int_equal(used[port], 0);
        used[port] = 1;
    }
    talk_destroy(t);
}

/* RFC 6056 3.3 [6056-1]: the first port to one peer says nothing about the first to another. */
static void ports_to_other_peers_are_unrelated(void **state)
{
    unsigned steps[256] = {0};
    struct talk *t = talk_with_seed(3, 0);
    uint16_t last = 0;

    (void)state;
    for (unsigned i = 0; i < TUPLES; i++) {
        uint16_t port = port_chosen(t, 0x0a000002, (uint16_t)(1000 + i));
        uint32_t step = (uint32_t)(port - last + 2 * 28232) % 28232;

        steps[step * 256 / 28232]++;
        last = port;
    }
    assert_uniform(steps, TUPLES);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_ticks_every_four_microseconds),
        cmocka_unit_test(all_of_the_digest_counts),
        cmocka_unit_test(one_tuples_numbers_climb),
        cmocka_unit_test(an_active_open_has_the_clock_too),
        cmocka_unit_test(neighbours_are_unrelated),
        cmocka_unit_test(ports_stay_in_their_range),
        cmocka_unit_test(ports_to_other_peers_are_unrelated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
