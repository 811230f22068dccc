/* SPDX-License-Identifier: MIT */

/* Pipes, and splice between one and a socket.
 *
 * A pipe is a ring of LINUX_PIPE_BYTES bytes that its two ends share; the one that is closed last
 * frees it. Reading an empty pipe ends (0) once nobody can write, writing one that nobody reads is
 * EPIPE. A write of at most PIPE_BUF bytes is all or nothing.
 *
 * splice moves bytes through the ring: from a socket at most as many as the ring has room for, to a
 * socket at most as many as the socket takes. One end has to be a pipe. It waits for the first byte
 * only, like a read, and not at all with SPLICE_F_NONBLOCK or a socket with O_NONBLOCK. */

#include <fcntl.h>
#include <lab/linux/internal.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct linux_pipe {
    struct linux_file *reader, *writer; /* NULL: closed */
    size_t start, used;
    uint8_t bytes[LINUX_PIPE_BYTES];
};

long linux_pipe(struct linux_sockets *sockets, int fds[2])
{
    struct linux_pipe *pipe;
    struct linux_file *reader, *writer;
    long error;

    if (!fds)
        return -EFAULT;
    reader = linux_open(sockets, LINUX_PIPE_READ, &error);
    if (!reader)
        return error;
    writer = linux_open(sockets, LINUX_PIPE_WRITE, &error);
    pipe = writer ? calloc(1, sizeof(*pipe)) : NULL;
    if (!pipe) {
        linux_release(sockets, reader);
        if (writer)
            linux_release(sockets, writer);
        return writer ? -ENOMEM : error;
    }
    pipe->reader = reader;
    pipe->writer = writer;
    reader->pipe = writer->pipe = pipe;
    fds[0] = reader->fd;
    fds[1] = writer->fd;
    return 0;
}

void linux_pipe_close(struct linux_file *file)
{
    struct linux_pipe *pipe = file->pipe;

    if (pipe->reader == file)
        pipe->reader = NULL;
    else
        pipe->writer = NULL;
    if (pipe->reader)
        linux_wake(pipe->reader, ~0u);
    else if (pipe->writer)
        linux_wake(pipe->writer, ~0u);
    else
        free(pipe);
    file->pipe = NULL;
}

size_t linux_pipe_readable(const struct linux_file *file)
{
    return file->pipe->used;
}

uint32_t linux_pipe_bits(const struct linux_file *file)
{
    const struct linux_pipe *pipe = file->pipe;
    uint32_t bits = 0;

    if (file->kind == LINUX_PIPE_READ) {
        bits |= pipe->used ? POLLIN | POLLRDNORM : 0;
        bits |= pipe->writer ? 0 : POLLHUP;
    } else {
        bits |= pipe->used < LINUX_PIPE_BYTES ? POLLOUT | POLLWRNORM : 0;
        bits |= pipe->reader ? 0 : POLLERR;
    }
    return bits;
}

/* The longest run of free bytes / of bytes to read. */
static struct weir_span free_run(struct linux_pipe *pipe)
{
    size_t at = (pipe->start + pipe->used) % LINUX_PIPE_BYTES;
    size_t end = at < pipe->start ? pipe->start : LINUX_PIPE_BYTES;

    if (pipe->used == LINUX_PIPE_BYTES)
        end = at;
    return (struct weir_span){.data = pipe->bytes + at, .length = end - at};
}

static struct weir_span used_run(struct linux_pipe *pipe)
{
    size_t length = LINUX_PIPE_BYTES - pipe->start;

    return (struct weir_span){.data = pipe->bytes + pipe->start,
                              .length = length < pipe->used ? length : pipe->used};
}

static void added(struct linux_pipe *pipe, size_t length)
{
    pipe->used += length;
    if (pipe->reader && length > 0)
        linux_wake(pipe->reader, POLLIN | POLLRDNORM);
}

static void removed(struct linux_pipe *pipe, size_t length)
{
    pipe->start = (pipe->start + length) % LINUX_PIPE_BYTES;
    pipe->used -= length;
    if (pipe->writer && length > 0)
        linux_wake(pipe->writer, POLLOUT | POLLWRNORM);
}

static size_t copy_in(struct linux_pipe *pipe, const uint8_t *from, size_t length)
{
    size_t done = 0;

    while (done < length && pipe->used < LINUX_PIPE_BYTES) {
        struct weir_span run = free_run(pipe);
        size_t part = run.length < length - done ? run.length : length - done;

        memcpy(run.data, from + done, part);
        added(pipe, part);
        done += part;
    }
    return done;
}

static size_t copy_out(struct linux_pipe *pipe, uint8_t *to, size_t length)
{
    size_t done = 0;

    while (done < length && pipe->used > 0) {
        struct weir_span run = used_run(pipe);
        size_t part = run.length < length - done ? run.length : length - done;

        memcpy(to + done, run.data, part);
        removed(pipe, part);
        done += part;
    }
    return done;
}

long linux_pipe_write(struct linux_file *file, const struct msghdr *message,
                      struct linux_wait *wait)
{
    struct linux_pipe *pipe = file->pipe;
    size_t total = (size_t)linux_parts_length(message);
    unsigned count, i;
    struct weir_span *spans;

    if (linux_parts_lack_memory(message))
        return -EFAULT;
    if (!pipe->reader)
        return wait->progress ? (long)wait->progress : -EPIPE;
    if (total <= PIPE_BUF && LINUX_PIPE_BYTES - pipe->used < total)
        return linux_wait_for(wait, file->nonblocking);
    spans = linux_parts_from(message, wait->progress, SIZE_MAX, &count);
    if (!spans)
        return -ENOMEM;
    for (i = 0; i < count; i++)
        wait->progress += copy_in(pipe, spans[i].data, spans[i].length);
    free(spans);
    if (wait->progress == total || (wait->progress > 0 && file->nonblocking))
        return (long)wait->progress;
    return linux_wait_for(wait, file->nonblocking);
}

long linux_pipe_read(struct linux_file *file, struct msghdr *message, struct linux_wait *wait)
{
    struct linux_pipe *pipe = file->pipe;
    size_t got = 0;
    unsigned count, i;
    struct weir_span *spans;

    if (linux_parts_lack_memory(message))
        return -EFAULT;
    if (linux_parts_length(message) == 0)
        return 0;
    if (!pipe->used)
        return pipe->writer ? linux_wait_for(wait, file->nonblocking) : 0;
    spans = linux_parts_from(message, 0, SIZE_MAX, &count);
    if (!spans)
        return -ENOMEM;
    for (i = 0; i < count; i++)
        got += copy_out(pipe, spans[i].data, spans[i].length);
    free(spans);
    return (long)got;
}

/* ---- splice -------------------------------------------------------------------------------------------- */

static struct msghdr one_part(struct iovec *part, const struct weir_span *run, size_t size)
{
    part->iov_base = run->data;
    part->iov_len = run->length < size ? run->length : size;
    return (struct msghdr){.msg_iov = part, .msg_iovlen = 1};
}

static long fill_pipe(struct linux_sockets *sockets, struct linux_file *from, struct linux_file *to,
                      size_t size, bool dont_wait)
{
    struct linux_wait once = {0};
    struct linux_pipe *pipe = to->pipe;
    struct weir_span run = free_run(pipe);
    struct iovec part;
    struct msghdr message = one_part(&part, &run, size);
    long got;

    if (!pipe->reader)
        return -EPIPE;
    if (!part.iov_len)
        return dont_wait ? -EAGAIN : LINUX_WAIT;
    got = linux_recvmsg(sockets, from->fd, &message, dont_wait ? MSG_DONTWAIT : 0, &once);
    if (got > 0)
        added(pipe, (size_t)got);
    return got;
}

static long drain_pipe(struct linux_sockets *sockets, struct linux_file *from,
                       struct linux_file *to, size_t size, bool dont_wait)
{
    struct linux_wait once = {0};
    struct linux_pipe *pipe = from->pipe;
    struct weir_span run = used_run(pipe);
    struct iovec part;
    struct msghdr message = one_part(&part, &run, size);
    long sent;

    if (!pipe->used && pipe->writer)
        return dont_wait ? -EAGAIN : LINUX_WAIT;
    if (!pipe->used)
        return 0;
    sent = linux_sendmsg(sockets, to->fd, &message, MSG_DONTWAIT, &once);
    if (sent > 0)
        removed(pipe, (size_t)sent);
    return sent == -EAGAIN && !dont_wait ? LINUX_WAIT : sent;
}

long linux_splice(struct linux_sockets *sockets, int from, int to, size_t size, unsigned flags,
                  struct linux_wait *wait)
{
    struct linux_file *in = linux_find(sockets, from), *out = linux_find(sockets, to);
    long result, moved;
    bool dont_wait;

    if (!in || !out)
        return -EBADF;
    if ((!in->pipe && !out->pipe) || in->pipe == out->pipe || (in->pipe && out->pipe))
        return -EINVAL;
    if ((in->pipe && in->kind != LINUX_PIPE_READ) || (out->pipe && out->kind != LINUX_PIPE_WRITE))
        return -EBADF;
    if ((in->pipe ? out : in)->kind != LINUX_TCP)
        return -EINVAL;
    dont_wait = (flags & SPLICE_F_NONBLOCK) || in->nonblocking || out->nonblocking;
    result = 0;
    do { /* at most twice round the ring's end */
        size_t left = size - (size_t)result;

        moved = left == 0  ? 0
                : in->pipe ? drain_pipe(sockets, in, out, left, dont_wait || result > 0)
                           : fill_pipe(sockets, in, out, left, dont_wait || result > 0);
        result += moved > 0 ? moved : 0;
    } while (moved > 0);
    if (result > 0 || moved != LINUX_WAIT)
        return result > 0 ? result : moved;
    return linux_wait_for(wait, false);
}
