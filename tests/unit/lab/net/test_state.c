/* SPDX-License-Identifier: MIT */

/* Labs on disk: what is saved is what is loaded; which lab is meant, with none, one, several, dead and
 * living ones; what clearing removes and what it leaves; directories that are not to be trusted. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <lab/net/process.h>
#include <lab/net/state.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/error.h>

static char folder[] = "/tmp/weir-state-XXXXXX";

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
    return mkdtemp(folder) ? setenv("XDG_RUNTIME_DIR", folder, 1) : -1;
}

static int teardown(void **state)
{
    return empty(state) ? -1 : rmdir(folder);
}

static const char *under(const char *name)
{
    static char path[4][PATH_MAX];
    static unsigned turn;

    turn = (turn + 1) % 4;
    snprintf(path[turn], PATH_MAX, "%s/%s", folder, name);
    return path[turn];
}

static void touch(const char *name)
{
    FILE *file = fopen(under(name), "w");

    assert_non_null(file);
    fclose(file);
}

static bool is_there(const char *name)
{
    struct stat status;

    return lstat(under(name), &status) == 0;
}

/* Saves a lab of two nodes in the directory `name`, which is made. */
static void save(const char *name, bool is_generated)
{
    char words[3][32] = {"/bin/vhost", "--config", "x y.lnx"};
    char *argv[] = {words[0], words[1], words[2], NULL};
    char lnx[] = "x y.lnx";
    struct lab_node nodes[2] = {
        {.name = "h1", .is_ours = true, .lnx = lnx, .argv = argv},
        {.name = "r1", .is_router = true, .lnx = lnx, .argv = argv},
    };
    struct lab lab = {.nodes = nodes, .node_count = 2, .is_generated = is_generated};
    struct net_error error;
    char base[PATH_MAX];

    assert_int_equal(lab_base(base, &error), 0);
    assert_int_equal(mkdir(under(name), 0700), 0);
    assert_non_null(realpath(under(name), lab.dir));
    snprintf(lab.name, sizeof lab.name, "%s", strrchr(under(name), '/') + 1);
    strcpy(lab.cwd, "/tmp");
    assert_int_equal(lab_save(&lab, &error), 0);
    assert_int_equal(lab_register(&lab, &error), 0);
}

/* Makes this process the one that runs h1 of a lab. */
static void live(const char *name)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/h1.pid", under(name));
    assert_int_equal(process_write(path), 0);
}

static void test_round_trip(void **state)
{
    struct net_error error;
    struct lab lab;
    char path[PATH_MAX];

    (void)state;
    mkdir(under("weir"), 0700);
    save("weir/a", true);
    assert_int_equal(lab_load(under("weir/a"), &lab, &error), 0);
    assert_string_equal(lab.name, "a");
    assert_string_equal(lab.cwd, "/tmp");
    assert_true(lab.is_generated);
    assert_int_equal(lab.node_count, 2);
    assert_true(lab_node(&lab, "h1")->is_ours && !lab_node(&lab, "h1")->is_router);
    assert_true(!lab_node(&lab, "r1")->is_ours && lab_node(&lab, "r1")->is_router);
    assert_string_equal(lab_node(&lab, "r1")->argv[2], "x y.lnx");
    assert_null(lab_node(&lab, "r1")->argv[3]);
    assert_null(lab_node(&lab, "h2"));
    assert_int_equal(lab_node_pid(&lab, "h1"), 0);
    live("weir/a");
    assert_int_equal(lab_node_pid(&lab, "h1"), getpid());
    assert_ptr_equal(lab_path(&lab, "h1", ".sock", path), path);
    assert_string_equal(path, under("weir/a/h1.sock"));
    lab_done(&lab);
}

static void test_find(void **state)
{
    struct net_error error;
    struct lab lab;

    (void)state;
    mkdir(under("weir"), 0700);
    assert_int_equal(lab_find(NULL, &lab, &error), WEIR_ENOENT);
    assert_string_equal(error.text, "no lab is up");
    assert_int_equal(lab_find(under("weir"), &lab, &error), WEIR_ENOENT);
    save("weir/a", true);
    assert_int_equal(lab_find(NULL, &lab, &error), 0);
    lab_done(&lab);
    save("elsewhere", true); /* is noted by a link */
    assert_true(is_there("weir/elsewhere"));
    assert_int_equal(lab_find(NULL, &lab, &error), WEIR_EINVAL);
    assert_non_null(strstr(error.text, "weir/a (dead), "));
    assert_non_null(strstr(error.text, "/elsewhere (dead)"));
    assert_null(strstr(error.text, "weir/elsewhere")); /* what the user has named, not the link */
    live("elsewhere");
    assert_true(lab_is_alive(under("elsewhere")) && !lab_is_alive(under("weir/a")));
    assert_int_equal(lab_find(NULL, &lab, &error), 0);
    assert_string_equal(lab.name, "elsewhere");
    lab_done(&lab);
    live("weir/a");
    assert_int_equal(lab_find(NULL, &lab, &error), WEIR_EINVAL);
    assert_null(strstr(error.text, "dead"));
    assert_int_equal(lab_find(under("weir/a"), &lab, &error), 0);
    lab_done(&lab);
}

/* Another directory of the same name gets a link with a number; the same one none twice. */
static void test_register(void **state)
{
    struct net_error error;
    struct lab lab;

    (void)state;
    mkdir(under("weir"), 0700);
    mkdir(under("x"), 0700);
    mkdir(under("y"), 0700);
    save("x/net", false);
    save("y/net", false);
    assert_true(is_there("weir/net") && is_there("weir/net-2"));
    assert_int_equal(lab_load(under("y/net"), &lab, &error), 0);
    assert_int_equal(lab_register(&lab, &error), 0);
    assert_false(is_there("weir/net-3"));
    lab_done(&lab);
    assert_int_equal(lab_clear(under("y/net"), &error), 0);
    assert_true(is_there("weir/net") && !is_there("weir/net-2"));
    mkdir(under("weir/deep"), 0700);
    save("weir/deep/er", false); /* where lab_list does not look */
    assert_true(is_there("weir/er"));
    assert_int_equal(lab_clear(under("weir/er"), &error), 0);
    assert_false(is_there("weir/er") || is_there("weir/deep/er"));
}

static void test_damaged(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"name\": \"a\", \"cwd\": \"/\", \"session\": \"\", \"nodes\": []}",
        "{\"name\": \"a\", \"cwd\": \"/\", \"session\": \"\", \"nodes\": [{\"name\": \"../x\", "
        "\"lnx\": \"l\", \"argv\": [\"a\"]}]}",
        "{\"name\": \"a\", \"cwd\": \"/\", \"session\": \"\", \"nodes\": [{\"name\": \"x\", "
        "\"lnx\": \"l\", \"argv\": [\"a\", 5]}]}",
        "{\"name\": \"a\", \"cwd\": \"/\", \"session\": \"\", \"nodes\": [{\"name\": \"x\", "
        "\"lnx\": \"l\", \"argv\": []}]}",
    };
    struct net_error error;
    struct lab lab;
    size_t i;

    (void)state;
    mkdir(under("weir"), 0700);
    mkdir(under("weir/a"), 0700);
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        FILE *file = fopen(under("weir/a/lab.json"), "w");

        fputs(texts[i], file);
        fclose(file);
        assert_int_equal(lab_load(under("weir/a"), &lab, &error), WEIR_EINVAL);
        assert_non_null(strstr(error.text, "not what a lab has written"));
    }
    assert_int_equal(lab_clear(under("weir/a"), &error), 0);
    assert_false(is_there("weir/a"));
}

static void test_clear(void **state)
{
    struct net_error error;
    int status;
    pid_t child;
    int ready[2];
    char byte;

    (void)state;
    mkdir(under("weir"), 0700);
    save("weir/a", true);
    touch("weir/a/h1.log");
    touch("weir/a/h1.lnx");
    touch("weir/a/nodes.json");
    touch("weir/a/.h1.sock.99");
    touch("weir/a/mine.txt");
    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        char path[PATH_MAX];

        snprintf(path, sizeof path, "%s/r1.pid", under("weir/a"));
        byte = process_write(path) ? 'b' : 'g';
        (void)!write(ready[1], &byte, 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lab_clear(under("weir/a"), &error), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_true(is_there("weir/a/mine.txt"));
    assert_false(is_there("weir/a/h1.log") || is_there("weir/a/h1.lnx") ||
                 is_there("weir/a/nodes.json") || is_there("weir/a/r1.pid") ||
                 is_there("weir/a/.h1.sock.99") || is_there("weir/a/lab.json"));
    assert_int_equal(lab_clear(under("weir/none"), &error), 0);
    save("weir/b", false); /* of somebody's files: these stay */
    touch("weir/b/h1.lnx");
    touch("weir/b/h1.log");
    assert_int_equal(lab_clear(under("weir/b"), &error), 0);
    assert_true(is_there("weir/b/h1.lnx") && !is_there("weir/b/h1.log"));
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(under(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Other people's directories: nothing in one goes that no lab is in, and from one with a lab only what
 * is the lab's, whatever has become of lab.json. */
static void test_clear_spares(void **state)
{
    struct net_error error;
    char path[PATH_MAX];

    (void)state;
    mkdir(under("weir"), 0700);
    mkdir(under("project"), 0700);
    touch("project/Makefile.in");
    touch("project/build.log");
    write_text("project/daemon.pid", "123\n");
    write_text("project/lab.json", "{\"nodes\": []}");
    assert_false(lab_is_place(under("project")) || lab_is_place(under("nowhere")));
    assert_int_equal(lab_clear(under("project"), &error), 0);
    assert_true(is_there("project/Makefile.in") && is_there("project/build.log") &&
                is_there("project/daemon.pid") && is_there("project/lab.json"));
    save("home", true);
    assert_true(lab_is_place(under("home")));
    touch("home/Makefile.in");
    touch("home/build.log");
    touch("home/theirs.lnx");
    touch("home/h1.log");
    touch("home/h1.in");
    touch("home/h1.lnx");
    assert_int_equal(lab_clear(under("home"), &error), 0);
    assert_true(is_there("home/Makefile.in") && is_there("home/build.log") &&
                is_there("home/theirs.lnx"));
    assert_false(is_there("home/h1.log") || is_there("home/h1.in") || is_there("home/h1.lnx") ||
                 is_there("home/lab.json") || is_there("weir/home"));
    empty(state);
    mkdir(under("weir"), 0700);
    save("home", true);
    write_text("home/lab.json", "{"); /* the link where labs are kept still says what it was */
    write_text("home/h1.pid", "4 5 boot\n");
    write_text("home/build.pid", "123\n");
    touch("home/h1.log");
    touch("home/build.log");
    touch("home/Makefile.in");
    touch("home/.h1.sock.77");
    touch("home/.my.sock.text");
    snprintf(path, sizeof path, "%s", under("home/r1.in"));
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(lab_is_place(under("home")));
    assert_int_equal(lab_clear(under("home"), &error), 0);
    assert_true(is_there("home/build.pid") && is_there("home/build.log") &&
                is_there("home/Makefile.in") && is_there("home/.my.sock.text"));
    assert_false(is_there("home/h1.pid") || is_there("home/h1.log") || is_there("home/r1.in") ||
                 is_there("home/.h1.sock.77") || is_there("home/lab.json") ||
                 is_there("weir/home"));
}

/* A lab that would come to lie among somebody's files overwrites none of them. */
static void test_check_place(void **state)
{
    struct net_error error;
    struct lab lab;

    (void)state;
    mkdir(under("weir"), 0700);
    save("home", false);
    assert_int_equal(lab_load(under("home"), &lab, &error), 0);
    assert_int_equal(lab_check_place(&lab, &error), WEIR_EPERM);
    assert_non_null(strstr(error.text, "lab.json is in the way"));
    unlink(under("home/lab.json"));
    touch("home/other.log");
    assert_int_equal(lab_check_place(&lab, &error), 0);
    touch("home/r1.log");
    assert_int_equal(lab_check_place(&lab, &error), WEIR_EPERM);
    assert_non_null(strstr(error.text, "r1.log is in the way"));
    lab_done(&lab);
}

static void test_going(void **state)
{
    struct net_error error;
    struct lab lab;

    (void)state;
    mkdir(under("weir"), 0700);
    save("weir/a", true);
    assert_int_equal(lab_load(under("weir/a"), &lab, &error), 0);
    assert_false(lab_is_going(&lab));
    touch("weir/a/" LAB_DOWN);
    assert_true(lab_is_going(&lab));
    unlink(under("weir/a/" LAB_DOWN));
    unlink(under("weir/a/lab.json"));
    assert_true(lab_is_going(&lab));
    touch("weir/a/" LAB_DOWN);
    assert_int_equal(lab_clear(under("weir/a"), &error), 0);
    assert_false(is_there("weir/a"));
    lab_done(&lab);
}

static void count(void *argument, const char *dir)
{
    (void)dir;
    ++*(unsigned *)argument;
}

/* What a lab leaves whose lab.json was not there yet, or not any more; a link to nothing. */
static void test_rests(void **state)
{
    struct net_error error;
    unsigned labs = 0, rests = 0;

    (void)state;
    mkdir(under("weir"), 0700);
    save("weir/a", true);
    mkdir(under("weir/b"), 0700);
    touch("weir/b/h1.pid");
    assert_int_equal(symlink(under("gone"), under("weir/gone")), 0);
    lab_list(count, &labs);
    lab_list_rests(count, &rests);
    assert_int_equal(labs, 1);
    assert_int_equal(rests, 2);
    assert_int_equal(lab_clear(under("weir/gone"), &error), 0);
    assert_int_equal(lab_clear(under("weir/b"), &error), 0);
    assert_false(is_there("weir/gone") || is_there("weir/b"));
    assert_true(is_there("weir/a"));
}

static void test_base(void **state)
{
    struct net_error error;
    char base[PATH_MAX];
    int lock;

    (void)state;
    assert_int_equal(lab_base(base, &error), 0);
    assert_string_equal(base, under("weir"));
    lock = lab_lock(&error);
    assert_true(lock >= 0);
    close(lock);
    chmod(under("weir"), 0777);
    assert_int_equal(lab_base(base, &error), WEIR_EPERM);
    assert_true(lab_lock(&error) < 0);
    chmod(under("weir"), 0700);
    unlink(under("weir/.lock"));
    rmdir(under("weir"));
    assert_int_equal(symlink("/tmp", under("weir")), 0);
    assert_int_equal(lab_base(base, &error), WEIR_EPERM);
    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(lab_base(base, &error), 0);
    assert_int_equal(strncmp(base, "/tmp/weir-", 10), 0);
    setenv("XDG_RUNTIME_DIR", folder, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_round_trip, empty),
        cmocka_unit_test_teardown(test_find, empty),
        cmocka_unit_test_teardown(test_register, empty),
        cmocka_unit_test_teardown(test_damaged, empty),
        cmocka_unit_test_teardown(test_clear, empty),
        cmocka_unit_test_teardown(test_clear_spares, empty),
        cmocka_unit_test_teardown(test_check_place, empty),
        cmocka_unit_test_teardown(test_rests, empty),
        cmocka_unit_test_teardown(test_going, empty),
        cmocka_unit_test_teardown(test_base, empty),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
