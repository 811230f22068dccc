/* SPDX-License-Identifier: MIT */
#ifndef TALK_TALK_H
#define TALK_TALK_H

/* Conversations with one stack in virtual time: the test plays the peer with raw packets.
 *
 *     struct talk *t = talk_create(NULL);
 *     int s = talk_establish_passive(t);
 *
 *     talk_in(t, "P. 1:101(100) ack 1 win 65535");
 *     talk_expect_at(t, 40, ". 1:1(0) ack 101");
 *     assert_int_equal(talk_read(t, s, 1000), 100);
 *     talk_destroy(t);
 *
 * A packet is written as
 *
 *     FLAGS [SEQ:END(LENGTH)] [ack N] [win N] [urg N] [<OPTIONS>] [WORDS]
 *
 * FLAGS: letters of S F R P U E C and `.` for ACK, `-` for none; in an expectation `*` for any.
 * SEQ, END and ack count from the initial sequence number of their sender, so that a SYN is 0:0(0)
 * and the first byte of data is 1; they may be negative; `=N` is absolute. LENGTH counts bytes of
 * data only and END is SEQ + LENGTH, as with tcpdump.
 * OPTIONS, divided by commas: `mss N`, `nop`, `eol`, and runs of hexadecimal bytes (`010303`); padded
 * with zeros to a multiple of four when sent.
 * WORDS of a packet to send: `badsum` (wrong TCP checksum), `ttl N`, `tos N`, `reserved N`.
 * WORDS of an expectation: `ttl N`, `tos N`, `why NAME` (a name of WEIR_WHYS).
 * What an expectation leaves out is not compared; `<>` asks for no options. `icmp TYPE CODE` expects
 * an ICMP message. Checksums of everything the stack sends must be right.
 *
 * Data is generated from its position in the stream (talk_byte), and compared in both directions.
 * A failed expectation prints the whole conversation and fails the cmocka test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <weir/inspect.h>
#include <weir/links.h>
#include <weir/packet.h>

#define TALK_SOCKETS 64
#define TALK_FLOWS 16
#define TALK_PACKETS 4096
#define TALK_ICMP_QUOTE 8 /* bytes of our segment quoted in an ICMP error, after its IP header */

/* One connection as the peer sees it. */
struct talk_flow {
    struct weir_addr ours, peers;
    uint16_t our_port, peer_port;
    uint32_t our_isn, peer_isn;
    bool knows_isn; /* a SYN of ours was seen */
};

/* A packet that the stack sent and no expectation has taken yet. */
struct talk_packet {
    weir_time at;
    uint32_t length;
    uint16_t why;
    uint8_t *bytes;
};

struct talk {
    struct weir_stack *stack;
    weir_time now;
    weir_time mark; /* talk_expect_at counts from here */

    /* What the helpers that establish use; change them before. */
    struct weir_addr ours, peers;
    uint16_t our_port;    /* of our listener: 80 */
    uint16_t peer_port;   /* 40000 */
    uint32_t peer_isn;    /* 1000 */
    uint16_t peer_window; /* 65535 */
    int peer_mss;         /* 1460; 0: no option */

    struct talk_flow flows[TALK_FLOWS];
    struct talk_flow *flow; /* the one that talk_in and talk_out speak of */
    unsigned flow_count;

    uint64_t written[TALK_SOCKETS], read[TALK_SOCKETS]; /* stream positions */
    uint32_t events[TALK_SOCKETS];

    struct talk_packet packets[TALK_PACKETS];
    unsigned first_packet, packet_count;
    uint8_t last[2048]; /* the last TCP segment that was sent, for ICMP */
    uint32_t last_length;

    struct weir_hub *hub;
    int batch; /* > 0: talk_in only collects */
    struct weir_frame batch_frames[TALK_FLOWS * 16];
    char *log; /* the conversation so far */
    size_t log_length, log_room;
};

/* NULL: the default configuration with a fixed seed. The interface has 10.0.0.1/24, the peer is
 * 10.0.0.2, the MTU 1500. */
struct talk *talk_create(const struct weir_stack_config *config);
struct talk *talk_create_mtu(const struct weir_stack_config *config, uint32_t mtu);
void talk_destroy(struct talk *t);

/* Byte number `position` (from 0) of the stream that we (true) or the peer (false) send. */
uint8_t talk_byte(bool is_ours, uint64_t position);

/* Makes the flow between these ports the current one; a new flow starts with the peer's `isn`. */
void talk_use(struct talk *t, uint16_t our_port, uint16_t peer_port, uint32_t peer_isn);

/* The peer sends this: input and poll at the present time. Between batch_begin and batch_end packets
 * are collected and arrive in one call of weir_stack_input. */
#define talk_in(t, text) talk_in_at((t), (text), __FILE__, __LINE__)
void talk_in_at(struct talk *t, const char *text, const char *file, int line);
void talk_batch_begin(struct talk *t);
void talk_batch_end(struct talk *t);

/* A whole IP packet, as it is. */
void talk_in_raw(struct talk *t, const uint8_t *bytes, size_t length);

/* The next packet that the stack sends, or has sent, must be this. */
#define talk_out(t, text) talk_out_at((t), (text), __FILE__, __LINE__)
void talk_out_at(struct talk *t, const char *text, const char *file, int line);

/* It has nothing to send at the present time, and nothing that it sent is left to look at. */
#define talk_out_none(t) talk_out_none_at((t), __FILE__, __LINE__)
void talk_out_none_at(struct talk *t, const char *file, int line);

/* Lets time pass up to `ms` after the mark and expects that the next packet left exactly then. */
#define talk_expect_at(t, ms, text) talk_expect_between((t), (ms), (ms), (text))
#define talk_expect_between(t, from_ms, to_ms, text) \
    talk_expect_between_at((t), (from_ms), (to_ms), (text), __FILE__, __LINE__)
void talk_expect_between_at(struct talk *t, double from_ms, double to_ms, const char *text,
                            const char *file, int line);
void talk_mark(struct talk *t); /* the present time is the mark from now on */

/* Polls at the present time; at each deadline up to now + ns. What is sent is kept with its time. */
void talk_run(struct talk *t);
void talk_advance(struct talk *t, weir_time ns);

/* Forgets what was sent and not looked at. Returns how many packets that were. */
unsigned talk_drain(struct talk *t);

/* The next packet, taken apart, without judging it; false: none. The bytes stay valid until the next
 * call. *at may be NULL. */
bool talk_take(struct talk *t, struct weir_packet *packet, weir_time *at);

/* Our sequence number, and the peer's, of a relative number. */
uint32_t talk_our_seq(const struct talk *t, int64_t relative);
uint32_t talk_peer_seq(const struct talk *t, int64_t relative);

/* A connection with the peer in the current flow; returns the socket. Passive: ours listens on
 * our_port and accepts. Active: ours connects to peer_port. */
int talk_establish_passive(struct talk *t);
int talk_establish_active(struct talk *t);
int talk_listen(struct talk *t, int backlog);
int talk_connect(struct talk *t);

/* Writes `length` generated bytes; reads up to `max` bytes and compares them. Result as of
 * weir_socket_send and weir_socket_recv; both run the stack afterwards. */
long talk_write(struct talk *t, int socket, size_t length);
long talk_write_flags(struct talk *t, int socket, size_t length, int flags);
long talk_read(struct talk *t, int socket, size_t max);
int talk_close(struct talk *t, int socket);
int talk_shutdown(struct talk *t, int socket); /* our direction */
int talk_abort(struct talk *t, int socket);

enum weir_tcp_state talk_state(struct talk *t, int socket); /* CLOSED if the socket is gone */
struct weir_tcp_info talk_info(struct talk *t, int socket);
uint64_t talk_dropped(struct talk *t, enum weir_drop reason);

#define talk_expect_state(t, socket, name) \
    talk_expect_state_at((t), (socket), WEIR_STATE_##name, __FILE__, __LINE__)
void talk_expect_state_at(struct talk *t, int socket, enum weir_tcp_state state, const char *file,
                          int line);

/* Events of the socket since the last call (enum weir_event_bits). */
uint32_t talk_events(struct talk *t, int socket);

/* An ICMP error from the peer about the last segment that the stack sent; `rest` are the bytes 4..7
 * (the MTU of "fragmentation needed"). With _seq the quoted sequence number is our relative one. */
void talk_icmp(struct talk *t, uint8_t type, uint8_t code, uint32_t rest);
void talk_icmp_seq(struct talk *t, uint8_t type, uint8_t code, uint32_t rest, int64_t sequence);

/* Prints the conversation so far and fails. */
void talk_fail(struct talk *t, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
