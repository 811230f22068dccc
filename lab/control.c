/* SPDX-License-Identifier: MIT */

/* Making, finding and asking control sockets; what is said over them is in control.h.
 *
 * Problem: a Unix socket's address holds 107 bytes, and people's directories may be longer; the file of
 * a socket outlives its process; and whoever waits for a node to be up must not find a socket that
 * nobody listens on yet.
 *
 * Idea: an address that is too long goes by its directory's descriptor, as /proc/self/fd/N/NAME. A
 * socket is bound under a name of its own, told to listen, and then renamed, so that a name in the
 * directory means a node that answers. Before that the old name is tried: if a connection is refused
 * nobody listens there any more, and the rename replaces it; else the name is taken.
 *
 * Limits: two nodes that replace the same dead socket in the same moment may both succeed, and the
 * second has the name. The mode of the socket is 0600, and the name it is bound under is hidden by a
 * dot. An answer's line may have any length that memory allows.
 */

#include <errno.h>
#include <fcntl.h>
#include <lab/control.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define NAME_ROOM 200 /* bytes of a name; what it is bound under first is longer */

/* A path's directory, held open, and the name in it. */
struct place {
    int dir;
    char name[NAME_MAX + 1];
};

/* Returns 0, or a negative errno. */
static int place_open(struct place *place, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char folder[PATH_MAX];

    if (!*name || strlen(name) > NAME_ROOM)
        return *name ? -ENAMETOOLONG : -EINVAL;
    if (slash && (size_t)(slash - path) >= sizeof folder)
        return -ENAMETOOLONG;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    strcpy(place->name, name);
    place->dir = open(slash == path ? "/" : folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return place->dir < 0 ? -errno : 0;
}

/* The address of `name` in the place's directory. Returns 0 or -ENAMETOOLONG. */
static int place_address(const struct place *place, const char *name, struct sockaddr_un *address)
{
    int length;

    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                      place->dir, name);
    return length < (int)sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

/* Returns a connected socket or a negative errno. */
static int place_connect(const struct place *place)
{
    struct sockaddr_un address;
    int result = place_address(place, place->name, &address);
    int fd;

    if (result)
        return result;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    result = -errno;
    close(fd);
    return result;
}

int control_connect(const char *path)
{
    struct place place;
    int result = place_open(&place, path);

    if (result)
        return result;
    result = place_connect(&place);
    close(place.dir);
    return result;
}

/* ---- Listening ----------------------------------------------------------------------------------- */

/* 0: the name is free, or what is there is dead. */
static int check_name(const struct place *place)
{
    struct stat status;
    int fd;

    if (fstatat(place->dir, place->name, &status, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    fd = place_connect(place);
    if (fd == -ECONNREFUSED)
        return 0;
    if (fd >= 0)
        close(fd);
    return fd >= 0 || fd == -EAGAIN ? -EADDRINUSE : fd;
}

/* Binds to `name`, which nobody but this user may use from the first moment on. */
static int bind_private(const struct place *place, const char *name, int fd)
{
    struct sockaddr_un address;
    int result = place_address(place, name, &address);
    mode_t mask;

    if (result)
        return result;
    unlinkat(place->dir, name, 0); /* of a process that had our number */
    mask = umask(0177);
    result = bind(fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
    umask(mask);
    return result;
}

static int listen_in(const struct place *place)
{
    char name[NAME_MAX + 1];
    int result = check_name(place);
    int fd;

    if (result)
        return result;
    snprintf(name, sizeof name, ".%.200s.%d", place->name, (int)getpid());
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    result = bind_private(place, name, fd);
    if (!result && listen(fd, BACKLOG))
        result = -errno;
    if (!result && renameat(place->dir, name, place->dir, place->name))
        result = -errno;
    if (!result)
        return fd;
    unlinkat(place->dir, name, 0);
    close(fd);
    return result;
}

int control_listen(const char *path)
{
    struct place place;
    int result = place_open(&place, path);

    if (result)
        return result;
    result = listen_in(&place);
    close(place.dir);
    return result;
}

void control_unlisten(const char *path, int fd)
{
    int other;

    close(fd);
    other = control_connect(path); /* refused: what is there was ours, or is dead as well */
    if (other == -ECONNREFUSED)
        unlink(path);
    if (other >= 0)
        close(other);
}

/* ---- Asking -------------------------------------------------------------------------------------- */

static int write_all(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t count = send(fd, text, length, MSG_NOSIGNAL);

        if (count < 0 && errno != EINTR)
            return errno == EPIPE ? -ECONNRESET : -errno;
        if (count > 0) {
            text += count;
            length -= (size_t)count;
        }
    }
    return 0;
}

static int read_answer(FILE *stream, control_line_fn *fn, void *argument)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    int status = -ECONNRESET;

    while (status < 0 && (length = getline(&line, &room, stream)) > 0) {
        if (line[length - 1] == '\n')
            line[--length] = '\0';
        if (line[0] == CONTROL_END)
            status = atoi(line + 1) != 0;
        else if (line[0] == CONTROL_LINE && fn)
            fn(argument, line + 1, (size_t)length - 1);
    }
    free(line);
    return status;
}

int control_ask(const char *path, const char *command, control_line_fn *fn, void *argument)
{
    FILE *stream;
    int fd, result;

    if (strchr(command, '\n'))
        return -EINVAL;
    fd = control_connect(path);
    if (fd < 0)
        return fd;
    result = write_all(fd, command, strlen(command));
    if (!result)
        result = write_all(fd, "\n", 1);
    stream = result ? NULL : fdopen(fd, "r");
    if (!stream) {
        close(fd);
        return result ? result : -ENOMEM;
    }
    result = read_answer(stream, fn, argument);
    fclose(stream);
    return result;
}
