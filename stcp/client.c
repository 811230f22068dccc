/* SPDX-License-Identifier: MIT */

/* client: asks a server for files, over STCP.
 *
 *   client [-U] [-q] [-f FILE] [--net LNX] HOST:PORT
 *
 * A request is a name and CR LF. The answer is a line `NAME,LENGTH,TEXT`, ended by CR LF, and LENGTH
 * bytes, which go into the file `rcvd` (-q: they are thrown away, and rcvd is left empty). LENGTH -1:
 * there is no such file. With -f one file is asked for, else what is typed at the prompt. With --net
 * this process is the host of a virtual network that the lnx file describes, and HOST an address there.
 *
 * Status: 0 every answer came whole; 1 there was a file that could not be had, a connection that could
 * not be made or that ended too early, or wrong usage. */

#include "mysock.h"
#include "net_weir.h"
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define CHUNK 65536
#define OUTPUT "rcvd"

struct options {
    bool_t is_reliable, is_quiet;
    const char *file;
    const char *server;
    const char *net; /* an lnx file */
};

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [-U] [-q] [-f FILE] [--net LNX] HOST:PORT\n", program);
    return 1;
}

/* 0, or the exit status. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"net", required_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    int option;

    memset(options, 0, sizeof(*options));
    options->is_reliable = TRUE;
    while ((option = getopt_long(argc, argv, "Uqf:", names, NULL)) >= 0) {
        if (option == 'U')
            options->is_reliable = FALSE;
        else if (option == 'q')
            options->is_quiet = TRUE;
        else if (option == 'f')
            options->file = optarg;
        else if (option == 'n')
            options->net = optarg;
        else
            return usage(argv[0]);
    }
    if (optind != argc - 1)
        return usage(argv[0]);
    options->server = argv[optind];
    return 0;
}

static bool_t parse_address(const char *text, struct sockaddr_in *addr)
{
    const char *colon = strrchr(text, ':');
    struct hostent *host;
    char name[256], *end;
    long port;

    if (!colon || (size_t)(colon - text) >= sizeof(name) || colon == text)
        return FALSE;
    memcpy(name, text, (size_t)(colon - text));
    name[colon - text] = '\0';
    port = strtol(colon + 1, &end, 10);
    host = gethostbyname(name);
    if (*end || end == colon + 1 || port < 1 || port > 65535 || !host ||
        host->h_addrtype != AF_INET)
        return FALSE;
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_port = htons((uint16_t)port);
    memcpy(&addr->sin_addr, host->h_addr_list[0], sizeof(addr->sin_addr));
    return TRUE;
}

static bool_t write_all(mysocket_t sd, const char *data, size_t length)
{
    return mywrite(sd, data, length) == (int)length;
}

/* A line without its CR LF. Bytes behind it stay unread: they are read one by one up to it. */
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

/* The LENGTH of `NAME,LENGTH,TEXT`, where NAME may hold commas. FALSE: it is no such line. */
static bool_t parse_length(const char *line, long *length)
{
    const char *text = strrchr(line, ','), *number = text;
    char *end;

    if (!text)
        return FALSE;
    while (number > line && number[-1] != ',')
        number--;
    if (number == line)
        return FALSE;
    *length = strtol(number, &end, 10);
    return end == text && end != number && *length >= -1;
}

static bool_t receive_file(mysocket_t sd, long length, bool_t is_quiet)
{
    static char chunk[CHUNK];
    FILE *output = fopen(OUTPUT, "w");
    long got = 0;
    bool_t is_written = TRUE;

    if (!output) {
        perror(OUTPUT);
        return FALSE;
    }
    while (got < length) {
        size_t want = (size_t)(length - got) < CHUNK ? (size_t)(length - got) : CHUNK;
        int count = myread(sd, chunk, want);

        if (count <= 0)
            break;
        got += count;
        if (!is_quiet && fwrite(chunk, 1, (size_t)count, output) != (size_t)count)
            is_written = FALSE;
    }
    if (fclose(output) != 0 || !is_written) {
        perror(OUTPUT);
        return FALSE;
    }
    if (got < length)
        fprintf(stderr, "Exiting: read bad number of bytes (%ld less than expected)...\n",
                length - got);
    return got == length;
}

/* Asks for one file. *goes_on: the connection can take another request. */
static bool_t request(mysocket_t sd, const char *name, bool_t is_quiet, bool_t *goes_on)
{
    char line[LINE_MAX_BYTES];
    long length;

    *goes_on = FALSE;
    if (!write_all(sd, name, strlen(name)) || !write_all(sd, "\r\n", 2) ||
        !read_line(sd, line, sizeof(line))) {
        fprintf(stderr, "An error occurred: the server has ended the connection.\n");
        return FALSE;
    }
    printf("server: %s\n", line);
    fflush(stdout);
    if (!parse_length(line, &length)) {
        fprintf(stderr, "Malformed response from server.\n");
        return FALSE;
    }
    *goes_on = TRUE;
    if (length < 0)
        return FALSE;
    return *goes_on = receive_file(sd, length, is_quiet);
}

static bool_t ask_at_prompt(mysocket_t sd, bool_t is_quiet)
{
    char line[LINE_MAX_BYTES];
    bool_t all = TRUE, goes_on = TRUE;

    while (goes_on) {
        size_t length;

        printf("\nclient> ");
        fflush(stdout);
        if (!fgets(line, sizeof(line), stdin))
            break;
        length = strlen(line);
        while (length > 0 && strchr(" \t\r\n", line[length - 1]))
            line[--length] = '\0';
        if (length > 0)
            all &= request(sd, line, is_quiet, &goes_on);
    }
    return all;
}

/* A connection to the server, or -1 when it is said why there is none. */
static mysocket_t reach(const char *program, const struct options *options)
{
    struct sockaddr_in addr;
    char error[NETWORK_WEIR_ERROR];
    mysocket_t sd;

    if (!parse_address(options->server, &addr)) {
        fprintf(stderr, "Format is %s server:port\n", program);
        return -1;
    }
    if (options->net && network_weir_start(options->net, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s: %s\n", program, error);
        return -1;
    }
    sd = mysocket(options->is_reliable);
    if (sd < 0) {
        perror("mysocket");
        return -1;
    }
    if (myconnect(sd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        perror("myconnect");
        myclose(sd);
        return -1;
    }
    return sd;
}

int main(int argc, char **argv)
{
    struct options options;
    bool_t all, goes_on;
    mysocket_t sd;
    int status = parse_options(argc, argv, &options);

    if (status)
        return status;
    sd = reach(argv[0], &options);
    if (sd < 0)
        return 1;
    if (options.file)
        all = request(sd, options.file, options.is_quiet, &goes_on);
    else
        all = ask_at_prompt(sd, options.is_quiet);
    if (myclose(sd) < 0)
        perror("myclose");
    return all ? 0 : 1;
}
