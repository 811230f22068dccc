/* SPDX-License-Identifier: MIT */

/* A server on the course's socket calls (weir/vsocket.h).
 *
 *     v_server NODE.lnx PORT [CONNECTIONS]
 *
 * The process becomes the node that the lnx file describes. What a client sends is sent back in
 * upper case, one client after the other; with CONNECTIONS the server ends after so many.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/vsocket.h>

static void serve(int socket)
{
    char buffer[4096];
    ssize_t length, i;

    while ((length = VRead(socket, buffer, sizeof buffer)) > 0) {
        for (i = 0; i < length; i++)
            buffer[i] = (char)toupper((unsigned char)buffer[i]);
        if (VWrite(socket, buffer, (size_t)length) != length)
            break;
    }
    if (length < 0)
        perror("v_server: VRead");
    VClose(socket);
}

int main(int argc, char **argv)
{
    int listener, socket, left;

    if (argc < 3) {
        fprintf(stderr, "usage: v_server NODE.lnx PORT [CONNECTIONS]\n");
        return 2;
    }
    left = argc > 3 ? atoi(argv[3]) : -1;
    if (VOpen(argv[1]) < 0) {
        perror("v_server: VOpen");
        fprintf(stderr, "%s\n", VOpenError());
        return 1;
    }
    listener = VListen((uint16_t)atoi(argv[2]));
    if (listener < 0) {
        perror("v_server: VListen");
        return 1;
    }
    printf("listening\n");
    fflush(stdout);
    while (left-- != 0 && (socket = VAccept(listener)) >= 0)
        serve(socket);
    VClose(listener);
    return 0;
}
