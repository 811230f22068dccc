/* SPDX-License-Identifier: MIT */

/* %{ }%: asserts about the connection, in Linux's tcp_info. What weir does not know has no value
 * here, and a script that asks for it is skipped with its name.
 *
 * What the evaluator cannot read makes the script skipped, or, with --allow-code, is left to python3:
 * then all snippets are run by it once more when the script has ended, within PYTHON_MS. */

#include <lab/drill/eval.h>
#include <lab/drill/names.h>
#include <lab/drill/python.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define PYTHON_MS 10000

/* Linux's numbers of the states, in weir's order. */
static const int64_t states[WEIR_STATE_COUNT] = {
    [WEIR_STATE_CLOSED] = 7,       [WEIR_STATE_LISTEN] = 10,     [WEIR_STATE_SYN_SENT] = 2,
    [WEIR_STATE_SYN_RECEIVED] = 3, [WEIR_STATE_ESTABLISHED] = 1, [WEIR_STATE_FIN_WAIT_1] = 4,
    [WEIR_STATE_FIN_WAIT_2] = 5,   [WEIR_STATE_CLOSE_WAIT] = 8,  [WEIR_STATE_CLOSING] = 11,
    [WEIR_STATE_LAST_ACK] = 9,     [WEIR_STATE_TIME_WAIT] = 6,
};

static int64_t segments(uint32_t bytes, uint32_t mss, bool up)
{
    return mss ? (bytes + (up ? mss - 1 : 0)) / mss : 0;
}

static int64_t ssthresh_of(const struct weir_tcp_info *info)
{
    return info->ssthresh >= INT32_MAX ? INT32_MAX : segments(info->ssthresh, info->mss, false);
}

static bool look_up(void *context, const char *name, int64_t *value)
{
    static const int64_t ca_states[] = {0, 3, 4};
    const struct weir_tcp_info *info = context;
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {
        {"tcpi_state", states[info->state]},
        {"tcpi_ca_state", ca_states[info->congestion_recovery % 3]},
        {"tcpi_retransmits", info->backoffs},
        {"tcpi_backoff", info->backoffs},
        {"tcpi_rto", info->rto / WEIR_US},
        {"tcpi_snd_mss", info->mss},
        {"tcpi_unacked", segments(info->snd_nxt - info->snd_una, info->mss, true)},
        {"tcpi_rtt", info->srtt / WEIR_US},
        {"tcpi_rttvar", info->rttvar / WEIR_US},
        {"tcpi_snd_ssthresh", ssthresh_of(info)},
        {"tcpi_snd_cwnd", segments(info->cwnd, info->mss, false)},
        {"tcpi_total_retrans", (int64_t)info->retransmissions},
        {"tcpi_bytes_acked", (int64_t)info->bytes_acked},
        {"tcpi_bytes_received", (int64_t)info->bytes_received},
        {"tcpi_bytes_retrans", (int64_t)info->bytes_retransmitted},
        {"tcpi_segs_out", (int64_t)info->segments_sent},
        {"tcpi_segs_in", (int64_t)info->segments_received},
        {"tcpi_snd_wnd", info->snd_wnd},
        {"tcpi_rcv_wnd", info->rcv_wnd},
    };
    size_t i;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!strcmp(fields[i].name, name)) {
            *value = fields[i].value;
            return true;
        }
    }
    return strncmp(name, "tcpi_", 5) != 0 && name_value(name, value);
}

/* Writes the snippet down for python3, where that is allowed. */
static void note_code(struct run *run, const struct event *event, struct weir_tcp_info *info)
{
    if (!run->options->allow_code)
        return;
    if (!run->code)
        run->code = open_memstream(&run->code_text, &run->code_size);
    if (run->code)
        python_write(run->code, event->where.line, event->text, look_up, info);
}

void run_code(struct run *run, const struct event *event)
{
    int socket = run->current ? conn_socket(run, run->current) : run->code_socket;
    struct weir_tcp_info info = {.state = WEIR_STATE_CLOSED};
    char text[EVAL_TEXT];

    if (socket >= 0 && weir_tcp_info_get(run->stack, socket, run->now, &info) < 0)
        info.state = WEIR_STATE_CLOSED;
    note_code(run, event, &info);
    switch (eval_run(event->text, look_up, &info, &run->variables, text)) {
    case EVAL_FAILS:
        run_fail(run, event, "%s", text);
        break;
    case EVAL_UNKNOWN:
        run_skip(run, event, "the variable %s", text);
        break;
    case EVAL_UNREAD:
        if (!run->options->allow_code)
            run_skip(run, event, "code that is no plain assert: %s", text);
        run->needs_python = true;
        break;
    case EVAL_HOLDS:
    default:
        break;
    }
}

void run_python(struct run *run)
{
    char said[PYTHON_SAID], name[EVAL_NAME];
    const char *unknown;

    if (!run->needs_python || run->ended || !run->code)
        return;
    fflush(run->code);
    if (python_run(run->code_text, run->code_size, PYTHON_MS, said) == 0)
        return;
    unknown = strstr(said, "NameError: name 'tcpi_");
    if (unknown && sscanf(unknown, "NameError: name '%63[a-z_]", name) == 1)
        run_skip(run, NULL, "the variable %s", name);
    else
        run_fail(run, NULL, "the code of this script fails\n%s", said);
}

void code_done(struct run *run)
{
    if (run->code)
        fclose(run->code);
    free(run->code_text);
}
