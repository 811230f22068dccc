/* SPDX-License-Identifier: MIT */

/* Plans: nodes out of descriptions, directories and bare files; ports that are free, taken, or run out;
 * whose programs run the nodes, found and told apart; every fault with its message. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <ftw.h>
#include <lab/control.h>
#include <lab/net/plan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/error.h>

static char folder[] = "/tmp/weir-plan-XXXXXX";

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    return ftw->level ? remove(path) : 0;
}

static int empty(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    return empty(state) || chdir("/") ? -1 : rmdir(folder);
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put_program(const char *name, const char *text)
{
    put(name, text);
    assert_int_equal(chmod(name, 0700), 0);
}

static void start(struct lab *lab)
{
    memset(lab, 0, sizeof *lab);
    snprintf(lab->dir, sizeof lab->dir, "%s", folder);
}

#define H1 "interface if0 10.0.0.1/24 127.0.0.1:%u\nrouting static\n"
#define R1 "interface if0 10.0.0.2/24 127.0.0.1:%u\nrouting rip\n"

/* h1.lnx and r1.lnx with these ports. */
static void put_files(unsigned h1, unsigned r1)
{
    char text[256];

    snprintf(text, sizeof text, H1, h1);
    put("h1.lnx", text);
    snprintf(text, sizeof text, R1, r1);
    put("r1.lnx", text);
}

/* ---- Nodes --------------------------------------------------------------------------------------- */

static void test_description(void **state)
{
    static const char text[] = "{\"nodes\": [{\"name\": \"b\", \"type\": \"host\"},"
                               "{\"name\": \"a\", \"type\": \"router\"}],"
                               "\"networks\": [{\"name\": \"n\", \"links\": [\"a\", \"b\"]}]}";
    struct net_error error;
    struct net net;
    struct lab lab;
    char path[PATH_MAX];

    (void)state;
    start(&lab);
    assert_int_equal(net_parse("x", text, strlen(text), &net, &error), 0);
    assert_int_equal(plan_from_net(&lab, &net, &error), 0);
    assert_int_equal(lab.node_count, 2);
    assert_string_equal(lab.nodes[0].name, "b");
    assert_true(lab.nodes[1].is_router);
    snprintf(path, sizeof path, "%s/b.lnx", folder);
    assert_string_equal(lab.nodes[0].lnx, path);
    net_done(&net);
    lab_done(&lab);
}

static void test_directory(void **state)
{
    struct net_error error;
    struct lab lab;

    (void)state;
    put_files(5000, 5001);
    put("notes.txt", "");
    start(&lab);
    assert_int_equal(plan_from_dir(&lab, ".", &error), 0); /* by what the files say */
    assert_int_equal(lab.node_count, 2);
    assert_true(!lab.nodes[0].is_router && lab.nodes[1].is_router);
    lab_done(&lab);
    put("nodes.json", "{\"r1\": \"host\", \"h1\": \"host\"}");
    start(&lab);
    assert_int_equal(plan_from_dir(&lab, ".", &error), 0); /* by what nodes.json says */
    assert_string_equal(lab.nodes[0].name, "r1");
    assert_false(lab.nodes[0].is_router);
    lab_done(&lab);
}

static void test_bad_directories(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{", "nodes.json:1: "},
        {"[]", "nodes.json: expected an object"},
        {"{}", "nodes.json: expected 1 to 4096 nodes"},
        {"{\"r1\": \"router\",\n\"h1\": \"switch\"}",
         "nodes.json:2: \"h1\": expected a name with \"host\" or \"router\""},
        {"{\"../h1\": \"host\"}", "expected a name with"},
    };
    struct net_error error;
    struct lab lab;
    size_t i;

    (void)state;
    start(&lab);
    assert_int_equal(plan_from_dir(&lab, "nowhere", &error), WEIR_ENOENT);
    assert_int_equal(plan_from_dir(&lab, ".", &error), WEIR_ENOENT);
    assert_non_null(strstr(error.text, "no NODE.lnx is there"));
    put("h1.lnx", "interface\n");
    assert_int_equal(plan_from_dir(&lab, ".", &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "h1.lnx:1: "));
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put("nodes.json", rows[i].text);
        start(&lab);
        assert_int_equal(plan_from_dir(&lab, ".", &error), WEIR_EINVAL);
        assert_non_null(strstr(error.text, rows[i].error));
        lab_done(&lab);
    }
}

/* ---- Ports --------------------------------------------------------------------------------------- */

/* A socket that takes some UDP port of 127.0.0.1. */
static int take_port(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_ports(void **state)
{
    struct net_error error;
    unsigned taken, base;
    char expected[128];
    int fd = take_port(&taken);

    (void)state;
    base = taken - 1;
    assert_int_equal(plan_ports(&base, 3, true, &error), WEIR_EADDRINUSE);
    snprintf(expected, sizeof expected,
             "UDP port %u on 127.0.0.1: Address already in use; choose others with --base-port",
             taken);
    if (strcmp(error.text, expected) != 0) /* the one before may be somebody's, too */
        assert_non_null(strstr(error.text, "Address already in use; choose others"));
    base = taken - 1;
    if (plan_ports(&base, 3, false, &error) == 0)
        assert_true(base > taken);
    base = 65535;
    assert_int_equal(plan_ports(&base, 2, false, &error), WEIR_EADDRINUSE);
    close(fd);
}

static void test_files(void **state)
{
    struct net_error error;
    unsigned taken, other;
    struct lab lab;
    char expected[64];
    int fd = take_port(&taken), spare = take_port(&other);

    (void)state;
    close(spare);
    put_files(other, taken);
    start(&lab);
    assert_int_equal(plan_from_dir(&lab, ".", &error), 0);
    assert_int_equal(plan_check_files(&lab, &error), WEIR_EADDRINUSE);
    snprintf(expected, sizeof expected, "r1.lnx:1: UDP port %u: Address already in use", taken);
    assert_non_null(strstr(error.text, expected));
    close(fd);
    assert_int_equal(plan_check_files(&lab, &error), 0);
    put("h1.lnx", "interface if0 10.0.0.1/24 127.0.0.1:1024\n# weir: impair if0 loss=1\n");
    assert_int_equal(plan_check_files(&lab, &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "h1 is somebody else's program, which does not impair"));
    lab.nodes[0].is_ours = true;
    assert_int_equal(plan_check_files(&lab, &error), 0);
    put("h1.lnx", "nonsense\n");
    assert_int_equal(plan_check_files(&lab, &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "h1.lnx:1: \"nonsense\""));
    lab_done(&lab);
}

/* ---- Programs ------------------------------------------------------------------------------------ */

static void start_two(struct lab *lab)
{
    struct net_error error;

    put_files(5000, 5001);
    start(lab);
    assert_int_equal(plan_from_dir(lab, ".", &error), 0);
}

/* The node's command, with the directory left out. */
static void assert_command(const struct lab *lab, size_t node, const char *expected)
{
    char text[1024] = "";
    char **word;

    for (word = lab->nodes[node].argv; *word; word++) {
        size_t skip = strncmp(*word, folder, strlen(folder)) == 0 ? strlen(folder) + 1 : 0;

        strcat(text, *word + skip);
        strcat(text, word[1] ? " " : "");
    }
    assert_string_equal(text, expected);
}

static void test_ours_and_theirs(void **state)
{
    struct lab_choice choice = {.host = "./ours", .router = "./theirs"};
    char *const extra[] = {strdup("--more"), NULL};
    struct net_error error;
    struct lab lab;

    (void)state;
    put_program("ours", "bytes before " CONTROL_MARK " and behind\n");
    put_program("theirs", "#!/bin/sh\n");
    assert_true(plan_is_ours("ours") && !plan_is_ours("theirs"));
    assert_false(plan_is_ours("nowhere") || plan_is_ours(".") || plan_is_ours("/dev/null"));
    choice.extra = extra;
    start_two(&lab);
    assert_int_equal(plan_programs(&lab, &choice, &error), 0);
    assert_true(lab.nodes[0].is_ours && !lab.nodes[1].is_ours);
    assert_command(&lab, 0, "ours --config h1.lnx --control h1.sock --more");
    assert_command(&lab, 1, "theirs --config r1.lnx --more");
    lab_done(&lab);
    free(extra[0]);
}

static void test_bin_dir(void **state)
{
    struct lab_choice choice = {.bin_dir = "bin"};
    struct net_error error;
    struct lab lab;

    (void)state;
    mkdir("bin", 0700);
    put_program("bin/vhost", "");
    put_program("vrouter", ""); /* here, which was not asked for */
    start_two(&lab);
    assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
    assert_int_equal(plan_programs(&lab, &choice, &error), WEIR_ENOENT);
    assert_string_equal(error.text, "r1: there is no program vrouter in bin");
    lab_done(&lab);
    put_program("bin/vrouter", "");
    start_two(&lab);
    assert_int_equal(plan_programs(&lab, &choice, &error), 0);
    assert_command(&lab, 0, "bin/vhost --config h1.lnx");
    assert_command(&lab, 1, "bin/vrouter --config r1.lnx");
    lab_done(&lab);
    choice.bin_dir = NULL;
    put_program("vhost", "");
    start_two(&lab);
    assert_int_equal(plan_programs(&lab, &choice, &error), 0);
    assert_command(&lab, 0, "vhost --config h1.lnx");
    assert_command(&lab, 1, "vrouter --config r1.lnx");
    lab_done(&lab);
}

static void test_bin_config(void **state)
{
    struct lab_choice choice = {.bin_config = "c.json"};
    struct net_error error;
    struct lab lab;

    (void)state;
    put_program("p", "");
    put_program("vhost", "");
    put("c.json",
        "{\"r1\": {\"binary_path\": \"./p\", \"extra_args\": [\"-a\", \"b c\"], "
        "\"sudo\": true, \"skip_config\": true},"
        " \"h1\": {\"binary_path\": \"vhost\", \"extra_args\": \"-x  -y\", \"weir\": true}}");
    start_two(&lab);
    assert_int_equal(plan_programs(&lab, &choice, &error), 0);
    assert_command(&lab, 1, "sudo p -a b c");
    assert_int_equal(strcmp(lab.nodes[1].argv[3], "b c"), 0);
    assert_true(lab.nodes[0].is_ours);
    lab_done(&lab);
}

static void test_bad_bin_configs(void **state)
{
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"{", "c.json:1: "},
        {"[]", "c.json: expected {NODE: "},
        {"{\n\"r7\": {}}", "c.json:2: unknown node \"r7\""},
        {"{\"r1\": 5}", "c.json:1: \"r1\": expected {\"binary_path\""},
        {"{\"h1\": {},\n\"r1\": {\n\"path\": \"x\"}}",
         "c.json:3: \"r1\": bad \"path\", expected one of: binary_path"},
        {"{\"r1\":\n {\"binary_path\": 5}}",
         "c.json:2: \"r1\": bad \"binary_path\", expected a string"},
        {"{\"r1\": {\"sudo\": \"yes\"}}", "\"r1\": bad \"sudo\", expected true or false"},
        {"{\"r1\": {\"extra_args\": 5}}", "\"r1\": bad \"extra_args\", expected an array"},
        {"{\"r1\": {\"binary_path\": \"./p\", \"extra_args\": [5]}}",
         "r1: too many words, or \"extra_args\" that are no strings"},
        {"{\"r1\": {\"binary_path\": \"./q\"}}", "r1: there is no program ./q"},
    };
    struct lab_choice choice = {.bin_config = "c.json", .bin_dir = "."};
    struct net_error error;
    struct lab lab;
    size_t i;

    (void)state;
    put_program("p", "");
    put_program("vhost", "");
    start_two(&lab);
    assert_int_equal(plan_programs(&lab, &choice, &error), WEIR_EIO); /* no such file */
    assert_null(strstr(error.text, ":0:"));
    lab_done(&lab);
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put("c.json", rows[i].text);
        start_two(&lab);
        assert_true(plan_programs(&lab, &choice, &error) < 0);
        if (!strstr(error.text, rows[i].error))
            fail_msg("\"%s\" for %s", error.text, rows[i].text);
        lab_done(&lab);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_description, empty),
        cmocka_unit_test_teardown(test_directory, empty),
        cmocka_unit_test_teardown(test_bad_directories, empty),
        cmocka_unit_test_teardown(test_ports, empty),
        cmocka_unit_test_teardown(test_files, empty),
        cmocka_unit_test_teardown(test_ours_and_theirs, empty),
        cmocka_unit_test_teardown(test_bin_dir, empty),
        cmocka_unit_test_teardown(test_bin_config, empty),
        cmocka_unit_test_teardown(test_bad_bin_configs, empty),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
