/* SPDX-License-Identifier: MIT */

/* The control socket: commands from other processes.
 *
 * Problem: the node has one thread and one prompt, and clients may be many, slow, or hostile; none may
 * stop the node, fill its memory, or keep a command running after it has gone.
 *
 * Idea: one epoll descriptor stands for the listener and all clients, so that the prompt's loop waits
 * for one more descriptor and no more. Lines stay in their client's buffer until the loop is at its
 * prompt and asks for one; while a client has a line waiting, or its command runs, it is not read:
 * what it sends further waits in the kernel. Clients take turns. Output is written at once, and what
 * the socket does not take waits here, up to a limit.
 *
 *      accept → client ─ read → line ─ control_next → (repl.c runs it) → control_finish ─┐
 *                  ↑                                                                     │
 *                  └─────────────────────────── read on ←──────────────────────────────┘
 *
 * A client that closes both directions is gone (EPOLLHUP): its command is interrupted. One that only
 * shuts its sending side down (`nc -N`) still gets its answers, and is let go after the last.
 *
 * Invariants: nothing is watched that would be ready again at once, so the loop cannot spin: reading
 * only while a line is wanted, writing only while output waits, the listener only while there may be
 * descriptors. The client whose command runs is freed by control_finish and nowhere else.
 *
 * Limits: CONTROL_CLIENTS_MAX clients, further ones are told so and let go; INPUT_LINE_MAX bytes a
 * command; CONTROL_OUTPUT_MAX bytes of output that nobody reads, then the client is let go. Only
 * processes of the same user, or root, are heard.
 */

#include <cmd/repl/control.h>
#include <cmd/repl/input.h>
#include <errno.h>
#include <lab/control.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 8

struct control_client {
    struct control *control;
    int fd; /* -1: gone, and kept only because its command runs */
    struct input input;
    char *output; /* what the socket has not taken: output[start..end) */
    size_t start, end, room;
    uint32_t watched; /* the events that epoll knows of */
    bool is_running;  /* its command */
    bool is_read;     /* all that was read has been looked at: no line is waiting */
    bool is_ended;    /* no more lines will come */
    bool wants_events;
};

struct control {
    const char *path;
    int listen_fd, epoll_fd;
    bool is_paused;   /* no descriptors: the listener is not watched until a client leaves */
    bool is_deserted; /* the client whose command runs has gone */
    struct control_client *clients[CONTROL_CLIENTS_MAX];
    unsigned count, turn;
};

/* ---- Watching ---------------------------------------------------------------------------------- */

static void watch_listener(struct control *control, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data = {.ptr = NULL}};

    control->is_paused = !on;
    epoll_ctl(control->epoll_fd, EPOLL_CTL_MOD, control->listen_fd, &event);
}

/* Lets epoll watch for what the client waits for now. */
static void watch(struct control_client *client)
{
    struct epoll_event event = {.events = 0, .data = {.ptr = client}};

    if (client->fd < 0)
        return;
    if (client->is_read && !client->is_running && !client->is_ended)
        event.events |= EPOLLIN;
    if (client->end > client->start)
        event.events |= EPOLLOUT;
    if (event.events == client->watched)
        return;
    client->watched = event.events;
    epoll_ctl(client->control->epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

/* ---- Clients come and go ------------------------------------------------------------------------- */

/* Forgets the client; its memory goes too unless its command runs. */
static void leave(struct control_client *client)
{
    struct control *control = client->control;
    unsigned i;

    if (client->fd >= 0) {
        close(client->fd); /* which takes it out of epoll as well */
        client->fd = -1;
        for (i = 0; control->clients[i] != client; i++)
            ;
        control->clients[i] = control->clients[--control->count];
        if (control->is_paused)
            watch_listener(control, true);
    }
    if (client->is_running) {
        control->is_deserted = true;
        return;
    }
    input_done(&client->input);
    free(client->output);
    free(client);
}

static bool is_trusted(int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static struct control_client *join(struct control *control, int fd)
{
    struct control_client *client = calloc(1, sizeof *client);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = client}};

    if (!client)
        return NULL;
    client->control = control;
    client->fd = fd;
    client->is_read = true;
    client->watched = EPOLLIN;
    input_init(&client->input, fd);
    if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
        free(client);
        return NULL;
    }
    control->clients[control->count++] = client;
    return client;
}

static void accept_clients(struct control *control)
{
    static const char full[] = "-error: too many control clients\n=1\n";
    int fd;

    while ((fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        if (!is_trusted(fd)) {
            close(fd);
        } else if (control->count == CONTROL_CLIENTS_MAX) {
            (void)!send(fd, full, sizeof full - 1, MSG_NOSIGNAL);
            close(fd);
        } else if (!join(control, fd)) {
            close(fd);
        }
    }
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        watch_listener(control, false);
}

/* ---- Output ------------------------------------------------------------------------------------ */

/* Sends what waits. Returns false if the client has gone. */
static bool drain(struct control_client *client)
{
    while (client->end > client->start) {
        ssize_t count = send(client->fd, client->output + client->start,
                             client->end - client->start, MSG_NOSIGNAL);

        if (count < 0 && errno == EAGAIN)
            return true;
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0)
            client->start += (size_t)count;
    }
    client->start = client->end = 0;
    return true;
}

static bool make_room(struct control_client *client, size_t length)
{
    size_t held = client->end - client->start;
    size_t room = client->room ? client->room : 4096;
    char *bigger;

    if (held + length > CONTROL_OUTPUT_MAX)
        return false;
    if (client->start) {
        memmove(client->output, client->output + client->start, held);
        client->start = 0;
        client->end = held;
    }
    while (room < held + length)
        room *= 2;
    if (room == client->room)
        return true;
    bigger = realloc(client->output, room);
    if (!bigger)
        return false;
    client->output = bigger;
    client->room = room;
    return true;
}

static void append(struct control_client *client, const char *text, size_t length)
{
    memcpy(client->output + client->end, text, length);
    client->end += length;
}

/* One line to the client, which may be gone or go over it. */
static void say(struct control_client *client, char kind, const char *line, size_t length)
{
    bool was_waiting = client->end > client->start;

    if (client->fd < 0)
        return;
    if (!make_room(client, length + 1)) {
        leave(client);
        return;
    }
    append(client, &kind, 1);
    append(client, line, length);
    if (!was_waiting && !drain(client)) {
        leave(client);
        return;
    }
    watch(client);
}

void control_print(struct control_client *client, const char *line, size_t length)
{
    say(client, CONTROL_LINE, line, length);
}

void control_event(struct control *control, const char *line, size_t length)
{
    unsigned i = control->count;

    while (i-- > 0) /* from the end: who leaves is replaced by the last */
        if (control->clients[i]->wants_events)
            say(control->clients[i], CONTROL_EVENT, line, length);
}

/* ---- Lines ------------------------------------------------------------------------------------- */

/* Lets a client go that will ask nothing more and has got everything. */
static void leave_if_over(struct control_client *client)
{
    if (client->fd >= 0 && client->is_ended && client->is_read && !client->is_running &&
        client->end == client->start)
        leave(client);
}

static void serve_client(struct control_client *client, uint32_t events)
{
    if (events & (EPOLLHUP | EPOLLERR) || (events & EPOLLOUT && !drain(client))) {
        leave(client);
        return;
    }
    if (events & EPOLLIN) {
        if (input_fill(&client->input)) {
            leave(client);
            return;
        }
        client->is_read = false;
    }
    watch(client);
    leave_if_over(client);
}

bool control_serve(struct control *control)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(control->epoll_fd, events, EVENTS_AT_ONCE, 0);
    bool was_deserted;
    int i;

    for (i = 0; i < count; i++) {
        if (events[i].data.ptr)
            serve_client(events[i].data.ptr, events[i].events);
        else
            accept_clients(control);
    }
    was_deserted = control->is_deserted;
    control->is_deserted = false;
    return was_deserted;
}

bool control_has_line(const struct control *control)
{
    unsigned i;

    for (i = 0; i < control->count; i++)
        if (!control->clients[i]->is_read)
            return true;
    return false;
}

/* The next line of one client; NULL: it has none (and may have left). */
static char *take_line(struct control_client *client)
{
    static const char refused[] = "error: line too long, or not text\n";
    char *line = NULL;

    switch (input_next(&client->input, &line)) {
    case INPUT_LINE:
        client->is_running = true;
        watch(client);
        return line;
    case INPUT_TOO_LONG:
        client->is_running = true; /* so that it outlives what it is told */
        say(client, CONTROL_LINE, refused, sizeof refused - 1);
        control_finish(client, 1);
        return NULL;
    case INPUT_END:
        client->is_ended = true;
        break;
    case INPUT_MORE:
        break;
    }
    client->is_read = true;
    watch(client);
    leave_if_over(client);
    return NULL;
}

struct control_client *control_next(struct control *control, char **line)
{
    unsigned tries;

    for (tries = control->count; tries > 0 && control->count > 0; tries--) {
        struct control_client *client = control->clients[++control->turn % control->count];

        if (client->is_read)
            continue;
        *line = take_line(client);
        if (*line)
            return client;
    }
    return NULL;
}

int control_request(struct control_client *client, const char *line)
{
    static const char unknown[] = "error: unknown request\n";
    char text[32];

    if (strcmp(line, ".events") == 0) {
        client->wants_events = true;
        return 0;
    }
    if (strcmp(line, ".hello") == 0) {
        say(client, CONTROL_LINE, CONTROL_MARK "\n", sizeof CONTROL_MARK);
        return 0;
    }
    if (strcmp(line, ".pid") == 0) {
        say(client, CONTROL_LINE, text, (size_t)snprintf(text, sizeof text, "%d\n", (int)getpid()));
        return 0;
    }
    say(client, CONTROL_LINE, unknown, sizeof unknown - 1);
    return 1;
}

void control_finish(struct control_client *client, int status)
{
    char text[16];

    say(client, CONTROL_END, text, (size_t)snprintf(text, sizeof text, "%d\n", status));
    client->is_running = false;
    client->control->is_deserted = false;
    if (client->fd < 0) {
        leave(client);
        return;
    }
    watch(client);
    leave_if_over(client);
}

/* ---- Beginning and end ------------------------------------------------------------------------- */

int control_fd(const struct control *control)
{
    return control->epoll_fd;
}

static bool open_epoll(struct control *control)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};

    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return control->epoll_fd >= 0 &&
           epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, control->listen_fd, &event) == 0;
}

struct control *control_create(const char *path, char *error)
{
    struct control *control = calloc(1, sizeof *control);

    if (!control) {
        snprintf(error, CONTROL_ERROR_TEXT, "out of memory");
        return NULL;
    }
    control->path = path;
    control->epoll_fd = -1;
    control->listen_fd = control_listen(path);
    if (control->listen_fd >= 0 && open_epoll(control))
        return control;
    snprintf(error, CONTROL_ERROR_TEXT, "control socket %.150s: %s", path,
             control->listen_fd == -EEXIST
                 ? "there is a file that is no socket"
                 : strerror(control->listen_fd < 0 ? -control->listen_fd : errno));
    control_destroy(control);
    return NULL;
}

void control_destroy(struct control *control)
{
    if (!control)
        return;
    while (control->count)
        leave(control->clients[0]);
    if (control->listen_fd >= 0)
        control_unlisten(control->path, control->listen_fd);
    if (control->epoll_fd >= 0)
        close(control->epoll_fd);
    free(control);
}
