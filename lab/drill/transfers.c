/* SPDX-License-Identifier: MIT */

/* Calls that move bytes: read, readv, recv, recvfrom, recvmsg and their counterparts.
 *
 * A call's message is made at its first attempt; each attempt gives it to Linux's sendmsg or recvmsg
 * again. What is read is compared with the strings that the script gives as buffers, if any, and a
 * message's flags, address and control messages with what its record says of them. */

#include <lab/drill/marshal.h>

/* The one part of read, write and the like: argument 1 is the buffer, argument 2 its size. */
static void prepare_buffer(struct marshal *call, bool sending)
{
    int64_t size = marshal_int(call, 2, 0);
    struct iovec *part = arena_get(&call->arena, sizeof(*part));

    if (!part) {
        complain(call, "no memory");
        return;
    }
    part->iov_base = marshal_buffer(call, marshal_arg(call, 1), size, sending);
    part->iov_len = size > 0 ? (size_t)size : 0;
    call->message.msg_iov = part;
    call->message.msg_iovlen = 1;
}

static long receive(struct marshal *call)
{
    call->is_ready = true;
    if (call->outcome->text[0])
        return -EINVAL;
    return linux_recvmsg(call->run->sockets, marshal_fd(call, 0), &call->message, call->flags,
                         &call->wait);
}

static long transmit(struct marshal *call)
{
    call->is_ready = true;
    if (call->outcome->text[0])
        return -EINVAL;
    return linux_sendmsg(call->run->sockets, marshal_fd(call, 0), &call->message, call->flags,
                         &call->wait);
}

static long receive_buffer(struct marshal *call)
{
    long got = receive(call);

    if (got >= 0)
        check_buffer(call, marshal_arg(call, 1), call->message.msg_iov->iov_base, got);
    return got;
}

long call_read(struct marshal *call)
{
    if (!call->is_ready)
        prepare_buffer(call, false);
    return receive_buffer(call);
}

long call_recv(struct marshal *call)
{
    if (!call->is_ready) {
        prepare_buffer(call, false);
        call->flags = (int)marshal_int(call, 3, 0);
    }
    return receive_buffer(call);
}

long call_recvfrom(struct marshal *call)
{
    const struct value *from = marshal_arg(call, 4);
    long got;

    if (!call->is_ready) {
        prepare_buffer(call, false);
        call->flags = (int)marshal_int(call, 3, 0);
        call->message.msg_name =
            marshal_addr(call, from, &call->run->remote, call->run->connect_port);
        call->message.msg_namelen = call->message.msg_name ? sizeof(call->addr) : 0;
    }
    got = receive_buffer(call);
    if (got >= 0 && from && from->kind == VALUE_RECORD)
        check_addr(call, from);
    return got;
}

long call_readv(struct marshal *call)
{
    long got;

    if (!call->is_ready)
        marshal_parts(call, marshal_arg(call, 1), false);
    got = receive(call);
    if (got >= 0)
        check_parts(call, marshal_arg(call, 1), got);
    return got;
}

long call_recvmsg(struct marshal *call)
{
    const struct value *record = marshal_arg(call, 1);
    long got;

    if (!call->is_ready) {
        marshal_message(call, record, false);
        call->flags = (int)marshal_int(call, 2, 0);
    }
    got = receive(call);
    if (got >= 0) {
        check_parts(call, marshal_field(record, "msg_iov"), got);
        check_message(call, record);
    }
    return got;
}

long call_write(struct marshal *call)
{
    if (!call->is_ready)
        prepare_buffer(call, true);
    return transmit(call);
}

long call_send(struct marshal *call)
{
    if (!call->is_ready) {
        prepare_buffer(call, true);
        call->flags = (int)marshal_int(call, 3, 0);
    }
    return transmit(call);
}

/* A datagram to somebody may be the first packet of the socket under test. */
long call_sendto(struct marshal *call)
{
    long sent;

    if (!call->is_ready) {
        prepare_buffer(call, true);
        call->flags = (int)marshal_int(call, 3, 0);
        call->message.msg_name =
            marshal_addr(call, marshal_arg(call, 4), &call->run->remote, call->run->connect_port);
        call->message.msg_namelen =
            call->message.msg_name ? (socklen_t)marshal_int(call, 5, sizeof(call->addr)) : 0;
    }
    sent = transmit(call);
    if (sent >= 0 && call->message.msg_name)
        note_datagram(call, marshal_fd(call, 0));
    return sent;
}

long call_writev(struct marshal *call)
{
    if (!call->is_ready)
        marshal_parts(call, marshal_arg(call, 1), true);
    return transmit(call);
}

long call_sendmsg(struct marshal *call)
{
    long sent;

    if (!call->is_ready) {
        marshal_message(call, marshal_arg(call, 1), true);
        call->flags = (int)marshal_int(call, 2, 0);
    }
    sent = transmit(call);
    if (sent >= 0 && call->message.msg_name)
        note_datagram(call, marshal_fd(call, 0));
    return sent;
}
