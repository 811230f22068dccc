/* SPDX-License-Identifier: MIT */

/* Reading a network's description.
 *
 *     {"nodes":    [{"name": "h1", "type": "host"}, {"name": "r1", "type": "router"}, …],
 *      "networks": [{"name": "net0", "links": ["h1", "r1"], "prefix": "10.7.0.0/24",
 *                    "loss": 0.02, "delay_ms": 10, "seed": 7}, …]}
 *
 * The values are the course's (nodes, networks, links, prefix; "advertise-routes-from" is taken and
 * means nothing) and ours: a network may be bad, with the keys that weir_impair_parse knows. Keys that
 * mean nothing here are faults, since a misspelt "los" would otherwise be a good network in silence;
 * "comment" and "description" may stand anywhere.
 *
 * The rules of numbering, which other programs share: the k-th network without a prefix is
 * 10.k.0.0/24; the nodes on a network have its addresses 1, 2, … in the order of links; an interface
 * is the node's if0, if1, … in the order of networks; UDP ports count up over networks and links.
 *
 * What is checked here, so that whoever makes files of it need not: names are there, unlike, and fit
 * for a file; a network has a node, none twice, and addresses for all; no two networks overlap; each
 * node is on a network, and a host not alone there: it has a router beside it, or another host. A
 * fault is told with file, line and what was expected (reader.c).
 *
 * Limits: NET_FILE_MAX bytes, NET_NODES_MAX nodes and networks, NET_LINKS_MAX interfaces, and of one
 * node WEIR_IFACES_MAX.
 */

#include <errno.h>
#include <lab/net/reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>

/* ---- Values ------------------------------------------------------------------------------------ */

bool net_is_name(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t length = strlen(name);

    return length > 0 && length < NET_NAME && strspn(name, letters) == length && name[0] != '-' &&
           name[0] != '.';
}

/* The object must have no keys but those in `known` (blanks between and around them). */
static int check_keys(struct reader *reader, json_t *object, const char *known)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        char word[64];

        if (!strcmp(key, "comment") || !strcmp(key, "description"))
            continue;
        snprintf(word, sizeof word, " %.60s ", key);
        if (!strstr(known, word) || strchr(key, ' ')) {
            reader_down_key(reader, key);
            return reader_fail(reader, "unknown key \"%.60s\", expected one of:%s", key, known);
        }
    }
    return 0;
}

/* The member `key` of `object` as a name. `text` takes NET_NAME bytes. */
static int read_name(struct reader *reader, json_t *object, const char *what, char *text)
{
    json_t *value = json_object_get(object, "name");

    if (!json_is_string(value)) {
        if (value)
            reader_down_key(reader, "name");
        return reader_fail(reader, "a %s needs a \"name\", expected a string", what);
    }
    reader_down_key(reader, "name");
    if (!net_is_name(json_string_value(value)))
        return reader_fail(
            reader,
            "\"%.60s\" is no name for a %s, expected letters, digits, `_`, `-`, `.`, and "
            "less than %d of them",
            json_string_value(value), what, NET_NAME);
    reader_up(reader);
    strcpy(text, json_string_value(value));
    return 0;
}

/* Member `key` as an array of 1 to `most` elements; the path leads to it afterwards. */
static int enter_array(struct reader *reader, json_t *object, const char *key, size_t most,
                       json_t **array)
{
    *array = json_object_get(object, key);
    if (!*array)
        return reader_fail(reader, "there is no \"%s\", expected an array", key);
    reader_down_key(reader, key);
    if (!json_is_array(*array))
        return reader_fail(reader, "\"%s\" is no array, expected one", key);
    if (json_array_size(*array) == 0)
        return reader_fail(reader, "\"%s\" is empty, expected at least one element", key);
    if (json_array_size(*array) > most)
        return reader_fail(reader, "\"%s\" has %zu elements, expected at most %zu", key,
                           json_array_size(*array), most);
    return 0;
}

/* ---- Nodes ------------------------------------------------------------------------------------- */

long net_find(const struct net *net, const char *name)
{
    size_t i;

    for (i = 0; i < net->node_count; i++)
        if (strcmp(net->nodes[i].name, name) == 0)
            return (long)i;
    return -1;
}

static int read_node(struct reader *reader, json_t *object)
{
    struct net *net = reader->net;
    struct net_node *node = &net->nodes[net->node_count];
    const char *type;
    int result;

    if (!json_is_object(object))
        return reader_fail(reader, "this is no node, expected {\"name\": …, \"type\": \"host\" or "
                                   "\"router\"}");
    result = check_keys(reader, object, " name type ");
    if (!result)
        result = read_name(reader, object, "node", node->name);
    if (result)
        return result;
    type = json_string_value(json_object_get(object, "type"));
    if (!type || (strcmp(type, "host") != 0 && strcmp(type, "router") != 0)) {
        if (json_object_get(object, "type"))
            reader_down_key(reader, "type");
        return reader_fail(reader,
                           "node \"%s\" has the type \"%.40s\", expected \"host\" or \"router\"",
                           node->name, type ? type : "");
    }
    if (net_find(net, node->name) >= 0) {
        reader_down_key(reader, "name");
        return reader_fail(reader, "there are two nodes \"%s\", expected a name once", node->name);
    }
    node->is_router = strcmp(type, "router") == 0;
    net->node_count++;
    return 0;
}

static int read_nodes(struct reader *reader, json_t *root)
{
    json_t *array;
    size_t i;
    int result = enter_array(reader, root, "nodes", NET_NODES_MAX, &array);

    if (result)
        return result;
    reader->net->nodes = calloc(json_array_size(array), sizeof *reader->net->nodes);
    if (!reader->net->nodes)
        return reader_fail_memory(reader);
    for (i = 0; i < json_array_size(array); i++) {
        reader_down_index(reader, i);
        result = read_node(reader, json_array_get(array, i));
        if (result)
            return result;
        reader_up(reader);
    }
    reader_up(reader);
    return 0;
}

/* ---- Networks ---------------------------------------------------------------------------------- */

static int add_link(struct reader *reader, json_t *value, struct net_network *network)
{
    const char *name = json_string_value(value);
    long node = name ? net_find(reader->net, name) : -1;
    struct net_link *link = &network->links[network->link_count];
    size_t i;

    if (node < 0)
        return reader_fail(reader,
                           "network \"%s\": unknown node \"%.60s\", expected one of \"nodes\"",
                           network->name, name ? name : "");
    for (i = 0; i < network->link_count; i++)
        if (network->links[i].node == (size_t)node)
            return reader_fail(reader, "network \"%s\": node \"%s\" is there twice, expected once",
                               network->name, name);
    if (reader->net->nodes[node].iface_count == LNX_IFACES_MAX)
        return reader_fail(reader, "node \"%s\" is on too many networks, expected at most %d", name,
                           (int)LNX_IFACES_MAX);
    if (reader->net->link_count == NET_LINKS_MAX)
        return reader_fail(reader, "too many interfaces, expected at most %u in all",
                           NET_LINKS_MAX);
    link->node = (size_t)node;
    snprintf(link->iface, sizeof link->iface, "if%u", reader->net->nodes[node].iface_count++);
    link->addr = network->prefix + (uint32_t)network->link_count + 1;
    link->index = reader->net->link_count++;
    network->link_count++;
    return 0;
}

static int read_links(struct reader *reader, json_t *object, struct net_network *network)
{
    json_t *array;
    size_t i;
    int result = enter_array(reader, object, "links", NET_NODES_MAX, &array);

    if (result)
        return result;
    network->links = calloc(json_array_size(array), sizeof *network->links);
    if (!network->links)
        return reader_fail_memory(reader);
    for (i = 0; i < json_array_size(array); i++) {
        reader_down_index(reader, i);
        result = add_link(reader, json_array_get(array, i), network);
        if (result)
            return result;
        reader_up(reader);
    }
    reader_up(reader);
    return reader_check_room(reader, network);
}

static int read_network(struct reader *reader, json_t *object)
{
    struct net *net = reader->net;
    struct net_network *network = &net->networks[net->network_count];
    int result;

    if (!json_is_object(object))
        return reader_fail(reader,
                           "this is no network, expected {\"name\": …, \"links\": [nodes…]}");
    result = check_keys(reader, object,
                        " name links prefix advertise-routes-from loss burst_loss burst_length "
                        "corrupt duplicate reorder reorder_ms delay_ms jitter_ms rate_mbit "
                        "queue_packets seed ");
    if (!result)
        result = read_name(reader, object, "network", network->name);
    if (!result)
        result = reader_prefix(reader, json_object_get(object, "prefix"), network);
    if (!result)
        result = reader_check_overlap(reader, network);
    if (!result)
        result = reader_impairs(reader, object, network);
    if (!result)
        result = read_links(reader, object, network);
    net->network_count++; /* also a broken one, whose links must be freed */
    return result;
}

static int read_networks(struct reader *reader, json_t *root)
{
    json_t *array;
    size_t i;
    int result = enter_array(reader, root, "networks", NET_NODES_MAX, &array);

    if (result)
        return result;
    reader->net->networks = calloc(json_array_size(array), sizeof *reader->net->networks);
    if (!reader->net->networks)
        return reader_fail_memory(reader);
    for (i = 0; i < json_array_size(array); i++) {
        reader_down_index(reader, i);
        result = read_network(reader, json_array_get(array, i));
        if (result)
            return result;
        reader_up(reader);
    }
    reader_up(reader);
    return 0;
}

/* ---- The whole --------------------------------------------------------------------------------- */

/* Whether the host is on this network, and not alone. */
static bool has_company(const struct net_network *network, size_t host)
{
    size_t i;

    for (i = 0; i < network->link_count; i++)
        if (network->links[i].node == host)
            return network->link_count > 1;
    return false;
}

/* Every node is on a network, and no host is without company. */
static int check_nodes(struct reader *reader)
{
    const struct net *net = reader->net;
    size_t i, j;

    reader_down_key(reader, "nodes");
    for (i = 0; i < net->node_count; i++) {
        bool is_fine = net->nodes[i].is_router;

        reader_down_index(reader, i);
        if (net->nodes[i].iface_count == 0)
            return reader_fail(reader,
                               "node \"%s\" is on no network, expected it in some \"links\"",
                               net->nodes[i].name);
        for (j = 0; j < net->network_count && !is_fine; j++)
            is_fine = has_company(&net->networks[j], i);
        if (!is_fine)
            return reader_fail(reader, "host \"%s\" has no router, expected one on its network",
                               net->nodes[i].name);
        reader_up(reader);
    }
    reader_up(reader);
    return 0;
}

static int read_root(struct reader *reader, json_t *root)
{
    int result;

    if (!json_is_object(root))
        return reader_fail(reader, "expected {\"nodes\": […], \"networks\": […]}");
    result = check_keys(reader, root, " nodes networks ");
    if (!result)
        result = read_nodes(reader, root);
    if (!result)
        result = read_networks(reader, root);
    return result ? result : check_nodes(reader);
}

/* A fault in the syntax. Not all of the library's words say what it expected. */
static int fail_syntax(struct net_error *error, const char *name, const json_error_t *fault)
{
    char what[JSON_ERROR_TEXT_LENGTH + 40];
    const char *more = "";

    if (!strncmp(fault->text, "unexpected token", 16))
        more = ", expected a value";
    else if (!strstr(fault->text, " expected"))
        more = ", expected well-formed JSON";
    snprintf(what, sizeof what, "%s%s", fault->text, more);
    return reader_fail_at(error, name, fault->line > 0 ? (unsigned)fault->line : 1, what);
}

int net_parse(const char *name, const char *text, size_t length, struct net *net,
              struct net_error *error)
{
    struct reader reader;
    json_error_t fault;
    json_t *root;
    int result;

    memset(&reader, 0, sizeof reader);
    memset(net, 0, sizeof *net);
    memset(error, 0, sizeof *error);
    if (length > NET_FILE_MAX)
        return reader_fail_file(error, name, WEIR_EINVAL, "file too large");
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        return fail_syntax(error, name, &fault);
    reader.name = name;
    reader.text = text;
    reader.net = net;
    reader.error = error;
    result = read_root(&reader, root);
    json_decref(root);
    if (result)
        net_done(net);
    return result;
}

int net_read(const char *path, struct net *net, struct net_error *error)
{
    FILE *file = fopen(path, "rb");
    char *text;
    size_t length;
    int result;

    memset(net, 0, sizeof *net);
    memset(error, 0, sizeof *error);
    if (!file)
        return reader_fail_file(error, path, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO,
                                strerror(errno));
    text = malloc(NET_FILE_MAX + 2);
    if (!text) {
        fclose(file);
        return reader_fail_file(error, path, WEIR_ENOMEM, "out of memory");
    }
    length = fread(text, 1, NET_FILE_MAX + 1, file);
    text[length] = '\0';
    if (ferror(file))
        result = reader_fail_file(error, path, WEIR_EIO, strerror(errno));
    else
        result = net_parse(path, text, length, net, error);
    free(text);
    fclose(file);
    return result;
}

void net_done(struct net *net)
{
    size_t i;

    for (i = 0; i < net->network_count; i++)
        free(net->networks[i].links);
    free(net->networks);
    free(net->nodes);
    memset(net, 0, sizeof *net);
}
