/* SPDX-License-Identifier: MIT */

/* Taking a lab down, whatever state it is in.
 *
 * A lab may be whole, half made, half dead, or dead since the last boot, and lab.json may be what was
 * not written any more. So this goes by what lies in the directory, not by what should: every NODE.pid
 * is a process to be ended, and files with a lab's endings are removed (those that a description gave
 * only if lab.json says so, or, without one, if the directory is where labs are kept). lab.json goes last: whoever is
 * killed in here leaves a lab that can be cleared again.
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

static bool is_leftover(const char *name, bool is_generated)
{
    static const char *const endings[] = {".pid", ".pid.new", ".sock", ".log", ".in"};
    size_t i;

    for (i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (has_ending(name, endings[i]))
            return true;
    if (name[0] == '.' && strstr(name, ".sock.")) /* bound, and killed before it had its name */
        return true;
    if (strcmp(name, LAB_FILE ".new") == 0)
        return true;
    return is_generated && (has_ending(name, ".lnx") || strcmp(name, "nodes.json") == 0 ||
                            strcmp(name, "binaries.example.json") == 0);
}

static void remove_files(const char *dir, bool is_generated)
{
    DIR *stream = opendir(dir);
    struct dirent *entry;

    while (stream && (entry = readdir(stream)))
        if (is_leftover(entry->d_name, is_generated))
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream)
        unlinkat(dirfd(stream), LAB_FILE, 0);
    if (stream)
        closedir(stream);
}

/* Links to `dir` where labs are kept. */
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

int lab_clear(const char *dir, struct net_error *error)
{
    struct net_error unread;
    struct lab lab;
    bool is_known = lab_load(dir, &lab, &unread) == 0;
    bool is_generated = is_known && lab.is_generated;
    char path[PATH_MAX];
    int count, late;

    if (!realpath(dir, path))
        return 0;
    is_generated = is_known ? is_generated : is_kept(path);
    count = end_processes(path, error);
    if (is_known && lab.session[0])
        tmux_kill(lab.session, lab.dir);
    if (is_known)
        lab_done(&lab);
    late = count < 0 ? 0 : end_processes(path, error); /* what a pane had just begun */
    if (count < 0 || late < 0)
        return WEIR_EPERM;
    remove_files(path, is_generated);
    (void)rmdir(path); /* stays if somebody keeps other things there */
    remove_links(path);
    return count;
}
