/* SPDX-License-Identifier: MIT */

/* The socket calls of a script, each by its own entry of the adapter's table: read by read, readv by
 * readv. One that may block is made by a second thread, which reads the clock as soon as it is back;
 * the main one goes on when it sleeps, as /proc says, or has ended. So the adapter sees the threads
 * that packetdrill has, and weir drill, which attempts a waiting call again and again, is answered
 * LINUX_WAIT until the thread has ended. */

#include "bridge.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define T bridge.t
#define U bridge.adapter

/* ---- The second thread --------------------------------------------------------------------------------- */

static long finish(long result)
{
    return result < 0 ? -errno : result;
}

static void *run_second(void *argument)
{
    struct bridge_call *call = argument;

    atomic_store(&bridge.tid, (int)syscall(SYS_gettid));
    call->result = finish(call->make(&call->call));
    if (call->result != -ECANCELED) /* the adapter is gone, and its clock */
        call->end = bridge_clock();
    return NULL;
}

/* It sleeps, or has ended. */
static bool is_settled(int tid)
{
    char path[64], text[256] = {0};
    const char *state;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    file = fopen(path, "r");
    if (!file)
        return true;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    state = strrchr(text, ')');
    return !state || strchr("SZX", state[2]);
}

bool bridge_join(int seconds)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += seconds;
    if (bridge.is_running && pthread_timedjoin_np(bridge.thread, NULL, &limit) == 0)
        bridge.is_running = false;
    return !bridge.is_running;
}

/* The call is no longer among those that wait: then its thread is on its way. */
static bool is_over(void)
{
    bool is_waiting;

    pthread_mutex_lock(&U->lock);
    is_waiting = U->waiting != NULL;
    pthread_mutex_unlock(&U->lock);
    return !is_waiting && bridge_join(20);
}

void bridge_try_pending(struct run *run)
{
    if (run->pending.event && bridge.second.make && is_over())
        run_try_pending(run);
}

wrapped(bool, socket_call, struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    bool is_known;

    if (!bridge.is_on)
        return __real_socket_call(run, attempt, outcome);
    bridge.line = attempt->event->call;
    if (!attempt->call)
        bridge.second = (struct bridge_call){.make = NULL};
    is_known = __real_socket_call(run, attempt, outcome);
    if (!outcome->would_block && bridge.second.end)
        run->now = bridge_time(run, bridge.second.end);
    return is_known;
}

static long make(long (*function)(const struct call *call), const struct call *call)
{
    if (!bridge.line->blocking)
        return finish(function(call));
    if (bridge.second.make) /* another attempt */
        return bridge.is_running ? LINUX_WAIT : bridge.second.result;
    bridge.second = (struct bridge_call){.make = function, .call = *call};
    atomic_store(&bridge.tid, 0);
    assert_int_equal(pthread_create(&bridge.thread, NULL, run_second, &bridge.second), 0);
    bridge.is_running = true;
    while (!atomic_load(&bridge.tid) || !is_settled(atomic_load(&bridge.tid)))
        sched_yield();
    return is_over() ? bridge.second.result : LINUX_WAIT;
}

/* ---- Calls ------------------------------------------------------------------------------------------- */

/* through(NAME, TABLE, SETS, PARAMETERS, ARGUMENTS): linux_NAME on BRIDGE_SOCKETS is the call TABLE of a
 * struct call that SETS; on any other sockets, among them the adapter's own, it is what it was. */
#define through(name, table, sets, parameters, arguments) \
    static long make_##name(const struct call *c)         \
    {                                                     \
        return table;                                     \
    }                                                     \
    long __real_linux_##name parameters;                  \
    long __wrap_linux_##name parameters;                  \
    long __wrap_linux_##name parameters                   \
    {                                                     \
        struct call call = sets;                          \
                                                          \
        if (s != BRIDGE_SOCKETS)                          \
            return __real_linux_##name arguments;         \
        return make(make_##name, &call);                  \
    }
#define SETS(...)   \
    {               \
        __VA_ARGS__ \
    }
#define S struct linux_sockets *s
#define W struct linux_wait *w

/* clang-format off */
through(socket, T.socket(U, c->fd, c->flags, c->other),
        SETS(.fd = domain, .flags = type, .other = protocol),
        (S, int domain, int type, int protocol), (s, domain, type, protocol))
through(bind, T.bind(U, c->fd, c->to, c->length), SETS(.fd = fd, .to = to, .length = length),
        (S, int fd, const struct sockaddr *to, socklen_t length), (s, fd, to, length))
through(listen, T.listen(U, c->fd, c->count), SETS(.fd = fd, .count = backlog),
        (S, int fd, int backlog), (s, fd, backlog))
through(accept, T.accept(U, c->fd, c->from, c->length_out),
        SETS(.fd = fd, .from = from, .length_out = length),
        (S, int fd, struct sockaddr *from, socklen_t *length, W), (s, fd, from, length, w))
through(connect, T.connect(U, c->fd, c->to, c->length), SETS(.fd = fd, .to = to, .length = length),
        (S, int fd, const struct sockaddr *to, socklen_t length, W), (s, fd, to, length, w))
through(close, T.close(U, c->fd), SETS(.fd = fd), (S, int fd, W), (s, fd, w))
through(shutdown, T.shutdown(U, c->fd, c->flags), SETS(.fd = fd, .flags = how),
        (S, int fd, int how), (s, fd, how))
through(fcntl, T.fcntl(U, c->fd, c->flags, (int)c->argument),
        SETS(.fd = fd, .flags = command, .argument = argument),
        (S, int fd, int command, long argument), (s, fd, command, argument))
through(ioctl, T.ioctl(U, c->fd, c->request, c->out),
        SETS(.fd = fd, .request = request, .out = argument),
        (S, int fd, unsigned long request, int *argument), (s, fd, request, argument))
through(getsockopt, T.getsockopt(U, c->fd, c->level, c->other, c->out, c->length_out),
        SETS(.fd = fd, .level = level, .other = name, .out = value, .length_out = length),
        (S, int fd, int level, int name, void *value, socklen_t *length),
        (s, fd, level, name, value, length))
through(setsockopt, T.setsockopt(U, c->fd, c->level, c->other, c->in, c->length),
        SETS(.fd = fd, .level = level, .other = name, .in = value, .length = length),
        (S, int fd, int level, int name, const void *value, socklen_t length),
        (s, fd, level, name, value, length))
through(pipe, T.pipe(U, c->out), SETS(.out = fds), (S, int fds[2]), (s, fds))
through(poll, T.poll(U, c->out, c->size, c->timeout_ms),
        SETS(.out = fds, .size = count, .timeout_ms = timeout_ms),
        (S, struct pollfd *fds, nfds_t count, int timeout_ms, W), (s, fds, count, timeout_ms, w))
through(epoll_create, T.epoll_create(U, c->count), SETS(.count = size), (S, int size), (s, size))
through(epoll_ctl, T.epoll_ctl(U, c->fd, c->flags, c->other, c->out),
        SETS(.fd = epfd, .flags = operation, .other = fd, .out = event),
        (S, int epfd, int operation, int fd, struct epoll_event *event),
        (s, epfd, operation, fd, event))
through(epoll_wait, T.epoll_wait(U, c->fd, c->out, c->count, c->timeout_ms),
        SETS(.fd = epfd, .out = events, .count = max, .timeout_ms = timeout_ms),
        (S, int epfd, struct epoll_event *events, int max, int timeout_ms, W),
        (s, epfd, events, max, timeout_ms, w))
    /* clang-format on */

    /* packetdrill gives both places, with a NULL of the script in them. */
    static long splice_at_zero(const struct call *c)
{
    loff_t in = 0, out = 0;

    return T.splice(U, c->fd, &in, c->other, &out, c->size, (unsigned)c->flags);
}

through(splice, splice_at_zero(c), SETS(.fd = from, .other = to, .size = size, .flags = (int)flags),
        (S, int from, int to, size_t size, unsigned flags, W), (s, from, to, size, flags, w))

    /* ---- Bytes: by the name that the script says ----------------------------------------------------------- */

    static bool is_called(const char *name)
{
    return !strcmp(bridge.line->name, name);
}

static long receive(const struct call *c)
{
    struct msghdr *message = c->out;
    const struct iovec *part = message->msg_iov;
    socklen_t length = message->msg_namelen;
    long got;

    if (is_called("read"))
        return T.read(U, c->fd, part->iov_base, part->iov_len);
    if (is_called("readv"))
        return T.readv(U, c->fd, part, (int)message->msg_iovlen);
    if (is_called("recv"))
        return T.recv(U, c->fd, part->iov_base, part->iov_len, c->flags);
    if (!is_called("recvfrom"))
        return T.recvmsg(U, c->fd, message, c->flags);
    got = T.recvfrom(U, c->fd, part->iov_base, part->iov_len, c->flags, message->msg_name, &length);
    message->msg_namelen = length;
    return got;
}

static long transmit(const struct call *c)
{
    const struct msghdr *message = c->in;
    const struct iovec *part = message->msg_iov;

    if (is_called("write"))
        return T.write(U, c->fd, part->iov_base, part->iov_len);
    if (is_called("writev"))
        return T.writev(U, c->fd, part, (int)message->msg_iovlen);
    if (is_called("send"))
        return T.send(U, c->fd, part->iov_base, part->iov_len, c->flags);
    if (is_called("sendto"))
        return T.sendto(U, c->fd, part->iov_base, part->iov_len, c->flags, message->msg_name,
                        message->msg_namelen);
    return T.sendmsg(U, c->fd, message, c->flags);
}

through(recvmsg, receive(c), SETS(.fd = fd, .out = message, .flags = flags),
        (S, int fd, struct msghdr *message, int flags, W), (s, fd, message, flags, w))
    through(sendmsg, transmit(c), SETS(.fd = fd, .in = message, .flags = flags),
            (S, int fd, const struct msghdr *message, int flags, W), (s, fd, message, flags, w))

    /* ---- What has no entry in the table ---------------------------------------------------------------------- */

    wrapped(void, linux_set_now, struct linux_sockets *s, weir_time now)
{
    if (s != BRIDGE_SOCKETS) /* the adapter knows its time */
        __real_linux_set_now(s, now);
}

wrapped(int, linux_weir_socket, const struct linux_sockets *s, int fd)
{
    return __real_linux_weir_socket(s == BRIDGE_SOCKETS ? U->sockets : s, fd);
}

wrapped(long, linux_getsockname, struct linux_sockets *s, int fd, struct sockaddr *addr,
        socklen_t *length)
{
    return __real_linux_getsockname(s == BRIDGE_SOCKETS ? U->sockets : s, fd, addr, length);
}

wrapped(long, linux_getpeername, struct linux_sockets *s, int fd, struct sockaddr *addr,
        socklen_t *length)
{
    return __real_linux_getpeername(s == BRIDGE_SOCKETS ? U->sockets : s, fd, addr, length);
}
