/* SPDX-License-Identifier: MIT */

/* server: gives files to clients, over STCP.
 *
 *   server [-U] [--net LNX] [PORT]
 *
 * Says on stderr where it is, `Server's address is HOST:PORT`, and serves until it is killed, each
 * connection in a thread of its own. A request is a name and CR LF; names are relative to the current
 * directory. The answer is `NAME,LENGTH,Ok` and CR LF and the file, or `NAME,-1,REASON`. An empty
 * line ends the connection, and so does its end. With --net this process is the host of a virtual network
 * that the lnx file describes, and HOST its address there. */

#include "mysock.h"
#include "net_weir.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 5
#define LINE_MAX_BYTES 4096
#define CHUNK 5000

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [-U] [--net LNX] [PORT]\n", program);
    return 1;
}

/* A line without its CR LF; FALSE at the end, or if it is too long. */
static bool_t read_line(mysocket_t sd, char *line, size_t size)
{
    size_t length = 0;

    while (length < size) {
        if (myread(sd, line + length, 1) != 1)
            return FALSE;
        length++;
        if (length >= 2 && line[length - 2] == '\r' && line[length - 1] == '\n') {
            line[length - 2] = '\0';
            return TRUE;
        }
    }
    return FALSE;
}

static bool_t write_all(mysocket_t sd, const char *data, size_t length)
{
    return mywrite(sd, data, length) == (int)length;
}

static bool_t answer(mysocket_t sd, const char *name, long length, const char *text)
{
    char line[LINE_MAX_BYTES + 100];

    sprintf(line, "%s,%ld,%s\r\n", name, length, text);
    return write_all(sd, line, strlen(line));
}

/* `length` bytes, as was promised: a file that has become shorter ends the connection. */
static bool_t send_file(mysocket_t sd, FILE *file, long length)
{
    char chunk[CHUNK];

    while (length > 0) {
        size_t want = length < CHUNK ? (size_t)length : CHUNK;
        size_t got = fread(chunk, 1, want, file);

        if (got == 0 || !write_all(sd, chunk, got))
            return FALSE;
        length -= (long)got;
    }
    return TRUE;
}

/* FALSE: the connection is over. */
static bool_t serve_request(mysocket_t sd, const char *name)
{
    struct stat about;
    bool_t done;
    FILE *file;

    if (stat(name, &about) < 0 || !S_ISREG(about.st_mode) || access(name, R_OK) < 0)
        return answer(sd, name, -1, "File does not exist or access denied");
    file = fopen(name, "r");
    if (!file || fstat(fileno(file), &about) < 0) {
        if (file)
            fclose(file);
        return answer(sd, name, -1, "File could not be opened");
    }
    done = answer(sd, name, (long)about.st_size, "Ok") && send_file(sd, file, (long)about.st_size);
    fclose(file);
    return done;
}

static void *serve_connection(void *argument)
{
    mysocket_t sd = *(mysocket_t *)argument;
    char line[LINE_MAX_BYTES];

    free(argument);
    while (read_line(sd, line, sizeof(line)) && line[0]) {
        fprintf(stderr, "client: %s\n", line);
        if (!serve_request(sd, line))
            break;
    }
    myclose(sd);
    return NULL;
}

static void begin_serving(mysocket_t sd)
{
    mysocket_t *argument = (mysocket_t *)malloc(sizeof(*argument));
    pthread_attr_t attributes;
    pthread_t thread;
    int error = ENOMEM;

    if (argument) {
        *argument = sd;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        error = pthread_create(&thread, &attributes, serve_connection, argument);
        pthread_attr_destroy(&attributes);
    }
    if (error) {
        free(argument);
        /* Not closed: that would wait for the peer, and with us all others. */
        fprintf(stderr, "server: %s\n", strerror(error));
    }
}

static int serve(mysocket_t listener)
{
    for (;;) {
        struct sockaddr_in peer;
        char text[INET_ADDRSTRLEN];
        int length = sizeof(peer);
        mysocket_t sd = myaccept(listener, (struct sockaddr *)&peer, &length);

        if (sd < 0) {
            perror("myaccept");
            return 1;
        }
        inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text));
        fprintf(stderr, "connected to %s at port %u\n", text, (unsigned)ntohs(peer.sin_port));
        begin_serving(sd);
    }
}

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* Says where we are: by the name of this machine, or by the virtual network's address. */
static void announce(const struct sockaddr_in *addr, bool_t is_virtual)
{
    char name[256] = "localhost";

    if (is_virtual)
        inet_ntop(AF_INET, &addr->sin_addr, name, sizeof(name));
    else
        gethostname(name, sizeof(name) - 1);
    fprintf(stderr, "Server's address is %s:%u\n", name, (unsigned)ntohs(addr->sin_port));
}

static int listen_at(bool_t is_reliable, uint16_t port, bool_t is_virtual)
{
    struct sockaddr_in addr;
    socklen_t length = sizeof(addr);
    mysocket_t listener = mysocket(is_reliable);

    if (listener < 0)
        return fail("mysocket");
    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_port = htons(port);
    if (mybind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        return fail("mybind");
    if (mylisten(listener, BACKLOG) < 0)
        return fail("mylisten");
    if (mygetsockname(listener, (struct sockaddr *)&addr, &length) < 0)
        return fail("mygetsockname");
    announce(&addr, is_virtual);
    return serve(listener);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {{"net", required_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    char error[NETWORK_WEIR_ERROR];
    const char *net = NULL;
    bool_t is_reliable = TRUE;
    long port = 0;
    char *end;
    int option;

    while ((option = getopt_long(argc, argv, "U", names, NULL)) >= 0) {
        if (option == 'U')
            is_reliable = FALSE;
        else if (option == 'n')
            net = optarg;
        else
            return usage(argv[0]);
    }
    if (optind < argc) {
        port = strtol(argv[optind], &end, 10);
        if (*end || end == argv[optind] || port < 0 || port > 65535 || optind != argc - 1)
            return usage(argv[0]);
    }
    if (net && network_weir_start(net, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], error);
        return 1;
    }
    return listen_at(is_reliable, (uint16_t)port, net != NULL);
}
