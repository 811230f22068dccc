/* SPDX-License-Identifier: MIT */

/* After a loss, and with a window of small segments: what weir does in another way than Linux.
 *
 * Until something is lost, slow start is all there is, and the profile linux has it as Linux does. Then
 * Linux reduces its window by three tenths and grows it by CUBIC, and in recovery lets PRR say how much
 * may leave for each ACK, also with reno and without SACK; weir halves, and recovers by RFC 6582. So
 * which new data leaves, and what cwnd and ssthresh are, may differ without either being wrong. A
 * script written for Linux that turns out to hang on that is skipped with its name; one that passes
 * all the same has passed. The threshold of slow start tells: it is without bound until the first loss.
 * It is looked at before each event, since the time that an event waits in vain brings losses itself.
 * What was sent once and is sent again is judged all the same.
 *
 * The same holds from the beginning if SACK may have been agreed on behind a `<...>`: Linux then takes no
 * duplicate ACK for a sign unless it has SACK blocks, and probes for losses of the tail before the time-out.
 *
 * A script that names its profile is ours: it says what weir does, and fails if weir does not. */

#include <lab/drill/run.h>
#include <string.h>

#define SSTHRESH_INFINITE 0x7fffffffu /* bytes; no window comes near */

static bool names_profile(const struct script *script)
{
    const struct script_option *option;

    for (option = script->options; option; option = option->next)
        if (!strcmp(option->name, "profile"))
            return true;
    return false;
}

/* Linux counts cwnd in segments, weir in bytes, which is the same while segments are full. Is cwnd more than
 * half used in segments, with a segment or more to spare in bytes? */
static bool counts_differ(const struct weir_tcp_info *info)
{
    uint64_t counted = (uint64_t)info->segments_unacked * info->mss;

    return 2 * counted > info->cwnd &&
           counted > (uint64_t)info->mss + info->snd_nxt - info->snd_una;
}

/* Before and after that there is no cwnd to speak of. */
static bool is_sending(enum weir_tcp_state state)
{
    return state == WEIR_STATE_ESTABLISHED || state == WEIR_STATE_CLOSE_WAIT ||
           state == WEIR_STATE_FIN_WAIT_1 || state == WEIR_STATE_CLOSING ||
           state == WEIR_STATE_LAST_ACK;
}

void losses_note(struct run *run)
{
    int socket = run->current ? conn_socket(run, run->current) : -1;
    struct weir_tcp_info info;

    if (socket < 0 || weir_tcp_info_get(run->stack, socket, run->now, &info) < 0)
        return;
    if (!is_sending(info.state))
        return;
    run->has_lost |= info.ssthresh < SSTHRESH_INFINITE || info.congestion_recovery;
    run->has_small |= counts_differ(&info);
}

bool losses_skip(struct run *run, const struct event *event)
{
    const char *missing = run->may_sack    ? "the TCP option sackOK"
                          : run->has_small ? "a congestion window counted in segments"
                                           : "how Linux sends after a loss (PRR, CUBIC)";

    if (run->ended || !(run->has_lost || run->may_sack || run->has_small) ||
        run->profile != WEIR_PROFILE_LINUX || names_profile(run->script))
        return false;
    run_skip(run, event, "%s", missing);
    return true;
}

void losses_taken(struct run *run, const struct weir_packet *packet)
{
    uint32_t end = packet->seq + packet->payload_length;

    if ((packet->flags & WEIR_TCP_SYN) || (int32_t)(end - run->sent_end) > 0)
        run->sent_end = end;
}

/* Is there data behind what lines have taken so far? */
static bool is_new(const struct run *run, uint32_t seq, uint32_t length)
{
    return length > 0 && (int32_t)(seq + length - run->sent_end) > 0;
}

bool losses_skip_data(struct run *run, const struct event *event, const struct weir_packet *packet)
{
    const struct packet_line *line = event ? event->packet : NULL;
    const struct drill_conn *conn = run->current;

    if (!conn || (line && line->kind != PACKET_TCP))
        return false;
    if (run->may_sack || (line && is_new(run, conn->local_isn + line->seq, line->payload_length)) ||
        (packet && is_new(run, packet->seq, packet->payload_length)))
        return losses_skip(run, event);
    return false;
}
