/* SPDX-License-Identifier: MIT */

/* Linux at the work of bench_bulk and bench_pingpong: two network namespaces, joined by a veth pair.
 *
 *   peer_linux bulk|pingpong [COUNT]
 *
 * Two processes, both on the processor they are started on, which is Linux's counterpart of two stacks
 * in one thread. The pair has MTU 1500 and no offloads: segments are cut, checksums made and verified.
 * Needs the right to make namespaces, or to be root in one of its own (unshare -r), and `ip`.
 *
 * bulk: COUNT MiB, 64 KiB a call. Prints `gbit_per_s`.
 * pingpong: COUNT requests and answers of 64 bytes, TCP_NODELAY. Prints `per_s`. */

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 65536
#define MESSAGE 64
#define PORT 5001

static char data[CHUNK];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- The pair ------------------------------------------------------------------------------------ */

static void run(const char *format, ...)
{
    char command[200];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    if (system(command) != 0) /* a constant but for a process id */
        exit(1);
}

/* What the pair would leave to the other end: nothing. */
static void turn_off(const char *name, uint32_t what)
{
    struct ethtool_value value = {.cmd = what, .data = 0};
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    request.ifr_data = (char *)&value;
    if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0)
        die("ethtool");
    close(fd);
}

static void set_up(const char *name, const char *address)
{
    turn_off(name, ETHTOOL_STXCSUM);
    turn_off(name, ETHTOOL_STSO);
    turn_off(name, ETHTOOL_SGSO);
    turn_off(name, ETHTOOL_SGRO);
    run("ip addr add %s/24 dev %s && ip link set %s up", address, name, name);
}

static void tell(int fd)
{
    if (write(fd, "", 1) != 1)
        die("pipe");
}

static void wait_told(int fd)
{
    char byte;

    if (read(fd, &byte, 1) != 1)
        exit(1);
}

/* ---- The work ------------------------------------------------------------------------------------ */

static size_t receive(int fd, size_t length)
{
    ssize_t got = recv(fd, data, length, 0);

    if (got < 0)
        die("recv");
    return (size_t)got;
}

static void receive_all(int fd, size_t length)
{
    size_t got = 0, more;

    while (got < length && (more = receive(fd, length - got)) > 0)
        got += more;
    if (got < length)
        exit(1);
}

static void send_all(int fd, size_t length)
{
    if (send(fd, data, length, 0) != (ssize_t)length)
        die("send");
}

static void no_delay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void serve(int is_bulk, int told, int tells)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int listener, fd;
    size_t got;

    if (unshare(CLONE_NEWNET) < 0)
        die("unshare");
    listener = socket(AF_INET, SOCK_STREAM, 0);
    tell(tells);
    wait_told(told);
    set_up("w1", "10.77.0.2");
    if (bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 1) < 0)
        die("listen");
    tell(tells);
    fd = accept(listener, NULL, NULL);
    no_delay(fd);
    while ((got = receive(fd, is_bulk ? CHUNK : MESSAGE)) > 0)
        if (!is_bulk)
            send_all(fd, got);
    exit(0);
}

static int connect_to_server(void)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, "10.77.0.2", &server.sin_addr);
    if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
        die("connect");
    no_delay(fd);
    return fd;
}

static void bulk(int fd, unsigned long mib, pid_t server)
{
    double start = seconds();
    unsigned long i;

    for (i = 0; i < mib << 20; i += CHUNK)
        send_all(fd, CHUNK);
    shutdown(fd, SHUT_WR);
    waitpid(server, NULL, 0); /* it has read everything */
    printf("gbit_per_s %.2f\n", (double)(mib << 20) * 8 / (seconds() - start) / 1e9);
}

static void pingpong(int fd, unsigned long count)
{
    double start = seconds();
    unsigned long i;

    for (i = 0; i < count; i++) {
        send_all(fd, MESSAGE);
        receive_all(fd, MESSAGE);
    }
    printf("per_s %.0f\n", (double)count / (seconds() - start));
}

static int stay_here(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    return sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
    int is_bulk = argc > 1 && !strcmp(argv[1], "bulk");
    unsigned long count = argc > 2 ? strtoul(argv[2], NULL, 10) : is_bulk ? 256 : 100000;
    int to_server[2], to_us[2], fd;
    pid_t server;

    if (!is_bulk && (argc < 2 || strcmp(argv[1], "pingpong") != 0)) {
        fprintf(stderr, "usage: peer_linux bulk|pingpong [COUNT]\n");
        return 2;
    }
    if (stay_here() < 0 || pipe(to_server) < 0 || pipe(to_us) < 0)
        die("peer_linux");
    server = fork();
    if (server == 0) {
        close(to_server[1]);
        serve(is_bulk, to_server[0], to_us[1]);
    }
    close(to_us[1]);
    if (server < 0 || unshare(CLONE_NEWNET) < 0)
        die("peer_linux");
    wait_told(to_us[0]);
    run("ip link add w0 mtu 1500 type veth peer name w1 mtu 1500 netns %d", (int)server);
    set_up("w0", "10.77.0.1");
    tell(to_server[1]);
    wait_told(to_us[0]);
    fd = connect_to_server();
    if (is_bulk)
        bulk(fd, count, server);
    else
        pingpong(fd, count);
    return 0;
}
