/* SPDX-License-Identifier: MIT */

/* The course's socket calls over the blocking calls of host.h.
 *
 * Problem: these calls name no host; a process is a node, or a thread of it is another.
 *
 * Idea: a table of the nodes that VOpen made, one of them the process's current node and perhaps
 * another the calling thread's own. This is the one place of the library with mutable data at file
 * scope: the table (under a mutex) and two thread-local values. Nodes are only ever added, so a host
 * once found stays.
 *
 * Errors: the numbers of WEIR_E… are those of Linux, so errno is the negated result. A write to a
 * socket that this program has closed gives EPIPE, as a write after the peer's reset does.
 *
 * At exit: a program that ends right after VClose must not take its last bytes with it. The first
 * VOpen registers a last wait, at most 30 s over all nodes, until every closed connection has its
 * FIN acknowledged: VClose watches the socket, whose DELIVERED or CLOSED event ends the wait.
 *
 * Limits: 64 nodes a process; a backlog of 128. */

#include <arpa/inet.h>
#include <errno.h>
#include <lab/node.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>
#include <weir/vsocket.h>

#define NODES_MAX 64
#define BACKLOG 128
#define LAST_WAIT (30 * WEIR_SECOND)
#define NO_NODE (-1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_host *nodes[NODES_MAX]; /* under lock */
static int nodes_count;                    /* under lock */
static _Thread_local int own_node = NO_NODE;
static _Thread_local char open_error[LNX_ERROR_TEXT];

/* errno from a negative result; returns -1. */
static int fail(int error)
{
    errno = -error;
    return -1;
}

/* The calling thread's node: its own, or the process's (the first opened). NULL without any. */
static struct weir_host *current(void)
{
    struct weir_host *host = NULL;

    pthread_mutex_lock(&lock);
    if (nodes_count > 0)
        host = nodes[own_node == NO_NODE ? 0 : own_node];
    pthread_mutex_unlock(&lock);
    return host;
}

/* ---- The last wait ------------------------------------------------------------------------------ */

/* True if a connection that the program has closed has something undelivered. */
static bool is_delivering(struct weir_host *host)
{
    const struct weir_stack *stack = weir_host_lock(host);
    struct weir_socket_row row = {.socket = -1};
    bool found = false;

    while (!found && weir_inspect_socket(stack, row.socket + 1, &row) >= 0) {
        bool is_done = row.state == WEIR_STATE_CLOSED || row.state == WEIR_STATE_FIN_WAIT_2 ||
                       row.state == WEIR_STATE_TIME_WAIT || row.state == WEIR_STATE_LISTEN;

        found = row.kind == WEIR_TCP && row.closed && !is_done;
    }
    weir_host_unlock(host);
    return found;
}

static void wait_for_node(struct weir_host *host, weir_time deadline)
{
    struct weir_event event;

    while (is_delivering(host)) {
        weir_time left = deadline - weir_host_now();

        if (left <= 0 || weir_host_wait(host, NULL, 0, left) <= 0)
            return;
        while (weir_host_next_event(host, &event))
            ; /* what it says is_delivering sees */
    }
}

static void wait_for_deliveries(void)
{
    weir_time deadline = weir_host_now() + LAST_WAIT;
    int count;

    pthread_mutex_lock(&lock);
    count = nodes_count;
    pthread_mutex_unlock(&lock);
    for (int index = 0; index < count; index++)
        wait_for_node(nodes[index], deadline);
}

/* ---- Nodes ---------------------------------------------------------------------------------------- */

/* The errno of a node that could not be brought up: its reason is known as text only. */
static int open_errno(const char *text)
{
    if (strstr(text, weir_strerror(WEIR_EADDRINUSE)))
        return WEIR_EADDRINUSE;
    if (strstr(text, weir_strerror(WEIR_ENOMEM)))
        return WEIR_ENOMEM;
    return WEIR_EINVAL;
}

/* Takes a node into the table. Returns its number, or NO_NODE if that is full. */
static int add_node(struct weir_host *host)
{
    int node = NO_NODE;

    pthread_mutex_lock(&lock);
    if (nodes_count < NODES_MAX) {
        node = nodes_count++;
        nodes[node] = host;
    }
    pthread_mutex_unlock(&lock);
    return node;
}

int VOpen(const char *lnx_path)
{
    struct node_options options;
    struct lnx_error error = {0};
    struct weir_host *host;
    struct lnx lnx = {0};
    int node;

    open_error[0] = '\0';
    if (lnx_parse_file(lnx_path, &lnx, &error) != 0) {
        memcpy(open_error, error.text, sizeof(open_error));
        return fail(error.code == WEIR_EIO ? WEIR_EINVAL : error.code);
    }
    node_options_init(&options);
    host = node_open(&lnx, &options, open_error, sizeof(open_error));
    lnx_done(&lnx);
    if (!host)
        return fail(open_errno(open_error));
    node = add_node(host);
    if (node == NO_NODE) {
        weir_host_destroy(host);
        return fail(WEIR_ENOMEM);
    }
    if (node == 0)
        (void)atexit(wait_for_deliveries);
    else
        own_node = node;
    return node;
}

const char *VOpenError(void)
{
    return open_error;
}

int VEnter(int node)
{
    bool is_known;

    pthread_mutex_lock(&lock);
    is_known = node >= 0 && node < nodes_count;
    pthread_mutex_unlock(&lock);
    if (!is_known)
        return fail(WEIR_EINVAL);
    own_node = node;
    return 0;
}

/* ---- Sockets ---------------------------------------------------------------------------------------- */

int VListen(uint16_t port)
{
    struct weir_endpoint local = {.addr = weir_addr_any4(), .port = port};
    struct weir_host *host = current();
    int socket, error;

    if (!host)
        return fail(WEIR_ENETDOWN);
    socket = weir_socket(host, WEIR_TCP, 0);
    if (socket < 0)
        return fail(socket);
    weir_setsockopt(host, socket, WEIR_SO_REUSEADDR, 1);
    error = weir_bind(host, socket, &local);
    if (error == 0)
        error = weir_listen(host, socket, BACKLOG);
    if (error == 0)
        return socket;
    weir_close(host, socket);
    return fail(error);
}

int VAccept(int listener)
{
    struct weir_host *host = current();
    int socket = host ? weir_accept(host, listener, NULL) : WEIR_ENETDOWN;

    return socket >= 0 ? socket : fail(socket);
}

int VConnect(struct in_addr addr, uint16_t port)
{
    struct weir_endpoint remote = {.addr = weir_addr_from4(ntohl(addr.s_addr)), .port = port};
    struct weir_host *host = current();
    int socket, error;

    if (!host)
        return fail(WEIR_ENETDOWN);
    socket = weir_socket(host, WEIR_TCP, 0);
    if (socket < 0)
        return fail(socket);
    error = weir_connect(host, socket, &remote);
    if (error == 0)
        return socket;
    weir_close(host, socket);
    return fail(error);
}

ssize_t VRead(int socket, void *buffer, size_t n)
{
    struct weir_host *host = current();
    long count = host ? weir_recv(host, socket, buffer, n) : WEIR_ENETDOWN;

    return count >= 0 ? count : fail((int)count);
}

ssize_t VWrite(int socket, const void *buffer, size_t n)
{
    struct weir_host *host = current();
    long count = host ? weir_send(host, socket, buffer, n, 0) : WEIR_ENETDOWN;

    if (count >= 0)
        return count;
    return fail(count == WEIR_EBADF && socket >= 0 ? WEIR_EPIPE : (int)count);
}

int VClose(int socket)
{
    struct weir_host *host = current();
    int error = WEIR_ENETDOWN;

    if (host) {
        (void)weir_host_watch(host, socket, 0); /* for the last wait */
        error = weir_close(host, socket);
    }
    return error == 0 ? 0 : fail(error);
}
