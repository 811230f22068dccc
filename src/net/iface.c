/* SPDX-License-Identifier: MIT */

/* Interfaces and neighbours, and the life of struct net.
 *
 * An interface is a link with one address in one prefix. It is never removed, only taken down: a
 * down interface neither sends nor delivers, and routes through it are passed over (route.c).
 * Interface NET_LOOPBACK is not in the table; its link is net's own queue (loopback.c), it has no
 * address, and packets to any address of ours and to 127/8 leave through it and come back in:
 * RFC 1122 3.2.1.3 [1122-6], nothing of 127/8 ever reaches a wire.
 *
 * A neighbour says which frame tag reaches an address. An interface without neighbours is a wire
 * with somebody at every on-link address, all of them at tag 0. Neighbours are kept in the order
 * they came, since `ln` lists them so; look-ups walk that array, and only when a path is made or
 * forwarding's cache misses. The check of the sender's tag, which is per packet, remembers the last
 * good tag.
 *
 * Whatever changes how a peer is reached (an interface's state, a neighbour, a route) raises the
 * generation, which makes every net_path stale at once (RFC 1812 5.3.12.3 [1812-17]).
 *
 * Limits: WEIR_IFACES_MAX interfaces; links of less than 68 bytes are refused
 * (RFC 791 3.2 [791-2]). */

#include <assert.h>
#include <net/internal.h>
#include <string.h>

void *net_table_grow(struct alloc *alloc, void *table, size_t count, size_t *room, size_t item)
{
    size_t larger = *room > 0 ? *room * 2 : NET_TABLE_FIRST;
    void *grown;

    if (count < *room)
        return table;
    grown = alloc_resize(alloc, table, *room * item, larger * item);
    if (grown)
        *room = larger;
    return grown;
}

static void seed_randoms(struct net *net, const struct random *random)
{
    struct random copy = *random;
    uint64_t words[2];
    uint8_t seed[16];

    words[0] = random_u64(&copy);
    words[1] = random_u64(&copy);
    for (unsigned i = 0; i < 16; i++)
        seed[i] = (uint8_t)(words[i / 8] >> (8 * (i % 8)));
    random_init(&net->random, seed, 1);
    random_init(&net->drop_random, seed, 2);
    net->ids.key.k0 = random_u64(&net->random);
    net->ids.key.k1 = random_u64(&net->random);
    for (unsigned i = 0; i < sizeof(net->ids.boxes); i++)
        net->ids.boxes[i / 256][i % 256] = (uint8_t)random_u32(&net->random);
}

struct net *net_create(struct alloc *alloc, const struct net_config *config,
                       struct weir_counters *counters, const struct random *random)
{
    struct net *net = alloc_get_zeroed(alloc, sizeof(*net));

    if (!net)
        return NULL;
    net->alloc = alloc;
    net->config = *config;
    net->counters = counters;
    net->generation = 1;
    net->icmp_credit = INT64_MIN;
    seed_randoms(net, random);
    net_reassembly_init(&net->reassembly);
    net->loopback.link = net_loopback_create(alloc);
    if (!net->loopback.link) {
        net_destroy(net);
        return NULL;
    }
    net->loopback.mtu = NET_LOOPBACK_MTU;
    net->loopback.up = true;
    return net;
}

void net_destroy(struct net *net)
{
    struct alloc *alloc;

    if (!net)
        return;
    alloc = net->alloc;
    net_reassembly_done(net);
    net_routes_done(net);
    alloc_put(alloc, net->neighbours, net->neighbour_room * sizeof(*net->neighbours));
    alloc_put(alloc, net->ifaces, (size_t)net->iface_room * sizeof(*net->ifaces));
    if (net->loopback.link)
        net->loopback.link->ops->destroy(net->loopback.link);
    alloc_put(alloc, net, sizeof(*net));
}

void net_changed(struct net *net)
{
    net->generation++;
    if (net->generation == 0)
        net->generation = 1;
}

/* ---- Interfaces ----------------------------------------------------------------------------- */

bool net_iface_exists(const struct net *net, int iface)
{
    return iface >= 0 && iface < net->iface_count;
}

static bool is_fit_iface(const struct net *net, const char *name, const struct weir_link *link)
{
    return name && name[0] && strlen(name) < WEIR_IFACE_NAME && link && link->l2 == WEIR_L2_IP &&
           link->mtu >= NET_LINK_MTU_MIN && net->iface_count < WEIR_IFACES_MAX;
}

static bool is_fit_address(const struct weir_addr *addr, const struct weir_prefix *prefix)
{
    return weir_addr_is4(addr) && net_is_wire4(weir_addr_to4(addr)) && prefix->bits >= 96 &&
           prefix->bits <= 128 && weir_prefix_contains(prefix, addr);
}

static void fill_iface(struct net_iface *iface, const char *name, struct weir_link *link,
                       const struct weir_addr *addr, const struct weir_prefix *prefix)
{
    uint32_t host_bits = prefix->bits == 96 ? UINT32_MAX : (1u << (128 - prefix->bits)) - 1u;

    memset(iface, 0, sizeof(*iface));
    memcpy(iface->name, name, strlen(name) + 1);
    iface->link = link;
    iface->addr = *addr;
    iface->addr4 = weir_addr_to4(addr);
    iface->first4 = iface->addr4 & ~host_bits;
    iface->last4 = iface->addr4 | host_bits;
    iface->prefix = weir_prefix_from4(iface->first4, prefix->bits - 96u);
    iface->mtu = min_u32(link->mtu, IP4_LENGTH_MAX);
    iface->up = true;
}

int net_add_iface(struct net *net, const char *name, struct weir_link *link,
                  const struct weir_addr *addr, const struct weir_prefix *prefix,
                  bool only_neighbours)
{
    size_t room = (size_t)net->iface_room;
    struct net_iface *ifaces;
    int error;

    if (!is_fit_iface(net, name, link) || !is_fit_address(addr, prefix))
        return WEIR_EINVAL;
    if (net_iface_named(net, name) >= 0)
        return WEIR_EEXIST;
    ifaces =
        net_table_grow(net->alloc, net->ifaces, (size_t)net->iface_count, &room, sizeof(*ifaces));
    if (!ifaces)
        return WEIR_ENOMEM;
    net->ifaces = ifaces;
    net->iface_room = (int)room;
    fill_iface(&ifaces[net->iface_count], name, link, addr, prefix);
    ifaces[net->iface_count].only_neighbours = only_neighbours;
    net->iface_count++;
    error = net_routes_add_local(net, net->iface_count - 1);
    if (error) {
        net->iface_count--;
        return error;
    }
    net_changed(net);
    return net->iface_count - 1;
}

int net_set_iface_up(struct net *net, int iface, bool up)
{
    if (!net_iface_exists(net, iface))
        return WEIR_EINVAL;
    if (net->ifaces[iface].up != up) {
        net->ifaces[iface].up = up;
        net_changed(net);
    }
    return 0;
}

int net_set_drop_rate(struct net *net, double rate, uint64_t seed)
{
    if (!(rate >= 0.0 && rate <= 1.0))
        return WEIR_EINVAL;
    net->drop_rate = rate;
    random_init_u64(&net->drop_random, seed ? seed : random_u64(&net->random), 0);
    return 0;
}

int net_iface_row(const struct net *net, int iface, struct weir_iface_row *row)
{
    const struct net_iface *from;

    if (!net_iface_exists(net, iface))
        return WEIR_ENOENT;
    from = &net->ifaces[iface];
    row->name = from->name;
    row->addr = from->addr;
    row->prefix = from->prefix;
    row->mtu = from->mtu;
    row->up = from->up;
    row->packets_in = from->packets_in;
    row->bytes_in = from->bytes_in;
    row->packets_out = from->packets_out;
    row->bytes_out = from->bytes_out;
    return 0;
}

int net_iface_named(const struct net *net, const char *name)
{
    for (int i = 0; i < net->iface_count; i++) {
        if (strcmp(net->ifaces[i].name, name) == 0)
            return i;
    }
    return WEIR_ENOENT;
}

int net_iface_count(const struct net *net)
{
    return net->iface_count;
}

struct weir_link *net_iface_link(const struct net *net, int iface)
{
    assert(iface == NET_LOOPBACK || net_iface_exists(net, iface));
    return net_iface_of(net, iface)->link;
}

void net_touch(struct net *net, int iface)
{
    struct net_iface *at = net_iface_at(net, iface);

    if (at->touched)
        return;
    at->touched = true;
    net->touched[net->touched_count++] = (int16_t)iface;
}

/* ---- Whose address is it? ------------------------------------------------------------------- */

int net_own4(const struct net *net, uint32_t addr)
{
    for (int i = 0; i < net->iface_count; i++) {
        if (net->ifaces[i].addr4 == addr)
            return i;
    }
    return WEIR_ENOENT;
}

int net_is_own(const struct net *net, const struct weir_addr *addr)
{
    return weir_addr_is4(addr) ? net_own4(net, weir_addr_to4(addr)) : WEIR_ENOENT;
}

/* Both forms, all ones and the old all zeros (RFC 1122 3.3.6 [1122-30]); a /31 or /32 has
 * neither. */
bool net_iface_broadcast4(const struct net_iface *iface, uint32_t addr)
{
    return iface->last4 - iface->first4 >= 3 && addr != iface->addr4 &&
           (addr == iface->last4 || addr == iface->first4);
}

bool net_is_broadcast4(const struct net *net, uint32_t addr)
{
    if (addr == UINT32_MAX)
        return true;
    for (int i = 0; i < net->iface_count; i++) {
        if (net_iface_broadcast4(&net->ifaces[i], addr))
            return net_own4(net, addr) < 0;
    }
    return false;
}

bool net_is_group(const struct net *net, const struct weir_addr *addr)
{
    if (!weir_addr_is4(addr))
        return addr->bytes[0] == 0xff;
    return net_is_multicast4(weir_addr_to4(addr)) || net_is_broadcast4(net, weir_addr_to4(addr));
}

/* ---- Neighbours ----------------------------------------------------------------------------- */

static struct weir_neighbour_row *find_neighbour(const struct net *net, int iface,
                                                 const struct weir_addr *addr)
{
    for (size_t i = 0; i < net->neighbour_count; i++) {
        struct weir_neighbour_row *row = &net->neighbours[i];

        if (row->iface == iface && weir_addr_equal(&row->addr, addr))
            return row;
    }
    return NULL;
}

int net_add_neighbour(struct net *net, int iface, const struct weir_addr *addr, uint64_t tag)
{
    struct weir_neighbour_row *rows;

    if (!net_iface_exists(net, iface) || !weir_addr_is4(addr) || !net_is_wire4(weir_addr_to4(addr)))
        return WEIR_EINVAL;
    rows = find_neighbour(net, iface, addr);
    if (rows) {
        rows->tag = tag;
    } else {
        rows = net_table_grow(net->alloc, net->neighbours, net->neighbour_count,
                              &net->neighbour_room, sizeof(*rows));
        if (!rows)
            return WEIR_ENOMEM;
        net->neighbours = rows;
        rows[net->neighbour_count++] =
            (struct weir_neighbour_row){.iface = iface, .addr = *addr, .tag = tag};
        net->ifaces[iface].neighbours++;
    }
    net->ifaces[iface].has_good_tag = false;
    net_changed(net);
    return 0;
}

int net_neighbour_row(const struct net *net, size_t index, struct weir_neighbour_row *row)
{
    if (index >= net->neighbour_count)
        return WEIR_ENOENT;
    *row = net->neighbours[index];
    return 0;
}

int net_neighbour_iface(const struct net *net, const struct weir_addr *addr)
{
    for (size_t i = 0; i < net->neighbour_count; i++) {
        if (weir_addr_equal(&net->neighbours[i].addr, addr))
            return net->neighbours[i].iface;
    }
    return WEIR_ENOENT;
}

int net_neighbour_tag(const struct net *net, int iface, const struct weir_addr *addr, uint64_t *tag)
{
    const struct weir_neighbour_row *row;

    if (net->ifaces[iface].neighbours == 0) {
        *tag = 0;
        return 0;
    }
    row = find_neighbour(net, iface, addr);
    if (!row)
        return WEIR_EHOSTUNREACH;
    *tag = row->tag;
    return 0;
}

bool net_tag_is_neighbour(struct net *net, int iface, uint64_t tag)
{
    struct net_iface *at = &net->ifaces[iface];

    if (at->neighbours == 0)
        return tag == 0;
    if (at->has_good_tag && at->good_tag == tag)
        return true;
    for (size_t i = 0; i < net->neighbour_count; i++) {
        if (net->neighbours[i].iface == iface && net->neighbours[i].tag == tag) {
            at->good_tag = tag;
            at->has_good_tag = true;
            return true;
        }
    }
    return false;
}
