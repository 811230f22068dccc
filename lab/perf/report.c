/* SPDX-License-Identifier: MIT */

/* What a test prints: a table for people, or one object of JSON.
 *
 * Rows come as time goes on, totals at the end. The JSON is written as it comes, too: it is opened by
 * begin, rows go into its list "intervals", and end closes it, whatever has ended the test; so it is
 * always whole. Numbers are in seconds, bytes and bits per second there; the table has Gbit/s and
 * milliseconds. Nothing that a peer has said goes into the text unchecked: rows hold numbers, and an
 * error's text is made of printable ASCII (plan.c). */

#include <inttypes.h>
#include <lab/perf/perf.h>

static double seconds(weir_time time)
{
    return (double)time / (double)WEIR_SECOND;
}

static double milliseconds(weir_time time)
{
    return (double)time / (double)WEIR_MS;
}

/* A JSON string of printable ASCII. */
static void print_string(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putc('\\', out);
        putc(*text >= ' ' && *text <= '~' ? *text : '?', out);
    }
    putc('"', out);
}

static void print_plan(FILE *out, const struct perf_plan *plan)
{
    fprintf(out, "%s, %u stream%s", perf_mode_name(plan->mode), plan->parallel,
            plan->parallel == 1 ? "" : "s");
    if (plan->mode == PERF_BIDIR)
        fputs(" each way", out);
    if (plan->mode == PERF_PING_PONG)
        fprintf(out, ", %" PRIu32 " bytes", plan->size);
    if (plan->duration)
        fprintf(out, ", %g s", seconds(plan->duration));
    else
        fprintf(out, ", %" PRIu64 " bytes in all", plan->bytes);
}

void perf_report_begin(struct perf_report *report, const struct perf_plan *plan,
                       const struct weir_endpoint *peer, const char *profile)
{
    char addr[WEIR_ADDR_TEXT];

    report->rows = 0;
    weir_addr_print(&peer->addr, addr);
    if (!report->is_json) {
        fprintf(report->out, "%s port %u: ", addr, peer->port);
        print_plan(report->out, plan);
        fprintf(report->out, ", profile %s\n", profile);
        fflush(report->out);
        return;
    }
    fprintf(
        report->out,
        "{\"peer\": \"%s\", \"port\": %u, \"mode\": \"%s\", \"parallel\": %u, \"size\": %" PRIu32
        ", \"duration\": %g, \"bytes\": %" PRIu64 ", \"profile\": \"%s\", \"intervals\": [",
        addr, peer->port, perf_mode_name(plan->mode), plan->parallel, plan->size,
        seconds(plan->duration), plan->bytes, profile);
}

static void print_json_row(FILE *out, const struct perf_row *row)
{
    fprintf(out,
            "{\"from\": %.6f, \"to\": %.6f, \"direction\": \"%s\", \"bytes\": %" PRIu64
            ", \"bits_per_second\": %.0f, \"retransmissions\": %" PRIu64 ", \"rtt\": %.9f}",
            seconds(row->from), seconds(row->to), row->direction, row->bytes,
            perf_rate(row->bytes, row->to - row->from), row->retransmissions, seconds(row->rtt));
}

static void print_text_row(FILE *out, const struct perf_row *row)
{
    fprintf(out, "%9.3f %9.3f  %-3s %14" PRIu64 " %9.3f", seconds(row->from), seconds(row->to),
            row->direction, row->bytes, perf_rate(row->bytes, row->to - row->from) / 1e9);
    if (row->rtt)
        fprintf(out, " %6" PRIu64 " %9.3f", row->retransmissions, milliseconds(row->rtt));
    putc('\n', out);
}

static void print_head(FILE *out)
{
    fputs("   from s      to s  dir          bytes    Gbit/s   retr    rtt ms\n", out);
}

void perf_report_row(struct perf_report *report, const struct perf_row *row)
{
    if (report->is_json) {
        if (report->rows > 0)
            fputs(", ", report->out);
        print_json_row(report->out, row);
    } else {
        if (report->rows == 0)
            print_head(report->out);
        print_text_row(report->out, row);
    }
    report->rows++;
    fflush(report->out);
}

/* ---- Totals -------------------------------------------------------------------------------------------- */

static double per_second(uint64_t count, weir_time time)
{
    return time > 0 ? (double)count / seconds(time) : 0.0;
}

static void print_json_latency(FILE *out, const struct perf_histogram *latency, weir_time time)
{
    fprintf(out,
            ", \"operations\": %" PRIu64 ", \"per_second\": %.3f, \"latency\": {\"min\": %.9f, "
            "\"mean\": %.9f, \"p50\": %.9f, \"p99\": %.9f, \"max\": %.9f}",
            latency->count, per_second(latency->count, time), seconds(latency->least),
            seconds(perf_histogram_mean(latency)), seconds(perf_histogram_quantile(latency, 0.5)),
            seconds(perf_histogram_quantile(latency, 0.99)), seconds(latency->most));
}

static void print_json_end(FILE *out, const struct perf_result *result)
{
    fprintf(out, "], \"ended\": \"%s\", \"seconds\": %.6f", result->ended, seconds(result->time));
    if (result->error) {
        fputs(", \"error\": ", out);
        print_string(out, result->error);
    }
    fputs(", \"totals\": [", out);
    for (unsigned index = 0; index < result->row_count; index++) {
        if (index > 0)
            fputs(", ", out);
        print_json_row(out, &result->rows[index]);
    }
    putc(']', out);
    if (result->latency)
        print_json_latency(out, result->latency, result->time);
    fputs("}\n", out);
}

static void print_text_latency(FILE *out, enum perf_mode mode, const struct perf_histogram *latency,
                               weir_time time)
{
    fprintf(out, "%" PRIu64 " %s in %.3f s, %.1f a second\n", latency->count,
            mode == PERF_CONNECT ? "connections" : "round trips", seconds(time),
            per_second(latency->count, time));
    fprintf(out, "ms: least %.3f, mean %.3f, p50 %.3f, p99 %.3f, most %.3f\n",
            milliseconds(latency->least), milliseconds(perf_histogram_mean(latency)),
            milliseconds(perf_histogram_quantile(latency, 0.5)),
            milliseconds(perf_histogram_quantile(latency, 0.99)), milliseconds(latency->most));
}

void perf_report_end(struct perf_report *report, const struct perf_plan *plan,
                     const struct perf_result *result)
{
    if (report->is_json) {
        print_json_end(report->out, result);
    } else {
        if (result->row_count > 0 && report->rows > 0)
            fputs("in all\n", report->out);
        else if (result->row_count > 0)
            print_head(report->out);
        for (unsigned index = 0; index < result->row_count; index++)
            print_text_row(report->out, &result->rows[index]);
        if (result->latency)
            print_text_latency(report->out, plan->mode, result->latency, result->time);
    }
    fflush(report->out);
}
