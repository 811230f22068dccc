/* SPDX-License-Identifier: MIT */

/* weir perf: one end of a measurement, on the node of an lnx file.
 *
 * This file reads the command line, brings the node up and hands over to lab/perf. SIGINT and SIGTERM
 * are taken as a descriptor, so that the thread which waits for packets hears of them in the same
 * wait. The exit status is 0, 1 if the node or the test has failed, 2 for wrong usage. */

#include <cmd/verbs.h>
#include <errno.h>
#include <lab/node.h>
#include <lab/perf/perf.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weir/error.h>

static const char usage_text[] =
    "usage: weir perf --server --net NODE.lnx [--port N] [--once] [--json] [--profile NAME]\n"
    "       weir perf --client ADDRESS --net NODE.lnx [options]\n"
    "  --net FILE      the node that this process is\n"
    "  --server        wait for tests, one at a time\n"
    "  --client ADDR   measure with the server at this virtual address\n"
    "  --port N        the server's port (5201)\n"
    "  --time S        for so many seconds (10)\n"
    "  --bytes N       until so many bytes are sent; k, M and G may follow (10^3, 10^6, 10^9),\n"
    "                  Ki, Mi and Gi too (2^10, 2^20, 2^30)\n"
    "  --reverse       the server sends\n"
    "  --bidir         both send\n"
    "  --ping-pong     messages there and back, one at a time a stream\n"
    "  --connect       connections, one after the other a stream\n"
    "  --size N        bytes of a ping-pong message (64)\n"
    "  --parallel N    so many streams at a time (1)\n"
    "  --interval S    seconds from row to row (1; 0: only totals)\n"
    "  --once          the server ends after one test\n"
    "  --profile NAME  brown (as if not given), default, strict or linux\n"
    "  --json          one object of JSON instead of text\n"
    "status: 0, 1 the test failed, 2 wrong usage\n";

struct words {
    struct perf_options perf;
    struct node_options node;
    const char *net, *client;
    bool is_server, has_mode, has_help;
};

/* ---- Values -------------------------------------------------------------------------------------- */

static bool parse_decimal(const char *text, double most, double *number)
{
    char *end;

    if ((*text < '0' || *text > '9') && *text != '.')
        return false;
    *number = strtod(text, &end);
    return end != text && !*end && *number >= 0 && *number <= most;
}

static bool parse_time(const char *text, weir_time *time)
{
    double seconds;

    if (!parse_decimal(text, (double)PERF_TIME_MAX / 1e9, &seconds))
        return false;
    *time = (weir_time)llround(seconds * 1e3) * WEIR_MS;
    return true;
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return !*end && !errno && *number >= least && *number <= most;
}

static bool parse_unsigned(const char *text, unsigned most, unsigned *number)
{
    uint64_t value;
    bool fits = parse_number(text, 1, most, &value);

    if (fits)
        *number = (unsigned)value;
    return fits;
}

static bool parse_bytes(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"", 1},        {"k", 1e3},        {"M", 1e6},          {"G", 1e9},
                 {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}};
    char *end;
    double number;

    if (*text < '0' || *text > '9')
        return false;
    number = strtod(text, &end);
    for (size_t index = 0; index < sizeof(units) / sizeof(units[0]); index++) {
        double value = number * units[index].factor;

        if (strcmp(end, units[index].suffix) == 0 && value >= 1 && value <= 1e18) {
            *bytes = (uint64_t)value;
            return true;
        }
    }
    return false;
}

/* ---- Words ---------------------------------------------------------------------------------------- */

static bool take_mode(struct words *words, enum perf_mode mode)
{
    bool is_first = !words->has_mode;

    words->has_mode = true;
    words->perf.plan.mode = mode;
    return is_first;
}

/* Returns 1; 0: the flag is wrong here; -1: it is none. */
static int take_flag(struct words *words, const char *name)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--server", &words->is_server},
                 {"--once", &words->perf.is_once},
                 {"--json", &words->perf.is_json},
                 {"--help", &words->has_help}};
    enum perf_mode mode;

    for (size_t index = 0; index < sizeof(flags) / sizeof(flags[0]); index++) {
        if (strcmp(name, flags[index].name) == 0) {
            *flags[index].flag = true;
            return 1;
        }
    }
    if (strncmp(name, "--", 2) == 0 && strcmp(name, "--bulk") != 0 &&
        perf_mode_parse(name + 2, &mode) == 0)
        return take_mode(words, mode);
    return -1;
}

/* Returns 1; 0: the value is wrong; -1: there is no such option. */
static int take_value(struct words *words, const char *name, const char *value)
{
    struct perf_options *perf = &words->perf;
    unsigned number = 0;
    bool fits = true;

    if (strcmp(name, "--net") == 0) {
        words->net = value;
    } else if (strcmp(name, "--client") == 0) {
        words->client = value;
        fits = weir_addr_parse(value, &perf->server.addr) == 0;
    } else if (strcmp(name, "--port") == 0) {
        fits = parse_unsigned(value, 65535, &number);
        perf->server.port = (uint16_t)number;
    } else if (strcmp(name, "--time") == 0) {
        fits = parse_time(value, &perf->plan.duration) && perf->plan.duration > 0;
    } else if (strcmp(name, "--bytes") == 0) {
        fits = parse_bytes(value, &perf->plan.bytes);
    } else if (strcmp(name, "--size") == 0) {
        fits = parse_unsigned(value, PERF_SIZE_MAX, &number);
        perf->plan.size = number;
    } else if (strcmp(name, "--parallel") == 0) {
        fits = parse_unsigned(value, PERF_PARALLEL_MAX, &perf->plan.parallel);
    } else if (strcmp(name, "--interval") == 0) {
        fits = parse_time(value, &perf->interval);
    } else if (strcmp(name, "--profile") == 0) {
        fits = weir_profile_parse(value, &words->node.profile) == 0;
        perf->profile = value;
    } else {
        return -1;
    }
    return fits;
}

static int complain(const char *what, const char *name)
{
    fprintf(stderr, "weir perf: %s%s\n%s", what, name, usage_text);
    return 2;
}

/* An option with the wrong value, or a second mode. */
static int complain_of(const char *name, const char *value)
{
    static const struct {
        const char *name, *expected;
    } rows[] = {{"--client", "an address like 10.1.0.2"},
                {"--port", "a port from 1 to 65535"},
                {"--time", "seconds from 0.001 to a day"},
                {"--bytes", "a number from 1 up, behind it perhaps k, M, G, Ki, Mi or Gi"},
                {"--size", "bytes from 1 to 65536"},
                {"--parallel", "streams from 1 to 128"},
                {"--interval", "seconds, or 0 for none"},
                {"--profile", "brown, default, strict or linux"}};
    char text[300];

    for (size_t index = 0; index < sizeof(rows) / sizeof(rows[0]); index++) {
        if (strcmp(name, rows[index].name) == 0) {
            snprintf(text, sizeof(text), "%s: bad value \"%.60s\", expected %s", name, value,
                     rows[index].expected);
            return complain(text, "");
        }
    }
    return complain("a test has one mode, so this is one too many: ", name);
}

/* Checks what the words say together. */
static int check(struct words *words)
{
    struct perf_plan *plan = &words->perf.plan;

    if (words->is_server == (words->client != NULL))
        return complain("one of --server and --client is needed", "");
    if (!words->net)
        return complain("--net is needed", "");
    if (words->is_server && (words->has_mode || plan->duration || plan->bytes))
        return complain("what is measured is the client's to say", "");
    if (plan->bytes && plan->mode == PERF_CONNECT)
        return complain("--connect has no --bytes", "");
    if (plan->bytes && plan->duration)
        return complain("--time and --bytes exclude each other", "");
    if (!plan->bytes && !plan->duration)
        plan->duration = 10 * WEIR_SECOND;
    return 0;
}

/* Returns 0, or the exit status. */
static int parse(int argc, char **argv, struct words *words)
{
    for (int index = 1; index < argc; index++) {
        char *equals = strchr(argv[index], '=');
        const char *value = equals ? equals + 1 : index + 1 < argc ? argv[index + 1] : NULL;
        int taken = equals ? -1 : take_flag(words, argv[index]);

        if (taken > 0)
            continue;
        if (equals)
            *equals = '\0';
        if (taken < 0 && value)
            taken = take_value(words, argv[index], value);
        if (taken == 0)
            return complain_of(argv[index], value);
        if (taken < 0)
            return complain("unknown or without a value: ", argv[index]);
        index += !equals;
    }
    return words->has_help ? 0 : check(words);
}

/* ---- Running ---------------------------------------------------------------------------------------- */

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int run(struct words *words, const struct lnx *lnx)
{
    char error[NODE_ERROR_TEXT];
    struct weir_host *host = node_open(lnx, &words->node, error, sizeof(error));
    int status;

    if (!host) {
        fprintf(stderr, "weir perf: %s: %s\n", words->net, error);
        return 1;
    }
    words->perf.signal_fd = open_signals();
    status = words->is_server ? perf_server(host, &words->perf) : perf_client(host, &words->perf);
    if (words->perf.signal_fd >= 0)
        close(words->perf.signal_fd);
    weir_host_destroy(host);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "weir perf: cannot write to standard output\n");
        return 1;
    }
    return status;
}

int verb_perf(int argc, char **argv)
{
    struct words words = {.perf = {.plan = {.parallel = 1, .size = 64},
                                   .server = {.port = PERF_PORT},
                                   .interval = WEIR_SECOND,
                                   .profile = "brown",
                                   .out = stdout,
                                   .errors = stderr}};
    struct lnx_error lnx_error;
    struct lnx lnx;
    int status;

    node_options_init(&words.node);
    status = parse(argc, argv, &words);
    if (status)
        return status;
    if (words.has_help) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (lnx_parse_file(words.net, &lnx, &lnx_error)) {
        fprintf(stderr, "weir perf: %s\n", lnx_error.text);
        return 1;
    }
    status = run(&words, &lnx);
    lnx_done(&lnx);
    return status;
}
