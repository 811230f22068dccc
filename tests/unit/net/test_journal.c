/* SPDX-License-Identifier: MIT */

/* The journal: order, reasons and fates; what finds no room; packets to ourselves; that it changes
 * nothing else. */

#include "fake_link.h"

#include <talk/talk.h>
#include <weir/journal.h>
#include <wire/icmp4.h>

#define PEER A4(10, 0, 0, 9)
#define SELF A4(10, 0, 0, 1)
#define ROOM 65536u

static struct node node;
static uint64_t memory[ROOM / 8];
static struct weir_journal journal;

static void begin(size_t size)
{
    node_init(&node);
    journal = (struct weir_journal){.bytes = (uint8_t *)memory, .size = size};
    net_set_journal(node.net, &journal, 7);
}

static void end(void)
{
    net_set_journal(node.net, NULL, 0);
    node_done(&node);
}

static const struct weir_journal_entry *expect(size_t *at, enum weir_journal_direction direction,
                                               int iface, enum weir_why why, enum weir_drop drop)
{
    const struct weir_journal_entry *entry = weir_journal_next(&journal, at);

    assert_non_null(entry);
    assert_int_equal(entry->direction, direction);
    assert_int_equal(entry->iface, iface);
    assert_string_equal(weir_why_name((enum weir_why)entry->why), weir_why_name(why));
    assert_string_equal(weir_drop_name((enum weir_drop)entry->drop), weir_drop_name(drop));
    assert_int_equal(entry->source, 7);
    assert_int_equal(entry->at, node.now);
    return entry;
}

static void expect_end(size_t at)
{
    assert_null(weir_journal_next(&journal, &at));
    journal.used = 0;
}

/* ---- Order and reasons ------------------------------------------------------------------------ */

static void test_answer_stands_behind_what_it_answers(void **state)
{
    struct weir_packet request = echo(PEER, SELF, some_bytes, 13);
    const struct weir_journal_entry *entry;
    size_t at = 0;

    (void)state;
    begin(ROOM);
    node.now = 5 * WEIR_SECOND + 1;
    assert_int_equal(node_packet(&node, 0, &request), NET_DONE);
    entry = expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NONE);
    assert_int_equal(entry->length, 20 + 8 + 13);
    assert_memory_equal(weir_journal_packet(entry), node.kept, entry->length);
    entry = expect(&at, WEIR_JOURNAL_OUT, 0, WEIR_WHY_ECHO_REPLY, WEIR_DROP_NONE);
    assert_memory_equal(weir_journal_packet(entry), node.links[0].sent[0].frame.data,
                        entry->length);
    expect_end(at);
    end();
}

static void test_forwarded(void **state)
{
    struct weir_packet packet = plain(PEER, A4(10, 1, 0, 3));
    size_t at = 0;

    (void)state;
    begin(ROOM);
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NONE);
    expect(&at, WEIR_JOURNAL_OUT, 1, WEIR_WHY_FORWARD, WEIR_DROP_NONE);
    expect_end(at);
    end();
}

/* ---- Fates ------------------------------------------------------------------------------------ */

struct fate_case {
    const char *what;
    uint32_t dst;
    uint8_t ttl, protocol;
    bool has_error; /* an ICMP error follows */
    enum weir_drop drop;
};

static const struct fate_case fate_cases[] = {
    {"TTL", A4(10, 1, 0, 3), 1, 0, true, WEIR_DROP_TTL},
    {"no route", A4(99, 1, 0, 3), 9, 0, true, WEIR_DROP_NO_ROUTE},
    {"no neighbour", A4(10, 1, 0, 77), 9, 0, true, WEIR_DROP_NO_NEIGHBOUR},
    {"broadcast of others", A4(10, 1, 0, 255), 9, 0, false, WEIR_DROP_IP_BROADCAST},
    {"ICMP without a header", SELF, 9, 1, false, WEIR_DROP_ICMP_TYPE},
};

static void test_fates(void **state)
{
    (void)state;
    begin(ROOM);
    for (size_t i = 0; i < sizeof(fate_cases) / sizeof(fate_cases[0]); i++) {
        const struct fate_case *row = &fate_cases[i];
        struct weir_packet packet = plain(PEER, row->dst);
        size_t at = 0;

        print_message("%s\n", row->what);
        packet.ttl = row->ttl;
        packet.protocol = row->protocol;
        packet.icmp_type = 77;
        assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
        expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, row->drop);
        if (row->has_error)
            expect(&at, WEIR_JOURNAL_OUT, 0, WEIR_WHY_ICMP_ERROR, WEIR_DROP_NONE);
        expect_end(at);
    }
    end();
}

/* The error that is not sent is counted, and is not what became of the packet. */
static void test_lost_answers_are_no_fate(void **state)
{
    struct weir_packet packet = plain(PEER, A4(99, 1, 0, 3));
    struct weir_packet request = echo(PEER, SELF, some_bytes, 13);
    size_t at = 0;

    (void)state;
    begin(ROOM);
    node.links[0].room = 0;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    assert_int_equal(node_packet(&node, 0, &request), NET_DONE);
    assert_true(node.counters.drop[WEIR_DROP_LINK_FULL] == 2);
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NO_ROUTE);
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NONE);
    expect_end(at);
    end();
}

/* Nor is that no error is sent because there were so many. */
static void test_rationed_errors_are_no_fate(void **state)
{
    struct weir_packet packet = plain(PEER, A4(10, 1, 0, 3));

    (void)state;
    begin(ROOM);
    packet.ttl = 1;
    while (node.counters.drop[WEIR_DROP_ICMP_RATE] < 3) {
        size_t at = 0;

        assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
        expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_TTL);
        journal.used = 0;
    }
    end();
}

static void test_what_the_caller_drops(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);
    size_t at = 0;

    (void)state;
    begin(ROOM);
    assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    net_count_drop(node.net, WEIR_DROP_IP_PROTOCOL);
    net_unreachable(node.net, &node.packet, ICMP4_PROTOCOL_UNREACHABLE, node.now);
    net_release(node.net, &node.packet);
    expect_drop(&node, WEIR_DROP_IP_PROTOCOL);
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_IP_PROTOCOL);
    expect(&at, WEIR_JOURNAL_OUT, 0, WEIR_WHY_ICMP_ERROR, WEIR_DROP_NONE);
    expect_end(at);
    /* The next one is not tainted by it. */
    at = 0;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DELIVER);
    net_release(node.net, &node.packet);
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NONE);
    expect_end(at);
    end();
}

/* Fragments that other fragments push out are not the fate of those. */
static void test_fragments(void **state)
{
    struct weir_packet packet = plain(PEER, SELF);
    size_t at = 0;

    (void)state;
    begin(ROOM);
    packet.more_fragments = true;
    packet.payload_length = 16;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    node.now = 61 * WEIR_SECOND;
    packet.id = 1;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    packet.fragment_offset = 8;
    assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
    node.now = 0;
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NONE);
    node.now = 61 * WEIR_SECOND;
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_NONE);
    expect(&at, WEIR_JOURNAL_OUT, 0, WEIR_WHY_ICMP_ERROR, WEIR_DROP_NONE);
    expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_FRAGMENT_OVERLAP);
    expect_end(at);
    assert_int_equal(node.counters.drop[WEIR_DROP_FRAGMENT_TIMEOUT], 1);
    end();
}

/* ---- Room -------------------------------------------------------------------------------------- */

static void test_no_room(void **state)
{
    struct weir_packet packet = plain(PEER, A4(10, 1, 0, 3));
    const size_t one = weir_journal_entry_size(40);
    const struct weir_journal_entry *entry;

    (void)state;
    for (size_t size = 0; size < 3 * one; size++) {
        size_t at = 0, kept = size / one < 2 ? size / one : 2;

        begin(size);
        assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
        assert_int_equal(journal.used, kept * one);
        assert_int_equal(journal.missed, 2 - kept);
        assert_int_equal(node.links[1].count, 1);
        journal.used = 0;
        assert_int_equal(node_packet(&node, 0, &packet), NET_DONE);
        entry = weir_journal_next(&journal, &at);
        assert_true((entry != NULL) == (kept > 0));
        if (entry)
            assert_int_equal(entry->missed, 2 - kept);
        end();
    }
}

static void test_empty_frames(void **state)
{
    size_t at = 0;

    (void)state;
    begin(ROOM);
    assert_int_equal(node_input(&node, 0, NULL, 0), NET_DONE);
    assert_int_equal(expect(&at, WEIR_JOURNAL_IN, 0, WEIR_WHY_NONE, WEIR_DROP_IP_SHORT)->length, 0);
    expect_end(at);
    end();
}

/* ---- Through a whole stack --------------------------------------------------------------------- */

/* All entries as text: direction, reason, drop. */
static void tell(char *text, size_t size)
{
    const struct weir_journal_entry *entry;
    size_t at = 0, length = 0;

    memset(text, 0, size);
    while ((entry = weir_journal_next(&journal, &at)) != NULL && length < size)
        length += (size_t)snprintf(text + length, size - length, "%c%d %s %s\n",
                                   entry->direction == WEIR_JOURNAL_OUT ? '>' : '<', entry->iface,
                                   weir_why_name((enum weir_why)entry->why),
                                   weir_drop_name((enum weir_drop)entry->drop));
    journal.used = 0;
}

static void watch(struct talk *t)
{
    journal = (struct weir_journal){.bytes = (uint8_t *)memory, .size = sizeof(memory)};
    weir_stack_set_journal(t->stack, &journal, 0);
}

static void test_reasons_of_a_conversation(void **state)
{
    struct talk *t = talk_create(NULL);
    char text[2048];
    int s;

    (void)state;
    watch(t);
    s = talk_establish_passive(t);
    tell(text, sizeof(text));
    assert_string_equal(text, "<0 none none\n>0 syn-ack none\n<0 none none\n");
    talk_write(t, s, 100);
    talk_in(t, "P. 1:11(10) ack 101");
    talk_in(t, ". 21:31(10) ack 101");
    talk_in(t, ". 1:11(10) ack 101");
    talk_in(t, ". 31:41(10) ack 101 badsum");
    talk_in(t, "S 11:11(0)");
    tell(text, sizeof(text));
    assert_string_equal(text, ">0 data none\n"
                              "<0 none none\n"
                              "<0 none none\n>0 duplicate-ack none\n"
                              "<0 none tcp-old-data\n>0 duplicate-ack none\n"
                              "<0 none tcp-checksum\n"
                              "<0 none tcp-bad-syn\n>0 challenge-ack none\n");
    talk_write(t, s, 50);
    talk_advance(t, 3 * WEIR_SECOND / 2);
    tell(text, sizeof(text));
    assert_memory_equal(text, ">0 data none\n>0 rto none\n", 25);
    talk_use(t, 81, 40001, 5);
    talk_in(t, "S 0:0(0)");
    tell(text, sizeof(text));
    assert_string_equal(text, "<0 none tcp-no-connection\n>0 refuse none\n");
    weir_stack_set_journal(t->stack, NULL, 0);
    talk_drain(t);
    talk_in(t, "S 0:0(0)");
    assert_int_equal(journal.used, 0);
    talk_drain(t);
    talk_destroy(t);
}

/* The SYN-ACK of a half-open record that the timer sends again. */
static void test_repeated_syn_ack(void **state)
{
    struct talk *t = talk_create(NULL);
    char text[256];

    (void)state;
    watch(t);
    talk_listen(t, 5);
    talk_in(t, "S 0:0(0) <mss 1460>");
    talk_advance(t, 3 * WEIR_SECOND / 2);
    tell(text, sizeof(text));
    assert_string_equal(text, "<0 none none\n>0 syn-ack none\n>0 rto none\n");
    talk_drain(t);
    talk_destroy(t);
}

/* What a stack says to itself stands once, with its reason and its fate. */
static void test_loopback(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_endpoint self = {.addr = weir_addr_from4(SELF), .port = 99};
    char text[256];
    int s;

    (void)state;
    watch(t);
    s = weir_socket_open(t->stack, WEIR_TCP, 0);
    assert_true(s >= 0);
    weir_socket_connect(t->stack, s, &self, t->now);
    talk_run(t);
    tell(text, sizeof(text));
    assert_string_equal(text, ">-1 syn tcp-no-connection\n>-1 refuse none\n");
    talk_destroy(t);
}

/* What the application sends between two polls has the time that it is told, not the last poll's. */
static void test_time_of_calls(void **state)
{
    struct talk *t = talk_create(NULL);
    struct weir_datagram to = {.peer = weir_addr_from4(PEER), .ttl = 9};
    const struct weir_journal_entry *entry;
    size_t at = 0;
    int s;

    (void)state;
    watch(t);
    talk_run(t);
    s = weir_socket_open(t->stack, WEIR_RAW, 77);
    weir_stack_set_time(t->stack, t->now + WEIR_SECOND);
    weir_stack_set_time(t->stack, t->now); /* time does not go back */
    assert_int_equal(weir_socket_sendto(t->stack, s, "x", 1, &to), 1);
    entry = weir_journal_next(&journal, &at);
    assert_non_null(entry);
    assert_int_equal(entry->at, t->now + WEIR_SECOND);
    t->now += WEIR_SECOND;
    talk_run(t);
    talk_drain(t);
    talk_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_stands_behind_what_it_answers),
        cmocka_unit_test(test_forwarded),
        cmocka_unit_test(test_fates),
        cmocka_unit_test(test_lost_answers_are_no_fate),
        cmocka_unit_test(test_rationed_errors_are_no_fate),
        cmocka_unit_test(test_what_the_caller_drops),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_empty_frames),
        cmocka_unit_test(test_reasons_of_a_conversation),
        cmocka_unit_test(test_repeated_syn_ack),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_time_of_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
