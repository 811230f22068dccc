/* SPDX-License-Identifier: MIT */

/* Completion: a table of what is typed and what is inserted, and files of a folder of our own. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/repl/complete.h>
#include <cmd/repl/repl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(bool is_router, const char *line, size_t count, const char *insert)
{
    struct completion completion;
    struct repl repl;

    memset(&repl, 0, sizeof repl);
    repl.options.is_router = is_router;
    assert_int_equal(complete_line(&repl, line, strlen(line), &completion), 0);
    if (completion.count != count || strcmp(completion.insert, insert) != 0)
        fail_msg("\"%s\": %zu choices, inserts \"%s\"", line, completion.count, completion.insert);
    complete_done(&completion);
}

static void test_commands(void **state)
{
    (void)state;
    check(false, "tr", 1, "aceroute ");
    check(false, "  he", 1, "lp ");
    check(false, "l", 5, "");
    check(true, "l", 4, ""); /* a router has no ls */
    check(false, "xyz", 0, "");
    check(false, "help", 1, " ");
    check(true, "sf", 0, "");
    check(false, "sen", 1, "d ");
    check(false, "c 10.0", 0, ""); /* nothing is known about addresses */
}

static void test_files(void **state)
{
    char dir[] = "/tmp/weir-complete-XXXXXX";
    static const char *const names[] = {"alpha.bin", "alpha.txt", "beta", ".hidden"};
    char line[128], path[128];
    size_t i;

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    snprintf(path, sizeof path, "%s/gamma", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(line, sizeof line, "sf %s/al", dir);
    check(false, line, 2, "pha.");
    snprintf(line, sizeof line, "sf %s/b", dir);
    check(false, line, 1, "eta ");
    snprintf(line, sizeof line, "rf %s/g", dir);
    check(false, line, 1, "amma/");
    snprintf(line, sizeof line, "rf %s/", dir);
    check(false, line, 4, "");
    snprintf(line, sizeof line, "rf %s/.h", dir);
    check(false, line, 1, "idden ");
    snprintf(line, sizeof line, "send %s/al", dir);
    check(false, line, 0, "");
    check(false, "sf /no/such/folder/x", 0, "");
    snprintf(line, sizeof line, "capture on %s/al", dir);
    check(true, line, 2, "pha.");
    check(false, "capture o", 2, "");
    check(false, "capture of", 1, "f ");
    check(false, "capture   on", 1, " ");
    rmdir(path);
    for (i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
