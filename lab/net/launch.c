/* SPDX-License-Identifier: MIT */

/* From a plan to running nodes.
 *
 * Problem: hundreds of processes are to be started in little time, it must be known when all of them
 * are up, and whichever process is killed in between, none may run that nobody can find again.
 *
 * Idea: each node is a child that first writes who it is to NODE.pid and then becomes the program; so a
 * process that runs is one that has a file. A node of ours makes NODE.sock appear when it answers
 * there (it binds its UDP ports before). Both files appear by rename, and the directory is watched with
 * inotify, the processes by their descriptors: the wait is for events, and nothing is polled.
 *
 *     fork ─ NODE.pid ─ exec ─ … ─ NODE.sock        inotify: which files, pidfd: who has ended
 *
 * A node without a terminal reads nothing (ours) or a FIFO that is never at its end (somebody else's),
 * and says what it says to NODE.log. The nodes are in sessions of their own, so no terminal's Ctrl-C
 * reaches them, and they outlive us.
 *
 * Limits: COME_UP_MS for all of them together. Of somebody else's program nothing is known but that it
 * runs.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lab/net/launch.h>
#include <lab/net/process.h>
#include <lab/net/tmux.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#define COME_UP_MS 30000

/* ---- The child ----------------------------------------------------------------------------------- */

/* A child that cannot go on says why to where its program would have spoken. */
static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    fflush(stderr);
    _exit(127);
}

/* Becomes the node's program. */
static _Noreturn void become(const struct lab *lab, const struct lab_node *node)
{
    char path[PATH_MAX];

    if (chdir(lab->cwd))
        give_up(lab->cwd);
    if (process_write(lab_path(lab, node->name, ".pid", path)))
        give_up(path);
    assert(node->argv && node->argv[0]);
    execvp(node->argv[0], node->argv);
    give_up(node->argv[0]);
}

/* Standard input, output and error of a node without a terminal. */
static void redirect(const struct lab *lab, const struct lab_node *node)
{
    char path[PATH_MAX];
    int fd;

    lab_path(lab, node->name, ".log", path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (fd < 0)
        give_up(path);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    lab_path(lab, node->name, ".in", path);
    if (!node->is_ours && mkfifo(path, 0600) && errno != EEXIST)
        give_up(path);
    fd = node->is_ours ? open("/dev/null", O_RDONLY) : open(path, O_RDWR); /* RDWR: has no end */
    if (fd < 0)
        give_up(path);
    dup2(fd, STDIN_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Starts all nodes. `*started` can be read to its end when each child has become its program, or has
 * given up: before that one may be without a file. */
static int start_all(const struct lab *lab, bool verbose, int *started, struct net_error *error)
{
    int ends[2];
    size_t i;

    if (pipe2(ends, O_CLOEXEC)) {
        snprintf(error->text, sizeof error->text, "no pipe: %s", strerror(errno));
        return WEIR_EIO;
    }
    *started = ends[0];

    for (i = 0; i < lab->node_count; i++) {
        const struct lab_node *node = &lab->nodes[i];
        char **word;
        pid_t pid;

        for (word = node->argv; verbose && *word; word++)
            fprintf(stderr, "%s%s", *word, word[1] ? " " : "\n");
        pid = fork();
        if (pid < 0) {
            snprintf(error->text, sizeof error->text, "%s: %s", node->name, strerror(errno));
            close(ends[1]);
            return WEIR_EIO;
        }
        if (pid == 0) {
            setsid();
            redirect(lab, node);
            become(lab, node);
        }
    }
    close(ends[1]);
    return 0;
}

/* ---- Waiting ------------------------------------------------------------------------------------- */

struct wait {
    const struct lab *lab;
    struct net_error *error;
    struct pollfd *fds; /* inotify, then one a node: -1 until it has said who it is */
    bool *is_up;
    size_t missing;
};

/* What the node's log, or its pane, says of its end: ours say it first (a usage may follow), most others
 * last. */
static void why_ended(const struct lab *lab, const struct lab_node *node, char *text, size_t size)
{
    char path[PATH_MAX], line[NET_ERROR_TEXT / 2];
    FILE *file;

    if (lab->session[0]) {
        tmux_first_line(lab, node->name, text, size);
        return;
    }
    file = fopen(lab_path(lab, node->name, ".log", path), "re");
    text[0] = '\0';
    while (file && !(node->is_ours && text[0]) && fgets(line, sizeof line, file))
        if (line[0] != '\n')
            snprintf(text, size, "%s", line);
    text[strcspn(text, "\n")] = '\0';
    if (file)
        fclose(file);
}

static int fail_node(struct wait *wait, size_t node, int code, const char *what)
{
    const char *name = wait->lab->nodes[node].name;
    char line[NET_ERROR_TEXT / 2];

    why_ended(wait->lab, &wait->lab->nodes[node], line, sizeof line);
    snprintf(wait->error->text, sizeof wait->error->text, "%s %s%s%s", name, what,
             line[0] ? ": " : "", line);
    return code;
}

static void mark_up(struct wait *wait, size_t node)
{
    if (wait->is_up[node])
        return;
    wait->is_up[node] = true;
    wait->missing--;
}

/* A file has appeared: NODE.pid or NODE.sock mean something. */
static int take_file(struct wait *wait, const char *file)
{
    const struct lab *lab = wait->lab;
    char name[NET_NAME + 8], path[PATH_MAX];
    const struct lab_node *node;
    char *dot;
    size_t index;
    pid_t pid;

    if (snprintf(name, sizeof name, "%s", file) >= (int)sizeof name || !(dot = strrchr(name, '.')))
        return 0;
    *dot = '\0';
    node = lab_node(lab, name);
    if (!node)
        return 0;
    index = (size_t)(node - lab->nodes);
    if (strcmp(dot + 1, "sock") == 0)
        mark_up(wait, index);
    if (strcmp(dot + 1, "pid") != 0)
        return 0;
    if (!node->is_ours)
        mark_up(wait, index);
    wait->fds[index + 1].fd = process_open(lab_path(lab, name, ".pid", path), &pid);
    return wait->fds[index + 1].fd >= 0 ? 0 : fail_node(wait, index, WEIR_EIO, "ended at once");
}

static int take_files(struct wait *wait)
{
    union {
        struct inotify_event event; /* for its alignment */
        char bytes[16384];
    } buffer;
    ssize_t length = read(wait->fds[0].fd, buffer.bytes, sizeof buffer.bytes);
    ssize_t at = 0;
    int result = 0;

    while (at < length && !result) {
        const struct inotify_event *event =
            (const struct inotify_event *)(const void *)(buffer.bytes + at);

        if (event->len)
            result = take_file(wait, event->name);
        at += (ssize_t)(sizeof *event + event->len);
    }
    return result;
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_all(struct wait *wait)
{
    long deadline = now_ms() + COME_UP_MS;
    size_t i;
    int result = 0;

    while (wait->missing && !result) {
        long time = deadline - now_ms();

        if (time <= 0 || poll(wait->fds, wait->lab->node_count + 1, (int)time) == 0)
            break;
        for (i = 0; i < wait->lab->node_count; i++)
            if (wait->fds[i + 1].fd >= 0 && wait->fds[i + 1].revents)
                return fail_node(wait, i, WEIR_EIO, "ended at once");
        if (wait->fds[0].revents)
            result = take_files(wait);
    }
    for (i = 0; wait->missing && !result && wait->is_up[i]; i++)
        ;
    return wait->missing && !result ? fail_node(wait, i, WEIR_ETIMEDOUT, "did not come up")
                                    : result;
}

static int prepare(struct wait *wait)
{
    size_t i, count = wait->lab->node_count;

    wait->fds = calloc(count + 1, sizeof *wait->fds);
    wait->is_up = calloc(count, sizeof *wait->is_up);
    if (!wait->fds || !wait->is_up) {
        snprintf(wait->error->text, sizeof wait->error->text, "out of memory");
        return WEIR_ENOMEM;
    }
    for (i = 0; i <= count; i++)
        wait->fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    wait->fds[0].fd = inotify_init1(IN_CLOEXEC);
    if (wait->fds[0].fd < 0 ||
        inotify_add_watch(wait->fds[0].fd, wait->lab->dir, IN_MOVED_TO) < 0) {
        snprintf(wait->error->text, sizeof wait->error->text, "%.300s cannot be watched: %s",
                 wait->lab->dir, strerror(errno));
        return WEIR_EIO;
    }
    return 0;
}

static void finish(struct wait *wait)
{
    size_t i;

    for (i = 0; wait->fds && i <= wait->lab->node_count; i++)
        if (wait->fds[i].fd >= 0)
            close(wait->fds[i].fd);
    free(wait->fds);
    free(wait->is_up);
}

int lab_launch(const struct lab *lab, const char *program, bool verbose, struct net_error *error)
{
    struct wait wait = {lab, error, NULL, NULL, lab->node_count};
    int result = prepare(&wait);
    int started = -1;
    char none;

    if (!result && lab->session[0])
        result = tmux_start(lab, program, verbose, error);
    else if (!result)
        result = start_all(lab, verbose, &started, error);
    if (!result)
        result = wait_all(&wait);
    if (started >= 0) {
        (void)!read(started, &none, 1); /* until nobody has the other end: see start_all */
        close(started);
    }
    finish(&wait);
    return result;
}

/* ---- Panes --------------------------------------------------------------------------------------- */

int lab_run_pane(const struct lab *lab, const struct lab_node *node)
{
    const char *shell = getenv("SHELL");
    pid_t pid;
    int status = 0;

    signal(SIGINT, SIG_IGN); /* Ctrl-C is the node's */
    signal(SIGQUIT, SIG_IGN);
    pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        become(lab, node);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (lab_is_going(lab))
        return 0;
    printf("\n%s has ended (%s %d).\n", node->name, WIFSIGNALED(status) ? "signal" : "status",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    fflush(stdout);
    if (shell && *shell)
        execl(shell, shell, (char *)NULL);
    execl("/bin/sh", "sh", (char *)NULL);
    return 1;
}
