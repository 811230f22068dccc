/* SPDX-License-Identifier: MIT */

/* Client and server of weir perf, two nodes in this process: every mode to its end, figures that both
 * ends agree on, strangers at the server's port, ends that go away, and Ctrl-C. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <lab/node.h>
#include <lab/perf/perf.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/error.h>

#define SERVER "10.9.0.2"

/* One end, and all that it says. */
struct end {
    struct weir_host *host;
    struct perf_options options;
    char *out, *errors;
    size_t out_length, errors_length;
    int signals[2]; /* a pipe in place of the signals */
    int status;
    pthread_t thread;
};

static uint16_t free_port(int *fd)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(local);

    *fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&local, sizeof(local)), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&local, &length), 0);
    return ntohs(local.sin_port);
}

static struct weir_host *open_node(int number, const uint16_t *ports)
{
    char text[256], error[NODE_ERROR_TEXT];
    struct node_options options;
    struct lnx_error lnx_error;
    struct weir_host *host;
    struct lnx lnx;
    int length = snprintf(text, sizeof(text),
                          "interface if0 10.9.0.%d/24 127.0.0.1:%u\n"
                          "neighbor 10.9.0.%d at 127.0.0.1:%u via if0\n"
                          "routing static\n",
                          number, ports[number - 1], 3 - number, ports[2 - number]);

    assert_int_equal(lnx_parse_text("node", text, (size_t)length, &lnx, &lnx_error), 0);
    node_options_init(&options);
    host = node_open(&lnx, &options, error, sizeof(error));
    lnx_done(&lnx);
    return host;
}

static void open_end(struct end *end, struct weir_host *host)
{
    memset(end, 0, sizeof(*end));
    end->host = host;
    assert_int_equal(pipe2(end->signals, O_NONBLOCK), 0);
    end->options = (struct perf_options){
        .plan = {.parallel = 1, .size = 64},
        .server = {.port = PERF_PORT},
        .profile = "brown",
        .signal_fd = end->signals[0],
        .out = open_memstream(&end->out, &end->out_length),
        .errors = open_memstream(&end->errors, &end->errors_length),
    };
    assert_int_equal(weir_addr_parse(SERVER, &end->options.server.addr), 0);
}

static void close_end(struct end *end)
{
    fclose(end->options.out);
    fclose(end->options.errors);
    free(end->out);
    free(end->errors);
    close(end->signals[0]);
    close(end->signals[1]);
    weir_host_destroy(end->host);
}

/* Ends 0 and 1: client and server. */
static void open_ends(struct end *ends)
{
    struct weir_host *hosts[2] = {NULL, NULL};
    uint16_t ports[2];
    int fds[2];

    for (int tries = 0; tries < 20 && !hosts[1]; tries++) {
        weir_host_destroy(hosts[0]);
        for (int index = 0; index < 2; index++)
            ports[index] = free_port(&fds[index]);
        close(fds[0]);
        close(fds[1]);
        hosts[0] = open_node(1, ports);
        hosts[1] = hosts[0] ? open_node(2, ports) : NULL;
    }
    assert_non_null(hosts[1]);
    open_end(&ends[0], hosts[0]);
    open_end(&ends[1], hosts[1]);
}

/* What the thread of a signal's handler would make readable. */
static void interrupt(const struct end *end)
{
    static const struct signalfd_siginfo info;

    assert_int_equal(write(end->signals[1], &info, sizeof(info)), sizeof(info));
}

static void *run_server(void *argument)
{
    struct end *end = argument;

    end->status = perf_server(end->host, &end->options);
    return NULL;
}

static void *run_client(void *argument)
{
    struct end *end = argument;

    end->status = perf_client(end->host, &end->options);
    return NULL;
}

static void start(struct end *end, void *(*run)(void *))
{
    assert_int_equal(pthread_create(&end->thread, NULL, run, end), 0);
}

static void join(struct end *end)
{
    assert_int_equal(pthread_join(end->thread, NULL), 0);
    fflush(end->options.out);
    fflush(end->options.errors);
}

/* The number that follows the nth `key` in JSON. */
static double number_after(const char *text, const char *key, int nth)
{
    const char *at = text;

    for (; at && nth >= 0; nth--) {
        at = strstr(at, key);
        if (at)
            at += strlen(key);
    }
    if (!at) {
        fail_msg("no %s in %s", key, text);
        return 0;
    }
    return strtod(at, NULL);
}

/* ---- Tests that go well ---------------------------------------------------------------------------- */

static void check_mode(enum perf_mode mode, unsigned parallel, uint64_t bytes)
{
    static struct end ends[2];
    const char *totals;

    open_ends(ends);
    ends[1].options.is_once = ends[1].options.is_json = ends[0].options.is_json = true;
    ends[0].options.plan.mode = mode;
    ends[0].options.plan.parallel = parallel;
    ends[0].options.plan.bytes = bytes;
    ends[0].options.plan.duration = bytes ? 0 : 100 * WEIR_MS;
    start(&ends[1], run_server);
    start(&ends[0], run_client);
    join(&ends[0]);
    join(&ends[1]);
    print_message("%s", ends[0].out);
    assert_string_equal(ends[0].errors, "");
    assert_string_equal(ends[1].errors, "");
    assert_int_equal(ends[0].status, 0);
    assert_int_equal(ends[1].status, 0);
    assert_non_null(strstr(ends[0].out, bytes ? "\"ended\": \"bytes\"" : "\"ended\": \"time\""));
    totals = strstr(ends[0].out, "\"totals\"");
    assert_non_null(totals);
    if (mode == PERF_PING_PONG || mode == PERF_CONNECT) {
        assert_true(number_after(totals, "\"operations\": ", 0) >= (bytes ? 1 : (double)parallel));
        assert_true(number_after(totals, "\"min\": ", 0) > 0);
    } else {
        double ours = number_after(totals, "\"bytes\": ", 0);
        double theirs = number_after(strstr(ends[1].out, "\"totals\""), "\"bytes\": ", 0);

        assert_true(ours > 0);
        if (bytes)
            assert_true(ours == (double)bytes);
        if (mode != PERF_BIDIR)
            assert_true(ours == theirs);
        else
            assert_true(number_after(totals, "\"bytes\": ", 1) > 0);
    }
    close_end(&ends[0]);
    close_end(&ends[1]);
}

static void test_modes_by_bytes(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < PERF_CONNECT; mode++) {
        check_mode((enum perf_mode)mode, 1, 300000);
        check_mode((enum perf_mode)mode, 5, 1234567);
        check_mode((enum perf_mode)mode, 3, 1); /* two streams have nothing to send */
    }
}

static void test_modes_by_time(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < PERF_MODE_COUNT; mode++) {
        check_mode((enum perf_mode)mode, 1, 0);
        check_mode((enum perf_mode)mode, 20, 0);
    }
}

static void test_rows(void **state)
{
    static struct end ends[2];

    (void)state;
    open_ends(ends);
    ends[1].options.is_once = true;
    ends[0].options.plan.duration = 250 * WEIR_MS;
    ends[0].options.interval = 50 * WEIR_MS;
    start(&ends[1], run_server);
    start(&ends[0], run_client);
    join(&ends[0]);
    join(&ends[1]);
    assert_int_equal(ends[0].status, 0);
    assert_non_null(strstr(ends[0].out, "from s"));
    assert_non_null(strstr(ends[0].out, "  out "));
    assert_non_null(strstr(ends[0].out, "in all\n"));
    assert_non_null(strstr(ends[1].out, "listening on port 5201\n"));
    assert_non_null(strstr(ends[1].out, "  in "));
    close_end(&ends[0]);
    close_end(&ends[1]);
}

/* ---- Trouble ---------------------------------------------------------------------------------------- */

static void test_nobody_listens(void **state)
{
    static struct end ends[2];

    (void)state;
    open_ends(ends);
    ends[0].options.plan.bytes = 1;
    start(&ends[0], run_client);
    weir_host_wait(ends[1].host, NULL, 0, 500 * WEIR_MS); /* time in which it refuses */
    join(&ends[0]);
    assert_int_equal(ends[0].status, 1);
    assert_string_equal(ends[0].errors, "weir perf: cannot connect: connection refused\n");
    assert_string_equal(ends[0].out, "");
    close_end(&ends[0]);
    close_end(&ends[1]);
}

/* A connection to the server from beside the client, which says something and reads the answer. */
static int stranger(struct end *end, const char *says, char *answer, size_t size)
{
    int socket = weir_socket(end->host, WEIR_TCP, 0);
    long got = 0, count = 0;

    assert_int_equal(weir_connect(end->host, socket, &end->options.server), 0);
    assert_int_equal(weir_send(end->host, socket, says, strlen(says), 0), strlen(says));
    memset(answer, 0, size);
    while (!strchr(answer, '\n') && (size_t)got + 1 < size &&
           (count = weir_recv(end->host, socket, answer + got, size - 1 - (size_t)got)) > 0)
        got += count;
    return socket;
}

static void check_refused(struct end *end, const char *says)
{
    char answer[64];
    int socket = stranger(end, says, answer, sizeof(answer));

    assert_string_equal(answer, "");
    weir_close(end->host, socket);
}

static void test_strangers(void **state)
{
    static struct end ends[2];
    char answer[200], text[400];
    int control, other;

    (void)state;
    open_ends(ends);
    start(&ends[1], run_server);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    check_refused(&ends[0], "GET / HTTP/1.1\r\n");
    check_refused(&ends[0], text); /* no line at all */
    check_refused(&ends[0], "start\n");
    check_refused(&ends[0], "join 0000000000000000 0\n");
    check_refused(&ends[0], "weir-perf 1 bulk 1 64 999999999 0\n");
    control = stranger(&ends[0], "weir-perf 1 bulk 2 64 0 10\n", answer, sizeof(answer));
    assert_memory_equal(answer, "go ", 3);
    other = stranger(&ends[0], "weir-perf 1 bulk 1 64 0 1\n", text, sizeof(text));
    assert_string_equal(text, "no busy with another test\n");
    weir_close(ends[0].host, other);
    check_refused(&ends[0], "join 0123456789abcdef 0\n"); /* of no test */
    snprintf(text, sizeof(text), "join %.16s 2\n", answer + 3);
    check_refused(&ends[0], text); /* a stream too many */
    snprintf(text, sizeof(text), "join %.16s 0\nand more\n", answer + 3);
    check_refused(&ends[0], text);
    weir_close(ends[0].host, control); /* the client goes before its test has begun */
    /* After all that the server serves. */
    ends[0].options.plan.bytes = 5000;
    start(&ends[0], run_client);
    join(&ends[0]);
    assert_string_equal(ends[0].errors, "");
    assert_int_equal(ends[0].status, 0);
    interrupt(&ends[1]);
    join(&ends[1]);
    assert_int_equal(ends[1].status, 0);
    assert_non_null(strstr(ends[1].out, "the client has gone\n"));
    assert_non_null(strstr(ends[1].out, "           5000 "));
    close_end(&ends[0]);
    close_end(&ends[1]);
}

/* Waits until the test runs: opening it takes no more than a score of segments. */
static void wait_for_traffic(const struct end *end)
{
    weir_time deadline = weir_host_now() + 20 * WEIR_SECOND;
    uint64_t segments = 0;

    while (segments < 100) {
        const struct weir_counters *counters = weir_inspect_counters(weir_host_lock(end->host));

        segments = counters->counter[WEIR_COUNT_SEGMENTS_IN];
        weir_host_unlock(end->host);
        assert_true(weir_host_now() < deadline);
        sched_yield();
    }
}

static void test_interrupted_client(void **state)
{
    static struct end ends[2];

    (void)state;
    for (unsigned mode = 0; mode < PERF_MODE_COUNT; mode++) {
        open_ends(ends);
        ends[1].options.is_once = true;
        ends[0].options.is_json = true;
        ends[0].options.plan.mode = (enum perf_mode)mode;
        ends[0].options.plan.duration = 3600 * WEIR_SECOND;
        ends[0].options.interval = 50 * WEIR_MS;
        start(&ends[1], run_server);
        start(&ends[0], run_client);
        wait_for_traffic(&ends[0]);
        interrupt(&ends[0]);
        join(&ends[0]);
        join(&ends[1]);
        print_message("%s%s", ends[0].out, ends[0].errors);
        assert_int_equal(ends[0].status, 0);
        assert_non_null(strstr(ends[0].out, "\"ended\": \"interrupt\""));
        assert_non_null(strstr(ends[0].out, "}\n"));
        close_end(&ends[0]);
        close_end(&ends[1]);
    }
}

static void test_interrupted_server(void **state)
{
    static struct end ends[2];

    (void)state;
    open_ends(ends);
    ends[0].options.plan.duration = 3600 * WEIR_SECOND;
    start(&ends[1], run_server);
    start(&ends[0], run_client);
    wait_for_traffic(&ends[0]);
    interrupt(&ends[1]);
    join(&ends[1]);
    join(&ends[0]);
    assert_int_equal(ends[1].status, 0);
    assert_non_null(strstr(ends[1].out, "interrupted\n"));
    assert_int_equal(ends[0].status, 1);
    assert_non_null(strstr(ends[0].errors, "weir perf: "));
    assert_non_null(strstr(ends[0].out, "  out ")); /* totals all the same */
    close_end(&ends[0]);
    close_end(&ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_by_bytes),
        cmocka_unit_test(test_modes_by_time),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_interrupted_client),
        cmocka_unit_test(test_interrupted_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
