/* SPDX-License-Identifier: MIT */

/* Two tables of channels:
 *
 *   owners    port -> the channel that is bound to it: a listener, or a connection of our own making
 *   buckets   hash of (port, peer's address, peer's port) -> connections, accepted ones, too
 *
 * An accepted connection lives on its listener's port and owns none; so it outlives the listener, and
 * the port may have a new owner meanwhile. That makes no two connections the same, as a new one is
 * looked for first. Ports that nobody asked for come from 49152..65535 (RFC 6335 6), from a random
 * one upwards, so that a client that is started again is a new peer to a server that still remembers the
 * last one. The hash is salted: a peer chooses part of what goes in.
 *
 * Limits: 16384 connections of our own making; accepted ones as memory and threads allow. */

#include "net_weir_channels.h"
#include <errno.h>
#include <stddef.h>

#define PORTS_FREE (CHANNELS_PORTS - CHANNELS_PORT_FIRST)

static uint32_t bucket_of(const struct channels *channels, const struct flow *flow)
{
    uint32_t hash = channels->salt ^ flow->peer_address;

    hash = (hash ^ ((uint32_t)flow->port << 16 | flow->peer_port)) * 0x9e3779b1u;
    hash = (hash ^ hash >> 15) * 0x85ebca6bu;
    return (hash ^ hash >> 13) % CHANNELS_BUCKETS;
}

static struct flow flow_of(const struct channel *channel)
{
    return (struct flow){channel->address, channel->peer_address, channel->port,
                         channel->peer_port};
}

static bool is_same(const struct flow *left, const struct flow *right)
{
    return left->peer_address == right->peer_address && left->peer_port == right->peer_port &&
           left->port == right->port && left->address == right->address;
}

static uint32_t find_port(struct channels *channels)
{
    uint32_t tries, port;

    for (tries = 0; tries < PORTS_FREE; tries++) {
        port = CHANNELS_PORT_FIRST + channels->next_port++ % PORTS_FREE;
        if (!channels->owners[port])
            return port;
    }
    return 0;
}

int channels_bind(struct channels *channels, struct channel *channel, uint32_t port)
{
    if (port == 0)
        port = find_port(channels);
    if (port == 0)
        return EADDRNOTAVAIL;
    if (channels->owners[port])
        return EADDRINUSE;
    channels->owners[port] = channel;
    channel->port = htons((uint16_t)port);
    channel->owns_port = true;
    return 0;
}

struct channel *channels_owner(const struct channels *channels, uint16_t port)
{
    return channels->owners[ntohs(port)];
}

void channels_connect(struct channels *channels, struct channel *channel)
{
    struct flow flow = flow_of(channel);
    struct channel **bucket = &channels->buckets[bucket_of(channels, &flow)];

    channel->next = *bucket;
    *bucket = channel;
    channel->is_connected = true;
}

struct channel *channels_find(const struct channels *channels, const struct flow *flow)
{
    struct channel *channel = channels->buckets[bucket_of(channels, flow)];

    for (; channel; channel = channel->next) {
        struct flow other = flow_of(channel);

        if (is_same(&other, flow))
            return channel;
    }
    return NULL;
}

static void disconnect(struct channels *channels, struct channel *channel)
{
    struct flow flow = flow_of(channel);
    struct channel **place = &channels->buckets[bucket_of(channels, &flow)];

    while (*place != channel)
        place = &(*place)->next;
    *place = channel->next;
    channel->is_connected = false;
}

void channels_remove(struct channels *channels, struct channel *channel)
{
    if (channel->is_connected)
        disconnect(channels, channel);
    if (channel->owns_port)
        channels->owners[ntohs(channel->port)] = NULL;
    channel->owns_port = false;
}
