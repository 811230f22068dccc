/* SPDX-License-Identifier: MIT */

/* The option walk: alone over every kind and length, then on a live connection. */

#include "setup.h"

#include <stdlib.h>
#include <tcp/opt.h>

/* ---- The walk alone -------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint8_t bytes[12];
    uint32_t length;
    bool is_legal;
    uint16_t mss;
} walks[] = {
    {"nothing", {0}, 0, true, 0},
    {"end at once", {0, 0, 0, 0}, 4, true, 0},
    {"mss", {2, 4, 5, 0xb4}, 4, true, 1460},
    {"nop nop mss", {1, 1, 2, 4, 2, 0x18, 0, 0}, 8, true, 536},
    {"nop mss, unaligned", {1, 2, 4, 2, 0x18, 1, 1, 1}, 8, true, 536},
    {"mss, end, junk", {2, 4, 2, 0x18, 0, 2, 4, 9}, 8, true, 536},
    {"end, then what would be an mss", {0, 2, 4, 5, 0xb4, 0, 0, 0}, 8, true, 0},
    {"end, then an illegal length", {1, 0, 9, 0}, 4, true, 0},
    {"unknown of length 2, then mss", {99, 2, 2, 4, 2, 0x18, 0, 0}, 8, true, 536},
    {"unknown of length 4, then mss", {253, 4, 0, 0, 2, 4, 2, 0x18}, 8, true, 536},
    {"window scale is skipped", {1, 3, 3, 7, 2, 4, 2, 0x18}, 8, true, 536},
    {"mss twice: the last", {2, 4, 2, 0x18, 2, 4, 3, 0}, 8, true, 768},
    {"mss of 0", {2, 4, 0, 0}, 4, true, 0},
    {"kind 5, length 0", {5, 0, 0, 0}, 4, false, 0},
    {"kind 5, length 1", {5, 1, 0, 0}, 4, false, 0},
    {"kind 5, length 255", {5, 255, 0, 0}, 4, false, 0},
    {"kind is the last byte", {1, 1, 1, 5}, 4, false, 0},
    {"one byte too long", {99, 5, 0, 0}, 4, false, 0},
    {"mss of length 2", {2, 2, 0, 0}, 4, false, 0},
    {"mss of length 3", {2, 3, 0, 0}, 4, false, 0},
    {"mss of length 5", {2, 5, 1, 1, 1, 0, 0, 0}, 8, false, 0},
    {"mss cut off", {1, 2, 4, 5}, 4, false, 0},
};

/* RFC 9293 3.1, 3.2 RFC 9293 3.1 [MUST-4, MUST-6, MUST-7, MUST-64, MUST-69] */
static void test_walks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(walks); i++) {
        struct tcp_options options = {0};
        bool is_legal = opt_parse(walks[i].bytes, walks[i].length, true, &options);

        if (is_legal != walks[i].is_legal || (is_legal && options.mss != walks[i].mss))
            fail_msg("%s: legal %d, mss %u", walks[i].name, is_legal, options.mss);
    }
}

/* RFC 9293 3.2 [MUST-65]: a MSS that does not stand on a SYN says nothing. */
static void test_mss_only_of_syn(void **state)
{
    static const uint8_t bytes[] = {2, 4, 5, 0xb4};
    struct tcp_options options = {0};

    (void)state;
    assert_true(opt_parse(bytes, sizeof(bytes), false, &options));
    assert_int_equal(options.mss, 0);
}

/* Each kind with each of these lengths in a space of 0..40 bytes: the verdict of a naive walker. */
static bool is_legal_naively(const uint8_t *bytes, uint32_t length)
{
    uint32_t at = 0;

    while (at < length && bytes[at] != 0) {
        uint32_t size = bytes[at] == 1 ? 1 : at + 1 < length ? bytes[at + 1] : 0;

        if (bytes[at] != 1 && (size < 2 || at + size > length))
            return false;
        if (bytes[at] == 2 && size != 4)
            return false;
        at += size;
    }
    return true;
}

static void test_every_kind_and_length(void **state)
{
    static const uint8_t lengths[] = {0, 1, 2, 3, 4, 10, 39, 40, 41, 255};
    uint8_t *bytes = malloc(40); /* of its own, so that a read past its end is found */

    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        for (size_t i = 0; i < COUNT(lengths) * 41; i++) {
            uint32_t room = (uint32_t)(i % 41);
            uint8_t *end = bytes + 40 - room;
            struct tcp_options options = {0};

            memset(bytes, 1, 40);
            if (room > 0)
                end[0] = (uint8_t)kind;
            if (room > 1)
                end[1] = lengths[i / 41];
            assert_int_equal(opt_parse(end, room, true, &options), is_legal_naively(end, room));
        }
    }
    free(bytes);
}

/* RFC 9293 3.1, 3.2 RFC 9293 3.1 [MUST-68, MUST-69]: what we write can be walked, padded with
 * zeros to words. */
static void test_emit(void **state)
{
    const struct opt_out on_syn = {.flags = TCP_SYN, .mss = 1460};
    const struct opt_out on_data = {.flags = TCP_ACK, .mss = 1460};
    const struct opt_out unset = {.flags = TCP_SYN};
    uint8_t bytes[TCP_OPTIONS_MAX];

    (void)state;
    assert_int_equal(opt_emit(&on_syn, bytes), 4);
    assert_memory_equal(bytes, ((uint8_t[]){2, 4, 5, 0xb4}), 4);
    assert_true(is_legal_naively(bytes, 4));
    assert_int_equal(opt_emit(&on_data, bytes), 0); /* [MUST-65] */
    assert_int_equal(opt_emit(&unset, bytes), 0);
}

/* ---- On the wire ----------------------------------------------------------------------------- */

static const struct {
    const char *options;
    bool is_legal;
} on_wire[] = {
    {"nop", true},
    {"nop,nop,nop,nop", true},
    {"6302", true},
    {"fd0400000000", true},
    {"fd280000000000000000000000000000000000000000000000000000000000000000000000000000", true},
    {"0500", false},
    {"0501", false},
    {"05ff", false},
    {"nop,nop,nop,05", false},
    {"eol,05ff", true},
    {"0203", false},
};

static void in_with(struct talk *t, const char *segment, const char *options)
{
    char text[256];

    snprintf(text, sizeof(text), "%s <%s>", segment, options);
    talk_in(t, text);
}

/* RFC 9293 3.1 [MUST-5, MUST-6, MUST-7]: in data, pure ACKs, FIN; the payload begins where it
 * should. */
static void test_options_on_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(on_wire); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_passive(t);

        in_with(t, "P. 1:101(100) ack 1", on_wire[i].options);
        assert_int_equal(talk_read(t, s, 1000), on_wire[i].is_legal ? 100 : WEIR_EAGAIN);
        assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_OPTIONS), !on_wire[i].is_legal);
        in_with(t, ". 101:101(0) ack 1", on_wire[i].options);
        talk_expect_state(t, s, ESTABLISHED);
        if (on_wire[i].is_legal) {
            in_with(t, "F. 101:101(0) ack 1", on_wire[i].options);
            talk_expect_state(t, s, CLOSE_WAIT);
        }
        talk_destroy(t);
    }
}

/* RFC 9293 3.1 [MUST-5]: a RST with options counts as one; with an illegal one it is refused
 * like any segment. */
static void test_options_on_rst(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(on_wire); i++) {
        struct talk *t = talk_create(NULL);
        int s = talk_establish_passive(t);

        in_with(t, "R 1:1(0)", on_wire[i].options);
        assert_int_equal(talk_state(t, s),
                         on_wire[i].is_legal ? WEIR_STATE_CLOSED : WEIR_STATE_ESTABLISHED);
        talk_out_none(t);
        talk_destroy(t);
    }
}

/* RFC 9293 3.1 [MUST-4, MUST-6, MUST-64]: a SYN with anything before its MSS; 700 is what
 * counts. */
static void test_options_on_syn(void **state)
{
    static const char *const syns[] = {
        "mss 700",
        "nop,nop,mss 700,eol",
        "nop,mss 700,nop,nop,nop",
        "6302,mss 700",
        "nop,030307,mss 700",
        "nop,030307,nop,nop,080a0000000100000000,mss 700",
        "mss 700,eol,05ff",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(syns); i++) {
        struct talk *t = talk_create(NULL);
        int listener = talk_listen(t, 4), s;

        in_with(t, "S 0:0(0) win 65535", syns[i]);
        talk_out(t, "S. 0:0(0) ack 1 <mss 1460>");
        talk_in(t, ". 1:1(0) ack 1");
        s = weir_socket_accept(t->stack, listener, NULL);
        assert_int_equal(talk_info(t, s).mss, 700);
        talk_destroy(t);
    }
}

static void test_illegal_options_on_syn(void **state)
{
    struct talk *t = talk_create(NULL);

    (void)state;
    talk_listen(t, 4);
    for (size_t i = 0; i < COUNT(on_wire); i++) {
        if (on_wire[i].is_legal)
            continue;
        in_with(t, "S 0:0(0) win 65535", on_wire[i].options);
        talk_out_none(t);
    }
    talk_in(t, "S 0:0(0) win 65535 <mss 1460>"); /* and an ordinary one is served after all that */
    talk_out(t, "S. 0:0(0) ack 1");
    talk_destroy(t);
}

/* RFC 9293 3.1: reserved bits are ignored when received and zero when sent RFC 9293 3.1 [U-1]. */
static void test_reserved_bits(void **state)
{
    struct talk *t = talk_create(NULL);
    int s = talk_establish_passive(t);
    struct weir_packet packet;

    (void)state;
    talk_in(t, "P. 1:101(100) ack 1 reserved 15");
    assert_int_equal(talk_read(t, s, 1000), 100);
    talk_advance(t, WEIR_SECOND);
    assert_true(talk_take(t, &packet, NULL));
    assert_int_equal(packet.reserved, 0);
    talk_destroy(t);
}

/* RFC 9293 3.1: a data offset below 5 or past the end makes no segment RFC 9293 3.1 [U-2]. */
static void test_data_offset(void **state)
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
        .seq = talk_peer_seq(t, 1),
        .ack = talk_our_seq(t, 1),
        .flags = WEIR_TCP_RST,
        .mss = -1,
    };
    uint8_t bytes[64];

    (void)state;
    for (unsigned offset = 0; offset < 16; offset++) {
        long length = weir_packet_emit(&packet, bytes, sizeof(bytes));
        uint32_t sum;

        if (offset == 5)
            continue;
        /* The changed word changes the sum by as much. */
        sum =
            (uint32_t)(bytes[36] << 8 | bytes[37]) + 0x5000u + (uint32_t)(0xffff - (offset << 12));
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        bytes[36] = (uint8_t)(sum >> 8);
        bytes[37] = (uint8_t)sum;
        bytes[32] = (uint8_t)(offset << 4);
        talk_in_raw(t, bytes, (size_t)length);
        talk_out_none(t);
    }
    talk_expect_state(t, s, ESTABLISHED);
    assert_int_equal(talk_dropped(t, WEIR_DROP_TCP_HEADER_LENGTH), 15);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_mss_only_of_syn),
        cmocka_unit_test(test_every_kind_and_length),
        cmocka_unit_test(test_emit),
        cmocka_unit_test(test_options_on_data),
        cmocka_unit_test(test_options_on_rst),
        cmocka_unit_test(test_options_on_syn),
        cmocka_unit_test(test_illegal_options_on_syn),
        cmocka_unit_test(test_reserved_bits),
        cmocka_unit_test(test_data_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
