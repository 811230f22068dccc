/* SPDX-License-Identifier: MIT */

/* lnx files: what a whole file becomes, a table of single lines that are fine, a table of faults
 * with their exact messages, the limits, and random damage (which may be refused, never crash). */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lab/lnx.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IFACE "interface if0 10.0.0.1/24 127.0.0.1:5000\n"
#define NEIGHBOR "neighbor 10.0.0.2 at 127.0.0.1:5001 via if0\n"

static int parse(const char *text, struct lnx *lnx, struct lnx_error *error)
{
    return lnx_parse_text("x.lnx", text, strlen(text), lnx, error);
}

static void assert_addr(const struct weir_addr *addr, const char *expected)
{
    char text[WEIR_ADDR_TEXT];

    assert_string_equal(weir_addr_print(addr, text), expected);
}

static const char router[] = "# r1, a router\n"
                             "interface if0 10.0.0.2/24 127.0.0.1:5001\n"
                             "\n"
                             "  interface if1 10.1.0.1/30 127.0.0.2:5002 # to r2\r\n"
                             "neighbor 10.0.0.1 at 127.0.0.1:5000 via if0\n"
                             "neighbor\t10.1.0.2   at 127.0.0.1:5003 via if1\t\n"
                             "routing rip\n"
                             "route 10.9.0.0/16 via 10.1.0.2\n"
                             "rip advertise-to 10.1.0.2\n"
                             "rip periodic-update-rate 2500 # ms\n"
                             "rip route-timeout-threshold 6000\n"
                             "rip originate prefix 10.0.0.0/24\n"
                             "tcp rto-min 2000\n"
                             "tcp rto-max 7000000\n"
                             "# weir: impair if1 loss=0.02 delay_ms=10\n"
                             "#weir: is no comment of ours, is it";

static void test_whole_file(void **state)
{
    struct lnx lnx;
    struct lnx_error error;
    char text[sizeof router];

    (void)state;
    memcpy(text, router, sizeof router);
    *strrchr(text, '#') = '\0'; /* the last line is for another test */
    assert_int_equal(parse(text, &lnx, &error), 0);
    assert_int_equal(lnx.iface_count, 2);
    assert_string_equal(lnx.ifaces[0].name, "if0");
    assert_addr(&lnx.ifaces[1].addr, "10.1.0.1");
    assert_addr(&lnx.ifaces[1].prefix.addr, "10.1.0.0");
    assert_int_equal(lnx.ifaces[1].prefix.bits, 96 + 30);
    assert_int_equal(lnx.ifaces[1].udp_ip, 0x7f000002);
    assert_int_equal(lnx.ifaces[1].udp_port, 5002);
    assert_false(lnx.ifaces[0].is_impaired);
    assert_true(lnx.ifaces[1].is_impaired);
    assert_true(lnx.ifaces[1].impair.loss > 0.0199 && lnx.ifaces[1].impair.loss < 0.0201);
    assert_int_equal(lnx.ifaces[1].impair.delay_ns, 10 * WEIR_MS);
    assert_int_equal(lnx.neighbour_count, 2);
    assert_int_equal(lnx.neighbours[1].iface, 1);
    assert_int_equal(lnx.neighbours[1].udp_port, 5003);
    assert_addr(&lnx.neighbours[1].addr, "10.1.0.2");
    assert_int_equal(lnx.routing, LNX_ROUTING_RIP);
    assert_int_equal(lnx.route_count, 1);
    assert_int_equal(lnx.routes[0].prefix.bits, 96 + 16);
    assert_addr(&lnx.routes[0].next_hop, "10.1.0.2");
    assert_int_equal(lnx.advertise_count, 1);
    assert_addr(&lnx.advertise_to[0].addr, "10.1.0.2");
    assert_int_equal(lnx.rip_update_interval, 2500 * WEIR_MS);
    assert_int_equal(lnx.rip_route_timeout, 6 * WEIR_SECOND);
    assert_int_equal(lnx.rto_min, 2 * WEIR_MS);
    assert_int_equal(lnx.rto_max, 7 * WEIR_SECOND);
    lnx_done(&lnx);
}

static void test_defaults(void **state)
{
    struct lnx lnx;
    struct lnx_error error;

    (void)state;
    assert_int_equal(parse(IFACE, &lnx, &error), 0);
    assert_int_equal(lnx.routing, LNX_ROUTING_STATIC);
    assert_int_equal(lnx.rip_update_interval, 5 * WEIR_SECOND);
    assert_int_equal(lnx.rip_route_timeout, 12 * WEIR_SECOND);
    assert_int_equal(lnx.rto_min, WEIR_MS);
    assert_int_equal(lnx.rto_max, 5 * WEIR_SECOND);
    assert_int_equal(lnx.neighbour_count + lnx.route_count + lnx.advertise_count, 0);
    lnx_done(&lnx);
}

/* Lines that are fine behind an interface and a neighbour. */
static void test_good_lines(void **state)
{
    static const char *const lines[] = {
        "",
        "   \t ",
        "\r",
        "#",
        "# anything, even interface if0",
        "   # indented",
        "# weirdness is no directive",
        "#weir: impair if0 loss=1",
        "# weir: impair if0 loss=0",
        "# weir: impair if0 rate_mbit=5 queue_packets=20 seed=7 jitter_ms=1 duplicate=0.1",
        "routing static # trailing",
        "route 0.0.0.0/0 via 10.0.0.2",
        "interface if1 10.3.0.1/0 127.0.0.1:5009",
        "interface if1 10.3.0.1/32 127.0.0.1:65535",
        "neighbor 10.0.0.3 at 127.0.0.1:1 via if0#tight",
        "rip advertise-to 10.0.0.2",
        "tcp rto-min 1",
        "tcp rto-max 5000001",
        "rip originate prefix 0.0.0.0/0",
    };
    struct lnx lnx;
    struct lnx_error error;
    char text[512];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        snprintf(text, sizeof text, "%s%s%s", IFACE, NEIGHBOR, lines[i]);
        if (parse(text, &lnx, &error))
            fail_msg("\"%s\": %s", lines[i], error.text);
        lnx_done(&lnx);
    }
}

/* X is line 3, behind an interface and a neighbour. */
static const struct fault {
    const char *line;
    const char *message;
} faults[] = {
    {"foo", "x.lnx:3: \"foo\": unknown directive"},
    {"Interface if1 10.1.0.1/24 127.0.0.1:5002", "x.lnx:3: \"Interface\": unknown directive"},
    {"interface", "x.lnx:3: \"interface\": too few words, expected: interface NAME VIP/PREFIX "
                  "UDPIP:PORT"},
    {"interface if1 10.1.0.1/24 127.0.0.1:5002 x",
     "x.lnx:3: \"x\": too many words, expected: interface NAME VIP/PREFIX UDPIP:PORT"},
    {"interface if1 10.1.0.1 127.0.0.1:5002",
     "x.lnx:3: \"10.1.0.1\": not an address with a prefix length"},
    {"interface if1 10.1.0.1/33 127.0.0.1:5002",
     "x.lnx:3: \"10.1.0.1/33\": not an address with a prefix length"},
    {"interface if1 10.1.0.256/24 127.0.0.1:5002",
     "x.lnx:3: \"10.1.0.256/24\": not an address with a prefix length"},
    {"interface if1 10.1.0.1/24 localhost:5002",
     "x.lnx:3: \"localhost:5002\": not a numeric IPv4 address with a port"},
    {"interface if1 10.1.0.1/24 127.0.0.1",
     "x.lnx:3: \"127.0.0.1\": not a numeric IPv4 address with a port"},
    {"interface if1 10.1.0.1/24 127.0.0.1:0",
     "x.lnx:3: \"127.0.0.1:0\": not a numeric IPv4 address with a port"},
    {"interface if1 10.1.0.1/24 127.0.0.1:65536",
     "x.lnx:3: \"127.0.0.1:65536\": not a numeric IPv4 address with a port"},
    {"interface if1 10.1.0.1/24 127.0.0.1:-1",
     "x.lnx:3: \"127.0.0.1:-1\": not a numeric IPv4 address with a port"},
    {"interface if0 10.1.0.1/24 127.0.0.1:5002", "x.lnx:3: \"if0\": this interface exists already"},
    {"interface if1 10.0.0.1/24 127.0.0.1:5002",
     "x.lnx:3: \"10.0.0.1/24\": another interface has this address"},
    {"interface if1 10.1.0.1/24 127.0.0.1:5000",
     "x.lnx:3: \"127.0.0.1:5000\": another interface has this UDP address"},
    {"interface a-name-that-is-longer-than-31-bytes 10.1.0.1/24 127.0.0.1:5002",
     "x.lnx:3: \"a-name-that-is-longer-than-31-bytes\": interface name too long"},
    {"neighbor 10.0.0.3 127.0.0.1:5001 via if0",
     "x.lnx:3: \"neighbor\": too few words, expected: neighbor VIP at UDPIP:PORT via IFNAME"},
    {"neighbor 10.0.0 at 127.0.0.1:5001 via if0", "x.lnx:3: \"10.0.0\": not an IPv4 address"},
    {"neighbor 10.0.0.3 on 127.0.0.1:5001 via if0", "x.lnx:3: \"on\": expected \"at\""},
    {"neighbor 10.0.0.3 at 127.0.0.1:5001 by if0", "x.lnx:3: \"by\": expected \"via\""},
    {"neighbor 10.0.0.3 at 127.0.0.1:x via if0",
     "x.lnx:3: \"127.0.0.1:x\": not a numeric IPv4 address with a port"},
    {"neighbor 10.0.0.3 at 127.0.0.1:5001 via if1",
     "x.lnx:3: \"if1\": no interface of this name above"},
    {"routing", "x.lnx:3: \"routing\": too few words, expected: routing static|rip"},
    {"routing ospf", "x.lnx:3: \"ospf\": unknown kind of routing"},
    {"route 10.0.0.0/24 via", "x.lnx:3: \"route\": too few words, expected: route NET/PREFIX via "
                              "VIP"},
    {"route 10.0.0.0 via 10.0.0.2", "x.lnx:3: \"10.0.0.0\": not a network with a prefix length"},
    {"route 10.0.0.0/24 to 10.0.0.2", "x.lnx:3: \"to\": expected \"via\""},
    {"route 10.0.0.0/24 via r1", "x.lnx:3: \"r1\": not an IPv4 address"},
    {"rip", "x.lnx:3: \"rip\": too few words"},
    {"rip advertize-to 10.0.0.2", "x.lnx:3: \"advertize-to\": unknown rip directive"},
    {"rip advertise-to", "x.lnx:3: \"rip\": too few words, expected: rip advertise-to VIP"},
    {"rip advertise-to r2", "x.lnx:3: \"r2\": not an IPv4 address"},
    {"rip advertise-to 10.0.0.9", "x.lnx:3: \"10.0.0.9\": no neighbor's address"},
    {"rip periodic-update-rate 0", "x.lnx:3: \"0\": not a number from 1 to a day"},
    {"rip periodic-update-rate 5s", "x.lnx:3: \"5s\": not a number from 1 to a day"},
    {"rip periodic-update-rate 86400001", "x.lnx:3: \"86400001\": not a number from 1 to a day"},
    {"rip route-timeout-threshold -1", "x.lnx:3: \"-1\": not a number from 1 to a day"},
    {"rip originate net 10.0.0.0/24", "x.lnx:3: \"net\": expected \"prefix\""},
    {"rip originate prefix 10.0.0.0", "x.lnx:3: \"10.0.0.0\": not a network with a prefix length"},
    {"tcp", "x.lnx:3: \"tcp\": too few words"},
    {"tcp rto-mid 4", "x.lnx:3: \"rto-mid\": unknown tcp directive"},
    {"tcp rto-min", "x.lnx:3: \"tcp\": too few words, expected: tcp rto-min US"},
    {"tcp rto-max 99999999999999999999999",
     "x.lnx:3: \"99999999999999999999999\": not a number from 1 to a day"},
    {"tcp rto-min 6000000", "x.lnx: tcp rto-min is larger than rto-max"},
    {"# weir:", "x.lnx:3: \"weir:\": too few words"},
    {"# weir: repair if0", "x.lnx:3: \"repair\": unknown weir directive"},
    {"# weir: impair if0",
     "x.lnx:3: \"impair\": too few words, expected: impair IFACE [from VIP] KEY=VALUE..."},
    {"# weir: impair if0 from 10.0.0.2",
     "x.lnx:3: \"impair\": too few words, expected: impair IFACE [from VIP] KEY=VALUE..."},
    {"# weir: impair if0 from h2 loss=0.1", "x.lnx:3: \"h2\": not an IPv4 address"},
    {"# weir: impair if0 from 10.0.0.9 loss=0.1",
     "x.lnx:3: \"10.0.0.9\": no neighbor's address on this interface"},
    {"# weir: impair if0 loss=2", "x.lnx:3: \"loss=2\": not a key and value that impair knows"},
    {"# weir: impair if0 los=0.1", "x.lnx:3: \"los=0.1\": not a key and value that impair knows"},
    {"# weir: impair if7 loss=0.1", "x.lnx:3: \"if7\": no interface of this name"},
    {"f\x01o", "x.lnx:3: \"f?o\": unknown directive"},
};

static void test_faults(void **state)
{
    struct lnx lnx;
    struct lnx_error error;
    char text[512];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        snprintf(text, sizeof text, "%s%s%s\nrouting static\n", IFACE, NEIGHBOR, faults[i].line);
        assert_int_equal(parse(text, &lnx, &error), WEIR_EINVAL);
        assert_string_equal(error.text, faults[i].message);
        assert_int_equal(error.code, WEIR_EINVAL);
        assert_int_equal(error.line, strncmp(error.text, "x.lnx:3", 7) == 0 ? 3 : 0);
        assert_null(lnx.ifaces);
        lnx_done(&lnx);
    }
}

static void test_neighbor_before_interface(void **state)
{
    struct lnx lnx;
    struct lnx_error error;

    (void)state;
    assert_int_equal(parse(NEIGHBOR IFACE, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x.lnx:1: \"if0\": no interface of this name above");
    assert_int_equal(parse("rip advertise-to 10.0.0.2\n" IFACE NEIGHBOR, &lnx, &error), 0);
    lnx_done(&lnx);
    assert_int_equal(parse("# weir: impair if0 loss=0.5\n" IFACE, &lnx, &error), 0);
    assert_true(lnx.ifaces[0].is_impaired);
    lnx_done(&lnx);
}

static void test_empty(void **state)
{
    struct lnx lnx;
    struct lnx_error error;

    (void)state;
    assert_int_equal(parse("", &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x.lnx: no interface");
    assert_int_equal(error.line, 0);
}

static void test_no_text(void **state)
{
    static const char nul[] = IFACE "rou\0ting rip\n";
    struct lnx lnx;
    struct lnx_error error;

    (void)state;
    assert_int_equal(lnx_parse_text("x", nul, sizeof nul - 1, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x:2: NUL byte");
}

static void test_limits(void **state)
{
    struct lnx lnx;
    struct lnx_error error;
    size_t size = LNX_FILE_MAX + 1, used, i;
    char *text = malloc(size + 64);

    (void)state;
    assert_non_null(text);
    memset(text, '#', size);
    assert_int_equal(lnx_parse_text("x", text, size, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x: file too large");
    text[LNX_LINE_MAX] = '\n'; /* the longest line there may be, then one that is longer */
    assert_int_equal(lnx_parse_text("x", text, 2 * LNX_LINE_MAX + 2, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x:2: line too long");
    memset(text, 'a', 200);
    for (i = 1; i < 200; i += 2)
        text[i] = ' ';
    assert_int_equal(lnx_parse_text("x", text, 200, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x:1: too many words");
    used = (size_t)snprintf(text, size, "%s", IFACE);
    for (i = 0; i <= LNX_NEIGHBOURS_MAX; i++)
        used += (size_t)snprintf(text + used, size - used, "%s", NEIGHBOR);
    assert_int_equal(lnx_parse_text("x", text, used, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x:16386: \"neighbor\": too many lines of this kind");
    used = 0;
    for (i = 0; i <= LNX_IFACES_MAX; i++)
        used += (size_t)snprintf(text + used, size - used,
                                 "interface i%zu 10.%zu.%zu.1/24 127.0.0.1:%zu\n", i, i / 256,
                                 i % 256, 5000 + i);
    assert_int_equal(lnx_parse_text("x", text, used, &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x:257: \"i256\": too many interfaces");
    free(text);
}

static void test_files(void **state)
{
    char path[] = "/tmp/weir-lnx-XXXXXX";
    struct lnx lnx;
    struct lnx_error error;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, IFACE, sizeof IFACE - 1), sizeof IFACE - 1);
    close(fd);
    assert_int_equal(lnx_parse_file(path, &lnx, &error), 0);
    assert_int_equal(lnx.iface_count, 1);
    lnx_done(&lnx);
    unlink(path);
    assert_int_equal(lnx_parse_file("/no/such/file", &lnx, &error), WEIR_ENOENT);
    assert_string_equal(error.text, "/no/such/file: No such file or directory");
    assert_int_equal(lnx_parse_file("/", &lnx, &error), WEIR_EIO);
    assert_string_equal(error.text, "/: Is a directory");
    assert_int_equal(lnx_parse_file("/dev/zero", &lnx, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "/dev/zero: file too large");
}

/* Damaged files: any answer is fine, but an answer it must be, and an error must have a text. */
static void test_damage(void **state)
{
    unsigned seed = 1;
    struct lnx lnx;
    struct lnx_error error;
    char text[sizeof router];
    int round, i;

    (void)state;
    for (round = 0; round < 20000; round++) {
        memcpy(text, router, sizeof router);
        for (i = 0; i < 1 + round % 4; i++) {
            seed = seed * 1103515245u + 12345u;
            text[(seed >> 8) % (sizeof router - 1)] = (char)(seed >> 24);
        }
        if (lnx_parse_text("x", text, sizeof router - 1, &lnx, &error)) {
            assert_true(strlen(error.text) > 3);
            assert_null(lnx.ifaces);
        }
        lnx_done(&lnx);
    }
}

/* A file cut short anywhere. */
static void test_cut(void **state)
{
    struct lnx lnx;
    struct lnx_error error;
    size_t length;

    (void)state;
    for (length = 0; length < sizeof router; length++) {
        char *exact = malloc(length ? length : 1); /* so that a sanitizer sees a read beyond */

        assert_non_null(exact);
        memcpy(exact, router, length);
        lnx_parse_text("x", exact, length, &lnx, &error);
        lnx_done(&lnx);
        free(exact);
    }
}

/* `from`: what a neighbour sends to us, and nothing else. */
static void test_impair_from(void **state)
{
    struct lnx lnx;
    struct lnx_error error;

    (void)state;
    assert_int_equal(parse("# weir: impair if0 from 10.0.0.3 loss=0.5 seed=3\n" IFACE NEIGHBOR
                           "neighbor 10.0.0.3 at 127.0.0.1:5002 via if0\n",
                           &lnx, &error),
                     0);
    assert_false(lnx.ifaces[0].is_impaired);
    assert_false(lnx.neighbours[0].is_impaired);
    assert_true(lnx.neighbours[1].is_impaired);
    assert_true(lnx.neighbours[1].impair.loss > 0.49 && lnx.neighbours[1].impair.loss < 0.51);
    assert_int_equal(lnx.neighbours[1].impair.seed, 3);
    lnx_done(&lnx);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_impair_from), cmocka_unit_test(test_whole_file),
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_good_lines),
        cmocka_unit_test(test_faults),      cmocka_unit_test(test_neighbor_before_interface),
        cmocka_unit_test(test_empty),       cmocka_unit_test(test_no_text),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_files),
        cmocka_unit_test(test_damage),      cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
