/* SPDX-License-Identifier: MIT */

/* The end of the node.
 *
 * End of input is gentle. Whoever pipes a script into a node wants what the script began: transfers
 * that have a connection (or are getting one) are finished, and so is the closing of sockets with
 * data still queued. Nobody can come any more, so listeners go first. Connections that the script
 * left open are closed too, but those are waited for SOFT_WAIT at most: their peer may never read.
 * A connection counts as finished when our side of it is: TIME_WAIT, or gone. One that waits for
 * the peer's FIN (FIN_WAIT_2) gets SOFT_WAIT, so that the peer's FIN finds somebody to answer it.
 * So does one with nothing but its FIN unacknowledged: everything was said, and a peer that has ended
 * after its own FIN will never answer ours. Each of these steps is an event (DELIVERED, HUP, CLOSED),
 * of sockets that we have closed too.
 *
 * `exit`, SIGTERM and Ctrl-C are not gentle: every connection is aborted, and the RSTs leave with
 * the unlock. Either way a link that delays (impair) may still hold our last packets: they get the
 * time they need, LINGER at most, where there was a connection that they can belong to.
 */

#include <cmd/repl/repl.h>
#include <cmd/repl/transfer.h>

#define SOFT_WAIT (3 * WEIR_SECOND)
#define LINGER (1 * WEIR_SECOND)

enum urgency { DONE, SOFT, HARD }; /* nothing to wait for; for a while; to the end */

/* Closes what can be closed; marks the user's open connections as soft. */
static void close_all(struct repl *repl, bool *soft)
{
    size_t i;

    transfers_drop_waiting(repl);
    for (i = 0; i < repl->sids.count; i++) {
        struct sid *sid = repl->sids.entries[i];

        if (sid->closed || sid->transfer)
            continue;
        *soft = *soft || sid->kind == SID_CONNECTION;
        sid->implicit = true;
        sid->closed = true;
        weir_socket_close(weir_host_lock(repl->host), sid->socket);
        weir_host_unlock(repl->host);
    }
}

static bool has_unacked_data(struct repl *repl, const struct sid *sid)
{
    struct weir_tcp_info info;
    int result = weir_tcp_info_get(weir_host_lock(repl->host), sid->socket, weir_host_now(), &info);

    weir_host_unlock(repl->host);
    return result == 0 && info.send_queued > 0;
}

static enum urgency urgency_of(struct repl *repl, const struct sid *sid)
{
    if (sid->transfer)
        return HARD;
    if (sid->kind == SID_LISTENER)
        return DONE;
    switch (repl_state(repl, sid)) {
    case WEIR_STATE_CLOSED:
    case WEIR_STATE_TIME_WAIT:
        return DONE;
    case WEIR_STATE_FIN_WAIT_2:
        return SOFT;
    default:
        return sid->implicit || !has_unacked_data(repl, sid) ? SOFT : HARD;
    }
}

static enum urgency most_urgent(struct repl *repl)
{
    enum urgency most = DONE;
    size_t i;

    for (i = 0; i < repl->sids.count; i++) {
        enum urgency urgency = urgency_of(repl, repl->sids.entries[i]);

        if (urgency > most)
            most = urgency;
    }
    return most;
}

void repl_finish(struct repl *repl)
{
    weir_time give_up = WEIR_NEVER;
    bool soft = false;

    repl->interrupted = false;
    close_all(repl, &soft);
    while (repl_may_wait(repl)) {
        enum urgency urgency = most_urgent(repl);
        weir_time now = weir_host_now();

        if (urgency == HARD)
            give_up = WEIR_NEVER;
        else if (give_up == WEIR_NEVER)
            give_up = now + SOFT_WAIT;
        if (urgency == DONE || now >= give_up)
            return;
        repl_step_until(repl, give_up);
    }
}

/* Lets packets go that links hold back. */
static void linger(struct repl *repl)
{
    weir_time give_up = weir_host_now() + LINGER;

    while (weir_host_links_deadline(repl->host) != WEIR_NEVER && weir_host_now() < give_up)
        repl_step_until(repl, give_up);
}

void repl_abort_all(struct repl *repl)
{
    struct weir_stack *stack = weir_host_lock(repl->host);
    bool had_connections = false;
    size_t i;

    for (i = 0; i < repl->sids.count; i++) {
        had_connections = had_connections || repl->sids.entries[i]->kind == SID_CONNECTION;
        weir_socket_abort(stack, repl->sids.entries[i]->socket);
    }
    weir_host_unlock(repl->host);
    if (had_connections)
        linger(repl);
}
