/* SPDX-License-Identifier: MIT */

/* What vhost and vrouter have in common, which is all but one bit.
 *
 * Flags, then the lnx file, then the node's sockets, then its control socket (so that a node which
 * answers there is up), then the prompt until it ends. Each step that
 * fails says why in one line on stderr and sets the exit status: 2 for wrong usage, 1 for a config
 * that cannot be read, parsed or brought up, 0 else. Everything that happens at the prompt goes to
 * stdout and does not change the status, unless stdout could not take it: 1.
 */

#include <cmd/flags.h>
#include <cmd/node_main.h>
#include <cmd/repl/control.h>
#include <cmd/repl/repl.h>
#include <stdio.h>

static int usage(const char *program, const char *error)
{
    char text[FLAGS_USAGE_TEXT];

    fprintf(stderr, "%s: %s\n%s", program, error, flags_usage(program, text, sizeof text));
    return 2;
}

static int run(const char *program, const struct flags *flags, const struct lnx *lnx)
{
    struct node_options node = flags->node;
    struct repl_options options = {
        .is_router = flags->node.is_router, .log_level = flags->log_level, .program = program};
    char error[NODE_ERROR_TEXT + CONTROL_ERROR_TEXT];
    struct weir_host *host;
    int status;

    node.recorder = &options.recorder;
    options.capture = node.capture;
    host = node_open(lnx, &node, error, sizeof error);
    if (!host) {
        fprintf(stderr, "%s: %s: %s\n", program, flags->config, error);
        return 1;
    }
    if (flags->control)
        options.control = control_create(flags->control, error);
    if (flags->control && !options.control) {
        fprintf(stderr, "%s: %s\n", program, error);
        recorder_finish(options.recorder, NULL);
        weir_host_destroy(host);
        return 1;
    }
    if (flags->log_level >= LOG_INFO)
        fprintf(stderr, "%s: %s: %zu interfaces, %zu neighbours\n", program, flags->config,
                lnx->iface_count, lnx->neighbour_count);
    status = repl_run(host, &options);
    control_destroy(options.control);
    weir_host_destroy(host);
    if (status)
        fprintf(stderr, "%s: cannot write to standard output\n", program);
    return status;
}

int node_main(int argc, char **argv, bool is_router)
{
    const char *program = is_router ? "vrouter" : "vhost";
    char error[FLAGS_ERROR_TEXT];
    char text[FLAGS_USAGE_TEXT];
    struct lnx_error lnx_error;
    struct flags flags;
    struct lnx lnx;
    int status;

    if (flags_parse(argc, argv, &flags, error))
        return usage(program, error);
    if (flags.help) {
        printf("%s", flags_usage(program, text, sizeof text));
        return 0;
    }
    flags.node.is_router = is_router;
    if (lnx_parse_file(flags.config, &lnx, &lnx_error)) {
        fprintf(stderr, "%s: %s\n", program, lnx_error.text);
        return 1;
    }
    status = run(program, &flags, &lnx);
    lnx_done(&lnx);
    return status;
}
