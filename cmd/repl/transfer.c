/* SPDX-License-Identifier: MIT */

/* Sending and receiving files in the background.
 *
 * A transfer is a small state machine moved by the events of its one socket:
 *
 *   sf:  CONNECTING --established--> SENDING --end of file, FIN queued--> DRAINING --acked--> over
 *   rf:  LISTENING --accepted--> RECEIVING --end of stream--> over
 *
 * The file is opened first, so that a bad name costs no connection. Bytes go from the file straight
 * into lent spans of the send buffer, and from lent spans of the receive buffer straight into the
 * file: one system call a span, no buffer of ours. Events are edges, so each is answered by going
 * on until the stack says WEIR_EAGAIN.
 *
 * Success is told only when it is one: `sf` when the peer has acknowledged every byte and the FIN,
 * `rf` when the end of the stream was read and the file is closed.
 * Whatever ends a transfer early gives one line with the reason, and the connection is aborted, so
 * that the peer does not take half a file for a whole one.
 *
 * After its end a transfer is freed; its connection goes on closing under its SID, as with `cl`.
 */

#include <cmd/repl/repl.h>
#include <cmd/repl/transfer.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEND_WANT ((size_t)1 << 20)

enum phase { CONNECTING, SENDING, DRAINING, LISTENING, RECEIVING };

struct transfer {
    struct transfer *next;
    struct sid *sid;
    enum phase phase;
    int fd;
    char *path;
    uint64_t bytes;    /* queued for sending, or written to the file */
    uint64_t size;     /* sf: of the file when it was opened */
    weir_time started; /* when the connection stood */
};

static bool is_sending(const struct transfer *transfer)
{
    return transfer->phase <= DRAINING;
}

static const char *verb(const struct transfer *transfer)
{
    return is_sending(transfer) ? "sendfile" : "recvfile";
}

/* ---- Beginning and end ------------------------------------------------------------------------- */

static struct transfer *create(struct repl *repl, const char *path, int fd, enum phase phase)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    char *copy = strdup(path);

    if (!transfer || !copy) {
        free(transfer);
        free(copy);
        close(fd);
        repl_fail(repl, "error: out of memory");
        return NULL;
    }
    transfer->fd = fd;
    transfer->path = copy;
    transfer->phase = phase;
    transfer->started = weir_host_now();
    transfer->next = repl->transfers;
    repl->transfers = transfer;
    return transfer;
}

/* Takes the transfer off the list and frees it; its socket is nobody's now. */
static void destroy(struct repl *repl, struct transfer *transfer)
{
    struct transfer **at = &repl->transfers;

    while (*at != transfer)
        at = &(*at)->next;
    *at = transfer->next;
    if (transfer->sid)
        transfer->sid->transfer = NULL;
    if (transfer->fd >= 0)
        close(transfer->fd);
    free(transfer->path);
    free(transfer);
}

/* The transfer has failed, and the line about it is printed: aborts the connection. */
static void abandon(struct repl *repl, struct transfer *transfer)
{
    struct sid *sid = transfer->sid;
    bool connected = transfer->phase != CONNECTING && transfer->phase != LISTENING;

    destroy(repl, transfer);
    if (!sid)
        return;
    weir_socket_abort(weir_host_lock(repl->host), sid->socket);
    weir_host_unlock(repl->host);
    sid->closed = true;
    repl_forget(repl, sid, !connected);
}

static void fail(struct repl *repl, struct transfer *transfer, const char *why)
{
    if (transfer->phase == CONNECTING)
        repl_fail(repl, "VConnect error: %s", why);
    else
        repl_fail(repl, "%s error: %s: %s after %llu bytes", verb(transfer), transfer->path, why,
                  (unsigned long long)transfer->bytes);
    abandon(repl, transfer);
}

/* The connection has ended with `error`; 0: nobody said why. */
static void fail_connection(struct repl *repl, struct transfer *transfer, int error)
{
    if (transfer->phase == CONNECTING && (error == WEIR_ECONNREFUSED || error == WEIR_ETIMEDOUT))
        fail(repl, transfer, "destination port does not exist");
    else
        fail(repl, transfer, weir_strerror(error ? error : WEIR_ECONNABORTED));
}

/* All went well: the connection closes under its SID. */
static void finish(struct repl *repl, struct transfer *transfer)
{
    struct sid *sid = transfer->sid;

    weir_socket_close(weir_host_lock(repl->host), sid->socket);
    weir_host_unlock(repl->host);
    sid->closed = true;
    destroy(repl, transfer);
}

/* ---- Sending ----------------------------------------------------------------------------------- */

/* One span of the file into the send buffer. Returns the bytes queued, 0 at end of file, an error
 * of the stack, or WEIR_EIO with errno set by read. */
static long send_span(struct weir_stack *stack, struct transfer *transfer)
{
    struct weir_span span;
    long length = weir_send_begin(stack, transfer->sid->socket, SEND_WANT, &span);
    ssize_t count;

    if (length < 0)
        return length;
    do
        count = read(transfer->fd, span.data, span.length);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return WEIR_EIO;
    if (count == 0)
        return 0;
    weir_send_commit(stack, transfer->sid->socket, (size_t)count, 0);
    transfer->bytes += (uint64_t)count;
    return count;
}

/* Fills the send buffer. At end of file the FIN is queued. */
static void send_more(struct repl *repl, struct transfer *transfer)
{
    struct weir_stack *stack = weir_host_lock(repl->host);
    long result;
    int error;

    do
        result = send_span(stack, transfer);
    while (result > 0);
    error = errno;
    if (result == 0)
        weir_socket_shutdown(stack, transfer->sid->socket, WEIR_SHUT_WR);
    weir_host_unlock(repl->host);
    if (result == 0)
        transfer->phase = DRAINING; /* until DELIVERED */
    else if (result == WEIR_EIO)
        fail(repl, transfer, strerror(error));
    else if (result != WEIR_EAGAIN)
        fail_connection(repl, transfer, (int)result);
}

/* What a peer sends back to us is of no interest, but must not fill the window. */
static void discard_input(struct weir_stack *stack, int socket)
{
    struct weir_const_span span;
    long length;

    while ((length = weir_recv_peek(stack, socket, &span)) > 0)
        weir_recv_consume(stack, socket, (size_t)length);
}

/* True if the peer has acknowledged our FIN, and so everything before it. */
static bool is_acked(enum weir_tcp_state state)
{
    return state == WEIR_STATE_FIN_WAIT_2 || state == WEIR_STATE_TIME_WAIT ||
           state == WEIR_STATE_CLOSED;
}

static void check_drained(struct repl *repl, struct transfer *transfer)
{
    uint64_t bytes = transfer->bytes;

    if (!is_acked(repl_state(repl, transfer->sid)))
        return;
    finish(repl, transfer);
    repl_say(repl, "Sent %llu total bytes", (unsigned long long)bytes);
}

static void move_sender(struct repl *repl, struct transfer *transfer, int ready)
{
    if (transfer->phase == CONNECTING && ready & WEIR_OUT) {
        transfer->phase = SENDING;
        transfer->started = weir_host_now();
    }
    if (transfer->phase == CONNECTING)
        return;
    discard_input(weir_host_lock(repl->host), transfer->sid->socket);
    weir_host_unlock(repl->host);
    if (transfer->phase == SENDING)
        send_more(repl, transfer);
    else
        check_drained(repl, transfer);
}

/* ---- Receiving --------------------------------------------------------------------------------- */

/* One span of the stream into the file. Returns the bytes taken, 0 at end of stream, an error of
 * the stack, or WEIR_EIO with errno set by write. */
static long receive_span(struct weir_stack *stack, struct transfer *transfer)
{
    struct weir_const_span span;
    long length = weir_recv_peek(stack, transfer->sid->socket, &span);
    ssize_t count;

    if (length <= 0)
        return length;
    do
        count = write(transfer->fd, span.data, span.length);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return WEIR_EIO;
    weir_recv_consume(stack, transfer->sid->socket, (size_t)count);
    transfer->bytes += (uint64_t)count;
    return count;
}

/* End of stream: closing the file can fail, too. */
static void receive_end(struct repl *repl, struct transfer *transfer)
{
    uint64_t bytes = transfer->bytes;
    int result = close(transfer->fd);

    transfer->fd = -1;
    if (result) {
        fail(repl, transfer, strerror(errno));
        return;
    }
    finish(repl, transfer);
    repl_say(repl, "recvfile done:  read %llu bytes total", (unsigned long long)bytes);
}

static void receive_more(struct repl *repl, struct transfer *transfer)
{
    struct weir_stack *stack = weir_host_lock(repl->host);
    long result;
    int error;

    do
        result = receive_span(stack, transfer);
    while (result > 0);
    error = errno;
    weir_host_unlock(repl->host);
    if (result == 0)
        receive_end(repl, transfer);
    else if (result == WEIR_EIO)
        fail(repl, transfer, strerror(error));
    else if (result != WEIR_EAGAIN)
        fail_connection(repl, transfer, (int)result);
}

/* Takes the one connection; the listener is over. */
static void receive_accept(struct repl *repl, struct transfer *transfer)
{
    struct sid *listener = transfer->sid;
    int socket = weir_socket_accept(weir_host_lock(repl->host), listener->socket, NULL);

    weir_host_unlock(repl->host);
    if (socket < 0)
        return;
    listener->transfer = NULL;
    transfer->sid = repl_add_socket(repl, socket, SID_CONNECTION);
    repl_forget(repl, listener, true);
    transfer->phase = RECEIVING;
    transfer->started = weir_host_now();
    if (!transfer->sid) {
        fail(repl, transfer, "out of memory");
        return;
    }
    transfer->sid->transfer = transfer;
    repl_say(repl, "recvfile: client connected!");
    receive_more(repl, transfer);
}

/* ---- Calls ------------------------------------------------------------------------------------- */

void transfer_event(struct repl *repl, struct sid *sid, uint32_t events)
{
    struct transfer *transfer = sid->transfer;
    struct weir_stack *stack = weir_host_lock(repl->host);
    int ready = weir_socket_ready(stack, sid->socket);
    int error = 0;

    if (is_sending(transfer) && (events & (WEIR_ERR | WEIR_CLOSED) || ready < 0))
        error = weir_socket_take_error(stack, sid->socket);
    weir_host_unlock(repl->host);
    if (error && error != WEIR_EBADF)
        fail_connection(repl, transfer, error);
    else if (transfer->phase == LISTENING)
        receive_accept(repl, transfer);
    else if (transfer->phase == RECEIVING)
        receive_more(repl, transfer);
    else
        move_sender(repl, transfer, ready);
}

static int open_source(struct repl *repl, const char *path, uint64_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status = {0};
    const char *why = NULL;

    if (fd < 0 || fstat(fd, &status))
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "not a regular file";
    if (!why) {
        *size = (uint64_t)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    repl_fail(repl, "sendfile error: %s: %s", path, why);
    return -1;
}

void transfer_send(struct repl *repl, const char *path, const struct weir_endpoint *to)
{
    uint64_t size = 0;
    int fd = open_source(repl, path, &size);
    struct transfer *transfer = fd < 0 ? NULL : create(repl, path, fd, CONNECTING);
    struct weir_stack *stack;
    int socket, result;

    if (!transfer)
        return;
    transfer->size = size;
    stack = weir_host_lock(repl->host);
    socket = weir_socket_open(stack, WEIR_TCP, 0);
    result = socket < 0 ? socket : 0;
    weir_host_unlock(repl->host);
    if (!result) {
        transfer->sid = repl_add_socket(repl, socket, SID_CONNECTION);
        result = transfer->sid ? 0 : WEIR_ENOMEM;
    }
    if (!result) {
        transfer->sid->transfer = transfer;
        stack = weir_host_lock(repl->host);
        result = weir_socket_connect(stack, socket, to, weir_host_now());
        weir_host_unlock(repl->host);
    }
    if (result && result != WEIR_EINPROGRESS)
        fail_connection(repl, transfer, result);
}

/* The file keeps what it holds until the listener stands. A pipe that nobody reads would block. */
static int open_target(struct repl *repl, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    struct stat status;
    const char *why = NULL;

    if (fd < 0 || fstat(fd, &status))
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode))
        why = "not a regular file";
    if (!why)
        return fd;
    if (fd >= 0)
        close(fd);
    repl_fail(repl, "recvfile error: %s: %s", path, why);
    return -1;
}

void transfer_receive(struct repl *repl, const char *path, uint16_t port)
{
    struct weir_endpoint local = {weir_addr_any4(), port};
    struct transfer *transfer;
    struct weir_stack *stack;
    int fd = open_target(repl, path);
    int socket, result;

    transfer = fd < 0 ? NULL : create(repl, path, fd, LISTENING);
    if (!transfer)
        return;
    stack = weir_host_lock(repl->host);
    socket = weir_socket_open(stack, WEIR_TCP, 0);
    result = socket < 0 ? socket : weir_socket_set(stack, socket, WEIR_SO_REUSEADDR, 1);
    if (!result)
        result = weir_socket_bind(stack, socket, &local);
    if (!result)
        result = weir_socket_listen(stack, socket, 1);
    if (result && socket >= 0)
        weir_socket_close(stack, socket);
    weir_host_unlock(repl->host);
    if (!result) {
        transfer->sid = repl_add_socket(repl, socket, SID_LISTENER);
        result = transfer->sid ? 0 : WEIR_ENOMEM;
    }
    if (!result && ftruncate(fd, 0) && errno != EINVAL)
        result = WEIR_EIO; /* EINVAL: a device */
    if (result) {
        repl_fail(repl, "recvfile error: %s",
                  result == WEIR_EADDRINUSE ? "port already in use" : weir_strerror(result));
        abandon(repl, transfer);
        return;
    }
    transfer->sid->transfer = transfer;
}

bool transfers_busy(const struct repl *repl)
{
    const struct transfer *transfer;

    for (transfer = repl->transfers; transfer; transfer = transfer->next)
        if (transfer->phase != LISTENING)
            return true;
    return false;
}

void transfers_drop_waiting(struct repl *repl)
{
    struct transfer *transfer, *next;

    for (transfer = repl->transfers; transfer; transfer = next) {
        next = transfer->next;
        if (transfer->phase == LISTENING)
            abandon(repl, transfer);
    }
}

const char *transfers_progress(const struct repl *repl, char *text, size_t size)
{
    const struct transfer *transfer;
    weir_time now = weir_host_now();
    size_t used = 0;

    text[0] = '\0';
    for (transfer = repl->transfers; transfer && used + 1 < size; transfer = transfer->next) {
        double seconds = (double)(now - transfer->started) / 1e9;
        double megabytes = (double)transfer->bytes / 1e6;

        if (transfer->phase == CONNECTING || transfer->phase == LISTENING)
            continue;
        if (is_sending(transfer) && transfer->size)
            used += (size_t)snprintf(text + used, size - used, "[sf %.0f%% %.1f MB/s] ",
                                     100.0 * (double)transfer->bytes / (double)transfer->size,
                                     seconds > 0 ? megabytes / seconds : 0);
        else
            used += (size_t)snprintf(text + used, size - used, "[%s %.1f MB, %.1f MB/s] ",
                                     is_sending(transfer) ? "sf" : "rf", megabytes,
                                     seconds > 0 ? megabytes / seconds : 0);
    }
    return text;
}

void transfers_done(struct repl *repl)
{
    while (repl->transfers)
        destroy(repl, repl->transfers);
}
