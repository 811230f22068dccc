/* SPDX-License-Identifier: MIT */

/* driver: an application over STCP that does what stcp-check tells it.
 *
 * Commands and answers travel over the descriptor named by the only argument, which is no standard
 * one: what appears on stdout or stderr is the transport's. Each is a letter, a length of 4 bytes
 * in network byte order, and as many bytes:
 *
 *   c PORT  connect to 127.0.0.1     answer: c ERRNO, 0 for success
 *   l       bind and listen          answer: l PORT
 *   a       accept                   answer: a ERRNO
 *   w BYTES write                    answer: w COUNT
 *   x       close                    answer: x RESULT
 *
 * Beside that a thread reads from the connection all the time, and says d BYTES, and at the end e
 * (the end of the stream) or r ERRNO. There may be several connections, one after the other; the
 * commands are about the last. C90 and C++98. */

#include "mysock.h"
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LENGTH_MAX (4 * 1024 * 1024)

static int control;
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;

static void put_all(const void *data, size_t length)
{
    const char *at = (const char *)data;

    while (length > 0) {
        ssize_t done = write(control, at, length);

        if (done <= 0)
            _exit(0); /* nobody listens any more */
        at += done;
        length -= (size_t)done;
    }
}

static void tell(char kind, const void *data, size_t length)
{
    char head[5];
    uint32_t size = htonl((uint32_t)length);

    head[0] = kind;
    memcpy(head + 1, &size, sizeof(size));
    pthread_mutex_lock(&control_lock);
    put_all(head, sizeof(head));
    put_all(data, length);
    pthread_mutex_unlock(&control_lock);
}

static void tell_number(char kind, long number)
{
    char text[32];

    sprintf(text, "%ld", number);
    tell(kind, text, strlen(text));
}

static void get_all(void *data, size_t length)
{
    char *at = (char *)data;

    while (length > 0) {
        ssize_t done = read(control, at, length);

        if (done <= 0)
            exit(0);
        at += done;
        length -= (size_t)done;
    }
}

static void *read_connection(void *argument)
{
    mysocket_t sd = *(mysocket_t *)argument;
    char *buffer = (char *)malloc(65536);
    int count;

    free(argument);
    if (!buffer)
        return NULL;
    while ((count = myread(sd, buffer, 65536)) > 0)
        tell('d', buffer, (size_t)count);
    if (count == 0)
        tell('e', "", 0);
    else
        tell_number('r', errno);
    free(buffer);
    return NULL;
}

static void begin_reading(mysocket_t sd)
{
    mysocket_t *argument = (mysocket_t *)malloc(sizeof(*argument));
    pthread_t thread;

    if (!argument)
        return;
    *argument = sd;
    if (pthread_create(&thread, NULL, read_connection, argument) == 0)
        pthread_detach(thread);
}

static void fill_address(struct sockaddr_in *addr, long port)
{
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    addr->sin_port = htons((uint16_t)port);
}

static mysocket_t do_connect(long port)
{
    struct sockaddr_in addr;
    mysocket_t sd = mysocket();
    int error = 0;

    fill_address(&addr, port);
    if (myconnect(sd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        error = errno ? errno : -1;
    if (!error)
        begin_reading(sd);
    tell_number('c', error);
    return sd;
}

static mysocket_t do_listen(void)
{
    struct sockaddr_in addr;
    socklen_t length = sizeof(addr);
    mysocket_t sd = mysocket();

    fill_address(&addr, 0);
    if (mybind(sd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || mylisten(sd, 5) < 0 ||
        mygetsockname(sd, (struct sockaddr *)&addr, &length) < 0)
        tell_number('l', -1);
    else
        tell_number('l', ntohs(addr.sin_port));
    return sd;
}

static mysocket_t do_accept(mysocket_t listener)
{
    mysocket_t sd = myaccept(listener, NULL, NULL);
    int error = errno;

    if (sd >= 0)
        begin_reading(sd);
    tell_number('a', sd >= 0 ? 0 : error);
    return sd;
}

int main(int argc, char **argv)
{
    mysocket_t listener = -1, sd = -1;
    char head[5], *data;
    uint32_t length;

    if (argc != 2)
        return 2;
    control = atoi(argv[1]);
    for (;;) {
        get_all(head, sizeof(head));
        memcpy(&length, head + 1, sizeof(length));
        length = ntohl(length);
        if (length > LENGTH_MAX)
            return 2;
        data = (char *)malloc(length + 1);
        if (!data)
            return 2;
        get_all(data, length);
        data[length] = '\0';
        if (head[0] == 'c')
            sd = do_connect(atol(data));
        else if (head[0] == 'l')
            listener = do_listen();
        else if (head[0] == 'a')
            sd = do_accept(listener);
        else if (head[0] == 'w')
            tell_number('w', mywrite(sd, data, length));
        else if (head[0] == 'x')
            tell_number('x', myclose(sd));
        free(data);
    }
}
