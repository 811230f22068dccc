/* SPDX-License-Identifier: MIT */

/* The generator: every network of nets/ gives the files that are kept there, byte for byte; each option
 * changes what it should; impairments stand where each direction can be impaired once; what is made is
 * taken by the parser of lnx files. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <lab/lnx.h>
#include <lab/net/constants.h>
#include <lab/net/generate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/error.h>

static char folder[] = "/tmp/weir-generate-XXXXXX";

static char *contents(const char *dir, const char *name)
{
    static char text[65536];
    char path[512];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    file = fopen(path, "r");
    if (!file)
        return NULL;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Every file of nets/NAME is among what was made in `folder`/NAME. */
static unsigned compare(const char *name)
{
    char kept[512], made[512];
    struct dirent *entry;
    unsigned count = 0;
    DIR *dir;

    snprintf(kept, sizeof kept, "%s/nets/%s", WEIR_SOURCE_DIR, name);
    snprintf(made, sizeof made, "%s/%s", folder, name);
    dir = opendir(kept);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char *expected;

        if (entry->d_name[0] == '.')
            continue;
        expected = strdup(contents(kept, entry->d_name));
        assert_string_equal(contents(made, entry->d_name), expected);
        free(expected);
        count++;
    }
    closedir(dir);
    return count;
}

static void test_kept(void **state)
{
    static const char *const names[] = {
        "linear-r1h2", "linear-r1h4", "linear-r2h2", "linear-r3h2", "doc-example",
        "loop",        "star-r1h6",   "ring-r4h2",   "lan-r1h8",    "lan-r2h8",
    };
    struct net_options options;
    struct net_error error;
    struct net net;
    char path[512];
    size_t i;

    (void)state;
    net_options_init(&options);
    for (i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/nets/%s.json", WEIR_SOURCE_DIR, names[i]);
        assert_int_equal(net_read(path, &net, &error), 0);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        assert_int_equal(net_generate(&net, &options, path, &error), 0);
        assert_int_equal(compare(names[i]), net.node_count + 2);
        net_done(&net);
    }
}

/* h1 and h2 with r1 on a bad network, and r1 with r2 on a good one. */
static const char description[] =
    "{\"nodes\": [{\"name\": \"h1\", \"type\": \"host\"}, {\"name\": \"h2\", \"type\": \"host\"},"
    " {\"name\": \"r1\", \"type\": \"router\"}, {\"name\": \"r2\", \"type\": \"router\"}],"
    " \"networks\": [{\"name\": \"a\", \"links\": [\"h1\", \"r1\", \"h2\"], \"loss\": 0.5,"
    " \"seed\": 100}, {\"name\": \"b\", \"links\": [\"r1\", \"r2\"]}]}";

static void read_net(struct net *net)
{
    struct net_error error;

    assert_int_equal(net_parse("x", description, sizeof description - 1, net, &error), 0);
}

static void expect(const char *name, const char *expected)
{
    assert_string_equal(contents(folder, name), expected);
}

static void test_impaired_at_sender(void **state)
{
    struct net_options options;
    struct net_error error;
    struct net net;

    (void)state;
    read_net(&net);
    net_options_init(&options);
    options.base_port = 7000;
    options.no_timing = true;
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    assert_int_equal(net_count_unimpaired(&net, &options), 0);
    expect("h1.lnx", "# h1 (host)\n"
                     "interface if0 10.0.0.1/24 127.0.0.1:7000\n"
                     "# weir: impair if0 loss=0.5 seed=100\n"
                     "neighbor 10.0.0.2 at 127.0.0.1:7001 via if0 # r1\n"
                     "neighbor 10.0.0.3 at 127.0.0.1:7002 via if0 # h2\n"
                     "routing static\n"
                     "route 0.0.0.0/0 via 10.0.0.2\n");
    expect("r1.lnx", "# r1 (router)\n"
                     "interface if0 10.0.0.2/24 127.0.0.1:7001\n"
                     "# weir: impair if0 loss=0.5 seed=101\n"
                     "interface if1 10.1.0.1/24 127.0.0.1:7003\n"
                     "neighbor 10.0.0.1 at 127.0.0.1:7000 via if0 # h1\n"
                     "neighbor 10.0.0.3 at 127.0.0.1:7002 via if0 # h2\n"
                     "neighbor 10.1.0.2 at 127.0.0.1:7004 via if1 # r2\n"
                     "routing rip\n"
                     "rip advertise-to 10.1.0.2 # r2\n");
    net_done(&net);
}

/* r1 is somebody else's: what it sends is impaired by each that receives it. */
static void test_impaired_at_receiver(void **state)
{
    struct net_options options;
    struct net_error error;
    struct net net;

    (void)state;
    read_net(&net);
    net.nodes[net_find(&net, "r1")].is_foreign = true;
    net_options_init(&options);
    options.no_timing = true;
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    assert_int_equal(net_count_unimpaired(&net, &options), 0);
    assert_null(strstr(contents(folder, "r1.lnx"), "weir:"));
    assert_null(strstr(contents(folder, "r2.lnx"), "weir:"));
    expect("h1.lnx", "# h1 (host)\n"
                     "interface if0 10.0.0.1/24 127.0.0.1:5000\n"
                     "# weir: impair if0 loss=0.5 seed=100\n"
                     "neighbor 10.0.0.2 at 127.0.0.1:5001 via if0 # r1\n"
                     "# weir: impair if0 from 10.0.0.2 loss=0.5 seed=4294967397\n"
                     "neighbor 10.0.0.3 at 127.0.0.1:5002 via if0 # h2\n"
                     "routing static\n"
                     "route 0.0.0.0/0 via 10.0.0.2\n");
    assert_non_null(strstr(contents(folder, "h2.lnx"),
                           "# weir: impair if0 from 10.0.0.2 loss=0.5 seed=12884901989\n"));
    net_done(&net);
}

static void test_foreign(void **state)
{
    struct net_options options;
    struct net_error error;
    struct net net;

    (void)state;
    read_net(&net);
    net_options_init(&options);
    net.nodes[net_find(&net, "h1")].is_foreign = true;
    net.nodes[net_find(&net, "h2")].is_foreign = true;
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    assert_int_equal(net_count_unimpaired(&net, &options), 2); /* h1 and h2 to each other */
    net.nodes[net_find(&net, "r1")].is_foreign = true;
    assert_int_equal(net_generate(&net, &options, folder, &error), WEIR_EINVAL);
    assert_string_equal(error.text,
                        "network \"a\" cannot be impaired: none of its nodes is one of ours");
    net_done(&net);
}

static void test_options(void **state)
{
    struct net_options options;
    struct net_error error;
    struct net net;

    (void)state;
    read_net(&net);
    net_options_init(&options);
    strcpy(options.impair, "delay_ms=3");
    options.rip_update_ms = 11;
    options.rip_timeout_ms = 22;
    options.rto_min_us = 33;
    options.rto_max_us = 44;
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    assert_non_null(
        strstr(contents(folder, "r1.lnx"), "\n# weir: impair if0 loss=0.5 delay_ms=3 seed=101\n"));
    assert_non_null(strstr(contents(folder, "r1.lnx"), "\n# weir: impair if1 delay_ms=3\n"));
    options.has_seed = true; /* 0, and before what the network says */
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    assert_non_null(strstr(contents(folder, "h1.lnx"),
                           "\n# weir: impair if0 loss=0.5 delay_ms=3 seed=18446744073709551615\n"));
    assert_non_null(
        strstr(contents(folder, "r1.lnx"), "\n# weir: impair if0 loss=0.5 delay_ms=3 seed=1\n"));
    assert_non_null(strstr(contents(folder, "r1.lnx"), "\n# weir: impair if1 delay_ms=3 seed=3\n"));
    assert_non_null(strstr(contents(folder, "r1.lnx"),
                           "\nrip periodic-update-rate 11 # in milliseconds\n"
                           "rip route-timeout-threshold 22 # in milliseconds\n"));
    assert_non_null(
        strstr(contents(folder, "h1.lnx"),
               "\ntcp rto-min 33 # in microseconds\ntcp rto-max 44 # in microseconds\n"));
    options.base_port = 65532;
    assert_int_equal(net_generate(&net, &options, folder, &error), WEIR_EINVAL);
    assert_string_equal(error.text, "5 UDP ports from 65532 on: there are only 65535");
    options.base_port = 65531;
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    assert_int_equal(net_generate(&net, &options, "/dev/null/x", &error), WEIR_EIO);
    assert_string_equal(error.text, "/dev/null/x: Not a directory");
    net_done(&net);
}

/* What is made is what the nodes read, impairments too. */
static void test_lnx(void **state)
{
    struct net_options options;
    struct net_error error;
    struct lnx_error lnx_error;
    struct lnx lnx;
    struct net net;
    char path[512];
    size_t i;

    (void)state;
    read_net(&net);
    net.nodes[net_find(&net, "h2")].is_foreign = true;
    net_options_init(&options);
    assert_int_equal(net_generate(&net, &options, folder, &error), 0);
    for (i = 0; i < net.node_count; i++) {
        snprintf(path, sizeof path, "%s/%s.lnx", folder, net.nodes[i].name);
        if (lnx_parse_file(path, &lnx, &lnx_error))
            fail_msg("%s", lnx_error.text);
        assert_int_equal(lnx.iface_count, net.nodes[i].iface_count);
        assert_int_equal(lnx.ifaces[0].is_impaired, i == 0 || i == 2);
        lnx_done(&lnx);
    }
    net_done(&net);
}

static void test_constants(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{\"tcp_rto_min_us\": 0}",
         "\"tcp_rto_min_us\": expected a whole number, from 1 to a day or so"},
        {"{\"tcp_rto_min_us\": \"a\"}",
         "\"tcp_rto_min_us\": expected a whole number, from 1 to a day or so"},
        {"{\"tcp_rto\": 5}", "\"tcp_rto\": unknown key"},
        {"[]", "\"\": expected an object"},
    };
    struct net_options options;
    struct net_error error;
    char path[512];
    size_t i;
    FILE *file;

    (void)state;
    net_options_init(&options);
    snprintf(path, sizeof path, "%s/constants.json", folder);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(rows[i].text, file);
        fclose(file);
        assert_int_equal(net_read_constants(path, &options, &error), WEIR_EINVAL);
        assert_string_equal(error.text + strlen(path) + 2, rows[i].error);
        assert_int_equal(options.rto_min_us, 1000);
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("{\"rip_periodic_update_rate_ms\": 7, \"tcp_rto_max_us\": 8}", file);
    fclose(file);
    assert_int_equal(net_read_constants(path, &options, &error), 0);
    assert_int_equal(options.rip_update_ms, 7);
    assert_int_equal(options.rip_timeout_ms, 12000);
    assert_int_equal(options.rto_min_us, 1000);
    assert_int_equal(options.rto_max_us, 8);
    unlink(path);
    assert_int_equal(net_read_constants(path, &options, &error), WEIR_EIO);
    assert_null(strstr(error.text, ":0:"));
    options = (struct net_options){.rip_update_ms = 1};
    assert_int_equal(net_write_constants(path, &error), 0);
    assert_int_equal(net_read_constants(path, &options, &error), 0);
    assert_int_equal(options.rip_update_ms, 5000);
    assert_int_equal(options.rip_timeout_ms, 12000);
    assert_int_equal(options.rto_min_us, 1000);
    assert_int_equal(options.rto_max_us, 5000000);
    assert_int_equal(net_write_constants(path, &error), WEIR_EIO); /* is there already */
    unlink(path);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_impaired_at_sender),
        cmocka_unit_test(test_impaired_at_receiver),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_lnx),
        cmocka_unit_test(test_constants),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
