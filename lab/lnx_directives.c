/* SPDX-License-Identifier: MIT */

/* The lines of an lnx file: what each says, and what may stand in it.
 *
 * A directive's function checks every word of its line and appends to the arrays of struct lnx. The
 * first fault is told with the word that it lies in. Directives come in any order, but a neighbour's
 * interface stands before it; what only the whole file can tell is checked at its end (lnx.c). */

#include <lab/lnx_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int directive_fn(struct lnx_parser *parser);

struct directive {
    const char *word;
    directive_fn *fn;
};

/* ---- Values ------------------------------------------------------------------------------------ */

/* Makes room for one more in an array of `count`, which doubles at powers of two. */
static int grow(struct lnx_parser *parser, void **array, size_t count, size_t size)
{
    size_t room;
    void *bigger;

    if (count >= LNX_NEIGHBOURS_MAX)
        return lnx_fail(parser, parser->word[0], "too many lines of this kind");
    if (count & (count - 1))
        return 0;
    room = count ? 2 * count : 1;
    bigger = realloc(*array, room * size);
    if (!bigger)
        return lnx_fail_file(parser->error, parser->name, WEIR_ENOMEM, "out of memory");
    *array = bigger;
    return 0;
}

/* Decimal digits only, 1..max. Returns 0 or WEIR_EINVAL. */
static int parse_number(const char *word, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    const char *at;

    for (at = word; *at >= '0' && *at <= '9' && at - word < 18; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    if (*at || at == word || value == 0 || value > max)
        return WEIR_EINVAL;
    *number = value;
    return 0;
}

/* IP:PORT, numeric. */
static int parse_udp(const char *word, uint32_t *ip, uint16_t *port)
{
    char text[WEIR_ADDR_TEXT];
    const char *colon = strrchr(word, ':');
    struct weir_addr addr;
    uint64_t number;

    if (!colon || (size_t)(colon - word) >= sizeof text)
        return WEIR_EINVAL;
    memcpy(text, word, (size_t)(colon - word));
    text[colon - word] = '\0';
    if (weir_addr_parse(text, &addr) || parse_number(colon + 1, 65535, &number))
        return WEIR_EINVAL;
    *ip = weir_addr_to4(&addr);
    *port = (uint16_t)number;
    return 0;
}

/* The line must have exactly `count` words. */
static int need_words(struct lnx_parser *parser, unsigned count, const char *form)
{
    char what[128];

    if (parser->words == count)
        return 0;
    snprintf(what, sizeof what, "%s, expected: %s",
             parser->words < count ? "too few words" : "too many words", form);
    return lnx_fail(parser, parser->words < count ? parser->word[0] : parser->word[count], what);
}

/* ---- Directives -------------------------------------------------------------------------------- */

static int check_new_iface(struct lnx_parser *parser, const struct lnx_iface *iface)
{
    const struct lnx *lnx = parser->lnx;
    size_t i;

    if (lnx->iface_count == LNX_IFACES_MAX)
        return lnx_fail(parser, iface->name, "too many interfaces");
    for (i = 0; i < lnx->iface_count; i++) {
        const struct lnx_iface *other = &lnx->ifaces[i];

        if (strcmp(other->name, iface->name) == 0)
            return lnx_fail(parser, parser->word[1], "this interface exists already");
        if (weir_addr_equal(&other->addr, &iface->addr))
            return lnx_fail(parser, parser->word[2], "another interface has this address");
        if (other->udp_ip == iface->udp_ip && other->udp_port == iface->udp_port)
            return lnx_fail(parser, parser->word[3], "another interface has this UDP address");
    }
    return 0;
}

static int directive_interface(struct lnx_parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_iface iface;
    void *array = lnx->ifaces;
    int result = need_words(parser, 4, "interface NAME VIP/PREFIX UDPIP:PORT");

    if (result)
        return result;
    memset(&iface, 0, sizeof iface);
    if (strlen(parser->word[1]) >= sizeof iface.name)
        return lnx_fail(parser, parser->word[1], "interface name too long");
    memcpy(iface.name, parser->word[1], strlen(parser->word[1]) + 1);
    if (weir_prefix_parse(parser->word[2], &iface.prefix, &iface.addr))
        return lnx_fail(parser, parser->word[2], "not an address with a prefix length");
    if (parse_udp(parser->word[3], &iface.udp_ip, &iface.udp_port))
        return lnx_fail(parser, parser->word[3], "not a numeric IPv4 address with a port");
    iface.line = parser->line;
    result = check_new_iface(parser, &iface);
    if (!result)
        result = grow(parser, &array, lnx->iface_count, sizeof iface);
    if (result)
        return result;
    lnx->ifaces = array;
    lnx->ifaces[lnx->iface_count++] = iface;
    return 0;
}

static int directive_neighbor(struct lnx_parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_neighbour neighbour;
    void *array = lnx->neighbours;
    int iface;
    int result = need_words(parser, 6, "neighbor VIP at UDPIP:PORT via IFNAME");

    if (result)
        return result;
    memset(&neighbour, 0, sizeof neighbour);
    if (weir_addr_parse(parser->word[1], &neighbour.addr))
        return lnx_fail(parser, parser->word[1], "not an IPv4 address");
    if (strcmp(parser->word[2], "at") != 0)
        return lnx_fail(parser, parser->word[2], "expected \"at\"");
    if (parse_udp(parser->word[3], &neighbour.udp_ip, &neighbour.udp_port))
        return lnx_fail(parser, parser->word[3], "not a numeric IPv4 address with a port");
    if (strcmp(parser->word[4], "via") != 0)
        return lnx_fail(parser, parser->word[4], "expected \"via\"");
    iface = lnx_find_iface(lnx, parser->word[5]);
    if (iface < 0)
        return lnx_fail(parser, parser->word[5], "no interface of this name above");
    neighbour.iface = (unsigned)iface;
    result = grow(parser, &array, lnx->neighbour_count, sizeof neighbour);
    if (result)
        return result;
    lnx->neighbours = array;
    lnx->neighbours[lnx->neighbour_count++] = neighbour;
    return 0;
}

static int directive_routing(struct lnx_parser *parser)
{
    int result = need_words(parser, 2, "routing static|rip");

    if (result)
        return result;
    if (strcmp(parser->word[1], "static") == 0)
        parser->lnx->routing = LNX_ROUTING_STATIC;
    else if (strcmp(parser->word[1], "rip") == 0)
        parser->lnx->routing = LNX_ROUTING_RIP;
    else
        return lnx_fail(parser, parser->word[1], "unknown kind of routing");
    return 0;
}

static int directive_route(struct lnx_parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_route route;
    void *array = lnx->routes;
    int result = need_words(parser, 4, "route NET/PREFIX via VIP");

    if (result)
        return result;
    if (weir_prefix_parse(parser->word[1], &route.prefix, NULL))
        return lnx_fail(parser, parser->word[1], "not a network with a prefix length");
    if (strcmp(parser->word[2], "via") != 0)
        return lnx_fail(parser, parser->word[2], "expected \"via\"");
    if (weir_addr_parse(parser->word[3], &route.next_hop))
        return lnx_fail(parser, parser->word[3], "not an IPv4 address");
    result = grow(parser, &array, lnx->route_count, sizeof route);
    if (result)
        return result;
    lnx->routes = array;
    lnx->routes[lnx->route_count++] = route;
    return 0;
}

/* ---- rip and tcp ------------------------------------------------------------------------------- */

static int set_time(struct lnx_parser *parser, weir_time unit, const char *form, weir_time *time)
{
    uint64_t number;
    int result = need_words(parser, 3, form);

    if (result)
        return result;
    if (parse_number(parser->word[2], (uint64_t)(24 * 3600 * WEIR_SECOND / unit), &number))
        return lnx_fail(parser, parser->word[2], "not a number from 1 to a day");
    *time = (weir_time)number * unit;
    return 0;
}

static int rip_advertise_to(struct lnx_parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_advertise advertise;
    void *array = lnx->advertise_to;
    int result = need_words(parser, 3, "rip advertise-to VIP");

    if (result)
        return result;
    if (weir_addr_parse(parser->word[2], &advertise.addr))
        return lnx_fail(parser, parser->word[2], "not an IPv4 address");
    advertise.line = parser->line;
    result = grow(parser, &array, lnx->advertise_count, sizeof advertise);
    if (result)
        return result;
    lnx->advertise_to = array;
    lnx->advertise_to[lnx->advertise_count++] = advertise;
    return 0;
}

static int rip_update_rate(struct lnx_parser *parser)
{
    return set_time(parser, WEIR_MS, "rip periodic-update-rate MS",
                    &parser->lnx->rip_update_interval);
}

static int rip_timeout(struct lnx_parser *parser)
{
    return set_time(parser, WEIR_MS, "rip route-timeout-threshold MS",
                    &parser->lnx->rip_route_timeout);
}

/* Obsolete: `rip originate prefix P`. Checked for its form, without effect. */
static int rip_originate(struct lnx_parser *parser)
{
    struct weir_prefix prefix;
    int result = need_words(parser, 4, "rip originate prefix NET/PREFIX");

    if (result)
        return result;
    if (strcmp(parser->word[2], "prefix") != 0)
        return lnx_fail(parser, parser->word[2], "expected \"prefix\"");
    if (weir_prefix_parse(parser->word[3], &prefix, NULL))
        return lnx_fail(parser, parser->word[3], "not a network with a prefix length");
    return 0;
}

static int tcp_rto_min(struct lnx_parser *parser)
{
    return set_time(parser, WEIR_US, "tcp rto-min US", &parser->lnx->rto_min);
}

static int tcp_rto_max(struct lnx_parser *parser)
{
    return set_time(parser, WEIR_US, "tcp rto-max US", &parser->lnx->rto_max);
}

/* Calls the row of `table` (closed by a NULL word) that word `at` names. */
static int dispatch(struct lnx_parser *parser, const struct directive *table, unsigned at,
                    const char *unknown)
{
    if (parser->words <= at)
        return lnx_fail(parser, parser->word[0], "too few words");
    for (; table->word; table++)
        if (strcmp(table->word, parser->word[at]) == 0)
            return table->fn(parser);
    return lnx_fail(parser, parser->word[at], unknown);
}

static int directive_rip(struct lnx_parser *parser)
{
    static const struct directive table[] = {{"advertise-to", rip_advertise_to},
                                             {"periodic-update-rate", rip_update_rate},
                                             {"route-timeout-threshold", rip_timeout},
                                             {"originate", rip_originate},
                                             {NULL, NULL}};

    return dispatch(parser, table, 1, "unknown rip directive");
}

static int directive_tcp(struct lnx_parser *parser)
{
    static const struct directive table[] = {
        {"rto-min", tcp_rto_min}, {"rto-max", tcp_rto_max}, {NULL, NULL}};

    return dispatch(parser, table, 1, "unknown tcp directive");
}

/* ---- weir comments ----------------------------------------------------------------------------- */

/* `# weir: impair IFACE [from VIP] KEY=VALUE…`; word[0] is "impair". */
static int comment_impair(struct lnx_parser *parser)
{
    bool has_from = parser->words > 2 && strcmp(parser->word[2], "from") == 0;
    unsigned i = has_from ? 4 : 2;
    struct lnx_impair_line impair;
    void *array = parser->impairs;
    int result;

    if (parser->words <= i)
        return lnx_fail(parser, parser->word[0],
                        "too few words, expected: impair IFACE [from VIP] KEY=VALUE...");
    memset(&impair, 0, sizeof impair);
    if (strlen(parser->word[1]) >= sizeof impair.name)
        return lnx_fail(parser, parser->word[1], "interface name too long");
    memcpy(impair.name, parser->word[1], strlen(parser->word[1]) + 1);
    impair.line = parser->line;
    impair.has_from = has_from;
    if (has_from && weir_addr_parse(parser->word[3], &impair.from))
        return lnx_fail(parser, parser->word[3], "not an IPv4 address");
    for (; i < parser->words; i++)
        if (weir_impair_parse(&impair.impair, parser->word[i]))
            return lnx_fail(parser, parser->word[i], "not a key and value that impair knows");
    result = grow(parser, &array, parser->impair_count, sizeof impair);
    if (result)
        return result;
    parser->impairs = array;
    parser->impairs[parser->impair_count++] = impair;
    return 0;
}

int lnx_comment(struct lnx_parser *parser)
{
    static const struct directive table[] = {{"impair", comment_impair}, {NULL, NULL}};

    return dispatch(parser, table, 0, "unknown weir directive");
}

/* ---- The table --------------------------------------------------------------------------------- */

int lnx_directive(struct lnx_parser *parser)
{
    static const struct directive table[] = {{"interface", directive_interface},
                                             {"neighbor", directive_neighbor},
                                             {"routing", directive_routing},
                                             {"route", directive_route},
                                             {"rip", directive_rip},
                                             {"tcp", directive_tcp},
                                             {NULL, NULL}};

    return dispatch(parser, table, 0, "unknown directive");
}
