/* SPDX-License-Identifier: MIT */

/* What a script that failed says: the line, the difference, the rule of an RFC that applies (rules.c)
 * and those that the script cites for this place, the conversation, the state and why the stack does
 * what it does. The conversation is written down as it happens, at most TALK_BYTES_MAX of it, in the
 * script's relative numbers as far as the ISNs are known; the rest only when it is needed.
 *
 * A citation is "RFC" and a number in a comment: the nearest at or above the line that failed, with
 * the rest of its line. */

#include <lab/drill/run.h>
#include <stdarg.h>
#include <string.h>

#define LINE_TEXT 4000 /* bytes of one line of a script */
#define TALK_BYTES_MAX (64u << 10)

static void end_run(struct run *run, enum drill_verdict verdict, const struct event *event,
                    const char *format, va_list args) __attribute__((format(printf, 4, 0)));

static void end_run(struct run *run, enum drill_verdict verdict, const struct event *event,
                    const char *format, va_list args)
{
    if (run->ended)
        return;
    run->ended = true;
    run->verdict = verdict;
    run->failed = event;
    if (event)
        fprintf(run->report, "%s:%u:%u: ", run->script->path, event->where.line,
                event->where.column);
    else
        fprintf(run->report, "%s: ", run->script->path);
    vfprintf(run->report, format, args);
    fputc('\n', run->report);
    if (event && verdict == DRILL_FAILED)
        fprintf(run->report, "    %.*s\n", LINE_TEXT, event->source);
}

void run_fail(struct run *run, const struct event *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    end_run(run, DRILL_FAILED, event, format, args);
    va_end(args);
}

void run_skip(struct run *run, const struct event *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    end_run(run, DRILL_SKIPPED, event, format, args);
    va_end(args);
}

static bool talk_open(struct run *run)
{
    fflush(run->talk);
    return run->talk_size < TALK_BYTES_MAX;
}

static double seconds(const struct run *run)
{
    return (double)(run->now - run->origin) / (double)WEIR_SECOND;
}

/* The packet in relative numbers, as the script has them. */
static struct weir_packet relative(struct run *run, char direction,
                                   const struct weir_packet *packet)
{
    bool outbound = direction == '>';
    struct weir_packet moved = *packet;
    struct drill_conn *conn;

    if (packet->protocol != 6 || packet->fragment_offset > 0)
        return moved;
    conn = conn_find(run, outbound ? packet->sport : packet->dport,
                     outbound ? packet->dport : packet->sport);
    if (!conn)
        return moved;
    if (outbound && (packet->flags & WEIR_TCP_SYN) && !conn->talk_has_isn) {
        conn->talk_has_isn = true;
        conn->talk_isn = packet->seq;
    }
    moved.seq -= outbound ? conn->talk_isn : conn->remote_isn;
    if (packet->flags & WEIR_TCP_ACK)
        moved.ack -= outbound ? conn->remote_isn : conn->talk_isn;
    return moved;
}

void report_packet(struct run *run, char direction, const struct weir_packet *packet,
                   const uint8_t *bytes, size_t length)
{
    char text[WEIR_PACKET_TEXT];
    struct weir_packet moved;
    size_t i;

    if (!talk_open(run))
        return;
    fprintf(run->talk, "  %12.6f %c ", seconds(run), direction);
    if (packet) {
        moved = relative(run, direction, packet);
        fputs(weir_packet_print(&moved, text, sizeof(text)), run->talk);
    } else {
        fprintf(run->talk, "%zu bytes that are no packet:", length);
    }
    for (i = 0; !packet && i < length && i < 24; i++)
        fprintf(run->talk, " %02x", bytes[i]);
    fputc('\n', run->talk);
}

void report_call(struct run *run, const char *text)
{
    if (talk_open(run))
        fprintf(run->talk, "  %12.6f   %.*s\n", seconds(run), LINE_TEXT, text);
}

/* The line of the script that holds byte `at`. */
static size_t line_start(const struct script *script, size_t at)
{
    while (at > 0 && script->text[at - 1] != '\n')
        at--;
    return at;
}

/* Where line `number`, counted from 1, ends. */
static size_t line_end(const struct script *script, unsigned number)
{
    size_t at = 0;

    while (at < script->length && (script->text[at] != '\n' || --number > 0))
        at++;
    return at;
}

/* "RFC 9293 …" to the end of its line, nearest above the line that failed. */
static void report_citation(struct run *run)
{
    const struct script *script = run->script;
    size_t end = line_end(script, run->failed ? run->failed->where.line : UINT32_MAX), start;

    for (;;) {
        const char *found;

        start = line_start(script, end);
        found = memmem(script->text + start, end - start, "RFC ", 4);
        if (found) {
            fprintf(run->report, "  the script cites: %.*s\n",
                    (int)(script->text + end - found < 200 ? script->text + end - found : 200),
                    found);
            return;
        }
        if (start == 0)
            return;
        end = start - 1;
    }
}

void report_state(struct run *run)
{
    struct weir_tcp_info info;
    int socket = run->current ? conn_socket(run, run->current) : -1;

    if (run->rule)
        fprintf(run->report, "  rule: %s\n", run->rule);
    report_citation(run);
    fflush(run->talk);
    if (run->talk_size > 0)
        fprintf(run->report, "  conversation:\n%s", run->talk_text);
    if (socket < 0 || weir_tcp_info_get(run->stack, socket, run->now, &info) < 0) {
        fprintf(run->report, "  state: no connection\n");
        return;
    }
    fprintf(run->report, "  state: %s, %u in flight, %u queued, window %u, cwnd %u\n",
            weir_tcp_state_name(info.state), info.snd_nxt - info.snd_una, info.send_queued,
            info.snd_wnd, info.cwnd);
    fprintf(run->report, "  plan: %s (%s)", weir_why_name(info.plan_why),
            weir_why_meaning(info.plan_why));
    if (info.plan_deadline != WEIR_NEVER)
        fprintf(run->report, ", asked again at %.6f",
                (double)(info.plan_deadline - run->origin) / (double)WEIR_SECOND);
    fputc('\n', run->report);
}
