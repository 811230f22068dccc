/* SPDX-License-Identifier: MIT */

/* Descriptions of networks: what a good one becomes, a table of faults with their exact messages, the
 * limits, and random damage, which may be refused but never crash. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lab/net/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/error.h>

#define H1 "{\"name\": \"h1\", \"type\": \"host\"}"
#define H2 "{\"name\": \"h2\", \"type\": \"host\"}"
#define R1 "{\"name\": \"r1\", \"type\": \"router\"}"
#define NODES "{\"nodes\": [" H1 ",\n" R1 "],\n"

static int parse(const char *text, struct net *net, struct net_error *error)
{
    return net_parse("x.json", text, strlen(text), net, error);
}

static const char good[] =
    "{\"description\": \"all that may be said\",\n"
    " \"nodes\": [" H1 ", " R1 ", " H2 ", {\"name\": \"r2\", \"type\": \"router\"}],\n"
    " \"networks\": [\n"
    "  {\"name\": \"a\", \"links\": [\"h1\", \"r1\"], \"loss\": 0.02, \"seed\": 9,\n"
    "   \"delay_ms\": 10, \"rate_mbit\": 1.5, \"queue_packets\": 7},\n"
    "  {\"name\": \"b\", \"prefix\": \"192.168.4.0/30\", \"links\": [\"r2\", \"r1\"]},\n"
    "  {\"name\": \"c\", \"links\": [\"r2\", \"h2\", \"r1\"], \"advertise-routes-from\": []}]}\n";

static void test_good(void **state)
{
    static const struct {
        unsigned network, place, node;
        const char *iface;
        uint32_t addr;
        unsigned index;
    } links[] = {
        {0, 0, 0, "if0", 0x0a000001, 0}, {0, 1, 1, "if0", 0x0a000002, 1},
        {1, 0, 3, "if0", 0xc0a80401, 2}, {1, 1, 1, "if1", 0xc0a80402, 3},
        {2, 0, 3, "if1", 0x0a010001, 4}, {2, 1, 2, "if0", 0x0a010002, 5},
        {2, 2, 1, "if2", 0x0a010003, 6},
    };
    struct net_error error;
    struct net net;
    size_t i;

    (void)state;
    assert_int_equal(parse(good, &net, &error), 0);
    assert_int_equal(net.node_count, 4);
    assert_int_equal(net.network_count, 3);
    assert_int_equal(net.link_count, 7);
    assert_false(net.nodes[2].is_router);
    assert_true(net.nodes[3].is_router);
    assert_int_equal(net_find(&net, "r2"), 3);
    assert_int_equal(net_find(&net, "r"), -1);
    for (i = 0; i < sizeof links / sizeof links[0]; i++) {
        const struct net_link *link = &net.networks[links[i].network].links[links[i].place];

        assert_int_equal(link->node, links[i].node);
        assert_string_equal(link->iface, links[i].iface);
        assert_int_equal(link->addr, links[i].addr);
        assert_int_equal(link->index, links[i].index);
    }
    assert_string_equal(net.networks[0].impair,
                        "loss=0.02 delay_ms=10 rate_mbit=1.5 queue_packets=7");
    assert_int_equal(net.networks[0].seed, 9);
    assert_string_equal(net.networks[1].impair, "");
    assert_int_equal(net.networks[1].bits, 30);
    assert_int_equal(net.networks[2].seed, 0);
    net_done(&net);
}

static void test_faults(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"", "x.json:1: '[' or '{' expected near end of file"},
        {"{\n\"nodes\": [}", "x.json:2: unexpected token near '}', expected a value"},
        {"{\"nodes\":1,\n\"nodes\":2}",
         "x.json:2: duplicate object key near '\"nodes\"', expected well-formed JSON"},
        {"\n[]", "x.json:2: expected {\"nodes\": […], \"networks\": […]}"},
        {"{}", "x.json:1: there is no \"nodes\", expected an array"},
        {"{\n\"nodes\": 3}", "x.json:2: \"nodes\" is no array, expected one"},
        {"{\"nodes\":\n []}", "x.json:2: \"nodes\" is empty, expected at least one element"},
        {"{\"nodes\": [\n7]}",
         "x.json:2: this is no node, expected {\"name\": …, \"type\": \"host\" or \"router\"}"},
        {"{\"nodes\": [\n{}]}", "x.json:2: a node needs a \"name\", expected a string"},
        {"{\"nodes\": [{\n\"name\": 4}]}", "x.json:2: a node needs a \"name\", expected a string"},
        {"{\"nodes\": [{\n\"name\": \"a/b\"}]}",
         "x.json:2: \"a/b\" is no name for a node, expected letters, digits, `_`, `-`, `.`, and "
         "less than 64 of them"},
        {"{\"nodes\": [{\"name\": \"h1\",\n\"type\": \"switch\"}]}",
         "x.json:2: node \"h1\" has the type \"switch\", expected \"host\" or \"router\""},
        {"{\"nodes\": [\n{\"name\": \"h1\"}]}",
         "x.json:2: node \"h1\" has the type \"\", expected \"host\" or \"router\""},
        {"{\"nodes\": [" H1 ",\n" H1 "]}",
         "x.json:2: there are two nodes \"h1\", expected a name once"},
        {"{\"nodes\": [" H1 "],\n\"netwroks\": []}",
         "x.json:2: unknown key \"netwroks\", expected one of: nodes networks "},
        {"{\"nodes\": [{\n\"name\": \"a\", \"type\": \"host\",\n\"os\": 1}]}",
         "x.json:3: unknown key \"os\", expected one of: name type "},
        {NODES "\"networks\": [\n1]}",
         "x.json:4: this is no network, expected {\"name\": …, \"links\": [nodes…]}"},
        {NODES "\"networks\": [{\"name\": \"a\"}]}",
         "x.json:3: there is no \"links\", expected an array"},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"h1\",\n\"r2\"]}]}",
         "x.json:4: network \"a\": unknown node \"r2\", expected one of \"nodes\""},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"h1\",\n3]}]}",
         "x.json:4: network \"a\": unknown node \"\", expected one of \"nodes\""},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"h1\",\n\"r1\",\n\"h1\"]}]}",
         "x.json:5: network \"a\": node \"h1\" is there twice, expected once"},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"r1\"]}]}",
         "x.json:1: node \"h1\" is on no network, expected it in some \"links\""},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"h1\"]},\n"
               "{\"name\": \"b\", \"links\": [\"r1\"]}]}",
         "x.json:1: host \"h1\" has no router, expected one on its network"},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"h1\", \"r1\"]},\n"
               "{\"name\": \"a\", \"links\": [\"r1\"]}]}",
         "x.json:4: there are two networks \"a\", expected a name once"},
        {NODES "\"networks\": [{\"name\": \"a\", \"links\": [\"h1\", \"r1\"]},\n"
               "{\"name\": \"b\", \"prefix\": \"10.0.0.128/25\", \"links\": [\"r1\"]}]}",
         "x.json:4: network \"b\" (10.0.0.128/25) overlaps network \"a\" (10.0.0.0/24), expected "
         "addresses of its own"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"prefix\": \"10.0.0.1/24\"}]}",
         "x.json:4: \"10.0.0.1/24\" has bits beyond its prefix length, expected a network"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"prefix\": \"10.0.0.0/33\"}]}",
         "x.json:4: \"10.0.0.0/33\" is no prefix, expected an IPv4 network like 10.1.0.0/24"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"prefix\": 10}]}",
         "x.json:4: \"\" is no prefix, expected an IPv4 network like 10.1.0.0/24"},
        {NODES
         "\"networks\": [{\"name\": \"a\",\n\"prefix\": \"10.1.1.0/31\", \"links\": [\"h1\"]}]}",
         "x.json:3: network \"a\": 1 nodes on 10.1.1.0/31, expected at most 0"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"loss\": 1.5}]}",
         "x.json:4: network \"a\": bad \"loss\", expected a probability from 0 to 1"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"loss\": -0.1}]}",
         "x.json:4: network \"a\": bad \"loss\", expected a probability from 0 to 1"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"delay_ms\": \"10\"}]}",
         "x.json:4: network \"a\": bad \"delay_ms\", expected milliseconds from 0 to an hour"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"queue_packets\": 0}]}",
         "x.json:4: network \"a\": bad \"queue_packets\", expected a number of packets from 1 to "
         "16777216"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"rate_mbit\": 1e300}]}",
         "x.json:4: network \"a\": bad \"rate_mbit\", expected megabits per second from 0.000001 up, "
         "or 0"},
        {NODES "\"networks\": [{\"name\": \"a\",\n\"seed\": -1}]}",
         "x.json:4: network \"a\": bad \"seed\", expected a whole number from 0 up"},
    };
    struct net_error error;
    struct net net;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(parse(rows[i].text, &net, &error), WEIR_EINVAL);
        assert_string_equal(error.text, rows[i].error);
        assert_non_null(strstr(error.text, " expected "));
        assert_null(net.nodes);
        assert_null(net.networks);
    }
}

/* Hosts need company, and that need not be a router. */
static void test_two_hosts(void **state)
{
    struct net_error error;
    struct net net;

    (void)state;
    assert_int_equal(parse("{\"nodes\": [" H1 ", " H2 "], \"networks\": "
                           "[{\"name\": \"a\", \"links\": [\"h1\", \"h2\"]}]}",
                           &net, &error),
                     0);
    net_done(&net);
}

/* `count` hosts and a router on a network of this prefix. */
static int parse_lan(unsigned count, const char *prefix, struct net_error *error)
{
    size_t room = 200 + count * 60u, used = 0;
    char *text = malloc(room);
    struct net net;
    unsigned i;
    int result;

    assert_non_null(text);
    used += (size_t)sprintf(text, "{\"nodes\": [" R1);
    for (i = 0; i < count; i++)
        used += (size_t)sprintf(text + used, ",{\"name\": \"n%u\", \"type\": \"host\"}", i);
    used += (size_t)sprintf(text + used,
                            "], \"networks\": [{\"name\": \"a\", \"prefix\": \"%s\", "
                            "\"links\": [\"r1\"",
                            prefix);
    for (i = 0; i < count; i++)
        used += (size_t)sprintf(text + used, ",\"n%u\"", i);
    sprintf(text + used, "]}]}");
    assert_true(used < room);
    result = parse(text, &net, error);
    free(text);
    net_done(&net);
    return result;
}

static void test_limits(void **state)
{
    struct net_error error;
    struct net net;
    char *large = calloc(1, NET_FILE_MAX + 2);

    (void)state;
    assert_int_equal(parse_lan(5, "10.9.0.0/29", &error), 0);
    assert_int_equal(parse_lan(6, "10.9.0.0/29", &error), WEIR_EINVAL);
    assert_string_equal(error.text,
                        "x.json:1: network \"a\": 7 nodes on 10.9.0.0/29, expected at most 6");
    assert_int_equal(parse_lan(253, "10.9.1.0/24", &error), 0);
    assert_int_equal(parse_lan(254, "10.9.1.0/24", &error), WEIR_EINVAL);
    assert_int_equal(parse_lan(2000, "10.0.0.0/8", &error), 0);
    assert_int_equal(parse_lan(NET_NODES_MAX, "10.0.0.0/8", &error), WEIR_EINVAL);
    assert_non_null(large);
    memset(large, ' ', NET_FILE_MAX + 1);
    assert_int_equal(net_parse("x.json", large, NET_FILE_MAX + 1, &net, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "x.json: file too large");
    free(large);
}

static void test_files(void **state)
{
    char path[] = "/tmp/weir-json-XXXXXX";
    int fd = mkstemp(path);
    struct net_error error;
    struct net net;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, good, sizeof good - 1), sizeof good - 1);
    close(fd);
    assert_int_equal(net_read(path, &net, &error), 0);
    assert_int_equal(net.node_count, 4);
    net_done(&net);
    unlink(path);
    assert_int_equal(net_read(path, &net, &error), WEIR_ENOENT);
    assert_int_equal(net_read("/", &net, &error), WEIR_EIO);
    assert_int_equal(net_read("/dev/zero", &net, &error), WEIR_EINVAL);
}

/* Bytes changed at random: a result, and no leak or overrun (ASan watches). */
static void test_damage(void **state)
{
    static const char bytes[] = "0123456789\",:{}[] .-ahnr\n\0\xff";
    unsigned seed = 20260101, taken = 0, i, j;
    char text[sizeof good];
    struct net_error error;
    struct net net;

    (void)state;
    print_message("seed %u\n", seed);
    for (i = 0; i < 20000; i++) {
        memcpy(text, good, sizeof good);
        for (j = 0; j <= i % 3; j++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % (sizeof good - 1)] = bytes[(seed >> 25) % (sizeof bytes - 1)];
        }
        if (net_parse("x.json", text, sizeof good - 1, &net, &error) == 0)
            taken++;
        else
            assert_true(strlen(error.text) > 0 && error.line >= 1);
        net_done(&net);
    }
    assert_true(taken > 100 && taken < 15000);
}

static void test_names(void **state)
{
    char longest[NET_NAME + 1];

    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[NET_NAME] = '\0';
    assert_false(net_is_name(longest));
    assert_true(net_is_name(longest + 1));
    assert_true(net_is_name("h-1_x.y"));
    assert_false(net_is_name(""));
    assert_false(net_is_name(".."));
    assert_false(net_is_name("-v"));
    assert_false(net_is_name("a b"));
    assert_false(net_is_name("a\n"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_faults),
        cmocka_unit_test(test_two_hosts), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_files),     cmocka_unit_test(test_damage),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
