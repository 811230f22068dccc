/* SPDX-License-Identifier: MIT */

/* Calls about one descriptor that never wait: socket, bind, listen, shutdown, fcntl, ioctl, names.
 *
 * Most is a change of words. What is not:
 *
 *   listen    Linux lets one more connection wait than the backlog says, and cuts the backlog to
 *             net.core.somaxconn (4096); a negative one is a very large one. Called again it only
 *             changes the backlog.
 *   shutdown  Of a listener's reading side it ends the listening, of a connection that is being
 *             opened it ends the attempt, and both sockets can be used again. Otherwise a socket that
 *             is not connected gets ENOTCONN, and its directions are shut all the same.
 *   SIOCATMARK  holds when the urgent byte is the next one to be read.
 *   SIOCOUTQ  counts the FIN, if it is queued and not acknowledged, because Linux does.
 *
 * Families other than AF_INET are EAFNOSUPPORT; of types there are streams (TCP) and datagrams
 * (UDP). Raw and ping sockets deliver headers on Linux that weir keeps for itself, so they are
 * EPROTONOSUPPORT. */

#include <fcntl.h>
#include <lab/linux/internal.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#define BACKLOG_MAX 4096
#define TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

static long kind_of(int domain, int type, int protocol)
{
    if (type & ~(TYPE_FLAGS | 15))
        return -EINVAL;
    if (domain != AF_INET)
        return -EAFNOSUPPORT;
    if (protocol < 0 || protocol > 255)
        return -EINVAL;
    switch (type & ~TYPE_FLAGS) {
    case SOCK_STREAM:
        return protocol == 0 || protocol == IPPROTO_TCP ? LINUX_TCP : -EPROTONOSUPPORT;
    case SOCK_DGRAM:
        return protocol == 0 || protocol == IPPROTO_UDP ? LINUX_UDP : -EPROTONOSUPPORT;
    case SOCK_RAW:
        return -EPROTONOSUPPORT;
    default:
        return -ESOCKTNOSUPPORT;
    }
}

long linux_socket(struct linux_sockets *sockets, int domain, int type, int protocol)
{
    long kind = kind_of(domain, type, protocol), error;
    struct linux_file *file;
    int socket;

    if (kind < 0)
        return kind;
    file = linux_open(sockets, (enum linux_kind)kind, &error);
    if (!file)
        return error;
    socket = weir_socket_open(sockets->stack, kind == LINUX_TCP ? WEIR_TCP : WEIR_UDP, 0);
    if (socket < 0) {
        linux_release(sockets, file);
        return socket;
    }
    file->nonblocking = (type & SOCK_NONBLOCK) != 0;
    file->cloexec = (type & SOCK_CLOEXEC) != 0;
    linux_attach(sockets, file, socket);
    return file->fd;
}

long linux_bind(struct linux_sockets *sockets, int fd, const struct sockaddr *addr,
                socklen_t length)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    struct weir_endpoint local;

    if (!file)
        return error;
    error = linux_get_addr(addr, length, &local);
    return error < 0 ? error : weir_socket_bind(sockets->stack, file->socket, &local);
}

static int clamp_backlog(int backlog)
{
    return backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX + 1 : backlog + 1;
}

long linux_listen(struct linux_sockets *sockets, int fd, int backlog)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);

    if (!file)
        return error;
    if (file->kind != LINUX_TCP)
        return -EOPNOTSUPP;
    if (file->phase != LINUX_UNCONNECTED)
        return -EINVAL;
    error = weir_socket_listen(sockets->stack, file->socket, clamp_backlog(backlog));
    if (error < 0 && !(file->is_listening && error == WEIR_EISCONN))
        return error == WEIR_EISCONN ? -EINVAL : error;
    file->is_listening = true;
    return 0;
}

/* The reading side of a listener: what waits is reset, and the socket is as before listen. */
static long stop_listening(struct linux_sockets *sockets, struct linux_file *file)
{
    long error = weir_socket_disconnect(sockets->stack, file->socket);

    file->is_listening = error < 0;
    if (!error)
        file->shut_read = file->shut_write = false;
    return error;
}

static void note_shut(struct linux_file *file, int how)
{
    file->shut_read = file->shut_read || how != SHUT_WR;
    file->shut_write = file->shut_write || how != SHUT_RD;
}

static long shutdown_stream(struct linux_sockets *sockets, struct linux_file *file, int how)
{
    struct linux_stream stream;
    long error;

    if (file->is_listening)
        return how == SHUT_WR ? 0 : stop_listening(sockets, file);
    linux_stream_state(sockets, file, &stream);
    if (stream.state == WEIR_STATE_CLOSED || stream.state == WEIR_STATE_TIME_WAIT) {
        note_shut(file, how);
        if (file->phase == LINUX_CONNECTING)
            file->phase = LINUX_DISCONNECTING;
        return -ENOTCONN;
    }
    if (stream.state == WEIR_STATE_SYN_SENT) {
        error = weir_socket_disconnect(sockets->stack, file->socket);
        if (error == 0) {
            file->phase = LINUX_UNCONNECTED;
            file->shut_read = file->shut_write = false;
        }
        return error == WEIR_EOPNOTSUPP ? -ENOTCONN : error;
    }
    file->phase = LINUX_CONNECTED;
    error = weir_socket_shutdown(sockets->stack, file->socket, (enum weir_shutdown_how)how);
    if (error < 0)
        return error;
    note_shut(file, how);
    return 0;
}

long linux_shutdown(struct linux_sockets *sockets, int fd, int how)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);

    if (!file)
        return error;
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    if (file->kind == LINUX_TCP) {
        error = shutdown_stream(sockets, file, how);
    } else {
        error = file->phase == LINUX_CONNECTED ? 0 : -ENOTCONN;
        note_shut(file, how);
    }
    if (!error || error == -ENOTCONN)
        linux_wake(file, ~0u);
    return error;
}

long linux_fcntl(struct linux_sockets *sockets, int fd, int command, long argument)
{
    struct linux_file *file = linux_find(sockets, fd);
    int mode = O_RDWR;

    if (!file)
        return -EBADF;
    if (file->pipe)
        mode = file->kind == LINUX_PIPE_READ ? O_RDONLY : O_WRONLY;
    switch (command) {
    case F_GETFL:
        return mode | (file->nonblocking ? O_NONBLOCK : 0);
    case F_SETFL:
        file->nonblocking = (argument & O_NONBLOCK) != 0;
        return 0;
    case F_GETFD:
        return file->cloexec ? FD_CLOEXEC : 0;
    case F_SETFD:
        file->cloexec = (argument & FD_CLOEXEC) != 0;
        return 0;
    default:
        return -EINVAL;
    }
}

static bool awaits_fin_ack(enum weir_tcp_state state)
{
    return state == WEIR_STATE_FIN_WAIT_1 || state == WEIR_STATE_CLOSING ||
           state == WEIR_STATE_LAST_ACK;
}

static long stream_ioctl(struct linux_sockets *sockets, struct linux_file *file,
                         unsigned long request, int *argument)
{
    struct linux_stream stream;
    bool is_opening;

    linux_stream_state(sockets, file, &stream);
    is_opening = stream.state == WEIR_STATE_SYN_SENT || stream.state == WEIR_STATE_SYN_RECEIVED;
    if (request == SIOCATMARK) {
        *argument = weir_socket_urgent_left(sockets->stack, file->socket) == 1;
        return 0;
    }
    if (file->is_listening)
        return -EINVAL;
    if (request == FIONREAD)
        *argument = is_opening ? 0 : (int)stream.readable;
    else if (request == SIOCOUTQ)
        *argument = is_opening ? 0 : (int)stream.queued + awaits_fin_ack(stream.state);
    else
        *argument = is_opening ? 0 : (int)stream.unsent;
    return 0;
}

static long datagram_ioctl(struct linux_sockets *sockets, struct linux_file *file,
                           unsigned long request, int *argument)
{
    int64_t value = 0;
    int error = 0;

    if (request != FIONREAD && request != SIOCOUTQ)
        return -ENOTTY;
    if (request == FIONREAD)
        error = weir_socket_get(sockets->stack, file->socket, WEIR_SIOCINQ, &value);
    *argument = (int)value;
    return error;
}

long linux_ioctl(struct linux_sockets *sockets, int fd, unsigned long request, int *argument)
{
    struct linux_file *file = linux_find(sockets, fd);

    if (!file)
        return -EBADF;
    if (request != FIONREAD && request != SIOCOUTQ && request != SIOCOUTQNSD &&
        request != SIOCATMARK && request != FIONBIO)
        return -ENOTTY;
    if (!argument)
        return -EFAULT;
    if (request == FIONBIO) {
        file->nonblocking = *argument != 0;
        return 0;
    }
    if (file->pipe && request == FIONREAD) {
        *argument = (int)linux_pipe_readable(file);
        return 0;
    }
    if (file->kind == LINUX_UDP)
        return datagram_ioctl(sockets, file, request, argument);
    return file->kind == LINUX_TCP ? stream_ioctl(sockets, file, request, argument) : -ENOTTY;
}

long linux_getsockname(struct linux_sockets *sockets, int fd, struct sockaddr *addr,
                       socklen_t *length)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    struct weir_endpoint local;

    if (!file)
        return error;
    error = weir_socket_local(sockets->stack, file->socket, &local);
    return error < 0 ? error : linux_put_addr(&local, addr, length);
}

long linux_getpeername(struct linux_sockets *sockets, int fd, struct sockaddr *addr,
                       socklen_t *length)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    struct weir_endpoint remote;
    struct linux_stream stream;

    if (!file)
        return error;
    if (file->kind == LINUX_TCP) {
        linux_stream_state(sockets, file, &stream);
        if (stream.state == WEIR_STATE_CLOSED || stream.state == WEIR_STATE_SYN_SENT ||
            file->is_listening)
            return -ENOTCONN;
    }
    error = weir_socket_remote(sockets->stack, file->socket, &remote);
    return error < 0 ? error : linux_put_addr(&remote, addr, length);
}
