/* SPDX-License-Identifier: MIT */

/* weir lab attach NODE: typing at a node.
 *
 * A lab in tmux has a pane for that, and on a terminal this is it. Else lines of standard input become
 * commands over the node's control socket, and what the node prints, events among it, is printed here.
 * At the end of the input the answers that are still due are waited for. Somebody else's program has no
 * such socket: lines go to the FIFO that it reads, and its log is followed; since nothing tells when
 * it has answered, at the end of the input that goes on until it is silent for QUIET_MS.
 *
 * Ctrl-C and Ctrl-D leave the node running.
 */

#include <cmd/lab.h>
#include <cmd/repl/input.h>
#include <errno.h>
#include <fcntl.h>
#include <lab/control.h>
#include <lab/net/process.h>
#include <lab/net/state.h>
#include <lab/net/tmux.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_MS 1000

static bool write_all(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t count = write(fd, text, length);

        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0) {
            text += count;
            length -= (size_t)count;
        }
    }
    return true;
}

static bool write_line(int fd, const char *line)
{
    return write_all(fd, line, strlen(line)) && write_all(fd, "\n", 1);
}

/* ---- A node of ours ------------------------------------------------------------------------------ */

struct session {
    int fd; /* the control socket */
    struct input typed, answers;
    unsigned due; /* commands whose answers have not ended */
    bool is_tty, is_typed, has_ended, has_exited;
};

static void prompt(const struct session *session)
{
    if (session->is_tty && !session->due && !session->is_typed) {
        fputs("> ", stdout);
        fflush(stdout);
    }
}

static void take_typed(struct session *session)
{
    enum input_result result;
    char *line;

    (void)input_fill(&session->typed);
    while ((result = input_next(&session->typed, &line)) == INPUT_LINE ||
           result == INPUT_TOO_LONG) {
        if (result == INPUT_TOO_LONG) {
            fprintf(stderr, "weir lab: line too long, or not text\n");
            continue;
        }
        session->has_exited = strncmp(line, "exit", 4) == 0;
        session->due++;
        if (!write_line(session->fd, line))
            session->has_ended = true;
    }
    session->is_typed = result == INPUT_END;
}

static void take_answers(struct session *session)
{
    enum input_result result;
    char *line;

    (void)input_fill(&session->answers);
    while ((result = input_next(&session->answers, &line)) == INPUT_LINE ||
           result == INPUT_TOO_LONG) {
        if (result == INPUT_TOO_LONG)
            continue;
        if (*line == CONTROL_END && session->due) {
            session->due--;
            prompt(session);
        } else if (*line) {
            printf("%s%s\n", session->is_tty && *line == CONTROL_EVENT ? "\r" : "", line + 1);
            if (*line == CONTROL_EVENT)
                prompt(session);
        }
    }
    fflush(stdout);
    if (result == INPUT_END)
        session->has_ended = true;
}

static int converse(const char *name, struct session *session)
{
    struct pollfd fds[2] = {{session->fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};

    session->due = 1;
    if (!write_line(session->fd, ".events"))
        session->has_ended = true;
    while (!session->has_ended && !(session->is_typed && !session->due)) {
        fds[1].fd = session->is_typed ? -1 : STDIN_FILENO;
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[0].revents)
            take_answers(session);
        if (fds[1].revents)
            take_typed(session);
    }
    if (!session->has_ended || session->has_exited)
        return 0;
    fprintf(stderr, "weir lab: %s has ended\n", name);
    return 1;
}

static int attach_ours(const struct lab *lab, const struct lab_node *node)
{
    struct session session;
    char path[PATH_MAX];
    int status;

    memset(&session, 0, sizeof session);
    session.fd = control_connect(lab_path(lab, node->name, ".sock", path));
    if (session.fd < 0) {
        fprintf(stderr, "weir lab: %s does not answer: %s\n", node->name, strerror(-session.fd));
        return 2;
    }
    session.is_tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    input_init(&session.typed, STDIN_FILENO);
    input_init(&session.answers, session.fd);
    status = converse(node->name, &session);
    input_done(&session.typed);
    input_done(&session.answers);
    close(session.fd);
    return status;
}

/* ---- Somebody else's ----------------------------------------------------------------------------- */

/* What the log has gained. Returns false when there was nothing. */
static bool copy_log(int log)
{
    char text[16384];
    ssize_t length, total = 0;

    while ((length = read(log, text, sizeof text)) > 0) {
        (void)write_all(STDOUT_FILENO, text, (size_t)length);
        total += length;
    }
    return total > 0;
}

static int follow(const char *name, int in, int log, struct pollfd fds[3])
{
    bool is_typed = false;
    char text[16384];

    for (;;) {
        int ready = poll(fds, 3, is_typed ? QUIET_MS : -1);

        if (fds[0].revents)
            (void)!read(fds[0].fd, text, sizeof text);
        copy_log(log);
        if (fds[2].revents) {
            fprintf(stderr, "weir lab: %s has ended\n", name);
            return 1;
        }
        if (ready == 0 && is_typed)
            return 0;
        if (ready > 0 && fds[1].revents) {
            ssize_t length = read(STDIN_FILENO, text, sizeof text);

            is_typed = length <= 0 || !write_all(in, text, (size_t)length);
            fds[1].fd = is_typed ? -1 : STDIN_FILENO;
        }
    }
}

static int attach_theirs(const struct lab *lab, const struct lab_node *node)
{
    char path[PATH_MAX];
    pid_t pid;
    struct pollfd fds[3] = {
        {inotify_init1(IN_CLOEXEC), POLLIN, 0},
        {STDIN_FILENO, POLLIN, 0},
        {process_open(lab_path(lab, node->name, ".pid", path), &pid), POLLIN, 0}};
    int in = open(lab_path(lab, node->name, ".in", path), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    int log = open(lab_path(lab, node->name, ".log", path), O_RDONLY | O_CLOEXEC);
    int status = 2;

    if (fds[2].fd < 0 || in < 0 || log < 0 || fds[0].fd < 0 ||
        inotify_add_watch(fds[0].fd, path, IN_MODIFY) < 0) {
        fprintf(stderr, "weir lab: %s does not run, or has a terminal\n", node->name);
    } else {
        (void)lseek(log, 0, SEEK_END);
        status = follow(node->name, in, log, fds);
    }
    if (in >= 0)
        close(in);
    if (log >= 0)
        close(log);
    if (fds[0].fd >= 0)
        close(fds[0].fd);
    if (fds[2].fd >= 0)
        close(fds[2].fd);
    return status;
}

int lab_attach(int argc, char **argv)
{
    static const char usage[] = "usage: weir lab attach [--dir DIR] NODE\n";
    const struct lab_node *node;
    struct lab_use use;
    struct lab lab;
    int status = lab_use_options(argc, argv, usage, &use);

    if (status >= 0)
        return status;
    if (use.word_count != 1) {
        fputs(usage, stderr);
        return 2;
    }
    if (lab_use_find(&use, &lab))
        return 2;
    node = lab_use_node(&lab, use.words[0]);
    status = 2;
    if (node && lab.session[0] && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        status = tmux_attach(&lab, node->name) ? 2 : 0;
    else if (node)
        status = node->is_ours ? attach_ours(&lab, node) : attach_theirs(&lab, node);
    lab_done(&lab);
    return status;
}
