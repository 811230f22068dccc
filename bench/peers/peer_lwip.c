/* SPDX-License-Identifier: MIT */

/* lwIP at the work of bench_bulk, bench_pingpong and bench_connections: two stacks, one thread, one
 * memory link.
 *
 *   peer_lwip bulk|pingpong|connect [COUNT]
 *
 * It is Debian's liblwip as it is shipped (MSS 1460, window 65535, checksums made and verified).
 * lwIP has its state in global variables, so the library is loaded twice, each time into a name
 * space of its own (dlmopen). The link is the kindest that there can be: a packet is copied once, out
 * of the sender's buffers, which it keeps for retransmission, into a buffer of the receiver's.
 *
 * bulk: COUNT MiB, 64 KiB at a time from and to the application's buffers. Prints `gbit_per_s`.
 * pingpong: COUNT requests and answers of 64 bytes, Nagle off. Prints `per_s`.
 * connect: COUNT times connect, one byte, close, while 10,000 other connections are open. Prints
 * `per_s`. lwIP's clock cannot be set, so TIME-WAIT records stay until the end, and its 16,384 local
 * ports bound COUNT to some 6,000. */

#include <dlfcn.h>
#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIBRARY "liblwip.so.0"
#define CHUNK 65536
#define QUEUE 256 /* packets that a direction of the link holds, as in ours */
#define OTHERS 10000
#define PORT 5001

/* What is called of lwIP. */
#define CALLS(X)               \
    X(lwip_init)               \
    X(netif_add)               \
    X(netif_set_up)            \
    X(netif_set_link_up)       \
    X(netif_set_default)       \
    X(ip4_input)               \
    X(pbuf_alloc)              \
    X(pbuf_free)               \
    X(pbuf_copy_partial)       \
    X(sys_check_timeouts)      \
    X(tcp_new)                 \
    X(tcp_bind)                \
    X(tcp_listen_with_backlog) \
    X(tcp_accept)              \
    X(tcp_connect)             \
    X(tcp_arg)                 \
    X(tcp_recv)                \
    X(tcp_recved)              \
    X(tcp_write)               \
    X(tcp_output)              \
    X(tcp_close)

struct lwip {
#define FIELD(name) __typeof__(name) *name;
    CALLS(FIELD)
#undef FIELD
};

struct end {
    struct lwip lwip;
    struct netif netif;
    struct end *peer;
    struct pbuf *queue[QUEUE]; /* arriving, of this end's lwIP */
    unsigned head, tail;
    struct tcp_pcb *pcb;
    unsigned long received;
    unsigned long accepted, closed;
    char in[CHUNK];
};

static enum { BULK, PINGPONG, CONNECT } work;
static struct end client, server;
static char out[CHUNK];

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "peer_lwip: %s\n", what);
    exit(1);
}

/* ---- The link. */

static err_t link_output(struct netif *netif, struct pbuf *packet, const ip4_addr_t *next)
{
    struct end *end = netif->state, *peer = end->peer;
    struct pbuf *copy;

    (void)next;
    if (peer->tail - peer->head == QUEUE)
        return ERR_MEM;
    copy = peer->lwip.pbuf_alloc(PBUF_RAW, packet->tot_len, PBUF_RAM);
    if (!copy)
        return ERR_MEM;
    end->lwip.pbuf_copy_partial(packet, copy->payload, packet->tot_len, 0);
    peer->queue[peer->tail++ % QUEUE] = copy;
    return ERR_OK;
}

static err_t link_init(struct netif *netif)
{
    netif->output = link_output;
    netif->mtu = 1500;
    return ERR_OK;
}

static bool run_end(struct end *end)
{
    bool worked = end->head != end->tail;

    while (end->head != end->tail) {
        struct pbuf *packet = end->queue[end->head++ % QUEUE];

        if (end->lwip.ip4_input(packet, &end->netif) != ERR_OK)
            end->lwip.pbuf_free(packet);
    }
    return worked;
}

static void make_end(struct end *end, struct end *peer, unsigned host)
{
    void *library = dlmopen(LM_ID_NEWLM, LIBRARY, RTLD_NOW | RTLD_LOCAL);
    ip4_addr_t addr, mask, gateway = {0};

    if (!library)
        die(dlerror());
#define FIND(name)                                                     \
    if (!(end->lwip.name = (__typeof__(name) *)dlsym(library, #name))) \
        die("no " #name);
    CALLS(FIND)
#undef FIND
    end->peer = peer;
    IP4_ADDR(&addr, 10, 0, 0, host);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    end->lwip.lwip_init();
    end->lwip.netif_add(&end->netif, &addr, &mask, &gateway, end, link_init, end->lwip.ip4_input);
    end->lwip.netif_set_default(&end->netif);
    end->lwip.netif_set_up(&end->netif);
    end->lwip.netif_set_link_up(&end->netif);
}

/* ---- The applications. */

/* Answers whether the bytes were taken: all or none. */
static bool send_bytes(struct end *end, struct tcp_pcb *pcb, u16_t bytes)
{
    if (end->lwip.tcp_write(pcb, out, bytes, TCP_WRITE_FLAG_COPY) != ERR_OK)
        return false;
    end->lwip.tcp_output(pcb);
    return true;
}

static err_t on_receive(void *arg, struct tcp_pcb *pcb, struct pbuf *data, err_t err)
{
    struct end *end = arg;

    (void)err;
    if (!data) {
        end->closed++;
        return end->lwip.tcp_close(pcb);
    }
    end->lwip.pbuf_copy_partial(data, end->in, data->tot_len, 0);
    end->received += data->tot_len;
    end->lwip.tcp_recved(pcb, data->tot_len);
    if (work == PINGPONG)
        send_bytes(end, pcb, data->tot_len);
    end->lwip.pbuf_free(data);
    return ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct end *end = arg;

    (void)err;
    end->accepted++;
    tcp_nagle_disable(pcb);
    end->lwip.tcp_arg(pcb, end);
    end->lwip.tcp_recv(pcb, on_receive);
    return ERR_OK;
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct end *end = arg;

    (void)err;
    end->accepted++;
    end->pcb = pcb;
    return ERR_OK;
}

static void serve(void)
{
    struct tcp_pcb *pcb = server.lwip.tcp_new();
    ip_addr_t any = {0};

    server.lwip.tcp_bind(pcb, &any, PORT);
    pcb = server.lwip.tcp_listen_with_backlog(pcb, 255);
    server.lwip.tcp_arg(pcb, &server);
    server.lwip.tcp_accept(pcb, on_accept);
}

static void run_both(void)
{
    bool worked = run_end(&server);

    if (run_end(&client) || worked)
        return;
    server.lwip.sys_check_timeouts();
    client.lwip.sys_check_timeouts();
}

static void open_one(void)
{
    struct tcp_pcb *pcb = client.lwip.tcp_new();
    unsigned long before = client.accepted;
    ip_addr_t addr = IPADDR4_INIT_BYTES(10, 0, 0, 2);

    tcp_nagle_disable(pcb);
    client.lwip.tcp_arg(pcb, &client);
    client.lwip.tcp_recv(pcb, on_receive);
    if (client.lwip.tcp_connect(pcb, &addr, PORT, on_connected) != ERR_OK)
        die("cannot connect");
    while (client.accepted == before)
        run_both();
}

static double bulk(unsigned long mib)
{
    unsigned long total = mib << 20, sent = 0;
    double start;

    open_one();
    start = seconds();
    while (server.received < total) {
        unsigned long room = LWIP_MIN(client.pcb->snd_buf, 0xffff);

        if (room > total - sent)
            room = total - sent;
        if (room && send_bytes(&client, client.pcb, (u16_t)room))
            sent += room;
        run_both();
    }
    return (double)total * 8 / (seconds() - start) / 1e9;
}

static double pingpong(unsigned long count)
{
    double start;

    open_one();
    start = seconds();
    send_bytes(&client, client.pcb, 64);
    while (client.received < 64 * count)
        run_both();
    return (double)count / (seconds() - start);
}

static double connect_and_close(unsigned long count)
{
    unsigned long i;
    double start;

    for (i = 0; i < OTHERS; i++)
        open_one();
    start = seconds();
    for (i = 1; i <= count; i++) {
        open_one();
        send_bytes(&client, client.pcb, 1);
        client.lwip.tcp_close(client.pcb);
        while (server.closed < i || server.head != server.tail || client.head != client.tail)
            run_both();
    }
    return (double)count / (seconds() - start);
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

    make_end(&client, &server, 1);
    make_end(&server, &client, 2);
    serve();
    if (argc > 1 && !strcmp(argv[1], "bulk")) {
        printf("gbit_per_s %.2f\n", bulk(count ? count : 1024));
    } else if (argc > 1 && !strcmp(argv[1], "pingpong")) {
        work = PINGPONG;
        printf("per_s %.0f\n", pingpong(count ? count : 1000000));
    } else if (argc > 1 && !strcmp(argv[1], "connect")) {
        work = CONNECT;
        printf("per_s %.0f\n", connect_and_close(count ? count : 5000));
    } else {
        fprintf(stderr, "usage: peer_lwip bulk|pingpong|connect [COUNT]\n");
        return 2;
    }
    return 0;
}
