/* SPDX-License-Identifier: MIT */

/* An echo server on a host of its own, with the blocking calls of weir/host.h.
 *
 *     echo_server MYUDPPORT PEERUDPPORT [CONNECTIONS]
 *
 * The process becomes the host 10.0.0.2, joined by UDP on 127.0.0.1 to whoever is 10.0.0.1
 * (echo_client). It listens on port 7 and sends back what it reads, one connection after the other;
 * with CONNECTIONS it ends after so many. No thread is started: each call that waits lets the
 * network go on.
 */

#include <stdio.h>
#include <stdlib.h>
#include <weir/host.h>

#define LOOPBACK 0x7f000001
#define SERVER 0x0a000002
#define CLIENT 0x0a000001
#define PORT 7

/* A host with one interface, whose only neighbour is the client. */
static struct weir_host *make_host(uint16_t udp_port, uint16_t peer_udp_port)
{
    struct weir_addr address = weir_addr_from4(SERVER);
    struct weir_addr peer = weir_addr_from4(CLIENT);
    struct weir_prefix prefix = weir_prefix_from4(SERVER, 24);
    struct weir_stack_config config;
    struct weir_link *link;
    struct weir_host *host;
    int iface, error = 0;

    weir_stack_config_init(&config);
    weir_host_seed(&config);
    host = weir_host_create(&config);
    link = weir_udp_create(LOOPBACK, udp_port, 1400, &error);
    if (!host || !link) {
        fprintf(stderr, "echo_server: %s\n", weir_strerror(error));
        exit(1);
    }
    iface = weir_host_add_iface(host, "if0", link, &address, &prefix, true);
    weir_stack_add_neighbour(weir_host_lock(host), iface, &peer,
                             weir_udp_tag(LOOPBACK, peer_udp_port));
    weir_host_unlock(host);
    return host;
}

static void echo(struct weir_host *host, int socket)
{
    char buffer[4096];
    long length;

    while ((length = weir_recv(host, socket, buffer, sizeof buffer)) > 0)
        if (weir_send(host, socket, buffer, (size_t)length, 0) != length)
            break;
    /* Wait until the client has everything, so that the process may end. */
    weir_setsockopt(host, socket, WEIR_SO_LINGER, 5 * WEIR_SECOND);
    weir_close(host, socket);
}

int main(int argc, char **argv)
{
    struct weir_endpoint local = {weir_addr_any4(), PORT};
    struct weir_host *host;
    int listener, socket, left;

    if (argc < 3) {
        fprintf(stderr, "usage: echo_server MYUDPPORT PEERUDPPORT [CONNECTIONS]\n");
        return 2;
    }
    left = argc > 3 ? atoi(argv[3]) : -1;
    host = make_host((uint16_t)atoi(argv[1]), (uint16_t)atoi(argv[2]));
    listener = weir_socket(host, WEIR_TCP, 0);
    if (weir_bind(host, listener, &local) || weir_listen(host, listener, 16)) {
        fprintf(stderr, "echo_server: cannot listen\n");
        return 1;
    }
    printf("listening\n");
    fflush(stdout);
    while (left-- != 0 && (socket = weir_accept(host, listener, NULL)) >= 0)
        echo(host, socket);
    weir_host_destroy(host);
    return 0;
}
