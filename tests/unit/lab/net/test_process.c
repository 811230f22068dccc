/* SPDX-License-Identifier: MIT */

/* Processes known by files: a child that lives is found and can be ended; one that has ended, one that
 * has got its number, and one of another boot are not; neither is what damaged files name. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <lab/net/process.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/weir-process-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/n.pid", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* A child that has written its file and waits until the returned descriptor is closed. */
static pid_t start_child(int *end)
{
    int ready[2], stop[2];
    char byte = 0;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(stop), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(stop[1]);
        byte = process_write(path) ? 'b' : 'g';
        if (write(ready[1], &byte, 1) == 1)
            (void)!read(stop[0], &byte, 1);
        _exit(0);
    }
    close(stop[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'g');
    close(ready[0]);
    *end = stop[1];
    return pid;
}

static void assert_unknown(void)
{
    pid_t pid = 77;

    assert_int_equal(process_open(path, &pid), -1);
    assert_int_equal(pid, 77);
}

static void test_life(void **state)
{
    pid_t child, pid = 0;
    int end, fd;

    (void)state;
    child = start_child(&end);
    fd = process_open(path, &pid);
    assert_true(fd >= 0);
    assert_int_equal(pid, child);
    assert_false(process_has_ended(fd));
    close(end);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 10000), 1);
    assert_true(process_has_ended(fd));
    assert_unknown(); /* a zombie is no process */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_unknown();
    assert_int_equal(process_signal(fd, SIGTERM), -1);
    assert_int_equal(errno, ESRCH);
    assert_true(process_is_file(path));
    close(fd);
}

static void test_signal(void **state)
{
    int end, fd, status = 0;
    pid_t child, pid;

    (void)state;
    child = start_child(&end);
    fd = process_open(path, &pid);
    assert_int_equal(process_signal(fd, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(fd);
    close(end);
}

/* The file again, with one of its three words changed. */
static void rewrite(int changed)
{
    char boot[64] = "";
    long number = 0;
    unsigned long long started = 0;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %llu %63s", &number, &started, boot), 3);
    fclose(file);
    assert_int_equal(number, getpid());
    if (changed == 1)
        started++;
    if (changed == 2)
        boot[0] = boot[0] == 'x' ? 'y' : 'x';
    file = fopen(path, "w");
    fprintf(file, "%ld %llu %s\n", changed == 0 ? 1 : number, started, boot);
    fclose(file);
}

static void test_somebody_else(void **state)
{
    int changed;
    pid_t pid;
    int fd;

    (void)state;
    for (changed = 0; changed < 3; changed++) {
        assert_int_equal(process_write(path), 0);
        fd = process_open(path, &pid);
        assert_true(fd >= 0);
        assert_int_equal(pid, getpid());
        close(fd);
        rewrite(changed);
        assert_unknown();
    }
}

static void test_damaged(void **state)
{
    static const char *const texts[] = {
        "",       "x",
        "1 1 x",  "-5 7 x",
        "0 0 -",  "99999999999999999999 1 x",
        "17 5",   "4294967297 5 x",
        "2 -1 x", "\n\n\n",
    };
    size_t i;
    FILE *file;

    (void)state;
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(texts[i], file);
        fclose(file);
        assert_unknown();
        assert_true(i > 1 || !process_is_file(path));
    }
    unlink(path);
    assert_unknown();
    assert_int_equal(process_write("/nowhere/n.pid"), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_somebody_else),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
