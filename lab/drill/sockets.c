/* SPDX-License-Identifier: MIT */

/* The calls of scripts, each attempted through lab/linux.
 *
 * A table names the calls, how many arguments each may have, and the function that makes one
 * attempt. One that Linux would let wait says LINUX_WAIT and is attempted again, with the same
 * structs, whenever the stack has moved (calls.c). Functions of calls that move bytes, wait for
 * several descriptors or take options are in transfers.c, waits.c and sockopts.c.
 *
 * Descriptors of a script are its own numbers: a call that makes one gives it the number that the
 * line expects. A socket that has been connected, accepted, or has sent a datagram is the socket under
 * test, and its 4-tuple the connection that packet lines mean. */

#include <fcntl.h>
#include <lab/drill/marshal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* ---- The socket under test ----------------------------------------------------------------------------- */

static bool ports_of(struct run *run, int fd, uint16_t *lport, uint16_t *rport)
{
    struct sockaddr_in local = {0}, remote = {0};
    struct weir_endpoint peer;
    socklen_t length = sizeof(local);
    int socket = linux_weir_socket(run->sockets, fd);

    if (socket < 0 || linux_getsockname(run->sockets, fd, (struct sockaddr *)&local, &length) < 0)
        return false;
    *lport = ntohs(local.sin_port);
    length = sizeof(remote);
    if (linux_getpeername(run->sockets, fd, (struct sockaddr *)&remote, &length) == 0)
        *rport = ntohs(remote.sin_port);
    else if (weir_socket_remote(run->stack, socket, &peer) == 0)
        *rport = peer.port;
    else
        return false;
    return true;
}

static void make_current(struct run *run, int fd, uint16_t lport, uint16_t rport, bool is_new)
{
    struct drill_conn *conn = is_new ? NULL : conn_find(run, lport, rport);

    run->current = conn ? conn : conn_add(run, lport, rport);
    run->fresh_listener = false;
    run->code_socket = linux_weir_socket(run->sockets, fd);
    if (run->current)
        run->current->socket = run->code_socket;
}

void note_connection(struct run *run, int fd, bool is_new)
{
    uint16_t lport, rport;

    if (ports_of(run, fd, &lport, &rport))
        make_current(run, fd, lport, rport, is_new);
}

void note_datagram(struct marshal *call, int fd)
{
    struct sockaddr_in local = {0};
    socklen_t length = sizeof(local);
    struct run *run = call->run;
    int type = 0;
    socklen_t size = sizeof(type);

    if (linux_getsockopt(run->sockets, fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ||
        type != SOCK_DGRAM ||
        linux_getsockname(run->sockets, fd, (struct sockaddr *)&local, &length) < 0)
        return;
    make_current(run, fd, ntohs(local.sin_port), ntohs(call->addr.sin_port), false);
}

/* ---- The calls ----------------------------------------------------------------------------------------- */

static long call_socket(struct marshal *call)
{
    struct run *run = call->run;
    long fd = linux_socket(run->sockets, (int)marshal_int(call, 0, AF_INET),
                           (int)marshal_int(call, 1, SOCK_STREAM), (int)marshal_int(call, 2, 0));

    call->outcome->makes_fd = true;
    marshal_bind_fd(call, call->line->result, fd);
    if (fd < 0)
        return fd;
    run->current = NULL;
    run->code_socket = linux_weir_socket(run->sockets, (int)fd);
    return fd;
}

static long call_bind(struct marshal *call)
{
    struct sockaddr *addr =
        marshal_addr(call, marshal_arg(call, 1), &call->run->local, call->run->bind_port);

    return linux_bind(call->run->sockets, marshal_fd(call, 0), addr,
                      (socklen_t)marshal_int(call, 2, call->addr_length));
}

static long call_listen(struct marshal *call)
{
    struct sockaddr_in local = {0};
    socklen_t length = sizeof(local);
    struct run *run = call->run;
    int fd = marshal_fd(call, 0);
    long error = linux_listen(run->sockets, fd, (int)marshal_int(call, 1, 0));

    if (error < 0 || linux_getsockname(run->sockets, fd, (struct sockaddr *)&local, &length) < 0)
        return error;
    run->fresh_listener = true;
    run->listen_port = ntohs(local.sin_port);
    return error;
}

static long call_accept(struct marshal *call)
{
    struct run *run = call->run;
    struct sockaddr *addr =
        marshal_addr(call, marshal_arg(call, 1), &run->remote, run->connect_port);
    long fd = linux_accept(run->sockets, marshal_fd(call, 0), addr,
                           marshal_is_null(marshal_arg(call, 2)) ? NULL : &call->addr_length,
                           &call->wait);
    uint16_t lport, rport;

    call->outcome->makes_fd = true;
    marshal_bind_fd(call, call->line->result, fd);
    if (fd < 0 || !ports_of(run, (int)fd, &lport, &rport))
        return fd;
    if (!conn_find(run, lport, rport))
        complain(call, "accept returned a connection from port %u", rport);
    make_current(run, (int)fd, lport, rport, false);
    return fd;
}

static long call_connect(struct marshal *call)
{
    struct run *run = call->run;
    struct sockaddr *addr =
        marshal_addr(call, marshal_arg(call, 1), &run->remote, run->connect_port);
    bool is_first = !call->is_ready;
    int fd = marshal_fd(call, 0);
    long error = linux_connect(run->sockets, fd, addr,
                               (socklen_t)marshal_int(call, 2, call->addr_length), &call->wait);

    call->is_ready = true;
    if (is_first && (error == -EINPROGRESS || error == LINUX_WAIT))
        note_connection(run, fd, true);
    else if (error == 0 && addr && addr->sa_family != AF_UNSPEC)
        note_connection(run, fd, false);
    return error;
}

static long call_close(struct marshal *call)
{
    struct run *run = call->run;
    int64_t number = marshal_int(call, 0, -1);
    struct drill_fd *fd = fd_find(run, number);
    long error = linux_close(run->sockets, fd ? fd->fd : -1, &call->wait);

    if (fd && error != LINUX_WAIT)
        fd->used = false;
    return error;
}

static long call_shutdown(struct marshal *call)
{
    return linux_shutdown(call->run->sockets, marshal_fd(call, 0), (int)marshal_int(call, 1, 0));
}

static long call_fcntl(struct marshal *call)
{
    return linux_fcntl(call->run->sockets, marshal_fd(call, 0), (int)marshal_int(call, 1, 0),
                       (long)marshal_int(call, 2, 0));
}

/* The third argument is what comes back, and for FIONBIO what is given. */
static long call_ioctl(struct marshal *call)
{
    const struct value *value = marshal_arg(call, 2);
    int64_t request = marshal_int(call, 1, 0), wanted = marshal_int(call, 2, 0);
    int found = (int)wanted;
    long error = linux_ioctl(call->run->sockets, marshal_fd(call, 0), (unsigned long)request,
                             marshal_is_null(value) ? NULL : &found);

    if (error == 0 && value && value->kind != VALUE_ELLIPSIS && found != wanted)
        complain(call, "it gave %d, expected %lld", found, (long long)wanted);
    return error;
}

static long call_pipe(struct marshal *call)
{
    const struct value *list = marshal_arg(call, 0);
    int fds[2] = {-1, -1};
    long error = linux_pipe(call->run->sockets, marshal_is_null(list) ? NULL : fds);

    if (error < 0)
        return error;
    if (list->kind != VALUE_LIST || !list->items || !list->items->next) {
        complain(call, "pipe takes [N, N]");
        return error;
    }
    marshal_bind_fd(call, list->items, fds[0]);
    marshal_bind_fd(call, list->items->next, fds[1]);
    return error;
}

static long call_splice(struct marshal *call)
{
    return linux_splice(call->run->sockets, marshal_fd(call, 0), marshal_fd(call, 2),
                        (size_t)marshal_int(call, 4, 0), (unsigned)marshal_int(call, 5, 0),
                        &call->wait);
}

/* ---- The table ----------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned least, most; /* arguments */
    long (*attempt)(struct marshal *call);
} calls[] = {
    {"socket", 3, 3, call_socket},
    {"bind", 3, 3, call_bind},
    {"listen", 2, 2, call_listen},
    {"accept", 3, 3, call_accept},
    {"connect", 3, 3, call_connect},
    {"close", 1, 1, call_close},
    {"shutdown", 2, 2, call_shutdown},
    {"fcntl", 2, 3, call_fcntl},
    {"ioctl", 2, 3, call_ioctl},
    {"pipe", 1, 1, call_pipe},
    {"splice", 6, 6, call_splice},
    {"read", 3, 3, call_read},
    {"readv", 3, 3, call_readv},
    {"recv", 4, 4, call_recv},
    {"recvfrom", 6, 6, call_recvfrom},
    {"recvmsg", 3, 3, call_recvmsg},
    {"write", 3, 3, call_write},
    {"writev", 3, 3, call_writev},
    {"send", 4, 4, call_send},
    {"sendto", 6, 6, call_sendto},
    {"sendmsg", 3, 3, call_sendmsg},
    {"poll", 3, 3, call_poll},
    {"epoll_create", 1, 1, call_epoll_create},
    {"epoll_ctl", 4, 4, call_epoll_ctl},
    {"epoll_wait", 4, 4, call_epoll_wait},
    {"setsockopt", 5, 5, call_setsockopt},
    {"getsockopt", 5, 5, call_getsockopt},
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static size_t row_of(const char *name)
{
    size_t i;

    for (i = 0; i < CALLS; i++)
        if (!strcmp(calls[i].name, name))
            break;
    return i;
}

bool socket_call_known(const char *name)
{
    return row_of(name) < CALLS;
}

static struct marshal *begin(struct run *run, const struct call_line *line)
{
    struct marshal *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->run = run;
    call->line = line;
    return call;
}

void socket_call_done(struct attempt *attempt)
{
    if (attempt->call)
        arena_done(&attempt->call->arena);
    free(attempt->call);
    attempt->call = NULL;
}

static void settle(struct outcome *outcome, long result)
{
    outcome->would_block = result == LINUX_WAIT;
    outcome->result = result < 0 ? -1 : result;
    outcome->error = result < 0 && result != LINUX_WAIT ? (int)result : 0;
}

bool socket_call(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    const struct call_line *line = attempt->event->call;
    size_t row = row_of(line->name);

    if (row == CALLS)
        return false;
    *outcome = (struct outcome){.result = -1};
    if (!attempt->call)
        attempt->call = begin(run, line);
    if (!attempt->call || line->arg_count < calls[row].least || line->arg_count > calls[row].most) {
        snprintf(outcome->text, sizeof(outcome->text), "%s takes %u arguments", line->name,
                 calls[row].most);
    } else {
        attempt->call->outcome = outcome;
        linux_set_now(run->sockets, run->now);
        settle(outcome, calls[row].attempt(attempt->call));
        attempt->wake = attempt->call->wait.wake;
    }
    if (!outcome->would_block)
        socket_call_done(attempt);
    return true;
}
