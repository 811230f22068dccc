/* SPDX-License-Identifier: MIT */

/* What a line says against what came: each packet here differs from its line in one thing, which the
 * report must mark; also in what no stack of ours sends, such as a wrong sum. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define OUR_ISN 0xfffffff0u
#define PEER_ISN 5000u
#define DATA "hello"

/* A segment, a datagram, an echo: all three from us, with five bytes. */
static struct weir_packet sample(uint8_t protocol)
{
    struct weir_packet packet = {.protocol = protocol, .ttl = 64, .mss = -1};

    packet.src = weir_addr_from4(0xc0a80001);
    packet.dst = weir_addr_from4(0xc0000201);
    packet.sport = 8080;
    packet.dport = 40001;
    if (protocol == 6) {
        packet.seq = OUR_ISN + 20; /* past the wrap */
        packet.ack = PEER_ISN + 1;
        packet.flags = WEIR_TCP_ACK | WEIR_TCP_PSH | WEIR_TCP_URG;
        packet.window = 1000;
        packet.urgent = 3;
    }
    packet.icmp_type = 0;
    packet.icmp_rest = 7u << 16 | 9u;
    packet.payload = (const uint8_t *)DATA;
    packet.payload_length = sizeof(DATA) - 1;
    return packet;
}

#define TCP "0 > PU. 20:25(5) ack 1 win 1000 urg 3 data \"hello\""
#define UDP "0 > udp (5) data \"hello\""
#define ECHO "0 > icmp echo_reply id 7 seq 9 data \"hello\""

static const struct {
    const char *line;
    uint8_t protocol;
    int16_t broken; /* offset of a byte that is turned over; -1: none */
    const char
        *marked; /* the only field that is marked (UDP's sum is looked at twice); NULL: none */
} rows[] = {
    {TCP, 6, -1, NULL},
    {UDP, 17, -1, NULL},
    {ECHO, 1, -1, NULL},
    /* Sums. */
    {TCP, 6, 10, "ip sum"},
    {TCP, 6, 36, "checksum"},
    {TCP, 6, 37, "checksum"},
    {UDP, 17, 26, "checksum"},
    {UDP, 17, 10, "ip sum"},
    {ECHO, 1, 22, "checksum"},
    {ECHO, 1, 11, "ip sum"},
    /* The line says something else. */
    {"0 > PU. 20:25(5) ack 1 win 1000 urg 4 data \"hello\"", 6, -1, "urg"},
    {"0 > PU. 20:25(5) ack 1 win 1000 data \"hello\"", 6, -1, "urg"},
    {"0 > P. 20:25(5) ack 1 win 1000 urg 3 data \"hello\"", 6, -1, "flags"},
    {"0 > PU. 21:26(5) ack 1 win 1000 urg 3 data \"hello\"", 6, -1, "seq"},
    {"0 > PU. 20:26(6) ack 1 win 1000 urg 3 data \"hello!\"", 6, -1, "length"},
    {"0 > PU. 20:25(5) ack 2 win 1000 urg 3 data \"hello\"", 6, -1, "ack"},
    {"0 > PU. 20:25(5) ack 1 win 1001 urg 3 data \"hello\"", 6, -1, "win"},
    {"0 > PU. 20:25(5) ack 1 win 1000 urg 3 data \"hallo\"", 6, -1, "payload"},
    {"0 > PU. 20:25(5) ack 1 win 1000 urg 3", 6, -1, "payload"},
    {"0 > PU. 20:25(5) ack 1 win 1000 urg 3 <mss 1460> data \"hello\"", 6, -1, "options"},
    {"0 > [src 192.168.0.2] udp (5) data \"hello\"", 17, -1, "src"},
    {"0 > [dst 192.0.2.2] udp (5) data \"hello\"", 17, -1, "dst"},
    {"0 > [df] udp (5) data \"hello\"", 17, -1, "df"},
    {"0 > (ttl 63) udp (5) data \"hello\"", 17, -1, "ttl"},
    {"0 > (tos 0x4) udp (5) data \"hello\"", 17, -1, "tos"},
    {"0 > udp (5) data \"hellu\"", 17, -1, "payload"},
    {"0 > icmp echo_reply id 8 seq 9 data \"hello\"", 1, -1, "id"},
    {"0 > icmp echo_reply id 7 seq 8 data \"hello\"", 1, -1, "icmp seq"},
    {"0 > icmp echo_request id 7 seq 9 data \"hello\"", 1, -1, "type"},
};

static struct seen *seen_of(const struct weir_packet *packet, int16_t broken)
{
    struct seen *seen = calloc(1, sizeof(*seen) + 256);
    long length;

    assert_non_null(seen);
    length = weir_packet_emit(packet, seen->bytes, 256);
    assert_true(length > 0);
    seen->length = (size_t)length;
    if (broken >= 0)
        seen->bytes[broken] ^= 0xffu;
    assert_int_equal(weir_packet_parse(seen->bytes, seen->length, &seen->packet), 0);
    return seen;
}

/* What the report of this comparison says; "" if all is right. To be freed. */
static char *compare(const char *line, const struct seen *seen)
{
    struct drill_options options = {.profile = WEIR_PROFILE_DEFAULT};
    struct drill_conn conn = {
        .has_local_isn = true, .local_isn = OUR_ISN, .remote_isn = PEER_ISN, .socket = -1};
    struct run *run = calloc(1, sizeof(*run));
    char error[SCRIPT_ERROR_TEXT], *text;
    struct script script;

    assert_non_null(run);
    if (script_parse("t", line, strlen(line), NULL, 0, &script, error) != 0)
        fail_msg("%s", error);
    run->script = &script;
    run->options = &options;
    run->report = open_memstream(&run->report_text, &run->report_size);
    assert_non_null(run->report);
    compare_packet(run, script.events, seen->packet.protocol == 6 ? &conn : NULL, seen);
    fclose(run->report);
    assert_true(run->ended == (run->report_text[0] != '\0'));
    text = run->report_text;
    script_done(&script);
    free(run);
    return text;
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;

    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

static void one_difference_is_marked(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *marked = rows[i].marked ? rows[i].marked : "nothing";
        struct weir_packet packet = sample(rows[i].protocol);
        struct seen *seen = seen_of(&packet, rows[i].broken);
        char *text = compare(rows[i].line, seen), mark[32];
        unsigned marks = count_of(text, "\n  * ");

        snprintf(mark, sizeof(mark), "\n  * %s ", marked);
        if ((marks > 0) != (rows[i].marked != NULL) || count_of(text, mark) != marks)
            fail_msg("%s, byte %d: expected %s\n%s", rows[i].line, rows[i].broken, marked, text);
        free(text);
        free(seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_difference_is_marked)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
