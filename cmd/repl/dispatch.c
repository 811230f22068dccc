/* SPDX-License-Identifier: MIT */

/* What the events of sockets do.
 *
 * The tag of a socket is its SID, or one of the two TAG_ values. Listeners accept at once and
 * forever; sockets of transfers move their transfer; test packets are printed. For the user's own
 * connections little has to be done, since `s` and `r` look for themselves: only the end of a
 * connection needs somebody who notices.
 *
 * That end is announced once. While a blocked command works with the connection (sid->busy), it
 * must see the error first, so the end is only noted and repl_settle deals with it when the
 * command is over. An entry is removed in repl_forget and nowhere else (but for what transfers hand
 * back), together with its line `Socket N closed`.
 */

#include <cmd/repl/probe.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/transfer.h>
#include <stdlib.h>

struct sid *repl_add_socket(struct repl *repl, int socket, enum sid_kind kind)
{
    struct sid *sid = sids_add(&repl->sids, socket, kind);

    if (sid && weir_host_watch(repl->host, socket, (uint64_t)sid->sid) == 0)
        return sid;
    if (sid)
        sids_remove(&repl->sids, sid);
    weir_socket_abort(weir_host_lock(repl->host), socket);
    weir_host_unlock(repl->host);
    return NULL;
}

enum weir_tcp_state repl_state(struct repl *repl, const struct sid *sid)
{
    struct weir_socket_row row;
    const struct weir_stack *stack = weir_host_lock(repl->host);
    bool known = weir_inspect_socket(stack, sid->socket, &row) == sid->socket;

    weir_host_unlock(repl->host);
    return known ? row.state : WEIR_STATE_CLOSED;
}

void repl_forget(struct repl *repl, struct sid *sid, bool silent)
{
    if (!sid->closed) {
        weir_socket_close(weir_host_lock(repl->host), sid->socket);
        weir_host_unlock(repl->host);
    }
    if (!silent)
        repl_say(repl, "Socket %d closed", sid->sid);
    sids_remove(&repl->sids, sid);
}

void repl_accept(struct repl *repl, struct sid *listener)
{
    for (;;) {
        struct sid *sid;
        int socket = weir_socket_accept(weir_host_lock(repl->host), listener->socket, NULL);

        weir_host_unlock(repl->host);
        if (socket < 0)
            return;
        sid = repl_add_socket(repl, socket, SID_CONNECTION);
        if (!sid)
            continue;
        repl_say(repl, "New connection on socket %d => created new socket %d", listener->sid,
                 sid->sid);
    }
}

void repl_receive_test(struct repl *repl)
{
    static const size_t size = 65536;
    char src[WEIR_ADDR_TEXT], dst[WEIR_ADDR_TEXT];
    struct weir_datagram from;
    char *data = malloc(size);
    char *text;
    long length;

    while (data) {
        length =
            weir_socket_recvfrom(weir_host_lock(repl->host), repl->test_socket, data, size, &from);
        weir_host_unlock(repl->host);
        if (length < 0)
            break;
        if (from.icmp_type)
            continue;
        text = args_printable(data, (size_t)length);
        repl_say(repl, "Received test packet: Src: %s, Dst: %s, TTL:  %u, Data:  %s",
                 weir_addr_print(&from.peer, src), weir_addr_print(&from.local, dst), from.ttl,
                 text ? text : "");
        free(text);
    }
    free(data);
}

/* The user's connection `sid` has ended: says why, if there is a why. */
static void end_connection(struct repl *repl, struct sid *sid)
{
    int error = 0;

    if (!sid->closed) {
        error = weir_socket_take_error(weir_host_lock(repl->host), sid->socket);
        weir_host_unlock(repl->host);
    }
    if (error)
        repl_say(repl, "Socket %d error: %s", sid->sid, weir_strerror(error));
    repl_forget(repl, sid, false);
}

void repl_settle(struct repl *repl, struct sid *sid)
{
    sid->busy = false;
    if (sid->dead)
        end_connection(repl, sid);
}

static void connection_event(struct repl *repl, struct sid *sid, uint32_t events)
{
    if (!(events & (WEIR_ERR | WEIR_CLOSED)))
        return;
    sid->dead = true;
    if (!sid->busy)
        end_connection(repl, sid);
}

void repl_dispatch(struct repl *repl, const struct weir_event *event)
{
    struct sid *sid;

    repl_log(repl, LOG_DEBUG, "event: tag %d, socket %d, events 0x%x", (int)event->tag,
             event->socket, event->events);
    if (event->tag == TAG_TEST) {
        repl_receive_test(repl);
        return;
    }
    if (event->tag == TAG_PROBE) {
        probe_event(repl);
        return;
    }
    sid = sids_find(&repl->sids, event->tag);
    if (!sid)
        return;
    if (sid->transfer)
        transfer_event(repl, sid, event->events);
    else if (sid->kind == SID_CONNECTION)
        connection_event(repl, sid, event->events);
    else if (event->events & WEIR_CLOSED)
        repl_forget(repl, sid, sid->closed);
    else if (event->events & WEIR_ACCEPT)
        repl_accept(repl, sid);
}
