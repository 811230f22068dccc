/* SPDX-License-Identifier: MIT */

/* What most conversations begin with, and sockets whose data is generated and compared.
 *
 * Each helper runs the stack after the socket call, as every runner of a stack does, so that what
 * the call made due has been sent when it returns. Stream positions are kept by socket number; a
 * number that is given out again starts at 0 when a helper establishes a connection on it. */

#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void start_stream(struct talk *t, int socket)
{
    assert_in_range(socket, 0, TALK_SOCKETS - 1);
    t->written[socket] = 0;
    t->read[socket] = 0;
    t->events[socket] = 0;
}

static void choose_flow(struct talk *t, uint16_t our_port)
{
    if (t->flow_count == 0)
        talk_use(t, our_port, t->peer_port, t->peer_isn);
}

int talk_listen(struct talk *t, int backlog)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = t->our_port};
    int socket = weir_socket_open(t->stack, WEIR_TCP, 0);

    assert_true(socket >= 0);
    assert_int_equal(weir_socket_set(t->stack, socket, WEIR_SO_REUSEADDR, 1), 0);
    assert_int_equal(weir_socket_bind(t->stack, socket, &local), 0);
    assert_int_equal(weir_socket_listen(t->stack, socket, backlog), 0);
    return socket;
}

int talk_connect(struct talk *t)
{
    struct weir_endpoint remote = {.addr = t->peers, .port = t->peer_port};
    int socket = weir_socket_open(t->stack, WEIR_TCP, 0);

    assert_true(socket >= 0);
    start_stream(t, socket);
    choose_flow(t, 0);
    remote.port = t->flow->peer_port;
    assert_int_equal(weir_socket_connect(t->stack, socket, &remote, t->now), WEIR_EINPROGRESS);
    talk_run(t);
    return socket;
}

/* "S 0:0(0) win W <mss M>", or "S. … ack 1 …". */
static void send_syn(struct talk *t, const char *flags, const char *ack)
{
    char text[96], option[32] = "";

    if (t->peer_mss > 0)
        snprintf(option, sizeof(option), " <mss %d>", t->peer_mss);
    snprintf(text, sizeof(text), "%s 0:0(0)%s win %u%s", flags, ack, t->peer_window, option);
    talk_in(t, text);
}

int talk_establish_passive(struct talk *t)
{
    int listener = talk_listen(t, 16), socket;

    choose_flow(t, t->our_port);
    send_syn(t, "S", "");
    talk_out(t, "S. 0:0(0) ack 1");
    talk_in(t, ". 1:1(0) ack 1");
    socket = weir_socket_accept(t->stack, listener, NULL);
    if (socket < 0)
        talk_fail(t, __FILE__, __LINE__, "accept: %s", weir_strerror(socket));
    start_stream(t, socket);
    assert_int_equal(weir_socket_close(t->stack, listener), 0);
    talk_run(t);
    talk_out_none(t);
    return socket;
}

int talk_establish_active(struct talk *t)
{
    int socket = talk_connect(t);

    talk_out(t, "S 0:0(0)");
    send_syn(t, "S.", " ack 1");
    talk_out(t, ". 1:1(0) ack 1");
    talk_expect_state(t, socket, ESTABLISHED);
    return socket;
}

long talk_write_flags(struct talk *t, int socket, size_t length, int flags)
{
    uint8_t *bytes = malloc(length > 0 ? length : 1);
    long result;

    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++)
        bytes[i] = talk_byte(true, t->written[socket] + i);
    result = weir_socket_send(t->stack, socket, bytes, length, flags);
    if (result > 0)
        t->written[socket] += (uint64_t)result;
    free(bytes);
    talk_run(t);
    return result;
}

long talk_write(struct talk *t, int socket, size_t length)
{
    return talk_write_flags(t, socket, length, 0);
}

long talk_read(struct talk *t, int socket, size_t max)
{
    uint8_t *bytes = malloc(max > 0 ? max : 1);
    long result;

    assert_non_null(bytes);
    result = weir_socket_recv(t->stack, socket, bytes, max);
    for (long i = 0; i < result; i++)
        if (bytes[i] != talk_byte(false, t->read[socket] + (uint64_t)i))
            talk_fail(t, __FILE__, __LINE__, "socket %d: wrong byte at %llu", socket,
                      (unsigned long long)t->read[socket] + (unsigned long long)i);
    if (result > 0)
        t->read[socket] += (uint64_t)result;
    free(bytes);
    talk_run(t);
    return result;
}

int talk_close(struct talk *t, int socket)
{
    int result = weir_socket_close(t->stack, socket);

    talk_run(t);
    return result;
}

int talk_shutdown(struct talk *t, int socket)
{
    int result = weir_socket_shutdown(t->stack, socket, WEIR_SHUT_WR);

    talk_run(t);
    return result;
}

int talk_abort(struct talk *t, int socket)
{
    int result = weir_socket_abort(t->stack, socket);

    talk_run(t);
    return result;
}

struct weir_tcp_info talk_info(struct talk *t, int socket)
{
    struct weir_tcp_info info = {0};

    assert_int_equal(weir_tcp_info_get(t->stack, socket, t->now, &info), 0);
    return info;
}

enum weir_tcp_state talk_state(struct talk *t, int socket)
{
    struct weir_tcp_info info;

    if (weir_tcp_info_get(t->stack, socket, t->now, &info) != 0)
        return WEIR_STATE_CLOSED;
    return info.state;
}

void talk_expect_state_at(struct talk *t, int socket, enum weir_tcp_state state, const char *file,
                          int line)
{
    enum weir_tcp_state actual = talk_state(t, socket);

    if (actual != state)
        talk_fail(t, file, line, "socket %d: expected %s, is %s", socket,
                  weir_tcp_state_name(state), weir_tcp_state_name(actual));
}

uint32_t talk_events(struct talk *t, int socket)
{
    uint32_t events;

    talk_run(t);
    events = t->events[socket];
    t->events[socket] = 0;
    return events;
}

uint64_t talk_dropped(struct talk *t, enum weir_drop reason)
{
    return weir_inspect_counters(t->stack)->drop[reason];
}

/* Quotes the IP header and the first bytes of `segment`. */
static void send_icmp(struct talk *t, struct weir_packet *packet, const uint8_t *segment,
                      uint32_t length)
{
    uint32_t quote = (segment[0] & 15u) * 4u + TALK_ICMP_QUOTE;
    uint8_t bytes[128];
    long total;

    packet->src = t->peers;
    packet->dst = t->ours;
    packet->ttl = 64;
    packet->protocol = 1;
    packet->payload = segment;
    packet->payload_length = quote < length ? quote : length;
    total = weir_packet_emit(packet, bytes, sizeof(bytes));
    assert_true(total > 0);
    talk_in_raw(t, bytes, (size_t)total);
}

void talk_icmp(struct talk *t, uint8_t type, uint8_t code, uint32_t rest)
{
    struct weir_packet packet = {.icmp_type = type, .icmp_code = code, .icmp_rest = rest};

    assert_true(t->last_length >= 28);
    send_icmp(t, &packet, t->last, t->last_length);
}

void talk_icmp_seq(struct talk *t, uint8_t type, uint8_t code, uint32_t rest, int64_t sequence)
{
    struct weir_packet packet = {.icmp_type = type, .icmp_code = code, .icmp_rest = rest};
    uint32_t seq = talk_our_seq(t, sequence);
    uint8_t segment[28];

    assert_true(t->last_length >= sizeof(segment));
    memcpy(segment, t->last, sizeof(segment));
    for (unsigned i = 0; i < 4; i++)
        segment[24 + i] = (uint8_t)(seq >> (24 - 8 * i));
    send_icmp(t, &packet, segment, sizeof(segment));
}
