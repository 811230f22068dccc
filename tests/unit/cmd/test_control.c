/* SPDX-License-Identifier: MIT */

/* The control socket without a node: clients in the same thread ask, go away in the middle, send too
 * much, read nothing, and are too many; the socket's file has the right mode, replaces what is dead
 * and nothing else. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <cmd/repl/control.h>
#include <cmd/repl/input.h>
#include <errno.h>
#include <fcntl.h>
#include <lab/control.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/weir-control-XXXXXX";
static char path[64];
static struct control *control;

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/n.sock", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder); /* fails if anything was left behind */
}

static void open_control(void)
{
    char error[CONTROL_ERROR_TEXT];

    control = control_create(path, error);
    if (!control)
        fail_msg("%s", error);
}

static bool is_ready(void)
{
    struct pollfd fd = {.fd = control_fd(control), .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

/* Serves until there is nothing to serve; returns whether the asker has gone. */
static bool serve(void)
{
    bool is_deserted = false;
    unsigned rounds = 0;

    while (is_ready()) {
        is_deserted |= control_serve(control);
        assert_true(++rounds < 1000);
    }
    return is_deserted;
}

static int connect_client(void)
{
    int fd = control_connect(path);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    serve();
    return fd;
}

static void type(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    serve();
}

/* Answers each waiting line with itself; returns how many there were. */
static unsigned answer_all(void)
{
    struct control_client *client;
    unsigned count = 0;
    char text[64];
    char *line;

    while (serve(), control_has_line(control)) {
        client = control_next(control, &line);
        if (!client)
            continue;
        count++;
        control_print(client, text, (size_t)snprintf(text, sizeof text, "<%.50s>\n", line));
        control_finish(client, line[0] == 'f');
    }
    serve();
    return count;
}

static void expect(int fd, const char *expected)
{
    char text[1024];
    ssize_t length = recv(fd, text, sizeof text - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    assert_string_equal(text, expected);
}

static void test_lines(void **state)
{
    struct stat status;
    int one, two;

    (void)state;
    open_control();
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    one = connect_client();
    two = connect_client();
    assert_false(control_has_line(control));
    type(one, "a\nb\nfail\npart");
    type(two, "c\n");
    assert_int_equal(answer_all(), 4);
    expect(one, "-<a>\n=0\n-<b>\n=0\n-<fail>\n=1\n");
    expect(two, "-<c>\n=0\n");
    type(one, "ly\n");
    assert_int_equal(answer_all(), 1);
    expect(one, "-<partly>\n=0\n");
    close(one);
    close(two);
    serve();
    control_destroy(control);
}

/* Clients take turns. */
static void test_turns(void **state)
{
    struct control_client *client;
    char order[16] = "";
    int fd[3];
    unsigned i;
    char *line;

    (void)state;
    open_control();
    for (i = 0; i < 3; i++)
        fd[i] = connect_client();
    type(fd[0], "a\na\na\n");
    type(fd[1], "b\nb\nb\n");
    type(fd[2], "c\nc\nc\n");
    for (i = 0; i < 9; i++) {
        client = control_next(control, &line);
        assert_non_null(client);
        strcat(order, line);
        control_finish(client, 0);
    }
    for (i = 0; i < 6; i++)
        assert_true(order[i] != order[i + 1] && order[i] == order[i + 3]);
    control_destroy(control); /* with its clients */
    for (i = 0; i < 3; i++)
        close(fd[i]);
}

/* A client that goes while its command runs is reported, once, and its output goes nowhere. */
static void test_deserted(void **state)
{
    struct control_client *client;
    int one, two;
    char *line;

    (void)state;
    open_control();
    one = connect_client();
    two = connect_client();
    type(one, "block\nnever\n");
    client = control_next(control, &line);
    assert_non_null(client);
    assert_string_equal(line, "block");
    close(two);
    assert_false(serve());
    close(one);
    assert_true(serve());
    assert_false(serve());
    control_print(client, "late\n", 5);
    control_finish(client, 0);
    assert_false(control_has_line(control));
    assert_null(control_next(control, &line));
    control_destroy(control);
}

/* A client that only stops sending gets all its answers, and then the end. */
static void test_half_closed(void **state)
{
    char text[1];
    int fd;

    (void)state;
    open_control();
    fd = connect_client();
    type(fd, "a\nb");
    shutdown(fd, SHUT_WR);
    serve();
    assert_int_equal(answer_all(), 2);
    expect(fd, "-<a>\n=0\n-<b>\n=0\n");
    assert_int_equal(recv(fd, text, 1, 0), 0); /* the end, not EAGAIN */
    close(fd);
    control_destroy(control);
}

static void test_requests(void **state)
{
    struct control_client *client;
    char text[128];
    char *line;
    int one, two;

    (void)state;
    open_control();
    one = connect_client();
    two = connect_client();
    type(one, ".events\n.hello\n.pid\n.foo\n");
    while ((client = control_next(control, &line)))
        control_finish(client, control_request(client, line));
    snprintf(text, sizeof text, "=0\n-%s\n=0\n-%d\n=0\n-error: unknown request\n=1\n", CONTROL_MARK,
             (int)getpid());
    expect(one, text);
    control_event(control, "hello\n", 6);
    expect(one, "*hello\n");
    assert_int_equal(recv(two, text, 1, 0), -1);
    close(one);
    close(two);
    serve();
    control_event(control, "nobody\n", 7);
    control_destroy(control);
}

/* Output waits for a slow reader, up to the limit; then the reader is let go. */
static void test_slow_reader(void **state)
{
    static const char line[] = "0123456789012345678901234567890123456789012345678901234567890123\n";
    size_t limit = CONTROL_OUTPUT_MAX / sizeof line / 2, got = 0, i;
    struct control_client *client;
    char buffer[65536];
    char *command;
    ssize_t count;
    int fd;

    (void)state;
    open_control();
    fd = connect_client();
    type(fd, "much\n");
    client = control_next(control, &command);
    assert_non_null(client);
    for (i = 0; i < limit; i++)
        control_print(client, line, sizeof line - 1);
    control_finish(client, 0);
    while (got < limit * sizeof line + 3) {
        count = recv(fd, buffer, sizeof buffer, 0);
        assert_true(count > 0);
        got += (size_t)count;
        serve();
    }
    assert_int_equal(got, limit * sizeof line + 3);
    assert_int_equal(answer_all(), 0); /* looks for a line, and reads on */
    type(fd, "more\n");
    client = control_next(control, &command);
    assert_non_null(client);
    for (i = 0; i < 3 * limit; i++)
        control_print(client, line, sizeof line - 1);
    control_finish(client, 0);
    serve();
    while ((count = recv(fd, buffer, sizeof buffer, 0)) > 0)
        ;
    assert_int_equal(count, 0); /* let go */
    close(fd);
    control_destroy(control);
}

static void test_too_long(void **state)
{
    size_t length = INPUT_LINE_MAX + 70000, sent = 0;
    char *text = malloc(length + 4);
    int fd;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', length);
    memcpy(text + length, "\na\n", 4);
    open_control();
    fd = connect_client();
    while (sent < length + 3) {
        ssize_t count = send(fd, text + sent, length + 3 - sent, MSG_NOSIGNAL);

        if (count > 0)
            sent += (size_t)count;
        serve();
        answer_all();
    }
    serve();
    answer_all();
    expect(fd, "-error: line too long, or not text\n=1\n-<a>\n=0\n");
    close(fd);
    free(text);
    control_destroy(control);
}

static void test_too_many(void **state)
{
    int fd[CONTROL_CLIENTS_MAX + 1];
    unsigned i;

    (void)state;
    open_control();
    for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
        fd[i] = connect_client();
    fd[i] = connect_client();
    expect(fd[i], "-error: too many control clients\n=1\n");
    close(fd[i]);
    close(fd[0]);
    serve();
    fd[0] = connect_client();
    type(fd[0], "a\n");
    assert_int_equal(answer_all(), 1);
    for (i = 0; i < CONTROL_CLIENTS_MAX; i++)
        close(fd[i]);
    control_destroy(control);
}

/* ---- The file ---------------------------------------------------------------------------------- */

static void test_replaced(void **state)
{
    char error[CONTROL_ERROR_TEXT];
    struct stat status;
    int dead, fd;

    (void)state;
    dead = control_listen(path);
    assert_true(dead >= 0);
    assert_int_equal(control_listen(path), -EADDRINUSE);
    assert_null(control_create(path, error));
    assert_non_null(strstr(error, "Address already in use"));
    close(dead); /* as if killed: the file stays */
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(control_connect(path), -ECONNREFUSED);
    open_control();
    control_destroy(control);
    assert_int_equal(stat(path, &status), -1);
    assert_int_equal(control_connect(path), -ENOENT);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    assert_null(control_create(path, error));
    assert_non_null(strstr(error, "there is a file that is no socket"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(control_listen("/nowhere/x"), -ENOENT);
    assert_int_equal(control_listen("/tmp/"), -EINVAL);
}

/* Directories whose name does not fit into a socket's address. */
static void test_long_path(void **state)
{
    char deep[512], name[600];
    int fd, client;

    (void)state;
    snprintf(deep, sizeof deep, "%s/%0*d", folder, 150, 7);
    assert_int_equal(mkdir(deep, 0700), 0);
    snprintf(name, sizeof name, "%s/a-node-with-a-name.sock", deep);
    fd = control_listen(name);
    assert_true(fd >= 0);
    client = control_connect(name);
    assert_true(client >= 0);
    close(client);
    control_unlisten(name, fd);
    assert_int_equal(rmdir(deep), 0);
}

/* ---- Asking ------------------------------------------------------------------------------------ */

struct asked {
    int status;
    char text[256];
};

static void note(void *argument, const char *line, size_t length)
{
    struct asked *asked = argument;

    assert_int_equal(strlen(line), length);
    strcat(asked->text, line);
    strcat(asked->text, "|");
}

static void *ask(void *argument)
{
    struct asked *asked = argument;

    asked->status = control_ask(path, "question", note, asked);
    return NULL;
}

/* A thread asks; the answer has `lines` lines and a status. */
static void run_ask(struct asked *asked, int lines, int status)
{
    struct pollfd fd = {.fd = control_fd(control), .events = POLLIN};
    struct control_client *client = NULL;
    pthread_t thread;
    char *line;
    int i;

    memset(asked, 0, sizeof *asked);
    assert_int_equal(pthread_create(&thread, NULL, ask, asked), 0);
    while (!client) {
        assert_int_equal(poll(&fd, 1, 10000), 1);
        control_serve(control);
        client = control_next(control, &line);
    }
    assert_string_equal(line, "question");
    for (i = 0; i < lines; i++)
        control_print(client, "line\n", 5);
    control_event(control, "event\n", 6);
    control_finish(client, status);
    pthread_join(thread, NULL);
    serve();
}

static void test_ask(void **state)
{
    struct asked asked;

    (void)state;
    assert_int_equal(control_ask(path, "x", NULL, NULL), -ENOENT);
    assert_int_equal(control_ask(path, "x\ny", NULL, NULL), -EINVAL);
    open_control();
    run_ask(&asked, 2, 0);
    assert_int_equal(asked.status, 0);
    assert_string_equal(asked.text, "line|line|");
    run_ask(&asked, 0, 1);
    assert_int_equal(asked.status, 1);
    assert_string_equal(asked.text, "");
    control_destroy(control);
}

/* A node that ends before it has answered. */
static void test_ask_broken(void **state)
{
    struct asked asked = {0};
    pthread_t thread;
    int listener, fd;

    (void)state;
    listener = control_listen(path);
    assert_true(listener >= 0);
    assert_int_equal(pthread_create(&thread, NULL, ask, &asked), 0);
    do {
        struct pollfd ready = {.fd = listener, .events = POLLIN};

        assert_int_equal(poll(&ready, 1, 10000), 1);
        fd = accept(listener, NULL, NULL);
    } while (fd < 0);
    assert_int_equal(send(fd, "-half\n", 6, 0), 6);
    shutdown(fd, SHUT_WR);
    pthread_join(thread, NULL);
    close(fd);
    control_unlisten(path, listener);
    assert_int_equal(asked.status, -ECONNRESET);
    assert_string_equal(asked.text, "half|");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_turns),
        cmocka_unit_test(test_deserted), cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_requests), cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_replaced), cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_ask),      cmocka_unit_test(test_ask_broken),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
