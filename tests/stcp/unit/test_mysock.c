/* SPDX-License-Identifier: MIT */

/* The application's calls over the network in memory: results and errors, what blocks and what
 * wakes it, descriptors, and calls of several threads at once. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <stcp/net_memory.h>
#include <stcp/mysock_impl.h>

#define PORT 1000
#define assert_error(call, error)       \
    do {                                \
        errno = 0;                      \
        assert_int_equal(call, -1);     \
        assert_int_equal(errno, error); \
    } while (0)

static const struct memory_faults no_faults;

static struct sockaddr *at_port(struct sockaddr_in *addr, int port)
{
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_port = htons((uint16_t)port);
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return (struct sockaddr *)addr;
}

static mysocket_t listening(int port, int backlog)
{
    struct sockaddr_in addr;
    mysocket_t sd = mysocket();

    assert_true(sd >= 0);
    assert_int_equal(mybind(sd, at_port(&addr, port), sizeof(addr)), 0);
    assert_int_equal(mylisten(sd, backlog), 0);
    return sd;
}

static mysocket_t connected(int port)
{
    struct sockaddr_in addr;
    mysocket_t sd = mysocket();

    assert_true(sd >= 0);
    assert_int_equal(myconnect(sd, at_port(&addr, port), sizeof(addr)), 0);
    return sd;
}

static void *close_it(void *sd)
{
    myclose(*(mysocket_t *)sd);
    return NULL;
}

static void close_both(mysocket_t one, mysocket_t two)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, close_it, &one), 0);
    assert_int_equal(myclose(two), 0);
    pthread_join(thread, NULL);
}

/* A connection: `ends` are the connecting and the accepted socket. */
static void make_pair(mysocket_t ends[2])
{
    mysocket_t listener = listening(PORT, 5);

    ends[0] = connected(PORT);
    ends[1] = myaccept(listener, NULL, NULL);
    assert_true(ends[1] >= 0);
    assert_int_equal(myclose(listener), 0);
}

static void read_all(mysocket_t sd, char *buffer, size_t length)
{
    size_t got = 0;

    while (got < length) {
        int count = myread(sd, buffer + got, length - got);

        assert_true(count > 0);
        got += (size_t)count;
    }
}

static void both_forms_of_mysocket(void **state)
{
    mysocket_t first = mysocket(), second = mysocket(FALSE), third = mysocket(TRUE);
    int i;

    (void)state;
    assert_int_equal(first, 0);
    assert_int_equal(second, 1);
    assert_int_equal(third, 2);
    for (i = 0; i < 3; i++) {
        struct mysock *sock = table_get(i);

        assert_int_equal(sock->is_reliable, i != 1);
        table_release(sock);
    }
    assert_int_equal(myclose(first), 0);
    assert_int_equal(mysocket(), 0);
    assert_int_equal(myclose(0), 0);
    assert_int_equal(myclose(second), 0);
    assert_int_equal(myclose(third), 0);
}

static void errors(void **state)
{
    mysocket_t sd = mysocket(), listener = listening(PORT, 1), client;
    struct sockaddr_in addr;
    socklen_t length = sizeof(addr);
    char byte = 0;

    (void)state;
    assert_error(myclose(99), EBADF);
    assert_error(myread(99, &byte, 1), EBADF);
    assert_error(mywrite(-1, &byte, 1), EBADF);
    assert_error(myaccept(99, NULL, NULL), EBADF);
    assert_error(mybind(99, at_port(&addr, 1), sizeof(addr)), EBADF);
    assert_error(myconnect(99, at_port(&addr, PORT), sizeof(addr)), EINVAL);
    assert_error(myread(sd, &byte, 1), ENOTCONN);
    assert_error(mywrite(sd, &byte, 1), ENOTCONN);
    assert_error(mygetpeername(sd, (struct sockaddr *)&addr, &length), ENOTCONN);
    assert_error(mylisten(sd, 5), EINVAL);
    assert_error(myaccept(sd, NULL, NULL), EINVAL);
    at_port(&addr, 2)->sa_family = AF_INET6;
    assert_error(mybind(sd, (struct sockaddr *)&addr, sizeof(addr)), EADDRNOTAVAIL);
    assert_error(mybind(sd, at_port(&addr, PORT), sizeof(addr)), EADDRINUSE);
    assert_error(mybind(sd, at_port(&addr, 2), 3), EINVAL);
    assert_int_equal(mybind(sd, at_port(&addr, 2), sizeof(addr)), 0);
    assert_error(mybind(sd, at_port(&addr, 3), sizeof(addr)), EINVAL);
    assert_error(myread(listener, &byte, 1), EINVAL);
    assert_error(mywrite(listener, &byte, 1), EINVAL);
    assert_error(myconnect(listener, at_port(&addr, PORT), sizeof(addr)), EINVAL);
    client = connected(PORT);
    assert_error(myconnect(client, at_port(&addr, PORT), sizeof(addr)), EISCONN);
    assert_int_equal(myclose(sd), 0);
    assert_error(myclose(sd), EBADF);
    close_both(listener, client);
}

static void nobody_listens(void **state)
{
    mysocket_t sd = mysocket();
    struct sockaddr_in addr;

    (void)state;
    assert_error(myconnect(sd, at_port(&addr, 9), sizeof(addr)), ECONNREFUSED);
    assert_int_equal(myclose(sd), 0);
}

static void names(void **state)
{
    mysocket_t listener = listening(PORT, 5), client = connected(PORT), server;
    struct sockaddr_in own, peer;
    socklen_t length = sizeof(peer);
    int accepted_length = sizeof(peer);

    (void)state;
    server = myaccept(listener, (struct sockaddr *)&peer, &accepted_length);
    assert_int_equal(accepted_length, sizeof(peer));
    assert_int_equal(mygetsockname(client, (struct sockaddr *)&own, &length), 0);
    assert_int_equal(own.sin_port, peer.sin_port);
    assert_int_equal(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(mygetpeername(client, (struct sockaddr *)&peer, &length), 0);
    assert_int_equal(ntohs(peer.sin_port), PORT);
    assert_int_equal(mylocalip(htonl(INADDR_LOOPBACK)), htonl(INADDR_LOOPBACK));
    myclose(listener);
    close_both(client, server);
}

/* Everything that has arrived comes in one read, over the limits of writes and segments. */
static void reads_are_not_writes(void **state)
{
    char out[256], in[1000];
    struct mysock *sock;
    mysocket_t ends[2];

    (void)state;
    make_pair(ends);
    memset(out, 'x', sizeof(out));
    assert_int_equal(mywrite(ends[0], out, 256), 256);
    assert_int_equal(mywrite(ends[0], out, 256), 256);
    sock = table_get(ends[1]);
    pthread_mutex_lock(&sock->lock);
    while (sock->to_app.bytes < 512)
        pthread_cond_wait(&sock->changed, &sock->lock);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
    assert_int_equal(myread(ends[1], in, 0), 0);
    assert_int_equal(myread(ends[1], in, 10), 10);
    assert_int_equal(myread(ends[1], in, sizeof(in)), 502);
    close_both(ends[0], ends[1]);
}

static void an_empty_write(void **state)
{
    mysocket_t ends[2];
    char byte = 'a';

    (void)state;
    make_pair(ends);
    assert_int_equal(mywrite(ends[0], &byte, 0), 0);
    assert_int_equal(mywrite(ends[0], &byte, 1), 1);
    assert_int_equal(myread(ends[1], &byte, 1), 1);
    close_both(ends[0], ends[1]);
}

/* After the peer's end there is nothing to read, and still all to write. */
static void half_closed(void **state)
{
    static char out[100000], in[100000];
    mysocket_t ends[2];
    pthread_t thread;

    (void)state;
    make_pair(ends);
    assert_int_equal(pthread_create(&thread, NULL, close_it, &ends[0]), 0);
    assert_int_equal(myread(ends[1], in, 1), 0);
    assert_int_equal(myread(ends[1], in, 1), 0);
    assert_int_equal(mywrite(ends[1], out, sizeof(out)), sizeof(out));
    assert_int_equal(myclose(ends[1]), 0);
    pthread_join(thread, NULL);
}

struct call {
    mysocket_t sd;
    int result, error;
};

static void *read_one(void *argument)
{
    struct call *call = argument;
    char byte;

    call->result = myread(call->sd, &byte, 1);
    call->error = errno;
    return NULL;
}

static void *accept_one(void *argument)
{
    struct call *call = argument;

    call->result = myaccept(call->sd, NULL, NULL);
    call->error = errno;
    return NULL;
}

/* Writes more than anybody takes. */
static void *write_much(void *argument)
{
    static char zeros[4 * FROM_APP_MAX + TO_APP_MAX];
    struct call *call = argument;

    call->result = mywrite(call->sd, zeros, sizeof(zeros));
    call->error = errno;
    return NULL;
}

static void closing_wakes_a_reader(void **state)
{
    struct call call = {.result = 5};
    mysocket_t ends[2];
    pthread_t thread;

    (void)state;
    make_pair(ends);
    call.sd = ends[0];
    assert_int_equal(pthread_create(&thread, NULL, read_one, &call), 0);
    close_both(ends[0], ends[1]);
    pthread_join(thread, NULL);
    assert_true(call.result == 0 || (call.result == -1 && call.error == EBADF));
}

static void closing_wakes_an_acceptor(void **state)
{
    struct call call = {.sd = listening(PORT, 5), .result = 5};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, accept_one, &call), 0);
    assert_int_equal(myclose(call.sd), 0);
    pthread_join(thread, NULL);
    assert_int_equal(call.result, -1);
    assert_int_equal(call.error, EBADF);
}

/* A writer blocks at 1 MiB, and goes on when the reader reads. */
static void a_writer_waits(void **state)
{
    static char in[65536];
    struct call call = {.result = 0};
    size_t got = 0;
    struct mysock *sock;
    mysocket_t ends[2];
    pthread_t thread;

    (void)state;
    make_pair(ends);
    call.sd = ends[0];
    assert_int_equal(pthread_create(&thread, NULL, write_much, &call), 0);
    while (got < 4 * FROM_APP_MAX + TO_APP_MAX) {
        int count = myread(ends[1], in, sizeof(in));

        assert_true(count > 0);
        got += (size_t)count;
        sock = table_get(ends[0]);
        pthread_mutex_lock(&sock->lock);
        assert_true(sock->from_app.bytes < FROM_APP_MAX + 65536);
        pthread_mutex_unlock(&sock->lock);
        table_release(sock);
    }
    pthread_join(thread, NULL);
    assert_int_equal(call.result, 4 * FROM_APP_MAX + TO_APP_MAX);
    close_both(ends[0], ends[1]);
}

/* A connection that is over takes nothing more. */
static void writing_into_the_void(void **state)
{
    mysocket_t ends[2];
    struct mysock *sock;
    char byte = 0;

    (void)state;
    make_pair(ends);
    sock = table_get(ends[0]);
    mysock_deliver(sock, NULL, 0);
    assert_int_equal(myread(ends[0], &byte, 1), 0);
    pthread_mutex_lock(&sock->lock);
    while (!sock->is_over)
        pthread_cond_wait(&sock->changed, &sock->lock);
    pthread_mutex_unlock(&sock->lock);
    table_release(sock);
    assert_error(mywrite(ends[0], &byte, 1), EPIPE);
    assert_int_equal(myclose(ends[0]), 0);
    assert_int_equal(myclose(ends[1]), 0);
}

/* Those that wait in a listener have their handshake, and are ended with it. */
static void closing_a_listener_ends_what_waits(void **state)
{
    mysocket_t listener = listening(PORT, 5), clients[3];
    pthread_t threads[3];
    char byte;
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        clients[i] = connected(PORT);
    for (i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, close_it, &clients[i]), 0);
    assert_int_equal(myclose(listener), 0);
    for (i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_error(myread(clients[0], &byte, 1), EBADF);
}

static void more_than_sixty_four(void **state)
{
    mysocket_t listener = listening(PORT, 5), ends[100][2];
    char byte;
    int i;

    (void)state;
    for (i = 0; i < 100; i++) {
        ends[i][0] = connected(PORT);
        ends[i][1] = myaccept(listener, NULL, NULL);
    }
    for (i = 0; i < 100; i++) {
        byte = (char)i;
        assert_int_equal(mywrite(ends[i][i & 1], &byte, 1), 1);
    }
    for (i = 0; i < 100; i++) {
        read_all(ends[i][!(i & 1)], &byte, 1);
        assert_int_equal(byte, i);
        close_both(ends[i][0], ends[i][1]);
    }
    assert_int_equal(myclose(listener), 0);
    assert_null(table_get(0));
}

/* Segments of one who only begins: a SYN from each of many ports. The last client is served. */
static void half_open_ones_keep_nobody_out(void **state)
{
    mysocket_t listener = listening(PORT, 0), sds[300], client, server;
    unsigned char syn[SEGMENT_MIN] = {0};
    struct sockaddr_in addr;
    struct bytes part = {syn, sizeof(syn)};
    int i;

    (void)state;
    syn[12] = 0x50;
    syn[13] = 0x02;
    for (i = 0; i < 300; i++) {
        struct mysock *sock;

        sds[i] = mysocket();
        sock = table_get(sds[i]);
        mysock_network->connect(sock->channel, (struct sockaddr_in *)at_port(&addr, PORT));
        assert_int_equal(mysock_network->send(sock->channel, &part, 1), SEGMENT_MIN);
        table_release(sock);
    }
    client = connected(PORT);
    server = myaccept(listener, NULL, NULL);
    assert_true(server >= 0);
    close_both(client, server);
    for (i = 0; i < 300; i++)
        assert_int_equal(myclose(sds[i]), 0);
    assert_int_equal(myclose(listener), 0);
}

static int set_up(void **state)
{
    (void)state;
    memory_set(1, &no_faults);
    return 0;
}

/* Waits until nothing is left: a half-open connection that was given up ends by itself. */
static int tear_down(void **state)
{
    struct mysock *sock;
    int i;

    (void)state;
    for (i = 0; i < 1000; i++)
        while ((sock = table_get(i)) != NULL) {
            pthread_mutex_lock(&sock->lock);
            while (!sock->is_over)
                pthread_cond_wait(&sock->changed, &sock->lock);
            pthread_mutex_unlock(&sock->lock);
            table_release(sock);
        }
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_forms_of_mysocket),
        TEST(errors),
        TEST(nobody_listens),
        TEST(names),
        TEST(reads_are_not_writes),
        TEST(an_empty_write),
        TEST(half_closed),
        TEST(closing_wakes_a_reader),
        TEST(closing_wakes_an_acceptor),
        TEST(a_writer_waits),
        TEST(writing_into_the_void),
        TEST(closing_a_listener_ends_what_waits),
        TEST(more_than_sixty_four),
        TEST(half_open_ones_keep_nobody_out),
    };

    mysock_network = &network_memory;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
