/* SPDX-License-Identifier: MIT */

/* A client on the course's socket calls (weir/vsocket.h): sends a text, prints what comes back.
 *
 *     v_client NODE.lnx ADDRESS PORT TEXT
 */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/vsocket.h>

/* Sends the text and prints as many bytes as come back. Returns the exit status. */
static int exchange(int socket, const char *text)
{
    size_t length = strlen(text), got = 0;
    char buffer[4096];
    ssize_t count;

    if (VWrite(socket, text, length) != (ssize_t)length) {
        perror("v_client: VWrite");
        return 1;
    }
    while (got < length && (count = VRead(socket, buffer, sizeof buffer)) > 0) {
        fwrite(buffer, 1, (size_t)count, stdout);
        got += (size_t)count;
    }
    printf("\n");
    return got == length ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct in_addr addr;
    int socket, status;

    if (argc != 5 || inet_pton(AF_INET, argv[2], &addr) != 1) {
        fprintf(stderr, "usage: v_client NODE.lnx ADDRESS PORT TEXT\n");
        return 2;
    }
    if (VOpen(argv[1]) < 0) {
        perror("v_client: VOpen");
        fprintf(stderr, "%s\n", VOpenError());
        return 1;
    }
    socket = VConnect(addr, (uint16_t)atoi(argv[3]));
    if (socket < 0) {
        perror("v_client: VConnect");
        return 1;
    }
    status = exchange(socket, argv[4]);
    VClose(socket);
    return status;
}
