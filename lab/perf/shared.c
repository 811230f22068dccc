/* SPDX-License-Identifier: MIT */

/* What client and server do in the same way: lines on the control connection, and waiting.
 *
 * A control connection whose peer is gone without a word is found out by keep-alive: 5 seconds after
 * the last word, then 3 probes 2 seconds apart. Data connections need none: if nothing moves on them for
 * half a minute the test has failed (PERF_PATIENCE). */

#include <lab/perf/perf.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weir/error.h>

int perf_line_send(struct weir_stack *stack, int socket, const struct perf_line *line)
{
    char text[PERF_LINE];
    size_t length = perf_line_print(line, text);
    long count = weir_socket_send(stack, socket, text, length, 0);

    if (count < 0)
        return (int)count;
    return (size_t)count == length ? 0 : WEIR_ENOBUFS;
}

int perf_line_receive(struct weir_stack *stack, int socket, struct perf_reader *reader,
                      struct perf_line *line)
{
    char *at;
    size_t room;
    int taken = perf_reader_take(reader, line);
    long count;

    if (taken != 0)
        return taken;
    room = perf_reader_room(reader, &at);
    count = weir_socket_recv(stack, socket, at, room);
    if (count == 0)
        return WEIR_EPIPE;
    if (count < 0)
        return count == WEIR_EAGAIN ? 0 : (int)count;
    reader->length += (size_t)count;
    return perf_reader_take(reader, line);
}

void perf_socket_keep_alive(struct weir_stack *stack, int socket)
{
    (void)weir_socket_set(stack, socket, WEIR_SO_KEEPALIVE, 1);
    (void)weir_socket_set(stack, socket, WEIR_TCP_KEEPIDLE, 5 * WEIR_SECOND);
    (void)weir_socket_set(stack, socket, WEIR_TCP_KEEPINTVL, 2 * WEIR_SECOND);
    (void)weir_socket_set(stack, socket, WEIR_TCP_KEEPCNT, 3);
}

int perf_wait(struct weir_host *host, int signal_fd, weir_time deadline)
{
    struct pollfd signals = {.fd = signal_fd, .events = POLLIN};
    weir_time now = weir_host_now();
    weir_time timeout = deadline > now ? deadline - now : 0;
    struct signalfd_siginfo info;
    int result, count = 0;

    if (deadline == WEIR_NEVER)
        timeout = WEIR_NEVER;
    result = weir_host_wait(host, &signals, signal_fd >= 0 ? 1 : 0, timeout);
    if (result < 0 && result != WEIR_EINTR)
        return result;
    while (signals.revents && read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        count++;
    return count;
}
