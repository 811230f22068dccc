/* SPDX-License-Identifier: MIT */
#ifndef WEIR_DROP_H
#define WEIR_DROP_H

/* Why packets left, why they did not, and what became of them. Every discarded packet is counted
 * under exactly one reason of WEIR_DROPS; every packet sent and every decision not to send carries
 * a reason of WEIR_WHYS. Captures, traces, `stats` and `info` print these names. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/* X(NAME, "name", "what it means") */
#define WEIR_DROPS(X)                                                                         \
    X(NONE, "none", "not dropped")                                                            \
    X(IFACE_DOWN, "iface-down", "the interface is down")                                      \
    X(NOT_NEIGHBOUR, "not-neighbour", "the sender is no neighbour of the interface")          \
    X(IP_SHORT, "ip-short", "shorter than an IP header")                                      \
    X(IP_VERSION, "ip-version", "IP version is not 4")                                        \
    X(IP_HEADER_LENGTH, "ip-header-length", "IHL below 5 or beyond the packet")               \
    X(IP_LENGTH, "ip-length", "total length below the header or beyond the frame")            \
    X(IP_CHECKSUM, "ip-checksum", "wrong IP header checksum")                                 \
    X(IP_SOURCE, "ip-source", "source address no host may send from")                         \
    X(IP_DESTINATION, "ip-destination", "destination address nobody may send to")             \
    X(IP_OPTIONS, "ip-options", "malformed IP option")                                        \
    X(IP_SOURCE_ROUTE, "ip-source-route", "source-routed packet, refused by policy")          \
    X(IP_NOT_OURS, "ip-not-ours", "not addressed to this host, which does not forward")       \
    X(IP_PROTOCOL, "ip-protocol", "nobody takes this IP protocol")                            \
    X(IP_BROADCAST, "ip-broadcast", "broadcast or multicast that nobody takes")               \
    X(TTL, "ttl", "TTL ran out")                                                              \
    X(NO_ROUTE, "no-route", "no route to the destination")                                    \
    X(NO_NEIGHBOUR, "no-neighbour", "the next hop is not a neighbour")                        \
    X(TOO_BIG, "too-big", "larger than the outgoing link, and not to be fragmented")          \
    X(LINK_FULL, "link-full", "the outgoing link could not take it")                          \
    X(DROP_RATE, "drop-rate", "dropped at random, as `drop` asked")                           \
    X(FRAGMENT_BAD, "fragment-bad", "fragment with an impossible length or offset")           \
    X(FRAGMENT_OVERLAP, "fragment-overlap", "overlapping fragments: the datagram is dropped") \
    X(FRAGMENT_DUPLICATE, "fragment-duplicate", "fragment that came twice")                   \
    X(FRAGMENT_LIMIT, "fragment-limit", "reassembly is at its limit")                         \
    X(FRAGMENT_TIMEOUT, "fragment-timeout", "fragments of a datagram that stayed incomplete") \
    X(ICMP_SHORT, "icmp-short", "shorter than an ICMP header")                                \
    X(ICMP_CHECKSUM, "icmp-checksum", "wrong ICMP checksum")                                  \
    X(ICMP_TYPE, "icmp-type", "ICMP type or code that nobody takes")                          \
    X(ICMP_QUOTE, "icmp-quote", "ICMP error that quotes nothing of ours")                     \
    X(ICMP_RATE, "icmp-rate", "ICMP error not sent: rate limit")                              \
    X(ICMP_FORBIDDEN, "icmp-forbidden", "ICMP error not sent: the RFC forbids it here")       \
    X(TCP_SHORT, "tcp-short", "shorter than a TCP header")                                    \
    X(TCP_HEADER_LENGTH, "tcp-header-length", "data offset below 5 or beyond the segment")    \
    X(TCP_CHECKSUM, "tcp-checksum", "wrong TCP checksum")                                     \
    X(TCP_OPTIONS, "tcp-options", "malformed TCP option")                                     \
    X(TCP_NO_CONNECTION, "tcp-no-connection", "no connection and no listener")                \
    X(TCP_UNACCEPTABLE, "tcp-unacceptable", "sequence number outside the window")             \
    X(TCP_OLD_DATA, "tcp-old-data", "all of it was received before")                          \
    X(TCP_NO_ACK, "tcp-no-ack", "no ACK bit where one is required")                           \
    X(TCP_BAD_ACK, "tcp-bad-ack", "acknowledges what was never sent, or far too old")         \
    X(TCP_BAD_RST, "tcp-bad-rst", "RST that is not believed")                                 \
    X(TCP_BAD_SYN, "tcp-bad-syn", "SYN in a synchronised state, or to an unfit address")      \
    X(TCP_STATE, "tcp-state", "means nothing in this state")                                  \
    X(TCP_CLOSED_DATA, "tcp-closed-data", "data for a reader that has closed")                \
    X(TCP_BACKLOG, "tcp-backlog", "the listener's backlog is full")                           \
    X(TCP_HALF_OPEN_LIMIT, "tcp-half-open-limit", "too many half-open connections")           \
    X(TCP_OOO_LIMIT, "tcp-ooo-limit", "too many out-of-order ranges")                         \
    X(TCP_NO_MEMORY, "tcp-no-memory", "no memory left for this data")                         \
    X(TCP_CHALLENGE_RATE, "tcp-challenge-rate", "challenge ACK not sent: rate limit")         \
    X(TCP_TIME_WAIT, "tcp-time-wait", "not acceptable in TIME-WAIT")                          \
    X(TIME_WAIT_LIMIT, "time-wait-limit", "oldest TIME-WAIT record evicted")                  \
    X(UDP_SHORT, "udp-short", "shorter than a UDP header")                                    \
    X(UDP_LENGTH, "udp-length", "UDP length below 8 or beyond the packet")                    \
    X(UDP_CHECKSUM, "udp-checksum", "wrong UDP checksum")                                     \
    X(UDP_NO_PORT, "udp-no-port", "no socket on this UDP port")                               \
    X(DGRAM_FULL, "dgram-full", "the socket's datagram queue is full")                        \
    X(DGRAM_SHORT, "dgram-short", "datagram too short for its protocol")                      \
    X(RIP_BAD, "rip-bad", "malformed RIP message")                                            \
    X(RIP_NOT_NEIGHBOUR, "rip-not-neighbour", "RIP from a router that is no RIP neighbour")   \
    X(NO_MEMORY, "no-memory", "the stack's memory budget is used up")

/* Reasons to send, then reasons not to. */
#define WEIR_WHYS(X)                                                                  \
    X(NONE, "none", "no reason recorded")                                             \
    X(SYN, "syn", "opening a connection")                                             \
    X(SYN_ACK, "syn-ack", "answering a SYN")                                          \
    X(DATA, "data", "new data")                                                       \
    X(FIN, "fin", "closing our direction")                                            \
    X(RETRANSMIT_TIMEOUT, "rto", "retransmission: the timer expired")                 \
    X(RETRANSMIT_FAST, "fast-retransmit", "retransmission: third duplicate ACK")      \
    X(RETRANSMIT_PARTIAL, "partial-ack", "retransmission: partial ACK in recovery")   \
    X(RETRANSMIT_LOSS, "loss-recovery", "retransmission: slow start after a timeout") \
    X(LIMITED_TRANSMIT, "limited-transmit", "new data on a duplicate ACK")            \
    X(ACK, "ack", "acknowledging data at once")                                       \
    X(DELAYED_ACK, "delayed-ack", "the delayed-ACK timer expired")                    \
    X(DUPLICATE_ACK, "duplicate-ack", "answering an out-of-order or unacceptable segment") \
    X(CHALLENGE_ACK, "challenge-ack", "answering a suspicious segment")               \
    X(WINDOW_UPDATE, "window-update", "the receive window opened")                    \
    X(PROBE, "probe", "probing a zero window")                                        \
    X(SWS_OVERRIDE, "sws-override", "small segment: the override timer expired")      \
    X(KEEPALIVE, "keep-alive", "is the idle peer still there?")                       \
    X(RST, "rst", "aborting a connection")                                            \
    X(REFUSE, "refuse", "RST: what it answers belongs to no connection")              \
    X(FORWARD, "forward", "forwarded")                                                \
    X(ECHO, "echo", "ICMP echo request")                                              \
    X(ECHO_REPLY, "echo-reply", "ICMP echo reply")                                    \
    X(ICMP_ERROR, "icmp-error", "ICMP error message")                                 \
    X(RAW, "raw", "sent by a raw socket")                                             \
    X(UDP, "udp", "sent by a UDP socket")                                             \
    X(RIP, "rip", "routing update or request")                                        \
    X(IDLE, "idle", "nothing to send")                                                \
    X(WAIT_STATE, "state", "this state sends nothing")                                \
    X(WAIT_WINDOW, "window", "the peer's window is full")                             \
    X(WAIT_ZERO_WINDOW, "zero-window", "the peer's window is closed")                 \
    X(WAIT_CWND, "cwnd", "the congestion window is full")                             \
    X(WAIT_NAGLE, "nagle", "a small segment waits for an ACK (Nagle)")                \
    X(WAIT_SWS, "sws", "a small segment waits for a larger window")                   \
    X(WAIT_CORK, "cork", "the application has more to come")                          \
    X(WAIT_ACK, "delayed", "the ACK waits for company")                               \
    X(WAIT_HOLD, "hold", "a moment's pause after the handshake")                      \
    X(WAIT_LINK, "link", "the link is full")                                          \
    X(WAIT_ROUTE, "route", "there is no way to the peer at the moment")
/* clang-format on */

enum weir_drop {
#define X(name, text, meaning) WEIR_DROP_##name,
    WEIR_DROPS(X)
#undef X
        WEIR_DROP_COUNT
};

enum weir_why {
#define X(name, text, meaning) WEIR_WHY_##name,
    WEIR_WHYS(X)
#undef X
        WEIR_WHY_COUNT
};

/* Never NULL. */
const char *weir_drop_name(enum weir_drop reason);
const char *weir_drop_meaning(enum weir_drop reason);
const char *weir_why_name(enum weir_why why);
const char *weir_why_meaning(enum weir_why why);

#ifdef __cplusplus
}
#endif
#endif
