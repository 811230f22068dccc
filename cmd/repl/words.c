/* SPDX-License-Identifier: MIT */

/* Words and values that several commands share.
 *
 * Each word_ function turns one word into a value or prints one line that names the word and what
 * it should have been, so a command can simply return. SIDs that are no number and SIDs that do
 * not exist (any more) get the same answer, the reference's `socket not found`.
 */

#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void complain(struct repl *repl, const char *word, const char *what)
{
    char *shown = args_printable(word, strnlen(word, 64));

    repl_fail(repl, "error: \"%s\": %s", shown ? shown : "", what);
    free(shown);
}

struct sid *word_sid(struct repl *repl, const char *word)
{
    uint64_t number;
    struct sid *sid = NULL;

    if (args_number(word, 0, INT32_MAX, &number) == 0)
        sid = sids_find(&repl->sids, number);
    if (!sid)
        repl_fail(repl, "socket not found");
    return sid;
}

bool word_addr(struct repl *repl, const char *word, struct weir_addr *addr)
{
    if (weir_addr_parse(word, addr) == 0)
        return true;
    complain(repl, word, "not an IPv4 address");
    return false;
}

bool word_port(struct repl *repl, const char *word, uint16_t *port)
{
    if (args_port(word, port) == 0)
        return true;
    complain(repl, word, "not a port from 1 to 65535");
    return false;
}

int word_iface(struct repl *repl, const char *word)
{
    int iface = weir_inspect_iface_named(weir_host_lock(repl->host), word);

    weir_host_unlock(repl->host);
    if (iface < 0)
        complain(repl, word, "no such interface");
    return iface;
}

const char *print_prefix(const struct weir_addr *addr, uint8_t bits, char *text)
{
    size_t length;

    weir_addr_print(addr, text);
    length = strlen(text);
    snprintf(text + length, WEIR_ADDR_TEXT - length, "/%u", bits >= 96 ? bits - 96u : bits);
    return text;
}

const char *print_error(int error)
{
    switch (error) {
    case WEIR_ENETUNREACH:
        return "No match found in forwarding table";
    case WEIR_EPIPE:
        return "Cannot send after transport endpoint shutdown";
    case WEIR_EPERM:
        return "Operation not permitted";
    default:
        return weir_strerror(error);
    }
}
