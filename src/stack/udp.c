/* SPDX-License-Identifier: MIT */

/* UDP sockets: datagrams by port (RFC 768, RFC 1122 4.1).
 *
 * The port table holds every bound socket under its local port. A datagram goes to one of those on
 * its destination port: a connected one whose peer sent it, else one bound to exactly the address it
 * was sent to, else one bound to any. A datagram to a group goes to every socket that is bound to
 * any address. What nobody takes is answered by ICMP port unreachable, within the rules and the rate
 * of net/icmp.c: RFC 1122 4.1.3.1 [768-3].
 *
 * Checks on the way in: the source is a single host (net's check, RFC 1122 4.1.3.6 [768-6]), the
 * length fits (RFC 768 Fields [768-1]), the checksum holds or there is none (RFC 1122 4.1.3.4
 * [768-2]). Each failure is silent and counted.
 *
 * Naming. Two sockets stand on one port only with different addresses, or if both have
 * SO_REUSEADDR: then of those that fit alike the one that was bound last gets the datagram, as on
 * Linux, and all of them get what was sent to a group. A port of 0 is chosen at once,
 * at random in 32768..60999 (RFC 6056 3.3.1); a socket that sends or connects unbound gets one on any
 * address. connect fixes the peer and takes the path's source for the local address, unless bind has
 * said which; disconnect gives back what bind has not said. The address that each datagram was sent
 * to is told with it, and the reply may choose it: RFC 1122 4.1.3.5 [768-5].
 *
 * ICMP errors go to the socket that sent the quoted datagram: RFC 1122 4.1.3.3 [768-4]. As on Linux
 * a hard one becomes the pending error of a connected socket, which the next call reports once, and
 * all others are dropped; with IP_RECVERR each is received as a datagram of its own, as raw sockets
 * receive them. Hard are the codes that no waiting mends (see hard_error); port unreachable is one.
 *
 * Sending copies header, data and checksum in one pass into the lent frame. A datagram larger than
 * the link is made in memory and cut by net, at most 65,507 bytes of data. */

#include <base/bytes.h>
#include <stack/stack.h>
#include <wire/icmp4.h>
#include <wire/udp.h>

#define DATA_MAX (UDP_LENGTH_MAX - UDP_HEADER)

/* ---- Ports ------------------------------------------------------------------------------------ */

static struct binding *first_on(const struct weir_stack *stack, uint16_t port)
{
    struct table_node *node = table_find(&stack->udp_ports, port);

    return node ? LIST_ENTRY(node, struct binding, port) : NULL;
}

static struct binding *next_on(const struct binding *binding)
{
    struct table_node *node = table_find_next(&binding->port);

    return node ? LIST_ENTRY(node, struct binding, port) : NULL;
}

static bool is_taken(const struct weir_stack *stack, const struct socket *self,
                     const struct weir_endpoint *local)
{
    const struct binding *other;

    for (other = first_on(stack, local->port); other; other = next_on(other)) {
        if (self->is_reusable && other->socket->is_reusable)
            continue;
        if (weir_addr_is_any(&other->local.addr) || weir_addr_is_any(&local->addr) ||
            weir_addr_equal(&other->local.addr, &local->addr))
            return true;
    }
    return false;
}

/* RFC 6056 3.3.1: the first free port from a random one on; 0: none is free. */
static uint16_t choose_port(struct weir_stack *stack)
{
    uint32_t offset = random_below(&stack->random, EPHEMERAL_COUNT), i;
    uint16_t port;

    for (i = 0; i < EPHEMERAL_COUNT; i++) {
        port = (uint16_t)(EPHEMERAL_FIRST + (offset + i) % EPHEMERAL_COUNT);
        if (!first_on(stack, port))
            return port;
    }
    return 0;
}

int udp_bind(struct weir_stack *stack, struct socket *socket, const struct weir_endpoint *local)
{
    struct binding *binding = socket->binding;
    struct weir_endpoint chosen = *local;

    if (!chosen.port)
        chosen.port = choose_port(stack);
    if (!chosen.port)
        return WEIR_EADDRNOTAVAIL;
    if (is_taken(stack, socket, &chosen))
        return WEIR_EADDRINUSE;
    if (!table_add(&stack->udp_ports, &binding->port, chosen.port))
        return WEIR_ENOMEM;
    binding->local = chosen;
    binding->is_bound = true;
    binding->order = stack->udp_binds++;
    binding->keeps_addr = !weir_addr_is_any(&local->addr);
    binding->keeps_port = local->port != 0;
    return 0;
}

static int bind_if_unbound(struct weir_stack *stack, struct socket *socket)
{
    const struct weir_endpoint any = {.addr = weir_addr_any4()};

    return socket->binding->is_bound ? 0 : udp_bind(stack, socket, &any);
}

int udp_connect(struct weir_stack *stack, struct socket *socket, const struct weir_endpoint *remote)
{
    struct binding *binding = socket->binding;
    struct weir_addr src = binding->keeps_addr ? binding->local.addr : weir_addr_any4();
    struct net_path path;
    int error;

    if (!remote->port)
        return WEIR_EADDRNOTAVAIL;
    error = net_path_find(stack->net, &src, &remote->addr, &path);
    if (error == 0)
        error = bind_if_unbound(stack, socket);
    if (error < 0)
        return error;
    binding->local.addr = path.src;
    binding->peer = remote->addr;
    binding->peer_port = remote->port;
    socket->is_connected = true;
    return 0;
}

void udp_disconnect(struct weir_stack *stack, struct socket *socket)
{
    struct binding *binding = socket->binding;

    socket->is_connected = false;
    if (!binding->keeps_addr)
        binding->local.addr = weir_addr_any4();
    if (!binding->keeps_port && binding->is_bound) {
        table_remove(&stack->udp_ports, &binding->port);
        binding->is_bound = false;
        binding->local.port = 0;
    }
}

/* ---- Receiving -------------------------------------------------------------------------------- */

enum fit { NO_FIT, FITS_ANY, FITS_ADDR, FITS_PEER };

static enum fit fit_of(const struct binding *binding, const struct flow_key *key)
{
    bool is_any = weir_addr_is_any(&binding->local.addr);

    if (!is_any && !weir_addr_equal(&binding->local.addr, &key->local))
        return NO_FIT;
    if (!binding->socket->is_connected)
        return is_any ? FITS_ANY : FITS_ADDR;
    if (binding->peer_port != key->rport || !weir_addr_equal(&binding->peer, &key->remote))
        return NO_FIT;
    return FITS_PEER;
}

/* The closer one, and of two that are as close the one that was bound later. */
static bool beats(const struct binding *binding, enum fit fit, const struct binding *best,
                  enum fit best_fit)
{
    if (fit != best_fit)
        return fit > best_fit;
    return best && (int32_t)(binding->order - best->order) > 0;
}

static struct socket *find(const struct weir_stack *stack, const struct flow_key *key)
{
    struct binding *best = NULL;
    enum fit best_fit = NO_FIT;
    struct binding *binding;

    for (binding = first_on(stack, key->lport); binding; binding = next_on(binding)) {
        enum fit fit = fit_of(binding, key);

        if (!beats(binding, fit, best, best_fit))
            continue;
        best = binding;
        best_fit = fit;
    }
    return best ? best->socket : NULL;
}

static enum weir_drop check(const struct net_packet *packet, struct udp_header *header)
{
    enum weir_drop drop = udp_parse(packet->payload, packet->length, header);

    if (drop != WEIR_DROP_NONE || packet->csum_verified)
        return drop;
    if (!udp_checksum_ok(packet->payload, header->length,
                         net_pseudo_sum(&packet->src, &packet->dst, IP_PROTOCOL_UDP)))
        return WEIR_DROP_UDP_CHECKSUM;
    return WEIR_DROP_NONE;
}

/* Returns whether anybody takes it. */
static bool give(struct weir_stack *stack, const struct net_packet *packet,
                 const struct udp_header *header)
{
    const struct flow_key key = {.local = packet->dst,
                                 .remote = packet->src,
                                 .lport = header->dport,
                                 .rport = header->sport};
    const struct weir_const_span data = {packet->payload + UDP_HEADER, header->length - UDP_HEADER};
    struct weir_datagram info = dgram_describe(packet);
    struct socket *socket = find(stack, &key);
    struct binding *binding;

    info.peer_port = header->sport;
    info.local_port = header->dport;
    if (!socket)
        return false;
    if (!packet->is_group) {
        dgram_give(stack, socket, &info, &data);
        return true;
    }
    for (binding = first_on(stack, key.lport); binding; binding = next_on(binding)) {
        if (fit_of(binding, &key) != NO_FIT)
            dgram_give(stack, binding->socket, &info, &data);
    }
    return true;
}

void udp_deliver(struct weir_stack *stack, const struct net_packet *packet)
{
    struct udp_header header;
    enum weir_drop drop = check(packet, &header);
    bool is_raw = stack->raw[IP_PROTOCOL_UDP] != NULL;

    stack->counters.counter[WEIR_COUNT_UDP_IN]++;
    if (is_raw) /* a raw socket gets a copy, whatever UDP thinks of it */
        dgram_deliver(stack, packet);
    if (drop != WEIR_DROP_NONE) {
        count_drop(stack, drop);
        return;
    }
    if (give(stack, packet, &header) || is_raw)
        return;
    count_drop(stack, WEIR_DROP_UDP_NO_PORT);
    net_unreachable(stack->net, packet, ICMP4_PORT_UNREACHABLE, stack->now);
}

/* ---- ICMP errors ------------------------------------------------------------------------------ */

int icmp_meaning(const struct net_icmp_error *error, bool *is_hard)
{
    static const struct {
        int8_t code;
        bool is_hard;
    } unreachable[] = {
        [ICMP4_NET_UNREACHABLE] = {WEIR_ENETUNREACH, false},
        [ICMP4_HOST_UNREACHABLE] = {WEIR_EHOSTUNREACH, false},
        [ICMP4_PROTOCOL_UNREACHABLE] = {WEIR_ENOPROTOOPT, true},
        [ICMP4_PORT_UNREACHABLE] = {WEIR_ECONNREFUSED, true},
        [ICMP4_FRAGMENTATION_NEEDED] = {WEIR_EMSGSIZE, true},
        [5] = {WEIR_EOPNOTSUPP, false},    /* source route failed */
        [6] = {WEIR_ENETUNREACH, true},    /* network unknown */
        [7] = {WEIR_EHOSTDOWN, true},      /* host unknown */
        [8] = {WEIR_ENONET, true},         /* source host isolated */
        [9] = {WEIR_ENETUNREACH, true},    /* network administratively prohibited */
        [10] = {WEIR_EHOSTUNREACH, true},  /* host administratively prohibited */
        [11] = {WEIR_ENETUNREACH, false},  /* network unreachable for TOS */
        [12] = {WEIR_EHOSTUNREACH, false}, /* host unreachable for TOS */
        [13] = {WEIR_EHOSTUNREACH, true},  /* communication administratively prohibited */
        [14] = {WEIR_EHOSTUNREACH, true},  /* host precedence violation */
        [15] = {WEIR_EHOSTUNREACH, true},  /* precedence cutoff */
    };

    *is_hard = error->type == ICMP4_PARAMETER_PROBLEM;
    if (error->type == ICMP4_PARAMETER_PROBLEM)
        return WEIR_EPROTO;
    if (error->type == ICMP4_TIME_EXCEEDED)
        return WEIR_EHOSTUNREACH;
    if (error->type != ICMP4_UNREACHABLE ||
        error->code >= sizeof(unreachable) / sizeof(unreachable[0]))
        return 0;
    *is_hard = unreachable[error->code].is_hard;
    return unreachable[error->code].code;
}

static void give_error(struct weir_stack *stack, struct socket *socket,
                       const struct net_packet *packet, const struct net_icmp_error *error)
{
    const struct weir_const_span data = {error->quote + UDP_HEADER,
                                         error->quote_length - UDP_HEADER};
    struct weir_datagram info = dgram_describe(packet);

    info.peer = error->reporter;
    info.local_port = get_u16(error->quote);
    info.about = error->dst;
    info.about_port = get_u16(error->quote + 2);
    info.icmp_type = error->type;
    info.icmp_code = error->code;
    dgram_give(stack, socket, &info, &data);
}

void udp_icmp_error(struct weir_stack *stack, const struct net_packet *packet,
                    const struct net_icmp_error *error)
{
    const struct flow_key key = {.local = error->src,
                                 .remote = error->dst,
                                 .lport = get_u16(error->quote),
                                 .rport = get_u16(error->quote + 2)};
    struct socket *socket = find(stack, &key);
    bool is_hard;
    int code = icmp_meaning(error, &is_hard);

    if (!socket) {
        dgram_icmp_error(stack, packet, error);
    } else if (socket->binding->hears_errors) {
        give_error(stack, socket, packet, error);
    } else if (socket->is_connected && is_hard) {
        socket->error = (int8_t)code;
        socket_raise(stack, socket, WEIR_ERR);
    } else {
        count_drop(stack, WEIR_DROP_ICMP_TYPE);
    }
}

int udp_take_error(struct socket *socket)
{
    int error = socket->error;

    socket->error = 0;
    return error;
}

/* ---- Sending ---------------------------------------------------------------------------------- */

/* To whom and from where: what the call says, else what the socket has. */
static int fill_target(const struct socket *socket, const struct weir_datagram *to,
                       struct weir_datagram *target)
{
    const struct binding *binding = socket->binding;

    *target = to ? *to : (struct weir_datagram){.local = weir_addr_any4()};
    if (!to || weir_addr_is_any(&to->peer)) {
        if (!socket->is_connected)
            return WEIR_ENOTCONN;
        target->peer = binding->peer;
        target->peer_port = binding->peer_port;
    }
    if (weir_addr_is_any(&target->local))
        target->local = binding->local.addr;
    return target->peer_port ? 0 : WEIR_EINVAL;
}

static int send_whole(struct weir_stack *stack, const struct net_path *path,
                      const struct net_out *out, const struct udp_header *header,
                      const struct weir_const_span *data)
{
    uint32_t length = (uint32_t)data->length;
    struct net_frame frame;
    int error = net_begin(stack->net, path, out, UDP_HEADER + length, stack->now, &frame);

    if (error == WEIR_EAGAIN)
        count_loss(stack, WEIR_DROP_LINK_FULL);
    if (error < 0)
        return error;
    udp_emit(header, net_pseudo_sum(&path->src, &path->dst, IP_PROTOCOL_UDP), data->data, length,
             frame.payload);
    net_commit(stack->net, path, &frame, UDP_HEADER + length, stack->now);
    return 0;
}

static int send_cut(struct weir_stack *stack, const struct net_path *path,
                    const struct net_out *out, const struct udp_header *header,
                    const struct weir_const_span *data)
{
    uint32_t length = UDP_HEADER + (uint32_t)data->length;
    uint8_t *bytes = alloc_get(&stack->alloc, length);
    int error;

    if (!bytes)
        return WEIR_ENOMEM;
    udp_emit(header, net_pseudo_sum(&path->src, &path->dst, IP_PROTOCOL_UDP), data->data,
             (uint32_t)data->length, bytes);
    error = net_send(stack->net, path, out, bytes, length, stack->now);
    alloc_put(&stack->alloc, bytes, length);
    return error;
}

static int send_on(struct weir_stack *stack, struct socket *socket, const struct net_path *path,
                   const struct weir_datagram *target, const struct weir_const_span *data)
{
    const struct weir_tcp_settings *settings = socket_settings(stack, socket);
    const struct udp_header header = {.sport = socket->binding->local.port,
                                      .dport = target->peer_port};
    const struct net_out out = {
        .protocol = IP_PROTOCOL_UDP,
        .ttl = target->ttl ? target->ttl : settings->ttl,
        .tos = target->tos ? target->tos : settings->tos,
        .why = WEIR_WHY_UDP,
    };

    if (UDP_HEADER + data->length <= net_hop_mms(&path->hop))
        return send_whole(stack, path, &out, &header, data);
    return send_cut(stack, path, &out, &header, data);
}

long udp_sendto(struct weir_stack *stack, struct socket *socket, const struct weir_const_span *data,
                const struct weir_datagram *to)
{
    struct weir_datagram target;
    struct net_path path;
    int error = udp_take_error(socket);

    if (error == 0 && data->length > DATA_MAX)
        error = WEIR_EMSGSIZE;
    if (error == 0)
        error = fill_target(socket, to, &target);
    if (error == 0)
        error = net_path_find(stack->net, &target.local, &target.peer, &path);
    if (error == 0)
        error = bind_if_unbound(stack, socket);
    if (error == 0)
        error = send_on(stack, socket, &path, &target, data);
    if (error < 0)
        return error == WEIR_EAGAIN ? WEIR_ENOBUFS : error;
    stack->counters.counter[WEIR_COUNT_UDP_OUT]++;
    return (long)data->length;
}
