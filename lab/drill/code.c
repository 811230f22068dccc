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
#include <lab/linux/info.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>

#define PYTHON_MS 10000

struct look {
    struct weir_tcp_info info;
    weir_time now;
};

static bool look_up(void *context, const char *name, int64_t *value)
{
    const struct look *look = context;
    struct tcp_info shown;

    if (strncmp(name, "tcpi_", 5) != 0)
        return name_value(name, value);
    linux_tcp_info_from(&look->info, look->now, &shown);
    if (linux_tcp_info_field(&shown, name, value))
        return true;
    *value = look->info.rcv_wnd; /* newer than the headers we may be built with */
    return !strcmp(name, "tcpi_rcv_wnd");
}

/* Writes the snippet down for python3, where that is allowed. */
static void note_code(struct run *run, const struct event *event, struct look *look)
{
    if (!run->options->allow_code)
        return;
    if (!run->code)
        run->code = open_memstream(&run->code_text, &run->code_size);
    if (run->code)
        python_write(run->code, event->where.line, event->text, look_up, look);
}

void run_code(struct run *run, const struct event *event)
{
    int socket = run->current ? conn_socket(run, run->current) : run->code_socket;
    struct look look = {.info.state = WEIR_STATE_CLOSED, .now = run->now};
    char text[EVAL_TEXT];

    if (socket >= 0 && weir_tcp_info_get(run->stack, socket, run->now, &look.info) < 0)
        look.info.state = WEIR_STATE_CLOSED;
    note_code(run, event, &look);
    switch (eval_run(event->text, look_up, &look, &run->variables, text)) {
    case EVAL_FAILS:
        if ((strstr(text, "tcpi_snd_cwnd") || strstr(text, "tcpi_snd_ssthresh")) &&
            losses_skip(run, event))
            return;
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
