/* SPDX-License-Identifier: MIT */

/* Reading lnx files.
 *
 * The format is line oriented: `#` starts a comment, words are separated by blanks, tabs or a
 * carriage return, the first word of a line names a directive (the tables below). Directives come
 * in any order, but a neighbour's interface stands before it. One kind of comment means something to
 * us and nothing to anybody else: a line `# weir: impair IFACE KEY=VALUE…` makes that interface's
 * sending side bad, wherever in the file it stands; with `from VIP` behind the interface, it makes bad
 * what comes in there from that neighbour.
 *
 * The text is walked once. Each line is cut into words in a buffer of LNX_LINE_MAX bytes and handed
 * to the directive's function, which checks every word and appends to the arrays of struct lnx. Two
 * things can only be known at the end of the file and are checked there, each with the line that
 * said it: that an advertise-to address is some neighbour's, and that an impaired interface exists.
 *
 * The first fault ends the parse: the message names file, line and word, and *lnx is empty. A file
 * that is not text (a NUL byte), or too large in any direction (LNX_FILE_MAX bytes, LNX_LINE_MAX
 * bytes a line, LNX_NEIGHBOURS_MAX of a kind), is a fault like any other, so hostile files cost
 * little. Nothing is ever skipped in silence.
 */

#include <errno.h>
#include <lab/lnx.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64 /* a line with more is refused; the longest directive has 6 */

struct impair_line {
    char name[WEIR_IFACE_NAME];
    bool has_from;
    struct weir_addr from;
    struct weir_impair impair;
    unsigned line;
};

struct parser {
    struct lnx *lnx;
    struct lnx_error *error;
    const char *name;
    unsigned line;
    char buffer[LNX_LINE_MAX + 1];
    char *word[WORDS_MAX + 1]; /* NULL after the last */
    unsigned words;
    struct impair_line *impairs;
    size_t impair_count;
};

typedef int directive_fn(struct parser *parser);

struct directive {
    const char *word;
    directive_fn *fn;
};

/* ---- Errors ------------------------------------------------------------------------------------ */

/* The word as it may be shown: cut, and without control characters. */
static const char *shown(const char *word, char *text, size_t size)
{
    size_t i;

    for (i = 0; word[i] && i + 1 < size; i++)
        text[i] = (unsigned char)word[i] < ' ' || word[i] == 0x7f ? '?' : word[i];
    text[i] = '\0';
    return text;
}

/* Fills the error for `line`; `word` may be NULL. Returns WEIR_EINVAL. */
static int fail_at(struct parser *parser, unsigned line, const char *word, const char *what)
{
    char text[64];
    struct lnx_error *error = parser->error;

    error->line = line;
    error->code = WEIR_EINVAL;
    if (word)
        snprintf(error->text, sizeof error->text, "%.200s:%u: \"%s\": %s", parser->name, line,
                 shown(word, text, sizeof text), what);
    else
        snprintf(error->text, sizeof error->text, "%.200s:%u: %s", parser->name, line, what);
    return WEIR_EINVAL;
}

static int fail(struct parser *parser, const char *word, const char *what)
{
    return fail_at(parser, parser->line, word, what);
}

/* A fault of the file as a whole. */
static int fail_file(struct lnx_error *error, const char *name, int code, const char *what)
{
    error->line = 0;
    error->code = code;
    snprintf(error->text, sizeof error->text, "%.200s: %s", name, what);
    return code;
}

/* ---- Values ------------------------------------------------------------------------------------ */

/* Makes room for one more in an array of `count`, which doubles at powers of two. */
static int grow(struct parser *parser, void **array, size_t count, size_t size)
{
    size_t room;
    void *bigger;

    if (count >= LNX_NEIGHBOURS_MAX)
        return fail(parser, parser->word[0], "too many lines of this kind");
    if (count & (count - 1))
        return 0;
    room = count ? 2 * count : 1;
    bigger = realloc(*array, room * size);
    if (!bigger)
        return fail_file(parser->error, parser->name, WEIR_ENOMEM, "out of memory");
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

static int find_iface(const struct lnx *lnx, const char *name)
{
    size_t i;

    for (i = 0; i < lnx->iface_count; i++)
        if (strcmp(lnx->ifaces[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* The line must have exactly `count` words. */
static int need_words(struct parser *parser, unsigned count, const char *form)
{
    char what[128];

    if (parser->words == count)
        return 0;
    snprintf(what, sizeof what, "%s, expected: %s",
             parser->words < count ? "too few words" : "too many words", form);
    return fail(parser, parser->words < count ? parser->word[0] : parser->word[count], what);
}

/* ---- Directives -------------------------------------------------------------------------------- */

static int check_new_iface(struct parser *parser, const struct lnx_iface *iface)
{
    const struct lnx *lnx = parser->lnx;
    size_t i;

    if (lnx->iface_count == LNX_IFACES_MAX)
        return fail(parser, iface->name, "too many interfaces");
    for (i = 0; i < lnx->iface_count; i++) {
        const struct lnx_iface *other = &lnx->ifaces[i];

        if (strcmp(other->name, iface->name) == 0)
            return fail(parser, parser->word[1], "this interface exists already");
        if (weir_addr_equal(&other->addr, &iface->addr))
            return fail(parser, parser->word[2], "another interface has this address");
        if (other->udp_ip == iface->udp_ip && other->udp_port == iface->udp_port)
            return fail(parser, parser->word[3], "another interface has this UDP address");
    }
    return 0;
}

static int directive_interface(struct parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_iface iface;
    void *array = lnx->ifaces;
    int result = need_words(parser, 4, "interface NAME VIP/PREFIX UDPIP:PORT");

    if (result)
        return result;
    memset(&iface, 0, sizeof iface);
    if (strlen(parser->word[1]) >= sizeof iface.name)
        return fail(parser, parser->word[1], "interface name too long");
    memcpy(iface.name, parser->word[1], strlen(parser->word[1]) + 1);
    if (weir_prefix_parse(parser->word[2], &iface.prefix, &iface.addr))
        return fail(parser, parser->word[2], "not an address with a prefix length");
    if (parse_udp(parser->word[3], &iface.udp_ip, &iface.udp_port))
        return fail(parser, parser->word[3], "not a numeric IPv4 address with a port");
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

static int directive_neighbor(struct parser *parser)
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
        return fail(parser, parser->word[1], "not an IPv4 address");
    if (strcmp(parser->word[2], "at") != 0)
        return fail(parser, parser->word[2], "expected \"at\"");
    if (parse_udp(parser->word[3], &neighbour.udp_ip, &neighbour.udp_port))
        return fail(parser, parser->word[3], "not a numeric IPv4 address with a port");
    if (strcmp(parser->word[4], "via") != 0)
        return fail(parser, parser->word[4], "expected \"via\"");
    iface = find_iface(lnx, parser->word[5]);
    if (iface < 0)
        return fail(parser, parser->word[5], "no interface of this name above");
    neighbour.iface = (unsigned)iface;
    result = grow(parser, &array, lnx->neighbour_count, sizeof neighbour);
    if (result)
        return result;
    lnx->neighbours = array;
    lnx->neighbours[lnx->neighbour_count++] = neighbour;
    return 0;
}

static int directive_routing(struct parser *parser)
{
    int result = need_words(parser, 2, "routing static|rip");

    if (result)
        return result;
    if (strcmp(parser->word[1], "static") == 0)
        parser->lnx->routing = LNX_ROUTING_STATIC;
    else if (strcmp(parser->word[1], "rip") == 0)
        parser->lnx->routing = LNX_ROUTING_RIP;
    else
        return fail(parser, parser->word[1], "unknown kind of routing");
    return 0;
}

static int directive_route(struct parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_route route;
    void *array = lnx->routes;
    int result = need_words(parser, 4, "route NET/PREFIX via VIP");

    if (result)
        return result;
    if (weir_prefix_parse(parser->word[1], &route.prefix, NULL))
        return fail(parser, parser->word[1], "not a network with a prefix length");
    if (strcmp(parser->word[2], "via") != 0)
        return fail(parser, parser->word[2], "expected \"via\"");
    if (weir_addr_parse(parser->word[3], &route.next_hop))
        return fail(parser, parser->word[3], "not an IPv4 address");
    result = grow(parser, &array, lnx->route_count, sizeof route);
    if (result)
        return result;
    lnx->routes = array;
    lnx->routes[lnx->route_count++] = route;
    return 0;
}

/* ---- rip and tcp ------------------------------------------------------------------------------- */

static int set_time(struct parser *parser, weir_time unit, const char *form, weir_time *time)
{
    uint64_t number;
    int result = need_words(parser, 3, form);

    if (result)
        return result;
    if (parse_number(parser->word[2], (uint64_t)(24 * 3600 * WEIR_SECOND / unit), &number))
        return fail(parser, parser->word[2], "not a number from 1 to a day");
    *time = (weir_time)number * unit;
    return 0;
}

static int rip_advertise_to(struct parser *parser)
{
    struct lnx *lnx = parser->lnx;
    struct lnx_advertise advertise;
    void *array = lnx->advertise_to;
    int result = need_words(parser, 3, "rip advertise-to VIP");

    if (result)
        return result;
    if (weir_addr_parse(parser->word[2], &advertise.addr))
        return fail(parser, parser->word[2], "not an IPv4 address");
    advertise.line = parser->line;
    result = grow(parser, &array, lnx->advertise_count, sizeof advertise);
    if (result)
        return result;
    lnx->advertise_to = array;
    lnx->advertise_to[lnx->advertise_count++] = advertise;
    return 0;
}

static int rip_update_rate(struct parser *parser)
{
    return set_time(parser, WEIR_MS, "rip periodic-update-rate MS",
                    &parser->lnx->rip_update_interval);
}

static int rip_timeout(struct parser *parser)
{
    return set_time(parser, WEIR_MS, "rip route-timeout-threshold MS",
                    &parser->lnx->rip_route_timeout);
}

/* Obsolete: `rip originate prefix P`. Checked for its form, without effect. */
static int rip_originate(struct parser *parser)
{
    struct weir_prefix prefix;
    int result = need_words(parser, 4, "rip originate prefix NET/PREFIX");

    if (result)
        return result;
    if (strcmp(parser->word[2], "prefix") != 0)
        return fail(parser, parser->word[2], "expected \"prefix\"");
    if (weir_prefix_parse(parser->word[3], &prefix, NULL))
        return fail(parser, parser->word[3], "not a network with a prefix length");
    return 0;
}

static int tcp_rto_min(struct parser *parser)
{
    return set_time(parser, WEIR_US, "tcp rto-min US", &parser->lnx->rto_min);
}

static int tcp_rto_max(struct parser *parser)
{
    return set_time(parser, WEIR_US, "tcp rto-max US", &parser->lnx->rto_max);
}

/* Calls the row of `table` (closed by a NULL word) that word `at` names. */
static int dispatch(struct parser *parser, const struct directive *table, unsigned at,
                    const char *unknown)
{
    if (parser->words <= at)
        return fail(parser, parser->word[0], "too few words");
    for (; table->word; table++)
        if (strcmp(table->word, parser->word[at]) == 0)
            return table->fn(parser);
    return fail(parser, parser->word[at], unknown);
}

static int directive_rip(struct parser *parser)
{
    static const struct directive table[] = {{"advertise-to", rip_advertise_to},
                                             {"periodic-update-rate", rip_update_rate},
                                             {"route-timeout-threshold", rip_timeout},
                                             {"originate", rip_originate},
                                             {NULL, NULL}};

    return dispatch(parser, table, 1, "unknown rip directive");
}

static int directive_tcp(struct parser *parser)
{
    static const struct directive table[] = {
        {"rto-min", tcp_rto_min}, {"rto-max", tcp_rto_max}, {NULL, NULL}};

    return dispatch(parser, table, 1, "unknown tcp directive");
}

/* ---- weir comments ----------------------------------------------------------------------------- */

/* `# weir: impair IFACE [from VIP] KEY=VALUE…`; word[0] is "impair". */
static int comment_impair(struct parser *parser)
{
    bool has_from = parser->words > 2 && strcmp(parser->word[2], "from") == 0;
    unsigned i = has_from ? 4 : 2;
    struct impair_line impair;
    void *array = parser->impairs;
    int result;

    if (parser->words <= i)
        return fail(parser, parser->word[0],
                    "too few words, expected: impair IFACE [from VIP] KEY=VALUE...");
    memset(&impair, 0, sizeof impair);
    if (strlen(parser->word[1]) >= sizeof impair.name)
        return fail(parser, parser->word[1], "interface name too long");
    memcpy(impair.name, parser->word[1], strlen(parser->word[1]) + 1);
    impair.line = parser->line;
    impair.has_from = has_from;
    if (has_from && weir_addr_parse(parser->word[3], &impair.from))
        return fail(parser, parser->word[3], "not an IPv4 address");
    for (; i < parser->words; i++)
        if (weir_impair_parse(&impair.impair, parser->word[i]))
            return fail(parser, parser->word[i], "not a key and value that impair knows");
    result = grow(parser, &array, parser->impair_count, sizeof impair);
    if (result)
        return result;
    parser->impairs = array;
    parser->impairs[parser->impair_count++] = impair;
    return 0;
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Cuts `text` (terminated, inside the line buffer) into words. */
static int split(struct parser *parser, char *text)
{
    parser->words = 0;
    for (;;) {
        while (is_blank(*text))
            *text++ = '\0';
        if (!*text)
            break;
        if (parser->words == WORDS_MAX)
            return fail(parser, NULL, "too many words");
        parser->word[parser->words++] = text;
        while (*text && !is_blank(*text))
            text++;
    }
    parser->word[parser->words] = NULL;
    return 0;
}

/* A line whose first character is `#`; `text` follows it. Only `weir:` comments mean something. */
static int comment_line(struct parser *parser, char *text)
{
    static const struct directive table[] = {{"impair", comment_impair}, {NULL, NULL}};
    int result;

    while (is_blank(*text))
        text++;
    if (strncmp(text, "weir:", 5) != 0)
        return 0;
    result = split(parser, text + 5);
    if (result)
        return result;
    if (parser->words == 0)
        return fail(parser, "weir:", "too few words");
    return dispatch(parser, table, 0, "unknown weir directive");
}

static int parse_line(struct parser *parser, const char *text, size_t length)
{
    static const struct directive table[] = {{"interface", directive_interface},
                                             {"neighbor", directive_neighbor},
                                             {"routing", directive_routing},
                                             {"route", directive_route},
                                             {"rip", directive_rip},
                                             {"tcp", directive_tcp},
                                             {NULL, NULL}};
    char *hash;
    int result;

    if (memchr(text, '\0', length))
        return fail(parser, NULL, "NUL byte");
    if (length > LNX_LINE_MAX)
        return fail(parser, NULL, "line too long");
    memcpy(parser->buffer, text, length);
    parser->buffer[length] = '\0';
    hash = strchr(parser->buffer, '#');
    if (hash && strspn(parser->buffer, " \t") == (size_t)(hash - parser->buffer))
        return comment_line(parser, hash + 1);
    if (hash)
        *hash = '\0';
    result = split(parser, parser->buffer);
    if (result || parser->words == 0)
        return result;
    return dispatch(parser, table, 0, "unknown directive");
}

/* ---- The end of the file ----------------------------------------------------------------------- */

static bool is_neighbour(const struct lnx *lnx, const struct weir_addr *addr)
{
    size_t i;

    for (i = 0; i < lnx->neighbour_count; i++)
        if (weir_addr_equal(&lnx->neighbours[i].addr, addr))
            return true;
    return false;
}

static int check_advertise(struct parser *parser)
{
    const struct lnx *lnx = parser->lnx;
    char text[WEIR_ADDR_TEXT];
    size_t i;

    for (i = 0; i < lnx->advertise_count; i++)
        if (!is_neighbour(lnx, &lnx->advertise_to[i].addr))
            return fail_at(parser, lnx->advertise_to[i].line,
                           weir_addr_print(&lnx->advertise_to[i].addr, text),
                           "no neighbor's address");
    return 0;
}

/* `from VIP`: to the neighbour of this interface. */
static int apply_impair_from(struct parser *parser, const struct impair_line *line, unsigned iface)
{
    struct lnx *lnx = parser->lnx;
    char text[WEIR_ADDR_TEXT];
    size_t i;

    for (i = 0; i < lnx->neighbour_count; i++) {
        struct lnx_neighbour *neighbour = &lnx->neighbours[i];

        if (neighbour->iface != iface || !weir_addr_equal(&neighbour->addr, &line->from))
            continue;
        neighbour->is_impaired = true;
        neighbour->impair = line->impair;
        return 0;
    }
    return fail_at(parser, line->line, weir_addr_print(&line->from, text),
                   "no neighbor's address on this interface");
}

static int apply_impairs(struct parser *parser)
{
    struct lnx *lnx = parser->lnx;
    size_t i;
    int iface, result;

    for (i = 0; i < parser->impair_count; i++) {
        iface = find_iface(lnx, parser->impairs[i].name);
        if (iface < 0)
            return fail_at(parser, parser->impairs[i].line, parser->impairs[i].name,
                           "no interface of this name");
        if (parser->impairs[i].has_from) {
            result = apply_impair_from(parser, &parser->impairs[i], (unsigned)iface);
            if (result)
                return result;
            continue;
        }
        lnx->ifaces[iface].is_impaired = true;
        lnx->ifaces[iface].impair = parser->impairs[i].impair;
    }
    return 0;
}

static int check_whole(struct parser *parser)
{
    const struct lnx *lnx = parser->lnx;
    int result;

    if (lnx->iface_count == 0)
        return fail_file(parser->error, parser->name, WEIR_EINVAL, "no interface");
    if (lnx->rto_min > lnx->rto_max)
        return fail_file(parser->error, parser->name, WEIR_EINVAL,
                         "tcp rto-min is larger than rto-max");
    result = check_advertise(parser);
    return result ? result : apply_impairs(parser);
}

static int parse_lines(struct parser *parser, const char *text, size_t length)
{
    const char *end = text + length;
    int result;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;

        parser->line++;
        result = parse_line(parser, text, (size_t)(stop - text));
        if (result)
            return result;
        text = newline ? newline + 1 : end;
    }
    return check_whole(parser);
}

int lnx_parse_text(const char *name, const char *text, size_t length, struct lnx *lnx,
                   struct lnx_error *error)
{
    struct parser *parser;
    int result;

    memset(lnx, 0, sizeof *lnx);
    memset(error, 0, sizeof *error);
    if (length > LNX_FILE_MAX)
        return fail_file(error, name, WEIR_EINVAL, "file too large");
    parser = calloc(1, sizeof *parser);
    if (!parser)
        return fail_file(error, name, WEIR_ENOMEM, "out of memory");
    parser->lnx = lnx;
    parser->error = error;
    parser->name = name;
    lnx->rip_update_interval = 5 * WEIR_SECOND;
    lnx->rip_route_timeout = 12 * WEIR_SECOND;
    lnx->rto_min = WEIR_MS;
    lnx->rto_max = 5 * WEIR_SECOND;
    result = parse_lines(parser, text, length);
    if (result)
        lnx_done(lnx);
    free(parser->impairs);
    free(parser);
    return result;
}

/* Reads at most LNX_FILE_MAX + 1 bytes, so that files without an end (/dev/zero) end too. */
int lnx_parse_file(const char *path, struct lnx *lnx, struct lnx_error *error)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t length;
    int result;

    memset(lnx, 0, sizeof *lnx);
    memset(error, 0, sizeof *error);
    if (!file)
        return fail_file(error, path, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO, strerror(errno));
    text = malloc(LNX_FILE_MAX + 1);
    if (!text) {
        result = fail_file(error, path, WEIR_ENOMEM, "out of memory");
        goto done;
    }
    length = fread(text, 1, LNX_FILE_MAX + 1, file);
    if (ferror(file))
        result = fail_file(error, path, WEIR_EIO, strerror(errno));
    else
        result = lnx_parse_text(path, text, length, lnx, error);
done:
    free(text);
    fclose(file);
    return result;
}

void lnx_done(struct lnx *lnx)
{
    free(lnx->ifaces);
    free(lnx->neighbours);
    free(lnx->routes);
    free(lnx->advertise_to);
    memset(lnx, 0, sizeof *lnx);
}
