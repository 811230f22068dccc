/* SPDX-License-Identifier: MIT */

/* sysctl=1: settings of a network namespace are taken only in one of its own, and never needed. The
 * rest is run in a namespace that the test makes for itself, where the machine allows that. */

#include "driver.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SYN WEIR_TCP_SYN

static bool write_setting(const char *name, const char *value)
{
    char path[100];
    ssize_t written;
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    written = write(fd, value, strlen(value));
    close(fd);
    return written == (ssize_t)strlen(value);
}

/* Packets that come until nothing is left to come. */
static int count_packets(struct driver *d)
{
    size_t length;
    int count = 0;

    do {
        length = sizeof(d->bytes);
        assert_int_equal(d->t.netdev_receive(d->u, d->bytes, &length, &d->at), 0);
        count += length > 0;
    } while (length > 0 && count < 100);
    return count;
}

/* How often a SYN is sent before connect gives up. */
static int count_syns(const char *flags)
{
    struct sockaddr_in remote = driver_addr(DRIVER_REMOTE, DRIVER_PEER_PORT);
    struct driver d;
    int fd, count;

    driver_open(&d, flags);
    fd = d.t.socket(d.u, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(d.t.connect(d.u, fd, (const struct sockaddr *)&remote, sizeof(remote)), -1);
    count = count_packets(&d);
    driver_close(&d);
    return count;
}

/* A command in the middle of the script, when there is a socket already. */
static int count_syns_after_command(void)
{
    struct sockaddr_in remote = driver_addr(DRIVER_REMOTE, DRIVER_PEER_PORT);
    struct driver d;
    int fd, count;

    driver_open(&d, "sysctl=1");
    fd = d.t.socket(d.u, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(system("echo 4 > /proc/sys/net/ipv4/tcp_syn_retries"), 0);
    assert_int_equal(d.t.connect(d.u, fd, (const struct sockaddr *)&remote, sizeof(remote)), -1);
    count = count_packets(&d);
    driver_close(&d);
    return count;
}

/* In a child, because a process cannot leave its namespace again. Status 77: not allowed here. */
static int in_a_namespace(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return 77;
    if (!write_setting("tcp_syn_retries", "2"))
        return 77;
    if (count_syns("sysctl=1") != 3)
        return 1;
    if (count_syns("sysctl=0") == 3)
        return 2;
    return count_syns_after_command() == 5 ? 0 : 3;
}

static void settings_of_a_namespace(void **state)
{
    int status = -1;
    pid_t child;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(in_a_namespace());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        print_message("no namespaces here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Outside the profile rules: Linux's six retransmissions of a SYN. */
static void the_profile_rules(void **state)
{
    (void)state;
    assert_int_equal(count_syns("sysctl=0"), 7);
    assert_int_equal(count_syns("sysctl=0,profile=linux"), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_profile_rules),
        cmocka_unit_test(settings_of_a_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
