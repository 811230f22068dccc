/* SPDX-License-Identifier: MIT */

/* Calls that may wait for the peer: accept, connect, close.
 *
 * connect is a small machine of its own, apart from the connection's states, because Linux reports
 * the outcome to the next connect() of the same socket:
 *
 *   UNCONNECTED ──SYN sent──> CONNECTING ──asked again, and it is up: 0──> CONNECTED: EISCONN
 *        ^                        │ still opening: EALREADY
 *        └── asked again, and it has failed: the error, or ECONNABORTED
 *
 * so that a socket whose connect failed can be used for another try; but not after a shutdown before that
 * was asked for (DISCONNECTING: EINVAL). With AF_UNSPEC any socket
 * becomes unconnected.
 *
 * close ends at once unless SO_LINGER gives a time: then it waits until our FIN is acknowledged, the
 * connection is gone, or the time has passed, whatever O_NONBLOCK says, and always returns 0. While
 * it waits the number is gone for every other call.
 *
 * Errors: a RST is ECONNRESET, but EPIPE if the peer's FIN had come before it, as on Linux. */

#include <lab/linux/internal.h>

long linux_error_of(const struct linux_file *file, long error)
{
    return error == WEIR_ECONNRESET && file->fin_seen ? -EPIPE : error;
}

long linux_take_error(struct linux_sockets *sockets, struct linux_file *file)
{
    return linux_error_of(file, weir_socket_take_error(sockets->stack, file->socket));
}

/* ---- accept ------------------------------------------------------------------------------------------ */

/* Room for the child is found first, so that no connection is taken and lost. */
static long accept_one(struct linux_sockets *sockets, struct linux_file *listener,
                       struct weir_endpoint *remote)
{
    long error;
    struct linux_file *child = linux_open(sockets, LINUX_TCP, &error);
    int socket;

    if (!child)
        return error;
    socket = weir_socket_accept(sockets->stack, listener->socket, remote);
    if (socket < 0) {
        linux_release(sockets, child);
        return socket;
    }
    child->phase = LINUX_CONNECTED;
    linux_inherit_options(listener, child);
    linux_attach(sockets, child, socket);
    return child->fd;
}

long linux_accept(struct linux_sockets *sockets, int fd, struct sockaddr *addr, socklen_t *length,
                  struct linux_wait *wait)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    struct weir_endpoint remote;
    int ready;

    if (!file)
        return error;
    if (file->kind != LINUX_TCP)
        return -EOPNOTSUPP;
    if (!file->is_listening)
        return -EINVAL;
    if (addr && (!length || *length > INT32_MAX))
        return length ? -EINVAL : -EFAULT;
    ready = weir_socket_ready(sockets->stack, file->socket);
    if (ready < 0)
        return ready;
    if (!(ready & WEIR_ACCEPT))
        return linux_wait_for(wait, file->nonblocking);
    error = accept_one(sockets, file, &remote);
    if (error >= 0 && addr)
        linux_put_addr(&remote, addr, length);
    return error;
}

/* ---- connect ----------------------------------------------------------------------------------------- */

/* A struct linux_config of zeros names no address. */
static bool is_unset(const struct weir_addr *addr)
{
    return !weir_addr_is4(addr) || weir_addr_is_any(addr);
}

/* Where nothing is bound the caller may have said which of our addresses is meant. */
static void bind_default(struct linux_sockets *sockets, struct linux_file *file)
{
    struct weir_endpoint local;

    if (is_unset(&sockets->config.local) ||
        weir_socket_local(sockets->stack, file->socket, &local) < 0 ||
        !weir_addr_is_any(&local.addr) || local.port)
        return;
    local.addr = sockets->config.local;
    weir_socket_bind(sockets->stack, file->socket, &local);
}

static long disconnect(struct linux_sockets *sockets, struct linux_file *file)
{
    long error = weir_socket_disconnect(sockets->stack, file->socket);

    if (error < 0)
        return error;
    file->phase = LINUX_UNCONNECTED;
    file->is_listening = file->fin_seen = false;
    if (file->kind == LINUX_TCP)
        file->shut_read = file->shut_write = false;
    linux_set_no_space(sockets, file, false);
    linux_wake(file, POLLERR);
    return 0;
}

/* The outcome of an attempt that was begun before. */
static long connect_outcome(struct linux_sockets *sockets, struct linux_file *file,
                            struct linux_wait *wait)
{
    struct linux_stream stream;
    long error;

    linux_stream_state(sockets, file, &stream);
    if (stream.state == WEIR_STATE_SYN_SENT || stream.state == WEIR_STATE_SYN_RECEIVED) {
        error = linux_wait_for(wait, file->nonblocking);
        return error == -EAGAIN ? -EALREADY : error;
    }
    if (!stream.is_dead) {
        file->phase = LINUX_CONNECTED;
        return 0;
    }
    error = linux_take_error(sockets, file);
    disconnect(sockets, file);
    return error < 0 ? error : -ECONNABORTED;
}

/* The socket's state is looked at before the address. */
static long connect_stream(struct linux_sockets *sockets, struct linux_file *file,
                           const struct sockaddr *addr, socklen_t length, struct linux_wait *wait)
{
    struct weir_endpoint remote;
    long error;

    if (file->phase == LINUX_CONNECTING)
        return connect_outcome(sockets, file, wait);
    if (file->phase == LINUX_CONNECTED || file->is_listening)
        return -EISCONN;
    if (file->phase == LINUX_DISCONNECTING)
        return -EINVAL;
    error = linux_get_addr(addr, length, &remote);
    if (error < 0)
        return error;
    bind_default(sockets, file);
    error = weir_socket_connect(sockets->stack, file->socket, &remote, sockets->now);
    if (error != WEIR_EINPROGRESS)
        return error;
    file->phase = LINUX_CONNECTING;
    return file->nonblocking ? -EINPROGRESS : linux_wait_for(wait, false);
}

long linux_connect(struct linux_sockets *sockets, int fd, const struct sockaddr *addr,
                   socklen_t length, struct linux_wait *wait)
{
    long error;
    struct linux_file *file = linux_find_socket(sockets, fd, &error);
    struct weir_endpoint remote;

    if (!file)
        return error;
    if (!addr)
        return -EFAULT;
    if (length < sizeof(addr->sa_family) || length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    if (addr->sa_family == AF_UNSPEC)
        return disconnect(sockets, file);
    if (file->kind == LINUX_TCP)
        return connect_stream(sockets, file, addr, length, wait);
    error = linux_get_addr(addr, length, &remote);
    if (error < 0)
        return error;
    bind_default(sockets, file);
    error = weir_socket_connect(sockets->stack, file->socket, &remote, sockets->now);
    if (error == 0)
        file->phase = LINUX_CONNECTED;
    return error;
}

/* ---- close ------------------------------------------------------------------------------------------- */

/* Linux waits in these states and no longer. */
static bool is_unfinished(const struct linux_sockets *sockets, const struct linux_file *file)
{
    struct weir_tcp_info info;

    if (file->has_ended || weir_tcp_info_get(sockets->stack, file->socket, sockets->now, &info) < 0)
        return false;
    return info.state == WEIR_STATE_FIN_WAIT_1 || info.state == WEIR_STATE_CLOSING ||
           info.state == WEIR_STATE_LAST_ACK;
}

static long end_lingering(struct linux_sockets *sockets, struct linux_file *file)
{
    linux_release(sockets, file);
    return 0;
}

static long begin_lingering(struct linux_sockets *sockets, struct linux_file *file,
                            struct linux_wait *wait)
{
    weir_socket_close(sockets->stack, file->socket);
    file->is_closing = true;
    linux_leave_epolls(file);
    linux_set_no_space(sockets, file, false);
    if (!is_unfinished(sockets, file))
        return end_lingering(sockets, file);
    wait->begun = true;
    wait->wake = sockets->now + file->options.linger_time * WEIR_SECOND;
    return LINUX_WAIT;
}

static bool is_lingering(const struct linux_file *file)
{
    return file->kind == LINUX_TCP && !file->is_listening && file->phase != LINUX_UNCONNECTED &&
           file->options.is_lingering && file->options.linger_time > 0;
}

long linux_close(struct linux_sockets *sockets, int fd, struct linux_wait *wait)
{
    struct linux_file *file = linux_find(sockets, fd);

    if (wait->begun) {
        file = fd >= 0 && (size_t)fd < sockets->slots ? sockets->files[fd] : NULL;
        if (!file || !file->is_closing)
            return -EBADF;
        if (sockets->now < wait->wake && is_unfinished(sockets, file))
            return LINUX_WAIT;
        return end_lingering(sockets, file);
    }
    if (!file)
        return -EBADF;
    if (is_lingering(file))
        return begin_lingering(sockets, file, wait);
    if (file->socket >= 0)
        weir_socket_close(sockets->stack, file->socket);
    linux_release(sockets, file);
    return 0;
}
