/* SPDX-License-Identifier: MIT */

/* packetdrill_interface_init, and the functions that it puts into the table.
 *
 * Each socket call fills a struct call and makes it; read, recv and recvfrom are one, readv and recvmsg
 * another, and so for writing. The last four are not calls of a socket: packets in and out, and the
 * clock.
 *
 * netdev_receive waits until there is a packet. The stock packetdrill tries again for ever after -1,
 * and fails the script on a packet of length 0 ("parse error"); so when the patience is over, or, in
 * virtual time, when nothing would ever be sent, a packet of length 0 is what ends it soonest. The
 * message on stderr says what has happened. Virtual patience is a day of the stack's time, since keep
 * alives take hours; real patience is longer than the longest retransmission time-out.
 *
 * With wrong flags there is no adapter, userdata is NULL, and every call fails with EINVAL. */

#include <errno.h>
#include <lab/packetdrill/attempts.h>
#include <lab/packetdrill/table.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_VIRTUAL (86400 * WEIR_SECOND)
#define PATIENCE_REAL (150 * WEIR_SECOND)

/* ---- Calls of a socket ---------------------------------------------------------------------------- */

static int table_socket(void *userdata, int domain, int type, int protocol)
{
    struct call call = {.attempt = attempt_socket, .fd = domain, .flags = type, .other = protocol};

    return (int)call_make(userdata, &call);
}

static int table_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t length)
{
    struct call call = {.attempt = attempt_bind, .fd = fd, .to = addr, .length = length};

    return (int)call_make(userdata, &call);
}

static int table_listen(void *userdata, int fd, int backlog)
{
    struct call call = {.attempt = attempt_listen, .fd = fd, .count = backlog};

    return (int)call_make(userdata, &call);
}

static int table_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *length)
{
    struct call call = {.attempt = attempt_accept, .fd = fd, .from = addr, .length_out = length};

    return (int)call_make(userdata, &call);
}

static int table_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t length)
{
    struct call call = {.attempt = attempt_connect, .fd = fd, .to = addr, .length = length};

    return (int)call_make(userdata, &call);
}

int table_close(void *userdata, int fd)
{
    struct call call = {.attempt = attempt_close, .fd = fd};

    return (int)call_make(userdata, &call);
}

static int table_shutdown(void *userdata, int fd, int how)
{
    struct call call = {.attempt = attempt_shutdown, .fd = fd, .flags = how};

    return (int)call_make(userdata, &call);
}

static int table_fcntl(void *userdata, int fd, int command, ...)
{
    struct call call = {.attempt = attempt_fcntl, .fd = fd, .flags = command};
    va_list arguments;

    va_start(arguments, command);
    call.argument = va_arg(arguments, int); /* what F_SETFL takes; absent ones are not looked at */
    va_end(arguments);
    return (int)call_make(userdata, &call);
}

static int table_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    struct call call = {.attempt = attempt_ioctl, .fd = fd, .request = request};
    va_list arguments;

    va_start(arguments, request);
    call.out = va_arg(arguments, void *);
    va_end(arguments);
    return (int)call_make(userdata, &call);
}

int table_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *length)
{
    struct call call = {.attempt = attempt_getsockopt,
                        .fd = fd,
                        .level = level,
                        .other = name,
                        .out = value,
                        .length_out = length};

    return (int)call_make(userdata, &call);
}

static int table_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                            socklen_t length)
{
    struct call call = {.attempt = attempt_setsockopt,
                        .fd = fd,
                        .level = level,
                        .other = name,
                        .in = value,
                        .length = length};

    return (int)call_make(userdata, &call);
}

/* ---- Bytes ---------------------------------------------------------------------------------------- */

static ssize_t table_recvfrom(void *userdata, int fd, void *data, size_t size, int flags,
                              struct sockaddr *from, socklen_t *length)
{
    struct call call = {.attempt = attempt_recvfrom,
                        .fd = fd,
                        .out = data,
                        .size = size,
                        .flags = flags,
                        .from = from,
                        .length_out = length};

    return call_make(userdata, &call);
}

static ssize_t table_recv(void *userdata, int fd, void *data, size_t size, int flags)
{
    return table_recvfrom(userdata, fd, data, size, flags, NULL, NULL);
}

static ssize_t table_read(void *userdata, int fd, void *data, size_t size)
{
    return table_recvfrom(userdata, fd, data, size, 0, NULL, NULL);
}

static ssize_t table_recvmsg(void *userdata, int fd, struct msghdr *message, int flags)
{
    struct call call = {.attempt = attempt_recvmsg, .fd = fd, .out = message, .flags = flags};

    return call_make(userdata, &call);
}

/* The parts as a message. False, with errno: there cannot be so many. sendmsg and recvmsg call too
 * many EMSGSIZE, readv and writev EINVAL. */
static bool make_message(struct msghdr *message, const struct iovec *parts, int count)
{
    memset(message, 0, sizeof(*message));
    if (count < 0 || count > 1024) {
        errno = EINVAL;
        return false;
    }
    memcpy(&message->msg_iov, &parts, sizeof(parts)); /* neither writes to the array */
    message->msg_iovlen = (size_t)count;
    return true;
}

static ssize_t table_readv(void *userdata, int fd, const struct iovec *parts, int count)
{
    struct msghdr message;

    return make_message(&message, parts, count) ? table_recvmsg(userdata, fd, &message, 0) : -1;
}

static ssize_t table_sendto(void *userdata, int fd, const void *data, size_t size, int flags,
                            const struct sockaddr *to, socklen_t length)
{
    struct call call = {.attempt = attempt_sendto,
                        .fd = fd,
                        .in = data,
                        .size = size,
                        .flags = flags,
                        .to = to,
                        .length = length};

    return call_make(userdata, &call);
}

static ssize_t table_send(void *userdata, int fd, const void *data, size_t size, int flags)
{
    return table_sendto(userdata, fd, data, size, flags, NULL, 0);
}

static ssize_t table_write(void *userdata, int fd, const void *data, size_t size)
{
    return table_sendto(userdata, fd, data, size, 0, NULL, 0);
}

static ssize_t table_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags)
{
    struct call call = {.attempt = attempt_sendmsg, .fd = fd, .in = message, .flags = flags};

    return call_make(userdata, &call);
}

static ssize_t table_writev(void *userdata, int fd, const struct iovec *parts, int count)
{
    struct msghdr message;

    return make_message(&message, parts, count) ? table_sendmsg(userdata, fd, &message, 0) : -1;
}

static int table_pipe(void *userdata, int fds[2])
{
    struct call call = {.attempt = attempt_pipe, .out = fds};

    return (int)call_make(userdata, &call);
}

static ssize_t table_splice(void *userdata, int from, loff_t *from_offset, int to,
                            loff_t *to_offset, size_t size, unsigned flags)
{
    struct call call = {.attempt = attempt_splice,
                        .fd = from,
                        .other = to,
                        .in = from_offset,
                        .out = to_offset,
                        .size = size,
                        .flags = (int)flags};

    return call_make(userdata, &call);
}

/* ---- Waiting for several --------------------------------------------------------------------------- */

static int table_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct call call = {
        .attempt = attempt_poll, .out = fds, .size = count, .timeout_ms = timeout_ms};

    return (int)call_make(userdata, &call);
}

static int table_epoll_create(void *userdata, int size)
{
    struct call call = {.attempt = attempt_epoll_create, .count = size};

    return (int)call_make(userdata, &call);
}

static int table_epoll_ctl(void *userdata, int epfd, int operation, int fd,
                           struct epoll_event *event)
{
    struct call call = {
        .attempt = attempt_epoll_ctl, .fd = epfd, .flags = operation, .other = fd, .out = event};

    return (int)call_make(userdata, &call);
}

static int table_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int max,
                            int timeout_ms)
{
    struct call call = {.attempt = attempt_epoll_wait,
                        .fd = epfd,
                        .out = events,
                        .count = max,
                        .timeout_ms = timeout_ms};

    return (int)call_make(userdata, &call);
}

/* ---- Packets and the clock -------------------------------------------------------------------------- */

static int fail(int error)
{
    errno = error;
    return -1;
}

static int table_netdev_send(void *userdata, const void *packet, size_t length)
{
    struct adapter *adapter = userdata;
    int result;

    if (!adapter_enter(adapter))
        return fail(EINVAL);
    result = netdev_inject(adapter, packet, length);
    adapter_leave(adapter);
    return result < 0 ? fail(-result) : 0;
}

static struct sent *wait_for_packet(struct adapter *adapter)
{
    weir_time patience = adapter->flags.is_real ? PATIENCE_REAL : PATIENCE_VIRTUAL;
    weir_time until = adapter->now + patience;
    struct sent *sent = netdev_take(adapter);

    while (!sent && clock_step(adapter, until))
        sent = netdev_take(adapter);
    return sent;
}

static int table_netdev_receive(void *userdata, void *packet, size_t *length, long long *time_usecs)
{
    struct adapter *adapter = userdata;
    struct sent *sent;

    if (!adapter_enter(adapter))
        return fail(EINVAL);
    sent = wait_for_packet(adapter);
    *time_usecs = (adapter->wall + (sent ? sent->at : adapter->now)) / WEIR_US;
    adapter_leave(adapter);
    if (!sent) {
        adapter_complain("a packet is waited for, and none will be sent");
        *length = 0;
        return 0;
    }
    if (sent->length < *length)
        *length = sent->length;
    memcpy(packet, sent->bytes, *length);
    free(sent);
    return 0;
}

static int table_usleep(void *userdata, useconds_t usecs)
{
    struct adapter *adapter = userdata;

    if (!adapter_enter(adapter))
        return fail(EINVAL);
    clock_advance(adapter, adapter->now + (weir_time)usecs * WEIR_US);
    adapter_leave(adapter);
    return 0;
}

static int table_gettimeofday(void *userdata, struct timeval *now, struct timezone *zone)
{
    struct adapter *adapter = userdata;
    weir_time shown;

    (void)zone; /* as Linux has it: nobody uses it */
    if (!adapter_enter(adapter))
        return fail(EINVAL);
    if (!adapter->flags.is_real)
        clock_advance(adapter, adapter->now + WEIR_US);
    shown = adapter->wall + adapter->now;
    adapter_leave(adapter);
    if (now)
        *now = (struct timeval){.tv_sec = shown / WEIR_SECOND,
                                .tv_usec = shown % WEIR_SECOND / WEIR_US};
    return 0;
}

static void table_free(void *userdata)
{
    if (!userdata)
        return;
    preload_clear(userdata);
    adapter_destroy(userdata);
}

/* ---- The table ---------------------------------------------------------------------------------------- */

static const struct packetdrill_interface functions = {
    .free = table_free,
    .socket = table_socket,
    .bind = table_bind,
    .listen = table_listen,
    .accept = table_accept,
    .connect = table_connect,
    .read = table_read,
    .readv = table_readv,
    .recv = table_recv,
    .recvfrom = table_recvfrom,
    .recvmsg = table_recvmsg,
    .write = table_write,
    .writev = table_writev,
    .send = table_send,
    .sendto = table_sendto,
    .sendmsg = table_sendmsg,
    .fcntl = table_fcntl,
    .ioctl = table_ioctl,
    .close = table_close,
    .shutdown = table_shutdown,
    .getsockopt = table_getsockopt,
    .setsockopt = table_setsockopt,
    .poll = table_poll,
    .netdev_send = table_netdev_send,
    .netdev_receive = table_netdev_receive,
    .usleep = table_usleep,
    .gettimeofday = table_gettimeofday,
    .epoll_create = table_epoll_create,
    .epoll_ctl = table_epoll_ctl,
    .epoll_wait = table_epoll_wait,
    .pipe = table_pipe,
    .splice = table_splice,
};

void packetdrill_interface_init(const char *text, struct packetdrill_interface *table)
{
    struct adapter *adapter = NULL;
    struct so_flags flags;
    char error[256];

    *table = functions;
    if (so_flags_parse(&flags, text, error, sizeof(error)))
        adapter = adapter_create(&flags);
    else
        adapter_complain("%s", error);
    table->userdata = adapter;
    preload_set(adapter);
}
