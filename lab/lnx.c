/* SPDX-License-Identifier: MIT */

/* Reading lnx files.
 *
 * The format is line oriented: `#` starts a comment, words are separated by blanks, tabs or a
 * carriage return, the first word of a line names a directive (lnx_directives.c). One kind of comment
 * means something to us and nothing to anybody else: a line `# weir: impair IFACE KEY=VALUE…` makes
 * that interface's sending side bad, wherever in the file it stands; with `from VIP` behind the
 * interface, it makes bad what comes in there from that neighbour.
 *
 * The text is walked once. Each line is cut into words in a buffer of LNX_LINE_MAX bytes and handed
 * to the directive. Two things can only be known at the end of the file and are checked there, each
 * with the line that said it: that an advertise-to address is some neighbour's, and that an impaired
 * interface exists.
 *
 * The first fault ends the parse: the message names file, line and word, and *lnx is empty. A file
 * that is not text (a NUL byte), or too large in any direction (LNX_FILE_MAX bytes, LNX_LINE_MAX
 * bytes a line, LNX_NEIGHBOURS_MAX of a kind), is a fault like any other, so hostile files cost
 * little. Nothing is ever skipped in silence.
 */

#include <errno.h>
#include <lab/lnx_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int lnx_fail_at(struct lnx_parser *parser, unsigned line, const char *word, const char *what)
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

int lnx_fail(struct lnx_parser *parser, const char *word, const char *what)
{
    return lnx_fail_at(parser, parser->line, word, what);
}

int lnx_fail_file(struct lnx_error *error, const char *name, int code, const char *what)
{
    error->line = 0;
    error->code = code;
    snprintf(error->text, sizeof error->text, "%.200s: %s", name, what);
    return code;
}

/* ---- Lines ------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Cuts `text` (terminated, inside the line buffer) into words. */
static int split(struct lnx_parser *parser, char *text)
{
    parser->words = 0;
    for (;;) {
        while (is_blank(*text))
            *text++ = '\0';
        if (!*text)
            break;
        if (parser->words == LNX_WORDS_MAX)
            return lnx_fail(parser, NULL, "too many words");
        parser->word[parser->words++] = text;
        while (*text && !is_blank(*text))
            text++;
    }
    parser->word[parser->words] = NULL;
    return 0;
}

/* A line whose first character is `#`; `text` follows it. Only `weir:` comments mean something. */
static int comment_line(struct lnx_parser *parser, char *text)
{
    int result;

    while (is_blank(*text))
        text++;
    if (strncmp(text, "weir:", 5) != 0)
        return 0;
    result = split(parser, text + 5);
    if (result)
        return result;
    if (parser->words == 0)
        return lnx_fail(parser, "weir:", "too few words");
    return lnx_comment(parser);
}

static int parse_line(struct lnx_parser *parser, const char *text, size_t length)
{
    char *hash;
    int result;

    if (memchr(text, '\0', length))
        return lnx_fail(parser, NULL, "NUL byte");
    if (length > LNX_LINE_MAX)
        return lnx_fail(parser, NULL, "line too long");
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
    return lnx_directive(parser);
}

/* ---- The end of the file ----------------------------------------------------------------------- */

int lnx_find_iface(const struct lnx *lnx, const char *name)
{
    size_t i;

    for (i = 0; i < lnx->iface_count; i++)
        if (strcmp(lnx->ifaces[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool is_neighbour(const struct lnx *lnx, const struct weir_addr *addr)
{
    size_t i;

    for (i = 0; i < lnx->neighbour_count; i++)
        if (weir_addr_equal(&lnx->neighbours[i].addr, addr))
            return true;
    return false;
}

static int check_advertise(struct lnx_parser *parser)
{
    const struct lnx *lnx = parser->lnx;
    char text[WEIR_ADDR_TEXT];
    size_t i;

    for (i = 0; i < lnx->advertise_count; i++)
        if (!is_neighbour(lnx, &lnx->advertise_to[i].addr))
            return lnx_fail_at(parser, lnx->advertise_to[i].line,
                               weir_addr_print(&lnx->advertise_to[i].addr, text),
                               "no neighbor's address");
    return 0;
}

/* `from VIP`: to the neighbour of this interface. */
static int apply_impair_from(struct lnx_parser *parser, const struct lnx_impair_line *line,
                             unsigned iface)
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
    return lnx_fail_at(parser, line->line, weir_addr_print(&line->from, text),
                       "no neighbor's address on this interface");
}

static int apply_impairs(struct lnx_parser *parser)
{
    struct lnx *lnx = parser->lnx;
    size_t i;
    int iface, result;

    for (i = 0; i < parser->impair_count; i++) {
        iface = lnx_find_iface(lnx, parser->impairs[i].name);
        if (iface < 0)
            return lnx_fail_at(parser, parser->impairs[i].line, parser->impairs[i].name,
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

static int check_whole(struct lnx_parser *parser)
{
    const struct lnx *lnx = parser->lnx;
    int result;

    if (lnx->iface_count == 0)
        return lnx_fail_file(parser->error, parser->name, WEIR_EINVAL, "no interface");
    if (lnx->rto_min > lnx->rto_max)
        return lnx_fail_file(parser->error, parser->name, WEIR_EINVAL,
                             "tcp rto-min is larger than rto-max");
    result = check_advertise(parser);
    return result ? result : apply_impairs(parser);
}

static int parse_lines(struct lnx_parser *parser, const char *text, size_t length)
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
    struct lnx_parser *parser;
    int result;

    memset(lnx, 0, sizeof *lnx);
    memset(error, 0, sizeof *error);
    if (length > LNX_FILE_MAX)
        return lnx_fail_file(error, name, WEIR_EINVAL, "file too large");
    parser = calloc(1, sizeof *parser);
    if (!parser)
        return lnx_fail_file(error, name, WEIR_ENOMEM, "out of memory");
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
        return lnx_fail_file(error, path, errno == ENOENT ? WEIR_ENOENT : WEIR_EIO,
                             strerror(errno));
    text = malloc(LNX_FILE_MAX + 1);
    if (!text) {
        result = lnx_fail_file(error, path, WEIR_ENOMEM, "out of memory");
        goto done;
    }
    length = fread(text, 1, LNX_FILE_MAX + 1, file);
    if (ferror(file))
        result = lnx_fail_file(error, path, WEIR_EIO, strerror(errno));
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
