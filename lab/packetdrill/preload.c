/* SPDX-License-Identifier: MIT */

/* weir-packetdrill-preload.so: the same library for LD_PRELOAD and --so_filename at once.
 *
 * packetdrill makes two calls past its table: getsockopt, for the TCP_INFO and SO_MEMINFO of %{ }%, and
 * the last close of sockets that a script has left open. Preloaded, this library stands before the C
 * library for these two names. A descriptor of the adapter (one that it has given out) goes the way of
 * the table; any other goes on to whoever is next in line.
 *
 * Both uses must name the same file, so that the loader has it once: the adapter that init made is then
 * the one known here. It is the last one made; packetdrill has one at a time. This is the one piece of
 * data at file scope, since the two functions get nothing but a descriptor. Its lock is held only
 * while the adapter is looked at; the adapter is then kept by being counted as used.
 *
 * The adapter's own code never calls close() for a descriptor (numbers.c). */

#include <dlfcn.h>
#include <errno.h>
#include <lab/packetdrill/table.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct adapter *current;

void preload_set(struct adapter *adapter)
{
    pthread_mutex_lock(&lock);
    current = adapter;
    pthread_mutex_unlock(&lock);
}

void preload_clear(struct adapter *adapter)
{
    pthread_mutex_lock(&lock);
    if (current == adapter)
        current = NULL;
    pthread_mutex_unlock(&lock);
}

/* The adapter, kept alive, if `fd` is one of its descriptors. */
static struct adapter *keep(int fd)
{
    struct adapter *adapter;

    pthread_mutex_lock(&lock);
    adapter = current && adapter_hold(current, fd) ? current : NULL;
    pthread_mutex_unlock(&lock);
    return adapter;
}

static void let_go(struct adapter *adapter)
{
    int error = errno;

    adapter_drop(adapter);
    errno = error;
}

int close(int fd)
{
    struct adapter *adapter = keep(fd);
    int (*next)(int fd);
    int result;

    if (!adapter) {
        *(void **)&next = dlsym(RTLD_NEXT, "close");
        return next(fd);
    }
    result = table_close(adapter, fd);
    let_go(adapter);
    return result;
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length)
{
    int (*next)(int fd, int level, int name, void *value, socklen_t *length);
    struct adapter *adapter = keep(fd);
    int result;

    if (!adapter) {
        *(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
        return next(fd, level, name, value, length);
    }
    result = table_getsockopt(adapter, fd, level, name, value, length);
    let_go(adapter);
    return result;
}
