/* SPDX-License-Identifier: MIT */

/* many LNX HOST:PORT COUNT FILE: the node of the lnx file asks the server for FILE over COUNT connections
 * at once, and says `COUNT right` and ends with 0 if each brought what the file of that name here
 * holds. */

#include "mysock.h"
#include "net_weir.h"
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 1000

struct job {
    struct sockaddr_in server;
    const char *name;
    const char *expected;
    size_t length;
    pthread_t thread;
    int is_right;
};

static int read_all(mysocket_t sd, char *data, size_t length)
{
    size_t got = 0;

    while (got < length) {
        int count = myread(sd, data + got, length - got);

        if (count <= 0)
            return 0;
        got += (size_t)count;
    }
    return 1;
}

/* Says what went wrong, if something did. */
static void *run(void *argument)
{
    struct job *job = argument;
    char line[400], expected[400], *data = malloc(job->length);
    mysocket_t sd = mysocket();
    int length;

    assert(data && sd >= 0);
    if (myconnect(sd, (struct sockaddr *)&job->server, sizeof(job->server)) < 0) {
        perror("myconnect");
        free(data);
        return NULL;
    }
    length = snprintf(line, sizeof(line), "%s\r\n", job->name);
    assert(mywrite(sd, line, (size_t)length) == length);
    length = snprintf(expected, sizeof(expected), "%s,%zu,Ok\r\n", job->name, job->length);
    if (!read_all(sd, line, (size_t)length) || memcmp(line, expected, (size_t)length) != 0)
        fprintf(stderr, "another answer than %s", expected);
    else if (!read_all(sd, data, job->length))
        fprintf(stderr, "the end came too early\n");
    else
        job->is_right = memcmp(data, job->expected, job->length) == 0;
    myclose(sd);
    free(data);
    return NULL;
}

static void read_file(struct job *job)
{
    FILE *file = fopen(job->name, "r");
    char *data;

    assert(file && fseek(file, 0, SEEK_END) == 0);
    job->length = (size_t)ftell(file);
    rewind(file);
    data = malloc(job->length);
    assert(data && fread(data, 1, job->length, file) == job->length);
    fclose(file);
    job->expected = data;
}

int main(int argc, char **argv)
{
    static struct job jobs[COUNT_MAX];
    char error[NETWORK_WEIR_ERROR], *colon = argc == 5 ? strchr(argv[2], ':') : NULL;
    struct job first = {.server.sin_family = AF_INET};
    int count = colon ? atoi(argv[3]) : 0, right = 0, i;

    if (count < 1 || count > COUNT_MAX) {
        fprintf(stderr, "usage: many LNX HOST:PORT COUNT FILE\n");
        return 2;
    }
    if (network_weir_start(argv[1], error, sizeof(error)) < 0) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    *colon = '\0';
    inet_pton(AF_INET, argv[2], &first.server.sin_addr);
    first.server.sin_port = htons((uint16_t)atoi(colon + 1));
    first.name = argv[4];
    read_file(&first);
    for (i = 0; i < count; i++) {
        jobs[i] = first;
        assert(pthread_create(&jobs[i].thread, NULL, run, &jobs[i]) == 0);
    }
    for (i = 0; i < count; i++) {
        pthread_join(jobs[i].thread, NULL);
        right += jobs[i].is_right;
    }
    printf("%d right\n", right);
    return right == count ? 0 : 1;
}
