/* SPDX-License-Identifier: MIT */

/* The socket calls of scripts, in terms of weir's.
 *
 * Each function makes one attempt at a call and says what came of it. A call that would have to wait
 * on a blocking descriptor says would_block, and is attempted again whenever the stack has moved
 * (calls.c). What a call needs to remember between attempts is in struct attempt. Buffers written
 * are zeros unless the script gives a string; what is read is not looked at, as in the original,
 * but its length. */

#include <lab/drill/names.h>
#include <lab/drill/run.h>
#include <stdlib.h>
#include <string.h>

#define TRANSFER_MAX (64u << 20) /* bytes of one call */
#define CHUNK 65536u

static const uint8_t zeros[CHUNK];

bool value_int(const struct value *value, int64_t *number)
{
    const struct value *item;
    int64_t part;

    if (!value)
        return false;
    switch (value->kind) {
    case VALUE_INT:
        *number = value->number;
        return true;
    case VALUE_WORD:
        return name_value(value->text, number);
    case VALUE_LIST:
        return value->items && !value->items->next && value_int(value->items, number);
    case VALUE_OR:
        *number = 0;
        for (item = value->items; item; item = item->next) {
            if (!value_int(item, &part))
                return false;
            *number |= part;
        }
        return true;
    case VALUE_STRING:
    case VALUE_ELLIPSIS:
    case VALUE_RECORD:
    case VALUE_CALL:
    default:
        return false;
    }
}

static const struct value *arg(const struct attempt *attempt, unsigned index)
{
    const struct value *value = attempt->event->call->args;

    while (value && index-- > 0)
        value = value->next;
    return value;
}

static int64_t arg_int(const struct attempt *attempt, unsigned index, struct outcome *outcome)
{
    int64_t number = 0;

    if (!value_int(arg(attempt, index), &number) && !outcome->text[0])
        snprintf(outcome->text, sizeof(outcome->text), "argument %u is no number we know",
                 index + 1);
    return number;
}

/* The descriptor in the first argument; NULL: there is none, and the outcome says EBADF. */
static struct drill_fd *arg_fd(struct run *run, const struct attempt *attempt,
                               struct outcome *outcome)
{
    struct drill_fd *fd = fd_find(run, arg_int(attempt, 0, outcome));

    if (!fd)
        outcome->error = WEIR_EBADF;
    return fd;
}

static void settle(struct outcome *outcome, long result)
{
    outcome->result = result < 0 ? -1 : result;
    outcome->error = result < 0 ? (int)result : 0;
}

/* WEIR_EAGAIN on a blocking descriptor means to wait. */
static void settle_waiting(struct outcome *outcome, const struct drill_fd *fd, bool dont_wait,
                           long result)
{
    settle(outcome, result);
    outcome->would_block = result == WEIR_EAGAIN && !fd->nonblocking && !dont_wait;
}

static void call_socket(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    int64_t type = arg_int(attempt, 1, outcome);
    int socket = weir_socket_open(run->stack, WEIR_TCP, 0);
    struct drill_fd *fd;
    int64_t number;

    settle(outcome, socket);
    outcome->makes_fd = true;
    if (socket < 0 || !value_int(attempt->event->call->result, &number) || number < 0)
        return;
    fd = fd_add(run, number, socket);
    if (fd)
        fd->nonblocking = (type & 04000) != 0;
    else
        snprintf(outcome->text, sizeof(outcome->text), "descriptor %lld is in use",
                 (long long)number);
    run->current = NULL;
    run->code_socket = socket;
}

static void call_bind(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    struct weir_endpoint local = {.addr = run->local, .port = run->bind_port};

    if (fd)
        settle(outcome, weir_socket_bind(run->stack, fd->socket, &local));
}

static void call_listen(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    int64_t backlog = arg_int(attempt, 1, outcome);
    struct weir_endpoint local;
    int error;

    if (!fd)
        return;
    backlog = backlog < 0 || backlog > 65535 ? 65535 : backlog;
    error = weir_socket_listen(run->stack, fd->socket, (int)backlog);
    settle(outcome, error);
    if (error < 0 || weir_socket_local(run->stack, fd->socket, &local) < 0)
        return;
    fd->listening = true;
    run->fresh_listener = true;
    run->listen_port = local.port;
}

static void call_accept(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    struct weir_endpoint remote;
    struct drill_conn *conn;
    int64_t number;
    int socket;

    if (!fd)
        return;
    outcome->makes_fd = true;
    socket = weir_socket_accept(run->stack, fd->socket, &remote);
    settle_waiting(outcome, fd, false, socket);
    if (socket < 0)
        return;
    conn = conn_find(run, run->listen_port, remote.port);
    if (!conn || !weir_addr_equal(&remote.addr, &run->remote)) {
        snprintf(outcome->text, sizeof(outcome->text), "accept returned a connection from port %u",
                 remote.port);
        return;
    }
    conn->socket = run->code_socket = socket;
    run->current = conn;
    if (value_int(attempt->event->call->result, &number) && number >= 0 &&
        !fd_add(run, number, socket))
        snprintf(outcome->text, sizeof(outcome->text), "descriptor %lld is in use",
                 (long long)number);
}

static void begin_connect(struct run *run, const struct drill_fd *fd, struct attempt *attempt,
                          struct outcome *outcome)
{
    struct weir_endpoint remote = {.addr = run->remote, .port = run->connect_port}, local;
    int error = weir_socket_connect(run->stack, fd->socket, &remote, run->now);

    settle(outcome, error);
    if (error != WEIR_EINPROGRESS)
        return;
    attempt->begun = true;
    if (weir_socket_local(run->stack, fd->socket, &local) < 0)
        return;
    run->current = conn_add(run, local.port, remote.port);
    run->fresh_listener = false;
    if (run->current)
        run->current->socket = fd->socket;
}

static void call_connect(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    int ready;

    if (!fd)
        return;
    if (!attempt->begun) {
        begin_connect(run, fd, attempt, outcome);
        outcome->would_block = attempt->begun && !fd->nonblocking;
        return;
    }
    ready = weir_socket_ready(run->stack, fd->socket);
    settle(outcome, 0);
    if (ready < 0)
        settle(outcome, ready);
    else if (ready & WEIR_ERR)
        settle(outcome, weir_socket_take_error(run->stack, fd->socket));
    else
        outcome->would_block = !(ready & WEIR_OUT);
}

/* write, send, sendto: as much as there is room for; a blocking call goes on until all is taken. */
static void call_send(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    const struct value *data = arg(attempt, 1);
    int64_t length = arg_int(attempt, 2, outcome);
    int64_t flags = arg(attempt, 3) ? arg_int(attempt, 3, outcome) : 0;
    bool dont_wait = (flags & 0x40) != 0;
    int sending = (flags & 0x8000 ? WEIR_MSG_MORE : 0) | (flags & 1 ? WEIR_MSG_OOB : 0);
    bool is_string = data && data->kind == VALUE_STRING;
    long taken = 0;

    if (!fd || length < 0 || length > TRANSFER_MAX ||
        (is_string && (size_t)length > data->length)) {
        settle(outcome, fd ? WEIR_EINVAL : WEIR_EBADF);
        return;
    }
    do {
        size_t left = (size_t)length - attempt->progress, part = left < CHUNK ? left : CHUNK;
        bool is_last = part == left;

        taken = weir_socket_send(run->stack, fd->socket,
                                 is_string ? (const void *)(data->text + attempt->progress) : zeros,
                                 part, is_last ? sending : WEIR_MSG_MORE);
        attempt->progress += taken > 0 ? (size_t)taken : 0;
    } while (taken > 0 && attempt->progress < (size_t)length);
    if (attempt->progress < (size_t)length)
        settle_waiting(outcome, fd, dont_wait, taken >= 0 ? WEIR_EAGAIN : taken);
    if (!outcome->would_block && attempt->progress > 0)
        settle(outcome, (long)attempt->progress);
}

/* A string in the place of the buffer is what must have been read. */
static void check_bytes(const struct value *expected, const uint8_t *bytes, long length,
                        struct outcome *outcome)
{
    if (length > 0 && expected && expected->kind == VALUE_STRING &&
        ((size_t)length != expected->length || memcmp(bytes, expected->text, (size_t)length) != 0))
        snprintf(outcome->text, sizeof(outcome->text), "read %ld bytes other than expected",
                 length);
}

static void call_recv(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    int64_t length = arg_int(attempt, 2, outcome);
    int64_t flags = arg(attempt, 3) ? arg_int(attempt, 3, outcome) : 0;
    uint8_t *buffer;
    long taken;

    if (!fd || length < 0 || length > TRANSFER_MAX) {
        settle(outcome, fd ? WEIR_EINVAL : WEIR_EBADF);
        return;
    }
    buffer = malloc((size_t)length + 1);
    if (!buffer)
        return;
    taken = weir_socket_recv(run->stack, fd->socket, buffer, (size_t)length);
    settle_waiting(outcome, fd, (flags & 0x40) != 0, taken);
    check_bytes(arg(attempt, 1), buffer, taken, outcome);
    free(buffer);
}

static void call_close(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);

    if (!fd)
        return;
    settle(outcome, weir_socket_close(run->stack, fd->socket));
    fd->used = false;
}

static void call_shutdown(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    int64_t how = arg_int(attempt, 1, outcome);

    if (!fd)
        return;
    settle(outcome, how < 0 || how > 2 ? WEIR_EINVAL
                                       : weir_socket_shutdown(run->stack, fd->socket,
                                                              (enum weir_shutdown_how)how));
}

static void call_fcntl(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    int64_t command = arg_int(attempt, 1, outcome);

    if (!fd)
        return;
    if (command == 3) {
        settle(outcome, 2 | (fd->nonblocking ? 04000 : 0));
    } else if (command == 4) {
        fd->nonblocking = (arg_int(attempt, 2, outcome) & 04000) != 0;
        settle(outcome, 0);
    } else {
        settle(outcome, WEIR_EINVAL);
    }
}

static void call_ioctl(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    struct drill_fd *fd = arg_fd(run, attempt, outcome);
    int64_t request = arg_int(attempt, 1, outcome), expected = arg_int(attempt, 2, outcome), found;
    struct weir_tcp_info info;

    if (!fd)
        return;
    settle(outcome, weir_tcp_info_get(run->stack, fd->socket, run->now, &info));
    if (outcome->error)
        return;
    found = request == 0x541b ? info.receive_queued : info.send_queued;
    if (found != expected)
        snprintf(outcome->text, sizeof(outcome->text), "it gave %lld, expected %lld",
                 (long long)found, (long long)expected);
}

static const struct value *field_of(const struct value *record, const char *name)
{
    const struct value *item;

    for (item = record->items; item; item = item->next)
        if (item->name && !strcmp(item->name, name))
            return item;
    return NULL;
}

static int64_t poll_bits(struct run *run, int socket, int64_t wanted)
{
    int ready = weir_socket_ready(run->stack, socket);
    struct weir_tcp_info info;
    int64_t bits = 0;

    if (ready < 0)
        return 0x20;
    if (ready & (WEIR_IN | WEIR_ACCEPT))
        bits |= 1;
    if (ready & WEIR_PRI)
        bits |= 2;
    if (ready & WEIR_OUT)
        bits |= 4;
    bits &= wanted;
    if (ready & WEIR_ERR)
        bits |= 8;
    if (weir_tcp_info_get(run->stack, socket, run->now, &info) == 0 &&
        info.state == WEIR_STATE_CLOSED)
        bits |= 16;
    return bits;
}

/* poll with one descriptor, which is what scripts write. */
static void call_poll(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    const struct value *list = arg(attempt, 0), *one = list ? list->items : NULL;
    int64_t number = 0, wanted = 0, expected = 0, timeout = arg_int(attempt, 2, outcome), bits;
    struct drill_fd *fd;

    if (!one || one->kind != VALUE_RECORD || one->next ||
        !value_int(field_of(one, "fd"), &number) || !value_int(field_of(one, "events"), &wanted) ||
        !value_int(field_of(one, "revents"), &expected) || !(fd = fd_find(run, number))) {
        snprintf(outcome->text, sizeof(outcome->text), "poll takes one descriptor here");
        return;
    }
    bits = poll_bits(run, fd->socket, wanted);
    settle(outcome, bits ? 1 : 0);
    if (!bits && timeout != 0) {
        attempt->wake = timeout < 0 ? WEIR_NEVER : attempt->started + timeout * WEIR_MS;
        outcome->would_block = run->now < attempt->wake;
    }
    if (!outcome->would_block && bits != expected)
        snprintf(outcome->text, sizeof(outcome->text), "revents is 0x%llx, expected 0x%llx",
                 (unsigned long long)bits, (unsigned long long)expected);
}

static void do_setsockopt(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    call_setsockopt(run, attempt->event->call, outcome);
}

static void do_getsockopt(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    call_getsockopt(run, attempt->event->call, outcome);
}

static const struct {
    const char *name;
    void (*run)(struct run *run, struct attempt *attempt, struct outcome *outcome);
} calls[] = {
    {"socket", call_socket},     {"bind", call_bind},           {"listen", call_listen},
    {"accept", call_accept},     {"connect", call_connect},     {"write", call_send},
    {"send", call_send},         {"sendto", call_send},         {"read", call_recv},
    {"recv", call_recv},         {"recvfrom", call_recv},       {"close", call_close},
    {"shutdown", call_shutdown}, {"fcntl", call_fcntl},         {"ioctl", call_ioctl},
    {"poll", call_poll},         {"setsockopt", do_setsockopt}, {"getsockopt", do_getsockopt},
};

bool socket_call_known(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (!strcmp(calls[i].name, name))
            return true;
    return false;
}

bool socket_call(struct run *run, struct attempt *attempt, struct outcome *outcome)
{
    size_t i;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (!strcmp(calls[i].name, attempt->event->call->name)) {
            *outcome = (struct outcome){.result = -1};
            calls[i].run(run, attempt, outcome);
            return true;
        }
    }
    return false;
}
