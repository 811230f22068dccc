/* SPDX-License-Identifier: MIT */

/* The network over weir, by itself: this file stands in for MYSOCK above it, and is its neighbour on the
 * virtual network below it, a node with a raw socket that sends what a peer might. Everything is
 * waited for with a deadline, and "nothing comes" is known by what was sent behind it. */

#include "checksum.h"
#include "mysock_impl.h"
#include "net_weir.h"
#include "unreliable.h"
#include <arpa/inet.h>
#include <errno.h>
#include <lab/node.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#include <cmocka.h>

#define OWN 0x0a000001u  /* 10.0.0.1, the node of network_weir */
#define PEER 0x0a000002u /* 10.0.0.2, ours */
#define SYN 0x02
#define ACK 0x10
#define ROOM 1380 /* of a segment */
#define DEADLINE_S 20
#define TOLD_MAX 64

/* ---- In place of MYSOCK. ------------------------------------------------------------------------ */

const struct network *mysock_network;

struct told {
    struct mysock *sock; /* the listener for a first segment */
    struct channel *channel;
    size_t length;
    uint8_t bytes[SEGMENT_MAX];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct told told[TOLD_MAX];
    unsigned count;
    unsigned taken;       /* by the test */
    bool has_room;        /* FALSE is answered otherwise */
    struct mysock *gives; /* for a first segment; NULL: it is not wanted */
} above = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {{0}}, 0, 0, true, NULL};

static struct mysock sockets[8]; /* the network looks into none of them */

static bool_t tell(struct mysock *sock, struct channel *channel, const void *bytes, size_t length)
{
    bool_t has_room;

    pthread_mutex_lock(&above.lock);
    has_room = above.has_room || !channel;
    if (has_room && above.count < TOLD_MAX) {
        struct told *told = &above.told[above.count++];

        told->sock = sock;
        told->channel = channel;
        told->length = length;
        if (length > 0)
            memcpy(told->bytes, bytes, length);
        pthread_cond_broadcast(&above.changed);
    }
    pthread_mutex_unlock(&above.lock);
    return has_room;
}

bool_t mysock_deliver(struct mysock *sock, const void *segment, size_t length)
{
    return tell(sock, NULL, segment, length);
}

bool_t mysock_incoming(struct mysock *listener, struct channel *channel,
                       const struct sockaddr_in *peer, const void *segment, size_t length,
                       struct mysock **sock)
{
    assert_int_equal(ntohl(peer->sin_addr.s_addr), PEER);
    assert_memory_equal(&peer->sin_port, segment, 2);
    pthread_mutex_lock(&above.lock);
    *sock = above.has_room ? above.gives : NULL;
    pthread_mutex_unlock(&above.lock);
    return tell(listener, channel, segment, length);
}

/* The next thing that MYSOCK is told. */
static struct told *next_told(void)
{
    struct timespec deadline;
    struct told *told;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&above.lock);
    while (above.taken == above.count && !error)
        error = pthread_cond_timedwait(&above.changed, &above.lock, &deadline);
    assert_int_equal(error, 0);
    told = &above.told[above.taken++];
    pthread_mutex_unlock(&above.lock);
    return told;
}

static unsigned told_count(void)
{
    unsigned count;

    pthread_mutex_lock(&above.lock);
    count = above.count;
    pthread_mutex_unlock(&above.lock);
    return count;
}

/* How first segments are answered from now on. */
static void answer(bool has_room, struct mysock *gives)
{
    pthread_mutex_lock(&above.lock);
    above.has_room = has_room;
    above.gives = gives;
    pthread_mutex_unlock(&above.lock);
}

/* ---- The neighbour. -------------------------------------------------------------------------------- */

static struct weir_host *peer_host;
static int peer_socket;

static void write_lnx(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Two neighbours on UDP ports that are free: those of sockets that were just closed. */
static void choose_ports(unsigned ports[2])
{
    int fds[2];

    for (int i = 0; i < 2; i++) {
        struct sockaddr_in addr = {.sin_family = AF_INET};
        socklen_t length = sizeof(addr);

        addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        assert_int_equal(bind(fds[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&addr, &length), 0);
        ports[i] = ntohs(addr.sin_port);
    }
    close(fds[0]);
    close(fds[1]);
}

static void open_peer(const char *path)
{
    struct node_options options;
    struct lnx_error wrong;
    struct lnx lnx;
    char error[NODE_ERROR_TEXT];

    assert_int_equal(lnx_parse_file(path, &lnx, &wrong), 0);
    node_options_init(&options);
    peer_host = node_open(&lnx, &options, error, sizeof(error));
    lnx_done(&lnx);
    assert_non_null(peer_host);
    peer_socket = weir_socket(peer_host, WEIR_RAW, NETWORK_WEIR_PROTOCOL);
    assert_true(peer_socket >= 0);
}

static int set_up(void **state)
{
    char folder[] = "/tmp/net-weir-XXXXXX", path[64], text[256], error[NETWORK_WEIR_ERROR];
    unsigned ports[2];

    (void)state;
    assert_non_null(mkdtemp(folder));
    choose_ports(ports);
    for (int i = 1; i >= 0; i--) {
        snprintf(path, sizeof(path), "%s/h%d.lnx", folder, i + 1);
        snprintf(text, sizeof(text),
                 "interface if0 10.0.0.%d/24 127.0.0.1:%u\n"
                 "neighbor 10.0.0.%d at 127.0.0.1:%u via if0\nrouting static\n",
                 i + 1, ports[i], 2 - i, ports[!i]);
        write_lnx(path, text);
        if (i == 1)
            open_peer(path);
        else
            assert_int_equal(network_weir_start(path, error, sizeof(error)), 0);
        unlink(path);
    }
    rmdir(folder);
    assert_ptr_equal(mysock_network, &network_weir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    weir_host_destroy(peer_host);
    return 0;
}

static int reset(void **state)
{
    (void)state;
    pthread_mutex_lock(&above.lock);
    above.count = above.taken = 0;
    above.has_room = true;
    above.gives = NULL;
    pthread_mutex_unlock(&above.lock);
    return 0;
}

/* Fills in a header, with a right checksum for these addresses. */
static void make(uint8_t *segment, size_t length, unsigned from, unsigned to, uint8_t flags)
{
    uint16_t sum, port = htons((uint16_t)from);

    memset(segment, 0, length);
    memcpy(segment, &port, 2);
    port = htons((uint16_t)to);
    memcpy(segment + 2, &port, 2);
    segment[12] = 0x50;
    segment[13] = flags;
    for (size_t i = 20; i < length; i++)
        segment[i] = (uint8_t)(i * 7);
    sum = checksum_add(checksum_pseudo(htonl(PEER), htonl(OWN), length),
                       checksum_of(segment, length));
    sum = (uint16_t)~sum;
    memcpy(segment + 16, &sum, 2);
}

static void peer_sends(const uint8_t *segment, size_t length)
{
    const struct weir_datagram to = {.peer = weir_addr_from4(OWN), .local = weir_addr_any4()};

    assert_int_equal(weir_sendto(peer_host, peer_socket, segment, length, &to), length);
}

static void peer_sends_made(unsigned from, unsigned to, uint8_t flags)
{
    uint8_t segment[24];

    make(segment, sizeof(segment), from, to, flags);
    peer_sends(segment, sizeof(segment));
}

/* What comes to the neighbour next. */
static size_t peer_gets(uint8_t *segment, size_t size)
{
    struct weir_pollfd poll = {.socket = peer_socket, .events = WEIR_IN};
    struct weir_datagram from;
    long length;

    assert_int_equal(weir_poll(peer_host, &poll, 1, DEADLINE_S * WEIR_SECOND), 1);
    length = weir_recvfrom(peer_host, peer_socket, segment, size, &from);
    assert_true(length >= 0);
    assert_int_equal(from.icmp_type, 0);
    assert_int_equal(weir_addr_to4(&from.peer), OWN);
    return (size_t)length;
}

/* The next thing that MYSOCK is told, when that takes work of the neighbour. */
static struct told *wait_for_peer_to_tell(void)
{
    weir_time deadline = weir_host_now() + DEADLINE_S * WEIR_SECOND;

    while (told_count() == above.taken && weir_host_now() < deadline)
        weir_host_wait(peer_host, NULL, 0, 10 * WEIR_MS);
    return next_told();
}

/* ---- Helpers. --------------------------------------------------------------------------------------- */

static struct sockaddr_in address(uint32_t ip, unsigned port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    addr.sin_addr.s_addr = htonl(ip);
    return addr;
}

static struct channel *open_bound(struct mysock *sock, uint32_t ip, unsigned port)
{
    struct sockaddr_in local = address(ip, port);
    struct channel *channel = network_weir.open(sock, TRUE);

    assert_non_null(channel);
    assert_int_equal(network_weir.bind(channel, &local), 0);
    return channel;
}

static struct channel *open_listener(struct mysock *sock, unsigned port)
{
    struct channel *channel = open_bound(sock, 0, port);

    assert_int_equal(network_weir.listen(channel), 0);
    return channel;
}

static struct channel *open_connected(struct mysock *sock, bool_t is_reliable, unsigned port)
{
    struct sockaddr_in peer = address(PEER, port);
    struct channel *channel = network_weir.open(sock, is_reliable);

    assert_non_null(channel);
    assert_int_equal(network_weir.connect(channel, &peer), 0);
    return channel;
}

static unsigned port_of(struct channel *channel)
{
    struct sockaddr_in local;

    assert_int_equal(network_weir.local(channel, &local), 0);
    assert_int_equal(ntohl(local.sin_addr.s_addr), OWN);
    return ntohs(local.sin_port);
}

static ssize_t send_bytes(struct channel *channel, const void *bytes, size_t length)
{
    struct bytes part = {bytes, length};

    return network_weir.send(channel, &part, 1);
}

/* ---- The tests. ---------------------------------------------------------------------------------------- */

static void one_node_a_process(void **state)
{
    char error[NETWORK_WEIR_ERROR];

    (void)state;
    assert_int_equal(network_weir_start("/none.lnx", error, sizeof(error)), -1);
    assert_string_equal(error, "this process is a node already");
}

static void ports_and_addresses(void **state)
{
    struct channel *one = open_bound(&sockets[0], 0, 80);
    struct channel *two = open_bound(&sockets[1], OWN, 0);
    struct channel *three = network_weir.open(&sockets[2], TRUE);
    struct sockaddr_in taken = address(0, 80), foreign = address(PEER, 81);

    (void)state;
    assert_int_equal(port_of(one), 80);
    assert_in_range(port_of(two), 49152, 65535);
    assert_int_equal(network_weir.bind(three, &taken), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(network_weir.bind(three, &foreign), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    network_weir.close(one);
    assert_int_equal(network_weir.bind(three, &taken), 0); /* free again */
    network_weir.close(two);
    network_weir.close(three);
}

static void unreachable_peers(void **state)
{
    struct channel *channel = network_weir.open(&sockets[0], TRUE);
    struct sockaddr_in far = address(0x0b000001, 80), nowhere = address(PEER, 0);

    (void)state;
    assert_int_equal(network_weir.connect(channel, &far), -1);
    assert_int_equal(errno, ENETUNREACH);
    assert_int_equal(network_weir.connect(channel, &nowhere), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    network_weir.close(channel);
}

/* All that is free is given out, and then no more. */
static void all_ports(void **state)
{
    static struct channel *channels[16385];
    struct sockaddr_in any = address(0, 0);
    unsigned count = 0;

    (void)state;
    do {
        channels[count] = network_weir.open(&sockets[0], TRUE);
        assert_non_null(channels[count]);
        assert_true(count < 16385);
    } while (network_weir.bind(channels[count++], &any) == 0);
    assert_int_equal(count, 16385);
    assert_int_equal(errno, EADDRNOTAVAIL);
    while (count > 0)
        network_weir.close(channels[--count]);
}

static void segments_on_the_wire(void **state)
{
    struct channel *channel = open_connected(&sockets[0], TRUE, 7000);
    uint8_t sent[ROOM + 1], got[2000];
    const struct bytes parts[] = {{sent, 20}, {NULL, 0}, {sent + 20, 536}};
    uint16_t port;

    (void)state;
    memset(sent, 0xab, sizeof(sent));
    assert_int_equal(network_weir.send(channel, parts, 3), 556);
    assert_int_equal(peer_gets(got, sizeof(got)), 556);
    memcpy(&port, got, 2);
    assert_int_equal(ntohs(port), port_of(channel));
    memcpy(&port, got + 2, 2);
    assert_int_equal(ntohs(port), 7000);
    assert_int_equal(
        checksum_add(checksum_pseudo(htonl(OWN), htonl(PEER), 556), checksum_of(got, 556)), 0xffff);
    assert_int_equal(got[18] | got[19], 0);
    assert_memory_equal(got + 4, sent + 4, 12);
    assert_memory_equal(got + 20, sent + 20, 536);

    assert_int_equal(send_bytes(channel, sent, ROOM + 1), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(send_bytes(channel, sent, ROOM), ROOM);
    assert_int_equal(peer_gets(got, sizeof(got)), ROOM);
    network_weir.close(channel);
}

static void segments_find_their_sockets(void **state)
{
    struct channel *listeners[] = {open_listener(&sockets[0], 80), open_listener(&sockets[1], 81)};
    struct channel *active = open_connected(&sockets[2], TRUE, 5000);
    struct told *told;
    struct channel *accepted;

    (void)state;
    answer(true, &sockets[3]);
    peer_sends_made(5000, 80, SYN);
    told = next_told();
    assert_ptr_equal(told->sock, &sockets[0]);
    assert_int_equal(told->length, 24);
    accepted = told->channel;
    assert_int_equal(port_of(accepted), 80);
    peer_sends_made(5000, 80, ACK); /* of the same connection */
    assert_ptr_equal(next_told()->sock, &sockets[3]);
    peer_sends_made(5001, 80, SYN); /* of another one */
    told = next_told();
    assert_ptr_equal(told->sock, &sockets[0]);
    network_weir.close(told->channel);
    peer_sends_made(5000, 81, SYN);
    told = next_told();
    assert_ptr_equal(told->sock, &sockets[1]);
    network_weir.close(told->channel);
    peer_sends_made(5000, port_of(active), SYN | ACK);
    assert_ptr_equal(next_told()->sock, &sockets[2]);

    /* The listener goes, its connection stays. */
    network_weir.close(listeners[0]);
    peer_sends_made(5000, 80, ACK);
    assert_ptr_equal(next_told()->sock, &sockets[3]);
    network_weir.close(accepted);
    network_weir.close(active);
    network_weir.close(listeners[1]);
}

/* An accepted connection sends from its listener's port. */
static void answers_of_accepted(void **state)
{
    struct channel *listener = open_listener(&sockets[0], 80), *accepted;
    uint8_t header[20] = {0}, got[100];
    uint16_t ports[2];

    (void)state;
    answer(true, &sockets[1]);
    peer_sends_made(5000, 80, SYN);
    accepted = next_told()->channel;
    assert_int_equal(send_bytes(accepted, header, sizeof(header)), 20);
    assert_int_equal(peer_gets(got, sizeof(got)), 20);
    memcpy(ports, got, 4);
    assert_int_equal(ntohs(ports[0]), 80);
    assert_int_equal(ntohs(ports[1]), 5000);
    network_weir.close(accepted);
    network_weir.close(listener);
}

static void drops(void **state)
{
    struct channel *listener = open_listener(&sockets[0], 80);
    struct channel *bound = open_bound(&sockets[1], 0, 82); /* does not listen */
    struct network_weir_drops before, after;
    uint8_t segment[ROOM + 1];
    weir_time deadline;

    (void)state;
    network_weir_drops(&before);
    make(segment, sizeof(segment), 5000, 80, SYN);
    peer_sends(segment, sizeof(segment));
    make(segment, 19, 5000, 80, SYN);
    peer_sends(segment, 19);
    peer_sends(segment, 0);
    for (size_t place = 0; place < 24; place++) {
        make(segment, 24, 5000, 80, SYN);
        segment[place] ^= 0x10;
        peer_sends(segment, 24);
    }
    peer_sends_made(5000, 83, SYN);
    peer_sends_made(5000, 82, SYN);
    peer_sends_made(5000, 80, SYN); /* `gives` is NULL: not wanted, but told */
    assert_ptr_equal(next_told()->sock, &sockets[0]);
    answer(false, NULL);
    peer_sends_made(5000, 80, SYN);
    make(segment, ROOM, 5000, 80, SYN); /* the longest */
    deadline = weir_host_now() + DEADLINE_S * WEIR_SECOND;
    do {
        weir_host_wait(peer_host, NULL, 0, WEIR_MS);
        network_weir_drops(&after);
    } while (after.no_room == before.no_room && weir_host_now() < deadline);
    answer(true, &sockets[2]);
    peer_sends(segment, ROOM);
    assert_int_equal(next_told()->length, ROOM);
    network_weir_drops(&after);
    assert_int_equal(after.wrong_length - before.wrong_length, 3);
    assert_int_equal(after.wrong_checksum - before.wrong_checksum, 24);
    assert_int_equal(after.to_nobody - before.to_nobody, 3);
    assert_int_equal(after.no_room - before.no_room, 1);
    assert_int_equal(after.not_sent, before.not_sent);
    network_weir.close(above.told[1].channel);
    network_weir.close(bound);
    network_weir.close(listener);
}

/* The events of the unreliable mode's first sends: dropped, twice, kept, the kept one instead. */
static void unreliable_sends(void **state)
{
    static const int expected[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                                   12, 13, 14, 14, 15, 16, 17, 17, 19, 20, 21};
    struct channel *channel = open_connected(&sockets[0], FALSE, 7001);
    uint8_t header[20] = {0}, got[100];

    (void)state;
    for (uint8_t number = 0; number < 22; number++) {
        header[4] = number;
        assert_int_equal(send_bytes(channel, header, sizeof(header)), 20);
    }
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        assert_int_equal(peer_gets(got, sizeof(got)), 20);
        assert_int_equal(got[4], expected[i]);
    }
    network_weir.close(channel);
}

/* A host that does not know the protocol says so; who has been heard of is not given up for that. */
static void peers_without_stcp(void **state)
{
    struct channel *fresh = open_connected(&sockets[0], TRUE, 7002);
    struct channel *heard = open_connected(&sockets[1], TRUE, 7002);
    uint8_t header[20] = {0}, got[100];
    struct told *told;

    (void)state;
    peer_sends_made(7002, port_of(heard), SYN | ACK);
    assert_ptr_equal(next_told()->sock, &sockets[1]);
    weir_close(peer_host, peer_socket);
    assert_int_equal(send_bytes(heard, header, sizeof(header)), 20);
    assert_int_equal(send_bytes(fresh, header, sizeof(header)), 20);
    told = wait_for_peer_to_tell();
    assert_ptr_equal(told->sock, &sockets[0]);
    assert_int_equal(told->length, 0);
    peer_socket = weir_socket(peer_host, WEIR_RAW, NETWORK_WEIR_PROTOCOL);
    assert_true(peer_socket >= 0);
    assert_int_equal(send_bytes(heard, header, sizeof(header)), 20);
    assert_int_equal(peer_gets(got, sizeof(got)), 20);
    assert_int_equal(told_count(), 2); /* `heard` was told nothing */
    network_weir.close(fresh);
    network_weir.close(heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_node_a_process, reset),
        cmocka_unit_test_setup(ports_and_addresses, reset),
        cmocka_unit_test_setup(unreachable_peers, reset),
        cmocka_unit_test_setup(all_ports, reset),
        cmocka_unit_test_setup(segments_on_the_wire, reset),
        cmocka_unit_test_setup(segments_find_their_sockets, reset),
        cmocka_unit_test_setup(answers_of_accepted, reset),
        cmocka_unit_test_setup(drops, reset),
        cmocka_unit_test_setup(unreliable_sends, reset),
        cmocka_unit_test_setup(peers_without_stcp, reset),
    };

    return cmocka_run_group_tests_name("net_weir", tests, set_up, tear_down);
}
