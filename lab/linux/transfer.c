/* SPDX-License-Identifier: MIT */

/* Message headers in, and who gets the transfer.
 *
 * Every way to move bytes is sendmsg or recvmsg here: write and send are a message of one part
 * without a name. Parts become weir's spans; the message itself stays the caller's, and a call that
 * waits is given the same one again, with the bytes moved so far in struct linux_wait.
 *
 * A part with bytes but without memory is what Linux finds out when it copies: EFAULT, but only if
 * there was something to copy, or room to copy it to. Errors of the connection come first. That is why
 * the check is the transfer's, not made here.
 *
 * Flags that weir has no mechanism for are refused where they would change what is sent or returned:
 * MSG_FASTOPEN is EOPNOTSUPP, MSG_ERRQUEUE finds an empty queue. MSG_ZEROCOPY without SO_ZEROCOPY
 * (which cannot be set) is ignored, as Linux ignores it. MSG_NOSIGNAL is: there are no signals.
 *
 * Limits: 1024 parts (IOV_MAX), 2 GiB less a page in one call, as on Linux. */

#include <lab/linux/internal.h>
#include <stdlib.h>

#define PARTS_MAX 1024
#define BYTES_MAX 0x7ffff000

long linux_parts_length(const struct msghdr *message)
{
    size_t total = 0, i;

    if (message->msg_iovlen > PARTS_MAX)
        return -EMSGSIZE;
    if (!message->msg_iov && message->msg_iovlen > 0)
        return -EFAULT;
    for (i = 0; i < message->msg_iovlen; i++) {
        if (message->msg_iov[i].iov_len > SSIZE_MAX - total)
            return -EINVAL;
        total += message->msg_iov[i].iov_len;
    }
    return total < BYTES_MAX ? (long)total : BYTES_MAX;
}

bool linux_parts_lack_memory(const struct msghdr *message)
{
    size_t i;

    for (i = 0; i < message->msg_iovlen; i++)
        if (!message->msg_iov[i].iov_base && message->msg_iov[i].iov_len > 0)
            return true;
    return false;
}

struct weir_span *linux_parts_from(const struct msghdr *message, size_t skip, size_t limit,
                                   unsigned *count)
{
    struct weir_span *spans = calloc(message->msg_iovlen + 1, sizeof(*spans));
    size_t i;

    *count = 0;
    for (i = 0; spans && i < message->msg_iovlen && limit > 0; i++) {
        const struct iovec *part = &message->msg_iov[i];
        size_t from = skip < part->iov_len ? skip : part->iov_len;
        size_t length = part->iov_len - from < limit ? part->iov_len - from : limit;

        skip -= from;
        limit -= length;
        if (length > 0)
            spans[(*count)++] = (struct weir_span){
                .data = part->iov_base ? (uint8_t *)part->iov_base + from : NULL,
                .length = length,
            };
    }
    return spans;
}

/* ---- Who it is for ------------------------------------------------------------------------------------- */

static bool is_plain(const struct msghdr *message, int flags)
{
    return flags == 0 && !message->msg_name && !message->msg_control;
}

/* 0, or why the call fails before it is asked whose it is. */
static long check_message(const struct linux_file *file, const struct msghdr *message)
{
    long length;

    if (!file)
        return -EBADF;
    if (!message)
        return -EFAULT;
    length = linux_parts_length(message);
    return length < 0 ? length : 0;
}

long linux_sendmsg(struct linux_sockets *sockets, int fd, const struct msghdr *message, int flags,
                   struct linux_wait *wait)
{
    struct linux_file *file = linux_find(sockets, fd);
    long error = check_message(file, message);

    if (error)
        return error;
    if (file->pipe && is_plain(message, flags))
        return file->kind == LINUX_PIPE_WRITE ? linux_pipe_write(file, message, wait) : -EBADF;
    if (file->kind != LINUX_TCP && file->kind != LINUX_UDP)
        return -ENOTSOCK;
    if (flags & MSG_FASTOPEN)
        return -EOPNOTSUPP;
    return file->kind == LINUX_TCP ? linux_stream_send(sockets, file, message, flags, wait)
                                   : linux_datagram_send(sockets, file, message, flags, wait);
}

long linux_recvmsg(struct linux_sockets *sockets, int fd, struct msghdr *message, int flags,
                   struct linux_wait *wait)
{
    struct linux_file *file = linux_find(sockets, fd);
    long error = check_message(file, message);

    if (error)
        return error;
    if (file->pipe && is_plain(message, flags))
        return file->kind == LINUX_PIPE_READ ? linux_pipe_read(file, message, wait) : -EBADF;
    if (file->kind != LINUX_TCP && file->kind != LINUX_UDP)
        return -ENOTSOCK;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    return file->kind == LINUX_TCP ? linux_stream_recv(sockets, file, message, flags, wait)
                                   : linux_datagram_recv(sockets, file, message, flags, wait);
}

/* ---- One part, no header --------------------------------------------------------------------------------- */

/* sendmsg only reads what its message points at, whatever the types say. */
static void *unconst(const void *pointer)
{
    return (void *)(uintptr_t)pointer;
}

long linux_sendto(struct linux_sockets *sockets, int fd, const void *data, size_t size, int flags,
                  const struct sockaddr *to, socklen_t length, struct linux_wait *wait)
{
    struct iovec part = {.iov_base = unconst(data), .iov_len = size};
    struct msghdr message = {
        .msg_name = unconst(to),
        .msg_namelen = to ? length : 0,
        .msg_iov = &part,
        .msg_iovlen = 1,
    };

    return linux_sendmsg(sockets, fd, &message, flags, wait);
}

long linux_recvfrom(struct linux_sockets *sockets, int fd, void *data, size_t size, int flags,
                    struct sockaddr *from, socklen_t *length, struct linux_wait *wait)
{
    struct iovec part = {.iov_base = data, .iov_len = size};
    struct msghdr message = {.msg_name = from, .msg_iov = &part, .msg_iovlen = 1};
    long result;

    if (from && !length)
        return -EFAULT;
    if (from && *length > INT32_MAX)
        return -EINVAL;
    message.msg_namelen = from ? *length : 0;
    result = linux_recvmsg(sockets, fd, &message, flags, wait);
    if (from && result >= 0)
        *length = message.msg_namelen;
    return result;
}
