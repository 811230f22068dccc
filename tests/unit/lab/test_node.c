/* SPDX-License-Identifier: MIT */

/* Nodes from lnx text: what the stack was told, what options change, and that every failure names
 * its cause and leaves no socket behind. UDP ports are chosen by the system, on 127.0.0.1. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <lab/node.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A UDP port that was free a moment ago, or is held by *fd if fd is not NULL. */
static unsigned some_port(int *fd)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof addr;
    int sock = socket(AF_INET, SOCK_DGRAM, 0);

    assert_true(sock >= 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(getsockname(sock, (struct sockaddr *)&addr, &length), 0);
    if (fd)
        *fd = sock;
    else
        close(sock);
    return ntohs(addr.sin_port);
}

static void parse(struct lnx *lnx, const char *text)
{
    struct lnx_error error;

    if (lnx_parse_text("x", text, strlen(text), lnx, &error))
        fail_msg("%s", error.text);
}

static struct weir_host *open_text(const char *text, const struct node_options *options,
                                   char *error)
{
    struct weir_host *host;
    struct lnx lnx;

    parse(&lnx, text);
    host = node_open(&lnx, options, error, NODE_ERROR_TEXT);
    lnx_done(&lnx);
    return host;
}

static void test_router(void **state)
{
    struct node_options options;
    struct weir_neighbour_row neighbour;
    struct weir_iface_row iface;
    struct weir_route_row route;
    char text[512], error[NODE_ERROR_TEXT];
    unsigned one = some_port(NULL), two = some_port(NULL);
    struct weir_host *host;
    struct weir_stack *stack;

    (void)state;
    snprintf(text, sizeof text,
             "interface if0 10.0.0.2/24 127.0.0.1:%u\n"
             "interface if1 10.1.0.1/24 127.0.0.1:%u\n"
             "# weir: impair if1 loss=0.5\n"
             "neighbor 10.0.0.1 at 127.0.0.1:4242 via if0\n"
             "neighbor 10.1.0.2 at 127.0.0.1:4243 via if1\n"
             "routing rip\nrip advertise-to 10.1.0.2\n"
             "route 10.9.0.0/16 via 10.1.0.2\n",
             one, two);
    node_options_init(&options);
    options.is_router = true;
    options.drop_rate = 0.25;
    host = open_text(text, &options, error);
    if (!host)
        fail_msg("%s", error);
    stack = weir_host_lock(host);
    assert_int_equal(weir_inspect_iface(stack, 1, &iface), 0);
    assert_string_equal(iface.name, "if1");
    assert_int_equal(iface.mtu, NODE_MTU);
    assert_true(iface.up);
    assert_int_equal(weir_inspect_neighbour(stack, 1, &neighbour), 0);
    assert_int_equal(neighbour.iface, 1);
    assert_true(neighbour.tag == weir_udp_tag(0x7f000001, 4243));
    assert_int_equal(weir_inspect_neighbour(stack, 2, &neighbour), WEIR_ENOENT);
    assert_int_equal(weir_inspect_route(stack, 2, &route), 0);
    assert_int_equal(route.kind, WEIR_ROUTE_STATIC);
    assert_int_equal(route.prefix.bits, 96 + 16);
    weir_host_unlock(host);
    weir_host_destroy(host);
}

static void test_rip_without_neighbours(void **state)
{
    struct node_options options;
    char text[128], error[NODE_ERROR_TEXT];
    struct weir_host *host;

    (void)state;
    snprintf(text, sizeof text, "interface if0 10.0.0.2/24 127.0.0.1:%u\nrouting rip\n",
             some_port(NULL));
    node_options_init(&options);
    options.is_router = true;
    host = open_text(text, &options, error);
    if (!host)
        fail_msg("%s", error);
    weir_host_destroy(host);
}

/* A node that fails gives back what it had bound already. */
static void test_port_taken(void **state)
{
    struct node_options options;
    char text[256], error[NODE_ERROR_TEXT], expected[128];
    unsigned first = some_port(NULL), taken;
    struct weir_host *host;
    int fd;

    (void)state;
    taken = some_port(&fd);
    snprintf(text, sizeof text,
             "interface if0 10.0.0.2/24 127.0.0.1:%u\ninterface if1 10.1.0.2/24 127.0.0.1:%u\n",
             first, taken);
    snprintf(expected, sizeof expected,
             "if1: cannot bind UDP address 127.0.0.1:%u: address already in use", taken);
    node_options_init(&options);
    assert_null(open_text(text, &options, error));
    assert_string_equal(error, expected);
    close(fd);
    host = open_text(text, &options, error);
    assert_non_null(host);
    weir_host_destroy(host);
}

static void test_address_of_another_machine(void **state)
{
    struct node_options options;
    char error[NODE_ERROR_TEXT];

    (void)state;
    node_options_init(&options);
    assert_null(open_text("interface if0 10.0.0.2/24 192.0.2.1:5000\n", &options, error));
    assert_string_equal(error,
                        "if0: cannot bind UDP address 192.0.2.1:5000: address not available");
}

/* The options reach the sockets: a host connects to itself, and shows what it was told. */
static void test_options(void **state)
{
    struct weir_endpoint local = {weir_addr_any4(), 80};
    struct weir_endpoint remote = {weir_addr_from4(0x0a000002), 80};
    struct node_options options;
    struct weir_tcp_info info;
    char text[128], error[NODE_ERROR_TEXT];
    struct weir_host *host;
    int listener, socket;

    (void)state;
    snprintf(text, sizeof text,
             "interface if0 10.0.0.2/24 127.0.0.1:%u\ntcp rto-min 700000\ntcp rto-max 800000\n",
             some_port(NULL));
    node_options_init(&options);
    options.retries = 3;
    options.time_wait_seconds = 0;
    host = open_text(text, &options, error);
    assert_non_null(host);
    listener = weir_socket(host, WEIR_TCP, 0);
    assert_int_equal(weir_bind(host, listener, &local), 0);
    assert_int_equal(weir_listen(host, listener, 1), 0);
    socket = weir_socket(host, WEIR_TCP, 0);
    assert_int_equal(weir_connect(host, socket, &remote), 0);
    assert_int_equal(weir_tcp_info(host, socket, &info), 0);
    assert_int_equal(info.mss, 1360);
    assert_true(info.rto >= 700 * WEIR_MS && info.rto <= 800 * WEIR_MS);
    weir_host_destroy(host);
}

/* A capture begins before RIP says its first word; one that cannot begin leaves no node. */
static void test_capture(void **state)
{
    struct node_options options;
    struct capture_counts counts;
    struct recorder *recorder = NULL;
    struct weir_host *host;
    char text[512], error[NODE_ERROR_TEXT], path[] = "/tmp/test_node_XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    snprintf(text, sizeof text,
             "interface if0 10.0.0.2/24 127.0.0.1:%u\n"
             "neighbor 10.0.0.1 at 127.0.0.1:4242 via if0\n"
             "routing rip\nrip advertise-to 10.0.0.1\n",
             some_port(NULL));
    node_options_init(&options);
    options.is_router = true;
    options.capture = path;
    options.recorder = &recorder;
    host = open_text(text, &options, error);
    assert_non_null(host);
    assert_non_null(recorder);
    assert_int_equal(recorder_finish(recorder, &counts), 0);
    assert_true(counts.packets >= 1);
    weir_host_destroy(host);
    unlink(path);
    options.capture = "/no/such/folder/x";
    assert_null(open_text(text, &options, error));
    assert_null(recorder);
    assert_non_null(strstr(error, "/no/such/folder/x: No such file or directory"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_router),     cmocka_unit_test(test_rip_without_neighbours),
        cmocka_unit_test(test_port_taken), cmocka_unit_test(test_address_of_another_machine),
        cmocka_unit_test(test_options),    cmocka_unit_test(test_capture),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
