/* SPDX-License-Identifier: MIT */

/* What a script that failed says: the line, the difference, the conversation, the state and why the
 * stack does what it does. The conversation is written down as it happens, bounded; the rest only
 * when it is needed. */

#include <lab/drill/run.h>
#include <stdarg.h>
#include <string.h>

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
    if (event)
        fprintf(run->report, "%s:%u:%u: ", run->script->path, event->where.line,
                event->where.column);
    else
        fprintf(run->report, "%s: ", run->script->path);
    vfprintf(run->report, format, args);
    fputc('\n', run->report);
    if (event && verdict == DRILL_FAILED)
        fprintf(run->report, "    %s\n", event->source);
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

void report_packet(struct run *run, char direction, const struct weir_packet *packet,
                   const uint8_t *bytes, size_t length)
{
    char text[WEIR_PACKET_TEXT];
    size_t i;

    if (!talk_open(run))
        return;
    fprintf(run->talk, "  %12.6f %c ", seconds(run), direction);
    if (packet)
        fputs(weir_packet_print(packet, text, sizeof(text)), run->talk);
    else
        fprintf(run->talk, "%zu bytes that are no packet:", length);
    for (i = 0; !packet && i < length && i < 24; i++)
        fprintf(run->talk, " %02x", bytes[i]);
    fputc('\n', run->talk);
}

void report_call(struct run *run, const char *text)
{
    if (talk_open(run))
        fprintf(run->talk, "  %12.6f   %s\n", seconds(run), text);
}

void report_state(struct run *run)
{
    struct weir_tcp_info info;
    int socket = run->current ? conn_socket(run, run->current) : -1;

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
