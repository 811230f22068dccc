/* SPDX-License-Identifier: MIT */

/* The network over kernel TCP, in one process: 64 connections at once with a megabyte in each
 * direction, losses by the unreliable mode, peers that nobody reaches, descriptors that run out, and
 * listeners that are closed while connections come. */

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
#include <sys/resource.h>
#include <unistd.h>

#include <stcp/mysock.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEGABYTE 50000
#else
#define MEGABYTE 1000000
#endif
#define CONNECTIONS 64
#define CHUNK 10000

static struct sockaddr *loopback(struct sockaddr_in *addr, in_port_t port)
{
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_port = port;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return (struct sockaddr *)addr;
}

/* A listener on a port of its own, which goes to `addr`. */
static mysocket_t listening(bool_t is_reliable, struct sockaddr_in *addr)
{
    mysocket_t sd = mysocket(is_reliable);
    socklen_t length = sizeof(*addr);

    assert_true(sd >= 0);
    assert_int_equal(mybind(sd, loopback(addr, 0), sizeof(*addr)), 0);
    assert_int_equal(mylisten(sd, 5), 0);
    assert_int_equal(mygetsockname(sd, (struct sockaddr *)addr, &length), 0);
    loopback(addr, addr->sin_port);
    return sd;
}

/* One direction of one connection. */
struct stream {
    mysocket_t from, to;
    size_t length;
    unsigned seed;
    bool_t is_right;
    pthread_t writer, reader;
};

static void fill(unsigned char *bytes, size_t length, unsigned *state)
{
    size_t i;

    for (i = 0; i < length; i++) {
        *state = *state * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(*state >> 24);
    }
}

static void *write_stream(void *argument)
{
    struct stream *stream = argument;
    unsigned char chunk[CHUNK];
    unsigned state = stream->seed;
    size_t done;

    for (done = 0; done < stream->length; done += CHUNK) {
        fill(chunk, CHUNK, &state);
        if (mywrite(stream->from, chunk, CHUNK) != CHUNK)
            break;
    }
    return NULL;
}

static void *read_stream(void *argument)
{
    struct stream *stream = argument;
    unsigned char chunk[CHUNK], expected[CHUNK];
    unsigned state = stream->seed;
    size_t done;

    stream->is_right = TRUE;
    for (done = 0; done < stream->length && stream->is_right; done += CHUNK) {
        size_t got = 0;
        int count = 1;

        while (got < CHUNK && count > 0) {
            count = myread(stream->to, chunk + got, CHUNK - got);
            got += count > 0 ? (size_t)count : 0;
        }
        fill(expected, CHUNK, &state);
        stream->is_right = got == CHUNK && memcmp(chunk, expected, CHUNK) == 0;
    }
    return NULL;
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

/* `count` connections with `length` bytes in each direction, all at once. */
static void transfer(bool_t is_reliable, int count, size_t length)
{
    struct stream *streams = calloc((size_t)count * 2, sizeof(*streams));
    struct sockaddr_in addr;
    mysocket_t listener = listening(is_reliable, &addr);
    int i;

    for (i = 0; i < count; i++) {
        mysocket_t client = mysocket(is_reliable), server;

        assert_int_equal(myconnect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
        server = myaccept(listener, NULL, NULL);
        streams[2 * i] = (struct stream){.from = client, .to = server};
        streams[2 * i + 1] = (struct stream){.from = server, .to = client};
    }
    for (i = 0; i < 2 * count; i++) {
        streams[i].length = length;
        streams[i].seed = (unsigned)i + 1;
        assert_int_equal(pthread_create(&streams[i].writer, NULL, write_stream, &streams[i]), 0);
        assert_int_equal(pthread_create(&streams[i].reader, NULL, read_stream, &streams[i]), 0);
    }
    for (i = 0; i < 2 * count; i++) {
        pthread_join(streams[i].writer, NULL);
        pthread_join(streams[i].reader, NULL);
    }
    for (i = 0; i < 2 * count; i++)
        assert_true(streams[i].is_right);
    for (i = 0; i < count; i++)
        close_both(streams[2 * i].from, streams[2 * i].to);
    assert_int_equal(myclose(listener), 0);
    free(streams);
}

static void a_megabyte_both_ways(void **state)
{
    (void)state;
    transfer(TRUE, 1, MEGABYTE);
}

static void sixty_four_at_once(void **state)
{
    (void)state;
    transfer(TRUE, CONNECTIONS, MEGABYTE);
}

static void unreliable(void **state)
{
    (void)state;
    transfer(FALSE, 4, MEGABYTE / 5);
}

static void nobody_there(void **state)
{
    struct sockaddr_in addr;
    mysocket_t listener = listening(TRUE, &addr), sd = mysocket();

    (void)state;
    assert_int_equal(myclose(listener), 0);
    /* The port is free as soon as the network's thread has closed it, which is before it answers. */
    errno = 0;
    assert_int_equal(myconnect(sd, (struct sockaddr *)&addr, sizeof(addr)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(myclose(sd), 0);
}

/* Clients come while the listener goes: each is served, refused or ended, and nobody hangs. */
static void *connect_and_close(void *argument)
{
    int i;

    for (i = 0; i < 20; i++) {
        mysocket_t sd = mysocket();

        myconnect(sd, argument, sizeof(struct sockaddr_in));
        myclose(sd);
    }
    return NULL;
}

static void closing_while_they_come(void **state)
{
    pthread_t threads[4];
    struct sockaddr_in addr;
    mysocket_t listener = listening(TRUE, &addr), sd;
    int i;

    (void)state;
    for (i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, connect_and_close, &addr), 0);
    for (i = 0; i < 10; i++) {
        sd = myaccept(listener, NULL, NULL);
        assert_true(sd >= 0);
        assert_int_equal(myclose(sd), 0);
    }
    assert_int_equal(myclose(listener), 0);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

struct client {
    pthread_t thread;
    struct sockaddr_in addr;
    mysocket_t sd;
    int result;
};

static void *connect_client(void *argument)
{
    struct client *client = argument;

    client->result = myconnect(client->sd, (struct sockaddr *)&client->addr, sizeof(client->addr));
    return NULL;
}

/* A queue of one that is full: the others wait, and are taken when there is room. */
static void a_full_listener(void **state)
{
    struct sockaddr_in addr;
    struct client clients[5];
    mysocket_t listener = mysocket(), servers[5];
    socklen_t length = sizeof(addr);
    int i;

    (void)state;
    assert_int_equal(mybind(listener, loopback(&addr, 0), sizeof(addr)), 0);
    assert_int_equal(mylisten(listener, 0), 0);
    assert_int_equal(mygetsockname(listener, (struct sockaddr *)&addr, &length), 0);
    loopback(&addr, addr.sin_port);
    for (i = 0; i < 5; i++) {
        clients[i] = (struct client){.addr = addr, .sd = mysocket(), .result = 5};
        if (i == 0)
            connect_client(&clients[i]);
        else
            pthread_create(&clients[i].thread, NULL, connect_client, &clients[i]);
    }
    for (i = 0; i < 5; i++) {
        servers[i] = myaccept(listener, NULL, NULL);
        assert_true(servers[i] >= 0);
        assert_int_equal(mywrite(servers[i], "x", 1), 1);
    }
    for (i = 0; i < 5; i++) {
        char byte;

        if (i > 0)
            pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].result, 0);
        assert_int_equal(myread(clients[i].sd, &byte, 1), 1);
    }
    for (i = 0; i < 5; i++) {
        pthread_create(&clients[i].thread, NULL, close_it, &clients[i].sd);
    }
    for (i = 0; i < 5; i++)
        assert_int_equal(myclose(servers[i]), 0);
    for (i = 0; i < 5; i++)
        pthread_join(clients[i].thread, NULL);
    assert_int_equal(myclose(listener), 0);
}

/* At the limit mysocket fails, and works again when something is closed. */
static void no_more_descriptors(void **state)
{
    struct rlimit limit, small;
    mysocket_t sds[100], count = 0;

    (void)state;
    assert_int_equal(myclose(mysocket()), 0); /* the network runs, and has raised the limit */
    getrlimit(RLIMIT_NOFILE, &limit);
    small = limit;
    small.rlim_cur = 60;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
    while (count < 100 && (sds[count] = mysocket()) >= 0)
        count++;
    assert_in_range(count, 1, 60);
    assert_int_equal(errno, EMFILE);
    setrlimit(RLIMIT_NOFILE, &limit);
    sds[count] = mysocket();
    assert_int_equal(sds[count], count);
    for (; count >= 0; count--)
        assert_int_equal(myclose(sds[count]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_megabyte_both_ways), cmocka_unit_test(sixty_four_at_once),
        cmocka_unit_test(unreliable),           cmocka_unit_test(nobody_there),
        cmocka_unit_test(a_full_listener),      cmocka_unit_test(closing_while_they_come),
        cmocka_unit_test(no_more_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
