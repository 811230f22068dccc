/* SPDX-License-Identifier: MIT */

/* The other end of echo_server: sends a text, prints what comes back.
 *
 *     echo_client MYUDPPORT PEERUDPPORT TEXT
 *
 * The process becomes the host 10.0.0.1 and connects to port 7 of 10.0.0.2. Status 0 if the text
 * came back as it was.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/host.h>

#define LOOPBACK 0x7f000001
#define SERVER 0x0a000002
#define CLIENT 0x0a000001
#define PORT 7

/* A host with one interface, whose only neighbour is the server. */
static struct weir_host *make_host(uint16_t udp_port, uint16_t peer_udp_port)
{
    struct weir_addr address = weir_addr_from4(CLIENT);
    struct weir_addr peer = weir_addr_from4(SERVER);
    struct weir_prefix prefix = weir_prefix_from4(CLIENT, 24);
    struct weir_stack_config config;
    struct weir_link *link;
    struct weir_host *host;
    int iface, error = 0;

    weir_stack_config_init(&config);
    weir_host_seed(&config);
    host = weir_host_create(&config);
    link = weir_udp_create(LOOPBACK, udp_port, 1400, &error);
    if (!host || !link) {
        fprintf(stderr, "echo_client: %s\n", weir_strerror(error));
        exit(1);
    }
    iface = weir_host_add_iface(host, "if0", link, &address, &prefix, true);
    weir_stack_add_neighbour(weir_host_lock(host), iface, &peer,
                             weir_udp_tag(LOOPBACK, peer_udp_port));
    weir_host_unlock(host);
    return host;
}

/* Sends the text and reads it back. Returns true if it is the same. */
static bool exchange(struct weir_host *host, int socket, const char *text)
{
    size_t length = strlen(text), got = 0;
    char *answer = malloc(length + 1);
    bool same;
    long count;

    if (!answer || weir_send(host, socket, text, length, 0) != (long)length) {
        free(answer);
        return false;
    }
    weir_shutdown(host, socket, WEIR_SHUT_WR);
    while (got < length && (count = weir_recv(host, socket, answer + got, length - got)) > 0)
        got += (size_t)count;
    answer[got] = '\0';
    printf("%s\n", answer);
    same = got == length && memcmp(answer, text, length) == 0;
    free(answer);
    return same;
}

int main(int argc, char **argv)
{
    struct weir_endpoint remote = {weir_addr_from4(SERVER), PORT};
    struct weir_host *host;
    int socket, result;
    bool same = false;

    if (argc != 4) {
        fprintf(stderr, "usage: echo_client MYUDPPORT PEERUDPPORT TEXT\n");
        return 2;
    }
    host = make_host((uint16_t)atoi(argv[1]), (uint16_t)atoi(argv[2]));
    socket = weir_socket(host, WEIR_TCP, 0);
    result = weir_connect(host, socket, &remote);
    if (result)
        fprintf(stderr, "echo_client: %s\n", weir_strerror(result));
    else
        same = exchange(host, socket, argv[3]);
    weir_setsockopt(host, socket, WEIR_SO_LINGER, 5 * WEIR_SECOND);
    weir_close(host, socket);
    weir_host_destroy(host);
    return same ? 0 : 1;
}
