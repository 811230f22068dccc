/* SPDX-License-Identifier: MIT */

/* The network in memory. A segment that is sent is delivered at once, by the sender's thread, to the channel
 * at the other end; nothing takes time. One lock guards everything, and is held while
 * MYSOCK is told, as network.h allows.
 *
 * A segment for which there is no room waits in the channel it goes to, with all that come after it,
 * until `resume`. A first segment for which a listener has no room is lost. The first segment to a port
 * where somebody listens makes a channel for the connection; to a port whose socket only connects, it finds
 * that socket if it connects to the sender (a simultaneous open), and is lost otherwise.
 *
 * Faults are seeded: each channel has a generator of its own, so that threads do not change what is
 * lost. The header's ports and checksum are not filled in: nobody here looks at them. */

#include "mysock_impl.h"
#include "net_memory.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORT_FIRST 49152 /* of those that are given out */

struct channel {
    struct channel *next; /* of all */
    struct mysock *sock;
    struct channel *other; /* the peer's; NULL: not known, or gone */
    uint16_t port, peer_port;
    bool_t is_listening;
    bool_t is_active; /* connect was called */
    bool_t is_reliable;
    uint32_t random;
    struct queue waiting; /* for room */
    size_t delayed_length;
    unsigned char delayed[SEGMENT_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct channel *channels;
static struct memory_faults faults;
static unsigned seed;
static unsigned long hits;
static uint16_t next_port = PORT_FIRST;

void memory_set(unsigned new_seed, const struct memory_faults *new_faults)
{
    pthread_mutex_lock(&lock);
    seed = new_seed;
    faults = *new_faults;
    hits = 0;
    pthread_mutex_unlock(&lock);
}

unsigned long memory_count(void)
{
    unsigned long count;

    pthread_mutex_lock(&lock);
    count = hits;
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- Channels. */

static struct channel *create(struct mysock *sock, bool_t is_reliable)
{
    struct channel *channel = (struct channel *)calloc(1, sizeof(*channel));

    if (!channel)
        return NULL;
    channel->sock = sock;
    channel->is_reliable = is_reliable;
    channel->next = channels;
    channels = channel;
    return channel;
}

static void destroy(struct channel *channel)
{
    struct channel **place = &channels;

    while (*place != channel)
        place = &(*place)->next;
    *place = channel->next;
    queue_clear(&channel->waiting);
    free(channel);
}

/* Whose segments from `sender` are: a listener, or the socket that connects to it. */
static struct channel *find(const struct channel *sender)
{
    struct channel *channel;

    for (channel = channels; channel; channel = channel->next)
        if (channel->port == sender->peer_port &&
            (channel->is_listening ||
             (channel->is_active && channel->peer_port == sender->port && !channel->other)))
            break;
    return channel;
}

static bool_t is_used(uint16_t port)
{
    const struct channel *channel;

    for (channel = channels; channel; channel = channel->next)
        if (channel->port == port)
            return TRUE;
    return FALSE;
}

static uint16_t free_port(void)
{
    while (is_used(next_port))
        next_port = next_port == 65535 ? PORT_FIRST : (uint16_t)(next_port + 1);
    return next_port;
}

static void set_addr(struct sockaddr_in *addr, uint16_t port)
{
    memset(addr, 0, sizeof(*addr));
    addr->sin_family = AF_INET;
    addr->sin_port = htons(port);
    addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

/* ---- Segments. */

static void deliver(struct channel *channel, const unsigned char *segment, size_t length)
{
    if (channel->waiting.pieces > 0 || !mysock_deliver(channel->sock, segment, length))
        queue_add(&channel->waiting, segment, length);
}

static void deliver_first(struct channel *sender, const unsigned char *segment, size_t length)
{
    struct channel *target = find(sender), *made;
    struct sockaddr_in peer;
    struct mysock *sock = NULL;

    if (!target)
        return;
    if (!target->is_listening) {
        sender->other = target;
        target->other = sender;
        deliver(target, segment, length);
        return;
    }
    made = create(NULL, target->is_reliable);
    if (!made)
        return;
    made->port = sender->peer_port;
    made->peer_port = sender->port;
    made->random = sender->random ^ 0x5a5a5a5a;
    set_addr(&peer, sender->port);
    if (!mysock_incoming(target->sock, made, &peer, segment, length, &sock) || !sock) {
        destroy(made);
        return;
    }
    made->sock = sock;
    made->other = sender;
    sender->other = made;
}

static void carry(struct channel *sender, const unsigned char *segment, size_t length)
{
    if (sender->other)
        deliver(sender->other, segment, length);
    else if (sender->is_active)
        deliver_first(sender, segment, length);
}

/* xorshift32. */
static uint32_t draw(struct channel *channel)
{
    uint32_t x = channel->random;

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    channel->random = x;
    return x % 1000;
}

static void carry_badly(struct channel *sender, const unsigned char *segment, size_t length)
{
    size_t delayed = sender->delayed_length;
    uint32_t fate = draw(sender);

    sender->delayed_length = 0;
    if (fate < faults.lost + faults.doubled + faults.delayed)
        hits++;
    if (fate < faults.lost) {
        /* it is gone */
    } else if (fate < faults.lost + faults.doubled) {
        carry(sender, segment, length);
        carry(sender, segment, length);
    } else if (fate < faults.lost + faults.doubled + faults.delayed && delayed == 0) {
        memcpy(sender->delayed, segment, length);
        sender->delayed_length = length;
    } else {
        carry(sender, segment, length);
    }
    if (delayed > 0)
        carry(sender, sender->delayed, delayed);
}

static ssize_t memory_send(struct channel *channel, const struct bytes *parts, int count)
{
    unsigned char segment[SEGMENT_MAX];
    size_t length = 0;
    int i;

    for (i = 0; i < count; i++) {
        if (parts[i].length > 0)
            memcpy(segment + length, parts[i].data, parts[i].length);
        length += parts[i].length;
    }
    pthread_mutex_lock(&lock);
    if (channel->is_active && !channel->other && !is_used(channel->peer_port)) {
        pthread_mutex_unlock(&lock);
        errno = ECONNREFUSED;
        return -1;
    }
    if (channel->is_reliable)
        carry(channel, segment, length);
    else
        carry_badly(channel, segment, length);
    pthread_mutex_unlock(&lock);
    return (ssize_t)length;
}

/* ---- The contract. */

static struct channel *memory_open(struct mysock *sock, bool_t is_reliable)
{
    struct channel *channel;

    pthread_mutex_lock(&lock);
    channel = create(sock, is_reliable);
    pthread_mutex_unlock(&lock);
    if (!channel)
        errno = EMFILE;
    return channel;
}

static int memory_bind(struct channel *channel, const struct sockaddr_in *local)
{
    uint16_t port = ntohs(local->sin_port);
    bool_t is_free;

    pthread_mutex_lock(&lock);
    is_free = port == 0 || !is_used(port);
    if (is_free)
        channel->port = port ? port : free_port();
    pthread_mutex_unlock(&lock);
    errno = EADDRINUSE;
    return is_free ? 0 : -1;
}

static int memory_listen(struct channel *channel)
{
    pthread_mutex_lock(&lock);
    channel->is_listening = TRUE;
    pthread_mutex_unlock(&lock);
    return 0;
}

static int memory_connect(struct channel *channel, const struct sockaddr_in *peer)
{
    pthread_mutex_lock(&lock);
    if (channel->port == 0)
        channel->port = free_port();
    channel->peer_port = ntohs(peer->sin_port);
    channel->is_active = TRUE;
    channel->random = (seed * 2654435761u) ^ ((uint32_t)channel->port << 16 | channel->peer_port);
    channel->random |= 1; /* never 0 */
    pthread_mutex_unlock(&lock);
    return 0;
}

static void memory_resume(struct channel *channel)
{
    unsigned char segment[SEGMENT_MAX];
    bool_t is_taken = TRUE;

    pthread_mutex_lock(&lock);
    while (is_taken && channel->waiting.pieces > 0) {
        const struct piece *piece = channel->waiting.head;

        is_taken = mysock_deliver(channel->sock, piece->data, piece->length);
        if (is_taken)
            queue_take_piece(&channel->waiting, segment, sizeof(segment));
    }
    pthread_mutex_unlock(&lock);
}

static int memory_local(struct channel *channel, struct sockaddr_in *addr)
{
    pthread_mutex_lock(&lock);
    set_addr(addr, channel->port);
    pthread_mutex_unlock(&lock);
    return 0;
}

static void memory_close(struct channel *channel)
{
    pthread_mutex_lock(&lock);
    if (channel->other) {
        channel->other->other = NULL;
        channel->other->is_active = FALSE; /* it finds nobody else */
        mysock_deliver(channel->other->sock, NULL, 0);
    }
    destroy(channel);
    pthread_mutex_unlock(&lock);
}

const struct network network_memory = {memory_open, memory_bind,   memory_listen, memory_connect,
                                       memory_send, memory_resume, memory_local,  memory_close};
