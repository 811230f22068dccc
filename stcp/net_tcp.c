/* SPDX-License-Identifier: MIT */

/* The network over kernel TCP: each STCP connection has a TCP connection of its own, on the same ports,
 * and each segment travels as its length (2 bytes, big-endian) and its bytes.
 *
 * One thread serves the process, with epoll: it accepts, reads, and writes what a full kernel socket has
 * left. Segments are sent by the transports' threads, without blocking (net_tcp_channel.c).
 *
 * A channel is, in this order: fresh (the kernel's connect comes with the first segment); listening, or
 * pending (accepted, its first segment not yet here); open; lingering (closed, until
 * the peer has closed, too: a kernel socket closed with unread data in it resets the connection, and the
 * original programs die of that). Pending and lingering channels have a deadline; the time is the
 * same for all of a kind, so the lists are in order of deadlines.
 *
 * Where there are no descriptors left, listeners leave the epoll set until one is closed, or for
 * STARVED_MS, and pending channels that are older than this are closed. Where a listener has
 * no room, a channel with its first segment stays pending, unread, until `resume`.
 *
 * What is wrong with a peer is said on stderr, once for a connection and not more often than
 * COMPLAINTS_MAX times at once and then once a second, lest a pipe that nobody reads stops us.
 *
 * `reactor` guards lists and states, a channel's own lock what is sent; they are taken in this order.
 * A closed channel is freed by the network's thread alone, between two rounds, because the events of
 * a round may name it. */

#include "net_tcp.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define READ_SIZE 65536
#define EVENTS_MAX 64
#define ACCEPTS_MAX 64   /* of a listener, in one round */
#define PENDING_MS 10000 /* for a whole first frame */
#define LINGER_MS 2000
#define EXIT_MS 300 /* the same, for a process that ends */
#define STARVED_MS 1000
#define COMPLAINTS_MAX 100

/* A list through `next` and `previous`. */
struct list {
    struct channel *head, *tail;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t reactor = PTHREAD_MUTEX_INITIALIZER;
static int epoll_fd = -1, wake_fd = -1;
static uint32_t own_address;
static struct list pending, lingering, listeners, dead;
static bool_t is_starved; /* listeners wait for a descriptor, until: */
static int64_t starved_until;
static int64_t complained_at; /* as many complaints before now as milliseconds / 1000 */
static int start_error;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Lists. */

static void list_add(struct list *list, struct channel *channel)
{
    channel->next = NULL;
    channel->previous = list->tail;
    if (list->tail)
        list->tail->next = channel;
    else
        list->head = channel;
    list->tail = channel;
}

static void list_remove(struct list *list, struct channel *channel)
{
    if (channel->previous)
        channel->previous->next = channel->next;
    else
        list->head = channel->next;
    if (channel->next)
        channel->next->previous = channel->previous;
    else
        list->tail = channel->previous;
}

/* ---- The thread's wake-up. */

static void wake(void)
{
    uint64_t one = 1;

    if (write(wake_fd, &one, sizeof(one)) < 0)
        return; /* it is awake */
}

static void watch_listeners(bool_t are_watched)
{
    struct channel *channel;

    is_starved = !are_watched;
    starved_until = now_ms() + STARVED_MS;
    for (channel = listeners.head; channel; channel = channel->next)
        channel_set_reads(channel, are_watched);
}

/* ---- Channels. */

static void prepare(int fd)
{
    int on = 1;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, OPTION_TCP_NODELAY, &on, sizeof(on));
}

static struct channel *create(int fd, bool_t is_reliable)
{
    struct channel *channel = (struct channel *)calloc(1, sizeof(*channel));

    if (!channel) {
        close(fd);
        return NULL;
    }
    channel->fd = fd;
    channel->epoll_fd = epoll_fd;
    channel->address = own_address;
    channel->is_reliable = is_reliable;
    channel->unreliable.seed = UNRELIABLE_SEED;
    pthread_mutex_init(&channel->lock, NULL);
    return channel;
}

/* Closes for good; the network's thread frees it later. */
static void bury(struct channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->rest_length = 0;
    pthread_mutex_unlock(&channel->lock);
    channel_set_reads(channel, FALSE); /* and so it leaves the set */
    close(channel->fd);
    channel->stage = DEAD;
    list_add(&dead, channel);
    wake();
    if (is_starved)
        watch_listeners(TRUE);
}

static void free_dead(void)
{
    struct channel *channel;

    while ((channel = dead.head) != NULL) {
        list_remove(&dead, channel);
        pthread_mutex_destroy(&channel->lock);
        free(channel->held);
        free(channel->rest);
        free(channel);
    }
}

static void drop_pending(struct channel *channel)
{
    list_remove(&pending, channel);
    bury(channel);
}

/* ---- Receiving. */

static void complain(struct channel *channel, const char *what)
{
    char text[INET_ADDRSTRLEN];
    int64_t now = now_ms();

    if (channel->has_complained || complained_at > now)
        return;
    channel->has_complained = TRUE;
    if (complained_at < now - COMPLAINTS_MAX * 1000)
        complained_at = now - COMPLAINTS_MAX * 1000;
    complained_at += 1000;
    inet_ntop(AF_INET, &channel->peer.sin_addr, text, sizeof(text));
    fprintf(stderr, "stcp: %s:%u: %s\n", text, (unsigned)ntohs(channel->peer.sin_port), what);
}

/* One segment for the socket of an open channel, or the first one of a pending channel. Answers -1 if
 * the connection is to be ended, 0 if there is no room for it now, 1 if it was used. */
static int take_segment(struct channel *channel, const unsigned char *segment, size_t length)
{
    struct mysock *sock;

    if (channel->stage == OPEN) {
        if (!channel_check_sum(channel, segment, length)) {
            complain(channel, "a segment with a wrong checksum is dropped");
            return 1;
        }
        return mysock_deliver(channel->sock, segment, length) ? 1 : 0;
    }
    channel_learn_addresses(channel);
    if (!mysock_incoming(channel->listener->sock, channel, &channel->peer, segment, length, &sock))
        return 0;
    if (!sock) {
        complain(channel, "not a first segment, or not wanted: the connection is closed");
        return -1;
    }
    channel_check_sum(channel, segment, length);
    list_remove(&pending, channel);
    channel->sock = sock;
    channel->stage = OPEN;
    return 1;
}

/* Uses the whole frames at `data`. Answers how many bytes that were, or -1: end the connection. */
static long take_frames(struct channel *channel, const unsigned char *data, size_t length)
{
    size_t at = 0;

    while (length - at >= FRAME_HEADER) {
        size_t size = (size_t)data[at] << 8 | data[at + 1];
        int taken;

        if (size < SEGMENT_MIN || size > SEGMENT_MAX) {
            complain(channel, "a frame of a wrong length: the connection is closed");
            return -1;
        }
        if (length - at < FRAME_HEADER + size)
            break;
        taken = take_segment(channel, data + at + FRAME_HEADER, size);
        if (taken < 0)
            return -1;
        if (taken == 0) {
            channel->waits_for_room = TRUE;
            break;
        }
        at += FRAME_HEADER + size;
    }
    return (long)at;
}

/* The network has lost the peer, or is to lose it. */
static void lose(struct channel *channel)
{
    channel_set_reads(channel, FALSE);
    if (channel->stage == PENDING) {
        drop_pending(channel);
    } else if (channel->stage == OPEN) {
        mysock_deliver(channel->sock, NULL, 0);
    } else if (channel->stage == LINGERING) {
        list_remove(&lingering, channel);
        bury(channel);
    }
}

static bool_t hold(struct channel *channel, const unsigned char *data, size_t length)
{
    unsigned char *held = NULL;

    if (length > 0) {
        held = (unsigned char *)malloc(length);
        if (!held)
            return FALSE;
        memcpy(held, data, length);
    }
    free(channel->held);
    channel->held = held;
    channel->held_length = length;
    return TRUE;
}

/* Goes on with what is held and `got` new bytes behind it, all at `data`. */
static void take_bytes(struct channel *channel, const unsigned char *data, size_t length)
{
    long used = take_frames(channel, data, length);

    if (used < 0 || !hold(channel, data + used, length - (size_t)used)) {
        shutdown(channel->fd, SHUT_WR); /* the peer is to notice */
        lose(channel);
        return;
    }
    if (channel->waits_for_room)
        channel_set_reads(channel, FALSE);
}

static void read_some(struct channel *channel)
{
    static unsigned char data[READ_SIZE];
    size_t held = channel->stage == LINGERING ? 0 : channel->held_length;
    ssize_t got;

    if (channel->waits_for_room)
        return; /* it was told before that was known */
    if (held > 0)
        memcpy(data, channel->held, held);
    got = read(channel->fd, data + held, sizeof(data) - held);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        lose(channel);
    else if (channel->stage != LINGERING)
        take_bytes(channel, data, held + (size_t)got);
}

/* Uses what is held, now that there may be room. */
static void take_held(struct channel *channel)
{
    unsigned char *data = channel->held;
    size_t length = channel->held_length;

    if (!channel->waits_for_room)
        return;
    channel->waits_for_room = FALSE;
    channel->held = NULL;
    channel->held_length = 0;
    take_bytes(channel, data, length);
    free(data);
    if (!channel->waits_for_room && (channel->stage == OPEN || channel->stage == PENDING))
        channel_set_reads(channel, TRUE);
}

static void accept_some(struct channel *listener)
{
    int i;

    for (i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_in peer;
        socklen_t length = sizeof(peer);
        int fd = accept(listener->fd, (struct sockaddr *)&peer, &length);
        struct channel *channel;

        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                watch_listeners(FALSE);
            return;
        }
        prepare(fd);
        channel = create(fd, listener->is_reliable);
        if (!channel)
            return;
        channel->stage = PENDING;
        channel->listener = listener;
        channel->peer = peer;
        channel->deadline = now_ms() + PENDING_MS;
        list_add(&pending, channel);
        channel_set_reads(channel, TRUE);
    }
}

/* ---- The thread. */

static void write_rest(struct channel *channel)
{
    if (channel_write_rest(channel) == 0 && channel->stage == LINGERING)
        shutdown(channel->fd, SHUT_WR);
}

static void serve(const struct epoll_event *event)
{
    struct channel *channel = (struct channel *)event->data.ptr;
    uint64_t count;

    if (!channel) {
        if (read(wake_fd, &count, sizeof(count)) < 0)
            return;
    } else if (channel->stage == LISTENING) {
        accept_some(channel);
    } else if (channel->stage != DEAD) {
        if (event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            write_rest(channel);
        if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            read_some(channel);
    }
}

/* A pending channel that waits for room has its first segment, and waits as long as it takes. */
static int64_t expire_pending(int64_t now)
{
    int64_t haste = is_starved ? PENDING_MS - STARVED_MS : 0;
    struct channel *channel, *after;

    for (channel = pending.head; channel; channel = after) {
        after = channel->next;
        if (channel->waits_for_room)
            continue;
        if (channel->deadline - haste > now)
            return channel->deadline - haste;
        complain(channel, "no first segment came: the connection is closed");
        drop_pending(channel);
    }
    return -1;
}

/* Closes what has waited too long, and answers how many milliseconds there are until the next has. */
static int expire(void)
{
    int64_t now = now_ms(), next = expire_pending(now);
    struct channel *channel;

    if (is_starved && starved_until <= now)
        watch_listeners(TRUE);
    if (is_starved && (next < 0 || starved_until < next))
        next = starved_until;
    while ((channel = lingering.head) != NULL && channel->deadline <= now) {
        list_remove(&lingering, channel);
        bury(channel);
    }
    if (channel && (next < 0 || channel->deadline < next))
        next = channel->deadline;
    return next < 0 ? -1 : (int)(next - now);
}

static void *run_network(void *unused)
{
    struct epoll_event events[EVENTS_MAX];
    int count, wait, i;

    (void)unused;
    for (;;) {
        pthread_mutex_lock(&reactor);
        free_dead();
        wait = expire();
        pthread_mutex_unlock(&reactor);
        count = epoll_wait(epoll_fd, events, EVENTS_MAX, wait);
        pthread_mutex_lock(&reactor);
        for (i = 0; i < count; i++)
            serve(&events[i]);
        pthread_mutex_unlock(&reactor);
    }
    return NULL;
}

/* Reads until the peer has closed, or until `deadline`. */
static void drain(int fd, int64_t deadline)
{
    static char data[READ_SIZE];
    struct pollfd wanted;
    int64_t left;
    ssize_t got;

    wanted.fd = fd;
    wanted.events = POLLIN;
    do {
        got = read(fd, data, sizeof(data));
        left = deadline - now_ms();
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return;
    } while (left > 0 && (got > 0 || poll(&wanted, 1, (int)left) > 0));
}

/* What lingers when the process ends must not be closed with unread data in it; nor, if it can be helped,
 * before the peer, who may say a last word. */
static void drain_all(void)
{
    int64_t deadline = now_ms() + EXIT_MS;
    struct channel *channel;

    pthread_mutex_lock(&reactor);
    for (channel = lingering.head; channel; channel = channel->next)
        drain(channel->fd, deadline);
    pthread_mutex_unlock(&reactor);
}

static void find_own_address(void)
{
    char name[256];
    struct hostent *host = NULL;

    own_address = htonl(INADDR_LOOPBACK);
    if (gethostname(name, sizeof(name)) == 0) {
        name[sizeof(name) - 1] = '\0';
        host = gethostbyname(name);
    }
    if (host && host->h_addrtype == AF_INET && host->h_length == (int)sizeof(own_address))
        memcpy(&own_address, host->h_addr_list[0], sizeof(own_address));
}

static void start(void)
{
    struct epoll_event event;
    struct rlimit limit;
    pthread_t thread = 0;
    int error;

    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    find_own_address();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    memset(&event, 0, sizeof(event));
    event.events = EPOLLIN;
    if (epoll_fd < 0 || wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) < 0)
        error = errno;
    else
        error = pthread_create(&thread, NULL, run_network, NULL);
    if (!error) {
        pthread_detach(thread);
        atexit(drain_all);
    }
    start_error = error;
}

/* ---- The contract. */

static struct channel *tcp_open(struct mysock *sock, bool_t is_reliable)
{
    struct channel *channel;
    int fd;

    pthread_once(&once, start);
    if (start_error) {
        errno = start_error;
        return NULL;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    channel = create(fd, is_reliable);
    if (channel)
        channel->sock = sock;
    return channel;
}

static int tcp_bind(struct channel *channel, const struct sockaddr_in *local)
{
    int on = 1;

    setsockopt(channel->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(channel->fd, (const struct sockaddr *)local, sizeof(*local));
}

static int tcp_listen(struct channel *channel)
{
    if (listen(channel->fd, SOMAXCONN) < 0)
        return -1;
    fcntl(channel->fd, F_SETFL, fcntl(channel->fd, F_GETFL) | O_NONBLOCK);
    pthread_mutex_lock(&reactor);
    channel->stage = LISTENING;
    list_add(&listeners, channel);
    channel_set_reads(channel, !is_starved);
    pthread_mutex_unlock(&reactor);
    return 0;
}

static int tcp_connect(struct channel *channel, const struct sockaddr_in *peer)
{
    pthread_mutex_lock(&reactor);
    channel->peer = *peer;
    channel->is_lazy = TRUE;
    pthread_mutex_unlock(&reactor);
    return 0;
}

/* The kernel's connection, for the first segment. */
static int reach(struct channel *channel)
{
    if (connect(channel->fd, (struct sockaddr *)&channel->peer, sizeof(channel->peer)) < 0)
        return -1;
    channel->is_lazy = FALSE;
    prepare(channel->fd);
    channel_learn_addresses(channel);
    pthread_mutex_lock(&reactor);
    channel->stage = OPEN;
    channel_set_reads(channel, TRUE);
    pthread_mutex_unlock(&reactor);
    return 0;
}

static ssize_t tcp_send(struct channel *channel, const struct bytes *parts, int count)
{
    unsigned char segment[SEGMENT_MAX];
    size_t length;

    if (channel->is_lazy && reach(channel) < 0) {
        int error = errno;

        mysock_deliver(channel->sock, NULL, 0); /* for transports that do not look at the result */
        errno = error;
        return -1;
    }
    length = channel_make_segment(channel, parts, count, segment);
    return channel_send(channel, segment, length) < 0 ? -1 : (ssize_t)length;
}

static void tcp_resume(struct channel *channel)
{
    struct channel *waiting, *next;

    pthread_mutex_lock(&reactor);
    if (channel->stage == OPEN)
        take_held(channel);
    for (waiting = pending.head; channel->stage == LISTENING && waiting; waiting = next) {
        next = waiting->next;
        if (waiting->listener == channel)
            take_held(waiting);
    }
    pthread_mutex_unlock(&reactor);
}

static int tcp_local(struct channel *channel, struct sockaddr_in *addr)
{
    socklen_t length = sizeof(*addr);
    int result;

    memset(addr, 0, sizeof(*addr));
    result = getsockname(channel->fd, (struct sockaddr *)addr, &length);
    pthread_mutex_lock(&reactor);
    if (channel->peer.sin_port != 0)
        addr->sin_addr.s_addr = own_address;
    pthread_mutex_unlock(&reactor);
    return result;
}

static void linger(struct channel *channel)
{
    channel->stage = LINGERING;
    channel->sock = NULL;
    channel->waits_for_room = FALSE;
    channel->deadline = now_ms() + LINGER_MS;
    list_add(&lingering, channel);
    if (channel->rest_length == 0)
        shutdown(channel->fd, SHUT_WR);
    channel_set_reads(channel, TRUE);
    wake();
}

static void close_listener(struct channel *listener)
{
    struct channel *channel, *next;

    for (channel = pending.head; channel; channel = next) {
        next = channel->next;
        if (channel->listener != listener)
            continue;
        list_remove(&pending, channel);
        linger(channel); /* a SYN may lie in it, unread */
    }
    list_remove(&listeners, listener);
    bury(listener);
}

static void tcp_close(struct channel *channel)
{
    pthread_mutex_lock(&reactor);
    if (channel->stage == LISTENING)
        close_listener(channel);
    else if (channel->stage == OPEN)
        linger(channel);
    else
        bury(channel);
    pthread_mutex_unlock(&reactor);
}

const struct network network_tcp = {tcp_open, tcp_bind,   tcp_listen, tcp_connect,
                                    tcp_send, tcp_resume, tcp_local,  tcp_close};
