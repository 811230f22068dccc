/* SPDX-License-Identifier: MIT */

/* Raw and echo sockets: datagrams to and from the IP layer without a transport of ours.
 *
 * A raw socket has one IP protocol and gets every packet of it; an echo socket has an ICMP identifier
 * and gets the replies that carry it. Both get the ICMP errors about what they have sent. Queues are
 * bounded (dgram/dgram.h); a full one drops and counts. A datagram is sent at once: it is staged on
 * the link, and poll flushes it. */

#include <base/bytes.h>
#include <stack/stack.h>
#include <string.h>
#include <wire/icmp4.h>

#define ECHO_MAX (65535u - 20u)

static struct socket *echo_socket(const struct weir_stack *stack, uint16_t id)
{
    struct table_node *node = table_find(&stack->echo_ids, id);

    return node ? LIST_ENTRY(node, struct binding, port)->socket : NULL;
}

/* An identifier that nobody has. */
static int open_echo(struct weir_stack *stack, struct binding *binding)
{
    uint32_t tries = 0;

    do {
        if (++tries > UINT16_MAX)
            return WEIR_EMFILE;
        stack->next_echo_id++;
    } while (!stack->next_echo_id || echo_socket(stack, stack->next_echo_id));
    if (!table_add(&stack->echo_ids, &binding->port, stack->next_echo_id))
        return WEIR_ENOMEM;
    binding->echo_id = stack->next_echo_id;
    return 0;
}

int dgram_open(struct weir_stack *stack, struct socket *socket, int protocol)
{
    if (socket->kind == WEIR_ECHO)
        return open_echo(stack, socket->binding);
    if (socket->kind == WEIR_UDP)
        return 0;
    if (protocol < 0 || protocol > 255 || protocol == IP_PROTOCOL_TCP ||
        protocol == IP_PROTOCOL_ICMP)
        return WEIR_EINVAL;
    if (stack->raw[protocol])
        return WEIR_EADDRINUSE;
    stack->raw[protocol] = socket;
    socket->binding->protocol = (uint8_t)protocol;
    return 0;
}

void dgram_close(struct weir_stack *stack, struct socket *socket)
{
    if (socket->kind == WEIR_RAW)
        stack->raw[socket->binding->protocol] = NULL;
    if (socket->binding->echo_id)
        table_remove(&stack->echo_ids, &socket->binding->port);
    socket->binding->echo_id = 0;
}

void dgram_give(struct weir_stack *stack, struct socket *socket, const struct weir_datagram *info,
                const struct weir_const_span *data)
{
    enum weir_drop drop;

    if (socket->is_connected && !info->icmp_type &&
        !weir_addr_equal(&socket->binding->peer, &info->peer))
        return;
    drop = dgram_push(&socket->binding->datagrams, &stack->alloc, info, data->data, data->length);
    count_drop(stack, drop);
    if (drop == WEIR_DROP_NONE)
        socket_raise(stack, socket, WEIR_IN);
}

struct weir_datagram dgram_describe(const struct net_packet *packet)
{
    return (struct weir_datagram){
        .peer = packet->src,
        .local = packet->dst,
        .ttl = packet->ttl,
        .tos = packet->tos,
    };
}

static void deliver_echo_reply(struct weir_stack *stack, const struct net_packet *packet)
{
    struct weir_datagram info = dgram_describe(packet);
    struct icmp4_message message;
    struct weir_const_span data;
    struct socket *socket;

    if (!icmp4_parse(packet->payload, packet->length, &message) ||
        message.type != ICMP4_ECHO_REPLY) {
        count_drop(stack, WEIR_DROP_ICMP_TYPE);
        return;
    }
    info.echo_id = (uint16_t)(message.rest >> 16);
    info.echo_sequence = (uint16_t)message.rest;
    socket = echo_socket(stack, info.echo_id);
    if (!socket) {
        count_drop(stack, WEIR_DROP_ICMP_TYPE);
        return;
    }
    data = (struct weir_const_span){message.body, message.body_length};
    dgram_give(stack, socket, &info, &data);
}

void dgram_deliver(struct weir_stack *stack, const struct net_packet *packet)
{
    struct socket *socket = stack->raw[packet->protocol];
    const struct weir_const_span data = {packet->payload, packet->length};
    struct weir_datagram info = dgram_describe(packet);

    if (packet->protocol == IP_PROTOCOL_ICMP) {
        deliver_echo_reply(stack, packet);
    } else if (socket) {
        dgram_give(stack, socket, &info, &data);
    } else {
        count_drop(stack, WEIR_DROP_IP_PROTOCOL);
        net_unreachable(stack->net, packet, ICMP4_PROTOCOL_UNREACHABLE, stack->now);
    }
}

void dgram_icmp_error(struct weir_stack *stack, const struct net_packet *packet,
                      const struct net_icmp_error *error)
{
    struct weir_datagram info = dgram_describe(packet);
    struct socket *socket = stack->raw[error->protocol];
    struct weir_const_span data = {error->quote, error->quote_length};

    info.peer = error->reporter;
    info.about = error->dst;
    info.icmp_type = error->type;
    info.icmp_code = error->code;
    if (error->protocol == IP_PROTOCOL_ICMP && data.data[0] == ICMP4_ECHO) {
        info.echo_id = get_u16(data.data + 4);
        info.echo_sequence = get_u16(data.data + 6);
        socket = echo_socket(stack, info.echo_id);
        data.data += ICMP4_HEADER;
        data.length -= ICMP4_HEADER;
    }
    if (socket)
        dgram_give(stack, socket, &info, &data);
    else
        count_drop(stack, WEIR_DROP_ICMP_QUOTE);
}

/* An echo request in memory of its own: header and data together. */
static long send_echo(struct weir_stack *stack, const struct net_path *path,
                      const struct net_out *out, const struct icmp4_message *message)
{
    size_t length = ICMP4_HEADER + message->body_length;
    uint8_t *bytes = alloc_get(&stack->alloc, length);
    int error;

    if (!bytes)
        return WEIR_ENOMEM;
    icmp4_emit(message, bytes);
    error = net_send(stack->net, path, out, bytes, (uint32_t)length, stack->now);
    alloc_put(&stack->alloc, bytes, length);
    stack->counters.counter[WEIR_COUNT_ICMP_OUT]++;
    return error;
}

long weir_socket_sendto(struct weir_stack *stack, int number, const void *data, size_t length,
                        const struct weir_datagram *to)
{
    struct socket *socket = socket_get(stack, number);
    const struct weir_tcp_settings *settings;
    struct weir_datagram target = {.local = weir_addr_any4()};
    struct net_path path;
    struct net_out out;
    long error;

    if (!socket)
        return WEIR_EBADF;
    if (socket->kind == WEIR_TCP)
        return WEIR_EPROTOTYPE;
    if (socket->kind == WEIR_UDP)
        return udp_sendto(stack, socket, &(struct weir_const_span){data, length}, to);
    if (!to && !socket->is_connected)
        return WEIR_ENOTCONN;
    if (length > ECHO_MAX - ICMP4_HEADER)
        return WEIR_EMSGSIZE;
    target.peer = socket->binding->peer;
    if (to)
        target = *to;
    if (weir_addr_is_any(&target.local))
        target.local = socket->binding->local.addr;
    error = net_path_find(stack->net, &target.local, &target.peer, &path);
    if (error < 0)
        return error;
    settings = socket_settings(stack, socket);
    out = (struct net_out){
        .protocol = socket->kind == WEIR_ECHO ? IP_PROTOCOL_ICMP : socket->binding->protocol,
        .ttl = target.ttl ? target.ttl : settings->ttl,
        .tos = target.tos ? target.tos : settings->tos,
        .why = socket->kind == WEIR_ECHO ? WEIR_WHY_ECHO : WEIR_WHY_RAW,
    };
    if (socket->kind == WEIR_ECHO) {
        const struct icmp4_message message = {
            .type = ICMP4_ECHO,
            .rest = (uint32_t)socket->binding->echo_id << 16 | target.echo_sequence,
            .body = data,
            .body_length = length,
        };

        error = send_echo(stack, &path, &out, &message);
    } else {
        error = net_send(stack->net, &path, &out, data, (uint32_t)length, stack->now);
    }
    if (error == WEIR_EAGAIN)
        return WEIR_ENOBUFS;
    return error < 0 ? error : (long)length;
}

long weir_socket_recvfrom(struct weir_stack *stack, int number, void *data, size_t length,
                          struct weir_datagram *from)
{
    struct socket *socket = socket_get(stack, number);
    int error;

    if (!socket)
        return WEIR_EBADF;
    if (socket->kind == WEIR_TCP)
        return WEIR_EPROTOTYPE;
    error = udp_take_error(socket);
    if (error < 0)
        return error;
    return dgram_pop(&socket->binding->datagrams, &stack->alloc, data, length, from);
}
