/* SPDX-License-Identifier: MIT */

/* Paths: the answer to "how do I reach that address?", as a value that whoever sends keeps.
 *
 * A path is looked up once and used for every packet until its generation is no longer the net's;
 * sending then costs no look-up. Destinations of our own, and all of 127/8, go by NET_LOOPBACK
 * whatever the state of the interface that has the address.
 *
 * Sources. A source that is given must be ours (RFC 1122 3.2.1.3 [1122-5]); otherwise it is the
 * address of the outgoing interface. 127/8 may be a source only on the loopback
 * (RFC 1122 3.2.1.3 [1122-6]). Destinations that are no single host (broadcast, multicast, 0/8,
 * class E) have no path: links here reach one neighbour at a time. */

#include <base/checksum.h>
#include <net/internal.h>

static int find_loopback(const struct weir_addr *src, struct net_path *path)
{
    path->src = weir_addr_is_any(src) ? path->dst : *src;
    path->hop.tag = 0;
    path->hop.mtu = NET_LOOPBACK_MTU;
    path->hop.iface = NET_LOOPBACK;
    return 0;
}

static int find_wire(const struct net *net, const struct weir_addr *src, struct net_path *path)
{
    int error;

    if (!weir_addr_is_any(src) && net_is_loopback4(weir_addr_to4(src)))
        return WEIR_ENETUNREACH;
    error = net_routes_resolve(net, &path->dst, &path->hop);
    if (error)
        return error;
    path->src = weir_addr_is_any(src) ? net->ifaces[path->hop.iface].addr : *src;
    path->hop.mtu = (uint16_t)net->ifaces[path->hop.iface].mtu;
    return 0;
}

static bool may_be_source(const struct net *net, const struct weir_addr *src)
{
    if (weir_addr_is_any(src))
        return true;
    return weir_addr_is4(src) &&
           (net_is_loopback4(weir_addr_to4(src)) || net_own4(net, weir_addr_to4(src)) >= 0);
}

int net_path_find(const struct net *net, const struct weir_addr *src, const struct weir_addr *dst,
                  struct net_path *path)
{
    struct net_path found = {.dst = *dst, .hop = {.generation = net->generation}};
    int error;

    if (!may_be_source(net, src))
        return WEIR_EADDRNOTAVAIL;
    if (!weir_addr_is4(dst))
        return WEIR_ENETUNREACH;
    if (net_is_loopback4(weir_addr_to4(dst)) || net_own4(net, weir_addr_to4(dst)) >= 0)
        error = find_loopback(src, &found);
    else if (!net_is_wire4(weir_addr_to4(dst)) || net_is_group(net, dst))
        error = WEIR_ENETUNREACH;
    else
        error = find_wire(net, src, &found);
    if (!error)
        *path = found;
    return error;
}

bool net_hop_is_valid(const struct net *net, const struct net_hop *hop)
{
    return hop->generation == net->generation;
}

uint32_t net_hop_mms(const struct net_hop *hop)
{
    return hop->mtu - IP4_HEADER;
}

uint32_t net_pseudo_sum(const struct weir_addr *src, const struct weir_addr *dst, uint8_t protocol)
{
    uint32_t sum = checksum_add_u32(protocol, weir_addr_to4(src));

    return checksum_add_u32(sum, weir_addr_to4(dst));
}
