/* SPDX-License-Identifier: MIT */

/* Taking a lab down, whatever state it is in.
 *
 * A lab may be whole, half made, half dead, or dead since the last boot, and lab.json may be what was
 * not written any more. So this goes by what lies in the directory, not by what should: every NODE.pid
 * is a process to be ended, and what a lab leaves is removed. lab.json goes last: whoever is killed in
 * here leaves a lab that can be cleared again.
 *
 * The directory may be anybody's (`down --dir .`, or the wrong one), and a Makefile.in or build.log in it
 * is not ours. A directory that is no lab's is left alone (lab_is_place). What may go from one that is:
 *
 *     where labs are kept           all files with the endings of a lab's, and what it generated
 *     elsewhere, lab.json is good   files of its own nodes, and, if it says so, what it generated
 *     elsewhere, lab.json is bad    files that are what they are called: sockets, FIFOs, files of processes
 *                                   and logs beside such
 *
 * Processes are asked with SIGTERM, all at once, and get PATIENCE together; those that are still there
 * are killed and get as long again (a process in the kernel's hands may need it). A process is only
 * ever signalled through the descriptor that process_open has checked. Its tmux session, if the lab
 * has one that says it is this lab's, goes with its panes and the shells in them.
 *
 * Limits: NODES_AT_ONCE processes a round; further ones in the next. Files that are not a lab's stay,
 * and then so does the directory.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lab/net/process.h>
#include <lab/net/state.h>
#include <lab/net/tmux.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/error.h>

#define PATIENCE_MS 2500
#define NODES_AT_ONCE 512

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);

    return length > tail && strcmp(name + length - tail, ending) == 0;
}

/* ---- Processes ----------------------------------------------------------------------------------- */

/* Opens the processes of the lab; returns how many. */
static unsigned open_all(const char *dir, struct pollfd *fds)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;
    char path[PATH_MAX];
    unsigned count = 0;

    while (stream && count < NODES_AT_ONCE && (entry = readdir(stream))) {
        pid_t pid;
        int fd;

        if (!has_ending(entry->d_name, ".pid") ||
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name) >= (int)sizeof path)
            continue;
        fd = process_open(path, &pid);
        if (fd >= 0)
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    if (stream)
        closedir(stream);
    return count;
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Signals all and waits until they have ended, or the patience is over. Ended ones are closed; returns
 * how many are left, moved to the front. */
static unsigned end_all(struct pollfd *fds, unsigned count, int signal)
{
    long deadline = now_ms() + PATIENCE_MS;
    unsigned i, left;

    for (i = 0; i < count; i++)
        (void)process_signal(fds[i].fd, signal);
    for (;;) {
        long time = deadline - now_ms();

        for (i = left = 0; i < count; i++) {
            if (process_has_ended(fds[i].fd))
                close(fds[i].fd);
            else
                fds[left++] = fds[i];
        }
        count = left;
        if (count == 0 || time <= 0)
            return count;
        (void)poll(fds, count, (int)time);
    }
}

/* Returns how many processes ran, or WEIR_EPERM. */
static int end_processes(const char *dir, struct net_error *error)
{
    struct pollfd fds[NODES_AT_ONCE];
    unsigned count, left, total = 0;

    while ((count = open_all(dir, fds)) > 0) {
        total += count;
        left = end_all(fds, count, SIGTERM);
        left = left ? end_all(fds, left, SIGKILL) : 0;
        if (left == 0)
            continue;
        while (left-- > 0)
            close(fds[left].fd);
        snprintf(error->text, sizeof error->text, "%.300s: a process cannot be ended", dir);
        return WEIR_EPERM;
    }
    return (int)total;
}

/* ---- Files --------------------------------------------------------------------------------------- */

struct remains {
    const char *dir;
    const struct lab *lab; /* NULL: lab.json cannot be read */
    bool is_kept;          /* everything here was a lab's */
    bool is_generated;     /* so were the files of a network */
};

/* Bound, and killed before it had its name: .NODE.sock.NUMBER */
static bool is_new_socket(const char *name)
{
    const char *number = strstr(name, ".sock.");

    return name[0] == '.' && number && number[6] && !number[6 + strspn(number + 6, "0123456789")];
}

/* Whether the file NODE`ending`, in a directory that holds others' files, too, is what it is called. */
static bool is_genuine(const struct remains *remains, const char *node, const char *ending)
{
    char path[PATH_MAX];
    struct stat status;

    if (remains->is_kept || (remains->lab && lab_node(remains->lab, node)))
        return true;
    if (remains->lab ||
        snprintf(path, sizeof path, "%s/%s%s", remains->dir, node, ending) >= (int)sizeof path ||
        lstat(path, &status))
        return false;
    if (strcmp(ending, ".sock") == 0)
        return S_ISSOCK(status.st_mode);
    if (strcmp(ending, ".in") == 0)
        return S_ISFIFO(status.st_mode);
    if (strcmp(ending, ".log") != 0)
        return process_is_file(path);
    return snprintf(path, sizeof path, "%s/%s.pid", remains->dir, node) < (int)sizeof path &&
           process_is_file(path);
}

/* Whether `name` is that of a node's file with this ending. */
static bool is_of_node(const struct remains *remains, const char *name, const char *ending)
{
    char node[NAME_MAX + 1];

    if (!has_ending(name, ending))
        return false;
    snprintf(node, sizeof node, "%.*s", (int)(strlen(name) - strlen(ending)), name);
    return is_genuine(remains, node, ending);
}

static bool is_log(const struct remains *remains, const char *name)
{
    return is_of_node(remains, name, ".log");
}

static bool is_other(const struct remains *remains, const char *name)
{
    static const char *const endings[] = {".pid", ".pid.new", ".sock", ".in"};
    size_t i;

    for (i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (is_of_node(remains, name, endings[i]))
            return true;
    if (is_new_socket(name) || !strcmp(name, LAB_FILE ".new") || !strcmp(name, LAB_DOWN))
        return true;
    return remains->is_generated &&
           (is_of_node(remains, name, ".lnx") || strcmp(name, "nodes.json") == 0 ||
            strcmp(name, "binaries.example.json") == 0);
}

/* Logs first: the files beside them tell what they are. */
static void remove_files(const struct remains *remains)
{
    DIR *stream = opendir(remains->dir);
    struct dirent *entry;

    if (!stream)
        return;
    while ((entry = readdir(stream)))
        if (is_log(remains, entry->d_name))
            unlinkat(dirfd(stream), entry->d_name, 0);
    rewinddir(stream);
    while ((entry = readdir(stream)))
        if (is_other(remains, entry->d_name))
            unlinkat(dirfd(stream), entry->d_name, 0);
    unlinkat(dirfd(stream), LAB_FILE, 0);
    closedir(stream);
}

/* Links to `dir` where labs are kept, and those to nothing. */
static void remove_links(const char *dir)
{
    char base[PATH_MAX], path[PATH_MAX], target[PATH_MAX];
    struct net_error error;
    struct dirent *entry;
    ssize_t length;
    DIR *stream;

    if (lab_base(base, &error))
        return;
    stream = opendir(base);
    while (stream && (entry = readdir(stream))) {
        if (snprintf(path, sizeof path, "%s/%s", base, entry->d_name) >= (int)sizeof path)
            continue;
        length = readlink(path, target, sizeof target - 1);
        if (length < 0)
            continue;
        target[length] = '\0';
        if (strcmp(target, dir) == 0 || access(target, F_OK))
            unlink(path);
    }
    if (stream)
        closedir(stream);
}

/* Whether a directory lies where labs are kept: then everything in it was a lab's. */
static bool is_kept(const char *path)
{
    char base[PATH_MAX], whole[PATH_MAX];
    struct net_error error;

    return !lab_base(base, &error) && realpath(base, whole) &&
           strncmp(path, whole, strlen(whole)) == 0 && path[strlen(whole)] == '/';
}

/* Hundreds of panes would begin hundreds of shells, only to have them killed. */
static void forbid_shells(const struct remains *remains)
{
    char path[PATH_MAX];
    int fd = -1;

    if (snprintf(path, sizeof path, "%s/" LAB_DOWN, remains->dir) < (int)sizeof path)
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

/* Ends what runs; returns how many did, or WEIR_EPERM. */
static int end_all_of(const struct remains *remains, struct net_error *error)
{
    const struct lab *lab = remains->lab;
    int count;

    if (lab && lab->session[0])
        forbid_shells(remains);
    count = end_processes(remains->dir, error);
    if (lab && lab->session[0])
        tmux_kill(lab->session, lab->dir);
    if (count >= 0 && end_processes(remains->dir, error) < 0) /* what a pane had just begun */
        return WEIR_EPERM;
    return count;
}

int lab_clear(const char *dir, struct net_error *error)
{
    char path[PATH_MAX];
    struct remains remains = {.dir = path};
    struct net_error unread;
    struct lab lab;
    int count;

    if (!realpath(dir, path)) {
        remove_links(dir);
        return 0;
    }
    if (!lab_is_place(path))
        return 0;
    remains.lab = lab_load(path, &lab, &unread) ? NULL : &lab;
    remains.is_kept = is_kept(path);
    remains.is_generated = remains.lab ? lab.is_generated : remains.is_kept;
    count = end_all_of(&remains, error);
    if (count >= 0) {
        remove_files(&remains);
        (void)rmdir(path); /* stays if somebody keeps other things there */
        remove_links(path);
    }
    if (remains.lab)
        lab_done(&lab);
    return count;
}
