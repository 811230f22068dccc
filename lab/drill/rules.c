/* SPDX-License-Identifier: MIT */

/* Which rule of an RFC does a failure touch? A hint for the reader, never part of the verdict.
 *
 * A situation is a set of bits: what the line expected, what came instead, what the peer sent last
 * and in which state the connection is. The table below says for a field that differs and a
 * situation which rule is most likely meant; the first row all of whose bits are there is taken, so
 * the special stand before the general. Where no row fits, nothing is said: a wrong hint is worse
 * than none. What the script itself cites is shown besides (report.c).
 *
 * Labels are those of docs/rfc. */

#include <lab/drill/run.h>
#include <string.h>

enum situation {
    WANT_SYN = 1 << 0,
    WANT_RST = 1 << 1,
    WANT_FIN = 1 << 2,
    WANT_DATA = 1 << 3,
    WANT_ACK = 1 << 4, /* and nothing else */
    WANT_ICMP = 1 << 5,
    GOT_RST = 1 << 6,
    GOT_ACK = 1 << 7, /* and nothing else */
    GOT_DATA = 1 << 8,
    GOT_FIN = 1 << 9,
    GOT_ICMP = 1 << 10,
    GOT_TCP = 1 << 11,
    LAST_SYN = 1 << 12,
    LAST_RST = 1 << 13,
    LAST_FIN = 1 << 14,
    LAST_DATA = 1 << 15,
    LAST_ACK = 1 << 16, /* and nothing else */
    LAST_ICMP = 1 << 17,
    CLOSED_WINDOW = 1 << 18,
    IN_CLOSED = 1 << 19,
    IN_SYN_SENT = 1 << 20,
    IN_SYN_RECEIVED = 1 << 21,
    SYNCHRONIZED = 1 << 22,
    IN_TIME_WAIT = 1 << 23,
};

/* clang-format off */
static const struct {
    const char *field;
    unsigned bits;
    const char *rule;
} rules[] = {
    {"checksum",  GOT_TCP,                       "RFC 9293 3.1 [MUST-2]: every segment leaves with a right checksum"},
    {"ip sum",    0,                             "RFC 1122 3.2.1.2: the IP header checksum is right"},
    {"urg",       GOT_TCP,                       "RFC 9293 3.8.5 [MUST-62]: the urgent pointer names the byte behind the urgent data"},
    {"options",   WANT_SYN,                      "RFC 9293 3.7.1 [MUST-14, SHLD-5]: a SYN names our MSS"},
    {"options",   WANT_DATA,                     "RFC 9293 3.2 [MUST-65]: the MSS option rides on SYNs only"},
    {"tos",       0,                             "RFC 9293 3.9.1.9 [MUST-48]: the application sets the Diffserv field"},
    {"ttl",       0,                             "RFC 9293 3.9.2 [MUST-49]: the TTL of segments can be set"},
    {"length",    GOT_DATA | WANT_DATA,          "RFC 9293 3.7.1 [MUST-16, SHLD-28]: a segment is as large as MSS and window let it be"},
    {"win",       GOT_TCP,                       "RFC 9293 3.8.6 [MUST-39, SHLD-14]: the window opens in steps worth having and never moves back"},

    {"extra",     GOT_RST | LAST_RST,            "RFC 9293 3.5.2 [U-30]: a RST is never answered"},
    {"extra",     GOT_ACK | LAST_RST,            "RFC 9293 3.5.3 [U-20], RFC 5961 3.2: only a RST inside the window is challenged"},
    {"extra",     GOT_ICMP,                      "RFC 1122 3.2.2: no ICMP error about errors, broadcasts and later fragments"},
    {"extra",     GOT_ACK | LAST_ACK,            "RFC 9293 3.5.2 [U-30]: an acceptable empty ACK is not answered"},
    {"extra",     GOT_RST,                       "RFC 9293 3.5.2 [U-7]: who is reset, and with which numbers"},
    {"extra",     GOT_ACK,                       "RFC 9293 3.8.6.3 [SHLD-18], 3.10.7.4 [MUST-58]: ACKs are delayed and joined"},
    {"extra",     GOT_DATA,                      "RFC 9293 3.8.6.2.1 [MUST-38], 3.7.4 [SHLD-7]: when data may leave"},

    {"missing",   WANT_ICMP,                     "RFC 1122 3.2.2: which ICMP messages a host answers with"},
    {"missing",   WANT_RST | IN_CLOSED,          "RFC 9293 3.10.7.1, 3.10.7.4 [U-7, U-11]: what belongs to no connection, or acknowledges nothing of a half-open one, is reset"},
    {"missing",   WANT_RST | IN_SYN_SENT,        "RFC 9293 3.10.7.3 [U-9]: an ACK of what was never sent is reset"},
    {"missing",   WANT_RST | IN_SYN_RECEIVED,    "RFC 9293 3.10.7.4 [U-11]: a wrong ACK in SYN-RECEIVED is reset"},
    {"missing",   WANT_RST,                      "RFC 9293 3.6.1 [SHLD-3], 3.10.5 [U-29]: when a connection is aborted by a RST"},
    {"missing",   WANT_ACK | LAST_SYN | SYNCHRONIZED, "RFC 9293 3.10.7.4 [U-12], RFC 5961 4.2: a SYN in a synchronised state is challenged"},
    {"missing",   WANT_ACK | LAST_RST,           "RFC 9293 3.5.3 [U-20], RFC 5961 3.2: a RST in the window but not at its edge is challenged"},
    {"missing",   WANT_ACK | IN_TIME_WAIT,       "RFC 9293 3.10.7.4 [U-18]: a FIN that comes again is acknowledged"},
    {"missing",   WANT_ACK | LAST_FIN,           "RFC 9293 3.10.7.4 [U-17]: a FIN is acknowledged"},
    {"missing",   WANT_ACK | LAST_DATA,          "RFC 9293 3.8.6.3 [MUST-40, SHLD-19], 3.10.7.4 [U-5]: data is acknowledged in time"},
    {"missing",   WANT_ACK | CLOSED_WINDOW,      "RFC 9293 3.8.6.1 [MUST-36]: a closed window is probed"},
    {"missing",   WANT_DATA | CLOSED_WINDOW,     "RFC 9293 3.8.6.1 [MUST-36]: a closed window is probed"},
    {"missing",   WANT_DATA,                     "RFC 9293 3.8.6.2.1 [MUST-38], RFC 5681 2, RFC 6298 5: when data may leave or must leave again"},
    {"missing",   WANT_SYN,                      "RFC 9293 3.8.3 [MUST-23], 3.10.7.2 [U-8]: a SYN is answered, and repeated"},
    {"missing",   WANT_FIN,                      "RFC 9293 3.6 [U-21]: the FIN follows what is queued"},

    {"time",      WANT_SYN,                      "RFC 9293 3.8.3 [MUST-22], RFC 6298 5.5: the timer of a SYN doubles"},
    {"time",      WANT_DATA | CLOSED_WINDOW,     "RFC 9293 3.8.6.1 [SHLD-29, SHLD-30]: the first probe waits one RTO, the others double it"},
    {"time",      WANT_DATA,                     "RFC 9293 3.8.1 [MUST-18], RFC 6298 2, 5: the retransmission timer"},
    {"time",      WANT_ACK,                      "RFC 9293 3.8.6.3 [MUST-40, SHLD-18]: an ACK is delayed, but less than half a second"},

    {"flags",     GOT_RST | WANT_ACK | SYNCHRONIZED, "RFC 9293 3.10.7.4 [U-5, U-15]: in a synchronised state the unacceptable is answered by an ACK"},
    {"flags",     WANT_RST | GOT_ACK | IN_SYN_RECEIVED, "RFC 9293 3.10.7.4 [U-11]: a wrong ACK in SYN-RECEIVED is reset"},
    {"flags",     WANT_RST,                      "RFC 9293 3.6.1 [SHLD-3], 3.5.2 [U-7]: when a RST is the answer"},
    {"flags",     GOT_RST,                       "RFC 9293 3.5.2 [U-7]: when a RST is the answer"},
    {"flags",     GOT_DATA | WANT_DATA,          "RFC 9293 3.9.1.2 [MUST-61]: the last segment of what is buffered carries PSH"},
    {"flags",     WANT_FIN,                      "RFC 9293 3.6 [U-21]: the FIN follows what is queued"},
    {"flags",     GOT_FIN,                       "RFC 9293 3.6 [U-21]: the FIN follows what is queued"},
    {"seq",       WANT_RST,                      "RFC 9293 3.5.2 [U-7]: the numbers of a RST"},
    {"seq",       WANT_ACK | CLOSED_WINDOW,      "RFC 9293 3.8.6.1 [MUST-36]: what a probe carries"},
    {"seq",       WANT_DATA,                     "RFC 9293 3.8.1 [MUST-18], RFC 5681 3.2: which data is sent, and which again"},
    {"ack",       WANT_RST,                      "RFC 9293 3.5.2 [U-7]: the numbers of a RST"},
    {"ack",       LAST_FIN,                      "RFC 9293 3.10.7.4 [U-17]: a FIN is acknowledged"},
    {"ack",       GOT_TCP,                       "RFC 9293 3.10.7.4 [SHLD-31, U-16]: what arrived in order is acknowledged, nothing else"},
};
/* clang-format on */

static unsigned wanted(const struct packet_line *line)
{
    unsigned bits = 0;

    if (line->kind != PACKET_TCP)
        return line->kind == PACKET_ICMP ? WANT_ICMP : 0;
    bits |= line->flags & WEIR_TCP_SYN ? WANT_SYN : 0;
    bits |= line->flags & WEIR_TCP_RST ? WANT_RST : 0;
    bits |= line->flags & WEIR_TCP_FIN ? WANT_FIN : 0;
    bits |= line->payload_length > 0 ? WANT_DATA : 0;
    return bits ? bits : WANT_ACK;
}

static unsigned got(const struct weir_packet *packet)
{
    unsigned bits = 0;

    if (packet->protocol != 6)
        return packet->protocol == 1 ? GOT_ICMP : 0;
    bits |= packet->flags & WEIR_TCP_RST ? GOT_RST : 0;
    bits |= packet->flags & WEIR_TCP_FIN ? GOT_FIN : 0;
    bits |= packet->payload_length > 0 ? GOT_DATA : 0;
    return GOT_TCP | (bits ? bits : packet->flags & WEIR_TCP_SYN ? 0 : GOT_ACK);
}

static unsigned last(const struct weir_packet *packet)
{
    unsigned bits = 0;

    if (packet->protocol != 6)
        return packet->protocol == 1 ? LAST_ICMP : 0;
    bits |= packet->flags & WEIR_TCP_SYN ? LAST_SYN : 0;
    bits |= packet->flags & WEIR_TCP_RST ? LAST_RST : 0;
    bits |= packet->flags & WEIR_TCP_FIN ? LAST_FIN : 0;
    bits |= packet->payload_length > 0 ? LAST_DATA : 0;
    return bits ? bits : LAST_ACK;
}

static unsigned state(struct run *run)
{
    int socket = run->current ? conn_socket(run, run->current) : -1;
    struct weir_tcp_info info;

    if (socket < 0 || weir_tcp_info_get(run->stack, socket, run->now, &info) < 0)
        return IN_CLOSED;
    switch (info.state) {
    case WEIR_STATE_CLOSED:
        return IN_CLOSED;
    case WEIR_STATE_SYN_SENT:
        return IN_SYN_SENT;
    case WEIR_STATE_SYN_RECEIVED:
        return IN_SYN_RECEIVED;
    case WEIR_STATE_TIME_WAIT:
        return IN_TIME_WAIT | SYNCHRONIZED;
    case WEIR_STATE_LISTEN:
        return 0;
    default:
        return SYNCHRONIZED | (info.snd_wnd == 0 ? CLOSED_WINDOW : 0);
    }
}

void rule_note(struct run *run, const struct packet_line *line, const char *field,
               const struct weir_packet *packet)
{
    unsigned bits;
    size_t i;

    if (run->rule || run->ended || !field)
        return;
    bits = state(run) | last(&run->last_inbound) | (line ? wanted(line) : 0) |
           (packet ? got(packet) : 0);
    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!strcmp(rules[i].field, field) && (bits & rules[i].bits) == rules[i].bits) {
            run->rule = rules[i].rule;
            return;
        }
    }
}
