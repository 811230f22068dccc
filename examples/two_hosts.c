/* SPDX-License-Identifier: MIT */

/* Two hosts inside one program: no threads, no sockets of the system, no clock.
 *
 * Each host is a stack; a hub of two ports is the wire between them. The program is the loop that
 * every user of a stack writes in some form: give it the packets that arrived, tell it the time,
 * look at its events, and ask when it wants to be called again. Here the time is simply moved on to
 * the next moment at which something can happen, so an hour of timers passes in no time, and each
 * run is like every other.
 *
 * The client sends a text of a megabyte, the server counts what arrives and compares it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/links.h>
#include <weir/socket.h>

#define PORT 80
#define SIZE 1000000
#define FRAMES 64

struct node {
    struct weir_stack *stack;
    struct weir_link *link;
    int listener; /* -1: none */
    int socket;   /* the connection; -1: none yet */
    size_t moved; /* bytes sent or received */
    bool done;
};

static char byte_at(size_t position)
{
    return (char)(position * 31 % 251);
}

/* A host with the address 10.0.0.`number` on a port of the hub. */
static void create(struct node *node, struct weir_hub *hub, unsigned number)
{
    struct weir_addr address = weir_addr_from4(0x0a000000 + number);
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);
    struct weir_stack_config config;

    weir_stack_config_init(&config);
    config.node_id = number;
    memset(node, 0, sizeof *node);
    node->listener = node->socket = -1;
    node->stack = weir_stack_create(&config);
    node->link = weir_hub_port(hub, number - 1);
    if (!node->stack ||
        weir_stack_add_iface(node->stack, "if0", node->link, &address, &prefix, false) < 0)
        exit(1);
}

/* Queues as much of the text as the send buffer takes, straight into its memory. */
static void send_some(struct node *node)
{
    struct weir_span span;
    long length, i;

    while (node->moved < SIZE &&
           (length = weir_send_begin(node->stack, node->socket, SIZE - node->moved, &span)) > 0) {
        for (i = 0; i < length; i++)
            span.data[i] = (uint8_t)byte_at(node->moved++);
        weir_send_commit(node->stack, node->socket, (size_t)length, 0);
    }
    if (node->moved == SIZE && !node->done) {
        node->done = true;
        weir_socket_close(node->stack, node->socket);
    }
}

/* Takes what has arrived, straight out of the receive buffer. */
static void receive_some(struct node *node)
{
    struct weir_const_span span;
    long length, i;

    while ((length = weir_recv_peek(node->stack, node->socket, &span)) > 0) {
        for (i = 0; i < length; i++) {
            if (span.data[i] != (uint8_t)byte_at(node->moved++)) {
                fprintf(stderr, "byte %zu is wrong\n", node->moved - 1);
                exit(1);
            }
        }
        weir_recv_consume(node->stack, node->socket, (size_t)length);
    }
    if (length == 0 && !node->done) {
        node->done = true;
        weir_socket_close(node->stack, node->socket);
    }
}

/* What the application does when a socket has news. */
static void handle(struct node *node, const struct weir_event *event)
{
    if (event->socket == node->listener && event->events & WEIR_ACCEPT) {
        node->socket = weir_socket_accept(node->stack, node->listener, NULL);
        receive_some(node);
    } else if (node->done || event->socket != node->socket) {
        return;
    } else if (node->listener >= 0) {
        receive_some(node);
    } else if (event->events & WEIR_OUT) {
        send_some(node);
    }
}

/* Packets in, time on, events out. */
static void step(struct node *node, weir_time now)
{
    struct weir_frame frames[FRAMES];
    struct weir_event event;
    int count;

    while ((count = node->link->ops->receive(node->link, frames, FRAMES, now)) > 0)
        weir_stack_input(node->stack, 0, frames, count, now);
    if (node->link->ops->ready(node->link, now))
        weir_stack_link_ready(node->stack, 0);
    weir_stack_poll(node->stack, now, 0);
    while (weir_stack_next_event(node->stack, &event))
        handle(node, &event);
    weir_stack_poll(node->stack, now, 0);
}

/* When something can happen next: at once if packets wait, else at the earlier deadline. */
static weir_time next_time(const struct node *a, const struct node *b, const struct weir_hub *hub,
                           weir_time now)
{
    weir_time one = weir_stack_deadline(a->stack), two = weir_stack_deadline(b->stack);
    weir_time next = one < two ? one : two;

    if (weir_hub_pending(hub, 0) || weir_hub_pending(hub, 1) || next < now)
        return now;
    return next;
}

int main(void)
{
    struct weir_hub *hub = weir_hub_create(2, 1500, 256);
    struct weir_endpoint local = {weir_addr_any4(), PORT};
    struct weir_endpoint remote = {weir_addr_from4(0x0a000002), PORT};
    struct node client, server;
    weir_time now = 0;

    if (!hub)
        return 1;
    create(&client, hub, 1);
    create(&server, hub, 2);
    server.listener = weir_socket_open(server.stack, WEIR_TCP, 0);
    weir_socket_bind(server.stack, server.listener, &local);
    weir_socket_listen(server.stack, server.listener, 1);
    client.socket = weir_socket_open(client.stack, WEIR_TCP, 0);
    weir_socket_connect(client.stack, client.socket, &remote, now);
    while (!server.done && now != WEIR_NEVER) {
        step(&client, now);
        step(&server, now);
        now = next_time(&client, &server, hub, now);
    }
    printf("%zu bytes arrived\n", server.moved);
    weir_stack_destroy(client.stack);
    weir_stack_destroy(server.stack);
    weir_hub_destroy(hub);
    return server.moved == SIZE ? 0 : 1;
}
