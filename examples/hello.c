/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/vsocket.h>

int main(int argc, char **argv)
{
    struct in_addr addr;

    if (argc != 4 || VOpen(argv[1]) < 0 || inet_pton(AF_INET, argv[2], &addr) != 1) {
        fprintf(stderr, "usage: hello NODE.lnx ADDRESS PORT %s\n", VOpenError());
        return 2;
    }

    int socket = VConnect(addr, (uint16_t)atoi(argv[3]));

    if (socket < 0 || VWrite(socket, "hello\n", 6) != 6 || VClose(socket) < 0) {
        perror("hello");
        return 1;
    }
    return 0;
}
