/* SPDX-License-Identifier: MIT */

/* What the two libraries show, and what the twin does when it is preloaded: the program runs itself
 * again under LD_PRELOAD and makes, as packetdrill does, the two calls that pass the table by. */

#include "driver.h"

#include <linux/tcp.h>
#include <stdlib.h>
#include <sys/wait.h>

#define ACK WEIR_TCP_ACK
#define FIN WEIR_TCP_FIN

static char *program;

/* The names that `nm` finds defined in a library, sorted, a space after each. */
static void defined_names(const char *name, char *text, size_t size)
{
    char command[1200];
    size_t length;
    FILE *pipe;

    snprintf(command, sizeof(command),
             "nm -D --defined-only '%s/lib/%s' | awk '{print $3}' | sort | tr '\\n' ' '",
             WEIR_BINARY_DIR, name);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    length = fread(text, 1, size - 1, pipe);
    text[length] = '\0';
    assert_int_equal(pclose(pipe), 0);
}

static void exports(void **state)
{
    char text[4096];

    (void)state;
    defined_names("weir-packetdrill.so", text, sizeof(text));
    assert_string_equal(text, "packetdrill_interface_init ");
    defined_names("weir-packetdrill-preload.so", text, sizeof(text));
    assert_string_equal(text, "close getsockopt packetdrill_interface_init ");
}

/* Not preloaded: the descriptor is real, but the kernel knows it as no socket. */
static void without_preload(void **state)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);
    struct driver d;
    int fd;

    (void)state;
    driver_open(&d, NULL);
    fd = driver_establish(&d, NULL);
    errno = 0;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), -1);
    assert_int_equal(errno, ENOTSOCK);
    driver_close(&d);
}

/* ---- Under LD_PRELOAD ------------------------------------------------------------------------------- */

static void past_the_table(void **state)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    struct driver d;
    int fd;

    (void)state;
    driver_load(&d, "weir-packetdrill-preload.so", NULL);
    assert_non_null(d.u);
    fd = driver_establish(&d, NULL);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_state, 1 /* TCP_ESTABLISHED */);
    assert_int_equal(info.tcpi_snd_mss, 1460);
    errno = 0;
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, 9999, &info, &length), -1);
    assert_int_equal(errno, ENOPROTOOPT);
    assert_int_equal(close(fd), 0);
    driver_out(&d, FIN | ACK, 1, 1, 0); /* it was our socket that was closed */
    errno = 0;
    assert_int_equal(close(fd), -1);
    assert_int_equal(errno, EBADF);
    driver_close(&d);
}

/* What is not ours goes to the kernel, with and without an adapter. */
static void foreign_descriptors(void **state)
{
    struct driver d;

    (void)state;
    for (int round = 0; round < 2; round++) {
        int value = -1, fds[2];
        socklen_t length = sizeof(value);

        if (round == 1)
            driver_load(&d, "weir-packetdrill-preload.so", NULL);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        assert_int_equal(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &length), 0);
        assert_int_equal(value, SOCK_STREAM);
        assert_int_equal(close(fds[0]), 0);
        errno = 0;
        assert_int_equal(close(fds[0]), -1);
        assert_int_equal(errno, EBADF);
        assert_int_equal(close(fds[1]), 0);
        if (round == 1)
            driver_close(&d);
    }
}

static int run_preloaded(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(past_the_table),
        cmocka_unit_test(foreign_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void with_preload(void **state)
{
    pid_t child = fork();
    int status = -1;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        setenv("LD_PRELOAD", WEIR_BINARY_DIR "/lib/weir-packetdrill-preload.so", 1);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
        execl(program, program, "preloaded", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exports),
        cmocka_unit_test(without_preload),
        cmocka_unit_test(with_preload),
    };

    program = argv[0];
    if (argc > 1)
        return run_preloaded();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
