/* SPDX-License-Identifier: MIT */

/* Descriptions of networks: any text is either a network within the limits, or refused with one
 * printable line that says where.
 *
 * What is taken must be whole: links name nodes that are there, addresses lie inside their network and
 * come once, networks do not overlap, and every interface has a port of its own.
 */

#include "fuzz.h"
#include <lab/net/net.h>

static void check_network(const struct net *net, const struct net_network *network, unsigned *next)
{
    uint32_t mask = network->bits ? UINT32_MAX << (32 - network->bits) : 0;
    size_t i;

    FUZZ_CHECK(net_is_name(network->name), "%s", network->name);
    FUZZ_CHECK(network->bits <= 32 && !(network->prefix & ~mask), "/%u", network->bits);
    FUZZ_CHECK(network->link_count > 0, "an empty network");
    for (i = 0; i < network->link_count; i++) {
        const struct net_link *link = &network->links[i];

        FUZZ_CHECK(link->node < net->node_count, "a link to nobody");
        FUZZ_CHECK((link->addr & mask) == network->prefix, "outside of its network");
        FUZZ_CHECK(link->addr == network->prefix + i + 1, "not in order");
        FUZZ_CHECK((link->addr | mask) != UINT32_MAX, "the broadcast address");
        FUZZ_CHECK(link->index == (*next)++, "%u", link->index);
        FUZZ_CHECK(memchr(link->iface, '\0', sizeof link->iface), "a name without an end");
    }
    for (i = 0; i < net->network_count && &net->networks[i] != network; i++) {
        const struct net_network *other = &net->networks[i];
        unsigned bits = network->bits < other->bits ? network->bits : other->bits;

        FUZZ_CHECK(bits && (network->prefix ^ other->prefix) >> (32 - bits), "overlap");
        FUZZ_CHECK(strcmp(network->name, other->name) != 0, "%s twice", network->name);
    }
}

static void check_net(const struct net *net)
{
    unsigned next = 0;
    size_t i;

    FUZZ_CHECK(net->node_count > 0 && net->node_count <= NET_NODES_MAX, "%zu", net->node_count);
    for (i = 0; i < net->node_count; i++) {
        FUZZ_CHECK(net_is_name(net->nodes[i].name), "%s", net->nodes[i].name);
        FUZZ_CHECK(net_find(net, net->nodes[i].name) == (long)i, "%s twice", net->nodes[i].name);
        FUZZ_CHECK(net->nodes[i].iface_count > 0, "%s is nowhere", net->nodes[i].name);
    }
    for (i = 0; i < net->network_count; i++)
        check_network(net, &net->networks[i], &next);
    FUZZ_CHECK(next == net->link_count, "%u of %u", next, net->link_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_error error;
    struct net net;
    char *text = malloc(size + 1);
    const char *at;
    int result;

    FUZZ_CHECK(text, "no memory");
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    result = net_parse("f.json", text, size, &net, &error);
    if (result == 0) {
        check_net(&net);
        net_done(&net);
    } else {
        FUZZ_CHECK(result < 0 && error.line > 0, "%d, line %u", result, error.line);
        FUZZ_CHECK(strncmp(error.text, "f.json:", 7) == 0, "%s", error.text);
        for (at = error.text; *at; at++)
            FUZZ_CHECK((unsigned char)*at >= ' ' && *at != 0x7f, "not printable: %s", error.text);
        FUZZ_CHECK(!net.nodes && !net.networks, "leftovers");
    }
    free(text);
    return 0;
}
