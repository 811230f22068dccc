/* SPDX-License-Identifier: MIT */

/* Echo requests, one at a time.
 *
 * A probe has its own echo socket for as long as its command runs. probe_run sends a request and
 * steps the loop until the answer with the request's sequence number has come, the time is over or
 * the user has pressed Ctrl-C; the node goes on working meanwhile. An answer is an echo reply from
 * the target or an ICMP error that a router sent about the request; answers with another number are
 * late ones and ignored, so that a slow answer is never taken for a fast one.
 *
 * The round trip is measured from the call that sends to the event that brings the answer, so it
 * holds both loops' work, as a user's round trip does.
 */

#include <cmd/repl/probe.h>
#include <cmd/repl/repl.h>
#include <string.h>

#define PAYLOAD_SIZE 56

int probe_open(struct repl *repl, struct probe *probe, const struct weir_addr *to)
{
    int result;

    memset(probe, 0, sizeof *probe);
    probe->to = *to;
    probe->deadline = WEIR_NEVER;
    probe->socket = weir_socket_open(weir_host_lock(repl->host), WEIR_ECHO, 0);
    weir_host_unlock(repl->host);
    if (probe->socket < 0)
        return probe->socket;
    result = weir_host_watch(repl->host, probe->socket, TAG_PROBE);
    repl->probe = probe;
    if (result)
        probe_close(repl, probe);
    return result;
}

void probe_close(struct repl *repl, struct probe *probe)
{
    weir_socket_close(weir_host_lock(repl->host), probe->socket);
    weir_host_unlock(repl->host);
    repl->probe = NULL;
}

static int send_request(struct repl *repl, struct probe *probe, uint8_t ttl)
{
    static const uint8_t payload[PAYLOAD_SIZE] = "weir echo request";
    struct weir_datagram to;
    long result;

    memset(&to, 0, sizeof to);
    to.peer = probe->to;
    to.local = weir_addr_any4();
    to.ttl = ttl;
    to.echo_sequence = ++probe->sequence;
    probe->sent = weir_host_now();
    result =
        weir_socket_sendto(weir_host_lock(repl->host), probe->socket, payload, sizeof payload, &to);
    weir_host_unlock(repl->host);
    return result < 0 ? (int)result : 0;
}

int probe_run(struct repl *repl, struct probe *probe, uint8_t ttl, weir_time timeout)
{
    int result = send_request(repl, probe, ttl);

    memset(&probe->answer, 0, sizeof probe->answer);
    if (result)
        return result;
    probe->waiting = true;
    probe->deadline = probe->sent + timeout;
    while (probe->waiting && repl_may_wait(repl))
        repl_step(repl, false);
    probe->waiting = false;
    probe->deadline = WEIR_NEVER;
    return 0;
}

void probe_pause(struct repl *repl, struct probe *probe, weir_time deadline)
{
    probe->waiting = true;
    probe->sequence++; /* nothing that comes now is an answer */
    probe->deadline = deadline;
    while (probe->waiting && repl_may_wait(repl))
        repl_step(repl, false);
    probe->sequence--;
    probe->waiting = false;
    probe->deadline = WEIR_NEVER;
}

static void take_answer(struct probe *probe, const struct weir_datagram *from, long length)
{
    if (!probe->waiting || from->echo_sequence != probe->sequence)
        return;
    probe->answer.came = true;
    probe->answer.from = from->peer;
    probe->answer.ttl = from->ttl;
    probe->answer.icmp_type = from->icmp_type;
    probe->answer.icmp_code = from->icmp_code;
    probe->answer.length = length;
    probe->answer.rtt = weir_host_now() - probe->sent;
    probe->waiting = false;
}

void probe_event(struct repl *repl)
{
    struct weir_datagram from;
    uint8_t data[PAYLOAD_SIZE];
    long length;

    while (repl->probe) {
        length = weir_socket_recvfrom(weir_host_lock(repl->host), repl->probe->socket, data,
                                      sizeof data, &from);
        weir_host_unlock(repl->host);
        if (length < 0)
            return;
        take_answer(repl->probe, &from, length);
    }
}

weir_time probe_deadline(const struct repl *repl)
{
    return repl->probe ? repl->probe->deadline : WEIR_NEVER;
}

void probe_expire(struct repl *repl, weir_time now)
{
    if (repl->probe && repl->probe->deadline <= now)
        repl->probe->waiting = false;
}
