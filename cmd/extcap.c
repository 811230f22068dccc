/* SPDX-License-Identifier: MIT */

/* weir extcap: the nodes of running labs as interfaces of Wireshark (its external capture interface).
 *
 * Wireshark runs every program of its extcap folder with options: which interfaces there are, of what
 * link type, with what options of their own, and then, to capture, which FIFO to fill. We fill none:
 * the node itself does. It is told so over its control socket, and from then on packets go from the
 * node to Wireshark without a process between.
 *
 *     wireshark ── runs ──▶ weir extcap ── `capture on FIFO` ──▶ node
 *         ▲                                                       │
 *         └──────────────────────── FIFO ─────────────────────────┘
 *
 * This program stays until one of three ends: Wireshark does not want any more (a signal, or nobody
 * reads the FIFO), the node has ended (its socket hangs up), or the node has ended the capture (it says
 * so at its prompt, and we have asked to hear that). Then it tells the node `capture off FIFO`, which
 * does nothing if something else is being captured by then.
 *
 * To see that nobody reads, one must hold a writing end, and opening that waits for the reader, who
 * comes when it likes: a thread waits, and hands the descriptor over.
 *
 * The name of an interface is weir-LAB-NODE, where LAB is what the lab is called where labs are kept:
 * the second one of a name is NAME-2 there. A node can be captured once at a time. Filters are
 * refused: what is to be seen is chosen with display filters. Options that we do not know are left
 * alone, since newer Wiresharks have more. */

#include <cmd/verbs.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <lab/control.h>
#include <lab/net/state.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define NAME_TEXT 160
#define COMMAND_TEXT (PATH_MAX + 32)
#define DLT_RAW 101

struct request {
    bool wants_interfaces, wants_dlts, wants_config, wants_capture;
    const char *interface, *fifo, *filter;
};

/* ---- Which nodes there are -------------------------------------------------------------------------- */

typedef void node_fn(void *argument, const struct lab *lab, const struct lab_node *node);

struct walk {
    node_fn *fn;
    void *argument;
};

static void walk_lab(void *argument, const char *dir)
{
    const struct walk *walk = argument;
    struct net_error error;
    char path[PATH_MAX];
    struct lab lab;

    if (!lab_is_alive(dir) || lab_load(dir, &lab, &error))
        return;
    snprintf(lab.name, sizeof lab.name, "%s", strrchr(dir, '/') + 1);
    for (size_t i = 0; i < lab.node_count; i++) {
        const struct lab_node *node = &lab.nodes[i];

        if (node->is_ours && lab_node_pid(&lab, node->name) > 0 &&
            access(lab_path(&lab, node->name, ".sock", path), W_OK) == 0)
            walk->fn(walk->argument, &lab, node);
    }
    lab_done(&lab);
}

static void for_each_node(node_fn *fn, void *argument)
{
    struct walk walk = {fn, argument};

    lab_list(walk_lab, &walk);
}

/* What Wireshark calls the node: it uses that in names of files. */
static void name_node(const struct lab *lab, const struct lab_node *node, char name[NAME_TEXT])
{
    snprintf(name, NAME_TEXT, "weir-%.70s-%.70s", lab->name, node->name);
    for (char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '-' && *at != '.')
            *at = '_';
}

static void print_interface(void *argument, const struct lab *lab, const struct lab_node *node)
{
    char name[NAME_TEXT];

    (void)argument;
    name_node(lab, node, name);
    printf("interface {value=%s}{display=weir: %s of %s}\n", name, node->name, lab->name);
}

struct search {
    const char *name;
    char path[PATH_MAX]; /* of its socket; empty: not found */
};

static void compare(void *argument, const struct lab *lab, const struct lab_node *node)
{
    struct search *search = argument;
    char name[NAME_TEXT];

    name_node(lab, node, name);
    if (!search->path[0] && strcmp(name, search->name) == 0)
        lab_path(lab, node->name, ".sock", search->path);
}

/* ---- A capture ------------------------------------------------------------------------------------- */

struct session {
    const char *fifo, *socket;
    int signal_fd;
    int events;    /* connection to the node, on which it tells what it prints */
    int writer;    /* writing end of the FIFO; -1: nobody reads yet */
    int opened[2]; /* the thread sends the writing end through this pipe */
    char line[1024];
    size_t length;
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "weir extcap: %s: %s\n", what, why);
    return 1;
}

static void *open_writer(void *argument)
{
    const struct session *session = argument;
    int fd = open(session->fifo, O_WRONLY | O_CLOEXEC);

    (void)!write(session->opened[1], &fd, sizeof fd);
    return NULL;
}

/* Wireshark shows what comes on stderr as an error. */
static void print_error(void *argument, const char *line, size_t length)
{
    (void)argument;
    if (length >= 6 && memcmp(line, "error:", 6) == 0)
        fprintf(stderr, "weir extcap: %.*s\n", (int)length, line);
}

static int tell_node(const struct session *session, const char *command, bool is_loud)
{
    char text[COMMAND_TEXT];
    int result;

    snprintf(text, sizeof text, "capture %s %s", command, session->fifo);
    result = control_ask(session->socket, text, is_loud ? print_error : NULL, NULL);
    return result;
}

/* Signals become readable, so that none is missed between two looks. */
static bool take_signals(struct session *session)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return session->signal_fd >= 0;
}

static bool listen_to_node(struct session *session)
{
    static const char request[] = ".events\n";

    session->events = control_connect(session->socket);
    return session->events >= 0 &&
           write(session->events, request, sizeof request - 1) == (ssize_t)sizeof request - 1;
}

static bool start_writer(struct session *session)
{
    pthread_t thread;

    return pipe(session->opened) == 0 && pthread_create(&thread, NULL, open_writer, session) == 0 &&
           !pthread_detach(thread);
}

/* Does the line say that the capture into our FIFO is over? */
static bool is_end(const struct session *session, const char *line)
{
    static const char captured[] = "*Captured ", failed[] = "*error: capture: ";

    return strstr(line, session->fifo) && (strncmp(line, captured, sizeof captured - 1) == 0 ||
                                           strncmp(line, failed, sizeof failed - 1) == 0);
}

/* Reads what the node says. False: it has ended, or the capture has. */
static bool hear(struct session *session)
{
    ssize_t count = read(session->events, session->line + session->length,
                         sizeof session->line - 1 - session->length);
    char *line = session->line, *end;

    if (count <= 0)
        return count < 0 && errno == EINTR;
    session->length += (size_t)count;
    session->line[session->length] = '\0';
    while ((end = strchr(line, '\n'))) {
        *end = '\0';
        if (is_end(session, line))
            return false;
        line = end + 1;
    }
    session->length = strlen(line);
    memmove(session->line, line, session->length + 1);
    if (session->length == sizeof session->line - 1) /* no line of ours is that long */
        session->length = 0;
    return true;
}

/* Until somebody has had enough. */
static void attend(struct session *session)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = session->signal_fd, .events = POLLIN},
            {.fd = session->events, .events = POLLIN},
            {.fd = session->writer, .events = 0}, /* an error: nobody reads */
            {.fd = session->writer < 0 ? session->opened[0] : -1, .events = POLLIN},
        };

        if (poll(fds, 4, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents || fds[2].revents || (fds[1].revents && !hear(session)))
            return;
        if (fds[3].revents && (read(session->opened[0], &session->writer, sizeof session->writer) !=
                                   (ssize_t)sizeof session->writer ||
                               session->writer < 0))
            return;
    }
}

static int capture(const char *socket, const char *fifo)
{
    struct session session = {.fifo = fifo, .socket = socket, .events = -1, .writer = -1};

    if (strpbrk(fifo, " \t\n"))
        return complain(fifo, "a FIFO's path may not have blanks in it");
    if (!take_signals(&session) || !listen_to_node(&session))
        return complain(socket, "the node does not answer");
    if (tell_node(&session, "on", true) != 0)
        return 1;
    if (!start_writer(&session)) {
        tell_node(&session, "off", false);
        return complain(fifo, "no thread");
    }
    attend(&session);
    tell_node(&session, "off", false);
    return 0;
}

/* ---- What Wireshark asks ----------------------------------------------------------------------------- */

static const char usage_text[] =
    "usage: weir extcap --extcap-interfaces\n"
    "       weir extcap --extcap-dlts|--extcap-config --extcap-interface NAME\n"
    "       weir extcap --capture --extcap-interface NAME --fifo FIFO\n"
    "Wireshark's external capture interface: each node of a running lab is an interface.\n"
    "docs/capture.md says how Wireshark finds it.\n";

static int capture_request(const struct request *request)
{
    struct search search = {.name = request->interface};

    if (!request->fifo) {
        complain("--capture", "--fifo is missing");
        return 2;
    }
    if (request->filter && *request->filter)
        return complain(request->filter, "capture filters are not supported, use a display filter");
    for_each_node(compare, &search);
    if (!search.path[0])
        return complain(request->interface, "no such node runs");
    return capture(search.path, request->fifo);
}

static int answer(const struct request *request)
{
    if (request->wants_interfaces) {
        printf("extcap {version=0.1.0}{display=weir}\n");
        for_each_node(print_interface, NULL);
        return 0;
    }
    if (!request->interface) {
        fputs(usage_text, stderr);
        return 2;
    }
    if (request->wants_capture)
        return capture_request(request);
    if (request->wants_dlts)
        printf("dlt {number=%d}{name=RAW}{display=Raw IP}\n", DLT_RAW);
    else if (!request->wants_config && request->filter && *request->filter)
        printf("Capture filters are not supported, use a display filter\n");
    return 0;
}

/* Takes an option with a value, behind `=` or as the next word. */
static bool take_value(const char *name, char **argv, int argc, int *at, const char **value)
{
    size_t length = strlen(name);

    if (strncmp(argv[*at], name, length) != 0)
        return false;
    if (argv[*at][length] == '=') {
        *value = argv[*at] + length + 1;
        return true;
    }
    if (argv[*at][length] != '\0' || *at + 1 >= argc)
        return false;
    *value = argv[++*at];
    return true;
}

int verb_extcap(int argc, char **argv)
{
    struct request request = {0};

    for (int at = 1; at < argc; at++) {
        if (!strcmp(argv[at], "--help")) {
            fputs(usage_text, stdout);
            return 0;
        }
        request.wants_interfaces |= !strcmp(argv[at], "--extcap-interfaces");
        request.wants_dlts |= !strcmp(argv[at], "--extcap-dlts");
        request.wants_config |= !strcmp(argv[at], "--extcap-config");
        request.wants_capture |= !strcmp(argv[at], "--capture");
        if (!take_value("--extcap-interface", argv, argc, &at, &request.interface) &&
            !take_value("--fifo", argv, argc, &at, &request.fifo))
            (void)take_value("--extcap-capture-filter", argv, argc, &at, &request.filter);
    }
    return answer(&request);
}
