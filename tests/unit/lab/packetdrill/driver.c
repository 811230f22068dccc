/* SPDX-License-Identifier: MIT */

/* Helper of the packetdrill tests: see driver.h. The library is loaded with packetdrill's flags; only
 * RTLD_DEEPBIND is left out under sanitizers, which refuse it. */

#include "driver.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <weir/error.h>

#define PATIENCE_SECONDS 20

#ifdef __SANITIZE_ADDRESS__
#define DEEPBIND 0
#elif defined(__SANITIZE_THREAD__)
#define DEEPBIND 0
#else
#define DEEPBIND RTLD_DEEPBIND
#endif

void driver_load(struct driver *driver, const char *name, const char *flags)
{
    void (*init)(const char *flags, struct packetdrill_interface *table);
    char path[1024];

    memset(driver, 0, sizeof(*driver));
    snprintf(path, sizeof(path), "%s/lib/%s", WEIR_BINARY_DIR, name);
    driver->library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | DEEPBIND);
    if (!driver->library)
        fail_msg("%s", dlerror());
    *(void **)&init = dlsym(driver->library, "packetdrill_interface_init");
    assert_non_null(init);
    init(flags, &driver->t);
    driver->u = driver->t.userdata;
    driver->local = DRIVER_LOCAL;
    driver->port = DRIVER_PORT;
    driver->peer_port = DRIVER_PEER_PORT;
}

void driver_open(struct driver *driver, const char *flags)
{
    driver_load(driver, "weir-packetdrill.so", flags);
    assert_non_null(driver->u);
}

void driver_close(struct driver *driver)
{
    driver->t.free(driver->u);
    dlclose(driver->library);
}

long long driver_now(struct driver *driver)
{
    struct timeval now;

    assert_int_equal(driver->t.gettimeofday(driver->u, &now, NULL), 0);
    return (long long)now.tv_sec * 1000000 + now.tv_usec;
}

/* ---- Packets ------------------------------------------------------------------------------------ */

void driver_in(struct driver *driver, uint8_t flags, int64_t seq, int64_t ack, size_t length,
               uint16_t window)
{
    static const uint8_t zeros[65536];
    struct weir_packet packet = {
        .src = weir_addr_from4(DRIVER_REMOTE),
        .dst = weir_addr_from4(driver->local),
        .ttl = 64,
        .protocol = 6,
        .sport = driver->peer_port,
        .dport = driver->port,
        .seq = DRIVER_ISN + (uint32_t)seq,
        .window = window,
        .flags = flags,
        .mss = flags & WEIR_TCP_SYN ? 1460 : 0,
        .payload = zeros,
        .payload_length = (uint32_t)length,
    };
    uint8_t bytes[65536];
    long size;

    if (flags & WEIR_TCP_ACK)
        packet.ack = driver->our_isn + (uint32_t)ack;
    size = weir_packet_emit(&packet, bytes, sizeof(bytes));
    assert_true(size > 0);
    assert_int_equal(driver->t.netdev_send(driver->u, bytes, (size_t)size), 0);
}

struct weir_packet driver_any(struct driver *driver)
{
    size_t length = sizeof(driver->bytes);
    struct weir_packet packet;

    assert_int_equal(driver->t.netdev_receive(driver->u, driver->bytes, &length, &driver->at), 0);
    assert_int_equal(weir_packet_parse(driver->bytes, length, &packet), 0);
    assert_true(packet.ip_checksum_ok && packet.transport_checksum_ok);
    return packet;
}

struct weir_packet driver_out(struct driver *driver, uint8_t flags, int64_t seq, int64_t ack,
                              size_t length)
{
    struct weir_packet packet = driver_any(driver);
    char text[WEIR_PACKET_TEXT];

    if (packet.flags & WEIR_TCP_SYN) {
        driver->our_isn = packet.seq;
        driver->local = weir_addr_to4(&packet.src);
        driver->port = packet.sport;
    }
    if (packet.flags != flags || packet.seq != driver->our_isn + (uint32_t)seq ||
        ((flags & WEIR_TCP_ACK) && packet.ack != DRIVER_ISN + (uint32_t)ack) ||
        packet.payload_length != length || packet.dport != driver->peer_port)
        fail_msg("flags %02x seq %lld ack %lld length %zu expected; isns %u %u; sent: %s", flags,
                 (long long)seq, (long long)ack, length, driver->our_isn, DRIVER_ISN,
                 weir_packet_print(&packet, text, sizeof(text)));
    return packet;
}

struct sockaddr_in driver_addr(uint32_t host_order, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(host_order)},
    };
}

int driver_listen(struct driver *driver)
{
    struct sockaddr_in local = driver_addr(DRIVER_LOCAL, DRIVER_PORT);
    int fd = driver->t.socket(driver->u, AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    assert_int_equal(driver->t.bind(driver->u, fd, (const struct sockaddr *)&local, sizeof(local)),
                     0);
    assert_int_equal(driver->t.listen(driver->u, fd, 5), 0);
    return fd;
}

int driver_establish(struct driver *driver, int *listener)
{
    struct sockaddr_in remote;
    socklen_t length = sizeof(remote);
    int fd = driver_listen(driver), accepted;

    driver_in(driver, WEIR_TCP_SYN, 0, 0, 0, 65535);
    driver_out(driver, WEIR_TCP_SYN | WEIR_TCP_ACK, 0, 1, 0);
    driver_in(driver, WEIR_TCP_ACK, 1, 1, 0, 65535);
    accepted = driver->t.accept(driver->u, fd, (struct sockaddr *)&remote, &length);
    assert_true(accepted >= 0);
    assert_int_equal(length, sizeof(remote));
    assert_int_equal(ntohl(remote.sin_addr.s_addr), DRIVER_REMOTE);
    assert_int_equal(ntohs(remote.sin_port), DRIVER_PEER_PORT);
    if (listener)
        *listener = fd;
    return accepted;
}

/* ---- The second thread --------------------------------------------------------------------------- */

static void *run(void *argument)
{
    struct driver_call *call = argument;
    struct timeval now = {0};

    atomic_store(&call->tid, (int)syscall(SYS_gettid));
    errno = 0;
    call->result = call->make(call->driver, call->context);
    call->error = errno;
    if (call->result == -1 && call->error == ECANCELED)
        return NULL; /* the adapter is gone, and its clock */
    call->driver->t.gettimeofday(call->driver->u, &now, NULL);
    call->end = (long long)now.tv_sec * 1000000 + now.tv_usec;
    return NULL;
}

static bool is_sleeping(int tid)
{
    char path[64], text[256] = {0};
    const char *state;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    file = fopen(path, "r");
    if (!file)
        fail_msg("the thread is gone: its call did not block");
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    state = strrchr(text, ')');
    return state && state[1] && state[2] == 'S';
}

void driver_begin(struct driver_call *call)
{
    time_t limit = time(NULL) + PATIENCE_SECONDS;

    atomic_store(&call->tid, 0);
    assert_int_equal(pthread_create(&call->thread, NULL, run, call), 0);
    while (!atomic_load(&call->tid) || !is_sleeping(atomic_load(&call->tid))) {
        if (time(NULL) > limit)
            fail_msg("the call does not sleep");
        sched_yield();
    }
}

long driver_end(struct driver_call *call)
{
    struct timespec limit;
    int result;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_SECONDS;
    result = pthread_timedjoin_np(call->thread, NULL, &limit);
    if (result != 0)
        fail_msg("the call does not return");
    return call->result;
}
