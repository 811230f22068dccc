/* SPDX-License-Identifier: MIT */

/* info: all that is known of a connection, and why it is not sending at the moment. One `name
 * value` pair a line, so that scripts can read it; times in milliseconds. */

#include <cmd/repl/commands.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/words.h>

static double in_ms(weir_time time)
{
    return (double)time / 1e6;
}

static void say_count(struct repl *repl, const char *name, uint64_t value)
{
    repl_say(repl, "  %-20s %llu", name, (unsigned long long)value);
}

static void print_windows(struct repl *repl, const struct weir_tcp_info *info)
{
    repl_say(repl, "  %-20s una %u nxt %u window %u", "send", info->snd_una, info->snd_nxt,
             info->snd_wnd);
    repl_say(repl, "  %-20s nxt %u window %u", "receive", info->rcv_nxt, info->rcv_wnd);
    repl_say(repl, "  %-20s send %u receive %u out-of-order %u", "queued", info->send_queued,
             info->receive_queued, info->out_of_order);
    say_count(repl, "mss", info->mss);
}

static void print_times(struct repl *repl, const struct weir_tcp_info *info)
{
    static const char *const recovery[] = {"open", "fast recovery", "after a timeout"};

    repl_say(repl, "  %-20s %.3f ms", "rtt", in_ms(info->srtt));
    repl_say(repl, "  %-20s %.3f ms", "rtt-variation", in_ms(info->rttvar));
    repl_say(repl, "  %-20s %.3f ms", "rto", in_ms(info->rto));
    repl_say(repl, "  %-20s %u ssthresh %u %s, %s", "cwnd", info->cwnd, info->ssthresh,
             info->congestion_control ? info->congestion_control : "-",
             recovery[info->congestion_recovery < 3 ? info->congestion_recovery : 0]);
}

static void print_counts(struct repl *repl, const struct weir_tcp_info *info)
{
    say_count(repl, "segments-sent", info->segments_sent);
    say_count(repl, "segments-received", info->segments_received);
    say_count(repl, "bytes-sent", info->bytes_sent);
    say_count(repl, "bytes-acked", info->bytes_acked);
    say_count(repl, "bytes-received", info->bytes_received);
    say_count(repl, "retransmissions", info->retransmissions);
    say_count(repl, "bytes-retransmitted", info->bytes_retransmitted);
    say_count(repl, "timeouts", info->timeouts);
    say_count(repl, "fast-retransmits", info->fast_retransmits);
    say_count(repl, "duplicate-acks", info->duplicate_acks_received);
}

static void print_plan(struct repl *repl, const struct weir_tcp_info *info, weir_time now)
{
    repl_say(repl, "  %-20s %s (%s), %u bytes", "sending", weir_why_name(info->plan_why),
             weir_why_meaning(info->plan_why), info->plan_bytes);
    if (info->plan_deadline != WEIR_NEVER && info->plan_deadline > now)
        repl_say(repl, "  %-20s in %.3f ms", "next-look", in_ms(info->plan_deadline - now));
}

void cmd_info(struct repl *repl, const struct args *args)
{
    struct sid *sid = word_sid(repl, args->word[1]);
    char local[WEIR_ADDR_TEXT], remote[WEIR_ADDR_TEXT];
    struct weir_socket_row row;
    struct weir_tcp_info info;
    weir_time now = weir_host_now();
    const struct weir_stack *stack;
    bool known;
    int result;

    if (!sid)
        return;
    stack = weir_host_lock(repl->host);
    known = weir_inspect_socket(stack, sid->socket, &row) == sid->socket;
    result = weir_tcp_info_get(stack, sid->socket, now, &info);
    weir_host_unlock(repl->host);
    if (!known) {
        repl_say(repl, "Socket %d: %s", sid->sid, weir_tcp_state_name(WEIR_STATE_CLOSED));
        return;
    }
    repl_say(repl, "Socket %d: %s, %s:%u to %s:%u", sid->sid, weir_tcp_state_name(row.state),
             weir_addr_print(&row.local.addr, local), row.local.port,
             weir_addr_print(&row.remote.addr, remote), row.remote.port);
    if (result || sid->kind == SID_LISTENER || row.state == WEIR_STATE_TIME_WAIT)
        return; /* of a connection in TIME_WAIT only its name is left */
    print_windows(repl, &info);
    print_times(repl, &info);
    print_counts(repl, &info);
    print_plan(repl, &info, now);
}
