/* SPDX-License-Identifier: MIT */

/* Datagrams of UDP sockets: one attempt at sendmsg or recvmsg.
 *
 * Sending never waits: a datagram leaves, or the link is full (ENOBUFS). One without an address goes
 * to the connected peer, or is EDESTADDRREQ. AF_UNSPEC in the address counts as AF_INET, as on
 * Linux. Nothing is gathered: MSG_MORE would make one datagram of several calls and is EOPNOTSUPP,
 * as MSG_OOB is.
 *
 * Receiving takes the oldest datagram and cuts it to the parts. MSG_TRUNC asks for its full length;
 * in msg_flags it says that the datagram was cut. A pending error (an ICMP error about what a
 * connected socket has sent) is the answer of the next call, once. IP_RECVERR is only remembered:
 * the queue of errors that MSG_ERRQUEUE reads is always empty. */

#include <lab/linux/internal.h>
#include <stdlib.h>
#include <string.h>

#define DATA_MAX 65507

/* Whom to: 0, 1 if nobody is named, or an error. */
static long get_target(const struct linux_sockets *sockets, const struct msghdr *message,
                       struct weir_datagram *to)
{
    struct weir_endpoint peer;
    struct sockaddr_in in;

    *to = (struct weir_datagram){.peer = weir_addr_any4(), .local = weir_addr_any4()};
    if (weir_addr_is4(&sockets->config.local))
        to->local = sockets->config.local;
    if (!message->msg_name)
        return 1;
    if (message->msg_namelen < sizeof(in))
        return -EINVAL;
    memcpy(&in, message->msg_name, sizeof(in));
    if (in.sin_family != AF_INET && in.sin_family != AF_UNSPEC)
        return -EAFNOSUPPORT;
    peer.addr = weir_addr_from4(ntohl(in.sin_addr.s_addr));
    peer.port = ntohs(in.sin_port);
    to->peer = peer.addr;
    to->peer_port = peer.port;
    return peer.port ? 0 : -EINVAL;
}

/* Somebody bound to an address sends from there, whatever the default. */
static void prefer_bound(const struct linux_sockets *sockets, const struct linux_file *file,
                         struct weir_datagram *to)
{
    struct weir_endpoint local;

    if (weir_socket_local(sockets->stack, file->socket, &local) == 0 &&
        !weir_addr_is_any(&local.addr))
        to->local = local.addr;
}

long linux_datagram_send(struct linux_sockets *sockets, struct linux_file *file,
                         const struct msghdr *message, int flags, struct linux_wait *wait)
{
    struct weir_datagram to;
    struct weir_message parts = {.datagram = &to};
    struct weir_span *spans;
    long unnamed, result;

    (void)wait;
    if (linux_parts_length(message) > DATA_MAX)
        return -EMSGSIZE;
    if (flags & (MSG_OOB | MSG_MORE))
        return -EOPNOTSUPP;
    unnamed = get_target(sockets, message, &to);
    if (unnamed < 0)
        return unnamed;
    if (unnamed && file->phase != LINUX_CONNECTED)
        return -EDESTADDRREQ;
    if (file->shut_write)
        return -EPIPE;
    if (linux_parts_lack_memory(message))
        return -EFAULT;
    prefer_bound(sockets, file, &to);
    spans = linux_parts_from(message, 0, SIZE_MAX, &parts.count);
    if (!spans)
        return -ENOMEM;
    parts.parts = spans;
    result = weir_socket_sendmsg(sockets->stack, file->socket, &parts, 0);
    free(spans);
    return result;
}

static void put_source(const struct weir_datagram *from, struct msghdr *message)
{
    struct weir_endpoint peer = {.addr = from->peer, .port = from->peer_port};
    socklen_t length = message->msg_namelen;

    if (message->msg_name)
        linux_put_addr(&peer, message->msg_name, &length);
    message->msg_namelen = message->msg_name ? length : 0;
}

long linux_datagram_recv(struct linux_sockets *sockets, struct linux_file *file,
                         struct msghdr *message, int flags, struct linux_wait *wait)
{
    struct weir_datagram from;
    struct weir_message parts = {.datagram = &from};
    int how = (flags & MSG_PEEK ? WEIR_MSG_PEEK : 0) | (flags & MSG_TRUNC ? WEIR_MSG_TRUNC : 0);
    struct weir_span *spans;
    int64_t waiting = 0;
    long result;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    weir_socket_get(sockets->stack, file->socket, WEIR_SIOCINQ, &waiting);
    if (waiting > 0 && linux_parts_lack_memory(message))
        return -EFAULT;
    spans = linux_parts_from(message, 0, SIZE_MAX, &parts.count);
    if (!spans)
        return -ENOMEM;
    parts.parts = spans;
    result = weir_socket_recvmsg(sockets->stack, file->socket, &parts, how);
    free(spans);
    if (result == WEIR_EAGAIN)
        result = linux_wait_for(wait, file->nonblocking || (flags & MSG_DONTWAIT));
    if (result == LINUX_WAIT && file->shut_read)
        return 0;   /* who would not wait is not told of the shutdown */
    if (result < 0) /* LINUX_WAIT is, too */
        return result;
    put_source(&from, message);
    message->msg_controllen = 0;
    message->msg_flags = parts.flags & WEIR_MSG_TRUNC ? MSG_TRUNC : 0;
    return result;
}
