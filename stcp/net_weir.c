/* SPDX-License-Identifier: MIT */

/* The network over weir: the process is one host of a virtual network, and a segment is the payload of
 * one IP packet of protocol 253, so STCP runs over routers, and over links that lose, delay and go
 * down, without a kernel's TCP below it that would repair everything.
 *
 * There is one raw socket for the process. Segments are sent by the transports' threads, under the
 * host's lock; one thread waits for events of the host, takes what has arrived in batches, and gives
 * each segment to its channel: the connection with its four addresses and ports, or else the listener of
 * its destination port (net_weir_channels.c), or else nobody, and then it is dropped, as STCP has no RST.
 *
 * Segments with a wrong checksum are dropped: both ends see the same addresses here, there is no excuse
 * as there is over kernel TCP. What finds no room is dropped too; the peer sends it again. So nothing is
 * ever held here, `resume` has nothing to do, and a transport of the reliable edition is out of
 * place.
 *
 * The network does not tell when a peer vanishes; the transport gives up. Only a peer that was never
 * heard of is told as lost: at once if its host says that it has no STCP, after SOFT_ERRORS_MAX if
 * routers know no way, which may be because they are still learning it. RFC 1122 4.2.3.9 tells the two
 * apart so.
 *
 * `lock` guards the channels, and is held while MYSOCK is told, so nothing is told any more once `close`
 * has it. The host's lock comes after it. A channel's addresses are fixed before its first segment is
 * sent, so sending needs the host's lock alone.
 *
 * Limits: one node a process, SEGMENT_ROOM bytes a segment. */

#include "net_weir.h"
#include "checksum.h"
#include "mysock_impl.h"
#include "net_weir_channels.h"
#include <errno.h>
#include <lab/node.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <weir/error.h>

#define SEGMENT_ROOM (NETWORK_WEIR_PACKET - 20)
#define BATCH 32u
#define SOFT_ERRORS_MAX 3
#define LAST_WAIT (2 * WEIR_SECOND) /* at exit, for what links hold back */

/* Places in a segment. */
#define AT_SOURCE 0
#define AT_DESTINATION 2
#define AT_SUM 16
#define AT_URGENT 18

#define ICMP_UNREACHABLE 3
#define ICMP_PROTOCOL_UNREACHABLE 2
#define ICMP_PORT_UNREACHABLE 3
#define ICMP_TOO_BIG 4

struct arrival {
    struct weir_datagram from;
    size_t length;
    uint8_t bytes[SEGMENT_ROOM];
};

struct net {
    struct weir_host *host;
    int socket;
    uint32_t address; /* of the first interface */
    pthread_mutex_t lock;
    struct channels channels;
    struct network_weir_drops drops;
    atomic_ulong not_sent;
    struct arrival arrivals[BATCH]; /* the thread's */
};

static struct net *net; /* made before the first socket, and never freed */

/* ---- Receiving: the network's thread, under the lock. ----------------------------------------- */

static int fail(int error)
{
    errno = error;
    return -1;
}

static uint16_t port_at(const uint8_t *segment, size_t place)
{
    uint16_t port;

    memcpy(&port, segment + place, sizeof(port));
    return port;
}

static bool is_sum_right(const struct arrival *arrival, const struct flow *flow)
{
    uint16_t pseudo = checksum_pseudo(flow->peer_address, flow->address, arrival->length);

    return checksum_add(pseudo, checksum_of(arrival->bytes, arrival->length)) == 0xffff;
}

static struct channel *create(struct mysock *sock, bool_t is_reliable)
{
    struct channel *channel = calloc(1, sizeof(*channel));

    if (!channel)
        return NULL;
    channel->sock = sock;
    channel->is_reliable = is_reliable;
    channel->unreliable.seed = UNRELIABLE_SEED;
    return channel;
}

/* A segment of no connection that there is. */
static void take_first(const struct arrival *arrival, const struct flow *flow)
{
    struct channel *listener = channels_owner(&net->channels, flow->port), *channel;
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = flow->peer_port};

    if (!listener || !listener->is_listening ||
        (listener->address != 0 && listener->address != flow->address)) {
        net->drops.to_nobody++;
        return;
    }
    channel = create(NULL, listener->is_reliable);
    if (!channel) {
        net->drops.no_room++;
        return;
    }
    /* Its transport may send before mysock_incoming has returned. */
    peer.sin_addr.s_addr = flow->peer_address;
    channel->address = flow->address;
    channel->port = flow->port;
    channel->peer_address = flow->peer_address;
    channel->peer_port = flow->peer_port;
    atomic_store(&channel->is_heard, true);
    if (!mysock_incoming(listener->sock, channel, &peer, arrival->bytes, arrival->length,
                         &channel->sock))
        net->drops.no_room++;
    else if (channel->sock)
        channels_connect(&net->channels, channel);
    else
        net->drops.to_nobody++;
    if (!channel->is_connected)
        free(channel);
}

static void take_segment(const struct arrival *arrival)
{
    struct flow flow = {.address = htonl(weir_addr_to4(&arrival->from.local)),
                        .peer_address = htonl(weir_addr_to4(&arrival->from.peer))};
    struct channel *channel;

    if (arrival->length < SEGMENT_MIN || arrival->length > SEGMENT_ROOM) {
        net->drops.wrong_length++;
        return;
    }
    if (!is_sum_right(arrival, &flow)) {
        net->drops.wrong_checksum++;
        return;
    }
    flow.port = port_at(arrival->bytes, AT_DESTINATION);
    flow.peer_port = port_at(arrival->bytes, AT_SOURCE);
    channel = channels_find(&net->channels, &flow);
    if (!channel) {
        take_first(arrival, &flow);
        return;
    }
    atomic_store(&channel->is_heard, true);
    if (!mysock_deliver(channel->sock, arrival->bytes, arrival->length))
        net->drops.no_room++;
}

/* An ICMP error about a segment of ours. What it quotes begins with both ports. */
static void take_error(const struct arrival *arrival)
{
    struct flow flow = {.address = htonl(weir_addr_to4(&arrival->from.local)),
                        .peer_address = htonl(weir_addr_to4(&arrival->from.about))};
    uint8_t code = arrival->from.icmp_code;
    struct channel *channel;

    if (arrival->from.icmp_type != ICMP_UNREACHABLE || code == ICMP_TOO_BIG || arrival->length < 8)
        return;
    flow.port = port_at(arrival->bytes, AT_SOURCE);
    flow.peer_port = port_at(arrival->bytes, AT_DESTINATION);
    channel = channels_find(&net->channels, &flow);
    if (!channel || atomic_load(&channel->is_heard))
        return;
    if (code == ICMP_PROTOCOL_UNREACHABLE || code == ICMP_PORT_UNREACHABLE ||
        ++channel->soft_errors == SOFT_ERRORS_MAX)
        mysock_deliver(channel->sock, NULL, 0);
}

/* ---- The thread. ---------------------------------------------------------------------------------- */

static unsigned receive_batch(void)
{
    struct weir_stack *stack = weir_host_lock(net->host);
    unsigned count = 0;
    long length = 0;

    while (count < BATCH && length >= 0) {
        struct arrival *arrival = &net->arrivals[count];

        length = weir_socket_recvfrom(stack, net->socket, arrival->bytes, sizeof(arrival->bytes),
                                      &arrival->from);
        if (length < 0)
            break;
        arrival->length = (size_t)length;
        count++;
    }
    weir_host_unlock(net->host);
    return count;
}

/* Everything that has arrived: events tell of it once. */
static void receive_all(void)
{
    unsigned count, index;

    do {
        count = receive_batch();
        pthread_mutex_lock(&net->lock);
        for (index = 0; index < count; index++)
            if (net->arrivals[index].from.icmp_type)
                take_error(&net->arrivals[index]);
            else
                take_segment(&net->arrivals[index]);
        pthread_mutex_unlock(&net->lock);
    } while (count > 0);
}

static void *run_network(void *unused)
{
    struct weir_event event;

    (void)unused;
    for (;;) {
        int result = weir_host_wait(net->host, NULL, 0, WEIR_NEVER);

        if (result < 0 && result != WEIR_EINTR)
            return NULL;
        while (weir_host_next_event(net->host, &event))
            ; /* there is one socket */
        receive_all();
    }
}

/* Lets go, at exit, what a link with a delay still holds: the last acknowledgement, perhaps. */
static void wait_for_links(void)
{
    weir_time give_up = weir_host_now() + LAST_WAIT;

    for (;;) {
        weir_time deadline = weir_host_links_deadline(net->host), now = weir_host_now();

        if (deadline == WEIR_NEVER || now >= give_up)
            return;
        if (deadline > give_up)
            deadline = give_up;
        if (weir_host_wait(net->host, NULL, 0, deadline > now ? deadline - now : 0) < 0)
            return;
    }
}

/* ---- Starting. ------------------------------------------------------------------------------------ */

static struct weir_host *open_node(const char *path, char *error, size_t size)
{
    struct node_options options;
    struct lnx_error wrong = {0};
    struct weir_host *host;
    struct lnx lnx = {0};

    if (lnx_parse_file(path, &lnx, &wrong) != 0) {
        snprintf(error, size, "%s", wrong.text);
        return NULL;
    }
    node_options_init(&options);
    host = node_open(&lnx, &options, error, size);
    lnx_done(&lnx);
    return host;
}

/* The raw socket, the first address, the random numbers. Answers 0 or a WEIR_E…. */
static int prepare(struct net *made)
{
    struct weir_iface_row row;
    struct weir_stack *stack = weir_host_lock(made->host);
    int result = weir_inspect_iface(stack, 0, &row);

    weir_host_unlock(made->host);
    if (result < 0)
        return WEIR_EADDRNOTAVAIL;
    made->address = htonl(weir_addr_to4(&row.addr));
    made->socket = weir_socket(made->host, WEIR_RAW, NETWORK_WEIR_PROTOCOL);
    if (made->socket < 0)
        return made->socket;
    if (getrandom(&made->channels.salt, sizeof(made->channels.salt), 0) < 0 ||
        getrandom(&made->channels.next_port, sizeof(made->channels.next_port), 0) < 0)
        return WEIR_EIO;
    pthread_mutex_init(&made->lock, NULL);
    return weir_host_watch(made->host, made->socket, 0);
}

/* As many files as there may be: a server opens one for each connection. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int start_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run_network, NULL);

    if (error == 0)
        pthread_detach(thread);
    return -error;
}

int network_weir_start(const char *lnx, char *error, size_t size)
{
    struct net *made = net ? NULL : calloc(1, sizeof(*made));
    int result;

    if (!made) {
        snprintf(error, size, "%s", net ? "this process is a node already" : "no memory");
        return -1;
    }
    raise_limit();
    made->host = open_node(lnx, error, size);
    if (!made->host) {
        free(made);
        return -1;
    }
    result = prepare(made);
    net = made;
    if (result == 0)
        result = start_thread();
    if (result < 0) {
        snprintf(error, size, "%s: %s", lnx, weir_strerror(result));
        weir_host_destroy(made->host);
        free(made);
        net = NULL;
        return -1;
    }
    atexit(wait_for_links);
    mysock_network = &network_weir;
    return 0;
}

void network_weir_drops(struct network_weir_drops *drops)
{
    memset(drops, 0, sizeof(*drops));
    if (!net)
        return;
    pthread_mutex_lock(&net->lock);
    *drops = net->drops;
    pthread_mutex_unlock(&net->lock);
    drops->not_sent = atomic_load(&net->not_sent);
}

/* ---- The contract. -------------------------------------------------------------------------------- */

static struct channel *weir_open(struct mysock *sock, bool_t is_reliable)
{
    struct channel *channel = create(sock, is_reliable);

    if (!channel)
        errno = ENOMEM;
    return channel;
}

static bool is_own(uint32_t address)
{
    struct weir_stack *stack = weir_host_lock(net->host);
    struct weir_iface_row row;
    bool found = false;
    int iface;

    for (iface = 0; !found && weir_inspect_iface(stack, iface, &row) >= 0; iface++)
        found = htonl(weir_addr_to4(&row.addr)) == address;
    weir_host_unlock(net->host);
    return found;
}

static int weir_bind_channel(struct channel *channel, const struct sockaddr_in *local)
{
    int error;

    if (local->sin_addr.s_addr != 0 && !is_own(local->sin_addr.s_addr))
        return fail(EADDRNOTAVAIL);
    pthread_mutex_lock(&net->lock);
    error = channels_bind(&net->channels, channel, ntohs(local->sin_port));
    if (!error)
        channel->address = local->sin_addr.s_addr;
    pthread_mutex_unlock(&net->lock);
    return error ? fail(error) : 0;
}

static int weir_listen_channel(struct channel *channel)
{
    pthread_mutex_lock(&net->lock);
    channel->is_listening = true;
    pthread_mutex_unlock(&net->lock);
    return 0;
}

/* The address that packets to `peer` leave with, as a UDP socket is told it. 0 or a WEIR_E…. */
static int find_source(const struct sockaddr_in *peer, uint32_t *address)
{
    struct weir_endpoint remote = {.addr = weir_addr_from4(ntohl(peer->sin_addr.s_addr)),
                                   .port = ntohs(peer->sin_port)};
    struct weir_endpoint local;
    int socket = weir_socket(net->host, WEIR_UDP, 0), result = socket;

    if (socket < 0)
        return result;
    result = weir_connect(net->host, socket, &remote);
    if (result == 0)
        result = weir_getsockname(net->host, socket, &local);
    weir_close(net->host, socket);
    if (result == 0)
        *address = htonl(weir_addr_to4(&local.addr));
    return result;
}

static int weir_connect_channel(struct channel *channel, const struct sockaddr_in *peer)
{
    uint32_t address = channel->address;
    struct flow flow;
    int error = 0;

    if (peer->sin_port == 0)
        return fail(EADDRNOTAVAIL);
    if (address == 0)
        error = -find_source(peer, &address);
    if (error)
        return fail(error);
    pthread_mutex_lock(&net->lock);
    if (channel->port == 0)
        error = channels_bind(&net->channels, channel, 0);
    flow = (struct flow){address, peer->sin_addr.s_addr, channel->port, peer->sin_port};
    if (!error && channels_find(&net->channels, &flow))
        error = EADDRINUSE;
    if (!error) {
        channel->address = address;
        channel->peer_address = flow.peer_address;
        channel->peer_port = flow.peer_port;
        channels_connect(&net->channels, channel);
    }
    pthread_mutex_unlock(&net->lock);
    return error ? fail(error) : 0;
}

/* Puts the parts together and fills in what is ours. Answers the length; 0: it is too long. */
static size_t make_segment(const struct channel *channel, const struct bytes *parts, int count,
                           uint8_t *segment)
{
    size_t length = 0;
    uint16_t sum;
    int i;

    for (i = 0; i < count; i++) {
        if (parts[i].length > SEGMENT_ROOM - length)
            return 0;
        if (parts[i].length > 0)
            memcpy(segment + length, parts[i].data, parts[i].length);
        length += parts[i].length;
    }
    memcpy(segment + AT_SOURCE, &channel->port, 2);
    memcpy(segment + AT_DESTINATION, &channel->peer_port, 2);
    memset(segment + AT_SUM, 0, 2);
    memset(segment + AT_URGENT, 0, 2);
    sum = checksum_add(checksum_pseudo(channel->address, channel->peer_address, length),
                       checksum_of(segment, length));
    sum = (uint16_t)~sum;
    memcpy(segment + AT_SUM, &sum, 2);
    return length;
}

/* Answers 0 or an errno. What does not leave is lost, as in any network; but a connection that cannot
 * even begin is told why. */
static int send_packet(const struct channel *channel, const uint8_t *segment, size_t length)
{
    const struct weir_datagram to = {.peer = weir_addr_from4(ntohl(channel->peer_address)),
                                     .local = weir_addr_from4(ntohl(channel->address))};
    struct weir_stack *stack = weir_host_lock(net->host);
    long result = weir_socket_sendto(stack, net->socket, segment, length, &to);

    weir_host_unlock(net->host);
    if (result >= 0)
        return 0;
    atomic_fetch_add(&net->not_sent, 1);
    return result == WEIR_ENOBUFS || atomic_load(&channel->is_heard) ? 0 : (int)-result;
}

static ssize_t weir_send_segment(struct channel *channel, const struct bytes *parts, int count)
{
    uint8_t buffer[SEGMENT_ROOM];
    const unsigned char *segment = buffer;
    size_t made = make_segment(channel, parts, count, buffer), length = made;
    int times = 1, error = 0;

    if (made == 0)
        return fail(EMSGSIZE);
    if (!channel->is_reliable)
        times = unreliable_pass(&channel->unreliable, &segment, &length);
    while (times-- > 0 && !error)
        error = send_packet(channel, segment, length);
    return error ? fail(error) : (ssize_t)made;
}

static void weir_resume(struct channel *channel)
{
    (void)channel;
}

static int weir_local(struct channel *channel, struct sockaddr_in *addr)
{
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    pthread_mutex_lock(&net->lock);
    addr->sin_port = channel->port;
    addr->sin_addr.s_addr = channel->address ? channel->address : net->address;
    pthread_mutex_unlock(&net->lock);
    return 0;
}

static void weir_close_channel(struct channel *channel)
{
    pthread_mutex_lock(&net->lock);
    channels_remove(&net->channels, channel);
    pthread_mutex_unlock(&net->lock);
    free(channel);
}

const struct network network_weir = {
    weir_open,         weir_bind_channel, weir_listen_channel, weir_connect_channel,
    weir_send_segment, weir_resume,       weir_local,          weir_close_channel,
};
