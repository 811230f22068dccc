/* SPDX-License-Identifier: MIT */

/* One connection that carries data, at either end and in every mode.
 *
 * A stream has a budget: bytes that it still has to send. One with a limit of time has an endless one,
 * until it is stopped; an echo's grows with each byte that comes; whoever asks in a ping-pong is given
 * one message at a time. When the budget is used up the FIN follows, but for streams that only answer
 * or receive: theirs follows the peer's. When both FINs have come the socket is closed.
 *
 *      budget > 0 ──sent──> 0 ──(keeps_open: wait)──> FIN queued ──┐
 *      receiving ──────────────────> end of stream ────────────────┴─> closed
 *
 * Data is what any program would hand over: a buffer of 256 KiB, copied by the calls for that, and
 * read into one of that size, in the thread that is the loop. It is all zeros: what is measured does
 * not look at it. An echo sends as many bytes back as have come, not the same ones. */

#include <lab/perf/perf.h>

#define SOCKET_BUFFER (512 * 1024)
#define ENDLESS UINT64_MAX

void perf_socket_tune(struct weir_stack *stack, int socket)
{
    (void)weir_socket_set(stack, socket, WEIR_SO_SNDBUF, SOCKET_BUFFER);
    (void)weir_socket_set(stack, socket, WEIR_SO_RCVBUF, SOCKET_BUFFER);
    (void)weir_socket_set(stack, socket, WEIR_TCP_NODELAY, 1);
}

static long push(struct weir_stack *stack, struct perf_stream *stream, const uint8_t *bytes)
{
    while (stream->budget > 0) {
        size_t want = stream->budget < PERF_BUFFER ? (size_t)stream->budget : PERF_BUFFER;
        long count = weir_socket_send(stack, stream->socket, bytes, want, 0);

        if (count < 0)
            return count == WEIR_EAGAIN ? 0 : count;
        if (stream->budget != ENDLESS)
            stream->budget -= (uint64_t)count;
    }
    if (stream->is_shut || stream->keeps_open || (stream->is_follower && !stream->has_ended))
        return 0;
    stream->is_shut = true;
    return weir_socket_shutdown(stack, stream->socket, WEIR_SHUT_WR);
}

static long pull(struct weir_stack *stack, struct perf_stream *stream, uint8_t *bytes)
{
    while (!stream->has_ended) {
        long count = weir_socket_recv(stack, stream->socket, bytes, PERF_BUFFER);

        if (count < 0)
            return count == WEIR_EAGAIN ? 0 : count;
        stream->has_ended = count == 0;
        stream->received += (uint64_t)count;
        if (stream->is_echo)
            stream->budget += (uint64_t)count;
    }
    return 0;
}

int perf_stream_move(struct weir_stack *stack, struct perf_stream *stream, uint8_t *bytes)
{
    long error = pull(stack, stream, bytes);

    if (error == 0)
        error = push(stack, stream, bytes);
    if (error < 0) {
        perf_stream_abort(stack, stream);
        return (int)error;
    }
    if (stream->is_shut && stream->has_ended) {
        perf_stream_sample(stack, stream, weir_host_now());
        (void)weir_socket_close(stack, stream->socket);
        stream->socket = -1;
        stream->is_over = true;
    }
    return 0;
}

void perf_stream_sample(struct weir_stack *stack, struct perf_stream *stream, weir_time now)
{
    struct weir_tcp_info info;

    if (stream->socket < 0 || weir_tcp_info_get(stack, stream->socket, now, &info) != 0)
        return;
    stream->acked = info.bytes_acked > stream->overhead ? info.bytes_acked - stream->overhead : 0;
    stream->retransmissions = info.retransmissions;
    stream->rtt = info.srtt;
}

void perf_stream_stop(struct perf_stream *stream)
{
    stream->budget = 0;
    stream->keeps_open = false;
}

void perf_stream_abort(struct weir_stack *stack, struct perf_stream *stream)
{
    if (stream->socket < 0)
        return;
    perf_stream_sample(stack, stream, weir_host_now());
    (void)weir_socket_abort(stack, stream->socket);
    stream->socket = -1;
    stream->is_over = true;
}

void perf_tally_streams(const struct perf_stream *streams, unsigned count, struct perf_tally *tally)
{
    weir_time rtts = 0;
    unsigned known = 0;

    tally->sent = 0;
    tally->received = 0;
    tally->retransmissions = 0;
    for (unsigned index = 0; index < count; index++) {
        tally->sent += streams[index].acked;
        tally->received += streams[index].received;
        tally->retransmissions += streams[index].retransmissions;
        rtts += streams[index].rtt;
        known += streams[index].rtt > 0;
    }
    tally->rtt = known > 0 ? rtts / known : 0;
}
