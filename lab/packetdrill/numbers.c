/* SPDX-License-Identifier: MIT */

/* Numbers for the descriptors that the script's calls give out.
 *
 * packetdrill compares them, keeps them beside descriptors of its own, and hands some to calls that do
 * not come here (getsockopt inside %{ }%, the last close of what a script left open). So each is a real
 * one: an eventfd that nobody reads, which keeps the number taken in the process.
 *
 * Such a close that passes us by frees a number that we think in use; the next eventfd may get it.
 * Then this eventfd stays as the keeper of that number, and another is made. And a number that the
 * process has taken for something else meanwhile is not closed at the end.
 *
 * They are closed by the system call itself: in the preload twin close() is our own function, and its
 * way would lead back here, into the lock that is held. Limit: descriptors below ADAPTER_FDS_MAX. */

#include <errno.h>
#include <lab/packetdrill/adapter.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t bit(int fd)
{
    return 1u << (fd % 32);
}

bool numbers_has(const struct adapter *adapter, int fd)
{
    return fd >= 0 && fd < ADAPTER_FDS_MAX && (adapter->fds[fd / 32] & bit(fd));
}

int numbers_get(void *context)
{
    struct adapter *adapter = context;
    int tries, fd;

    for (tries = 0; tries < ADAPTER_FDS_MAX; tries++) {
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
            return -errno;
        if (fd >= ADAPTER_FDS_MAX) {
            syscall(SYS_close, fd);
            return -EMFILE;
        }
        if (numbers_has(adapter, fd))
            continue;
        adapter->fds[fd / 32] |= bit(fd);
        return fd;
    }
    return -EMFILE;
}

/* The process may have taken the number for something else meanwhile. */
static bool is_eventfd(int fd)
{
    static const char expected[] = "anon_inode:[eventfd]";
    char path[32], target[sizeof(expected)] = {0};

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return readlink(path, target, sizeof(target) - 1) > 0 && strcmp(target, expected) == 0;
}

void numbers_put(void *context, int fd)
{
    struct adapter *adapter = context;

    if (!numbers_has(adapter, fd))
        return;
    adapter->fds[fd / 32] &= ~bit(fd);
    if (is_eventfd(fd))
        syscall(SYS_close, fd);
}
