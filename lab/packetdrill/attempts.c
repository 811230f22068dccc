/* SPDX-License-Identifier: MIT */

/* Each call of the table as an attempt: its arguments out of struct call, into lab/linux.
 *
 * An attempt may be made many times, by any thread, under the lock; what it has to remember stands in
 * call->wait. Three calls name addresses before Linux's layer sees them, so that the stack has the
 * address that is meant (netdev.c): bind gives one away, connect and sendto need one. close of a
 * descriptor that is not ours goes to the kernel: scripts may open files, and packetdrill does not
 * route open. splice is given the places of two offsets even where the script says NULL, with the
 * NULL in them: 0 is none. */

#include <errno.h>
#include <lab/packetdrill/attempts.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Sockets ------------------------------------------------------------------------------------- */

long attempt_socket(struct adapter *adapter, struct call *call)
{
    return linux_socket(adapter->sockets, call->fd, call->flags, call->other);
}

static bool is_inet(const struct sockaddr *addr, socklen_t length)
{
    return addr && length >= sizeof(struct sockaddr_in) && addr->sa_family == AF_INET;
}

long attempt_bind(struct adapter *adapter, struct call *call)
{
    struct sockaddr_in local;

    if (is_inet(call->to, call->length)) {
        memcpy(&local, call->to, sizeof(local));
        netdev_learn(adapter, ntohl(local.sin_addr.s_addr));
    }
    return linux_bind(adapter->sockets, call->fd, call->to, call->length);
}

long attempt_listen(struct adapter *adapter, struct call *call)
{
    return linux_listen(adapter->sockets, call->fd, call->count);
}

long attempt_accept(struct adapter *adapter, struct call *call)
{
    return linux_accept(adapter->sockets, call->fd, call->from, call->length_out, &call->wait);
}

long attempt_connect(struct adapter *adapter, struct call *call)
{
    if (is_inet(call->to, call->length))
        netdev_need_addr(adapter);
    return linux_connect(adapter->sockets, call->fd, call->to, call->length, &call->wait);
}

long attempt_close(struct adapter *adapter, struct call *call)
{
    if (!numbers_has(adapter, call->fd))
        return syscall(SYS_close, call->fd) < 0 ? -errno : 0;
    return linux_close(adapter->sockets, call->fd, &call->wait);
}

long attempt_shutdown(struct adapter *adapter, struct call *call)
{
    return linux_shutdown(adapter->sockets, call->fd, call->flags);
}

long attempt_fcntl(struct adapter *adapter, struct call *call)
{
    return linux_fcntl(adapter->sockets, call->fd, call->flags, call->argument);
}

long attempt_ioctl(struct adapter *adapter, struct call *call)
{
    return linux_ioctl(adapter->sockets, call->fd, call->request, call->out);
}

long attempt_getsockopt(struct adapter *adapter, struct call *call)
{
    return linux_getsockopt(adapter->sockets, call->fd, call->level, call->other, call->out,
                            call->length_out);
}

long attempt_setsockopt(struct adapter *adapter, struct call *call)
{
    return linux_setsockopt(adapter->sockets, call->fd, call->level, call->other, call->in,
                            call->length);
}

/* ---- Bytes ---------------------------------------------------------------------------------------- */

long attempt_recvfrom(struct adapter *adapter, struct call *call)
{
    return linux_recvfrom(adapter->sockets, call->fd, call->out, call->size, call->flags,
                          call->from, call->length_out, &call->wait);
}

long attempt_recvmsg(struct adapter *adapter, struct call *call)
{
    return linux_recvmsg(adapter->sockets, call->fd, call->out, call->flags, &call->wait);
}

long attempt_sendto(struct adapter *adapter, struct call *call)
{
    if (is_inet(call->to, call->length))
        netdev_need_addr(adapter);
    return linux_sendto(adapter->sockets, call->fd, call->in, call->size, call->flags, call->to,
                        call->length, &call->wait);
}

long attempt_sendmsg(struct adapter *adapter, struct call *call)
{
    const struct msghdr *message = call->in;

    if (message && is_inet(message->msg_name, message->msg_namelen))
        netdev_need_addr(adapter);
    return linux_sendmsg(adapter->sockets, call->fd, message, call->flags, &call->wait);
}

long attempt_pipe(struct adapter *adapter, struct call *call)
{
    return linux_pipe(adapter->sockets, call->out);
}

static bool has_offset(const void *offset)
{
    loff_t value = 0;

    if (offset)
        memcpy(&value, offset, sizeof(value));
    return value != 0;
}

long attempt_splice(struct adapter *adapter, struct call *call)
{
    if (has_offset(call->in) || has_offset(call->out))
        return -ESPIPE; /* neither a pipe nor a socket has a position */
    return linux_splice(adapter->sockets, call->fd, call->other, call->size, (unsigned)call->flags,
                        &call->wait);
}

/* ---- Waiting for several --------------------------------------------------------------------------- */

long attempt_poll(struct adapter *adapter, struct call *call)
{
    return linux_poll(adapter->sockets, call->out, call->size, call->timeout_ms, &call->wait);
}

long attempt_epoll_create(struct adapter *adapter, struct call *call)
{
    return linux_epoll_create(adapter->sockets, call->count);
}

long attempt_epoll_ctl(struct adapter *adapter, struct call *call)
{
    return linux_epoll_ctl(adapter->sockets, call->fd, call->flags, call->other, call->out);
}

long attempt_epoll_wait(struct adapter *adapter, struct call *call)
{
    return linux_epoll_wait(adapter->sockets, call->fd, call->out, call->count, call->timeout_ms,
                            &call->wait);
}
