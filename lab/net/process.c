/* SPDX-License-Identifier: MIT */

/* Who a process is.
 *
 * Problem: a lab outlives the program that made it, so its processes are known by files; and a number
 * in a file may, after a crash or a reboot, be that of somebody else's editor.
 *
 * Idea: the file holds the number, the time at which the process was started (in clock ticks since
 * boot, field 22 of /proc/PID/stat) and the boot's own name. All three must be as they were. To have
 * no gap between looking and killing, a pidfd is opened first and checked afterwards: it stands for
 * that process and no later one, so what holds when it was checked holds for the signal.
 *
 * A process writes its own file, between fork and exec, so there is none that nobody knows of, whoever
 * is killed when. The file appears whole or not at all (written under another name, then renamed).
 * A zombie counts as ended.
 */

#include <errno.h>
#include <fcntl.h>
#include <lab/net/process.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BOOT_TEXT 64

struct identity {
    long pid;
    unsigned long long started; /* clock ticks since boot */
    char boot[BOOT_TEXT];
};

static void read_boot(char *text)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    if (!file || fscanf(file, "%63s", text) != 1)
        strcpy(text, "-");
    if (file)
        fclose(file);
}

/* When a process was started; 0: there is none. */
static unsigned long long start_of(long pid)
{
    char path[64], text[1024];
    unsigned long long started = 0;
    const char *at;
    size_t length;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    at = strrchr(text, ')'); /* behind the name, which may hold anything: fields from 3 on */
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                      "%*d %llu",
                      &started) != 1)
        return 0;
    return started;
}

int process_write(const char *path)
{
    char boot[BOOT_TEXT], other[PATH_MAX];
    FILE *file;
    bool is_bad;

    if (snprintf(other, sizeof other, "%s.new", path) >= (int)sizeof other) {
        errno = ENAMETOOLONG;
        return -1;
    }
    file = fopen(other, "we");
    if (!file)
        return -1;
    read_boot(boot);
    fprintf(file, "%ld %llu %s\n", (long)getpid(), start_of((long)getpid()), boot);
    is_bad = ferror(file) != 0;
    if (fclose(file) || is_bad || rename(other, path)) {
        unlink(other);
        return -1;
    }
    return 0;
}

static bool read_identity(const char *path, struct identity *identity)
{
    FILE *file = fopen(path, "re");
    int count;

    if (!file)
        return false;
    count = fscanf(file, "%ld %llu %63s", &identity->pid, &identity->started, identity->boot);
    fclose(file);
    return count == 3 && identity->pid > 1 && identity->pid <= INT_MAX && identity->started > 0;
}

bool process_is_file(const char *path)
{
    struct identity identity;

    return read_identity(path, &identity);
}

int process_open(const char *path, pid_t *pid)
{
    struct identity identity;
    char boot[BOOT_TEXT];
    int fd;

    if (!read_identity(path, &identity))
        return -1;
    fd = (int)syscall(SYS_pidfd_open, (pid_t)identity.pid, 0);
    if (fd < 0)
        return -1;
    read_boot(boot);
    if (strcmp(boot, identity.boot) != 0 || start_of(identity.pid) != identity.started ||
        process_has_ended(fd)) {
        close(fd);
        return -1;
    }
    *pid = (pid_t)identity.pid;
    return fd;
}

bool process_has_ended(int pidfd)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

int process_signal(int pidfd, int signal)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}
