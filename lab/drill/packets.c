/* SPDX-License-Identifier: MIT */

/* Outbound packet lines: what must come out, and when. What is compared is told in compare.c.
 *
 * A line takes the oldest packet of its connection that nobody has taken, waits for one if there is
 * none (2 s past its time), and compares. The time must be right within the script's tolerance.
 *
 * Scripts written for stacks that hand large packets to their device expect such packets. A line
 * with more payload than the connection's MSS therefore matches a run of full segments that left within
 * a millisecond and follow one another, equal in acknowledgment, window and options, with a last
 * one that may be shorter; their flags are those of the line, but PSH and FIN stand in the last one
 * only. In the profile linux the run may be of segments smaller than the MSS, and PSH in any of them: the
 * original takes that too. --strict_segments turns all this off. */

#include <lab/drill/craft.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define LATE_MAX (2 * WEIR_SECOND)
#define RUN_SPREAD WEIR_MS /* two calls at one time of the script may be microseconds apart */

static struct drill_conn *outbound_conn(struct run *run, const struct packet_line *line)
{
    struct drill_conn *conn;

    if (!line->has_ports)
        return run->current;
    conn = conn_find(run, line->sport, line->dport);
    return conn ? conn : conn_add(run, line->sport, line->dport);
}

weir_time run_tolerance(const struct run *run, weir_time expected)
{
    weir_time share = (weir_time)((double)(expected - run->base) * run->tolerance_percent / 100.0);

    return share > run->tolerance ? share : run->tolerance;
}

static void check_when(struct run *run, const struct event *event, weir_time actual, weir_time at,
                       weir_time until)
{
    double second = (double)WEIR_SECOND;
    weir_time tolerance = run_tolerance(run, at);

    if (event->time == TIME_ANY || (actual >= at - tolerance && actual <= until + tolerance))
        return;
    if ((run->may_sack || run->has_small) && losses_skip_data(run, event, NULL))
        return;
    rule_note(run, event->packet, "time", NULL);
    run_fail(run, event, "this packet came at %.6f, expected at %.6f (tolerance %.6f)",
             (double)(actual - run->origin) / second, (double)(at - run->origin) / second,
             (double)tolerance / second);
}

/* A datagram that came when there was no socket under test makes one, for the answers. */
static void learn_udp(struct run *run, const struct seen *seen)
{
    struct craft_udp udp;

    if (!run->current && seen->packet.fragment_offset == 0 &&
        craft_parse_udp(seen->bytes, seen->length, &udp))
        run->current = conn_add(run, udp.sport, udp.dport);
}

/* May `next` be the segment behind `first`? `last_only`: flags that `first` may not have. */
static bool continues(const struct seen *first, const struct seen *next, unsigned last_only)
{
    const struct weir_packet *a = &first->packet, *b = &next->packet;
    unsigned any = WEIR_TCP_PSH | WEIR_TCP_FIN;

    return next->at - first->at < RUN_SPREAD && b->seq == a->seq + a->payload_length &&
           b->payload_length > 0 && b->payload_length <= a->payload_length &&
           (a->flags & last_only) == 0 && ((a->flags ^ b->flags) & ~any) == 0 && a->ack == b->ack &&
           a->window == b->window && a->options_length == b->options_length &&
           !memcmp(a->options, b->options, a->options_length) && b->transport_checksum_ok &&
           b->ip_checksum_ok;
}

/* One packet of two that follow one another; both are freed. NULL: no memory. */
static struct seen *join(struct seen *first, struct seen *next)
{
    size_t length = first->length + next->packet.payload_length;
    ptrdiff_t options = first->packet.options - first->bytes;
    ptrdiff_t payload = first->packet.payload - first->bytes;
    struct seen *whole = realloc(first, sizeof(*whole) + length);

    if (!whole) {
        free(first);
        free(next);
        return NULL;
    }
    memcpy(whole->bytes + whole->length, next->packet.payload, next->packet.payload_length);
    whole->length = length;
    whole->packet.options = whole->bytes + options;
    whole->packet.payload = whole->bytes + payload;
    whole->packet.payload_length += next->packet.payload_length;
    whole->packet.flags |= next->packet.flags;
    free(next);
    return whole;
}

static uint32_t mss_of(struct run *run, struct drill_conn *conn)
{
    struct weir_tcp_info info;
    int socket = conn_socket(run, conn);

    if (socket < 0 || weir_tcp_info_get(run->stack, socket, run->now, &info) < 0)
        return UINT32_MAX;
    return info.mss;
}

/* Puts the segments together that the line expects as one. */
static struct seen *gather(struct run *run, const struct packet_line *line, struct drill_conn *conn,
                           struct seen *first)
{
    uint32_t full = first->packet.payload_length, part = full;
    bool is_linux = run->profile == WEIR_PROFILE_LINUX;
    unsigned last_only = is_linux ? WEIR_TCP_FIN : WEIR_TCP_FIN | WEIR_TCP_PSH;
    struct seen *next;

    if (run->strict_segments || line->payload_length <= full || full == 0 ||
        (!is_linux && full != mss_of(run, conn)))
        return first;
    while (first && part == full && (next = world_packet(run, conn, false)) &&
           continues(first, next, last_only) &&
           first->packet.payload_length + next->packet.payload_length <= line->payload_length) {
        part = next->packet.payload_length;
        first = join(first, world_packet(run, conn, true));
    }
    return first;
}

void run_outbound(struct run *run, const struct event *event, weir_time at, weir_time until)
{
    bool is_tcp = event->packet->kind == PACKET_TCP && event->packet->ip.first == 0;
    struct drill_conn *conn = is_tcp ? outbound_conn(run, event->packet) : NULL;
    weir_time limit = event->time == TIME_ANY ? WEIR_NEVER : until + LATE_MAX;
    struct seen *seen;

    if (is_tcp && !conn) {
        run_fail(run, event, "no connection to expect a packet of");
        return;
    }
    if (!world_wait_packet(run, limit, conn)) {
        if (losses_skip_data(run, event, NULL))
            return;
        rule_note(run, event->packet, "missing", NULL);
        run_fail(run, event, "no packet came");
        return;
    }
    seen = world_packet(run, conn, true);
    if (event->packet->kind == PACKET_UDP)
        learn_udp(run, seen);
    if (conn)
        seen = gather(run, event->packet, conn, seen);
    if (!seen) {
        run_fail(run, event, "no memory for a packet");
        return;
    }
    compare_packet(run, event, conn, seen);
    check_when(run, event, seen->at, at, until);
    if (is_tcp)
        losses_taken(run, &seen->packet);
    free(seen);
}
