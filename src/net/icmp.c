/* SPDX-License-Identifier: MIT */

/* ICMP: echo requests are answered here; errors about our packets are taken apart for whoever sent
 * them; errors about others' packets are made here, if all the rules allow.
 *
 * Received. Length and checksum first. Echo request: the same data, id and sequence go back from
 * the address that was asked (RFC 1122 3.2.2.6 [1122-21], RFC 1812 4.3.3.6 [1812-11]), in fragments
 * if the link is small; one to a broadcast or multicast address is ignored
 * (RFC 1122 3.2.2.6 [1122-22]). Echo reply: delivered (RFC 1122 3.2.2.6 [1122-23]). Unreachable,
 * time exceeded and parameter problem are returned with what they quote (RFC 1122 3.2.2 [1122-15])
 * if it is a packet of ours, its first fragment, with at least 8 bytes of transport header. Source
 * quench and redirects are ignored (RFC 6633; RFC 1122 3.2.2.2 [1122-18] is answered by believing
 * none), as is everything unknown, among it timestamps, information and mask requests
 * (RFC 1122 3.2.2 [1122-13], RFC 1122 3.2.2.8 [1122-24]).
 *
 * Sent. Never about an ICMP error, a broadcast or multicast, a later fragment, or a source that is
 * no single host: RFC 1122 3.2.2 [1122-16], RFC 1812 4.3.2.7 [1812-8]; counted as ICMP_FORBIDDEN.
 * Errors quote the packet unchanged, up to 576 bytes in all: RFC 1122 3.2.2 [1122-14],
 * RFC 1812 4.3.2.3 [1812-9]. Their source is the address that was asked if it is ours, else that of
 * the interface they leave by: RFC 1812 4.3.2.4 [1812-10]. Rate: a bucket of 50 that refills at 100
 * a second, held as one time, at which it would be full again: RFC 1812 4.3.2.8 [1812-9]. */

#include <assert.h>
#include <net/internal.h>
#include <string.h>
#include <wire/icmp4.h>

/* ---- Errors that we send -------------------------------------------------------------------- */

static bool is_about_error(const struct ip4_header *ip, const uint8_t *packet, size_t length)
{
    if (ip->protocol != IP_PROTOCOL_ICMP)
        return false;
    return length <= ip->header_length || icmp4_is_error(packet[ip->header_length]);
}

static bool is_single_host(const struct net *net, uint32_t addr)
{
    return net_is_wire4(addr) && !net_is_broadcast4(net, addr);
}

static bool is_allowed(const struct net *net, const struct ip4_header *ip, const uint8_t *packet,
                       size_t length)
{
    if (is_about_error(ip, packet, length))
        return false;
    if (net_is_multicast4(ip->dst) || net_is_broadcast4(net, ip->dst))
        return false;
    if (ip->fragment_offset != 0)
        return false;
    if (net_is_loopback4(ip->dst)) /* seen on the loopback only */
        return is_single_host(net, ip->src) || net_is_loopback4(ip->src);
    return is_single_host(net, ip->src);
}

static bool take_token(struct net *net, weir_time now)
{
    weir_time full = max_i64(net->icmp_credit, now);

    if (full - now > (NET_ICMP_BURST - 1) * NET_ICMP_INTERVAL)
        return false;
    net->icmp_credit = full + NET_ICMP_INTERVAL;
    return true;
}

/* From the address that was asked if it is ours, else from the outgoing interface's. */
static int find_reply_path(const struct net *net, uint32_t from, uint32_t to, struct net_path *path)
{
    struct weir_addr src = weir_addr_any4(), dst = weir_addr_from4(to);

    if (net_own4(net, from) >= 0 || net_is_loopback4(from))
        src = weir_addr_from4(from);
    return net_path_find(net, &src, &dst, path);
}

static int send_error(struct net *net, const struct net_icmp_cause *cause,
                      const struct net_path *path, const struct weir_const_span *packet,
                      weir_time now)
{
    struct net_out out = {.protocol = IP_PROTOCOL_ICMP,
                          .ttl = net->config.ttl,
                          .tos = NET_ICMP_TOS,
                          .why = WEIR_WHY_ICMP_ERROR};
    uint32_t room =
        min_u32(NET_ICMP_PACKET_MAX - IP4_HEADER, net_hop_mms(&path->hop)) - ICMP4_HEADER;
    struct icmp4_message message = {.type = cause->type,
                                    .code = cause->code,
                                    .rest = cause->rest,
                                    .body = packet->data,
                                    .body_length = min_size(packet->length, room)};
    uint8_t bytes[NET_ICMP_PACKET_MAX];

    icmp4_emit(&message, bytes);
    return net_send(net, path, &out, bytes, (uint32_t)(ICMP4_HEADER + message.body_length), now);
}

void net_icmp_error_send(struct net *net, const struct net_icmp_cause *cause, const uint8_t *packet,
                         size_t length, weir_time now)
{
    struct weir_const_span span = {.data = packet, .length = length};
    struct ip4_header ip;
    struct net_path path;
    int error;

    if (!net->config.icmp_errors)
        return;
    if (ip4_parse_quote(packet, length, &ip) != WEIR_DROP_NONE ||
        !is_allowed(net, &ip, packet, length)) {
        net_lose(net, WEIR_DROP_ICMP_FORBIDDEN);
        return;
    }
    if (!take_token(net, now)) {
        net_lose(net, WEIR_DROP_ICMP_RATE);
        return;
    }
    span.length = min_size(length, ip.total_length);
    error = find_reply_path(net, ip.dst, ip.src, &path);
    if (!error)
        error = send_error(net, cause, &path, &span, now);
    if (error && error != WEIR_EAGAIN) /* net_send has counted that one */
        net_lose(net, net_error_drop(error));
}

void net_unreachable(struct net *net, const struct net_packet *packet, uint8_t code, weir_time now)
{
    struct net_icmp_cause cause = {.type = ICMP4_UNREACHABLE, .code = code};

    net_icmp_error_send(net, &cause, packet->header, (size_t)packet->header_length + packet->length,
                        now);
}

/* ---- Echo ----------------------------------------------------------------------------------- */

static int reply_whole(struct net *net, const struct net_path *path, const struct net_out *out,
                       const struct icmp4_message *reply, weir_time now)
{
    uint32_t length = (uint32_t)(ICMP4_HEADER + reply->body_length);
    struct net_frame frame;
    int error = net_begin(net, path, out, length, now, &frame);

    if (error)
        return error;
    icmp4_emit(reply, frame.payload);
    net_commit(net, path, &frame, length, now);
    net_count(net, WEIR_COUNT_ICMP_OUT);
    return 0;
}

static int reply_in_fragments(struct net *net, const struct net_path *path,
                              const struct net_out *out, const struct icmp4_message *reply,
                              weir_time now)
{
    uint32_t length = (uint32_t)(ICMP4_HEADER + reply->body_length);
    uint8_t *bytes = alloc_get(net->alloc, length);
    int error;

    if (!bytes)
        return WEIR_ENOMEM;
    icmp4_emit(reply, bytes);
    error = net_send(net, path, out, bytes, length, now);
    if (error == WEIR_EAGAIN)
        net->counters->drop[WEIR_DROP_LINK_FULL]--; /* the caller counts the request */
    alloc_put(net->alloc, bytes, length);
    return error;
}

static void answer_echo(struct net *net, const struct net_packet *packet,
                        const struct icmp4_message *request, weir_time now)
{
    struct net_out out = {.protocol = IP_PROTOCOL_ICMP,
                          .ttl = net->config.ttl,
                          .tos = packet->tos,
                          .why = WEIR_WHY_ECHO_REPLY};
    struct icmp4_message reply = *request;
    struct net_path path;
    int error = net_path_find(net, &packet->dst, &packet->src, &path);

    reply.type = ICMP4_ECHO_REPLY;
    if (!error && packet->length <= net_hop_mms(&path.hop))
        error = reply_whole(net, &path, &out, &reply, now);
    else if (!error)
        error = reply_in_fragments(net, &path, &out, &reply, now);
    if (error)
        net_lose(net, net_error_drop(error));
    else
        net_count(net, WEIR_COUNT_ECHO_REPLIES);
}

static enum net_verdict input_echo(struct net *net, const struct net_packet *packet,
                                   const struct icmp4_message *message, weir_time now)
{
    if (packet->is_group)
        net_drop(net, WEIR_DROP_IP_BROADCAST);
    else
        answer_echo(net, packet, message, now);
    return NET_DONE;
}

/* ---- Errors that we receive ----------------------------------------------------------------- */

static bool is_known_code(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP4_UNREACHABLE:
        return code <= 15;
    case ICMP4_TIME_EXCEEDED:
        return code <= 1;
    default:
        return code <= 2; /* parameter problem */
    }
}

static bool take_quote(const struct net *net, const struct icmp4_message *message,
                       struct net_icmp_error *error)
{
    struct ip4_header ip;

    if (ip4_parse_quote(message->body, message->body_length, &ip) != WEIR_DROP_NONE)
        return false;
    if (message->body_length < ip.header_length + 8u || ip.fragment_offset != 0)
        return false;
    if (net_own4(net, ip.src) < 0 && !net_is_loopback4(ip.src))
        return false;
    error->src = weir_addr_from4(ip.src);
    error->dst = weir_addr_from4(ip.dst);
    error->protocol = ip.protocol;
    error->quote = message->body + ip.header_length;
    error->quote_length = (uint32_t)(message->body_length - ip.header_length);
    return true;
}

static enum net_verdict input_error(struct net *net, const struct net_packet *packet,
                                    const struct icmp4_message *message,
                                    struct net_icmp_error *error)
{
    enum weir_drop drop = WEIR_DROP_NONE;

    if (packet->is_group)
        drop = WEIR_DROP_IP_BROADCAST;
    else if (!is_known_code(message->type, message->code))
        drop = WEIR_DROP_ICMP_TYPE;
    else if (!take_quote(net, message, error))
        drop = WEIR_DROP_ICMP_QUOTE;
    if (drop != WEIR_DROP_NONE) {
        net_drop(net, drop);
        return NET_DONE;
    }
    error->reporter = packet->src;
    error->type = message->type;
    error->code = message->code;
    error->mtu = 0;
    if (message->type == ICMP4_UNREACHABLE && message->code == ICMP4_FRAGMENTATION_NEEDED)
        error->mtu = message->rest & 0xffffu;
    net_count(net, WEIR_COUNT_DELIVERED);
    return NET_ICMP_ERROR;
}

/* ---- Input ---------------------------------------------------------------------------------- */

enum net_verdict net_icmp_input(struct net *net, struct net_packet *packet, weir_time now,
                                struct net_icmp_error *error)
{
    struct icmp4_message message;

    if (!icmp4_parse(packet->payload, packet->length, &message)) {
        net_drop(net, WEIR_DROP_ICMP_SHORT);
        return NET_DONE;
    }
    if (!packet->csum_verified && !icmp4_checksum_ok(packet->payload, packet->length)) {
        net_drop(net, WEIR_DROP_ICMP_CHECKSUM);
        return NET_DONE;
    }
    packet->csum_verified = true;
    net_count(net, WEIR_COUNT_ICMP_IN);
    switch (message.type) {
    case ICMP4_ECHO:
        return input_echo(net, packet, &message, now);
    case ICMP4_ECHO_REPLY:
        net_count(net, WEIR_COUNT_DELIVERED);
        return NET_DELIVER;
    case ICMP4_UNREACHABLE:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAMETER_PROBLEM:
        return input_error(net, packet, &message, error);
    default:
        net_drop(net, WEIR_DROP_ICMP_TYPE);
        return NET_DONE;
    }
}
